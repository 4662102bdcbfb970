"""``encconf check`` in repositories of strangers: what is an error, and how long the report is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from audit.repo import BOB, DATABASE, Repo, rule, seal
from cli.terminal import Terminal, screen
from oracle import AgeKey
from project import Project

from encconf.cli.commands import check as reports
from encconf.rules.selection import Selection

KUBERNETES = Selection("encrypted_regex", "^(data|stringData)$")
SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData:\n  password: correct horse\n"
IN_BASE64 = SECRET.replace("stringData", "data")
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: db}\ndata:\n  host: db.example.com\n"


@pytest.fixture
def cluster(repo: Repo) -> Repo:
    """A broad rule, under which two of many files are encrypted."""
    repo.rules("encrypted_regex: ^(data|stringData)$", path=r".*\.yaml$")
    for name in ("app/secret.yaml", "db/secret.yaml"):
        repo.write(name, seal(SECRET, rule(selection=KUBERNETES)))
    for number in range(9):
        repo.write(f"deploy/{number}.yaml", CONFIG_MAP)
    return repo


@pytest.mark.parametrize(
    ("name", "text", "severity"),
    [
        ("web/secret.yaml", SECRET, "error"),
        ("secrets/web.yaml", SECRET, "error"),
        ("web/db.yaml", SECRET, "warning"),  # its kind says secret, its name does not
        ("web/config.yaml", "data: {password: correct horse}\n", "note"),
        ("web/secret.yaml", CONFIG_MAP, None),
        ("web/external-secret.yaml", SECRET.replace("Secret", "ExternalSecret"), None),
        ("web/secret.yaml", SECRET.replace("correct horse", "${PASSWORD}"), None),
        ("web/secret.yaml", SECRET.replace("correct horse", "<your password>"), None),
        ("web/secret.yaml", SECRET.replace("correct horse", "a<b>c"), "error"),
        ("web/secret.yaml", SECRET.replace("correct horse", "https://x:<PASSWORD>@y"), None),
        ("web/secret.yaml", SECRET.replace("correct horse", "'{{ .password }}'"), None),
        ("web/secret.yaml", IN_BASE64.replace("correct horse", "Q0hBTkdFTUU="), None),
        ("web/secret.yaml", SECRET.replace("correct horse", "'{\"keys\": []}'"), None),
        ("web/secret.example.yaml", SECRET, None),
        ("examples/secret.yaml", SECRET, None),
        ("tests/secret.yaml", SECRET, None),
        ("web/secret.yaml", "- op: add\n  path: /data\n", None),
        ("web/secrets.yaml", "{{ if .x }}\ndata: {a: b}\n{{ end }}\n", None),
        ("web/secret.yaml", "$ANSIBLE_VAULT;1.1;AES256\n3132\n", None),
    ],
)
def test_under_a_broad_rule(cluster: Repo, name: str, text: str, severity: str | None) -> None:
    cluster.write(name, text)
    said = cluster.said("note" if severity == "note" else "warning")
    assert said == ({name: ("not-encrypted", severity)} if severity else {})


def test_under_a_narrow_rule_any_file_is_meant(repo: Repo) -> None:
    repo.rules(path="^config/")
    for number in range(3):
        repo.write(f"config/{number}.yaml", seal(DATABASE))
    repo.write("config/plain.yaml", DATABASE)
    repo.write("config/README.md", "What this is.\n")
    repo.write("config/default.nix", "{}\n")
    assert repo.said("warning") == {"config/plain.yaml": ("not-encrypted", "error")}


def test_a_rule_that_names_a_file_means_it(repo: Repo) -> None:
    repo.rules(path=r"^config/prod\.yaml$")
    repo.write("config/prod.yaml", DATABASE)
    assert repo.said() == {"config/prod.yaml": ("not-encrypted", "error")}


def test_a_rule_without_keys_has_a_selection(repo: Repo) -> None:
    repo.config("  - path_regex: .*.yaml\n    encrypted_regex: ^(data|stringData)$\n")
    for number in range(9):
        repo.write(f"{number}.yaml", "kind: Deployment\nspec: {replicas: 3}\n")
    repo.write("a.yaml", seal(SECRET, rule(selection=KUBERNETES)))
    assert repo.said() == {".sops.yaml": ("config-notice", "note")}


def test_a_kubernetes_secret_that_no_rule_covers(repo: Repo) -> None:
    repo.write("deploy/db.yaml", SECRET)
    assert repo.said() == {"deploy/db.yaml": ("not-encrypted", "warning")}


def test_without_sops_a_name_is_another_tools(tmp_path: Path) -> None:
    (tmp_path / "secrets.enc.json").write_text('{"token": "correct horse"}\n')
    from encconf.audit.check import check

    found = check(["secrets.enc.json"], cwd=str(tmp_path)).findings
    assert [(each.slug, each.severity) for each in found] == [("not-encrypted", "warning")]


def test_a_setting_at_the_top(repo: Repo) -> None:
    repo.write("a.enc.yaml", seal(DATABASE))
    repo.write(".sops.yaml", repo.read(".sops.yaml") + "encrypted_regex: ^password$\n")
    assert repo.said() == {".sops.yaml": ("config-notice", "warning")}


def test_the_closest_rule(repo: Repo) -> None:
    repo.rules(path=r"^clusters/prod/secrets\.yaml$")
    repo.write("cluster/prod/secrets.yaml", seal(DATABASE))
    (found,) = repo.only("no-rule")
    assert r"creation_rules[0], path_regex ^clusters/prod/secrets\.yaml$" in (found.hint or "")


def test_the_rule_for_the_plaintext_name(repo: Repo) -> None:
    repo.rules(path=r"^secrets\.prod\.yaml$")
    repo.write("secrets.prod.enc.yaml", seal(DATABASE))
    assert repo.said("warning") == {}


# --- the report ------------------------------------------------------------------------------------


def test_one_cause_is_one_line(repo: Repo) -> None:
    for number in range(100):
        repo.write(f"{number:03}.enc.yaml", seal("password: correct horse\n", rule(BOB)))
    lines = reports.text(repo.check(), verbose=False).splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("error: 100 files: encrypted for age ")
    assert lines[1] == "    000.enc.yaml, 001.enc.yaml, 002.enc.yaml and 97 more"
    assert lines[2].startswith("    hint: ")
    assert len(reports.text(repo.check()).splitlines()) == 200


def test_no_report_is_long(repo: Repo) -> None:
    for number in range(40):
        key = AgeKey.generate()
        repo.write(f"{number:03}.enc.yaml", seal("password: correct horse\n", rule(key)))
    lines = reports.text(repo.check(), verbose=False).splitlines()
    assert len(lines) <= reports.LINES
    assert lines[-1].endswith("more findings of other causes (--verbose lists all)")


def test_verbose_lists_all(project: Project) -> None:
    project.rules()
    project.git("init", "-q")
    for number in range(5):
        project.write(f"{number}.enc.yaml", "password: correct horse\n")
    project.git("add", "-A")
    short = project.run("check", code=1).out
    assert len(project.run("check", "--verbose", code=1).out.splitlines()) == 10 > len(short.splitlines())


@pytest.mark.parametrize("words", [["check"], ["access"], ["explain", "deploy/0.enc.yaml"], []])
def test_lines_fit_a_terminal_and_are_whole_in_a_pipe(project: Project, words: list[str]) -> None:
    others = ", ".join(AgeKey.generate().recipient for _ in range(3))
    project.rules()
    for number in range(5):
        project.write(f"deploy/{number}.enc.yaml", "password: correct horse\nport: 1\n")
        project.run("encrypt", "-i", f"deploy/{number}.enc.yaml")
    project.write(
        ".sops.yaml", f"creation_rules:\n  - path_regex: ^deploy/[0-9]+\\.enc\\.yaml$\n    age: {others}\n"
    )
    project.git("init", "-q")
    project.git("add", "-A")
    whole = project.run(*words, code=int(words == ["check"])).out
    assert max(map(len, whole.splitlines())) > 50
    terminal = Terminal(project, *words, environ={"COLUMNS": "50", "NO_COLOR": "1", "TERM": "dumb"})
    terminal.end()
    shown = screen(terminal.seen)
    assert [line for line in shown if len(line) > 50 and " " in line.strip()] == []
    if words != ["access"]:  # which shows a table there
        assert whole.split() == " ".join(shown).split()[: len(whole.split())]


def test_what_is_copied_is_no_equal_value(repo: Repo) -> None:
    repo.write("a.enc.yaml", seal("on: true\noff: true\n# a\nx: correct horse\n"))
    (first, second) = re.findall(r"ENC\[AES256_GCM,[^]]*type:bool\]", repo.read("a.enc.yaml"))
    repo.write("a.enc.yaml", repo.read("a.enc.yaml").replace(second, first))
    assert repo.only("equal-value") == []


def test_two_encrypted_files_are_no_twins(repo: Repo) -> None:
    repo.write("key.enc", seal("correct horse", format="binary"))
    repo.write("key", seal("correct horse", format="binary"))
    assert repo.only("plain-twin") == []
