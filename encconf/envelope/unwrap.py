"""Open a data key, as in sops 3.13.3 (sops.go: GetDataKey), or say why that is not possible.

Unlike sops, encconf opens no further groups after the quorum.  It asks key services at the same time if it
needs several answers or if one service is slow, and each has a time limit.  A `DataKeyCache` keeps the
answers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence

from encconf import keys
from encconf.envelope import DATA_KEY_SIZE, WrappedKey, quorum
from encconf.errors import (
    NO_IDENTITY,
    KeyAccessError,
    MasterKeyError,
    MetadataError,
    NotMyKeyError,
    is_temporary,
)
from encconf.identities.credentials import Credentials
from encconf.io.threads import Lock, Once
from encconf.keys import MasterKey, is_remote

Failure = tuple[MasterKey, MasterKeyError]

UNREACHED_LIMIT = 64
"""After so many services of a group in a row that cannot be reached, its other services are not asked."""


def open_data_key(
    groups: Sequence[Sequence[WrappedKey]],
    threshold: int,
    credentials: Credentials,
    cache: DataKeyCache | None = None,
) -> bytes:
    """Return the data key (32 bytes), from the first master key that opens it, or from a quorum of groups.

    The types in SOPS_DECRYPTION_ORDER (by default age, pgp) are tried first, then the others in the file's
    order.  If a key service fails or is slow, all later ones are asked at once.  ``threshold`` is that of the
    file.  Keys in the ``cache`` are not unwrapped again.  Raises KeyAccessError, whose message reports what
    was tried, DuplicateKeyTypeError, and MetadataError if the shares do not fit together.
    """
    cache = cache if cache is not None else credentials.cache
    order = credentials.key_order()
    shared = len(groups) > 1
    needed = quorum(threshold, groups)
    size = DATA_KEY_SIZE + 1 if shared else DATA_KEY_SIZE  # a share ends with its number

    again = False  # whether commands were run for each recipient, because their first output opened nothing
    if credentials.commands_once is None:
        credentials.commands_once = True
    ranks = {type: number for number, type in enumerate(order)}
    tried = [
        Group(
            sorted(group, key=lambda wrapped: ranks.get(wrapped.key.TYPE, len(ranks))),
            size,
            credentials,
            cache,
        )
        for group in groups
    ]
    while (opened := sum(group.part is not None for group in tried)) < needed:
        # Try only as many groups at a time as are needed: each may ask a person, or cost a call.
        wave = [group for group in tried if group.part is None and group.rest][: needed - opened]
        if not wave and not again and credentials.run_commands_again():
            again = True
            for group in tried:
                group.retry_age()
            continue
        if not wave:
            raise _no_access(tried, needed, credentials)
        for group in wave:
            group.open_here()
        races = [turns for group in wave if group.part is None and (turns := group.take_services())]
        if races:
            _ask_services(races, credentials)
    parts = [group.part for group in tried if group.part is not None][:needed]
    if not shared:
        return parts[0]
    from encconf.envelope import shamir

    try:
        return shamir.combine(parts)
    except ValueError as error:
        raise MetadataError(f"the shares of the data key do not match: {error}") from None


class Group:
    """A key group while it is being opened.

    ``rest`` are the keys that were not tried yet, in order.  ``part`` is the unwrapped key or share, and
    ``by`` the master key that opened it.  ``failures`` say why other keys did not open it.
    """

    part: bytes | None = None
    by: MasterKey | None = None

    def __init__(
        self,
        held: Sequence[WrappedKey],
        size: int,
        credentials: Credentials,
        cache: DataKeyCache | None,
    ) -> None:
        self._held = held
        self.rest = list(held)
        self.failures: list[Failure] = []
        self._unreached = 0  # how many of the last services could not be reached
        self._size = size
        self._credentials = credentials
        self._cache = cache
        if cache is not None:
            for wrapped in held:
                if (part := cache.get(wrapped, size)) is not None:
                    self.note(wrapped, part)
                    break

    def retry_age(self) -> None:
        """Try the age keys again, unless one has opened the group."""
        if self.part is None:
            self.rest = [wrapped for wrapped in self._held if wrapped.key.TYPE == "age"]
            self.failures = [(key, error) for key, error in self.failures if key.TYPE != "age"]

    def note(self, wrapped: WrappedKey, answer: bytes | MasterKeyError) -> None:
        """Store the result of trying a key."""
        if isinstance(answer, bytes):
            self.part, self.by = answer, wrapped.key
        else:
            self.failures.append((wrapped.key, answer.with_traceback(None)))  # its frames hold keys

    def open_here(self) -> None:
        """Try the next keys that this process uses itself, one after another, until one opens the group."""
        credentials = self._credentials
        while self.part is None and self.rest and not is_remote(self.rest[0].key, credentials):
            wrapped = self.rest.pop(0)
            # One after another, even if many files are opened at a time.  So a passphrase is asked for only
            # once, and gpg-agent does not run out of memory, which is enough for only a few decryptions.
            with credentials.using_local_keys:
                try:
                    self.note(wrapped, self.unwrap(wrapped))
                except MasterKeyError as error:
                    self.note(wrapped, error)

    def take_services(self) -> list[tuple[Group, WrappedKey]]:
        """Return the next keys of services, whose turns come at the same time."""
        turns: list[tuple[Group, WrappedKey]] = []
        while self.part is None and self.rest and is_remote(self.rest[0].key, self._credentials):
            turns.append((self, self.rest.pop(0)))
        return turns

    def unwrap(self, wrapped: WrappedKey, *, cached: bool = True) -> bytes:
        """Return the key or share that was wrapped.  Raises MasterKeyError.

        ``cached`` is whether the cache may have it.
        """
        key, credentials = wrapped.key, self._credentials
        if not wrapped.enc:
            raise MasterKeyError("its entry has no wrapped data key")
        keys.check_enc(wrapped.enc)
        if cached and self._cache is not None:
            return self._cache.fetch(wrapped, self._size, lambda: self.unwrap(wrapped, cached=False))
        if self._unreached >= UNREACHED_LIMIT and is_remote(key, credentials):
            raise MasterKeyError("not asked, since no other service can be reached", reason="unreachable")
        if wrapped.spoiled:  # by an old sops, which used other settings of the key than the entry names
            return key.unwrap_spoiled(
                lambda other: self.unwrap(WrappedKey(other, wrapped.enc), cached=False), credentials
            )
        try:
            if credentials.asks_key_services:
                from encconf.keys import service

                part = service.unwrap(key, wrapped.enc, credentials)
            else:
                part = key.unwrap(wrapped.enc, credentials)
        except MasterKeyError as error:
            if is_remote(key, credentials):  # an identity may be on a server that cannot be reached, too
                self._unreached = self._unreached + 1 if is_temporary(error) else 0
            raise
        if len(part) != self._size:
            what = f"a data key of {self._size} bytes"
            raise MasterKeyError(f"it was decrypted, but the content is not {what}")
        return part


def _ask_services(races: Sequence[Sequence[tuple[Group, WrappedKey]]], credentials: Credentials) -> None:
    """Let services open groups, each of which needs one answer."""
    from encconf.io import threads

    answers = threads.race(
        lambda turn: turn[0].unwrap(turn[1]),
        races,
        credentials.key_limit,
        watch=credentials.watch and (lambda turn: credentials.watch(turn[1].key.label)),
    )
    for turns, found in zip(races, answers, strict=True):
        for (group, wrapped), answer in zip(turns, found, strict=True):
            if answer is not None:
                group.note(wrapped, answer)


# --- a cache of data keys ------------------------------------------------------------------------


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


# --- the report ----------------------------------------------------------------------------------


def _no_access(groups: Sequence[Group], quorum: int, credentials: Credentials) -> KeyAccessError:
    """Return the error for a file of which fewer than ``quorum`` groups could be opened.

    Its hint depends on what failed: a key that should have worked, or none was a key of the user.
    """
    failed = [failure for group in groups for failure in group.failures]
    causes = {
        error.message.split("\n")[0]: (key, error)
        for key, error in failed
        if not isinstance(error, NotMyKeyError)
    }
    temporary = bool(causes) and all(is_temporary(error) for _, error in causes.values())
    why, hint = "none of your keys opens this file", credentials.advice
    personal = [(key, error) for key, error in failed if keys.is_personal(key)]
    foreign = {key.TYPE for key, error in personal if isinstance(error, NotMyKeyError)}
    own_failed = any(not isinstance(error, NotMyKeyError) for _, error in personal)
    if foreign and not own_failed and not temporary and hint is None:
        from encconf.keys.own import Own

        own = Own.of(credentials, commands=False, stores=False, pgp="pgp" in foreign)
        why, hint = own.state if not causes else why, own.advice()
    if credentials.advice is None:
        hint = "; or ".join(filter(None, [hint, *_logins(failed)])) or None
    if temporary:
        hint = "try again when the service can be reached"
    elif causes and credentials.advice is None:
        said = [error.hint for _, error in causes.values() if error.hint]
        correct = said[0] if len(causes) == 1 and said else "correct what failed above"
        hint = f"{correct}; or {hint}" if hint else correct
    known = next(iter(causes)) if len(causes) == 1 else None
    if not failed:
        why, lines = "the file has no master keys, so no key opens it", []
    elif quorum == 1:
        lines = lines_of(failed, "  ", known=known)
    else:
        opened = sum(group.by is not None for group in groups)
        why = f"your keys open {opened} of its {len(groups)} key groups, and it needs {quorum}"
        lines = []
        for number, group in enumerate(groups, 1):
            if group.by is None:
                lines += [f"  group {number}: not opened", *lines_of(group.failures, "    ", known=known)]
            else:
                lines.append(f"  group {number}: opened by {group.by.TYPE} {group.by.label}")
    if known is not None:  # people read only the first line, so it has the cause
        why = f"{why}: {known.removeprefix(f'{NO_IDENTITY}; ')}"
    error = KeyAccessError("\n".join([why, *lines]), hint=hint)
    error.temporary, error.unexpected = temporary, bool(causes)
    return error


def _logins(failed: Sequence[Failure]) -> list[str]:
    """Return what to do about keys of services to which the user is not logged in."""
    found = {key.TYPE: error for key, error in failed if isinstance(error, NotMyKeyError)}
    rows = {type: row for type in found if (row := keys.TABLE.get(type)) is not None and not row.personal}
    return [
        f"log in for its {row.plural} ({found[type].message.partition(chr(10))[0]})"
        + (f": encconf doctor {row.way} shows what is missing" if row.way else "")
        for type, row in rows.items()
    ]


def lines_of(failures: Sequence[Failure], indent: str, *, known: str | None = None) -> list[str]:
    """Return lines with type, name and reason in columns, and further lines (hints, places) below the name.

    A key that should have worked is marked as failed, but not a key that belongs to someone else.  If
    adjacent keys have the same further lines, these are shown once.  ``known`` is a reason that is said
    elsewhere, with its hint.
    """
    if not failures:
        return []
    types = max(len(key.TYPE) for key, _ in failures)
    labels = max(len(key.label) for key, _ in failures)
    below = " " * (len(indent) + types + 2)
    lines: list[str] = []
    details: list[list[str]] = []
    for _, error in failures:
        more = error.message.split("\n")[1:]
        if known is None and error.hint and not isinstance(error, NotMyKeyError):
            more.insert(0, f"hint: {error.hint}")
        details.append(more)
    for at, (key, error) in enumerate(failures):
        reason = error.message.split("\n")[0]
        if not isinstance(error, NotMyKeyError):
            reason = "failed" if reason == known else f"failed: {reason}"
        lines.append(f"{indent}{key.TYPE:{types}}  {key.label:{labels}}  {reason}")
        if at + 1 == len(failures) or details[at + 1] != details[at]:
            lines += [below + line for line in details[at]]
    return lines
