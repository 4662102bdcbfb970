"""Whether some bytes look like an encrypted file, told without reading them as what they are.

For going through many files: no parser is loaded, and a file that is damaged (by a merge, say) still
counts, so that nobody overlooks it.  What follows may find that it is no encrypted file after all.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

HEAD: Final = 64
"""How many bytes `may_be` needs to see."""

_BOM = b"\xef\xbb\xbf"
_JSON = re.compile(rb'"sops"\s*:')
_BLOCK = {
    "yaml": re.compile(rb"""^["']?sops["']?[ \t]*:""", re.M),
    "dotenv": re.compile(rb"^[ \t]*(?:export[ \t]+)?sops_\w+=", re.M),
    "ini": re.compile(rb"^[ \t]*\[sops\]", re.M),
    "toml": re.compile(rb"""^[ \t]*\[{0,2}[ \t]*["']?sops["']?[ \t]*[.\]=]""", re.M),
}


def may_be(head: bytes, format: str) -> bool:
    """Whether a file that begins so can be an encrypted one: those of JSON and binary files are JSON."""
    return format in _BLOCK or head.removeprefix(_BOM).lstrip()[:1] in (b"{", b"")


def is_encrypted(data: bytes, format: str) -> bool:
    """Whether a file with these bytes has a ``sops`` block, by its looks."""
    if b"sops" not in data or b"ENC[" not in data or not may_be(data[:HEAD], format):
        return False
    data = data.removeprefix(_BOM)
    if data.lstrip()[:1] == b"{":  # YAML may be written so too
        return _JSON.search(data) is not None
    return format in _BLOCK and _BLOCK[format].search(data) is not None
