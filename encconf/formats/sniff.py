"""Whether a text is a SOPS file, and in which format.  The content decides, and the name only helps.

`find` is the only function that decides this, for one file and for many.  It loads no parser and searches
for the ``sops`` entry as each format spells it, so it also finds a damaged file (by a merge, say).  A parser
may find later that the file is not encrypted.

If the name has a known suffix (`encconf.formats.of_path`) and the text has the entry of that format, that is
enough.  Otherwise the text must also have a MAC or its date, and its lines must be lines of the format: a
README that shows a SOPS file is not a SOPS file.
"""

from __future__ import annotations

import os
import re

from encconf import formats

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
"""The byte order marks of UTF-16, which YAML may use."""

GLANCE: Final = 1 << 13
"""The length of a file's head in bytes."""
FLAGS: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)
"""The flags to open a file with, to read its head.  Opening a pipe must not block."""
_BOM = b"\xef\xbb\xbf"
# Patterns are compiled when they are first needed: most files need none of them.
_JSON = rb'"sops"\s*:'
_MARKERS = rb"(?m)^(?:<{7}|\|{7}|={7}|>{7})(?:[ \t].*)?\r?(?:\n|\Z)"  # git's conflict markers
# Each pattern begins with a literal word, which re finds fast; the lookbehind comes after it.
_MAC = (
    rb"""mac(?:(?<=\bmac)|(?<=\bsops_mac))["']?[ \t]*[:=]""",
    rb"""lastmodified(?:(?<=\blastmodified)|(?<=\bsops_lastmodified))["']?[ \t]*[:=]""",
)

# A line with a value that is a ciphertext, and with nothing after it.
_CIPHERTEXT = (
    rb"""(?m)(?:^|[\s:=#;"'\[,-])ENC\[AES256_GCM,data:[^,\s]*,iv:[^,\s]+,tag:[^,\s]+,type:[a-z]+\]"""
    rb"""["'\]},\s]*$"""
)


def glance(path: str) -> bool:
    """Whether a file may be a SOPS file, by its first bytes: most files are not.  Raises OSError."""
    return may_be(head_of(path))


def head_of(path: str) -> bytes:
    """Return the first 8 KiB of a file.  Raises OSError."""
    descriptor = os.open(path, FLAGS)
    try:
        return os.read(descriptor, GLANCE)
    finally:
        os.close(descriptor)


def may_be(head: bytes) -> bool:
    """Whether a file with this head may be a SOPS file."""
    return b"ENC[" in head or (len(head) == GLANCE and b"\0" not in head) or head.startswith(UTF16)


def find(content: bytes | str, name: str = "") -> str | None:
    """Return the format of a SOPS file, or None for any other file.  ``name`` decides if several formats fit.

    JSON with one value called ``data`` is sops's envelope of a binary file, unless sops takes the file for
    YAML or JSON by its name.
    """
    data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
    if data[:2] in UTF16:
        text = data.decode("utf-16", "replace").encode("utf-8", "replace")
        return "yaml" if find(text, "x.yaml") == "yaml" else None
    if data.rfind(b"sops") < 0 or b"ENC[" not in data:  # the entry is mostly near the end
        return None
    data = data.removeprefix(_BOM)
    if b"<" in data and b"<<<<<<<" in data:  # a search for one character is much faster
        data = re.sub(_MARKERS, b"", data)
    named = formats.of_path(name)
    if data.lstrip()[:1] == b"{":
        return _of_braces(data, name, named)
    if formats.get(named).has_entry(data):
        return named
    if not _has_mac(data):
        return None
    for name in formats.NAMES:
        format = formats.get(name)
        if format.foreign and format.has_entry(data) and re.search(format.foreign, data) is None:
            return name
    return None


def has_ciphertext(content: bytes | str) -> bool:
    """Whether a text of an unknown format has values that are ciphertexts, and is not prose about them."""
    data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
    if b"ENC[AES256_GCM," not in data or re.search(_CIPHERTEXT, data) is None:
        return False
    patterns = [formats.get(name).foreign for name in formats.NAMES]
    return any(pattern and re.search(pattern, data) is None for pattern in patterns)


def format_of(content: bytes | str, name: str = "") -> str:
    """Return the format of a SOPS file by its content, and of any other file by its name."""
    return find(content, name) or formats.of_path(name)


def _of_braces(data: bytes, name: str, named: str) -> str | None:
    """Return the format of a text that begins with a brace: JSON, YAML in flow style, or an envelope."""
    by_name = formats.get(named)
    if re.search(_JSON, data) is None:
        return named if by_name.holds_json and by_name.has_entry(data) else None
    if formats.get(formats.of_path_as_sops(name)).holds_json:
        return named
    if not by_name.holds_json and not _has_mac(data):
        return None
    if formats.get(formats.ANY).has_entry(data):
        return formats.ANY
    return named if by_name.holds_json else "json"


def _has_mac(data: bytes) -> bool:
    """Whether a text has a MAC or its date."""
    return any(re.search(pattern, data) for pattern in _MAC)
