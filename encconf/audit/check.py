"""Check, without a key, whether the files of a repository are encrypted as they should be.

`check` reads the files that a creation rule covers, the files with names of encrypted files, and the files
that have a ``sops`` block, whatever their names (`encconf.formats.find`).  With ``verify``, it also opens
the files that it can open.  `encconf.audit.findings.KINDS` lists the findings and their meaning.

A rule without a path_regex, or with one that matches every name, says how to encrypt files, but not which.
Under such a rule, a file should be encrypted if its name says so (``secrets.yaml``, ``x.enc.json``,
``x.sops.env``).  In a repository without encrypted files, a value that looks like a secret says so, too.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from itertools import islice

from encconf import formats
from encconf.audit import guesses
from encconf.audit.findings import SEVERITIES, Finding, Ignored, Lines, printable, quoted
from encconf.audit.plain import Plain, PrivateKey, private_key
from encconf.audit.rulebook import Folder, Named, Rulebook, Rules, by_folder
from encconf.audit.sealed import Sealed, check_sealed, ciphertext, label
from encconf.engine.metadata import Metadata
from encconf.engine.opening import is_proposal
from encconf.errors import (
    DecryptError,
    EmptyDocumentError,
    EncconfError,
    InputDeniedError,
    InputError,
    KeyAccessError,
    LostBlockError,
    MacError,
    MacMissingError,
    MetadataError,
    MissingFileError,
    NotEncryptedError,
    ParseError,
    PatternError,
    ProposalError,
    UnmergedError,
)
from encconf.git import Known, attributes, repository
from encconf.identities.credentials import Credentials
from encconf.io import fileio, replace
from encconf.keys import TABLE
from encconf.rules.config import IGNORED, NAME, is_respelled
from encconf.rules.selection import DEFAULT
from encconf.text.document import ENC_BYTES, Document
from encconf.text.path import Path, spell
from encconf.text.printable import counted, listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.git.log import Listing
    from encconf.keys import MasterKey


Progress = Callable[[int, str], AbstractContextManager[Callable[[], None]]]

FILES = "files"
FOLDERS = "folders"
ALL = "all"
_NEVER = frozenset({NAME, IGNORED, ".gitignore", ".gitattributes", ".gitkeep", ".keep"})
_MARKER = r"(?m)^(?:<{7}|>{7})(?:[ \t].*)?\r?$"
_PATIENCE = 20.0
"""How many seconds git may take to list the changes of a long history."""
_ROTATE = "The removed key still opens the file. Run encconf rotate FILE, then change its secrets as well."


class Report:
    """The result of a check.

    ``findings`` are sorted by file and line.  ``files``, ``encrypted`` and ``verified`` are the numbers of
    all files, encrypted files and opened files.  ``hidden`` is the number of findings that are less severe
    than ``shown``, and therefore left out.  ``shallow`` says that a part of the history is missing, and
    ``unruled`` that no file is encrypted, and no rule matches one.
    """

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.files = 0
        self.encrypted = 0
        self.verified = 0
        self.hidden = 0
        self.shallow = False
        self.unruled = False
        self.shown = "note"

    def show(self, severity: str) -> None:
        """Remove the findings that are less severe, except proposals; `hidden` counts them."""
        rank = SEVERITIES.index(severity)
        self.shown = severity
        kept = [found for found in self.findings if found.rank >= rank or found.slug == "proposal"]
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
    try:
        with progress(len(names), "checking") as step:
            listed = run.files(names, skip_links=whole, step=step)
        run.left_out()
        if scope != FILES and not run.report.encrypted:
            run.not_yet(listed)
        run.together()
        run.leavers()
    finally:
        run.close()
    if verify is not None:
        with progress(len(run.sealed), "opening") as step:
            run.report.verified = open_all(run.sealed, verify, step)
    run.found += of_rules(run.book, whole=whole)
    if scope != FILES and not run.report.encrypted:
        uses = [use for rules in run.book.read if rules.rest is None for use in rules.uses]
        run.report.unruled = bool(uses) and not any(use.covered for use in uses)
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
        self.listing: Listing | None = None

    # --- one file by itself ----------------------------------------------------------------------

    def files(self, names: Iterable[str], *, skip_links: bool, step: Callable[[], None]) -> list[Folder]:
        """Check each file.  With ``skip_links``, links are skipped, since their targets are checked, too."""
        folders = by_folder(names, self.cwd, self.book)
        dull = (f"{folder.place}{base}" for folder in folders if folder.dull for base in folder.bases)
        interesting = set(all_of_interest(dull, step))
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
        """Look for secrets in more files, since nothing is encrypted yet.

        They are dotenv files, and all files that a rule for every name covers.
        """
        known = {found.file for found in self.found} | {plain.file.name for plain in self.plains}
        for folder in folders:
            ruled = folder.rules is not None and folder.rules.rest is not None
            for base in folder.bases if ruled else filter(_holds_variables, folder.bases):
                # For sops and for `encconf encrypt`, `.env.local` is a binary file.
                format = "dotenv" if base.startswith(".env") else formats.of_path(base)
                if base in _NEVER or formats.get(format).single_value or guesses.is_public(base):
                    continue
                file = Named(folder, base)
                if file.name in known or os.path.islink(file.whole):
                    continue
                if file.chosen is None and not _holds_variables(base):
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
        if data and formats.find(data) is None:
            self.found.append(Finding("leftover", name, "plaintext left by a killed command"))
        elif replace.is_saved(os.path.basename(name)):
            said = (
                "the old content of a file that was being overwritten: compare the two, then remove this one"
            )
            self.found.append(Finding("leftover", name, said, severity="warning"))

    def _file(self, file: Named, *, skip_links: bool) -> None:
        if file.base == IGNORED or is_respelled(file.base):
            self._misnamed_rules(file)
        if file.base in _NEVER or is_respelled(file.base):
            return
        if file.chosen is not None and file.is_covered and not guesses.is_public(file.base):
            file.chosen.covered += 1
        looks = file.meant or guesses.has_encrypted_name(file.base) or of_interest(file.whole)
        if not looks and not self._is_closed(file.whole):
            return
        try:
            data = fileio.read_bytes(file.whole, regular=True)
        except MissingFileError:
            self.missing[file.whole] = file  # only the index has it
        except InputError as error:
            if file.meant or isinstance(error, InputDeniedError) or self._is_closed(file.whole):
                self._unreadable(file.name, error)
        else:
            if not skip_links or not os.path.islink(file.whole):
                self._content(file, data)

    def _misnamed_rules(self, file: Named) -> None:
        """Report a file that is like .sops.yaml, but is read on no system, or only on some."""
        wanted = file.name.removesuffix(file.base) + NAME
        rename = f"git mv FILE {quoted(wanted)}"
        if is_respelled(file.base):
            said = f"on Windows and macOS, this file is {NAME}, and its author chooses who can decrypt"
            hint = f"Remove it, or if you trust it: {rename}"
            self.found.append(Finding("config-notice", file.name, said, severity="error", hint=hint))
        elif not os.path.exists(file.whole.removesuffix(file.base) + NAME):
            said = f"sops and encconf ignore this file: the name must be {NAME}"
            self.found.append(Finding("config-notice", file.name, said, hint=rename))

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
        format = formats.find(data, file.base)
        if file.proposes_for and format is None and data:
            said = "it has the name of a proposal, but is not encrypted"
            self.found.append(Finding("bad-proposal", file.name, said))
            return
        named = file.meant or guesses.has_encrypted_name(file.base)
        if format is not None or (
            ENC_BYTES in data
            and (not formats.get(file.format).single_value or (named and formats.has_ciphertext(data)))
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
        places = (leaf.start for leaf in document.leaves if (leaf.data or b"").startswith(ENC_BYTES))
        if (lost := next(places, 0 if lost_block else None)) is None:
            self._plain(file, data, document.format.name)
            return
        what = "the file has encrypted values but no sops block, so nobody can open it"
        place, severity = Lines(document.text)(lost), file.meant or "warning"
        self.found.append(Finding("bad-block", file.name, what, place=place, severity=severity))

    def _sealed(self, found: Sealed, file: Named) -> None:
        self.report.encrypted += 1
        found.rule, place = rule, _ = file.rule(self.cwd)
        found.is_proposal = bool(file.proposes_for)
        if file.proposes_for or is_proposal(found.document):
            self._proposal(found, file)
        elif file.chosen is not None:
            file.chosen.sealed += 1
            own = found.metadata.selection
            leaves_open = rule is not None and not rule.selects and own != rule.selection_for(DEFAULT)
            if leaves_open and not found.document.format.single_value:
                file.chosen.selections[own].append(found.file)
        check_sealed(found, rule, place, file.rules.who if file.rules is not None else label)
        if file.chosen is None and not file.unsure:
            self._no_rule(found, file)
        self.across.add(found)
        found.release(text=self.verify)
        self.sealed.append(found)
        self._start_git(file.whole)

    def _start_git(self, path: str) -> None:
        """Once there are many files, let git list the changes to all, while the other files are checked."""
        from encconf.git.log import FEW, Listing

        root = repository(os.path.dirname(os.path.realpath(path))) if len(self.sealed) == FEW + 1 else None
        if root is not None:
            self.listing = Listing(root, seconds=_PATIENCE)

    def close(self) -> None:
        if self.listing is not None:
            self.listing.close()

    def _proposal(self, found: Sealed, file: Named) -> None:
        """Report a value that waits to be accepted, or what is wrong with it."""
        from encconf.audit import proposals

        name = os.path.join(self.cwd, found.file)
        try:
            if not file.proposes_for:
                raise ProposalError("it is a proposal under another name, so encconf accept does not find it")
            where = proposals.place_in(found.document, name)
        except EncconfError as error:
            found.find("bad-proposal", error.message, hint=error.hint)
            return
        origin = proposals.origin(proposals.Proposal(name, found.text, found.document, where))
        target = f"{found.file.removesuffix(file.base)}{file.proposes_for}"
        said = f"{printable(spell(where))} is proposed for {printable(target)}, {origin}"
        hint = f"To see it, and to accept it: encconf accept {quoted(target)}"
        found.find("proposal", said, hint=hint, cause=said)

    def _no_rule(self, found: Sealed, file: Named) -> None:
        rules = file.rules
        if rules is None:
            found.find("no-rule", "no .sops.yaml names the recipients of this file", severity="note")
            return
        what = f"no creation rule of {printable(os.path.relpath(rules.path, self.cwd))} matches"
        hint = None
        severity = "note" if guesses.is_archived(found.file) else None
        plain = guesses.plain_name(file.base)
        if plain and (use := rules.find(f"{file.whole.removesuffix(file.base)}{plain}")) is not None:
            severity = "note"
            what = f"{use.where(self.cwd)} covers the name of its plaintext, but not its own"
            hint = "Widen the path_regex: sops and encconf updatekeys find no rule for FILE."
        elif (close := rules.closest(file.whole)) is not None:
            hint = f"The closest rule is {close.name}, path_regex {printable(close.regex)}."
        found.find("no-rule", what, severity=severity, hint=hint)

    def _plain(self, file: Named, data: bytes, format: str, *, telling: bool = False) -> None:
        """Check a file without a sops block.  If it may need encryption, `Plain.finding` decides later."""
        if (key := private_key(data, whole=guesses.is_public(file.base))) is not None:
            if self.known.exposed(file.name):
                place = Lines(data[: key.at + 1].decode("latin-1"))(key.at)
                self.keys.append((file.name, place, key))
            return
        objects = formats.get(format).objects
        if not file.meant and not (objects and guesses.holds_object_secret(data)):
            return
        if objects and guesses.only_other_objects(data):
            return
        try:
            text = fileio.decode(data, binary=formats.get(format).single_value)
            document = formats.get(format).scan(text, comments=True)
        except EmptyDocumentError:
            return
        except EncconfError as error:
            if formats.get(format).single_value:
                return
            if file.meant and guesses.has_encrypted_name(file.name) and not guesses.is_public(file.name):
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
        merged = [each for each in self.sealed if not each.is_proposal]  # git never has to merge proposals
        self.found += without_drivers(merged, self.cwd)
        self.found += (self._private_key(*each) for each in self.keys)

    def _private_key(self, name: str, place: tuple[int, int], key: PrivateKey) -> Finding:
        """Return the finding about a private key, which is as dangerous as what it opens."""
        opens = [
            each.file
            for each in (self.sealed if key.recipients else ())
            # An SSH key may have a comment.
            if any(" ".join(name.split()[:2]) in key.recipients for _, name, _ in each.data_keys)
        ]
        said, severity = f"{key.sort} in plaintext", "warning" if guesses.is_local(name) else None
        if opens:
            said += f", which opens {listed(map(printable, opens), 3)}"
            severity = "note" if all(map(guesses.is_local, opens)) else None
        elif key.recipients and self.sealed:
            said += ", which opens no file here"
            severity = "note" if guesses.is_public(name) else "warning"
        return Finding("private-key", name, said, place=place, severity=severity)

    def leavers(self) -> None:
        """Add the findings about recipients who were removed but know the data key, according to git."""
        sealed = {os.path.abspath(os.path.join(self.cwd, each.file)): each for each in self.sealed}
        if not any(map(repository, dict.fromkeys(map(os.path.dirname, sealed)))):
            return
        from encconf.audit.history import Leavers, name_former
        from encconf.audit.names import identity

        left = Leavers(sealed, _PATIENCE, self.listing)
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
    if guesses.is_example(name):
        if found.slug in _NOTES_IN_EXAMPLES:
            found.severity = "note"
        elif found.severity == "error":
            found.severity = "warning"
    elif guesses.is_archived(name) and found.slug in _WARNINGS_IN_ARCHIVES:
        found.severity = "warning"


# --- which of very many files to read as a whole, by their first bytes ------------------------------
# Most files of a repository are not relevant to the check.  So the first bytes of many files are joined, and
# searched together for the words that every relevant file has.

_AT_ONCE = 64  # heads
_WORDS = (b"ENC[", b" PRIVATE KEY", b"AGE-SECRET-KEY-", b"Secret")
"""A head of interest has one of these words, if it is shorter than `formats.GLANCE` and not UTF-16."""


def of_interest(path: str) -> bool:
    """Whether a file may be encrypted, or may be a private key or a Kubernetes Secret.

    Also of a file that you may not read: the report would be wrong if it said nothing about that.
    """
    try:
        return _is_of_interest(formats.head_of(path))
    except PermissionError:
        return True
    except OSError:
        return False


def all_of_interest(paths: Iterable[str], step: Callable[[], None] = lambda: None) -> Iterator[str]:
    """Yield the files for which `of_interest` is true.  ``step`` is called for each file."""
    searches = _searches()
    names = iter(paths)
    while some := list(islice(names, _AT_ONCE)):
        heads: dict[str, bytes] = {}
        for path in some:
            step()
            try:
                heads[path] = formats.head_of(path)
            except PermissionError:
                yield path
            except OSError:
                continue
        # If a file is longer than its head, or its first byte is not ASCII, the head may lack the words.
        odd = {
            path: head for path, head in heads.items() if len(head) == formats.GLANCE or head[:1] > b"\x7f"
        }
        short = b"\n".join(head for path, head in heads.items() if path not in odd)
        for path, head in (heads if any(search(short) for search in searches) else odd).items():
            if _is_of_interest(head):
                yield path


def _searches() -> list[Callable[[bytes], object]]:
    """Return a search for each word.  That of RE2 takes a tenth of the time."""
    try:
        import re2
    except ImportError:
        return [re.compile(re.escape(word)).search for word in _WORDS]
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    return [re2.compile(re2.escape(word), options).search for word in _WORDS]


def _is_of_interest(head: bytes) -> bool:
    if formats.may_be(head) or guesses.holds_object_secret(head):
        return True
    return b"KEY" in head and (b"-----BEGIN " in head or b"AGE-SECRET-KEY-" in head)


# --- several files: decrypted copies, and a nonce or a data key that is used twice ------------------

_LONG = 8  # bytes of a value that hardly has the length of another by chance
_PLAIN_WORDS = ("dec", "decrypted", "plain", "clear")


class Across:
    """Compares each encrypted file with those before it.  ``is_tracked``: whether git tracks a file.

    Of a file, it keeps only the wrapped data keys, and of each value its nonce, path and hash.
    """

    def __init__(self, cwd: str, is_tracked: Callable[[str], bool]) -> None:
        self._cwd = cwd
        self._is_tracked = is_tracked
        self._values: dict[bytes, tuple[str, Path, int]] = {}
        self._keys: dict[tuple[str, str, str], Sealed] = {}
        self._twins: set[str] = set()
        self._folder: str | None = None
        self._beside: dict[str, list[tuple[str, int]]] = {}

    def add(self, sealed: Sealed) -> None:
        """Add the findings about a file and those before it."""
        for finder in (_twins(sealed, self._cwd, self._is_tracked), self._other_twins(sealed)):
            for found in finder:
                if found.file not in self._twins:
                    self._twins.add(found.file)
                    sealed.findings.append(found)
        _shared(sealed, self._keys)
        for iv, leaf in sealed.ivs.items():
            mine = (sealed.file, leaf.path, hash(ciphertext(leaf)))
            file, path, other = self._values.setdefault(iv, mine)
            if other != mine[2]:  # else the file is a copy
                sealed.find_nonce(leaf, f"{file}: {spell(path)}")

    def _other_twins(self, sealed: Sealed) -> Iterator[Finding]:
        """Yield findings about plaintext with the same keys under any name, such as an imported ``.env``."""
        folder = os.path.dirname(sealed.file)
        if folder != self._folder:
            self._folder, self._beside = folder, self._values_in(folder)
        sizes = {name: size for path, size in sealed.lengths.items() for name in _spellings(path)}
        for name, values in self._beside.items():
            shared = [(size, sizes[key]) for key, size in values if key in sizes]
            same = [size for size, other in shared if size == other]
            # One short value is no evidence.
            if name in self._twins or (len(shared) < 2 and not any(size >= _LONG for size in same)):
                continue
            if 2 * len(shared) >= min(len(values), len(sealed.lengths)):
                yield _twin(name, sealed, is_copy=2 * len(same) >= len(shared))

    def _values_in(self, folder: str) -> dict[str, list[tuple[str, int]]]:
        """Return the keys and the lengths of values of each tracked file that may hold plaintext secrets."""
        try:
            bases = sorted(os.listdir(os.path.join(self._cwd, folder)))
        except OSError:
            return {}
        named = (base for base in bases if set(_PLAIN_WORDS).isdisjoint(base.split(".")))  # see `plain_names`
        likely = (base for base in named if _holds_variables(base) or guesses.is_secrets(base))
        names = (os.path.join(folder, base) for base in likely if not guesses.is_public(base))
        return {name: _sizes(os.path.join(self._cwd, name)) for name in filter(self._is_tracked, names)}


def without_drivers(encrypted: Sequence[Sealed], cwd: str) -> Iterator[Finding]:
    """Yield a finding for each encrypted file without git's drivers, if the repository uses the drivers."""
    root = repository(cwd)
    if root is None or not encrypted or not attributes.are_used(root):
        return
    inside = {os.path.relpath(os.path.join(cwd, each.file), root): each for each in encrypted}
    names = [name for name in inside if not name.startswith(os.pardir + os.sep)]
    for name in attributes.without_drivers(root, names):
        said = ".gitattributes does not set the encconf driver for this file"
        yield Finding("no-driver", inside[name].file, said)


