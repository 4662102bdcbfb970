"""Find places in Python programs that run sops, and the line of encconf that replaces each.

It reads the syntax tree and runs no code.  It finds calls of `subprocess`, `os`, `asyncio` and of functions
with names like ``run_cmd``, if the command is a list or a string in the call, or a variable of the same
function or module.  It also finds uses of sopsy and pydantic-settings-sops.  It does not find a command that
a function gets as an argument.  The patterns are from 42 public programs.
"""

from __future__ import annotations

import ast
import os
import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import pairwise

from encconf.errors import EncconfError
from encconf.io import fileio
from encconf.keys import TABLE
from encconf.record import Record
from encconf.text.printable import quoted

_RUNNERS = {
    *("subprocess.run", "subprocess.check_output", "subprocess.check_call", "subprocess.call"),
    *("subprocess.Popen", "subprocess.getoutput", "subprocess.getstatusoutput", "os.system", "os.popen"),
    *("asyncio.create_subprocess_exec", "asyncio.create_subprocess_shell"),
}
_WRAPPER = re.compile(r"run|exec|call|popen|output|cmd|command", re.IGNORECASE)
"""Names of functions that run a command, such as ``run_cmd``."""
LIMIT = 1 << 20
"""The largest source file that is read, in bytes (1 MiB)."""


class Caller(Record):
    """One place that runs sops: ``file``, ``line``, ``what`` it does, and the ``replacement`` or None."""

    file: str
    line: int
    what: str
    replacement: str | None

    def to_json(self) -> dict[str, object]:
        """Return its members as JSON data."""
        return vars(self)


def search(file: str) -> list[Caller]:
    """Return the callers in a Python file, or none if it is not Python.

    A file that names sops, but is nested too deeply for Python's parser, is one of them.
    """
    try:
        text = fileio.read_bytes(file, regular=True, limit=LIMIT)
        return callers(text.decode(), file) if b"sops" in text else []
    except (EncconfError, ValueError, SyntaxError):
        return []  # the file is not Python, or is for another version of Python
    except (MemoryError, RecursionError):  # what the parser raises depends on the version of Python
        return [Caller(file, 1, "cannot be read: it is nested too deeply", f"grep -n sops {quoted(file)}")]


def callers(text: str, file: str) -> list[Caller]:
    """Return the callers in a Python source text."""
    return sorted(_Reader(text, file).run(), key=lambda caller: caller.line)


