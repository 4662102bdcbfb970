"""Azure Key Vault on this machine, under its real host names, for tests of keys and of the provider."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from doubles.azure import SECRET, Azure, the_only_way
from doubles.connect_proxy import ConnectProxy
from doubles.testca import TestCA
from oracle import Sops

from encconf.errors import MasterKeyError
from encconf.identities.credentials import Credentials
from encconf.keys.azure_kv import AzureKey

VAULT = "https://myvault.vault.azure.net"


DATA_KEY = bytes(range(32))


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> TestCA:
    return TestCA(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def azure(ca: TestCA) -> Iterator[Azure]:
    with Azure(ca.context()) as cloud:
        yield cloud


@pytest.fixture
def version(azure: Azure) -> str:
    return azure.add_key("sops")


@pytest.fixture
def key(version: str) -> AzureKey:
    return AzureKey(VAULT, "sops", version)


@pytest.fixture(autouse=True)
def proxy(azure: Azure, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ConnectProxy]:
    with the_only_way(azure, monkeypatch, tmp_path) as proxy:
        yield proxy


@pytest.fixture
def trust(ca: TestCA) -> dict[str, str]:
    return {"SSL_CERT_FILE": str(ca.bundle)}


@pytest.fixture
def environ(azure: Azure, trust: dict[str, str]) -> dict[str, str]:
    return {**azure.environ, **trust}


@pytest.fixture
def credentials(environ: dict[str, str]) -> Credentials:
    return Credentials(environ)


@pytest.fixture
def sops(environ: dict[str, str], proxy: ConnectProxy) -> Sops:
    return Sops({**environ, **proxy.environ})


def failure(key: AzureKey, enc: str, credentials: Credentials) -> MasterKeyError:
    with pytest.raises(MasterKeyError) as caught:
        key.unwrap(enc, credentials)
    shown = f"{caught.value!r} {caught.value.hint}"
    assert SECRET not in shown
    assert "a-token-of-a-test" not in shown
    return caught.value
