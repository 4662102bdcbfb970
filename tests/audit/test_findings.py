"""Every kind of finding: it is found, a harmless sibling is not, and it can be ignored."""

from __future__ import annotations

import re
import subprocess

import pytest
from audit.checked import (
    CAROL,
    ONLY_PASSWORD,
    OTHER_SIDES,
    Make,
    group_texts,
    kms_entries,
    merged_without_a_key,
    other_keys,
    profile,
    same_threshold,
    sound,
    three_sides,
    two_rules,
)
from audit.repo import ALICE, BOB, DATABASE, SECRET, Repo, groups, opener, rule, seal
from project import ROOT

from encconf.audit.findings import KINDS, SEVERITIES, Ignored
from encconf.git.merge import merge
from encconf.rules.selection import PROPOSED, Selection
from encconf.verbs import rekey

PAGE = ROOT / "docs" / "reference" / "errors.md"


def plain_file(repo: Repo) -> None:
    repo.write("a.enc.yaml", DATABASE)


def plain_file_without_secrets(repo: Repo) -> None:
    repo.rules("encrypted_regex: ^(stringData|data)$", path=r"\.yaml$")
    repo.write("deployment.yaml", "kind: Deployment\nspec: {replicas: 3}\n")


def plain_value(repo: Repo) -> None:
    sound(repo)
    repo.edit("a.enc.yaml", r"(password: )ENC\[.*\]", rf"\1{SECRET}")


def plain_null(repo: Repo) -> None:
    sound(repo)
    repo.edit("a.enc.yaml", r"(password: )ENC\[.*\]", r"\1null")


def newer_rule(repo: Repo) -> None:
    repo.rules("encrypted_regex: ^(password|token)$")
    repo.write("a.enc.yaml", seal(DATABASE, rule(selection=ONLY_PASSWORD)))


def same_rule(repo: Repo) -> None:
    repo.rules("encrypted_regex: ^password$")
    repo.write("a.enc.yaml", seal(DATABASE.replace("token:", "place:"), rule(selection=ONLY_PASSWORD)))


def silent_rule(repo: Repo) -> None:
    repo.write("a.enc.yaml", seal(DATABASE.replace("token:", "place:"), rule(selection=ONLY_PASSWORD)))


def plain_comment(repo: Repo) -> None:
    sound(repo)
    repo.edit("a.enc.yaml", r"^db:", f"# {SECRET}\ndb:")


def other_selection(repo: Repo) -> None:
    sound(repo)
    repo.edit("a.enc.yaml", r"unencrypted_suffix: _unencrypted", "encrypted_regex: ^password$")


def damaged(repo: Repo) -> None:
    sound(repo)
    repo.edit("a.enc.yaml", r"(host: ENC\[AES256_GCM,data:)..", r"\1")


def no_date(repo: Repo) -> None:
    sound(repo)
    repo.edit("a.enc.yaml", r"lastmodified: .*", "lastmodified: yesterday")


def no_mac(repo: Repo) -> None:
    sound(repo)
    repo.edit("a.enc.yaml", r"^ *mac: .*\n", "")


def reordered_keys(repo: Repo) -> None:
    repo.rules(keys=(BOB, ALICE))
    repo.write("a.enc.yaml", seal(DATABASE, rule(ALICE, BOB)))


def other_threshold(repo: Repo) -> None:
    repo.config(group_texts("    shamir_threshold: 3\n"))
    repo.write("a.enc.yaml", seal(DATABASE, groups(ALICE, BOB, CAROL, threshold=2)))


def no_threshold(repo: Repo) -> None:
    repo.config(group_texts(""))
    repo.write("a.enc.yaml", seal(DATABASE, groups(ALICE, BOB, CAROL, threshold=3)))


def no_rule(repo: Repo) -> None:
    sound(repo)
    repo.rules(path="^elsewhere/")


def twin(repo: Repo) -> None:
    sound(repo)
    repo.write("a.yaml", DATABASE)


def namesake(repo: Repo) -> None:
    """A plain file with the twin's name that holds other things."""
    sound(repo)
    repo.write("a.yaml", "db: {pool: 5, retries: 3}\nlog: info\n")


def conflict(repo: Repo) -> None:
    sound(repo)
    repo.edit("a.enc.yaml", r"^token: .*", "<<<<<<< HEAD\n\\g<0>\n=======\ntoken: x\n>>>>>>> other")


def merged(repo: Repo) -> None:
    done = merge(*three_sides(DATABASE, *OTHER_SIDES), format="yaml", credentials=opener(ALICE))
    repo.write("a.enc.yaml", done.text)


