"""Is everything encrypted as it should be?  Over many files, without a key.

`check` reads the files that a creation rule covers, those that are called like encrypted ones, and
those that hold a ``sops`` block, whatever they are called (`encconf.formats.sniff`).  With ``verify`` it
also opens what it can.  Findings and their meaning: `encconf.audit.findings.KINDS`.

A rule without a path_regex, or with one that every name matches, says how files are encrypted and not
which; under such a rule a file counts as meant to be encrypted when its name says so (``secrets.yaml``,
``x.enc.json``, ``x.sops.env``).
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from contextlib import nullcontext

from encconf import formats
from encconf.audit import sealed as looking
from encconf.audit.findings import Finding, Ignored, Lines, listed, printable
from encconf.audit.rulebook import Rulebook, Rules
from encconf.audit.sealed import Sealed
from encconf.engine.metadata import Metadata
from encconf.errors import (
    DecryptError,
    EmptyDocumentError,
    EncconfError,
    InputError,
    KeyAccessError,
    MacError,
    MacMissingError,
    MetadataError,
    MissingFileError,
    NotEncryptedError,
    ParseError,
    PatternError,
    UnmergedError,
)
from encconf.formats import sniff
from encconf.git import attributes, repository
from encconf.io import fileio, inplace, replace
from encconf.rules.selection import DEFAULT
from encconf.text.path import spell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from contextlib import AbstractContextManager
    from typing import Final

    from encconf.identities.credentials import Credentials
    from encconf.rules.config import Rule
    from encconf.rules.selection import Selection
    from encconf.text.document import Document

    Progress = Callable[[int], AbstractContextManager[Callable[[], None]]]

    _Entry = tuple[str, str, str, Rules | None, bool]  # name, last part, folder, rules, no rule but the rest

CALLED: Final = re.compile(r"\.(?:enc|sops|encrypted)(?:\.|$)", re.I | re.M)
"""In a name, or in one of several that stand on a line each: it is meant to be encrypted."""
_SECRETS: Final = re.compile(r"\A\.?secrets?(?:[._].*)?\.\w+\Z|[._-]secrets\.\w+\Z", re.I)
_MEANT: Final = (".enc", ".sops", "secret")
"""Any name has one of these that `CALLED` or `_SECRETS` matches."""
_NEVER: Final = frozenset({".sops.yaml", ".sops.yml", ".gitignore", ".gitattributes", ".gitkeep", ".keep"})
_MARKER: Final = re.compile(r"^(?:<{7}|>{7})(?:[ \t].*)?\r?$", re.M)
_CIPHERTEXT: Final = "ENC[AES256_GCM,"


class Report:
    """``findings`` by file and line; how many ``files`` there were, were ``encrypted``, and ``verified``.

    ``hidden`` counts the findings that are milder than ``shown``.
    """

    __slots__ = ("encrypted", "files", "findings", "hidden", "shown", "verified")

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.files = 0
        self.encrypted = 0
        self.verified = 0
        self.hidden = 0
        self.shown = "note"

    def show(self, severity: str) -> None:
        """Leave out findings that are milder; `hidden` says how many."""
        rank = _RANKS[severity]
        self.shown = severity
        kept = [found for found in self.findings if found.rank >= rank]
        self.hidden += len(self.findings) - len(kept)
        self.findings = kept

    def count(self, severity: str) -> int:
        """How many findings are exactly so grave."""
        return sum(1 for found in self.findings if found.severity == severity)


_RANKS = {"note": 0, "warning": 1, "error": 2}


def check(
    names: Iterable[str],
    *,
    cwd: str,
    config: str | None = None,
    whole: bool = False,
    tracked: Callable[[str], bool] = lambda name: False,
    exposed: Callable[[str], bool] = lambda name: True,
    ignored: Sequence[str] = (),
    verify: Credentials | None = None,
    progress: Progress | None = None,
    reading: Progress | None = None,
) -> Report:
    """Check files; ``names`` are relative to ``cwd`` or absolute, and findings name them so.

    ``whole`` says that these are all the files there are: only then can a rule be one of no file.
    ``tracked`` tells whether git has a file, for plain twins; ``exposed`` whether a plain file is of
    concern, which one that git ignores is not.  ``ignored`` are kinds of findings to leave out (see
    `encconf.audit.findings.Ignored`).  ``verify`` are the credentials to open files with; ``progress`` is
    given how many there are, and gives what to call after each; ``reading`` is the same for all files.

    Raises UsageError for an unknown kind in ``ignored``.
    """
    run = _Check(cwd, config, Ignored(ignored), tracked, exposed)
    names = list(names)
    with reading(len(names)) if reading is not None else nullcontext(lambda: None) as step:
        run.files(names, skip_links=whole, step=step)
    run.across()
    run.drivers()
    if verify is not None:
        run.verify(verify, progress)
    run.configs(whole)
    return run.result()


class _Check:
    """One run."""

    def __init__(
        self,
        cwd: str,
        config: str | None,
        ignored: Ignored,
        tracked: Callable[[str], bool],
        exposed: Callable[[str], bool],
    ) -> None:
        self.cwd = cwd
        self.book = Rulebook(config, cwd)
        self.ignored = ignored
        self.tracked = tracked
        self.exposed = exposed
        self.report = Report()
        self.found: list[Finding] = []
        self.sealed: list[Sealed] = []
        self.selections: dict[tuple[str, int, Selection], list[str]] = defaultdict(list)

    # --- one file by itself ----------------------------------------------------------------------

    def files(self, names: Iterable[str], *, skip_links: bool, step: Callable[[], None]) -> None:
        folders: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for name in names:
            folder, slash, base = name.replace(os.sep, "/").rpartition("/")
            folders[folder or slash].append((name, base))
        dull: dict[str, _Entry] = {}  # by their paths: nothing but their content can say anything of them
        rest: list[_Entry] = []
        for folder, files in folders.items():
            place = os.path.abspath(os.path.join(self.cwd, folder))
            rules = self.book.of(place)
            self.report.files += len(files)
            bases = [base for _, base in files]
            alike = rules is None or rules.takes_none(place, bases)
            said = "\n".join(bases).lower()
            is_dull = alike and not any(word in said for word in _MEANT)
            for name, base in files:
                step()
                whole = f"{place}{os.sep}{base}"
                if replace.is_leftover(base) or inplace.is_saved(base):
                    self._leftover(name, whole)
                elif is_dull:
                    dull[whole] = (name, base, place, rules, True)
                else:
                    rest.append((name, base, place, rules, alike))
        answer = sniff.glancing(list(dull))
        for entry in rest:
            self._entry(entry, skip_links)
        for path in answer():
            self._entry(dull[path], skip_links)
        by_name = {sealed.file: sealed for sealed in self.sealed}
        ordered = (by_name.get(name) for files in folders.values() for name, _ in files)
        self.sealed = [sealed for sealed in ordered if sealed is not None]

    def _entry(self, entry: _Entry, skip_links: bool) -> None:
        name, base, place, rules, alike = entry
        whole = f"{place}{os.sep}{base}"
        number, unsure = None, rules is not None and rules.config is None
        if rules is not None:
            try:
                number = rules.rest if alike else rules.find(whole)
            except PatternError:
                unsure = True
        self._file(name, base, whole, rules, number, broken=unsure, skip_links=skip_links)

    def _leftover(self, name: str, whole: str) -> None:
        """What a killed command has left has no name of its own: the content says what it is."""
        try:
            data = fileio.read_bytes(whole, regular=True)
        except InputError:
            return
        if data and sniff.find(data) is None:
            self._add("leftover", name, "plaintext that a killed command has left", place=(0, 0))
        elif inplace.is_saved(os.path.basename(name)):
            said = "the old content of a file that was being overwritten: compare them, then remove it"
            self._add("leftover", name, said, place=(0, 0), severity="warning")

    def _file(
        self,
        name: str,
        base: str,
        whole: str,
        rules: Rules | None,
        number: int | None,
        *,
        broken: bool,
        skip_links: bool,
    ) -> None:
        if base in _NEVER:
            return
        named = formats.of_path(base)
        called = CALLED.search(base) is not None
        if number is None or rules is None:
            meant = "error" if called and named != "binary" else ""
        elif not rules.takes_all(number) or (called and named != "binary"):
            meant = "error"
        else:
            meant = "warning" if named != "binary" and _SECRETS.search(base) else ""
        if not meant and not called and not sniff.glancing([whole])():
            return
        try:
            data = fileio.read_bytes(whole, regular=True)
        except MissingFileError:
            return  # deleted, and not yet so in git
        except InputError as error:
            if meant:
                self._unreadable(name, error)
            return
        found = sniff.find(data, base)
        encrypted = found is not None
        if not meant and not encrypted and (named == "binary" or _CIPHERTEXT.encode() not in data):
            return
        if skip_links and os.path.islink(whole):
            return  # git has the name that a link leads to, and that file is looked at itself
        format = found or named
        self._look(name, data, format, rules, number, meant=meant, encrypted=encrypted, broken=broken)

    def _look(
        self,
        name: str,
        data: bytes,
        format: str,
        rules: Rules | None,
        number: int | None,
        *,
        meant: str,
        encrypted: bool,
        broken: bool,
    ) -> None:
        try:
            text = fileio.decode(data, binary=format == "binary" and not encrypted)
        except InputError as error:
            if meant or encrypted:
                self._unreadable(name, error)
            return
        rule, place = self._rule(rules, number)
        if (encrypted or _CIPHERTEXT in text) and (marker := _MARKER.search(text)):
            where = Lines(text)(marker.start())
            self._add("merge-conflict", name, "there is an unresolved merge conflict here", place=where)
            return
        module = formats.module(format)
        try:
            document = module.scan(text, comments="#" in text)
        except EmptyDocumentError:
            return
        except EncconfError as error:
            if format == "binary" and not encrypted:
                self._plain(name, text, None, rule, place, meant)
            elif meant or encrypted:
                self._unreadable(name, error)
            return
        try:
            metadata = Metadata.of(document)
            chosen = metadata.selection.choose(document)
        except NotEncryptedError:
            self._plain(name, text, document, rule, place, meant)
            return
        except (MetadataError, PatternError) as error:
            at = document.parts[0].block if document.parts else None
            where = Lines(text)(at[0]) if at else (1, 1)
            self._add("bad-block", name, error.message, place=where)
            return
        self.report.encrypted += 1
        if rules is not None and number is not None and rule is not None and format != "binary":
            own = metadata.selection
            if not rule.selects and own != rule.selection_for(DEFAULT):
                self.selections[rules.path, number, own].append(name)
        found = Sealed(name, document, metadata, chosen)
        looking.look(found, rule, place, rules.who if rules is not None else looking.label)
        if number is None and not broken:
            if rules is None:
                found.find("no-rule", "no .sops.yaml says who can open this file", severity="note")
            else:
                what = (
                    f"no creation rule of {printable(os.path.relpath(rules.path, self.cwd))} covers this file"
                )
                found.find("no-rule", what)
        self.found += found.findings
        self.sealed.append(found)

    def _rule(self, rules: Rules | None, number: int | None) -> tuple[Rule | None, str]:
        """The rule, None where there is none that can be used, and what to call it."""
        if rules is None or number is None:
            return None, ""
        try:
            rule = rules.rule(number)
        except EncconfError:
            return None, ""  # which `configs` tells
        return rule, f"{rule.name} of {printable(os.path.relpath(rules.path, self.cwd))}"

    def _plain(
        self, name: str, text: str, document: Document | None, rule: Rule | None, place: str, severity: str
    ) -> None:
        """A file without a sops block that should have one."""
        if document is not None and _CIPHERTEXT in text and (lost := _first_ciphertext(document)):
            what = "there are encrypted values in the file, but no sops block, so nobody can open it"
            self._add("bad-block", name, what, place=Lines(text)(lost), severity=severity or "warning")
            return
        if not severity:
            return  # it only looked like one
        paths: list[str] = []
        if document is None or document.format == "binary":
            count, at = int(bool(text)), 0
        else:
            selection = rule.selection if rule is not None else DEFAULT
            module = formats.module(document.format)
            if selection.needs_comments:
                document = module.scan(text, comments=True)
            try:
                chosen = selection.choose(document).leaves
            except PatternError:
                return  # which `configs` tells
            leaves = [leaf for leaf, is_chosen in zip(document.leaves, chosen, strict=True) if is_chosen]
            leaves = [leaf for leaf in leaves if leaf.data]
            count, at = len(leaves), leaves[0].start if leaves else 0
            paths = [printable(spell(leaf.path)) for leaf in leaves]
        if not count or not self.exposed(name):
            return
        why = f"{place} covers it" if place else "its name says that it is encrypted"
        what = f"{listed(paths)} in clear" if paths else "plain text"
        where = Lines(text)(at)
        self._add("not-encrypted", name, f"{what}, and {why}", place=where, severity=severity)

    def _unreadable(self, name: str, error: EncconfError) -> None:
        place = (0, 0)
        if isinstance(error, ParseError) and error.line:
            place = (error.line, error.column or 1)
        self._add("unreadable", name, error.message, place=place, hint=error.hint or "")

    def _add(
        self,
        slug: str,
        name: str,
        message: str,
        *,
        place: tuple[int, int] = (1, 1),
        hint: str | None = None,
        severity: str | None = None,
    ) -> None:
        self.found.append(Finding(slug, name, message, place=place, hint=hint, severity=severity))

    # --- several files ---------------------------------------------------------------------------

    def across(self) -> None:
        """What only several files together show: plain twins, a nonce or a data key used twice."""
        ivs: dict[bytes, tuple[Sealed, int]] = {}
        keys: dict[tuple[str, str, str], Sealed] = {}
        for number, sealed in enumerate(self.sealed):
            before = len(sealed.findings)
            self._twins(sealed)
            self._shared(sealed, keys)
            for iv, leaf in sealed.ivs.items():
                other, _ = ivs.setdefault(iv, (sealed, number))
                if other is not sealed:
                    earlier = other.ivs[iv]
                    assert leaf.data is not None
                    assert earlier.data is not None
                    if leaf.data.rstrip() != earlier.data.rstrip():  # else it is a copy of the file
                        where = f"{other.file}: {spell(earlier.path)}"
                        looking.twice(sealed.find, earlier.data, leaf.data, leaf, where)
            self.found += sealed.findings[before:]

    def _shared(self, sealed: Sealed, keys: dict[tuple[str, str, str], Sealed]) -> None:
        mine = sealed.data_keys
        for key in mine:
            other = keys.setdefault(key, sealed)
            if other is sealed:
                continue
            people, others = ({key[:2] for key in each.data_keys} for each in (sealed, other))
            if people != others:
                sealed.find(
                    "shared-data-key",
                    f"the data key is that of {printable(other.file)} too, which is for other people",
                )
            return

    def _twins(self, sealed: Sealed) -> None:
        if not sealed.lengths:
            return
        for name in plain_names(sealed.file):
            if not self.tracked(name):
                continue
            whole = os.path.join(self.cwd, name)
            try:
                data = fileio.read_bytes(whole, regular=True)
            except InputError:
                continue
            shared, same = _compare(sealed, data)
            if 2 * shared < len(sealed.lengths):
                continue
            if 2 * same >= shared:
                said = f"decrypted copy of {printable(sealed.file)}: the same keys, values as long"
                self._add("plain-twin", name, said, place=(0, 0))
            else:
                said = f"plain text with the keys of {printable(sealed.file)}, perhaps of an earlier state"
                self._add("plain-twin", name, said, place=(0, 0), severity="warning")

    def drivers(self) -> None:
        """Encrypted files that git's drivers are not set for, where the repository uses them."""
        root = repository(self.cwd)
        if root is None or not self.sealed or not attributes.are_used(root):
            return
        inside = {os.path.relpath(os.path.join(self.cwd, each.file), root): each for each in self.sealed}
        names = [name for name in inside if not name.startswith(os.pardir + os.sep)]
        for name in attributes.without_drivers(root, names):
            found = "no line of .gitattributes makes git compare and merge this file by its values"
            self._add("no-driver", inside[name].file, found, place=(0, 0))

    # --- with keys -------------------------------------------------------------------------------

    def verify(
        self,
        credentials: Credentials,
        progress: Progress | None,
    ) -> None:
        """Open what can be opened, several files at a time, each wrapped data key once."""
        from encconf.engine import opening
        from encconf.envelope.data_key import DataKeyCache
        from encconf.io.side_by_side import side_by_side

        credentials.cache = credentials.cache or DataKeyCache()

        def open(sealed: Sealed) -> None:
            opening.open_text(
                sealed.text,
                format=sealed.document.format,
                credentials=credentials,
                notify=lambda text: sealed.find("damaged-comment", text),
            )

        before = [len(sealed.findings) for sealed in self.sealed]
        with progress(len(before)) if progress is not None else nullcontext(lambda: None) as step:
            for sealed, error in side_by_side(open, self.sealed):
                if error is None:
                    self.report.verified += 1
                else:
                    _not_opened(sealed, error)
                step()
        for sealed, count in zip(self.sealed, before, strict=True):
            self.found += sealed.findings[count:]

    # --- the rules themselves --------------------------------------------------------------------

    def _unselected(self, rules: Rules, name: str) -> None:
        """The rules that do not say which values are encrypted, although their files do: one each."""
        for (path, number, selection), files in self.selections.items():
            if path != rules.path:
                continue
            entry = looking.entry(selection)
            count = f"{len(files)} file{'s have' if len(files) > 1 else ' has'}"
            self._add(
                "rule-without-selection",
                name,
                f"creation_rules[{number}] does not say which values are encrypted, and {count} {entry}: "
                f"{listed([printable(file) for file in files], 3)}",
                place=rules.place(f"creation_rules[{number}]"),
                hint=f"New files are encrypted whole. Put {entry} into the rule if they should be alike.",
            )

    def configs(self, whole: bool) -> None:
        """What is wrong with the .sops.yaml files that were needed."""
        for rules in self.book.read:
            name = os.path.relpath(rules.path, self.cwd)
            for place, said in rules.read_ignored():
                self._add("config-notice", name, f"encconf: ignore …: {said}", place=place)
            if rules.error is not None:
                place = (1, 1)
                error = rules.error
                self._add("bad-config", name, error.message, place=place, hint=error.hint)
                continue
            assert rules.config is not None
            self._unselected(rules, name)
            for notice in list(rules.config.notices):
                self._add("config-notice", name, notice, place=rules.place(notice.partition(" ")[0]))
            sound = True
            for number, regex in enumerate(rules.patterns):
                at = rules.place(f"creation_rules[{number}]")
                try:
                    if regex:
                        rules.takes_all(number)
                    rule = rules.rule(number)
                except EncconfError as error:
                    self._add("bad-config", name, error.message, place=at, hint=error.hint)
                    sound = False
                    continue
                if len(rule.groups) > 1 and not rule.threshold:
                    said = f"{rule.name} has {len(rule.groups)} key groups and no shamir_threshold: it takes"
                    self._add(
                        "accidental-quorum", name, f"{said} a key of every group to open a file", place=at
                    )
                if whole and sound and number not in rules.used:
                    said = f"path_regex {printable(regex)}," if regex else "which has no path_regex,"
                    self._add("unused-rule", name, f"{rule.name}, {said} is the rule of no file", place=at)

    # --- all of it -------------------------------------------------------------------------------

    def result(self) -> Report:
        report = self.report
        for found in self.found:
            whole = os.path.abspath(os.path.join(self.cwd, found.file))
            if (found.slug, found.file.replace(os.sep, "/")) in self.ignored:
                continue
            rules = self.book.of(os.path.dirname(whole))
            if rules is not None and (found.slug, rules.relative(whole)) in rules.ignored:
                continue
            report.findings.append(found)
        report.findings.sort(key=lambda found: (found.file, found.line, found.column, -found.rank))
        return report


