"""Values that print as asterisks, and are what they are everywhere else."""

from __future__ import annotations

import copy
import hashlib
import hmac
import json
import os
import pickle
import sqlite3
import subprocess
import sys
import traceback
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pydantic
import pytest

from encconf import MaskedStr, decrypt, encrypt, load_config
from encconf.shape import mask
from encconf.shape.mask import STARS, MaskedBytes, masked_number

SECRET = "hunter2-of-the-database"


def test_what_was_encrypted_is_masked_and_nothing_else(write: Callable[..., Path]) -> None:
    text = f"db:\n  password: {SECRET}\n  port: 5432\nnote_unencrypted: free\nblob: !!binary /w==\n"
    config = load_config(write("s.enc.yaml", text), mask=True)
    assert SECRET not in repr(config)
    assert config == {"db": {"password": SECRET, "port": 5432}, "note_unencrypted": "free", "blob": b"\xff"}
    assert type(config["db"]["password"]) is MaskedStr
    assert type(config["note_unencrypted"]) is str
    assert type(config["blob"]) is MaskedBytes
    assert repr(config["blob"]) == STARS


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("s.enc.json", json.dumps({"a": SECRET, "l": [SECRET]})),
        ("s.enc.toml", f"a = '{SECRET}'\nl = ['{SECRET}']\n"),
        ("s.enc.env", f"a={SECRET}\n"),
        ("s.enc.ini", f"[s]\na = {SECRET}\n"),
    ],
)
def test_in_every_format(write: Callable[..., Path], name: str, text: str) -> None:
    path = write(name, text)
    assert SECRET not in repr(load_config(path, mask=True))
    assert load_config(path, mask=True) == load_config(path)
    assert SECRET in repr(load_config(path))


def test_it_is_a_str_for_everybody_else(tmp_path: Path) -> None:
    masked = MaskedStr(SECRET)
    assert masked == SECRET
    assert f"{masked}" == str(masked) == "%s" % masked == SECRET  # noqa: UP031
    assert type(str(masked)) is str
    assert json.dumps([masked]) == json.dumps([SECRET])
    for again in (pickle.loads(pickle.dumps(masked)), copy.deepcopy(masked)):
        assert again == SECRET
        assert type(again) is MaskedStr
    digest = hmac.new(masked.encode(), b"", hashlib.sha256).digest()
    assert digest == hmac.new(SECRET.encode(), b"", hashlib.sha256).digest()
    with closing(sqlite3.connect(":memory:")) as database:
        assert database.execute("SELECT ?", [masked]).fetchone() == (SECRET,)
    words = [sys.executable, "-c", "import os; print(os.environ['X'])"]
    environ = {**os.environ, "X": masked}
    done = subprocess.run(words, env=environ, capture_output=True, text=True, check=True)
    assert done.stdout == f"{SECRET}\n"


def test_tracebacks_with_locals_show_none(write: Callable[..., Path]) -> None:
    """As error trackers and debug pages print them."""
    config = load_config(write("s.enc.yaml", f"password: {SECRET}\n"), mask=True)
    password = config["password"]
    try:
        raise RuntimeError(f"{len(password)} characters")
    except RuntimeError as error:
        shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert STARS in shown
    assert SECRET not in shown


def test_errors_of_a_load_keep_no_frames_of_ours(write: Callable[..., Path]) -> None:
    """The frames inside encconf have data keys and plaintexts as local variables."""
    path = write("s.enc.yaml", f"password: {SECRET}\nother: 1\n")
    lines = path.read_text().splitlines(keepends=True)
    lines[1] = lines[1].replace("other", "o2")
    path.write_text("".join(lines))
    with pytest.raises(Exception, match=r"o2|MAC|changed") as caught:
        load_config(path)
    assert {frame.name for frame in caught.traceback[1:]} <= {"load_config", "tree_of", "call"}
    for function in (decrypt, lambda text: encrypt(f"password: {SECRET}\n", twin=text)):
        with pytest.raises(Exception, match=r"o2|MAC|changed") as caught:
            function(path.read_text())
        assert not any("data_key" in frame.frame.f_locals for frame in caught.traceback[1:])


