"""The file formats: each has a row in `ROWS`, and modules with the functions of `Format` and `Writing`.

`of_path` returns the format for a file's name.  `encconf.formats.sniff` finds the format of an existing
SOPS file by its content.
"""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace

from encconf.errors import EmitError, EmptyDocumentError, InputError, ParseError, UsageError
from encconf.record import Record
from encconf.text.document import Document, Edit, Leaf, position, splice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Protocol

    from encconf.text.path import Path
    from encconf.text.tree import Entry, Plain, Spelling, Tree

    class Writing(Spelling, Protocol):
        """How a format makes trees and writes values into them."""

        def tree(self, document: Document) -> Tree:
            """Return the tree of a scanned text."""

        def root(self, whole: Tree) -> Entry:
            """Return the entry of the first document, which is the one that values are written into."""

        def drop_plain(self, tree: Any, path: Path) -> None:
            """Remove the value at a path, which must exist, from plain values."""
else:
    Protocol = object  # only type checkers need it, and importing typing takes time


class Format(Protocol):
    """What a format defines.  It may leave out the functions that have a body here: that is their default."""

    SEALS_EMPTY: bool = False
    """Whether empty strings are encrypted.  sops leaves them as they are."""

    NULL: bytes | None = None
    """A string that another program takes for a null, so that it is not in the MAC unless it is encrypted.

    In an encrypted text, a leaf with this string is a null until the text is opened.
    """

    EMPTY: str = ""
    """A text without values."""

    EXAMPLE: str
    """The text that the editor shows for a new file.  Its comment says that the file is encrypted."""

    def scan(self, text: str, *, comments: bool = False) -> Document:
        """Parse a text into leaves with spans.  With ``comments``, the document has its comments, too."""

    def prepare(self, document: Document, chosen: bytearray, *, comments: bool = False) -> Prepared | None:
        """Respell what sops could not read back.  Returns None if the text can stay as it is.

        ``comments`` says that the rule depends on comments, so they must stay where they are.
        """
        return None

    def sealed(self, document: Document, leaf: Leaf, enc: str, *, was_plain: bool = False) -> Edit:
        """Return the edit that replaces a leaf with an ``ENC[…]`` text in the same style."""

    def literal(self, document: Document, leaf: Leaf, type: str, data: bytes) -> Edit:
        """Return the edit that replaces an encrypted leaf with its plaintext."""

    def comment(self, document: Document, leaf: Leaf, *, alone: bool) -> Edit:
        """Return the edit that replaces a sequence item that sops stored for a comment, or removes it.

        ``alone`` says that the sequence has no other items than comments.
        """
        return leaf.start, leaf.end, ""

    def comment_text(self, plain: str) -> str | None:
        """Return a decrypted comment as it is written, or None if part of it would not be a comment."""
        return None

    def token(self, leaf: Leaf) -> tuple[str, bytes | None]:
        """Return type and bytes of a value, as far as this format can distinguish them.

        A leaf keeps its old ciphertext if its place and its token are the same.
        """
        return leaf.type, leaf.data

    def shows_types(self, document: Document) -> bool:
        """Whether the leaves of an opened document have the types that its values are loaded with.

        Otherwise only the decrypted text shows them.
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

    def attach(self, document: Document, block_text: str) -> list[Edit]:
        """Return the edits that add the block to every document of the text."""

    def detach(self, document: Document) -> list[Edit]:
        """Return the edits that remove the block from every document of the text."""

    def load_plain(self, text: str) -> list[dict[str, object]]:
        """Return the values of a plaintext, including a ``sops`` entry if it has one."""
        from encconf.formats.goyaml import fill

        document = self.scan(text)
        fill(document.leaves)
        self.settle(document)
        # In dotenv, each member of the block is a name at the top level, and none is called sops.
        if document.block is not None and document.format != "dotenv":
            document.trees[0]["sops"] = document.block
        return document.trees

    def settle(self, document: Document) -> None:
        """Replace the values that sops stores, in an opened document's trees, with what readers see."""

    def located(self, document: Document, path: Path) -> list[Path]:
        """Return the paths of the values that readers see at a path.  The last one counts."""
        return [path]

    def unsettled(self, path: Path, seen: Path, value: Plain) -> Plain:
        """Return what to store at a path, so that readers see this value at ``seen``.

        Raises EmitError if they would not see it there.
        """
        return value


