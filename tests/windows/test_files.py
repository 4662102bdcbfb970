"""Files on Windows: locks, files that other programs have open, and what killed processes leave behind."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from oracle import AgeKey
from project import ROOT, Project

from encconf.errors import InputError, OutputError
from encconf.io import fileio, private, process, replace
from encconf.io.locks import Claim, LockedFolder

SHARED = 3
"""FILE_SHARE_READ and FILE_SHARE_WRITE: what most programs that have a file open allow others."""

ADD_ONES = """
import sys
from encconf.errors import ChangedError
from encconf.io import fileio
from encconf.io.locks import Turn
path, done = sys.argv[1], 0
while done < 40:
    with Turn(path):
        old = fileio.read_text(path)
        try:
            fileio.write_atomic(path, str(int(old) + 1), replacing=old)
        except ChangedError:
            continue
    done += 1
"""

HOLD_A_CLAIM = """
import sys, time
from encconf.io.locks import Claim
claim = Claim(sys.argv[1])
print(claim.take(), flush=True)
time.sleep(60)
"""

HOLD_A_FOLDER = """
import sys, time
from encconf.io.private import PrivateFolder, write_private
with PrivateFolder({"TEMP": sys.argv[1]}) as path:
    write_private(path + "/plain.yaml", "password: hunter2")
    print(path, flush=True)
    time.sleep(60)
