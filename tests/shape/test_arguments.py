"""Arguments of a wrong type, for every public function: an error that names the argument and the type."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import encconf
from encconf import edit, load_config, load_layers, optional, plain, watch
from encconf.errors import UsageError, WrongTypeError
from encconf.testing import TestKey

FILE = "s.enc.yaml"
NAME = r"expected the name of a file or an open file, not"
TEXT = r"expected str or bytes, not"


@pytest.fixture(autouse=True)
def path(write: Callable[..., Path]) -> Path:
    return write(FILE, {"db": {"port": 1, "password": "hunter2"}})


@dataclasses.dataclass
class Database:
    port: int


@dataclasses.dataclass
class Other:
    port: int


@dataclasses.dataclass
class Either:
    db: Database | Other


CALLS: list[tuple[Callable[[], Any], str]] = [
    (lambda: load_config(5), f"{NAME} int"),  # type: ignore[call-overload]
    (lambda: load_config(None), f"{NAME} NoneType"),  # type: ignore[call-overload]
    (lambda: load_config(FILE, section=5), "section must be a str or a tuple of str, not int"),  # type: ignore[call-overload]
    (lambda: load_config(FILE, section=["db"]), "section must be a str or a tuple of str, not list"),  # type: ignore[call-overload]
    (lambda: load_config(FILE, section=(1,)), "section must be a str or a tuple of str"),  # type: ignore[call-overload]
    (lambda: load_config(FILE, schema=5), "schema must be a class, not an object of it, not int"),  # type: ignore[call-overload]
    (lambda: load_config(FILE, schema=Database(1)), "schema must be a class, not an object of it"),  # type: ignore[call-overload]
    (
        lambda: load_config(FILE, schema=Either),
        "msgspec does not accept the schema: Type unions may not contain",
    ),
    (lambda: load_config(FILE, mask="yes"), "mask must be True or False, not str"),  # type: ignore[call-overload]
    (lambda: load_config(FILE, format=5), "format must be a str: yaml, json"),  # type: ignore[call-overload]
    (lambda: load_config(FILE, credentials={}), "credentials must be Credentials, not dict"),  # type: ignore[call-overload]
    (lambda: load_config(FILE, cache=True), "cache must be a DataKeyCache, not bool"),  # type: ignore[call-overload]
    (lambda: load_config(FILE, resolve="vault"), "resolve must be True, False or a Resolve, not str"),  # type: ignore[call-overload]
    (lambda: encconf.load_configs(FILE), "paths must be a list of files, not str"),
    (lambda: encconf.load_configs(5), "paths must be a list of files, not int"),  # type: ignore[arg-type]
    (lambda: encconf.load_configs([FILE], cache=5), "cache must be a DataKeyCache"),  # type: ignore[arg-type]
    (lambda: encconf.loads("a: 1", credentials=5), "credentials must be Credentials"),  # type: ignore[arg-type]
    (lambda: encconf.decrypt("a: 1", credentials=5), "credentials must be Credentials"),  # type: ignore[arg-type]
    (lambda: encconf.encrypt("a: 1", 5), "rule must be a Rule, which find_rule makes, not int"),  # type: ignore[arg-type]
    (lambda: encconf.inspect("a: 1", format=5), "format must be a str"),  # type: ignore[arg-type]
    (lambda: encconf.load(5), f"{NAME} int"),  # type: ignore[arg-type]
    (lambda: encconf.load(b"text"), f"{NAME} bytes"),  # type: ignore[arg-type]
    (lambda: encconf.loads(5), f"{TEXT} int"),  # type: ignore[arg-type]
    (lambda: encconf.loads(Path(FILE)), f"{TEXT} {type(Path()).__name__}"),  # type: ignore[arg-type]
    (lambda: encconf.loads_all(5), f"{TEXT} int"),  # type: ignore[arg-type]
    (lambda: encconf.load_configs([5]), f"{NAME} int"),  # type: ignore[list-item]
    (lambda: encconf.encrypt({"a": 1}), f"{TEXT} dict"),  # type: ignore[arg-type]
    (lambda: encconf.decrypt(5), f"{TEXT} int"),  # type: ignore[arg-type]
    (lambda: encconf.inspect(5), f"{TEXT} int"),  # type: ignore[arg-type]
    (lambda: load_layers(5), f"{NAME} int"),  # type: ignore[call-overload]
    (lambda: load_layers(["a"]), f"{NAME} list"),  # type: ignore[call-overload]
    (lambda: load_layers(FILE, env=5), "env must be a str, the prefix of the variables' names, not int"),  # type: ignore[call-overload]
    (lambda: load_layers(FILE, env=True), "env must be a str"),  # type: ignore[call-overload]
    (lambda: load_layers(FILE, env="A_", environ=5), "environ must be a mapping"),  # type: ignore[call-overload]
    (lambda: load_layers(FILE, env="A_", environ={"A_X": 5}), "environ: A_X must be a str, not int"),  # type: ignore[dict-item]
    (lambda: load_layers(FILE, section=5), "section must be a str or a tuple of str, not int"),  # type: ignore[call-overload]
    (lambda: load_layers(FILE, schema=5), "schema must be a class"),  # type: ignore[call-overload]
    (lambda: load_layers(FILE, mask="yes"), "mask must be True or False, not str"),  # type: ignore[call-overload]
    (lambda: load_layers(FILE, credentials={}), "credentials must be Credentials, not dict"),  # type: ignore[call-overload]
    (lambda: load_layers(FILE, cache=True), "cache must be a DataKeyCache, not bool"),  # type: ignore[call-overload]
    (lambda: load_layers(FILE, resolve="vault"), "resolve must be True, False or a Resolve, not str"),  # type: ignore[call-overload]
    (lambda: plain(5), r"plain needs a file's name \(str or path\), not int"),  # type: ignore[arg-type]
    (lambda: plain("a.yaml", format=5), "format must be a str: yaml, json"),  # type: ignore[arg-type]
    (lambda: optional(5), "optional needs a file's name"),  # type: ignore[arg-type]
    (lambda: watch(5), "watch needs a file's name"),  # type: ignore[call-overload]
    (lambda: watch(dict, 5), "watch needs a file's name"),  # type: ignore[call-overload]
    (lambda: watch(FILE, interval="5"), "interval must be a number of seconds, not str"),  # type: ignore[call-overload]
    (lambda: watch(FILE).on_change(5), "on_change needs a function, not int"),  # type: ignore[arg-type]
    (lambda: edit(5).__enter__(), "edit needs a file's name"),  # type: ignore[arg-type]
    (lambda: edit(FILE, format=5).__enter__(), "format must be a str"),  # type: ignore[arg-type]
    (lambda: edit(FILE, credentials=5).__enter__(), "credentials must be Credentials, not int"),  # type: ignore[arg-type]
    (lambda: TestKey.generate().encrypt(5), "data must be a dict or a str, not int"),  # type: ignore[arg-type]
    (lambda: TestKey.generate().write(5, {}), "write needs a file's name"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("call", "message"), CALLS, ids=[message for _, message in CALLS])
def test_a_wrong_type_is_named(call: Callable[[], object], message: str) -> None:
    with pytest.raises(WrongTypeError, match=message) as caught:
        call()
    assert isinstance(caught.value, TypeError)
    assert "hunter2" not in str(caught.value)


def test_values_that_make_no_sense() -> None:
    with pytest.raises(UsageError, match="interval must not be negative: it is in seconds"):
        watch(FILE, interval=-1)
    with pytest.raises(UsageError, match="environ needs env"):
        load_layers(FILE, environ={"A_X": "1"})
    with pytest.raises(UsageError, match="unknown format 'xml'"):
        load_config(FILE, format="xml")


def test_load_configs_takes_the_files_of_a_glob(path: Path) -> None:
    (one,) = encconf.load_configs(path.parent.glob("*.enc.yaml"))
    assert one["db"]["port"] == 1


def test_a_path_of_bytes(path: Path) -> None:
    with os.scandir(os.fsencode(path.parent)) as found, pytest.raises(WrongTypeError, match="a file's name"):
        load_config(next(found))
