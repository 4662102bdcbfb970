"""Vault's transit engine: against a real OpenBao, with sops and hvac; odd answers are a script's."""

from __future__ import annotations

import base64
import json
from urllib.parse import unquote

import pytest
from doubles.openbao import ROOT_TOKEN, OpenBao
from doubles.script import Script
from keys.interop import open_both_ways
from keys.transit import DATA_KEY, environ_for, failure, opened, services
from keys.transit import bao as bao
from keys.transit import credentials as credentials
from keys.transit import key as key
from keys.transit import secure_bao as secure_bao
from oracle import Sops

from encconf.errors import BadKeyError, MasterKeyError, NotMyKeyError
from encconf.identities.credentials import Credentials
from encconf.keys.hc_vault import VaultKey
from encconf.testing.contracts.master_key import MasterKeyContract


@services
class TestVault(MasterKeyContract):
    @pytest.fixture
    def key(self, bao: OpenBao) -> VaultKey:
        return VaultKey(bao.address, "transit", "k")

    @pytest.fixture
    def other(self, bao: OpenBao) -> VaultKey:
        return VaultKey(bao.address, "transit", "other")

    @pytest.fixture
    def credentials(self, bao: OpenBao) -> Credentials:
        return Credentials(environ_for(bao))

    @pytest.fixture
    def stranger(self, bao: OpenBao) -> Credentials:
        return Credentials({"VAULT_ADDR": bao.address})

    @pytest.fixture
    def secrets(self) -> list[str]:
        return [ROOT_TOKEN]


# --- with sops and hvac ----------------------------------------------------------------------


@services
@pytest.mark.parametrize("type", ["aes256-gcm96", "chacha20-poly1305", "rsa-2048"])
def test_sops_reads_and_writes_the_same(type: str, bao: OpenBao, credentials: Credentials) -> None:
    bao.root.secrets.transit.create_key(type, key_type=type)
    uri = f"{bao.address}/v1/transit/keys/{type}"
    for member in (f"hc_vault_transit_uri: '{uri}'", f"key_groups: [{{hc_vault: ['{uri}']}}]"):
        theirs, ours = open_both_ways(
            Sops(environ_for(bao)),
            "hc_vault",
            ["--hc-vault-transit", uri],
            f"creation_rules: [{{{member}}}]",
            credentials,
        )
        for name in ("vault_address", "engine_path", "key_name"):
            assert theirs[name] == ours[name]


@services
@pytest.mark.parametrize("mount", ["teams/sops", "a/b/c/d"])
def test_nested_mounts_work_as_in_sops(mount: str, bao: OpenBao, credentials: Credentials) -> None:
    bao.root.sys.enable_secrets_engine("transit", path=mount)
    bao.root.secrets.transit.create_key("k", mount_point=mount)
    uri = f"{bao.address}/v1/{mount}/keys/k"
    theirs, _ = open_both_ways(
        Sops(environ_for(bao)),
        "hc_vault",
        ["--hc-vault-transit", uri],
        f"creation_rules: [{{hc_vault_transit_uri: '{uri}'}}]",
        credentials,
    )
    assert theirs["engine_path"] == mount


@services
def test_hvac_reads_and_writes_the_same(bao: OpenBao, key: VaultKey, credentials: Credentials) -> None:
    transit = bao.root.secrets.transit
    answer = transit.decrypt_data(name="k", ciphertext=key.wrap(DATA_KEY, credentials))
    assert base64.b64decode(answer["data"]["plaintext"]) == DATA_KEY
    theirs = transit.encrypt_data(name="k", plaintext=base64.b64encode(DATA_KEY).decode())
    assert key.unwrap(theirs["data"]["ciphertext"], credentials) == DATA_KEY


@services
def test_a_name_is_sent_as_it_is(bao: OpenBao, credentials: Credentials) -> None:
    there = VaultKey(bao.address, "teams/a b/sops", "k")
    assert there.unwrap(there.wrap(DATA_KEY, credentials), credentials) == DATA_KEY


