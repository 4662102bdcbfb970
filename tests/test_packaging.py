"""What a release has: the wheel, the source archive, workflows, the action, and the size of an install."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import re
import runpy
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from oracle import AgeKey
from packaging.requirements import Requirement
from project import ROOT, Project

import encconf

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.fixture(scope="module")
def release() -> dict[str, object]:
    """Return the functions of .ci/release.py."""
    return runpy.run_path(str(ROOT / ".ci" / "release.py"))


class TestWheel:
    def test_two_builds_are_the_same(
        self, built: Path, release: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("ENCCONF_PROJECT_URL", raising=False)
        build = release["build"]
        assert callable(build)
        first = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in built.iterdir()}
        assert build(tmp_path / "second") == first

    def test_its_description_is_what_pypi_takes(self, built: Path) -> None:
        command = [sys.executable, "-m", "twine", "check", "--strict", *map(str, built.iterdir())]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout

    def test_it_has_the_package_and_nothing_else(self, built: Path) -> None:
        (wheel,) = built.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            names = archive.namelist()
            (licence,) = (name for name in names if name.endswith("/licenses/LICENSE"))
            assert b"Copyright 2026 the encconf authors" in archive.read(licence)
            metadata = archive.read(licence.partition("/")[0] + "/METADATA").decode()
        assert "\nAuthor: the encconf authors\n" in metadata
        assert all(re.match(r"encconf(-[\d.]+\.(dist-info|data/data/share))?/", name) for name in names)
        assert "encconf/py.typed" in names

    def test_man_pages_and_completion_are_in_both(self, built: Path) -> None:
        (wheel,), (archive,) = built.glob("*.whl"), built.glob("*.tar.gz")
        with zipfile.ZipFile(wheel) as opened:
            shared = {
                name.partition(".data/data/")[2]: opened.read(name)
                for name in opened.namelist()
                if ".data/" in name
            }
        with tarfile.open(archive) as tar:
            names = {name.partition("/")[2] for name in tar.getnames() if "/share/" in name}
        assert names == set(shared)
        assert {"share/man/man1/encconf-encrypt.1", "share/man/man7/encconf-errors.7"} <= names
        shells = {
            "share/bash-completion/completions/encconf": b"complete -o nosort -F",
            "share/zsh/site-functions/_encconf": b"#compdef encconf",
            "share/fish/vendor_completions.d/encconf.fish": b"complete --no-files --command encconf",
        }
        assert {path: words in shared[path] for path, words in shells.items()} == dict.fromkeys(shells, True)

    def test_the_archive_can_be_tested(self, built: Path) -> None:
        (archive,) = built.glob("*.tar.gz")
        with tarfile.open(archive) as tar:
            names = {name.partition("/")[2] for name in tar.getnames()}
        wanted = {"Makefile", "mkdocs.yml", "action.yml", "tests/conftest.py", "fixtures/README.md"}
        assert wanted <= names
        assert not [name for name in names if "__pycache__" in name or name.startswith(".venv")]

    def test_it_works_where_it_is_installed(self, built: Path, tmp_path: Path) -> None:
        """This runs tests/smoke.py, as CI does on every system."""
        (wheel,) = built.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(tmp_path)
        environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, str(ROOT / "tests" / "smoke.py")],
            cwd=tmp_path,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")

    def test_it_says_where_the_project_is(self, built: Path, release: dict[str, object]) -> None:
        """The address is the sample, as no other is set.  A wheel with another address is detected."""
        wrong_urls = release["wrong_urls"]
        assert callable(wrong_urls)
        (wheel,) = built.glob("*.whl")
        assert wrong_urls(wheel, release["SAMPLE"]) == ""
        assert "not below https://example.org/shop" in wrong_urls(wheel, "https://example.org/shop")

    def test_a_build_from_the_archive_says_the_same(self, built: Path, tmp_path: Path) -> None:
        """The build does not need the variable, because PKG-INFO has the address."""
        (archive,) = built.glob("*.tar.gz")
        # Not by tarfile, whose filters Debian 12's Python lacks.
        subprocess.run(["tar", "-xf", archive, "-C", tmp_path], check=True)
        (source,) = tmp_path.iterdir()
        environ = {name: value for name, value in os.environ.items() if name != "ENCCONF_PROJECT_URL"}
        metadata = self.metadata(source, environ)
        assert "Project-URL: Homepage, https://example.com/OWNER/encconf\n" in metadata
        assert "(https://example.com/OWNER/encconf/blob/v" in metadata

    @pytest.mark.parametrize("address", ["", "http://example.com/encconf", "https://me:token@example.com/x"])
    def test_without_an_address_it_says_nothing_of_one(self, tmp_path: Path, address: str) -> None:
        source = tmp_path / "source"
        shutil.copytree(ROOT / "encconf", source / "encconf")
        for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, source)
        environ = {**os.environ, "ENCCONF_PROJECT_URL": address}
        if address:
            with pytest.raises(subprocess.CalledProcessError) as found:
                self.metadata(source, environ)
            assert "ENCCONF_PROJECT_URL is not an address" in found.value.stderr
            assert "token" not in found.value.stderr
        else:
            metadata = self.metadata(source, environ)
            assert "Project-URL:" not in metadata
            assert "(docs/choosing.md)" in metadata

    def metadata(self, source: Path, environ: dict[str, str]) -> str:
        """Return METADATA as a build of the wheel would write it."""
        code = "import sys, hatchling.build as b; print(b.prepare_metadata_for_build_wheel(sys.argv[1]))"
        command = [sys.executable, "-c", code, str(source / "build")]
        (source / "build").mkdir()
        done = subprocess.run(command, cwd=source, env=environ, capture_output=True, text=True, check=True)
        return (source / "build" / done.stdout.strip() / "METADATA").read_text(encoding="utf-8")

    def test_the_classifiers_are_true(self) -> None:
        classifiers = PROJECT["classifiers"]
        minors = re.findall(r"Python :: 3\.(\d+)", "\n".join(classifiers))
        jobs = yaml.safe_load(WORKFLOWS[0].read_text(encoding="utf-8"))["jobs"]
        assert [f"3.{minor}" for minor in minors] == jobs["smoke"]["strategy"]["matrix"]["python"]
        assert PROJECT["requires-python"] == f">=3.{minors[0]}"


def closure(requirements: list[str]) -> set[str]:
    """Return the packages that these requirements need, without extras."""
    found: set[str] = set()
    queue = [Requirement(each) for each in requirements]
    while queue:
        requirement = queue.pop()
        name = requirement.name.lower().replace("_", "-")
        if name in found or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        found.add(name)
        queue += [Requirement(each) for each in importlib.metadata.requires(name) or ()]
    return found


def test_the_size_of_an_install() -> None:
    """`pip install encconf` takes at most 32 MB of disk, with pip's bytecode (bench/install.py)."""
    files = list((ROOT / "encconf").rglob("*"))
    for name in closure(PROJECT["dependencies"]):
        files += [Path(str(file.locate())) for file in importlib.metadata.files(name) or ()]
    size = sum(path.stat().st_size for path in files if path.suffix != ".pyc" and path.is_file())
    assert size <= 27_000_000, size  # without bytecode


