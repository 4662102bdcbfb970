"""One round over files that changes who can open them: plan, show, carry out, report.

Plans need no key.  What needs keys goes on side by side (`encconf.io.side_by_side`), and the files are
written one by one in the order in which they were named: whenever it all ends, by a signal or a
full disk, each is still the old one or is the new one, and another round can go on from there.
"""

from __future__ import annotations

import os
import sys
from _thread import allocate_lock
from contextlib import closing

from encconf.cli import checklist, files
from encconf.cli.console import counted, one_line
from encconf.engine import rekey
from encconf.engine.admission import in_full
from encconf.errors import (
    ChangedError,
    ConfigError,
    ConflictError,
    EncconfError,
    NoConfigError,
    StrangerError,
    UsageError,
    exit_code_of,
)
from encconf.io import replace, signals
from encconf.io.side_by_side import side_by_side
from encconf.text.path import spell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from encconf.audit.names import Names
    from encconf.cli.console import Console
    from encconf.engine.plan import Plan, Seen
    from encconf.keys import MasterKey
    from encconf.rules.config import Config, Rule
    from encconf.rules.selection import Selection

    Planner = Callable[["Change"], Plan]
    Row = dict[str, object]


class Change:
    """What is to happen to one file.

    ``told`` are warnings with their hints, and ``enc`` is the new text once there is one.
    """

    __slots__ = ("enc", "file", "format", "plan", "source", "told")
    plan: Plan

    def __init__(self, file: str, input_type: str | None) -> None:
        self.file = file
        self.source = files.read(file, in_place=False, output=None, override=None)
        self.format = self.source.format(input_type)
        self.told: list[tuple[str, str | None]] = []
        self.enc: str | None = None

    def warn(self, text: str, hint: str | None = None) -> None:
        """Keep a warning for later: this may be another thread than the one that speaks."""
        self.told.append((text, hint))


