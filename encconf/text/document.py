"""A text as one list of items with exact spans, and what a format can do with it.

A `Document` is the text of one file and its collections and leaves in document order.  A `Format` makes it
(`Format.scan`).  Nothing here knows a syntax: `encconf.formats` has the formats.  Spans are code-point
offsets into ``text``, and `splice` replaces spans.  The ``sops`` block is not among the items: it is in
``block``, as plain values.
"""

from __future__ import annotations

import re
from operator import gt

from encconf.errors import EmitError, LimitError, ParseError
from encconf.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from encconf.text.path import Path

    Plain = dict[str, "Plain"] | list["Plain"] | str | int | float | bool | None
    """A value as Python's json module represents it."""

ENC_PREFIX = "ENC[AES256_GCM,"
"""How a ciphertext begins."""
ENC_BYTES = ENC_PREFIX.encode()
LAYOUT = "encconf_layout"
"""The member of the ``sops`` block that holds the encrypted layout record; sops ignores it."""


class Scope:
    """One mapping or sequence.

    ``keys`` are the mapping keys that lead to it.  As in sops, sequences add none.  ``aad`` has those keys
    as sops authenticates them: each followed by ``:``.  ``listed`` says that it is a sequence.  ``again`` is
    the collection that this one continues, if a text has one in several places.

    A collection in brackets is ``text[start:end]``, and a section or table has its header at ``head``.  In
    YAML, ``head`` is where the key or dash begins, ``sign`` is where the colon or dash ends, and ``note``
    holds the anchor and tag.  Offsets of what the text does not have are -1.
    """

    __slots__ = ("aad", "again", "end", "head", "keys", "listed", "note", "parent", "sign", "start", "step")

    def __init__(
        self,
        parent: Scope | None = None,
        step: str | int | None = None,
        keys: tuple[str, ...] = (),
        aad: str = "",
        listed: bool = False,
        again: Scope | None = None,
    ) -> None:
        self.parent = parent
        self.step = step
        self.keys = keys
        self.aad = aad
        self.listed = listed
        self.again = again
        self.start = self.end = self.head = self.sign = -1
        self.note: object = None

    def inside(self, step: str | int, listed: bool = False, again: Scope | None = None) -> Scope:
        """Return the scope of a collection that is at a step of this one."""
        if isinstance(step, int):
            return Scope(self, step, self.keys, self.aad, listed, again)
        return Scope(self, step, (*self.keys, step), f"{self.aad}{step}:", listed, again)

    @property
    def places(self) -> tuple[int, int, int, int]:
        """The offsets in the text: ``start``, ``end``, ``head`` and ``sign``."""
        return self.start, self.end, self.head, self.sign

    @property
    def path(self) -> tuple[str | int, ...]:
        """The keys and indexes from the root of the (YAML) document."""
        steps: list[str | int] = []
        scope: Scope | None = self
        while scope is not None and scope.step is not None:
            steps.append(scope.step)
            scope = scope.parent
        return tuple(reversed(steps))

    @property
    def root(self) -> Scope:
        """The outermost collection of the (YAML) document that holds it."""
        scope = self
        while scope.parent is not None:
            scope = scope.parent
        return scope


class Value:
    """A single value as sops stores it.

    ``type`` is one of sops's types: str, int, float, bool, time, null, or comment (for a comment that
    sops stores as a sequence item).  ``data`` holds the bytes that sops hashes and encrypts, or None for
    null.
    """

    __slots__ = ("data", "type")

    def __init__(self, type: str, data: bytes | None) -> None:
        self.type = type
        self.data = data

    @property
    def sealed(self) -> str | None:
        """The ``ENC[…]`` text that the value was decrypted from, or "" for a secret from elsewhere."""
        return None

    def replaced(self, type: str, data: bytes | None) -> Unsealed:
        """Return a secret that takes the place of this value."""
        return Unsealed(type, data, b"")


