"""Mutation testing of the modules that make decisions: `make mutants`.

    .venv/bin/python tests/mutants.py [--sample 40] [--seed 0] [MODULE…]

A mutant is a module with one small fault: a comparison or a term of a condition is changed, a guard, a
``raise`` or a call is removed, a number is off by one, or two arguments are swapped.  Each mutant runs in a
fork of a process that has imported and run the module's tests already.  The fork runs the tests that reach
the changed line, the fastest first.  If one fails, the mutant is killed.  Programs that tests start with
`Project` run the mutant, too.

``tests/mutants.toml`` lists mutants that behave like the original, or differ only in a message, with the
reason.  They are not counted.  The exit code is 1 if fewer than 95 % of the others are killed.

mutmut, cosmic-ray and mutatest are not used, because none of them removes guards, raises and terms of
conditions.  The last two also start pytest for each mutant, which takes as long as a whole test file.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
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
import sys
import tempfile
import threading
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
LIST = HERE / "mutants.toml"
WANTED = 0.95

GROUPS = {
    "engine": [
        f"engine/{name}.py"
        for name in ("cipher", "layout", "mac", "metadata", "opening", "plaintext", "reuse", "sealing")
    ],
    "envelope": [f"envelope/{name}.py" for name in ("__init__", "cache", "shamir", "unwrap")],
    "rules/test_selection.py": ["rules/selection.py"],
    "merge": [f"merge/{name}.py" for name in ("__init__", "trees", "values")],
    "merge git": ["git/merge.py"],
    "engine/test_admission.py engine/test_gate.py engine/test_objections.py envelope/test_wrap.py": [
        "engine/admission.py"
    ],
    "envelope engine/test_gate.py": ["envelope/wrap.py"],
    "rules": [f"rules/{name}.py" for name in ("config", "grammar", "pattern")],
    "sources": ["sources/references.py"],
    "verbs/test_changes.py": ["verbs/changes.py"],
    "verbs/test_rekey.py": ["verbs/rekey.py"],
    "formats/test_sniff.py": ["formats/sniff.py"],
    "formats": ["formats/__init__.py", "formats/yaml.py"],
    "keys rules envelope engine/test_metadata.py": ["keys/__init__.py"],
    "identities": ["identities/credentials.py"],
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
        self._block(tree, "body")

    def _block(self, owner: ast.AST, field: str) -> None:
        block: list[ast.stmt] = getattr(owner, field)
        for at, node in enumerate(block):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                continue  # a docstring
            if isinstance(node, (ast.Import, ast.ImportFrom, ast.Assert)) or _for_types(node):
                continue
            inner = [each for name in ("body", "orelse", "handlers") for each in getattr(node, name, ())]
            ends = inner[0].lineno if inner else (node.end_lineno or 0) + 1
            # A decorated function or class begins at its first decorator.
            first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))])
            self.lines = range(first, max(ends, node.lineno + 1))
            for other in _statements(node):
                self._add(node, other, lambda at=at, other=other: block.__setitem__(at, other))  # type: ignore[misc]
            self._inside(node)

    def _inside(self, node: ast.stmt) -> None:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)):
            outer = self.scope
            if isinstance(node, ast.ClassDef):
                self.scope = [*outer, node.name]
            else:
                inner = "<locals>" in outer or bool(outer and outer[-1].startswith("def "))
                self.scope = outer if inner else [*outer, f"def {node.name}"]
                self.in_defaults = not inner
                for field in ("defaults", "kw_defaults"):
                    for at, default in enumerate(getattr(node.args, field)):
                        if default is not None:
                            self._expression(node.args, field, at)
                self.in_defaults = False
            self._block(node, "body")
            self.scope = outer
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


_TRACER = """\
import atexit, os, sys, threading
root, out, *names = os.environ["ENCCONF_MUTANTS_TRACE"].split(os.pathsep)
names = {os.path.join(root, name): name for name in names}
lines = set()
def local(frame, event, arg):
    lines.add((names[frame.f_code.co_filename], frame.f_lineno))
    return local
def tracer(frame, event, arg):
    if frame.f_code.co_filename in names:
        return local(frame, event, arg)
