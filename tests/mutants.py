"""Mutation testing of the modules that make decisions: `make mutants`.

    .venv/bin/python tests/mutants.py [--sample 40] [--seed 0] [--limit 0] [--without sops] [MODULE…]

A mutant is a module with one small fault: a comparison or a term of a condition is changed, a guard, a
``raise`` or a call is removed, a number is off by one, or two arguments are swapped.  Each mutant runs in a
fork of a process that has imported and run the module's tests already.  The fork runs the tests that reach
the changed line, the fastest first.  If one fails, the mutant is killed.  Commands that tests run with
`Project` run the mutant, too.  On a busy machine, ``--limit`` and ``--without`` leave out tests: then look at
a mutant that survives again with ``--only`` and all tests.

``tests/mutants.toml`` lists mutants that behave like the original, or differ only in a message, with the
reason.  They are not counted.  The exit code is 1 if fewer than 95 % of the others are killed, or if the list
names a mutant that a module does not have (any more).

mutmut, cosmic-ray and mutatest are not used, because none of them removes guards, raises and terms of
conditions.  The last two also start pytest for each mutant, which takes as long as a whole test file.
"""

from __future__ import annotations

import argparse
import ast
import builtins
import contextlib
import copy
import gc
import importlib
import inspect
import json
import os
import random
import re
import resource
import select
import shutil
import signal
import socket
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import hypothesis
import pytest
from _pytest.runner import runtestprotocol

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PACKAGE = ROOT / "encconf"
LIST = HERE / "mutants.toml"
WANTED = 0.95