class _Reader:
    """One source text, with its names for modules, its functions, and what is assigned to each name."""

    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.file = file
        self.lines = re.split(rb"\r\n|\r|\n", text.encode())
        self.tree = ast.parse(text)
        self.names: dict[str, str] = {}
        self.scopes: dict[ast.Call, ast.AST] = {}  # the function that each call is in, or the whole text
        self.called: dict[ast.AST, set[str]] = {}  # what is called in a function
        self.assigned: dict[str, list[tuple[int, ast.expr | None]]] = {}  # None for arguments
        self.methods: dict[ast.expr, str] = {}  # what follows a dot after an expression

    def run(self) -> Iterator[Caller]:
        inside: list[tuple[ast.AST, ast.AST]] = [(self.tree, self.tree)]
        while inside:
            node, scope = inside.pop()
            self._note(node)
            if isinstance(node, ast.Call):
                self.scopes[node] = scope
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                scope = node
            inside += [(child, scope) for child in ast.iter_child_nodes(node)]
        for values in self.assigned.values():
            values.sort(key=_line)
        for call in self.scopes:
            found = self._library(call) or self._command(call)
            if found is not None:
                yield Caller(self.file, call.lineno, *found)

    def _note(self, node: ast.AST) -> None:
        match node:
            case ast.Import(names=names):
                self.names.update({alias.asname: alias.name for alias in names if alias.asname})
            case ast.ImportFrom(names=names, module=str(module)):
                self.names.update({alias.asname or alias.name: f"{module}.{alias.name}" for alias in names})
            case ast.Assign(value=value) | ast.AnnAssign(value=value):
                for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                    if isinstance(target, ast.Name):
                        self.assigned.setdefault(target.id, []).append((node.lineno, value))
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                for argument in node.args.args:
                    self.assigned.setdefault(argument.arg, []).append((node.lineno, None))
            case ast.Attribute(value=value, attr=method):
                self.methods[value] = method

    def _called(self, node: ast.expr) -> str:
        """Return the full name of a function: ``subprocess.run`` after ``from subprocess import run``."""
        match node:
            case ast.Name(id=name):
                return self.names.get(name, name)
            case ast.Attribute(value=value, attr=name):
                return f"{self._called(value)}.{name}"
        return ""

    def _library(self, node: ast.Call) -> tuple[str, str] | None:
        name = self._called(node.func)
        path = self._source(node.args[0]) if node.args else "PATH"
        if name in ("sopsy.Sops", "sopsy.sopsy.Sops"):
            verb = self.methods.get(node, "")
            what = f"sopsy runs sops ({verb})" if verb else "sopsy runs sops"
            return what, _LIBRARY.get(verb, _LOAD).format(path)
        if "sops" in name.partition(".")[0] and name.lower().endswith("sopsconfigsettingssource"):
            return "pydantic-settings-sops runs sops", "settings_customise_sources = encrypted(PATH)"
        return None

    def _command(self, node: ast.Call) -> tuple[str, str] | None:
        name = self._called(node.func)
        given = [self._last(each) for each in node.args]
        wraps = _WRAPPER.search(name.rpartition(".")[2]) and given and isinstance(given[0], ast.List)
        if not given or (name not in _RUNNERS and not wraps):
            return None
        words = self._words(given if name == "asyncio.create_subprocess_exec" else given[:1])
        while words and words[0][0] in ("sudo", "env", "exec"):
            words = words[1:]
        if not words or os.path.basename(words[0][0] or "") not in ("sops", "sops.exe"):
            return None
        return self._meaning(node, words[1:])

    def _last(self, node: ast.expr) -> ast.expr:
        """Return what a name was last assigned above, or the node itself."""
        if not isinstance(node, ast.Name):
            return node
        values = self.assigned.get(node.id, [])
        above = bisect_left(values, node.lineno, key=_line)
        return (values[above - 1][1] if above else None) or node

    def _words(self, nodes: Sequence[ast.expr]) -> list[tuple[str | None, str]]:
        """Return the words of a command: the text of each (None if it is computed) and its source."""
        found: list[tuple[str | None, str]] = []
        for node in nodes:
            match node:
                case ast.Call(args=[command, *_]) if self._called(node.func) == "shlex.split":
                    found += self._words([self._last(command)])
                case ast.List(elts=items) | ast.Tuple(elts=items):
                    found += self._words([*map(self._last, items[:1]), *items[1:]])
                case ast.BinOp(op=ast.Add(), left=left, right=right):
                    found += self._words([left, right])
                case ast.Starred():
                    found.append((None, "…"))
                case ast.Constant(value=str(text)):
                    words = text.split() if len(nodes) == 1 else [text]
                    found += [(word, repr(word)) for word in words if word.strip("'\"")]
                case ast.JoinedStr(values=parts) if len(nodes) == 1:
                    for part in parts:
                        found += self._words([part])
                case ast.FormattedValue(value=value):
                    found.append((None, self._source(value)))
                case _:
                    program = _program(node) if node is nodes[0] else None
                    found.append((program, self._source(node)))
        return found

    def _source(self, node: ast.expr) -> str:
        # As ast.get_source_segment, which splits the whole text into lines each time.
        if node.end_lineno != node.lineno or not 0 < node.lineno <= len(self.lines):
            return "PATH"
        line = self.lines[node.lineno - 1]
        text = line[node.col_offset : node.end_col_offset].decode(errors="replace")
        return text if 0 < len(text) <= 60 else "PATH"

    def _meaning(self, node: ast.Call, words: list[tuple[str | None, str]]) -> tuple[str, str] | None:
        flags = {word for word, _ in words if word}
        values = {value for (word, _), (_, value) in pairwise(words) if word in _TAKE_VALUE}
        values |= {source for word, source in words if word in _DECRYPT}
        named = [value for (word, _), (_, value) in pairwise(words) if word == "--filename-override"]
        places = [source for word, source in words if source not in values and _may_be_path(word, source)]
        if flags & {"set", "unset"}:  # the key and the value follow the path
            places = places[1:2]
        path = [*places, *named][-1] if places or named else "PATH"
        for those, what, replacement in _VERBS:
            if flags & those:
                return what, replacement.format(path)
        if not flags & _DECRYPT:
            return None  # operators do the rest, not programs
        if flags & {*_STDIN}:
            return "decrypts a text with sops", "encconf.decrypt(text, format=…)"
        keys = next((value for (word, _), (value, _) in pairwise(words) if word == "--extract"), None)
        if keys:
            return "reads one value with sops", f"encconf.load_config({path}){keys}"
        to_file = any(key.arg == "stdout" and self._called(key.value) not in _PIPES for key in node.keywords)
        if to_file or flags & {"-i", "--in-place", "--output", "-o"}:
            return (
                "writes the plaintext to a file with sops",
                f"encconf.load_config({path}), and no file; or encconf.decrypt(text, format=…)",
            )
        return f"reads a file with sops{self._parser(node)}", f"encconf.load_config({path})"

    def _parser(self, node: ast.Call) -> str:
        """Return how the output is parsed, if the same function parses it, or ""."""
        scope = self.scopes[node]
        if scope not in self.called:
            calls = (each for each in ast.walk(scope) if isinstance(each, ast.Call))
            self.called[scope] = {self._called(each.func) for each in calls}
        parser = next((parser for name, parser in _PARSERS.items() if name in self.called[scope]), "")
        return f" and parses it as {parser}" if parser else ""


