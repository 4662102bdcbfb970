"""Explain a failed comparison of masked values (`encconf.shape.mask`) without showing them.

pytest explains two texts that differ by their difference, which shows both; see
`encconf.integrations.pytest`.
"""

from __future__ import annotations

from encconf.shape.mask import MaskedBytes, MaskedFloat, MaskedInt, MaskedStr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MOST = 100_000  # how many values are looked at
_LINES = 20
_TELLING = 4  # a shorter text may be part of others by chance
_MASKED = (MaskedStr, MaskedBytes, MaskedInt, MaskedFloat)


def _masked_in(value: object) -> list[object]:
    """Return the masked values in a value, also in collections and objects with fields."""
    found: list[object] = []
    seen: set[int] = set()
    todo = [value]
    while todo and len(seen) < _MOST:
        item = todo.pop()
        if isinstance(item, _MASKED):
            found.append(item)
        elif id(item) not in seen and not isinstance(item, (str, bytes, int, float, type, type(None))):
            seen.add(id(item))
            todo += _members(item).values()
    return found


def _members(item: object) -> dict[object, object]:
    """Return the members of a collection or an object by their keys, indexes or names."""
    from collections import deque
    from collections.abc import Mapping, Set

    if isinstance(item, Mapping):
        return dict(item.items())
    if isinstance(item, (list, tuple, deque)):
        return dict(enumerate(item))
    if isinstance(item, Set):
        return dict(enumerate(item))
    names = [*getattr(item, "__dict__", ()), *getattr(type(item), "__struct_fields__", ())]
    for kind in type(item).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        names += [slots] if isinstance(slots, str) else slots
    fields = {name: getattr(item, name, None) for name in names if isinstance(name, str)}
    return {name: field for name, field in fields.items() if not name.startswith("__")}


def compared(op: str, left: object, right: object) -> list[str] | None:
    """Return the lines that explain a failed comparison of masked values, or None if there are none.

    The lines show no masked value, not even where the other side has it as ordinary text.
    """
    masked = [*_masked_in(left), *_masked_in(right)]
    if not masked:
        return None
    secrets = {_text(value) for value in masked if isinstance(value, (str, bytes))}
    from reprlib import Repr

    short = Repr()
    short.maxstring = short.maxother = 240
    short.maxdict = short.maxlist = short.maxtuple = short.maxset = 20
    lines = [f"{short.repr(left)} {op} {short.repr(right)}"]
    if op == "==":
        places: list[str] = []
        _differences("", left, right, places, short.repr)
        lines += places[:_LINES] + [f"... and {len(places) - _LINES} more"] * (len(places) > _LINES)
    lines.append("(values from encrypted files are masked)")
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _TELLING:
            lines[:-1] = [line.replace(secret, "**********") for line in lines[:-1]]
    return lines


def _text(value: str | bytes) -> str:
    """Return a masked value as the repr of an ordinary one has it."""
    return str.__repr__(value)[1:-1] if isinstance(value, str) else bytes.__repr__(value)[2:-1]


def _differences(place: str, left: object, right: object, lines: list[str], short: Any) -> None:
    """Add a line for each place where two values differ."""
    if len(lines) > 1000 or left is right:
        return
    ours, theirs = ({} if isinstance(side, (str, bytes)) else _members(side) for side in (left, right))
    if type(left) is not type(right) or not (ours or theirs):
        if place and left != right:
            lines.append(f"{place}: {short(left)} != {short(right)}")
        return
    for key in {**ours, **theirs}:
        inner = f"{place}[{key!r}]"
        if key not in ours or key not in theirs:
            lines.append(f"{inner}: only on the {'left' if key in ours else 'right'}")
        else:
            _differences(inner, ours[key], theirs[key], lines, short)
