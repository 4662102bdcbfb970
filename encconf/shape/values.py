"""Values that a program gives or compares: which can be stored, and which are the same."""

from __future__ import annotations

import re
from math import isnan

from encconf.errors import EmitError, LimitError, WrongTypeError
from encconf.text.document import MAX_DEPTH
from encconf.text.path import Path, spell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from encconf.text.document import Plain


def plain(value: object, path: Path = ()) -> Plain:
    """Return a copy of a value to store at a path, with exact types: a subclass of str becomes a str.

    Raises WrongTypeError, EmitError for what no file can hold, LimitError for a value that is nested deeply
    or contains itself.  No error shows the value.
    """
    if isinstance(value, str):
        return _exact(value, path, "a text")
    if value is None or type(value) in (bool, float):
        return value  # type: ignore[return-value]
    if type(value) is int:
        if not -(2**63) <= value < 2**63:
            raise EmitError(f"{spell(path)}: an integer of more than 64 bits", hint="store it as a str")
        return value
    if not isinstance(value, (dict, list, tuple)):
        raise WrongTypeError(
            f"{spell(path)}: {type(value).__name__} cannot be stored",
            hint="store a str, int, float, bool, None, or a dict or list of these",
        )
    if len(path) >= MAX_DEPTH:
        raise LimitError(
            f"{spell(path[:1])}: it is nested deeper than {MAX_DEPTH} levels, or contains itself"
        )
    if isinstance(value, dict):
        copy: dict[str, Plain] = {}
        for key, member in value.items():
            exact = plain_key(key, path)
            copy[exact] = plain(member, (*path, exact))
        return copy
    items: list[Plain] = []
    for at, item in enumerate(value):
        items.append(plain(item, (*path, at)))
    return items


def plain_key(key: object, path: Path) -> str:
    """Return a key of the dict at a path as an exact str.  Raises what `plain` raises."""
    if not isinstance(key, str):
        raise WrongTypeError(f"{spell(path)}: a key is a str, not {type(key).__name__}")
    return _exact(key, path, "a key")


def _exact(text: str, path: Path, what: str) -> str:
    exact = str.__str__(text)  # a subclass, such as an enum, may print as something else
    if not exact.isascii() and re.search("[\ud800-\udfff]", exact):
        raise EmitError(f"{spell(path)}: {what} holds half of a surrogate pair, which UTF-8 cannot store")
    return exact


def same(old: Any, new: Any) -> bool:
    """Whether two values are the same in content and type.  1, 1.0 and True differ, and NaN is NaN.

    The order of keys does not matter, nor the class of a str.
    """
    if isinstance(old, dict) and isinstance(new, dict):
        return old.keys() == new.keys() and all(map(same, old.values(), map(new.__getitem__, old)))
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(same, old, new))
    if isinstance(old, str) or isinstance(new, str):
        return bool(old == new)
    if type(old) is not type(new):
        return False
    return bool(old == new) or (isinstance(old, float) and isnan(old) and isnan(new))
