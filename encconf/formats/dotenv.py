"""dotenv texts, as sops stores them: a name, ``=`` and a value on each line.  Quotes are understood, too.

sops 3.13.3 (stores/dotenv/store.go) reads a line like this: ``#`` in the first column makes it a comment.
Otherwise, the first ``=`` ends the name, and the rest is the value, in which ``\\n`` means a line break.
sops knows no quotes, no other escapes and no ``export``, and does not trim blanks.  encconf encrypts the
same bytes: ``sops -d`` prints the original lines, and ``sops exec-env`` sets the same values as for sops's
own files.

encconf also reads the following, and restores it byte for byte when it decrypts:

- values in quotes over several lines; sops gets them on one line, in double quotes with ``\\n``;
- indented comments, blank lines, and ``\\r\\n`` as the line break.

When values are loaded, **quotes mean what they mean to dotenv readers** such as python-dotenv: escapes
like ``\\n`` in double quotes, ``\\'`` in single quotes, and a comment after the quotes; ``export`` may
precede the name.  **A value without quotes means what it means to sops**: ``a # b`` and ``a#b`` are whole,
and ``\\n`` is a line break.  So a value that `sops set` wrote is never cut, and no setting changes what a
file means.  ``$NAME`` is never expanded.  `caveat` says which values sops reads differently.

encconf refuses ``NAME`` without ``=``.  Quotes around a name are part of the name, and quotes with other text
after them are part of the value, as in sops.  If a name appears twice, both lines stay, and the last one
counts.

A block's text is its lines, each with its line break.

`bindings` reads a text exactly as python-dotenv does: not as a text of sops, and not only its own values.
"""

from __future__ import annotations

import re

