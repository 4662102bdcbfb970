"""``encconf propose`` and ``encconf accept``."""

from __future__ import annotations

from encconf.cli.command import CONFIG, Argument, Command, Option
from encconf.cli.console import ask_for_value
from encconf.cli.shared import CREDENTIALS, DRY_RUN, JSON, YES
from encconf.errors import as_data
from encconf.text.printable import one_line, visible
from encconf.verbs import printing, proposals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from encconf.cli.console import Console
    from encconf.verbs.proposals import Shown


def propose(options: proposals.Proposing, console: Console) -> None:
    """Propose one value, which the user is asked for."""
    proposals.propose(options, console, lambda path: ask_for_value(path, _EMPTY))


_EMPTY = "type the value, or give it on stdin; an empty value is no secret"

PROPOSE = Command(
    "propose",
    """Propose a value for a file that you cannot open; needs no key.

    Prompts for the value (hidden), or reads it from stdin. Writes it to a small encrypted file beside FILE,
    for the recipients that .sops.yaml names for FILE. Nothing uses the value before somebody who can open
    FILE runs encconf accept.
    """,
    proposals.Proposing,
    propose,
    arguments=[Argument("file", named=True), Argument("path", utf8=True, secret=True)],
    options=[
        Option("--json", help="Parse the value as JSON: a number, a list, a mapping …"),
        *CREDENTIALS,
        CONFIG,
    ],
    examples=[
        "encconf propose secrets.enc.yaml stripe.api_key",
        "pwgen 30 1 | encconf propose secrets.enc.yaml database.password",
    ],
)


# --- accept ---------------------------------------------------------------------------------------

_STATES = {"new": "", "replaces": " (replaces the value there)", "same": " (the value that is there already)"}


class Options(proposals.Accepting):
    """The options of the verb, and how to show what is proposed."""

    show_values: bool = False
    json: bool = False


def accept(options: Options, console: Console) -> None:
    """Show what is proposed for a file, and accept it."""
    if options.show_values:
        printing.refuse(console, "values are not shown")

    def show(found: Sequence[Shown]) -> None:
        if options.json:
            console.json(_report(options, found))
        elif found:
            console.lines("\n".join(line for each in found for line in _lines(each, options)))
            if console.can_ask() and not (options.show_values or options.yes):
                console.hint("--show-values shows the values")

    proposals.accept(options, console, show)


def _lines(each: Shown, options: Options) -> list[str]:
    if each.refusal is not None:
        where = f"{one_line(each.path)}: " if each.path else ""
        head = f"{where}cannot be accepted: {each.refusal.message}"
    else:
        said = _text(each.value) if options.show_values else printing.MASK
        head = f"{one_line(each.path)} = {said}{_STATES[each.state]}"
    return [head, f"  proposed: {each.origin}", f"  file: {one_line(each.name)}"]


def _text(value: object) -> str:
    if isinstance(value, str):
        return visible(value).replace("\n", "\n    ")
    from json import dumps

    return visible(dumps(value, ensure_ascii=False))


def _report(options: Options, found: Sequence[Shown]) -> dict[str, object]:
    rows = []
    for each in found:
        origin = each.origin
        row: dict[str, object] = {
            "proposal": each.name,
            "path": each.path,
            "state": each.state,
            "author": origin.author or None,
            "since": origin.date or None,
            "commit": origin.commit or None,
            "error": as_data(each.refusal, each.name) if each.refusal is not None else None,
        }
        if options.show_values and each.refusal is None:
            row["value"] = each.value
        rows.append(row)
    return {"file": options.file, "proposals": rows}


ACCEPT = Command(
    "accept",
    """Accept values that others propose for a file (encconf propose).

    Shows what is proposed, who proposed it according to git, and since when; then asks, puts the values into
    FILE, and removes the proposals. The values are masked without --show-values. ONLY chooses proposals, by
    path or by the name of their file. To refuse a proposal, remove its file.
    """,
    Options,
    accept,
    arguments=[Argument("file", named=True), Argument("only")],
    options=[
        Option("--show-values", help="Show the proposed values."),
        YES,
        DRY_RUN,
        JSON,
        *CREDENTIALS,
        CONFIG,
    ],
    examples=[
        "encconf accept secrets.enc.yaml",
        "encconf accept -n --show-values secrets.enc.yaml",
        "encconf accept -y secrets.enc.yaml stripe.api_key",
    ],
)
