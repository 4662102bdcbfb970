"""Whole sections of an INI text, put and dropped."""

from __future__ import annotations

import re
from typing import Any

import pytest
from generate import ini_text

from encconf import formats
from encconf.engine import changes
from encconf.errors import EmitError, EncconfError, PathNotFoundError
from encconf.text.path import Path

INI = """\
top = 0

; about s
[s]
a = 1   ; beside
# within
b: 2

; about t
[t]
c = 3
; at the end
"""


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("s", "top = 0\n\n; about t\n[t]\nc = 3\n; at the end\n"),
        ("t", "top = 0\n\n; about s\n[s]\na = 1   ; beside\n# within\nb: 2\n\n"),
        ("DEFAULT", INI.partition("\n\n")[2]),
    ],
)
def test_drop_a_section(name: str, left: str) -> None:
    assert changes.drop(INI, (name,), format="ini") == left


def test_no_such_section() -> None:
    with pytest.raises(PathNotFoundError):
        changes.drop(INI, ("u",), format="ini")


@pytest.mark.parametrize(
    ("name", "value", "old", "new"),
    [
        ("t", {"c": "4", "d": "5"}, "c = 3\n", "c = 4\nd = 5\n"),
        ("s", {"b": "x"}, "a = 1   ; beside\n# within\nb: 2\n", "# within\nb: x\n"),
    ],
)
def test_put_a_section(name: str, value: dict[str, str], old: str, new: str) -> None:
    assert changes.put(INI, (name,), value, format="ini") == INI.replace(old, new)


def test_put_a_new_section() -> None:
    assert changes.put(INI, ("u",), {"x": "1", "y": "2"}, format="ini") == INI + "\n[u]\nx = 1\ny = 2\n"


@pytest.mark.parametrize("value", [{}, {"x": {"y": "1"}}, {"x": ["1"]}])
def test_what_is_no_section(value: dict[str, object]) -> None:
    with pytest.raises(EmitError, match="INI has single values"):
        changes.put(INI, ("u",), value, format="ini")  # type: ignore[arg-type]


def test_a_value_that_looks_like_a_header() -> None:
    text = '[s]\na = """x\n[t]\ny"""\n[u]\nb = 1\n'
    assert changes.drop(text, ("s",), format="ini") == "[u]\nb = 1\n"


def test_put_into_an_empty_section() -> None:
    """The key goes below the header that is there."""
    assert changes.put("[s]\n\n[t]\n", ("s", "a"), 1, format="ini") == "[s]\na = 1\n\n[t]\n"
    assert changes.put("[s]", ("s", "a"), 1, format="ini") == "[s]\na = 1\n"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("; c\na = 1 ; d\n\n[s]\nb = 2\n", "; c\n\n[s]\nb = 2\n"),
        ("a = 1\r\n", ""),
        ("a = 1", ""),
        ("a = 1\nb = 2\n", "b = 2\n"),
        ("a = 1\n[DEFAULT]\nb = 2\n", "[DEFAULT]\nb = 2\n"),
        ("# c\n[DEFAULT]\n# d\na = 1\n# e\n[s]\n", "# c\n# d\n# e\n[s]\n"),
        ("a = 1\n[s]\n[DEFAULT]\n", "[s]\n"),
    ],
)
def test_the_last_key_before_the_first_section(text: str, left: str) -> None:
    assert changes.drop(text, ("DEFAULT", "a"), format="ini") == left


def test_the_last_of_several_sections_counts() -> None:
    text = "[s]\na = 1\n[t]\nb = 2\n[s]\na = 3\n[s]\nc = 4\n"
    assert changes.put(text, ("s", "a"), 5, format="ini") == text.replace("3", "5")
    assert changes.put(text, ("s", "d"), 5, format="ini") == text + "d = 5\n"
    assert changes.drop(text, ("s", "a"), format="ini") == "[s]\n[t]\nb = 2\n[s]\n[s]\nc = 4\n"


