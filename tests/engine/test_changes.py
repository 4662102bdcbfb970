"""Text to text: set, unset, update; and paths into documents."""

from __future__ import annotations

import copy
import itertools
import json
import random
import re
from typing import Any

import engine
import pytest
from engine import changed_lines, credentials, opened_for, rotated, rule
from formats.edited import YAML, changed
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import AgeKey, Sops

from encconf import api, formats
from encconf.engine import changes, effects
from encconf.errors import (
    AlreadyEncryptedError,
    EmitError,
    EncconfError,
    InputError,
    KeyAccessError,
    LimitError,
    MacMismatchError,
    ParseError,
    PathNotFoundError,
    PlaintextError,
)
from encconf.formats import emit, writing
from encconf.rules.selection import Selection
from encconf.text.document import Document
from encconf.text.path import Path, parse, spell


class TestPut:
    @pytest.mark.parametrize(
        ("text", "path", "value", "said"),
        [
            ("A=1\n", ("A",), [1], "dotenv has single values"),
            ("A=1\n", ("A", "b"), "x", "a path in a dotenv file is one key"),
            ("A=1\n", ("A",), "C:\\new", "sops reads a line break there"),
            ("[a]\nb = 1\n", ("a", "b", "c"), "x", "a path in an INI file is a section and a key"),
        ],
    )
    def test_what_a_format_cannot_hold(self, text: str, path: Path, value: object, said: str) -> None:
        """The error says so, rather than that something else would change."""
        format = "ini" if text.startswith("[") else "dotenv"
        with pytest.raises(EmitError, match=said):
            changes.put(text, path, value, format=format)  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("text", "format", "after"),
        [
            ("", "yaml", "k:\n  q: v\n"),
            ("# c\n", "yaml", "# c\nk:\n  q: v\n"),
            ("---\n", "yaml", "---\nk:\n  q: v\n"),
            ("{}", "yaml", "k:\n  q: v"),
            ("# c\n{}\n# d\n", "yaml", "# c\nk:\n  q: v\n# d\n"),
            ("--- {}\n", "yaml", "--- {k: {q: v}}\n"),
            ("{a: 1}", "yaml", "{a: 1, k: {q: v}}"),
            ("a: 1", "yaml", "a: 1\nk:\n  q: v"),
            ("---\na: 1\n---\nb: 2\n", "yaml", "---\na: 1\nk:\n  q: v\n---\nb: 2\n"),
            ("a:\r\n    b: 1\r\n", "yaml", "a:\r\n    b: 1\r\nk:\r\n    q: v\r\n"),
            ("\ufeffa: 1\n", "yaml", "\ufeffa: 1\nk:\n  q: v\n"),
            ("{}\n", "json", '{\n\t"k": {\n\t\t"q": "v"\n\t}\n}\n'),
            ('{"a":1}', "json", '{"a":1,"k":{"q":"v"}}'),
            ('{"a": 1}', "json", '{"a": 1, "k": {"q": "v"}}'),
            ("", "ini", "[k]\nq = v\n"),
            ("[k]\na=1\n[z]\nb = 2\n", "ini", "[k]\na=1\nq=v\n[z]\nb = 2\n"),
        ],
    )
    def test_layouts(self, text: str, format: str, after: str) -> None:
        assert changes.put(text, ("k", "q"), "v", format=format) == after

    @pytest.mark.parametrize(
        ("text", "path", "error"),
        [
            ("a: &x {k: v}\nb: *x\n", "b.k", EmitError),
            ("a: &x {k: v}\nb: *x\n", "a.k", EmitError),  # which would change b as well
            ("a: [1]\n", "a.k", PathNotFoundError),
            ("a: {k: 1}\n", "a[0]", PathNotFoundError),
            ("a: [1]\n", "a[-2]", PathNotFoundError),
            ("a: 1\n", "sops.x", AlreadyEncryptedError),
            ("a: 1\n", "", EmitError),
            ("? a # c\n: 1\n", "a", EmitError),
        ],
    )
    def test_what_cannot_be(self, text: str, path: str, error: type[EncconfError]) -> None:
        with pytest.raises(error):
            changes.put(text, parse(path), "new", format="yaml")

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("a: &x {k: v}\nb: *x\n", True),
            ("? a # c\n: 1\n", False),
            ("? a # &c\n: 1\n", False),
            ("? a # *c\n: 1\n", False),
        ],
    )
    def test_an_anchor_may_be_why(self, text: str, said: bool) -> None:
        with pytest.raises(EmitError) as caught:
            changes.put(text, ("a", "k") if said else ("a",), "new", format="yaml")
        assert ("perhaps because of an anchor and its aliases" in (caught.value.hint or "")) is said
        assert "change it with: encconf edit FILE" in (caught.value.hint or "")


class TestDrop:
    @pytest.mark.parametrize(
        ("text", "path", "format", "after"),
        [
            ("a: 1", "a", "yaml", "{}\n"),
            ("a:\n  b: 1\nc: 2\n", "a.b", "yaml", "a: {}\nc: 2\n"),
            ("a:\n- b\n", "a[0]", "yaml", "a: []\n"),
            ("a: {b: 1}", "a.b", "yaml", "a: {}"),
            ('{"a": 1}', "a", "json", "{}"),
            ('{"a": 1, "b": 2}', "a", "json", '{"b": 2}'),
            ('{\n  "a": 1,\n  "b": 2\n}', "b", "json", '{\n  "a": 1\n}'),
        ],
    )
    def test_layouts(self, text: str, path: str, format: str, after: str) -> None:
        assert changes.drop(text, parse(path), format=format) == after

    def test_what_is_not_there(self) -> None:
        for path, said in (("a.q", "did you mean"), ("zz", "the keys there are: a, l"), ("l[9]", "3 items")):
            with pytest.raises(PathNotFoundError) as caught:
                changes.drop(YAML.replace("q", "Q").replace("  n", "  qq"), parse(path), format="yaml")
            assert said in f"{caught.value} {caught.value.hint}"


