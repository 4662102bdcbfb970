"""encconf doctor."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys

from project import Project


def test_programs_in_a_folder(project: Project) -> None:
    for name in ("app/config.py", ".venv/lib.py", "note.txt", "build/copy.py"):
        project.write(name, "import os\nos.system('sops -d app.yaml')\n")
    said = project.run("doctor", ".").out.splitlines()[::2]
    assert said == [f"{name}:2: reads a file with sops" for name in ("app/config.py", "build/copy.py")]
    project.git("init", "-q")
    project.write(".gitignore", "build\n.venv\n")
    assert project.run("doctor", ".").out.splitlines()[::2] == ["app/config.py:2: reads a file with sops"]


def test_git_finds_every_file_that_runs_sops(project: Project) -> None:
    """Whatever its name and folder; but not documents, ignored files and encrypted files."""
    project.rules()
    project.git("init", "-q")
    project.write(".gitignore", "out\n")
    for name in ("deploy/up.sh", ".github/workflows/x.yml", "a/.envrc", "b/justfile", "out/x.sh", "R.md"):
        project.write(name, "sops -d a.enc.yaml\n")
    project.write("c/Taskfile.yaml", "tasks:\n  x:\n    cmd: nix-shell -p sops --run 'sops a.enc.yaml'\n")
    project.write("a.enc.yaml", "note: sops -d a.enc.yaml\n")
    project.run("encrypt", "-i", "a.enc.yaml")
    project.git("add", "deploy")
    expected = {
        f"{name}:1: runs sops -d a.enc.yaml": "    encconf -d a.enc.yaml"
        for name in (".github/workflows/x.yml", "a/.envrc", "b/justfile", "deploy/up.sh")
    }
    lines = project.run("doctor", ".").out.splitlines()
    last = "c/Taskfile.yaml:3: runs cmd: nix-shell -p sops --run 'sops a.enc.yaml'"
    assert sorted(lines) == sorted([*expected, *expected.values(), last])
    inside = project.run("doctor", "a").out.splitlines()
    assert inside == ["a/.envrc:1: runs sops -d a.enc.yaml", "    encconf -d a.enc.yaml"]
    report = json.loads(project.run("doctor", "--json", "c").out)
    assert report["callers"][0]["replacement"] is None


def test_doctor_prints_lines_that_work(project: Project) -> None:
    project.rules()
    project.write("app.enc.yaml", "password: correct horse\n")
    project.run("encrypt", "-i", "app.enc.yaml")
    project.write("Makefile", "app.yaml:\n\tsops -d --output-type json app.enc.yaml > app.json\n")
    project.write(
        ".envrc", 'export PASSWORD="$(sops -d --extract \'["password"]\' app.enc.yaml)"; env > seen\n'
    )
    said = project.run("doctor", ".").out.splitlines()
    places = [line.partition(" runs ")[0] for line in said[::2]]
    assert places == [".envrc:1:", "Makefile:2:"]
    project.write("bin/encconf", f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m encconf "$@"\n').chmod(
        0o755
    )
    path = f"{project.path('bin')}:{project.environ['PATH']}"
    for line in said[1::2]:
        environ = {**project.environ, "PATH": path}
        subprocess.run(["sh", "-c", line.strip()], cwd=project.folder, env=environ, check=True)
    assert '"correct horse"' in project.read("app.json")
    assert "PASSWORD=correct horse" in project.read("seen")
    assert project.run("doctor", "Makefile").out.startswith("Makefile:2: runs sops -d")
    project.run("doctor", "app.enc.yaml")
