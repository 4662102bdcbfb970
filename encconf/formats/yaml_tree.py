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
from encconf.formats.yaml_places import Node, compose, walk
from encconf.formats.yaml_words import ALIAS, DOUBLE, FOLDED, LITERAL, line_end, line_start, newline_of, plain
from encconf.text.tree import LINE, Entry, Single, Tree, append, data_of, fill, lines, nested, take

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.text.document import Document
    from encconf.text.path import Path
    from encconf.text.tree import Data, Plain


class YamlWriting(Writing):
    """See the module's docstring."""

    def tree(self, document: Document) -> Tree:
        """Return the tree of a scanned text: a stream of documents, each with its directives and markers."""
        text = document.text
        stream = Tree("stream", [])
        if not document.parts:  # the text has comments at most
            if text.strip("\ufeff \t\r\n"):
                stream.entries.append(_bare(text, 0, len(text)))
            else:
                stream.tail = text
            return stream
        starts = [line_start(text, part.start) for part in document.parts]
        starts[0] = 0
        leaves = [leaf for leaf in document.leaves if "*" not in leaf.style]
        datas: dict[int, Data] = {leaf.start: (leaf.type, leaf.data) for leaf in leaves}
        walked = walk(document, starts)
        for number, (start, end) in enumerate(pairwise([*starts, len(text)])):
            reader = _Reader(text[start:end], start, datas)
            stream.entries.append(reader.document(walked[number] if walked else compose(reader.text)))
            stream.unclear = stream.unclear or reader.unclear
        stream.data = data_of(stream)
        stream.fuller = bool(document.merges) or len(leaves) < len(document.leaves)
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
        _refuse_unclear(entry)
        kept = old.style if isinstance(old, Single) else ""
        anchored = ""
        if isinstance(old, Single) and old.shared:
            anchored = old.text[: old.at]
        elif isinstance(old, Tree) and old.shared and old.flow:
            anchored = old.open[:-1]
        if outer.flow:
            new = in_flow(value) if is_full(value) else word(value, kept, True)
            is_bare = isinstance(entry.steps[0], str) and entry.head[: entry.sign][-1:] != ":"  # `{key}`
            is_empty = isinstance(old, Single) and not old.text and not is_bare  # `{key:}`
            entry.value = Single(f": {new}" if is_bare else f" {new}" if is_empty else anchored + new, {})
        elif not is_full(value) and isinstance(old, Single) and old.text[old.at :] and kept not in _BLOCKS:
            entry.value = Single(anchored + word(value, kept, False), {})
        else:
            quotes = kept if isinstance(value, str) else ""
            if (
                isinstance(value, str)
                and "\n" in value
                and ("#" in _text_after(entry) or _comments_below(entry, outer))
            ):
                quotes = DOUBLE  # a block scalar would include the comments
            style = TextStyle(chain[0], quotes)
            head = entry.head[: entry.sign]
            if head.startswith("? ") and head[-1] != ":":  # a key without a value
                head = head[1:].strip() + ":"
            laid = style.item(head, value, outer.column or 0)
            laid[0] += _beside(entry)
            newline = style.newline if _ends_a_line(old) and not (isinstance(old, Tree) and old.flow) else ""
            entry.post = _text_after(entry)
            entry.value = Single(style.newline.join(laid)[outer.column or 0 :] + newline, {})
            entry.head, entry.sign = "", None

    def add(self, chain: list[Entry], path: Path, value: Plain) -> None:
        """Add a value as the last entry of a collection."""
        here = chain[-1].tree
        inner = nested(path[1:], value)
        last = here.last
        if last is None:
            self.replace(chain, (), nested(path, value))
        elif here.flow:
            member = in_flow(inner)
            if isinstance(path[0], str):
                member = f"{plain(path[0], flow=True)}: {member}"
            append(here, member, " " if last.head[last.sign or 0 :][:1] == " " else "")
        else:
            has_lines = isinstance(inner, str) and "\n" in inner
            style = TextStyle(chain[0], DOUBLE if has_lines and _comments_below(last, here) else "")
            head = "-" if isinstance(path[0], int) else f"{plain(path[0])}:"
            laid = style.newline.join(style.item(head, inner, here.column or 0))
            ended = (last.text or chain[-1].head)[-1:] in ("\r", "\n")
            laid = laid + style.newline if ended else style.newline + laid
            at = len(here.entries)
            while here.entries[at - 1] is not last:
                at -= 1
            here.entries.insert(at, Entry(path[:1], laid, value=Single("", {})))

    def remove(self, chain: list[Entry], path: Path) -> None:
        """Remove an entry.  A comment above it stays."""
        entry, last = chain[-1], chain[-1].value
        if path and isinstance(last, Single) and last.style == ALIAS:
            raise _alias_error()
        if path or len(chain) < 2:
            raise _layout_error()
        outer = chain[-2].tree
        if outer.flow:
            take(outer, entry)
            return
        _refuse_unclear(entry)
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
        flow = isinstance(old, Tree) and old.flow
        before, after = entry.lead + entry.head, entry.post
        ended = False
        if isinstance(old, Tree) and not flow:
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
        if not value or (flow and ((isinstance(old, Tree) and old.entries) or not alone)):
            laid = in_flow(value)
        else:
            laid = style.newline.join(style.entries(value, 0))
        if before and before[-1] not in "\r\n\ufeff \t":
            laid = style.newline + laid
        if ended or (not after.startswith(("\r", "\n")) and not flow):
            laid += style.newline
        entry.lead, entry.head, entry.value, entry.post = "", before, Single(laid, {}), after