class Unsealed(Value):
    """A value that was decrypted, or that is a secret from elsewhere."""

    __slots__ = ("enc",)

    def __init__(self, type: str, data: bytes | None, enc: bytes) -> None:
        self.type = type
        self.data = data
        self.enc = enc

    @property
    def sealed(self) -> str:
        """See `Value.sealed`."""
        return self.enc.decode().rstrip()  # without the line break of a block scalar

    def replaced(self, type: str, data: bytes | None) -> Unsealed:
        """See `Value.replaced`.  The new value has the same ciphertext."""
        return Unsealed(type, data, self.enc)


class Leaf(Value):
    """One value in a text: where it is, and what it is there.

    In an encrypted text, that is a str: the ciphertext.  ``style`` is the format's name for the spelling, and
    ``note`` holds what else the format needs to spell the value again.  In YAML, ``head`` and ``sign`` are
    as in `Scope`; in other formats, nothing needs them.
    """

    __slots__ = ("end", "head", "note", "scope", "sign", "start", "step", "style")

    def __init__(
        self,
        scope: Scope,
        step: str | int,
        start: int,
        end: int,
        style: str,
        type: str,
        data: bytes | None,
        note: object = None,
        head: int = -1,
        sign: int = -1,
    ) -> None:
        self.scope = scope
        self.step = step
        self.start = start
        self.end = end
        self.style = style
        self.type = type
        self.data = data
        self.note = note
        self.head = head
        self.sign = sign

    @property
    def path(self) -> tuple[str | int, ...]:
        """The keys and indexes from the root of the (YAML) document."""
        return (*self.scope.path, self.step)

    @property
    def aad(self) -> bytes:
        """What sops authenticates with the value: every key, each followed by ``:``, but no indexes."""
        aad = self.scope.aad if type(self.step) is int else f"{self.scope.aad}{self.step}:"
        return aad.encode("utf-8", "surrogateescape")


def aads(leaves: Iterable[Leaf]) -> Iterator[bytes]:
    """Yield the `Leaf.aad` of each leaf.  This is faster, since neighbours usually share a scope."""
    scope = None
    around = ""
    for leaf in leaves:
        if leaf.scope is not scope:
            scope = leaf.scope
            around = scope.aad
        step = leaf.step
        aad = around if type(step) is int else f"{around}{step}:"
        yield aad.encode("utf-8", "surrogateescape")


def paths(leaves: Iterable[Leaf]) -> Iterator[Path]:
    """Yield the `Leaf.path` of each leaf.  This is faster, since neighbours usually share a scope."""
    scope = None
    around: Path = ()
    for leaf in leaves:
        if leaf.scope is not scope:
            scope = leaf.scope
            around = scope.path
        yield (*around, leaf.step)


class Comment:
    """One comment line: its span in the document, which begins after the comment sign.

    ``scope`` is where sops (go-yaml) stores it, and ``before`` is the step of the item that it precedes
    there, or None for a comment after the last item.
    """

    __slots__ = ("before", "end", "scope", "start", "text")
    sealed: str | None = None
    """The ``ENC[…]`` text that the comment was decrypted from."""
    misplaced = False
    """Whether it was encrypted for another scope."""

    def __init__(self, scope: Scope, text: str, start: int, end: int, before: str | int | None) -> None:
        self.scope = scope
        self.text = text
        self.start = start
        self.end = end
        self.before = before


class UnsealedComment(Comment):
    """A comment that was decrypted.  ``text`` is its plaintext."""

    __slots__ = ("misplaced", "sealed")

    def __init__(self, comment: Comment, text: str, *, misplaced: bool) -> None:
        super().__init__(comment.scope, text, comment.start, comment.end, comment.before)
        self.sealed = comment.text
        self.misplaced = misplaced


class Part:
    """One document of the stream: where its root is and where its ``sops`` block is.

    ``indent`` is the column of the root mapping's keys.  ``end`` is where a block can be added: before
    ``...``, or at the end of the document.  ``close`` is the offset of a flow root's closing brace, or None
    for a block root.  ``block`` is the span of the ``sops`` block, or None.  In dotenv and TOML, the span may
    have other lines in it, and ``pieces`` are the spans of the block's own lines.
    """

    __slots__ = ("block", "close", "end", "indent", "pieces", "start")

    def __init__(self, start: int) -> None:
        self.start = start
        self.end = start
        self.indent = 0
        self.close: int | None = None
        self.block: tuple[int, int] | None = None
        self.pieces: list[tuple[int, int]] = []


