"""`.sops.yaml`: the same rule as the real sops picks, and clear words for what is wrong with it."""

from __future__ import annotations

import errno
import itertools
import ntpath
import os
import posixpath
import re
import textwrap
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

import pytest
from oracle import FIXTURES, PGP_FINGERPRINT, AgeKey, Sops, SopsError, gpg_home, scratch
from pace import at_most
from project import Project

from encconf import formats
from encconf.errors import (
    BadKeyError,
    ConfigError,
    EncconfError,
    MissingFileError,
    NoConfigError,
    NoMatchingRuleError,
    PatternError,
)
from encconf.publish import find_destination
from encconf.rules import config
from encconf.rules.selection import DEFAULT, PROPOSED, Selection

# The same in every process: they stand in the names of the tests.
A, B, C = (AgeKey.load(FIXTURES / "keys" / f"{name}.txt").recipient for name in ("alice", "bob", "carol"))
D = "age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg"  # an example of the age specification
FP = PGP_FINGERPRINT
ARN = "arn:aws:kms:eu-west-1:111122223333:key/12345678-1234-1234-1234-123456789012"


def rules(text: str) -> str:
    """A configuration from its creation rules, with A, B, C, D and FP for keys."""
    return "creation_rules:\n" + textwrap.indent(keyed(text), "  ")


def keyed(text: str) -> str:
    for name, value in (("$A", A), ("$B", B), ("$C", C), ("$D", D), ("$FP", FP)):
        text = text.replace(name, value)
    return textwrap.dedent(text).strip() + "\n"


# --- against the real sops -----------------------------------------------------------------------

