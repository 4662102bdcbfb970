"""``keyring:`` against a real GNOME Keyring over the Secret Service."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from doubles.gnome_keyring import PASSWORD, GnomeKeyring
from oracle import clean_environ

from encconf import sources
from encconf.identities.credentials import Credentials
from encconf.testing.contracts.source import (
    PATIENCE,
    WHOLE,
    Failing,
    Place,
    WritableSourceContract,
    failure,
    shown,
)

pytestmark = [
    pytest.mark.services,
    # The library leaves its connection open when a keyring cannot be opened.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"),
]

VALUE = b"s3cret-of-a-desktop"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def desktop(monkeypatch: pytest.MonkeyPatch) -> Iterator[GnomeKeyring]:
    """This process is in its session; the library looks for it again."""
    with GnomeKeyring() as running:
        for name, value in running.environ.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.SecretService.Keyring")
        monkeypatch.setattr(keyring.core, "_keyring_backend", None)
        keyring.set_password("app/db", "app", VALUE.decode())
        keyring.set_password("tree", "app", WHOLE)
        yield running
    for _ in range(100):  # threads that waited for it end
        if not any(thread.name.startswith("keyring") for thread in threading.enumerate()):
            break
        time.sleep(0.02)
    gc.collect()


class TestSecretService(WritableSourceContract):
    SCHEME = "keyring"
    REASONS = frozenset({"missing", "denied", "unreachable", "slow", "unusable", "wrong"})
    BYTES = False

    @pytest.fixture
    def place(self, desktop: GnomeKeyring) -> Place:
        return Place("keyring:app/db/app", VALUE, lambda: Credentials({}), [PASSWORD])

    @pytest.fixture
    def structured(self) -> str:
        return "keyring:tree/app"

    @pytest.fixture
    def vals(self) -> str:
        return "ref+keyring://app/db/app"

    @pytest.fixture
    def fresh(self) -> str:
        return f"keyring:new/{os.urandom(6).hex()}"

    @pytest.fixture
    def failing(
        self, desktop: GnomeKeyring, monkeypatch: pytest.MonkeyPatch, silent: str, nobody_there: str
    ) -> Failing:
        def elsewhere(place: str, patience: float = 300) -> tuple[str, Credentials]:
            port = place.rpartition(":")[2]
            monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"tcp:host=127.0.0.1,port={port}")
            return "keyring:app/db/app", Credentials({}, timeout=patience)

        def denied() -> tuple[str, Credentials]:
            desktop.lock()
            return "keyring:app/db/app", Credentials({})

        def unreachable() -> tuple[str, Credentials]:
            monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={desktop.home}/no-bus")
            return "keyring:app/db/app", Credentials({})

        def slow() -> tuple[str, Credentials]:
            desktop.stop()
            return "keyring:app/db/app", Credentials({}, timeout=PATIENCE)

        def unusable() -> tuple[str, Credentials]:
            monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
            monkeypatch.setattr(keyring.core, "_keyring_backend", None)
            return "keyring:app/db/app", Credentials({})

        return lambda reason: {
            "missing": lambda: ("keyring:app/db/nobody", Credentials({})),
            "denied": denied,
            "unreachable": unreachable,
            "slow": slow,
            "unusable": unusable,
            "wrong": lambda: ("keyring:app", Credentials({})),
        }[reason]()


def test_names(desktop: GnomeKeyring) -> None:
    for service, user, address in (
        ("a/b", "c", "keyring:a/b/c"),
        ("a", "b/c", "keyring:a/b%2Fc"),
        ("a b", "ü@x", "keyring:a b/ü%40x"),
        ("https://x", "u", "keyring:https%3A//x/u"),
    ):
        keyring.set_password(service, user, address)
        assert sources.fetch_text(address, Credentials({})) == address
    for address in ("keyring:x", "keyring:/x", "keyring:x/"):
        error = failure(address, Credentials({}))
        assert (error.message, error.hint) == (
            "expected the name of a service and of a user",
            "keyring:SERVICE/USER",
        )


def test_the_desktop_s_own_program_reads_and_writes_the_same(desktop: GnomeKeyring) -> None:
    sources.store("keyring:enc conf/ann", "täxt\n".encode(), Credentials({}))
    assert desktop.tool("lookup", "service", "enc conf", "username", "ann").removesuffix("\n") == "täxt"
    desktop.tool("store", "--label=x", "service", "theirs", "username", "ann", given="of theirs")
    assert sources.fetch("keyring:theirs/ann", Credentials({})) == b"of theirs"


def test_it_stays_and_opens_again_with_the_password(desktop: GnomeKeyring, tmp_path: Path) -> None:
    for password, usable in (("first-password", True), ("first-password", True), ("another-password", False)):
        with GnomeKeyring(password, tmp_path / "home") as session:
            if not (tmp_path / "written").exists():
                session.tool("store", "--label=x", "service", "s", "username", "u", given="stays")
                (tmp_path / "written").touch()
            done = _in(session, "fetch")
            if usable:
                assert json.loads(done) == "stays"
            else:
                assert json.loads(done) == ["denied", "the keyring is locked"]
                assert "another-password" not in done


_CODE = """
import json, sys
from encconf import sources
from encconf.identities.credentials import Credentials
from encconf.errors import SourceError
who = Credentials.from_env()
sources.PROBE_LIMIT = 60  # loading takes its time where much else goes on
if sys.argv[1] == "probe":
    found = sources.probe("keyring", who)
    print(json.dumps([found.usable, found.missing, found.note]))
