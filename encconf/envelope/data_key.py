"""The data key and its envelope: groups of master keys, each of which can open its group's part.

With one group every key wraps the whole data key (32 bytes); with several, Shamir's scheme makes
one part (33 bytes) per group and a quorum of groups gives the key back.  As sops 3.13.3 (sops.go:
UpdateMasterKeys, GetDataKey), but that no further group is opened once the quorum is reached, that
key services are asked in parallel where more than one answer is needed or one is slow, and that
each gets a time limit.  A key that cannot be used here may be used by another process
(`encconf.keys.service`).
"""

from __future__ import annotations

import time
from _thread import allocate_lock

from encconf import keys
from encconf.envelope import shamir
from encconf.errors import (
    BadKeyError,
    ConfigError,
    KeyAccessError,
    MasterKeyError,
    MetadataError,
    NotMyKeyError,
    WrapError,
    is_temporary,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence
    from typing import NoReturn, TypeVar

    from encconf.identities.credentials import Credentials
    from encconf.keys import MasterKey

    S = TypeVar("S")
    T = TypeVar("T")
    Refusal = BadKeyError | MasterKeyError
    Failure = tuple[MasterKey, Refusal]

DATA_KEY_SIZE = 32
"""Bytes of a data key: AES-256."""

# Types that may ask a person, and so come one after the other; all others are asked of a service.
_LOCAL = ("age", "pgp")
_WIDTH = 32  # calls to services at a time
_PATIENCE = 3  # seconds after which a slow service no longer holds up the others of its group

_ASK = (
    "ask someone who can open the file to add your recipient to .sops.yaml and run: encconf updatekeys FILE"
)


class WrappedKey:
    """A master key and what it wrapped.

    ``enc`` is the ciphertext as text and ``created_at`` an RFC 3339 date, or None where the type
    has none; ``entry`` is what stood in the metadata, members unknown here included, {} when new.
    `spoiled`: by a sops before 3.3.0, which may have wrapped under another encryption context than the
    entry names; such a key is wrapped anew as soon as the file is written.
    """

    __slots__ = ("created_at", "enc", "entry", "key", "spoiled")

    def __init__(
        self,
        key: MasterKey,
        enc: str,
        created_at: str | None = None,
        entry: Mapping[str, object] | None = None,
    ) -> None:
        self.key = key
        self.enc = enc
        self.created_at = created_at
        self.entry = dict(entry or {})
        self.spoiled = False

    @classmethod
    def from_entry(cls, type: str, entry: Mapping[str, object]) -> WrappedKey:
        """Read an entry of the metadata's list ``type``; raises MetadataError."""
        created_at = keys.member(entry, "created_at") or None
        return cls(keys.from_entry(type, entry), keys.member(entry, "enc"), created_at, entry)

    def to_entry(self) -> dict[str, object]:
        """The members to write: those that were there in their order, then the new ones."""
        entry = {**self.entry, **self.key.to_entry()}
        if self.created_at is not None:
            entry["created_at"] = self.created_at
        entry["enc"] = self.enc
        return entry

    def __repr__(self) -> str:
        return f"WrappedKey({self.key!r})"


def wrap_for(
    data_key: bytes,
    groups: Sequence[Sequence[MasterKey]],
    threshold: int | None,
    credentials: Credentials,
    now: str,
) -> list[list[WrappedKey]]:
    """Wrap a data key (32 bytes) for every master key of every group.

    ``threshold`` is how many groups it takes, None or 0 for all; it counts only when there are
    several.  ``now`` (RFC 3339) dates the entries of types that have a date.  Raises ConfigError
    for impossible groups, and WrapError, which names every key that failed.
    """
    if len(data_key) != DATA_KEY_SIZE:
        raise ValueError(f"a data key has {DATA_KEY_SIZE} bytes")
    if not groups or not all(groups):
        raise ConfigError("there is no master key to encrypt for" if not groups else "a key group is empty")
    if len(groups) == 1:
        parts = [data_key]
    else:
        quorum = threshold or len(groups)
        if not 2 <= quorum <= len(groups) <= 255:
            raise ConfigError(
                f"a Shamir threshold of {quorum} does not fit {len(groups)} key groups",
                hint="it is at least 2 and at most the number of groups, of which there may be 255",
            )
        parts = shamir.split(data_key, len(groups), quorum)

    members = [(key, part) for group, part in zip(groups, parts, strict=True) for key in group]

    def wrap(at: int) -> str:
        key, part = members[at]
        with _Watched(key, credentials):
            if _elsewhere(credentials):
                from encconf.keys import service

                return service.wrap(key, part, credentials)
            return key.wrap(part, credentials)

    remote = [at for at, (key, _) in enumerate(members) if _is_remote(key, credentials)]
    encs: dict[int, str | Refusal | None] = {
        at: _answer(wrap, at) for at in range(len(members)) if at not in remote
    }
    if remote:
        answers = _race(wrap, [[at] for at in remote], credentials.key_limit)
        encs.update(zip(remote, (answer for (answer,) in answers), strict=True))
    wrapped: list[WrappedKey] = []
    failures: list[Failure] = []
    for at, (key, _) in enumerate(members):
        enc = encs[at]
        if isinstance(enc, str):
            wrapped.append(WrappedKey(key, enc, now if key.DATED else None))
        elif enc is not None:
            failures.append((key, enc))
    if failures:
        total = len(members)
        which = "its only master key" if total == 1 else f"{len(failures)} of its {total} master keys"
        failed = WrapError("\n".join([f"cannot encrypt the data key for {which}", *_lines(failures, "  ")]))
        failed.temporary = all(is_temporary(error) for _, error in failures)
        raise failed
    rest = iter(wrapped)
    return [[next(rest) for _ in group] for group in groups]


def wrap_again(
    data_key: bytes,
    held: list[list[WrappedKey]],
    quorum: int,
    groups: list[list[MasterKey]],
    threshold: int | None,
    credentials: Credentials,
    now: str,
) -> tuple[list[list[WrappedKey]], int]:
    """The data key for these groups, given who holds it already, and the threshold to write.

    ``held`` and ``quorum`` are the groups and threshold of the file, [] and 0 for a new data key.  Where
    nothing changes, ``held`` itself comes back; from one group to one only those who come are asked, and
    otherwise everybody, since the parts are others.  The rest is as for `wrap_for`.
    """
    needed = (threshold or len(groups)) if len(groups) > 1 else 0
    same = not are_spoiled(held) and [[wrapped.key for wrapped in group] for group in held] == groups
    if held and same and (len(held) < 2 or needed == quorum):
        return held, quorum
    if len(held) == 1 and len(groups) == 1:
        kept = {wrapped.key: wrapped for wrapped in held[0] if not wrapped.spoiled}
        added = [key for key in groups[0] if key not in kept]
        if added:
            new = wrap_for(data_key, [added], None, credentials, now)[0]
            kept.update((wrapped.key, wrapped) for wrapped in new)
        return [[kept[key] for key in groups[0]]], 0
    return wrap_for(data_key, groups, needed, credentials, now), needed


def are_spoiled(held: Sequence[Sequence[WrappedKey]]) -> bool:
    """Whether a key is to be wrapped anew as soon as the file is written."""
    return any(wrapped.spoiled for group in held for wrapped in group)


def shuts_out(
    held: Sequence[Sequence[WrappedKey]],
    quorum: int,
    groups: Sequence[Sequence[MasterKey]],
    threshold: int | None,
) -> bool:
    """Whether some who can get at the data key are not to, any more; arguments as for `wrap_again`.

    That is so where a key is gone, or stands in another group, and where it takes more groups: the parts
    of before are in the history, and still fit together.
    """
    if len(held) != len(groups):
        return True
    if len(groups) > 1 and (threshold or len(groups)) > (quorum or len(held)):
        return True
    pairs = zip(held, groups, strict=True)
    return any({wrapped.key for wrapped in before} - set(after) for before, after in pairs)


def open_data_key(
    groups: Sequence[Sequence[WrappedKey]],
    threshold: int,
    credentials: Credentials,
    cache: DataKeyCache | None = None,
) -> bytes:
    """The data key (32 bytes), by the first master key that opens, or a quorum of groups.

    Types named in SOPS_DECRYPTION_ORDER (else age, pgp) come first, then the order of the file; when
    a key service fails or is slow, those that follow it are asked all at once.  ``threshold`` is as
    for `wrap_for`; what the ``cache`` holds is not unwrapped again.  Raises KeyAccessError, whose
    message is the report of what was tried, DuplicateKeyTypeError, and MetadataError when the parts
    make no key.
    """
    cache = cache if cache is not None else credentials.cache
    order = credentials.key_order()
    shared = len(groups) > 1
    quorum = max(threshold or len(groups), 2) if shared else 1
    size = DATA_KEY_SIZE + shamir.OVERHEAD if shared else DATA_KEY_SIZE

    def rank(wrapped: WrappedKey) -> int:
        return order.index(wrapped.key.TYPE) if wrapped.key.TYPE in order else len(order)

    openings = [_Opening(sorted(group, key=rank), size, credentials, cache) for group in groups]
    while (opened := sum(opening.part is not None for opening in openings)) < quorum:
        # No more groups at a time than are needed: each may ask a person, or cost a call.
        wave = [opening for opening in openings if opening.part is None and opening.rest]
        del wave[quorum - opened :]
        if not wave:
            raise _no_access(openings, quorum)
        _open(wave, credentials)
    parts = [opening.part for opening in openings if opening.part is not None][:quorum]
    if not shared:
        return parts[0]
    try:
        return shamir.combine(parts)
    except ValueError as error:
        raise MetadataError(f"the parts of the data key do not fit together: {error}") from None


class _Opening:
    """A group on its way to being opened.

    ``rest`` are the keys that have not been tried, in the order of trying; ``part`` is what was
    inside and ``by`` the key that opened it, or ``failures`` say why none did.
    """

    __slots__ = ("_cache", "_credentials", "_size", "by", "failures", "part", "rest")

    def __init__(
        self,
        group: Sequence[WrappedKey],
        size: int,
        credentials: Credentials,
        cache: DataKeyCache | None,
    ) -> None:
        self.rest = list(group)
        self.failures: list[Failure] = []
        self.part: bytes | None = None
        self.by: MasterKey | None = None
        self._size = size
        self._credentials = credentials
        self._cache = cache
        if cache is not None:
            for wrapped in group:
                if (part := cache.get(wrapped, size)) is not None:
                    self.note(wrapped, part)
                    break

    def take(self, *, remote: bool) -> WrappedKey | None:
        """The key whose turn it is, if there is one, and of this kind."""
        if self.part is not None or not self.rest:
            return None
        return self.rest.pop(0) if _is_remote(self.rest[0].key, self._credentials) == remote else None

    def note(self, wrapped: WrappedKey, answer: bytes | Refusal) -> None:
        """Take what came of a key."""
        if isinstance(answer, bytes):
            self.part, self.by = answer, wrapped.key
        else:
            self.failures.append((wrapped.key, answer))

    def unwrap(self, wrapped: WrappedKey) -> bytes:
        """What is inside; raises BadKeyError or MasterKeyError."""
        if not wrapped.enc:
            raise MasterKeyError("its entry holds no wrapped data key")
        keys.check_size(wrapped.enc)

        def ask(key: MasterKey) -> bytes:
            if _elsewhere(self._credentials):
                from encconf.keys import service

                return service.unwrap(key, wrapped.enc, self._credentials)
            return key.unwrap(wrapped.enc, self._credentials)

        def opened() -> bytes:
            with _Watched(wrapped.key, self._credentials):
                if wrapped.spoiled:
                    from encconf.keys.aws_kms import under_any_context

                    part = under_any_context(wrapped.key, ask, self._credentials)
                else:
                    part = ask(wrapped.key)
            if len(part) != self._size:
                what = f"a data key of {self._size} bytes"
                raise MasterKeyError(f"it opened, but what was inside is not {what}")
            return part

        return opened() if self._cache is None else self._cache.fetch(wrapped, self._size, opened)


def _open(wave: Sequence[_Opening], credentials: Credentials) -> None:
    """Open these groups, or find that they cannot be: each key in its turn, services in parallel."""

    def unwrap(turn: tuple[_Opening, WrappedKey]) -> bytes:
        opening, wrapped = turn
        return opening.unwrap(wrapped)

    while wave:
        races: list[list[tuple[_Opening, WrappedKey]]] = []
        for opening in wave:
            while (wrapped := opening.take(remote=False)) is not None:
                # One after the other also where many files are opened at a time: a passphrase is asked
                # for once, and gpg-agent has memory for a few decryptions only.
                with credentials.client("local master keys", allocate_lock):
                    opening.note(wrapped, _answer(unwrap, (opening, wrapped)))
            race: list[tuple[_Opening, WrappedKey]] = []
            while (wrapped := opening.take(remote=True)) is not None:
                race.append((opening, wrapped))
            if race:
                races.append(race)
        if races:
            for race, answers in zip(races, _race(unwrap, races, credentials.key_limit), strict=True):
                for (opening, wrapped), answer in zip(race, answers, strict=True):
                    if answer is not None:
                        opening.note(wrapped, answer)
        wave = [opening for opening in wave if opening.part is None and opening.rest]


# --- calls ---------------------------------------------------------------------------------


def _elsewhere(credentials: Credentials) -> bool:
    """Whether other processes may use the keys, or only they."""
    return bool(credentials.key_services) or not credentials.local_key_service


def _is_remote(key: MasterKey, credentials: Credentials) -> bool:
    return key.TYPE in keys.TABLE and (key.TYPE not in _LOCAL or not credentials.local_key_service)


class _Watched:
    """``with _Watched(key, credentials):`` around a call that may be to a service: see `Credentials`."""

    __slots__ = ("_done", "_watch", "_what")

    def __init__(self, key: MasterKey, credentials: Credentials) -> None:
        self._watch = credentials.watch if _is_remote(key, credentials) else None
        self._what = key.label if self._watch is not None else ""

    def __enter__(self) -> None:
        if self._watch is not None:
            self._done = self._watch(self._what)

    def __exit__(self, *_: object) -> None:
        if self._watch is not None:
            self._done()


def _answer(call: Callable[[S], T], item: S) -> T | Refusal:
    try:
        return call(item)
    except (BadKeyError, MasterKeyError) as error:
        return error


def _race(
    call: Callable[[S], T], races: Sequence[Sequence[S]], limit: float
) -> list[list[T | Refusal | None]]:
    """Call services until one item of each race succeeded, or all of it failed; the answers so far.

    Of a race the first is called at once, the others when it failed or was slow.  What takes longer
    than ``limit`` seconds has failed: its thread is left to itself, and keeps nobody waiting.  None
    stands for what was not waited for.
    """
    from queue import Empty, SimpleQueue
    from threading import Thread

    answers: list[list[T | Refusal | None]] = [[None] * len(race) for race in races]
    done: SimpleQueue[tuple[int, int, T | BaseException]] = SimpleQueue()
    running: dict[tuple[int, int], float] = {}  # race and place in it, and until when
    called = [0] * len(races)  # how many of each race
    patience = [0.0] * len(races)  # until when the first of a race runs alone
    going = set(range(len(races)))

    def run(race: int, at: int) -> None:
        try:
            done.put((race, at, call(races[race][at])))
        except BaseException as error:  # the thread that waits has to know
            done.put((race, at, error))

    while going:
        now = time.monotonic()
        for race, at in [which for which, until in running.items() if until <= now]:
            del running[race, at]
            late = answers[race][at] = MasterKeyError(f"no answer within {limit:g} s")
            late.reason = "slow"
        wake: list[float] = []
        for race in sorted(going):
            size = len(races[race])
            alone = now < patience[race] and not any(answer is not None for answer in answers[race])
            while called[race] < size and not alone and len(running) < _WIDTH:
                at = called[race]
                called[race] += 1
                running[race, at] = now + limit
                Thread(target=run, args=(race, at), daemon=True).start()
                if at == 0 and size > 1:
                    alone = True
                    patience[race] = now + _PATIENCE
            if alone and called[race] < size:
                wake.append(patience[race])
        going &= {race for race, _ in running} | {race for race in going if called[race] < len(races[race])}
        if not going:
            break
        try:
            race, at, answer = done.get(timeout=max(min(*running.values(), *wake, now + limit) - now, 0))
        except Empty:
            continue
        if running.pop((race, at), None) is None:
            continue  # given up, or beaten
        if isinstance(answer, (BadKeyError, MasterKeyError)):
            answers[race][at] = answer
        elif isinstance(answer, BaseException):
            raise answer
        else:
            answers[race][at] = answer
            going.discard(race)
            running = {which: until for which, until in running.items() if which[0] != race}
    return answers


class DataKeyCache:
    """What master keys have given, for a while, so that each is asked once: in memory and nowhere else.

    Its owner passes it to all who may see the same data keys, that is, who use the same credentials; it
    may be used by several threads.  A data key is kept for ``lifetime`` seconds, under the type and
    name of the master key, the ciphertext, and whether it is a whole key or the part of a group.
    ``clock`` gives seconds and never goes back.
    """

    __slots__ = ("_clock", "_known", "_lock", "_turns", "lifetime")

    def __init__(self, lifetime: float = 300, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.lifetime = lifetime
        self._clock = clock
        self._known: dict[Hashable, tuple[float, bytes]] = {}
        self._turns: dict[Hashable, _Turn] = {}
        self._lock = allocate_lock()

    def get(self, wrapped: WrappedKey, size: int) -> bytes | None:
        """The ``size`` bytes that are inside, if that is known."""
        with self._lock:
            return self._find(_name(wrapped, size))

    def fetch(self, wrapped: WrappedKey, size: int, unwrap: Callable[[], bytes]) -> bytes:
        """The same, else what ``unwrap`` gives, which several who want it at once call once.

        What it raises as BadKeyError or MasterKeyError they all get, and is not kept.
        """
        name = _name(wrapped, size)
        with self._lock:
            if (part := self._find(name)) is not None:
                return part
            turn = self._turns.setdefault(name, _Turn())
        with turn.lock:
            if turn.answer is None:
                try:
                    turn.answer = _answer(lambda _: unwrap(), None)
                finally:
                    with self._lock:
                        self._turns.pop(name, None)
                        if isinstance(turn.answer, bytes):
                            self._known[name] = (self._clock() + self.lifetime, turn.answer)
            if isinstance(turn.answer, bytes):
                return turn.answer
            raise turn.answer

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._known.clear()

    def _find(self, name: Hashable) -> bytes | None:
        now = self._clock()
        while self._known:  # the oldest first
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

    def __reduce__(self) -> NoReturn:
        raise TypeError("data keys are not written anywhere")


class _Turn:
    """Who unwraps a key first, and what the others get."""

    __slots__ = ("answer", "lock")

    def __init__(self) -> None:
        self.lock = allocate_lock()
        self.answer: bytes | Refusal | None = None


def _name(wrapped: WrappedKey, size: int) -> Hashable:
    return wrapped.key.TYPE, wrapped.key.name, wrapped.enc, size


# --- the report ----------------------------------------------------------------------------


def _no_access(openings: Sequence[_Opening], quorum: int) -> KeyAccessError:
    failed = [failure for opening in openings for failure in opening.failures]
    if not failed:
        why, lines = "the file names no master key", []
    elif quorum == 1:
        why = f"none of its {len(failed)} master keys could be used"
        if len(failed) == 1:
            why = "its only master key could not be used"
        lines = _lines(failed, "  ")
    else:
        opened = sum(opening.by is not None for opening in openings)
        why = f"it takes {quorum} of its {len(openings)} key groups, and {opened} could be opened"
        lines = []
        for number, opening in enumerate(openings, 1):
            if opening.by is None:
                lines += [f"  group {number}: not opened", *_lines(opening.failures, "    ")]
            else:
                lines.append(f"  group {number}: opened by {opening.by.TYPE} {opening.by.label}")
    hint = _ASK
    causes = {
        error.message.split("\n")[0]: error for _, error in failed if not isinstance(error, NotMyKeyError)
    }
    temporary = bool(causes) and all(map(is_temporary, causes.values()))
    if temporary:
        hint = "try again when the service can be reached"
    elif causes:
        hint = f"see to what failed above; or {_ASK}"
    if len(causes) == 1:  # the report below says it too, but the first line is what is read
        why = f"{next(iter(causes))} ({why})"
    error = KeyAccessError("\n".join([f"cannot get the data key: {why}", *lines]), hint=hint)
    error.temporary, error.unexpected = temporary, bool(causes)
    return error


def _lines(failures: Sequence[Failure], indent: str) -> list[str]:
    """Type, name and reason in columns; further lines (what to do, where was looked) below the name.

    What is "not mine" stands there plainly, what should have worked is marked as failed.  Keys
    that follow one another share the lines that they have in common.
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
        if error.hint and not isinstance(error, NotMyKeyError):
            more.insert(0, f"hint: {error.hint}")
        details.append(more)
    for at, (key, error) in enumerate(failures):
        reason = error.message.split("\n")[0]
        mark = "" if isinstance(error, NotMyKeyError) else "failed: "
        lines.append(f"{indent}{key.TYPE:{types}}  {key.label:{labels}}  {mark}{reason}")
        if at + 1 == len(failures) or details[at + 1] != details[at]:
            lines += [below + line for line in details[at]]
    return lines