# Each configuration with the names of files that it is asked for.
AGREED: dict[str, tuple[str, list[str]]] = {
    # which rule
    "no path_regex": (rules("- age: $A"), ["a.yaml", "b/c.yaml"]),
    "first match wins": (
        rules("""
            - {path_regex: prod, age: $A}
            - {path_regex: yaml$, age: $B}
            - {age: $C}"""),
        ["a.yaml", "prod.yaml", "prod/a.yaml", "a.json"],
    ),
    "no match": (rules("- {path_regex: ^prod/, age: $A}"), ["prod/a.yaml", "dev/prod/a.yaml", "a.yaml"]),
    "anchored": (
        rules("- {path_regex: '^a\\.yaml$', age: $A}\n- {age: $B}"),
        ["a.yaml", "b/a.yaml", "aXyaml.yaml"],
    ),
    "folders": (
        rules("- {path_regex: 'secrets/.*/[^/]+\\.yaml$', age: $A}\n- {age: $B}"),
        ["secrets/a/b.yaml", "secrets/b.yaml"],
    ),
    "no absolute paths": (rules("- {path_regex: ^/, age: $A}\n- {age: $B}"), ["a.yaml"]),
    "flags": (
        rules("- {path_regex: '(?i)PROD', age: $A}\n- {age: $B}"),
        ["prod.yaml", "Prod.yaml", "dev.yaml"],
    ),
    "unicode": (rules("- {path_regex: '^\\pL+\\.yaml$', age: $A}\n- {age: $B}"), ["été.yaml", "a1.yaml"]),
    "dots in the path": (
        rules("- {path_regex: ^a.yaml$, age: $A}\n- {age: $B}"),
        ["x/../a.yaml", "./a.yaml"],
    ),
    "a newline in a name": (rules("- {path_regex: ^a.b, age: $A}\n- {age: $B}"), ["a\nb.yaml", "a b.yaml"]),
    "empty path_regex": (rules("- {path_regex: '', age: $A}\n- {age: $B}"), ["a.yaml"]),
    "null path_regex": (rules("- {path_regex: ~, age: $A}\n- {age: $B}"), ["a.yaml"]),
    "number as path_regex": (rules("- {path_regex: 0x10, age: $A}\n- {age: $B}"), ["0x10.yaml", "16.yaml"]),
    "bool as path_regex": (rules("- {path_regex: true, age: $A}\n- {age: $B}"), ["true.yaml", "True2.yaml"]),
    "date as path_regex": (
        rules("- {path_regex: 2024-01-02, age: $A}\n- {age: $B}"),
        ["2024-01-02.yaml", "a.yaml"],
    ),
    "a rule that is null": (rules("-\n- {age: $A}"), ["a.yaml"]),
    "only null rules": (rules("-\n- ~"), ["a.yaml"]),
    "bad path_regex": (rules("- {path_regex: '(', age: $A}"), ["a.yaml"]),
    "bad path_regex after the match": (rules("- {age: $A}\n- {path_regex: '(', age: $B}"), ["a.yaml"]),
    "bad path_regex before the match": (rules("- {path_regex: '(?!a)', age: $A}\n- {age: $B}"), ["a.yaml"]),
    "no rules": ("creation_rules: []", ["a.yaml"]),
    "null rules": ("creation_rules:", ["a.yaml"]),
    "nothing": ("", ["a.yaml"]),
    "only comments": ("# creation_rules: none\n", ["a.yaml"]),
    "other things": ("stores: {yaml: {indent: 2}}\nkeys: [a, b]", ["a.yaml"]),
    # flat keys
    "two with a comma": (rules("- age: $A,$B"), ["a.yaml"]),
    "order is kept": (rules("- age: $D,$B,$C,$A"), ["a.yaml"]),
    "spaces and a last comma": (rules("- age: ' $A , $B ,, '"), ["a.yaml"]),
    "folded": (rules("- age: >-\n    $A,\n    $B"), ["a.yaml"]),
    "list": (rules("- age: [$B, $A]"), ["a.yaml"]),
    "commas in a list": (rules("- age: ['$B, $C', $A]"), ["a.yaml"]),
    "repeated keys stay": (rules("- age: $A,$B,$A"), ["a.yaml"]),
    "repeated keys of a list stay": (rules("- age: [$A, $A]"), ["a.yaml"]),
    "pgp": (rules("- pgp: $FP"), ["a.yaml"]),
    "pgp and age": (rules("- pgp: $FP\n  age: $A"), ["a.yaml"]),
    "pgp with spaces": (rules(f"- pgp: '{' '.join(FP[i : i + 4] for i in range(0, 40, 4))}'"), ["a.yaml"]),
    "no keys": (rules("- path_regex: a"), ["a.yaml"]),
    "empty keys": (rules("- {age: '', pgp: []}"), ["a.yaml"]),
    "null keys": (rules("- {age: ~, pgp: ~}"), ["a.yaml"]),
    "only a comma": (rules("- age: ','"), ["a.yaml"]),
    "not a recipient": (rules("- age: age1nothing"), ["a.yaml"]),
    "not a recipient elsewhere": (rules("- {path_regex: x, age: age1nothing}\n- age: $A"), ["a.yaml"]),
    "number as key": (rules("- age: 5"), ["a.yaml"]),
    "number as key elsewhere": (rules("- {path_regex: x, age: 5}\n- age: $A"), ["a.yaml"]),
    "null in a list of keys": (rules("- age: [~, $A]"), ["a.yaml"]),
    "mapping as keys": (rules("- age: {a: $A}"), ["a.yaml"]),
    "hckms wants a list": (rules("- {path_regex: x, hckms: 'a:b'}\n- age: $A"), ["a.yaml"]),
    "cloud keys elsewhere": (
        rules(f"""
            - {{path_regex: ^x, kms: {ARN}, aws_profile: p, gcp_kms: projects/a, azure_keyvault: https://v/keys/k}}
            - {{path_regex: ^y, hckms: ['r:u'], hc_vault_transit_uri: 'https://v/v1/transit/keys/k'}}
            - {{path_regex: ^z, key_groups: [{{kms: [{{arn: {ARN}, context: {{a: 1}}}}], hc_vault: [x]}}]}}
            - age: $A"""),
        ["a.yaml"],
    ),
    # key groups
    "one group": (rules("- key_groups: [{age: [$B, $A]}]"), ["a.yaml"]),
    "two groups": (rules("- key_groups: [{age: [$A]}, {age: [$B, $C]}]"), ["a.yaml"]),
    "three groups and a threshold": (
        rules("- {shamir_threshold: 2, key_groups: [{age: [$A]}, {age: [$B]}, {age: [$C, $D]}]}"),
        ["a.yaml"],
    ),
    "groups of two types": (rules("- key_groups: [{pgp: [$FP], age: [$A]}, {age: [$B]}]"), ["a.yaml"]),
    "groups replace flat keys": (rules("- {age: $A, pgp: bad, key_groups: [{age: [$B]}]}"), ["a.yaml"]),
    "empty groups do not": (rules("- {age: $A, key_groups: []}"), ["a.yaml"]),
    "null groups do not": (rules("- {age: $A, key_groups: [~, ~]}"), ["a.yaml"]),
    "null among groups": (rules("- key_groups: [~, {age: [~, $A]}]"), ["a.yaml"]),
    "repeated keys of a group go": (rules("- key_groups: [{age: [$B, $A, $B]}]"), ["a.yaml"]),
    "commas in a group": (rules("- key_groups: [{age: ['$B, $A', $B]}]"), ["a.yaml"]),
    "a last comma in a group": (rules("- key_groups: [{age: ['$B,']}]"), ["a.yaml"]),
    "an empty group": (rules("- key_groups: [{age: [$A]}, {age: []}]"), ["a.yaml"]),
    "same key in two groups": (rules("- key_groups: [{age: [$A]}, {age: [$A]}]"), ["a.yaml"]),
    "merge": (rules("- key_groups: [{merge: [{age: [$C]}, {age: [$B, $C]}], age: [$A]}]"), ["a.yaml"]),
    "merge in merge": (
        rules("- key_groups: [{age: [$A], merge: [{age: [$B], merge: [{age: [$C]}, {age: [$A]}]}]}]"),
        ["a.yaml"],
    ),
    "merge by anchors": (
        keyed("""
            keys: [&a $A, &b $B]
            groups: [&team {age: [*a, *b]}, &ops {merge: [*team], age: [$C]}]
            creation_rules: [{key_groups: [{merge: [*ops, *team]}]}]"""),
        ["a.yaml"],
    ),
    "age as text in a group": (rules("- key_groups: [{age: $A}]"), ["a.yaml"]),
    "groups as mapping": (rules("- key_groups: {age: [$A]}"), ["a.yaml"]),
    "threshold of one": (
        rules("- {shamir_threshold: 1, key_groups: [{age: [$A]}, {age: [$B]}]}"),
        ["a.yaml"],
    ),
    "threshold too high": (
        rules("- {shamir_threshold: 3, key_groups: [{age: [$A]}, {age: [$B]}]}"),
        ["a.yaml"],
    ),
    "threshold 2.0": (rules("- {shamir_threshold: 2.0, key_groups: [{age: [$A]}, {age: [$B]}]}"), ["a.yaml"]),
    "threshold as text": (rules("- {shamir_threshold: '2', age: $A}"), ["a.yaml"]),
    "threshold null": (rules("- {shamir_threshold: ~, age: $A}"), ["a.yaml"]),
    "threshold true": (rules("- {shamir_threshold: true, age: $A}"), ["a.yaml"]),
    # which values
    "unencrypted_suffix": (rules("- {age: $A, unencrypted_suffix: _plain}"), ["a.yaml"]),
    "encrypted_suffix": (rules("- {age: $A, encrypted_suffix: _enc}"), ["a.yaml"]),
    "unencrypted_regex": (rules("- {age: $A, unencrypted_regex: ^(kind|name)$}"), ["a.yaml"]),
    "encrypted_regex": (rules("- {age: $A, encrypted_regex: '^(data|stringData)$'}"), ["a.yaml"]),
    "unencrypted_comment_regex": (rules("- {age: $A, unencrypted_comment_regex: plain}"), ["a.yaml"]),
    "encrypted_comment_regex": (rules("- {age: $A, encrypted_comment_regex: secret}"), ["a.yaml"]),
    "mac_only_encrypted": (rules("- {age: $A, encrypted_regex: a, mac_only_encrypted: true}"), ["a.yaml"]),
    "mac_only_encrypted alone": (rules("- {age: $A, mac_only_encrypted: true}"), ["a.yaml"]),
    "mac_only_encrypted: yes": (rules("- {age: $A, mac_only_encrypted: yes}"), ["a.yaml"]),
    "mac_only_encrypted: Off": (rules("- {age: $A, mac_only_encrypted: 'Off'}"), ["a.yaml"]),
    "mac_only_encrypted: sure": (rules("- {age: $A, mac_only_encrypted: sure}"), ["a.yaml"]),
    "mac_only_encrypted: 1": (rules("- {age: $A, mac_only_encrypted: 1}"), ["a.yaml"]),
    "empty selections": (rules("- {age: $A, encrypted_regex: '', encrypted_suffix: ~}"), ["a.yaml"]),
    "one of two is empty": (rules("- {age: $A, encrypted_regex: '', encrypted_suffix: x}"), ["a.yaml"]),
    "two selections": (rules("- {age: $A, encrypted_regex: a, encrypted_suffix: x}"), ["a.yaml"]),
    "two selections elsewhere": (
        rules("- {path_regex: x, age: $A, encrypted_regex: a, encrypted_suffix: x}\n- age: $B"),
        ["a.yaml"],
    ),
    "number as suffix": (rules("- {age: $A, unencrypted_suffix: 1.10}"), ["a.yaml"]),
    "aliased number as suffix": (
        keyed("n: &n 0o17\ncreation_rules: [{age: $A, unencrypted_suffix: *n}]"),
        ["a.yaml"],
    ),
    "list as suffix": (rules("- {age: $A, unencrypted_suffix: [a]}"), ["a.yaml"]),
    # YAML
    "merge key": (
        keyed("base: &base {age: $A, encrypted_regex: a}\ncreation_rules: [{<<: *base, encrypted_regex: b}]"),
        ["a.yaml"],
    ),
    "merge keys": (
        keyed("""
            one: &one {age: $A, encrypted_regex: a}
            two: &two {age: $B, mac_only_encrypted: true}
            creation_rules: [{<<: [*one, *two]}]"""),
        ["a.yaml"],
    ),
    "json": (keyed('{"creation_rules": [{"path_regex": "\\\\.yaml$", "age": "$A"}]}'), ["a.yaml"]),
    "second document": (keyed("creation_rules: [{age: $A}]\n---\ncreation_rules: [{age: $B}]"), ["a.yaml"]),
    "unknown members": (rules("- {age: $A, Age: [$B], path_rgex: x}"), ["a.yaml"]),
    "same member twice": (rules("- {age: $A, age: $B}"), ["a.yaml"]),
    "rules as mapping": (rules("age: $A"), ["a.yaml"]),
    "rules as text": ("creation_rules: all", ["a.yaml"]),
    "a rule as text": (rules("- all"), ["a.yaml"]),
    "a list on top": (keyed("- age: $A"), ["a.yaml"]),
    "not YAML": ("creation_rules: [", ["a.yaml"]),
    "destinations that are wrong": (
        rules("- age: $A") + "destination_rules: [{s3_bucket: a, gcs_bucket: b}, {vault_kv_version: 3}]\n",
        ["a.yaml"],
    ),
    "destinations of a wrong shape": (
        rules("- age: $A") + "destination_rules: [{s3_bucket: [a]}]\n",
        ["a.yaml"],
    ),
    "stores": (
        rules("- age: $A") + "stores: {json: {indent: 2}, yaml: {indent: 3}, dotenv: {}}\n",
        ["a.yaml"],
    ),
    "null stores": (rules("- age: $A") + "stores: {json: ~, yaml: }\n", ["a.yaml"]),
    "stores of a wrong shape": (rules("- age: $A") + "stores: {yaml: {indent: '2'}}\n", ["a.yaml"]),
}  # fmt: skip

Outcome = tuple[list[dict[str, list[str]]], int | None, Selection]


