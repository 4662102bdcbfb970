"""The file formats: a row in `ROWS` and one or two modules each, with the same few functions (see `Format`).

``of_path`` tells the format that a file of some name is written in; what an existing SOPS file is, its
content says (`encconf.formats.sniff`).
"""

from __future__ import annotations

from encconf.errors import EmitError, InputError, ParseError, UsageError
from encconf.text.document import position, splice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Protocol

    from encconf.text.document import Document, Edit, Leaf
    from encconf.text.tree import Entry, Spelling, Tree

    class Format(Protocol):
        """What a format module must have."""

        SEALS_EMPTY: bool
        """Whether an empty string is encrypted, too; sops leaves it as it is."""

        LOADS_TEXT: bool
        """Whether values are read from the decrypted text, since nothing else says what they are."""

        EMPTY: str
        """A text without values."""

        EXAMPLE: str
        """A small text to start from, which says what becomes of it."""

        def scan(self, text: str, *, comments: bool = False) -> Document:
            """Parse a text into leaves with spans; with ``comments``, place the comments too."""

        def prepare(
            self, document: Document, chosen: bytearray, *, comments: bool = False
        ) -> Prepared | None:
            """Respell what sops could not read back, if there is anything; see `Prepared`.

            ``comments`` says that the rule looks at comments, which then must stay where they are.
            """

        def sealed(self, document: Document, leaf: Leaf, enc: str, *, was_plain: bool = False) -> Edit:
            """Put an ``ENC[…]`` text in a leaf's place, keeping its style."""

        def literal(self, document: Document, leaf: Leaf, type: str, data: bytes) -> Edit:
            """Put a plaintext in the place of a sealed leaf."""

        def comment(self, document: Document, leaf: Leaf, *, alone: bool) -> Edit:
            """Put a comment where sops stored it as a list's item; ``alone`` if the list has no others."""

        def comment_text(self, plain: str) -> str | None:
            """How a decrypted comment is written, or None if it would break out of being one."""

        def token(self, leaf: Leaf) -> tuple[str, bytes | None]:
            """Type and bytes of a value as far as this format tells them apart.

            A ciphertext is kept for a leaf with the same place and token.
            """

        def tells_integers(self, document: Document) -> bool:
            """Whether a float of an encrypted text is one, and no integer."""

        def fragile(self, leaf: Leaf) -> bool:
            """Whether releases of sops differ in what an unencrypted leaf says."""

        def unclosed(self, document: Document, leaf: Leaf) -> bytes | None:
            """What a quoted value over several lines would be if only its first line were its own.

            None where no reader of the format would say so.
            """

        def caveat(self, leaf: Leaf) -> str | None:
            """Why sops, or others that read the format, make something else of a value, if they do."""

        def region(self, document: Document, leaf: Leaf) -> tuple[int, int]:
            """The span of all that spells a leaf: tag, anchor, block scalar header included."""

        def render_block(self, block: Mapping[str, object]) -> str:
            """Spell the ``sops`` mapping."""

        def amend(self, block_text: str, changes: Mapping[str, str | None]) -> str:
            """Set, replace or remove members that are strings; every other byte stays."""

        def attach(self, document: Document, block_text: str) -> list[Edit]:
            """The edits that add the block to every document of the text."""

        def detach(self, document: Document) -> list[Edit]:
            """The edits that remove it again."""

        def load_plain(self, text: str) -> list[dict[str, object]]:
            """A plain text's values, without any ``sops`` handling."""

        def settle(self, document: Document) -> None:
            """Make of an opened document's trees, filled with sops's values, what is meant by them."""

    class Writing(Spelling, Protocol):
        """A format's trees, and how to write into them."""

        def tree(self, document: Document) -> Tree:
            """The tree of a scanned text."""

        def root(self, tree: Tree) -> Entry:
            """The entry that holds the document in which values are put, the first one."""