def _shared(sealed: Sealed, keys: dict[tuple[str, str, str], Sealed]) -> None:
    mine = sealed.data_keys
    for key in mine:
        other = keys.setdefault(key, sealed)
        if other is sealed:
            continue
        people, others = ({key[:2] for key in each.data_keys} for each in (sealed, other))
        if people != others:
            # A copy gets no new data key for people who may not open the original, but the original does.
            file = other.file if others < people else sealed.file
            sealed.find(
                "shared-data-key",
                f"{printable(other.file)} has the same data key but other recipients",
                hint="Anyone who can open one can open the other. "
                f"Give {printable(file)} a new data key: encconf rotate {quoted(file)}",
            )
        return


def _twins(sealed: Sealed, cwd: str, is_tracked: Callable[[str], bool]) -> Iterator[Finding]:
    if not sealed.lengths:
        return
    for name in filter(is_tracked, plain_names(sealed.file)):
        try:
            data = fileio.read_bytes(os.path.join(cwd, name), regular=True)
        except InputError:
            continue
        shared, same = _compare(sealed, data)
        if 2 * shared < len(sealed.lengths):
            continue
        yield _twin(name, sealed, is_copy=2 * same >= shared)


def _twin(name: str, sealed: Sealed, *, is_copy: bool) -> Finding:
    file = printable(sealed.file)
    if is_copy:
        said = f"decrypted copy of {file}: values with the same keys have the same length"
        return Finding("plain-twin", name, said)
    said = f"plaintext with the same keys as {file}, perhaps an earlier version"
    return Finding("plain-twin", name, said, severity="warning")


