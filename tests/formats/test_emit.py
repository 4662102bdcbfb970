"""Values written in another format, as sops writes them."""

from __future__ import annotations

from typing import Any

import pytest

from encconf import formats
from encconf.errors import EmitError
from encconf.formats import emit
from encconf.formats.json import word_of_leaf
from encconf.text.document import Value

YAML = "# top\na: 1  # one\nb:\n  # in\n  c: [x, true, 1.5]\n  # end\nd: []\ne: {}\n"
DOTENV = "# top\nA=1 # no\nB=a\\nb\n# end\n"
INI = "; s\n[s]\n; k\na = 1 ; i\nb = x y\n[t]\nlong = z\n"


def rendered(text: str, source: str, target: str, indent: int | None = None) -> str:
    return emit.render(emit.trees_of(formats.get(source).scan(text, comments=True)), target, indent=indent)


@pytest.mark.parametrize(
    ("source", "text", "target", "expected"),
    [
        (
            "yaml",
            YAML,
            "yaml",
            "# top\na: 1 # one\nb:\n    # in\n    c:\n        - x\n        - true\n        - 1.5\n"
            "    # end\nd: []\ne: {}\n",
        ),
        (
            "yaml",
            YAML,
            "json",
            '{\n\t"a": 1,\n\t"b": {\n\t\t"c": [\n\t\t\t"x",\n\t\t\ttrue,\n\t\t\t1.5\n\t\t]\n\t},\n'
            '\t"d": [],\n\t"e": {}\n}\n',
        ),
        (
            "yaml",
            YAML,
            "toml",
            '# top\na = 1 # one\nd = []\n\n[b]\n# in\nc = ["x", true, 1.5]\n# end\n\n[e]\n',
        ),
        ("yaml", "t:\n- a: 1\n- # x\n  a: 2\n", "toml", "[[t]]\na = 1\n\n[[t]]\n# x\na = 2\n"),
        ("yaml", "a:\n  - 1 # one\n  # end\nb: 2\n", "yaml", "a:\n    - 1 # one\n    # end\nb: 2\n"),
        ("dotenv", DOTENV, "yaml", "# top\nA: '1 # no'\nB: |-\n    a\n    b\n# end\n"),
        ("dotenv", DOTENV, "dotenv", DOTENV),
        ("dotenv", DOTENV, "toml", '# top\nA = "1 # no"\nB = """\na\nb"""\n# end\n'),
        ("ini", INI, "ini", "; s\n[s]\n; i\n; k\na = 1\nb = x y\n\n[t]\nlong = z\n"),
        ("ini", INI, "yaml", 's:\n    #s\n    a: "1"\n    #k\n    #i\n    b: x y\nt:\n    long: z\n'),
        ("yaml", "s: {k: 1, long: 'a;b', n: null}\n", "ini", "[s]\nk    = 1\nlong = `a;b`\nn    = <nil>\n"),
        ("yaml", "a: 2024-01-02\nb: 1e6\nc: null\n", "dotenv", "a=2024-01-02T00:00:00Z\nb=1E+06\nc=<nil>\n"),
        ("json", '{"data": "x\\ny"}', "binary", "x\ny"),
        ("json", '{"a": "<&>\u2028"}', "json", '{\n\t"a": "\\u003c\\u0026\\u003e\\u2028"\n}\n'),
        ("json", "{}", "yaml", "{}\n"),
    ],
)
def test_render(source: str, text: str, target: str, expected: str) -> None:
    assert rendered(text, source, target) == expected


def test_indentation() -> None:
    assert rendered("a: {b: [1]}\n", "yaml", "yaml", 2) == "a:\n  b:\n    - 1\n"
    assert rendered("a: {b: 1}\n", "yaml", "json", 2) == '{\n  "a": {\n    "b": 1\n  }\n}\n'


def test_every_document_of_a_stream() -> None:
    assert rendered("a: 1\n---\nb: 2\n", "yaml", "yaml") == "a: 1\n---\nb: 2\n"
    assert rendered("a: 1\n---\nb: 2\n", "yaml", "dotenv") == "a=1\n"
    assert rendered("a: 1\n---\nb: 2\n", "yaml", "json") == '{\n\t"a": 1\n}\n'


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("a: {b: 1}\n", "dotenv"),
        ('"a\\nb": 1\n', "dotenv"),
        ("a: 1\n", "ini"),
        ("a: {b: {c: 1}}\n", "ini"),
        ("a: null\n", "toml"),
        ("a: .nan\n", "json"),
        ("a: -.inf\n", "json"),
        ("a: x\n", "binary"),
        ("data: 5\n", "binary"),
        ("data: x\n---\ndata: y\n", "binary"),
        ("a: x\n", "xml"),
    ],
)
def test_what_a_format_cannot_hold(text: str, target: str) -> None:
    with pytest.raises(EmitError):
        rendered(text, "yaml", target)


