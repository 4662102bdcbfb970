from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from doubles.recording_keyservice import RecordingKeyservice
from oracle import PGP_FINGERPRINT, Sops, clean_environ
from oracle import AgeKey as Pair

from encconf import keys
from encconf.envelope import shamir
from encconf.envelope.cache import DataKeyCache
from encconf.envelope.groups import are_spoiled
from encconf.envelope.open import open_data_key
from encconf.envelope.wrap import wrap_again, wrap_for
from encconf.envelope.wrapped import WrappedKey
from encconf.errors import (
    ConfigError,
    DuplicateKeyTypeError,
    KeyAccessError,
    MasterKeyError,
    MetadataError,
    NotMyKeyError,
    WrapError,
)
from encconf.identities.credentials import Credentials
from encconf.io import race
from encconf.keys.age import AgeKey
from encconf.keys.pgp import PgpKey

DATA_KEY = bytes(range(32))
NOW = "2026-01-02T03:04:05Z"
ARN = "arn:aws:kms:eu-central-1:123456789012:key/92c2a9b0-0000-4000-8000-000000000000"
HINT = (
    "ask someone who can open the file to add your recipient to .sops.yaml and run: encconf updatekeys FILE"
)


def holds(*pairs: Pair, **environ: str) -> Credentials:
    """Credentials with these identities."""
    return Credentials(clean_environ({"SOPS_AGE_KEY": "\n".join(pair.identity for pair in pairs), **environ}))


def short(pair: Pair) -> str:
    return f"{pair.recipient[:8]}…{pair.recipient[-4:]}"


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    return [Pair.generate() for _ in range(4)]


@pytest.fixture(scope="module")
def recipients(pairs: list[Pair]) -> list[AgeKey]:
    return [AgeKey(pair.recipient) for pair in pairs]


def test_one_group_wraps_the_whole_key_for_each(
    pairs: list[Pair], recipients: list[AgeKey], pgp_home: Path
) -> None:
    gpg = Credentials(clean_environ({"GNUPGHOME": str(pgp_home)}))
    wrapped = wrap_for(DATA_KEY, [[*recipients[:2], PgpKey(PGP_FINGERPRINT)]], None, gpg, NOW)
    assert [[key.created_at for key in group] for group in wrapped] == [[None, None, NOW]]
    for who in (holds(pairs[0]), holds(pairs[1]), gpg):
        assert open_data_key(wrapped, 0, who) == DATA_KEY
        assert open_data_key(wrapped, 5, who) == DATA_KEY  # a threshold without groups means nothing


@pytest.mark.parametrize(("threshold", "quorum"), [(None, 3), (0, 3), (2, 2), (3, 3)])
def test_several_groups_take_a_quorum(
    pairs: list[Pair], recipients: list[AgeKey], threshold: int | None, quorum: int
) -> None:
    groups = [[recipients[0]], [recipients[1], recipients[2]], [recipients[3]]]
    wrapped = wrap_for(DATA_KEY, groups, threshold, holds(), NOW)
    members = [pairs[0], pairs[2], pairs[3]]
    assert open_data_key(wrapped, threshold or 0, holds(*members[:quorum])) == DATA_KEY
    assert open_data_key(wrapped, threshold or 0, holds(*members[-quorum:])) == DATA_KEY
    with pytest.raises(
        KeyAccessError, match=f"it needs {quorum} of its 3 key groups, and {quorum - 1} could"
    ):
        open_data_key(wrapped, threshold or 0, holds(*members[: quorum - 1]))


def test_no_group_is_opened_beyond_the_quorum(
    pairs: list[Pair], recipients: list[AgeKey], tmp_path: Path
) -> None:
    wrapped = wrap_for(DATA_KEY, [[key] for key in recipients[:3]], 2, holds(), NOW)
    marker = tmp_path / "ran"
    who = holds(pairs[0], pairs[1], SOPS_AGE_KEY_CMD=f"touch {marker}")
    assert open_data_key(wrapped, 2, who) == DATA_KEY
    assert not marker.exists()


