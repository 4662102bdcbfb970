"""INI texts, read as sops 3.13.3 reads them (stores/ini/store.go, gopkg.in/ini.v1), but no value is cut.

Sections hold strings.  Keys before the first section belong to ``DEFAULT``, as in sops.  These are the
rules of ini.v1: ``=`` or ``:`` ends a key.  A value may be in double quotes, single quotes, backquotes or
three double quotes; the last two may span several lines.  ``#`` and ``;`` start a comment, also after a
value.  A backslash at the end of a line continues its value in the next line.  Keys may be in quotes, and
names keep their case.

These rules would cut some values that are clearly meant whole: ``a#b``, ``#fff``, ``"a;b"``, and the last
backslash of ``C:\\dir\\`` before an ordinary line.  encconf encrypts them whole, and sops prints them so
that it can read them back.  If such a value stays unencrypted, encconf puts it into quotes for sops.

If the library cannot read a text because of an indented line, the rules of Python's configparser apply
instead: values continue in lines with more indentation, and quotes and anything that looks like a comment
after a value are part of the value.  For sops, these values are written on one line or in three quotes.

Decrypting returns exactly the bytes that were encrypted, so a program can apply its own rules:
``configparser.ConfigParser().read_string(encconf.decrypt(text, format="ini"))``.  `load_config` returns a
dict of sections, without interpolation, and without the values of ``DEFAULT`` in other sections.
`caveat` says which values sops and configparser read differently.

sops treats all comments before a section or key, and the one after its value, as one comment.  So encconf
encrypts them as one comment.  The layout record has the blank lines between them, whether one of them was
after a value, and first lines without words, on which sops crashes.

encconf refuses a key that appears twice in a section (sops keeps only the last value; a section may appear
twice), a key ``-`` (the library numbers it, and then loses it), and a key without a value.

The text of a block is the section ``[sops]``: its header and one line for each member.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise

from encconf.errors import EmitError, ParseError
from encconf.formats import flat, has_quoted_mac
from encconf.formats.flat import text_value
from encconf.text.document import (
    Comment,
    Document,
    Edit,
    Format,
    Leaf,
    Prepared,
    Scope,
    Value,
    error_at,
    limit_lines,
    limit_paths,
    newline_of,
    position,
    too_many,
    whole_document,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


class Ini(Format):
    """See the module's docstring."""

    name = "ini"
    repeats = True
    flat = True
    example = """\
[database]
host = db.example.com
password = change me
"""
    entry = rb"[ \t]*\[sops\]"
    only_entry = rb"(?m)^\[sops\]"
    foreign = rb"(?m)^(?![\s#;\[]|[^\n]+[=:]|\Z)"

    def has_entry(self, data: bytes) -> bool:
        # The section looks the same in TOML, where strings have quotes.
        return super().has_entry(data) and not has_quoted_mac(data)

    def scan(self, text: str, *, comments: bool = False) -> Document:
        """Parse sections into leaves with spans.

        A text with a ``[sops]`` section is read exactly as sops reads it, and any other text as the module's
        docstring describes.  Raises ParseError, and MetadataError for a block whose names contradict each
        other.
        """
        limit_lines(text, signs="#;")
        if _has_block(text):
            return _document(self, text, read_lines(text, exact=True), comments)
        flat.check(text)
        try:
            return _document(self, text, read_lines(text, exact=False), comments)
        except NoDelimiterError as error:
            try:
                document = _document(self, text, read_indented(text), comments)
            except NoDelimiterError:
                raise error from None
            document.parts[0].indent = 1
            return document

    def comment_text(self, plain: str) -> str | None:
        """Return a decrypted comment with a sign before each further line.  Only a line feed ends a line."""
        return re.sub(r"\n(?!\s*[#;])", "\n# ", plain)

    def token(self, value: Value) -> tuple[str, bytes | None]:
        """Return type and bytes.  The format has no types, so the type is always str."""
        return "str", flat.spelled(value)

    def caveat(self, leaf: Leaf) -> str | None:
        """Return why sops or configparser reads a value differently, or None."""
        value = (leaf.data or b"").decode("utf-8", "replace")
        if leaf.style == PLAIN and leaf.note is None and SIMPLE_VALUE.fullmatch(value):
            return None
        if read_back(as_sops(value), exact=True) != value:
            return _UNPRINTABLE
        if leaf.style in QUOTES:
            return _QUOTED
        return _INLINE if leaf.note is _INLINE else None

    def prepare(self, document: Document, chosen: bytearray, *, comments: bool = False) -> Prepared | None:
        """Respell values that the library would read differently, and comments that sops cannot store."""
        text = document.text
        indented = document.parts[0].indent > 0
        edits: list[Edit] = []
        others: list[Edit] = []
        if _has_other_comments(text):
            others = _other_comments(
                text, read_indented(text) if indented else read_entries(text, exact=False)
            )
        moved = {start for start, _, new in others if not new}
        backslash = "\\" in text
        for leaf, is_chosen in zip(document.leaves, chosen, strict=True):
            assert leaf.data is not None
            slash = leaf.data.endswith(b"\\")
            # A backslash at the end of a comment continues the line, too, unless it follows such quotes as
            # `spell` finds.
            goes_on = backslash and rest_of_line(text, leaf).rstrip(SPACE).endswith("\\")
            if is_chosen and leaf.data and not (indented or slash or goes_on):
                continue
            value = leaf.data.decode()
            fits = (is_chosen and value != "" and not goes_on) or _stands(text, leaf, value, exact=True)
            rest = rest_of_line(text, leaf)
            if slash and skip_blanks(text, leaf.end, leaf.end + len(rest)) in moved:
                rest, fits = "", False  # when the comment is moved, the value would continue in the next line
            if indented and fits:
                fits = leaf.style == PLAIN and _stands(text, leaf, value, exact=False)
            if not fits:
                edits.append((leaf.start, leaf.end, spell(value, rest)))
        return Prepared.edited(text, edits, others) if edits or others else None

    python_value = staticmethod(text_value)

    def sealed(self, document: Document, leaf: Leaf, enc: str, *, was_plain: bool = False) -> Edit:
        """Return the edit that replaces a leaf with an ``ENC[…]`` text in the same quotes; sops uses none."""
        quote = leaf.style if leaf.style in QUOTES and not was_plain else ""
        if quote in ("`", '"""') and quote in rest_of_line(document.text, leaf):
            quote = ""  # the library would end the value at the last quotes in the line
        return leaf.start, leaf.end, f"{quote}{enc}{quote}"

    def literal(self, document: Document, leaf: Leaf, type: str, data: bytes) -> Edit:
        """Return the edit that replaces an ``ENC[…]`` text with its plaintext.

        The plaintext has the same quotes if they can hold it.  Raises EmitError if no quotes can hold it.
        """
        value = data.decode("utf-8", "surrogateescape") if type == "str" else flat.word(type, data)
        if not leaf.style and leaf.start < leaf.end and SIMPLE_VALUE.fullmatch(value):
            return leaf.start, leaf.end, value
        rest = rest_of_line(document.text, leaf)
        return leaf.start, leaf.end, spelled_as(leaf.style, value, rest, after_blank=leaf.start < leaf.end)

    def respelled(self, document: Document, leaf: Leaf) -> Edit | None:
        """See `Format.respelled`: ``a#b`` is ``a`` to the library, and ``a#b`` in a text without a block.

        sops writes a backslash at the end of a value without quotes, and then reads the next line as part of
        the value.
        """
        value = (leaf.data or b"").decode("utf-8", "surrogateescape")
        if leaf.style == PLAIN and leaf.note is None and SIMPLE_VALUE.fullmatch(value):
            return None
        if _stands(document.text, leaf, value, exact=False):
            return None
        return leaf.start, leaf.end, spell(value, rest_of_line(document.text, leaf))

    def render_block(self, block: Mapping[str, object]) -> str:
        """Return the block as a section ``[sops]``, with ``\\n`` for line breaks in values.

        Raises EmitError.
        """
        members = flat.flatten(block)
        lines = [(name, value.replace("\n", "\\n")) for name, value in members]
        text = f"[{SOPS}]\n" + "".join(
            f"{spell_key(name)} = {spell(value, exact_only=True)}\n" for name, value in lines
        )
        try:
            found = [
                (entry.name, entry.value.replace("\\n", "\n"))
                for entry in read_entries(text, exact=True)
                if entry.kind == "key"
            ]
        except ParseError:
            found = []
        if found != members:
            raise EmitError(
                "the sops block has a name or value that INI cannot hold",
                hint="a YAML or JSON file can hold it",
            )
        return text

    def attach(self, document: Document, block_text: str) -> list[Edit]:
        """Return the edits that replace the old block, or add it as the last section after an empty line."""
        text = document.text
        newline = newline_of(text)
        block = block_text.replace("\n", newline)
        part = document.parts[0]
        if part.block is not None:
            return [(*part.block, block)]
        if text:
            block = newline + block
            if not text.endswith("\n"):
                block = newline + block
        return [(len(text), len(text), block)]

    def detach(self, document: Document) -> list[Edit]:
        """Return the edit that removes the block and the empty line before it."""
        block = document.parts[0].block
        if block is None:
            return []
        start, end = block
        blank = EMPTY_LINE.search(document.text, max(0, start - 3), start)
        return [(blank.start() if blank else start, end, "")]

    holds_documents = True  # each one's sections

    def render(self, trees: Sequence[Any], indent: int | None) -> str:
        sections = [section for tree in trees for section in tree.items()]
        return "\n".join(_section_as_sops(name, members) for name, members in sections)

    def render_value(self, node: Any, indent: int | None) -> str:
        from encconf.formats.json import as_go

        return as_go(node, None)