def of_sops(sops: Sops, folder: Path, file: str) -> Outcome | str:
    """The keys of each group by type, the threshold and the selection; the error's text if it failed."""
    try:
        out = sops.run("encrypt", "--input-type", "yaml", "--output-type", "yaml", file, cwd=folder)
    except SopsError as error:
        return error.stderr
    block = formats.get("yaml").scan(out.stdout.decode()).block
    assert block is not None
    groups = block.get("key_groups", [block])
    assert isinstance(groups, list)
    names = {"age": "recipient", "pgp": "fp"}
    named = [
        {type: [key[name] for key in group.get(type) or []] for type, name in names.items()}
        for group in groups
    ]
    threshold = block.get("shamir_threshold")
    assert threshold is None or isinstance(threshold, int)
    return named, threshold, Selection.from_entries(block)


def of_encconf(folder: Path, text: str, file: str) -> Outcome | EncconfError:
    try:
        rule = config.load(str(folder / ".sops.yaml"), text).rule_for(str(folder / file))
    except EncconfError as error:
        return error
    named = [
        {type: [key.name for key in group if type == key.TYPE] for type in ("age", "pgp")}
        for group in rule.groups
    ]
    needed = rule.threshold or (len(rule.groups) if len(rule.groups) > 1 else None)
    return named, needed, rule.selection


