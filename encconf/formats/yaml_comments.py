"""Where sops stores each comment of a YAML text.

sops authenticates a comment with the keys of the mapping or sequence that holds it, and go-yaml decides
which collection that is: its scanner makes every run of comment lines a head, line or foot comment of a
token (go.yaml.in/yaml/v3 3.0.4 scannerc.go), its parser assigns them to nodes (parserc.go, decode.go), and
sops stores them between the items of a container (sops 3.13.3 stores/yaml/store.go).  `place` computes the
same from the events of ruamel.yaml.

Most events have no comments nearby.  So the pass over the events examines them closely only from a ``#`` on,
until every comment in that gap belongs to a node.

Two cases differ from sops.  sops repeats the comments inside an anchored collection for each alias; here,
each comment is placed once, where it is written.  Comments in collections that are mapping keys, which sops
refuses, are placed anywhere.
"""

from __future__ import annotations

import re

from ruamel.yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Event = Any


BREAKS = "\r\n\x85\u2028\u2029"
_COMMENT = re.compile(rf"#([^{BREAKS}]*)([ \t\r\n]*)")
_LINE_COMMENT = re.compile(rf"[ \t]{{0,511}}#([^{BREAKS}]*)")
_SPACE = re.compile(rf"[ \t{BREAKS}]*")
_BREAK = re.compile(rf"\r\n|[{BREAKS}]")
_BREAK_CHAR = re.compile(rf"[{BREAKS}]")
_WIDE = frozenset("\x85\u2028\u2029")  # go-yaml's look-ahead misreads the second of their bytes
_BLANK = frozenset(" \t" + BREAKS)
_CLOSING = frozenset("]}")
# Rarely needed, so compiled when used.
_PROPERTY = r"!<[^>]*>|[!&]\S*"
_SPACE_AND_COMMENTS = rf"(?:[ \t{BREAKS}]+|#[^{BREAKS}]*)*"
_DIRECTIVE = rf"%[^{BREAKS}]*?(?:[ \t]#([^{BREAKS}]*))?(?:\r\n|[{BREAKS}])"
_LOOKAHEAD = 512  # how many characters go-yaml's scanner looks ahead after a comment line
NOWHERE = -1

# The kinds of tokens, as far as they matter for the comments after them.  "-", "?", ":" and "," are kinds
# of their own.
TEXT = "text"  # a plain or block scalar: the blanks and line breaks after it are part of it
NODE = "node"  # any other scalar, an alias, a bracket, an anchor or a tag
MARK = "mark"  # a document marker, a directive or the start of the stream: has no line comment


class Placed:
    """One comment line: ``text[start:end]`` is what follows the ``#``.

    ``container`` is the index of the event that starts the mapping or sequence that holds it in sops's tree,
    or -1 if go-yaml drops it or its document has no collection.  ``before`` is the index of the event that
    starts the next item there (in a mapping, the item's key), or -1 for a comment after the last item.
    ``document`` counts from 0.
    """

    __slots__ = ("before", "container", "document", "end", "start")

    def __init__(self, start: int, end: int, document: int) -> None:
        self.start = start
        self.end = end
        self.container = NOWHERE
        self.before = NOWHERE
        self.document = document


class Piece:
    """Comment lines that belong to one node, as its head, line or foot.

    The first node whose token is at ``mark`` or later takes them.  ``start``, ``column`` (from 1) and ``end``
    say where they are.  ``scan`` is where the scanner began to search for them; it decides whether a block
    that closes here ends before or after them.
    """

    __slots__ = ("column", "comments", "end", "mark", "role", "scan", "start")

    def __init__(
        self, role: int, mark: int, comments: list[Placed],
        start: int = 0, column: int = 0, scan: int = 0, end: int = -1,
    ) -> None:  # fmt: skip
        self.role, self.mark, self.comments = role, mark, comments
        self.start, self.column, self.scan, self.end = start, column, scan, end


HEAD, LINE, FOOT = 0, 1, 2


