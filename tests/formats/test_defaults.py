"""What a format does where it has no rule of its own."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from encconf import formats
from encconf.formats import defaults
from encconf.text.document import Document, Leaf, Scope


def members(name: str) -> list[str]:
    """The names that a protocol of `encconf.formats` lists."""
    tree = ast.parse(Path(str(formats.__file__)).read_text(encoding="utf-8"))
    found = next(node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == name)
    named = [node.name for node in found.body if isinstance(node, ast.FunctionDef)]
    named += [ast.unparse(node.target) for node in found.body if isinstance(node, ast.AnnAssign)]
    assert named
    return named


@pytest.mark.parametrize("name", formats.NAMES)
def test_a_format_has_every_function(name: str) -> None:
    module = formats.module(name)
    assert [each for each in members("Format") if not hasattr(module, each)] == []
    if formats.ROWS[name].trees:
        writing = formats.writing(name)
        wanted = [*members("Writing"), "check", "stored", "replace", "add", "remove"]
        assert [each for each in wanted if not hasattr(writing, each)] == []


def test_nothing_is_respelled_or_lost() -> None:
    document = Document("x", "any")
    leaf = Leaf(Scope(None, None, (), "", {}), "k", 0, 1, "", "int", b"5")
    assert defaults.prepare(document, bytearray(1)) is None
    assert defaults.comment(document, leaf, alone=True) == (0, 1, "")
    assert defaults.comment_text(" a") is None
    assert defaults.token(leaf) == ("int", b"5")
    assert defaults.shows_types(document)
    assert defaults.tells_integers(document)
    assert not defaults.fragile(leaf)
    assert defaults.unclosed(document, leaf) is None
    assert defaults.caveat(leaf) is None
    assert defaults.region(document, leaf) == (0, 1)
    defaults.settle(document)
    assert document.trees == []
    assert (defaults.SEALS_EMPTY, defaults.NULL, defaults.EMPTY) == (False, None, "")
