"""``encconf decrypt`` as a program."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys

import pytest
import yaml as pyyaml
from oracle import AgeKey, Sops
from project import PLAIN, Project, after


def test_the_original_bytes_are_printed(project: Project) -> None:
    project.rules()
    for text in (PLAIN, "\ufeffa: x\r\nb: é\r\n", "a: no end"):
        project.write("x.yaml", text)
        project.run("encrypt", "-i", "x.yaml")
        done = project.run("decrypt", "x.yaml", environ={"LC_ALL": "C", "PYTHONUTF8": "0"})
        assert done.out == text
        assert done.err == ""


def test_files_of_sops_are_decrypted(project: Project, sops: Sops, age_key: AgeKey) -> None:
    project.write("x.json", sops.encrypt('{"a": "hunter2"}', "json", age=age_key.recipient))
    assert project.run("decrypt", "x.json", environ=age_key.environ()).out == '{\n\t"a": "hunter2"\n}\n'


@pytest.mark.posix
def test_the_output_file_is_readable_by_its_owner_only(sealed: Project) -> None:
    sealed.run("decrypt", "secrets.enc.yaml", "-o", "plain.yaml")
    path = sealed.path("plain.yaml")
    assert path.read_text() == PLAIN
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    sealed.run("decrypt", "secrets.enc.yaml", "-o", "plain.yaml")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_in_place(sealed: Project) -> None:
    sealed.path("secrets.enc.yaml").chmod(0o644)
    done = sealed.run("decrypt", "-i", "secrets.enc.yaml")
    assert done.out == ""
    assert sealed.read("secrets.enc.yaml") == PLAIN
    if os.name == "posix":
        assert stat.S_IMODE(sealed.path("secrets.enc.yaml").stat().st_mode) == 0o600


def test_one_value_does_not_replace_the_whole_file(sealed: Project) -> None:
    before = sealed.read("secrets.enc.yaml")
    for words in (["-i"], ["-o", "secrets.enc.yaml"], ["-o", "../project/secrets.enc.yaml"]):
        done = sealed.run("decrypt", *words, "--extract", "password", "secrets.enc.yaml", code=8)
        assert "the other values would be lost" in done.err
    assert sealed.read("secrets.enc.yaml") == before
    sealed.run("decrypt", "-i", "--extract", "", "secrets.enc.yaml")  # the whole file
    assert sealed.read("secrets.enc.yaml") == PLAIN


@pytest.mark.posix
def test_the_mode_of_an_existing_output_file_becomes_private(sealed: Project) -> None:
    for mode in (0o666, 0o644):
        sealed.write("plain.yaml", "old").chmod(mode)
        sealed.run("decrypt", "secrets.enc.yaml", "-o", "plain.yaml")
        assert stat.S_IMODE(sealed.path("plain.yaml").stat().st_mode) == 0o600


@pytest.mark.posix
@pytest.mark.parametrize("path", ["/dev/stderr", "/dev/fd/2"])
def test_the_output_may_be_a_pipe(sealed: Project, path: str) -> None:
    assert sealed.run("decrypt", "secrets.enc.yaml", "--output", path).err.startswith(PLAIN)


@pytest.mark.posix
def test_input_and_output_may_be_process_substitutions(sealed: Project) -> None:
    script = (
        'exec 3>&1; "$0" -m encconf decrypt --input-type yaml -o >(cat >&3) <(cat secrets.enc.yaml); wait'
    )
    done = subprocess.run(
        ["bash", "-c", script, sys.executable],
        cwd=sealed.folder,
        env=sealed.environ,
        capture_output=True,
        check=True,
    )
    assert done.stdout.decode() == PLAIN


@pytest.mark.posix
def test_a_warning_about_an_output_that_git_does_not_ignore(sealed: Project) -> None:
    sealed.git("init", "-q")
    assert (
        "plaintext that git does not ignore" in sealed.run("decrypt", "secrets.enc.yaml", "-o", "x.yaml").err
    )


@pytest.mark.parametrize("file", [[], ["-"], pytest.param(["/dev/stdin"], marks=pytest.mark.posix)])
def test_from_stdin(sealed: Project, file: list[str]) -> None:
    enc = sealed.read("secrets.enc.yaml")
    assert sealed.run("decrypt", *file, "--input-type", "yaml", input=enc).out == PLAIN
    assert sealed.run("decrypt", *file, "--filename-override", "a.yml", input=enc).out == PLAIN
    assert sealed.run("decrypt", *file, input=enc).out == PLAIN
    assert "--input-type" in sealed.run("decrypt", *file, input=PLAIN, code=1).err


def test_no_key(sealed: Project) -> None:
    done = sealed.run("decrypt", "secrets.enc.yaml", environ=AgeKey.generate().environ(), code=128)
    assert done.out == ""
    assert done.err.startswith("encconf: error[no-key]: secrets.enc.yaml: ")
    assert "none of your keys opens this file" in done.err
    assert "SOPS_AGE_KEY" in done.err
    assert "encconf: hint: " in done.err
    assert "AGE-SECRET-KEY" not in done.err


def test_a_changed_file(sealed: Project) -> None:
    enc = sealed.read("secrets.enc.yaml")
    sealed.write("moved.yaml", enc.replace("free to read", "free to change"))
    done = sealed.run("decrypt", "moved.yaml", code=51)
    assert done.out == ""
    moved = PLAIN.replace("free to read", "free to change")
    assert sealed.run("decrypt", "--ignore-mac", "moved.yaml").out == moved
    data = re.search(r"password: \"?ENC\[AES256_GCM,data:(.)", enc)
    assert data is not None
    at = data.start(1)
    sealed.write("bad.yaml", enc[:at] + ("A" if enc[at] != "A" else "B") + enc[at + 1 :])
    assert sealed.run("decrypt", "bad.yaml", code=25).out == ""
    sealed.write("nomac.yaml", re.sub(r"    mac: .*\n", "", enc))
    sealed.run("decrypt", "nomac.yaml", code=51)


def test_a_file_that_is_not_encrypted(project: Project) -> None:
    project.write("x.yaml", "password: hunter2\n")
    done = project.run("decrypt", "x.yaml", code=1)
    assert "the file is not encrypted" in done.err
    assert "hunter2" not in done.err
    project.write("x.yaml", "sops: hunter2\n")
    assert "hunter2" not in project.run("decrypt", "x.yaml", code=2).err


@pytest.mark.posix
def test_an_endless_file_is_refused(project: Project) -> None:
    project.path("x.yaml").symlink_to("/dev/zero")
    assert "neither a regular file nor a pipe" in project.run("decrypt", "x.yaml", code=2).err


def test_control_characters_of_a_name_are_escaped(project: Project) -> None:
    done = project.run("decrypt", "\x1b[31mx.yaml", code=100)
    assert "\x1b" not in done.err
    assert "\\x1b[31mx.yaml" in done.err


@pytest.mark.posix
class TestStdout:
    def test_a_full_disk(self, sealed: Project) -> None:
        with open("/dev/full", "wb") as full:
            process = sealed.popen("decrypt", "secrets.enc.yaml", stdout=full, stderr=subprocess.PIPE)
            _, err = process.communicate(timeout=60)
        assert process.returncode == 3
        assert err.startswith(b"encconf: error[unwritable]: stdout: ")

    def test_closed_stdout(self, sealed: Project) -> None:
        process = sealed.popen(
            "decrypt", "secrets.enc.yaml", stderr=subprocess.PIPE, before=after("exec >&-")
        )
        _, err = process.communicate(timeout=60)
        assert process.returncode == 3
        assert b"hunter2" not in err

    def test_closed_standard_streams(self, sealed: Project) -> None:
        closed = after("exec <&- >&- 2>&-")
        process = sealed.popen("decrypt", "secrets.enc.yaml", "-o", "plain.yaml", before=closed)
        assert process.wait(60) == 0
        assert sealed.read("plain.yaml") == PLAIN

    def test_a_reader_that_has_closed_the_pipe(self, sealed: Project) -> None:
        reading, writing = os.pipe()
        os.close(reading)
        process = sealed.popen("decrypt", "secrets.enc.yaml", stdout=writing, stderr=subprocess.PIPE)
        os.close(writing)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 141
        assert err == b""


@pytest.mark.parametrize("text", ['{"a":{"b":"c"},"n":[1,"x"]}', '{"a":{"b":"c"},"n":[1,"x"],"t":"22:22"}'])
def test_json_text_as_yaml(text: str, project: Project, sops: Sops, age_key: AgeKey) -> None:
    """Where YAML is requested, JSON becomes block YAML as in sops; in its own layout it loses one comma."""
    meant = json.loads(text)
    project.write("f", sops.encrypt(text, "json", age=age_key.recipient))
    project.write("f.yaml", project.path("f").read_text())
    yaml_out = ["decrypt", "--input-type", "yaml", "--output-type", "yaml", "f"]
    done = project.run(*yaml_out, environ=age_key.environ())
    assert done.out == sops.decrypt(project.path("f").read_text(), "yaml")
    assert pyyaml.safe_load(done.out) == meant
    own = project.run("decrypt", "f.yaml", environ=age_key.environ()).out
    assert json.loads(own) == meant
    project.run("set", "f.yaml", "a.b", "new", environ=age_key.environ())
    meant["a"]["b"] = "new"
    assert json.loads(project.run("decrypt", "f.yaml", environ=age_key.environ()).out) == meant
    assert pyyaml.safe_load(sops.decrypt(project.path("f.yaml").read_text(), "yaml")) == meant
    own = json.dumps(meant, indent=2) + "\n"
    project.write("new.json", own)
    project.run("update", "f.yaml", "--from", "new.json", environ=age_key.environ())
    assert project.run("decrypt", "f.yaml", environ=age_key.environ()).out == own
