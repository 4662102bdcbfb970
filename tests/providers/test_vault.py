"""Vault: where a token goes, TLS, and why a call failed; with transit keys, against OpenBao and scripts."""

from __future__ import annotations

import json
import ssl
import time
from pathlib import Path

import pytest
from doubles.openbao import ROOT_TOKEN, OpenBao
from doubles.script import Answer, Script, Seen
from doubles.testca import TestCA
from keys.interop import open_both_ways
from keys.transit import (
    ALLOWED,
    DATA_KEY,
    client_certificate,
    environ_for,
    failure,
    hashed_folder,
    opened,
    services,
)
from keys.transit import bao as bao
from keys.transit import credentials as credentials
from keys.transit import key as key
from keys.transit import secure_bao as secure_bao
from oracle import Sops

from encconf.errors import MasterKeyError
from encconf.identities.credentials import Credentials
from encconf.keys.hc_vault import VaultKey
from encconf.providers import vault


def test_an_agent_that_brings_its_own_token_is_asked() -> None:
    with Script(opened()) as server:
        key = VaultKey(server.address, "transit", "k")
        assert key.unwrap("vault:v1:x", server.credentials(token="")) == DATA_KEY
    assert "X-Vault-Token" not in server.seen[0].headers


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
    with Script(opened()) as server:
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


def test_redirects_are_not_followed() -> None:
    with Script(opened()) as elsewhere:
        for code in (301, 302, 307, 308):
            with Script((code, "", {"Location": elsewhere.address})) as server:
                key = VaultKey(server.address, "transit", "k")
                error = failure(key, "vault:v1:x", server.credentials())
                assert "redirects to another server" in error.message
    assert elsewhere.seen == []


@pytest.mark.parametrize("body", ["[]", '"x"', "null", '{"data": []}', "[" * 100_000, "{", '{"data": {}}'])
def test_an_answer_that_is_no_vault_s(body: str) -> None:
    with Script((200, body)) as server:
        error = failure(VaultKey(server.address, "transit", "k"), "vault:v1:x", server.credentials())
    assert "did not answer like a Vault server" in error.message


@services
@pytest.mark.parametrize("variable", ["VAULT_CACERT", "VAULT_CAPATH", "SSL_CERT_FILE"])
def test_the_authority_can_be_named(variable: str, secure_bao: OpenBao, tmp_path: Path) -> None:
    key = VaultKey(secure_bao.address, "transit", "k")
    where = str(secure_bao.ca)
    if variable == "VAULT_CAPATH":
        where = str(hashed_folder(Path(where), tmp_path))
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
    certificate, private = client_certificate(tmp_path)
    context = ca.context()
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(certificate)
    with Script(opened(), context=context) as server:
        key = VaultKey(server.address, "transit", "k")
        trust = {"VAULT_CACERT": str(ca.bundle)}
        both = {"VAULT_CLIENT_CERT": str(certificate), "VAULT_CLIENT_KEY": str(private)}
        assert key.unwrap("vault:v1:x", server.credentials(**trust, **both)) == DATA_KEY
        failure(key, "vault:v1:x", server.credentials(**trust))
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
    with Script() as foreign, Script(opened()) as server:
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


@services
def test_a_sealed_server_is_reported_as_such() -> None:
    with OpenBao() as own:
        own.root.sys.seal()
        error = failure(VaultKey(own.address, "transit", "k"), "vault:v1:x", Credentials(environ_for(own)))
        assert error.message == "Vault: Vault is sealed"
        assert (error.reason, error.hint) == (
            "unreachable", "ask an administrator to unseal it: vault operator unseal",
        )  # fmt: skip


@services
def test_an_invalid_token_is_not_a_matter_of_the_policy(bao: OpenBao, key: VaultKey) -> None:
    error = failure(key, "vault:v1:x", Credentials(environ_for(bao, "s.nonsense")))
    assert error.reason == "expired"
    assert error.message == "the Vault token is not valid, or has expired"
    assert "policy" not in (error.hint or "")


@services
def test_a_mount_that_is_not_there(bao: OpenBao, credentials: Credentials) -> None:
    error = failure(VaultKey(bao.address, "nowhere", "k"), "vault:v1:x", credentials)
    assert error.message.startswith("Vault: no handler for route")
    assert "no secrets engine is mounted there" in error.message
    assert error.reason == "wrong"
    assert "vault secrets list" in (error.hint or "")


@pytest.mark.parametrize("code", [412, 429, 500, 502, 503, 504])
def test_what_passes_is_waited_out(code: int) -> None:
    later = (code, '{"errors": ["later"]}', {"Retry-After": "3600"})
    with Script(later, opened()) as server:
        key = VaultKey(server.address, "transit", "k")
        start = time.monotonic()
        assert key.unwrap("vault:v1:x", server.credentials()) == DATA_KEY
        assert time.monotonic() - start < 30
    assert len(server.seen) == 2


