"""Azure Key Vault: against a double with real RSA keys under the real host names, with sops and the SDK."""

from __future__ import annotations

import base64
import threading

import pytest
from azure.identity import ClientSecretCredential
from azure.keyvault.keys.crypto import CryptographyClient, EncryptionAlgorithm
from doubles.azure import CLIENT, SECRET, TENANT, Azure
from doubles.connect_proxy import ConnectProxy
from doubles.testca import TestCA
from keys.interop import open_both_ways
from keys.key_vault import DATA_KEY, VAULT, failure
from keys.key_vault import azure as azure
from keys.key_vault import ca as ca
from keys.key_vault import credentials as credentials
from keys.key_vault import environ as environ
from keys.key_vault import key as key
from keys.key_vault import proxy as proxy
from keys.key_vault import sops as sops
from keys.key_vault import trust as trust
from keys.key_vault import version as version
from oracle import Sops

from encconf import api
from encconf.errors import BadKeyError, MasterKeyError
from encconf.identities.credentials import Credentials
from encconf.keys.azure_kv import AzureKey
from encconf.rules import config
from encconf.testing.contracts.master_key import MasterKeyContract


class TestAzure(MasterKeyContract):
    @pytest.fixture
    def key(self, version: str) -> AzureKey:
        return AzureKey(VAULT, "sops", version)

    @pytest.fixture
    def other(self, version: str) -> AzureKey:
        return AzureKey(VAULT, "sops", version[::-1])

    @pytest.fixture
    def credentials(self, environ: dict[str, str]) -> Credentials:
        return Credentials(environ)

    @pytest.fixture
    def stranger(self, trust: dict[str, str]) -> Credentials:
        return Credentials(trust)

    @pytest.fixture
    def secrets(self) -> list[str]:
        return [SECRET, "a-token-of-a-test"]


# --- with sops and the SDK -------------------------------------------------------------------


def test_sops_reads_and_writes_the_same(
    key: AzureKey, version: str, sops: Sops, credentials: Credentials
) -> None:
    group = f"key_groups: [{{azure_keyvault: [{{vaultUrl: '{VAULT}', key: sops, version: '{version}'}}]}}]"
    for member in (f"azure_keyvault: '{key.name}'", group):
        theirs, ours = open_both_ways(
            sops, "azure_kv", ["--azure-kv", key.name], f"creation_rules: [{{{member}}}]", credentials
        )
        for name, value in {"vault_url": VAULT, "name": "sops", "version": version}.items():
            assert theirs[name] == ours[name] == value


def test_without_a_version_the_newest_is_written_down(
    azure: Azure, version: str, sops: Sops, credentials: Credentials
) -> None:
    newest = azure.add_key("sops")
    url = f"{VAULT}/keys/sops"
    for name in (url, f"{url}/"):
        theirs, ours = open_both_ways(
            sops,
            "azure_kv",
            ["--azure-kv", name],
            f"creation_rules: [{{azure_keyvault: '{name}'}}]",
            credentials,
        )
        assert theirs["version"] == ours["version"] == newest
    group = f"key_groups: [{{azure_keyvault: [{{vaultUrl: '{VAULT}/', key: sops}}]}}]"
    _, ours = open_both_ways(
        sops, "azure_kv", ["--azure-kv", name], f"creation_rules: [{{{group}}}]", credentials
    )
    assert ours["version"] == newest


def test_the_sdk_reads_and_writes_the_same(key: AzureKey, ca: TestCA, credentials: Credentials) -> None:
    trust = {"connection_verify": str(ca.bundle)}
    client = CryptographyClient(key.name, ClientSecretCredential(TENANT, CLIENT, SECRET, **trust), **trust)
    algorithm = EncryptionAlgorithm.rsa_oaep_256
    enc = key.wrap(DATA_KEY, credentials)
    assert "=" not in enc
    assert "+" not in enc
    assert "/" not in enc
    assert client.decrypt(algorithm, _decode(enc)).plaintext == DATA_KEY
    theirs = client.encrypt(algorithm, DATA_KEY).ciphertext
    assert key.unwrap(_encode(theirs), credentials) == DATA_KEY
    assert key.unwrap(_encode(theirs) + "==", credentials) == DATA_KEY


def test_a_call_is_one_request_once_there_is_a_token(
    azure: Azure, key: AzureKey, credentials: Credentials
) -> None:
    enc = key.wrap(DATA_KEY, credentials)
    azure.calls.clear()
    assert key.unwrap(enc, credentials) == DATA_KEY
    assert [call.path for call in azure.calls] == [f"/keys/sops/{key.version}/decrypt"]