DEFAULT = "DEFAULT"
"""The section of the keys before the first header."""

_PLAIN_COMMENT = r"""\n(?:#[# ]*|;[; ]*)\w[^\n"`]*(?=\n[#;\w\[])"""
# A comment sign at the start of a line, after a blank or a delimiter, or anywhere after quotes or a bracket.
_OTHER_COMMENTS = (r"[#;](?<=[\s=:\ufeff].)", r"""["'`\]][^\n"'`\]#;]*+[#;]""")
_INLINE = "Python's configparser takes the text after the comment sign as part of the value"
_QUOTED = "Python's configparser takes the quotes as part of the value"
_UNPRINTABLE = "sops -d prints the value so that it reads differently"


def _has_block(text: str) -> bool:
    """Whether a line begins with ``[sops]``."""
    return re.search(r"\n[ \t]*\[sops\]", f"\n{text}") is not None  # much faster than with (?m)^


class _Reader:
    """The state of the reader: the current section or block, and the comments without a place so far."""

    __slots__ = ("document", "following", "members", "root", "scope", "sections", "seen", "waiting")

    def __init__(self, document: Document, root: Scope) -> None:
        self.document = document
        self.root = root
        self.scope: Scope | None = None
        self.sections: dict[str, Scope] = {}  # the first section of each name
        self.seen: set[str] = set()  # the section's keys so far
        self.waiting: list[Comment] = []  # comments that the next key or section gets
        self.following: list[Comment] = []  # comments of this section that sops puts before the next key
        self.members: list[tuple[str, str]] | None = None  # the block's members so far, or None outside it

    def open(self, name: str, head: int = -1) -> Scope:
        """Start a section, whose header is at ``head`` if it has one."""
        self.seen.clear()
        self.scope = self.root.inside(name, again=self.sections.get(name))
        self.scope.head = head
        self.sections.setdefault(name, self.scope)
        self.document.items.append(self.scope)
        return self.scope

    def place(self) -> None:
        """Place the waiting comments in the current section."""
        for each in self.waiting:
            each.scope = self.scope or self.root
        self.following.extend(self.waiting)
        self.waiting.clear()

    def comment(self, entry: Entry) -> None:
        """Add a comment."""
        text = self.document.text[entry.start : entry.end]
        comment = Comment(self.scope or self.root, text, entry.start, entry.end, None)
        self.document.comments.append(comment)
        if entry.kind != "dropped":
            self.waiting.append(comment)

    def section(self, entry: Entry) -> None:
        """Start the section or the block that a header opens."""
        part = self.document.parts[0]
        if entry.name == SOPS:
            if part.block is not None:
                raise error_at(self.document.text, entry.line, "there are two sections [sops]")
            self.place()
            part.block = (entry.line, entry.stop)
            self.members = []
        else:
            self.end_block()
            self.open(entry.name, entry.line)
        self.following.clear()
        self.place()

    def member(self, name: str, value: str, stop: int) -> None:
        """Add a member of the block."""
        part = self.document.parts[0]
        assert part.block is not None
        assert self.members is not None
        self.members.append((name, value.replace("\\n", "\n")))
        part.block = (part.block[0], stop)
        self.waiting.clear()

    def end_block(self) -> None:
        """Store the block in the document, if it has just ended."""
        if self.members is not None:
            document = self.document
            assert document.parts[0].block is not None
            start, end = document.parts[0].block
            block_text = document.text[start:end].replace("\r\n", "\n")
            document.block_text = block_text if block_text.endswith("\n") else block_text + "\n"
            document.block = flat.unflatten(self.members)
            self.members = None


