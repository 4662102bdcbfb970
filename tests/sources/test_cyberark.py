"""``cyberark:`` against a double, which the client pyaim uses as well."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from doubles.cyberark import CredentialProvider
from doubles.testca import TestCA
from pyaim import CCPPasswordREST
from sources.machine import without

from encconf import sources
from encconf.identities.credentials import Credentials
from encconf.testing.contracts.source import PATIENCE, WHOLE, Failing, Place, SourceContract, failure, shown

VALUE = b"s3cret-of-a-safe"


# --- the Central Credential Provider ---------------------------------------------------------


@pytest.fixture
def provider(ca: TestCA) -> Iterator[CredentialProvider]:
    """Only who has a certificate may connect, and the application must have its own."""
    with CredentialProvider(ca.strict_context()) as double:
        double.applications["app"] = {"Prod"}
        double.certificates["app"] = "app.example.test"
        double.add(
            "Prod", "db", VALUE.decode(), UserName="app", Address="db.example.test", Database="orders",
            PolicyID="Unix SSH",
        )  # fmt: skip
        double.add("Prod", "tree", WHOLE, UserName="tree")
        double.add("Prod", "other db", "x", UserName="app", Address="other.example.test")
        double.add("Secret", "db", "pa55-of-another-safe", UserName="root")
        yield double


@pytest.fixture
def environ(provider: CredentialProvider, ca: TestCA) -> dict[str, str]:
    certificate, key = ca.client("app.example.test")
    return {
        "CYBERARK_CCP_URL": provider.url,
        "CYBERARK_APP_ID": "app",
        "CYBERARK_CACERT": str(ca.bundle),
        "CYBERARK_CLIENT_CERT": str(certificate),
        "CYBERARK_CLIENT_KEY": str(key),
    }


def certified(environ: dict[str, str], pair: tuple[Path, Path], **more: str) -> Credentials:
    return Credentials(
        {**environ, "CYBERARK_CLIENT_CERT": str(pair[0]), "CYBERARK_CLIENT_KEY": str(pair[1]), **more}
    )


class TestCentralCredentialProvider(SourceContract):
    SCHEME = "cyberark"
    REASONS = frozenset({"missing", "denied", "expired", "unreachable", "slow", "wrong", "unusable"})

    @pytest.fixture
    def place(self, environ: dict[str, str]) -> Place:
        return Place("cyberark:Prod/db", VALUE, lambda: Credentials(environ), ["pa55-of-another-safe"])

    @pytest.fixture
    def structured(self, provider: CredentialProvider) -> str:
        """Its properties are its fields."""
        tree = json.loads(WHOLE)
        provider.accounts[1].update(tree)
        return "cyberark:Prod/tree"

    @pytest.fixture
    def vals(self) -> str:
        return "ref+cyberark://Prod/db"

    @pytest.fixture
    def failing(self, environ: dict[str, str], ca: TestCA, silent: str, nobody_there: str) -> Failing:
        db = "cyberark:Prod/db"
        slow = {**environ, "CYBERARK_CCP_URL": f"https://{silent}"}
        away = {**environ, "CYBERARK_CCP_URL": f"https://{nobody_there}"}
        return lambda reason: {
            "missing": lambda: ("cyberark:Prod/nothing", Credentials(environ)),
            "denied": lambda: (db, certified(environ, ca.client("stranger.example.test"))),
            "expired": lambda: (db, certified(environ, ca.client("app.example.test", expired=True))),
            "unreachable": lambda: (db, Credentials(away)),
            "slow": lambda: (db, Credentials(slow, timeout=PATIENCE)),
            "wrong": lambda: ("cyberark:Prod?username=app", Credentials(environ)),
            "unusable": lambda: (db, Credentials(without(environ, "CYBERARK_CCP_URL"))),
        }[reason]()

    def test_the_properties_of_an_account(self, environ: dict[str, str]) -> None:
        credentials = Credentials(environ)
        for field, value in {
            "UserName": "app",
            "Address": "db.example.test",
            "Content": VALUE.decode(),
        }.items():
            assert sources.fetch_text(f"cyberark:Prod/db#{field}", credentials) == value
        error = failure("cyberark:Prod/db#Port", credentials)
        assert (error.reason, error.message) == ("missing", "the secret has no field Port")

    def test_an_account_by_what_it_is_for(
        self, provider: CredentialProvider, environ: dict[str, str]
    ) -> None:
        for query in (
            "username=app&address=db.example.test",
            "database=orders",
            "policy_id=Unix%20SSH",
            "username=app&database=orders&folder=Root&reason=nightly%20%26%20%2B",
        ):
            assert sources.fetch(f"cyberark:Prod?{query}", Credentials(environ)) == VALUE
        assert sources.fetch("cyberark:Prod/other%20db?username=app", Credentials(environ)) == b"x"
        assert provider.calls[-2].endswith("&Database=orders&Reason=nightly%20%20%20%20")
        assert provider.calls[-1] == (
            "GET /AIMWebService/api/Accounts?AppID=app&Safe=Prod&Object=other%20db&UserName=app"
        )

    def test_as_pyaim_asks(self, provider: CredentialProvider, environ: dict[str, str], ca: TestCA) -> None:
        """CyberArk's questions are case-blind, and a blank is a plus sign there."""
        theirs = CCPPasswordREST(
            provider.url,
            verify=str(ca.bundle),
            cert=(environ["CYBERARK_CLIENT_CERT"], environ["CYBERARK_CLIENT_KEY"]),
        )
        answer = theirs.GetPassword(appid="app", safe="Prod", object="other db", username="app", reason="why")
        ours = sources.fetch("cyberark:Prod/other%20db?username=app&reason=why", Credentials(environ))
        assert answer["Content"].encode() == ours

        def question(call: str) -> set[str]:
            return set(re.split(r"[?&]", call.lower().replace("+", "%20")))

        assert question(provider.calls[0]) == question(provider.calls[1])

    @pytest.mark.parametrize(
        ("address", "message"),
        [
            ("cyberark:Prod", "expected the name of a safe and of an account"),
            ("cyberark:Prod/a&b", "CyberArk does not allow + & % or ; in names"),
            ("cyberark:Prod/a%2Bb", "CyberArk does not allow + & % or ; in names"),
            ("cyberark:Prod?username=a%3BSafe=Secret", "CyberArk does not allow + & % or ; in names"),
            ("cyberark:Prod?user=a", "cyberark: has no setting user"),
        ],
    )
    def test_what_is_no_account(self, address: str, message: str, environ: dict[str, str]) -> None:
        error = failure(address, Credentials(environ))
        assert (error.message, error.reason) == (message, "wrong")

    def test_a_password_that_is_being_changed(
        self, provider: CredentialProvider, environ: dict[str, str]
    ) -> None:
        provider.changing.add("db")
        said: list[str] = []
        assert sources.fetch("cyberark:Prod/db", Credentials(environ, notify=said.append)) == VALUE
        assert said == [
            "cyberark:Prod/db#Content: CyberArk is changing this password, so this may be the old one"
        ]
        error = failure("cyberark:Prod/db?fail_on_change=true", Credentials(environ))
        assert error.reason == "unreachable"
        assert error.hint == "try again in a minute"
        assert len(provider.calls) == 2  # that does not pass in two seconds

    def test_the_provider_s_own_words(self, provider: CredentialProvider, environ: dict[str, str]) -> None:
        error = failure("cyberark:Prod/db?app_id=nobody", Credentials(environ))
        assert error.reason == "denied"
        assert error.message.startswith("CyberArk: APPAP008E: Problem occurred")
        provider.vault = False
        assert failure("cyberark:Prod/db", Credentials(environ)).reason == "unreachable"
        error = failure("cyberark:Secret/db", Credentials(environ))
        provider.vault = True
        error = failure("cyberark:Secret/db", Credentials(environ))
        assert error.reason == "missing"
        assert (
            error.hint == "check that the account exists and that the application and the provider may see it"
        )

    def test_who_has_no_certificate_is_not_let_in(self, environ: dict[str, str]) -> None:
        bare = without(environ, "CYBERARK_CLIENT_CERT", "CYBERARK_CLIENT_KEY")
        error = failure("cyberark:Prod/db", Credentials(bare))
        assert error.reason == "denied"
        assert "rejects the client's certificate" in error.message
        for names, hint in (
            (["CYBERARK_CLIENT_CERT"], "set both, or neither"),
            (["CYBERARK_APP_ID"], "set it to the application's id"),
        ):
            error = failure("cyberark:Prod/db", Credentials(without(environ, *names)))
            assert (error.reason, error.hint) == ("unusable", hint)

    def test_by_the_machine_s_address_alone(self, ca: TestCA, patient: None) -> None:
        """Nothing to show lies on the machine; the provider knows its address."""
        with CredentialProvider(ca.context()) as double:
            double.applications["app"] = {"Prod"}
            double.add("Prod", "db", VALUE.decode())
            environ = {
                "CYBERARK_CCP_URL": double.url,
                "CYBERARK_APP_ID": "app",
                "SSL_CERT_FILE": str(ca.bundle),
            }
            assert sources.fetch("cyberark:Prod/db", Credentials(environ)) == VALUE
            assert sources.probe("cyberark", Credentials(environ)).note == "by this machine's address"

    def test_a_certificate_and_its_key_in_one_file(
        self, environ: dict[str, str], ca: TestCA, tmp_path: Path
    ) -> None:
        certificate, key = ca.client("app.example.test")
        both = tmp_path / "both.pem"
        both.write_bytes(certificate.read_bytes() + key.read_bytes())
        one = {**without(environ, "CYBERARK_CLIENT_KEY"), "CYBERARK_CLIENT_CERT": str(both)}
        assert sources.fetch("cyberark:Prod/db", Credentials(one)) == VALUE
        other = ca.client("app.example.test")[1].read_bytes()
        for text in (b"", VALUE, certificate.read_bytes() + other, None):
            both.unlink() if text is None else both.write_bytes(text)
            error = failure("cyberark:Prod/db", Credentials(one))
            assert error.reason == "unusable"
            assert error.message.startswith(
                "CYBERARK_CLIENT_CERT and CYBERARK_CLIENT_KEY are not a certificate and its key"
            )
            assert VALUE.decode() not in shown(error)

    def test_a_key_with_a_passphrase_asks_nothing(
        self, environ: dict[str, str], ca: TestCA, tmp_path: Path
    ) -> None:
        certificate, key = ca.client("app.example.test")
        private = serialization.load_pem_private_key(key.read_bytes(), None)
        key.write_bytes(
            private.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(b"a passphrase"),
            )
        )
        error = failure("cyberark:Prod/db", certified(environ, (certificate, key)))
        assert (error.reason, str(error.hint).endswith("the key has no passphrase")) == ("unusable", True)

    def test_a_server_that_is_not_trusted(
        self, environ: dict[str, str], ca: TestCA, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        error = failure("cyberark:Prod/db", Credentials(without(environ, "CYBERARK_CACERT")))
        assert error.reason == "unreachable"
        assert error.hint == "CYBERARK_CACERT sets the authority of its certificate"
        error = failure("cyberark:Prod/db", Credentials({**environ, "CYBERARK_CACERT": "/nonexistent"}))
        assert error.reason == "unusable"
        assert error.message.startswith("the settings for TLS cannot be used: ")
        assert "CYBERARK_CACERT" in str(error.hint)
        # What requests reads by itself does not outrank the setting, and counts without it.
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nonexistent")
        assert sources.fetch("cyberark:Prod/db", Credentials(environ)) == VALUE
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(ca.bundle))
        assert sources.fetch("cyberark:Prod/db", Credentials(without(environ, "CYBERARK_CACERT"))) == VALUE

    def test_what_is_no_provider(self, provider: CredentialProvider, environ: dict[str, str]) -> None:
        for url in ("ccp.example.test", "https://me:pa55-of-me@ccp", "https://ccp/x?y", "ftp://ccp"):
            error = failure("cyberark:Prod/db", Credentials({**environ, "CYBERARK_CCP_URL": url}))
            assert error.message == "CYBERARK_CCP_URL is not a plain address"
            assert "pa55-of-me" not in shown(error)
        elsewhere = {**environ, "CYBERARK_CCP_URL": f"{provider.url}/Own"}
        error = failure("cyberark:Prod/db", Credentials(elsewhere))
        assert (error.reason, error.message) == (
            "wrong",
            "CyberArk: HTTP 404: no Central Credential Provider answers there",
        )
        provider.service = "/Own"
        assert sources.fetch("cyberark:Prod/db", Credentials(elsewhere)) == VALUE
        provider.faults = [302]
        error = failure("cyberark:Prod/db", Credentials(elsewhere))
        assert "redirects to another server" in error.message
        provider.faults = [200]
        error = failure("cyberark:Prod/db", Credentials(elsewhere))
        assert error.message == "the answer is not from a Central Credential Provider"

    def test_what_passes_soon_is_asked_again(
        self, provider: CredentialProvider, environ: dict[str, str]
    ) -> None:
        provider.faults = [503, 429]
        assert sources.fetch("cyberark:Prod/db", Credentials(environ)) == VALUE
        provider.faults = [503] * 3
        assert failure("cyberark:Prod/db", Credentials(environ)).reason == "unreachable"

    def test_a_probe_says_with_which_identity(self, environ: dict[str, str], patient: None) -> None:
        found = sources.probe("cyberark", Credentials(environ))
        assert (found.usable, found.who) == (True, "app")
        assert found.note == f"with the certificate {environ['CYBERARK_CLIENT_CERT']}"
        found = sources.probe("cyberark", Credentials({}))
        assert (found.usable, found.missing) == (False, ["CYBERARK_CCP_URL", "CYBERARK_APP_ID"])
