"""How often a text is read for one change.  These numbers may go down, not up."""

from __future__ import annotations

from collections.abc import Callable

import engine
import pytest
from engine import credentials, rule
from oracle import AgeKey

from encconf import api, formats
from encconf.engine import changes
from encconf.git import merge as git
from encconf.merge import merge

TEXTS = {
    "yaml": "a: 1\nb: x # c\nd: 2\ne: 3\nf: 4\ng: 5\n",
    "json": '{\n  "a": 1,\n  "b": "x",\n  "d": 2,\n  "e": 3\n}\n',
    "toml": 'a = 1\nb = "x"\nd = 2\ne = 3\n',
    "dotenv": "a=1\nb=x\nd=2\ne=3\n",
}


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch, format: str) -> Callable[[Callable[[], object]], int]:
    count = [0]
    module = formats.get(format)
    scan = module.scan

    def counted(*args: object, **options: object) -> object:
        count[0] += 1
        return scan(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "scan", counted)

    def of(call: Callable[[], object]) -> int:
        count[0] = 0
        call()
        return count[0]

    return of


@pytest.mark.parametrize("format", TEXTS)
def test_plain_texts(format: str, scans: Callable[[Callable[[], object]], int]) -> None:
    base = TEXTS[format]
    one, two, other = (
        changes.put(base, (key,), value, format=format) for key, value in (("b", "y"), ("e", 7), ("b", "z"))
    )
    assert scans(lambda: changes.put(base, ("b",), "y", format=format)) == 2
    assert scans(lambda: changes.drop(base, ("b",), format=format)) == 2
    assert scans(lambda: merge(base, one, two, format=format)) == 4
    assert scans(lambda: merge(base, one, other, format=format)) == 5


@pytest.mark.parametrize("format", TEXTS)
def test_encrypted_texts(format: str, scans: Callable[[Callable[[], object]], int], age_key: AgeKey) -> None:
    creds = credentials(age_key)

    def change(text: str, key: str, value: str) -> str:
        return engine.change(text, format, ((key,), value), credentials=creds)

    base = api.encrypt(TEXTS[format], rule(age_key), format=format, credentials=creds)
    one, two, other = change(base, "b", "y"), change(base, "e", "7"), change(base, "b", "z")
    assert scans(lambda: change(base, "b", "y")) <= 3
    for theirs, most in ((two, 8), (other, 10)):
        assert scans(lambda: git.merge(base, one, theirs, format=format, credentials=creds)) <= most  # noqa: B023
