"""What succeeds and what fails leaves no cycles of objects behind.

Until a collection, they would keep plaintext and keys in memory, and more of them with each file.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable

import pytest
from engine import credentials, rule, with_members
from oracle import AgeKey

from encconf import api
from encconf.errors import KeyAccessError, MacError, ParseError

TEXTS = {
    "yaml": "a: {b: x, c: [y, z]} # d\nk: v\nl: |\n  t\n",
    "json": '{"a": {"b": [1, "x"]}}\n',
    "dotenv": "A=1\n# c\nB='x'\n",
    "ini": "[a]\nb = c\n; d\n",
    "toml": "a = 1\n[b]\nc = 'x' # d\n",
    "binary": "x\n",
}
KEY = AgeKey.generate()
OURS = credentials(KEY)


def _cycles(call: Callable[[], object], fails: type[Exception] | None = None) -> Counter[str]:
    """Return how many objects of which types a call leaves behind that only a collection finds."""

    def run() -> None:
        try:
            call()
        except Exception as error:
            if fails is None or not isinstance(error, fails):
                raise
        else:
            assert fails is None

    run()  # the first call imports modules
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        run()
        gc.collect()
        return Counter(type(each).__name__ for each in gc.garbage)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()


@pytest.mark.parametrize("format", TEXTS)
def test_no_cycles_are_left(format: str) -> None:
    text = TEXTS[format]
    sealed = api.encrypt(text, rule(KEY), format=format)
    assert not _cycles(lambda: api.encrypt(text, rule(KEY), format=format))
    assert not _cycles(lambda: api.decrypt(sealed, credentials=OURS, format=format))
    assert not _cycles(lambda: api.inspect(sealed, format=format))
    if format != "binary":
        assert not _cycles(lambda: api.loads(sealed, credentials=OURS, format=format))


@pytest.mark.parametrize("format", TEXTS)
def test_errors_leave_no_cycles(format: str) -> None:
    sealed = api.encrypt(TEXTS[format], rule(KEY), format=format)
    forged = with_members(sealed, format, {"lastmodified": "2020-01-01T00:00:00Z"})
    others = credentials(AgeKey.generate())
    assert not _cycles(lambda: api.decrypt(sealed, credentials=others, format=format), KeyAccessError)
    assert not _cycles(lambda: api.decrypt(forged, credentials=OURS, format=format), MacError)


@pytest.mark.parametrize(
    ("format", "text"), [("yaml", "a: ["), ("json", '{"a": ['), ("dotenv", "A=1\nb"), ("ini", "[a]\nb=c\n[d")]
)
def test_a_text_that_cannot_be_read_leaves_no_cycles(format: str, text: str) -> None:
    """TOML's leaves and their tables refer to each other until the text has been read."""
    assert not _cycles(lambda: api.encrypt(text, rule(KEY), format=format), ParseError)
