"""The layout record: the parts of a plaintext's layout that the encrypted text cannot show.

Quotes, comments and blank lines stay in the encrypted file.  Some things cannot stay: the spelling of a
number, the folds of a ``>`` block, the ``+`` of a block scalar, a plain scalar inside ``[…]``, an alias to
a collection, a missing last line break, and text between values that sops cannot read.  encconf encrypts
them into a member of the ``sops`` block that sops ignores (and drops when it rewrites the file).

The record names values by their number in the file and holds no hash of the whole file, so it stays the
same while other values change.  `encconf.engine.plaintext` applies it, reads the result, and discards it
if the result has other values.
"""

from __future__ import annotations

import json
import zlib
from bisect import bisect_left
from itertools import zip_longest

from encconf.engine.mac import sha256
from encconf.errors import EncconfError
from encconf.text.document import Document, Edit, splice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.text.document import Format, Prepared

_MAX_SIZE = 64 << 20


class Layout:
    """Original spellings.

    ``leaves`` and ``flows`` hold the original text of leaves and flow collections, by number.  ``gaps``
    holds the text before each leaf, by number, and the text after the last one, as pairs: a hash of the
    text to replace, and the original.  ``newline`` is the line break of the whole text, or "" if it is
    that of the encrypted text.  ``trim`` is the number of characters of the line break that encryption
    added at the end.  ``whole`` is the last resort: the SHA-256 of the canonical text, the lengths of the
    common prefix and suffix, and the original text between them.
    """

    def __init__(self) -> None:
        self.leaves: dict[int, str] = {}
        self.flows: dict[int, str] = {}
        self.gaps: dict[int, tuple[str, str]] = {}
        self.newline = ""
        self.trim = 0
        self.whole: tuple[str, int, int, str] | None = None

    def pack(self) -> bytes:
        """Serialize the record as compressed JSON.  The same content gives the same bytes."""
        record = {
            name: dict(sorted(value.items())) if isinstance(value, dict) else value
            for name, value in vars(self).items()
            if value
        }
        return zlib.compress(json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode(), 9)

    def of_gaps_only(self) -> None:
        """Drop everything but the gaps and the line break."""
        self.leaves, self.flows, self.trim, self.whole = {}, {}, 0, None

    @classmethod
    def unpack(cls, packed: bytes) -> Layout | None:
        """Read a record.  Returns None if this version does not understand it."""
        try:
            decompress = zlib.decompressobj()
            plain = decompress.decompress(packed, _MAX_SIZE)
            record = json.loads(plain)
            layout = cls()
            layout.leaves = {int(index): str(text) for index, text in record.get("leaves", {}).items()}
            layout.flows = {int(index): str(text) for index, text in record.get("flows", {}).items()}
            gaps = record.get("gaps", {}).items()
            layout.gaps = {int(index): (str(hash), str(text)) for index, (hash, text) in gaps}
            layout.newline = str(record.get("newline", ""))
            layout.trim = int(record.get("trim", 0))
            whole = record.get("whole")
            if whole is not None:
                layout.whole = (str(whole[0]), int(whole[1]), int(whole[2]), str(whole[3]))
        except (
            zlib.error, ValueError, TypeError, AttributeError, LookupError, RecursionError, ArithmeticError,
        ):  # fmt: skip
            return None
        return layout


def record(
    format: Format,
    original: str,
    plain: Document,
    encrypted: Document,
    literals: list[Edit | None],
    canonical: str,
    prepared: Prepared | None,
) -> Layout:
    """Return the record that turns ``canonical`` back into ``original``.

    ``plain`` is the respelled plaintext.  ``encrypted`` is the finished text, with the same leaves in the
    same order.  ``literals`` are the edits that decrypt its encrypted leaves.
    """
    layout = Layout()
    originals = prepared.originals if prepared else {}
    for index, flow in enumerate(plain.flows if originals else ()):
        if flow.start in originals:
            layout.flows[index] = originals[flow.start]
    for index, leaf in enumerate(plain.leaves):
        start, end = format.region(plain, leaf)
        before = originals.get(start, plain.text[start:end])
        start, end = format.region(encrypted, encrypted.leaves[index])
        edit = literals[index]
        now = encrypted.text[start:end]
        if edit is not None:
            now = encrypted.text[start : edit[0]] + edit[2] + encrypted.text[edit[1] : end]
        if now != before:
            layout.leaves[index] = before
    if not original.endswith(("\n", "\r")):
        layout.trim = len(canonical) - len(canonical.rstrip("\r\n"))
    edits = apply(layout, format, encrypted, literals)
    if edits is not None:
        restored = splice(encrypted.text, edits + format.detach(encrypted))
        if finish(layout, format, restored) == original:
            return layout
        _compare(layout, format, trim(layout, restored), original)
        if finish(layout, format, restored) == original:
            return layout
    layout = Layout()
    prefix = _common(canonical, original)
    suffix = _common(canonical[prefix:][::-1], original[prefix:][::-1])
    layout.whole = (_hash(canonical), prefix, suffix, original[prefix : len(original) - suffix])
    return layout


