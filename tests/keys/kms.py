"""AWS KMS on this machine, its users and their profiles, for tests of keys and of the provider."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from doubles.moto_server import REGION, ROOT, MotoServer
from oracle import clean_environ

from encconf.errors import MasterKeyError
from encconf.identities.credentials import Credentials
from encconf.keys.aws_kms import AwsKmsKey

DATA_KEY = bytes(range(32))


NOW = "2026-01-02T03:04:05Z"


ARN = "arn:aws:kms:eu-central-1:123456789012:key/92c2a9b0-0000-4000-8000-000000000000"


ROLE = "arn:aws:iam::123456789012:role/sops"


PLAIN = "a: 1\nb: secret\n"


@pytest.fixture(scope="module")
def aws() -> Iterator[MotoServer]:
    with MotoServer() as server:
        yield server


@pytest.fixture(autouse=True)
def healthy(request: pytest.FixtureRequest) -> Iterator[None]:
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


SECRETS = "".join(f"{name.lower()} = {value}\n" for name, value in ROOT.items())
