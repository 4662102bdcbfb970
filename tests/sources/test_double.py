"""What `fetch` and `store` do with any source, shown with one that is a dict: the judge is a dict, too."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable
from itertools import product
from types import ModuleType, SimpleNamespace

import pytest

from encconf import plugins, sources
from encconf.errors import (
    ExistsError,
    PluginError,
    SourceError,
    UnavailableError,
)
from encconf.identities.credentials import Credentials
from encconf.sources import Uri
from encconf.testing.contracts.source import failure


class Double(ModuleType):
    """A source whose secrets are in a dict.  With ``OWN_FIELDS``, fields have names of their own there."""

    QUERY = ("version",)

    def __init__(self, *, own_fields: bool) -> None:
        super().__init__("double_of_sources")
        self.held: dict[str, bytes] = {}
        self.asked: list[tuple[str, float]] = []
        self.OWN_FIELDS = own_fields
        self.error: UnavailableError | None = None

    def _name(self, uri: Uri) -> str:
        return f"{uri.path}#{uri.field}" if self.OWN_FIELDS and uri.field else uri.path

    def fetch(self, uri: Uri, credentials: Credentials) -> bytes:
        self.asked.append((uri.label, credentials.timeout))
        if self.error is not None:
            raise self.error
        if self.OWN_FIELDS and uri.field:
            return json.dumps({uri.field: self._found(uri).decode()}).encode()
        return self._found(uri)

    def _found(self, uri: Uri) -> bytes:
        try:
            return self.held[self._name(uri)]
        except KeyError:
            raise SourceError("it is not there", reason="missing", hint="store it") from None

    def store(self, uri: Uri, value: bytes, credentials: Credentials, *, replace: bool) -> None:
        if self._name(uri) in self.held and not replace:
            raise sources.exists_error()
        self.held[self._name(uri)] = value

    def probe(self, credentials: Credentials) -> sources.Probe:
        return sources.Probe(True, who=f"{credentials.timeout}")


@pytest.fixture(params=[False, True], ids=["whole secrets", "own fields"])
def double(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Double:
    made = Double(own_fields=request.param)
    monkeypatch.setitem(sys.modules, made.__name__, made)
    monkeypatch.setitem(sources.TABLE, "double", sources.Row(made.__name__))
    return made


def outcome(act: Callable[[], object]) -> object:
    """What a function returns, or the class of what it raises."""
    try:
        return act()
    except SourceError as error:
        return "exists" if "and was not changed" in error.message or "it was not" in error.message else error


@pytest.mark.parametrize(
    "held", [None, b"one", b'{"a": "one"}', b'{"a": "two", "b": "one"}', b'{"b": "one"}']
)
@pytest.mark.parametrize("value", [b"one", b"two", b'{"a": "one"}'])
@pytest.mark.parametrize(
    "address", ["double:x", "double:x#a", "double:x?decode=base64", "double:x?decode=base64#a"]
)
@pytest.mark.parametrize("replace", [False, True])
def test_storing_is_that_of_a_dict(
    double: Double, held: bytes | None, value: bytes, address: str, replace: bool
) -> None:
    """Another value is not overwritten without ``replace``; other fields are kept; the same value is fine."""
    credentials = Credentials({})
    written = base64.b64encode(value) if "decode" in address else value
    in_json = "#" in address and not double.OWN_FIELDS
    name = "x#a" if "#" in address and double.OWN_FIELDS else "x"
    if held is not None:
        double.held[name] = held
        outcome(lambda: sources.fetch("double:x", credentials))  # it is known, and asked for again below
        outcome(lambda: sources.fetch(address, credentials))
    wanted = dict(double.held)
    done = outcome(lambda: sources.store(address, value, credentials, replace=replace))
    if in_json:
        tree = {} if held is None else json.loads(held) if held.startswith(b"{") else None
        if tree is None:
            assert isinstance(done, SourceError)
        elif "a" in tree and tree["a"] != written.decode() and not replace:
            assert done == "exists"
        else:
            assert done is None
            assert json.loads(double.held["x"]) == {**tree, "a": written.decode()}
            assert sources.fetch(address, credentials) == value
            return
    elif held is not None and held != written and not replace:
        assert done == "exists"
    else:
        assert done is None
        assert double.held == {**wanted, name: written}
        assert sources.fetch(address, credentials) == value
        return
    assert double.held == wanted


@pytest.mark.parametrize("reason", ["denied", "expired", "unreachable", "slow", "wrong", "unusable"])
def test_nothing_is_written_where_it_is_not_known_what_is_there(reason: str) -> None:
    double = Double(own_fields=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, double.__name__, double)
        patch.setitem(sources.TABLE, "double", sources.Row(double.__name__))
        double.error = SourceError("no", reason=reason, hint="ask")
        with pytest.raises(SourceError) as caught:
            sources.store("double:x#a", b"one", Credentials({}))
        assert (caught.value.reason, caught.value.hint, caught.value.file) == (reason, "ask", "double:x#a")
        assert double.held == {}
        with pytest.raises(SourceError):
            sources.refuse_existing(lambda: double.fetch(Uri("double", "x"), Credentials({})))
        double.error = None
        sources.refuse_existing(lambda: double.fetch(Uri("double", "x"), Credentials({})))
        double.held["x"] = b""
        with pytest.raises(ExistsError):
            sources.refuse_existing(lambda: double.fetch(Uri("double", "x"), Credentials({})))


def test_a_secret_is_known_until_it_is_stored(double: Double) -> None:
    credentials = Credentials({})
    double.held["x"] = b"one"
    assert [sources.fetch(address, credentials) for address in ("double:x", Uri("double", "x"))] == [
        b"one"
    ] * 2
    assert len(double.asked) == 1
    sources.store(Uri("double", "x"), b"two", credentials, replace=True)
    assert sources.fetch("double:x", credentials) == b"two"
    with pytest.raises(SourceError, match="exists and was not changed"):
        sources.store("double:x", b"three", credentials)
    double.held["x"] = b"four"  # another program
    assert sources.fetch("double:x", credentials) == b"four"


def test_the_parameters_of_the_source_make_another_secret(double: Double) -> None:
    double.held["x"] = b"one\n"
    credentials = Credentials({})
    addresses = [
        "double:x",
        "double:x?trim_nl=true",
        "double:x?version=1",
        "double:x?version=2",
        "double:%78",
    ]
    assert {sources.fetch(address, credentials) for address in addresses} == {b"one\n", b"one"}
    assert len(double.asked) == 4


def test_a_terminal_shows_what_is_waited_for(double: Double, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only for servers, and until they have answered, or failed."""
    shown: list[str] = []

    def watch(label: str) -> Callable[[], None]:
        shown.append(label)
        return lambda: shown.append("done")

    credentials = Credentials({})
    credentials.watch = watch
    double.held["x"] = b"one"
    assert sources.fetch("double:x", credentials) == b"one"
    assert shown == []
    monkeypatch.setattr(sources, "ASKED", ("double",))
    assert sources.fetch("double:x", Credentials({})) == b"one"
    assert shown == []
    assert sources.fetch("double:x?version=1", credentials) == b"one"
    assert shown == ["double:x", "done"]
    failure("double:y", credentials)
    assert shown == ["double:x", "done", "double:y", "done"]


