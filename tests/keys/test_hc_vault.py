"""Vault's transit engine: against a real OpenBao, with sops and hvac; odd answers are a script's."""

from __future__ import annotations

import base64
import datetime
import json
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import hvac
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from doubles.openbao import ROOT_TOKEN, OpenBao
from doubles.testca import TestCA
from keys.interop import open_both_ways, packages_loaded_for, said_without
from oracle import Sops

from encconf.errors import BadKeyError, MasterKeyError, NotMyKeyError
from encconf.identities.credentials import Credentials
from encconf.keys.hc_vault import VaultKey
from encconf.testing.contracts.master_key import MasterKeyContract

services = pytest.mark.services
DATA_KEY = bytes(range(32))


@pytest.fixture(scope="module")
def bao() -> Iterator[OpenBao]:
    with OpenBao() as server:
        server.root.sys.enable_secrets_engine("transit")
        server.root.sys.enable_secrets_engine("transit", path="teams/a b/sops")
        for mount in ("transit", "teams/a b/sops"):
            for name in ("k", "other"):
                server.root.secrets.transit.create_key(name, mount_point=mount)
        yield server


@pytest.fixture(scope="module")
def secure_bao() -> Iterator[OpenBao]:
    with OpenBao(tls=True) as server:
        server.root.sys.enable_secrets_engine("transit")
        server.root.secrets.transit.create_key("k")
        yield server


@pytest.fixture
def key(bao: OpenBao) -> VaultKey:
    return VaultKey(bao.address, "transit", "k")


def environ_for(bao: OpenBao, token: str = ROOT_TOKEN, **more: str) -> dict[str, str]:
    return {"VAULT_ADDR": bao.address, "VAULT_TOKEN": token, **more}


@pytest.fixture
def credentials(bao: OpenBao) -> Credentials:
    return Credentials(environ_for(bao))


def failure(key: VaultKey, enc: str, credentials: Credentials) -> MasterKeyError:
    with pytest.raises(MasterKeyError) as caught:
        key.unwrap(enc, credentials)
    assert ROOT_TOKEN not in f"{caught.value!r} {caught.value.hint}"
    return caught.value


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
    with Script(_opened()) as server:
        key = VaultKey(server.address, f"m/{name}", name)
        assert key.unwrap("vault:v1:x", server.credentials()) == DATA_KEY
    (seen,) = server.seen
    assert seen.path.count("/") == 5
    assert "?" not in seen.path
    assert unquote(seen.path) == f"/v1/m/{name}/decrypt/{name}"


# --- tokens, and where they go ---------------------------------------------------------------


@services
def test_the_token_s_file_is_used_where_the_variable_is_not_set(
    bao: OpenBao, key: VaultKey, tmp_path: Path
) -> None:
    (tmp_path / ".vault-token").write_text(f"{ROOT_TOKEN}\n")
    environ = {"VAULT_ADDR": bao.address}
    credentials = Credentials(environ, home=str(tmp_path))
    assert key.unwrap(key.wrap(DATA_KEY, credentials), credentials) == DATA_KEY
    open_both_ways(
        Sops({"HOME": str(tmp_path)}),
        "hc_vault",
        ["--hc-vault-transit", key.name],
        f"creation_rules: [{{hc_vault_transit_uri: '{key.name}'}}]",
        credentials,
    )
    wrong = Credentials({**environ, "VAULT_TOKEN": "wrong"}, home=str(tmp_path))
    assert "the Vault token is not valid" in failure(key, "vault:v1:x", wrong).message
    (tmp_path / ".vault-token").write_text("another")  # an agent writes it anew, now and then
    assert "the Vault token is not valid" in failure(key, "vault:v1:x", credentials).message


@services
def test_a_token_of_an_approle_is_as_good(bao: OpenBao, key: VaultKey) -> None:
    bao.root.sys.enable_auth_method("approle")
    policy = 'path "transit/+/k" { capabilities = ["update"] }'
    bao.root.sys.create_or_update_policy("app", policy)
    bao.root.auth.approle.create_or_update_approle("app", token_policies=["app"])
    role = bao.root.auth.approle.read_role_id("app")["data"]["role_id"]
    secret = bao.root.auth.approle.generate_secret_id("app")["data"]["secret_id"]
    login = hvac.Client(url=bao.address, token="").auth.approle.login(role, secret)
    credentials = Credentials(environ_for(bao, login["auth"]["client_token"]))
    assert key.unwrap(key.wrap(DATA_KEY, credentials), credentials) == DATA_KEY


