"""Runs a test of a contract by hand, to see whether it notices a flaw."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import pytest


def holds(contract: type, test: str, given: Mapping[str, Any]) -> bool:
    """Whether one test of a contract passes with these fixtures and parameters."""
    method = getattr(contract(), test)
    arguments = {name: given[name] for name in inspect.signature(method).parameters}
    try:
        method(**arguments)
    except (Exception, pytest.fail.Exception):
        return False
    return True


def names_in(contract: type) -> list[str]:
    """The names of its tests."""
    return [name for name in dir(contract) if name.startswith("test_")]
