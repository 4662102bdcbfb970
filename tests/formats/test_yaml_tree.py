"""How a value is written into a YAML text, and taken out of it: which lines change."""

from __future__ import annotations

import pytest
from formats.edited import YAML, changed

from encconf.engine import changes
from encconf.errors import EmitError, EncconfError
from encconf.merge import merge
from encconf.text.path import parse


def test_a_merge_key_in_a_flow_mapping_stays_before_its_alias() -> None:
    text = "one: &a {pw: x}\ntwo: {<<: *a, host: h}\n"
    assert changes.put(text, ("two", "host"), "i", format="yaml") == text.replace("host: h", "host: i")


def test_the_question_mark_of_a_single_pair_in_a_list_stays() -> None:
    assert changes.put("a: [? b : 1]\nc: 1\n", ("c",), 2, format="yaml") == "a: [? b : 1]\nc: 2\n"


@pytest.mark.parametrize("alias", ["*x", "  *x", "*x # c"])
def test_nothing_below_an_alias_can_be_changed(alias: str) -> None:
    text = f"a: &x {{k: v}}\nb: {alias}\nc: [*x]\nd:\n- *x\n"
    for path in ("b.k", "c[0].k", "d[0].k"):
        with pytest.raises(EmitError, match="leads through an alias"):
            changes.put(text, parse(path), 1, format="yaml")
        with pytest.raises(EmitError, match="leads through an alias"):
            changes.drop(text, parse(path), format="yaml")


def test_a_single_pair_is_changed_only_as_a_whole() -> None:
    for path in (("l", 0, "a"), ("l", 1, "c")):
        with pytest.raises(EmitError, match="layout here cannot be changed"):
            changes.drop("l: [a: 1, ? c : d]\n", path, format="yaml")
    assert changes.drop("l: [a: 1, ? c : d]\n", ("l", 1), format="yaml") == "l: [a: 1]\n"


def test_the_whole_text_is_a_mapping() -> None:
    for value in ("x", [1], None):
        with pytest.raises(EmitError, match="top level must be a mapping"):
            changes.put("a: 1\n", (), value, format="yaml")  # type: ignore[arg-type]


def test_an_alias_itself_can_be_replaced() -> None:
    assert changes.put("a: &x v\nb: *x\n", ("b",), "w", format="yaml") == "a: &x v\nb: w\n"


@pytest.mark.parametrize(
    ("text", "path", "put", "dropped"),
    [
        ("a: &x 1\n", "a", "a: &x 5\n", "{}\n"),
        ("a: &x\n- 1\n- 2\n", "a[0]", "a: &x\n- 5\n- 2\n", "a: &x\n- 2\n"),
        (
            "a: !!seq &x # c\n  - 1\n  - 2\n",
            "a[0]",
            "a: !!seq &x # c\n  - 5\n  - 2\n",
            "a: !!seq &x # c\n  - 2\n",
        ),
        ("a:\n  &x\n  - 1\n  - 2\n", "a[0]", "a:\n  &x\n  - 5\n  - 2\n", None),
        ("a:\n- &x\n  - 1\n  - 2\n", "a[0][0]", "a:\n- &x\n  - 5\n  - 2\n", "a:\n- &x\n  - 2\n"),
    ],
)
def test_values_with_an_anchor_and_in_a_list_with_an_anchor(
    text: str, path: str, put: str, dropped: str | None
) -> None:
    assert changes.put(text, parse(path), 5, format="yaml") == put
    if dropped is None:
        with pytest.raises(EmitError, match="cannot be changed value by value"):
            changes.drop(text, parse(path), format="yaml")
    else:
        assert changes.drop(text, parse(path), format="yaml") == dropped


@pytest.mark.parametrize("indent", ["", "  "])
def test_keys_of_several_lines(indent: str) -> None:
    """As sops writes a key that has a line break."""
    lines = ["? |-", "    x", "    y", ": 1", "b: hello", ""]
    text = "m:\n" * bool(indent) + "\n".join(indent + line for line in lines[:-1]) + "\n"
    inside = ("m",) if indent else ()
    for path, value, old, new in (
        ("b", "new", "b: hello", "b: new"),
        ("x\ny", 2, ": 1", ": 2"),
        ("x\ny", {"k": "v"}, ": 1\n", f":\n{indent or '    '}{indent}k: v\n"),
        ("c", True, "b: hello\n", f"b: hello\n{indent}c: true\n"),
    ):
        after = changes.put(text, (*inside, path), value, format="yaml")  # type: ignore[arg-type]
        assert after == text.replace(old, new)
    windows = changes.put("? x\r\n: |\r\n  y\r\nb: 1\r\n", ("x",), "z", format="yaml")
    assert windows == "? x\r\n: z\r\nb: 1\r\n"
    head = "m:\n" * bool(indent)
    assert changes.drop(text, (*inside, "x\ny"), format="yaml") == f"{head}{indent}b: hello\n"
    assert changes.drop(text, (*inside, "b"), format="yaml") == text.replace(f"{indent}b: hello\n", "")