def test_without_a_token_it_is_not_mine(tmp_path: Path) -> None:
    key = VaultKey("https://v.example", "transit", "k")
    error = failure(key, "vault:v1:x", Credentials({}, home=str(tmp_path)))
    assert isinstance(error, NotMyKeyError)
    assert error.message.split("\n") == [
        "no Vault token",
        "looked in: VAULT_TOKEN (unset), ~/.vault-token (not there)",
    ]
    with Script((403, '{"errors": ["permission denied"]}')) as server:
        error = failure(VaultKey(server.address, "transit", "k"), "vault:v1:x", server.credentials(token=""))
        assert isinstance(error, NotMyKeyError)
        assert error.message.split("\n")[0] == f"no Vault token, which {server.address} requires"
    with Script((400, '{"errors": ["missing client token"]}')) as server:  # as HashiCorp's says it
        error = failure(VaultKey(server.address, "transit", "k"), "vault:v1:x", server.credentials(token=""))
        assert isinstance(error, NotMyKeyError)


def test_an_agent_that_brings_its_own_token_is_asked() -> None:
    with Script(_opened()) as server:
        key = VaultKey(server.address, "transit", "k")
        assert key.unwrap("vault:v1:x", server.credentials(token="")) == DATA_KEY
    assert "X-Vault-Token" not in server.seen[0].headers


@pytest.mark.parametrize("token", ["a\nb", "ä", "a b", "a\x7f"])
def test_an_impossible_token_is_not_sent_and_not_shown(token: str, tmp_path: Path) -> None:
    with Script() as server:
        key = VaultKey(server.address, "transit", "k")
        error = failure(key, "vault:v1:x", server.credentials(token=token))
        assert error.message == "VAULT_TOKEN has characters that are not valid in a Vault token"
        (tmp_path / ".vault-token").write_bytes(token.encode())
        error = failure(key, "x", Credentials({"VAULT_ADDR": server.address}, home=str(tmp_path)))
        assert error.message == "~/.vault-token has characters that are not valid in a Vault token"
    assert server.seen == []


def test_an_unreadable_token_file_is_told_so(tmp_path: Path) -> None:
    (tmp_path / ".vault-token").mkdir()
    error = failure(VaultKey("https://v", "t", "k"), "x", Credentials({}, home=str(tmp_path)))
    assert not isinstance(error, NotMyKeyError)
    assert error.message.startswith("~/.vault-token cannot be read: ")


ALLOWED = "https://good.example:8200"


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"VAULT_ADDR": ALLOWED},
        {"VAULT_ADDR": "{here}", "SOPS_HC_VAULT_ALLOWLIST": "none"},
        {"SOPS_HC_VAULT_ALLOWLIST": ALLOWED},
        {"VAULT_ADDR": "http://127.0.0.1"},
        {"VAULT_ADDR": "https://127.0.0.1:{port}"},
        {"VAULT_ADDR": "http://127.0.0.1:{port}0"},
        {"VAULT_ADDR": "http://127.0.0.1:{port}@good.example"},
        {"VAULT_ADDR": "{here}/prefix"},
        {"SOPS_HC_VAULT_ALLOWLIST": "http://127.0.0.1:8200, https://127.0.0.1:{port}"},
    ],
)
def test_a_token_goes_only_where_the_user_says(environ: dict[str, str]) -> None:
    with Script() as server:
        port = server.address.rpartition(":")[2]
        environ = {name: text.format(here=server.address, port=port) for name, text in environ.items()}
        key = VaultKey(server.address, "transit", "k")
        credentials = Credentials({"VAULT_TOKEN": ROOT_TOKEN, **environ})
        error = failure(key, "vault:v1:x", credentials)
        assert error.message.startswith("encconf sends a Vault token only to VAULT_ADDR (")
        assert error.message.endswith(
            f") and the servers in SOPS_HC_VAULT_ALLOWLIST, not to {server.address}"
        )
        assert f"export VAULT_ADDR={server.address}" in str(error.hint)
        with pytest.raises(MasterKeyError, match="encconf sends a Vault token only"):
            key.wrap(DATA_KEY, credentials)  # nor does a data key
    assert server.seen == []


