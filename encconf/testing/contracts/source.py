"""What every source must do.  Subclass the contract, define the fixtures, and add tests.

``place`` is an existing secret that its credentials may read and write.  ``structured`` is the address of
another secret, which is `TREE` as JSON.  ``vals`` is the address of the first one, in the syntax of vals.
``failing`` takes a reason, and returns an address and credentials for which fetching fails for that reason,
with `PATIENCE` as their time limit.  ``REASONS`` are the reasons that it accepts.  For a source that can be
written, subclass `WritableSourceContract`: ``fresh`` is an address without a secret.
"""

from __future__ import annotations

import json
import logging
import time
import traceback
from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import ClassVar

import pytest

from encconf import api, sources
from encconf.errors import KeyAccessError, SourceError
from encconf.identities.credentials import Credentials
from encconf.sources.references import Resolve
from encconf.testing import TestKey

Failing = Callable[[str], tuple[str, Credentials]]

TREE = {"user": "alice", "password": "pa55-of-a-field", "n": 1.10, "deep": {"list": ["x", "y-of-a-list"]}}
WHOLE = '{"user":"alice","password":"pa55-of-a-field","n":1.10,"deep":{"list":["x","y-of-a-list"]}}'
PATIENCE = 1.0  # seconds
FIRST, SECOND = b"first-value", "sécond-value".encode()
EVERY_REASON = ("missing", "denied", "expired", "unreachable", "slow", "wrong", "unusable")


class Place:
    """The address of a secret, its value, credentials for it, and other texts that must never be shown."""

    def __init__(
        self,
        address: str,
        value: bytes,
        credentials: Callable[[], Credentials],
        secrets: Sequence[str] = (),
    ) -> None:
        self.address = address
        self.value = value
        self.credentials = credentials
        self.secrets = [value.decode(), "pa55-of-a-field", "y-of-a-list", *secrets]
        self.secrets.append(b64encode(value).decode())  # the form in Google's JSON


def failure(address: str, credentials: Credentials) -> SourceError:
    """Return the error that fetching raises."""
    with pytest.raises(SourceError) as caught:
        sources.fetch(address, credentials)
    return caught.value


def shown(error: BaseException) -> str:
    """Return everything that can be shown of an error."""
    lines = traceback.format_exception(error)
    return f"{error!r} {error} {getattr(error, 'hint', '')} {vars(error)} {''.join(lines)}"


def heard(caplog: pytest.LogCaptureFixture) -> str:
    """Return everything that was logged: the texts, and the attributes for structured logs."""
    return "\n".join([caplog.text, *(repr(vars(record)) for record in caplog.records)])


