"""``vault:`` against a real OpenBao: both versions of KV, and every way to log in."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from doubles.kubernetes import Kubernetes
from doubles.openbao import ROOT_TOKEN, OpenBao, binary
from doubles.script import Script
from doubles.testca import TestCA
from oracle import clean_environ

from encconf import sources
from encconf.errors import SourceError
from encconf.identities.credentials import Credentials
from encconf.providers import vault as server_code
from encconf.providers.https import Server
from encconf.testing.contracts.source import (
    PATIENCE,
    TREE,
    Failing,
    Place,
    WritableSourceContract,
    failure,
    shown,
)

pytestmark = pytest.mark.services

VALUE = b"s3cret-of-a-vault"
READ = (("secret/data/app", "read"), ("kv1/app", "read"))


@pytest.fixture(scope="module")
def bao() -> Iterator[OpenBao]:
    """KV 2 at secret/ and team/kv/, KV 1 at kv1/ and team/kv1/."""
    with OpenBao() as server:
        root = server.root
        for path, version in (("team/kv", "2"), ("kv1", "1"), ("team/kv1", "1")):
            root.sys.enable_secrets_engine("kv", path=path, options={"version": version})
        for mount in ("secret", "team/kv"):
            root.secrets.kv.v2.create_or_update_secret("app", {"password": VALUE.decode()}, mount_point=mount)
            root.secrets.kv.v2.create_or_update_secret("tree", TREE, mount_point=mount)
        for mount in ("kv1", "team/kv1"):
            root.secrets.kv.v1.create_or_update_secret("app", {"password": VALUE.decode()}, mount_point=mount)
            root.secrets.kv.v1.create_or_update_secret("tree", TREE, mount_point=mount)
        policy = "".join(f'path "{path}" {{ capabilities = ["{able}"] }}\n' for path, able in READ)
        root.sys.create_or_update_policy("app", policy)
        yield server


@pytest.fixture
def environ(bao: OpenBao) -> dict[str, str]:
    return {"VAULT_ADDR": bao.address, "VAULT_TOKEN": ROOT_TOKEN}


@pytest.fixture
def credentials(environ: dict[str, str]) -> Credentials:
    return Credentials(environ)


class VaultContract(WritableSourceContract):
    SCHEME = "vault"
    REASONS = frozenset({"missing", "denied", "expired", "unreachable", "slow", "wrong", "unusable"})
    FIELDS = True
    MOUNT = ""

    @pytest.fixture
    def place(self, environ: dict[str, str]) -> Place:
        return Place(f"vault:{self.MOUNT}/app#password", VALUE, lambda: Credentials(environ), [ROOT_TOKEN])

    @pytest.fixture
    def structured(self) -> str:
        return f"vault:{self.MOUNT}/tree"

    @pytest.fixture
    def vals(self) -> str:
        return f"ref+vault://{self.MOUNT}/app/password"

    @pytest.fixture
    def fresh(self) -> str:
        return f"vault:{self.MOUNT}/new/{os.urandom(6).hex()}#value"

    @pytest.fixture
    def failing(
        self, bao: OpenBao, environ: dict[str, str], silent: str, nobody_there: str, place: Place
    ) -> Failing:
        def someone(*rules: tuple[str, str], revoked: bool = False) -> Credentials:
            token = bao.token(*rules)
            place.secrets.append(token)
            if revoked:
                bao.root.auth.token.revoke(token)
            return Credentials({**environ, "VAULT_TOKEN": token})

        slow = {**environ, "VAULT_ADDR": f"http://{silent}"}
        away = {**environ, "VAULT_ADDR": f"http://{nobody_there}"}
        return lambda reason: {
            "missing": lambda: (f"vault:{self.MOUNT}/nothing#x", Credentials(environ)),
            "denied": lambda: (place.address, someone(("sys/other", "read"))),
            "expired": lambda: (place.address, someone(*READ, revoked=True)),
            "unreachable": lambda: (place.address, Credentials(away)),
            "slow": lambda: (place.address, Credentials(slow, timeout=PATIENCE)),
            "wrong": lambda: (f"vault:{self.MOUNT}/app?version=x#password", Credentials(environ)),
            "unusable": lambda: (place.address, Credentials({"VAULT_TOKEN": ROOT_TOKEN})),
        }[reason]()


class TestKv2(VaultContract):
    MOUNT = "secret"


class TestKv1(VaultContract):
    MOUNT = "kv1"


class TestKv2AtANestedMount(VaultContract):
    MOUNT = "team/kv"


class TestKv1AtANestedMount(VaultContract):
    MOUNT = "team/kv1"


# --- addresses and versions ------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        *("vault:secret/app#password", "vault:/secret/app#password", "vault:secret/data/app#password"),
        *("ref+vault://secret/app#/password", "ref+vault://secret/data/app#/password"),
        *("ref+vault://secret/app/password", "secretref+vault://secret/data/app/password+"),
        *("openbao:secret/app#password", "ref+openbao://secret/app/password"),
        *("vault:team/kv/app#password", "vault:team/kv/data/app#password", "vault:team%2Fkv/app#password"),
        *(
            "vault:kv1/app#password",
            "ref+vault://team/kv1/app#/password",
            "vault:secret/app?version=1#password",
        ),
    ],
)
def test_spellings(address: str, credentials: Credentials) -> None:
    assert sources.fetch(address, credentials) == VALUE


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("vault:secret", "expected a mount and the path of a secret"),
        ("vault:secret/", "expected a mount and the path of a secret"),
        ("vault:team/kv", "expected a mount and the path of a secret"),
        ("vault:secret/../sys/policy#x", "expected a mount and the path of a secret"),
        ("vault:secret/%2e%2e/x#x", "expected a mount and the path of a secret"),
        ("vault:secret/a%0Ab#x", "expected a mount and the path of a secret"),
        ("ref+vault://secret/x", "it names no field"),
        ("vault:secret/app?versoin=1#x", "vault: has no setting versoin"),
        ("vault:kv1/app?version=1#x", "this mount is KV version 1, which has no older versions"),
        ("vault:secret/app?address=http://me:pw@h/#x", "the address of Vault is not a plain URL"),
        (
            "vault:secret/app?auth_method=magic#x",
            "VAULT_AUTH_METHOD=magic is not a known login method",
        ),
    ],
)
def test_what_is_no_address(address: str, message: str, credentials: Credentials) -> None:
    error = failure(address, credentials)
    assert (error.message, error.reason) == (message, "wrong")
    assert error.hint


def test_a_terminal_shows_that_encconf_waits_for_a_server(nobody_there: str, tmp_path: Path) -> None:
    credentials = Credentials({"VAULT_ADDR": f"http://{nobody_there}", "VAULT_TOKEN": "t"})
    seen: list[str] = []
    credentials.watch = lambda what: seen.append(what) or (lambda: seen.append("done"))
    with pytest.raises(SourceError, match="cannot be reached"):
        sources.fetch("vault:secret/app#x", credentials)
    assert seen == ["vault:secret/app#x", "done"]
    (tmp_path / "x").write_text("x")
    sources.fetch(f"file:{tmp_path}/x", credentials)
    assert len(seen) == 2, "no server"


def test_no_such_mount(credentials: Credentials) -> None:
    assert failure("vault:nowhere/app#x", credentials).reason == "wrong"


def test_names_are_sent_as_they_are(bao: OpenBao, credentials: Credentials) -> None:
    for name in ("a b/c", "d?e", "f#g", "h%i", "ä", "data/data", "config"):
        bao.root.secrets.kv.v2.create_or_update_secret(name, {"x": name}, mount_point="secret")
        quoted = name.replace("%", "%25").replace("?", "%3F").replace("#", "%23")
        assert sources.fetch_text(f"vault:secret/data/{quoted}#x", credentials) == name


def test_versions(bao: OpenBao, credentials: Credentials) -> None:
    kv = bao.root.secrets.kv.v2
    for value in "abc":
        kv.create_or_update_secret("many", {"x": value}, mount_point="secret")
    kv.delete_secret_versions("many", [2], mount_point="secret")
    assert sources.fetch("vault:secret/many#x", credentials) == b"c"
    assert sources.fetch("vault:secret/many?version=1#x", credentials) == b"a"
    error = failure("vault:secret/many?version=2#x", credentials)
    assert (error.reason, error.message) == ("missing", "this version of the secret is deleted")
    assert error.hint == "see: vault kv metadata get secret/many"
    error = failure("vault:secret/many?version=9#x", credentials)
    assert (error.reason, error.message) == ("missing", "this version of the secret does not exist")
    error = failure("vault:team/kv/data/nothing#x", credentials)
    assert error.hint == "correct the path, or: vault kv put team/kv/nothing FIELD=VALUE"
    kv.delete_latest_version_of_secret("many", mount_point="secret")
    assert failure("vault:secret/many#x", Credentials(credentials.environ)).reason == "missing"
    sources.store("vault:secret/many#x", b"d", credentials)  # nothing is there to be overwritten
    assert sources.fetch("vault:secret/many#x", credentials) == b"d"


def test_a_field_that_is_not_text(bao: OpenBao, credentials: Credentials) -> None:
    data = {"n": 9007199254740991, "f": 1.5, "t": True, "z": None, "o": {"a": [1]}, "e": ""}
    bao.root.secrets.kv.v2.create_or_update_secret("odd", data, mount_point="secret")
    for field, value in {
        "n": "9007199254740991",
        "f": "1.5",
        "t": "true",
        "o": '{"a":[1]}',
    }.items():
        assert sources.fetch_text(f"vault:secret/odd#{field}", credentials) == value
    assert failure("vault:secret/odd#z", credentials).message == "its field z is null"
    assert failure("vault:secret/odd#e", credentials).message == "the value is empty"
    assert json.loads(sources.fetch("vault:secret/odd", credentials)) == data


# --- writing ---------------------------------------------------------------------------------


def test_what_is_written_is_what_others_read(bao: OpenBao, credentials: Credentials) -> None:
    whole = b'{"a": "1", "n": 1.10, "deep": {"b": [true, null]}}'
    for address, path in (("vault:secret/w1", "secret/w1"), ("vault:kv1/w1", "kv1/w1")):
        sources.store(address, whole, credentials)
        environ = clean_environ({"BAO_ADDR": bao.address, "BAO_TOKEN": ROOT_TOKEN})
        command = [binary(), "kv", "get", "-format=json", path]
        answer = json.loads(subprocess.run(command, env=environ, capture_output=True, check=True).stdout)
        data = answer["data"]["data"] if path.startswith("secret") else answer["data"]
        assert data == json.loads(whole)
        sources.store(f"{address}#more", b"x", credentials)
        assert json.loads(sources.fetch(address, credentials)) == {**data, "more": "x"}
        with pytest.raises(SourceError, match="exists and was not changed"):
            sources.store(address, b"{}", credentials)
        with pytest.raises(SourceError, match="not a JSON object") as caught:
            sources.store(address, VALUE, credentials, replace=True)
        assert VALUE.decode() not in shown(caught.value)


@pytest.mark.parametrize(
    "body", ["<html>log in</html>", "", "[]", "null", "5", "[" * 100_000, "x" * 3_000_000]
)
@pytest.mark.parametrize("path", ["secret/app", "secret/data/app"])
@pytest.mark.parametrize("status", [200, 404])
def test_an_answer_that_is_no_vault_s(status: int, body: str, path: str) -> None:
    """No fallback stands in for what a proxy keeps back, and nothing counts as stored."""
    with Script((status, body), reads=True) as server:
        credentials = Credentials({"VAULT_ADDR": server.address, "VAULT_TOKEN": "t"})
        error = failure(f"vault:{path}?optional=true#x", credentials)
        assert error.reason == "wrong"
        assert error.message.endswith("did not answer like a Vault server")
        assert "a proxy or a login page" in (error.hint or "")
        with pytest.raises(SourceError, match="did not answer like a Vault server"):
            sources.store(f"vault:{path}#x", b"y", credentials)


@pytest.mark.parametrize("found", ["y", "z"])
def test_what_a_repeated_call_finds_may_be_its_own(found: str) -> None:
    """The first answer is lost on the way, and the second says that there is a newer version."""
    answers = (
        (200, '{"data": {"path": "secret/", "options": {"version": "2"}}}'),
        (404, '{"errors": []}'),
        (502, ""),
        (400, '{"errors": ["check-and-set parameter did not match the current version"]}'),
        (200, json.dumps({"data": {"data": {"x": found}, "metadata": {"version": 1}}})),
    )
    with Script(*answers, reads=True) as server:
        credentials = Credentials({"VAULT_ADDR": server.address, "VAULT_TOKEN": "t0ken"})
        if found == "y":
            sources.store("vault:secret/app#x", b"y", credentials)
        else:
            with pytest.raises(SourceError, match="check-and-set"):
                sources.store("vault:secret/app#x", b"y", credentials)
        assert len(server.seen) == 5


def test_what_somebody_else_wrote_meanwhile_is_not_lost(
    bao: OpenBao, credentials: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = Server.ask

    def and_then(self: Server, method: str, path: str, **options: Any) -> Any:
        found = ask(self, method, path, **options)
        if method == "GET":
            bao.root.secrets.kv.v2.create_or_update_secret("race", {"theirs": "1"}, mount_point="secret")
        return found

    monkeypatch.setattr(Server, "ask", and_then)
    with pytest.raises(SourceError, match="check-and-set"):
        sources.store("vault:secret/race#ours", b"2", credentials)
    monkeypatch.undo()
    assert json.loads(sources.fetch("vault:secret/race", credentials)) == {"theirs": "1"}


def test_who_may_not_write(bao: OpenBao, environ: dict[str, str]) -> None:
    token = bao.token(*READ)
    reader = Credentials({**environ, "VAULT_TOKEN": token})
    for address, path in (("vault:secret/app#new", "secret/data/app"), ("vault:kv1/app#new", "kv1/app")):
        with pytest.raises(SourceError) as caught:
            sources.store(address, b"value-of-a-write", reader)
        assert caught.value.reason == "denied"
        assert str(caught.value.hint).endswith(f"policy needs create and update on {path}")
        assert token not in shown(caught.value)


# --- with which identity -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def approle(bao: OpenBao) -> dict[str, str]:
    bao.root.sys.enable_auth_method("approle")
    bao.root.auth.approle.create_or_update_approle("app", token_policies=["app"], token_ttl="1h")
    role = bao.root.auth.approle.read_role_id("app")["data"]["role_id"]
    secret = bao.root.auth.approle.generate_secret_id("app")["data"]["secret_id"]
    return {"VAULT_ADDR": bao.address, "VAULT_ROLE_ID": role, "VAULT_SECRET_ID": secret}


def test_approle(approle: dict[str, str], tmp_path: Path, patient: None) -> None:
    for environ in (approle, {**approle, "VAULT_AUTH_METHOD": "approle", "VAULT_TOKEN": "not this"}):
        assert sources.fetch("vault:secret/app#password", Credentials(environ)) == VALUE
    (tmp_path / "id").write_text(approle["VAULT_SECRET_ID"] + "\n")
    by_file = {**approle, "VAULT_SECRET_ID": "", "VAULT_SECRET_ID_FILE": str(tmp_path / "id")}
    assert sources.fetch("vault:secret/app#password", Credentials(by_file)) == VALUE
    found = sources.probe("vault", Credentials(approle))
    assert (found.usable, found.note) == (True, "policies: app, default")
    error = failure("vault:secret/other#x", Credentials(approle))
    assert error.reason == "denied"


def test_approle_by_the_address(approle: dict[str, str]) -> None:
    """In vals' words; what is secret of it stands in the environment."""
    role, secret = approle["VAULT_ROLE_ID"], approle["VAULT_SECRET_ID"]
    address = f"ref+vault://secret/app?auth_method=approle&role_id={role}&secret_id={secret}#/password"
    assert sources.fetch(address, Credentials({"VAULT_ADDR": approle["VAULT_ADDR"]})) == VALUE
    assert secret not in repr(sources.parse(address))
    error = failure(
        address.replace("secret/app", "secret/x"), Credentials({"VAULT_ADDR": approle["VAULT_ADDR"]})
    )
    assert secret not in shown(error)


