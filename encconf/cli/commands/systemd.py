"""``encconf systemd serve`` gives values to systemd units, and ``systemd unit`` writes the unit files."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext

from encconf.cli.command import Argument, Command, Option
from encconf.cli.console import Console, collect_garbage
from encconf.cli.shared import INPUT_TYPE, NAMING
from encconf.errors import PathNotFoundError, UsageError, about
from encconf.formats import emit, writing
from encconf.formats.emit import Naming
from encconf.identities.credentials import Credentials
from encconf.io import fileio, programs, trust
from encconf.io.process import stay_in_memory
from encconf.record import VerbOptions
from encconf.systemd import rules, server, units
from encconf.systemd.server import Values
from encconf.text.document import Document
from encconf.text.path import Path
from encconf.verbs import export, files

# --- serve ----------------------------------------------------------------------------------------


class ServeOptions(VerbOptions):
    file: Sequence[str] = ()
    socket: str | None = None
    allow: Sequence[str] = ()
    allow_from: str | None = None
    reload: bool = False
    idle: str | None = None
    input_type: str | None = None


def serve(options: ServeOptions, console: Console) -> None:
    """Serve values to units until SIGTERM or Ctrl-C.  SIGHUP reloads the files."""
    if not hasattr(signal, "pidfd_send_signal"):
        raise UsageError("this system has no systemd")
    seconds = _seconds(options.idle)
    allowed, listed = list(map(rules.read, options.allow)), options.allow_from
    if listed is not None:
        allowed += rules.read_file(listed)
    if not allowed:
        raise UsageError(
            "no rule was given, so no unit would get a value",
            hint="give one, such as: --allow app.service:db_password=database.password",
        )
    collect_garbage()
    stay_in_memory()
    values = Values(
        list(options.file),
        allowed,
        lambda: Credentials.from_env(console.environ, notify=console.warn),
        input_type=options.input_type,
    )
    given = server.activated(console.environ)
    values.load()
    path = options.socket or _default_socket(console) if given is None else str(given.getsockname())
    with nullcontext(given) if given is not None else server.listening(path) as listener:
        desk = server.CredentialServer(
            listener, values, allowed, log=console.note, watch=options.reload, idle=seconds
        )
        _obey_signals(console, desk)
        console.note(f"listening on {path}")
        server.notify(console.environ, "READY=1")
        desk.run()
        server.notify(console.environ, "STOPPING=1")
    console.note("stopped")


SYSTEMD_SERVE = Command(
    "systemd serve",
    """Serve single values to systemd units.

    A unit with LoadCredential=NAME:SOCKET gets the value that a rule UNIT:NAME=PATH allows; without a rule,
    the unit fails to start. UNIT may contain *, and %i in PATH is the unit's instance. Values stay in
    memory; only names are logged.

    Run it as the user of the service manager, or with a socket passed by systemd: encconf systemd unit
    writes both units. SIGHUP reloads the files. Stop it with SIGTERM or Ctrl-C.
    """,
    ServeOptions,
    serve,
    arguments=[Argument("file", required=True)],
    options=[
        Option(
            "--socket",
            "-s",
            metavar="PATH",
            empty=True,
            help="The socket's path (by default, encconf/credentials.sock in /run or $XDG_RUNTIME_DIR).",
        ),
        Option(
            "--allow",
            "-a",
            metavar="RULE",
            help="Allow a unit a value: UNIT:CREDENTIAL=PATH. Repeatable.",
        ),
        Option(
            "--allow-from",
            metavar="FILE",
            help="Read rules like those of --allow from a file, one per line.",
        ),
        Option("--reload", help="Reload a file when it changes."),
        Option("--idle", metavar="SECONDS", help="Exit after this many seconds without a request."),
        INPUT_TYPE,
    ],
    examples=[
        "encconf systemd serve s.enc.yaml --allow app.service:db_password=db.password",
        "encconf systemd serve s.enc.yaml --allow 'app@*.service:token=%i.token'",
    ],
)


def _obey_signals(console: Console, desk: server.CredentialServer) -> None:
    def reload(*_: object) -> None:
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        server.notify(console.environ, f"RELOADING=1\nMONOTONIC_USEC={now}")
        desk.reload(lambda: server.notify(console.environ, "READY=1"))

    signal.set_wakeup_fd(desk.waker, warn_on_full_buffer=False)  # a full pipe wakes the server, too
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: desk.stop())
    signal.signal(signal.SIGHUP, reload)


def _seconds(given: str | None) -> float | None:
    if given is None:
        return None
    try:
        seconds = float(given)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e6:
        raise UsageError("--idle must be a number of seconds")
    return seconds


def _default_socket(console: Console) -> str:
    folder = console.environ.get("RUNTIME_DIRECTORY") or ""
    if not folder:
        base = "/run" if os.geteuid() == 0 else console.environ.get("XDG_RUNTIME_DIR") or ""
        if not base:
            raise UsageError("no socket was given", hint="name one: --socket PATH")
        folder = os.path.join(base, "encconf")
    return os.path.join(folder, "credentials.sock")


# --- unit -----------------------------------------------------------------------------------------


class UnitOptions(Naming):
    file: Sequence[str] = ()
    unit: str | None = None
    allow: Sequence[str] = ()
    identity: str | None = None
    env: bool = False
    restart: bool = False
    user: bool = False
    socket: str | None = None
    output: str | None = None
    input_type: str | None = None


def print_units(options: UnitOptions, console: Console) -> None:
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
    if options.restart:
        made += units.restart_units(unit, [os.path.abspath(each) for each in file], user=user)
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
    starts = f"{name}.socket"
    if options.restart:
        starts += f" {units.name_of(unit, 'restart')}.path"
    console.hint(f"{systemctl} daemon-reload && {systemctl} enable --now {starts}")


SYSTEMD_UNIT = Command(
    "systemd unit",
    """Print unit files that give a unit its values.

    Prints three files:

    - a drop-in: adds LoadCredential= to the unit, for each value
    - a socket: systemd starts the service when the unit starts
    - a service: reads FILE, and sends the values

    The unit finds each value in $CREDENTIALS_DIRECTORY/NAME. You need no key to print them.
    """,
    UnitOptions,
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
        Option("--restart", help="Also restart the unit when FILE changes, with a path unit."),
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
        "encconf systemd unit -u app -a pw=db.pw -o /etc/systemd/system s.enc.yaml",
        "encconf systemd unit --user -u app -o ~/.config/systemd/user secrets.enc.yaml",
    ],
)


def _rules_for(unit: str, options: UnitOptions) -> list[rules.Rule]:
    """Return rules that allow a unit the values of --allow, or else all values of the files.

    For a template, the rules allow all of its instances.  Raises PathNotFoundError if no file has a value of
    --allow.
    """
    pattern = unit.replace("@.", "@*.")
    documents = export.documents(options.file, options.input_type)
    chosen = [rules.read(f"{pattern}:{each}") for each in options.allow]
    for rule in chosen:
        _refuse_missing(rule, documents)
    if not chosen:
        named: dict[str, Path] = {}
        for label, document in documents.items():
            with about(label):
                found = options.values(emit.trees_of(document))
                named.update((name, path) for name, (path, _) in found.items())
        chosen = [rules.Rule(pattern, name, path) for name, path in named.items()]
    return chosen


def _refuse_missing(rule: rules.Rule, documents: Mapping[str, Document]) -> None:
    """Raise PathNotFoundError, which names the files, if none of them has the rule's value."""
    failed: PathNotFoundError | None = None
    for document in documents.values() if rules.INSTANCE not in rule.path else ():
        try:
            writing.value_at(emit.trees_of(document)[0], rule.path)
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
