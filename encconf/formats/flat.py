"""What dotenv and INI share: they have no types, and cannot nest the ``sops`` block.

sops 3.13.3 (stores/flatten.go, stores/metadata.go) writes the block in these formats as flat names and
strings: ``{"age": [{"enc": "x"}]}`` is ``age__list_0__map_enc`` with the value ``x``, and a line break in a
value is ``\\n``.  sops does not escape backslashes, so some values would be read back differently; encconf
refuses to write those.  sops may have encrypted values of other types when it converted a YAML file; they
are spelled as sops spells them (stores.ValToString).
"""

from __future__ import annotations

import re
from math import isfinite

from encconf.errors import EmitError, MetadataError, ParseError
from encconf.formats import goyaml
from encconf.text.document import position
from encconf.text.printable import printable
from encconf.text.words import bool_word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from encconf.text.document import Value


_STEP = re.compile("__(map|list)_")
_MAX_DEPTH = 12
"""How deep a block may nest.  The one that sops writes has four levels."""
_WHOLE = re.compile(r"(\d{1,3})\.0*")


def flatten(block: Mapping[str, object]) -> list[tuple[str, str]]:
    """Return the block's members as flat names and strings, sorted by name at each level as in sops.

    Raises EmitError for values that would be read back differently.
    """
    strings = _strings(block) or {}
    entries = [entry for name in sorted(strings) for entry in _flat(name, strings[name])]
    for name, value in entries:
        if "\\n" in value or "\n" in name:
            raise EmitError(
                f"the sops block cannot hold {_short(name)} here: it has a \\n, which means a line break",
                hint="a YAML or JSON file can hold it",
            )
    try:
        again = unflatten(entries)
    except MetadataError:
        again = {}
    if again != strings:
        raise EmitError(
            "the sops block has a name with __map_ or __list_ in it, which means a level of its own here",
            hint="a YAML or JSON file can hold it",
        )
    return entries


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key in sorted(value):
            yield from _flat(f"{name}__map_{key}", value[key])
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from _flat(f"{name}__list_{at}", item)
    elif value is not None:
        yield name, value


def _strings(value: object) -> Any:
    """Return the block with strings only, and without nulls and empty collections, which are not written."""
    if isinstance(value, dict):
        items = {key: _strings(item) for key, item in value.items()}
        return {key: item for key, item in items.items() if item is not None} or None
    if isinstance(value, list):
        return [_strings(item) for item in value] or None
    return bool_word(value) if isinstance(value, bool) else None if value is None else str(value)


def unflatten(entries: Iterable[tuple[str, str]]) -> dict[str, object]:
    """Return the block for flat names and strings.

    Raises MetadataError for duplicate names, incomplete lists, and names that contradict each other.
    """
    root: dict[str | int, Any] = {}
    for name, value in entries:
        steps = _steps(name)
        node = root
        for step in steps[:-1]:
            below = node.setdefault(step, {})
            if not isinstance(below, dict):
                raise MetadataError(f"{_short(name)} in the sops block is a value and a collection")
            node = below
        if steps[-1] in node:
            raise MetadataError(f"{_short(name)} occurs twice in the sops block")
        node[steps[-1]] = value
    block: dict[str, object] = {}
    for key, value in root.items():
        block[str(key)] = _nested(value, str(key))
    threshold = block.get("shamir_threshold")
    if isinstance(threshold, str) and (whole := _WHOLE.fullmatch(threshold)):
        block["shamir_threshold"] = whole[1]  # sops before 3.10 wrote 2.000000
    return block


def _steps(name: str) -> list[str | int]:
    """Return the keys and indexes in a flat name."""
    parts = _STEP.split(name)
    steps: list[str | int] = [parts[0]]
    for kind, step in zip(parts[1::2], parts[2::2], strict=True):
        if kind == "map":
            steps.append(step)
        elif step.isascii() and step.isdecimal() and len(step) < 5:
            steps.append(int(step))
        else:
            raise MetadataError(f"{_short(name)} in the sops block has no number for a list item")
    if len(steps) > _MAX_DEPTH:
        raise MetadataError(f"{_short(name)} in the sops block has too many levels")
    return steps


def _nested(node: Any, name: str) -> object:
    if not isinstance(node, dict):
        return node
    numbers = sum(isinstance(step, int) for step in node)
    if not numbers:
        return {step: _nested(item, name) for step, item in node.items()}
    if numbers < len(node) or max(node) != numbers - 1:
        raise MetadataError(f"{_short(name)} in the sops block is an incomplete list")
    return [_nested(node[at], name) for at in range(numbers)]


def _short(name: str) -> str:
    return printable(name, 40)


def check(text: str) -> None:
    """Raise ParseError if a text to encrypt is not UTF-8, that is, contains lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        line, _ = position(text, error.start)
        raise ParseError(
            "the text is not UTF-8", line=line, hint="save it as UTF-8, or encrypt it as binary"
        ) from None


def word(type: str, data: bytes) -> str:
    """Return a value of any type as text.  Bytes that are not UTF-8 become lone surrogates.

    Unlike in sops, a time keeps its fraction of a second.
    """
    if type == "bool":
        return bool_word(data)
    text = data.decode("utf-8", "surrogateescape")
    if type != "float":
        return text
    number = float(text)
    return goyaml.short_float(number, "E") if isfinite(number) else text  # rops spells infinity otherwise


def text_value(type: str, data: bytes | None) -> object:
    """Return a value as Python has it: as text, but bytes that are not UTF-8 as they are."""
    return goyaml.parse(type, data) if type == "str" or data is None else word(type, data)


def spelled(value: Value, newline: bytes = b"\n") -> bytes | None:
    """Return a value's bytes as the format can express them, with this line break."""
    data = value.data
    if data is None or value.type == "comment":
        return data
    if value.type != "str":
        data = word(value.type, data).encode("utf-8", "surrogateescape")
    return data.replace(b"\n", newline)
