"""The names of keys: every place that one may stand in, and what is none."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from oracle import FIXTURES, AgeKey
from pace import at_most
from project import Project

from encconf.audit import names as naming
from encconf.audit.names import Names
from encconf.errors import ConfigError, InputError
from encconf.keys import agepq, from_entry, is_personal, master_key

if TYPE_CHECKING:
    from encconf.keys import MasterKey

ALICE, BOB, CAROL = (AgeKey.load(FIXTURES / "keys" / f"{name}.txt") for name in ("alice", "bob", "carol"))
A, B, C = ALICE.recipient, BOB.recipient, CAROL.recipient
SSH = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJt76aeIPGIf5lYxptFTdezh6ET9bxiFd0OHCEr634i4"
FINGERPRINT = "FBC7B9E2A4F9289AC0C1D4843D16CEE4A27381B4"
ARN = "arn:aws:kms:eu-west-1:111122223333:key/11111111-2222-3333-4444-555555555555"
VAULT = "https://vault.example:8200/v1/sops/keys/web"
AZURE = "https://team.vault.azure.net/keys/web"
GCP = "projects/p/locations/l/keyRings/r/cryptoKeys/k"


def age(recipient: str) -> MasterKey:
    return master_key("age", recipient)


def of_config(folder: Path, text: str) -> Names:
    path = folder / ".sops.yaml"
    path.write_text(text)
    return Names.of_config(str(path))


def of_recipients(folder: Path, text: str, name: str = "team.txt") -> Names:
    path = folder / name
    path.write_text(text)
    return Names.for_files((), None, [str(path)])


def given(names: Names, *recipients: str) -> list[str | None]:
    return [names.given(age(recipient)) for recipient in recipients]


class TestConfiguration:
    @pytest.mark.parametrize(
        ("text", "wanted"),
        [
            (f"  - age:\n      - {A} # alice\n      - {B} # bob\n", ["alice", "bob"]),
            (f"  - age:\n      - {A} # alice\n      - {B}\n", ["alice", None]),
            (f"  - age: {A} # alice\n", ["alice", None]),
            (f"  - age: {A},{B} # alice, bob\n", ["alice", "bob"]),
            (f"  - age: {A},{B} # the team\n", [None, None]),
            (f"  - age: >-\n      {A},\n      {B}\n", [None, None]),
            (f"  - age: [{A}, {B}] # alice, bob\n", ["alice", "bob"]),
            (f"  - age: [{A}] # alice\n", ["alice", None]),
            (
                f"  - key_groups:\n    - age:\n      - {A}  # alice\n    - age: [{B}] # bob\n",
                ["alice", "bob"],
            ),
            (f"  - age:\n      # alice\n      - {A}\n      # bob\n      - {B}\n", ["alice", "bob"]),
            # One comment above the first item may be about all of the list.
            (f"  - age:\n      # alice\n      - {A}\n      - {B}\n", [None, None]),
            (f"  - age:\n      # the team:\n      - {A}\n", [None, None]),
            (f"  - age:\n      # {C}\n      - {A}\n", [None, None]),
            (f"  - age:\n      - &alice {A}\n      - &bob {B}\n", ["alice", "bob"]),
            (f'  - age:\n      - "{A}" # alice\n      - {B} #bob\n', ["alice", "bob"]),
        ],
        ids=[
            "a comment behind each item",
            "behind one item",
            "behind a scalar",
            "behind a comma list",
            "not as many names",
            "a folded list",
            "behind a flow list",
            "behind a flow list of one",
            "in key groups",
            "a comment above each item",
            "above the first item only",
            "prose above",
            "a key above",
            "anchors",
            "quotes",
        ],
    )
    def test_names_beside_a_key(self, text: str, wanted: list[str | None], tmp_path: Path) -> None:
        assert given(of_config(tmp_path, f"creation_rules:\n{text}"), A, B) == wanted

    def test_an_anchor_elsewhere_counts_and_an_alias_takes_no_name(self, tmp_path: Path) -> None:
        text = f"people:\n  - &alice {A}\n  - &bob {B}\ncreation_rules:\n  - age:\n      - *alice # admin\n"
        assert given(of_config(tmp_path, text), A, B) == ["alice", "bob"]

    def test_an_anchor_is_better_than_a_comment(self, tmp_path: Path) -> None:
        text = f"keys:\n  - &alice {A} # of her laptop\n"
        assert given(of_config(tmp_path, text), A) == ["alice"]

    def test_keys_of_services(self, tmp_path: Path) -> None:
        names = of_config(
            tmp_path,
            "creation_rules:\n  - key_groups:\n"
            f"    - kms:\n        - arn: {ARN}+arn:aws:iam::111122223333:role/ops # deploy\n"
            f"      gcp_kms:\n        - resource_id: {GCP} # google\n"
            f"      hc_vault:\n        - {VAULT} # vault\n"
            "      azure_keyvault:\n        - vaultUrl: https://team.vault.azure.net # azure\n"
            "          key: web\n          version: 1234\n"
            f"      pgp:\n        - {FINGERPRINT.lower()} # paul\n",
        )
        for type, name, wanted in (
            ("kms", ARN, "deploy"),
            ("gcp_kms", GCP, "google"),
            ("hc_vault", VAULT, "vault"),
            ("azure_kv", f"{AZURE}/1234", "azure"),
            ("pgp", FINGERPRINT, "paul"),
        ):
            assert names.given(master_key(type, name)) == wanted, type

    def test_the_comment_of_an_ssh_key(self, tmp_path: Path) -> None:
        names = of_config(tmp_path, f"creation_rules:\n  - age:\n      - {SSH} alice@laptop\n")
        assert names.given(age(SSH)) == "alice@laptop"

    def test_an_unreadable_configuration_has_no_names(self, tmp_path: Path) -> None:
        assert given(of_config(tmp_path, f"creation_rules: [\n  - age: {A} # alice\n"), A) == [None]
        assert given(Names.of_config(str(tmp_path / "missing")), A) == [None]

    def test_the_recipients_file_beside_it_comes_first(self, tmp_path: Path) -> None:
        (tmp_path / ".sops.recipients").write_text(f"Alice Martin {A}\n")
        names = of_config(tmp_path, f"creation_rules:\n  - age:\n      - {A} # a\n      - {B} # bob\n")
        assert given(names, A, B) == ["Alice Martin", "bob"]


class TestRecipientsFiles:
    @pytest.mark.parametrize(
        ("text", "wanted"),
        [
            (f"alice {A}\nbob {B}\n", ["alice", "bob"]),
            (f"Alice Martin {A}\n", ["Alice Martin", None]),
            (f"alice: {A}\nbob = {B}\n", ["alice", "bob"]),
            (f"{A} # alice\n{B} bob\n", ["alice", "bob"]),
            (f"# alice\n{A}\n\n# bob\n{B}\n", ["alice", "bob"]),
            (f"# alice, two keys\n{A}\n{B}\n", ["alice, two keys", "alice, two keys"]),
            (f"# a heading\n\n{A}\n", [None, None]),
            (f"\ufeffalice {A}\r\nbob {B}\r\n", ["alice", "bob"]),
            (f'{{"alice": ["{A}"], "bob": "{B}"}}', ["alice", "bob"]),
        ],
        ids=[
            "name and key",
            "a name of two words",
            "colon or equals sign",
            "key and name",
            "a heading each",
            "one heading for two",
            "a heading and a blank line",
            "mark and carriage returns",
            "JSON",
        ],
    )
    def test_a_recipients_file_of_lines(self, text: str, wanted: list[str | None], tmp_path: Path) -> None:
        assert given(of_recipients(tmp_path, text), A, B) == wanted

    def test_ssh_keys(self, tmp_path: Path) -> None:
        for text in (
            f"alice {SSH}\n",
            f"{SSH} alice\n",
            f'alice namespaces="git" {SSH}\n',  # allowed_signers
            f"# alice\n{SSH}\n",
        ):
            names = of_recipients(tmp_path, text)
            assert names.given(age(SSH)) == "alice", text
            assert names.given(age(f"{SSH} somebody@else")) == "alice", "the comment is not the key"

    def test_keys_of_github_as_they_were_saved(self, tmp_path: Path) -> None:
        names = of_recipients(tmp_path, f"{SSH}\nssh-rsa AAAAB3NzaC1yc2E=\n", "octocat.keys")
        assert names.given(age(SSH)) == "octocat"

    def test_keys_from_the_api_of_github(self, tmp_path: Path) -> None:
        text = f'[{{"id": 1, "key": "{SSH}"}}, {{"id": 2, "key": "ssh-rsa AAAAB3NzaC1yc2E="}}]'
        assert of_recipients(tmp_path, text, "octocat.json").given(age(SSH)) == "octocat"

    def test_a_folder_of_recipients_files(self, tmp_path: Path) -> None:
        (tmp_path / "octocat.keys").write_text(f"{SSH}\n")
        (tmp_path / "team").write_text(f"alice {A}\n")
        (tmp_path / ".hidden").write_text("no key\n")
        (tmp_path / "more").mkdir()
        names = Names.for_files((), None, [str(tmp_path)])
        assert (names.given(age(SSH)), names.given(age(A))) == ("octocat", "alice")

    def test_fingerprints_as_gpg_prints_them(self, tmp_path: Path) -> None:
        spaced = " ".join(FINGERPRINT[at : at + 4] for at in range(0, 40, 4))
        for text in (f"paul {spaced}\n", f"{spaced} paul\n", f"0x{FINGERPRINT[-16:]} paul\n"):
            assert of_recipients(tmp_path, text).given(master_key("pgp", FINGERPRINT)) == "paul", text

    def test_an_azure_key_of_any_version(self, tmp_path: Path) -> None:
        names = of_recipients(tmp_path, f"azure {AZURE}\n")
        assert names.given(master_key("azure_kv", f"{AZURE}/0123456789abcdef")) == "azure"

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (f"alice {A}\ncarol hunter2-not-a-key\n", "line 2 names no key"),
            ("{", "it is not valid JSON"),
            ('{"alice": ["hunter2-not-a-key"]}', "it contains no keys in a known form"),
            (f"{ALICE.identity}\n", "it contains a private key"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n", "it contains a private key"),
        ],
        ids=["line", "JSON", "member", "age identity", "SSH key"],
    )
    def test_files_that_are_no_recipients_files(self, text: str, message: str, tmp_path: Path) -> None:
        with pytest.raises(ConfigError) as caught:
            of_recipients(tmp_path, text)
        assert caught.value.message == message
        assert caught.value.file == str(tmp_path / "team.txt")
        said = f"{caught.value} {caught.value.hint}"
        assert "hunter2" not in said
        assert "AGE-SECRET-KEY" not in said

    def test_a_missing_recipients_file(self, tmp_path: Path) -> None:
        with pytest.raises(InputError):
            Names.for_files((), None, [str(tmp_path / "missing")])


def test_a_name_is_one_short_line(tmp_path: Path) -> None:
    names = of_recipients(tmp_path, f"# {'x' * 100}\n{A}\n\n# evil\u202ename\x1b[31m\n{B}\n")
    long, evil = given(names, A, B)
    assert long == "x" * 63 + "…"
    assert evil is not None
    assert evil.isprintable()


@pytest.mark.parametrize(
    "text",
    [
        "age: age1qqqqqqqqqqqqqqqqqqqq" + " " * 300_000 + "\n",
        "a: {" + ", ".join(f"k{number}: &a{number} x" for number in range(20_000)) + "}\n",
        "a: ['" + "&" * 300_000 + "', x]\n",
        "a:\n" + "- [age1qqqqqqqqqqqqqqqqqqqq] # x\n" * 15_000,
        "a:\n# " + "a" * 400_000 + "\n- [" + "x, " * 20_000 + "]\n",
        "a:\n- {" + "".join(f"k{n}: 'age1qqqqqqqqqq,age1qqqqqqqqqq', " for n in range(9_000))
        + "} #" + " x," * 100_000 + "\n",
    ],
    ids=["blanks", "anchors", "signs", "lists", "above", "names"],
)  # fmt: skip
def test_a_hostile_configuration_is_read_in_time(text: str) -> None:
    """Each took minutes for somebody who looked for the name of a key by position."""
    with at_most(5):
        Names().add_old(".sops.yaml", text)


def test_an_encrypted_file_gives_no_names() -> None:
    assert Names().given(age(f"{SSH} alice")) is None


@pytest.mark.parametrize(
    ("type", "name", "kind", "service"),
    [
        ("age", A, "age", False),
        ("age", SSH, "SSH", False),
        (
            "age",
            "age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t",
            "age, yubikey",
            False,
        ),
        ("pgp", FINGERPRINT, "PGP", False),
        ("kms", ARN, "AWS KMS", True),
        ("hc_vault", VAULT, "Vault transit", True),
    ],
    ids=["age", "SSH", "plugin", "PGP", "AWS", "Vault"],
)
def test_what_kind_a_key_is_of(type: str, name: str, kind: str, service: bool) -> None:
    key = master_key(type, name)
    assert (naming.kind(key), not is_personal(key)) == (kind, service)


def test_what_kind_a_newer_key_is_of() -> None:
    assert naming.kind(age(agepq.Identity.generate().to_public())) == "age, post-quantum"
    assert naming.kind(from_entry("from_the_future", {"x": "y"})) == "from_the_future"


def test_which_comments_are_at_a_key(tmp_path: Path) -> None:
    names = of_config(tmp_path, f"keys:\n  - {A} # alice [ops]\n  - {B} # bob\n")
    assert given(names, A, B) == ["alice [ops]", "bob"]
    item = f"        - role: deploy\n          # Frankfurt\n          arn: {ARN}\n"
    names = of_config(tmp_path, f"creation_rules:\n  - key_groups:\n    - kms:\n{item}")
    assert names.given(master_key("kms", ARN)) is None, "it is above a member, not above the item"


def test_one_of_two_vaults_has_a_name(tmp_path: Path) -> None:
    vaults = "".join(
        f"    - vaultUrl: https://{name}.vault.azure.net/{comment}\n      key: web\n      version: a\n"
        for name, comment in (("team", " # ops"), ("other", ""))
    )
    names = of_config(tmp_path, f"creation_rules:\n- azure_keyvault:\n{vaults}")
    found = [
        master_key("azure_kv", f"https://{name}.vault.azure.net/keys/web/a") for name in ("team", "other")
    ]
    assert [names.given(key) for key in found] == ["ops", None]


def test_an_alias_in_a_list_needs_no_name(tmp_path: Path) -> None:
    text = f"keys:\n  - &bob {B}\ncreation_rules:\n  - age:\n      # alice\n      - {A}\n      - *bob\n"
    assert given(of_config(tmp_path, text), A, B) == ["alice", "bob"]


def test_only_an_ssh_key_has_a_comment_of_its_own(tmp_path: Path) -> None:
    names = of_config(tmp_path, f"creation_rules:\n  - kms: {ARN} and more words\n  - age: {SSH} me@laptop\n")
    assert names.given(age(SSH)) == "me@laptop"
    assert names.given(master_key("kms", ARN)) is None


def test_an_ssh_key_is_the_age_key_that_is_made_of_it(tmp_path: Path) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id.pub").write_text(f"{SSH} me\n")
    (made,) = naming.origins(str(tmp_path), {"HOME": str(tmp_path)})
    assert naming.identity(age(f"{SSH} me")) == naming.identity(age(made)) == f"age:{made}"
    assert naming.identity(age(A)) == f"age:{A}"


def test_a_long_key_is_shown_by_its_kind_and_id() -> None:
    for type, name in (("kms", ARN), ("gcp_kms", GCP), ("hc_vault", VAULT), ("age", A), ("pgp", FINGERPRINT)):
        key = master_key(type, name)
        whole = f"{naming.kind(key)} {naming.key_id(key)}"
        assert naming.short(key) == (key.label if len(key.label) <= 28 else whole)
    for size in (27, 28, 29):
        name = "x" * size
        key = from_entry("x", {"x": name})
        assert naming.key_id(key) == (name if size <= 28 else f"{'x' * 12}…{'x' * 6}")
        label = from_entry("x", {"x": "y" * (size - len(from_entry("x", {"x": "y"}).label) + 1)})
        assert len(label.label) == size
        assert (naming.short(label) == label.label) is (size <= 28)


def test_keys_of_a_configuration_as_text(tmp_path: Path) -> None:
    names = of_recipients(tmp_path, f"alice {A}\n")
    assert names.written(A) == f"alice ({A})"
    assert names.written(f"{A}, {B}") == f"alice ({A}), {B}"
    names = of_recipients(tmp_path, f"alice {A}\ncarol {SSH}\n")
    names.add_old(str(tmp_path / "team.txt"), f"bob {B}\n")
    assert names.written(f"{SSH} laptop") == f"carol ({SSH.partition(' ')[2]})"
    assert names.written(f"{A},{B},{C}") == f"alice ({A}), bob (former, {B}), {C}"
    for other in ("", "hunter2", f"{A},hunter2", "https://user:hunter2@vault.example/v1/sops/keys/web"):
        assert names.written(other) is None


def test_the_configuration_of_each_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    above, inside = tmp_path / ".sops.yaml", tmp_path / "team" / ".sops.yaml"
    inside.parent.mkdir()
    above.write_text(f"creation_rules:\n  - age:\n      - {A} # alice\n")
    inside.write_text(f"creation_rules:\n  - age:\n      - {A} # a\n      - {B} # bob\n")
    paths: Sequence[str] = [str(tmp_path / "x.yaml"), str(inside.parent / "y.yaml")]
    names = Names.for_files(paths, None, [])
    assert given(names, A, B) == ["alice", "bob"]
    assert names.files == [str(above), str(inside)]
    other = tmp_path / "elsewhere" / ".sops.yaml"
    other.parent.mkdir()
    other.write_text(f"creation_rules:\n  - age:\n      - {A} # al\n")
    monkeypatch.chdir(other.parent)
    assert Names.for_files(paths, None, []).files == [str(above), str(inside)]
    assert Names.for_files(paths, str(other), []).files == [str(other)]


def test_a_configuration_that_is_too_long_names_nobody(tmp_path: Path) -> None:
    """Nor could a rule of it be used."""
    text = f"creation_rules:\n  - age:\n      - {A} # alice\n#"
    for size, name in ((naming.MAX_SIZE, "alice"), (naming.MAX_SIZE + 1, None)):
        names = of_config(tmp_path, text.ljust(size, "x"))
        assert names.given(age(A)) == name


def test_names_are_shown_when_keys_change(tmp_path: Path, home: Path) -> None:
    """One name for one key, whatever the command."""
    project = Project(tmp_path, home, ALICE)
    project.write(".sops.yaml", f"creation_rules:\n  - age: {A} # alice\n")
    project.write("s.yaml", "a: b\n")
    project.run("encrypt", "-i", "s.yaml")
    project.write(".sops.yaml", f"creation_rules:\n  - age:\n    - {A} # alice\n    - {B} # bob\n")
    assert f"{B} (bob)" in project.run("updatekeys", "-n", "s.yaml").out
    project.run("updatekeys", "-y", "s.yaml")
    assert project.run("access", "s.yaml").out.count("bob") == 1


@pytest.mark.parametrize(
    "rules",
    [
        "  # Staging secrets\n  - path_regex: x\n    age: {A}\n",
        "  - path_regex: x # Staging\n    age: {A}\n",
        "  # Everything\n  - age: {A}\n",
        "  - path_regex: x\n    age: >-\n      {A}\n    # Staging\n  - path_regex: y\n    age: {B}\n",
        "  - path_regex: x\n    age: |\n      {A}\n  # Staging\n  - path_regex: y\n    age: {B}\n",
        "  - path_regex: x\n    age: {A} # yamllint disable-line\n",
        "  - path_regex: x\n    age:\n      # prettier-ignore\n      - {A}\n",
    ],
)
def test_comments_for_people_are_no_names(tmp_path: Path, rules: str) -> None:
    names = of_config(tmp_path, "creation_rules:\n" + rules.replace("{A}", A).replace("{B}", B))
    assert given(names, A, B) == [None, None]


def test_comments_at_keys_are_names(tmp_path: Path) -> None:
    text = (
        f"keys:\n  - &alice {A}\ncreation_rules:\n  - path_regex: x\n    key_groups:\n"
        f"    - age:\n      # bob\n      - {B}\n      kms:\n      # Kicsi, web\n      - arn: {ARN}\n"
    )
    names = of_config(tmp_path, text)
    assert given(names, A, B) == ["alice", "bob"]
    assert names.given(master_key("kms", ARN)) == "Kicsi, web"  # and kics is a linter


def test_names_beside_a_null_key(tmp_path: Path) -> None:
    names = of_config(tmp_path, f"keys:\n  - &users:\n    - &alice {A}\ncreation_rules: []\n")
    assert given(names, A) == ["alice"]


class TestShown:
    def test_a_key_with_its_name_or_a_former_one(self, tmp_path: Path) -> None:
        names = of_config(tmp_path, f"creation_rules:\n  - age:\n      - {A} # alice\n")
        names.add_old(str(tmp_path / ".sops.yaml"), f"creation_rules:\n  - age:\n      - {B} # bob\n")
        found = [age(each) for each in (A, B, C)]
        assert [names.to_json(key)["name"] for key in found] == ["alice", "bob", None]
        assert [names.whole(key) for key in found] == [f"alice ({A})", f"bob (former, {B})", C]
        assert [names.is_dropped(key) for key in found] == [False, True, False]

    def test_a_name_is_cut_off_where_it_is_too_long(self, tmp_path: Path) -> None:
        for size in (naming.MAX_NAME, naming.MAX_NAME + 1):
            names = of_config(tmp_path, f"creation_rules:\n  - age:\n      - {A} # {'x' * size}\n")
            (name,) = given(names, A)
            assert name is not None
            assert (len(name), name.endswith("…")) == (naming.MAX_NAME, size > naming.MAX_NAME)

    @pytest.mark.parametrize(
        ("type", "value", "shown", "service"),
        [
            ("kms", ARN, "11111111-222…555555 (eu-west-1)", True),
            ("kms", "arn:aws:kms:us-east-1:123:alias/prod", "alias/prod (us-east-1, 123)", True),
            ("kms", "arn:aws:kms:us-east-1:123:key/short", "short (us-east-1)", True),
            ("gcp_kms", GCP, "r/k", True),
            ("gcp_kms", GCP.replace("/r/", f"/{'r' * 40}/"), "rrrrrrrrrrrr…rrrr/k", True),
            ("gcp_kms", "projects/p", "p", True),
            ("azure_kv", f"{AZURE}/0123456789abcdef", "team/web", True),
            ("hc_vault", VAULT, "web", True),
            ("pgp", FINGERPRINT, "3D16CEE4A27381B4", False),
        ],
    )
    def test_the_part_of_a_key_that_tells_it_apart(
        self, type: str, value: str, shown: str, service: bool
    ) -> None:
        key = from_entry(type, {"resource_id": value}) if value == "projects/p" else master_key(type, value)
        assert (naming.key_id(key), not is_personal(key)) == (shown, service)
        assert not is_personal(from_entry("from_the_future", {"x": "y"}))

    def test_the_ssh_key_that_a_recipient_was_made_from(self, tmp_path: Path) -> None:
        folder = tmp_path / ".ssh"
        folder.mkdir()
        (folder / "id.pub").write_text(f"\n# mine\nssh-ed25519\nssh-rsa AAAA me\n{SSH} alice laptop\n")
        (folder / "bad.pub").write_text("ssh-ed25519 AAAA\n")
        found = naming.origins(str(tmp_path), {"HOME": str(tmp_path)})
        assert list(found.values()) == ["~/.ssh/id.pub (alice laptop)"]
        assert next(iter(found)).startswith("age1")


class TestSaid:
    """Every function that shows a key, for a key with and without a name, a former one, and an SSH key."""

    LABEL = age(A).label
    MADE = "SSH key ~/.ssh/id.pub (me)"

    @pytest.mark.parametrize(
        ("now", "once", "made", "name", "of", "full", "whole"),
        [
            ("", "", False, None, LABEL, LABEL, A),
            ("alice", "", False, "alice", "alice", f"alice ({LABEL})", f"alice ({A})"),
            ("", "al", False, "al", f"al (former, {LABEL})", f"al (former, {LABEL})", f"al (former, {A})"),
            ("alice", "al", False, "alice", "alice", f"alice ({LABEL})", f"alice ({A})"),
            ("", "", True, MADE, MADE, f"{MADE} ({LABEL})", f"{MADE} ({A})"),
            ("alice", "", True, "alice", "alice", f"alice ({LABEL}, {MADE})", f"alice ({A})"),
            ("", "al", True, MADE, MADE, f"{MADE} ({LABEL})", f"{MADE} ({A})"),
        ],
    )
    @pytest.mark.parametrize("recipients", [False, True])
    def test_a_key(
        self,
        now: str,
        once: str,
        made: bool,
        name: str | None,
        of: str,
        full: str,
        whole: str,
        recipients: bool,
    ) -> None:
        names, key = Names(), age(A)
        for person, add in ((now, names.add_text), (once, None)):
            text = f"creation_rules:\n  - age:\n      - {A} # {person}\n" if person else ""
            if add is not None:
                add(text)
            elif recipients:
                names.add_old("team/.sops.recipients", f"{person} {A}\n" if person else "")
            else:
                names.add_old("team/.sops.yaml", text)
        names.origins = {A: "~/.ssh/id.pub (me)"} if made else {}
        assert names.to_json(key) == {"type": "age", "key": A, "name": name}
        assert (names.of(key), names.full(key), names.whole(key)) == (of, full, whole)
        assert names.given(key) == (now or (self.MADE if made else None))
        assert names.every(key) == ([now] if now else [self.MADE] if made else [])
        assert names.former(key) == (once if once and not now and not made else None)
        assert names.origin(key) == (self.MADE if made else None)
        assert (names.contain(key), names.is_dropped(key)) == (bool(now), names.former(key) is not None)

    def test_the_names_of_several_files(self) -> None:
        names = Names()
        for name in ("bob", "alice", "bob", "carol"):
            names.add_text(f"creation_rules:\n  - age:\n      - {A} # {name}\n")
        assert (names.given(age(A)), names.every(age(A))) == ("bob", ["bob", "alice", "carol"])
        names.add_text(f"creation_rules:\n  - pgp:\n      - {FINGERPRINT[-16:]} # short\n")
        names.add_text(f"creation_rules:\n  - pgp:\n      - {FINGERPRINT} # long\n")
        key = master_key("pgp", FINGERPRINT)
        assert (names.given(key), names.every(key)) == ("long", ["long", "short"])

    def test_a_key_without_a_name_of_its_own(self) -> None:
        key = from_entry("x", {})
        assert {Names().whole(key), Names().full(key), Names().of(key)} == {"(no name)"}

    def test_a_key_without_its_name_is_not_dropped(self, tmp_path: Path) -> None:
        """In any form: a configuration may name a PGP key by its short id."""
        long = master_key("pgp", FINGERPRINT)
        for now in (FINGERPRINT, FINGERPRINT[-16:]):
            names = of_config(tmp_path, f"creation_rules:\n  - age: {A}\n    pgp: {now}\n")
            names.add_old(
                str(tmp_path / ".sops.yaml"), f"keys:\n  - &al {A}\n  - &bob {B}\n  - &pat {FINGERPRINT}\n"
            )
            found = [age(A), age(B), long]
            assert [names.former(key) for key in found] == ["al", "bob", "pat"]
            assert [names.contain(key) for key in found] == [True, False, True]
            assert [names.is_dropped(key) for key in found] == [False, True, False]

    def test_keys_without_any_configuration_are_not_dropped(self) -> None:
        names = Names()
        names.add_old(".sops.yaml", f"creation_rules:\n  - age:\n      - {A} # alice\n")
        assert (names.former(age(A)), names.is_dropped(age(A))) == ("alice", False)


def test_an_item_with_an_empty_value_has_its_name(tmp_path: Path) -> None:
    item = f"        - arn: {ARN} # deploy\n          role: ''\n          aws_profile:\n"
    names = of_config(tmp_path, f"creation_rules:\n  - key_groups:\n    - kms:\n{item}")
    assert names.given(master_key("kms", ARN)) == "deploy"


def test_where_ssh_keys_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In ~/.ssh of the given environment, or of the user."""
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "zz.pub").write_text(f"{SSH} me@laptop\n")
    (home / ".ssh" / "zz.txt").write_text(f"{SSH} other\n")
    (recipient,) = naming.origins(str(tmp_path), {"HOME": str(home)})
    assert naming.origins(str(tmp_path), {"HOME": str(home)}) == {recipient: "~/.ssh/zz.pub (me@laptop)"}
    monkeypatch.setenv("HOME", str(home))
    assert naming.origins(str(tmp_path), {}) == naming.origins(str(tmp_path), {"HOME": ""}) != {}


