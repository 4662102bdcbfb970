"""The names of values as variables: ``db.password`` becomes ``DB_PASSWORD``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from encconf.engine import changes
from encconf.errors import EmitError
from encconf.formats import emit
from encconf.record import Options
from encconf.text.document import Value
from encconf.text.path import Path, parse, spell

_ODD = re.compile(r"[^A-Za-z0-9_]")


class Naming(Options):
    """The options that say how values are named, and which are used."""

    prefix: str | None = None
    nested_separator: str | None = None
    section: str | None = None
    keep_case: bool = False

    @property
    def path(self) -> Path:
        """The path of the section.  Raises PathSyntaxError."""
        return parse(self.section or "")

    def values(self, trees: Sequence[Any]) -> dict[str, tuple[Path, Value]]:
        """Return the paths and values of the section of a file's trees by name, without null values.

        Raises PathNotFoundError or EmitError if the section is not a mapping, and EmitError if two values get
        the same name, or if there are several documents.
        """
        section = self.path
        if any(trees[1:]):  # the others have values, too
            raise EmitError(
                f"the file has {len(trees)} documents, not one",
                hint="write the values into one document, or each document into a file of its own",
            )
        tree = changes.find(trees[0], section)
        if not isinstance(tree, dict):
            raise EmitError(f"{spell(section)} is not a mapping", hint="choose one with --section PATH")
        found: dict[str, tuple[Path, Value]] = {}
        for below, value in emit.flat(tree):
            if value.data is None:
                continue
            name, path = self._name(below), (*section, *below)
            if not name:
                raise EmitError(
                    f"{spell(path)} has an empty key, which cannot be the name of a variable",
                    hint="add a prefix: --prefix PREFIX",
                )
            if name in found:
                raise EmitError(
                    f"{spell(found[name][0])} and {spell(path)} would both be named {name}",
                    hint="use another separator: --nested-separator __",
                )
            found[name] = path, value
        return found

    def _name(self, path: Path) -> str:
        name = (self.prefix or "") + (self.nested_separator or "_").join(map(str, path))
        name = _ODD.sub("_", name if self.keep_case else name.upper())
        return f"_{name}" if name[:1].isdigit() else name