def _holds_variables(base: str) -> bool:
    """Whether a name is that of a dotenv file: ``.env``, ``.env.production``, ``secrets.env``."""
    return base == ".env" or base.startswith(".env.") or formats.get(formats.of_path(base)).environment


def _sizes(path: str) -> list[tuple[str, int]]:
    """Return the keys of a plaintext file, and the lengths of its values that are no placeholders."""
    format = "dotenv" if _holds_variables(os.path.basename(path)) else formats.of_path(path)
    try:
        data = fileio.read_bytes(path, regular=True)
        if formats.get(format).single_value or formats.find(data, path) is not None:
            return []
        document = formats.get(format).scan(fileio.decode(data))
    except EncconfError:
        return []
    leaves = guesses.hidden(document, document.leaves)
    return [(_spellings(leaf.path)[0], len(leaf.data or b"")) for leaf in leaves]


def _spellings(path: Path) -> list[str]:
    """Return a path as names of variables: of all its keys, and of the last one."""
    keys = [step for step in path if isinstance(step, str)]
    names = ["_".join(keys), *keys[-1:]]
    return [name.upper().replace("-", "_").replace("__", "_") for name in names]


def plain_names(name: str) -> list[str]:
    """Return likely names for the plaintext of an encrypted file, such as ``x.yaml`` for ``x.enc.yaml``."""
    folder, base = os.path.split(name)
    found = [guesses.plain_name(base)]
    stem, _, suffix = base.rpartition(".")
    for word in _PLAIN_WORDS:
        found.append(f"{base}.{word}")
        found += [f"{each}.{word}.{suffix}" for each in (stem, guesses.plain_name(stem)) if each]
    return [os.path.join(folder, each) for each in dict.fromkeys(found) if each]


