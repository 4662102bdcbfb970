"""Whether a text is a SOPS file, and in which format: by its content, whatever its name.

`find` is the one function that decides this, for one file and for many.  It loads no parser and looks for
the ``sops`` entry as each format spells it, so a damaged file (by a merge, say) counts, too, and is not
overlooked.  A parser may find later that the file is not an encrypted one after all.

Where the name says a format (`encconf.formats.of_path`) and the text has that format's entry, that is
enough.  Otherwise the text must also have a MAC or its date, and its lines must be those of the format:
a README that shows a SOPS file is none.
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
"""How a UTF-16 text begins; YAML may be written so."""

GLANCE: Final = 1 << 13
"""How many bytes of a file are its head."""
FLAGS: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)
"""How to open a file whose head is read: opening a pipe must not hang."""
_BOM = b"\xef\xbb\xbf"
_OWN_JSON = ("yaml", "json")  # sops reads JSON by the names of these as what the name says
# Compiled when they are first needed: most files hold nothing that they are for.
_JSON = rb'"sops"\s*:'
_ENVELOPE = rb'\s*\{\s*"data"\s*:\s*"(?:ENC\[[^"]*)?"\s*,\s*"sops"\s*:\s*\{'
_ENVELOPE_END = rb"\}\s*\}\s*\Z"
_FLOW = rb"""[{,\s]["']?sops["']?\s*:"""
_FLOW_ROOT = rb"(?>(?:[ \t]*(?:#.*|%.*|---(?:[ \t]+[!&#].*)?)?\r?\n)*)(?:---[ \t]+)?[ \t]*\{"
# How a line starts that has the entry, or begins it: up to the line's first "sops".
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
_MARKERS = rb"(?m)^(?:<{7}|\|{7}|={7}|>{7})(?:[ \t].*)?\r?(?:\n|\Z)"  # of a conflict in git
_CONTENT = rb"(?m)^ *(?!\Z|[\s#%]|---|\.\.\.)"
# Each begins with a word that is looked for fast.
_MAC = (
    rb"""mac(?:(?<=\bmac)|(?<=\bsops_mac))["']?[ \t]*[:=]""",
    rb"""lastmodified(?:(?<=\blastmodified)|(?<=\bsops_lastmodified))["']?[ \t]*[:=]""",
)
_QUOTED_MAC = (
    rb"""mac(?<=\bmac)["']?[ \t]*=[ \t]*["']""",
    rb"""lastmodified(?<=\blastmodified)["']?[ \t]*=[ \t]*["']""",
)
# What no line of a format begins with: a text with such a line only shows a SOPS file.
_FOREIGN = {
    "yaml": rb"""(?m)^(?![\s#%\-.{}\[\],'"&!*|>?]|[^\s:#`][^:\n]*:(?:\s|\Z)|\Z)""",
    "dotenv": rb"(?m)^(?!\s|#|[^\s=]+(?:[ \t]+[^\s=]+)?=|\Z)",
    "ini": rb"(?m)^(?![\s#;\[]|[^\n]+[=:]|\Z)",
    "toml": rb"""(?m)^(?![\s#\[\]}"'-]|[\w.-]+[ \t]*[=.]|[\w+/=]+\s*$|\Z)""",
}


def glance(path: str) -> bool:
    """Whether a file may be an encrypted one, by its first bytes, since most files are not.

    Raises OSError.
    """
    return may_be(head_of(path))


def head_of(path: str) -> bytes:
    """The first 8 KiB of a file.  Raises OSError."""
    descriptor = os.open(path, FLAGS)
    try:
        return os.read(descriptor, GLANCE)
    finally:
        os.close(descriptor)


def may_be(head: bytes) -> bool:
    """Whether a file that begins so may be an encrypted one."""
    return b"ENC[" in head or (len(head) == GLANCE and b"\0" not in head) or head.startswith(UTF16)


def find(content: bytes | str, name: str = "") -> str | None:
    """The format of a SOPS file, None for what is none; ``name`` decides where several fit.

    JSON with one value called ``data`` is sops's envelope of a binary file, unless the name says, to sops,
    that it is YAML or JSON.
    """
    data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
    if data[:2] in UTF16:
        text = data.decode("utf-16", "replace").encode("utf-8", "replace")
        return "yaml" if find(text, "x.yaml") == "yaml" else None
    if b"sops" not in data or b"ENC[" not in data:
        return None
    data = data.removeprefix(_BOM)
    if b"<<<<<<<" in data:
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


def format_of(content: bytes | str, name: str = "") -> str:
    """The format of a SOPS file by its content, that of any other file by its name."""
    return find(content, name) or formats.of_path(name)


def from_block(data: bytes, format: str) -> bytes | None:
    """A SOPS file from its block on, as a text of its format: to read that alone is faster.

    None where the block's place is not plain.  A text that is not whole then fails to be read.
    """
    if format == "dotenv":
        return b"".join(re.findall(_BLOCK_LINE, data)) or None
    found = list(re.finditer(_PLAIN_BLOCK[format], data)) if format in _PLAIN_BLOCK else []
    if len(found) != 1:
        return None
    block = data[found[0].start() :]
    return b"{" + block if format == "json" else block


def _of_braces(data: bytes, name: str, named: str) -> str | None:
    """The format of a text that begins with a brace: JSON, YAML in flow style, or an envelope."""
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
        indents = [len(found[1]) for found in _entries(data, format)]
        # The root mapping is indented as the least indented line.
        return bool(indents) and (0 in indents or min(indents) <= min(map(len, re.findall(_CONTENT, data))))
    # INI and TOML write the section alike; strings have quotes in TOML.
    return any(_entries(data, format)) and (
        format not in ("ini", "toml") or format == ("toml" if _has(_QUOTED_MAC, data) else "ini")
    )


def _entries(data: bytes, format: str) -> Iterator[re.Match[bytes]]:
    """The starts of the lines that have the entry as a format spells it."""
    match = re.compile(_BLOCK[format]).match
    end = 0
    while (at := data.find(b"sops", end)) >= 0:
        found = match(data, data.rfind(b"\n", end, at) + 1)
        if found is not None:
            yield found
        end = data.find(b"\n", at)  # -1 behind the last line: there is nothing to find from there


def _has(patterns: tuple[bytes, ...], data: bytes) -> bool:
    """Whether one of some patterns is anywhere in a text."""
    return any(re.search(pattern, data) for pattern in patterns)