class Scanner:
    """Divides the comments between tokens into pieces, as go-yaml's scanner does.

    The caller passes the positions of the events' tokens; the scanner finds the indicators between them.
    """

    def __init__(self, text: str, at: int) -> None:
        self.text = text
        # The position, its line and the start of that line; the line breaks since the last token or comment;
        # and the position right after the last token.
        self.at = self.bol = self.scan = at
        self.line = self.breaks = 0
        # The last two tokens: what they are, and a position inside them.
        self.kind = self.kind_before = MARK
        self.token = self.token_before = 0
        # The tree at the position.
        self.in_flow = False
        self.indent = -1  # column of the innermost block collection
        self.document = 0

        self.placed: list[Placed] = []
        self.pieces: list[Piece] = []

    def resume(self, kind: str, end: int, line: int, column: int) -> None:
        """Continue right after a token."""
        self.kind, self.token = kind, end - 1
        self.at, self.line, self.bol, self.breaks = end, line, end - column, 0

    def run(self, stop: int) -> None:
        """Advance to ``stop``, where a token begins, over indicators and comments."""
        text = self.text
        if text[self.at : stop] == ": ":  # the most frequent case; the loop would do the same
            self.kind_before, self.token_before = self.kind, self.token
            self.kind, self.token = ":", self.at
            self.at, self.scan, self.breaks = stop, stop - 1, 0
            return
        while True:
            at = self.at
            if self.kind is TEXT:
                at = self._skip_space(at, stop)
            if not self.breaks and self.kind not in ("-", MARK):
                found = _LINE_COMMENT.match(text, at, stop)
                if found:
                    # After "key:" it belongs to the key, after "item," to the item.
                    before = self.kind == "," or (self.kind == ":" and not self.in_flow)
                    self.add_line(self.token_before if before else self.token, *found.span(1))
                    at = found.end()
            self.scan = at
            scan_line = self.line
            while True:
                at = self._skip_space(at, stop)
                if at >= stop or text[at] != "#":
                    break
                at = self._cut(at, scan_line)
                self.breaks = 0
            self.at = at
            if at >= stop:
                return
            self.kind_before, self.token_before = self.kind, self.token
            self.kind, self.token = text[at], at
            self.at += 1
            self.breaks = 0
            if self.kind == "%":
                self._skip_directive(at)
            elif self.kind == ".":  # one more "..."
                self.kind = MARK
                self.at += 2

    def run_properties(self, stop: int) -> None:
        """Advance over anchors and tags, and the comments after them."""
        while self.at < stop:
            found = re.compile(_PROPERTY).match(self.text, self.at, stop)
            if not found:
                return
            self.kind, self.token, self.breaks = NODE, self.at, 0
            self.at = found.end()
            after = re.compile(_SPACE_AND_COMMENTS).match(self.text, self.at, stop)
            self.run(after.end() if after else stop)

    def _skip_directive(self, at: int) -> None:
        found = re.compile(_DIRECTIVE).match(self.text, at)
        if found is None:
            return
        if found.end(1) >= 0:
            self.add(*found.span(1))  # go-yaml drops this comment
        self.kind = MARK
        self.at = self.bol = found.end()  # the line break is part of the directive
        self.line += 1
        self.breaks = 1

    def _skip_space(self, at: int, stop: int) -> int:
        if at >= stop or self.text[at] not in _BLANK:
            return at
        found = _SPACE.match(self.text, at, stop)
        end = found.end() if found else at
        for found in _BREAK.finditer(self.text, at, end):
            self.breaks += 1
            self.line += 1
            self.bol = found.end()
        return end

    def add(self, start: int, end: int) -> Placed:
        """Add a comment line that belongs to no piece yet."""
        placed = Placed(start, end, self.document)
        self.placed.append(placed)
        return placed

    def add_line(self, mark: int, start: int, end: int) -> None:
        """Add a comment on the line of a token."""
        self.pieces.append(Piece(LINE, mark, [self.add(start, end)]))

    def _cut(self, at: int, scan_line: int) -> int:
        """Divide the comment lines from ``at`` on into pieces.  Returns the end of the last line."""
        text = self.text
        indent = max(self.indent, 0)
        after_comma = self.kind == ","
        mark, kind = (self.token_before, self.kind_before) if after_comma else (self.token, self.kind)
        column = at - self.bol + 1
        line = self.line
        adjacent = self.breaks <= 1  # no empty line so far
        # The line below the token: a comment on it is the token's foot comment.
        foot_line = line - self.breaks + 1 + (not self.breaks and column > 2) if scan_line > 0 else -1
        scan = self.scan
        comments: list[Placed] = []
        start = start_line = start_column = 0

        def foot(mark: int, end: int) -> None:
            self.pieces.append(Piece(FOOT, mark, comments, start, start_column, scan, end))

        while True:
            if not comments:
                start, start_line, start_column = at, line, column
            found = _COMMENT.match(text, at)
            assert found is not None
            end = found.end(1)
            comments.append(self.add(at + 1, end))

            after, char = self._ahead(end, found.end())
            space = text[end + 1 : after]
            breaks = _BREAK_CHAR.findall(space) if space.strip(" \t") else ()
            dedented = start_column - 1 < indent
            if breaks or not char:
                stop = end + 1 + space.index(breaks[0]) if breaks else after
                if adjacent and (dedented or (start_line == foot_line and kind != ":")):
                    foot(start if dedented else mark, stop)
                    scan, mark, comments = stop, stop, []
                adjacent = False
            if self.in_flow and char in _CLOSING:
                if comments:
                    foot(start if dedented else mark, after)
                    comments = []
                break
            if not char or char == " ":
                break
            last_break = end + 1 + space.rindex(breaks[-1]) if breaks else end
            column = after - last_break
            if comments and column - 1 < indent and column != start_column:
                foot(mark, after)
                scan, mark, comments = after, after, []
            if char != "#":
                break
            line = self.line + len(breaks)
            self.line += count_breaks(text[end:after])
            self.bol = last_break + 1
            at = after
        if comments:
            self.pieces.append(Piece(HEAD, start, comments, start, start_column, scan, after - 1))
        return end

    def _ahead(self, end: int, space_end: int) -> tuple[int, str]:
        """Return where go-yaml sees the end of the blanks after a comment line, and the character there.

        The line ends at ``end``.  go-yaml counts the second half of a CRLF as another line break, that is, as
        an empty line.
        """
        text = self.text
        limit = end + _LOOKAHEAD
        after = max(min(space_end, limit), end + 1)
        char = text[after : after + 1] if after < limit else " "
        if text[end : end + 1] in _WIDE:
            return end + 1, "?"
        return (after + 1, "?") if char in _WIDE else (after, char)


