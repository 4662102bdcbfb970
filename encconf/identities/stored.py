"""Fetch identities and passphrases that are kept in a source of secrets.

A higher room, `encconf.sources`, reads addresses.  `load` imports it only if there is an address.
"""

from __future__ import annotations

from encconf.errors import MasterKeyError, SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any


def _none() -> ModuleType:
    raise SourceError("nothing reads the addresses of sources here")


load: Callable[[], ModuleType] = _none
"""A function that imports `encconf.sources`, whose functions raise SourceError.  `encconf.keys` sets it."""

PRIVATE = ("AGE-SECRET-KEY-", "AGE-PLUGIN-", "-----BEGIN")
"""What private keys begin with."""


def addresses_in(value: str) -> list[str]:
    """Split a variable into addresses of sources.  ``cmd:`` includes the rest of its line.

    If there is a private key by mistake, returns only that.
    """
    found: list[str] = []
    for line in value.splitlines():
        words = line.split()
        while words:
            if runs_program(words[0]):
                found.append(line[line.index(words[0]) :].strip())
                break
            if words[0].upper().startswith(PRIVATE):
                return [words[0]]
            found.append(words.pop(0))
    return found


def runs_program(address: str) -> bool:
    """Whether an address is a command line: ``cmd:``, perhaps after ``ref+``."""
    return address.lower().removeprefix("secret").removeprefix("ref+").startswith("cmd:")


def label_of(address: str) -> str:
    """Return an address in a form to show, or "" for anything else, since it may be a secret."""
    try:
        label: str = load().parse(address).label
    except SourceError:
        return ""
    return label


def passphrase(by: str, addresses: list[str], credentials: Any) -> str:
    """Fetch the passphrase from the one address that ``by`` names.  Raises MasterKeyError."""
    if len(addresses) > 1:
        raise MasterKeyError(
            f"{by} names {len(addresses)} sources, but a passphrase needs exactly one", hint="name one"
        )
    named = f"{by} {label_of(addresses[0])}".rstrip()
    try:
        text: str = load().fetch_text(addresses[0], credentials)
    except SourceError as error:
        raise MasterKeyError(f"{named}: {error.message}", hint=error.hint) from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text or any(break_ in text for break_ in "\n\r\0"):
        what = "is more than one line" if text else "is empty"
        raise MasterKeyError(
            f"{named}: it {what}, so it cannot be a passphrase", hint="choose a part of it with #FIELD"
        )
    return text