def _line(assigned: tuple[int, ast.expr | None]) -> int:
    return assigned[0]


def _may_be_path(word: str | None, source: str) -> bool:
    """Whether a word may be the path.  sops wants it after the flags and their values."""
    return source != "…" and (word is None or not (word in _STDIN or word.startswith(("-", "2>"))))


def _program(node: ast.expr) -> str | None:
    """Return a program's name from ``BIN / "sops"``, ``joinpath("bin", "sops")`` or ``which("sops")``."""
    match node:
        case ast.BoolOp(values=[first, *_]):
            return _program(first)
        case ast.BinOp(op=ast.Div(), right=ast.Constant(value=str(name))):
            return name
        case ast.Call(args=[*_, ast.Constant(value=str(name))]):
            return name
    return None


_LOAD = "encconf.load_config({})"
_LIBRARY = {
    "decrypt": _LOAD,
    "get": "encconf.load_config({})[…]",
    "set": "with encconf.edit({}) as doc: doc[…] = value",
    "encrypt": "encconf.encrypt(text, encconf.find_rule({}), format=…)",
}
_PARSERS = {
    "yaml.safe_load": "YAML",
    "yaml.load": "YAML",
    "json.loads": "JSON",
    "json.load": "JSON",
    "dotenv.dotenv_values": "dotenv",
    "dotenv.load_dotenv": "dotenv",
}


_STDIN = ("/dev/stdin", "-")
_DECRYPT = {"-d", "--decrypt", "decrypt"}
_TAKE_VALUE = {
    *("--set", "--extract", "--input-type", "--output-type", "--output", "-o", "--config"),
    *("--filename-override", "--encrypted-regex", "--unencrypted-regex", "--encrypted-suffix"),
    *(f"--{row.option}" for row in TABLE.values()),
    *(row.short for row in TABLE.values() if row.short),
}
_VERBS = (
    ({"exec-env", "exec-file"}, "runs a program with sops", "encconf exec FILE -- PROGRAM"),
    ({"-e", "--encrypt", "encrypt"}, "encrypts with sops", _LIBRARY["encrypt"]),
    ({"set", "--set", "unset"}, "sets a value with sops", _LIBRARY["set"]),
)
_PIPES = {"subprocess.PIPE", "asyncio.subprocess.PIPE", "subprocess.DEVNULL"}
