"""Plain block YAML read line by line: the subset of YAML that most files use, without a parser.

`scan` returns the `Document` that `encconf.formats.yaml_events` makes of libyaml's events, except that it is
``regular``, in a third of the time and without importing a YAML library.  For anything unusual, including
invalid YAML, it returns None, and the caller then reads the text with libyaml.

It reads documents of block mappings and sequences, with ``---`` between them; keys of a few words, or in
quotes; plain and quoted scalars on one line; block scalars; ``{}``, ``[]`` and flow sequences of words; and
comments, if it is clear which item they belong to.  It does not read anchors, aliases, tags, merge keys,
other flow collections, other scalars of several lines, ``? `` keys, directives, tabs, or line breaks other
than ``\\n``.
"""

from __future__ import annotations

import re
from itertools import repeat

from encconf import formats
from encconf.errors import LimitError, ParseError
from encconf.formats import goyaml
from encconf.formats.yaml_words import BREAK, FOLDED, LITERAL, NEWLINE, content_end, line_start
from encconf.text.document import Comment, Document, Leaf, Part, Scope, filled, too_many

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


_DEPTH = 100  # the most levels that are read here; libyaml's events may have MAX_DEPTH
_NEVER = "\n"  # a `pad` that equals the start of no line
_ASCII = bytes([10, *range(32, 127)])

# Every line matches: indentation and dashes, key, colon, and the rest.  For a block scalar, the rest is its
# header and all its lines: the first line, lines with at least the same indentation, and blank lines.
_LINE = re.compile(
    r"""
    (\ *+(?>(?:-(?:\ ++|(?=\n))){0,20}))
    (?:
        ([A-Za-z_][A-Za-z0-9_]{0,99}+(?=:) | "[^"\\\n]{1,999}+" | '[^'\n]{1,999}+'
         | [^\W\d][^\ :\n]{0,99}+(?>(?:\ [^\ :\#\n][^\ :\n]{0,99}+){0,8}))
        (:(?:\ ++|(?=\n)))
    |)
    ([^|>\n].*+ | [|>][-+]?\ *+\n(\ ++)[^\ \n].*+(?>(?:\n(?:\5.*+|\ *+(?=\n)))*) | .*+)
    \n
    """,
    re.VERBOSE,
)
_groups = re.Match.groups

# The first characters of plain scalars: those that only strings have, and all.
_TEXT = frozenset("ABCDEGHIJKLMOPQRSUVWXYZabcdeghijklmopqrsuvwxyz_/$(")
_PLAIN = _TEXT | frozenset("FNTfnt0123456789.+-~^;<=\\)")
_WORDS = frozenset(["true", "True", "TRUE", "false", "False", "FALSE", "null", "Null", "NULL"])
_KEYS = _WORDS | {"sops"}  # keys that are not ordinary strings

MAX_DOCUMENTS = 10_000
"""How many documents a stream may have."""


def scan(text: str, comments: bool) -> Document | None:
    """Return the document that `encconf.formats.yaml.scan` returns, or None if the text needs libyaml."""
    # A character that libyaml does not accept, a tab, or a line break or space beyond ASCII.
    if text.encode().translate(None, _ASCII) if text.isascii() else not text.replace("\n", "").isprintable():
        return None
    document = Document(text, formats.get("yaml"))
    document.regular = True
    whole = text if text[-1:] == "\n" else text + "\n"
    begin = 0
    block = ""  # the text from the last `sops` block that was read to the end of its document
    size = 0
    ends = _document_ends(whole)
    if len(ends) > MAX_DOCUMENTS:
        raise LimitError(f"the stream has more than {MAX_DOCUMENTS} documents")
    for end in ends:
        stop = _body_end(whole, begin, end, block) if block and end <= len(text) else end
        if not _read(document, whole, begin, stop, comments and "#" in text):
            return None
        part = document.parts[-1]
        if stop < end:
            if part.block is not None:
                return None
            part.block = (stop, stop + size)
            part.end = end
        elif part.block is not None and end <= len(text) and not whole[part.block[1] : end].strip("\n"):
            block = whole[part.block[0] : end]
            size = part.block[1] - part.block[0]
        begin = end
    return document


