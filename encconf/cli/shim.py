"""``encconf shim``: a program called ``sops`` that is encconf.

It is not installed with encconf, where it would hide a real sops.  The interpreter is isolated: neither
PYTHONPATH nor PYTHONHOME changes what it imports.  The programs that it starts still get these variables.
"""

from __future__ import annotations

import os
import sys

from encconf.cli import files
from encconf.errors import MissingFileError, OutputError
from encconf.io import fileio

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.cli.console import Console

_MARK = "from encconf.cli import run"


def shim(console: Console, *, folder: str) -> None:
    """Write the program into a folder; one that is not encconf's is never written over."""
    if not os.path.isdir(folder):
        raise OutputError("there is no such folder").about(folder)
    path = os.path.join(os.path.realpath(folder), "sops")
    try:
        old = fileio.read_text(path)
    except MissingFileError:
        old = None
    if old is not None and _MARK not in old:
        raise OutputError("there is another sops already").about(path)
    fileio.write_atomic(path, f"{_start()}{_MARK}\n\nrun()\n", mode=0o755, replacing=old)
    os.chmod(path, 0o755)
    console.note(f"wrote {path}")


def _start() -> str:
    """The first lines of the program, which start the interpreter that runs encconf now."""
    import site

    # -I ignores the user's own packages, too; encconf may be one of them.
    own = site.ENABLE_USER_SITE and __file__.startswith(site.getusersitepackages())
    options = "-EP" if own else "-I"
    if " " not in sys.executable and len(sys.executable) < 100:
        return f"#!{sys.executable} {options}\n"
    # Such a path cannot be in the first line.  What a shell executes here is a string to Python.
    return f"#!/bin/sh\n'''exec' {files.quoted(sys.executable)} {options} \"$0\" \"$@\"\n' '''\n"
