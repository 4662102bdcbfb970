"""Merge without a key: merge the ciphertexts themselves, unless both sides changed the same value.

Only a holder of the key can make a MAC for the result.  The block's member ``encconf_merge`` names the
versions that were merged.  Someone who can open them can then merge them again and compare the results
(`encconf.git.merge.reseal`).
"""

from __future__ import annotations

import re

from encconf import formats
from encconf.engine import opening, sealing
from encconf.engine.admission import Admission
from encconf.engine.metadata import CONFLICT, PARENTS, Metadata
from encconf.errors import UndecidedError, UnmergedError
from encconf.git.block import admit, merged_block, same_holders
from encconf.git.outcome import LOOK, WITH_A_KEY, Outcome
from encconf.merge import merge as merge_texts
from encconf.text.document import Document, splice
from encconf.text.path import spell
from encconf.text.printable import listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from encconf.git.ours import Repository

_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")


def merge_without_key(texts: Sequence[str], format: str, repository: Repository) -> Outcome:
    """Merge the ciphertexts of base, ours and theirs.  Raises UndecidedError if the merge needs a key."""
    documents = [formats.scan_any(text, format) for text in texts]
    was, here, there = (Metadata.of(each) if each.block is not None else None for each in documents)
    if here is None or there is None:
        raise UndecidedError(
            "one side is encrypted and the other is not, and none of your keys opens it", hint=WITH_A_KEY
        )
    for metadata in (here, there):
        if CONFLICT in metadata.unknown:
            raise UnmergedError(f"{metadata.unmerged}", hint="resolve it first with: encconf edit FILE")
    if not _same_data_key(here, there):
        raise UndecidedError("one side has a new data key, so merging needs a key", hint=WITH_A_KEY)
    block = merged_block(was, here, there)
    if here.selection != there.selection:
        raise UndecidedError(
            "one side changed which values are encrypted, so merging needs a key", hint=WITH_A_KEY
        )
    if len(block.groups) > 1 and not (same_holders(block, here) or same_holders(block, there)):
        raise UndecidedError("both sides changed the key groups, so merging needs a key", hint=WITH_A_KEY)
    admit(block, Admission(repository.rule), here)
    plain = [_detached(text, document) for text, document in zip(texts, documents, strict=True)]
    merged = merge_texts(*plain, format=format)
    if merged.conflicts:
        paths = "the file" if merged.whole else listed(merged.conflicts, 5)
        raise UndecidedError(
            f"both sides changed {paths}, and none of your keys opens the values", hint=WITH_A_KEY
        )
    for at, metadata in ((1, here), (2, there)):
        if merged.text == plain[at] and metadata.unmerged is None:  # keep its MAC: it covers no keys
            if same_holders(block, metadata) and block.unknown == metadata.unknown:
                return Outcome(texts[at], keyless=True)
            kept = metadata.replace(groups=block.groups, threshold=block.threshold, unknown=block.unknown)
            return Outcome(_attached(merged.text, kept, format), keyless=True)
    # An old MAC is never valid with a new date.
    block.lastmodified, block.mac = sealing.lastmodified(), here.mac
    block.unknown = {**block.unknown, PARENTS: repository.parents()}
    return Outcome(_attached(merged.text, block, format), keyless=True, sealed=False)


def _same_data_key(here: Metadata, there: Metadata) -> bool:
    """Whether any master key has the same wrapped data key in both blocks."""
    wrapped = [{(each.key, each.enc) for group in side.groups for each in group} for side in (here, there)]
    return bool(wrapped[0] & wrapped[1])


def _detached(text: str, document: Document) -> str:
    if document.block is None or formats.get(document.format).single_value:
        return text
    return splice(text, formats.get(document.format).detach(document))


def _attached(text: str, block: Metadata, format: str) -> str:
    module = formats.get(format)
    return splice(text, module.attach(module.scan(text), module.render_block(block.to_block())))


def parents_of(text: str, format: str) -> list[str]:
    """Return the ids of the versions that a file was merged from without a key: base, ours, theirs.

    Raises UnmergedError if the file does not name them.
    """
    ids = str(Metadata.of(formats.get(format).scan(text)).unknown.get(PARENTS, "")).split()
    if len(ids) != 3 or not all(_ID.match(each) for each in ids):
        raise UnmergedError("the file does not record which versions it was merged from", hint=LOOK)
    return ids


def misplaced(before: str) -> str:
    """Return the message about a file that was not merged into the version that git had before it."""
    return (
        f"was not merged into the version that git had before it, but into {before[:12]}; "
        "values may be older than they were"
    )


def differences(one: opening.Opened, other: opening.Opened) -> list[str]:
    """Return the paths of the values that differ in two opened files, and the names of other differences."""
    found: list[str] = []
    if not same_holders(one.metadata, other.metadata):
        found.append("who can open it")
    if one.metadata.selection != other.metadata.selection:
        found.append("which values are encrypted")
    here, there = (
        {
            leaf.path: (value.type, value.data)
            for leaf, value in zip(each.document.leaves, each.values, strict=True)
        }
        for each in (one, other)
    )
    for path in {**here, **there}:
        if here.get(path) != there.get(path):
            found.append(spell(path))
    if not found and one.document.shape != other.document.shape:
        found.append("its structure")
    comments = [[comment.text for comment in each.comments] for each in (one, other)]
    if not found and comments[0] != comments[1]:
        found.append("its comments")
    return found