from encconf.errors import EmitError, ParseError
from encconf.formats import flat
from encconf.formats.flat import text_value
from encconf.record import Record
from encconf.text.document import (
    Comment,
    Document,
    Edit,
    Format,
    Leaf,
    Prepared,
    Scope,
    Value,
    has_crlf,
    limit_lines,
    position,
    whole_document,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any

    from encconf.text.document import Plain
    from encconf.text.path import Path


class Dotenv(Format):
    """See the module's docstring."""

    name = "dotenv"
    repeats = True
    flat = True
    environment = True
    example = """\
# This file is encrypted when you leave the editor. Names stay readable.
DATABASE_HOST=db.example.com
DATABASE_PASSWORD=change me
"""
    entry = rb"[ \t]*(?:export[ \t]+)?sops_\w+="
    foreign = rb"(?m)^(?!\s|#|[^\s=]+(?:[ \t]+[^\s=]+)?=|\Z)"

    def from_entry(self, data: bytes) -> bytes | None:
        return b"".join(re.findall(rb"(?m)^sops_.*\n?", data)) or None

    def scan(self, text: str, *, comments: bool = False) -> Document:
        """Parse lines into leaves with spans.

        A text with a ``sops`` block is read exactly as sops reads it, after ``\\r\\n`` at the end of all
        lines is replaced with ``\\n``.  A text without a block may also have what the module's docstring
        lists.  Raises ParseError for a line without ``=``, and MetadataError for a block whose names
        contradict each other.
        """
        limit_lines(text)
        exact = text.startswith(_PREFIX) or f"\n{_PREFIX}" in text
        if not exact:
            flat.check(text)
        crlf = has_crlf(text)  # if only some lines end with `\r\n`, `\r` is part of the values, as in sops
        if exact and crlf:  # git made these line breaks; sops cannot read them
            text, crlf = text.replace("\r\n", "\n"), False
        document, root = whole_document(text, self)
        block = _read(document, root, exact=exact, crlf=crlf, comments=comments)
        if block:
            document.parts[0].block = (block[0][0], block[-1][1])
            document.parts[0].pieces = block
            _take_block(document, block)
        return document

    block_is_entry = False  # each of its members is a name at the top level, and none is called sops

    def loaded(self, document: Document, values: Sequence[object]) -> list[dict[str, object]]:
        # With the names and values that dotenv readers read (see the module's docstring).
        tree: dict[str, object] = {}
        for leaf, value in zip(document.leaves, values, strict=True):
            name = str(leaf.step)
            if isinstance(value, str) and leaf.type == "str" and (meant := _meant(name, value)) is not None:
                value = type(value)(meant)  # a masked value keeps its class
            tree[_read_name(name)] = value
        return [tree]

    def name_read(self, name: str) -> str:
        return _read_name(name)

    def located(self, document: Document, path: Path) -> list[Path]:
        """Return the paths of all lines that readers read under a name: ``export A`` and ``A `` for ``A``."""
        names = [str(leaf.step) for leaf in document.leaves]
        return [(name, *path[1:]) for name in names if path and _read_name(name) == path[0]] or [path]

    def unsettled(self, path: Path, seen: Path, value: Plain) -> Plain:
        """Return a value in quotes if readers would otherwise take off its own quotes or blanks."""
        name = str(path[0])
        if path == seen and _read_name(name) != name:
            raise EmitError(f"dotenv readers would read another name: {_read_name(name)}")
        if not isinstance(value, str) or _meant(name, value) in (None, value):
            return value
        return _in_quotes(value)

    def comment_text(self, plain: str) -> str | None:
        """Return a decrypted comment with ``#`` before each further line.  Only a line feed ends a line."""
        return re.sub(r"\n(?!#)", "\n# ", plain)

    def token(self, value: Value) -> tuple[str, bytes | None]:
        """Return type and bytes.  The format has no types, so the type is always str."""
        return "str", flat.spelled(value, b"\\n")

    def unclosed(self, document: Document, leaf: Leaf) -> bytes | None:
        """Return the first line of a quoted value of several lines: sops ends a value at the line break."""
        if leaf.note is None:
            return None
        first = document.text[leaf.start : leaf.end].partition("\n")[0].removesuffix("\r")
        return first.replace("\\n", "\n").encode()

    def caveat(self, leaf: Leaf) -> str | None:
        """Return why sops or other readers read a value differently, or None."""
        if leaf.style:
            return _QUOTES
        data = leaf.data or b""
        if _ODD.search(data) is None:
            return None
        line = data.decode("utf-8", "replace").replace("\n", "\\n")
        if "\\n" in line and not line.startswith("-----BEGIN "):
            return BREAK
        return _HASH if re.search(r"[ \t]\#", line) else None

    def prepare(self, document: Document, chosen: bytearray, *, comments: bool = False) -> Prepared | None:
        """Respell what sops cannot read: ``\\r\\n``, blanks, indented comments, values of several lines."""
        text = document.text
        edits = [(leaf.start, leaf.end, leaf.note) for leaf in document.leaves if isinstance(leaf.note, str)]
        if not edits and text[:1] not in " \t\r\ufeff" and not _INDENTED.search(text) and "\r\n" not in text:
            return None
        crlf = has_crlf(text)
        between = re.compile(_BETWEEN + (r"|\r(?=\n)" if crlf else ""))
        others: list[Edit] = []
        at = 0
        for start, end in [*((leaf.start, leaf.end) for leaf in document.leaves), (len(text), len(text))]:
            others += [
                (at + found.start(), at + found.end(), "") for found in between.finditer(text[at:start])
            ]
            at = end
        if not edits and not others:
            return None
        prepared = Prepared.edited(text, edits, others)
        if crlf:
            originals = prepared.originals
            prepared.originals = {at: value.replace("\r\n", "\n") for at, value in originals.items()}
        return prepared

    python_value = staticmethod(text_value)

    def sealed(self, document: Document, leaf: Leaf, enc: str, *, was_plain: bool = False) -> Edit:
        """Return the edit that replaces a leaf with an ``ENC[…]`` text.

        sops accepts no quotes around that.
        """
        return leaf.start, leaf.end, enc

    def literal(self, document: Document, leaf: Leaf, type: str, data: bytes) -> Edit:
        """Return the edit that replaces an ``ENC[…]`` text with its plaintext, on one line as in sops."""
        text = data.decode("utf-8", "surrogateescape") if type == "str" else flat.word(type, data)
        return leaf.start, leaf.end, text.replace("\n", "\\n")

    def render_block(self, block: Mapping[str, object]) -> str:
        """Return the block as sops writes it: a line for each of its strings.  Raises EmitError."""
        lines = []
        for name, value in flat.flatten(block):
            if "=" in name:
                raise EmitError(
                    "the sops block has a name with = in it, which dotenv cannot hold",
                    hint="a YAML or JSON file can hold it",
                )
            one_line = value.replace("\n", "\\n")
            lines.append(f"{_PREFIX}{name}={one_line}\n")
        return "".join(lines)

    def attach(self, document: Document, block_text: str) -> list[Edit]:
        """Return the edits that add the block as the last lines and remove the old block."""
        text = document.text
        edits = self.detach(document)
        end = len(text)
        for start, stop, _ in reversed(edits):
            if stop != end:
                break
            end = start
        broken = not end or text[end - 1] == "\n"
        return [*edits, (len(text), len(text), block_text if broken else "\n" + block_text)]

    def detach(self, document: Document) -> list[Edit]:
        """Return the edits that remove every line of the block."""
        return [(start, end, "") for start, end in document.parts[0].pieces]

    def render(self, trees: Sequence[Any], indent: int | None) -> str:
        from encconf.formats.emit import comment_lines, items_of
        from encconf.formats.emit import text as text_of_leaf

        out = []
        for key, item, comments in items_of(trees[0]):
            out += [f"{line}\n" for comment, _ in comments for line in comment_lines(comment)]
            if key is None:
                continue
            if not isinstance(item, Value):
                raise EmitError(f"cannot use complex value in dotenv file; offending key {key}")
            if "\n" in key or "\r" in key:
                raise EmitError("a key contains a line break, which a dotenv file cannot hold")
            said = text_of_leaf(item)
            out.append(f"{key}={said.replace(chr(10), chr(92) + 'n') if item.type == 'str' else said}\n")
        return "".join(out)


_PREFIX = "sops_"
# Most lines: a name and a value.  `_holds_more` says whether there may be more in the value.
_SIMPLE = re.compile(r"(?!sops_)([A-Za-z_][A-Za-z0-9_]*+)=(.*+)(?:\n|\Z)")
# A value in quotes, with at most a comment after it.  The last group is a value in single quotes as shells
# read it, without escapes: a backslash may precede the closing quote.
_QUOTED = re.compile(
    r"""[ \t]*(?:"((?>(?:[^"\\]++|\\.)*))"|'((?>(?:[^'\\]++|\\.)*))'|'([^'\n]*+)')"""
    r"[ \t]*(?:\#[^\r\n]*)?(?=\r?\n|\Z)",
    re.DOTALL,
)
_QUOTE = re.compile(r"[ \t]*[\"']")
_EXPORT = re.compile(r"export[ \t]+")
_INDENTED = re.compile(r"\n[ \t\r]")
# A byte order mark, blanks before a comment, and blanks on a line that has nothing else.
_BETWEEN = r"(?m)\A\ufeff(?:[ \t\r]+(?=#|$))?|^[ \t\r]+(?=#|$)"
_ESCAPE = re.compile(r"\\([\\'\"abfnrtv])")
_ESCAPED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}

