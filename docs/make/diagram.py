"""Write the diagram of docs/architecture.md from the imports of the code: `make reference`

An arrow that follows from others is left out.  `tests/test_architecture_page.py` compares page and code.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "architecture.md"
BLOCK = re.compile(r"(?<=^```mermaid\n)flowchart.*?(?=^```$)", re.M | re.S)


@cache
def imported(room: str) -> frozenset[str]:
    """The rooms that a room imports, anywhere in its files."""
    package = ROOT / "encconf" / room
    found = set()
    for path in [*package.rglob("*.py"), *package.parent.glob(f"{room}.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module == "encconf":
                names = [f"encconf.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            else:
                continue
            found |= {name.split(".")[1] for name in names if name.startswith("encconf.")}
    return frozenset(found - {room, "__version__", "SOPS_VERSION"})


@cache
def reached(room: str) -> frozenset[str]:
    """All rooms below a room."""
    return imported(room).union(*map(reached, imported(room)))


def rooms() -> list[str]:
    """Every room, those that others import first."""
    folder = ROOT / "encconf"
    names = {path.stem for path in folder.glob("*.py")} | {
        path.parent.name for path in folder.glob("*/__init__.py")
    }
    return sorted(names - {"__init__", "__main__"}, key=lambda room: (len(reached(room)), room))


def diagram() -> str:
    """The arrows, as Mermaid reads them; the topmost room first."""
    lines = ["flowchart TD"]
    for room in reversed(rooms()):
        below = imported(room)
        direct = sorted(each for each in below if not any(each in reached(other) for other in below))
        if direct:
            lines.append(f"    {room} --> {' & '.join(direct)}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(BLOCK.sub(lambda _: diagram(), PAGE.read_text(encoding="utf-8")), encoding="utf-8")
