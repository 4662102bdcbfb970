"""Putting values into TOML texts and taking them out: where they go, and that nothing else moves."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from engine import changed_lines
from generate import toml_text

from encconf.engine import changes
from encconf.errors import EmitError, PathNotFoundError
from encconf.text.path import parse

TEXT = """\
# top
title = 'x' # t
when = 2020-01-01

[db]
# the port
port = 0x1F # p
pool.size = 3
tags = [ "a", "b" ]
opts = { a = 1 }

[db.inner]
k = 1

[[srv]]
ip = "1"

[[srv]]
ip = "2"
"""


@pytest.mark.parametrize(
    ("path", "value", "old", "new"),
    [
        (("title",), "it's", "'x'", '"it\'s"'),
        (("title",), "y", "'x'", "'y'"),
        (("title",), 5, "'x'", "5"),
        (("title",), [1, {"a b": "null"}], "'x'", '[1, {"a b" = "null"}]'),
        (("title", "deep"), 1, "'x'", "{deep = 1}"),
        (("when",), "2021-12-31", "2020-01-01", "2021-12-31"),
        (("when",), "2021-13-31", "2020-01-01", '"2021-13-31"'),
        (("db", "port"), 80, "0x1F", "80"),
        (("db", "tags", 0), "c", '"a"', '"c"'),
        (("db", "tags", -1), "c", '"b"', '"c"'),
        (("db", "tags", 2), "c", '"b" ]', '"b", "c" ]'),
        (("db", "tags"), {}, '[ "a", "b" ]', "{}"),
        (("db", "opts", "b"), True, "{ a = 1 }", "{ a = 1, b = true }"),
        (("db", "opts", "b", "c"), 1.5, "{ a = 1 }", "{ a = 1, b = {c = 1.5} }"),
        (("srv", 1, "ip"), "3", '"2"', '"3"'),
    ],
)
def test_a_value_in_its_place(path: tuple[str | int, ...], value: object, old: str, new: str) -> None:
    assert TEXT.count(old) == 1
    assert changes.put(TEXT, path, value, format="toml") == TEXT.replace(old, new)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "value", "after", "added"),
    [
        (("new",), 1, "when = 2020-01-01\n", "new = 1\n"),
        (("db", "new"), "a\nb", "opts = { a = 1 }\n", 'new = """\na\nb"""\n'),
        (("db", "new", "er"), 1, "opts = { a = 1 }\n", "new.er = 1\n"),
        (("db", "pool", "max size"), 1, "pool.size = 3\n", 'pool."max size" = 1\n'),
        (("db", "inner", "l"), [], "k = 1\n", "l = []\n"),
        (("srv", 0, "port"), 1, 'ip = "1"\n', "port = 1\n"),
        (("srv", 2, "ip"), "3", 'ip = "2"\n', '\n[[srv]]\nip = "3"\n'),
        (("a", "b", "c"), 1, 'ip = "2"\n', "\n[a.b]\nc = 1\n"),
        (("a",), {"b": 1, "c": {"d": 2}}, 'ip = "2"\n', "\n[a]\nb = 1\nc = {d = 2}\n"),
    ],
)
def test_a_new_key_is_its_tables_last(
    path: tuple[str | int, ...], value: object, after: str, added: str
) -> None:
    assert TEXT.count(after) == 1
    expected = TEXT.replace(after, after + added)
    assert changes.put(TEXT, path, value, format="toml") == expected  # type: ignore[arg-type]
    with_crlf = changes.put(TEXT.replace("\n", "\r\n"), path, value, format="toml")  # type: ignore[arg-type]
    assert with_crlf == expected.replace("\n", "\r\n")


def test_a_table_with_a_header_gives_way_to_a_value() -> None:
    assert changes.put("a = 1\n[b]\nc = 2\n[b.d]\n[e]\n", ("b",), 5, format="toml") == "a = 1\nb = 5\n[e]\n"


def test_the_whole_text_is_replaced_by_a_table_only() -> None:
    text = "# c\na = 1 # d\n\n[t]\n# e\nb = 2\n\n[[u]]\nx = 1\n"
    assert changes.put(text, (), {"k": {"l": 1}}, format="toml") == "k = {l = 1}\n# c\n# e\n"
    assert changes.put("a = 1", (), {}, format="toml") == ""
    with pytest.raises(EmitError, match="the top level must be a table"):
        changes.put(text, (), 1, format="toml")


def test_texts_of_nearly_nothing() -> None:
    assert changes.put("", ("a",), 1, format="toml") == "a = 1\n"
    assert changes.put("", ("a", "b"), 1, format="toml") == "[a]\nb = 1\n"
    assert changes.put("# c", ("a",), "null", format="toml").endswith('a = "null"\n# c')
    assert changes.put("[a]", ("a", "b"), 1, format="toml") == "[a]\nb = 1"
    assert changes.put("[a.b]\n", ("a", "c"), 1, format="toml") == "[a.b]\n\n[a]\nc = 1\n"
    assert changes.put("a = [\n]\n", ("a", 0), 1, format="toml") == "a = [1]\n"
    assert changes.put("a = [ # c\n]\n", ("a", 0), 1, format="toml") == "a = [1 # c\n]\n"
    assert changes.put("a = [# c\n]\n", ("a", 0), 1, format="toml") == "a = [1 # c\n]\n"
    assert changes.put("a = [\n  1,\n  2, # c\n]\n", ("a", 2), 3, format="toml") == (
        "a = [\n  1,\n  2, # c\n  3,\n]\n"
    )


@pytest.mark.parametrize(
    ("path", "gone"),
    [
        (("title",), "title = 'x' # t\n"),
        (("db", "port"), "port = 0x1F # p\n"),
        (("db", "tags", 0), '"a", '),
        (("db", "tags", 1), ', "b"'),
        (("db", "inner", "k"), "k = 1\n"),
        (("srv", 0), '\n[[srv]]\nip = "1"\n'),
        (("srv",), '\n[[srv]]\nip = "1"\n\n[[srv]]\nip = "2"\n'),
    ],
)
def test_what_is_taken_out(path: tuple[str | int, ...], gone: str) -> None:
    assert changes.drop(TEXT, path, format="toml") == TEXT.replace(gone, "")


def test_what_was_in_a_table_leaves_the_table() -> None:
    assert changes.drop("[a.b]\nc = 1\n", ("a", "b"), format="toml") == "a = {}\n"
    assert changes.drop("[t]\na.b = 1\n", ("t", "a", "b"), format="toml") == "[t]\na = {}\n"
    assert changes.drop("a = { b = 1 }\n", ("a", "b"), format="toml") == "a = {}\n"
    assert changes.drop("[[a]]\nb = 1\n", ("a", 0), format="toml") == "a = []\n"


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ((0,), PathNotFoundError),
        (("db", "tags", "x"), PathNotFoundError),
        (("db", "tags", -3), PathNotFoundError),
        (("srv", 0), EmitError),
        (("srv", 2), EmitError),
        ((), EmitError),
    ],
)
def test_where_nothing_can_be_put(path: tuple[str | int, ...], error: type[Exception]) -> None:
    with pytest.raises(error):
        changes.put(TEXT, path, 1, format="toml")


@pytest.mark.parametrize("path", [("no",), ("title", "x"), ("db", "tags", 2), ("db", "opts", "b"), ()])
def test_nothing_to_take_out(path: tuple[str | int, ...]) -> None:
    with pytest.raises(PathNotFoundError):
        changes.drop(TEXT, path, format="toml")


NESTED = """\
[[a]]
n = 1
[[a.b]]
k = 1
[[a.b]]
k = 2
[a.b.t]
x = 1
[a.q.r]
w = 1