class Document:
    """One file's text and its ``items``.  A scan makes it, and nothing changes it but
    ``habits``.

    The items are the collections and the leaves, in the order of the text (in TOML, in that of the tree).
    Each one names the collection that holds it, which is an item before it; a collection without one is the
    root of a (YAML) document.  `filled` and the properties here are functions of the items.

    ``block`` is the first document's ``sops`` mapping as plain values, and ``block_text`` its text; the
    items do not contain it.  In YAML and JSON, ``not_block`` is the value of a ``sops`` entry that is not a
    mapping, and they do not contain it either.  ``merges`` lists the scopes with a YAML merge key (``<<``).
    ``alias_keys`` lists the keys that are YAML aliases: the key, its span, and the leaf that it refers to.
    ``habits`` remembers the text's line break and indentation.  A YAML text is ``regular`` if it was read
    line by line; then the places of the values determine those of the keys.  ``most`` is how many items it
    may have (see `most_items`).
    """

    __slots__ = (
        "_leaves", "_outline", "alias_keys", "block", "block_text", "comments", "format", "habits", "items",
        "merges", "most", "not_block", "parts", "regular", "text",
    )  # fmt: skip

    def __init__(self, text: str, format: Format) -> None:
        self.text = text
        self.format = format
        self.most = most_items(text)
        self.items: list[Scope | Leaf] = []
        self.comments: list[Comment] = []
        self.block: dict[str, object] | None = None
        self.block_text: str | None = None
        self.not_block: object = OMITTED
        self.parts: list[Part] = []
        self.merges: list[Scope] = []
        self.alias_keys: list[tuple[str, int, int, Leaf]] = []
        self.habits: tuple[str, int] | None = None
        self.regular = False
        self._leaves: list[Leaf] | None = None
        self._outline: list[str] | None = None

    @property
    def leaves(self) -> list[Leaf]:
        """The single values."""
        if self._leaves is None:
            self._leaves = [item for item in self.items if type(item) is Leaf]
        return self._leaves

    @property
    def scopes(self) -> list[Scope]:
        """The collections."""
        return [item for item in self.items if type(item) is Scope]

    @property
    def roots(self) -> list[Scope]:
        """The root of each (YAML) document."""
        return [scope for scope in self.scopes if scope.parent is None and scope.again is None]

    @property
    def flows(self) -> list[Scope]:
        """The collections in brackets."""
        return [scope for scope in self.scopes if scope.start >= 0]

    @property
    def outline(self) -> list[str]:
        """The structure without the values, as the MAC of a file covers it.

        ``%`` starts a document, ``.key`` is a leaf in a mapping, ``-`` one in a sequence, ``{key``/``[key``
        and ``{``/``[`` open collections in a mapping and in a sequence, and ``}`` closes one.
        """
        if self._outline is not None:
            return self._outline
        tokens: list[str] = []
        inside: Scope | None = None  # the collection whose end is still to come
        for item in self.items:
            around = item.scope if type(item) is Leaf else item.parent  # type: ignore[union-attr]
            if around is not inside:
                while inside is not around and inside is not None and inside.parent is not None:
                    tokens.append("}")
                    inside = inside.parent
            step = item.step
            if type(item) is Leaf:
                tokens.append("-" if type(step) is int else f".{step}")
                continue
            assert type(item) is Scope
            inside = item
            if around is not None:
                sign = "[" if item.listed else "{"
                tokens.append(sign if type(step) is int else f"{sign}{step}")
            elif item.again is None:
                tokens.append("%")
        while inside is not None and inside.parent is not None:
            tokens.append("}")
            inside = inside.parent
        self._outline = tokens
        return tokens


OMITTED = object()
"""A value for `filled` that removes the leaf from its list: sops stores some comments as items."""


