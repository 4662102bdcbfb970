"""SHA-512 and HMAC without OpenSSL's own module."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 200])
def test_hmac_without_openssl_is_hmac(size: int) -> None:
    import hmac

    from encconf.engine.mac import hmac_sha256

    for key in (b"k" * size, bytes(range(size % 256))):
        for data in (b"", b"data" * size):
            assert hmac_sha256(key, data) == hmac.digest(key, data, "sha256")
