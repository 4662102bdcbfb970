"""One encryption of one value: nonces, and the cipher's class in any layout of the library."""

from __future__ import annotations

import re

import pytest
from engine import credentials, opened, rule
from oracle import AgeKey

from encconf import api
from encconf.engine.cipher import Encryptor, aes_gcm, unlock


def test_nonces_never_repeat(age_key: AgeKey) -> None:
    seen: dict[tuple[bytes, bytes], bytes] = {}
    text = "l:\n" + "- x\n" * 50 + "a: 1\n"
    twin: str | None = None
    for round in range(6):
        twin = api.encrypt(
            text + f"b{round}: {round}\n", rule(age_key), twin=twin, credentials=credentials(age_key)
        )
        _, data_key, _ = opened(twin, "yaml", age_key)
        for match in re.finditer(r"ENC\[AES256_GCM,data:([^,]+),iv:([^,]+),", twin):
            key = (data_key, match.group(2).encode())
            assert seen.setdefault(key, match.group(1).encode()) == match.group(1).encode()


@pytest.mark.parametrize(
    ("written", "read"),
    [("010", "10"), ("-010", "-10"), ("+5", "5"), ("-0", "0"), ("+00", "0"), ("-7", "-7"), ("0", "0")],
)
def test_an_integer_of_another_program_is_written_as_sops_would(
    age_key: AgeKey, written: str, read: str
) -> None:
    enc = api.encrypt("a: 12345\n", rule(age_key), credentials=credentials(age_key))
    _, data_key, _ = opened(enc, "yaml", age_key)
    enc = re.sub(r"(?<=a: )ENC\[[^]]*\]", Encryptor(data_key)("int", written.encode(), b"a:"), enc)
    assert api.decrypt(enc, credentials=credentials(age_key), ignore_mac=True) == f"a: {read}\n"


def test_only_a_changed_ciphertext_is_refused_and_a_mistake_of_ours_is_not_hidden() -> None:
    nonce = bytes(12)
    enc = aes_gcm(bytes(32)).encrypt(nonce, b"x", b"a:")
    assert unlock(bytes(32), enc, nonce, b"a:") == b"x"
    assert unlock(bytes(32), enc, nonce, b"b:") is None
    with pytest.raises(TypeError):
        unlock(bytes(32), "text", nonce, b"a:")  # type: ignore[arg-type]


def test_the_class_is_the_public_one() -> None:
    from cryptography.hazmat.primitives.ciphers import aead

    assert type(aes_gcm(bytes(32))) is aead.AESGCM


def test_a_library_without_that_module_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from cryptography.hazmat.primitives.ciphers import aead

    monkeypatch.setitem(sys.modules, "cryptography.hazmat.bindings._rust", None)  # importing it fails
    assert type(aes_gcm(bytes(32))) is aead.AESGCM


def test_another_layout_of_the_library_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    from cryptography.hazmat.bindings import _rust
    from cryptography.hazmat.primitives.ciphers import aead

    monkeypatch.delattr(_rust.openssl, "aead")
    assert type(aes_gcm(bytes(32))) is aead.AESGCM
