"""Files as objects of the caller's types; errors without values."""

from __future__ import annotations

import dataclasses
import enum
import sys
import uuid
import zoneinfo
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import attrs
import msgspec
import pydantic
import pytest
from pydantic_core import PydanticCustomError, PydanticKnownError

from encconf import load_config
from encconf.errors import ConfigTypeError, MissingExtraError, WrongTypeError
from encconf.shape.schema import convert

SECRET = "hunter2-of-the-database"
TEXT = f"db:\n  host: h\n  port: 5432\n  password: {SECRET}\n"


@dataclasses.dataclass
class Dataclass:
    host: str
    port: int
    password: str


class Typed(TypedDict):
    host: str
    port: int
    password: str


@attrs.define
class Attrs:
    host: str
    port: int
    password: str


class Struct(msgspec.Struct):
    host: str
    port: int
    password: str


class Model(pydantic.BaseModel):
    host: str
    port: int
    password: pydantic.SecretStr


@pytest.mark.parametrize("schema", [Dataclass, Attrs, Struct, Model])
def test_objects(write: Callable[..., Path], schema: type[Dataclass]) -> None:
    db = load_config(write("s.enc.yaml", TEXT), section="db", schema=schema)
    assert isinstance(db, schema)
    assert db.port == 5432
    assert SECRET not in repr(db)


def test_a_typed_dict_and_a_dict(write: Callable[..., Path]) -> None:
    path = write("s.enc.yaml", TEXT)
    assert load_config(path, section="db", schema=Typed)["password"] == SECRET
    with pytest.raises(ConfigTypeError):
        load_config(path, section="db", schema=dict[str, int])


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Strict:
    password: str

    def __post_init__(self) -> None:
        raise ValueError(f"{self.password} is too weak")


class StrictModel(pydantic.BaseModel):
    password: str

    @pydantic.field_validator("password")
    @classmethod
    def refuse(cls, value: str) -> str:
        raise ValueError(f"{value} is too weak")


@dataclasses.dataclass
class Number:
    password: int


@dataclasses.dataclass
class Word:
    password: Literal["a", "b"]


@dataclasses.dataclass
class Enumerated:
    password: Colour


class Short(pydantic.BaseModel):
    password: str = pydantic.Field(max_length=3)
    missing: int


class Zoned(pydantic.BaseModel):
    password: zoneinfo.ZoneInfo


class One(pydantic.BaseModel):
    password: Literal["one"]


class Other(pydantic.BaseModel):
    password: Literal["other"]


class Tagged(pydantic.RootModel[One | Other]):
    root: One | Other = pydantic.Field(discriminator="password")


class OwnError(pydantic.BaseModel):
    password: str

    @pydantic.field_validator("password")
    @classmethod
    def refuse(cls, value: str) -> str:
        raise PydanticCustomError("weak", "{value} is too weak", {"value": value})


@pytest.mark.parametrize(
    "schema",
    [Strict, StrictModel, Number, Word, Enumerated, Short, Zoned, Tagged, OwnError],
)
def test_no_error_has_a_value(write: Callable[..., Path], schema: type) -> None:
    path = write("s.enc.yaml", TEXT)
    with pytest.raises(ConfigTypeError, match=r"s\.enc\.yaml: db") as caught:
        load_config(path, section="db", schema=schema)
    error = caught.value
    assert isinstance(error, ValueError)
    for shown in (str(error), repr(error), repr(error.args), repr(error.__dict__)):
        assert SECRET not in shown
    assert error.__cause__ is None
    assert error.__suppress_context__


class Level(enum.IntEnum):
    LOW = 1


@dataclasses.dataclass
class Leveled:
    pin: Level


class First(msgspec.Struct, tag=1, tag_field="pin"):
    pass


class Second(msgspec.Struct, tag=2, tag_field="pin"):
    pass


@pytest.mark.parametrize("schema", [Leveled, First | Second])
def test_a_number_in_an_error_of_msgspec(write: Callable[..., Path], schema: type) -> None:
    with pytest.raises(ConfigTypeError) as caught:
        load_config(write("s.enc.yaml", "pin: 738912\n"), schema=schema)
    assert "738912" not in str(caught.value)
    assert "pin" in str(caught.value)


def test_the_message_names_the_place_and_the_types(write: Callable[..., Path]) -> None:
    with pytest.raises(ConfigTypeError, match=r"^.*s\.enc\.yaml: db\.password: expected int, got str$"):
        load_config(write("s.enc.yaml", TEXT), section="db", schema=Number)