def test_many_at_once_ask_for_one_token(azure: Azure, key: AzureKey, environ: dict[str, str]) -> None:
    enc = key.wrap(DATA_KEY, Credentials(environ))
    azure.calls.clear()
    credentials, opened = Credentials(environ), []
    threads = [
        threading.Thread(target=lambda: opened.append(key.unwrap(enc, credentials))) for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert opened == [DATA_KEY] * 16
    assert len(azure.asked_for_tokens()) == 1


# --- versions --------------------------------------------------------------------------------


def test_the_version_is_found_out_once(azure: Azure, version: str, credentials: Credentials) -> None:
    key = AzureKey.from_config(f"{VAULT}/keys/sops")
    assert key.to_entry() == {"vault_url": VAULT, "name": "sops", "version": ""}
    key.wrap(DATA_KEY, credentials)
    azure.add_key("sops")
    enc = key.wrap(DATA_KEY, credentials)
    assert key.to_entry()["version"] == version  # of both
    assert AzureKey(VAULT, "sops", version).unwrap(enc, credentials) == DATA_KEY
    assert [call.method for call in azure.of_vaults()].count("GET") == 1


def test_an_older_version_still_opens(azure: Azure, key: AzureKey, credentials: Credentials) -> None:
    enc = key.wrap(DATA_KEY, credentials)
    azure.add_key("sops")
    assert key.unwrap(enc, credentials) == DATA_KEY
    assert "BadParameter" in failure(AzureKey(VAULT, "sops"), enc, credentials).message  # the newest


def test_a_key_without_a_version_is_any_of_its_versions() -> None:
    any_version = AzureKey(VAULT, "sops")
    first, second = AzureKey(VAULT, "sops", "1"), AzureKey(f"{VAULT}/", "sops", "2")
    assert any_version == first
    assert any_version == second
    assert first != second
    assert hash(any_version) == hash(first) == hash(second)
    assert any_version != AzureKey(VAULT, "other", "1")


def test_a_new_version_is_no_change_of_keys(azure: Azure, version: str, credentials: Credentials) -> None:
    """Else each save would give the file a new data key."""
    rule = config.load("/p/.sops.yaml", f"creation_rules: [{{azure_keyvault: {VAULT}/keys/sops}}]")
    first = api.encrypt("a: b\n", rule.rule_for("/p/x.yaml"), credentials=credentials)
    azure.add_key("sops")
    again = config.load("/p/.sops.yaml", f"creation_rules: [{{azure_keyvault: {VAULT}/keys/sops}}]")
    assert api.encrypt("a: b\n", again.rule_for("/p/x.yaml"), twin=first, credentials=credentials) == first


# --- names and addresses ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        *("http://v.vault.azure.net/keys/k", "https://v.vault.azure.net/secrets/k", "https://v/keys/k/1/2"),
        *("https://v/keys/..", "https://v/keys/a%2Fb/1", "https://v/keys/k/1?x=y", "https://a@v/keys/k"),
        *(
            "https://v:99999/keys/k",
            "https://v.vault.azure.net./keys/k",
            "https://v\\@w/keys/k",
            {"vaultUrl": VAULT},
            {"key": "k"},
            {},
        ),
        *({"vaultUrl": VAULT, "key": "a/b"}, {"vaultUrl": VAULT, "key": "k", "version": ".."}),
    ],
)
def test_what_is_no_name_is_refused(value: object) -> None:
    with pytest.raises(BadKeyError) as caught:
        AzureKey.from_config(value)
    assert VAULT not in caught.value.message


def test_a_password_in_an_address_is_not_shown() -> None:
    with pytest.raises(BadKeyError) as caught:
        AzureKey.from_config("https://me:hunter2@v/secrets/k")
    assert "hunter2" not in caught.value.message


def test_redirects_are_not_followed(
    azure: Azure, key: AzureKey, credentials: Credentials, proxy: ConnectProxy
) -> None:
    azure.later = [(307, {"Location": "https://evil.example/"})]
    assert "redirects to another server" in failure(key, "AAAA", credentials).message
    assert not any("evil" in line for line, _ in proxy.log)


# --- failures --------------------------------------------------------------------------------


def test_the_wrong_key_does_not_open(azure: Azure, key: AzureKey, credentials: Credentials) -> None:
    enc = key.wrap(DATA_KEY, credentials)
    other = AzureKey(VAULT, "other", azure.add_key("other"))
    assert "BadParameter: The parameter is incorrect." in failure(other, enc, credentials).message
    assert "KeyNotFound" in failure(AzureKey(VAULT, "sops", "0" * 32), enc, credentials).message
    with pytest.raises(MasterKeyError, match="KeyNotFound"):
        AzureKey(VAULT, "nobody").wrap(DATA_KEY, credentials)


def test_a_disabled_key_neither_opens_nor_encrypts(
    azure: Azure, key: AzureKey, credentials: Credentials
) -> None:
    enc = key.wrap(DATA_KEY, credentials)
    azure.disabled = {key.version}
    error = failure(key, enc, credentials)
    assert error.message == "Azure: KeyDisabled: Operation decrypt is not allowed on a disabled key."
    assert error.hint is None
    with pytest.raises(MasterKeyError, match="Operation encrypt is not allowed on a disabled key"):
        key.wrap(DATA_KEY, credentials)


def test_a_denial_says_what_is_needed(azure: Azure, key: AzureKey, credentials: Credentials) -> None:
    enc = key.wrap(DATA_KEY, credentials)
    azure.denied = {"decrypt"}
    error = failure(key, enc, credentials)
    assert "ForbiddenByRbac: Caller is not authorized" in error.message
    assert "Microsoft.KeyVault/vaults/keys/decrypt/action" in error.message
    assert "Key Vault Crypto User" in str(error.hint)


# ---------------------------------------------------------------------------------------------


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