@pytest.mark.parametrize(
    ("path", "value", "lines"),
    [
        ("a.b", "y", ['-  b: "x"   # note', '+  b: "y"   # note']),
        ("a.n", 6, ["-  n: 5", "+  n: 6"]),
        ("a.c", {"q": [1, {"z": None}]}, ["+  c:", "+    q:", "+    - 1", "+    - z: null"]),
        ("l[]", 5, ["+- 5"]),
        ("l[9]", "x", ["+- x"]),
        ("l[0]", [True], ["-- 1", "+- - true"]),
        ("l[-2]", {"a": 1, "b": 2}, ["-- two  # c", "+- a: 1", "+  b: 2  # c"]),
        ("l[2].m", "s", ["-  m: |", "-    text", "-    more", "+  m: s"]),
        ("l[2].new", "multi\nline\n", ["+  new: |", "+    multi", "+    line"]),
        ("e.x.y", 1.5, ["-e: {}", "+e:", "+  x:", '+    "y": 1.5']),
        ("new[0].k", "v", ["+new:", "+- k: v"]),
        ("a", {}, ["-a:", '-  b: "x"   # note', "-  n: 5", "+a: {}"]),
        ("a.b.c", "d", ['-  b: "x"   # note', "+  b:", "+    c: d   # note"]),
        ("f[1]", "a, b", ["-f: [1, 2]", "+f: [1, 'a, b']"]),
        ("f[]", "[x]", ["-f: [1, 2]", "+f: [1, 2, '[x]']"]),
        ("g.z", {"d": []}, ['-g: {x: 1, y: "s"}', '+g: {x: 1, y: "s", z: {d: []}}']),
        ("g.y", "t", ['-g: {x: 1, y: "s"}', '+g: {x: 1, y: "t"}']),
        ("nul", "on", ["-nul:", '+nul: "on"']),
        ("nul", {"q": 1}, ["+  q: 1"]),
        ("odd", 7, ["-odd: 0x1F", "+odd: 7"]),
        ("last", "one", ["-last: |-", "-  block", "+last: one"]),
        ("last", "two\nlines", ["-  block", "+  two", "+  lines"]),
        ("after", None, ["+after: null"]),
        ("a.b", "x", []),
    ],
)  # fmt: skip
def test_put(path: str, value: object, lines: list[str]) -> None:
    after = changes.put(YAML, parse(path), value, format="yaml")  # type: ignore[arg-type]
    assert changed(YAML, after) == lines


@pytest.mark.parametrize(
    ("path", "lines"),
    [
        ("a.b", ['-  b: "x"   # note']),
        ("a", ["-a:", '-  b: "x"   # note', "-  n: 5"]),
        ("l[0]", ["-- 1"]),
        ("l[-1]", ["-- k: v", "-  m: |", "-    text", "-    more", "-", "-  z: 1"]),
        ("l[2].k", ["-- k: v", "-  m: |", "+- m: |"]),
        ("l[2].m", ["-  m: |", "-    text", "-    more"]),
        ("f[0]", ["-f: [1, 2]", "+f: [2]"]),
        ("g.y", ['-g: {x: 1, y: "s"}', "+g: {x: 1}"]),
        ("nul", ["-nul:"]),
        ("last", ["-last: |-", "-  block"]),
    ],
)
def test_drop(path: str, lines: list[str]) -> None:
    assert changed(YAML, changes.drop(YAML, parse(path), format="yaml")) == lines


ODD = "a: {n}\nb: 1\n? c\n? d\n: e\nl: [x: y, {m}]\n"


@pytest.mark.parametrize(
    ("path", "value", "after"),
    [
        (("b",), 2, ODD.replace("b: 1", "b: 2")),
        (("a", "n"), 2, ODD.replace("{n}", "{n: 2}")),
        (("a", "n"), {"x": [1]}, ODD.replace("{n}", "{n: {x: [1]}}")),
        (("a", "o"), 2, ODD.replace("{n}", "{n,o: 2}")),
        (("l", 1, "m"), "v", ODD.replace("{m}", "{m: v}")),
        (("d",), "v", ODD.replace(": e", ": v")),
        (("z",), 1, ODD + "z: 1\n"),
    ],
)
def test_set_beside_an_odd_layout(path: tuple[str | int, ...], value: object, after: str) -> None:
    assert changes.put(ODD, path, value, format="yaml") == after  # type: ignore[arg-type]


