"""What a YAML scalar means to sops: its type, and the bytes that are hashed and encrypted.

The rules are those of go.yaml.in/yaml/v3 3.0.4 (resolve.go, decode.go), which are neither YAML 1.1 nor
1.2: ``yes`` is a string, ``010`` is 8, ``08`` is a float.  The bytes are those of sops 3.13.3 (sops.go
ToBytes), which do not keep a value's spelling: ``0x1F`` becomes ``31`` and ``1.0`` becomes ``1``.  encconf
must encrypt exactly these bytes: sops takes a value for unchanged if it parses to the same value, and then
reuses its nonce, which must never encrypt other bytes.

This module handles neither mapping keys nor the places of scalars in a text.
"""

from __future__ import annotations

import math
import re
from binascii import a2b_base64

from encconf.errors import ParseError
from encconf.text.words import FALSE, TRUE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime

    from encconf.text.document import Plain

_WORDS: dict[str, tuple[str, bytes | None]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), ("null", None)),
    # sops stores booleans capitalised, because the first sops was written in Python.
    **dict.fromkeys(("true", "True", "TRUE"), ("bool", b"True")),
    **dict.fromkeys(("false", "False", "FALSE"), ("bool", b"False")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), ("float", b"NaN")),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), ("float", b"+Inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), ("float", b"-Inf")),
}
_FIRST = frozenset([*"+-0123456789", *(word[:1] for word in _WORDS)])  # other scalars are strings

# Compiled when first used: most files have no unusual numbers, and compiling takes a millisecond.
# With more than 64 digits, it is too large in any base, and int() would be slow.
_INTEGER = r"([-+]?)(0[xX]|0[bB]|0[oO]|0|)([-+]?)(0*+[0-9a-fA-F]{0,64}+)"
_DECIMAL = r"[-+]?[0-9]{1,400}"  # no float has more digits, and int() is slow on very many
_OF_NUMBERS = "0123456789abcdefABCDEFxXoO+-."
_FLOAT = r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
_SPECIAL = r"[-+]?inf(?:inity)?|nan"  # as Go's ParseFloat accepts them; rops writes inf
_POINT_FLOAT = r"\.[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+(?:_[0-9]+)*)?"
_TIME = (
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})"
    r"(?:([Tt]| +)([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:[.,]([0-9]+))?(Z|[-+][0-9]{2}:[0-9]{2})?)?"
)
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

_TAGS = "tag:yaml.org,2002:"
_BASES = {"": 10, "0": 8, "0b": 2, "0o": 8, "0x": 16}
_KINDS = {"null": "null", "bool": "bool", "int": "int", "float": "float", "timestamp": "time"}
_SILENT = "sops refuses it, or silently reads it as null"


def resolve(value: str, tag: str | None, plain: bool) -> tuple[str, bytes | None]:
    """Return type and bytes of a scalar: str, int, float, bool, time or null.  A null has None for bytes.

    ``tag`` is the tag as the parser resolved it (``tag:yaml.org,2002:int`` for ``!!int``), or None or ``!``
    for a scalar without a tag.  ``plain`` says that the scalar has neither quotes nor a block header.
    Strings are UTF-8, times are RFC 3339, and a ``!!binary`` is a str of any bytes.  Raises ParseError,
    without a position, for what sops cannot store.
    """
    if tag is None or tag == "!":
        if plain and value[:1] in _FIRST:
            return _implicit(value)
        return "str", _encode(value)
    name = tag.removeprefix(_TAGS) if tag.startswith(_TAGS) else tag[2:] if tag.startswith("!!") else ""
    if name == "binary":
        return "str", _decode_base64(value)
    if name not in _KINDS:
        return "str", _encode(value)
    type, data = _implicit(value, is_time=name == "timestamp") if value[:1] in _FIRST else ("str", None)
    if type == _KINDS[name]:
        return type, data
    if name == "float" and type == "int" and data is not None:
        return "float", format_float(float(int(data)))
    raise ParseError(
        f"the tag !!{name} does not fit its value", hint=f"remove the tag or correct the value; {_SILENT}"
    )


