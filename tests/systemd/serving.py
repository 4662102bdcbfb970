"""A file to serve, and a running `encconf systemd serve`."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator

from project import Project

PLAIN = """\
db:
    password: "hunter2 \\u2603"
    port: 5432
    debug: true
    ratio: 1.5
empty: ""
multi: "one\\ntwo\\n"
users: [alice, {name: bob}]
none: null
tenants:
    a: {token: for a}
    b: {token: for b}
    c: {other: 1}
big: BIG
"""

BIG = "0123456789abcdef" * 40_000  # 640 KB: more than any socket's buffer

REFUSED = 243  # 243/CREDENTIALS, see systemd.exec(5)


class Server:
    """A running server; ``path`` is its socket."""

    def __init__(self, project: Project, *args: str) -> None:
        self.path = project.path("run/c.sock")
        words = ["systemd", "serve", "s.enc.yaml", "--socket", str(self.path), *args]
        self._log = project.path(f"log{len(list(project.folder.glob('log*')))}")
        with open(self._log, "wb") as log:
            self.process = project.popen(*words, stderr=log)
        self.wait("listening on")

    def wait(self, text: str, count: int = 1) -> None:
        deadline = time.monotonic() + 20
        while self.log().count(text) < count:
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.01)

    def log(self) -> str:
        return self._log.read_text()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(20) == 0, self.log()


@contextlib.contextmanager
def serving(project: Project, *args: str) -> Iterator[Server]:
    server = Server(project, *args)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait()


def allow(*rules: str) -> list[str]:
    return [word for rule in rules for word in ("--allow", rule)]