def test_keys_that_are_no_strings() -> None:
    """In a configuration; sops stores string keys only."""
    text = "1: x\n~: y\na: [b, d]\n"
    assert changes.put(text, ("a", 1), "c", format="yaml", any_keys=True) == text.replace(", d", ", c")
    assert changes.drop(text, ("a",), format="yaml", any_keys=True) == "1: x\n~: y\n"
    for change in (
        lambda: changes.put(text, ("a", 1), "c", format="yaml"),
        lambda: changes.drop(text, ("a",), format="yaml"),
    ):
        with pytest.raises(ParseError, match="a key is"):
            change()


class TestFromJson:
    @pytest.mark.parametrize("value", [1, -(2**63), 2**63 - 1, 1e300, "x\U0001f600", None, [True, {"a": []}]])
    def test_what_a_file_can_hold(self, value: object) -> None:
        assert changes.from_json(json.dumps(value)) == value

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "x",
            "'x'",
            "[1,]",
            "NaN",
            "-Infinity",
            "1e400",
            str(2**63),
            str(-(2**63) - 1),
            '"\\ud800"',
            '{"a": 1e999}',
            "[" * 9999,
        ],
    )
    def test_what_it_cannot(self, text: str) -> None:
        with pytest.raises(InputError, match="the value is not JSON, or no file can hold it"):
            changes.from_json(text)

    def test_whole_numbers_are_read_as_the_caller_says(self) -> None:
        assert changes.from_json("[1, 1.5]", as_int=float) == [1.0, 1.5]


KEYS = st.sampled_from(["a", "b", "key", "on", "x y", "1", "-"])
PLAINS = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-99, 99), st.text("ab \n:#'\"-é", max_size=6), st.just(1.5)
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=6,
)
PATHS = st.lists(st.one_of(KEYS, st.integers(0, 2)), min_size=1, max_size=3)


@settings(max_examples=300)
@given(st.dictionaries(KEYS, PLAINS, max_size=3), PATHS, PLAINS, st.sampled_from(["yaml", "json"]))
def test_whatever_is_put_is_there(
    tree: dict[str, object], path: list[str | int], value: object, format: str
) -> None:
    """`put` writes what it was given, or nothing."""
    text = ""
    for key, item in tree.items():
        text = changes.put(text or ("{}" if format == "json" else ""), (key,), item, format=format)  # type: ignore[arg-type]
    if not text:
        text = "{}"
    assert formats.get(format).load_plain(text) == [json.loads(json.dumps(tree))]
    try:
        after = changes.put(text, tuple(path), value, format=format)  # type: ignore[arg-type]
    except PathNotFoundError:
        return
    found = writing.value_at(
        emit.trees_of(formats.get(format).scan(after))[0],
        _existing(formats.get(format).load_plain(after)[0], path),
    )
    assert _plain(found) == json.loads(json.dumps(value))
    if isinstance(path[0], str) and len(path) == 1:
        dropped = changes.drop(after, (path[0],), format=format)
        left = {key: item for key, item in tree.items() if key != path[0]}
        assert formats.get(format).load_plain(dropped) == [json.loads(json.dumps(left))]


def _existing(tree: object, path: list[str | int]) -> tuple[str | int, ...]:
    """The path with the index that an item behind the end really got."""
    out: list[str | int] = []
    for step in path:
        if isinstance(tree, list) and isinstance(step, int):
            step = min(step, len(tree) - 1)
        out.append(step)
        tree = tree[step]  # type: ignore[index]
    return tuple(out)


def _plain(node: object) -> object:
    from encconf.formats.goyaml import parse as value
    from encconf.text.document import Leaf

    if isinstance(node, dict):
        return {key: _plain(item) for key, item in node.items()}
    if isinstance(node, list):
        return [_plain(item) for item in node]
    assert isinstance(node, Leaf)
    return None if node.data is None else value(node.type, node.data)


# --- every edit, by every path ------------------------------------------------------------------------

TREE: dict[str, object] = {
    "a": {"b": "x", "n": 5, "e": {}},
    "l": [1, {"k": "v", "m": [True]}, "s"],
    "f": 1.5,
    "t": True,
    "z": None,
}
"""What each text of `TREES` holds."""
TREES = {
    "yaml": "a:\n  b: x\n  n: 5\n  e: {}\nl:\n  - 1\n  - k: v\n    m: [true]\n  - s\nf: 1.5\nt: true\nz:\n",
    "json": json.dumps(TREE, indent=2),
}
VALUES = ["new", 6, False, None, 2.5, {}, {"k": 1, "j": "w"}, [], ["x", {"y": 2}], changes.REMOVED]
PLACES = """
a a.b a.n a.e a.e.new a.new a.new.er a.b.c a[0] l l.k l[0] l[1] l[1].k l[1].m[0] l[1].m[7] l[1].new l[2]
l[3] l[9] l[] l[-1] l[-3] l[-4] l[2].x l[2][0] f t z z.k z[0] new new.er new[0]
"""
GONE = changes.REMOVED