def _body_end(text: str, begin: int, end: int, block: str) -> int:
    """Return where ``block`` starts if the document ``text[begin:end]`` ends with it, else ``end``.

    All documents of a stream have the same ``sops`` block, so `scan` reads it only once.
    """
    stop = end - len(block)
    if stop > begin and text.startswith("\n" + block, stop - 1):
        body = text[begin:stop].rstrip(" \n")
        last = body[body.rfind("\n") + 1 :].lstrip(" ")
        if last not in ("", "---") and not last.startswith("#"):
            return stop
    return end


def _document_ends(text: str) -> list[int]:
    """Return where each document of a stream ends: before the next ``---``, or at the end of the text."""
    first = max(text.find("-") - 1, 0)  # found at once: most dashes are in the sops block, at the end
    ends = [found.start() + 1 for found in re.compile(r"\n(?=---\n)").finditer(text, first)]
    if ends and re.fullmatch(r"(?>(?:\ *(?:#.*)?\n)*)", text[: ends[0]]):
        del ends[0]  # before the first `---` are only comments, so no document ends there
    return [*ends, len(text)]


def _read(document: Document, text: str, begin: int, end: int, wanted: bool) -> bool:
    """Add the document ``text[begin:end]``, which ends with a line break.  Returns False if it needs libyaml.

    ``text`` may have one more line break at its end than ``document.text``.
    """
    resolve, new = goyaml.resolve, object.__new__
    items = document.items
    part = Part(-1)
    document.parts.append(part)

    # The innermost collection.  `column` is where its keys or dashes are, and a line that starts with `pad`
    # adds an item to it.  `stack` has the collections around it.
    scope: Any = None
    seen: set[str | int] = set()  # the collection's keys, or the numbers of its items
    in_map = False
    column = -1
    pad = _NEVER
    stack: list[tuple[Scope, set[str | int], bool, int]] = []
    step: str | int = ""
    head = 0  # where the key or dash begins
    pending = -1  # after a key or dash without a value: where the value is if it turns out to be null
    in_block = False
    # The comment lines since the last item: start, end and column.  An empty line has the column -1.
    gap: list[tuple[int, int, int]] = []

    at, own_end = begin, len(document.text)
    most = document.most
    lines = _LINE.finditer(text, begin, end)
    for lead, key, colon, rest, deep in map(_groups, lines, repeat("")):
        start = at + len(lead) + len(key) + len(colon)
        if lead != pad or (not key) is in_map:
            if len(items) > most:
                raise too_many(most)
            place = lead.find("-")
            dashes = ""
            if place >= 0:
                dashes = lead[place:]
            else:
                place = len(lead)
            if not key and not dashes:
                if rest == "---" and not lead and part.start < 0 and not gap:
                    part.start = at
                elif rest and rest[0] != "#":
                    return False
                elif wanted:
                    gap.append((start + 1, start + len(rest), place if rest else -1))
                    pad = _NEVER
                at = start + len(rest) + 1
                continue

            # Find the collection that the line belongs to.
            ended = None
            if scope is None:
                if dashes:
                    return False
                if part.start < 0:
                    part.start = at + place
                part.indent = column = place
                if begin and any(indent < 0 for _, _, indent in gap):
                    return False  # the comments may belong to the previous document
                scope = Scope()
                items.append(scope)
                near = in_map = True
            elif pending >= 0 and (place > column or (place == column and dashes and in_map)):
                if in_block and not stack and dashes:
                    return False
                stack.append((scope, seen, in_map, column))
                near = in_map
                in_map = not dashes
                column = place
                scope, seen = open_scope(scope, step, in_map, items, head, pending), set()
            else:
                if pending >= 0:
                    if in_block and not stack:
                        return False
                    items.append(Leaf(scope, step, pending, pending, "", "null", None, None, head, pending))
                near = in_map is not bool(dashes)
                if place < column:
                    near = not dashes
                    ended = None if in_block else (scope, column)
                while column > place or (column == place and not in_map and not dashes):
                    if not stack:
                        return False
                    scope, seen, in_map, column = stack.pop()
                if column != place or in_map is bool(dashes):
                    return False
                if in_block and not stack:
                    if not _close(document, items, scope):
                        return False
                    items = document.items
                    in_block = False
            pending = -1
            if gap:
                if not in_block:
                    step = len(seen) if dashes else key[1:-1] if key < "A" else key
                    if not _place(document, gap, scope, step, column, near, ended):
                        return False
                gap.clear()

            # Open the collections that start in the line: `- - key:`.
            if dashes:
                head = at + place
                inner = dashes.find("-", 1)
                while inner > 0:
                    stack.append((scope, seen, False, column))
                    column = place + inner
                    scope, seen = open_scope(scope, _following(seen), False, items, head, head + 1), set()
                    head = at + column
                    inner = dashes.find("-", inner + 1)
                in_map = False
                if key:
                    stack.append((scope, seen, False, column))
                    column = place + len(dashes)
                    scope, seen = open_scope(scope, _following(seen), True, items, head, head + 1), set()
                    in_map = True
            if len(stack) > _DEPTH:
                return False
            pad = " " * column if in_map else " " * column + "- "
        length = len(rest)
        at = start + length + 1

        if key:
            sign = start - len(colon) + 1
            head = sign - 1 - len(key)
            if key < "A":
                key = key[1:-1]
                if key == "sops" and not stack:
                    return False
            elif key in _KEYS:
                if key != "sops":
                    return False
                if not stack:
                    if part.block is not None or rest[:1] not in ("", "#"):
                        return False
                    part.block = (head, head)
                    items = []
                    in_block = True
            if key in seen:
                return False
            step = key
        else:
            step = len(seen)
            head = start - len(lead) + lead.rfind("-")
            sign = head + 1
        seen.add(step)

        # The value.
        first = rest[:1]
        style = ""
        type = "str"
        data: bytes | None
        if first in _TEXT and " " not in rest and rest[-1] != ":":
            size = length
            data = rest.encode()
        elif first in _PLAIN or first > "~":
            value = rest
            if rest[-1] in " :" or ": " in rest or " #" in rest:
                found = matched(PLAIN_SCALAR, rest)
                if found is None:
                    return False
                value = found.group(1)
            size = len(value)
            if first in _TEXT or (first in "FNTfnt" and value not in _WORDS):
                data = value.encode()
            elif first == "-" and value[1:2] in ("", " "):
                return False
            else:
                try:
                    type, data = resolve(value, None, True)
                except ParseError:
                    return False
        elif not first or first == "#":
            if wanted and not key:
                return False  # go-yaml moves the comments around a bare dash
            if wanted and first:
                if in_block:
                    return False
                _inline(document, scope, step, start, rest, 0)
            pending = sign
            pad = _NEVER
            continue
        elif first == "[" or first == "{":
            found = matched(FLOW, rest)
            if found is None or (in_block and len(rest) > 2):
                return False
            size = found.end()
            inside = open_scope(scope, step, first == "{", items, head, sign)
            inside.start, inside.end = start, start + size
            if size > 2 and not add_words(inside, start, found.group(), items):
                return False
            if wanted and "#" in rest[size:]:
                if key:
                    _inline(document, inside, 0 if size > 2 else None, start, rest, size)
                else:
                    _inline(document, scope, step, start, rest, size)
            continue
        else:
            string = block_scalar(rest, len(deep)) if len(deep) > column and at <= own_end else quoted(rest)
            if string is None:
                return False
            style = first
            size, data = string
        if wanted and "#" in rest[size:]:
            if in_block:
                return False
            _inline(document, scope, step, start, rest, size)
        leaf = new(Leaf)  # as `Leaf(…)` does, in two thirds of the time; a function would be as slow
        leaf.scope = scope
        leaf.step = step
        leaf.start = start
        leaf.end = start + size
        leaf.style = style
        leaf.type = type
        leaf.data = data
        leaf.note = None
        leaf.head = head
        leaf.sign = sign
        items.append(leaf)

    if scope is None:
        return False
    if pending >= 0:
        if in_block and not stack:
            return False
        items.append(Leaf(scope, step, pending, pending, "", "null", None, None, head, pending))
    if stack and gap and gap[0][2] >= 0:
        return False
    if end < own_end and any(indent >= 0 for _, _, indent in gap):
        return False  # the comments may belong to the next document
    if stack:
        scope = stack[0][0]
    if in_block and not _close(document, items, scope):
        return False
    if not _place(document, gap, scope, None, part.indent, True, None):
        return False
    part.end = min(end, own_end)
    return True


