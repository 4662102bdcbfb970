"""``encconf systemd unit``: print or write the unit files that give values to a unit."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from encconf.cli.command import Argument, Command, Option
from encconf.cli.console import Console
from encconf.cli.shared import INPUT_TYPE, NAMING
from encconf.errors import PathNotFoundError, UsageError, about
from encconf.formats import emit
from encconf.io import fileio, programs, trust
from encconf.systemd import rules, units
from encconf.text.document import Document
from encconf.text.path import Path
from encconf.verbs import changes, files, flat


class Options(flat.Naming):
    file: Sequence[str] = ()
    unit: str | None = None
    allow: Sequence[str] = ()
    identity: str | None = None
    env: bool = False
    user: bool = False
    socket: str | None = None
    output: str | None = None
    input_type: str | None = None


def print_units(options: Options, console: Console) -> None:
    """Print the unit files that give a unit its values, or write them into a folder."""
    file, unit, user, input_type = options.file, options.unit, options.user, options.input_type
    socket, identity, output = options.socket, options.identity, options.output
    if unit is None:
        raise UsageError("no unit was given", hint="name one: --unit app.service")
    if "." not in unit:
        unit += ".service"
    chosen = _rules_for(unit, options)
    names = [rule.credential for rule in chosen]
    if socket is not None and not os.path.isabs(socket):
        raise UsageError("the path of the socket must be absolute")
    made = [
        units.drop_in(unit, names, socket=socket, variables=options.env),
        units.socket_unit(unit, socket=socket),
        units.service_unit(
            unit,
            programs.own_command(),
            [os.path.abspath(each) for each in file],
            chosen,
            identity=os.path.abspath(identity) if identity is not None else None,
            user=user,
            options=["--input-type", input_type] if input_type else [],
        ),
    ]
    folder = output or (
        os.path.join(console.environ.get("XDG_CONFIG_HOME") or "~/.config", "systemd/user")
        if user
        else "/etc/systemd/system"
    )
    if output is None:
        console.data("\n".join(f"# {os.path.join(folder, each.path)}\n{each.text}" for each in made))
        return
    _write(console, output, made)
    systemctl = "systemctl --user" if user else "systemctl"
    name = units.name_of(unit)
    console.hint(f"{systemctl} daemon-reload && {systemctl} enable --now {name}.socket")


COMMAND = Command(
    "systemd unit",
    """Print unit files that give a unit its values.

    Prints three files:

    - a drop-in: adds LoadCredential= to the unit, for each value
    - a socket: systemd starts the service when the unit starts
    - a service: reads FILE, and sends the values

    The unit finds each value in $CREDENTIALS_DIRECTORY/NAME. You need no key to print them.
    """,
    Options,
    print_units,
    arguments=[Argument("file", required=True)],
    options=[
        Option(
            "--unit",
            "-u",
            metavar="UNIT",
            help="The unit that gets the values; app@.service for all instances.",
        ),
        Option(
            "--allow",
            "-a",
            metavar="RULE",
            help="Include only this value, under this name: CREDENTIAL=PATH. Repeatable.",
        ),
        Option(
            "--identity",
            metavar="FILE",
            help="The age identity the service opens FILE with (NAME.cred: an encrypted credential).",
        ),
        Option("--env", help="Also set NAME_FILE=… to the path of each value."),
        Option("--user", help="Write units for the user's service manager, not the system's."),
        Option(
            "--socket",
            "-s",
            metavar="PATH",
            empty=True,
            help="The socket's path (by default, /run/UNIT-credentials/…).",
        ),
        Option("--output", "-o", metavar="FOLDER", help="Write the unit files into this folder."),
        *NAMING,
        INPUT_TYPE,
    ],
    examples=[
        "encconf systemd unit --unit app.service secrets.enc.yaml",
        "encconf systemd unit -u app -a db_password=db.password -o /etc/systemd/system secrets.enc.yaml",
        "encconf systemd unit --user -u app -o ~/.config/systemd/user secrets.enc.yaml",
    ],
)


def _rules_for(unit: str, options: Options) -> list[rules.Rule]:
    """Return rules that allow a unit the values of --allow, or else all values of the files.

    For a template, the rules allow all of its instances.  Raises PathNotFoundError if no file has a value of
    --allow.
    """
    pattern = unit.replace("@.", "@*.")
    documents = flat.documents(options.file, options.input_type)
    chosen = [rules.read(f"{pattern}:{each}") for each in options.allow]
    for rule in chosen:
        _refuse_missing(rule, documents)
    if not chosen:
        named: dict[str, Path] = {}
        for label, document in documents.items():
            with about(label):
                found = options.values(emit.trees_of(document)[0])
                named.update((name, path) for name, (path, _) in found.items())
        chosen = [rules.Rule(pattern, name, path) for name, path in named.items()]
    return chosen


def _refuse_missing(rule: rules.Rule, documents: Mapping[str, Document]) -> None:
    """Raise PathNotFoundError, which names the files, if none of them has the rule's value."""
    failed: PathNotFoundError | None = None
    for document in documents.values() if rules.INSTANCE not in rule.path else ():
        try:
            changes.find(emit.trees_of(document)[0][0], rule.path)
            return
        except PathNotFoundError as error:
            failed = error
    if failed is not None:
        raise failed.about(", ".join(documents))


def _write(console: Console, folder: str, made: Sequence[units.Unit]) -> None:
    for each in made:
        path = trust.fixed(folder, each.path)
        if fileio.read_existing(path) == each.text:
            console.note(f"{path} is up to date")
            continue
        fileio.make_folders(os.path.dirname(path))
        files.write_own(path, each.text, units.HEADER, mode=0o644)
        console.note(f"wrote {path}")
