"""Google Cloud: whose credentials are used, and why a call failed; with keys of KMS, against doubles."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from doubles.connect_proxy import ConnectProxy
from doubles.gcp_kms import grpc_server, rest_server, token_server
from doubles.script import Script
from doubles.testca import TestCA, session_ca
from google.api_core import exceptions
from google.auth.exceptions import InvalidType, RefreshError
from keys.cloud_kms import BOTH, DATA_KEY, NOW, PLAIN, PROJECT, RING, Google, refusal, through
from keys.cloud_kms import ca as ca
from keys.cloud_kms import google as google
from keys.cloud_kms import healthy as healthy
from oracle import clean_environ

from encconf.envelope import WrappedKey
from encconf.envelope.unwrap import open_data_key
from encconf.errors import KeyAccessError, MasterKeyError, NotMyKeyError
from encconf.identities.credentials import Credentials
from encconf.keys.gcp_kms import GcpKmsKey
from encconf.providers import gcp


@pytest.mark.services
@BOTH
@pytest.mark.parametrize(
    ("setting", "host"),
    [
        ({}, "cloudkms.googleapis.com"),
        ({"SOPS_GCP_KMS_UNIVERSE_DOMAIN": "universe.test"}, "cloudkms.universe.test"),
        ({"SOPS_GCP_KMS_ENDPOINT": "kms.example.test"}, "kms.example.test"),
        ({"SOPS_GCP_KMS_ENDPOINT": "https://kms.example.test:443/"}, "kms.example.test"),
        (
            {"SOPS_GCP_KMS_ENDPOINT": "kms.example.test", "SOPS_GCP_KMS_UNIVERSE_DOMAIN": "universe.test"},
            "kms.example.test",
        ),
    ],
)
def test_the_address_of_the_service(
    google: Google,
    ca: TestCA,
    transport: str,
    setting: dict[str, str],
    host: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environ = {"GOOGLE_OAUTH_ACCESS_TOKEN": google.kms.token, "SOPS_GCP_KMS_CLIENT_TYPE": transport.upper()}
    who = Credentials({**environ, **setting})
    key = GcpKmsKey(google.name)
    with ConnectProxy({host: google.ports[transport]}) as proxy:
        through(proxy, ca, monkeypatch)
        assert key.unwrap(key.wrap(DATA_KEY, who), who) == DATA_KEY
        assert {line.split()[1] for line, _ in proxy.log} == {f"{host}:443"}


@pytest.mark.services
@BOTH
@pytest.mark.parametrize(
    "variable", ["GOOGLE_CREDENTIALS", "GOOGLE_APPLICATION_CREDENTIALS", "inline", "gcloud"]
)
def test_a_service_account(google: Google, transport: str, variable: str, tmp_path: Path, home: Path) -> None:
    path = tmp_path / "account.json"
    path.write_text(google.kms.service_account())
    extra = {variable: str(path)}
    if variable == "inline":
        extra = {"GOOGLE_CREDENTIALS": google.kms.service_account()}
    elif variable == "gcloud":
        folder = home / ".config" / "gcloud"
        folder.mkdir(parents=True)
        path.rename(folder / "application_default_credentials.json")
        extra = {}
    who = google.credentials(transport, extra)
    who.home = str(home)
    key = GcpKmsKey(google.name)
    google.kms.calls.clear()
    assert key.unwrap(key.wrap(DATA_KEY, who), who) == DATA_KEY
    tokens = {authorization for _, authorization in google.kms.calls}
    assert all(token.count(".") == 2 for token in tokens)  # signed here, no server was asked for one
    if variable == "inline" and transport == "grpc":  # sops does the same
        with ConnectProxy() as proxy:
            sops = google.sops(transport, proxy, session_ca()).with_environ(extra)
            assert sops.decrypt(sops.encrypt(PLAIN, "yaml", "--gcp-kms", google.name), "yaml") == PLAIN


@pytest.mark.services
def test_the_order_of_the_credentials(google: Google, tmp_path: Path, home: Path) -> None:
    key = GcpKmsKey(google.name)
    enc = key.wrap(DATA_KEY, google.credentials())
    account, token = google.kms.service_account(), google.kms.token
    path = tmp_path / "account.json"
    path.write_text(account)
    broken = str(tmp_path / "nowhere")
    first = {"GOOGLE_CREDENTIALS": account, "GOOGLE_OAUTH_ACCESS_TOKEN": "bad"}
    second = {"GOOGLE_OAUTH_ACCESS_TOKEN": token, "GOOGLE_APPLICATION_CREDENTIALS": broken}
    third = {"GOOGLE_APPLICATION_CREDENTIALS": str(path), "CLOUDSDK_CONFIG": broken}
    for extra in (first, second, third):
        assert key.unwrap(enc, google.credentials(extra=extra)) == DATA_KEY
    error = refusal(key, enc, google.credentials(extra={"GOOGLE_APPLICATION_CREDENTIALS": broken}))
    assert error.message == f"GOOGLE_APPLICATION_CREDENTIALS: {broken}: no such file"
    folder = tmp_path / "sdk"
    folder.mkdir()
    path.rename(folder / "application_default_credentials.json")
    assert key.unwrap(enc, google.credentials(extra={"CLOUDSDK_CONFIG": str(folder)})) == DATA_KEY


@pytest.mark.services
@BOTH
@pytest.mark.parametrize("kind", ["authorized_user", "external_account", "impersonated_service_account"])
def test_other_types_of_credentials(
    google: Google,
    ca: TestCA,
    transport: str,
    kind: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    user = {"type": "authorized_user", "client_id": "i", "client_secret": "s", "refresh_token": "r"}
    subject = tmp_path / "subject"
    subject.write_text("token of a pod")
    pool = "projects/1/locations/global/workloadIdentityPools/p"
    impersonate = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/x@p.iam.gserviceaccount.com:generateAccessToken"
    account = {
        "authorized_user": user,
        "external_account": {
            "type": kind,
            "audience": f"//iam.googleapis.com/{pool}/providers/q",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": "https://sts.googleapis.com/v1/token",
            "credential_source": {"file": str(subject)},
        },
        "impersonated_service_account": {
            "type": kind,
            "service_account_impersonation_url": impersonate,
            "source_credentials": user,
            "delegates": [],
        },
    }[kind]
    who = google.credentials(transport, {"GOOGLE_CREDENTIALS": json.dumps(account)})
    key = GcpKmsKey(google.name)
    with token_server(google.kms, ca) as (port, paths), ConnectProxy({"*.googleapis.com": port}) as proxy:
        through(proxy, ca, monkeypatch)
        assert key.unwrap(key.wrap(DATA_KEY, who), who) == DATA_KEY
        assert paths
        assert proxy.refused == []


MACHINE = """
import sys
sys.path.insert(0, sys.argv[1])
from encconf.identities.credentials import Credentials
from encconf.keys.gcp_kms import GcpKmsKey
key, who = GcpKmsKey(sys.argv[2]), Credentials.from_env()
assert key.unwrap(key.wrap(bytes(32), who), who) == bytes(32)
"""


@pytest.mark.services
def test_the_credentials_of_the_machine(google: Google, ca: TestCA) -> None:
    """In another process: where its metadata server is, the SDK takes from the process."""
    command = [sys.executable, "-c", MACHINE, str(PROJECT), google.name]
    with token_server(google.kms) as (port, paths):
        environ = {**clean_environ(google.environ()), "GCE_METADATA_HOST": f"127.0.0.1:{port}"}
        del environ["NO_GCE_CHECK"], environ["HTTP_PROXY"], environ["HTTPS_PROXY"]
        environ["GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"] = str(ca.bundle)
        subprocess.run(command, env=environ, check=True, timeout=60)
        assert "/computeMetadata/v1/instance/service-accounts/default/token" in paths
        paths.clear()
        environ["NO_GCE_CHECK"] = "true"
        assert subprocess.run(command, env=environ, capture_output=True, timeout=60).returncode
        assert paths == []


@pytest.mark.services
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("{", "is neither the path nor the JSON of a credentials file"),
        ("/nowhere/secret", "is neither the path nor the JSON of a credentials file"),
        ("[]", "is neither the path nor the JSON of a credentials file"),
        ('{"type": "x"}', "has credentials of the type x, which is not known"),
        (
            '{"type": "service_account", "private_key": "secret", "client_email": "e", "token_uri": "u"}',
            "has credentials that cannot be read",
        ),
        ('{"type": "authorized_user"}', "has credentials that cannot be read"),
        ('{"type": "external_account"}', "has credentials that cannot be read"),
        (
            '{"type": "impersonated_service_account", "source_credentials": 5, '
            '"service_account_impersonation_url": "u"}',
            "has credentials that cannot be read",
        ),
    ],
)
def test_credentials_that_are_none(google: Google, given: str, words: str) -> None:
    error = refusal(GcpKmsKey(google.name), "AAAA", google.credentials(extra={"GOOGLE_CREDENTIALS": given}))
    assert error.message == f"GOOGLE_CREDENTIALS {words}"
    assert not isinstance(error, NotMyKeyError)


@pytest.mark.services
@BOTH
def test_a_token_that_is_refused(google: Google, transport: str) -> None:
    who = google.credentials(transport, {"GOOGLE_OAUTH_ACCESS_TOKEN": "secret-token"})
    error = refusal(GcpKmsKey(google.name), "AAAA", who)
    assert "UNAUTHENTICATED" in error.message or "GOOGLE_OAUTH_ACCESS_TOKEN was rejected" in error.message
    assert "renew" in str(error.hint)
    assert "secret-token" not in f"{error.message}{error.hint}"


@pytest.mark.services
def test_without_credentials_the_places_are_reported(google: Google, home: Path) -> None:
    who = google.credentials(extra={})
    who.home = "/h"
    error = refusal(GcpKmsKey(google.name), "AAAA", who)
    assert isinstance(error, NotMyKeyError)
    assert error.message == (
        "no Google credentials\n"
        "looked in: GOOGLE_CREDENTIALS (unset), GOOGLE_OAUTH_ACCESS_TOKEN (unset), "
        "GOOGLE_APPLICATION_CREDENTIALS (unset), "
        "/h/.config/gcloud/application_default_credentials.json (not there), "
        "the metadata server (not asked)"
    )
    assert "gcloud auth application-default login" in str(error.hint)


@pytest.mark.services
@BOTH
@pytest.mark.parametrize("fault", ["ResourceExhausted", "ServiceUnavailable", "InternalServerError"])
def test_what_passes_is_tried_again(google: Google, transport: str, fault: str) -> None:
    key, who = GcpKmsKey(google.name), google.credentials(transport)
    enc = key.wrap(DATA_KEY, who)
    kind = getattr(exceptions, fault)
    google.kms.faults[:] = [kind("too many")] * 2
    google.kms.calls.clear()
    assert key.unwrap(enc, who) == DATA_KEY
    assert [operation for operation, _ in google.kms.calls] == ["Decrypt"] * 3
    google.kms.faults[:] = [kind("too many")] * 100
    error = refusal(key, enc, google.credentials(transport, timeout=1))
    assert "too many" in error.message
    assert len(google.kms.faults) < 99


@pytest.mark.services
@BOTH
def test_a_service_that_is_late(google: Google, transport: str) -> None:
    key, who = GcpKmsKey(google.name), google.credentials(transport, timeout=0.4)
    enc = key.wrap(DATA_KEY, google.credentials(transport))
    google.kms.delay = 2
    began = time.monotonic()
    error = refusal(key, enc, who)
    assert error.message == "Google Cloud KMS did not answer within 0.4 s"
    assert time.monotonic() - began < 30
    with pytest.raises(KeyAccessError, match=r"(no answer|did not answer) within 0\.4 s"):
        open_data_key([[WrappedKey(key, enc, NOW)]], 0, who)


@pytest.mark.services
@BOTH
def test_a_service_that_is_not_there(google: Google, transport: str) -> None:
    gone = {"SOPS_GCP_KMS_ENDPOINT": "http://127.0.0.1:9", "GOOGLE_OAUTH_ACCESS_TOKEN": google.kms.token}
    who = google.credentials(transport, gone, timeout=1)
    error = refusal(GcpKmsKey(google.name), "AAAA", who)
    assert error.message.startswith("Google Cloud KMS cannot be reached: ")
    assert google.kms.token not in error.message


@pytest.mark.services
@BOTH
def test_a_server_with_an_unknown_certificate(
    google: Google, transport: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = TestCA(tmp_path / "other")
    start = grpc_server if transport == "grpc" else rest_server
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(session_ca().bundle))
    google.kms.calls.clear()
    with start(google.kms, foreign) as port:
        setting = {"SOPS_GCP_KMS_ENDPOINT": f"https://127.0.0.1:{port}", "GOOGLE_OAUTH_ACCESS_TOKEN": "x"}
        error = refusal(GcpKmsKey(google.name), "AAAA", google.credentials(transport, setting, timeout=1))
    assert "cannot be reached" in error.message
    assert google.kms.calls == []


# --- answers of something else ---------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        *("", "nonsense", "{}", "[]", "null", '"x"', '{"plaintext": 5}', '{"plaintext": []}', "[" * 100_000),
        *('{"plaintext": null}', '{"plaintext": ""}', "x" * 3_000_000),
    ],
)
def test_whatever_a_server_answers_is_an_error_of_ours(body: str) -> None:
    with Script((200, body)) as server:
        who = at(server)
        for use in (
            lambda: GcpKmsKey(f"{RING}/k").unwrap("AAAA", who),
            lambda: GcpKmsKey(f"{RING}/k").wrap(DATA_KEY, who),
        ):
            with pytest.raises(MasterKeyError) as caught:
                use()
            assert caught.value.message in (
                "Google Cloud KMS returned an answer that cannot be read",
                "the answer is not from Google Cloud KMS",
            )


@pytest.mark.parametrize(
    "answer",
    [(403, "<html>no</html>"), (400, "[]"), (404, ""), (401, '{"error": []}'), (409, '{"error": 5}')],
)
def test_a_refusal_in_other_words(answer: tuple[int, str]) -> None:
    with Script(answer) as server:
        error = refusal(GcpKmsKey(f"{RING}/k"), "AAAA", at(server))
    assert error.message.isprintable()
    assert len(error.message) < 500
    assert "t0ken" not in f"{error!r} {error.hint}"
    assert len(server.seen) == 1


def test_credentials_of_another_kind_are_no_answer() -> None:
    def client() -> None:
        raise InvalidType("the audience is no text")

    with pytest.raises(MasterKeyError) as caught:
        gcp.ask("Google", client, "get", {}, Credentials({}), needs="")
    assert caught.value.message == "the Google credentials do not work: the audience is no text"
    assert caught.value.reason == "expired"


def test_only_a_login_that_needs_the_metadata_server_waits_for_it() -> None:
    credentials = Credentials({})
    asked, answered = threading.Event(), threading.Event()

    def client() -> SimpleNamespace:
        asked.set()
        assert answered.wait(30)
        return SimpleNamespace(transport=None, get=lambda **_: "got")

    def ask() -> None:
        got.append(gcp.ask("Google", client, "get", {}, credentials, needs=""))

    got: list[str] = []
    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert asked.wait(30)
    assert credentials.client("another", lambda: "made") == "made"
    answered.set()
    for thread in threads:
        thread.join(30)
    assert got == ["got", "got"]


def test_redirects_are_not_followed() -> None:
    with Script((200, "{}")) as elsewhere, Script((307, "", {"Location": elsewhere.address})) as server:
        error = refusal(GcpKmsKey(f"{RING}/k"), "AAAA", at(server))
    assert error.message.startswith("Google Cloud KMS redirects to another server")
    assert elsewhere.seen == []


def at(server: Script) -> Credentials:
    """Credentials that send their token to this server."""
    return Credentials(
        {
            "GOOGLE_OAUTH_ACCESS_TOKEN": "t0ken",
            "SOPS_GCP_KMS_CLIENT_TYPE": "rest",
            "SOPS_GCP_KMS_ENDPOINT": server.address,
        },
        timeout=5,
    )


LOGIN = {
    "type": "external_account",
    "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
    "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
    "token_url": "https://sts.googleapis.com/v1/token",
}
"""A credentials file without the source of its token."""


@pytest.mark.posix
def test_the_program_of_a_login_is_not_run_from_a_work_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in (".git", "bin"):
        (tmp_path / folder).mkdir()
    program = tmp_path / "bin" / "a-login"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    login = {**LOGIN, "credential_source": {"executable": {"command": "a-login now"}}}
    who = Credentials({"GOOGLE_CREDENTIALS": json.dumps(login)})
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    assert gcp.identity(who)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MasterKeyError, match="a-login was not found, except in the work tree"):
        gcp.identity(who)


@pytest.mark.posix
def test_the_program_of_a_login_finds_others_only_outside_of_the_work_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = tmp_path / "tree"
    for folder in (tree / ".git", tree / "bin", tmp_path / "bin"):
        folder.mkdir(parents=True)
    for program, script in (
        (tree / "bin" / "helper", f"touch {tmp_path}/ran"),
        (tmp_path / "bin" / "login", "helper"),
    ):
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    login = {**LOGIN, "credential_source": {"executable": {"command": "login"}}}
    monkeypatch.setenv("PATH", f"{tree}/bin:{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.setenv("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "1")
    monkeypatch.chdir(tree)
    made = gcp.identity(Credentials({"GOOGLE_CREDENTIALS": json.dumps(login)}))
    with pytest.raises(RefreshError, match="return code 127"):
        made.retrieve_subject_token(None)
    assert not (tmp_path / "ran").exists()
