"""INI texts, as gopkg.in/ini.v1 reads them for sops 3.13.3 (stores/ini/store.go), but no value is cut.

Sections hold strings; what stands before the first section belongs to ``DEFAULT``, as in sops.  The
library's rules: ``=`` or ``:`` ends a key; a value in double or single quotes, backquotes or three
double quotes is what stands between them, in the last two over several lines, too; ``#`` and ``;`` start
a comment, also behind a value; a backslash at the end of a line goes on in the next one.  Keys may be in
quotes; names keep their case.

Where these rules cut a value that is surely meant whole, sops gets it whole, and prints it so that
it reads it back: ``a#b``, ``#fff``, ``"a;b"``, and the last backslash of ``C:\\dir\\`` before an ordinary
line.  If such a value stays unencrypted, it is put into quotes for sops.

A text that the library cannot read because of an indented line is read by the rules of Python's
configparser instead: values go on in deeper indented lines; quotes, and what looks like a comment
behind a value, are part of it.  sops gets these values on one line or in three quotes.

What was decrypted is to the byte what was encrypted, so a program that has its own rules keeps them:
``configparser.ConfigParser().read_string(encconf.decrypt(text, format="ini"))``.  `load_config` gives a
dict of sections, without interpolation and without handing down ``DEFAULT``.  `caveat` says of which
values sops and configparser make different things.

Comments: sops takes all those before a section or key, and the one behind its value, for one comment.
They are encrypted as one, too; the blank lines between them, and that one stood behind a value, are in
the layout record.  So is a first line without a word, which makes sops crash.

Refused: a key that stands twice in a section (sops keeps the last value only; a section may stand
twice), a key ``-`` (numbered by the library, and lost), a key without a value.
"""

from __future__ import annotations

import re
from itertools import pairwise

from encconf.errors import EmitError, ParseError
from encconf.formats import Prepared, flat
from encconf.text.document import Comment, Document, Leaf, Part, Scope, limit_paths, position, splice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from encconf.text.document import Edit

SEALS_EMPTY = False
LOADS_TEXT = False
EMPTY = ""
EXAMPLE = """\
[database]
host = db.example.com
password = change me
"""

DEFAULT = "DEFAULT"
"""The section of keys that stand before any."""

PLAIN, CONTINUED, INDENTED = "", "\\", " "
"""Styles of values; the others are their quotes."""

_SOPS = "sops"
# unicode.IsSpace of Go; Python's own set has four control characters more.
_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
)
_BLANKS = re.compile(f"[{_SPACE}]*+")
_TAIL = re.compile(r"[ \t]*(?:\Z|[#;])")
# A value that everybody reads as it is: no quotes, comment signs or backslashes, and one key's line of it.
_WORDS = r"[!$-&(-:<-\[\]^_a-~]++(?>(?:[ \t]++[!$-&(-:<-\[\]^_a-~]++)*)"
_SIMPLE_VALUE = re.compile(_WORDS)
_SIMPLE = re.compile(rf"([A-Za-z0-9_.][A-Za-z0-9_.-]*+)[ \t]*+[=:][ \t]*+({_WORDS})[ \t]*+(?:\r?\n|\Z)")
_LEAD = {"#": re.compile("[# ]*"), ";": re.compile("[; ]*")}
_DELIMITER = re.compile("[=:]")
_OFF_MARGIN = re.compile("\n[^#;]")
_COMMENT_SIGN = re.compile("[#;]")
# Where a comment starts behind a value that is not in quotes; right after the key, a blank must follow.
_COMMENT = re.compile(r"(?<=[ \t])[#;]|\A[#;](?=[ \t]|\Z)")
_LINE = re.compile(r"[^\n]*\n|[^\n]+\Z")
_EMPTY_LINE = re.compile(r"(?<=\n)\r?\n\Z")
_QUOTES = ('"', "'", "`", '"""')

_INLINE = "Python's configparser takes the text after the comment sign as part of the value"
_QUOTED = "Python's configparser takes the quotes as part of the value"
_UNPRINTABLE = "sops -d prints the value so that it reads differently"


class _NoDelimiterError(ParseError):
    """A line has neither ``=`` nor ``:``."""


