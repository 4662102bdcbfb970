"""Merge three versions of a plaintext into one, for `encconf.git.merge`.

`merge` follows the structure of a text, not its lines.  Entries that a side added, changed, moved or removed
are added, changed, moved or removed in the result, with their comments, blank lines and spelling.  The
result is read again, and its values are compared with those of a merge of the values alone.  If they differ,
or if the text cannot be divided into entries, the whole file is a conflict.  So no value is ever wrong.

`mark` puts conflicts between the usual markers; `marked` finds markers that are left.
"""

from __future__ import annotations

import re

from encconf import formats
from encconf.errors import EncconfError
from encconf.record import Record
from encconf.text.document import Document, has_crlf, newline_of, position
from encconf.text.path import spell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import Counter

    from encconf.merge.values import Side
    from encconf.text.tree import Tree

    Labels = tuple[str, str, str]

MARKER_SIZE = 7
LABELS = ("ours", "base", "theirs")


class Merged(Record):
    """The result of a merge.

    ``text`` is the merged text, with our values where there are conflicts.  ``base`` and ``theirs`` are the
    same text with the base's or their values there.  ``conflicts`` lists the paths of the conflicts, spelled
    for users.  ``whole`` is set if their places are unknown; every difference is then a conflict.
    ``document`` is the merged text as it was read again, with its comments, or None.
    """

    text: str
    base: str
    theirs: str
    conflicts: list[str]
    whole: bool = False
    document: Document | None = None


def merge(base: str, ours: str, theirs: str, *, format: str) -> Merged:
    """Merge two texts with a common ancestor.  ``base`` is "" if they have none.

    Raises no errors.
    """
    if ours == theirs or theirs == base:
        return _alike(ours)
    if ours == base:
        return _alike(theirs)
    if not formats.get(format).single_value:
        texts = _structured(base, ours, theirs, format)
        if texts is not None:
            return texts
    return Merged(ours, base, theirs, ["."], whole=True)


def _alike(text: str) -> Merged:
    """Return a merge without conflicts."""
    return Merged(text, text, text, [])


def _structured(base: str, ours: str, theirs: str, format: str) -> Merged | None:
    from encconf.merge import values
    from encconf.merge.trees import Merge, comments, either, read

    texts = (base, ours, theirs)
    marks = [text[:1] == "\ufeff" for text in texts]
    crlf = [has_crlf(text) for text in texts]

    def finished(text: str) -> str:
        if either(*crlf):
            text = text.replace("\n", "\r\n")
        return "\ufeff" + text if either(*marks) else text

    try:
        sides = [read(text, format) for text in texts]
        trees = [side.tree for side in sides]
        was, here, there = (side.data for side in sides)
        said = [comments(tree) for tree in trees]
        results: dict[Side, str] = {}
        document: Document | None = None
        conflicts: list[str] = []
        for side in _SIDES:
            run = Merge(side)
            results[side] = finished(run.run(*trees))
            if side == "base":
                break
            merged = read(results[side], format, comments=side == "ours")
            wanted = values.documents(was, here, there, side)
            left = comments(merged.tree)
            # A side's new comment may be lost, since the other side removed the comment's entry.
            lost = said[("base", "ours", "theirs").index(side)] - said[0] - left
            if merged.data != wanted or lost:
                return None
            if side == "ours":
                document = merged.document
                conflicts = _spelled(run.conflicts, trees)
                if not conflicts:
                    # Make sure that the run has not missed a conflict.
                    unnoticed = values.documents(was, here, there, "theirs") != wanted
                    if unnoticed or _incomplete(said, left):
                        return None
                    break
    except (EncconfError, RecursionError):
        return None
    text = results["ours"]
    at_odds = results.get("theirs", text) != text
    merging = Merged(text, results["base"], results["theirs"], conflicts) if at_odds else _alike(text)
    merging.document = document
    return merging


_SIDES: tuple[Side, ...] = ("ours", "theirs", "base")


def _incomplete(said: list[Counter[str]], left: Counter[str]) -> bool:
    """Whether a merge without conflicts lacks a comment that both sides have or that one added.

    ``said`` are the comments of base, ours and theirs, and ``left`` those of the result.
    """
    base, ours, theirs = said
    for comment in {**ours, **theirs}:
        was, here, other = base[comment], ours[comment], theirs[comment]
        both_added = here > was and other > was
        if left[comment] < (max(here, other) if both_added else here + other - was):
            return True
    return False


def _spelled(paths: list[tuple[str | int, ...]], trees: list[Tree]) -> list[str]:
    """Spell paths for users.  They begin with the number of the document if there are several."""
    single = all(each.kind == "stream" and len(each.entries) < 2 for each in trees)
    return list(dict.fromkeys(spell(path[1:] if single else path) for path in paths))


# --- markers -------------------------------------------------------------------------------------


def size_for(*texts: str) -> int:
    """Return how long markers must be so that no line of the texts looks like one."""
    size = MARKER_SIZE
    while any(_marker(size).search(text) for text in texts):
        size += 1
    return size


def _marker(size: int) -> re.Pattern[str]:
    return re.compile(rf"(?m)^(?:<{{{size}}}|>{{{size}}}|={{{size}}}|\|{{{size}}})(?=[ \r\n]|\Z)")


def marked(text: str, size: int = MARKER_SIZE) -> int:
    """Return the number of the first line that is a conflict marker, or 0."""
    found = _marker(size).search(text)
    return position(text, found.start())[0] if found is not None else 0


def mark(merged: Merged, labels: Labels = LABELS) -> tuple[str, int]:
    """Return the text with all conflicts between markers, and the length of the markers."""
    from encconf.merge.values import runs, weave
    from encconf.text.tree import LINE

    size = size_for(merged.text, merged.base, merged.theirs)
    newline = newline_of(merged.text)
    base, ours, theirs = (LINE.findall(text) for text in (merged.base, merged.text, merged.theirs))
    out: list[str] = []
    for _, run in runs(weave(base, ours, theirs)):
        was = [base[i] for i, _, _ in run if i is not None]
        one = [ours[j] for _, j, _ in run if j is not None]
        other = [theirs[k] for _, _, k in run if k is not None]
        if one == other and (one == was or not was):
            out += one
            continue
        first, second = f"{'<' * size} {labels[0]}", f"{'|' * size} {labels[1]}"
        for marker, lines in ((first, one), (second, was), ("=" * size, other)):
            out += [marker + newline, *lines]
            if not out[-1].endswith("\n"):
                out.append(newline)
        out.append(f"{'>' * size} {labels[2]}{newline}")
    return "".join(out), size
