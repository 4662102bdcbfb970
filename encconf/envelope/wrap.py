"""Wrap a data key for groups of master keys, as in sops 3.13.3 (sops.go: UpdateMasterKeys).

With one group, every key wraps the whole data key (32 bytes).  With several groups, each group gets one
share (33 bytes) of Shamir's scheme.  `encconf.engine.admission` decides who gets it.
"""

from __future__ import annotations

from collections.abc import Sequence

from encconf.envelope import DATA_KEY_SIZE, WrappedKey
from encconf.errors import ConfigError, EmptyGroupError, MasterKeyError, WrapError, is_temporary
from encconf.identities.credentials import Credentials
from encconf.keys import MasterKey, is_remote


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
    failures: list[tuple[MasterKey, MasterKeyError]] = []
    for (key, _), enc in zip(members, encs, strict=True):
        if isinstance(enc, str):
            wrapped.append(WrappedKey(key, enc, now if key.DATED else None))
        else:
            failures.append((key, enc))
    if failures:
        from encconf.envelope.unwrap import lines_of

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