def save():
    sys.settrace(None)
    if os.path.isdir(out):
        with open(os.path.join(out, str(os.getpid())), "w") as file:
            file.writelines(f"{name} {line}\\n" for name, line in lines)
def leave(code, end=os._exit):  # as the command line does
    save()
    end(code)
os._exit = leave
atexit.register(save)
threading.settrace(tracer)
sys.settrace(tracer)
"""
"""The code that records which lines a program reaches.  Programs that tests start run it first."""


class Runner:
    """The mutants of a group's modules, inside a pytest session (`pytest_runtestloop`)."""

    def __init__(
        self, paths: list[str], options: argparse.Namespace, listed: dict[str, dict[str, str]]
    ) -> None:
        self.paths = paths
        self.options = options
        self.listed = listed
        self.lines: dict[str, set[tuple[str, int]]] = {}
        self.seconds: dict[str, float] = {}
        self.kills: Counter[str] = Counter()
        self.failed = True

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run each test once, and then try the mutants."""
        import project

        with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
            self.copy = Path(folder, "package")
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / "encconf", self.copy / "encconf", ignore=ignored)
            project.ROOT = self.copy  # the programs that `Project` starts run the copy
            wrong = self._run_once(session.items, Path(folder))
            if wrong:
                print("these tests fail without a mutant:", *wrong, sep="\n    ")
            self.items = [item for item in session.items if item.nodeid not in wrong]
            done = [self._mutate(path) for path in self.paths]
            self.failed = bool(wrong) or not all(done)
        return True

    def _run_once(self, items: list[pytest.Item], folder: Path) -> list[str]:
        """Record the time of each test and the lines that it reaches.  Returns the tests that fail."""
        import project

        out, trace = folder / "lines", folder / "trace"
        out.mkdir()
        trace.mkdir()
        (trace / "sitecustomize.py").write_text(_TRACER)
        plain = project.Project.__init__

        def traced(self: Any, *args: Any) -> None:
            plain(self, *args)
            self.environ["PYTHONPATH"] += f"{os.pathsep}{trace}"
            self.environ["ENCCONF_MUTANTS_TRACE"] = environ

        environ = os.pathsep.join([str(self.copy / "encconf"), str(out), *self.paths])
        names = {str(ROOT / "encconf" / path): path for path in self.paths}
        lines: set[tuple[str, int]] = set()

        def local(frame: FrameType, event: str, arg: object) -> Any:
            lines.add((names[frame.f_code.co_filename], frame.f_lineno))
            return local

        def tracer(frame: FrameType, event: str, arg: object) -> Any:
            return local(frame, event, arg) if frame.f_code.co_filename in names else None

        wrong = []
        project.Project.__init__ = traced
        for item, following in zip(items, [*items[1:], items[0]], strict=True):
            lines.clear()
            start = _cpu()
            threading.settrace(tracer)
            sys.settrace(tracer)
            reports = runtestprotocol(item, log=False, nextitem=following)
            sys.settrace(None)
            threading.settrace(None)
            for each in out.iterdir():
                pairs = map(str.split, each.read_text().splitlines())
                lines.update((name, int(line)) for name, line in pairs)
                each.unlink()
            self.seconds[item.nodeid] = _cpu() - start
            self.lines[item.nodeid] = set(lines)
            if any(report.failed for report in reports):
                wrong.append(item.nodeid)
        project.Project.__init__ = plain
        return wrong

    def _mutate(self, path: str) -> bool:
        """Try a module's mutants.  Returns whether enough of them are killed."""
        listed = self.listed.get(path, {})
        source = (ROOT / "encconf" / path).read_text()
        found = _Finder(ast.parse(source)).found
        stale = sorted({*listed} - {each.name for each in found})
        chosen = list(range(len(found)))
        if self.options.only:
            chosen = [at for at in chosen if re.search(self.options.only, found[at].name)]
        elif len(chosen) > self.options.sample > 0:
            chosen = sorted(random.Random(self.options.seed).sample(chosen, self.options.sample))
        counts: Counter[str] = Counter()
        for at in chosen:
            mutant = found[at]
            outcome, by = ("equivalent", "") if mutant.name in listed else self._outcome(path, source, at)
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
        for name in stale:
            print(f"  no such mutant any more: {name}")
        return not stale and (share >= WANTED or not left)

    def _outcome(self, path: str, source: str, at: int) -> tuple[str, str]:
        """Try one mutant.  Returns the outcome, and the test that killed it."""
        tree = ast.parse(source)
        mutant = _Finder(tree).found[at]
        mutant.put()
        ast.fix_missing_locations(tree)
        try:
            compile(tree, "mutant", "exec")
        except (SyntaxError, ValueError):
            return "impossible", ""
        lines = {(path, line) for line in mutant.lines}
        tests = [item for item in self.items if not mutant.qualname or self.lines[item.nodeid] & lines]
        if not tests:
            return "unreached", ""
        tests.sort(key=lambda item: self.seconds[item.nodeid])
        slow = [item for item in tests if self.seconds[item.nodeid] > _TYPICAL_SECONDS]
        fast = sorted(tests[: len(tests) - len(slow)], key=lambda item: -self.kills[item.nodeid])
        copied = self.copy / "encconf" / path
        copied.write_text(ast.unparse(tree))
        shutil.rmtree(copied.parent / "__pycache__", ignore_errors=True)
        outcome, by = "survived", ""
        for part in (fast, slow):
            if part and outcome == "survived":
                outcome, by = self._child(path, tree, mutant, part)
        self.kills[by] += 1
        copied.write_text(source)
        shutil.rmtree(copied.parent / "__pycache__", ignore_errors=True)
        return outcome, by or f"{len(tests)} tests"

    def _child(
        self, path: str, tree: ast.Module, mutant: Mutant, tests: list[pytest.Item]
    ) -> tuple[str, str]:
        """Run the tests in a fork with the mutant.  Returns the outcome, and the test that killed it."""
        budget = 5 + 3 * sum(self.seconds[item.nodeid] for item in tests)
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
                os.write(write, json.dumps(_judge(path, tree, mutant, tests)).encode())
            finally:
                os._exit(0)
        os.close(write)
        # This limit is generous, because the machine may be busy.  The limit of CPU time is strict.
        ready, _, _ = select.select([read], [], [], 60 + 20 * budget)
        said = os.read(read, 4096).decode() if ready else ""
        os.close(read)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        outcome, by = json.loads(said) if said else ("timeout", "")
        return outcome, by


