"""What this machine gives by itself: variables, files, programs, and the credentials of a systemd unit."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from oracle import clean_environ

from encconf import sources
from encconf.errors import SourceError
from encconf.identities.credentials import Credentials
from encconf.testing.contracts.source import PATIENCE, WHOLE, Failing, Place, SourceContract, failure, shown

VALUE = b"s3cret-of-this-machine"


def who(environ: dict[str, str] | None = None, **settings: object) -> Credentials:
    return Credentials({"PATH": os.environ["PATH"], **(environ or {})}, **settings)  # type: ignore[arg-type]


@pytest.fixture
def closed() -> Iterator[Callable[[], Path]]:
    """Gives a folder with files that this user may not read, who is nobody from then on if it was root."""
    folder = Path(tempfile.mkdtemp(prefix="closed-"))
    user = os.geteuid()

    def close() -> Path:
        for path in (folder / "db", folder / "secret"):
            path.write_bytes(VALUE)
            sources.fetch(f"file:{path}", who())  # all that it takes is loaded
            path.chmod(0)
        folder.chmod(0o555)
        if user == 0:
            os.seteuid(65534)
        return folder

    yield close
    os.seteuid(user)
    folder.chmod(0o700)
    shutil.rmtree(folder)


# --- env -------------------------------------------------------------------------------------


class TestEnv(SourceContract):
    SCHEME = "env"
    REASONS = frozenset({"missing"})

    @pytest.fixture
    def place(self) -> Place:
        return Place("env:SECRET", VALUE, lambda: who({"SECRET": VALUE.decode(), "TREE": WHOLE}))

    @pytest.fixture
    def structured(self) -> str:
        return "env:TREE"

    @pytest.fixture
    def vals(self) -> str:
        return "ref+envsubst://$SECRET"

    @pytest.fixture
    def failing(self) -> Failing:
        return lambda reason: {"missing": ("env:NOT_SET", who())}[reason]

    def test_spellings(self) -> None:
        credentials = who({"A": "1", "B": "", "C": "\udcff", "a b": "2"})
        for address in ("env:A", "env://A", "env:$A", "env:${A}", "ref+env:A", "ENV:A", " env:A\n"):
            assert sources.fetch(address, credentials) == b"1"
        assert sources.fetch("env:B", credentials) == b""
        assert sources.fetch("env:C", credentials) == b"\xff"
        assert sources.fetch("env:a%20b", credentials) == b"2"

    def test_it_is_these_credentials_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OF_THE_PROCESS", "x")
        assert failure("env:OF_THE_PROCESS", who()).reason == "missing"


# --- file ------------------------------------------------------------------------------------


class TestFile(SourceContract):
    SCHEME = "file"
    REASONS = frozenset({"missing", "denied", "wrong"})
    WRITABLE = True

    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        path = tmp_path / "secret"
        path.write_bytes(VALUE)
        path.chmod(0o600)
        return Place(f"file:{path}", VALUE, lambda: who(home=str(tmp_path)))

    @pytest.fixture
    def structured(self, tmp_path: Path) -> str:
        (tmp_path / "tree.json").write_text(WHOLE)
        return f"file:{tmp_path}/tree.json"

    @pytest.fixture
    def vals(self, place: Place) -> str:
        return f"ref+file://{place.address.removeprefix('file:')}"

    @pytest.fixture
    def fresh(self, tmp_path: Path) -> str:
        return f"file:{tmp_path}/new"

    @pytest.fixture
    def failing(self, tmp_path: Path, closed: Callable[[], Path]) -> Failing:
        return lambda reason: {
            "missing": lambda: (f"file:{tmp_path}/nothing", who()),
            "denied": lambda: (f"file:{closed()}/secret", who()),
            "wrong": lambda: ("file:/", who()),
        }[reason]()

    def test_where_a_path_starts(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "a #?%").write_bytes(b"x")
        monkeypatch.chdir(tmp_path)
        for address in ("file:a%20%23%3F%25", "file:~/a %23%3f%25", "ref+file://a%20%23%3F%25+"):
            assert sources.fetch(address, who(home=str(tmp_path))) == b"x"
        error = failure("file:~/a", who())
        assert (error.reason, error.message) == ("unusable", "there is no home folder")
        (tmp_path / os.fsdecode(b"\xff")).write_bytes(b"y")
        assert sources.fetch("file:%FF", who()) == b"y"

    def test_what_is_no_file(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")  # nobody writes to it, and nobody waits for it
        (tmp_path / "large").write_bytes(b"")
        os.truncate(tmp_path / "large", sources.LIMIT + 1)
        for name, message in (
            ("pipe", "cannot be read: it is not a regular file"),
            ("", "cannot be read: it is a folder"),
            ("large", "larger than 16 MiB"),
        ):
            assert failure(f"file:{tmp_path}/{name}", who()).message == message
        assert failure("file:/dev/zero", who()).message == "cannot be read: it is not a regular file"
        assert failure(f"file:{tmp_path}/large/x", who()).reason == "missing"
        assert failure(f"file:/{'x' * 5000}", who()).message.startswith("cannot be read")

    def test_a_file_for_everybody_is_told_of(self, tmp_path: Path) -> None:
        said: list[str] = []
        path = tmp_path / "open"
        path.write_bytes(VALUE)
        for mode, count in ((0o640, 0), (0o644, 1)):
            path.chmod(mode)
            assert sources.fetch(f"file:{path}", who(notify=said.append)) == VALUE
            assert len(said) == count
        assert said == [f"{path}: everyone on this machine can read this secret: chmod 600 it"]

    def test_what_is_written_is_private_and_whole(self, tmp_path: Path) -> None:
        old = os.umask(0)
        try:
            sources.store(f"file:{tmp_path}/new", b"1", who())
            (tmp_path / "link").symlink_to("new")
            sources.store(f"file:{tmp_path}/link", b"2", who(), replace=True)
        finally:
            os.umask(old)
        assert (tmp_path / "new").read_bytes() == b"2"
        assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600
        assert (tmp_path / "link").is_symlink()
        with pytest.raises(SourceError) as caught:
            sources.store(f"file:{tmp_path}/no/new", b"1", who())
        assert caught.value.reason == "denied"
        assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "new"]

    def test_yaml_has_fields_too(self, tmp_path: Path) -> None:
        (tmp_path / "s.yaml").write_text("a:\n  b: [1.50, true, x, null, 2001-01-01]\n'a/b': c\n")
        address = f"file:{tmp_path}/s.yaml"
        for field, value in {"a/b/0": b"1.5", "a/b/1": b"true", "a/b/2": b"x", "a%2Fb": b"c"}.items():
            assert sources.fetch(f"{address}#{field}", who()) == value
        assert failure(f"{address}#a/b/3", who()).message == "its field a/b/3 is null"
        assert failure(f"{address}#a/b/9", who()).reason == "missing"
        (tmp_path / "text").write_text("{ s3cret")
        error = failure(f"file:{tmp_path}/text#a", who())
        assert error.message == "a field is asked for, and the secret is neither JSON nor YAML"
        assert "s3cret" not in shown(error)


# --- cmd -------------------------------------------------------------------------------------


class TestCmd(SourceContract):
    SCHEME = "cmd"
    REASONS = frozenset({"missing", "slow", "unusable", "wrong"})

    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        (tmp_path / "secret").write_bytes(VALUE + b"\n")
        (tmp_path / "tree.json").write_text(WHOLE)
        return Place(f"cmd:cat {tmp_path}/secret", VALUE, who, ["an-argument"])

    @pytest.fixture
    def structured(self, tmp_path: Path) -> str:
        return f"cmd:cat {tmp_path}/tree.json"

    @pytest.fixture
    def vals(self, place: Place) -> str:
        return place.address  # vals runs no programs

    @pytest.fixture
    def failing(self) -> Failing:
        return lambda reason: {
            "missing": (f"cmd:sh -c 'echo {VALUE.decode()}; echo {VALUE.decode()} >&2; exit 3'", who()),
            "slow": ("cmd:sh -c 'sleep 60' an-argument", who(timeout=PATIENCE)),
            "unusable": ("cmd:no-such-program an-argument", who()),
            "wrong": ("cmd:cat 'an-argument", who()),
        }[reason]

    def test_the_line_break_at_the_end_goes(self) -> None:
        for script, value in {"a\\n": b"a", "a\\r\\n": b"a", "a\\n\\n": b"a\n", "a": b"a", "": b""}.items():
            assert sources.fetch(f"cmd:printf '{script}'", who()) == value

    def test_no_shell_and_no_percent_signs(self, tmp_path: Path) -> None:
        address = f"cmd:printf '%s|' $HOME ';' touch {tmp_path}/x '>' \"a b\" %41 '#' ?x=1 '#b'"
        line = b"$HOME|;|touch|%b/x|>|a b|%%41|#|?x=1|#b|" % os.fsencode(tmp_path)
        assert sources.fetch(address, who()) == line
        assert list(tmp_path.iterdir()) == []

    def test_what_the_program_gets(self) -> None:
        hidden = {
            "SOPS_AGE_KEY": "AGE-SECRET-KEY-1X",
            "SOPS_AGE_KEY_CMD": "cat x",
            "VAULT_TOKEN": "hvs.x",
            "ENCCONF_IDENTITY": "file:/x",
        }
        assert sources.fetch("cmd:env", who({"A": "1", **hidden})).splitlines() == [
            f"PATH={os.environ['PATH']}".encode(),
            b"A=1",
        ]
        assert sources.fetch("cmd:cat", who()) == b""  # its input is empty

    def test_it_and_its_children_end(self, tmp_path: Path) -> None:
        mark = f"60.{os.getpid()}"
        begun = time.monotonic()
        error = failure(f"cmd:sh -c 'sleep {mark} & sleep {mark}; true'", who(timeout=0.3))
        assert error.message == "sh took longer than 0.3 s"
        assert time.monotonic() - begun < 10
        assert self._left(mark) == []

    @staticmethod
    def _left(mark: str) -> list[str]:
        """The processes that still sleep for so long."""
        line = f"sleep\0{mark}\0".encode()
        for _ in range(100):
            left = []
            for process in Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError):  # it has ended meanwhile
                    if (process / "cmdline").read_bytes() == line:
                        left.append(process.name)
            if not left:
                break
            time.sleep(0.05)
        return left

    def test_a_child_that_keeps_the_pipe_open_is_waited_for_as_long_as_the_program(self) -> None:
        mark = f"61.{os.getpid()}"
        begun = time.monotonic()
        error = failure(f"cmd:sh -c 'sleep {mark} & exit 0'", who(timeout=0.5))
        assert error.reason == "slow"
        assert time.monotonic() - begun < 10
        assert self._left(mark) == []

    def test_too_much_is_cut_short(self) -> None:
        assert failure("cmd:yes", who(timeout=60)).message.startswith("yes printed more than 16 MiB")

    def test_what_cannot_be_run(self, tmp_path: Path) -> None:
        (tmp_path / "text").write_text("x")
        for command in (f"{tmp_path}/text", str(tmp_path), f"{tmp_path}/text/x"):
            error = failure(f"cmd:{command}", who())
            assert error.reason == "unusable"
            assert str(tmp_path) not in error.message
        with pytest.raises(SourceError, match="no name after cmd:"):
            sources.parse("cmd: ")

    def test_where_somebody_can_type_there_is_more_time(self) -> None:
        credentials = who(timeout=60, prompt=lambda question: "")
        assert sources.fetch("cmd:sh -c 'sleep 0.1; echo x'", credentials) == b"x"


# --- systemd ---------------------------------------------------------------------------------


@pytest.fixture
def unit(tmp_path: Path) -> Iterator[Path]:
    """A folder as systemd makes it for a unit: it and its files can only be read, by their owner."""
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "db").write_bytes(VALUE)
    (folder / "dir_sub_x").write_bytes(b"\xff\n")
    (folder / "tree").write_text(WHOLE)
    for path in folder.iterdir():
        path.chmod(0o400)
    folder.chmod(0o500)
    yield folder
    folder.chmod(0o700)


class TestSystemd(SourceContract):
    SCHEME = "systemd"
    REASONS = frozenset({"missing", "denied", "wrong", "unusable"})

    @pytest.fixture
    def place(self, unit: Path) -> Place:
        return Place("systemd:db", VALUE, lambda: who({"CREDENTIALS_DIRECTORY": str(unit)}))

    @pytest.fixture
    def structured(self) -> str:
        return "systemd:tree"

    @pytest.fixture
    def vals(self) -> str:
        return "ref+systemd://db"

    @pytest.fixture
    def failing(self, unit: Path, closed: Callable[[], Path]) -> Failing:
        def of(folder: Path) -> Credentials:
            return who({"CREDENTIALS_DIRECTORY": str(folder)})

        return lambda reason: {
            "missing": lambda: ("systemd:nothing", of(unit)),
            "denied": lambda: ("systemd:db", of(closed())),
            "wrong": lambda: ("systemd:../credentials/db", of(unit)),
            "unusable": lambda: ("systemd:db", who()),
        }[reason]()

    def test_names(self, unit: Path) -> None:
        credentials = who({"CREDENTIALS_DIRECTORY": str(unit)})
        assert sources.fetch("systemd:dir_sub_x", credentials) == b"\xff\n"
        for name in ("..", ".", "a/b", "/etc/passwd", "%2e%2e%2fx", "a%0Ab", "x" * 256, "ä" * 200):
            error = failure(f"systemd:{name}", credentials)
            assert (error.reason, error.message) == ("wrong", "this is not the name of a credential")

    def test_the_hint_is_the_line_for_the_unit(self, unit: Path) -> None:
        line = "add to the unit's [Service]: LoadCredential=pw:/path/to/the/secret"
        assert failure("systemd:pw", who({"CREDENTIALS_DIRECTORY": str(unit)})).hint == line
        assert failure("systemd:pw", who()).hint == line

    def test_a_probe_tells_the_names(self, unit: Path, patient: None) -> None:
        found = sources.probe("systemd", who({"CREDENTIALS_DIRECTORY": str(unit)}))
        assert (found.usable, found.note) == (True, "credentials: db, dir_sub_x, tree")
        found = sources.probe("systemd", who({"CREDENTIALS_DIRECTORY": "/nonexistent"}))
        assert (found.usable, found.missing) == (
            False,
            ["CREDENTIALS_DIRECTORY=/nonexistent (no such file or directory)"],
        )


def test_by_systemd_s_own_word(unit: Path) -> None:
    """The program that comes with systemd gives the same bytes."""
    program = shutil.which("systemd-creds")
    assert program, "systemd-creds is missing: apt-get install systemd"
    environ = clean_environ({"CREDENTIALS_DIRECTORY": str(unit)})
    for name in ("db", "dir_sub_x", "tree"):
        command = [program, "cat", "--newline=no", name]
        theirs = subprocess.run(command, env=environ, capture_output=True, check=True).stdout
        assert sources.fetch(f"systemd:{name}", who(environ)) == theirs


def test_an_interrupt_reaches_a_program_that_somebody_types_to(tmp_path: Path) -> None:
    """With a terminal the program shares the session, so that Ctrl-C ends both."""
    code = (
        "from encconf import sources; import os, sys\n"
        "from encconf.identities.credentials import Credentials\n"
        "who = Credentials(dict(os.environ), prompt=lambda question: '')\n"
        "sources.fetch(f'cmd:sh -c \"echo $$ > {sys.argv[1]}; exec sleep 60\"', who)\n"
    )
    pid_file = tmp_path / "pid"
    environ = clean_environ({"PYTHONPATH": str(Path(__file__).resolve().parents[2])})
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(pid_file)],
        env=environ,
        start_new_session=True,
        stderr=subprocess.DEVNULL,
    )
    timer = threading.Timer(30, process.kill)
    timer.start()
    try:
        while process.poll() is None and not (pid_file.exists() and pid_file.read_text().strip()):
            time.sleep(0.02)
        child = int(pid_file.read_text())
        assert os.getpgid(child) == os.getpgid(process.pid)
        os.killpg(process.pid, signal.SIGINT)
        process.wait()
        for _ in range(200):
            if not Path(f"/proc/{child}").exists():
                break
            time.sleep(0.02)
        assert not Path(f"/proc/{child}").exists()
    finally:
        timer.cancel()
        process.kill()
        process.wait()
