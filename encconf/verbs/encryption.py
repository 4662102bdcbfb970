"""One file to encrypt: its plaintext, the file to write, and the rule to encrypt it by."""

from __future__ import annotations

import os
from collections.abc import Callable

from encconf.cli import files
from encconf.cli.console import Console, one_line
from encconf.cli.options import flag, text
from encconf.cli.rule import find_rule
from encconf.engine import sealing
from encconf.errors import EmptyDocumentError, InputError, OutputError, UsageError, about
from encconf.formats import sniff
from encconf.identities.credentials import Credentials
from encconf.io import fileio
from encconf.rules.config import Config
from encconf.rules.names import encrypted_name
from encconf.rules.selection import KINDS
from encconf.text.document import Document
from encconf.text.printable import quoted
from encconf.verbs.encrypt import plain_as, refuse_encrypted


class Job:
    """One file to encrypt: its plaintext, the file to write, and the rule to encrypt it by.

    ``warn`` is called with warnings and their hints.  The caller prints ``hint`` after the file is written.
    ``read`` caches .sops.yaml files.  Raises UsageError, OutputError, and the errors of finding the rule.
    """

    def __init__(
        self,
        source: files.Source,
        warn: Callable[..., None],
        read: dict[str, Config] | None = None,
    ) -> None:
        options = source.options
        self.source, self.in_place = source, flag(options, "in_place")
        self._force, self._warn, self.hint = flag(options, "force"), warn, ""
        # A selection of the command line is meant, also if it leaves more values in plaintext.
        self._may_expose = self._force or any(options.get(kind) for kind in KINDS)
        self._input_type, output_type = text(options, "input_type"), text(options, "output_type")
        self.format = source.format
        self.written = self.format if output_type is None else files.format_by_name(source.name, output_type)
        self.target = target = _target(source, text(options, "output"), in_place=self.in_place)
        self.rule = find_rule(
            text(options, "filename_override") or target or encrypted_name(source.name) or source.name,
            options,
            also=[source.name],
            read=read,
            notify=warn,
        )
        self.enc = ""
        self.twin: str | None = None
        self._replacing: str | fileio.Anything | None = source.text
        if target is not None and not self.in_place:
            self._replacing = self._existing(target)

    def _existing(self, target: str) -> str | fileio.Anything | None:
        """Return the text that may be replaced.  If it is encrypted, it is the ``twin``.

        Raises OutputError, unless --force was given, if it is not encrypted, or encrypted in another format,
        so it cannot be an old version.
        """
        if fileio.is_special(target):
            return fileio.ANYTHING
        try:
            there = fileio.read_existing(fileio.resolve(target))
        except InputError:  # such as a program, which is not text
            there = ""
        if there is None:
            return None
        found, wrong = sniff.find(there, target), ""
        if found is None:
            wrong = "exists and is not encrypted"
        elif self._is_other_format(found):
            wrong = f"is encrypted {found}, and it would be replaced by encrypted {self.written}"
        if wrong and not self._force:
            hint = "choose another file with -o FILE, or overwrite it with --force"
            raise OutputError(f"this file {wrong}", hint=hint).about(target)
        if found is None:
            return fileio.ANYTHING
        self.twin = there
        return there

    def _is_other_format(self, format: str | None) -> bool:
        """Whether a format differs from the one that is written.  YAML and JSON count as the same."""
        return format != self.written and {format, self.written} != {"yaml", "json"}

    def plain(self) -> Document:
        """Scan the plaintext.  Raises AlreadyEncryptedError, ParseError, and EmptyDocumentError.

        An empty text replaces no encrypted file without --force: often, the program that writes it failed.
        """
        with about(self.source.label):
            if self._input_type != "binary":
                refuse_encrypted(self.source.text, self.source.name, self.format)
            plain = sealing.scan_plain(self.source.text, self.format)
            if self.twin is not None and not self._force and not self.source.text.strip():
                raise EmptyDocumentError(
                    f"the plaintext is empty, and would replace {self.target}",
                    hint="to replace the file anyway, use --force",
                )
            return plain

    def encrypt(self, credentials: Credentials) -> None:
        """Set ``enc`` to the encrypted text.  Raises as `plain`, and the errors of encrypting."""
        plain, warn = self.plain(), self._warn
        with about(self.source.label):
            text = plain_as(plain, self.format, self.written, whole=True)
            twin = sealing.opened_twin(self.twin, self.rule, self.written, credentials, warn)
            if self.twin is not None and not self._may_expose:
                from encconf.verbs.checks import refuse_exposed

                refuse_exposed(twin.document if twin else self.twin, text, self.written, self.rule.selection)
            self.enc = sealing.encrypt(
                text, self.rule, format=self.written, twin=twin, credentials=credentials, notify=warn
            )

    def write(self, console: Console) -> bool:
        """Write the encrypted text to ``target`` or stdout.  Returns False if ``target`` is up to date."""
        if self.target is None:
            console.data(self.enc)
            return True
        if self.enc == self.twin:
            console.note(f"{one_line(self.target)} is up to date")
            return False
        path = self.source.path if self.in_place else fileio.resolve(self.target)
        assert path is not None
        with about(self.target, instead=path):
            fileio.write_atomic(path, self.enc, replacing=self._replacing)
        found = sniff.find(self.enc, self.target)
        if self._is_other_format(found):
            self._warn(
                f"the name {self.target} means {found or 'text'}, but the content is {self.written}",
                f"choose another name, or open the file with --input-type {self.written}",
            )
        if self.written == "dotenv" and os.path.basename(self.target)[:1] == ".":  # such as .env.production
            self.hint = "encconf import FILE creates YAML instead"
        console.note(f"wrote {one_line(self.target)}")
        return True


def _target(source: files.Source, output: str | None, *, in_place: bool) -> str | None:
    """Return the name of the file to write, or None for stdout."""
    file = source.label
    if in_place:
        return file
    if output is not None:
        return None if output in fileio.STDOUT else output
    if source.path is None:
        return None
    name = encrypted_name(file)
    if not name:
        word = quoted(file)
        raise UsageError(
            "this is already the name of an encrypted file",
            hint=f"to change it: encconf edit {word}; to encrypt it in place: encconf encrypt -i {word}",
        ).about(file)
    return name
