"""`Record` and `VerbOptions`, bases of classes that only hold values: annotations make their constructors.

They replace `dataclasses`, whose import takes 10 ms at every start.  Type checkers see the constructor of
each class.  Use them for classes with few objects.  A class that has one object for each value of a file
defines its own constructor and ``__slots__``, which takes a fifth of the time.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar, Self, dataclass_transform
else:

    def dataclass_transform(**_):
        """Stand in for the decorator of `typing`, which only type checkers need."""
        return lambda cls: cls


class _Fields:
    """The annotated fields of a class and its bases, and the defaults of those that have one.

    A default is an attribute of the class, so nothing may change it.
    """

    _fields: ClassVar[dict[str, Any]] = {}
    _defaults: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls) -> None:
        cls._fields, cls._defaults = {}, {}
        for base in cls.__mro__[-3::-1]:  # without this class and `object`
            own = vars(base)
            cls._fields.update(base.__annotations__)
            cls._defaults.update({name: own[name] for name in base.__annotations__ if name in own})


@dataclass_transform()
class Record(_Fields):
    """The constructor accepts the fields in order or by name.  You can leave out a field with a default."""

    def __init__(self, *values: Any, **named: Any) -> None:
        count = len(values) + len(named)
        named.update(zip(self._fields, values, strict=False))
        object.__setattr__(self, "__dict__", {**self._defaults, **named})  # also of one that refuses changes
        if len(named) < count or self.__dict__.keys() != self._fields.keys():
            wanted, given = ", ".join(self._fields), ", ".join(named) or "nothing"
            raise TypeError(f"{type(self).__name__} takes {wanted}, not {count} values for {given}")

    def replace(self, **changes: object) -> Self:
        """Return a copy with other values for the named fields.  Derive records with it: no field is lost."""
        if unknown := changes.keys() - self._fields.keys():
            raise TypeError(f"{type(self).__name__} has no {', '.join(sorted(unknown))}")
        derived = type(self).__new__(type(self))
        object.__setattr__(derived, "__dict__", {**vars(self), **changes})
        return derived


@dataclass_transform(kw_only_default=True)
class VerbOptions(_Fields):
    """The base of the options of a verb.  The constructor accepts the fields by name.

    Classes with options that several verbs have can be combined: ``class Options(ByRule, Naming)``.
    """

    def __init__(self, **named: Any) -> None:
        self.__dict__ = {**self._defaults, **named}
        if self.__dict__.keys() != self._fields.keys():
            wanted, given = ", ".join(self._fields), ", ".join(named) or "nothing"
            raise TypeError(f"{type(self).__name__} takes {wanted}, not {given}")

    @classmethod
    def fields(cls) -> dict[str, str]:
        """Return the annotation of each field by its name."""
        return dict(cls._fields)

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """Return the fields that have a default, with it."""
        return dict(cls._defaults)