GROUPS = {
    "engine": [
        f"engine/{name}.py"
        for name in ("reuse", "opening", "mac", "plaintext", "sealing", "metadata", "layout", "cipher")
    ],
    "engine/test_admission.py engine/test_gate.py engine/test_objections.py envelope/test_wrap.py": [
        "engine/admission.py"
    ],
    "engine/test_checks.py": ["engine/checks.py"],
    "engine/test_loading.py engine/test_opening.py engine/test_lost_block.py shape settings": [
        "engine/loading.py"
    ],
    "envelope engine/test_gate.py": [
        f"envelope/{name}.py" for name in ("__init__", "shamir", "unwrap", "wrap")
    ],
    "rules/test_selection.py": ["rules/selection.py"],
    "rules": ["rules/config.py", "rules/pattern.py", "rules/plain_pattern.py"],
    "merge": [f"merge/{name}.py" for name in ("__init__", "trees", "values")],
    "git/test_block.py git/test_conflict.py git/test_keyless.py git/test_merge*.py git/test_ours.py"
    " cli/test_strangers.py": [
        "git/merge.py",
        "git/conflict.py",
    ],
    "git/test_attributes.py git/test_git.py git/test_install.py git/test_ours.py git/test_worktree.py": [
        "git/__init__.py",
        "git/attributes.py",
    ],
    "git/test_companion.py git/test_textconv.py": ["git/textconv.py"],
    "sources/test_address.py sources/test_reference*.py": ["sources/references.py"],
    "sources/test_address.py sources/test_double.py sources/test_reference*.py sources/test_[cefs]*.py": [
        "sources/__init__.py"
    ],
    "engine/test_changes.py engine/test_effects.py cli/test_propose.py cli/test_values.py": [
        "engine/changes.py",
        "engine/effects.py",
        "verbs/set.py",
    ],
    "engine/test_recipients.py verbs/test_rekey.py cli/test_rekeying.py cli/test_plan_text.py": [
        "engine/recipients.py",
        "verbs/rekey.py",
    ],
    "cli/test_checklist.py cli/test_keys.py cli/test_rekeying.py cli/test_strangers.py": [
        "verbs/recipients.py"
    ],
    "cli/test_propose.py": ["verbs/proposals.py"],
    "verbs/test_rule.py": ["verbs/rule.py"],
    "cli/test_strangers.py git/test_copies.py": ["git/copies.py"],
    "cli/test_flat.py formats/test_[bdefw]*.py formats/test_yaml_emit.py formats/test_*_tree.py": [
        f"formats/{name}.py" for name in ("__init__", "emit", "flat", "writing")
    ],
    "formats/test_yaml*.py formats/test_[ew]*.py engine/test_plaintext.py engine/test_seal*.py": [
        "formats/yaml.py",
        "formats/yaml_prepare.py",
    ],
    "formats/test_goyaml.py formats/test_yaml_words.py formats/test_yaml_emit.py": ["formats/goyaml.py"],
    "formats/test_yaml*.py": [
        f"formats/{name}.py"
        for name in (
            "yaml_comments",
            "yaml_events",
            "yaml_fast",
            "yaml_layout",
            "yaml_words",
        )
    ],
    "formats/test_dotenv*.py formats/test_[ew]*.py engine/test_changes.py merge/test_reading.py"
    " settings/test_dotenv.py": [
        "formats/dotenv.py",
        "formats/dotenv_tree.py",
    ],
    "formats/test_ini*.py formats/test_[ew]*.py engine/test_changes.py": [
        "formats/ini.py",
        "formats/ini_tree.py",
    ],
    "formats/test_json*.py formats/test_[ew]*.py engine/test_changes.py": [
        "formats/json.py",
        "formats/json_tree.py",
    ],
    "formats/test_toml*.py formats/test_[ew]*.py engine/test_changes.py": [
        "formats/toml.py",
        "formats/toml_tree.py",
    ],
    "keys/test_keys.py plugins/test_key_type.py rules envelope engine/test_metadata.py": ["keys/__init__.py"],
    "keys/test_own.py": ["keys/own.py"],
    "keys/test_age*.py keys/test_bech32.py keys/test_own.py keys/test_ssh*.py": [
        "keys/age.py",
        "keys/bech32.py",
    ],
    "identities": [f"identities/{name}.py" for name in ("command", "credentials", "userconfig")],
    "io/test_programs.py": ["io/programs.py"],
    "io/test_locks.py io/test_faults.py io/test_inplace.py io/test_replace.py": ["io/locks.py"],
    "io": [f"io/{name}.py" for name in ("replace", "fileio", "private", "descriptors")],
    "io/test_trust.py": ["io/trust.py"],
    "settings shape/test_arguments.py": [
        f"settings/{name}.py" for name in ("dotenv", "edit", "layers", "watch")
    ],
    "shape": [f"shape/{name}.py" for name in ("mask", "redact", "schema", "values")],
    "text": [f"text/{name}.py" for name in ("align", "path", "printable", "words")],
    "merge engine/test_changes.py formats/test_*_tree.py formats/test_writing.py text/test_tree.py"
    " formats/test_yaml_edits.py formats/test_yaml_layout.py formats/test_yaml_marks.py": [
        "formats/yaml_tree.py",
        "text/tree.py",
    ],
    "text formats/test_[defjw]*.py formats/test_yaml_places.py": ["text/document.py"],
    "audit/test_across.py audit/test_leavers.py cli/test_access.py": ["audit/leaving.py"],
    "audit/test_names.py audit/test_pairing.py audit/test_ssh_origins.py cli/test_rekeying.py": [
        "audit/names.py"
    ],
    "audit/test_guesses.py audit/test_plain.py": ["audit/guesses.py"],
    "audit/test_[df]*.py audit/test_pairing.py audit/test_sides.py cli/test_diff.py": ["audit/diff.py"],
    "audit/test_[fhrsv]*.py audit/test_check.py audit/test_explain.py": ["audit/sealed.py"],
    "audit/test_check.py audit/test_explain.py audit/test_f*.py audit/test_rule*.py": ["audit/rulebook.py"],
}
"""The modules, by the tests that must kill their mutants.  The paths of tests are relative to ``tests``."""

_TYPICAL_SECONDS = 1.0
"""A CPU time.  Tests that take longer run only for mutants that survive the other tests."""


@dataclass
class Mutant:
    """One mutant.  ``put`` changes the module's syntax tree.

    ``lines`` are those of the changed statement, or only of its head if it has a body.
    """

    name: str
    qualname: str
    lines: range
    put: Callable[[], None]
    in_defaults: bool = False


_SWAPPED: dict[type[ast.cmpop], list[type[ast.cmpop]]] = {
    ast.Eq: [ast.NotEq],
    ast.NotEq: [ast.Eq],
    ast.Lt: [ast.LtE, ast.GtE],
    ast.LtE: [ast.Lt, ast.Gt],
    ast.Gt: [ast.GtE, ast.LtE],
    ast.GtE: [ast.Gt, ast.Lt],
    ast.Is: [ast.IsNot],
    ast.IsNot: [ast.Is],
    ast.In: [ast.NotIn],
    ast.NotIn: [ast.In],
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitOr,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
_NAMES = {"any": "all", "all": "any", "min": "max", "max": "min"}
_LEAVES = (ast.Return, ast.Raise, ast.Continue, ast.Break)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, (ast.JoinedStr, ast.List, ast.Tuple)) or (
        isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes))
    )


