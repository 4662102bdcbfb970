"""`encconf import`: the values that the program saw, in an encrypted file, and nothing lost on the way."""

from __future__ import annotations

import io
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from dotenv import dotenv_values
from oracle import Sops
from project import Project

from encconf import load_config, sources
from encconf.errors import EmitError, UsageError
from encconf.migration import dialects, ways

ENV = """\
# the database
DB_USER=app
DB_PASSWORD='hunter2 #1'   # rotate in June
DB_URL="postgres://${DB_USER}:${DB_PASSWORD}@db/app"
export PEM="-----BEGIN X-----\\nabc\\n-----END X-----\\n"
EMPTY=

# to here
"""
AWKWARD = [
    'plain', 'two words', 'a#b', 'a #b', '"quoted"', "'quoted'", "it's", 'it\'s "both"', '$HOME',
    'back\\slash', 'C:\\new', '\\', 'one\ntwo\n', '\n', 'a\rb', 'ünï☃', ' spaces ', 'tab\t', '', '=',
    '-n', '~', '*', '{a}', '\x1b[0m', '\x01', 'null', '1', 'yes', '1.0', '0x1F', '2020-01-01', 'key: v',
    '- x', '\u2028', '\ufeff', '\\n', 'a\\nb', 'a\n\\n', 'ENC[x]', '%', '!x', '@', '`id`', '|', '>',
    '# c', "'", '"', "'\\n'",
]  # fmt: skip


@pytest.fixture
def project(project: Project) -> Project:
    project.rules()
    return project


@pytest.fixture
def env(project: Project) -> Project:
    project.write(".env", ENV).chmod(0o600)
    return project


