"""Variables as a plain text in one of the formats: names, values and comments, in order."""

from __future__ import annotations

import pytest

from encconf import formats
from encconf.errors import EmitError, UsageError
from encconf.migration.dialects import FORMATS, cast, misread, read, render

TEXT = "# the database\nDB=postgres://x\nDEBUG=false\nEMPTY=\nKEY='a\n\\b\"'\n# the end\n"


@pytest.mark.parametrize("format", FORMATS)
def test_it_loads_as_the_same_values(format: str) -> None:
    reading = read(TEXT, "dotenv")
    values = {name: each.value for name, each in reading.variables.items()}
    text = render(reading, values, format)
    assert formats.get(format).load_plain(text) == [values]
    assert list(formats.get(format).load_plain(text)[0]) == ["DB", "DEBUG", "EMPTY", "KEY"]
    comments = ["# the database", "# the end"] if format != "json" else []
    assert [line for line in text.splitlines() if line.startswith("#")] == comments


def test_types_that_were_cast_stay() -> None:
    reading = read("A=true\nB=7\nC=text\n", "dotenv")
    values = cast({name: each.value for name, each in reading.variables.items()})
    for format in ("yaml", "json", "toml"):
        assert formats.get(format).load_plain(render(reading, values, format)) == [
            {"A": True, "B": 7, "C": "text"}
        ]
    with pytest.raises(EmitError, match="A, B cannot be stored exactly in dotenv"):
        render(reading, values, "dotenv")


@pytest.mark.parametrize("format", ["ini", "binary"])
def test_formats_that_have_no_place_for_them(format: str) -> None:
    with pytest.raises(UsageError, match=f"cannot be stored as {format}"):
        render(read("A=1\n", "dotenv"), {"A": "1"}, format)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True), ("TRUE", True), ("False", False), ("0", 0), ("-7", -7), ("007", "007"),
        ("1.5", "1.5"),
        ("+1", "+1"),
        ("yes", "yes"), ("", ""), (" 1", " 1"), ("1" * 18, int("1" * 18)), ("1" * 19, "1" * 19),
    ],
)  # fmt: skip
def test_what_is_cast(text: str, value: object) -> None:
    (found,) = cast({"A": text}).values()
    assert (type(found), found) == (type(value), value)


def test_values_that_python_takes_for_something_else() -> None:
    assert misread({"A": "x", "B": "true", "C": "1"}) == []
    assert misread({"A": "0", "B": "No", "C": "off", "D": ""}) == [
        "A, B, C: kept as text, which is true in Python",
        "D is set but empty, so defaults in your code do not apply",
    ]
    (said,) = misread({f"N{number}": "no" for number in range(9)})
    assert said.startswith("N0, ")
    assert "N7 and 1 more:" in said
    assert "N8" not in said
