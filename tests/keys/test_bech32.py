"""Bech32, the spelling of age keys."""

from __future__ import annotations

import pytest
from oracle import AgeKey

from encconf.keys import agepq, bech32


def test_the_padding_of_bech32_is_zero() -> None:
    """32 bytes leave 4 bits; with one of them set the text still has a right checksum."""
    text = agepq.IDENTITY_PREFIX + "Q" * 51 + "PQ0MMAT"
    with pytest.raises(ValueError, match="its last bits are not zero"):
        agepq.Identity(text)


def test_as_age_keygen_spells_it() -> None:
    """The identity of a key that pyrage made, decoded and spelled again."""
    identity = AgeKey.generate().identity
    data = bech32.decode(identity, "AGE-SECRET-KEY-1", 32)
    assert bech32.encode(data, "AGE-SECRET-KEY-1") == identity


@pytest.mark.parametrize("size", [0, 1, 5, 31, 32, 1216])
def test_any_size_and_case(size: int) -> None:
    data = bytes(at % 251 for at in range(size))
    for prefix in ("age1", "AGE-SECRET-KEY-1"):
        text = bech32.encode(data, prefix)
        assert text == (text.upper() if prefix.isupper() else text.lower())
        assert bech32.decode(text, prefix, size) == data


def test_damage_is_noticed_and_nothing_of_the_text_is_shown() -> None:
    good = bech32.encode(bytes(range(32)), "age1")
    body = good.removeprefix("age1")
    wrong = {
        "one case": [body, "agE1" + body, "age1" + body.upper()],
        "lost, added or changed": [good[:-1], good + "q", "age1" + "b" + body[1:], "age1"],
        "checksum": [
            *(f"age1{body[:at]}{'p' if body[at] != 'p' else 'q'}{body[at + 1 :]}" for at in range(len(body)))
        ],
    }
    for said, texts in wrong.items():
        for text in texts:
            with pytest.raises(ValueError, match=said) as caught:
                bech32.decode(text, "age1", 32)
            assert body[:10] not in str(caught.value)
