"""The rooms of the package import each other in one direction, and use only public names of each other."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "encconf"

# The rooms in the order in which data passes through them, each with the rooms that it may import.
ROOMS: dict[str, set[str]] = {
    "errors": set(),
    "record": set(),
    "text": {"errors", "record"},
    "plugins": {"errors", "text"},
    "shape": {"errors", "text"},
    "io": {"errors"},
    "formats": {"errors", "record", "text"},
    "identities": {"errors", "io", "text"},
    "providers": {"errors", "identities", "io", "record", "text"},
    "sources": {"errors", "formats", "identities", "io", "plugins", "providers", "record", "text"},
    "keys": {"errors", "identities", "io", "plugins", "providers", "record", "text"},
    "envelope": {"errors", "identities", "io", "keys", "record"},
    "rules": {"errors", "formats", "io", "keys", "record", "text"},
}
ROOMS["engine"] = {
    "envelope",
    "errors",
    "formats",
    "identities",
    "io",
    "keys",
    "record",
    "rules",
    "shape",
    "sources",
    "text",
}
ROOMS["auditlog"] = {"errors", "formats", "identities", "io", "text"}
# Most of the following rooms may import every room above them.
ROOMS["api"] = {*ROOMS}
ROOMS["merge"] = {"errors", "formats", "record", "text"}
ROOMS["systemd"] = {"engine", "errors", "formats", "identities", "io", "record", "text"}
ROOMS["keyservice"] = {"errors", "identities", "io", "keys", "record", "text"}
ROOMS["publish"] = {"engine", "errors", "formats", "identities", "providers", "record", "rules"}
ROOMS["publish"] |= {"text"}
ROOMS["settings"] = {*ROOMS} - {"merge", "publish", "systemd", "keyservice"}
ROOMS["testing"] = {*ROOMS} - {"merge", "publish", "systemd", "keyservice", "settings"}
ROOMS["integrations"] = {*ROOMS} - {"merge", "publish", "systemd", "keyservice"}
BELOW_GIT = {*ROOMS} - {"systemd", "keyservice", "publish", "settings", "testing", "integrations"}
ROOMS["git"] = {*BELOW_GIT}
ROOMS["migration"] = {"errors", "formats", "git", "identities", "io", "keys", "rules", "sources"}
ROOMS["migration"] |= {"record", "text"}
ROOMS["audit"] = {*BELOW_GIT, "git"}
ROOMS["verbs"] = {*BELOW_GIT, "git", "audit"}
ROOMS["cli"] = {*ROOMS}

NO_MODULES = {"utils", "util", "helpers", "common", "base", "types", "misc"}
NO_CLASSES = ("Manager", "Service", "Client", "Factory", "Builder", "Context")

# Exceptions from the rules: code that does not follow them yet, or has a reason.  These lists only shrink.
# After you clean or move a file, remove its entry, or `test_exceptions_are_needed` fails.

AGAINST = {
    # Only in a process that a guarded test started, whose program knows nothing of tests.
    ("identities/credentials.py", "testing"),
    # Only if a setting names the address of an identity or a passphrase: sources log in with credentials.
    ("identities/credentials.py", "sources"),
}
"""Imports against the direction, as (file, room), and why."""

PRIVATE: dict[str, int] = {}
"""Files that use private names of other files, and how many they use."""

FILES = sorted(PACKAGE.rglob("*.py"))


@cache
def tree_of(path: Path) -> ast.Module:
    """Return the syntax tree of a file.  It is cached, so do not change it."""
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    """Return all nodes of the syntax tree of a file."""
    return tuple(ast.walk(tree_of(path)))


def room_of(module: str) -> str:
    """Return the room of a module: ``keys`` for ``encconf.keys.age``, and "" for the package itself."""
    return module.split(".")[1] if "." in module else ""


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield every module of encconf that a file imports, also inside functions, with the line."""
    here = name_of(path)
    package = here if path.name == "__init__.py" else here.rpartition(".")[0]
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                yield node.lineno, f"{module}.{alias.name}" if module == "encconf" else module
        elif isinstance(node, ast.Call) and (named := _named_module(node)):
            yield node.lineno, named


def _named_module(node: ast.Call) -> str:
    """Return the module that a call of ``__import__`` or ``import_module`` names, or "" for other calls."""
    function = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    if function not in ("__import__", "import_module") or not node.args:
        return ""
    module = node.args[0]
    return str(module.value) if isinstance(module, ast.Constant) else ""


@pytest.mark.parametrize(
    ("call", "module"),
    [
        ('__import__("encconf.sources", fromlist=["fetch"])', "encconf.sources"),
        ('importlib.import_module("encconf.cli")', "encconf.cli"),
        ("import_module(name)", ""),
        ('print("encconf.cli")', ""),
    ],
)
def test_modules_that_are_named_in_a_call(call: str, module: str) -> None:
    node = ast.parse(call, mode="eval").body
    assert isinstance(node, ast.Call)
    assert _named_module(node) == module


