"""Leaves with exact spans, and the splice that turns edits back into a text."""

from __future__ import annotations

import pytest

from encconf import formats
from encconf.errors import EmitError, LimitError
from encconf.text import document as model
from encconf.text.document import (
    Comment,
    Document,
    Leaf,
    Prepared,
    Scope,
    UnsealedComment,
    Value,
    has_crlf,
    position,
    splice,
)


def scoped() -> tuple[Scope, Scope]:
    """A mapping with a list in it."""
    root = Scope()
    return root, root.inside("ä", listed=True)


def test_paths_have_indexes_and_what_is_authenticated_has_none() -> None:
    root, inside = scoped()
    item, member = Leaf(inside, 0, 0, 1, "", "int", b"1"), Leaf(root, "b", 2, 3, "", "int", b"2")
    assert (item.path, item.aad) == (("ä", 0), "ä:".encode())
    assert (member.path, member.aad) == (("b",), b"b:")
    deeper = inside.inside(3)
    assert (deeper.path, deeper.keys, deeper.aad) == (("ä", 3), ("ä",), "ä:")


def test_the_root_of_a_scope() -> None:
    root, inner = scoped()
    assert inner is not root
    assert root.root is inner.root is root


def test_bytes_of_a_key_that_are_no_text_are_authenticated_as_they_are() -> None:
    root, _ = scoped()
    assert Leaf(root, "\udcff", 0, 1, "", "str", b"").aad == b"\xff:"


def test_what_a_document_says_follows_from_its_items() -> None:
    root, inside = scoped()
    one, null = Leaf(inside, 0, 0, 1, "", "int", b"1"), Leaf(root, "b", 2, 3, "", "null", None)
    second = Scope()
    document = Document("1 2", formats.get("yaml"))
    document.items = [root, inside, one, null, second, second.inside("c")]
    assert model.content_of(document) == [{"ä": [("int", b"1")], "b": ("null", None)}, {"c": {}}]
    assert document.leaves == [one, null]
    assert document.roots == [root, second]
    assert document.outline == ["%", "[ä", "-", "}", ".b", "%", "{c", "}"]
    assert model.filled(document.items, [model.OMITTED, 2])[0] == [{"ä": [], "b": 2}, {"c": {}}]


def test_a_collection_that_continues_another_is_the_same_mapping() -> None:
    root = Scope()
    first = root.inside("s")
    again = root.inside("s", again=first)
    document = Document("", formats.get("ini"))
    document.items = [root, first, Leaf(first, "a", 0, 0, "", "str", b"1"), again]
    document.items.append(Leaf(again, "b", 0, 0, "", "str", b"2"))
    assert model.filled(document.items, [1, 2])[0] == [{"s": {"a": 1, "b": 2}}]
    assert document.outline == ["%", "{s", ".a", "}", "{s", ".b", "}"]


def test_of_two_values_with_one_key_the_last_one_counts() -> None:
    root = Scope()
    first, last = root.inside("a"), root.inside("a")
    document = Document("", formats.get("json"))
    document.items = [root, first, Leaf(first, "x", 0, 0, "", "str", b"1"), last]
    document.items.append(Leaf(last, "y", 0, 0, "", "str", b"2"))
    assert model.filled(document.items, [1, 2])[0] == [{"a": {"y": 2}}]


@pytest.mark.parametrize(
    ("edits", "after"),
    [
        ([], "one two three"),
        ([(4, 7, "2")], "one 2 three"),
        ([(8, 13, ""), (0, 3, "1")], "1 two "),  # in any order
        ([(0, 0, ">"), (13, 13, "<")], ">one two three<"),
        ([(3, 4, ""), (4, 7, "")], "one three"),
    ],
)
def test_a_splice_changes_the_spans_and_nothing_else(edits: list[tuple[int, int, str]], after: str) -> None:
    assert splice("one two three", edits) == after


def test_spans_that_overlap_are_a_mistake_of_ours() -> None:
    with pytest.raises(AssertionError, match="overlapping edits"):
        splice("one two three", [(0, 5, "x"), (4, 7, "y")])