# --- names -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uri", "parts"),
    [
        ("https://v.example:8200/v1/transit/keys/k", ("https://v.example:8200", "transit", "k")),
        ("HTTPS://v.example/v1/transit/keys/k/", ("https://v.example", "transit", "k")),
        ("http://127.0.0.1:8200/v1/a/b/c/keys/k", ("http://127.0.0.1:8200", "a/b/c", "k")),
        ("https://v.example//v1/transit/keys/k", ("https://v.example", "transit", "k")),
        ("https://v.example/v2/transit/encrypt/k", ("https://v.example", "transit", "k")),
        ("https://v.example/v1/a/b/c//keys/k", ("https://v.example", "a/b/c", "k")),
        ("https://[::1]:8200/v1/transit/keys/k", ("https://[::1]:8200", "transit", "k")),
    ],
)
def test_uris_are_read_as_by_sops(uri: str, parts: tuple[str, str, str]) -> None:
    key = VaultKey.from_config(uri)
    assert (key.address, key.engine, key.key_name) == parts
    assert VaultKey.from_config(key.name) == key


@services
@pytest.mark.parametrize("path", ["/v1/transit/keys/k/", "//v1/transit/keys/k", "/v2/transit/encrypt/k"])
def test_sops_stores_the_same_for_an_odd_uri(path: str, bao: OpenBao) -> None:
    uri = bao.address + path
    text = Sops(environ_for(bao)).encrypt('{"a": "b"}', "json", "--hc-vault-transit", uri)
    (entry,) = json.loads(text)["sops"]["hc_vault"]
    key = VaultKey.from_config(uri)
    assert key.to_entry() == {name: entry[name] for name in key.to_entry()}


@pytest.mark.parametrize(
    "uri",
    [
        *("v.example/v1/transit/keys/k", "https://v.example", "https://v.example/v1/transit/k"),
        *("https://v.example/transit/keys/k", "https:///v1/transit/keys/k", "/v1/transit/keys/k"),
        *("https://v.example/prefix/v1/transit/keys/k", "https://v.example/v1/a/v2/b/keys/k"),
        *("https://v.example/v1/a/../b/keys/k", "https://v.example/v1/transit/keys/..", "https://v/v1/a/b/."),
        *("https://v.example/v1/transit/keys/k?x=y", "https://v.example/v1/transit/keys/k#x"),
        *("https://me:hunter2@v.example/v1/transit/keys/k", "ftp://v.example/v1/transit/keys/k"),
        *("https://good\\@evil/v1/transit/keys/k", "https://v.example:99999/v1/transit/keys/k"),
        *("https://v.example/v1/transit//keys/k", "https://v.example/v1/a//b/keys/k"),
        *("https://v.exämple/v1/transit/keys/k", "https://v.example/v1/transit/keys/k\x00"),
    ],
)
def test_what_is_no_uri_is_refused(uri: str) -> None:
    with pytest.raises(BadKeyError) as caught:
        VaultKey.from_config(uri)
    assert "hunter2" not in caught.value.message
    assert "https://" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("engine", "name"),
    [
        *(("../sys", "k"), ("transit/../../sys", "k"), ("", "k"), ("transit", ""), ("transit", "..")),
        *(("transit", "a/../../../sys/seal"), ("transit", "a/b"), (".", "k"), ("a//b", "k"), ("a", "k\n")),
    ],
)
def test_a_name_of_a_file_cannot_leave_its_engine(engine: str, name: str) -> None:
    with Script() as server:
        credentials = Credentials({"VAULT_ADDR": server.address, "VAULT_TOKEN": "t"})
        with pytest.raises(BadKeyError, match="its engine_path or key_name is not one"):
            VaultKey(server.address, engine, name).unwrap("vault:v1:x", credentials)
    assert server.seen == []


