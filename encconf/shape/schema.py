"""Convert a loaded dict to an object of the caller's type.  Errors name the place, never the value.

pydantic converts its own classes, msgspec the other types that it knows: dataclasses, TypedDict, attrs,
Struct, NamedTuple, ``dict[str, int]``.  Where only pydantic is installed, it also converts those of the
others that it knows.  The caller installs them, and they are imported only when needed.
"""

from __future__ import annotations

import re

from encconf.errors import ConfigTypeError, MissingExtraError, WrongTypeError
from encconf.text.path import spell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence, Set
    from typing import Any, TypeVar

    T = TypeVar("T")

_SHOWN = 8  # problems listed in one error
_PLACE = re.compile(r"(.*?)(?: - at (`key` in )?`\$([^`]*)`)?", re.DOTALL)


def convert(value: Any, schema: type[T], *, at: Sequence[str] = (), lax: bool = False) -> T:
    """Return the value as an object of the type ``schema``.

    ``at`` are the keys that lead to the value, for errors.  With ``lax``, a text that spells a number or a
    boolean is converted, since dotenv and INI files hold only texts.  Raises ConfigTypeError,
    MissingExtraError or WrongTypeError.
    """
    if hasattr(schema, "__pydantic_validator__"):
        return _by_pydantic(value, schema, at)
    try:
        import msgspec  # noqa: F401
    except ImportError:
        return _without_msgspec(value, schema, at)
    return _by_msgspec(value, schema, at, lax)


def _without_msgspec(value: Any, schema: type[T], at: Sequence[str]) -> T:
    """Convert by pydantic, if that is installed and knows the type."""
    from encconf.text.packages import how_to_install

    name = getattr(schema, "__name__", "this one")
    try:
        from pydantic import PydanticUserError
    except ImportError:
        raise MissingExtraError(
            f"a schema needs pydantic or msgspec: {name}",
            hint=f"install one: {how_to_install('encconf[msgspec]')}",
        ) from None
    try:
        return _by_pydantic(value, schema, at)
    except PydanticUserError:
        pass  # an attrs class, for example
    raise MissingExtraError(
        f"pydantic does not know this type of schema, and msgspec is not installed: {name}",
        hint=f"install it: {how_to_install('encconf[msgspec]')}",
    )


# Errors of pydantic whose message may contain the value.  So may any error that a validator defines.
_QUOTING = ("value_error", "assertion_error", "union_tag_invalid", "uuid_parsing", "bytes_invalid_encoding")


def _by_pydantic(value: Any, schema: type[T], at: Sequence[str]) -> T:
    from pydantic import TypeAdapter, ValidationError

    problems: list[str] = []
    try:
        return TypeAdapter(schema).validate_python(value)
    except ValidationError as error:
        texts = set(_texts(value))
        for each in error.errors(include_input=False):
            kind = each["type"]
            # Only pydantic's own errors have a URL, but a validator can raise one of those with the value in
            # its context.
            shown = kind not in _QUOTING and "url" in each
            shown = shown and not any(_tells(str(part), texts) for part in each.get("ctx", {}).values())
            what = each["msg"] if shown else f"the value is not accepted ({kind})"
            problems.append(_problem(_spelled([*at, *each["loc"]]), what))
    raise _refused(problems)


def _texts(value: Any) -> Iterator[str]:
    """Yield the single values below a value, as texts."""
    if isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
    else:
        yield str(value)


def _tells(text: str, values: Set[str]) -> bool:
    """Whether a text is one of the values, or contains one that is not too short to be there by chance."""
    return text in values or any(len(value) > 3 and value in text for value in values)


def _by_msgspec(value: Any, schema: type[T], at: Sequence[str], lax: bool) -> T:
    from msgspec import ValidationError
    from msgspec import convert as convert_to

    first: str | None = None
    try:
        converted: T = convert_to(value, schema, strict=not lax)
        return converted
    except TypeError as error:
        unknown = str(error).partition("\n")[0]  # about the types of the schema, not the values
    except ValidationError as error:
        first = _said(error, at)
    if first is not None:
        # msgspec stops at the first wrong field.  Some errors are about several fields together.
        raise _refused(list(_each(value, schema, at, lax)) or [first])
    raise WrongTypeError(
        f"msgspec does not accept the schema: {unknown}",
        hint="use a dataclass, TypedDict, attrs class, msgspec Struct or pydantic model",
    )


def _said(error: Exception, at: Sequence[str | int]) -> str:
    """Return an error of msgspec's about the value below a place, without the value."""
    found = _PLACE.fullmatch(str(error))
    assert found is not None  # every text matches
    what = re.sub(r"(Invalid (?:\w+ )?value) .*", r"\1", found[1], flags=re.DOTALL)
    if found[2]:
        what = f"a key is not accepted: {what[:1].lower()}{what[1:]}"
    if error.__cause__ is not None:  # __post_init__ raised it, so the message may contain the value
        what = "the class rejects the values"
    return _problem((_spelled(at) + (found[3] or "")).removeprefix("."), what)


def _each(value: Any, schema: Any, at: Sequence[str | int], lax: bool) -> Iterator[str]:
    """Yield what is wrong with each field of a value, for msgspec."""
    from typing import get_args, get_origin

    from msgspec import ValidationError
    from msgspec import convert as convert_to

    fields = _fields(schema) if isinstance(value, dict) else None
    inner = get_args(schema)
    if fields is not None:
        for key, hint, required in fields:
            if key in value:
                yield from _each(value[key], hint, [*at, key], lax)
            elif required:
                yield _problem(_spelled(at), f"object missing required field {key}")
    elif get_origin(schema) is list and isinstance(value, list):
        for number, item in enumerate(value):
            yield from _each(item, inner[0], [*at, number], lax)
    elif get_origin(schema) is dict and isinstance(value, dict) and inner[0] is str:
        for key, item in value.items():
            yield from _each(item, inner[1], [*at, str(key)], lax)
    else:
        try:
            convert_to(value, schema, strict=not lax)
        except ValidationError as error:
            yield _said(error, at)
        except TypeError:
            return  # msgspec does not know the type; `_by_msgspec` says so


def _fields(schema: Any) -> list[tuple[str, Any, bool]] | None:
    """Return the fields of a class: key, type, and whether it is required.  None for any other type."""
    from typing import get_type_hints

    from msgspec import inspect

    try:
        info = inspect.type_info(schema)
        if not isinstance(info, (inspect.StructType, inspect.DataclassType, inspect.TypedDictType)):
            return None
        hints = get_type_hints(schema, include_extras=True)
        return [(field.encode_name, hints[field.name], field.required) for field in info.fields]
    except Exception:  # any error of a type that cannot be resolved: the caller converts it as a whole
        return None


def _spelled(steps: Sequence[str | int]) -> str:
    return spell(steps) if steps else ""


def _problem(place: str, what: str) -> str:
    what = what.replace("`", "").rstrip(".")
    what = what[:1].lower() + what[1:]
    return f"{place}: {what}" if place else what


def _refused(problems: list[str]) -> ConfigTypeError:
    more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    return ConfigTypeError("; ".join(problems[:_SHOWN]) + more)
