"""Hybrid post-quantum age keys: ``age1pq1…``, ``AGE-SECRET-KEY-PQ-1…``, until pyrage supports them.

This is the part of the age format v1 (C2SP age.md, filippo.io/age 1.3) that a wrapped data key needs:
armored files of one chunk with mlkem768x25519 stanzas.  Other stanzas are skipped.  The package
`cryptography` has the algorithms: HPKE (RFC 9180) with ML-KEM-768 and X25519, HKDF-SHA-256,
ChaCha20-Poly1305.  Anything that differs from the specification is refused.
"""

from __future__ import annotations

import os
import re
from binascii import a2b_base64, b2a_base64

from encconf.errors import MasterKeyError, MissingExtraError
from encconf.keys import bech32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

STANZA = "mlkem768x25519"
RECIPIENT_PREFIX = "age1pq1"
IDENTITY_PREFIX = "AGE-SECRET-KEY-PQ-1"

LIMIT = 1 << 20
"""The largest armored file that is read, in bytes (1 MiB).  It can have some 600 recipients."""

_LABEL = b"age-encryption.org/mlkem768x25519"
_SEED_SIZE = 32
_MLKEM_SIZE = 1184  # the size of ML-KEM's public key, which X25519's 32 bytes follow
_PUBLIC_SIZE = _MLKEM_SIZE + 32
_ENCAPSULATED_SIZE = 1120
_FILE_KEY_SIZE = 16
_NONCE_SIZE = 16
_TAG_SIZE = 16
_CHUNK = 1 << 16
_ONLY_CHUNK = bytes(11) + b"\x01"  # counter 0, and the mark of the last chunk

BEGIN, END = "-----BEGIN AGE ENCRYPTED FILE-----", "-----END AGE ENCRYPTED FILE-----"
_INTRO = b"age-encryption.org/v1\n"
_BASE64 = rb"[A-Za-z0-9+/]"
_ONE_STANZA = re.compile(
    rb"-> ([!-~]+(?: [!-~]+)*)\n((?:%b{64}\n)*%b{0,63}\n)".replace(b"%b", _BASE64),
)
_FOOTER = re.compile(rb"--- (%b{43})\n".replace(b"%b", _BASE64))


class Identity:
    """A private key.  A malformed text raises ValueError, which does not quote it."""

    def __init__(self, text: str) -> None:
        self._seed = bech32.decode(text, IDENTITY_PREFIX, _SEED_SIZE)
        self._keys: tuple[Any, Any] | None = None

    @classmethod
    def generate(cls, random: Callable[[int], bytes] = os.urandom) -> Identity:
        """Return a new identity.  ``random`` returns a number of random bytes."""
        return cls(bech32.encode(random(_SEED_SIZE), IDENTITY_PREFIX))

    def secret(self) -> str:
        """Return the text for an identity file (77 characters).  It is secret."""
        return bech32.encode(self._seed, IDENTITY_PREFIX)

    def to_public(self) -> str:
        """Return the recipient (1959 characters).  Raises MasterKeyError if `cryptography` lacks ML-KEM."""
        mlkem, x25519 = self._halves()
        public = mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()
        return bech32.encode(public, RECIPIENT_PREFIX)

    def open(self, file: bytes) -> bytes | None:
        """Return the content of an armored file, or None if no stanza is for this identity.

        Raises MasterKeyError if the file is malformed, was changed, or holds more than 64 KiB.
        """
        try:
            return _open(file, self._halves)
        except ValueError as error:
            raise MasterKeyError(f"age: {error}") from None

    def _halves(self) -> tuple[Any, Any]:
        if self._keys is None:
            from hashlib import shake_256

            from cryptography.exceptions import UnsupportedAlgorithm

            _, mlkem, x25519 = _algorithms()
            expanded = shake_256(self._seed).digest(96)
            try:
                first = mlkem.MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
            except UnsupportedAlgorithm:
                raise _unsupported() from None
            self._keys = first, x25519.X25519PrivateKey.from_private_bytes(expanded[64:])
        return self._keys