def _not_opened(sealed: Sealed, error: EncconfError) -> None:
    """Note why a file did not open, unless what is known without a key says that already."""
    told = {found.slug for found in sealed.findings}
    if isinstance(error, KeyAccessError):
        sealed.find("not-verified", error.message.partition("\n")[0])
    elif isinstance(error, (MacMissingError, UnmergedError)):
        pass  # no-mac, unmerged
    elif isinstance(error, MacError):
        sealed.find("mac-mismatch", error.message, hint=error.hint)
    elif not isinstance(error, DecryptError):
        sealed.find("not-verified", error.message, hint=error.hint)
    elif told.isdisjoint(("plain-value", "bad-value")):
        sealed.find("damaged-value", error.message, hint=error.hint)


def _first_ciphertext(document: Document) -> int | None:
    prefix = _CIPHERTEXT.encode()
    for leaf in document.leaves:
        if leaf.data and leaf.data.startswith(prefix):
            return leaf.start
    return None


# --- plain twins ---------------------------------------------------------------------------------


_MARKED = re.compile(r"(?:\A|[._-])(?:enc|sops|encrypted)(?=[._-]|\Z)", re.I)
_PLAIN_WORDS = ("dec", "decrypted", "plain", "clear")


def plain_names(name: str) -> list[str]:
    """What the plain text of an encrypted file may be called: ``secrets.yaml`` of ``secrets.enc.yaml``."""
    folder, base = os.path.split(name)
    found: list[str] = []
    if marked := _MARKED.search(base):
        rest = base[: marked.start()] + base[marked.end() :]
        found.append(rest if marked.start() else rest[1:])  # "enc.x.yaml", but ".enc.env" is ".env"
        if base.startswith("."):
            found.append(rest)
    stem, dot, suffix = base.rpartition(".")
    for word in _PLAIN_WORDS:
        found.append(f"{base}.{word}")
        if stem:
            found += [f"{each}.{word}{dot}{suffix}" for each in (stem, _MARKED.sub("", stem)) if each]
    return [os.path.join(folder, each) for each in dict.fromkeys(found) if each and each != base]


def _compare(sealed: Sealed, data: bytes) -> tuple[int, int]:
    """How many encrypted values have a value in clear in a plain text, and how many one as long."""
    format = sealed.document.format
    if format == "binary":
        size = next(iter(sealed.lengths.values()))
        return int(bool(data)), int(len(data) == size)
    try:
        document = formats.module(format).scan(fileio.decode(data))
    except EncconfError:
        return 0, 0
    if document.block is not None:
        return 0, 0
    shared = same = 0
    prefix = _CIPHERTEXT.encode()
    for leaf in document.leaves:
        size = sealed.lengths.get(leaf.path, -1)
        if size >= 0 and leaf.data and not leaf.data.startswith(prefix):
            shared += 1
            same += len(leaf.data) == size
    return shared, same
