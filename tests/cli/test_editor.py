"""Running the user's editor on one plain file."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from oracle import Sops
from project import Project, needs

from encconf.errors import EditorError
from encconf.verbs import edit

pytestmark = pytest.mark.usefixtures("runtime")


def test_what_the_editor_gets(sealed: Project, runtime: Path) -> None:
    secrets = {"VAULT_TOKEN": "t", "AWS_SECRET_ACCESS_KEY": "s", "HARMLESS": "yes"}
    script = (
        'stat -c "%a %n" "$1" "$(dirname "$1")" > "$OUT"; env >> "$OUT"; ulimit -c >> "$OUT"\n'
        'read line; echo "editor: $line"; echo "more: 1" >> "$1"'
    )
    out = sealed.path("seen")
    environ = {**sealed.editor(script), **secrets, "OUT": str(out)}
    done = sealed.run("edit", "secrets.enc.yaml", input="over stdin\n", environ=environ)
    assert done.out == "editor: over stdin\n"
    lines = out.read_text().splitlines()
    mode, path = lines[0].split(" ", 1)
    assert (mode, os.path.basename(path)) == ("600", "secrets.enc.yaml")
    assert lines[1] == f"700 {os.path.dirname(path)}"
    assert not os.path.exists(os.path.dirname(path))
    assert Path(path).parent.parent == runtime
    assert "HARMLESS=yes" in lines
    for name in ("SOPS_AGE_KEY", "VAULT_TOKEN", "AWS_SECRET_ACCESS_KEY"):
        assert not any(line.startswith(f"{name}=") for line in lines)
    assert lines[-1] == "0"


@pytest.mark.parametrize(
    "line",
    [
        r"""sh -c "for f; do echo 'c: 1' >> \$f; done" x""",
        "sed -i s/x/y/ # comment",
        r"""sh -c 'echo "d: 1" >> $0'""",
    ],
)
def test_sops_splits_it_the_same_way(project: Project, line: str) -> None:
    project.rules()
    real = Sops({**project.key.environ(), "EDITOR": line})
    project.write("a.yaml", "a: x\n")
    real.run("encrypt", "-i", "--age", project.key.recipient, str(project.path("a.yaml")))
    project.write("b.yaml", project.read("a.yaml"))
    real.run("edit", str(project.path("a.yaml")))
    project.run("edit", "b.yaml", environ={"EDITOR": line})
    assert real.decrypt(project.read("b.yaml"), "yaml") == real.decrypt(project.read("a.yaml"), "yaml")


@pytest.mark.parametrize("setting", ["'", 'a "b', "a\\", '"a\\', "a 'b\\' '"])
def test_a_line_without_its_end(setting: str) -> None:
    with pytest.raises(EditorError, match="not a command line"):
        edit.split_command(setting, "EDITOR")


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("vi", ["vi"]),
        ("  a\tb\nc ", ["a", "b", "c"]),
        ('sh -c "sed -i s/a/b/ \\$1" x', ["sh", "-c", "sed -i s/a/b/ $1", "x"]),
        ("a b # comment", ["a", "b"]),
        ("a b#c", ["a", "b#c"]),
        ("a # b\nc", ["a", "c"]),
        ("'a b'\"c d\"e", ["a bc de"]),
        (r"a\ b \'c", ["a b", "'c"]),
        (r"""'a\b' "a\nb" """, [r"a\b", "anb"]),
        ("a '' \"\"", ["a", "", ""]),
        ("# all", []),
        ("é\u00a0x ü", ["é\u00a0x", "ü"]),
    ],
)
def test_an_editor_s_line_is_split_as_sops_does(setting: str, words: list[str]) -> None:
    assert edit.split_command(setting, "EDITOR") == words


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        (r"C:\bin\ed.exe -n", [r"C:\bin\ed.exe", "-n"]),
        (r'"C:\Program Files\ed.exe" --wait # comment', [r"C:\Program Files\ed.exe", "--wait"]),
        (r"'C:\a b'\ed.exe", [r"C:\a b\ed.exe"]),
    ],
)
def test_on_windows_a_backslash_belongs_to_a_path(setting: str, words: list[str]) -> None:
    assert edit.split_command(setting, "EDITOR", escapes=False) == words


def test_an_editor_that_closes_its_folder(sealed: Project) -> None:
    script = 'echo "more: 1" >> "$1"; chmod 000 "$1"; chmod 000 "$(dirname "$1")"'
    environ = sealed.editor(script)
    if os.geteuid():  # the text itself cannot be read then, and is removed all the same
        sealed.run("edit", "secrets.enc.yaml", environ=environ, code=2)
    else:
        sealed.run("edit", "secrets.enc.yaml", environ=environ)


@pytest.mark.parametrize("path", ["", ".", "bin", ":"])
def test_no_editor_of_the_current_folder(sealed: Project, path: str) -> None:
    for name in ("vim", "bin/vim", "ed1"):
        editor = sealed.write(name, "#!/bin/sh\ntouch ran\n")
        editor.chmod(0o755)
    for setting in ({}, {"EDITOR": "ed1"}):
        sealed.run("edit", "secrets.enc.yaml", environ={"PATH": path, **setting}, code=201)
    assert "ran" not in sealed.names()


def test_no_editor(sealed: Project) -> None:
    done = sealed.run("edit", "secrets.enc.yaml", environ={"PATH": "/nowhere"}, code=201)
    assert "EDITOR" in done.err


@pytest.mark.parametrize("editor", ["false", "/nowhere/ed", "'", "sh -c 'kill -9 $$'"])
def test_an_editor_that_fails(sealed: Project, editor: str) -> None:
    old = sealed.read("secrets.enc.yaml")
    done = sealed.run("edit", "secrets.enc.yaml", environ={"EDITOR": editor}, code=201)
    assert done.err.startswith("encconf: error[editor]: ")
    assert sealed.read("secrets.enc.yaml") == old


@pytest.mark.parametrize("name", ["vim", "nano", "vi"])
def test_an_editor_is_found_when_none_is_named(sealed: Project, name: str) -> None:
    folder = sealed.path("bin")
    folder.mkdir()
    for program in ("sh", "echo"):
        (folder / program).symlink_to(needs(program))
    editor = folder / name
    editor.write_text('#!/bin/sh\nfor last; do :; done; echo "more: 1" >> "$last"\n')
    editor.chmod(0o755)
    sealed.run("edit", "secrets.enc.yaml", environ={"PATH": str(folder)})


def test_which_editor(sealed: Project) -> None:
    good = sealed.editor("echo 'more: 1' >> \"$1\"")["EDITOR"]
    sealed.run("edit", "secrets.enc.yaml", environ={"SOPS_EDITOR": good, "EDITOR": "false"})
    spaced = sealed.write("with space/ed", '#!/bin/sh\n[ "$1" = "a b" ] && echo "again: 1" >> "$2"\n')
    spaced.chmod(0o755)
    sealed.run("edit", "secrets.enc.yaml", environ={"EDITOR": f"'{spaced}' \"a b\""})
    assert "again: 1" in sealed.run("decrypt", "secrets.enc.yaml").out


class TestSignals:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_text_and_editor_go_with_encconf(self, sealed: Project, number: signal.Signals) -> None:
        old = sealed.read("secrets.enc.yaml")
        script = 'echo "more: 1" >> "$1"; echo "$1"; echo $$; exec sleep 60'
        process = sealed.popen(
            *("edit", "secrets.enc.yaml"),
            environ=sealed.editor(script),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout is not None
        path = process.stdout.readline().decode().strip()
        editor = int(process.stdout.readline())
        assert os.path.exists(path)
        process.send_signal(number)
        process.communicate(timeout=20)
        assert process.returncode == (130 if number == signal.SIGINT else 128 + number)
        assert not os.path.exists(os.path.dirname(path))
        assert sealed.read("secrets.enc.yaml") == old
        with pytest.raises(ProcessLookupError):
            os.kill(editor, 0)

    def test_an_editor_that_does_not_want_to_end(self, sealed: Project) -> None:
        script = 'trap "" TERM; echo "$1"; sleep 60 & wait; wait; while :; do sleep 1; done'
        process = sealed.popen(
            "edit", "secrets.enc.yaml", environ=sealed.editor(script), stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        with process.stdout:
            path = process.stdout.readline().decode().strip()
            process.terminate()
            assert process.wait(20) == 143
        assert not os.path.exists(os.path.dirname(path))


def test_an_editor_that_is_not_a_program(sealed: Project) -> None:
    editor = sealed.write("notes.txt", "")
    done = sealed.run("edit", "secrets.enc.yaml", environ={"EDITOR": str(editor)}, code=201)
    assert f"the editor {editor} cannot be run: it is not an executable file" in done.err
