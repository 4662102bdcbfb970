"""A configuration that is reloaded when its files change, without a thread.

An access checks modification time, size and inode of each file (links are followed), at most once per
interval.  So it notices when an editor renames a file or Kubernetes swaps ``..data``, which watchers of a
path miss.  If a file cannot be loaded, or a key service is unavailable, the last good value stays in place.
`Live` has no client, socket or thread, so a fork is safe.
"""

from __future__ import annotations

import os
import time
from _thread import allocate_lock
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from encconf import api
from encconf.engine.loading import check, path_of
from encconf.errors import UsageError, WrongTypeError
from encconf.io import fileio
from encconf.shape.values import same

if TYPE_CHECKING:
    from typing import Unpack

    from encconf.engine.loading import FileOptions

T = TypeVar("T")

INTERVAL = 5.0
"""Seconds between two checks of the files."""
PATIENCE = 60.0
"""The most seconds between two tries to load files that cannot be loaded and do not change."""


class Live(Generic[T]):
    """The result of `watch`.  Call it to get the current value.

    It checks its files at most every ``interval`` seconds.
    ``error`` is the error if the files could not be loaded as they are now, or None.

    >>> live = watch("secrets.enc.yaml", interval=5)  # doctest: +SKIP
    >>> live()["db"]["host"], live.error  # doctest: +SKIP
    ('db.example.com', None)
    """

    def __init__(self, load: Callable[[], T], paths: tuple[str, ...], interval: float) -> None:
        self._load = load
        self._paths = paths
        self._interval = interval
        self._listeners: list[Callable[[T, T], object]] = []
        self._lock = allocate_lock()
        self._owner = os.getpid()
        self.error: Exception | None = None
        self._seen = self._look()
        self._value = load()
        self._again = 0.0
        self._pause = interval
        self._due = time.monotonic() + interval

    def __call__(self) -> T:
        """Return the current value.  It is the same object until a file changes; treat it as read-only."""
        if time.monotonic() >= self._due:
            self._check()
        return self._value

    def on_change(self, listener: Callable[[T, T], object]) -> None:
        """Call ``listener(old, new)`` after each change, in the thread whose access noticed it.

        The new value is already in place then.  All listeners are called, even if one raises an error; the
        access then raises the first error.  Raises WrongTypeError if ``listener`` is not callable.
        """
        if not callable(listener):
            raise WrongTypeError(f"on_change needs a function, not {type(listener).__name__}")
        self._listeners.append(listener)

    def expire(self) -> None:
        """Load the files again at the next access, even if they have not changed."""
        self._seen = None
        self._again = self._due = 0.0

    def _check(self) -> None:
        # A lock that another thread held when this process was forked is never released here.
        if self._owner != os.getpid():
            if self._lock.locked():
                self._seen = None  # the load that it began does not end here
            self._lock = allocate_lock()
            self._owner = os.getpid()
        if not self._lock.acquire(False):
            return  # another thread is checking; return the current value
        try:
            now = time.monotonic()
            self._due = now + self._interval
            seen = self._look()
            if seen == self._seen and (self.error is None or now < self._again):
                return
            changed = seen != self._seen
            self._seen = seen  # before the load, during which `expire` may be called
            old = self._value
            try:
                self._value = new = self._load()
            except Exception as error:
                self._pause = (
                    self._interval if changed else min(self._pause * 2, max(PATIENCE, self._interval))
                )
                self._again = time.monotonic() + self._pause
                # The traceback is removed, since its frames would keep their local variables alive.
                self.error = error.with_traceback(None)
                return
            except BaseException:
                self._seen = None  # an interrupted load is tried again
                raise
            self.error = None
            self._pause = self._interval
        finally:
            self._lock.release()
        if not same(old, new):
            self._tell(old, new)

    def _tell(self, old: T, new: T) -> None:
        first: Exception | None = None
        for listener in list(self._listeners):
            try:
                listener(old, new)
            except Exception as error:
                first = first or error
        if first is not None:
            raise first

    def _look(self) -> list[object] | None:
        return [fileio.stamp(path) for path in self._paths]

    def __repr__(self) -> str:
        return f"<encconf.Live {', '.join(self._paths)}>"


if TYPE_CHECKING:

    @overload
    def watch(
        source: str | os.PathLike[str],
        *,
        schema: type[T],
        interval: float = INTERVAL,
        **options: Unpack[FileOptions],
    ) -> Live[T]: ...

    @overload
    def watch(
        source: str | os.PathLike[str],
        *,
        schema: None = None,
        interval: float = INTERVAL,
        **options: Unpack[FileOptions],
    ) -> Live[dict[str, Any]]: ...

    @overload
    def watch(
        source: Callable[[], T], *paths: str | os.PathLike[str], interval: float = INTERVAL
    ) -> Live[T]: ...


def watch(
    source: Any, *paths: str | os.PathLike[str], interval: float = INTERVAL, **options: Any
) -> Live[Any]:
    """Load a file now, and again whenever it has changed.

    ``source`` is the path of an encrypted file, which is loaded by `load_config` with ``options``; or it is
    a function that loads a configuration, and ``paths`` are the files that it depends on.  ``interval`` is
    how many seconds may pass before a change is noticed.  If files cannot be loaded, encconf tries again
    after ``interval`` seconds, and then waits twice as long each time, up to 60 seconds.

    The first load raises what `load_config` raises.  If a later one fails, the last good value stays, and
    ``live.error`` has the error.  Raises WrongTypeError and UsageError for invalid arguments.

    >>> live = watch("secrets.enc.yaml")  # doctest: +SKIP
    >>> live()["db"]["host"]  # doctest: +SKIP
    'db.example.com'
    """
    check(interval=interval)
    if callable(source):
        if not paths:
            raise UsageError("watch(function) needs the paths of the files that the function loads")
        if options:
            raise UsageError(
                f"watch(function, …) takes no {next(iter(options))}=: the function loads the files"
            )
        return Live(source, tuple(os.path.abspath(path_of(path, "watch")) for path in paths), interval)
    if paths:
        raise UsageError("watch(path) takes one path; for several, give a function and then the paths")
    name = os.path.abspath(path_of(source, "watch"))  # a server may change its current folder later
    return Live(lambda: api.load_config(name, **options), (name,), interval)
