"""The file formats: each has a row in `ROWS`, and modules with the functions of `Format` and `Writing`.

`of_path` gives the format for a file's name.  The format of an existing SOPS file is found by its content
(`encconf.formats.sniff`).
"""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace

from encconf.errors import EmitError, InputError, ParseError, UsageError
from encconf.record import Record
from encconf.text.document import position, splice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Protocol

    from encconf.text.document import Document, Edit, Leaf
    from encconf.text.tree import Entry, Spelling, Tree

    class Format(Protocol):
        """What a format has: in its modules, or as the default that `encconf.formats.defaults` has."""

        SEALS_EMPTY: bool
        """Whether empty strings are encrypted; sops leaves them as they are."""

        NULL: str | None
        """What a null is loaded as."""

        EMPTY: str
        """A text without values."""

        EXAMPLE: str
        """A small text to start from, with a comment on what happens to it."""

        def scan(self, text: str, *, comments: bool = False) -> Document:
            """Parse a text into leaves with spans; with ``comments``, place the comments too."""

        def prepare(
            self, document: Document, chosen: bytearray, *, comments: bool = False
        ) -> Prepared | None:
            """Respell whatever sops could not read back, see `Prepared`; None if there is nothing.

            ``comments`` says that the rule depends on comments, which then must stay where they are.
            """

        def sealed(self, document: Document, leaf: Leaf, enc: str, *, was_plain: bool = False) -> Edit:
            """Replace a leaf with an ``ENC[…]`` text in the same style."""

        def literal(self, document: Document, leaf: Leaf, type: str, data: bytes) -> Edit:
            """Replace a sealed leaf with its plaintext."""

        def comment(self, document: Document, leaf: Leaf, *, alone: bool) -> Edit:
            """Replace a list item that sops stored for a comment; ``alone`` if the list has no others."""

        def comment_text(self, plain: str) -> str | None:
            """How a decrypted comment is written, or None if part of it would not be a comment."""

        def token(self, leaf: Leaf) -> tuple[str, bytes | None]:
            """Type and bytes of a value, as far as this format can distinguish them.

            A leaf keeps its old ciphertext if its place and its token are the same.
            """

        def shows_types(self, document: Document) -> bool:
            """Whether the leaves of an opened document have the types that its values are loaded with.

            Otherwise only the decrypted text shows them.
            """

        def tells_integers(self, document: Document) -> bool:
            """Whether a float in an encrypted text is one: older releases of sops store integers so, too."""

        def fragile(self, leaf: Leaf) -> bool:
            """Whether releases of sops read an unencrypted leaf differently."""

        def unclosed(self, document: Document, leaf: Leaf) -> bytes | None:
            """What a quoted value of several lines would be if it ended with its first line.

            None if no reader of the format would read it so.
            """

        def caveat(self, leaf: Leaf) -> str | None:
            """Why sops or other readers of the format read a value differently, if they do."""

        def region(self, document: Document, leaf: Leaf) -> tuple[int, int]:
            """The span of a leaf with its tag, anchor and block scalar header."""

        def render_block(self, block: Mapping[str, object]) -> str:
            """Spell the ``sops`` mapping."""

        def amend(self, block_text: str, changes: Mapping[str, str | None]) -> str:
            """Set, replace or remove members that are strings, and change nothing else."""

        def attach(self, document: Document, block_text: str) -> list[Edit]:
            """The edits that add the block to every document of the text."""

        def detach(self, document: Document) -> list[Edit]:
            """The edits that remove it again."""

        def load_plain(self, text: str) -> list[dict[str, object]]:
            """The values of a plain text; a ``sops`` entry is one of them."""

        def settle(self, document: Document) -> None:
            """Replace sops's values, in the trees of an opened document, with what they mean."""

    class Writing(Spelling, Protocol):
        """How a format makes trees and writes values into them."""

        def tree(self, document: Document) -> Tree:
            """The tree of a scanned text."""

        def root(self, whole: Tree) -> Entry:
            """The entry of the first document, which is the one that values are put into."""


class Row(Record):
    """One format: its name, its suffixes, and its modules, which are imported when they are needed.

    ``modules`` make its `Format`, and ``trees`` its `Writing`, "" if a text is one value.  ``sops`` says that
    sops knows the format, ``flat`` that every value is text, in any encoding, and ``objects`` that Kubernetes
    and other tools keep their objects in it.  ``indent`` is sops's default indentation, which ``stores`` in
    .sops.yaml can change; None if it cannot.
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
    """A plain text respelled for sops.

    ``originals`` maps the start offset of a leaf or flow collection in ``text`` to the spelling
    that was there before.
    """

    text: str
    originals: dict[int, str]

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
"""Endings that say only that a file is encrypted; the rest of the name tells the format."""


def of_path(path: str) -> str:
    """The format to write a file in, by the end of its name, in any case; binary if that tells nothing.

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
    """The format that sops picks by the end of a name; it is case-sensitive, and does not know TOML."""
    found = _by_suffix(path[path.rfind(".") :])
    return found if ROWS[found].sops else "binary"


@cache
def _functions(defaults: str, *modules: str) -> Any:
    """The public names of a format's modules, and those of its defaults that these do not have.

    A name may not be something else in each of two modules: one of them would never be used.
    """
    own: dict[str, object] = {}
    for module in modules:
        for name, found in _public(module).items():
            if own.setdefault(name, found) is not found:
                raise AssertionError(f"{name} of {module} is something else in {', '.join(modules)}")
    return SimpleNamespace(**{**_public(defaults), **own})


def _public(module: str) -> dict[str, object]:
    found = vars(__import__(module, fromlist=["scan"]))
    return {name: found[name] for name in found if name[0] != "_"}


def module(name: str) -> Format:
    """The functions of a format.

    Raises UsageError for an unknown name.
    """
    row = ROWS.get(name)
    if row is None:
        raise UsageError(f"unknown format {name!r}", hint=f"formats are: {', '.join(ROWS)}")
    found: Format = _functions("encconf.formats.defaults", *row.modules)
    return found


def writing(name: str) -> Writing:
    """The functions that make a format's trees and write into them.

    Raises EmitError for a format whose texts are one value.
    """
    row = ROWS[name]
    if not row.trees:
        raise EmitError(f"single values of {name} files cannot be changed")
    found: Writing = _functions("encconf.formats.plain", row.trees)
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