_ODD = re.compile(rb"[\n\\#]")  # characters that readers may read differently

_QUOTES = "sops takes the quotes as part of the value; load_config and other dotenv readers do not"
BREAK = "\\n is a line break to sops and encconf; if you do not mean one, put the value in single quotes"
_HASH = "sops and encconf take the # as part of the value; other dotenv readers see a comment"


def _read(
    document: Document, root: Scope, *, exact: bool, crlf: bool, comments: bool
) -> list[tuple[int, int]]:
    """Add the values and comments of a document's text.  Returns the spans of the block's lines."""
    text = document.text
    items, first = document.items, root
    scopes: dict[str, Scope] = {}  # for each name, the scope of its last value
    pending: list[Comment] = []
    block: list[tuple[int, int]] = []

    at = 1 if text.startswith("\ufeff") and not exact else 0
    size = len(text)
    simple = _SIMPLE.match
    has_more = _holds_more(text)
    while at < size:
        found = simple(text, at)
        if found is not None:
            name, line = found.groups()
            if has_more and _holds_more(line):
                found = None
        if found is not None:
            at = found.end()
            start = found.start(2)
            end = start + len(line)
            note, style = None, ""
        else:
            line_at = at
            start, end, at, note = _read_line(text, at, exact, crlf)
            if start < 0:
                continue
            if text[start - 1] == "#":
                if comments:
                    comment = Comment(root, text[start:end], start, end, None)
                    document.comments.append(comment)
                    pending.append(comment)
                continue
            name = text[line_at : start - 1]
            if name.startswith(_PREFIX):
                block.append((line_at, at))
                continue
            line = note if note is not None else text[start:end]
            style = line.lstrip(" \t")[0] if _QUOTE.match(line) and _unquoted(line) is not None else ""
            line = line.replace("\\n", "\n")
        if scopes.get(name) is root:  # in a new scope, its comments differ from those of the first value
            root = Scope(again=first)
            items.append(root)
        scopes[name] = root
        data = line.encode("utf-8", "surrogateescape")
        items.append(Leaf(root, name, start, end, style, "str", data, note))
        if pending:
            for each in pending:
                each.scope, each.before = root, name
            pending.clear()
    return block


