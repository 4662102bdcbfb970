"""The words for true and false, the usual dates, values in brackets, and suggestions for misspelled words."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

TRUE = ("1", "t", "T", "true", "TRUE", "True")
"""The words that Go's strconv.ParseBool reads as true."""
FALSE = ("0", "f", "F", "false", "FALSE", "False")
"""The words that Go's strconv.ParseBool reads as false."""


def bool_word(value: bool | bytes) -> str:
    """Return ``true`` or ``false`` for a boolean, or for one of `TRUE` and `FALSE` as bytes."""
    return "true" if value is True or value in _TRUE else "false"


_TRUE = tuple(word.encode() for word in TRUE)


def on_one_line(
    value: object, word: Callable[[Any], str], key: Callable[[str], str], colon: str = ": ", comma: str = ", "
) -> str:
    """Return a value on one line.  ``word`` and ``key`` spell single values and keys."""
    if isinstance(value, dict):
        members = (
            f"{key(name)}{colon}{on_one_line(item, word, key, colon, comma)}" for name, item in value.items()
        )
        return "{" + comma.join(members) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + comma.join(on_one_line(item, word, key, colon, comma) for item in value) + "]"
    return word(value)


def ordered(value: Any, *, nulls: bool = True) -> Any:
    """Return a value with the members of mappings sorted by name, and without nulls unless ``nulls``."""
    if isinstance(value, dict):
        members = sorted(value.items())
        return {name: ordered(item, nulls=nulls) for name, item in members if nulls or item is not None}
    return [ordered(item, nulls=nulls) for item in value] if isinstance(value, (list, tuple)) else value


def weak_text(value: object) -> str | None:
    """Return a single value of the sops block as text, as sops (mapstructure) reads it.

    Returns None for a collection.
    """
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, (str, int)):
        return str(value)
    return "" if value is None else None


_DIGITS = str.maketrans("123456789", "000000000")


def is_usual_date(text: str) -> bool:
    """Whether a text has the form of the dates that sops writes.

    Most dates have it.  To compile a pattern for the others takes 0.2 ms or more of every start.
    """
    return text.translate(_DIGITS) == "0000-00-00T00:00:00Z"


def did_you_mean(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """Return ``did you mean X?`` with the most similar of the ``known`` words, or "" if none is similar."""
    from difflib import get_close_matches

    close = get_close_matches(word[:80], list(known), 1, cutoff)
    return f"did you mean {close[0]}?" if close else ""
