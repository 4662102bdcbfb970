"""Change the recipients, the key groups or the data key of an encrypted text.

Text in, text out.  A `Plan` (`encconf.engine.recipients`) says what would change, and `carry_out` changes it.
The verbs mean what they mean in sops 3.13.3 (rotate.go, updatekeys.go, groups), unless a docstring differs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from encconf import formats
from encconf.engine import opening, plaintext, sealing
from encconf.engine.admission import Admission, in_full, rule_of, wrap_again
from encconf.engine.metadata import Metadata, with_block, without_block
from encconf.engine.recipients import Plan, exposed_by
from encconf.envelope.unwrap import open_data_key
from encconf.errors import ConfigError, EmitError, EmptyGroupError, PlaintextError, UnmergedError
from encconf.identities.credentials import Credentials
from encconf.rules.config import Rule
from encconf.rules.selection import Selection
from encconf.text.path import spell
from encconf.text.printable import counted, listed, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.audit.names import Names
    from encconf.keys import MasterKey
    from encconf.rules.config import Notify
    from encconf.text.document import Leaf


def plan(
    text: str,
    rule: Rule,
    *,
    format: str,
    selection: Selection | None = None,
    allow_plaintext: bool = False,
) -> Plan:
    """Return the plan to give a file the key groups of a rule, and with ``selection`` another selection.

    Whatever else the rule says counts as well: it decides who may get the data key.

    Raises NotEncryptedError, MetadataError, ParseError, or EmptyGroupError for an empty group.  Raises
    PlaintextError for a selection that would decrypt values in the file, unless ``allow_plaintext`` is set.
    """
    document = formats.scan_encrypted(text, formats.get(format), comments=selection is not None)
    metadata = Metadata.of(document)
    for group in rule.groups:
        if not group:
            raise EmptyGroupError("the key group has no keys", hint="name at least one, such as: --age age1…")
    wanted_rule = rule.replace(selection=selection or metadata.selection, name="")
    wanted = Plan(document, metadata, wanted_rule, allow_plaintext=allow_plaintext)
    if wanted.reselects and not allow_plaintext:
        found = wanted.reselection
        _refuse_exposed(wanted, found.exposed, found.comments)
    return wanted


def _refuse_exposed(wanted: Plan, exposed: Sequence[Leaf], comments: int) -> None:
    """Raise PlaintextError if the plan would leave values or comments in plaintext that are now encrypted."""
    if not exposed and not comments:
        return
    named = [spell(leaf.path) for leaf in exposed]
    if comments:
        named.insert(0, counted(comments, "comment"))
    own = " and ".join(wanted.metadata.selection.as_written())
    raise PlaintextError(
        f"the rule's selection would decrypt values in the file: {listed(named, 20)}",
        hint=f"to keep them encrypted, add the file's own selection to the rule: {own}",
    )


def plan_change(
    text: str,
    change: Callable[[Rule], Rule],
    *,
    format: str,
    new_data_key: bool = False,
    admission: Admission | None = None,
    regroups: bool = False,
) -> Plan:
    """Return the plan for a change of the rule that a file was encrypted by.

    ``change`` gets the rule and returns the new one with `with_keys`, `with_group` or `without_group`.  The
    ``admission`` decides who may get the data key; by default the keys that ``change`` adds, and your own.
    With ``regroups``, the user moves keys between groups, so that these may differ from those of .sops.yaml.
    Raises what they raise, and NotEncryptedError, MetadataError and ParseError.
    """
    document = formats.scan_encrypted(text, formats.get(format))
    metadata = Metadata.of(document)
    own = rule_of(metadata)
    if regroups and admission is not None:
        admission = admission.regrouping(own.groups)
    return Plan(document, metadata, change(own), new_data_key=new_data_key, admission=admission)


def refuse_strangers(wanted: Plan, credentials: Credentials, *, rotate: bool) -> None:
    """Raise StrangerError if carrying out a plan would give the data key to someone who is not admitted."""
    if wanted.changes:
        new = wanted.renews(rotate=rotate)
        admission = wanted.admission or Admission.of(wanted.rule)
        admission.check(wanted.metadata, wanted.rule, credentials, new_data_key=new)


def carry_out(
    wanted: Plan,
    *,
    rotate: bool = True,
    credentials: Credentials | None = None,
    ignore_mac: bool = False,
    notify: Notify | None = None,
    refuse: Callable[[bytes], None] = lambda data_key: None,
) -> str:
    """Return the encrypted text with the planned keys and selection.

    If a recipient is removed, everything is re-encrypted with a new data key, because they know the old one.
    The data key stays if recipients are only added, or without ``rotate``, as in sops.  Unless the selection
    changes, the MAC then stays too, and no value is decrypted.  ``refuse`` gets the data key that the file
    has, before anything is encrypted or wrapped, and may raise an error.

    Raises PlaintextError if the selection would leave values in plaintext that are encrypted now, unless the
    plan allows that, and what opening and encrypting raise.
    """
    credentials = credentials or Credentials.from_env()
    document, metadata = wanted.document, wanted.metadata
    renews = wanted.renews(rotate=rotate)
    admission = wanted.admission or Admission.of(wanted.rule)
    if renews or wanted.reselects:
        if wanted.new_data_key:
            credentials.audit("rotate", document.text)
        opened = opening.open_text(
            document.text,
            format=document.format.name,
            credentials=credentials,
            ignore_mac=ignore_mac,
            notify=notify,
        )
        refuse(opened.data_key)
        plain = plaintext.plain_text(opened)
        if wanted.reselects and not wanted.allow_plaintext:  # once more: comments can be read now
            after = formats.scan_any(plain, document.format.name, comments=True)
            _refuse_exposed(wanted, *exposed_by(wanted.rule.selection, opened, after))
        return sealing.encrypt(
            plain,
            wanted.rule,
            format=document.format.name,
            twin=opened,
            new_data_key=renews,
            admission=admission,
            edits_twin=True,
            credentials=credentials,
            notify=notify,
        )
    if metadata.unmerged is not None:  # the record of the merge is bound to the recipients at the merge
        raise UnmergedError(metadata.unmerged, hint="resolve it with: encconf edit FILE")
    data_key = open_data_key(metadata.groups, metadata.threshold, credentials)
    refuse(data_key)
    groups, threshold = wrap_again(
        data_key, metadata, wanted.rule, admission, credentials, sealing.lastmodified()
    )
    result = with_block(document, metadata.replace(groups=groups, threshold=threshold))
    if without_block(document.format.scan(result)) != without_block(document):
        raise EmitError("the keys cannot be changed without changing the text; nothing was written")
    return result


def with_keys(
    rule: Rule,
    add: Sequence[MasterKey] = (),
    remove: Sequence[MasterKey] = (),
    *,
    notify: Notify | None = None,
) -> Rule:
    """Return a rule with keys added to its first group and other keys removed from all groups.

    Raises EmptyGroupError if a group would lose its last key.  ``notify`` gets a message for each key to
    remove that the file does not have.
    """
    groups = [list(group) for group in rule.groups] or [[]]
    groups[0] += [key for key in dict.fromkeys(add) if key not in groups[0]]
    removed = {(key.TYPE, key.name) for key in remove}
    left = [[key for key in group if (key.TYPE, key.name) not in removed] for group in groups]
    present = {(key.TYPE, key.name) for group in groups for key in group}
    for key in remove:
        if notify and (key.TYPE, key.name) not in present:
            notify(f"the file has no key {in_full(key)}")
    if not all(left):
        raise EmptyGroupError(
            "this would remove the last key of a key group",
            hint="to remove it, delete the group: encconf groups delete",
        )
    return rule.replace(groups=left)


def with_group(rule: Rule, group: Sequence[MasterKey], threshold: int | None) -> Rule:
    """Return a rule with one more key group.

    If ``threshold`` is None, the rule keeps its own threshold; without one, all groups are needed.
    Raises EmptyGroupError for a group without keys.
    """
    if not group:
        raise EmptyGroupError("the key group has no keys", hint="name at least one, such as: --age age1…")
    groups = [*rule.groups, list(dict.fromkeys(group))]
    return rule.replace(groups=groups, threshold=threshold or rule.threshold)


def without_group(rule: Rule, index: int, threshold: int | None) -> Rule:
    """Return a rule without one of its key groups, which are numbered from 0.

    Raises ConfigError if it has no such group, if none would be left, or fewer than the threshold needs.
    """
    groups = list(rule.groups)
    if not 0 <= index < len(groups):
        raise ConfigError(f"the file has no key group {index}: it has {len(groups)}, numbered from 0")
    del groups[index]
    if not groups:
        raise ConfigError("cannot delete the only key group of a file", hint="add another key group first")
    threshold = threshold or rule.threshold
    if threshold and len(groups) < threshold:
        raise ConfigError(
            "removing this key group will make the Shamir threshold impossible to satisfy: "
            f"it is {threshold}, and {counted(len(groups), 'key group is', 'key groups are')} left",
            hint=f"set another one: --threshold {len(groups)}",
        )
    return rule.replace(groups=groups, threshold=threshold if len(groups) > 1 else None)


# --- what a plan changes, in words ----------------------------------------------------------------


SCREEN = 10
"""The most files that a report names, and the most lines about them, if it must fit a screen."""


def plans_text(plans: dict[tuple[str, ...], list[str]], *, short: bool = False) -> str:
    """Describe several plans: the names of the files, and below them what changes.

    If the text must be ``short``, it names only the first few of many files.
    """
    blocks = []
    for said, names in plans.items():
        lines = [*_names(names, short), *(f"  {line}" for line in said)]
        blocks.append("".join(f"{line}\n" for line in lines))
    return "\n".join(blocks)


def seen_text(seen: dict[str, dict[tuple[str, ...], list[str]]], *, short: bool = False) -> str:
    """List the values that removed recipients could read.

    ``seen`` has the files by recipient and by paths.  A ``short`` list has only the first ones of many.
    """
    blocks = []
    for who, places in seen.items():
        said = [f"{who} could read these values. Change them at their source:"]
        for paths, names in places.items():
            said += [*_names(names, short), *(f"  {one_line(path)}" for path in paths)]
        if short and len(said) > 2 * SCREEN:
            files = sum(map(len, places.values()))
            values = sum(len(paths) * len(names) for paths, names in places.items())
            said[2 * SCREEN :] = [
                f"… {counted(values, 'value')} in {counted(files, 'file')} in all: --verbose lists them, and "
                "--checklist FILE writes a list to tick off"
            ]
        blocks.append("\n".join(said) + "\n")
    return "\n".join(blocks)


def _names(names: Sequence[str], short: bool) -> list[str]:
    """Return a line for each file, or if the list must be ``short``, for the first of many."""
    if not short or len(names) <= SCREEN:
        return [*map(one_line, names)]
    return [*map(one_line, names[:3]), f"and {len(names) - 3} more files"]


def plan_lines(wanted: Plan, *, rotate: bool, names: Names | None = None) -> list[str]:
    """Return one line for each change of a plan."""
    said: list[str] = []
    if wanted.regroups or wanted.thresholds[0] != wanted.thresholds[1]:
        said += [*threshold_lines(*wanted.thresholds), *group_lines(wanted, names)]
    if wanted.locks_out:
        said.append("your own key is removed, and you cannot open the file any more")
    if wanted.reselects:
        before, after = wanted.metadata.selection, wanted.rule.selection
        said.append(f"what is encrypted: {after}; until now {before}")
    if wanted.renews(rotate=rotate):
        why = ", because a removed recipient knows the old one" if wanted.removed else ""
        if wanted.leavers:
            who = ", ".join(names.whole(key) if names is not None else key.name for key in wanted.leavers)
            why = f", because {who} knows the old one and was removed before"
            if len(wanted.leavers) > 1:
                why = f", because these know the old one and were removed before: {who}"
        said.append(f"every value is re-encrypted with a new data key{why}")
    elif wanted.removes:
        why = "a removed recipient knows it" if wanted.removed else "removed recipients know it"
        said.append(f"the data key is kept, although {why}")
    return said


def threshold_lines(old: int, new: int) -> list[str]:
    """Return the lines about a Shamir threshold.  0 means no threshold."""
    if old == new:
        return [f"shamir_threshold: {new}"] if new else []
    said = [f"+++ shamir_threshold: {new}"] if new else []
    return [*said, f"--- shamir_threshold: {old}"] if old else said


def group_lines(wanted: Plan, names: Names | None = None) -> list[str]:
    """Return a line for each key of each group.  It begins with blanks (kept), ``+++`` (new) or ``---``."""

    def line(sign: str, key: MasterKey) -> str:
        name, former = (names.given(key), names.former(key)) if names is not None else (None, None)
        name = f"{former}, former" if former else name
        # Anyone can write a name into a file.  A user decides by these lines, so that each has one key.
        return one_line(f"{sign} {key.name} ({name})" if name else f"{sign} {key.name}")

    said: list[str] = []
    for number in range(max(len(wanted.old), len(wanted.new))):
        before = wanted.old[number] if number < len(wanted.old) else []
        after = wanted.new[number] if number < len(wanted.new) else []
        said.append(f"Group {number + 1}")
        said += [line("   ", key) for key in after if key in before]
        said += [line("+++", key) for key in after if key not in before]
        said += [line("---", key) for key in before if key not in after]
    return said
