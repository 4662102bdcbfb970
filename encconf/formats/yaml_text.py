"""How YAML is written: exact spans of leaves, ``ENC[…]`` texts and plaintexts.

The spans and styles come from `yaml_events` and `lines`.  Nothing here parses a document.
"""

from __future__ import annotations

import re

from encconf.errors import DecryptError
from encconf.formats import goyaml
from encconf.formats.yaml_words import (
    ALIAS,
    BREAK,
    DOUBLE,
    FLOW_ALIAS,
    FLOW_PLAIN,
    FOLDED,
    LITERAL,
    NEWLINE,
    PLAIN,
    SINGLE,
    Properties,
    binary,
    double,
    is_word,
    line_end,
    line_start,
    newline_of,
    plain,
    scalar,
    single,
    step_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from encconf.text.document import Document, Edit, Leaf


_BLOCK_HEADER = rf"([|>])([-+0-9]*)[ \t]*(#[^{BREAK}]*)?"
_BLANK_REST = rf"[ \t]*(?:[{BREAK}]|\Z)"
# Tags of a scalar's type.  go-yaml cannot apply them to an `ENC[…]` text, and sops would read a null.  So the
# encrypted text does not have them, and the layout record does.
_TYPE_TAG = r"(?:!!|!<tag:yaml\.org,2002:(?=.*>))(?:int|float|bool|null|timestamp|binary)>?"


def _habits(document: Document) -> tuple[str, int]:
    """Return a text's line break and by how many blanks it indents.  The document caches them."""
    if document.habits is None:
        document.habits = newline_of(document.text), step_of(document.text)
    return document.habits


def block_header(text: str, leaf: Leaf) -> tuple[re.Match[str], int, str]:
    """Return a block scalar's header, the offset of its first content line, and its line break."""
    header = re.compile(_BLOCK_HEADER).match(text, leaf.start)
    assert header is not None
    newline = re.compile(NEWLINE).search(text, header.end())
    if newline is None or newline.start() > leaf.end:
        return header, leaf.end, "\n"
    return header, newline.end(), newline.group()


def _content_indent(text: str, leaf: Leaf, header: re.Match[str], content: int) -> int | None:
    """Return the indentation of a block scalar's content, or None if all its lines are blank."""
    for line in re.compile(NEWLINE).split(text[content : leaf.end]):
        stripped = line.lstrip(" ")
        if stripped.strip(" \t"):
            indent = len(line) - len(stripped)
            if any(char.isdigit() for char in header.group(2)):
                # With an indentation indicator, the value's first line may begin with blanks.
                if leaf.sealed is not None or leaf.data is None:
                    return indent  # the line is an `ENC[…]` text, which does not begin with blanks
                for value_line in leaf.data.decode("utf-8", "replace").split("\n"):
                    if value_line.strip(" \t"):
                        return indent - (len(value_line) - len(value_line.lstrip(" ")))
            return indent
    return None


def content_end(text: str, leaf: Leaf) -> int:
    """Return where a block scalar's lines end, without the blank lines that chomping drops."""
    header, content, _ = block_header(text, leaf)
    end = leaf.end
    if "+" in header.group(2):
        return end
    indent = _content_indent(text, leaf, header, content)
    if indent is None:
        return content if not (leaf.data or b"").strip(b"\n") else end
    tail = content + len(text[content:end].rstrip(BREAK + " "))
    # The starts of the blank lines.
    starts = [match.end() for match in re.compile(NEWLINE).finditer(text, tail, end)]
    if starts and starts[-1] == end:
        starts.pop()
    while starts:
        if len(text[starts[-1] : end].rstrip(BREAK)) > indent:
            break
        end = starts.pop()
    return end


def region(document: Document, leaf: Leaf) -> tuple[int, int]:
    """Return the span of a leaf, including its anchor and tag."""
    start = leaf.note.start if isinstance(leaf.note, Properties) else leaf.start
    if leaf.style in (LITERAL, FOLDED):
        return start, content_end(document.text, leaf)
    return start, leaf.end


def sealed(document: Document, leaf: Leaf, enc: str, *, was_plain: bool = False) -> Edit:
    """Return the edit that replaces a leaf with an ``ENC[…]`` text, in the same quotes or as a block scalar.

    The header of that block scalar strips the last line break: most readers do not recognize a ciphertext
    that ends with a line break.  ``was_plain`` says that the value's old ciphertext was a plain scalar.  The
    new ciphertext is then plain, too, if it decrypts to the same text.  So no other lines change.
    """
    start, end, style, note = leaf.start, leaf.end, leaf.style, leaf.note
    if style == PLAIN and note is None:
        return start, end, enc
    text = document.text
    if was_plain and style in (SINGLE, DOUBLE, LITERAL) and leaf.type == "str" and note is None:
        assert leaf.data is not None
        value = leaf.data.decode()
        if style == LITERAL and fits_block(value):
            end = content_end(text, leaf)
            newline = _habits(document)[0]
            if text[start:end] == _as_block(document, leaf, value) + newline:
                return start, end - len(newline), enc
            end = leaf.end
        elif style != LITERAL and text[start:end] == plain(value):
            return start, end, enc
    kept = ""
    if isinstance(note, Properties) and re.fullmatch(_TYPE_TAG, note.tag or ""):
        before, after = text[note.start : note.tag_start], text[note.tag_end : leaf.start]
        kept = before + after.lstrip(" \t") if before.strip() else after.lstrip(" \t")
        start = note.start
    if style in (PLAIN, ALIAS):
        return start, end, kept + enc
    if style in (FLOW_PLAIN, DOUBLE, FLOW_ALIAS):
        return start, end, f'{kept}"{enc}"'
    if style == SINGLE:
        return start, end, f"{kept}'{enc}'"
    header, content, newline = block_header(text, leaf)
    end = content_end(text, leaf)
    indent = _content_indent(text, leaf, header, content)
    if indent is None:  # blank lines do not show the indentation of the content
        return start, end, f'{kept}"{enc}"{newline}'
    head = _chomped(text, leaf, header, "-") + text[header.end(2) : content]
    if not head.endswith(tuple(BREAK)):
        head += newline
    tail = newline if text[end - 1 : end] in BREAK else ""
    return start, end, f"{kept}{head}{' ' * indent}{enc}{tail}"


def _chomped(text: str, leaf: Leaf, header: re.Match[str], indicator: str) -> str:
    """Return the first characters of a block scalar's header, with another chomping indicator."""
    return text[leaf.start : header.start(2)] + header.group(2).strip("-+") + indicator


def literal(document: Document, leaf: Leaf, type: str, data: bytes) -> Edit:
    """Return the edit that replaces an ``ENC[…]`` text with its plaintext in the same style."""
    start, end, style = leaf.start, leaf.end, leaf.style
    if type == "str" and style == PLAIN and leaf.note is None and is_word(data):
        return start, end, data.decode()
    text = document.text
    tagged = isinstance(leaf.note, Properties) and leaf.note.tag not in (None, "!")
    value = ""
    word: str | None = None
    if type != "str" or style in (ALIAS, FLOW_ALIAS):
        word = scalar(type, data)
    else:
        try:
            value = data.decode()
        except UnicodeDecodeError:
            word = binary(data)
    if word is not None and style in (LITERAL, FOLDED):
        return start, content_end(text, leaf), word + block_header(text, leaf)[2]
    if word is not None:
        return start, end, word
    if style in (LITERAL, FOLDED):
        return _block_literal(document, leaf, value)
    if style == SINGLE:
        return start, end, single(value) if value.isprintable() else double(value)
    if style == DOUBLE:
        return start, end, double(value)
    if "\n" in value and style == PLAIN and re.compile(_BLANK_REST).match(text, end) and fits_block(value):
        indent = _block_column(document, leaf)
        if _has_room(document, end, indent, value):
            return start, end, _as_block(document, leaf, value)
    return start, end, plain(value, flow=style != PLAIN, tagged=tagged)


def comment(document: Document, leaf: Leaf, *, alone: bool) -> Edit:
    """Return the edit that writes a comment instead of the sequence item that sops stored for it."""
    assert leaf.data is not None
    dash = document.text.rfind("-", 0, leaf.start)
    if document.text[dash + 1 : leaf.start].strip():
        raise DecryptError("a comment is where only a value can be", hint="sops never writes one there")
    sign = "[] #" if alone and leaf.step == 0 else "#"  # without items, a sequence must be written as []
    text = leaf.data.decode("utf-8", "replace")
    return dash, leaf.end, sign + (text if text.strip(" ") else text[1:])


def fits_block(value: str, *, indicated: bool = False) -> bool:
    """Whether a block scalar can hold the string as it is.  ``indicated``: its header has the indentation."""
    lines = value.strip("\n")
    is_text = lines.replace("\n", "").replace("\t", "").isprintable()
    return lines != "" and is_text and (indicated or lines[0] not in " \t")


def chomping(value: str) -> str:
    """Return the chomping indicator of a block scalar that holds the string."""
    if not value.endswith("\n"):
        return "-"
    return "+" if value.endswith("\n\n") or value == "\n" else ""


def block_lines(value: str, indent: int, newline: str) -> str:
    """Return the lines of a literal block scalar."""
    body = value[:-1] if value.endswith("\n") else value
    pad = " " * indent
    return newline.join(pad + line if line else "" for line in body.split("\n")) + newline


class Style:
    """The layout of new collections in block style.

    As in sops, columns are multiples of ``step``, unless ``dashes`` says how deep dashes are indented.
    ``quotes`` are those of the value that a new one replaces.
    """

    step = 4
    dashes: int | None = None
    quotes = ""

    def items(self, node: Any) -> Iterable[tuple[Any, Any, list[str], str]]:
        """Yield the items of a collection: key or index, item, comment lines above it, comment after it."""
        for key, item in node.items() if isinstance(node, dict) else enumerate(node):
            yield key, item, [], ""

    def key(self, key: str) -> str:
        """Return a key as it is written."""
        return plain(key)

    def deeper(self, column: int, item: Any) -> int:
        """Return the column of an item's contents."""
        if self.dashes is None:
            return self.step * ((column + self.step) // self.step)
        return column + (self.dashes if isinstance(item, list) else self.step)

    def word(self, value: Any, column: int, head: str) -> str:
        """Return a single value or an empty collection as it is written.

        The lines of a block scalar below the first one are indented.
        """
        fits = isinstance(value, str) and "\n" in value and self.quotes not in (SINGLE, DOUBLE)
        if fits and fits_block(value):
            body = block_lines(value, self.deeper(column, value), "\n")
            return f"|{chomping(value)}\n{body[:-1]}"
        return word(value, self.quotes, False)

    def entries(self, node: Any, column: int) -> list[str]:
        """Return the lines of a collection that has items, indented to a column."""
        lines: list[str] = []
        for key, item, above, after in self.items(node):
            lines += [" " * column + line for line in above]
            if key is not None:
                head = f"{self.key(key)}:" if isinstance(node, dict) else "-"
                first, *more = self.item(head, item, column)
                lines += [first + after, *more]
        return lines

    def item(self, head: str, item: Any, column: int) -> list[str]:
        """Return the lines of ``key:`` or ``-`` with its value, indented to a column."""
        pad = " " * column
        if not is_full(item):
            # Only the value is split: the head may have several lines, too.
            first, *more = self.word(item, column, head).split("\n")
            return [f"{pad}{head} {first}", *more]
        if head != "-":
            return [pad + head, *self.entries(item, self.deeper(column, item))]
        below = self.entries(item, column + 2)
        at = next(at for at, line in enumerate(below) if not line.lstrip().startswith("#"))
        comments = [line[2:] for line in below[:at]]
        return [*comments, f"{pad}- {below[at][column + 2 :]}", *below[at + 1 :]]


def is_full(value: Any) -> bool:
    """Whether a value is a collection that is not empty."""
    return isinstance(value, (dict, list)) and bool(value)


def word(value: Any, quotes: str, flow: bool) -> str:
    """Return a scalar or an empty collection as it is written, in the given quotes if possible."""
    if isinstance(value, str):
        if quotes == DOUBLE:
            return double(value)
        if quotes == SINGLE and value.isprintable():
            return single(value)
        return plain(value, flow=flow)
    if isinstance(value, (dict, list)):
        return "{}" if isinstance(value, dict) else "[]"
    return scalar(*goyaml.stored(value))


def _block_literal(document: Document, leaf: Leaf, value: str) -> Edit:
    """Return the edit that replaces the ``ENC[…]`` text in a block scalar with its plaintext."""
    text = document.text
    header, content, newline = block_header(text, leaf)
    end = content_end(text, leaf)
    indent = _content_indent(text, leaf, header, content)
    indicator = header.group(2)
    digit = any(char.isdigit() for char in indicator)
    if indent is None or not fits_block(value, indicated=digit):
        return leaf.start, end, double(value) + newline
    natural = chomping(value)
    kept = "-" if "-" in indicator else "+" if "+" in indicator else ""
    start = content
    head = ""
    # `+` fits any number of line breaks at the end, so it can stay.
    if kept != natural and not (kept == "+" and value.endswith("\n")):
        if natural == "+" and _below(document, end)[0]:
            return leaf.start, end, double(value) + newline
        head = _chomped(text, leaf, header, natural) + text[header.end(2) : content]
        start = leaf.start
    if header.group(1) == FOLDED:
        lines = _folded_lines(value, indent, newline)
    else:
        lines = block_lines(value, indent, newline)
    return start, end, head + lines


def _folded_lines(value: str, indent: int, newline: str) -> str:
    """Return the lines of a folded block scalar, one for each line of the value.

    Folding joins two lines of text, so there is an empty line between them.
    """
    out: list[str] = []
    pad = " " * indent
    below = ""  # the next line that is not empty
    for line in reversed(value.removesuffix("\n").split("\n")):
        if line and below and line[0] not in " \t" and below[0] not in " \t":
            out.append("")
        out.append(pad + line if line else "")
        below = line or below
    return newline.join(reversed(out)) + newline


def _as_block(document: Document, leaf: Leaf, value: str) -> str:
    """Return a string of several lines as a block scalar: sops wrote its ciphertext as a plain scalar."""
    newline = _habits(document)[0]
    body = block_lines(value, _block_column(document, leaf), newline)
    return f"|{chomping(value)}{newline}{body[: -len(newline)]}"


def _block_column(document: Document, leaf: Leaf) -> int:
    """Return the column of a block scalar's lines in the place of a leaf."""
    text = document.text
    line = line_start(text, leaf.start)
    # `- - key: ENC[…]`: the mapping or sequence that holds the leaf starts after the dashes.
    before = re.match(r" *+(?:- ++(?=\s*\S))*", text[line : leaf.start])
    assert before is not None
    return before.end() + _habits(document)[1]


def _has_room(document: Document, end: int, indent: int, value: str) -> bool:
    """Whether a block scalar can end at an offset without including the lines below it."""
    blank, text = _below(document, end)
    if blank and (chomping(value) == "+" or any("\t" in line or len(line) > indent for line in blank)):
        return False
    return not text.startswith(" " * indent)  # an indented comment would become part of the value


def _below(document: Document, end: int) -> tuple[list[str], str]:
    """Return the blank lines below an offset and the line after them, without the ``sops`` block."""
    text = document.text
    blank: list[str] = []
    at = line_end(text, end)
    while at < len(text):
        match = re.compile(NEWLINE).search(text, at)
        stop, following = match.span() if match else (len(text), len(text))
        line = text[at:stop]
        if line.strip(" \t"):
            from bisect import bisect_right

            part = document.parts[bisect_right(document.parts, at, key=lambda part: part.start) - 1]
            if part.block is None or not at <= part.block[0] < stop:
                return blank, line
            following = line_end(text, part.block[1])
        else:
            blank.append(line)
        at = following
    return blank, ""
