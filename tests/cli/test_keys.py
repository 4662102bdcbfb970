"""rotate, updatekeys, groups: who can open files."""

from __future__ import annotations

import re

import pytest
from oracle import AgeKey
from project import PLAIN, Project

from .terminal import Terminal, screen

FILE = "secrets.enc.yaml"


def opens(project: Project, *keys: AgeKey, file: str = FILE) -> bool:
    environ = {"SOPS_AGE_KEY": "\n".join(key.identity for key in keys)}
    code = 0 if any(True for _ in keys) else 128
    try:
        project.run("decrypt", file, environ=environ, code=code)
    except AssertionError:
        project.run("decrypt", file, environ=environ, code=128)
        return False
    return True


def rules(project: Project, *keys: AgeKey, more: str = "") -> None:
    project.write(
        ".sops.yaml", f"creation_rules:\n  - age: {','.join(key.recipient for key in keys)}\n{more}"
    )


def ciphertexts(project: Project) -> set[str]:
    return {line for line in project.read(FILE).splitlines() if "ENC[" in line and "mac:" not in line}


class TestUpdatekeys:
    def test_somebody_comes(self, sealed: Project) -> None:
        other = AgeKey.generate()
        rules(sealed, sealed.key, other)
        before = sealed.read(FILE)
        done = sealed.run("updatekeys", "--dry-run", FILE)
        assert done.out == f"{FILE}\n  Group 1\n      {sealed.key.recipient}\n  +++ {other.recipient}\n"
        assert done.err == ""
        assert sealed.read(FILE) == before
        sealed.run("updatekeys", "-y", FILE)
        assert opens(sealed, other)
        assert set(before.splitlines()) <= set(sealed.read(FILE).splitlines())
        assert "up to date" in sealed.run("updatekeys", FILE).err

    def test_somebody_goes(self, sealed: Project) -> None:
        other = AgeKey.generate()
        rules(sealed, sealed.key, other)
        sealed.run("updatekeys", "-y", FILE)
        before = ciphertexts(sealed)
        rules(sealed, sealed.key)
        done = sealed.run("updatekeys", "-y", FILE)
        assert f"--- {other.recipient}" in done.err
        assert "new data key" in done.err
        assert "change the secrets at their source" in done.err
        assert not ciphertexts(sealed) & before
        assert not opens(sealed, other)
        assert sealed.run("decrypt", FILE).out == PLAIN

    def test_the_data_key_can_stay(self, sealed: Project) -> None:
        other = AgeKey.generate()
        rules(sealed, sealed.key, other)
        sealed.run("updatekeys", "-y", FILE)
        before = ciphertexts(sealed)
        rules(sealed, sealed.key)
        sealed.run("updatekeys", "-y", "--keep-data-key", FILE)
        assert ciphertexts(sealed) == before
        assert not opens(sealed, other)

    def test_no_terminal_to_ask_on(self, sealed: Project) -> None:
        rules(sealed, AgeKey.generate(), sealed.key)
        done = sealed.run("updatekeys", FILE, code=1)
        assert "use --yes to accept all" in done.err

    @pytest.mark.parametrize(("answer", "done"), [("y", True), ("n", False), ("", False)])
    def test_asked(self, sealed: Project, answer: str, done: bool) -> None:
        other = AgeKey.generate()
        rules(sealed, sealed.key, other)
        terminal = Terminal(sealed, "updatekeys", FILE, environ={})
        terminal.wait_for("go on? [y/N]")
        terminal.type(f"{answer}\n")
        assert terminal.end() == 0
        assert opens(sealed, other) is done

    def test_many_files(self, sealed: Project) -> None:
        other = AgeKey.generate()
        names = [f"f{number}.yaml" for number in range(6)]
        for name in names:
            sealed.write(name, "a: 1\n")
            sealed.run("encrypt", "-i", name)
        rules(sealed, sealed.key, other)
        done = sealed.run("updatekeys", "-y", *names, "none.yaml", "secrets.yaml", code=1)
        assert "2 of 8 files failed" in done.err
        assert "none.yaml: no such file" in done.err
        assert all(opens(sealed, other, file=name) for name in names)

    def test_a_bar_on_a_terminal(self, sealed: Project) -> None:
        names = []
        for number in range(6):
            names.append(f"f{number}.yaml")
            sealed.write(names[-1], "a: 1\n")
            sealed.run("encrypt", "-i", names[-1])
        terminal = Terminal(sealed, "rotate", *names, environ={"TERM": "xterm"})
        assert terminal.end() == 0
        assert re.search(r"\rrotating \[#+-*\] [1-6]/6 ", terminal.seen)
        assert terminal.seen.count("with a new data key") == 6
        assert "rotating" not in "".join(screen(terminal.seen))

    def test_another_selection_is_reported(self, sealed: Project) -> None:
        rules(sealed, sealed.key, more="    encrypted_regex: ^password$\n")
        sealed.run("updatekeys", "-y", "--selection", "--allow-plaintext", FILE)
        assert "localhost" in sealed.read(FILE)
        rules(sealed, sealed.key, more="    encrypted_regex: ^(password|host)$\n")
        assert "updatekeys --selection" in sealed.run("updatekeys", FILE).err
        sealed.run("updatekeys", "-y", "--selection", FILE)
        assert "localhost" not in sealed.read(FILE)
        assert sealed.run("decrypt", FILE).out == PLAIN


