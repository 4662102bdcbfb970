"""Which files a command over many works on: files, folders, patterns, and what has changed in git."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from oracle import AgeKey, Sops

from encconf import api, formats
from encconf.cli.console import Console
from encconf.errors import EncconfError, MissingFileError, UsageError
from encconf.keys import master_key
from encconf.rules.config import Rule
from encconf.rules.selection import DEFAULT
from encconf.verbs import batch

WEIRD = ["a b.yaml", "new\nline.yaml", "[x].yaml", os.fsdecode(b"\xff.yaml"), "-n.yaml", ".env"]


@pytest.fixture(scope="module")
def texts(age_key: AgeKey) -> dict[str, str]:
    """An encrypted text of each format."""
    rule = Rule([[master_key("age", age_key.recipient)]], None, DEFAULT, "")
    plain = {
        "yaml": "a: b\n", "json": '{"a": "b"}\n', "dotenv": "A=b\n", "ini": "[s]\na = b\n",
        "toml": 'a = "b"\n', "binary": "bytes",
    }  # fmt: skip
    return {format: api.encrypt(text, rule, format=format) for format, text in plain.items()}


NAMED = {
    "yaml": "a.yaml",
    "json": "a.json",
    "dotenv": ".env",
    "ini": "a.ini",
    "toml": "a.toml",
    "binary": "a",
}


class Folder:
    def __init__(self, path: Path, texts: dict[str, str]) -> None:
        self.path = path
        self.texts = texts

    def sealed(self, *names: str) -> None:
        from encconf import formats

        for name in names:
            self.write(name, self.texts[formats.of_path(name)])

    def write(self, name: str, text: str = "a: b\n") -> None:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def git(self, *args: str) -> None:
        who = ["-c", "user.name=x", "-c", "user.email=x@example.com"]
        subprocess.run(["git", *who, *args], cwd=self.path, check=True, capture_output=True)

    def commit(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-qm", "x")


@pytest.fixture
def folder(tmp_path: Path, texts: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Folder:
    path = tmp_path / "folder"
    path.mkdir()
    monkeypatch.chdir(path)
    return Folder(path, texts)


def found(*paths: str, recursive: bool = False, changed: bool = False, encrypted: bool = True) -> list[str]:
    return batch.files(Console("never"), paths, recursive=recursive, changed=changed, encrypted=encrypted)


class TestFiles:
    def test_named_files_are_kept_in_their_order(self, folder: Folder) -> None:
        folder.sealed("a.yaml", "b.yaml")
        folder.write("plain.yaml")
        os.symlink("a.yaml", "link.yaml")
        names = ["b.yaml", "plain.yaml", "missing.yaml", "a.yaml", "-"]
        assert found(*names) == names
        assert found("link.yaml", "a.yaml", "./b.yaml", "b.yaml") == ["link.yaml", "./b.yaml"], "each once"

    def test_no_name_is_an_error(self, folder: Folder) -> None:
        with pytest.raises(MissingFileError):
            found()


class TestFolders:
    def test_the_encrypted_files(self, folder: Folder) -> None:
        sealed = ["a.yaml", "deep/er/b.json", "deep/c.env", "d.ini", "e.toml", "f.bin", ".env", *WEIRD[:4]]
        folder.sealed(*sealed)
        folder.write("plain.yaml")
        folder.write("about.md", "a file has\n\nsops:\n  mac: ENC[AES256_GCM,…]\n")
        folder.write("node_modules/x.yaml", folder.texts["yaml"])
        for name in (".encconf-01234567", ".encconf-saved-01234567"):
            folder.write(name, folder.texts["json"])
        folder.write("large.bin", "\0" * 100_000 + "sops ENC[")
        assert found(".", recursive=True) == sorted(sealed)
        assert found("deep", recursive=True) == ["deep/c.env", "deep/er/b.json"]
        whole = str(folder.path / "deep")
        assert found(whole, recursive=True) == [f"{whole}/c.env", f"{whole}/er/b.json"]
        assert "plain.yaml" in found(".", recursive=True, encrypted=False)

    def test_what_git_mergetool_left_is_skipped(
        self, folder: Folder, capsys: pytest.CaptureFixture[str]
    ) -> None:
        left = ["s_BACKUP_12.yaml", "s_LOCAL_12.yaml", "s.yaml.orig"]
        for name in (*left, "s.yaml", "s_BASE_1.yaml"):
            folder.write(name, folder.texts["yaml"])
        assert found(".", recursive=True) == sorted([*left, "s.yaml", "s_BASE_1.yaml"]), "without git"
        folder.git("init", "-q")
        folder.git("add", "s.yaml", "s_BASE_1.yaml")
        assert found(".", recursive=True) == ["s.yaml", "s_BASE_1.yaml"]
        assert capsys.readouterr().err.count("is skipped: git mergetool left it") == 3
        assert found(*left) == left, "named"

    def test_a_folder_needs_the_option_recursive(self, folder: Folder) -> None:
        folder.sealed("deep/a.yaml")
        with pytest.raises(UsageError, match="deep is a folder") as caught:
            found("deep")
        assert "-r" in (caught.value.hint or "")

    def test_a_folder_without_encrypted_files(self, folder: Folder) -> None:
        folder.write("deep/plain.yaml")
        with pytest.raises(MissingFileError, match="no encrypted file"):
            found("deep", recursive=True)

    def test_links_are_not_followed(self, folder: Folder, tmp_path: Path) -> None:
        folder.sealed("in/a.yaml")
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "b.yaml").write_text(folder.texts["yaml"])
        os.symlink(tmp_path / "out", "in/folder")
        os.symlink(tmp_path / "out" / "b.yaml", "in/file.yaml")
        os.symlink("a.yaml", "in/again.yaml")
        os.symlink("nowhere", "in/broken.yaml")
        os.mkfifo("in/pipe.yaml")
        for _ in range(2):
            assert found("in", recursive=True) == ["in/a.yaml"]
            assert found("in/**/*.yaml") == ["in/a.yaml"]
            folder.git("init", "-q")

    def test_files_that_git_ignores_are_left_out(self, folder: Folder) -> None:
        folder.git("init", "-q")
        folder.write(".gitignore", "/build/\n*.tmp.yaml\n")
        folder.sealed("a.yaml", "b.tmp.yaml", "build/c.yaml", "deep/d.yaml")
        folder.git("add", "a.yaml")
        assert found(".", recursive=True) == ["a.yaml", "deep/d.yaml"]
        assert found("build", recursive=True) == ["build/c.yaml"], "named, it is meant"

    def test_deleted_and_unreadable_files(
        self, folder: Folder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder.git("init", "-q")
        folder.sealed("a.yaml", "gone.yaml", "locked.yaml", "locked.bin")
        folder.commit()
        os.unlink("gone.yaml")
        opened = os.open

        def refuse(path: str, *args: int, **options: int) -> int:
            if path in ("locked.yaml", "locked.bin"):  # root may read everything
                raise PermissionError(13, "Permission denied")
            return opened(path, *args, **options)

        monkeypatch.setattr(os, "open", refuse)
        assert found(".", recursive=True) == ["a.yaml", "locked.yaml"], "so that its error is reported"
        assert capsys.readouterr().err == (
            "encconf: warning: locked.bin cannot be read and is skipped: permission denied\n"
        )

    def test_an_unreadable_folder_is_included(self, folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
        folder.sealed("a.yaml", "deep/b.yaml", "deep/locked/c.yaml", "z.yaml")
        scandir = os.scandir

        def refuse(path: str) -> object:
            if os.path.basename(path) == "locked":  # root may read everything
                raise PermissionError(13, "Permission denied", path)
            return scandir(path)

        monkeypatch.setattr(os, "scandir", refuse)
        monkeypatch.setattr(os, "access", lambda path, mode: os.path.basename(path) != "locked")
        wanted = ["a.yaml", "deep/b.yaml", "deep/locked", "z.yaml"]
        assert found(".", recursive=True) == wanted, "so that its error is reported"
        assert found("deep", recursive=True) == wanted[1:3]
        assert found("*/*.yaml") == ["deep/b.yaml"]


class TestPatterns:
    @pytest.mark.parametrize(
        ("pattern", "names"),
        [
            ("*.yaml", ["a.yaml"]),
            ("**/*.yaml", ["a.yaml", "x/a.yaml", "x/y/a.yaml"]),
            ("x/**", ["x/.env", "x/a.yaml", "x/b.json", "x/y/a.yaml", "x/y/z/c.ini"]),
            ("x/*", ["x/.env", "x/a.yaml", "x/b.json"]),
            ("x/*/*", ["x/y/a.yaml"]),
            ("*/[ab].*", ["x/a.yaml", "x/b.json"]),
            ("*/[!a].*", ["x/b.json"]),
            ("x/?.json", ["x/b.json"]),
            ("./x/../x/*.json", ["x/b.json"]),
            ("**/y/**/*.ini", ["x/y/z/c.ini"]),
        ],
    )
    def test_matches(self, folder: Folder, pattern: str, names: list[str]) -> None:
        folder.sealed("a.yaml", "x/a.yaml", "x/b.json", "x/.env", "x/y/a.yaml", "x/y/z/c.ini")
        folder.write("x/y/plain.yaml")
        folder.write("[x]/q.json", "{}")
        assert found(pattern) == names
        whole = str(folder.path / pattern.removeprefix("./"))
        assert found(whole) == [os.path.normpath(folder.path / name) for name in names]

    def test_a_file_whose_name_looks_like_a_pattern(self, folder: Folder) -> None:
        folder.sealed("[x].yaml", "x.yaml")
        assert found("[x].yaml") == ["[x].yaml"]

    def test_a_pattern_does_not_search_deeper_folders(
        self, folder: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder.sealed("x/a.yaml", "x/y/a.yaml", "x/y/z/a.yaml")
        walk = os.walk
        places: list[str] = []

        def watched(top: str, onerror: Any) -> Iterator[tuple[str, list[str], list[str]]]:
            for place in walk(top, onerror=onerror):
                places.append(place[0])
                yield place

        monkeypatch.setattr(os, "walk", watched)
        for pattern, visited in (("x/*.yaml", ["x"]), ("*/*.yaml", [".", "./x"]), ("x/*/*", ["x", "x/y"])):
            assert len(found(pattern)) == 1
            assert places == visited
            places.clear()
            assert len(found(str(folder.path / pattern))) == 1
            assert places == [os.path.normpath(folder.path / place) for place in visited]
            places.clear()

    @pytest.mark.parametrize("pattern", ["*.yml", "nowhere/*.yaml", "[", "x[z-a].yaml", "a.yaml/*", "/*.x"])
    def test_nothing_matches(self, folder: Folder, pattern: str) -> None:
        folder.sealed("a.yaml")
        with pytest.raises(MissingFileError, match="no encrypted file matches this pattern"):
            found(pattern)


class TestChanged:
    @pytest.fixture
    def repository(self, folder: Folder) -> Folder:
        folder.git("init", "-q")
        folder.write(".gitignore", "ignored.yaml\n")
        folder.sealed("same.yaml", "deep/modified.yaml", "staged.yaml", "gone.yaml", *WEIRD)
        folder.write("plain.yaml")
        folder.commit()
        for name in ("deep/modified.yaml", "staged.yaml", "plain.yaml", *WEIRD):
            with open(folder.path / name, "a") as file:
                file.write("\n")
        folder.git("add", "staged.yaml")
        os.unlink("gone.yaml")
        folder.sealed("new.yaml", "ignored.yaml", "deep/new.json")
        return folder

    def test_all_of_the_repository(self, repository: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
        names = sorted(["deep/modified.yaml", "staged.yaml", "new.yaml", "deep/new.json", *WEIRD])
        assert sorted(found(changed=True)) == names
        monkeypatch.chdir(repository.path / "deep")
        assert "modified.yaml" in found(changed=True)
        assert "../new.yaml" in found(changed=True)

    def test_changed_files_among_those_that_are_named(self, repository: Folder) -> None:
        assert found("deep", changed=True) == ["deep/modified.yaml", "deep/new.json"]
        assert found("**/*.json", "same.yaml", changed=True) == ["deep/new.json"]
        assert found("same.yaml", "staged.yaml", "./new.yaml", "ignored.yaml", changed=True) == [
            "staged.yaml",
            "./new.yaml",
        ]
        os.symlink("new.yaml", "link.yaml")
        assert found("link.yaml", changed=True) == [str(repository.path / "new.yaml")]
        assert found(*WEIRD, changed=True) == WEIRD
        with pytest.raises(MissingFileError):
            found("missing.yaml", changed=True)
        with pytest.raises(UsageError):
            found("-", changed=True)

    def test_nothing(self, repository: Folder) -> None:
        repository.commit()
        assert found(changed=True) == []
        assert found("deep", "same.yaml", changed=True) == []

    def test_one_call_of_git_for_many_files(
        self, repository: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "bin").mkdir()
        program = tmp_path / "bin" / "git"
        real = subprocess.run(["which", "git"], capture_output=True, text=True, check=True).stdout.strip()
        program.write_text(f'#!/bin/sh\necho x >> {tmp_path}/calls\nexec {real} "$@"\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
        found(*(f"deep/../{name}" for name in WEIRD), "same.yaml", "new.yaml", changed=True)
        assert (tmp_path / "calls").read_text() == "x\n" * 2  # which filters are set; what has changed

    def test_in_no_repository(self, folder: Folder) -> None:
        folder.sealed("a.yaml")
        for paths in ([], ["a.yaml"], ["."], ["*.yaml"]):
            with pytest.raises(UsageError, match="needs git"):
                found(*paths, changed=True)


class TestSniff:
    def test_every_format_and_sops(self, texts: dict[str, str], sops: Sops, age_key: AgeKey) -> None:
        for format, text in texts.items():
            assert formats.find(text, NAMED[format]) == format
            assert formats.find(text.replace("\n", "\r\n").encode(), NAMED[format]) == format
        for format, text in (
            ("yaml", "a: b\n"),
            ("json", '{"a": 1}'),
            ("dotenv", "A=1\n"),
            ("ini", "[s]\na=b\n"),
        ):
            assert formats.find(sops.encrypt(text, format, age=age_key.recipient), NAMED[format]) == format

    @pytest.mark.parametrize(
        ("text", "format"),
        [
            ('"sops": {"mac": "ENC[…"}\n', "yaml"),
            ('{"a": "ENC[…", "sops": {}}', "yaml"),
            ("\ufeffsops:\n  mac: ENC[…\n", "yaml"),
            ("a: 1\n<<<<<<< ours\nb: ENC[\n=======\n>>>>>>>\nsops:\n", "yaml"),
            ('[sops.x]\nmac="ENC["\n', "toml"),
            ('sops = { mac = "ENC[" }\n', "toml"),
            ("export sops_mac=ENC[\n", "dotenv"),
        ],
    )
    def test_other_spellings(self, text: str, format: str) -> None:
        assert formats.find(text.encode(), NAMED[format]) == format

    @pytest.mark.parametrize(
        ("text", "format"),
        [
            ("a: 1\n", "yaml"),
            ("app:\n  sops:\n    mac: ENC[\n", "yaml"),
            ("sops:\n  x: 1\n", "yaml"),
            ("creation_rules: []  # sops ENC[\n", "yaml"),
            ("sops: ENC[\n", "binary"),
            ('["sops", "ENC["]', "json"),
            ("SOPS_MAC=ENC[ sops\n", "dotenv"),
        ],
    )
    def test_none_at_all(self, text: str, format: str) -> None:
        assert formats.find(text.encode(), NAMED[format]) is None


def test_errors_are_of_ours(folder: Folder) -> None:
    for path in ("", "~nobody/x", "*" * 5000, "a/" * 3000):
        try:
            found(path, recursive=True)
        except EncconfError:
            continue
