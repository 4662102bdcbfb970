"""Whose SSH key an age recipient comes from."""

from __future__ import annotations

import json
import subprocess

import pytest
from audit.repo import DATABASE, Repo
from project import Project


@pytest.fixture
def repo(project: Project) -> Repo:
    return Repo.without_rules(project)


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
