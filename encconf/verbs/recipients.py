"""Change the recipients of files: ``updatekeys``, ``rotate`` and ``groups``.

Each verb says what a `Plan` for a file is.  `Rekeying` makes the plans, shows them, carries them out and
reports; `encconf.verbs.batch.Batch` runs the work.  Making a plan needs no key.
"""

from __future__ import annotations

import os
import re
from _thread import allocate_lock
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from itertools import chain

from encconf import formats
from encconf.audit.names import Names, identity
from encconf.engine.admission import Admission, Wrapping, in_full
from encconf.engine.metadata import metadata_of
from encconf.engine.recipients import Plan, Reselection, Seen
from encconf.errors import (
    ChangedError,
    ConflictError,
    EncconfError,
    InputError,
    MissingFileError,
    StrangerError,
    UsageError,
    about,
    as_data,
)
from encconf.io import fileio
from encconf.io.descriptors import is_terminal
from encconf.io.threads import Once
from encconf.keys import MasterKey
from encconf.record import VerbOptions
from encconf.rules.config import NAME, Config, Rule, find_rule
from encconf.text.path import spell
from encconf.text.printable import counted, listed, one_line, quoted
from encconf.verbs import batch, files, rekey
from encconf.verbs.rule import NO_KEYS, Keys, copy_hint, named_keys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.git.copies import Copies
    from encconf.verbs.front import Front


_NAMED = 5  # the most files that a line names
Planner = Callable[["Change"], Plan]
Row = dict[str, object]


class Changing(VerbOptions):
    """The options that all verbs for the recipients of files have."""

    dry_run: bool = False
    fail_fast: bool = False
    json: bool = False
    verbose: bool = False
    input_type: str | None = None
    config: str | None = None


class Change:
    """The change of one file.

    ``plan`` says what changes.  ``enc`` is the new text, or None before it is made.  ``rule`` finds the rule
    of the file, and raises as `encconf.rules.config.find_rule`.
    """

    plan: Plan

    def __init__(
        self, file: str, input_type: str | None, warn: Callable[..., None], rule: Callable[[], Rule]
    ) -> None:
        self.file = file
        self.source = files.read(file, input_type=input_type)
        self.format = self.source.format
        self.warn = warn
        self.rule = rule
        self.named: frozenset[MasterKey] = frozenset()
        self.enc: str | None = None

    def planned(
        self,
        change: Callable[[Rule], Rule],
        *,
        named: Sequence[MasterKey],
        regroups: bool = False,
        new_data_key: bool = False,
    ) -> Plan:
        """Return the plan for a change of the file's own rule.  Raises as `rekey.plan_change`.

        The data key is only for the recipients ``named`` on the command line and for those of .sops.yaml.
        """
        self.named = frozenset(named)
        admission = Admission(self.rule, file=self.file, named=named)
        return rekey.plan_change(
            self.source.text,
            change,
            format=self.format,
            new_data_key=new_data_key,
            admission=admission,
            regroups=regroups,
        )