def _document(
    format: Format, text: str, entries: Iterator[Entry | re.Match[str]], comments: bool
) -> Document:
    document, root = whole_document(text, format, 1 if text.startswith("\ufeff") else 0)
    reader = _Reader(document, root)
    items = document.items
    kind = ""
    most = document.most
    for entry in entries:
        if len(items) > most:
            raise too_many(most)
        before = kind
        if not isinstance(entry, Entry):
            kind = "key"
            name, value = entry.groups()
            start = entry.start(2)
            end = start + len(value)
            style = PLAIN
        else:
            kind = entry.kind
            if kind != "key":
                take = reader.section if kind == "section" else reader.comment
                take(entry)
                continue
            start, end, name = entry.start, entry.end, entry.name
            value, style = entry.value, entry.style
        if reader.members is not None:
            reader.member(name, value, entry.stop if isinstance(entry, Entry) else entry.end())
            continue
        scope = reader.scope or reader.open(DEFAULT)
        if name in reader.seen:
            line = entry.line if isinstance(entry, Entry) else entry.start()
            raise error_at(
                text, line, "the section has the same key twice",
                hint="sops would keep only the last value: remove or rename one of the two",
            )  # fmt: skip
        reader.seen.add(name)
        if reader.following or reader.waiting:
            for each in reader.following:
                each.before = name
            reader.following.clear()
            reader.place()
        data = value.encode("utf-8", "surrogateescape")
        note = _INLINE if before in ("inline", "dropped") else None
        items.append(Leaf(scope, name, start, end, style, "str", data, note))
    reader.end_block()
    start, end = document.parts[0].block or (0, 0)
    document.comments = [
        comment
        for comment in sorted(document.comments, key=lambda comment: comment.start)
        if comments and not start <= comment.start < end
    ]
    limit_paths(document)
    return document


