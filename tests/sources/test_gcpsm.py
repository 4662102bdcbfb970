"""``gcpsm:`` against a double of Secret Manager under Google's host names, by Google's own client."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from doubles.connect_proxy import ConnectProxy
from doubles.gcp_kms import GcpKms, token_server
from doubles.gcp_secrets import SecretStore, serve
from doubles.testca import TestCA
from google.api_core import exceptions
from google.cloud.secretmanager_v1 import SecretManagerServiceClient
from google.oauth2.credentials import Credentials as Token
from keys.cloud_kms import ca as ca
from oracle import clean_environ

from encconf import sources
from encconf.errors import SourceError
from encconf.identities.credentials import Credentials
from encconf.testing.contracts.source import (
    PATIENCE,
    WHOLE,
    Failing,
    Place,
    WritableSourceContract,
    failure,
    shown,
)

pytestmark = pytest.mark.services

VALUE = b"s3cret-of-a-project"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def served(ca: TestCA) -> Iterator[tuple[SecretStore, int]]:
    store = SecretStore()
    with serve(store, ca) as port:
        yield store, port


@pytest.fixture
def store(served: tuple[SecretStore, int]) -> Iterator[SecretStore]:
    store, _ = served
    store.secrets.clear()
    store.calls.clear()
    store.add("projects/p/secrets/db", VALUE)
    store.add("projects/p/secrets/tree", WHOLE.encode())
    yield store
    store.delay, store.damaging = 0, False
    store.faults.clear()
    store.denied.clear()


@pytest.fixture(autouse=True)
def proxy(served: tuple[SecretStore, int], monkeypatch: pytest.MonkeyPatch) -> Iterator[ConnectProxy]:
    """The way to the double."""
    hosts = ("secretmanager.googleapis.com", "secretmanager.*.rep.googleapis.com")
    with ConnectProxy(dict.fromkeys(hosts, served[1])) as proxy:
        for name, value in proxy.environ.items():
            monkeypatch.setenv(name, value)
        yield proxy


@pytest.fixture
def environ(store: SecretStore) -> dict[str, str]:
    return {"GOOGLE_OAUTH_ACCESS_TOKEN": store.token, "NO_GCE_CHECK": "true"}


class TestSecretManager(WritableSourceContract):
    SCHEME = "gcpsm"
    REASONS = frozenset({"missing", "denied", "expired", "unreachable", "slow", "wrong", "unusable"})

    @pytest.fixture
    def place(self, store: SecretStore, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Place:
        google = logging.getLogger("google")  # which is silent unless somebody wants to hear it
        monkeypatch.setattr(google, "propagate", True)
        monkeypatch.setattr(google, "level", logging.DEBUG)
        return Place("gcpsm:p/db", VALUE, lambda: Credentials(environ), [store.token])

    @pytest.fixture
    def structured(self) -> str:
        return "gcpsm:p/tree"

    @pytest.fixture
    def vals(self) -> str:
        return "ref+gcpsecrets://p/db?version=latest"

    @pytest.fixture
    def fresh(self) -> str:
        return f"gcpsm:p/new-{os.urandom(6).hex()}"

    @pytest.fixture
    def failing(
        self,
        store: SecretStore,
        proxy: ConnectProxy,
        environ: dict[str, str],
        silent: str,
        nobody_there: str,
    ) -> Failing:
        def denied() -> tuple[str, Credentials]:
            store.denied.add("projects/p/secrets/db")
            return "gcpsm:p/db", Credentials(environ)

        def routed(place: str) -> tuple[str, Credentials]:
            proxy.routes["secretmanager.googleapis.com"] = int(place.rpartition(":")[2])
            return "gcpsm:p/db", Credentials(environ, timeout=PATIENCE)

        def slow() -> tuple[str, Credentials]:
            store.delay = 5
            return "gcpsm:p/db", Credentials(environ, timeout=PATIENCE)

        old = {**environ, "GOOGLE_OAUTH_ACCESS_TOKEN": f"{store.token}-of-yesterday"}
        return lambda reason: {
            "missing": lambda: ("gcpsm:p/nothing", Credentials(environ)),
            "denied": denied,
            "expired": lambda: ("gcpsm:p/db", Credentials(old)),
            "unreachable": lambda: routed(nobody_there),
            "slow": slow,
            "wrong": lambda: ("gcpsm:p/a/b", Credentials(environ)),
            "unusable": lambda: ("gcpsm:p/db", Credentials({"NO_GCE_CHECK": "true"})),
        }[reason]()


@pytest.mark.parametrize(
    "address",
    [
        *("gcpsm:p/db", "gcpsm:db", "gcpsm:projects/p/secrets/db", "ref+gcpsecrets://p/db"),
        *("gcpsm:p/db?version=1", "gcpsm:p/db?version=latest"),
    ],
)
def test_spellings(address: str, environ: dict[str, str]) -> None:
    assert sources.fetch(address, Credentials({**environ, "GCP_PROJECT": "p"})) == VALUE
    other = Credentials({**environ, "GOOGLE_CLOUD_PROJECT": "p", "CLOUDSDK_CORE_PROJECT": "q"})
    assert sources.fetch(address, other) == VALUE


@pytest.mark.parametrize(
    "address",
    [
        *("gcpsm:../db", "gcpsm:p/d%2Fb", "gcpsm:p/d b", "gcpsm:projects/p/secrets/x/versions/1"),
        *("gcpsm:p/db?version=../1", "gcpsm:p/db?location=evil.example/"),
    ],
)
def test_what_is_no_address(address: str, environ: dict[str, str], store: SecretStore) -> None:
    error = failure(address, Credentials(environ))
    assert (error.reason, bool(error.hint)) == ("wrong", True)
    assert store.calls == []


def test_without_a_project(environ: dict[str, str]) -> None:
    error = failure("gcpsm:db", Credentials(environ))
    assert (error.reason, error.hint) == ("unusable", "set GCP_PROJECT, or write gcpsm:PROJECT/NAME")


def test_versions(store: SecretStore, environ: dict[str, str]) -> None:
    store.add("projects/p/secrets/many", b"1")
    second = store.add("projects/p/secrets/many", b"\xff\n")
    credentials = Credentials(environ)
    assert sources.fetch("gcpsm:p/many", credentials) == b"\xff\n"
    assert sources.fetch("gcpsm:p/many?version=1", credentials) == b"1"
    assert failure("gcpsm:p/many?version=3", credentials).reason == "missing"
    second.state = "DISABLED"
    error = failure("gcpsm:p/many", Credentials(environ))
    assert error.reason == "missing"
    assert error.message.startswith("FAILED_PRECONDITION: Secret Version [")


def test_a_regional_secret(store: SecretStore, environ: dict[str, str], proxy: ConnectProxy) -> None:
    store.add("projects/p/locations/europe-west3/secrets/db", b"regional")
    credentials = Credentials(environ)
    assert sources.fetch("gcpsm:p/db?location=europe-west3", credentials) == b"regional"
    sources.store("gcpsm:p/new?location=europe-west3", b"n", credentials)
    assert store.secrets["projects/p/locations/europe-west3/secrets/new"][0].data == b"n"
    (line,) = {line for line, _ in proxy.log}
    assert line.startswith("CONNECT secretmanager.europe-west3.rep.googleapis.com:443")


def test_google_s_client_reads_what_is_written(
    store: SecretStore, environ: dict[str, str], ca: TestCA
) -> None:
    sources.store("gcpsm:p/written", b"\xffours", Credentials(environ))
    client = SecretManagerServiceClient(credentials=Token(store.token))
    name = "projects/p/secrets/written"
    assert client.access_secret_version(name=f"{name}/versions/latest").payload.data == b"\xffours"
    client.add_secret_version(parent=name, payload={"data": b"theirs"})
    assert sources.fetch("gcpsm:p/written", Credentials(environ)) == b"theirs"
    client.transport.close()


def test_the_hints_name_the_roles(store: SecretStore, environ: dict[str, str]) -> None:
    store.denied |= {"projects/p/secrets/db", "projects/p/secrets/new"}
    error = failure("gcpsm:p/db", Credentials(environ))
    assert error.hint == "you need the role Secret Manager Secret Accessor on the secret"
    with pytest.raises(SourceError) as caught:
        sources.store("gcpsm:p/new", b"value-of-a-write", Credentials(environ))
    assert caught.value.reason == "denied"
    assert caught.value.hint == "you need the role Secret Manager Admin on the project"
    store.denied.clear()
    store.secrets["projects/p/secrets/empty"] = []
    sources.store("gcpsm:p/empty", b"first", Credentials(environ))  # a secret without a version is no secret
    assert sources.fetch("gcpsm:p/empty", Credentials(environ)) == b"first"


def test_a_damaged_answer(store: SecretStore, environ: dict[str, str]) -> None:
    store.damaging = True
    error = failure("gcpsm:p/db", Credentials(environ))
    assert (error.reason, error.message) == (
        "unreachable",
        "the answer was damaged on its way from Google",
    )


def test_what_passes_is_asked_again(store: SecretStore, environ: dict[str, str]) -> None:
    store.faults = [exceptions.ServiceUnavailable("later"), exceptions.ResourceExhausted("later")]
    assert sources.fetch("gcpsm:p/db", Credentials(environ)) == VALUE
    store.faults = [exceptions.InternalServerError("later")] * 40
    assert failure("gcpsm:p/db", Credentials(environ, timeout=PATIENCE)).reason == "unreachable"


_MACHINE = """
import sys
from encconf import sources
from encconf.identities.credentials import Credentials
sys.stdout.buffer.write(sources.fetch("gcpsm:p/db", Credentials.from_env()))
"""


def test_the_machine_s_own_identity(store: SecretStore, ca: TestCA, proxy: ConnectProxy) -> None:
    """In another process: where the metadata server is, the SDK takes from the process."""
    double = GcpKms()
    double.token = store.token
    with token_server(double) as (port, paths):
        environ = {
            **clean_environ(proxy.environ),
            "PYTHONPATH": str(ROOT),
            "GCE_METADATA_HOST": f"127.0.0.1:{port}",
            "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(ca.bundle),
        }
        command = [sys.executable, "-c", _MACHINE]
        done = subprocess.run(command, env=environ, capture_output=True, check=False, timeout=60)
        assert (done.stdout, done.returncode) == (VALUE, 0), done.stderr.decode()
        assert "/computeMetadata/v1/instance/service-accounts/default/token" in paths
        paths.clear()
        environ["NO_GCE_CHECK"] = "true"
        done = subprocess.run(command, env=environ, capture_output=True, check=False, timeout=60)
        assert done.returncode != 0
        assert paths == []


def test_a_service_account(
    store: SecretStore, environ: dict[str, str], tmp_path: Path, patient: None
) -> None:
    """Its key signs tokens, which this double does not know: they are tried, and refused."""
    path = tmp_path / "account.json"
    path.write_text(GcpKms().service_account())
    by_file = {"NO_GCE_CHECK": "true", "GOOGLE_APPLICATION_CREDENTIALS": str(path)}
    error = failure("gcpsm:p/db", Credentials(by_file))
    assert error.reason == "expired"
    assert "PRIVATE KEY" not in shown(error)
    assert store.calls[0][1].count(".") == 2  # a JWT
    found = sources.probe("gcpsm", Credentials(by_file))
    assert (found.usable, found.who) == (True, json.loads(path.read_text())["client_email"])


def test_a_probe_without_credentials(patient: None) -> None:
    found = sources.probe("gcpsm", Credentials({}))
    assert not found.usable
    assert found.missing[0].startswith("Google credentials\nlooked in: ")
