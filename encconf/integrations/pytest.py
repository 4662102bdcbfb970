"""The pytest plugin: fixtures for encrypted files, and a guard for real keys.

pytest loads the plugin by itself (entry point ``pytest11``).  encconf is imported when a fixture is used.

- ``encconf_key``: a throwaway key; while the test runs, only this key opens files.
- ``encconf_file(name, data)``: writes an encrypted file into the test's temporary folder.
- ``encconf_guard = true`` in the ini file: no test can use a real key, even without a fixture.
- ``@pytest.mark.encconf_real_keys``: this test can use real keys.
- A failed assertion shows no masked value.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from encconf.testing import TestKey

_MARK = "encconf_real_keys"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the ini setting ``encconf_guard``."""
    parser.addini("encconf_guard", "tests must not use real encconf keys", type="bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    """Add the marker ``encconf_real_keys``."""
    config.addinivalue_line("markers", f"{_MARK}: this test may use your real keys to open encrypted files")


@pytest.hookimpl(tryfirst=True)
def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Explain a failed comparison of masked values without showing them: pytest would show the difference."""
    if "encconf.shape.mask" not in sys.modules:
        return None  # no value is masked, and nothing has to be imported
    from encconf.testing.compare import compared

    return compared(op, left, right)


@pytest.fixture(autouse=True)
def _encconf_guard(request: pytest.FixtureRequest) -> None:
    if request.config.getini("encconf_guard") and not request.node.get_closest_marker(_MARK):
        request.getfixturevalue("encconf_key")


@pytest.fixture
def encconf_key(request: pytest.FixtureRequest) -> Iterator[TestKey]:
    """A new age key.  Until the test ends, encconf opens files only with this key."""
    from encconf.testing import TestKey, guarded

    key = TestKey.generate()
    if request.node.get_closest_marker(_MARK):
        yield key
        return
    with guarded(key, request.node.nodeid):
        yield key


@pytest.fixture
def encconf_file(encconf_key: TestKey, tmp_path: Path) -> Callable[..., Path]:
    """A function ``(name, data, *, format=None) -> path`` that writes an encrypted file into ``tmp_path``.

    ``data`` is a dict, or a plaintext in the file's format.
    """

    def write(name: str, data: Mapping[str, Any] | str, *, format: str | None = None) -> Path:
        return encconf_key.write(tmp_path / name, data, format=format)

    return write