class _Entry:
    """A section header, a key with its value, or one or several lines of comment.

    ``text[line:stop]`` are the whole lines; ``text[start:end]`` is the value with its quotes, or a
    comment's text without its sign.
    """

    __slots__ = ("end", "kind", "line", "name", "start", "stop", "style", "value")

    def __init__(
        self,
        kind: str,
        line: int,
        stop: int,
        start: int,
        end: int,
        name: str,
        style: str = "",
        value: str = "",
    ) -> None:
        self.kind = kind  # "section", "key", "comment"; "inline" and "dropped" for one behind something
        self.line = line
        self.stop = stop
        self.start = start
        self.end = end
        self.name = name
        self.style = style
        self.value = value


# --- reading -------------------------------------------------------------------------------------


def scan(text: str, *, comments: bool = False) -> Document:
    """Parse sections into leaves with spans.

    A text with a ``[sops]`` section is read exactly as sops reads it, one without in the ways described
    above.  Raises ParseError, MetadataError for a block whose names are at odds.
    """
    if _has_block(text):
        return _document(text, _lines(text, exact=True), comments)
    flat.check(text)
    try:
        return _document(text, _lines(text, exact=False), comments)
    except _NoDelimiterError as error:
        try:
            document = _document(text, _indented(text), comments)
        except _NoDelimiterError:
            raise error from None
        document.parts[0].indent = 1
        return document


def _has_block(text: str) -> bool:
    """Whether a line begins with ``[sops]``."""
    end = 0
    while (at := text.find("[sops]", end)) >= 0:
        if not text[text.rfind("\n", end, at) + 1 or end : at].strip(" \t"):
            return True
        end = text.find("\n", at)
        if end < 0:
            break
    return False


def _document(text: str, entries: Iterator[_Entry | re.Match[str]], comments: bool) -> Document:
    document = Document(text, "ini")
    part = Part(1 if text.startswith("\ufeff") else 0)
    part.root = "map"
    part.end = len(text)
    document.parts.append(part)
    tree: dict[str, object] = {}
    document.trees.append(tree)
    shape = document.shape
    shape.append("%")
    root = Scope(None, None, (), "", tree)
    scope: Scope | None = None
    seen: set[str] = set()
    waiting: list[Comment] = []  # those of the next key or section
    following: list[Comment] = []  # those that sops puts before the next key
    members: list[tuple[str, str]] | None = None  # inside the block
    kind = ""
    leaves, new = document.leaves, object.__new__

    def section(name: str) -> Scope:
        if scope is not None:
            shape.append("}")
        shape.append("{" + name)
        seen.clear()
        return Scope(root, name, (name,), f"{name}:", tree.setdefault(name, {}))  # type: ignore[arg-type]

    def place(where: Scope) -> None:
        for comment in waiting:
            comment.scope = where
        following.extend(waiting)
        waiting.clear()

    for entry in entries:
        if not isinstance(entry, _Entry):
            kind, before = "key", kind
            line, stop = entry.span()
            name, value = entry.groups()
            start, end = entry.span(2)
            style = PLAIN
        else:
            kind, before = entry.kind, kind
            line, stop = entry.line, entry.stop
            name, value = entry.name, entry.value
            start, end = entry.start, entry.end
            style = entry.style
        if kind == "key":
            if members is not None:
                assert part.block is not None
                members.append((name, value.replace("\\n", "\n")))
                part.block = (part.block[0], stop)
                waiting.clear()
                continue
            if scope is None:
                scope = section(DEFAULT)
            if name in seen:
                raise _error(
                    text, line, "the section has the same key twice",
                    hint="sops would keep only the last value: remove or rename one of the two",
                )  # fmt: skip
            seen.add(name)
            if following:
                for comment in following:
                    comment.before = name
                following.clear()
            if waiting:
                place(scope)
            leaf = new(Leaf)  # as `Leaf(…)` does, in half the time
            leaf.scope = scope
            leaf.step = name
            leaf.start = start
            leaf.end = end
            leaf.style = style
            leaf.type = "str"
            leaf.data = value.encode("utf-8", "surrogateescape")
            leaf.note = _INLINE if before in ("inline", "dropped") else None
            leaf.sealed = None
            leaves.append(leaf)
            scope.node[name] = None
            shape.append("." + name)
        elif kind in ("comment", "inline", "dropped"):
            comment = Comment(scope or root, text[start:end], start, end, None)
            document.comments.append(comment)
            if kind != "dropped":
                waiting.append(comment)
        else:
            if name == _SOPS:
                if part.block is not None:
                    raise _error(text, line, "there are two sections [sops]")
                place(scope or root)
                following.clear()
                part.block = (line, stop)
                members = []
                continue
            if members is not None:
                _take_block(document, members)
                members = None
            following.clear()
            scope = section(name)
            place(scope)
    if members is not None:
        _take_block(document, members)
    place(scope or root)
    if scope is not None:
        shape.append("}")
    start, end = part.block or (0, 0)
    document.comments = [
        comment
        for comment in sorted(document.comments, key=lambda comment: comment.start)
        if comments and not start <= comment.start < end
    ]
    limit_paths(document)
    return document


