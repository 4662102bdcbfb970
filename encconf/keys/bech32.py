"""Bech32 (BIP 173), without its limit of 90 characters: the spelling of age keys."""

from __future__ import annotations

from collections.abc import Sequence

_DIGITS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM = 6  # its number of digits


def decode(text: str, prefix: str, size: int) -> bytes:
    """Return the ``size`` bytes after a prefix.  It ends with the separator ``1`` and determines the case.

    Raises ValueError, which says what is wrong and does not quote the text.
    """
    upper = prefix.isupper()
    rest = text.removeprefix(prefix)
    if rest == text or rest != (rest.upper() if upper else rest.lower()):
        raise ValueError(f"it is not {prefix}… in one case")
    digits = [_DIGITS.find(character) for character in rest.lower()]
    padding = -size * 8 % 5
    if len(digits) != (size * 8 + padding) // 5 + _CHECKSUM or -1 in digits:
        raise ValueError("it is damaged: a character was lost, added or changed")
    if _checksum(prefix, digits) != 1:
        raise ValueError("it is damaged: its checksum does not match")
    number = 0
    for digit in digits[:-_CHECKSUM]:
        number = number << 5 | digit
    if number & ((1 << padding) - 1):
        raise ValueError("it is damaged: its last bits are not zero")
    return (number >> padding).to_bytes(size, "big")


def encode(data: bytes, prefix: str) -> str:
    """Return the bytes as text after a prefix.  It ends with the separator ``1`` and determines the case."""
    padding = -len(data) * 8 % 5
    number = int.from_bytes(data, "big") << padding
    digits = [number >> at & 31 for at in range(len(data) * 8 + padding - 5, -1, -5)]
    check = _checksum(prefix, [*digits, *[0] * _CHECKSUM]) ^ 1
    digits += [check >> at & 31 for at in range(5 * (_CHECKSUM - 1), -1, -5)]
    text = "".join(_DIGITS[digit] for digit in digits)
    return prefix + (text.upper() if prefix.isupper() else text)


def _checksum(prefix: str, digits: Sequence[int]) -> int:
    codes = prefix[:-1].lower().encode()
    checksum = 1
    for value in (*(code >> 5 for code in codes), 0, *(code & 31 for code in codes), *digits):
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for bit, term in enumerate(_GENERATOR):
            if top >> bit & 1:
                checksum ^= term
    return checksum
