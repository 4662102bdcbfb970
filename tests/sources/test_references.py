"""References to secrets kept elsewhere: a double that counts, sources that are here, a real OpenBao."""

from __future__ import annotations

import base64
import json
import os
import socket
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from doubles.openbao import OpenBao
from engine import rule
from oracle import AgeKey
from project import Project

import encconf
from encconf import api, sources
from encconf.errors import MacMismatchError, SourceError, UnresolvedError, UsageError
from encconf.identities.credentials import Credentials
from encconf.rules.selection import DEFAULT, Selection
from encconf.sources import Uri, reference_rules, reference_text, references
from encconf.sources.reference_rules import ASKED, Resolve

ENV = Resolve(schemes=["env"])


@pytest.fixture
def seal(age_key: AgeKey) -> Callable[..., str]:
    """Encrypt a tree, as YAML (which JSON is), for ``age_key``."""

    def sealed(tree: object, format: str = "yaml", selection: Selection = DEFAULT) -> str:
        text = tree if isinstance(tree, str) else json.dumps(tree)
        return api.encrypt(text, rule(age_key, selection=selection), format=format)

    return sealed


@pytest.fixture
def credentials(age_key: AgeKey) -> Callable[..., Credentials]:
    def made(**environ: str) -> Credentials:
        return Credentials.from_env(
            {"SOPS_AGE_KEY": age_key.identity, "PATH": os.environ["PATH"], **environ}, platform="linux"
        )

    return made


class Store(types.ModuleType):
    """A source ``double:``: each secret's value is made of its name, and every call is counted."""

    QUERY = ("address", "password_file", "token_env", "version")

    def __init__(self) -> None:
        super().__init__("store_of_a_test")
        self.calls: list[str] = []
        self.meanwhile: Callable[[str], None] = lambda path: None
        self._lock = threading.Lock()

    def fetch(self, uri: Uri, credentials: Credentials) -> bytes:
        with self._lock:
            self.calls.append(uri.path)
        self.meanwhile(uri.path)
        if uri.path.startswith("no/"):
            raise SourceError("denied, and s3cret is not told", reason="denied", hint="ask for it")
        if uri.path.startswith("json/"):
            return json.dumps({"a": uri.path, "n": 7, "deep": {"b": [1, "two"]}}).encode()
        return f"<{uri.path}>".encode()


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    double = Store()
    monkeypatch.setitem(sys.modules, double.__name__, double)
    monkeypatch.setitem(sources.TABLE, "double", double.__name__)
    return double


DOUBLE = ["double"]


