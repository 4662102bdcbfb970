"""Paths into a document: sops's ``["a"]["b"][0]``, and the shorter ``a.b[0]``.

`parse_sops` reads what sops 3.13.3 reads (cmd/sops/main.go: parseTreePath).  `parse` reads both
spellings.  A path is a tuple of keys (str) and indexes (int), or `END` for the place after a list's
last item.  This module does not look paths up.
"""

from __future__ import annotations

import re

from encconf.errors import PathSyntaxError
from encconf.text.printable import escaped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

Path = tuple[str | int, ...]

END: Final = 1 << 62
"""``[]`` in a path: the place after the last item of a list."""

MAX_STEPS = 200
"""How many steps a path may have: as many as a document may have levels."""

_HINT = 'write a path like a.b[0], or as in sops: ["a"]["b"][0]'
_SHELL_HINT = """a shell removes quotes; write a path like a.b[0], or quote it: '["a"]["b"][0]'"""
_STEP = r"""(?xs)
    \[ (?: (-?[0-9]{1,18}) | "(.*?)" | '(.*?)' | ) \] (?=[.\[]|\Z)   # [0]  ["a key"]  ['a key']  []
    | \.? ([^.\[\]]+)                                               # a  .b
    """
_WORD = r"[^.\[\]\s\"']+"


def parse(text: str) -> Path:
    """Parse either spelling of a path.  "" and "." are the whole document.

    A key that contains a dot or a bracket is written in brackets and quotes, without escapes.
    Raises PathSyntaxError.
    """
    if text in ("", "."):
        return ()
    path: list[str | int] = []
    at = 0
    step = re.compile(_STEP)
    while at < len(text):
        match = step.match(text, at)
        if match is None:
            hint = _HINT if re.search("[\"']", text) or not text.startswith("[") else _SHELL_HINT
            raise PathSyntaxError(f"the path is malformed at character {at + 1}", hint=hint)
        if match[4] is not None:
            path.append(match[4])
        elif match[1] is not None:
            path.append(int(match[1]))
        else:
            path.append(END if match[2] is None and match[3] is None else match[2] or match[3] or "")
        at = match.end()
    return _limited(path)


def parse_sops(text: str) -> Path:
    """Parse a path as sops does: it splits at every ``[``, so no key can contain one.

    Raises PathSyntaxError, also where sops panics.
    """
    path: list[str | int] = []
    for part in text.split("["):
        if not part:
            continue
        if not part.endswith("]"):
            raise PathSyntaxError(f"component {part} doesn't end with ]", hint=_HINT)
        step = part[:-1]
        if step[:1] in ("'", '"') and len(step) > 1:
            path.append(step[1:-1])
        elif re.fullmatch(r"[-+]?[0-9]{1,18}", step):
            path.append(int(step))
        else:
            raise PathSyntaxError(f"component {part} is neither a quoted key nor a number", hint=_HINT)
    return _limited(path)


def _limited(path: list[str | int]) -> Path:
    if len(path) > MAX_STEPS:
        raise PathSyntaxError(f"the path has more than {MAX_STEPS} steps", hint=_HINT)
    return tuple(path)


def spell(path: Sequence[str | int]) -> str:
    """Return the shorter spelling of a path, on one line: control characters in keys are escaped.

    `parse` reads it, except for those escapes.
    """
    out = ""
    for step in path:
        if isinstance(step, int):
            out += "[]" if step == END else f"[{step}]"
        elif re.fullmatch(_WORD, step):
            out += f".{step}" if out else step
        else:
            out += f'["{step}"]' if '"' not in step else f"['{step}']"
    return escaped(out) or "."


_KEYS = b"api private secret access signing encryption master shared ssh auth".split()
_SECRETS = (
    *b"password passwd pwd passphrase secret token credential dsn".split(),
    *(kind + sign + b"key" for kind in _KEYS for sign in (b"", b"-", b"_", b".", b" ")),
)
"""Words that end the names of secrets, perhaps in the plural."""


def called_a_secret(path: Path) -> bool:
    """Whether the last key of a path names a secret: ``DB_PASSWORD``, ``apiKey``, but not ``mypwd``."""
    step = next((step for step in reversed(path) if isinstance(step, str)), "")
    name = step.encode("ascii", "replace").removesuffix(b"s").removesuffix(b"S")
    low = name.lower()
    if not low.endswith(_SECRETS):
        return False
    starts = (len(low) - len(word) for word in _SECRETS if low.endswith(word))
    return any(not name[at - 1 : at].islower() or name[at : at + 1].isupper() for at in starts)
