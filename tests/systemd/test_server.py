"""`encconf systemd serve`: a real manager asks for the values of its units, and others try to."""

from __future__ import annotations

import errno
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from project import Project, signal_another_thread
from systemd.serving import BIG, REFUSED, allow, serving

from encconf.identities.credentials import Credentials
from encconf.systemd.rules import read as rule_of
from encconf.systemd.server import DEADLINE, CredentialServer, Values, listening

from .manager import Manager

pytestmark = pytest.mark.services


def own(name: bytes) -> bytes:
    """An abstract name of this run alone: the machine has each only once."""
    return re.sub(rb"\A\0(?=[0-9a-f]{1,6}/)", b"\0" + _RUN, name)


_RUN = os.urandom(4).hex().encode()


def bind(peer: socket.socket, name: bytes) -> None:
    """Bind to an `own` name, or wait for one that must be as it is and that another run has now."""
    for _ in range(1000):
        try:
            return peer.bind(own(name))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            time.sleep(0.02)
    raise AssertionError(f"{name!r} stays in use")


def asked(path: Path, name: bytes | None, *, pause: float = 0) -> bytes:
    """What a process gets that binds to an abstract name, as systemd does, and reads to the end."""
    with socket.socket(socket.AF_UNIX) as peer:
        if name is not None:
            bind(peer, name)
        peer.settimeout(20)
        peer.connect(str(path))
        peer.shutdown(socket.SHUT_WR)
        time.sleep(pause)
        parts = []
        while part := peer.recv(1 << 16):
            parts.append(part)
        return b"".join(parts)


def refused(answer: bytes) -> bool:
    """Whether it is what systemd takes for a fault: more than 1 MiB, and nothing in it."""
    return len(answer) > 1 << 20 and not answer.strip(b"\0")


class TestUnits:
    def test_who_gets_what(self, manager: Manager, values: Project) -> None:
        rules = values.write(
            "rules", "# who\n\napp.service:password=db.password\nt@*.service:t=tenants.%i.token\n"
        )
        rules.chmod(0o600)
        with serving(values, "--allow-from", "rules") as server:
            where = str(server.path).replace("%", "%%")

            def run(unit: str, credential: str) -> object:
                script = f"cat $CREDENTIALS_DIRECTORY/{credential}"
                done = manager.run(script, f"LoadCredential={credential}:{where}", name=unit)
                return done.out if (done.code, done.result) == (0, "success") else done.code

            assert run("app.service", "password") == "hunter2 ☃"
            assert run("other.service", "password") == REFUSED
            assert run("xapp.service", "password") == REFUSED
            assert run("app.service", "port") == REFUSED
            assert run("t@a.service", "t") == "for a"
            assert run("t@b.service", "t") == "for b"
            assert run("t@c.service", "t") == REFUSED
            assert run("t@nobody.service", "t") == REFUSED
            assert run("t.service", "t") == REFUSED
            server.stop()
            assert "other.service: password: refused: no rule allows it" in server.log()
            assert "t@c.service: t: refused: this instance has no value" in server.log()

    def test_names_as_long_as_can_be(self, manager: Manager, values: Project) -> None:
        unit = "u" * 60 + ".service"
        longest = "c" * (83 - len(unit))
        with serving(values, *allow(f"{unit}:{longest}=db.port")) as server:
            where = str(server.path).replace("%", "%%")
            for name, code in ((longest, 0), (longest + "c", REFUSED)):
                done = manager.run(
                    f"cat $CREDENTIALS_DIRECTORY/{name}", f"LoadCredential={name}:{where}", name=unit
                )
                assert (done.code, done.out) == (code, "" if code else "5432")
        rule = f"{unit}:{longest}c=db.port"
        done = values.run("systemd", "serve", "s.enc.yaml", "--allow", rule, code=2)
        assert "84 bytes together" in done.err

    def test_without_the_server_there_is_no_value(self, manager: Manager, values: Project) -> None:
        """The same as when it is killed: a unit never starts with less than its secret."""
        with serving(values, *allow("app.service:p=db.password")) as server:
            pass
        line = f"LoadCredential=p:{server.path}".replace("%", "%%")
        assert manager.run("true", line, name="app.service").result == "exit-code"

    def test_why_no_client_is_hung_up_on(self, manager: Manager) -> None:
        """What systemd makes of a server that only closes: a unit that starts, with an empty secret."""
        path = manager.folder / "hang-up.sock"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen()
            listener.settimeout(20)
            closing = threading.Thread(target=lambda: listener.accept()[0].close())
            closing.start()
            done = manager.run("stat -c %s $CREDENTIALS_DIRECTORY/p", f"LoadCredential=p:{path}")
            closing.join()
        assert (done.code, done.out) == (0, "0\n")


