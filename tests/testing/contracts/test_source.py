"""The contract of sources notices what is wrong with a source; what passes it is in tests/plugins."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from encconf import sources
from encconf.errors import SourceError
from encconf.identities.credentials import Credentials
from encconf.sources import Probe, Uri
from encconf.testing import TestKey
from encconf.testing.contracts.source import WHOLE, Place, WritableSourceContract

from .flawed import holds, names_in

VALUE = b"s3cret-of-a-drawer"


class Drawer(ModuleType):
    """A source ``drawer:`` that is a dict, in order; its flawed relatives are below."""

    QUERY = ()

    def __init__(self) -> None:
        super().__init__("drawer_of_a_test")
        self.content = {"one": VALUE, "tree": WHOLE.encode()}

    def fetch(self, uri: Uri, credentials: Credentials) -> bytes:
        if uri.path == "locked":
            raise SourceError("it is locked", reason="denied", hint="unlock it")
        if uri.path not in self.content:
            raise SourceError("there is no such thing", reason="missing", hint="look again")
        return self.content[uri.path]

    def store(self, uri: Uri, value: bytes, credentials: Credentials, *, replace: bool) -> None:
        if uri.path in self.content and not replace:
            raise sources.exists_error()
        self.content[uri.path] = value

    def probe(self, credentials: Credentials) -> Probe:
        return Probe(True)


class Talkative(Drawer):
    def fetch(self, uri: Uri, credentials: Credentials) -> bytes:
        value = super().fetch(uri, credentials)
        logging.getLogger("drawer").debug("found %s", value.decode())
        return value


class TalkativeToThePerson(Drawer):
    def fetch(self, uri: Uri, credentials: Credentials) -> bytes:
        value = super().fetch(uri, credentials)
        credentials.say(f"found {value.decode()}")
        return value


class QuotesASecret(Drawer):
    def fetch(self, uri: Uri, credentials: Credentials) -> bytes:
        try:
            return super().fetch(uri, credentials)
        except SourceError as error:
            raise SourceError(f"only {VALUE.decode()} is there", reason=error.reason, hint="x") from None


class OfOneReason(Drawer):
    def fetch(self, uri: Uri, credentials: Credentials) -> bytes:
        try:
            return super().fetch(uri, credentials)
        except SourceError as error:
            raise SourceError(error.message, hint=error.hint) from None


class Overwrites(Drawer):
    def store(self, uri: Uri, value: bytes, credentials: Credentials, *, replace: bool) -> None:
        super().store(uri, value, credentials, replace=True)


class LosesLineBreaks(Drawer):
    def store(self, uri: Uri, value: bytes, credentials: Credentials, *, replace: bool) -> None:
        super().store(uri, value.strip(), credentials, replace=replace)


class ShowsItInAProbe(Drawer):
    def probe(self, credentials: Credentials) -> Probe:
        return Probe(True, VALUE.decode())


class NeverUsable(Drawer):
    def probe(self, credentials: Credentials) -> Probe:
        return Probe(False)


class Trims(Drawer):
    def fetch(self, uri: Uri, credentials: Credentials) -> bytes:
        value = super().fetch(uri, credentials)
        return value[:-1] if uri.path == "one" else value


FLAWS: dict[type[Drawer], set[str]] = {
    Talkative: {"test_nothing_is_logged_and_nothing_said"},
    TalkativeToThePerson: {"test_nothing_is_logged_and_nothing_said"},
    QuotesASecret: {"test_an_error_says_why_and_no_secret"},
    OfOneReason: {"test_an_error_says_why_and_no_secret"},
    Overwrites: {"test_nothing_is_overwritten_unless_asked_for"},
    LosesLineBreaks: {"test_any_bytes_are_kept_or_refused"},
    ShowsItInAProbe: {"test_whether_it_can_be_used_here"},
    NeverUsable: {"test_whether_it_can_be_used_here", "test_a_probe_fails_in_a_report_and_soon"},
    Trims: {"test_the_value_is_had"},
}


class Contract(WritableSourceContract):
    SCHEME = "drawer"
    REASONS = frozenset({"missing", "denied"})


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Callable[..., dict[str, Any]]:
    """Gives the fixtures and parameters of the contract for a source, which the table has from then on."""

    def made(source: Drawer) -> dict[str, Any]:
        monkeypatch.setitem(sys.modules, source.__name__, source)
        monkeypatch.setitem(sources.TABLE, "drawer", sources.Row(source.__name__))
        failing = {"missing": "drawer:nothing", "denied": "drawer:locked"}
        return {
            "place": Place("drawer:one", VALUE, lambda: Credentials({})),
            "structured": "drawer:tree",
            "vals": "ref+drawer://one",
            "failing": lambda reason: (failing[reason], Credentials({})),
            "own_key": TestKey.generate(),
            "patient": None,
            "fresh": "drawer:new",
            "reason": "denied",
            "caplog": caplog,
            "monkeypatch": monkeypatch,
        }

    return made


def failed_with(kind: type[Drawer], given: Callable[..., dict[str, Any]]) -> set[str]:
    """The tests that fail; each has a source of its own."""
    return {name for name in names_in(Contract) if not holds(Contract, name, given(kind()))}


def test_a_source_without_a_flaw(given: Callable[..., dict[str, Any]]) -> None:
    assert failed_with(Drawer, given) == set()


@pytest.mark.parametrize("kind", FLAWS)
def test_each_flaw_is_noticed(kind: type[Drawer], given: Callable[..., dict[str, Any]]) -> None:
    assert failed_with(kind, given) >= FLAWS[kind]


def test_a_source_that_answers_too_late(
    given: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(Drawer):
        def probe(self, credentials: Credentials) -> Probe:
            time.sleep(5)
            return Probe(True)

    monkeypatch.setattr(sources, "PROBE_LIMIT", 0.1)
    assert not holds(Contract, "test_whether_it_can_be_used_here", given(Slow()))


def test_one_that_says_it_can_be_written_and_cannot(given: Callable[..., dict[str, Any]]) -> None:
    source = Drawer()
    holder: Any = ModuleType(source.__name__)
    holder.QUERY, holder.fetch, holder.probe = (), source.fetch, source.probe
    assert not holds(Contract, "test_it_can_be_written_or_says_that_it_cannot", given(holder))


def test_all_that_can_be_seen_of_an_error(tmp_path: Path) -> None:
    from encconf.testing.contracts.source import failure, shown

    error = failure(f"file:{tmp_path}/nothing", Credentials({}))
    for text in (error.message, str(error.hint), "SourceError", "reason"):
        assert text in shown(error)
