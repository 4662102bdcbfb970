"""What a format does where it has no rule of its own."""

from __future__ import annotations

import pytest

from encconf import formats
from encconf.errors import EmitError
from encconf.formats.writing import Writing
from encconf.text.document import Document, Format, Leaf, Scope

NEEDED = ("scan", "sealed", "literal", "render_block", "attach", "detach", "render")


@pytest.mark.parametrize("name", formats.NAMES)
def test_a_format_has_what_has_no_default(name: str) -> None:
    format = formats.get(name)
    assert format.name == name
    assert format.example
    for each in NEEDED:
        assert getattr(type(format), each) is not getattr(Format, each)
    if not format.single_value:
        assert format.python_value("str", b"x") == "x"
        for each in ("tree", "replace", "add", "remove"):
            assert getattr(type(formats.writing_of(formats.get(name))), each) is not getattr(Writing, each)


def test_nothing_is_respelled_or_lost() -> None:
    class Any(Format):
        name = "any"

    defaults = Any()
    document = Document("x", defaults)
    leaf = Leaf(Scope(), "k", 0, 1, "", "int", b"5")
    assert defaults.prepare(document, bytearray(1)) is None
    assert defaults.comment(document, leaf, b" c", alone=True) == (0, 1, "")
    assert defaults.comment_text(" a") is None
    assert defaults.token(leaf) == ("int", b"5")
    assert defaults.shows_types(document, [leaf])
    assert defaults.tells_integers(document)
    assert not defaults.fragile(leaf)
    assert defaults.unclosed(document, leaf) is None
    assert defaults.caveat(leaf) is None
    assert defaults.region(document, leaf) == (0, 1)
    assert not defaults.has_entry(b"sops:\n")
    assert defaults.from_entry(b"sops:\n") is None
    assert defaults.loaded(document, []) == []
    assert (defaults.seals_empty, defaults.null, defaults.empty) == (False, None, "")
    with pytest.raises(EmitError, match="binary files cannot be changed"):
        formats.writing_of(formats.get("binary"))
    with pytest.raises(EmitError, match="cannot be written as any"):
        defaults.render([{}], None)
