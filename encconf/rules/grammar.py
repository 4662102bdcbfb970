"""Read the text of a ``.sops.yaml`` as sections, and their members as the types that they must have.

It is decoded as by the YAML library of sops 3.13.3 (go-yaml): aliases and merge keys are applied, a null
counts as missing, and a word like ``yes`` is a boolean if one is expected.  This module does not know what
the members mean.
"""

from __future__ import annotations

from encconf.errors import ConfigError, EmptyDocumentError
from encconf.record import Record
from encconf.text.document import Leaf
from encconf.text.printable import printable
from encconf.text.words import did_you_mean

_MAX_NOTICES = 50
_SHOWN = 120  # characters of a word of the file in a message
# Words that go-yaml accepts where it expects a boolean, in addition to those of YAML 1.2.
_YES = frozenset({"y", "Y", "yes", "Yes", "YES", "on", "On", "ON"})
_NO = frozenset({"n", "N", "no", "No", "NO", "off", "Off", "OFF"})


class Scalar(Record):
    """A value that is not null: its type as go-yaml sees it, and its text.

    The text of a string is the string.  That of any other value is its spelling: for a string member, go-yaml
    reads ``0x1F`` as these four characters.
    """

    type: str
    text: str
    data: bytes


def tree(text: str, leaves: list[Leaf]) -> object:
    """Return the first document as dicts, lists, `Scalar` and None, with aliases and merge keys applied.

    The leaves of all documents are added to ``leaves``.
    """
    from encconf.formats.yaml import Yaml

    yaml = Yaml()

    try:
        document = yaml.scan(text, any_keys=True)  # sops ignores keys of other types, so they are no error
    except EmptyDocumentError:
        return None
    values: list[Scalar | None] = []
    for leaf in document.leaves:
        value = None
        if leaf.data is not None:
            said = leaf.data.decode("utf-8", "replace") if leaf.type == "str" else _spelling(text, leaf)
            value = Scalar(leaf.type, said, leaf.data)
        values.append(value)
    leaves += document.leaves
    return yaml.loaded(document, values)[0]


def _spelling(text: str, leaf: Leaf) -> str:
    """Return how a leaf is written.  For an alias, this is how its anchor is written."""
    from encconf.text.document import Leaf

    while True:
        source = getattr(leaf.note, "source", leaf.note)
        if not isinstance(source, Leaf):
            return text[leaf.start : leaf.end]
        leaf = source


class Section:
    """One mapping of the file.  Each method reads a member as the type that it must have.

    As in go-yaml, a null counts as missing, also in a list.  If a string is expected, a number or boolean is
    read as it is written.
    """

    def __init__(self, node: object, place: str) -> None:
        if node is not None and not isinstance(node, dict):
            raise _wrong(place or "the configuration", "a mapping", node)
        self.members: dict[str, object] = node or {}
        self.place = place
        self._known: dict[str, None] = {}

    def report(self, notices: list[str]) -> None:
        """Add a notice for each member that is not a setting, which is one that was never read."""
        unknown = [name for name in self.members if name not in self._known]
        if not unknown or len(notices) >= _MAX_NOTICES:
            return
        for name in unknown[:_MAX_NOTICES]:
            meant = did_you_mean(name.lower(), self._known, 0.55 if self.place else 0.75)
            if meant or self.place:  # at the top level, people keep anchors under names of their own
                ignored = f"{printable(self._at(name), _SHOWN)} is not a setting and is ignored"
                notices.append(f"{ignored}: {meant}" if meant else ignored)

    def has(self, name: str) -> bool:
        """Whether there is a member with this name, which may be null."""
        self._known[name] = None
        return name in self.members

    def string(self, name: str) -> str:
        """Return a string, or "" if it is missing."""
        node = self._get(name)
        return "" if node is None else _string(node, self._at(name))

    def integer(self, name: str, default: int = 0) -> int:
        """Return a signed integer of 64 bits."""
        node = self._get(name)
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
        """Return a boolean, or False if it is missing."""
        node = self._get(name)
        if node is None:
            return False
        if isinstance(node, Scalar):
            if node.type == "bool":
                return node.data.lower() == b"true"
            if node.type == "str" and node.text in _YES | _NO:
                return node.text in _YES
        raise _wrong(self._at(name), "true or false", node)

    def section(self, name: str) -> Section:
        """Return a mapping, which is empty if it is missing."""
        return Section(self._get(name), self._at(name))

    def sections(self, name: str) -> list[Section]:
        """Return a list of mappings."""
        return [Section(node, place) for place, node in self._items(name)]

    def strings(self, name: str) -> list[tuple[str, str]]:
        """Return a list of strings, each with its place."""
        return [(place, _string(node, place)) for place, node in self._items(name)]

    def texts(self, name: str) -> dict[str, str]:
        """Return a mapping of strings."""
        section = self.section(name)
        return {member: section.string(member) for member in section.members}

    def keys(self, name: str) -> list[tuple[str, str]]:
        """Return keys with their places, from a string with commas or from a list of such strings."""
        node, place = self._get(name), self._at(name)
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
        node, place = self._get(name), self._at(name)
        if node is None:
            return []
        if not isinstance(node, list):
            raise _wrong(place, "a list", node)
        return [(f"{place}[{index}]", item) for index, item in enumerate(node) if item is not None]

    def _get(self, name: str) -> object:
        return self.members.get(name) if self.has(name) else None

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
    """Return a word of the file in quotes, for a message."""
    return f'"{printable(text, _SHOWN)}"'