class SourceContract:
    """The tests of one scheme."""

    SCHEME: ClassVar[str]
    REASONS: ClassVar[frozenset[str]]

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if "reason" in metafunc.fixturenames:
            metafunc.parametrize("reason", sorted(self.REASONS))

    @property
    def mark(self) -> str:
        """The mark before a field in an address."""
        return " #" if self.SCHEME == "cmd" else "#"

    @pytest.fixture
    def own_key(self) -> TestKey:
        """A new key, for files that refer to the source."""
        return TestKey.generate()

    @pytest.fixture
    def patient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Give a probe more time, for a busy machine."""
        monkeypatch.setattr(sources, "PROBE_LIMIT", 60.0)

    def test_the_value_is_had(self, place: Place, vals: str) -> None:
        credentials = place.credentials()
        assert sources.fetch(place.address, credentials) == place.value
        assert sources.fetch_text(place.address, credentials) == place.value.decode()
        assert sources.fetch(f"ref+{place.address}", credentials) == place.value
        assert sources.fetch(vals, place.credentials()) == place.value

    def test_fields(self, place: Place, structured: str) -> None:
        credentials = place.credentials()
        for field, value in {
            "user": "alice",
            "/password": "pa55-of-a-field",
            "n": "1.10",
            "deep/list/1": "y-of-a-list",
            "deep": '{"list":["x","y-of-a-list"]}',
        }.items():
            found = sources.fetch_text(f"{structured}{self.mark}{field}", credentials)
            # Each source spells JSON in its own way.
            same = json.loads(found) == json.loads(value) if value[0] in "{1" else found == value
            assert same, field
        error = failure(f"{structured}{self.mark}passwort", credentials)
        assert (error.reason, error.message) == ("missing", "the secret has no field passwort")

    def test_one_call_for_each_secret(
        self, place: Place, structured: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        module = sources.module(self.SCHEME)
        fetch, fetched = module.fetch, []

        def noted(uri: sources.Uri, credentials: Credentials) -> bytes:
            fetched.append(uri)
            return fetch(uri, credentials)

        monkeypatch.setattr(module, "fetch", noted)
        credentials = place.credentials()
        fields = ["user", "password", "deep/list/0", "user"]
        found = [sources.fetch(f"{structured}{self.mark}{field}", credentials) for field in fields]
        assert found == [b"alice", b"pa55-of-a-field", b"x", b"alice"]
        assert len(fetched) == 1
        sources.fetch(f"{structured}{self.mark}user", place.credentials())  # new credentials ask again
        assert len(fetched) == 2

    def test_an_error_says_why_and_no_secret(
        self, place: Place, failing: Failing, reason: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        address, credentials = failing(reason)
        caplog.set_level(logging.DEBUG)
        begun = time.monotonic()
        error = failure(address, credentials)
        assert time.monotonic() - begun < 15
        assert error.reason == reason, error
        assert error.file
        assert error.file.startswith(f"{self.SCHEME}:")
        assert error.message
        assert error.hint
        for text in (shown(error), heard(caplog), repr(sources.parse(address)), repr(credentials)):
            for secret in place.secrets:
                assert secret not in text

    def test_nothing_is_logged_and_nothing_said(
        self, place: Place, structured: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """This includes what SDKs log at the level DEBUG."""
        caplog.set_level(logging.DEBUG)
        said: list[str] = []
        credentials = place.credentials()
        credentials.notify = said.append
        sources.fetch(place.address, credentials)
        sources.fetch(f"{structured}{self.mark}password", credentials)
        for text in (heard(caplog), *said, repr(credentials), repr(sources.parse(place.address))):
            for secret in place.secrets:
                assert secret not in text

    def test_it_can_be_written_or_says_that_it_cannot(self, place: Place) -> None:
        writable = isinstance(self, WritableSourceContract)
        assert (self.SCHEME in sources.writable()) is writable
        if not writable:
            with pytest.raises(SourceError, match=f"{self.SCHEME}: can only be read"):
                sources.store(place.address, b"x", place.credentials())

    def test_a_secret_that_opens_no_file_is_not_shown(self, place: Place, own_key: TestKey) -> None:
        sealed = own_key.encrypt({"a": "b"}, format="json")
        own = place.credentials()
        environ = {**own.environ, "ENCCONF_IDENTITY": place.address}
        with pytest.raises(KeyAccessError) as caught:
            api.loads(sealed, format="json", credentials=Credentials(environ, home=own.home))
        assert not [secret for secret in place.secrets if secret in shown(caught.value)]

    def test_a_value_of_a_file_can_refer_to_it(self, place: Place, own_key: TestKey) -> None:
        address = place.address if self.SCHEME == "cmd" else place.address.replace(" ", "%20")
        sealed = own_key.encrypt({"a": [f"ref+{address}"]}, format="json")
        own = place.credentials()
        environ = {**own.environ, "SOPS_AGE_KEY": own_key.identity}
        credentials = Credentials(environ, home=own.home)
        allowed = Resolve(schemes=[self.SCHEME])
        loaded = api.loads(sealed, format="json", credentials=credentials, resolve=allowed)
        assert loaded == {"a": [place.value.decode()]}

    def test_whether_it_can_be_used_here(self, place: Place, patient: None) -> None:
        found = sources.probe(self.SCHEME, place.credentials())
        assert found.usable, found
        for secret in place.secrets:
            assert secret not in repr(vars(found))

    def test_a_probe_fails_in_a_report_and_soon(self, place: Place, failing: Failing, reason: str) -> None:
        """The probe says what is missing.  It cannot find errors that only one secret shows."""
        _, credentials = failing(reason)
        begun = time.monotonic()
        found = sources.probe(self.SCHEME, credentials)
        assert time.monotonic() - begun < sources.PROBE_LIMIT + 5
        assert found.usable or found.missing
        for secret in place.secrets:
            assert secret not in repr(vars(found))


class WritableSourceContract(SourceContract):
    """The tests of one scheme whose secrets can be written."""

    BYTES: ClassVar[bool] = True  # whether it stores any bytes, and not only text
    FIELDS: ClassVar[bool] = False  # whether its secrets are always fields

    def test_nothing_is_overwritten_unless_asked_for(
        self, place: Place, fresh: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        credentials = place.credentials()
        assert failure(fresh, credentials).reason == "missing"
        sources.store(fresh, FIRST, credentials)
        assert sources.fetch(fresh, credentials) == FIRST  # the credentials do not cache the old state
        with pytest.raises(SourceError, match="was not changed") as caught:
            sources.store(fresh, SECOND, credentials)
        assert "-value" not in shown(caught.value)
        sources.store(fresh, FIRST, credentials)  # nothing changes
        assert sources.fetch(fresh, place.credentials()) == FIRST
        sources.store(fresh, SECOND, credentials, replace=True)
        assert sources.fetch(fresh, place.credentials()) == SECOND
        for secret in ("-value", b64encode(FIRST).decode(), b64encode(SECOND).decode()):
            assert secret not in heard(caplog)

    def test_a_field_is_put_beside_the_others(
        self, place: Place, fresh: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        fresh = fresh.partition("#")[0]
        sources.store(f"{fresh}#a", b"first-value", place.credentials())
        sources.store(f"{fresh}#b", b"second-value", place.credentials())
        with pytest.raises(SourceError, match="field b already"):
            sources.store(f"{fresh}#b", b"third-value", place.credentials())
        sources.store(f"{fresh}#b", b"second-value", place.credentials())
        sources.store(f"{fresh}#b", b"third-value", place.credentials(), replace=True)
        whole = sources.fetch(fresh, place.credentials())
        assert json.loads(whole) == {"a": "first-value", "b": "third-value"}
        assert "-value" not in heard(caplog)

    def test_any_bytes_are_kept_or_refused(self, place: Place, fresh: str) -> None:
        data = b"\xff\x00bytes-of-a-key\n\r\n"
        if self.BYTES and not self.FIELDS:
            sources.store(fresh, data, place.credentials())
            assert sources.fetch(fresh, place.credentials()) == data
            with pytest.raises(SourceError, match="is not UTF-8 text"):
                sources.fetch_text(fresh, place.credentials())
            assert len(sources.fetch_text(f"{fresh}?encode=base64", place.credentials())) == 28
            return
        with pytest.raises(SourceError, match="not UTF-8") as caught:
            sources.store(fresh, data, place.credentials())
        assert "bytes-of" not in shown(caught.value)
        assert "decode=base64" in str(caught.value.hint)
        before, mark, field = fresh.partition("#")
        coded = f"{before}?decode=base64{mark}{field}"
        sources.store(coded, data, place.credentials())
        assert sources.fetch(coded, place.credentials()) == data

    def test_it_can_hold_the_key_that_opens_a_file(self, place: Place, own_key: TestKey, fresh: str) -> None:
        sealed = own_key.encrypt({"a": "b"}, format="json")
        own = place.credentials()
        sources.store(fresh, f"# a comment\n{own_key.identity}\n".encode(), own)
        environ = {**own.environ, "ENCCONF_IDENTITY": fresh}
        credentials = Credentials(environ, home=own.home)
        assert api.loads(sealed, format="json", credentials=credentials) == {"a": "b"}
