"""A key group while it is being opened."""

from __future__ import annotations

from _thread import allocate_lock

from encconf import keys
from encconf.envelope import calls
from encconf.envelope.calls import answer_of, is_remote
from encconf.errors import MasterKeyError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from encconf.envelope.cache import DataKeyCache
    from encconf.envelope.calls import Failure
    from encconf.envelope.wrapped import WrappedKey
    from encconf.identities.credentials import Credentials
    from encconf.io.race import Refusal
    from encconf.keys import MasterKey


class Opening:
    """A group while it is being opened.

    ``rest`` are the keys to try, in order; ``part`` is the unwrapped key or share and ``by`` the key that
    opened it, or ``failures`` say why none did.
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
        self._size = size
        self._credentials = credentials
        self._cache = cache
        if cache is not None:
            for wrapped in group:
                if (part := cache.get(wrapped, size)) is not None:
                    self.note(wrapped, part)
                    break

    def take(self, *, remote: bool) -> WrappedKey | None:
        """The next key, if there is one and it is of this kind."""
        if self.part is not None or not self.rest:
            return None
        return self.rest.pop(0) if is_remote(self.rest[0].key, self._credentials) == remote else None

    def note(self, wrapped: WrappedKey, answer: bytes | Refusal) -> None:
        """Note the result of a key."""
        if isinstance(answer, bytes):
            self.part, self.by = answer, wrapped.key
        else:
            self.failures.append((wrapped.key, answer))

    def try_here(self) -> None:
        """Try the next keys that this process uses itself, each in its turn, until one opens the group."""
        while (wrapped := self.take(remote=False)) is not None:
            # One after another, also if many files are opened at a time: then a passphrase is asked for
            # once, and gpg-agent has memory for only a few decryptions.
            with self._credentials.client("local master keys", allocate_lock):
                self.note(wrapped, answer_of(self.unwrap, wrapped))

    def unwrap(self, wrapped: WrappedKey) -> bytes:
        """The key or share inside; raises BadKeyError or MasterKeyError."""
        if not wrapped.enc:
            raise MasterKeyError("its entry has no wrapped data key")
        keys.check_size(wrapped.enc)
        if self._cache is None:
            return self._unwrapped(wrapped)
        return self._cache.fetch(wrapped, self._size, lambda: self._unwrapped(wrapped))

    def _unwrapped(self, wrapped: WrappedKey) -> bytes:
        def ask(key: MasterKey) -> bytes:
            return calls.unwrap(key, wrapped.enc, self._credentials)

        # A type that an old sops wrapped wrongly knows how.
        spoiled = getattr(wrapped.key, "unwrap_spoiled", None) if wrapped.spoiled else None
        part: bytes = ask(wrapped.key) if spoiled is None else spoiled(ask, self._credentials)
        if len(part) != self._size:
            what = f"a data key of {self._size} bytes"
            raise MasterKeyError(f"it was decrypted, but the content is not {what}")
        return part
