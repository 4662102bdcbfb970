"""A certificate authority for one test session, and a server certificate for the names of all clouds.

    ca = TestCA(folder)
    context = ca.context()                             # for http.server, asyncio …
    environ = {"SSL_CERT_FILE": str(ca.bundle)}        # Go; REQUESTS_CA_BUNDLE for requests,
                                                       # GRPC_DEFAULT_SSL_ROOTS_FILE_PATH for grpcio

The keys are made for each run and live for a day; only the programs that get the certificate trust them.
"""

from __future__ import annotations

import datetime
import functools
import ipaddress
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from oracle import scratch

HOSTS = (
    *("localhost", "googleapis.com", "*.googleapis.com", "cloudkms.universe.test"),
    *("secretmanager.europe-west3.rep.googleapis.com",),
    *("*.vault.azure.net", "*.vault.azure.cn", "*.vault.usgovcloudapi.net", "*.managedhsm.azure.net"),
    *("login.microsoftonline.com", "login.chinacloudapi.cn", "login.microsoftonline.us"),
    *("kms.cn-north-4.myhuaweicloud.com", "kms.tr-west-1.myhuaweicloud.com", "iam.myhuaweicloud.com"),
    *("*.amazonaws.com", "*.example.test"),
)
"""The names in the server certificate, beside 127.0.0.1."""


class TestCA:
    """The authority and its one server certificate, written to ``folder`` as PEM files.

    ``bundle`` is the authority's certificate; ``certificate`` and ``key`` are the server's.  `client` makes
    certificates for clients.
    """

    __test__ = False  # its name is not that of a test

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.bundle = folder / "ca.pem"
        self.certificate = folder / "server.pem"
        self.key = folder / "server.key"

        self._folder = folder
        self._authority = authority = ec.generate_private_key(ec.SECP256R1())
        self._issuer = issuer = _name("encconf test authority")
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        own = (
            _builder(issuer, issuer, authority)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(authority, hashes.SHA256())
        )
        server = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [x509.DNSName(host) for host in HOSTS]
        names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
        by = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key())
        certificate = (
            _builder(_name("encconf test server"), issuer, server)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(by, critical=False)
            .sign(authority, hashes.SHA256())
        )
        self.bundle.write_bytes(own.public_bytes(Encoding.PEM))
        self.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
        self.key.touch(mode=0o600)
        self.key.write_bytes(server.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    def client(self, name: str, *, expired: bool = False) -> tuple[Path, Path]:
        """A client's certificate, whose common name is ``name``, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(name), self._issuer, key, expired=expired).add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        stem = self._folder / f"client-{x509.random_serial_number():x}"
        paths = stem.with_suffix(".pem"), stem.with_suffix(".key")
        paths[0].write_bytes(builder.sign(self._authority, hashes.SHA256()).public_bytes(Encoding.PEM))
        paths[1].touch(mode=0o600)
        paths[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return paths

    def context(self, *, protocols: tuple[str, ...] = ("http/1.1",)) -> ssl.SSLContext:
        """What a server wraps its sockets with; ``protocols`` are offered by ALPN."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        context.set_alpn_protocols(list(protocols))
        return context

    def strict_context(self) -> ssl.SSLContext:
        """The same, for a server that refuses clients without a certificate of this authority."""
        context = self.context()
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(self.bundle)
        return context


@functools.cache
def session_ca() -> TestCA:
    """One authority for this process: grpcio reads the roots it trusts only once."""
    return TestCA(scratch() / "ca")


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, *, expired: bool = False
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=9 if expired else 0)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