ELSEWHERE = [
    name
    for name, (text, files) in AGREED.items()
    if "pgp" in text or any("/" in file or "\n" in file for file in files)
]
"""On Windows, sops matches backslashes only (tests/windows/test_sops.py), and no package index has gpg."""


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.posix] if name in ELSEWHERE else []) for name in AGREED],
)
def test_as_sops(name: str, sops: Sops, tmp_path: Path) -> None:
    text, files = AGREED[name]
    if "pgp" in text:
        sops = sops.with_environ({"GNUPGHOME": str(gpg_home())})
    (tmp_path / ".sops.yaml").write_text(text)
    for file in files:
        target = tmp_path / file
        (tmp_path / "x").mkdir(exist_ok=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("a: 1\n")
        theirs = of_sops(sops, tmp_path, file)
        ours = of_encconf(tmp_path, text, file)
        if isinstance(theirs, str):
            assert isinstance(ours, EncconfError), theirs
            assert ours.exit_code == 1
            for kind, words in (
                (NoMatchingRuleError, "no matching creation rules found"),
                (NoConfigError, "config file not found, or has no"),
            ):
                assert isinstance(ours, kind) is (words in theirs)
        else:
            assert ours == theirs


def test_one_group_has_no_threshold(sops: Sops, tmp_path: Path) -> None:
    """sops keeps a number there that means nothing."""
    text = rules("- {shamir_threshold: 2, age: $A}")
    (tmp_path / ".sops.yaml").write_text(text)
    (tmp_path / "a.yaml").write_text("a: 1\n")
    ours, theirs = of_encconf(tmp_path, text, "a.yaml"), of_sops(sops, tmp_path, "a.yaml")
    assert not isinstance(ours, EncconfError)
    assert not isinstance(theirs, str)
    assert (ours[1], theirs[1]) == (None, 2)
    assert (ours[0], ours[2]) == (theirs[0], theirs[2])


def test_the_table_is_large_enough() -> None:
    assert len(AGREED) > 100


@pytest.mark.parametrize(
    "text",
    [
        # sops leaves every value in the clear when the pattern does not compile.
        rules("- {age: $A, encrypted_regex: '('}"),
        rules("- {age: $A, unencrypted_comment_regex: '(?!x)'}"),
        # and writes thresholds that nothing can be opened by.
        rules("- {age: $A, shamir_threshold: -2}"),
        rules("- {shamir_threshold: 2.7, key_groups: [{age: [$A]}, {age: [$B]}]}"),
        # What it skips is still YAML, of the kind that sops can store.
        rules("- age: $A") + "other: {a: 1, a: 2}\n",
        rules("- age: $A") + "---\na: : b\n",
    ],
)
def test_stricter_than_sops(text: str, sops: Sops, tmp_path: Path) -> None:
    (tmp_path / ".sops.yaml").write_text(text)
    (tmp_path / "a.yaml").write_text("a: 1\n")
    assert not isinstance(of_sops(sops, tmp_path, "a.yaml"), str)
    assert isinstance(of_encconf(tmp_path, text, "a.yaml"), ConfigError)


@pytest.mark.parametrize("text", [rules("- age: ['$B, $A', '']"), rules("- age: [' ', $A]")])
def test_more_lenient_than_sops(text: str, sops: Sops, tmp_path: Path) -> None:
    """Empty items of a list are left out, as those between commas are."""
    (tmp_path / ".sops.yaml").write_text(text)
    (tmp_path / "a.yaml").write_text("a: 1\n")
    assert "unknown recipient type" in str(of_sops(sops, tmp_path, "a.yaml"))
    assert not isinstance(of_encconf(tmp_path, text, "a.yaml"), EncconfError)


@pytest.mark.posix
def test_a_file_beside_the_folder_has_its_absolute_path(sops: Sops, tmp_path: Path) -> None:
    text = rules(f"- {{path_regex: '^{tmp_path}/beside/', age: $A}}\n- {{path_regex: ^beside, age: $B}}")
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside" / "a.yaml").write_text("a: 1\n")
    (inner / ".sops.yaml").write_text(text)
    ours = of_encconf(inner, text, "../beside/a.yaml")
    assert not isinstance(ours, EncconfError)
    assert ours[0] == [{"age": [A], "pgp": []}]
    assert ours == of_sops(sops, inner, "../beside/a.yaml")


def test_a_sibling_whose_name_begins_alike_is_outside(tmp_path: Path) -> None:
    ours = of_encconf(tmp_path / "ab", rules("- {path_regex: '^c/', age: $A}"), "../abc/d.yaml")
    assert isinstance(ours, NoMatchingRuleError)


@pytest.mark.posix
def test_links_are_not_followed(sops: Sops, tmp_path: Path) -> None:
    """A file is matched under the name it is given by, as in sops."""
    text = rules("- {path_regex: ^link, age: $A}\n- {age: $B}")
    (tmp_path / ".sops.yaml").write_text(text)
    (tmp_path / "file.yaml").write_text("a: 1\n")
    (tmp_path / "link.yaml").symlink_to("file.yaml")
    ours = of_encconf(tmp_path, text, "link.yaml")
    assert not isinstance(ours, EncconfError)
    assert ours[0] == [{"age": [A], "pgp": []}]
    assert ours == of_sops(sops, tmp_path, "link.yaml")


# --- names ---------------------------------------------------------------------------------------


def chosen(text: str, path: str, *also: str, windows: bool = False) -> str:
    if windows:
        return config.load("C:\\Repo\\.sops.yaml", text, paths=ntpath).rule_for(path, also=also).name
    return config.load("/repo/.sops.yaml", text).rule_for(path, also=also).name


TWO = rules("- {path_regex: '^secrets\\.yaml$', age: $A}\n- {path_regex: '\\.enc\\.yaml$', age: $B}")


def test_a_rule_may_know_either_name() -> None:
    assert chosen(TWO, "/repo/x.enc.yaml", "/repo/x.yaml") == "creation_rules[1]"
    assert chosen(TWO, "/repo/x.out.yaml", "/repo/secrets.yaml") == "creation_rules[0]"
    assert chosen(TWO, "/repo/secrets.enc.yaml", "/repo/secrets.yaml") == "creation_rules[0]"
    assert chosen(TWO, "/repo/secrets.enc.yaml") == "creation_rules[1]"


def test_names_that_disagree_are_noticed() -> None:
    loaded = config.load("/repo/.sops.yaml", TWO)
    loaded.rule_for("/repo/secrets.enc.yaml", also=["/repo/secrets.yaml"])
    assert loaded.notices == [
        'creation_rules[0] applies because of the name "secrets.yaml"; for "secrets.enc.yaml" alone it would'
        " be creation_rules[1]"
    ]
    loaded = config.load("/repo/.sops.yaml", TWO)
    loaded.rule_for("/repo/x.enc.yaml", also=["/repo/x.yaml"])
    assert loaded.notices == []


@pytest.mark.posix
def test_names_that_are_not_utf8() -> None:
    path = "/repo/" + os.fsdecode(b"caf\xe9.yaml")
    assert chosen(rules("- {path_regex: ^caf.\\.yaml$, age: $A}"), path) == "creation_rules[0]"


@pytest.mark.parametrize("regex", ["^a/b\\.yaml$", "^a\\\\b\\.yaml$", "a[/\\\\]b"])
@pytest.mark.parametrize("path", ["C:\\Repo\\a\\b.yaml", "C:/Repo/a/b.yaml", "c:\\repo\\a\\b.yaml"])
def test_windows_paths(regex: str, path: str) -> None:
    assert chosen(rules(f"- {{path_regex: '{regex}', age: $A}}"), path, windows=True) == "creation_rules[0]"


def test_a_pattern_that_does_not_match_does_not_on_windows() -> None:
    text = rules("- {path_regex: '^b', age: $A}\n- {age: $B}")
    assert chosen(text, "C:\\Repo\\a\\b.yaml", windows=True) == "creation_rules[1]"


@pytest.mark.parametrize(
    ("module", "path", "name"),
    [
        (ntpath, "c:\\REPO\\Prod\\A.YAML", "prod/a.yaml"),  # as on disk
        (ntpath, "C:\\Repo\\link.yaml", "link.yaml"),
        (ntpath, "C:\\Repo\\gone\\B.yaml", "gone/B.yaml"),
        (ntpath, "D:\\Repo\\x.yaml", "D:/Repo/x.yaml"),
        (posixpath, "/repo/Prod/A.YAML", "Prod/A.YAML"),
        (posixpath, "/repo/link.yaml", "link.yaml"),
        (posixpath, "/REPO/x.yaml", "/REPO/x.yaml"),
    ],
)
def test_names_have_the_capitals_on_disk_on_windows_only(module: ModuleType, path: str, name: str) -> None:
    def realpath(path: str) -> str:
        assert module is ntpath
        if "gone" in path:
            raise OSError(errno.ENOENT, "No such file")
        return {"c:\\repo\\prod\\a.yaml": "C:\\Repo\\prod\\a.yaml", "c:\\repo\\link.yaml": "C:\\x"}.get(
            path.lower(), path
        )

    paths = ModuleType("paths")
    paths.__dict__.update({**vars(module), "realpath": realpath})
    folder = "C:\\Repo\\" if module is ntpath else "/repo/"
    loaded = config.load(f"{folder}.sops.yaml", rules("- age: $A"), paths=paths)
    assert loaded.names(path) == [name]
    assert loaded.names(path, [path, f"{folder}other"]) == [name, "other"]


@pytest.mark.posix
def test_a_backslash_is_an_ordinary_character_elsewhere() -> None:
    text = rules("- {path_regex: '^a\\\\b', age: $A}\n- {age: $B}")
    assert chosen(text, "/repo/a/b.yaml") == "creation_rules[1]"
    text = rules("- {path_regex: '^a/b', age: $A}\n- {age: $B}")
    assert chosen(text, "/repo/a\\b.yaml") == "creation_rules[1]"


# --- what is reported ----------------------------------------------------------------------------


def failure(text: str, path: str = "/repo/b/a.yaml", *also: str) -> EncconfError:
    with pytest.raises(EncconfError) as caught:
        chosen(text, path, *also)
    assert caught.value.file == "/repo/.sops.yaml"
    return caught.value


@pytest.mark.posix
def test_no_match_tells_file_name_rules_and_reasons() -> None:
    text = rules("""
        - {path_regex: ^prod/, age: $A}
        - {path_regex: '^a\\.yaml$', age: $A}
        - {path_regex: ^/repo/b/, age: $A}
        - {path_regex: ^B/, age: $A}""")
    error = failure(text, "/repo/b/a.yaml", "/repo/b/a.out")
    assert isinstance(error, NoMatchingRuleError)
    assert str(error).splitlines() == [
        '/repo/.sops.yaml: no matching creation rules found for "b/a.yaml" or "b/a.out"',
        '  creation_rules[0]  path_regex "^prod/" does not match',
        '  creation_rules[1]  path_regex "^a\\.yaml$" matches the name without its folders only',
        '  creation_rules[2]  path_regex "^/repo/b/" matches the absolute path only',
        '  creation_rules[3]  path_regex "^B/" differs in upper and lower case',
    ]
    assert "/repo" in str(error.hint)


@pytest.mark.posix
def test_why_each_rule_matches_or_not() -> None:
    """Python's `re` is the judge of each reason."""
    patterns = ["", "^prod/", r"^a\.yaml$", "^/repo/b/", "^B/", r"\.YAML$", "^b/a", "nothing", "[a", "repo"]
    files = ["b/a.yaml", "a.yaml", "prod/x.json", "B/x.yaml", "deep/er/a.yaml", "b/repo"]
    for chosen in itertools.permutations(patterns, 2):
        text = rules("\n".join(f"- {{path_regex: '{each}', age: $A}}" for each in chosen))
        loaded = config.load("/repo/.sops.yaml", text)
        for name, more in itertools.product(files, (None, "b/x.yaml")):
            names = [name] if more is None else [name, more]
            also = [f"/repo/{each}" for each in names[1:]]
            tried = loaded.tried(f"/repo/{name}", also=also)
            assert [each.place for each in tried] == ["creation_rules[0]", "creation_rules[1]"]
            for rule, regex in zip(tried, chosen, strict=True):
                assert rule.path_regex == regex
                if regex == "[a":
                    assert not rule.matches
                    assert rule.reason.startswith(f"cannot be used: {rule.place}.path_regex: the pattern")
                    continue

                def found(texts: Iterable[str], flags: int = 0, regex: str = regex) -> bool:
                    return any(re.search(regex, text, flags) for text in texts)

                reasons = [
                    (regex == "", "is missing, so every file matches"),
                    (found(names), "matches"),
                    (found([f"/repo/{name}"]), "matches the absolute path only"),
                    (found(map(os.path.basename, names)), "matches the name without its folders only"),
                    (found(names, re.IGNORECASE), "differs in upper and lower case"),
                    (True, "does not match"),
                ]
                assert rule.reason == next(why for holds, why in reasons if holds), (regex, names)
                assert rule.matches is found(names)
            assert len(loaded.tried(f"/repo/{name}", also=also, limit=1)) == 1
            usable = "[a" not in chosen[: 1 + (not tried[0].matches)]
            if usable:
                wanted = next((at for at, rule in enumerate(tried) if rule.matches), None)
                assert loaded.first(loaded.names(f"/repo/{name}", also)) == wanted
            else:
                with pytest.raises(PatternError):
                    loaded.first(names)


def test_no_match_in_an_empty_list() -> None:
    """To sops, it is a list without a rule that matches."""
    error = failure("creation_rules: []")
    assert isinstance(error, NoMatchingRuleError)
    assert error.message == 'no matching creation rules found for "b/a.yaml": creation_rules is empty'
    assert "add a rule" in str(error.hint)


def test_no_match_among_many_rules_is_reported_briefly() -> None:
    error = failure(rules("\n".join(f"- {{path_regex: '^x{n}', age: $A}}" for n in range(1000))))
    assert len(error.message.splitlines()) == 22
    assert error.message.endswith("and 980 more, which do not match")
    error = failure(rules("\n".join(f"- {{path_regex: '^x{n}', age: $A}}" for n in range(21))))
    assert error.message.endswith("and 1 more, which do not match")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1", "it has no creation_rules"),
        ("creation_rules: {}", "creation_rules must be a list, not a mapping"),
        ("creation_rules: 2024-01-01", "creation_rules must be a list, not a date"),
        ("creation_rules: [[]]", "creation_rules[0] must be a mapping, not a list"),
        ("creation_rules: [~, 5]", "creation_rules[1] must be a mapping, not a number"),
        (rules("- path_regex: [a]"), "creation_rules[0].path_regex must be a string, not a list"),
        (
            rules("- encrypted_regex: {a: b}"),
            "creation_rules[0].encrypted_regex must be a string, not a mapping",
        ),
        (
            rules("- age: $A\n- shamir_threshold: many"),
            "creation_rules[1].shamir_threshold must be an integer, not a st",
        ),
        (
            rules("- shamir_threshold: []"),
            "creation_rules[0].shamir_threshold must be an integer, not a list",
        ),
        (rules("- shamir_threshold: 9999999999999999999"), "line 2, column 23"),
        (rules("- shamir_threshold: 1e19"), "creation_rules[0].shamir_threshold is too large"),
        (
            rules("- mac_only_encrypted: []"),
            "creation_rules[0].mac_only_encrypted must be true or false, not a list",
        ),
        (rules("- age: 5"), "creation_rules[0].age must be a string or a list of strings, not a number"),
        (rules("- age: {}"), "creation_rules[0].age must be a string or a list of strings, not a mapping"),
        (rules("- age: [$A, [$B]]"), "creation_rules[0].age[1] must be a string, not a list"),
        (rules("- pgp: [true]"), "creation_rules[0].pgp[0] must be a string, not a boolean"),
        (rules("- hckms: a"), "creation_rules[0].hckms must be a list, not a string"),
        (
            rules("- age: $A\n- key_groups: [{age: x}]"),
            "creation_rules[1].key_groups[0].age must be a list, not a stri",
        ),
        (
            rules("- key_groups: [{age: [{}]}]"),
            "creation_rules[0].key_groups[0].age[0] must be a string, not a mapping",
        ),
        (rules("- key_groups: [a]"), "creation_rules[0].key_groups[0] must be a mapping, not a string"),
        (
            rules("- key_groups: [{merge: [{pgp: 1}]}]"),
            "creation_rules[0].key_groups[0].merge[0].pgp must be a list",
        ),
        (rules("- key_groups: [{kms: [arn]}]"), "creation_rules[0].key_groups[0].kms[0] must be a mapping"),
        (
            rules("- key_groups: [{kms: [{arn: []}]}]"),
            "creation_rules[0].key_groups[0].kms[0].arn must be a string",
        ),
        (
            rules("- key_groups: [{kms: [{context: [a]}]}]"),
            "creation_rules[0].key_groups[0].kms[0].context must be a m",
        ),
        (
            rules("- key_groups: [{kms: [{context: {a: []}}]}]"),
            "key_groups[0].kms[0].context.a must be a string",
        ),
        (
            rules("- key_groups: [{gcp_kms: [{resource_id: {}}]}]"),
            "key_groups[0].gcp_kms[0].resource_id must be a stri",
        ),
        (rules("- key_groups: [{azure_keyvault: {}}]"), "key_groups[0].azure_keyvault must be a list"),
        (rules("- key_groups: [{hckms: ['r:u']}]"), "key_groups[0].hckms[0] must be a mapping"),
        (rules("- key_groups: [{hc_vault: [[]]}]"), "key_groups[0].hc_vault[0] must be a string"),
        ("destination_rules: {}", "destination_rules must be a list"),
        ("destination_rules: [{path_regex: {}}]", "destination_rules[0].path_regex must be a string"),
        (
            "destination_rules: [{omit_extensions: x}]",
            "destination_rules[0].omit_extensions must be true or false",
        ),
        (
            "destination_rules: [{vault_kv_version: x}]",
            "destination_rules[0].vault_kv_version must be an integer",
        ),
        (
            "destination_rules: [{recreation_rule: []}]",
            "destination_rules[0].recreation_rule must be a mapping",
        ),
        (
            "destination_rules: [{recreation_rule: {age: 1, pgp: [], hckms: 1}}]",
            "recreation_rule.hckms must be a list",
        ),
        ("stores: []", "stores must be a mapping, not a list"),
        ("stores: {json: 2}", "stores.json must be a mapping, not a number"),
        ("stores: {json_binary: {indent: x}}", "stores.json_binary.indent must be an integer, not a string"),
        ("- a", "must be a mapping, not a sequence"),
        ("just words", "the top level must be a mapping"),
        ("a: [", "not valid YAML"),
        ("a: *b", "alias"),
        ("a: &a [*a]", "alias"),
        ("a: " + "[" * 5000, "deep"),
        ("a: 1\na: 2", "twice"),
        (
            rules("- encrypted_regex: a\n  unencrypted_suffix: b\n  age: $A"),
            "unencrypted_suffix and encrypted_regex",
        ),
        (rules("- {}"), "creation_rules[0] has an empty key group"),
        (rules("- key_groups: [{age: [$A]}, {}]"), "creation_rules[0] has an empty key group"),
        (rules("- {age: $A, shamir_threshold: -1}"), "creation_rules[0].shamir_threshold is -1"),
        (rules("- {shamir_threshold: 3, key_groups: [{age: [$A]}, {age: [$B]}]}"), "is 3, with 2 key groups"),
        (rules("- {path_regex: '(?=a)', age: $A}"), 'creation_rules[0].path_regex: the pattern "(?=a)"'),
        (rules("- {age: $A, encrypted_regex: 'a++'}"), "creation_rules[0].encrypted_regex: the pattern"),
        (rules("- age: [$A, age1nothing]"), "creation_rules[0].age[1]: age1nothing"),
        (rules("- key_groups: [{age: [$A]}, {age: [$B, x]}]"), "creation_rules[0].key_groups[1].age[1]: "),
        (rules("- pgp: xyz"), "creation_rules[0].pgp: "),
    ],
)  # fmt: skip
def test_an_error_names_the_place(text: str, words: str) -> None:
    error = failure(text)
    assert words in error.message
    assert error.exit_code == 1


