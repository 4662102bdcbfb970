"""``encconf shim``: write a program called ``sops`` that runs encconf.

Installing encconf does not install it, because it would hide a real sops.  Its interpreter is isolated:
PYTHONPATH and PYTHONHOME do not change what it imports.  The programs that it starts still get them.

On Windows it is ``sops.cmd``, which shells find as ``sops``.  A program that looks for ``sops.exe`` does not
find it.
"""

from __future__ import annotations

import os
import sys

from encconf.cli.command import Argument, Command
from encconf.cli.console import Console
from encconf.errors import OutputError
from encconf.io import trust
from encconf.record import VerbOptions
from encconf.text.printable import quoted
from encconf.verbs import files

_MARK = "from encconf.cli import run"


class Options(VerbOptions):
    folder: str


def shim(options: Options, console: Console) -> None:
    """Write the program into a folder.  Raises OutputError if the folder has a sops that is not encconf's."""
    folder = options.folder
    if not os.path.isdir(folder):
        raise OutputError("this folder does not exist", hint=f"mkdir -p {quoted(folder)}").about(folder)
    windows = os.name == "nt"
    path = trust.fixed(folder, "sops.cmd" if windows else "sops")
    text = _batch() if windows else f"{_start()}{_MARK}\n\nrun()\n"
    files.write_own(path, text, _MARK, mode=0o755)
    os.chmod(path, 0o755)
    console.note(f"wrote {path}")


SHIM = Command(
    "shim",
    """Install encconf under the name sops.

    Writes a launcher named sops to FOLDER, for programs that call sops: a drop-in replacement with the same
    arguments and exit codes.
    """,
    Options,
    shim,
    arguments=[Argument("folder")],
    examples=["encconf shim ~/bin"],
)


def _options() -> str:
    """Return the interpreter's options.

    -I would also ignore the packages of the user, and with them an encconf that is installed there.
    """
    import site

    own = site.ENABLE_USER_SITE and __file__.startswith(site.getusersitepackages())
    return "-EP" if own else "-I"


def _batch() -> str:
    """Return the program for Windows, which does not support ``#!`` lines."""
    python = sys.executable.replace("%", "%%")
    code = f"import sys; sys.argv[0] = 'sops'; {_MARK}; run()"
    return f'@echo off\r\n"{python}" {_options()} -c "{code}" %*\r\n'


def _start() -> str:
    """Return the first lines of the program, which start the interpreter that is running now."""
    options = _options()
    if " " not in sys.executable and len(sys.executable) < 100:
        return f"#!{sys.executable} {options}\n"
    # The path in a `#!` line must be short and without blanks.  Otherwise the shell runs these lines, which
    # are a string to Python.
    return f"#!/bin/sh\n'''exec' {quoted(sys.executable)} {options} \"$0\" \"$@\"\n' '''\n"
