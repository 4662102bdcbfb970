"""Return the plaintext of an opened file, or of a part of it, in its own or another format."""

from __future__ import annotations

import os

from encconf import formats
from encconf.engine import plaintext
from encconf.errors import EncconfError

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
    whole: bool = True,
) -> str:
    """Return the plaintext in a format.

    In the file's own format, it is the text that was encrypted, with ``layout`` byte for byte.
    A ``path`` selects a part of the first document: a string is returned as it is, a mapping as a document.
    ``indent`` is the indentation of rewritten text, in characters.  With ``rewrite``, a text is rewritten
    even in its own format.  With ``requested``, the user asked for the format: a YAML document in braces
    (such as JSON) then becomes block YAML, as in sops.
    Unless it is to be ``whole``, a format that holds one document gets the first one, as in sops.
    Raises PathNotFoundError, or EmitError for values that the format cannot hold.
    """
    document = opened.document
    if requested and format == "yaml":
        rewrite = rewrite or any(part.close is not None for part in document.parts)
    if not path and format == document.format.name and not (rewrite and document.format.indent is not None):
        return plaintext.plain_text(opened, layout=layout)
    from encconf.engine import changes
    from encconf.formats import emit

    trees = opened.trees()
    if not path:
        if whole:
            emit.refuse_several(trees, format)
        return emit.render(trees, format, indent=indent)
    return emit.value(changes.find(trees[0], path), format, indent=indent)


def stores_indent(format: str, *, config: str | None, target: str | None = None) -> int | None:
    """Return the indentation that ``stores`` of .sops.yaml sets for a format, or None.

    The .sops.yaml is that of the file ``target``, or else that of the current folder.  If it cannot be read,
    it is ignored, since the caller needs nothing else from it.
    """
    default = formats.get(format).indent
    if default is None:
        return None

    from encconf.rules import config as configs

    try:
        path = config or configs.find_config(target, os.getcwd())
        indents = configs.load(path).indents if path else {}
    except EncconfError:
        return None
    indent = indents.get(format, default)
    return None if indent == default else indent
