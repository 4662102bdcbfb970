"""The table of docs/python/gunicorn.md: how often four workers ask a key service, and what they see."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from doubles.recording_keyservice import RecordingKeyservice, by_itself

import encconf
from encconf import Credentials, Rule
from encconf.keys.age import AgeKey
from encconf.testing import TestKey

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "python" / "gunicorn.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (.+?) \| (\d) \| (\d) \| (.+?) \|$", PAGE, flags=re.MULTILINE)

LOAD = 'import encconf\n\nsecrets = encconf.load_config("secrets.enc.yaml", mask=True)\n'
APP = """
import os

def app(environ, start_response):
    start_response("200 OK", [])
    return [f"{os.getpid()} {value()}".encode()]
"""
SETTINGS = 'workers = 4\nbind = "unix:shop.sock"\n'
IN_APP = {"app.py": LOAD + APP + "\ndef value():\n    return secrets['db']['password']\n"}
IN_ENVIRONMENT = {
    "gunicorn.conf.py": LOAD + SETTINGS + "raw_env = [f\"PASSWORD={secrets['db']['password']}\"]\n",
    "app.py": APP + "\ndef value():\n    return os.environ['PASSWORD']\n",
}
IN_MODULE = {
    "gunicorn.conf.py": "import sys\n\nsys.modules.pop('shop_secrets', None)\nimport shop_secrets\n"
    + SETTINGS,
    "shop_secrets.py": LOAD,
    "app.py": APP
    + "\ndef value():\n    import shop_secrets\n\n    return shop_secrets.secrets['db']['password']\n",
}
PROGRAMS: list[tuple[dict[str, str], list[str], str]] = [
    (IN_APP, [], "in the application"),
    (IN_APP, ["--preload"], "in the application, with `--preload`"),
    (IN_ENVIRONMENT, [], "in `gunicorn.conf.py`"),
    (IN_MODULE, [], "in `gunicorn.conf.py`"),
]


class Local(http.client.HTTPConnection):
    """A connection to the server's socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=10)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(str(self.path))


class Shop:
    """gunicorn with four workers, and a key service that counts."""

    def __init__(self, folder: Path, service: RecordingKeyservice) -> None:
        self.folder = folder
        self.service = service
        self.credentials = Credentials({}, key_services=[service.uri], local_key_service=False)
        self.rule = Rule([[AgeKey.from_config(TestKey.generate().recipient)]])
        self.password("pa55-w0rd")

    def password(self, password: str) -> None:
        text = encconf.encrypt(f"db:\n  password: {password}\n", self.rule, credentials=self.credentials)
        path = self.folder / "secrets.enc.yaml"
        path.with_name("new").write_text(text)
        os.replace(path.with_name("new"), path)
        self.service.requests.clear()

    def calls(self) -> int:
        return sum(method == "Decrypt" for method, _ in self.service.requests)

    def answers(self, fits: Callable[[set[str], set[str]], bool]) -> tuple[set[str], set[str]]:
        """Ask until the processes and values that answer are as they should be, for a minute at most."""
        deadline = time.monotonic() + 60
        while True:
            seen: list[list[str]] = []
            try:
                for _ in range(40):
                    with contextlib.closing(Local(self.folder / "shop.sock")) as connection:
                        connection.request("GET", "/")
                        seen.append(connection.getresponse().read().decode().split())
            except (OSError, http.client.HTTPException):
                seen.clear()
            pids = {pid for pid, _ in seen}
            values = {value for _, value in seen}
            if seen and fits(pids, values):
                return pids, values
            assert time.monotonic() < deadline, (pids, values)
            time.sleep(0.1)

    def settled(self) -> int:
        """The calls, when no more have come for a while."""
        before = -1
        while before != self.calls():
            before = self.calls()
            time.sleep(1)
        return before


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    with RecordingKeyservice(by_itself) as service:
        monkeypatch.setenv("SOPS_KEYSERVICE", service.uri)
        monkeypatch.setenv("SOPS_ENABLE_LOCAL_KEYSERVICE", "false")
        monkeypatch.setenv("PYTHONPATH", str(ROOT))
        yield Shop(tmp_path, service)


@pytest.mark.parametrize(
    ("files", "options", "row"), PROGRAMS, ids=["app", "preload", "environment", "module"]
)
def test_the_table(shop: Shop, files: dict[str, str], options: list[str], row: str) -> None:
    (at_start, on_hup, seen_after) = next(found[1:] for found in ROWS if found[0] == row)
    for name, text in {"gunicorn.conf.py": SETTINGS, **files}.items():
        (shop.folder / name).write_text(text)
    command = [sys.executable, "-m", "gunicorn", *options, "app:app"]
    with (shop.folder / "log").open("wb") as log:
        server = subprocess.Popen(command, cwd=shop.folder, stderr=log, stdout=log)
    try:
        old, values = shop.answers(lambda pids, _: bool(pids))
        assert values == {"pa55-w0rd"}
        assert shop.settled() == int(at_start)
        shop.password("n3w-pa55")
        os.kill(server.pid, signal.SIGHUP)
        expected = {"n3w-pa55"} if seen_after == "yes" else {"pa55-w0rd"}
        _, values = shop.answers(lambda pids, values: not pids & old and values == expected)
        assert shop.settled() == int(on_hup)
    except AssertionError:
        print((shop.folder / "log").read_text())
        raise
    finally:
        server.terminate()
        server.wait(30)


def test_every_row_is_measured() -> None:
    assert [row for row, *_ in ROWS] == list(dict.fromkeys(row for *_, row in PROGRAMS))
