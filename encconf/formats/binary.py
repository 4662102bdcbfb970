"""Any bytes, as sops 3.13.3 stores them: one string called ``data`` in a JSON envelope.

(stores/json/store.go: BinaryStore.)  Texts are `str` throughout encconf, so bytes that are not UTF-8 are
lone surrogates in them: code that reads or writes a binary file decodes and encodes it with
``errors="surrogateescape"``.  The envelope itself is ASCII.

A text that is already an envelope counts as encrypted; sops would put it into a second envelope.
A binary file has no keys, so `encconf.load_config` refuses it.
"""

from __future__ import annotations

import re

from encconf.errors import EmitError, LimitError, ParseError
from encconf.formats import json
from encconf.text.document import ENC_BYTES, Document, Edit, Format, Leaf, Value, splice, whole_document

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any


_KEY = "data"


_json = json.Json()


class Binary(Format):
    """See the module's docstring."""

    name = "binary"
    single_value = True
    envelope = "json"
    example = "Replace this line with the text to encrypt.\n"

    def has_entry(self, data: bytes) -> bool:
        # An envelope has nothing else.
        return bool(re.match(_ONLY_DATA, data)) and bool(re.search(_ENVELOPE_END, data[-256:]))

    def scan(self, text: str, *, comments: bool = False) -> Document:
        """Return the document of an envelope, or for any other text a document whose only value is that text.

        Raises ParseError for a lone surrogate that does not stand for a byte.
        """
        if '"sops"' in text and _BRACE.match(text):
            try:
                document = json.read(text, self)
            except (ParseError, LimitError):
                pass  # it is another text that begins with a brace
            else:
                if document.block is not None and "lastmodified" in document.block:
                    return document
        document, root = whole_document(text, self)
        try:
            data = text.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            raise ParseError(
                "the text holds half of a character, which is neither UTF-8 nor a byte"
            ) from None
        document.items.append(Leaf(root, _KEY, 0, len(text), "", "str", data))
        return document

    def load_plain(self, text: str) -> list[dict[str, object]]:
        """Return the text as the value of ``data``."""
        return [{_KEY: text}]

    def sealed(self, document: Document, leaf: Leaf, enc: str, *, was_plain: bool = False) -> Edit:
        """Return the edit that replaces the whole text with an ``ENC[…]`` text.

        `attach` adds the envelope.
        """
        return leaf.start, leaf.end, f'"{enc}"'

    def literal(self, document: Document, leaf: Leaf, type: str, data: bytes) -> Edit:
        """Return the edit that replaces the ``ENC[…]`` text with the bytes.  `detach` removes the envelope.

        If the envelope has other values as well, only ``data`` remains, as in sops.  Raises EmitError if
        ``data`` is not a string.
        """
        if leaf.path != (_KEY,):
            return leaf.start, leaf.end, ""
        if type != "str":
            raise _no_data("its format with --input-type")
        return leaf.start, leaf.end, data.decode("utf-8", "surrogateescape")

    def render_block(self, block: Mapping[str, object]) -> str:
        return _json.render_block(block)

    def attach(self, document: Document, block_text: str) -> list[Edit]:
        """Return the edits that put an envelope with the block around the text, or that replace the block."""
        if document.parts[0].block is not None:
            return _json.attach(document, block_text)
        envelope = splice(_ENVELOPE, _json.attach(_json.scan(_ENVELOPE), block_text))
        before, quotes, after = envelope.partition('""')
        size = len(document.text)
        if not size:
            return [(0, 0, before + quotes + after)]
        return [(0, 0, before), (size, size, after)]

    def detach(self, document: Document) -> list[Edit]:
        """Return the edits that remove the envelope.  Raises EmitError if it has no string ``data``."""
        if document.parts[0].block is None:
            return []
        data = next((leaf for leaf in document.leaves if leaf.path == (_KEY,)), None)
        if data is None or data.type != "str" or data.data is None:
            raise _no_data("its format with --input-type")
        edits: list[Edit] = []
        at = 0
        for leaf in document.leaves:
            if leaf.data and leaf.data.startswith(ENC_BYTES):  # `literal` replaces these
                edits.append((at, leaf.start, ""))
                at = leaf.end
            elif leaf is data:  # an empty text, or one that an old sops did not encrypt
                edits.append((at, leaf.end, data.data.decode("utf-8", "surrogateescape")))
                at = leaf.end
        return [*edits, (at, len(document.text), "")]

    holds_documents = True  # `render` refuses them

    def render(self, trees: Sequence[Any], indent: int | None) -> str:
        from encconf.formats.emit import text as text_of_leaf

        data = trees[0].get(_KEY) if len(trees) == 1 else None
        if isinstance(data, Value) and data.type == "str":
            return text_of_leaf(data)
        raise _no_data("the format with --output-type")


_ONLY_DATA = rb'\s*\{\s*"data"\s*:\s*"(?:ENC\[[^"]*)?"\s*,\s*"sops"\s*:\s*\{'
_ENVELOPE_END = rb"\}\s*\}\s*\Z"
_ENVELOPE = '{\n\t"data": ""\n}\n'
_BRACE = re.compile(r"[ \t\r\n]*\{")


def _no_data(option: str) -> EmitError:
    return EmitError(
        'error emitting binary store: no binary data found in tree: there is no string called "data"',
        hint=f"this is likely not an encrypted binary file: give {option}",
    )
