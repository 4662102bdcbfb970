"""Fixtures of every test: an empty home without your own settings, and a project folder."""

from __future__ import annotations

import gc
import os
import runpy
import signal
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from oracle import AgeKey, Sops, gpg_home, scratch
from project import PLAIN, ROOT, Project, needs

# Every run tries the same examples, a hundred if a test says no number; `make fuzz` looks for others.
# Examples have no time limit, because the machine may be busy.
_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same", _PATIENT, derandomize=True, database=None)
settings.register_profile("new", _PATIENT, derandomize=False, max_examples=1000)
settings.load_profile("same")

_FOREIGN = (
    *("SOPS_", "ENCCONF_", "AWS_", "AZURE_", "GOOGLE_", "VAULT_", "BAO_", "HUAWEICLOUD_", "CONJUR_"),
    *("CYBERARK_", "GIT_", "XDG_"),
)
_FOREIGN_NAMES = ("GNUPGHOME", "GPG_AGENT_INFO", "EDITOR", "VISUAL", "NO_COLOR", "FORCE_COLOR")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that get the real sops."""
    for item in items:
        if {"sops", "sops_for"} & {*getattr(item, "fixturenames", ())}:
            item.add_marker("oracle")


def pytest_collection_finish() -> None:
    """Exclude all tests and their modules from garbage collection: each would take a third of a second."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """A test that starts a program which is not installed fails with the message of `needs`."""
    if call.excinfo is not None and isinstance(error := call.excinfo.value, FileNotFoundError):
        in_subprocess = Path(call.excinfo.traceback[-1].path).name == "subprocess.py"
        if in_subprocess and isinstance(error.filename, str) and not os.path.dirname(error.filename):
            try:
                needs(error.filename)
            except AssertionError as missing:
                call.excinfo = pytest.ExceptionInfo.from_exception(
                    missing.with_traceback(error.__traceback__)
                )
    return (yield)


@pytest.fixture(scope="session", autouse=True)
def _clean_session() -> Iterator[None]:
    """Remove your own settings, before the session fixtures of other files can see them."""
    # Background jobs of scripts and nohup ignore these signals, and the programs of tests would inherit that.
    usual = {signal.SIGINT: signal.default_int_handler}
    names = ("SIGINT", "SIGQUIT", "SIGHUP", "SIGTERM")
    for number in (getattr(signal, name) for name in names if hasattr(signal, name)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual.get(number, signal.SIG_DFL))
    with pytest.MonkeyPatch.context() as patch:
        _live_in(scratch(), patch)
        yield


@pytest.fixture(autouse=True)
def _collect_between_tests() -> Iterator[None]:
    """Collect garbage between tests.  During a test, Python collects only if the test creates many objects.

    Up to Python 3.11, a parser in C that reads deeply nested text can use up the stack.  Finalizers that a
    collection calls at that point fail, and pytest would report them as errors of the test.
    """
    usual = gc.get_threshold()
    gc.set_threshold(20_000, *usual[1:])
    yield
    gc.set_threshold(*usual)


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the test an empty HOME of its own, and return its path."""
    folder = tmp_path_factory.mktemp("home")
    _live_in(folder, monkeypatch)
    return folder


def _live_in(home: Path, patch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):  # your own settings, or what an earlier test left behind
        if name.startswith(_FOREIGN) or name in _FOREIGN_NAMES:
            patch.delenv(name)
    patch.setenv("HOME", str(home))
    patch.setenv("USERPROFILE", str(home))
    patch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    patch.setenv("GNUPGHOME", str(home / ".gnupg"))
    patch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture
def project(tmp_path: Path, home: Path) -> Project:
    """An empty folder with a key of its own."""
    folder = tmp_path / "project"
    folder.mkdir()
    return Project(folder, home, AgeKey.generate())


@pytest.fixture
def sealed(project: Project) -> Project:
    """A project with secrets.yaml and its encrypted twin."""
    project.rules()
    project.write("secrets.yaml", PLAIN)
    project.run("encrypt", "secrets.yaml")
    return project


@pytest.fixture(scope="session")
def age_key() -> AgeKey:
    """A fresh age key."""
    return AgeKey.generate()


@pytest.fixture(scope="session")
def sops(age_key: AgeKey) -> Sops:
    """The real sops.  It can open files that are encrypted for ``age_key``."""
    return Sops(age_key.environ())


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Path:
    """A folder with the wheel and the source archive of a release, which one process of a run builds."""
    import fcntl

    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if hasattr(pytestconfig, "workerinput") else base) / "built"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            with pytest.MonkeyPatch.context() as patch:
                patch.delenv("ENCCONF_PROJECT_URL", raising=False)
                fresh = folder.with_suffix(".new")
                runpy.run_path(str(ROOT / ".ci" / "release.py"))["build"](fresh)
                fresh.rename(folder)
    return folder


@pytest.fixture(scope="session")
def pgp_home() -> Path:
    """A gpg home with the test key of fixtures/keys.  Set GNUPGHOME to this path."""
    return gpg_home()


@pytest.fixture
def netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set up a file of logins with one for every server, which requests sends unless it is kept from that."""
    (tmp_path / "netrc").write_text("default login me password hunter2\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