def test_a_probe_waits_less_than_it_may_take(double: Double) -> None:
    for timeout in (0.5, 1, 300):
        found = sources.probe("double", Credentials({}, timeout=timeout))
        assert float(found.who or 0) == min(timeout, sources.PROBE_LIMIT * 0.8)


def test_a_probe_that_fails() -> None:
    def fail(error: Exception) -> Callable[[], sources.Probe]:
        def look() -> sources.Probe:
            raise error

        return look

    for error, wanted in (
        (SourceError("no credentials", hint="log in"), (False, None, ["credentials"], "log in")),
        (UnavailableError("nobody"), (False, None, ["nobody"], "")),
        (ZeroDivisionError(), (False, None, ["an answer: its library failed (ZeroDivisionError)"], "")),
    ):
        found = sources.in_time(fail(error))
        assert (found.usable, found.who, found.missing, found.note) == wanted
    assert sources.in_time(lambda: sources.Probe(True)).usable


def test_which_sources_may_run_a_program() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sources.TABLE, "plugged", sources.Row("package_of_others.module", runs_program=True))
        wanted = {"cmd", "plugged", "nobody"}
        for scheme in (*sources.TABLE, *sources.ALIASES, "nobody"):
            for address in (f"{scheme}:x", f"ref+{scheme}://x", f"{scheme.upper()}:x"):
                assert sources.may_run_program(address) == (scheme in wanted), address


PARTS = ("__name__", "QUERY", "fetch", "probe")


def test_what_a_plug_in_must_have(monkeypatch: pytest.MonkeyPatch) -> None:
    for count, have in enumerate(product([False, True], repeat=4)):
        scheme = f"plugged{count}"
        found = SimpleNamespace(**{part: "x" for part, has in zip(PARTS, have, strict=True) if has})
        monkeypatch.setattr(plugins, "load", lambda group, name, found=found: (group, name) and found)
        if all(have):
            assert sources.is_known(scheme)
            made = sources.TABLE.pop(scheme)
            assert (made.module, made.runs_program, made.asked) == ("x", True, False)
        else:
            with pytest.raises(SourceError) as caught:
                sources.is_known(scheme)
            assert caught.value.reason == "unusable"
            assert scheme not in sources.TABLE
    asked: list[object] = []

    def none(*words: object) -> None:
        asked.append(words)

    monkeypatch.setattr(plugins, "load", none)
    assert not sources.is_known("nothing")
    assert sources.is_known("env")
    assert asked == [(plugins.SOURCES, "nothing")]
    for use in (sources.parse, lambda _: sources.module("nothing")):
        with pytest.raises(SourceError, match="nothing is not a source"):
            use("nothing:x")

    def broken(*words: object) -> None:
        raise PluginError("it is broken", hint="mend it")

    monkeypatch.setattr(plugins, "load", broken)
    with pytest.raises(SourceError, match="it is broken") as caught:
        sources.is_known("nothing")
    assert (caught.value.reason, caught.value.hint) == ("unusable", "mend it")


