"""A variable of CyberArk Conjur."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from doubles.cyberark import Conjur, Variable
from doubles.testca import TestCA
from oracle import clean_environ
from sources.machine import without

from encconf import sources
from encconf.errors import SourceError
from encconf.identities.credentials import Credentials
from encconf.testing.contracts.source import (
    PATIENCE,
    WHOLE,
    Failing,
    Place,
    WritableSourceContract,
    failure,
    shown,
)

VALUE = b"s3cret-of-a-safe"


@pytest.fixture
def conjur(ca: TestCA) -> Iterator[Conjur]:
    with Conjur(ca.context()) as double:
        double.keys["host/app"] = "1api-key-of-a-host"
        double.jwts["a-jwt-of-a-test"] = "host/app"
        for name, value in {
            "prod/db password": VALUE,
            "prod/tree": WHOLE.encode(),
            "prod/seen": b"x",
        }.items():
            variable = double.variables[name] = Variable(value)
            variable.read = variable.execute = {"host/app"}
        double.variables["prod/seen"].execute = set()
        double.variables["prod/hidden"] = Variable(b"pa55-that-is-hidden")
        new = double.variables["prod/new"] = Variable()
        new.read = new.execute = new.update = {"host/app"}
        yield double


@pytest.fixture
def settings(conjur: Conjur, ca: TestCA) -> dict[str, str]:
    return {
        "CONJUR_APPLIANCE_URL": conjur.url,
        "CONJUR_ACCOUNT": "acme",
        "CONJUR_AUTHN_LOGIN": "host/app",
        "CONJUR_AUTHN_API_KEY": "1api-key-of-a-host",
        "CONJUR_CERT_FILE": str(ca.bundle),
    }


class TestConjur(WritableSourceContract):
    SCHEME = "conjur"
    REASONS = frozenset({"missing", "denied", "expired", "unreachable", "slow", "wrong", "unusable"})

    @pytest.fixture
    def place(self, settings: dict[str, str]) -> Place:
        secrets = ["1api-key-of-a-host", "pa55-that-is-hidden", "Token token="]
        return Place("conjur:prod/db password", VALUE, lambda: Credentials(settings), secrets)

    @pytest.fixture
    def structured(self) -> str:
        return "conjur:prod/tree"

    @pytest.fixture
    def vals(self) -> str:
        return "ref+conjur://prod/db%20password"

    @pytest.fixture
    def fresh(self) -> str:
        return "conjur:prod/new"

    @pytest.fixture
    def failing(
        self, conjur: Conjur, settings: dict[str, str], silent: str, nobody_there: str, tmp_path: Path
    ) -> Failing:
        db = "conjur:prod/db%20password"

        def expired() -> tuple[str, Credentials]:
            conjur.lifetime = -1
            path = tmp_path / "token"
            path.write_bytes(conjur.token("host/app"))
            return db, Credentials({**settings, "CONJUR_AUTHN_TOKEN_FILE": str(path)})

        slow = {**settings, "CONJUR_APPLIANCE_URL": f"https://{silent}"}
        away = {**settings, "CONJUR_APPLIANCE_URL": f"https://{nobody_there}"}
        return lambda reason: {
            "missing": lambda: ("conjur:prod/hidden", Credentials(settings)),
            "denied": lambda: ("conjur:prod/seen", Credentials(settings)),
            "expired": expired,
            "unreachable": lambda: (db, Credentials(away)),
            "slow": lambda: (db, Credentials(slow, timeout=PATIENCE)),
            "wrong": lambda: (f"{db}?version=x", Credentials(settings)),
            "unusable": lambda: (db, Credentials(without(settings, "CONJUR_ACCOUNT"))),
        }[reason]()

    def test_versions(self, conjur: Conjur, settings: dict[str, str]) -> None:
        conjur.variables["prod/db password"].versions += [b"2", b"\xff\n"]
        address = "conjur:prod/db password"
        assert sources.fetch(address, Credentials(settings)) == b"\xff\n"
        assert sources.fetch(f"{address}?version=1", Credentials(settings)) == VALUE
        assert failure(f"{address}?version=4", Credentials(settings)).reason == "missing"

    def test_a_key_that_is_wrong(self, settings: dict[str, str]) -> None:
        wrong = {**settings, "CONJUR_AUTHN_API_KEY": "1api-key-of-nobody"}
        error = failure("conjur:prod/tree", Credentials(wrong))
        assert (error.reason, error.message) == ("denied", "Conjur refuses the login")
        assert error.hint == "check CONJUR_AUTHN_LOGIN and CONJUR_AUTHN_API_KEY"
        assert "1api-key-of-nobody" not in shown(error)

    def test_a_key_in_a_file(self, settings: dict[str, str], tmp_path: Path) -> None:
        (tmp_path / "key").write_text("1api-key-of-a-host\n")
        by_file = without(settings, "CONJUR_AUTHN_API_KEY")
        by_file["CONJUR_AUTHN_API_KEY_FILE"] = str(tmp_path / "key")
        assert sources.fetch("conjur:prod/db password", Credentials(by_file)) == VALUE
        (tmp_path / "key").unlink()
        error = failure("conjur:prod/db password", Credentials(by_file))
        assert error.reason == "unusable"

    def test_jwt(self, conjur: Conjur, settings: dict[str, str], tmp_path: Path) -> None:
        base = without(settings, "CONJUR_AUTHN_LOGIN", "CONJUR_AUTHN_API_KEY")
        base["CONJUR_AUTHN_JWT_SERVICE_ID"] = "ci/gitlab"
        (tmp_path / "jwt").write_text("a-jwt-of-a-test\n")
        for more in (
            {"CONJUR_AUTHN_JWT_TOKEN": "a-jwt-of-a-test"},
            {"JWT_TOKEN_PATH": str(tmp_path / "jwt")},
            {"CONJUR_AUTHN_JWT_TOKEN": "a-jwt-of-a-test", "CONJUR_AUTHN_JWT_HOST_ID": "host/app"},
        ):
            assert sources.fetch("conjur:prod/db password", Credentials({**base, **more})) == VALUE
        assert conjur.logins() == [
            "POST /authn-jwt/ci%2Fgitlab/acme/authenticate",
            "POST /authn-jwt/ci%2Fgitlab/acme/authenticate",
            "POST /authn-jwt/ci%2Fgitlab/acme/host%2Fapp/authenticate",
        ]
        error = failure("conjur:prod/tree", Credentials({**base, "CONJUR_AUTHN_JWT_TOKEN": "another-jwt"}))
        assert error.reason == "denied"
        assert (
            error.hint
            == "check that the JWT is still valid and that its claims match the host in Conjur's policy"
        )
        assert "another-jwt" not in shown(error)
        error = failure("conjur:prod/tree", Credentials(base))
        assert error.reason == "unusable"
        assert "/var/run/secrets/kubernetes.io/serviceaccount/token" in error.message

    def test_one_login_for_all(self, conjur: Conjur, settings: dict[str, str]) -> None:
        credentials = Credentials(settings)
        conjur.delay = 0.05
        names = ["db password", "tree", "db%20password?version=1", "new", "seen"]
        threads = [
            threading.Thread(target=self._ask, args=(f"conjur:prod/{name}", credentials)) for name in names
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(conjur.logins()) == 1
        assert len(conjur.calls) == 6

    @staticmethod
    def _ask(address: str, credentials: Credentials) -> None:
        with contextlib.suppress(SourceError):  # some may not be had
            sources.fetch(address, credentials)

    def test_a_token_that_is_refused_is_fetched_again(self, conjur: Conjur, settings: dict[str, str]) -> None:
        credentials = Credentials(settings)
        sources.fetch("conjur:prod/tree", credentials)
        conjur.tokens.clear()
        assert sources.fetch("conjur:prod/db password", credentials) == VALUE
        assert len(conjur.logins()) == 2

    def test_an_address_leads_a_login_nowhere_else(self, conjur: Conjur, settings: dict[str, str]) -> None:
        address = f"ref+conjur://prod/tree?address={conjur.url}#/user"
        elsewhere = {**settings, "CONJUR_APPLIANCE_URL": "https://conjur.example.test"}
        error = failure(address, Credentials(elsewhere))
        assert error.reason == "denied"
        assert conjur.calls == []
        allowed = {**elsewhere, "ENCCONF_CONJUR_ALLOWLIST": conjur.url}
        assert sources.fetch(address, Credentials(allowed)) == b"alice"
        whole = "ref+conjur://prod/tree?account=acme&login=host/app&apikey=1api-key-of-a-host#/user"
        bare = without(settings, "CONJUR_ACCOUNT", "CONJUR_AUTHN_LOGIN", "CONJUR_AUTHN_API_KEY")
        assert sources.fetch(whole, Credentials(bare)) == b"alice"
        assert "1api-key" not in repr(sources.parse(whole))
        for url in ("conjur.example.test", "https://me:pw@conjur", "https://conjur/x?y"):
            error = failure("conjur:prod/tree", Credentials({**settings, "CONJUR_APPLIANCE_URL": url}))
            assert error.message == "the address of Conjur is not a plain URL"

    def test_authorities_as_a_text(
        self,
        settings: dict[str, str],
        ca: TestCA,
        tmp_path_factory: pytest.TempPathFactory,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        bare = without(settings, "CONJUR_CERT_FILE")
        by_pem = {**bare, "CONJUR_SSL_CERTIFICATE": f"# Zertifikat für Conjur\n{ca.bundle.read_text()}"}
        assert sources.fetch("conjur:prod/db password", Credentials(by_pem)) == VALUE
        assert (
            sources.fetch("conjur:prod/db password", Credentials({**bare, "SSL_CERT_FILE": str(ca.bundle)}))
            == VALUE
        )
        other = TestCA(tmp_path_factory.mktemp("other-ca")).bundle
        for more in (
            {},
            {"CONJUR_SSL_CERTIFICATE": other.read_text()},
            {"CONJUR_SSL_CERTIFICATE": other.read_text(), "SSL_CERT_FILE": str(ca.bundle)},
            {"CONJUR_CERT_FILE": str(other), "CONJUR_SSL_CERTIFICATE": ca.bundle.read_text()},
        ):
            error = failure("conjur:prod/db password", Credentials({**bare, **more}))
            assert error.reason == "unreachable"
            by_text = "CONJUR_SSL_CERTIFICATE" in more and "CONJUR_CERT_FILE" not in more
            variable = "CONJUR_SSL_CERTIFICATE" if by_text else "CONJUR_CERT_FILE"
            assert error.hint == f"{variable} sets the authority of its certificate"
        for more in ({"CONJUR_CERT_FILE": "/nonexistent"}, {"CONJUR_SSL_CERTIFICATE": "no PEM"}):
            error = failure("conjur:prod/db password", Credentials({**bare, **more}))
            assert error.reason in ("unusable", "unreachable")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(ca.bundle))  # does not outrank the text
        own = {**bare, "CONJUR_SSL_CERTIFICATE": other.read_text()}
        assert failure("conjur:prod/db password", Credentials(own)).reason == "unreachable"
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nonexistent")
        assert sources.fetch("conjur:prod/db password", Credentials(by_pem)) == VALUE

    def test_odd_answers(self, conjur: Conjur, settings: dict[str, str]) -> None:
        for faults, reason in (
            ([302], "wrong"),
            ([500] * 3, "unreachable"),
            ([422], "wrong"),
            ([429] * 3, "unreachable"),
        ):
            conjur.faults = list(faults)
            assert failure("conjur:prod/tree", Credentials(settings)).reason == reason
            assert conjur.faults == []
        with pytest.raises(SourceError) as caught:
            sources.store("conjur:prod/tree", b"x", Credentials(settings), replace=True)
        assert caught.value.reason == "denied"
        for name in ("", "/", "a//b", "a/../b"):
            with pytest.raises(SourceError):
                sources.fetch(f"conjur:{name}", Credentials(settings))

    def test_a_probe_says_with_which_identity(self, settings: dict[str, str], patient: None) -> None:
        found = sources.probe("conjur", Credentials(settings))
        assert (found.usable, found.who) == (True, "host/app")
        found = sources.probe("conjur", Credentials({}))
        assert found.missing == ["CONJUR_APPLIANCE_URL", "CONJUR_ACCOUNT"]


_THEIRS = """
import asyncio, json, sys
from conjur_api import Client
from conjur_api.models import ConjurConnectionInfo, CredentialsData, SslVerificationMode
from conjur_api.providers import AuthnAuthenticationStrategy, SimpleCredentialsProvider

