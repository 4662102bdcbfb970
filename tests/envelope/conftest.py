"""Pairs of keys, and a count of the calls to services, new for each test."""

from __future__ import annotations

import pytest
from oracle import AgeKey as Pair

from encconf.keys.age import AgeKey

from .remote import Load, Remote


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    return [Pair.generate() for _ in range(4)]


@pytest.fixture(scope="module")
def recipients(pairs: list[Pair]) -> list[AgeKey]:
    return [AgeKey(pair.recipient) for pair in pairs]


@pytest.fixture(autouse=True)
def load(monkeypatch: pytest.MonkeyPatch) -> Load:
    """The calls of this test alone."""
    fresh = Load()
    monkeypatch.setattr(Remote, "load", fresh)
    return fresh
