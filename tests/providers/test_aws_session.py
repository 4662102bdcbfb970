"""AWS: sessions have the settings of their credentials, and none of the process; against moto."""

from __future__ import annotations

import http.server
import json
import os
import socket
import threading
from pathlib import Path

import pytest
from doubles.moto_server import REGION, ROOT, MotoServer
from keys.kms import (
    DATA_KEY,
    NOBODY,
    PLAIN,
    ROLE,
    SECRETS,
    credentials,
    refusal,
    write_aws,
)
from keys.kms import arn as arn
from keys.kms import aws as aws
from keys.kms import healthy as healthy
from oracle import Sops

from encconf.errors import NotMyKeyError
from encconf.identities.credentials import Credentials
from encconf.keys.aws_kms import AwsKmsKey
from encconf.providers.aws import file_of, new_client, new_session, session_name


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("box", "sops@box"),
        ("my-box.example.com", "sops@mybox.example.com"),  # as sops has it: its class has a range in it
        ("häuschen_1 2", "sops@huschen_12"),
        ("x" * 100, "sops@" + "x" * 59),
        ("", "sops@"),
    ],
)
def test_the_session_of_a_role_is_named_as_by_sops(host: str, name: str) -> None:
    assert session_name(host) == name


@pytest.mark.services
def test_a_role_is_assumed_once_and_named_as_by_sops(aws: MotoServer, arn: str) -> None:
    who = credentials(aws)
    key = AwsKmsKey(arn, ROLE)
    aws.calls.clear()
    enc = key.wrap(DATA_KEY, who)
    assert key.unwrap(enc, who) == DATA_KEY
    session = session_name(socket.gethostname())
    assert aws.calls == [f"AssumeRole {session}", "Encrypt", "Decrypt"]
    aws.calls.clear()
    Sops(aws.environ).encrypt(PLAIN, "yaml", "--kms", f"{arn}+{ROLE}")
    assert aws.calls[0] == f"AssumeRole {session}"
    assert set(aws.calls) == {f"AssumeRole {session}", "Encrypt"}  # its SDK repeats what took too long


@pytest.mark.services
def test_the_settings_of_the_process_are_not_those_of_the_credentials(
    aws: MotoServer, arn: str, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    key = AwsKmsKey(arn)
    write_aws(home, "", f"[default]\n{SECRETS}")
    for name, value in ROOT.items():
        monkeypatch.setenv(name, value)
    who = credentials(aws)
    enc = key.wrap(DATA_KEY, who)
    with pytest.raises(NotMyKeyError):
        key.unwrap(enc, credentials(aws, NOBODY, home="/nonexistent"))
    monkeypatch.setenv("AWS_PROFILE", "nowhere")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "PROCESS")
    aws.users.clear()
    assert key.unwrap(enc, credentials(aws)) == DATA_KEY
    assert aws.users == ["testing"]


