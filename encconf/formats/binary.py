"""Any bytes, as sops 3.13.3 keeps them: one string called ``data`` in a JSON envelope.

(stores/json/store.go: BinaryStore.)  Texts are `str` throughout encconf, so bytes that are not UTF-8
travel as lone surrogates (``errors="surrogateescape"``): whoever reads such a file must decode, and
whoever writes it encode, in that way.  An envelope itself is ASCII.

A text that is such an envelope already counts as encrypted; sops would put it into another one.
There are no names in a binary file, hence nothing to load: `encconf.load_config` says so.
"""

from __future__ import annotations

import re

from encconf.errors import EmitError, ParseError
from encconf.formats import Prepared, json
from encconf.text.document import Document, Leaf, Part, Scope, splice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from encconf.text.document import Edit

SEALS_EMPTY = False
LOADS_TEXT = False
EMPTY = ""
EXAMPLE = "Replace this line with the text to encrypt.\n"

_KEY = "data"
_ENVELOPE = '{\n\t"data": ""\n}\n'
_ENC = b"ENC[AES256_GCM,"
_BRACE = re.compile(r"[ \t\r\n]*\{")


def scan(text: str, *, comments: bool = False) -> Document:
    """An envelope's document, or one with the whole text as its one value.

    Raises ParseError only for a half of a character that is not one of the bytes above.
    """
    if '"sops"' in text and _BRACE.match(text):
        try:
            document = json.scan(text)
        except ParseError:
            pass  # some text that begins with a brace
        else:
            if document.block is not None and "lastmodified" in document.block:
                document.format = "binary"
                return document
    document = Document(text, "binary")
    part = Part(0)
    part.root = "map"
    part.end = len(text)
    document.parts.append(part)
    tree: dict[str, object] = {_KEY: None}
    document.trees.append(tree)
    document.shape += ["%", "." + _KEY]
    try:
        data = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise ParseError("the text holds half of a character, which is neither UTF-8 nor a byte") from None
    document.leaves.append(Leaf(Scope(None, None, (), "", tree), _KEY, 0, len(text), "", "str", data))
    return document


def load_plain(text: str) -> list[dict[str, object]]:
    """A plain text as the one value it is."""
    return [{_KEY: text}]


def settle(document: Document) -> None:
    """There is nothing to do: binary files are not loaded."""


def comment_text(plain: str) -> str | None:
    """There are no comments."""
    return None


def token(leaf: Leaf) -> tuple[str, bytes | None]:
    """Type and bytes; every type is different."""
    return leaf.type, leaf.data


def unclosed(document: Document, leaf: Leaf) -> bytes | None:
    """There are no quotes."""
    return None


def tells_integers(document: Document) -> bool:
    """A value has its type in the ciphertext, whoever wrote it."""
    return True


def fragile(leaf: Leaf) -> bool:
    """Bytes are bytes to every sops."""
    return False


def caveat(leaf: Leaf) -> str | None:
    """Bytes are bytes to every sops."""
    return None


def prepare(document: Document, chosen: bytearray, *, comments: bool = False) -> Prepared | None:
    """There are no bytes that sops could not read back."""
    return None


def region(document: Document, leaf: Leaf) -> tuple[int, int]:
    """The span of all that spells a leaf."""
    return leaf.start, leaf.end


def sealed(document: Document, leaf: Leaf, enc: str, *, was_plain: bool = False) -> Edit:
    """Put an ``ENC[…]`` text in the place of the whole text; `attach` puts the envelope around it."""
    return leaf.start, leaf.end, f'"{enc}"'


def literal(document: Document, leaf: Leaf, type: str, data: bytes) -> Edit:
    """The bytes, where the ``ENC[…]`` text is; `detach` takes the envelope away.

    Of an envelope that holds other values, too, only ``data`` is left, as by sops.  Raises EmitError
    if that is not a string.
    """
    if leaf.path != (_KEY,):
        return leaf.start, leaf.end, ""
    if type != "str":
        raise _no_data()
    return leaf.start, leaf.end, data.decode("utf-8", "surrogateescape")


def comment(document: Document, leaf: Leaf, *, alone: bool) -> Edit:
    """There are no comments: one that is in a list of the envelope goes with it."""
    return leaf.start, leaf.end, ""


def render_block(block: Mapping[str, object]) -> str:
    """Spell the ``sops`` member of the envelope."""
    return json.render_block(block)


def amend(block_text: str, changes: Mapping[str, str | None]) -> str:
    """Set, replace or remove members that are strings; every other byte stays."""
    return json.amend(block_text, changes)


def attach(document: Document, block_text: str) -> list[Edit]:
    """The edits that put the envelope with its block around the text, or replace the block."""
    if document.parts[0].block is not None:
        return json.attach(document, block_text)
    envelope = splice(_ENVELOPE, json.attach(json.scan(_ENVELOPE), block_text))
    before, quotes, after = envelope.partition('""')
    size = len(document.text)
    if not size:
        return [(0, 0, before + quotes + after)]
    return [(0, 0, before), (size, size, after)]


def detach(document: Document) -> list[Edit]:
    """The edits that take the envelope away.  Raises EmitError if there is no data in it."""
    if document.parts[0].block is None:
        return []
    data = next((leaf for leaf in document.leaves if leaf.path == (_KEY,)), None)
    if data is None or data.type != "str" or data.data is None:
        raise _no_data()
    edits: list[Edit] = []
    at = 0
    for leaf in document.leaves:
        if _is_sealed(leaf):  # `literal` replaces these
            edits.append((at, leaf.start, ""))
            at = leaf.end
        elif leaf is data:  # an empty text, or one that an old sops left alone
            edits.append((at, leaf.end, data.data.decode("utf-8", "surrogateescape")))
            at = leaf.end
    return [*edits, (at, len(document.text), "")]


def _is_sealed(leaf: Leaf) -> bool:
    return leaf.sealed is not None or bool(leaf.data and leaf.data.startswith(_ENC))


def _no_data() -> EmitError:
    return EmitError(
        'error emitting binary store: no binary data found in tree: there is no string called "data"',
        hint="this is likely not an encrypted binary file: give its format with --input-type",
    )
