"""``encconf keyservice``: run the server of `encconf.keyservice`."""

from __future__ import annotations

import signal
from collections.abc import Callable
from threading import Event
from typing import Literal

from encconf.cli.command import Command, Option
from encconf.cli.console import Console, collect_garbage
from encconf.errors import UsageError
from encconf.record import VerbOptions


class Options(VerbOptions):
    network: Literal["tcp", "unix"] | None = None
    address: str | None = None
    prompt: bool = False
    verbose: bool = False
    insecure_remote: bool = False


def keyservice(options: Options, console: Console) -> None:
    """Serve until SIGTERM, SIGHUP or Ctrl-C, which end it without an error."""
    from encconf import keyservice

    collect_garbage()
    network, address = options.network or "tcp", options.address
    prompt, insecure_remote = options.prompt, options.insecure_remote
    if not address and network == "unix":
        raise UsageError("no socket was given", hint="name one: --address $XDG_RUNTIME_DIR/encconf.sock")
    if prompt and not console.can_ask():
        raise UsageError("--prompt needs a terminal to ask on")
    ended = Event()
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: ended.set())
    with keyservice.serving(
        network,
        address or keyservice.DEFAULT_ADDRESS,
        approve=_asking(console) if prompt else None,
        log=console.note if options.verbose else None,
        insecure_remote=insecure_remote,
    ) as uri:
        if network == "tcp":
            who = "anyone who can connect to it" if insecure_remote else "every user of this machine"
            console.warn(f"{who} can use your keys", hint="--network unix --address PATH admits only you")
        console.note(f"listening on {uri}")
        while not ended.wait(0.5):
            pass  # without the timeout, a signal to another thread or just before the wait would not end it
    console.note("stopped")


KEYSERVICE = Command(
    "keyservice",
    """Let other processes use your master keys.

    Speaks sops's key service protocol, for encconf and sops with --keyservice or SOPS_KEYSERVICE. Stop it
    with SIGTERM or Ctrl-C.

    Anyone who can connect can use the keys: a unix socket admits only you, a TCP port every user of this
    machine.
    """,
    Options,
    keyservice,
    options=[
        Option("--network", "--net", metavar="NETWORK", help="The kind of socket (by default, tcp)."),
        Option(
            "--address",
            "--addr",
            metavar="ADDRESS",
            help="HOST:PORT (by default, 127.0.0.1:5000), or the path of the unix socket.",
        ),
        Option("--prompt", help="Ask on the terminal before using a key."),
        Option("--verbose", help="Log every request."),
        Option(
            "--insecure-remote",
            help="Accept connections from other machines, unencrypted and without a password.",
        ),
    ],
    examples=[
        "encconf keyservice --network unix --address $XDG_RUNTIME_DIR/key.sock --prompt",
        "SOPS_KEYSERVICE=unix://$XDG_RUNTIME_DIR/key.sock encconf decrypt s.enc.yaml",
    ],
)


def _asking(console: Console) -> Callable[[str], bool]:
    def approve(question: str) -> bool:
        _discard_typed()
        while True:
            try:
                answer = console.ask(f"{question} (y/n)").lower()
            except EOFError:
                return False
            if answer in ("y", "yes", "n", "no"):
                return answer[0] == "y"

    return approve


def _discard_typed() -> None:
    """Discard what the user typed before the question, so that it is not taken as the answer."""
    try:
        import termios

        termios.tcflush(0, termios.TCIFLUSH)
    except (ImportError, OSError):
        return
