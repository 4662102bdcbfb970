"""The data key, and the key groups that wrap it: their entries, how many open the file, and wrapping.

With one group, every key wraps the whole data key (32 bytes).  With several groups, each group gets one
share (33 bytes) of Shamir's scheme, as in sops 3.13.3 (sops.go: UpdateMasterKeys).
`encconf.engine.admission` decides who gets it, and `encconf.envelope.unwrap` opens it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from encconf import keys
from encconf.errors import (
    ConfigError,
    EmptyGroupError,
    MasterKeyError,
    NotMyKeyError,
    WrapError,
    is_temporary,
)
from encconf.keys import MasterKey, is_remote
from encconf.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.identities.credentials import Credentials

Failure = tuple[MasterKey, MasterKeyError]

DATA_KEY_SIZE = 32
"""The size of a data key for AES-256, in bytes."""


class WrappedKey(Record):
    """A master key and the data key that it wrapped.

    ``enc`` is the ciphertext as text.  ``created_at`` is an RFC 3339 date, or None if the type has none.
    ``entry`` is the metadata's entry with unknown members, or {} for a new one.  ``spoiled`` is whether a
    sops before 3.3.0 wrapped the data key, perhaps with another encryption context than the entry names.
    The data key is then wrapped again the next time the file is written.
    """

    key: MasterKey
    enc: str
    created_at: str | None = None
    entry: Mapping[str, object] = {}
    spoiled: bool = False

    @classmethod
    def from_entry(cls, type: str, entry: Mapping[str, object]) -> WrappedKey:
        """Read an entry of the metadata's list ``type``.  Raises MetadataError."""
        created_at = keys.member(entry, "created_at") or None
        return cls(keys.from_entry(type, entry), keys.member(entry, "enc"), created_at, entry)

    def part(self, size: int) -> tuple[str, str, str, int]:
        """Return what identifies its data key or share.  A data key and a share differ in ``size``."""
        return self.key.TYPE, self.key.name, self.enc, size

    def to_entry(self) -> dict[str, object]:
        """Return the members to write: the existing ones in their order, then new ones."""
        entry = {**self.entry, **self.key.to_entry()}
        if self.created_at is not None:
            entry["created_at"] = self.created_at
        entry["enc"] = self.enc
        return entry


def quorum(threshold: int | None, groups: Sequence[object]) -> int:
    """Return how many of these key groups are needed to open a file: the threshold, or by default all.

    Of several groups, at least 2 are needed, since one share of a key is useless.
    """
    return max(threshold or len(groups), 2) if len(groups) > 1 else 1


def only_in(these: Sequence[Sequence[MasterKey]], those: Sequence[Sequence[MasterKey]]) -> list[MasterKey]:
    """Return the keys in these groups that are in none of those groups."""
    known = {key for group in those for key in group}
    return list(dict.fromkeys(key for group in these for key in group if key not in known))


def are_spoiled(held: Sequence[Sequence[WrappedKey]]) -> bool:
    """Whether the data key must be wrapped again the next time the file is written (see `WrappedKey`)."""
    return any(wrapped.spoiled for group in held for wrapped in group)


def removes_access(
    held: Sequence[Sequence[WrappedKey]],
    held_threshold: int,
    groups: Sequence[Sequence[MasterKey]],
    threshold: int | None,
) -> bool:
    """Whether someone who can get the data key now must lose access.

    ``held`` and ``held_threshold`` are those of the file, the others are those that it will get.
    That is so if a key was removed or is in another group, or if more groups are needed than before: the
    old shares are in the history, and still fit together.
    """
    if len(held) != len(groups):
        return True
    if quorum(threshold, groups) > quorum(held_threshold, held):
        return True
    pairs = zip(held, groups, strict=True)
    return any({wrapped.key for wrapped in before} - set(after) for before, after in pairs)


# --- wrapping -------------------------------------------------------------------------------------


class Admitted:
    """A master key that may get the data key, and who or what admits it (``by``).

    `encconf.engine.admission` makes them, and nothing else can.
    """

    __slots__ = ("by", "key")
    key: MasterKey
    by: str

    def __init__(self) -> None:
        raise TypeError("only encconf.engine.admission admits recipients")

    def __init_subclass__(cls) -> None:
        raise TypeError("only encconf.engine.admission admits recipients")

    def __setattr__(self, name: str, value: object) -> None:
        raise TypeError("an admission does not change")

    def __repr__(self) -> str:
        return f"<{self.key.TYPE} {self.key.label}, admitted by {self.by}>"