def shift_operators(repo: Repo) -> None:
    repo.write("a.enc.yaml", seal(DATABASE + "note_unencrypted: |\n    <<<<<<< not one\n"))


def same_iv(repo: Repo) -> None:
    sound(repo)
    (iv,) = re.findall(r"host: .*iv:([^,]*),", repo.read("a.enc.yaml"))
    repo.edit("a.enc.yaml", r"(password: .*iv:)[^,]*", rf"\g<1>{iv}")


def same_ciphertext(repo: Repo) -> None:
    repo.write("a.enc.yaml", seal("tokens: [abcdefghij, jihgfedcba]\n"))
    first, second, *_ = re.findall(r"ENC\[AES256_GCM,[^]]*type:str\]", repo.read("a.enc.yaml"))
    repo.write("a.enc.yaml", repo.read("a.enc.yaml").replace(second, first))


def equal_values(repo: Repo) -> None:
    """Equal plaintexts, which no ciphertext shows."""
    repo.write("a.enc.yaml", seal("tokens: [abcdefghij, abcdefghij]\n"))


def copied_for_bob(repo: Repo) -> None:
    enc = seal(DATABASE)
    repo.write("a.enc.yaml", enc)
    wanted = rekey.plan(enc, rule(ALICE, BOB), format="yaml")
    repo.write("b.enc.yaml", rekey.carry_out(wanted, credentials=opener(ALICE)))


def copied(repo: Repo) -> None:
    sound(repo)
    repo.write("b.enc.yaml", repo.read("a.enc.yaml"))


def short(repo: Repo) -> None:
    repo.write("a.enc.yaml", seal("pin: '7'\n"))


def clear_token(repo: Repo) -> None:
    repo.rules("encrypted_regex: ^password$")
    repo.write("a.enc.yaml", seal(DATABASE, rule(selection=ONLY_PASSWORD)))


def clear_reference(repo: Repo) -> None:
    repo.rules("encrypted_regex: ^password$")
    plain = "password: correct horse\ntoken: ${TOKEN}\ntoken_file: /run/token\nmax_tokens: 5\nkey_id: a\n"
    repo.write("a.enc.yaml", seal(plain, rule(selection=ONLY_PASSWORD)))


def empty_profile(repo: Repo) -> None:
    sound(repo)
    repo.edit("a.enc.yaml", r"^    age:", kms_entries('""') + "    age:")


def typo(repo: Repo) -> None:
    sound(repo)
    repo.rules("encrypted_regexp: ^password$")


def bad_rule(repo: Repo) -> None:
    sound(repo)
    repo.rules(path="'*.yaml'")


def two_used_rules(repo: Repo) -> None:
    two_rules(repo)
    repo.write("prod/x.yaml", seal(DATABASE))


def changed(repo: Repo) -> None:
    repo.write("a.enc.yaml", seal(DATABASE + "port_unencrypted: 1\n"))
    repo.edit("a.enc.yaml", "port_unencrypted: 1", "port_unencrypted: 2")


def flipped(repo: Repo) -> None:
    sound(repo)
    repo.edit("a.enc.yaml", r"(token: .*tag:)(.)", lambda m: m[1] + ("A" if m[2] != "A" else "B"))  # type: ignore[arg-type]


def flipped_comment(repo: Repo) -> None:
    sound(repo)
    repo.edit("a.enc.yaml", r"(^# ?ENC.*tag:)(.)", lambda m: m[1] + ("A" if m[2] != "A" else "B"))  # type: ignore[arg-type]


def for_bob(repo: Repo) -> None:
    repo.rules(keys=(BOB,))
    repo.write("a.enc.yaml", seal(DATABASE, rule(BOB)))


def broken(repo: Repo) -> None:
    repo.write("a.enc.yaml", "db: [1, 2\npassword: }\n")


def empty(repo: Repo) -> None:
    repo.write("a.enc.yaml", "")


def identity(repo: Repo) -> None:
    repo.write("keys/host.txt", f"# public key: {BOB.recipient}\n{BOB.identity}\n")


def public_keys(repo: Repo) -> None:
    """A public key, an identity that was made up, and one that is encrypted."""
    repo.write("keys/host.pub", f"{BOB.recipient}\n")
    repo.write("how-to.txt", "AGE-SECRET-KEY-1" + "Q" * 58 + "\n")
    repo.write("key.enc.txt", seal(f"{BOB.identity}\n", format="binary"))


def killed(repo: Repo) -> None:
    repo.write(".encconf-0123abcd", DATABASE)


def killed_encrypted(repo: Repo) -> None:
    repo.write(".encconf-0123abcd", seal(DATABASE))
    repo.write(".encconf-89ab4567", "")