def apply(
    layout: Layout, format: Format, encrypted: Document, literals: list[Edit | None]
) -> list[Edit] | None:
    """Return the edits of ``literals`` with the original spellings, or None if the record does not fit."""
    leaves = list(literals)
    edits: list[Edit] = []
    for index, text in layout.leaves.items():
        if not 0 <= index < len(leaves):
            return None
        start, end = format.region(encrypted, encrypted.leaves[index])
        leaves[index] = (start, end, text)
    flows = encrypted.flows if layout.flows else []
    starts = [leaf.start for leaf in encrypted.leaves] if layout.flows else []
    for index, text in layout.flows.items():
        if not 0 <= index < len(flows):
            return None
        flow = flows[index]
        if edits and flow.start < edits[-1][1]:
            return None
        edits.append((flow.start, flow.end, text))
        inside = bisect_left(starts, flow.start), bisect_left(starts, flow.end)
        for at in range(*inside):
            leaves[at] = None
    edits.extend(edit for edit in leaves if edit is not None)
    return edits


def _compare(layout: Layout, format: Format, restored: str, original: str) -> None:
    """Record the differences between values, and the line break if all of them differ."""
    if "\r\n" in original and "\r" not in restored:
        layout.newline = "\r\n"
        original = original.replace("\r\n", "\n")
    gaps = zip(_gaps(format, restored), _gaps(format, original), strict=False)
    for index, ((start, end), (new_start, new_end)) in enumerate(gaps):
        is_now, was = restored[start:end], original[new_start:new_end]
        if is_now != was:
            layout.gaps[index] = (_hash(is_now)[:16], was)


def _gaps(format: Format, text: str) -> list[tuple[int, int]]:
    """Return the spans between the values of a plaintext, or no spans if it cannot be read."""
    try:
        document = format.scan(text)
    except EncconfError:
        return []
    regions = sorted(format.region(document, leaf) for leaf in document.leaves)
    ends = [0, *(end for _, end in regions)]
    return list(zip(ends, [*(start for start, _ in regions), len(text)], strict=True))


def finish(layout: Layout, format: Format, text: str) -> str:
    """Restore everything but the spelling of values, which is restored already.

    A gap whose text has changed since the record was made stays as it is.
    """
    text = trim(layout, text)
    if layout.gaps:
        edits: list[Edit] = []
        for index, (start, end) in enumerate(_gaps(format, text)):
            gap = layout.gaps.get(index)
            if gap is not None and gap[0] == _hash(text[start:end])[:16]:
                edits.append((start, end, gap[1]))
        text = splice(text, edits)
    return text.replace("\r\n", "\n").replace("\n", "\r\n") if layout.newline == "\r\n" else text


def trim(layout: Layout, text: str) -> str:
    """Take off the line break that encryption added; git may have made another one of it."""
    return text.removesuffix("\n").removesuffix("\r") if layout.trim else text


def restore_whole(layout: Layout, canonical: str) -> str | None:
    """Return the original from a record of the whole text, or None if the canonical text has changed."""
    if layout.whole is None or layout.whole[0] != _hash(canonical):
        return None
    _, prefix, suffix, middle = layout.whole
    return canonical[:prefix] + middle + canonical[len(canonical) - suffix :]


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _common(one: str, other: str) -> int:
    """Length of the common prefix of two texts that differ."""
    return next(at for at, (mine, yours) in enumerate(zip_longest(one, other)) if mine != yours)
