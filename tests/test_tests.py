"""Tests use only public names of encconf."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import fast
import mutants
import oracle
import pytest
from project import needs

HERE = Path(__file__).resolve().parent

FILES = sorted(HERE.rglob("*.py"))


_NAMED = re.compile(r"encconf[\w.]* import [^\n]*\b(_[a-z]\w*)")


def private_names(text: str) -> list[str]:
    """Return the private names of encconf that a test file imports, uses as attributes, or replaces."""
    tree = ast.parse(text)
    ours: set[str] = set()
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "encconf":
            ours |= {alias.asname or alias.name for alias in node.names}
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            ours |= {alias.asname or "encconf" for alias in node.names if alias.name.startswith("encconf")}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _root(node.value) in ours:
            found.append(node.attr)
        elif isinstance(node, ast.Call) and len(node.args) > 1 and _root(node.args[0]) in ours:
            found += [str(each.value) for each in node.args[1:2] if isinstance(each, ast.Constant)]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found += _NAMED.findall(node.value)
    return [name for name in found if name.startswith("_") and not name.endswith("__")]


def _root(node: ast.expr) -> str:
    """Return ``a`` for ``a.b.c``."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("from encconf.api import _open, decrypt\n", ["_open"]),
        ("from encconf import api\napi._open()\napi.open()\n", ["_open"]),
        ("from encconf import api\nmonkeypatch.setattr(api, '_LIMIT', 1)\n", ["_LIMIT"]),
        ("import encconf.api\nencconf.api._open\nencconf.__version__\n", ["_open"]),
        ("CODE = 'from encconf.api import decrypt, _open'\n", ["_open"]),
        ("import keyring\nkeyring.core._backend\n", []),
    ],
)
def test_what_counts_as_a_private_name(text: str, found: list[str]) -> None:
    assert private_names(text) == found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(HERE).as_posix())
def test_only_public_names(path: Path) -> None:
    if path != Path(__file__) and path.name != "test_architecture.py":  # their examples
        assert private_names(path.read_text(encoding="utf-8")) == []


