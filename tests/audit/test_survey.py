"""What SOPS files a repository has: ``encconf init``, ``git install`` and ``encconf`` alone go by it."""

from __future__ import annotations

import json

import pytest
import yaml
from audit.checked import CAROL
from audit.repo import ALICE, BOB, DATABASE, Repo, rule, seal
from project import Project

from encconf.audit.survey import calls, rules, survey
from encconf.rules.config import find_rule
from encconf.rules.selection import Selection

from ..cli.terminal import Terminal

ONLY_PASSWORD = Selection("encrypted_regex", "^password$")


@pytest.fixture
def repo(project: Project) -> Repo:
    return Repo.without_rules(project)


def test_init_writes_what_the_files_say(repo: Repo, project: Project) -> None:
    for number in range(4):
        repo.write(f"secrets/{number}.yaml", seal(DATABASE, rule(ALICE, BOB)))
    repo.write(
        "deploy/db.yaml", seal(DATABASE.replace("token:", "place:"), rule(BOB, selection=ONLY_PASSWORD))
    )
    repo.write("deploy/web.yaml", "replicas: 3\n")
    repo.write(".env.sops", seal("A=correct horse\n", rule(ALICE), format="dotenv"))
    done = project.run("init", "--yes")
    assert done.err.count("6 files are already encrypted here") == 1
    assert f"wrote {repo.folder / '.sops.yaml'} with rules that match them" in done.err
    assert "your key opens none of them" in done.err
    assert r"path_regex: ^secrets/[^/]+\.yaml$" in repo.read(".sops.yaml").replace("'", "")
    project.git("add", "-A")
    said = json.loads(project.run("check", "--json", "--strict").out)
    assert (said["encrypted"], said["findings"]) == (6, [])
    found = find_rule("deploy/db.yaml", cwd=str(repo.folder))
    assert ([key.name for key in found.groups[0]], found.selection) == ([BOB.recipient], ONLY_PASSWORD)


class TestStrangersInFiles:
    """Whoever can write to a file can add keys and settings to it, and .sops.yaml says which to trust."""

    @pytest.fixture
    def added(self, repo: Repo, project: Project) -> Repo:
        """Alice's files; somebody added Carol's key to one of them, and a selection to another."""
        project.environ["SOPS_AGE_KEY"] = ALICE.identity
        for name in ("a.yaml", "b.yaml"):
            repo.write(name, seal(DATABASE))
        text = seal(DATABASE).replace("unencrypted_suffix: _unencrypted", "encrypted_regex: ^x$")
        repo.write("c.yaml", text)
        block = seal(DATABASE, rule(CAROL))
        entry = block[block.index("    age:\n") + len("    age:\n") : block.index("    lastmodified")]
        repo.edit("b.yaml", "    lastmodified", entry + "    lastmodified")
        return repo

    def test_without_a_terminal_only_the_own_key_is_written(self, added: Repo, project: Project) -> None:
        done = project.run("init")
        assert yaml.safe_load(added.read(".sops.yaml")) == {
            "creation_rules": [{"path_regex": r"^(a\.yaml|b\.yaml|c\.yaml)$", "age": ALICE.recipient}]
        }
        assert f"  age {CAROL.recipient}, from b.yaml\n" in done.err
        assert f"  age {ALICE.recipient}, from a.yaml, b.yaml, c.yaml\n" in done.err
        assert "  encrypted_regex: ^x$, from c.yaml\n" in done.err
        hints = [line for line in done.err.splitlines() if "hint:" in line]
        assert not any(CAROL.recipient in line for line in hints)
        project.git("add", "-A")
        assert "[keys-differ]" in project.run("check", code=1).out

    def test_for_people_who_know_all_of_them(self, added: Repo, project: Project) -> None:
        done = project.run("init", "--yes")
        assert f"  age {CAROL.recipient}, from b.yaml\n" in done.err
        assert CAROL.recipient in added.read(".sops.yaml")
        assert "encrypted_regex: ^x$" in added.read(".sops.yaml").replace("'", "")

    @pytest.mark.parametrize("answer", ["y", "n", ""])
    def test_on_a_terminal_it_asks(self, added: Repo, project: Project, answer: str) -> None:
        terminal = Terminal(project, "init", environ={"TERM": "dumb", "COLUMNS": "200"})
        terminal.wait_for(f"age {CAROL.recipient}, from b.yaml")
        terminal.wait_for("write all of them to .sops.yaml? [y/N]")
        terminal.type(f"{answer}\n")
        assert terminal.end() == 0
        assert (CAROL.recipient in added.read(".sops.yaml")) is (answer == "y")
        assert ALICE.recipient in added.read(".sops.yaml")

    def test_somebody_who_opens_none_of_the_files(self, added: Repo, project: Project) -> None:
        project.environ["SOPS_AGE_KEY"] = BOB.identity
        done = project.run("init")
        assert "wrote no .sops.yaml: no age key of yours opens the files" in done.err
        assert not (added.folder / ".sops.yaml").exists()

    def test_the_own_key_alone_needs_no_question(self, repo: Repo, project: Project) -> None:
        project.environ["SOPS_AGE_KEY"] = ALICE.identity
        repo.write("a.yaml", seal(DATABASE))
        done = project.run("init")
        assert "1 file is already encrypted here: wrote" in done.err
        assert ALICE.recipient in repo.read(".sops.yaml")

    def test_a_name_cannot_write_to_the_terminal(self, repo: Repo, project: Project) -> None:
        text = seal(DATABASE).replace("unencrypted_suffix: _unencrypted", 'encrypted_regex: "\\e]0;x"')
        repo.write("a.yaml", text)
        assert "\x1b" not in project.run("init").err