else:
    try:
        print(json.dumps(sources.fetch_text("keyring:s/u", who)))
    except SourceError as error:
        print(json.dumps([error.reason, error.message]))
"""


def _in(session: GnomeKeyring | None, what: str, **more: str) -> str:
    """What a new process says, which looks for the keyring by itself."""
    environ = clean_environ({**(session.environ if session else {}), "PYTHONPATH": str(ROOT), **more})
    command = [sys.executable, "-c", _CODE, what]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_library_s_choice_is_taken() -> None:
    with GnomeKeyring() as session:
        session.tool("store", "--label=x", "service", "s", "username", "u", given="found")
        assert json.loads(_in(session, "fetch")) == "found"
        assert json.loads(_in(session, "probe")) == [True, [], "keyring.backends.SecretService"]


def test_where_there_is_no_desktop() -> None:
    assert json.loads(_in(None, "fetch")) == ["unusable", "this machine has no usable keyring"]
    usable, missing, note = json.loads(_in(None, "probe"))
    assert (usable, missing) == (False, ["this machine has no usable keyring"])
    assert "gnome-keyring-daemon --unlock" in note


def test_the_library_runs_no_compiler(tmp_path: Path) -> None:
    """The backend for macOS looks for frameworks with gcc and ld, on other systems as well."""
    mark = tmp_path / "ran"
    for name in ("gcc", "cc", "ld", "objdump"):
        (tmp_path / name).write_text(f"#!/bin/sh\n: > {mark}\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    environ = clean_environ({"PYTHONPATH": str(ROOT)})
    environ["PATH"] = f".{os.pathsep}{environ['PATH']}"
    command = [sys.executable, "-c", _CODE, "probe"]
    done = subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert not mark.exists()


_IN_FILES = """
import keyring.backend

class Keyring(keyring.backend.KeyringBackend):
    priority = 99
    def get_password(self, service, username):
        return "lay-in-a-file"
    def set_password(self, service, username, password):
        pass
    def delete_password(self, service, username):
        pass
"""


def test_a_keyring_that_is_a_plain_file_is_used_only_where_somebody_chose_it(tmp_path: Path) -> None:
    """The library itself takes one without a word where it finds no better."""
    package = tmp_path / "keyrings" / "alt"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "file.py").write_text(_IN_FILES)
    about = tmp_path / "encconf_test-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: encconf-test\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[keyring.backends]\nfile = keyrings.alt.file\n")
    path = f"{ROOT}{os.pathsep}{tmp_path}"
    found = subprocess.run(
        [sys.executable, "-c", "import keyring; print(keyring.get_password('s', 'u'))"],
        env=clean_environ({"PYTHONPATH": path}),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert found.stdout == "lay-in-a-file\n"
    assert json.loads(_in(None, "fetch", PYTHONPATH=path))[0] == "unusable"
    chosen = {"PYTHONPATH": path, "PYTHON_KEYRING_BACKEND": "keyrings.alt.file.Keyring"}
    assert json.loads(_in(None, "fetch", **chosen)) == "lay-in-a-file"


def test_without_the_package() -> None:
    code = f"import sys; sys.modules['keyring'] = None\n{_CODE}"
    done = subprocess.run(
        [sys.executable, "-c", code, "probe"],
        env=clean_environ({"PYTHONPATH": str(ROOT)}),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert json.loads(done.stdout)[:2] == [False, ["the keyring needs the package keyring"]]


def test_somebody_at_the_terminal_has_more_time(desktop: GnomeKeyring) -> None:
    """A dialog waits for a person; without one, nothing waits longer than one call."""
    desktop.stop()
    begun = time.monotonic()
    error = failure("keyring:app/db/app", Credentials({}, prompt=lambda question: "", timeout=1.5))
    assert error.message == "the keyring did not answer within 1.5 s"
    assert "dialog" in str(error.hint)
    assert 1.4 < time.monotonic() - begun < 10
    assert VALUE.decode() not in shown(error)
