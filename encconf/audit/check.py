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
from encconf.audit import glance, meant, twins
from encconf.audit import sealed as looking
from encconf.audit.findings import Finding, Ignored, Lines, printable
from encconf.audit.plain import Plain, Plains, private_key
from encconf.audit.rulebook import Rulebook, Rules
from encconf.audit.rulecheck import of_rules
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

_NEVER: Final = frozenset({".sops.yaml", ".sops.yml", ".gitignore", ".gitattributes", ".gitkeep", ".keep"})
_IGNORED: Final = ".sops.yml"
_MARKER: Final = re.compile(r"^(?:<{7}|>{7})(?:[ \t].*)?\r?$", re.M)
_CIPHERTEXT: Final = "ENC[AES256_GCM,"
_WORDS: Final = (*meant.WORDS, ".encconf-")
"""Where no name has one of these, it is no `_IGNORED`, and `replace` and `inplace` left no such file."""


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
    run.plain()
    run.drivers()
    if verify is not None:
        run.verify(verify, progress)
    run.found += of_rules(run.book, run.selections, whole=whole)
    return run.result()


class _Folder:
    """Files of one folder, as (name, base name).  ``place`` is its path, with a separator at its end.

    ``alike``: no rule takes any of them but the one that takes whatever is left.  ``dull``: nor does any of
    their names say that it is encrypted, or was left by a killed command, so only the content can.
    """

    __slots__ = ("alike", "dull", "files", "place", "rules")

    def __init__(self, book: Rulebook, folder: str, files: list[tuple[str, str]]) -> None:
        place = os.path.abspath(folder)
        bases = [base for _, base in files]
        words = "\n".join(bases).lower()
        self.files = files
        self.rules = book.of(place)
        self.place = place if place.endswith(os.sep) else place + os.sep
        self.alike = self.rules is None or self.rules.takes_none(place, bases)
        self.dull = self.alike and not any(word in words for word in _WORDS)


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
        self.plains = Plains(exposed)
        self.selections: dict[tuple[str, int, Selection], list[str]] = defaultdict(list)

    # --- one file by itself ----------------------------------------------------------------------

    def files(self, names: Iterable[str], *, skip_links: bool, step: Callable[[], None]) -> None:
        folders = self._folders(names)
        dull = (f"{folder.place}{base}" for folder in folders if folder.dull for _, base in folder.files)
        interesting = glance.all_of_interest(dull)
        for folder in folders:
            rules = folder.rules
            broken = rules is not None and rules.config is None
            self.report.files += len(folder.files)
            for name, base in folder.files:
                step()
                whole = f"{folder.place}{base}"
                if folder.dull and whole not in interesting:
                    continue  # as `_file` would find
                if replace.is_leftover(base) or inplace.is_saved(base):
                    self._leftover(name, whole)
                    continue
                number, unsure = None, broken
                if rules is not None:
                    try:
                        number = rules.rest if folder.alike else rules.find(whole)
                    except PatternError:
                        unsure = True
                self._file(name, base, whole, rules, number, broken=unsure, skip_links=skip_links)

    def _folders(self, names: Iterable[str]) -> list[_Folder]:
        """The folders of the files, in the order of their first ones, each with its files."""
        files: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for name in names:
            folder, slash, base = name.replace(os.sep, "/").rpartition("/")
            files[folder or slash].append((name, base))
        return [_Folder(self.book, os.path.join(self.cwd, name), found) for name, found in files.items()]

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
        if base == _IGNORED and not os.path.exists(f"{whole.removesuffix(base)}.sops.yaml"):
            said = "sops and encconf ignore it: a configuration is called .sops.yaml"
            hint = f"git mv {printable(name)} {printable(name.removesuffix(base))}.sops.yaml"
            self._add("config-notice", name, said, place=(0, 0), hint=hint)
        if base in _NEVER:
            return
        named = formats.of_path(base)
        severity = self._meant(base, named, rules, number)
        if not severity and not meant.CALLED.search(base) and not glance.of_interest(whole):
            return
        try:
            data = fileio.read_bytes(whole, regular=True)
        except MissingFileError:
            return  # deleted, and not yet so in git
        except InputError as error:
            if severity:
                self._unreadable(name, error)
            return
        format = sniff.find(data, base)
        if skip_links and os.path.islink(whole):
            return  # git has the name that a link leads to, and that file is looked at itself
        if format is not None or (_CIPHERTEXT.encode() in data and named != "binary"):
            self._encrypted(name, data, format or named, rules, number, broken=broken, severity=severity)
        elif data:
            self._plain(name, data, named, rules, number, severity)

    def _meant(self, base: str, format: str, rules: Rules | None, number: int | None) -> str:
        """How serious it would be if the file were plaintext, "" where nothing says that it is encrypted."""
        called = format != "binary" and meant.CALLED.search(base) is not None
        if number is None or rules is None:
            return "error" if called else ""
        if called or not rules.takes_all(number):
            if not meant.to_be_read(base):
                self.plains.covered[rules.path, number] += 1
            return "error"
        return "warning" if format != "binary" and meant.SECRETS.search(base) else ""

    def _encrypted(
        self,
        name: str,
        data: bytes,
        format: str,
        rules: Rules | None,
        number: int | None,
        *,
        broken: bool,
        severity: str,
    ) -> None:
        """A file that looks like a SOPS file, or has ciphertexts in it."""
        encrypted = sniff.find(data, name) is not None
        try:
            text = fileio.decode(data)
        except InputError as error:
            self._unreadable(name, error)
            return
        if ("<<<<<<<" in text or ">>>>>>>" in text) and (marker := _MARKER.search(text)):
            where = Lines(text)(marker.start())
            self._add("merge-conflict", name, "there is an unresolved merge conflict here", place=where)
            return
        try:
            document = formats.module(format).scan(text, comments="#" in text)
            metadata = Metadata.of(document)
            chosen = metadata.selection.choose(document)
        except NotEncryptedError:
            self._lost(name, data, document, rules, number, severity)
        except (MetadataError, PatternError) as error:
            at = document.parts[0].block if document.parts else None
            where = Lines(text)(at[0]) if at else (1, 1)
            self._add("bad-block", name, error.message, place=where)
        except EncconfError as error:
            if encrypted or severity:
                self._unreadable(name, error)
        else:
            self._sealed(Sealed(name, document, metadata, chosen), rules, number, broken=broken)

    def _lost(
        self,
        name: str,
        data: bytes,
        document: Document,
        rules: Rules | None,
        number: int | None,
        severity: str,
    ) -> None:
        """A file with ciphertexts in it and no sops block."""
        if (lost := _first_ciphertext(document)) is None:
            self._plain(name, data, document.format, rules, number, severity)
            return
        what = "there are encrypted values in the file, but no sops block, so nobody can open it"
        place = Lines(document.text)(lost)
        self._add("bad-block", name, what, place=place, severity=severity or "warning")

    def _sealed(self, found: Sealed, rules: Rules | None, number: int | None, *, broken: bool) -> None:
        self.report.encrypted += 1
        rule, place = self._rule(rules, number)
        if rules is not None and number is not None:
            self.plains.sealed[rules.path, number] += 1
            own = found.metadata.selection
            if rule is not None and _leaves_open(rule, own) and found.document.format != "binary":
                self.selections[rules.path, number, own].append(found.file)
        looking.look(found, rule, place, rules.who if rules is not None else looking.label)
        if number is None and not broken:
            self._no_rule(found, rules)
        self.found += found.findings
        self.sealed.append(found)

    def _no_rule(self, found: Sealed, rules: Rules | None) -> None:
        if rules is None:
            found.find("no-rule", "no .sops.yaml says who can open this file", severity="note")
            return
        config = printable(os.path.relpath(rules.path, self.cwd))
        whole = os.path.join(self.cwd, found.file)
        if (plain := _plain_name(whole)) and (number := rules.find(plain)) is not None:
            found.find(
                "no-rule",
                f"only the name of its plaintext is covered by creation_rules[{number}] of {config}",
                severity="note",
                hint="sops and encconf updatekeys find no rule for FILE: widen its path_regex.",
            )
            return
        close = rules.closest(whole)
        hint = None
        if close is not None:
            regex = printable(rules.patterns[close])
            hint = f"The closest rule is creation_rules[{close}], path_regex {regex}."
        what = f"no creation rule of {config} covers this file"
        severity = "note" if meant.left_behind(found.file) else None
        found.find("no-rule", what, severity=severity, hint=hint)

    def _plain(
        self,
        name: str,
        data: bytes,
        format: str,
        rules: Rules | None,
        number: int | None,
        severity: str,
    ) -> None:
        """A file without a sops block: it waits for `Plains.findings`."""
        if sort := private_key(data):
            if self.exposed(name):
                said = f"{sort} in plaintext"
                self._add("private-key", name, said, place=(0, 0))
            return
        if not severity and not (format == "yaml" and meant.holds_object_secret(data)):
            return
        if format == "yaml" and meant.only_other_objects(data):
            return
        document: Document | None = None
        try:
            text = fileio.decode(data, binary=format == "binary")
            document = formats.module(format).scan(text, comments="#" in text)
        except EmptyDocumentError:
            return
        except EncconfError as error:
            if format != "binary":
                if severity and meant.CALLED.search(name) and not meant.to_be_read(name):
                    # A template or a list may be another tool's file; sops could not have made it.
                    odd = b"{{" in data or b"{%" in data or data.lstrip()[:1] in (b"-", b"[")
                    self._unreadable(name, error, severity="warning" if odd else None)
                return
        plain = Plain(name, data, text, document)
        plain.named = severity
        plain.rules, plain.number = rules, number
        if severity:
            plain.rule, plain.where = self._rule(rules, number)
        self.plains.waiting.append(plain)

    def _rule(self, rules: Rules | None, number: int | None) -> tuple[Rule | None, str]:
        """The rule, None where there is none that can be used, and what to call it."""
        if rules is None or number is None:
            return None, ""
        where = f"creation_rules[{number}] of {printable(os.path.relpath(rules.path, self.cwd))}"
        try:
            return rules.rule(number), where
        except EncconfError:
            return None, where  # `configs` says why

    def _unreadable(self, name: str, error: EncconfError, *, severity: str | None = None) -> None:
        place = (0, 0)
        if isinstance(error, ParseError) and error.line:
            place = (error.line, error.column or 1)
        self._add("unreadable", name, error.message, place=place, hint=error.hint or "", severity=severity)

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

    def plain(self) -> None:
        """Plaintext files, of which a twin is one already."""
        twins = {found.file for found in self.found if found.slug == "plain-twin"}
        uses_sops = bool(self.sealed or self.book.read)
        self.found += [each for each in self.plains.findings(uses_sops=uses_sops) if each.file not in twins]

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
        for name in twins.plain_names(sealed.file):
            if not self.tracked(name):
                continue
            whole = os.path.join(self.cwd, name)
            try:
                data = fileio.read_bytes(whole, regular=True)
            except InputError:
                continue
            shared, same = twins.compare(sealed, data)
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
            _soften(found)
            report.findings.append(found)
        report.findings.sort(key=lambda found: (found.file, found.line, found.column, -found.rank))
        return report


_OF_NO_CONCERN = {"not-encrypted", "no-rule", "plain-comment", "equal-value", "accidental-quorum"}
_MILDER_WHERE_LEFT = {"keys-differ", "threshold-differs", "selection-differs", "plain-by-rule"}


def _soften(found: Finding) -> None:
    """Files of tests and examples, and those left behind, are no reason to stop."""
    name = found.file.replace(os.sep, "/")
    if meant.made_up(name):
        if found.slug in _OF_NO_CONCERN:
            found.severity = "note"
        elif found.severity == "error":
            found.severity = "warning"
    elif meant.left_behind(name) and found.slug in _MILDER_WHERE_LEFT:
        found.severity = "warning"


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


def _leaves_open(rule: Rule, own: Selection) -> bool:
    """Whether a rule does not say which values are encrypted, and a file does, in a way of its own."""
    return not rule.selects and own != rule.selection_for(DEFAULT)


def _plain_name(name: str) -> str:
    """What the plaintext of ``x.enc.yaml`` is called, "" for a name without such an ending."""
    folder, base = os.path.split(name)
    plain = meant.CALLED.sub(lambda found: "." * found[0].endswith("."), base, count=1)
    return os.path.join(folder, plain) if plain and plain != base else ""
