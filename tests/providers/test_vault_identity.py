"""The login for Vault: where a token is looked for, and what another method needs."""

from __future__ import annotations

from pathlib import Path

import hvac
import pytest
from doubles.openbao import ROOT_TOKEN, OpenBao
from doubles.script import Script
from keys.interop import open_both_ways
from keys.transit import DATA_KEY, environ_for, failure, services
from keys.transit import bao as bao
from keys.transit import credentials as credentials
from keys.transit import key as key
from keys.transit import secure_bao as secure_bao
from oracle import Sops

from encconf.errors import MasterKeyError, NotMyKeyError
from encconf.identities.credentials import Credentials
from encconf.keys.hc_vault import VaultKey
from encconf.providers import SERVICE_ACCOUNT, text_in
from encconf.providers.vault import identity, settings


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
    (tmp_path / ".vault-token").write_text("another")  # an agent replaces it now and then
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
        assert "vault login" in (error.hint or "")
    with Script((400, '{"errors": ["missing client token"]}')) as server:  # as HashiCorp's says it
        error = failure(VaultKey(server.address, "transit", "k"), "vault:v1:x", server.credentials(token=""))
        assert isinstance(error, NotMyKeyError)


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


def test_a_token_file_that_was_removed(tmp_path: Path) -> None:
    (tmp_path / ".vault-token").symlink_to(tmp_path / "removed")
    error = failure(VaultKey("https://v", "t", "k"), "x", Credentials({}, home=str(tmp_path)))
    assert isinstance(error, NotMyKeyError)
    assert "~/.vault-token (not there)" in error.message


def test_a_token_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("\ufeffs.one\n", encoding="utf-8")
    assert text_in(str(tmp_path / "token"), "VAULT_TOKEN_FILE") == "s.one"


def test_an_unreadable_token_file_is_reported_as_such(tmp_path: Path) -> None:
    (tmp_path / ".vault-token").mkdir()
    error = failure(VaultKey("https://v", "t", "k"), "x", Credentials({}, home=str(tmp_path)))
    assert not isinstance(error, NotMyKeyError)
    assert error.message.startswith("~/.vault-token to log in to Vault: ")


TOKENLESS = {"VAULT_ROLE_ID": "r", "VAULT_SECRET_ID": "s3cret"}


@pytest.mark.parametrize(
    ("environ", "method", "mount", "payload"),
    [
        (TOKENLESS, "approle", "approle", {"role_id": "r", "secret_id": "s3cret"}),
        (
            {**TOKENLESS, "VAULT_AUTH_METHOD": "AppRole", "VAULT_TOKEN": "t", "VAULT_AUTH_MOUNT": "/ci/app/"},
            *("approle", "ci/app", {"role_id": "r", "secret_id": "s3cret"}),
        ),
        (
            {"VAULT_AUTH_METHOD": "jwt", "VAULT_ROLE": "r", "VAULT_JWT": "s3cret"},
            *("jwt", "jwt", {"role": "r", "jwt": "s3cret"}),
        ),
        ({"VAULT_AUTH_METHOD": "jwt", "VAULT_JWT": "s3cret"}, "jwt", "jwt", {"jwt": "s3cret"}),
        (
            {"VAULT_AUTH_METHOD": "userpass", "VAULT_USERNAME": "ann", "VAULT_PASSWORD": "s3cret"},
            *("userpass", "userpass", {"username": "ann", "password": "s3cret"}),
        ),
        (
            {
                "BAO_ADDR": "https://b",
                "BAO_ROLE_ID": "r",
                "BAO_SECRET_ID": "s3cret",
                "VAULT_TOKEN": "not its",
            },
            *("approle", "approle", {"role_id": "r", "secret_id": "s3cret"}),
        ),
    ],
)
def test_what_a_method_sends(
    environ: dict[str, str], method: str, mount: str, payload: dict[str, str]
) -> None:
    found = identity(Credentials(environ))
    assert (found.method, found.mount, found.token) == (method, mount, "")
    assert found.payload() == payload
    assert "s3cret" not in repr(found)


