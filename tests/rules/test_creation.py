"""A creation rule as it is written: shapes count when it is read, keys and patterns when it is used."""

from __future__ import annotations

from pathlib import Path

import pytest
from oracle import FIXTURES, AgeKey

from encconf.errors import BadKeyError, ConfigError, PatternError
from encconf.keys import TABLE
from encconf.rules.config import Creation, Section, compiled, settings, tree
from encconf.rules.selection import DEFAULT, KINDS, Selection

A, B = (AgeKey.load(FIXTURES / "keys" / f"{name}.txt").recipient for name in ("alice", "bob"))
ROOT = Path(__file__).resolve().parents[2]
ARN = "arn:aws:kms:eu-west-1:111122223333:key/aaaa"


def creation(text: str) -> Creation:
    return Creation(Section(tree(text)[0], "creation_rules[0]"), [])


def named(text: str) -> list[list[str]]:
    return [[key.name for key in group] for group in creation(text).key_groups()]


def test_a_rule_that_says_nothing() -> None:
    found = creation("{}")
    assert (found.path_regex, found.threshold, found.kinds, found.names_keys) == ("", 0, {}, False)
    assert found.key_groups() == [[]]
    assert found.selection() == DEFAULT


def test_a_pattern_may_be_tried_on_any_number_of_files() -> None:
    """What one compiled pattern may take altogether is limited; a repository may have many files."""
    rule = creation("path_regex: 'x{1000}y'")
    for _ in range(8000):
        assert not rule.pattern().search("secrets/a-name-of-usual-length.yaml")


def test_keys_beside_each_other_are_one_group_in_sops_s_order() -> None:
    text = f"age: '{B}, {A}, {B}'\nkms: {ARN}\naws_profile: dev\n"
    (group,) = creation(text).key_groups()
    assert [(key.TYPE, key.name) for key in group[:3]] == [("age", B), ("age", A), ("age", B)]
    assert (group[3].TYPE, group[3].to_entry()["aws_profile"]) == ("kms", "dev")


def test_key_groups_drop_repeated_keys_and_take_what_is_merged_into_them() -> None:
    text = f"""\
age: {B}
key_groups:
  - age: [{A}, {A}]
  - merge:
      - age: [{B}]
      - merge: [{{age: [{A}]}}]
    age: [{B}]
"""
    assert named(text) == [[A], [B, A]]


def test_shapes_count_when_it_is_read() -> None:
    for text, words in (
        ("path_regex: [x]", "creation_rules[0].path_regex must be a string, not a list"),
        ("shamir_threshold: two", "creation_rules[0].shamir_threshold must be an integer, not a string"),
        ("key_groups: [x]", "creation_rules[0].key_groups[0] must be a mapping, not a string"),
        ("key_groups: [{age: x}]", "creation_rules[0].key_groups[0].age must be a list, not a string"),
        ("aws_profile: {}", "creation_rules[0].aws_profile must be a string, not a mapping"),
    ):
        with pytest.raises(ConfigError) as caught:
            creation(text)
        assert caught.value.message == words


def test_keys_and_patterns_count_when_it_is_used() -> None:
    found = creation("{path_regex: '(', encrypted_regex: '(', age: nonsense, hc_vault_transit_uri: 5}")
    for use in (found.key_groups, found.pattern, found.selection):
        with pytest.raises((BadKeyError, ConfigError, PatternError)) as caught:
            use()
        assert "creation_rules[0]." in caught.value.message


def test_the_place_of_a_malformed_key() -> None:
    with pytest.raises(BadKeyError) as caught:
        creation(f"age: [{A}, nonsense]").key_groups()
    assert caught.value.message.startswith("creation_rules[0].age[1]: ")


@pytest.mark.parametrize("kind", KINDS)
def test_each_selection(kind: str) -> None:
    found = creation(f"{{{kind}: ^a, mac_only_encrypted: true}}")
    assert found.selection() == Selection(kind, "^a", True)
    with pytest.raises(ConfigError, match="only one of these"):
        creation("{encrypted_suffix: a, encrypted_regex: b}").selection()


def test_a_pattern_may_be_asked_for_file_after_file() -> None:
    """What one compiled pattern may cost is bounded, and not how many files there are."""
    found = creation("path_regex: (a|b|c|d|e|f|g|h){80}x$")
    name = "abcdefgh" * 500
    assert not any(found.pattern().search(name) for _ in range(2500))


def test_an_error_of_a_pattern_names_its_place() -> None:
    with pytest.raises(PatternError) as caught:
        compiled("creation_rules[3].path_regex", "*.yaml")
    assert caught.value.message.startswith("creation_rules[3].path_regex: ")
    assert "shell pattern" in (caught.value.hint or "")
    with pytest.raises(PatternError) as caught:
        compiled("creation_rules[3].encrypted_regex", "*.yaml")
    assert "shell pattern" not in (caught.value.hint or "")


def test_every_setting_is_known_and_others_are_reported() -> None:
    page = (ROOT / "docs" / "reference" / "sops-yaml.md").read_text(encoding="utf-8")
    assert [name for name in settings() if f"`{name}`" not in page] == []
    assert {row.member for row in TABLE.values() if row.member} < {*settings()}
    notices: list[str] = []
    known = "".join(f"{name}: ~\n" for name in settings())
    Creation(Section(tree(known)[0], "rule"), notices)
    assert notices == []
    text = "agee: x\nkey_groups: [{agee: x, merge: [{pgpp: x}]}, {kms: [{arnn: x}]}]\n"
    Creation(Section(tree(text)[0], "rule"), notices)
    assert [notice.partition(" ")[0] for notice in notices] == [
        "rule.key_groups[0].merge[0].pgpp",
        "rule.key_groups[0].agee",
        "rule.key_groups[1].kms[0].arnn",
        "rule.agee",
    ]
