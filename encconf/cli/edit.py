"""``encconf edit``: decrypt a file, open it in the user's editor, and encrypt what changed.

The plaintext is only in a private folder, in memory where possible.  If the edited text cannot be saved, the
error is reported, and on a terminal the user can open the editor again.

If git left a conflict in the file, the editor shows both sides between the usual markers.  A file that was
merged without a key is merged again (see `encconf.git.merge`).
"""

from __future__ import annotations

import os
import time

from encconf import api, formats
from encconf.cli import files
from encconf.cli.console import Console, counted
from encconf.cli.editor import editor_command, run_editor
from encconf.cli.table import Value
from encconf.engine import opening, plaintext
from encconf.engine.admission import rule_of
from encconf.engine.metadata import CONFLICT, Metadata
from encconf.errors import (
    ChangedError,
    EditorError,
    EncconfError,
    NotModifiedError,
    PlainValueError,
    UnmergedError,
    about,
)
from encconf.io import fileio, private
from encconf.rules.config import Rule
from encconf.text.document import splice
from encconf.text.path import Path, spell
from encconf.text.printable import quoted
from encconf.verbs import checks
from encconf.verbs.encrypt import encrypt_again, plain_as

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

    from encconf.git.conflict import Conflict
    from encconf.verbs.changes import Check

_WAIT = "if the editor is still open, use its option to wait: EDITOR='code --wait'"


def edit(
    console: Console,
    *,
    file: str,
    ignore_mac: bool,
    allow_plaintext: bool,
    input_type: str | None,
    config: str | None,
    **keys_and_selection: Value,
) -> None:
    """Edit one encrypted file; if it does not exist, start from an example."""
    if file in files.STDIN:
        _edit_stdin(console, files.read(file), input_type, ignore_mac=ignore_mac)
        return
    path = fileio.resolve(file)
    enc = fileio.read_existing(path)
    format = files.format_of(enc, file, input_type)
    if enc is None:
        from encconf.cli.rule import find_rule

        rule = find_rule(file, {**keys_and_selection, "config": config}, notify=console.warn)
        session = Session(console, file, path, format, formats.module(format).EXAMPLE, rule=rule)
    else:
        plain: list[Path] = []
        with about(file):
            try:
                found = _open(console, enc, path, format, ignore_mac=ignore_mac, config=config)
            except PlainValueError:
                found, plain = _open_plain(console, file, enc, format, ignore_mac=ignore_mac)
        if isinstance(found, str):
            _warn_of_parents(console, file, path, enc, format)
            fileio.write_atomic(path, found, replacing=enc)
            console.note(f"wrote {file}: merged again from its parents, now with a MAC")
            return
        metadata: Metadata
        if isinstance(found, opening.Opened):
            session = Session.of(console, file, path, found)
            metadata = found.metadata
            session.unfinished = metadata.unmerged is not None or bool(plain)
        else:
            session = Resolution(console, file, path, found, enc)
            metadata = found.opened.metadata
        if ignore_mac:  # its data key cannot be trusted either
            session.rule = rule_of(metadata)
        checks.refuse_strangers_of(file, metadata, config, new_data_key=ignore_mac)
        session.check = checks.refuse_plaintext(file, config, allowed=allow_plaintext, warn=console.warn)
    fileio.check_writable(path)
    session.run()
    console.note(f"wrote {file}")


def _open(
    console: Console, enc: str, path: str, format: str, *, ignore_mac: bool, config: str | None
) -> opening.Opened | Conflict | str:
    """What there is to edit; for a file that was merged without a key, the text to write instead."""
    credentials = files.credentials(console)
    try:
        return opening.open_text(
            enc, format=format, credentials=credentials, ignore_mac=ignore_mac, notify=console.warn
        )
    except UnmergedError:
        from encconf.git import version
        from encconf.git.conflict import open_conflict
        from encconf.git.merge import reseal
        from encconf.git.ours import Repository

        if CONFLICT in files.metadata(enc, format).unknown:
            return open_conflict(enc, format=format, credentials=credentials, notify=console.warn)
        folder = os.path.dirname(os.path.abspath(path))
        here = Repository(
            rule=lambda: checks.known_rule(path, config), version=lambda id: version(id, folder)
        )
        return reseal(enc, format=format, repository=here, credentials=credentials, notify=console.warn)


def _open_plain(
    console: Console, file: str, enc: str, format: str, *, ignore_mac: bool
) -> tuple[opening.Opened, list[Path]]:
    """Open a file with values in plaintext, and warn about them: they are encrypted when it is saved."""
    from encconf.audit.findings import listed
    from encconf.verbs.changes import open_with_plain_values

    opened, paths = open_with_plain_values(
        enc,
        format=format,
        credentials=files.credentials(console),
        ignore_mac=ignore_mac,
        notify=console.warn,
    )
    console.warn(
        f"{file} has {counted(len(paths), 'value')} in plaintext: {listed(list(map(spell, paths)), 20)}",
        hint=(
            "encconf encrypts them when you save; anyone who saw the file knows them, so change them at "
            "their source"
        ),
    )
    return opened, paths


