"""Adding a key to the rules of a `.sops.yaml`, and removing it, changes only the intended lines."""

from __future__ import annotations

import time

import pytest
from pace import at_most

from encconf.errors import BadKeyError, ConfigError, ConflictError
from encconf.testing import TestKey
from encconf.verbs import members

ALICE, BOB, CAROL, DAVE = (TestKey.generate().recipient for _ in range(4))
FINGERPRINT = "85D77543B3D624B63CEA9E6DBC17301B491B3F21"
ARN = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

# Each style: the text, and what an added key and a removed BOB change: {line: new lines}, counted from 0.
STYLES = {
    "anchors": f"""\
# Who is who
keys:
  - &alice {ALICE}
  - &bob {BOB} # laptop
creation_rules:
  - path_regex: a
    key_groups:
      - age:
          - *alice
          - *bob
  - path_regex: b   # staging
    key_groups:
    - age:
      - *alice
      - *bob
      pgp: [{FINGERPRINT}]
""",
    "anchors in groups": f"""\
keys:
  - &users:
    - &alice {ALICE}
    - &bob {BOB}
  - &hosts:
    - &web {CAROL}
creation_rules:
  - key_groups:
      - age:
        - *alice
        - *bob
        - *web
""",
    "anchors in a mapping": f"""\
keys:
  alice: &alice {ALICE}
  bob: &bob {BOB}
creation_rules:
  - key_groups:
    - age:
        - *alice
        - *bob
""",
    "aliases in brackets": f"""\
keys:
  - &alice {ALICE}
  - &bob {BOB}
creation_rules:
  - key_groups: [{{age: [*alice, *bob]}}]
""",
    "a shared list": f"""\
team: &team
  - {ALICE} # alice
  - {BOB} # bob
creation_rules:
  - path_regex: a
    age: *team
  - age: *team
""",
    "a shared text": f"""\
team: &team >-
  {ALICE},
  {BOB}
creation_rules:
  - age: *team
""",
    "commas": f"""\
creation_rules:
  - path_regex: a
    age: {ALICE},{BOB}
    encrypted_regex: ^(data|stringData)$
  - age: {ALICE}, {BOB}, {CAROL} # all
""",
    "quotes": f"creation_rules:\n  - age: '{ALICE}, {BOB}'\n  - age: \"{ALICE},{BOB}\"\n",
    "folded": f"""\
creation_rules:
  - path_regex: a
    age: >-
      {ALICE},
      {BOB}
    pgp: {FINGERPRINT}
  - age: >-
      {ALICE},
      {BOB},
      {CAROL}
""",
    "a list with comments": f"""\
creation_rules:
  - age:
      - {ALICE} # alice
      - {BOB} # bob
    encrypted_suffix: _x
""",
    "a list with comments above": f"""\
creation_rules:
  - age:
    # alice
    - {ALICE}
    # bob
    - {BOB}
""",
    "brackets": f"creation_rules:\n  - age: [{ALICE}, {BOB}]\n",
    "no age keys yet": f"creation_rules:\n  - pgp: {FINGERPRINT}\n    path_regex: x\n",
    "a group of KMS keys": f"""\
creation_rules:
  - key_groups:
    - kms:
      - arn: {ARN}
        role: arn:aws:iam::111122223333:role/x
      pgp:
      - {FINGERPRINT}
""",
}
STYLES["no line break at the end"] = STYLES["anchors in groups"].rstrip()
STYLES |= {f"{name}, CRLF": text.replace("\n", "\r\n") for name, text in STYLES.items() if "list" in name}


def changed(before: str, after: str) -> tuple[list[str], list[str]]:
    """Return the lines that are only in one of two texts."""
    old, new = before.splitlines(), after.splitlines()
    return [line for line in old if line not in new], [line for line in new if line not in old]


