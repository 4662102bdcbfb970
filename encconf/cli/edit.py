"""``encconf edit``: decrypt, let somebody change the text, encrypt what changed.

The plain text stands in a private folder, in memory where there is such a place, and nowhere else.
Whatever goes wrong after the editor is told, and on a terminal the editor can be opened again.
"""

from __future__ import annotations

import os
import time

from encconf import api, fileio
from encconf.cli import files
from encconf.cli.editor import editor_command, run_editor
from encconf.errors import ChangedError, EditorError, EncconfError, MissingFileError, NotModifiedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.cli.console import Console
    from encconf.cli.table import Value
    from encconf.config import Rule

_YAML_EXAMPLE = """\
# This file is encrypted when you leave the editor.
# Keys stay readable; values and comments do not. Change what you like.
database:
  host: db.example.com
  port: 5432
  password: change me
features:
  - one
  - two
debug: false
"""
_JSON_EXAMPLE = """\
{
\t"database": {
\t\t"host": "db.example.com",
\t\t"port": 5432,
\t\t"password": "change me"
\t},
\t"features": ["one", "two"],
\t"debug": false
}
"""
_WAIT = "if the editor is still open, give it its option to wait, as in EDITOR='code --wait'"
_EXAMPLES = {"yaml": _YAML_EXAMPLE, "json": _JSON_EXAMPLE}


def edit(
    console: Console,
    *,
    file: str,
    ignore_mac: bool,
    input_type: str | None,
    config: str | None,
    **keys_and_selection: Value,
) -> None:
    """Edit one encrypted file; make it from an example where there is none."""
    path = fileio.resolve(file)
    format = files.format_of(file, input_type)
    rule: Rule | None = None
    enc: str | None = None
    try:
        enc = fileio.read_text(path)
    except MissingFileError:
        from encconf.cli.rule import find_rule

        rule = find_rule(console, file, also=(), config=config, **keys_and_selection)
        plain = _EXAMPLES[format]
    else:
        try:
            plain = api.decrypt(enc, format=format, ignore_mac=ignore_mac, notify=console.warn)
        except EncconfError as error:
            raise error.about(file) from None
        if ignore_mac:  # then it cannot be trusted with its own data key either
            from encconf.cli.rule import rule_of

            rule = rule_of(enc, format)
    fileio.check_writable(path)
    _Session(console, file, path, format, rule, enc, plain).run()
    console.note(f"wrote {file}")


class _Session:
    """One text in the editor, from opening to the encrypted file.

    ``enc`` is the existing encrypted text, None for a new file; ``rule`` None where the existing
    text's own keys and selection are kept.
    """

    __slots__ = ("console", "enc", "file", "format", "path", "plain", "rule")

    def __init__(
        self,
        console: Console,
        file: str,
        path: str,
        format: str,
        rule: Rule | None,
        enc: str | None,
        plain: str,
    ) -> None:
        self.console = console
        self.file = file
        self.path = path
        self.format = format
        self.rule = rule
        self.enc = enc
        self.plain = plain

    def run(self) -> None:
        """Edit until it is written.  Raises NotModifiedError, EditorError, or why it cannot be written."""
        command = editor_command(self.console.environ)
        with fileio.PrivateFolder(self.console.environ) as folder:
            draft = os.path.join(folder, os.path.basename(self.file))
            fileio.write_private(draft, self.plain)
            while True:
                started = time.monotonic()
                run_editor(command, draft, self.console.environ)
                if not os.path.exists(draft):
                    raise EditorError("the editor removed the text; nothing was changed").about(self.file)
                try:
                    edited = fileio.read_text(draft)
                    if edited == self.plain:
                        at_once = time.monotonic() - started < 1 and self.console.can_ask()
                        raise NotModifiedError("nothing was changed", hint=_WAIT if at_once else None)
                    self._write(edited)
                    return
                except NotModifiedError as error:
                    raise error.about(self.file) from None
                except EncconfError as error:
                    error.file = self.file
                    self._offer_again(error)

    def _write(self, edited: str) -> None:
        while True:
            enc = api.encrypt(
                edited, self.rule, format=self.format, twin=self.enc, notify=self.console.warn
            )
            try:
                fileio.write_atomic(self.path, enc, replacing=self.enc)
                return
            except ChangedError as error:
                if not self.console.can_ask():
                    raise
                error.hint = None
                self.console.error(error.about(self.file))
                if not self._ask("write your text over what is there now? [y/N]").lower().startswith("y"):
                    raise ChangedError("your text was not written over it", hint=None) from None
                self.enc = fileio.read_text(self.path)

    def _offer_again(self, error: EncconfError) -> None:
        """Ask whether to go on editing; raises the error if not, or if nobody can be asked."""
        untouched = f"{self.file} is as it was" if self.enc is not None else f"{self.file} was not made"
        if not self.console.can_ask():
            error.hint = f"{untouched}, and your changes are gone; edit it on a terminal to be asked instead"
            raise error
        self.console.error(error)
        answer = self._ask("Enter opens the editor again; q gives up, and your changes are lost:")
        if answer.lower().startswith("q"):
            error.hint = untouched
            raise error

    def _ask(self, question: str) -> str:
        try:
            return self.console.ask(question)
        except EOFError:
            return "q"
