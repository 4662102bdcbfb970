"""Files that the real sops wrote: encconf opens and changes them as sops does."""

from __future__ import annotations

import json

import engine
import pytest
from engine import credentials, rule
from oracle import AgeKey, Sops

from encconf import api
from encconf.engine import changes
from encconf.errors import MacMismatchError


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\n---\nb: 1\nb: 2\n",
        "a: 1\n---\nb:\n  x: 1\nb: 3\nl: [{c: 1, c: 2}]\n? d\n: 1\nd: 2\n",
        "a: b\n---\n",
        "a: b\n---\n# c\n",
        "a: b\n---\n---\nc: d\n",
        "{}\n",
    ],
)
def test_later_documents(text: str, sops: Sops, age_key: AgeKey) -> None:
    encrypted = sops.encrypt(text, "yaml", age=age_key.recipient)
    assert api.decrypt(encrypted, format="yaml", credentials=credentials(age_key)) == sops.decrypt(
        encrypted, "yaml"
    )


def test_the_last_value_of_a_key_counts(sops: Sops, age_key: AgeKey) -> None:
    who = credentials(age_key)
    members = "b: 1\nb: 2\nd: {e: 3}\nd: 4\n"
    encrypted = sops.encrypt(f"a: 1\n---\n{members}", "yaml", age=age_key.recipient)
    assert api.loads_all(encrypted, credentials=who) == [{"a": 1}, {"b": 2, "d": 4}]
    encrypted = sops.encrypt('{"b": 1, "b": 2, "d": {"e": 3}, "d": 4}', "json", age=age_key.recipient)
    assert api.loads(encrypted, format="json", credentials=who) == {"b": 2, "d": 4}


@pytest.mark.parametrize(
    "text",
    [
        "[DEFAULT]\na = 1\n\n[s]\nb = 2\n",
        "# top\na = 1\n# two\n[s]\nb = 2\n",
        "a = 1\n[s]\nb = 2\n[DEFAULT]\n",
    ],
)
def test_unset_the_last_key_of_default(text: str, sops: Sops, age_key: AgeKey) -> None:
    who = credentials(age_key)
    for encrypted in (
        sops.encrypt(text, "ini", age=age_key.recipient),
        api.encrypt(text, rule(age_key), format="ini", credentials=who),
    ):
        changed = engine.change(encrypted, "ini", (("DEFAULT", "a"), changes.REMOVED), credentials=who)
        said = sops.decrypt(changed, "ini", "--output-type", "json")
        assert json.loads(said, object_pairs_hook=list) == [("DEFAULT", []), ("s", [("b", "2")])]
        assert api.loads(changed, format="ini", credentials=who) == {"s": {"b": "2"}}


@pytest.mark.parametrize("value", ["p#q", "#fff", "a ; b", '"quoted"', "one\ntwo"])
def test_a_value_beside_indented_ones(value: str, sops: Sops, age_key: AgeKey) -> None:
    """configparser knows no quotes, so the new value has none."""
    who = credentials(age_key)
    text = api.encrypt("[s]\na =\n    x\nk = 1\n\n[e]\n", rule(age_key), format="ini", credentials=who)
    for path in (("s", "k"), ("s", "new"), ("e", "new"), ("n", "new")):
        text = engine.change(text, "ini", (path, value), credentials=who)
    wanted = {"s": {"a": "\nx", "k": value, "new": value}, "e": {"new": value}, "n": {"new": value}}
    assert api.loads(text, format="ini", credentials=who) == wanted
    if '"' not in value:
        assert json.loads(sops.decrypt(text, "ini", "--output-type", "json")) == {"DEFAULT": {}, **wanted}


@pytest.mark.parametrize("added", ["pw: ''\n", "pw: {}\n", "pw:\n"])
def test_a_document_of_empty_values_that_anyone_can_add(added: str, sops: Sops, age_key: AgeKey) -> None:
    enc = sops.encrypt("pw: x\n", "yaml", age=age_key.recipient)
    block = enc[enc.index("sops:") :]
    for changed in (f"{enc}---\n{added}", f"{added}{block}---\n{enc.removesuffix(block)}"):
        assert "pw: x" in sops.decrypt(changed, "yaml")
        with pytest.raises(MacMismatchError, match="has only empty values"):
            api.loads_all(changed, credentials=credentials(age_key))
