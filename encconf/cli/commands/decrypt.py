"""``encconf decrypt``."""

from __future__ import annotations

from encconf.cli import files
from encconf.cli.console import Console
from encconf.cli.options import Value, flag, text
from encconf.errors import ConflictError
from encconf.io import fileio


def decrypt(console: Console, *, file: list[str], **options: Value) -> None:
    """Decrypt a file to stdout, to another file or in place, or several files.  New files have mode 0600."""
    if flag(options, "dry_run") or files.are_many(file, options):
        from encconf.cli.decrypt_many import decrypt_many

        decrypt_many(console, file, options)
        return
    in_place, output = flag(options, "in_place"), text(options, "output")
    source = files.read(file[0] if file else None, options)
    to_file = output is not None and output not in fileio.STDOUT
    replaces = in_place or (to_file and fileio.resolve(str(output)) == source.path)
    if replaces and text(options, "extract"):
        raise ConflictError(
            "--extract would replace the whole file with one value",
            hint="the other values would be lost; to write this one to another file, use -o",
        )
    plain = source.decrypted(files.credentials(console), console.warn)
    written = files.write(console, plain, source if in_place else None, output, mode=fileio.PRIVATE)
    if written is not None:
        files.warn_if_exposed(console, [written])
