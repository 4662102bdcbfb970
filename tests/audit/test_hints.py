"""What the hints of ``encconf check`` say is run on the files that caused them: they help, and do no harm.

Afterwards nothing that was encrypted is in plaintext, nothing is encrypted twice, the finding is gone, and
there is no new one.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import forks
import pytest
from audit.checked import CAROL, Make
from audit.repo import ALICE, BOB, SECRET, Repo, rule, seal
from audit.test_findings import CASES
from project import Project

from encconf.audit.findings import KINDS
from encconf.rules.selection import Selection

KUBERNETES = "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData:\n  password: " + SECRET + "\n"


def plain_object(repo: Repo) -> None:
    """A rule that does not say which values are encrypted."""
    repo.rules(path=r"\.yaml$")
    repo.write("secret.yaml", KUBERNETES)


def two_selections(repo: Repo) -> None:
    """The rule would put into plaintext what the file encrypts, and encrypt what it does not."""
    repo.rules("encrypted_regex: ^(data|stringData)$", path="enc")
    own = Selection("encrypted_regex", "^(stringData|name)$")
    repo.write("a.enc.yaml", seal(KUBERNETES + "data: {other: correct horse}\n", rule(selection=own)))


def added_value(repo: Repo) -> None:
    """A value that somebody has typed into an encrypted file."""
    repo.write("a.enc.yaml", seal("a: correct horse\nb: battery staple\n"))
    repo.edit("a.enc.yaml", r"^b:", f"c: {SECRET}\nb:")


def shared_data_key(repo: Repo) -> None:
    CASES["shared-data-key"][0](repo)
    for_both = f"{ALICE.recipient},{BOB.recipient}"
    repo.config(f"  - path_regex: ^a\\.\n    age: {ALICE.recipient}\n  - age: {for_both}\n")


def _selection_in_the_rule(repo: Repo) -> None:
    repo.rules("encrypted_regex: ^(data|stringData)$", path=r"\.yaml$")


def _own_selection(repo: Repo) -> None:
    repo.rules("encrypted_regex: ^(data|stringData|name)$", path="enc")


def _wider_rule(repo: Repo) -> None:
    repo.rules("encrypted_regex: ^(password|token)$")


def _ignored_twin(repo: Repo) -> None:
    repo.write(".gitignore", "/a.yaml\n")


# What makes a finding, and what its hint says to do besides the commands in it.
FIXED: dict[str, tuple[str, Make, Make | None]] = {
    "not-encrypted": ("not-encrypted", CASES["not-encrypted"][0], None),
    "not-encrypted, an object": ("not-encrypted", plain_object, _selection_in_the_rule),
    "plain-value": ("plain-value", added_value, None),
    "plain-by-rule": ("plain-by-rule", CASES["plain-by-rule"][0], None),
    "selection-differs": ("selection-differs", CASES["selection-differs"][0], None),
    "two selections": ("selection-differs", two_selections, _own_selection),
    "no-mac": ("no-mac", CASES["no-mac"][0], None),
    "keys-differ": ("keys-differ", CASES["keys-differ"][0], None),
    "former-recipient": ("former-recipient", CASES["former-recipient"][0], None),
    "threshold-differs": ("threshold-differs", CASES["threshold-differs"][0], None),
    "no-driver": ("no-driver", CASES["no-driver"][0], None),
    "plain-twin": ("plain-twin", CASES["plain-twin"][0], _ignored_twin),
    "shared-data-key": ("shared-data-key", shared_data_key, None),
    "plain-secret": ("plain-secret", CASES["plain-secret"][0], _wider_rule),
}


def _run(project: Project, *words: str) -> str:
    """Run encconf, which may fail; what it printed to stdout."""
    environ = {**project.environ, "SOPS_EDITOR": "true", "EDITOR": "true"}
    done = forks.run("encconf", words, cwd=project.folder, environ=environ)
    assert b"Traceback" not in done.stderr
    return done.stdout.decode()


def _findings(project: Project) -> dict[tuple[str, str], str]:
    said = json.loads(_run(project, "check", "--json", "--min-severity", "note"))
    return {(each["slug"], each["file"]): each["hint"] or "" for each in said["findings"]}


def commands(hint: str, file: str) -> list[list[str]]:
    """The commands in a hint: a program, its verb and options, and a file."""
    words = rf"(?: (?:-[\w-]+|'[^']*'|install|{re.escape(file)}|\w+\.enc\.yaml))*"
    found = re.finditer(rf"(?:encconf [a-z-]+|git rm){words}", hint)
    return [[word.strip("'") for word in each[0].split(" ")] for each in found]


def _do(project: Project, hint: str, file: str) -> None:
    for program, *words in commands(hint, file):
        if program == "git":
            project.git(*words)
        else:
            yes = ["-y"] if words[0] == "updatekeys" else []
            _run(project, *words, *yes)


def _no_harm(project: Project, before: dict[Path, str]) -> None:
    for path, old in before.items():
        new = path.read_text() if path.exists() else ""
        assert SECRET not in new or SECRET in old, path
        if "ENC[AES256_GCM," in new and "sops" in new and new != old:
            plain = _run(project, "decrypt", str(path))
            assert "ENC[AES256_GCM," not in plain, path


@pytest.fixture
def repo(project: Project) -> Repo:
    keys = "\n".join(key.identity for key in (ALICE, BOB, CAROL))
    project.environ["SOPS_AGE_KEY"] = keys
    for path in project.folder.iterdir():
        if path.is_file():
            path.unlink()
    project.git("init", "-q")
    return Repo(project.folder)


def _files(repo: Repo) -> dict[Path, str]:
    return {repo.folder / name: repo.read(name) for name in repo.names() if not name.startswith(".git")}


@pytest.mark.parametrize("name", FIXED)
def test_a_hint_helps_and_does_no_harm(name: str, repo: Repo, project: Project) -> None:
    slug, make, besides = FIXED[name]
    make(repo)
    project.git("add", "-A")
    before, files = _findings(project), _files(repo)
    (file, hint) = next((file, hint) for (found, file), hint in before.items() if found == slug)
    if besides is not None:
        besides(repo)
        hint = {**{(slug, file): hint}, **_findings(project)}[slug, file]
    assert commands(hint, file)
    _do(project, hint, file)
    _no_harm(project, files)
    project.git("add", "-A")
    after = _findings(project)
    assert (slug, file) not in after
    assert set(after) <= set(before)


@pytest.mark.parametrize("slug", KINDS)
def test_no_hint_breaks_a_file(slug: str, repo: Repo, project: Project) -> None:
    CASES[slug][0](repo)
    project.git("add", "-A")
    files = _files(repo)
    for (_, file), hint in _findings(project).items():
        _do(project, hint, file)
    _no_harm(project, files)