class TestSelections:
    """What `updatekeys --selection` does to values that are encrypted already."""

    K8S = "kind: Secret\ntype: Opaque\nstringData:\n    password: hunter2\n"

    def test_no_encrypted_value_becomes_plaintext(self, project: Project) -> None:
        project.rules()
        project.write("s.enc.yaml", "# on call: 555\nroot: hunter2\n" + self.K8S)
        project.run("encrypt", "-i", "s.enc.yaml")
        project.rules("    encrypted_regex: ^(data|stringData)$\n")
        before = project.read("s.enc.yaml")
        for words in ([], ["-n"], ["-n", "--json"]):
            done = project.run("updatekeys", "-y", "--selection", *words, "s.enc.yaml", code=1)
            assert "error[plaintext]" in done.err
            assert "decrypt values in the file: 1 comment, root, kind, type" in done.err
            assert "unencrypted_suffix: _unencrypted" in done.err
            assert "--allow-plaintext" not in done.err
            assert "hunter2" not in done.err + done.out
        assert project.read("s.enc.yaml") == before
        project.run("updatekeys", "-y", "--selection", "--allow-plaintext", "s.enc.yaml")
        assert "root: hunter2" in project.read("s.enc.yaml")
        assert "kind: Secret" in project.read("s.enc.yaml")

    def test_one_file_of_several_is_refused(self, project: Project) -> None:
        project.rules()
        for name, more in (("a.yaml", []), ("b.yaml", ["--encrypted-regex", "^data$"])):
            project.write(name, "kind: Secret\ndata: hunter2\nstringData: hunter2\n")
            project.run("encrypt", "-i", *more, name)
        project.rules("    encrypted_regex: ^(data|stringData)$\n")
        done = project.run("updatekeys", "-y", "--selection", "a.yaml", "b.yaml", code=1)
        assert "1 of 2 files failed: a.yaml" in done.err
        assert "kind: ENC[" in project.read("a.yaml")
        assert "hunter2" not in project.read("b.yaml")
        assert "kind: Secret" in project.read("b.yaml")

    def test_a_rule_without_a_selection_accepts_the_files_own(self, project: Project) -> None:
        project.rules()
        project.write("s.enc.yaml", self.K8S)
        project.run("encrypt", "-i", "--encrypted-regex", "^stringData$", "s.enc.yaml")
        before = project.read("s.enc.yaml")
        done = project.run("updatekeys", "-y", "--selection", "s.enc.yaml")
        assert "s.enc.yaml is up to date" in done.err
        assert project.read("s.enc.yaml") == before
        assert "selection" not in project.run("updatekeys", "-y", "s.enc.yaml").err
        project.run("set", "s.enc.yaml", "kind", "ConfigMap")  # which no rule wants encrypted
        assert "kind: ConfigMap" in project.read("s.enc.yaml")

    def test_only_a_rule_that_encrypts_more_is_worth_a_warning(self, project: Project) -> None:
        project.rules()
        project.write("s.enc.yaml", self.K8S)
        project.run("encrypt", "-i", "--encrypted-regex", "^stringData$", "s.enc.yaml")
        project.rules("    encrypted_regex: ^(data|stringData)$\n")
        assert "another selection" not in project.run("updatekeys", "-y", "s.enc.yaml").err
        project.rules("    encrypted_regex: ^(kind|type)$\n")
        done = project.run("updatekeys", "-y", "s.enc.yaml")
        assert "which encrypts 2 values more" in done.err
        assert "--selection" not in done.err  # which would expose stringData
        assert "hint: that would also decrypt values in the file; encconf check says" in done.err
        project.rules("    encrypted_regex: ^(kind|stringData)$\n")
        done = project.run("updatekeys", "-y", "s.enc.yaml")
        assert (
            "s.enc.yaml has another selection than creation_rules[0], which encrypts 1 value more" in done.err
        )
        assert "hint: encconf updatekeys --selection s.enc.yaml makes it follow the rule" in done.err

    def test_a_rule_whose_mac_covers_more_is_worth_a_warning(self, project: Project) -> None:
        project.rules("    encrypted_regex: ^a$\n")
        project.write("s.enc.yaml", "a: 1\n")
        project.run("encrypt", "-i", "--encrypted-regex", "^a$", "--mac-only-encrypted", "s.enc.yaml")
        done = project.run("updatekeys", "-y", "s.enc.yaml")
        assert "which encrypts the MAC over all values" in done.err

    def test_only_another_selection_may_leave_plaintext(self, sealed: Project) -> None:
        done = sealed.run("updatekeys", "-y", "--allow-plaintext", "secrets.enc.yaml", code=8)
        assert "--allow-plaintext needs --selection" in done.err