def test_the_part_of_a_key_of_another_form() -> None:
    for name, shown in (
        ("a:b:c:d:e:f", "a:b:c:d:e:f"),
        ("arn:aws:kms:short", "arn:aws:kms:short"),
        ("other/p/locations/l/keyRings/r/cryptoKeys/k", "k"),
        ("http://team.vault.azure.net/keys/web", "web"),
        (f"https://{'v' * 25}.vault.azure.net/keys/web", f"{'v' * 24}/web"),
        (f"https://{'v' * 24}.vault.azure.net/keys/web", f"{'v' * 24}/web"),
        ("arn:aws:kms:us-east-1:123:alias/a:b", "alias/a:b (us-east-1, 123)"),
    ):
        assert naming.key_id(from_entry("x", {"x": name})) == shown
    assert naming.key_id(master_key("hc_vault", "https://v:8200/v1/a/b/c/d/keys/web")) == "web"


def test_half_an_address_is_shown_by_its_end() -> None:
    """A file may say anything about its keys."""
    for whole, name in ((AZURE, "team/web"), (GCP, "r/k"), (ARN, f"{ARN[-36:][:12]}…{ARN[-6:]} (eu-west-1)")):
        sign = ":" if whole == ARN else "/"
        parts = whole.split(sign)
        assert naming.key_id(from_entry("x", {"x": whole})) == name
        for size in range(1, len(parts)):
            shown = naming.key_id(from_entry("x", {"x": sign.join(parts[:size]) or "x"}))
            assert 0 < len(shown) <= 24, whole
            assert shown[-6:] == (sign.join(parts[:size]).rstrip("/").rpartition("/")[2] or "x")[-6:]


