"""TOML texts, read by a tokenizer that keeps spans, and checked with the standard library's tomllib.

The version is TOML 1.0.  A plaintext is accepted only if tomllib accepts it and reads the same values.  That
is certain for a text that `Scanner` calls regular, so tomllib reads only the others.  An encrypted text was
checked before it was encrypted, so tomllib reads only its ``sops`` table, and the decrypted text if that is
not regular.  Integers that do not fit int64, floats that overflow, and nesting deeper than rops reads are
refused.

sops does not know TOML, so values are stored as rops stores them (0.1.7; mise reads its files): strings,
int64 integers, floats and booleans as in sops, and dates as strings in toml-rs's spelling.  rops takes the
string ``null`` for a null, which is neither encrypted nor in the MAC.  encconf encrypts it like any string;
where it is plaintext in an encrypted text, it is not in the MAC.  The leaves are in rops's order, which is
that of the tree, not of the text.

Encrypted values keep their quotes.  The layout record says which values were dates, or numbers in
hexadecimal.  When rops rewrites a file, it drops comments and that record, and dates become strings.
"""

from __future__ import annotations

import re

from encconf.errors import LimitError, ParseError
from encconf.formats import Prepared, goyaml
from encconf.formats.toml_block import render_block
from encconf.formats.toml_scan import Line, Scanner
from encconf.formats.toml_text import BARE, float_text, quote
from encconf.text.document import LAYOUT, Comment, Document, Edit, Leaf, limit_paths, mapped, whole_document

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# rops up to 0.1.7 requires a ciphertext for every chosen string, even for an empty one.
SEALS_EMPTY = True
NULL = b"null"
EXAMPLE = """\
# This file is encrypted when you leave the editor. Keys stay readable.
debug = false

[database]
host = "db.example.com"
port = 5432
password = "change me"
"""


def scan(text: str, *, comments: bool = False) -> Document:
    """Parse a TOML text into leaves with spans.  With ``comments``, the document has its comments, too.

    Raises ParseError for text that is not TOML or that rops could not store, and LimitError for text that
    is larger or deeper than any real file.
    """
    scanner = Scanner(text, comments)
    scanner.run()
    document, _ = whole_document(text, "toml")
    tree = document.trees[0] = scanner.root.node
    document.regular = scanner.regular
    # tomllib read an encrypted text before it was encrypted; `_take_block` lets it read only the block.
    block = tree.pop("sops", None)
    if isinstance(block, dict):
        _settle(Document(text, "toml"), block)  # else its leaves and tables refer to each other: garbage
    elif not scanner.regular:
        values = _load(text)
        values.pop("sops", None)
        if not _same(tree, values):
            raise ParseError(
                "encconf and Python's tomllib read the text differently",
                hint="please report the layout that causes this; nothing was written",
            )
    _settle(document, tree)
    if scanner.comments is not None:
        document.comments = [comment for comment in scanner.comments if not _in_block(comment)]
    _take_block(document, scanner.block)
    limit_paths(document)
    return document


def load_plain(text: str) -> list[dict[str, object]]:
    """Return the values of a plaintext as tomllib reads them, as a list of the one table."""
    return [_load(text)]


def shows_types(document: Document) -> bool:
    """Whether tomllib would read the types of the leaves in the decrypted text.

    It would not if some leaves are dates, and only the layout record says which strings are dates.
    """
    if not document.regular or LAYOUT in (document.block or {}):
        return False
    sealed = [leaf for leaf in document.leaves if leaf.sealed is not None]
    try:
        b"\n".join(leaf.data or b"" for leaf in sealed).decode()
    except UnicodeDecodeError:
        return False
    return all(leaf.type not in ("time", "comment") for leaf in sealed)


