"""Remove one value from a file."""

from __future__ import annotations

from encconf.errors import PathBlockedError, PathNotFoundError
from encconf.record import Options as Base
from encconf.text.path import parse
from encconf.verbs import changes
from encconf.verbs.set import change_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.verbs.front import Front


class Options(Base):
    """What to remove."""

    file: str
    path: str
    idempotent: bool = False
    ignore_mac: bool = False
    input_type: str | None = None
    config: str | None = None


def run(options: Options, front: Front) -> None:
    """Remove one value."""
    try:
        change_value(
            front,
            options.file,
            (parse(options.path), changes.REMOVED),
            input_type=options.input_type,
            config=options.config,
            ignore_mac=options.ignore_mac,
        )
    except PathNotFoundError as error:
        if not options.idempotent or isinstance(error, PathBlockedError):
            raise
        front.note(f"{options.file} has no such value")