class TestSyntax:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            # What vals' own tests (pkg/expansion/expand_match_test.go) have, and how it reads them.
            ("ref+double://srv/foo/bar", "<srv/foo/bar>"),
            ("secretref+double://srv/foo/bar", "<srv/foo/bar>"),
            ("secretref+double://srv/a+, secretref+double://srv/b", "<srv/a>, <srv/b>"),
            ("ref+double://srv/a+, ref+double://srv/b+ ", "<srv/a>, <srv/b> "),
            ("ref+double://srv/foo/bar+ + + ", "<srv/foo/bar> + + "),
            ("ref+double://srv/foo/bar\n", "<srv/foo/bar>\n"),
            ('"ref+double://a/b?version=1"', '"<a/b>"'),
            ('"ref+double://a",\n"ref+double://b"', '"<a>",\n"<b>"'),
            ("ref+double://a/b?version=1 some text ref+double://c", "<a/b> some text <c>"),
            ("foo ref+double://A+ ref+double://B+ bar", "foo <A> <B> bar"),
            ("xref+double://a+y", "x<a>y"),
            ("ref+double://a+ref+double://b", "<a><b>"),
            ("ref+double://json/x#/a", "json/x"),
            ("ref+double://json/x#/deep/b/1+!", "two!"),
            ("ref+double://json/x#/n", "7"),
            ("ref+double://json/x#deep", '{"b":[1,"two"]}'),
            # Our own form, for a value that is nothing else.
            ("ref+double:a/b", "<a/b>"),
            ("ref+double:json/x#a+", "json/x"),
            ("see ref+double:a/b", "see ref+double:a/b"),
            # No references.
            ("no-referrer: $scheme://$host", "no-referrer: $scheme://$host"),
            ("ref+double", "ref+double"),
            ("ref+ double://a", "ref+ double://a"),
            ("ref+other:a", "ref+other:a"),
            ("ref+\ndouble://a", "ref+\ndouble://a"),
            ("pref+x", "pref+x"),
            ("", ""),
        ],
    )
    def test_values(
        self,
        seal: Callable[..., str],
        credentials: Callable[..., Credentials],
        store: Store,
        text: str,
        expected: str,
    ) -> None:
        sealed = seal({"a": {"b": [text]}})
        assert api.loads(sealed, credentials=credentials()) == {"a": {"b": [text]}}
        assert store.calls == []
        resolved = api.loads(sealed, credentials=credentials(), resolve=Resolve(schemes=DOUBLE))
        assert resolved == {"a": {"b": [expected]}}

    @pytest.mark.parametrize("scheme", ["vault", "openbao"])
    @pytest.mark.parametrize(
        "method",
        [
            *("token_file=~/t", "token_env=VAULT_T", "auth_method=approle&role_id=r&secret_id=s"),
            *("auth_method=kubernetes&role_id=r", "auth_method=userpass&username=u&password_file=p"),
            *("auth_method=userpass&username=u&password_env=VAULT_P", "proto=http"),
        ],
    )
    def test_what_vals_says_of_vaults_is_read(self, scheme: str, method: str) -> None:
        """The forms of its README."""
        text = f"ref+{scheme}://kv/x?address=https://v.example.com:8200&{method}&namespace=ns1#/bar"
        ((literal, address),) = reference_text.pieces(text)
        assert literal == text
        uri = sources.parse(address or "")
        assert (uri.scheme, uri.path, uri.field) == ("vault", "kv/x", "bar")
        assert uri.query["namespace"] == "ns1"

    @pytest.mark.parametrize(
        ("text", "scheme", "path", "field"),
        [
            ("awsssm://foo/bar?region=us-west-2&role_arn=arn:aws:iam::1:role/r", "awsssm", "foo/bar", None),
            ("awsssm://foo?recursive=true&version=3#/bar/a", "awsssm", "foo", "bar/a"),
            ("awsssm://foo/bar?mode=singleparam#/BAR", "awsssm", "foo/bar", "BAR"),
            ("awssecrets://my/doc?version_stage=A&version_id=1#/foo/bar", "awssm", "my/doc", "foo/bar"),
            ("awssecrets://arn:aws:secretsmanager:r:1:secret:/a/b/?region=us-east-2#/k",
             "awssm", "arn:aws:secretsmanager:r:1:secret:/a/b/", "k"),
            ("gcpsecrets://myproject/mysecret?version=3#/a/b", "gcpsm", "myproject/mysecret", "a/b"),
            ("gcpsecrets://p/s?version=3&fallback=x&optional=true&trim_nl=true#/a", "gcpsm", "p/s", "a"),
            ("azurekeyvault://my-vault/secret-a/ba4f196b15", "azkv", "my-vault/secret-a/ba4f196b15", None),
            ("azurekeyvault://g.vault.usgovcloudapi.net/b", "azkv", "g.vault.usgovcloudapi.net/b", None),
            ("conjur://branch/name?address=https://c.example.com&account=a&login=l&apikey=k",
             "conjur", "branch/name", None),
            ("envsubst://$VAR1", "env", "$VAR1", None),
            ("file://foo/bar?encode=base64", "file", "foo/bar", None),
            ("file:///home/foo/bar", "file", "/home/foo/bar", None),
            ("file://some.yaml#/foo/bar", "file", "some.yaml", "foo/bar"),
        ],
    )  # fmt: skip
    def test_what_vals_says_of_the_others_is_read(
        self, text: str, scheme: str, path: str, field: str | None
    ) -> None:
        for prefix in ("ref+", "secretref+"):
            for end in ("", "+"):
                ((_, address),) = reference_text.pieces(f"{prefix}{text}{end}")
                uri = sources.parse(address or "")
                assert (uri.scheme, uri.path, uri.field) == (scheme, path, field)

    def test_a_command_line_has_blanks(
        self, seal: Callable[..., str], credentials: Callable[..., Credentials]
    ) -> None:
        sealed = seal({"a": "ref+cmd:printf '%s|' one 'two three'"})
        rules = Resolve(schemes=["cmd"])
        assert api.loads(sealed, credentials=credentials(), resolve=rules) == {"a": "one|two three|"}

    def test_only_texts_that_are_values(
        self, seal: Callable[..., str], credentials: Callable[..., Credentials], store: Store
    ) -> None:
        text = (
            "# ref+double://comment\nref+double://key: 1\nb: !!binary cmVmK2RvdWJsZTovL2H/\nlist: [1, null]\n"
        )
        loaded = api.loads(seal(text), credentials=credentials(), resolve=Resolve(schemes=DOUBLE))
        assert loaded == {"ref+double://key": 1, "b": b"ref+double://a\xff", "list": [1, None]}
        assert store.calls == []

    def test_what_comes_in_is_not_resolved_again(
        self, seal: Callable[..., str], credentials: Callable[..., Credentials]
    ) -> None:
        tree = {"a": "ref+env://A", "b": "ref+env://A+ref+env://A"}
        made = credentials(A="ref+env://SOPS_AGE_KEY")
        again = "ref+env://SOPS_AGE_KEY"
        assert api.loads(seal(tree), credentials=made, resolve=ENV) == {"a": again, "b": again + again}

    @pytest.mark.parametrize(
        ("format", "text"),
        [
            ("yaml", "x: &a ref+env://A\ny: *a\nz: {<<: {q: ref+env://A}}\nw: |\n  ref+env://A\n"),
            ("yaml", "x_unencrypted: ref+env://A\ny: 'ref+env://A+''s'\n"),
            ("json", '{"x": "ref+env://A", "y": ["ref\\u002benv://A+\\n"]}'),
            ("dotenv", "X=ref+env://A\nY=a ref+env://A\n"),
            ("ini", "[s]\nx = ref+env://A\n"),
            ("toml", "d = 2024-01-01\n[a.b]\nx = 'ref+env://A'\n[[t]]\ny = [1, \"ref\\u002Benv://A\"]\n"),
        ],
    )
    def test_formats(
        self, seal: Callable[..., str], credentials: Callable[..., Credentials], format: str, text: str
    ) -> None:
        value = "x\" '\\\n#$ {a}: ☃"
        sealed = seal(text, format)
        plain = api.loads(sealed, format=format, credentials=credentials())
        loaded = api.loads(sealed, format=format, credentials=credentials(A=value), resolve=ENV)

        def swap(node: object) -> object:
            if isinstance(node, dict):
                return {key: swap(item) for key, item in node.items()}
            if isinstance(node, list):
                return [swap(item) for item in node]
            return (
                node.replace("ref+env://A+", value).replace("ref+env://A", value)
                if isinstance(node, str)
                else node
            )

        assert loaded == swap(plain)
        assert "ref+" not in repr(loaded)
        assert api.loads(sealed, format=format, credentials=credentials()) == plain

    def test_many_documents(self, seal: Callable[..., str], credentials: Callable[..., Credentials]) -> None:
        sealed = seal("a: ref+env://A\n---\na: [ref+env://B]\n")
        made = credentials(A="1", B="2")
        assert api.loads_all(sealed, credentials=made, resolve=ENV) == [{"a": "1"}, {"a": ["2"]}]
        made = credentials(A="1")
        with pytest.raises(
            UnresolvedError, match=r"1 of 2 references could not be resolved\n  a\[0\]  env:B  "
        ):
            api.loads_all(sealed, credentials=made, resolve=ENV)