def open_scope(
    scope: Scope, step: str | int, mapping: bool, items: list[Scope | Leaf], head: int, sign: int
) -> Scope:
    """Start a collection inside another."""
    inner = scope.inside(step, not mapping)
    inner.head, inner.sign = head, sign
    items.append(inner)
    return inner


def _following(seen: set[str | int]) -> int:
    """Return the number of the next item of a sequence, and add it to those before it."""
    number = len(seen)
    seen.add(number)
    return number


def _close(document: Document, items: list[Scope | Leaf], root: Scope) -> bool:
    """Store the ``sops`` entry, which has ended.  Returns False if it needs libyaml."""
    if not items or isinstance(items[-1], Scope):
        return False
    close_block(document, document.parts[-1], items, root)
    return True


def _inline(
    document: Document, scope: Scope, before: str | int | None, start: int, rest: str, size: int
) -> None:
    """Add the comment after a value that starts at ``start`` and has ``size`` characters."""
    sign = rest.index("#", size) + 1
    document.comments.append(Comment(scope, rest[sign:], start + sign, start + len(rest), before))


def _place(
    document: Document,
    gap: list[tuple[int, int, int]],
    scope: Scope,
    before: str | int | None,
    column: int,
    near: bool,
    ended: tuple[Scope, int] | None,
) -> bool:
    """Add the comment lines before the item ``before`` at ``column``, or before the end if that is None.

    ``ended`` is the innermost collection that ends there, and its column.  The first lines may be its last
    comments.  ``near`` says that lines directly below the previous item, with an empty line after them, also
    belong to ``before``.  Returns False if only `comments.place` can decide.
    """
    text = document.text
    at = 0
    if ended is not None:
        inner, inner_column = ended
        while at < len(gap) and gap[at][2] < 0:
            at += 1
        first = at
        while at < len(gap) and gap[at][2] == inner_column:
            start, end, _ = gap[at]
            document.comments.append(Comment(inner, text[start:end], start, end, None))
            at += 1
        if at == first:
            at = 0
    own = gap[at:]
    if not near and own and own[0][2] >= 0 and any(place < 0 for _, _, place in own):
        return False
    for start, end, place in own:
        if place >= 0:
            if place != column:
                return False
            document.comments.append(Comment(scope, text[start:end], start, end, before))
    return True


