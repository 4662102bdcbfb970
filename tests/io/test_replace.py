"""A file is replaced at once or not at all, and what was killed is removed."""

from __future__ import annotations

import errno
import itertools
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from encconf.errors import ChangedError, InputDeniedError, MissingFileError, OutputDeniedError, OutputError
from encconf.io import descriptors, fileio, locks, replace

from .processes import _SLOW_WRITE, environ, leftovers, mounted, python


@pytest.mark.posix
class TestAsOnWindows:
    """Folders are not opened there, files have names from the start, and none can get a second name."""

    @staticmethod
    def write(path: Path, data: str, replacing: str | None, **functions: object) -> OutputError | None:
        """Write with other functions of `os`."""
        name = str(path)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("os.supports_dir_fd", set())
            patch.setattr("os.name", "nt")
            for each in ("link", "fchown", "listxattr"):
                patch.delattr(os, each)
            for function, other in functions.items():
                patch.setattr(os, function, other)
            try:
                fileio.write_atomic(name, data, replacing=replacing)
            except OutputError as error:
                return error
        return None

    @staticmethod
    def files(folder: Path) -> dict[str, str]:
        return {path.name: path.read_text() for path in folder.iterdir()}

    def test_new_and_replaced(self, tmp_path: Path) -> None:
        path = tmp_path / "x"
        assert self.write(path, "new", None) is None
        assert self.files(tmp_path) == {"x": "new"}
        assert isinstance(self.write(path, "newer", "old"), ChangedError)
        assert self.write(path, "newer", "new") is None
        assert self.files(tmp_path) == {"x": "newer"}

    @pytest.mark.parametrize(
        ("error", "raised"), [(FileExistsError, ChangedError), (PermissionError, OutputDeniedError)]
    )
    def test_what_forbids_the_name(
        self, tmp_path: Path, error: type[OSError], raised: type[OutputError]
    ) -> None:
        def refused(*_: str) -> None:
            with open(f"{tmp_path}/x", "w") as theirs:
                theirs.write("theirs")
            raise error(errno.EACCES, "Access is denied")

        assert isinstance(self.write(tmp_path / "x", "new", None, rename=refused), raised)
        assert self.files(tmp_path) == {"x": "theirs"}

    def test_what_cannot_be_replaced_is_overwritten(self, tmp_path: Path) -> None:
        def refused(*_: str, **__: None) -> None:
            raise PermissionError(errno.EACCES, "Access is denied")

        (tmp_path / "x").write_text("a longer text")
        assert self.write(tmp_path / "x", "new", "a longer text", replace=refused) is None
        assert self.files(tmp_path) == {"x": "new"}


