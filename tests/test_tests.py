"""Tests use only public names of encconf."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from project import needs

HERE = Path(__file__).resolve().parent

FILES = sorted(HERE.rglob("*.py"))


_NAMED = re.compile(r"encconf[\w.]* import [^\n]*\b(_[a-z]\w*)")


def private_names(text: str) -> list[str]:
    """Return the private names of encconf that a test file imports, uses as attributes, or replaces."""
    tree = ast.parse(text)
    ours: set[str] = set()
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "encconf":
            ours |= {alias.asname or alias.name for alias in node.names}
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            ours |= {alias.asname or "encconf" for alias in node.names if alias.name.startswith("encconf")}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _root(node.value) in ours:
            found.append(node.attr)
        elif isinstance(node, ast.Call) and len(node.args) > 1 and _root(node.args[0]) in ours:
            found += [str(each.value) for each in node.args[1:2] if isinstance(each, ast.Constant)]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found += _NAMED.findall(node.value)
    return [name for name in found if name.startswith("_") and not name.endswith("__")]


def _root(node: ast.expr) -> str:
    """Return ``a`` for ``a.b.c``."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("from encconf.api import _open, decrypt\n", ["_open"]),
        ("from encconf import api\napi._open()\napi.open()\n", ["_open"]),
        ("from encconf import api\nmonkeypatch.setattr(api, '_LIMIT', 1)\n", ["_LIMIT"]),
        ("import encconf.api\nencconf.api._open\nencconf.__version__\n", ["_open"]),
        ("CODE = 'from encconf.api import decrypt, _open'\n", ["_open"]),
        ("import keyring\nkeyring.core._backend\n", []),
    ],
)
def test_what_counts_as_a_private_name(text: str, found: list[str]) -> None:
    assert private_names(text) == found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(HERE).as_posix())
def test_only_public_names(path: Path) -> None:
    if path != Path(__file__) and path.name != "test_architecture.py":  # their examples
        assert private_names(path.read_text(encoding="utf-8")) == []


def test_a_missing_program_fails_a_test_and_is_named() -> None:
    assert Path(needs("sh")).is_absolute()
    with pytest.raises(AssertionError, match=r"this test needs no-such-program.*\.ci/run installs it"):
        needs("no-such-program")
