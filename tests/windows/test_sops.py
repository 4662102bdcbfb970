"""encconf beside sops.exe on Windows: paths in rules, and command lines."""

from __future__ import annotations

import subprocess
import sys

import pytest
from oracle import AgeKey, sops_binary, start
from project import Project

from encconf import find_rule


def real(project: Project, *args: str, **environ: str) -> subprocess.CompletedProcess[bytes]:
    env = {**project.environ, **environ}
    return start([sops_binary(), *args], cwd=project.folder, env=env, stdin=subprocess.DEVNULL, timeout=60)


def test_each_opens_the_files_of_the_other(sealed: Project) -> None:
    done = real(sealed, "decrypt", "secrets.enc.yaml")
    assert b"hunter2" in done.stdout
    sealed.write("theirs.yaml", "a: höst\n")
    assert real(sealed, "encrypt", "-i", "theirs.yaml").returncode == 0
    assert sealed.run("decrypt", "theirs.yaml").out == "a: höst\n"


@pytest.mark.parametrize(("regex", "theirs"), [("^secrets/.*$", 1), (r"^secrets\\.*$", 0)])
def test_a_path_regex_matches_with_either_slash(project: Project, regex: str, theirs: int) -> None:
    rule = f"creation_rules:\n  - path_regex: {regex}\n    age: {project.key.recipient}\n"
    project.write(".sops.yaml", rule)
    project.write(r"secrets/a.yaml", "a: 1\n")
    assert bool(real(project, "encrypt", r"secrets\a.yaml").returncode) == theirs
    for name in ("secrets/a.yaml", r"secrets\a.yaml"):
        assert "ENC[" in project.run("encrypt", "-o", "-", name).out


def test_a_path_regex_matches_the_name_on_disk_however_you_type_it(project: Project) -> None:
    """With sops.exe, the rule of all other files applies, which may name more people."""
    few, many = AgeKey.generate().recipient, project.key.recipient
    rules = f"creation_rules:\n  - path_regex: ^Prod.\n    age: {few}\n  - age: {many}\n"
    project.write(".sops.yaml", rules)
    project.write("Prod/Db.yaml", "a: 1\n")
    assert many in real(project, "encrypt", r"PROD\DB.yaml").stdout.decode()
    assert few in project.run("encrypt", "-o", "-", r"PROD\DB.yaml").out
    for name in ("Prod/Db.yaml", r"prod\db.yaml", "PROD/new.yaml"):
        (keys,) = find_rule(str(project.path(name))).groups
        assert [key.name for key in keys] == [few], name


def test_command_lines_stay_as_they_are(sealed: Project) -> None:
    show = sealed.write("show.py", "import sys; print(sys.argv[1:])")
    command = f'"{sys.executable}" "{show}" "a b"'
    sealed.write("flat.yaml", "a: 1\n")
    sealed.run("encrypt", "-i", "flat.yaml")
    assert b"['a b']" not in real(sealed, "exec-env", "flat.yaml", command).stdout
    assert sealed.run("exec-env", "flat.yaml", command).out == "['a b']\r\n"
    edit = sealed.write("edit.py", "import sys; open(sys.argv[-1], 'a').write('b: 2\\n')")
    editor = f"{sys.executable} {edit}"
    assert real(sealed, "edit", "flat.yaml", EDITOR=editor).returncode != 0
    sealed.run("edit", "flat.yaml", environ={"EDITOR": editor})
    assert sealed.run("get", "flat.yaml", "b").out == "2"
