"""The members of a section of `.sops.yaml`, each read as the type that it must have."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from encconf.errors import ConfigError
from encconf.rules.config import Scalar, Section, quoted, tree


def section(text: str, place: str = "") -> Section:
    return Section(tree(text)[0], place)


def failure(read: Callable[[], object]) -> str:
    with pytest.raises(ConfigError) as caught:
        read()
    return caught.value.message


def test_what_a_tree_holds() -> None:
    found, _ = tree("a: &x {b: 1}\nc:\n  <<: *x\n  d: [~, 'e']\n---\nf: 2\n")
    assert isinstance(found, dict)
    assert list(found) == ["a", "c"]  # only the first document
    assert {name: type(node) for name, node in found["c"].items()} == {"d": list, "b": Scalar}
    empty, text = found["c"]["d"]
    assert empty is None
    assert (text.type, text.text, text.data) == ("str", "e", b"e")


@pytest.mark.parametrize("text", ["", "# nothing\n"])
def test_nothing_is_a_section_without_members(text: str) -> None:
    assert section(text).members == {}


def test_what_is_no_mapping_is_refused() -> None:
    assert failure(lambda: Section([], "")) == "the configuration must be a mapping, not a list"
    text = Scalar("str", "a", b"a")
    assert failure(lambda: Section(text, "stores")) == "stores must be a mapping, not a string"
    with pytest.raises(ConfigError):
        tree("a: [\n")


@pytest.mark.parametrize(
    ("written", "text"),
    [("abc", "abc"), ("'0x1F'", "0x1F"), ("0x1F", "0x1F"), ("1.50", "1.50"), ("yes", "yes"), ("~", "")],
)
def test_a_text_is_what_is_written(written: str, text: str) -> None:
    assert section(f"a: {written}\n").string("a") == text
    assert section(f"a: &x {written}\nb: *x\n").string("b") == text


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("3", 3),
        ("-3", -3),
        ("0x10", 16),
        ("1e3", 1000),
        ("~", 7),
        ("-9223372036854775808", -(2**63)),
        ("9223372036854775807", 2**63 - 1),
    ],
)
def test_a_whole_number(written: str, number: int) -> None:
    assert section(f"a: {written}\n").integer("a", 7) == number


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("'3'", "a must be an integer, not a string"),
        ("1.5", "a must be an integer, not a number"),
        ("[3]", "a must be an integer, not a list"),
        ("1e19", "a is too large"),
    ],
)
def test_what_is_no_whole_number(written: str, words: str) -> None:
    assert failure(lambda: section(f"a: {written}\n").integer("a")) == words


@pytest.mark.parametrize(
    ("written", "truth"),
    [("true", True), ("FALSE", False), ("yes", True), ("Off", False), ("'y'", True), ("~", False)],
)
def test_true_and_false_in_the_words_of_go_yaml(written: str, truth: bool) -> None:
    assert section(f"a: {written}\n").boolean("a") is truth


def test_what_is_neither_true_nor_false() -> None:
    for written, sort in (("1", "a number"), ("maybe", "a string"), ("{}", "a mapping")):
        said = failure(lambda: section(f"a: {written}\n", "stores.json").boolean("a"))  # noqa: B023
        assert said == f"stores.json.a must be true or false, not {sort}"


def test_lists_name_the_place_of_each_item() -> None:
    found = section("rules: [{a: 1}, ~, {a: 2}]\nnames: [x, ~, 3]\ntexts: {a: 1, b: ~}\n")
    assert [(each.place, each.string("a")) for each in found.sections("rules")] == [
        ("rules[0]", "1"),
        ("rules[2]", "2"),
    ]
    assert found.strings("names") == [("names[0]", "x"), ("names[2]", "3")]
    assert found.texts("texts") == {"a": "1", "b": ""}
    assert found.sections("missing") == found.strings("missing") == []
    assert failure(lambda: found.strings("texts")) == "texts must be a list, not a mapping"
    assert failure(lambda: found.sections("names")) == "names[0] must be a mapping, not a string"


def test_keys_are_a_text_with_commas_or_a_list() -> None:
    assert section("age: ' a, b,,c '\n").keys("age") == [("age", "a"), ("age", "b"), ("age", "c")]
    assert section("age: ['a,b', c]\n").keys("age") == [("age[0]", "a"), ("age[0]", "b"), ("age[1]", "c")]
    assert section("age: ~\n").keys("age") == []
    assert failure(lambda: section("age: 5\n").keys("age")) == (
        "age must be a string or a list of strings, not a number"
    )
    assert failure(lambda: section("age: [~]\n").keys("age")) == "age[0] must be a string, not null"


def test_members_that_mean_nothing() -> None:
    notices: list[str] = []
    found = section("a: 1\nanchors: 2\npath_regexp: 3\n")
    assert found.has("a")
    assert found.string("path_regex") == ""
    found.report(notices)
    assert notices == ["path_regexp is not a setting and is ignored: did you mean path_regex?"]
    section("odd: 1\n", "rule").report(notices)
    assert notices[1:] == ["rule.odd is not a setting and is ignored"]
    for _ in range(100):
        section("odd: 1\n", "rule").report(notices)
    assert len(notices) == 50


def test_a_word_for_a_message_is_printable_and_short() -> None:
    assert quoted("a\x1b[1m") == '"a?[1m"'
    assert len(quoted("x" * 1000)) < 130


WRITTEN = {
    "a string": "abc", "a number": "-5", "a float": "1.5", "a boolean": "true", "a date": "2020-01-02",
    "null": "~", "a list": "[x, ~, y]", "a mapping": "{k: v, n: ~}", "items": "[{k: v}, ~, {k: w}]",
    "words": "' x, y,,'", "large": "9223372036854775808.0", "yes": "Yes", "no": "n", "empty": "''",
    "numbers": "[1, 2]", "inner": "[[x]]", "texts": "['a,b', c]",
}  # fmt: skip
"""Every kind of a member, as it is written."""
READ: dict[str, dict[str, object]] = {
    "string": {
        "a string": "abc", "a number": "-5", "a float": "1.5", "a boolean": "true", "a date": "2020-01-02",
        "null": "", "words": " x, y,,", "large": "9223372036854775808.0", "yes": "Yes", "no": "n",
        "empty": "",
    },
    "integer": {"a number": -5, "null": 0},
    "boolean": {"a boolean": True, "null": False, "yes": True, "no": False},
    "section": {"a mapping": {"k": "v", "n": ""}, "null": {}},
    "sections": {"items": [("m[0]", {"k": "v"}), ("m[2]", {"k": "w"})], "null": []},
    "strings": {
        "a list": [("m[0]", "x"), ("m[2]", "y")], "null": [], "numbers": [("m[0]", "1"), ("m[1]", "2")],
        "texts": [("m[0]", "a,b"), ("m[1]", "c")],
    },
    "texts": {"a mapping": {"k": "v", "n": ""}, "null": {}},
    "keys": {
        "a string": [("m", "abc")], "words": [("m", "x"), ("m", "y")], "null": [], "empty": [],
        "yes": [("m", "Yes")], "no": [("m", "n")], "texts": [("m[0]", "a"), ("m[0]", "b"), ("m[1]", "c")],
    },
}  # fmt: skip
"""What each method reads of each kind, as go-yaml decodes it; whatever is not here is an error."""
SORTS = {
    "a string": "a string", "a number": "a number", "a float": "a number", "a boolean": "a boolean",
    "a date": "a date", "a list": "a list", "a mapping": "a mapping", "items": "a list", "words": "a string",
    "large": "a number", "empty": "a string", "numbers": "a list", "inner": "a list", "texts": "a list",
}  # fmt: skip


@pytest.mark.parametrize("method", READ)
@pytest.mark.parametrize("place", ["", "stores"])
def test_every_kind_of_a_member_by_every_method(method: str, place: str) -> None:
    def plain(found: object) -> object:
        if isinstance(found, Section):
            return {name: found.string(name) for name in found.members}
        return found

    for kind, written in WRITTEN.items():
        held = section(f"m: {written}\n", place)
        read = getattr(held, method)
        prefix = f"{place}." if place else ""
        wanted = READ[method].get(kind)
        if wanted is None:
            with pytest.raises(ConfigError) as caught:
                read("m")
            said = caught.value.message
            assert said.startswith(f"{prefix}m"), (kind, said)
            inside = method in ("sections", "strings", "keys") and isinstance(held.members["m"], list)
            if kind in SORTS and not inside:
                large = kind == "large" and method == "integer"
                assert said.endswith(" is too large" if large else f", not {SORTS[kind]}"), (kind, said)
            continue
        found = read("m")
        if method == "sections":
            found = [(each.place, plain(each)) for each in found]
        if isinstance(wanted, list):
            wanted = [(f"{prefix}{at}", value) for at, value in wanted]
        assert plain(found) == wanted, (kind, method)
        assert read("missing") == {} if method == "texts" else not plain(read("missing"))