def test_addresses_are_equal_if_all_of_them_is() -> None:
    texts = ["env:A", "env:B", "file:A", "env:A#b", "env:A?trim_nl=true", "env:A?trim_nl=false", "env://A"]
    uris = [sources.parse(text) for text in texts]
    for one, text in zip(uris, texts, strict=True):
        assert [other == one for other in uris] == [other == text for other in texts]
        assert {one: text}[sources.parse(text)] == text
        assert one != text
        assert repr(one) == f"Uri({one.label!r})"
    assert sources.parse("env:A?optional=true&trim_nl=true") == sources.parse(
        "env:A?trim_nl=true&optional=true"
    )


@pytest.mark.parametrize("version", ["", "3", "30", "x", "3x", "³", "-1", "٣", " 3"])
def test_the_version_of_a_secret(version: str) -> None:
    uri = Uri("vault", "x", {"version": version})
    if version in ("", "3", "30"):
        assert sources.version_in(uri, "secret") == version
    else:
        with pytest.raises(SourceError, match="a version of a secret is a number"):
            sources.version_in(uri, "secret")
    assert sources.version_in(Uri("vault", "x"), "secret") == ""


def test_the_settings_of_a_source() -> None:
    assert sources.variable({"A": " x "}, "A", "set it") == "x"
    for environ in ({}, {"A": ""}, {"A": "  "}):
        with pytest.raises(SourceError) as caught:
            sources.variable(environ, "A", "set it")
        assert (caught.value.message, caught.value.reason, caught.value.hint) == (
            "A is unset",
            "unusable",
            "set it",
        )
    assert sources.as_text("ä".encode(), "it") == "ä"
    with pytest.raises(SourceError, match="it keeps text, and this is not UTF-8"):
        sources.as_text(b"\xff", "it")
    assert sources.fetch_text("env:A", Credentials({"A": "ä"})) == "ä"
    with pytest.raises(SourceError, match="the value is not UTF-8 text") as caught:
        sources.fetch_text("env:A?decode=base64", Credentials({"A": "/w=="}))
    assert caught.value.file == "env:A"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), ("a\r", "a\r"), ("a", "a"), ("\n", ""), ("", ""),
        ("a\n\r", "a\n\r"), ("a\x0b", "a\x0b"), ("a\x0c\n", "a\x0c"),
    ],
)  # fmt: skip
def test_one_line_break_at_the_end(text: str, value: str) -> None:
    assert sources.without_line_break(text.encode()) == value.encode()


@pytest.mark.parametrize(
    ("rest", "wanted"),
    [
        ("a b", ("a b", None)),
        (" a ", ("a", None)),
        ("a #b", ("a", "b")),
        ("a  #/b/c", ("a", "b/c")),
        ("a\n#b", ("a", "b")),
        ("a #b #c", ("a #b", "c")),
        ("a #", ("a #", None)),
        ("a#b", ("a#b", None)),
        ("a #b c", ("a #b c", None)),
    ],
)
def test_the_field_after_a_command(rest: str, wanted: tuple[str, str | None]) -> None:
    assert sources.command_of(rest) == wanted


def test_percent_signs() -> None:
    """As `urllib` decodes them, but what is not UTF-8 becomes what it is in names of files."""
    from urllib.parse import unquote

    for text in (
        "",
        "a",
        "%",
        "%4",
        "%41",
        "%4g",
        "%g1",
        "%zz%41",
        "%C3%A4",
        "%c3%a4ä",
        "%%41",
        "%2541",
        "%ff",
    ):
        assert sources.unquote(text) == unquote(text, errors="surrogateescape"), text
    assert sources.query_of("a=b&c&&d=e%3Df=g&a=h") == {"a": "h", "c": "", "d": "e=f=g"}
    assert sources.query_of("") == {}


def test_labels() -> None:
    for text, label in (
        ("cmd:login --password x", "cmd:login"),
        ("cmd:login", "cmd:login"),
        ("cmd:a%20b c", "cmd:a%20b"),
        ("file:a b", "file:a b"),
        ("file:a%20b", "file:a b"),
        (f"file:{'x' * 120}", f"file:{'x' * 120}"),
        (f"file:{'x' * 121}", f"file:{'x' * 119}…"),
        (f"file:x#{'y' * 61}", f"file:x#{'y' * 60}"),
        ("file:AGE-SECRET-KEY-1", "file:…"),
    ):
        assert sources.parse(text).label == label