def at(tree: Any, path: Path) -> object:
    """What is at a path, or GONE."""
    for step in path:
        inside = isinstance(tree, list) and isinstance(step, int) and -len(tree) <= step < len(tree)
        if not inside and not (isinstance(tree, dict) and step in tree):
            return GONE
        tree = tree[step]
    return tree


def counted(path: Path) -> Path:
    """A path in TREE, with indexes from the start of each list, and the next index for a new item."""
    found: Path = ()
    for step in path:
        above = at(TREE, found)
        if isinstance(above, list) and isinstance(step, int):
            step = min(step + len(above) if step < 0 else step, len(above))
        found = (*found, step)
    return found


def edited(tree: Any, path: Path, value: object) -> object:
    """The tree after an edit.  Raises LookupError if it cannot be made."""
    if not path:
        return value
    step, rest = path[0], path[1:]
    if not isinstance(tree, (dict, list)):
        tree, step = ([], 0) if isinstance(step, int) else ({}, step)  # as sops: any index is the first
    if isinstance(tree, list) is not isinstance(step, int) or (isinstance(step, int) and step < -len(tree)):
        raise LookupError
    is_there = at(tree, (step,)) is not GONE
    if value is GONE and not is_there:
        raise LookupError
    tree = copy.copy(tree)
    if value is GONE and not rest:
        del tree[step]
    elif is_there or isinstance(tree, dict):
        tree[step] = edited(tree[step] if is_there else None, rest, value)
    else:
        tree.append(edited(None, rest, value))
    return tree


def kind(node: object) -> str:
    def size(node: object) -> int:
        inner = node.values() if isinstance(node, dict) else node
        return sum(map(size, inner)) if isinstance(inner, (list, type({}.values()))) else 1

    if isinstance(node, (dict, list)):
        name = "list" if isinstance(node, list) else "mapping"
        return f"{name} with {size(node)} value{'s' if size(node) != 1 else ''}"
    names = {str: "str", bool: "bool", int: "int", float: "float", type(None): "null"}
    return names.get(type(node), "")


def effect(before: object, path: Path, after: object) -> tuple[str, Path, str, str]:
    """What an edit did, from the trees before and after it."""
    for size in range(1, len(path)):
        was, will = at(before, path[:size]), at(after, path[:size])
        if was is GONE:
            return "added", path, "", "mapping"
        if not isinstance(was, (dict, list)):
            return "changed", path[:size], kind(was), kind(will).split()[0]
    was, will = at(before, path), at(after, path)
    return ("added" if was is GONE else "changed"), path, kind(was), kind(will)


@pytest.mark.parametrize("format", TREES)
def test_every_edit_at_every_path(format: str, age_key: AgeKey) -> None:
    """The judges are Python's own dicts and lists."""
    opened = opened_for(age_key, text=TREES[format], format=format)
    who = credentials(age_key)
    refused = []
    for place, value in itertools.product(PLACES.split(), VALUES):
        path = parse(place)
        said: list[effects.Effect] = []
        try:
            wanted = edited(TREE, path, value)
        except LookupError:
            with pytest.raises(PathNotFoundError):
                changes.change(opened, (path, value), credentials=who)
            continue
        try:
            enc = changes.change(opened, (path, value), credentials=who, review=said.append)
        except EmitError:
            refused.append((place, value))
            continue
        assert repr(api.loads(enc, format=format, credentials=who)) == repr(wanted), (place, value)
        found = said[-1].kind, said[-1].path, said[-1].old, said[-1].new
        if value is GONE:
            assert found == ("removed", counted(path), kind(at(TREE, path)), "")
        else:
            assert found == effect(TREE, counted(path), wanted), (place, value)
    assert not refused


@pytest.mark.parametrize("format", TREES)
def test_several_edits_as_one_by_one(format: str, age_key: AgeKey) -> None:
    """Also those that depend on each other.  The judges are Python's own dicts and lists."""
    opened = opened_for(age_key, text=TREES[format], format=format)
    who = credentials(age_key)
    draw = random.Random(0)
    made = 0
    for _ in range(150):
        edits = [(parse(draw.choice(PLACES.split())), draw.choice(VALUES)) for _ in range(draw.randint(2, 5))]
        wanted: object = TREE
        try:
            for path, value in edits:
                wanted = edited(wanted, path, value)
        except LookupError:
            with pytest.raises(PathNotFoundError):
                changes.change(opened, *edits, credentials=who)
            continue
        enc = changes.change(opened, *edits, credentials=who)
        assert repr(api.loads(enc, format=format, credentials=who)) == repr(wanted), edits
        made += 1
    assert made > 40


LOOKS: dict[str, object] = {
    "6": 6, "-5": -5, "0x1F": 31, "0o17": 15, "1_000": 1000, "6.5": 6.5, "1e3": 1000.0, ".5": 0.5,
    "9" * 30: 1e30, "true": True, "False": False,
}  # fmt: skip
"""Texts that are numbers or booleans to go-yaml."""
STRINGS = ["six", "", "null", "[1]", "~", "yes", " 6", "6 ", "1e400", ".inf", "2020-01-01", "0x", "6.5.1"]


