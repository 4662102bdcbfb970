"""The comments of a YAML text cut into pieces, as the scanner of go-yaml does (v3 3.0.4, scannerc.go).

Every run of comment lines becomes the head, line or foot comment of a token.  `encconf.formats.comments`
decides which node and which collection get it.
"""

from __future__ import annotations

import re

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
