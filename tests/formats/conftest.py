"""What the contract of a format asks for."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from oracle import Sops

from encconf.testing import TestKey


@pytest.fixture
def sops_for() -> Callable[[TestKey], Sops]:
    """The real sops, which can open what is encrypted for a key."""
    return lambda key: Sops({"SOPS_AGE_KEY": key.identity})