class Round:
    """How a command goes through its files, and what came of each.

    What is kept of a file is its name and what came of it; files that are alike share the rest.

    ``command`` are its words.  ``output`` is where a result goes that does not replace its file; ``rotate``
    and ``ignore_mac`` are as for `encconf.engine.rekey.carry_out`.  With ``asks``, somebody has to agree
    to the plan.  ``checklist`` is a file that gets what those could read who go, before the first file is
    written: whatever happens then, nothing of it is forgotten.  ``resume`` is the option by which a round
    over the same files begins with a later one; without it, one that begins anew does only what is left.
    """

    def __init__(
        self,
        console: Console,
        command: str,
        *,
        input_type: str | None,
        config: str | None = None,
        dry_run: bool = False,
        fail_fast: bool = False,
        json: bool = False,
        output: str | None = None,
        rotate: bool = True,
        ignore_mac: bool = False,
        asks: bool = False,
        checklist: str | None = None,
        resume: str = "",
    ) -> None:
        self.console = console
        self.command = command
        self.input_type = input_type
        self.config = config
        self.dry_run = dry_run
        self.fail_fast = fail_fast
        self.json = json
        self.output = output
        self.rotate = rotate
        self.ignore_mac = ignore_mac
        self.asks = asks and not dry_run
        self.checklist = checklist if not dry_run else None
        self.resume = resume
        self.credentials = files.credentials(console)
        self._configs: dict[str, Config] = {}
        self._reading = allocate_lock()
        self._names: Names | None = None
        self._named: set[str] = set()  # the configurations whose names are known
        self._told: list[str] = []  # the files whose configurations may have more
        self._unnamed: set[MasterKey] = set()
        self._said: set[str] = set()
        self._alone = True
        self._left: list[str] = []
        self._failed: list[str] = []
        self._said_alike: set[str] = set()  # the files whose error was said in full
        self._error: EncconfError | None = None  # the first
        self._codes: set[int] = set()
        self._causes: dict[tuple[str, str], list[str]] = {}  # the files that failed alike
        self._states: dict[str, str] = {}
        self._rows: list[Row] = []  # for --json alone
        self._plans: dict[tuple[str, ...], list[str]] = {}
        self._seen: dict[str, dict[tuple[str, ...], list[str]]] = {}  # who, paths, files
        self._items: list[tuple[int, str]] = []  # for the checklist

    def rule(self, change: Change) -> Rule:
        """The rule of a file; raises as `encconf.rules.config.find_rule`."""
        from encconf.rules.config import find_rule

        with self._reading:
            return find_rule(change.file, config=self.config, read=self._configs, notify=change.warn)

    # --- going -------------------------------------------------------------------------------

    def run(self, paths: Sequence[str], planner: Planner) -> None:
        """Go through the files; ``planner`` makes the plan for each, possibly in another thread.

        Raises the error of a single file, or one that says how many failed.
        """
        self._alone = len(paths) == 1
        from_stdin = any(path in files.STDIN for path in paths)
        to_stdout = self.output in files.STDOUT or from_stdin
        if self.checklist is not None and from_stdin:
            raise UsageError("--checklist is for files, not for stdin")  # which is read only once
        if self.json and to_stdout and not self.dry_run:
            raise ConflictError("the report of --json and the file itself would both go to stdout")
        if not paths:
            self.console.note("no encrypted file has changed")
        elif not self._alone:
            from encconf.envelope.data_key import DataKeyCache

            self.credentials.cache = DataKeyCache()
        self._left = list(paths)
        try:
            with signals.SignalGuard():
                agreed = self._prepare(paths, planner) if self.asks or self.checklist else None
                self._go(planner, agreed)
            if self._left:
                self._say_left("stopped", len(paths))
        except EncconfError:
            raise
        except BaseException:  # a signal, or a mistake of ours
            self._say_left("interrupted", len(paths))
            raise
        finally:
            if not self._alone:
                self._say_alike()
            self._report(to_stdout)
        if self._failed:
            raise self._failure(len(paths))

    def _plan(self, file: str, planner: Planner) -> Change:
        change = Change(file, self.input_type)
        change.plan = planner(change)
        return change

    def _go(self, planner: Planner, agreed: dict[str, bytes] | None) -> None:
        def work(file: str) -> Change:
            change = self._plan(file, planner)
            if agreed is not None and self._meant(change.plan) != agreed[file]:
                raise ChangedError("it was changed meanwhile; nothing was written", hint="run it again")
            if change.plan.changes and not self.dry_run:
                change.enc = rekey.carry_out(
                    change.plan,
                    rotate=self.rotate,
                    credentials=self.credentials,
                    ignore_mac=self.ignore_mac,
                    notify=change.warn,
                )
            return change

        if self._failed and self.fail_fast:
            return
        paths = list(self._left)
        if not self.dry_run and self.output is None:
            self._sweep(paths)
        doing = "planning" if self.dry_run else "rotating" if self.command == "rotate" else "updating"
        with self.console.progress(len(paths), doing) as step, closing(side_by_side(work, paths)) as results:
            for file, change in results:
                self._settle(file, change)
                step()
                if self._failed and self.fail_fast:
                    return
                del self._left[0]

    def _sweep(self, paths: Sequence[str]) -> None:
        """Take away what earlier writes have left that were killed."""
        for folder in dict.fromkeys(os.path.dirname(os.path.realpath(path)) for path in paths):
            for name in replace.sweep(folder):
                path = one_line(os.path.join(folder, name))
                self.console.note(f"removed {path}, which a write that was killed has left")

    def _settle(self, file: str, change: Change | EncconfError) -> None:
        """Write one file, or say why not; all that happens to it is told here."""
        if isinstance(change, EncconfError):
            self._fail(file, change)
            return
        self._tell(change)
        wanted = change.plan
        if not wanted.changes:
            if not (self.dry_run and self.json):
                self.console.note(f"{one_line(file)} is up to date")
            self._record(change, "unchanged")
            return
        if self.dry_run:
            self._plans.setdefault(tuple(self._lines(wanted)), []).append(file)
        else:
            if self._alone and self.command == "updatekeys" and not self.asks:
                self._show(one_line(file), self._lines(wanted))
            assert change.enc is not None
            self._write_checklist()
            try:
                written = files.write(
                    self.console, change.enc, change.source, in_place=self.output is None, output=self.output
                )
            except EncconfError as error:
                self._fail(file, error)
                return
            if written is not None:
                self.console.note(f"wrote {one_line(written)}{self._brief(wanted)}")
        self._record(change, "would-change" if self.dry_run else "changed")

    def _fail(self, file: str, error: EncconfError) -> None:
        if error.file == os.path.realpath(file):
            error.file = file
        elif not (self._alone and isinstance(error, NoConfigError)):
            error.about(file)
        row: Row = {**_EMPTY, "file": file, "status": "failed"}
        if isinstance(error, StrangerError):
            self._told.append(file)
            self._learn(error.strangers)
            for key in error.strangers:
                error.message = error.message.replace(in_full(key), f"{key.TYPE} {self.names.whole(key)}")
            row["strangers"] = [self._key(key) for key in error.strangers]
        alike = self._causes.setdefault((error.slug, error.message), [])
        # A missing key, or a mistake in .sops.yaml, is every file's.
        once = "\n" in error.message or isinstance(error, ConfigError)
        if not self._alone and len(alike) < (1 if once else 3):
            self.console.error(error)
            self._said_alike.add(file)
        alike.append(file)
        self._failed.append(file)
        self._error = self._error or error
        self._codes.add(exit_code_of(error))
        self._states[file] = "failed"
        if self.json:
            self._rows.append({**row, "error": _error(error)})

    def _say_alike(self) -> None:
        """Which other files failed for the reasons that were said."""
        for files_alike in self._causes.values():
            others = [one_line(file) for file in files_alike if file not in self._said_alike]
            if others:
                more = f" and {len(others) - 3} more" if len(others) > 3 else ""
                count = counted(len(others), "other file")
                self.console.note(f"the same for {count}: {', '.join(others[:3])}{more}")

    def _failure(self, total: int) -> EncconfError:
        if self._alone and self._error is not None:
            return self._error
        names = [one_line(file) for file in self._failed]
        named = ", ".join(names[:10]) + (" and others" if len(names) > 10 else "")
        last = EncconfError(f"{len(names)} of {total} files failed: {named}")
        last.exit_code = self._codes.pop() if len(self._codes) == 1 else 1
        return last

    # --- before anything is changed ----------------------------------------------------------

    def _prepare(self, paths: Sequence[str], planner: Planner) -> dict[str, bytes]:
        """Make all plans, and have them agreed to; what is to happen to which file."""
        rows: dict[str, Row] = {}
        plans: dict[tuple[str, ...], list[str]] = {}
        agreed: dict[str, bytes] = {}
        with (
            self.console.progress(len(paths), "planning") as step,
            closing(side_by_side(lambda file: self._plan(file, planner), paths)) as results,
        ):
            for file, change in results:
                step()
                if isinstance(change, EncconfError):
                    self._fail(file, change)
                    if self.fail_fast:
                        break
                    continue
                self._tell(change)
                if not change.plan.changes:
                    self.console.note(f"{one_line(file)} is up to date")
                    self._record(change, "unchanged")
                    continue
                agreed[file] = self._meant(change.plan)
                if self.json:
                    rows[file] = self._row(change, "left")
                plans.setdefault(tuple(self._lines(change.plan)), []).append(file)
                if self.checklist is not None:
                    self._items += self._checklist_items(change)
        stops = self._failed and self.fail_fast
        if agreed and self.asks and not stops and not self._agreed(plans):
            for file in agreed:
                self.console.note(f"{one_line(file)} was left as it is")
                self._states[file] = "left"
            self._rows += rows.values()
            agreed = {}
        self._left = [file for file in paths if file not in self._states]
        return agreed

    def _meant(self, wanted: Plan) -> bytes:
        """All that was said of a plan, as a hash."""
        from hashlib import sha256

        seen = wanted.seen()
        said = [*_lines(wanted, rotate=self.rotate), *(map(spell, seen.paths) if seen else ())]
        return sha256("\0".join(said).encode("utf-8", "surrogatepass")).digest()

    def _agreed(self, plans: dict[tuple[str, ...], list[str]]) -> bool:
        """Whether somebody says yes."""
        for said, names in plans.items():
            self._show(", ".join(map(one_line, names)), said)
        if not self.console.can_ask():
            raise UsageError("nobody is there to agree", hint="--yes agrees to all, --dry-run only shows")
        count = sum(map(len, plans.values()))
        many = f" with {count} files" if count > 1 else ""
        try:
            return self.console.ask(f"go on{many}? [y/N]").lower().startswith("y")
        except EOFError:
            return False

    def _checklist_items(self, change: Change) -> list[tuple[int, str]]:
        """What the checklist says of a file, with ranks."""
        seen = change.plan.seen()
        if seen is None:
            return []
        who, file = self._who(change.plan, seen), one_line(change.file)
        items = [checklist.item(who, file, one_line(spell(path))) for path in seen.paths]
        return list(zip(seen.ranks, items, strict=True))

    def _write_checklist(self) -> None:
        """Write the checklist, secrets first, before the first file is written."""
        path, self.checklist = self.checklist, None
        if path is None:
            return
        items = [item for _, item in sorted(self._items, key=lambda item: item[0])]
        self._items.clear()
        if not items:
            self.console.note(f"no recipient is removed: there is nothing for {one_line(path)}")
            return
        added = checklist.write(path, items)
        values = f"{counted(len(items), 'value')} to change"
        known = f", {len(items) - added} of them known" if added < len(items) else ""
        self.console.note(f"wrote {one_line(path)}: {values}{known}")

    # --- telling -----------------------------------------------------------------------------

    def _tell(self, change: Change) -> None:
        self._told.append(change.file)
        self._learn(change.plan.gone)
        for text, hint in change.told:
            if text not in self._said:
                self.console.warn(text, hint)
            self._said.add(text)

    def _show(self, names: str, said: Sequence[str]) -> None:
        self.console.note("\n".join([f"{names}: these keys change", *(f"  {line}" for line in said)]))

    def _say_left(self, why: str, total: int) -> None:
        """Where it all ended, and how to go on."""
        if self._alone or self.dry_run:
            return
        done = sum(status in ("changed", "unchanged") for status in self._states.values())
        failed = f", {len(self._failed)} failed" if self._failed else ""
        self.console.warn(f"{why}: {done} of {total} files are done{failed}; the others are as they were")
        if self._left:
            self.console.hint(f"go on with: {_again(self.resume, self._left[0])}")

    def _brief(self, wanted: Plan) -> str:
        before, after = wanted.thresholds
        parts = [f"+{self.names.of(key)}" for key in wanted.come]
        parts += [f"-{self.names.of(key)}" for key in wanted.gone]
        if before != after:
            parts.append(f"it takes {after} of its {len(wanted.new)} groups" if after else "one group")
        if wanted.reselects:
            parts.append("other values")
        renewed = ", under a new data key" if wanted.renews(rotate=self.rotate) else ""
        return renewed + (f" ({', '.join(parts)})" if parts else "")

    def _lines(self, wanted: Plan) -> list[str]:
        return _lines(wanted, rotate=self.rotate, names=self.names)

    def _learn(self, keys: list[MasterKey]) -> None:
        """Ask git what keys were called that .sops.yaml does not name, or not any more."""
        unnamed = {key for key in keys if self.names.given(key) is None} - self._unnamed
        if unnamed:
            from encconf.audit.history import name_former

            self._unnamed |= unnamed
            name_former(self.names, unnamed)

    @property
    def names(self) -> Names:
        """What people call keys, by the configurations of the files that were told of so far."""
        from encconf.audit.names import Names
        from encconf.rules.config import find_config

        if self._names is None:
            self._names = Names()
        for file in self._told:
            path = self.config or find_config(file, os.getcwd())
            if path is None or path in self._named:
                continue
            self._named.add(path)
            try:
                self._names.add_config(path)
            except EncconfError as error:
                self.console.warn(f"{error}; keys are shown without names")
        self._told.clear()
        return self._names

    # --- the report ----------------------------------------------------------------------------

    def _record(self, change: Change, status: str) -> None:
        """Keep what came of a file."""
        self._states[change.file] = status
        seen = change.plan.seen() if change.plan.changes else None
        if seen is not None:
            paths = tuple(spell(path) for path in seen.paths)
            self._seen.setdefault(self._who(change.plan, seen), {}).setdefault(paths, []).append(change.file)
        if self.json:
            self._rows.append(self._row(change, status))

    def _row(self, change: Change, status: str) -> Row:
        wanted = change.plan
        row: Row = {**_EMPTY, "file": change.file, "status": status}
        if not wanted.changes:
            return row
        row["data_key"] = "new" if wanted.renews(rotate=self.rotate) else "kept"
        row["added"] = [self._key(key) for key in wanted.come]
        row["removed"] = [self._key(key) for key in wanted.gone]
        before, after = wanted.thresholds
        if before != after:
            row["threshold"] = {"before": before, "after": after}
        if wanted.reselects:
            row["selection"] = {
                "before": wanted.metadata.selection.to_entries(),
                "after": wanted.rule.selection.to_entries(),
            }
        seen = wanted.seen()
        if seen is not None:
            row["seen"] = {"values": [spell(path) for path in seen.paths], "alone": seen.alone}
        return row

    def _who(self, wanted: Plan, seen: Seen) -> str:
        """Who goes, as the subject of a sentence."""
        who = ", ".join(self.names.full(key) for key in wanted.gone)
        return who if seen.alone else f"{who}, together with keys of other groups,"

    def _key(self, key: MasterKey) -> Row:
        return {"type": key.TYPE, "name": key.name, "who": self.names.given(key)}

    def _report(self, to_stdout: bool) -> None:
        say = self.console.note if to_stdout and not self.dry_run else self.console.data
        if self.json:
            from json import dumps

            counts = list(self._states.values())
            report: Row = {
                "command": self.command,
                "dry_run": self.dry_run,
                "files": self._rows,
                "changed": counts.count("would-change" if self.dry_run else "changed"),
                "unchanged": counts.count("unchanged"),
                "failed": counts.count("failed"),
                "not_reached": [file for file in self._left if file not in self._states],
            }
            self.console.data(dumps(report, indent=2) + "\n")
        else:
            texts = [_plan_text(self._plans)] if self._plans else []
            texts += [_seen_text(self._seen)] if self._seen else []
            if texts:
                say("\n".join(texts))
        if self._seen and not self.dry_run:
            self.console.warn("whoever is gone may have kept the values: change the secrets themselves, too")


