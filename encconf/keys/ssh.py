"""SSH private keys in the form that age needs, and the age keys that ssh-to-age derives from them."""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64

from encconf.errors import BadKeyError, InputError, MissingExtraError
from encconf.keys import MasterKey, bech32

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
        from encconf.text.packages import how_to_install

        raise MissingExtraError(
            "a passphrase-protected SSH key needs the package bcrypt", hint=how_to_install("bcrypt")
        ) from None
    plain: bytes = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    return plain


# --- the age key of an ssh-ed25519 key, as ssh-to-age derives it ----------------------------------
# sops-nix encrypts for the age recipients of SSH host and user keys.  The recipient is the Montgomery form
# of the public point (RFC 7748, section 4.1).  The identity is the first half of the SHA-512 of the seed,
# which X25519 clamps when it uses it.  RSA keys have no age key.

KIND = "ssh-ed25519"
_P = 2**255 - 19


def recipient(public: str) -> str:
    """Return the ``age1…`` for the line of an SSH public key, ``ssh-ed25519 AAAA… comment``.

    Raises BadKeyError for a key of another kind, or a damaged one.

    >>> recipient("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDuDK4+AyDmhDnaWKG2rtV/kJVuL2yTQ2cB2RsjC1TXW")
    'age1rktegq2s3uyfe5llr4e2nvjjvwt063jupq760taj6nuppe8wnsjqt3u3c7'
    """
    kind, _, rest = public.strip().partition(" ")
    if kind != KIND:
        raise BadKeyError(
            f"only {KIND} keys have an age recipient", hint="create one with: ssh-keygen -t ed25519"
        )
    try:
        blob = a2b_base64(rest.split(" ")[0])
    except ValueError:
        blob = b""
    head = len(KIND).to_bytes(4, "big") + KIND.encode() + (32).to_bytes(4, "big")
    if len(blob) != len(head) + 32 or not blob.startswith(head):
        raise BadKeyError("the SSH public key is damaged", hint="copy the whole line of the .pub file")
    y = int.from_bytes(blob[len(head) :], "little") & (1 << 255) - 1
    if y >= _P or y == 1:
        raise BadKeyError("the SSH public key is damaged", hint="copy the whole line of the .pub file")
    u = (1 + y) * pow(1 - y, -1, _P) % _P
    return bech32.encode(u.to_bytes(32, "little"), "age1")


def as_age(key: MasterKey) -> MasterKey:
    """Return the age recipient of an ssh-ed25519 key, and other keys unchanged.  Raises BadKeyError."""
    if key.TYPE != "age" or not key.name.startswith(f"{KIND} "):
        return key
    from encconf.keys import master_key

    return master_key("age", recipient(key.name))


def identity(private: bytes) -> str:
    """Return the ``AGE-SECRET-KEY-1…`` for an SSH private key in OpenSSH's format or PKCS #8.

    The private key has no passphrase.  Raises ValueError for a key of another kind.
    """
    from hashlib import sha512

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = private_key(private, None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"not an {KIND} key")
    return bech32.encode(sha512(key.private_bytes_raw()).digest()[:32], "AGE-SECRET-KEY-1")
