"""What a format does where it has no rule of its own."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import pytest

from encconf import formats
from encconf.text import tree
from encconf.text.document import Document, Leaf, Scope


def members(protocol: str, of: ModuleType = formats) -> dict[str, list[str] | None]:
    """What a protocol lists: functions with the names of their arguments, and constants with None."""
    tree = ast.parse(Path(str(of.__file__)).read_text(encoding="utf-8"))
    found = next(node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == protocol)
    named: dict[str, list[str] | None] = {}
    for node in found.body:
        if isinstance(node, ast.FunctionDef):
            named[node.name] = [each.arg for each in (*node.args.args, *node.args.kwonlyargs)][1:]
        elif isinstance(node, ast.AnnAssign):
            named[ast.unparse(node.target)] = None
    assert named
    return named


def has_all(found: object, wanted: dict[str, list[str] | None]) -> bool:
    """A helper that happens to be called like a function of the contract has other arguments."""
    for name, arguments in wanted.items():
        own = getattr(found, name)
        assert callable(own) is (arguments is not None), name
        if arguments is not None:
            assert list(inspect.signature(own).parameters)[: len(arguments)] == arguments, name
    return True


def required() -> set[str]:
    """The names of `formats.Format` that have no default.  A function has none if it is only a docstring."""
    tree = ast.parse(Path(str(formats.__file__)).read_text(encoding="utf-8"))
    found = next(node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == "Format")
    empty = {each.name for each in found.body if isinstance(each, ast.FunctionDef) and len(each.body) == 1}
    unset = {
        ast.unparse(each.target) for each in found.body if isinstance(each, ast.AnnAssign) and not each.value
    }
    return (empty | unset) - {"settle"}  # that may do nothing


@pytest.mark.parametrize("name", formats.NAMES)
def test_a_format_has_every_function(name: str) -> None:
    assert has_all(formats.module(name), members("Format"))
    assert required() - vars(formats.module(name)).keys() == set()
    if formats.ROWS[name].trees:
        assert has_all(formats.writing(name), {**members("Spelling", tree), **members("Writing")})


def test_the_other_functions_have_defaults() -> None:
    names = [
        "EXAMPLE",
        "scan",
        "sealed",
        "literal",
        "render_block",
        "attach",
        "detach",
    ]
    assert required() == {*names}


def test_nothing_is_respelled_or_lost() -> None:
    defaults = cast(Any, formats.Format)()
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
