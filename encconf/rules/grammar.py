"""The text of a ``.sops.yaml`` as sections, whose members are read as the type that they must have.

Decoded as by the YAML library of sops 3.13.3 (go-yaml): aliases and merge keys are applied, a null counts as
missing, and a word like ``yes`` is a boolean where one is wanted.  What the members mean is not here.
"""

from __future__ import annotations

from encconf.errors import ConfigError, EmptyDocumentError
from encconf.record import Record
from encconf.text.printable import printable
from encconf.text.words import did_you_mean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from encconf.text.document import Leaf

_MAX_NOTICES = 50
_SHOWN = 120  # characters of a word of the file in a message
# What go-yaml takes for a boolean where it wants one, beside YAML 1.2's own words.
_YES = frozenset({"y", "Y", "yes", "Yes", "YES", "on", "On", "ON"})
_NO = frozenset({"n", "N", "no", "No", "NO", "off", "Off", "OFF"})


class Scalar(Record):
    """A value that is not null: its type as go-yaml sees it, and its text.

    The text of a string is the string, that of anything else how it is spelled: go-yaml puts
    ``0x1F`` into a text member as it stands.
    """

    type: str
    text: str
    data: bytes


def tree(text: str) -> object:
    """The first document as dicts, lists, `Scalar` and None, aliases and merge keys applied."""
    from encconf.formats.yaml import merge, scan

    try:
        document = scan(text, any_keys=True)  # sops ignores what its settings are not in
    except EmptyDocumentError:
        return None
    for leaf in document.leaves:
        value = None
        if leaf.data is not None:
            said = leaf.data.decode("utf-8", "replace") if leaf.type == "str" else _spelling(text, leaf)
            value = Scalar(leaf.type, said, leaf.data)
        leaf.scope.node[leaf.step] = value
    merge(document)
    return document.trees[0]


def _spelling(text: str, leaf: Leaf) -> str:
    """How a leaf is written, at its anchor if it is an alias."""
    from encconf.text.document import Leaf

    while True:
        source = getattr(leaf.note, "source", leaf.note)
        if not isinstance(source, Leaf):
            return text[leaf.start : leaf.end]
        leaf = source


class Section:
    """One mapping of the file: its members, each read as the type it must have.

    As in go-yaml a null counts as missing, also in a list, and a number or boolean
    where a text is expected is read as it is written.
    """

    def __init__(self, node: object, place: str) -> None:
        if node is not None and not isinstance(node, dict):
            raise _wrong(place or "the configuration", "a mapping", node)
        self.members: dict[str, object] = node or {}
        self.place = place

    def report(self, known: Sequence[str], notices: list[str]) -> None:
        """Add a notice for each member that means nothing."""
        unknown = [name for name in self.members if name not in known]
        if not unknown or len(notices) >= _MAX_NOTICES:
            return
        for name in unknown[:_MAX_NOTICES]:
            meant = did_you_mean(name.lower(), known, 0.55 if self.place else 0.75)
            if meant or self.place:  # at the top people keep anchors under names of their own
                ignored = f"{printable(self._at(name), _SHOWN)} is not a setting and is ignored"
                notices.append(f"{ignored}: {meant}" if meant else ignored)

    def string(self, name: str) -> str:
        """A text, "" when it is missing."""
        node = self.members.get(name)
        return "" if node is None else _string(node, self._at(name))

    def integer(self, name: str, default: int = 0) -> int:
        """A whole number, of 64 bits with its sign."""
        node = self.members.get(name)
        if node is None:
            return default
        if (
            not isinstance(node, Scalar)
            or node.type not in ("int", "float")
            or not node.data.lstrip(b"-").isdigit()
            or len(node.data) > 20
        ):
            raise _wrong(self._at(name), "an integer", node)
        number = int(node.data)
        if not -(1 << 63) <= number < 1 << 63:
            raise ConfigError(f"{self._at(name)} is too large")
        return number

    def boolean(self, name: str) -> bool:
        """True or false, false when it is missing."""
        node = self.members.get(name)
        if node is None:
            return False
        if isinstance(node, Scalar):
            if node.type == "bool":
                return node.data.lower() == b"true"
            if node.type == "str" and node.text in _YES | _NO:
                return node.text in _YES
        raise _wrong(self._at(name), "true or false", node)

    def section(self, name: str) -> Section:
        """A mapping, empty when it is missing."""
        return Section(self.members.get(name), self._at(name))

    def sections(self, name: str) -> list[Section]:
        """A list of mappings."""
        return [Section(node, place) for place, node in self._items(name)]

    def strings(self, name: str) -> list[tuple[str, str]]:
        """A list of texts, each with its place."""
        return [(place, _string(node, place)) for place, node in self._items(name)]

    def texts(self, name: str) -> dict[str, str]:
        """A mapping of texts."""
        section = self.section(name)
        return {member: section.string(member) for member in section.members}

    def keys(self, name: str) -> list[tuple[str, str]]:
        """Keys with their places: a string with commas or a list of such strings, and nothing else."""
        node, place = self.members.get(name), self._at(name)
        if node is None:
            return []
        items, wanted = [(place, node)], "a string or a list of strings"
        if isinstance(node, list):
            items, wanted = [(f"{place}[{index}]", item) for index, item in enumerate(node)], "a string"
        found: list[tuple[str, str]] = []
        for at, item in items:
            if not isinstance(item, Scalar) or item.type != "str":
                raise _wrong(at, wanted, item)
            found += [(at, part.strip()) for part in item.text.split(",")]
        return [(at, text) for at, text in found if text]

    def _items(self, name: str) -> list[tuple[str, object]]:
        node, place = self.members.get(name), self._at(name)
        if node is None:
            return []
        if not isinstance(node, list):
            raise _wrong(place, "a list", node)
        return [(f"{place}[{index}]", item) for index, item in enumerate(node) if item is not None]

    def _at(self, name: str) -> str:
        return f"{self.place}.{name}" if self.place else name


def _string(node: object, place: str) -> str:
    if isinstance(node, Scalar):
        return node.text
    raise _wrong(place, "a string", node)


_TYPES = {"str": "a string", "int": "a number", "float": "a number", "bool": "a boolean", "time": "a date"}


def _wrong(place: str, wanted: str, node: object) -> ConfigError:
    if isinstance(node, Scalar):
        found = _TYPES[node.type]
    else:
        found = "a mapping" if isinstance(node, dict) else "a list" if isinstance(node, list) else "null"
    return ConfigError(f"{printable(place, _SHOWN)} must be {wanted}, not {found}")


def quoted(text: str) -> str:
    """A word of the file for a message."""
    return f'"{printable(text, _SHOWN)}"'
