"""The lines of an INI text as entries: as gopkg.in/ini.v1 reads them, or as Python's configparser does."""

from __future__ import annotations

import re
from collections.abc import Iterator

from encconf.errors import ParseError
from encconf.text.document import error_at, position

PLAIN, CONTINUED, INDENTED = "", "\\", " "
"""Styles of values without quotes.  The style of a quoted value is its quotes."""
SOPS = "sops"
# The characters of Go's unicode.IsSpace.  Python's str.isspace has four control characters more.
SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
)
_BLANKS = re.compile(f"[{SPACE}]*+")
_TAIL = re.compile(r"[ \t]*(?:\Z|[#;])")
# A value that all readers read the same way: it has no quotes, comment signs or backslashes.  `_SIMPLE` is
# a whole line with one.
_WORDS = r"[!$-&(-:<-\[\]^_a-~]++(?>(?:[ \t]++[!$-&(-:<-\[\]^_a-~]++)*)"
SIMPLE_VALUE = re.compile(_WORDS)
_SIMPLE = re.compile(rf"([A-Za-z0-9_.][A-Za-z0-9_.-]*+)[ \t]*+[=:][ \t]*+({_WORDS})[ \t]*+(?:\r?\n|\Z)")
_LEAD = {"#": re.compile("[# ]*"), ";": re.compile("[; ]*")}
DELIMITER = re.compile("[=:]")
# Three quotes at the end of a short line are an empty key and a quote, as in go-ini.
_QUOTED_KEY = r'(?s)(?>("""(?=...)|"|`))(.*?)\1'
COMMENT_SIGN = re.compile("[#;]")
# A comment sign after an unquoted value.  If the value is empty, a blank must follow the sign.
_COMMENT = re.compile(r"(?<=[ \t])[#;]|\A[#;](?=[ \t]|\Z)")
LINE = re.compile(r"[^\n]*\n|[^\n]+\Z")
EMPTY_LINE = re.compile(r"(?<=\n)\r?\n\Z")
QUOTES = ('"', "'", "`", '"""')


class NoDelimiterError(ParseError):
    """A line has neither ``=`` nor ``:``."""


class Entry:
    """A section header, a key with its value, or one or several comment lines.

    ``text[line:stop]`` are its lines.  ``text[start:end]`` is a section's name, a value with its quotes, or a
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
        # "section", "key" or "comment"; for a comment after another entry "inline", or "dropped" if the
        # library loses it
        self.kind = kind
        self.line = line
        self.stop = stop
        self.start = start
        self.end = end
        self.name = name
        self.style = style
        self.value = value


def read_entries(text: str, *, exact: bool) -> Iterator[Entry]:
    """Yield the entries of a text.  With ``exact``, they are those that the library reads."""
    for entry in read_lines(text, exact=exact):
        if isinstance(entry, Entry):
            yield entry
        else:
            yield Entry("key", *entry.span(), *entry.span(2), entry[1], PLAIN, entry[2])


def read_lines(text: str, *, exact: bool) -> Iterator[Entry | re.Match[str]]:
    """Yield what `read_entries` yields, but for a simple line its match of `_SIMPLE`, which is faster."""
    at = 1 if text.startswith("\ufeff") else 0
    run: Entry | None = None  # consecutive comment lines
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
        end, at = line_end(text, at)
        start = skip_blanks(text, line, end)
        if start == end:
            if run is not None:
                yield run
                run = None
            continue
        sign = text[start]
        if sign in "#;":
            stop = _back(text, start, end)
            run = run or _comment(text, line, start, stop, at)
            run.end, run.stop = stop, at
            continue
        if run is not None:
            yield run
            run = None
        if sign == "[":
            close = text.rfind("]", start, end)
            if close < 0:
                raise error_at(text, start, "a section name has no closing bracket")
            yield from _section(text, line, at, start, close, end)
            continue
        name, offset = _key(text, start, end)
        entry, tail_at = value_at(text, offset, end, exact)
        entry.line, entry.name = line, name
        at = entry.stop
        if tail_at >= 0:
            yield _comment_after(text, entry, tail_at)
        yield entry
    if run is not None:
        yield run


def line_end(text: str, at: int) -> tuple[int, int]:
    """Return where a line's content ends, and where the next line starts."""
    end = text.find("\n", at)
    return (end, end + 1) if end >= 0 else (len(text), len(text))


def skip_blanks(text: str, at: int, end: int) -> int:
    """Return the offset of the first character that is not a blank, or ``end``."""
    found = _BLANKS.match(text, at, end)
    assert found is not None
    return found.end()


def _back(text: str, at: int, end: int) -> int:
    """Return the offset after the last character that is not a blank, or ``at``."""
    return at + len(text[at:end].rstrip(SPACE))


def _comment(text: str, line: int, sign: int, end: int, stop: int, kind: str = "comment") -> Entry:
    """Return a comment.  Its text starts after the signs and blanks that sops strips."""
    lead = _LEAD[text[sign]].match(text, sign, end)
    assert lead is not None
    start = lead.end() if lead.end() < end else sign + 1
    return Entry(kind, line, stop, start, end, "")


def _comment_after(text: str, entry: Entry, at: int) -> Entry:
    """Return the comment after a value."""
    end = _back(text, at, line_end(text, at)[0])
    # The library drops a comment after backquotes or three quotes that close in their first line.
    dropped = entry.style in ("`", '"""') and "\n" not in entry.value
    return _comment(text, entry.line, at, end, entry.stop, "dropped" if dropped else "inline")