def test_a_text_becomes_what_it_looks_like_if_it_replaces_that(age_key: AgeKey) -> None:
    """go-yaml is the judge of what a text looks like (see LOOKS)."""
    old = {"i": 1, "f": 1.5, "b": True, "s": "5", "n": None, "m": {"x": 1}, "l": [1]}
    kept = {"i": [int], "f": [int, float], "b": [bool]}
    opened = opened_for(age_key, text=json.dumps(old), format="json")
    who = credentials(age_key)
    for place, text in itertools.product([*old, "new", "m.x.y"], [*LOOKS, *STRINGS]):
        value = LOOKS.get(text, text)
        wanted = value if type(value) in kept.get(place, []) else text
        enc = changes.change(opened, (parse(place), changes.AsBefore(text)), credentials=who)
        expected = edited(old, parse(place), wanted)
        assert repr(api.loads(enc, format="json", credentials=who)) == repr(expected), (place, text)


class TestValues:
    def test_only_what_changed(self, age_key: AgeKey, sops: Sops) -> None:
        open_with = credentials(age_key)
        enc = api.encrypt(YAML, rule(age_key), format="yaml", credentials=open_with)
        after = engine.change(enc, "yaml", (parse("a.b"), "new"), credentials=open_with)
        assert api.decrypt(after, format="yaml", credentials=open_with) == YAML.replace('"x"', '"new"')
        differ = [
            line for line in changed(enc, after) if not line.startswith(("-", "+    lastm", "+    mac"))
        ]
        assert len(differ) == 1
        assert differ[0].startswith('+  b: "ENC[')
        assert "b: new" in sops.decrypt(after, "yaml")
        after = engine.change(after, "yaml", (parse("l[2].m"), changes.REMOVED), credentials=open_with)
        assert "text" not in sops.decrypt(after, "yaml")

    def test_without_the_mac_there_is_always_a_new_data_key(self, age_key: AgeKey) -> None:
        """Also where nothing is to be changed: whoever changed the file may have done so with the old one."""
        who = credentials(age_key)
        enc = api.encrypt(YAML, rule(age_key), format="yaml", credentials=who)
        after = engine.change(enc, "yaml", (parse("a.b"), "x"), credentials=who, ignore_mac=True)
        assert not set(re.findall(r"ENC\[[^]]*\]", enc)) & set(re.findall(r"ENC\[[^]]*\]", after))
        assert api.decrypt(after, format="yaml", credentials=who) == YAML

    def test_another_format_without_a_change(self, age_key: AgeKey) -> None:
        who = credentials(age_key)
        enc = api.encrypt("a: b\n", rule(age_key), format="yaml", credentials=who)
        same = (("a",), "b")
        as_json = engine.change(enc, "yaml", same, target="json", credentials=who)
        assert json.loads(as_json)["a"].startswith("ENC[")
        assert engine.change(enc, "yaml", same, target="yaml", credentials=who) == enc

    @pytest.mark.parametrize("ignore_mac", [False, True])
    def test_a_check_can_refuse_a_change(self, age_key: AgeKey, ignore_mac: bool) -> None:
        """Also without the MAC: whether a value would stay plaintext does not depend on it."""
        who = credentials(age_key)
        enc = api.encrypt("a: x\n", rule(age_key), format="yaml", credentials=who)

        def check(opened: object, before: str, after: Document) -> None:
            raise PlaintextError(f"{before}{after.text}")

        with pytest.raises(PlaintextError, match="a: x\na: new\n"):
            engine.change(enc, "yaml", (("a",), "new"), credentials=who, check=check, ignore_mac=ignore_mac)

    @pytest.mark.parametrize("edits", [(("a", "new"),), (("a", "new"), ("a", "x"))])
    def test_a_check_sees_what_changes(self, age_key: AgeKey, edits: tuple[tuple[str, str], ...]) -> None:
        who = credentials(age_key)
        enc = api.encrypt("a: x\n", rule(age_key), format="yaml", credentials=who)
        seen: list[tuple[str, str]] = []

        def check(opened: object, before: str, after: Document) -> None:
            seen.append((before, after.text))
            raise PlaintextError("no")

        places = [((key,), value) for key, value in edits]
        if len(edits) > 1:  # back to what it was
            assert engine.change(enc, "yaml", *places, credentials=who, check=check) == enc
            assert not seen
        else:
            with pytest.raises(PlaintextError):
                engine.change(enc, "yaml", *places, credentials=who, check=check)
            assert seen == [("a: x\n", "a: new\n")]

    @pytest.mark.parametrize(
        ("format", "text", "path"),
        [
            ("yaml", "a: x\n", "a"),
            ("json", '{"a": "x"}', "a"),
            ("dotenv", "a=x\n", "a"),
            ("toml", "a = 1\n", "a"),
        ],
    )
    def test_the_last_value_is_removed(self, age_key: AgeKey, format: str, text: str, path: str) -> None:
        who = credentials(age_key)
        enc = api.encrypt(text, rule(age_key), format=format, credentials=who)
        after = engine.change(enc, format, ((path,), changes.REMOVED), credentials=who)
        assert api.loads(after, format=format, credentials=who) == {}
        with pytest.raises(PathNotFoundError):
            engine.change(enc, format, ((), changes.REMOVED), credentials=who)

    def test_nothing_to_do(self, age_key: AgeKey) -> None:
        open_with = credentials(age_key)
        enc = api.encrypt(YAML, rule(age_key), format="yaml", credentials=open_with)
        assert engine.change(enc, "yaml", (parse("a.b"), "x"), credentials=open_with) == enc
        assert engine.update(enc, "yaml", YAML, credentials=open_with) == enc

    def test_a_new_plaintext_gets_a_new_data_key_unless_the_file_has_its_secrets(
        self, age_key: AgeKey
    ) -> None:
        """A stranger may have made the file, and know its data key."""
        who = credentials(age_key)
        secret = "Zq7hardToGuess31e0Xy9"
        enc = api.encrypt(f"a: x\nb: {secret}\n", rule(age_key), format="yaml", credentials=who)
        for plain, keeps in ((f"a: y\nb: {secret}\n", True), ("a: y\nb: 9fAnotherOne4f2aLk0Wm\n", False)):
            after = engine.update(enc, "yaml", plain, credentials=who)
            assert api.decrypt(after, format="yaml", credentials=who) == plain
            wrapped = [re.findall(r"(?s)BEGIN AGE.*?END", text) for text in (enc, after)]
            assert (wrapped[0] == wrapped[1]) is keeps

    def test_a_check_of_a_new_plaintext_sees_its_comments(self, age_key: AgeKey) -> None:
        who = credentials(age_key)
        enc = api.encrypt("a: x\n", rule(age_key), format="yaml", credentials=who)
        seen: list[tuple[str, list[str]]] = []

        def check(opened: object, before: str, after: Document) -> None:
            seen.append((before, [comment.text for comment in after.comments]))

        engine.update(enc, "yaml", "a: x\n", credentials=who, check=check)
        assert seen == []
        engine.update(enc, "yaml", "# new\na: x\n", credentials=who, check=check)
        assert seen == [("a: x\n", [" new"])]

    @pytest.mark.parametrize(
        ("format", "text", "edits"),
        [
            ("dotenv", "A=x\n", [(("A",), [1])]),
            ("dotenv", "A=x\n", [(("B",), "y"), (("A", "c"), "y")]),
            ("ini", "[a]\nb = x\n", [(("a", "b", "c"), "y"), (("a", "d"), "y"), (("a", "e"), "y")]),
        ],
    )
    def test_what_the_format_cannot_hold_is_refused_also_among_others(
        self, age_key: AgeKey, format: str, text: str, edits: list[tuple[Path, object]]
    ) -> None:
        who = credentials(age_key)
        enc = api.encrypt(text, rule(age_key), format=format, credentials=who)
        with pytest.raises(EmitError):
            engine.change(enc, format, *edits, credentials=who)

    def test_a_name_on_two_lines_has_no_place(self) -> None:
        document = formats.scan_any("A=1\nexport A=2\nexport B=3\n", "dotenv")
        with pytest.raises(EmitError, match="the file has A on 2 lines"):
            changes.place(document, ("A",))
        assert [changes.place(document, (name,)) for name in ("B", "C")] == [("export B",), ("C",)]

    def test_a_text_that_cannot_be_read_again_is_not_written(self, monkeypatch: pytest.MonkeyPatch) -> None:
        real = formats.scan_any

        def scan(text: str, format: str, **how: bool) -> Document:
            if "new" in text:
                raise ParseError("not YAML")
            return real(text, format, **how)

        monkeypatch.setattr(formats, "scan_any", scan)
        with pytest.raises(EmitError, match="cannot be made without changing something else"):
            changes.put("a: 1\n", ("a",), "new", format="yaml")

    def test_nothing_to_do_but_in_another_format(self, age_key: AgeKey) -> None:
        """The file is written in the other format, unless it is to stay as it is (`--idempotent`)."""
        open_with = credentials(age_key)
        enc = api.encrypt("a: 1\n", rule(age_key), format="yaml", credentials=open_with)

        def done(target: str | None, *, idempotent: bool = False) -> str:
            edit = (("a",), 1)
            return engine.change(
                enc, "yaml", edit, target=target, idempotent=idempotent, credentials=open_with
            )

        assert done(None) == done("yaml") == done(None, idempotent=True) == enc
        assert json.loads(api.decrypt(done("json"), format="json", credentials=open_with)) == {"a": 1}
        assert done("json", idempotent=True) == enc

    def test_comments_stay_encrypted(self, age_key: AgeKey) -> None:
        open_with = credentials(age_key)
        for format, text in (("yaml", "# note\na: x\nb: y # note\n"), ("toml", "# note\na = 'x'\nb = 'y'\n")):
            enc = api.encrypt(text, rule(age_key), format=format, credentials=open_with)
            found = re.findall(r"#.*ENC.*", enc)
            assert found
            for value in ("z", changes.REMOVED):
                new = engine.change(enc, format, (("a",), value), credentials=open_with)
                assert re.findall(r"#.*ENC.*", new) == found
                assert " note" not in new

    @pytest.mark.parametrize(
        ("path", "given", "stored"),
        [
            ("a.n", "6", "n: 6"),
            ("a.n", "six", "n: six"),
            ("a.n", "null", 'n: "null"'),
            ("a.n", "", 'n: ""'),
            ("a.n", "6.5", 'n: "6.5"'),
            ("a.n", "true", 'n: "true"'),
            ("a.b", "6", 'b: "6"'),
            ("a.b", "six", 'b: "six"'),
            ("new", "6", 'new: "6"'),
            ("flag", "false", "flag: false"),
            ("flag", "6", 'flag: "6"'),
            ("share", "0.25", "share: 0.25"),
            ("share", "2", "share: 2"),
            ("share", "true", 'share: "true"'),
            ("share", ".inf", 'share: ".inf"'),
            ("a", "6", 'a: "6"'),
            ("l[0]", "7", "- 7"),
        ],
    )
    def test_types_are_kept(self, age_key: AgeKey, path: str, given: str, stored: str) -> None:
        open_with = credentials(age_key)
        text = f"{YAML}flag: true\nshare: 0.5\n"
        enc = api.encrypt(text, rule(age_key), format="yaml", credentials=open_with)
        enc = engine.change(enc, "yaml", (parse(path), changes.AsBefore(given)), credentials=open_with)
        assert stored in api.decrypt(enc, format="yaml", credentials=open_with)

    def test_a_file_that_was_changed_without_its_key(self, age_key: AgeKey) -> None:
        open_with = credentials(age_key)
        enc = api.encrypt("a: 1\nb_unencrypted: free\n", rule(age_key), format="yaml", credentials=open_with)
        bent = enc.replace("free", "bent")
        with pytest.raises(MacMismatchError):
            engine.change(bent, "yaml", (("a",), 2), credentials=open_with)
        notes: list[str] = []
        again = engine.change(
            bent, "yaml", (("a",), 2), credentials=open_with, ignore_mac=True, notify=notes.append
        )
        assert api.decrypt(again, format="yaml", credentials=open_with) == "a: 2\nb_unencrypted: bent\n"

    def test_master_keys_are_asked_once(self, age_key: AgeKey, monkeypatch: pytest.MonkeyPatch) -> None:
        from encconf.keys.age import AgeKey as Key

        open_with = credentials(age_key)
        enc = api.encrypt(YAML, rule(age_key), format="yaml", credentials=open_with)
        asked: list[str] = []
        unwrap = Key.unwrap

        def counted(self: Key, enc: str, credentials: object) -> bytes:
            asked.append(enc)
            return unwrap(self, enc, credentials)  # type: ignore[arg-type]

        monkeypatch.setattr(Key, "unwrap", counted)
        engine.change(enc, "yaml", (parse("a.b"), "y"), credentials=open_with)
        rotated(enc, format="yaml", credentials=open_with)
        engine.update(enc, "yaml", "a: 1\n", credentials=open_with)
        assert len(asked) == 3


