"""Find references to secrets (``ref+vault://…``) in a text, in vals' form or in encconf's own."""

from __future__ import annotations

import re
from collections.abc import Sequence

from encconf import sources
from encconf.errors import SourceError
from encconf.text.document import Leaf, Value
from encconf.text.path import Path

_REFERENCE = re.compile(r'(?:secret)?ref\+([A-Za-z][A-Za-z0-9.-]*://[^+\n ]*[^+\n ",])\+?', re.ASCII)
_NESTED = re.compile(r"[A-Za-z][A-Za-z0-9.-]*://", re.ASCII)
# A value that is a reference in encconf's own form.  A command line may have blanks.
_ALONE = re.compile(r"(?:secret)?ref\+(cmd:[^\n]+|([A-Za-z]+):(?!//)[^+\n ]+)\+?", re.ASCII)


def _below(path: Sequence[str | int], under: Path) -> bool:
    """Whether a path begins with the path ``under``, whose indexes may count from the end."""
    steps = zip(path, under, strict=False)
    return len(path) >= len(under) and all(
        step == other or (isinstance(step, int) and isinstance(other, int) and other < 0)
        for step, other in steps
    )


def pieces_of(leaf: Leaf, value: Value, under: Path) -> list[tuple[str, str | None]]:
    """Return the `pieces` of a leaf's value if it has references ``under`` a path, and none otherwise."""
    if value.type != "str" or not value.data or b"ref+" not in value.data or not _below(leaf.path, under):
        return []
    try:
        found = pieces(value.data.decode())
    except UnicodeDecodeError:
        return []
    return found if any(address is not None for _, address in found) else []


def _is_source(scheme: str) -> bool:
    try:
        return scheme in sources.ALIASES or sources.is_known(scheme)
    except SourceError:
        return True  # the error comes when the reference is fetched


def pieces(text: str) -> list[tuple[str, str | None]]:
    """Split a text into literals (text, None) and references (as written, the address)."""
    alone = _ALONE.fullmatch(text)
    if alone and (alone[2] is None or _is_source(alone[2].lower())):
        return [(text, alone[1])]
    found: list[tuple[str, str | None]] = []
    at = 0
    for match in _REFERENCE.finditer(text):
        if match.start() > at:
            found.append((text[at : match.start()], None))
        inner = match[1].endswith("ref") and match[0].endswith("+") and _NESTED.match(text, match.end())
        found.append((match[0], "" if inner else match[1]))
        at = match.end()
    if at < len(text) or not found:
        found.append((text[at:], None))
    return found
