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
from collections.abc import Iterator, Sequence
from itertools import pairwise

from encconf.keys import TABLE
from encconf.record import Record

_RUNNERS = {
    *("subprocess.run", "subprocess.check_output", "subprocess.check_call", "subprocess.call"),
    *("subprocess.Popen", "subprocess.getoutput", "subprocess.getstatusoutput", "os.system", "os.popen"),
    *("asyncio.create_subprocess_exec", "asyncio.create_subprocess_shell"),
}
_WRAPPER = re.compile(r"run|exec|call|popen|output|cmd|command", re.IGNORECASE)
"""Names of functions that run a command, such as ``run_cmd``."""
_TAKES_VALUE = {
    *("--input-type", "--output-type", "--extract", "--output", "-o", "--config", "--filename-override"),
    *(name for row in TABLE.values() for name in (f"--{row.option}", row.short) if name),
    *("--set", "--aws-profile", "--keyservice", "--encrypted-regex", "--unencrypted-regex"),
}
LIMIT = 1 << 20
"""The largest source file that is read, in bytes (1 MiB)."""


class Caller(Record):
    """One place that runs sops: ``file``, ``line``, ``what`` it does, and the ``replacement`` in Python."""

    file: str
    line: int
    what: str
    replacement: str

    def to_json(self) -> dict[str, object]:
        """Return its members as JSON data."""
        return vars(self)


def search(file: str) -> list[Caller]:
    """Return the callers in a Python file, or none if it cannot be read."""
    try:
        with open(file, "rb") as source:
            text = source.read(LIMIT + 1)
        return callers(text.decode(), file) if len(text) <= LIMIT and b"sops" in text else []
    except (OSError, ValueError, SyntaxError, RecursionError):
        return []  # the file is not Python, or is for another version of Python


def callers(text: str, file: str) -> list[Caller]:
    """Return the callers in a Python source text."""
    return sorted(_Reader(text, file).run(), key=lambda caller: caller.line)


