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
    from collections.abc import Iterator
    from typing import Final

UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
"""The byte order marks of UTF-16, which YAML may use."""

GLANCE: Final = 1 << 13
"""The length of a file's head in bytes."""
FLAGS: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)
"""The flags to open a file with, to read its head.  Opening a pipe must not block."""
_BOM = b"\xef\xbb\xbf"
_OWN_JSON = ("yaml", "json")  # if a file's name says one of these, sops reads JSON in it as that format
# Patterns are compiled when they are first needed: most files need none of them.
_JSON = rb'"sops"\s*:'
_ENVELOPE = rb'\s*\{\s*"data"\s*:\s*"(?:ENC\[[^"]*)?"\s*,\s*"sops"\s*:\s*\{'
_ENVELOPE_END = rb"\}\s*\}\s*\Z"
_FLOW = rb"""[{,\s]["']?sops["']?\s*:"""
_FLOW_ROOT = rb"(?>(?:[ \t]*(?:#.*|%.*|---(?:[ \t]+[!&#].*)?)?\r?\n)*)(?:---[ \t]+)?[ \t]*\{"
# The start of a line that has the entry or begins it.
_BLOCK = {
    "yaml": rb"""( *)["']?sops["']?[ \t]*:""",
    "dotenv": rb"[ \t]*(?:export[ \t]+)?sops_\w+=",
    "ini": rb"[ \t]*\[sops\]",
    "toml": rb"""[ \t]*+\[{0,2}+[ \t]*+["']?sops["']?[ \t]*[.\]=]""",
}
_PLAIN_BLOCK = {
    "yaml": rb"(?m)^sops:",
    "json": rb'"sops"[ \t]*:',
    "ini": rb"(?m)^\[sops\]",
    "toml": rb"(?m)^\[sops\]",
}
_BLOCK_LINE = rb"(?m)^sops_.*\n?"
_MARKERS = rb"(?m)^(?:<{7}|\|{7}|={7}|>{7})(?:[ \t].*)?\r?(?:\n|\Z)"  # git's conflict markers
_CONTENT = rb"(?m)^ *(?!\Z|[\s#%]|---|\.\.\.)"
# Each pattern begins with a literal word, which re finds fast; the lookbehind comes after it.
_MAC = (
    rb"""mac(?:(?<=\bmac)|(?<=\bsops_mac))["']?[ \t]*[:=]""",
    rb"""lastmodified(?:(?<=\blastmodified)|(?<=\bsops_lastmodified))["']?[ \t]*[:=]""",
)
_QUOTED_MAC = (
    rb"""mac(?<=\bmac)["']?[ \t]*=[ \t]*["']""",
    rb"""lastmodified(?<=\blastmodified)["']?[ \t]*=[ \t]*["']""",
)
# A line with a value that is a ciphertext, and with nothing after it.
_CIPHERTEXT = (
    rb"""(?m)(?:^|[\s:=#;"'\[,-])ENC\[AES256_GCM,data:[^,\s]*,iv:[^,\s]+,tag:[^,\s]+,type:[a-z]+\]"""
    rb"""["'\]},\s]*$"""
)
# A line that the format cannot have.  A text with such a line only quotes a SOPS file.
_FOREIGN = {
    "yaml": rb"""(?m)^(?![\s#%\-.{}\[\],'"&!*|>?]|[^\s:#`][^:\n]*:(?:\s|\Z)|\Z)""",
    "dotenv": rb"(?m)^(?!\s|#|[^\s=]+(?:[ \t]+[^\s=]+)?=|\Z)",
    "ini": rb"(?m)^(?![\s#;\[]|[^\n]+[=:]|\Z)",
    "toml": rb"""(?m)^(?![\s#\[\]}"'-]|[\w.-]+[ \t]*[=.]|[\w+/=]+\s*$|\Z)""",
}


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
    if _has_entry(data, named):
        return named
    if not _has(_MAC, data):
        return None
    for format, foreign in _FOREIGN.items():
        if _has_entry(data, format) and re.search(foreign, data) is None:
            return format
    return None


def has_ciphertext(content: bytes | str) -> bool:
    """Whether a text of an unknown format has values that are ciphertexts, and is not prose about them."""
    data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
    if b"ENC[AES256_GCM," not in data or re.search(_CIPHERTEXT, data) is None:
        return False
    return any(re.search(foreign, data) is None for foreign in _FOREIGN.values())


def format_of(content: bytes | str, name: str = "") -> str:
    """Return the format of a SOPS file by its content, and of any other file by its name."""
    return find(content, name) or formats.of_path(name)


def from_block(data: bytes, format: str) -> bytes | None:
    """Return a SOPS file from its ``sops`` block on, as a text of its format, which is faster to read.

    Returns None if the block's place is not certain.  The text may be invalid; then its parser refuses it.
    """
    if format == "dotenv":
        return b"".join(re.findall(_BLOCK_LINE, data)) or None
    found = list(re.finditer(_PLAIN_BLOCK[format], data)) if format in _PLAIN_BLOCK else []
    if len(found) != 1:
        return None
    block = data[found[0].start() :]
    return b"{" + block if format == "json" else block


def _of_braces(data: bytes, name: str, named: str) -> str | None:
    """Return the format of a text that begins with a brace: JSON, YAML in flow style, or an envelope."""
    if re.search(_JSON, data) is None:
        return "yaml" if named == "yaml" and re.search(_FLOW, data) else None
    if formats.of_path_as_sops(name) in _OWN_JSON:
        return named
    if named not in _OWN_JSON and not _has(_MAC, data):
        return None
    if re.match(_ENVELOPE, data) and re.search(_ENVELOPE_END, data[-256:]):
        return "binary"
    return "yaml" if named == "yaml" else "json"


def _has_entry(data: bytes, format: str) -> bool:
    """Whether a text has a ``sops`` entry as a format spells it."""
    if format not in _BLOCK:
        return False
    if format == "yaml":
        if not data[:1].isalpha() and b"{" in data and re.match(_FLOW_ROOT, data):
            return re.search(_FLOW, data) is not None
        if data.rfind(b"\nsops:") >= 0:
            return True
        indents = [len(found[1]) for found in _entries(data, format)]
        # The root mapping has the indentation of the least indented line.
        return bool(indents) and (0 in indents or min(indents) <= min(map(len, re.findall(_CONTENT, data))))
    # The section looks the same in INI and TOML, but strings have quotes in TOML.
    return any(_entries(data, format)) and (
        format not in ("ini", "toml") or format == ("toml" if _has(_QUOTED_MAC, data) else "ini")
    )


def _entries(data: bytes, format: str) -> Iterator[re.Match[bytes]]:
    """Return a match for each line that has the entry as a format spells it."""
    return re.finditer(b"\n" + _BLOCK[format], b"\n" + data)  # much faster than with (?m)^


def _has(patterns: tuple[bytes, ...], data: bytes) -> bool:
    """Whether a text has a match of any of the patterns."""
    return any(re.search(pattern, data) for pattern in patterns)
