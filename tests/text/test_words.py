"""Words for true and false, collections in brackets, the word that was meant, and texts of the sops block."""

from __future__ import annotations

import re

import pytest

from encconf.text import words
from encconf.text.words import FALSE, TRUE, bool_word, did_you_mean, on_one_line, weak_text


def test_a_boolean_as_a_word() -> None:
    assert {bool_word(True), *(bool_word(word.encode()) for word in TRUE)} == {"true"}
    assert {bool_word(False), *(bool_word(word.encode()) for word in FALSE)} == {"false"}


def test_collections_in_brackets() -> None:
    value = {"a": ["x", "y", ("z",)], "b": {}}
    assert on_one_line(value, str.upper, repr) == "{'a': [X, Y, [Z]], 'b': {}}"
    assert on_one_line(value, str.upper, str, "=", ",") == "{a=[X,Y,[Z]],b={}}"
    assert on_one_line("x", str.upper, repr) == "X"


def test_the_word_that_was_meant() -> None:
    assert did_you_mean("encrpt", ["decrypt", "encrypt"]) == "did you mean encrypt?"
    assert did_you_mean("x", ["decrypt"]) == ""
    assert did_you_mean("abcd", ["abxy"], 0.4) == "did you mean abxy?"
    assert did_you_mean("a" * 1_000_000, ["b"]) == ""


@pytest.mark.parametrize(
    ("value", "text"), [("a", "a"), (True, "1"), (False, "0"), (7, "7"), (None, ""), (1.5, None), ([], None)]
)
def test_a_member_as_text(value: object, text: str | None) -> None:
    assert weak_text(value) == text


def test_members_in_the_order_of_their_names() -> None:
    value = {"b": [{"d": 1, "c": None}], "a": ({"f": 2, "e": 3},)}
    found = words.ordered(value)
    assert found == {"a": [{"e": 3, "f": 2}], "b": [{"c": None, "d": 1}]}
    assert [*found, *found["b"][0], *found["a"][0]] == ["a", "b", "c", "d", "e", "f"]
    assert words.ordered(value, nulls=False)["b"] == [{"d": 1}]


def test_the_form_of_a_usual_date() -> None:
    date = "2026-01-29T03:45:06Z"
    texts = [date, "", f"{date} ", date[:-1], f"{date[:-1]}+00:00", date.lower()]
    texts += [date[:at] + sign + date[at + 1 :] for at in range(len(date)) for sign in "0179-:TZ x\u0661"]
    for text in texts:
        wanted = re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", text) is not None
        assert words.is_usual_date(text) is wanted, text
