"""Secrets that print as asterisks.

`MaskedStr` and `MaskedBytes` behave like `str` and `bytes`, but their ``repr`` is ``'**********'``.
So a debug page, a notebook, a traceback with local variables or ``print(config)`` shows no secret, while
database drivers, JSON and hmac get the text.  This hides values from people, not from code.
``yaml.safe_dump`` and ``msgspec.json.encode`` refuse subclasses of str: give them ``str(value)``.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

STARS = "'**********'"


def _stars(value: object) -> str:
    return STARS


class MaskedStr(str):
    """A str whose ``repr`` is ``'**********'``.

    >>> password = MaskedStr("hunter2")
    >>> password
    '**********'
    >>> password == "hunter2", f"{password}"
    (True, 'hunter2')

    A part of it (``password[:4]``) is masked, too.  A pydantic field of this type keeps the mask; a field of
    type ``str`` loses it.
    """

    __slots__ = ()
    __repr__ = _stars

    def __getitem__(self, at: Any) -> MaskedStr:
        return MaskedStr(super().__getitem__(at))  # rich cuts a long text, and then takes the repr

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema())


class MaskedBytes(bytes):
    """Bytes whose ``repr`` is ``'**********'``: a ``!!binary`` value that is not UTF-8."""

    __slots__ = ()
    __repr__ = _stars

    def __getitem__(self, at: Any) -> Any:
        found = super().__getitem__(at)
        return MaskedBytes(found) if isinstance(found, bytes) else found


class MaskedInt(int):
    """An int whose ``repr`` hides it, for libraries that put the input into their errors."""

    __slots__ = ()
    __repr__ = _stars
    __str__ = int.__repr__  # without it, str() and f-strings call __repr__


class MaskedFloat(float):
    """A float whose ``repr`` hides it; see `MaskedInt`."""

    __slots__ = ()
    __repr__ = _stars
    __str__ = float.__repr__


_TEXTS: dict[type, type] = {str: MaskedStr, bytes: MaskedBytes}
_VALUES = {**_TEXTS, int: MaskedInt, float: MaskedFloat}


LOADED: dict[str | bytes, None] = {}
"""The texts that were masked when files were loaded, for `encconf.shape.redact`."""


def masked(value: object) -> object:
    """Return the value of a file, masked if it is a str or bytes."""
    if isinstance(value, (str, bytes)) and len(value) > 3:
        LOADED[value] = None
    mask = _TEXTS.get(type(value))
    return value if mask is None else mask(value)


def masked_number(value: object) -> object:
    """Return the value of a file, masked if it is a str, bytes, int or float."""
    mask = _VALUES.get(type(value))
    return masked(value) if type(value) in _TEXTS or mask is None else mask(value)