def entries_of(document: Document) -> Iterator[_Entry]:
    """The entries of a scanned text, as it was read."""
    if document.parts[0].indent:
        return _indented(document.text)
    return _entries(document.text, exact=document.block is not None)


def _take_block(document: Document, members: list[tuple[str, str]]) -> None:
    assert document.parts[0].block is not None
    start, end = document.parts[0].block
    block_text = document.text[start:end].replace("\r\n", "\n")
    document.block_text = block_text if block_text.endswith("\n") else block_text + "\n"
    document.block = flat.unflatten(members)


def _entries(text: str, *, exact: bool) -> Iterator[_Entry]:
    """The entries of a text; ``exact`` as the library reads them."""
    for entry in _lines(text, exact=exact):
        if isinstance(entry, _Entry):
            yield entry
        else:
            yield _Entry("key", *entry.span(), *entry.span(2), entry[1], PLAIN, entry[2])


def _lines(text: str, *, exact: bool) -> Iterator[_Entry | re.Match[str]]:
    """The same, but a key's line is a match of `_SIMPLE` where that is all there is to it."""
    at = 1 if text.startswith("\ufeff") else 0
    run: _Entry | None = None  # comment lines that follow each other
    size = len(text)
    simple = _SIMPLE.match
    while at < size:
        line = at
        found = simple(text, at)
        if found is not None:
            if run is not None:
                yield run
                run = None
            at = found.end()
            yield found
            continue
        end = text.find("\n", at)
        end, at = (end, end + 1) if end >= 0 else (size, size)
        start = _skip(text, line, end)
        if start == end:
            if run is not None:
                yield run
                run = None
            continue
        sign = text[start]
        if sign in "#;":
            stop = _back(text, start, end)
            if run is None:
                run = _comment(text, line, start, stop, at)
            else:
                run.end, run.stop = stop, at
            continue
        if run is not None:
            yield run
            run = None
        if sign == "[":
            close = text.rfind("]", start, end)
            if close < 0:
                raise _error(text, start, "a section name has no closing bracket")
            name = text[start + 1 : close]
            if not name:
                raise _error(text, start, "a section has no name")
            tail = _COMMENT_SIGN.search(text, close + 1, end)
            if tail is not None:
                yield _comment(text, line, tail.start(), _back(text, tail.start(), end), at, "inline")
            yield _Entry("section", line, at, start + 1, close, name)
            continue
        name, offset = _key(text, start, end)
        entry, tail_at = _value(text, offset, end, exact)
        entry.line, entry.name = line, name
        at = entry.stop
        if tail_at >= 0:
            tail_end = text.find("\n", tail_at)
            tail_end = _back(text, tail_at, tail_end if tail_end >= 0 else size)
            # The library drops what is behind backquotes, or three quotes, that close in their first line.
            dropped = entry.style in ("`", '"""') and "\n" not in entry.value
            yield _comment(text, line, tail_at, tail_end, at, "dropped" if dropped else "inline")
        yield entry
    if run is not None:
        yield run


