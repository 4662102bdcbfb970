"""Wrap data keys in tests: everyone is admitted by name."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import TYPE_CHECKING, Any

from encconf.engine import admission
from encconf.engine.admission import Admission
from encconf.engine.metadata import Metadata
from encconf.envelope import wrap
from encconf.rules.config import Rule
from encconf.rules.selection import DEFAULT

if TYPE_CHECKING:
    from encconf.envelope import WrappedKey
    from encconf.identities.credentials import Credentials


def wrap_for(
    data_key: bytes,
    groups: Sequence[Sequence[Any]],
    threshold: int | None,
    credentials: Credentials,
    now: str,
) -> list[list[WrappedKey]]:
    """`encconf.envelope.wrap.wrap_for`, for keys that the test names."""
    rule = Rule([list(map(_named, group)) for group in groups], threshold)
    admitted = Admission.of(rule).admit(rule, credentials)
    return wrap.wrap_for(data_key, admitted, threshold, credentials, now)


def wrap_again(
    data_key: bytes,
    held: list[list[WrappedKey]],
    held_threshold: int,
    groups: list[list[Any]],
    threshold: int | None,
    credentials: Credentials,
    now: str,
) -> tuple[list[list[WrappedKey]], int]:
    """`encconf.engine.admission.wrap_again`, for keys that the test names."""
    rule = Rule(groups, threshold)
    metadata = Metadata(held, held_threshold, DEFAULT, "") if held else None
    return admission.wrap_again(data_key, metadata, rule, Admission.of(rule), credentials, now)


def _named(key: Any) -> Any:
    """A key of a block, as if the test had named it."""
    if not key.listed:
        return key
    named = copy(key)
    named.listed = False
    return named
