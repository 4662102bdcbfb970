"""Which references may be resolved, and with which login."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from sources.store import DOUBLE, Store

from encconf import api, sources
from encconf.errors import MacMismatchError, SourceError, UnresolvedError, UsageError
from encconf.identities.credentials import Credentials
from encconf.rules.selection import Selection
from encconf.sources import references
from encconf.sources.references import Resolve


class TestAllowed:
    def failure(self, sealed: str, made: Credentials, rules: Resolve | bool = True) -> str:
        with pytest.raises(UnresolvedError) as caught:
            api.loads(sealed, credentials=made, resolve=rules)
        return f"{caught.value.message}\n{caught.value.hint}"

    def test_every_scheme_was_thought_about(self) -> None:
        """A new one is `asked`, or added here to those that only hand out what this user has."""
        assert set(sources.TABLE) <= {*sources.ASKED, "cmd", "env", "file", "keyring"}

    @pytest.mark.parametrize("scheme", ["env", "file", "cmd", "keyring", "envsubst"])
    def test_what_this_user_has_is_not_given_unless_somebody_says_so(
        self, seal: Callable[..., str], credentials: Callable[..., Credentials], tmp_path: Path, scheme: str
    ) -> None:
        marker = tmp_path / "ran"
        body = {"file": "/etc/passwd", "cmd": f"touch {marker}"}.get(scheme, "A/B")
        said = self.failure(seal({"a": {"b": f"ref+{scheme}:{body}"}}), credentials())
        name = "env" if scheme == "envsubst" else scheme
        assert f"  a.b  references to {name}: are not allowed here" in said
        assert f"ENCCONF_REF_ALLOW={name}" in said
        assert not marker.exists()

    def test_nothing_is_asked_for_where_one_is_not_allowed(
        self, seal: Callable[..., str], credentials: Callable[..., Credentials], store: Store
    ) -> None:
        sealed = seal({"a": "ref+double://x", "b": "ref+env://A", "c": "ref+double://no/y"})
        said = self.failure(sealed, credentials(A="1"), Resolve(schemes=DOUBLE))
        assert said.startswith("1 of 3 references could not be resolved\n  b  ")
        assert store.calls == []

    def test_the_environment_widens_it(
        self, seal: Callable[..., str], credentials: Callable[..., Credentials], tmp_path: Path
    ) -> None:
        (tmp_path / "x").write_text("in a file")
        sealed = seal({"a": "ref+env://A", "b": f"ref+file://{tmp_path}/x"})
        made = credentials(A="1", ENCCONF_REF_ALLOW=f"env, file:{tmp_path}/")
        assert api.loads(sealed, credentials=made, resolve=True) == {"a": "1", "b": "in a file"}
        with pytest.raises(UnresolvedError):  # what the code says counts, and nothing else
            api.loads(sealed, credentials=made, resolve=Resolve(schemes=["env"]))
        with pytest.raises(UsageError, match="ENCCONF_REF_ALLOW: 'evn' is not a reference scheme") as caught:
            api.loads(sealed, credentials=credentials(ENCCONF_REF_ALLOW="evn"), resolve=True)
        assert caught.value.hint == "did you mean env?"

    @pytest.mark.parametrize(
        ("entry", "address", "allowed"),
        [
            ("env", "env://A", True),
            ("env:APP_", "env://APP_X", True),
            ("env:APP_", "envsubst://APP_X", True),
            ("env:APP_", "envsubst://${APP_X}", True),
            ("env:APP_", "env://APPX", False),
            ("file:/run/secrets/", "file:///run/secrets/x/y", True),
            ("file:/run/secrets/", "file:///run/secrets/../../etc/passwd", False),
            ("file:/run/secrets/", "file:///run/secrets/%2e%2e/x", False),
            ("file:/run/secrets/", "file:///run/secrets/..x", True),
            ("file:/run/secrets/", "file:///etc/passwd", False),
            ("file:", "file:///etc/passwd", True),
            ("file:/run/a?b/", "file:///run/a%3Fb/x", True),
            ("file:/run/a?b/", "file:///run/ab", False),
            ("cmd:show x?y", "cmd:show x", False),
            ("vault:secret/app/?version=1", "vault://secret/app/x#/y", True),
            ("vault:secret/app/", "vault://secret/app/x#/y", True),
            ("vault:secret/app/", "vault://secret/app/../other#/y", False),
            ("systemd", "env://A", False),
        ],
    )
    def test_beginnings(self, entry: str, address: str, allowed: bool) -> None:
        assert Resolve(schemes=[entry]).allows(sources.parse(address)) is allowed

    def test_rules_that_cannot_be(self) -> None:
        with pytest.raises(UsageError, match="'fil' is not a reference scheme") as caught:
            Resolve(schemes=["vault", "fil:/x"])
        assert caught.value.hint == "did you mean file?"
        with pytest.raises(UsageError, match="schemes is a list"):
            Resolve(schemes="vault")
        with pytest.raises(UsageError, match="hosts is a list"):
            Resolve(hosts="vault.example.com")

    @pytest.mark.parametrize("address", ["systemd://encconf-identity", "systemd:encconf-identity"])
    def test_the_key_is_no_value(
        self, seal: Callable[..., str], credentials: Callable[..., Credentials], tmp_path: Path, address: str
    ) -> None:
        (tmp_path / "encconf-identity").write_text("AGE-SECRET-KEY-1")
        (tmp_path / "db").write_text("hunter2")
        made = credentials(CREDENTIALS_DIRECTORY=str(tmp_path))
        sealed = seal({"a": "ref+systemd://db", "b": f"ref+{address}"})
        said = self.failure(sealed, made)
        assert said.startswith("1 of 2 references could not be resolved\n  b  ")
        assert "it is a key that opens files, not a value" in said
        assert api.loads(seal({"a": "ref+systemd://db"}), credentials=made, resolve=True) == {"a": "hunter2"}

    def test_nor_are_the_variables_of_keys(
        self, seal: Callable[..., str], credentials: Callable[..., Credentials]
    ) -> None:
        names = ["SOPS_AGE_KEY", "$SOPS_AGE_KEY", "${VAULT_TOKEN}", "BAO_TOKEN", "MINE", "PASS"]
        sealed = seal({"a": [f"ref+envsubst://{name}" for name in names]})
        made = credentials(
            ENCCONF_IDENTITY="env:MINE",
            MINE="x",
            VAULT_TOKEN="x",
            BAO_TOKEN="x",
            ENCCONF_PGP_PASSPHRASE="env:PASS",
            PASS="p",
        )
        said = self.failure(sealed, made, Resolve(schemes=["env"]))
        assert said.count("it is a key that opens files, not a value") == len(names)

    @pytest.mark.parametrize(
        "address",
        [
            *("vault://secret/me/age#/key", "vault://secret/data/me/age#/key", "vault:secret/me/age"),
            *("vault://secret/me/age/key", "vault://secret//me/age/#/other", "openbao://secret/me/age#/key"),
            *("vault://secret/me/%61ge#/key", "vault://secret/me/age?namespace=x#/key"),
            *("file:~/key", "file://HOME/key", "file://HOME/folder/../key", "file://HOME/link"),
            *("file://~/.vault-token", "file://HOME/keys.txt", "file://~/.config/sops/age/keys.txt"),
            *("file://HOME/.ssh/id_ed25519", "file://HOME/token", "file:///proc/self/environ"),
        ],
    )
    def test_nor_is_the_key_by_another_name(
        self, seal: Callable[..., str], credentials: Callable[..., Credentials], home: Path, address: str
    ) -> None:
        (home / "link").symlink_to("key")
        made = credentials(
            HOME=str(home),
            XDG_CONFIG_HOME="",
            ENCCONF_IDENTITY="vault:secret/me/age#key",
            ENCCONF_AGE_PASSPHRASE="file:~/key",
            SOPS_AGE_KEY_FILE=f"{home}/keys.txt",
            VAULT_TOKEN_FILE=f"{home}/token",
        )
        rules = Resolve(schemes=["vault", "file"])
        keys = references.key_addresses(made)
        with pytest.raises(SourceError, match="it is a key that opens files"):
            references.checked(address.replace("HOME", str(home)), rules, made, keys)
        for other in ("vault:secret/me/ages#key", "vault:secret/you/age#key", f"file:{home}/keys"):
            references.checked(other, rules, made, keys)

    @pytest.mark.parametrize(
        "text", ["AGE-SECRET-KEY-1XYZ", "# mine\nage-secret-key-pq-1x\n", "AGE-PLUGIN-TPM-1Q"]
    )
    def test_nor_is_any_identity_wherever_it_is(
        self, seal: Callable[..., str], credentials: Callable[..., Credentials], tmp_path: Path, text: str
    ) -> None:
        (tmp_path / "x").write_text(text)
        (tmp_path / "x64").write_text(base64.b64encode(text.encode()).decode())
        for query in ("x", "x?encode=base64", "x64?decode=base64", "x64?decode=base64&encode=base64"):
            sealed = seal({"a": f"ref+file://{tmp_path}/{query}"})
            said = self.failure(sealed, credentials(), Resolve(schemes=["file"]))
            assert "it is a key that opens files, not a value" in said
            assert "XYZ" not in said

    @pytest.mark.parametrize(
        ("address", "variable"),
        [
            ("awssm:app/x?profile=CHOICE", "AWS_PROFILE"),
            ("awssm:app/x?profile=CHOICE", "ENCCONF_AWS_PROFILE"),
            ("awsssm:app/x?role_arn=CHOICE", "AWS_ROLE_ARN"),
            ("vault:secret/app/x?namespace=CHOICE#x", "VAULT_NAMESPACE"),
            ("vault://secret/app/x?namespace=CHOICE#/x", "BAO_NAMESPACE"),
            ("openbao://secret/app/x?auth_method=CHOICE#/x", "VAULT_AUTH_METHOD"),
            ("vault:secret/app/x?role_id=CHOICE#x", "VAULT_ROLE_ID"),
            ("vault:secret/app/x?role_id=CHOICE#x", "VAULT_ROLE"),
            ("vault:secret/app/x?secret_id=CHOICE#x", "VAULT_SECRET_ID"),
            ("vault:secret/app/x?username=CHOICE#x", "VAULT_USERNAME"),
            ("conjur:app/x?account=CHOICE", "CONJUR_ACCOUNT"),
            ("conjur:app/x?login=CHOICE", "CONJUR_AUTHN_LOGIN"),
            ("conjur:app/x?apikey=CHOICE", "CONJUR_AUTHN_API_KEY"),
            ("cyberark:app/x?app_id=CHOICE", "CYBERARK_APP_ID"),
        ],
    )
    def test_a_file_cannot_choose_whose_secrets_or_which_identity(
        self, credentials: Callable[..., Credentials], address: str, variable: str
    ) -> None:
        def check(choice: str, *schemes: str) -> None:
            made = credentials(**{variable: "mine"})
            references.checked(address.replace("CHOICE", choice), Resolve(schemes=schemes), made, set())

        scheme = sources.parse(address).scheme
        name = address.partition("?")[2].partition("=")[0]
        beginning = f"{scheme}:{'secret/' * (scheme == 'vault')}app/"
        check("mine", scheme)
        check("mine", beginning)
        for allowed in (f"{scheme}?{name}=other", f"{beginning}?x=y&{name}=other"):
            check("other", allowed)
        for refused in (
            *(scheme, beginning, f"{scheme}?{name}=another", f"{scheme}?{name}"),
            *(f"{scheme}?{name}x=other", f"{scheme}:else/?{name}=other"),
        ):
            with pytest.raises(SourceError, match=f"references may not choose {name}") as caught:
                check("other", refused, scheme)
            assert ("…" if name in ("secret_id", "apikey") else "other") in (caught.value.hint or "")
        with pytest.raises(SourceError, match="are not allowed here"):
            check("other", f"{beginning[:-1]}lication?{name}=other")

    def test_a_folder_is_not_left_by_its_links(
        self, seal: Callable[..., str], credentials: Callable[..., Credentials], tmp_path: Path
    ) -> None:
        inside, outside = tmp_path / "in", tmp_path / "out"
        (inside / "..data").mkdir(parents=True)
        outside.mkdir()
        (outside / "x").write_text("theirs")
        (inside / "..data" / "y").write_text("ours")  # as Kubernetes does it
        (inside / "y").symlink_to("..data/y")
        (inside / "x").symlink_to(outside / "x")
        (inside / "sub").symlink_to(outside)
        (tmp_path / "alias").symlink_to(inside)
        for name in ("in", "alias"):
            rules = Resolve(schemes=[f"file:{tmp_path}/{name}/"])
            sealed = seal({"a": f"ref+file://{tmp_path}/{name}/y"})
            assert api.loads(sealed, credentials=credentials(), resolve=rules) == {"a": "ours"}
            for leaving in ("x", "sub/x"):
                sealed = seal({"a": f"ref+file://{tmp_path}/{name}/{leaving}"})
                assert "are not allowed here" in self.failure(sealed, credentials(), rules)
                assert api.loads(sealed, credentials=credentials(), resolve=Resolve(schemes=["file"]))

    def test_a_conjur_that_a_file_names(self, credentials: Callable[..., Credentials]) -> None:
        address = "conjur:x?address=https://c.example.com/conjur"
        with pytest.raises(SourceError, match="references may not name the server"):
            references.checked(address, Resolve(), credentials(), set())
        made = credentials(CONJUR_APPLIANCE_URL="https://c.example.com/conjur")
        references.checked(address, Resolve(), made, set())
        address = "conjur:x?address=https://d.example.com"
        with pytest.raises(SourceError, match=r"references may not name the server https://d\.example\.com"):
            references.checked(
                address, Resolve(), credentials(SOPS_HC_VAULT_ALLOWLIST="https://d.example.com"), set()
            )
        made = credentials(ENCCONF_CONJUR_ALLOWLIST="https://d.example.com")
        references.checked(address, Resolve(), made, set())

    def test_the_address_of_an_account_of_cyberark_is_no_server(
        self, credentials: Callable[..., Credentials]
    ) -> None:
        address = "cyberark:SAFE?username=app&address=db.example.com"
        assert references.checked(address, Resolve(), credentials(), set()).query["address"]

    def test_servers_that_a_file_names(
        self, seal: Callable[..., str], credentials: Callable[..., Credentials], store: Store
    ) -> None:
        sealed = seal({"a": "ref+double://x?address=https://Evil.example.com:8200/"})
        said = self.failure(sealed, credentials(), Resolve(schemes=DOUBLE))
        assert "references may not name the server https://evil.example.com:8200" in said
        assert store.calls == []
        for host in ("evil.example.com:8200", "EVIL.example.com:8200", "https://evil.example.com:8200"):
            rules = Resolve(schemes=DOUBLE, hosts=[host])
            assert api.loads(sealed, credentials=credentials(), resolve=rules) == {"a": "<x>"}
        for host in ("evil.example.com", "example.com:8200", "http://evil.example.com:8200"):
            self.failure(sealed, credentials(), Resolve(schemes=DOUBLE, hosts=[host]))
        for name in ("VAULT_ADDR", "BAO_ADDR", "CONJUR_APPLIANCE_URL", "SOPS_HC_VAULT_ALLOWLIST"):
            made = credentials(**{name: "https://evil.example.com:8200"})
            assert api.loads(sealed, credentials=made, resolve=Resolve(schemes=DOUBLE)) == {"a": "<x>"}
        made = credentials(SOPS_HC_VAULT_ALLOWLIST="all")  # test_g: every server
        assert api.loads(sealed, credentials=made, resolve=Resolve(schemes=DOUBLE)) == {"a": "<x>"}
        made = credentials(SOPS_HC_VAULT_ALLOWLIST="nonsense,")
        assert "entry 1 of SOPS_HC_VAULT_ALLOWLIST is not an address" in self.failure(
            sealed, made, Resolve(schemes=DOUBLE)
        )
        odd = seal({"a": "ref+double://x?address=https://good:pa55@evil/"})
        said = self.failure(odd, credentials(), Resolve(schemes=DOUBLE, hosts=["good", "evil"]))
        assert "references may not name the server …" in said
        assert "pa55" not in said
        with pytest.raises(UsageError, match="'good@evil' is not a server"):
            Resolve(hosts=["good@evil"])
        made = credentials(ENCCONF_REF_ALLOW="double evil.example.com:8200")
        assert api.loads(sealed, credentials=made, resolve=True) == {"a": "<x>"}

    @pytest.mark.parametrize(
        ("now", "then"),
        [("", "https://h"), ("https://a", "https://a,https://h"), ("all", "all"), ("none", "none")],
    )
    def test_hosts_of_the_rules_are_added_to_the_environment_s(
        self, credentials: Callable[..., Credentials], now: str, then: str
    ) -> None:
        made = references.widened(credentials(SOPS_HC_VAULT_ALLOWLIST=now), Resolve(hosts=["h"]))
        assert made.environ["SOPS_HC_VAULT_ALLOWLIST"] == then

    def test_what_a_file_may_say_of_the_login(
        self, seal: Callable[..., str], credentials: Callable[..., Credentials], store: Store
    ) -> None:
        for name, value, scheme in (
            ("token_env", "AWS_SECRET_ACCESS_KEY", "env"),
            ("password_file", "/x", "file"),
        ):
            sealed = seal({"a": f"ref+double://x?{name}={value}"})
            said = self.failure(sealed, credentials(), Resolve(schemes=DOUBLE))
            assert f"references may not set {name}" in said
            assert store.calls == []
            rules = Resolve(schemes=["double", f"{scheme}:{value}"])
            assert api.loads(sealed, credentials=credentials(), resolve=rules) == {"a": "<x>"}
            store.calls.clear()
        outside = seal({"a": "ref+double://x?password_file=%252Frun/x"})  # a path that begins with %2Frun
        said = self.failure(outside, credentials(), Resolve(schemes=["double", "file:/run/"]))
        assert "references may not set password_file" in said

    def test_only_what_the_mac_covers(
        self, seal: Callable[..., str], credentials: Callable[..., Credentials], store: Store
    ) -> None:
        rules = Resolve(schemes=DOUBLE)
        selection = Selection("unencrypted_suffix", "_unencrypted", True)
        sealed = seal({"a": "ref+double://x", "b_unencrypted": "y"}, "yaml", selection)
        assert api.loads(sealed, credentials=credentials(), resolve=rules)["a"] == "<x>"
        store.calls.clear()
        forged = sealed.replace('"y"', '"ref+double://y"')
        assert forged != sealed
        said = self.failure(forged, credentials(), rules)
        assert "  b_unencrypted  anyone could have written it" in said
        whole = seal({"a": "ref+double://x", "b_unencrypted": "ref+double://y"})
        assert api.loads(whole, credentials=credentials(), resolve=rules)["b_unencrypted"] == "<y>"
        store.calls.clear()
        with pytest.raises(MacMismatchError):
            api.loads(whole.replace("double://y", "double://z"), credentials=credentials(), resolve=rules)
        assert store.calls == []