def test_the_files_of_a_login_are_read_each_time(tmp_path: Path) -> None:
    path = tmp_path / "jwt"
    for environ in (
        {"VAULT_AUTH_METHOD": "jwt", "VAULT_JWT_FILE": "~/jwt"},
        {
            "VAULT_AUTH_METHOD": "kubernetes",
            "VAULT_ROLE": "r",
            "VAULT_KUBERNETES_JWT_TOKEN_PATH": str(path),
            "VAULT_KUBERNETES_MOUNT_POINT": "k8s/",
        },
    ):
        found = identity(Credentials(environ, home=str(tmp_path)))
        for token in ("first", "second"):
            path.write_text(f"{token}\n")
            assert found.payload()["jwt"] == token
        path.unlink()
        with pytest.raises(MasterKeyError) as caught:
            found.payload()
        assert caught.value.message == f"the file for jwt to log in to Vault: {path}: no such file"
        assert caught.value.reason == "unusable"
    assert found.mount == "k8s"
    plain = identity(Credentials({"VAULT_AUTH_METHOD": "kubernetes", "VAULT_ROLE": "r"}))
    assert plain.files == {"jwt": SERVICE_ACCOUNT}


@pytest.mark.parametrize(
    ("method", "hint"),
    [
        ("approle", "set VAULT_ROLE_ID and VAULT_SECRET_ID or VAULT_SECRET_ID_FILE"),
        ("kubernetes", "set VAULT_ROLE"),
        ("jwt", "set VAULT_JWT or VAULT_JWT_FILE"),
        ("userpass", "set VAULT_USERNAME and VAULT_PASSWORD or VAULT_PASSWORD_FILE"),
    ],
)
def test_a_method_without_its_settings(method: str, hint: str) -> None:
    with pytest.raises(MasterKeyError) as caught:
        identity(Credentials({"VAULT_AUTH_METHOD": method}))
    assert (caught.value.reason, caught.value.hint) == ("unusable", hint)


def test_an_unknown_method() -> None:
    with pytest.raises(MasterKeyError) as caught:
        identity(Credentials({"VAULT_AUTH_METHOD": "magic\x1b"}))
    assert caught.value.message == "VAULT_AUTH_METHOD=magic? is not a known login method"
    assert str(caught.value.hint).startswith("known methods are token, approle")


def test_an_address_may_name_the_login() -> None:
    environ = {**TOKENLESS, "VAULT_MINE": "t", "VAULT_TOKEN": "no", "AWS_SECRET_ACCESS_KEY": "of-another"}
    found = identity(Credentials(environ), {"token_env": "VAULT_MINE"})
    assert (found.method, found.token) == ("token", "t")
    found = identity(Credentials({}), {"auth_method": "approle", "role_id": "a", "secret_id": "b"})
    assert found.payload() == {"role_id": "a", "secret_id": "b"}
    with pytest.raises(MasterKeyError) as caught:
        identity(Credentials(environ), {"token_env": "AWS_SECRET_ACCESS_KEY"})
    assert caught.value.reason == "wrong"
    assert "of-another" not in f"{caught.value!r} {caught.value.hint}"
    unset = identity(Credentials({}), {"token_env": "VAULT_UNSET"})
    assert (unset.token, unset.places) == ("", "token_env (unset)")


def test_logins_are_distinguished_by_what_they_send() -> None:
    keys = {
        identity(Credentials(environ)).key
        for environ in (
            *(TOKENLESS, {**TOKENLESS, "VAULT_SECRET_ID": "x"}, {**TOKENLESS, "VAULT_AUTH_MOUNT": "x"}),
            *({"VAULT_TOKEN": "a"}, {"VAULT_TOKEN": "b"}),
        )
    }
    assert len(keys) == 5
    assert identity(Credentials(TOKENLESS)).key in keys


def test_openbao_s_variables_count_where_vault_s_address_is_unset() -> None:
    both = {"BAO_ADDR": "b", "BAO_TOKEN": "of bao", "VAULT_TOKEN": "of vault", "OTHER": "x"}
    assert settings(Credentials(both)) == {"VAULT_ADDR": "b", "VAULT_TOKEN": "of bao", "OTHER": "x"} | {
        name: value for name, value in both.items() if name.startswith("BAO_")
    }
    assert settings(Credentials({**both, "VAULT_ADDR": "v"}))["VAULT_TOKEN"] == "of vault"