def test_sops_takes_our_groups_and_we_take_its(pairs: list[Pair], pgp_home: Path) -> None:
    config = f"""
creation_rules:
  - shamir_threshold: 2
    key_groups:
      - age: ["{pairs[0].recipient}", "{pairs[1].recipient}"]
      - pgp: ["{PGP_FINGERPRINT}"]
      - age: ["{pairs[2].recipient}"]
"""
    environ = {"GNUPGHOME": str(pgp_home), **pairs[1].environ()}
    document = json.loads(Sops(environ).encrypt('{"a": "b"}', "json", config=config))
    block = document["sops"]
    wrapped = [
        [WrappedKey.from_entry(type, entry) for type in keys.TABLE for entry in group.get(type) or []]
        for group in block["key_groups"]
    ]
    opens = Credentials(clean_environ(environ))
    data_key = open_data_key(wrapped, block["shamir_threshold"], opens)
    assert data_key == open_data_key(wrapped, 2, holds(pairs[0], pairs[2]))

    groups = [[key.key for key in group] for group in wrapped]
    for group, written in zip(block["key_groups"], wrap_for(data_key, groups, 2, opens, NOW), strict=True):
        for type in ("age", "pgp"):
            if entries := [key.to_entry() for key in written if type == key.key.TYPE]:
                assert [sorted(entry) for entry in entries] == [sorted(entry) for entry in group[type]]
                group[type] = entries
    text = json.dumps(document)
    assert json.loads(Sops(environ).decrypt(text, "json")) == {"a": "b"}
    both = {"SOPS_AGE_KEY": f"{pairs[0].identity}\n{pairs[2].identity}"}
    assert json.loads(Sops(both).decrypt(text, "json")) == {"a": "b"}


# --- order ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "gpg_runs"),
    [(None, False), ("age", False), ("pgp,age", True), ("kms,pgp", True), ("kms", True)],
)
def test_the_order_of_types(
    order: str | None, gpg_runs: bool, pairs: list[Pair], pgp_home: Path, tmp_path: Path
) -> None:
    program = tmp_path / "gpg"
    program.write_text(f'#!/bin/sh\ntouch {tmp_path}/ran\nexec gpg "$@"\n')
    program.chmod(0o700)
    environ = {"GNUPGHOME": str(pgp_home), "SOPS_GPG_EXEC": str(program)}
    group = [PgpKey(PGP_FINGERPRINT), AgeKey(pairs[0].recipient)]  # as sops stores them
    wrapped = wrap_for(DATA_KEY, [group], None, holds(**environ), NOW)
    (tmp_path / "ran").unlink()
    setting = {} if order is None else {"SOPS_DECRYPTION_ORDER": order}
    assert open_data_key(wrapped, 0, holds(pairs[0], **environ, **setting)) == DATA_KEY
    assert (tmp_path / "ran").exists() == gpg_runs


def test_a_type_twice_in_the_order(recipients: list[AgeKey], pairs: list[Pair]) -> None:
    wrapped = wrap_for(DATA_KEY, [recipients[:1]], None, holds(), NOW)
    with pytest.raises(DuplicateKeyTypeError):
        open_data_key(wrapped, 0, holds(pairs[0], SOPS_DECRYPTION_ORDER="age,age"))


# --- entries -------------------------------------------------------------------------------


def test_what_is_unknown_in_an_entry_is_kept(pairs: list[Pair], recipients: list[AgeKey]) -> None:
    entry = {"note": "x", "recipient": recipients[0].recipient, "enc": "old", "nested": {"a": [1]}}
    wrapped = WrappedKey.from_entry("age", entry)
    assert wrapped.key == recipients[0]
    assert wrapped.to_entry() == entry
    assert list(wrapped.to_entry()) == list(entry)
    wrapped.enc = "new"
    assert wrapped.to_entry() == {**entry, "enc": "new"}
    assert entry["enc"] == "old"


def test_an_entry_of_an_unknown_type_is_kept() -> None:
    entry = {"arn": ARN, "created_at": NOW, "enc": "AQICAH", "context": {"a": "b"}}
    wrapped = WrappedKey.from_entry("from_the_future", entry)
    assert (wrapped.enc, wrapped.created_at) == ("AQICAH", NOW)
    assert wrapped.to_entry() == entry


def test_a_new_entry_has_the_members_of_sops(recipients: list[AgeKey], pgp_home: Path) -> None:
    opens = holds(GNUPGHOME=str(pgp_home))
    ((age, pgp),) = wrap_for(DATA_KEY, [[recipients[0], PgpKey(PGP_FINGERPRINT)]], None, opens, NOW)
    assert age.to_entry() == {"recipient": recipients[0].recipient, "enc": age.enc}
    assert pgp.to_entry() == {"fp": PGP_FINGERPRINT, "created_at": NOW, "enc": pgp.enc}
    assert age.enc not in repr(age)