def filled(
    items: Iterable[Scope | Leaf],
    values: Iterable[object],
    mapping: Callable[[], Any] = dict,
    sequence: Callable[[], Any] = list,
) -> tuple[list[Any], dict[int, Any]]:
    """Return the trees of items with a value for each leaf, and each collection by the id of its scope.

    If a mapping has a key twice, the last one counts.
    """
    nodes: dict[int, Any] = {}
    trees: list[Any] = []
    following = iter(values)
    inside: Scope | None = None
    listed = False
    node: Any = None
    for item in items:
        if type(item) is Leaf:
            value = next(following)
            if value is OMITTED:
                continue
            scope = item.scope
        else:
            assert type(item) is Scope
            if item.again is not None:
                nodes[id(item)] = nodes[id(item.again)]
                continue
            nodes[id(item)] = value = sequence() if item.listed else mapping()
            if item.parent is None:
                trees.append(value)
                continue
            scope = item.parent
        if scope is not inside:
            inside, listed = scope, scope.listed
            node = nodes[id(scope)]
        if listed:
            node.append(value)
        else:
            node[item.step] = value
    return trees, nodes


def mapped(node: Any, single: Callable[[Any], Any]) -> Any:
    """Return a dict or list, and all below it, with a function's result for each single value."""
    if isinstance(node, dict):
        return {key: mapped(item, single) for key, item in node.items()}
    return [mapped(item, single) for item in node] if isinstance(node, list) else single(node)


def reached(node: Any, path: Sequence[str | int]) -> tuple[int, Any]:
    """Return how many steps of a path exist in dicts and lists, and what is there."""
    for at, step in enumerate(path):
        if isinstance(node, dict):
            if step not in node:
                return at, node
        elif not isinstance(node, list) or isinstance(step, str) or not -len(node) <= step < len(node):
            return at, node
        node = node[step]
    return len(path), node


def content_of(document: Document) -> list[Any]:
    """Return the content of a document: its trees, with the type and the bytes of each value."""
    return filled(document.items, [(leaf.type, leaf.data) for leaf in document.leaves])[0]


Edit = tuple[int, int, str]


def whole_document(text: str, format: Format, start: int = 0) -> tuple[Document, Scope]:
    """Return a document of one part, a mapping that is the whole text from ``start`` on, and its root."""
    document = Document(text, format)
    part = Part(start)
    part.end = len(text)
    document.parts.append(part)
    root = Scope()
    document.items.append(root)
    return document, root


# --- formats -------------------------------------------------------------------------------------


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

    repeats = False
    """Whether an encrypted text of sops may have a key twice in its first document."""

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
        document = self.scan(text)
        values = [self.python_value(leaf.type, leaf.data) for leaf in document.leaves]
        trees = self.loaded(document, values)
        entry = document.not_block if document.block is None else document.block
        if entry is not OMITTED and self.block_is_entry:
            trees[0]["sops"] = entry
        for tree, part in zip(trees[1:], document.parts[1:], strict=False):
            if part.block is not None and self.block_is_entry:
                tree |= self.load_plain(text[slice(*part.block)])[0]
        return trees

    block_is_entry = True
    """Whether the ``sops`` block is one entry, so that no other entry can have this name."""

    @staticmethod
    def python_value(type: str, data: bytes | None) -> object:
        """Return a value as Python has it.  Raises ValueError for bytes that are not of the type."""
        raise NotImplementedError

    def loaded(self, document: Document, values: Sequence[object]) -> list[dict[str, object]]:
        """Return the trees of a document with a value for each leaf, as readers of the format see them."""
        return filled(document.items, values)[0]

    def name_read(self, name: str) -> str:
        """Return the name that readers of the format take from a key."""
        return name

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


# --- limits --------------------------------------------------------------------------------------


MAX_DEPTH = 200
"""How deep collections may be nested in YAML and JSON.  No real configuration comes near that."""
MAX_DIGITS = 1_000
"""How many characters a number in JSON or TOML may have.  The longest that sops writes has about 330."""
MAX_PATHS = 32 << 20
"""How many characters the key paths of all collections may have together (32 Mi).

The paths of all values may have as many, and `PATHS_PER_CHARACTER` more for each character of the text.
"""
PATHS_PER_CHARACTER = 16


