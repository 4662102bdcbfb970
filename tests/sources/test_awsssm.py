"""A parameter of AWS Systems Manager's Parameter Store."""

from __future__ import annotations

import os

import pytest
from doubles.moto_server import REGION, MotoServer
from sources.aws_store import AwsContract

from encconf import sources
from encconf.identities.credentials import Credentials
from encconf.testing.contracts.source import failure

pytestmark = pytest.mark.services


class TestParameterStore(AwsContract):
    SCHEME = "awsssm"
    BYTES = False
    ADDRESS = "awsssm:/app/db"
    MISSING = "awsssm:/app/nothing"
    WRONG = "awsssm:/app/a b"

    @pytest.fixture
    def structured(self) -> str:
        return "awsssm:/app/tree"

    @pytest.fixture
    def vals(self) -> str:
        return f"ref+awsssm://app/db?region={REGION}"

    @pytest.fixture
    def fresh(self) -> str:
        return f"awsssm:/new/{os.urandom(6).hex()}"


def test_versions_of_a_parameter(aws: MotoServer, aws_credentials: Credentials) -> None:
    store = aws.client("ssm")
    for value in "123":
        store.put_parameter(Name="/versions", Value=value, Type="SecureString", Overwrite=True)
    store.label_parameter_version(Name="/versions", ParameterVersion=2, Labels=["stable"])
    assert sources.fetch("awsssm:/versions", aws_credentials) == b"3"
    assert sources.fetch("awsssm:/versions?version=1", aws_credentials) == b"1"
    assert sources.fetch("awsssm:/versions?version=stable", aws_credentials) == b"2"
    assert failure("awsssm:/versions?version=9", aws_credentials).reason == "missing"


def test_what_else_is_a_parameter(aws: MotoServer, aws_credentials: Credentials) -> None:
    store = aws.client("ssm")
    store.put_parameter(Name="list", Value="a,b", Type="StringList")
    store.put_parameter(Name="/app/one/two", Value="x", Type="String")
    store.put_parameter(Name="/app/yaml", Value="a: {b: c}", Type="String")
    assert sources.fetch("awsssm:list", aws_credentials) == b"a,b"
    for address, value in {
        "ref+awsssm://app/one#/two": b"x",
        "ref+awsssm://app#/one/two": b"x",
        "ref+awsssm://app/yaml?mode=singleparam#/a/b": b"c",
        "ref+awsssm://app?recursive=true#/one/two": b"x",
        "awsssm:/app/yaml#a/b": b"c",
    }.items():
        assert sources.fetch(address, aws_credentials) == value
    for address in ("awsssm:/a?mode=many", "awsssm:/ä", "awsssm:arn:aws:ssm:x"):
        assert failure(address, aws_credentials).reason == "wrong"