class Row(Record):
    """One format: its name, its suffixes, and its modules, which are imported when they are needed.

    The public names of ``modules`` are its `Format`, and those of ``trees`` its `Writing`.  ``trees`` is ""
    if a text is one value.  ``sops`` says that sops knows the format, ``flat`` that every value is text in
    any encoding, and ``objects`` that Kubernetes and other tools keep their objects in it.  ``indent`` is
    sops's default indentation, or None if ``stores`` in .sops.yaml cannot change the indentation.
    """

    name: str
    suffixes: tuple[str, ...]
    modules: tuple[str, ...]
    trees: str = ""
    sops: bool = True
    flat: bool = False
    objects: bool = False
    indent: int | None = None


def _row(name: str, modules: str, *suffixes: str, **options: Any) -> Row:
    names = tuple(f"encconf.formats.{module}" for module in modules.split())
    return Row(name, suffixes, names, f"encconf.formats.{name}_tree" if suffixes else "", **options)


ROWS = {
    row.name: row
    for row in (
        _row("yaml", "yaml yaml_text yaml_block", ".yaml", ".yml", objects=True, indent=0),
        _row("json", "json json_text", ".json", indent=-1),
        _row("dotenv", "dotenv", ".env", flat=True),
        _row("ini", "ini ini_text", ".ini", flat=True),
        _row("toml", "toml toml_text toml_block", ".toml", sops=False),
        _row("binary", "binary"),
    )
}
"""The formats.  To add one, write its modules and add a row."""
NAMES = tuple(ROWS)


def _by_suffix(suffix: str) -> str:
    return next((row.name for row in ROWS.values() if suffix in row.suffixes), "binary")


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
    return _by_suffix(name[dot:]) if dot >= 0 else "binary"


def of_inner(path: str) -> str:
    """Return the format of the text in a binary file, by any of its suffixes: ``.env.prod`` holds dotenv."""
    for ending in reversed(path.replace("\\", "/").rpartition("/")[2].lower().split(".")[1:]):
        if (format := _by_suffix(f".{ending}")) != "binary":
            return format
    return "binary"


def of_path_as_sops(path: str) -> str:
    """Return the format that sops picks for a name.  sops is case-sensitive and does not know TOML."""
    found = _by_suffix(path[path.rfind(".") :])
    return found if ROWS[found].sops else "binary"


@cache
def _functions(base: Any, *modules: str) -> Any:
    """Return an object of ``base`` with the public names of modules.  Later modules replace names."""
    made = base()
    for module in modules:
        found = vars(__import__(module, fromlist=["scan"]))
        vars(made).update({name: found[name] for name in found if name[0] != "_"})
    return made


def module(name: str) -> Format:
    """Return the functions of a format.  Raises UsageError for an unknown name."""
    row = ROWS.get(name)
    if row is None:
        raise UsageError(f"unknown format {name!r}", hint=f"formats are: {', '.join(ROWS)}")
    found: Format = _functions(Format, *row.modules)
    return found


def writing(name: str) -> Writing:
    """Return the functions that make a format's trees and write into them.

    `encconf.formats.plain` has the defaults.  Raises EmitError for a format whose texts are one value.
    """
    row = ROWS[name]
    if not row.trees:
        raise EmitError(f"single values of {name} files cannot be changed")
    found: Writing = _functions(SimpleNamespace, "encconf.formats.plain", row.trees)
    return found


def scan_encrypted(text: str, format: Format, *, comments: bool = False) -> Document:
    """Scan the text of a SOPS file.  If it contains git's conflict markers, the ParseError says so."""
    try:
        return format.scan(text, comments=comments)
    except InputError:
        import re

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
        return module(format).scan(text, comments=comments)
    except EmptyDocumentError:
        return Document(text, format)
    except ParseError:
        if text.strip():
            raise
        return Document(text, format)
