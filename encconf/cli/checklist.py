"""A list of values that somebody could read, to tick off once each is changed at its source.

Markdown, as issue trackers show it.  The file keeps what it has; only items that it does not have yet, ticked
or not, are added, so that several commands can write to one list.
"""

from __future__ import annotations

import re

from encconf.errors import InputError, OutputError
from encconf.io import fileio

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

TITLE = "# Values to change at their source\n\n"
_ITEM = re.compile(r"^- \[[ xX]\] (.*)$", re.M)


def item(who: str, file: str, path: str) -> str:
    """One line of the list, without its box."""
    return f"{_code(path)} in {_code(file)}: {who} could read it"


def _code(text: str) -> str:
    """A text as code, between more backticks than it contains."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    pad = " " if longest else ""
    return "`" * (longest + 1) + pad + text + pad + "`" * (longest + 1)


def write(path: str, items: Iterable[str]) -> int:
    """Add the missing items to the list in a file, which may not exist yet; returns how many were added.

    Raises InputError for a file that holds something else, and what reading and writing raise.
    """
    place = fileio.resolve(path)
    try:
        return _write(place, items)
    except (InputError, OutputError) as error:
        error.file = path
        raise


def _write(place: str, items: Iterable[str]) -> int:
    before = fileio.read_existing(place)
    known = set(_ITEM.findall(before or ""))
    if before and not known:
        raise InputError("this file is not a checklist")
    new = [text for text in dict.fromkeys(items) if text not in known]
    if new:
        text = before or TITLE
        text += "" if text.endswith("\n") else "\n"
        fileio.write_atomic(place, text + "".join(f"- [ ] {each}\n" for each in new), replacing=before)
    return len(new)