def test_a_secret_id_that_is_wrong_or_used_up(bao: OpenBao, approle: dict[str, str]) -> None:
    wrong = {**approle, "VAULT_SECRET_ID": "11111111-2222-3333-4444-555555555555"}
    error = failure("vault:secret/app#password", Credentials(wrong))
    assert error.reason == "denied"
    assert error.message.startswith("logging in by approle: Vault: ")
    assert error.hint == "check the role id and the secret id, and that the secret id may still be used"
    assert wrong["VAULT_SECRET_ID"] not in shown(error)
    bao.root.auth.approle.create_or_update_approle("once", token_policies=["app"], secret_id_num_uses=1)
    role = bao.root.auth.approle.read_role_id("once")["data"]["role_id"]
    secret = bao.root.auth.approle.generate_secret_id("once")["data"]["secret_id"]
    once = {**approle, "VAULT_ROLE_ID": role, "VAULT_SECRET_ID": secret}
    assert sources.fetch("vault:secret/app#password", Credentials(once)) == VALUE
    assert failure("vault:secret/app#password", Credentials(once)).reason == "denied"


@pytest.fixture
def logins(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The methods of the logins that are made."""
    made: list[str] = []
    log_in = server_code.log_in

    def counted(who: Any, *args: Any) -> Any:
        made.append(who.method)
        time.sleep(0.05)
        return log_in(who, *args)

    monkeypatch.setattr(server_code, "log_in", counted)
    return made


def test_one_login_for_all(approle: dict[str, str], logins: list[str]) -> None:
    credentials = Credentials(approle)
    addresses = ["vault:secret/app#password", "vault:kv1/app#password", "vault:secret/app?version=1#password"]
    found: list[bytes] = []
    threads = [
        threading.Thread(target=lambda address=address: found.append(sources.fetch(address, credentials)))
        for address in addresses
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [VALUE] * 3
    assert logins == ["approle"]


def test_a_token_that_was_revoked_is_fetched_again(
    bao: OpenBao, approle: dict[str, str], logins: list[str]
) -> None:
    credentials = Credentials(approle)
    assert sources.fetch("vault:secret/app#password", credentials) == VALUE
    accessors = bao.root.list("auth/token/accessors")["data"]["keys"]
    for accessor in accessors:
        if bao.root.lookup_token(accessor, accessor=True)["data"]["display_name"] == "approle":
            bao.root.revoke_token(accessor, accessor=True)
    assert sources.fetch("vault:kv1/app#password", credentials) == VALUE
    assert logins == ["approle"] * 2


def test_a_token_that_ends_is_fetched_again(bao: OpenBao, approle: dict[str, str], logins: list[str]) -> None:
    bao.root.auth.approle.create_or_update_approle("short", token_policies=["app"], token_ttl="1s")
    role = bao.root.auth.approle.read_role_id("short")["data"]["role_id"]
    secret = bao.root.auth.approle.generate_secret_id("short")["data"]["secret_id"]
    credentials = Credentials({**approle, "VAULT_ROLE_ID": role, "VAULT_SECRET_ID": secret})
    assert sources.fetch("vault:secret/app#password", credentials) == VALUE
    time.sleep(1.1)
    assert sources.fetch("vault:kv1/app#password", credentials) == VALUE
    assert logins == ["approle"] * 2


def test_userpass(bao: OpenBao) -> None:
    bao.root.sys.enable_auth_method("userpass", path="people")
    bao.root.auth.userpass.create_or_update_user(
        "ann", password="pa55-of-ann", policies=["app"], mount_point="people"
    )
    environ = {
        "VAULT_ADDR": bao.address,
        "VAULT_AUTH_METHOD": "userpass",
        "VAULT_AUTH_MOUNT": "people",
        "VAULT_USERNAME": "ann",
        "VAULT_PASSWORD": "pa55-of-ann",
    }
    assert sources.fetch("vault:secret/app#password", Credentials(environ)) == VALUE
    wrong = {**environ, "VAULT_PASSWORD": "pa55-of-bob"}
    error = failure("vault:secret/app#password", Credentials(wrong))
    assert error.reason == "denied"
    assert error.hint == "check the name and the password"
    assert "pa55-of-bob" not in shown(error)
    address = "vault:secret/app?auth_method=userpass&username=ann&password_env=VAULT_PW#password"
    by_address = {"VAULT_ADDR": bao.address, "VAULT_AUTH_MOUNT": "people", "VAULT_PW": "pa55-of-ann"}
    assert sources.fetch(address, Credentials(by_address)) == VALUE


@pytest.fixture(scope="module")
def issuer(bao: OpenBao) -> ec.EllipticCurvePrivateKey:
    """Its key signs JWTs that the server takes: by the public key, without a network."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    bao.root.sys.enable_auth_method("jwt", path="ci/jwt")
    bao.root.write(
        "auth/ci/jwt/config", jwt_validation_pubkeys=public.decode(), bound_issuer="https://ci.example.test"
    )
    bao.root.write(
        "auth/ci/jwt/role/deploy",
        role_type="jwt",
        user_claim="sub",
        bound_audiences=["https://vault.example.test"],
        bound_subject="repo:acme/app",
        token_policies=["app"],
    )
    return key


def claims(**more: Any) -> dict[str, Any]:
    now = int(time.time())
    return {
        "iss": "https://ci.example.test",
        "aud": "https://vault.example.test",
        "sub": "repo:acme/app",
        "iat": now,
        "nbf": now - 10,
        "exp": now + 300,
        **more,
    }


def test_jwt(bao: OpenBao, issuer: ec.EllipticCurvePrivateKey, tmp_path: Path) -> None:
    token = jwt.encode(claims(), issuer, algorithm="ES256")
    environ = {
        "VAULT_ADDR": bao.address,
        "VAULT_AUTH_METHOD": "jwt",
        "VAULT_AUTH_MOUNT": "ci/jwt",
        "VAULT_ROLE": "deploy",
    }
    assert sources.fetch("vault:secret/app#password", Credentials({**environ, "VAULT_JWT": token})) == VALUE
    (tmp_path / "jwt").write_text(f"{token}\n")
    by_file = {**environ, "VAULT_JWT_FILE": str(tmp_path / "jwt")}
    assert sources.fetch("vault:kv1/app#password", Credentials(by_file)) == VALUE
    error = failure("vault:secret/app#password", Credentials(environ))
    assert (error.reason, error.hint) == ("unusable", "set VAULT_JWT or VAULT_JWT_FILE")


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"exp": 1700000000, "iat": 1699999000, "nbf": 1699999000}, "expired"),
        ({"sub": "repo:acme/other"}, "denied"),
        ({"aud": "https://elsewhere.example.test"}, "denied"),
        ({"iss": "https://other.example.test"}, "denied"),
    ],
)
def test_a_jwt_that_is_refused(
    bao: OpenBao, issuer: ec.EllipticCurvePrivateKey, more: dict[str, Any], reason: str
) -> None:
    token = jwt.encode(claims(**more), issuer, algorithm="ES256")
    environ = {
        "VAULT_ADDR": bao.address,
        "VAULT_AUTH_METHOD": "jwt",
        "VAULT_AUTH_MOUNT": "ci/jwt",
        "VAULT_ROLE": "deploy",
        "VAULT_JWT": token,
    }
    error = failure("vault:secret/app#password", Credentials(environ))
    assert error.reason == reason, error
    assert (
        error.hint
        == "check that the JWT is still valid and that its issuer, audience and subject match the role"
    )
    assert token not in shown(error)


