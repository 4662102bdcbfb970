"""Fixtures for tests of applications: a key in the environment, and encrypted files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from encconf.testing import TestKey


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> TestKey:
    """A new key.  SOPS_AGE_KEY has its identity."""
    made = TestKey.generate()
    monkeypatch.setenv("SOPS_AGE_KEY", made.identity)
    return made


@pytest.fixture
def write(key: TestKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Return a function that writes an encrypted file.  The current folder is a new one."""
    monkeypatch.chdir(tmp_path)
    return lambda name, data: key.write(tmp_path / name, data)