def _compare(sealed: Sealed, data: bytes) -> tuple[int, int]:
    """Return how many encrypted values ``data`` has in plaintext, and how many of the same length."""
    format = sealed.format
    if formats.find(data) is not None:
        return 0, 0  # it is encrypted, too
    if format.single_value:
        size = next(iter(sealed.lengths.values()))
        return int(bool(data)), int(len(data) == size)
    shared = same = 0
    with suppress(EncconfError):
        document = format.scan(fileio.decode(data))
        for leaf in document.leaves if document.block is None else ():
            size = sealed.lengths.get(leaf.path, -1)
            if size >= 0 and leaf.data and not leaf.data.startswith(ENC_BYTES):
                shared += 1
                same += len(leaf.data) == size
    return shared, same


# --- mistakes in the rules themselves ---------------------------------------------------------------

_FORMAT = (
    "The format of a file comes from its name and content; no setting changes it. "
    "To give another one, use --input-type and --output-type."
)


def of_rules(book: Rulebook, *, whole: bool) -> Iterator[Finding]:
    """Yield the findings about the .sops.yaml files that were read.

    ``whole`` says that all files of the repository were checked, so that unused rules can be reported.
    """
    for rules in book.read:
        name = os.path.relpath(rules.path, book.cwd)
        for place, said in rules.read_ignored():
            yield Finding("config-notice", name, f"encconf: ignore …: {said}", place=place)
        if rules.error is not None:
            error = rules.error
            at = getattr(error, "place", None)
            said = error.message.removeprefix(f"line {at[0]}, column {at[1]}: ") if at else error.message
            yield Finding("bad-config", name, said, place=at or (1, 1), hint=error.hint)
            continue
        assert rules.config is not None
        yield from _unselected(rules, name)
        for notice in list(rules.config.notices):
            place = rules.place(notice.partition(" ")[0])
            hint = _FORMAT if re.search(r"\b(?:in|out)put_type\b", notice) else None
            yield Finding("config-notice", name, notice, place=place, hint=hint)
        yield from _each(rules, name, whole=whole)