def _skip(text: str, at: int, end: int) -> int:
    """The first offset that holds no blank."""
    found = _BLANKS.match(text, at, end)
    assert found is not None
    return found.end()


def _back(text: str, at: int, end: int) -> int:
    """The offset behind the last character that is no blank."""
    while end > at and text[end - 1] in _SPACE:
        end -= 1
    return end


def _comment(text: str, line: int, sign: int, end: int, stop: int, kind: str = "comment") -> _Entry:
    """A comment, whose text starts behind its signs and blanks as far as sops strips them."""
    lead = _LEAD[text[sign]].match(text, sign, end)
    assert lead is not None
    start = lead.end() if lead.end() < end else sign + 1
    return _Entry(kind, line, stop, start, end, "")


def _key(text: str, start: int, end: int) -> tuple[str, int]:
    """A line's key and the offset behind its delimiter."""
    quote = ""
    if text[start] == '"':
        quote = '"""' if text.startswith('"""', start) and end - start + (end < len(text)) > 6 else '"'
    elif text[start] == "`":
        quote = "`"
    size = len(quote)
    close = start
    if quote:
        close = text.find(quote, start + size, end)
        if close < 0:
            raise _error(text, start, "a key has no closing quote")
    found = _DELIMITER.search(text, close + size, end)
    if found is None:
        line, column = position(text, start)
        raise _NoDelimiterError(
            "a line has neither = nor :", line=line, column=column,
            hint="write KEY = VALUE; a comment starts with # or ;",
        )  # fmt: skip
    name = text[start + size : close] if quote else text[start : found.start()]
    name = name.strip(_SPACE)
    if not name:
        raise _error(text, start, "a line has no key")
    if name == "-":
        raise _error(text, start, "a key is called -", hint="sops numbers such keys, and then loses them")
    return name, found.end()


def _value(text: str, at: int, end: int, exact: bool, most: int = 1 << 60) -> tuple[_Entry, int]:
    """The value behind a delimiter, and the offset of a comment behind it, or -1.

    ``end`` is where its first line's content ends; it need not be read on beyond ``most`` characters.
    """
    stop = end + 1 if end < len(text) else end
    start = _skip(text, at, end)
    if start == end:
        start = at + 1 if text[at : at + 1] == " " else at
        return _Entry("key", 0, stop, start, start, ""), -1
    quote = text[start] if text[start] == "`" else '"""' if text.startswith('"""', start) else ""
    if exact and quote == '"""' and end - start == 3 and end == len(text):
        quote = ""
    if quote:
        return _long(text, start, end, quote)
    last = _back(text, start, end)
    if text[last - 1] == "\\" and (exact or _goes_on(text, stop)):
        return _continued(text, start, last, stop, exact, most), -1
    line = text[start:last]
    cut = -1
    if exact:
        found = _COMMENT_SIGN.search(line)
        cut = found.start() if found else -1
    elif line[0] in "\"'":
        close = line.find(line[0], 1)
        tail = _TAIL.match(line, close + 1) if close > 0 else None
        if tail is not None:
            entry = _Entry("key", 0, stop, start, start + close + 1, "", line[0], line[1:close])
            return entry, start + tail.end() - 1 if tail.end() > close + 1 and tail[0][-1] in "#;" else -1
    if not exact:
        found = _COMMENT.search(line)
        cut = found.start() if found else -1
    value = line if cut < 0 else line[:cut].rstrip(_SPACE)
    style = PLAIN
    end = start + len(value)
    if len(value) > 1 and value[0] in "\"'" and value.find(value[0], 1) == len(value) - 1:
        style, value = value[0], value[1:-1]
    return _Entry("key", 0, stop, start, end, "", style, value), start + cut if cut >= 0 else -1


def _long(text: str, start: int, end: int, quote: str) -> tuple[_Entry, int]:
    """A value in quotes that may hold line breaks: up to the last ones in the line."""
    inner = start + len(quote)
    close = text.rfind(quote, inner, end)
    if close < 0:
        close = text.find(quote, end)
        if close < 0:
            raise _error(text, start, "a value has no closing quote")
        end = text.find("\n", close)
        end = end if end >= 0 else len(text)
        close = text.rfind(quote, close, end)
    tail = _COMMENT_SIGN.search(text, close + len(quote), end)
    stop = min(end + 1, len(text))
    entry = _Entry("key", 0, stop, start, close + len(quote), "", quote, text[inner:close])
    return entry, tail.start() if tail is not None else -1


