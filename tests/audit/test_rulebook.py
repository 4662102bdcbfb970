"""Which creation rule is the rule of a file, for very many files."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest
from audit.checked import A
from audit.repo import Repo
from oracle import AgeKey

from encconf.audit import rulebook
from encconf.errors import PatternError
from encconf.keys import master_key
from encconf.rules.selection import PROPOSED


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
                use = rules.find(str(repo.folder / name))
                try:
                    wanted = find_rule(name, cwd=str(repo.folder)).name
                except NoMatchingRuleError:
                    assert use is None
                else:
                    assert use is not None
                    assert wanted == use.name


EVERY = ["", ".", ".*", "^.+$", r"(?s)\A.*\z", "^(.*/)?[^/]+$", r"\W|\w", "^", "a|b*"]
NOT_EVERY = ["^[^/]+$", "^[^.]+$", "^[^_]", "[^a-z]", r"\W", "^.{1,60}$", "^([^/]+/)?[^/]+$"]


@pytest.mark.parametrize("regex", EVERY + NOT_EVERY)
def test_a_rule_for_every_name(repo: Repo, regex: str) -> None:
    from encconf.audit.rulebook import Rulebook

    repo.config(f"  - path_regex: {json.dumps(regex)}\n    {A}")
    rules = Rulebook(None, str(repo.folder)).of(str(repo.folder))
    assert rules is not None
    assert rules.uses[0].takes_all is (regex in EVERY)
    assert rules.rest is (rules.uses[0] if regex in EVERY else None)
    if regex == "^[^/]+$":
        assert rules.find(str(repo.folder / "a/b.yaml")) is None


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


def test_what_one_configuration_says_of_names_and_keys(tmp_path: Path) -> None:
    key = AgeKey.generate().recipient
    folder = tmp_path / "in"
    folder.mkdir()
    patterns = "".join(f"  - path_regex: {regex}\n    age: {key}\n" for regex in (r"^x\.yaml$", r"^dev/.*"))
    (folder / ".sops.yaml").write_text(f"creation_rules:\n{patterns}  - age: {key}\n")
    rules = rulebook.Rules(str(folder / ".sops.yaml"))
    assert rules.relative(f"{folder}/x.yaml") == "x.yaml"
    outside = f"{tmp_path}/no/x.yaml"
    assert rules.relative(outside) == outside
    inside = f"{folder}/"
    for folders, none in (
        ([(inside, ["a.yaml", "b.yaml"])], True),
        ([(inside, ["a.yaml", "x.yaml"])], False),
        ([(f"{folder}/dev/", ["a.yaml"])], False),
        ([(inside, ["a.yaml"]), (f"{tmp_path}/no/", ["b.yaml"])], False),
    ):
        assert rules.takes_none(folders) is none, folders
    exact, wild = rules.uses[:2]
    assert [exact.is_narrow, wild.is_narrow] == [True, False]
    wild.covered, wild.sealed = 3, 2
    assert wild.is_narrow
    age = master_key("age", key)
    arn = "arn:aws:kms:eu-west-1:111122223333:key/11111111-2222-3333-4444-555555555555"
    assert rules.who(age) == f"age {age.label}"
    assert rules.who(master_key("kms", arn)) == "kms 11111111-222…555555 (eu-west-1)"
    chosen = rulebook.Rulebook("in/.sops.yaml", str(tmp_path)).of(str(tmp_path / "no"))
    assert chosen is not None
    assert chosen.path == str(folder / ".sops.yaml")
    for base, alike, dull in (
        ("a.yaml", True, True),
        ("secrets.yaml", True, False),
        ("x.yaml", False, False),
    ):
        (found,) = rulebook.by_folder([f"in/{base}"], str(tmp_path), rulebook.Rulebook(None, str(tmp_path)))
        assert (found.alike, found.dull) == (alike, dull), base
    (found,) = rulebook.by_folder(["in/x"], str(tmp_path), rulebook.Rulebook(None, str(tmp_path)))
    meant = {base: rulebook.Named(found, base).meant for base in ("a.yaml", "a.enc.yaml", "secrets.yaml")}
    assert meant == {"a.yaml": "", "a.enc.yaml": "error", "secrets.yaml": "warning"}
    (found,) = rulebook.by_folder(["in/x.yaml"], str(tmp_path), rulebook.Rulebook(None, str(tmp_path)))
    assert rulebook.Named(found, "x.yaml").meant == "error"  # its rule names it
    for bases, alike in (
        (["x.yaml.proposal-01234567.json"], False),
        (["a.yaml.proposal-01234567.json"], True),
        (["x.yaml", "a.yaml.proposal-01234567.json"], False),
        (["a.yaml", "x.yaml.proposal-0123456.json"], True),  # no proposal's name
    ):
        names = [f"in/{base}" for base in bases]
        (found,) = rulebook.by_folder(names, str(tmp_path), rulebook.Rulebook(None, str(tmp_path)))
        assert found.alike is alike, bases
        for base in bases:
            named = rulebook.Named(found, base)
            rule, place = named.rule(str(tmp_path))
            assert rule is not None
            assert (rule.selection == PROPOSED) is bool(named.proposes_for), base
            number = 0 if base.startswith("x.yaml") and (named.proposes_for or base == "x.yaml") else 2
            assert place == f"creation_rules[{number}] of in/.sops.yaml"
            assert named.meant == ("error" if named.proposes_for or number == 0 else "")


@pytest.mark.parametrize("rest", [True, False])
def test_what_a_name_means_with_a_rule_for_it_for_all_and_without_one(tmp_path: Path, rest: bool) -> None:
    exact = f"  - path_regex: ^x\\.\n    {A}"
    (tmp_path / ".sops.yaml").write_text(f"creation_rules:\n{exact}{f'  - {A}' if rest else ''}")
    wanted = {
        "a.yaml": "", "a.enc.yaml": "error", "x.yaml": "error", "x.enc.yaml": "error", "x.bin": "error",
        "a.enc.bin": "", "secrets.yaml": "warning" if rest else "", "secrets.bin": "",
        "secrets.enc.yaml": "error", "a.yaml.proposal-01234567.json": "error",
    }  # fmt: skip
    (found,) = rulebook.by_folder(wanted, str(tmp_path), rulebook.Rulebook(None, str(tmp_path)))
    assert {base: rulebook.Named(found, base).meant for base in wanted} == wanted


@pytest.mark.parametrize(
    ("regex", "narrow"),
    [
        (r"^a/b\.yaml$", True),
        (r"x\.yaml", True),
        (r"a\*b\.yaml$", True),
        (r"\.yaml$", False),
        (r"^secrets/", False),
        (r"a.yaml$", False),
        (r"x\.yaml.", False),
        *((rf"a{each}b\.yaml$", False) for each in ("*", "+", "?", "[x]", "|", r"\w", r"\W", r"\d", r"\S")),
    ],
)
def test_a_rule_that_names_exact_files(tmp_path: Path, regex: str, narrow: bool) -> None:
    config = tmp_path / ".sops.yaml"
    config.write_text(f"creation_rules:\n  - path_regex: {json.dumps(regex)}\n    {A}")
    (use,) = rulebook.Rules(str(config)).uses
    assert (use.used, use.covered, use.sealed) == (False, 0, 0)
    for covered, sealed, most in ((0, 0, False), (2, 1, False), (2, 2, True), (3, 2, True), (9, 4, False)):
        use.covered, use.sealed = covered, sealed
        assert use.is_narrow is (narrow or most), (covered, sealed)


def test_places_and_comments_of_a_configuration(tmp_path: Path) -> None:
    config = tmp_path / ".sops.yaml"
    text = f"# a comment\ncreation_rules:\n  - path_regex: ^a\n    {A}  - path_regex: ^b\n    {A}"
    config.write_text(text)
    rules = rulebook.Rules(str(config))
    first, second = (3, 17), (3 + f"- path_regex: ^a\n    {A}".count("\n"), 17)
    for place, wanted in (
        ("creation_rules", first),
        ("creation_rules[0].path_regex", first),
        ("creation_rules[0].missing", first),
        ("creation_rules[0].key_groups.missing.more", first),
        ("creation_rules[1].path_regex", second),
        ("creation_rules[1].missing", second),
        ("creation_rules[2]", (1, 1)),
        ("missing.more", (1, 1)),
        ("", (1, 1)),
    ):
        assert rules.place(place) == wanted, place
    config.write_text("creation_rules: [\n")
    broken = rulebook.Rules(str(config))
    assert broken.place("creation_rules[0].age") == (1, 1)
    assert broken.find("/elsewhere/x") is None
    assert [broken.relative(path) for path in ("/elsewhere/x", f"{tmp_path}/x")] == ["/elsewhere/x", "x"]
    config.write_text("x: 1\n  # encconf: ignore equal-iv, nothing-like-it\n#encconf:ignore  odd\n")
    rules = rulebook.Rules(str(config))
    wrong = rules.read_ignored()
    assert [(place, said.split("(")[0].count("nothing-like-it")) for place, said in wrong] == [
        ((2, 21), 1),
        ((3, 18), 0),
    ]
    assert all(said.endswith(")") for _, said in wrong)  # with the hint


def test_a_rule_whose_pattern_is_similar_to_a_name(tmp_path: Path) -> None:
    config = tmp_path / ".sops.yaml"
    names = (r"^prod/app\.enc\.yaml$", r"^dev/.*database\.yaml$", r"^prod/app\.enc\.yaml")
    config.write_text("creation_rules:\n" + "".join(f"  - path_regex: {each}\n    {A}" for each in names))
    rules = rulebook.Rules(str(config))
    for name, number in (
        ("prod/app.enc.yml", 0),
        ("prd/app.enc.yaml", 0),
        ("dev/databse.yaml", 1),
        ("test/other.json", None),
        ("prod/app.enc.yaml" + "x" * 500, None),
    ):
        found = rules.closest(f"{tmp_path}/{name}")
        assert (found.number if found is not None else None) == number, name


def test_patterns_that_are_only_valid_together_are_no_patterns(tmp_path: Path) -> None:
    config = tmp_path / ".sops.yaml"
    for last in ("", f"  - {A}"):
        config.write_text(f"creation_rules:\n  - path_regex: (a\n    {A}  - path_regex: b)\n    {A}{last}")
        rules = rulebook.Rules(str(config))
        assert not rules.takes_none([(f"{tmp_path}/", ["x"])])
        with pytest.raises(PatternError):
            rules.find(f"{tmp_path}/x")


NAMES = [
    "a.yaml", "a.enc.yaml", "secrets.yaml", ".env", ".env.sops", "notes", "notes.enc", "secrets.txt",
    "x.yaml", "x.yaml.proposal-01234567.json", "a.yaml.proposal-01234567.json", "y.json", "key.pem",
]  # fmt: skip


CALLED_ENCRYPTED = {"a.enc.yaml", ".env.sops", *(name for name in NAMES if "proposal" in name)}


@pytest.mark.parametrize(
    "patterns",
    [
        [],
        [""],
        [r"^x\.yaml$"],
        [r"^x\.yaml$", ""],
        [r"\.enc\."],
        [r"\.enc\.", r"^a", ""],
        [r"\.(yaml|env)$"],
        ["(", ""],
        [r"^x\.yaml$", "("],
        ["", r"^x"],
    ],
)
def test_each_file_of_a_folder_has_the_rule_of_encrypting(tmp_path: Path, patterns: list[str]) -> None:
    from encconf.errors import NoConfigError, NoMatchingRuleError
    from encconf.rules.config import find_rule

    rules = "".join(f"  - path_regex: {json.dumps(each)}\n    {A}" for each in patterns)
    (tmp_path / ".sops.yaml").write_text(f"creation_rules:\n{rules}" if rules else "creation_rules: []\n")
    book = rulebook.Rulebook(None, str(tmp_path))
    for names in (NAMES, [f"d/e/{name}" for name in NAMES], *[[name] for name in NAMES]):
        (folder,) = rulebook.by_folder(names, str(tmp_path), book)
        for name in names:
            found = rulebook.Named(folder, name.rpartition("/")[2])
            assert found.whole == str(tmp_path / name)
            assert found.name == name
            try:
                wanted = find_rule(name, cwd=str(tmp_path))
            except (NoMatchingRuleError, NoConfigError):
                assert (found.chosen, found.unsure) == (None, False), name
                assert found.rule(str(tmp_path)) == (None, "")
            except PatternError:
                assert (found.chosen, found.unsure) == (None, True), name
            else:
                assert found.chosen is not None
                rule, said = found.rule(str(tmp_path))
                assert rule is not None
                assert (rule.name, rule.selection) == (wanted.name, wanted.selection), name
                assert said == f"{wanted.name} of .sops.yaml"
            covered = found.chosen is not None and patterns[found.chosen.number] != ""
            error = covered or name.rpartition("/")[2] in CALLED_ENCRYPTED
            secret = found.chosen is not None and name.endswith("secrets.yaml")
            assert found.meant == ("error" if error else "warning" if secret else ""), (name, patterns)


def test_without_a_usable_configuration(tmp_path: Path) -> None:
    (tmp_path / ".sops.yaml").write_text("creation_rules: 7\n")
    (folder,) = rulebook.by_folder(["a.yaml"], str(tmp_path), rulebook.Rulebook(None, str(tmp_path)))
    found = rulebook.Named(folder, "a.yaml")
    assert (found.chosen, found.unsure, found.rule(str(tmp_path))) == (None, True, (None, ""))
    rules = rulebook.Rules(str(tmp_path / ".sops.yaml"))
    assert rules.error is not None
    outside = str(tmp_path.parent / "a.yaml")
    assert (rules.relative(outside), rules.find(outside)) == (outside, None)
    inside = str(tmp_path / "d" / "a.yaml")
    assert (rules.relative(inside), rules.find(inside)) == ("d/a.yaml", None)


@pytest.mark.services  # as root: gives a file to another user
def test_elsewhere_the_rules_of_the_current_folder_apply_whoever_has_written_them(repo: Repo) -> None:
    """A report encrypts nothing."""
    repo.config(f"  - {A}")
    os.chown(repo.folder / ".sops.yaml", 65534, -1)
    found = rulebook.Rulebook(None, str(repo.folder)).of("/nowhere/else")
    assert found is not None
    assert found.path == str(repo.folder / ".sops.yaml")


def test_a_long_key_with_a_name_has_both(tmp_path: Path) -> None:
    arn = "arn:aws:kms:eu-west-1:111122223333:key/11111111-2222-3333-4444-555555555555"
    config = tmp_path / ".sops.yaml"
    config.write_text(f"creation_rules:\n  - key_groups:\n    - kms:\n        - arn: {arn} # deploy\n")
    key = master_key("kms", arn)
    assert rulebook.Rules(str(config)).who(key) == f"kms deploy ({key.label})"