def check(recipient: str) -> None:
    """Raise ValueError unless the text is a recipient.  Raises MasterKeyError like `seal`."""
    _suite().encrypt(b"", _public_key(recipient))  # only this refuses X25519 points of low order


def seal(data: bytes, recipients: Sequence[str], random: Callable[[int], bytes] = os.urandom) -> str:
    """Encrypt at most 64 KiB for these recipients, as an armored file with a line feed at its end.

    Raises ValueError for a malformed recipient, and MasterKeyError if `cryptography` lacks ML-KEM.
    """
    from hmac import digest

    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    if len(data) > _CHUNK or not recipients:
        raise ValueError("more than one chunk, or no recipient")
    file_key, nonce = random(_FILE_KEY_SIZE), random(_NONCE_SIZE)
    header = _INTRO
    for recipient in recipients:
        sealed = _suite().encrypt(file_key, _public_key(recipient), info=_LABEL)
        share, body = sealed[:_ENCAPSULATED_SIZE], sealed[_ENCAPSULATED_SIZE:]
        # 32 bytes of body are one line.  It has fewer than 64 columns, so it ends the stanza.
        header += b"-> %b %b\n%b\n" % (STANZA.encode(), _base64(share), _base64(body))
    header += b"---"
    mac = digest(_derived(file_key, b"", b"header"), header, "sha256")
    chunk = ChaCha20Poly1305(_derived(file_key, nonce, b"payload")).encrypt(_ONLY_CHUNK, data, None)
    return _armored(header + b" %b\n" % _base64(mac) + nonce + chunk)


# --- the file ------------------------------------------------------------------------------


def _open(file: bytes, halves: Callable[[], tuple[Any, Any]]) -> bytes | None:
    """Like `Identity.open`, but raises ValueError."""
    stanzas, header, mac, payload = _parse(_unarmored(file))
    stanzas = [stanza for stanza in stanzas if stanza[0][0] == STANZA]
    if not stanzas:
        return None
    from cryptography.exceptions import InvalidTag

    hpke, _, _ = _algorithms()
    private: Any = None
    for arguments, body in stanzas:
        share = _unbase64(arguments[1].encode()) if len(arguments) == 2 else b""
        # Check the sizes first, so that an attacker cannot find out whether a longer stanza opens.
        if len(share) != _ENCAPSULATED_SIZE or len(body) != _FILE_KEY_SIZE + _TAG_SIZE:
            raise ValueError(f"a malformed {STANZA} stanza")
        if private is None:
            private = hpke.MLKEM768X25519PrivateKey(*halves())
        try:
            file_key = _suite().decrypt(share + body, private, info=_LABEL)
        except InvalidTag:
            continue  # the stanza is for someone else, which ML-KEM itself does not report
        return _payload(file_key, header, mac, payload)
    return None


def _parse(file: bytes) -> tuple[list[tuple[list[str], bytes]], bytes, bytes, bytes]:
    """Return the stanzas (arguments and body), the header that the MAC covers, the MAC, and the payload."""
    if not file.startswith(_INTRO):
        raise ValueError("not an age file, or one of another version")
    at = len(_INTRO)
    stanzas: list[tuple[list[str], bytes]] = []
    while match := _ONE_STANZA.match(file, at):
        stanzas.append((match[1].decode().split(" "), _unbase64(match[2].replace(b"\n", b""))))
        at = match.end()
    footer = _FOOTER.match(file, at)
    if not stanzas or footer is None:
        raise ValueError("its header is malformed")
    return stanzas, file[: at + 3], _unbase64(footer[1]), file[footer.end() :]


