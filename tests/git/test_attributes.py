"""Which files get git's drivers, by the rules of ``.sops.yaml``."""

from __future__ import annotations

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
        rule = "  - path_regex: ^later/.*\\.(json|ya?ml)$\n    age: x\n"
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
