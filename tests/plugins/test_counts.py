"""How many files of the package mention one key type, or one source: its own, and the table's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from encconf import keys, sources

PACKAGE = Path(__file__).resolve().parents[2] / "encconf"


def mention(*words: str) -> set[str]:
    """The files in whose code one of the words stands, comments and docstrings included."""
    found = re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, words))})(?![\w-])")
    return {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if found.search(path.read_text(encoding="utf-8"))
    }


# Not age and pgp, which are words of the language here, and not kms, which is AWS's word for its service.
@pytest.mark.parametrize("type", sorted(keys.TABLE.keys() - {"age", "pgp", "kms"}))
def test_two_files_for_a_key_type(type: str) -> None:
    row = keys.TABLE[type]
    module = row.target.partition(":")[0].removeprefix("encconf.").replace(".", "/") + ".py"
    names = (type, row.option, f"--{row.option}", row.variable, row.target)
    assert mention(*names) == {"keys/__init__.py", module}


def test_every_key_type_has_one_row() -> None:
    rows = list(keys.TABLE.values())
    for name in ("option", "variable", "member", "name_in_group", "target", "title"):
        assert len({getattr(row, name) for row in rows}) == len(rows), name
    # The key service's protocol numbers the types that sops has, from 1 on.
    numbers = sorted(row.number for row in rows if row.sops)
    assert numbers == list(range(1, len(numbers) + 1))
    assert [row.title for row in rows if row.number and not row.sops] == []


@pytest.mark.parametrize("scheme", ["keyring", "cyberark", "gcpsm", "awsssm"])
def test_a_source_has_one_module_and_one_row(scheme: str) -> None:
    module = sources.TABLE[scheme].module
    assert mention(module) == {"sources/__init__.py"}
