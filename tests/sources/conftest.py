"""Servers that are of no use, and files that may not be read, for all tests of this folder."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from doubles.testca import TestCA
from engine import rule
from oracle import AgeKey
from sources.store import Store

from encconf import api, sources
from encconf.identities.credentials import Credentials
from encconf.rules.selection import DEFAULT, Selection
from encconf.testing.contracts.source import WHOLE

from .machine import who

# Imported where it is used: tests of this folder that start no server need no SDK.
if TYPE_CHECKING:
    from doubles.moto_server import MotoServer

VALUE = b"s3cret-of-this-machine"


@pytest.fixture
def silent() -> Iterator[str]:
    """``127.0.0.1:PORT``, where one is let in and never answered."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def nobody_there() -> Iterator[str]:
    """``127.0.0.1:PORT``, where nothing listens, and no other program will."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe may take long: here much else goes on, and two seconds are soon over."""
    monkeypatch.setattr(sources, "PROBE_LIMIT", 60.0)


@pytest.fixture
def closed() -> Iterator[Callable[[], Path]]:
    """Gives a folder with files that this user may not read, who is nobody from then on if it was root."""
    folder = Path(tempfile.mkdtemp(prefix="closed-"))
    user = os.geteuid()

    def close() -> Path:
        for path in (folder / "db", folder / "secret"):
            path.write_bytes(VALUE)
            sources.fetch(f"file:{path}", who())  # all that it takes is loaded
            path.chmod(0)
        folder.chmod(0o555)
        if user == 0:
            os.seteuid(65534)
        return folder

    yield close
    os.seteuid(user)
    folder.chmod(0o700)
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def ca(tmp_path_factory: pytest.TempPathFactory) -> TestCA:
    """A certificate authority for the servers of a test."""
    return TestCA(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="session")
def aws_server() -> Iterator[MotoServer]:
    from doubles.moto_server import MotoServer

    with MotoServer() as server:
        yield server


@pytest.fixture
def aws(aws_server: MotoServer) -> Iterator[MotoServer]:
    """The server, which is sound again after the test."""
    yield aws_server
    aws_server.delay = 0
    aws_server.faults.clear()
    aws_server.enforce(False)


@pytest.fixture(scope="session")
def aws_names(aws_server: MotoServer) -> dict[str, str]:
    """What there is: a text and a JSON, as a secret and as a parameter; by "secret" the ARN of the former."""
    from sources.aws_store import VALUE as OF_AN_ACCOUNT

    manager, store = aws_server.client("secretsmanager"), aws_server.client("ssm")
    arn = manager.create_secret(Name="app/db", SecretString=OF_AN_ACCOUNT.decode())["ARN"]
    manager.create_secret(Name="app/tree", SecretString=WHOLE)
    store.put_parameter(Name="/app/db", Value=OF_AN_ACCOUNT.decode(), Type="SecureString")
    store.put_parameter(Name="/app/tree", Value=WHOLE, Type="String")
    return {"secret": arn}


@pytest.fixture
def aws_environ(aws: MotoServer, aws_names: dict[str, str]) -> dict[str, str]:
    from doubles.moto_server import REGION

    return {**aws.environ, "AWS_REGION": REGION}


@pytest.fixture
def aws_credentials(aws_environ: dict[str, str]) -> Credentials:
    return Credentials(aws_environ)


@pytest.fixture
def seal(age_key: AgeKey) -> Callable[..., str]:
    """Encrypt a tree, as YAML (which JSON is), for ``age_key``."""

    def sealed(tree: object, format: str = "yaml", selection: Selection = DEFAULT) -> str:
        text = tree if isinstance(tree, str) else json.dumps(tree)
        return api.encrypt(text, rule(age_key, selection=selection), format=format)

    return sealed


@pytest.fixture
def credentials(age_key: AgeKey) -> Callable[..., Credentials]:
    def made(**environ: str) -> Credentials:
        return Credentials.from_env(
            {"SOPS_AGE_KEY": age_key.identity, "PATH": os.environ["PATH"], **environ}, platform="linux"
        )

    return made


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    double = Store()
    monkeypatch.setitem(sys.modules, double.__name__, double)
    monkeypatch.setitem(sources.TABLE, "double", sources.Row(double.__name__, asked=True))
    return double