@pytest.mark.parametrize(("target", "indent"), [("yaml", -1), ("json", -2)])
def test_an_indentation_below_zero(target: str, indent: int) -> None:
    with pytest.raises(EmitError):
        rendered("a: 1\n", "yaml", target, indent)


@pytest.mark.parametrize(
    ("key", "format", "expected"),
    [
        ("s", "yaml", "a #b"),
        ("s", "ini", "a #b"),
        ("n", "yaml", "5\n"),
        ("n", "json", "5\n"),
        ("n", "toml", "5\n"),
        ("l", "yaml", "- 1\n- x\n"),
        ("l", "json", '[\n\t1,\n\t"x"\n]\n'),
        ("l", "toml", '[1, "x"]\n'),
        ("e", "yaml", "[]\n"),
        ("m", "yaml", "k: v\n"),
        ("m", "json", '{\n\t"k": "v"\n}\n'),
        ("m", "dotenv", "k=v\n"),
    ],
)
def test_value(key: str, format: str, expected: str) -> None:
    tree = emit.trees_of(formats.get("yaml").scan("s: 'a #b'\nn: 5\nl: [1, x]\ne: []\nm: {k: v}\n"))[0]
    said = emit.value(tree[key], format)
    assert said.removesuffix("\n") == expected.removesuffix("\n")


@pytest.mark.parametrize("key", ["n", "l"])
def test_only_strings_in_dotenv(key: str) -> None:
    tree = emit.trees_of(formats.get("yaml").scan("n: 5\nl: [1]\n"))[0]
    with pytest.raises(EmitError, match="dotenv files hold strings"):
        emit.value(tree[key], "dotenv")


@pytest.mark.parametrize(
    ("type", "data", "text", "json", "plain"),
    [
        ("null", None, "<nil>", "null", None),
        ("bool", b"True", "true", "true", True),
        ("bool", b"false", "false", "false", False),
        ("int", b"5", "5", "5", 5),
        ("float", b"1", "1.0", "1", 1.0),
        ("float", b"1000000", "1E+06", "1000000", 1e6),
        ("float", b"1e-7", "1E-07", "1e-7", 1e-7),
        ("float", b"1e21", "1E+21", "1e+21", 1e21),
        (
            "time",
            b"2001-01-01T00:00:00.5Z",
            "2001-01-01T00:00:00Z",
            '"2001-01-01T00:00:00.5Z"',
            "2001-01-01T00:00:00.5Z",
        ),
        ("str", "é\n".encode(), "é\n", '"é\\n"', "é\n"),
    ],
)
def test_single_values(type: str, data: bytes | None, text: str, json: str, plain: object) -> None:
    leaf = Value(type, data)
    assert (emit.text(leaf), word_of_leaf(leaf), emit.plain_value(leaf)) == (text, json, plain)


def test_bytes_that_are_no_text() -> None:
    leaf = Value("str", b"s3cr\xff")
    assert word_of_leaf(leaf) == '"s3cr\\ufffd"'
    assert word_of_leaf(Value("str", b"\xe2\x82x")) == '"\\ufffd\\ufffdx"'  # as Go, for each byte
    for said in (emit.text, emit.plain_value):
        with pytest.raises(EmitError) as caught:
            said(leaf)
        assert "s3cr" not in str(caught.value)


def test_comments_that_sops_stores_as_items() -> None:
    document = formats.get("yaml").scan("l:\n- c\n- 1\n- d\n")
    document.leaves[0].type = document.leaves[2].type = "comment"
    assert emit.render(emit.trees_of(document), "yaml") == "l:\n    #c\n    - 1\n    #d\n"


def test_flat_and_plain() -> None:
    tree = emit.trees_of(formats.get("yaml").scan("a: {b: [1, x]}\nc: true\n"))[0]
    assert [(path, emit.text(leaf)) for path, leaf in emit.flat(tree)] == [
        (("a", "b", 0), "1"),
        (("a", "b", 1), "x"),
        (("c",), "true"),
    ]
    assert emit.plain_of(tree) == {"a": {"b": [1, "x"]}, "c": True}


def test_items_with_their_comments() -> None:
    node = {"a": 1, "b": 2}
    assert emit.items_of(node) == [("a", 1, []), ("b", 2, [])]
    before, end = [(" x", False)], [(" y", True)]
    commented = emit.CommentedDict(node, {"b": before, None: end})
    assert emit.items_of(commented) == [("a", 1, []), ("b", 2, before), (None, None, end)]
    assert emit.items_of([7]) == [(0, 7, [])]
    assert emit.items_of({}) == []


def test_comments_above_and_after() -> None:
    comments = [(" a", False), (" b", True)]
    assert emit.lines_above(comments, "key") == ["# a"]
    assert emit.lines_above(comments, None) == ["# a", "# b"]
    assert emit.text_after(comments) == " # b"


def test_every_line_of_a_comment_is_one() -> None:
    assert emit.comment_lines("") == ["#"]
    assert emit.comment_lines("a\nb\n#c\r\n\n\u2028d\x85") == ["#a", "# b", "#c", "# d"]


