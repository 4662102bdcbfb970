"""``keyring:SERVICE/USER``: the operating system's keyring, with the ``keyring`` library.

The keyring is the Secret Service of the desktop (GNOME Keyring, KWallet), the macOS Keychain or the Windows
Credential Locker.  SERVICE may have slashes.  A slash in USER is written ``%2F``.  Values are text.

The library finds the keyring with the process's own environment: DBUS_SESSION_BUS_ADDRESS,
PYTHON_KEYRING_BACKEND, and its keyringrc.cfg.  A backend that keeps secrets in plain files is used only if
these choose it.  Permissions: the keyring must be unlocked.  If stdin is a terminal, its dialog may ask for
the password.  Limit: ``Credentials.timeout`` in that case, else ``Credentials.call_limit``.  Errors: missing,
denied (locked, or the dialog was closed), slow, unreachable (no bus), wrong (no user in the address),
unusable (no keyring, or the package is missing).
"""

from __future__ import annotations

from collections.abc import Callable

from encconf.errors import SourceError, UnavailableError
from encconf.identities.credentials import Credentials
from encconf.providers import needing, within
from encconf.sources import PROBE_LIMIT, Probe, Uri, as_text, exists_error, unquote
from encconf.text.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    T = TypeVar("T")


QUERY = ()
_FORM = "keyring:SERVICE/USER"


def fetch(uri: Uri, credentials: Credentials) -> bytes:
    """Return the password for a service and a user."""
    service, user = _names(uri)
    text = _ask(lambda keyring: keyring.get_password(service, user), credentials.patience)
    if text is None:
        raise SourceError(
            "the keyring has no such entry",
            reason="missing",
            hint=f"store it with: keyring set {printable(service)} {printable(user)}",
        )
    return str(text).encode(errors="surrogateescape")


def store(uri: Uri, value: bytes, credentials: Credentials, *, replace: bool) -> None:
    """Set the password for a service and a user."""
    service, user = _names(uri)
    text = as_text(value, "a keyring")

    def write(keyring: Any) -> None:
        if not replace and keyring.get_password(service, user) is not None:
            raise exists_error()
        keyring.set_password(service, user, text)

    _ask(write, credentials.patience)


def _names(uri: Uri) -> tuple[str, str]:
    service, slash, user = uri.body.rpartition("/")
    if not slash or not service or not user:
        raise SourceError("expected the name of a service and of a user", hint=_FORM)
    return unquote(service), unquote(user)


def _ask(question: Callable[[Any], T], limit: float) -> T:
    """Ask the keyring in a thread, since a bus may wait forever."""
    keyring = _backend()
    hint = "a dialog may be waiting for the keyring's password"
    try:
        return within("the keyring", limit, lambda: question(keyring), hint)
    except UnavailableError:
        raise
    except Exception as error:
        raise _failure(error) from None


def _backend() -> Any:
    """Return the keyring that the library chooses.  Raises MissingExtraError, and SourceError if none."""
    import os
    import sys

    with needing("the keyring", "keyring", "keyring"):
        if sys.platform != "darwin":
            # The library imports the backends of all systems.  That of macOS would look for frameworks with
            # gcc and ld, from the current folder if PATH has it.
            sys.modules.setdefault("keyring.backends.macOS.api", None)  # type: ignore[arg-type]
        import keyring
        from keyring.backends import chainer, fail, null

    found: Any = keyring.get_keyring()
    chosen = bool(os.environ.get("PYTHON_KEYRING_BACKEND")) or keyring.core.load_config() is not None
    if isinstance(found, chainer.ChainerBackend):
        safe = [backend for backend in found.backends if not _in_files(backend)]
        found = safe[0] if safe else None
    if found is None or isinstance(found, (fail.Keyring, null.Keyring)) or (_in_files(found) and not chosen):
        raise SourceError(
            "this machine has no usable keyring",
            reason="unusable",
            hint="it needs a desktop session, or dbus-run-session with gnome-keyring-daemon --unlock",
        )
    return found


def _in_files(backend: Any) -> bool:
    return type(backend).__module__.startswith("keyrings.alt")


def _failure(error: BaseException) -> SourceError:
    """Return the error for a failed keyring, by the type of ``error``: its text may name the secret."""
    from keyring import errors

    name = type(error).__name__
    if isinstance(error, errors.KeyringLocked) or name in ("LockedException", "PromptDismissedException"):
        return SourceError(
            "the keyring is locked",
            reason="denied",
            hint="unlock it: log in, or gnome-keyring-daemon --unlock",
        )
    if isinstance(error, (errors.InitError, OSError)) or "NotAvailable" in name:
        return SourceError(
            "the keyring cannot be reached",
            reason="unreachable",
            hint="check that there is a D-Bus session (DBUS_SESSION_BUS_ADDRESS) with a keyring",
        )
    return SourceError(
        f"the keyring failed ({printable(name)})", reason="denied", hint="try: keyring get SERVICE USER"
    )


def probe(credentials: Credentials) -> Probe:
    """Ask for an entry that does not exist, which needs no password if the keyring is unlocked."""
    _ask(lambda keyring: keyring.get_password("encconf-probe", "nobody"), PROBE_LIMIT)
    return Probe(True, note=type(_backend()).__module__)