@pytest.mark.services
def test_the_process_s_own_environment(aws: MotoServer, arn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in aws.environ.items():
        monkeypatch.setenv(name, value)
    key = AwsKmsKey(arn)
    assert key.unwrap(key.wrap(DATA_KEY, Credentials.from_env()), Credentials.from_env()) == DATA_KEY


@pytest.mark.services
@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_KMS", None])
def test_the_address_of_the_service(aws: MotoServer, arn: str, home: Path, variable: str | None) -> None:
    key = AwsKmsKey(arn)
    environ = {"AWS_ENDPOINT_URL": "", "HOME": str(home)}
    if variable:
        environ |= {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", variable: aws.url}
    else:
        write_aws(home, f"[default]\nendpoint_url = {aws.url}\n")
    who = credentials(aws, environ)
    assert key.unwrap(key.wrap(DATA_KEY, who), who) == DATA_KEY


@pytest.mark.services
def test_files_in_other_places(aws: MotoServer, arn: str, tmp_path: Path) -> None:
    (tmp_path / "c").write_text("[profile x]\nsource_profile = y\nrole_arn = " + ROLE)
    (tmp_path / "s").write_text(f"[y]\n{SECRETS}")
    files = {"AWS_CONFIG_FILE": str(tmp_path / "c"), "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "s")}
    who = credentials(aws, {**NOBODY, **files, "AWS_PROFILE": "x"})
    key = AwsKmsKey(arn)
    aws.calls.clear()
    assert key.unwrap(key.wrap(DATA_KEY, who), who) == DATA_KEY
    assert [call.split()[0] for call in aws.calls] == ["AssumeRole", "Encrypt", "Decrypt"]
    again = credentials(aws, {**NOBODY, **files}, notify=pytest.fail)
    assert AwsKmsKey(arn, profile="x").unwrap(key.wrap(DATA_KEY, who), again) == DATA_KEY


@pytest.mark.services
def test_a_one_time_code_is_asked_for_where_somebody_can_answer(
    aws: MotoServer, arn: str, home: Path
) -> None:
    mfa = "arn:aws:iam::123456789012:mfa/me"
    config = f"[profile x]\nsource_profile = y\nrole_arn = {ROLE}\nmfa_serial = {mfa}\n"
    write_aws(home, config, f"[y]\n{SECRETS}")
    extra = {**NOBODY, "HOME": str(home), "AWS_PROFILE": "x"}
    key = AwsKmsKey(arn)
    asked: list[str] = []

    def answer(question: str) -> str:
        asked.append(question)
        return "123456"

    who = credentials(aws, extra, prompt=answer)
    enc = key.wrap(DATA_KEY, who)
    assert key.unwrap(enc, who) == DATA_KEY
    assert len(asked) == 1
    assert mfa in asked[0]
    error = refusal(key, enc, credentials(aws, extra))
    assert (
        error.message
        == "the AWS profile needs a one-time code, and encconf cannot ask for it without a terminal"
    )

    def end(question: str) -> str:
        raise EOFError

    error = refusal(key, enc, credentials(aws, extra, prompt=end))
    assert error.message == "the AWS profile needs a one-time code, and none was given"


@pytest.mark.services
def test_a_web_identity(aws: MotoServer, arn: str, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("header.payload.signature")
    names = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(token), "AWS_ROLE_ARN": ROLE, "AWS_ROLE_SESSION_NAME": "pod"}
    who = credentials(aws, {**NOBODY, **names})
    key = AwsKmsKey(arn)
    aws.calls.clear()
    enc = key.wrap(DATA_KEY, who)
    assert aws.calls == ["AssumeRoleWithWebIdentity pod", "Encrypt"]
    # It is that role already, so that the file's is not assumed by it first.
    aws.calls.clear()
    assert AwsKmsKey(arn, ROLE).unwrap(enc, who) == DATA_KEY
    assert aws.calls == ["Decrypt"]


@pytest.mark.services
def test_the_credentials_of_a_container(aws: MotoServer, arn: str) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = {
                "AccessKeyId": "CONTAINER",
                "SecretAccessKey": "x",
                "Token": "t",
                "Expiration": "2099-01-01T00:00:00Z",
            }
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        uri = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{server.server_port}/"}
        aws.users.clear()
        AwsKmsKey(arn).wrap(DATA_KEY, credentials(aws, {**NOBODY, **uri}))
        assert aws.users == ["CONTAINER"]
        server.shutdown()


def test_a_client_waits_and_repeats_within_limits() -> None:
    who = Credentials({**ROOT, "AWS_EC2_METADATA_DISABLED": "true"}, timeout=8)
    client = new_client(new_session(who, "", REGION), "kms", REGION, who)
    config = client.meta.config
    assert (config.connect_timeout, config.read_timeout) == (2, 6)
    assert config.retries["total_max_attempts"] == 4
    assert client.meta.endpoint_url == f"https://kms.{REGION}.amazonaws.com"


def test_whose_endpoint_is_used() -> None:
    def endpoint(service: str, **environ: str) -> str:
        who = Credentials({**ROOT, "AWS_EC2_METADATA_DISABLED": "true", **environ})
        found: str = new_client(new_session(who, "", REGION), service, REGION, who).meta.endpoint_url
        return found

    everywhere = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    assert endpoint("kms", **everywhere) == "http://127.0.0.1:1"
    assert endpoint("kms", **everywhere, AWS_ENDPOINT_URL_KMS="http://127.0.0.1:2") == "http://127.0.0.1:2"
    own = {"AWS_ENDPOINT_URL_SECRETS_MANAGER": "http://127.0.0.1:3"}
    assert endpoint("secretsmanager", **everywhere, **own) == "http://127.0.0.1:3"
    off = {**everywhere, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}
    assert endpoint("kms", **off) == f"https://kms.{REGION}.amazonaws.com"


def test_the_files_of_the_sdks() -> None:
    assert file_of("AWS_CONFIG_FILE", "config", Credentials({}, home="/h")) == "/h/.aws/config"
    assert file_of("AWS_CONFIG_FILE", "config", Credentials({"AWS_CONFIG_FILE": "/c"}, home="/h")) == "/c"
    assert not os.path.exists(file_of("AWS_CONFIG_FILE", "config", Credentials({})))


@pytest.mark.posix
def test_the_program_of_a_profile_is_not_run_from_a_work_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in (".git", "bin", "safe"):
        (tmp_path / "tree" / folder).mkdir(parents=True)
    for folder, answer in (("tree/bin", "touch ran"), ("safe", "echo '{\"Version\": 2}'")):
        (tmp_path / folder).mkdir(exist_ok=True)
        program = tmp_path / folder / "a-login"
        program.write_text(f"#!/bin/sh\n{answer}\n")
        program.chmod(0o755)
    (tmp_path / "config").write_text("[default]\ncredential_process = a-login now\n")
    monkeypatch.chdir(tmp_path / "tree")
    path = f"{tmp_path}/tree/bin:{os.environ['PATH']}"
    environ = {**NOBODY, "AWS_CONFIG_FILE": str(tmp_path / "config"), "PATH": path}
    key = AwsKmsKey("arn:aws:kms:us-east-1:123456789012:key/x")
    error = refusal(key, "AAAA", Credentials(environ, home=str(tmp_path)))
    assert error.message == "a-login was not found, except in the work tree"
    environ["PATH"] = f"{path}:{tmp_path}/safe"
    error = refusal(key, "AAAA", Credentials(environ, home=str(tmp_path)))
    assert "Unsupported version '2'" in error.message  # the other program ran
    assert not (tmp_path / "tree" / "ran").exists()