@pytest.mark.parametrize(
    ("offset", "place"), [(0, (1, 1)), (3, (1, 4)), (4, (2, 1)), (6, (3, 1)), (8, (3, 3))]
)
def test_line_and_column_of_an_offset(offset: int, place: tuple[int, int]) -> None:
    assert position("one\n\r\nab", offset) == place


def test_long_paths_are_a_bomb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "MAX_PATHS", 100)
    root, _ = scoped()
    long = root.inside("k" * 60)
    document = Document("x", formats.get("yaml"))
    document.items = [Leaf(long, "a", 0, 1, "", "int", b"1")]
    model.limit_paths(document)
    assert model.add_path(0, long) == 61
    document = Document("x", formats.get("yaml"))
    document.items = [Leaf(long, "a", 0, 1, "", "int", b"1")] * 2
    with pytest.raises(LimitError, match="keys on the paths"):
        model.limit_paths(document)
    monkeypatch.setattr(model, "MAX_PATHS", 2 * 61 - model.PATHS_PER_CHARACTER)
    model.limit_paths(document)
    monkeypatch.setattr(model, "MAX_PATHS", 100)
    with pytest.raises(LimitError, match="keys on the paths"):
        model.add_path(40, long)


def test_long_numbers() -> None:
    text = "a: " + "1" * (model.MAX_DIGITS + 1)
    model.limit_digits(text, 3, len(text) - 1)
    with pytest.raises(LimitError, match="line 1, column 4: a number has more than"):
        model.limit_digits(text, 3, len(text))


def test_how_many_slow_items_a_text_may_hold_grows_with_it() -> None:
    assert model.most_items("") == model.MAX_DENSE
    assert model.most_items("x" * model.DENSITY * 5) == model.MAX_DENSE + 5
    assert model.most_items("x" * model.DENSITY * model.MAX_ITEMS) == model.MAX_ITEMS


def test_lines_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "MAX_DENSE", 3)
    for text, breaks in (
        ("a\n" * 3, "\n"),
        ("a\r\n" * 3, "\n"),
        ("a\r\n" * 3, "\r\n"),
        ("a\r\nb\rc\n", "\r\n"),
    ):
        model.limit_lines(text, breaks)
    for text, breaks in (
        ("a\n" * 4, "\n"),
        ("a\r\n" * 4, "\r\n"),
        ("a\rb\nc\r\nd\r", "\r\n"),
        ("\n\r" * 3, "\r\n"),
    ):
        with pytest.raises(LimitError, match="more than 3 lines"):
            model.limit_lines(text, breaks)


def test_lines_of_one_value_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "MAX_DENSE", 3)
    monkeypatch.setattr(model, "DENSITY", 1000)
    for text, breaks in (
        ("a\nb\n" * 4, "\n"),
        ("#\r\na\r\n\r\n" + "b\r\n" * 5, "\r\n"),
        ("a\n #\nb\n \nc", "\n"),
    ):
        model.limit_lines(text, breaks, signs="#")
    for text, breaks in (("#\n" * 4, "\n"), (" \t\r\n" * 4, "\r\n"), ("\n#\r\r;\n\n", "\r\n")):
        with pytest.raises(LimitError, match="more than 3 lines"):
            model.limit_lines(text, breaks, signs="#;")
    monkeypatch.setattr(model, "MAX_ITEMS", 5)
    with pytest.raises(LimitError):
        model.limit_lines("a\n" * 6, signs="#")


@pytest.mark.parametrize(
    ("format", "text"),
    [
        ("yaml", "a: |\n" + "  x\n" * 300_000),
        ("yaml", 'a: "' + "x\n " * 300_000 + '"\n'),
        ("toml", 'a = """\n' + "x\n" * 300_000 + '"""\n'),
        ("ini", '[s]\na = """' + "x\n" * 300_000 + '"""\n'),
    ],
)
def test_a_value_of_many_lines_is_read(format: str, text: str) -> None:
    assert len(formats.get(format).scan(text, comments=True).leaves) == 1