def _holds_more(value: str) -> bool:
    """Whether a text has quotes, backslashes or carriage returns, which may be more than characters."""
    return "\\" in value or '"' in value or "'" in value or "\r" in value


def _read_line(text: str, at: int, exact: bool, crlf: bool) -> tuple[int, int, int, str | None]:
    """Read the line at an offset.

    Returns start and end of its comment or value (the start is -1 if it has none), the start of the next
    line, and a respelling on one line if the value has several lines.
    """
    end = text.find("\n", at)
    if end < 0:
        end = following = len(text)
    else:
        following = end + 1
        end -= crlf and text.endswith("\r", at, end)
    line = text[at:end]
    bare = line.lstrip(" \t\r")
    if not bare:
        return -1, -1, following, None
    if bare[0] == "#" and (bare == line or not exact):
        return end - len(bare) + 1, end, following, None
    sign = text.find("=", at, end)
    if sign < 0:
        raise ParseError(
            "a line has no = after a name",
            line=position(text, at)[0],
            hint="write NAME=value; comments start with #; a value of several lines needs quotes",
        )
    start = sign + 1
    note = None
    if not exact and _QUOTE.match(text, start, end) and not text.startswith(_PREFIX, at):
        found = _QUOTED.match(text, start)
        if found is not None and found.end() > end:  # the value continues in the next line
            end = found.end()
            following = text.find("\n", end) + 1 or len(text)
            note = _one_line(text[start:end])
    return start, end, following, note


def _take_block(document: Document, lines: list[tuple[int, int]]) -> None:
    kept = [document.text[at:following].removesuffix("\n") for at, following in lines]
    document.block_text = "".join(f"{line}\n" for line in kept)
    pairs = [line.removeprefix(_PREFIX).split("=", 1) for line in kept]
    document.block = flat.unflatten((name, value.replace("\\n", "\n")) for name, value in pairs)


def _one_line(value: str) -> str:
    """Return a quoted value of several lines on one line, as sops needs it, with the same meaning."""
    value = value.replace("\r\n", "\n")
    line = value.replace("\n", "\\n")
    meant = _unquoted(value)
    assert meant is not None
    if _unquoted(line) == meant:
        return line
    found = _QUOTED.fullmatch(value)
    assert found is not None
    group = 1 if found[1] is not None else 2
    head, tail = value[: found.start(group) - 1], value[found.end(group) + 1 :]
    quoted = _in_quotes(meant).replace("\n", "\\n")
    return head + quoted + tail


def _unquoted(line: str) -> str | None:
    """Return what a quoted value means, or None if the value is not in quotes."""
    found = _QUOTED.fullmatch(line)
    if found is None:
        return None
    double, single, literal = found.groups()
    return _unescaped(double, single) if literal is None else literal