def test_every_threshold_of_every_number_of_groups() -> None:
    for count, threshold in itertools.product(range(1, 5), [None, *range(-2, 6)]):
        groups = ", ".join(["{age: [$A]}"] * count)
        given = "" if threshold is None else f", shamir_threshold: {threshold}"
        loaded = config.load("/repo/.sops.yaml", rules(f"- {{key_groups: [{groups}]{given}}}"))
        several = count > 1
        if (threshold or 0) < 0 or (several and threshold and threshold not in range(2, count + 1)):
            said = f"shamir_threshold is {threshold}, with {count} key groups"
            with pytest.raises(ConfigError, match=said):
                loaded.rule(0)
            continue
        assert loaded.rule(0).threshold == ((threshold or None) if several else None), (count, threshold)
        notices = [each for each in loaded.notices if "no shamir_threshold" in each]
        assert len(notices) == (several and not threshold), (count, threshold)
        assert not notices or f"otherwise set shamir_threshold: {count}" in notices[0]
        loaded.rule(0)
        assert len(loaded.notices) == len(notices)  # once


@pytest.mark.parametrize(
    ("member", "type"),
    [
        (f"kms: {ARN}", "kms"),
        (f"{{kms: {ARN}, aws_profile: prod}}", "kms"),
        ("gcp_kms: projects/p/locations/l/keyRings/r/cryptoKeys/k", "gcp_kms"),
        ("hckms: ['eu:u']", "hckms"),
        ("azure_keyvault: https://v.vault.azure.net/keys/k/1", "azure_kv"),
        ("hc_vault_transit_uri: https://v:8200/v1/transit/keys/k", "hc_vault"),
        (f"key_groups: [{{kms: [{{arn: {ARN}, role: r, context: {{a: 1, b: ~}}}}]}}]", "kms"),
        (
            "key_groups: [{gcp_kms: [{resource_id: projects/p/locations/l/keyRings/r/cryptoKeys/k}]}]",
            "gcp_kms",
        ),
        ("key_groups: [{hckms: [{key_id: 'r:u'}]}]", "hckms"),
        ("key_groups: [{azure_keyvault: [{vaultUrl: 'https://v.vault.azure.net', key: k}]}]", "azure_kv"),
        ("key_groups: [{hc_vault: ['https://v:8200/v1/transit/keys/k']}]", "hc_vault"),
    ],
)
def test_every_kind_of_key(member: str, type: str) -> None:
    text = rules(f"- {member}") if member[0] == "{" else rules(f"- {{{member}}}")
    found = config.load("/repo/.sops.yaml", text).rule_for("/repo/a.yaml")
    assert [[key.TYPE for key in group] for group in found.groups] == [[type]]


