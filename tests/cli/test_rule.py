"""The rule for a file: of .sops.yaml, of the command line, or of both."""

from __future__ import annotations

import os

import pytest
from oracle import AgeKey
from project import PLAIN, Project


class TestKeysAndRules:
    def test_no_configuration(self, project: Project) -> None:
        project.write("secrets.yaml", PLAIN)
        done = project.run("encrypt", "secrets.yaml", code=1)
        assert "no .sops.yaml was found for this file" in done.err
        assert project.names() == ["secrets.yaml"]

    def test_no_matching_rule(self, project: Project) -> None:
        project.rules("    path_regex: ^prod/\n")
        project.write("secrets.yaml", PLAIN)
        done = project.run("encrypt", "secrets.yaml", code=1)
        assert "no matching creation rules found" in done.err
        assert ".sops.yaml" in done.err
        assert "^prod/" in done.err

    @pytest.mark.parametrize("regex", [r"secrets\.yaml$", r"\.enc\.yaml$"])
    def test_a_rule_may_match_either_name(self, project: Project, regex: str) -> None:
        project.rules(f"    path_regex: {regex}\n")
        project.write("secrets.yaml", PLAIN)
        project.run("encrypt", "secrets.yaml")
        project.run("encrypt", "-o", "-", "secrets.yaml")

    def test_the_rule_is_looked_for_from_the_file_upwards(self, project: Project) -> None:
        project.rules("    encrypted_regex: ^password$\n")
        project.write("deep/er/secrets.yaml", PLAIN)
        project.write("deep/er/x", "")
        os.rename(project.path(".sops.yaml"), project.path("deep/.sops.yaml"))
        project.run("encrypt", "deep/er/secrets.yaml")
        enc = project.read("deep/er/secrets.enc.yaml")
        assert "localhost" in enc
        assert "hunter2" not in enc

    def test_a_secret_of_a_new_file_that_the_rule_leaves_out_is_named(self, project: Project) -> None:
        project.rules("    encrypted_regex: ^data$\n")
        project.write("secrets.yaml", "password: hunter2\nport: 1\ntoken: ${TOKEN}\ndata:\n  a: b\n")
        said = "password stays plaintext, because of encrypted_regex: ^data$"
        assert said in project.run("encrypt", "secrets.yaml").err
        project.write("secrets.yaml", "password: hunter2\nport: 2\ndata:\n  a: b\n")
        assert "stays plaintext" not in project.run("encrypt", "secrets.yaml").err
        os.remove(project.path("secrets.enc.yaml"))
        line = ["--encrypted-regex", "^data$"]
        assert "stays plaintext" not in project.run("encrypt", *line, "secrets.yaml").err

    def test_keys_of_the_command_line(self, project: Project) -> None:
        """Unlike in sops, a .sops.yaml that does not match is no obstacle."""
        project.write("secrets.yaml", PLAIN)
        one, two, three = (AgeKey.generate() for _ in range(3))
        recipients = [one.recipient, f"{two.recipient}, {three.recipient}"]
        project.run("encrypt", "--age", recipients[0], "-a", recipients[1], "secrets.yaml")
        for key in (one, two, three):
            assert project.run("decrypt", "secrets.enc.yaml", environ=key.environ()).out == PLAIN
        project.rules("    path_regex: ^prod/\n")
        project.run("encrypt", "--age", one.recipient, "-o", "y.yaml", "secrets.yaml")
        project.run("decrypt", "y.yaml", code=128)

    def test_the_selection_of_a_rule_goes_with_keys_of_the_command_line(self, project: Project) -> None:
        project.rules("    encrypted_regex: ^password$\n    mac_only_encrypted: true\n")
        project.write("secrets.yaml", PLAIN)
        other = AgeKey.generate()
        project.run("encrypt", "--age", other.recipient, "secrets.yaml")
        enc = project.read("secrets.enc.yaml")
        assert "localhost" in enc
        assert "mac_only_encrypted: true" in enc
        assert project.key.recipient not in enc
        project.write("secrets.yaml", PLAIN)
        project.run("encrypt", "--age", other.recipient, "--encrypted-suffix", "host", "secrets.yaml")
        enc = project.read("secrets.enc.yaml")
        assert "localhost" not in enc
        assert "hunter2" in enc

    def test_keys_of_the_environment(self, project: Project) -> None:
        project.write("secrets.yaml", PLAIN)
        project.run("encrypt", "secrets.yaml", environ={"SOPS_AGE_RECIPIENTS": project.key.recipient})
        assert project.run("decrypt", "secrets.enc.yaml").out == PLAIN

    def test_a_bad_key(self, project: Project) -> None:
        project.write("secrets.yaml", PLAIN)
        project.run("encrypt", "--age", "age1nonsense", "secrets.yaml", code=1)
        done = project.run("encrypt", "--age", project.key.identity, "secrets.yaml", code=1)
        assert project.key.identity not in done.err
        assert project.names() == ["secrets.yaml"]

    @pytest.mark.parametrize(
        ("options", "clear"),
        [
            (["--encrypted-regex", "^password$"], "localhost"),
            (["--unencrypted-regex", "^host$"], "localhost"),
            (["--encrypted-suffix", "word"], "localhost"),
            (["--unencrypted-suffix", "ost"], "localhost"),
            (["--encrypted-comment-regex", "not this"], "localhost"),
            (["--unencrypted-comment-regex", "the database"], "hunter2"),
        ],
    )
    def test_the_six_selections(self, project: Project, options: list[str], clear: str) -> None:
        project.rules()
        project.write("secrets.yaml", PLAIN)
        project.run("encrypt", *options, "secrets.yaml")
        enc = project.read("secrets.enc.yaml")
        assert clear in enc
        assert f"{options[0][2:].replace('-', '_')}: " in enc
        assert project.run("decrypt", "secrets.enc.yaml").out == PLAIN

    def test_another_configuration(self, project: Project) -> None:
        project.rules()
        os.rename(project.path(".sops.yaml"), project.path("rules"))
        project.write("secrets.yaml", PLAIN)
        project.run("encrypt", "--config", "rules", "secrets.yaml")
        project.run("--config", "rules", "encrypt", "secrets.yaml")
        project.run("--config", "none", "encrypt", "--config", "rules", "secrets.yaml")
        project.run("encrypt", "secrets.yaml", environ={"SOPS_CONFIG": "rules"})
        project.run("encrypt", "--config", "none", "secrets.yaml", code=100)

    @pytest.mark.posix  # Windows has no such path
    def test_an_empty_device_is_a_configuration_without_rules(self, project: Project) -> None:
        project.write("secrets.yaml", PLAIN)
        project.run("encrypt", "--config", "/dev/null", "secrets.yaml", code=1)
        project.run("encrypt", "--config", "/dev/null", "--age", project.key.recipient, "secrets.yaml")

    def test_what_is_odd_in_the_rules_is_said(self, project: Project) -> None:
        project.rules("    encripted_regex: ^a$\n")
        project.write("secrets.yaml", PLAIN)
        done = project.run("encrypt", "secrets.yaml")
        assert "warning" in done.err
        assert "encrypted_regex" in done.err
