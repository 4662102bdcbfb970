"""YAML texts: `yaml_fast` reads ordinary ones, and `yaml_events` reads all others.

The spans of leaves are theirs, and values are never dumped: only the replaced spans of a text change.
`yaml_words` spells single values, `yaml_layout` collections, and `yaml_prepare` respells what sops could not
read back.
"""

from __future__ import annotations

import re

from encconf.errors import DecryptError, EmitError
from encconf.formats import goyaml, yaml_fast
from encconf.formats.yaml_words import (
    ALIAS,
    BREAK,
    DOUBLE,
    FLOW_ALIAS,
    FLOW_PLAIN,
    FOLDED,
    LITERAL,
    NEWLINE,
    PLAIN,
    SINGLE,
    Properties,
    binary,
    block_header,
    block_lines,
    chomping,
    content_end,
    content_indent,
    double,
    fits_block,
    is_word,
    line_end,
    line_start,
    newline_of,
    plain,
    scalar,
    single,
    step_of,
)
from encconf.text.document import (
    LAYOUT,
    Document,
    Format,
    Prepared,
    filled,
    limit_lines,
    limit_paths,
    too_many,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from encconf.text.document import Document, Edit, Leaf, Part, Scope
    from encconf.text.path import Path

# A comment line above a dash, and a comment after the dash, or a dash with nothing after it, which may have
# a comment below: sops may lose one of the two comments.
_PERHAPS_LOST = re.compile(r"^ *#.*\n(?: *\r?\n)* *-(?:[ -]*+\r?\n|[^\n]*#)", re.M)


_FLOW_ROOT = (
    rb"(?>(?:[ \t]*(?:#.*|%.*|---(?:[ \t]+(?:#.*|[!&][^{\r\n]*)?)?)?\r?\n)*)"
    rb"(?:---[ \t]+(?:[!&]\S*[ \t]+)*)?[ \t]*\{"
)
_FLOW_ENTRY = rb"""[{,\s]["']?sops["']?\s*:"""
_CONTENT = rb"(?m)^ *(?!\Z|[\s#%]|---|\.\.\.)"


class Yaml(Format):
    """See the module's docstring."""

    name = "yaml"
    holds_json = True
    objects = True
    indent = 0
    example = """\
# This file is encrypted when you leave the editor.
# Keys stay readable; values and comments do not. Change what you like.
database:
  host: db.example.com
  port: 5432
  password: change me
features:
  - one
  - two
debug: false
"""
    entry = rb"""( *)["']?sops["']?[ \t]*:"""
    only_entry = rb"(?m)^sops:"
    foreign = rb"""(?m)^(?![\s#%\-.{}\[\],'"&!*|>?]|[^\s:#`][^:\n]*:(?:\s|\Z)|\Z)"""

    def has_entry(self, data: bytes) -> bool:
        if not data[:1].isalpha() and b"{" in data and re.match(_FLOW_ROOT, data):
            return re.search(_FLOW_ENTRY, data) is not None
        if data.rfind(b"\nsops:") >= 0:
            return True
        indents = [len(found[1]) for found in self.entries(data)]
        # The root mapping has the indentation of the least indented line.
        return bool(indents) and (0 in indents or min(indents) <= min(map(len, re.findall(_CONTENT, data))))

    def scan(self, text: str, *, comments: bool = False, any_keys: bool = False) -> Document:
        """Parse a YAML stream into leaves with spans.  With ``any_keys``, keys need not be strings.

        Raises ParseError for text that is not YAML or that sops cannot store, LimitError for text that is
        deeper or more repetitive than any real file, and EmptyDocumentError if the text has no document.
        """
        limit_lines(text, BREAK, signs="#")
        document = yaml_fast.scan(text, comments) or _read(text, comments, any_keys)
        if len(document.items) > document.most:
            raise too_many(document.most)
        limit_paths(document)
        return document

    def prepare(self, document: Document, chosen: bytearray, *, comments: bool = False) -> Prepared | None:
        """Respell what sops could not read back (see `yaml_prepare`)."""
        text = document.text
        # If the rule depends on comments, they must stay where they are.
        lost = "#" in text and not comments and _PERHAPS_LOST.search(text) is not None
        plain = text.endswith(("\n", "\r")) and not document.merges and "*" not in text and "\\/" not in text
        if plain and not lost:
            return None  # the text has nothing that `yaml_prepare` respells, and importing it takes time
        from encconf.formats import yaml_prepare

        moved = (
            yaml_prepare.moves(document if document.comments else self.scan(text, comments=True))
            if lost
            else []
        )
        if plain and not moved:
            return None
        return yaml_prepare.prepare(document, chosen, moved)

    def comment_text(self, plain: str) -> str | None:
        """Return a decrypted comment with ``#`` before each further line.

        Returns None if it contains a character other than a line feed that ends a line, or a control
        character:  the rest would be read as values.
        """
        if not plain.isprintable() and re.search("[\r\x85\u2028\u2029\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", plain):
            return None
        return re.sub(r"\n(?!#)", "\n# ", plain) if "\n" in plain else plain

    def movable(self, document: Document) -> bool:
        """Whether there are no notes, which have offsets: no anchors, tags or aliases."""
        return document.regular or all(item.note is None for item in document.items)

    def inherited(self, document: Document) -> dict[Path, set[str]]:
        """Return the keys that mappings have from merge keys (``<<``)."""
        if not document.merges:
            return {}
        nodes = filled(document.items, document.leaves)[1]
        first = [scope for scope in document.merges if scope.root is document.items[0]]
        return {scope.path: _merged_keys(nodes[id(scope)].get("<<")) for scope in first}

    def loaded(self, document: Document, values: Sequence[object]) -> list[dict[str, object]]:
        # With merge keys (``<<``) applied.  A mapping's own keys win.
        trees, nodes = filled(document.items, values)
        for scope in reversed(document.merges):
            node = nodes[id(scope)]
            if "<<" not in node:
                continue
            value = node["<<"]
            sources = value if isinstance(value, list) else [value]
            if not all(isinstance(source, dict) for source in sources):
                continue  # it is an ordinary key with that name
            merged = {}
            for source in reversed(sources):
                merged.update(source)
            # The merged keys replace `<<` at its place.
            own = dict(node)
            node.clear()
            for key, item in own.items():
                if key == "<<":
                    node.update({name: found for name, found in merged.items() if name not in own})
                else:
                    node[key] = item
        return trees

    def region(self, document: Document, leaf: Leaf) -> tuple[int, int]:
        """Return the span of a leaf, including its anchor and tag."""
        start = leaf.note.start if isinstance(leaf.note, Properties) else leaf.start
        if leaf.style in (LITERAL, FOLDED):
            return start, content_end(document.text, leaf)
        return start, leaf.end

    python_value = staticmethod(goyaml.parse)

    def sealed(self, document: Document, leaf: Leaf, enc: str, *, was_plain: bool = False) -> Edit:
        """Return the edit that replaces a leaf with an ``ENC[…]`` text, in the same quotes or block style.

        The header of that block scalar strips the last line break: most readers do not recognize a ciphertext
        that ends with a line break.  ``was_plain`` says that the value's old ciphertext was a plain scalar.
        The new ciphertext is then plain, too, if it decrypts to the same text.  So no other lines change.
        """
        start, end, style, note = leaf.start, leaf.end, leaf.style, leaf.note
        if style == PLAIN and note is None:
            return start, end, enc
        if was_plain and (end_of_plain := _end_if_plain(document, leaf)) is not None:
            return start, end_of_plain, enc
        text = document.text
        kept = ""
        if isinstance(note, Properties) and re.fullmatch(_TYPE_TAG, note.tag or ""):
            before, after = text[note.start : note.tag_start], text[note.tag_end : leaf.start]
            kept = before + after.lstrip(" \t") if before.strip() else after.lstrip(" \t")
            start = note.start
        if style in (PLAIN, ALIAS):
            return start, end, kept + enc
        if style in (FLOW_PLAIN, DOUBLE, FLOW_ALIAS):
            return start, end, f'{kept}"{enc}"'
        if style == SINGLE:
            return start, end, f"{kept}'{enc}'"
        header, content, newline = block_header(text, leaf)
        end = content_end(text, leaf)
        indent = content_indent(text, leaf, header, content)
        if indent is None:  # blank lines do not show the indentation of the content
            return start, end, f'{kept}"{enc}"{newline}'
        head = _chomped(text, leaf, header, "-") + text[header.end(2) : content]
        if not head.endswith(tuple(BREAK)):
            head += newline
        tail = newline if text[end - 1 : end] in BREAK else ""
        return start, end, f"{kept}{head}{' ' * indent}{enc}{tail}"

    def literal(self, document: Document, leaf: Leaf, type: str, data: bytes) -> Edit:
        """Return the edit that replaces an ``ENC[…]`` text with its plaintext in the same style."""
        start, end, style = leaf.start, leaf.end, leaf.style
        if type == "str" and style == PLAIN and leaf.note is None and is_word(data):
            return start, end, data.decode()
        text = document.text
        tagged = isinstance(leaf.note, Properties) and leaf.note.tag not in (None, "!")
        value = ""
        word: str | None = None
        if type != "str" or style in (ALIAS, FLOW_ALIAS):
            word = scalar(type, data)
        else:
            try:
                value = data.decode()
            except UnicodeDecodeError:
                word = binary(data)
        if word is not None and style in (LITERAL, FOLDED):
            return start, content_end(text, leaf), word + block_header(text, leaf)[2]
        if word is not None:
            return start, end, word
        if style in (LITERAL, FOLDED):
            return _block_literal(document, leaf, value)
        if style == SINGLE:
            return start, end, single(value) if value.isprintable() else double(value)
        if style == DOUBLE:
            return start, end, double(value)
        if (
            "\n" in value
            and style == PLAIN
            and re.compile(_BLANK_REST).match(text, end)
            and fits_block(value)
        ):
            indent = _block_column(document, leaf)
            if _has_room(document, end, indent, value):
                return start, end, _as_block(document, leaf, value)
        return start, end, plain(value, flow=style != PLAIN, tagged=tagged)

    def comment(self, document: Document, leaf: Leaf, data: bytes, *, alone: bool) -> Edit:
        """Return the edit that writes a comment instead of the sequence item that sops stored for it."""
        dash = document.text.rfind("-", 0, leaf.start)
        if document.text[dash + 1 : leaf.start].strip():
            raise DecryptError("a comment is where only a value can be", hint="sops never writes one there")
        sign = "[] #" if alone and leaf.step == 0 else "#"  # without items, a sequence must be written as []
        text = data.decode("utf-8", "replace")
        return dash, leaf.end, sign + (text if text.strip(" ") else text[1:])

    def render_block(self, block: Mapping[str, object]) -> str:
        """Return the ``sops`` entry in block style as sops writes it: indented to multiples of four."""
        from encconf.formats.yaml_layout import Style

        return "\n".join(["sops:", *Style().entries(block, 4)]) + "\n"

    def attach(self, document: Document, block_text: str) -> list[Edit]:
        """Return the edits that replace the block of every document, or add it as the last entry."""
        text = document.text
        newline = newline_of(text)
        edits: list[Edit] = []
        for part in document.parts:
            if part is not document.parts[0] and LAYOUT in block_text:
                # Only the first document needs the layout record.
                tree = _block_tree(block_text)
                block_text = self.render_block(
                    {name: value for name, value in tree.items() if name != LAYOUT}
                )
            if part.close is not None:
                member = _flow_block(block_text)
                edits.append((*part.block, member) if part.block else _flow_member(document, part, member))
                continue
            if not _has_lines(block_text):
                block_text = self.render_block(_block_tree(block_text))
            pad = " " * part.indent
            block = newline.join(pad + line if line else "" for line in block_text.split("\n"))
            if part.block is not None:
                edits.append((*_block_lines_of(text, *part.block), block))
                continue
            broken = part.end == part.start or text[part.end - 1] in BREAK + "\ufeff"
            edits.append((part.end, part.end, ("" if broken else newline) + block))
        return edits

    def detach(self, document: Document) -> list[Edit]:
        """Return the edits that remove the block from every document.

        A document that had only the block becomes ``{}``, as in sops, unless it is the first one and begins
        with ``---``.
        """
        edits: list[Edit] = []
        several = len(document.parts) > 1
        trees = filled(document.items, document.leaves)[0] if several else [document.items[1:]]
        for part, tree in zip(document.parts, trees, strict=True):
            if part.block is None:
                continue
            if part.close is not None:
                edits.append(_detach_flow(document, part, *part.block))
            else:
                start, end = _block_lines_of(document.text, *part.block)
                first = part is document.parts[0]
                gone = not tree and not (first and re.compile(_MARKER).search(document.text, 0, start))
                edits.append((start, end, "{}" + newline_of(document.text) if gone else ""))
        return edits

    holds_documents = True

    def check_indent(self, indent: int) -> None:
        if indent < 0:
            raise EmitError("YAML Negative indentation not accepted")

    def render(self, trees: Sequence[Any], indent: int | None) -> str:
        from encconf.formats.yaml_layout import go_document

        return "---\n".join(go_document(tree, indent or 4) for tree in trees)

    def render_value(self, node: Any, indent: int | None) -> str:
        from encconf.formats.yaml_layout import GoYaml, go_scalar

        if not isinstance(node, list):
            return go_scalar(node) + "\n"
        return "\n".join(GoYaml(indent or 4).entries(node, 0)) + "\n" if node else "[]\n"


def _read(text: str, comments: bool, any_keys: bool) -> Document:
    from encconf.formats.yaml_events import TooNewError, read

    try:
        return read(text, comments, pure=False, any_keys=any_keys)
    except TooNewError:
        return read(text, comments, pure=True, any_keys=any_keys)


_BLANK_REST = rf"[ \t]*(?:[{BREAK}]|\Z)"
# Tags of a scalar's type.  go-yaml cannot apply them to an `ENC[…]` text, and sops would read a null.  So the
# encrypted text does not have them, and the layout record does.
_TYPE_TAG = r"(?:!!|!<tag:yaml\.org,2002:(?=.*>))(?:int|float|bool|null|timestamp|binary)>?"


def _habits(document: Document) -> tuple[str, int]:
    """Return a text's line break and by how many blanks it indents.  The document caches them."""
    if document.habits is None:
        document.habits = newline_of(document.text), step_of(document.text)
    return document.habits


def _chomped(text: str, leaf: Leaf, header: re.Match[str], indicator: str) -> str:
    """Return the first characters of a block scalar's header, with another chomping indicator."""
    return text[leaf.start : header.start(2)] + header.group(2).strip("-+") + indicator


def _block_literal(document: Document, leaf: Leaf, value: str) -> Edit:
    """Return the edit that replaces the ``ENC[…]`` text in a block scalar with its plaintext."""
    text = document.text
    header, content, newline = block_header(text, leaf)
    end = content_end(text, leaf)
    indent = content_indent(text, leaf, header, content)
    indicator = header.group(2)
    digit = any(char.isdigit() for char in indicator)
    if indent is None or not fits_block(value, indicated=digit):
        return leaf.start, end, double(value) + newline
    natural = chomping(value)
    kept = "-" if "-" in indicator else "+" if "+" in indicator else ""
    start = content
    head = ""
    # `+` fits any number of line breaks at the end, so it can stay.
    if kept != natural and not (kept == "+" and value.endswith("\n")):
        if natural == "+" and _below(document, end)[0]:
            return leaf.start, end, double(value) + newline
        head = _chomped(text, leaf, header, natural) + text[header.end(2) : content]
        start = leaf.start
    if header.group(1) == FOLDED:
        lines = _folded_lines(value, indent, newline)
    else:
        lines = block_lines(value, indent, newline)
    return start, end, head + lines


def _folded_lines(value: str, indent: int, newline: str) -> str:
    """Return the lines of a folded block scalar, one for each line of the value.

    Folding joins two lines of text, so there is an empty line between them.
    """
    out: list[str] = []
    pad = " " * indent
    below = ""  # the next line that is not empty
    for line in reversed(value.removesuffix("\n").split("\n")):
        if line and below and line[0] not in " \t" and below[0] not in " \t":
            out.append("")
        out.append(pad + line if line else "")
        below = line or below
    return newline.join(reversed(out)) + newline


def _end_if_plain(document: Document, leaf: Leaf) -> int | None:
    """Return where a string ends, if it is spelled as the plaintext of a plain ciphertext would be."""
    text, start, style = document.text, leaf.start, leaf.style
    if style not in (SINGLE, DOUBLE, LITERAL) or leaf.note is not None:
        return None
    assert leaf.data is not None
    value = leaf.data.decode()
    if style != LITERAL:
        return leaf.end if text[start : leaf.end] == plain(value) else None
    newline = _habits(document)[0]
    end = content_end(text, leaf)
    if not fits_block(value) or text[start:end] != _as_block(document, leaf, value) + newline:
        return None
    return end - len(newline)


def _as_block(document: Document, leaf: Leaf, value: str) -> str:
    """Return a string of several lines as a block scalar: sops wrote its ciphertext as a plain scalar."""
    newline = _habits(document)[0]
    body = block_lines(value, _block_column(document, leaf), newline)
    return f"|{chomping(value)}{newline}{body[: -len(newline)]}"


def _block_column(document: Document, leaf: Leaf) -> int:
    """Return the column of a block scalar's lines in the place of a leaf."""
    text = document.text
    line = line_start(text, leaf.start)
    # `- - key: ENC[…]`: the mapping or sequence that holds the leaf starts after the dashes.  After a key of
    # several lines, `: key: ENC[…]`, it starts after the colon.
    before = re.match(r" *+(?:[-:] ++(?=\s*\S))*", text[line : leaf.start])
    assert before is not None
    return before.end() + _habits(document)[1]


def _has_room(document: Document, end: int, indent: int, value: str) -> bool:
    """Whether a block scalar can end at an offset without including the lines below it."""
    blank, text = _below(document, end)
    if blank and (chomping(value) == "+" or any("\t" in line or len(line) > indent for line in blank)):
        return False
    return not text.startswith(" " * indent)  # an indented comment would become part of the value


def _below(document: Document, end: int) -> tuple[list[str], str]:
    """Return the blank lines below an offset and the line after them, without the ``sops`` block."""
    text = document.text
    blank: list[str] = []
    at = line_end(text, end)
    while at < len(text):
        match = re.compile(NEWLINE).search(text, at)
        stop, following = match.span() if match else (len(text), len(text))
        line = text[at:stop]
        if line.strip(" \t"):
            from bisect import bisect_right

            part = document.parts[bisect_right(document.parts, at, key=lambda part: part.start) - 1]
            if part.block is None or not at <= part.block[0] < stop:
                return blank, line
            following = line_end(text, part.block[1])
        else:
            blank.append(line)
        at = following
    return blank, ""


_HEAD_LINE = (
    r"""["']?sops["']?[ \t]*:(?:[ \t]+[&!]\S*)*(?:[ \t]+\#[^\r\n]*)?[ \t]*[\r\n](?!(?>(?:\s|\#.*)*)\{)"""
)


def _has_lines(block_text: str) -> bool:
    """Whether the members of a block are on lines of their own, not in braces."""
    return re.match(_HEAD_LINE, block_text) is not None


_COMMENT = r"(?:^|(?<=\s))#[^\r\n]*"


def _flow_member(document: Document, part: Part, block: str) -> Edit:
    """Return the edit that adds the block as the last member of a flow mapping, never inside a comment."""
    text = document.text
    assert part.close is not None
    tail = text[_last_end(document, part, part.close) : part.close]
    before = re.sub(_COMMENT, "", tail).rstrip()
    # Comments end with their line, so the closing brace is on a line of its own.
    at = part.close if "#" in tail else part.start + len(text[part.start : part.close].rstrip())
    if before.endswith(","):
        return at, at, f" {block},"  # like the other members, with a comma after it
    return at, at, block if before.endswith("{") else f", {block}"


def _block_lines_of(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the span of the whole lines of a block in block style."""
    line = line_start(text, start)
    if line == 0 and text[:1] == "\ufeff":
        line = 1
    if text[line:start].strip() in ("", "?"):
        start = line
    return start, line_end(text, end)


def _block_tree(block_text: str) -> dict[str, object]:
    block = Yaml().scan(block_text if _has_lines(block_text) else "{" + block_text + "}").block
    assert block is not None
    return block


def _flow_block(block_text: str) -> str:
    """Return the block as a member of a flow mapping."""
    if not _has_lines(block_text):
        return block_text
    import json

    return '"sops": ' + json.dumps(_block_tree(block_text), ensure_ascii=False)


_BLANK_LINE = rf"[ \t]*(?:\r\n|[{BREAK}])"
_MARKER = r"(?m)^---(?=\s|\Z)"


def _detach_flow(document: Document, part: Part, start: int, end: int) -> Edit:
    """Return the edit that removes the block from a flow mapping, with one comma.

    If the block is alone on its line, the line is removed.
    """
    text = document.text
    assert part.close is not None
    comma = re.compile(r"\s*,").match(text, end)
    if comma is None and (commented := re.compile(r"(?:\s+#[^\r\n]*)+\s*,").match(text, end)):
        return start, commented.end(), text[end : commented.end() - 1]
    if comma is None:
        last = _last_end(document, part, start)
        found = re.search(r",\s*\Z", text[last:start])
        at = last + found.start() if found else start
        after_comment = re.compile(_COMMENT).search(text, max(last, line_start(text, at)), at)
        return start if after_comment else at, end, ""
    after_comma = comma.end()
    line = line_start(text, start)
    below = re.compile(_BLANK_LINE).match(text, after_comma)
    if below and not text[line:start].strip():
        return line, below.end(), ""
    if text[after_comma : part.close].strip():
        after = re.compile(r"\s*").match(text, after_comma)
        return start, after.end() if after else after_comma, ""
    # A last member with a comma was added with a blank before it.
    return start - (text[start - 1] == " "), after_comma, ""


def _last_end(document: Document, part: Part, before: int) -> int:
    """Return where the last value before an offset ends, in a document that is a flow mapping."""

    from bisect import bisect_left

    def inside(places: list[Leaf] | list[Scope]) -> slice:
        at, end = (bisect_left(places, place, key=lambda each: each.start) for place in (part.start, before))
        return slice(at, end)

    ends = [leaf.end for leaf in document.leaves[inside(document.leaves)]]
    flows = document.flows
    ends += [flow.end for flow in flows[inside(flows)] if flow.end <= before]
    return max(ends, default=part.start)


def _merged_keys(merged: object) -> set[str]:
    """Return the keys of what is merged, a mapping or a list of mappings, which may have merge keys, too."""
    found: set[str] = set()
    todo, seen = [merged], set()
    while todo:
        node = todo.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, dict):
            found.update(node)
            todo.append(node.get("<<"))
        elif isinstance(node, list):
            todo += node
    return found