def test_kubernetes(bao: OpenBao, tmp_path: Path) -> None:
    """The server asks the cluster, a double, whose the token is."""
    ca = TestCA(tmp_path / "ca")
    with Kubernetes(ca.context()) as cluster:
        bao.root.sys.enable_auth_method("kubernetes")
        bao.root.write(
            "auth/kubernetes/config",
            kubernetes_host=cluster.url,
            kubernetes_ca_cert=ca.bundle.read_text(),
            token_reviewer_jwt=cluster.token("kube-system", "vault"),
            disable_local_ca_jwt=True,
        )
        bao.root.write(
            "auth/kubernetes/role/app",
            bound_service_account_names=["app"],
            bound_service_account_namespaces=["default"],
            token_policies=["app"],
        )
        path = tmp_path / "token"
        environ = {
            "VAULT_ADDR": bao.address,
            "VAULT_AUTH_METHOD": "kubernetes",
            "VAULT_ROLE": "app",
            "VAULT_KUBERNETES_JWT_TOKEN_PATH": str(path),
        }
        path.write_text(cluster.token("default", "app"))
        assert sources.fetch("vault:secret/app#password", Credentials(environ)) == VALUE
        assert cluster.calls == ["/apis/authentication.k8s.io/v1/tokenreviews"]
        for token in (cluster.token("default", "other"), cluster.token("default", "app", known=False)):
            path.write_text(token)
            error = failure("vault:secret/app#password", Credentials(environ))
            assert error.reason == "denied"
            assert (
                error.hint
                == "check that the service account is bound to the role, with a token of this cluster"
            )
            assert token not in shown(error)
    path.unlink()
    error = failure("vault:secret/app#password", Credentials(environ))
    assert (error.reason, error.message) == (
        "unusable",
        f"the file for jwt to log in to Vault: {path}: no such file",
    )


