"""Putting a value into a TOML text and taking one out; every other byte stays.

A new key comes behind the last one of its table, a new table at the end of the text.  What was said
in another form than `toml` can point at, a table with a header in the place of a value for example,
is taken out first.
"""

from __future__ import annotations

from encconf.errors import EmitError, ParseError, PathNotFoundError
from encconf.formats import toml
from encconf.formats.plain import missing
from encconf.text.document import Leaf, splice
from encconf.text.path import spell
from encconf.text.tree import nested

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.formats.toml import Item, Step
    from encconf.text.document import Scope
    from encconf.text.path import Path
    from encconf.text.tree import Plain


def put(text: str, path: Path, value: Plain) -> str:
    """A text with a value at a path: in the place of what is there, or as a new last entry.

    Raises PathNotFoundError for a path that cannot be, EmitError for what has no place in the text,
    ParseError.
    """
    return _Text(text).put(path, value)


def drop(text: str, path: Path) -> str:
    """A text without the value at a path.  Raises PathNotFoundError, EmitError, ParseError."""
    return _Text(text).drop(path)


class _Text:
    """A text with the places of its items."""

    __slots__ = ("newline", "places", "scanner", "text")

    def __init__(self, text: str) -> None:
        toml.scan(text)  # from here on it is TOML
        self.text = text
        self.newline = toml._newline(text)
        self.scanner = toml._Scanner(text, places=True)
        self.scanner.run()
        self.places = self.scanner.places or {}

    # Putting in.

    def put(self, path: Path, value: Plain) -> str:
        scope = self.scanner.root
        for at, step in enumerate(path):
            step = _step(scope, step)
            if not _has(scope, step):
                return self._add(scope, path[at:], value)
            inner = self.scanner.inner.get((scope, step))
            if inner is None:
                leaf: Leaf = scope.node[step]
                new = self._spell(nested(path[at + 1 :], value), leaf)
                return splice(self.text, [(leaf.start, leaf.end, new)])
            scope = inner
        if scope in self.scanner.ends:
            start, end = self._value(scope)
            return splice(self.text, [(start, end, self._spell(value))])
        if not path or isinstance(path[-1], int):
            raise EmitError(
                "a table of an array cannot be replaced", hint="change it with: encconf edit FILE"
            )
        return put(self.drop(path), path, value)

    def _add(self, scope: Scope, path: Path, value: Plain) -> str:
        """Put what is missing from a table or array on."""
        if scope in self.scanner.ends:
            return self._into(scope, path, value)
        if isinstance(scope.node, list):
            return self._section(scope.keys, nested(path[1:], value), array=True)
        names: list[str] = []
        for step in path:
            if isinstance(step, int):
                break
            names.append(step)
        value = nested(path[len(names) :], value)
        if scope.parent is None and (len(names) > 1 or (isinstance(value, dict) and value)):
            if isinstance(value, dict):
                return self._section(tuple(names), value)
            return self._section(tuple(names[:-1]), {names[-1]: value})
        table = self.scanner.root
        found: tuple[int, Scope] | None = (0, table) if scope is table else None
        for line in self.scanner.block:
            if line.header:
                table = self.scanner.inner[line.scope, line.step]
                if table is scope:
                    found = (line.end, table)
            elif _within(line.scope, scope) and not _within(table, scope, strictly=True):
                found = (line.end, table)
        if found is None:  # no header of its own: only inner tables have one
            return self._section(scope.keys, nested(names, value))
        at, table = found
        keys = (*scope.keys[len(table.keys) :], *names)
        member = f"{'.'.join(map(toml.spell_key, keys))} = {self._spell(value)}{self.newline}"
        if at and self.text[at - 1] != "\n":
            member = self.newline + member.removesuffix(self.newline)
        return self.text[:at] + member + self.text[at:]

    def _section(self, keys: tuple[str, ...], members: Plain, *, array: bool = False) -> str:
        """A new table at the end."""
        if not isinstance(members, dict):
            raise EmitError("an array of tables holds no other values", hint="put a mapping there")
        name = ".".join(map(toml.spell_key, keys))
        lines = [f"[[{name}]]" if array else f"[{name}]"]
        lines += [f"{toml.spell_key(key)} = {self._spell(item)}" for key, item in members.items()]
        text = self.text
        if text and not text.endswith("\n"):
            text += self.newline
        if text.strip():
            text += self.newline
        return (
            text + self.newline.join(lines) + (self.newline if not self.text or self.text[-1] == "\n" else "")
        )

    def _into(self, scope: Scope, path: Path, value: Plain) -> str:
        """Put a member or item behind the last one between brackets."""
        text = self.text
        member = self._spell(nested(path[1:], value))
        if isinstance(path[0], str):
            member = f"{toml.spell_key(path[0])} = {member}"
        start, end = self._value(scope)
        spans = self._spans(scope)
        if not spans:
            inside = text[start + 1 : end - 1]
            if inside.strip():  # a comment
                gap = "" if inside[0].isspace() else " "
                return splice(text, [(start + 1, start + 1, member + gap)])
            return splice(text, [(start + 1, end - 1, member)])
        before = text.find(",", spans[-2][1]) if len(spans) > 1 else start
        blank = text[before + 1 : spans[-1][0]]
        if blank.strip() or (len(spans) == 1 and "\n" not in blank):
            blank = " "  # a comment stands there
        return splice(text, [(spans[-1][1], spans[-1][1], f",{blank}{member}")])

    # Taking out.

    def drop(self, path: Path) -> str:
        scope = self.scanner.root
        target: Item | None = None
        for at, step in enumerate(path):
            if target is not None:
                inner = self.scanner.inner.get(target)
                if inner is None:
                    raise missing(path[: at + 1])
                scope = inner
            target = (scope, _step(scope, step))
            if not _has(*target):
                raise missing(path[: at + 1])
        if target is None:
            raise missing(())
        if scope in self.scanner.ends:
            return splice(self.text, [self._member(scope, target)])
        whole = (*scope.path, target[1])
        edits = [
            (self._before(line.start) if line.header else line.start, line.end, "")
            for line in self.scanner.block
            if (*line.scope.path, line.step)[: len(whole)] == whole
        ]
        if not edits:
            raise EmitError(
                "a part of a dotted key cannot be taken out", hint="do it with: encconf edit FILE"
            )
        text = splice(self.text, edits)
        parent = scope.path
        if parent and scope.step is not None:
            try:
                return text if _Text(text)._is_there(parent) else put(text, parent, type(scope.node)())
            except ParseError:
                raise EmitError(
                    "the value cannot be taken out", hint="do it with: encconf edit FILE"
                ) from None
        return text

    def _before(self, start: int) -> int:
        """Where the empty line before a header begins; the header if there is none."""
        line = toml._line_before(self.text, start)
        return line if line < start and toml._line_before(self.text, line) < line else start

    def _is_there(self, path: Path) -> bool:
        scope: Scope | None = self.scanner.root
        for step in path:
            if scope is None or not _has(scope, step):
                return False
            scope = self.scanner.inner.get((scope, step))
        return True

    def _member(self, scope: Scope, item: Item) -> tuple[int, int, str]:
        if item not in self.places:
            raise EmitError(
                "a part of a dotted key cannot be taken out", hint="do it with: encconf edit FILE"
            )
        spans = self._spans(scope)
        number = next(at for at, span in enumerate(spans) if span[0] == self.places[item][0])
        if number:
            return spans[number - 1][1], spans[number][1], ""
        if len(spans) > 1:
            return spans[0][0], spans[1][0], ""
        start, end = self._value(scope)
        return start + 1, end - 1, ""

    # Places.

    def _value(self, scope: Scope) -> tuple[int, int]:
        """The span of an array or inline table."""
        assert scope.parent is not None
        assert scope.step is not None
        return self.places[scope.parent, scope.step][1], self.scanner.ends[scope]

    def _spans(self, scope: Scope) -> list[tuple[int, int]]:
        """The spans of all between an array's or inline table's commas, in order."""
        spans: list[tuple[int, int]] = []
        pending = [scope]
        while pending:
            outer = pending.pop()
            steps = range(len(outer.node)) if isinstance(outer.node, list) else outer.node
            for step in steps:
                inner = self.scanner.inner.get((outer, step))
                if inner is None:
                    spans.append((self.places[outer, step][0], outer.node[step].end))
                elif inner in self.scanner.ends:
                    spans.append((self.places[outer, step][0], self.scanner.ends[inner]))
                else:
                    pending.append(inner)  # made by a dotted key
        return sorted(spans)

    def _spell(self, value: Plain, leaf: Leaf | None = None) -> str:
        """A value, a string in the quotes of what it replaces; a date stays one."""
        if isinstance(value, str) and leaf is not None:
            if leaf.style != toml.BARE:
                return toml._string(leaf.style, str(leaf.note or ""), self.newline, value)
            if leaf.type == "str" and _is_time(value):
                return value
        return toml.spell(_nulls(value)).replace("\n", self.newline)


