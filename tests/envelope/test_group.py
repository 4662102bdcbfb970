"""A key group on its way to being opened: whose turn it is, and what came of each key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from oracle import AgeKey

from encconf.envelope import WrappedKey
from encconf.envelope.unwrap import DataKeyCache, Group
from encconf.errors import MasterKeyError
from encconf.identities.credentials import Credentials
from encconf.keys import master_key

from .remote import Remote

if TYPE_CHECKING:
    from collections.abc import Callable

    from encconf.keys import MasterKey

MINE, THEIRS = AgeKey.generate(), AgeKey.generate()
DATA_KEY = bytes(range(32))
CREDENTIALS = Credentials(MINE.environ())
KMS = WrappedKey(master_key("kms", "arn:aws:kms:eu-central-1:123456789012:key/x"), "AQ==")


def wrapped(pair: AgeKey, data: bytes = DATA_KEY) -> WrappedKey:
    key = master_key("age", pair.recipient)
    return WrappedKey(key, key.wrap(data, CREDENTIALS))


def opening(*group: WrappedKey, cache: DataKeyCache | None = None) -> Group:
    return Group(group, 32, CREDENTIALS, cache)


def test_keys_have_their_turn_in_order_and_by_kind() -> None:
    first, second = wrapped(MINE), wrapped(THEIRS)
    group = opening(first, KMS, KMS, second)
    assert group.take_services() == []
    group.open_here()
    assert group.part == DATA_KEY
    group = opening(second, KMS, KMS, first)
    group.open_here()
    assert group.rest == [KMS, KMS, first]
    assert group.take_services() == [(group, KMS), (group, KMS)]
    assert group.rest == [first]


def test_once_it_is_open_no_other_key_is_tried() -> None:
    first, second = wrapped(MINE), wrapped(THEIRS)
    group = opening(first, second)
    group.note(first, group.unwrap(first))
    assert (group.part, group.by) == (DATA_KEY, first.key)
    group.open_here()
    assert group.take_services() == []
    assert (group.rest, group.failures) == ([first, second], [])


def test_failures_are_kept_in_order() -> None:
    first, second = wrapped(THEIRS), KMS
    group = opening(first, second)
    errors = [MasterKeyError("one"), MasterKeyError("two")]
    for each, error in zip((first, second), errors, strict=True):
        group.note(each, error)
    assert group.failures == [(first.key, errors[0]), (second.key, errors[1])]
    assert group.part is None


def test_what_cannot_be_opened() -> None:
    with pytest.raises(MasterKeyError, match="no wrapped data key"):
        opening().unwrap(WrappedKey(master_key("age", MINE.recipient), ""))
    with pytest.raises(MasterKeyError, match="not a data key of 32 bytes"):
        opening().unwrap(wrapped(MINE, b"short"))


def test_what_is_longer_than_any_wrapped_data_key_is_not_read() -> None:
    key = master_key("age", MINE.recipient)
    with pytest.raises(MasterKeyError, match="longer than 16 KiB"):
        opening().unwrap(WrappedKey(key, "x" * (16 * 1024 + 1)))


class Mixed(Remote):
    """A key that an old sops wrapped under another name, and that knows which."""

    def unwrap_spoiled(self, ask: Callable[[MasterKey], bytes], credentials: Credentials) -> bytes:
        assert credentials is CREDENTIALS
        other: MasterKey = Remote("other")  # type: ignore[assignment]
        return ask(other)[::-1]


def test_a_key_that_an_old_sops_wrapped_wrongly_knows_how_to_unwrap_it() -> None:
    held = Mixed("mixed").wrapped(DATA_KEY)
    assert opening().unwrap(held) == DATA_KEY
    held.spoiled = True
    assert opening().unwrap(held) == DATA_KEY[::-1]
    plain = Remote("plain").wrapped(DATA_KEY)
    plain.spoiled = True
    assert opening().unwrap(plain) == DATA_KEY


def test_what_is_cached_is_open_from_the_start() -> None:
    cache = DataKeyCache()
    first, second = wrapped(THEIRS), wrapped(MINE)
    assert opening(cache=cache).unwrap(second) == DATA_KEY
    third = wrapped(MINE)
    opening(cache=cache).unwrap(third)
    group = opening(first, second, third, cache=cache)
    assert (group.part, group.by) == (DATA_KEY, second.key)
    assert opening(first, cache=cache).part is None
