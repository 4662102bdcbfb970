"""``encconf check``: every kind of finding, where it is one and where not; its reports; hostile files."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from audit.repo import ALICE, BOB, DATABASE, SECRET, Repo, groups, opener, rule, seal
from audit.repo import project as project
from oracle import AgeKey
from project import ROOT, Project

from encconf import formats
from encconf.audit import explain as explaining
from encconf.audit.check import Report, check
from encconf.audit.findings import KINDS, SEVERITIES, Finding, Ignored
from encconf.audit.twins import plain_names
from encconf.cli import check_report as reports
from encconf.cli.explain import text
from encconf.git.merge import merge
from encconf.identities.credentials import Credentials
from encconf.rules.selection import Selection
from encconf.verbs import changes, rekey

PAGE = ROOT / "docs" / "reference" / "errors.md"


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo(tmp_path)


# --- every kind ------------------------------------------------------------------------------------

# Each makes a repository in which its kind is found; the second of a pair makes the harmless sibling.
Make = Callable[[Repo], None]
ONLY_PASSWORD = Selection("encrypted_regex", "^password$")
A = f"age: {ALICE.recipient}\n"


def sound(repo: Repo) -> None:
    repo.write("a.enc.yaml", seal(DATABASE))


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


def other_keys(repo: Repo) -> None:
    repo.write("a.enc.yaml", seal(DATABASE, rule(ALICE, BOB)))


def reordered_keys(repo: Repo) -> None:
    repo.rules(keys=(BOB, ALICE))
    repo.write("a.enc.yaml", seal(DATABASE, rule(ALICE, BOB)))


def _groups(threshold: str) -> str:
    lines = "".join(f"      - age: [{key.recipient}]\n" for key in (ALICE, BOB, CAROL))
    return f"  - path_regex: enc\n    key_groups:\n{lines}{threshold}"


CAROL = AgeKey.generate()


def other_threshold(repo: Repo) -> None:
    repo.config(_groups("    shamir_threshold: 3\n"))
    repo.write("a.enc.yaml", seal(DATABASE, groups(ALICE, BOB, CAROL, threshold=2)))


def same_threshold(repo: Repo) -> None:
    repo.config(_groups("    shamir_threshold: 2\n"))
    repo.write("a.enc.yaml", seal(DATABASE, groups(ALICE, BOB, CAROL, threshold=2)))


def no_threshold(repo: Repo) -> None:
    repo.config(_groups(""))
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


OTHER_SIDES = (DATABASE.replace("0123456789", "9876543210"), DATABASE.replace("administrator", "superuser"))


def _sides(*plain: str) -> list[str]:
    """Versions of a file with one data key."""
    first, *others = plain
    enc = seal(first)
    return [
        enc,
        *(
            changes.run(changes.Request(enc, "yaml", plain=other, credentials=opener(ALICE)))
            for other in others
        ),
    ]


def merged_without_a_key(repo: Repo) -> None:
    sides = _sides(DATABASE, *OTHER_SIDES)
    done = merge(*sides, format="yaml", credentials=opener(BOB), parents=lambda: "a b c")
    repo.write("a.enc.yaml", done.text)


def merged_in_conflict(repo: Repo) -> None:
    names = ("administrator", "superuser", "someone else")
    plain = [DATABASE.replace("administrator", name) for name in names]
    done = merge(*_sides(*plain), format="yaml", credentials=opener(ALICE))
    assert done.conflicts == ["db.user"]
    repo.write("a.enc.yaml", done.text)


def merged(repo: Repo) -> None:
    done = merge(*_sides(DATABASE, *OTHER_SIDES), format="yaml", credentials=opener(ALICE))
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
    wanted = rekey.plan(enc, rule(ALICE, BOB).groups, None, format="yaml")
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


def _kms(profile: str) -> str:
    arn = "arn:aws:kms:eu-west-1:111122223333:key/aaaa"
    entry = f"        - arn: {arn}\n          created_at: '2026-01-01T00:00:00Z'\n          enc: AQICAHg=\n"
    return f"    kms:\n{entry}          aws_profile: {profile}\n"


def profile(repo: Repo) -> None:
    sound(repo)
    repo.edit("a.enc.yaml", r"^    age:", _kms("dev") + "    age:")


def empty_profile(repo: Repo) -> None:
    sound(repo)
    repo.edit("a.enc.yaml", r"^    age:", _kms('""') + "    age:")


def typo(repo: Repo) -> None:
    sound(repo)
    repo.rules("encrypted_regexp: ^password$")


def bad_rule(repo: Repo) -> None:
    sound(repo)
    repo.rules(path="'*.yaml'")


def two_rules(repo: Repo) -> None:
    sound(repo)
    repo.config(f"  - path_regex: enc\n    {A}  - path_regex: ^prod/\n    {A}")


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


CASES: dict[str, tuple[Make, Make]] = {
    "not-encrypted": (plain_file, plain_file_without_secrets),
    "plain-value": (plain_value, plain_null),
    "plain-by-rule": (newer_rule, same_rule),
    "plain-comment": (plain_comment, sound),
    "never-decrypted": (other_selection, same_rule),
    "bad-value": (damaged, sound),
    "bad-block": (no_date, sound),
    "no-mac": (no_mac, sound),
    "keys-differ": (other_keys, reordered_keys),
    "threshold-differs": (other_threshold, same_threshold),
    "selection-differs": (newer_rule, same_rule),
    "rule-without-selection": (silent_rule, same_rule),
    "no-rule": (no_rule, sound),
    "no-driver": (no_driver, driven),
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


@pytest.mark.parametrize("name", [".encconf-0123abcd", ".encconf-saved-0123abcd"])
def test_f3_plaintext_of_a_killed_command_is_found(project: Project, name: str) -> None:
    project.rules()
    project.git("init", "-q")
    project.write(f"deploy/{name}", DATABASE)
    project.git("add", "-A")
    for paths in ([], ["."], ["deploy"], [f"deploy/{name}"]):
        done = project.run("check", "--json", *paths, code=1)
        assert [(each["slug"], each["file"]) for each in json.loads(done.out)["findings"]] == [
            ("leftover", f"deploy/{name}")
        ]
    assert SECRET not in done.out


def test_c1_a_saved_copy_is_found(repo: Repo) -> None:
    repo.write(".encconf-saved-0123abcd", seal(DATABASE))
    (found,) = (each for each in repo.check().findings if each.slug == "leftover")
    assert (found.file, found.severity) == (".encconf-saved-0123abcd", "warning")


def test_b9_no_name_is_a_command_to_a_ci_system() -> None:
    for name in ("::error::x.yaml", "##[error]x.yaml", " ::error::x"):
        report = Report()
        report.findings = [Finding("unreadable", name, "it is")]
        said = reports.text(report)
        assert said.startswith(f"./{name}: error")


def test_b9_no_command_prints_one(project: Project) -> None:
    project.rules()
    project.git("init", "-q")
    name = "::error::x.yaml"
    project.write(name, '"::error::k": 1\n"\\n##[error]z": 2\n')
    project.run("encrypt", "-i", name)
    project.write("y.yaml", project.read(name))
    project.run("set", "y.yaml", '["::error::k"]', "3")
    project.write("##[error]p.yaml", "a: 1\n")
    project.git("add", "-A")
    lines = ["access", "check --min-severity note", f"explain {name}", f"diff {name} y.yaml",
             "rotate -n -r .", f"rotate {name}", f"get {name} none", f"updatekeys -n {name}"]  # fmt: skip
    for line in lines:
        done = subprocess.run(
            [sys.executable, "-m", "encconf", *line.split(" ")],
            cwd=project.folder, env=project.environ, capture_output=True, text=True, check=False,
        )  # fmt: skip
        said = done.stdout + done.stderr
        assert said
        if line != f"rotate {name}":  # that one prints the file
            assert not re.search(r"(?m)^\s*(::|##)", said), said


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


def test_a_sound_file_gives_no_finding(repo: Repo) -> None:
    sound(repo)
    report = repo.check(verify=ALICE)
    assert report.findings == []
    assert (report.files, report.encrypted, report.verified) == (2, 1, 1)


@pytest.mark.parametrize(
    ("format", "name", "plain"),
    [
        ("yaml", "a.enc.yaml", DATABASE),
        ("json", "a.enc.json", json.dumps({"db": {"password": SECRET}, "users": ["alice12", "bobby12"]})),
        ("dotenv", "a.enc.env", f"# note\nPASSWORD={SECRET}\nHOSTNAME=localhost\n"),
        ("ini", "a.enc.ini", f"[db]\npassword = {SECRET}\nhostname = localhost\n"),
        ("toml", "a.enc.toml", f'[db]\npassword = "{SECRET}"\nhostname = "localhost"\n'),
        ("binary", "a.enc.pem", f"-----BEGIN {SECRET}\n"),
    ],
)
class TestFormat:
    def test_sound(self, repo: Repo, format: str, name: str, plain: str) -> None:
        repo.write(name, seal(plain, format=format))
        assert repo.check(verify=ALICE).findings == []

    def test_plain(self, repo: Repo, format: str, name: str, plain: str) -> None:
        repo.write(name, plain)
        assert [(found.slug, found.line) for found in repo.check().findings] == [
            ("not-encrypted", _first_line(plain, format))
        ]

    def test_plain_twin(self, repo: Repo, format: str, name: str, plain: str) -> None:
        repo.write(name, seal(plain, format=format))
        repo.write(name.replace(".enc", ""), plain)
        (found,) = repo.check().findings
        assert (found.slug, found.file, found.severity) == ("plain-twin", name.replace(".enc", ""), "error")

    def test_conflict(self, repo: Repo, format: str, name: str, plain: str) -> None:
        text = seal(plain, format=format)
        repo.write(name, f"<<<<<<< ours\n{text}=======\n{text}>>>>>>> theirs\n")
        assert [found.slug for found in repo.check().findings] == ["merge-conflict"]


def _first_line(plain: str, format: str) -> int:
    """The line of the first value."""
    if format == "binary":
        return 1
    leaf = formats.module(format).scan(plain).leaves[0]
    return plain.count("\n", 0, leaf.start) + 1


# --- which files -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "severity"),
    [
        ("secrets.yaml", "warning"),
        ("prod-secrets.json", "warning"),
        ("x.enc.yaml", "error"),
        ("x.sops.json", "error"),
        ("external-secret.yaml", None),
        ("values.yaml", None),
        ("README.md", None),
        (".sops.yaml", None),
    ],
)
def test_under_a_rule_for_everything_the_name_says_what_is_meant(
    repo: Repo, name: str, severity: str | None
) -> None:
    for rules in (f"  - {A}", f"  - path_regex: .*\n    {A}"):
        repo.config(rules)
        if name != ".sops.yaml":
            repo.write(name, '{"password": "correct horse"}\n')
        found = {each.slug: each.severity for each in repo.check().findings if each.slug != "unused-rule"}
        assert found == ({"not-encrypted": severity} if severity else {})


def test_an_encrypted_file_is_checked_wherever_it_is(repo: Repo) -> None:
    repo.config(f"  - {A}")
    repo.write("values.yaml", seal(DATABASE, rule(BOB)))
    assert repo.slugs() == {"keys-differ"}


@pytest.mark.parametrize("name", ["id_rsa", "server.key", "store.p12", "db.conf", ".npmrc", "notes.txt"])
def test_an_encrypted_binary_file_is_checked_wherever_it_is(repo: Repo, name: str) -> None:
    repo.config(f"  - {A}")
    repo.write(name, seal("anything", rule(BOB), format="binary"))
    assert repo.slugs() == {"keys-differ"}
    for plain in ("{", "anything", "", '{"a": "ENC[]"}', '{"a": "ENC[]", "sops": 1}'):
        repo.write(name, plain)
        assert repo.slugs() == set()


def test_a_block_that_was_lost_is_missed_everywhere(repo: Repo) -> None:
    repo.config(f"  - {A}")
    text = seal(DATABASE)
    for name, severity in (("values.yaml", "warning"), ("values.enc.yaml", "error")):
        repo.write(name, text[: text.index("sops:")])
        found = [(each.slug, each.severity) for each in repo.check().findings if each.file == name]
        assert found == [("bad-block", severity)]
    repo.write("values.yaml", f"<<<<<<< a\n{text}=======\n{text}>>>>>>> b\n")
    assert "merge-conflict" in repo.slugs()


@pytest.mark.parametrize(
    ("plain", "slug"),
    [
        ("how: |\n  sops:\n  a: ENC[AES256_GCM,data:x]\n", None),
        ("a: {{ .x }}\nb: ENC[AES256_GCM,data:x]\n", None),
        ("note: in ENC[ and sops\n", None),
        # These may well be damaged encrypted files.
        ("a: {{ .x }}\nsops:\n  a: ENC[AES256_GCM,data:x]\n", "unreadable"),
        ("a: ENC[AES256_GCM,data:x]\nsops: [x]\n", "bad-block"),
    ],
)
def test_what_only_speaks_of_encrypted_files(repo: Repo, plain: str, slug: str | None) -> None:
    repo.config(f"  - {A}")
    repo.write("how-to.yaml", plain)
    assert [each.slug for each in repo.check().findings] == ([slug] if slug else [])


@pytest.mark.parametrize(
    ("name", "format", "plain"), [("a.enc.env", "dotenv", "A=1\n"), ("a.enc.ini", "ini", "[db]\na = 1\n")]
)
def test_a_block_that_the_format_itself_cannot_read(repo: Repo, name: str, format: str, plain: str) -> None:
    repo.config(f"  - {A}")
    repo.write(name, seal(plain, format=format).replace("__list_0__", "__list_x__", 1))
    assert [(found.slug, found.line) for found in repo.check().findings] == [("bad-block", 1)]


def test_a_pipe_does_not_keep_it_waiting(repo: Repo) -> None:
    sound(repo)
    for name in ("pipe", "pipe.txt"):
        os.mkfifo(repo.folder / name)
    (repo.folder / "link").symlink_to("/dev/zero")
    report = check(["pipe", "pipe.txt", "link", "a.enc.yaml"], cwd=str(repo.folder))
    assert (report.encrypted, report.findings) == (1, [])
    os.mkfifo(repo.folder / "b.enc.yaml")
    report = check(["a.enc.yaml", "b.enc.yaml"], cwd=str(repo.folder))
    assert [(each.slug, each.file) for each in report.findings] == [("unreadable", "b.enc.yaml")]


def test_each_folder_has_its_own_configuration(repo: Repo) -> None:
    repo.write("a.enc.yaml", seal(DATABASE))
    repo.write("team/.sops.yaml", f"creation_rules:\n  - age: {BOB.recipient}\n")
    repo.write("team/b.enc.yaml", seal(DATABASE, rule(BOB)))
    repo.write("team/deep/er/c.enc.yaml", seal(DATABASE))
    assert [(found.slug, found.file) for found in repo.check().findings] == [
        ("keys-differ", "team/deep/er/c.enc.yaml")
    ]


def test_the_rule_is_the_one_that_encrypting_would_take(repo: Repo) -> None:
    from encconf.audit.rulebook import Rulebook
    from encconf.errors import NoMatchingRuleError
    from encconf.rules.config import find_rule

    kinds = [r"^prod/", "(?i)SECRET", r"\.enc\.(yaml|json)$", "^x/[^/]+$", r"\Aa\z", "(?P<n>q)", "(?P<n>r)"]
    for count in range(1, len(kinds) + 1):
        for last in ("", f"  - {A}"):
            repo.config("".join(f"  - path_regex: '{kind}'\n    {A}" for kind in kinds[:count]) + last)
            for name in ("prod/a", "x/a", "x/y/z", "a", "Secret.yaml", "b.enc.json", "q", "r", "zz"):
                rules = Rulebook(None, str(repo.folder)).of(str(repo.folder))
                assert rules is not None
                number = rules.find(str(repo.folder / name))
                try:
                    wanted = find_rule(name, cwd=str(repo.folder)).name
                except NoMatchingRuleError:
                    assert number is None
                else:
                    assert wanted == f"creation_rules[{number}]"


def test_one_search_for_a_whole_folder(repo: Repo) -> None:
    """It says of no file what looking at it alone would not, and it does spare that look."""
    from encconf.audit.rulebook import Rulebook

    draw = random.Random(7)
    pieces = [
        "^", "$", r"\A", r"\z", "(?i)", "(?-m)", "(?-im:^a)", r"\b", r"\B", ".", "[^/]+", "/", "a", "b", "A",
        r"\.yaml", "|", r"\n", r"\\A", "(?s).*", ".*", r"\QA", "^$", "(?m)",
    ]  # fmt: skip
    letters = ["a", "b", "A", "B", ".", "\n", "ä", "\udce4", ".yaml", "\r"]
    spared = 0
    for _ in range(600):
        patterns = ["".join(draw.choices(pieces, k=draw.randint(1, 4))) for _ in range(draw.randint(1, 3))]
        rules = "".join(f"  - path_regex: {json.dumps(each)}\n    {A}" for each in patterns)
        repo.config(rules + draw.choice(["", f"  - {A}"]))
        found = Rulebook(None, str(repo.folder)).of(str(repo.folder))
        assert found is not None
        for _ in range(30):
            folder = os.path.join(repo.folder, draw.choice(["", "a", "a/b"])).rstrip("/")
            bases = ["".join(draw.choices(letters, k=draw.randint(1, 4))) for _ in range(draw.randint(1, 4))]
            if found.takes_none([(os.path.join(folder, ""), bases)]):
                spared += 1
                for base in bases:
                    assert found.find(os.path.join(folder, base)) == found.rest, (patterns, folder, base)
    assert spared > 4000


def test_names_of_plain_twins() -> None:
    wanted = {
        "a/secrets.enc.yaml": "a/secrets.yaml",
        "secrets.sops.json": "secrets.json",
        ".enc.env": ".env",
        "key.pem.enc": "key.pem",
        "enc.secrets.yaml": "secrets.yaml",
        "secrets.yaml": "secrets.dec.yaml",
        "values-enc.yaml": "values.yaml",
        "x.enc.yml": "x.decrypted.yml",
        "s.yaml": "s.yaml.dec",
    }
    for name, plain in wanted.items():
        names = plain_names(name)
        assert plain in names
        assert name not in names


def test_an_old_twin_is_a_warning(repo: Repo) -> None:
    sound(repo)
    repo.write("a.yaml", "db: {host: h, password: p, user: u}\ntoken: t\n")
    (found,) = repo.check().findings
    assert (found.slug, found.severity) == ("plain-twin", "warning")


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("postgres://app:correct-horse@db.example/app", True),
        ("postgres://app:${PASSWORD}@db.example/app", False),
        ("https://db.example:5432/a@b", False),
        ("-----BEGIN RSA " + "PRIVATE KEY-----", True),
        ("-----BEGIN PUBLIC KEY-----", False),
        ("AGE-SECRET-" + "KEY-1QQQQ", True),
        ("ghp" + "_0123456789abcdefghij", True),
        ("eyJhbGciOiJIUzI1" + ".eyJzdWIiOiIxMjM0.c2lnbmF0dXJl", True),
        ("the ghp_ of a token", False),
        ("us-east-1", False),
    ],
)
def test_a_neighbour_that_looks_like_a_secret(repo: Repo, value: str, found: bool) -> None:
    repo.rules("encrypted_regex: ^password$")
    plain = f"password: correct horse\nplace: {json.dumps(value)}\n"
    repo.write("a.enc.yaml", seal(plain, rule(selection=ONLY_PASSWORD)))
    said = [(each.slug, each.path) for each in repo.check().findings]
    assert said == ([("plain-secret", "place")] if found else [])


def test_a_binary_file_is_one_value_whatever_its_rule_selects(repo: Repo) -> None:
    repo.rules("encrypted_regex: ^password$")
    repo.write("a.enc.pem", seal("-----BEGIN KEY", rule(), format="binary"))
    assert repo.check(verify=ALICE).findings == []


def test_files_made_by_sops(tmp_path: Path) -> None:
    keys = [AgeKey.load(ROOT / "fixtures" / "keys" / f"{name}.txt") for name in ("alice", "bob")]
    names = [path.name for path in SEALED_BY_SOPS]
    for path in SEALED_BY_SOPS:
        shutil.copy(path, tmp_path)
    environ = {"SOPS_AGE_KEY": "\n".join(key.identity for key in keys), "HOME": "/nonexistent"}
    report = check(names, cwd=str(tmp_path), verify=Credentials.from_env(environ))
    assert report.encrypted == len(names)
    harmless = {"no-rule", "short-value", "plain-secret", "not-verified"}
    assert {found.slug for found in report.findings} <= harmless
    closed = [found.file for found in report.findings if found.slug == "not-verified"]
    assert all("fp: " in (tmp_path / name).read_text() for name in closed)  # for PGP keys only
    assert report.verified == len(names) - len(closed) > 20


def test_what_was_wrapped_once_is_unwrapped_once(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    from encconf.keys.age import AgeKey as Key

    asked = []
    unwrap = Key.unwrap

    def counted(self: Key, enc: str, credentials: Credentials) -> bytes:
        asked.append(enc)
        return unwrap(self, enc, credentials)

    monkeypatch.setattr(Key, "unwrap", counted)
    enc = seal(DATABASE)
    for number in range(40):
        repo.write(f"{number}.enc.yaml", enc)
    repo.write("other.enc.yaml", seal(DATABASE))
    steps = []

    @contextmanager
    def progress(count: int, doing: str) -> Iterator[Callable[[], None]]:
        assert count == 41 or doing == "checking"
        yield lambda: steps.append(1) if doing == "opening" else None

    report = repo.check(verify=ALICE, progress=progress)
    assert (report.verified, report.findings, len(steps)) == (41, [], 41)
    assert len(asked) == len(set(asked)) == 2


def test_a_nonce_of_another_file(repo: Repo) -> None:
    sound(repo)
    repo.write("b.enc.yaml", seal(DATABASE))
    (iv,) = re.findall(r"host: .*iv:([^,]*),", repo.read("a.enc.yaml"))
    repo.edit("b.enc.yaml", r"(password: .*iv:)[^,]*", rf"\g<1>{iv}")
    (found,) = repo.check().findings
    assert (found.slug, found.file, found.path) == ("equal-iv", "b.enc.yaml", "db.password")
    assert "a.enc.yaml: db.host" in found.message


def test_a_finding_says_where(repo: Repo) -> None:
    plain_value(repo)
    (found,) = repo.check().findings
    assert (found.file, found.line, found.column, found.path) == ("a.enc.yaml", 4, 15, "db.password")
    assert found.hint == (
        "sops and encconf refuse to decrypt such a file. "
        "encconf edit a.enc.yaml encrypts the value when you save."
    )


def test_a_finding_about_a_rule_says_where(repo: Repo) -> None:
    two_rules(repo)
    (found,) = repo.check().findings
    assert (found.file, found.line, found.slug) == (".sops.yaml", 4, "unused-rule")


def test_names_from_the_configuration_are_used(repo: Repo) -> None:
    other_keys(repo)
    repo.config(f"  - path_regex: enc\n    age:\n      - {ALICE.recipient} # alice\n")
    repo.write(".sops.recipients", f"bob {BOB.recipient}\n")
    (found,) = repo.check().findings
    assert found.message.startswith("encrypted for age bob (")


def test_many_findings_of_a_kind_are_cut_short(repo: Repo) -> None:
    values = "".join(f"key{number}: ab\n" for number in range(500))
    repo.write("a.enc.yaml", seal(values))
    found = repo.check().findings
    assert len(found) == 50
    assert found[-1].message.endswith("(and 450 more such places in this file)")


@pytest.mark.parametrize("make", [merged_without_a_key, merged_in_conflict])
def test_an_unfinished_merge_is_told_once(repo: Repo, make: Make) -> None:
    make(repo)
    (found,) = repo.check(verify=ALICE).findings
    assert (found.slug, found.severity) == ("unmerged", "error")
    assert "encconf edit a.enc.yaml " in found.hint


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


# --- hostile files ---------------------------------------------------------------------------------

JUNK = b"\x00\xff\xfeENC[AES256_GCM,data:\x80]"
HOSTILE: dict[str, bytes] = {
    "binary.enc.yaml": JUNK * 100,
    "bomb.enc.yaml": b"a: &a [x,x,x,x,x,x,x,x,x]\n"
    + b"".join(
        b"k%d: &b%d [%s]\n" % (i, i, b",".join([b"*a" if i == 0 else b"*b%d" % (i - 1)] * 9))
        for i in range(9)
    ),
    "deep.enc.json": b"[" * 100_000,
    "deep.enc.yaml": b"{a: " * 20_000,
    "keys.enc.yaml": b"sops: [1, 2]\na: ENC[AES256_GCM,data:]\n",
    "list.enc.yaml": b"- 1\n- 2\n",
    "number.enc.json": b"12",
    "nothing.enc.env": b"====\n",
    "entries.enc.yaml": b"a: ENC[x]\nsops: {age: [{enc: 1, recipient: [2]}], mac: {a: 1}}\n",
    "regex.enc.yaml": b"a: ENC[x]\nsops: {age: [{enc: x, recipient: y}], encrypted_regex: '(((('}\n",
    "long.enc.yaml": b"a: ENC[AES256_GCM,data:" + b"A" * 3_000_000 + b"\n",
    "escape\x1b[2J.enc.yaml": b'"k\\e[2J\\u202e": plain\n',
    "new\nline.enc.yaml": b'"a\\nb": plain\n',
    "not-utf8-\xff.enc.yaml".encode("latin-1").decode("utf-8", "surrogateescape"): b"a: plain\n",
}


@pytest.mark.parametrize("name", sorted(HOSTILE), ids=ascii)
def test_a_hostile_file_is_a_finding(repo: Repo, name: str) -> None:
    (repo.folder / name).write_bytes(HOSTILE[name])
    report = repo.check()
    assert [found for found in report.findings if found.file == name]
    for render in (reports.text, reports.json):
        assert render(report).isprintable() or all(line.isprintable() for line in render(report).split("\n"))
    for out in (reports.sarif(report, str), reports.github(report, str)):
        assert all(line.isprintable() for line in out.split("\n"))


def test_more_key_groups_are_needed_than_there_are(repo: Repo) -> None:
    same_threshold(repo)
    repo.edit("a.enc.yaml", r"shamir_threshold: 2$", "shamir_threshold: 4")
    [found] = repo.only("bad-block")
    assert found.message == "it needs 4 of 3 key groups, so nobody can open the file"


def test_a_link_is_not_another_file(repo: Repo) -> None:
    """In a whole repository, where the file itself is looked at; one that is named is meant."""
    sound(repo)
    (repo.folder / "b.enc.yaml").symlink_to("a.enc.yaml")
    assert (repo.check().files, repo.check().encrypted) == (3, 1)
    assert check(["b.enc.yaml"], cwd=str(repo.folder)).encrypted == 1


def test_links_are_not_followed_out(repo: Repo) -> None:
    sound(repo)
    (repo.folder / "zero.enc.yaml").symlink_to("/dev/zero")
    (repo.folder / "gone.enc.yaml").symlink_to("nowhere")
    (repo.folder / "loop.enc.yaml").symlink_to("loop.enc.yaml")
    (repo.folder / "again.enc.yaml").symlink_to("a.enc.yaml")
    found = {each.file: each.slug for each in repo.check().findings}
    assert found == {"zero.enc.yaml": "unreadable", "loop.enc.yaml": "unreadable"}


def test_a_file_that_is_too_large(repo: Repo) -> None:
    from encconf.io.fileio import LIMIT

    with (repo.folder / "huge.enc.yaml").open("wb") as file:
        file.truncate(LIMIT + 1)
    assert [(found.slug, found.message) for found in repo.check().findings] == [
        ("unreadable", "larger than 64 MiB")
    ]


def test_a_broken_configuration(repo: Repo) -> None:
    sound(repo)
    for config in (
        "creation_rules: [",
        "creation_rules: 5\n",
        "- 1\n",
        "\x00",
        "creation_rules:\n  - age: age1nope\n",
    ):
        repo.write(".sops.yaml", config)
        found = {each.slug for each in repo.check().findings}
        assert found == {"bad-config"}, config


def test_a_pattern_in_the_way(repo: Repo) -> None:
    """Nothing is said about rules of files that only a broken pattern keeps from being known."""
    sound(repo)
    repo.config(f"  - path_regex: '(?!x)'\n    {A}  - path_regex: enc\n    {A}")
    assert repo.slugs() == {"bad-config"}


def test_deep_folders(repo: Repo) -> None:
    from encconf.audit.rulebook import Rulebook

    deep = str(repo.folder) + "/a" * 1500
    rules = Rulebook(None, str(repo.folder)).of(deep)
    assert rules is not None
    assert rules.path == str(repo.folder / ".sops.yaml")


SEALED_BY_SOPS = sorted((ROOT / "fixtures" / "sops").glob("*.enc.*"))
PIECES = [
    *b"sops: ENC[AES256_GCM,data: ] [ { } null key_groups shamir_threshold &a *a <<: | >- !!binary".split(),
    *b"--- ... mac: creation_rules: encrypted_regex: ((( path_regex: '(?!a)' encconf_merge: 1 1e999".split(),
    *(b"\n", b"\x00", b"\xff", b"- ", b"#", b'"', b"\t"),
]


@pytest.mark.parametrize("seed", range(3))
def test_damaged_files_and_rules(tmp_path: Path, seed: int) -> None:
    """Whatever is in them, there is a report."""
    draw = random.Random(seed)
    sources = [*SEALED_BY_SOPS, ROOT / ".sops.yaml"]
    for _ in range(20):
        for path in draw.sample(sources, 4):
            data = path.read_bytes()
            for _ in range(draw.randint(1, 6)):
                at = draw.randint(0, len(data))
                cut = draw.choice((0, 0, 1, 3, 20, 200))
                data = data[:at] + draw.choice(PIECES) + data[at + cut :]
            (tmp_path / path.name).write_bytes(data)
        names = sorted(path.name for path in tmp_path.iterdir())
        report = check(names, cwd=str(tmp_path), whole=True)
        for out in (reports.text(report), reports.json(report), reports.sarif(report, str)):
            assert all(line.isprintable() for line in out.split("\n"))
        for name in names:
            found = explaining.explain(name, cwd=str(tmp_path))
            assert text(found, str(tmp_path))
            assert explaining.to_json(found)


# --- reports ---------------------------------------------------------------------------------------


@pytest.fixture
def mixed(repo: Repo) -> Report:
    """An error, a warning and notes."""
    repo.rules("encrypted_regex: ^(password|on)$")
    selection = Selection("encrypted_regex", "^(password|on)$")
    repo.write(
        "a.enc.yaml", seal(f"password: {SECRET}\non: ab\ntoken: {SECRET}\n", rule(selection=selection))
    )
    repo.write("b.enc.yaml", f"password: {SECRET}\n")
    return repo.check()


def test_text(mixed: Report) -> None:
    mixed.show("warning")
    assert reports.text(mixed).splitlines() == [
        "a.enc.yaml:3:8: warning: token is plaintext and has a name like a secret [plain-secret]",
        "    hint: Widen the selection in the creation rule, then run: encconf updatekeys --selection "
        "a.enc.yaml.",
        "b.enc.yaml:1:11: error: password in plaintext, and creation_rules[0] of .sops.yaml covers it "
        "[not-encrypted]",
        "    hint: Encrypt it (encconf encrypt -i b.enc.yaml). If it has been committed or sent, change its "
        "secrets as well.",
    ]
    assert reports.summary(mixed) == (
        "1 error, 1 warning in 3 files, 1 of them encrypted (1 note hidden; --min-severity note shows it)"
    )


def test_strict_says_why_warnings_fail(mixed: Report) -> None:
    why = ": with --strict, warnings count as errors"
    assert not reports.summary(mixed, strict=True).endswith(why)
    mixed.findings = [found for found in mixed.findings if found.severity == "warning"]
    assert reports.summary(mixed, strict=True).endswith(f"1 of them encrypted{why}")
    assert not reports.summary(mixed).endswith(why)


def test_json(mixed: Report) -> None:
    said = json.loads(reports.json(mixed))
    assert said["summary"] == {"error": 1, "warning": 1, "note": 1}
    assert (said["version"], said["files"], said["encrypted"]) == (1, 3, 1)
    members = {"slug", "severity", "file", "line", "column", "path", "message", "hint"}
    assert all(set(found) == members for found in said["findings"])
    assert SECRET not in json.dumps(said)


# The members that the schema of SARIF 2.1.0 takes here, of those in use; it takes no others.  With a
# bang it demands them; with two, code scanning on GitHub does.
SARIF = {
    "log": "$schema version! runs!",
    "run": "tool! results columnKind originalUriBaseIds invocations",
    "tool": "driver!",
    "toolComponent": "name! version rules",
    "reportingDescriptor": "id! shortDescription!! fullDescription!! help!! defaultConfiguration properties",
    "reportingConfiguration": "level",
    "multiformatMessageString": "text!",
    "invocation": "executionSuccessful!",
    "result": "ruleId!! ruleIndex level message! locations!! partialFingerprints",
    "message": "text!",
    "location": "physicalLocation!! logicalLocations",
    "physicalLocation": "artifactLocation! region!!",
    "artifactLocation": "uri!! uriBaseId",
    "region": "startLine! startColumn",
    "logicalLocation": "fullyQualifiedName kind",
    "propertyBag": "tags",
}


def shaped(kind: str, value: dict[str, Any]) -> dict[str, Any]:
    """An object of SARIF, which has the members that it should."""
    words = SARIF[kind].split()
    assert (
        {word.rstrip("!") for word in words if word.endswith("!")}
        <= set(value)
        <= {word.rstrip("!") for word in words}
    )
    return value


def test_sarif(mixed: Report) -> None:
    """The parts of the 2.1.0 schema that are used, as it demands them."""
    said = shaped("log", json.loads(reports.sarif(mixed, lambda name: f"sub dir/{name}")))
    assert said["version"] == "2.1.0"
    assert said["$schema"].endswith("/sarif-2.1.0.json")
    run = shaped("run", *said["runs"])
    assert run["columnKind"] == "unicodeCodePoints"
    assert shaped("invocation", *run["invocations"])["executionSuccessful"] is True
    driver = shaped("toolComponent", shaped("tool", run["tool"])["driver"])
    rules = [shaped("reportingDescriptor", rule) for rule in driver["rules"]]
    assert [each["id"] for each in rules] == list(KINDS)
    for each in rules:
        level = shaped("reportingConfiguration", each["defaultConfiguration"])["level"]
        assert level in ("none", "note", "warning", "error")
        for member in ("shortDescription", "fullDescription", "help"):
            assert 0 < len(shaped("multiformatMessageString", each[member])["text"]) <= 1024
        assert shaped("propertyBag", each["properties"])["tags"] == ["security"]
    assert len(run["results"]) == 3
    for result in run["results"]:
        shaped("result", result)
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("none", "note", "warning", "error")
        assert shaped("message", result["message"])["text"]
        assert all(isinstance(value, str) for value in result["partialFingerprints"].values())
        location = shaped("location", *result["locations"])
        for logical in location.get("logicalLocations", ()):
            assert shaped("logicalLocation", logical)["kind"] == "member"
        place = shaped("physicalLocation", location["physicalLocation"])
        artifact = shaped("artifactLocation", place["artifactLocation"])
        assert artifact["uri"].startswith("sub%20dir/")
        assert artifact["uriBaseId"] in run["originalUriBaseIds"]
        region = shaped("region", place["region"])
        assert region["startLine"] >= 1
        assert region["startColumn"] >= 1
    assert SECRET not in json.dumps(said)


def test_github_annotations_are_escaped() -> None:
    report = Report()
    report.findings = [
        Finding("plain-value", "a,b:c%.yaml", "50% of\nit\x1b", hint="do\r\nthis", place=(3, 7)),
        Finding("short-value", "x.yaml", "note", hint=""),
    ]
    assert reports.github(report, str).splitlines() == [
        "::error file=a%2Cb%3Ac%25.yaml,title=encconf plain-value,line=3,col=7::50%25 of%0Ait?%0Ado?%0Athis",
        "::notice file=x.yaml,title=encconf short-value::note",
    ]


# --- the command -----------------------------------------------------------------------------------


class TestSelections:
    def test_i14_no_hint_leads_to_plaintext(self, repo: Repo) -> None:
        repo.rules("encrypted_regex: ^(data|stringData)$")
        repo.write("whole.enc.yaml", seal(f"root: {SECRET}\ndata: {SECRET}\n"))
        part = Selection("encrypted_regex", "^(root|x)$")
        repo.write("part.enc.yaml", seal(f"root: {SECRET}\ndata: {SECRET}\n", rule(selection=part)))
        found = [
            each for each in repo.check().findings if each.slug in ("selection-differs", "plain-by-rule")
        ]
        assert [(each.file, each.slug, each.severity) for each in found] == [
            ("part.enc.yaml", "plain-by-rule", "error"),
            ("part.enc.yaml", "selection-differs", "error"),
            ("whole.enc.yaml", "selection-differs", "note"),
        ]
        assert not any("updatekeys" in each.hint for each in found)
        assert "encrypted_regex: ^(root|x)$" in found[0].hint
        assert "unencrypted_suffix: _unencrypted" in found[2].hint

    def test_i4_one_warning_for_a_rule_without_a_selection(self, repo: Repo) -> None:
        own = rule(selection=Selection("encrypted_regex", "^stringData$"))
        for number in range(5):
            repo.write(f"{number}.enc.yaml", seal(f"kind: Secret\nstringData: {SECRET}\n", own))
        repo.write("whole.enc.yaml", seal(f"kind: {SECRET}\n"))
        (found,) = [each for each in repo.check().findings if each.severity != "note"]
        assert (found.slug, found.file) == ("rule-without-selection", ".sops.yaml")
        assert (
            "5 files have encrypted_regex: ^stringData$: 0.enc.yaml, 1.enc.yaml, 2.enc.yaml and 2 more"
            in (found.message)
        )

    def test_i6_the_same_outcome_is_no_error(self, repo: Repo) -> None:
        repo.rules("encrypted_regex: ^(password|key)$")
        own = rule(selection=Selection("encrypted_regex", "^password$"))
        repo.write("a.enc.yaml", seal(f"host: db\npassword: {SECRET}\n", own))
        (found,) = repo.only("selection-differs")
        assert found.severity == "note"
        repo.write("a.enc.yaml", seal(f"key: db\npassword: {SECRET}\n", own))
        (found,) = repo.only("selection-differs")
        assert (found.severity, "updatekeys --selection" in found.hint) == ("error", True)


def test_e7_short_values_are_secrets_only(repo: Repo) -> None:
    repo.write("a.enc.yaml", seal("replicas: 3\nregion: eu\ndebug: true\npin: '12'\napi_token: 7\n"))
    found = [each.path for each in repo.check().findings if each.slug == "short-value"]
    assert found == ["region", "pin", "api_token"]


def test_g_a_block_that_names_no_key(repo: Repo) -> None:
    text = seal(DATABASE)
    start, end = text.index("    age:"), text.index("    lastmodified:")
    repo.write("a.enc.yaml", text[:start] + "    age: []\n" + text[end:])
    (found,) = repo.only("bad-block")
    assert "names no key" in found.message


def test_g_null_and_plain_empty_values_are_not_short(repo: Repo) -> None:
    repo.write("a.enc.yaml", seal("empty: ''\nnothing: null\nshown_unencrypted: ''\n"))
    assert [found.path for found in repo.only("short-value")] == ["empty"]
