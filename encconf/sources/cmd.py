"""``cmd:PROGRAM ARGUMENT…``: what a program prints, without the line break at its end.

The command line is split as a shell does it, quotes and all, and run without one.  The program gets no
input and the environment without the keys that open files; what it says on stderr is shown to nobody,
since it may be about the secret: run the command itself to see it.  A last word that begins with ``#``
names a field: ``cmd:op item get db --format json #password``.

Permissions: to run the program.  Limits: 16 MiB of output, and ``Credentials.timeout`` (300 s, as a person
may have to type; 20 s where nobody can), after which the program and its children are killed.  Errors:
unusable (not found, not a program), missing (it failed: the exit code is named), slow, wrong.
"""

from __future__ import annotations

import os

from encconf.errors import SourceError
from encconf.identities.credentials import KEY_VARIABLES
from encconf.sources import LIMIT, Probe
from encconf.text.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from subprocess import Popen

    from encconf.identities.credentials import Credentials
    from encconf.sources import Uri

QUERY = ()
HIDDEN = (*KEY_VARIABLES, "ENCCONF_IDENTITY")
"""Variables that the program does not get: they open files, and it is there to give one secret."""


def fetch(uri: Uri, credentials: Credentials) -> bytes:
    """What the program prints."""
    import shlex
    import subprocess

    from encconf.io import programs

    try:
        command = shlex.split(uri.body)
    except ValueError:
        raise SourceError("the command line has a quote that is not closed", hint="close it") from None
    if not command:
        raise SourceError("there is no program in it", hint="cmd:PROGRAM ARGUMENT…")
    program = printable(os.path.basename(command[0]))  # the arguments may hold a token
    environ = programs.environment(credentials.environ, without=HIDDEN)
    limit = credentials.timeout if credentials.prompt is not None else credentials.call_limit
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environ,
            start_new_session=os.name == "posix" and credentials.prompt is None,
        )
    except FileNotFoundError:
        raise SourceError(
            f"{program} was not found", reason="unusable", hint="install it, or name its path"
        ) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise SourceError(
            f"{program} cannot be run: {(reason or 'not a program').lower()}",
            reason="unusable",
            hint="name an executable program",
        ) from None
    data = _output(process, program, limit)
    if process.returncode:
        raise SourceError(
            f"{program} failed with exit code {process.returncode}",
            reason="missing",
            hint="run the command by itself to see what it says",
        )
    return data[: -2 if data.endswith(b"\r\n") else -1] if data.endswith(b"\n") else data


def _output(process: Popen[bytes], program: str, limit: float) -> bytes:
    """All that the program prints; it is dead when this returns or raises."""
    import subprocess
    from threading import Thread
    from time import monotonic

    assert process.stdout is not None
    stream, data = process.stdout, bytearray()

    def read() -> None:
        while len(data) <= LIMIT and (part := os.read(stream.fileno(), 1 << 16)):
            data.extend(part)

    end = monotonic() + limit
    reader = Thread(target=read, daemon=True)
    reader.start()
    try:
        reader.join(limit)
        if len(data) > LIMIT:
            raise SourceError(
                f"{program} prints more than any secret has (16 MiB)", hint="print the secret alone"
            )
        if reader.is_alive():
            raise subprocess.TimeoutExpired(program, limit)
        process.wait(max(end - monotonic(), 0))
    except subprocess.TimeoutExpired:
        raise SourceError(
            f"{program} took longer than {limit:g} s",
            reason="slow",
            hint="does it wait for something? run the command by itself",
        ) from None
    finally:
        _end(process)
        reader.join(1)
        if not reader.is_alive():  # else a grandchild holds the pipe open
            stream.close()
    return bytes(data)


def _end(process: Popen[bytes]) -> None:
    """Kill the program, and its children where it has a session of its own, unless it has ended by itself."""
    import signal

    if process.returncode is not None:
        return
    try:
        # Nobody has waited for it yet, so that its number is not another's.
        if os.name == "posix" and os.getpgid(process.pid) == process.pid:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    except ProcessLookupError:
        pass
    process.wait()


def probe(credentials: Credentials) -> Probe:
    """Always usable."""
    return Probe(True, note="runs a program of yours, without a shell")
