"""``encconf explain``: the rule that applies to a file and what it means, as text or as JSON."""

from __future__ import annotations

import os

from encconf import formats
from encconf.audit import explain as explaining
from encconf.audit.explain import Explanation, matches, opens
from encconf.audit.findings import leading, printable
from encconf.cli.command import CONFIG, Argument, Command
from encconf.cli.console import Console
from encconf.cli.shared import INPUT_TYPE, JSON
from encconf.record import VerbOptions
from encconf.rules.config import Rule
from encconf.rules.selection import Selection


class Options(VerbOptions):
    file: str
    input_type: str | None = None
    json: bool = False
    config: str | None = None


def explain(options: Options, console: Console) -> None:
    """Print which rule applies to a file and what it means.  Raises EncconfError if no rule can be used."""
    cwd = os.getcwd()
    found = explaining.explain(options.file, cwd=cwd, config=options.config, input_type=options.input_type)
    if options.json:
        console.json(explaining.to_json(found))
    else:
        console.lines(text(found, cwd))
    for error in (found.error, found.problem):
        if error is not None:
            raise error.about(options.file)


EXPLAIN = Command(
    "explain",
    """Explain which rule applies to a file, who can decrypt it, and why each value is encrypted or not.

    FILE may be plain or encrypted, or may not exist yet; you need no key. Shows where encconf looked for
    .sops.yaml, every rule and why it matches or not, and where an encrypted file differs from its rule.

    Exit codes:

    - 0: a rule applies
    - 1: no rule applies
    - 2: the file cannot be read
    """,
    Options,
    explain,
    arguments=[Argument("file", named=True)],
    options=[INPUT_TYPE, JSON, CONFIG],
    examples=[
        "encconf explain secrets.enc.yaml",
        "encconf explain --json deploy/new.enc.yaml",
    ],
)


def text(found: Explanation, cwd: str) -> str:
    """Return the explanation as text."""
    state = "has a sops block, but no encrypted value" if found.is_bare else _STATES[found.state]
    out = [f"{leading(found.file)}: {state} ({found.format})"]
    if found.problem is not None:
        out.append(f"  {printable(found.problem.message, 400)}")
    out.append("")
    if found.config is not None:
        out.append(f"configuration: {_relative(found.config, cwd)}")
    for place in found.looked if found.config is None else found.looked[:-1]:
        out.append(f"  not there: {_relative(place, cwd)}")
    if found.names:
        out.append(f"rules, looked up for {' or '.join(map(printable, found.names))}:")
    out += _tried(found)
    out += [f"  note: {printable(notice, 600)}" for notice in found.notices]
    for rule_of, title in ((found.rule, "keys of the rule"), (found.own, "keys of the file")):
        if rule_of is not None and (rule_of is found.rule or found.rule is None or found.differences):
            out += ["", f"{title}: {opens(rule_of)}", *_keys(found, rule_of)]
    if found.own is not None and found.rule is not None:
        out += ["", "the file and the rule " + ("differ:" if found.differences else "agree")]
        out += [f"  {each}" for each in found.differences]
    if found.fates:
        out += ["", *_table(found)]
    return "".join(f"{line}".rstrip() + "\n" for line in out)


def _tried(found: Explanation) -> list[str]:
    """Return a line for each rule, with the reason why it applies to the file or not."""
    width = max((len(rule.place) for rule in found.tried), default=0)
    lines = []
    for number, rule in enumerate(found.tried):
        regex = f' "{printable(rule.path_regex)}"' if rule.path_regex else ""
        reason = rule.reason
        if found.number is not None and number > found.number:
            reason = "is not reached" + (", though it matches" if rule.path_regex and rule.matches else "")
        sign = ">" if number == found.number else " "
        lines.append(f"{sign} {rule.place:{width}}  path_regex{regex} {reason}")
    return lines


def _keys(found: Explanation, rule: Rule) -> list[str]:
    """Return the lines about the keys of a rule or of the file, and about which values are encrypted."""
    lines = []
    several = len(rule.groups) > 1
    for number, group in enumerate(rule.groups):
        lines += [f"  group {number + 1}"] if several else []
        lines += [f"  {'  ' if several else ''}{found.who(key)}" for key in group]
    if formats.get(found.format).single_value:
        return [*lines, "values: the file is one value, which is encrypted"]
    own = found.own.selection if found.own is not None else rule.selection
    return [*lines, f"values: {_selected(rule.selection_for(own))}"]


_STATES = {
    "missing": "does not exist",
    "plain": "plaintext",
    "encrypted": "encrypted",
    "unreadable": "cannot be read",
}


def _relative(path: str, cwd: str) -> str:
    near = os.path.relpath(path, cwd)
    return printable(path if near.startswith(os.path.join("..", "..", "..")) else near, 4096)


def _table(found: Explanation) -> list[str]:
    width = min(max(len(printable(fate.path)) for fate in found.fates), 48)
    lines = []
    for fate in found.fates:
        becomes = "encrypted" if fate.encrypted else "plaintext"
        now = ""
        if fate.now is not None and fate.now is not fate.encrypted:
            now = "; it is " + ("encrypted" if fate.now else "plaintext") + " now"
        lines.append(f"  {becomes:9}  {printable(fate.path):{width}}  {fate.reason}{now}")
    if found.comments is not None:
        lines.append(f"  {'encrypted' if found.comments else 'plaintext':9}  all comments")
    return lines


def _selected(selection: Selection) -> str:
    """Describe which values a selection encrypts."""
    those = "with a comment before them" if selection.needs_comments else "below a key"
    said = f"{'' if selection.by_match else 'all but '}those {those} that {matches(selection, 200)}"
    mac = "; the MAC covers those only" if selection.mac_only_encrypted else ""
    return f"{said} are encrypted ({selection.kind}){mac}"
