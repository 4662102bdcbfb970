"""OpenBao's transit engine, and certificates, for tests of keys and of the provider."""

from __future__ import annotations

import base64
import datetime
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from doubles.openbao import ROOT_TOKEN, OpenBao
from doubles.script import Answer

from encconf.errors import MasterKeyError
from encconf.identities.credentials import Credentials
from encconf.keys.hc_vault import VaultKey

services = pytest.mark.services


DATA_KEY = bytes(range(32))


@pytest.fixture(scope="module")
def bao() -> Iterator[OpenBao]:
    with OpenBao() as server:
        server.root.sys.enable_secrets_engine("transit")
        server.root.sys.enable_secrets_engine("transit", path="teams/a b/sops")
        for mount in ("transit", "teams/a b/sops"):
            for name in ("k", "other"):
                server.root.secrets.transit.create_key(name, mount_point=mount)
        yield server


@pytest.fixture(scope="module")
def secure_bao() -> Iterator[OpenBao]:
    with OpenBao(tls=True) as server:
        server.root.sys.enable_secrets_engine("transit")
        server.root.secrets.transit.create_key("k")
        yield server


@pytest.fixture
def key(bao: OpenBao) -> VaultKey:
    return VaultKey(bao.address, "transit", "k")


def environ_for(bao: OpenBao, token: str = ROOT_TOKEN, **more: str) -> dict[str, str]:
    return {"VAULT_ADDR": bao.address, "VAULT_TOKEN": token, **more}


@pytest.fixture
def credentials(bao: OpenBao) -> Credentials:
    return Credentials(environ_for(bao))


def failure(key: VaultKey, enc: str, credentials: Credentials) -> MasterKeyError:
    with pytest.raises(MasterKeyError) as caught:
        key.unwrap(enc, credentials)
    assert ROOT_TOKEN not in f"{caught.value!r} {caught.value.hint}"
    return caught.value


ALLOWED = "https://good.example:8200"


def opened() -> Answer:
    return 200, json.dumps({"data": {"plaintext": base64.b64encode(DATA_KEY).decode()}})


def hashed_folder(ca: Path, folder: Path) -> Path:
    """A folder as OpenSSL's c_rehash makes it."""
    command = ["openssl", "x509", "-noout", "-subject_hash", "-in", str(ca)]
    name = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    (folder / f"{name}.0").write_bytes(ca.read_bytes())
    return folder


def client_certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a client")])
    now = datetime.datetime.now(datetime.UTC)
    hour = datetime.timedelta(hours=1)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - hour).not_valid_after(now + hour)
    certificate = builder.sign(key, hashes.SHA256())
    (folder / "client.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "client.key").write_bytes(private)
    return folder / "client.pem", folder / "client.key"