def test_a_rendered_block_is_laid_out_as_sops_does(sops: Sops, age_key: AgeKey) -> None:
    config = (
        "creation_rules:\n  - shamir_threshold: 2\n    key_groups:\n"
        f"      - age: [{age_key.recipient}]\n      - age: [{age_key.recipient}]\n"
    )
    theirs = formats.get("yaml").scan(sops.encrypt("a: b\n", "yaml", config=config))
    assert theirs.block is not None
    assert formats.get("yaml").render_block(theirs.block) == theirs.block_text


class TestG:
    """Mistakes that no other test would notice."""

    SECRET = "# encrypt\na: x\n"

    def test_a_value_keeps_its_own_type_unless_asked(self, age_key: AgeKey) -> None:
        who = credentials(age_key)
        enc = api.encrypt("port: 5432\n", rule(age_key), credentials=who)
        for value, keep, expected in (
            ("5433", False, "5433"),
            ("5433", True, 5433),
            ([1], True, [1]),
            (True, True, True),
        ):
            new = changes.AsBefore(value) if keep and isinstance(value, str) else value
            done = engine.change(enc, "yaml", (("port",), new), credentials=who)
            assert api.loads(done, credentials=who) == {"port": expected}
            assert type(api.loads(done, credentials=who)["port"]) is type(expected)


