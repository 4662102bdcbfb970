"""The file formats: `ROWS` has the class and the suffixes of each.  The classes derive from `Format`.

`get` returns a format, `of_path` the name of the format for a file's name, and `find` the name of the format
of an existing SOPS file.  Its content decides, and its name only helps.
"""

from __future__ import annotations

import os
import re
import stat
from functools import cache

from encconf.errors import EmitError, EmptyDocumentError, InputError, ParseError, UsageError
from encconf.record import Record
from encconf.text.document import ENC_BYTES, Document, Format, position

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

    from encconf.formats.writing import Writing


_QUOTED_MAC = (
    rb"""mac(?<=\bmac)["']?[ \t]*=[ \t]*["']""",
    rb"""lastmodified(?<=\blastmodified)["']?[ \t]*=[ \t]*["']""",
)  # each begins with a literal word, which re finds fast


def has_quoted_mac(data: bytes) -> bool:
    """Whether a text has a MAC or its date in quotes after ``=``, as in TOML and not in INI."""
    return any(re.search(pattern, data) for pattern in _QUOTED_MAC)


class Row(Record):
    """Where a format's class is, and the suffixes of its files, known without importing the class.

    ``writing`` is where the class is that writes values into its trees, or "" if a text is one value.
    """

    place: str
    suffixes: tuple[str, ...] = ()
    writing: str = ""


ANY = "binary"
"""The format of the files that no other one fits: any bytes."""
ROWS = {
    "yaml": Row("encconf.formats.yaml.Yaml", (".yaml", ".yml"), "encconf.formats.yaml_tree.YamlWriting"),
    "json": Row("encconf.formats.json.Json", (".json",), "encconf.formats.json_tree.JsonWriting"),
    "dotenv": Row("encconf.formats.dotenv.Dotenv", (".env",), "encconf.formats.dotenv_tree.DotenvWriting"),
    "ini": Row("encconf.formats.ini.Ini", (".ini",), "encconf.formats.ini_tree.IniWriting"),
    "toml": Row("encconf.formats.toml.Toml", (".toml",), "encconf.formats.toml_tree.TomlWriting"),
    ANY: Row("encconf.formats.binary.Binary"),
}
"""The formats.  To add one, write its classes and add a row."""
NAMES = tuple(ROWS)
SUFFIXES = tuple(suffix for row in ROWS.values() for suffix in row.suffixes)


@cache
def _made(place: str) -> Any:
    """Return an object of the class at a place."""
    module, _, own = place.rpartition(".")
    return getattr(__import__(module, fromlist=[own]), own)()


def get(name: str) -> Format:
    """Return a format, whose module is imported when it is first needed.  Raises UsageError."""
    row = ROWS.get(name)
    if row is None:
        raise UsageError(f"unknown format {name!r}", hint=f"formats are: {', '.join(ROWS)}")
    found: Format = _made(row.place)
    return found


def writing_of(format: Format) -> Writing:
    """Return what makes a format's trees and writes into them.

    Raises EmitError for a format whose texts are one value.
    """
    place = ROWS[format.name].writing
    if not place:
        raise EmitError(f"single values of {format.name} files cannot be changed")
    found: Writing = _made(place)
    return found


def _by_suffix(suffix: str) -> str:
    return next((name for name, row in ROWS.items() if suffix in row.suffixes), ANY)


_WRAPPERS = (".enc", ".sops", ".encrypted")
"""Endings that say only that a file is encrypted.  The rest of the name decides the format."""


def of_path(path: str) -> str:
    """Return the format to write a file in, by the suffix of its name.  An unknown suffix means binary.

    Case does not matter.  ``.env.sops`` and ``prod.env.enc`` are dotenv, ``values.yaml.enc`` is YAML.
    ``.env.prod`` is binary, because sops would read it as binary.
    """
    name = path.lower()
    while (ending := name[name.rfind(".") :]) in _WRAPPERS:
        name = name.removesuffix(ending)
    return _by_suffix(ending)


