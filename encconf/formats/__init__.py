"""The file formats: `ROWS` has each one's class, which derives from `Format`, and the suffixes of its files.

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
from encconf.text.document import OMITTED, Document, Edit, Leaf, Value, filled, position, splice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any, Final

    from encconf.formats.writing import Writing
    from encconf.text.path import Path
    from encconf.text.tree import Plain


class Format:
    """A file format.  What a format does not define is as here; `scan` and the like it must define.

    A format has no state: `get` makes one object of each class.
    """

    name: str

    # --- what sops and other programs know of it -----------------------------------------------

    sops = True
    """Whether sops knows the format."""

    single_value = False
    """Whether a text is one value of any bytes, which has no key."""

    envelope: str | None = None
    """The format of its encrypted texts, if that is another one."""

    flat = False
    """Whether every value is text, in any encoding."""

    environment = False
    """Whether its values are environment variables."""

    objects = False
    """Whether Kubernetes and other tools keep their objects in it."""

    holds_json = False
    """Whether sops reads a JSON text in this format, if the file's name says so."""

    indent: int | None = None
    """sops's default indentation, or None if ``stores`` in .sops.yaml cannot change the indentation."""

    seals_empty = False
    """Whether empty strings are encrypted.  sops leaves them as they are."""

    null: bytes | None = None
    """A string that another program takes for a null, so that it is not in the MAC unless it is encrypted.

    In an encrypted text, a leaf with this string is a null until the text is opened.
    """

    empty = ""
    """A text without values."""

    example: str
    """The text that the editor shows for a new file.  Its comment says that the file is encrypted."""

    # --- how to recognize it -------------------------------------------------------------------

    entry: bytes | None = None
    """A pattern for the start of a line that has the ``sops`` entry or begins it."""

    foreign: bytes | None = None
    """A pattern for a line that the format cannot have: a text with one only quotes a SOPS file."""

    only_entry: bytes | None = None
    """A pattern for the ``sops`` entry as nearly every file has it, after which nothing else follows."""

    def has_entry(self, data: bytes) -> bool:
        """Whether a text has a ``sops`` entry as this format spells it.  Does not parse the text."""
        return self.entry is not None and any(self.entries(data))

    def entries(self, data: bytes) -> Iterator[re.Match[bytes]]:
        """Return a match of `entry` for each line that has one."""
        return re.finditer(b"\n" + (self.entry or b""), b"\n" + data)  # much faster than with (?m)^

    def from_entry(self, data: bytes) -> bytes | None:
        """Return a SOPS file from its ``sops`` entry on, as a text of this format, which is faster to read.

        Returns None if the place of the entry is not certain.  The text may be invalid; then `scan` refuses
        it.
        """
        found = list(re.finditer(self.only_entry, data)) if self.only_entry else []
        return data[found[0].start() :] if len(found) == 1 else None

    # --- reading -------------------------------------------------------------------------------

    def scan(self, text: str, *, comments: bool = False) -> Document:
        """Parse a text into leaves with spans.  With ``comments``, the document has its comments, too."""
        raise NotImplementedError

    def prepare(self, document: Document, chosen: bytearray, *, comments: bool = False) -> Prepared | None:
        """Respell what sops could not read back.  Returns None if the text can stay as it is.

        ``comments`` says that the rule depends on comments, so they must stay where they are.
        """
        return None

    def sealed(self, document: Document, leaf: Leaf, enc: str, *, was_plain: bool = False) -> Edit:
        """Return the edit that replaces a leaf with an ``ENC[…]`` text in the same style."""
        raise NotImplementedError

    def literal(self, document: Document, leaf: Leaf, type: str, data: bytes) -> Edit:
        """Return the edit that replaces an encrypted leaf with its plaintext."""
        raise NotImplementedError

    def respelled(self, document: Document, leaf: Leaf) -> Edit | None:
        """Return the edit for an unencrypted leaf that would hold another value in a text without a block."""
        return None

    def comment(self, document: Document, leaf: Leaf, data: bytes, *, alone: bool) -> Edit:
        """Return the edit that writes a comment instead of the item that sops stored for it, or removes it.

        ``data`` is the comment that the item holds.
        ``alone`` says that the sequence has no other items than comments.
        """
        return leaf.start, leaf.end, ""

    def comment_text(self, plain: str) -> str | None:
        """Return a decrypted comment as it is written, or None if part of it would not be a comment."""
        return None

    def token(self, value: Value) -> tuple[str, bytes | None]:
        """Return type and bytes of a value, as far as this format can distinguish them.

        A leaf keeps its old ciphertext if its place and its token are the same.
        """
        return value.type, value.data

    def shows_types(self, document: Document, values: Sequence[Value]) -> bool:
        """Whether the values of an opened document have the types that they are loaded with.

        Otherwise only the decrypted text shows them.
        """
        return True

    def movable(self, document: Document) -> bool:
        """Whether all that a scan says of the items stays true when the text around them changes.

        The offsets of the items themselves are adjusted.
        """
        return True

    def tells_integers(self, document: Document) -> bool:
        """Whether floats of an encrypted text are floats.  Older sops stores integers as floats, too."""
        return True

    def fragile(self, leaf: Leaf) -> bool:
        """Whether releases of sops read an unencrypted leaf differently."""
        return False

    def unclosed(self, document: Document, leaf: Leaf) -> bytes | None:
        """Return the first line of a quoted value, if some readers end the value there.

        Returns None if all readers of the format read the value to its closing quote.
        """
        return None

    def caveat(self, leaf: Leaf) -> str | None:
        """Return why sops or other readers of the format read a value differently, or None."""
        return None

    def region(self, document: Document, leaf: Leaf) -> tuple[int, int]:
        """Return the span of a leaf, including its tag, anchor and block scalar header."""
        return leaf.start, leaf.end

    def render_block(self, block: Mapping[str, object]) -> str:
        """Return the text of a ``sops`` block."""
        raise NotImplementedError

    def attach(self, document: Document, block_text: str) -> list[Edit]:
        """Return the edits that add the block to every document of the text."""
        raise NotImplementedError

    def detach(self, document: Document) -> list[Edit]:
        """Return the edits that remove the block from every document of the text."""
        raise NotImplementedError

    def load_plain(self, text: str) -> list[dict[str, object]]:
        """Return the values of a plaintext, including a ``sops`` entry if it has one."""
        from encconf.formats.goyaml import parse

        document = self.scan(text)
        trees = self.loaded(document, [parse(leaf.type, leaf.data) for leaf in document.leaves])
        entry = document.not_block if document.block is None else document.block
        if entry is not OMITTED and self.block_is_entry:
            trees[0]["sops"] = entry
        for tree, part in zip(trees[1:], document.parts[1:], strict=False):
            if part.block is not None and self.block_is_entry:
                tree |= self.load_plain(text[slice(*part.block)])[0]
        return trees

    block_is_entry = True
    """Whether the ``sops`` block is one entry, so that no other entry can have this name."""

    def loaded(self, document: Document, values: Sequence[object]) -> list[dict[str, object]]:
        """Return the trees of a document with a value for each leaf, as readers of the format see them."""
        return filled(document.items, values)[0]

    def located(self, document: Document, path: Path) -> list[Path]:
        """Return the paths of the values that readers see at a path.  The last one counts."""
        return [path]

    def inherited(self, document: Document) -> dict[Path, set[str]]:
        """Return the keys that mappings of the first document have from elsewhere, by the mappings' paths.

        If such a key of the mapping itself is removed, readers see the value from elsewhere.
        """
        return {}

    def unsettled(self, path: Path, seen: Path, value: Plain) -> Plain:
        """Return what to store at a path, so that readers see this value at ``seen``.

        Raises EmitError if they would not see it there.
        """
        return value

    # --- writing -------------------------------------------------------------------------------

    holds_documents = False
    """Whether `render` writes more than one document, or refuses them."""

    def check_indent(self, indent: int) -> None:
        """Raise EmitError for an indentation that is not accepted: no program reads a negative one."""

    def render(self, trees: Sequence[Any], indent: int | None) -> str:
        """Return documents as a text, as sops writes it.  See `encconf.formats.emit.render`."""
        raise EmitError(f"values cannot be written as {self.name}")

    def render_value(self, node: Any, indent: int | None) -> str:
        """Return a list, or a single value that is not a string.  See `encconf.formats.emit.value`."""
        kind = "a list" if isinstance(node, list) else f"a value of type {node.type}"
        raise EmitError(
            f"{self.name} files hold strings, not {kind}", hint="choose a format: --output-type json or yaml"
        )


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