def _goes_on(text: str, at: int) -> bool:
    """Whether a line can be meant as a continuation: not an ordinary one, nor blank."""
    end = text.find("\n", at)
    line = text[at : end if end >= 0 else len(text)]
    if not line.strip(_SPACE):
        return False
    if line[0] in " \t":
        return True
    return line[0] not in "[#;" and _DELIMITER.search(line) is None


def _continued(text: str, start: int, last: int, stop: int, exact: bool, most: int) -> _Entry:
    """A value over several lines, each but the last with a backslash at its end."""
    parts = [text[start : last - 1]]
    size = len(parts[0])
    while size <= most:
        end = text.find("\n", stop)
        end = end if end >= 0 else len(text)
        first, behind = _skip(text, stop, end), _back(text, stop, end)
        stop = min(end + 1, len(text))
        if first >= behind:
            break
        last = behind
        goes_on = text[behind - 1] == "\\" and (exact or _goes_on(text, stop))
        parts.append(text[first : behind - goes_on])
        size += len(parts[-1])
        if not goes_on:
            break
    return _Entry("key", 0, stop, start, last, "", CONTINUED, "".join(parts))


def _indented(text: str) -> Iterator[_Entry]:
    """The entries of a text that Python's configparser reads, with its default settings."""
    at = 1 if text.startswith("\ufeff") else 0
    entry: _Entry | None = None
    values: list[str] = []
    held: list[_Entry] = []  # comments, which are inside the value if that goes on after them
    level = 0
    while at < len(text):
        line = at
        end = text.find("\n", at)
        end, at = (end, end + 1) if end >= 0 else (len(text), len(text))
        start = _skip(text, line, end)
        last = _back(text, start, end)
        if start == end:
            values.append("")
            continue
        if text[start] in "#;":
            held.append(_comment(text, line, start, last, at))
            continue
        if entry is not None and start - line > level:
            values.append(text[start:last])
            entry.end, entry.stop = last, at
            held.clear()
            continue
        if entry is not None:
            yield _joined(entry, values)
            entry = None
        yield from held
        held.clear()
        level = start - line
        close = text.rfind("]", start + 2, last) if text[start] == "[" else -1
        if close > 0:
            tail = _COMMENT_SIGN.search(text, close, end)
            if tail is not None:
                yield _comment(text, line, tail.start(), last, at, "inline")
            yield _Entry("section", line, at, start + 1, close, text[start + 1 : close])
            continue
        name, offset = _key(text, start, end)
        first = _skip(text, offset, end)
        entry = _Entry("key", line, at, first if first < end else offset, max(last, offset), name, INDENTED)
        values = [text[first:last]]
    if entry is not None:
        yield _joined(entry, values)
    yield from held


def _joined(entry: _Entry, values: list[str]) -> _Entry:
    entry.value = "\n".join(values).rstrip()
    if len(values) == 1 or not any(values[1:]):
        entry.style = PLAIN
    return entry


def _error(text: str, offset: int, message: str, *, hint: str | None = None) -> ParseError:
    line, column = position(text, offset)
    return ParseError(message, line=line, column=column, hint=hint)


def load_plain(text: str) -> list[dict[str, object]]:
    """The values of a plain text: strings by section and key."""
    document = scan(text)
    for leaf in document.leaves:
        assert leaf.data is not None
        leaf.scope.node[leaf.step] = leaf.data.decode()
    return document.trees


def settle(document: Document) -> None:
    """Make every value a string."""
    flat.settle(document)


def comment_text(plain: str) -> str | None:
    """Every line of it becomes a comment; nothing but a line feed ends a line."""
    return re.sub(r"\n(?!\s*[#;])", "\n# ", plain)


def token(leaf: Leaf) -> tuple[str, bytes | None]:
    """There are no types: what counts is what the text says."""
    return "str", flat.spelled(leaf, "ini")