def of_inner(path: str) -> str:
    """Return the format of the text in a binary file, by any of its suffixes: ``.env.prod`` holds dotenv."""
    for ending in reversed(path.replace("\\", "/").rpartition("/")[2].lower().split(".")[1:]):
        if (format := _by_suffix(f".{ending}")) != ANY:
            return format
    return ANY


def of_path_as_sops(path: str) -> str:
    """Return the format that sops picks for a name.  sops is case-sensitive and does not know TOML."""
    found = _by_suffix(path[path.rfind(".") :])
    return found if get(found).sops else ANY


# --- which texts are SOPS files ------------------------------------------------------------------
#
# `find` is the only function that decides this, for one file and for many.  It loads no parser and searches
# for the ``sops`` entry as each format spells it, so it also finds a damaged file (by a merge, say).  A
# parser may find later that the file is not encrypted.
#
# If the name has a known suffix (`of_path`) and the text has the entry of that format, that is enough.
# Otherwise the text must also have a MAC or its date, and its lines must be lines of the format: a README
# that shows a SOPS file is not a SOPS file.

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
    """Return the first 8 KiB of a regular file, or nothing of another.  Raises OSError."""
    descriptor = os.open(path, FLAGS)
    try:
        # To read from a pipe would take what another program waits for.
        return os.read(descriptor, GLANCE) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""
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
    named = of_path(name)
    if data.lstrip()[:1] == b"{":
        return _of_braces(data, name, named)
    if get(named).has_entry(data):
        return named
    if not _has_mac(data):
        return None
    for name in NAMES:
        format = get(name)
        if format.foreign and format.has_entry(data) and re.search(format.foreign, data) is None:
            return name
    return None


def has_ciphertext(content: bytes | str) -> bool:
    """Whether a text of an unknown format has values that are ciphertexts, and is not prose about them."""
    data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
    if ENC_BYTES not in data or re.search(_CIPHERTEXT, data) is None:
        return False
    patterns = [get(name).foreign for name in NAMES]
    return any(pattern and re.search(pattern, data) is None for pattern in patterns)


def format_of(content: bytes | str, name: str = "") -> str:
    """Return the format of a SOPS file by its content, and of any other file by its name."""
    return find(content, name) or of_path(name)


def _of_braces(data: bytes, name: str, named: str) -> str | None:
    """Return the format of a text that begins with a brace: JSON, YAML in flow style, or an envelope."""
    by_name = get(named)
    if re.search(_JSON, data) is None:
        return named if by_name.holds_json and by_name.has_entry(data) else None
    if get(of_path_as_sops(name)).holds_json:
        return named
    if not by_name.holds_json and not _has_mac(data):
        return None
    if get(ANY).has_entry(data):
        return ANY
    return named if by_name.holds_json else "json"


def _has_mac(data: bytes) -> bool:
    """Whether a text has a MAC or its date."""
    return any(re.search(pattern, data) for pattern in _MAC)


# --- reading -------------------------------------------------------------------------------------


def scan_encrypted(text: str, format: Format, *, comments: bool = False) -> Document:
    """Scan the text of a SOPS file.  If it contains git's conflict markers, the ParseError says so."""
    try:
        return format.scan(text, comments=comments)
    except InputError:
        found = re.search(r"(?m)^<{7} ", text)
        if found is None or re.compile(r"(?m)^>{7}(?: |\r?$)").search(text, found.end()) is None:
            raise
        raise ParseError(
            "it contains git's conflict markers",
            line=position(text, found.start())[0],
            hint="run encconf git install to merge by value, then: git checkout --merge FILE",
        ) from None


def scan_any(text: str, format: str, *, comments: bool = False) -> Document:
    """Scan a text.  A text without values, such as an empty one, is a document without trees."""
    try:
        return get(format).scan(text, comments=comments)
    except EmptyDocumentError:
        return Document(text, get(format))
    except ParseError:
        if text.strip():
            raise
        return Document(text, get(format))
