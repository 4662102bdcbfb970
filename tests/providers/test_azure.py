"""Azure: where a token goes, which login is used, and why a call failed; with keys, against a double."""

from __future__ import annotations

import datetime
import os
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from doubles.azure import CLIENT, IDENTITY_HEADER, TENANT, Azure
from doubles.connect_proxy import ConnectProxy
from doubles.script import Script
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

from encconf.errors import MasterKeyError, NotMyKeyError
from encconf.identities.credentials import Credentials
from encconf.keys.azure_kv import AzureKey
from encconf.providers import azure as azure_server
from encconf.providers.azure import sign_in


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
    assert "az login" in str(error.hint)
    assert azure.of_vaults() == []


def test_a_wrong_secret_is_reported_as_such(
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


@pytest.mark.posix
def test_no_tool_is_run_from_a_work_tree(
    azure: Azure, key: AzureKey, environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in (".git", "bin"):
        (tmp_path / folder).mkdir()
    for name in ("az", "azd", "pwsh"):
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n: >{tmp_path}/ran\n")
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    message = failure(key, "AAAA", Credentials({**environ, "AZURE_TOKEN_CREDENTIALS": "dev"})).message
    assert message.count("not run from the current folder or the work tree") == 3
    # Nor does a tool from elsewhere start one there: pip's az starts the python of PATH.
    (tmp_path / "bin" / "python").write_text(f"#!/bin/sh\n: >{tmp_path}/ran\n")
    (tmp_path / "bin" / "python").chmod(0o755)
    elsewhere = tmp_path.parent / f"{tmp_path.name}-elsewhere"
    elsewhere.mkdir()
    (elsewhere / "az").write_text(
        f"#!/bin/sh\n: >{elsewhere}/ran\npython\necho Please run az login >&2\nexit 1\n"
    )
    (elsewhere / "az").chmod(0o755)
    path = f"{tmp_path}/bin:{elsewhere}:{os.environ['PATH']}"
    monkeypatch.setenv("PATH", path)
    failure(key, "AAAA", Credentials({**environ, "AZURE_TOKEN_CREDENTIALS": "AzureCliCredential"}))
    assert (elsewhere / "ran").exists()
    assert os.environ["PATH"] == path
    assert not (tmp_path / "ran").exists()


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
    assert time.monotonic() - start < 30


def test_a_slow_service_is_given_up(azure: Azure, key: AzureKey, environ: dict[str, str]) -> None:
    key.wrap(DATA_KEY, Credentials(environ))
    azure.delay = 5
    start = time.monotonic()
    error = failure(key, "AAAA", Credentials(environ, timeout=2))
    assert error.message == f"{VAULT} did not answer within 1.5 s"
    assert time.monotonic() - start < 30


def test_an_unreachable_vault_is_reported_as_such(
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


# --- answers of something else ---------------------------------------------------------------


@pytest.mark.usefixtures("netrc")
def test_a_login_in_netrc_does_not_replace_the_token(key: AzureKey, credentials: Credentials) -> None:
    assert key.unwrap(key.wrap(DATA_KEY, credentials), credentials) == DATA_KEY


@pytest.mark.parametrize(
    "body",
    [
        *("", "nonsense", "{}", "[]", "null", '"x"', '{"value": 5}', '{"value": "%"}', "[" * 100_000),
        *('{"value": null}', "x" * 3_000_000),
    ],
)
@pytest.mark.parametrize("code", [200, 400, 403])
def test_whatever_a_server_answers_is_an_error_of_ours(
    code: int, body: str, ca: TestCA, environ: dict[str, str]
) -> None:
    challenge = {
        "WWW-Authenticate": f'Bearer authorization="https://login.microsoftonline.com/{TENANT}", '
        'resource="https://vault.azure.net"'
    }
    with Script((401, "", challenge), (code, body), context=ca.context()) as server:
        who = Credentials({**environ, "ENCCONF_AZURE_ALLOWLIST": server.address})
        error = failure(AzureKey(server.address, "sops", "0" * 32), "AAAA", who)
    assert len(error.message) < 600
    assert error.message.isprintable()


def test_whose_login_it_is(azure: Azure, environ: dict[str, str], trust: dict[str, str]) -> None:
    """Without a vault: for a probe."""
    assert sign_in(Credentials(environ)) == CLIENT
    assert sign_in(Credentials(trust)) is None
    with pytest.raises(MasterKeyError, match="Azure gave no token"):
        sign_in(Credentials({**environ, "AZURE_CLIENT_SECRET": "wrong"}))
    assert azure.of_vaults() == []
