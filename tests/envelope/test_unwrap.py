"""The data key of a file: which key unwraps it, and the error if none can."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from doubles.recording_keyservice import RecordingKeyservice
from oracle import PGP_FINGERPRINT, Sops, clean_environ
from oracle import AgeKey as Pair
from wrapping import wrap_again, wrap_for

from encconf import keys
from encconf.envelope import WrappedKey, are_spoiled, shamir
from encconf.envelope.unwrap import UNREACHED_LIMIT, DataKeyCache, Group, open_data_key
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
from encconf.io import threads
from encconf.keys.age import AgeKey
from encconf.keys.pgp import PgpKey

from .remote import Load, Remote, holds

DATA_KEY = bytes(range(32))
NOW = "2026-01-02T03:04:05Z"
ARN = "arn:aws:kms:eu-central-1:123456789012:key/92c2a9b0-0000-4000-8000-000000000000"


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
        KeyAccessError, match=f"your keys open {quorum - 1} of its 3 key groups, and it needs {quorum}"
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


def test_after_a_group_failed_only_as_many_more_are_asked_as_are_needed() -> None:
    remotes = [Remote("a"), Remote("b", 0, MasterKeyError("denied")), Remote("c"), Remote("d")]
    parts = shamir.split(DATA_KEY, 4, 2)
    groups = [[remote.wrapped(part)] for remote, part in zip(remotes, parts, strict=True)]
    assert open_data_key(groups, 2, holds()) == DATA_KEY
    assert [remote.calls for remote in remotes] == [1, 1, 1, 0]


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
def test_no_recipient_to_encrypt_for(count: int, recipients: list[AgeKey]) -> None:
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
        "        hint: copy it once more; its owner sees it with: encconf whoami\n"
        f"  kms2  {ARN}  failed: kms2 keys are not supported by this version of encconf\n"
        "        hint: try a newer version, the sops that wrote the file, or the plug-in for such keys"
    )


def test_one_key(pairs: list[Pair], recipients: list[AgeKey]) -> None:
    wrapped = wrap_for(DATA_KEY, [recipients[:1]], None, holds(), NOW)
    with pytest.raises(KeyAccessError, match="you have no key on this machine, so you cannot open this file"):
        open_data_key(wrapped, 0, holds())


@pytest.mark.parametrize("groups", [[], [[]], [[], []]])
def test_no_key(groups: list[list[WrappedKey]]) -> None:
    with pytest.raises(KeyAccessError, match="the file has no master keys, so no key opens it"):
        open_data_key(groups, 0, holds())


@pytest.mark.parametrize("size", [0, 16, 31, 33, 64])
def test_what_is_inside_has_the_size_of_a_data_key(
    size: int, pairs: list[Pair], recipients: list[AgeKey]
) -> None:
    enc = recipients[0].wrap(bytes(size), holds())
    good = wrap_for(DATA_KEY, [[recipients[0]]], None, holds(), NOW)[0][0]
    with pytest.raises(
        KeyAccessError, match="file: it was decrypted, but the content is not a data key of 32 bytes"
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


def test_services_are_asked_in_parallel_and_answer_in_order(load: Load) -> None:
    keys = [Remote(f"k{at}", 0.2) for at in range(20)]
    ((*wrapped,),) = wrap_for(DATA_KEY, [keys], None, holds(), NOW)  # type: ignore[list-item]
    assert load.most > 2
    assert [key.enc for key in wrapped] == [f"k{at}:{DATA_KEY.hex()}" for at in range(20)]
    assert [key.created_at for key in wrapped] == [NOW] * 20


def test_no_more_than_so_many_at_a_time(load: Load) -> None:
    keys = [Remote(f"k{at}", 0.02) for at in range(100)]
    wrap_for(DATA_KEY, [keys], None, holds(), NOW)  # type: ignore[list-item]
    assert 2 < load.most <= threads.RACE_WIDTH


def test_groups_of_services_and_others_keep_their_places(pairs: list[Pair], recipients: list[AgeKey]) -> None:
    groups = [[Remote("a"), recipients[0], Remote("b")], [recipients[1]], [Remote("c")]]
    wrapped = wrap_for(DATA_KEY, groups, 2, holds(), NOW)  # type: ignore[arg-type]
    assert [[key.key for key in group] for group in wrapped] == groups
    assert open_data_key(wrapped, 2, holds()) == DATA_KEY
    assert open_data_key(wrapped[1:], 2, holds(pairs[1])) == DATA_KEY


def test_a_service_that_hangs_is_given_up() -> None:
    hangs, works = Remote("hangs", 30), Remote("works")
    credentials = Credentials(clean_environ(), timeout=1)
    began = time.monotonic()
    with pytest.raises(WrapError) as caught:
        wrap_for(DATA_KEY, [[hangs, works]], None, credentials, NOW)  # type: ignore[list-item]
    assert caught.value.message.splitlines()[1:] == ["  kms  hangs  failed: no answer within 1 s"]
    with pytest.raises(KeyAccessError, match="no answer within 1 s"):
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
    monkeypatch.setattr(threads, "RACE_PATIENCE", 0.1)
    slow, other = Remote("slow", 20), Remote("other")
    began = time.monotonic()
    assert open_data_key([[slow.wrapped(), other.wrapped()]], 0, holds()) == DATA_KEY
    assert 0.1 <= time.monotonic() - began < 20  # what the slow one takes


def test_services_are_not_asked_after_many_that_cannot_be_reached() -> None:
    gone = MasterKeyError("it cannot be reached", reason="unreachable")
    denied = MasterKeyError("denied", reason="denied")
    group = [Remote(str(at), error=gone) for at in range(300)]
    with pytest.raises(KeyAccessError, match="not asked, since no other service can be reached"):
        open_data_key([[key.wrapped() for key in group]], 0, holds())
    assert UNREACHED_LIMIT <= sum(key.calls for key in group) < 200
    own = Remote("own", type="pgp")  # gpg runs on this machine
    kms_first = holds(SOPS_DECRYPTION_ORDER="kms,pgp")
    assert open_data_key([[key.wrapped() for key in (*group, own)]], 0, kms_first) == DATA_KEY
    opening = Group([], 32, holds(), None)
    for error in [gone] * (UNREACHED_LIMIT - 1) + [denied] + [gone] * (UNREACHED_LIMIT - 1):
        with pytest.raises(MasterKeyError, match=error.message):
            opening.unwrap(Remote("x", error=error).wrapped())
    assert opening.unwrap(Remote("last").wrapped()) == DATA_KEY


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
from encconf.envelope.unwrap import open_data_key
from encconf.envelope.unwrap import UNREACHED_LIMIT, Group
from encconf.envelope import WrappedKey
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


def test_a_spoiled_key_is_opened_with_a_cache_too() -> None:
    wrapped = Remote("old").wrapped()
    wrapped.spoiled = True
    cache = DataKeyCache()
    assert [open_data_key([[wrapped]], 0, holds(), cache) for _ in range(2)] == [DATA_KEY] * 2


def test_one_spoiled_key_of_two_is_wrapped_again_if_a_third_one_is_added() -> None:
    pairs = [Pair.generate(), Pair.generate()]
    group = [AgeKey.from_config(pair.recipient) for pair in pairs]
    data_key = bytes(range(32))
    now = "2026-01-01T00:00:00Z"
    held = wrap_for(data_key, [group], None, Credentials({}), now)
    before = [wrapped.enc for wrapped in held[0]]
    assert wrap_again(data_key, held, 0, [group], None, Credentials({}), now) == (held, 0)
    held[0][1].spoiled = True
    assert are_spoiled(held)
    assert wrap_again(data_key, held, 0, [group], None, Credentials({}), now) == (held, 0), "no key changes"
    third = AgeKey.from_config(Pair.generate().recipient)
    again, _ = wrap_again(data_key, held, 0, [[*group, third]], None, Credentials({}), now)
    assert again[0][0].enc == before[0]
    assert again[0][1].enc != before[1]
    assert not are_spoiled(again)


def test_a_command_runs_for_each_recipient_if_its_first_output_opens_nothing(
    pairs: list[Pair], recipients: list[AgeKey], tmp_path: Path
) -> None:
    script = tmp_path / "pick"
    script.write_text(
        f"import os\nmine = os.environ['SOPS_AGE_RECIPIENT'] == '{pairs[1].recipient}'\n"
        f"print('{pairs[1].identity}' if mine else '{pairs[3].identity}')\n"
    )
    who = holds(SOPS_AGE_KEY_CMD=f"'{sys.executable}' '{script}'")
    wrapped = wrap_for(DATA_KEY, [recipients[:2]], None, holds(), NOW)
    assert open_data_key(wrapped, 0, who) == DATA_KEY


def test_a_command_runs_once_if_its_first_output_opens_the_file(
    pairs: list[Pair], recipients: list[AgeKey], tmp_path: Path
) -> None:
    script, ran = tmp_path / "print", tmp_path / "ran"
    script.write_text(f"open({str(ran)!r}, 'a').write('ran\\n')\nprint('{pairs[1].identity}')\n")
    wrapped = wrap_for(DATA_KEY, [recipients[:2]], None, holds(), NOW)
    assert open_data_key(wrapped, 0, holds(SOPS_AGE_KEY_CMD=f"'{sys.executable}' '{script}'")) == DATA_KEY
    assert ran.read_text() == "ran\n"


def test_only_age_keys_are_tried_again_with_other_commands(
    pairs: list[Pair], recipients: list[AgeKey]
) -> None:
    wrapped = wrap_for(DATA_KEY, [recipients[:2]], None, holds(), NOW)
    wrapped[0].append(WrappedKey(keys.from_entry("kms2", {"arn": "x"}), "AQICAH", NOW))
    with pytest.raises(KeyAccessError) as caught:
        open_data_key(wrapped, 0, holds(SOPS_AGE_KEY_CMD=f"echo {pairs[3].identity}"))
    assert caught.value.message.count("kms2  x ") == 1
    assert caught.value.message.count("no matching identity") == 2