class Row:
    """One format: its name, its suffixes, and its modules, which are imported when they are needed.

    ``module`` is a `Format`; ``trees`` is a `Writing`, "" where a text is one value.  ``sops`` says that
    sops knows the format, ``flat`` that every value in it is a text, in any encoding, ``objects`` that
    Kubernetes and other tools keep their objects in it.  ``indent`` is how sops indents a text unless
    ``stores`` in .sops.yaml says otherwise, None where that cannot be said.
    """

    __slots__ = ("flat", "indent", "module", "name", "objects", "sops", "suffixes", "trees")

    def __init__(
        self,
        name: str,
        suffixes: tuple[str, ...],
        module: str,
        trees: str = "",
        *,
        sops: bool = True,
        flat: bool = False,
        objects: bool = False,
        indent: int | None = None,
    ) -> None:
        self.name = name
        self.suffixes = suffixes
        self.module = module
        self.trees = trees
        self.sops = sops
        self.flat = flat
        self.objects = objects
        self.indent = indent


def _row(name: str, *suffixes: str, **options: Any) -> Row:
    module = f"encconf.formats.{name}"
    return Row(name, suffixes, module, f"{module}_tree" if suffixes else "", **options)


ROWS = {
    row.name: row
    for row in (
        _row("yaml", ".yaml", ".yml", objects=True, indent=0),
        _row("json", ".json", indent=-1),
        _row("dotenv", ".env", flat=True),
        _row("ini", ".ini", flat=True),
        _row("toml", ".toml", sops=False),
        _row("binary"),
    )
}
"""The formats.  To add one, write its modules and add a row."""
NAMES = tuple(ROWS)


def _by_suffix(suffix: str) -> str:
    return next((row.name for row in ROWS.values() if suffix in row.suffixes), "binary")


class Prepared:
    """A plain text respelled for sops.

    ``originals`` maps the start offset of a leaf or flow collection in ``text`` to the spelling
    that was there before.
    """

    __slots__ = ("originals", "text")

    def __init__(self, text: str, originals: dict[int, str]) -> None:
        self.text = text
        self.originals = originals

    @classmethod
    def edited(cls, text: str, edits: list[Edit], others: Sequence[Edit] = ()) -> Prepared:
        """The text after all edits; only the spellings that ``edits`` replace are recorded."""
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
"""Endings that say only that a file is encrypted: the name inside says what it is."""


def of_path(path: str) -> str:
    """The format to write a file in, by the end of its name, in any case; binary where that says nothing.

    ``.env.sops`` and ``prod.env.enc`` are dotenv, ``values.yaml.enc`` is YAML.  ``.env.prod`` is binary, as
    in sops, which could not read it as anything else.
    """
    name = path.lower()
    while (dot := name.rfind(".")) >= 0 and name[dot:] in _WRAPPERS:
        name = name[:dot]
    return _by_suffix(name[dot:]) if dot >= 0 else "binary"


def of_inner(path: str) -> str:
    """The format of the text in a binary file, by any ending of its name: ``.env.prod`` holds dotenv."""
    for ending in reversed(path.replace("\\", "/").rpartition("/")[2].lower().split(".")[1:]):
        if (format := _by_suffix(f".{ending}")) != "binary":
            return format
    return "binary"


def of_path_as_sops(path: str) -> str:
    """The format that sops tells by the end of a name, which is case-sensitive; it knows no TOML."""
    found = _by_suffix(path[path.rfind(".") :])
    return found if ROWS[found].sops else "binary"


def module(name: str) -> Format:
    """The module of a format.

    Raises UsageError for an unknown name.
    """
    row = ROWS.get(name)
    if row is None:
        raise UsageError(f"unknown format {name!r}", hint=f"formats are: {', '.join(ROWS)}")
    found: Format = __import__(row.module, fromlist=["scan"])
    return found


def writing(name: str) -> Writing:
    """The module that makes a format's trees and writes into them.

    Raises EmitError for a format whose texts are one value.
    """
    row = ROWS[name]
    if not row.trees:
        raise EmitError(f"single values of {name} files cannot be changed")
    found: Writing = __import__(row.trees, fromlist=["scan"])
    return found


def scan_encrypted(text: str, format: Format, *, comments: bool = False) -> Document:
    """Scan the text of a SOPS file; where it contains git's conflict markers, the error says so."""
    try:
        return format.scan(text, comments=comments)
    except InputError:
        import re

        found = re.search(r"^<{7} .*\n(?s:.*)^>{7}(?: |\r?$)", text, re.M)
        if found is None:
            raise
        raise ParseError(
            "it contains git's conflict markers",
            line=position(text, found.start())[0],
            hint="run encconf git install to merge by value, then: git checkout --merge FILE",
        ) from None