@pytest.mark.parametrize("key", ['a"b', "a`b"])
def test_a_key_that_needs_quotes_is_read_again(key: str) -> None:
    text = changes.put("[s]\nx = y\n", ("s", key), "z", format="ini")
    assert formats.get("ini").load_plain(text) == [{"s": {"x": "y", key: "z"}}]


def test_an_edit_changes_its_line_only() -> None:
    """A value keeps its quotes, and a new key has the delimiter of the key before it."""
    ini = formats.get("ini")
    done = 0
    for seed in range(120):
        text = ini_text(seed // 2, indented=bool(seed % 2))
        try:
            document = ini.scan(text)
        except EncconfError:
            continue
        indented = document.parts[0].indent > 0
        newline = "\r\n" if re.search(r"\A[^\n]*\r\n", text) else "\n"
        of_default = [s.head for s in document.scopes if s.step == "DEFAULT" and s.head >= 0]
        for leaf in document.leaves:
            path, head, tail = leaf.path, text[: leaf.start], text[leaf.end :]
            twins = [each for each in document.leaves if each.path == path]
            if leaf is not twins[-1]:
                continue
            quote = leaf.style if leaf.style in ("'", '"', "`", '"""') and not indented else ""
            blank = (
                " " if leaf.start == leaf.end and tail[:1] not in ("", "\r", "\n") and not indented else ""
            )
            left = head[: head.rfind("\n") + 1] + tail.partition("\n")[2]
            if path[0] == "DEFAULT" and sum(each.path[0] == "DEFAULT" for each in document.leaves) == 1:
                for at in reversed(of_default):
                    left = left[:at] + left[at:].partition("\n")[2]
            try:
                assert changes.put(text, path, "1", format="ini") == f"{head}{quote}1{quote}{blank}{tail}"
                assert len(twins) > 1 or changes.drop(text, path, format="ini") == left
                done += 1
            except EmitError:  # without it, the rules of configparser no longer apply
                assert leaf.style == " "
        for scope in {scope.step: scope for scope in document.scopes}.values():
            if scope.step is None:
                continue
            siblings = [each for each in document.leaves if each.scope is scope]
            above = siblings[-1].end if siblings else scope.head
            head, tail = text[:above], text[above:]
            line, end, rest = tail.partition("\n")
            sign = " = "
            if siblings:
                before = text[: siblings[-1].start]
                found = re.search(r"[ \t]*[=:][ \t]*\Z", before[before.rfind("\n") + 1 :])
                assert found is not None
                sign = found[0]
            wanted = f"{head}{line}{end or newline}new one{sign}1{newline}{rest}"
            assert changes.put(text, (str(scope.step), "new one"), "1", format="ini") == wanted
        gap = "" if not text or text.endswith("\n") else newline
        gap += newline if text.strip() else ""
        wanted = f"{text}{gap}[brand new]{newline}a b = 1{newline}"
        assert changes.put(text, ("brand new", "a b"), "1", format="ini") == wanted
    assert done > 300


@pytest.mark.parametrize(
    ("line", "value", "after"),
    [
        ("a = v ; x `y`", "a#b", 'a = """a#b""" ; x `y`'),
        ("a = 'v' # `", "#fff", 'a = """#fff""" # `'),
        ("a = `v` ; c", "a`b\nc", 'a = """a`b\nc""" ; c'),
        ("a = ; c", "#b", "a = `#b` ; c"),
        ("a =# c", "b", "a =b # c"),
        ("a = v ; C:\\", "x", "a = `x` ; C:\\"),
    ],
)
def test_the_comment_after_a_value_decides_its_quotes(line: str, value: str, after: str) -> None:
    for end in ("\n", "\n[t]\n", ""):
        assert changes.put(f"[s]\n{line}{end}", ("s", "a"), value, format="ini") == f"[s]\n{after}{end}"


BLOCKED = "a = 0\n; s\n[s]\na = 1\n\n[sops]\nx = 1\ny = [z]\n\n; t\n[t]\nb = 2\n"


@pytest.mark.parametrize(
    ("path", "value", "old", "new"),
    [
        (("s",), None, "; s\n[s]\na = 1\n\n", ""),
        (("t",), None, "; t\n[t]\nb = 2\n", ""),
        (("DEFAULT", "a"), None, "a = 0\n", ""),
        (("s", "a"), None, "a = 1\n", ""),
        (("t", "b"), None, "b = 2\n", ""),
        (("s", "b"), "9", "a = 1\n", "a = 1\nb = 9\n"),
        (("DEFAULT", "b"), "9", "a = 0\n", "a = 0\nb = 9\n"),
        (("t", "c"), "9", "b = 2\n", "b = 2\nc = 9\n"),
        (("u", "c"), "9", "b = 2\n", "b = 2\n\n[u]\nc = 9\n"),
        (("s",), {"b": "9"}, "a = 1\n", "b = 9\n"),
    ],
)
def test_the_block_stays_where_it_is(
    path: tuple[str, ...], value: str | dict[str, str] | None, old: str, new: str
) -> None:
    block = "\n[sops]\nx = 1\ny = [z]\n"
    for text in (BLOCKED, BLOCKED.replace(block, "") + block, block[1:] + BLOCKED.replace(block, "")):
        if text[0] == "[" and path[0] == "DEFAULT":
            continue  # the keys before the first header would be the block's
        wanted = text.replace(old, new)
        if path == ("u", "c"):
            wanted = text + "\n[u]\nc = 9\n"
        elif path == ("t",):  # with the empty line after it
            wanted = text.replace(old + "\n", "").replace(old, "")
        if value is None:
            after = changes.drop(text, path, format="ini")
        else:
            after = changes.put(text, path, value, format="ini")  # type: ignore[arg-type]
        assert after == wanted


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ((), "x"), (("s",), "x"), (("s", "k", "x"), "y"), (("", "k"), "x"), (("s", ""), "x"), ((1, "k"), "x"),
        (("s", 1), "x"), (("",), {"k": "x"}), (("s",), {"": "x"}), (("s", "k"), {}), (("s",), ["x"]),
        (("s",), []), (("s", "k"), {"x": "y"}),
    ],
)  # fmt: skip
def test_what_ini_cannot_hold(path: Path, value: Any) -> None:
    single = isinstance(value, str) or (path in (("",), ("s",)) and isinstance(value, dict))
    said = "a path in an INI file is a section and a key" if single else "INI has single values"
    with pytest.raises(EmitError, match=said):
        changes.put("[s]\nk = 1\n", path, value, format="ini")


