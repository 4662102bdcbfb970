"""``encconf encrypt``."""

from __future__ import annotations

import os
import stat

from encconf.cli import files
from encconf.cli.console import Console
from encconf.cli.encryption import Job
from encconf.cli.options import Value, flag
from encconf.text.printable import quoted


def encrypt(console: Console, *, file: list[str], **options: Value) -> None:
    """Encrypt a file to the file next to it, in place, to another file or to stdout; or several files."""
    if flag(options, "dry_run") or files.are_many(file, options):
        from encconf.cli.encrypt_many import encrypt_many

        encrypt_many(console, file, options)
        return
    name = file[0] if file else None
    job = Job(files.read(name, options, plain=True), console.warn)
    job.encrypt(files.credentials(console))
    job.write(console)
    if job.hint:
        console.hint(job.hint)
    if job.target is not None and not options.get("output") and not job.in_place and _is_redirected():
        console.hint(
            "unlike sops, this prints nothing to stdout; to print it: "
            f"encconf encrypt -o - {quoted(job.source.label)}"
        )
    if name is not None and job.source.path is not None and not job.in_place:
        files.warn_if_exposed(console, [name])


def _is_redirected() -> bool:
    """Whether stdout is a regular file, which suggests that the user expects the result in it."""
    try:
        return stat.S_ISREG(os.fstat(1).st_mode)
    except OSError:
        return False
