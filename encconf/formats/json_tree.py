"""The tree of a JSON text, and how values are written into it with the layout of their neighbours."""

from __future__ import annotations

import re

from encconf.formats.json import WS, compact, laid_out, quote
from encconf.formats.writing import Writing
from encconf.text.document import Document, newline_of
from encconf.text.tree import (
    Entry,
    Single,
    Tree,
    append,
    by_collection,
    data_of,
    in_brackets,
    nested,
    take,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.text.document import Plain
    from encconf.text.path import Path


class JsonWriting(Writing):
    """See the module's docstring."""

    def tree(self, document: Document) -> Tree:
        """Return the tree of a scanned text: a stream of one document."""
        text = document.text
        stream = Tree("stream", [])
        if document.items:
            root = document.roots[0]
            whole = in_brackets(text, root, by_collection(document), _GAP, document.parts[0].block)
            entry = Entry((), text[: root.start], "", whole, text[root.end :], listed=True)
            stream.entries.append(entry)
        else:
            stream.tail = text
        stream.data = data_of(stream)
        return stream

    def root(self, whole: Tree) -> Entry:
        """Return the entry of the document."""
        return whole.entries[0]

    def replace(self, chain: list[Entry], path: Path, value: Plain) -> None:
        """Replace a value."""
        chain[-1].value = Single(_lay(nested(path, value), *_layout(chain, chain[:-1])), {})

    def add(self, chain: list[Entry], path: Path, value: Plain) -> None:
        """Add a value as the last member of a collection."""
        here = chain[-1].tree
        if not here.entries:
            self.replace(chain, path, value)
            return
        newline, unit, gap = _layout(chain, chain)
        member = _lay(nested(path[1:], value), newline, unit, gap)
        if isinstance(path[0], str):
            read = [entry for entry in here.entries if entry.steps]  # without those that were just added
            gap = " " if not read or read[-1].head[read[-1].sign :] else ""
            member = f"{quote(path[0])}:{gap}{member}"
        append(here, member, gap)

    def remove(self, chain: list[Entry], path: Path) -> None:
        """Remove a member with its comma."""
        take(chain[-2].tree, chain[-1])


_GAP = re.compile(WS)


def _layout(chain: list[Entry], inside: list[Entry]) -> tuple[str, str, str]:
    """Return the layout for values in the last collection of ``inside``, as the arguments of `laid_out`.

    These are the line break with the indentation of its members, or "" if all are on one line; one more
    level of indentation; and what follows a comma on one line.
    """
    whole = chain[0].value
    assert whole is not None
    leads = [_lead(entry.value) for entry in (chain[0], *inside)]
    unit = next((lead.lstrip("\r\n") or "\t" for lead in leads if lead), "\t")
    if not inside:
        empty = isinstance(whole, Single) or not whole.entries
        return "\n" if leads[0] or empty else "", unit, " "
    assert isinstance(whole, Tree)  # since the chain goes on
    if whole.habits is None:
        text = whole.text
        whole.habits = "" if '":' in text and '": ' not in text else " "
    return leads[-1], unit, whole.habits


def _lead(node: Tree | Single | None) -> str:
    """Return the line break and indentation before a collection's members, or "" if they are on its line."""
    if not isinstance(node, Tree) or not node.entries:
        return ""
    lead = node.entries[0].lead
    return newline_of(lead) + lead.rpartition("\n")[2] if "\n" in lead else ""


def _lay(value: Plain, newline: str, unit: str, gap: str) -> str:
    word = compact(value)
    return laid_out(word, newline, unit, gap) if newline or gap else word
