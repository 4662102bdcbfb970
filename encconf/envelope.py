"""The data key and its envelope: groups of master keys, each of which can open its group's part.

With one group every key wraps the whole data key (32 bytes); with several, Shamir's scheme makes
one part (33 bytes) per group and a quorum of groups gives the key back.  As sops 3.13.2 (sops.go:
UpdateMasterKeys, GetDataKey), but that no further group is opened once the quorum is reached.
"""

from __future__ import annotations

from encconf import keys, shamir
from encconf.errors import (
    BadKeyError,
    ConfigError,
    KeyAccessError,
    MasterKeyError,
    MetadataError,
    NotMyKeyError,
    WrapError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from encconf.credentials import Credentials
    from encconf.keys import MasterKey

    Failure = tuple[MasterKey, BadKeyError | MasterKeyError]
    Outcome = tuple[MasterKey, bytes] | list[Failure]  # of a group: who opened it, or why nobody did

DATA_KEY_SIZE = 32
"""Bytes of a data key: AES-256."""

_ASK = (
    "ask someone who can open the file to add your recipient to .sops.yaml and run: encconf updatekeys FILE"
)


class WrappedKey:
    """A master key and what it wrapped.

    ``enc`` is the ciphertext as text and ``created_at`` an RFC 3339 date, or None where the type
    has none; ``entry`` is what stood in the metadata, members unknown here included, {} when new.
    """

    __slots__ = ("created_at", "enc", "entry", "key")

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

    failures: list[Failure] = []
    wrapped: list[list[WrappedKey]] = []
    for group, part in zip(groups, parts, strict=True):
        wrapped.append([])
        for key in group:
            try:
                enc = key.wrap(part, credentials)
            except (BadKeyError, MasterKeyError) as error:
                failures.append((key, error))
            else:
                wrapped[-1].append(WrappedKey(key, enc, now if key.DATED else None))
    if failures:
        total = sum(len(group) for group in groups)
        which = "its only master key" if total == 1 else f"{len(failures)} of its {total} master keys"
        raise WrapError("\n".join([f"cannot encrypt the data key for {which}", *_lines(failures, "  ")]))
    return wrapped


def open_data_key(groups: Sequence[Sequence[WrappedKey]], threshold: int, credentials: Credentials) -> bytes:
    """The data key (32 bytes), by the first master key that opens, or a quorum of groups.

    Types named in SOPS_DECRYPTION_ORDER (else age, pgp) come first, then the order of the file.
    ``threshold`` is as for `wrap_for`.  Raises KeyAccessError, whose message is the report of what
    was tried, DuplicateKeyTypeError, and MetadataError when the parts make no key.
    """
    order = credentials.key_order()
    shared = len(groups) > 1
    quorum = max(threshold or len(groups), 2) if shared else 1
    size = DATA_KEY_SIZE + shamir.OVERHEAD if shared else DATA_KEY_SIZE
    outcomes: list[Outcome] = []
    parts: list[bytes] = []
    for group in groups:
        outcome = _open_group(group, order, size, credentials)
        outcomes.append(outcome)
        if isinstance(outcome, tuple):
            parts.append(outcome[1])
            if len(parts) == quorum:
                break
    else:
        raise _no_access(outcomes, quorum)
    if not shared:
        return parts[0]
    try:
        return shamir.combine(parts)
    except ValueError as error:
        raise MetadataError(f"the parts of the data key do not fit together: {error}") from None


def _open_group(
    group: Sequence[WrappedKey], order: list[str], size: int, credentials: Credentials
) -> Outcome:
    def rank(wrapped: WrappedKey) -> int:
        return order.index(wrapped.key.TYPE) if wrapped.key.TYPE in order else len(order)

    failures: list[Failure] = []
    for wrapped in sorted(group, key=rank):
        try:
            if not wrapped.enc:
                raise MasterKeyError("its entry holds no wrapped data key")
            part = wrapped.key.unwrap(wrapped.enc, credentials)
            if len(part) != size:
                raise MasterKeyError(f"it opened, but what was inside is not a data key of {size} bytes")
        except (BadKeyError, MasterKeyError) as error:
            failures.append((wrapped.key, error))
        else:
            return wrapped.key, part
    return failures


# --- the report ----------------------------------------------------------------------------


def _no_access(outcomes: list[Outcome], quorum: int) -> KeyAccessError:
    failed = [failure for outcome in outcomes if isinstance(outcome, list) for failure in outcome]
    if not failed:
        why, lines = "the file names no master key", []
    elif quorum == 1:
        why = f"none of its {len(failed)} master keys could be used"
        if len(failed) == 1:
            why = "its only master key could not be used"
        lines = _lines(failed, "  ")
    else:
        opened = sum(isinstance(outcome, tuple) for outcome in outcomes)
        why = f"it takes {quorum} of its {len(outcomes)} key groups, and {opened} could be opened"
        lines = []
        for number, outcome in enumerate(outcomes, 1):
            if isinstance(outcome, list):
                lines += [f"  group {number}: not opened", *_lines(outcome, "    ")]
            else:
                lines.append(f"  group {number}: opened by {outcome[0].TYPE} {outcome[0].label}")
    hint = _ASK
    if any(not isinstance(error, NotMyKeyError) for _, error in failed):
        hint = f"see to what failed above; or {_ASK}"
    return KeyAccessError("\n".join([f"cannot get the data key: {why}", *lines]), hint=hint)


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
