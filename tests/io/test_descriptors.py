"""What a path of a descriptor names."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

from encconf.io import fileio

from .processes import python

ROOT = Path(__file__).resolve().parents[2]


class TestDescriptors:
    """--output may be a pipe that a path names."""

    CODE = (
        "import sys; from encconf.io import fileio; fileio.write_atomic(fileio.resolve(sys.argv[1]), 'new')"
    )

    def test_a_pipe_is_written(self) -> None:
        done = python(self.CODE, "/dev/stderr")
        assert done.stderr == b"new"

    def test_a_process_substitution(self) -> None:
        script = 'exec 3>&1; "$0" -c "$1" >(cat >&3); wait $!'
        done = subprocess.run(
            ["bash", "-c", script, sys.executable, self.CODE],
            cwd=ROOT,
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert done.stdout == b"new", done.stderr

    def test_a_socket_is_written(self) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            done = python(self.CODE, f"/dev/fd/{theirs.fileno()}", pass_fds=(theirs.fileno(),))
            assert done.returncode == 0, done.stderr
            assert ours.recv(10) == b"new"

    def test_a_file_that_is_open_goes_on(self, tmp_path: Path) -> None:
        path = tmp_path / "x"
        with path.open("w") as file:
            file.write("before ")
            file.flush()
            python(self.CODE, "/dev/stderr", capture_output=False, stderr=file)
            file.write("?")  # its position is the same
        assert path.read_text().startswith("before new")

    def test_other_paths_are_no_descriptors(self, tmp_path: Path) -> None:
        (tmp_path / "2").write_text("")
        for path in (str(tmp_path / "2"), "/dev/null", "/dev/fd", "/proc/1/fd/2", "/dev/fd/x", ""):
            assert fileio.descriptor_of(path) is None