@pytest.mark.parametrize(
    "environ",
    [
        {"VAULT_ADDR": "{here}/"},
        {"VAULT_ADDR": "HTTP://127.0.0.1:{port}"},
        {"SOPS_HC_VAULT_ALLOWLIST": "all"},
        {"SOPS_HC_VAULT_ALLOWLIST": "https://a.example , {here}/", "VAULT_ADDR": ALLOWED},
        {"SOPS_HC_VAULT_ALLOWLIST": ALLOWED, "VAULT_ADDR": "{here}"},
    ],
)
def test_the_user_can_allow_a_server(environ: dict[str, str]) -> None:
    with Script(_opened()) as server:
        port = server.address.rpartition(":")[2]
        environ = {name: text.format(here=server.address, port=port) for name, text in environ.items()}
        credentials = Credentials({"VAULT_TOKEN": "t", **environ})
        assert VaultKey(server.address, "transit", "k").unwrap("vault:v1:x", credentials) == DATA_KEY
    assert server.seen[0].headers["X-Vault-Token"] == "t"


@pytest.mark.parametrize("entry", ["https://good@evil", "good.example", "https://good.example/v1", ""])
def test_a_list_with_something_else_in_it_allows_nothing(entry: str) -> None:
    with Script() as server:
        environ = {"VAULT_TOKEN": "t", "SOPS_HC_VAULT_ALLOWLIST": f"{server.address},{entry}"}
        error = failure(VaultKey(server.address, "transit", "k"), "x", Credentials(environ))
        assert error.message == "entry 2 of SOPS_HC_VAULT_ALLOWLIST is not an address"
    assert server.seen == []


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


def test_redirects_are_not_followed() -> None:
    with Script(_opened()) as elsewhere:
        for code in (301, 302, 307, 308):
            with Script((code, "", {"Location": elsewhere.address})) as server:
                key = VaultKey(server.address, "transit", "k")
                error = failure(key, "vault:v1:x", server.credentials())
                assert "redirects to another server" in error.message
    assert elsewhere.seen == []


@pytest.mark.parametrize("body", ["[]", '"x"', "null", '{"data": []}', "[" * 100_000, "{", '{"data": {}}'])
def test_g_an_answer_that_is_no_vault_s(body: str) -> None:
    with Script((200, body)) as server:
        error = failure(VaultKey(server.address, "transit", "k"), "vault:v1:x", server.credentials())
    assert "did not answer like a Vault server" in error.message


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


@services
@pytest.mark.parametrize("variable", ["VAULT_CACERT", "VAULT_CAPATH", "SSL_CERT_FILE"])
def test_the_authority_can_be_named(variable: str, secure_bao: OpenBao, tmp_path: Path) -> None:
    key = VaultKey(secure_bao.address, "transit", "k")
    where = str(secure_bao.ca)
    if variable == "VAULT_CAPATH":
        where = str(_hashed_folder(Path(where), tmp_path))
    environ = environ_for(secure_bao, **{variable: where})
    open_both_ways(
        Sops(environ),
        "hc_vault",
        ["--hc-vault-transit", key.name],
        f"creation_rules: [{{hc_vault_transit_uri: '{key.name}'}}]",
        Credentials(environ),
    )


@services
def test_an_unknown_authority_is_refused(secure_bao: OpenBao, tmp_path: Path) -> None:
    key = VaultKey(secure_bao.address, "transit", "k")
    other = TestCA(tmp_path / "ca")
    for environ in ({}, {"VAULT_CACERT": str(other.bundle)}):
        error = failure(key, "x", Credentials(environ_for(secure_bao, **environ)))
        assert error.message.startswith(f"no trusted connection to {secure_bao.address}: ")
        assert "VAULT_CACERT" in str(error.hint)
    error = failure(key, "x", Credentials(environ_for(secure_bao, VAULT_CACERT=str(tmp_path / "none"))))
    assert error.message.startswith("the settings for TLS cannot be used: ")