@pytest.mark.parametrize("name", ["%2e%2e", "a%2fb", "a?b", "a#b", "a;b", "é"])
def test_odd_names_are_percent_encoded(name: str) -> None:
    with Script((404, "{}"), opened(), reads=True) as server:
        key = VaultKey(server.address, f"m/{name}", name)
        assert key.unwrap("vault:v1:x", server.credentials()) == DATA_KEY
    mounts, seen = server.seen
    assert seen.path.count("/") == 5
    assert "?" not in seen.path
    assert unquote(seen.path) == f"/v1/m/{name}/decrypt/{name}"
    assert mounts.path.count("/") == 7
    assert unquote(mounts.path) == f"/v1/sys/internal/ui/mounts/m/{name}"


@services
@pytest.mark.parametrize("may", ["create", "update"])
@pytest.mark.parametrize("engine", ["stored", "stored/of/a team", "n/stored"])
def test_an_entry_of_a_file_writes_nothing_to_an_engine_of_secrets(
    engine: str, may: str, bao: OpenBao
) -> None:
    for client in (bao.root, bao.client(namespace="n")):
        if client is not bao.root:
            bao.root.sys.create_namespace("n")
        client.sys.enable_secrets_engine("kv", path="stored", options={"version": "1"})
    try:
        key = VaultKey(bao.address, engine, "app")
        for token in (bao.token((f"{engine}/decrypt/app", may)), ROOT_TOKEN):
            error = failure(key, "vault:v1:chosen", Credentials(environ_for(bao, token)))
            assert "is not that of a transit engine, but an engine of the type kv" in error.message
            with pytest.raises(BadKeyError, match="is not that of a transit engine"):
                key.wrap(DATA_KEY, Credentials(environ_for(bao, token)))
        for verb in ("encrypt", "decrypt"):
            assert bao.root.read(f"{engine}/{verb}/app") is None
    finally:
        bao.root.sys.disable_secrets_engine("stored")
        bao.root.sys.delete_namespace("n")


@services
def test_an_entry_of_a_file_calls_nothing_else_in_a_transit_engine(bao: OpenBao) -> None:
    transit = bao.root.secrets.transit
    bao.root.sys.enable_secrets_engine("transit", path="here")
    transit.create_key("decrypt", mount_point="here")
    key = VaultKey(bao.address, "here/keys", "rotate")
    error = failure(key, "vault:v1:x", Credentials(environ_for(bao)))
    assert error.message == "its engine_path is not that of a transit engine, but a path in one"
    assert transit.read_key("decrypt", mount_point="here")["data"]["latest_version"] == 1


# --- tokens, and where they go ---------------------------------------------------------------


@pytest.mark.parametrize(
    "address", ["http://good.example@127.0.0.1:{port}", "http://127.0.0.1:{port}\\@good.example", "127.0.0.1"]
)
def test_an_address_that_can_be_read_in_two_ways_is_refused(address: str) -> None:
    with Script() as server:
        address = address.format(port=server.address.rpartition(":")[2])
        for setting in ("all", "http://good.example"):
            credentials = Credentials({"VAULT_TOKEN": "t", "SOPS_HC_VAULT_ALLOWLIST": setting})
            with pytest.raises(BadKeyError, match="is not a plain address"):
                VaultKey(address, "transit", "k").unwrap("vault:v1:x", credentials)
    assert server.seen == []


# --- namespaces and TLS ----------------------------------------------------------------------


@services
def test_namespaces_work_as_in_sops(bao: OpenBao) -> None:
    bao.root.sys.create_namespace("team")
    team = bao.client(namespace="team")
    team.sys.enable_secrets_engine("transit", path="only-here")
    team.secrets.transit.create_key("k", mount_point="only-here")
    key = VaultKey(bao.address, "only-here", "k")
    inside = environ_for(bao, VAULT_NAMESPACE="team")
    theirs, _ = open_both_ways(
        Sops(inside),
        "hc_vault",
        ["--hc-vault-transit", key.name],
        f"creation_rules: [{{hc_vault_transit_uri: '{key.name}'}}]",
        Credentials(inside),
    )
    assert "no handler for route" in failure(key, theirs["enc"], Credentials(environ_for(bao))).message


