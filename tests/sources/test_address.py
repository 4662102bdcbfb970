"""The address of a secret, and its parts."""

from __future__ import annotations

import pytest

from encconf import sources
from encconf.errors import SourceError
from encconf.identities.credentials import Credentials
from encconf.sources import Uri
from encconf.testing.contracts.source import failure


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("env:A", Uri("env", "A", {}, None)),
        ("ENV:A", Uri("env", "A", {}, None)),
        (" file:/a/b \n", Uri("file", "/a/b", {}, None)),
        ("file:///a/b", Uri("file", "/a/b", {}, None, vals=True)),
        ("ref+file://a/b+", Uri("file", "a/b", {}, None, vals=True)),
        ("secretref+vault://a/b#/c/d", Uri("vault", "a/b", {}, "c/d", vals=True)),
        ("ref+awssecrets://a?version_id=x#y", Uri("awssm", "a", {"version_id": "x"}, "y", vals=True)),
        ("ref+azurekeyvault://v/n", Uri("azkv", "v/n", {}, None, vals=True)),
        (
            "vault:a/b?version=3&namespace=x%26y#f%20g",
            Uri("vault", "a/b", {"version": "3", "namespace": "x&y"}, "f g"),
        ),
        ("vault:a/b#", Uri("vault", "a/b", {}, None)),
        ("env:a%20b", Uri("env", "a%20b", {}, None)),
        ("cmd:a b #c", Uri("cmd", "a b", {}, "c")),
        ("cmd:a b #/c/d", Uri("cmd", "a b", {}, "c/d")),
        ("cmd:a b#c", Uri("cmd", "a b#c", {}, None)),
        ("cmd:a ?b=c %41", Uri("cmd", "a ?b=c %41", {}, None)),
    ],
)
def test_an_address(text: str, uri: Uri) -> None:
    assert sources.parse(text) == uri
    assert hash(sources.parse(text)) == hash(uri)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("", "this is not the address of a secret", "it begins with one of env:, file:, cmd:"),
        ("hunter2", "this is not the address of a secret", "it begins with"),
        ("env:", "the name after env: is missing", "an address is env:NAME"),
        ("env:?x=y", "the name after env: is missing", "an address is env:NAME"),
        ("env:A?optoinal=true", "env: has no setting optoinal", "did you mean optional?"),
        ("env:a%00b", "the name after env: contains a NUL", "an address is env:NAME"),
        ("evn:A", "evn is not a source", "did you mean env? known sources are"),
        ("magic:A", "magic is not a source", "known sources are env, file"),
    ],
)
def test_what_is_no_address(text: str, message: str, hint: str) -> None:
    with pytest.raises(SourceError) as caught:
        sources.parse(text)
    assert caught.value.message == message
    assert str(caught.value.hint).startswith(hint)
    assert caught.value.reason == "wrong"


@pytest.mark.parametrize(
    "text",
    [
        "AGE-SECRET-KEY-1QQQQHUNTER2",
        "file:AGE-SECRET-KEY-1QQQQHUNTER2",
        "vault:x/age-secret-key-1qqqqhunter2#f",
        "AGE-PLUGIN-X-1HUNTER2",
        "-----BEGIN OPENSSH PRIVATE KEY-----hunter2",
        "vault:a/b?secret_id=hunter2",
        "conjur:a?apikey=hunter2",
        "cmd:login --password hunter2",
        "cmd:login\t--password\thunter2",
        "env:A?fallback=hunter2",
    ],
)
def test_a_secret_that_stands_in_an_address_is_not_repeated(text: str) -> None:
    refused = text.startswith(("AGE", "-"))
    if refused:
        with pytest.raises(SourceError) as caught:
            sources.parse(text)
        said = f"{caught.value!r} {caught.value} {caught.value.hint}"
    else:
        uri = sources.parse(text)
        said = f"{uri!r} {uri.label}"
        if uri.scheme in ("file", "conjur", "vault"):
            error = failure(text, Credentials({}))
            said += f"{error!r} {error} {error.hint}"
    assert "hunter2" not in said.lower()


def test_a_label_cannot_move_the_cursor() -> None:
    uri = sources.parse("file:/a%1b[2Jb#%1b[2J")
    assert uri.label == "file:/a?[2Jb#?[2J"
    assert len(sources.parse(f"file:/{'x' * 500}").label) < 130