def unclosed(document: Document, leaf: Leaf) -> bytes | None:
    """Quotes are part of a value."""
    return None


def tells_integers(document: Document) -> bool:
    """A value has its type in the ciphertext, whoever wrote it."""
    return True


def fragile(leaf: Leaf) -> bool:
    """Releases of sops agree on what a line says."""
    return False


def caveat(leaf: Leaf) -> str | None:
    """Why sops or configparser make something else of a value, if they do."""
    value = (leaf.data or b"").decode("utf-8", "replace")
    if leaf.style == PLAIN and leaf.note is None and _SIMPLE_VALUE.fullmatch(value):
        return None
    if _read(_as_sops(value), exact=True) != value:
        return _UNPRINTABLE
    if leaf.style in _QUOTES:
        return _QUOTED
    return _INLINE if leaf.note is _INLINE else None


# --- spelling ------------------------------------------------------------------------------------


def prepare(document: Document, chosen: bytearray, *, comments: bool = False) -> Prepared | None:
    """Respell what the library would read as another value, and take out what makes sops crash."""
    text = document.text
    if document.parts[0].block is not None:
        return None
    indented = document.parts[0].indent > 0
    edits: list[Edit] = []
    if indented or not _has_plain_comments(document):
        edits = _other_comments(text, _indented(text) if indented else _entries(text, exact=False))
    starts: set[int] = set()
    for leaf, is_chosen in zip(document.leaves, chosen, strict=True):
        if is_chosen and leaf.data and not indented:
            continue
        assert leaf.data is not None
        value = leaf.data.decode()
        fits = (is_chosen and value != "") or _stands(text, leaf, value, exact=True)
        if indented and fits:
            fits = leaf.style == PLAIN and _stands(text, leaf, value, exact=False)
        if not fits:
            edits.append((leaf.start, leaf.end, spell(value, _rest(text, leaf))))
            starts.add(leaf.start)
    if not edits:
        return None
    edits.sort()
    originals: dict[int, str] = {}
    shift = 0
    for start, end, new in edits:
        if start in starts:
            originals[start + shift] = text[start:end]
        shift += len(new) - (end - start)
    return Prepared(splice(text, edits), originals)


def _stands(text: str, leaf: Leaf, value: str, *, exact: bool) -> bool:
    """Whether a value is read where it stands, and nothing beyond it."""
    end = text.find("\n", leaf.start)
    try:
        found, _ = _value(text, leaf.start, end if end >= 0 else len(text), exact, len(value))
    except ParseError:
        return False
    return found.value == value and (found.end == leaf.end or not value)


def _has_plain_comments(document: Document) -> bool:
    """Whether each comment starts with a word, is at the margin, and a section or key follows at once.

    Most are so, and `_other_comments` leaves them as they are.
    """
    text = document.text
    if not document.comments and ("#" in text or ";" in text):
        return False  # perhaps it was scanned without them
    for comment in document.comments:
        start = text.rfind("\n", 0, comment.start) + 1
        following = comment.end + 1
        plain = (
            text[start : start + 1] in ("#", ";")
            and comment.text[:1].isalnum()
            and _OFF_MARGIN.search(comment.text) is None
            and text[comment.end : following] == "\n"
            and (text[following : following + 1].isalnum() or text[following : following + 1] == "[")
        )
        if not plain:
            return False
    return True


def _other_comments(text: str, entries: Iterator[_Entry]) -> list[Edit]:
    """The edits that make comments ones that sops can read and write.

    A comment's first lines are removed as long as they hold no word: sops would strip the first line down
    to nothing, and crash when it writes the comment.  All comments of a section or key become lines that
    follow each other, at the margin: the library takes them for one, and sops decrypts its first ``ENC[…]``.
    A comment behind a section's name goes before it in any case: the library takes all up to the last
    bracket, which an ``ENC[…]`` text has, for the name.
    """
    edits: list[Edit] = []
    group: list[_Entry] = []  # the library's comment: all up to a section or key
    for entry in [*entries, None]:
        if entry is not None and entry.kind in ("comment", "inline", "dropped"):
            group.append(entry)
            continue
        if group:
            removed = _without_empty_lines(text, group)
            edits += removed
            if entry is not None:
                edits += _in_one(text, [part for part in group if part.kind != "dropped"], entry, removed)
        group.clear()
    return edits