def test_the_first_change_to_a_file_of_sops(sops: Sops, age_key: AgeKey) -> None:
    """It rewrites the comments of lists, as docs/formats.md says, and no other line."""
    text = "# top\na: x  # behind\nm: |\n    a\n    b\nl:\n    # in a list\n    - b\n    - c: d\nz: '22:22'\n"
    theirs = sops.encrypt(text, "yaml", age=age_key.recipient)
    creds = credentials(age_key)
    ours = engine.change(theirs, "yaml", (("a",), "new"), credentials=creds)
    removed, added = changed_lines(theirs, ours)
    assert [line.split(":")[0] for line in removed if "type:comment" not in line] == [
        line.split(":")[0] for line in added if "type:comment" not in line
    ]
    assert {line.split(":")[0].strip() for line in removed if "type:comment" not in line} <= {
        "a", "lastmodified", "mac", "version",
    }  # fmt: skip
    assert [line.strip()[:6] for line in removed if "type:comment" in line and "a: ENC" not in line] == [
        "- ENC["
    ]
    assert [line.strip()[:5] for line in added if "type:comment" in line and "a: ENC" not in line] == [
        "#ENC["
    ]
    again = engine.change(ours, "yaml", (("a",), "newer"), credentials=creds)
    assert len(changed_lines(ours, again)[0]) <= 3


