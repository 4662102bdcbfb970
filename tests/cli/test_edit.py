"""``encconf edit`` as a program, with scripts and a real vim as editors, with and without a terminal."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys

import pytest
from oracle import AgeKey, Sops
from project import OWN_MOUNTS, PLAIN, Project

from .terminal import Terminal

pytestmark = pytest.mark.usefixtures("runtime")


def changed_lines(old: str, new: str) -> list[str]:
    pairs = list(zip(old.split("\n"), new.split("\n"), strict=True))
    return [after.split(":")[0].strip() for before, after in pairs if before != after]


class TestEditing:
    def test_only_the_changed_line_differs(self, sealed: Project) -> None:
        old = sealed.read("secrets.enc.yaml")
        done = sealed.run("edit", "secrets.enc.yaml", environ=sealed.editor('sed -i s/hunter2/hunter3/ "$1"'))
        assert done.out == ""
        assert done.err == "encconf: wrote secrets.enc.yaml: changed db.password\n"
        new = sealed.read("secrets.enc.yaml")
        assert "password" in changed_lines(old, new)
        assert set(changed_lines(old, new)) <= {"password", "mac", "lastmodified"}
        assert sealed.run("decrypt", "secrets.enc.yaml").out == PLAIN.replace("hunter2", "hunter3")
        assert Sops(sealed.key.environ()).decrypt(new, "yaml")

    def test_an_unchanged_file_is_not_written(self, sealed: Project) -> None:
        old = sealed.path("secrets.enc.yaml").stat()
        done = sealed.run("edit", "secrets.enc.yaml", environ={"EDITOR": "true"}, code=200)
        assert "nothing was changed" in done.err
        new = sealed.path("secrets.enc.yaml").stat()
        assert (new.st_ino, new.st_mtime_ns) == (old.st_ino, old.st_mtime_ns)

    def test_text_that_is_not_utf_8_is_saved_beside_the_file(self, sealed: Project) -> None:
        editor = sealed.editor(r'''printf 'name: Ren\351\n' >> "$1"''')
        assert "not UTF-8" in sealed.run("edit", "secrets.enc.yaml", environ=editor, code=2).err
        (saved,) = (name for name in sealed.names() if ".unsaved-" in name)
        sealed.run("decrypt", "--input-type", "binary", "-o", "typed", saved)
        assert sealed.path("typed").read_bytes() == PLAIN.encode() + b"name: Ren\xe9\n"

    def test_the_mode_is_kept(self, sealed: Project) -> None:
        sealed.path("secrets.enc.yaml").chmod(0o640)
        sealed.run("edit", "secrets.enc.yaml", environ=sealed.editor("echo 'more: 1' >> \"$1\""))
        assert sealed.path("secrets.enc.yaml").stat().st_mode & 0o777 == 0o640

    def test_nothing_is_written_if_the_editor_fails(self, sealed: Project) -> None:
        old = sealed.read("secrets.enc.yaml")
        sealed.run("edit", "secrets.enc.yaml", environ=sealed.editor('echo x: 1 >> "$1"; exit 1'), code=201)
        for script in ('rm "$1"', 'rm -r "$(dirname "$1")"'):
            sealed.run("edit", "secrets.enc.yaml", environ=sealed.editor(script), code=201)
        assert sealed.read("secrets.enc.yaml") == old

    def test_an_editor_may_replace_the_file_and_leave_others(self, sealed: Project) -> None:
        script = (
            'cp "$1" "$1~"; mkdir "$(dirname "$1")/.d"\n'
            'sed s/hunter2/hunter3/ "$1~" > "$1.new"; mv "$1.new" "$1"'
        )
        sealed.run("edit", "secrets.enc.yaml", environ=sealed.editor(script))
        assert "hunter3" in sealed.run("decrypt", "secrets.enc.yaml").out
        assert sealed.names() == [".sops.yaml", "secrets.enc.yaml", "secrets.yaml"]

    @pytest.mark.parametrize(
        ("script", "code"),
        [
            ("echo 'hunter9: [' >> \"$1\"", 2),
            ("printf '\\377' >> \"$1\"", 2),
            (': > "$1"', 92),
            ("echo 'sops: 1' >> \"$1\"", 203),
        ],
    )
    def test_text_that_cannot_be_saved(self, sealed: Project, script: str, code: int) -> None:
        old = sealed.read("secrets.enc.yaml")
        done = sealed.run("edit", "secrets.enc.yaml", environ=sealed.editor(script), code=code)
        assert "secrets.enc.yaml was not changed" in done.err
        assert "hunter" not in done.err
        assert sealed.read("secrets.enc.yaml") == old

    def saved(self, project: Project, err: str) -> str:
        """What the hint says about changes that were saved, carried out."""
        shown = re.search(r"saved, encrypted: encconf (decrypt .*)\n", err)
        assert shown is not None, err
        *_, name = words = shown[1].split()
        assert stat.S_IMODE(project.path(name).stat().st_mode) == 0o600
        assert "hunter" not in project.read(name)
        return project.run(*words).out

    def test_changes_are_never_lost(self, sealed: Project) -> None:
        script = "echo 'broken: [' >> \"$1\""
        done = sealed.run("edit", "secrets.enc.yaml", environ=sealed.editor(script), code=2)
        assert self.saved(sealed, done.err) == PLAIN + "broken: [\n"
        file = sealed.path("secrets.enc.yaml")
        script = f"echo 'more: 1' >> \"$1\"; echo '# theirs' >> {file}"
        done = sealed.run("edit", "secrets.enc.yaml", environ=sealed.editor(script), code=3)
        assert self.saved(sealed, done.err) == PLAIN + "more: 1\n"

    def test_a_mounted_file_is_edited(self, sealed: Project) -> None:
        inside = sealed.write("inside.enc.yaml", "")
        environ = {**sealed.environ, **sealed.editor('sed -i s/hunter2/hunter3/ "$1"')}
        mount = f"mount --bind {sealed.path('secrets.enc.yaml')} {inside}"
        for line in ("edit inside.enc.yaml", "set inside.enc.yaml db.port 1", "rotate -i inside.enc.yaml"):
            script = f"set -e; {mount}; exec {sys.executable} -m encconf {line}"
            done = subprocess.run(
                [*OWN_MOUNTS, "sh", "-c", script],
                cwd=sealed.folder, env=environ, capture_output=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
        assert "password: hunter3" in sealed.run("decrypt", "secrets.enc.yaml").out.replace('"', "")
        assert sealed.read("inside.enc.yaml") == ""

    def test_a_file_that_changed_meanwhile(self, sealed: Project) -> None:
        script = f"echo 'more: 1' >> \"$1\"; echo '# theirs' >> {sealed.path('secrets.enc.yaml')}"
        done = sealed.run("edit", "secrets.enc.yaml", environ=sealed.editor(script), code=3)
        assert "changed" in done.err
        assert sealed.read("secrets.enc.yaml").endswith("# theirs\n")
        assert "more: " not in sealed.read("secrets.enc.yaml")

    def test_an_unwritable_folder_is_reported_before_the_editor_starts(self, sealed: Project) -> None:
        ran = sealed.path("ran")
        environ = {**sealed.editor(f"touch {ran}"), "EDITOR": f"touch {ran}"}
        sealed.run("edit", "none/x.yaml", environ=environ, code=3)
        assert not ran.exists()

    def test_no_key(self, sealed: Project) -> None:
        environ = {**AgeKey.generate().environ(), **sealed.editor("exit 3")}
        sealed.run("edit", "secrets.enc.yaml", environ=environ, code=128)

    def test_a_plain_file(self, sealed: Project) -> None:
        done = sealed.run("edit", "secrets.yaml", environ=sealed.editor("exit 3"), code=1)
        assert "the file is not encrypted" in done.err
        assert sealed.read("secrets.yaml") == PLAIN

    def test_through_a_link(self, sealed: Project) -> None:
        sealed.path("link.yaml").symlink_to("secrets.enc.yaml")
        sealed.run("edit", "link.yaml", environ=sealed.editor("echo 'more: 1' >> \"$1\""))
        assert sealed.path("link.yaml").is_symlink()
        assert "more: 1" in sealed.run("decrypt", "secrets.enc.yaml").out

    def test_a_file_with_a_wrong_mac(self, sealed: Project) -> None:
        enc = sealed.read("secrets.enc.yaml").replace("free to read", "changed")
        sealed.write("secrets.enc.yaml", enc)
        editor = sealed.editor('sed -i s/changed/mended/ "$1"')
        sealed.run("edit", "secrets.enc.yaml", environ=editor, code=51)
        sealed.run("edit", "--ignore-mac", "secrets.enc.yaml", environ=editor)
        done = sealed.run("decrypt", "secrets.enc.yaml")
        assert done.out == PLAIN.replace("free to read", "mended")
        sealed.run("edit", "--ignore-mac", "secrets.enc.yaml", environ={"EDITOR": "true"}, code=200)

    def test_a_json_file(self, project: Project) -> None:
        project.rules()
        project.write("a.json", '{"a": "hunter2", "b": [1, 2]}\n')
        project.run("encrypt", "-i", "a.json")
        project.run("edit", "a.json", environ=project.editor('sed -i s/hunter2/hunter3/ "$1"'))
        assert project.run("decrypt", "a.json").out == '{"a": "hunter3", "b": [1, 2]}\n'


class TestNewFile:
    @pytest.mark.parametrize("name", ["new.enc.yaml", "new.enc.json"])
    def test_it_starts_from_an_example(self, project: Project, name: str) -> None:
        project.rules()
        done = project.run("edit", name, environ=project.editor("sed -i 's/change me/hunter2/' \"$1\""))
        assert done.err == f"encconf: created {name}\n"
        assert "hunter2" in project.run("decrypt", name).out
        assert "hunter2" not in project.read(name)
        assert Sops(project.key.environ()).decrypt(project.read(name), name.rpartition(".")[2])

    def test_an_unchanged_example_is_not_written(self, project: Project) -> None:
        project.rules()
        project.run("edit", "new.yaml", environ={"EDITOR": "true"}, code=200)
        assert project.names() == [".sops.yaml"]

    def test_keys_of_the_command_line(self, project: Project) -> None:
        editor = project.editor("echo 'a: 1' > \"$1\"")
        project.run("edit", "--age", project.key.recipient, "new.yaml", environ=editor)
        assert project.run("decrypt", "new.yaml").out == "a: 1\n"

    def test_no_rule(self, project: Project) -> None:
        done = project.run("edit", "new.yaml", environ={"EDITOR": "false"}, code=1)
        assert "no .sops.yaml was found" in done.err

    def test_a_new_file_that_appeared_meanwhile_is_kept(self, project: Project) -> None:
        project.rules()
        script = f"echo 'a: 1' > \"$1\"; echo theirs > {project.path('new.yaml')}"
        project.run("edit", "new.yaml", environ=project.editor(script), code=3)
        assert project.read("new.yaml") == "theirs\n"

    @pytest.mark.parametrize(("typed", "code"), [("y\n", 0), ("\n", 100)])
    def test_on_a_terminal_it_asks_first(self, sealed: Project, typed: str, code: int) -> None:
        terminal = Terminal(sealed, "edit", "secrets.enc.yml", environ=sealed.editor("echo 'a: 1' > \"$1\""))
        terminal.wait_for(
            "secrets.enc.yml does not exist; did you mean secrets.enc.yaml? Create secrets.enc.yml?"
        )
        terminal.type(typed)
        assert terminal.end() == code
        assert sealed.path("secrets.enc.yml").exists() is (code == 0)

    def test_a_similar_name_is_named(self, sealed: Project) -> None:
        done = sealed.run("edit", "secret.enc.yaml", environ=sealed.editor("echo 'a: 1' > \"$1\""))
        assert "hint: this file is new; did you mean secrets.enc.yaml?" in done.err
        done = sealed.run("set", "secret.enc.yml", "a", "1")
        assert "hint: this file is new; did you mean" in done.err


class TestVim:
    """The real one, with settings of a user that would spread the text."""

    def test_vim_leaves_no_copy_of_the_plaintext(self, sealed: Project) -> None:
        vim = shutil.which("vim")
        if vim is None:
            return  # then there is nothing that could leak
        traces = sealed.path("traces")
        traces.mkdir()
        (sealed.home / ".vimrc").write_text(
            f"set undofile undodir={traces} backup backupdir={traces} swapfile directory={traces}\n"
            f"set viminfo='100,<50,n{traces}/viminfo\n"
        )
        before = set(os.listdir(sealed.home))
        command = "vim -c 's/^/# /' -c 'normal ohunter: 9' -c wq"
        done = sealed.run("edit", "secrets.enc.yaml", environ={"EDITOR": command, "TERM": "dumb"})
        assert "hunter: 9" in sealed.run("decrypt", "secrets.enc.yaml").out, done
        assert os.listdir(traces) == []
        assert set(os.listdir(sealed.home)) == before


# Counts its calls in $1.count; the first leaves nonsense, the second sees it and mends it.
_TWICE = (
    'if [ -e "$1.count" ]; then grep -q "hunter9: \\[" "$1" && sed -i "s/hunter9: \\[/hunter9: 1/" "$1"; '
    'else touch "$1.count"; echo "hunter9: [" >> "$1"; fi'
)


class TestOnATerminal:
    def test_the_editor_can_be_opened_again(self, sealed: Project) -> None:
        terminal = Terminal(sealed, "edit", "secrets.enc.yaml", environ=sealed.editor(_TWICE))
        terminal.wait_for("error[parse]")
        terminal.wait_for("Enter to open the editor again")
        terminal.type("\n")
        assert terminal.end() == 0
        assert "hunter9: 1" in sealed.run("decrypt", "secrets.enc.yaml").out

    def test_the_editor_decides_what_ctrl_c_means(self, sealed: Project) -> None:
        script = "printf 'a: saved\\n' > $1; trap : INT; echo ready; read line; printf 'b: later\\n' >> $1"
        terminal = Terminal(sealed, "edit", "secrets.enc.yaml", environ=sealed.editor(script))
        terminal.wait_for("ready")
        terminal.type("\x03")
        terminal.type("\n")  # in case that Ctrl-C came before `read`
        assert terminal.end() == 0, terminal.seen
        assert sealed.run("decrypt", "secrets.enc.yaml").out == "a: saved\nb: later\n"

    @pytest.mark.parametrize(("typed", "code"), [("q\n", 2), ("\x04", 2), ("\x03", 130)])
    def test_quitting_loses_the_changes(self, sealed: Project, typed: str, code: int) -> None:
        old = sealed.read("secrets.enc.yaml")
        terminal = Terminal(sealed, "edit", "secrets.enc.yaml", environ=sealed.editor(_TWICE))
        terminal.wait_for("Enter to open the editor again")
        terminal.type(typed)
        assert terminal.end() == code
        assert sealed.read("secrets.enc.yaml") == old

    @pytest.mark.parametrize(("typed", "code"), [("y\n", 0), ("\n", 3)])
    def test_a_file_that_changed_meanwhile(self, sealed: Project, typed: str, code: int) -> None:
        path = sealed.path("secrets.enc.yaml")
        theirs = sealed.home / "theirs"
        theirs.write_text(path.read_text() + "# theirs\n")
        script = f'grep -q more: "$1" || (echo \'more: 1\' >> "$1"; cp {theirs} {path})'
        terminal = Terminal(sealed, "edit", "secrets.enc.yaml", environ=sealed.editor(script))
        terminal.wait_for("error[changed]")
        terminal.wait_for("overwrite the file with your text?")
        terminal.type(typed)
        if code:
            terminal.wait_for("Enter to open the editor again")
            terminal.type("q\n")
        assert terminal.end() == code
        assert ("more" in sealed.read("secrets.enc.yaml")) == (code == 0)

    def test_messages_are_coloured(self, sealed: Project) -> None:
        terminal = Terminal(sealed, "edit", "--input-type", "none", "none", environ={"TERM": "xterm"})
        assert terminal.end() == 1
        assert "\x1b[1;31merror[usage]\x1b[0m" in terminal.seen


class TestPlainValues:
    """Somebody wrote values in plaintext into an encrypted file."""

    def added(self, sealed: Project, more: str) -> None:
        text = sealed.read("secrets.enc.yaml")
        sealed.write("secrets.enc.yaml", text.replace("sops:\n", f"{more}sops:\n", 1))

    def test_edit_encrypts_values_that_were_added(self, sealed: Project) -> None:
        more = "token: hunter4\napi:\n    urls: [hunter5, hunter6]\n    key: hunter7\n"
        self.added(sealed, more)
        before = sealed.read("secrets.enc.yaml")
        for words in (["set", "secrets.enc.yaml", "db.port", "1"], ["decrypt", "secrets.enc.yaml"]):
            done = sealed.run(*words, code=25)
            assert "error[plain-value]" in done.err
            assert "encconf edit" in done.err
        done = sealed.run("edit", "secrets.enc.yaml", environ={"EDITOR": "true"})
        assert "4 values in plaintext: token, api.urls[0], api.urls[1], api.key" in done.err
        assert "hunter" not in done.err
        after = sealed.read("secrets.enc.yaml")
        assert "hunter" not in after
        assert sealed.run("decrypt", "secrets.enc.yaml").out == PLAIN + more
        kept = {line for line in before.splitlines() if "ENC[" in line and "mac" not in line}
        assert kept <= set(after.splitlines()) | {line for line in kept if "encconf_layout" in line}
        assert Sops(sealed.key.environ()).decrypt(after, "yaml")

    @pytest.mark.parametrize("wrong", ["replaced", "changed too"])
    def test_other_changes_need_ignore_mac(self, sealed: Project, wrong: str) -> None:
        text = sealed.read("secrets.enc.yaml")
        if wrong == "replaced":
            text = re.sub(r"password: \S+\]\S?", "password: hunter4", text)
        else:
            text = re.sub(r" *port: ENC\[.*\]\n", "", text).replace("sops:\n", "more: hunter4\nsops:\n", 1)
        sealed.write("secrets.enc.yaml", text)
        done = sealed.run("edit", "secrets.enc.yaml", environ={"EDITOR": "true"}, code=51)
        assert "edit --ignore-mac" in done.err
        assert "hunter" not in done.err
        assert sealed.read("secrets.enc.yaml") == text
        sealed.run("edit", "--ignore-mac", "secrets.enc.yaml", environ={"EDITOR": "true"})
        assert "hunter" not in sealed.read("secrets.enc.yaml")
        assert "hunter4" in sealed.run("decrypt", "secrets.enc.yaml").out

    @pytest.mark.parametrize("name", ["s.enc.json", "s.enc.env", "s.enc.ini", "s.enc.toml"])
    def test_in_every_format(self, sealed: Project, name: str) -> None:
        plain = {"json": '{"a": {"b": "x", "c": "y"}}\n', "env": "A=x\nB=y\n", "ini": "[a]\nb = x\n"}
        sealed.write(name, plain.get(name[6:], '[a]\nb = "x"\n'))
        sealed.run("encrypt", "-i", name)
        added = {
            "json": ('"a": {', '"a": {"new": "hunter4", '),
            "env": ("A=", "NEW=hunter4\nA="),
            "ini": ("[a]\n", "[a]\nnew = hunter4\n"),
            "toml": ("[a]\n", '[a]\nnew = "hunter4"\n'),
        }[name[6:]]
        assert added[0] in sealed.read(name)
        sealed.write(name, sealed.read(name).replace(*added, 1))
        sealed.run("decrypt", name, code=25)
        sealed.run("edit", name, environ={"EDITOR": "true"})
        assert "hunter4" not in sealed.read(name)
        assert "hunter4" in sealed.run("decrypt", name).out

    def test_a_damaged_ciphertext_is_not_plaintext(self, sealed: Project) -> None:
        text = sealed.read("secrets.enc.yaml")
        sealed.write("secrets.enc.yaml", re.sub(r"(password: \S+)\]", r"\1", text))
        done = sealed.run("edit", "secrets.enc.yaml", environ={"EDITOR": "true"}, code=25)
        assert "error[decrypt]" in done.err


class TestStdin:
    def test_stdin_to_stdout(self, sealed: Project) -> None:
        enc = sealed.read("secrets.enc.yaml")
        editor = sealed.editor('echo editing; sed -i s/hunter2/hunter3/ "$1"')
        done = sealed.run("edit", "-", "--input-type", "yaml", input=enc, environ=editor)
        assert set(changed_lines(enc, done.out)) <= {"password", "mac", "lastmodified"}
        assert "hunter" not in done.out + done.err
        assert sealed.read("secrets.enc.yaml") == enc
        sealed.write("new.yaml", done.out)
        assert "hunter3" in sealed.run("decrypt", "new.yaml").out

    def test_an_unchanged_text_is_printed_too(self, sealed: Project) -> None:
        enc = sealed.read("secrets.enc.yaml")
        done = sealed.run("edit", "-", "--input-type", "yaml", input=enc, environ={"EDITOR": "true"})
        assert done.out == enc
        assert sealed.run("edit", "-", input=enc, environ={"EDITOR": "true"}).out == enc