def test_sections_and_keys_of_ini_are_limited() -> None:
    for text in ("[s]\na=1\n" * 90_000, "[s]\n" + "".join(f"{n}=\n" for n in range(200_000))):
        with pytest.raises(LimitError, match="values and collections"):
            formats.get("ini").scan(text)


def test_a_function_of_each_single_value() -> None:
    assert model.mapped({"a": [1, {"b": None}], "c": {}}, str) == {"a": ["1", {"b": "None"}], "c": {}}
    assert model.mapped(5, str) == "5"


@pytest.mark.parametrize(
    ("text", "crlf"),
    [("a: 1\r\nb: 2\r\n", True), ("a: 1\r\n", True), ("a: 1\r\nb: 2\n", False), ("a: 1", False), ("", False)],
)
def test_line_breaks_of_the_whole_file(text: str, crlf: bool) -> None:
    assert has_crlf(text) is crlf


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ((), (0, {"a": [1, {"b": None}], "c": "x"})),
        (("a", 1, "b"), (3, None)),
        (("a", -2), (2, 1)),
        (("a", 2), (1, [1, {"b": None}])),
        (("a", -3), (1, [1, {"b": None}])),
        (("a", "b"), (1, [1, {"b": None}])),
        (("d", 0), (0, {"a": [1, {"b": None}], "c": "x"})),
        ((0,), (0, {"a": [1, {"b": None}], "c": "x"})),
        (("c", 0), (1, "x")),
    ],
)
def test_a_path_is_followed_as_far_as_it_is_there(path: tuple[str | int, ...], found: object) -> None:
    assert model.reached({"a": [1, {"b": None}], "c": "x"}, path) == found


def test_a_format_must_say_how_it_reads_and_writes() -> None:
    bare = model.Format()
    document = Document("", bare)
    leaf = Leaf(Scope(), "a", 0, 0, "", "str", b"")
    for call in (
        lambda: bare.scan(""),
        lambda: bare.sealed(document, leaf, ""),
        lambda: bare.literal(document, leaf, "str", b""),
        lambda: bare.render_block({}),
        lambda: bare.attach(document, ""),
        lambda: bare.detach(document),
        lambda: bare.python_value("str", b""),
    ):
        with pytest.raises(NotImplementedError):
            call()


def test_what_is_so_in_a_format_that_says_nothing_else() -> None:
    bare = model.Format()
    document = Document("ab", bare)
    leaf = Leaf(Scope(), "a", 0, 1, "", "str", b"x", note="n")
    assert bare.comment(document, leaf, b"c", alone=True) == (0, 1, "")
    assert (bare.token(leaf), bare.region(document, leaf)) == (("str", b"x"), (0, 1))
    assert bare.located(document, ("a",)) == [("a",)]
    assert bare.unsettled(("a",), ("a",), 5) == 5
    assert (bare.has_entry(b"sops"), bare.from_entry(b"sops"), bare.inherited(document)) == (False, None, {})
    assert bare.shows_types(document, []) is bare.movable(document) is bare.tells_integers(document) is True
    assert bare.fragile(leaf) is False
    for none in (bare.prepare(document, bytearray()), bare.respelled(document, leaf), bare.comment_text("c"),
                 bare.unclosed(document, leaf), bare.caveat(leaf)):  # fmt: skip
        assert none is None
    bare.name = "bare"
    for written, said in (
        (lambda: bare.render([], None), "values cannot be written as bare"),
        (lambda: bare.render_value([], None), "bare files hold strings, not a list"),
        (
            lambda: bare.render_value(Value("int", b"1"), None),
            "bare files hold strings, not a value of type int",
        ),
    ):
        with pytest.raises(EmitError) as caught:
            written()
        assert str(caught.value) == said


def test_a_decrypted_comment_is_where_it_was() -> None:
    root, _ = scoped()
    comment = UnsealedComment(Comment(root, "ENC[]", 1, 6, "ä"), "said", misplaced=True)
    assert (comment.scope, comment.text, comment.start, comment.end, comment.before) == (
        root,
        "said",
        1,
        6,
        "ä",
    )
    assert (comment.sealed, comment.misplaced) == ("ENC[]", True)
    assert (Comment(root, "", 0, 0, None).sealed, Comment(root, "", 0, 0, None).misplaced) == (None, False)


