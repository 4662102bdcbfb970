"""Check, without a key, whether the files of a repository are encrypted as they should be.

`check` reads the files that a creation rule covers, the files with names of encrypted files, and the files
that have a ``sops`` block, whatever their names (`encconf.formats.sniff`).  With ``verify``, it also opens
the files that it can open.  `encconf.audit.findings.KINDS` lists the findings and their meaning.

A rule without a path_regex, or with one that matches every name, says how to encrypt files, but not which.
Under such a rule, a file should be encrypted if its name says so (``secrets.yaml``, ``x.enc.json``,
``x.sops.env``).  In a repository without encrypted files, a value that looks like a secret says so, too.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress

from encconf import formats
from encconf.audit import glance, meant
from encconf.audit.across import Across, without_drivers
from encconf.audit.findings import SEVERITIES, Finding, Ignored, Lines, printable, quoted
from encconf.audit.folders import Folder, Named, by_folder
from encconf.audit.plain import Plain, PrivateKey, private_key
from encconf.audit.rulebook import Rulebook, Rules
from encconf.audit.rulecheck import of_rules
from encconf.audit.sealed import Sealed, check_sealed, label
from encconf.audit.sops_version import too_old
from encconf.engine.cipher import PREFIX
from encconf.engine.metadata import Metadata
from encconf.errors import (
    EmptyDocumentError,
    EncconfError,
    InputError,
    LostBlockError,
    MetadataError,
    MissingFileError,
    NotEncryptedError,
    ParseError,
    PatternError,
)
from encconf.formats import sniff
from encconf.git import repository
from encconf.git.worktree import Known
from encconf.identities.credentials import Credentials
from encconf.io import fileio, inplace, replace
from encconf.rules.config import IGNORED, NAME
from encconf.rules.selection import DEFAULT
from encconf.text.document import Document
from encconf.text.printable import listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.keys import MasterKey

Progress = Callable[[int, str], AbstractContextManager[Callable[[], None]]]

FILES = "files"
FOLDERS = "folders"
ALL = "all"
_NEVER = frozenset({NAME, IGNORED, ".gitignore", ".gitattributes", ".gitkeep", ".keep"})
_MARKER = r"(?m)^(?:<{7}|>{7})(?:[ \t].*)?\r?$"
_CIPHERTEXT = PREFIX.encode()
_PATIENCE = 20.0
"""How many seconds git may take to list the changes of a long history."""
_ROTATE = "The removed key still opens the file. Run encconf rotate FILE, then change its secrets as well."


class Report:
    """The result of a check.

    ``findings`` are sorted by file and line.  ``files``, ``encrypted`` and ``verified`` are the numbers of
    all files, encrypted files and opened files.  ``hidden`` is the number of findings that are less severe
    than ``shown``, and therefore left out.  ``shallow`` says that a part of the history is missing.
    """

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.files = 0
        self.encrypted = 0
        self.verified = 0
        self.hidden = 0
        self.shallow = False
        self.shown = "note"

    def show(self, severity: str) -> None:
        """Remove the findings that are less severe; `hidden` counts them."""
        rank = SEVERITIES.index(severity)
        self.shown = severity
        kept = [found for found in self.findings if found.rank >= rank]
        self.hidden += len(self.findings) - len(kept)
        self.findings = kept

    def count(self, severity: str) -> int:
        """Return how many findings have this severity."""
        return sum(1 for found in self.findings if found.severity == severity)


def check(
    names: Iterable[str],
    *,
    cwd: str,
    config: str | None = None,
    scope: str = FILES,
    known: Known | None = None,
    ignored: Sequence[str] = (),
    verify: Credentials | None = None,
    progress: Progress = lambda count, doing: nullcontext(lambda: None),
) -> Report:
    """Check files.  ``names`` are relative to ``cwd`` or absolute, and findings use the same names.

    ``scope`` says what ``names`` are: single `FILES`, all files of some `FOLDERS`, or `ALL` files of the
    repository.  If there are folders without any encrypted file, all their files are searched for secrets.
    Rules that apply to no file are reported only with `ALL`.
    ``known`` says which files git knows.  ``ignored`` are kinds of findings to leave out (see
    `encconf.audit.findings.Ignored`).  ``verify`` are the credentials to open files with.  ``progress`` is
    called with the number of files and the name of the step; its result is called for each file.

    Raises UsageError for an unknown kind in ``ignored``.
    """
    whole = scope == ALL
    run = _Check(cwd, config, Ignored(ignored), known or Known(cwd), scope, verify=verify is not None)
    names = list(names)
    with progress(len(names), "checking") as step:
        listed = run.files(names, skip_links=whole, step=step)
    run.left_out()
    if scope != FILES and not run.report.encrypted:
        run.not_yet(listed)
    run.together()
    run.leavers()
    if verify is not None:
        from encconf.audit.verified import verify as opened

        with progress(len(run.sealed), "opening") as step:
            run.report.verified = opened(run.sealed, verify, step)
    run.found += of_rules(run.book, whole=whole)
    if whole:
        run.found += too_old(run.book.read, run.sealed, repository(cwd) or cwd, cwd)
    return run.result()


class _Check:
    """One run of `check`."""

    def __init__(
        self, cwd: str, config: str | None, ignored: Ignored, known: Known, scope: str, *, verify: bool
    ) -> None:
        self.cwd = cwd
        self.book = Rulebook(config, cwd)
        self.ignored = ignored
        self.known = known
        self.verify = verify
        self.named = scope == FILES  # the user wants to know about each of them
        self.across = Across(cwd, known.tracked)
        self.report = Report()
        self.found: list[Finding] = []
        self.sealed: list[Sealed] = []
        self.missing: dict[str, Named] = {}  # by path
        self.keys: list[tuple[str, tuple[int, int], PrivateKey]] = []
        self.plains: list[Plain] = []

    # --- one file by itself ----------------------------------------------------------------------

    def files(self, names: Iterable[str], *, skip_links: bool, step: Callable[[], None]) -> list[Folder]:
        """Check each file.  With ``skip_links``, links are skipped, since their targets are checked, too."""
        folders = by_folder(names, self.cwd, self.book)
        dull = (f"{folder.place}{base}" for folder in folders if folder.dull for base in folder.bases)
        interesting = set(glance.all_of_interest(dull, step))
        for folder in folders:
            self.report.files += len(folder.bases)
            for base in folder.bases:
                if not folder.dull:
                    step()
                elif (whole := f"{folder.place}{base}") not in interesting and not self._is_closed(whole):
                    continue
                if replace.is_leftover(base):
                    self._leftover(f"{folder.name}{base}", f"{folder.place}{base}")
                else:
                    self._file(Named(folder, base), skip_links=skip_links)
        return folders

    def not_yet(self, folders: Iterable[Folder]) -> None:
        """Look for secrets in all files that a rule for every name covers, since nothing is encrypted yet."""
        known = {found.file for found in self.found} | {plain.file.name for plain in self.plains}
        for folder in folders:
            for base in folder.bases if folder.rules is not None and folder.rules.rest is not None else ():
                # For sops and for `encconf encrypt`, `.env.local` is a binary file.
                format = "dotenv" if base.startswith(".env") else formats.of_path(base)
                if base in _NEVER or formats.get(format).single_value or meant.is_public(base):
                    continue
                file = Named(folder, base)
                if file.chosen is None or file.name in known or os.path.islink(file.whole):
                    continue
                with suppress(InputError):
                    data = fileio.read_bytes(file.whole, regular=True)
                    file.meant = "warning"
                    self._plain(file, data, format, telling=True)

    def _leftover(self, name: str, whole: str) -> None:
        """Report a file that a killed command left behind.  Only its content says whether it is plaintext."""
        try:
            data = fileio.read_bytes(whole, regular=True)
        except InputError:
            return
        if data and sniff.find(data) is None:
            self.found.append(Finding("leftover", name, "plaintext left by a killed command"))
        elif inplace.is_saved(os.path.basename(name)):
            said = (
                "the old content of a file that was being overwritten: compare the two, then remove this one"
            )
            self.found.append(Finding("leftover", name, said, severity="warning"))

    def _file(self, file: Named, *, skip_links: bool) -> None:
        if file.base == IGNORED and not os.path.exists(file.whole.removesuffix(file.base) + NAME):
            said = f"sops and encconf ignore this file: the name must be {NAME}"
            hint = f"git mv FILE {quoted(file.name.removesuffix(file.base) + NAME)}"
            self.found.append(Finding("config-notice", file.name, said, hint=hint))
        if file.base in _NEVER:
            return
        if file.chosen is not None and file.is_covered and not meant.is_public(file.base):
            file.chosen.covered += 1
        looks = file.meant or meant.has_encrypted_name(file.base) or glance.of_interest(file.whole)
        if not looks and not self._is_closed(file.whole):
            return
        try:
            data = fileio.read_bytes(file.whole, regular=True)
        except MissingFileError:
            self.missing[file.whole] = file  # only the index has it
        except InputError as error:
            if file.meant or self._is_closed(file.whole):
                self._unreadable(file.name, error)
        else:
            if not skip_links or not os.path.islink(file.whole):
                self._content(file, data)

    def _is_closed(self, whole: str) -> bool:
        """Whether the user named a file that cannot be opened.  A large one can, and may be uninteresting."""
        return self.named and not (os.path.isfile(whole) and os.access(whole, os.R_OK))

    def left_out(self) -> None:
        """Check the files that a sparse checkout leaves out, as they are in the index.

        Without them, check would report the other files of their rules as not meant to be encrypted.
        """
        if self.missing:
            from encconf.git.log import left_out

            for whole, data in left_out(self.missing):
                self._content(self.missing[whole], data)

    def _content(self, file: Named, data: bytes) -> None:
        format = sniff.find(data, file.base)
        named = file.meant or meant.has_encrypted_name(file.base)
        if format is not None or (
            _CIPHERTEXT in data
            and (not formats.get(file.format).single_value or (named and sniff.has_ciphertext(data)))
        ):
            self._encrypted(file, data, format)
        elif data:
            self._plain(file, data, file.format)

    def _encrypted(self, file: Named, data: bytes, format: str | None) -> None:
        """Check a SOPS file.  ``format`` is None for a file that has ciphertexts but no ``sops`` block."""
        try:
            text = fileio.decode(data)
        except InputError as error:
            self._unreadable(file.name, error)
            return
        if ("<<<<<<<" in text or ">>>>>>>" in text) and (marker := re.search(_MARKER, text)):
            where = Lines(text)(marker.start())
            said = "there is an unresolved merge conflict here"
            self.found.append(Finding("merge-conflict", file.name, said, place=where))
            return
        block = None
        try:
            document = formats.get(format or file.format).scan(text, comments=True)
            block = document.parts[0].block if document.parts else None
            metadata = Metadata.of(document)
            chosen = metadata.selection.choose(document)
        except NotEncryptedError as error:
            self._lost(file, data, document, isinstance(error, LostBlockError))
        except (MetadataError, PatternError) as error:
            where = Lines(text)(block[0]) if block else (1, 1)
            self.found.append(Finding("bad-block", file.name, error.message, place=where))
        except EncconfError as error:
            if format is not None or file.meant:
                self._unreadable(file.name, error)
        else:
            self._sealed(Sealed(file.name, document, metadata, chosen, self.found), file)

    def _lost(self, file: Named, data: bytes, document: Document, lost_block: bool) -> None:
        """Report a file that has ciphertexts but no sops block; if it has none, check it as plaintext."""
        places = (leaf.start for leaf in document.leaves if (leaf.data or b"").startswith(_CIPHERTEXT))
        if (lost := next(places, 0 if lost_block else None)) is None:
            self._plain(file, data, document.format)
            return
        what = "the file has encrypted values but no sops block, so nobody can open it"
        place, severity = Lines(document.text)(lost), file.meant or "warning"
        self.found.append(Finding("bad-block", file.name, what, place=place, severity=severity))

    def _sealed(self, found: Sealed, file: Named) -> None:
        self.report.encrypted += 1
        found.rule, place = rule, _ = file.rule(self.cwd)
        if file.chosen is not None:
            file.chosen.sealed += 1
            own = found.metadata.selection
            leaves_open = rule is not None and not rule.selects and own != rule.selection_for(DEFAULT)
            if leaves_open and not formats.get(found.document.format).single_value:
                file.chosen.selections[own].append(found.file)
        check_sealed(found, rule, place, file.rules.who if file.rules is not None else label)
        if file.chosen is None and not file.unsure:
            self._no_rule(found, file)
        self.across.add(found)
        found.release(text=self.verify)
        self.sealed.append(found)

    def _no_rule(self, found: Sealed, file: Named) -> None:
        rules = file.rules
        if rules is None:
            found.find("no-rule", "no .sops.yaml names the recipients of this file", severity="note")
            return
        what = f"no creation rule of {printable(os.path.relpath(rules.path, self.cwd))} covers this file"
        hint = None
        severity = "note" if meant.is_archived(found.file) else None
        plain = meant.plain_name(file.base)
        if plain and (use := rules.find(f"{file.whole.removesuffix(file.base)}{plain}")) is not None:
            severity = "note"
            what = f"{use.where(self.cwd)} covers the name of its plaintext, but not its own"
            hint = "Widen the path_regex: sops and encconf updatekeys find no rule for FILE."
        elif (close := rules.closest(file.whole)) is not None:
            hint = f"The closest rule is {close.name}, path_regex {printable(close.regex)}."
        found.find("no-rule", what, severity=severity, hint=hint)

    def _plain(self, file: Named, data: bytes, format: str, *, telling: bool = False) -> None:
        """Check a file without a sops block.  If it may need encryption, `Plain.finding` decides later."""
        if (key := private_key(data, whole=meant.is_public(file.base))) is not None:
            if self.known.exposed(file.name):
                place = Lines(data[: key.at + 1].decode("latin-1"))(key.at)
                self.keys.append((file.name, place, key))
            return
        objects = formats.get(format).objects
        if not file.meant and not (objects and meant.holds_object_secret(data)):
            return
        if objects and meant.only_other_objects(data):
            return
        try:
            text = fileio.decode(data, binary=formats.get(format).single_value)
            document = formats.get(format).scan(text, comments=True)
        except EmptyDocumentError:
            return
        except EncconfError as error:
            if formats.get(format).single_value:
                return
            if file.meant and meant.has_encrypted_name(file.name) and not meant.is_public(file.name):
                # A template or a list may be a file of another tool, since sops cannot encrypt it.
                odd = b"{{" in data or b"{%" in data or data.lstrip()[:1] in (b"-", b"[")
                self._unreadable(file.name, error, severity="warning" if odd else None)
            return
        rule, where = file.rule(self.cwd) if file.meant else (None, "")
        self.plains.append(Plain(file, data, document, rule, where, telling=telling))

    def _unreadable(self, name: str, error: EncconfError, *, severity: str | None = None) -> None:
        place = (error.line, error.column or 1) if isinstance(error, ParseError) and error.line else (0, 0)
        hint = error.hint or ""
        self.found.append(
            Finding("unreadable", name, error.message, place=place, hint=hint, severity=severity)
        )

    # --- all of them -----------------------------------------------------------------------------

    def together(self) -> None:
        """Add the findings for which all files must have been read."""
        twins = {found.file for found in self.found if found.slug == "plain-twin"}
        uses_sops = bool(self.sealed or self.book.read)
        found = [plain.finding(self.known.exposed, uses_sops=uses_sops) for plain in self.plains]
        self.found += [each for each in found if each is not None and each.file not in twins]
        self.found += without_drivers(self.sealed, self.cwd)
        self.found += (self._private_key(*each) for each in self.keys)

    def _private_key(self, name: str, place: tuple[int, int], key: PrivateKey) -> Finding:
        """Return the finding about a private key, which is as dangerous as what it opens."""
        opens = [
            each.file
            for each in (self.sealed if key.recipients else ())
            # An SSH key may have a comment.
            if any(" ".join(name.split()[:2]) in key.recipients for _, name, _ in each.data_keys)
        ]
        said, severity = f"{key.sort} in plaintext", "warning" if meant.is_local(name) else None
        if opens:
            said += f", which opens {listed(map(printable, opens), 3)}"
            severity = "note" if all(map(meant.is_local, opens)) else None
        elif key.recipients and self.sealed:
            said += ", which opens no file here"
            severity = "note" if meant.is_public(name) else "warning"
        return Finding("private-key", name, said, place=place, severity=severity)

    def leavers(self) -> None:
        """Add the findings about recipients who were removed but know the data key, according to git."""
        sealed = {os.path.abspath(os.path.join(self.cwd, each.file)): each for each in self.sealed}
        if not any(map(repository, dict.fromkeys(map(os.path.dirname, sealed)))):
            return
        from encconf.audit.history import Leavers, name_former
        from encconf.audit.names import identity

        left = Leavers(sealed, _PATIENCE)
        self.report.shallow = left.shallow
        gone: dict[Rules | None, list[tuple[Sealed, list[MasterKey]]]] = {}
        for path, keys in left.of.items():
            rule = sealed[path].rule
            named = {identity(key) for group in rule.groups for key in group} if rule is not None else ()
            if keys := [key for key in keys if identity(key) not in named]:
                rules = self.book.of(os.path.dirname(path))
                gone.setdefault(rules, []).append((sealed[path], keys))
        for rules, files in gone.items():
            every = list(dict.fromkeys(key for _, keys in files for key in keys))
            if rules is not None:
                name_former(rules.names, every)
            who = label if rules is None else rules.names.full
            for found, keys in files:
                hint = None if found.rule is not None else _ROTATE
                said, cause = (_still_know(list(map(who, each))) for each in (keys, every))
                found.find("former-recipient", said, hint=hint, cause=cause)

    def result(self) -> Report:
        report = self.report
        for sealed in self.sealed:
            sealed.finish()
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


def _still_know(keys: list[str]) -> str:
    said = "were removed, but still know" if len(keys) > 1 else "was removed, but still knows"
    return f"{listed(keys, 3)} {said} the data key"


_NOTES_IN_EXAMPLES = {"not-encrypted", "no-rule", "plain-comment", "equal-value", "accidental-quorum"}
_WARNINGS_IN_ARCHIVES = {"keys-differ", "threshold-differs", "selection-differs", "plain-by-rule"}


def _soften(found: Finding) -> None:
    """Lower the severity for files of tests and examples, and for files that are no longer used."""
    name = found.file.replace(os.sep, "/")
    if meant.is_example(name):
        if found.slug in _NOTES_IN_EXAMPLES:
            found.severity = "note"
        elif found.severity == "error":
            found.severity = "warning"
    elif meant.is_archived(name) and found.slug in _WARNINGS_IN_ARCHIVES:
        found.severity = "warning"
