"""``azkv:`` against a double of Key Vault under the real host names, by Azure's own SDK."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.identity import ClientSecretCredential
from azure.keyvault.secrets import SecretClient
from doubles.azure import CLIENT, IDENTITY_HEADER, SECRET, Azure
from doubles.connect_proxy import ConnectProxy
from doubles.testca import TestCA
from keys.key_vault import environ as environ
from keys.key_vault import proxy as proxy
from keys.key_vault import trust as trust

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

VALUE = b"s3cret-of-a-key-vault"
VAULT = "https://myvault.vault.azure.net"


@pytest.fixture
def azure(ca: TestCA) -> Iterator[Azure]:
    with Azure(ca.context()) as cloud:
        cloud.add_secret("db", VALUE.decode())
        cloud.add_secret("tree", WHOLE)
        yield cloud


class TestKeyVault(WritableSourceContract):
    SCHEME = "azkv"
    REASONS = frozenset({"missing", "denied", "expired", "unreachable", "slow", "wrong", "unusable"})
    BYTES = False

    @pytest.fixture
    def place(self, environ: dict[str, str]) -> Place:
        return Place("azkv:myvault/db", VALUE, lambda: Credentials(environ), [SECRET, "a-token-of-a-test"])

    @pytest.fixture
    def structured(self) -> str:
        return "azkv:myvault/tree"

    @pytest.fixture
    def vals(self) -> str:
        return "ref+azurekeyvault://myvault/db"

    @pytest.fixture
    def fresh(self) -> str:
        return f"azkv:myvault/new-{os.urandom(6).hex()}"

    @pytest.fixture
    def failing(
        self,
        azure: Azure,
        proxy: ConnectProxy,
        environ: dict[str, str],
        trust: dict[str, str],
        silent: str,
        nobody_there: str,
    ) -> Failing:
        db = "azkv:myvault/db"

        def routed(place: str, patience: float = 300) -> tuple[str, Credentials]:
            proxy.routes["*.vault.azure.net"] = int(place.rpartition(":")[2])
            return db, Credentials(environ, timeout=patience)

        def denied() -> tuple[str, Credentials]:
            azure.denied.add("getSecret")
            return db, Credentials(environ)

        def expired() -> tuple[str, Credentials]:
            azure.expired = True
            return db, Credentials(environ)

        return lambda reason: {
            "missing": lambda: ("azkv:myvault/nothing", Credentials(environ)),
            "denied": denied,
            "expired": expired,
            "unreachable": lambda: routed(nobody_there),
            "slow": lambda: routed(silent, PATIENCE),
            "wrong": lambda: ("azkv:myvault/a_b", Credentials(environ)),
            "unusable": lambda: (db, Credentials(trust)),
        }[reason]()


@pytest.mark.parametrize(
    "address",
    [
        *("azkv:myvault/db", "azkv:MyVault/db/", "azkv:myvault.vault.azure.net/db"),
        *("ref+azurekeyvault://myvault/db", "ref+azurekeyvault://myvault.vault.azure.net/db+"),
    ],
)
def test_spellings(address: str, environ: dict[str, str]) -> None:
    assert sources.fetch(address, Credentials(environ)) == VALUE


@pytest.mark.parametrize(
    "address",
    [
        *("azkv:myvault", "azkv:/db", "azkv:my_vault!/db", "azkv:myvault/d b", "azkv:myvault/db/x/y"),
        *("azkv:me@evil.example.test/db", "azkv:myvault/db?version=../x", "azkv:myvault/%2e%2e/x"),
    ],
)
def test_what_is_no_address(address: str, environ: dict[str, str], azure: Azure) -> None:
    error = failure(address, Credentials(environ))
    assert (error.reason, error.message) == ("wrong", "expected the name of a vault and of a secret")
    assert azure.calls == []


def test_versions(azure: Azure, environ: dict[str, str]) -> None:
    first, second = azure.add_secret("many", "1"), azure.add_secret("many", "2")
    assert sources.fetch("azkv:myvault/many", Credentials(environ)) == b"2"
    assert sources.fetch(f"azkv:myvault/many/{first}", Credentials(environ)) == b"1"
    assert sources.fetch(f"azkv:myvault/many?version={first}", Credentials(environ)) == b"1"
    azure.disabled.add(second)
    error = failure("azkv:myvault/many", Credentials(environ))
    assert (error.reason, error.message) == (
        "missing",
        "Azure: SecretDisabled: Operation get is not allowed on a disabled secret.",
    )
    assert failure(f"azkv:myvault/many/{'0' * 32}", Credentials(environ)).reason == "missing"
    with pytest.raises(SourceError, match="Azure chooses the name of a new version"):
        sources.store(f"azkv:myvault/many/{first}", b"3", Credentials(environ), replace=True)


def test_the_sdk_reads_what_is_written(environ: dict[str, str], ca: TestCA) -> None:
    sources.store("azkv:myvault/written", "täxt".encode(), Credentials(environ))
    who = ClientSecretCredential(environ["AZURE_TENANT_ID"], CLIENT, SECRET, connection_verify=str(ca.bundle))
    with SecretClient(VAULT, who, connection_verify=str(ca.bundle)) as client:
        assert client.get_secret("written").value == "täxt"
        client.set_secret("written", "anders")
    who.close()
    assert sources.fetch("azkv:myvault/written", Credentials(environ)) == b"anders"


def test_the_hint_names_the_role(azure: Azure, environ: dict[str, str]) -> None:
    azure.denied |= {"getSecret", "setSecret"}
    error = failure("azkv:myvault/db", Credentials(environ))
    assert str(error.hint).endswith("the role Key Vault Secrets User")
    azure.denied.remove("getSecret")
    with pytest.raises(SourceError) as caught:
        sources.store("azkv:myvault/new", b"value-of-a-write", Credentials(environ))
    assert caught.value.reason == "denied"
    assert str(caught.value.hint).endswith("the role Key Vault Secrets Officer")


def test_a_token_goes_to_key_vault_only(environ: dict[str, str], azure: Azure) -> None:
    address = "azkv:evil.example.test/db"
    error = failure(address, Credentials(environ))
    assert error.reason == "denied"
    assert azure.calls == []
    here = f"127.0.0.1:{azure.port}"
    allowed = Credentials({**environ, "ENCCONF_AZURE_ALLOWLIST": f"https://{here}"})
    assert sources.fetch(f"azkv:{here}/db", allowed) == VALUE


def test_a_client_s_secret_that_is_wrong(environ: dict[str, str], patient: None) -> None:
    error = failure("azkv:myvault/db", Credentials({**environ, "AZURE_CLIENT_SECRET": "pa55-of-nobody"}))
    assert error.reason == "denied"
    assert "AADSTS7000215" in error.message
    assert "pa55-of-nobody" not in shown(error)
    found = sources.probe("azkv", Credentials({**environ, "AZURE_CLIENT_SECRET": "pa55-of-nobody"}))
    assert not found.usable
    assert "pa55-of-nobody" not in repr(vars(found))


def test_the_machine_s_own_identity(
    azure: Azure, trust: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the metadata service of a virtual machine, and by an App Service's endpoint; nothing lies there."""
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", azure.plain)
    assert sources.fetch("azkv:myvault/db", Credentials(trust)) == VALUE
    assert any(call.path.startswith("/metadata/") for call in azure.calls)
    azure.calls.clear()
    identity = {"IDENTITY_ENDPOINT": f"{azure.plain}/msi/token", "IDENTITY_HEADER": IDENTITY_HEADER}
    for name, value in identity.items():
        monkeypatch.setenv(name, value)
    assert sources.fetch("azkv:myvault/db", Credentials({**trust, **identity})) == VALUE
    assert [call.path for call in azure.asked_for_tokens()] == ["/msi/token"]