class TestRelease:
    def test_what_is_missing_is_said(
        self, release: dict[str, object], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        missing = release["missing"]
        assert callable(missing)
        monkeypatch.delenv("ENCCONF_PROJECT_URL", raising=False)
        lacks = "\n".join(missing("v99.0.0"))
        assert "the tag is v99.0.0" in lacks
        assert "ENCCONF_PROJECT_URL is not set" in lacks
        monkeypatch.setenv("ENCCONF_PROJECT_URL", "https://example.com/encconf")
        assert "ENCCONF_PROJECT_URL" not in "\n".join(missing("v99.0.0"))

    def test_the_workflow_says_where_the_project_is(self) -> None:
        text = (ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8")
        assert "ENCCONF_PROJECT_URL: ${{ github.server_url }}/${{ github.repository }}" in text

    def test_only_the_publishing_job_can_publish(self) -> None:
        jobs = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8"))["jobs"]
        read = {("contents", "read")}
        powers = {name: set(job["permissions"].items()) - read for name, job in jobs.items()}
        assert powers == {
            "build": set(),
            "test": set(),
            "publish": {("id-token", "write"), ("attestations", "write")},
            "notes": {("contents", "write")},
        }
        assert not any("checkout" in str(step) for step in jobs["publish"]["steps"])
        assert set(jobs["publish"]["needs"]) == {"build", "test"}

    def test_this_version_can_be_released(
        self, release: dict[str, object], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        missing = release["missing"]
        assert callable(missing)
        monkeypatch.setenv("ENCCONF_PROJECT_URL", "https://example.com/encconf")
        assert missing(f"v{encconf.__version__}") == []

    def test_the_notes_are_its_section_of_the_changelog(self, tmp_path: Path) -> None:
        """The workflow's own command cuts them out."""
        jobs = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8"))["jobs"]
        (script,) = (step["run"] for step in jobs["notes"]["steps"] if "awk" in step.get("run", ""))
        shutil.copy(ROOT / "CHANGELOG.md", tmp_path)
        command = script.partition("gh release")[0]
        environ = {"PATH": os.environ["PATH"], "TAG": f"v{encconf.__version__}"}
        subprocess.run(["bash", "-e", "-c", command], cwd=tmp_path, env=environ, check=True)
        notes = (tmp_path / "notes.md").read_text(encoding="utf-8")
        assert notes.startswith("\nThe first stable release")
        assert "### Added" in notes


class TestWorkflows:
    def test_they_pass_the_linters(self) -> None:
        # Building actionlint takes longer than all of them: only `make lint-workflows` itself does it.
        given = ["ACTIONLINT=no", f"VENV={sys.prefix}"]
        make = ["make", "lint-workflows", *given, "-o", f"{sys.prefix}/.installed"]
        done = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    @pytest.mark.parametrize("path", [*WORKFLOWS, ROOT / "action.yml"], ids=lambda path: path.name)
    def test_actions_of_others_are_pinned_to_a_commit(self, path: Path) -> None:
        for used in re.findall(r"uses: (\S+)", path.read_text(encoding="utf-8")):
            assert used == "./" or re.search(r"@[0-9a-f]{40}$", used), used


class TestAction:
    """The steps of action.yml, which bash runs as on GitHub."""

    def steps(self, project: Project, inputs: dict[str, str]) -> dict[str, tuple[int, str]]:
        """Run the steps after the installation.  Returns the exit code and the output of each."""
        action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
        given = {name: str(each.get("default", "")) for name, each in action["inputs"].items()} | inputs
        programs = project.home / "bin"
        programs.mkdir(exist_ok=True)
        own = programs / "encconf"
        own.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m encconf "$@"\n')
        github = programs / "gh"
        github.write_text('#!/bin/sh\nprintf "%s " "$@" > "$RUNNER_TEMP/gh.txt"\n')
        for program in (own, github):
            program.chmod(0o755)
        values = {
            **{f"inputs.{name}": value for name, value in given.items()},
            "steps.install.outputs.encconf": str(own),
            "github.event.pull_request.number": "7",
            "github.repository": "example/shop",
        }
        environ = {
            **project.environ,
            "PATH": f"{programs}{os.pathsep}{project.environ['PATH']}",
            "RUNNER_TEMP": str(project.home),
            "GITHUB_ACTIONS": "true",
            **{name: str(project.home / name) for name in ("GITHUB_OUTPUT", "GITHUB_ENV")},
        }
        done: dict[str, tuple[int, str]] = {}
        for step in action["runs"]["steps"][1:]:
            output = project.home / "GITHUB_OUTPUT"
            for line in output.read_text().splitlines() if output.exists() else ():
                name, _, value = line.partition("=")
                values[f"steps.check.outputs.{name}"] = value
            if not self.holds(step.get("if", "true == true"), values):
                continue
            own_environ = {
                name: re.sub(r"\$\{\{ ([\w.-]+) \}\}", lambda found: values.get(found[1], ""), text)
                for name, text in step["env"].items()
            }
            result = subprocess.run(
                ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]],
                cwd=project.folder,
                env={**environ, **own_environ},
                capture_output=True,
                text=True,
                check=False,
            )
            done[step["name"]] = (result.returncode, result.stdout + result.stderr)
        return done

    def holds(self, condition: str, values: dict[str, str]) -> bool:
        known = {**values, "github.event_name": "pull_request", "true": "true"}
        for part in condition.split(" && "):
            left, operator, right = re.fullmatch(r"(\S+) (==|!=) '?(.*?)'?", part).groups()  # type: ignore[union-attr]
            if (known.get(left, "") == right) != (operator == "=="):
                return False
        return True

    def test_nothing_to_stop_for(self, sealed: Project) -> None:
        sealed.git("init", "-q")
        sealed.path("secrets.yaml").unlink()
        sealed.git("add", ".")
        done = self.steps(sealed, {"comment": "true"})
        assert [code for code, _ in done.values()] == [0, 0]
        assert set(done) == {"Check", "Result"}

    def test_findings_fail_the_step_and_are_a_comment(self, sealed: Project) -> None:
        sealed.git("init", "-q")
        sealed.git("add", ".")
        done = self.steps(sealed, {"comment": "true", "paths": "secrets.yaml\nsecrets.enc.yaml\n"})
        assert "::error file=secrets.yaml" in done["Check"][1]
        assert done["Comment"][0] == 0
        said = (sealed.home / "gh.txt").read_text()
        assert said.startswith("pr comment 7 --repo example/shop --edit-last --create-if-none")
        assert "secrets.yaml" in (sealed.home / "encconf.md").read_text()
        assert "hunter2" not in (sealed.home / "encconf.md").read_text()
        assert done["Result"][0] == 1

    def test_a_pull_request_brings_neither_modules_nor_options(self, sealed: Project) -> None:
        """The current folder is the pull request's, and so may be the names of files."""
        action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
        install = action["runs"]["steps"][0]["run"]
        python = sealed.write("python", f'#!/bin/sh\nexec "{sys.executable}" "$@" --without-pip\n')
        python.chmod(0o755)
        sealed.write("venv.py", "open('ran', 'w')\n")
        lines = [line for line in install.splitlines() if "programs/python" not in line]
        create = "\n".join(lines[: next(at for at, line in enumerate(lines) if "-m venv" in line) + 1])
        environ = {**sealed.environ, "RUNNER_TEMP": str(sealed.home), "PYTHON": str(python)}
        subprocess.run(["bash", "-ec", create], cwd=sealed.folder, env=environ, check=True)
        assert not sealed.path("ran").exists()
        assert (sealed.home / "encconf" / "pyvenv.cfg").exists()
        assert '"$programs/python" -P -m pip' in install
        sealed.write("--color=always", "a: 1\n")
        done = self.steps(sealed, {"paths": "--color=always\nsecrets.enc.yaml\n"})
        assert "no such file" not in done["Check"][1]
        assert done["Check"][0] == 0

    def test_secrets_for_the_next_steps(self, sealed: Project) -> None:
        key = sealed.environ.pop("SOPS_AGE_KEY")
        done = self.steps(sealed, {"check": "false", "export": "secrets.enc.yaml", "age-key": key})
        code, out = done["Export"]
        assert code == 0, out
        assert "::add-mask::hunter2" in out
        assert "hunter2" in (sealed.home / "GITHUB_ENV").read_text()
        assert key not in out
        another = AgeKey.generate().identity
        done = self.steps(sealed, {"check": "false", "export": "secrets.enc.yaml", "age-key": another})
        assert done["Export"][0] == 128


def test_the_image_runs_as_nobody_and_builds_from_little() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"^USER 65534:65534$", text, flags=re.M)
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert ignored[0] == "*"
    for copied in re.findall(r"^COPY (?!--from)(.+) \S+$", text, flags=re.M):
        assert all(f"!{name}" in ignored for name in copied.split())


def test_the_hooks_are_those_of_pre_commit() -> None:
    command = [sys.executable, "-m", "pre_commit", "validate-manifest", str(ROOT / ".pre-commit-hooks.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