class Rekeying(batch.Batch):
    """A command that changes the keys of files.

    ``planner`` makes the plan for a file, possibly in another thread.  ``output`` is the file for a result
    that does not replace its source.  If it ``asks``, the user must confirm the plans, and if it ``shows``,
    the plan of a single file is shown.  ``checklist`` names a file.  The values that removed recipients could
    read are added to it before the first file is written, so that a crash cannot lose them.  ``rotate`` is as
    for `rekey.carry_out`.  ``configs`` are configurations, by path, that are used instead of the files, and
    ``old_config`` is the text of one before it was changed, with the names of removed keys.  If it
    ``lists_values``, the report has the values that removed recipients could read.
    """

    def __init__(
        self,
        front: Front,
        command: str,
        options: Changing,
        planner: Planner,
        *,
        output: str | None = None,
        asks: bool = False,
        shows: bool = False,
        checklist: str | None = None,
        rotate: bool = True,
        ignore_mac: bool = False,
        lists_values: bool = True,
        configs: Mapping[str, Config] | None = None,
        old_config: str = "",
    ) -> None:
        rotates = command == "rotate"
        super().__init__(
            front,
            "rotating" if rotates else "updating",
            dry_run=options.dry_run,
            fail_fast=options.fail_fast,
        )
        self.resume = "--resume-at" if rotates else ""
        if self.dry_run:
            self.doing = "planning"
        self._command = command
        self._planner = planner
        self.config = options.config
        self.json = options.json
        self._verbose = options.verbose
        self._old_config = old_config
        self.output = output
        self.rotate = rotate
        self.asks = asks and not self.dry_run
        self.checklist = checklist if not self.dry_run else None
        self._shows = shows
        self._input_type = options.input_type
        self._ignore_mac = ignore_mac
        self._lists_values = lists_values
        self._hashes: dict[str, int] | None = None  # by file, the hash of its text, once planned
        self._configs = {} if configs is None else dict(configs)
        self._reading = allocate_lock()
        self._unnamed: set[MasterKey] = set()
        self._to_stdout = False
        self._rows: dict[str, Row] = {}  # by file, only for --json
        self._to_confirm: dict[tuple[str, ...], list[str]] = {}  # like ``plans``
        self._seen: dict[str, dict[tuple[str, ...], list[str]]] = {}  # files by recipient and paths
        self._items: list[tuple[int, str]] = []  # of the checklist, with their ranks
        self._current: list[str] = []  # the files that stay as they are
        self._written: dict[str, list[str]] = {}  # the files that were written, by what changed

    # --- running -----------------------------------------------------------------------------

    def run(self, paths: Sequence[str]) -> None:
        """Process the files.  Raises the error of a single file, or one that says how many failed."""
        from_stdin = any(path in fileio.STDIN for path in paths)
        self._to_stdout = self.output in fileio.STDOUT or from_stdin
        if self.checklist is not None and from_stdin:
            raise UsageError("--checklist is for files, not for stdin")  # stdin can be read only once
        if self.json and self._to_stdout and not self.dry_run:
            raise ConflictError("the report of --json and the file would both be written to stdout")
        if self.json and self.checklist in fileio.STDOUT:
            raise ConflictError("the report of --json and the checklist would both be written to stdout")
        if not paths:
            self.front.note("no encrypted file has changed")
        super().run(paths)

    def prepare(self) -> None:
        """Ask the user to confirm all plans, and remove temporary files of killed commands."""
        if self.asks or self.checklist:
            self._hashes = {}
            self.go("planning", self._plan, self._collect)
            if self.asks and self._hashes and not self.stopped and not self._is_confirmed():
                for file in self.left:
                    self.front.note(f"{one_line(file)} was not changed")
                self.states |= dict.fromkeys(self.left, "left")
        if not self.dry_run and self.output is None and not self.stopped:
            self.sweep(self.left)

    def _plan(self, file: str) -> Change:
        warn = self.warner(file)

        def rule() -> Rule:
            with self._reading:
                return find_rule(file, config=self.config, read=self._configs, notify=warn)

        change = Change(file, self._input_type, warn, rule)
        change.plan = self._planner(change)
        rekey.refuse_strangers(change.plan, self.credentials, rotate=self.rotate)
        self._refuse_copy(change)
        return change

    def _refuse_copy(self, change: Change, data_key: bytes | None = None) -> None:
        """Raise StrangerError if a file has the data key of another one, which its recipients may not open.

        Only those matter who would get the data key, and not those that the command line names for the file.
        ``data_key`` is as for `Copies.others`.
        """
        plan = change.plan
        renews = plan.renews(rotate=self.rotate)
        wrapping = Wrapping.of(None if renews else plan.metadata, plan.rule)
        gaining = [*chain.from_iterable(wrapping.groups)]
        if renews:
            # Afterwards, nothing would show that it was a copy, and updatekeys would add those of its rule.
            with suppress(EncconfError):
                gaining += chain.from_iterable(change.rule().groups)
        gaining = [key for key in gaining if key not in change.named]
        if not gaining or change.source.path is None:
            return

        def rule(file: str) -> Rule:
            return find_rule(file, config=self.config, read=self._configs)

        with self._reading:
            error = self._copies.objection(change.file, plan.metadata, gaining, rule, data_key)
        if error is not None:
            error.hint = error.hint or copy_hint(change.file)
            raise error

    @cached_property
    def _copies(self) -> Copies:
        from encconf.git.copies import Copies

        return Copies(self.paths)

    def work(self, file: str) -> Change:
        """Plan a change and make its new text."""
        change = self._plan(file)
        if self._hashes is not None and hash(change.source.text) != self._hashes[file]:
            raise ChangedError("it was changed in the meantime; nothing was written", hint="run it again")
        if change.plan.changes and not self.dry_run:
            change.enc = rekey.carry_out(
                change.plan,
                rotate=self.rotate,
                credentials=self.credentials,
                ignore_mac=self._ignore_mac,
                notify=change.warn,
                refuse=lambda data_key: self._refuse_copy(change, data_key),
            )
        return change

    def settle(self, file: str, done: object) -> str:
        """Write and report one file."""
        assert isinstance(done, Change)
        self._find_names(done.plan.gone)
        wanted = done.plan
        if not wanted.changes:
            self._current.append(file)
            return self._record(done, "unchanged")
        if self.dry_run:
            self.plans.setdefault(tuple(self._lines(wanted)), []).append(file)
            return self._record(done, "would-change")
        if self.alone and self._shows:
            self._show([file], self._lines(wanted))
        assert done.enc is not None
        source = done.source if self.output is None else None
        written = files.write(self.front, done.enc, source, self.output)
        if written is not None:
            if self._verbose or len(self.paths) <= rekey.SCREEN:
                self.front.note(f"wrote {one_line(written)}{self._brief(wanted)}")
            else:
                self._written.setdefault(self._brief(wanted), []).append(written)
        return self._record(done, "changed")

    def fail(self, file: str, error: EncconfError) -> None:
        """Store and print an error.  Recipients in it get the names that .sops.yaml gives them."""
        strangers = []
        if isinstance(error, StrangerError):
            self._find_names(error.strangers)
            for key in error.strangers:
                error.message = error.message.replace(in_full(key), f"{key.TYPE} {self.names.whole(key)}")
            strangers = list(map(self.names.to_json, error.strangers))
        super().fail(file, error)
        if self.json:
            said = {"strangers": strangers, "error": as_data(error, file)}
            self._rows[file] = {**_EMPTY, "file": file, "status": "failed", **said}

    # --- before anything is changed ----------------------------------------------------------

    def _collect(self, file: str, done: object) -> str:
        """Store the plan of a changing file, to be confirmed.  Returns "", so the file stays in ``left``."""
        assert isinstance(done, Change)
        if not done.plan.changes:
            return self.settle(file, done)
        assert self._hashes is not None
        self._find_names(done.plan.gone)
        self._to_confirm.setdefault(tuple(self._lines(done.plan)), []).append(file)
        self._hashes[file] = hash(done.source.text)
        if self.json:
            self._rows[file] = self._row(done, "left")
        seen = done.plan.seen() if self.checklist is not None else None
        if seen is not None:
            who = self._who(done.plan, seen)
            for rank, path in zip(seen.ranks, seen.paths, strict=True):
                self._items.append((rank, checklist_item(who, one_line(file), one_line(spell(path)))))
        return ""

    def _is_confirmed(self) -> bool:
        """Print the plans, and return whether the user confirms them."""
        for said, names in self._to_confirm.items():
            self._show(names, said)
        count = len(self.left)
        return self.front.confirm(f"go on with {count} files?" if count > 1 else "go on?")

    def begin(self) -> None:
        """Write the checklist.  Secrets come first."""
        path = self.checklist
        if path is None:
            return
        items = [item for _, item in sorted(self._items, key=lambda item: item[0])]
        self._items.clear()
        if not items:
            self.front.note("no recipient is removed, so the checklist has no items")
            return
        added = write_checklist(path, items)
        values = f"{counted(len(items), 'value')} to change"
        known = f", {len(items) - added} of them known" if added < len(items) else ""
        self.front.note(f"wrote {one_line(path)}: {values}{known}")

    # --- messages ----------------------------------------------------------------------------

    def _show(self, names: Sequence[str], said: Sequence[str]) -> None:
        which = listed(names, len(names) if self._verbose else _NAMED)
        lines = [f"{which} change{'s' if len(names) == 1 else ''}:", *(f"  {line}" for line in said)]
        self.front.note("\n".join(lines))

    def _brief(self, wanted: Plan) -> str:
        before, after = wanted.thresholds
        parts = [f"+{self.names.of(key)}" for key in wanted.added]
        parts += [f"-{self.names.of(key)}" for key in wanted.removed]
        if before != after:
            parts.append(f"needs {after} of its {len(wanted.new)} groups" if after else "one group")
        if wanted.reselects:
            parts.append("other values are encrypted")
        renewed = ", with a new data key" if wanted.renews(rotate=self.rotate) else ""
        return renewed + (f" ({', '.join(parts)})" if parts else "")

    def _lines(self, wanted: Plan) -> list[str]:
        return rekey.plan_lines(wanted, rotate=self.rotate, names=self.names)

    def _find_names(self, keys: list[MasterKey]) -> None:
        """Look in git's history for the names of keys that .sops.yaml does not have."""
        unnamed = {key for key in keys if self.names.given(key) is None} - self._unnamed
        if unnamed:
            from encconf.audit.history import name_former

            self._unnamed |= unnamed
            name_former(self.names, unnamed)

    @cached_property
    def names(self) -> Names:
        """The names of keys, from the .sops.yaml of each file."""
        try:
            names = Names.for_files(self.paths, self.config, ())
            names.add_old(NAME, self._old_config)
            return names
        except EncconfError as error:
            self.front.warn(f"{error}; keys are shown without names")
            return Names()

    # --- the report ----------------------------------------------------------------------------

    def _record(self, change: Change, status: str) -> str:
        """Store the result of a file, and return its state."""
        seen = change.plan.seen() if change.plan.changes else None
        if seen is not None:
            paths = tuple(map(spell, seen.paths))
            self._seen.setdefault(self._who(change.plan, seen), {}).setdefault(paths, []).append(change.file)
        if self.json:
            self._rows[change.file] = self._row(change, status)
        return status

    def _row(self, change: Change, status: str) -> Row:
        wanted = change.plan
        row: Row = {**_EMPTY, "file": change.file, "status": status}
        if not wanted.changes:
            return row
        row["data_key"] = "new" if wanted.renews(rotate=self.rotate) else "kept"
        row["added"] = list(map(self.names.to_json, wanted.added))
        row["removed"] = list(map(self.names.to_json, wanted.removed))
        row["removed_before"] = list(map(self.names.to_json, wanted.leavers))
        before, after = wanted.thresholds
        if before != after:
            row["threshold"] = {"old": before or 1, "new": after or 1}
        if wanted.reselects:
            old, new = wanted.metadata.selection, wanted.rule.selection
            row["selection"] = {"old": old.to_entries(), "new": new.to_entries()}
        seen = wanted.seen()
        if seen is not None:
            row["could_read"] = {"paths": list(map(spell, seen.paths)), "alone": seen.alone}
        return row

    def _who(self, wanted: Plan, seen: Seen) -> str:
        """Return the removed recipients as the subject of a sentence."""
        who = ", ".join(self.names.full(key) for key in wanted.gone)
        return who if seen.alone else f"{who}, together with keys of other groups,"

    def report(self) -> None:
        """Print the plans or the results, and the values that removed recipients could read."""
        say = self.front.note if self._to_stdout and not self.dry_run else self.front.data
        short = not self._verbose and is_terminal(1)
        for brief, names in sorted(self._written.items(), key=lambda each: -len(each[1])):
            # One line for all files that changed alike.
            which = counted(len(names), "file") if len(names) > _NAMED else listed(names)
            self.front.note(f"wrote {which}{brief}")
        if self._current and not (self.dry_run and self.json):
            count = len(self._current)
            self.front.note(
                f"{counted(count, 'file')} are up to date"
                if count > 1
                else f"{one_line(self._current[0])} is up to date"
            )
        if self.json:
            counts = list(self.states.values())
            self.front.json(
                {
                    "command": self._command,
                    "dry_run": self.dry_run,
                    "files": [row for file, row in self._rows.items() if file in self.states],
                    "changed": counts.count("would-change" if self.dry_run else "changed"),
                    "unchanged": counts.count("unchanged"),
                    "failed": counts.count("failed"),
                    "not_reached": self.left,
                }
            )
        else:
            texts = [rekey.plans_text(self.plans, short=short)] if self.plans else []
            texts += [rekey.seen_text(self._seen, short=short)] if self._seen and self._lists_values else []
            if texts:
                say("\n".join(texts))
        if self._seen and not self.dry_run:
            self.front.warn(
                "removed recipients may have kept the values: change the secrets at their source as well"
            )


