from __future__ import annotations

import contextlib
import re
import time
from binascii import a2b_base64
from pathlib import Path

import pytest
from doubles.moto_server import ROOT, MotoServer
from keys.kms import (
    ARN,
    DATA_KEY,
    NOBODY,
    NOW,
    PLAIN,
    ROLE,
    SECRETS,
    credentials,
    new_key,
    refusal,
    write_aws,
)
from keys.kms import arn as arn
from keys.kms import aws as aws
from keys.kms import healthy as healthy
from oracle import Sops, SopsError
from wrapping import wrap_for

from encconf import api, formats, keys
from encconf.engine.metadata import Metadata
from encconf.envelope import WrappedKey
from encconf.envelope.unwrap import DataKeyCache, open_data_key
from encconf.errors import BadKeyError, KeyAccessError, MasterKeyError, NotMyKeyError
from encconf.identities.credentials import Credentials
from encconf.keys.aws_kms import AwsKmsKey
from encconf.rules.config import Rule
from encconf.testing.contracts.master_key import MasterKeyContract

PROJECT = Path(__file__).resolve().parents[2]
ALIAS = "arn:aws:kms:eu-central-1:123456789012:alias/sops"
CHINA = "arn:aws-cn:kms:cn-north-1:123456789012:key/mrk-12"
GOVERNMENT = "arn:aws-us-gov:kms:us-gov-west-1:1:alias/a/b"

# --- names, entries, configuration -----------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "name"),
    [
        (AwsKmsKey(ARN), ARN),
        (AwsKmsKey(ARN, ROLE), f"{ARN}+{ROLE}"),
        (AwsKmsKey(ARN, "", {"b": "2", "a": "1"}), f"{ARN}|a:1,b:2"),
        (AwsKmsKey(ARN, profile="prod"), f"{ARN}||prod"),
        (AwsKmsKey(ARN, ROLE, {"a": "1"}, "prod"), f"{ARN}+{ROLE}|a:1|prod"),
    ],
)
def test_the_name_is_that_of_sops(key: AwsKmsKey, name: str) -> None:
    assert key.name == key.label == name
    assert keys.master_key("kms", name) == key
    assert keys.master_key("kms", f"  {name}\n") == key


@pytest.mark.parametrize(
    ("value", "key"),
    [
        (ALIAS, AwsKmsKey(ALIAS)),
        (f"{ARN} + {ROLE}", AwsKmsKey(ARN, ROLE)),
        ({"arn": ARN}, AwsKmsKey(ARN)),
        ({"arn": f"{ARN}+{ROLE}", "aws_profile": "p"}, AwsKmsKey(ARN, ROLE, profile="p")),
        ({"arn": ARN, "role": ROLE, "context": {"a:b": "c,d|e"}}, AwsKmsKey(ARN, ROLE, {"a:b": "c,d|e"})),
        ({"arn": ARN, "context": "a:1,b:2", "role": ""}, AwsKmsKey(ARN, "", {"a": "1", "b": "2"})),
        (CHINA, AwsKmsKey(CHINA)),
        ({"arn": GOVERNMENT}, AwsKmsKey(GOVERNMENT)),
    ],
)  # fmt: skip
def test_the_forms_of_the_configuration(value: object, key: AwsKmsKey) -> None:
    made = keys.master_key("kms", value)
    assert isinstance(made, AwsKmsKey)
    assert (made.arn, made.role, made.context, made.profile) == (key.arn, key.role, key.context, key.profile)


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"arn": ARN, "profile": "x"},
        {"arn": ARN, 1: "x"},
        f"{ARN}|a:b:c",
        f"{ARN}|a",
        f"{ARN}|:x",
        "arn:aws:s3:::bucket",
        "arn:aws:kms:eu-central-1:123456789012:grant/x",
        "arn:aws:kms:evil.example/#:123456789012:key/x",
        "arn:aws:kms:eu-central-1@evil.example:123456789012:key/x",
        "arn:aws:kms::123456789012:key/x",
        f"{ARN}\u00e9",
    ],
)
def test_what_is_no_key(value: object) -> None:
    with pytest.raises(BadKeyError):
        keys.master_key("kms", value)


def test_an_entry_has_the_members_of_sops() -> None:
    assert AwsKmsKey(ARN).to_entry() == {"arn": ARN, "aws_profile": ""}
    entry = AwsKmsKey(ARN, ROLE, {"b": "2", "a": "1"}, "p").to_entry()
    assert entry == {"arn": ARN, "role": ROLE, "context": {"a": "1", "b": "2"}, "aws_profile": "p"}
    assert list(entry["context"]) == ["a", "b"]  # type: ignore[call-overload]


