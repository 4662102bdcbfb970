"""Which files get git's drivers, by the rules of ``.sops.yaml``."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import pytest
from project import Project

from encconf.git import attributes


class TestFilesOfOtherNames:
    """What is encrypted here gets the drivers, whatever it is called."""

    def test_what_is_encrypted_and_what_the_rules_will_encrypt(self, repository: Project) -> None:
        text = repository.read("secrets.enc.yaml")
        for name in ("a.sops.yaml", ".env.sops", "deep/odd name", "many/a.yml", "many/b.yml", "many/c.yml"):
            repository.path(name).parent.mkdir(exist_ok=True)
            repository.write(name, text)
        rule = f"  - path_regex: ^later/.*\\.(json|ya?ml)$\n    age: {repository.key.recipient}\n"
        repository.write(".sops.yaml", f"{repository.read('.sops.yaml')}{rule}")
        repository.write(".encconf-saved-01234567", text)  # another run is overwriting a file
        repository.git("add", "-A")
        assert "no-driver" in repository.run("check").out
        assert "line by line" in repository.run("doctor").err
        done = repository.run("git", "install")
        assert "encconf-saved" not in done.err
        for pattern in ("*.sops.yaml", "*.env.sops", "/deep/odd?name", "/many/*.yml", "/later/**/*.json"):
            assert pattern in done.err
        names = ["a.sops.yaml", ".env.sops", "deep/odd name", "many/a.yml", "later/x.json", "later/y/z.yml"]
        said = repository.git("check-attr", "merge", "diff", "--", *names)
        assert said.count(": encconf\n") == 2 * len(names), said
        assert "no-driver" not in repository.run("check").out
        assert "line by line" not in repository.run("doctor").err
        assert repository.run("git", "install").err == "encconf: git is set up already\n"

    def test_another_driver_stays(self, repository: Project) -> None:
        repository.write("a.sops.json", repository.read("secrets.enc.yaml"))
        repository.write(".gitattributes", "*.sops.json diff=mine merge=mine\n")
        repository.git("add", "-A")
        repository.run("git", "install")
        assert "*.sops.json diff=mine merge=mine\n" in repository.read(".gitattributes")
        assert "mine" in repository.git("check-attr", "merge", "--", "a.sops.json")

    def test_no_pattern_matches_a_plaintext_file(self, repository: Project) -> None:
        text, names = repository.read("secrets.enc.yaml"), []
        for name in (
            "many/a.yml",
            "many/b.yml",
            "many/c.yml",
            "hosts/a/s.txt",
            "hosts/b/s.txt",
            "hosts/c/s.txt",
        ):
            repository.path(name).parent.mkdir(exist_ok=True, parents=True)
            repository.write(name, text)
            names.append(name)
        root = str(repository.folder)
        assert attributes.patterns_for(names, root) == ["/hosts/**/s.txt", "/many/*.yml"]
        repository.path("hosts/d").mkdir()
        for name in ("many/plain.yml", "hosts/d/s.txt"):
            repository.write(name, "a: 1\n")
        assert sorted(attributes.patterns_for(names, root)) == [f"/{name}" for name in sorted(names)]
        # A rule that matches mostly plaintext files only says how to encrypt.
        repository.write(".sops.yaml", "creation_rules:\n  - path_regex: ^plain/.*\\.txt$\n    age: x\n")
        assert attributes.patterns_of_rules(root, []) == ["/plain/**/*.txt"]
        repository.path("plain").mkdir()
        for name in "abc":
            repository.write(f"plain/{name}.txt", "a\n")
        assert attributes.patterns_of_rules(root, []) == []
        there = [f"plain/{name}.txt" for name in "abcd"]
        assert attributes.patterns_of_rules(root, there[:2]) == ["/plain/**/*.txt"]
        repository.write(there[3], "a\n")
        assert attributes.patterns_of_rules(root, there[:2]) == [], "half of them"

    def test_git_is_asked_about_many_files_in_parts(
        self, repository: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(attributes, "AT_ONCE", 2)
        repository.write(".gitattributes", "* diff=mine\nd diff=encconf\n")
        assert attributes.with_other_diffs(str(repository.folder), "abcde") == ["a", "b", "c", "e"]

    @pytest.mark.parametrize(
        ("regex", "patterns"),
        [
            (r"\.enc\.ya?ml$", ["*.enc.yaml", "*.enc.yml"]),
            (r"^secrets/", ["/secrets/**/*"]),
            (r"^\.env$", ["/.env"]),
            (r"hosts/[^/]+/secrets\.yaml$", ["**/*hosts/*/secrets.yaml"]),
            (r"^.*/secrets\.yaml$", ["**/*/secrets.yaml"]),
            (r"^x\.(ya?ml|e?nv?)$", ["/x.yaml", "/x.yml", "/x.env", "/x.en", "/x.nv", "/x.n"]),
            ("^" + "a" * 200 + "$", ["/" + "a" * 200]),
            ("^" + "a" * 201 + "$", []),
            (r".*", []),
            (r".*$", []),
            (r"", []),
            (r"^.*secret.*$", []),
            (r"(?i)\.x$", []),
            (r"^secrets/v\d\.yaml$", []),
            (r"(a|b)" * 30 + "$", []),
        ],
    )
    def test_a_regex_that_is_a_plain_path(self, regex: str, patterns: list[str]) -> None:
        assert attributes.globs(regex) == patterns


# --- git decides what a pattern matches -----------------------------------------------------------

REGEXES = [
    r"\.enc\.ya?ml$", r"^secrets/", r"secrets/", r"^\.env$", r"\.env$", r"^a/[^/]*\.yaml$",
    r"a/[^/]+/secrets\.yaml$", r"^.*/secrets\.yaml$", r"^secrets/.*\.(yaml|json)$", r"^secrets/.+$",
    r"^(?:a|secrets)/(b|c)/x\.(ya?ml|json)$", r"(prod|dev)\.yaml$", r"^(a|b-?c)/", r"^a/.*/x\.json$",
    r"x-y_z\.txt$", r"^secrets\.yaml$", r"/secrets\.yaml$", r"^a/b/c/.*\.env$", r"[^/]+\.env$",
    r"^[^/]*\.json$", r"^a/[^/]+$", r"b/.*$", r"^a/b\-c/x\.env$", r"^\.(sops|env)\.yaml$",
]  # fmt: skip
NO_PATTERNS = [
    r"secrets.*$", r"^secrets.*$", r"^[^/]+$", r"^(x|.y)\.env$", ".*", ".*$", "^.*$", "^.+$", "", "^", "$",
    "^.*secret.*$", r"(?i)\.x$", r"^secrets/v\d\.yaml$", "^secrets", "secrets", "^a|b$",
    r"^a/[a-z]+\.yaml$", r"^x{2}$", r"^(a/b|c)$", "^(a(b))$", r"^x\w$", "^a*$", "^[^/]+[^/]+(a|b",
    r"(a|b)"*5+"$", "^"+"a"*201+"$", r"^(a?b?c?d?e?f?)\.yaml$", "^(x|.y)$", "^/$",
]  # fmt: skip
DEEP = product(["a", "secrets"], ["b", "b-c", "secrets"], ["x.json", "x.yaml", "secrets.yaml"])
FLAT = product(["a", "secrets", "b"], ["x.env", ".env", "secrets.yaml", "x.enc.yml", "prod.yaml"])
PATHS = [
    *map("/".join, [*DEEP, *FLAT]),
    "a/b/c/x.env", "a/b-c/x.env", "a/b/c/d/x.env", "secrets.yaml", ".env", "x.env", ".env.yaml", ".sops.yaml",
    "x.enc.yaml", "x.enc.yml", "x.json", "x-y_z.txt", "a/x-y_z.txt", "dev.yaml", "xprod.yaml",
    "a/xdev.yaml", "bc/x", "b-c/x", "deep/a/b/x.yaml", "xsecrets.yaml", "a/xsecrets.yaml", "secretsx",
    "a/secretsx/y", "xsecrets/y", "a/b/x.yml", "secrets/c/x.yml", "a/b/c/x.json", "xa/b/secrets.yaml",
    "deep/xa/b/secrets.yaml", ".yaml", "x.yml",
]  # fmt: skip


def matched(patterns: Sequence[Sequence[str]], paths: Sequence[str], folder: Path) -> list[set[str]]:
    """For each list of patterns, the paths that git matches with one of them."""
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    lines = [f"{each} r{number}\n" for number, some in enumerate(patterns) for each in some]
    folder.joinpath(".gitattributes").write_text("".join(lines))
    names = [f"r{number}" for number in range(len(patterns))]
    done = subprocess.run(
        ["git", "-C", str(folder), "check-attr", "-z", "--stdin", *names],
        input="".join(f"{path}\0" for path in paths), capture_output=True, text=True, check=True,
    )  # fmt: skip
    words = done.stdout.split("\0")
    found: list[set[str]] = [set() for _ in patterns]
    for path, name, value in zip(words[::3], words[1::3], words[2::3], strict=False):
        if value == "set":
            found[int(name[1:])].add(path)
    return found


def test_git_matches_what_the_regex_matches(tmp_path: Path) -> None:
    patterns = [attributes.globs(regex) for regex in REGEXES]
    assert all(patterns)
    for regex, found in zip(REGEXES, matched(patterns, PATHS, tmp_path), strict=True):
        wanted = {path for path in PATHS if re.search(regex, path)}
        assert wanted, regex
        assert wanted <= found, (regex, wanted - found)
        if "+" not in regex:  # it becomes *, which may match nothing
            assert found == wanted, (regex, found - wanted)


@pytest.mark.parametrize("regex", NO_PATTERNS)
def test_a_regex_that_is_no_path_gives_no_patterns(regex: str) -> None:
    assert attributes.globs(regex) == []


ODD_NAMES = [
    "a b/x y.txt", 'q"/q.txt', "st*r/?.txt", "br[a]/[b].txt", "back\\slash.txt", "é/ü.txt", "-x", "x",
    "deep/er/x.txt", "a/.env.sops", "sops.x.json", "enc-y.YAML", "z.ENC", "w.encrypted.txt",
    "Encrypted_v.ini", "notsops.txt", "sopsy",
]  # fmt: skip
OTHERS = [
    "stxr/a.txt", "bra/b.txt", "brb/[b].txt", "y", "deep/x.txt", "er/x.txt", "a/.env.sop",
    "xsops.x.json", "enc-y.JSON", "w.txt", "v.ini", "backslash.txt",
]  # fmt: skip


def test_git_matches_each_name(tmp_path: Path) -> None:
    """And no other name, except that any character may be in the place of a blank or a quote."""
    (found,) = matched([attributes.patterns_for(ODD_NAMES, str(tmp_path))], [*ODD_NAMES, *OTHERS], tmp_path)
    assert found == {*ODD_NAMES}


def test_names_in_no_repository(tmp_path: Path) -> None:
    names = ["a/1/x", "a/2/x", "a/3/x"]
    assert attributes.patterns_for(names, str(tmp_path)) == ["/a/1/x", "/a/2/x", "/a/3/x"]


def test_a_rule_is_broad_whichever_files_git_lists_first(tmp_path: Path) -> None:
    """Half of the files that it matches, or fewer, are encrypted; of many files, each counts once."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    rules = "creation_rules:\n  - path_regex: {}\n    age: {}\n"
    recipient = "age1lzd99uklcjnc0e7d860axevet2cz99ce9pq6tzuzd05l5nr28ams36nvun"
    (tmp_path / "-").mkdir()
    for name in "abc":
        (tmp_path / "-" / f"{name}.txt").touch()
    (tmp_path / ".sops.yaml").write_text(rules.format(r"^-/.*\.txt$", recipient))
    assert attributes.patterns_of_rules(str(tmp_path), []) == []
    assert attributes.patterns_of_rules(str(tmp_path), ["-/a.txt", "-/b.txt"]) == ["/-/**/*.txt"]
    (tmp_path / "a").mkdir()
    (tmp_path / "z").mkdir()
    for number in range(900):
        (tmp_path / "a" / f"{number}").touch()
    for name in "abcd":
        (tmp_path / "z" / f"{name}.txt").touch()
    (tmp_path / ".sops.yaml").write_text(rules.format(r"^z/.*\.txt$", recipient))
    assert attributes.patterns_of_rules(str(tmp_path), ["z/a.txt", "z/b.txt", "z/c.txt"]) == ["/z/**/*.txt"]
    assert attributes.patterns_of_rules(str(tmp_path), ["z/a.txt", "z/b.txt"]) == []


