"""A cache of unwrapped data keys."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable

from encconf.envelope import WrappedKey
from encconf.io.threads import Lock, Once


class DataKeyCache:
    """Keeps data keys in memory for some time, so that each key service is asked once.

    Pass one cache to all loads that use the same credentials; threads may share it.  A data key is kept for
    ``lifetime`` seconds, by the type and name of the master key, the ciphertext, and whether it is a whole
    key or the share of a group.  ``clock`` returns seconds and never goes back.  Pickling raises TypeError.

    >>> cache = DataKeyCache(lifetime=300)
    >>> config = load_config("secrets.enc.yaml", cache=cache)  # doctest: +SKIP
    """

    def __init__(self, lifetime: float = 300, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.lifetime = lifetime
        self.clock = clock
        self._known: dict[Hashable, tuple[float, bytes]] = {}
        self._turns: dict[Hashable, Once] = {}
        self._lock = Lock()

    def get(self, wrapped: WrappedKey, size: int) -> bytes | None:
        """Return the ``size`` bytes that were wrapped, or None if the cache does not have them."""
        with self._lock:
            return self._find(wrapped.part(size))

    def fetch(self, wrapped: WrappedKey, size: int, unwrap: Callable[[], bytes]) -> bytes:
        """Like `get`, but call ``unwrap`` if the cache does not have the bytes, and keep what it returns.

        It is called once for all threads that wait for the bytes.  If it raises
        MasterKeyError, all of them get this error, which is not kept.
        """
        name = wrapped.part(size)
        with self._lock:
            if (part := self._find(name)) is not None:
                return part
            turn = self._turns.setdefault(name, Once())
        return turn.get(lambda: self._unwrapped(name, turn, unwrap))

    def _unwrapped(self, name: Hashable, turn: Once, unwrap: Callable[[], bytes]) -> bytes:
        part = None
        try:
            part = unwrap()
            return part
        finally:
            with self._lock:
                if self._turns.get(name) is turn:  # else `clear` was called meanwhile
                    del self._turns[name]
                    if part is not None:
                        self._known[name] = (self.clock() + self.lifetime, part)

    def clear(self) -> None:
        """Forget everything, and keep nothing that is being unwrapped."""
        with self._lock:
            self._known.clear()
            self._turns.clear()

    def _find(self, name: Hashable) -> bytes | None:
        now = self.clock()
        while self._known:  # the oldest entry comes first
            oldest = next(iter(self._known))
            if self._known[oldest][0] > now:
                break
            del self._known[oldest]
        known = self._known.get(name)
        return None if known is None else known[1]

    def __len__(self) -> int:
        return len(self._known)

    def __repr__(self) -> str:
        return f"DataKeyCache({self.lifetime!r}, keys={len(self)})"

    def __reduce__(self) -> str:
        raise TypeError("data keys are not written anywhere")
