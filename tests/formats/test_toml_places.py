"""Awkward TOML texts, with every change at every place.  tomllib says what a text means."""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Iterator
from datetime import date, datetime, time
from typing import Any

import pytest
from formats.toml_files import ENC, round_trip, same_as_tomllib

from encconf import formats
from encconf.engine import changes
from encconf.errors import EmitError, ParseError
from encconf.text.document import Leaf, splice

format = formats.get("toml")

Path = tuple[str | int, ...]

QUOTES = ('"""', "'''", '"', "'")

TEXTS = {
    "words": """\
# top

a = 1 # a
 b='x' \t# b
\tc\t=\t"y"
"d e" = true# d
'f.g' = false
"\\u0068" = -0
1 = 1_000
-=0xfF
i = +1.5e-3

# end""",
    "strings": '''\
a = """
one
two"""
b = """three \\
   four\\

  five"""  # b
c = \'\'\'
six\\
'seven' \'\'\'
d = """a"" \\""""  # d
e = """"q""""
f = \'\'\'\'\'x\'\'\'\'\'
g = "\\b\\t\\n\\f\\r\\"\\\\\\u00e9\\U0001F600\\uD7FF\\uE000\\U0010FFFF\\u0000"
h = ""
i = \'\'
j = """"""
k = "#no"
l = 'null'
m = "it's"
''',
    "numbers": """\
a = 0o17
b = 0b10_1
c = 0xDEAD_beef
d = -9223372036854775808
e = 9223372036854775807
f = [1e5, 1E+05, -2.50, 1_0.0_1, 6.626e-34, 0.0, -0.0]
g = [inf, +inf, -inf, nan, 0, +0, -1]
h = [true, false]
""",
    "times": """\
a = 1979-05-27T07:32:00Z
b = 1979-05-27 07:32:00.5-07:00 # b
c = 1979-05-27t00:32:00.999999
d = 1979-05-27
e = 07:32:00.100
f = [1979-05-27,07:32:00]
g = {h = 1979-05-27 07:32:00z}
""",
    "arrays": """\
a = []
b = [ ]
c = [1]
d = [ 1 , 2,3 ]
e = [
]
f = [
  "x", # x
  # above y
  "y"
  # after y
]
g = [ [], [ [1], {} ], { h = [ 2, { i = 3 } ] }, ]
j = [ # first
  1,2
  ,3, ]
k = [ '''
m''', \"\"\"n\"\"\" ]
""",
    "inline": """\
a = {}
b = { }
c = {d=1}
e = { f = 1 , "g h"= {i.j = 2, i.k = 3}, l = [ {m = 4} ] } # e
n.o = {p.q.r = 5}
""",
    "dotted": """\
a.b = 1
 a . "c" = 2
a.'d'.e = 3 # e
f = 4
a.d.g = 5
h."".i = 6
[j]
k.l = 7
m = 8
k.n = 9
""",
    "tables": """\
r = 0
[a] # a
b = 1

# above a.c
[ a . c ]
d = 2
[e."f g".h]
i = 3
# end of e

[e]
j = 4
[k]
[l.m]
[l]
n = 5
[a.c.o]
""",
    "arrays of tables": """\
[[a]] # first
b = 1
# above the second

[[ a ]]

[[a]]
b = 2
[a.c]
d = 3
[[a.e]]
f = 4
[[a.e]]
[a.e.g]
h = 5
[i]
j = 6
[[a]]
[[k.l]]
m.n = 7
[[k.l]]
m = []
""",
    "windows": "# c\r\na = 1 # d\r\n"
    "b = '''\r\nx\r\ny'''\r\n\r\n[t]\r\nc = [\r\n  1,\r\n  # e\r\n]\r\nd = \"z\"",
    "mixed ends": "a = 'x'\r\nb = 2\n\r\n[c]\nd = \"y\"\r\n",
    "other spaces": "# \u2028 \x85\n"
    "a = \"\u00a0\ufeff\"\nb = '\u2029'\nc = \"\"\"\u3000\n\"\"\"\n\"\u00e9\" = 1\n",
    "sops inside": "[a.sops]\nmac = 1\n[b]\nsops = 2\n[[c]]\nsops.d = 3\n[d.e]\n\"sops\" = \"x\"\n",
    "like ciphertexts": "a = 'ENC[x]'\nb = \"ENC[AES256_GCM,\"\n\"ENC[]\" = 1\n",
    "nothing": "",
    "only blanks": "\n \t\r\n",
    "only a comment": "# c",
    "no end": "[a]\nb = 1",
    "blank end": "a = 1 \n\n\n",
}  # fmt: skip

