"""Turn the values of files into names and texts, for the environment and the formats of other programs.

``db.password`` becomes ``DB_PASSWORD``.  Null values are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from encconf import formats
from encconf.engine import loading, opening
from encconf.errors import EmitError, NotEncryptedError, about
from encconf.formats import emit
from encconf.formats.writing import text_of
from encconf.record import Options
from encconf.text.document import Document, Value
from encconf.text.path import Path, parse, spell
from encconf.verbs import changes, files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.verbs.front import Front

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


class Flat(NamedTuple):
    """A value as text, its file, and whether it is encrypted in the file."""

    text: str
    file: str
    secret: bool


def values(
    front: Front, sources: Iterable[files.Source], naming: Naming, *, resolve: bool
) -> dict[str, Flat]:
    """Return the values of files by name.  Later files override earlier ones.

    With ``resolve``, references are replaced with the values that they refer to
    (`encconf.sources.references`).  Raises EmitError also for a value that cannot be in an environment.
    """
    section = naming.path
    found: dict[str, Flat] = {}
    credentials = front.credentials()
    opened_files = [(source.label, source.open(credentials, front.warn)) for source in sources]
    if resolve:
        texts = loading.resolved(opened_files, True, credentials, section)
        opened_files = [
            (label, opened.with_texts(own)) for (label, opened), own in zip(opened_files, texts, strict=True)
        ]
    for label, opened in opened_files:
        with about(label):
            opening.refuse_unloadable(opened)
            for name, (place, value) in naming.values(opened.trees()).items():
                said = text_of(value.type, value.data)
                if "\0" in said:
                    raise EmitError(
                        f"{spell(place)} contains a NUL character, which an environment cannot hold"
                    )
                found[name] = Flat(said, label, value.sealed is not None)
    return found


def documents(paths: Iterable[str], input_type: str | None) -> dict[str, Document]:
    """Return the documents of encrypted files by their names.  This needs no key."""
    found: dict[str, Document] = {}
    for path in paths:
        source = files.read(path, input_type=input_type)
        with about(source.label):
            document = formats.get(source.format).scan(source.text)
            if document.block is None:
                raise NotEncryptedError
        found[source.label] = document
    return found
