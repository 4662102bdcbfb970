"""docs/plugins.md: its package is built, installed into an environment, and used there."""

from __future__ import annotations

import os
import site
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import pages
import pytest
from project import ROOT

PAGE = ROOT / "docs" / "plugins.md"
DEMO = ROOT / "fixtures" / "demo" / "secrets.yaml"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a virtual environment that also sees this one's packages, but has plug-ins only from itself."""
    folder = tmp_path_factory.mktemp("venv") / "venv"
    venv.create(folder, with_pip=False)
    packages = next(folder.glob("lib/*/site-packages"))
    (packages / "others.pth").write_text("\n".join([str(ROOT), *site.getsitepackages()]) + "\n")
    pip = folder / "bin" / "pip"
    options = "--no-deps --no-build-isolation --disable-pip-version-check"
    pip.write_text(f'#!/bin/sh\nverb=$1; shift\nexec "{folder}/bin/python" -Pm pip "$verb" {options} "$@"\n')
    encconf = folder / "bin" / "encconf"
    encconf.write_text(f'#!/bin/sh\nexec "{folder}/bin/python" -P -m encconf "$@"\n')
    for program in (pip, encconf):
        program.chmod(0o755)
    return folder


@pytest.fixture
def folder(tmp_path: Path, environment: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "project"
    for name, value in pages.enter(folder, DEMO).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", f"{environment / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PASSPHRASE_OPS", "correct horse")
    monkeypatch.delenv("PYTHONPATH")
    return folder


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


def test_the_package_of_the_page_is_a_plug_in(folder: Path, environment: Path) -> None:
    pages.run(PAGE, folder)
    program = environment / "bin" / "pass"
    program.write_text('#!/bin/sh\n[ "$3" = web/db ] && echo from-pass\n')
    program.chmod(0o755)
    code = (
        "from encconf.identities.credentials import Credentials; from encconf import sources; "
        "print(sources.fetch('ref+pass://web/db', Credentials.from_env()).decode())"
    )
    assert run(folder, "python", "-P", "-c", code).stdout == "from-pass\n"
    # A module of the same name in the current folder, as a repository might have it, is not the plug-in.
    (folder / "encconf_example").rename(folder / "elsewhere")
    (folder / "encconf_example.py").write_text(f"open({str(folder / 'ran')!r}, 'w')\n")
    done = run(folder, "python", "-m", "encconf", "decrypt", "secrets.enc.yaml")
    assert done.returncode == 128
    assert "which does not belong to it" in done.stderr
    assert not (folder / "ran").exists()
    # Without a package, the type is one that encconf does not know.
    removed = run(folder, "python", "-P", "-m", "pip", "uninstall", "--quiet", "-y", "encconf-example")
    assert removed.returncode == 0
    done = run(folder, "encconf", "decrypt", "secrets.enc.yaml")
    assert done.returncode == 128
    assert "passphrase keys are not supported by this version of encconf" in done.stderr


def test_what_is_in_the_current_folder_or_on_pythonpath_is_no_plug_in(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repository can have a folder that looks like an installed package."""
    planted = folder / "planted-1.0.dist-info"
    planted.mkdir()
    (planted / "METADATA").write_text("Metadata-Version: 2.1\nName: planted\nVersion: 1.0\n")
    (planted / "entry_points.txt").write_text("[encconf.keys]\nplanted = planted:ROW\n")
    (folder / "planted.py").write_text(f"open({str(folder / 'ran')!r}, 'w')\n")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    (folder / ".sops.yaml").write_text("creation_rules:\n  - planted: x\n")
    (folder / "a.yaml").write_text("a: b\n")
    done = run(folder, sys.executable, "-m", "encconf", "encrypt", "a.yaml")
    assert done.returncode != 0
    assert not (folder / "ran").exists()