def test_init_makes_no_key_where_files_are(repo: Repo, project: Project) -> None:
    repo.write("a.yaml", seal(DATABASE))
    del project.environ["SOPS_AGE_KEY"]
    done = project.run("init")
    assert "none was created" in done.err
    assert not (project.home / ".config").exists()


def test_init_beside_a_file_that_sops_ignores(repo: Repo, project: Project) -> None:
    repo.write(".sops.yml", f"creation_rules:\n  - age: {ALICE.recipient}\n")
    repo.write("a.yaml", seal(DATABASE))
    done = project.run("init", code=8)
    assert "git mv .sops.yml .sops.yaml" in done.err
    assert not (repo.folder / ".sops.yaml").exists()
    project.git("add", "-A")
    assert "sops and encconf ignore this file" in project.run("check").out


def test_git_install_takes_the_names_that_are_there(repo: Repo, project: Project) -> None:
    for host in ("web", "mail", "db"):
        repo.write(f"hosts/{host}/secret", seal("correct horse", format="binary"))
    for name in ("enc-a.yaml", "x/enc-b.yaml"):
        repo.write(name, seal(DATABASE))
    repo.write("one.yaml", seal(DATABASE))
    repo.config("  - path_regex: .*\\.yaml$\n    age: " + ALICE.recipient + "\n")
    for number in range(9):
        repo.write(f"deploy/{number}.yaml", "replicas: 3\n")
    project.run("git", "install")
    patterns = [line.split(" ")[0] for line in repo.read(".gitattributes").splitlines()]
    assert patterns == ["enc-*.yaml", "/hosts/**/secret", "/one.yaml"]
    assert "set up already" in project.run("git", "install").err


def test_no_rule_for_a_key_that_cannot_be_written(repo: Repo) -> None:
    text = seal(DATABASE)
    entry = "    kms:\n        - arn: arn:aws:kms:eu-west-1:111122223333:key/aaaa\n          role: x\n"
    entry += "          created_at: '2026-01-01T00:00:00Z'\n          enc: AQICAHg=\n"
    repo.write("a.yaml", text.replace("    age:\n", entry + "    age:\n"))
    assert rules(survey(str(repo.folder))) is None


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ('  eval "$(sops -d --output-type dotenv "$path" | direnv dotenv bash /dev/stdin)"',
         'eval "$(encconf -d --output-type dotenv "$path" | direnv dotenv bash /dev/stdin)"'),
        ("\tsops --encrypt --in-place {{ file }}", "encconf --encrypt --in-place {{ file }}"),
        ('run = "sops exec-env secrets.yaml ./deploy"', 'run = "encconf exec-env secrets.yaml ./deploy"'),
        ("find . -exec sops updatekeys -y {} \\; -exec sops rotate -i {} \\;",
         "find . -exec encconf updatekeys -y {} \\; -exec encconf rotate -i {} \\;"),
        ("# sops -d secrets.yaml", None),
        ("  // sops -d secrets.yaml", None),
        ('sops = "3.12.2"', None),
        ("inputs.sops-nix.url = github:Mic92/sops-nix", None),
        ("brew install sops age", None),
        ("./bin/sops -d x", None),
        ("    sops secrets.yaml", "encconf secrets.yaml"),
        ("  @sops {{ file }}", "@encconf {{ file }}"),
        ("      - run: sops -d a.yaml > b && sops $FILE", "- run: encconf -d a.yaml > b && encconf $FILE"),
        ('"secrets": "sops apps/secrets"', '"secrets": "encconf apps/secrets"'),
        ("SOPS_AGE_KEY_FILE=key sudo -E sops -d a", "SOPS_AGE_KEY_FILE=key sudo -E encconf -d a"),
        ("for f in *; do sops -d $f; done", "for f in *; do encconf -d $f; done"),
        ('nix-shell -p sops --run "sops updatekeys x.yaml"', ""),
        ("nix-shell -p sops --run 'deploy'", None),
        ("kubectl exec pod -- sops -d a.yaml", ""),
        ("docker run mozilla/sops -d a.yaml", None),
        ("Use the sops -d command", None),
        ("name: decrypt with sops secrets.yaml", None),
        ("which sops -a", None),
        ("if sops exec-file a.yaml run; then", "if encconf exec-file a.yaml run; then"),
        ("x=`sops -d a.yaml`", "x=`encconf -d a.yaml`"),
        ("For more, see `sops -h`.", None),
        ("only these values (sops --mac-only-encrypted)", None),
        ("grep -q 'sops set' file", None),
        ("bash -c 'sops -d a.yaml'", "bash -c 'encconf -d a.yaml'"),
        ("sops v3.9.0 is needed", None),
        ("  * sops -d x", None),
    ],
)  # fmt: skip
def test_the_lines_that_run_sops_and_those_that_replace_them(line: str, instead: str | None) -> None:
    """An empty line stands for a call for which no line is certain."""
    expected = [(2, line.strip(), instead or None)] if instead is not None else []
    assert list(calls(f"first\n{line}\n")) == expected


def test_the_files_that_run_sops_wherever_they_are(repo: Repo, project: Project) -> None:
    project.write("deploy/release.sh", "sops decrypt secrets.yaml > out\n")
    project.write(".github/workflows/ci.yml", "  - run: sops exec-env secrets.env make\n")
    project.write("docs/README.md", "    sops decrypt secrets.yaml\n")
    project.git("add", "-A")
    assert survey(str(repo.folder)).callers == [".github/workflows/ci.yml", "deploy/release.sh"]
