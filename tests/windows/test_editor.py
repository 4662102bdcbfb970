"""The editor on Windows: which one, from which command line, and who gets Ctrl-C."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

import pytest
from project import Project

from encconf.errors import EditorError
from encconf.verbs.edit import editor_command, run_editor


def test_notepad_is_the_last_resort(tmp_path: Path) -> None:
    (tmp_path / "notepad.exe").write_bytes(b"MZ")
    assert [Path(each).name.lower() for each in editor_command({"PATH": str(tmp_path)})] == ["notepad.exe"]
    (tmp_path / "vim.exe").write_bytes(b"MZ")
    assert Path(editor_command({"PATH": str(tmp_path)})[0]).name.lower() == "vim.exe"


@pytest.mark.parametrize(
    ("setting", "rest"),
    [("{}", []), ('"{}" --wait', ["--wait"]), ("'{}' -n 'a b'", ["-n", "a b"])],
)
def test_a_path_keeps_its_backslashes_and_spaces(tmp_path: Path, setting: str, rest: list[str]) -> None:
    program = tmp_path / "Program Files" / "ed.exe"
    program.parent.mkdir()
    program.write_bytes(b"MZ")
    assert editor_command({"EDITOR": setting.format(program)}) == [str(program), *rest]


def test_a_batch_file_edits(sealed: Project) -> None:
    """As ``code --wait`` does, which is code.cmd."""
    code = sealed.write("append.py", "import sys; open(sys.argv[-1], 'a').write('new: 1\\n')")
    sealed.write("tools/code.cmd", f'@"{sys.executable}" "{code}" %*\r\n')
    environ = {"EDITOR": "code --wait", "PATH": str(sealed.path("tools"))}
    sealed.run("edit", "secrets.enc.yaml", environ=environ)
    assert sealed.run("get", "secrets.enc.yaml", "new").out == "1"


def test_ctrl_c_is_for_the_editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The editor goes on, and so does encconf."""
    monkeypatch.setattr("encconf.verbs.edit.is_terminal", lambda _: True)
    path = tmp_path / "file"
    code = "import sys, time; time.sleep(2); open(sys.argv[1], 'w').write('edited')"
    for number in (signal.SIGINT, signal.SIGBREAK):  # type: ignore[attr-defined]
        path.write_text("")
        threading.Timer(1, signal.raise_signal, [number]).start()
        run_editor([sys.executable, "-c", code], str(path), {})
        assert path.read_text() == "edited"


def test_an_editor_that_ctrl_c_ended(tmp_path: Path) -> None:
    code = "import ctypes; ctypes.WinDLL('kernel32').ExitProcess({})"
    with pytest.raises(KeyboardInterrupt):
        run_editor([sys.executable, "-c", code.format(0xC000013A)], "file", {})
    with pytest.raises(EditorError, match="exit code 3221225477"):
        run_editor([sys.executable, "-c", code.format(0xC0000005)], "file", {})
