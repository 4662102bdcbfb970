"""The companion that a run of ``git textconv`` leaves behind: which runs it answers, and how it ends."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from doubles.huawei import Huawei
from oracle import FIXTURES, PGP_FINGERPRINT, AgeKey
from project import PLAIN, Project

FILE = "secrets.enc.yaml"


class History(Project):
    """A repository with three versions of a file; the key is in a file, and sockets are in ``runtime``."""

    runtime: Path
    key_file: Path

    def sockets(self) -> list[Path]:
        walked = os.walk(self.runtime)  # ignores what is removed meanwhile
        return [
            Path(folder, name) for folder, _, names in walked for name in names if folder != str(self.runtime)
        ]

    def companion(self) -> int:
        """The companion's process, once it has answered a run."""
        (path,) = self.sockets()
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))
            return peer(connection)

    def as_git(self, script: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a shell script in a process named git, in which ``textconv`` runs encconf's."""
        with self.start_git(script, **environ) as git:
            out, err = git.communicate(timeout=60)
        return subprocess.CompletedProcess(script, git.returncode, out, err)

    def start_git(self, script: str, **environ: str) -> subprocess.Popen[str]:
        program = self.home / "git"
        if not program.exists():
            program.symlink_to("/bin/sh")
        return subprocess.Popen(
            [program, "-c", f'textconv() {{ {RUN} git textconv "$@"; }}\n{script}\n:'],
            cwd=self.folder,
            env={**self.environ, **environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )


# The variables ENCCONF_TEST_… are the tests' own.  No signal handler in Python interrupts a thread that waits
# for a mutex of C's.
_CODE = """
import ctypes, gc, os
from encconf.git import textconv
from encconf.cli import run
def hang(*_):
    mutex = ctypes.create_string_buffer(64)
    ctypes.CDLL(None).pthread_mutex_lock(mutex)
    ctypes.CDLL(None).pthread_mutex_lock(mutex)
def fail():
    raise DeprecationWarning  # Python's about a fork with threads, under -W error
textconv.PATIENCE = int(os.environ.get("ENCCONF_TEST_PATIENCE", 60))
match os.environ.get("ENCCONF_TEST_CASE"):
    case "hangs at the start": os.chdir = hang
    case "hangs after an answer": gc.collect = hang
    case "cannot start": os.fork = fail
run()
"""
RUN = f"{shlex.quote(sys.executable)} -c {shlex.quote(_CODE)}"


@pytest.fixture
def history(repository: Project) -> Iterator[History]:
    """Checks at the end that nothing is left."""
    with tempfile.TemporaryDirectory(prefix="enc-") as runtime:  # the path of a socket must be short
        made = History(repository.folder, repository.home, repository.key)
        made.environ = repository.environ
        made.runtime = Path(runtime)
        made.key_file = made.home / "key"
        made.key_file.write_text(made.environ.pop("SOPS_AGE_KEY"))
        made.environ["SOPS_AGE_KEY_FILE"] = str(made.key_file)
        made.environ |= {"XDG_RUNTIME_DIR": runtime, "TMPDIR": runtime}
        for port in ("5433", "5434"):
            made.run("set", FILE, "db.port", port)
            made.git("commit", "-qam", port)
        yield made
        assert eventually(lambda: runtime not in Path("/proc/net/unix").read_text())
        assert eventually(lambda: os.listdir(runtime) == [])


def peer(connection: socket.socket) -> int:
    found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return int.from_bytes(found[:4], sys.byteorder)


def eventually(is_so: Callable[[], bool], seconds: float = 20) -> bool:
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


class TestAnswers:
    @pytest.mark.parametrize("words", [["log", "-p"], ["diff", "HEAD~2"], ["show", "HEAD~1"], ["show"]])
    def test_git_shows_the_same(self, history: History, words: list[str]) -> None:
        with_one = history.git(*words)
        history.environ["ENCCONF_COMPANION"] = "0"
        assert history.git(*words) == with_one
        assert "5433" in with_one or "5434" in with_one

    @pytest.mark.parametrize(("companion", "encrypted"), [("1", False), ("0", True), ("false", True)])
    def test_later_runs_of_one_git_need_no_key(
        self, history: History, companion: str, encrypted: bool
    ) -> None:
        program = history.home / "textconv"
        program.write_text(
            f"#!/bin/sh\n[ ! -e {history.home}/ran ] || rm -f {history.key_file}\n: > {history.home}/ran\n"
            f'exec {RUN} git textconv "$1"\n'
        )
        program.chmod(0o700)
        history.environ["ENCCONF_COMPANION"] = companion
        shown = history.git("-c", f"diff.encconf.textconv={program}", "log", "-p")
        assert ("ENC[" in shown) == encrypted
        assert ("port: 5434" in shown) != encrypted
        assert not history.key_file.exists()

    def test_another_git_process_has_another_one(self, history: History) -> None:
        history.as_git(f"textconv {FILE}")
        history.key_file.unlink()
        assert "ENC[" in history.as_git(f"textconv {FILE}").stdout

    def test_data_keys_of_several_files(self, history: History) -> None:
        for name in ("a", "b"):
            history.write(f"{name}.enc.yaml", f"{name}: 1\n")
        history.key_file.rename(history.home / "kept")
        history.environ["SOPS_AGE_KEY_FILE"] = str(history.home / "kept")
        history.run("encrypt", "-i", "a.enc.yaml")
        history.run("encrypt", "-i", "b.enc.yaml")
        both = "textconv a.enc.yaml; textconv b.enc.yaml"
        done = history.as_git(f"{both}; rm {history.home}/kept; {both}; textconv {FILE}")
        assert done.stdout.startswith("a: 1\nb: 1\na: 1\nb: 1\n")
        assert done.stdout.count("ENC[") > 1
        assert done.stderr.count("shown encrypted") == 1

    def test_a_plain_file_and_a_file_without_a_name(self, history: History) -> None:
        history.write("x", "a: 1\n")
        done = history.as_git(f"textconv {FILE} > /dev/null; textconv x; textconv none; echo $?")
        assert done.stdout == "a: 1\n100\n"

    def test_large_files_are_not_sent(self, history: History) -> None:
        text = "".join(f"k{number}: {'x' * 1000}\n" for number in range(1200))
        history.write("large.enc.yaml", text)
        history.run("encrypt", "-i", "large.enc.yaml")
        done = history.as_git("textconv large.enc.yaml; textconv large.enc.yaml; rm $SOPS_AGE_KEY_FILE; "
                              "textconv large.enc.yaml >/dev/null")  # fmt: skip
        assert done.stdout == text * 2
        assert done.stderr.count("shown encrypted") == 1

    def test_all_fixtures_the_same_as_without(self, history: History) -> None:
        alice = AgeKey.load(FIXTURES / "keys" / "alice.txt").identity
        history.key_file.write_text(alice)
        files = [path for path in sorted((FIXTURES / "sops").iterdir()) if path.is_file()]
        words = " ".join(shlex.quote(str(path)) for path in files)
        history.path("out").mkdir()
        history.as_git(f'for f in {words}; do n=out/$(basename "$f"); '
                       'textconv "$f" >"$n.1" 2>"$n.e1"; textconv "$f" >"$n.2" 2>"$n.e2"; done')  # fmt: skip
        opened = 0
        for path in files:
            expected = history.run("git", "textconv", str(path))
            for run in "12":
                assert history.read(f"out/{path.name}.{run}") == expected.out
                assert history.read(f"out/{path.name}.e{run}") == expected.err
            opened += not expected.err
        assert opened > 10

    def test_git_does_not_wait_for_it(self, history: History) -> None:
        os.mkfifo(history.path("pipe"))
        with history.start_git(f"textconv {FILE} > pipe 2>&1; read wait") as git:
            assert "hunter2" in history.read("pipe")  # up to its end
            assert len(history.sockets()) == 1
            git.communicate("\n", timeout=60)


class TestAskedOnce:
    """For each data key of a history with two files: gpg, a KMS, and a command that takes long."""

    def history_of(self, history: History, *key: str) -> None:
        for name in ("a", "b"):
            history.write(f"{name}.enc.yaml", f"{name}: 1\n")
            history.run("encrypt", "-i", f"{name}.enc.yaml", *key)
        history.git("add", ".")
        history.git("commit", "-qm", "both")
        for value in ("2", "3"):
            for name in ("a", "b"):
                history.run("set", f"{name}.enc.yaml", name, value)
            history.git("commit", "-qam", value)

    def shown(self, history: History, **environ: str) -> str:
        history.environ |= environ
        text = history.git("log", "-p", "-3", "--", "a.enc.yaml", "b.enc.yaml")
        assert "ENC[" not in text
        assert [text.count(f"+{name}: {value}") for name in "ab" for value in "123"] == [1] * 6
        return text

    def test_gpg(self, history: History, pgp_home: Path) -> None:
        history.environ["GNUPGHOME"] = str(pgp_home)
        self.history_of(history, "--pgp", PGP_FINGERPRINT)
        program, asked = history.home / "gpg", history.home / "asked"
        program.write_text(f'#!/bin/sh\n[ "${{*#*--decrypt}}" = "$*" ] || echo >> {asked}\nexec gpg "$@"\n')
        program.chmod(0o700)
        text = self.shown(history, SOPS_GPG_EXEC=str(program))
        assert asked.read_text() == "\n" * 2
        assert self.shown(history, ENCCONF_COMPANION="0") == text
        assert len(asked.read_text()) > 2 + 2

    def test_a_kms(self, history: History) -> None:
        with Huawei() as huawei:
            key = huawei.add_key("0d0466b0-e727-4d9c-b35d-f84bb474a37f")
            history.environ |= huawei.environ
            self.history_of(history, "--hckms", key)
            huawei.calls.clear()
            text = self.shown(history)
            assert [call.rpartition("/")[2] for call in huawei.calls] == ["decrypt-data"] * 2
            assert self.shown(history, ENCCONF_COMPANION="0") == text
            assert len(huawei.calls) > 2 + 2

    def test_a_command_that_takes_longer_than_the_companion_waits(self, history: History) -> None:
        self.history_of(history)
        program, asked = history.home / "identity", history.home / "asked"
        program.write_text(
            f"#!/bin/sh\n[ ! -e {asked} ] || sleep 12\necho >> {asked}\ncat {history.key_file}\n"
        )
        program.chmod(0o700)
        del history.environ["SOPS_AGE_KEY_FILE"]
        both = "textconv a.enc.yaml; textconv b.enc.yaml"
        environ = {"SOPS_AGE_KEY_CMD": str(program), "ENCCONF_TEST_PATIENCE": "5"}
        assert history.as_git(f"{both}; {both}", **environ).stdout == "a: 3\nb: 3\n" * 2
        assert asked.read_text() == "\n" * 2


class TestEnd:
    def test_with_git(self, history: History) -> None:
        with history.start_git(f"textconv {FILE}; textconv {FILE}; read wait") as git:
            assert git.stdout is not None
            assert len(git.stdout.read(2 * len(PLAIN))) == 2 * len(PLAIN)
            companion = history.companion()
            assert Path(f"/proc/{companion}").exists()
            git.communicate("\n", timeout=60)
        assert eventually(lambda: not Path(f"/proc/{companion}").exists())
        assert history.sockets() == []

    def test_if_nothing_comes(self, history: History) -> None:
        with history.start_git(f"textconv {FILE}; read wait", ENCCONF_TEST_PATIENCE="1") as git:
            assert git.stdout is not None
            assert git.stdout.read(1)
            assert eventually(lambda: history.sockets() == [])
            git.communicate("\n", timeout=60)

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
    def test_with_a_signal(self, history: History, number: signal.Signals) -> None:
        with history.start_git(f"textconv {FILE}; textconv {FILE}; read wait; textconv {FILE}") as git:
            assert git.stdout is not None
            assert len(git.stdout.read(2 * len(PLAIN))) == 2 * len(PLAIN)
            os.kill(history.companion(), number)
            assert eventually(lambda: history.sockets() == [])
            out, _ = git.communicate("\n", timeout=60)
        assert "hunter2" in out

    def test_killed_ones_are_replaced(self, history: History) -> None:
        with history.start_git(f"textconv {FILE}; textconv {FILE}; read wait; textconv {FILE}; "
                               f"rm {history.key_file}; textconv {FILE}") as git:  # fmt: skip
            assert git.stdout is not None
            assert len(git.stdout.read(2 * len(PLAIN))) == 2 * len(PLAIN)
            killed = history.companion()
            os.kill(killed, signal.SIGKILL)
            assert eventually(lambda: not Path(f"/proc/{killed}").exists())
            out, err = git.communicate("\n", timeout=60)
        assert out.count("hunter2") == 2
        assert err == ""

    @pytest.mark.parametrize("case", ["hangs at the start", "hangs after an answer"])
    def test_the_kernel_ends_one_that_hangs(self, history: History, case: str) -> None:
        hung = f"ENCCONF_TEST_PATIENCE=1 ENCCONF_TEST_CASE='{case}' textconv {FILE}"
        done = history.as_git(f"{hung}; {hung}; textconv {FILE}; rm {history.key_file}; textconv {FILE}")
        assert done.stdout.count("hunter2") == 4
        assert done.stderr == ""

    def test_with_ctrl_c_on_git(self, history: History) -> None:
        with history.start_git(f"textconv {FILE}; textconv {FILE}; read wait") as git:
            assert git.stdout is not None
            assert len(git.stdout.read(2 * len(PLAIN))) == 2 * len(PLAIN)
            os.killpg(git.pid, signal.SIGINT)
            git.communicate(timeout=60)
        assert git.returncode == -signal.SIGINT

    def test_it_holds_nothing_open_and_leaves_no_core(self, history: History) -> None:
        with history.start_git(f"exec 7<.; textconv {FILE}; textconv {FILE}; read wait") as git:
            assert git.stdout is not None
            assert len(git.stdout.read(2 * len(PLAIN))) == 2 * len(PLAIN)
            folder = Path(f"/proc/{history.companion()}")
            limits = (folder / "limits").read_text().splitlines()
            core = next(line for line in limits if line.startswith("Max core file size"))
            assert core.split()[4:6] == ["0", "0"]
            environ = history.environ
            assert not any(word in (folder / "cmdline").read_text() for word in (environ["HOME"], "hunter2"))
            if os.geteuid() == 0:  # other users may not look
                # It may still be answering, or opening and closing what a garbage collection left.
                end = time.monotonic() + 30
                while (targets := opened(folder)).count("/dev/null") != 3 and time.monotonic() < end:
                    time.sleep(0.05)
                assert targets.count("/dev/null") == 3
                assert not any(each.startswith("pipe") for each in targets)
                assert os.readlink(folder / "cwd") == "/"
            git.communicate("\n", timeout=60)


def opened(process: Path) -> list[str]:
    """Return what a process has open, except for what it closes meanwhile."""
    targets = []
    for each in (process / "fd").iterdir():
        with suppress(FileNotFoundError):
            targets.append(os.readlink(each))
    return targets


class TestNoCompanion:
    def test_without_git(self, history: History) -> None:
        done = history.popen("git", "textconv", FILE, stdout=-1, before=["sh", "-c", '"$@"; :', "sh"])
        assert b"hunter2" in done.communicate(timeout=60)[0]
        assert os.listdir(history.runtime) == []

    @pytest.mark.parametrize(
        "command",
        [*(f"ENCCONF_COMPANION={word} textconv {FILE}" for word in ("0", "off", "no")),
         "textconv .gitattributes", "textconv none"],
    )  # fmt: skip
    def test_it_is_forbidden_or_needless(self, history: History, command: str) -> None:
        assert history.as_git(f"{command}; ls {history.runtime} >&2").stderr.count("encconf-") == 0

    def test_without_a_key(self, history: History) -> None:
        history.key_file.unlink()
        assert "ENC[" in history.as_git(f"textconv {FILE}; ls {history.runtime}").stdout
        assert os.listdir(history.runtime) == []

    def test_an_audit_log_gets_every_run(self, history: History) -> None:
        (history.home / "audit.yaml").write_text("backends: {}\n")
        code = f"import encconf.cli as cli; cli.AUDIT = {str(history.home / 'audit.yaml')!r}; cli.run()"
        run = f"{shlex.quote(sys.executable)} -c {shlex.quote(code)} git textconv {FILE}"
        done = history.as_git(f"{run}; ls {history.runtime}")
        assert "hunter2" in done.stdout
        assert "encconf-" not in done.stdout

    @pytest.mark.parametrize("what", ["open", "link", "file", "foreign"])
    def test_another_folder_of_that_name(self, history: History, what: str) -> None:
        folder = history.runtime / f"encconf-{os.geteuid()}"
        if what == "link":
            (history.home / "real").mkdir(mode=0o700)
            folder.symlink_to(history.home / "real")
        elif what == "file":
            folder.write_text("")
            folder.chmod(0o700)
        else:
            folder.mkdir(mode=0o700)
            if what == "open":
                folder.chmod(0o750)
            else:
                assert os.geteuid() == 0, "these tests need root"
                os.chown(folder, 65534, 65534)
        done = history.as_git(f"textconv {FILE}; rm {history.key_file}; textconv {FILE}")
        assert "hunter2" in done.stdout
        assert "ENC[" in done.stdout
        assert history.sockets() == []
        if folder.is_dir() and not folder.is_symlink():
            folder.rmdir()
        else:
            folder.unlink()

    def test_the_temporary_folder_is_the_second_choice(self, history: History) -> None:
        temporary = history.runtime / "tmp"
        temporary.mkdir()
        done = history.as_git(
            f"textconv {FILE}; ls $TMPDIR/*; rm {history.key_file}; textconv {FILE}",
            XDG_RUNTIME_DIR="/nonexistent", TMPDIR=str(temporary),
        )  # fmt: skip
        assert done.stdout.count("hunter2") == 2
        assert "0." in done.stdout
        assert eventually(lambda: os.listdir(temporary) == [])
        temporary.rmdir()


# A program that listens in place of a companion: its arguments are the folder and what it does.
_IMPOSTOR = """
import contextlib, os, socket, sys, time
folder, what = sys.argv[1:]
os.mkdir(folder, 0o700)
with open(f"/proc/{os.getppid()}/stat") as file:
    started = file.read().split()[21]
from encconf import __version__
listener = socket.socket(socket.AF_UNIX)
listener.bind(f"{folder}/{__version__}-{os.getppid()}-{started}")
if what == "foreign":
    os.seteuid(65534)
    what = "answer"
listener.listen()
if process := os.fork():
    print(process, flush=True)
    os._exit(0)
for number in range(3):
    os.dup2(os.open("/dev/null", os.O_RDWR), number)
while True:
    connection, _ = listener.accept()
    if what == "hang":
        time.sleep(60)
    plain = {"garbage": b"\\xff" * 999, "answer": (6).to_bytes(8, "big") + b"forged", "": b""}[what]
    with connection, contextlib.suppress(OSError):  # who sees that it is foreign does not stay
        while connection.recv(65536):
            pass
        connection.sendall(plain)
"""


class TestImpostors:
    """Of the same user, apart from one: they show that nothing hangs."""

    def shown(self, history: History, what: str) -> str:
        folder = history.runtime / f"encconf-{os.geteuid()}"
        impostor = shlex.join([sys.executable, "-c", _IMPOSTOR, str(folder), what])
        script = f"{impostor}; textconv {FILE}; rm {history.key_file}; textconv {FILE}"
        done = history.as_git(script, ENCCONF_TEST_PATIENCE="1")
        process, _, shown = done.stdout.partition("\n")
        os.kill(int(process), signal.SIGKILL)
        assert eventually(lambda: str(folder) not in Path("/proc/net/unix").read_text())
        for path in history.sockets():
            path.unlink()
        if folder.exists():
            folder.rmdir()
        return shown

    def test_the_real_protocol_is_spoken(self, history: History) -> None:
        assert self.shown(history, "answer") == "forgedforged"

    @pytest.mark.parametrize("what", ["garbage", "", "foreign"])
    def test_other_answers_count_for_nothing(self, history: History, what: str) -> None:
        shown = self.shown(history, what)
        assert shown.count("hunter2") == 1
        assert "ENC[" in shown

    def test_one_that_hangs_is_replaced(self, history: History) -> None:
        assert self.shown(history, "hang").count("hunter2") == 2


# A program that sends messages to the companion: its arguments are the folder, the user and the messages.
# A message "long" has no end, and "silent" none at all.
_SENDER = """
import glob, os, socket, sys, time
folder, user, *messages = sys.argv[1:]
environ = b"\\0".join(b"%s=%s" % each for each in sorted(os.environb.items())) + b"\\0\\0"
(path,) = glob.glob(f"{folder}/encconf-*/*")
with open("secrets.enc.yaml", "rb") as file:
    content = b"secrets.enc.yaml\\0" + file.read()
os.seteuid(int(user))
for message in messages:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        try:
            if message == "silent":
                time.sleep(3)
            while message == "long":
                connection.sendall(bytes(1 << 20))
            connection.sendall(message[:1].encode() + environ + (message[1:].encode() or content))
            connection.shutdown(socket.SHUT_WR)
            print(len(connection.recv(65536)))
        except OSError:
            print("refused")
"""


class TestWhoIsAnswered:
    def sender(self, history: History, *messages: str, user: int | None = None) -> list[str]:
        words = [str(history.runtime), str(os.geteuid() if user is None else user), *messages]
        return [sys.executable, "-c", _SENDER, *words]

    def sent(self, history: History, *messages: str, before: str = "") -> list[str]:
        """The lengths of the answers; the companion must answer the next run as well."""
        sender = shlex.join(self.sender(history, *messages))
        script = f"textconv {FILE} >/dev/null; {before} {sender}; rm {history.key_file}; textconv {FILE}"
        lines = history.as_git(script).stdout.split("\n", len(messages))
        assert "hunter2" in lines.pop()
        return lines

    def test_a_child_of_this_git(self, history: History) -> None:
        assert self.sent(history, "?") == [str(8 + len(PLAIN))]

    def test_not_in_another_environment(self, history: History) -> None:
        assert self.sent(history, "?", before="ANOTHER=1") == ["0"]

    def test_a_run_in_another_environment_needs_its_own_key(self, history: History) -> None:
        done = history.as_git(f"textconv {FILE}; SOPS_AGE_KEY_FILE=/nonexistent textconv {FILE}")
        assert "hunter2" in done.stdout
        assert "ENC[" in done.stdout

    def test_not_another_user(self, history: History) -> None:
        assert os.geteuid() == 0, "these tests need root"
        opened = f"chmod 711 {history.runtime} {history.runtime}/*; chmod 666 {history.runtime}/*/*;"
        closed = f"chmod 700 {history.runtime}/*;"
        sender = shlex.join(self.sender(history, "?", user=65534))
        done = history.as_git(f"textconv {FILE} >/dev/null; {opened} {sender}; {closed} textconv {FILE}")
        assert done.stdout.partition("\n")[0] in ("0", "refused")
        assert "hunter2" in done.stdout

    def test_not_a_process_that_git_did_not_start(self, history: History) -> None:
        with history.start_git(f"textconv {FILE}; read wait") as git:
            assert eventually(lambda: len(history.sockets()) == 1)
            sender = self.sender(history, "?")
            done = subprocess.run(
                sender, cwd=history.folder, env=history.environ, capture_output=True, check=True
            )
            assert done.stdout in (b"0\n", b"refused\n")
            git.communicate("\n", timeout=60)

    def test_a_message_without_end(self, history: History) -> None:
        assert self.sent(history, "long") == ["refused"]

    def test_one_that_says_nothing(self, history: History) -> None:
        silent = shlex.join(self.sender(history, "silent"))
        script = f"textconv {FILE}; {silent} >/dev/null; textconv {FILE}"
        done = history.as_git(script, ENCCONF_TEST_PATIENCE="1")
        assert (done.stdout.count("hunter2"), done.stderr) == (2, "")

    def test_malformed_messages(self, history: History) -> None:
        keys = ["{", "[1]", "[[]]", '[["age", "x", "y", 32, "no"]]', '{"a": 1}', "[" * 9999]
        said = self.sent(history, *(f"+{each}" for each in keys), "xy", "?no name", "?sops: 1")
        assert said == [*["0"] * (len(keys) + 1), "8", "8"]


def test_the_folder_is_private(history: History) -> None:
    with history.start_git(f"textconv {FILE}; read wait") as git:
        assert eventually(lambda: len(history.sockets()) == 1)
        (path,) = history.sockets()
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert path.name.split("-")[1] == str(git.pid)
        git.communicate("\n", timeout=60)


def test_nothing_that_goes_wrong_in_it_fails_the_run(history: History) -> None:
    done = history.as_git(f"textconv {FILE}; textconv {FILE}", ENCCONF_TEST_CASE="cannot start")
    assert (done.stdout.count("hunter2"), done.stderr) == (2, "")
    assert history.sockets() == []
