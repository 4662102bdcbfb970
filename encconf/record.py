"""`Record`, the base of classes that only hold values: it makes their constructor from annotated fields.

It replaces `dataclasses`, whose import takes 10 ms at every start.  Type checkers see the constructor of
each class.  Use it for classes with few objects.  A class that has one object for each value of a file
defines its own constructor and ``__slots__``, which takes a fifth of the time.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar, dataclass_transform
else:

    def dataclass_transform():
        """Stand in for the decorator of `typing`, which only type checkers need."""
        return lambda cls: cls


@dataclass_transform()
class Record:
    """The constructor accepts the fields in order or by name.  You can leave out a field with a default.

    A default is an attribute of the class, so it must be immutable.
    """

    _fields: ClassVar[dict[str, Any]] = {}
    _defaults: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls) -> None:
        own = vars(cls)
        cls._fields = {**cls._fields, **cls.__annotations__}
        cls._defaults = {**cls._defaults, **{name: own[name] for name in cls.__annotations__ if name in own}}

    def __init__(self, *values: Any, **named: Any) -> None:
        count = len(values) + len(named)
        named.update(zip(self._fields, values, strict=False))
        self.__dict__ = {**self._defaults, **named}
        if len(named) < count or self.__dict__.keys() != self._fields.keys():
            wanted, given = ", ".join(self._fields), ", ".join(named) or "nothing"
            raise TypeError(f"{type(self).__name__} takes {wanted}, not {count} values for {given}")