def _without_empty_lines(text: str, group: list[_Entry]) -> list[Edit]:
    """Take out the first lines of a comment that hold no word; the last one stays."""
    edits: list[Edit] = []
    lines = [
        (line.start() + part.line, line.end() + part.line)
        for part in group
        for line in _LINE.finditer(text[part.line : part.stop] if part.kind == "comment" else "#")
        if line[0].strip(_SPACE)
    ]
    for start, end in lines[:-1]:
        words = text[start:end].strip(_SPACE)
        if words.strip(words[0] + _SPACE):
            break
        edits.append((start, end, ""))
    return edits


def _in_one(text: str, parts: list[_Entry], entry: _Entry, removed: list[Edit]) -> list[Edit]:
    """Make lines that follow each other of all comments of a section or key, to be encrypted as one."""
    edits: list[Edit] = []
    places = [(part.line, part.stop) for part in parts if part.kind == "comment"]
    # The library drops what is behind three quotes or backquotes that close in their first line.
    alone = entry.kind == "section" or entry.style in ("`", '"""')
    if parts and parts[-1].kind == "inline" and (places or alone):
        tail = _COMMENT_SIGN.search(text, entry.end)
        assert tail is not None
        sign, end = tail.start(), parts[-1].end
        edits += [(entry.line, entry.line, text[sign:end] + _newline(text)), (sign, end, "")]
        places.append((entry.line, entry.line))
    edits += [(one[1], other[0], "") for one, other in pairwise(places) if one[1] < other[0]]
    lines = [found for start, stop in places for found in _LINE.finditer(text, start, stop)]
    for line in lines[1:]:
        start = _skip(text, line.start(), line.end())
        if start > line.start() and (*line.span(), "") not in removed:
            edits.append((line.start(), start, ""))
    return edits


def region(document: Document, leaf: Leaf) -> tuple[int, int]:
    """The span of all that spells a leaf, its quotes included."""
    return leaf.start, leaf.end


def sealed(document: Document, leaf: Leaf, enc: str, *, was_plain: bool = False) -> Edit:
    """Put an ``ENC[…]`` text in a leaf's place: quotes stay quotes, and sops writes none."""
    quote = leaf.style if leaf.style in _QUOTES and not was_plain else ""
    if quote in ("`", '"""') and quote in _rest(document.text, leaf):
        quote = ""  # the library looks for the last one in the line
    return leaf.start, leaf.end, f"{quote}{enc}{quote}"


def _rest(text: str, leaf: Leaf) -> str:
    """What follows a value in its last line."""
    end = text.find("\n", leaf.end)
    return text[leaf.end : end if end >= 0 else len(text)]


def literal(document: Document, leaf: Leaf, type: str, data: bytes) -> Edit:
    """Put a plaintext where an ``ENC[…]`` text stands, in its quotes if it fits there.

    Raises EmitError for what no quotes can hold.
    """
    value = data.decode("utf-8", "surrogateescape") if type == "str" else flat.word(type, data)
    spelled = value if not leaf.style and _SIMPLE_VALUE.fullmatch(value) else spelled_as(leaf.style, value)
    if leaf.start == leaf.end and document.text[leaf.end : leaf.end + 1] not in ("", "\r", "\n"):
        spelled += " "  # a comment follows
    return leaf.start, leaf.end, spelled


def spelled_as(quote: str, value: str) -> str:
    """A value in some quotes if it fits there, else in the first that hold it; raises EmitError."""
    spelled = f"{quote}{value}{quote}"
    return spelled if quote in _QUOTES and _reads(spelled, value) else spell(value)


