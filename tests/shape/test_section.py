"""One part of a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from encconf import load_config
from encconf.errors import ConfigTypeError, MissingFileError, NotEncryptedError, PathNotFoundError
from encconf.text.printable import quoted

TEXT = "app:\n  db: {host: inner}\napp.db: {host: whole}\napp.web:\n  x.y: {n: 1}\nsingle: 1\n"


@pytest.mark.parametrize(
    ("section", "found"),
    [
        ("app.db", {"host": "whole"}),
        (("app", "db"), {"host": "inner"}),
        (("app.db",), {"host": "whole"}),
        ("app.web.x.y", {"n": 1}),
        ("app", {"db": {"host": "inner"}}),
    ],
)
def test_the_longest_key_is_tried_first_and_a_tuple_is_exact(
    write: Callable[..., Path], section: str | tuple[str, ...], found: object
) -> None:
    assert load_config(write("s.enc.yaml", TEXT), section=section) == found


@pytest.mark.parametrize("section", ["nope", "app.nope", ("app", "db", "host", "x"), ("app.web.x.y",)])
def test_a_section_that_is_missing(write: Callable[..., Path], section: str | tuple[str, ...]) -> None:
    with pytest.raises(PathNotFoundError, match=r"s\.enc\.yaml: the file has no section") as caught:
        load_config(write("s.enc.yaml", TEXT), section=section)
    assert caught.value.hint == "the file has these sections: app, app.db, app.web"


def test_a_single_value_is_no_section(write: Callable[..., Path]) -> None:
    with pytest.raises(ConfigTypeError, match="single: expected a mapping"):
        load_config(write("s.enc.yaml", TEXT), section="single")


def test_a_part_of_a_name_is_not_taken_from_an_empty_key(write: Callable[..., Path]) -> None:
    with pytest.raises(PathNotFoundError):
        load_config(write("s.enc.yaml", '"": {app: {host: x}}\n'), section="app")


def test_a_plaintext_beside_its_encrypted_file(write: Callable[..., Path]) -> None:
    path = write("s.enc.yaml", "single: 1\n")
    plain = path.with_name("s.yaml")
    plain.write_text("single: 1\n")
    with pytest.raises(NotEncryptedError) as caught:
        load_config(plain)
    assert caught.value.hint == f"did you mean {path}?"
    with pytest.raises(MissingFileError) as missing:
        load_config(path.with_name("s.enc.yml"))
    assert missing.value.hint == f"did you mean {path}?"
    plain.rename(path.with_name("t.yaml"))
    with pytest.raises(NotEncryptedError) as other:
        load_config(path.with_name("t.yaml"))
    assert other.value.hint == f"encrypt it first: encconf encrypt {quoted(str(path.with_name('t.yaml')))}"
    assert f"hint: {other.value.hint}" in other.value.__notes__


def test_a_file_without_sections(write: Callable[..., Path]) -> None:
    with pytest.raises(PathNotFoundError) as caught:
        load_config(write("s.enc.yaml", "single: 1\n"), section="app")
    assert caught.value.hint is None
