"""Using a master key: in this process or by a key service, and watched."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from oracle import AgeKey

from encconf.envelope import calls
from encconf.errors import BadKeyError, MasterKeyError
from encconf.identities.credentials import Credentials
from encconf.keys import MasterKey, master_key, service

from .remote import Remote

PAIR = AgeKey.generate()
KMS = "arn:aws:kms:eu-central-1:123456789012:key/x"
DATA_KEY = bytes(range(32))


def test_here() -> None:
    key, credentials = master_key("age", PAIR.recipient), Credentials(PAIR.environ())
    assert calls.unwrap(key, calls.wrap(key, DATA_KEY, credentials), credentials) == DATA_KEY


@pytest.mark.parametrize("local", [True, False])
def test_elsewhere(monkeypatch: pytest.MonkeyPatch, local: bool) -> None:
    """A service may use the keys, or only services may."""
    credentials = Credentials(PAIR.environ())
    credentials.local_key_service = local
    credentials.key_services = ["unix:///nowhere"] if local else []
    monkeypatch.setattr(service, "wrap", lambda key, data, _: f"wrapped for {key.TYPE}")
    monkeypatch.setattr(service, "unwrap", lambda key, enc, _: enc.encode())
    key = master_key("age", PAIR.recipient)
    assert calls.wrap(key, DATA_KEY, credentials) == "wrapped for age"
    assert calls.unwrap(key, "enc", credentials) == b"enc"


def test_what_may_be_a_call_to_a_service() -> None:
    age, kms = master_key("age", PAIR.recipient), master_key("kms", KMS)
    here = Credentials({})
    assert [calls.is_remote(key, here) for key in (age, kms)] == [False, True]
    here.local_key_service = False
    assert [calls.is_remote(key, here) for key in (age, kms)] == [True, True]


def test_such_calls_are_watched_until_they_end(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def watch(what: str) -> Callable[[], None]:
        seen.append(f"+{what}")
        return lambda: seen.append(f"-{what}")

    credentials = Credentials(PAIR.environ())
    credentials.watch = watch
    kms: MasterKey = Remote("kms")  # type: ignore[assignment]
    monkeypatch.setattr(kms, "work", lambda: seen.append("called"))
    assert calls.unwrap(kms, calls.wrap(kms, DATA_KEY, credentials), credentials) == DATA_KEY
    assert seen == ["+kms", "called", "-kms"] * 2
    broken: MasterKey = Remote("broken", error=MasterKeyError("no"))  # type: ignore[assignment]
    with pytest.raises(MasterKeyError):
        calls.wrap(broken, DATA_KEY, credentials)
    assert seen[6:] == ["+broken", "-broken"]
    age = master_key("age", PAIR.recipient)
    calls.unwrap(age, calls.wrap(age, DATA_KEY, credentials), credentials)
    assert len(seen) == 8


def test_why_a_key_cannot_be_used_is_an_answer() -> None:
    for error in (MasterKeyError("no"), BadKeyError("no")):

        def refuse(item: int, error: Exception = error) -> int:
            raise error

        assert calls.answer_of(refuse, 1) is error
    assert calls.answer_of(lambda item: item + 1, 1) == 2
    with pytest.raises(ZeroDivisionError):
        calls.answer_of(lambda item: item // 0, 1)
