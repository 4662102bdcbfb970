"""get, set, unset, update: one value of a file, or all of them."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
from pathlib import Path

import pytest
from oracle import AgeKey, Sops
from project import PLAIN, Project

from encconf.errors import ChangedError
from encconf.io import fileio
from encconf.verbs import files

from .terminal import Terminal

FILE = "secrets.enc.yaml"


def said(project: Project) -> str:
    return project.run("decrypt", FILE).out


class TestGet:
    @pytest.mark.parametrize(
        ("path", "out"),
        [
            ("db.password", "hunter2"),
            ('["db"]["password"]', "hunter2"),
            ("db.port", "5432"),
            ("users[1]", "bob"),
            ("users[-1]", "bob"),
            ("users", "- alice\n- bob\n"),
            (".", PLAIN),
        ],
    )
    def test_values(self, sealed: Project, path: str, out: str) -> None:
        assert sealed.run("get", FILE, path).out == out

    def test_all(self, sealed: Project) -> None:
        assert sealed.run("get", FILE).out == PLAIN

    @pytest.mark.parametrize(
        ("path", "value"), [("db.port", 5432), ("users", ["alice", "bob"]), ("db.host", "localhost")]
    )
    def test_json(self, sealed: Project, path: str, value: object) -> None:
        assert json.loads(sealed.run("get", "--json", FILE, path).out) == value

    @pytest.mark.parametrize(
        "words",
        [
            "get x.enc.json a",
            "get x.enc.json",
            "get --json x.enc.json a",
            "decrypt x.enc.json",
            "decrypt --output-type yaml x.enc.json",
            "export --format json --plaintext x.enc.json",
            "export --format shell --plaintext x.enc.json",
            "encrypt x.json -o -",
        ],
    )
    def test_a_terminal_obeys_no_value(self, project: Project, words: str) -> None:
        value = "\x1b[2J\x9b31m\u202e\x07\r\x7f"
        project.rules()
        project.write("x.json", json.dumps({"a": value, "b_unencrypted": value}, ensure_ascii=False))
        project.run("encrypt", "x.json", "-o", "x.enc.json")
        terminal = Terminal(project, *words.split(), environ={"TERM": "xterm", "NO_COLOR": "1"})
        assert terminal.end() == 0
        for sign in "\x1b\x9b\u202e\x07\x7f":
            assert sign not in terminal.seen
        assert not re.search("\r(?!\n)", terminal.seen)
        if words == "get x.enc.json a":
            assert r"\x1b[2J" in terminal.seen
            assert project.run(*words.split()).out == value

    def test_what_is_not_there(self, sealed: Project) -> None:
        done = sealed.run("get", FILE, "db.pasword", code=1)
        assert done.out == ""
        assert "error[path-not-found]" in done.err
        assert "did you mean db.password?" in done.err
        sealed.run("get", FILE, "db[x", code=91)
        sealed.run("get", FILE, "users.x", code=1)
        sealed.run("get", "none.yaml", "x", code=100)

    @pytest.mark.parametrize(
        ("name", "text", "path"),
        [
            ("t.enc.toml", "[db]\nhost = 'a'\nports = [1, 2]\n", "db"),
            ("t.enc.toml", "[db]\nhost = 'a'\nports = [1, 2]\n", "db.ports"),
            ("t.enc.json", '{"db": {"host": "a"}}', "db"),
        ],
    )
    def test_house_a_part_has_the_format_of_the_file(
        self, sealed: Project, name: str, text: str, path: str
    ) -> None:
        """`get` and `decrypt --extract` print the same."""
        plain = name.replace(".enc", "")
        sealed.write(plain, text)
        sealed.run("encrypt", "-o", name, plain)
        wanted = sealed.run("decrypt", "--extract", path, name).out
        assert sealed.run("get", name, path).out == wanted
        if name.endswith("toml"):
            assert not wanted.startswith("{")

    def test_a_terminal_gets_a_line_break(self, sealed: Project) -> None:
        terminal = Terminal(sealed, "get", FILE, "db.password", environ={})
        assert terminal.end() == 0
        assert terminal.seen == "hunter2\r\n"


class TestSet:
    def test_many_commands_at_once(self, project: Project) -> None:
        """Each waits its turn: none is refused, and nothing is lost."""
        project.rules()
        started = [
            project.popen("set", "new.yaml", f"k{number}", str(number), stderr=subprocess.PIPE)
            for number in range(12)
        ]
        for each in started:
            _, err = each.communicate(timeout=120)
            assert each.returncode == 0
            assert err.decode().startswith(("encconf: created new.yaml", "encconf: wrote new.yaml: added k"))
        said = json.loads(project.run("get", "--json", "new.yaml").out)
        assert said == {f"k{number}": str(number) for number in range(12)}
        gone = [
            project.popen("unset", "new.yaml", f"k{number}", stderr=subprocess.PIPE) for number in range(11)
        ]
        for each in gone:
            each.communicate(timeout=120)
            assert each.returncode == 0
        assert json.loads(project.run("get", "--json", "new.yaml").out) == {"k11": "11"}

    def test_a_value_is_asked_for_only_if_it_can_be_written(self, project: Project) -> None:
        project.rules()
        done = project.run("set", "missing/new.yaml", "a", input="", code=3)
        assert "cannot be written: its folder does not exist" in done.err
        done = project.run("set", "new.yaml", "a", input="", code=1)
        assert "no value was given for a" in done.err

    def test_a_change_is_repeated_after_another_program_wrote_the_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "x"
        path.write_text("0")
        tries = []

        def change() -> int:
            old = path.read_text()
            tries.append(old)
            if len(tries) < 5:
                path.write_text(old + "!")
            fileio.write_atomic(str(path), "new", replacing=old)
            return len(tries)

        assert files.in_turn(str(path), change) == 5
        monkeypatch.setattr(files, "ATTEMPTS", 2)
        tries.clear()
        with pytest.raises(ChangedError):
            files.in_turn(str(path), change)

    def test_a_value(self, sealed: Project) -> None:
        done = sealed.run("set", FILE, "db.password", "hunter3")
        assert done.err == f"encconf: wrote {FILE}: changed db.password\n"
        assert said(sealed) == PLAIN.replace("hunter2", "hunter3")
        assert sealed.run("set", FILE, "db.password", "hunter3").err == f"encconf: {FILE} is up to date\n"

    @pytest.mark.parametrize(
        ("args", "line"),
        [
            (["db.port", "5433"], "    port: 5433"),
            (["--string", "db.port", "5433"], '    port: "5433"'),
            (["--force", "--json", "db.host", "[1, null]"], "    host:\n        - 1\n        - null"),
            (["db.new", "true"], '    new: "true"'),
            (["--json", "users[]", '"carol"'], "users: [alice, bob, carol]"),
        ],
    )
    def test_types(self, sealed: Project, args: list[str], line: str) -> None:
        sealed.run("set", FILE, *args)
        assert f"{line}\n" in said(sealed)

    @pytest.mark.parametrize(
        ("given", "stored"), [("new\n", "new"), ("new", "new"), ("a b\r\n", "a b"), ("\n\n", "\n")]
    )
    def test_from_stdin(self, sealed: Project, given: str, stored: str) -> None:
        sealed.run("set", FILE, "db.password", input=given)
        assert sealed.run("get", FILE, "db.password").out == stored

    @pytest.mark.parametrize("given", ["", "\n", "\r\n"])
    def test_empty_stdin_is_an_error(self, sealed: Project, given: str) -> None:
        before = sealed.read(FILE)
        done = sealed.run("set", FILE, "db.password", input=given, code=1)
        assert "no value was given for db.password" in done.err
        assert "''" in done.err
        assert sealed.read(FILE) == before
        sealed.run("set", "missing.enc.yaml", "a", input=given, code=1)
        assert "missing.enc.yaml" not in sealed.names()
        sealed.run("set", FILE, "db.password", "")
        assert sealed.run("get", FILE, "db.password").out == ""

    @pytest.mark.parametrize("value", ["1e400", "18446744073709551616", '"\\ud800"', "'x'"])
    def test_json_that_no_file_can_hold(self, sealed: Project, value: str) -> None:
        before = sealed.read(FILE)
        assert "not JSON" in sealed.run("set", "--json", FILE, "db.port", value, code=2).err
        assert sealed.read(FILE) == before

    @pytest.mark.parametrize("typed", ["\n", "\x04"])
    def test_an_empty_answer_is_an_error(self, sealed: Project, typed: str) -> None:
        terminal = Terminal(sealed, "set", FILE, "db.password", environ={})
        terminal.wait_for("(hidden): ")
        terminal.type(typed)
        assert terminal.end() == 1
        assert "\nencconf: " in terminal.seen
        assert "no value was given for db.password; nothing was changed" in terminal.seen
        assert sealed.run("get", FILE, "db.password").out == "hunter2"

    def test_the_prompt_hides_the_value(self, sealed: Project) -> None:
        terminal = Terminal(sealed, "set", FILE, "db.password", environ={})
        terminal.wait_for("value of db.password (hidden): ")
        terminal.type("hunter3\n")
        assert terminal.end() == 0
        assert "hunter3" not in terminal.seen
        assert sealed.run("get", FILE, "db.password").out == "hunter3"

    def test_a_hint_about_values_in_the_shell_history(self, sealed: Project) -> None:
        terminal = Terminal(sealed, "set", FILE, "db.password", "hunter3", environ={})
        terminal.wait_for("out of your shell history")
        assert terminal.end() == 0

    def test_the_rule_of_another_configuration(self, project: Project) -> None:
        """A new data key is for its recipients."""
        both = f"{project.key.recipient},{AgeKey.generate().recipient}"
        project.write(".sops.yaml", f"creation_rules:\n  - age: {both}\n")
        project.write(FILE, PLAIN)
        project.run("encrypt", "-i", FILE)
        project.write("other.yaml", project.read(".sops.yaml"))
        project.write(".sops.yaml", "creation_rules: []\n")
        words = ["set", "--ignore-mac", FILE, "db.port", "1"]
        assert "error[stranger]" in project.run(*words, code=1).err
        project.run(*words, "--config", "other.yaml")
        assert project.run("get", FILE, "db.port").out == "1"

    def test_a_new_file(self, sealed: Project) -> None:
        done = sealed.run("set", "secrets.enc.yml", "db.password", "x")
        assert "hint: this file is new; did you mean secrets.enc.yaml?" in done.err
        assert sealed.run("decrypt", "secrets.enc.yml").out == "db:\n  password: x\n"
        sealed.run("set", "new.enc.json", "db.password", "x")
        assert json.loads(sealed.run("decrypt", "new.enc.json").out) == {"db": {"password": "x"}}
        sealed.run("set", "new.env", "PASSWORD", "x y")
        assert sealed.run("decrypt", "new.env").out == "PASSWORD=x y\n"
        sealed.path(".sops.yaml").unlink()
        done = sealed.run("set", "other.enc.yaml", "a", "x", code=1)
        assert "no-config" in done.err
        sealed.run("set", "--age", sealed.key.recipient, "other.enc.yaml", "a", "x")

    @pytest.mark.parametrize(("typed", "code"), [("y\n", 0), ("\n", 100)])
    def test_on_a_terminal_a_similar_name_is_asked_about(
        self, sealed: Project, typed: str, code: int
    ) -> None:
        terminal = Terminal(sealed, "set", "secrets.enc.yml", "db.password", "x", environ={})
        terminal.wait_for("did you mean secrets.enc.yaml? Create secrets.enc.yml?")
        terminal.type(typed)
        assert terminal.end() == code
        assert "new" not in terminal.seen
        assert sealed.path("secrets.enc.yml").exists() is (code == 0)

    def test_common_mistakes_have_a_hint(self, sealed: Project) -> None:
        for words in (["get", "db.password"], ["set", "db.password", "x"], ["unset", "db.password"]):
            done = sealed.run(*words, FILE, code=100)
            assert f"hint: the file comes first: encconf {words[0]} FILE PATH" in done.err
        done = sealed.run("get", "--input-type", "json", FILE, code=2)
        assert "hint: its content is yaml: leave out --input-type json" in done.err
        assert "a shell removes quotes" in sealed.run("get", FILE, "[db][password]", code=91).err

    def test_mistakes_write_nothing(self, sealed: Project) -> None:
        before = sealed.read(FILE)
        for args, code in (
            (["set", FILE, "users.x", "1"], 1),
            (["set", FILE, "sops.mac", "1"], 203),
            (["set", "--json", FILE, "db.port", "{"], 2),
            (["set", "--json", "--string", FILE, "db.port", "1"], 8),
            (["set", "none/x.yaml", "a", "1"], 3),
            (["set", "secrets.yaml", "a", "1"], 1),
        ):
            done = sealed.run(*args, code=code)
            assert done.out == ""
            assert "hunter2" not in done.err
        assert sealed.read(FILE) == before
        assert sealed.read("secrets.yaml") == PLAIN

    @pytest.mark.parametrize("words", [["set", "-", "a", "1"], ["unset", "-", "a"], ["update", "-"]])
    def test_stdin_cannot_be_changed(self, sealed: Project, words: list[str]) -> None:
        done = sealed.run(*words, input=sealed.read(FILE), code=1)
        assert f"{words[0]} needs a file, not stdin" in done.err

    def test_the_mode_stays(self, sealed: Project) -> None:
        sealed.path(FILE).chmod(0o640)
        sealed.run("set", FILE, "db.password", "x")
        assert stat.S_IMODE(sealed.path(FILE).stat().st_mode) == 0o640
        assert [name for name in sealed.names() if name.startswith(".encconf")] == []


class TestInClear:
    """.sops.yaml wants more encrypted than it did when the file was made (getsops/sops 770)."""

    @pytest.fixture
    def grown(self, project: Project) -> Project:
        project.rules("    encrypted_regex: ^password$\n")
        project.write("secrets.yaml", PLAIN)
        project.run("encrypt", "secrets.yaml")
        project.rules("    encrypted_regex: ^(password|token|host)$\n")
        return project

    def test_set(self, grown: Project) -> None:
        before = grown.read(FILE)
        done = grown.run("set", FILE, "db.token", "secret", code=1)
        assert "error[plaintext]" in done.err
        assert "db.token would be saved as plaintext" in done.err
        assert f"encconf updatekeys --selection {FILE}" in done.err
        assert grown.read(FILE) == before
        # Values that are not new, and those that the rule leaves alone, are not reported.
        grown.run("set", FILE, "db.password", "new")
        grown.run("set", FILE, "db.port", "1")
        done = grown.run("set", "--allow-plaintext", FILE, "db.token", "secret")
        assert "warning" in done.err
        assert "token: secret" in grown.read(FILE)

    @pytest.mark.parametrize("rules", ["creation_rules: {", "creation_rules: [{path_regex: '('}]"])
    def test_set_fails_if_the_rule_cannot_be_read(self, grown: Project, rules: str) -> None:
        grown.write(".sops.yaml", rules)
        before = grown.read(FILE)
        assert "/.sops.yaml: " in grown.run("set", FILE, "db.port", "1", code=1).err
        assert grown.read(FILE) == before
        done = grown.run("set", "--allow-plaintext", FILE, "db.port", "1")
        assert f"warning: {FILE} is not compared with its rule: " in done.err
        assert "port: 1" in grown.run("decrypt", FILE).out
        grown.run("unset", FILE, "db.port")

    def test_edit_fails_if_the_rule_cannot_be_read(self, grown: Project) -> None:
        """Nothing that was typed is lost, and the message does not name the file that was edited."""
        script = 'echo "token: secret" >> "$1"; echo "creation_rules: {" > .sops.yaml'
        done = grown.run("edit", FILE, environ=grown.editor(script), code=1)
        assert "/.sops.yaml: " in done.err
        (saved,) = (name for name in grown.names() if ".unsaved-" in name)
        assert "token: secret\n" in grown.run("decrypt", "--input-type", "binary", saved).out
        done = grown.run("edit", FILE, environ=grown.editor("exit 1"), code=1)  # before the editor starts
        assert "/.sops.yaml: " in done.err
        assert "; --allow-plaintext saves without comparing\n" in done.err

    def test_allow_plaintext_ignores_a_rule_that_cannot_be_read(self, grown: Project) -> None:
        for rules in ("creation_rules: {", "creation_rules: [{path_regex: '('}]"):
            grown.write(".sops.yaml", rules)
            done = grown.run("update", FILE, input=PLAIN + "more: 1\n", code=1)
            assert "; --allow-plaintext saves without comparing\n" in done.err

    def test_a_rule_without_keys_says_nothing(self, grown: Project) -> None:
        """Its keys are named on the command line."""
        grown.write(".sops.yaml", "creation_rules: [{encrypted_regex: ^password$}]")
        assert "warning" not in grown.run("set", FILE, "db.port", "1").err

    def test_edit_and_update(self, grown: Project) -> None:
        editor = grown.editor('echo "token: secret" >> "$1"')
        assert "error[plaintext]" in grown.run("edit", FILE, environ=editor, code=1).err
        plain = PLAIN + "token: secret\n"
        assert "error[plaintext]" in grown.run("update", FILE, input=plain, code=1).err
        assert "secret" not in grown.read(FILE).partition("sops:")[0]
        grown.run("edit", "--allow-plaintext", FILE, environ=editor)
        assert "token: secret" in grown.read(FILE)

    def test_a_selection_that_nobody_else_vouches_for(self, project: Project, sops: Sops) -> None:
        """A stranger narrows that of a file of sops: its MAC does not cover it.  The rule has none."""
        project.rules("")
        plain = "db:\n    password: hunter2\n"
        enc = sops.encrypt(plain, "yaml", age=project.key.recipient)
        before = enc.replace("unencrypted_suffix: _unencrypted", "encrypted_regex: ^db$")
        assert before != enc
        project.write(FILE, before)
        said = "api_token would be saved as plaintext: encrypted_regex: ^db$ in the file leaves it out"
        assert said in project.run("set", FILE, "api_token", "s3cret-1", code=1).err
        assert said in project.run("update", FILE, input=f"{plain}api_token: s3cret-1\n", code=1).err
        project.path(".sops.yaml").unlink()
        assert said in project.run("set", FILE, "api_token", "s3cret-1", code=1).err
        assert project.read(FILE) == before
        assert f"wrote {FILE}: added size, as plaintext\n" in project.run("set", FILE, "size", "3").err
        assert project.run("set", FILE, "db.token", "s3cret-1").err.endswith("added db.token\n")

    def test_a_part_that_stays_plaintext_is_said(self, project: Project) -> None:
        """The key of a mapping is encrypted, but not all in it; and a comment decides."""
        project.rules("")
        project.write(FILE, PLAIN)
        project.run("encrypt", "-i", FILE)
        new = project.run("set", "--json", FILE, "new", '{"a": "x", "b_unencrypted": "y"}').err
        assert new == f"encconf: wrote {FILE}: added new, as plaintext\n"
        assert project.run("set", "--json", FILE, "other", '{"a": "x"}').err.endswith("added other\n")
        project.rules("    unencrypted_comment_regex: ^ open$\n")
        project.write(FILE, "a: x\n# open\nb: y\n")
        project.run("encrypt", "-i", FILE)
        assert project.run("set", FILE, "a", "z").err.endswith("changed a\n")
        assert project.run("set", FILE, "b", "z").err.endswith("changed b, as plaintext\n")

    def test_the_way_out(self, grown: Project) -> None:
        grown.run("updatekeys", "-y", "--selection", FILE)
        assert "localhost" not in grown.read(FILE)
        grown.run("set", FILE, "db.token", "secret")
        assert "secret" not in grown.read(FILE).partition("sops:")[0]
        assert "token: secret" in said(grown)


class TestUnset:
    def test_a_value(self, sealed: Project) -> None:
        sealed.run("unset", FILE, "db.port")
        assert said(sealed) == PLAIN.replace("    port: 5432\n", "")
        sealed.run("unset", FILE, "users[0]")
        assert "users: [bob]\n" in said(sealed)

    def test_what_is_not_there(self, sealed: Project) -> None:
        before = sealed.read(FILE)
        sealed.run("unset", FILE, "db.none", code=1)
        sealed.run("unset", "--idempotent", FILE, "db.none")
        sealed.run("unset", "-", "db.none", code=1)
        assert sealed.read(FILE) == before


class TestUpdate:
    def test_only_what_changed(self, sealed: Project) -> None:
        before = sealed.read(FILE)
        plain = PLAIN.replace("5432", "5433") + "more: 1\n"
        done = sealed.run("update", "-n", FILE, input=plain)
        assert done.err.endswith(f"would write {FILE}:\n  changed db.port\n  added more\n")
        assert sealed.read(FILE) == before
        sealed.run("update", FILE, input=plain)
        assert said(sealed) == plain
        assert len(set(sealed.read(FILE).splitlines()) - set(before.splitlines())) in (3, 4)

    def test_a_file_of_one_line(self, sealed: Project) -> None:
        sealed.write("x.json", '{"a": 1}')
        sealed.run("encrypt", "-o", "x.enc.json", "x.json")
        done = sealed.run("update", "-n", "x.enc.json", input='{"a": 2}')
        assert "would write x.enc.json: changed a\n" in done.err
        sealed.write("new.yaml", PLAIN)
        sealed.run("update", FILE, "--from", "new.yaml")
        assert said(sealed) == PLAIN
        assert sealed.run("update", FILE, "--from", "new.yaml").err == f"encconf: {FILE} is up to date\n"

    def test_a_link_that_changes_meanwhile_names_the_file_that_was_read(self, sealed: Project) -> None:
        other = sealed.write("other.enc.yaml", sealed.read(FILE))
        sealed.path("link.enc.yaml").symlink_to(FILE)
        os.mkfifo(sealed.path("new.yaml"))
        process = sealed.popen("update", "link.enc.yaml", "--from", "new.yaml")
        with sealed.path("new.yaml").open("w") as new:  # waits until encconf has read the link
            sealed.path("link.enc.yaml").unlink()
            sealed.path("link.enc.yaml").symlink_to(other)
            new.write(PLAIN + "more: 1\n")
        process.communicate()
        assert "more" in sealed.read(FILE)
        assert "more" not in other.read_text()

    def test_a_binary_file_holds_any_bytes(self, sealed: Project) -> None:
        for name, data in (("a.bin", b"\xff\xfe\x00a"), ("b.bin", b"\xff\xfe\x00ab")):
            sealed.path(name).write_bytes(data)
        sealed.run("encrypt", "-o", "a.enc.bin", "a.bin")
        sealed.run("update", "a.enc.bin", "--from", "b.bin")
        sealed.run("decrypt", "-o", "c.bin", "a.enc.bin")
        assert sealed.path("c.bin").read_bytes() == b"\xff\xfe\x00ab"
        assert "UTF-16" in sealed.run("update", FILE, "--from", "b.bin", code=2).err

    @pytest.mark.parametrize("name", ["a.enc.env", "a.enc.ini", "a.enc.toml", "a.enc.bin", FILE])
    def test_nothing_does_not_replace_everything(self, sealed: Project, name: str) -> None:
        if name != FILE:
            sealed.write("plain", "a = 1\n" if "env" not in name else "A=1\n")
            sealed.run("encrypt", "--filename-override", name, "-o", name, "plain")
        before = sealed.read(name)
        for given in ("", "\n"):
            done = sealed.run("update", name, input=given, code=92)
            assert f"{name}: the new plaintext is empty; nothing was changed" in done.err
        assert sealed.read(name) == before

    def test_a_terminal_is_not_a_plaintext(self, sealed: Project) -> None:
        sealed.write("new.yaml", PLAIN.replace("5432", "5433"))
        assert Terminal(sealed, "update", FILE, "--from", "new.yaml", environ={}).end() == 0
        assert "5433" in said(sealed)
        terminal = Terminal(sealed, "update", FILE, environ={})
        terminal.wait_for("no plaintext was given")
        assert terminal.end() == 100

    def test_plaintext_that_cannot_be_saved(self, sealed: Project) -> None:
        before = sealed.read(FILE)
        sealed.run("update", FILE, input="a: [", code=2)
        sealed.run("update", FILE, input=before, code=203)
        sealed.run("update", "secrets.yaml", input="a: 1\n", code=1)
        sealed.run("update", "none.yaml", input="a: 1\n", code=100)
        assert sealed.read(FILE) == before


@pytest.mark.posix
def test_a_link_stays_and_its_file_is_changed(sealed: Project) -> None:
    sealed.path("link.enc.yaml").symlink_to(FILE)
    sealed.write("new.yaml", PLAIN)
    for words, change in (
        (["set", "link.enc.yaml", "db.port", "1"], "changed db.port"),
        (["unset", "link.enc.yaml", "db.port"], "removed db.port"),
        (["update", "link.enc.yaml", "--from", "new.yaml"], "added db.port"),
    ):
        before = sealed.read(FILE)
        assert sealed.run(*words).err == f"encconf: wrote link.enc.yaml: {change}\n"
        assert sealed.path("link.enc.yaml").is_symlink()
        assert sealed.read(FILE) != before
    sealed.path("link.enc.yaml").unlink()
    sealed.path("link.enc.yaml").symlink_to("new.enc.yaml")  # of a file that does not exist yet
    sealed.run("set", "link.enc.yaml", "a", "x", code=100)
    assert not sealed.path("new.enc.yaml").exists()


class TestDecryptInParts:
    def test_extract(self, sealed: Project) -> None:
        assert sealed.run("decrypt", "--extract", '["db"]["password"]', FILE).out == "hunter2"
        assert sealed.run("decrypt", "--extract", "db.port", FILE).out == "5432\n"
        assert (
            sealed.run("decrypt", "--extract", "users", "--output-type", "json", FILE).out
            == '[\n\t"alice",\n\t"bob"\n]'
        )

    def test_output_type(self, sealed: Project) -> None:
        assert json.loads(sealed.run("decrypt", "--output-type", "json", FILE).out)["db"]["port"] == 5432
        sealed.run("decrypt", "--output-type", "dotenv", FILE, code=4)
        sealed.run("encrypt", "--output-type", "json", "-o", "x.json", "secrets.yaml")
        assert json.loads(sealed.run("decrypt", "x.json").out)["users"] == ["alice", "bob"]


class TestSopsHabits:
    """Command lines that mean something else to sops: a note says so."""

    def test_a_value_in_json_quotes(self, sealed: Project) -> None:
        done = sealed.run("set", FILE, '["db"]["password"]', '"x"')
        said = "the quotes are part of the value; use --json for a JSON value, as in sops"
        assert said in done.err
        for path, value, hinted in (
            ('["a"]', '""', True),
            ('["a"]', '"', False),
            ('["a"]', "xx", False),
            ('["a"]', "''", False),
        ):
            done = sealed.run("set", FILE, path, value)
            assert (said in done.err) is hinted, (path, value)
        assert sealed.run("get", FILE, "db.password").out == '"x"'
        assert "quotes" not in sealed.run("set", "--json", FILE, '["db"]["password"]', '"x"').err
        assert "quotes" not in sealed.run("set", "--string", FILE, '["db"]["password"]', '"x"').err
        assert "quotes" not in sealed.run("set", FILE, "db.password", '"x"').err

    def test_encrypt_prints_nothing(self, project: Project) -> None:
        project.rules()
        project.write("a.yaml", "a: 1\n")
        with project.path("out").open("wb") as out:
            process = project.popen("encrypt", "a.yaml", stdout=out, stderr=subprocess.PIPE, environ={})
            err = process.communicate()[1].decode()
        assert process.returncode == 0
        assert "unlike sops, this prints nothing to stdout; to print it: encconf encrypt -o - a.yaml" in err
        assert project.read("out") == ""
        assert "stdout" not in project.run("encrypt", "a.yaml").err
        project.write("a b.yaml", "a: 1\n")
        with project.path("out").open("wb") as out:
            process = project.popen("encrypt", "a b.yaml", stdout=out, stderr=subprocess.PIPE, environ={})
            assert b"encconf encrypt -o - 'a b.yaml'\n" in process.communicate()[1]
        assert "encconf edit 'a b.enc.yaml'\n" in project.run("encrypt", "a b.enc.yaml", code=203).err


def test_a_file_that_exists_keeps_its_keys_and_says_so(project: Project) -> None:
    """Options for keys are for a new file; sops ignores them without a word, or does not take them."""
    other = AgeKey.generate().recipient
    project.write("s.enc.yaml", "a: 1\n")
    project.run("encrypt", "-i", "--age", project.key.recipient, "s.enc.yaml")
    done = project.run("set", "--age", project.key.recipient, "s.enc.yaml", "a", "2")
    assert "warning" not in done.err
    done = project.run("set", "--age", other, "--encrypted-regex", "^a$", "s.enc.yaml", "a", "3")
    assert "s.enc.yaml exists and keeps its recipients: those on the command line are for" in done.err
    assert "s.enc.yaml exists and keeps its selection (unencrypted_suffix _unencrypted)" in done.err
    assert other not in project.read("s.enc.yaml")
    done = project.run("edit", "--age", other, "s.enc.yaml", environ={"EDITOR": "true"}, code=200)
    assert "keeps its recipients" in done.err


def test_a_line_break_that_was_given_is_no_reason_to_warn(project: Project) -> None:
    """In the text of a dotenv file, ``\\n`` may be a backslash, but a given value has a real break."""
    project.rules()
    for value in ("a\nb", "c\nd"):  # a new file, and one that exists
        done = project.run("set", "app.enc.env", "KEY", value)
        assert "is a line break" not in done.err
    assert project.run("get", "app.enc.env", "KEY").out == "c\nd"
    project.run("set", "app.enc.env", "B", "x # y")
    assert "warning" not in project.run("rotate", "app.enc.env").err  # nothing in it is new