# Values on one line.  `_REST` is what may follow: blanks and a comment.  All are compiled when first needed.
_REST = r"(?=\ *+(?:(?<=\ )\#.*+)?\Z)"
PLAIN_SCALAR = r"((?>(?:[^\ :]++|:(?!\ |\Z)|\ ++(?![\ #]|\Z))+))" + _REST
_SINGLE_SCALAR = r"'((?>(?:[^']|'')*))'" + _REST
_DOUBLE_SCALAR = r'"((?>(?:[^"\\]|\\["\\nrt])*))"' + _REST
_ESCAPED = {'"': '"', "\\": "\\", "n": "\n", "r": "\r", "t": "\t"}
_WORD = r"-?[A-Za-z0-9_./][A-Za-z0-9_./+=@$*-]*+(?>(?:\ [A-Za-z0-9_./+=@$*-]++)*)"
_ITEM = rf""""[^"\\]*+"|'[^']*+'|{_WORD}"""
FLOW = rf"(?:\{{\}}|\[\]|\[\ *+(?:{_ITEM})\ *+(?>(?:,\ *+(?:{_ITEM})\ *+)*)\])" + _REST

_LONGEST = 100_000  # characters: a pattern's repetitions take up to 16 MB of memory for that many


def matched(pattern: str, rest: str) -> re.Match[str] | None:
    """Match a pattern at the start of a value.  Returns None if the value is too long: libyaml reads it."""
    return re.match(pattern, rest) if len(rest) <= _LONGEST else None


def quoted(rest: str) -> tuple[int, bytes] | None:
    """Return length and data of a quoted scalar, or None if it needs libyaml."""
    quote = rest[0]
    if quote not in "\"'":
        return None
    if rest.find(quote, 1) == len(rest) - 1 and "\\" not in rest:
        return len(rest), rest[1:-1].encode()
    found = matched(_SINGLE_SCALAR if quote == "'" else _DOUBLE_SCALAR, rest)
    if found is None:
        return None
    value = found.group(1)
    if quote == "'":
        value = value.replace("''", "'")
    elif "\\" in value:
        value = re.sub(r"\\(.)", lambda escape: _ESCAPED[escape.group(1)], value)
    return found.end(), value.encode()