EACH = pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)


def values_in(text: str) -> dict[str, Any]:
    return tomllib.loads(text)


def at(tree: Any, path: Path) -> Any:
    for step in path:
        tree = tree[step]
    return tree


def places(tree: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every path below a tree, and what is there."""
    for step, item in tree.items() if isinstance(tree, dict) else enumerate(tree):
        yield (*path, step), item
        if isinstance(item, (dict, list)):
            yield from places(item, (*path, step))


def singles(tree: Any) -> dict[Path, Any]:
    return {path: item for path, item in places(tree) if not isinstance(item, (dict, list))}


def shape(tree: Any) -> str:
    """A tree to compare: of types, too, and whatever the order of its keys."""
    if isinstance(tree, dict):
        return f"{{{sorted((key, shape(item)) for key, item in tree.items())}}}"
    return f"[{list(map(shape, tree))}]" if isinstance(tree, list) else repr(tree)


def stored(leaf: Leaf) -> object:
    """What a leaf's type and bytes say."""
    assert leaf.data is not None
    word = leaf.data.decode()
    if leaf.style == "" and leaf.type == "str":
        kind = time if "-" not in word[:5] else datetime if "T" in word else date
        return kind.fromisoformat(word)
    return {"str": str, "int": int, "float": float, "bool": "True".__eq__}[leaf.type](word)


def statements(text: str) -> list[int]:
    """Where a line begins that is not inside a value."""
    found = []
    for start in (0, *(each.end() for each in re.finditer("\n", text))):
        try:
            tomllib.loads(text[:start])
        except tomllib.TOMLDecodeError:
            continue
        found.append(start)
    return found


# --- reading -------------------------------------------------------------------------------------


@EACH
def test_each_value_is_found_where_it_is_written(text: str) -> None:
    document = same_as_tomllib(text)
    assert document is not None
    wanted = singles(values_in(text))
    assert {leaf.path for leaf in document.leaves} == wanted.keys()
    assert repr({leaf.path: stored(leaf) for leaf in document.leaves}) == repr(
        {leaf.path: wanted[leaf.path] for leaf in document.leaves}
    )
    for leaf in document.leaves:
        word = text[leaf.start : leaf.end]
        kinds = [each for each in QUOTES if word.startswith(each) and len(word) >= 2 * len(each)]
        assert leaf.style == (kinds[0] if kinds else "")
        assert leaf.aad == "".join(f"{step}:" for step in leaf.path if isinstance(step, str)).encode()
    if text.strip():
        round_trip(text)
        round_trip(text.replace("\r", "").replace("\n", "\r\n"))


@EACH
def test_each_value_is_replaced_by_a_ciphertext_and_back(text: str) -> None:
    tree = values_in(text)
    document = format.scan(text)
    sealed = splice(text, [format.sealed(document, leaf, ENC) for leaf in document.leaves])
    found = values_in(sealed)
    for path in singles(tree):
        assert at(found, path).strip("\n") == ENC, path
        at(tree, path[:-1])[path[-1]] = at(found, path)
    assert found == tree
    # Back: the same values, and nothing else differs from the first text.
    encrypted = format.scan(sealed)
    pairs = zip(encrypted.leaves, document.leaves, strict=True)
    edits = [format.literal(encrypted, leaf, old.type, old.data or b"") for leaf, old in pairs]
    again = splice(sealed, edits)
    values = [[(leaf.type, leaf.data) for leaf in each.leaves] for each in (document, format.scan(again))]
    assert values[0] == values[1]
    assert _without_leaves(again) == _without_leaves(text)


def _without_leaves(text: str) -> str:
    return splice(text, [(leaf.start, leaf.end, "@") for leaf in format.scan(text).leaves])


# Statements that are not TOML, and the column of the fault; 0 where it depends on what follows.
FAULTS = [
    ("x", 2), ("x =", 4), ("x = ", 5), ("= 1", 1), ("  = 1", 3), ("x = 'y", 5), ("x = 1 2", 7),
    ("x = [1", 0), ("x = [1 2]", 8), ("x = {y = 1,}", 12), ("x = {y}", 7), ("x = {y = 1", 0),
    ("x = {y = 1 z = 2}", 12), ("x = {y = 1, y = 2}", 13), ("[x", 3), ("[[x]", 5), ("[x] y", 5),
    ("[x.]", 4), ("[]", 2), ("x.y", 4), ("x. = 1", 4), (".x = 1", 1), ("x = 01", 5), ("x = TRUE", 5),
    ("x = \"\\q\"", 5), ("x = \"\\ud800\"", 5), ("x = \"\\uDFFF\"", 5), ("x = \"\\U00110000\"", 5),
    ("x = \"\\u12\"", 5), ("x = 9223372036854775808", 5), ("x = 1e999", 5),
    ("x = [-9223372036854775809]", 6), ("x = 1 # \x00", 9), ("x = \"\x7f\"", 5), ("x: 1", 2),
    ("x y = 1", 3), ("x = ,", 5), ("\"\\q\" = 1", 1), ("[x.\"\\q\"]", 4), ("x = [,]", 6), ("x = [1,,2]", 8),
    ("x = {,}", 6), ("x = 1\ry = 2", 6), ("\x0cx = 1", 1),
]  # fmt: skip


@EACH
def test_a_fault_is_found_where_it_is(text: str) -> None:
    for start in statements(text):
        line = text.count("\n", 0, start) + 1
        for words, column in FAULTS:
            with pytest.raises(ParseError) as caught:
                format.scan(f"{text[:start]}{words}\n{text[start:]}")
            if column:
                assert (caught.value.line, caught.value.column) == (line, column), words


# --- comments ------------------------------------------------------------------------------------


def found(text: str, *without: str) -> list[tuple[str, Path, str | int | None]]:
    comments = format.scan(text, comments=True).comments
    return [(each.text, each.scope.path, each.before) for each in comments if each.text not in without]


@EACH
def test_a_comment_belongs_to_the_item_that_follows_it(text: str) -> None:
    """The other comments belong to what they belong to without it."""
    starts = statements(text)
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        given = f"{text[:start]}#zz\n{text[start:]}"
        ((_, scope, before),) = [each for each in found(given) if each[0] == "zz"]
        assert found(given, "zz") == found(text)
        if re.match(r"[ \t]*+[^#\s\[]", text[start:]):
            old, new = (singles(values_in(part)) for part in (text[:start], text[:end]))
            added = [path for path in new if path not in old]
            path = (*scope, before)
            assert all(each[: len(path)] == path for each in added)
            assert not any(each[: len(path)] == path for each in old)


# --- the block -----------------------------------------------------------------------------------

BLOCK = '[sops]\nmac = "x"\n[[sops.age]]\nenc = "e"\n'
BLOCKS = [
    BLOCK,
    BLOCK.replace("\n", "\r\n"),
    '  [ "sops" ] # c\n"mac"=\'x\'\t# c\n\n# d\n[[ sops . age ]]\nenc = """e"""\n',
    '[sops]\nmac = "x"\nage = [\n  {enc = "e"}, # c\n]\n',
    '[[sops.age]]\nenc = "e"\n[sops]\nmac = "x"\n',
]


@EACH
@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_before_any_header_is_found_and_removed(text: str, block: str) -> None:
    tree = shape(values_in(text))
    for start in statements(text):
        if not re.match(r"\s*(\[|\Z)", text[start:]):
            continue  # what follows would be a part of the block
        given = text[:start] + block + text[start:]
        if "sops" in values_in(text[:start]) or "sops" not in values_in(given):
            continue
        document = format.scan(given, comments=True)
        assert document.block == {"mac": "x", "age": [{"enc": "e"}]}
        assert tomllib.loads(str(document.block_text))["sops"] == document.block
        values = {leaf.path: "null" if leaf.data is None else stored(leaf) for leaf in document.leaves}
        assert shape(values) == shape(singles(values_in(text)))
        assert [each[0] for each in found(given)] == [each[0] for each in found(text)]
        without = splice(given, format.detach(document))
        assert shape(values_in(without)) == tree
        assert without.split() == text.split()
        changed = splice(given, format.attach(document, str(document.block_text).replace("x", "y")))
        assert shape({**values_in(changed), "sops": 0}) == shape({**values_in(text), "sops": 0})
        assert values_in(changed)["sops"] == {"mac": "y", "age": [{"enc": "e"}]}
        if block in BLOCKS[:2] and ("\r\n" in block) is ("\r" in text[: text.find("\n")]):
            assert changed == given.replace(block, block.replace("x", "y"))


INLINE = [
    'sops = {mac = "x", age = [{enc = "e"}]}\n',
    'sops.mac = "x"\nsops . age = [{enc = "e"}] # c\n',
    '"sops".\'mac\' = "x"\n# c\n"sops".age=[\n{ enc = """e""" },\n] # d\n',
]


@EACH
@pytest.mark.parametrize("block", INLINE)
def test_a_block_without_a_header_becomes_tables(text: str, block: str) -> None:
    first = text.find("\n[") if "\n[" in text else len(text)
    for start in statements(text):
        if start > first or (start == len(text) and not text.endswith("\n") and text):
            continue
        if re.search(r"(?m)^[ \t]*\[", text[:start]) and "= [" not in text[:start]:
            continue
        given = text[:start] + block + text[start:]
        if "sops" not in values_in(given):
            continue  # it is in a table
        document = format.scan(given)
        assert document.block == {"mac": "x", "age": [{"enc": "e"}]}
        assert tomllib.loads(str(document.block_text))["sops"] == document.block
        assert repr([leaf.path for leaf in document.leaves]) == repr(
            [leaf.path for leaf in format.scan(text).leaves]
        )
        without = splice(given, format.detach(document))
        assert repr(values_in(without)) == repr(values_in(text))
        changed = splice(given, format.attach(document, BLOCK))
        assert changed.replace("\r\n", "\n").rstrip().endswith("\n" * bool(without) + BLOCK.rstrip())


# --- changes -------------------------------------------------------------------------------------

VALUES = ["it's", "two\nlines", "", 5, -2.5, True, [], {}, [1, "b"], {"x": 1, "y z": {"w": [{"v": "u"}]}}]


def lines_of(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


@EACH
def test_each_value_is_replaced_and_the_rest_stays(text: str) -> None:
    tree = values_in(text)
    document = format.scan(text)
    for at_leaf, leaf in enumerate(document.leaves):
        for value in VALUES[at_leaf % 3 :: 3]:
            after = changes.put(text, leaf.path, value, format="toml")
            wanted = copy.deepcopy(tree)
            at(wanted, leaf.path[:-1])[leaf.path[-1]] = value
            assert shape(values_in(after)) == shape(wanted)
            assert after.startswith(text[: leaf.start])
            assert after.endswith(text[leaf.end :])


@EACH
def test_each_collection_gets_a_member(text: str) -> None:
    tree = values_in(text)
    for path, item in [((), tree), *places(tree)]:
        if not isinstance(item, (dict, list)):
            continue
        for value in VALUES:
            steps: Path = ("new key",) if isinstance(item, dict) else (len(item),)
            wanted = copy.deepcopy(tree)
            if isinstance(item, dict):
                at(wanted, path)["new key"] = value
            else:
                at(wanted, path).append(value)
            tables = (
                isinstance(item, list)
                and item
                and "[[" in text
                and all(isinstance(each, dict) for each in item)
            )
            if tables and not isinstance(value, dict):
                with pytest.raises(EmitError, match="an array of tables cannot hold other values"):
                    changes.put(text, (*path, *steps), value, format="toml")
                continue
            after = changes.put(text, (*path, *steps), value, format="toml")
            assert shape(values_in(after)) == shape(wanted)
            kept = lines_of(after)
            assert len([line for line in lines_of(text) if line not in kept]) <= 1


@EACH
def test_each_item_is_removed(text: str) -> None:
    tree = values_in(text)
    comments = [line for line in lines_of(text) if line.startswith("#")]
    for path, item in places(tree):
        wanted = copy.deepcopy(tree)
        del at(wanted, path[:-1])[path[-1]]
        after = changes.drop(text, path, format="toml")
        assert shape(values_in(after)) == shape(wanted)
        kept = lines_of(after)
        lost = [line for line in lines_of(text) if line not in kept]
        if not isinstance(item, (dict, list)):  # a collection's own comments go with it
            assert not {*lost} & {*comments}, path
