"""The rooms of the package and the one direction in which they import each other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "encconf"

# Each room in the order in which data passes through them, with the rooms it may import.
ROOMS: dict[str, set[str]] = {
    "errors": set(),
    "shape": {"errors"},
    "text": {"errors"},
    "io": {"errors"},
    "formats": {"errors", "text"},
    "identities": {"errors", "io"},
    "providers": {"errors", "identities", "io"},
    "sources": {"errors", "formats", "identities", "io", "providers", "text"},
    "keys": {"errors", "identities", "io", "providers"},
    "envelope": {"errors", "identities", "keys"},
    "rules": {"errors", "formats", "io", "keys", "text"},
}
ROOMS["engine"] = {
    "envelope",
    "errors",
    "formats",
    "identities",
    "io",
    "keys",
    "rules",
    "shape",
    "sources",
    "text",
}
ROOMS["auditlog"] = {"errors", "formats", "identities", "io"}
# The upper floors see everything below them, and not each other.
ROOMS["api"] = {*ROOMS}
ROOMS["verbs"] = {*ROOMS}
ROOMS["settings"] = {*ROOMS}
ROOMS["testing"] = {*ROOMS}
ROOMS["integrations"] = {*ROOMS}
ROOMS["merge"] = {"errors", "formats", "text"}
ROOMS["git"] = {*ROOMS} - {"verbs"}
ROOMS["publish"] = {*ROOMS} - {"git"}
ROOMS["audit"] = {*ROOMS} - {"publish"}
ROOMS["keyservice"] = {"errors", "identities", "keys"}
ROOMS["systemd"] = {"api", "engine", "errors", "formats", "identities", "io", "keyservice", "text", "verbs"}
ROOMS["migration"] = {"errors", "formats", "git", "identities", "io", "keys", "rules", "sources", "systemd"}
ROOMS["migration"] |= {"text"}
ROOMS["export"] = {"errors", "formats", "systemd"}
ROOMS["cli"] = {*ROOMS}

NO_MODULES = {"utils", "util", "helpers", "common", "base", "types", "misc"}
NO_CLASSES = ("Manager", "Service", "Client", "Factory", "Builder", "Context")

FILES = sorted(PACKAGE.rglob("*.py"))


def room_of(module: str) -> str:
    """``encconf.keys.age`` is in the room ``keys``; the package itself has no name."""
    return module.split(".")[1] if "." in module else ""


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Every module of encconf that a file imports, wherever in the file, with the line."""
    here = name_of(path)
    package = here if path.name == "__init__.py" else here.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                yield node.lineno, f"{module}.{alias.name}" if module == "encconf" else module


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_point_one_way(path: Path) -> None:
    here = room_of(name_of(path))
    if here in ("", "__main__"):
        return  # the public names, and the command line's door
    assert here in ROOMS, f"give the room {here!r} a line in ROOMS"
    wrong = [
        f"line {line}: {module}"
        for line, module in imports(path)
        if module.startswith("encconf.") and room_of(module) not in {here, "__version__", *ROOMS[here]}
    ]
    assert wrong == []


def test_the_direction_is_one() -> None:
    """ROOMS has no circle."""
    done: set[str] = set()
    while len(done) < len(ROOMS):
        ready = {room for room, below in ROOMS.items() if room not in done and below <= done}
        assert ready, f"a circle among {sorted(set(ROOMS) - done)}"
        done |= ready


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_room_without_a_purpose(path: Path) -> None:
    assert path.stem not in NO_MODULES
    tree = ast.parse(path.read_text(encoding="utf-8"))
    classes = [node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    assert [name for name in classes if name.endswith(NO_CLASSES)] == []


# A quantifier on a group with a + behind it, as in (a|b)*+ .
POSSESSIVE_GROUP = re.compile(r"(?<!\\)\)(?:[?*+]|\{[0-9]*,?[0-9]*\})\+")


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_f1_no_possessive_group(path: Path) -> None:
    """Python 3.11.0 to 3.11.4 match possessive groups wrongly (gh-106052): ``(?>(…)*)`` says the same."""
    texts = [
        (node.lineno, node.value)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    assert [line for line, text in texts if POSSESSIVE_GROUP.search(text)] == []
