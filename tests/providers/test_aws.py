"""AWS: whose credentials are used, and why a call failed; with keys of KMS, against moto."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Any

import pytest
from doubles.moto_server import REGION, ROOT, MotoServer
from doubles.script import Script, Seen
from keys.kms import (
    ARN,
    DATA_KEY,
    NOBODY,
    NOW,
    PLAIN,
    ROLE,
    User,
    credentials,
    policy,
    refusal,
    write_aws,
)
from keys.kms import arn as arn
from keys.kms import aws as aws
from keys.kms import healthy as healthy
from oracle import Sops, SopsError

from encconf import api
from encconf.envelope import WrappedKey
from encconf.envelope.unwrap import open_data_key
from encconf.errors import KeyAccessError, MasterKeyError, NotMyKeyError
from encconf.identities.credentials import Credentials
from encconf.keys.aws_kms import AwsKmsKey
from encconf.providers import aws as aws_provider
from encconf.rules.config import Rule


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
    # Both may not: the message has both reasons.
    write_aws(home, "", nobody.profile("team"))
    error = refusal(key, enc, credentials(aws, {**nobody.environ, "HOME": str(home)}))
    assert not isinstance(error, NotMyKeyError)
    lines = error.message.splitlines()
    assert len(lines) == 2
    assert lines[0].endswith("(with the default credentials)")
    assert lines[1].endswith("(with the profile team)")
    assert nobody.secret not in error.message


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


@pytest.mark.services
def test_without_credentials_the_places_are_reported(aws: MotoServer, home: Path) -> None:
    write_aws(home, "[profile x]\n")
    error = refusal(AwsKmsKey(ARN), "AAAA", credentials(aws, {**NOBODY, "HOME": str(home)}))
    assert isinstance(error, NotMyKeyError)
    assert error.message == (
        "no AWS credentials\n"
        "looked in: AWS_ACCESS_KEY_ID (unset), AWS_WEB_IDENTITY_TOKEN_FILE (unset), AWS_PROFILE (unset), "
        "~/.aws/credentials (nothing fitting), ~/.aws/config (nothing fitting), "
        "the instance's metadata (switched off)"
    )
    assert "aws sso login" in str(error.hint)


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
        assert "aws configure list-profiles" in str(error.hint)


@pytest.mark.services
def test_a_damaged_file_of_profiles(aws: MotoServer, arn: str, home: Path) -> None:
    write_aws(home, "[profile\nx")
    who = credentials(aws, {**NOBODY, "HOME": str(home)})
    assert "ConfigParseError" in refusal(AwsKmsKey(arn, profile="x"), "AAAA", who).message


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
    assert time.monotonic() - began < 30
    began = time.monotonic()
    with pytest.raises(KeyAccessError, match=r"answer within 0\.4 s"):
        open_data_key([[WrappedKey(key, enc, NOW)]], 0, who)
    assert time.monotonic() - began < 30


@pytest.mark.services
def test_a_service_that_is_not_there(aws: MotoServer, arn: str) -> None:
    gone = credentials(aws, {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"})
    error = refusal(AwsKmsKey(arn, ROLE, profile="nowhere"), "AAAA", gone)
    assert error.message.startswith(f"AWS in {REGION} cannot be reached: ")
    assert len(error.message.splitlines()) == 1  # no other credentials would help


def test_the_process_environment_is_not_touched() -> None:
    before = dict(os.environ)
    with contextlib.suppress(MasterKeyError):
        AwsKmsKey(ARN).unwrap("AAAA", Credentials({"AWS_EC2_METADATA_DISABLED": "true"}))
    assert dict(os.environ) == before


# --- answers of something else ---------------------------------------------------------------

OWN = {**ROOT, "AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": REGION}


def asked(server: Script, **settings: Any) -> tuple[list[MasterKeyError], list[Seen]]:
    """The errors of opening, wrapping and fetching, and what the server saw."""
    who = Credentials({**OWN, "AWS_ENDPOINT_URL": server.address}, **settings)
    errors = []
    for use in (
        lambda: AwsKmsKey(ARN).unwrap("AAAA", who),
        lambda: AwsKmsKey(ARN).wrap(DATA_KEY, who),
        lambda: aws_provider.ask(
            *("secretsmanager", "get_secret_value", {"SecretId": "x"}),
            aws_provider.ways("", "", REGION, who),
            *(who,),
            needs="x",
        )["SecretString"].upper(),
    ):
        with pytest.raises((MasterKeyError, KeyError)) as caught:
            use()
        if isinstance(caught.value, MasterKeyError):
            errors.append(caught.value)
    for error in errors:
        assert ROOT["AWS_SECRET_ACCESS_KEY"] not in f"{error!r} {error.hint}"
    return errors, server.seen


@pytest.mark.parametrize(
    "body",
    [
        *("", "nonsense", "{}", "[]", "null", '"x"', "[" * 100_000, '{"Plaintext": 5}', '{"Plaintext": []}'),
        *('{"Plaintext": null, "CiphertextBlob": null}', '{"CiphertextBlob": {}}', "x" * 3_000_000),
    ],
)
def test_whatever_a_server_answers_is_an_error_of_ours(body: str) -> None:
    with Script((200, body)) as server:
        errors, _ = asked(server)
    assert len(errors) >= 2
    for error in errors:
        assert error.message in (
            *(f"AWS in {REGION} returned an answer that cannot be read", "the answer is not from AWS KMS"),
        )


@pytest.mark.parametrize(
    ("answer", "said", "reason"),
    [
        ((403, "<html>no</html>"), "HTTP 403: AWS gives no reason", "denied"),
        ((403, "<Error><Code>AccessDenied</Code></Error>"), "AccessDenied: AWS gives no reason", "denied"),
        ((400, "[]"), "", ""),
        ((400, '{"__type": 5}'), "", ""),
        ((400, '{"__type": "Odd\\u001b[2J", "message": "two\\nlines"}'), "", "wrong"),
        ((404, ""), "HTTP 404: AWS gives no reason", "wrong"),
    ],
)
def test_a_refusal_in_other_words(answer: tuple[int, str], said: str, reason: str) -> None:
    with Script(answer) as server:
        errors, seen = asked(server)
    assert len(errors) == 3
    for error in errors:
        assert error.message.isprintable()
        assert len(error.message) < 500
        if said:
            assert said in error.message
        if reason:
            assert error.reason == reason
    assert len(seen) == 3  # it is not asked again


def test_redirects_are_not_followed() -> None:
    with Script((200, "{}")) as elsewhere:
        with Script((307, "", {"Location": elsewhere.address})) as server:
            errors, _ = asked(server)
        assert len(errors) == 3
    assert elsewhere.seen == []


def test_the_region_that_the_environment_names(home: Path) -> None:
    def region(profile: str = "", **environ: str) -> str | None:
        return aws_provider.home_region(Credentials(environ, home=str(home)), profile)

    assert region() is None
    write_aws(home, "[default]\nregion = eu-west-1\n[profile x]\nregion = eu-west-2\n")
    assert region() == "eu-west-1"
    assert region("x") == "eu-west-2"
    assert region("nowhere") is None
    assert region("x", ENCCONF_AWS_PROFILE="default") == "eu-west-1"
    assert region(AWS_DEFAULT_REGION="a") == "a"
    assert region(AWS_DEFAULT_REGION="a", AWS_REGION="b") == "b"


def test_a_way_is_shown_by_its_profile_and_role() -> None:
    who = Credentials({"AWS_PROFILE": "mine"})
    assert [str(way) for way in aws_provider.ways("", "", REGION, who)] == ["the default credentials"]
    role = [str(way) for way in aws_provider.ways("", "r\x1b", REGION, who)]
    assert role == ["the default credentials as r?", "the default credentials"]
