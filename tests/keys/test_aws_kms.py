from __future__ import annotations

import contextlib
import http.server
import json
import os
import re
import socket
import subprocess
import sys
import textwrap
import threading
import time
from binascii import a2b_base64
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from doubles.moto_server import REGION, ROOT, MotoServer
from oracle import Sops, SopsError, clean_environ

from encconf import api, keys
from encconf.engine.metadata import Metadata
from encconf.envelope.cache import DataKeyCache
from encconf.envelope.open import open_data_key
from encconf.envelope.wrap import wrap_for
from encconf.envelope.wrapped import WrappedKey
from encconf.errors import BadKeyError, KeyAccessError, MasterKeyError, NotMyKeyError
from encconf.formats import module
from encconf.identities.credentials import Credentials
from encconf.keys.aws_kms import AwsKmsKey
from encconf.providers.aws_session import session_name
from encconf.rules.config import Rule
from encconf.testing.contracts.master_key import MasterKeyContract

PROJECT = Path(__file__).resolve().parents[2]
DATA_KEY = bytes(range(32))
NOW = "2026-01-02T03:04:05Z"
ARN = "arn:aws:kms:eu-central-1:123456789012:key/92c2a9b0-0000-4000-8000-000000000000"
ALIAS = "arn:aws:kms:eu-central-1:123456789012:alias/sops"
CHINA = "arn:aws-cn:kms:cn-north-1:123456789012:key/mrk-12"
GOVERNMENT = "arn:aws-us-gov:kms:us-gov-west-1:1:alias/a/b"
ROLE = "arn:aws:iam::123456789012:role/sops"
PLAIN = "a: 1\nb: secret\n"

