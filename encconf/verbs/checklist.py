"""A Markdown checklist of the values that a removed recipient could read.

You tick off each value after you change it at its source.  Several commands can write to the same list: what
the file has stays, and only items that it does not have yet, ticked or not, are added.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from encconf.errors import InputError, about
from encconf.io import fileio

TITLE = "# Values to change at their source\n\n"
_ITEM = re.compile(r"^- \[[ xX]\] (.*)$", re.M)


def item(who: str, file: str, path: str) -> str:
    """Return one item of the list, without its checkbox."""
    return f"{_code(path)} in {_code(file)}: {who} could read it"


def _code(text: str) -> str:
    """Return a text as Markdown code, between more backticks than it contains in a row."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    pad = " " if longest else ""
    return "`" * (longest + 1) + pad + text + pad + "`" * (longest + 1)


def write(path: str, items: Iterable[str]) -> int:
    """Add the missing items to the list in a file (-: stdout), and return how many were added.

    The file may be new.

    Raises InputError for a file that is not a checklist, and the errors of reading and writing.
    """
    place = fileio.resolve("/dev/stdout" if path == "-" else path)
    with about(path, instead=place):
        before = fileio.read_existing(place) if not fileio.is_special(place) else None
        known = set(_ITEM.findall(before or ""))
        if before and not known:
            raise InputError("this file is not a checklist")
        new = [text for text in dict.fromkeys(items) if text not in known]
        if new:
            text = before or TITLE
            text += "" if text.endswith("\n") else "\n"
            text += "".join(f"- [ ] {each}\n" for each in new)
            fileio.write_atomic(place, text, replacing=before)
        return len(new)
