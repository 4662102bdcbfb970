"""Azure Key Vault: against a double with real RSA keys under the real host names, with sops and the SDK."""

from __future__ import annotations

import base64
import datetime
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.identity import ClientSecretCredential
from azure.keyvault.keys.crypto import CryptographyClient, EncryptionAlgorithm
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from doubles.azure import CLIENT, IDENTITY_HEADER, SECRET, TENANT, Azure, the_only_way
from doubles.connect_proxy import ConnectProxy
from doubles.testca import TestCA
from keys.interop import open_both_ways, packages_loaded_for, said_without
from oracle import Sops

from encconf import api
from encconf.errors import BadKeyError, MasterKeyError, NotMyKeyError
from encconf.identities.credentials import Credentials
from encconf.keys.azure_kv import AzureKey
from encconf.providers import azure as azure_server
from encconf.rules import config
from encconf.testing.contracts.master_key import MasterKeyContract

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


@pytest.mark.parametrize(
    "address",
    [
        *("https://evil.example", "https://vault.azure.net", "https://vault.azure.net.evil.example"),
        *("https://evilvault.azure.net", "https://a.b.vault.azure.net", "https://v.vault.azure.net:8443"),
        *("https://127.0.0.1", "https://[::1]"),
    ],
)
def test_a_token_goes_only_to_key_vault(
    address: str, azure: Azure, key: AzureKey, credentials: Credentials, proxy: ConnectProxy
) -> None:
    proxy.log.clear()
    foreign = AzureKey(address, "sops", key.version)
    error = failure(foreign, "AAAA", credentials)
    assert error.message.startswith(
        "encconf sends an Azure token only to Key Vault and the servers in ENCCONF_AZURE_ALLOWLIST, not to "
    )
    assert "export ENCCONF_AZURE_ALLOWLIST=https://" in str(error.hint)
    with pytest.raises(MasterKeyError, match="encconf sends an Azure token only"):
        foreign.wrap(DATA_KEY, credentials)
    assert proxy.log == []
    assert azure.calls == []


@pytest.mark.parametrize(
    "host", ["v.vault.azure.net", "V.Vault.Azure.CN", "v.vault.usgovcloudapi.net", "v.managedhsm.azure.net"]
)
def test_the_vaults_of_every_cloud_are_asked(
    host: str, key: AzureKey, azure: Azure, environ: dict[str, str], proxy: ConnectProxy
) -> None:
    proxy.routes = {"*": azure.port}
    azure.resource = f"https://{host.partition('.')[2].lower()}"
    credentials = Credentials(environ)
    there = AzureKey(f"https://{host}", "sops", key.version)
    assert there.unwrap(there.wrap(DATA_KEY, credentials), credentials) == DATA_KEY


def test_the_user_can_allow_another_address(azure: Azure, key: AzureKey, environ: dict[str, str]) -> None:
    address = f"https://127.0.0.1:{azure.port}"
    there = AzureKey(address, "sops", key.version)
    for setting in (address, f"https://a.example, {address}/", "all"):
        credentials = Credentials({**environ, "ENCCONF_AZURE_ALLOWLIST": setting})
        assert there.unwrap(there.wrap(DATA_KEY, credentials), credentials) == DATA_KEY
    for setting in ("none", "https://127.0.0.1", f"https://127.0.0.1:{azure.port ^ 1}"):
        credentials = Credentials({**environ, "ENCCONF_AZURE_ALLOWLIST": setting})
        assert "encconf sends an Azure token only" in failure(there, "AAAA", credentials).message
    for setting in (f"{address}/path", "127.0.0.1", f"{address},"):
        credentials = Credentials({**environ, "ENCCONF_AZURE_ALLOWLIST": setting})
        assert "of ENCCONF_AZURE_ALLOWLIST is not an address" in failure(there, "AAAA", credentials).message


@pytest.mark.parametrize(
    "resource", ["https://management.azure.com", "https://azure.net", "https://net", "x"]
)
def test_a_vault_cannot_ask_for_another_token(
    resource: str, azure: Azure, key: AzureKey, environ: dict[str, str]
) -> None:
    azure.resource = resource
    allowed = Credentials({**environ, "ENCCONF_AZURE_ALLOWLIST": "all"})
    for address in (f"https://r{os.urandom(4).hex()}.vault.azure.net", f"https://localhost:{azure.port}"):
        failure(AzureKey(address, "sops", key.version), "AAAA", allowed)
    assert azure.asked_for_tokens() == []
    assert azure.of_vaults() == []