def test_other_people_s_libraries_take_it(tmp_path: Path) -> None:
    """What docs/python/README.md says; those that the development environment has."""
    import attrs
    import httpx
    import jinja2
    import msgspec
    import requests
    import sqlalchemy
    import yaml

    masked = MaskedStr(SECRET)
    assert jinja2.Template("{{ password }}").render(password=masked) == SECRET
    request = httpx.Request("GET", "http://localhost", headers={"X": masked}, params={"p": masked})
    assert request.headers["X"] == request.url.params["p"] == SECRET
    prepared = requests.Request(
        "GET", "http://localhost", headers={"X": masked}, auth=(masked, "x")
    ).prepare()
    assert prepared.headers["X"] == SECRET
    engine = sqlalchemy.create_engine("sqlite://")
    with engine.connect() as connection:
        assert connection.execute(sqlalchemy.text("SELECT :p"), {"p": masked}).scalar() == SECRET
    engine.dispose()
    url = sqlalchemy.URL.create("postgresql", "shop", masked, "localhost")
    assert url.render_as_string(hide_password=False) == f"postgresql://shop:{SECRET}@localhost"

    @attrs.define
    class Holder:
        password: str

    held = msgspec.convert({"password": masked}, Holder)
    assert held.password == SECRET
    assert SECRET not in repr(held)
    # These refuse subclasses of str.
    for refuses in (lambda: yaml.safe_dump([masked]), lambda: msgspec.json.encode([masked])):
        with pytest.raises((yaml.YAMLError, TypeError, NotImplementedError)):
            refuses()
    assert yaml.safe_dump([str(masked)]) == f"- {SECRET}\n"


def test_a_masked_number_is_shown_where_a_number_is_asked_for() -> None:
    for number in (5432, -1, 1.5, 1e300):
        mask = masked_number(number)
        assert repr(mask) == STARS
        assert (str(mask), f"{mask}", f"{mask:g}") == (str(number), f"{number}", f"{number:g}")
        assert Decimal(str(mask)) == Decimal(str(number))


def test_a_part_of_a_secret_is_masked() -> None:
    """Rich and structlog cut a long text before they take its repr."""
    secret, key = MaskedStr("hunter2" * 20), MaskedBytes(b"\xfehunter2")
    assert (secret[:7], secret[-1], key[:3], key[0]) == ("hunter2", "2", b"\xfehu", 0xFE)
    assert repr((secret[:7], secret[0], key[1:])) == f"({STARS}, {STARS}, {STARS})"
    assert "".join(secret) == secret


def test_what_is_masked_is_known_for_redacting_unless_it_is_short() -> None:
    for value, known in (("kW8v", True), ("kW8", False), (b"kW8w", True), (5, False), (None, False)):
        mask.LOADED.pop(value, None)  # type: ignore[call-overload]
        found = mask.masked(value)
        assert found == value
        assert (value in mask.LOADED) is known
    mask.LOADED.pop("kW8v")
    kinds = {type(value): type(mask.masked_number(value)) for value in ("kW8v", b"x", 5, 1.5, True, None)}
    assert kinds == {
        str: mask.MaskedStr,
        bytes: mask.MaskedBytes,
        int: mask.MaskedInt,
        float: mask.MaskedFloat,
        bool: bool,
        type(None): type(None),
    }
    assert "kW8v" in mask.LOADED


def test_a_field_of_pydantic_keeps_the_mask() -> None:
    from encconf.shape.mask import MaskedStr

    found = pydantic.TypeAdapter(MaskedStr).validate_python("hunter2")
    assert (type(found), str(found), repr(found)) == (MaskedStr, "hunter2", "'**********'")
    with pytest.raises(pydantic.ValidationError):
        pydantic.TypeAdapter(MaskedStr).validate_python(1)
