"""Fields of secrets that are JSON or YAML."""

from __future__ import annotations

import pytest

from encconf.errors import SourceError
from encconf.sources import fields


@pytest.mark.parametrize(
    ("data", "field", "value"),
    [
        ('{"a": "x"}', "a", "x"),
        ('{"a": {"b": ["x", {"c": "y"}]}}', "a/b/1/c", "y"),
        ('{"a/b": "whole", "a": {"b": "path"}}', "a/b", "whole"),
        ('{"a": 1.10}', "a", "1.10"),
        ('{"a": 12345678901234567890123}', "a", "12345678901234567890123"),
        ('{"a": true, "b": false}', "b", "false"),
        ('{"a": [1.50, "\\u00e4", null]}', "a", '[1.50,"ä",null]'),
        ('{"a": ""}', "a", ""),
        ('["x", "y"]', "1", "y"),
        ("a: x\nb: [y, z]\n", "b/1", "z"),
        ("a: 1.5\n", "a", "1.5"),
        ("a: 2001-02-03\n", "a", "2001-02-03"),
        ("a: !!binary /w==\n", "a", "\udcff"),
    ],
)
def test_a_field(data: str, field: str, value: str) -> None:
    found = fields.pick(data.encode(), field).decode(errors="surrogateescape")
    assert found == value or (found.startswith(value) and data.startswith("a: 2001"))


@pytest.mark.parametrize(
    "data", [b"\xff", b"plain-s3cret", b"{s3cret", b"a: s3cret\n---\nb: 1\n", b"[" * 9000]
)
def test_what_has_no_fields(data: bytes) -> None:
    with pytest.raises(SourceError) as caught:
        fields.pick(data, "a")
    assert caught.value.reason in ("wrong", "missing")
    assert "s3cret" not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(
    "field", ["b", "a/b", "0", "l/x", "l/9", "l/-1", "l/1²", "l/99999999999999999999", "l/00000000001"]
)
def test_a_field_that_is_not_there(field: str) -> None:
    with pytest.raises(SourceError) as caught:
        fields.pick(b'{"a": "s3cret", "l": ["s3cret", "x"]}', field)
    assert caught.value.reason == "missing"
    assert "s3cret" not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize("field", ["pasword", "db/Password"])
def test_a_misspelled_field_of_json_has_a_suggestion(field: str) -> None:
    member = '{"password": "s3cret", "user": "x"}'
    data = member if "/" not in field else f'{{"db": {member}}}'
    with pytest.raises(SourceError) as caught:
        fields.pick(data.encode(), field)
    assert caught.value.hint == "did you mean password?"
    # Any text may be YAML by accident, and then a name is a part of the secret.
    with pytest.raises(SourceError) as caught:
        fields.pick(b"password: s3cret", "pasword")
    assert caught.value.hint == "#FIELD names one of its members"


def test_a_field_is_put_as_it_is_and_the_others_stay() -> None:
    assert fields.put(None, "a", "ä\n".encode(), replace=False) == '{"a":"ä\\n"}'.encode()
    whole = b'{"n": 1.10, "big": 12345678901234567890123, "t": true, "l": [null], "a": "old"}'
    assert fields.put(whole, "a", b"new", replace=True) == (
        b'{"n":1.10,"big":12345678901234567890123,"t":true,"l":[null],"a":"new"}'
    )
