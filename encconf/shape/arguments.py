"""Check the types of arguments, so that the error names the argument and is not one from deep inside."""

from __future__ import annotations

import os

from encconf.errors import UsageError, WrongTypeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def path_of(value: Any, call: str) -> str:
    """Return a file's name as a str.  Raises WrongTypeError, which names the call."""
    if isinstance(value, (str, os.PathLike)):
        name = os.fspath(value)
        if isinstance(name, str):
            return name
    raise WrongTypeError(f"{call} needs a file's name (str or path), not {type(value).__name__}")


def check(**given: Any) -> None:
    """Check the types of options, which are given by name.  None is always accepted.

    Raises WrongTypeError, and UsageError for a negative interval.
    """
    for name, value in given.items():
        if value is not None and not _OPTIONS[name][0](value):
            raise WrongTypeError(f"{name} must be {_OPTIONS[name][1]}, not {type(value).__name__}")
    if (given.get("interval") or 0) < 0:
        raise UsageError("interval must not be negative: it is in seconds")


def _is_schema(value: object) -> bool:
    """Whether it is a class or a type of `typing`: ``dict[str, int]``, ``A | B``, ``Annotated``, NewType."""
    signs = ("__origin__", "__args__", "__supertype__", "__value__")
    return isinstance(value, type) or any(hasattr(value, sign) for sign in signs)


def _is_section(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, tuple) and all(isinstance(key, str) for key in value))


_OPTIONS: dict[str, tuple[Callable[[Any], bool], str]] = {
    # Classes of encconf are recognized by an attribute, since their modules are loaded only when needed.
    "cache": (lambda value: hasattr(value, "fetch"), "a DataKeyCache"),
    "credentials": (lambda value: hasattr(value, "age_sources"), "Credentials"),
    "resolve": (
        lambda value: isinstance(value, bool) or hasattr(value, "lets_choose"),
        "True, False or a Resolve",
    ),
    "env": (lambda value: isinstance(value, str), "a str, the prefix of the variables' names"),
    "environ": (lambda value: hasattr(value, "keys"), "a mapping of names to texts"),
    "format": (lambda value: isinstance(value, str), "a str: yaml, json, dotenv, ini, toml or binary"),
    "interval": (
        lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
        "a number of seconds",
    ),
    "paths": (
        lambda value: hasattr(value, "__iter__") and not isinstance(value, (str, bytes)),
        "a list of files",
    ),
    "rule": (lambda value: hasattr(value, "selection_for"), "a Rule, which find_rule makes"),
    "mask": (lambda value: isinstance(value, bool), "True or False"),
    "schema": (_is_schema, "a class, not an object of it"),
    "section": (_is_section, "a str or a tuple of str"),
}