@dataclasses.dataclass
class Options:
    port: int
    debug: bool


@pytest.mark.parametrize(
    ("name", "text"),
    [("s.enc.env", "port=5432\ndebug=False\n"), ("s.enc.ini", "[s]\nport = 5432\ndebug = False\n")],
)
def test_formats_that_know_texts_only_are_cast(write: Callable[..., Path], name: str, text: str) -> None:
    section = "s" if name.endswith("ini") else ()
    assert load_config(write(name, text), section=section, schema=Options) == Options(5432, False)


def test_the_error_says_what_to_install(write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path = write("s.enc.yaml", TEXT)
    monkeypatch.setitem(sys.modules, "msgspec", None)
    with pytest.raises(MissingExtraError, match="msgspec is not installed: Attrs"):
        load_config(path, section="db", schema=Attrs)  # pydantic does not know attrs
    monkeypatch.setitem(sys.modules, "pydantic", None)
    with pytest.raises(MissingExtraError, match="needs pydantic or msgspec: Number") as caught:
        load_config(path, schema=Number)
    assert caught.value.hint == "install one: pip install 'encconf[msgspec]'"


def test_pydantic_is_used_where_msgspec_is_not_installed(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "msgspec", None)
    assert load_config(write("s.enc.yaml", TEXT), section="db", schema=Dataclass).port == 5432
    wrong = write("t.enc.yaml", f"db:\n  host: [1]\n  port: {SECRET}\n")
    with pytest.raises(ConfigTypeError) as caught:
        load_config(wrong, section="db", schema=Dataclass)
    for place in ("db.host: ", "db.port: ", "db.password: "):
        assert place in caught.value.message
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("schema", [Dataclass, Typed, Attrs, Struct])
def test_all_wrong_fields_are_reported(write: Callable[..., Path], schema: type) -> None:
    text = f"dbs:\n  - host: 1\n    port: {SECRET}\n  - {{host: h, port: 1, password: x}}\n  - [1]\n"
    path = write("s.enc.yaml", text)
    whole = dataclasses.make_dataclass("Whole", [("name", str), ("dbs", list[schema])])  # type: ignore[valid-type]
    with pytest.raises(ConfigTypeError) as caught:
        load_config(path, schema=whole)
    said = caught.value.message
    assert "object missing required field name" in said
    assert "dbs[0].host: expected str, got int" in said
    assert "dbs[0].port: expected int, got str" in said
    assert "dbs[0]: object missing required field password" in said
    assert "dbs[2]: expected object, got array" in said
    assert "dbs[1]" not in said
    assert SECRET not in said


@dataclasses.dataclass
class Keyed:
    d: dict[int, str]


@pytest.mark.parametrize(("schema", "place"), [(Keyed, r"db\.d"), (dict[str, dict[int, str]], r"db\.d")])
def test_the_message_names_the_place_of_a_key(write: Callable[..., Path], schema: type, place: str) -> None:
    path = write("s.enc.yaml", f"db: {{d: {{{SECRET}: x}}}}\n")
    message = rf"{place}: a key is not accepted: expected int, got str$"
    with pytest.raises(ConfigTypeError, match=message) as caught:
        load_config(path, section="db", schema=schema)
    assert SECRET not in str(caught.value)


def test_a_validator_cannot_put_the_value_into_a_known_error() -> None:
    from pydantic import BaseModel, Field, field_validator
    from pydantic_core import PydanticCustomError, PydanticKnownError

    class Config(BaseModel):
        a: str = "x"
        b: str = "x"
        c: str = "x"
        port: int = Field(default=1, le=65535)

        @field_validator("a")
        @classmethod
        def custom(cls, value: str) -> str:
            raise PydanticCustomError("int_parsing", "wrong: {x}", {"x": value})

        @field_validator("b")
        @classmethod
        def known(cls, value: str) -> str:
            raise PydanticKnownError("string_pattern_mismatch", {"pattern": f"not {value}"})

        @field_validator("c")
        @classmethod
        def short(cls, value: str) -> str:
            raise PydanticKnownError("string_pattern_mismatch", {"pattern": value})

    with pytest.raises(ConfigTypeError) as caught:
        convert({"a": "hunter2", "b": "hunter3", "c": "q7", "port": 70000}, Config)
    said = str(caught.value)
    for secret in ("hunter2", "hunter3", "q7", "70000"):
        assert secret not in said
    assert "port: input should be less than or equal to 65535" in said
    assert "a: the value is not accepted (int_parsing)" in said


def test_a_list_of_the_wrong_type_and_many_problems() -> None:
    class Lists(msgspec.Struct):
        ports: list[int]
        names: dict[str, int]

    with pytest.raises(ConfigTypeError) as caught:
        convert({"ports": SECRET, "names": [1]}, Lists, at=(), lax=False)
    assert str(caught.value) == "ports: expected array, got str; names: expected object, got array"
    for count, more in ((8, ""), (9, "; and 1 more")):
        with pytest.raises(ConfigTypeError) as caught:
            convert(dict.fromkeys(map(str, range(count)), "x"), dict[str, int], at=(), lax=False)
        assert str(caught.value).count("expected int, got str") == 8
        assert str(caught.value).partition("7: expected int, got str")[2] == more


def test_what_pydantic_says_is_shown_only_where_it_cannot_have_the_value() -> None:
    class Config(pydantic.BaseModel):
        custom: str = "x"
        known: str = "x"
        number: uuid.UUID | None = None
        port: int = pydantic.Field(default=1, le=65535)
        long: str = pydantic.Field(default="", max_length=3)

        @pydantic.field_validator("custom")
        @classmethod
        def without_context(cls, value: str) -> str:
            raise PydanticCustomError("int_parsing", f"wrong: {value}")  # type: ignore[arg-type]

        @pydantic.field_validator("known")
        @classmethod
        def with_the_value_in_one_part(cls, value: str) -> str:
            raise PydanticKnownError("too_long", {"field_type": value, "max_length": 1, "actual_length": 2})

    said = {
        "custom": "the value is not accepted (int_parsing)",
        "known": "the value is not accepted (too_long)",
        "number": "the value is not accepted (uuid_parsing)",
        "port": "input should be less than or equal to 65535",
        "long": "string should have at most 3 characters",
    }
    for values, places in (
        ({"custom": SECRET, "known": SECRET, "number": SECRET}, ["custom", "known", "number"]),
        ({"port": 655350, "long": "6553"}, ["long"]),
        ({"port": 655350, "long": "65535"}, ["long"]),
        ({"port": 655350, "long": "long"}, ["port", "long"]),
        ({"port": 655350, "custom": "655"}, ["custom", "port"]),
    ):
        with pytest.raises(ConfigTypeError) as caught:
            convert(values, Config)
        wanted = dict.fromkeys(values, "the value is not accepted (less_than_equal)")
        wanted |= {place: said[place] for place in places}
        assert str(caught.value) == "; ".join(
            f"{place}: {wanted[place]}" for place in said if place in values
        )


def test_texts_are_no_numbers_unless_that_is_asked_for() -> None:
    with pytest.raises(ConfigTypeError, match="password: expected int, got str"):
        convert({"password": "5"}, Number)
    assert convert({"password": "5"}, Number, lax=True) == Number(5)


class Pair(NamedTuple):
    a: str
    b: int


@dataclasses.dataclass
class Bounded:
    a: Annotated[int, msgspec.Meta(ge=1)]
    b: Annotated[int, msgspec.Meta(ge=1)]


@pytest.mark.parametrize(
    ("schema", "value", "said"),
    [
        (Dataclass, [1], "expected object, got array"),
        (Number, {}, "object missing required field password"),
        (dict[str, tuple[str, int]], {"k": {"a": "x"}}, "k: expected array, got object"),
        (dict[str, Pair], {"k": {"a": "x"}}, "k: expected array, got object"),
        (Pair, {"a": "x"}, "expected array, got object"),
        (Colour, {"a": "x"}, "expected str, got object"),
        (
            dict[str, Annotated[int, msgspec.Meta(ge=1)]],
            {"a": 0, "b": -1},
            "a: expected int >= 1; b: expected int >= 1",
        ),
        (Bounded, {"a": 0, "b": -1}, "a: expected int >= 1; b: expected int >= 1"),
    ],
)
def test_each_wrong_value_is_named_with_what_is_expected_there(schema: Any, value: Any, said: str) -> None:
    with pytest.raises(ConfigTypeError) as caught:
        convert(value, schema)
    assert str(caught.value) == said


def test_a_schema_that_msgspec_does_not_know() -> None:
    with pytest.raises(WrongTypeError) as caught:
        convert({"a": 1}, list[int] | set[int])  # type: ignore[arg-type]
    assert str(caught.value).startswith(
        "msgspec does not accept the schema: Type unions may not contain more than"
    )
    assert "\n" not in str(caught.value)
