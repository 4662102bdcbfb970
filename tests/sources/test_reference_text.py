"""What of a text is a reference to a secret, in vals' form or in encconf's own."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sources.store import DOUBLE, ENV, Store

from encconf import api, sources
from encconf.errors import UnresolvedError
from encconf.identities.credentials import Credentials
from encconf.sources import references
from encconf.sources.references import Resolve


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
            ("ref+double://a+https://b/c", "<a>https://b/c"),
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
        ((literal, address),) = references.pieces(text)
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
                ((_, address),) = references.pieces(f"{prefix}{text}{end}")
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