class TestRotate:
    def test_a_new_data_key(self, sealed: Project) -> None:
        before = ciphertexts(sealed)
        done = sealed.run("rotate", "-n", FILE)
        assert done.out == f"{FILE}\n  every value is re-encrypted with a new data key\n"
        assert ciphertexts(sealed) == before
        sealed.run("rotate", FILE)
        assert not ciphertexts(sealed) & before
        assert sealed.run("decrypt", FILE).out == PLAIN

    def test_to_stdout(self, sealed: Project) -> None:
        before = sealed.read(FILE)
        done = sealed.run("rotate", "-o", "-", FILE)
        assert sealed.read(FILE) == before
        assert sealed.run("decrypt", "--input-type", "yaml", input=done.out).out == PLAIN
        sealed.write("other.yaml", before)
        sealed.run("rotate", "-o", "-", FILE, "other.yaml", code=1)
        sealed.run("rotate", "-o", "-", "--json", FILE, code=8)

    def test_keys_come_and_go(self, sealed: Project) -> None:
        other, nobody = AgeKey.generate(), AgeKey.generate().recipient
        said = sealed.run("rotate", "--rm-age", nobody, FILE).err
        assert f"warning: {FILE}: the file has no key age {nobody}" in said
        done = sealed.run("rotate", "--add-age", other.recipient, "--rm-age", sealed.key.recipient, FILE)
        assert "change the secrets at their source" in done.err
        assert opens(sealed, other)
        assert not opens(sealed, sealed.key)
        done = sealed.run("rotate", "--rm-age", other.recipient, FILE, environ=other.environ(), code=1)
        assert "this would remove the last key of a key group" in done.err

    def test_a_stranger_gets_no_new_data_key(self, sealed: Project) -> None:
        """Anyone can write a recipient into a file; rotating would let him in."""
        other = AgeKey.generate()
        sealed.run("rotate", "--add-age", other.recipient, FILE)
        before = sealed.read(FILE)
        for command in (
            ["rotate", FILE],
            ["rotate", "-n", FILE],
            ["set", "--ignore-mac", FILE, "a", "1"],
            ["unset", "--ignore-mac", FILE, "users"],
            ["edit", "--ignore-mac", FILE],
            ["groups", "add", "-i", "-f", FILE, "--age", AgeKey.generate().recipient],
        ):
            done = sealed.run(*command, environ=sealed.editor('echo "a: 1" > "$1"'), code=1)
            assert f"error[stranger]: {FILE}: " in done.err
            assert f"age {other.recipient}\n" in done.err, "in full"
            assert "encconf updatekeys secrets.enc.yaml updates the file to match .sops.yaml" in done.err
            assert sealed.read(FILE) == before
        sealed.run("rotate", "--rm-age", other.recipient, FILE)
        assert not opens(sealed, other)

    def test_without_a_rule_the_others_are_named_on_the_command_line(self, sealed: Project) -> None:
        """Your own key need not be."""
        other = AgeKey.generate()
        sealed.run("keys", "add", "--age", other.recipient, FILE)
        sealed.path(".sops.yaml").unlink()
        before = ciphertexts(sealed)
        done = sealed.run("rotate", FILE, code=1)
        assert f"they would get the data key: age {other.recipient}\n" in done.err
        assert "--add-age" not in done.err
        assert ciphertexts(sealed) == before
        sealed.run("rotate", "--add-age", other.recipient, FILE)
        assert not ciphertexts(sealed) & before
        assert opens(sealed, sealed.key)
        assert opens(sealed, other)

    def test_a_spoiled_key_of_a_stranger_is_not_wrapped(self, sealed: Project) -> None:
        """A key of a sops before 3.3.0 is wrapped again if recipients change, and it is one of ours."""
        entry = (
            "    version: 3.2.0\n    kms:\n        - arn: arn:aws:kms:eu-west-1:123456789012:key/evil\n"
            '          context:\n              a: "1"\n              b: "2"\n'
            '          created_at: "2020-01-01T00:00:00Z"\n          enc: AAAA\n          aws_profile: ""\n'
        )
        text = re.sub(r"(?m)^ +version: .*\n", lambda found: entry, sealed.read(FILE))
        sealed.write(FILE, text)
        new = AgeKey.generate().recipient
        done = sealed.run("keys", "add", "--age", new, FILE, code=1)
        assert "error[stranger]" in done.err
        assert "kms arn:aws:kms:eu-west-1:123456789012:key/evil|a:1,b:2" in done.err
        assert sealed.read(FILE) == text
        sealed.run("set", FILE, "a", "1")
        assert "enc: AAAA" in sealed.read(FILE)
        assert "version: 3.2.0" in sealed.read(FILE)


