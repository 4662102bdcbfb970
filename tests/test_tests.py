"""Tests mirror the package, and know only its public names.

The tests of ``encconf/rules/config.py`` are in ``tests/rules/test_config.py``, those of a package's
``__init__.py`` in the file that is called after the package: ``tests/rules/test_rules.py``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parent / "encconf"

ELSEWHERE = {
    "audit": (
        "audit/across audit/findings audit/folders audit/log audit/meant audit/pairing audit/plain "
        "audit/readers audit/revisions audit/rulebook audit/rulecheck audit/sealed audit/sides "
        "audit/ssh_origins audit/twins audit/verified"
    ),
    "audit/test_access.py": "cli/access",
    "audit/test_check.py": "cli/check cli/checklist",
    "audit/test_diff.py": "cli/diff",
    "cli": (
        "cli/about cli/check_report cli/encryption cli/explain cli/files cli/flat cli/overview "
        "cli/plan_text cli/process cli/rekeying cli/rule cli/status"
    ),
    "cli/test_edit.py": "cli/editor",
    "cli/test_error_help.py": "errors",
    "cli/test_export.py": "export",
    "cli/test_quick.py": "cli/full cli/table",
    "engine": (
        "api engine/cipher engine/comments engine/inspection engine/opening engine/plan engine/rekey "
        "engine/sha2 engine/torn_quotes"
    ),
    "envelope": (
        "envelope/cache envelope/calls envelope/groups envelope/opening envelope/report io/race "
        "envelope/wrap envelope/wrapped"
    ),
    "formats": (
        "formats/binary formats/dotenv_tree formats/emit formats/json_tree formats/plain "
        "formats/yaml_alias formats/yaml_block formats/yaml_events formats/yaml_layout formats/yaml_lost "
        "formats/yaml_places formats/yaml_text formats/yaml_tree"
    ),
    "formats/test_contracts.py": "testing/contracts/format",
    "git": "git/block git/keyless git/ours git/outcome",
    "git/test_git.py": "cli/git",
    "identities": "identities/home identities/places identities/userconfig",
    "integrations/test_pytest.py": "testing/guard testing/key",
    "keys": (
        "keys/age_identity keys/age_search keys/bech32 keys/ssh_key keys/unknown testing/contracts/master_key"
    ),
    "keys/test_service.py": "cli/keyservice keyservice/server",
    "merge": "merge/reading merge/three merge/values",
    "migration": "migration/plain",
    "providers": (
        "providers/__init__ providers/aws providers/aws_session providers/azure providers/gcp "
        "providers/vault providers/vault_identity"
    ),
    "publish/test_publish.py": "cli/publish publish/destinations publish/gcs publish/s3 publish/vault",
    "rules": "rules/creation rules/destination rules/grammar",
    "sops": "cli/sops cli/sops_help cli/sops_run",
    "sources": (
        "sources/address sources/awsssm sources/cmd sources/conjur sources/env sources/fields "
        "sources/file sources/reference_rules sources/reference_text sources/systemd "
        "testing/contracts/source"
    ),
    "systemd": "cli/systemd systemd/creds systemd/rules systemd/values",
    "test_imports.py": "__init__",
    "text": "text/document text/printable",
}
"""Modules without a test file of their own, by the file or folder that has their tests.  It only shrinks."""

UNTESTED = {f"{name}.py": where for where, names in ELSEWHERE.items() for name in names.split()}

FILES = sorted(HERE.rglob("*.py"))


def _mirrored() -> Iterator[tuple[str, str]]:
    """Each module that has code, with its test file; both as paths in their folder."""
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if not any(isinstance(node, (ast.FunctionDef, ast.ClassDef)) for node in tree.body):
            continue  # names, tables and docstrings
        name = path.relative_to(PACKAGE)
        stem = (name.parent.name or "encconf") if path.stem == "__init__" else path.stem
        yield name.as_posix(), (name.parent / f"test_{stem}.py").as_posix()


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
    """The private names of encconf that a test file uses: imported, as attributes, or to be replaced."""
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
    """``a`` for ``a.b.c``."""
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
