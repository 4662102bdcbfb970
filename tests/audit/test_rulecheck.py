"""What is wrong with the rules themselves."""

from __future__ import annotations

from audit.checked import A, sound, two_rules
from audit.repo import SECRET, Repo, rule, seal

from encconf.rules.selection import Selection


def test_a_finding_about_a_rule_says_where(repo: Repo) -> None:
    two_rules(repo)
    (found,) = repo.check().findings
    assert (found.file, found.line, found.slug) == (".sops.yaml", 4, "unused-rule")


def test_a_file_that_is_not_yaml_has_its_line(repo: Repo) -> None:
    sound(repo)
    repo.config(f"  - path_regex: enc\n    {A}  - [\n")
    (found,) = repo.only("bad-config")
    assert found.line is not None
    assert found.line > 3
    assert not found.message.startswith("line ")


def test_a_pattern_in_the_way(repo: Repo) -> None:
    """Nothing is said about rules of files that only a broken pattern keeps from being known."""
    sound(repo)
    repo.config(f"  - path_regex: '(?!x)'\n    {A}  - path_regex: enc\n    {A}")
    assert repo.slugs() == {"bad-config"}


class TestSelections:
    def test_no_hint_leads_to_plaintext(self, repo: Repo) -> None:
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

    def test_one_warning_for_a_rule_without_a_selection(self, repo: Repo) -> None:
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

    def test_the_same_outcome_is_no_error(self, repo: Repo) -> None:
        repo.rules("encrypted_regex: ^(password|key)$")
        own = rule(selection=Selection("encrypted_regex", "^password$"))
        repo.write("a.enc.yaml", seal(f"host: db\npassword: {SECRET}\n", own))
        (found,) = repo.only("selection-differs")
        assert found.severity == "note"
        repo.write("a.enc.yaml", seal(f"key: db\npassword: {SECRET}\n", own))
        (found,) = repo.only("selection-differs")
        assert (found.severity, "updatekeys --selection" in found.hint) == ("error", True)
