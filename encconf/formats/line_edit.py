"""Putting a value into a text of lines (dotenv, INI) and taking one out.

These formats say themselves how a value is spelled (`literal`); here is only where a line goes.
"""

from __future__ import annotations

import re

from encconf import formats
from encconf.errors import EmitError
from encconf.formats.plain import missing, text_of, typed
from encconf.text.document import splice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.text.document import Document, Leaf
    from encconf.text.path import Path
    from encconf.text.tree import Plain

_DEPTH = {"dotenv": 1, "ini": 2}


class LineEditor:
    """`put` and `drop` for one format."""

    __slots__ = ("format", "module")

    def __init__(self, format: str) -> None:
        self.format = format
        self.module = formats.module(format)

    def put(self, text: str, path: Path, value: Plain) -> str:
        """A text with a value at a path.  Raises EmitError for what the format cannot hold."""
        if self.format == "ini" and len(path) == 1 and isinstance(value, dict) and value:
            return self._put_section(text, path, value)
        if isinstance(value, (dict, list)):
            raise EmitError(f"{self.format} holds single values, no mappings and lists")
        depth = _DEPTH.get(self.format)
        if depth is None:
            raise EmitError(f"single values of {self.format} files cannot be changed")
        if len(path) != depth or not all(isinstance(step, str) and step for step in path):
            wanted = "one key" if depth == 1 else "a section and a key"
            raise EmitError(f"a path into {self.format} is {wanted}")
        said = text_of(*typed(value))
        if self.format == "dotenv" and "\\n" in said:
            raise EmitError(
                "a dotenv file cannot hold a backslash followed by an n: sops reads a line break there",
                hint="write / for \\ in a path, or keep the value in a YAML, JSON or TOML file",
            )
        document = self.module.scan(text)
        leaf = _at(document, path)
        if leaf is None:
            text = self._with_line(document, path)
            document = self.module.scan(text)
            leaf = _at(document, path)
        if leaf is None:
            raise EmitError(f"{self.format} cannot hold such a key")
        return splice(text, [self.module.literal(document, leaf, "str", said.encode())])

    def drop(self, text: str, path: Path) -> str:
        """A text without the value, or with one key in the path of an INI file the section, at a path."""
        document = self.module.scan(text)
        leaf = _at(document, path)
        if leaf is None and self.format == "ini" and len(path) == 1:
            return _without_section(text, str(path[0]))
        if leaf is None:
            raise missing(path)
        start, end = self.module.region(document, leaf)
        return splice(text, [(_line_start(text, start), _line_end(text, end), "")])

    def _put_section(self, text: str, path: Path, values: dict[str, Plain]) -> str:
        """The keys of a section, and no others; those that stay keep their place."""
        for name, value in values.items():
            text = self.put(text, (*path, name), value)
        for leaf in self.module.scan(text).leaves:
            if leaf.path[:1] == tuple(path) and leaf.path[1] not in values:
                text = self.drop(text, leaf.path)
        return text

    def _with_line(self, document: Document, path: Path) -> str:
        text = document.text
        newline = "\r\n" if "\r\n" in text else "\n"
        at = len(text)
        if self.format == "dotenv":
            line = f"{path[0]}=x{newline}"
        else:
            line = f"{path[1]} = x{newline}"
            siblings = [leaf for leaf in document.leaves if leaf.path[:1] == path[:1]]
            if siblings:
                last = siblings[-1]
                at = _line_end(text, self.module.region(document, last)[1])
                sign = re.search(r"[ \t]*[=:][ \t]*", text[_line_start(text, last.start) : last.end])
                line = f"{path[1]}{sign[0] if sign else ' = '}x{newline}"
            else:
                line = f"{newline if text.strip() else ''}[{path[0]}]{newline}{line}"
        if at and text[at - 1] not in "\r\n":
            line = newline + line
        return text[:at] + line + text[at:]


def _without_section(text: str, name: str) -> str:
    """Without a section's lines, and the comments above its header; those above the next one stay.

    Lines that only look like headers, within a long value, are not told apart: the caller compares.
    """
    kept: list[str] = []
    comments: list[str] = []
    inside = name == "DEFAULT"  # what stands before any header
    for line in re.findall(r"[^\n]*\n|[^\n]+\Z", text):
        if line.lstrip()[:1] in ("#", ";"):
            comments.append(line)
            continue
        if header := re.match(r"[ \t]*\[([^\]]*)\]", line):
            inside = header[1].strip() == name
        if not inside:
            kept += [*comments, line]
        comments = []
    return "".join([*kept, *([] if inside else comments)])


def _at(document: Document, path: Path) -> Leaf | None:
    return next((leaf for leaf in document.leaves if leaf.path == tuple(path)), None)


def _line_start(text: str, offset: int) -> int:
    return max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1


def _line_end(text: str, offset: int) -> int:
    if offset and text[offset - 1] == "\n":
        return offset
    at = text.find("\n", offset)
    return len(text) if at < 0 else at + 1
