"""How INI writes values: replacing a leaf with an ``ENC[…]`` text, and that with its plaintext."""

from __future__ import annotations

from encconf.errors import EmitError, ParseError
from encconf.formats import flat
from encconf.formats.ini_scan import DELIMITER, QUOTES, SIMPLE_VALUE, SPACE, value_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.text.document import Document, Edit, Leaf


def sealed(document: Document, leaf: Leaf, enc: str, *, was_plain: bool = False) -> Edit:
    """Replace a leaf with an ``ENC[…]`` text, in the same quotes; sops writes none."""
    quote = leaf.style if leaf.style in QUOTES and not was_plain else ""
    if quote in ("`", '"""') and quote in rest_of_line(document.text, leaf):
        quote = ""  # the library looks for the last one in the line
    return leaf.start, leaf.end, f"{quote}{enc}{quote}"


def rest_of_line(text: str, leaf: Leaf) -> str:
    """The text after a value, in its last line."""
    end = text.find("\n", leaf.end)
    return text[leaf.end : end if end >= 0 else len(text)]


def literal(document: Document, leaf: Leaf, type: str, data: bytes) -> Edit:
    """Replace an ``ENC[…]`` text with its plaintext, in the same quotes if they can hold it.

    Raises EmitError if no quotes can.
    """
    value = data.decode("utf-8", "surrogateescape") if type == "str" else flat.word(type, data)
    spelled = value if not leaf.style and SIMPLE_VALUE.fullmatch(value) else spelled_as(leaf.style, value)
    if leaf.start == leaf.end and document.text[leaf.end : leaf.end + 1] not in ("", "\r", "\n"):
        spelled += " "  # a comment follows
    return leaf.start, leaf.end, spelled


def spelled_as(quote: str, value: str) -> str:
    """A value in the given quotes if they can hold it, else in the first that can; raises EmitError."""
    spelled = f"{quote}{value}{quote}"
    return spelled if quote in QUOTES and _reads(spelled, value) else spell(value)


def spell(value: str, rest: str = "", *, exact_only: bool = False) -> str:
    """A value in the first quotes, or none, with which it is read back before the rest of a line."""
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


def _reads(spelled: str, value: str) -> bool:
    return read_back(spelled, exact=True) == value == read_back(spelled, exact=False)


def read_back(spelled: str, rest: str = "", *, exact: bool) -> str | None:
    """The value that a spelling is read as before the rest of a line; None if it ends elsewhere."""
    if not spelled:
        return ""
    text = f"{spelled}{rest}\n"
    try:
        found, _ = value_at(text, 0, text.index("\n"), exact)
    except ParseError:
        return None
    return found.value if found.end == len(spelled) else None


def spell_key(name: str) -> str:
    """A key, in quotes where it needs them."""
    if DELIMITER.search(name) or '"' in name:
        return f"`{name}`"
    return f'"""{name}"""' if "`" in name else name


def as_sops(value: str) -> str:
    """A value as sops (the library's File.writeToBuffer) spells it."""
    if "\n" in value or "`" in value:
        return f'"""{value}"""'
    if "#" in value or ";" in value:
        return f"`{value}`"
    return f'"{value}"' if value.strip(SPACE) != value else value