class TestWriting:
    def test_a_new_file_gets_what_the_umask_leaves(self, tmp_path: Path) -> None:
        before = os.umask(0o027)
        try:
            fileio.write_atomic(str(tmp_path / "x"), "a\r\n")
            fileio.write_atomic(str(tmp_path / "y"), b"\xff", mode=0o600)
        finally:
            os.umask(before)
        assert (tmp_path / "x").read_bytes() == b"a\r\n"
        assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o640
        assert stat.S_IMODE((tmp_path / "y").stat().st_mode) == 0o600

    def test_a_new_file_replaces_none_where_files_always_have_names(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """So it is on macOS, and with some file systems of Linux."""
        monkeypatch.delattr(os, "O_TMPFILE")
        path = tmp_path / "x"
        real = os.fsync

        def others_first(descriptor: int) -> None:
            real(descriptor)
            path.write_text("theirs")

        fileio.write_atomic(str(tmp_path / "y"), "ours", replacing=None)
        assert (tmp_path / "y").read_text() == "ours"
        monkeypatch.setattr(os, "fsync", others_first)
        with pytest.raises(ChangedError):
            fileio.write_atomic(str(path), "ours", replacing=None)
        assert path.read_text() == "theirs"
        assert sorted(os.listdir(tmp_path)) == ["x", "y"]

    @pytest.mark.parametrize("unnamed", [True, False])
    def test_a_new_file_is_linked(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unnamed: bool
    ) -> None:
        """Renaming it would replace a file that another program makes at the last moment."""
        if not unnamed:
            monkeypatch.delattr(os, "O_TMPFILE", raising=False)
        monkeypatch.delattr(os, "replace")
        fileio.write_atomic(str(tmp_path / "x"), "new", replacing=None)
        assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("x", "new")]

    @pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL])
    def test_a_file_system_where_files_always_have_names(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
    ) -> None:
        real_open, real_link = os.open, os.link

        def opened(name: str, flags: int, *args: Any, **options: Any) -> int:
            if flags & os.O_TMPFILE == os.O_TMPFILE:
                raise OSError(number, "no such files here")
            return real_open(name, flags, *args, **options)

        def linked(name: str, *args: Any, **options: Any) -> None:
            assert not name.startswith("/proc/"), "only a file without a name needs that"
            real_link(name, *args, **options)

        monkeypatch.setattr(os, "supports_dir_fd", {*os.supports_dir_fd, opened})
        monkeypatch.setattr(os, "open", opened)
        monkeypatch.setattr(os, "link", linked)
        fileio.write_atomic(str(tmp_path / "x"), "new", replacing=None)
        fileio.write_atomic(str(tmp_path / "x"), "newer", replacing="new")
        assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("x", "newer")]

    @pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o666, 0o755])
    def test_the_mode_is_kept(self, tmp_path: Path, mode: int) -> None:
        path = tmp_path / "x"
        path.write_text("old")
        path.chmod(mode)
        fileio.write_atomic(str(path), "new", mode=0o644)
        assert path.read_text() == "new"
        assert stat.S_IMODE(path.stat().st_mode) == mode

    def test_what_is_private_is_not_left_to_everyone(self, tmp_path: Path) -> None:
        """If everyone may read or write a file, only its owner may afterwards."""
        path, linked = tmp_path / "x", tmp_path / "y"
        for owner, group, everyone in itertools.product((0o700, 0o600), (0o040, 0), range(8)):
            mode = owner | group | everyone
            path.write_text("old")
            path.chmod(mode)
            fileio.write_atomic(str(path), "new", mode=fileio.PRIVATE)
            wanted = owner if everyone & (stat.S_IROTH | stat.S_IWOTH) else mode
            assert stat.S_IMODE(path.stat().st_mode) == wanted, oct(mode)
        path.chmod(0o644)
        linked.hardlink_to(path)  # this one is overwritten, not replaced
        fileio.write_atomic(str(path), "new", mode=fileio.PRIVATE)
        assert stat.S_IMODE(linked.stat().st_mode) == 0o600

    def test_a_link_is_neither_followed_nor_replaced(self, tmp_path: Path) -> None:
        """Somebody may have put it there after the path was resolved."""
        (tmp_path / "mine").write_text("mine")
        for target in ("mine", "none", "."):
            (tmp_path / "link").symlink_to(target)
            with pytest.raises(OutputError, match="no longer a regular file"):
                fileio.write_atomic(str(tmp_path / "link"), "new")
            assert os.readlink(tmp_path / "link") == target
            (tmp_path / "link").unlink()
        assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("mine", "mine")]

    @pytest.mark.parametrize("system", [False, True])
    def test_without_extended_attributes_a_file_is_replaced(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: bool
    ) -> None:
        """A file system or a whole system may have none."""

        def none(*_: object) -> None:
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")

        (tmp_path / "x").write_text("old")
        before = (tmp_path / "x").stat().st_ino
        for name in ("listxattr", "getxattr", "setxattr"):
            if system:
                monkeypatch.delattr(os, name)
            else:
                monkeypatch.setattr(os, name, none)
        fileio.write_atomic(str(tmp_path / "x"), "new")
        assert (tmp_path / "x").read_text() == "new"
        assert (tmp_path / "x").stat().st_ino != before, "it is not overwritten"

    def test_a_folder_is_not_replaced(self, tmp_path: Path) -> None:
        with pytest.raises(OutputError, match="it is a folder"):
            fileio.write_atomic(str(tmp_path), "new")

    def test_setuid_is_not_kept(self, tmp_path: Path) -> None:
        path = tmp_path / "x"
        path.write_text("old")
        path.chmod(0o6755)
        fileio.write_atomic(str(path), "new")
        assert stat.S_IMODE(path.stat().st_mode) == 0o755

    def test_attributes_are_kept(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "x"
        path.write_text("old")
        had, given = {"user.note": b"mine"}, {}
        monkeypatch.setattr(os, "listxattr", lambda _: list(had))
        monkeypatch.setattr(os, "getxattr", lambda _, name: had[name])
        monkeypatch.setattr(os, "setxattr", lambda _, name, value: given.update({name: value}))
        fileio.write_atomic(str(path), "new")
        assert given == had

    @pytest.mark.parametrize("attribute", ["system.posix_acl_access", "security.selinux"])
    def test_without_its_access_list_a_file_is_not_replaced(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attribute: str
    ) -> None:
        path = tmp_path / "x"
        path.write_text("old")
        before = path.stat().st_ino

        def refuse(*_: object) -> None:
            raise PermissionError

        monkeypatch.setattr(os, "listxattr", lambda _: [attribute])
        monkeypatch.setattr(os, "getxattr", lambda _, name: b"")
        monkeypatch.setattr(os, "setxattr", refuse)
        fileio.write_atomic(str(path), "new")
        assert path.read_text() == "new"
        assert (path.stat().st_ino == before) == (attribute == "system.posix_acl_access")

    def test_the_owner_and_group_are_kept(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "x"
        path.write_text("old")
        real, given = os.stat, []

        def foreign(*args: Any, **options: Any) -> os.stat_result:
            state = list(real(*args, **options))
            state[stat.ST_UID], state[stat.ST_GID] = 12345, 23456
            return os.stat_result(state)

        monkeypatch.setattr(os, "fchown", lambda _, *owner: given.append(owner))
        monkeypatch.setattr(os, "stat", foreign)
        fileio.write_atomic(str(path), "new")
        assert given == [(12345, 23456)]
        assert path.read_text() == "new"

    def test_a_link_is_resolved_once(self, tmp_path: Path) -> None:
        mine, foreign, link = tmp_path / "mine", tmp_path / "foreign", tmp_path / "link"
        mine.write_text("mine")
        foreign.write_text("foreign")
        link.symlink_to(mine)
        path = fileio.resolve(str(link))
        link.unlink()
        link.symlink_to(foreign)
        fileio.write_atomic(path, "new")
        assert (mine.read_text(), foreign.read_text()) == ("new", "foreign")

    def test_a_file_that_became_a_link_is_not_followed(self, tmp_path: Path) -> None:
        foreign, path = tmp_path / "foreign", tmp_path / "x"
        foreign.write_text("foreign")
        path.symlink_to(foreign)
        with pytest.raises(OutputError):
            fileio.write_atomic(str(path), "new")
        assert foreign.read_text() == "foreign"

    def test_the_longest_name(self, tmp_path: Path) -> None:
        path = tmp_path / ("x" * 250 + ".yaml")
        fileio.write_atomic(str(path), "a")
        fileio.write_atomic(str(path), "b")
        assert path.read_text() == "b"

    def test_a_name_without_a_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        fileio.write_atomic("x", "a")
        assert (tmp_path / "x").read_text() == "a"

    @pytest.mark.parametrize("now", ["other", None])
    def test_a_file_that_changed_meanwhile(self, tmp_path: Path, now: str | None) -> None:
        path = tmp_path / "x"
        if now is not None:
            path.write_text(now)
        with pytest.raises(ChangedError) as caught:
            fileio.write_atomic(str(path), "new", replacing="old")
        assert caught.value.exit_code == 3
        assert path.exists() == (now is not None)
        assert leftovers(tmp_path) == []

    def test_a_file_that_appeared_meanwhile(self, tmp_path: Path) -> None:
        path = tmp_path / "x"
        path.write_bytes(b"\xff")
        with pytest.raises(ChangedError):
            fileio.write_atomic(str(path), "new", replacing=None)
        assert path.read_bytes() == b"\xff"
        path.unlink()
        fileio.write_atomic(str(path), "new", replacing=None)
        fileio.write_atomic(str(path), "newer", replacing="new")
        assert path.read_text() == "newer"

    def test_a_file_that_another_program_makes_at_the_last_moment(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "x"
        link = os.link

        def late(*args: Any, **options: Any) -> None:
            if not path.exists():
                path.write_text("theirs")
                path.chmod(0o640)
            link(*args, **options)

        monkeypatch.setattr(os, "link", late)
        with pytest.raises(ChangedError, match="it was created in the meantime"):
            fileio.write_atomic(str(path), "new", replacing=None)
        assert path.read_text() == "theirs"
        path.unlink()
        fileio.write_atomic(str(path), "new")
        assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("new", 0o640)
        assert os.listdir(tmp_path) == ["x"]

    @pytest.mark.parametrize("path", ["none/x", "file/x", "."])
    def test_where_no_file_can_be(self, tmp_path: Path, path: str) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(OutputError):
            fileio.write_atomic(str(tmp_path / path), "new")

    def test_a_pipe_and_a_device_are_written_to(self, tmp_path: Path) -> None:
        path = tmp_path / "pipe"
        os.mkfifo(path)
        found: list[bytes] = []
        reader = threading.Thread(target=lambda: found.append(path.read_bytes()))
        reader.start()
        fileio.write_atomic(str(path), "x" * 200_000)
        reader.join()
        assert len(found[0]) == 200_000
        fileio.write_atomic(os.devnull, "x")
        assert stat.S_ISCHR(os.stat(os.devnull).st_mode)
        assert stat.S_ISFIFO(path.stat().st_mode)

    @pytest.mark.parametrize("kind", ["file", "pipe", "link", "link to nothing"])
    def test_what_another_user_has_put_into_a_folder_for_everyone(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
    ) -> None:
        own, shared = tmp_path / "own", tmp_path / "shared"
        own.write_text("own")
        shared.mkdir()
        path = shared / "x"
        if kind == "file":
            path.write_text("own")
        elif kind == "pipe":
            os.mkfifo(path)
        else:
            path.symlink_to("../own" if kind == "link" else "../none")
        for function in ("lstat", "stat"):
            real = getattr(os, function)

            def foreign(name: Any, *, real: Any = real, **options: Any) -> os.stat_result:
                state = list(real(name, **options))
                state[stat.ST_UID] += name in (str(path), "x")
                return os.stat_result(state)

            monkeypatch.setattr(os, function, foreign)
        shared.chmod(0o1777)
        with pytest.raises((InputDeniedError, OutputDeniedError), match="another user") as caught:
            fileio.write_atomic(fileio.resolve(str(path)), "new")
        assert caught.value.file == str(path)
        if kind != "link to nothing":
            with pytest.raises((InputDeniedError, OutputDeniedError), match="another user"):
                fileio.check_writable(fileio.resolve(str(path)))
        assert own.read_text() == "own"
        assert os.listdir(tmp_path / "shared") == ["x"]
        shared.chmod(0o777)
        if kind == "link to nothing":  # docs/security.md: to every command, there is no such file
            with pytest.raises(MissingFileError, match="a link to a file that does not exist"):
                fileio.resolve(str(path))
            assert sorted(os.listdir(tmp_path)) == ["own", "shared"]
        elif kind != "pipe":
            fileio.write_atomic(fileio.resolve(str(path)), "new")
            assert path.read_text() == "new"

    @pytest.mark.services  # chown, as root
    @pytest.mark.parametrize("kind", ["file", "pipe", "link"])
    def test_what_another_user_puts_there_at_the_last_moment(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
    ) -> None:
        shared, pipe = tmp_path / "shared", tmp_path / "pipe"
        os.mkfifo(pipe)
        shared.mkdir()
        shared.chmod(0o1777)
        path = shared / "x"
        if kind != "file":
            os.mkfifo(path)
        function, at = ("stat", os.stat) if kind == "file" else ("open", os.open)

        def plant(name: Any, *args: Any, **options: Any) -> Any:
            if name == str(path):
                monkeypatch.undo()
                path.unlink(missing_ok=True)
                if kind == "file":
                    path.write_text("theirs")
                elif kind == "pipe":
                    os.mkfifo(path)
                else:
                    path.symlink_to(pipe)
                os.chown(path, 65534, -1, follow_symlinks=False)
                readers.append(os.open(pipe if kind == "link" else path, os.O_RDONLY | os.O_NONBLOCK))
            return at(name, *args, **options)

        readers: list[int] = []
        monkeypatch.setattr(os, function, plant)
        with pytest.raises(OutputError):
            fileio.write_atomic(str(path), "new")
        assert os.read(readers[0], 10) == (b"theirs" if kind == "file" else b"")
        os.close(readers[0])
        assert path.lstat().st_uid == 65534

    @pytest.mark.posix
    def test_another_file_than_the_one_to_overwrite(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whoever may write to the folder puts it there just before the file is opened."""
        path, theirs = tmp_path / "x", tmp_path / "theirs"
        path.write_text("old")
        theirs.write_text("theirs")
        os.link(path, tmp_path / "twin")  # so it is overwritten
        at = os.open

        def plant(name: Any, flags: int, *args: Any, **options: Any) -> int:
            if name in ("x", str(path)) and flags & os.O_RDWR:
                os.replace(theirs, path)
            return at(name, flags, *args, **options)

        monkeypatch.setattr(os, "open", plant)
        with pytest.raises(OutputError, match="another file was put in its place"):
            fileio.write_atomic(str(path), "new")
        assert path.read_text() == "theirs"

    @pytest.mark.posix
    def test_the_access_list_of_another_file_is_not_taken(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whoever may write to the folder puts it there just before the attributes are copied."""
        path, theirs = tmp_path / "x", tmp_path / "theirs"
        path.write_text("old")
        theirs.write_text("theirs")
        copied: list[str] = []

        def stat(*args: Any, **options: Any) -> Any:
            found = at(*args, **options)
            if args[0] == "x":
                monkeypatch.setattr(os, "stat", at)
                os.replace(theirs, path)
            return found

        at = os.stat
        monkeypatch.setattr(os, "stat", stat)
        monkeypatch.setattr(os, "listxattr", lambda _: ["system.posix_acl_access"], raising=False)
        monkeypatch.setattr(os, "getxattr", lambda *_: b"", raising=False)
        monkeypatch.setattr(os, "setxattr", lambda _, name, value: copied.append(name), raising=False)
        with pytest.raises(OutputError, match="another file was put in its place"):
            fileio.write_atomic(str(path), "new")
        assert copied == []
        assert path.read_text() == "theirs"

    @pytest.mark.services  # unshare, as root
    def test_a_file_of_another_user_that_is_mounted_into_a_folder_for_everyone(self, tmp_path: Path) -> None:
        """Only root can do that: docker run -v $PWD/secrets.enc.yaml:/tmp/secrets.enc.yaml."""
        outside, shared = tmp_path / "outside", tmp_path / "shared"
        outside.mkdir()
        shared.mkdir(mode=0o777)
        shared.chmod(0o1777)
        (shared / "x").write_text("")
        code = (
            "import os, sys; from encconf.io import fileio\n"
            "path = fileio.resolve(sys.argv[1])\n"
            "os.geteuid = lambda: os.stat(path).st_uid + 1\n"
            "fileio.check_writable(path)\n"
            "fileio.write_atomic(path, 'new', replacing='old')\n"
            "print(open(path).read())"
        )
        mount = f"mount -t tmpfs none {outside}; printf old >{outside}/x"
        done = mounted(f"{mount}; mount --bind {outside}/x {shared}/x", code, shared / "x")
        assert done.stdout == b"new\n", done.stderr

    def test_a_pipe_in_the_place_of_the_file_that_was_read(self, tmp_path: Path) -> None:
        """To write to it would wait until somebody reads it, and an editor's text would be lost."""
        path = tmp_path / "x"
        os.mkfifo(path)
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            with pytest.raises(OutputError, match="no longer a regular file"):
                fileio.write_atomic(str(path), "new", replacing="old")
            assert os.read(reader, 3) == b""
        finally:
            os.close(reader)

    def test_a_full_disk_leaves_the_old_file(self, tmp_path: Path) -> None:
        path = tmp_path / "x"
        path.write_text("old")
        code = (
            "import resource, sys; from encconf.io import fileio\n"
            "sys.dont_write_bytecode = True\n"  # Python would leave a cut off .pyc
            "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
            "fileio.write_atomic(sys.argv[1], 'x' * 10_000)"
        )
        done = python(code, path)
        assert b"UnwrittenError" in done.stderr
        assert path.read_text() == "old"
        assert os.listdir(tmp_path) == ["x"]
        assert b"x" * 100 not in done.stderr

    @pytest.mark.services  # unshare, as root
    def test_a_full_file_system(self, tmp_path: Path) -> None:
        code = (
            "import os, subprocess, sys; from encconf import errors; from encconf.io import fileio\n"
            "path = 'x'; mount = ['mount', '-o', 'remount,ro', os.getcwd()]\n"
            "fileio.write_atomic(path, 'old' * 1000)\n"
            "def refused(text):\n"
            "    try: fileio.write_atomic(path, text)\n"
            "    except errors.OutputError as error: return str(error)\n"
            "print(refused('x' * 100_000), os.listdir(), open(path).read() == 'old' * 1000)\n"
            "subprocess.run(mount, check=True)\n"
            "print(refused('new'))"
        )
        done = mounted(f"mount -t tmpfs -o size=64k none {tmp_path}; cd {tmp_path}", code)
        assert done.returncode == 0, done.stderr
        full, read_only = done.stdout.decode().splitlines()
        assert "no space" in full
        assert full.endswith("['x'] True")
        assert "read-only file system" in read_only

    @pytest.mark.posix
    def test_a_locked_folder_is_waited_for(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        import fcntl

        holder = os.open(tmp_path, os.O_RDONLY)
        fcntl.flock(holder, fcntl.LOCK_EX)
        monkeypatch.setattr(locks, "LOCK_PATIENCE", 0.1)
        with pytest.raises(OutputError, match="locked"):
            fileio.write_atomic(str(tmp_path / "x"), "a")
        threading.Timer(0.3, os.close, (holder,)).start()
        monkeypatch.setattr(locks, "LOCK_PATIENCE", 10)
        fileio.write_atomic(str(tmp_path / "x"), "a")
        assert (tmp_path / "x").read_text() == "a"

    def test_of_many_writers_one_wins_each_time(self, tmp_path: Path) -> None:
        path = tmp_path / "x"
        path.write_text("0")
        code = (
            "import sys; from encconf import errors; from encconf.io import fileio\n"
            "path, done = sys.argv[1], 0\n"
            "while done < 20:\n"
            "    old = fileio.read_text(path)\n"
            "    try: fileio.write_atomic(path, str(int(old) + 1), replacing=old)\n"
            "    except errors.ChangedError: continue\n"
            "    done += 1\n"
        )
        writers = [subprocess.Popen([sys.executable, "-c", code, path], env=environ()) for _ in range(3)]
        assert [writer.wait(60) for writer in writers] == [0, 0, 0]
        assert path.read_text() == "60"
        assert os.listdir(tmp_path) == ["x"]


class TestLeftovers:
    def test_a_write_that_is_killed_leaves_nothing(self, tmp_path: Path) -> None:
        for there in (False, True):
            path = tmp_path / f"x{there}"
            if there:
                path.write_text("old")
            process = subprocess.Popen(
                [sys.executable, "-c", _SLOW_WRITE, str(path)], env=environ(), stdout=subprocess.PIPE
            )
            assert process.stdout is not None
            with process.stdout:
                process.stdout.readline()
                process.kill()
                process.wait(10)
            assert leftovers(tmp_path) == []

    def test_without_unnamed_files_it_is_as_private_and_swept(self, tmp_path: Path) -> None:
        path = tmp_path / "x"
        path.write_text("old")
        path.chmod(0o640)
        code = f"import os; del os.O_TMPFILE\n{_SLOW_WRITE}"
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(path)], env=environ(), stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        with process.stdout:
            process.stdout.readline()
            assert replace.sweep(str(tmp_path / "none")) == []
            (name,) = leftovers(tmp_path)
            assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o640
            process.kill()
            process.wait(10)
        (tmp_path / ".encconf-settings").write_text("somebody's own file")
        assert replace.sweep(str(tmp_path)) == [name]
        assert sorted(os.listdir(tmp_path)) == [".encconf-settings", "x"]

    def test_what_has_finished_meanwhile_is_not_said_to_be_left(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        leftover = tmp_path / descriptors.random_name(replace.UNFINISHED)
        leftover.write_text("half")
        real = locks.lock

        def finished(descriptor: int, patience: float) -> bool:
            leftover.unlink()
            return real(descriptor, patience)

        monkeypatch.setattr(locks, "lock", finished)
        assert replace.sweep(str(tmp_path)) == []


def test_files_that_every_write_removes() -> None:
    names = [
        descriptors.random_name(replace.UNFINISHED),
        ".encconf-saved-01234567",
        "x.yaml",
        ".encconf-x",
        ".encconf-abc",
    ]
    assert [replace.is_leftover(name) for name in names] == [True, True, False, False, False]


def test_a_write_leaves_nothing_open_and_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, twin = tmp_path / "x", tmp_path / "twin"
    synced: list[bytes] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        real(descriptor)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            synced.append(Path(f"/proc/self/fd/{descriptor}").read_bytes())

    monkeypatch.setattr(os, "fsync", fsync)
    fileio.write_atomic(str(path), "one")
    before = os.listdir("/proc/self/fd")
    fileio.write_atomic(str(path), "two")
    os.link(path, twin)  # from now on, the content is overwritten
    fileio.write_atomic(str(path), "three")
    assert twin.read_text() == "three"
    assert len(os.listdir("/proc/self/fd")) == len(before)
    assert synced == [b"one", b"two", b"two", b"three"], "and the copy of the old content"


def test_the_system_says_why_a_file_may_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be the file system, and not the mode."""
    path, real = tmp_path / "x", os.open
    path.write_text("old")

    def read_only(name: str, flags: int, *args: object, **options: object) -> int:
        if name == "x" and flags & os.O_WRONLY:
            raise OSError(errno.EROFS, "Read-only file system")
        return real(name, flags, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    monkeypatch.setattr(os, "supports_dir_fd", {*os.supports_dir_fd, read_only})
    monkeypatch.setattr(os, "open", read_only)
    with pytest.raises(OutputError, match="cannot be written: read-only file system"):
        fileio.write_atomic(str(path), "new")
    assert path.read_text() == "old"


def test_a_file_that_may_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x"
    path.write_text("old")
    path.chmod(0o400)
    monkeypatch.setattr(os, "access", lambda *_, **__: False)  # root may write everywhere
    with pytest.raises(OutputError, match="cannot be written: permission denied"):
        fileio.write_atomic(str(path), "new")
    assert path.read_text() == "old"


def test_where_no_hard_links_exist_a_new_file_replaces_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x"

    def link(*_: object, **__: object) -> None:
        if fails[-1]:
            path.write_text("theirs")
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.delattr(os, "O_TMPFILE")
    monkeypatch.setattr(os, "link", link)
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "y").write_text("a file of the same name, in the current folder")
    monkeypatch.chdir(tmp_path / "here")
    fails = [False]
    fileio.write_atomic(str(tmp_path / "y"), "ours", replacing=None)
    assert (tmp_path / "y").read_text() == "ours"
    fails.append(True)
    with pytest.raises(ChangedError):
        fileio.write_atomic(str(path), "ours", replacing=None)
    assert path.read_text() == "theirs"
    assert sorted(os.listdir(tmp_path)) == ["here", "x", "y"]