def _unescaped(double: str | None, single: str | None) -> str:
    """Return the text inside double or single quotes, with its escapes resolved."""
    if double is not None:
        return _ESCAPE.sub(lambda escape: _ESCAPED.get(escape[1], escape[1]), double)
    return re.sub(r"\\([\\'])", r"\1", single or "")


def _read_name(name: str) -> str:
    if name.isidentifier():
        return name
    name = name.lstrip()
    return (name[found.end() :] if (found := _EXPORT.match(name)) else name).rstrip()


def _in_quotes(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _meant(name: str, value: str) -> str | None:
    """Return what dotenv readers read for a value, or None if they read it as it is."""
    if value[:1] in " \t\"'" and _QUOTE.match(value):
        return _unquoted(value.replace("\n", "\\n"))
    return value.lstrip(" \t") if name[-1:] in (" ", "\t") else None  # `NAME = value`


# --- as python-dotenv reads a text ---------------------------------------------------------------

# One line.  It has no ``end`` if it is malformed.  Compiled when first used.
_LINE = r"""(?xs)
    (?:export[^\S\r\n]+)?
    (?:
        (?:'(?P<quoted>[^']+)' | (?P<name>[^=\#'\s][^=\#\s]*)) [^\S\r\n]*
        (?:= (?: [^\S\r\n]* (?:'(?P<single>(?:\\.|[^'\\])*)' | "(?P<double>(?:\\.|[^"\\])*)")
            | (?P<plain>[^\S\r\n]*+(?!['"])[^\r\n]*)
            | ) )?
    )?
    (?P<end>[^\S\r\n]* (?:\#(?P<comment>[^\r\n]*))? (?:\r\n|\n|\r|\Z))?
    """
_REST_OF_LINE = r"[^\r\n]*(?:\r\n|\n|\r|\Z)"


class Binding(Record):
    """One line: its ``name`` and ``value``, or only a ``comment``.

    ``value`` is None for a name without one.  All three are None for a line that cannot be read.
    """

    start: int
    name: str | None
    value: str | None
    comment: str | None


def bindings(text: str) -> Iterator[Binding]:
    """Yield the lines of a text, whose line breaks are line feeds, without blank ones.

    This is python-dotenv 1.2 (parser.py, variables.py).  It knows ``export`` and names in single quotes.
    Values are in single quotes (a backslash escapes ``'`` and itself), in double quotes (with ``\\n`` and
    similar escapes) or without quotes, up to a ``#`` after a blank.  Quoted values may have several lines.
    The caller expands ``${NAME}`` and ``${NAME:-DEFAULT}``, which python-dotenv does in all values.
    """
    line, space, rest = re.compile(_LINE), re.compile(r"\s*"), re.compile(_REST_OF_LINE)
    at = 0
    while (start := _end_of(space, text, at)) < len(text):
        found = line.match(text, start)
        assert found is not None  # every part may be missing
        at = found.end()
        if found["end"] is None:
            at = _end_of(rest, text, at)
            yield Binding(start, None, None, None)
            continue
        name, value = found["quoted"] or found["name"], found["plain"]
        if value is not None:
            value = re.sub(r"\s#.*", "", value).strip()  # what precedes the comment is stripped, too
        elif found["single"] is not None or found["double"] is not None:
            value = _unescaped(found["double"], found["single"])
        yield Binding(start, name, value, found["comment"] if name is None else None)


def expanded(text: str, value: Callable[[str, str | None], str]) -> str:
    """Replace ``${NAME}`` and ``${NAME:-DEFAULT}`` by ``value(NAME, DEFAULT)``, as python-dotenv does.

    Unlike python-dotenv, a text with many ``${`` and no ``}`` takes linear time.
    """

    def replaced(sign: re.Match[str]) -> str:
        return value(sign[1], sign[2]) if sign[3] else sign[0]

    # What has no } is matched, too, so that the search does not begin again inside it, in vain.
    return re.sub(r"\$\{([^}:]*+)(?::-([^}]*+))?(\})?", replaced, text)


def _end_of(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    assert found is not None  # both patterns match every text
    return found.end()


def with_line_feeds(text: str) -> str:
    """Return a text as Python's text files have it: without a byte order mark, its line breaks line feeds."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