def test_redirects_are_not_followed(
    azure: Azure, key: AzureKey, credentials: Credentials, proxy: ConnectProxy
) -> None:
    azure.later = [(307, {"Location": "https://evil.example/"})]
    assert "redirects to another server" in failure(key, "AAAA", credentials).message
    assert not any("evil" in line for line, _ in proxy.log)


# --- who one is ------------------------------------------------------------------------------


def test_without_a_credential_it_is_not_mine(azure: Azure, key: AzureKey, trust: dict[str, str]) -> None:
    error = failure(key, "AAAA", Credentials(trust))
    assert isinstance(error, NotMyKeyError)
    first, second = error.message.split("\n")
    assert first == "no Azure credential"
    assert second == (
        "looked in: AZURE_CLIENT_ID, AZURE_TENANT_ID (no complete credential), "
        "Azure CLI (not found on path), PowerShell (not installed), "
        "Azure Developer CLI (could not be found), managed identity (no response from the IMDS endpoint)"
    )
    assert azure.of_vaults() == []


def test_a_wrong_secret_is_told_so(
    azure: Azure, key: AzureKey, environ: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    error = failure(key, "AAAA", Credentials({**environ, "AZURE_CLIENT_SECRET": "wrong"}))
    assert not isinstance(error, NotMyKeyError)
    assert "AADSTS7000215: Invalid client secret provided" in error.message
    assert capfd.readouterr().err == ""  # the SDK logs it as well


def test_the_metadata_service_is_asked_only_when_nothing_is_configured(
    azure: Azure,
    key: AzureKey,
    environ: dict[str, str],
    trust: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", azure.plain)

    def asked() -> bool:
        return any(call.path.startswith("/metadata/") for call in azure.calls)

    enc = key.wrap(DATA_KEY, Credentials(environ))
    failure(key, enc, Credentials({**environ, "AZURE_CLIENT_SECRET": "wrong"}))
    assert not asked()
    assert key.unwrap(enc, Credentials(trust)) == DATA_KEY
    assert asked()
    azure.identity = False
    error = failure(key, enc, Credentials(trust))
    assert isinstance(error, NotMyKeyError)


def test_the_identity_of_an_app_service_needs_no_metadata_service(
    azure: Azure, key: AzureKey, sops: Sops, trust: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = {"IDENTITY_ENDPOINT": f"{azure.plain}/msi/token", "IDENTITY_HEADER": IDENTITY_HEADER}
    for name, value in identity.items():
        monkeypatch.setenv(name, value)
    credentials = Credentials({**trust, **identity})
    assert key.unwrap(key.wrap(DATA_KEY, credentials), credentials) == DATA_KEY
    monkeypatch.setenv("IDENTITY_HEADER", "wrong")
    error = failure(key, "AAAA", Credentials({**trust, **identity}))
    assert not isinstance(error, NotMyKeyError)


def test_a_federated_token_is_as_good(
    key: AzureKey, environ: dict[str, str], trust: dict[str, str], sops: Sops, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("a.federated.token")
    federated = {
        **{name: value for name, value in environ.items() if name != "AZURE_CLIENT_SECRET"},
        "AZURE_FEDERATED_TOKEN_FILE": str(token),
    }
    open_both_ways(
        Sops({**{k: v for k, v in sops.environ.items() if k != "AZURE_CLIENT_SECRET"}, **federated}),
        "azure_kv",
        ["--azure-kv", key.name],
        f"creation_rules: [{{azure_keyvault: '{key.name}'}}]",
        Credentials(federated),
    )


@pytest.mark.parametrize("password", ["", "a passphrase"])
def test_a_certificate_is_as_good(
    password: str, key: AzureKey, environ: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "client.pfx"
    path.write_bytes(_certificate(password))
    with_certificate = {
        **{name: value for name, value in environ.items() if name != "AZURE_CLIENT_SECRET"},
        "AZURE_CLIENT_CERTIFICATE_PATH": str(path),
        "AZURE_CLIENT_CERTIFICATE_PASSWORD": password,
    }
    credentials = Credentials(with_certificate)
    assert key.unwrap(key.wrap(DATA_KEY, credentials), credentials) == DATA_KEY
    for problem in ({"AZURE_CLIENT_CERTIFICATE_PATH": str(tmp_path / "none")}, {"AZURE_TENANT_ID": "a b"}):
        error = failure(key, "AAAA", Credentials({**with_certificate, **problem}))
        assert error.message.startswith("the AZURE_* settings cannot be used: ")


def test_the_kinds_of_credentials_can_be_chosen(
    azure: Azure, key: AzureKey, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", azure.plain)

    def chosen(name: str) -> Credentials:
        return Credentials({**environ, "AZURE_TOKEN_CREDENTIALS": name})

    for name in ("prod", "EnvironmentCredential", " PROD "):
        assert key.wrap(DATA_KEY, chosen(name))
    assert not any(call.path.startswith("/metadata/") for call in azure.calls)
    assert key.wrap(DATA_KEY, chosen("ManagedIdentityCredential"))
    azure.identity = False
    assert "Azure CLI (not found on path)" in failure(key, "AAAA", chosen("dev")).message
    assert "managed identity" not in failure(key, "AAAA", chosen("dev")).message
    assert "PowerShell" not in failure(key, "AAAA", chosen("AzureCliCredential")).message
    assert failure(key, "AAAA", chosen("nonsense")).message == (
        "AZURE_TOKEN_CREDENTIALS=nonsense is not a known credential"
    )


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


def test_throttling_is_waited_out(azure: Azure, key: AzureKey, credentials: Credentials) -> None:
    azure.later = [(429, {}), (503, {"Retry-After": "1"})]
    enc = key.wrap(DATA_KEY, credentials)
    assert len(azure.of_vaults()) == 3
    azure.later = [(429, {})] * 9
    error = failure(key, enc, credentials)
    assert error.message.startswith("Azure: the service throttles: Throttled: ")
    assert len(azure.of_vaults()) == 6


def test_no_answer_makes_it_wait_for_long(
    azure: Azure, key: AzureKey, credentials: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(azure_server, "LONGEST_WAIT", 0.1)
    azure.later = [(429, {"Retry-After": "3600"})] * 9
    start = time.monotonic()
    assert "throttles" in failure(key, "AAAA", credentials).message
    assert time.monotonic() - start < 5


def test_a_slow_service_is_given_up(azure: Azure, key: AzureKey, environ: dict[str, str]) -> None:
    key.wrap(DATA_KEY, Credentials(environ))
    azure.delay = 5
    start = time.monotonic()
    error = failure(key, "AAAA", Credentials(environ, timeout=2))
    assert error.message == f"{VAULT} did not answer within 2 s"
    assert time.monotonic() - start < 4


def test_an_unreachable_vault_is_told_so(
    key: AzureKey, credentials: Credentials, azure: Azure, proxy: ConnectProxy
) -> None:
    proxy.routes = {"login.microsoftonline.com": azure.port}
    error = failure(key, "AAAA", credentials)
    assert error.message == f"{VAULT} cannot be reached: Tunnel connection failed: 403 Forbidden"
    proxy.routes = {"*.vault.azure.net": azure.port}
    error = failure(key, "AAAA", Credentials(credentials.environ))
    assert error.message == "Azure gave no token: Tunnel connection failed: 403 Forbidden"
    allowed = Credentials({**credentials.environ, "ENCCONF_AZURE_ALLOWLIST": "all"})
    error = failure(AzureKey("https://127.0.0.1:9", "sops", key.version), "AAAA", allowed)
    assert error.message == "https://127.0.0.1:9 cannot be reached: Connection refused"


def test_an_unknown_authority_is_refused(key: AzureKey, environ: dict[str, str]) -> None:
    del environ["SSL_CERT_FILE"]
    error = failure(
        AzureKey("https://untrusted.vault.azure.net", "sops", key.version), "AAAA", Credentials(environ)
    )
    assert error.message.endswith("cannot be reached: unable to get local issuer certificate")


@pytest.mark.parametrize("package", ["azure", "msal", "requests"])
def test_without_its_package_the_error_names_the_extra(
    package: str, key: AzureKey, environ: dict[str, str]
) -> None:
    said = said_without(package, key, environ)
    assert said == [f"Azure needs the package {package}", "pip install 'encconf[azure]'"] * 2


def test_reading_an_entry_loads_no_package() -> None:
    assert not packages_loaded_for("azure_kv") & {
        "azure",
        "msal",
        "requests",
        "logging",
        "threading",
        "urllib",
    }


# ---------------------------------------------------------------------------------------------


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _certificate(password: str) -> bytes:
    """A key and its own certificate, in PEM; the key locked if there is a password."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a client")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .sign(key, hashes.SHA256())
    )
    lock = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock)
    return private + certificate.public_bytes(Encoding.PEM)