def _payload(file_key: bytes, header: bytes, mac: bytes, payload: bytes) -> bytes:
    from hmac import compare_digest, digest

    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    if not compare_digest(mac, digest(_derived(file_key, b"", b"header"), header, "sha256")):
        raise ValueError("its header was changed")
    nonce, chunk = payload[:_NONCE_SIZE], payload[_NONCE_SIZE:]
    if len(chunk) < _TAG_SIZE:
        raise ValueError("its payload was cut off")
    if len(chunk) > _CHUNK + _TAG_SIZE:
        raise ValueError("it is larger than a data key")
    try:
        return ChaCha20Poly1305(_derived(file_key, nonce, b"payload")).decrypt(_ONLY_CHUNK, chunk, None)
    except InvalidTag:
        raise ValueError("its payload was changed") from None


def _derived(key: bytes, salt: bytes, info: bytes) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), 32, salt, info).derive(key)


def _armored(file: bytes) -> str:
    text = b2a_base64(file, newline=False).decode()
    return "\n".join([BEGIN, *(text[at : at + 64] for at in range(0, len(text), 64)), END, ""])


def _unarmored(file: bytes) -> bytes:
    """Decode strict PEM (RFC 7468, figure 3).  White space around it, and CRLF, are allowed."""
    if len(file) > LIMIT:
        raise ValueError("it is larger than a wrapped data key")
    lines = file.decode("latin-1").strip(" \t\r\n").replace("\r\n", "\n").split("\n")
    body = lines[1:-1]
    if lines[0] != BEGIN or lines[-1] != END or not body or not body[-1]:
        raise ValueError("its armor is malformed")
    if any(len(line) != 64 for line in body[:-1]) or len(body[-1]) > 64:
        raise ValueError("its armor is malformed")
    text = "".join(body).encode("latin-1")
    return _unbase64(text.rstrip(b"="), padded=text)


def _base64(data: bytes) -> bytes:
    """Encode base64 without padding."""
    return b2a_base64(data, newline=False).rstrip(b"=")


def _unbase64(text: bytes, *, padded: bytes | None = None) -> bytes:
    """Decode base64 without padding (``padded`` is the text with padding).  Only one spelling is accepted."""
    right = text + b"=" * (-len(text) % 4)
    try:
        data = a2b_base64(right)
    except ValueError:
        raise ValueError("it is not base64") from None
    if b2a_base64(data, newline=False) != right or (padded is not None and padded != right):
        raise ValueError("it is not base64")
    return data


# --- the keys ------------------------------------------------------------------------------


def _suite() -> Any:
    hpke, _, _ = _algorithms()
    return hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)


def _public_key(recipient: str) -> Any:
    public = bech32.decode(recipient, RECIPIENT_PREFIX, _PUBLIC_SIZE)
    from cryptography.exceptions import UnsupportedAlgorithm

    hpke, mlkem, x25519 = _algorithms()
    try:
        return hpke.MLKEM768X25519PublicKey(
            mlkem.MLKEM768PublicKey.from_public_bytes(public[:_MLKEM_SIZE]),
            x25519.X25519PublicKey.from_public_bytes(public[_MLKEM_SIZE:]),
        )
    except ValueError:
        raise ValueError("it is not an ML-KEM-768 public key") from None
    except UnsupportedAlgorithm:
        raise _unsupported() from None


def _algorithms() -> tuple[Any, Any, Any]:
    """Return the modules of `cryptography` for HPKE, ML-KEM and X25519, or raise `_unsupported`."""
    try:
        from cryptography.hazmat.primitives import hpke
        from cryptography.hazmat.primitives.asymmetric import mlkem, x25519
    except ImportError:
        raise _unsupported() from None
    if not hasattr(hpke, "MLKEM768X25519PublicKey"):
        raise _unsupported()
    return hpke, mlkem, x25519


def _unsupported() -> MissingExtraError:
    from importlib.metadata import version

    from encconf.text.packages import how_to_install

    return MissingExtraError(
        f"post-quantum keys ({RECIPIENT_PREFIX}…) need the package cryptography 48 or newer, with ML-KEM;"
        f" this is {version('cryptography')}",
        hint=f"{how_to_install('cryptography>=48')} (one that you build yourself needs OpenSSL 3.5)",
    )