def count_breaks(space: str) -> int:
    """Return the number of line breaks in a text.  CRLF is one."""
    return len(_BREAK.findall(space))


_HEADER_COMMENT = rf"[|>][-+0-9]*[ \t]*#([^{BREAKS}]*)"
_NEVER = 1 << 62
_STARTS = (MappingStartEvent, SequenceStartEvent)
_ENDS = (MappingEndEvent, SequenceEndEvent)


def place(text: str, events: list[Event]) -> list[Placed]:
    """Return the comments of a text, in its order.

    ``events`` are all events of the text from ruamel.yaml's safe parser, the one in C or the one in Python.
    Offsets are code points of ``text``.
    """
    return _Walk(text, events).run() if "#" in text else []


class _Walk:
    """One pass over the events, which assigns the scanner's pieces to nodes as go-yaml's parser does.

    The comments of an event's token are known only when the text after it has been scanned.  So each
    `step` scans up to its event, and then lets the event before it `take` its comments.
    """

    def __init__(self, text: str, events: list[Event]) -> None:
        self.text = text
        self.events = events
        marked = text[0] == "\ufeff"
        # The parser in C does not count the byte order mark, the one in Python does.
        self.shift = len(text) - events[-1].end_mark.index if marked else 0

        # The tree around the next event: the event that starts the innermost collection, and the column of
        # the innermost block.  In a mapping, an event is a key if its index minus `base` is odd.
        self.top = self.base = self.column = NOWHERE
        self.above: list[tuple[int, int]] = []  # `top` and `column` of the collections around that
        self.closed = NOWHERE  # the event that starts the collection that ended last
        self.root = self.last_root = NOWHERE
        self.document = NOWHERE
        self.open_ended = False  # whether the last document has no "..."

        # How many of the scanner's pieces were released, and which of their comments no node has taken yet.
        self.scanner = Scanner(text, int(marked))
        self.released = 0
        self.due: tuple[list[Placed], list[Placed], list[Placed]] = ([], [], [])  # head, line and foot
        # For the event that takes its comments next: the token before it, and where its block ends.
        self.fence = self.block_end = 0
        self.document_over = False
        self.gap: dict[int, int] = {}  # for each column, where the comments at that column start
        # Foot comments of a mapping's item, by the event after the item.  That event (the next key or the
        # end of the mapping) may have foot comments for the same item, which replace them.
        self.item_feet: dict[int, list[Placed]] = {}

    def run(self) -> list[Placed]:
        look = self.text.find("#") - self.shift
        for i, event in enumerate(self.events):
            if event.end_mark.index > look:
                look = self.step(i, event)
            kind = event.__class__
            if kind is ScalarEvent:
                continue
            if kind in _STARTS:
                self.above.append((self.top, self.column))
                if self.top < 0:
                    self.root = i
                self.top = self.base = i
                if self.is_block(event):
                    self.column = event.end_mark.column
            elif kind in _ENDS:
                if kind is MappingEndEvent and self.is_pair_end(event):
                    look = self.step(i, event)
                self.closed = self.top
                self.top, self.column = self.above.pop()
                self.base = i
            elif kind is DocumentStartEvent:
                self.document += 1
                self.last_root, self.root = self.root, NOWHERE
            elif kind is DocumentEndEvent:
                self.open_ended = not event.explicit
        if self.open_ended:
            self.end_document(self.root, self.document, len(self.text))
        return self.scanner.placed

    def step(self, i: int, event: Event) -> int:
        """Examine an event closely.  Returns the index (as marks count) from which on to do it again."""
        if self.is_empty(event):  # it has no token, and the two parsers put it in different places
            return -1
        j = i - 1
        while j > 0 and self.is_empty(self.events[j]):
            j -= 1
        before = self.events[j]
        kind = event.__class__
        begin = event.start_mark.index + self.shift
        end = event.end_mark.index + self.shift
        if kind is DocumentStartEvent and event.explicit:
            begin = end - 3  # after the directives
        elif kind is MappingEndEvent and self.is_pair_end(event):
            # The end has no token, and the comments after the comma still belong to the pair.
            begin = self.events[i + 1].start_mark.index + self.shift

        scanner = self.scanner
        scanner.in_flow = self.is_flow(self.top)
        scanner.indent = self.column
        scanner.document = max(self.document, 0)
        if before.end_mark.index + self.shift > scanner.at:
            self.resume(before)
        scanner.run(begin)
        if self.is_busy():
            self.take(j, before)
        self.fence = scanner.token
        if kind in _ENDS:
            self.close(i, begin)
        elif self.text.find("#", begin, end) >= 0:
            self.scan_inside(event, end)
        if self.is_busy():
            return -1
        scanner.pieces.clear()
        self.released = 0
        look = self.text.find("#", max(scanner.at, end))
        return look - self.shift if look >= 0 else _NEVER

    def resume(self, event: Event) -> None:
        """Move the scanner to the end of an event's token."""
        mark = event.end_mark
        end, line = mark.index + self.shift, mark.line
        kind = event.__class__
        is_marker = kind is DocumentStartEvent or kind is DocumentEndEvent
        token = NODE
        if is_marker or event.start_mark.index == mark.index:  # in the second case, a token begins here
            token = MARK
        elif kind is not ScalarEvent:
            # The "-" or "?" that begins a sequence or a pair is part of its event.
            token = self.text[end - 1] if self.text[end - 1] in "-?" else NODE
        elif event.style and event.style in "|>":
            token = TEXT
            span = self.text[event.start_mark.index + self.shift : end]
            space = span[len(span.rstrip(" \t" + BREAKS)) :]
            end, line = end - len(space), line - count_breaks(space)
        elif event.value and not event.style:
            token = TEXT
        self.scanner.resume(token, end, line, mark.column)
        if is_marker and event.start_mark.index < mark.index:
            self.scanner.token = end - 3

    def scan_inside(self, event: Event, end: int) -> None:
        """Scan the comments inside an event's own span: after an anchor, a tag or ``|``."""
        kind = event.__class__
        scanner = self.scanner
        if kind in _STARTS or kind is ScalarEvent:
            if event.anchor is not None or event.tag is not None:
                scanner.run_properties(end)
            if kind is ScalarEvent and event.style and event.style in "|>":
                found = re.compile(_HEADER_COMMENT).match(self.text, scanner.at, end)
                if found:
                    scanner.add_line(scanner.at, *found.span(1))

    def close(self, i: int, begin: int) -> None:
        """Find out where the block that an event closes ends, among the comments before the event."""
        pieces = self.scanner.pieces
        before = self.events[i - 1]
        if before.__class__ not in _ENDS or before.start_mark.index + self.shift != begin:
            self.block_end = self.scanner.scan - 1
            self.document_over = False
            self.gap = {}
            reached = self.block_end
            for piece in reversed(pieces):
                if piece.end < reached:
                    break
                self.gap[piece.column] = piece.start
                reached = piece.scan
        if not self.is_block(self.events[self.top]):
            return
        if self.column <= begin - self.scanner.bol and not self.document_over:
            # The block does not end by a dedent, but with the document.
            self.block_end = begin - 1
            self.document_over = True
        if pieces and pieces[-1].end >= self.block_end:
            self.block_end = self.gap.get(self.column + 1, self.block_end)

    # --- what an event is ------------------------------------------------------------------

    def is_empty(self, event: Event) -> bool:
        """Whether the event is an empty plain scalar without an anchor or tag, which has no characters."""
        return (
            event.__class__ is ScalarEvent
            and not event.value
            and not event.style
            and event.start_mark.index == event.end_mark.index
        )

    def is_pair_end(self, event: Event) -> bool:
        """Whether the event ends a ``key: value`` without braces in a flow sequence."""
        return event.start_mark.index == event.end_mark.index and self.is_flow(self.top)

    def is_flow(self, start: int) -> bool:
        return start >= 0 and bool(self.events[start].flow_style)

    def is_list(self, start: int) -> bool:
        return start >= 0 and self.events[start].__class__ is SequenceStartEvent

    def is_block(self, event: Event) -> bool:
        """Whether a collection has an indentation of its own.

        A flow collection has none, and a sequence at the column of its key has none either.  The start event
        of such a sequence includes its first ``-``.
        """
        return not event.flow_style and (
            event.__class__ is MappingStartEvent
            or event.start_mark.index == event.end_mark.index
            or self.text[event.end_mark.index + self.shift - 1] != "-"
        )

    def after_value(self, i: int) -> int:
        """Return the index of the event after the node that starts with event ``i``."""
        depth = 0
        while True:
            kind = self.events[i].__class__
            depth += (kind in _STARTS) - (kind in _ENDS)
            i += 1
            if not depth:
                return i

    # --- assigning comments to nodes -------------------------------------------------------

    def is_busy(self) -> bool:
        """Whether any comment does not belong to a node yet."""
        heads, lines, feet = self.due
        return bool(self.released < len(self.scanner.pieces) or heads or lines or feet)

    def release(self, mark: int, *, heads: bool = True) -> None:
        """Move the comments of pieces up to the token at ``mark`` to those that the next node takes."""
        pieces = self.scanner.pieces
        while self.released < len(pieces):
            piece = pieces[self.released]
            if piece.mark > mark or (piece.role == HEAD and not heads):
                break
            self.due[piece.role].extend(piece.comments)
            self.released += 1

    def taken(self, mark: int) -> tuple[list[Placed], list[Placed], list[Placed]]:
        """Return the head, line and foot comments up to the token at ``mark``, which a node takes."""
        self.release(mark)
        due = self.due
        self.due = ([], [], [])
        return due

    def put(self, comments: list[Placed], inside: int, before: int, document: int | None = None) -> None:
        """Place comments in a collection, before the item that an event starts or at the collection's end."""
        if before >= 0 and self.events[before].__class__ in _ENDS:
            before = NOWHERE
        for comment in comments:
            comment.container = inside
            comment.before = before
            comment.document = self.document if document is None else document

    def put_feet(self, feet: list[Placed], inside: int, after: int) -> None:
        """Place the foot comments of the item before the event ``after``."""
        if feet:
            self.put(feet, inside, after)
            self.item_feet.setdefault(after, feet)

    def replace_feet(self, feet: list[Placed], inside: int, after: int, before: int) -> None:
        """As `put_feet`, for foot comments that replace others of that item."""
        if feet:
            for comment in self.item_feet.pop(after, ()):
                comment.container = comment.before = NOWHERE
            self.put(feet, inside, before)

    def take(self, i: int, event: Event) -> None:
        """Assign the comments of an event.  The pass has moved past this event, but not past the next one."""
        kind = event.__class__
        end = event.end_mark.index + self.shift
        if kind is ScalarEvent or kind is AliasEvent:
            if kind is AliasEvent or event.value or event.style:
                self.take_scalar(i, *self.taken(end - 1))
        elif kind in _STARTS:
            self.take_start(i, event, end)
        elif kind in _ENDS:
            self.take_end(i, event, end)
        elif kind is DocumentStartEvent:
            if event.explicit and self.open_ended:
                # The last document ends before the first directive.
                mark = self.events[i - 1].start_mark.index + self.shift
                self.end_document(self.last_root, self.document - 1, mark)
        elif kind is DocumentEndEvent and event.explicit:
            self.end_document(self.root, self.document, end - 3)

    def take_start(self, i: int, event: Event, end: int) -> None:
        """Assign the comments of a collection's start.  The event's span ends at ``end``."""
        parent = self.above[-1][0]
        if event.flow_style:
            if self.text[end - 1] in "[{":
                heads = self.taken(end - 1)[0]  # go-yaml loses the others: those of the end replace them
                self.put(heads, *((parent, i) if self.is_list(parent) else (i, i + 1)))
        elif event.start_mark.index == event.end_mark.index and self.is_list(parent):
            # A comment before the "-" belongs to the item, not to the first item of that item.
            self.release(self.fence)
            self.put(self.due[HEAD], parent, i)
            self.due[HEAD].clear()

    def take_end(self, i: int, event: Event, end: int) -> None:
        """Assign the comments of a collection's end."""
        start, parent = self.closed, self.top
        if self.events[start].flow_style:
            if event.start_mark.index < event.end_mark.index:
                _, lines, feet = self.taken(end - 1)
                self.put_lines(lines, start, parent)
                if self.is_list(parent) or (parent >= 0 and i + 1 not in self.item_feet):
                    self.put_feet(feet, parent, i + 1)
                else:
                    self.put(feet, start, NOWHERE)
        elif self.is_block(self.events[start]):
            self.release(self.fence)
            self.release(self.block_end, heads=False)
            if event.__class__ is MappingEndEvent:
                _, lines, feet = self.taken(NOWHERE)
                self.put_lines(lines, start, parent)
                self.replace_feet(feet, start, i, NOWHERE)

    def put_lines(self, lines: list[Placed], start: int, parent: int) -> None:
        """Place the comments on the line of a collection."""
        self.put(lines, *((parent, start) if self.is_list(parent) else (start, start + 1)))

    def take_scalar(self, i: int, heads: list[Placed], lines: list[Placed], feet: list[Placed]) -> None:
        """Assign the comments of a single value or a key."""
        top = self.top
        is_list = self.is_list(top)
        is_key = not is_list and (i - self.base) & 1
        self.put(heads + lines, top, i if is_list or is_key else i - 1)
        if not feet:
            return
        if is_key and i > top + 1 and not self.is_flow(top):  # the foot comments of the previous item
            self.replace_feet(feet, top, i, i)
        else:
            self.put_feet(feet, top, self.after_value(i + 1) if is_key else i + 1)

    def end_document(self, root: int, document: int, mark: int) -> None:
        """Assign the last comments of a document, those up to the token at ``mark``."""
        heads, _, feet = self.taken(mark)
        self.put(feet or heads, root, NOWHERE, document)