def test_tokens_from_places_that_vals_knows(bao: OpenBao, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{ROOT_TOKEN}\n")
    (tmp_path / ".vault-token").write_text(ROOT_TOKEN)
    base = {"VAULT_ADDR": bao.address}
    for address, environ in (
        (
            "vault:secret/app?token_env=VAULT_MINE#password",
            {**base, "VAULT_MINE": ROOT_TOKEN, "VAULT_TOKEN": "no"},
        ),
        (f"vault:secret/app?token_file={tmp_path}/token#password", base),
        ("vault:secret/app#password", {**base, "VAULT_TOKEN_FILE": str(tmp_path / "token")}),
        ("vault:secret/app#password", {**base, "VAULT_TOKEN_FILE": "~/token"}),
        ("vault:secret/app#password", base),
        ("vault:secret/app#password", {"BAO_ADDR": bao.address, "BAO_TOKEN": ROOT_TOKEN}),
    ):
        assert sources.fetch(address, Credentials(environ, home=str(tmp_path))) == VALUE
    error = failure("vault:secret/app#password", Credentials({**base, "VAULT_TOKEN_FILE": "~/token"}))
    assert "~/token" in error.message  # without a home, `~` is only a name
    error = failure("vault:secret/app#password", Credentials(base))
    assert error.reason == "unusable"
    assert "looked in: VAULT_TOKEN (unset), ~/.vault-token (no home)" in error.message
    assert failure("vault:secret/app?token_env=VAULT_X#password", Credentials(base)).reason == "unusable"
    foreign = Credentials({**base, "AWS_SECRET_ACCESS_KEY": "of-another"})
    error = failure("vault:secret/app?token_env=AWS_SECRET_ACCESS_KEY#password", foreign)
    assert (error.reason, "of-another" in shown(error)) == ("wrong", False)


# --- where a token goes ----------------------------------------------------------------------


def test_an_address_leads_a_token_nowhere_else(bao: OpenBao, environ: dict[str, str]) -> None:
    address = f"vault:secret/app?address={bao.address}#password"
    here = {**environ, "VAULT_ADDR": "https://vault.example.test:8200"}
    error = failure(address, Credentials(here))
    assert error.reason == "denied"
    assert error.message.startswith(
        "encconf sends a Vault token only to VAULT_ADDR (https://vault.example.test:8200)"
    )
    assert sources.fetch(address, Credentials({**here, "SOPS_HC_VAULT_ALLOWLIST": bao.address})) == VALUE
    assert sources.fetch(address, Credentials(environ)) == VALUE


def test_namespaces(bao: OpenBao, environ: dict[str, str]) -> None:
    bao.root.write("sys/namespaces/team-a")
    inside = bao.client(namespace="team-a")
    inside.sys.enable_secrets_engine("kv", path="kv", options={"version": "2"})
    inside.secrets.kv.v2.create_or_update_secret("app", {"x": "in a"}, mount_point="kv")
    assert sources.fetch("vault:kv/app?namespace=team-a#x", Credentials(environ)) == b"in a"
    assert sources.fetch("vault:kv/app#x", Credentials({**environ, "VAULT_NAMESPACE": "team-a"})) == b"in a"
    assert failure("vault:kv/app#x", Credentials(environ)).reason == "wrong"


def test_a_server_that_is_sealed(patient: None) -> None:
    with OpenBao() as server:
        server.root.sys.seal()
        environ = {"VAULT_ADDR": server.address, "VAULT_TOKEN": ROOT_TOKEN}
        error = failure("vault:secret/app#password", Credentials(environ))
        assert (error.reason, "sealed" in error.message) == ("unreachable", True)
        found = sources.probe("vault", Credentials(environ))
        assert not found.usable


def test_an_address_with_a_password_is_not_shown() -> None:
    for environ in ({}, {"VAULT_TOKEN": "t"}):
        found = sources.probe("vault", Credentials({**environ, "VAULT_ADDR": "https://me:pa55@v.example"}))
        assert (found.usable, found.missing) == (False, ["the address of Vault is not a plain URL"])
        assert "pa55" not in repr(vars(found))


def test_certificates() -> None:
    with OpenBao(tls=True) as server:
        server.root.secrets.kv.v2.create_or_update_secret("app", {"x": "y"}, mount_point="secret")
        environ = {"VAULT_ADDR": server.address, "VAULT_TOKEN": ROOT_TOKEN}
        trusting = Credentials({**environ, "VAULT_CACERT": str(server.ca)})
        assert sources.fetch("vault:secret/app#x", trusting) == b"y"
        error = failure("vault:secret/app#x", Credentials(environ))
        assert error.reason == "unreachable"
        assert error.hint == "VAULT_CACERT sets the authority of its certificate"


def test_a_mount_that_is_not_there(bao: OpenBao) -> None:
    environ = {"VAULT_ADDR": bao.address, "VAULT_TOKEN": ROOT_TOKEN}
    error = failure("vault:nowhere/app#x", Credentials(environ))
    assert (error.reason, "no secrets engine" in error.message) == ("wrong", True)
    assert "vault kv put" not in str(error.hint)
    error = failure("vault:nowhere/data/app?optional=true#x", Credentials(environ))
    assert error.reason == "wrong"
