"""Several files and the environment as one dict."""

from __future__ import annotations

import copy
import dataclasses
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from encconf import MaskedStr, load_layers, optional, plain
from encconf.errors import (
    ConfigTypeError,
    InputError,
    MissingFileError,
    NotEncryptedError,
    ParseError,
    PlaintextError,
)
from encconf.testing import TestKey

BASE = """\
db:
  host: localhost
  port: 5432
  tls: true
  ratio: 0.5
  hosts: [a, b]
  options: {x: 1}
gone: 1
"""


@pytest.fixture
def base(write: Callable[..., Path]) -> Path:
    Path("base.yaml").write_text(BASE)
    return Path("base.yaml")


def test_later_layers_win_and_mappings_merge(base: Path, write: Callable[..., Path]) -> None:
    write("s.enc.yaml", "db: {host: prod, password: x, hosts: [c]}\ngone: null\n")
    merged = load_layers(plain(base), "s.enc.yaml", {"db": {"port": 1}}, optional("none.enc.yaml"))
    assert merged == {
        "db": {
            **{"host": "prod", "port": 1, "tls": True, "ratio": 0.5, "hosts": ["c"]},
            **{"options": {"x": 1}, "password": "x"},
        },
        "gone": None,
    }


def test_no_layer_is_changed(base: Path) -> None:
    given = {"db": {"host": "x", "deep": {"a": 1}}}
    before = copy.deepcopy(given)
    load_layers(given, {"db": {"deep": {"b": 2}}}, env="APP_", environ={"APP_DB__DEEP__A": "5"})
    assert given == before


@pytest.mark.parametrize(
    ("name", "text", "path", "value"),
    [
        ("APP_DB__PORT", "6", ("db", "port"), 6),
        ("APP_db__PORT", "6", ("db", "port"), 6),
        ("APP_DB__TLS", "off", ("db", "tls"), False),
        ("APP_DB__TLS", "True", ("db", "tls"), True),
        ("APP_DB__RATIO", "1", ("db", "ratio"), 1.0),
        ("APP_DB__HOST", "5", ("db", "host"), "5"),
        ("APP_DB__HOSTS", '["z"]', ("db", "hosts"), ["z"]),
        ("APP_DB__OPTIONS", '{"y": 2}', ("db", "options"), {"y": 2}),
        ("APP_DB__OPTIONS__X", "2", ("db", "options", "x"), 2),
        ("APP_NEW__Key", "5", ("new", "key"), "5"),
    ],
)
def test_the_environment_is_cast_to_what_is_there(
    base: Path, name: str, text: str, path: tuple[str, ...], value: object
) -> None:
    found: object = load_layers(plain(base), env="APP_", environ={name: text, "OTHER_DB__PORT": "7"})
    for key in path:
        assert isinstance(found, dict)
        found = found[key]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("APP_DB__PORT", "db.port wants int"),
        ("APP_DB__TLS", "db.tls wants bool"),
        ("APP_DB__RATIO", "db.ratio wants float"),
        ("APP_DB__HOSTS", "db.hosts wants a JSON list"),
        ("APP_DB__OPTIONS", "db.options wants a JSON object"),
        ("APP_DB__HOST__X", "db.host is not a mapping"),
    ],
)
def test_a_variable_that_does_not_fit(base: Path, name: str, wanted: str) -> None:
    with pytest.raises(ConfigTypeError, match=f"^{name}: {wanted}$"):
        load_layers(plain(base), env="APP_", environ={name: "hunter2"})


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("APP_DB__HOSTS", '{"a": 1}', "db.hosts wants a JSON list"),
        ("APP_DB__OPTIONS", "[1]", "db.options wants a JSON object"),
    ],
)
def test_json_of_the_other_kind_does_not_fit(base: Path, name: str, text: str, wanted: str) -> None:
    with pytest.raises(ConfigTypeError, match=f"^{name}: {wanted}$"):
        load_layers(plain(base), env="APP_", environ={name: text})


