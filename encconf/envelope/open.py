"""Open a data key, as in sops 3.13.3 (sops.go: GetDataKey).

Unlike sops, encconf opens no further groups after the quorum.  It asks key services at the same time if it
needs several answers or if one service is slow, and each has a time limit.
"""

from __future__ import annotations

from collections.abc import Sequence

from encconf.envelope.groups import quorum
from encconf.envelope.opening import Opening
from encconf.envelope.wrapped import DATA_KEY_SIZE, WrappedKey
from encconf.errors import MetadataError
from encconf.identities.credentials import Credentials

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.envelope.cache import DataKeyCache  # most files are opened without one


def open_data_key(
    groups: Sequence[Sequence[WrappedKey]],
    threshold: int,
    credentials: Credentials,
    cache: DataKeyCache | None = None,
) -> bytes:
    """Return the data key (32 bytes), from the first master key that opens it, or from a quorum of groups.

    The types in SOPS_DECRYPTION_ORDER (by default age, pgp) are tried first, then the others in the file's
    order.  If a key service fails or is slow, all later ones are asked at once.  ``threshold`` is as for
    `wrap_for`.  Keys in the ``cache`` are not unwrapped again.  Raises KeyAccessError, whose message reports
    what was tried, DuplicateKeyTypeError, and MetadataError if the shares do not fit together.
    """
    cache = cache if cache is not None else credentials.cache
    order = credentials.key_order()
    shared = len(groups) > 1
    needed = quorum(threshold, groups)
    size = DATA_KEY_SIZE + 1 if shared else DATA_KEY_SIZE  # a share ends with its number

    def rank(wrapped: WrappedKey) -> int:
        return order.index(wrapped.key.TYPE) if wrapped.key.TYPE in order else len(order)

    openings = [Opening(sorted(group, key=rank), size, credentials, cache) for group in groups]
    while (opened := sum(opening.part is not None for opening in openings)) < needed:
        # Try only as many groups at a time as are needed: each may ask a person, or cost a call.
        wave = [opening for opening in openings if opening.part is None and opening.rest]
        del wave[needed - opened :]
        if not wave:
            from encconf.envelope.report import no_access

            raise no_access(openings, needed)
        _open(wave, credentials)
    parts = [opening.part for opening in openings if opening.part is not None][:needed]
    if not shared:
        return parts[0]
    from encconf.envelope import shamir

    try:
        return shamir.combine(parts)
    except ValueError as error:
        raise MetadataError(f"the shares of the data key do not match: {error}") from None


def _open(wave: Sequence[Opening], credentials: Credentials) -> None:
    """Try to open these groups: local keys one after another, and services at the same time."""
    while wave:
        races: list[list[tuple[Opening, WrappedKey]]] = []
        for opening in wave:
            opening.try_here()
            turns: list[tuple[Opening, WrappedKey]] = []
            while (wrapped := opening.take(remote=True)) is not None:
                turns.append((opening, wrapped))
            if turns:
                races.append(turns)
        if races:
            from encconf.io import race

            def unwrap(turn: tuple[Opening, WrappedKey]) -> bytes:
                opening, wrapped = turn
                return opening.unwrap(wrapped)

            for turns, answers in zip(races, race.run(unwrap, races, credentials.key_limit), strict=True):
                for (opening, wrapped), answer in zip(turns, answers, strict=True):
                    if answer is not None:
                        opening.note(wrapped, answer)
        wave = [opening for opening in wave if opening.part is None and opening.rest]
