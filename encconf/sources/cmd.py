"""``cmd:PROGRAM ARGUMENT…``: what a program prints, without the line break at its end.

The command line is split as a shell does, with quotes, but no shell runs it.  The program gets no input, and
an environment without the keys that open files.  Its stderr is not shown, since it may contain the secret.
Run the command yourself to see it.  A last word that begins with ``#`` names a field:
``cmd:op item get db --format json #password``.

Permissions: to run the program.  Limits: 16 MiB of output, and ``Credentials.timeout`` (300 s, since a person
may have to type; 20 s if nobody can), after which the program and its children are killed.  Errors:
unusable (not found, not a program), missing (it failed; the exit code is named), slow, wrong.
"""

from __future__ import annotations

from encconf.identities.credentials import KEY_VARIABLES, Credentials
from encconf.sources import Probe, Uri, without_line_break

QUERY = ()
HIDDEN = (*KEY_VARIABLES, "ENCCONF_IDENTITY")
"""The variables that the program does not get: they open files, and the program needs only one secret."""


def fetch(uri: Uri, credentials: Credentials) -> bytes:
    """Return what the program prints."""
    from encconf.identities.command import output_of

    limit, alone = credentials.patience, credentials.prompt is None
    environ = credentials.environ
    said = output_of(uri.body, environ, limit=limit, without=HIDDEN, quiet=True, alone=alone)
    return without_line_break(said)


def probe(credentials: Credentials) -> Probe:
    """Return that this scheme can be used.  It always can."""
    return Probe(True, note="runs one of your programs, without a shell")