# --- what cannot be wrapped ----------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1])
def test_nobody_to_encrypt_for(count: int, recipients: list[AgeKey]) -> None:
    with pytest.raises(ConfigError):
        wrap_for(DATA_KEY, [recipients[:1], []] if count else [], None, holds(), NOW)


@pytest.mark.parametrize("threshold", [1, 3, 300])
def test_an_impossible_threshold(threshold: int, recipients: list[AgeKey]) -> None:
    with pytest.raises(ConfigError, match=f"a Shamir threshold of {threshold} does not fit 2 key groups"):
        wrap_for(DATA_KEY, [recipients[:1], recipients[1:2]], threshold, holds(), NOW)


def test_too_many_groups(recipients: list[AgeKey]) -> None:
    with pytest.raises(ConfigError, match="256 key groups"):
        wrap_for(DATA_KEY, [recipients[:1]] * 256, 2, holds(), NOW)


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_data_key_of_another_size(size: int, recipients: list[AgeKey]) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        wrap_for(bytes(size), [recipients[:1]], None, holds(), NOW)


def test_every_key_that_cannot_be_wrapped_for_is_named(recipients: list[AgeKey], tmp_path: Path) -> None:
    group = [recipients[0], AgeKey("age1broken"), keys.from_entry("kms2", {"arn": ARN})]
    with pytest.raises(WrapError) as caught:
        wrap_for(DATA_KEY, [group], None, holds(), NOW)
    assert caught.value.exit_code == 1
    assert caught.value.message == (
        "cannot encrypt the data key for 2 of its 3 master keys\n"
        f"  age   age1broken{' ' * (len(ARN) - 10)}  failed: age1broken is not an age recipient: "
        "invalid Bech32 encoding\n"
        f"  kms2  {ARN}  failed: kms2 keys are not supported by this version of encconf\n"
        "        hint: try a newer version, or the sops that wrote the file"
    )


# --- what cannot be opened -----------------------------------------------------------------


def test_the_report_for_one_group(pairs: list[Pair], recipients: list[AgeKey]) -> None:
    wrapped = wrap_for(DATA_KEY, [recipients[:2]], None, holds(), NOW)
    with pytest.raises(KeyAccessError) as caught:
        open_data_key(wrapped, 0, holds(pairs[2]))
    assert caught.value.exit_code == 128
    assert caught.value.hint == HINT
    unset = (
        "SOPS_AGE_KEY_FILE (unset), SOPS_AGE_KEY_CMD (unset), HOME (unset, so no key file can be found "
        "below it)"
    )
    looked = f"looked in: SOPS_AGE_KEY (1 key: {short(pairs[2])}), {unset}"
    assert str(caught.value.about("secrets.enc.yaml")) == (
        "secrets.enc.yaml: cannot get the data key: none of its 2 master keys could be used\n"
        f"  age  {short(pairs[0])}  no matching identity\n"
        f"  age  {short(pairs[1])}  no matching identity\n"
        f"       {looked}"
    )


def test_the_report_tells_not_mine_from_failed(pairs: list[Pair], recipients: list[AgeKey]) -> None:
    wrapped = wrap_for(DATA_KEY, [recipients[:1]], None, holds(), NOW)
    wrapped[0].append(WrappedKey(keys.from_entry("kms2", {"arn": ARN}), "AQICAH", NOW))
    with pytest.raises(KeyAccessError) as caught:
        open_data_key(wrapped, 0, holds(pairs[1]))
    lines = caught.value.message.splitlines()
    assert lines[1] == f"  age   {short(pairs[0])}{' ' * (len(ARN) - 13)}  no matching identity"
    assert lines[3] == f"  kms2  {ARN}  failed: kms2 keys are not supported by this version of encconf"
    assert caught.value.hint == f"fix what failed above, or {HINT}"


