"""Whether a master key is used in this process or by a key service, and who watches."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from oracle import AgeKey
from wrapping import wrap_for

from encconf.envelope.unwrap import open_data_key
from encconf.errors import KeyAccessError, MasterKeyError, WrapError
from encconf.identities.credentials import Credentials
from encconf.keys import is_remote, master_key, service

from .remote import DATA_KEY, NOW, Remote

PAIR = AgeKey.generate()
KMS = "arn:aws:kms:eu-central-1:123456789012:key/x"


@pytest.mark.parametrize("local", [True, False])
def test_a_service_may_use_the_keys_or_only_services_may(
    monkeypatch: pytest.MonkeyPatch, local: bool
) -> None:
    credentials = Credentials(PAIR.environ())
    credentials.local_key_service = local
    credentials.key_services = ["unix:///nowhere"] if local else []
    monkeypatch.setattr(service, "wrap", lambda key, data, _: f"wrapped for {key.TYPE}")
    monkeypatch.setattr(service, "unwrap", lambda key, enc, _: DATA_KEY if enc == "wrapped for age" else b"")
    wrapped = wrap_for(DATA_KEY, [[master_key("age", PAIR.recipient)]], None, credentials, NOW)
    assert wrapped[0][0].enc == "wrapped for age"
    assert open_data_key(wrapped, 0, credentials) == DATA_KEY


def test_what_may_be_a_call_to_a_service() -> None:
    age, kms = master_key("age", PAIR.recipient), master_key("kms", KMS)
    here = Credentials({})
    assert [is_remote(key, here) for key in (age, kms)] == [False, True]
    here.local_key_service = False
    assert [is_remote(key, here) for key in (age, kms)] == [True, True]


def test_calls_to_services_are_watched_until_they_end(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def watch(what: str) -> Callable[[], None]:
        seen.append(f"+{what}")
        return lambda: seen.append(f"-{what}")

    credentials = Credentials(PAIR.environ())
    credentials.watch = watch
    kms = Remote("kms")
    monkeypatch.setattr(kms, "work", lambda: seen.append("called"))
    wrapped = wrap_for(DATA_KEY, [[kms]], None, credentials, NOW)
    assert open_data_key(wrapped, 0, credentials) == DATA_KEY
    assert seen == ["+kms", "called", "-kms"] * 2
    broken = Remote("broken", error=MasterKeyError("no"))
    with pytest.raises(WrapError):
        wrap_for(DATA_KEY, [[broken]], None, credentials, NOW)
    with pytest.raises(KeyAccessError):
        open_data_key([[broken.wrapped()]], 0, credentials)
    assert seen[6:] == ["+broken", "-broken"] * 2
    own = wrap_for(DATA_KEY, [[master_key("age", PAIR.recipient)]], None, credentials, NOW)
    assert open_data_key(own, 0, credentials) == DATA_KEY
    assert len(seen) == 10


def test_an_error_that_is_no_answer_is_raised() -> None:
    broken = Remote("broken", error=ZeroDivisionError("a fault"), type="age")
    with pytest.raises(ZeroDivisionError):
        open_data_key([[broken.wrapped()]], 0, Credentials({}))
    with pytest.raises(ZeroDivisionError):
        wrap_for(DATA_KEY, [[broken]], None, Credentials({}), NOW)
