"""Classes that hold values."""

from __future__ import annotations

import pytest

from encconf.record import Record


class Point(Record):
    x: int
    y: int = 0

    def moved(self) -> Point:
        return Point(self.x + 1, self.y)


class Named(Point):
    name: str = "origin"
    y: int = 5


def test_the_fields_are_taken_in_order_or_by_name() -> None:
    assert vars(Point(1, 2)) == vars(Point(1, y=2)) == vars(Point(y=2, x=1)) == {"x": 1, "y": 2}
    assert vars(Point(1)) == {"x": 1, "y": 0}
    assert Point(1).moved().x == 2


def test_a_subclass_has_the_fields_of_its_base_first() -> None:
    assert vars(Named(1)) == {"x": 1, "y": 5, "name": "origin"}
    assert vars(Named(1, 2, "a")) == {"x": 1, "y": 2, "name": "a"}
    assert vars(Point(1)) == {"x": 1, "y": 0}


@pytest.mark.parametrize(
    ("values", "named", "said"),
    [
        ((), {}, "Point takes x, y, not 0 values for nothing"),
        ((), {"y": "secret"}, "Point takes x, y, not 1 values for y"),
        (("secret", 2, 3), {}, "Point takes x, y, not 3 values for x, y"),
        (("secret",), {"x": 2}, "Point takes x, y, not 2 values for x"),
        ((1,), {"z": "secret"}, "Point takes x, y, not 2 values for z, x"),
    ],
)
def test_other_arguments_are_refused_without_their_values(
    values: tuple[object, ...], named: dict[str, object], said: str
) -> None:
    with pytest.raises(TypeError) as caught:
        Point(*values, **named)  # type: ignore[arg-type]
    assert str(caught.value) == said


def test_a_record_does_not_show_its_values() -> None:
    assert "secret" not in repr(Named(1, name="secret"))


def test_records_are_the_same_only_if_they_are_one() -> None:
    point = Point(1)
    assert point == point
    assert point != Point(1)


def test_a_derived_record_has_the_other_fields_and_no_new_ones() -> None:
    point = Point(1, 2)
    assert vars(point.replace(y=3)) == {"x": 1, "y": 3}
    with pytest.raises(TypeError, match="Point has no z"):
        point.replace(z=3)
