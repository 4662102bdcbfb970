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
    return _compared(op, left, right)


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


# --- failed comparisons of masked values ------------------------------------------------------------
# pytest explains two texts that differ by their difference, which shows both.

_MOST = 100_000  # how many values are looked at
_LINES = 20
_TELLING = 4  # a shorter text may be part of others by chance


def _masked_in(value: object) -> list[object]:
    """Return the masked values in a value, also in collections and objects with fields."""
    from encconf.shape.mask import MaskedBytes, MaskedFloat, MaskedInt, MaskedStr

    found: list[object] = []
    seen: set[int] = set()
    todo = [value]
    while todo and len(seen) < _MOST:
        item = todo.pop()
        if isinstance(item, (MaskedStr, MaskedBytes, MaskedInt, MaskedFloat)):
            found.append(item)
        elif id(item) not in seen and not isinstance(item, (str, bytes, int, float, type, type(None))):
            seen.add(id(item))
            todo += _members(item).values()
    return found


def _members(item: object) -> dict[object, object]:
    """Return the members of a collection or an object by their keys, indexes or names."""
    from collections import deque
    from collections.abc import Mapping, Set

    if isinstance(item, Mapping):
        return dict(item.items())
    if isinstance(item, (list, tuple, deque)):
        return dict(enumerate(item))
    if isinstance(item, Set):
        return dict(enumerate(item))
    names = [*getattr(item, "__dict__", ()), *getattr(type(item), "__struct_fields__", ())]
    for kind in type(item).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        names += [slots] if isinstance(slots, str) else slots
    fields = {name: getattr(item, name, None) for name in names if isinstance(name, str)}
    return {name: field for name, field in fields.items() if not name.startswith("__")}


def _compared(op: str, left: object, right: object) -> list[str] | None:
    """Return the lines that explain a failed comparison of masked values, or None if there are none.

    The lines show no masked value, not even where the other side has it as ordinary text.
    """
    masked = [*_masked_in(left), *_masked_in(right)]
    if not masked:
        return None
    secrets = {_text(value) for value in masked if isinstance(value, (str, bytes))}
    from reprlib import Repr

    from encconf.shape.redact import MARK

    short = Repr()
    short.maxstring = short.maxother = 240
    short.maxdict = short.maxlist = short.maxtuple = short.maxset = 20
    lines = [f"{short.repr(left)} {op} {short.repr(right)}"]
    if op == "==":
        places: list[str] = []
        _differences("", left, right, places, short.repr)
        lines += places[:_LINES] + [f"... and {len(places) - _LINES} more"] * (len(places) > _LINES)
    lines.append("(values from encrypted files are masked)")
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _TELLING:
            lines[:-1] = [line.replace(secret, MARK) for line in lines[:-1]]
    return lines


def _text(value: str | bytes) -> str:
    """Return a masked value as the repr of an ordinary one has it."""
    return str.__repr__(value)[1:-1] if isinstance(value, str) else bytes.__repr__(value)[2:-1]


def _differences(place: str, left: object, right: object, lines: list[str], short: Any) -> None:
    """Add a line for each place where two values differ."""
    if len(lines) > 1000 or left is right:
        return
    ours, theirs = ({} if isinstance(side, (str, bytes)) else _members(side) for side in (left, right))
    if type(left) is not type(right) or not (ours or theirs):
        if place and left != right:
            lines.append(f"{place}: {short(left)} != {short(right)}")
        return
    for key in {**ours, **theirs}:
        inner = f"{place}[{key!r}]"
        if key not in ours or key not in theirs:
            lines.append(f"{inner}: only on the {'left' if key in ours else 'right'}")
        else:
            _differences(inner, ours[key], theirs[key], lines, short)
