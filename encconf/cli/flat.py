"""The values of files as names and texts: for environments and for other programs' formats.

``db.password`` becomes ``DB_PASSWORD``; a null is left out.
"""

from __future__ import annotations

import re

from encconf import api, changes, emit
from encconf.cli import files
from encconf.errors import EmitError, EncconfError
from encconf.formats.nodes import text_of
from encconf.path import parse, spell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from encconf.cli.console import Console
    from encconf.path import Path

_ODD = re.compile(r"[^A-Za-z0-9_]")


def values(
    console: Console,
    paths: Iterable[str],
    *,
    prefix: str = "",
    separator: str = "_",
    section: str | None = None,
    keep_case: bool = False,
    input_type: str | None = None,
) -> dict[str, tuple[str, str]]:
    """By name, the text and the file it is from; later files override earlier ones.

    Raises EmitError for two values of one file that get the same name, and for what cannot be a text
    in an environment.
    """
    found: dict[str, tuple[str, str]] = {}
    credentials = files.credentials(console)
    for path in paths:
        source = files.read(path, in_place=False, output=None, override=None)
        format = files.format_of(source.name, input_type)
        try:
            opened = api.open_text(source.text, format=format, credentials=credentials, notify=console.warn)
            tree = changes.find(changes.tree(opened.document), parse(section or ""))
            if not isinstance(tree, dict):
                raise EmitError(f"{section} is not a mapping", hint="name one: --section PATH")
            own = _named(tree, prefix, separator, keep_case)
        except EncconfError as error:
            raise error.about(source.label) from None
        found.update((name, (text, source.label)) for name, text in own.items())
    return found


def _named(tree: dict[str, object], prefix: str, separator: str, keep_case: bool) -> dict[str, str]:
    texts: dict[str, str] = {}
    whose: dict[str, Path] = {}
    for path, leaf in emit.flat(tree):
        if leaf.data is None:
            continue
        name = prefix + separator.join(str(step) for step in path)
        name = _ODD.sub("_", name if keep_case else name.upper())
        if name[:1].isdigit():
            name = f"_{name}"
        if name in whose:
            raise EmitError(
                f"{spell(whose[name])} and {spell(path)} would both be called {name}",
                hint="--nested-separator __ tells more names apart",
            )
        whose[name] = path
        texts[name] = text_of(leaf.type, leaf.data)
        if "\0" in texts[name]:
            raise EmitError(f"{spell(path)} holds a NUL, which no environment can")
    return texts