_EMPTY: Row = {
    "file": "",
    "status": "",
    "data_key": None,
    "added": [],
    "removed": [],
    "threshold": None,
    "selection": None,
    "strangers": [],
    "seen": None,
    "error": None,
}


def _error(error: EncconfError) -> Row:
    return {"slug": error.slug, "message": error.message, "hint": error.hint}


def _plan_text(plans: dict[tuple[str, ...], list[str]]) -> str:
    blocks = []
    for said, names in plans.items():
        blocks.append(
            "".join([*(f"{one_line(name)}\n" for name in names), *(f"  {line}\n" for line in said)])
        )
    return "\n".join(blocks)


def _seen_text(seen: dict[str, dict[tuple[str, ...], list[str]]]) -> str:
    blocks = []
    for who, places in seen.items():
        said = [f"{who} could read these values. Change them where they come from:"]
        for paths, names in places.items():
            said += [*map(one_line, names), *(f"  {one_line(path)}" for path in paths)]
        blocks.append("\n".join(said) + "\n")
    return "\n".join(blocks)


def _lines(wanted: Plan, *, rotate: bool, names: Names | None = None) -> list[str]:
    """What a plan changes, for people."""
    said: list[str] = []
    same = [set(group) for group in wanted.old] == [set(group) for group in wanted.new]
    if not same or wanted.thresholds[0] != wanted.thresholds[1]:
        said += _difference(wanted, names)
    if wanted.reselects:
        before, after = wanted.metadata.selection, wanted.rule.selection
        said.append(f"what is encrypted: {_selection(after)}; until now {_selection(before)}")
    if wanted.renews(rotate=rotate):
        why = ", since somebody who knows the old one is gone" if wanted.gone else ""
        said.append(f"every value gets a new data key{why}")
    elif wanted.removes:
        why = "somebody who knows it is gone" if wanted.gone else "some who know it are not to, any more"
        said.append(f"the data key stays, although {why}")
    return said