def _warn_of_parents(console: Console, file: str, path: str, enc: str, format: str) -> None:
    """Warn if a file was not merged with the version that git had before it.

    All three parents were sealed with the key, but whoever merged without a key chose them, and may have
    chosen old ones.
    """
    from encconf.git import before
    from encconf.git.keyless import misplaced, parents_of

    ours = parents_of(enc, format)[1]
    if before(path, enc) != ours:
        console.warn(
            f"{file} {misplaced(ours)}",
            hint=f"compare all values with older versions: git log -p {quoted(file)}",
        )


class Session:
    """One text in the editor, from opening to the encrypted file.

    ``enc`` is the existing encrypted text and ``old`` the same opened, None for a new file.  ``rule`` is None
    if the file keeps its keys and its selection.  ``check`` is as in `encconf.verbs.changes.Request`.
    ``written`` is the format of the result, which may differ from the text's.  An ``unfinished`` file is
    written even if the user changed nothing.
    """

    __slots__ = (
        "check", "console", "enc", "file", "format", "old", "path", "plain", "rule", "shows_block",
        "unfinished", "written",
    )  # fmt: skip

    def __init__(
        self,
        console: Console,
        file: str,
        path: str,
        format: str,
        plain: str,
        *,
        enc: str | None = None,
        old: opening.Opened | None = None,
        rule: Rule | None = None,
    ) -> None:
        self.check: Check | None = None
        self.shows_block = False
        self.unfinished = False
        self.written = format
        self.old = old
        self.console = console
        self.file = file
        self.path = path
        self.format = format
        self.rule = rule
        self.enc = enc
        self.plain = plain

    @classmethod
    def of(cls, console: Console, file: str, path: str, old: opening.Opened, *, layout: bool = True) -> Self:
        """A session with the plaintext of an opened file."""
        document = old.document
        plain = plaintext.plain_text(old, layout=layout)
        return cls(console, file, path, document.format, plain, enc=document.text, old=old)

    def show_block(self) -> None:
        """Show the sops block below the values, so that the user can change the keys there."""
        assert self.old is not None
        module = formats.module(self.format)
        block = module.render_block(self.old.metadata.to_block())
        self.plain = splice(self.plain, module.attach(module.scan(self.plain), block))
        self.shows_block = True

    def _without_block(self, edited: str) -> str:
        """The text without the block; it is encrypted for the keys in the block."""
        module = formats.module(self.format)
        document = module.scan(edited)
        self.rule = rule_of(Metadata.of(document))
        return splice(edited, module.detach(document))

    def run(self) -> None:
        """Edit until it is written.  Raises NotModifiedError, EditorError, or why it cannot be written."""
        command = editor_command(self.console.environ)
        with private.PrivateFolder(self.console.environ) as folder:
            draft = os.path.join(folder, os.path.basename(self.file))
            private.write_private(draft, self.plain)
            while True:
                started = time.monotonic()
                run_editor(command, draft, self.console.environ)
                if os.path.isdir(folder):
                    os.chmod(folder, 0o700)  # the editor may have changed the mode
                if not os.path.exists(draft):
                    raise EditorError("the editor removed the text; nothing was changed").about(self.file)
                edited = ""
                try:
                    edited = fileio.read_text(draft, binary=self.format == "binary")
                    if edited == self.plain and not self.unfinished:
                        at_once = time.monotonic() - started < 1 and self.console.can_ask()
                        raise NotModifiedError("nothing was changed", hint=_WAIT if at_once else None)
                    self._write(edited)
                    return
                except NotModifiedError as error:
                    raise error.about(self.file) from None
                except EncconfError as error:
                    error.file = self.file
                    self._offer_again(error, edited)

    def _write(self, edited: str) -> None:
        while True:
            enc = self.encrypted(edited)
            try:
                fileio.write_atomic(self.path, enc, replacing=self.enc)
                return
            except ChangedError as error:
                if not self.console.can_ask():
                    raise
                error.hint = None
                self.console.error(error.about(self.file))
                if not self.console.confirm("overwrite the file as it is now with your text?"):
                    raise ChangedError("the file was not overwritten", hint=None) from None
                self._open_again()

    def _open_again(self) -> None:
        """Read the file again, which another program wrote in the meantime, to overwrite it."""
        self.enc = fileio.read_text(self.path)
        try:
            self.old = opening.open_text(
                self.enc, format=self.format, credentials=files.credentials(self.console)
            )
        except EncconfError:
            if self.rule is None:
                raise
            self.old = None

    def encrypted(self, edited: str) -> str:
        """The encrypted text of what the editor saved."""
        if self.shows_block:
            edited = self._without_block(edited)
        elif self.check is not None and self.old is not None:
            self.check(self.old, self.plain, edited)
        credentials, notify = files.credentials(self.console), self.console.warn
        if self.old is not None:
            return encrypt_again(
                self.old,
                edited,
                self.rule,
                target=self.written,
                new_data_key=self.rule is not None and not self.shows_block,
                credentials=credentials,
                notify=notify,
            )
        if self.written != self.format:
            edited = plain_as(edited, self.format, self.written)
        return api.encrypt(edited, self.rule, format=self.written, credentials=credentials, notify=notify)

    def _offer_again(self, error: EncconfError, edited: str) -> None:
        """Ask whether to open the editor again; raises the error if not, or if nobody can be asked."""
        untouched = f"{self.file} was not changed" if self.enc is not None else f"{self.file} was not created"
        if not self.console.can_ask():
            error.hint = f"{untouched}; {self._saved(edited)}"
            raise error
        self.console.error(error)
        answer = self._ask("press Enter to open the editor again, or q to quit and lose your changes:")
        if answer.lower().startswith("q"):
            error.hint = untouched
            raise error

    def _saved(self, edited: str) -> str:
        """Save the edited text, encrypted for the recipients of the file; returns a message about it."""
        from encconf.rules.selection import DEFAULT

        failed = "your changes could not be saved; run this in a terminal to decide what to do"
        rule = self.rule or (rule_of(self.old.metadata) if self.old is not None else None)
        if rule is None:
            return failed
        rule = Rule(rule.groups, rule.threshold, DEFAULT, rule.name)
        try:
            enc = api.encrypt(edited, rule, format="binary", credentials=files.credentials(self.console))
        except EncconfError:
            return failed
        name = f"{os.path.basename(self.path)[:200]}.unsaved-{os.urandom(4).hex()}"
        for folder in (os.path.dirname(self.path), self.console.environ.get("TMPDIR") or "/tmp", "/tmp"):
            path = os.path.join(folder, name)
            try:
                fileio.write_atomic(path, enc, mode=fileio.PRIVATE, replacing=None)
            except EncconfError:
                continue
            show = f"{self.console.PROGRAM} decrypt --input-type binary {quoted(os.path.relpath(path))}"
            return f"your changes are saved, encrypted: {show}"
        return failed

    def _ask(self, question: str) -> str:
        try:
            return self.console.ask(question)
        except EOFError:
            return "q"