# --- names, entries, configuration -----------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "name"),
    [
        (AwsKmsKey(ARN), ARN),
        (AwsKmsKey(ARN, ROLE), f"{ARN}+{ROLE}"),
        (AwsKmsKey(ARN, "", {"b": "2", "a": "1"}), f"{ARN}|a:1,b:2"),
        (AwsKmsKey(ARN, "", None, "prod"), f"{ARN}||prod"),
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
        ({"arn": f"{ARN}+{ROLE}", "aws_profile": "p"}, AwsKmsKey(ARN, ROLE, None, "p")),
        ({"arn": ARN, "role": ROLE, "context": {"a:b": "c,d|e"}}, AwsKmsKey(ARN, ROLE, {"a:b": "c,d|e"})),
        ({"arn": ARN, "context": "a:1,b:2", "role": ""}, AwsKmsKey(ARN, "", {"a": "1", "b": "2"})),
        ({"arn": ARN, "context": None, "aws_profile": None}, AwsKmsKey(ARN)),
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
        {"arn": 5},
        {"arn": ARN, "role": ["x"]},
        {"arn": ARN, "profile": "x"},
        {"arn": ARN, 1: "x"},
        {"arn": ARN, "context": {"a": 1}},
        {"arn": ARN, "context": ["a"]},
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


# --- the service -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def aws() -> Iterator[MotoServer]:
    with MotoServer() as server:
        yield server


@pytest.fixture(autouse=True)
def _healthy(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "aws" in request.fixturenames:
        server: MotoServer = request.getfixturevalue("aws")
        server.delay, server.throttled, server.failing = 0, 0, 0
        server.enforce(False)


@pytest.fixture(scope="module")
def arn(aws: MotoServer) -> str:
    return new_key(aws)


def new_key(aws: MotoServer, region: str = REGION, **options: object) -> str:
    arn: str = aws.client("kms", region).create_key(**options)["KeyMetadata"]["Arn"]
    return arn


def credentials(aws: MotoServer, extra: Mapping[str, str] | None = None, **settings: Any) -> Credentials:
    """Those that may do everything, unless ``extra`` says otherwise ("" takes a variable away)."""
    environ = {**clean_environ(aws.environ), **(extra or {})}
    environ = {name: value for name, value in environ.items() if value}
    return Credentials(environ, home=settings.pop("home", None) or environ["HOME"], **settings)


NOBODY = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}


def write_aws(home: Path, config: str, secrets: str = "") -> None:
    folder = home / ".aws"
    folder.mkdir(exist_ok=True)
    (folder / "config").write_text(textwrap.dedent(config))
    (folder / "credentials").write_text(textwrap.dedent(secrets))


def policy(*statements: dict[str, object]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


class User:
    """A user of IAM with a policy; ``environ`` are the variables by which they sign."""

    def __init__(self, aws: MotoServer, name: str, *allowed: tuple[str, str]) -> None:
        iam = aws.client("iam")
        iam.create_user(UserName=name)
        statements = [{"Effect": "Allow", "Action": action, "Resource": on} for action, on in allowed]
        if statements:
            iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=policy(*statements))
        made = iam.create_access_key(UserName=name)["AccessKey"]
        self.id, self.secret = made["AccessKeyId"], made["SecretAccessKey"]

    @property
    def environ(self) -> dict[str, str]:
        return {"AWS_ACCESS_KEY_ID": self.id, "AWS_SECRET_ACCESS_KEY": self.secret}

    def profile(self, name: str) -> str:
        return f"[{name}]\naws_access_key_id = {self.id}\naws_secret_access_key = {self.secret}\n"


def refusal(key: AwsKmsKey, enc: str, who: Credentials) -> MasterKeyError:
    with pytest.raises(MasterKeyError) as caught:
        key.unwrap(enc, who)
    return caught.value


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
    for wrapped in Metadata.of(module("yaml").scan(text)).groups[0]:
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
        entries = [w.to_entry() for w in Metadata.of(module("yaml").scan(text)).groups[0]]
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


SECRETS = "".join(f"{name.lower()} = {value}\n" for name, value in ROOT.items())


# --- profiles and roles are hints ------------------------------------------------------------


@pytest.mark.services
def test_a_profile_that_is_not_there_falls_back_with_one_notice(aws: MotoServer, arn: str) -> None:
    said: list[str] = []
    who = credentials(aws, notify=said.append)
    key = AwsKmsKey(arn, profile="colleague")
    for _ in range(3):
        assert key.unwrap(key.wrap(DATA_KEY, who), who) == DATA_KEY
    (notice,) = said
    assert "the AWS profile colleague that the file names does not exist" in notice
    enc = key.wrap(DATA_KEY, who)
    with pytest.raises(SopsError):  # the pain that this is for
        Sops(aws.environ).decrypt(
            api.encrypt(PLAIN, Rule([[key]]), format="yaml", credentials=credentials(aws)), "yaml"
        )
    nobody = credentials(aws, NOBODY)
    with pytest.raises(NotMyKeyError):
        key.unwrap(enc, nobody)


@pytest.mark.services
@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, ["team"]),
        ({"AWS_PROFILE": "mine"}, ["mine"]),
        ({"AWS_DEFAULT_PROFILE": "mine"}, ["mine"]),
        ({"AWS_ACCESS_KEY_ID": "ENVIRONMENT", "AWS_SECRET_ACCESS_KEY": "x"}, ["ENVIRONMENT"]),
        # The environment's own key goes before its profile, as in the SDKs.
        (
            {"AWS_ACCESS_KEY_ID": "ENVIRONMENT", "AWS_SECRET_ACCESS_KEY": "x", "AWS_PROFILE": "mine"},
            ["ENVIRONMENT"],
        ),
        # An explicit choice goes before everything.
        (
            {"AWS_ACCESS_KEY_ID": "ENVIRONMENT", "AWS_SECRET_ACCESS_KEY": "x", "ENCCONF_AWS_PROFILE": "mine"},
            ["mine"],
        ),
        # What the environment names is not there: the file's profile is next.
        ({"AWS_PROFILE": "nowhere"}, ["team"]),
    ],
)
def test_the_environment_goes_before_the_file(
    aws: MotoServer, arn: str, home: Path, environ: dict[str, str], expected: list[str]
) -> None:
    profiles = "".join(
        f"[{name}]\naws_access_key_id = {name}\naws_secret_access_key = x\n"
        for name in ("team", "mine", "default")
    )
    write_aws(home, "", profiles)
    key = AwsKmsKey(arn, profile="team")
    enc = key.wrap(DATA_KEY, credentials(aws))
    aws.users.clear()
    assert key.unwrap(enc, credentials(aws, {**NOBODY, **environ, "HOME": str(home)})) == DATA_KEY
    assert aws.users == expected


