"""``encconf decrypt``."""

from __future__ import annotations

from encconf import api, fileio
from encconf.cli import files
from encconf.errors import EncconfError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.cli.console import Console


def decrypt(
    console: Console,
    *,
    file: str | None,
    output: str | None,
    in_place: bool,
    ignore_mac: bool,
    input_type: str | None,
    filename_override: str | None,
    config: str | None,
) -> None:
    """Decrypt a file to stdout, to another file (0600 when it is new), or over itself."""
    source = files.read(file, in_place=in_place, output=output, override=filename_override)
    format = files.format_of(source.name, input_type)
    try:
        plain = api.decrypt(source.text, format=format, ignore_mac=ignore_mac, notify=console.warn)
    except EncconfError as error:
        raise error.about(source.label) from None
    if in_place and file is not None and source.path is not None:
        fileio.write_atomic(source.path, plain, replacing=source.text)
        files.warn_if_exposed(console, file)
    elif output is None or output in files.STDOUT:
        console.data(plain)
    else:
        fileio.write_atomic(fileio.resolve(output), plain, mode=0o600)
        files.warn_if_exposed(console, output)
