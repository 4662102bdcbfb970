"""Which values show that the author of a file knew our secrets."""

from __future__ import annotations

import pytest
from engine import credentials, rule
from oracle import AgeKey

from encconf import api
from encconf.engine.opening import open_text
from encconf.engine.reuse import author_knew, is_hard_to_guess
from encconf.engine.sealing import scan_plain

CERTIFICATE = "-----BEGIN CERTIFICATE-----\\nMIIBszCCAVmgAwIBAgIUabc9\\n-----END CERTIFICATE-----"


@pytest.mark.parametrize(
    ("line", "hard"),
    [
        ("password: kW8vQz2LrT", True),
        ("db: {password: hunter2}", True),
        ("API_TOKEN: correct horse battery", True),
        ("password: hunt2", False),  # too short
        ("password: aZ3!qa", True),  # just long enough, with just enough different letters
        ("password: aZ3!aZ", False),
        ("key: abcdefghi1abcdefghi1", True),  # the same
        ("key: abcdefgh1abcdefgh1", False),
        ("password: AIzaSyD3kW8vQz2LrTpX4mYt7QsB", False),  # a key for browsers
        ("password: pk_live_kW8vQz2LrTpX4mYt7QsB", False),
        ("password: aaaaaaaaa", False),
        ("password: changeme42", False),
        ("password: password1", False),
        ("password: postgres", False),
        ("password: your-password-here", False),
        ('password: "${DB_PASSWORD}"', False),
        ("password: ref+vault://secret/app#/x", False),
        ("password: 1729384756", False),  # a number
        ("host: db.internal.example.com", False),
        ("url: postgres://localhost:5432/app", False),
        ("region: eu-central-1", False),
        ("key: 9f86d081884c7d659a2feaa0c55ad015", True),
        ("key: a1b2a1b2a1b2a1b2a1b2", False),
        ("digest: sha256:9f86d081884c7d659a2feaa0c55ad015", False),
        ("pin: kW8vQz2LrT", False),  # neither its name nor its length says that it is a secret
        ("account: '123456789012345678901234'", False),
        ("words: abcdefghijklmnopqrstuvwxyz", False),
        (f'tls: "{CERTIFICATE}"', False),
        ("tls: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUJz", False),
        ("tls: LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tCk1JSUJz9", True),
        ("ssh: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDuDK4", False),
        ("recipient: age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p", False),
        ("access_key: AKIAIOSFODNN7ABCDEFG", False),
        ("password: null", False),
        ('password: ""', False),
    ],
)
def test_what_is_hard_to_guess(line: str, hard: bool) -> None:
    leaves = scan_plain(f"{line}\n", "yaml").leaves
    assert [is_hard_to_guess(leaf) for leaf in leaves] == [hard]


ONE, TWO, THREE = "kW8vQz2LrT", "pX4mYt7QsB", "zR6nHd3VwC"


def secrets(*values: str, more: str = "") -> str:
    return "".join(f"app{at}: {{token: {value}}}\n" for at, value in enumerate(values) if value) + more


@pytest.mark.parametrize(
    ("old", "new", "knew"),
    [
        (secrets(ONE), secrets(ONE, more="port: 1\n"), True),
        (secrets(ONE), secrets(TWO), False),
        (secrets(ONE, TWO), secrets(ONE, THREE), True),
        (secrets(ONE), secrets(ONE, TWO), True),
        (secrets(ONE), secrets(ONE, TWO, THREE), False),  # somebody found one of three
        (secrets("", ONE), secrets(ONE), False),  # at another place
        ("a: 1\nhost: db.example.com\n", "a: 2\nhost: db.example.com\n", False),
        (f"a_unencrypted: {{token: {ONE}}}\n", f"a_unencrypted: {{token: {ONE}}}\nb: 1\n", False),
        ("", "", False),
    ],
    ids=map(str, range(9)),
)
def test_the_secrets_of_most_places_show_the_author(age_key: AgeKey, old: str, new: str, knew: bool) -> None:
    opens = credentials(age_key)
    text = api.encrypt(old + "x: 1\n", rule(age_key), credentials=opens)
    opened = open_text(text, format="yaml", credentials=opens)
    assert author_knew(opened, scan_plain(new + "x: 1\n", "yaml")) is knew