def _stands(text: str, leaf: Leaf, value: str, *, exact: bool) -> bool:
    """Whether the library reads exactly this value at its place."""
    try:
        found, _ = value_at(text, leaf.start, line_end(text, leaf.start)[0], exact, len(value))
    except ParseError:
        return False
    return found.value == value and (found.end == leaf.end or not value)


def _has_other_comments(text: str) -> bool:
    """Whether `_other_comments` may change something.

    Most comments start with a word and are right above another comment, a section or a key.  A line with
    quotes may be the end of a value.
    """
    if "#" not in text and ";" not in text:
        return False
    rest = re.sub(_PLAIN_COMMENT, "", f"\n{text}")
    return ("#" in rest or ";" in rest) and any(re.search(pattern, rest) for pattern in _OTHER_COMMENTS)


def _other_comments(text: str, entries: Iterator[Entry]) -> list[Edit]:
    """Return the edits that change comments so that sops can read and write them.

    First lines without words are removed: sops would strip the first line to nothing, and crash when it
    writes the comment.  All comments of a section or key become consecutive lines without indentation: the
    library reads them as one comment, and sops decrypts the first ``ENC[…]`` in it.  A comment after a
    section's name always moves above the header: the library reads everything up to the last bracket as the
    name, and an ``ENC[…]`` text has a bracket.
    """
    edits: list[Edit] = []
    group: list[Entry] = []  # all comments before a section or key, which are one comment to the library
    for entry in [*entries, None]:
        if entry is not None and entry.kind in ("comment", "inline", "dropped"):
            group.append(entry)
        elif group:
            edits += _in_one(text, group, entry)
            group.clear()
    return edits


def _in_one(text: str, group: list[Entry], entry: Entry | None) -> list[Edit]:
    """Return the edits for the comments of one section or key, or for those at the end of the text."""
    lines = [
        line for part in group if part.kind == "comment" for line in LINE.finditer(text, part.line, part.stop)
    ]
    kind = group[-1].kind
    empty = 0  # how many first lines have no word; the last line stays
    for line in lines if kind != "comment" else lines[:-1]:
        words = line[0].strip(SPACE)
        if words.strip(words[0] + SPACE):
            break
        empty += 1
    edits = [(*line.span(), "") for line in lines[:empty]]
    if entry is None:
        return edits
    for number, (before, line) in enumerate(pairwise(lines), 1):
        start = line.start() if number < empty else skip_blanks(text, line.start(), line.end())
        if before.end() < start:
            edits.append((before.end(), start, ""))
    # The library drops a comment after backquotes or three quotes that close in their first line.
    if kind == "inline" and (lines or entry.kind == "section" or entry.style in ("`", '"""')):
        tail = COMMENT_SIGN.search(text, entry.end)
        assert tail is not None
        sign, end = tail.start(), group[-1].end
        above = lines[-1].end() if lines else entry.line
        edits += [(above, entry.line, text[sign:end] + newline_of(text)), (sign, end, "")]
    return edits


def rest_of_line(text: str, leaf: Leaf) -> str:
    """Return the text after a value, in its last line."""
    return text[leaf.end : line_end(text, leaf.end)[0]]


