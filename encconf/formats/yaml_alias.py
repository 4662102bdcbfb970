"""Aliases that sops could not read back, written out before a text is encrypted.

sops expands an alias when it reads, and looks for each copy's ciphertext under the copy's own path.
"""

from __future__ import annotations

from encconf.formats import Prepared
from encconf.formats.yaml_events import Unfolded, refuse_merges, refuse_slash
from encconf.formats.yaml_text import (
    ALIAS,
    BREAK,
    DOUBLE,
    FLOW_ALIAS,
    FOLDED,
    LITERAL,
    block_header,
    double,
    newline_of,
    region,
    scalar,
)
from encconf.text.document import Leaf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.text.document import Document, Edit


def prepare(document: Document, chosen: bytearray, moved: list[Edit]) -> Prepared | None:
    """Write out the aliases that sops could not read back, and add a missing last line break.

    sops expands an alias when it reads, and would look for each copy's ciphertext under the copy's
    own path.  So an alias to a collection that holds an encrypted value, here or at its anchor,
    becomes a collection of its own, in flow style; so does one to an encrypted scalar whose copy
    is not encrypted.  ``moved`` are the edits that move comments.
    """
    refuse_merges(document)
    text = document.text
    sealed_leaves = {
        id(leaf)
        for leaf, is_chosen in zip(document.leaves, chosen, strict=True)
        if is_chosen and leaf.type != "null"
    }
    unfolded: dict[int, list[Leaf]] = {}
    touched: set[int] = set()
    edits: list[Edit] = []
    slashes = "\\/" in text
    for leaf in document.leaves:
        if leaf.style not in (ALIAS, FLOW_ALIAS):
            if slashes and leaf.style == DOUBLE and id(leaf) not in sealed_leaves:
                refuse_slash(text, leaf.start, leaf.end)
            continue
        if isinstance(leaf.note, Unfolded):
            unfolded.setdefault(leaf.start, []).append(leaf)
            if id(leaf) in sealed_leaves or _origin(leaf) in sealed_leaves:
                touched.add(leaf.start)
        elif id(leaf) not in sealed_leaves and _origin(leaf) in sealed_leaves:
            edits.append((leaf.start, leaf.end, _word(leaf)))
    for start in touched:
        copies = unfolded[start]
        edits.append((start, copies[0].end, _flow_text(copies)))
    edits += [
        (start, end, double(key))
        for key, start, end, leaf in document.alias_keys
        if id(leaf) in sealed_leaves or _origin(leaf) in sealed_leaves
    ]
    part = document.parts[-1]
    added = ""
    last = document.leaves[-1] if document.leaves else None
    is_block = last is not None and last.style in (LITERAL, FOLDED)
    if part.close is None and part.end == len(text) and text and text[-1] not in BREAK:
        added = newline_of(text)
        if last is not None and is_block and last.end < len(text) and not text[last.end :].strip(" "):
            # With a break behind them, the blanks would become a line of the value.
            edits.append((last.end, len(text), ""))
            added = ""
        elif last is not None and is_block and last.end == len(text):
            # The added break must not become part of the value.
            start = region(document, last)[0]
            header = block_header(text, last)[0]
            at = header.start(2)
            chomped = header.group(2).strip("+-") + "-"
            respelled = text[start:at] + chomped + text[header.end(2) :]
            if not (last.data or b"").strip(b"\n"):  # only blank lines
                respelled = text[start : last.start] + _word(last)
            edits.append((start, len(text), respelled))
    if not edits and not moved and not added:
        return None
    prepared = Prepared.edited(text, edits, moved)
    prepared.text += added
    return prepared


def _origin(leaf: Leaf) -> int:
    """The identity of the leaf that an alias, or an alias of an alias, stands for."""
    while True:
        if isinstance(leaf.note, Leaf):
            leaf = leaf.note
        elif isinstance(leaf.note, Unfolded):
            leaf = leaf.note.source
        else:
            return id(leaf)


def _word(leaf: Leaf) -> str:
    if leaf.type == "str" and leaf.data is not None:
        return double(leaf.data.decode("utf-8", "replace"))
    return scalar(leaf.type, leaf.data)


def _flow_text(copies: list[Leaf]) -> str:
    """A collection in flow style on one line, in JSON's spelling where that says the same."""
    assert isinstance(copies[0].note, Unfolded)
    for leaf in copies:
        leaf.scope.node[leaf.step] = _word(leaf)
    out: list[str] = []
    pending: list[object] = [copies[0].note.root.node]  # what is still to be spelled, the next one last
    while pending:
        value = pending.pop()
        if isinstance(value, str):
            out.append(value)
            continue
        parts: list[object] = []
        if isinstance(value, dict):
            for key, item in value.items():
                parts += [", " if parts else "", _key(key) + ": ", item]
            parts = ["{", *parts, "}"]
        else:
            assert isinstance(value, list)
            for item in value:
                parts += [", " if parts else "", item]
            parts = ["[", *parts, "]"]
        pending.extend(reversed(parts))
    return "".join(out)


def _key(key: str) -> str:
    return key if key == "<<" else double(key)