async def main(url, ca, name):
    info = ConjurConnectionInfo(conjur_url=url, account="acme", cert_file=ca)
    provider = SimpleCredentialsProvider()
    provider.save(CredentialsData(username="host/app", api_key="1api-key-of-a-host", machine=url))
    client = Client(
        info,
        authn_strategy=AuthnAuthenticationStrategy(provider),
        ssl_verification_mode=SslVerificationMode.CA_BUNDLE,
    )
    await client.set("prod/new", "set by theirs")
    print(json.dumps([(await client.get(name)).decode(), (await client.whoami())["username"]]))

asyncio.run(main(*sys.argv[1:]))
"""


def test_as_conjur_s_own_client_asks(conjur: Conjur, settings: dict[str, str], ca: TestCA) -> None:
    """In another process, for what it brings with it."""
    command = [sys.executable, "-W", "ignore", "-c", _THEIRS, conjur.url, str(ca.bundle), "prod/db password"]
    done = subprocess.run(
        command, capture_output=True, text=True, env=clean_environ(), check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [VALUE.decode(), "host/app"]
    theirs, conjur.calls = conjur.calls, []
    credentials = Credentials(settings)
    assert sources.fetch("conjur:prod/new", credentials) == b"set by theirs"
    sources.store("conjur:prod/new", b"set by ours", credentials, replace=True)
    assert sources.fetch("conjur:prod/db password", credentials) == VALUE
    assert set(conjur.calls) <= {*theirs, "GET /secrets/acme/variable/prod%2Fnew"}
