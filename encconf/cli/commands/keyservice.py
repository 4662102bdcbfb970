"""``encconf keyservice``: run the server of `encconf.keyservice`."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from threading import Event

from encconf.cli.console import Console, collect_garbage
from encconf.cli.options import Value, flag, text
from encconf.errors import UsageError


def keyservice(console: Console, **options: Value) -> None:
    """Serve until SIGTERM, SIGHUP or Ctrl-C, which end it without an error."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # encconf reports the errors itself
    from encconf.keyservice import server as keyservice

    collect_garbage()
    network, address = text(options, "network") or "tcp", text(options, "address")
    prompt, insecure_remote = flag(options, "prompt"), flag(options, "insecure_remote")
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
        log=console.note if flag(options, "verbose") else None,
        insecure_remote=insecure_remote,
    ) as uri:
        if network == "tcp":
            who = "anyone who can connect to it" if insecure_remote else "every user of this machine"
            console.warn(f"{who} can use your keys", hint="--network unix --address PATH admits only you")
        console.note(f"listening on {uri}")
        while not ended.wait(0.5):
            pass  # without the timeout, a signal to another thread or just before the wait would not end it
    console.note("stopped")


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