@pytest.mark.parametrize("member", ["kms: nonsense", "hc_vault_transit_uri: nonsense", "age: age1nonsense"])
def test_a_malformed_key_harms_only_its_own_rule(member: str) -> None:
    text = rules(f"- {{{member}}}\n- age: $A")
    error = failure(text)
    assert isinstance(error, BadKeyError)
    assert "creation_rules[0]." in error.message
    assert chosen(text.replace("- {", "- {path_regex: x, ", 1), "/repo/a.yaml") == "creation_rules[1]"


def test_a_shell_pattern_is_recognised() -> None:
    error = failure(rules("- {path_regex: '*.yaml', age: $A}"))
    assert isinstance(error, PatternError)
    assert "shell pattern" in str(error.hint)


@pytest.mark.parametrize(
    ("text", "notices"),
    [
        (rules("- {age: $A, path_rgex: x}"), ["creation_rules[0].path_rgex -> path_regex"]),
        (rules("- {age: $A, Age: x}"), ["creation_rules[0].Age -> age"]),
        (rules("- {age: $A, encrypt_regex: x}"), ["creation_rules[0].encrypt_regex -> encrypted_regex"]),
        (rules("- {age: $A, hc_vault: x}"), ["creation_rules[0].hc_vault -> hc_vault_transit_uri"]),
        (rules("- {age: $A, zzz: x}"), ["creation_rules[0].zzz is not a setting and is ignored"]),
        (
            rules("- key_groups: [{age: [$A], azure_kv: []}]"),
            ["creation_rules[0].key_groups[0].azure_kv -> azure_keyvault"],
        ),
        (
            rules("- key_groups: [{merge: [{age: [$A], agee: []}]}]"),
            ["creation_rules[0].key_groups[0].merge[0].agee -> age"],
        ),
        (
            rules("- age: $A\n- {path_regex: x, key_groups: [{kms: [{arn: a, roles: b}]}]}"),
            ["creation_rules[1].key_groups[0].kms[0].roles -> role"],
        ),
        (rules("- age: $A") + "creation_rule: []\n", ["creation_rule -> creation_rules"]),
        (rules("- age: $A") + "keys: []\nadmins: []\nx-note: a\n_team: b\n", []),
        (
            rules("- age: $A") + "stores: {yaml: {indnt: 2}, yml: {}}\n",
            ["stores.yaml.indnt -> indent", "stores.yml -> yaml"],
        ),
        (rules("- age: $A") + "stores: {yaml: {}, json: {}, json_binary: {}, dotenv: {}, ini: {}}\n", []),
        (rules("- age: $A") + "stores: {dotnev: {}}\n", ["stores.dotnev -> dotenv"]),
        (
            rules("- age: $A") + "stores: {yaml: {indent: -1}, json: {indent: -2}}\n",
            ["stores.yaml.indent is -1, which sops refuses", "stores.json.indent is -2, which sops refuses"],
        ),
        (
            rules("- age: $A") + "destination_rules: [{s3_buckt: a, recreation_rule: {agee: x}}]\n",
            [
                "destination_rules[0].recreation_rule.agee -> age",
                "destination_rules[0].s3_buckt -> s3_bucket",
            ],
        ),
        (rules("- {age: $A, \"\\e[2J\\n\": x}"), ["creation_rules[0].?[2J? is not a setting and is ignored"]),
    ],
)  # fmt: skip
def test_unknown_members(text: str, notices: list[str]) -> None:
    said = [notice.replace("-> ", "is not a setting and is ignored: did you mean ") for notice in notices]
    said = [f"{notice}?" if "did you mean" in notice else notice for notice in said]
    assert config.load("/repo/.sops.yaml", text).notices == said


@pytest.mark.parametrize(
    ("rule", "noticed"),
    [
        ("key_groups: [{age: [$A]}, {age: [$B]}]", True),
        ("{key_groups: [{age: [$A]}, {age: [$B]}], shamir_threshold: 2}", False),
        ("key_groups: [{age: [$A, $B]}]", False),
        ("age: $A,$B", False),
    ],
)
def test_two_dashes_make_a_quorum(rule: str, noticed: bool) -> None:
    loaded = config.load("/repo/.sops.yaml", rules(f"- {rule}\n- age: $A"))
    assert loaded.notices == []
    for _ in range(2):
        loaded.rule_for("/repo/a.yaml")
    assert len(loaded.notices) == noticed
    if noticed:
        assert "one key of each" in loaded.notices[0]
        assert "shamir_threshold: 2" in loaded.notices[0]


# --- what else it says ---------------------------------------------------------------------------


def test_indents() -> None:
    text = rules("- age: $A") + "stores: {json: {indent: 2}, yaml: {indent: 3}, json_binary: {indent: 0}}\n"
    loaded = config.load("/repo/.sops.yaml", text)
    assert loaded.indents == {"yaml": 3, "json": 2, "json_binary": 0}
    loaded = config.load("/repo/.sops.yaml", rules("- age: $A"))
    assert loaded.indents == {"yaml": 0, "json": -1, "json_binary": -1}


DESTINATIONS = keyed("""
    destination_rules:
      - {path_regex: ^s3/, s3_bucket: b, s3_prefix: p/, recreation_rule: {age: $A, encrypted_regex: x}}
      - {path_regex: ^gcs/, gcs_bucket: b, omit_extensions: true}
      - {path_regex: ^vault/, vault_path: p, vault_kv_version: 1, vault_kv_mount_name: kv/}
      - {path_regex: ^both/, vault_path: p, gcs_bucket: b}
      - {path_regex: ^none/}
      - {path_regex: ^old/, vault_path: p, vault_kv_version: 3}
      - {path_regex: ^bad/, s3_bucket: b, recreation_rule: {age: x}}
      - {path_regex: ^v2/, vault_path: p, vault_address: https://v}
""")


def test_destinations() -> None:
    loaded = config.load("/repo/.sops.yaml", DESTINATIONS)
    found = find_destination(loaded, "s3/a.yaml")
    assert (found.place, found.kind, found.settings) == (
        "destination_rules[0]", "s3", {"s3_bucket": "b", "s3_prefix": "p/"},
    )  # fmt: skip
    assert found.rule is not None
    assert [key.name for key in found.rule.groups[0]] == [A]
    assert found.rule.selection == Selection("encrypted_regex", "x")
    found = find_destination(loaded, "gcs/a.yaml")
    assert (found.kind, found.rule, found.omit_extensions) == ("gcs", None, True)
    vault = {"vault_path": "p", "vault_kv_mount_name": "kv/", "vault_kv_version": 1}
    assert find_destination(loaded, "vault/a").settings == vault
    vault = {"vault_path": "p", "vault_kv_mount_name": "secret/", "vault_kv_version": 2}
    vault["vault_address"] = "https://v"
    assert find_destination(loaded, "v2/a").settings == vault


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("both/a", "destination_rules[3] has gcs_bucket and vault_path"),
        ("none/a", "destination_rules[4] has no destination"),
        ("old/a", "destination_rules[5].vault_kv_version is 3"),
        ("bad/a", "destination_rules[6].recreation_rule.age: "),
        ("/repo/s3/a", "no matching destination found"),
    ],
)
def test_destinations_that_cannot_be_used(path: str, words: str) -> None:
    with pytest.raises(EncconfError) as caught:
        find_destination(config.load("/repo/.sops.yaml", DESTINATIONS), path)
    assert words in caught.value.message


