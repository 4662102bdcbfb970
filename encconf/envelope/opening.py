"""A key group while it is being opened."""

from __future__ import annotations

from collections.abc import Sequence

from encconf import keys
from encconf.envelope import calls
from encconf.envelope.calls import Failure, answer_of, is_remote
from encconf.envelope.wrapped import WrappedKey
from encconf.errors import MasterKeyError
from encconf.identities.credentials import Credentials
from encconf.io.once import Lock
from encconf.keys import MasterKey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.envelope.cache import DataKeyCache  # most files are opened without one

UNREACHED_LIMIT = 64
"""After so many services of a group in a row that cannot be reached, its other services are not asked."""


class Opening:
    """A group while it is being opened.

    ``rest`` are the keys that were not tried yet, in order.  ``part`` is the unwrapped key or share, and
    ``by`` the master key that opened it.  ``failures`` say why other keys did not open it.
    """

    part: bytes | None = None
    by: MasterKey | None = None

    def __init__(
        self,
        group: Sequence[WrappedKey],
        size: int,
        credentials: Credentials,
        cache: DataKeyCache | None,
    ) -> None:
        self.rest = list(group)
        self.failures: list[Failure] = []
        self._unreached = 0  # how many of the last services could not be reached
        self._size = size
        self._credentials = credentials
        self._cache = cache
        if cache is not None:
            for wrapped in group:
                if (part := cache.get(wrapped, size)) is not None:
                    self.note(wrapped, part)
                    break

    def take(self, *, remote: bool) -> WrappedKey | None:
        """Return the next key to try, or None if no key is left or the next one is of the other kind."""
        if self.part is not None or not self.rest:
            return None
        return self.rest.pop(0) if is_remote(self.rest[0].key, self._credentials) == remote else None

    def note(self, wrapped: WrappedKey, answer: bytes | MasterKeyError) -> None:
        """Store the result of trying a key."""
        if isinstance(answer, bytes):
            self.part, self.by = answer, wrapped.key
        else:
            self.failures.append((wrapped.key, answer))

    def try_here(self) -> None:
        """Try the next keys that this process uses itself, one after another, until one opens the group."""
        while (wrapped := self.take(remote=False)) is not None:
            # One after another, even if many files are opened at a time.  So a passphrase is asked for only
            # once, and gpg-agent does not run out of memory, which is enough for only a few decryptions.
            with self._credentials.client("local master keys", Lock):
                self.note(wrapped, answer_of(self.unwrap, wrapped))

    def unwrap(self, wrapped: WrappedKey) -> bytes:
        """Return the key or share that was wrapped.  Raises MasterKeyError."""
        if not wrapped.enc:
            raise MasterKeyError("its entry has no wrapped data key")
        keys.check_enc(wrapped.enc)
        if self._cache is None:
            return self._unwrapped(wrapped)
        return self._cache.fetch(wrapped, self._size, lambda: self._unwrapped(wrapped))

    def _unwrapped(self, wrapped: WrappedKey) -> bytes:
        if self._unreached >= UNREACHED_LIMIT and is_remote(wrapped.key, self._credentials):
            raise MasterKeyError("not asked, since no other service can be reached", reason="unreachable")

        def ask(key: MasterKey) -> bytes:
            return calls.unwrap(key, wrapped.enc, self._credentials)

        # A key type that an old sops used wrongly has its own way to unwrap.
        spoiled = getattr(wrapped.key, "unwrap_spoiled", None) if wrapped.spoiled else None
        try:
            part: bytes = ask(wrapped.key) if spoiled is None else spoiled(ask, self._credentials)
        except MasterKeyError as error:
            self._unreached = self._unreached + 1 if error.reason in ("unreachable", "slow") else 0
            raise
        if len(part) != self._size:
            what = f"a data key of {self._size} bytes"
            raise MasterKeyError(f"it was decrypted, but the content is not {what}")
        return part
