"""The plaintext of an opened file, or a part of it, in its own format or another one."""

from __future__ import annotations

from encconf import formats
from encconf.engine import plaintext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.engine.opening import Opened
    from encconf.text.path import Path


def converted(
    opened: Opened,
    format: str,
    *,
    path: Path = (),
    layout: bool = True,
    indent: int | None = None,
    rewrite: bool = False,
    requested: bool = False,
) -> str:
    """The plain text in a format; in its own it is what was encrypted, with ``layout`` to the byte.

    A ``path`` takes a part of the first document: a string as it is, a mapping as a document.
    ``indent`` is for what is rewritten, in characters; with ``rewrite`` that is all of it.  Where the
    user has ``requested`` YAML, a document in braces (JSON, say) becomes block YAML, as in sops.
    Raises PathNotFoundError; EmitError for what the format cannot hold.
    """
    document = opened.document
    if requested and format == "yaml":
        rewrite = rewrite or any(part.close is not None for part in document.parts)
    if not path and format == document.format and not (rewrite and formats.ROWS[format].indent is not None):
        return plaintext.plain_text(opened, layout=layout)
    from encconf.formats import emit
    from encconf.verbs import changes

    trees, notes = emit.trees_of(document)
    if not path:
        return emit.render(trees, format, notes, indent=indent)
    return emit.value(changes.find(trees[0], path), format, notes, indent=indent)


def stores_indent(format: str, *, config: str | None, target: str | None = None) -> int | None:
    """The indentation that ``stores`` of .sops.yaml sets for a format, None for none.

    ``target`` is the file to look for .sops.yaml from, else it is the current folder.  A .sops.yaml that
    cannot be read sets none: what is shown here needs nothing else of it.
    """
    default = formats.ROWS[format].indent
    if default is None:
        return None
    import os

    from encconf.errors import EncconfError
    from encconf.io import fileio
    from encconf.rules import config as configs

    try:
        path = config or configs.find_config(target, os.getcwd())
        indents = configs.load(path, fileio.read_text(path)).indents if path else {}
    except EncconfError:
        return None
    indent = indents.get(format, default)
    return None if indent == default else indent