def _section(text: str, line: int, stop: int, start: int, close: int, end: int) -> Iterator[Entry]:
    """Yield the comment after a section's header, if it has one, and then the header."""
    name = text[start + 1 : close]
    if not name:
        raise error_at(text, start, "a section has no name")
    tail = COMMENT_SIGN.search(text, close + 1, end)
    if tail is not None:
        yield _comment(text, line, tail.start(), _back(text, tail.start(), end), stop, "inline")
    yield Entry("section", line, stop, start + 1, close, name)


def _key(text: str, start: int, end: int) -> tuple[str, int]:
    """Return a line's key and the offset after its delimiter."""
    at, name = start, None
    if text[start] in '"`':
        quoted = re.compile(_QUOTED_KEY).match(text, start, end)
        if quoted is None:
            raise error_at(text, start, "a key has no closing quote")
        at, name = quoted.end(), quoted[2]
    found = DELIMITER.search(text, at, end)
    if found is None:
        line, column = position(text, start)
        raise NoDelimiterError(
            "a line has neither = nor :", line=line, column=column,
            hint="write KEY = VALUE; a comment starts with # or ;",
        )  # fmt: skip
    name = (text[start : found.start()] if name is None else name).strip(SPACE)
    if not name:
        raise error_at(text, start, "a line has no key")
    if name == "-":
        raise error_at(text, start, "a key is called -", hint="sops numbers such keys, and then loses them")
    return name, found.end()


def value_at(text: str, at: int, end: int, exact: bool, most: int = 1 << 60) -> tuple[Entry, int]:
    """Return the value after a delimiter, and the offset of the comment after it, or -1.

    ``end`` is where the content of its first line ends.  A value that continues in further lines is read
    only until it has more than ``most`` characters.
    """
    stop = end + 1 if end < len(text) else end
    start = skip_blanks(text, at, end)
    if start == end:
        start = at + 1 if text[at : at + 1] == " " else at
        return Entry("key", 0, stop, start, start, ""), -1
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
        found = COMMENT_SIGN.search(line)
        cut = found.start() if found else -1
    elif line[0] in "\"'":
        close = line.find(line[0], 1)
        tail = _TAIL.match(line, close + 1) if close > 0 else None
        if tail is not None:
            entry = Entry("key", 0, stop, start, start + close + 1, "", line[0], line[1:close])
            return entry, start + tail.end() - 1 if tail.end() > close + 1 and tail[0][-1] in "#;" else -1
    if not exact:
        found = _COMMENT.search(line)
        cut = found.start() if found else -1
    value = line if cut < 0 else line[:cut].rstrip(SPACE)
    style = PLAIN
    end = start + len(value)
    if len(value) > 1 and value[0] in "\"'" and value.find(value[0], 1) == len(value) - 1:
        style, value = value[0], value[1:-1]
    return Entry("key", 0, stop, start, end, "", style, value), start + cut if cut >= 0 else -1


def _long(text: str, start: int, end: int, quote: str) -> tuple[Entry, int]:
    """Return a value in quotes that may contain line breaks.  The last such quotes in a line end it."""
    inner = start + len(quote)
    close = text.rfind(quote, inner, end)
    if close < 0:
        close = text.find(quote, end)
        if close < 0:
            raise error_at(text, start, "a value has no closing quote")
        end, _ = line_end(text, close)
        close = text.rfind(quote, close, end)
    tail = COMMENT_SIGN.search(text, close + len(quote), end)
    stop = min(end + 1, len(text))
    entry = Entry("key", 0, stop, start, close + len(quote), "", quote, text[inner:close])
    return entry, tail.start() if tail is not None else -1


def _goes_on(text: str, at: int) -> bool:
    """Whether the line at an offset may continue a value: it is not blank, a section, a key or a comment."""
    line = text[at : line_end(text, at)[0]]
    if not line.strip(SPACE):
        return False
    if line[0] in " \t":
        return True
    return line[0] not in "[#;" and DELIMITER.search(line) is None


def _continued(text: str, start: int, last: int, stop: int, exact: bool, most: int) -> Entry:
    """Return a value of several lines, all of which except the last end with a backslash."""
    parts = [text[start : last - 1]]
    size = len(parts[0])
    while size <= most:
        end, following = line_end(text, stop)
        first, text_end = skip_blanks(text, stop, end), _back(text, stop, end)
        stop = following
        if first >= text_end:
            break
        last = text_end
        goes_on = text[text_end - 1] == "\\" and (exact or _goes_on(text, stop))
        parts.append(text[first : text_end - goes_on])
        size += len(parts[-1])
        if not goes_on:
            break
    return Entry("key", 0, stop, start, last, "", CONTINUED, "".join(parts))


def read_indented(text: str) -> Iterator[Entry]:
    """Yield the entries of a text that Python's configparser reads with its default settings."""
    at = 1 if text.startswith("\ufeff") else 0
    entry: Entry | None = None
    values: list[str] = []
    held: list[Entry] = []  # comments, which are part of the value if it continues after them
    level = 0
    while at < len(text):
        line = at
        end, at = line_end(text, at)
        start = skip_blanks(text, line, end)
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
            yield from _section(text, line, at, start, close, end)
            continue
        name, offset = _key(text, start, end)
        first = skip_blanks(text, offset, end)
        entry = Entry("key", line, at, first if first < end else offset, max(last, offset), name, INDENTED)
        values = [text[first:last]]
    if entry is not None:
        yield _joined(entry, values)
    yield from held


def _joined(entry: Entry, values: list[str]) -> Entry:
    entry.value = "\n".join(values).rstrip()
    if len(values) == 1 or not any(values[1:]):
        entry.style = PLAIN
    return entry