def test_lines_by_the_rules_of_configparser() -> None:
    for newline in ("\n", "\r\n"):
        text = "[s]\na =\n  1\n  2\nb = 3\n; c\n[t]\n".replace("\n", newline)
        more = f"x{newline}    y"
        after = changes.put(text, ("s", "b"), "x\ny", format="ini")
        assert after == text.replace("3", more)
        assert changes.put(text, ("s", "c"), "x\ny", format="ini") == text.replace(
            "; c", f"c = {more}{newline}; c"
        )
        assert changes.put(text, ("t", "c"), "'", format="ini") == f"{text}c = '{newline}"
        assert changes.put(text, ("u", "c"), "x\ny", format="ini") == (
            f"{text}{newline}[u]{newline}c = {more}{newline}"
        )


def test_a_key_is_put_below_the_header_and_above_comments() -> None:
    text = "[s]\n; c\n; d\n\n[t]\n"
    assert changes.put(text, ("s", "a"), "1", format="ini") == text.replace("[s]\n", "[s]\na = 1\n")
    assert changes.put("; c\n", ("DEFAULT", "a"), "1", format="ini") == "; c\n\n[DEFAULT]\na = 1\n"
    assert changes.put("[s]\n", ("s", "a"), "x # y", format="ini") == "[s]\na = `x # y`\n"