"""


@contextlib.contextmanager
def python(code: str, *args: object) -> Iterator[str]:
    """Run a piece of code in another process, which is killed in the end.  Yields its first line."""
    words = [sys.executable, "-c", code, *map(str, args)]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, cwd=ROOT, stdout=pipe, stdin=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        yield os.fsdecode(process.stdout.readline()).strip()
        process.kill()


class Held:
    """``with Held(path, share):`` — another program has the file open; ``share`` is what others may do."""

    def __init__(self, path: Path, share: int) -> None:
        self.path, self.share = path, share

    def __enter__(self) -> Held:
        create = ctypes.WinDLL("kernel32").CreateFileW
        create.restype = ctypes.c_void_p
        self.handle = create(str(self.path), 0x80000000, self.share, None, 3, 0, None)
        assert self.handle not in (None, ctypes.c_void_p(-1).value)
        return self

    def __exit__(self, *_: object) -> None:
        ctypes.WinDLL("kernel32").CloseHandle(ctypes.c_void_p(self.handle))


def test_no_update_of_three_writers_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "number.txt"
    path.write_text("0")
    words = [sys.executable, "-c", ADD_ONES, str(path)]
    writers = [subprocess.Popen(words, cwd=ROOT, stdin=subprocess.DEVNULL) for _ in range(3)]
    assert [writer.wait(300) for writer in writers] == [0, 0, 0]
    assert path.read_text() == "120"
    assert os.listdir(tmp_path) == ["number.txt"]


def test_one_claim_at_a_time_and_none_of_the_dead(tmp_path: Path) -> None:
    first, second = Claim(str(tmp_path)), Claim(f"{tmp_path}\\.\\".upper())
    assert first.take()
    assert not second.take()
    first.release()
    assert second.take()
    second.release()
    with python(HOLD_A_CLAIM, tmp_path) as said:
        assert said == "True"
        assert not first.take()
    assert first.take(10)
    first.release()


def test_what_a_killed_write_left_is_removed_but_not_while_another_runs(tmp_path: Path) -> None:
    (tmp_path / ".encconf-0123abcd").write_text("unfinished")
    with LockedFolder(str(tmp_path)) as at:
        assert at.locked
        swept: list[list[str]] = []
        sweeper = threading.Thread(target=lambda: swept.append(replace.sweep(str(tmp_path))))
        sweeper.start()
        time.sleep(0.2)
        assert os.listdir(tmp_path) == [".encconf-0123abcd"]
    sweeper.join()
    assert swept == [[".encconf-0123abcd"]]
    assert os.listdir(tmp_path) == []


def test_the_plaintext_of_a_killed_process_is_removed_by_the_next_one(tmp_path: Path) -> None:
    with python(HOLD_A_FOLDER, tmp_path) as folder:
        private.sweep_private(str(tmp_path))
        assert os.listdir(folder) == ["plain.yaml"]  # its process lives
    assert os.listdir(folder) == ["plain.yaml"]
    with private.PrivateFolder({"TEMP": str(tmp_path)}) as path:
        assert os.listdir(tmp_path) == [os.path.basename(path)]
        with private.PrivateFolder({"TEMP": str(tmp_path)}) as inner:  # in the same thread
            assert {path, inner} == {str(each) for each in tmp_path.iterdir()}
    assert os.listdir(tmp_path) == []


def test_ctrl_break_removes_the_plaintext(tmp_path: Path) -> None:
    def interrupted() -> None:
        with private.PrivateFolder({"TEMP": str(tmp_path)}) as path:
            private.write_private(f"{path}/plain.yaml", "password: hunter2")
            signal.raise_signal(signal.SIGBREAK)  # type: ignore[attr-defined]
            time.sleep(5)

    with pytest.raises(SystemExit) as ended:
        interrupted()
    assert ended.value.code == 128 + signal.SIGBREAK  # type: ignore[attr-defined]
    assert os.listdir(tmp_path) == []
    assert signal.getsignal(signal.SIGBREAK) == signal.SIG_DFL  # type: ignore[attr-defined]
    with process.SignalGuard():
        assert signal.getsignal(signal.SIGBREAK) != signal.SIG_DFL  # type: ignore[attr-defined]


def test_a_file_that_is_read_only_is_no_plaintext_left_behind(tmp_path: Path) -> None:
    with private.PrivateFolder({"TEMP": str(tmp_path)}) as path:
        private.write_private(f"{path}/plain.yaml", "password: hunter2")
        os.chmod(f"{path}/plain.yaml", 0o400)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("share", [0, SHARED])
def test_a_file_that_another_program_has_open_is_not_half_written(tmp_path: Path, share: int) -> None:
    path = tmp_path / "secrets.yaml"
    path.write_text("old")
    began = time.monotonic()
    with Held(path, share), pytest.raises(OutputError) as found:
        fileio.write_atomic(str(path), "new content", replacing="old" if share else fileio.ANYTHING)
    assert found.value.message == "cannot be written: another program has it open"
    assert found.value.file == str(path)
    assert 2 <= time.monotonic() - began < 20
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["secrets.yaml"]


@pytest.mark.parametrize("share", [0, SHARED])
def test_a_file_that_is_closed_soon_is_replaced(tmp_path: Path, share: int) -> None:
    path = tmp_path / "secrets.yaml"
    path.write_text("old")
    held = Held(path, share).__enter__()
    threading.Timer(0.5, held.__exit__).start()
    fileio.write_atomic(str(path), "new", replacing="old")
    assert path.read_text() == "new"


def test_a_file_that_another_program_keeps_for_itself_is_read_soon_or_named(tmp_path: Path) -> None:
    path = tmp_path / "secrets.yaml"
    path.write_text("old")
    with Held(path, 0), pytest.raises(InputError) as found:
        fileio.read_text(str(path))
    assert found.value.message == "cannot be read: another program has it open"
    held = Held(path, 0).__enter__()
    threading.Timer(0.5, held.__exit__).start()
    assert fileio.read_text(str(path)) == "old"


def test_a_new_file_replaces_none_that_another_program_made_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "new.yaml"
    real = os.fsync

    def others_first(descriptor: int) -> None:
        real(descriptor)
        if not path.exists():
            path.write_text("theirs")

    monkeypatch.setattr(os, "fsync", others_first)
    with pytest.raises(OutputError):
        fileio.write_atomic(str(path), "ours", replacing=None)
    assert path.read_text() == "theirs"
    assert os.listdir(tmp_path) == ["new.yaml"]


@pytest.mark.parametrize("end", ["/", "\\", "/.", "\\."])
def test_a_name_with_a_slash_at_its_end_is_a_folder(project: Project, end: str) -> None:
    project.write("out", "a file")
    with pytest.raises(InputError, match="its name ends with"):
        fileio.resolve(str(project.path("out")) + end)
    with pytest.raises(OutputError, match="no such folder"):
        fileio.resolve(str(project.path("none")) + end)


def test_names_that_are_no_files_are_errors(sealed: Project) -> None:
    sealed.path("folder").mkdir()
    assert "folder is a folder" in sealed.run("decrypt", "folder", code=1).err
    with pytest.raises(InputError, match="it is a folder"):
        fileio.read_text(str(sealed.path("folder")))
    name = "x" * 400
    assert "error[no-such-file]" in sealed.run("decrypt", f"{name}.yaml", code=100).err
    written = sealed.run("encrypt", "secrets.yaml", "-o", f"{name}.enc.yaml", code=3).err
    assert "error[unwritable]" in written


@pytest.mark.parametrize(
    ("name", "said"),
    [
        *((name, "a device of this name") for name in ("nul.enc.yaml", "Aux.yaml", "CON", "com1")),
        *((name, "drops the dots and spaces") for name in ("plain.yaml.", "plain.yaml. ", ".\\a.yaml ")),
        *((name, "contains a colon") for name in ("plain.yaml:b", "plain.yaml::$DATA", r"c:\a.yaml:b")),
    ],
)
def test_a_name_that_windows_uses_for_something_else(name: str, said: str) -> None:
    """`aux.yaml` would be written to a device, and `plain.yaml.` encrypted as a binary file."""
    with pytest.raises(InputError, match=said):
        fileio.resolve(name)


def test_other_names_with_dots_colons_and_devices(project: Project) -> None:
    for name in (".", "..", "C:plain.yaml", "auxiliary.yaml", "a.con", rf"\\?\{project.folder}\aux.yaml"):
        fileio.resolve(name)
    project.rules()
    project.write("plain.yaml", "a: 1\n")
    assert project.run("encrypt", "-i", "plain.yaml.", code=2).err.endswith("did you mean plain.yaml?\n")
    assert project.read("plain.yaml") == "a: 1\n"
    project.run("encrypt", "-o", "NUL", "plain.yaml")
    assert "no creation_rules" in project.run("encrypt", "--config", "NUL", "plain.yaml", code=1).err


def test_a_named_pipe_is_read_or_an_error(project: Project) -> None:
    """PowerShell has no `<(…)`, but programs make pipes with names."""
    with pytest.raises(InputError, match=r"cannot be used|no such file"):
        fileio.read_text(fileio.resolve(r"\\.\pipe\encconf-nothing"))


def test_a_key_file_that_powershell_wrote_opens_files(sealed: Project) -> None:
    keys = sealed.home / "keys.txt"
    keys.write_bytes(f"# created\r\n{sealed.key.identity}\r\n".encode("utf-16"))
    environ = {"SOPS_AGE_KEY": "", "SOPS_AGE_KEY_FILE": str(keys)}
    assert "hunter2" in sealed.run("decrypt", "secrets.enc.yaml", environ=environ).out


def test_the_armor_of_a_data_key_has_the_line_ends_of_sops(sealed: Project, age_key: AgeKey) -> None:
    text = sealed.read("secrets.enc.yaml")
    assert "\r" not in text
    assert "enc: |\n" in text
    sealed.write("secrets.env", "PASSWORD=hunter2\n")
    sealed.run("encrypt", "secrets.env")
    enc = sealed.read("secrets.enc.env")
    assert "\r" not in enc
    assert "\\r" not in enc