class TestAsking:
    def test_each_secret_once_and_all_at_once(
        self, seal: Callable[..., str], credentials: Callable[..., Credentials], store: Store
    ) -> None:
        """The barrier opens only when eight calls are there at the same time."""
        barrier = threading.Barrier(8, timeout=20)
        store.meanwhile = lambda path: barrier.wait() and None
        tree = {
            f"k{n}": [f"ref+double://json/{n // 3}#/a", f"ref+double://json/{n // 3}#/n"] for n in range(24)
        }
        loaded = api.loads(seal(tree), credentials=credentials(), resolve=Resolve(schemes=DOUBLE))
        assert loaded == {f"k{n}": [f"json/{n // 3}", "7"] for n in range(24)}
        assert sorted(store.calls) == [f"json/{n}" for n in range(8)]

    def test_not_too_many_at_once(
        self, seal: Callable[..., str], credentials: Callable[..., Credentials], store: Store
    ) -> None:
        now, peak = set(), 0
        lock = threading.Lock()

        def meanwhile(path: str) -> None:
            nonlocal peak
            with lock:
                now.add(path)
                peak = max(peak, len(now))
            time.sleep(0.002)
            with lock:
                now.discard(path)

        store.meanwhile = meanwhile
        tree = [f"ref+double://{n}" for n in range(100)]
        loaded = api.loads(seal({"a": tree}), credentials=credentials(), resolve=Resolve(schemes=DOUBLE))
        assert loaded == {"a": [f"<{n}>" for n in range(100)]}
        assert 2 <= peak <= 16

    def test_once_for_many_files(
        self, seal: Callable[..., str], credentials: Callable[..., Credentials], store: Store, tmp_path: Path
    ) -> None:
        paths = []
        for number in range(5):
            path = tmp_path / f"f{number}.yaml"
            path.write_text(seal({"same": "ref+double://same", "own": f"ref+double://{number}"}))
            paths.append(path)
        rules = Resolve(schemes=DOUBLE)
        loaded = encconf.load_configs(paths, credentials=credentials(), resolve=rules)
        assert loaded == [{"same": "<same>", "own": f"<{n}>"} for n in range(5)]
        assert sorted(store.calls) == ["0", "1", "2", "3", "4", "same"]
        paths[3].write_text(seal({"x": ["ref+double://no/1", "fine"]}))
        paths[4].write_text(seal({"y": "ref+double://no/2"}))
        with pytest.raises(UnresolvedError) as caught:
            encconf.load_configs(paths, credentials=credentials(), resolve=rules)
        assert caught.value.file is None
        assert f"\n  {paths[3]}: x[0]  double:no/1  denied" in caught.value.message
        assert f"\n  {paths[4]}: y  double:no/2  denied" in caught.value.message
        with pytest.raises(UnresolvedError) as caught:
            encconf.load_configs(paths[:4], credentials=credentials(), resolve=rules)
        assert caught.value.file == str(paths[3])

    def test_load_config_names_the_file(
        self, seal: Callable[..., str], credentials: Callable[..., Credentials], store: Store, tmp_path: Path
    ) -> None:
        path = tmp_path / "app.enc.yaml"
        path.write_text(seal({"a": "ref+double://no/x"}))
        with pytest.raises(UnresolvedError) as caught:
            encconf.load_config(path, credentials=credentials(), resolve=Resolve(schemes=DOUBLE))
        assert str(caught.value) == (
            f"{path}: its only reference could not be resolved\n"
            "  a  double:no/x  denied, and s3cret is not told"
        )
        assert caught.value.hint == "ask for it"
        assert caught.value.slug == "reference"

    def test_slow_ones_keep_nobody_waiting(
        self, seal: Callable[..., str], credentials: Callable[..., Credentials], store: Store
    ) -> None:
        ever = threading.Event()

        def hang(path: str) -> None:
            if path.startswith("slow"):
                ever.wait(60)

        store.meanwhile = hang
        tree = {"a": "ref+double://fast", "b": "ref+double://slow/1", "c": "ref+double://slow/2#/x"}
        begun = time.monotonic()
        try:
            with pytest.raises(UnresolvedError) as caught:
                api.loads(
                    seal(tree), credentials=credentials(), resolve=Resolve(schemes=DOUBLE, call_timeout=0.1)
                )
            assert (
                "\n  b  double:slow/1  no answer within 0.1 s\n  c  double:slow/2#x" in caught.value.message
            )
            assert "fast" not in caught.value.message
            many = {"a": [f"ref+double://slow/{n}" for n in range(3, 40)]}
            with pytest.raises(UnresolvedError, match=r"37 of 37 .*\n.*no answer within 0\.2 s for all"):
                api.loads(seal(many), credentials=credentials(), resolve=Resolve(schemes=DOUBLE, timeout=0.2))
        finally:
            ever.set()
        assert time.monotonic() - begun < 20

    def test_a_bug_in_a_source_is_no_silence(
        self, seal: Callable[..., str], credentials: Callable[..., Credentials], store: Store
    ) -> None:
        def meanwhile(path: str) -> None:
            raise ZeroDivisionError

        store.meanwhile = meanwhile
        with pytest.raises(ZeroDivisionError):
            api.loads(
                seal({"a": "ref+double://x"}), credentials=credentials(), resolve=Resolve(schemes=DOUBLE)
            )