@services
def test_the_server_s_name_can_be_another(secure_bao: OpenBao) -> None:
    key = VaultKey(secure_bao.address, "transit", "k")

    def named(name: str) -> Credentials:
        trust = {"VAULT_CACERT": str(secure_bao.ca), "VAULT_TLS_SERVER_NAME": name}
        return Credentials(environ_for(secure_bao, **trust))

    enc = key.wrap(DATA_KEY, named("localhost"))
    assert key.unwrap(enc, named("")) == DATA_KEY
    error = failure(key, enc, named("other.example"))
    assert "other.example" in error.message


@services
@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")  # urllib3 says so, and it is true
def test_checking_can_be_switched_off(secure_bao: OpenBao) -> None:
    key = VaultKey(secure_bao.address, "transit", "k")
    for setting in ("1", "t", "true", "TRUE"):
        credentials = Credentials(environ_for(secure_bao, VAULT_SKIP_VERIFY=setting))
        assert key.unwrap(key.wrap(DATA_KEY, credentials), credentials) == DATA_KEY
    for setting in ("0", "false", ""):
        credentials = Credentials(environ_for(secure_bao, VAULT_SKIP_VERIFY=setting))
        assert "no trusted connection" in failure(key, "x", credentials).message
    credentials = Credentials(environ_for(secure_bao, VAULT_SKIP_VERIFY="yes"))
    assert failure(key, "x", credentials).message == "VAULT_SKIP_VERIFY is neither true nor false"


def test_a_client_certificate_is_shown(tmp_path: Path) -> None:
    ca = TestCA(tmp_path / "ca")
    certificate, private = _client_certificate(tmp_path)
    context = ca.context()
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(certificate)
    with Script(_opened(), context=context) as server:
        key = VaultKey(server.address, "transit", "k")
        trust = {"VAULT_CACERT": str(ca.bundle)}
        both = {"VAULT_CLIENT_CERT": str(certificate), "VAULT_CLIENT_KEY": str(private)}
        assert key.unwrap("vault:v1:x", server.credentials(**trust, **both)) == DATA_KEY
        error = failure(key, "vault:v1:x", server.credentials(**trust))
        assert (error.reason, error.message.partition(": ")[0]) == (
            *("denied", f"{server.address} rejects the client's certificate"),
        )
        assert str(error.hint).startswith("VAULT_CLIENT_CERT and VAULT_CLIENT_KEY are ")
        for one in both:
            error = failure(key, "x", server.credentials(**trust, **{one: both[one]}))
            assert error.message == "VAULT_CLIENT_CERT and VAULT_CLIENT_KEY must be set together"
        nowhere = {**trust, **both, "VAULT_CLIENT_KEY": str(tmp_path / "none")}
        error = failure(key, "x", server.credentials(**nowhere))
        assert error.message.startswith("the settings for TLS cannot be used: ")
        swapped = {**trust, **both, "VAULT_CLIENT_KEY": str(certificate)}
        assert "PEM" in failure(key, "x", server.credentials(**swapped)).message
    assert len(server.seen) == 1