def spell(value: str, rest: str = "", *, exact_only: bool = False) -> str:
    """A value in the first quotes, or none, in which it is read as it is before the rest of a line."""
    if not rest and _SIMPLE_VALUE.fullmatch(value):
        return value
    for quote in ("", '"', "`", '"""', "'"):
        spelled = f"{quote}{value}{quote}"
        if _read(spelled, rest, exact=True) == value and (
            exact_only or _read(spelled, rest, exact=False) == value
        ):
            return spelled
    raise EmitError(
        "a value has line breaks, blanks or comment signs, and quotes of every kind, which INI cannot hold",
        hint="a YAML or JSON file can hold it",
    )


def _reads(spelled: str, value: str) -> bool:
    return _read(spelled, exact=True) == value == _read(spelled, exact=False)


def _read(spelled: str, rest: str = "", *, exact: bool) -> str | None:
    """What a value's spelling is read as before the rest of a line; None if it is not read up to there."""
    if not spelled:
        return ""
    text = f"{spelled}{rest}\n"
    try:
        found, _ = _value(text, 0, text.index("\n"), exact)
    except ParseError:
        return None
    return found.value if found.end == len(spelled) else None


def _as_sops(value: str) -> str:
    """A value as sops (the library's File.writeToBuffer) spells it."""
    if "\n" in value or "`" in value:
        return f'"""{value}"""'
    if "#" in value or ";" in value:
        return f"`{value}`"
    return f'"{value}"' if value.strip(_SPACE) != value else value


def comment(document: Document, leaf: Leaf, *, alone: bool) -> Edit:
    """There are no lists, nor comments in them."""
    return leaf.start, leaf.end, ""


# --- the sops block ------------------------------------------------------------------------------

# A block's text is its section: the header and one line for each member.


def render_block(block: Mapping[str, object]) -> str:
    """Spell the block as a section ``[sops]``; line breaks in values are ``\\n``.  Raises EmitError."""
    members = flat.flatten(block)
    text = f"[{_SOPS}]\n" + "".join(_line(name, value) for name, value in members)
    found = [
        (entry.name, entry.value.replace("\\n", "\n"))
        for entry in _entries(text, exact=True)
        if entry.kind == "key"
    ]
    if found != members:
        raise EmitError(
            "the sops block has a name or value that INI cannot hold", hint="a YAML or JSON file can hold it"
        )
    return text


def _line(name: str, value: str) -> str:
    key = f"`{name}`" if _DELIMITER.search(name) or '"' in name else f'"""{name}"""' if "`" in name else name
    spelled = spell(value.replace("\n", "\\n"), exact_only=True)
    return f"{key} = {spelled}\n"


def amend(block_text: str, changes: Mapping[str, str | None]) -> str:
    """Set, replace or remove members that are strings; every other byte stays.

    A new member stands before the first one whose name is greater.
    """
    for name, new in changes.items():
        keys = [entry for entry in _entries(block_text, exact=True) if entry.kind == "key"]
        entry = next((entry for entry in keys if entry.name == name), None)
        if entry is not None and new is not None:
            spelled = spell(new.replace("\n", "\\n"), exact_only=True)
            block_text = block_text[: entry.start] + spelled + block_text[entry.end :]
        elif entry is not None:
            block_text = block_text[: entry.line] + block_text[entry.stop :]
        elif new is not None:
            at = next((entry.line for entry in keys if entry.name > name), len(block_text))
            block_text = block_text[:at] + _line(name, new) + block_text[at:]
    return block_text


def attach(document: Document, block_text: str) -> list[Edit]:
    """The edits that add the block as the last section, after an empty line, or replace the one there is."""
    text = document.text
    newline = _newline(text)
    block = block_text.replace("\n", newline)
    part = document.parts[0]
    if part.block is not None:
        return [(*part.block, block)]
    if text:
        block = newline + block
        if not text.endswith("\n"):
            block = newline + block
    return [(len(text), len(text), block)]


def _newline(text: str) -> str:
    """The line break that a text uses first."""
    first = text.find("\n")
    return "\r\n" if first > 0 and text[first - 1] == "\r" else "\n"


def detach(document: Document) -> list[Edit]:
    """The edit that removes the block, and the empty line before it."""
    block = document.parts[0].block
    if block is None:
        return []
    start, end = block
    blank = _EMPTY_LINE.search(document.text, max(0, start - 3), start)
    return [(blank.start() if blank else start, end, "")]
