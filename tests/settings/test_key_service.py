"""A key service that stops answering: the last good value stays; and how often a service is asked."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from doubles.recording_keyservice import RecordingKeyservice, by_itself
from pydantic_settings import BaseSettings

import encconf
from encconf import Credentials, DataKeyCache, Rule, load_config, load_configs, watch
from encconf.errors import KeyAccessError
from encconf.integrations.pydantic import encrypted
from encconf.keys.age import AgeKey
from encconf.testing import TestKey


class Service:
    """A key service that can be made to stop answering, and files that it opens."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.answering = threading.Event()
        self.answering.set()
        self.asked = threading.Event()
        self.recorder = RecordingKeyservice(self.answer)
        self.rule = Rule([[AgeKey.from_config(TestKey.generate().recipient)]])

    def answer(self, method: str, request: Any) -> bytes:
        self.asked.set()
        self.answering.wait(60)
        return by_itself(method, request)

    @property
    def credentials(self) -> Credentials:
        return self.credentials_for(20)

    def credentials_for(self, timeout: float) -> Credentials:
        return Credentials({}, key_services=[self.recorder.uri], local_key_service=False, timeout=timeout)

    def write(self, number: int, name: str = "s.enc.yaml", *, new_data_key: bool = True) -> Path:
        path = self.folder / name
        twin = path.read_text() if path.exists() and not new_data_key else None
        rule = self.rule if twin is None else None  # without a rule, it is a change of the twin
        text = encconf.encrypt(f"n: {number}\n", rule, twin=twin, credentials=self.credentials)
        (self.folder / "new").write_text(text)
        os.replace(self.folder / "new", path)
        self.recorder.requests.clear()
        return path

    @property
    def calls(self) -> int:
        return sum(method == "Decrypt" for method, _ in self.recorder.requests)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    made = Service(tmp_path)
    with made.recorder:
        yield made
        made.answering.set()


def test_the_last_good_value_stays_and_the_error_says_why(service: Service) -> None:
    path = service.write(1)
    live = watch(path, interval=0, credentials=service.credentials_for(2))
    service.write(2)
    service.answering.clear()
    service.asked.clear()
    got: list[object] = []
    reloading = threading.Thread(target=lambda: got.append(live()))
    reloading.start()
    assert service.asked.wait(30)
    # One thread waits for the service; this one does not wait for that thread.
    for _ in range(100):
        assert live() == {"n": 1}
    assert reloading.is_alive()
    reloading.join()
    assert got == [{"n": 1}]
    assert isinstance(live.error, KeyAccessError)
    assert "answer within 2 s" in str(live.error)  # "no answer", or "did not answer" while it connects
    assert live.error.__traceback__ is None
    service.answering.set()
    live.expire()
    assert live() == {"n": 2}
    assert live.error is None


def test_a_service_that_is_gone(service: Service) -> None:
    path = service.write(1)
    live = watch(path, interval=0, credentials=service.credentials)
    service.write(2)
    service.recorder.__exit__(None, None, None)
    assert live() == {"n": 1}
    assert isinstance(live.error, KeyAccessError)
    assert service.recorder.uri.removeprefix("tcp://") in str(live.error)


@pytest.mark.posix
def test_a_fork_after_a_load_by_a_service(service: Service) -> None:
    """The child loads by itself: no connection of the parent is left for it to use."""
    path = service.write(1)
    live = watch(path, interval=0, credentials=service.credentials)
    # A file of another size, since two writes may have the same time.
    text = encconf.encrypt("n: 2222\n", service.rule, credentials=service.credentials)
    child = os.fork()
    if child == 0:
        path.write_text(text)
        os._exit(0 if live() == {"n": 2222} else 1)
    deadline = time.monotonic() + 60
    while (found := os.waitpid(child, os.WNOHANG)) == (0, 0):
        assert time.monotonic() < deadline, "the child hangs"
        time.sleep(0.01)
    assert os.waitstatus_to_exitcode(found[1]) == 0
    assert live() == {"n": 2222}


def test_how_often_a_service_is_asked(
    service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The table in docs/python/README.md, "Many processes, many files"."""

    def calls(use: Any) -> int:
        service.recorder.requests.clear()
        use()
        return service.calls

    monkeypatch.setenv("SOPS_KEYSERVICE", service.recorder.uri)
    monkeypatch.setenv("SOPS_ENABLE_LOCAL_KEYSERVICE", "false")
    path = service.write(1)
    cache = DataKeyCache()
    assert calls(lambda: [load_config(path) for _ in range(3)]) == 3
    assert calls(lambda: [load_config(path, cache=cache) for _ in range(3)]) == 1

    class Settings(BaseSettings):
        settings_customise_sources = encrypted(path)
        n: int

    assert calls(lambda: [Settings() for _ in range(3)]) == 1
    copies = [path, path.with_name("copy.enc.yaml")]
    copies[1].write_text(path.read_text())
    assert calls(lambda: [load_config(each) for each in copies]) == 2
    assert calls(lambda: load_configs(copies)) == 1

    def follow(**options: Any) -> int:
        service.write(1)
        live = watch(path, interval=0, **options)
        before = service.calls
        service.write(2, new_data_key=False)
        assert live() == {"n": 2}
        return before + service.calls

    assert follow() == 2
    assert follow(cache=DataKeyCache()) == 1
    cache.clear()
    assert calls(lambda: load_config(path, cache=cache)) == 1