def parse(type: str, data: bytes | None) -> str | bytes | int | float | bool | datetime | None:
    """Return the Python value for a type and bytes, from `resolve` or from a ciphertext.

    A str that is not UTF-8 is returned as bytes.  An int may have up to 400 digits, more than sops can
    hold.  A time has a time zone, and loses fractions of a microsecond.  In the year 0, which Python does
    not have, it stays a text.  Raises ValueError if the bytes do not fit the type; the error does not
    contain the bytes.
    """
    if type == "str" and data is not None:
        try:
            return data.decode()
        except UnicodeDecodeError:
            return data
    if type == "null" or data is None:
        return None
    text = data.decode("latin-1")
    if type == "int" and ((text.isdecimal() and len(text) < 20) or re.fullmatch(_DECIMAL, text)):
        return int(text)
    if type == "float" and re.fullmatch(rf"(?i:{_SPECIAL})|{_FLOAT}", text):
        real = float(text)
        if math.isfinite(real) or re.search("(?i)inf|nan", text):
            return real
    if type == "bool" and text in (*TRUE, *FALSE):
        return text in TRUE
    if type == "time":
        try:
            return _datetime(text)
        except ValueError:
            pass
    raise ValueError(f"not what the type {type} says")


def stored(value: Plain) -> tuple[str, bytes | None]:
    """Return what sops stores for a Python value: its type and its bytes."""
    if value is None:
        return "null", None
    if isinstance(value, bool):
        return "bool", b"True" if value else b"False"
    if isinstance(value, int):
        return "int", b"%d" % value
    if isinstance(value, float):
        return "float", format_float(value)
    assert isinstance(value, str)
    return "str", _encode(value)


def format_float(f: float) -> bytes:
    """Return a float in decimal, without exponent, with the fewest digits that mean the same float.

    This is Go's ``strconv.FormatFloat(f, 'f', -1, 64)``: ``1`` for 1.0, ``+Inf``, ``NaN``.
    """
    if not math.isfinite(f):
        return b"NaN" if math.isnan(f) else b"+Inf" if f > 0 else b"-Inf"
    if "e" not in (text := repr(f)):
        return text.removesuffix(".0").encode()
    from decimal import Decimal

    return f"{Decimal(text):f}".encode()


def short_float(number: float, sign: str, *, plain: bool = False) -> str:
    """Return Go's FormatFloat(f, 'g' or 'G', -1, 64), with ``.0`` unless ``plain`` (stores.ValToString)."""
    if number and math.isfinite(number) and not 1e-4 <= abs(number) < 1e6:
        return exponent_form(number, sign)
    word = format_float(number).decode()
    return word if plain or "." in word or not math.isfinite(number) else f"{word}.0"


def exponent_form(number: float, sign: str) -> str:
    """Return Go's FormatFloat with 'e' or 'E' and the fewest digits: 1e+30, 1.5e-07.  Not for zero."""
    from decimal import Decimal

    # Not with normalize(), which rounds to the precision that the program has set for its decimals.
    digits, _, exponent = f"{Decimal(repr(number)):e}".partition("e")
    return f"{digits.rstrip('0').rstrip('.')}{sign}{int(exponent):+03}"


