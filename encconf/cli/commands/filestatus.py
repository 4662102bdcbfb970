"""``encconf filestatus``: whether a file is encrypted, in the form that sops prints."""

from __future__ import annotations

from encconf.cli import files
from encconf.cli.console import Console
from encconf.cli.options import Value
from encconf.engine.metadata import metadata_of
from encconf.errors import NotEncryptedError, about
from encconf.text.words import bool_word


def filestatus(console: Console, *, file: str, **options: Value) -> None:
    """Print ``{"encrypted":true}`` or ``{"encrypted":false}``."""
    source = files.read(file, options)
    format = source.format
    with about(source.label):
        encrypted = is_encrypted(source.text, format)
    console.data(f'{{"encrypted":{bool_word(encrypted)}}}\n')


def is_encrypted(text: str, format: str) -> bool:
    """Whether a text has sops metadata with a version and a MAC.  Raises ParseError."""
    if not text.strip():
        return False
    try:
        metadata = metadata_of(text, format)
    except NotEncryptedError:
        return False
    return bool(metadata.version and metadata.mac)
