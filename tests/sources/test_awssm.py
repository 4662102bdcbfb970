"""``awssm:``, and what ``awsssm:`` does alike, against moto: the credentials of users, roles and machines."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from doubles.moto_server import REGION, ROOT, MotoServer
from sources.aws_store import VALUE, AwsContract, user

from encconf import sources
from encconf.errors import SourceError
from encconf.identities.credentials import Credentials
from encconf.testing.contracts.source import PATIENCE, failure, shown

pytestmark = pytest.mark.services


def new_role(aws: MotoServer, name: str, allowed: str) -> str:
    """The ARN of a role that anybody may take who may take one at all."""
    iam = aws.client("iam")
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    statement = {"Effect": "Allow", "Action": allowed, "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy)
    return arn


class TestSecretsManager(AwsContract):
    SCHEME = "awssm"
    ADDRESS = "awssm:app/db"
    MISSING = "awssm:app/nothing"
    WRONG = "awssm:arn:aws:s3:::bucket"

    @pytest.fixture
    def structured(self) -> str:
        return "awssm:app/tree"

    @pytest.fixture
    def vals(self) -> str:
        return f"ref+awssecrets://app/db?region={REGION}"

    @pytest.fixture
    def fresh(self) -> str:
        return f"awssm:new/{os.urandom(6).hex()}"


# --- Secrets Manager -------------------------------------------------------------------------


def test_a_secret_by_its_arn_brings_its_region(aws: MotoServer, aws_names: dict[str, str]) -> None:
    arn = aws_names["secret"]
    for address in (f"awssm:{arn}", f"ref+awssecrets://{arn}", f"awssm:{arn}/"):
        assert sources.fetch(address, Credentials(aws.environ)) == VALUE
    error = failure("awssm:app/db", Credentials(aws.environ))
    message = "no AWS region is set for secretsmanager"
    assert (error.reason, error.message) == ("unusable", message)
    assert sources.fetch(f"awssm:app/db?region={REGION}", Credentials(aws.environ)) == VALUE
    by_default = Credentials({**aws.environ, "AWS_DEFAULT_REGION": REGION})
    assert sources.fetch("awssm:app/db", by_default) == VALUE
    other = Credentials({**aws.environ, "AWS_REGION": "us-west-2"})
    assert failure("awssm:app/db", other).reason == "missing"
    for region in ("evil.example/", "eu@evil", "EU", "eu central"):
        error = failure(f"awssm:app/db?region={region}", Credentials(aws.environ))
        assert (error.reason, error.message) == ("wrong", "this is not the name of a region")


def test_versions_of_a_secret(aws: MotoServer, aws_credentials: Credentials) -> None:
    manager = aws.client("secretsmanager")
    first = manager.create_secret(Name="versions", SecretString="1")["VersionId"]
    second = manager.put_secret_value(SecretId="versions", SecretString="2")["VersionId"]
    for query, value in {
        "": b"2",
        f"?version={first}": b"1",
        f"?version={second}": b"2",
        "?version=AWSCURRENT": b"2",
        "?version=AWSPREVIOUS": b"1",
        f"?version_id={first}": b"1",
        "?version_stage=AWSPREVIOUS": b"1",
        f"?version_id={first}&version_stage=AWSPREVIOUS": b"1",
    }.items():
        assert sources.fetch(f"awssm:versions{query}", aws_credentials) == value
    assert failure("awssm:versions?version=NOSUCH", aws_credentials).reason == "missing"
    absent = "00000000-0000-0000-0000-000000000000"
    assert failure(f"awssm:versions?version={absent}", aws_credentials).reason == "missing"


def test_a_secret_that_is_deleted_or_bytes_or_nothing(aws: MotoServer, aws_credentials: Credentials) -> None:
    manager = aws.client("secretsmanager")
    manager.create_secret(Name="bytes", SecretBinary=b"\xff\x00")
    assert sources.fetch("awssm:bytes", aws_credentials) == b"\xff\x00"
    manager.create_secret(Name="gone", SecretString="1")
    manager.delete_secret(SecretId="gone")
    error = failure("awssm:gone", aws_credentials)
    assert error.reason == "missing"
    assert "marked for deletion" in error.message or "marked deleted" in error.message
    manager.create_secret(Name="empty")
    assert failure("awssm:empty", aws_credentials).reason == "missing"


def test_the_sdk_reads_what_is_written(aws: MotoServer, aws_credentials: Credentials) -> None:
    sources.store("awssm:written", "täxt".encode(), aws_credentials)
    assert aws.client("secretsmanager").get_secret_value(SecretId="written")["SecretString"] == "täxt"
    sources.store("awssm:written", b"\xff", aws_credentials, replace=True)
    assert aws.client("secretsmanager").get_secret_value(SecretId="written")["SecretBinary"] == b"\xff"
    sources.store("awsssm:/written", "täxt".encode(), aws_credentials)
    store = aws.client("ssm")
    found = store.get_parameter(Name="/written", WithDecryption=True)["Parameter"]
    assert (found["Value"], found["Type"]) == ("täxt", "SecureString")


# --- Parameter Store -------------------------------------------------------------------------


# --- with which identity -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "action"),
    [("awssm:app/db", "secretsmanager:GetSecretValue"), ("awsssm:/app/db", "ssm:GetParameter")],
)
def test_the_permission_that_is_documented_is_enough(
    aws: MotoServer, aws_environ: dict[str, str], address: str, action: str
) -> None:
    one, nobody = user(aws, action), user(aws, "s3:*")
    aws.enforce()
    assert sources.fetch(address, Credentials({**aws_environ, **one})) == VALUE
    error = failure(address, Credentials({**aws_environ, **nobody}))
    assert error.reason == "denied"
    assert str(error.hint).startswith(f"you need {action} on")
    error = failure(
        address, Credentials({**aws_environ, **one, "AWS_SECRET_ACCESS_KEY": "not-the-key-of-one"})
    )
    assert error.reason == "denied"
    for secret in (one["AWS_SECRET_ACCESS_KEY"], "not-the-key-of-one"):
        assert secret not in shown(error)
    with pytest.raises(SourceError) as caught:
        sources.store(address, b"x", Credentials({**aws_environ, **one}), replace=True)
    assert caught.value.reason == "denied"


def test_a_profile_and_a_role(aws: MotoServer, aws_environ: dict[str, str], tmp_path: Path) -> None:
    """An address may say which, and the environment has the last word."""
    role = new_role(aws, "reader", "secretsmanager:GetSecretValue")
    one, assumer = user(aws, "secretsmanager:GetSecretValue"), user(aws, "sts:AssumeRole")
    folder = tmp_path / ".aws"
    folder.mkdir()
    (folder / "config").write_text("[profile team]\nregion = eu-central-1\n")
    (folder / "credentials").write_text(
        "[team]\n" + "".join(f"{name.lower()} = {value}\n" for name, value in one.items())
    )
    bare = {name: value for name, value in aws.environ.items() if name not in ROOT}
    nobody = user(aws)
    aws.enforce()
    by_profile = Credentials(bare, home=str(tmp_path))
    assert sources.fetch("awssm:app/db?profile=team", by_profile) == VALUE
    assert (
        sources.fetch("awssm:app/db", Credentials({**bare, "AWS_PROFILE": "team"}, home=str(tmp_path)))
        == VALUE
    )
    by_role = Credentials({**aws_environ, **assumer})
    assert failure("awssm:app/db", by_role).reason == "denied"
    assert sources.fetch(f"awssm:app/db?role_arn={role}", Credentials({**aws_environ, **assumer})) == VALUE
    error = failure(f"awssm:app/db?role_arn={role}", Credentials({**aws_environ, **nobody}))
    assert error.reason == "denied"
    assert assumer["AWS_SECRET_ACCESS_KEY"] not in shown(error)


@pytest.fixture
def metadata() -> Iterator[tuple[str, dict[str, Any], list[str]]]:
    """An instance's metadata service (version 2): its address, its role's credentials, what was asked."""
    role: dict[str, Any] = {}
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self._reply("a-metadata-token")

        def do_GET(self) -> None:
            if self.headers.get("X-aws-ec2-metadata-token") != "a-metadata-token":
                self.send_error(401)
            elif self.path.endswith("/iam/security-credentials/"):
                self._reply("machine")
            elif self.path.endswith("/iam/security-credentials/machine") or self.path == "/container":
                self._reply(json.dumps(role))
            else:
                self.send_error(404)

        def _reply(self, text: str) -> None:
            asked.append(f"{self.command} {self.path}")
            self.send_response(200)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *args: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", role, asked
    server.shutdown()
    server.server_close()


def test_the_machine_s_own_identity(
    aws: MotoServer,
    aws_names: dict[str, str],
    metadata: tuple[str, dict[str, Any], list[str]],
    tmp_path: Path,
    patient: None,
) -> None:
    """No credential lies on the machine: its metadata service gives one that ends."""
    url, role, asked = metadata
    given = aws.client("sts").assume_role(
        RoleArn=new_role(aws, "machine", "secretsmanager:GetSecretValue"), RoleSessionName="i-0123"
    )["Credentials"]
    role.update(
        Code="Success",
        Type="AWS-HMAC",
        AccessKeyId=given["AccessKeyId"],
        SecretAccessKey=given["SecretAccessKey"],
        Token=given["SessionToken"],
        Expiration="2099-01-01T00:00:00Z",
        LastUpdated="2020-01-01T00:00:00Z",
    )
    (tmp_path / "config").write_text(f"[default]\nec2_metadata_service_endpoint = {url}/\n")
    aws_environ = {
        "AWS_ENDPOINT_URL": aws.url,
        "AWS_REGION": REGION,
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
    }
    aws.enforce()
    aws.users.clear()
    aws_credentials = Credentials(aws_environ)
    assert sources.fetch("awssm:app/db", aws_credentials) == VALUE
    assert failure("awsssm:/app/db", aws_credentials).reason == "denied"
    assert set(aws.users) == {given["AccessKeyId"]}
    assert (
        asked
        == [
            "PUT /latest/api/token",
            "GET /latest/meta-data/iam/security-credentials/",
            "GET /latest/meta-data/iam/security-credentials/machine",
        ]
        * 2
    )  # once for each service
    asked.clear()
    off = Credentials({**aws_environ, "AWS_EC2_METADATA_DISABLED": "true"})
    assert failure("awssm:app/db", off).reason == "unusable"
    sources.probe("awssm", Credentials(aws_environ))  # this machine is none of Amazon's
    assert asked == []


def test_a_probe_says_with_which_identity(
    aws: MotoServer, aws_environ: dict[str, str], patient: None
) -> None:
    for scheme in ("awssm", "awsssm"):
        found = sources.probe(scheme, Credentials(aws_environ))
        assert found.usable
        assert str(found.who).startswith("arn:aws:sts::123456789012:")
        assert found.note == f"region {REGION}"
    found = sources.probe("awssm", Credentials(aws.environ))
    assert (found.usable, found.missing) == (True, ["a region (AWS_REGION), unless addresses name it"])


@pytest.fixture
def trickling() -> Iterator[str]:
    """``127.0.0.1:PORT``, where an answer begins at once and never ends, a sign every tenth of a second."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            try:
                while not over.wait(0.1):
                    self.wfile.write(b" ")
            except OSError:
                pass

        def log_message(self, *args: object) -> None:
            """Nothing."""

    over = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    over.set()
    server.shutdown()
    server.server_close()


def test_an_answer_that_never_ends(aws_environ: dict[str, str], trickling: str) -> None:
    started = time.monotonic()
    there = Credentials({**aws_environ, "AWS_ENDPOINT_URL": f"http://{trickling}"}, timeout=PATIENCE)
    error = failure("awssm:app/db", there)
    assert (error.reason, error.message) == ("slow", f"AWS in {REGION} did not answer within 1 s")
    assert time.monotonic() - started < 20 * PATIENCE


def test_what_passes_is_asked_again(aws: MotoServer, aws_environ: dict[str, str]) -> None:
    aws.faults = ["400 ThrottlingException", "500 InternalServiceError"]
    assert sources.fetch("awssm:app/db", Credentials(aws_environ)) == VALUE
    aws.faults = ["400 ThrottlingException"] * 4
    assert failure("awssm:app/db", Credentials(aws_environ)).reason == "unreachable"
    assert aws.faults == []