class TestPlainValues:
    """Values that somebody wrote into an encrypted file by hand."""

    TEXT = 'a: x\nm:\n  n: y\n  free_unencrypted: z\nlast: ""\n'

    def sealed(self, key: AgeKey) -> str:
        return api.encrypt(self.TEXT, rule(key), format="yaml", credentials=credentials(key))

    @pytest.mark.parametrize(
        ("added", "paths"),
        [
            ("new: 1\n", [("new",)]),
            ("new:\n  p: 1\n  q: [2, 3]\n", [("new", "p"), ("new", "q", 0), ("new", "q", 1)]),
            ("new: 1\nother: 2\n", [("new",), ("other",)]),
            ("", []),
        ],
    )
    def test_what_was_added_is_opened(
        self, age_key: AgeKey, added: str, paths: list[tuple[str | int, ...]]
    ) -> None:
        text = self.sealed(age_key).replace("sops:\n", f"{added}sops:\n")
        opened, found = changes.open_with_plain_values(text, format="yaml", credentials=credentials(age_key))
        assert found == paths
        pairs = zip(opened.document.leaves, opened.values, strict=True)
        values = {leaf.path: value.data for leaf, value in pairs}
        assert values[("a",)] == b"x"
        assert values[("m", "n")] == b"y"
        assert set(paths) <= {*values}

    def test_at_every_place(self, age_key: AgeKey) -> None:
        """Also two at once.  The MAC fits without what was added, but not without what replaced a value."""
        who = credentials(age_key)
        sealed = json.loads(api.encrypt(TREES["json"], rule(age_key), format="json", credentials=who))

        def found(tree: object, *, ignore_mac: bool = False) -> list[Path]:
            text = json.dumps(tree)
            return changes.open_with_plain_values(
                text, format="json", credentials=who, ignore_mac=ignore_mac
            )[1]

        def leaves(node: object, path: Path) -> list[Path]:
            if isinstance(node, (dict, list)):
                inner = node.items() if isinstance(node, dict) else enumerate(node)
                return [leaf for key, each in inner for leaf in leaves(each, (*path, key))]
            return [] if node in (None, "") else [path]

        places = [*map(parse, ("new", "a.new", "l[3]", "l[1].new", "l[1].m[1]"))]
        added = ["p", True, 0, {"x": "y"}, {"x": {"y": ["z", "", 1]}, "n": None, "w": "v"}, ["q", {"r": "s"}]]
        for place, value in itertools.product([*places, parse("a.e.new")], added):
            assert found(edited(sealed, place, value)) == leaves(value, place), (place, value)
        for (one, other), value in itertools.product(itertools.permutations(places, 2), added[3:]):
            both = edited(edited(sealed, one, value), other, value)
            assert set(found(both)) == {*leaves(value, one), *leaves(value, other)}, (one, other, value)
        old = leaves(TREE, ())
        for path in old:
            bent = edited(edited(sealed, path, "p"), ("new",), "q")
            with pytest.raises(MacMismatchError, match=f"plaintext at {re.escape(spell(path))}, new"):
                found(bent)
            assert found(bent, ignore_mac=True) == [path, ("new",)]
        assert len(old) == 8

    def test_many_values_take_one_look_at_the_file(self, age_key: AgeKey) -> None:
        """Each value that was removed alone took a scan of the whole file: 100,000 values took hours."""
        who = credentials(age_key)
        added = [f"k{number}: 1\n" for number in range(2000)]
        text = self.sealed(age_key)
        _, found = changes.open_with_plain_values(
            text.replace("sops:\n", "".join(added[:1000]) + "sops:\n"), format="yaml", credentials=who
        )
        assert found == [(f"k{number}",) for number in range(1000)]
        text = text.replace("sops:\n", "".join(added) + "sops:\n")
        with pytest.raises(LimitError, match="2,000 values in plaintext are too many"):
            changes.open_with_plain_values(text, format="yaml", credentials=who)
        opened, _ = changes.open_with_plain_values(text, format="yaml", credentials=who, ignore_mac=True)
        assert opened.document.leaves[-1].data == b"1"

    def test_a_name_twice_is_one_path(self, age_key: AgeKey) -> None:
        who = credentials(age_key)
        text = api.encrypt("A=x\n", rule(age_key), format="dotenv", credentials=who)
        text = text.replace("sops_", "B=1\nB=2\nsops_", 1)
        with pytest.raises(MacMismatchError, match="plaintext at B, and"):
            changes.open_with_plain_values(text, format="dotenv", credentials=who)

    def test_by_a_comment(self, age_key: AgeKey) -> None:
        """Without the value, its comment would be at the next one."""
        by = rule(age_key, selection=Selection("encrypted_comment_regex", "secret"))
        who = credentials(age_key)
        enc = api.encrypt("a: x\n# secret\nb: y\n", by, format="yaml", credentials=who)
        text = enc.replace("sops:\n", "# secret\nnew: 1\nfree: 2\nsops:\n")
        with pytest.raises(MacMismatchError, match="plaintext at new, and"):
            changes.open_with_plain_values(text, format="yaml", credentials=who)

    def test_into_a_file_without_values(self, age_key: AgeKey) -> None:
        who = credentials(age_key)
        enc = api.encrypt("a: {}\n", rule(age_key), format="yaml", credentials=who)
        text = enc.replace("a: {}\n", "a: {}\nnew: 1\n")
        assert changes.open_with_plain_values(text, format="yaml", credentials=who)[1] == [("new",)]

    def test_at_a_path_that_leads_to_values_in_another_document(self, age_key: AgeKey) -> None:
        who = credentials(age_key)
        enc = api.encrypt("x: y\n---\na: {b: c}\n", rule(age_key), format="yaml", credentials=who)
        assert changes.open_with_plain_values(f"a: new\n{enc}", format="yaml", credentials=who)[1] == [("a",)]

    def test_inside_what_is_encrypted(self, age_key: AgeKey) -> None:
        text = self.sealed(age_key).replace("m:\n", "m:\n  new: 1\n")
        _, found = changes.open_with_plain_values(text, format="yaml", credentials=credentials(age_key))
        assert found == [("m", "new")]

    @pytest.mark.parametrize(
        "replaced", [(r"a: ENC\[[^]]*\]", "a: bent\nnew: 1"), (r"(free_unencrypted): z", r"\1: bent\nnew: 1")]
    )
    def test_what_was_replaced_needs_the_mac_to_be_ignored(
        self, age_key: AgeKey, replaced: tuple[str, str]
    ) -> None:
        text = re.sub(*replaced, self.sealed(age_key))
        who = credentials(age_key)
        with pytest.raises(MacMismatchError, match=r"plaintext at .*new, and the MAC does not fit the rest"):
            changes.open_with_plain_values(text, format="yaml", credentials=who)
        opened, _ = changes.open_with_plain_values(text, format="yaml", credentials=who, ignore_mac=True)
        assert b"bent" in [leaf.data for leaf in opened.document.leaves]

    def test_the_keys_of_the_environment(self, age_key: AgeKey, monkeypatch: pytest.MonkeyPatch) -> None:
        text = self.sealed(age_key).replace("sops:\n", "new: 1\nsops:\n")
        monkeypatch.setenv("SOPS_AGE_KEY", age_key.identity)
        assert changes.open_with_plain_values(text, format="yaml")[1] == [("new",)]
        other = credentials(AgeKey.generate())
        with pytest.raises(KeyAccessError):
            changes.open_with_plain_values(text, format="yaml", credentials=other)