def _difference(wanted: Plan, names: Names | None = None) -> list[str]:
    """How a plan changes the groups, a line for each key: kept, ``+++`` new, ``---`` gone."""

    def line(sign: str, key: MasterKey) -> str:
        name = names.given(key) if names is not None else None
        return f"{sign} {key.name} ({name})" if name else f"{sign} {key.name}"

    said: list[str] = []
    old, new = wanted.thresholds
    if old == new:
        said += [f"shamir_threshold: {new}"] if new else []
    else:
        said += [f"+++ shamir_threshold: {new}"] if new else []
        said += [f"--- shamir_threshold: {old}"] if old else []
    for number in range(max(len(wanted.old), len(wanted.new))):
        before = wanted.old[number] if number < len(wanted.old) else []
        after = wanted.new[number] if number < len(wanted.new) else []
        said.append(f"Group {number + 1}")
        said += [line("   ", key) for key in after if key in before]
        said += [line("+++", key) for key in after if key not in before]
        said += [line("---", key) for key in before if key not in after]
    return said


def _selection(selection: Selection) -> str:
    entries = selection.to_entries()
    return " ".join(f"{name} {value}" if isinstance(value, str) else name for name, value in entries.items())


def _again(resume: str, file: str) -> str:
    """The command line once more, from a file on."""
    import shlex

    words = sys.argv[1:]
    if resume:
        end = words.index("--") if "--" in words else len(words)
        options, names = words[:end], words[end:]
        for at, word in enumerate(options):
            if word == resume or word.startswith(resume + "="):
                del options[at : at + 1 + (word == resume)]
                break
        words = [*options, resume, file, *names]
    if len(words) > 30:
        return f"the same command, and {resume} {shlex.quote(file)}" if resume else "the same command"
    return shlex.join(["encconf", *words])
