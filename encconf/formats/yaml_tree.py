"""The tree of a YAML text, and how values are written into it.

As in sops, values are written into the first document of a stream.  A new value has the layout of the text
around it: its indentation and dashes, or flow style.  A value that replaces a quoted one is in quotes, too.
Nothing below an alias can be changed.
"""

from __future__ import annotations

import re
from itertools import pairwise

from encconf.errors import EmitError
from encconf.formats.writing import Writing
from encconf.formats.yaml_layout import TextStyle, in_flow, is_full, word
from encconf.formats.yaml_words import (
    ALIAS,
    DOUBLE,
    FOLDED,
    LITERAL,
    SINGLE,
    Properties,
    content_end,
    line_end,
    line_start,
    newline_of,
    plain,
)
from encconf.text.document import Leaf, Scope
from encconf.text.tree import (
    LINE,
    Entry,
    Single,
    Tree,
    append,
    by_collection,
    data_of,
    fill,
    lines,
    nested,
    take,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.text.document import Document, Plain
    from encconf.text.path import Path
    from encconf.text.tree import Data


class YamlWriting(Writing):
    """See the module's docstring."""

    def tree(self, document: Document) -> Tree:
        """Return the tree of a scanned text: a stream of documents, each with its directives and markers."""
        text = document.text
        stream = Tree("stream", [])
        if not document.parts:  # the text has comments at most
            if text.strip("\ufeff \t\r\n"):
                stream.entries.append(_bare("", lines(text, 0, len(text)), ""))
            else:
                stream.tail = text
            return stream
        starts = [0, *(line_start(text, part.start) for part in document.parts[1:]), len(text)]
        reader = _Reader(document)
        for root, (start, stop) in zip(document.roots, pairwise(starts), strict=True):
            stream.entries.append(reader.document(root, start, stop))
        stream.unclear = reader.unclear
        stream.data = data_of(stream)
        stream.fuller = any("*" in leaf.style for leaf in document.leaves)
        return stream

    def root(self, whole: Tree) -> Entry:
        """Return the entry that values are written into: the first document."""
        if not whole.entries:
            whole.entries.append(Entry((), whole.tail, value=Single("", {})))
            whole.tail = ""
        return whole.entries[0]

    def replace(self, chain: list[Entry], path: Path, value: Plain) -> None:
        """Replace a value."""
        entry, old = chain[-1], chain[-1].value
        if isinstance(old, Single) and old.style == ALIAS and path:
            raise _alias_error()
        value = nested(path, value)
        if len(chain) == 1:
            self._replace_root(entry, value)
            return
        outer = chain[-2].tree
        if entry.sign is None:
            raise _layout_error()
        kept = old.style if isinstance(old, Single) else ""
        assert old is not None
        anchored = _without_tag(old.open[:-1] if isinstance(old, Tree) else old.text[: old.at])
        if outer.flow:
            new = in_flow(value) if is_full(value) else word(value, kept, True)
            if not entry.listed and entry.head[: entry.sign][-1:] != ":":  # `{key}`
                entry.value = Single(f": {new}", {})
            else:
                entry.value = Single(anchored + new if old.text else f" {new}", {})  # `{key:}`
        elif not is_full(value) and isinstance(old, Single) and old.text and kept not in _BLOCKS:
            entry.value = Single(anchored + word(value, kept, False), {})
        else:
            after = _text_after(entry)
            last = _last_line(value)
            # A block scalar would include the comments.
            commented = "\n" in last and ("#" in after or _comments_below(entry, outer))
            style = TextStyle(chain[0], DOUBLE if commented else "")
            head = entry.head[: entry.sign]
            if head.startswith("? ") and head[-1] != ":":  # a key without a value
                head = head.removeprefix("? ").strip() + ":"
            column = _column(outer)
            laid = style.item(head, value, column)
            laid[0] += _beside(entry)
            newline = style.newline if _ends_a_line(old) or (not after and last.endswith("\n")) else ""
            entry.post = after
            entry.value = Single(style.newline.join(laid)[column:] + newline, {})
            entry.head, entry.sign = "", None

    def add(self, chain: list[Entry], path: Path, value: Plain) -> None:
        """Add a value as the last entry of a collection."""
        here = chain[-1].tree
        inner = nested(path[1:], value)
        last = here.last
        if last is None:
            self.replace(chain, (), nested(path, value))
        elif here.flow:
            quotes = DOUBLE if _begins_with_quote(last) else ""  # so that JSON stays JSON
            member = in_flow(inner, quotes)
            if isinstance(path[0], str):
                member = f"{word(path[0], quotes, True)}: {member}"
            append(here, member, _gap_after_comma(chain))
            if last.rest.endswith(":"):
                last.post = " "  # parsers disagree about `{key:,`
        else:
            end = _last_line(inner)
            style = TextStyle(chain[0], DOUBLE if "\n" in end and _comments_below(last, here) else "")
            head = "-" if isinstance(path[0], int) else f"{plain(path[0])}:"
            laid = style.newline.join(style.item(head, inner, _column(here)))
            ended = last.text[-1:] in ("\r", "\n")
            if not ended:
                _end_without_break(last)
            laid = laid + style.newline if ended else style.newline + laid
            if not ended and end.endswith("\n"):
                laid += style.newline
            at = len(here.entries)
            while here.entries[at - 1] is not last:
                at -= 1
            here.entries.insert(at, Entry((), laid, value=Single("", {})))

    def remove(self, chain: list[Entry], path: Path) -> None:
        """Remove an entry.  A comment above it stays."""
        entry, last = chain[-1], chain[-1].value
        if path and isinstance(last, Single) and last.style == ALIAS:
            raise _alias_error()
        if path:
            raise _layout_error()
        outer = chain[-2].tree
        if outer.flow:
            take(outer, entry)
            return
        if entry.sign is None:
            raise _layout_error()
        if entry.lead.strip():  # the anchor or tag of the collection
            raise _layout_error()
        members = outer.members
        at = outer.entries.index(entry)
        if len(members) == 1:
            _keep_comments(entry, outer.entries[:at] if len(chain) > 2 else [], newline_of(chain[0].text))
            self.replace(chain[:-1], (), {} if outer.kind == "map" else [])
        elif outer.inline and entry is members[0]:  # the first member is on the line of a dash
            members[1].lead = ""
            del outer.entries[: outer.entries.index(members[1])]
        else:
            outer.entries[at : at + 1] = _comments_after(entry)

    def _replace_root(self, entry: Entry, value: Plain) -> None:
        """Replace the mapping of the whole document."""
        if not isinstance(value, dict):
            raise EmitError("the top level must be a mapping", hint="name a key to put the value under")
        style = TextStyle(entry)
        old = entry.value
        flow = old if isinstance(old, Tree) and old.flow else None
        before, after = entry.lead + entry.head, entry.post
        ended = False
        if isinstance(old, Tree) and flow is None:
            members = old.members
            first = old.entries.index(members[0]) if members else len(old.entries) if not entry.head else 0
            before += "".join(line.text for line in old.entries[:first])
            if members:
                before += members[0].lead
                after = _text_after(entry)
                ended = _ends_a_line(old)
            else:
                after = "".join(line.text for line in old.entries[first:]) + after
        alone = not before[line_start(before, len(before)) :].strip("\ufeff")
        if not value or (flow is not None and (flow.entries or not alone)):
            laid = in_flow(value)
        else:
            laid = style.newline.join(style.entries(value, 0))
        if before and before[-1] not in "\r\n\ufeff \t":
            laid = style.newline + laid
        if ended or (flow is None and not after.startswith(("\r", "\n"))):
            laid += style.newline
        entry.lead, entry.head, entry.value, entry.post = "", before, Single(laid, {}), after


def _end_without_break(entry: Entry) -> None:
    """If a block scalar without a line break ends an entry at the end of the text, keep its value so.

    Otherwise it would have one as soon as something follows.
    """
    value = entry.value
    while isinstance(value, Tree) and not value.flow and value.last is not None:
        value = value.last.value
    if isinstance(value, Single) and value.style in _BLOCKS:
        header = _HEADER.match(value.text, value.at)
        if header is not None:
            value.text = f"{value.text[: value.at]}{header[0].rstrip('+-')}-{value.text[header.end() :]}"


_HEADER = re.compile(r"[|>][1-9+-]{0,2}")


def _begins_with_quote(entry: Entry) -> bool:
    """Whether the first key or text of an entry in a flow collection is in double quotes."""
    value = entry.value
    text = entry.head if entry.head.strip() or value is None else value.text
    return text.lstrip("[{ \t\r\n")[:1] == '"'


def _gap_after_comma(chain: list[Entry]) -> str:
    """Return what follows a comma in the last collection of a chain, a flow collection with one entry.

    That is as after its colon, or in a list, as in the flow collections around it.
    """
    for entry in reversed(chain):
        tree = entry.value
        if not isinstance(tree, Tree) or not tree.flow:
            break
        if len(tree.entries) > 1:
            return " " if tree.entries[1].lead[:1] == " " else ""
        if tree.kind == "map" and (last := tree.last) is not None:
            return " " if last.head[last.sign :].startswith(" ") else ""
    return " "


_MARKER = re.compile(r"(?m)^---(?=[ \r\n]|\Z)")
_END = re.compile(r"(?m)^\.\.\.(?=[ \r\n]|\Z)")
_GAP = re.compile(r"(?>(?:[ \t\r\n]++|(?<=[ \t\n])#[^\n]*|\A#[^\n]*)*)")


def _bare(before: str, comments: list[Entry], after: str) -> Entry:
    block = Tree("map", {}, column=0)
    block.bare = True
    block.entries = comments
    return Entry((), "", before, block, after, listed=True)


def _only_comments(text: str, start: int, end: int) -> bool:
    return all(line[0].strip()[:1] in ("", "#") for line in LINE.finditer(text, start, end))


class _Reader:
    """Makes trees of a scan.  The text is ``unclear`` if its entries are not whole lines everywhere."""

    __slots__ = ("items", "stop", "text", "unclear")

    def __init__(self, document: Document) -> None:
        self.text = document.text
        self.unclear = re.search("\r[^\n]", self.text) is not None
        self.stop: int  # where the document ends
        self.items = by_collection(document)
        for part, root in zip(document.parts, document.roots, strict=True):
            if part.block is not None:  # it is no item of the scan, but it is an entry of the tree
                start, end = part.block
                sign = self.text.index(":", start) + 1
                block = Leaf(root, "sops", sign, end, "", "str", None, None, start, sign)
                self.items[id(root)].append(block)
                self.items[id(root)].sort(key=lambda item: item.head)

    def document(self, root: Scope, start: int, end: int) -> Entry:
        """Return the document ``text[start:end]`` as an entry of the stream."""
        text, items = self.text, self.items[id(root)]
        self.stop = end
        empty = not items and root.start < 0
        first, _, last = (start, start, start) if empty else self._span(root)
        marker = _MARKER.search(text, start, end if empty else first)
        head = marker.end() if marker else start + (start == 0 and text[:1] == "\ufeff")
        alone = True
        if marker is not None:
            alone = text[head : line_end(text, head)].strip()[:1] in ("", "#")
            head = line_end(text, head) if alone else head
        ending = _END.search(text, max(last, head), end)
        stop = ending.start() if ending else end
        if root.start >= 0:
            return Entry((), "", text[start:first], self._flow(root), text[last:end], listed=True)
        if empty:
            if alone and _only_comments(text, head, stop):
                return _bare(text[start:head], lines(text, head, stop), text[stop:end])
            return Entry((), "", text[start:head], Single("", {}), text[head:end], listed=True)
        line = self._line(first)
        if line < head or not _only_comments(text, head, line):
            self.unclear = True
            head = first
        block, after = self._block(root, head, stop, -1)
        if _only_comments(text, after, stop):
            block.entries += lines(text, after, stop)
        else:
            self.unclear = True
            stop = after
        return Entry((), "", text[start:head], block, text[stop:end], listed=True)

    def _line(self, at: int) -> int:
        """Return where the line of an offset starts, after a byte order mark."""
        start = line_start(self.text, at)
        return start + (start == 0 and self.text[:1] == "\ufeff")

    def _span(self, item: Scope | Leaf) -> tuple[int, int, int]:
        """Return where a value starts, with its anchor and tag and without, and where it ends."""
        text, note = self.text, item.note
        if isinstance(item, Scope):
            if isinstance(note, Leaf):  # the copy of an aliased collection
                return note.start, note.start, note.end
            if not self._has_brackets(item):
                inside = self.items[id(item)]
                start = inside[0].head
                return start, start, item.end if item.end >= 0 else self._span(inside[-1])[2]
            return note.start if isinstance(note, Properties) else item.start, item.start, item.end
        start, value, end = item.start, item.start, item.end
        if isinstance(note, Properties):
            start = note.start
        if "*" in item.style:
            return start, value, end
        if value < end and text[value] in _BLOCKS:
            end = content_end(text, item)
        else:  # a value that replaced a block scalar may include the line break
            end -= text.endswith("\n", value, end)
        if end <= start and item.sign >= 0:
            # Parsers disagree about the place of an empty value; use the end of its colon or dash.
            return item.sign, item.sign, item.sign
        return start, value, end

    def _has_brackets(self, scope: Scope) -> bool:
        # The start of a single pair, `[a: 1]`, may be the bracket of the sequence around it.
        return scope.start >= 0 and self.text[scope.start] == ("[" if scope.listed else "{")

    def _block(self, scope: Scope, at: int, limit: int, outside: int) -> tuple[Tree, int]:
        """Return a block collection from offset ``at`` on, and where its lines end, before ``limit``.

        ``outside`` is the column of the collection around it.  Comments after the last item belong to this
        collection if they are indented deeper than that, and at least as deep as the items.
        """
        text, items = self.text, self.items[id(scope)]
        line = self._line(items[0].head)
        column = items[0].head - line
        block = Tree("seq" if scope.listed else "map", {}, column=column)
        block.inline = bool(text[line : items[0].head].strip())
        for number, item in enumerate(items):
            line = item.head if block.inline and number == 0 else self._line(item.head)
            if line < at or text[line : item.head].strip(" ") or not _only_comments(text, at, line):
                self.unclear = True
                line = at
            block.entries += lines(text, at, line)
            following = items[number + 1].head if number + 1 < len(items) else limit
            entry, at = self._entry(item, line, following, column)
            block.entries.append(entry)
        end = at
        for found in LINE.finditer(text, at, limit):  # comments after the last item
            line_text = found[0].strip()
            indent = len(found[0]) - len(found[0].lstrip(" "))
            if line_text and (line_text[0] != "#" or indent < column or indent <= outside):
                break
            end = found.end() if line_text else end
        block.entries += lines(text, at, end)
        block.data = data_of(block)
        return block, end

    def _entry(self, item: Scope | Leaf, line: int, following: int, column: int) -> tuple[Entry, int]:
        """Return an item whose line begins at ``line``, and where it ends.

        ``following`` is where the next item starts, and ``column`` is the column of the items.
        """
        text = self.text
        start, _, stop = self._span(item)
        after = max(item.sign, item.head)
        if isinstance(item, Leaf) or item.start >= 0 or isinstance(item.note, Leaf):
            end = min(line_end(text, max(stop, after)), max(following, stop))
            value = self._flow(item) if isinstance(item, Scope) else self._single(item)
            return self._made(item, line, start, value, text[stop:end]), end
        first = start
        if self._line(first) > after:
            start = line_end(text, after)
            if start > self._line(first):
                self.unclear = True
                start = first
        limit = self._line(following) if following < self.stop else following
        block, end = self._block(item, start, max(limit, stop), column)
        return self._made(item, line, start, block, ""), end

    def _made(self, item: Scope | Leaf, lead: int, value_at: int, value: Tree | Single, post: str) -> Entry:
        step, sign = item.step, item.sign - item.head if item.sign >= 0 else None
        assert step is not None
        listed = isinstance(step, int)
        return Entry(
            (step,), self.text[lead : item.head], self.text[item.head : value_at], value, post,
            key=None if listed else step, sign=sign, listed=listed,
        )  # fmt: skip

    def _single(self, leaf: Leaf) -> Single:
        text = self.text
        start, value, end = self._span(leaf)
        if "*" in leaf.style:
            return Single(text[start:end], ("alias", text[start:end].encode()), style=ALIAS)
        sign = text[value:end][:1]
        return Single(
            text[start:end], (leaf.type, leaf.data), leaf, at=value - start,
            style=sign if sign in (SINGLE, DOUBLE, *_BLOCKS) else "",
        )  # fmt: skip

    def _flow(self, scope: Scope) -> Tree | Single:
        """Return a flow collection, as a single value if it has no brackets or cannot be divided."""
        start, value, end = self._span(scope)
        if isinstance(scope.note, Leaf):
            return Single(self.text[start:end], ("alias", self.text[start:end].encode()), style=ALIAS)
        if not self._has_brackets(scope):  # a single pair, `[a: 1]`
            return Single(self.text[start:end], self._content(scope))
        flow = Tree("seq" if scope.listed else "map", {}, brackets="[]" if scope.listed else "{}")
        flow.open = self.text[start : value + 1]
        members: list[tuple[Entry, int, int]] = []
        for item in self.items[id(scope)]:
            inner = self._flow(item) if isinstance(item, Scope) else self._single(item)
            begin, _, stop = self._span(item)
            members.append((self._made(item, item.head, begin, inner, ""), begin, max(stop, item.sign)))
        if not fill(flow, self.text, value + 1, end - 1, members, _GAP):
            self.unclear = True
            return Single(self.text[start:end], self._content(scope))
        flow.data = data_of(flow)
        return flow

    def _content(self, item: Scope | Leaf) -> Data:
        if isinstance(item, Leaf):
            return self._single(item).data
        inside = self.items[id(item)]
        if item.listed:
            return [self._content(each) for each in inside]
        return {str(each.step): self._content(each) for each in inside}


def _comments_after(entry: Entry) -> list[Entry]:
    """Return the comment lines after the last value of a block collection."""
    tree = entry.value
    if not isinstance(tree, Tree) or tree.flow:
        return []
    last = tree.members[-1]
    return [*_comments_after(last), *tree.entries[tree.entries.index(last) + 1 :]]


def _beside(entry: Entry) -> str:
    """Return the comment after the key of a block collection, or after the header of a block scalar."""
    old = entry.value
    head = entry.head[entry.sign :]
    if isinstance(old, Single) and old.style in _BLOCKS:
        head += old.text[: line_end(old.text, 0)]
    found = re.search(r"[ \t]+#[^\r\n]*", head)
    return found[0] if found else ""


def _keep_comments(entry: Entry, above: list[Entry], newline: str) -> None:
    """Move the comments above a collection's only member below it, and remove the one on its line."""
    last = _last(entry)
    ending = last.post[len(last.post.rstrip("\r\n")) :]
    comments = "".join(line.text for line in above)
    if comments and not ending and not _ends_a_line(entry.value):  # the text ends here
        ending, comments = newline, comments.rstrip("\r\n")
    last.post = ending + comments


def _comments_below(entry: Entry, outer: Tree) -> bool:
    """Whether a comment below an entry is indented deeper than the collection that holds the entry."""
    for line in outer.entries[outer.entries.index(entry) + 1 :]:
        if line.value is not None:
            break
        if line.lead.startswith(" " * (_column(outer) + 1)) and line.lead.strip():
            return True
    return False


def _last_line(value: Plain) -> str:
    """Return the string that a new value ends with, or "" if it ends with something else."""
    while isinstance(value, (dict, list)) and value:
        value = list(value.values())[-1] if isinstance(value, dict) else value[-1]
    return value if isinstance(value, str) else ""


def _without_tag(before: str) -> str:
    """Return the anchor before a value, without the tag: the new value may have another type."""
    anchor = re.sub(r"\A(&\S+\s+)?!\S*[ \t]*", r"\1", before)
    return anchor if not anchor or anchor[-1].isspace() else f"{anchor} "


def _column(tree: Tree) -> int:
    """Return the column of a block collection."""
    assert tree.column is not None
    return tree.column


def _last(entry: Entry) -> Entry:
    """Return the last entry of the block collection in an entry, however deep it is, or the entry itself."""
    while isinstance(entry.value, Tree) and not entry.value.flow and entry.value.members:
        entry = entry.value.members[-1]
    return entry


def _text_after(entry: Entry) -> str:
    """Return the text after the last value of an entry: the rest of its line, and comment lines."""
    comments = "".join(line.text for line in _comments_after(entry))
    last = _last(entry)
    return last.post + comments + (entry.post if last is not entry else "")


def _ends_a_line(node: Tree | Single | None) -> bool:
    """Whether the last value ends with a line break, as a block scalar does."""
    last = _last(Entry((), "", value=node)).value
    return last is not None and last.text[-1:] in ("\r", "\n")


_BLOCKS = (LITERAL, FOLDED)


def _layout_error() -> EmitError:
    return EmitError(
        "the layout here cannot be changed value by value", hint="change it with: encconf edit FILE"
    )


def _alias_error() -> EmitError:
    return EmitError(
        "the path leads through an alias, to a value that is used elsewhere as well",
        hint="change it at its anchor, or write it out with: encconf edit FILE",
    )