class TestPeers:
    """What a process gets that is not systemd."""

    def test_names(self, values: Project) -> None:
        with serving(values, *allow("app.service:p=db.password", "empty.service:p=empty")) as server:
            path = server.path
            assert asked(path, b"\0c0ffee/unit/app.service/p").decode() == "hunter2 ☃"
            assert asked(path, b"\0c0ffee/unit/empty.service/p") == b""
            for name in (
                b"\0c0ffee/unit/app.service/q", b"\0c0ffee/unit/app.service/p/", b"\0c0ffee/unit//p",
                b"\0/unit/app.service/p", b"\0C0FFEE/unit/app.service/p", b"\0c0ffee/unit/app/p",
                b"\0xyz/unit/app.service/p", b"\0c0ffee/unit/app.service/p\0",
                b"\0c0ffee/unit/app.service/../p",
                b"\x000123456789abcdef0/unit/app.service/p", b"\0c0ffee/unit/x/../app.service/p",
                b"\0c0ffee/unit/app.service/p\n", b"\0c0ffee/unit/app.service/\xff", b"\0\xff" + b"x" * 100,
            ):  # fmt: skip
                assert refused(asked(path, name)), name
            assert refused(asked(path, None))
            log = server.log()
            assert log.count("the peer's socket has no name of systemd's") == 14, log
            server.stop()

    def test_a_pathname_is_no_name(self, values: Project) -> None:
        folder = values.path("c0ffee/unit/app.service")
        folder.mkdir(parents=True)
        with serving(values, *allow("app.service:p=db.password")) as server:
            os.chdir(values.folder)
            assert refused(asked(server.path, os.fsencode("c0ffee/unit/app.service/p")))

    def test_another_user(self, values: Project, manager: Manager) -> None:
        """The socket is its owner's alone; and if it were not, the kernel says who is there."""
        script = (
            "import os, socket, sys\n"
            "peer = socket.socket(socket.AF_UNIX); peer.bind(b'\\0' + sys.argv[2].encode())\n"
            "os.setgid(65534); os.setuid(65534)\n"
            "peer.connect(sys.argv[1]); peer.shutdown(1)\n"
            "size = 0\n"
            "while part := peer.recv(65536): size += len(part); assert not part.strip(b'\\0')\n"
            "print(size)\n"
        )
        with serving(values, *allow("app.service:p=db.password")) as server:
            assert stat.S_IMODE(os.stat(server.path).st_mode) == 0o600
            assert stat.S_IMODE(os.stat(server.path.parent).st_mode) == 0o700
            name = own(b"\0c0ffee/unit/app.service/p")[1:].decode()
            command = [sys.executable, "-c", script, str(server.path), name]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
            assert "PermissionError" in done.stderr
            for folder in (server.path.parent, values.folder, manager.folder):
                folder.chmod(0o755)
            server.path.chmod(0o666)
            try:
                done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
            finally:
                manager.folder.chmod(0o700)
            assert int(done.stdout) > 1 << 20
            assert "a process of user 65534 asked" in server.log()
            server.stop()

    def test_slow_ones_hold_up_no_other(self, values: Project) -> None:
        """Peers that never read are left alone after a while, and those that do get theirs meanwhile."""
        with serving(values, *allow("app.service:p=db.password", "app.service:b=big")) as server:
            slow = []
            for number in range(40):
                peer = socket.socket(socket.AF_UNIX)
                bind(peer, b"\0%x/unit/app.service/%s" % (number, b"b" if number % 2 else b"nothing"))
                peer.connect(str(server.path))
                slow.append(peer)
            started = time.monotonic()
            assert asked(server.path, b"\0aaaa/unit/app.service/p").decode() == "hunter2 ☃"
            assert time.monotonic() - started < DEADLINE
            assert asked(server.path, b"\0bbbb/unit/app.service/b", pause=1) == BIG.encode()
            server.wait("too slow", 40)
            for peer in slow:
                peer.close()
            server.stop()

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
    def test_a_signal_is_never_missed(self, values: Project, number: signal.Signals) -> None:
        with serving(values, *allow("app.service:b=big")) as server, socket.socket(socket.AF_UNIX) as slow:
            bind(slow, b"\0a/unit/app.service/b")
            slow.connect(str(server.path))
            server.wait("app.service: b: given")
            signal_another_thread(server.process.pid, number)
            if number == signal.SIGHUP:
                server.wait("reopened the files")
            else:
                assert server.process.wait(20) == 0

    def test_many_at_once(self, values: Project) -> None:
        with serving(values, *allow("app.service:p=db.password", "app.service:b=big")) as server:
            answers: list[bytes] = []

            def ask(number: int) -> None:
                name = b"\0%x/unit/app.service/%s" % (number, b"b" if number % 20 == 0 else b"p")
                answers.append(asked(server.path, name))

            threads = [threading.Thread(target=ask, args=(number,)) for number in range(300)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
            assert sorted(answers, key=len) == ["hunter2 ☃".encode()] * 285 + [BIG.encode()] * 15
            server.stop()

    def test_where_no_thread_can_be_had(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """It answers all the same: to hang up would be to give an empty value."""
        rule = rule_of("app.service:p=p")
        values = Values([], [rule], Credentials.from_env)
        monkeypatch.setattr(values, "get", lambda rule, instance: b"hunter2")
        path = tmp_path / "run" / "c.sock"
        log: list[str] = []
        with listening(str(path)) as listener:
            desk = CredentialServer(listener, values, [rule], log=log.append)
            running = threading.Thread(target=desk.run)
            running.start()

            def start(_: threading.Thread) -> None:
                raise RuntimeError("can't start new thread")

            monkeypatch.setattr(threading.Thread, "start", start)
            answers = [asked(path, b"\0a/unit/app.service/%s" % name) for name in (b"p", b"q")]
            desk.stop()
            running.join(20)
        assert answers[0] == b"hunter2"
        assert refused(answers[1])
        assert log == ["app.service: p: given", "app.service: q: refused: no rule allows it"]


class TestChanges:
    def change(self, project: Project, value: str) -> None:
        project.run("set", "s.enc.yaml", "db.password", value)

    def test_sighup(self, values: Project) -> None:
        with serving(values, *allow("app.service:p=db.password")) as server:
            self.change(values, "new")
            assert asked(server.path, b"\0a/unit/app.service/p").decode() == "hunter2 ☃"
            server.process.send_signal(signal.SIGHUP)
            server.wait("reopened the files")
            assert asked(server.path, b"\0b/unit/app.service/p") == b"new"
            values.write("s.enc.yaml", "damaged: [")
            server.process.send_signal(signal.SIGHUP)
            server.wait("parse: s.enc.yaml")
            assert asked(server.path, b"\0c/unit/app.service/p") == b"new"
            server.stop()

    def test_watching(self, values: Project) -> None:
        with serving(values, "--reload", *allow("app.service:p=db.password")) as server:
            self.change(values, "new")
            assert asked(server.path, b"\0a/unit/app.service/p") == b"new"
            whole = values.read("s.enc.yaml")
            values.write("s.enc.yaml", "damaged: [")
            assert refused(asked(server.path, b"\0b/unit/app.service/p"))
            values.write("s.enc.yaml", whole)
            assert asked(server.path, b"\0c/unit/app.service/p") == b"new"
            server.stop()

    def test_later_files_win(self, values: Project) -> None:
        values.write("late.yaml", "db: {password: late}\n")
        values.run("encrypt", "-i", "late.yaml")
        with serving(values, "late.yaml", *allow("a.service:p=db.password", "a.service:q=db.port")) as server:
            assert asked(server.path, b"\0a/unit/a.service/p") == b"late"
            assert asked(server.path, b"\0b/unit/a.service/q") == b"5432"

    def test_memory(self, values: Project) -> None:
        with serving(values, *allow("app.service:p=db.password")) as server:
            limits = Path(f"/proc/{server.process.pid}/limits").read_text()
            core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
            assert core.split()[4:6] == ["0", "0"]
            words = Path(f"/proc/{server.process.pid}/cmdline").read_bytes()
            assert b"hunter2" not in words
            found = subprocess.run(
                ["grep", "-rl", "hunter2", str(values.folder)], capture_output=True, check=False
            )
            assert found.stdout.decode().splitlines() == [str(values.path("s.yaml"))]


class TestMistakes:
    @pytest.mark.parametrize(
        ("args", "code", "said"),
        [
            ([], 1, "no rule was given, so no unit would get a value"),
            (["--allow", "nonsense"], 1, "is not a rule"),
            (["--allow", "app.timer:p=db.port"], 1, "is not the name of a unit"),
            (["--allow", "a/b.service:p=db.port"], 1, "is not the name of a unit"),
            (["--allow", "app.service:a b=db.port"], 1, "is not a name for a credential"),
            (["--allow", "app.service:..=db.port"], 1, "is not a name for a credential"),
            (["--allow", "app.service:a\\b=db.port"], 1, "is not a name for a credential"),
            (["--allow", "app.service:p=db["], 91, "path"),
            (["--allow", "app.service:p=db.nothing"], 1, "no value at db.nothing"),
            (["--allow", "app.service:p=none"], 4, "is null"),
            (["--allow", "app.service:p=tenants.%i.token"], 1, "has instances"),
            (["--allow", "a@*.service:p=users.%i"], 4, "needs a mapping"),
            (["two.yaml", "--allow", "app.service:p=db.port"], 4, "two.yaml: the file has 2 documents"),
            (["--allow", "app.service:p=db.port", "--idle", "x"], 1, "number of seconds"),
            (["--allow-from", "nowhere"], 100, "nowhere"),
            (["--allow-from", "open"], 2, "open: others can write to it"),
            (["--allow-from", "foreign"], 2, "foreign: it belongs to another user"),
            (["--allow-from", "wrong"], 1, "wrong: line 2"),
            (["--allow-from", "long"], 2, "long: line 1: the names app.service and xxx"),
        ],
    )  # fmt: skip
    def test_at_start(self, values: Project, args: list[str], code: int, said: str) -> None:
        values.write("open", "app.service:p=db.port\n").chmod(0o666)
        values.write("wrong", "# x\nno rule\n").chmod(0o600)
        values.write("long", f"app.service:{'x' * 99}=db.port\n").chmod(0o600)
        values.write("two.yaml", "db: {port: 1}\n---\ndb: {password: other}\n")
        values.run("encrypt", "-i", "two.yaml")
        os.chown(values.write("foreign", "app.service:p=db.port\n"), 65534, -1)
        done = values.run("systemd", "serve", "s.enc.yaml", "--socket", "run/c.sock", *args, code=code)
        assert said in done.err

    @pytest.mark.parametrize("given", ["3</dev/null", "3<&-"])
    def test_something_else_is_handed_over(self, values: Project, given: str) -> None:
        words = "systemd serve s.enc.yaml --allow app.service:p=db.port"
        done = subprocess.run(
            [
                "sh",
                "-c",
                f'exec env LISTEN_PID=$$ LISTEN_FDS=1 "$0" -m encconf {words} {given}',
                sys.executable,
            ],
            cwd=values.folder,
            env=values.environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, "a listening unix socket" in done.stderr) == (1, True), done

    def test_sockets(self, values: Project) -> None:
        rule = ["--allow", "app.service:p=db.port"]

        def fails(path: str, code: int = 1) -> str:
            return values.run("systemd", "serve", "s.enc.yaml", "--socket", path, *rule, code=code).err

        assert "at most 107 bytes" in fails("x" * 120)
        assert "cannot listen there" in fails("no/such/folder/c.sock", 3)
        values.path("open").mkdir()
        values.path("open").chmod(0o777)
        assert "others may write to" in fails("open/c.sock")
        values.path("open").chmod(0o700)
        os.chown(values.path("open"), 65534, -1)
        assert "others may write to" in fails("open/c.sock")
        values.write("plain", "")
        assert "is not a socket" in fails("plain")
        with serving(values, *rule):
            assert "another process does" in fails("run/c.sock")
        # One that a killed server has left does not block the next one.
        assert values.path("run/c.sock").exists()
        with serving(values, *rule) as server:
            server.stop()
        assert (
            "no-key"
            in values.run("systemd", "serve", "s.enc.yaml", *rule, environ={"SOPS_AGE_KEY": ""}, code=128).err
        )
