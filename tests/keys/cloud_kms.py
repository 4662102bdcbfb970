"""Google Cloud KMS on this machine, over gRPC and REST, for tests of keys and of the provider."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from doubles.connect_proxy import ConnectProxy
from doubles.gcp_kms import GcpKms, grpc_server, rest_server
from doubles.testca import TestCA, session_ca
from oracle import Sops, clean_environ

from encconf.errors import MasterKeyError
from encconf.identities.credentials import Credentials
from encconf.keys.gcp_kms import GcpKmsKey

PROJECT = Path(__file__).resolve().parents[2]


DATA_KEY = bytes(range(32))


NOW = "2026-01-02T03:04:05Z"


RING = "projects/p/locations/global/keyRings/r/cryptoKeys"


PLAIN = "a: 1\nb: secret\n"


BOTH = pytest.mark.parametrize("transport", ["grpc", "rest"])


@pytest.fixture(scope="module")
def ca() -> TestCA:
    made = session_ca()
    os.environ["GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"] = str(made.bundle)
    return made


@pytest.fixture(scope="module")
def google(ca: TestCA) -> Iterator[Google]:
    kms = GcpKms()
    with grpc_server(kms, ca) as grpc, rest_server(kms) as rest, rest_server(kms, ca) as tls:
        yield Google(kms, grpc, rest, tls)


class Google:
    """The double behind its ports, and the variables that lead there."""

    def __init__(self, kms: GcpKms, grpc: int, rest: int, tls: int) -> None:
        self.kms = kms
        self.ports = {"grpc": grpc, "rest": tls}
        self.rest = rest
        self.name = kms.create(f"{RING}/k")

    def environ(self, transport: str = "grpc") -> dict[str, str]:
        """An address, and no credentials."""
        fence = {"NO_GCE_CHECK": "true"}
        if transport == "grpc":
            return {**fence, "SOPS_GCP_KMS_ENDPOINT": f"127.0.0.1:{self.ports['grpc']}"}
        address = f"http://127.0.0.1:{self.rest}"
        return {**fence, "SOPS_GCP_KMS_CLIENT_TYPE": "rest", "SOPS_GCP_KMS_ENDPOINT": address}

    def credentials(
        self, transport: str = "grpc", extra: Mapping[str, str] | None = None, **settings: Any
    ) -> Credentials:
        token = {"GOOGLE_OAUTH_ACCESS_TOKEN": self.kms.token}
        environ = {**clean_environ(), **self.environ(transport), **(token if extra is None else extra)}
        return Credentials(environ, home=environ["HOME"], **settings)

    def sops(self, transport: str, proxy: ConnectProxy, ca: TestCA) -> Sops:
        proxy.routes["cloudkms.googleapis.com"] = self.ports[transport]
        environ = {"SSL_CERT_FILE": str(ca.bundle), "GOOGLE_OAUTH_ACCESS_TOKEN": self.kms.token}
        return Sops({**proxy.environ, **environ, "SOPS_GCP_KMS_CLIENT_TYPE": transport})


@pytest.fixture(autouse=True)
def healthy(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "google" in request.fixturenames:
        kms = request.getfixturevalue("google").kms
        kms.delay, kms.damaging, kms.forgetful = 0, False, False
        kms.faults.clear()
        kms.denied.clear()
        kms.disabled.clear()


def refusal(key: GcpKmsKey, enc: str, who: Credentials) -> MasterKeyError:
    with pytest.raises(MasterKeyError) as caught:
        key.unwrap(enc, who)
    return caught.value


def through(proxy: ConnectProxy, ca: TestCA, patch: pytest.MonkeyPatch) -> None:
    """Lead this process's SDKs through the proxy, which they look up by themselves."""
    for name, value in {**proxy.environ, "REQUESTS_CA_BUNDLE": str(ca.bundle)}.items():
        patch.setenv(name, value)