@pytest.mark.parametrize("style", STYLES)
def test_a_key_is_added_in_the_style_of_the_file_and_removed_without_a_trace(style: str) -> None:
    text = STYLES[style]
    key = members.key_of(DAVE)
    before = members.groups_of(text)
    after = members.add(text, key, "dave", range(len(before)))
    assert members.groups_of(after) == [[[*group, key] for group in groups] for groups in before] or [
        [set(group) for group in groups] for groups in members.groups_of(after)
    ] == [[{*group, key} for group in groups] for groups in before]
    gone, new = changed(text, after)
    assert all(
        DAVE in line or "dave" in line or line.strip() in ("age:", f"{BOB},", f"{CAROL},") for line in new
    )
    assert len(gone) <= len(before)
    assert members.remove(after, key) == text
    assert members.add(after, key, "dave", range(len(before))) == after


@pytest.mark.parametrize("style", [style for style in STYLES if BOB in STYLES[style]])
def test_a_key_is_removed_with_its_anchor_aliases_and_comment(style: str) -> None:
    text = STYLES[style]
    after = members.remove(text, members.key_of(BOB))
    assert BOB not in after
    assert "bob" not in after
    bob = members.key_of(BOB)
    assert members.groups_of(after) == [
        [[key for key in group if key != bob] for group in groups] for groups in members.groups_of(text)
    ]
    kept = [line for line in text.splitlines() if BOB not in line and "bob" not in line]
    assert all(line in after.splitlines() or line.rstrip(",") in after.splitlines() for line in kept)


def test_a_name_becomes_the_anchor_or_the_comment() -> None:
    key = members.key_of(DAVE)
    assert f"  - &Dave_X {DAVE}\n" in members.add(STYLES["anchors"], key, "Dave X", [0, 1])
    assert f"      - {DAVE} # Dave X\n" in members.add(STYLES["a list with comments"], key, "Dave X", [0])
    wide = STYLES["a list with comments"].replace(" # ", "   # ")
    assert f"      - {DAVE}   # Dave X\n" in members.add(wide, key, "Dave X", [0])
    assert f"    # Dave X\n    - {DAVE}\n" in members.add(
        STYLES["a list with comments above"], key, "Dave X", [0]
    )


def test_some_rules_only() -> None:
    key = members.key_of(DAVE)
    after = members.add(STYLES["anchors"], key, "dave", [1])
    assert [key in group for groups in members.groups_of(after) for group in groups] == [False, True]
    with pytest.raises(ConfigError, match="rules share a list"):
        members.add(STYLES["a shared list"], key, "dave", [0])


