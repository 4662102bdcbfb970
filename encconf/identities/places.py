"""The places of age identities, in the order in which they are read.

First come the places that ENCCONF_IDENTITY or the user's configuration file names, then the systemd
credential ``encconf-identity``, then the places of sops 3.13.3, in its order (age/keysource.go).
`encconf.keys.age_identity` reads the identities in them.
"""

from __future__ import annotations

import os

from encconf.errors import InputError, LimitError, MissingFileError, SourceError
from encconf.identities import stored
from encconf.identities.home import expanded, tilde
from encconf.io.threads import Lock
from encconf.text.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

IDENTITY_LIMIT = 1 << 24
"""The largest identity file that is read, in bytes (16 MiB, as in sops)."""

UNIT_IDENTITY = "systemd:encconf-identity"
"""The age identity of a unit with ``LoadCredential=encconf-identity:…``."""


class AgeSource:
    """One place of age identities, or (with ``ssh``) of an SSH private key.

    ``variable`` is the environment variable (or the configuration file) that names it, or None for a default
    place.  ``how`` is "text", "file", "command" or "source".  ``where`` is the value of the variable (the
    identities, a path or a command line, so it may be secret), the path, or the address of a source.  After
    `read`, ``found`` says why the place cannot be used ("unset", "not there", …) or is "".  ``hint`` is what
    to do about it, and ``broken`` is whether the user should fix it.  ``parsed`` has the identities, by
    recipient for a command and by "" otherwise; a reader uses it while it holds ``lock``.  ``reused`` says
    that identities that a command printed for one recipient were tried for another.
    """

    found = ""
    reused = False
    hint: str | None = None
    broken = False

    def __init__(self, variable: str | None, how: str, where: str | None, *, ssh: bool = False) -> None:
        self.variable = variable
        self.how = how
        self.where = where
        self.ssh = ssh
        self.lock = Lock()
        self.parsed: dict[str, Any] = {}

    def place(self, home: str | None = None) -> str:
        """Return the place in a form to show: a variable, a path (with ``~`` for ``home``), or both."""
        if self.how == "source" and self.where:
            return " ".join(filter(None, (self.variable, stored.label_of(self.where))))
        if self.how != "file" or not self.where or self._misused():
            return self.variable or ""
        path = tilde(self.where, home)
        return printable(f"{self.variable}={path}" if self.variable else path)

    def read(self, recipient: str, credentials: Any) -> bytes | None:
        """Return the bytes in the place, or None.  Then ``found`` says why.

        The home folder, environment and time limit are those of ``credentials``.  A command is run without a
        shell and gets ``recipient`` as SOPS_AGE_RECIPIENT.  Its stderr is shown.
        """
        self.found, self.hint, self.broken = "", None, False
        if not self.where:
            self.found = "unset" if self.where is None else "empty"
            return None
        if self.how == "text":
            return self.where.encode(errors="surrogateescape")
        try:
            return self._content(self.where, recipient, credentials)
        except MissingFileError:
            self.found, self.broken = "not there", self.variable is not None
        except LimitError:
            self.fail("too large for an identity file")
        except InputError as error:
            self.fail(error.message)
        except SourceError as error:
            self.fail(error.message)
            if self.how == "source":
                self.hint = error.hint
                if self.variable is None and error.reason == "missing":
                    self.broken = False  # a default place need not exist
        return None

    def _content(self, where: str, recipient: str, credentials: Any) -> bytes:
        """Return the bytes in a file or a source, or those that a command prints."""
        if self._misused():
            named = {"file": "the name of a file", "command": "the name of a command"}.get(self.how)
            raise SourceError(f"contains a private key instead of {named or 'the address of one'}")
        if self.how == "source":
            data: bytes = stored.load().fetch(where, credentials)
            return data
        if self.how == "file":
            from encconf.io import fileio

            return fileio.read_bytes(expanded(where, credentials.home), limit=IDENTITY_LIMIT)
        from encconf.identities.command import output_of

        environ = {**credentials.environ, "SOPS_AGE_RECIPIENT": recipient}
        return output_of(where, environ, limit=credentials.timeout)

    def fail(self, found: str) -> None:
        """Set why the place cannot be used.  An SSH key in a default place may be of a kind not used here."""
        self.found = found
        self.broken = self.broken or self.variable is not None or not self.ssh

    def _misused(self) -> bool:
        """Whether ``where`` is the key itself instead of its place: a common mistake, and not to be shown."""
        words = (self.where or "").upper().split()
        return any(word.startswith(stored.PRIVATE) for word in (words if self.how == "file" else words[:1]))


def places(
    environ: Mapping[str, str], home: str | None, config_home: str | None, by: str, addresses: Sequence[str]
) -> list[AgeSource]:
    """Return all places for a user with this environment.  ``by`` is what names the ``addresses``."""

    def variable(name: str, how: str, *, ssh: bool = False) -> AgeSource:
        return AgeSource(name, how, environ.get(name), ssh=ssh)

    found = [AgeSource(by, "source", address) for address in addresses]
    if environ.get("CREDENTIALS_DIRECTORY") and UNIT_IDENTITY not in addresses:
        found.append(AgeSource(None, "source", UNIT_IDENTITY))
    found += [
        variable("SOPS_AGE_SSH_PRIVATE_KEY_FILE", "file", ssh=True),
        variable("SOPS_AGE_SSH_PRIVATE_KEY_CMD", "command", ssh=True),
    ]
    if home:
        for name in ("id_ed25519", "id_rsa"):
            found.append(AgeSource(None, "file", os.path.join(home, ".ssh", name), ssh=True))
    found += [
        variable("SOPS_AGE_KEY", "text"),
        variable("SOPS_AGE_KEY_FILE", "file"),
        variable("SOPS_AGE_KEY_CMD", "command"),
    ]
    if config_home:
        found.append(AgeSource(None, "file", os.path.join(config_home, "sops", "age", "keys.txt")))
    return found