[[a]]
n = 2
[a.t]
y = 1
[[a.b]]
k = 3

[c]
z = 1
"""


def test_each_value_of_arrays_of_tables_in_arrays_of_tables() -> None:
    """Few lines change, and tomllib reads what Python's own dicts and lists make of it."""

    def inside(tree: Any, path: Sequence[str | int]) -> Any:
        for step in path:
            tree = tree[step]
        return tree

    def lines(after: str) -> tuple[list[str], list[str]]:
        removed, added = changed_lines(NESTED, after)
        return [line for line in removed if line], [line for line in added if line]

    for path in list(every_path(tomllib.loads(NESTED)))[1:]:
        wanted, gone = tomllib.loads(NESTED), tomllib.loads(NESTED)
        old = inside(wanted, path)
        if isinstance(old, int):
            inside(wanted, path[:-1])[path[-1]] = 9
            after = changes.put(NESTED, path, 9, format="toml")
            assert lines(after)[1] == [f"{path[-1]} = 9"], path
            assert len(lines(after)[0]) == 1, path
        elif isinstance(old, dict):
            old["new"] = 9
            after = changes.put(NESTED, (*path, "new"), 9, format="toml")
            assert lines(after) == ([], [*(["[a.q]"] if path[-1] == "q" else []), "new = 9"]), path
        else:
            old.append({"new": 9})
            after = changes.put(NESTED, (*path, len(old) - 1, "new"), 9, format="toml")
            assert lines(after) == ([], [f"[[{'.'.join(map(str, path[::2]))}]]", "new = 9"]), path
        assert tomllib.loads(after) == wanted, path
        del inside(gone, path[:-1])[path[-1]]
        after = changes.drop(NESTED, path, format="toml")
        assert tomllib.loads(after) == gone, path
        assert all(line.endswith(("]", "{}", "[]")) for line in lines(after)[1]), path


