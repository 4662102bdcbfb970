"""Convert SSH private keys to the form that age needs: OpenSSH's format without a passphrase."""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64

from encconf.errors import InputError, MissingExtraError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def openssh(data: bytes) -> tuple[str, bool]:
    """Return the public key in an OpenSSH private key file, or "", and whether the private key is locked."""
    try:
        _, _, rest = data.partition(b"-----BEGIN OPENSSH PRIVATE KEY-----")
        body = a2b_base64(rest.partition(b"-----END")[0])
    except ValueError:
        return "", False
    at = len(b"openssh-key-v1\0")
    if body[:at] != b"openssh-key-v1\0":
        return "", False
    cipher, at = _field(body, at)
    _, at = _field(body, at)  # skip the key derivation
    _, at = _field(body, at)  # skip its options
    blob, _ = _field(body, at + 4)  # skip the number of keys
    if not blob:
        return "", False
    kind, _ = _field(blob, 0)
    return f"{kind.decode('latin-1')} {b2a_base64(blob, newline=False).decode()}", cipher != b"none"


def _field(data: bytes, at: int) -> tuple[bytes, int]:
    """Return a field with a length, and where the next field begins.  The last field may be cut off."""
    start = at + 4
    end = start + int.from_bytes(data[at:start], "big")
    return data[start:end], end


def public_beside(path: str) -> str:
    """Return the key in ``PATH.pub``, or "" if that is not the file of a public key."""
    try:
        from encconf.io import fileio

        kind, blob, *_ = fileio.read_bytes(f"{path}.pub", regular=True, limit=1 << 16).decode().split()
        a2b_base64(blob)
    except (InputError, ValueError):
        return ""
    return f"{kind} {blob}"


def private_key(data: bytes, passphrase: bytes | None) -> Any:
    """Read an SSH private key, in OpenSSH's format or a PEM one.  Raises what `cryptography` raises."""
    from cryptography.hazmat.primitives import serialization

    if b"BEGIN OPENSSH" in data:
        return serialization.load_ssh_private_key(data, passphrase)
    return serialization.load_pem_private_key(data, passphrase)


def reserialised(data: bytes, passphrase: bytes | None) -> bytes:
    """Return an SSH private key as OpenSSH writes it without a passphrase, only in memory.

    Raises ValueError or TypeError for a wrong passphrase or a key of another kind.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    try:
        key = private_key(data, passphrase)
    except UnsupportedAlgorithm as error:
        if "bcrypt" not in str(error):
            raise ValueError("unsupported") from None
        raise MissingExtraError(
            "a passphrase-protected SSH key needs the package bcrypt", hint="pip install bcrypt"
        ) from None
    plain: bytes = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    return plain