_EMPTY: Row = {
    "file": "",
    "status": "",
    "data_key": None,
    "added": [],
    "removed": [],
    "removed_before": [],
    "threshold": None,
    "selection": None,
    "strangers": [],
    "could_read": None,
    "error": None,
}


# --- the checklist for somebody who leaves --------------------------------------------------------
# You tick off each value after you change it at its source.  Several commands can write to the same list:
# what the file has stays, and only items that it does not have yet, ticked or not, are added.

TITLE = "# Values to change at their source\n\n"
_ITEM = re.compile(r"^- \[[ xX]\] (.*)$", re.M)


def checklist_item(who: str, file: str, path: str) -> str:
    """Return one item of the list, without its checkbox."""
    return f"{_code(path)} in {_code(file)}: {who} could read it"


def _code(text: str) -> str:
    """Return a text as Markdown code, between more backticks than it contains in a row."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    pad = " " if longest else ""
    return "`" * (longest + 1) + pad + text + pad + "`" * (longest + 1)


def write_checklist(path: str, items: Iterable[str]) -> int:
    """Add the missing items to the list in a file (-: stdout), and return how many were added.

    The file may be new.

    Raises InputError for a file that is not a checklist, and the errors of reading and writing.
    """
    place = fileio.resolve("/dev/stdout" if path == "-" else path)
    with about(path, instead=place):
        before = fileio.read_existing(place) if not fileio.is_special(place) else None
        known = set(_ITEM.findall(before or ""))
        if before and not known:
            raise InputError("this file is not a checklist")
        new = [text for text in dict.fromkeys(items) if text not in known]
        if new:
            text = before or TITLE
            text += "" if text.endswith("\n") else "\n"
            text += "".join(f"- [ ] {each}\n" for each in new)
            fileio.write_atomic(place, text, replacing=before)
        return len(new)


# --- updatekeys --------------------------------------------------------------------------------------


class Updating(Changing):
    """The files, and what to update besides their recipients."""

    file: Sequence[str] = ()
    recursive: bool = False
    changed: bool = False
    yes: bool = False
    checklist: str | None = None
    selection: bool = False
    allow_plaintext: bool = False
    keep_data_key: bool = False
    ssh_to_age: bool = False


def updatekeys(options: Updating, front: Front) -> None:
    """Give files the recipients that their rules name now."""
    selection = options.selection
    if options.allow_plaintext and not selection:
        raise ConflictError("--allow-plaintext needs --selection")
    update(
        options,
        front,
        batch.files(front, options.file, recursive=options.recursive, changed=options.changed),
    )


def update(
    options: Updating,
    front: Front,
    paths: Sequence[str],
    *,
    command: str = "updatekeys",
    configs: Mapping[str, Config] | None = None,
    old_config: str = "",
    lists_values: bool = True,
    shows: bool = True,
) -> int:
    """Give files the recipients that their rules name, and return how many files change.

    ``configs`` are configurations, by path, that are used instead of the files.  ``old_config``,
    ``lists_values`` and ``shows`` are as for `Rekeying`.
    """
    selection = options.selection

    from encconf.audit.history import Leavers
    from encconf.keys.ssh import as_age

    history = Once()

    def leavers_of(file: str, rule: Rule) -> tuple[MasterKey, ...]:
        """The keys that know the data key of a file, and that its rule does not name."""
        known = history.get(lambda: Leavers(path for path in paths if path not in fileio.STDIN))
        named = {identity(key) for group in rule.groups for key in group}
        return tuple(key for key in known.of.get(file, ()) if identity(key) not in named)

    def plan(change: Change) -> Plan:
        rule = change.rule()
        own = metadata_of(change.source.text, change.format).selection
        by_rule = rule.selection_for(own)
        if options.ssh_to_age:
            rule = rule.replace(groups=[[as_age(key) for key in group] for group in rule.groups])
        wanted = rekey.plan(
            change.source.text,
            rule,
            format=change.format,
            selection=by_rule if selection else None,
            allow_plaintext=options.allow_plaintext,
        )
        if not selection and not formats.get(change.format).single_value and own != by_rule:
            _warn_of_selection(change, Reselection(wanted.document, own, by_rule), rule.name)
        leavers = () if wanted.renews() else leavers_of(change.file, wanted.rule)
        if leavers and options.keep_data_key:
            change.warn(f"{change.file}: the data key is kept, although removed recipients know it")
            leavers = ()
        locks_out = _locks_out(wanted, front)
        if locks_out and options.yes:
            change.warn(f"{change.file}: your own key is removed, and you cannot open the file any more")
        return wanted.replace(leavers=leavers, locks_out=locks_out)

    work = Rekeying(
        front,
        command,
        options,
        plan,
        asks=not options.yes,
        shows=options.yes and shows,
        checklist=options.checklist,
        rotate=not options.keep_data_key,
        configs=configs,
        old_config=old_config,
        lists_values=lists_values,
    )
    work.run(paths)
    return sum(state in ("changed", "would-change") for state in work.states.values())


def _locks_out(wanted: Plan, front: Front) -> bool:
    """Whether a plan removes the last key of the user who runs it."""
    if not wanted.removed:
        return False
    credentials = front.credentials()
    mine = [key for key in wanted.removed if key.is_own(credentials)]
    return bool(mine) and not any(key.is_own(credentials) for group in wanted.new for key in group)


def _warn_of_selection(change: Change, found: Reselection, rule: str) -> None:
    """Warn that the rule would encrypt more of a file than the file's own selection does."""
    if not found.sealed and not found.stronger:
        return
    what = f"{counted(len(found.sealed), 'value')} more" if found.sealed else "the MAC over all values"
    hint = f"encconf updatekeys --selection {quoted(change.file)} makes it follow the rule"
    if found.exposed or found.comments:
        hint = "that would also decrypt values in the file; encconf check says what to change"
    change.warn(f"{change.file} has another selection than {rule}, which encrypts {what}", hint=hint)