def _judge(path: str, tree: ast.Module, mutant: Mutant, tests: list[pytest.Item]) -> tuple[str, str]:
    """Put the mutant into this process and run the tests."""
    name = "encconf." + path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    if not _install(importlib.import_module(name), tree, mutant):
        return "impossible", ""
    for item, following in zip(tests, [*tests[1:], tests[-1]], strict=True):
        item.session._setupstate.teardown_exact(item)
        try:
            reports = runtestprotocol(item, log=False, nextitem=following)
        except BaseException:
            return "killed", item.nodeid
        if any(report.failed for report in reports):
            return "killed", item.nodeid
    return "survived", ""


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
    parser.add_argument("-k", default="", metavar="EXPRESSION", help="the tests to run, as pytest takes it")
    parser.add_argument("--verbose", action="store_true", help="show the killed ones, too, with the test")
    options = parser.parse_args()
    listed = tomllib.loads(LIST.read_text())
    unknown = {*options.modules, *listed} - {path for paths in GROUPS.values() for path in paths}
    if unknown:
        parser.error(f"no modules of tests/mutants.py: {', '.join(sorted(unknown))}")
    failed = False
    for tests, paths in GROUPS.items():
        wanted = [path for path in paths if path in options.modules or not options.modules]
        if not wanted:
            continue
        child = os.fork()
        if child == 0:
            runner = Runner(wanted, options, listed)
            files = [str(HERE / each) for each in tests.split()]
            pytest.main(["-q", "-p", "no:cacheprovider", "--no-header", "-k", options.k, *files], [runner])
            sys.stdout.flush()
            os._exit(runner.failed)
        failed |= os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0
    return int(failed)


if __name__ == "__main__":
    sys.path[:0] = [str(HERE), str(ROOT)]
    raise SystemExit(main())
