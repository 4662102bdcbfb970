"""The anchor and tag in front of a YAML scalar."""

from __future__ import annotations

import re

from encconf.formats.yaml_signs import BREAK, line_start


class Properties:
    """The anchor and tag in front of a scalar: where they start, and the tag's span."""

    __slots__ = ("start", "tag", "tag_end", "tag_start")

    def __init__(self, start: int, tag: str | None, tag_start: int, tag_end: int) -> None:
        self.start = start
        self.tag = tag
        self.tag_start = tag_start
        self.tag_end = tag_end


SKIP = re.compile(rf"(?:[ \t]*(?:#[^{BREAK}]*)?(?:\r\n|[{BREAK}]))*[ \t]*")
_TAG = re.compile(r"!\S*")  # libyaml and go-yaml end it at a blank only, in flow style too
_TAG_BEFORE = re.compile(r"(?<=[\s\[{,:])!\S*(?=[ \t]+\Z)")


def properties(
    text: str, start: int, end: int, anchor: str | None, tag: str | None
) -> tuple[Properties, int]:
    """The properties in front of a scalar, and the offset where the scalar itself starts."""
    at = start
    tag_start = tag_end = start
    limit = max(end, start)
    for _ in range(2):
        if anchor is not None and text.startswith("&" + anchor, at):
            at += len(anchor) + 1
            anchor = None
        elif tag is not None and text.startswith("!", at):
            match = _TAG.match(text, at)
            assert match is not None
            tag_start, at = at, match.end()
            tag_end = at
            tag = None
        else:
            break
        after = SKIP.match(text, at)
        assert after is not None
        if after.end() > limit:
            break
        at = after.end()
    if tag is not None and at > start:  # the parser in Python puts the start of `!tag &a value` at the `&`
        before = _TAG_BEFORE.search(text, line_start(text, start), start)
        if before is not None:
            start = tag_start = before.start()
            tag_end = before.end()
    tag_text = None if tag_start == tag_end else text[tag_start:tag_end]
    return Properties(start, tag_text, tag_start, tag_end), min(at, limit)
