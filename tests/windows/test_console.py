"""The console of Windows: characters of any language on it and from it, colors, and NUL, which is none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from project import ROOT, Project

OUT = "import sys; sys.stderr = out = open('out', 'w', encoding='utf-8')"
CONSOLE = """
import ctypes, msvcrt, os, sys
from ctypes import wintypes

kernel32 = ctypes.WinDLL("kernel32")
os.dup2(os.open("CONIN$", os.O_RDWR), 0)
os.dup2(os.open("CONOUT$", os.O_RDWR), 1)
handles = [ctypes.c_void_p(msvcrt.get_osfhandle(number)) for number in (0, 1)]

class Key(ctypes.Structure):
    _fields_ = [
        ("kind", wintypes.WORD), ("down", wintypes.BOOL), ("count", wintypes.WORD), ("code", wintypes.WORD),
        ("scan", wintypes.WORD), ("char", wintypes.WCHAR), ("control", wintypes.DWORD),
    ]

def type_(text):
    for char in text:
        for down in (1, 0):
            code = 13 if char == "\\r" else 0
            key = Key(1, down, 1, code, 0, char, 0)
            kernel32.WriteConsoleInputW(handles[0], ctypes.byref(key), 1, ctypes.byref(ctypes.c_ulong()))

def screen(lines):
    found = []
    for line in range(lines):
        buffer = ctypes.create_unicode_buffer(61)
        place = wintypes._COORD(0, line)
        kernel32.ReadConsoleOutputCharacterW(handles[1], buffer, 60, place, ctypes.byref(ctypes.c_ulong()))
        found.append(buffer.value.rstrip())
    return found
"""
"""A process that was started with CREATE_NO_WINDOW has a console that nobody sees."""


def on_a_console(code: str, folder: Path, *args: str) -> str:
    """Run a piece of code in a process with a console.  Returns what it writes to the file ``out``."""
    words = [sys.executable, "-c", f"{OUT}\n{CONSOLE}\n{code}", *args]
    nothing = subprocess.DEVNULL
    subprocess.run(
        words,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        creationflags=subprocess.CREATE_NO_WINDOW,  # type: ignore[attr-defined]
        stdin=nothing,
        stdout=nothing,
        stderr=nothing,
        timeout=60,
        check=False,
    )
    return (folder / "out").read_text(encoding="utf-8")


def test_any_character_is_shown_and_read(tmp_path: Path) -> None:
    code = """
from encconf.io import fileio
fileio.write_stdout("höst 日本\\n")
fileio.write_stdout("zwei\\n".encode())
type_("grün €\\r\\x1a\\r")
text = fileio.read_stdin()
print(screen(2), repr(text), file=out)
"""
    assert on_a_console(code, tmp_path) == "['höst 日本', 'zwei'] 'grün €\\r\\n'\n"


def test_a_value_is_shown_by_get(sealed: Project) -> None:
    sealed.run("set", "secrets.enc.yaml", "db.host", "höst-日本")
    code = """
import sys
from encconf.cli import main
os.environ["SOPS_AGE_KEY"] = sys.argv[1]
main(["get", "secrets.enc.yaml", "db.host"])
print(screen(1), file=out)
"""
    assert on_a_console(code, sealed.folder, sealed.key.identity) == "['höst-日本']\n"


def test_the_editor_of_a_text_from_stdin_has_the_console(sealed: Project) -> None:
    sealed.write(
        "editor.py",
        "import sys; from encconf.io.descriptors import is_terminal\n"
        "open(sys.argv[-1], 'a').write('new: 1\\n')\n"
        "open('seen', 'w').write(f'{is_terminal(0)} {is_terminal(1)}')\n",
    )
    code = """
from encconf.cli import main
os.environ["SOPS_AGE_KEY"] = sys.argv[1]
os.environ["EDITOR"] = f'"{sys.executable}" editor.py'
os.dup2(os.open("secrets.enc.yaml", os.O_RDONLY), 0)
os.dup2(os.open("printed.yaml", os.O_WRONLY | os.O_CREAT | os.O_BINARY), 1)
print(main(["edit", "-"]), file=out)
"""
    assert on_a_console(code, sealed.folder, sealed.key.identity) == "0\n"
    assert sealed.read("seen") == "True True"
    assert sealed.run("get", "printed.yaml", "new").out == "1"


def test_colors_are_switched_on(tmp_path: Path) -> None:
    code = """
from encconf.cli.console import wants_color
def mode():
    found = wintypes.DWORD()
    kernel32.GetConsoleMode(handles[1], ctypes.byref(found))
    return found.value & 4
kernel32.SetConsoleMode(handles[1], 3)
before = mode()
print(before, wants_color(None, 1, {}), mode(), wants_color(None, 1, {"NO_COLOR": "1"}), file=out)
"""
    assert on_a_console(code, tmp_path) == "0 True 4 False\n"


def test_nul_is_not_a_terminal(sealed: Project) -> None:
    code = "import os; from encconf.io.descriptors import is_terminal; print(os.isatty(0), is_terminal(0))"
    words, nothing = [sys.executable, "-c", code], subprocess.DEVNULL
    done = subprocess.run(words, stdin=nothing, cwd=ROOT, capture_output=True, timeout=60, check=True)
    assert done.stdout.split() == [b"True", b"False"]
    with sealed.popen("set", "secrets.enc.yaml", "db.host", stdin=nothing, stderr=subprocess.PIPE) as process:
        said = process.communicate(timeout=60)[1]  # it waited for keys on the console
    assert b"no value was given" in said
