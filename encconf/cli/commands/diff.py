"""``encconf diff``: the differences between versions of files, as text or as JSON.

The exit codes are those of diff: 0 for no differences, 1 for differences, 2 if something was not compared.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence

from encconf.audit import diff, revisions
from encconf.audit.diff import Change, Difference
from encconf.audit.history import name_former
from encconf.audit.names import Names
from encconf.cli.command import CONFIG, Argument, Command, Option
from encconf.cli.console import Console, Paper
from encconf.cli.shared import CREDENTIALS, INPUT_TYPE, JSON, RECIPIENTS
from encconf.envelope.unwrap import DataKeyCache
from encconf.errors import ConflictError, EncconfError, as_data, at_most_one
from encconf.keys import MasterKey
from encconf.record import VerbOptions
from encconf.rules.config import NAME
from encconf.text.path import spell
from encconf.text.printable import counted, one_line
from encconf.verbs import printing
from encconf.verbs.people import with_names

_RED, _GREEN, _YELLOW, _BOLD, _DIM = "31", "32", "33", "1", "2"
_SIGNS = {
    "added": ("+", _GREEN),
    "removed": ("-", _RED),
    "changed": ("~", _YELLOW),
    "moved": (">", _YELLOW),
    "cleared": ("!", "1;31"),
    "sealed": ("*", _GREEN),
}
_UNKNOWN = "cannot be compared without a key"


class Options(VerbOptions):
    file: Sequence[str] = ()
    paths: Sequence[str] = ()
    show_values: bool = False
    staged: bool = False
    keyless: bool = False
    recipients: Sequence[str] = ()
    json: bool = False
    input_type: str | None = None
    config: str | None = None


def compare(options: Options, console: Console) -> None:
    """Print the differences.  Raises SystemExit(1) if files differ, SystemExit(2) if that is not certain."""
    json, quiet = options.json, console.quiet
    keyless, show_values = options.keyless, options.show_values
    if json and quiet:
        raise ConflictError("--json and --quiet exclude each other")
    at_most_one(show_values=show_values, keyless=keyless)
    if show_values:
        printing.refuse(console, "values are not shown", "leave out --show-values to see what differs")
    results = list(_differences(options, console))
    failed = [each for each in results if isinstance(each, EncconfError)]
    found = [each for each in results if not isinstance(each, EncconfError)]
    differing = [each for each in found if each.differs]
    if json:
        names = _names(found, options)
        console.json(
            {
                "differs": bool(differing),
                "files": [diff.to_json(each, names, values=show_values) for each in found],
                "problems": [{"file": error.file, "error": as_data(error)} for error in failed],
            }
        )
    elif not quiet:
        _Report(console, _names(found, options), values=show_values).print(differing)
        if len(found) > 1:
            console.note(_summary(differing))
    if not keyless:
        _print_unopened(console, found)
    for error in failed:
        console.error(error)
    if not _all_decided(console, differing) or failed:
        raise SystemExit(2)
    if differing:
        raise SystemExit(1)


DIFF = Command(
    "diff",
    """Show what changed between versions of files, without showing values.

    What you name decides what is compared:

    - no argument: the last commit with your files
    - FILE: the last commit's version of FILE with FILE
    - REV FILE, REV:FILE: that revision's version of FILE with FILE
    - FILE FILE: the first file with the second
    - REV: that revision with your files
    - REV REV, REV..REV: the first revision with the second
    - REV...REV: the commit where the two diverged with the second

    Without FILE, every encrypted file and .sops.yaml that differs is compared. To limit this to some files
    or folders, name them after --.

    A plaintext file is compared with an encrypted one by its values. Without a key, encconf compares
    structure and ciphertexts.

    Exit codes:

    - 0: no differences
    - 1: differences
    - 2: something could not be compared
    """,
    Options,
    compare,
    arguments=[Argument("file")],
    options=[
        Option("--show-values", help="Show the values as well."),
        Option("--staged", "--cached", help="Compare the staged files instead of those in the work tree."),
        Option("--keyless", help="Compare structure and ciphertexts, without using a key."),
        Option("--quiet", "-q", type="bool", field="", help="Print nothing; use the exit code."),
        RECIPIENTS,
        JSON,
        INPUT_TYPE,
        *CREDENTIALS,
        CONFIG,
    ],
    rest="paths",
    rest_usage=["[-- PATH...]"],
    failure=2,
    examples=[
        "encconf diff secrets.enc.yaml",
        "encconf diff HEAD~1 -- deploy/",
        "encconf diff main...",
        "encconf diff --show-values v1.0:db.enc.yaml db.enc.yaml",
        "encconf diff staging.enc.yaml prod.enc.yaml",
    ],
)


def _all_decided(console: Console, differing: list[Difference]) -> bool:
    """Whether it is certain that all of these files differ.  Warns about those that are not certain."""
    unknown = [each for each in differing if not each.decided]
    for each in unknown:
        console.warn(
            f"{each.old.label} and {each.new.label}: without a key, encconf cannot tell whether they are "
            "the same"
        )
    return not unknown


def _differences(options: Options, console: Console) -> Iterator[Difference | EncconfError]:
    """Yield the difference of each pair of files, or an error of one of them."""
    credentials = None
    if not options.keyless:
        credentials = console.credentials()
        credentials.cache = credentials.cache or DataKeyCache()
    for pair in revisions.pairs(
        list(options.file), list(options.paths), staged=options.staged, format=options.input_type
    ):
        if isinstance(pair, EncconfError):
            yield pair
            continue
        old, new, one_file = pair
        try:
            yield diff.compare(old, new, one_file=one_file, credentials=credentials)
        except EncconfError as error:
            yield error


def _names(found: Iterable[Difference], options: Options) -> Names:
    """Return the names of keys, from the .sops.yaml of each file."""
    keys = [key for each in found for key in each.recipients]
    needed = keys or any(os.path.basename(each.new.path) == NAME for each in found)
    paths = [each.new.path for each in found] if needed else []
    names = Names.for_files(paths, options.config, options.recipients)
    name_former(names, keys)
    return names


def _print_unopened(console: Console, found: Iterable[Difference]) -> None:
    """Print why files were compared without a key."""
    for note in dict.fromkeys(note for each in found for note in each.notes):
        console.warn(note)
    reasons = list(dict.fromkeys(reason for each in found for reason in each.reasons))
    if reasons:
        others = f", and {counted(len(reasons) - 1, 'other')} as well" if len(reasons) > 1 else ""
        console.note(f"compared without a key: {reasons[0]}{others}")
        advice = next((each.advice for each in found if each.advice), None)
        if advice and not console.quiet:
            console.hint(with_names(advice))


def _summary(differing: list[Difference]) -> str:
    if not differing:
        return "nothing differs"
    counts = {
        kind: sum(each.count(kind) for each in differing)
        for kind in ("changed", "added", "removed", "moved", "cleared", "sealed", "unknown")
    }
    words = {"cleared": "plaintext now", "sealed": "encrypted now"}
    said = ", ".join(f"{count} {words.get(kind, kind)}" for kind, count in counts.items() if count)
    files = f"{len(differing)} files differ" if len(differing) > 1 else "1 file differs"
    return f"{files}; values: {said}" if said else files


class _Report(Paper):
    """The printed report.  Each pair has a heading, and below it a line for each difference."""

    def __init__(self, console: Console, names: Names, *, values: bool) -> None:
        super().__init__(console)
        self._console = console
        self._names = names
        self._values = values

    def print(self, differing: Sequence[Difference]) -> None:
        """Print everything about some pairs."""
        for each in differing:
            self._difference(each)
        self._console.data("".join(f"{line}\n" for line in self.lines))

    def _difference(self, found: Difference) -> None:
        self.say(self.paint(_BOLD, f"{one_line(found.old.label)} → {one_line(found.new.label)}"))
        if found.old.text is None or found.new.text is None:
            sign, what = ("+", "new") if found.old.text is None else ("-", "gone")
            encrypted = "encrypted" if any(found.encrypted) else "not encrypted"
            self._line(sign, "the file", kind=f"{what}, {encrypted}")
        if found.renamed:
            self._line(">", "the file", kind="renamed")
        self._block(found)
        several = len({change.document for change in found.changes}) > 1
        # Without a key, a different ciphertext is a different value only if the data key is the same.
        undecided = [change for change in found.changes if not change.certain and found.data_key != "same"]
        hidden = set(map(id, undecided)) if len(undecided) > 1 else set[int]()
        for change in found.changes:
            if id(change) not in hidden:
                said = _UNKNOWN if undecided == [change] else _said(change)
                self._change(found, change, said, several)
        if hidden:
            self._line("?", counted(len(undecided), "value"), kind=_UNKNOWN)
        self._rest(found)

    def _block(self, found: Difference) -> None:
        """Print what changed in who can open the file and in what is encrypted."""
        for key in found.added_keys:
            self._line("+", "recipient", kind=self._key(key))
        for key in found.removed_keys:
            self._line("-", "recipient", kind=self._key(key))
        for key in found.regrouped:
            self._line("~", "recipient", kind=f"{self._key(key)} is in another key group")
        if found.quorum[0] != found.quorum[1]:
            was, now = ("{} of {}".format(*each) for each in found.quorum)
            self._line("~", "key groups", kind=f"{now} must take part, was {was}")
        if found.selection is not None and found.reselected:
            self._line("~", "selection", kind=" → ".join(one_line(str(each)) for each in found.selection))
        if found.one_file and found.data_key == "new":
            self._line("~", "data key", kind="a new one")
        if found.one_file and found.encrypted == (True, False) and found.new.text is not None:
            self._line("!", "the file", kind="was encrypted, is plaintext now")
        if found.one_file and found.encrypted == (False, True) and found.old.text is not None:
            self._line("*", "the file", kind="was plaintext, is encrypted now")

    def _change(self, found: Difference, change: Change, said: str, several: bool) -> None:
        sign = _SIGNS[change.kind][0] if change.certain else "?"
        where = one_line(spell(change.old if change.kind == "moved" and change.old else change.path))
        if several:
            where = f"document {change.document + 1}: {where}"
        self._line(sign, where, kind=said, values=self._shown(found, change))

    def _rest(self, found: Difference) -> None:
        if any(found.comments):
            words = zip(found.comments, ("changed", "added", "removed"), strict=True)
            self._line("~", "comments", kind=", ".join(f"{count} {word}" for count, word in words if count))
        if found.structure:
            self._line("~", "structure", kind="the same values in a different structure")
        if found.layout:
            self._line("~", "layout", kind="the same values and comments, written differently")
        if found.unmerged is not None:
            self._line("~", "merge", kind=found.unmerged)
        elif found.resealed:
            self._line("~", "seal", kind="the same content, saved again (new MAC and date)")

    def _shown(self, found: Difference, change: Change) -> str:
        """Return both values with --show-values, the names of the keys in a .sops.yaml, or otherwise ""."""
        if self._values:
            tell: Callable[[str], str | None] = _quoted
        elif os.path.basename(found.new.path) == NAME and not any(found.encrypted):
            tell = self._names.written
        else:
            return ""
        shown = [each and tell(each) for each in (change.old_value, change.new_value) if each is not None]
        return one_line(" → ".join(dict.fromkeys(map(str, shown)))) if all(shown) else ""

    def _key(self, key: MasterKey) -> str:
        return one_line(self._names.whole(key))

    def _line(self, sign: str, where: str, *, kind: str, values: str = "") -> None:
        color = next((color for each, color in _SIGNS.values() if each == sign), _YELLOW)
        self.say(f"  {self.paint(color, sign)} {where}: {kind}{f': {values}' if values else ''}")


def _said(change: Change) -> str:
    """Describe a change."""
    if change.kind == "moved":
        to = f"moved to {one_line(spell(change.path))}" if change.old != change.new else "moved"
        return f"{to}, where its ciphertext cannot be decrypted" if change.lost else to
    if change.kind in ("cleared", "sealed"):
        said = {"cleared": "plaintext now", "sealed": "encrypted now"}[change.kind]
        return said if change.same else f"{said}, {'and' if change.certain else 'perhaps'} changed"
    if change.kind == "changed" and not change.certain:
        return "a different ciphertext, perhaps of the same value"
    if change.retyped:
        return "{}, was {} and is {}".format(change.kind, *map(_with_article, change.types))
    return change.kind


def _with_article(kind: str) -> str:
    return kind if kind in ("null", "bytes") else f"a {kind}"


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
