"""Patterns of rules without google-re2: those that have no more than most rules need.

It reads literals, ``.``, classes in brackets, groups, ``|``, ``*``, ``+``, ``?``, ``^``, ``$``, ``(?i)`` and
``(?s)`` at the start, and the escapes of punctuation, ``\\d``, ``\\w``, ``\\s``, ``\\t``, ``\\n``, ``\\r``,
``\\A`` and ``\\z``.  All else needs RE2.

Python's ``re`` is no replacement, because a pattern from a file can make it search for years, and nothing
limits that.  This does what RE2 does: it follows all ways through the pattern at the same time, so that its
time is linear in the length of the text, and it keeps each step that it has taken.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    Part = tuple[Any, ...]
    """("char", class), ("and", parts), ("or", parts), ("*", part), ("+", …), ("?", …), ("^",) or ("$",)."""

MAX_DEPTH = 50
"""How many groups may be inside each other."""
MAX_KEPT = 1 << 18
"""How many steps and nodes are kept."""
MAX_WORK = 1 << 20
"""How many nodes may be visited for new steps: a second or two, and no real use comes near it."""

_SPECIAL = frozenset("\\.+*?[]{}()^$|")
_SETS = {
    "d": (("0", "9"),),
    "w": (("0", "9"), ("A", "Z"), ("_", "_"), ("a", "z")),
    "s": (("\t", "\n"), ("\f", "\r"), (" ", " ")),
}
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r"}
_FOLDED = {"k": "\u212a", "s": "\u017f"}
"""The characters outside ASCII that ``(?i)`` takes for an ASCII letter."""


class NeedsRe2Error(ValueError):
    """The pattern is not one of those that this module reads."""


class WorkError(RuntimeError):
    """The searches take too long."""


class Class:
    """A set of characters."""

    def __init__(self, ranges: Sequence[tuple[str, str]], negated: bool = False) -> None:
        self.ranges = ranges
        self.negated = negated

    def has(self, char: str) -> bool:
        """Whether it has this character."""
        return any(low <= char <= high for low, high in self.ranges) != self.negated


class _State:
    """All nodes at which a search can be, and where each character leads that was met here."""

    __slots__ = ("matches", "next", "nodes")

    def __init__(self, nodes: frozenset[int]) -> None:
        self.nodes = nodes
        self.matches = 0 in nodes
        self.next: dict[str, _State] = {}


class Machine:
    """A compiled pattern."""

    def __init__(self, text: str) -> None:
        """Compile a pattern.  Raises NeedsRe2Error."""
        self._nodes: list[tuple[Any, int, int]] = [("match", 0, 0)]  # what, next, and for "or" another next
        start = self._add(_Parser(text).whole(), 0)
        self._first = _State(self._reached([start], begins=True))
        self._always = self._reached([start])
        self._states: dict[frozenset[int], _State] = {}
        self._kept = 0
        self._work = MAX_WORK

    def search(self, text: str) -> bool:
        """Whether the pattern matches somewhere.  Raises WorkError if all searches together take too long."""
        state = self._first
        for char in text:
            if state.matches:
                return True
            state = state.next.get(char) or self._step(state, char)
        return 0 in self._reached(state.nodes, begins=not text, ends=True)

    def _step(self, state: _State, char: str) -> _State:
        nodes = (self._nodes[node] for node in state.nodes)
        entered = [then for what, then, _ in nodes if isinstance(what, Class) and what.has(char)]
        reached = self._reached(entered) | self._always
        self._work -= len(state.nodes) + len(reached) + 16
        if self._work < 0:
            raise WorkError
        following = self._states.get(reached)
        if following is None:
            following = self._states[reached] = _State(reached)
            self._kept += len(reached)
        self._kept += 1
        if self._kept > MAX_KEPT:
            self._first.next.clear()
            self._states = {reached: following}
            self._kept = len(reached)
            following.next.clear()
        else:
            state.next[char] = following
        return following

    def _reached(self, entered: Iterable[int], *, begins: bool = False, ends: bool = False) -> frozenset[int]:
        """Return the nodes that can be reached from these without a character."""
        found: set[int] = set()
        queue = list(entered)
        while queue:
            node = queue.pop()
            if node in found:
                continue
            found.add(node)
            what, then, other = self._nodes[node]
            if what == "or":
                queue += then, other
            elif (what == "^" and begins) or (what == "$" and ends):
                queue.append(then)
        return frozenset(found)

    def _add(self, part: Part, then: int) -> int:
        """Add the nodes of a part, after which ``then`` follows.  Returns the first of them."""
        kind, *content = part
        if kind == "char":
            return self._node(content[0], then)
        if kind in "^$":
            return self._node(kind, then)
        if kind == "and":
            for each in reversed(content[0]):
                then = self._add(each, then)
            return then
        if kind == "or":
            first, *others = content[0]
            start = self._add(first, then)
            for each in others:
                start = self._node("or", start, self._add(each, then))
            return start
        if kind == "?":
            return self._node("or", self._add(content[0], then), then)
        loop = self._node("or", then, then)
        start = self._add(content[0], loop)
        self._nodes[loop] = ("or", start, then)
        return loop if kind == "*" else start

    def _node(self, what: Any, then: int, other: int = 0) -> int:
        self._nodes.append((what, then, other))
        return len(self._nodes) - 1


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._folds = self._dot_is_all = False
        while self._take("(?i)", "(?s)", "(?is)", "(?si)"):
            self._folds |= "i" in self._taken
            self._dot_is_all |= "s" in self._taken

    _taken = ""

    def _take(self, *words: str) -> bool:
        for word in words:
            if self._text.startswith(word, self._at):
                self._at += len(word)
                self._taken = word
                return True
        return False

    def _next(self) -> str:
        char = self._text[self._at : self._at + 1]
        if not char:
            raise NeedsRe2Error
        self._at += 1
        return char

    def whole(self) -> Part:
        part = self._choice(0)
        if self._at < len(self._text):
            raise NeedsRe2Error
        return part

    def _choice(self, depth: int) -> Part:
        choices = [self._sequence(depth)]
        while self._take("|"):
            choices.append(self._sequence(depth))
        return ("or", choices)

    def _sequence(self, depth: int) -> Part:
        parts: list[Part] = []
        while self._at < len(self._text) and self._text[self._at] not in "|)":
            part = self._item(depth)
            if self._take("*", "+", "?"):
                if part[0] in "^$":
                    raise NeedsRe2Error
                part = (self._taken, part)
                self._take("?")  # lazy or not, it matches the same texts
            parts.append(part)
        return ("and", parts)

    def _item(self, depth: int) -> Part:
        char = self._next()
        if char == "(":
            if depth == MAX_DEPTH:
                raise NeedsRe2Error
            self._take("?:")
            part = self._choice(depth + 1)
            if not self._take(")"):
                raise NeedsRe2Error
            return part
        if char in "^$":
            return (char,)
        if char == ".":
            return ("char", Class(() if self._dot_is_all else (("\n", "\n"),), negated=True))
        if char == "[":
            return ("char", self._brackets())
        if char == "\\":
            return self._escape()
        if char in _SPECIAL:
            raise NeedsRe2Error
        return ("char", Class(self._folded((char, char))))

    def _escape(self) -> Part:
        """Read what follows a backslash."""
        escaped = self._next()
        if escaped in "Az":
            return ({"A": "^", "z": "$"}[escaped],)
        if escaped.lower() in _SETS:
            ranges = [each for span in _SETS[escaped.lower()] for each in self._folded(span)]
            return ("char", Class(ranges, negated=escaped.isupper()))
        char = self._escaped(escaped)
        return ("char", Class(self._folded((char, char))))

    def _escaped(self, char: str) -> str:
        if char in _CONTROLS:
            return _CONTROLS[char]
        if not char.isascii() or char.isalnum():
            raise NeedsRe2Error
        return char

    def _brackets(self) -> Class:
        negated = self._take("^")
        ranges: list[tuple[str, str]] = []
        first = True
        while first or not self._take("]"):
            first = False
            low = self._next()
            if low == "[" and self._text[self._at : self._at + 1] == ":":
                raise NeedsRe2Error
            if low == "\\":
                escaped = self._next()
                if escaped in _SETS:
                    ranges += [each for span in _SETS[escaped] for each in self._folded(span)]
                    continue
                low = self._escaped(escaped)
            high = low
            if self._text[self._at : self._at + 1] == "-" and self._text[self._at + 1 : self._at + 2] != "]":
                self._at += 1
                high = self._next()
                if high == "\\":
                    high = self._escaped(self._next())
                if high < low:
                    raise NeedsRe2Error
            ranges += self._folded((low, high))
        return Class(ranges, negated)

    def _folded(self, span: tuple[str, str]) -> list[tuple[str, str]]:
        """Return the characters from one to another, with both cases under ``(?i)``."""
        low, high = span
        ranges = [span]
        if self._folds:
            if not high.isascii():
                raise NeedsRe2Error
            for char in map(chr, range(ord(low), ord(high) + 1)):
                if char.isalpha():
                    ranges += [(each, each) for each in (char.swapcase(), *_FOLDED.get(char.lower(), ""))]
        return ranges