def test_imports_point_one_way() -> None:
    wrong = []
    for path in FILES:
        here = room_of(name_of(path))
        if here in ("", "__main__"):
            continue  # encconf/__init__.py and __main__.py
        assert here in ROOMS, f"give the room {here!r} a line in ROOMS"
        wrong += [
            f"{_key(path)}:{line}: {module}"
            for line, module in imports(path)
            if module.startswith("encconf.")
            and room_of(module) not in {here, "__version__", "SOPS_VERSION", *ROOMS[here]}
            if (_key(path), room_of(module)) not in AGAINST
        ]
    assert wrong == []


def test_the_direction_is_one() -> None:
    """ROOMS has no cycle."""
    done: set[str] = set()
    while len(done) < len(ROOMS):
        ready = {room for room, below in ROOMS.items() if room not in done and below <= done}
        assert ready, f"a circle among {sorted(set(ROOMS) - done)}"
        done |= ready


def test_no_room_without_a_purpose() -> None:
    assert [_key(path) for path in FILES if path.stem in NO_MODULES] == []
    classes = [
        f"{_key(path)} {node.name}"
        for path in FILES
        for node in nodes_of(path)
        if isinstance(node, ast.ClassDef)
    ]
    assert len(classes) > 100
    assert [name for name in classes if name.endswith(NO_CLASSES)] == []


# A group with a quantifier and a +, such as (a|b)*+.
POSSESSIVE_GROUP = re.compile(r"(?<!\\)\)(?:[?*+]|\{[0-9]*,?[0-9]*\})\+")


def test_no_possessive_group() -> None:
    """Python 3.11.0 to 3.11.4 match possessive groups wrongly (gh-106052).  Write ``(?>(…)*)`` instead."""
    assert POSSESSIVE_GROUP.search("(a|b)*+")
    found = [
        f"{_key(path)}:{node.lineno}"
        for path in FILES
        for node in nodes_of(path)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if POSSESSIVE_GROUP.search(node.value)
    ]
    assert found == []


def _names_itself(outer: ast.FunctionDef) -> Iterator[ast.FunctionDef]:
    for inner in ast.walk(outer):
        if isinstance(inner, ast.FunctionDef) and inner is not outer and inner.name in _names_in(inner):
            yield inner