def block_scalar(rest: str, indent: int) -> tuple[int, bytes] | None:
    """Return length and data of a block scalar whose lines are indented by ``indent``.

    Returns None if it needs libyaml.
    """
    header, _, body = rest.partition("\n")
    lines = [line[indent:] for line in body.split("\n")]
    value = "\n".join(lines)
    content = value.rstrip("\n")
    breaks = value[len(content) :] + "\n"
    if header[0] == ">":
        if any(line[:1] == " " for line in lines):
            return None
        content = re.sub(r"\n+", lambda found: found.group()[1:] or " ", content)
    chomping = header[1:2]
    value = content if chomping == "-" else content + (breaks if chomping == "+" else "\n")
    return len(rest) + 1, value.encode()


def add_words(scope: Scope, start: int, flow: str, items: list[Scope | Leaf]) -> bool:
    """Add the items of a flow sequence as leaves.  Returns False if sops refuses one of them."""
    for step, found in enumerate(re.finditer(_ITEM, flow)):
        word = found.group()
        style, type = word[0], "str"
        data: bytes | None
        if style in "\"'":
            data = word[1:-1].encode()
        else:
            style = ","
            try:
                type, data = goyaml.resolve(word, None, True)
            except ParseError:
                return False
        at = start + found.start()
        items.append(Leaf(scope, step, at, at + len(word), style, type, data, None, at, at))
    return True


def close_block(
    document: Document,
    part: Part,
    items: list[Scope | Leaf],
    root: Scope,
    *,
    flow_end: int = 0,
    in_flow: bool = False,
) -> None:
    """Store the ``sops`` entry of ``root``, which has ended, as the document's block.

    Sets the block's span.  Only the block of the first document is stored.  ``flow_end`` is where the last
    flow collection in the entry ends.  ``in_flow`` says that the entry's value is a flow mapping.
    """
    text = document.text
    assert part.block is not None
    start, _ = part.block
    leaves = [item for item in items if isinstance(item, Leaf)]
    end = max(start + len("sops:"), flow_end)
    if leaves and not in_flow:
        last = leaves[-1]
        if last.style in (LITERAL, FOLDED):
            end = max(end, content_end(text, last))
        elif last.start < last.end:
            end = max(end, last.end)
        else:  # parsers disagree about the place of an empty value; use the end of its key
            end = max(end, text.rfind(":", start, last.end) + 1)
    line = line_start(text, start)
    pad = start - line
    if line == 0 and text[:1] == "\ufeff":
        pad -= 1
    if not in_flow:
        end = _comments_end(text, end, pad)
    part.block = (start, end)
    if part is not document.parts[0]:
        return
    tree = filled([root, *items], [_member(text, leaf) for leaf in leaves])[0][0].get("sops")
    if isinstance(tree, dict):
        document.block = tree
    else:
        document.not_block = tree
    # An entry that begins with `? sops` or an anchor has no block text, so it is written again as a whole.
    if text.startswith("sops:", start) or re.compile(r"""["']?sops["']?[ \t]*:""").match(text, start):
        document.block_text = _block_text(text[start:end], pad, in_flow)


def _comments_end(text: str, end: int, pad: int) -> int:
    """Return where the block ends, including the comments below it that are indented deeper than its key."""
    tail = end - 1
    stop = text.find("\n", tail)
    line = text[tail:stop] if stop >= 0 else text[tail:]
    # Mostly, the next line begins without a blank.  Compiling the pattern takes 0.4 ms of every start.
    if line.isprintable() and (stop < 0 or text[stop + 1 : stop + 2] != " "):
        return end
    comment = rf"(?: {{{pad + 1},}}#[^{BREAK}]*(?:\r\n|[{BREAK}]|\Z))"
    comments = re.compile(rf"[^{BREAK}]*(?:\r\n|[{BREAK}]){comment}+").match(text, tail)
    return comments.end() if comments else end


def _member(text: str, leaf: Leaf) -> object:
    """Return the plain value of a leaf in the block.  Dates and floats stay text."""
    if leaf.type in ("int", "bool", "null"):
        return goyaml.parse(leaf.type, leaf.data)
    if leaf.type in ("time", "float"):
        return text[leaf.start : leaf.end]
    assert leaf.data is not None
    return leaf.data.decode("utf-8", "replace")


def _block_text(text: str, pad: int, in_flow: bool) -> str:
    """Return the block's text without its indentation, and with ``\\n`` as its line break."""
    if "\n" in text or "\r" in text:
        if pad or not text.replace("\n", "").isprintable():
            rows = re.compile(NEWLINE).split(text)
            blank = " " * pad
            text = "\n".join(row[pad:] if row.startswith(blank) else row for row in rows)
        if not in_flow and not text.endswith("\n"):
            text += "\n"
    return text