def test_the_environment_is_read_only_if_asked_for(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_DB__PORT", "1")
    assert load_layers(plain(base))["db"]["port"] == 5432
    assert load_layers(plain(base), env="APP_")["db"]["port"] == 1


def test_keys_that_differ_in_case_only(base: Path) -> None:
    tree = {"Port": 1, "port": 2}
    assert load_layers(tree, env="APP_", environ={"APP_port": "5"}) == {"Port": 1, "port": 5}
    with pytest.raises(ConfigTypeError, match="could mean Port or port"):
        load_layers(tree, env="APP_", environ={"APP_PORT": "5"})


def test_a_bare_path_must_be_encrypted(base: Path) -> None:
    with pytest.raises(NotEncryptedError, match=r"base\.yaml") as caught:
        load_layers(base)
    assert caught.value.hint == "if the file is meant to be readable, use plain(path)"


def test_plain_refuses_what_is_encrypted_or_must_be(write: Callable[..., Path], key: TestKey) -> None:
    write("s.enc.yaml", "a: 1\n")
    with pytest.raises(PlaintextError, match="is encrypted"):
        load_layers(plain("s.enc.yaml"))
    Path(".sops.yaml").write_text(
        f"creation_rules: [{{path_regex: secret, age: {key.recipient}, encrypted_regex: ^pw$}}]"
    )
    Path("secret.yaml").write_text("pw: x\n")
    with pytest.raises(PlaintextError, match="must be encrypted"):
        load_layers(plain("secret.yaml"))
    Path("secret.yaml").write_text("host: x\n")  # the rule leaves it as it is
    assert load_layers(plain("secret.yaml")) == {"host": "x"}
    Path("other.yaml").write_text("pw: x\n")
    assert load_layers(plain("other.yaml")) == {"pw": "x"}


def test_optional_is_about_missing_files_only(base: Path) -> None:
    with pytest.raises(MissingFileError):
        load_layers("none.enc.yaml")
    assert load_layers(optional(plain("none.yaml"))) == {}
    base.write_text("a: [\n")
    with pytest.raises(ParseError):
        load_layers(optional(plain(base)))


def test_masks_and_schemas(base: Path, write: Callable[..., Path]) -> None:
    write("s.enc.yaml", "db: {password: hunter2}\n")
    merged = load_layers(
        plain(base), "s.enc.yaml", mask=True, env="APP_", environ={"APP_DB__PASSWORD": "other"}
    )
    assert type(merged["db"]["password"]) is MaskedStr  # the variable's text, too
    assert merged["db"]["password"] == "other"
    assert type(merged["db"]["host"]) is str

    @dataclasses.dataclass
    class DB:
        port: int
        password: str

    db = load_layers(
        plain(base), "s.enc.yaml", section="db", schema=DB, env="APP_", environ={"APP_DB__PORT": "1"}
    )
    assert db == DB(1, "hunter2")
    assert "hunter2" not in repr(db)


def test_a_variable_over_masked_bytes_is_masked(write: Callable[..., Path]) -> None:
    write("s.enc.yaml", "key: !!binary /v8=\n")
    merged = load_layers("s.enc.yaml", mask=True, env="APP_", environ={"APP_KEY": "other"})
    assert type(merged["key"]) is MaskedStr


def test_a_layer_with_keys_that_are_no_text() -> None:
    assert load_layers({1: "a"}, env="APP_", environ={"APP_B": "x"}) == {1: "a", "b": "x"}


def test_only_variables_with_the_prefix_count() -> None:
    environ = {"APP_X": "1", "APP_": "2", "OTHER_Y": "3"}
    assert load_layers({}, env="APP_", environ=environ) == {"x": "1"}


def test_references_stay_unless_they_are_to_be_resolved(write: Callable[..., Path]) -> None:
    write("s.enc.yaml", "a: ref+env://HOME\n")
    assert load_layers("s.enc.yaml") == {"a": "ref+env://HOME"}


def test_texts_become_numbers_only_where_a_format_has_no_types(write: Callable[..., Path]) -> None:
    @dataclasses.dataclass
    class Port:
        port: int

    Path("x.env").write_text("port=1\n")
    write("s.enc.env", "port=2\n")
    for layers, port in (([plain("x.env")], 1), ([plain("x.env"), "s.enc.env"], 2)):
        assert load_layers(*layers, schema=Port).port == port
    with pytest.raises(ConfigTypeError):
        load_layers({"port": "1"}, schema=Port)
    with pytest.raises(ConfigTypeError):
        load_layers({"port": "1"}, plain("x.env"), schema=Port)


def test_an_error_shows_no_values(write: Callable[..., Path]) -> None:
    """Error trackers print local variables."""
    write("s.enc.yaml", "a: 1\n---\nb: 2\n")
    with pytest.raises(InputError) as caught:
        load_layers("s.enc.yaml")
    names = {frame.f_code.co_name for frame, _ in traceback.walk_tb(caught.value.__traceback__)}
    assert names == {"test_an_error_shows_no_values"}
