"""Awkward INI texts, with a fault, a comment, a block and a member at every place."""

from __future__ import annotations

import re

import pytest

from encconf import formats
from encconf.errors import ParseError
from encconf.text.document import Document, splice

format = formats.get("ini")

TEXTS = {
    "plain": "x = 1\n[a]\ny = 2\n\n[b]\nz = 3\n",
    "comments": "; c\n\n# d\n[a] ; e\n"
    "; f\nx = 1 ; g\n\n  # h\ny = 2\n; i\n\n[b]\n;\n; j\n#\nz = 'q' # k\n; l\n",
    "quotes": "[a]\nx = \"y\"\nz = '#'\nw = `v;`\nu = \"\"\"t\n; s\n[r]\n\"\"\"\nq = `p\no` ; n\n",
    "continued": "[a]\nx = y \\\n  z\\\nw\nv = u\\\n\n[b]\nt = s\\\n  r ; q\n",
    "indented": "  [a]\n    x = 1\n  y : 2\n\t; c\n\t[b]\n\tz=\n",
    "windows": "x = 1\r\n[a]\r\n; c\r\ny = 'z' ; d\r\n\r\nw = `v\r\nu`\r\n",
    "mark": "\ufeff[a]\nx = 1\n",
    "names": "[a b]\nx y = 1\n"
    "\"z=\" = 2\n`w:` : 3\n\"\"\"v\"\"\" = 4\n[a.b]\n[[c]]\n[d]]\nu = 5\n[a b]\nt = 6\n",
    "no end": "[a]\nx = 1",
    "only comments": "; a\n\n# b",
    "nothing": "",
}  # fmt: skip
EACH = pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)


def starts(text: str) -> list[int]:
    """Where a line begins outside of a value: the text above it means the same without the rest."""
    found = []
    for start in (text.startswith("\ufeff"), *(each.end() for each in re.finditer("\n", text))):
        try:
            above = values(format.scan(text[:start] or "\n"))
        except ParseError:
            continue
        if above == values(format.scan(text))[: len(above)] and not text[:start].rstrip("\r\n").endswith(
            "\\"
        ):
            found.append(start)
    return found


def lines_of(text: str) -> list[str]:
    return [line for line in text.split("\n") if line.strip()]


def values(document: Document) -> list[tuple[str | int, ...]]:
    return [(*leaf.path, (leaf.data or b"").decode()) for leaf in document.leaves]


FAULTS = [
    ("[q", 1, "no closing bracket"), ("  [q", 3, "no closing bracket"), ("[]", 1, "no name"),
    ("\t[]", 2, "no name"), ("q", 1, "neither = nor :"), ("q r", 1, "neither = nor :"),
    ("= q", 1, "no key"), (" : q", 2, "no key"), ("``=q", 1, "no key"), ('"q = 1', 1, "no closing quote"),
    (" `q = 1", 2, "no closing quote"), ('"q" 1', 1, "neither = nor :"), ("- = q", 1, "called -"),
    ("dup = 1\n\n dup = 2", 0, "the same key twice"), ("q = `r", 0, "no closing quote"),
]  # fmt: skip


@EACH
@pytest.mark.parametrize(("words", "column", "message"), FAULTS, ids=range(len(FAULTS)))
def test_a_fault_is_found_where_it_is(text: str, words: str, column: int, message: str) -> None:
    for start in starts(text):
        if "`" in text[start:] and words == "q = `r":
            continue
        line = text.count("\n", 0, start) + 1
        given = f"{text[:start]}{words}\n{text[start:]}"
        for block in ("", "\n[sops]\nx = 1\n"):
            with pytest.raises(ParseError, match=re.escape(message)) as caught:
                format.scan(given + block)
            if column:
                assert (caught.value.line, caught.value.column) == (line, column)
            elif message.endswith("twice"):
                assert (caught.value.line, caught.value.column) == (line + 2, 1)


@EACH
def test_a_comment_anywhere_changes_no_other(text: str) -> None:
    before = format.scan(text, comments=True)
    for start in starts(text):
        for words, said in ((";zz", "zz"), ("#  zz ", "zz"), ("\t; zz;", "zz;")):
            given = f"{text[:start]}{words}\n{text[start:]}"
            document = format.scan(given, comments=True)
            assert values(document) == values(before)
            texts = [each.text for each in document.comments]
            places = [each.start for each in document.comments]
            assert places == sorted(places)
            assert "\n".join(texts).count(said) == 1
            assert all(given[each.start : each.end] == each.text for each in document.comments)
            assert (
                len(re.findall(r"[^\s;#]+", " ".join(texts)))
                == len(re.findall(r"[^\s;#]+", " ".join(each.text for each in before.comments))) + 1
            )


BLOCK = "[sops]\nx = 1\ny = a\\nb\n"


@EACH
def test_a_block_before_any_section_is_found_and_removed(text: str) -> None:
    for start in starts(text):
        if not re.match(r"\s*(\[|\Z)", text[start:]):
            continue
        block = BLOCK.replace("\n", "\r\n") if "\r" in text else BLOCK
        given = text[:start] + block + text[start:]
        document = format.scan(given, comments=True)
        assert document.block == {"x": "1", "y": "a\nb"}
        assert document.block_text == BLOCK
        assert values(document) == values(format.scan(f"{text}\n{BLOCK}"))  # read as sops reads it
        without = splice(given, format.detach(document))
        assert lines_of(without) == lines_of(text)
        again = splice(given, format.attach(document, BLOCK.replace("1", "2")))
        assert again == given.replace(block, block.replace("1", "2"))


@pytest.mark.parametrize(
    "last", ["x = 1", "x =", "x = ", "x = 'y' ; c", 'x = """y\nz"""', "x = `y` # c", "x = y\\\n z"]
)
@pytest.mark.parametrize("end", ["", "\n"])
def test_a_block_ends_with_its_last_member(last: str, end: str) -> None:
    for above in ("", "[a]\nb = 1\n"):
        for below in ("", "; d\n", "\n[c]\nd = 2\n") if end else ("",):
            document = format.scan(f"{above}[sops]\n{last}{end}{below}")
            assert document.parts[0].block == (len(above), len(f"{above}[sops]\n{last}{end}"))