def _take_block(document: Document, lines: list[Line]) -> None:
    """Store the ``sops`` table in the document, given its statements."""
    if not lines:
        return
    part = document.parts[0]
    after = -1
    for line in lines:
        start = part.pieces.pop()[0] if line.number == after else line.start
        part.pieces.append((start, line.end))
        after = line.number + 1
    part.block = part.pieces[0]
    text = "".join(document.text[start:end] for start, end in part.pieces)
    block = _load(text).get("sops")
    if isinstance(block, dict):
        document.block = mapped(block, _untimed)
        tables = all(line.headed for line in lines)
        document.block_text = text if tables else render_block(document.block)


def _load(text: str) -> dict[str, object]:
    """Return what tomllib reads.  Raises ParseError with its message, which never quotes a value."""
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.fullmatch(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", str(error), re.S)
        if found is None:
            raise ParseError("the text is not TOML") from None
        message, line, column = found.groups()
        message = message[:1].lower() + message[1:]
        if line is None:
            raise ParseError(f"{message}, at the end of the text") from None
        raise ParseError(message, line=int(line), column=int(column)) from None
    except RecursionError:
        raise LimitError("the document has too many levels: Python's stack cannot hold them") from None


def _untimed(value: Any) -> object:
    """Return a single value of the block, a date as a string."""
    return value if isinstance(value, (str, int, float)) else value.isoformat()


def _in_block(comment: Comment) -> bool:
    return comment.scope.keys[:1] == ("sops",) or (comment.scope.parent is None and comment.before == "sops")


def _settle(document: Document, tree: Any) -> None:
    """Add leaves and shape of a tree to the document, in its order, and replace its leaves with None."""
    leaves, shape = document.leaves, document.shape
    in_map = isinstance(tree, dict)
    for step, item in tree.items() if in_map else enumerate(tree):
        if isinstance(item, Leaf):
            tree[step] = None
            leaves.append(item)
            shape.append(f".{step}" if in_map else "-")
        else:
            sign = "{" if isinstance(item, dict) else "["
            shape.append(f"{sign}{step}" if in_map else sign)
            _settle(document, item)
            shape.append("}")


def _same(item: Any, value: Any) -> bool:
    """Whether a leaf, or the leaves of a tree, are the values that tomllib read."""
    if isinstance(item, list):
        return isinstance(value, list) and len(item) == len(value) and all(map(_same, item, value))
    if isinstance(item, dict):
        if not isinstance(value, dict) or item.keys() != value.keys():
            return False
        return all(map(_same, item.values(), map(value.get, item)))
    data = item.data
    if isinstance(value, str):
        return item.style != BARE and (data == value.encode() or (data is None and value == "null"))
    if isinstance(value, float):
        return item.type == "float" and bool(data == float_text(value))
    if isinstance(value, int):
        return goyaml.stored(value) == (item.type, data)
    if item.style != BARE or item.type != "str":
        return False
    return bool(value == type(value).fromisoformat(data.decode()))


def prepare(document: Document, chosen: bytearray, *, comments: bool = False) -> Prepared | None:
    """Respell unencrypted values that toml-rs 0.8 (rops 0.1.7) and 1.1 read differently.

    In a string of several lines, 0.8 reads ``\\r\\n`` as one character, and 1.1 reads two.  If all decimals
    of a time are zeros, 0.8 drops them, and 1.1 keeps ``.0``.
    """
    text = document.text
    edits: list[Edit] = []
    for leaf, is_chosen in zip(document.leaves, chosen, strict=True):
        if is_chosen or not leaf.data:
            continue
        if len(leaf.style) == 3:
            if "\r\n" in text[leaf.start + 3 + len(str(leaf.note)) : leaf.end]:
                edits.append((leaf.start, leaf.end, quote(leaf.data.decode())))
        elif leaf.style == BARE and leaf.type == "str" and "." in text[leaf.start : leaf.end]:
            word = leaf.data.decode()
            if "." not in word:
                edits.append((leaf.start, leaf.end, word))
    return Prepared.edited(text, edits) if edits else None