def writing_of(name: str) -> Writing:
    """Return what makes a format's trees and writes into them.

    Raises EmitError for a format whose texts are one value.
    """
    place = ROWS[name].writing
    if not place:
        raise EmitError(f"single values of {name} files cannot be changed")
    found: Writing = _made(place)
    return found


def _by_suffix(suffix: str) -> str:
    return next((name for name, row in ROWS.items() if suffix in row.suffixes), ANY)


class Prepared(Record):
    """A plaintext respelled for sops.

    ``originals`` maps the start offset of a leaf or flow collection in ``text`` to its original spelling.
    """

    text: str
    originals: dict[int, str]

    @classmethod
    def edited(cls, text: str, edits: list[Edit], others: Sequence[Edit] = ()) -> Prepared:
        """Apply all edits to a text.  Only the spellings that ``edits`` replace are recorded."""
        originals: dict[int, str] = {}
        shift = 0
        for start, end, new, recorded in sorted(
            [*((*edit, True) for edit in edits), *((*edit, False) for edit in others)]
        ):
            if recorded:
                originals[start + shift] = text[start:end]
            shift += len(new) - (end - start)
        return cls(splice(text, [*edits, *others]), originals)


_WRAPPERS = (".enc", ".sops", ".encrypted")
"""Endings that say only that a file is encrypted.  The rest of the name decides the format."""


def of_path(path: str) -> str:
    """Return the format to write a file in, by the suffix of its name.  An unknown suffix means binary.

    Case does not matter.  ``.env.sops`` and ``prod.env.enc`` are dotenv, ``values.yaml.enc`` is YAML.
    ``.env.prod`` is binary, because sops would read it as binary.
    """
    name = path.lower()
    while (dot := name.rfind(".")) >= 0 and name[dot:] in _WRAPPERS:
        name = name[:dot]
    return _by_suffix(name[dot:]) if dot >= 0 else ANY


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
    if b"ENC[AES256_GCM," not in data or re.search(_CIPHERTEXT, data) is None:
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
        return Document(text, format)
    except ParseError:
        if text.strip():
            raise
        return Document(text, format)
