"""The cache of data keys: for which credentials, how long, and one call for several threads."""

from __future__ import annotations

import copy
import pickle
import threading

import pytest
from oracle import AgeKey as Pair
from wrapping import wrap_for

from encconf.envelope import shamir
from encconf.envelope.unwrap import DataKeyCache, open_data_key
from encconf.errors import KeyAccessError, MasterKeyError
from encconf.keys.age import AgeKey

from .remote import Remote, holds

DATA_KEY = bytes(range(32))
NOW = "2026-01-02T03:04:05Z"


# --- the cache -----------------------------------------------------------------------------


def test_a_cached_key_is_unwrapped_once() -> None:
    cache = DataKeyCache()
    key, other = Remote("key"), Remote("other", 0, MasterKeyError("denied"))
    for _ in range(200):
        # A new object each time, as when the file is read again.
        assert open_data_key([[other.wrapped(), key.wrapped()]], 0, holds(), cache) == DATA_KEY
    assert (key.calls, other.calls) == (1, 1)
    assert len(cache) == 1


def test_a_cached_key_is_only_for_its_own_ciphertext_and_layout() -> None:
    cache = DataKeyCache()
    key = Remote("key")
    open_data_key([[key.wrapped()]], 0, holds(), cache)
    assert open_data_key([[key.wrapped(bytes(32))]], 0, holds(), cache) == bytes(32)
    assert open_data_key([[Remote("else").wrapped()]], 0, holds(), cache) == DATA_KEY
    assert open_data_key([[Remote("key", type="gcp_kms").wrapped()]], 0, holds(), cache) == DATA_KEY
    assert (key.calls, len(cache)) == (2, 4)
    with pytest.raises(KeyAccessError):  # a whole key is no part of one
        open_data_key([[key.wrapped()], [key.wrapped()]], 2, holds(), cache)


def test_parts_are_cached_too() -> None:
    cache = DataKeyCache()
    keys = [Remote("a", 0, MasterKeyError("denied")), Remote("b"), Remote("c")]
    groups = [[k.wrapped(part)] for k, part in zip(keys, shamir.split(DATA_KEY, 3, 2), strict=True)]
    for _ in range(5):
        assert open_data_key(groups, 2, holds(), cache) == DATA_KEY
    assert [key.calls for key in keys] == [1, 1, 1]


def test_age_keys_are_cached_too(pairs: list[Pair], recipients: list[AgeKey]) -> None:
    cache = DataKeyCache()
    wrapped = wrap_for(DATA_KEY, [recipients[:1]], None, holds(), NOW)
    open_data_key(wrapped, 0, holds(pairs[0]), cache)
    assert open_data_key(wrapped, 0, holds(), cache) == DATA_KEY
    with pytest.raises(KeyAccessError):
        open_data_key(wrapped, 0, holds())


def test_the_cache_forgets() -> None:
    now = 100.0
    cache = DataKeyCache(60, clock=lambda: now)
    keys = [Remote("a"), Remote("b")]
    open_data_key([[keys[0].wrapped()]], 0, holds(), cache)
    now = 130.0
    open_data_key([[keys[1].wrapped()]], 0, holds(), cache)
    now = 159.0
    open_data_key([[keys[0].wrapped()]], 0, holds(), cache)
    assert [key.calls for key in keys] == [1, 1]
    now = 160.0
    for key in keys:
        open_data_key([[key.wrapped()]], 0, holds(), cache)
    assert [key.calls for key in keys] == [2, 1]
    cache.clear()
    assert len(cache) == 0
    open_data_key([[keys[1].wrapped()]], 0, holds(), cache)
    assert keys[1].calls == 2


def test_several_threads_share_one_call() -> None:
    cache = DataKeyCache()
    key = Remote("key", 0.2)
    found: list[bytes] = []

    def work() -> None:
        found.append(open_data_key([[key.wrapped()]], 0, holds(), cache))

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [DATA_KEY] * 20
    assert key.calls == 1


def test_several_threads_share_one_failure_which_is_not_kept() -> None:
    cache = DataKeyCache()
    key = Remote("key", 0.5, MasterKeyError("denied"))
    together = threading.Barrier(20)
    failed: list[str] = []

    def work() -> None:
        together.wait()
        try:
            open_data_key([[key.wrapped()]], 0, holds(), cache)
        except KeyAccessError as error:
            failed.append(error.message)

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(failed) == 20
    assert all("file: denied" in message for message in failed)
    assert key.calls == 1
    key.error = None
    assert open_data_key([[key.wrapped()]], 0, holds(), cache) == DATA_KEY


def test_the_cache_shows_and_writes_nothing() -> None:
    cache = DataKeyCache()
    open_data_key([[Remote("key").wrapped()]], 0, holds(), cache)
    assert repr(cache) == "DataKeyCache(300, keys=1)"
    with pytest.raises(TypeError):
        pickle.dumps(cache)
    with pytest.raises(TypeError):
        copy.deepcopy(cache)


def test_what_is_unwrapped_during_clear_is_not_kept() -> None:
    cache = DataKeyCache()
    wrapped = Remote("key").wrapped()

    def unwrap() -> bytes:
        cache.clear()
        return DATA_KEY

    assert cache.fetch(wrapped, 32, unwrap) == DATA_KEY
    assert len(cache) == 0
    assert cache.fetch(wrapped, 32, lambda: DATA_KEY) == DATA_KEY
    assert len(cache) == 1
    assert cache.fetch(wrapped, 32, lambda: bytes(32)) == DATA_KEY, "what is kept is not fetched again"