def wrap_for(
    data_key: bytes,
    groups: Sequence[Sequence[Admitted]],
    threshold: int | None,
    credentials: Credentials,
    now: str,
) -> list[list[WrappedKey]]:
    """Wrap a data key (32 bytes) for every admitted master key of every group.

    ``threshold`` is how many groups are needed to open it (None or 0 for all), if there are several.
    ``now`` (RFC 3339) is the date for entries of types that have one.  Raises ConfigError for impossible
    groups, and WrapError, which names every key that failed.
    """
    if len(data_key) != DATA_KEY_SIZE:
        raise ValueError(f"a data key has {DATA_KEY_SIZE} bytes")
    if not groups or not all(groups):
        what = "no master key was named to encrypt for" if not groups else "a key group is empty"
        raise EmptyGroupError(what)
    if len(groups) == 1:
        parts = [data_key]
    else:
        needed = threshold or len(groups)
        if not 2 <= needed <= len(groups) <= 255:
            raise ConfigError(
                f"a Shamir threshold of {needed} does not fit {len(groups)} key groups",
                hint="choose a threshold from 2 to the number of groups; a file has at most 255 groups",
            )
        from encconf.envelope import shamir

        parts = shamir.split(data_key, len(groups), needed)

    for guest in (guest for group in groups for guest in group):
        if type(guest) is not Admitted:
            raise TypeError(f"{guest!r} was not admitted")
    members = [(guest.key, part) for group, part in zip(groups, parts, strict=True) for guest in group]

    encs = _wrapped(members, credentials)
    wrapped: list[WrappedKey] = []
    failures: list[Failure] = []
    for (key, _), enc in zip(members, encs, strict=True):
        if isinstance(enc, str):
            wrapped.append(WrappedKey(key, enc, now if key.DATED else None))
        else:
            failures.append((key, enc))
    if failures:
        total = len(members)
        which = "its only master key" if total == 1 else f"{len(failures)} of its {total} master keys"
        failed = WrapError("\n".join([f"cannot encrypt the data key for {which}", *lines_of(failures, "  ")]))
        failed.temporary = all(is_temporary(error) for _, error in failures)
        raise failed
    rest = iter(wrapped)
    return [[next(rest) for _ in group] for group in groups]


def _wrapped(
    members: Sequence[tuple[MasterKey, bytes]], credentials: Credentials
) -> list[str | MasterKeyError]:
    """Return each key's wrapped part, or why it failed.  Services are called at the same time."""

    def wrap(member: tuple[MasterKey, bytes]) -> str:
        key, part = member
        if credentials.asks_key_services:
            from encconf.keys import service

            return service.wrap(key, part, credentials)
        return key.wrap(part, credentials)

    encs: list[str | MasterKeyError] = []
    remote: list[int] = []
    for at, member in enumerate(members):
        if is_remote(member[0], credentials):
            remote.append(at)
            encs.append("")
            continue
        try:
            encs.append(wrap(member))
        except MasterKeyError as error:
            encs.append(error.with_traceback(None))  # its frames hold the data key
    if remote:
        from encconf.io import threads

        answers = threads.race(
            wrap,
            [[members[at]] for at in remote],
            credentials.key_limit,
            watch=credentials.watch and (lambda member: credentials.watch(member[0].label)),
        )
        for at, (answer,) in zip(remote, answers, strict=True):
            assert answer is not None  # a race of one item has an answer
            encs[at] = answer
    return encs


def lines_of(failures: Sequence[Failure], indent: str, *, hints: bool = True) -> list[str]:
    """Return lines with type, name and reason in columns, and further lines (hints, places) below the name.

    A key that should have worked is marked as failed, but not a key that belongs to someone else.  If
    adjacent keys have the same further lines, these are shown once.  ``hints`` says whether to show hints.
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
        if hints and error.hint and not isinstance(error, NotMyKeyError):
            more.insert(0, f"hint: {error.hint}")
        details.append(more)
    for at, (key, error) in enumerate(failures):
        reason = error.message.split("\n")[0]
        mark = "" if isinstance(error, NotMyKeyError) else "failed: "
        lines.append(f"{indent}{key.TYPE:{types}}  {key.label:{labels}}  {mark}{reason}")
        if at + 1 == len(failures) or details[at + 1] != details[at]:
            lines += [below + line for line in details[at]]
    return lines