def test_a_refusal_is_not_asked_again() -> None:
    for code in (400, 403, 404, 501):
        with Script((code, '{"errors": ["no"]}')) as server:
            failure(VaultKey(server.address, "transit", "k"), "vault:v1:x", server.credentials())
        assert len(server.seen) == 1


def test_a_slow_server_is_given_up() -> None:
    with Script(opened(), delay=3) as server:
        start = time.monotonic()
        key = VaultKey(server.address, "transit", "k")
        error = failure(key, "vault:v1:x", server.credentials(timeout=0.4))
        assert error.message == f"{server.address} did not answer within 0.3 s"
        assert time.monotonic() - start < 30
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("http://127.0.0.1:9", "http://127.0.0.1:9 cannot be reached: Connection refused"),
        ("https://127.0.0.1:9", "https://127.0.0.1:9 cannot be reached: Connection refused"),
        ("http://nowhere.invalid", "http://nowhere.invalid cannot be reached: "),
    ],
)
def test_an_unreachable_server_is_reported_as_such(address: str, says: str) -> None:
    credentials = Credentials({"VAULT_ADDR": address, "VAULT_TOKEN": "t"})
    assert failure(VaultKey(address, "transit", "k"), "x", credentials).message.startswith(says)


def test_a_proxy_that_refuses_is_reported_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_a_server_that_repeats_the_token_does_not_get_it_shown() -> None:
    with Script((403, json.dumps({"errors": [f"bad token {ROOT_TOKEN}\x1b[2J\nmore"]}))) as server:
        key = VaultKey(server.address, "transit", "k")
        error = failure(key, "vault:v1:x", server.credentials(token=ROOT_TOKEN))
        assert error.message == "Vault: bad token …?[2J more"


def test_a_call_is_one_request_on_one_connection() -> None:
    with Script(opened()) as server:
        key, credentials = VaultKey(server.address, "transit", "k"), server.credentials()
        for _ in range(5):
            key.unwrap("vault:v1:x", credentials)
    assert len(server.seen) == 5
    assert len({seen.port for seen in server.seen}) == 1


# --- logging in ------------------------------------------------------------------------------

PASSWORD = "pa55-of-ann"


def login_of(server: Script, **more: str) -> Credentials:
    """Credentials that log in at this server, with a name and a password."""
    own = {"VAULT_AUTH_METHOD": "userpass", "VAULT_USERNAME": "a/../n", "VAULT_PASSWORD": PASSWORD}
    return Credentials({"VAULT_ADDR": server.address, **own, **more})


def token_of_login(token: object = "t0ken", lifetime: object = 60) -> Answer:
    return 200, json.dumps({"auth": {"client_token": token, "lease_duration": lifetime}})


def refused_login(*answers: Answer, **more: str) -> tuple[MasterKeyError, list[Seen]]:
    """The error of a login, and what the server saw."""
    with Script(*answers) as server:
        with pytest.raises(MasterKeyError) as caught:
            VaultKey(server.address, "transit", "k").unwrap("vault:v1:x", login_of(server, **more))
        assert PASSWORD not in f"{caught.value!r} {caught.value.hint}"
    return caught.value, server.seen


def test_one_login_for_several_calls() -> None:
    with Script(token_of_login(), opened()) as server:
        key, credentials = VaultKey(server.address, "transit", "k"), login_of(server)
        for _ in range(3):
            assert key.unwrap("vault:v1:x", credentials) == DATA_KEY
    login, *calls = server.seen
    assert login.path == "/v1/auth/userpass/login/a%2F..%2Fn"  # a name is no path
    assert "X-Vault-Token" not in login.headers
    assert [call.headers["X-Vault-Token"] for call in calls] == ["t0ken"] * 3


def test_a_token_that_is_refused_later_is_replaced() -> None:
    no: Answer = (403, '{"errors": ["permission denied"]}')
    with Script(token_of_login("1"), opened(), no, token_of_login("2"), opened()) as server:
        key, credentials = VaultKey(server.address, "transit", "k"), login_of(server)
        assert key.unwrap("vault:v1:x", credentials) == DATA_KEY
        assert key.unwrap("vault:v1:x", credentials) == DATA_KEY
    assert [seen.headers["X-Vault-Token"] for seen in server.seen] == [None, "1", "1", None, "2"]