def test_the_report_for_several_groups(pairs: list[Pair], recipients: list[AgeKey]) -> None:
    wrapped = wrap_for(DATA_KEY, [[key] for key in recipients[:3]], 3, holds(), NOW)
    with pytest.raises(KeyAccessError) as caught:
        open_data_key(wrapped, 3, holds(pairs[0], pairs[2]))
    lines = caught.value.message.splitlines()
    assert lines[0] == "cannot get the data key: it needs 3 of its 3 key groups, and 2 could be opened"
    assert lines[1:4] == [
        f"  group 1: opened by age {short(pairs[0])}",
        "  group 2: not opened",
        f"    age  {short(pairs[1])}  no matching identity",
    ]
    assert lines[4].startswith("         looked in: SOPS_AGE_KEY (2 keys: ")
    assert lines[5] == f"  group 3: opened by age {short(pairs[2])}"


def test_one_key(pairs: list[Pair], recipients: list[AgeKey]) -> None:
    wrapped = wrap_for(DATA_KEY, [recipients[:1]], None, holds(), NOW)
    with pytest.raises(
        KeyAccessError, match="cannot get the data key: its only master key could not be used"
    ):
        open_data_key(wrapped, 0, holds())


@pytest.mark.parametrize("groups", [[], [[]], [[], []]])
def test_no_key(groups: list[list[WrappedKey]]) -> None:
    with pytest.raises(KeyAccessError, match="cannot get the data key: the file has no master keys"):
        open_data_key(groups, 0, holds())


@pytest.mark.parametrize("size", [0, 16, 31, 33, 64])
def test_what_is_inside_has_the_size_of_a_data_key(
    size: int, pairs: list[Pair], recipients: list[AgeKey]
) -> None:
    enc = recipients[0].wrap(bytes(size), holds())
    good = wrap_for(DATA_KEY, [[recipients[0]]], None, holds(), NOW)[0][0]
    with pytest.raises(
        KeyAccessError, match="failed: it was decrypted, but the content is not a data key of 32 bytes"
    ):
        open_data_key([[WrappedKey(recipients[0], enc)]], 0, holds(pairs[0]))
    assert open_data_key([[WrappedKey(recipients[0], enc), good]], 0, holds(pairs[0])) == DATA_KEY


def test_an_entry_without_a_ciphertext(pairs: list[Pair], recipients: list[AgeKey]) -> None:
    with pytest.raises(KeyAccessError, match="its entry has no wrapped data key"):
        open_data_key([[WrappedKey(recipients[0], "")]], 0, holds(pairs[0]))


def test_the_same_part_in_two_groups(pairs: list[Pair], recipients: list[AgeKey]) -> None:
    wrapped = wrap_for(DATA_KEY, [[recipients[0]], [recipients[1]]], 2, holds(), NOW)
    with pytest.raises(MetadataError, match="the shares of the data key do not match"):
        open_data_key([wrapped[0], wrapped[0]], 2, holds(pairs[0]))


def test_the_report_cannot_be_bent_by_the_file(pairs: list[Pair]) -> None:
    hostile = WrappedKey.from_entry(
        "age", {"recipient": "age1\x1b[2J\nencconf: fine\n" + "x" * 99, "enc": "x"}
    )
    with pytest.raises(KeyAccessError) as caught:
        open_data_key([[hostile]], 0, holds(pairs[0]))
    assert all(line.isprintable() for line in caught.value.message.splitlines())
    assert len(caught.value.message.splitlines()) == 2


# --- services ------------------------------------------------------------------------------


