"""exec, exec-env, exec-file: programs with the values of files; completion, and the program called sops."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from project import Project

from .application import TREE

FILE = "app.enc.yaml"


class TestExec:
    def test_the_environment(self, app: Project) -> None:
        done = app.run("exec", FILE, "--", "env", "-0")
        given = dict(line.split("=", 1) for line in done.out.split("\0") if line)
        assert given["DB_HOST"] == "db.example.com"
        assert given["DB_PASSWORD"] == 'it\'s $HOME \\ # "x"'
        assert given["DB_PORT"] == "5432"
        assert given["USERS_1"] == "bob"
        assert given["DEBUG"] == "false"
        assert given["MULTI"] == "one\ntwo\n"
        assert "NOTHING" not in given
        assert given["HOME"] == str(app.home)
        assert "SOPS_AGE_KEY" not in given
        assert done.err == ""

    def test_what_opens_files_is_not_passed_on(self, app: Project) -> None:
        keys = {"VAULT_TOKEN": "1", "VAULT_SECRET_ID": "2", "BAO_PASSWORD": "3", "CONJUR_AUTHN_API_KEY": "4"}
        for options, wanted in (([], {"AWS_PROFILE"}), (["--keep-keys"], {"AWS_PROFILE", *keys})):
            environ = {**keys, "AWS_PROFILE": "x"}
            done = app.run("exec", FILE, *options, "--", "env", environ=environ)
            names = {line.partition("=")[0] for line in done.out.splitlines()}
            assert names & {*environ} == wanted

    def test_who_wins(self, app: Project) -> None:
        app.write("late.enc.env", "DB_HOST=late\nDB_NEW=1\n")
        app.run("encrypt", "-i", "late.enc.env")
        shell = ["--", "sh", "-c", "echo $DB_HOST $DB_NEW"]
        assert app.run("exec", FILE, "late.enc.env", *shell).out == "late 1\n"
        assert app.run("exec", "late.enc.env", FILE, *shell).out == "db.example.com 1\n"
        mine = {"DB_HOST": "mine"}
        done = app.run("exec", FILE, "--print-sources", *shell, environ=mine)
        assert done.out == "mine\n"
        assert "encconf: DB_HOST: the environment\n" in done.err
        assert f"encconf: DB_PORT: {FILE}\n" in done.err
        assert app.run("exec", "--override", FILE, *shell, environ=mine).out == "db.example.com\n"

    def test_no_shell_no_surprises(self, app: Project) -> None:
        done = app.run("exec", FILE, "--", "printf", "%s|", "$DB_HOST", "--", "a b", "-x", "{}")
        assert done.out == "$DB_HOST|--|a b|-x|{}|"

    def test_how_it_ends(self, app: Project) -> None:
        app.run("exec", FILE, "--", "sh", "-c", "exit 7", code=7)
        app.run("exec", FILE, "--", "sh", "-c", "kill -9 $$", code=-9)
        assert "error[no-program]" in app.run("exec", FILE, "--", "nosuchprogram", code=127).err
        app.write("notes.txt", "x")
        app.run("exec", FILE, "--", "./notes.txt", code=126)
        assert "no program was given" in app.run("exec", FILE, code=1).err
        assert f"hint: encconf exec {FILE} -- env\n" in app.run("exec", FILE, "env", code=1).err
        app.run("exec", FILE, "--", code=1)
        app.run("exec", "--", "true", code=100)
        app.run("exec", "none.yaml", "--", "true", code=100)

    def test_a_locale_without_utf_8(self, app: Project) -> None:
        """What a program gets is UTF-8 as in the file, where the locale has no such letters, too."""
        app.write("ü.json", '{"NAME": "ünï☃"}')
        app.run("encrypt", "-i", "ü.json")
        plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
        for words in (["exec", "ü.json", "--", "printenv", "NAME"], ["exec-env", "ü.json", "printenv NAME"]):
            assert app.run(*words, environ=plain).out == "ünï☃\n"

    def test_no_program(self, app: Project) -> None:
        for words in ([], [""]):
            assert "no program was given" in app.run("exec", FILE, "--", *words, code=1).err

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
    def test_signals_are_the_program_s(self, app: Project, number: signal.Signals) -> None:
        script = f"trap 'echo got; exit 3' {number.value}; echo ready; while :; do sleep 0.05; done"
        process = app.popen("exec", FILE, "--", "sh", "-c", script, stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        out, _ = process.communicate(timeout=20)
        assert (process.returncode, out) == (3, b"got\n")

    def test_it_is_the_same_process(self, app: Project) -> None:
        process = app.popen("exec", FILE, "--", "sh", "-c", "echo $$", stdout=subprocess.PIPE)
        out, _ = process.communicate(timeout=20)
        assert int(out) == process.pid

    def test_a_plaintext_value_without_a_mac_does_not_choose_code(self, app: Project) -> None:
        name = "only.enc.yaml"
        app.write(name, "A: 1\nMODE: x\nNODE_OPTIONS: y\n")
        app.run("encrypt", "-i", "--mac-only-encrypted", "--encrypted-regex", "^(A|NODE_OPTIONS)$", name)
        assert app.run("exec", name, "--", "sh", "-c", "echo $MODE $NODE_OPTIONS").out == "x y\n"
        app.write(name, f"BASH_ENV: evil\n{app.read(name)}")
        for command in (["exec", name, "--", "true"], ["export", "--format", "shell", name]):
            assert "BASH_ENV decides which code" in app.run(*command, code=4).err
        assert "BASH_ENV decides which code" in app.run("exec-env", name, "true", code=4).err


class TestAsSops:
    def test_exec_env(self, app: Project) -> None:
        app.write("flat.enc.yaml", "word: two words\nDB_HOST: file\n'': no name\n")
        app.run("encrypt", "-i", "flat.enc.yaml")
        done = app.run(
            "exec-env", "flat.enc.yaml", 'echo "$word" $DB_HOST; exit 4', environ={"DB_HOST": "x"}, code=4
        )
        assert done.out == "two words file\n"
        assert "offending key db" in app.run("exec-env", FILE, "true", code=1).err

    def test_exec_file(self, app: Project) -> None:
        assert app.run("exec-file", FILE, "cat {}").out == TREE
        assert app.run("exec-file", "--no-fifo", FILE, "cat {} {}").out == TREE + TREE
        done = app.run("exec-file", "--no-fifo", "--filename", "x.yaml", FILE, "stat -c %a {}; echo {}")
        mode, path = done.out.split()
        assert mode == "600"
        assert path.endswith("/x.yaml")
        assert not os.path.exists(os.path.dirname(path))
        app.run("exec-file", FILE, "exit 9", code=9)
        app.run("exec-file", "--filename", "../x", FILE, "true", code=1)

    @pytest.mark.parametrize("way", [(), ("--no-fifo",)])
    def test_a_name_that_no_file_can_have(self, app: Project, way: tuple[str, ...]) -> None:
        done = app.run("exec-file", *way, "--filename", "a" * 300, FILE, "cat {}", code=3)
        assert "cannot" in done.err
        done = app.run("exec-file", *way, "--filename", "a/b", FILE, "cat {}", code=1)
        assert "give a name without a folder" in done.err

    @pytest.mark.parametrize("name", ["$(touch x)", "`touch x`", ";touch x", "a\ntouch x", "'x", "a&b"])
    def test_a_name_that_a_shell_would_run(self, app: Project, name: str) -> None:
        done = app.run("exec-file", "--filename", name, FILE, "cat {}", code=1)
        assert "mean something to the shell" in done.err
        assert "x" not in app.names()
        assert app.run("exec-file", "--filename", "a b-1.yaml", FILE, 'cat "{}"').out == TREE

    def test_nothing_is_imported_after_the_switch(self, app: Project, tmp_path: Path) -> None:
        """The other user may not be able to read Python's modules.  No root is needed to see this."""
        code = (
            "import os, sys\n"
            "class Closed:\n"
            "    def find_spec(self, name, *_): raise ModuleNotFoundError(name)\n"
            "os.setgroups = os.setregid = lambda *_: None\n"
            "os.setreuid = lambda *_: sys.meta_path.insert(0, Closed())\n"
            "from encconf.cli import run\n"
            "run()\n"
        )
        app.write("flat.yaml", "A: b\n")
        app.run("encrypt", "-i", "flat.yaml")
        lines = [
            (["exec-file", "--user", "root", FILE, "cat {}"], TREE),
            (["exec-file", "--no-fifo", "--user", "root", FILE, "cat {}"], TREE),
            (["exec-env", "--user", "root", "flat.yaml", "echo $A"], "b\n"),
        ]
        for line, out in lines:
            done = subprocess.run(
                [sys.executable, "-c", code, *line], cwd=app.folder, env=app.environ, capture_output=True,
                check=False, timeout=60,
            )  # fmt: skip
            assert (done.returncode, done.stdout.decode()) == (0, out), done.stderr

    def test_another_user(self, app: Project) -> None:
        """Who need not be able to read where Python and encconf are."""
        if os.geteuid() != 0:
            with pytest.raises(AssertionError, match="cannot become nobody"):
                app.run("exec-file", "--user", "nobody", FILE, "id -un")
            return
        done = app.run("exec-file", "--user", "nobody", FILE, "id -un; cat {}")
        assert done.out == f"nobody\n{TREE}"
        app.write("flat.yaml", "A: b\n")
        app.run("encrypt", "-i", "flat.yaml")
        assert app.run("exec-env", "--user", "nobody", "flat.yaml", "id -un; echo $A").out == "nobody\nb\n"

    def test_a_fifo_without_a_reader(self, app: Project) -> None:
        start = time.monotonic()
        app.run("exec-file", FILE, "true")
        assert time.monotonic() - start < 10


class TestCompletion:
    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
    def test_scripts(self, app: Project, shell: str) -> None:
        assert "_ENCCONF_COMPLETE" in app.run("completion", shell).out

    def test_another_shell(self, app: Project) -> None:
        assert "bash, zsh, fish, powershell" in app.run("completion", "tcsh", code=1).err

    def complete(self, app: Project, words: str) -> list[str]:
        environ = {
            "_ENCCONF_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split(" ")) - 1),
        }
        found = (line.partition(",")[2] for line in app.run(environ=environ).out.splitlines())
        return [word for word in found if word]

    def test_paths_inside_a_file(self, app: Project) -> None:
        """Names are readable: no key is needed, and none is asked."""
        app.environ.pop("SOPS_AGE_KEY")
        assert self.complete(app, f"encconf get {FILE} db.p") == ["db.port", "db.password"]
        assert self.complete(app, f"encconf set {FILE} us") == ["users", r"users\[0\]", r"users\[1\]"]
        assert self.complete(app, "encconf get none.yaml d") == []
        assert self.complete(app, "encconf completion f") == ["fish"]
        assert "--format" in self.complete(app, "encconf export --f")