def _names_in(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def test_no_inner_function_names_itself() -> None:
    """Each call of the outer one would leave a cycle, which keeps what the inner one uses."""
    found = [
        f"{_key(path)}:{inner.lineno}"
        for path in FILES
        for node in nodes_of(path)
        if isinstance(node, ast.FunctionDef)
        for inner in _names_itself(node)
    ]
    assert found == []


# --- who writes files and starts programs -----------------------------------------------------------

WRITERS = {
    "cli/commands/export.py": "the file that GitHub names",
    "git/__init__.py": "the null device",
    "git/textconv.py": "its note, and the null device",
    "io/descriptors.py": "nothing: it has the flags",
    "io/fileio.py": "the standard streams, devices and named pipes",
    "io/private.py": "files in private folders",
    "io/replace.py": "every other file",
    "io/sockets.py": "sockets",
    "verbs/edit.py": "your terminal",
    "verbs/execute.py": "the named pipe of a program",
}
"""The files of encconf that open files to write, or put them in place, and what they write."""

STARTERS = {
    "git/__init__.py": "git",
    "git/textconv.py": "a fork of itself",
    "io/programs.py": "every other program",
    "keys/pgp.py": "gpg, by its library",
    "verbs/edit.py": "your editor",
    "verbs/execute.py": "your command",
}
"""The files of encconf that start programs."""

_TO_WRITE = {"O_WRONLY", "O_RDWR", "O_CREAT", "O_TMPFILE", "O_APPEND", "CREATE", "mkfifo", "write_bytes"}
_IN_PLACE = {"os.replace", "os.rename", "os.link", "os.symlink"}
_STARTS = re.compile(
    r"subprocess\.(Popen|run|call|check_\w+)|os\.(posix_spawn\w*|exec\w+|spawn\w+|fork|system|popen)"
    r"|.*\._open_subprocess"
)


def _writes(node: ast.AST) -> bool:
    """Whether a piece of code opens a file to write, or puts one in place."""
    if isinstance(node, ast.Attribute):
        return node.attr in _TO_WRITE or ast.unparse(node) in _IN_PLACE
    if isinstance(node, ast.Name):
        return node.id in _TO_WRITE
    if not isinstance(node, ast.Call) or ast.unparse(node.func) not in ("open", "os.fdopen", "io.open"):
        return False
    given = [*node.args[1:2], *(each.value for each in node.keywords if each.arg == "mode")]
    return any(not isinstance(mode, ast.Constant) or set(str(mode.value)) & set("wax+") for mode in given)


def _starts(node: ast.AST) -> bool:
    """Whether a piece of code calls what starts a program."""
    return isinstance(node, ast.Call) and _STARTS.fullmatch(ast.unparse(node.func)) is not None


@pytest.mark.parametrize(
    ("code", "writes", "starts"),
    [
        ("open(name, 'ab')", True, False),
        ("open(name, mode=mode)", True, False),
        ("open(name, encoding='ascii')", False, False),
        ("os.open(name, os.O_CREAT)", True, False),
        ("os.open(name, os.O_RDONLY)", False, False),
        ("text.replace(old, new)", False, False),
        ("os.replace(old, new)", True, False),
        ("subprocess.run(line)", False, True),
        ("programs.run(line, environ)", False, False),
        ("os.execve(program, argv, environ)", False, True),
    ],
)
def test_what_counts_as_writing_and_starting(code: str, writes: bool, starts: bool) -> None:
    nodes = list(ast.walk(ast.parse(code)))
    assert (any(map(_writes, nodes)), any(map(_starts, nodes))) == (writes, starts)


@pytest.mark.parametrize(("does", "known"), [(_writes, WRITERS), (_starts, STARTERS)])
def test_who_writes_files_and_starts_programs(does: Callable[[ast.AST], bool], known: dict[str, str]) -> None:
    """Everything else goes through `encconf.io.replace` and `encconf.io.programs`."""
    found = {_key(path) for path in FILES if any(map(does, nodes_of(path)))}
    assert found == set(known)


# --- modules and names ---------------------------------------------------------------------------


@cache
def _module_of(name: str) -> Path | None:
    """Return the file of a module of encconf, or None for a name inside a module."""
    path = PACKAGE.parent.joinpath(*name.split("."))
    for file in (path / "__init__.py", path.with_suffix(".py")):
        if file.is_file():
            return file
    return None


@cache
def _imported_files(path: Path) -> set[Path]:
    """Return the files of encconf that a file imports, also inside functions, and also only for types."""
    found: set[Path] = set()
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            found |= {file for alias in node.names if (file := _module_of(alias.name))}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("encconf"):
            for alias in node.names:
                file = _module_of(f"{node.module}.{alias.name}") or _module_of(node.module)
                if file is not None:
                    found.add(file)
    return found - {path}


def _reaches(start: Path, graph: dict[Path, set[Path]]) -> bool:
    """Whether a file imports itself through others."""
    seen: set[Path] = set()
    pending = [start]
    while pending:
        for file in graph[pending.pop()] - seen:
            seen.add(file)
            pending.append(file)
    return start in seen


@cache
def cyclic(files: tuple[Path, ...]) -> frozenset[str]:
    """Return the files of a package that import themselves through other files of the package."""
    graph = {path: {file for file in _imported_files(path) if file in files} for path in files}
    return frozenset(_key(path) for path in files if _reaches(path, graph))


def _files_of(room: str) -> tuple[Path, ...]:
    return tuple(path for path in FILES if path.is_relative_to(PACKAGE / room))


@pytest.mark.parametrize("room", sorted(path.name for path in PACKAGE.iterdir() if path.is_dir()))
def test_no_cyclic_imports_within_a_package(room: str) -> None:
    """Imports inside functions count, too, and so do imports only for types."""
    assert cyclic(_files_of(room)) == set()


def _own_private_names(path: Path) -> set[str]:
    """Return the private names that a file defines: functions, classes, attributes, slots, parameters."""
    own: set[str] = set()
    for node in nodes_of(path):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            own.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            own.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            own.add(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            own.add(node.value)  # __slots__
    return own


@cache
def foreign_private_names(path: Path) -> list[str]:
    """Return the private names (``_x``) of other files that a file uses."""
    own = _own_private_names(path)
    used: list[tuple[int, str]] = []
    for node in nodes_of(path):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("encconf"):
            used += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.Attribute) and node.attr not in {*own, "_exit", "_getframe"}:
            used.append((node.lineno, node.attr))
    return [f"line {line}: {name}" for line, name in used if name.startswith("_") and not name.endswith("__")]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("from encconf.api import _open, decrypt\n", ["line 1: _open"]),
        ("from encconf import api\napi._open()\n", ["line 2: _open"]),
        ("class A:\n    def _b(self): ...\n    def c(self, other): other._b(); self.__class__\n", []),
        ("class A:\n    __slots__ = ('_b',)\n    def c(self): return self._b\n", []),
        ("import os\nos._exit(0)\n", []),
    ],
)
def test_what_counts_as_a_private_name_of_another_file(tmp_path: Path, text: str, found: list[str]) -> None:
    path = tmp_path / "x.py"
    path.write_text(text)
    assert foreign_private_names(path) == found


def test_private_names_stay_in_their_file() -> None:
    found = {_key(path): foreign_private_names(path) for path in FILES}
    assert {key: names for key, names in found.items() if len(names) > PRIVATE.get(key, 0)} == {}


def _key(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def test_exceptions_are_needed() -> None:
    """The exceptions above are needed: the file exists, and still breaks the rule."""
    keys = {_key(path): path for path in FILES}
    stale = [
        name for name, count in PRIVATE.items()
        if name not in keys or len(foreign_private_names(keys[name])) < count
    ]  # fmt: skip
    assert stale == []
