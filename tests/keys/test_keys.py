"""The table of key types, and what is common to them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from keys.interop import packages_loaded_for
from plugins.toy_key import ROW, ToyKey

from encconf import keys, plugins
from encconf.errors import BadKeyError, MasterKeyError, MetadataError, PluginError
from encconf.identities.credentials import Credentials
from encconf.keys import UnknownKey

PLUGIN = ROW.replace(sops=False, member="toy")
ARN = "arn:aws:kms:eu-central-1:123456789012:key/92c2a9b0-0000-4000-8000-000000000000"
ENTRY = {
    "arn": ARN,
    "role": "arn:aws:iam::123456789012:role/x",
    "context": {"App": "x"},
    "aws_profile": "",
    "created_at": "2026-01-02T03:04:05Z",
    "enc": "AQICAH",
}


def test_the_table_has_the_types_of_sops_in_its_order() -> None:
    assert list(keys.TABLE) == ["kms", "gcp_kms", "hckms", "azure_kv", "hc_vault", "pgp", "age"]


def test_each_row_names_a_class_of_its_type() -> None:
    for name in keys.TABLE:
        assert name == keys.key_class(name).TYPE


@pytest.mark.parametrize("type", ["from_the_future", "kms2"])
def test_a_type_without_a_class_is_kept_verbatim_and_not_usable(type: str) -> None:
    key = keys.from_entry(type, ENTRY)
    assert isinstance(key, UnknownKey)
    assert type == key.TYPE
    assert key.to_entry() == {k: v for k, v in ENTRY.items() if k not in ("created_at", "enc")}
    assert key.name == f"{ARN} {ENTRY['role']}"
    for use in (lambda: key.wrap(bytes(32), Credentials({})), lambda: key.unwrap("AQICAH", Credentials({}))):
        with pytest.raises(MasterKeyError) as unusable:
            use()
        assert unusable.value.message == f"{type} keys are not supported by this version of encconf"


@pytest.mark.parametrize(
    ("plugin", "why"),
    [
        (PluginError("it cannot be loaded", hint="install it again"), "it cannot be loaded"),
        (object(), "the plug-in toy is not a KeyType with sops=False and member='toy'"),
        (PLUGIN.replace(sops=True), "the plug-in toy is not a KeyType with"),
        (PLUGIN.replace(member="other"), "the plug-in toy is not a KeyType with"),
        (None, "toy keys are not supported by this version of encconf"),
    ],
)
def test_an_entry_whose_plug_in_cannot_be_used_is_kept_and_says_why(
    plugin: object, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(group: str, name: str) -> object:
        assert (group, name) == (plugins.KEYS, "toy")
        if isinstance(plugin, PluginError):
            raise plugin
        return plugin

    monkeypatch.setattr(plugins, "load", load)
    key = keys.from_entry("toy", {"toy_name": "bear", "enc": "x"})
    assert isinstance(key, UnknownKey)
    assert (key.TYPE, key.name, key.listed) == ("toy", "bear", True)
    with pytest.raises(MasterKeyError) as unusable:
        key.unwrap("x", Credentials({}))
    assert unusable.value.message.startswith(why)
    assert unusable.value.hint
    assert "toy" not in keys.TABLE


def test_a_plug_in_is_loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "TABLE", {**keys.TABLE})
    loaded = []
    monkeypatch.setattr(plugins, "load", lambda group, name: loaded.append(name) or PLUGIN)
    assert keys.row_of("toy") is keys.row_of("toy") is PLUGIN
    assert loaded == ["toy"]
    assert isinstance(keys.from_entry("toy", {"toy_name": "bear"}), ToyKey)


def test_unknown_keys_are_equal_by_type_and_name() -> None:
    key = keys.from_entry("kms2", ENTRY)
    assert key == keys.from_entry("kms2", {**ENTRY, "enc": "other"})
    assert key != keys.from_entry("kms3", ENTRY)
    assert key != keys.from_entry("kms2", {**ENTRY, "arn": "other"})
    assert len({key, keys.from_entry("kms2", ENTRY)}) == 1
    assert "AQICAH" not in repr(key)
    assert keys.from_entry("x", {"a": "\x1b[2J"}).label.isprintable()
    assert keys.from_entry("x", {}).label == "(no name)"


def test_a_type_without_a_class_cannot_be_configured() -> None:
    with pytest.raises(BadKeyError, match="does not support this type"):
        UnknownKey.from_config("x")


def test_settings_of_a_key_are_those_that_its_type_has_and_that_are_set() -> None:
    kms = keys.TABLE["kms"]
    assert kms.with_settings(ARN, {"role": "", "context": {}, "vault": "v"}) == ARN
    assert kms.with_settings(ARN, {"role": "r", "vault": "v"}) == {kms.settings[0]: ARN, "role": "r"}


def test_a_wrapped_data_key_has_a_limit() -> None:
    keys.check_enc("x" * keys.WRAPPED_LIMIT)
    with pytest.raises(MasterKeyError, match="longer than 16 KiB"):
        keys.check_enc("x" * (keys.WRAPPED_LIMIT + 1))


@pytest.mark.parametrize(
    ("given", "shown"),
    [("no-key", "no-key"), ("", "an empty text"), ("\x1b[1m", "?[1m"), ("x" * 121, "x" * 120)],
)
def test_what_was_given_as_a_key_is_shown_in_the_error(given: str, shown: str) -> None:
    assert keys.as_given(given) == shown
    with pytest.raises(BadKeyError) as raised:
        keys.master_key("pgp", given)
    assert raised.value.message.startswith(f"{shown} is not a PGP fingerprint")


def test_a_list_in_one_text() -> None:
    assert keys.parse_list(" a , b,\n c,, ") == ["a", "b", "c"]
    assert keys.parse_list("") == []


def test_a_long_name_is_shortened() -> None:
    assert keys.shorten("age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p") == "age1ql3z…ac8p"
    assert [keys.shorten("x" * size) for size in (16, 17)] == ["x" * 16, "xxxxxxxx…xxxx"]
    assert keys.shorten("a\x1b[2J\n") == "a?[2J?"


@pytest.mark.parametrize(
    ("value", "text"),
    [("x", "x"), (None, ""), (5, "5"), (True, "1"), (False, "0"), (1.5, "1.5"), (2.0, "2"), ("", "")],
)
def test_a_member_is_read_as_by_mapstructure(value: object, text: str) -> None:
    assert keys.member({"fp": value}, "fp") == text
    assert keys.member({"FP": value, "fP2": "no"}, "fp") == text


def test_an_exact_member_goes_before_another_case() -> None:
    assert keys.member({"FP": "a", "fp": "b"}, "fp") == "b"


def test_members_whose_names_are_no_texts_are_passed_over() -> None:
    assert keys.member({1: "a", None: "b", "Enc": "x"}, "enc") == "x"  # type: ignore[dict-item]


@pytest.mark.parametrize("value", [[], {}, ["x"], {"a": 1}])
def test_a_member_that_is_no_text_is_refused(value: object) -> None:
    with pytest.raises(MetadataError, match="'fp'"):
        keys.member({"fp": value}, "fp")


STARTS = """
import collections.abc, os, sys  # the formats load collections in any case, with re
before = set(sys.modules)
import encconf.identities.credentials, encconf.envelope.unwrap
import encconf.keys.age
foreign = {name.partition(".")[0] for name in set(sys.modules) - before}
print(*sorted(foreign - {"encconf", "__future__", "binascii", "errno"}))
"""


@pytest.mark.parametrize("type", keys.TABLE)
def test_reading_an_entry_loads_no_sdk(type: str) -> None:
    """A file may have keys of many services, and one of them opens it."""
    assert not packages_loaded_for(type) & {
        *("azure", "msal", "boto3", "botocore", "google", "grpc", "hvac", "huaweicloudsdkcore", "gnupg"),
        *("pyrage", "cryptography", "requests", "urllib3", "urllib", "ssl", "logging", "threading", "typing"),
        *("configparser", "dataclasses", "subprocess"),
    }


def test_these_modules_start_light() -> None:
    root = Path(__file__).resolve().parents[2]
    result = subprocess.run(
        [sys.executable, "-S", "-c", STARTS], capture_output=True, text=True, cwd=root, check=True, timeout=60
    )
    assert result.stdout.strip() == ""


def test_what_cannot_be_a_wrapped_data_key() -> None:
    keys.check_enc("x" * keys.WRAPPED_LIMIT)
    for enc, said in (("x" * (keys.WRAPPED_LIMIT + 1), "longer than 16 KiB"), ("\udc80", "not UTF-8")):
        with pytest.raises(MasterKeyError, match=f"its enc is {said}"):
            keys.check_enc(enc)
    assert keys.base64_bytes("eA==", "no") == b"x"
    for text in ("", "eA", "eA==\n", "e A==", "é"):
        with pytest.raises(MasterKeyError, match="no"):
            keys.base64_bytes(text, "no")


def test_what_a_key_of_the_configuration_may_be() -> None:
    for type, said in (
        ("pgp", "PGP: a key is a string"),
        ("gcp_kms", "a string, or a mapping of resource_id"),
    ):
        with pytest.raises(BadKeyError, match=f"{said}$"):
            keys.master_key(type, {"other": "x"})
    name = "projects/p/locations/l/keyRings/r/cryptoKeys/k"
    assert keys.master_key("gcp_kms", {"resource_id": name}) == keys.master_key("gcp_kms", name)
