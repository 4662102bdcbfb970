"""Which values can be stored, and which are the same."""

from __future__ import annotations

import datetime
import enum
from typing import Any

import pytest

from encconf.errors import EmitError, EncconfError, LimitError, WrongTypeError
from encconf.shape.values import plain, same

SECRET = "hunter2"


class Color(str, enum.Enum):  # noqa: UP042 - it prints as Color.RED, not as its text
    RED = "red"


def _nested(levels: int) -> Any:
    value: Any = SECRET
    for _ in range(levels):
        value = [value]
    return value


def _inside_itself(value: Any) -> Any:
    value["a"] = [value]
    return value


def test_a_copy_has_exact_types() -> None:
    given: Any = {Color.RED: (Color.RED, 1, 2.5, True, None, {"k": []})}
    copy: Any = plain(given)
    assert copy == {"red": ["red", 1, 2.5, True, None, {"k": []}]}
    assert {type(text) for text in (*copy, copy["red"][0])} == {str}
    assert copy["red"][5] is not given[Color.RED][5]


@pytest.mark.parametrize(
    ("value", "kind", "place"),
    [
        ({"a": [datetime.date(2000, 1, 2)]}, WrongTypeError, r"x\.a\[0\]: date"),
        ({"a": b"hunter2"}, WrongTypeError, r"x\.a: bytes"),
        ({"a": object()}, WrongTypeError, r"x\.a: object"),
        ({"a": {1: SECRET}}, WrongTypeError, r"x\.a: a key"),
        ({"a": f"{SECRET}\ud800"}, EmitError, r"x\.a: a text"),
        ({"a": {f"{SECRET}\udfff": 1}}, EmitError, r"x\.a: a key"),
        ({"a": 2**63}, EmitError, r"x\.a: an integer"),
        ({"a": -(10**5000)}, EmitError, r"x\.a: an integer"),
        (_nested(500), LimitError, "x: "),
        (_nested(200), LimitError, "x: "),
        (_inside_itself({}), LimitError, "x: "),
    ],
)
def test_what_cannot_be_stored(value: object, kind: type[EncconfError], place: str) -> None:
    with pytest.raises(kind, match=f"^{place}") as caught:
        plain(value, ("x",))
    assert SECRET not in str(caught.value)
    assert caught.value.__context__ is None


def test_as_deep_as_a_document_may_be() -> None:
    assert plain(_nested(199), ("x",)) == _nested(199)
    assert plain({"é": "日"}, ("x",)) == {"é": "日"}


NAN = float("nan")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"a": NAN, "b": [1]}, {"b": [1], "a": float("nan")}),
        ("red", Color.RED),
        ([{"a": None}], [{"a": None}]),
    ],
)
def test_the_same(old: object, new: object) -> None:
    assert same(old, new)
    assert same(new, old)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (1, True),
        (1, 1.0),
        (1.0, True),
        ({"a": [1]}, {"a": [True]}),
        ({}, []),
        ({"a": 1}, {"b": 1}),
        ([1], []),
        ([1, 2], [1, 3]),
    ],
)
def test_not_the_same(old: object, new: object) -> None:
    assert not same(old, new)
    assert not same(new, old)


def test_the_largest_integers_and_the_first_step_of_a_deep_value() -> None:
    for value in (2**63 - 1, -(2**63)):
        assert plain(value) == value
    for value in (2**63, -(2**63) - 1):
        with pytest.raises(EmitError, match="more than 64 bits"):
            plain(value, ("a",))


def test_same_looks_at_every_member() -> None:
    nan = float("nan")
    assert same({"a": 1, "b": 2}, {"b": 2, "a": 1})
    assert not same({"a": 1, "b": 2}, {"a": 1, "b": 3})
    assert not same({"a": 1, "b": 2}, {"a": 3, "b": 2})
    assert not same(["x", 1], ["x", 2])
    assert not same("1", 1)
    assert not same(1, "1")
    assert same(nan, nan)
    assert not same(nan, 1.0)
    assert not same(1.0, nan)