def proposed(repo: Repo, said: str = "a.enc.yaml") -> None:
    sound(repo)
    text = f'{{"proposal_for": "{said}", "path": "db.token", "value": "{SECRET}"}}\n'
    repo.write("a.enc.yaml.proposal-0123abcd.json", seal(text, rule(selection=PROPOSED), format="json"))


def proposed_for_another_file(repo: Repo) -> None:
    proposed(repo, "b.enc.yaml")


def old_sops(repo: Repo, version: str = "3.8.1") -> None:
    repo.rules("mac_only_encrypted: true")
    repo.write(".tool-versions", f"python 3.12.1\nsops {version}\n")


def new_enough_sops(repo: Repo) -> None:
    old_sops(repo, "3.9.0")


VERIFIED = {"mac-mismatch", "damaged-value", "damaged-comment", "not-verified"}
"""Kinds that take --verify, here with Alice's key."""


def no_driver(repo: Repo) -> None:
    subprocess.run(["git", "init", "-q"], cwd=repo.folder, check=True)
    repo.write(".gitattributes", "*.enc.yaml diff=encconf merge=encconf\n")
    repo.write("a.enc.yaml", seal(DATABASE))
    repo.write(".env.enc", seal("A=correct horse\n", format="dotenv"))


def driven(repo: Repo) -> None:
    no_driver(repo)
    repo.write(".gitattributes", "*.enc* diff=encconf merge=encconf\n")


BARE = Selection("encrypted_regex", "^(data|stringData)$")


def bare(repo: Repo) -> None:
    """The selection matches no key, so the values are plaintext beside a sops block."""
    repo.rules("encrypted_regex: ^(data|stringData)$")
    repo.write("a.enc.yaml", seal("db: {host: example}\n", rule(selection=BARE)))


def nothing_to_encrypt(repo: Repo) -> None:
    """The values that the selection chooses are empty, or null, or there are none yet."""
    repo.rules("encrypted_regex: ^(data|stringData)$")
    for name, data in (("a", "{password: ''}"), ("b", "{password: null}"), ("c", "{}"), ("d", "[ ]")):
        repo.write(f"{name}.enc.yaml", seal(f"kind: Secret\ndata: {data}\n", rule(selection=BARE)))
    repo.write("e.enc.yaml", seal("a: null\nb: ''\n", rule()))
    repo.write("f.enc.json", seal('{"kind": "Secret", "data": {}}\n', rule(selection=BARE), format="json"))


def left(repo: Repo, *, rotate: bool = False) -> None:
    """Bob was removed, in git's history, and the file has the same data key as before."""

    def git(*words: str) -> None:
        who = ["-c", "user.name=x", "-c", "user.email=x@example.com"]
        subprocess.run(["git", *who, *words], cwd=repo.folder, check=True)

    text = seal(DATABASE, rule(ALICE, BOB))
    repo.write("a.enc.yaml", text)
    git("init", "-q")
    git("add", "a.enc.yaml")
    git("commit", "-qm", "x")
    wanted = rekey.plan(text, rule(ALICE), format="yaml")
    repo.write("a.enc.yaml", rekey.carry_out(wanted, rotate=rotate, credentials=opener(ALICE)))


def left_with_a_new_data_key(repo: Repo) -> None:
    left(repo, rotate=True)


CASES: dict[str, tuple[Make, Make]] = {
    "not-encrypted": (plain_file, plain_file_without_secrets),
    "plain-value": (plain_value, plain_null),
    "nothing-encrypted": (bare, nothing_to_encrypt),
    "plain-by-rule": (newer_rule, same_rule),
    "plain-comment": (plain_comment, sound),
    "never-decrypted": (other_selection, same_rule),
    "bad-value": (damaged, sound),
    "bad-block": (no_date, sound),
    "no-mac": (no_mac, sound),
    "keys-differ": (other_keys, reordered_keys),
    "former-recipient": (left, left_with_a_new_data_key),
    "threshold-differs": (other_threshold, same_threshold),
    "selection-differs": (newer_rule, same_rule),
    "rule-without-selection": (silent_rule, same_rule),
    "no-rule": (no_rule, sound),
    "no-driver": (no_driver, driven),
    "proposal": (proposed, sound),
    "bad-proposal": (proposed_for_another_file, proposed),
    "plain-twin": (twin, namesake),
    "private-key": (identity, public_keys),
    "leftover": (killed, killed_encrypted),
    "merge-conflict": (conflict, shift_operators),
    "unmerged": (merged_without_a_key, merged),
    "equal-iv": (same_iv, sound),
    "equal-value": (same_ciphertext, equal_values),
    "shared-data-key": (copied_for_bob, copied),
    "short-value": (short, sound),
    "plain-secret": (clear_token, clear_reference),
    "aws-profile": (profile, empty_profile),
    "accidental-quorum": (no_threshold, same_threshold),
    "config-notice": (typo, sound),
    "sops-too-old": (old_sops, new_enough_sops),
    "bad-config": (bad_rule, sound),
    "unused-rule": (two_rules, two_used_rules),
    "mac-mismatch": (changed, sound),
    "damaged-value": (flipped, sound),
    "damaged-comment": (flipped_comment, sound),
    "not-verified": (for_bob, sound),
    "unreadable": (broken, empty),
}


