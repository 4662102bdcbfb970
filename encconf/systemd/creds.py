"""Make credentials for ``LoadCredentialEncrypted=`` and ``SetCredentialEncrypted=`` with ``systemd-creds``.

The program encrypts with the key of this host, of its TPM, or both.  Only this machine's systemd can open
the result, and only under the same name.  Values are passed through stdin and stdout.
"""

from __future__ import annotations

from collections.abc import Mapping

from encconf.errors import EncconfError, LimitError, OutputError
from encconf.identities.credentials import KEY_VARIABLES
from encconf.io import programs
from encconf.systemd.rules import SIZE_LIMIT


class CredsError(EncconfError):
    """systemd-creds is missing, or could not encrypt."""

    slug = "systemd-creds"


def encrypt(name: str, value: bytes, environ: Mapping[str, str], *, key: str = "auto") -> str:
    """Return an encrypted credential, as base64 lines.

    It is decrypted again, since some keys can only encrypt.  Raises CredsError, LimitError or OutputError.
    """
    if len(value) + len(name) > SIZE_LIMIT:
        raise LimitError(f"{name} has {len(value)} bytes, and systemd takes 1 MiB in all")
    sealed = _run(["encrypt", f"--with-key={key}", f"--name={name}", "-", "-"], value, environ)
    if _run(["decrypt", f"--name={name}", "-", "-"], sealed, environ) != value:
        raise OutputError(f"the output of systemd-creds for {name} cannot be opened")
    return sealed.decode("ascii")


def setting(name: str, sealed: str) -> str:
    """Return the lines of a unit file that contain a credential."""
    return (
        f"SetCredentialEncrypted={name}: \\\n"
        + " \\\n".join(f"        {line}" for line in sealed.split())
        + "\n"
    )


def _run(words: list[str], data: bytes, environ: Mapping[str, str]) -> bytes:
    from subprocess import TimeoutExpired

    try:
        done = programs.run(["systemd-creds", *words], environ, without=KEY_VARIABLES, data=data, timeout=60)
    except FileNotFoundError:
        message, hint = programs.missing("systemd-creds", environ)
        raise CredsError(message, hint=f"it comes with systemd 250 or newer; {hint}") from None
    except TimeoutExpired:
        raise CredsError("systemd-creds did not finish in time") from None
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise CredsError(f"systemd-creds {words[0]}: {said[-1] if said else 'failed'}")
    return done.stdout