def _each(rules: Rules, name: str, *, whole: bool) -> Iterator[Finding]:
    """Yield the findings about each rule."""
    sound = True
    for use in rules.uses:
        at, rule = rules.place(use.name), use.rule
        if isinstance(rule, EncconfError):
            severity = _severity(rules, use.number)
            yield Finding("bad-config", name, rule.message, place=at, hint=rule.hint, severity=severity)
            sound = False
            continue
        if not rule.groups:
            said = f"{rule.name} names no key: name one on the command line or in the environment"
            yield Finding("config-notice", name, said, place=at, severity="note", hint="")
        if len(rule.groups) > 1 and not rule.threshold:
            said = f"{rule.name} has {len(rule.groups)} key groups and no shamir_threshold: to open a file,"
            said += " you need a key of every group"
            yield Finding("accidental-quorum", name, said, place=at)
        if whole and sound and not use.used:
            said = f"path_regex {printable(use.regex)}," if use.regex else "which has no path_regex,"
            yield Finding("unused-rule", name, f"{rule.name}, {said} applies to no file", place=at)


def _severity(rules: Rules, number: int) -> str:
    """Return the severity for a rule that cannot be used.

    It is an error.  But something else may fill in a template before sops reads it (``${AGE_KEY}``,
    ``{{ age_key }}``), and with ``age1YOUR_KEY_HERE`` an author says that the rule is not finished.
    """
    leaves = rules.config.leaves if rules.config is not None else ()
    own = [leaf for leaf in leaves if leaf.path[:2] == ("creation_rules", number)]
    if any(re.search(rb"\$\{\w+\}|\{\{.*\}\}|\A\s*<[^<>]+>\s*\Z", leaf.data or b"") for leaf in own):
        return "note"
    keys = (leaf.data or b"" for leaf in own if "regex" not in str(leaf.path[2:3]))
    return "warning" if any(re.search(_UNFINISHED, data) for data in keys) else "error"


