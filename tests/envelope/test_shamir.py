from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import AgeKey, Sops

from encconf.envelope import WrappedKey, shamir
from encconf.envelope.unwrap import open_data_key
from encconf.identities.credentials import Credentials
from encconf.keys import age


def carryless(a: int, b: int) -> int:
    """The product in GF(2⁸) as it is taught: multiply the polynomials, then divide by 0x11B."""
    product = 0
    for bit in range(8):
        product ^= (a << bit) if b >> bit & 1 else 0
    for bit in range(14, 7, -1):
        product ^= (0x11B << (bit - 8)) if product >> bit & 1 else 0
    return product


def test_the_field_is_that_of_aes() -> None:
    assert shamir.times(0x57, 0x83) == 0xC1  # FIPS 197, section 4.2
    assert all(shamir.times(a, b) == carryless(a, b) for a in range(256) for b in range(256))
    assert all(shamir.times(a, shamir.inverse(a)) == 1 for a in range(1, 256))
    assert shamir.inverse(0) == 0


@given(
    st.binary(min_size=1, max_size=40),
    st.integers(2, 9).flatmap(lambda parts: st.tuples(st.just(parts), st.integers(2, parts))),
    st.randoms(use_true_random=False),
)
def test_any_quorum_gives_the_secret_back(secret: bytes, numbers: tuple[int, int], random: object) -> None:
    count, threshold = numbers
    parts = shamir.split(secret, count, threshold)
    assert [part[-1] for part in parts] == list(range(1, count + 1))
    assert {len(part) for part in parts} == {len(secret) + 1}
    random.shuffle(parts)  # type: ignore[attr-defined]
    assert shamir.combine(parts[:threshold]) == secret
    assert shamir.combine(parts) == secret


def test_every_pair_of_five_does_and_one_of_a_quorum_of_three_does_not() -> None:
    secret = bytes(range(32))
    for pair in itertools.combinations(shamir.split(secret, 5, 2), 2):
        assert shamir.combine(pair) == secret
    for pair in itertools.combinations(shamir.split(secret, 5, 3), 2):
        assert shamir.combine(pair) != secret


def test_the_most_parts_there_can_be() -> None:
    parts = shamir.split(b"secret", 255, 255)
    assert shamir.combine(parts) == b"secret"
    assert shamir.combine(parts[1:]) != b"secret"


def test_the_polynomial_is_made_of_the_random_bytes() -> None:
    # y = secret + 3·x + 5·x² at x = 1, 2: the arithmetic is by hand
    given_bytes = iter([b"\x03", b"\x05"])
    parts = shamir.split(b"\x42", 3, 3, random=lambda size: next(given_bytes))
    assert parts[0] == bytes([0x42 ^ 3 ^ 5, 1])
    assert parts[1] == bytes([0x42 ^ 6 ^ 20, 2])


@pytest.mark.parametrize(
    ("parts", "threshold"), [(1, 1), (2, 1), (2, 3), (256, 2), (300, 300), (0, 0), (5, -1)]
)
def test_impossible_numbers(parts: int, threshold: int) -> None:
    with pytest.raises(ValueError, match="threshold"):
        shamir.split(b"x", parts, threshold)


def test_nothing_to_split() -> None:
    with pytest.raises(ValueError, match="is empty"):
        shamir.split(b"", 2, 2)


@pytest.mark.parametrize("parts", [[], [b"ab"], [b"ab", b"abc"], [b"a", b"b"], [b"", b""], [b"ax", b"bx"]])
def test_parts_that_do_not_fit(parts: list[bytes]) -> None:
    with pytest.raises(ValueError, match=r"share"):
        shamir.combine(parts)


# --- with the real sops --------------------------------------------------------------------


@pytest.mark.parametrize(("groups", "threshold"), [(2, 2), (3, 2), (3, 3), (5, 3)])
def test_parts_go_both_ways_with_sops(groups: int, threshold: int) -> None:
    """sops splits and we combine; we split the same data key again and sops combines."""
    pairs = [AgeKey.generate() for _ in range(groups)]
    listed = "".join(f"      - age: [{pair.recipient}]\n" for pair in pairs)
    config = f"creation_rules:\n  - shamir_threshold: {threshold}\n    key_groups:\n{listed}"
    document = json.loads(Sops().encrypt('{"a": "b"}', "json", config=config))
    block = document["sops"]
    assert block["shamir_threshold"] == threshold
    wrapped = [[WrappedKey.from_entry("age", group["age"][0])] for group in block["key_groups"]]

    everything = {"SOPS_AGE_KEY": "\n".join(pair.identity for pair in pairs)}
    data_key = open_data_key(wrapped, threshold, Credentials(everything))
    for quorum in itertools.combinations(pairs, threshold):
        some = Credentials({"SOPS_AGE_KEY": "\n".join(pair.identity for pair in quorum)})
        assert open_data_key(wrapped, threshold, some) == data_key

    parts = shamir.split(data_key, groups, threshold)
    for group, pair, part in zip(block["key_groups"], pairs, parts, strict=True):
        group["age"][0]["enc"] = age.AgeKey(pair.recipient).wrap(part, Credentials({}))
    quorum_environ = {"SOPS_AGE_KEY": "\n".join(pair.identity for pair in pairs[-threshold:])}
    assert json.loads(Sops(quorum_environ).decrypt(json.dumps(document), "json")) == {"a": "b"}
