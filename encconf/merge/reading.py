"""Read a plaintext for a merge: its tree and its content."""

from __future__ import annotations

import re
from collections import Counter

from encconf import formats
from encconf.errors import EmitError
from encconf.record import Record
from encconf.text.document import Document, content_of, has_crlf
from encconf.text.tree import Tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.text.tree import Data


class Reading(Record):
    """A plaintext: its ``tree``, and the ``data`` of its documents.

    ``document`` is the scanned document.  It is None for a text without a document, and for a text whose
    tree is without its byte order mark or carriage returns.
    """

    tree: Tree
    data: list[Data]
    document: Document | None


def read(text: str, format: str, *, comments: bool = False) -> Reading:
    """Read a plaintext.  With ``comments``, its document has the comments, too.

    The tree is without the byte order mark and has plain line feeds, since these are settings of the whole
    file.  Raises ParseError, and EmitError for a text that cannot be divided into entries.
    """
    bare = text.removeprefix("\ufeff")
    if has_crlf(text):
        bare = bare.replace("\r\n", "\n")
    found = _read(bare, format, comments)
    if found.tree.unclear or found.tree.text != bare:
        raise EmitError("the layout of the text cannot be merged entry by entry")
    return found if bare == text else Reading(found.tree, _read(text, format).data, None)


def _read(text: str, format: str, comments: bool = False) -> Reading:
    document = formats.scan_any(text, format, comments=comments)
    scanned = document if document.items else None
    tree = formats.writing_of(format).tree(document)
    if tree.fuller:
        return Reading(tree, tree.data if isinstance(tree.data, list) else [tree.data], scanned)
    return Reading(tree, content_of(document), scanned)


HEADER = re.compile(r"[|>][-+0-9]*([ \t]*(?:[ \t]#[^\n]*)?)(?=\n)")
"""The header of a block scalar.  A comment in it is not part of the value."""
_COMMENT = re.compile(r"[#;][^\n]*")


def comments(block: Tree) -> Counter[str]:
    """Count each comment in a tree.  Everything outside of values that looks like a comment counts."""
    found = Counter(_comments(block.tail))
    for entry in block.entries:
        found.update(_comments(f"{entry.lead}\n{entry.head}\n{entry.post}\n{entry.trail}"))
        if isinstance(entry.value, Tree):
            found.update(comments(entry.value))
        elif entry.value is not None and isinstance(entry.value.data, (dict, list)):
            found.update(_comments(entry.value.text))  # a collection treated as one value
        elif entry.value is not None and (header := HEADER.match(entry.value.text)):
            found.update(_comments(header[1]))
    return found


def _comments(text: str) -> list[str]:
    return [comment.rstrip() for comment in _COMMENT.findall(text)]