def test_a_configuration_that_cannot_be_used_gives_no_patterns(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    assert attributes.patterns_of_rules(str(tmp_path), []) == []
    (tmp_path / ".sops.yaml").write_text("creation_rules: [")
    assert attributes.patterns_of_rules(str(tmp_path), []) == []


def test_links_and_leftovers_are_no_files_of_their_own(repository: Project) -> None:
    text = repository.read("secrets.enc.yaml")
    repository.write("again.enc.yaml", text)
    repository.write(".encconf-0123abcd", text)
    repository.path("link.enc.yaml").symlink_to("secrets.enc.yaml")
    names = [str(path) for path in sorted(repository.folder.iterdir())]
    found = [os.path.basename(name) for name, _ in attributes.encrypted_of(names)]
    assert found == ["again.enc.yaml", "secrets.enc.yaml"]


def test_four_choices_are_not_too_many() -> None:
    assert len(attributes.globs("^(a|b)(c|d)(e|f)(g|h)$")) == 16
    assert attributes.globs("^(a|b)(c|d)(e|f)(g|h)(i|j)$") == []
    assert len(attributes.globs("^(a|b|c|d|e|f|g|h|i|j)(a|b|c|d)$")) == 40
    assert attributes.globs("^(a|b|c|d|e|f|g|h|i|j|k)(a|b|c|d)$") == []


def test_whether_the_drivers_are_named(tmp_path: Path) -> None:
    assert attributes.are_used(str(tmp_path)) is False
    for text, used in (
        ("*.yaml diff=other\n", False),
        ("*.yaml diff=encconf\n", True),
        ("* merge=encconf", True),
    ):
        (tmp_path / ".gitattributes").write_text(text)
        assert attributes.are_used(str(tmp_path)) is used
