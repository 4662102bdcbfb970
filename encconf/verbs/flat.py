"""Turn the values of files into names and texts, for the environment and the formats of other programs.

``db.password`` becomes ``DB_PASSWORD``.  Null values are left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from encconf import formats
from encconf.engine import loading, opening
from encconf.engine.naming import Naming
from encconf.errors import EmitError, NotEncryptedError, about
from encconf.formats.writing import text_of
from encconf.text.document import Document
from encconf.text.path import spell
from encconf.verbs import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.verbs.front import Front

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
