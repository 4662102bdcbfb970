"""What SOPS files a repository has: ``encconf init``, ``git install`` and ``encconf`` alone go by it."""

from __future__ import annotations

import json
import subprocess

import pytest
from audit.repo import ALICE, BOB, DATABASE, Repo, rule, seal
from project import Project

from encconf.audit.survey import rules, survey
from encconf.rules.config import find_rule
from encconf.rules.selection import Selection

ONLY_PASSWORD = Selection("encrypted_regex", "^password$")


@pytest.fixture
def repo(project: Project) -> Repo:
    for path in project.folder.iterdir():
        if path.is_file():
            path.unlink()
    project.git("init", "-q")
    found = Repo(project.folder)
    (project.folder / ".sops.yaml").unlink()
    return found


def test_init_writes_what_the_files_say(repo: Repo, project: Project) -> None:
    for number in range(4):
        repo.write(f"secrets/{number}.yaml", seal(DATABASE, rule(ALICE, BOB)))
    repo.write(
        "deploy/db.yaml", seal(DATABASE.replace("token:", "place:"), rule(BOB, selection=ONLY_PASSWORD))
    )
    repo.write("deploy/web.yaml", "replicas: 3\n")
    repo.write(".env.sops", seal("A=correct horse\n", rule(ALICE), format="dotenv"))
    done = project.run("init")
    assert "6 files are already encrypted here" in done.err
    assert "your key opens none of them" in done.err
    assert r"path_regex: ^secrets/[^/]+\.yaml$" in repo.read(".sops.yaml").replace("'", "")
    project.git("add", "-A")
    said = json.loads(project.run("check", "--json", "--strict").out)
    assert (said["encrypted"], said["findings"]) == (6, [])
    found = find_rule("deploy/db.yaml", cwd=str(repo.folder))
    assert ([key.name for key in found.groups[0]], found.selection) == ([BOB.recipient], ONLY_PASSWORD)


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


def test_encconf_alone(repo: Repo, project: Project) -> None:
    repo.write("secrets/a.yaml", seal(DATABASE, rule(ALICE, BOB)))
    repo.write(".envrc", "eval $(sops -d secrets/a.yaml)\n")
    lines = project.run().out.splitlines()
    assert len(lines) == 5
    assert lines[0] == "1 SOPS file (yaml 1) in secrets/"
    assert lines[1].startswith("2 keys can open some of them: age1")
    assert lines[2].startswith("there is no .sops.yaml")
    assert lines[3].startswith("sops is called in: .envrc")
    assert lines[4].startswith("next: encconf check")


def test_encconf_alone_elsewhere_is_the_help(repo: Repo, project: Project) -> None:
    assert "Usage" in project.run(code=1).err


def test_no_rule_for_a_key_that_cannot_be_written(repo: Repo) -> None:
    text = seal(DATABASE)
    entry = "    kms:\n        - arn: arn:aws:kms:eu-west-1:111122223333:key/aaaa\n          role: x\n"
    entry += "          created_at: '2026-01-01T00:00:00Z'\n          enc: AQICAHg=\n"
    repo.write("a.yaml", text.replace("    age:\n", entry + "    age:\n"))
    assert rules(survey(str(repo.folder))) is None


class TestSsh:
    @pytest.fixture
    def pub(self, project: Project) -> str:
        """An SSH key of the user's, without a passphrase."""
        folder = project.home / ".ssh"
        folder.mkdir()
        words = ["-q", "-t", "ed25519", "-N", "", "-C", "alice@laptop", "-f", str(folder / "id_ed25519")]
        subprocess.run(["ssh-keygen", *words], check=True)
        del project.environ["SOPS_AGE_KEY"]
        return (folder / "id_ed25519.pub").read_text().strip()

    def test_init_with_ssh_keys(self, repo: Repo, project: Project, pub: str) -> None:
        project.run("init", "--ssh-to-age", str(project.home / ".ssh" / "id_ed25519.pub"))
        config = repo.read(".sops.yaml")
        assert "ssh-" not in config
        assert "# alice@laptop" in config
        repo.write("s.yaml", DATABASE)
        project.run("encrypt", "s.yaml")
        assert project.run("decrypt", "s.enc.yaml").out == DATABASE
        assert not (project.home / ".config" / "sops").exists()

    def test_a_line_is_taken_too_and_rsa_is_not(self, repo: Repo, project: Project, pub: str) -> None:
        done = project.run("init", "--ssh-to-age", "ssh-rsa AAAA", code=1)
        assert "only ssh-ed25519 keys" in done.err
        project.run("init", "--ssh-to-age", pub)
        assert "# alice@laptop" in repo.read(".sops.yaml")

    def test_updatekeys_writes_age_recipients(self, repo: Repo, project: Project, pub: str) -> None:
        repo.config(f"  - age: {pub}\n")
        repo.write("a.enc.yaml", DATABASE)
        project.run("encrypt", "-i", "a.enc.yaml")
        assert "recipient: ssh-ed25519" in repo.read("a.enc.yaml")
        project.run("updatekeys", "-y", "--ssh-to-age", "a.enc.yaml")
        assert "recipient: age1" in repo.read("a.enc.yaml")
        assert "ssh-" not in repo.read("a.enc.yaml")
        assert project.run("decrypt", "a.enc.yaml").out == DATABASE
        project.git("add", "-A")
        assert json.loads(project.run("check", "--json").out)["findings"] == []

    def test_access_and_explain_say_whose_key_it_is(self, repo: Repo, project: Project, pub: str) -> None:
        project.run("init", "--ssh-to-age", pub)
        repo.config(repo.read(".sops.yaml").partition("creation_rules:\n")[2].replace("# alice@laptop", ""))
        repo.write("a.enc.yaml", DATABASE)
        project.run("encrypt", "-i", "a.enc.yaml")
        said = "SSH key ~/.ssh/id_ed25519.pub (alice@laptop)"
        assert said in project.run("access", "a.enc.yaml").out
        assert said in project.run("explain", "a.enc.yaml").out
        report = json.loads(project.run("access", "--json").out)
        assert report["people"][0]["keys"][0]["origin"] == said

    def test_a_recipients_file_names_the_age_recipient(self, repo: Repo, project: Project, pub: str) -> None:
        project.run("init", "--ssh-to-age", pub)
        repo.config(repo.read(".sops.yaml").partition("creation_rules:\n")[2].replace("# alice@laptop", ""))
        repo.write(".sops.recipients", f"alice {' '.join(pub.split()[:2])}\n")
        repo.write("a.enc.yaml", DATABASE)
        project.run("encrypt", "-i", "a.enc.yaml")
        assert project.run("access", "--no-history").out == "a.enc.yaml: alice\n"