# --- rotate ------------------------------------------------------------------------------------------


class Rotating(Changing):
    """The files, and the master keys to add and to remove."""

    file: Sequence[str] = ()
    recursive: bool = False
    changed: bool = False
    add: Keys = NO_KEYS
    remove: Keys = NO_KEYS
    resume_at: str | None = None
    checklist: str | None = None
    output: str | None = None
    ignore_mac: bool = False


def rotate(options: Rotating, front: Front) -> None:
    """Give files new data keys, and add or remove master keys if any are named."""
    add, remove = named_keys(options.add), named_keys(options.remove)
    paths = batch.files(front, options.file, recursive=options.recursive, changed=options.changed)
    if options.output is not None and len(paths) > 1:
        raise UsageError("--output takes the result of one file")

    def plan(change: Change) -> Plan:
        def warn(notice: str) -> None:
            change.warn(f"{change.file}: {notice}")

        wanted = change.planned(
            lambda rule: rekey.with_keys(rule, add, remove, notify=warn), named=add, new_data_key=True
        )
        if remove:
            with suppress(EncconfError):
                still.update(key for key in chain.from_iterable(change.rule().groups) if key in remove)
        return wanted

    still: set[MasterKey] = set()  # what the rules name, so that updatekeys would add it again
    work = Rekeying(
        front,
        "rotate",
        options,
        plan,
        output=options.output,
        checklist=options.checklist,
        ignore_mac=options.ignore_mac,
    )
    work.run(paths if options.resume_at is None else _from(paths, options.resume_at))
    for key in sorted(still, key=lambda key: key.name):
        front.warn(
            f".sops.yaml still names {in_full(key)}",
            hint=f"remove it there, too: encconf keys remove {quoted(key.name)}",
        )