def _implicit(value: str, *, is_time: bool = True) -> tuple[str, bytes | None]:
    """Return type and bytes of a plain scalar by its spelling.  ``is_time`` says that it may be a time."""
    word = _WORDS.get(value)
    if word is not None:
        return word
    first = value[0]
    if first == ".":
        if re.fullmatch(_POINT_FLOAT, value) and math.isfinite(number := float(value)):
            return "float", format_float(number)
    elif first in "+-0123456789":
        if first in "123456789" and len(value) < 19 and value.isdecimal() and value.isascii():
            return "int", value.encode()
        if is_time and value[4:5] == "-":
            time = _time(value)
            if time is not None:
                return "time", time
        digits = value.replace("_", "")
        if digits.count(".") > 1 or digits.strip(_OF_NUMBERS):
            return "str", _encode(value)  # a version such as 1.2.3, or a word; the patterns are slower
        integer = _integer(digits) if "." not in digits else None
        if integer is not None:
            if integer >= 1 << 63:
                raise ParseError(
                    "an integer above 9223372036854775807 cannot be stored by sops",
                    hint="put it in quotes to keep its digits",
                )
            return "int", b"%d" % integer
        if re.fullmatch(_FLOAT, digits) and math.isfinite(number := float(digits)):
            return "float", format_float(number)
    return "str", _encode(value)


def _integer(digits: str) -> int | None:
    """Return a text as Go's ParseInt or ParseUint with base 0 read it, -2^63 to 2^64-1, or None."""
    found = re.fullmatch(_INTEGER, digits)
    if not found:
        return None
    sign, prefix, inner, text = found.groups()
    if inner and (sign or prefix not in ("0b", "0o")):
        return None  # only there, another sign may follow: `0b-1` is -1
    sign = sign or inner
    text = text.lstrip("0") or text[:1] or prefix
    try:
        number = int(text, _BASES[prefix.lower()])
    except ValueError:
        return None
    if sign == "-":
        return -number if number <= 1 << 63 else None
    return number if number < 1 << (63 if sign else 64) else None


def _time(value: str) -> bytes | None:
    """Return a date, or a date and time, in RFC 3339 with up to nine decimals, or None if there is none."""
    found = re.fullmatch(_TIME, value)
    if not found:
        return None
    separator, fraction, zone = found[4], found[8], found[9]
    if (zone is not None) != (separator in ("T", "t")):
        return None
    year, month, day, hour, minute, second = (int(found[i] or 0) for i in (1, 2, 3, 5, 6, 7))
    if not 1 <= month <= 12 or hour > 23 or minute > 59 or second > 59:
        return None
    leap = month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if not 1 <= day <= _DAYS[month - 1] + leap:
        return None
    decimals = (fraction or "")[:9].rstrip("0")
    offset = "Z"
    if zone and zone != "Z":
        hours, minutes = int(zone[1:3]), int(zone[4:6])
        if hours > 24 or minutes > 60:
            return None
        hours, minutes = divmod(hours * 60 + minutes, 60)  # Go reads 24 hours and 60 minutes ...
        if hours > 23:  # ... and then cannot write them
            raise ParseError(
                "a time zone of 24 hours or more cannot be stored by sops",
                hint="put the time in quotes to keep it as a string",
            )
        if hours or minutes:
            offset = f"{zone[0]}{hours:02}:{minutes:02}"
    clock = f"{hour:02}:{minute:02}:{second:02}{'.' if decimals else ''}{decimals}"
    return f"{year:04}-{month:02}-{day:02}T{clock}{offset}".encode()


def _datetime(text: str) -> datetime | str:
    import datetime

    found = re.fullmatch(_TIME, text)
    if not found or not found[9]:
        raise ValueError("not RFC 3339")
    if found[1] == "0000":
        datetime.datetime.fromisoformat(f"0004{text[4:]}")  # also a leap year
        return text
    return datetime.datetime.fromisoformat(text)


def _encode(value: str) -> bytes:
    try:
        return value.encode()
    except UnicodeEncodeError:
        pass  # it has the value
    raise ParseError("a string holds half of a surrogate pair, which UTF-8 cannot store")


def _decode_base64(value: str) -> bytes:
    text = value.replace("\r", "").replace("\n", "")  # strict mode refuses line breaks; Go skips them
    try:
        if len(text) % 4 == 0:  # strict mode accepts a superfluous "="
            return a2b_base64(text.encode("ascii"), strict_mode=True)
    except ValueError:
        pass
    raise ParseError(
        "a !!binary value is not base64", hint=f"correct it, and leave no blanks in it; {_SILENT}"
    )