MAX_DENSE = 80_000
"""How many values and collections (in INI, dotenv and TOML: lines) a text of any length may have."""
DENSITY = 16
"""A text may have one item more for each 16 characters.  An encrypted value is much longer than that."""
MAX_ITEMS = 2_000_000
"""How many items a text may have at most."""


def most_items(text: str) -> int:
    """Return how many values and collections a text may have.  Reading so many takes less than a second."""
    return min(MAX_DENSE + len(text) // DENSITY, MAX_ITEMS)


def too_many(most: int) -> LimitError:
    """Return the error for a text that has more items."""
    return LimitError(f"the document holds more than {most} values and collections for its size")


def limit_lines(text: str, breaks: str = "\n", *, signs: str = "") -> None:
    """Raise LimitError if a text has more lines than `most_items`: each may be a value or a comment.

    ``breaks`` are the characters that end a line.  A carriage return and a line feed are one break.  If the
    caller counts values itself, which may have many lines, it gives the ``signs`` that start a comment: then
    only empty lines and comments count, and `MAX_ITEMS` is the limit for all lines.
    """
    most = most_items(text)
    found = sum(text.count(sign) for sign in breaks if sign in text)  # counting takes 40 times as long
    if found > most and "\r" in breaks:
        found -= text.count("\r\n")
    if MAX_ITEMS >= found > most and signs:
        found = len(re.findall(rf"(?>\A|\r\n|[{breaks}])[ \t]*+(?=[{signs}{breaks}])", text))
    if found > most:
        raise LimitError(f"the document has more than {most} lines for its size")


def limit_paths(document: Document) -> None:
    """Raise LimitError if the paths of all values are too long: many values may be below one long key."""
    found = sum([len(leaf.scope.aad) for leaf in document.leaves])
    if found > MAX_PATHS + PATHS_PER_CHARACTER * len(document.text):
        raise _paths_too_long()


def add_path(paths: int, scope: Scope) -> int:
    """Add the length of a new collection's path to ``paths``.  Raises LimitError above `MAX_PATHS`."""
    paths += len(scope.aad)
    if paths > MAX_PATHS:
        raise _paths_too_long()
    return paths


def _paths_too_long() -> LimitError:
    return LimitError("the keys on the paths of the document are too long altogether")


def limit_digits(text: str, start: int, end: int) -> None:
    """Raise LimitError if a number has more than `MAX_DIGITS` characters: it would take long to convert."""
    if end - start > MAX_DIGITS:
        line, column = position(text, start)
        raise LimitError(f"line {line}, column {column}: a number has more than {MAX_DIGITS} characters")


# --- places and edits ----------------------------------------------------------------------------


def position(text: str, offset: int) -> tuple[int, int]:
    """Return the line and column of an offset, counted from 1.  Editors do not count a byte order mark."""
    start = text.rfind("\n", 0, offset)
    if start < 0 < offset and text[0] == "\ufeff":
        start = 0
    return text.count("\n", 0, offset) + 1, offset - start


def newline_of(text: str) -> str:
    """Return the first line break of a text, or ``\\n``."""
    at = text.find("\n")
    return "\r\n" if at > 0 and text[at - 1] == "\r" else "\n"


def has_crlf(text: str) -> bool:
    """Whether every line ends with a carriage return and a line feed."""
    return text.count("\r\n") == text.count("\n") > 0


def error_at(text: str, offset: int, message: str, *, hint: str | None = None) -> ParseError:
    """Return an error about the text at an offset."""
    line, column = position(text, offset)
    return ParseError(message, line=line, column=column, hint=hint)


def overlap(edits: list[Edit]) -> bool:
    """Whether any two edits overlap, so that `splice` would refuse them."""
    ordered = sorted(edits)
    ends, starts = [edit[1] for edit in ordered], [edit[0] for edit in ordered[1:]]
    return any(map(gt, ends, starts))


def splice(text: str, edits: Iterable[Edit]) -> str:
    """Replace spans of a text.  Edits must not overlap, but may be in any order."""
    out: list[str] = []
    at = 0
    for start, end, new in sorted(edits):
        if start < at:
            raise AssertionError("overlapping edits")
        out += (text[at:start], new)
        at = end
    out.append(text[at:])
    return "".join(out)
