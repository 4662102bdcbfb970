"""``encconf decrypt``."""

from __future__ import annotations

from encconf.cli import files
from encconf.engine import opening, plaintext
from encconf.errors import EncconfError
from encconf.io.fileio import PRIVATE
from encconf.text.path import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.cli.console import Console


def decrypt(
    console: Console,
    *,
    file: str | None,
    output: str | None,
    in_place: bool,
    extract: str | None,
    ignore_mac: bool,
    input_type: str | None,
    output_type: str | None,
    filename_override: str | None,
    config: str | None,
) -> None:
    """Decrypt a file to stdout, to another file, or over itself; what everyone could read becomes 0600."""
    source = files.read(file, in_place=in_place, output=output, override=filename_override)
    format = source.format(input_type)
    target = files.format_by_name(source.name, output_type) if output_type else format
    path = parse(extract or "")
    try:
        opened = opening.open_text(
            source.text,
            format=format,
            credentials=files.credentials(console),
            ignore_mac=ignore_mac,
            notify=console.warn,
        )
        if path or output_type:
            from encconf.cli.convert import converted, stores_indent

            name = None if source.path is None else source.name
            indent = stores_indent(target, config=config, target=name)
            plain = converted(opened, target, path=path, indent=indent, requested=output_type is not None)
        else:
            plain = plaintext.plain_text(opened)
    except EncconfError as error:
        raise error.about(source.label) from None
    written = files.write(console, plain, source, in_place=in_place, output=output, mode=PRIVATE)
    if written is not None:
        files.warn_if_exposed(console, written)