class TestGroups:
    def test_add_and_delete(self, sealed: Project) -> None:
        other = AgeKey.generate()
        before = ciphertexts(sealed)
        done = sealed.run("groups", "add", "-f", FILE, "--age", other.recipient)
        assert "shamir_threshold: 2" in done.out
        assert ciphertexts(sealed) == before
        done = sealed.run("groups", "add", "-i", "-f", FILE, "--age", other.recipient)
        assert "needs 2 of its 2 groups" in done.err
        assert not opens(sealed, sealed.key)
        assert opens(sealed, sealed.key, other)
        both = {"SOPS_AGE_KEY": f"{sealed.key.identity}\n{other.identity}"}
        rules(sealed, other)
        sealed.run("groups", "delete", "-i", "-f", FILE, "0", environ=both, code=1)
        sealed.run("groups", "delete", "-i", "-f", FILE, "--threshold", "1", "0", environ=both)
        assert opens(sealed, other)
        assert not opens(sealed, sealed.key)
        assert not ciphertexts(sealed) & before

    def test_mistakes(self, sealed: Project) -> None:
        sealed.run("groups", "add", "--age", sealed.key.recipient, code=100)
        sealed.run("groups", "add", "-f", FILE, code=1)
        sealed.run("groups", "delete", "-f", FILE, "x", code=1)
        sealed.run("groups", "delete", "-f", FILE, "7", code=1)
        assert (
            "INDEX must be a number" in sealed.run("groups", "delete", "-f", FILE, "0000000001", code=1).err
        )
        sealed.run("groups", "delete", "-f", FILE, "0", code=1)
        for threshold in ("x", "1", "3"):
            for words in ([], ["-n"]):
                words = ["--threshold", threshold, "--age", sealed.key.recipient, *words]
                assert "--threshold" in sealed.run("groups", "add", "-f", FILE, *words, code=1).err
        sealed.run("updatekeys", "-y", "--allow-plaintext", FILE, code=8)


class TestAddKeys:
    def test_one_recipient_more_and_every_ciphertext_stays(self, sealed: Project) -> None:
        other = AgeKey.generate()
        before = ciphertexts(sealed)
        done = sealed.run("keys", "add", "-n", "--age", other.recipient, FILE)
        assert f"+++ {other.recipient}" in done.out
        assert not opens(sealed, other)
        assert "keys add" not in sealed.run("keys", "add", "--age", other.recipient, FILE).err
        assert opens(sealed, other)
        assert opens(sealed, sealed.key)
        assert ciphertexts(sealed) == before
        assert "up to date" in sealed.run("keys", "add", "--age", other.recipient, FILE).err
        assert "no key was given" in sealed.run("keys", "add", FILE, code=1).err
        word = AgeKey.generate().recipient
        assert f"encconf keys add --name NAME {word}" in sealed.run("keys", "add", word, code=1).err
