"""``encconf systemd serve``: give values to systemd units as credentials."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from contextlib import nullcontext

from encconf.cli.command import Argument, Command, Option
from encconf.cli.console import Console, collect_garbage
from encconf.cli.shared import INPUT_TYPE
from encconf.errors import UsageError
from encconf.identities.credentials import Credentials
from encconf.io.process import stay_in_memory
from encconf.record import Options as Base
from encconf.systemd import rules, server
from encconf.systemd.values import Values


class Options(Base):
    file: Sequence[str] = ()
    socket: str | None = None
    allow: Sequence[str] = ()
    allow_from: str | None = None
    reload: bool = False
    idle: str | None = None
    input_type: str | None = None


def serve(options: Options, console: Console) -> None:
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


COMMAND = Command(
    "systemd serve",
    """Serve single values to systemd units.

    A unit with LoadCredential=NAME:SOCKET gets the value that a rule UNIT:NAME=PATH allows; without a rule,
    the unit fails to start. UNIT may contain *, and %i in PATH is the unit's instance. Values stay in
    memory; only names are logged.

    Run it as the user of the service manager, or with a socket passed by systemd: encconf systemd unit
    writes both units. SIGHUP reloads the files. Stop it with SIGTERM or Ctrl-C.
    """,
    Options,
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
        "encconf systemd serve secrets.enc.yaml --allow app.service:db_password=db.password",
        "encconf systemd serve secrets.enc.yaml --allow 'app@*.service:token=tenants.%i.token'",
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