def test_a_workload_s_token(azure: Azure, environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "token").write_text("a.federated.token")
    federated = {name: value for name, value in environ.items() if name != "AZURE_CLIENT_SECRET"}
    federated["AZURE_FEDERATED_TOKEN_FILE"] = str(tmp_path / "token")
    assert sources.fetch("azkv:myvault/db", Credentials(federated)) == VALUE
    assert SECRET not in federated.values()


def test_what_passes_is_asked_again(azure: Azure, environ: dict[str, str]) -> None:
    azure.later = [(429, {"Retry-After": "0"}), (503, {})]
    assert sources.fetch("azkv:myvault/db", Credentials(environ)) == VALUE
    azure.later = [(429, {"Retry-After": "0"})] * 3
    error = failure("azkv:myvault/db", Credentials(environ))
    assert (error.reason, "throttles" in error.message) == ("unreachable", True)


def test_a_probe_says_with_which_identity(
    environ: dict[str, str], trust: dict[str, str], tmp_path: Path, patient: None
) -> None:
    found = sources.probe("azkv", Credentials(environ))
    assert (found.usable, found.who) == (True, CLIENT)
    found = sources.probe("azkv", Credentials(trust))
    assert not found.usable
    assert found.missing[0].startswith("an identity (AZURE_TENANT_ID")
    (tmp_path / "azureProfile.json").write_text(
        '\ufeff{"subscriptions": [{"isDefault": true, "user": {"name": "ann@example.test"}}]}'
    )
    found = sources.probe("azkv", Credentials({**trust, "AZURE_CONFIG_DIR": str(tmp_path)}))
    assert (found.usable, found.who) == (True, "ann@example.test")
