"""Wrap a data key for groups of master keys, as in sops 3.13.3 (sops.go: UpdateMasterKeys).

With one group, every key wraps the whole data key (32 bytes).  With several groups, each group gets one
share (33 bytes) of Shamir's scheme.
"""

from __future__ import annotations

from collections.abc import Sequence

from encconf.envelope import calls
from encconf.envelope.calls import Failure, answer_of, is_remote
from encconf.envelope.groups import are_spoiled, quorum
from encconf.envelope.wrapped import DATA_KEY_SIZE, WrappedKey
from encconf.errors import ConfigError, EmptyGroupError, MasterKeyError, WrapError, is_temporary
from encconf.identities.credentials import Credentials
from encconf.keys import MasterKey


def wrap_for(
    data_key: bytes,
    groups: Sequence[Sequence[MasterKey]],
    threshold: int | None,
    credentials: Credentials,
    now: str,
) -> list[list[WrappedKey]]:
    """Wrap a data key (32 bytes) for every master key of every group.

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

    members = [(key, part) for group, part in zip(groups, parts, strict=True) for key in group]

    encs = _wrapped(members, credentials)
    wrapped: list[WrappedKey] = []
    failures: list[Failure] = []
    for (key, _), enc in zip(members, encs, strict=True):
        if isinstance(enc, str):
            wrapped.append(WrappedKey(key, enc, now if key.DATED else None))
        else:
            failures.append((key, enc))
    if failures:
        from encconf.envelope.report import lines_of

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

    def wrap(at: int) -> str:
        key, part = members[at]
        return calls.wrap(key, part, credentials)

    remote = [at for at, (key, _) in enumerate(members) if is_remote(key, credentials)]
    encs = {at: answer_of(wrap, at) for at in range(len(members)) if at not in remote}
    if remote:
        from encconf.io import race

        for at, (enc,) in zip(
            remote, race.run(wrap, [[at] for at in remote], credentials.key_limit), strict=True
        ):
            assert enc is not None  # a race of one item has an answer
            encs[at] = enc
    return [encs[at] for at in range(len(members))]


def wrap_again(
    data_key: bytes,
    held: list[list[WrappedKey]],
    held_threshold: int,
    groups: list[list[MasterKey]],
    threshold: int | None,
    credentials: Credentials,
    now: str,
) -> tuple[list[list[WrappedKey]], int]:
    """Return the data key, wrapped for these groups, and the threshold to write.

    ``held`` and ``held_threshold`` are the groups and threshold of the file, or [] and 0 for a new data key.
    If nothing changes, ``held`` itself is returned.  If there is one group before and after, the data key is
    wrapped only for added keys.  Otherwise it is wrapped for all, since the shares are new.  The rest is as
    for `wrap_for`.
    """
    needed = quorum(threshold, groups) if len(groups) > 1 else 0
    same = not are_spoiled(held) and [[wrapped.key for wrapped in group] for group in held] == groups
    if held and same and (len(held) < 2 or needed == held_threshold):
        return held, held_threshold
    if len(held) == 1 and len(groups) == 1:
        kept = {wrapped.key: wrapped for wrapped in held[0] if not wrapped.spoiled}
        added = [key for key in groups[0] if key not in kept]
        if added:
            new = wrap_for(data_key, [added], None, credentials, now)[0]
            kept.update((wrapped.key, wrapped) for wrapped in new)
        return [[kept[key] for key in groups[0]]], 0
    return wrap_for(data_key, groups, threshold, credentials, now), needed