def test_a_text_that_becomes_too_large_is_refused_as_that() -> None:
    with pytest.raises(LimitError, match="lines for its size"):
        changes.put("a: |\n  x\n", ("a",), "b\n" + "\n" * 200_000 + "b", format="yaml")


class TestManyEdits:
    """The text is read once after all of them."""

    EDITS = (
        (("a", "b"), "y"),
        (("l", 1), "three"),
        (("g", "y"), 7),
        (("l", 0), changes.REMOVED),
        (("l", 0), "first"),
        (("new",), {"k": "v"}),
        (("odd",), None),
        (("new", "k"), "w"),
        (("odd",), True),
        (("a", "m"), "t"),
    )

    def test_as_one_by_one(self, age_key: AgeKey) -> None:
        enc = api.encrypt(YAML, rule(age_key), format="yaml", credentials=credentials(age_key))
        step = enc
        for edit in self.EDITS:
            step = engine.change(step, "yaml", edit, credentials=credentials(age_key))
        at_once = engine.change(enc, "yaml", *self.EDITS, credentials=credentials(age_key))
        plain = [
            api.decrypt(each, format="yaml", credentials=credentials(age_key)) for each in (step, at_once)
        ]
        assert plain[0] == plain[1]

    def test_an_anchor_with_its_alias(self, age_key: AgeKey) -> None:
        """One by one, the first would change the second."""
        enc = api.encrypt("a: &x v\nb: *x\n", rule(age_key), format="yaml", credentials=credentials(age_key))
        after = engine.change(enc, "yaml", (("a",), "w"), (("b",), "w"), credentials=credentials(age_key))
        assert api.loads(after, format="yaml", credentials=credentials(age_key)) == {"a": "w", "b": "w"}

    @pytest.mark.parametrize("format", ["yaml", "json", "dotenv"])
    def test_the_text_is_read_once(
        self, format: str, age_key: AgeKey, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """2,000 values took half a minute."""
        lines = {"yaml": "{}: {}\n", "json": '  "{}": "{}",\n', "dotenv": "{}={}\n"}

        def text(prefix: str, value: str) -> str:
            return "".join(lines[format].format(f"{prefix}{n}", value) for n in range(40))

        def whole(entries: str) -> str:
            return "{\n" + entries.removesuffix(",\n") + "\n}\n" if format == "json" else entries

        plain = whole(text("k", "v") + text("old", "v"))
        enc = api.encrypt(plain, rule(age_key), format=format, credentials=credentials(age_key))
        scan, calls = changes.formats.scan_any, []

        def counted(*args: str, **options: bool) -> object:
            calls.append(args)
            return scan(*args, **options)

        monkeypatch.setattr(changes.formats, "scan_any", counted)
        edits = [
            edit
            for n in range(40)
            for edit in (((f"k{n}",), "w"), ((f"new{n}",), "w"), ((f"old{n}",), changes.REMOVED))
        ]
        after = engine.change(enc, format, *edits, credentials=credentials(age_key))
        assert len(calls) <= 2
        assert api.decrypt(after, format=format, credentials=credentials(age_key)) == whole(
            text("k", "w") + text("new", "w")
        )

    def test_those_that_depend_on_others_are_made_in_parts(self, age_key: AgeKey) -> None:
        enc = api.encrypt("a: []\nb: 1\n", rule(age_key), format="yaml", credentials=credentials(age_key))
        edits = [(("a", n), str(n)) for n in range(3)] + [(("c",), {"d": 1}), (("c", "e"), 2)]
        after = engine.change(enc, "yaml", *edits, credentials=credentials(age_key))
        assert api.loads(after, format="yaml", credentials=credentials(age_key)) == {
            "a": ["0", "1", "2"],
            "b": 1,
            "c": {"d": 1, "e": 2},
        }