class TestAllowed:
    def failure(self, sealed: str, made: Credentials, rules: Resolve | bool = True) -> str:
        with pytest.raises(UnresolvedError) as caught:
            api.loads(sealed, credentials=made, resolve=rules)
        return f"{caught.value.message}\n{caught.value.hint}"

    def test_every_scheme_was_thought_about(self) -> None:
        """A new one is added to `ASKED`, or to those that only hand out what this user has."""
        assert set(sources.TABLE) <= {*ASKED, "cmd", "env", "file", "keyring"}

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
        with pytest.raises(
            UsageError, match="ENCCONF_REF_ALLOW: there is no reference scheme 'evn'"
        ) as caught:
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
            ("systemd", "env://A", False),
        ],
    )
    def test_beginnings(self, entry: str, address: str, allowed: bool) -> None:
        assert Resolve(schemes=[entry]).allows(sources.parse(address)) is allowed

    def test_rules_that_cannot_be(self) -> None:
        with pytest.raises(UsageError, match="there is no reference scheme 'fil'") as caught:
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
        keys = reference_rules.key_addresses(made)
        with pytest.raises(SourceError, match="it is a key that opens files"):
            reference_rules.checked(address.replace("HOME", str(home)), rules, made, keys)
        for other in ("vault:secret/me/ages#key", "vault:secret/you/age#key", f"file:{home}/keys"):
            reference_rules.checked(other, rules, made, keys)

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
    def test_b5_whose_secrets_and_as_whom_is_not_the_file_s_to_choose(
        self, credentials: Callable[..., Credentials], address: str, variable: str
    ) -> None:
        def check(choice: str, *schemes: str) -> None:
            made = credentials(**{variable: "mine"})
            reference_rules.checked(address.replace("CHOICE", choice), Resolve(schemes=schemes), made, set())

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

    def test_b5_a_folder_is_not_left_by_its_links(
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
            reference_rules.checked(address, Resolve(), credentials(), set())
        made = credentials(CONJUR_APPLIANCE_URL="https://c.example.com/conjur")
        reference_rules.checked(address, Resolve(), made, set())
        address = "conjur:x?address=https://d.example.com"
        with pytest.raises(SourceError, match=r"references may not name the server https://d\.example\.com"):
            reference_rules.checked(
                address, Resolve(), credentials(SOPS_HC_VAULT_ALLOWLIST="https://d.example.com"), set()
            )
        made = credentials(ENCCONF_CONJUR_ALLOWLIST="https://d.example.com")
        reference_rules.checked(address, Resolve(), made, set())

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
        odd = seal({"a": "ref+double://x?address=https://good@evil/"})
        assert "references may not name the server https://good@evil/" in self.failure(
            odd, credentials(), Resolve(schemes=DOUBLE, hosts=["good", "evil"])
        )
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
        made = reference_rules.widened(credentials(SOPS_HC_VAULT_ALLOWLIST=now), Resolve(hosts=["h"]))
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


class TestHostile:
    def test_too_many(
        self, seal: Callable[..., str], credentials: Callable[..., Credentials], store: Store
    ) -> None:
        rules = Resolve(schemes=DOUBLE)
        just = seal({"a": "ref+double://x+" * references.LIMIT})
        assert api.loads(just, credentials=credentials(), resolve=rules) == {"a": "<x>" * references.LIMIT}
        store.calls.clear()
        with pytest.raises(UnresolvedError, match="there are more than 1000 references"):
            api.loads(seal({"a": ["ref+double://x+" * 600] * 2}), credentials=credentials(), resolve=rules)
        assert store.calls == []

    def test_too_large(
        self, seal: Callable[..., str], credentials: Callable[..., Credentials], tmp_path: Path
    ) -> None:
        rules = Resolve(schemes=["file"])
        path = tmp_path / "big"
        path.write_bytes(b"x" * references.VALUE_LIMIT)
        made = credentials()
        sealed = seal({"a": f"ref+file://{path}"})
        assert len(str(api.loads(sealed, credentials=made, resolve=rules)["a"])) == references.VALUE_LIMIT
        with pytest.raises(UnresolvedError, match="are larger than 64 MiB"):
            api.loads(seal({"a": f"ref+file://{path}+" * 65}), credentials=made, resolve=rules)
        path.write_bytes(b"x" * (references.VALUE_LIMIT + 1))
        with pytest.raises(UnresolvedError, match=r"a  file:.*  the value is larger than 1024 KiB"):
            api.loads(sealed, credentials=credentials(), resolve=rules)

    def test_what_is_no_text(
        self, seal: Callable[..., str], credentials: Callable[..., Credentials], tmp_path: Path
    ) -> None:
        (tmp_path / "bytes").write_bytes(b"\xff\xfe")
        sealed = seal(
            {"a": f"ref+file://{tmp_path}/bytes", "b": f"ref+file://{tmp_path}/bytes?encode=base64"}
        )
        with pytest.raises(UnresolvedError, match=r"1 of 2 .*\n  a  .*the value is not UTF-8 text"):
            api.loads(sealed, credentials=credentials(), resolve=Resolve(schemes=["file"]))

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("ref+double://a/ref+double://b", "a reference inside a reference is not resolved"),
            ("ref+double://secretref+double://b#/x", "a reference inside a reference is not resolved"),
            ("ref+dubble://a", "there is no source called dubble"),
            ("ref+double://a?versoin=1", "double: has no setting versoin"),
            ("x ref+s3://bucket/key#/a y", "there is no source called s3"),
            ("ref+double://no/%0A%1b[2Jx", "double:no/??[2Jx  denied"),
            ("ref+double://json/a#/%0anone", "has no field ?none"),
            ("ref+double://json/a#/deep/c", "has no field deep/c"),
        ],
    )
    def test_addresses(
        self,
        seal: Callable[..., str],
        credentials: Callable[..., Credentials],
        store: Store,
        text: str,
        said: str,
    ) -> None:
        with pytest.raises(UnresolvedError) as caught:
            api.loads(seal({"a": text}), credentials=credentials(), resolve=Resolve(schemes=DOUBLE))
        assert said in caught.value.message
        assert "\x1b" not in caught.value.message
        assert caught.value.message.count("\n") == 1

    def test_no_value_is_shown(
        self, seal: Callable[..., str], credentials: Callable[..., Credentials]
    ) -> None:
        sealed = seal(
            {"a": "pa55 ref+env://A+ pa56", "b": "ref+env://B?fallback=f4llback", "c": "ref+env://C"}
        )
        with pytest.raises(UnresolvedError) as caught:
            api.loads(sealed, credentials=credentials(A="v4lue"), resolve=ENV)
        report = f"{caught.value!r} {caught.value} {caught.value.hint}"
        assert "env:C" in report
        for secret in ("pa55", "pa56", "v4lue", "f4llback"):
            assert secret not in report
        assert repr(Resolve(schemes=["vault"], hosts=["h:1"])) == (
            "Resolve(schemes=('vault',), hosts=['https://h:1'], timeout=30, call_timeout=20)"
        )

    def test_long_texts_take_no_time(
        self, seal: Callable[..., str], credentials: Callable[..., Credentials], store: Store
    ) -> None:
        texts = [
            "ref+" * 200_000,
            "ref+a" * 150_000,
            "ref+" + "a" * 800_000,
            'ref+double://"' + '",' * 400_000,
        ]
        begun = time.process_time()
        for text in texts:
            assert reference_text.pieces(text)
        assert time.process_time() - begun < 5


