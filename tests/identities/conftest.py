"""Somebody with an age key of their own."""

from __future__ import annotations

from pathlib import Path

import pytest
from identities.owner import Owner
from oracle import AgeKey


@pytest.fixture
def me(home: Path, age_key: AgeKey) -> Owner:
    return Owner(home, age_key)