def test_a_folder_of_recipients_files(tmp_path: Path) -> None:
    """Only files count that are in it and are not hidden."""
    for name in ("team.txt", ".hidden", "old/team.txt", ".git/x"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"{name} {A if name == 'team.txt' else B}\n")
    names = Names.for_files((), None, [str(tmp_path)])
    assert (names.given(age(A)), names.given(age(B))) == ("team.txt", None)
    assert names.files == [str(tmp_path / "team.txt")]


def test_so_many_ssh_keys_belong_to_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".ssh").mkdir()
    for number in range(600):
        (tmp_path / ".ssh" / f"{number}.pub").touch()
    read: list[str] = []
    monkeypatch.setattr("encconf.io.fileio.read_text", lambda path: read.append(path) or "")
    monkeypatch.setattr("encconf.git.tracked", lambda _: [f"/tree/{number}.pub" for number in range(600)])
    assert naming.origins(str(tmp_path), {"HOME": str(tmp_path)}) == {}
    assert [sum(part in path for path in read) for part in ("/.ssh/", "/tree/")] == [500, 500]


def test_keys_without_a_comment_of_their_own(tmp_path: Path) -> None:
    other = SSH[:-4] + "AAAA"
    names = of_recipients(tmp_path, f"alice {SSH}\n")
    assert names.given(from_entry("age", {"recipient": f"{SSH} laptop"})) == "alice"
    assert names.given(from_entry("age", {"recipient": other})) is None
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id.pub").write_text(f"{SSH}\n")
    assert list(naming.origins(str(tmp_path), {"HOME": str(tmp_path)}).values()) == ["~/.ssh/id.pub"]


@pytest.mark.parametrize("keys", ["[5]", "[null]", "{}", '[{"key": 5}]', '[{"id": "x"}]', '["no"]', "true"])
def test_json_without_keys(tmp_path: Path, keys: str) -> None:
    with pytest.raises(ConfigError, match="it contains no keys in a known form"):
        of_recipients(tmp_path, f'{{"bob": {keys}}}', "team.json")


@pytest.mark.services  # as root: gives a file to another user
def test_names_in_a_configuration_of_another_user(tmp_path: Path) -> None:
    """They encrypt nothing."""
    (tmp_path / ".sops.yaml").write_text(f"creation_rules:\n  - age:\n      - {A} # alice\n")
    os.chown(tmp_path / ".sops.yaml", 65534, -1)
    assert Names.for_files([str(tmp_path / "x.yaml")], None, []).given(age(A)) == "alice"
