"""One encryption of one value: nonces, and the cipher's class in any layout of the library."""

from __future__ import annotations

import re

import pytest
from engine import credentials, opened, rule
from oracle import AgeKey

from encconf import api
from encconf.engine.cipher import aes_gcm


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
