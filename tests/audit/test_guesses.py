"""Was a plaintext file meant to be encrypted, and does it hold anything to hide?"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

import pytest
from audit.repo import BOB, DATABASE, Repo, rule, seal

from encconf import formats
from encconf.audit import guesses
from encconf.keys import agepq
from encconf.text.document import Document, Leaf
from encconf.text.path import spell


def test_folders_of_tests_and_what_was_left_behind(repo: Repo) -> None:
    other = seal(DATABASE, rule(BOB))
    for folder in ("testdata", "_archive", "live"):
        repo.write(f"{folder}/a.enc.yaml", other)
    assert repo.said() == {
        "testdata/a.enc.yaml": ("keys-differ", "warning"),
        "_archive/a.enc.yaml": ("keys-differ", "warning"),
        "live/a.enc.yaml": ("keys-differ", "error"),
    }


@pytest.mark.parametrize(
    ("name", "says", "read"),
    [
        ("secrets.yaml", True, False),
        ("web/secrets/db.yaml", True, False),
        ("a.enc.yaml", True, False),
        ("values.yaml", False, False),
        ("secretary/notes.yaml", False, False),
        ("secrets.example.yaml", True, True),
        ("secret.yaml.j2", True, True),
        ("secrets/id.pub", True, True),
        (".env.sample", False, True),
        (".gitignore", False, True),
        ("a/.gitattributes", False, True),
        (".gitlab.yaml", False, False),
        ("x.gitignore", False, False),
        ("my-secret.yaml", True, False),
        ("my.SECRET.json", True, False),
        ("app_secret.env", True, False),
        ("secretive.yaml", False, False),
        ("mysecret.yaml", False, False),
        ("a-secret", False, False),
    ],
)
def test_what_names_say(name: str, says: bool, read: bool) -> None:
    assert (guesses.says_secret(name), guesses.is_public(name)) == (says, read)


def test_an_ssh_key_and_its_passphrase(repo: Repo) -> None:
    for name, words, cipher in (
        ("open", "", "aes256-ctr"),
        ("locked", "correct horse", "aes256-ctr"),
        ("locked too", "correct horse", "chacha20-poly1305@openssh.com"),
    ):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", words, "-Z", cipher]
        subprocess.run([*command, "-f", str(repo.folder / name)], check=True)
    assert repo.said() == {"open": ("private-key", "error")}


def test_a_post_quantum_identity(repo: Repo) -> None:
    repo.write("keys.txt", f"# mine\n{agepq.Identity.generate().secret()}\n")
    assert repo.said() == {"keys.txt": ("private-key", "error")}


def test_comments_for_programs(repo: Repo) -> None:
    repo.write(
        "a.enc.yaml", "# yaml-language-server: $schema=x\n# vim: ft=yaml\n" + seal("a: correct horse\n")
    )
    assert repo.only("plain-comment") == []


def test_objects_are_distinguished_without_parsing() -> None:
    one = b"apiVersion: v1\nkind: ConfigMap\ndata: {a: b}\n"
    assert guesses.only_other_objects(one)
    assert guesses.only_other_objects(b"---\n" + one + b"---\n" + one)
    assert not guesses.only_other_objects(one + b"---\n" + one.replace(b"ConfigMap", b"Secret"))
    assert not guesses.only_other_objects(one + b"---\npassword: x\n")
    assert not guesses.only_other_objects(b"password: x\n")
    assert not guesses.only_other_objects(one + b"---\n" + one.replace(b"ConfigMap", b"SopsSecret"))
    assert not guesses.only_other_objects(b"a: 1\n---\nb: 2\n")


def test_names_without_their_mark() -> None:
    for name, plain in (
        ("x.enc.yaml", "x.yaml"),
        ("enc.x.yaml", "x.yaml"),
        (".env.sops", ".env"),
        (".enc.env", ".env"),
        ("x-sops.yaml", "x.yaml"),
        ("x.yaml", ""),
        ("encode.yaml", ""),
    ):
        assert guesses.plain_name(name) == plain, name
    assert guesses.is_public("LICENSE")
    assert guesses.is_public("kustomization.yaml")
    assert not guesses.is_public("values.yaml")
    assert [guesses.is_local(name) for name in ("a/.env.local", "testdata/a.yaml", "prod/a.yaml")] == [
        True,
        True,
        False,
    ]


def test_a_mark_is_between_dots_and_not_first() -> None:
    for name, says in (
        ("x.enc.yaml", True),
        ("x.yaml.SOPS", True),
        (".env.encrypted", True),
        ("a.enc/x.yaml", False),
        ("enc.yaml", False),
        ("sops.yaml", False),
        ("x-enc.yaml", False),
        ("x.encode.yaml", False),
    ):
        assert guesses.has_encrypted_name(name) is says, name


def test_a_value_with_the_name_of_a_secret_is_none_if_it_says_where_the_secret_is() -> None:
    """Its other values look like none: no token, no private key, no placeholder."""
    values = {
        "hunter22": True, "a b": True, "a/b": True, "x ${HOME}": False, "$1$salt$hash": True,
        "/etc/x/password": False, "./x": False, "ref+file://a x": False, "op://a/b c": False,
        "arn:x y": False, "vault:a b": False, "<x": False, "$(x": False, "": False, "change-me": False,
    }  # fmt: skip
    for value, found in values.items():
        text = f"password: {json.dumps(value)}\nplain: {json.dumps(value)}\nlist: [{json.dumps(value)}]\n"
        why = [guesses.why_secret(leaf) for leaf in formats.get("yaml").scan(text).leaves]
        assert why == ["has a name like a secret" if found else "", "", ""], value
    (number,) = formats.get("yaml").scan("password: 12345678\n").leaves
    assert not guesses.is_named_like_a_secret(number)


HIDDEN = """\
a: change-me
b: ${TOKEN}
c: correct horse
d: true
e: ""
f: "  "
g: root
password: root
h: '{"x": [null, ""]}'
i: '{"x": 1}'
j: '[1'
k: null
l: ref+vault://a#/b
"""
SECRET = """\
apiVersion: v1
kind: Secret
metadata:
  name: hunter2