def every_path(node: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    steps = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for step, item in steps:
        yield from every_path(item, (*path, step))


@pytest.mark.parametrize("block", range(4))
def test_generated_texts(block: int) -> None:
    """`changes` checks that the text says what was meant; here, that few lines differ."""
    done = 0
    for seed in range(block * 60, block * 60 + 60):
        source = random.Random(seed)
        text = toml_text(seed)
        try:
            paths = list(every_path(tomllib.loads(text)))[1:]
        except tomllib.TOMLDecodeError:
            continue
        for _ in range(4 if paths else 0):
            path = source.choice(paths)
            if source.random() < 0.5:
                path = (*path, source.choice(["new", "k y", 99]))
            value = source.choice(["x", "q\"'", "a\nb", 1, 2.5, True, None, [1, "a"], {"a": 1}, {}])
            try:
                if source.random() < 0.3:
                    after = changes.drop(text, path, format="toml")
                else:
                    after = changes.put(text, path, value, format="toml")
                    removed, _ = changed_lines(text, after)
                    kept = set(text.splitlines()) - set(removed)
                    assert kept <= set(after.splitlines())
            except (PathNotFoundError, EmitError) as error:
                assert "without changing something else" not in str(error)  # noqa: PT017
            else:
                done += 1
    assert done > 100


@pytest.mark.parametrize(
    ("text", "path", "after"),
    [
        (
            "[c]\nx = 1\n\n# d\n[[c.d]]\ny = 1\n\n[[c.d]]\n[[c.d.e]]\nz = 2\n[f]\n",
            "c.d",
            "[c]\nx = 1\n\n# d\n[f]\n",
        ),
        ("[[c]]\n[[c.d]]\n[[c.d]]\nz = 1\n[[c]]\n[[c.d]]\n", "c[0].d", "[[c]]\n[[c]]\n[[c.d]]\n"),
        ("[c]\n[c.d]\nx = 1\n[e]\n[c.d.f]\ny = 2\n", "c.d", "[c]\n[e]\n"),
    ],
)
def test_tables_with_their_own_headers_are_removed(text: str, path: str, after: str) -> None:
    assert changes.drop(text, parse(path), format="toml") == after
    assert changes.put(text, parse(path), 5, format="toml").count("d = 5\n") == 1


V = "[[v]]\nb = 1\n[[v.w]]\nx = 1\n[u]\nc = 1\n"


@pytest.mark.parametrize(
    ("text", "path", "after"),
    [
        ("[[v]]\na = 1\n\n# c\n[u]\n", "v[0]", "[[v]]\nn = 5\nm = [1]\n\n# c\n[u]\n"),
        ("[[v]]", "v[0]", "[[v]]\nn = 5\nm = [1]\n"),
        (f"{V}[[v]]\n", "v[0]", "[[v]]\nn = 5\nm = [1]\n[u]\nc = 1\n[[v]]\n"),
        ("[[v]]\n[u]\n[[v.w]]\nx = 1\n[[v]]\n", "v[0]", "[[v]]\nn = 5\nm = [1]\n[u]\n[[v]]\n"),
        (f"{V}[[v]]\nb = 2\n", "v[0].w[1]", f"{V}\n[[v.w]]\nn = 5\nm = [1]\n\n[[v]]\nb = 2\n"),
        (f"{V}\n[[v]]\n", "v[0].w[1]", f"{V}\n[[v.w]]\nn = 5\nm = [1]\n\n[[v]]\n"),
    ],
)
def test_an_element_of_an_array_of_tables(text: str, path: str, after: str) -> None:
    assert changes.put(text, parse(path), {"n": 5, "m": [1]}, format="toml") == after