def test_what_the_process_has_set_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the credentials' environment is; hvac would read the process's by itself."""
    with Script() as foreign, Script(_opened()) as server:
        for name, value in {
            "VAULT_TOKEN": "foreign",
            "VAULT_ADDR": foreign.address,
            "VAULT_NAMESPACE": "foreign",
            "VAULT_CLIENT_CERT": "/nonexistent",
            "VAULT_CACERT": "/nonexistent",
        }.items():
            monkeypatch.setenv(name, value)
        assert VaultKey(server.address, "transit", "k").unwrap("vault:v1:x", server.credentials()) == DATA_KEY
    assert foreign.seen == []
    assert server.seen[0].headers["X-Vault-Token"] == "t"
    assert "X-Vault-Namespace" not in server.seen[0].headers


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
def test_a_real_quota_is_told_so(bao: OpenBao, credentials: Credentials) -> None:
    bao.root.sys.enable_secrets_engine("transit", path="slow")
    bao.root.secrets.transit.create_key("k", mount_point="slow")
    key = VaultKey(bao.address, "slow", "k")
    enc = key.wrap(DATA_KEY, credentials)
    quota = {"path": "slow", "rate": 1, "interval": "1h"}
    bao.root.write_data("sys/quotas/rate-limit/slow", data=quota)
    assert key.unwrap(enc, credentials) == DATA_KEY
    error = failure(key, enc, credentials)
    assert error.message.startswith("Vault: the server throttles: ")


@services
def test_a_sealed_server_is_told_so() -> None:
    with OpenBao() as own:
        own.root.sys.seal()
        error = failure(VaultKey(own.address, "transit", "k"), "vault:v1:x", Credentials(environ_for(own)))
        assert error.message == "Vault: Vault is sealed"
        assert (error.reason, error.hint) == (
            "unreachable", "ask an administrator to unseal it: vault operator unseal",
        )  # fmt: skip


@services
def test_d8_an_invalid_token_is_not_a_matter_of_the_policy(bao: OpenBao, key: VaultKey) -> None:
    error = failure(key, "vault:v1:x", Credentials(environ_for(bao, "s.nonsense")))
    assert error.reason == "expired"
    assert error.message == "the Vault token is not valid, or has expired"
    assert "policy" not in (error.hint or "")


@services
def test_d8_a_mount_that_is_not_there(bao: OpenBao, credentials: Credentials) -> None:
    error = failure(VaultKey(bao.address, "nowhere", "k"), "vault:v1:x", credentials)
    assert error.message.startswith("Vault: no handler for route")
    assert "no secrets engine is mounted there" in error.message
    assert error.reason == "wrong"
    assert "vault secrets list" in (error.hint or "")


@pytest.mark.parametrize("code", [412, 429, 500, 502, 503, 504])
def test_what_passes_is_waited_out(code: int) -> None:
    later = (code, '{"errors": ["later"]}', {"Retry-After": "3600"})
    with Script(later, _opened()) as server:
        key = VaultKey(server.address, "transit", "k")
        start = time.monotonic()
        assert key.unwrap("vault:v1:x", server.credentials()) == DATA_KEY
        assert time.monotonic() - start < 5
    assert len(server.seen) == 2


def test_a_refusal_is_not_asked_again() -> None:
    for code in (400, 403, 404, 501):
        with Script((code, '{"errors": ["no"]}')) as server:
            failure(VaultKey(server.address, "transit", "k"), "vault:v1:x", server.credentials())
        assert len(server.seen) == 1


def test_a_slow_server_is_given_up() -> None:
    with Script(_opened(), delay=3) as server:
        start = time.monotonic()
        key = VaultKey(server.address, "transit", "k")
        error = failure(key, "vault:v1:x", server.credentials(timeout=0.4))
        assert error.message == f"{server.address} did not answer within 0.4 s"
        assert time.monotonic() - start < 2
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("http://127.0.0.1:9", "http://127.0.0.1:9 cannot be reached: Connection refused"),
        ("https://127.0.0.1:9", "https://127.0.0.1:9 cannot be reached: Connection refused"),
        ("http://nowhere.invalid", "http://nowhere.invalid cannot be reached: "),
    ],
)
def test_an_unreachable_server_is_told_so(address: str, says: str) -> None:
    credentials = Credentials({"VAULT_ADDR": address, "VAULT_TOKEN": "t"})
    assert failure(VaultKey(address, "transit", "k"), "x", credentials).message.startswith(says)


def test_a_proxy_that_refuses_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    credentials = Credentials({"VAULT_ADDR": "https://v.example", "VAULT_TOKEN": "t"})
    error = failure(VaultKey("https://v.example", "transit", "k"), "x", credentials)
    assert error.message == "the proxy does not connect to https://v.example: Connection refused"


@pytest.mark.parametrize(
    "body",
    [
        *(
            "",
            "nonsense",
            "[]",
            "{}",
            "null",
            '"x"',
            '{"data": null}',
            '{"data": {"plaintext": 1}}',
            "[" * 100_000,
        ),
        *('{"data": {"plaintext": "%"}}', '{"data": {"plaintext": "AAA"}}', '{"data": []}', "x" * 3_000_000),
    ],
)
@pytest.mark.parametrize("code", [200, 403])
def test_whatever_a_server_answers_is_an_error_of_ours(code: int, body: str) -> None:
    with Script((code, body)) as server:
        key = VaultKey(server.address, "transit", "k")
        error = failure(key, "vault:v1:x", server.credentials())
        assert len(error.message) < 500
        with pytest.raises(MasterKeyError):
            key.wrap(DATA_KEY, server.credentials())


@pytest.mark.parametrize("answer", [(204, ""), (500, ""), (500, '{"errors": 1}'), (503, "<html>x</html>")])
def test_an_answer_of_something_else_is_an_error_of_ours(answer: tuple[int, str]) -> None:
    with Script(answer) as server:
        error = failure(VaultKey(server.address, "transit", "k"), "vault:v1:x", server.credentials())
        assert error.message != "Vault: "


def test_a_ciphertext_must_be_one() -> None:
    for ciphertext in ("", "a\nb", "é"):
        answer = (200, json.dumps({"data": {"ciphertext": ciphertext}}))
        with Script(answer) as server, pytest.raises(MasterKeyError, match="not a ciphertext"):
            VaultKey(server.address, "transit", "k").wrap(DATA_KEY, server.credentials())


def test_a_server_that_repeats_the_token_does_not_get_it_shown() -> None:
    with Script((403, json.dumps({"errors": [f"bad token {ROOT_TOKEN}\x1b[2J\nmore"]}))) as server:
        key = VaultKey(server.address, "transit", "k")
        error = failure(key, "vault:v1:x", server.credentials(token=ROOT_TOKEN))
        assert error.message == "Vault: bad token …?[2J more"


def test_a_call_is_one_request_on_one_connection() -> None:
    with Script(_opened()) as server:
        key, credentials = VaultKey(server.address, "transit", "k"), server.credentials()
        for _ in range(5):
            key.unwrap("vault:v1:x", credentials)
    assert len(server.seen) == 5
    assert len({seen.port for seen in server.seen}) == 1


@pytest.mark.parametrize("package", ["hvac", "requests"])
def test_without_its_package_the_error_names_the_extra(package: str) -> None:
    key = VaultKey("https://v.example", "transit", "k")
    said = said_without(package, key, {"VAULT_TOKEN": "t", "VAULT_ADDR": key.address})
    assert said == [f"Vault needs the package {package}", "pip install 'encconf[vault]'"] * 2


def test_reading_an_entry_loads_no_package() -> None:
    assert not packages_loaded_for("hc_vault") & {"hvac", "requests", "urllib3", "urllib", "ssl", "logging"}


# ---------------------------------------------------------------------------------------------

Answer = tuple[int, str] | tuple[int, str, Mapping[str, str]]


def _opened() -> Answer:
    return 200, json.dumps({"data": {"plaintext": base64.b64encode(DATA_KEY).decode()}})


class Seen:
    """A request: its path as sent, its headers, and the client's port."""

    def __init__(self, path: str, headers: Any, port: int) -> None:
        self.path = path
        self.headers = headers
        self.port = port


