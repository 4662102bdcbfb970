"""Clients for each provider's servers: the login, the connections, and why a call failed.

Key types and sources share them, and each provider has its own file.  Errors are
`encconf.errors.MasterKeyError`, with a ``reason``.
"""

from __future__ import annotations

import os
from _thread import get_ident
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from encconf.errors import InputError, MasterKeyError, MissingExtraError, UnavailableError
from encconf.identities.credentials import PRIVATE
from encconf.io import fileio
from encconf.io.threads import Lock
from encconf.text.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    from encconf.identities.credentials import Credentials

    T = TypeVar("T")

SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount/token"
"""The file with the token that Kubernetes gives to a program."""

LOGIN_LIMIT = 1 << 16
"""The largest file with a login, in bytes (64 KiB): Google's credentials, a token, a password."""

ODD_ANSWER = (AttributeError, LookupError, TypeError, RecursionError)
"""The errors, besides ValueError, that SDKs raise for an answer in an unexpected form."""


def timeouts(credentials: Credentials) -> tuple[float, float]:
    """Return the seconds to connect and to wait for an answer.  Together they are the limit of one call."""
    return credentials.call_limit / 4, credentials.call_limit * 3 / 4


def late(server: str, limit: float, hint: str | None = None) -> MasterKeyError:
    """Return the error for a server that did not answer in time."""
    return MasterKeyError(f"{server} did not answer within {limit:g} s", reason="slow", hint=hint)


def one_line(text: object) -> str:
    """Return the first 400 characters of the text of a server or a library, printable and on one line.

    It is cut before a private key: libraries quote a key that was given in place of its file's name.
    """
    shown = " ".join(str(text).split())
    for mark in PRIVATE:
        shown, found, _ = shown.partition(mark)
        shown += found and "…"
    return printable(shown, 400)


@contextmanager
def needing(service: str, extra: str, *packages: str) -> Iterator[None]:
    """Turn an ImportError inside the context into a MissingExtraError.

    The error names the packages, by default the one that could not be imported.
    """
    try:
        yield
    except ImportError as error:
        from encconf.text.packages import how_to_install

        names = packages or ((error.name or extra).partition(".")[0],)
        needed = f"package{'s' if len(names) > 1 else ''} {' and '.join(names)}"
        hint = how_to_install(f"encconf[{extra}]")
        raise MissingExtraError(f"{service} needs the {needed}", hint=hint) from None


def text_in(path: str, what: str) -> str:
    """Read a file with a login.  Raises MasterKeyError, which begins with ``what``."""
    try:
        return fileio.read_bytes(path, limit=LOGIN_LIMIT).decode("utf-8-sig").strip()
    except InputError as error:
        detail = error.message
    except UnicodeDecodeError:
        detail = "not a text file"
    if os.path.isabs(path) or path.startswith("~/"):  # other texts may be the login itself
        detail = f"{one_line(path)}: {detail}"
    hint = "give the path of a file that this user can read, with only the login in it"
    raise MasterKeyError(f"{what}: {detail}", reason="unusable", hint=hint)


class Login:
    """The token of one login, kept while it is valid.  One thread gets it while others wait."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._token = ""
        self._until = 0.0

    def call(
        self, log_in: Callable[[], tuple[str, float]], call: Callable[[str], T], refusal: str | None
    ) -> T:
        """Return what ``call`` returns with the token.  If a kept token is refused, it gets a new one.

        ``log_in`` returns a token and for how many seconds it may be used.  ``refusal`` is the reason of the
        error that ``call`` raises if the token is refused, or None to raise that error, too.
        """
        token, fresh = self._get(log_in)
        try:
            return call(token)
        except UnavailableError as error:
            if fresh or error.reason != refusal:
                raise
        with self._lock:
            if self._token == token:
                self._token = ""
        return call(self._get(log_in)[0])

    def _get(self, log_in: Callable[[], tuple[str, float]]) -> tuple[str, bool]:
        """Return the token, and whether it is new."""
        with self._lock:
            if self._token and monotonic() < self._until:
                return self._token, False
            start = monotonic()
            self._token, lifetime = log_in()
            self._until = start + lifetime
            return self._token, True


def within(server: str, limit: float, call: Callable[[], T], hint: str | None = None) -> T:
    """Return what ``call`` returns, or raise what it raises, or `late` after ``limit`` seconds.

    This is for SDKs that limit each wait, but not the whole call.  The thread of a call that took too long
    runs on in the background.
    """
    from encconf.io import threads

    ((answer,),) = threads.race(lambda _: (call(),), [[None]], float("inf"), limit)
    if answer is None:
        raise late(server, limit, hint)
    if isinstance(answer, Exception):
        raise answer
    return answer[0]


def quiet(*loggers: str) -> None:
    """Keep loggers from writing to stderr by themselves: our errors say the same as their warnings."""
    import logging

    for name in loggers:
        logger = logging.getLogger(name)
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())


_unheard: set[int] = set()  # the threads in which loggers are silent


@contextmanager
def unheard(*loggers: str) -> Iterator[None]:
    """Silence loggers in this thread inside the context: at level debug, they log answers."""
    import logging

    thread = get_ident()
    nested = thread in _unheard
    for name in loggers:
        logging.getLogger(name).addFilter(_is_heard)  # has no effect the second time
    _unheard.add(thread)
    try:
        yield
    finally:
        if not nested:
            _unheard.discard(thread)


def _is_heard(record: object) -> bool:
    """Whether a log record is written: a filter, which runs in the thread that logs."""
    return get_ident() not in _unheard
