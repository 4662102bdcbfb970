"""``encconf check``: every kind of finding, where it is one and where not; its reports; hostile files."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from audit.checked import (
    A,
    Make,
    merged_without_a_key,
    other_keys,
    sound,
    three_sides,
)
from audit.repo import ALICE, BOB, DATABASE, SECRET, Repo, opener, rule, seal
from audit.repo import project as project
from oracle import AgeKey
from project import ROOT, Project

from encconf.audit import explain as explaining
from encconf.audit.check import ALL, FOLDERS, Report, check
from encconf.audit.findings import Finding
from encconf.cli.commands import check as reports
from encconf.cli.commands.explain import text
from encconf.git.merge import merge
from encconf.identities.credentials import Credentials
from encconf.io import fileio

# --- every kind ------------------------------------------------------------------------------------


def merged_in_conflict(repo: Repo) -> None:
    names = ("administrator", "superuser", "someone else")
    plain = [DATABASE.replace("administrator", name) for name in names]
    done = merge(*three_sides(*plain), format="yaml", credentials=opener(ALICE))
    assert done.conflicts == ["db.user"]
    repo.write("a.enc.yaml", done.text)


@pytest.mark.parametrize("name", [".encconf-0123abcd", ".encconf-saved-0123abcd"])
def test_plaintext_of_a_killed_command_is_found(project: Project, name: str) -> None:
    project.rules()
    project.git("init", "-q")
    project.write(f"deploy/{name}", DATABASE)
    project.git("add", "-A")
    for paths in ([], ["."], ["deploy"], [f"deploy/{name}"]):
        done = project.run("check", "--json", *paths, code=1)
        assert [(each["slug"], each["file"]) for each in json.loads(done.out)["findings"]] == [
            ("leftover", f"deploy/{name}")
        ]
    assert SECRET not in done.out


def test_a_configuration_with_the_wrong_name(repo: Repo) -> None:
    repo.write("my app/.sops.yml", "creation_rules: []\n")
    (found,) = (each for each in repo.check().findings if each.slug == "config-notice")
    assert found.hint == "git mv 'my app/.sops.yml' 'my app/.sops.yaml'"


@pytest.mark.parametrize("name", [".SOPS.yaml", ".\u017fop\u017f.yaml"])
def test_a_name_that_is_that_of_the_configuration_elsewhere(repo: Repo, name: str) -> None:
    """On Windows and macOS, a branch changes ``.sops.yaml`` with it, but no rule of CODEOWNERS matches it."""
    repo.write(f"app/{name}", f"creation_rules: [{{age: {BOB.recipient}}}]\n")
    (found,) = (each for each in repo.check().findings if each.slug == "config-notice")
    assert (found.severity, found.file) == ("error", f"app/{name}")


@pytest.mark.parametrize("member", ["mac", "encconf_layout"])
def test_a_block_that_is_not_utf_8(repo: Repo, member: str) -> None:
    """dotenv and INI files may have any bytes; one such file must not end the whole check."""
    lines = [line for line in seal("A=correct horse\n", format="dotenv").splitlines() if member not in line]
    content = "\n".join([*lines, f"sops_{member}="]).encode()
    (repo.folder / "a.enc.env").write_bytes(content + b"\xff\n")
    (found,) = (each for each in repo.check().findings if each.slug == "bad-block")
    assert found.message == f"{member} in the sops block is not a ciphertext"


def test_a_saved_copy_is_found(repo: Repo) -> None:
    repo.write(".encconf-saved-0123abcd", seal(DATABASE))
    (found,) = (each for each in repo.check().findings if each.slug == "leftover")
    assert (found.file, found.severity) == (".encconf-saved-0123abcd", "warning")


def test_no_name_is_a_command_to_a_ci_system() -> None:
    for name in ("::error::x.yaml", "##[error]x.yaml", " ::error::x"):
        report = Report()
        report.findings = [Finding("unreadable", name, "it is")]
        said = reports.text(report)
        assert said.startswith(f"./{name}: error")


def test_no_command_prints_one(project: Project) -> None:
    project.rules()
    project.git("init", "-q")
    name = "::error::x.yaml"
    project.write(name, '"::error::k": 1\n"\\n##[error]z": 2\n')
    project.run("encrypt", "-i", name)
    project.write("y.yaml", project.read(name))
    project.run("set", "y.yaml", '["::error::k"]', "3")
    project.write("##[error]p.yaml", "a: 1\n")
    project.git("add", "-A")
    lines = ["access", "check --min-severity note", f"explain {name}", f"diff {name} y.yaml",
             "rotate -n -r .", f"rotate {name}", f"get {name} none", f"updatekeys -n {name}"]  # fmt: skip
    for line in lines:
        done = subprocess.run(
            [sys.executable, "-m", "encconf", *line.split(" ")],
            cwd=project.folder, env=project.environ, capture_output=True, text=True, check=False,
        )  # fmt: skip
        said = done.stdout + done.stderr
        assert said
        if line != f"rotate {name}":  # that one prints the file
            assert not re.search(r"(?m)^\s*(::|##)", said), said


def test_a_sound_file_gives_no_finding(repo: Repo) -> None:
    sound(repo)
    report = repo.check(verify=ALICE)
    assert report.findings == []
    assert (report.files, report.encrypted, report.verified) == (2, 1, 1)


# --- which files -----------------------------------------------------------------------------------


def test_an_encrypted_file_is_checked_wherever_it_is(repo: Repo) -> None:
    repo.config(f"  - {A}")
    repo.write("values.yaml", seal(DATABASE, rule(BOB)))
    assert repo.slugs() == {"keys-differ"}


@pytest.mark.parametrize("name", ["id_rsa", "server.key", "store.p12", "db.conf", ".npmrc", "notes.txt"])
def test_an_encrypted_binary_file_is_checked_wherever_it_is(repo: Repo, name: str) -> None:
    repo.config(f"  - {A}")
    repo.write(name, seal("anything", rule(BOB), format="binary"))
    assert repo.slugs() == {"keys-differ"}
    for plain in ("{", "anything", "", '{"a": "ENC[]"}', '{"a": "ENC[]", "sops": 1}'):
        repo.write(name, plain)
        assert repo.slugs() == set()


def test_pipes_are_not_read(repo: Repo) -> None:
    sound(repo)
    for name in ("pipe", "pipe.txt"):
        os.mkfifo(repo.folder / name)
    (repo.folder / "link").symlink_to("/dev/zero")
    names = ["pipe", "pipe.txt", "link", "a.enc.yaml"]
    report = check(names, cwd=str(repo.folder), scope=FOLDERS)
    assert (report.encrypted, report.findings) == (1, [])
    report = check(names, cwd=str(repo.folder))  # these were named, so it says that it did not read them
    assert [(each.slug, each.file) for each in report.findings] == [
        ("unreadable", name) for name in ("link", "pipe", "pipe.txt")
    ]
    os.mkfifo(repo.folder / "b.enc.yaml")
    report = check(["a.enc.yaml", "b.enc.yaml"], cwd=str(repo.folder))
    assert [(each.slug, each.file) for each in report.findings] == [("unreadable", "b.enc.yaml")]


def test_files_made_by_sops(tmp_path: Path) -> None:
    keys = [AgeKey.load(ROOT / "fixtures" / "keys" / f"{name}.txt") for name in ("alice", "bob")]
    names = [path.name for path in SEALED_BY_SOPS]
    for path in SEALED_BY_SOPS:
        shutil.copy(path, tmp_path)
    environ = {"SOPS_AGE_KEY": "\n".join(key.identity for key in keys), "HOME": "/nonexistent"}
    report = check(names, cwd=str(tmp_path), verify=Credentials.from_env(environ))
    assert report.encrypted == len(names)
    harmless = {"no-rule", "short-value", "plain-secret", "not-verified"}
    assert {found.slug for found in report.findings} <= harmless
    closed = [found.file for found in report.findings if found.slug == "not-verified"]
    assert all("fp: " in (tmp_path / name).read_text() for name in closed)  # for PGP keys only
    assert report.verified == len(names) - len(closed) > 20


def test_a_data_key_that_files_share_is_unwrapped_once(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    from encconf.keys.age import AgeKey as Key

    asked = []
    unwrap = Key.unwrap

    def counted(self: Key, enc: str, credentials: Credentials) -> bytes:
        asked.append(enc)
        return unwrap(self, enc, credentials)

    monkeypatch.setattr(Key, "unwrap", counted)
    enc = seal(DATABASE)
    for number in range(40):
        repo.write(f"{number}.enc.yaml", enc)
    repo.write("other.enc.yaml", seal(DATABASE))
    steps = []

    @contextmanager
    def progress(count: int, doing: str) -> Iterator[Callable[[], None]]:
        assert count == 41 or doing == "checking"
        yield lambda: steps.append(1) if doing == "opening" else None

    report = repo.check(verify=ALICE, progress=progress)
    assert (report.verified, report.findings, len(steps)) == (41, [], 41)
    assert len(asked) == len(set(asked)) == 2


def test_names_from_the_configuration_are_used(repo: Repo) -> None:
    other_keys(repo)
    repo.config(f"  - path_regex: enc\n    age:\n      - {ALICE.recipient} # alice\n")
    repo.write(".sops.recipients", f"bob {BOB.recipient}\n")
    (found,) = repo.check().findings
    assert found.message.startswith("encrypted for age bob (")


@pytest.mark.parametrize("make", [merged_without_a_key, merged_in_conflict])
def test_an_unfinished_merge_is_reported_once(repo: Repo, make: Make) -> None:
    make(repo)
    (found,) = repo.check(verify=ALICE).findings
    assert (found.slug, found.severity) == ("unmerged", "error")
    assert "encconf edit a.enc.yaml " in found.hint


# --- hostile files ---------------------------------------------------------------------------------


SEALED_BY_SOPS = sorted((ROOT / "fixtures" / "sops").glob("*.enc.*"))
PIECES = [
    *b"sops: ENC[AES256_GCM,data: ] [ { } null key_groups shamir_threshold &a *a <<: | >- !!binary".split(),
    *b"--- ... mac: creation_rules: encrypted_regex: ((( path_regex: '(?!a)' encconf_merge: 1 1e999".split(),
    *(b"\n", b"\x00", b"\xff", b"- ", b"#", b'"', b"\t"),
]


@pytest.mark.parametrize("seed", range(3))
def test_damaged_files_and_rules(tmp_path: Path, seed: int) -> None:
    """Whatever is in them, there is a report."""
    draw = random.Random(seed)
    sources = [*SEALED_BY_SOPS, ROOT / ".sops.yaml"]
    for _ in range(20):
        for path in draw.sample(sources, 4):
            data = path.read_bytes()
            for _ in range(draw.randint(1, 6)):
                at = draw.randint(0, len(data))
                cut = draw.choice((0, 0, 1, 3, 20, 200))
                data = data[:at] + draw.choice(PIECES) + data[at + cut :]
            (tmp_path / path.name).write_bytes(data)
        names = sorted(path.name for path in tmp_path.iterdir())
        report = check(names, cwd=str(tmp_path), scope=ALL)
        data = json.dumps([reports.to_json(report), reports.sarif(report, str)], indent=2)
        for out in (data, reports.text(report)):
            assert all(line.isprintable() for line in out.split("\n"))
        for name in names:
            found = explaining.explain(name, cwd=str(tmp_path))
            assert text(found, str(tmp_path))
            assert explaining.to_json(found)


# --- reports ---------------------------------------------------------------------------------------


# --- the command -----------------------------------------------------------------------------------


def test_a_large_file_that_was_named_is_no_error(repo: Repo) -> None:
    sound(repo)
    with open(repo.folder / "film.bin", "wb") as file:
        file.truncate(fileio.LIMIT + 1)
    assert check(["film.bin", "a.enc.yaml"], cwd=str(repo.folder)).findings == []