class Script:
    """A server that gives these answers, the last one for ever, and remembers what it saw."""

    def __init__(self, *answers: Answer, delay: float = 0, context: ssl.SSLContext | None = None) -> None:
        self.answers = list(answers) or [(500, "")]
        self.delay = delay
        self.seen: list[Seen] = []
        script = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30
            wbufsize = -1

            def log_message(self, *args: object) -> None:
                pass

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                script.seen.append(Seen(self.path, self.headers, self.client_address[1]))
                time.sleep(script.delay)
                code, body, *headers = script.answers.pop(0) if len(script.answers) > 1 else script.answers[0]
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                for name, value in (headers[0] if headers else {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body.encode())))
                self.end_headers()
                self.wfile.write(body.encode())

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        if context is not None:
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.address = f"{'https' if context else 'http'}://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def credentials(self, token: str = "t", timeout: float = 300, **environ: str) -> Credentials:
        """Credentials whose token may go here."""
        return Credentials({"VAULT_ADDR": self.address, "VAULT_TOKEN": token, **environ}, timeout=timeout)

    def __enter__(self) -> Script:
        return self

    def __exit__(self, *args: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _hashed_folder(ca: Path, folder: Path) -> Path:
    """A folder as OpenSSL's c_rehash makes it."""
    command = ["openssl", "x509", "-noout", "-subject_hash", "-in", str(ca)]
    name = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    (folder / f"{name}.0").write_bytes(ca.read_bytes())
    return folder


def _client_certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a client")])
    now = datetime.datetime.now(datetime.UTC)
    hour = datetime.timedelta(hours=1)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - hour).not_valid_after(now + hour)
    certificate = builder.sign(key, hashes.SHA256())
    (folder / "client.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "client.key").write_bytes(private)
    return folder / "client.pem", folder / "client.key"
