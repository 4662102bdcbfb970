"""``encconf systemd serve`` and ``encconf systemd unit``: give values to systemd units as credentials."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext

from encconf.cli import files, flat
from encconf.cli.console import Console, collect_garbage
from encconf.cli.options import Value, flag, text, texts
from encconf.errors import PathNotFoundError, UsageError, about
from encconf.identities.credentials import Credentials
from encconf.io import fileio, programs
from encconf.io.memory import stay_in_memory
from encconf.systemd import rules, server, units
from encconf.systemd.values import Values
from encconf.text.document import Document
from encconf.text.path import Path
from encconf.verbs import changes


def serve(console: Console, *, file: list[str], **options: Value) -> None:
    """Serve values to units until SIGTERM or Ctrl-C.  SIGHUP reloads the files."""
    if not hasattr(signal, "pidfd_send_signal"):
        raise UsageError("this system has no systemd")
    seconds = _seconds(text(options, "idle"))
    allowed, listed = list(map(rules.read, texts(options, "allow"))), text(options, "allow_from")
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
        file,
        allowed,
        lambda: Credentials.from_env(console.environ, notify=console.warn),
        input_type=text(options, "input_type"),
    )
    given = server.activated(console.environ)
    values.load()
    path = text(options, "socket") or _default_socket(console) if given is None else str(given.getsockname())
    with nullcontext(given) if given is not None else server.listening(path) as listener:
        desk = server.CredentialServer(
            listener, values, allowed, log=console.note, watch=flag(options, "reload"), idle=seconds
        )
        _obey_signals(console, desk)
        console.note(f"listening on {path}")
        server.notify(console.environ, "READY=1")
        desk.run()
        server.notify(console.environ, "STOPPING=1")
    console.note("stopped")


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


def unit(console: Console, *, file: list[str], unit: str | None, **options: Value) -> None:
    """Print the unit files that give a unit its values, or write them into a folder."""
    socket, identity, output = text(options, "socket"), text(options, "identity"), text(options, "output")
    input_type, user = text(options, "input_type"), flag(options, "user")
    if unit is None:
        raise UsageError("no unit was given", hint="name one: --unit app.service")
    if "." not in unit:
        unit += ".service"
    chosen = _rules_for(unit, file, options)
    names = [rule.credential for rule in chosen]
    if socket is not None and not os.path.isabs(socket):
        raise UsageError("the path of the socket must be absolute")
    made = [
        units.drop_in(unit, names, socket=socket, variables=flag(options, "env")),
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


def _rules_for(unit: str, file: list[str], options: Mapping[str, Value]) -> list[rules.Rule]:
    """Return rules that allow a unit the values of --allow, or else all values of the files.

    For a template, the rules allow all of its instances.  Raises PathNotFoundError if no file has a value of
    --allow.
    """
    pattern = unit.replace("@.", "@*.")
    documents = flat.documents(file, options)
    chosen = [rules.read(f"{pattern}:{each}") for each in texts(options, "allow")]
    for rule in chosen:
        _refuse_missing(rule, documents)
    if not chosen:
        naming = flat.Naming(options)
        named: dict[str, Path] = {}
        for label, document in documents.items():
            with about(label):
                named.update((name, path) for name, (path, _) in naming.leaves(document).items())
        chosen = [rules.Rule(pattern, name, path) for name, path in named.items()]
    return chosen


def _refuse_missing(rule: rules.Rule, documents: Mapping[str, Document]) -> None:
    """Raise PathNotFoundError, which names the files, if none of them has the rule's value."""
    failed: PathNotFoundError | None = None
    for document in documents.values() if rules.INSTANCE not in rule.path else ():
        try:
            changes.find(changes.tree(document), rule.path)
            return
        except PathNotFoundError as error:
            failed = error
    if failed is not None:
        raise failed.about(", ".join(documents))


def _write(console: Console, folder: str, made: Sequence[units.Unit]) -> None:
    for each in made:
        path = fileio.resolve(os.path.join(folder, each.path))
        if fileio.read_existing(path) == each.text:
            console.note(f"{path} is up to date")
            continue
        fileio.make_folders(os.path.dirname(path))
        files.write_own(path, each.text, units.HEADER, mode=0o644)
        console.note(f"wrote {path}")
