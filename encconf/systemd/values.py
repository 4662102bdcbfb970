"""Read the values that rules name from encrypted files, as the bytes that a unit gets.

A string stays as it is.  A number or a boolean is written as in `encconf exec`, a mapping or a list as JSON.
The path ``.`` is a whole file, as `encconf decrypt` prints it.  Values that no rule names are not kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from encconf.engine import opening, plaintext
from encconf.errors import EmitError, LimitError, PathNotFoundError, about
from encconf.formats import emit, sniff
from encconf.formats.writing import text_of
from encconf.identities.credentials import Credentials
from encconf.io import fileio
from encconf.record import Record
from encconf.systemd.rules import INSTANCE, SIZE_LIMIT, Rule
from encconf.text.document import Value
from encconf.text.path import Path, spell
from encconf.verbs import changes


class Values(Record):
    """The values of files by rule and instance ("" if a rule has no ``%i``).

    Later files override earlier ones.  ``credentials`` are made each time the files are opened.
    """

    files: Sequence[str]
    rules: Sequence[Rule]
    credentials: Callable[[], Credentials]
    input_type: str | None = None
    _stamps: Sequence[object] = ()
    _found: Mapping[tuple[Rule, str], bytes] = {}

    def load(self) -> None:
        """Open the files and read the values that the rules name.  After an error, the old values stay.

        Raises what opening raises, PathNotFoundError, LimitError, or EmitError for a null.
        """
        stamps = self._stamped()
        opened = [self._open(file) for file in self.files]
        found: dict[tuple[Rule, str], bytes] = {}
        for rule in self.rules:
            for instance, path in _paths(rule, opened):
                try:
                    found[rule, instance] = _value(rule, path, opened)
                except PathNotFoundError:
                    if not instance:
                        raise  # an instance without the value does not affect the others
        self._found = found
        self._stamps = stamps

    def load_if_changed(self) -> None:
        """Call `load` if a file has changed."""
        if self._stamped() != self._stamps:
            self.load()

    def get(self, rule: Rule, instance: str) -> bytes | None:
        """Return the value for an instance, or None if it has none."""
        return self._found.get((rule, instance if INSTANCE in rule.path else ""))

    def _stamped(self) -> list[object]:
        return [fileio.stamp(file) for file in self.files]

    def _open(self, file: str) -> _Open:
        with about(file):
            text = fileio.read_text(file)
            format = self.input_type or sniff.format_of(text, file)
            opened = opening.open_text(text, format=format, credentials=self.credentials())
            opening.refuse_unloadable(opened)
            whole = any(not rule.path for rule in self.rules)
            return _Open(changes.tree(opened), plaintext.plain_text(opened) if whole else "")


class _Open(Record):
    tree: Any
    text: str


def _paths(rule: Rule, opened: Sequence[_Open]) -> list[tuple[str, Path]]:
    """Return the instances of a rule, and the path for each."""
    if INSTANCE not in rule.path:
        return [("", rule.path)]
    at = rule.path.index(INSTANCE)
    node = _find(rule, rule.path[:at], opened)[0]
    if not isinstance(node, dict):
        raise EmitError(f"the rule {rule} needs a mapping at {spell(rule.path[:at])}")
    return [(key, (*rule.path[:at], key, *rule.path[at + 1 :])) for key in node]


def _find(rule: Rule, path: Path, opened: Sequence[_Open]) -> tuple[Any, _Open]:
    failed: PathNotFoundError | None = None
    for file in reversed(opened):
        try:
            return changes.find(file.tree, path), file
        except PathNotFoundError as error:
            failed = error
    assert failed is not None
    raise PathNotFoundError(f"the rule {rule}: {failed.message}", hint=failed.hint) from None


def _value(rule: Rule, path: Path, opened: Sequence[_Open]) -> bytes:
    node, file = _find(rule, path, opened)
    if not path:
        value = file.text.encode("utf-8", "surrogateescape")
    elif not isinstance(node, Value):
        import json

        value = json.dumps(emit.plain_of(node), ensure_ascii=False).encode()
    elif node.data is None:
        raise EmitError(f"the rule {rule}: {spell(path)} is null, so the unit would get an empty value")
    else:
        value = node.data if node.type == "str" else text_of(node.type, node.data).encode()
    if len(value) + len(rule.credential) > SIZE_LIMIT:
        raise LimitError(f"the rule {rule}: the value has {len(value)} bytes, and systemd takes 1 MiB in all")
    return value