def test_key_types() -> None:
    words = [DAVE, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN", ARN]
    words += [FINGERPRINT, "projects/p/locations/global/keyRings/r/cryptoKeys/k"]
    words += [
        "https://v.vault.azure.net/keys/k/0123456789abcdef0123456789abcdef",
        "https://vault:8200/v1/transit/keys/k",
    ]
    types = ["age", "age", "kms", "pgp", "gcp_kms", "azure_kv", "hc_vault"]
    assert [members.key_of(word).TYPE for word in words] == types
    for word in words:
        key = members.key_of(word)
        for style in ("commas", "a group of KMS keys", "a list with comments"):
            text = STYLES[style]
            after = members.add(text, key, "x", [0])
            if not any(members.same(key, each) for each in members.groups_of(text)[0][0]):
                assert members.groups_of(members.remove(after, key)) == members.groups_of(text)
    with pytest.raises(BadKeyError, match="not a key of a known form"):
        members.key_of("bob")


def test_the_last_recipient_of_a_rule_stays() -> None:
    with pytest.raises(ConfigError, match="would have no recipient"):
        members.remove(f"creation_rules:\n  - age: {BOB}\n", members.key_of(BOB))


def test_several_key_groups_need_a_choice() -> None:
    text = f"creation_rules:\n  - key_groups:\n    - age: [{ALICE}]\n    - age: [{BOB}]\n"
    key = members.key_of(DAVE)
    with pytest.raises(ConflictError, match="has 2 key groups"):
        members.add(text, key, "dave", [0])
    after = members.add(text, key, "dave", [0], group=1)
    assert after == text.replace(f"[{BOB}]", f"[{BOB}, {DAVE}]")


def test_a_group_without_such_keys_beside_a_list_with_a_null_key() -> None:
    """``- &hosts:`` is common: a mapping with a null key, which sops ignores."""
    text = f"""\
keys:
  - &hosts:
    - &web {FINGERPRINT}
creation_rules:
  - path_regex: a
    key_groups:
      - pgp:
          - *web
"""
    added = members.add(text, members.key_of(ALICE), "alice", {0})
    assert added == f"{text}        age:\n          - {ALICE}\n"
    assert members.remove(added, members.key_of(ALICE)) == text


def test_a_last_line_without_a_line_break_stays_so() -> None:
    text = f"creation_rules:\n  - pgp: {FINGERPRINT}\n    encrypted_regex: x"
    added = members.add(text, members.key_of(ALICE), "alice", {0})
    assert added.startswith(f"{text}\n    age: {ALICE}")
    assert members.remove(added.rstrip("\n"), members.key_of(ALICE)) == text


def test_a_rule_without_recipients() -> None:
    with pytest.raises(ConfigError, match="names no recipient"):
        members.add("creation_rules:\n  - path_regex: a\n", members.key_of(ALICE), "alice", {0})


def test_the_only_key_with_settings_goes_with_its_member() -> None:
    text = f"creation_rules:\n  - key_groups:\n      - age:\n          - {ALICE}\n"
    key = "projects/p/locations/global/keyRings/r/cryptoKeys/k"
    both = f"{text}        gcp_kms:\n          - resource_id: {key}\n"
    assert members.remove(both, members.key_of(key)) == text


def test_the_last_key_of_a_list_goes_with_the_list() -> None:
    hosts = f"  - &hosts:\n    - &web {BOB}\n"
    text = f"""\
keys:
  - &users:
    - &alice {ALICE}
{hosts}creation_rules:
  - path_regex: a
    key_groups:
      - pgp: [{FINGERPRINT}]
        age:
          - *alice
  - path_regex: b
    age: [*web]
"""
    gone = members.remove(text, members.key_of(ALICE))
    assert gone == text.replace(f"  - &users:\n    - &alice {ALICE}\n", "").replace(
        "        age:\n          - *alice\n", ""
    )


def test_many_rules_with_aliases_take_no_long_time() -> None:
    """Each rule is one round, and a round reads the text once."""
    rules = "".join(
        f"  - path_regex: ^r{number}/\n    age:\n      - *alice\n      - *bob\n" for number in range(40)
    )
    text = f"keys:\n  - &alice {ALICE}\n  - &bob {BOB}\ncreation_rules:\n{rules}"
    start = time.process_time()
    added = members.add(text, members.key_of(CAROL), "carol", range(40))
    assert added.count("- *carol") == 40
    assert members.remove(added, members.key_of(CAROL)) == text
    assert time.process_time() - start < 5


@pytest.mark.parametrize("written", [f"age: {ALICE}", "age: [*alice]", f"pgp: {FINGERPRINT}"], ids="abc")
def test_many_rules_take_linear_time(written: str) -> None:
    """They are changed together: to read the whole text again after each rule would take minutes."""
    rules = "".join(f"  - path_regex: ^d{number}/\n    {written}\n" for number in range(150))
    text = f"keys:\n  - &alice {ALICE}\ncreation_rules:\n{rules}"
    with at_most(1.5):
        added = members.add(text, members.key_of(BOB), "bob", range(150))
        assert members.remove(added, members.key_of(BOB)) == text
    assert all(len([key for each in groups for key in each]) == 2 for groups in members.groups_of(added))