_MARKER = re.compile(r"(?m)^---(?=[ \r\n]|\Z)")
_END = re.compile(r"(?m)^\.\.\.(?=[ \r\n]|\Z)")
_GAP = re.compile(r"(?>(?:[ \t\r\n]++|(?<=[ \t\n])#[^\n]*|\A#[^\n]*)*)")


def _bare(text: str, head: int, stop: int) -> Entry:
    block = Tree("map", {}, column=0)
    block.bare = True
    block.entries = lines(text, head, stop)
    return Entry((), "", text[:head], block, text[stop:], listed=True)


def _only_comments(text: str, start: int, end: int) -> bool:
    if start == end:
        return True
    return all(line[0].strip()[:1] in ("", "#") for line in LINE.finditer(text, start, end))


class _Reader:
    """The reader of one document.  The document is ``unclear`` if its entries are not whole lines."""

    __slots__ = ("datas", "start", "text", "unclear")

    def __init__(self, text: str, start: int, datas: dict[int, Data]) -> None:
        self.text = text
        self.start = start
        self.datas = datas
        self.unclear = re.search("\r[^\n]", text) is not None

    def document(self, root: Node) -> Entry:
        """Return the document with the given ``root`` as an entry of the stream."""
        text = self.text
        marker = _MARKER.search(text, 0, max(root.start, 0))
        head = marker.end() if marker else 1 if text[:1] == "\ufeff" else 0
        alone = True
        if marker is not None:
            alone = text[head : line_end(text, head)].strip()[:1] in ("", "#")
            head = line_end(text, head) if alone else head
        ending = _END.search(text, root.end)
        stop = ending.start() if ending else len(text)
        if root.kind == "map" and root.flow:
            return Entry((), "", text[: root.start], self._flow(root), text[root.end :], listed=True)
        if not root.items and root.start == root.end and alone and _only_comments(text, head, stop):
            return _bare(text, head, stop)
        if root.kind != "map" or not root.items:
            value = Single(text[root.start : root.end], {})
            return Entry((), "", text[: root.start], value, text[root.end :], listed=True)
        first = self._line(root.items[0].begin)
        if first < head or not _only_comments(text, head, first):
            self.unclear = True
            head = first = root.items[0].begin
        block, end = self._block(root, head, stop, -1)
        if _only_comments(text, end, stop):
            block.entries += lines(text, end, stop)
        else:
            self.unclear = True
            stop = end
        return Entry((), "", text[:head], block, text[stop:], listed=True)

    def _line(self, at: int) -> int:
        """Return where the line of an offset starts, after a byte order mark."""
        start = line_start(self.text, at)
        return start + (start == 0 and self.text[:1] == "\ufeff")

    def _block(self, node: Node, at: int, limit: int, outside: int) -> tuple[Tree, int]:
        """Return a block collection from offset ``at`` on, and where its lines end, before ``limit``.

        ``outside`` is the column of the collection around it.  Comments after the last item belong to this
        collection if they are indented deeper than that, and at least as deep as the items.
        """
        text, items = self.text, node.items
        line = self._line(items[0].begin)
        block = Tree(node.kind, {}, column=items[0].begin - line)
        block.inline = bool(text[line : items[0].begin].strip())
        block.shared = node.shared
        for number, item in enumerate(items):
            line = item.begin if block.inline and number == 0 else self._line(item.begin)
            if line < at or text[line : item.begin].strip(" ") or not _only_comments(text, at, line):
                self.unclear = True
                line = at
            block.entries += lines(text, at, line)
            following = items[number + 1].begin if number + 1 < len(items) else limit
            entry, at = self._entry(item, line, following, block.column or 0)
            block.entries.append(entry)
        end = at
        for found in LINE.finditer(text, at, limit):  # comments after the last item
            line_text = found[0].strip()
            indent = len(found[0]) - len(found[0].lstrip(" "))
            if line_text and (line_text[0] != "#" or indent < (block.column or 0) or indent <= outside):
                break
            end = found.end() if line_text else end
        block.entries += lines(text, at, end)
        block.data = data_of(block)
        return block, end

    def _entry(self, node: Node, line: int, following: int, column: int) -> tuple[Entry, int]:
        """Return an item whose line begins at ``line``, and where it ends.

        ``following`` is where the next item starts, and ``column`` is the column of the items.
        """
        text = self.text
        after = max(node.after, node.begin)
        if node.kind == "leaf" or node.flow:
            end = min(line_end(text, max(node.end, after)), max(following, node.end))
            value: Tree | Single = self._flow(node) if node.kind != "leaf" else self._single(node)
            return self._made(node, line, node.start, value, text[node.end : end]), end
        start = first = node.items[0].begin
        if self._line(first) > after:
            start = line_end(text, after)
            if start > self._line(first):
                self.unclear = True
                start = first
        limit = following if following < 0 else self._line(following) if following < len(text) else following
        block, end = self._block(node, start, max(limit, node.end), column)
        return self._made(node, line, start, block, ""), end

    def _made(self, node: Node, lead: int, value_at: int, value: Tree | Single, post: str) -> Entry:
        key, begin, after = node.key, node.begin, node.after
        listed = isinstance(key, int)
        return Entry(
            (key,), self.text[lead:begin], self.text[begin:value_at], value, post,
            key=None if listed else key, sign=after - begin if after >= 0 else None, listed=listed,
        )  # fmt: skip

    def _single(self, node: Node) -> Single:
        text = self.text[node.start : node.end]
        if node.style == ALIAS:
            data: Data = ("alias", text.encode())
        else:
            data = self.datas.get(self.start + node.value, ("null", None))
        return Single(text, data, at=node.value - node.start, style=node.style, shared=node.shared)

    def _flow(self, node: Node) -> Tree | Single:
        """Return a flow collection, as a single value if it has no brackets or cannot be divided."""
        if node.value < node.start:  # a single pair, `[a: 1]`
            return Single(self.text[node.start : node.end], self._content(node))
        brackets = "{}" if node.kind == "map" else "[]"
        flow = Tree(node.kind, {}, brackets=brackets)
        flow.open = self.text[node.start : node.value + 1]
        flow.shared = node.shared
        members: list[tuple[Entry, int, int]] = []
        for item in node.items:
            value = self._flow(item) if item.kind != "leaf" else self._single(item)
            start = item.start
            if isinstance(value, Single) and item.kind != "leaf":
                start = item.begin
            entry = self._made(item, item.begin, start, value, "")
            members.append((entry, start, max(item.end, item.after)))
        if not fill(flow, self.text, node.value + 1, node.end - 1, members, _GAP):
            self.unclear = True
            return Single(self.text[node.start : node.end], self._content(node))
        flow.data = data_of(flow)
        return flow

    def _content(self, node: Node) -> Data:
        if node.kind == "leaf":
            return self._single(node).data
        if node.kind == "map":
            return {str(item.key): self._content(item) for item in node.items}
        return [self._content(item) for item in node.items]


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
        if line.lead.startswith(" " * ((outer.column or 0) + 1)) and line.lead.strip():
            return True
    return False


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


def _refuse_unclear(entry: Entry) -> None:
    if entry.sign is None:
        raise _layout_error()


def _layout_error() -> EmitError:
    return EmitError(
        "the layout here cannot be changed value by value", hint="change it with: encconf edit FILE"
    )


def _alias_error() -> EmitError:
    return EmitError(
        "the path leads through an alias, to a value that is used elsewhere as well",
        hint="change it at its anchor, or write it out with: encconf edit FILE",
    )