class Load:
    """How many calls to services there are, and were at most, at a time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.now = self.most = 0


@pytest.fixture(autouse=True)
def load(monkeypatch: pytest.MonkeyPatch) -> Load:
    """The calls of this test alone."""
    fresh = Load()
    monkeypatch.setattr(Remote, "load", fresh)
    return fresh


class Remote:
    """A key of a service that answers after ``delay`` seconds, with ``error`` if there is one."""

    DATED = True
    load = Load()

    def __init__(
        self, name: str, delay: float = 0, error: Exception | None = None, type: str = "kms"
    ) -> None:
        self.TYPE = type
        self.name = self.label = name
        self.delay = delay
        self.error = error
        self.calls = 0
        self.load = Remote.load  # this test's: calls that hang may outlive it

    def wrap(self, data_key: bytes, credentials: Credentials) -> str:
        self.work()
        return f"{self.name}:{data_key.hex()}"

    def unwrap(self, enc: str, credentials: Credentials) -> bytes:
        self.work()
        return bytes.fromhex(enc.split(":")[1])

    def work(self) -> None:
        with self.load.lock:
            self.calls += 1
            self.load.now += 1
            self.load.most = max(self.load.most, self.load.now)
        time.sleep(self.delay)
        with self.load.lock:
            self.load.now -= 1
        if self.error is not None:
            raise self.error

    def wrapped(self, part: bytes = DATA_KEY) -> WrappedKey:
        return WrappedKey(self, f"{self.name}:{part.hex()}", NOW)  # type: ignore[arg-type]

    def to_entry(self) -> dict[str, object]:
        return {"arn": self.name}


def test_services_are_asked_in_parallel_and_answer_in_order(load: Load) -> None:
    keys = [Remote(f"k{at}", 0.2) for at in range(20)]
    ((*wrapped,),) = wrap_for(DATA_KEY, [keys], None, holds(), NOW)  # type: ignore[list-item]
    assert load.most > 2
    assert [key.enc for key in wrapped] == [f"k{at}:{DATA_KEY.hex()}" for at in range(20)]
    assert [key.created_at for key in wrapped] == [NOW] * 20


def test_no_more_than_so_many_at_a_time(load: Load) -> None:
    keys = [Remote(f"k{at}", 0.02) for at in range(100)]
    wrap_for(DATA_KEY, [keys], None, holds(), NOW)  # type: ignore[list-item]
    assert 2 < load.most <= race.WIDTH


def test_groups_of_services_and_others_keep_their_places(pairs: list[Pair], recipients: list[AgeKey]) -> None:
    groups = [[Remote("a"), recipients[0], Remote("b")], [recipients[1]], [Remote("c")]]
    wrapped = wrap_for(DATA_KEY, groups, 2, holds(), NOW)  # type: ignore[arg-type]
    assert [[key.key for key in group] for group in wrapped] == groups
    assert open_data_key(wrapped, 2, holds()) == DATA_KEY
    assert open_data_key(wrapped[1:], 2, holds(pairs[1])) == DATA_KEY


def test_a_service_that_hangs_is_given_up() -> None:
    hangs, works = Remote("hangs", 30), Remote("works")
    credentials = Credentials(clean_environ(), timeout=0.3)
    began = time.monotonic()
    with pytest.raises(WrapError) as caught:
        wrap_for(DATA_KEY, [[hangs, works]], None, credentials, NOW)  # type: ignore[list-item]
    assert caught.value.message.splitlines()[1:] == ["  kms  hangs  failed: no answer within 0.3 s"]
    with pytest.raises(KeyAccessError, match=r"no answer within 0\.3 s"):
        open_data_key([[hangs.wrapped()]], 0, credentials)
    assert time.monotonic() - began < 30  # what the service takes


def test_the_second_service_is_not_asked_when_the_first_answers() -> None:
    first, second = Remote("first", 0.1), Remote("second")
    assert open_data_key([[first.wrapped(), second.wrapped()]], 0, holds()) == DATA_KEY
    assert (first.calls, second.calls) == (1, 0)


def test_the_others_are_asked_at_once_when_the_first_fails() -> None:
    first = Remote("first", 0, MasterKeyError("denied"))
    slow = [Remote(f"slow{at}", 20) for at in range(3)]
    fast = Remote("fast", 0.1)
    began = time.monotonic()
    group = [key.wrapped() for key in (first, *slow, fast)]
    assert open_data_key([group], 0, holds()) == DATA_KEY
    assert time.monotonic() - began < 20  # what the slow ones take
    assert [key.calls for key in (*slow, fast)] == [1] * 4


def test_a_slow_service_does_not_hold_up_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(race, "PATIENCE", 0.1)
    slow, other = Remote("slow", 20), Remote("other")
    began = time.monotonic()
    assert open_data_key([[slow.wrapped(), other.wrapped()]], 0, holds()) == DATA_KEY
    assert 0.1 <= time.monotonic() - began < 20  # what the slow one takes


def test_the_report_keeps_the_order_of_the_keys() -> None:
    group = [Remote(f"k{at}", 0.2 - at / 20, MasterKeyError(f"reason {at}")).wrapped() for at in range(4)]
    with pytest.raises(KeyAccessError) as caught:
        open_data_key([group], 0, holds())
    lines = caught.value.message.splitlines()
    assert lines[1:] == [f"  kms  k{at}  failed: reason {at}" for at in range(4)]


def test_as_many_groups_as_are_needed_are_asked_in_parallel(load: Load) -> None:
    keys = [Remote(f"k{at}", 0.5) for at in range(4)]
    parts = shamir.split(DATA_KEY, 4, 3)
    groups = [[key.wrapped(part)] for key, part in zip(keys, parts, strict=True)]
    assert open_data_key(groups, 3, holds()) == DATA_KEY
    assert load.most == 3
    assert [key.calls for key in keys] == [1, 1, 1, 0]
    keys[1].error = NotMyKeyError("no")
    assert open_data_key(groups, 3, holds()) == DATA_KEY
    assert [key.calls for key in keys] == [2, 2, 2, 1]


@pytest.mark.parametrize("order", ["kms,age", None])
def test_the_order_of_types_holds_for_services(
    order: str | None, pairs: list[Pair], recipients: list[AgeKey]
) -> None:
    remote = Remote("kms", 0, MasterKeyError("denied"))
    group = [remote.wrapped(), *wrap_for(DATA_KEY, [recipients[:1]], None, holds(), NOW)[0]]
    setting = {} if order is None else {"SOPS_DECRYPTION_ORDER": order}
    assert open_data_key([group], 0, holds(pairs[0], **setting)) == DATA_KEY
    assert remote.calls == (order is not None)


def test_a_mistake_of_ours_is_not_swallowed_by_a_thread() -> None:
    with pytest.raises(ZeroDivisionError):
        open_data_key([[Remote("k", 0, ZeroDivisionError()).wrapped()]], 0, holds())


LIGHT = """
import sys
sys.path.insert(0, sys.argv[1])
from encconf.identities.credentials import Credentials
from encconf.envelope.open import open_data_key
from encconf.envelope.wrapped import WrappedKey
class Key:
    TYPE, DATED, name, label = "age", False, "k", "k"
    def unwrap(self, enc, credentials): return bytes(32)
