"""Whether a file is encrypted."""

from __future__ import annotations

from encconf.engine.metadata import metadata_of
from encconf.errors import NotEncryptedError, about
from encconf.record import Options as Base
from encconf.verbs import files


class Options(Base):
    """The file."""

    file: str
    input_type: str | None = None
    config: str | None = None


def run(options: Options) -> bool:
    """Return whether a file is encrypted."""
    source = files.read(options.file, input_type=options.input_type)
    format = source.format
    with about(source.label):
        return is_encrypted(source.text, format)


def is_encrypted(text: str, format: str) -> bool:
    """Whether a text has sops metadata with a version and a MAC.  Raises ParseError."""
    if not text.strip():
        return False
    try:
        metadata = metadata_of(text, format)
    except NotEncryptedError:
        return False
    return bool(metadata.version and metadata.mac)