_UNFINISHED = (
    rb"(?i)x{3,}|\.{3}|\xe2\x80\xa6|[<>_]"
    rb"|your|example|replace|change|placeholder|todo|fixme|insert|dummy|fake|sample|here"
)
"""What occurs in a placeholder for a key, and by chance hardly ever in a key.  The bytes are an ellipsis."""


def _unselected(rules: Rules, name: str) -> Iterator[Finding]:
    """Yield a finding for each selection that files have, but that their rule does not say."""
    for use in rules.uses:
        for selection, files in use.selections.items():
            entry = " and ".join(selection.as_written())
            count = counted(len(files), "file has", "files have")
            yield Finding(
                "rule-without-selection",
                name,
                f"{use.name} does not say which values are encrypted, and {count} {entry}: "
                f"{listed(map(printable, files), 3)}",
                place=rules.place(use.name),
                hint=f"In new files, every value is encrypted. To make them match, add {entry} to the rule.",
            )


# --- settings that need a newer sops than the version that a repository names -----------------------
# The version is the lowest one that a file at the top names exactly: the one that mise or asdf installs, or
# that a Dockerfile or workflow downloads.  A sops that does not know a setting ignores it or fails.

Version = tuple[int, ...]

# From CHANGELOG.md of getsops/sops.  The quoted words are those of the version's section.
_RULE = {
    "encrypted_regex": (3, 4, 0),  # "`encrypted_regex` option to the sops config file"
    "unencrypted_regex": (3, 6, 1),  # "Add support for --unencrypted-regex"
    "mac_only_encrypted": (3, 9, 0),  # "Add `--mac-only-encrypted`"
    "encrypted_comment_regex": (3, 9, 0),  # "Support using comments to select parts to encrypt"
    "unencrypted_comment_regex": (3, 9, 0),
    **{row.member: row.since for row in TABLE.values() if row.since},
}
_GROUP = {
    "merge": (3, 9, 0),
    **{row.name_in_group: row.since for row in TABLE.values() if row.since},
}
"""The same for key_groups.  For merge: "Merge key for key groups and make keys unique"."""
_STORES = (3, 9, 0)  # "Allow configuration of indentation for YAML and JSON stores"
_LIST = (3, 11, 0)  # "Allow to provide keys as YAML lists instead of comma-separated strings"
_SSH = (3, 10, 0)  # "Add SSH support for Age"
_PLUGIN = (3, 10, 0)  # "Add Age plugin support"
_POST_QUANTUM = (3, 12, 0)  # "Age: support hybrid post-quantum identities"
_FILE = ("mac_only_encrypted", "encrypted_comment_regex", "unencrypted_comment_regex")
"""The settings of a rule that are also in a file's block, and decide what its MAC covers."""