@pytest.mark.parametrize(
    "answer",
    [
        *((200, ""), (200, "nonsense"), (200, "[]"), (200, '{"auth": null}'), (200, '{"auth": []}')),
        *(token_of_login(5), token_of_login("a\nb"), token_of_login("ä"), token_of_login(lifetime="x")),
        *(token_of_login(lifetime=None), (204, ""), (200, "[" * 100_000), (200, "x" * 3_000_000)),
    ],
)
def test_an_answer_that_is_no_login(answer: Answer) -> None:
    error, seen = refused_login(answer)
    assert error.message.endswith(" did not answer like a Vault server")
    assert len(seen) == 1


def test_a_login_that_is_refused() -> None:
    error, seen = refused_login((400, json.dumps({"errors": [f"{PASSWORD} is wrong"]})))
    assert (error.reason, error.message) == ("denied", "logging in by userpass: Vault: … is wrong")
    assert error.hint == "check the name and the password"
    assert len(seen) == 1
    error, _ = refused_login((400, '{"errors": ["token is expired"]}'))
    assert error.reason == "expired"


def test_a_login_is_tried_again_as_often_as_a_call() -> None:
    error, seen = refused_login((503, '{"errors": ["later"]}'))
    assert (error.reason, len(seen)) == ("unreachable", 3)


def test_a_password_follows_no_redirect() -> None:
    with Script(token_of_login()) as elsewhere:
        error, _ = refused_login((307, "", {"Location": elsewhere.address}))
        assert "redirects to another server" in error.message
        assert error.hint == "use the address of the active server"
    assert elsewhere.seen == []


@pytest.mark.parametrize("mount", ["..", "a/../b", "a//b", "."])
def test_a_mount_does_not_lead_elsewhere(mount: str) -> None:
    error, seen = refused_login(token_of_login(), VAULT_AUTH_MOUNT=mount)
    assert (error.reason, error.hint) == ("wrong", "set VAULT_AUTH_MOUNT")
    assert seen == []


# --- tokens ----------------------------------------------------------------------------------


def test_whether_a_token_is_valid() -> None:
    no: Answer = (403, '{"errors": ["permission denied"]}')
    for answers, expected in (
        ([(200, '{"data": {"policies": ["app"]}}')], {"policies": ["app"]}),
        ([no, (200, '{"data": {}}')], {}),  # without the default policy
        ([no, no], None),
        ([(200, '{"data": 5}')], {}),
    ):
        with Script(*answers, reads=True) as server:
            assert vault.valid(server.address, server.credentials()) == expected
    for answer in ((500, ""), (200, "nonsense"), (200, "{}"), (404, "<html>"), (404, '{"errors": []}')):
        with Script(answer, reads=True) as server, pytest.raises(MasterKeyError):
            vault.valid(server.address, server.credentials())


def test_a_call_is_tried_three_times_at_most() -> None:
    with Script((503, '{"errors": ["later"]}')) as server:
        error = failure(VaultKey(server.address, "transit", "k"), "vault:v1:x", server.credentials())
    assert (error.reason, len(server.seen)) == ("unreachable", 3)


def test_a_namespace_that_no_header_can_have() -> None:
    with Script((200, "{}")) as server:
        for name in ("日本", "a\nb"):
            odd = Credentials({"VAULT_ADDR": server.address, "VAULT_TOKEN": "t", "VAULT_NAMESPACE": name})
            with pytest.raises(MasterKeyError, match="the namespace of Vault is not a name"):
                VaultKey(server.address, "transit", "k").wrap(bytes(32), odd)
        assert server.seen == []


@pytest.mark.parametrize(("setting", "header"), [("", None), (" ", None), (" team/a ", "team/a")])
def test_an_empty_namespace_is_not_sent(setting: str, header: str | None) -> None:
    with Script((200, "{}")) as server:
        vault.ask(server.address, server.credentials(VAULT_NAMESPACE=setting), "POST", ["x"], "")
        assert server.seen[0].headers["X-Vault-Namespace"] == header


@pytest.mark.parametrize(
    ("status", "reason"),
    [(400, "wrong"), (405, "wrong"), (413, "wrong"), (412, "unreachable"), (501, "unreachable")],
)
def test_what_a_server_refuses_is_not_tried_later(status: int, reason: str) -> None:
    with Script((status, '{"errors": ["no"]}')) as server:
        error = failure(VaultKey(server.address, "transit", "k"), "vault:v1:x", server.credentials())
    assert error.reason == reason


def test_a_url_holds_each_step_as_it_is() -> None:
    with Script((200, "{}")) as server:
        steps = ["a b", "c/d", "é", "%2e"]
        assert vault.ask(server.address, server.credentials(), "POST", steps, "") == {}
        assert server.seen[0].path == "/v1/a%20b/c%2Fd/%C3%A9/%252e"