def _is_time(value: str) -> bool:
    try:
        (leaf,) = toml.scan(f"k = {value}").leaves
    except (ParseError, ValueError):
        return False
    return leaf.style == toml.BARE and leaf.type == "str" and leaf.data == value.encode()


def _nulls(value: Plain) -> Plain:
    """A value with the string that rops takes for null in the place of None."""
    if isinstance(value, dict):
        return {key: _nulls(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_nulls(item) for item in value]
    return "null" if value is None else value


def _step(scope: Scope, step: Step) -> Step:
    """A step that may lead from a scope; a negative index counts from the end."""
    if isinstance(scope.node, dict):
        if isinstance(step, str):
            return step
        raise PathNotFoundError(f"{spell([step])} cannot be there: a mapping has keys, no indexes")
    if isinstance(step, str):
        raise PathNotFoundError(f"{spell([step])} cannot be there: a list has indexes, no keys")
    if step < 0:
        step += len(scope.node)
        if step < 0:
            raise PathNotFoundError(f"the list has only {len(scope.node)} items")
    return step


def _has(scope: Scope, step: Step) -> bool:
    return step in scope.node if isinstance(step, str) else step < len(scope.node)


def _within(scope: Scope | None, outer: Scope, *, strictly: bool = False) -> bool:
    """Whether a scope is another one or inside it."""
    if strictly and scope is not None:
        scope = scope.parent
    while scope is not None:
        if scope is outer:
            return True
        scope = scope.parent
    return False