def _edit_stdin(console: Console, source: files.Source, input_type: str | None, *, ignore_mac: bool) -> None:
    """Edit the text on stdin, and print the result, even if the user changed nothing."""
    opened = source.open(input_type, files.credentials(console), console.warn, ignore_mac=ignore_mac)
    session = Stream.of(console, f"stdin.{opened.document.format}", "", opened)
    if ignore_mac:
        session.rule = rule_of(opened.metadata)
    session.unfinished = True
    with _Terminal():
        session.run()
    console.data(session.result)


class Stream(Session):
    """A text from stdin; the result is printed to stdout."""

    __slots__ = ("result",)

    def _write(self, edited: str) -> None:
        self.result = self.encrypted(edited)


class _Terminal:
    """Inside it, stdin and stdout are the terminal, for the editor; without a terminal, stdout is stderr."""

    __slots__ = ("_stdout",)

    def __enter__(self) -> None:
        self._stdout = os.dup(1)
        try:
            terminal = os.open("/dev/tty", os.O_RDWR)
        except OSError:
            terminal = os.open(os.devnull, os.O_RDWR)
            os.dup2(2, 1)
        else:
            os.dup2(terminal, 1)
        os.dup2(terminal, 0)
        os.close(terminal)

    def __exit__(self, *_: object) -> None:
        os.dup2(self._stdout, 1)
        os.close(self._stdout)


class Resolution(Session):
    """Both sides of a merge in the editor, between markers, all of which the user has to remove.

    ``enc`` is the present text of the file.
    """

    __slots__ = ("ours", "size")

    def __init__(self, console: Console, file: str, path: str, conflict: Conflict, enc: str) -> None:
        from encconf.merge import mark

        opened = conflict.opened
        plain, self.size = mark(conflict.merged, conflict.labels)
        self.ours = conflict.merged.text
        super().__init__(console, file, path, opened.document.format, plain, enc=enc, old=opened)
        self.unfinished = True

    def encrypted(self, edited: str) -> str:
        """The encrypted text of what the editor saved.  Raises UnmergedError if a marker is left."""
        from encconf.merge import marked

        line = marked(edited, self.size)
        if line:
            raise UnmergedError(
                f"line {line} is a conflict marker: keep the value you want and remove the markers"
            )
        self.plain = self.ours  # do not warn again about values that were plaintext before
        return super().encrypted(edited)