def _expressions(node: ast.AST) -> Iterator[ast.AST]:
    """Yield replacements for an expression, each with one fault."""
    match node:
        case ast.Compare(ops=ops):
            for at, op in enumerate(ops):
                for other in _SWAPPED[type(op)]:
                    changed = copy.deepcopy(node)
                    changed.ops[at] = other()
                    yield changed
        case ast.BoolOp(op=op, values=values):
            yield ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values)
            for at in range(len(values)):
                rest = [*values[:at], *values[at + 1 :]]
                yield ast.BoolOp(op, rest) if len(rest) > 1 else rest[0]
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield operand
        case ast.IfExp(body=body, orelse=orelse):
            yield body
            yield orelse
        case ast.Constant(value=bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(value=int() as value):
            yield ast.Constant(value + 1)
            yield ast.Constant(value - 1)
        case ast.Constant(value=bytes() as value) if value:
            yield ast.Constant(value[:-1] + bytes([value[-1] ^ 1]))
        case ast.BinOp(left=left, op=op, right=right):
            if type(op) in _OPERATORS and not (_is_text(left) or _is_text(right)):
                yield ast.BinOp(left, _OPERATORS[type(op)](), right)
        case ast.Slice(lower=lower, upper=upper, step=step):
            if lower is not None:
                yield ast.Slice(None, upper, step)
            if upper is not None:
                yield ast.Slice(lower, None, step)
        case ast.Call(func=func, args=args, keywords=keywords):
            if isinstance(func, ast.Name) and func.id in _NAMES:
                yield ast.Call(ast.Name(_NAMES[func.id], ast.Load()), args, keywords)
                return  # the order of their arguments does not matter
            for at, (one, other) in enumerate(pairwise(args)):
                if ast.dump(one) != ast.dump(other) and not _is_text(one) and not _is_text(other):
                    yield ast.Call(func, [*args[:at], other, one, *args[at + 2 :]], keywords)
        case ast.comprehension(target=target, iter=iter, ifs=ifs):
            for at in range(len(ifs)):
                yield ast.comprehension(target, iter, [*ifs[:at], *ifs[at + 1 :]], node.is_async)


def _statements(node: ast.stmt) -> Iterator[ast.stmt]:
    """Yield replacements for a statement, each with one fault."""
    match node:
        case ast.If(test=test, body=body, orelse=orelse):
            if isinstance(body[-1], _LEAVES) and not orelse:
                yield ast.Pass()
            elif not isinstance(test, (ast.Compare, ast.UnaryOp)):
                yield ast.If(ast.UnaryOp(ast.Not(), test), body, orelse)
        case ast.Raise() | ast.Expr(value=ast.Call()):
            yield ast.Pass()
        case ast.Return(value=value) if value is not None and not (
            isinstance(value, ast.Constant) and value.value is None
        ):
            yield ast.Return(ast.Constant(None))
        case ast.AugAssign(target=target, op=op, value=value) if type(op) in _OPERATORS:
            yield ast.AugAssign(target, _OPERATORS[type(op)](), value)
        case ast.Continue():
            yield ast.Break()
        case ast.Break():
            yield ast.Continue()


def _short(node: ast.AST) -> str:
    text = ast.unparse(node) if not isinstance(node, ast.Slice) else ast.unparse(node) or ":"
    first, more, _ = text.partition("\n")
    return (first[:90] + "…") if more or len(first) > 90 else first


class _Finder:
    """Collects the mutants of a syntax tree."""

    def __init__(self, tree: ast.Module) -> None:
        self.found: list[Mutant] = []
        self.seen: Counter[str] = Counter()
        self.scope: list[str] = []
        self.lines = range(0)
        self.in_defaults = False
        self.answers = False  # whether the function returns a bool
        self._block(tree, "body")

    def _block(self, owner: ast.AST, field: str) -> None:
        block: list[ast.stmt] = getattr(owner, field)
        for at, node in enumerate(block):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                continue  # a docstring
            if isinstance(node, (ast.Import, ast.ImportFrom, ast.Assert)) or _for_types(node):
                continue
            if isinstance(node, ast.If) and "sys.platform == 'win32'" in ast.unparse(node.test):
                self._block(node, "orelse")  # nothing that these tests run reaches the rest
                continue
            inner = [each for name in ("body", "orelse", "handlers") for each in getattr(node, name, ())]
            ends = inner[0].lineno if inner else (node.end_lineno or 0) + 1
            # A decorated function or class begins at its first decorator.
            first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))])
            self.lines = range(first, max(ends, node.lineno + 1))
            if not (self.answers and isinstance(node, ast.Return) and ast.unparse(node) == "return False"):
                # Where a function answers yes or no, None is as good as False.
                for other in _statements(node):
                    self._add(node, other, lambda at=at, other=other: block.__setitem__(at, other))  # type: ignore[misc]
            self._inside(node)

    def _inside(self, node: ast.stmt) -> None:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)):
            outer, answers = self.scope, self.answers
            if isinstance(node, ast.ClassDef):
                self.scope = [*outer, node.name]
            else:
                self.answers = node.returns is not None and ast.unparse(node.returns) == "bool"
                inner = "<locals>" in outer or bool(outer and outer[-1].startswith("def "))
                self.scope = outer if inner else [*outer, f"def {node.name}"]
                self.in_defaults = not inner
                for field in ("defaults", "kw_defaults"):
                    for at, default in enumerate(getattr(node.args, field)):
                        if default is not None:
                            self._expression(node.args, field, at)
                self.in_defaults = False
            self._block(node, "body")
            self.scope, self.answers = outer, answers
            return
        if isinstance(node, ast.Raise):
            return  # its other parts are the message
        for field, value in ast.iter_fields(node):
            if field == "annotation":
                continue
            if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
                saved = self.lines
                self._block(node, field)
                self.lines = saved
            elif isinstance(value, list) and value and isinstance(value[0], ast.ExceptHandler):
                for handler in value:
                    self._block(handler, "body")
            elif isinstance(value, list):
                for at, each in enumerate(value):
                    if isinstance(each, ast.AST):
                        self._expression(node, field, at)
            elif isinstance(value, ast.AST):
                self._expression(node, field, None)

    def _expression(self, owner: ast.AST, field: str, at: int | None) -> None:
        node = getattr(owner, field) if at is None else getattr(owner, field)[at]
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.keyword) and node.arg == "strict"):
            return  # a message, or an argument `strict` of `zip`, which is only a check
        for other in _expressions(node):

            def put(other: ast.AST = other) -> None:
                if at is None:
                    setattr(owner, field, other)
                else:
                    getattr(owner, field)[at] = other

            self._add(node, other, put)
        for name, value in ast.iter_fields(node):
            if isinstance(value, list):
                for index, each in enumerate(value):
                    if isinstance(each, ast.AST):
                        self._expression(node, name, index)
            elif isinstance(value, ast.AST):
                self._expression(node, name, None)

    def _add(self, node: ast.AST, other: ast.AST, put: Callable[[], None]) -> None:
        if self.scope and not self.scope[-1].startswith("def "):
            return  # slots and fields in the body of a class
        qualname = ".".join(each.removeprefix("def ") for each in self.scope)
        name = f"{qualname or 'module'}: {_short(node)} → {_short(other)}"
        self.seen[name] += 1
        if self.seen[name] > 1:
            name += f" ({self.seen[name]})"
        self.found.append(Mutant(name, qualname, self.lines, put, self.in_defaults))