@pytest.mark.parametrize("context", ["a:1", ["a"], 5, {"a": {}}])
def test_a_context_that_is_none_is_found_out_when_it_is_used(context: object) -> None:
    entry = {"arn": ARN, "context": context, "enc": "AAAA"}
    if isinstance(context, dict):
        with pytest.raises(Exception, match="'a'"):
            keys.from_entry("kms", entry)
        return
    wrapped = WrappedKey.from_entry("kms", entry)
    with pytest.raises(KeyAccessError, match="the context of the key is not a mapping of strings"):
        open_data_key([[wrapped]], 0, Credentials({}))
    assert wrapped.to_entry()["context"] == context  # and is kept


def test_a_context_is_read_as_leniently_as_by_sops() -> None:
    key = keys.from_entry("kms", {"ARN": ARN, "Context": {"n": 5, "t": True}, "AWS_PROFILE": None})
    assert key == AwsKmsKey(ARN, "", {"n": "5", "t": "1"})


# --- the service -----------------------------------------------------------------------------


@pytest.mark.services
class TestContract(MasterKeyContract):
    @pytest.fixture
    def key(self, arn: str) -> AwsKmsKey:
        return AwsKmsKey(arn, "", {"App": "encconf", "env": "test"})

    @pytest.fixture
    def other(self, arn: str) -> AwsKmsKey:
        return AwsKmsKey(arn, "", {"App": "encconf", "env": "other"})

    @pytest.fixture
    def credentials(self, aws: MotoServer) -> Credentials:
        return credentials(aws)

    @pytest.fixture
    def stranger(self, aws: MotoServer) -> Credentials:
        return credentials(aws, NOBODY)

    @pytest.fixture
    def secrets(self) -> list[str]:
        return [ROOT["AWS_SECRET_ACCESS_KEY"]]


# --- with sops, and with the SDK -------------------------------------------------------------


def data_keys(aws: MotoServer, text: str) -> set[bytes]:
    """What the SDK itself finds in each entry of an encrypted file."""
    found = set()
    for wrapped in Metadata.of(formats.get("yaml").scan(text)).groups[0]:
        entry = wrapped.to_entry()
        arn = str(entry["arn"])
        answer = aws.client("kms", arn.split(":")[3]).decrypt(
            KeyId=arn, CiphertextBlob=a2b_base64(wrapped.enc), EncryptionContext=entry.get("context") or {}
        )
        found.add(answer["Plaintext"])
    return found


@pytest.mark.services
@pytest.mark.parametrize("kind", ["key", "alias", "context", "role", "two regions", "multi-Region"])
def test_sops_and_encconf_open_each_other(aws: MotoServer, arn: str, kind: str) -> None:
    who = credentials(aws)
    sops = Sops(aws.environ)
    names, options = [arn], []
    context: dict[str, str] = {}
    if kind == "alias":
        with contextlib.suppress(Exception):
            aws.client("kms").create_alias(AliasName="alias/sops", TargetKeyId=arn)
        names = [re.sub(":key/.*", ":alias/sops", arn)]
    elif kind == "context":
        context, options = {"App": "x", "b": "y z"}, ["--encryption-context", "App:x,b:y z"]
    elif kind == "role":
        names = [f"{arn}+{ROLE}"]
    elif kind == "two regions":
        names = [arn, new_key(aws, "us-east-1")]
    elif kind == "multi-Region":
        primary = new_key(aws, MultiRegion=True)
        replica = aws.client("kms").replicate_key(
            KeyId=primary.rpartition("/")[2], ReplicaRegion="eu-west-1"
        )["ReplicaKeyMetadata"]["Arn"]
        assert "/mrk-" in primary
        names = [primary, replica]
    theirs = sops.encrypt(PLAIN, "yaml", "--kms", ",".join(names), *options)
    assert api.decrypt(theirs, format="yaml", credentials=who) == PLAIN
    master = [keys.master_key("kms", {"arn": name, "context": context}) for name in names]
    ours = api.encrypt(PLAIN, Rule([master]), format="yaml", credentials=who)
    assert sops.decrypt(ours, "yaml") == PLAIN
    assert len(data_keys(aws, theirs)) == len(data_keys(aws, ours)) == 1
    for text in (theirs, ours):  # the order of sops's entries is that of its 3.13, or of before
        entries = [w.to_entry() for w in Metadata.of(formats.get("yaml").scan(text)).groups[0]]
        common = {"arn", "aws_profile", "created_at", "enc"}
        extra = {"context": {"context"}, "role": {"role"}}.get(kind, set())
        assert [set(entry) for entry in entries] == [common | extra] * len(names)
    if kind == "multi-Region":
        # A file made for one region opens in another one, after nothing but its ARN was changed.
        one = sops.encrypt(PLAIN, "yaml", "--kms", names[0])
        moved = one.replace(names[0], names[1])
        assert api.decrypt(moved, format="yaml", credentials=who) == sops.decrypt(moved, "yaml") == PLAIN