open_data_key([[WrappedKey(Key(), "x")]], 0, Credentials({}))
print({"threading", "queue", "concurrent"} & set(sys.modules))
"""


def test_threads_are_not_even_imported_where_no_service_is_asked() -> None:
    root = str(Path(__file__).resolve().parents[2])
    command = [sys.executable, "-S", "-c", LIGHT, root]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "set()"


# --- other processes -----------------------------------------------------------------------


def test_a_key_service_opens_what_cannot_be_opened_here(pairs: list[Pair], recipients: list[AgeKey]) -> None:
    ((wrapped, other),) = wrap_for(DATA_KEY, [recipients[:2]], None, holds(), NOW)

    def answer(operation: str, request: Any) -> bytes:
        if operation == "Encrypt":
            return f"wrapped for {request.key.age_key.recipient}".encode()
        return recipients[0].unwrap(request.ciphertext.decode(), holds(pairs[0]))

    with RecordingKeyservice(answer) as service:
        here = holds(SOPS_KEYSERVICE=service.uri)
        here.key_services = [service.uri]
        assert open_data_key([[wrapped]], 0, here) == DATA_KEY
        here.local_key_service = False
        cache = DataKeyCache()
        for _ in range(3):
            assert open_data_key([[wrapped]], 0, here, cache) == DATA_KEY
        assert len(service.requests) == 2
        made = wrap_for(DATA_KEY, [[key.key for key in (wrapped, other)]], None, here, NOW)
        assert [key.enc for key in made[0]] == [f"wrapped for {key.recipient}" for key in recipients[:2]]
        here.key_services = []
        with pytest.raises(KeyAccessError, match="the local key service is switched off"):
            open_data_key([[wrapped]], 0, here)


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
    assert all("failed: denied" in message for message in failed)
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


def test_g_one_spoiled_key_of_two_is_wrapped_again() -> None:
    pairs = [Pair.generate(), Pair.generate()]
    group = [AgeKey.from_config(pair.recipient) for pair in pairs]
    data_key = bytes(range(32))
    now = "2026-01-01T00:00:00Z"
    held = wrap_for(data_key, [group], None, Credentials({}), now)
    before = [wrapped.enc for wrapped in held[0]]
    assert wrap_again(data_key, held, 0, [group], None, Credentials({}), now) == (held, 0)
    held[0][1].spoiled = True
    assert are_spoiled(held)
    again, _ = wrap_again(data_key, held, 0, [group], None, Credentials({}), now)
    assert again[0][0].enc == before[0]
    assert again[0][1].enc != before[1]
    assert not are_spoiled(again)