def _for_types(node: ast.stmt) -> bool:
    """Whether a statement is only for the type checker."""
    named = (
        node.test if isinstance(node, ast.If) else node.targets[0] if isinstance(node, ast.Assign) else None
    )
    return isinstance(named, ast.Name) and named.id == "TYPE_CHECKING"


def _functions(module: ModuleType) -> dict[tuple[str, int], FunctionType]:
    """Return the functions that a module defines, by qualified name and first line."""
    found: dict[tuple[str, int], FunctionType] = {}

    def look(value: Any) -> None:
        for name in ("__wrapped__", "__func__", "fget", "fset", "func"):
            inner = inspect.getattr_static(value, name, None)
            if inner is not None and not isinstance(value, type):
                look(getattr(value, name, None))
        if isinstance(value, FunctionType) and value.__code__.co_filename == module.__file__:
            found[value.__code__.co_qualname, value.__code__.co_firstlineno] = value
        if isinstance(value, type) and value.__module__ == module.__name__:
            for each in vars(value).values():
                look(each)

    for value in list(vars(module).values()):
        look(value)
    return found


def _codes(code: CodeType) -> Iterator[CodeType]:
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield each
            yield from _codes(each)


def _install(module: ModuleType, tree: ast.Module, mutant: Mutant) -> bool:
    """Change the module in this process into the mutant.  Returns False if that is impossible."""
    ast.fix_missing_locations(tree)
    compiled = compile(tree, str(module.__file__), "exec")
    if not mutant.qualname:
        before = dict(vars(module))
        exec(compiled, module.__dict__)
        new = dict(vars(module))
        changed = {
            name: new[name]
            for name in new
            if not isinstance(new[name], (FunctionType, type)) and new[name] is not before.get(name)
        }
        vars(module).update(before)
        vars(module).update(changed)
        ours = [each for name, each in sys.modules.items() if name.startswith("encconf")]
        for name, value in changed.items():
            for other in ours:  # it may have the name from `from module import NAME`
                if vars(other).get(name, other) is before.get(name):
                    setattr(other, name, value)
        return True
    functions = _functions(module)
    done = False
    for code in _codes(compiled):
        if code.co_qualname == mutant.qualname:
            function = functions.get((code.co_qualname, code.co_firstlineno))
            if function is not None:
                function.__code__ = code
                done = True
    if mutant.in_defaults:
        done = False
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
                function = functions.get((mutant.qualname, first))
                if function is not None:
                    values = [_value(each, module) for each in node.args.defaults]
                    function.__defaults__ = tuple(values) or None
                    pairs = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
                    named = {arg.arg: _value(each, module) for arg, each in pairs if each is not None}
                    function.__kwdefaults__ = named or None
                    done = True
    return done


