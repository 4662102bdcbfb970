"""``encconf rotate``, ``updatekeys``, ``keys`` and ``groups``: change who can open encrypted files."""

from __future__ import annotations

import os

from encconf.audit.names import identity
from encconf.cli import targets
from encconf.cli.console import Console
from encconf.cli.options import Value, flag, text
from encconf.cli.rekeying import Change, Rekeying
from encconf.cli.rule import named_keys
from encconf.engine.metadata import metadata_of
from encconf.engine.plan import Outcome, Plan
from encconf.errors import ConflictError, MissingFileError, UsageError
from encconf.io import fileio
from encconf.io.once import Once
from encconf.rules.config import Rule
from encconf.text.printable import counted, quoted
from encconf.verbs import rekey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.keys import MasterKey


def rotate(console: Console, *, file: list[str], resume_at: str | None, **options: Value) -> None:
    """Give files new data keys, and add or remove master keys if any are named."""
    add, remove = named_keys(options, "add_"), named_keys(options, "rm_")
    paths = targets.files(console, file, options)
    if options["output"] is not None and len(paths) > 1:
        raise UsageError("--output takes the result of one file")

    def plan(change: Change) -> Plan:
        def warn(notice: str) -> None:
            change.warn(f"{change.file}: {notice}")

        return change.planned(
            lambda rule: rekey.with_keys(rule, add, remove, notify=warn), named=add, new_data_key=True
        )

    work = Rekeying(console, "rotate", options, plan)
    work.run(paths if resume_at is None else _from(paths, resume_at))


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


def updatekeys(console: Console, *, file: list[str], **options: Value) -> None:
    """Give files the recipients that their rules name now."""
    selection = flag(options, "selection")
    if flag(options, "allow_plaintext") and not selection:
        raise ConflictError("--allow-plaintext needs --selection")
    paths = targets.files(console, file, options)

    from encconf.audit.history import Leavers
    from encconf.keys.ssh_to_age import as_age

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
        wanted = rekey.plan(
            change.source.text,
            [[as_age(key) for key in group] for group in rule.groups]
            if flag(options, "ssh_to_age")
            else rule.groups,
            rule.threshold,
            format=change.format,
            selection=by_rule if selection else None,
            allow_plaintext=flag(options, "allow_plaintext"),
        )
        if not selection and change.format != "binary" and own != by_rule:
            _warn_of_selection(change, Outcome(wanted.document, own, by_rule), rule.name)
        if wanted.renews():
            return wanted
        leavers = leavers_of(change.file, wanted.rule)
        if leavers and flag(options, "keep_data_key"):
            change.warn(f"{change.file}: the data key is kept, although removed recipients know it")
            return wanted
        return Plan(wanted.document, wanted.metadata, wanted.rule, wanted.selects, leavers=leavers)

    Rekeying(console, "updatekeys", options, plan).run(paths)


def _warn_of_selection(change: Change, found: Outcome, rule: str) -> None:
    """Warn that the rule would encrypt more of a file than the file's own selection does."""
    if not found.sealed and not found.stronger:
        return
    what = f"{counted(len(found.sealed), 'value')} more" if found.sealed else "the MAC over all values"
    hint = f"encconf updatekeys --selection {quoted(change.file)} makes it follow the rule"
    if found.exposed or found.comments:
        hint = "that would also decrypt values in the file; encconf check says what to change"
    change.warn(f"{change.file} has another selection than {rule}, which encrypts {what}", hint=hint)


def add_keys(console: Console, *, file: list[str], **options: Value) -> None:
    """Add master keys to the first group of files.  The ciphertexts stay the same."""
    add = named_keys(options)
    if not add:
        raise UsageError("no key was given", hint="name one: --age age1…")
    paths = targets.files(console, file, options)

    def plan(change: Change) -> Plan:
        return change.planned(lambda rule: rekey.with_keys(rule, add), named=add)

    Rekeying(console, "keys add", options, plan).run(paths)


def regroup(console: Console, *, file: str | None, **options: Value) -> None:
    """Add a key group to a file, or remove the group ``index``, which gives the file a new data key."""
    threshold, index = text(options, "threshold"), text(options, "index")
    needed = None if threshold is None else _number(threshold, "--threshold must be a number of key groups")
    group = named_keys(options)
    which = None if index is None else _number(index, "INDEX must be a number: 0 is the first group")

    def regrouped(rule: Rule) -> Rule:
        if which is None:
            changed = rekey.with_group(rule, group, needed)
        else:
            changed = rekey.without_group(rule, which, needed)
        count = len(changed.groups)
        if needed and count > 1 and not 2 <= needed <= count:
            raise UsageError(
                f"--threshold {needed} does not fit {count} key groups",
                hint="it is how many of them are needed to open the file: from 2 to all of them",
            )
        return changed

    def plan(change: Change) -> Plan:
        return change.planned(regrouped, named=group, regroups=True)

    if file is None:
        raise MissingFileError("no file was given", hint="name one: --file FILE")
    command = "groups add" if index is None else "groups delete"
    options["output"] = None if flag(options, "in_place") else "-"
    Rekeying(console, command, options, plan).run([file])


def _number(text: str, what: str) -> int:
    if not text.isdecimal() or len(text) > 3:
        raise UsageError(what)
    return int(text)