def test_unset_beside_an_odd_layout() -> None:
    assert changes.drop(ODD, ("a", "n"), format="yaml") == ODD.replace("{n}", "{}")
    assert changes.drop(ODD, ("b",), format="yaml") == ODD.replace("b: 1\n", "")


@pytest.mark.parametrize(
    ("text", "path", "after"),
    [
        (
            "a: # c\n  # above\n  b: 1 # gone\n  # below\nd: 2\n",
            "a.b",
            "a: {} # c\n  # above\n  # below\nd: 2\n",
        ),
        ("a: # c\n- # d\n  # e\n  b: 1\n# f\n", "a[0].b", "a: # c\n- {} # d\n  # e\n# f\n"),
        ("a:\n  # k\n  - b:\n      - x\n      # y\n  # z\n", "a[0]", "a: []\n  # k\n      # y\n  # z\n"),
        ("a: # c\r\n  # k\r\n  b: |\r\n    x\r\nd: 2\r\n", "a.b", "a: {} # c\r\n  # k\r\nd: 2\r\n"),
        ("a: # c\n# k\n- 1", "a[0]", "a: [] # c\n# k"),
        ("# k\na: 1 # gone\n# end\n", "a", "# k\n{}\n# end\n"),
    ],
)
def test_the_last_member_is_removed_without_the_other_comments(text: str, path: str, after: str) -> None:
    assert changes.drop(text, parse(path), format="yaml") == after


@pytest.mark.parametrize(
    ("text", "value", "after"),
    [
        ("a: # c\n  b: 1\n", "v", "a: v # c\n"),
        ("a: # c\n  b: 1\n", {"k": "v"}, "a: # c\n  k: v\n"),
        ("a: # c\n  b: 1\n", "l1\nl2\n", "a: | # c\n  l1\n  l2\n"),
        ("a: |- # c\n  b\n", "v", "a: v # c\n"),
        ("a: |- # c\n  b\n", "l1\nl2\n", "a: | # c\n  l1\n  l2\n"),
        ("a: # c\n  b\n", ["v"], "a: # c\n  - v\n"),
        ("a: &x # c\n  b: 1\n", "v", "a: v # c\n"),
        ("a:\n  b: 1\n  # d\n", "l1\nl2\n", 'a: "l1\\nl2\\n"\n  # d\n'),
    ],
)
def test_a_replaced_collection_or_block_scalar_leaves_its_comments(
    text: str, value: object, after: str
) -> None:
    assert changes.put(text, ("a",), value, format="yaml") == after  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "path", "after"),
    [
        ("k: # c\n", "k", 'k: "a\\nb" # c\n'),
        ("k: {} # c\n", "k", 'k: "a\\nb" # c\n'),
        ("k:\n\n  l: x # c\n", "k", 'k: "a\\nb" # c\n'),
        ("k: |\n    x\n  # c\n", "k", 'k: "a\\nb"\n  # c\n'),
        ("k: |\n    x\n# c\n", "k", "k: |-\n    a\n    b\n# c\n"),
        ("k:\n\n  # c\nl: 1\n", "k", 'k: "a\\nb"\n\n  # c\nl: 1\n'),
        ("k: 1\n  # c\n", "l", 'k: 1\nl: "a\\nb"\n  # c\n'),
        ("k: 1\n# c\n", "l", "k: 1\nl: |-\n  a\n  b\n# c\n"),
        ("k:\n  - x\n    # c\n", "k[]", 'k:\n  - x\n  - "a\\nb"\n    # c\n'),
        ("k: {l: ,m}\n", "k.l", 'k: {l: "a\\nb" ,m}\n'),
        ('k: {"l":}\n', "k.l", 'k: {"l": "a\\nb"}\n'),
    ],
)
def test_no_comment_becomes_part_of_a_value(text: str, path: str, after: str) -> None:
    assert changes.put(text, parse(path), "a\nb", format="yaml") == after


@pytest.mark.parametrize("first", ["a: 1\n", "a: &x 1\n", "a:\n\n", "a: [1] # c\n"])
@pytest.mark.parametrize("second", ["b: 2\n", '"b": 2\n', "? {b: 2}\n"])
def test_a_byte_order_mark_inside_a_text(first: str, second: str) -> None:
    """As in two files that were joined.  To go-yaml, it is a part of the key."""
    text = f"{first}\ufeff{second}"
    after = changes.put(text, ("a",), 5, format="yaml")
    assert after.endswith(f"\n\ufeff{second}")
    merged = merge(text, f"{text}c: 3\n", text.replace("1", "4"), format="yaml")
    assert merged.conflicts == []