def _documented() -> dict[str, tuple[str, ...]]:
    """The table of the documentation: what it says of each kind."""
    rows = re.findall(r"^\| `([a-z-]+)` \| (\w+) \| (.+) \| (.+) \|$", PAGE.read_text("utf-8"), flags=re.M)
    documented = {slug: tuple(said) for slug, *said in rows}
    assert len(rows) == len(documented)
    return documented


@pytest.mark.parametrize("slug", sorted({*KINDS, *CASES}))
class TestKind:
    def test_it_is_found(self, slug: str, repo: Repo) -> None:
        make, _ = CASES[slug]
        make(repo)
        found = repo.only(slug, verify=ALICE if slug in VERIFIED else None)
        assert found
        for each in found:
            assert each.severity in SEVERITIES
            assert each.hint is not None
            assert " FILE" not in each.hint
            assert SECRET not in f"{each.message} {each.hint} {each.path}"
            assert each.message.isprintable()

    def test_its_harmless_sibling_is_not(self, slug: str, repo: Repo) -> None:
        _, make = CASES[slug]
        make(repo)
        assert slug not in repo.slugs(verify=ALICE if slug in VERIFIED else None)

    def test_it_is_documented(self, slug: str) -> None:
        kind = KINDS[slug]
        assert _documented()[slug] == (kind.severity, kind.title, kind.help)

    def test_it_can_be_ignored(self, slug: str, repo: Repo) -> None:
        make, _ = CASES[slug]
        make(repo)
        verify = ALICE if slug in VERIFIED else None
        assert slug not in {found.slug for found in repo.check(verify=verify, ignored=[slug]).findings}
        config = repo.read(".sops.yaml")
        repo.write(".sops.yaml", f"# encconf: ignore {slug}=*\n{config}")
        assert slug not in repo.slugs(verify=verify)


def test_every_documented_kind_exists() -> None:
    assert list(_documented()) == list(KINDS)
    assert set(KINDS) == set(CASES)


def test_a_command_at_the_end_of_a_hint_can_be_copied() -> None:
    """`encconf updatekeys -r ..` is about the folder above."""
    assert not [slug for slug, kind in KINDS.items() if re.search(r": encconf [^:]*\.$", kind.help)]


def test_a_finding_says_where(repo: Repo) -> None:
    plain_value(repo)
    (found,) = repo.check().findings
    assert (found.file, found.line, found.column, found.path) == ("a.enc.yaml", 4, 15, "db.password")
    assert found.hint == (
        "sops and encconf refuse to decrypt such a file. "
        "encconf edit a.enc.yaml encrypts a new value when you save; for one that replaces another, look at "
        "encconf diff a.enc.yaml, and add --ignore-mac."
    )


def test_many_findings_of_a_kind_are_cut_short(repo: Repo) -> None:
    values = "".join(f"key{number}: ab\n" for number in range(500))
    repo.write("a.enc.yaml", seal(values))
    found = repo.check().findings
    assert len(found) == 50
    assert found[-1].message.endswith("(and 450 more such places in this file)")


def test_an_unknown_kind_to_ignore(repo: Repo) -> None:
    from encconf.errors import UsageError

    with pytest.raises(UsageError) as caught:
        Ignored(["plain-twn"])
    assert caught.value.hint == "did you mean plain-twin?"
    sound(repo)
    repo.write(".sops.yaml", "# encconf: ignore plain-twn\n" + repo.read(".sops.yaml"))
    (found,) = repo.check().findings
    assert (found.slug, found.file, found.line) == ("config-notice", ".sops.yaml", 1)


def test_ignoring_by_name(repo: Repo) -> None:
    for name in ("examples/a.enc.yaml", "b.enc.yaml"):
        repo.write(name, DATABASE)
    report = repo.check(ignored=["not-encrypted=examples/*"])
    assert [found.file for found in report.findings] == ["b.enc.yaml"]
    report = repo.check(ignored=["not-encrypted=b.*", "short-value"])
    assert [found.file for found in report.findings] == ["examples/a.enc.yaml"]
