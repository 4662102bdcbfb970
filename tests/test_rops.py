"""Files as rops writes them: without a version, and without a rule if everything is encrypted."""

from __future__ import annotations

import engine
import pytest
from engine import rotated, with_members
from oracle import FIXTURES, AgeKey, Sops

from encconf import SOPS_VERSION, api, formats
from encconf.engine.metadata import Metadata
from encconf.identities.credentials import Credentials
from encconf.keys.age import AgeKey as Recipient
from encconf.rules.config import Rule
from encconf.rules.selection import DEFAULT, EVERYTHING
from encconf.verbs import rekey

ALICE = AgeKey.load(FIXTURES / "keys" / "alice.txt")
ALICE_S = Recipient.from_config(ALICE.recipient)
CREDENTIALS = Credentials.from_env({"SOPS_AGE_KEY": ALICE.identity})
PLAIN = {
    "yaml": "a_unencrypted: x\n",
    "json": '{\n\t"a_unencrypted": "x"\n}\n',
    "dotenv": "a_unencrypted=x\n",
    "ini": "[s]\na_unencrypted = x\n",
    "toml": 'a_unencrypted = "x"\n',
}


def as_rops(format: str) -> str:
    """Return a text as rops writes it, without a rule and a version."""
    enc = api.encrypt(PLAIN[format], Rule([[ALICE_S]], None, EVERYTHING), format=format)
    return with_members(enc, format, {"unencrypted_suffix": None, "version": None})


@pytest.mark.parametrize("format", PLAIN)
def test_no_rule_and_no_version_means_everything(format: str) -> None:
    text = as_rops(format)
    assert "unencrypted_suffix" not in text
    assert api.decrypt(text, format=format, credentials=CREDENTIALS) == PLAIN[format]
    assert Metadata.of(formats.get(format).scan(text)).selection == EVERYTHING


@pytest.mark.parametrize("format", PLAIN)
def test_no_rule_and_a_version_is_sops_s_default(format: str) -> None:
    text = with_members(as_rops(format), format, {"version": "3.9.0"})
    assert Metadata.of(formats.get(format).scan(text)).selection == DEFAULT


@pytest.mark.parametrize("format", PLAIN)
def test_any_write_adds_the_version(format: str) -> None:
    text = as_rops(format)
    path = ("s", "b") if format == "ini" else ("b",)
    other = Recipient.from_config(AgeKey.generate().recipient)
    plan = rekey.plan(text, Rule([[ALICE_S, other]]), format=format)
    for new in (
        engine.change(text, format, (path, "y"), credentials=CREDENTIALS),
        rotated(text, format=format, credentials=CREDENTIALS),
        rekey.carry_out(plan, rotate=False, credentials=CREDENTIALS),
    ):
        metadata = Metadata.of(formats.get(format).scan(new))
        assert (metadata.version, metadata.selection) == (SOPS_VERSION, EVERYTHING)
        if format != "toml":
            assert "x" in Sops(ALICE.environ()).decrypt(new, format)