_PLACES = (
    ".tool-versions", ".mise.toml", "mise.toml", ".mise/config.toml", ".config/mise.toml",
    ".config/mise/config.toml", "Dockerfile", ".devcontainer/Dockerfile", ".gitlab-ci.yml", "Makefile",
)  # fmt: skip
_WORKFLOWS = ".github/workflows"
_NUMBER = r"v?(\d+\.\d+\.\d+)(?![\w.-])"
_NAMED = (
    rf"(?m)^sops[ \t]+{_NUMBER}",  # asdf
    rf"""(?m)^[ \t]*["']?(?:[\w-]+:)?(?:(?:getsops|mozilla)/)?sops["']?[ \t]*=[ \t]*["']{_NUMBER}""",  # mise
    rf"""(?m)^[^#\n]*\bSOPS_VERSION["']?[ \t]*[:?]?[:=][ \t]*["']?{_NUMBER}""",
    r"(?m)^[^#\n]*\bsops/releases/download/v(\d+\.\d+\.\d+)/",
    rf"(?m)^[^#\n]*\b(?:getsops|mozilla)/sops:{_NUMBER}",
    rf"""(?m)^[^#\n]*\buses:[^\n]*sops[^\n]*\n(?:[^\n]*\n){{0,3}}?[ \t]+version:[ \t]*["']?{_NUMBER}""",
)


def too_old(read: Sequence[Rules], encrypted: Sequence[Sealed], root: str, cwd: str) -> Iterator[Finding]:
    """Yield a finding for each setting that the version of sops that the repository names does not know."""
    found = named(root) if read or encrypted else None
    if found is None:
        return
    version, place = found
    said: set[tuple[str, str]] = set()
    for file, what, least, at in _settings(read, encrypted, cwd):
        if version < least and (file, what) not in said:
            said.add((file, what))
            needs = f"{what} needs sops {_dotted(least)}, and {printable(place)} names {_dotted(version)}"
            yield Finding("sops-too-old", file, needs, place=at)