@pytest.mark.services
def test_a_profile_works_for_both(aws: MotoServer, arn: str, home: Path) -> None:
    write_aws(home, f"[profile team]\nregion = us-east-1\nendpoint_url = {aws.url}\n", f"[team]\n{SECRETS}")
    extra = {**NOBODY, "AWS_ENDPOINT_URL": "", "HOME": str(home)}
    who = credentials(aws, extra)
    sops = Sops({"HOME": str(home)})
    theirs = sops.encrypt(PLAIN, "yaml", "--kms", arn, "--aws-profile", "team")
    assert "aws_profile: team" in theirs
    assert api.decrypt(theirs, format="yaml", credentials=who) == PLAIN
    ours = api.encrypt(
        PLAIN, Rule([[keys.master_key("kms", f"{arn}||team")]]), format="yaml", credentials=who
    )
    assert sops.decrypt(ours, "yaml") == PLAIN


# --- where credentials come from -------------------------------------------------------------


# --- failures --------------------------------------------------------------------------------


@pytest.mark.services
def test_another_key_another_context_no_key(aws: MotoServer, arn: str) -> None:
    who = credentials(aws)
    enc = AwsKmsKey(arn, "", {"a": "1"}).wrap(DATA_KEY, who)
    wrong = refusal(AwsKmsKey(arn, "", {"a": "2"}), enc, who)
    assert wrong.message == (
        "InvalidCiphertextException: its enc was created with another key or another encryption context"
    )
    assert "Exception" in refusal(AwsKmsKey(new_key(aws), "", {"a": "1"}), enc, who).message
    assert refusal(AwsKmsKey(ARN), enc, who).message.startswith("NotFoundException: ")
    for error in (wrong, refusal(AwsKmsKey(ARN), enc, who)):
        assert not isinstance(error, NotMyKeyError)


@pytest.mark.services
def test_a_disabled_key(aws: MotoServer) -> None:
    arn = new_key(aws)
    key, who = AwsKmsKey(arn), credentials(aws)
    enc = key.wrap(DATA_KEY, who)
    aws.client("kms").disable_key(KeyId=arn.rpartition("/")[2])
    assert refusal(key, enc, who).message == f"DisabledException: {arn} is disabled."
    with pytest.raises(MasterKeyError, match="DisabledException"):
        key.wrap(DATA_KEY, who)
    with pytest.raises(SopsError, match="DisabledException"):
        Sops(aws.environ).encrypt(PLAIN, "yaml", "--kms", arn)


@pytest.mark.services
def test_the_report(aws: MotoServer, arn: str) -> None:
    who = credentials(aws)
    keys = [AwsKmsKey(arn, "", {"a": "1"}), AwsKmsKey(arn)]
    ((first, second),) = wrap_for(DATA_KEY, [list(keys)], None, who, NOW)
    assert (first.created_at, second.created_at) == (NOW, NOW)
    first.enc, second.enc = second.enc, first.enc
    with pytest.raises(KeyAccessError) as caught:
        open_data_key([[first, second]], 0, who)
    meaning = "its enc was created with another key or another encryption context"
    assert caught.value.message.splitlines() == [
        f"none of your keys opens this file: InvalidCiphertextException: {meaning}",
        f"  kms  {arn}|a:1  failed",
        f"  kms  {arn}      failed",
    ]


# --- speed -----------------------------------------------------------------------------------


@pytest.mark.services
def test_twenty_keys_take_the_time_of_a_few_calls(aws: MotoServer, arn: str) -> None:
    who = credentials(aws)
    group = [AwsKmsKey(arn, "", {"number": str(at)}) for at in range(20)]
    group[0].wrap(DATA_KEY, who)  # the SDK's own start is another matter
    aws.delay = 0.25
    began = time.monotonic()
    wrapped = wrap_for(DATA_KEY, [group], None, who, NOW)
    assert time.monotonic() - began < 5  # what they take one after the other
    assert len({key.enc for key in wrapped[0]}) == 20


@pytest.mark.services
def test_one_file_two_hundred_times_is_one_call(aws: MotoServer, arn: str) -> None:
    who, cache = credentials(aws), DataKeyCache()
    wrapped = wrap_for(DATA_KEY, [[AwsKmsKey(arn)]], None, who, NOW)
    aws.calls.clear()
    for _ in range(200):
        assert open_data_key(wrapped, 0, who, cache) == DATA_KEY
    assert aws.calls == ["Decrypt"]


# --- the SDK ---------------------------------------------------------------------------------


def test_a_stranger_s_key_is_not_tried_under_other_contexts() -> None:
    key = AwsKmsKey.from_config({"arn": "arn:aws:kms:eu-central-1:1:key/x", "context": "a:1,b:2"})
    assert key.context == {"a": "1", "b": "2"}
    asked: list[object] = []

    def ask(each: object) -> bytes:
        asked.append(each)
        raise NotMyKeyError("no credentials")

    with pytest.raises(NotMyKeyError, match="no credentials"):
        key.unwrap_spoiled(ask, Credentials({}))
    assert asked == [key]