# --- a real OpenBao --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bao() -> Iterator[OpenBao]:
    with OpenBao() as server:
        server.root.sys.enable_secrets_engine("kv", path="old/kv", options={"version": "1"})
        kv = server.root.secrets.kv
        kv.v2.create_or_update_secret("app", {"password": "first"})
        kv.v2.create_or_update_secret("app", {"password": "hunter2", "port": 5432, "deep": {"x": ["y"]}})
        kv.v2.create_or_update_secret("other", {"token": "t0ken", "ca": "-----BEGIN CERTIFICATE-----\nx\n"})
        kv.v1.create_or_update_secret("app", {"password": "old one"}, mount_point="old/kv")
        yield server


READ = (("secret/data/*", "read"), ("old/kv/*", "read"))


@pytest.mark.services
class TestOpenBao:
    @pytest.fixture
    def made(self, bao: OpenBao, credentials: Callable[..., Credentials]) -> Callable[..., Credentials]:
        def with_token(*rules: tuple[str, str], **environ: str) -> Credentials:
            token = bao.token(*(rules or READ))
            return credentials(
                **{"VAULT_ADDR": bao.address, "VAULT_TOKEN": token, "HOME": "/nonexistent", **environ}
            )

        return with_token

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("ref+vault://secret/data/app#/password", "hunter2"),
            ("ref+vault://secret/app#/password", "hunter2"),
            ("ref+vault://secret/app/password", "hunter2"),
            ("ref+vault://secret/data/app/password", "hunter2"),
            ("ref+openbao://secret/data/app#/password", "hunter2"),
            ("secretref+vault://secret/data/app#/password+", "hunter2"),
            ("ref+vault:secret/app#password", "hunter2"),
            ("ref+vault://secret/data/app?version=1#/password", "first"),
            ("ref+vault://secret/data/app?proto=http#/password", "hunter2"),
            ("ref+vault://secret/data/app?address=ADDRESS#/password", "hunter2"),
            ("ref+vault://secret/data/app#/port", "5432"),
            ("ref+vault://secret/data/app#/deep/x/0", "y"),
            ("ref+vault://secret/data/app#/deep", '{"x":["y"]}'),
            ("ref+vault://secret/data/none?fallback=z#/x", "z"),
            ("ref+vault://old/kv/app#/password", "old one"),
            ("ref+vault://secret/data/other#/ca", "-----BEGIN CERTIFICATE-----\nx\n"),
            (
                "postgres://app:ref+vault://secret/data/app#/password+@db:ref+vault://secret/app#/port+/x",
                "postgres://app:hunter2@db:5432/x",
            ),
        ],
    )
    def test_values(
        self,
        seal: Callable[..., str],
        made: Callable[..., Credentials],
        bao: OpenBao,
        text: str,
        expected: str,
    ) -> None:
        sealed = seal({"a": {"b": [text.replace("ADDRESS", bao.address)]}})
        assert api.loads(sealed, credentials=made(), resolve=True) == {"a": {"b": [expected]}}

    def test_one_call_for_each_secret(
        self, seal: Callable[..., str], bao: OpenBao, credentials: Callable[..., Credentials], tmp_path: Path
    ) -> None:
        """The token is good for three requests: what kind of mount it is, and two secrets."""
        paths = []
        for number in range(6):
            tree = [f"ref+vault://secret/data/{name}#/{field}" for name, field in
                    (("app", "password"), ("app", "port"), ("other", "token"))]  # fmt: skip
            paths.append(tmp_path / f"{number}.yaml")
            paths[-1].write_text(seal({"a": tree * 5}))
        bao.token(*READ)
        policy = bao.root.sys.list_policies()["data"]["keys"]
        made = bao.root.auth.token.create(
            policies=[name for name in policy if name.startswith("policy-")], num_uses=3
        )
        environ = {"VAULT_ADDR": bao.address, "VAULT_TOKEN": made["auth"]["client_token"]}
        loaded = encconf.load_configs(paths, credentials=credentials(**environ), resolve=True)
        assert loaded == [{"a": ["hunter2", "5432", "t0ken"] * 5}] * 6
        with pytest.raises(UnresolvedError):  # and now it is used up
            encconf.load_config(paths[0], credentials=credentials(**environ), resolve=True)

    def failure(self, sealed: str, made: Credentials, rules: Resolve | bool = True) -> str:
        with pytest.raises(UnresolvedError) as caught:
            api.loads(sealed, credentials=made, resolve=rules)
        report = f"{caught.value.message}\n{caught.value.hint}"
        for secret in ("hunter2", "t0ken", "root-token", made.environ.get("VAULT_TOKEN", "none")):
            assert secret not in report
        return report

    def test_wrong_missing_denied_expired(
        self, seal: Callable[..., str], made: Callable[..., Credentials]
    ) -> None:
        fine = {"fine": "ref+vault://secret/data/app#/password"}
        said = self.failure(seal({**fine, "db": {"pw": "ref+vault://secret/data/none#/x"}}), made())
        assert said.startswith("1 of 2 references could not be resolved\n  db.pw  vault:secret/data/none#x  ")
        assert "Vault has no such secret" in said
        said = self.failure(seal({**fine, "b": "ref+vault://secret/data/app#/nope"}), made())
        assert "\n  b  vault:secret/data/app#nope  the secret has no field nope" in said
        said = self.failure(seal({**fine, "c": "ref+vault://secret"}), made())
        assert "\n  c  vault:secret  " in said
        said = self.failure(seal(fine), made(("secret/data/other", "read")))
        assert said.startswith(
            "its only reference could not be resolved\n  fine  vault:secret/data/app#password"
        )
        assert "read on secret/data/app" in said
        said = self.failure(seal(fine), made(VAULT_TOKEN="s.0123456789"))
        assert "the Vault token is not valid, or has expired" in said

    def test_unreachable_and_slow(self, seal: Callable[..., str], made: Callable[..., Credentials]) -> None:
        sealed = seal({"a": "ref+vault://secret/data/app#/password"})
        with socket.create_server(("127.0.0.1", 0)) as silent:
            port = silent.getsockname()[1]
            begun = time.monotonic()
            where = {"VAULT_ADDR": f"http://127.0.0.1:{port}"}
            said = self.failure(sealed, made(**where), Resolve(call_timeout=0.3))
            assert "  a  vault:secret/data/app#password  no answer within 0.3 s" in said
            assert time.monotonic() - begun < 10
        said = self.failure(sealed, made(**where))
        assert "Connection refused" in said

    def test_no_other_server_gets_the_token(
        self, seal: Callable[..., str], made: Callable[..., Credentials]
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as evil:
            evil.settimeout(0.3)
            address = f"http://127.0.0.1:{evil.getsockname()[1]}"
            for spelled in (
                address,
                f"{address}/",
                f"http://x@{address[7:]}",
                address.replace("127.0.0.1", "localhost"),
            ):
                sealed = seal({"a": f"ref+vault://secret/data/app?address={spelled}#/password"})
                said = self.failure(sealed, made())
                assert "references may not name the server" in said
            with pytest.raises(TimeoutError):
                evil.accept()


# --- the command line ------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path, home: Path) -> Project:
    made = Project(tmp_path, home, AgeKey.generate())
    made.rules()
    made.environ.update({"APP_PW": "p$w 'x'", "ENCCONF_REF_ALLOW": "env:APP_"})
    tree = {
        "db": {"pw": "ref+env://APP_PW", "url": "x:ref+env://APP_PW+@h"},
        "other": {"no": "ref+env://HOME"},
    }
    made.write("s.json", json.dumps(tree))
    made.run("encrypt", "-i", "s.json")
    return made


class TestCommandLine:
    SHOW = (sys.executable, "-c", "import os; print(os.environ.get('DB_PW', os.environ.get('PW')))")

    def test_exec(self, project: Project) -> None:
        assert project.run("exec", "s.json", "--", *self.SHOW).out == "ref+env://APP_PW\n"
        done = project.run("exec", "--resolve", "--section", "db", "s.json", "--", *self.SHOW)
        assert done.out == "p$w 'x'\n"

    def test_what_may_not_be_resolved_starts_no_program(self, project: Project) -> None:
        done = project.run("exec", "--resolve", "s.json", "--", "touch", "ran", code=1)
        assert done.err == (
            "encconf: error[reference]: s.json: 1 of 3 references could not be resolved\n"
            "  other.no  references to env: are not allowed here\n"
            "encconf: hint: to allow them: ENCCONF_REF_ALLOW=env, or "
            "resolve=Resolve(schemes=[…])\n"
        )
        assert not project.path("ran").exists()

    def test_export(self, project: Project) -> None:
        done = project.run("export", "--resolve", "--format", "json", "--section", "db", "s.json")
        assert json.loads(done.out) == {"PW": "p$w 'x'", "URL": "x:p$w 'x'@h"}
        assert "ref+env" in project.run("export", "--format", "json", "s.json").out
        project.run("export", "--resolve", "--format", "dotenv", "-o", "out.env", "s.json", code=1)
        assert not project.path("out.env").exists()

    def test_get(self, project: Project) -> None:
        assert project.run("get", "s.json", "db.pw").out == "ref+env://APP_PW"
        assert project.run("get", "--resolve", "s.json", "db.pw").out == "p$w 'x'"
        done = project.run("get", "--resolve", "--json", "s.json", "db")
        assert json.loads(done.out) == {"pw": "p$w 'x'", "url": "x:p$w 'x'@h"}
        assert "  other.no  " in project.run("get", "--resolve", "s.json", code=1).err
        environ = {"ENCCONF_REF_ALLOW": "env"}
        done = project.run("get", "--resolve", "s.json", environ=environ)
        assert json.loads(done.out)["other"] == {"no": str(project.home)}
        project.run("get", "--resolve", "--ignore-mac", "s.json", "db.pw", code=8)

    @pytest.mark.parametrize("name", ["l.yaml", "l.toml", "l.json"])
    def test_an_index_from_the_end(self, project: Project, name: str) -> None:
        text = 'l = ["a", "ref+env://APP_PW"]\n' if name == "l.toml" else '{"l": ["a", "ref+env://APP_PW"]}'
        project.write(name, text)
        project.run("encrypt", "-i", name)
        for path in ("l[1]", "l[-1]"):
            assert project.run("get", "--resolve", name, path).out == "p$w 'x'"
        assert project.run("get", "--resolve", name, "l[0]").out == "a"
