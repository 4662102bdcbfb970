"""What both sources of AWS have in common."""

from __future__ import annotations

import json
import os

import pytest
from doubles.moto_server import ROOT, MotoServer

from encconf import sources
from encconf.errors import SourceError
from encconf.identities.credentials import Credentials
from encconf.testing.contracts.source import PATIENCE, Failing, Place, WritableSourceContract

VALUE = b"s3cret-of-an-account"


def user(aws: MotoServer, *allowed: str) -> dict[str, str]:
    """The variables of a new user, who may do this and nothing else, once policies are enforced."""
    iam, name = aws.client("iam"), f"user-{os.urandom(4).hex()}"
    iam.create_user(UserName=name)
    if allowed:
        statement = {"Effect": "Allow", "Action": list(allowed), "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}


class AwsContract(WritableSourceContract):
    REASONS = frozenset({"missing", "denied", "expired", "unreachable", "slow", "wrong", "unusable"})
    ADDRESS = ""
    MISSING = ""
    WRONG = ""

    @pytest.fixture
    def place(self, aws_environ: dict[str, str]) -> Place:
        return Place(self.ADDRESS, VALUE, lambda: Credentials(aws_environ), [ROOT["AWS_SECRET_ACCESS_KEY"]])

    @pytest.fixture
    def failing(
        self, aws: MotoServer, aws_environ: dict[str, str], silent: str, nobody_there: str, place: Place
    ) -> Failing:
        def denied() -> tuple[str, Credentials]:
            nobody = user(aws)
            place.secrets.append(nobody["AWS_SECRET_ACCESS_KEY"])
            aws.enforce()
            return self.ADDRESS, Credentials({**aws_environ, **nobody})

        def expired() -> tuple[str, Credentials]:
            aws.faults = ["400 ExpiredTokenException"] * 4
            return self.ADDRESS, Credentials(
                {**aws_environ, "AWS_SESSION_TOKEN": "a-session-token-of-a-test"}
            )

        place.secrets.append("a-session-token-of-a-test")
        slow = {**aws_environ, "AWS_ENDPOINT_URL": f"http://{silent}"}
        away = {**aws_environ, "AWS_ENDPOINT_URL": f"http://{nobody_there}"}
        bare = {name: value for name, value in aws_environ.items() if name not in ROOT}
        return lambda reason: {
            "missing": lambda: (self.MISSING, Credentials(aws_environ)),
            "denied": denied,
            "expired": expired,
            "unreachable": lambda: (self.ADDRESS, Credentials(away)),
            "slow": lambda: (self.ADDRESS, Credentials(slow, timeout=PATIENCE)),
            "wrong": lambda: (self.WRONG, Credentials(aws_environ)),
            "unusable": lambda: (self.ADDRESS, Credentials(bare)),
        }[reason]()

    def test_what_a_repeated_call_finds_is_its_own(
        self, aws: MotoServer, aws_environ: dict[str, str], fresh: str
    ) -> None:
        """The SDK repeats a call whose answer was lost, and AWS says that the secret exists."""
        credentials = Credentials(aws_environ)
        aws.lost = 1
        sources.store(fresh, VALUE, credentials)
        assert aws.lost == 0
        assert sources.fetch(fresh, credentials) == VALUE
        with pytest.raises(SourceError, match="was not changed"):
            sources.store(fresh, b"another", credentials)