data:
  a: aHVudGVyMg==
  b: Y2hhbmdlLW1l
  c: ODA4MA==
  url: cG9zdGdyZXM6Ly91OmgxOTg3QGRi
  password: YWJj
stringData:
  a: hunter2 and more
  port: "8080"
  host: db.example.com:5432
  token: abc
"""


def hidden(text: str, found: Callable[[Document], list[Leaf]]) -> list[str]:
    document = formats.get("yaml").scan(text)
    return [spell(leaf.path) for leaf in found(document)]


def test_values_that_are_worth_hiding() -> None:
    def all_hidden(document: Document) -> list[Leaf]:
        return guesses.hidden(document, document.leaves)

    assert hidden(HIDDEN, all_hidden) == ["c", "password", "i", "j"]
    assert hidden(SECRET, all_hidden)[0] == "data.a"
    assert "data.b" not in hidden(SECRET, all_hidden)
    assert hidden(SECRET.replace("Secret", "ConfigMap"), all_hidden) == []
    inner = "a:\n  apiVersion: v1\n  kind: ConfigMap\n  data: hunter2 and more\n"  # not an object
    assert hidden(inner, all_hidden) == ["a.apiVersion", "a.kind", "a.data"]
    encoded = "Y2hhbmdlLW1l"  # a placeholder in base64, which only a Kubernetes object has
    assert hidden(f"data: {encoded}\n", all_hidden) == ["data"]
    assert "stringData.x" in hidden(f"{SECRET}  x: {encoded}\n", all_hidden)
    for kind in ("1", "~", "true"):
        number = SECRET.replace("kind: Secret", f"kind: {kind}")
        assert "metadata.name" in hidden(number, all_hidden), kind
    secrets = ["data.a", "data.url", "data.password", "stringData.a", "stringData.token"]
    assert hidden(SECRET, guesses.object_secrets) == secrets
    operator = SECRET.replace("kind: Secret", "kind: SopsSecret")
    assert hidden(operator, all_hidden) == hidden(SECRET, all_hidden)
    assert guesses.holds_object_secret(SECRET.encode())
    assert not guesses.holds_object_secret(b"kind: ConfigMap\nname: Secret\n")
    assert guesses.is_placeholder(b" \n")
    assert guesses.is_placeholder(b"ICA=", in_base64=True)


def test_what_is_a_placeholder_in_base64() -> None:
    """What is no base64 is taken as it is, and base64 is decoded only where it is expected."""
    for data, plain, encoded in (
        *((b"ICA=", False, True), (b"change-me", True, True), (b"Y2hhbmdlLW1l", False, True)),
        *((b"Y2hhbmdl\nLW1l\n", False, True), (b"aHVudGVyMg==", False, False), (b"aHVudGVyMg", False, False)),
    ):
        assert guesses.is_placeholder(data) is plain, data
        assert guesses.is_placeholder(data, in_base64=True) is encoded, data


def test_which_values_of_an_object_are_its_secrets() -> None:
    """Texts in data and stringData; a template may lack the apiVersion."""
    before = hidden(SECRET, guesses.object_secrets)
    more = SECRET.replace("stringData:\n", "  number: 1234567\nother: hunter2 and more\nstringData:\n")
    assert hidden(more, guesses.object_secrets) == before
    assert hidden(SECRET.removeprefix("apiVersion: v1\n"), guesses.object_secrets) == before
    other = SECRET.replace("kind: Secret", "kind: Other").removeprefix("apiVersion: v1\n")
    assert "data.b" in hidden(other, lambda document: guesses.hidden(document, document.leaves))


def test_a_name_without_a_dot_has_no_ending() -> None:
    for name in ("py", "md", "a/pub"):
        assert not guesses.is_public(name), name
        assert guesses.is_public(f"{name}.{name.rpartition('/')[2]}"), name


def test_json_without_any_value_is_empty() -> None:
    for data in ("{}", " []", "[[], {}]", '[""]', '{"a": [null, {"b": ""}]}', "[\n]"):
        assert guesses.is_placeholder(data.encode()), data
    for data in (
        "[0]",
        "[false]",
        '{"a": "b"}',
        '[{}, ["x"]]',
        "[",
        "{",
        "[]]",
        "0",
        "[" * 100_000,
        '"" x',
        '""',
    ):
        assert not guesses.is_placeholder(data.encode()), data


def test_what_another_tool_has_encrypted() -> None:
    for start in (
        b"\0GITCRYPT\0x",
        b"$ANSIBLE_VAULT;1.1",
        b"age-encryption.org/v1",
        b" \n-----BEGIN AGE ENCRYPTED FILE-----",
        b"-----BEGIN PGP MESSAGE-----",
        b"version https://git-lfs.github.com/spec/v1",
    ):
        assert guesses.is_encrypted_otherwise(start), start
    for start in (b"", b"GITCRYPT", b"age: x", b"-----BEGIN CERTIFICATE-----"):
        assert not guesses.is_encrypted_otherwise(start), start