def _value(node: ast.expr, module: ModuleType) -> Any:
    return eval(compile(ast.fix_missing_locations(ast.Expression(node)), "default", "eval"), vars(module))


_RECORDER = """\
import atexit, builtins, os
lines = set()
builtins._reached = lines.add
def save():
    try:
        with open(os.path.join(OUT, str(os.getpid())), "w") as file:
            file.writelines(f"{line}\\n" for line in lines)
    except OSError:  # a test may limit how much may be written
        pass
def leave(code, end=os._exit):  # as the command line does
    save()
    end(code)
os._exit = leave
atexit.register(save)
"""
"""The code that saves which lines a program reaches.  Programs that tests start run it first."""


class _Reporter(ast.NodeTransformer):
    """Changes a module so that each statement of a function says first that it is reached.

    This takes a few percent of the time of tests.  With `sys.settrace`, each call of any function takes time.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.inside = False

    def _reached(self, node: ast.stmt) -> ast.stmt:
        call = ast.Call(ast.Name("_reached", ast.Load()), [ast.Constant(f"{self.path} {node.lineno}")], [])
        return ast.fix_missing_locations(ast.copy_location(ast.Expr(call), node))

    def generic_visit(self, node: ast.AST) -> ast.AST:
        outer = self.inside
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            self.inside = True
        elif isinstance(node, ast.ClassDef):
            self.inside = False
        super().generic_visit(node)
        if self.inside:
            for field in ("body", "orelse", "finalbody"):
                block = getattr(node, field, None)
                if isinstance(block, list):
                    setattr(node, field, [new for each in block for new in (self._reached(each), each)])
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            node.body.insert(0, self._reached(node))
            if (text := ast.get_docstring(node, clean=False)) is not None:
                node.body.insert(0, ast.copy_location(ast.Expr(ast.Constant(text)), node))
        self.inside = outer
        return node


def _reporting(path: str) -> ast.Module:
    tree: ast.Module = _Reporter(path).visit(ast.parse(_source(path)))
    return ast.fix_missing_locations(tree)


def _let_report(path: str) -> list[tuple[FunctionType, CodeType]]:
    """Let the functions of a module report what they reach.  Returns the functions with their own code."""
    module = _module(path)
    compiled = compile(_reporting(path), str(module.__file__), "exec")
    codes = {(each.co_qualname, each.co_firstlineno): each for each in _codes(compiled)}
    found = _functions(module)
    originals = [(function, function.__code__) for function in found.values()]
    for key, function in found.items():
        function.__code__ = codes[key]
    return originals


class Runner:
    """The mutants of a group's modules, inside a pytest session (`pytest_runtestloop`)."""

    def __init__(
        self, paths: list[str], options: argparse.Namespace, listed: dict[str, dict[str, str]]
    ) -> None:
        self.paths = paths
        self.options = options
        self.listed = listed
        self.lines: dict[str, set[str]] = {}
        self.seconds: dict[str, float] = {}
        self.commands: set[str] = set()
        self.kills: Counter[str] = Counter()
        self.failed = True

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> None:
        """Let Hypothesis search for no shorter example of a failure."""
        del session
        phases = [hypothesis.Phase.explicit, hypothesis.Phase.generate]
        hypothesis.settings.register_profile("mutants", hypothesis.settings(phases=phases))
        hypothesis.settings.load_profile("mutants")

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run each test once, and then try the mutants."""
        import forks
        import project

        self.trees = {path: ast.parse(_source(path)) for path in self.paths}
        self.found = {path: _Finder(tree).found for path, tree in self.trees.items()}
        with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
            self.copy = Path(folder, "package")
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(PACKAGE, self.copy / "encconf", ignore=ignored)
            self.out = Path(folder, "lines")
            self.starter = self._start()
            with self.starter:
                without = self.options.without
                session.items = [item for item in session.items if without not in item.fixturenames]  # type: ignore[attr-defined]
                wrong = self._run_once(session.items, Path(folder))
                project.ROOT = forks.ROOT = self.copy  # the programs that `Project` starts run the copy
                if wrong:
                    print("these tests fail without a mutant:", *wrong, sep="\n    ")
                self.items = [item for item in session.items if item.nodeid not in wrong]
                gc.freeze()  # so that forks share this memory
                done = [self._mutate(path) for path in self.paths]
                self.failed = bool(wrong) or not all(done)
        return True

    def _start(self) -> socket.socket:
        """Start a process that has run no test, and starts servers of tests/forks.py with a mutant."""
        import forks

        ours, theirs = socket.socketpair()
        if os.fork() == 0:
            try:
                ours.close()
                os.setsid()
                signal.signal(signal.SIGCHLD, signal.SIG_IGN)
                forks.load()
                while True:
                    said, descriptors, _, _ = socket.recv_fds(theirs, 4096, 1)
                    if not said:
                        os._exit(0)
                    pid = os.fork()
                    if pid == 0:
                        theirs.close()
                        self._serve(socket.socket(fileno=descriptors[0]), *json.loads(said))
                    os.close(descriptors[0])
                    theirs.sendall(pid.to_bytes(4, "little"))
            finally:
                os._exit(1)
        theirs.close()
        return ours

    def _serve(self, control: socket.socket, path: str, at: int) -> None:
        """Be a server of tests/forks.py with a mutant, or with all modules reporting if there is no path."""
        import forks

        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
        if path:
            self.found[path][at].put()
            _install(_module(path), self.trees[path], self.found[path][at])
        else:
            for each in self.paths:
                _let_report(each)
            exec(_RECORDER, {"OUT": str(self.out)})
        forks._serve(control)
        from encconf.cli import run

        run()

    def _server(self, path: str = "", at: int = 0) -> tuple[int, socket.socket]:
        """Let commands of this process and its forks run in a new server.  Returns its process group."""
        import forks

        ours, theirs = socket.socketpair()
        socket.send_fds(self.starter, [json.dumps([path, at]).encode()], [theirs.fileno()])
        theirs.close()
        forks._server = lambda: ours  # type: ignore[assignment]
        return int.from_bytes(self.starter.recv(4, socket.MSG_WAITALL), "little"), ours

    def _run_once(self, items: list[pytest.Item], folder: Path) -> list[str]:
        """Record the time of each test and the lines that it reaches.  Returns the tests that fail."""
        import forks
        import project

        recorder = folder / "recorder"
        self.out.mkdir()
        recorder.mkdir()
        (recorder / "sitecustomize.py").write_text(f"OUT = {str(self.out)!r}\n{_RECORDER}")
        for path in self.paths:
            (self.copy / "encconf" / path).write_text(ast.unparse(_reporting(path)))
        project.ROOT = forks.ROOT = f"{self.copy}{os.pathsep}{recorder}"  # type: ignore[assignment]
        _, server = self._server()
        can_fork = forks._can_start_the_same

        def noted(environ: Mapping[str, str]) -> bool:
            nonlocal command
            command = True
            return can_fork(environ)

        forks._can_start_the_same = noted
        originals = [each for path in self.paths for each in _let_report(path)]
        reached: set[str] = set()
        builtins._reached = reached.add  # type: ignore[attr-defined]
        wrong = []
        for item in items:
            item.location  # found now, since a test may pretend to be on another system  # noqa: B018
        for item, following in zip(items, [*items[1:], *items[:1]], strict=True):
            reached.clear()
            command = False
            start = _cpu()
            reports = runtestprotocol(item, log=False, nextitem=following)
            for each in self.out.iterdir():
                reached.update(each.read_text().splitlines())
                each.unlink()
            self.seconds[item.nodeid] = _cpu() - start
            self.lines[item.nodeid] = set(reached)
            if command:
                self.commands.add(item.nodeid)
            if any(report.failed for report in reports):
                wrong.append(item.nodeid)
        server.close()
        forks._can_start_the_same = can_fork
        for function, code in originals:
            function.__code__ = code
        for path in self.paths:
            self._restore(path)
        return wrong

    def _restore(self, path: str) -> None:
        copied = self.copy / "encconf" / path
        shutil.copyfile(PACKAGE / path, copied)
        shutil.rmtree(copied.parent / "__pycache__", ignore_errors=True)

    def _mutate(self, path: str) -> bool:
        """Try a module's mutants.  Returns whether enough of them are killed."""
        listed = self.listed.get(path, {})
        found = self.found[path]
        chosen = list(range(len(found)))
        if self.options.only:
            chosen = [at for at in chosen if re.search(self.options.only, found[at].name)]
        elif len(chosen) > self.options.sample > 0:
            chosen = sorted(random.Random(self.options.seed).sample(chosen, self.options.sample))
        counts: Counter[str] = Counter()
        for at in chosen:
            mutant = found[at]
            outcome, by = ("equivalent", "") if mutant.name in listed else self._outcome(path, at)
            counts[outcome] += 1
            if self.options.verbose or outcome in ("survived", "unreached", "impossible"):
                print(f"  {outcome:9} {path}:{mutant.lines.start} {mutant.name}  {by}", flush=True)
        killed, left = counts["killed"] + counts["timeout"], counts["survived"] + counts["unreached"]
        share = killed / ((killed + left) or 1)
        print(
            f"{path}: {len(found)} mutants, {len(chosen)} tried: {killed} killed ({counts['timeout']} by a"
            f" time limit), {counts['equivalent']} equivalent, {left} left: {share:.0%}",
            flush=True,
        )
        return share >= WANTED or not left

    def _outcome(self, path: str, at: int) -> tuple[str, str]:
        """Try one mutant.  Returns the outcome, and the test that killed it."""
        mutant = self.found[path][at]
        lines = {f"{path} {line}" for line in mutant.lines}
        tests = [item for item in self.items if not mutant.qualname or self.lines[item.nodeid] & lines]
        if not tests:
            return "unreached", ""
        tests.sort(key=lambda item: self.seconds[item.nodeid])
        slow = [item for item in tests if self.seconds[item.nodeid] > _TYPICAL_SECONDS]
        fast = sorted(tests[: len(tests) - len(slow)], key=lambda item: -self.kills[item.nodeid])
        outcome, by = "survived", ""
        limit = self.options.limit
        for part in (fast, slow):
            if limit:
                times = accumulate(self.seconds[item.nodeid] for item in part)
                part = [item for item, time in zip(part, times, strict=True) if time <= limit]
            if part and outcome == "survived":
                outcome, by = self._child(path, at, part)
        self.kills[by] += 1
        self._restore(path)
        return outcome, by or f"{len(tests)} tests"

    def _child(self, path: str, at: int, tests: list[pytest.Item]) -> tuple[str, str]:
        """Run the tests in a fork with the mutant.  Returns the outcome, and the test that killed it."""
        budget = 5 + 3 * sum(self.seconds[item.nodeid] for item in tests)
        server, control = None, None
        if any(item.nodeid in self.commands for item in tests):
            server, control = self._server(path, at)
        read, write = os.pipe()
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            try:
                os.setsid()
                null = os.open(os.devnull, os.O_RDWR)
                for number in (0, 1, 2):
                    os.dup2(null, number)
                used = int(time.process_time() + budget) + 2
                resource.setrlimit(resource.RLIMIT_CPU, (used, used))
                resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
                os.write(write, json.dumps(self._judge(path, at, tests)).encode())
            finally:
                os._exit(0)
        os.close(write)
        said = os.read(read, 4096).decode() if _speaks(read, child, 60 + 10 * budget) else ""
        os.close(read)
        for group in (child, server):
            if group is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(group, signal.SIGKILL)
        if control is not None:
            control.close()
        os.waitpid(child, 0)
        outcome, by = json.loads(said) if said else ("timeout", "")
        return outcome, by

    def _judge(self, path: str, at: int, tests: list[pytest.Item]) -> tuple[str, str]:
        """Put the mutant into this process and the copy of the package, and run the tests."""
        tree, mutant = self.trees[path], self.found[path][at]
        mutant.put()  # only this fork's tree changes
        try:
            if not _install(_module(path), tree, mutant):
                return "impossible", ""
        except (SyntaxError, ValueError):
            return "impossible", ""
        copied = self.copy / "encconf" / path
        copied.write_text(ast.unparse(tree))
        shutil.rmtree(copied.parent / "__pycache__", ignore_errors=True)
        for item, following in zip(tests, [*tests[1:], tests[-1]], strict=True):
            item.session._setupstate.teardown_exact(item)
            try:
                reports = runtestprotocol(item, log=False, nextitem=following)
            except BaseException:
                return "killed", item.nodeid
            if any(report.failed for report in reports):
                return "killed", item.nodeid
        return "survived", ""