@pytest.mark.services
def test_what_the_environment_may_not_the_profile_of_the_file_may(
    aws: MotoServer, arn: str, home: Path
) -> None:
    nobody = User(aws, "nobody")
    team = User(aws, "team", ("kms:*", "*"))
    write_aws(home, "", team.profile("team"))
    key = AwsKmsKey(arn, profile="team")
    enc = key.wrap(DATA_KEY, credentials(aws))
    aws.enforce()
    who = credentials(aws, {**nobody.environ, "HOME": str(home)})
    assert key.unwrap(enc, who) == DATA_KEY
    # Both may not: both reasons are told.
    write_aws(home, "", nobody.profile("team"))
    error = refusal(key, enc, credentials(aws, {**nobody.environ, "HOME": str(home)}))
    assert not isinstance(error, NotMyKeyError)
    lines = error.message.splitlines()
    assert len(lines) == 2
    assert lines[0].endswith("(with the default credentials)")
    assert lines[1].endswith("(with the profile team)")
    assert nobody.secret not in error.message


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
def test_only_by_way_of_the_role(aws: MotoServer, arn: str) -> None:
    iam = aws.client("iam")
    trust = policy({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"})
    role = iam.create_role(RoleName="opener", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    allows = policy({"Effect": "Allow", "Action": "kms:*", "Resource": "*"})
    iam.put_role_policy(RoleName="opener", PolicyName="p", PolicyDocument=allows)
    user = User(aws, "assumer", ("sts:AssumeRole", "*"))
    enc = AwsKmsKey(arn).wrap(DATA_KEY, credentials(aws))
    aws.enforce()
    who = credentials(aws, user.environ)
    assert AwsKmsKey(arn, role).unwrap(enc, who) == DATA_KEY
    error = refusal(AwsKmsKey(arn), enc, who)
    assert "AccessDenied" in error.message
    assert "kms:Decrypt" in str(error.hint)
    assert user.secret not in f"{error.message} {error.hint}"
    # The environment names another role than the file.
    other = credentials(aws, {**user.environ, "AWS_ROLE_ARN": role})
    assert AwsKmsKey(arn, f"{role}2").unwrap(enc, other) == DATA_KEY


@pytest.mark.services
def test_a_role_that_is_refused_does_not_hide_the_direct_way(aws: MotoServer, arn: str) -> None:
    user, nobody = User(aws, "direct", ("kms:*", "*")), User(aws, "nothing")
    key = AwsKmsKey(arn, ROLE)
    enc = key.wrap(DATA_KEY, credentials(aws))
    aws.enforce()
    who = credentials(aws, user.environ)
    aws.calls.clear()
    assert key.unwrap(enc, who) == DATA_KEY
    assert [call.split()[0] for call in aws.calls] == ["AssumeRole", "Decrypt"]
    error = refusal(key, enc, credentials(aws, nobody.environ))
    assert f"cannot assume the role {ROLE}: " in error.message.splitlines()[0]
    assert len(error.message.splitlines()) == 2


# --- where credentials come from -------------------------------------------------------------


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
    assert error.message == "the AWS profile needs a one-time code, and there is no terminal to prompt on"


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


# --- failures --------------------------------------------------------------------------------


@pytest.mark.services
def test_without_credentials_the_places_are_told(aws: MotoServer, home: Path) -> None:
    write_aws(home, "[profile x]\n")
    error = refusal(AwsKmsKey(ARN), "AAAA", credentials(aws, {**NOBODY, "HOME": str(home)}))
    assert isinstance(error, NotMyKeyError)
    assert error.message == (
        "no AWS credentials\n"
        "looked in: AWS_ACCESS_KEY_ID (unset), AWS_WEB_IDENTITY_TOKEN_FILE (unset), AWS_PROFILE (unset), "
        "~/.aws/credentials (nothing fitting), ~/.aws/config (nothing fitting), "
        "the instance's metadata (switched off)"
    )


@pytest.mark.services
def test_a_profile_of_the_environment_that_is_not_there(aws: MotoServer, arn: str) -> None:
    error = refusal(AwsKmsKey(arn), "AAAA", credentials(aws, {**NOBODY, "AWS_PROFILE": "nowhere"}))
    assert "nowhere" in error.message


@pytest.mark.services
def test_a_profile_that_was_chosen_is_used_or_nothing(aws: MotoServer, arn: str) -> None:
    who = credentials(aws, {"ENCCONF_AWS_PROFILE": "nowhere"}, notify=pytest.fail)
    for key in (AwsKmsKey(arn), AwsKmsKey(arn, profile="colleague")):
        error = refusal(key, "AAAA", who)
        assert error.message == "ProfileNotFound: The config profile (nowhere) could not be found"


@pytest.mark.services
def test_a_damaged_file_of_profiles(aws: MotoServer, arn: str, home: Path) -> None:
    write_aws(home, "[profile\nx")
    who = credentials(aws, {**NOBODY, "HOME": str(home)})
    assert "ConfigParseError" in refusal(AwsKmsKey(arn, profile="x"), "AAAA", who).message


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
def test_a_wrong_secret_is_never_repeated(aws: MotoServer, arn: str) -> None:
    user = User(aws, "forger", ("kms:*", "*"))
    enc = AwsKmsKey(arn).wrap(DATA_KEY, credentials(aws))
    aws.enforce()
    forged = "not-the-secret-" + "x" * 25
    error = refusal(AwsKmsKey(arn), enc, credentials(aws, {**user.environ, "AWS_SECRET_ACCESS_KEY": forged}))
    assert "Signature" in error.message
    assert not isinstance(error, NotMyKeyError)
    for secret in (forged, user.secret, "signature we calculated"):
        assert secret not in f"{error.message} {error.hint} {error!r}"


@pytest.mark.services
@pytest.mark.parametrize("fault", ["throttled", "failing"])
def test_what_passes_is_tried_again(aws: MotoServer, arn: str, fault: str) -> None:
    key, who = AwsKmsKey(arn), credentials(aws)
    enc = key.wrap(DATA_KEY, who)
    aws.calls.clear()
    setattr(aws, fault, 1)
    assert key.unwrap(enc, who) == DATA_KEY
    assert aws.calls == ["Decrypt", "Decrypt"]
    setattr(aws, fault, 100)
    aws.calls.clear()
    error = refusal(key, enc, who)
    name = "ThrottlingException" if fault == "throttled" else "KMSInternalException"
    assert error.message == f"{name}: a fault made by the test"
    assert 2 <= len(aws.calls) <= 5


@pytest.mark.services
def test_a_service_that_is_late(aws: MotoServer, arn: str) -> None:
    key = AwsKmsKey(arn)
    enc = key.wrap(DATA_KEY, credentials(aws))
    aws.delay = 2
    began = time.monotonic()
    who = credentials(aws, timeout=0.4)
    error = refusal(key, enc, who)
    assert error.message == f"AWS in {REGION} did not answer within 0.4 s"
    assert time.monotonic() - began < 8
    began = time.monotonic()
    with pytest.raises(KeyAccessError, match=r"answer within 0\.4 s"):
        open_data_key([[WrappedKey(key, enc, NOW)]], 0, who)
    assert time.monotonic() - began < 1.8


@pytest.mark.services
def test_a_service_that_is_not_there(aws: MotoServer, arn: str) -> None:
    gone = credentials(aws, {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"})
    error = refusal(AwsKmsKey(arn, ROLE, None, "nowhere"), "AAAA", gone)
    assert error.message.startswith(f"AWS in {REGION} cannot be reached: ")
    assert len(error.message.splitlines()) == 1  # no other credentials would help


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
        f"cannot get the data key: InvalidCiphertextException: {meaning} "
        "(none of its 2 master keys could be used)",
        f"  kms  {arn}|a:1  failed: InvalidCiphertextException: {meaning}",
        f"  kms  {arn}      failed: InvalidCiphertextException: {meaning}",
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
    assert time.monotonic() - began < 2.5  # one after the other it would be 5 s
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

BLOCKED = """
import sys
class Blocking:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == sys.argv[2]:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocking())
sys.path.insert(0, sys.argv[1])
from encconf.identities.credentials import Credentials
from encconf.errors import MissingExtraError
from encconf import keys
key = keys.from_entry("kms", {"arn": sys.argv[3]})
assert key.name == sys.argv[3]
for use in (lambda: key.wrap(bytes(32), Credentials({})), lambda: key.unwrap("AAAA", Credentials({}))):
    try:
        use()
    except MissingExtraError as error:
        print(error, "/", error.hint)
"""


@pytest.mark.parametrize("package", ["botocore", "jmespath", "urllib3", "dateutil"])
def test_a_missing_or_half_installed_sdk(package: str) -> None:
    """Reading the entry takes no SDK; using it says what to install."""
    command = [sys.executable, "-c", BLOCKED, str(PROJECT), package, ARN]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines() == ["AWS needs the package boto3 / pip install 'encconf[aws]'"] * 2


def test_reading_an_entry_loads_nothing() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from encconf import keys; before = set(sys.modules)\n"
        "keys.from_entry('kms', {'arn': 'x'}).name\n"
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before} - {'encconf'}))"
    )
    command = [sys.executable, "-S", "-c", code, str(PROJECT)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    light = {"re", "enum", "functools", "collections", "copyreg", "keyword", "operator", "reprlib", "types"}
    heavy = {name for name in done.stdout.split() if name.lstrip("_") not in light}
    heavy -= {"_sre", "_collections", "_collections_abc", "_functools", "_operator", "itertools", "binascii"}
    assert not heavy


def test_the_process_environment_is_not_touched() -> None:
    before = dict(os.environ)
    with contextlib.suppress(MasterKeyError):
        AwsKmsKey(ARN).unwrap("AAAA", Credentials({"AWS_EC2_METADATA_DISABLED": "true"}))
    assert dict(os.environ) == before


def test_g_a_stranger_s_key_is_not_tried_under_other_contexts() -> None:
    key = AwsKmsKey.from_config({"arn": "arn:aws:kms:eu-central-1:1:key/x", "context": "a:1,b:2"})
    assert key.context == {"a": "1", "b": "2"}
    asked: list[object] = []

    def ask(each: object) -> bytes:
        asked.append(each)
        raise NotMyKeyError("no credentials")

    with pytest.raises(NotMyKeyError, match="no credentials"):
        key.unwrap_spoiled(ask, Credentials({}))
    assert asked == [key]
