"""Change values of an encrypted file: set one, remove one, or replace the whole plaintext."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from encconf import api, formats
from encconf.engine import changes, checks, opening
from encconf.engine.admission import Admission
from encconf.engine.effects import report
from encconf.engine.metadata import Metadata
from encconf.errors import (
    EmptyDocumentError,
    KeyAccessError,
    MissingFileError,
    PathBlockedError,
    PathNotFoundError,
    about,
    at_most_one,
)
from encconf.io import fileio
from encconf.io.descriptors import is_terminal
from encconf.record import Record, VerbOptions
from encconf.rules.config import Rule
from encconf.text.document import Document
from encconf.text.path import Path, parse
from encconf.text.printable import quoted
from encconf.verbs import files
from encconf.verbs.rule import Selecting, admission_to, rule_for, warn_of_other

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from encconf.engine.effects import Effect
    from encconf.engine.opening import Opened
    from encconf.identities.credentials import Credentials
    from encconf.rules.selection import Selection
    from encconf.text.document import Plain
    from encconf.verbs.front import Front


class Options(Selecting):
    """What to set.  Without a ``value``, the front end is asked for it."""

    file: str
    path: str
    value: str | None = None
    json: bool = False
    string: bool = False
    force: bool = False
    allow_plaintext: bool = False
    ignore_mac: bool = False
    input_type: str | None = None


def run(options: Options, front: Front, ask_hidden: Callable[[str], str]) -> None:
    """Set one value.  A file that does not exist is created according to its rule.

    ``ask_hidden`` returns the value for a path, without showing what is typed.
    """
    file, path, value, json, string = options.file, options.path, options.value, options.json, options.string
    where = parse(path)
    at_most_one(json=json, string=string)
    target = fileio.resolve(file)
    like = ""
    if not os.path.exists(target):
        files.refuse_swapped(file, (path, value), "encconf set FILE PATH [VALUE]")
        with about(file, instead=target):
            fileio.check_writable(target)
        like = files.confirmed_new(front, file)
    given = value if value is not None else ask_hidden(path)
    if value is not None and front.can_ask():
        front.hint("leave the value out to be prompted for it, so that it stays out of your shell history")
    new: Plain = changes.from_json(given) if json else given
    if path[:1] == "[" and len(given) > 1 and given[0] == given[-1] == '"' and not (json or string):
        front.hint("the quotes are part of the value; use --json for a JSON value, as in sops")
    edits = Edits(
        file,
        target,
        [(where, new if json or string else changes.AsBefore(given))],
        input_type=options.input_type,
        config=options.config,
        allow_plaintext=options.allow_plaintext,
        ignore_mac=options.ignore_mac,
        force=options.force,
        rule=lambda: rule_for(file, options, notify=front.warn),
        warn=lambda metadata: warn_of_other(front, file, options, metadata),
    )
    try:
        edits.run(front)
    except KeyAccessError as error:
        if not error.unexpected:
            without = f"or propose the value, without a key: encconf propose {quoted(file)} {quoted(path)}"
            error.hint = f"{error.hint}\n{without}" if error.hint else without
        raise
    if like:
        front.hint(f"this file is new; {like}")


class Edits(Record):
    """Values to set in a file, or to remove from it (`changes.REMOVED`), by their paths.

    ``target`` is the file with links followed.
    ``rule`` finds the rule for a file that is new; without it, the file must exist.  ``warn`` is called with
    the metadata of one that exists.

    Without ``force``, raises ReplacesError if that would replace a whole mapping or list, or a value by one.
    If the values are ``secret``, raises an error if the file's selection leaves one in plaintext.
    """

    file: str
    target: str
    edits: Sequence[tuple[Path, object]]
    input_type: str | None = None
    config: str | None = None
    allow_plaintext: bool = False
    ignore_mac: bool = False
    force: bool = False
    secret: bool = False
    rule: Callable[[], Rule] | None = None
    warn: Callable[[Metadata], None] | None = None

    def run(self, front: Front) -> None:
        """Change the file, or create it, and say what that changed."""
        target, may_create = self.target, self.rule is not None

        def change() -> None:
            done: list[str] = []
            with about(self.file, instead=target):
                old = fileio.read_existing(target) if may_create else fileio.read_text(target)
                format = files.input_format(old, self.file, self.input_type)
                enc = self._created(front, format) if old is None else self._changed(front, old, format, done)
            write_changed(front, self.file, target, old, enc, done)

        files.in_turn(target, change)

    def _created(self, front: Front, format: str) -> str:
        """Return the text of a new file."""
        assert self.rule is not None
        rule = self.rule()
        plain = formats.get(format).empty
        for where, value in self.edits:
            new: Any = value.text if isinstance(value, changes.AsBefore) else value
            plain = changes.put(plain, where, new, format=format)
        if self.secret:
            document = formats.scan_any(plain, format)
            checks.refuse_new_plaintext("", document, rule.selection)
        notify = changes.heard(front.warn, format)
        return api.encrypt(plain, rule, format=format, credentials=front.credentials(), notify=notify)

    def _changed(self, front: Front, old: str, format: str, done: list[str]) -> str:
        """Return the new text of an encrypted file.  What is different is added to ``done``, in words."""
        credentials = front.credentials()
        document, metadata, admission = scan_to_change(
            self.file, old, format, self.config, credentials, ignore_mac=self.ignore_mac
        )
        if self.warn is not None:
            self.warn(metadata)
        saves = any(value is not changes.REMOVED for _, value in self.edits)
        check_edits = checks.edits_check(
            self.file, self.config, saves=saves, allowed=self.allow_plaintext, warn=front.warn
        )
        places = [(changes.place(document, where), value) for where, value in self.edits]

        def review(effect: Effect) -> None:
            if not self.force:
                effect.refuse_to_replace()
            done.extend({str(effect)}.difference(done))

        def check(opened: Opened, before: str, after: Document) -> None:
            check_edits(opened, before, after)
            selection = opened.metadata.selection
            if self.secret:
                checks.refuse_new_plaintext(before, after, selection)
            elif any(_may_stay_plain(value, where, selection) for where, value in places) and (
                checks.new_plaintext(before, after, selection)
            ):
                done[:] = [f"{each}, as plaintext" for each in done]

        opened = opening.open_text(
            document,
            format=format,
            credentials=credentials,
            ignore_mac=self.ignore_mac,
            notify=front.warn,
        )
        return changes.change(
            opened,
            *places,
            credentials=credentials,
            ignore_mac=self.ignore_mac,
            admission=admission,
            check=check,
            review=review,
            notify=front.warn,
        )


def _may_stay_plain(value: object, where: Path, selection: Selection) -> bool:
    """Whether a selection may leave something of a value at a path in plaintext.

    If not, the whole texts, which can be long, need not be compared.
    """
    if value is changes.REMOVED:
        return False
    is_single = not isinstance(value, (dict, list))
    return not is_single or selection.needs_comments or not selection.encrypts(where)


def scan_to_change(
    file: str,
    enc: str,
    format: str,
    config: str | None,
    credentials: Credentials,
    *,
    ignore_mac: bool = False,
) -> tuple[Document, Metadata, Admission]:
    """Scan an encrypted file to change.  Also returns its metadata, and who may get its data key.

    Raises ProposalError for a proposal, and StrangerError if the data key would be wrapped for someone else.
    Entries that stay as they are need no permission: their recipients have the data key already.
    """
    document = formats.scan_encrypted(enc, formats.get(format), comments=True)
    opening.refuse_to_change(document)
    admission = admission_to(file, config)
    metadata = Metadata.of(document)
    admission.check(metadata, None, credentials, new_data_key=ignore_mac)
    return document, metadata, admission


def write_changed(
    front: Front, file: str, target: str, old: str | None, enc: str, done: Sequence[object] = ()
) -> None:
    """Write a file, unless it is up to date, and say what was ``done``."""
    if enc == old:
        front.note(f"{file} is up to date")
        return
    with about(file, instead=target):
        fileio.write_atomic(target, enc, replacing=old)
    front.note(report(f"wrote {file}" if old is not None else f"created {file}", done))


# --- unset ----------------------------------------------------------------------------------------


class UnsetOptions(VerbOptions):
    """What to remove."""

    file: str
    path: str
    idempotent: bool = False
    ignore_mac: bool = False
    input_type: str | None = None
    config: str | None = None


def unset(options: UnsetOptions, front: Front) -> None:
    """Remove one value."""
    files.refuse_swapped(options.file, [options.path], "encconf unset FILE PATH")
    try:
        Edits(
            options.file,
            fileio.resolve(options.file),
            [(parse(options.path), changes.REMOVED)],
            input_type=options.input_type,
            config=options.config,
            ignore_mac=options.ignore_mac,
        ).run(front)
    except PathNotFoundError as error:
        if not options.idempotent or isinstance(error, PathBlockedError):
            raise
        front.note(f"{options.file} has no such value")


# --- update ---------------------------------------------------------------------------------------


class UpdateOptions(VerbOptions):
    """The file, and the ``source`` of its new plaintext: the name of a file, or None for stdin."""

    file: str
    source: str | None = None
    dry_run: bool = False
    allow_plaintext: bool = False
    input_type: str | None = None
    config: str | None = None


def update(options: UpdateOptions, front: Front) -> None:
    """Replace the plaintext of an encrypted file.  Unchanged values keep their ciphertexts."""
    file, config, allowed = options.file, options.config, options.allow_plaintext
    source = files.read(file, input_type=options.input_type)
    format = source.format
    if options.source is None and is_terminal(0):
        raise MissingFileError("no plaintext was given", hint="name its file: --from FILE")
    plain = files.read(options.source, input_type=format, plain=True).text
    if not plain.strip():  # usually, the program that should have written it failed
        raise EmptyDocumentError(
            "the new plaintext is empty; nothing was changed",
            hint="to remove all values, use encconf edit FILE",
        ).about(file)
    changed: list[Document] = []
    check_plaintext = checks.plaintext_check(file, config, allowed=allowed, warn=front.warn)

    def check(opened: Opened, old: str, new: Document) -> None:
        changed[:] = [new]
        check_plaintext(opened, old, new)

    credentials = front.credentials()
    with about(file):
        document, _, admission = scan_to_change(file, source.text, format, config, credentials)
        opened = opening.open_text(document, format=format, credentials=credentials, notify=front.warn)
        enc = changes.update(
            opened,
            plain,
            credentials=credentials,
            admission=admission,
            check=check,
            notify=front.warn,
        )
    from encconf.audit.diff import between

    done = between(file, opened, changed[0], format) if changed else []
    if options.dry_run and enc != source.text:
        front.note(report(f"would write {file}", done))
        return
    assert source.path is not None, "update takes no stdin"
    write_changed(front, file, source.path, source.text, enc, done)
