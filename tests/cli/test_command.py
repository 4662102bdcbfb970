"""What a command declares, and what its options class gets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pytest

from encconf.cli.command import Argument, Command, Option, key_options
from encconf.cli.console import Console
from encconf.errors import ConflictError, at_most_one
from encconf.record import VerbOptions
from encconf.verbs.rule import NO_KEYS, Keys


class Mine(VerbOptions):
    path: Sequence[str] = ()
    other: str | None = None
    own: str | None = None
    force: bool = False
    allow: Sequence[str] = ()
    when: Literal["now", "later"] | None = None
    keys: Keys = NO_KEYS
    rest: Sequence[str] = ()


def run(options: Mine, console: Console) -> None:
    """Do nothing."""


COMMAND = Command(
    "a b",
    """Do it.

    A paragraph
    of two lines.

    - one: first
    - two: second
      line
    """,
    Mine,
    run,
    arguments=[Argument("path", named=True), Argument("other")],
    options=[
        Option("--own", "-o", metavar="FILE", env="OWN", help="Its text."),
        Option("--force", help="Force."),
        Option("--allow", metavar="RULE", help="Allow."),
        Option("--when", metavar="WHEN", help="When."),
        *key_options("add-", "Add {plural}."),
    ],
    rest="rest",
    failure=7,
    examples=["encconf a b"],
)


def test_the_annotation_of_the_field_decides_what_an_option_takes() -> None:
    own, force, allow, when, *keys, color, quiet = COMMAND.options
    assert (own.names, own.dest, own.metavar, own.env) == (("--own", "-o"), "own", "FILE", "OWN")
    assert [option.is_switch for option in (own, force, allow, when)] == [False, True, False, False]
    given = COMMAND.defaults()
    assert [given[option.dest] for option in (own, force, allow, when)] == [None, False, [], None]
    assert when.choices == ("now", "later")
    assert ("--add-age", "RECIPIENTS", "Add age recipients.", "age") in [
        (key.names[0], key.metavar, key.help, key.key) for key in keys
    ]
    assert (color.dest, quiet.dest) == ("color", "quiet")


def test_the_annotation_of_the_field_decides_what_an_argument_takes() -> None:
    path, other = COMMAND.arguments
    assert (path.many, path.required, path.named) == (True, False, True)
    assert (other.many, other.required, other.named) == (False, False, False)


def test_the_help() -> None:
    assert (COMMAND.name, COMMAND.summary, COMMAND.rest, COMMAND.failure) == ("a b", "Do it.", "rest", 7)
    assert COMMAND.details == ["A paragraph of two lines.", [("one", "first"), ("two", "second line")]]
    assert COMMAND.examples == ["encconf a b"]
    assert not COMMAND.is_group


def test_the_options_object_of_a_line() -> None:
    values = {**COMMAND.defaults(), "path": ["x"], "force": True, "add_age": ["a", "b"], "rest": ["-x"]}
    found = COMMAND.options_of(values)
    assert isinstance(found, Mine)
    assert (found.path, found.other, found.own, found.force, found.rest) == (["x"], None, None, True, ["-x"])
    assert found.keys["age"] == ["a", "b"]
    assert found.keys["pgp"] == []


def test_an_option_has_one_type() -> None:
    shared = Option("--force", type="str | None")
    with pytest.raises(AssertionError, match="--force is both"):
        Command("x", "X.", Mine, run, options=[shared])


def test_an_option_needs_its_field() -> None:
    with pytest.raises(KeyError, match="nothing"):
        Command("x", "X.", Mine, run, options=[Option("--nothing")])


def test_a_group() -> None:
    group = Command("git", "All of git.")
    assert group.is_group
    assert (group.options, group.details, group.examples) == ((), [], ())


def test_options_that_exclude_each_other() -> None:
    at_most_one(in_place=True, output=None, json=False, people=[], html=None)
    with pytest.raises(ConflictError, match=r"^--in-place and --output exclude each other\b") as caught:
        at_most_one(in_place=True, output="x", json=False, hint="choose one")
    assert caught.value.hint == "choose one"