class _Reader:
    """One source text, with its names for modules and the parent of each node."""

    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.file = file
        self.tree = ast.parse(text)
        self.names: dict[str, str] = {}
        self.parents: dict[ast.AST, ast.AST] = {}

    def run(self) -> Iterator[Caller]:
        for node in ast.walk(self.tree):
            for child in ast.iter_child_nodes(node):
                self.parents[child] = node
            if isinstance(node, ast.Import):
                for alias in node.names:
                    self.names[alias.asname or alias.name.partition(".")[0]] = alias.name
            elif isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    self.names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                found = self._library(node) or self._command(node)
                if found is not None:
                    yield Caller(self.file, node.lineno, *found)

    def _called(self, node: ast.expr) -> str:
        """Return the full name of a function: ``subprocess.run`` after ``from subprocess import run``."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            return f"{self._called(node.value)}.{node.attr}"
        return ""

    def _library(self, node: ast.Call) -> tuple[str, str] | None:
        name = self._called(node.func)
        path = self._source(node.args[0]) if node.args else "PATH"
        if name in ("sopsy.Sops", "sopsy.sopsy.Sops"):
            outer = self.parents.get(node)
            verb = outer.attr if isinstance(outer, ast.Attribute) else ""
            what = f"sopsy runs sops ({verb})" if verb else "sopsy runs sops"
            return what, _LIBRARY.get(verb, _LOAD).format(path)
        if "sops" in name.partition(".")[0] and name.lower().endswith("sopsconfigsettingssource"):
            return "pydantic-settings-sops runs sops", "settings_customise_sources = encrypted(PATH)"
        return None

    def _command(self, node: ast.Call) -> tuple[str, str] | None:
        name = self._called(node.func)
        given = [self._assigned(each) for each in node.args]
        wraps = _WRAPPER.search(name.rpartition(".")[2]) and given and isinstance(given[0], ast.List)
        if not given or (name not in _RUNNERS and not wraps):
            return None
        words = self._words(given if name == "asyncio.create_subprocess_exec" else given[:1])
        while words and words[0][0] in ("sudo", "env", "exec"):
            words = words[1:]
        if not words or os.path.basename(words[0][0] or "") not in ("sops", "sops.exe"):
            return None
        return self._meaning(node, words[1:])

    def _assigned(self, node: ast.expr) -> ast.expr:
        """Return the value last assigned to a name, in the function or else the module.

        Any other node is returned as it is.
        """
        scope: ast.AST = node
        while isinstance(node, ast.Name) and scope in self.parents:
            scope = self.parents[scope]
            if isinstance(scope, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Module)):
                given = [
                    each
                    for each in ast.walk(scope)
                    if isinstance(each, (ast.Assign, ast.AnnAssign))
                    and each.lineno < node.lineno
                    and node.id in _named_by(each)
                ]
                if given:
                    return max(given, key=lambda each: each.lineno).value or node
                if not isinstance(scope, ast.Module) and node.id in {each.arg for each in scope.args.args}:
                    return node
        return node

    def _words(self, nodes: Sequence[ast.expr]) -> list[tuple[str | None, str]]:
        """Return the words of a command: the text of each (None if it is computed) and its source."""
        found: list[tuple[str | None, str]] = []
        for node in nodes:
            if isinstance(node, ast.Call) and self._called(node.func) == "shlex.split" and node.args:
                found += self._words([self._assigned(node.args[0])])
            elif isinstance(node, (ast.List, ast.Tuple)):
                elements = [self._assigned(each) if at == 0 else each for at, each in enumerate(node.elts)]
                found += self._words(elements)
            elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
                found += self._words([node.left, node.right])
            elif isinstance(node, ast.Starred):
                found.append((None, "…"))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                parts = node.value.split() if len(nodes) == 1 else [node.value]
                found += [(word, repr(word)) for word in parts]
            elif node is nodes[0] and (program := _program(node)):
                found.append((program, self._source(node)))
            elif isinstance(node, ast.JoinedStr) and len(nodes) == 1:
                found += self._formatted(node)
            else:
                found.append((None, self._source(node)))
        return found

    def _formatted(self, node: ast.JoinedStr) -> list[tuple[str | None, str]]:
        """Return the words of ``f"sops -d {path}"``.  An expression is one word."""
        found: list[tuple[str | None, str]] = []
        for part in node.values:
            if isinstance(part, ast.Constant):
                found += [(word, repr(word)) for word in str(part.value).split() if word.strip("'\"")]
            elif isinstance(part, ast.FormattedValue):
                found.append((None, self._source(part.value)))
        return found

    def _source(self, node: ast.expr) -> str:
        text = ast.get_source_segment(self.text, node) or "PATH"
        return text if "\n" not in text and len(text) <= 60 else "PATH"

    def _meaning(self, node: ast.Call, words: list[tuple[str | None, str]]) -> tuple[str, str] | None:
        flags = {word for word, _ in words if word}
        paths = _positional(words)
        if flags & {"exec-env", "exec-file"}:
            return "runs a program with sops", "encconf exec FILE -- PROGRAM"
        path = paths[-1] if paths else "PATH"
        if flags & {"-e", "--encrypt", "encrypt"}:
            return "encrypts with sops", f"encconf.encrypt(text, encconf.find_rule({path}), format=…)"
        if flags & {"set", "--set", "unset"}:
            return "sets a value with sops", f"with encconf.edit({path}) as doc: doc[…] = value"
        if not flags & {"-d", "--decrypt", "decrypt"}:
            return None  # operators do the rest, not programs
        keys = next((value for (word, _), (value, _) in pairwise(words) if word == "--extract"), None)
        if keys:
            return "reads one value with sops", f"encconf.load_config({path}){keys}"
        if flags & {"-i", "--in-place", "--output", "-o"} or any(
            key.arg == "stdout" and self._is_file(key.value) for key in node.keywords
        ):
            return (
                "writes the plaintext to a file with sops",
                f"encconf.load_config({path}), and no file; or encconf.decrypt(text, format=…)",
            )
        parser = self._parser(node)
        return f"reads a file with sops{parser}", f"encconf.load_config({path})"

    def _is_file(self, node: ast.expr) -> bool:
        return self._called(node) not in ("subprocess.PIPE", "asyncio.subprocess.PIPE", "subprocess.DEVNULL")

    def _parser(self, node: ast.Call) -> str:
        """Return how the output is parsed, if the same function parses it, or ""."""
        scope: ast.AST = node
        while scope in self.parents and not isinstance(scope, (ast.FunctionDef, ast.AsyncFunctionDef)):
            scope = self.parents[scope]
        calls = {self._called(each.func) for each in ast.walk(scope) if isinstance(each, ast.Call)}
        parser = next((parser for name, parser in _PARSERS.items() if name in calls), "")
        return f" and parses it as {parser}" if parser else ""


def _program(node: ast.expr) -> str:
    """Return a program's name from ``BIN / "sops"``, ``joinpath("bin", "sops")`` or ``which("sops")``."""
    if isinstance(node, ast.BoolOp):
        node = node.values[0]
    last = node.right if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) else None
    if isinstance(node, ast.Call) and node.args:
        last = node.args[-1]
    return last.value if isinstance(last, ast.Constant) and isinstance(last.value, str) else ""


def _named_by(node: ast.Assign | ast.AnnAssign) -> set[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return {target.id for target in targets if isinstance(target, ast.Name)}


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


def _positional(words: list[tuple[str | None, str]]) -> list[str]:
    """Return the source of each word that is not a flag, the value of a flag, or a subcommand."""
    found: list[str] = []
    before = ""
    for word, source in words:
        positional = word is None or not word.startswith("-")
        if positional and before not in _TAKES_VALUE and word not in _VERBS and source != "…":
            found.append(source)
        before = word or ""
    return found


_VERBS = {"decrypt", "encrypt", "exec-env", "exec-file", "set", "unset", "edit", "2>/dev/null"}