def test_a_hostile_file_is_refused_quickly() -> None:
    nine = [(name, ",".join([f"*{before}"] * 9)) for before, name in itertools.pairwise("abcdefghi")]
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(f"{name}: &{name} [{all}]\n" for name, all in nine)
    groups = "g: &a {age: [x]}\n" + "".join(f"{name}: &{name} {{merge: [{all}]}}\n" for name, all in nine)
    deep = ["a: " + "{a: " * 100_000, "creation_rules: " + "[" * 100_000, "- " * 100_000]
    with at_most(10):
        for text in (bomb, groups, *deep, "\x00", "\ud800: 1", "%YAML 9.9"):
            with pytest.raises(ConfigError):
                config.load("/repo/.sops.yaml", text)
        merges = "{age: [$A], merge: [" * 90 + "]}" * 90
        assert chosen(rules(f"- key_groups: [{merges}]"), "/repo/a.yaml")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("# " + "x" * config.MAX_SIZE, "too long"),
        ("creation_rules: [" + "{path_regex: '\\pL{90}'}, " * (config.MAX_RULES + 1) + "]", "too many"),
    ],
)
def test_limits(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        config.load("/repo/.sops.yaml", text)


def test_the_longest_configuration_that_is_read() -> None:
    text = f"creation_rules:\n  - pgp: {FP}\n#"
    text += "x" * (config.MAX_SIZE - len(text))
    assert config.load("/repo/.sops.yaml", text).patterns == [""]


def test_notices_are_few() -> None:
    many = "".join(f"  agee{number}: x\n" for number in range(20_000))
    loaded = config.load("/repo/.sops.yaml", "creation_rules:\n- agee: x\n" + many + "- agee: x\n" * 900)
    assert 0 < len(loaded.notices) <= 100


# --- finding it ----------------------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with a configuration, one inside of it with another, and one without."""
    for name in ("repo/app/deep", "repo/lib", "elsewhere"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "repo/.sops.yaml").write_text(rules("- age: $A"))
    (tmp_path / "repo/app/.sops.yaml").write_text(rules("- age: $B"))
    return tmp_path


@pytest.mark.parametrize(
    ("target", "cwd", "found"),
    [
        (None, "repo", "repo"),
        (None, "repo/app/deep", "repo/app"),
        (None, "elsewhere", None),
        ("a.yaml", "repo/lib", "repo"),
        ("app/deep/a.yaml", "repo", "repo/app"),
        ("../app/a.yaml", "repo/lib", "repo/app"),
        ("../../repo/lib/a.yaml", "repo/app", "repo"),
        ("../elsewhere/a.yaml", "repo", "repo"),  # no file on the target's way up: the current folder's
        ("../repo/lib/missing/a.yaml", "elsewhere", "repo"),
        ("a.yaml", "elsewhere", None),
    ],
)
def test_the_targets_folder_comes_first(tree: Path, target: str | None, cwd: str, found: str | None) -> None:
    expected = str(tree / found / ".sops.yaml") if found else None
    assert config.find_config(target, str(tree / cwd)) == expected
    if target:
        assert config.find_config(str(tree / cwd / target), str(tree / cwd)) == expected


def test_without_a_target_sops_finds_the_same(tree: Path, sops: Sops) -> None:
    for cwd, key in (("repo/lib", A), ("repo/app/deep", B)):
        (tree / cwd / "a.yaml").write_text("a: 1\n")
        theirs = of_sops(sops, tree / cwd, "a.yaml")
        assert not isinstance(theirs, str)
        assert theirs[0][0]["age"] == [key]
        assert config.find_rule("a.yaml", cwd=str(tree / cwd)).groups[0][0].name == key


def test_the_other_name_is_noticed(tree: Path) -> None:
    (tree / "repo/lib/.sops.yml").write_text("")
    heard: list[str] = []
    found = config.find_config("a.yaml", str(tree / "repo/lib"), notify=heard.append)
    assert found == str(tree / "repo/.sops.yaml")
    assert heard == [f"{tree / 'repo/lib/.sops.yml'} is ignored: the file must be called .sops.yaml"]
    (tree / "elsewhere/.sops.yml").write_text("")
    assert config.find_config(None, str(tree / "elsewhere"), notify=heard.append) is None
    assert len(heard) == 2


def test_a_hundred_levels_and_no_more() -> None:
    root = Path(scratch()) / "levels"
    deep = root.joinpath(*"d" * 99)
    deep.mkdir(parents=True)
    (root / ".sops.yaml").write_text("")
    assert config.find_config(None, str(deep)) == str(root / ".sops.yaml")
    (deep / "d").mkdir()
    assert config.find_config(None, str(deep / "d")) is None


def test_find_rule(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree / "repo")
    assert config.find_rule("lib/a.yaml").groups[0][0].name == A
    assert config.find_rule(Path("app/deep/a.yaml")).groups[0][0].name == B
    assert config.find_rule("lib/a.yaml", config="app/.sops.yaml").groups[0][0].name == B
    assert config.find_rule("a.yaml").selection == DEFAULT


def test_the_rule_of_a_proposal_is_that_of_its_file(tree: Path) -> None:
    path = tree / "repo/.sops.yaml"
    path.write_text(rules("- {path_regex: '^lib/a.yaml$', age: $A, encrypted_regex: x}\n- {age: $B}"))
    cwd = str(tree / "repo")
    for name, key, selection in (
        ("lib/a.yaml", A, Selection("encrypted_regex", "x")),
        ("lib/a.yaml.proposal-01234567.json", A, PROPOSED),
        ("lib/b.yaml.proposal-01234567.json", B, PROPOSED),
        ("lib/a.yaml.proposal-0123456.json", B, DEFAULT),
        (".proposal-01234567.json", B, DEFAULT),
    ):
        rule = config.find_rule(name, cwd=cwd)
        assert (rule.groups[0][0].name, rule.selection) == (key, selection), name
        assert rule.selects is (selection != DEFAULT)
    assert repr(rule) == f"Rule([[AgeKey('{B}')]], None, {DEFAULT!r}, 'creation_rules[1]')"


def test_find_rule_matches_the_path_in_the_folder(tree: Path) -> None:
    path = tree / "repo/.sops.yaml"
    path.write_text(rules("- {path_regex: ^lib/, age: $A}\n- {path_regex: ^out/, age: $B}"))
    cwd = str(tree / "repo")
    for target, name in (("lib/a.yaml", A), (f"{cwd}/lib/a.yaml", A), ("out/a.yaml", B)):
        assert config.find_rule(target, cwd=cwd).groups[0][0].name == name
    with pytest.raises(NoMatchingRuleError):
        config.find_rule("a.yaml", cwd=cwd)
    assert config.find_rule("a.yaml", also=["out/a.yaml"], cwd=cwd).groups[0][0].name == B


def test_a_configuration_that_was_read_is_not_read_again(tree: Path) -> None:
    cwd, read = str(tree / "repo"), dict[str, config.Config]()
    config.find_rule("lib/a.yaml", cwd=cwd, read=read)
    (tree / "repo/.sops.yaml").write_text(rules("- age: $B"))
    assert config.find_rule("lib/a.yaml", cwd=cwd, read=read).groups[0][0].name == A
    assert config.find_rule("lib/a.yaml", cwd=cwd).groups[0][0].name == B


@pytest.mark.parametrize(
    ("rule", "own", "wanted"),
    [
        ("", Selection("encrypted_regex", "^a$"), Selection("encrypted_regex", "^a$")),
        ("", Selection("encrypted_regex", "^a$", True), Selection("encrypted_regex", "^a$", True)),
        (", mac_only_encrypted: true", DEFAULT, Selection(DEFAULT.kind, DEFAULT.pattern, True)),
        (
            ", encrypted_regex: b",
            Selection("encrypted_regex", "^a$", True),
            Selection("encrypted_regex", "b"),
        ),
    ],
)
def test_which_values_of_a_file_are_to_be_encrypted(rule: str, own: Selection, wanted: Selection) -> None:
    """A rule that does not say so leaves the file its own selection, as `sops updatekeys` does."""
    loaded = config.load("/repo/.sops.yaml", rules(f"- {{age: $A{rule}}}"))
    assert loaded.rule_for("/repo/a.yaml").selection_for(own) == wanted


def test_what_rules_say_without_a_file() -> None:
    loaded = config.load(
        "/repo/.sops.yaml",
        rules("- {path_regex: ^a, age: $A}\n- {path_regex: ^b, encrypted_regex: x}\n- age: ''"),
    )
    assert loaded.patterns == ["^a", "^b", ""]
    assert len(loaded.rule(0).groups) == 1
    for number, selection in ((1, Selection("encrypted_regex", "x")), (2, DEFAULT)):
        found = loaded.rule(number)
        assert (found.groups, found.selection) == ([], selection)
    empty = config.load("/repo/.sops.yaml", "a: 1\n")
    assert (empty.patterns, empty.first(["a.yaml"])) == ([], None)


def test_find_rule_without_a_configuration(tree: Path) -> None:
    with pytest.raises(NoConfigError, match=r"no \.sops\.yaml was found for this file"):
        config.find_rule("a.yaml", cwd=str(tree / "elsewhere"))
    with pytest.raises(MissingFileError):
        config.find_rule("a.yaml", cwd=str(tree / "elsewhere"), config="no.yaml")


def test_find_rule_tells_what_is_odd_even_when_nothing_matches(tree: Path) -> None:
    path = tree / "elsewhere/.sops.yaml"
    path.write_text(rules("- {path_regex: ^a$, Age: $A}"))
    heard: list[str] = []
    with pytest.raises(NoMatchingRuleError):
        config.find_rule("b.yaml", cwd=str(tree / "elsewhere"), notify=heard.append)
    assert heard == [f"{path}: creation_rules[0].Age is not a setting and is ignored: did you mean age?"]


NULL_KEYS = """\
keys:
  - &users:
    - &alice {key}
  - 1: x
creation_rules:
  - key_groups:
    - age:
      - *alice
"""


def test_a_null_key_outside_the_rules_is_ignored(age_key: AgeKey, sops: Sops, tmp_path: Path) -> None:
    text = NULL_KEYS.replace("{key}", age_key.recipient)
    (key,) = config.load(".sops.yaml", text).rule(0).groups[0]
    assert key.name == age_key.recipient
    (tmp_path / ".sops.yaml").write_text(text)
    (tmp_path / "a.yaml").write_text("a: b\n")
    assert b"ENC[" in sops.run("encrypt", "a.yaml", cwd=tmp_path).stdout


def test_one_group_with_a_threshold_of_one_has_none(age_key: AgeKey) -> None:
    groups = f"    key_groups:\n    - age:\n      - {age_key.recipient}\n"
    rules = f"creation_rules:\n  - shamir_threshold: 1\n{groups}"
    assert config.load(".sops.yaml", rules).rule(0).threshold is None


def test_a_configuration_in_utf16(age_key: AgeKey, tmp_path: Path) -> None:
    rules = f"creation_rules:\n  - age: {age_key.recipient}\n"
    (tmp_path / ".sops.yaml").write_bytes(rules.encode("utf-16"))
    rule = config.find_rule(tmp_path / "a.yaml", cwd=str(tmp_path))
    assert rule.groups[0][0].name == age_key.recipient


@pytest.mark.posix
class TestOwner:
    """A stranger's .sops.yaml would choose who can decrypt what you encrypt."""

    @pytest.fixture
    def foreign(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
        """A project with a .sops.yaml of another user."""
        project.rules()
        project.write("secrets.yaml", "a: 1\n")
        if os.geteuid() == 0:
            os.chown(project.path(".sops.yaml"), 65534, -1)
        else:
            real = os.geteuid() + 1
            monkeypatch.setattr(os, "geteuid", lambda: real)
        return project

    def test_one_of_another_user_is_refused(self, foreign: Project) -> None:
        for target in ("secrets.yaml", "below/secrets.yaml"):
            with pytest.raises(ConfigError, match="belongs to another user and is not used") as caught:
                config.find_rule(foreign.path(target), cwd=str(foreign.folder))
            assert "safe.directory" in (caught.value.hint or "")

    @pytest.mark.services  # as root: gives files to another user
    def test_no_command_encrypts_by_it(self, foreign: Project) -> None:
        foreign.write(".env", "A=1\n")
        for words in (["encrypt", "secrets.yaml"], ["import", ".env"]):
            said = foreign.run(*words, code=1).err
            assert "error[config]" in said
            assert "belongs to another user" in said
        for words in (["set", "new.enc.yaml", "a", "1"], ["publish", "secrets.yaml"]):
            assert "belongs to another user" in foreign.run(*words, code=1).err
        assert foreign.names() == [".env", ".sops.yaml", "secrets.yaml"]
        said = foreign.run("explain", "secrets.yaml", code=1)
        assert "belongs to another user" in said.out + said.err

    @pytest.mark.services  # as root: gives files to another user
    def test_one_that_you_name_is_used(self, foreign: Project) -> None:
        foreign.run("encrypt", "--config", ".sops.yaml", "secrets.yaml")
        foreign.run("encrypt", "-o", "b.enc.yaml", "secrets.yaml", environ={"SOPS_CONFIG": ".sops.yaml"})

    @pytest.mark.services  # as root: gives files to another user
    def test_one_of_a_repository_that_git_accepts_is_used(self, foreign: Project) -> None:
        """As in a container, where root works in a checkout of the user outside."""
        foreign.git("init", "-q")
        foreign.run("encrypt", "secrets.yaml", code=1)  # the repository is ours, and only the file is not
        for folder, _, names in os.walk(foreign.folder):
            for path in (folder, *(os.path.join(folder, name) for name in names)):
                os.chown(path, 65534, -1)
        foreign.run("encrypt", "secrets.yaml", code=1)  # git: detected dubious ownership
        foreign.git("config", "--global", "--add", "safe.directory", str(foreign.folder))
        foreign.run("encrypt", "secrets.yaml")

    @pytest.mark.services  # as root: gives files to another user
    def test_those_of_the_user_who_called_sudo_are_yours(self, foreign: Project) -> None:
        foreign.run("encrypt", "secrets.yaml", environ={"SUDO_UID": "65534"})

    @pytest.mark.services  # as root: gives files to another user
    def test_a_link_of_another_user_or_to_another_user_s_file(self, project: Project) -> None:
        project.rules()
        mine = project.path(".sops.yaml").rename(project.home / "rules.yaml")
        project.path(".sops.yaml").symlink_to(mine)
        assert config.find_rule(project.path("x.yaml"), cwd=str(project.folder)).groups
        os.chown(project.path(".sops.yaml"), 65534, -1, follow_symlinks=False)
        with pytest.raises(ConfigError, match="belongs to another user"):
            config.find_rule(project.path("x.yaml"), cwd=str(project.folder))
        os.chown(project.path(".sops.yaml"), 0, -1, follow_symlinks=False)
        os.chown(mine, 65534, -1)
        with pytest.raises(ConfigError, match="belongs to another user"):
            config.find_rule(project.path("x.yaml"), cwd=str(project.folder))


def test_another_spelling_where_the_file_system_ignores_the_case(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.rules()
    # In two steps, since Wine does not change only the case of a name.
    project.path(".sops.yaml").rename(project.path("other")).rename(project.path(".Sops.yaml"))

    def exists(path: str) -> bool:
        folder, name = os.path.split(path)
        return name.lower() in [each.lower() for each in os.listdir(folder)]

    monkeypatch.setattr(os.path, "exists", exists)
    with pytest.raises(ConfigError, match=r"it is called \.Sops\.yaml"):
        config.find_config(None, str(project.folder))
    assert config.find_config(None, str(project.folder), foreign=True)
    project.path(".Sops.yaml").rename(project.path(".sops.yaml"))
    assert config.find_config(None, str(project.folder)) == str(project.path(".sops.yaml"))


@pytest.mark.parametrize("text", ["creation_rules: [", "creation_rules: 3\n", "a: b: c\n"])
def test_a_configuration_that_cannot_be_loaded_is_loaded_once(text: str, tmp_path: Path) -> None:
    """Of a thousand files, each has an error of its own, and none waits for the others' configuration."""
    path = tmp_path / ".sops.yaml"
    path.write_text(text)
    read: dict[str, config.Config] = {}
    errors = []
    for name in ("a.yaml", "b.yaml"):
        with pytest.raises(ConfigError) as caught:
            config.find_rule(str(tmp_path / name), cwd=str(tmp_path), read=read)
        errors.append(caught.value)
        path.unlink(missing_ok=True)
        path.write_text("creation_rules: []\n")
    first, second = errors
    assert first is not second
    assert (str(first), first.hint) == (str(second), second.hint)
    assert second.about("c.yaml").file == first.file == str(path)
