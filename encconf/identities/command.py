"""Run a command line that a user names, without a shell, and return its output."""

from __future__ import annotations

import os
import signal
from collections.abc import Collection, Mapping
from subprocess import DEVNULL, PIPE, Popen, TimeoutExpired
from threading import Thread
from time import monotonic

from encconf.errors import SourceError
from encconf.io import programs
from encconf.io.descriptors import reason
from encconf.text.printable import printable

LIMIT = 1 << 24
"""The most that a program may print, in bytes (16 MiB)."""


def output_of(
    line: str,
    environ: Mapping[str, str],
    *,
    limit: float,
    without: Collection[str] = (),
    quiet: bool = False,
    alone: bool = False,
) -> bytes:
    """Run a program for at most ``limit`` seconds, without input, and return its output.

    The line is split as a shell does, with quotes.  The program's stderr is shown, unless ``quiet``.
    ``without`` is as for `programs.environment`.  With ``alone``, the program has no terminal to ask on, and
    if it takes too long, its children are killed, too.  Raises SourceError (for an empty line with the reason
    ``missing``).  Neither its message nor its hint contains
    an argument or the program's output, since both may be secret.
    """
    try:
        command = programs.split(line)
    except ValueError:
        raise SourceError("not a command line: a quote is not closed", hint="close it") from None
    if not command:
        raise SourceError("empty", reason="missing", hint="name a program and its arguments")
    program = printable(os.path.basename(command[0]))
    try:
        process = programs.start(
            command,
            environ,
            without=without,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=DEVNULL if quiet else None,
            start_new_session=alone and os.name == "posix",
        )
    except FileNotFoundError:
        message, hint = f"{program} was not found", "correct its path"
        if not os.path.dirname(command[0]):
            message, hint = programs.missing(program, environ)
        raise SourceError(message, reason="unusable", hint=printable(hint)) from None
    except (OSError, ValueError) as error:
        why = reason(error) if isinstance(error, OSError) else "not a program"
        raise SourceError(
            f"{program} cannot be run: {why}", reason="unusable", hint="name an executable program"
        ) from None
    data = _printed(process, program, limit)
    if process.returncode:
        message = f"{program} failed with exit code {process.returncode}"
        raise SourceError(message, reason="missing", hint="run the command by itself to see what it says")
    return data


def _printed(process: Popen[bytes], program: str, limit: float) -> bytes:
    """Return the program's output.  The program has ended when this returns or raises."""
    assert process.stdout is not None
    stream, data = process.stdout, bytearray()

    def read() -> None:
        with stream:  # a grandchild may keep the pipe open for longer than this is waited for
            while len(data) <= LIMIT and (part := os.read(stream.fileno(), 1 << 16)):
                data.extend(part)

    end = monotonic() + limit
    reader = Thread(target=read, daemon=True)
    reader.start()
    try:
        reader.join(limit)
        if len(data) > LIMIT:
            message = f"{program} printed more than 16 MiB, too much for a secret"
            raise SourceError(message, hint="print only the secret")
        if reader.is_alive():
            raise TimeoutExpired(program, limit)
        process.wait(max(end - monotonic(), 0))
    except TimeoutExpired:
        hint = "it may be waiting for input: run the command by itself"
        raise SourceError(f"{program} took longer than {limit:g} s", reason="slow", hint=hint) from None
    finally:
        _end(process)
        reader.join(1)
    return bytes(data)


def _end(process: Popen[bytes]) -> None:
    """Kill the program unless it has ended.  If it has a session of its own, kill its children, too."""
    if process.returncode is not None:
        return
    try:
        # It has not been waited for yet, so no other process can have its number.
        if os.name == "posix" and os.getpgid(process.pid) == process.pid:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    except ProcessLookupError:
        pass
    process.wait()
