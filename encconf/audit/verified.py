"""``check --verify``: the findings that require opening the files."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from encconf.audit.sealed import Sealed
from encconf.engine import opening
from encconf.envelope.cache import DataKeyCache
from encconf.errors import (
    DecryptError,
    EncconfError,
    KeyAccessError,
    MacError,
    MacMissingError,
    UnmergedError,
)
from encconf.identities.credentials import Credentials
from encconf.io.side_by_side import side_by_side


def verify(encrypted: Sequence[Sealed], credentials: Credentials, step: Callable[[], None]) -> int:
    """Open the files that can be opened, and return their number.

    Several files are opened at a time, but each wrapped data key is unwrapped only once.  Findings are added,
    and ``step`` is called after each.
    """
    credentials.cache = credentials.cache or DataKeyCache()

    def open(sealed: Sealed) -> None:
        opening.open_text(
            sealed.text,
            format=sealed.format,
            credentials=credentials,
            notify=lambda text: sealed.find("damaged-comment", text),
        )

    opened = 0
    for sealed, error in side_by_side(open, encrypted):
        if error is None:
            opened += 1
        else:
            _not_opened(sealed, error)
        step()
    return opened


def _not_opened(sealed: Sealed, error: EncconfError) -> None:
    """Add a finding that says why a file did not open, unless an earlier finding already says so."""
    if isinstance(error, KeyAccessError):
        sealed.find("not-verified", error.message.partition("\n")[0])
    elif isinstance(error, (MacMissingError, UnmergedError)):
        pass  # the findings no-mac and unmerged already say so
    elif isinstance(error, MacError):
        sealed.find("mac-mismatch", error.message, hint=error.hint)
    elif not isinstance(error, DecryptError):
        sealed.find("not-verified", error.message, hint=error.hint)
    elif sealed.counts.keys().isdisjoint(("plain-value", "bad-value")):
        sealed.find("damaged-value", error.message, hint=error.hint)