class TestMissingPrograms:
    """All are reported in one form, which names the script that installs them."""

    def test_a_program_that_a_test_asks_for(self) -> None:
        assert Path(needs("sh")).is_absolute()
        with pytest.raises(
            AssertionError, match=r"this test needs no-such-program.*\.ci/install installs it"
        ):
            needs("no-such-program")

    def test_a_program_that_a_test_starts(self, tmp_path: Path) -> None:
        starts = "import subprocess\n\n\ndef test_it():\n    subprocess.run(['no-such-program'])\n"
        opens = "\n\ndef test_other():\n    open('no-such-file')\n"
        (tmp_path / "test_it.py").write_text(starts + opens)
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "-p",
                "conftest",
                "-p",
                "no:cacheprovider",
                "--rootdir",
                ".",
            ],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": f"{HERE}{os.pathsep}{HERE.parent}"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert "needs no-such-program, which is not installed: .ci/install installs it" in done.stdout
        assert "FileNotFoundError: [Errno 2] No such file or directory: 'no-such-file'" in done.stdout
        assert "2 failed" in done.stdout

    def script(self, folder: Path, user: int, *words: str) -> tuple[int, str, list[str]]:
        """Run .ci/install on a machine with only these programs.  Returns its code, its output, and what
        apt-get is asked, with the settings that it would find then.
        """
        log = folder / "log"
        log.write_text("")
        settings = folder / "etc/postgresql-common/createcluster.d"
        asked = f'for each in {settings}/*; do [ ! -e "$each" ] || cat "$each" >>{log}; done'
        for name, text in {"id": f"echo {user}", "apt-get": f'echo "$*" >>{log}; {asked}'}.items():
            (folder / name).write_text(f"#!{needs('sh')}\nPATH={os.environ['PATH']}\n{text}\n")
            (folder / name).chmod(0o755)
        for name in ("install", "rm", "rmdir"):
            if not (folder / name).exists():
                (folder / name).symlink_to(needs(name))
        text = (HERE.parent / ".ci" / "install").read_text(encoding="utf-8")
        script = folder / "script"
        script.write_text(text.replace("'/usr/lib/", f"'{folder}/lib/").replace("=/etc/", f"={folder}/etc/"))
        done = subprocess.run(
            [needs("bash"), str(script), *words],
            env={"PATH": str(folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr, log.read_text().splitlines()

    def test_without_root_the_script_prints_one_command(self, tmp_path: Path) -> None:
        code, said, calls = self.script(tmp_path, 1000, "basics")
        assert (code, calls) == (1, [])
        assert "error: not installed here: git python3-venv\n" in said
        command = f"sudo env PYTHON=python3 bash {tmp_path}/script basics"
        assert f"(on Debian, this installs them: {command})" in said

    def test_as_root_it_installs_what_is_missing_and_no_more(self, tmp_path: Path) -> None:
        (tmp_path / "git").symlink_to(needs("git"))
        (tmp_path / "python3").write_text(f'#!{needs("sh")}\nexec {sys.executable} "$@"\n')
        (tmp_path / "python3").chmod(0o755)
        assert self.script(tmp_path, 0, "basics")[::2] == (0, [])
        code, _, calls = self.script(tmp_path, 0)
        assert (code, calls[0]) == (0, "update -qq")
        assert re.match(r"install -y .* make age gnupg openssh-client .* chromium postgresql", calls[1])
        assert "git" not in calls[1].split()

    def test_it_makes_no_database_and_leaves_settings_as_they_are(self, tmp_path: Path) -> None:
        """Debian's package would start a server, now and at each boot."""
        assert self.script(tmp_path, 0)[2][2:] == ["create_main_cluster = false"]
        settings = tmp_path / "etc/postgresql-common/createcluster.d"
        assert not settings.exists()
        settings.mkdir(parents=True)
        (settings / "mine.conf").write_text("start_conf = 'manual'\n")
        assert "create_main_cluster = false" in self.script(tmp_path, 0)[2]
        assert [file.name for file in settings.iterdir()] == ["mine.conf"]
        (tmp_path / "lib/postgresql/15/bin").mkdir(parents=True)
        (tmp_path / "lib/postgresql/15/bin/initdb").touch()
        assert not any("postgresql" in call for call in self.script(tmp_path, 0)[2])

    def test_what_it_installs_is_hidden_from_the_fast_tests(self) -> None:
        programs = re.findall(
            r"need ([a-z-]+) ", (HERE.parent / ".ci" / "install").read_text(encoding="utf-8")
        )
        assert len(programs) > 15
        assert set(programs) <= {*fast.HIDDEN, "git", "make"}

    def test_the_fast_tests_exist(self) -> None:
        for path in fast.paths():
            file, _, name = path.partition("::")
            assert f"class {name}" in Path(file).read_text(encoding="utf-8") or not name, path


def test_make_mutants_names_modules_and_tests_that_exist() -> None:
    modules = {path for paths in mutants.GROUPS.values() for path in paths}
    assert [path for path in sorted(modules) if not (mutants.PACKAGE / path).is_file()] == []
    tests = {each for tests in mutants.GROUPS for each in tests.split()}
    assert [each for each in sorted(tests) if not list(HERE.glob(each))] == []
    listed = tomllib.loads(mutants.LIST.read_text(encoding="utf-8"))
    assert listed.keys() <= modules


def test_a_program_that_wine_cannot_start_is_started_three_times(monkeypatch: pytest.MonkeyPatch) -> None:
    fails = OSError(0, "Internal error")
    errors = [fails, fails, OSError(2, "not found"), fails, fails, fails]

    def run(command: list[str], **options: object) -> None:
        raise errors.pop(0)

    monkeypatch.setattr(oracle.subprocess, "run", run)
    monkeypatch.setattr(fails, "winerror", oracle.INTERNAL_ERROR, raising=False)
    with pytest.raises(FileNotFoundError):
        oracle.start(["sops"])
    with pytest.raises(OSError, match="Internal error"):
        oracle.start(["sops"])
    assert errors == []
