"""Describe what a plan changes, for ``encconf rotate`` and similar commands, and for ``sops updatekeys``."""

from __future__ import annotations

from encconf.text.printable import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.audit.names import Names
    from encconf.engine.recipients import Plan
    from encconf.keys import MasterKey


def of_plans(plans: dict[tuple[str, ...], list[str]]) -> str:
    """Describe several plans: the names of the files, and below them what changes."""
    blocks = []
    for said, names in plans.items():
        blocks.append(
            "".join([*(f"{one_line(name)}\n" for name in names), *(f"  {line}\n" for line in said)])
        )
    return "\n".join(blocks)


def of_seen(seen: dict[str, dict[tuple[str, ...], list[str]]]) -> str:
    """List the values that removed recipients could read.

    ``seen`` has the files by recipient and by paths.
    """
    blocks = []
    for who, places in seen.items():
        said = [f"{who} could read these values. Change them at their source:"]
        for paths, names in places.items():
            said += [*map(one_line, names), *(f"  {one_line(path)}" for path in paths)]
        blocks.append("\n".join(said) + "\n")
    return "\n".join(blocks)


def lines(wanted: Plan, *, rotate: bool, names: Names | None = None) -> list[str]:
    """Return one line for each change of a plan."""
    said: list[str] = []
    if wanted.regroups or wanted.thresholds[0] != wanted.thresholds[1]:
        said += [*of_threshold(*wanted.thresholds), *of_groups(wanted, names)]
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


def of_threshold(old: int, new: int) -> list[str]:
    """Return the lines about a Shamir threshold.  0 means no threshold."""
    if old == new:
        return [f"shamir_threshold: {new}"] if new else []
    said = [f"+++ shamir_threshold: {new}"] if new else []
    return [*said, f"--- shamir_threshold: {old}"] if old else said


def of_groups(wanted: Plan, names: Names | None = None) -> list[str]:
    """Return a line for each key of each group.  It begins with blanks (kept), ``+++`` (new) or ``---``."""

    def line(sign: str, key: MasterKey) -> str:
        name, former = (names.given(key), names.former(key)) if names is not None else (None, None)
        name = f"{former}, former" if former else name
        return f"{sign} {key.name} ({name})" if name else f"{sign} {key.name}"

    said: list[str] = []
    for number in range(max(len(wanted.old), len(wanted.new))):
        before = wanted.old[number] if number < len(wanted.old) else []
        after = wanted.new[number] if number < len(wanted.new) else []
        said.append(f"Group {number + 1}")
        said += [line("   ", key) for key in after if key in before]
        said += [line("+++", key) for key in after if key not in before]
        said += [line("---", key) for key in before if key not in after]
    return said