def _speaks(descriptor: int, pid: int, limit: float) -> bool:
    """Wait for a process to write, for at most ``limit`` seconds, or until it only waits.

    The limit is generous, because the machine may be busy.  The limit of CPU time is strict.
    """
    begin = time.monotonic()
    look, before = begin, 0.0
    while not select.select([descriptor], [], [], 1)[0]:
        now = time.monotonic()
        if now > look + 20:
            with contextlib.suppress(OSError):  # not Linux
                words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                used = (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
                if used < before + 1:
                    return False
                look, before = now, used
        if now > begin + limit:
            return False
    return True


def _source(path: str) -> str:
    return (PACKAGE / path).read_text(encoding="utf-8")


def _module(path: str) -> ModuleType:
    name = "encconf." + path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return importlib.import_module(name)


def _cpu() -> float:
    """CPU seconds of this process and the programs that it has started."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def main() -> int:
    """Run every group in a process of its own.  Returns 1 if too few mutants of a module are killed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="such as merge/values.py; all if none")
    parser.add_argument("--sample", type=int, default=40, help="mutants of each module; 0 for all")
    parser.add_argument("--seed", type=int, default=0, help="which ones")
    parser.add_argument("--only", default="", help="the mutants whose name matches this pattern")
    parser.add_argument(
        "--limit", type=float, default=0, help="seconds of fast and of slow tests for a mutant; 0 for all"
    )
    parser.add_argument("--without", default="", metavar="FIXTURE", help="leave out the tests that use it")
    parser.add_argument("-k", default="", metavar="EXPRESSION", help="the tests to run, as pytest takes it")
    parser.add_argument("--verbose", action="store_true", help="show the killed ones, too, with the test")
    options = parser.parse_args()
    listed = tomllib.loads(LIST.read_text())
    ours = {path for paths in GROUPS.values() for path in paths}
    unknown = {*options.modules, *listed} - ours | {each for each in ours if not (PACKAGE / each).is_file()}
    if unknown:
        parser.error(f"no modules of tests/mutants.py: {', '.join(sorted(unknown))}")
    failed = False
    for path, names in listed.items():
        for name in sorted(names.keys() - {each.name for each in _Finder(ast.parse(_source(path))).found}):
            print(f"tests/mutants.toml: {path} has no such mutant any more: {name}", flush=True)
            failed = True
    for tests, paths in GROUPS.items():
        wanted = [path for path in paths if path in options.modules or not options.modules]
        if not wanted:
            continue
        child = os.fork()
        if child == 0:
            runner = Runner(wanted, options, listed)
            files = [str(path) for each in tests.split() for path in sorted(HERE.glob(each))]
            # Failures of tests are not shown: what they would say takes more time than the tests.
            fast = ["-p", "no:cacheprovider", "--assert=plain", "--tb=native"]
            pytest.main(["-q", "--no-header", *fast, "-k", options.k, *files], [runner])
            sys.stdout.flush()
            os._exit(runner.failed)
        failed |= os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0
    return int(failed)


if __name__ == "__main__":
    sys.path[:0] = [str(HERE), str(ROOT)]
    raise SystemExit(main())
