"""Give files the recipients that their rules name now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from encconf import formats
from encconf.audit.names import identity
from encconf.engine.metadata import metadata_of
from encconf.engine.recipients import Outcome, Plan
from encconf.errors import ConflictError
from encconf.io import fileio
from encconf.io.threads import Once
from encconf.rules.config import Config, Rule
from encconf.text.printable import counted, quoted
from encconf.verbs import batch, rekey
from encconf.verbs.recipients import Change, Changing, Rekeying

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.keys import MasterKey
    from encconf.verbs.front import Front


class Options(Changing):
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


def run(options: Options, front: Front) -> None:
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
    options: Options,
    front: Front,
    paths: Sequence[str],
    *,
    command: str = "updatekeys",
    configs: Mapping[str, Config] | None = None,
    lists_values: bool = True,
) -> int:
    """Give files the recipients that their rules name, and return how many files change.

    ``configs`` are configurations, by path, that are used instead of the files.  ``lists_values`` is as for
    `Rekeying`.
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
            _warn_of_selection(change, Outcome(wanted.document, own, by_rule), rule.name)
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
        shows=options.yes,
        checklist=options.checklist,
        rotate=not options.keep_data_key,
        configs=configs,
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


def _warn_of_selection(change: Change, found: Outcome, rule: str) -> None:
    """Warn that the rule would encrypt more of a file than the file's own selection does."""
    if not found.sealed and not found.stronger:
        return
    what = f"{counted(len(found.sealed), 'value')} more" if found.sealed else "the MAC over all values"
    hint = f"encconf updatekeys --selection {quoted(change.file)} makes it follow the rule"
    if found.exposed or found.comments:
        hint = "that would also decrypt values in the file; encconf check says what to change"
    change.warn(f"{change.file} has another selection than {rule}, which encrypts {what}", hint=hint)
