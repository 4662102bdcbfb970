"""Shamir's secret sharing over GF(2⁸): a secret is split into n parts, and any t of them restore it.

The parts are those of sops 3.13.3 (shamir/shamir.go, from HashiCorp Vault): the field is that of AES, and a
part has one y byte for each byte of the secret, followed by its x, which counts from 1.
A part does not show whether it is the right one.  If it is not, the combined secret opens nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence


def split(
    secret: bytes, parts: int, threshold: int, *, random: Callable[[int], bytes] = os.urandom
) -> list[bytes]:
    """Split ``secret`` into ``parts`` parts (2 to 255); any ``threshold`` (at least 2) of them restore it.

    ``random`` returns a number of random bytes that are good enough for keys.  Raises ValueError for numbers
    out of range and for an empty secret.
    """
    if not 2 <= threshold <= parts <= 255:
        raise ValueError("a threshold is at least 2 and at most the number of shares, which is at most 255")
    if not secret:
        raise ValueError("the secret is empty")
    # Each byte of the secret has its own polynomial, and is its constant term.
    terms = [secret, *(random(len(secret)) for _ in range(threshold - 1))]
    return [_at(terms, x) + bytes((x,)) for x in range(1, parts + 1)]


def combine(parts: Sequence[bytes]) -> bytes:
    """Return the secret that was split into ``parts``.

    If the parts are too few or not all of the same secret, the result is arbitrary bytes.  Raises ValueError
    for fewer than two parts, empty parts or parts of different length, and for the same part twice.
    """
    if len(parts) < 2:
        raise ValueError("at least two shares are needed")
    size = len(parts[0])
    if size < 2 or any(len(part) != size for part in parts):
        raise ValueError("the shares differ in length")
    xs = [part[-1] for part in parts]
    if len(set(xs)) != len(xs):
        raise ValueError("the same share occurs twice")
    secret = bytes(size - 1)
    for part, x in zip(parts, xs, strict=True):
        weight = 1  # the weight of this part in Lagrange's formula, at 0
        for other in xs:
            if other != x:
                weight = times(weight, times(other, inverse(other ^ x)))
        secret = bytes(sum_ ^ times(y, weight) for sum_, y in zip(secret, part[:-1], strict=True))
    return secret


def _at(terms: list[bytes], x: int) -> bytes:
    """Return the polynomials' values at x, by Horner's rule."""
    values = terms[-1]
    for term in reversed(terms[:-1]):
        values = bytes(times(value, x) ^ c for value, c in zip(values, term, strict=True))
    return values


def times(a: int, b: int) -> int:
    """Return the product in GF(2⁸) modulo x⁸+x⁴+x³+x+1.  No table index and no branch depends on a or b."""
    product = 0
    for bit in (7, 6, 5, 4, 3, 2, 1, 0):
        product = (product << 1) ^ (-(product >> 7) & 0x11B) ^ (-(b >> bit & 1) & a)
    return product


def inverse(a: int) -> int:
    """Return a²⁵⁴, which is 1/a (and 0 for 0)."""
    power = a
    for _ in range(6):  # a³, a⁷, … a¹²⁷
        power = times(times(power, power), a)
    return times(power, power)
