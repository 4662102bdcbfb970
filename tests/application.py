"""Encrypted files and a key, as an application has them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from encconf.testing import TestKey


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> TestKey:
    """A key that the environment names."""
    made = TestKey.generate()
    monkeypatch.setenv("SOPS_AGE_KEY", made.identity)
    return made


@pytest.fixture
def write(key: TestKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Write an encrypted file into the current folder, which is a new one."""
    monkeypatch.chdir(tmp_path)
    return lambda name, data: key.write(tmp_path / name, data)