# --- failures --------------------------------------------------------------------------------


@services
def test_an_older_version_of_the_key_opens_until_it_is_forbidden(
    bao: OpenBao, credentials: Credentials
) -> None:
    transit = bao.root.secrets.transit
    transit.create_key("rotated")
    key = VaultKey(bao.address, "transit", "rotated")
    first = key.wrap(DATA_KEY, credentials)
    transit.rotate_key("rotated")
    second = key.wrap(DATA_KEY, credentials)
    assert (first[:9], second[:9]) == ("vault:v1:", "vault:v2:")
    assert key.unwrap(first, credentials) == key.unwrap(second, credentials) == DATA_KEY
    moved = transit.rewrap_data("rotated", first)["data"]["ciphertext"]
    assert key.unwrap(moved, credentials) == DATA_KEY
    transit.update_key_configuration("rotated", min_decryption_version=2)
    assert "disallowed by policy (too old)" in failure(key, first, credentials).message
    assert key.unwrap(second, credentials) == DATA_KEY


@services
def test_the_wrong_key_does_not_open(bao: OpenBao, key: VaultKey, credentials: Credentials) -> None:
    enc = key.wrap(DATA_KEY, credentials)
    error = failure(VaultKey(bao.address, "transit", "other"), enc, credentials)
    assert error.message == "Vault: cipher: message authentication failed"
    error = failure(VaultKey(bao.address, "transit", "nobody"), enc, credentials)
    assert error.message == "Vault: encryption key not found"
    error = failure(VaultKey(bao.address, "nowhere", "k"), enc, credentials)
    assert error.message.startswith('Vault: no handler for route "nowhere/decrypt/k"')
    signs = bao.root.secrets.transit
    signs.create_key("signs", key_type="ed25519")
    with pytest.raises(MasterKeyError, match="encryption not supported"):
        VaultKey(bao.address, "transit", "signs").wrap(DATA_KEY, credentials)


@services
def test_a_denial_says_what_is_needed(bao: OpenBao, key: VaultKey) -> None:
    only_encrypts = Credentials(environ_for(bao, bao.token(("transit/encrypt/k", "update"))))
    enc = key.wrap(DATA_KEY, only_encrypts)
    error = failure(key, enc, only_encrypts)
    assert not isinstance(error, NotMyKeyError)
    assert "permission denied" in error.message
    assert error.hint == "the token's policy needs update on transit/decrypt/k"
    only_decrypts = Credentials(environ_for(bao, bao.token(("transit/decrypt/k", "update"))))
    assert key.unwrap(enc, only_decrypts) == DATA_KEY
    with pytest.raises(MasterKeyError, match="permission denied"):
        key.wrap(DATA_KEY, only_decrypts)


@services
def test_a_real_quota_is_reported_as_such(bao: OpenBao, credentials: Credentials) -> None:
    bao.root.sys.enable_secrets_engine("transit", path="slow")
    bao.root.secrets.transit.create_key("k", mount_point="slow")
    key = VaultKey(bao.address, "slow", "k")
    enc = key.wrap(DATA_KEY, credentials)
    quota = {"path": "slow", "rate": 1, "interval": "1h"}
    bao.root.write_data("sys/quotas/rate-limit/slow", data=quota)
    assert key.unwrap(enc, credentials) == DATA_KEY
    error = failure(key, enc, credentials)
    assert error.message.startswith("Vault: the server throttles: ")


def test_a_ciphertext_must_be_one() -> None:
    for ciphertext in ("", "a\nb", "é"):
        answer = (200, json.dumps({"data": {"ciphertext": ciphertext}}))
        with Script(answer) as server, pytest.raises(MasterKeyError, match="not a ciphertext"):
            VaultKey(server.address, "transit", "k").wrap(DATA_KEY, server.credentials())
