"""The private folder: plain text of an editor or a program, in memory, private and gone afterwards."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from encconf.errors import InputError, OutputError
from encconf.io import private
from encconf.io.descriptors import is_random_name

from .processes import WAIT, another_user, environ


class TestPrivateFolder:
    def test_it_is_private_and_gone_afterwards(self, tmp_path: Path) -> None:
        with private.PrivateFolder({"TMPDIR": str(tmp_path)}) as path:
            assert stat.S_IMODE(os.stat(path).st_mode) == 0o700
            assert is_random_name(os.path.basename(path), "encconf-", 8), "so that a later run finds it"
            private.write_private(os.path.join(path, "x"), "secret")
            assert stat.S_IMODE(os.stat(os.path.join(path, "x")).st_mode) == 0o600
            os.makedirs(os.path.join(path, "deep", "er"))
            os.symlink(tmp_path, os.path.join(path, "deep", "link"))
            (tmp_path / "bystander").write_text("")
        assert not os.path.exists(path)
        assert (tmp_path / "bystander").exists()

    @pytest.mark.parametrize(
        ("in_memory", "chosen"),
        [
            (("tmp", "run"), "tmp"),
            (("run",), "run"),
            (("run", "/dev/shm"), "run"),
            (("/dev/shm",), "/dev/shm"),
            (("tmp", "/dev/shm"), "tmp"),
            ((), "tmp"),
        ],
    )
    @pytest.mark.posix
    def test_it_is_in_memory_where_that_is_possible(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_memory: tuple[str, ...], chosen: str
    ) -> None:
        for name in ("tmp", "run"):
            (tmp_path / name).mkdir()
        mounts = {"/": False} | {str(tmp_path / name): True for name in in_memory}
        monkeypatch.setattr(private, "memory_mounts", lambda: mounts)
        environ = {"TMPDIR": str(tmp_path / "tmp"), "XDG_RUNTIME_DIR": str(tmp_path / "run")}
        with private.PrivateFolder(environ) as path:
            assert os.path.dirname(path) == str(tmp_path / chosen)

    def test_the_next_one_removes_what_was_killed_and_nothing_else(self, tmp_path: Path) -> None:
        code = (
            "import os, sys, time; from encconf.io import private\n"
            "private.memory_mounts = dict\n"
            "with private.PrivateFolder({'TMPDIR': sys.argv[1]}) as path:\n"
            "    private.write_private(path + '/x', 'secret'); os.chmod(path, 0)\n"
            "    print(path, flush=True); time.sleep(30)\n"
        )
        running = []
        for _ in range(2):
            command = [sys.executable, "-c", code, str(tmp_path)]
            process = subprocess.Popen(command, env=environ(), stdout=subprocess.PIPE)
            assert process.stdout is not None
            running.append((process, process.stdout.readline().decode().strip()))
        (killed, gone), (alive, there) = running
        killed.kill()
        killed.communicate(timeout=10)
        own = tmp_path / "encconf-integration-test"  # as long as the name of a private folder
        own.mkdir()
        (own / "x").write_text("")
        (tmp_path / "encconf-0123456789abcdef").write_text("a file")
        private.sweep_private(str(tmp_path))
        assert not os.path.exists(gone)
        assert os.path.exists(there)
        assert (own / "x").exists()
        assert (tmp_path / "encconf-0123456789abcdef").exists()
        alive.terminate()
        alive.communicate(timeout=10)
        assert not os.path.exists(there)

    @pytest.mark.posix
    def test_only_folders_of_one_s_own_are_removed(self, tmp_path: Path) -> None:
        """Others may put links and folders into a folder for everyone."""
        target = tmp_path / "target"
        target.mkdir(mode=0o755)
        (tmp_path / "encconf-0123456789abcdef").symlink_to(target)
        if os.geteuid() == 0:
            foreign = tmp_path / "encconf-123456789abcdef0"
            foreign.mkdir()
            os.chown(foreign, 65534, -1)
        stale = [tmp_path / f"encconf-{number:016x}" for number in range(10)]
        for path in stale:
            path.mkdir()
        private.sweep_private(str(tmp_path))
        assert stat.S_IMODE(target.stat().st_mode) == 0o755
        assert os.geteuid() or foreign.exists()
        assert not any(path.exists() for path in stale), "whatever else is there"

    def test_a_relative_folder_is_not_used(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The current folder may be that of a repository."""
        (tmp_path / "here").mkdir()
        (tmp_path / "run").mkdir()
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(private, "memory_mounts", lambda: {"/": True})
        with private.PrivateFolder({"TMPDIR": "here", "XDG_RUNTIME_DIR": str(tmp_path / "run")}) as path:
            assert os.path.dirname(path) == str(tmp_path / "run")

    @pytest.mark.posix
    def test_nothing_is_removed_where_no_lock_shows_that_it_is_in_use(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import fcntl

        def flock(*_: int) -> None:
            raise OSError(errno.ENOLCK, "no locks")

        monkeypatch.setattr(fcntl, "flock", flock)
        monkeypatch.setattr(private, "memory_mounts", dict)
        with private.PrivateFolder({"TMPDIR": str(tmp_path)}) as path:
            private.sweep_private(str(tmp_path))
            assert os.path.exists(path)
        assert not os.path.exists(path)

    def test_it_is_removed_also_without_rights(self, tmp_path: Path) -> None:
        with private.PrivateFolder({"TMPDIR": str(tmp_path)}) as path:
            os.mkdir(os.path.join(path, "deep"))
            private.write_private(os.path.join(path, "deep", "x"), "secret")
            os.chmod(os.path.join(path, "deep"), 0)
            os.chmod(path, 0)
        assert not os.path.exists(path)

    @pytest.mark.services  # as another user: rights count
    @pytest.mark.parametrize("by_name", [False, True])
    @pytest.mark.parametrize("mode", [0, 0o400, 0o200, 0o100, 0o500])
    def test_no_mode_in_it_keeps_anything(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_name: bool, mode: int
    ) -> None:
        if by_name:
            monkeypatch.setattr(os, "supports_dir_fd", set())
        monkeypatch.setattr(private, "memory_mounts", dict)
        with private.PrivateFolder({"TMPDIR": str(tmp_path)}):
            pass  # all that it takes is loaded
        with another_user() as place:
            with private.PrivateFolder({"TMPDIR": str(place)}) as path:
                assert os.path.dirname(path) == str(place)
                inner = os.path.join(path, "a", "b")
                os.makedirs(inner)
                private.write_private(os.path.join(inner, "x"), "secret")
                for each in (os.path.join(inner, "x"), inner, os.path.dirname(inner), path):
                    os.chmod(each, mode)
                if by_name:
                    private.remove_folder(path)
                    assert list(place.iterdir()) == []
            assert list(place.iterdir()) == []

    def test_a_junction_of_windows_is_not_emptied(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It looks like a folder, but leads to another one."""
        private.write_private(str(tmp_path / "x"), "keep")
        state = tmp_path.lstat()
        junction = SimpleNamespace(st_mode=state.st_mode, st_uid=state.st_uid, st_reparse_tag=0xA0000003)
        monkeypatch.setattr(os, "supports_dir_fd", set())
        monkeypatch.setattr(os, "lstat", lambda _: junction)
        private.remove_folder(str(tmp_path))
        assert os.listdir(tmp_path) == ["x"]

    def test_windows_removes_what_is_read_only(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        real = os.unlink

        def unlink(path: str) -> None:
            if not os.stat(path).st_mode & stat.S_IWUSR:
                raise PermissionError(errno.EACCES, "Access is denied")
            real(path)

        private.write_private(str(tmp_path / "x"), "secret")
        (tmp_path / "x").chmod(0o400)
        monkeypatch.setattr(os, "supports_dir_fd", set())
        monkeypatch.setattr(os, "unlink", unlink)
        monkeypatch.setattr("os.name", "nt")
        private.remove_folder(str(tmp_path))
        assert not os.path.exists(str(tmp_path))

    @pytest.mark.posix
    @pytest.mark.parametrize("by_name", [False, True])
    def test_no_link_in_it_is_followed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_name: bool
    ) -> None:
        """Nothing but the folder goes, whatever is in it: links, folders without rights, read-only files."""
        if by_name:  # as on Windows
            monkeypatch.setattr(os, "supports_dir_fd", set())
        keep, folder = tmp_path / "keep", tmp_path / "folder"
        for place in (keep, folder / "a" / "b", folder / "closed"):
            place.mkdir(parents=True)
            (place / "x").write_text("plain")
        (folder / "a" / "x").write_text("plain")
        (folder / "a" / "x").chmod(0)
        (folder / "closed").chmod(0)
        (folder / "a" / "link").symlink_to(keep)
        (folder / "file").symlink_to(keep / "x")
        (keep / "x").chmod(0o640)
        private.remove_folder(str(folder))
        assert sorted(tmp_path.rglob("*")) == [keep, keep / "x"]
        assert stat.S_IMODE((keep / "x").stat().st_mode) == 0o640
        (tmp_path / "link").symlink_to(keep)
        private.remove_folder(str(tmp_path / "link"))
        assert (keep / "x").read_text() == "plain"

    def test_what_cannot_be_removed_keeps_nothing_else(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = os.unlink
        kept: list[str] = []

        def unlink(name: str, **options: int) -> None:
            if not kept:
                kept.append(os.path.basename(name))  # whichever that is: maybe somebody has mounted it
                raise OSError(errno.EBUSY, "busy")
            real(name, **options)

        for name in "abc":
            private.write_private(str(tmp_path / name), "secret")
        monkeypatch.setattr(os, "unlink", unlink)
        private.remove_folder(str(tmp_path))
        (left,) = tmp_path.iterdir()
        assert left.name == kept[0]
        assert stat.S_IMODE(left.stat().st_mode) == 0o600

    @pytest.mark.posix
    def test_a_link_in_its_place_is_not_followed_and_the_plaintext_goes(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """If others may write to $TMPDIR, and it is not sticky, they can rename the folder."""
        monkeypatch.setattr(private, "memory_mounts", dict)
        mine = tmp_path / "mine"
        (mine / "deep").mkdir(parents=True)
        (mine / "deep" / "x").write_text("keep")
        (tmp_path / "t").mkdir()
        folder = private.PrivateFolder({"TMPDIR": str(tmp_path / "t")})
        path = folder.__enter__()
        private.write_private(os.path.join(path, "x"), "secret")
        os.symlink(mine, os.path.join(path, "y"))
        os.rename(path, tmp_path / "moved")
        os.symlink(mine, path)
        with pytest.raises(OutputError, match="left behind"):
            folder.__exit__()
        assert (mine / "deep" / "x").exists()
        assert list((tmp_path / "moved").iterdir()) == []

    def test_it_goes_where_a_mode_cannot_be_changed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refused(*_: object) -> None:
            raise PermissionError(errno.EPERM, "not permitted")

        with private.PrivateFolder({"TMPDIR": str(tmp_path)}) as path:
            private.write_private(os.path.join(path, "x"), "secret")
            monkeypatch.setattr(os, "chmod", refused)
        assert not os.path.exists(path)

    def test_it_goes_with_a_signal_before_signals_are_held(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupted(_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(private.SignalGuard, "hold", interrupted)
        with pytest.raises(KeyboardInterrupt), private.PrivateFolder({"TMPDIR": str(tmp_path)}) as path:
            private.write_private(os.path.join(path, "x"), "secret")
        assert not os.path.exists(path)

    def test_where_no_folder_can_be_made(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refused(*_: object) -> None:
            raise OSError(errno.EROFS, "Read-only file system")

        before = signal.getsignal(signal.SIGTERM)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(private, "memory_mounts", dict)
        for places, said in (([], "no folder for temporary files"), ([str(tmp_path)], "read-only file sys")):
            with monkeypatch.context() as patch:
                patch.setattr(private, "temporary_folders", lambda environ, found=places: found)
                patch.setattr(os, "mkdir", refused)
                if not places:
                    patch.setattr(os.path, "isdir", lambda path: False)
                with pytest.raises(OutputError, match=said):
                    private.PrivateFolder({}).__enter__()
            assert signal.getsignal(signal.SIGTERM) == before

    def test_signals_are_handled_meanwhile(self, tmp_path: Path) -> None:
        numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT]
        before = [signal.getsignal(number) for number in numbers]
        with private.PrivateFolder({"TMPDIR": str(tmp_path)}):
            now = [signal.getsignal(number) for number in numbers]
            assert all(one != other for one, other in zip(before, now, strict=True))
        assert [signal.getsignal(number) for number in numbers] == before

    def test_what_cannot_be_removed_is_said(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(private, "remove_folder", lambda path: None)
        with pytest.raises(OutputError) as caught, private.PrivateFolder({"TMPDIR": str(tmp_path)}) as path:
            pass
        assert path in (caught.value.hint or "")
        with pytest.raises(InputError, match="first") as other, private.PrivateFolder({}) as path:
            raise InputError("first", hint="try")
        assert (other.value.hint or "").startswith("try; the temporary folder with the plaintext")
        assert path in (other.value.hint or "")
        os.rmdir(path)
        with pytest.raises(InputError) as last, private.PrivateFolder({}) as path:
            raise InputError("without a hint")
        assert (last.value.hint or "").startswith("the temporary folder with the plaintext")
        os.rmdir(path)

    @pytest.mark.posix
    def test_a_folder_that_another_process_takes_for_one_left_behind(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It may remove a new folder before that is locked.  Then another one is made."""
        import fcntl

        real, removed = fcntl.flock, []

        def flock(descriptor: int, operation: int) -> None:
            if not removed:
                removed.extend(tmp_path.iterdir())
                removed[0].rmdir()
            real(descriptor, operation)

        monkeypatch.setattr(fcntl, "flock", flock)
        monkeypatch.setattr(private, "memory_mounts", dict)
        before = os.listdir("/dev/fd")
        with private.PrivateFolder({"TMPDIR": str(tmp_path)}) as path:
            assert [str(each) for each in tmp_path.iterdir()] == [path]
            assert path != str(removed[0])
            during = os.listdir("/dev/fd")
            private.sweep_private(str(tmp_path))  # it is locked
            assert os.listdir("/dev/fd") == during
            assert os.path.exists(path)
        assert os.listdir("/dev/fd") == before

    def test_on_disk_it_is_in_tmpdir(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(private, "memory_mounts", dict)
        with private.PrivateFolder({"TMPDIR": str(tmp_path)}) as path:
            assert os.path.dirname(path) == str(tmp_path)
        with private.PrivateFolder({"TMPDIR": str(tmp_path / "none")}) as path:
            assert os.path.dirname(path) == "/tmp"

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_it_goes_with_a_signal(self, number: signal.Signals) -> None:
        code = (
            "import os, time; from encconf.io import private\n"
            "with private.PrivateFolder() as path:\n"
            "    private.write_private(path + '/x', 'secret')\n"
            f"    print(path, flush=True)\n    {WAIT}\n"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", code], env=environ(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert process.stdout is not None
        with process.stdout:
            path = process.stdout.readline().decode().strip()
            assert os.path.exists(path + "/x")
            process.send_signal(number)
            assert process.wait(10) != 0
        assert not os.path.exists(path)


def test_a_private_file_replaces_none(tmp_path: Path) -> None:
    private.write_private(str(tmp_path / "x"), "\udcff")
    assert (tmp_path / "x").read_bytes() == b"\xff"
    with pytest.raises(OutputError, match="cannot be written: file exists"):
        private.write_private(str(tmp_path / "x"), "other")
    assert (tmp_path / "x").read_bytes() == b"\xff"


def test_only_systems_with_a_tmp_use_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for system, more in (("posix", ["/tmp"]), ("nt", [])):
        with monkeypatch.context() as patch:
            patch.setattr("os.name", system)
            given = ({}, {"TMPDIR": "", "TEMP": "b"}, {"TMPDIR": "a"})
            found = [private.temporary_folders(each) for each in given]
        assert found == [more, ["b", *more], ["a", *more]]


def test_what_is_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if sys.platform == "linux":
        places = [place for place in ("/", "/proc", "/dev/shm", "/run") if os.path.isdir(place)]
        words = ["stat", "-f", "-c", "%T", *places]
        kinds = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
        wanted = [kind in ("tmpfs", "ramfs") for kind in kinds]
        assert [private.is_in_memory(place) for place in places] == wanted
    monkeypatch.setattr(private, "memory_mounts", lambda: {"/": False, str(tmp_path): True})
    assert [private.is_in_memory(place) for place in (str(tmp_path / "x"), "/")] == [True, False]
    monkeypatch.undo()

    def missing(*_: object, **__: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr("builtins.open", missing)
    assert private.memory_mounts() == {}
