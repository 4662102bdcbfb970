"""The files of tests mirror the package, and use only its public names.

- The tests of ``encconf/rules/config.py`` are in ``tests/rules/test_config.py``, and those of a package's
  ``__init__.py`` in ``tests/rules/test_rules.py``.
- A command may share the servers of a package's tests: ``encconf/cli/git.py`` has
  ``tests/git/test_command.py``.
- The tests of encconf as sops are in one folder, which is run with each version of sops:
  ``encconf/cli/sops_line.py`` has ``tests/sops/test_line.py``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parent / "encconf"

UNTESTED = {
    "api.py": "engine",
    "engine/comments.py": "engine",
    "engine/plan.py": "engine",
}
"""Modules without their own test file, and the file or folder with their tests.  It must only shrink."""

WITH_SERVERS = ("git", "keyservice", "publish", "systemd")
"""Commands whose tests share the servers or the repositories of the package with the same name."""

FILES = sorted(HERE.rglob("*.py"))


def _mirrored() -> Iterator[tuple[str, str]]:
    """Yield each module that has code, and its test file, as paths in their folders."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if not any(map(_is_code, ast.parse(path.read_text(encoding="utf-8")).body)):
            continue  # it has only names, tables and docstrings
        name = path.relative_to(PACKAGE)
        yield name.as_posix(), _test_of(name)


def _test_of(name: Path) -> str:
    stem = (name.parent.name or "encconf") if name.stem == "__init__" else name.stem
    if name.parent.name == "cli" and stem.partition("_")[0] == "sops":
        return f"sops/test_{stem.removeprefix('sops_')}.py"
    if name.parent.name == "cli" and stem in WITH_SERVERS:
        return f"{stem}/test_command.py"
    return (name.parent / f"test_{stem}.py").as_posix()


def _is_code(node: ast.stmt) -> bool:
    """Whether a statement is code to test, and not a class of fields or a function that loads names late."""
    if isinstance(node, ast.ClassDef):
        return not all(map(_is_field, node.body))
    if not isinstance(node, ast.FunctionDef) or node.name in ("__getattr__", "__dir__"):
        return False
    last = node.body[-1]
    return len(node.body) > 2 or not isinstance(last, ast.Return) or not _is_known(last.value)


def _is_known(value: ast.expr | None) -> bool:
    """Whether a value is a constant, an argument, or an attribute of one, as in the defaults of formats."""
    kinds = (ast.Constant, ast.Name, ast.Attribute, ast.Tuple, ast.Load)
    return value is None or all(isinstance(each, kinds) for each in ast.walk(value))


def _is_field(node: ast.stmt) -> bool:
    """Whether a statement is a field, a docstring, or an ``__init__`` that only stores its arguments."""
    if isinstance(node, ast.FunctionDef) and node.name == "__init__":
        return all(
            isinstance(each, (ast.Assign, ast.AnnAssign, ast.Expr, ast.Pass)) for each in node.body
        ) and not any(isinstance(each, (ast.IfExp, ast.BoolOp)) for each in ast.walk(node))
    return isinstance(node, (ast.Assign, ast.AnnAssign, ast.Expr, ast.Pass))


MODULES = dict(_mirrored())


@pytest.mark.parametrize("module", MODULES)
def test_each_module_has_its_tests(module: str) -> None:
    assert module in UNTESTED or (HERE / MODULES[module]).is_file(), f"write tests/{MODULES[module]}"


def test_exceptions_are_needed() -> None:
    stale = [name for name in UNTESTED if name not in MODULES or (HERE / MODULES[name]).is_file()]
    assert stale == []
    assert [where for where in UNTESTED.values() if not (HERE / where).exists()] == []


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
