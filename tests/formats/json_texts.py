"""Random JSON texts, and a block for them."""

from __future__ import annotations

import json

from hypothesis import strategies as st

from encconf import formats
from encconf.text.document import splice

format = formats.get("json")


def detach(text: str) -> str:
    return splice(text, format.detach(format.scan(text)))


KEYS = st.text(st.characters(codec="utf-8"), max_size=6).filter(lambda key: key != "sops")

_NUMBERS = st.one_of(
    st.integers(-(1 << 70), 1 << 70).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(json.dumps),
    st.from_regex(r"\A-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][-+]?[0-9]{1,2})?\Z"),
)

_SPACES = st.sampled_from(["", "", " ", "\n", "\r\n  ", "\t"])


@st.composite
def _spelled(draw: st.DrawFn, value: str) -> str:
    """A string's token with some characters escaped."""
    out = []
    for char in value:
        token = json.dumps(char, ensure_ascii=draw(st.booleans()))[1:-1]
        out.append(token)
    return f'"{"".join(out)}"'


@st.composite
def _values(draw: st.DrawFn, depth: int = 3) -> str:
    kind = draw(st.sampled_from(["str", "number", "word"] + (["map", "list"] * 2 if depth else [])))
    if kind == "str":
        return draw(_spelled(draw(st.text(st.characters(codec="utf-8"), max_size=12))))
    if kind == "number":
        return draw(_NUMBERS)
    if kind == "word":
        return draw(st.sampled_from(["true", "false", "null"]))
    if kind == "list":
        items = draw(st.lists(_values(depth=depth - 1), max_size=4))
        return "[" + ",".join(f"{draw(_SPACES)}{item}{draw(_SPACES)}" for item in items) + draw(_SPACES) + "]"
    return draw(_objects(depth=depth - 1))


@st.composite
def _objects(draw: st.DrawFn, depth: int = 3) -> str:
    members = []
    for key in draw(st.lists(KEYS, max_size=4, unique=True)):
        token, value = draw(_spelled(key)), draw(_values(depth=depth))
        space = draw(_SPACES)
        members.append(f"{space}{token}{draw(_SPACES)}:{draw(_SPACES)}{value}{draw(_SPACES)}")
    return "{" + ",".join(members) + draw(_SPACES) + "}"


@st.composite
def documents(draw: st.DrawFn) -> str:
    """A document, in a wild or in some common layout."""
    text = draw(_objects())
    layout = draw(st.sampled_from(["wild", "tab", 2, 4, "compact", "spaced", 0]))
    if layout != "wild":
        value = json.loads(text)
        indent = "\t" if layout == "tab" else layout if isinstance(layout, int) else None
        separators = (",", ":") if layout == "compact" else None
        text = json.dumps(value, indent=indent, separators=separators, ensure_ascii=draw(st.booleans()))
        text = text.replace("\n", draw(st.sampled_from(["\n", "\r\n"])))
    return draw(_SPACES) + text + draw(_SPACES)
