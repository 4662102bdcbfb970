"""``encconf shim``: a program called ``sops`` that is encconf.

It is not installed with encconf, where it would stand in the way of a real sops.
"""

from __future__ import annotations

import os
import sys

from encconf import fileio
from encconf.errors import MissingFileError, OutputError

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
    fileio.write_atomic(path, f"#!{sys.executable}\n{_MARK}\n\nrun()\n", mode=0o755, replacing=old)
    os.chmod(path, 0o755)
    console.note(f"wrote {path}")