def _from(paths: list[str], first: str) -> list[str]:
    """Return the paths from ``first`` on.  Raises UsageError if it is not one of them."""
    real = os.path.realpath(first)
    for at, path in enumerate(paths):
        if os.path.realpath(path) == real:
            return paths[at:]
    raise UsageError(
        f"{first} is not one of the files that you gave",
        hint="give the same files as before, and --resume-at",
    )


# --- groups ------------------------------------------------------------------------------------------


class Regrouping(Changing):
    """The file, and how many of its groups are needed after the change."""

    file: str | None = None
    threshold: str | None = None
    in_place: bool = False


class AddingGroup(Regrouping):
    """The keys of the new group."""

    keys: Keys = NO_KEYS


class DeletingGroup(Regrouping):
    """The number of the group to remove, from 0."""

    index: str


def add_group(options: AddingGroup, front: Front) -> None:
    """Add a key group to a file."""
    needed = _threshold(options)
    group = named_keys(options.keys)
    _regroup(
        options, front, "groups add", lambda rule: rekey.with_group(rule, group, needed), needed, named=group
    )


def delete_group(options: DeletingGroup, front: Front) -> None:
    """Remove a key group from a file, which gives the file a new data key."""
    needed = _threshold(options)
    which = _number(options.index, "INDEX must be a number: 0 is the first group")
    _regroup(options, front, "groups delete", lambda rule: rekey.without_group(rule, which, needed), needed)