def named(root: str) -> tuple[Version, str] | None:
    """Return the lowest version of sops that a repository names, and the file that names it, or None."""
    places = [*_PLACES]
    with suppress(OSError):
        workflows = sorted(os.listdir(os.path.join(root, _WORKFLOWS)))
        places += [f"{_WORKFLOWS}/{name}" for name in workflows if name.endswith((".yml", ".yaml"))]
    found: list[tuple[Version, str]] = []
    for place in places:
        with suppress(EncconfError):
            text = fileio.read_text(os.path.join(root, place))
            if "sops" in text.lower():
                numbers = (number for pattern in _NAMED for number in re.findall(pattern, text))
                found += [(tuple(map(int, number.split("."))), place) for number in numbers]
    return min(found, default=None)


def _dotted(version: Version) -> str:
    return ".".join(map(str, version))


def _settings(
    read: Sequence[Rules], encrypted: Sequence[Sealed], cwd: str
) -> Iterator[tuple[str, str, Version, tuple[int, int]]]:
    """Yield the settings that need a certain version: file, setting, version, line and column."""
    for rules in read:
        name = os.path.relpath(rules.path, cwd)
        for leaf in rules.config.leaves if rules.config is not None else ():
            text = leaf.data.decode("utf-8", "replace") if leaf.data else ""
            for what, least in _of_leaf(leaf.path, text):
                yield name, what, least, rules.place(spell(leaf.path))
    for sealed in encrypted:
        for what in sealed.metadata.selection.to_entries():
            if what in _FILE:
                yield sealed.file, what, _RULE[what], (0, 0)


def _of_leaf(path: Path, text: str) -> Iterator[tuple[str, Version]]:
    if path[0] == "stores":
        yield "stores", _STORES
    if path[0] != "creation_rules" or len(path) < 3:
        return
    setting, rest = str(path[2]), path[3:]
    table = _RULE
    if setting == "key_groups":
        if len(rest) < 2:
            return
        setting, rest, table = str(rest[1]), (), _GROUP
    if setting in table:
        yield setting, table[setting]
    if rest and isinstance(rest[0], int):
        yield f"a list of keys ({setting})", _LIST
    if setting == "age":
        for recipient in text.split(","):
            yield from _of_recipient(recipient.strip())


def _of_recipient(recipient: str) -> Iterator[tuple[str, Version]]:
    if recipient.startswith("ssh-"):
        yield "an SSH key as an age recipient", _SSH
    elif recipient.startswith("age1pq1"):
        yield "a post-quantum age recipient", _POST_QUANTUM
    elif recipient.startswith("age1") and recipient.count("1") > 1:
        yield "an age recipient of a plugin", _PLUGIN


# --- --verify: findings that require opening the files ---------------------------------------------


def open_all(encrypted: Sequence[Sealed], credentials: Credentials, step: Callable[[], None]) -> int:
    """Open the files that can be opened, and return their number.

    Several files are opened at a time, but each wrapped data key is unwrapped only once.  Findings are added,
    and ``step`` is called after each.
    """
    from encconf.engine import opening  # only --verify needs these
    from encconf.envelope.unwrap import DataKeyCache
    from encconf.io.threads import side_by_side

    credentials.cache = credentials.cache or DataKeyCache()

    def open(sealed: Sealed) -> None:
        opening.open_text(
            sealed.text,
            format=sealed.format.name,
            credentials=credentials,
            notify=lambda text: sealed.find("damaged-comment", text),
        )

    opened = 0
    for sealed, error in side_by_side(open, encrypted):
        if error is None:
            opened += 1
        else:
            _not_opened(sealed, error)
        step()
    return opened


def _not_opened(sealed: Sealed, error: EncconfError) -> None:
    """Add a finding that says why a file did not open, unless an earlier finding already says so."""
    if isinstance(error, KeyAccessError):
        sealed.find("not-verified", error.message.partition("\n")[0])
    elif isinstance(error, (MacMissingError, UnmergedError)):
        pass  # the findings no-mac and unmerged already say so
    elif isinstance(error, MacError):
        sealed.find("mac-mismatch", error.message, hint=error.hint)
    elif not isinstance(error, DecryptError):
        sealed.find("not-verified", error.message, hint=error.hint)
    elif sealed.counts.keys().isdisjoint(("plain-value", "bad-value")):
        sealed.find("damaged-value", error.message, hint=error.hint)