def spelled_as(quote: str, value: str, rest: str, *, after_blank: bool) -> str:
    """Return a value in the given quotes if they can hold it, else as `spell` does.  Raises EmitError.

    ``rest`` is the text after it in its line.  If that is a comment and nothing says that a blank is before
    it (``after_blank``), the result ends with one.
    """
    gap = "" if after_blank or rest[:1] in ("", "\r") else " "
    spelled = f"{quote}{value}{quote}"
    found = [read_back(spelled, gap + rest, exact=exact) for exact in (True, False)]
    return (spelled if quote in QUOTES and found == [value, value] else spell(value, gap + rest)) + gap


def spell(value: str, rest: str = "", *, exact_only: bool = False) -> str:
    """Return a value without quotes, or in the first quotes with which it is read back unchanged.

    ``rest`` is the text after it in its line.  Raises EmitError if INI cannot hold the value.
    """
    if not rest and SIMPLE_VALUE.fullmatch(value):
        return value
    for quote in ("", '"', "`", '"""', "'"):
        spelled = f"{quote}{value}{quote}"
        if read_back(spelled, rest, exact=True) == value and (
            exact_only or read_back(spelled, rest, exact=False) == value
        ):
            return spelled
    raise EmitError(
        "a value has line breaks, blanks or comment signs, and quotes of every kind, which INI cannot hold",
        hint="a YAML or JSON file can hold it",
    )


def read_back(spelled: str, rest: str = "", *, exact: bool) -> str | None:
    """Return what a spelled value is read as before the rest of a line, or None if it ends elsewhere."""
    text = f"{spelled}{rest}\n"
    try:
        found, _ = value_at(text, 0, text.index("\n"), exact)
    except ParseError:
        return None
    return found.value if found.end == len(spelled) or not spelled else None


def spell_key(name: str) -> str:
    """Return a key as it is written, in quotes if it needs them."""
    if DELIMITER.search(name) or '"' in name:
        return f"`{name}`"
    return f'"""{name}"""' if "`" in name else name


def as_sops(value: str) -> str:
    """Return a value as sops (the library's File.writeToBuffer) spells it."""
    if "\n" in value or "`" in value:
        return f'"""{value}"""'
    if "#" in value or ";" in value:
        return f"`{value}`"
    return f'"{value}"' if value.strip(SPACE) != value else value


def _section_as_sops(name: str, section: Any) -> str:
    """Return a section of leaves as sops writes it.  Raises EmitError if it is not one."""
    from encconf.formats.emit import items_of
    from encconf.formats.emit import text as text_of_leaf

    if not isinstance(section, dict) or not all(isinstance(item, Value) for item in section.values()):
        raise EmitError("Error encoding section: section values should always be TreeBranches")
    width = max((len(spell_key(key)) for key in section), default=0)
    title, lines = f"[{name}]\n", list[str]()
    for key, item, comments in items_of(section):
        # sops puts the first comment above the section, and others above the key before them
        for at, (comment, _) in enumerate(comments):
            if not lines and not at:
                title = f"; {comment}\n{title}"
            elif lines:
                lines[-1] = f"; {comment.strip()}\n{lines[-1]}"
        if key is not None:
            lines.append(f"{spell_key(key):{width}} = {as_sops(text_of_leaf(item))}\n")
    return title + "".join(lines)


# --- the lines of a text as entries: as gopkg.in/ini.v1 reads them, or as Python's configparser does ---

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

    The caller sets the entry's ``line`` and name.  ``end`` is where the content of its first line ends.  A
    value that continues in further lines is read only until it has more than ``most`` characters.
    """
    stop = end + 1 if end < len(text) else end
    start = skip_blanks(text, at, end)
    if start == end:
        start = at + 1 if text.startswith(" ", at) else at
        return Entry("key", start, stop, start, start, ""), -1
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
            entry = Entry("key", start, stop, start, start + close + 1, "", line[0], line[1:close])
            return entry, start + tail.end() - 1 if tail.end() > close + 1 and tail[0][-1] in "#;" else -1
    if not exact:
        found = _COMMENT.search(line)
        cut = found.start() if found else -1
    value = line if cut < 0 else line[:cut].rstrip(SPACE)
    style = PLAIN
    end = start + len(value)
    if len(value) > 1 and value[0] in "\"'" and value.find(value[0], 1) == len(value) - 1:
        style, value = value[0], value[1:-1]
    return Entry("key", start, stop, start, end, "", style, value), start + cut if cut >= 0 else -1


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
    entry = Entry("key", start, stop, start, close + len(quote), "", quote, text[inner:close])
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
    return Entry("key", start, stop, start, last, "", CONTINUED, "".join(parts))


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
