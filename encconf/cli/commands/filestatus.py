"""``encconf filestatus``: whether a file is encrypted, in the form that sops prints."""

from __future__ import annotations

from encconf.cli.command import CONFIG, Argument, Command
from encconf.cli.console import Console
from encconf.cli.shared import INPUT_TYPE
from encconf.engine.metadata import metadata_of
from encconf.errors import NotEncryptedError, about
from encconf.record import Options as Base
from encconf.text.words import bool_word
from encconf.verbs import files


class Options(Base):
    file: str
    input_type: str | None = None
    config: str | None = None


def filestatus(options: Options, console: Console) -> None:
    """Print ``{"encrypted":true}`` or ``{"encrypted":false}``."""
    source = files.read(options.file, input_type=options.input_type)
    format = source.format
    with about(source.label):
        encrypted = is_encrypted(source.text, format)
    console.data(f'{{"encrypted":{bool_word(encrypted)}}}\n')


COMMAND = Command(
    "filestatus",
    """Print whether a file is encrypted, as JSON.""",
    Options,
    filestatus,
    arguments=[Argument("file")],
    options=[INPUT_TYPE, CONFIG],
    examples=["encconf filestatus secrets.enc.yaml"],
)


def is_encrypted(text: str, format: str) -> bool:
    """Whether a text has sops metadata with a version and a MAC.  Raises ParseError."""
    if not text.strip():
        return False
    try:
        metadata = metadata_of(text, format)
    except NotEncryptedError:
        return False
    return bool(metadata.version and metadata.mac)
