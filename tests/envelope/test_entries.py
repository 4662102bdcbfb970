"""A master key of a file, and what it wrapped: the entry that was read is the entry that is written."""

from __future__ import annotations

import pytest
from oracle import AgeKey

from encconf.envelope import WrappedKey
from encconf.errors import MetadataError

RECIPIENT = AgeKey.generate().recipient


def test_an_entry_comes_back_with_what_is_unknown_in_it() -> None:
    entry = {"x": [1, {"y": None}], "recipient": RECIPIENT, "enc": "-----BEGIN AGE-----"}
    wrapped = WrappedKey.from_entry("age", entry)
    assert (wrapped.enc, wrapped.created_at, wrapped.spoiled) == ("-----BEGIN AGE-----", None, False)
    assert wrapped.to_entry() == entry
    assert list(wrapped.to_entry()) == list(entry)


def test_what_was_wrapped_again_replaces_what_was_there() -> None:
    entry = {
        "arn": "arn:aws:kms:eu-central-1:123456789012:key/x",
        "created_at": "2020-01-01T00:00:00Z",
        "enc": "old",
        "aws_profile": "",
    }
    wrapped = WrappedKey.from_entry("kms", entry)
    wrapped.enc, wrapped.created_at = "new", "2026-01-01T00:00:00Z"
    assert wrapped.to_entry() == {**entry, "enc": "new", "created_at": "2026-01-01T00:00:00Z"}
    assert entry["enc"] == "old"


def test_a_new_key_has_no_date_where_its_type_has_none() -> None:
    wrapped = WrappedKey.from_entry("age", {"recipient": RECIPIENT, "enc": "x"})
    assert WrappedKey(wrapped.key, "y").to_entry() == {"recipient": RECIPIENT, "enc": "y"}


@pytest.mark.parametrize(
    "entry", [{"recipient": RECIPIENT, "enc": ["x"]}, {"recipient": [RECIPIENT], "enc": "x"}]
)
def test_members_that_are_no_texts(entry: dict[str, object]) -> None:
    with pytest.raises(MetadataError):
        WrappedKey.from_entry("age", entry)


def test_what_it_wrapped_is_not_shown() -> None:
    wrapped = WrappedKey.from_entry("age", {"recipient": RECIPIENT, "enc": "c1phertext"})
    assert "c1phertext" not in repr(wrapped)