def test_a_document_after_a_line_break_that_only_yaml_knows() -> None:
    text = "a: 1\u2028---\n"
    with pytest.raises(EncconfError):
        changes.put(text, ("a",), 5, format="yaml")
    assert merge("a: 1\u2028", text, "a: 1\u2028b: 2\n", format="yaml").whole


@pytest.mark.parametrize(
    ("text", "path", "put", "dropped"),
    [
        ("? a\nb: 1\n", "a", "a: 5\nb: 1\n", "b: 1\n"),
        ("b: 1\n? a", "a", "b: 1\na: 5", "b: 1\n"),
        ("m:\n- ? 'a b' # c\n  # d\n  ? b\n", "m[0].b", "m:\n- ? 'a b' # c\n  # d\n  b: 5\n", None),
        ("m:\n- ? a # c\n  ? b\n", "m[0].a", "m:\n- a: 5 # c\n  ? b\n", "m:\n- ? b\n"),
    ],
)
def test_a_key_without_colon_and_value(text: str, path: str, put: str, dropped: str | None) -> None:
    assert changes.put(text, parse(path), 5, format="yaml") == put
    if dropped is not None:
        assert changes.drop(text, parse(path), format="yaml") == dropped


@pytest.mark.parametrize(
    ("text", "path", "value", "after"),
    [
        ("a: |\n  x", "a", "p\nq\n", "a: |\n  p\n  q\n"),
        ("b: 1", "a", "p\nq\n", "b: 1\na: |\n  p\n  q\n"),
        ("a:\n- x", "a[]", "p\nq\n", "a:\n- x\n- |\n  p\n  q\n"),
        ("a: 1", "a", {"b": ["p\nq\n"]}, "a:\n  b:\n    - |\n      p\n      q\n"),
        ("a: |\n  x", "a", "p\nq", "a: |-\n  p\n  q"),
        ("a: 1", "a", {"b": "x"}, "a:\n  b: x"),
        ("a: 1 # c\n", "a", {"b": "p\nq\n"}, 'a:\n  b: "p\\nq\\n" # c\n'),
        ("a: 1\n  # c\n", "b", ["p\nq"], 'a: 1\nb:\n  - "p\\nq"\n  # c\n'),
    ],
)
def test_a_last_value_ends_with_a_line_break(text: str, path: str, value: object, after: str) -> None:
    """Also where the text did not.  A comment after it stays a comment."""
    assert changes.put(text, parse(path), value, format="yaml") == after  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "value", "after"),
    [
        ('a: !!str &x "8"\n', 5, "a: &x 5\n"),
        ("a: &x !!str b\n", [1], "a:\n  - 1\n"),
        ("a: {b: &x !!seq [c]}\n", {"b": "d"}, "a:\n  b: d\n"),
        ("a: !!int &x 5 # c\n", "y", 'a: &x "y" # c\n'),
        ("a: !t # c\n  &x 5\n", "v", "a: # c\n  &x v\n"),
        ("a: !t # c\n  5\n", 6, "a: # c\n  6\n"),
        ("a: &x\nb: 1\n", 5, "a: &x 5\nb: 1\n"),
        ("a: !!null &x # c\n", 5, "a: &x 5 # c\n"),
    ],
)
def test_a_new_value_has_no_tag_of_another_type(text: str, value: object, after: str) -> None:
    assert changes.put(text, ("a",), value, format="yaml") == after  # type: ignore[arg-type]


def test_a_member_after_an_empty_one_in_braces() -> None:
    assert changes.put("a: {b: c, d: }\n", ("a", "e"), 1, format="yaml") == "a: {b: c, d: , e: 1 }\n"


@pytest.mark.parametrize("item", ["-   &x v", "-   !t v", "-\n  !t v", "-   !!seq []", "-  &x\n   v"])
def test_an_anchor_or_a_tag_far_from_its_dash(item: str) -> None:
    text = f"a: 1\nl:\n- w\n{item}\n- z\n"
    assert changes.put(text, ("a",), 2, format="yaml") == text.replace("1", "2")
    assert changes.put(text, ("l", 2), 5, format="yaml") == text.replace("z", "5")
    assert changes.drop(text, ("l", 1), format="yaml") == "a: 1\nl:\n- w\n- z\n"