def _regroup(
    options: Regrouping,
    front: Front,
    command: str,
    regroup: Callable[[Rule], Rule],
    needed: int | None,
    *,
    named: Sequence[MasterKey] = (),
) -> None:
    """Change the key groups of a file.  ``named`` are the keys that the user named."""

    def regrouped(rule: Rule) -> Rule:
        changed = regroup(rule)
        count = len(changed.groups)
        if needed and count > 1 and not 2 <= needed <= count:
            raise UsageError(
                f"--threshold {needed} does not fit {count} key groups",
                hint="it is how many of them are needed to open the file: from 2 to all of them",
            )
        return changed

    def plan(change: Change) -> Plan:
        return change.planned(regrouped, named=named, regroups=True)

    file = options.file
    if file is None:
        raise MissingFileError("no file was given", hint="name one: --file FILE")
    if options.in_place and file in fileio.STDIN:
        raise ConflictError("--in-place needs a file, not stdin").about(file)
    output = None if options.in_place else "-"
    Rekeying(front, command, options, plan, output=output).run([file])


def _threshold(options: Regrouping) -> int | None:
    if options.threshold is None:
        return None
    return _number(options.threshold, "--threshold must be a number of key groups")


def _number(text: str, what: str) -> int:
    if not text.isdecimal() or len(text) > 3:
        raise UsageError(what)
    return int(text)
