"""Clients for each provider's servers: the login, the connections, and why a call failed.

What the key services and the sources share, one file per provider; nothing here knows what is asked for.
The error is `encconf.errors.MasterKeyError`, whose ``reason`` is one of the words of
`encconf.errors.SourceError`.
"""

from __future__ import annotations

from _thread import allocate_lock, get_ident
from time import monotonic

from encconf.errors import InputError, MasterKeyError, MissingExtraError, SourceError
from encconf.io import fileio
from encconf.text.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")

SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount/token"
"""The file in which Kubernetes gives a program its token."""

LOGIN_LIMIT = 1 << 16
"""The largest file that one logs in with, in bytes (64 KiB)."""


def failed(reason: str, message: str, *, hint: str | None = None, code: str = "") -> MasterKeyError:
    """The error of a call, with the one word that says why, and the service's own word for it."""
    error = MasterKeyError(message, hint=hint)
    error.reason, error.code = reason, code
    return error


def one_line(text: object) -> str:
    """What a server said, fit for a report: its first 400 characters, on one line, printable."""
    return printable(" ".join(str(text).split()), 400)


def missing(service: str, error: ImportError, extra: str, *packages: str) -> MissingExtraError:
    """The error for packages, by default the one that the ImportError names, that are not there."""
    names = packages or ((error.name or extra).partition(".")[0],)
    needed = f"package{'s' if len(names) > 1 else ''} {' and '.join(names)}"
    return MissingExtraError(f"{service} needs the {needed}", hint=f"pip install 'encconf[{extra}]'")


class needing:  # noqa: N801 - used as a function; contextlib would cost every file with such a key
    """Inside it, an ImportError becomes the error `missing`."""

    __slots__ = ("extra", "packages", "service")

    def __init__(self, service: str, extra: str, *packages: str) -> None:
        self.service = service
        self.extra = extra
        self.packages = packages

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ImportError):
            raise missing(self.service, error, self.extra, *self.packages) from None


def text_in(path: str, what: str) -> str:
    """The text of a file that one logs in with; raises MasterKeyError, which says what it is."""
    try:
        return fileio.read_bytes(path, limit=LOGIN_LIMIT).decode().strip()
    except InputError as error:
        detail = error.message
    except UnicodeDecodeError:
        detail = "not a text file"
    hint = "give a file that this user can read"
    raise failed("unusable", f"{what}: {printable(path)[:200]}: {detail}", hint=hint)


class Login:
    """The token of one login, for as long as it lasts; one thread gets it while others wait."""

    __slots__ = ("_lock", "_token", "_until")

    def __init__(self) -> None:
        self._lock = allocate_lock()
        self._token = ""
        self._until = 0.0

    def call(self, log_in: Callable[[], tuple[str, float]], call: Callable[[str], T], refusal: str) -> T:
        """What ``call`` gives with the token; where an older token is refused, with a new one.

        ``log_in`` gets a token and how many seconds it may be used; ``refusal`` is the reason of the error
        that ``call`` then raises.
        """
        token, fresh = self._get(log_in)
        try:
            return call(token)
        except (MasterKeyError, SourceError) as error:
            if fresh or error.reason != refusal:
                raise
        with self._lock:
            if self._token == token:
                self._token = ""
        return call(self._get(log_in)[0])

    def _get(self, log_in: Callable[[], tuple[str, float]]) -> tuple[str, bool]:
        """The token, and whether it was got just now."""
        with self._lock:
            if self._token and monotonic() < self._until:
                return self._token, False
            start = monotonic()
            self._token, lifetime = log_in()
            self._until = start + lifetime
            return self._token, True


class LateError(Exception):
    """There was no answer in time."""


def within(limit: float, call: Callable[[], T]) -> T:
    """What ``call`` gives, or raises; LateError if that takes longer than ``limit`` seconds.

    For SDKs that limit each wait and not the whole: the thread of a call that took too long is left to
    itself, and keeps nobody waiting.
    """
    import typing  # noqa: F401 - see `encconf.io.side_by_side`
    from threading import Thread

    answers: list[T] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            answers.append(call())
        except BaseException as error:  # and given on
            failures.append(error)

    thread = Thread(target=run, daemon=True)
    thread.start()
    thread.join(limit)
    if failures:
        raise failures[0]
    if not answers:
        raise LateError
    return answers[0]


_unheard: set[int] = set()  # threads


class unheard:  # noqa: N801 - as above
    """Inside it, these loggers say nothing in this thread: SDKs that are debugged log whole answers."""

    __slots__ = ("loggers", "nested", "thread")

    def __init__(self, *loggers: str) -> None:
        self.loggers = loggers

    def __enter__(self) -> None:
        import logging

        self.thread = get_ident()
        self.nested = self.thread in _unheard
        for name in self.loggers:
            logging.getLogger(name).addFilter(_is_heard)  # added once, however often it is asked for
        _unheard.add(self.thread)

    def __exit__(self, *_: object) -> None:
        if not self.nested:
            _unheard.discard(self.thread)


def _is_heard(record: object) -> bool:
    """A filter; it is asked by the thread that logs."""
    return get_ident() not in _unheard
