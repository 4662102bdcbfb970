"""``encconf decrypt``."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from encconf.cli import files
from encconf.cli.console import Console
from encconf.cli.options import Value, flag, text
from encconf.engine import plaintext
from encconf.errors import about
from encconf.identities.credentials import Credentials
from encconf.io.fileio import PRIVATE
from encconf.text.path import parse


def decrypt(console: Console, *, file: list[str], **options: Value) -> None:
    """Decrypt a file to stdout, to another file or in place; a file of plaintext gets mode 0600."""
    if flag(options, "dry_run") or files.are_many(file, options):
        from encconf.cli.decrypt_many import decrypt_many

        decrypt_many(console, file, options, decrypted)
        return
    in_place, output = flag(options, "in_place"), text(options, "output")
    source = files.read(
        file[0] if file else None,
        in_place=in_place,
        output=output,
        override=text(options, "filename_override"),
    )
    plain = decrypted(source, options, files.credentials(console), console.warn)
    written = files.write(console, plain, source, in_place=in_place, output=output, mode=PRIVATE)
    if written is not None:
        files.warn_if_exposed(console, [written])


def decrypted(
    source: files.Source,
    options: Mapping[str, Value],
    credentials: Credentials,
    notify: Callable[[str], None],
) -> str:
    """The plaintext, or the part of it that --extract names, in the format of --output-type."""
    input_type, output_type = text(options, "input_type"), text(options, "output_type")
    target = files.format_by_name(source.name, output_type) if output_type else source.format(input_type)
    path = parse(text(options, "extract") or "")
    opened = source.open(input_type, credentials, notify, ignore_mac=flag(options, "ignore_mac"))
    with about(source.label):
        if path or output_type:
            from encconf.verbs.convert import converted, stores_indent

            name = None if source.path is None else source.name
            indent = stores_indent(target, config=text(options, "config"), target=name)
            return converted(opened, target, path=path, indent=indent, requested=output_type is not None)
        return plaintext.plain_text(opened)