def loaded(project: Project, name: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    monkeypatch.setenv("SOPS_AGE_KEY", project.key.identity)
    return load_config(project.path(name))


@pytest.mark.parametrize("name", ["s.enc.yaml", "s.enc.json", "s.enc.toml", "s.enc.env"])
def test_what_python_dotenv_reads(env: Project, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    done = env.run("import", "-o", name, ".env")
    assert f"wrote {name}: 5 values, verified" in done.err
    expected = dotenv_values(stream=io.StringIO(ENV))
    assert expected["DB_URL"] == "postgres://app:hunter2 #1@db/app"
    assert loaded(env, name, monkeypatch) == expected
    assert "hunter2" not in env.read(name)
    assert "hunter2" not in done.out + done.err
    assert env.read(".env") == ENV
    if not name.endswith(".json"):
        text = env.run("decrypt", name).out
        assert [line for line in text.splitlines() if line.startswith("#")] == ["# the database", "# to here"]


def test_sops_reads_it(env: Project) -> None:
    env.run("import", ".env")
    path = str(env.path("secrets.enc.yaml"))
    done = Sops(env.key.environ()).run("decrypt", "--output-type", "json", path)
    assert json.loads(done.stdout) == dotenv_values(stream=io.StringIO(ENV))


@pytest.mark.parametrize("format", dialects.FORMATS)
def test_any_value(format: str, project: Project) -> None:
    """Every value comes back as it was, or is refused by name; so far none is refused."""
    values = {f"V{number:02}": value for number, value in enumerate(AWKWARD)}
    reading = dialects.Reading("dotenv", {}, [], [], [])
    for name, value in values.items():
        reading.variables[name] = dialects.Variable(name, value, value, [], [f" {name}", "  - x: 'y'"])
    text = dialects.render(reading, values, format)
    path = project.write(f"s.enc.{'env' if format == 'dotenv' else format}", text)
    project.run("encrypt", "-i", path.name)
    out = json.loads(project.run("decrypt", "--output-type", "json", path.name).out)
    # To sops, and so to --output-type, quotes are part of a value in dotenv; "null" is none in TOML.
    if format in ("yaml", "json"):
        assert out == values
    with pytest.MonkeyPatch.context() as patch:
        assert loaded(project, path.name, patch) == values


def test_what_a_format_cannot_hold() -> None:
    reading = dialects.read("sops_x=1\n", "dotenv")
    with pytest.raises(EmitError, match="sops_x cannot be stored exactly in dotenv"):
        dialects.render(reading, reading.values, "dotenv")
    for format in ("ini", "binary"):
        with pytest.raises(UsageError, match=f"cannot be stored as {format}"):
            dialects.render(reading, reading.values, format)


@pytest.mark.parametrize("shell", ["bash", "dash"])
def test_a_shell_s_dialect(project: Project, shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "set -a\nA='it'\\''s'\nexport B=\"$A \\$x\" # c\nC=a\\ b$B\n"
    project.write("vars.sh", text)
    project.run("import", "--dialect", "shell", "vars.sh", "-o", "s.enc.yaml")
    script = '. ./vars.sh; printf "%s\\0" "$A" "$B" "$C"'
    done = subprocess.run([shell, "-c", script], cwd=project.folder, capture_output=True, check=True)
    assert list(loaded(project, "s.enc.yaml", monkeypatch).values()) == done.stdout.decode().split("\0")[:-1]


def test_docker_s_dialect(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write("app.env", "A='b' # c\nB=$A\n")
    project.run("import", "--dialect", "docker", "app.env")
    assert loaded(project, "app.enc.yaml", monkeypatch) == {"A": "'b' # c", "B": "$A"}


def test_a_round_trip(env: Project) -> None:
    """Out again as dotenv, it is read the same by python-dotenv."""
    env.run("import", ".env")
    text = env.run("export", "--format", "dotenv", "secrets.enc.yaml").out
    assert dotenv_values(stream=io.StringIO(text)) == dotenv_values(stream=io.StringIO(ENV))


def test_the_program_gets_what_it_had(env: Project) -> None:
    env.run("import", ".env")
    text = env.run("exec", "--pristine", "secrets.enc.yaml", "--", "/usr/bin/env", "-0").out
    given = dict(pair.split("=", 1) for pair in text.split("\0")[:-1])
    assert given == dotenv_values(stream=io.StringIO(ENV))


class TestNames:
    @pytest.mark.parametrize(
        ("name", "target"),
        [
            (".env", "secrets.enc.yaml"),
            (".env.production", "secrets.production.enc.yaml"),
            ("app.env", "app.enc.yaml"),
            ("deploy/.env", "deploy/secrets.enc.yaml"),
            ("app", "app.enc.yaml"),
            (".envrc", ".envrc.enc.yaml"),
        ],
    )
    def test_by_default(self, project: Project, name: str, target: str) -> None:
        project.write(name, "A=b\n")
        assert f"wrote {target}" in project.run("import", name).err

    def test_the_rule_is_that_of_the_new_name(self, env: Project) -> None:
        env.write(
            ".sops.yaml",
            f"creation_rules:\n  - path_regex: prod/\n    age: {env.key.recipient}\n"
            "    encrypted_regex: PASS\n",
        )
        assert "error[no-rule]" in env.run("import", ".env", code=1).err
        env.path("prod").mkdir()
        done = env.run("import", ".env", "-o", "prod/s.enc.yaml")
        assert "DB_USER, DB_URL, PEM will be readable in prod/s.enc.yaml" in done.err
        assert "DB_USER: app\n" in env.read("prod/s.enc.yaml")
        assert "hunter2 #1'" not in env.read("prod/s.enc.yaml")
        report = json.loads(env.run("import", "--json", ".env", "-o", "prod/s.enc.yaml").out)
        assert report["plaintext"] == ["DB_USER", "DB_URL", "PEM"]

    def test_keys_of_the_command_line(self, env: Project) -> None:
        env.path(".sops.yaml").unlink()
        env.run("import", "--age", env.key.recipient, ".env")
        assert env.run("get", "secrets.enc.yaml", "DB_USER").out == "app"

    def test_small_letters(self, project: Project) -> None:
        project.write(".env", "db_user=app\n")
        assert "encconf exec --keep-case secrets.enc.yaml" in project.run("import", ".env").out


class TestWarnings:
    def test_what_a_dialect_does_not_read(self, project: Project) -> None:
        project.write(".env", "A=b\nsome words\nB='c'\nA=d\n")
        err = project.run("import", ".env", code=1).err
        assert "error[left-out]: .env: not in secrets.enc.yaml: line 2, which dotenv cannot read" in err
        assert ".env: A occurs more than once" in err
        assert ".env was read as dotenv does; others read it differently: " in err
        assert "docker (B)" in err
        assert "systemd" not in err.partition("hint:")[0]
        assert "some words" not in err

    def test_who_can_read_it(self, project: Project) -> None:
        project.write(".env", "A=b\n").chmod(0o644)
        err = project.run("import", ".env").err
        assert "warning: .env: others on this machine can read it\nencconf: hint: chmod 600 .env\n" in err
        project.path(".env").chmod(0o600)
        assert "others on this machine" not in project.run("import", ".env").err

    def test_values_that_depend_on_other_variables(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Neither what this process has in its environment gets into a file, nor an empty text."""
        project.write(".env", "A=${HOME}/x\nB=${NONE:-d}\n")
        done = project.run("import", ".env", code=1)
        assert "error[left-out]: .env: not in secrets.enc.yaml: A, which needs HOME\n" in done.err
        assert "keep it as written: --literal A" in done.err
        assert loaded(project, "secrets.enc.yaml", monkeypatch) == {"B": "d"}
        done = project.run("import", "--literal", "A", ".env")  # it only adds a value, so it needs no --force
        assert loaded(project, "secrets.enc.yaml", monkeypatch) == {"A": "${HOME}/x", "B": "d"}
        project.run("import", "--literal", "*", "--force", ".env")
        assert loaded(project, "secrets.enc.yaml", monkeypatch) == {"A": "${HOME}/x", "B": "${NONE:-d}"}

    @pytest.mark.parametrize("dialect", dialects.DIALECTS)
    def test_a_key_of_several_lines_without_quotes(self, project: Project, dialect: str) -> None:
        """Its last line looks like a name, and names are not encrypted."""
        key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADAN\nBgkqhkiG9w==\n-----END PRIVATE KEY-----"
        project.write(".env", f"A=b\nKEY={key}\n")
        done = project.run("import", "--dialect", dialect, ".env", code=2)
        assert f".env: line 2: a key begins here, but {dialect} does not read it to its end" in done.err
        assert "Bgkqh" not in done.err + done.out
        assert "secrets.enc.yaml" not in project.names()
        project.write(".env", f'A=b\nKEY="{key}"\n')
        project.run("import", "--dialect", dialect, ".env", code=2 if dialect == "docker" else 0)

    def test_a_line_that_cannot_be_read_is_named_without_its_value(self, project: Project) -> None:
        project.write(".env", "A=b\nTOKEN='half of a SECRET\nMIIEvQIBADAN=\n")
        done = project.run("import", ".env", code=1)
        assert "line 2 (TOKEN)" in done.err
        assert "MIIE" not in done.err.partition("error[")[2]
        assert "SECRET" not in done.err


class TestTwice:
    def test_a_second_import_changes_nothing(self, env: Project) -> None:
        env.run("import", ".env")
        before = env.read("secrets.enc.yaml")
        assert "already has the same values" in env.run("import", ".env").err
        assert env.read("secrets.enc.yaml") == before

    def test_an_output_file_with_other_values(self, env: Project) -> None:
        more = "API_TOKEN=kW8vQz2LrT\n"
        env.write(".env", ENV + more)
        env.run("import", ".env")
        before = env.read("secrets.enc.yaml")
        env.run("set", "secrets.enc.yaml", "NEW", "x")
        env.write(".env", ENV.replace("hunter2", "hunter3") + more)
        done = env.run("import", ".env", code=3)
        assert "has other values: DB_PASSWORD, DB_URL, NEW" in done.err
        env.run("import", "--force", ".env")
        assert env.run("get", "secrets.enc.yaml", "DB_PASSWORD").out == "hunter3 #1"
        kept = set(before.splitlines()) & set(env.read("secrets.enc.yaml").splitlines())
        assert any(line.startswith("DB_USER: ENC[") for line in kept)

    def test_files_that_are_not_encrypted(self, env: Project) -> None:
        env.write("secrets.enc.yaml", "a: b\n")
        assert "it is not encrypted" in env.run("import", ".env", code=3).err
        assert env.read("secrets.enc.yaml") == "a: b\n"
        env.run("import", "--force", ".env")
        env.write("secrets.enc.yaml", "a: [\n")
        assert "error[parse]" in env.run("import", ".env", code=2).err
        env.run("import", "--force", ".env")
        assert env.run("get", "secrets.enc.yaml", "DB_USER").out == "app"

    def test_without_a_key(self, env: Project) -> None:
        nobody = {"SOPS_AGE_KEY": ""}
        assert "not verified, because you have no key for it" in env.run("import", ".env", environ=nobody).err
        assert (
            "error[no-key]"
            in env.run("import", "--delete", "-o", "t.enc.yaml", ".env", environ=nobody, code=128).err
        )
        assert env.path(".env").exists()


class TestDelete:
    def test_delete(self, env: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        done = env.run("import", "--delete", ".env")
        assert "deleted .env" in done.err
        assert not env.path(".env").exists()
        assert loaded(env, "secrets.enc.yaml", monkeypatch) == dotenv_values(stream=io.StringIO(ENV))

    def test_delete_after_an_earlier_import(self, env: Project) -> None:
        assert env.run("import", ".env").out.startswith("Next steps")
        assert env.run("import", "--delete", ".env").out == ""
        assert not env.path(".env").exists()

    def test_a_file_with_lost_lines_is_not_deleted(self, env: Project) -> None:
        env.write(".env", ENV + "some words\n")
        assert (
            "it is not deleted: not in secrets.enc.yaml: line"
            in env.run("import", "--delete", ".env", code=1).err
        )
        assert env.path(".env").exists()
        link = env.path("link.env")
        link.symlink_to(".env")
        assert "not a regular file" in env.run("import", "--delete", "link.env", code=1).err
        assert link.is_symlink()

    def test_dry_run(self, env: Project) -> None:
        before = env.names()
        done = env.run("import", "-n", "--delete", ".env")
        assert env.names() == before
        assert "encconf: would write secrets.enc.yaml: " in done.err
        assert "wrote" not in done.err


class TestMistakes:
    @pytest.mark.parametrize(
        ("text", "args", "code", "said"),
        [
            ("", [], 92, "it has no variables that dotenv would read"),
            ("words\n", [], 92, "it has no variables that dotenv would read"),
            ("A=b\n", ["-o", "-"], 1, "not to stdout"),
            ("A=b\n", ["-o", "s.ini"], 1, "cannot be stored as ini"),
            ("A=b\n", ["-o", "s.txt"], 1, "cannot be stored as binary"),
            ("A=b\n", ["-o", "no/such/s.yaml"], 3, "no/such/s.yaml"),
            ("A=b\n", ["--dialect", "fish"], 1, "dotenv"),
            ("sops=b\n", [], 203, "sops"),
            ("A=b\nsops=b\n", ["-o", "s.json"], 203, "sops"),
        ],
    )  # fmt: skip
    def test_mistakes(self, project: Project, text: str, args: list[str], code: int, said: str) -> None:
        project.write(".env", text)
        assert said in project.run("import", *args, ".env", code=code).err
        assert project.names() == [".env", ".sops.yaml"]

    def test_a_unit_and_other_formats_are_not_files_of_variables(self, project: Project) -> None:
        unit = "# shop\n\n[Service]\nEnvironment=A=b\n"
        project.write("shop.service", unit)
        done = project.run("import", "--delete", "shop.service", code=1)
        assert "shop.service: it begins with the section [Service]" in done.err
        project.write("compose.yaml", "services: {web: {image: x}}\n")
        done = project.run("import", "compose.yaml", code=92)
        assert "encconf encrypt compose.yaml" in done.err
        assert project.names() == [".sops.yaml", "compose.yaml", "shop.service"]
        assert project.read("shop.service") == unit
        project.write(".env", "A=b\n[Service]\n")
        assert "not in secrets.enc.yaml: line 2" in project.run("import", ".env", code=1).err
        assert "wrote" in project.run("import", "--dialect", "systemd", "shop.service", code=1).err

    def test_files(self, project: Project) -> None:
        assert "no such file" in project.run("import", ".env", code=100).err
        project.write(".env", "A=b\n")
        project.run("import", "-o", "s.env", ".env")
        assert "already encrypted" in project.run("import", "s.env", code=203).err
        project.path("bad.env").write_bytes(b"A=\xff\n")
        assert "error[parse]: bad.env: " in project.run("import", "bad.env", code=2).err
        assert "]: .sops.yaml/x: no such file" in project.run("import", ".sops.yaml/x", code=100).err
        project.path("folder").mkdir()
        assert "]: folder: cannot be read: it is a folder" in project.run("import", "folder", code=2).err

    def test_stdin_needs_a_name_for_the_new_file(self, project: Project) -> None:
        project.rules()
        for file in ("-", "/dev/stdin"):
            assert "name it: -o FILE" in project.run("import", file, input="A=b\n", code=1).err
            name = f"new{len(file)}.enc.yaml"
            project.run("import", "-o", name, file, input="A=b\n")
            assert project.run("decrypt", name).out == "A: b\n"
        assert not os.path.exists("/dev/stdin.enc.yaml")


class TestNext:
    def test_the_steps_are_commands(self, env: Project) -> None:
        """Every line that is printed is one that encconf understands, and every address one of a source."""
        report = json.loads(env.run("import", "--json", ".env").out)
        assert list(report["next"]) == [way.name for way in ways.WAYS]
        assert len(ways.WAYS) == 7
        lines = [line for lines in report["next"].values() for line in lines]
        for line in lines:
            words = line.split()
            if words[0] == "encconf":
                names = " ".join(words[1:3]) if words[1] in ("systemd",) else words[1]
                assert names in env.run("help", *names.split()).out
            for word in words:
                if ":" in word and word[0] not in '"(':
                    sources.parse(word)

    def test_odd_names(self, project: Project) -> None:
        project.write("it's.env", "A.B=c\n")
        lines = json.loads(project.run("import", "--json", "it's.env").out)["next"]
        assert shlex.split(lines["vault"][0])[2:4] == ["it's.enc.yaml", '["A.B"]']
        assert lines["sops"][1] == 'load_config("it\'s.enc.yaml")'
        project.run("set", "it's.enc.yaml", '["A.B"]', "d")
        assert "A.B: d" in project.run("decrypt", "it's.enc.yaml").out

    def test_two_of_them(self, env: Project) -> None:
        env.run("import", ".env")
        assert env.run("exec", "secrets.enc.yaml", "--", "sh", "-c", "printf %s $DB_USER").out == "app"
        assert (
            "LoadCredential=DB_PASSWORD:"
            in env.run("systemd", "unit", "--unit", "app", "secrets.enc.yaml").out
        )


def test_no_value_is_printed(env: Project) -> None:
    """Not in any of the streams, whatever is asked for; the values have signs of their own."""
    env.write(".env", "A=SECRET-one\nB='SECRET-two\n SECRET-three'\nSECRET-four\nC=${SECRET_five}\n")
    env.git("init", "-q")
    env.git("add", "-f", ".env")
    env.git("commit", "-qm", "x")
    for args in (
        [],
        ["--json"],
        ["--literal", "*"],
        ["--literal", "C", "--json"],
        ["--dialect", "docker"],
        ["-n", "--literal", "*"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "encconf", "import", *args, "-o", "s.enc.yaml", ".env"],
            cwd=env.folder,
            env=env.environ,
            capture_output=True,
            check=False,
        )
        said = (done.stdout + done.stderr).decode()
        assert "SECRET-" not in said, args
    assert os.path.exists(env.path("s.enc.yaml"))
    assert "SECRET-" not in Path(env.path("s.enc.yaml")).read_text()


class TestCasts:
    TEXT = (
        "DEBUG=False\nON=true\nPORT=5432\nZIP=01234\nRATE=1.50\nBIG=99999999999999999999\nNAME=x\nYES=yes\n"
    )

    def test_a_warning_about_texts_that_look_like_booleans(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        project.write(".env", self.TEXT).chmod(0o600)
        done = project.run("import", ".env")
        assert "warning: DEBUG, ON: kept as text, and the text 'False' is true in Python" in done.err
        assert "--cast" in done.err
        assert loaded(project, "secrets.enc.yaml", monkeypatch)["DEBUG"] == "False"
        assert "--cast" not in project.run("import", "-o", "s.enc.env", ".env").err

    @pytest.mark.parametrize("name", ["s.enc.yaml", "s.enc.json", "s.enc.toml"])
    def test_cast_keeps_the_types(self, project: Project, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        project.write(".env", self.TEXT).chmod(0o600)
        done = project.run("import", "--cast", "-o", name, ".env")
        assert "8 values, verified" in done.err
        assert "kept as text" not in done.err
        values = list(loaded(project, name, monkeypatch).values())
        assert values == [False, True, 5432, "01234", "1.50", "99999999999999999999", "x", "yes"]
        assert [type(value) for value in values[:3]] == [bool, bool, int]
        assert "converted to boolean: DEBUG, ON\n" in done.err
        assert "converted to integer: PORT\n" in done.err
        assert (
            "dotenv has no booleans" in project.run("import", "--cast", "-o", "s.enc.env", ".env", code=1).err
        )

    def test_cast_leaves_quoted_values_and_secrets_alone(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        project.write(".env", "DB_PASSWORD=12345678\nV=\"5432\"\nexport W = '1'\nPORT=80\n").chmod(0o600)
        done = project.run("import", "--cast", ".env")
        found = loaded(project, "secrets.enc.yaml", monkeypatch)
        assert found == {"DB_PASSWORD": "12345678", "V": "5432", "W": "1", "PORT": 80}
        assert (
            "kept as text, because it is quoted or its name says that it is secret: DB_PASSWORD, V, W"
            in done.err
        )

    def test_cast_reads_a_long_file_once(self, project: Project) -> None:
        text = "".join(f"VARIABLE_{number}=value{number}\n" for number in range(6000))
        project.write(".env", text).chmod(0o600)
        before = os.times().children_user
        assert project.popen("import", "--cast", ".env").wait() == 0
        assert os.times().children_user - before < 3


@pytest.mark.parametrize(
    ("files", "steps"),
    [
        ({}, ["any program"]),
        ({"manage.py": "", "requirements.txt": "Django\npython-dotenv==1.2\n"}, ["Python", "Django"]),
        ({"compose.yaml": "services: {}\n"}, ["compose"]),
        ({"package.json": "{}"}, ["npm"]),
    ],
)
def test_the_next_steps_are_those_of_the_project(
    project: Project, files: dict[str, str], steps: list[str]
) -> None:
    for name, text in files.items():
        project.write(name, text)
    project.write(".env", "A=b\n").chmod(0o600)
    lines = project.run("import", ".env").out.splitlines()
    labels = [line[2:].partition("  ")[0] for line in lines[1:]]
    assert labels == [*steps, "if it works", "other stores"]
    assert ("load_dotenv" in "".join(lines)) is ("requirements.txt" in files)