NAMED = "db:\n  host: h\n  user-name: null\n  ports: [1, 2]\nÄ: x\n'9': y\n'': z\n"


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({}, ["DB_HOST", "DB_PORTS_0", "DB_PORTS_1", "_", "_9", None]),
        ({"prefix": "p-"}, ["P_DB_HOST", "P_DB_PORTS_0", "P_DB_PORTS_1", "P__", "P_9", "P_"]),
        (
            {"nested_separator": "__", "prefix": "x"},
            ["XDB__HOST", "XDB__PORTS__0", "XDB__PORTS__1", "X_", "X9", "X"],
        ),
        ({"keep_case": True, "prefix": "q"}, ["qdb_host", "qdb_ports_0", "qdb_ports_1", "q_", "q9", "q"]),
        ({"section": "db"}, ["HOST", "PORTS_0", "PORTS_1"]),
    ],
)
def test_names_of_variables(options: dict[str, Any], names: list[str | None]) -> None:
    trees = emit.trees_of(formats.get("yaml").scan(NAMED + "---\n# no values\n"))
    naming = emit.Naming(**options)
    if names[-1] is None:
        with pytest.raises(EmitError, match="has an empty key") as caught:
            naming.values(trees)
        assert caught.value.hint == "add a prefix: --prefix PREFIX"
        del trees[0][""], names[-1]
    found = naming.values(trees)
    assert list(found) == names
    host, *_ = found.values()
    assert (host[0], emit.text(host[1])) == (("db", "host"), "h")


def test_names_of_variables_that_cannot_be() -> None:
    scan = formats.get("yaml").scan
    for text, options, said in (
        ("a: {b: 1}\na_b: 2\n", {}, "a.b and a_b would both be named A_B"),
        ("a: {b: 1}\nx: {B: 1}\n", {"section": "a.b"}, "a.b is not a mapping"),
        ("a: [1]\n", {"section": "a"}, "a is not a mapping"),
        ("a: {A: 1, a: 2}\n", {"section": "a"}, "a.A and a.a would both be named A"),
        ("a: 1\n---\nb: 1\n", {}, "the file has 2 documents, not one"),
        ("a: {'': 1}\n", {"section": "a"}, 'a[""] has an empty key, which cannot be the name of a variable'),
    ):
        with pytest.raises(EmitError) as caught:
            emit.Naming(**options).values(emit.trees_of(scan(text)))  # type: ignore[arg-type]
        assert str(caught.value) == said
    assert list(emit.Naming(keep_case=True).values(emit.trees_of(scan("a: 1\nA: 2\n")))) == ["a", "A"]


def test_several_documents_in_a_format_that_holds_one() -> None:
    trees = emit.trees_of(formats.get("yaml").scan("a: 1\n---\nb: 2\n---\n"))
    with pytest.raises(EmitError, match="json holds one document, but this file has 3"):
        emit.refuse_several(trees, "json")
    for several, format in (
        (trees, "yaml"),
        (trees, "ini"),
        (trees[:1], "json"),
        (trees[1:], "json"),
        ([], "json"),
    ):
        emit.refuse_several(several, format)


def test_the_largest_indentation() -> None:
    assert rendered("a: {b: 1}\n", "yaml", "json", emit.MAX_INDENT).splitlines()[1] == " " * 100 + '"a": {'
    for read in (emit.render, emit.value):
        with pytest.raises(EmitError, match="more than 100 characters"):
            read([], "yaml", indent=emit.MAX_INDENT + 1)
        with pytest.raises(EmitError) as caught:
            read([], "xml")
        assert str(caught.value) == "values cannot be written as xml"
        assert caught.value.hint == "possible formats: yaml, json, dotenv, ini, toml, binary"


def test_a_value_that_json_cannot_hold() -> None:
    for data in (b"+Inf", b"-Inf", b"NaN"):
        with pytest.raises(EmitError, match="infinite or NaN"):
            emit.plain_value(Value("float", data))


def test_comments_are_where_they_were() -> None:
    """With comments that sops stored as items of a sequence, and with those of an opened document."""
    text = "l:\n- c\n# one\n- 1 # beside\n- d\n- 2\n# end\nm:\n  # k\n  k: 1\n  # last\n"
    document = formats.get("yaml").scan(text, comments=True)
    document.leaves[0].type = document.leaves[2].type = "comment"
    (tree,) = emit.trees_of(document)
    assert emit.items_of(tree["l"]) == [
        (0, tree["l"][0], [("c", False), (" one", False), (" beside", True)]),
        (1, tree["l"][1], [("d", False)]),
    ]
    (tree,) = emit.trees_of(document, comments=[])
    assert emit.items_of(tree["m"]) == [("k", tree["m"]["k"], [])]
    values = [Value("int", b"%d" % number) for number in range(5)]
    (tree,) = emit.trees_of(document, values)
    assert [item.data for item in tree["l"]] == [b"0", b"1", b"2", b"3"]
    assert emit.trees_of(formats.scan_any("", "yaml")) == [{}]