def test_a_decrypted_value_keeps_its_ciphertext() -> None:
    value = Value("str", b"x")
    assert value.sealed is None
    assert value.replaced("int", b"1").sealed == ""
    opened = model.Unsealed("str", b"x", b"ENC[]\n")
    assert (opened.sealed, opened.replaced("int", b"1").sealed) == ("ENC[]", "ENC[]")
    assert (opened.replaced("int", b"1").type, opened.replaced("int", b"1").data) == ("int", b"1")


def test_what_a_scan_has_not_found_is_nowhere() -> None:
    part = model.Part(3)
    assert (part.start, part.end, part.indent, part.close, part.block, part.pieces) == (
        3,
        3,
        0,
        None,
        None,
        [],
    )
    leaf = Leaf(Scope(), "a", 0, 1, "", "str", b"x")
    assert (leaf.head, leaf.sign, leaf.note, leaf.scope.places) == (-1, -1, None, (-1, -1, -1, -1))


def test_collections_in_brackets() -> None:
    document = formats.get("yaml").scan("a: {b: [1]}\nc:\n- 1\n")
    assert [scope.path for scope in document.flows] == [("a",), ("a", "b")]
    document = formats.get("json").scan('{"a": {"b": [1]}}')
    assert document.flows == document.scopes


def test_the_original_spelling_is_where_the_new_one_is() -> None:
    text = "one two three four five"
    edits = [(4, 7, "2"), (14, 18, "fourth"), (19, 23, "")]
    others = [(0, 3, "eins"), (8, 9, ""), (13, 13, "!")]
    prepared = Prepared.edited(text, edits, others)
    assert prepared.text == "eins 2 hree! fourth "
    found = {prepared.text.index(new) if new else len(prepared.text): text[at:end] for at, end, new in edits}
    assert prepared.originals == found == {5: "two", 13: "four", 20: "five"}


@pytest.mark.parametrize(
    ("text", "newline"),
    [
        ("", "\n"),
        ("a", "\n"),
        ("\n\r\n", "\n"),
        ("a\r\nb\n", "\r\n"),
        ("\r\n", "\r\n"),
        ("\na\r", "\n"),
        ("b\r", "\n"),
    ],
)
def test_the_first_line_break(text: str, newline: str) -> None:
    assert model.newline_of(text) == newline


@pytest.mark.parametrize(
    ("edits", "together"),
    [
        ([], False),
        ([(3, 5, ""), (0, 3, "")], False),
        ([(3, 5, ""), (0, 4, "")], True),
        ([(3, 3, "x"), (3, 3, "y"), (3, 4, "")], False),
        ([(0, 9, ""), (3, 3, "")], True),
    ],
)
def test_edits_that_overlap(edits: list[tuple[int, int, str]], together: bool) -> None:
    assert model.overlap(edits) is together


def test_the_block_of_each_document_is_loaded() -> None:
    yaml = formats.get("yaml")
    assert yaml.load_plain("a: 1\nsops: {b: 2}\n---\nc: 3\nsops: {d: 4}\n---\ne: 5\n") == [
        {"a": 1, "sops": {"b": 2}},
        {"c": 3, "sops": {"d": 4}},
        {"e": 5},
    ]


def test_the_entry_of_a_block() -> None:
    json = formats.get("json")
    assert json.from_entry(b'{"a": 1, "sops": {"b": 2}}') == b'{"sops": {"b": 2}}'
    assert json.from_entry(b'{"sops": 1, "sops": {"b": 2}}') is None
    assert json.from_entry(b"{}") is None
    dotenv = formats.get("dotenv")
    assert [found.start() for found in dotenv.entries(b"sops_a=1\nb=2\n export sops_c=3\nx sops_d=4")] == [
        0,
        13,
    ]
