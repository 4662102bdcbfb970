"""``encconf diff`` as a program: what it prints, how it ends, and what it never shows."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from audit.sealed_texts import (
    ALICE,
    BOB,
    CAROL,
    CASES,
    PLAIN,
    again,
    committed,
    lines,
    seal,
    update,
)
from project import Project

from encconf.cli import main

VALUES = (
    "db.internal.example",
    "hunter2",
    "canary",
    "15432",
    "7391",
    "t0ken",
    "true",
    "True",
    "false",
    "False",
)


def _texts(data: object) -> Iterator[str]:
    """All texts and numbers in some JSON."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield f"{key}\n"
            yield from _texts(value)
    elif isinstance(data, list):
        for value in data:
            yield from _texts(value)
    elif data is not None and not isinstance(data, bool):
        yield f"{data}\n"


# --- the command ---------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path, home: Path) -> Project:
    return committed(tmp_path / "p", home)


_ALL = "password|token|name|pin|host|port|tls"


class TestCommand:
    def test_a_file_is_compared_with_the_last_commit(self, project: Project) -> None:
        assert project.run("diff", "s.yaml").out == ""
        assert project.run("diff").out == ""
        update(project, "hunter2", "hunter3")
        wanted = ["HEAD:s.yaml → s.yaml", "  ~ db.password: changed"]
        for words in ([], ["s.yaml"], ["HEAD"], ["HEAD", "s.yaml"], ["--", "s.yaml"], ["HEAD:s.yaml"], ["."]):
            assert lines(project.run("diff", *words, code=1)) == wanted, words

    def test_recipients_have_names_and_changed_rules_are_shown(self, project: Project) -> None:
        people = f"      - {ALICE.recipient} # alice\n      - {CAROL.recipient} # carol\n"
        project.write(
            ".sops.yaml",
            f"creation_rules:\n  - age:\n{people}    encrypted_regex: {_ALL}\n",
        )
        project.run("updatekeys", "-y", "--selection", "--allow-plaintext", "s.yaml")
        done = project.run("diff", code=1)
        alice, bob, carol = (key.recipient for key in (ALICE, BOB, CAROL))
        assert alice not in done.out
        assert lines(done) == [
            "HEAD:.sops.yaml → .sops.yaml",
            f"  ~ creation_rules[0].age[1]: changed: bob (former, {bob}) → carol ({carol})",
            "  + creation_rules[0].encrypted_regex: added",
            "  ~ comments: 1 changed",
            "HEAD:s.yaml → s.yaml",
            f"  + recipient: carol ({carol})",
            f"  - recipient: bob (former, {bob})",
            f"  ~ selection: unencrypted_suffix _unencrypted → encrypted_regex {_ALL}",
            "  ~ data key: a new one",
        ]
        assert done.err == "encconf: 2 files differ; values: 1 changed, 1 added\n"

    def test_without_a_key(self, project: Project) -> None:
        update(project, "hunter2", "hunter3")
        other = {"SOPS_AGE_KEY": CAROL.identity}
        wanted = [
            "HEAD:s.yaml → s.yaml",
            "  ? db.password: a different ciphertext, perhaps of the same value",
        ]
        done = project.run("diff", environ=other, code=1)
        assert lines(done) == wanted
        assert "compared without a key: HEAD:s.yaml: none of your keys opens this file" in done.err
        done = project.run("diff", "--keyless", code=1)
        assert lines(done) == wanted
        assert done.err == ""

    def test_keyless_uses_no_key(self, project: Project) -> None:
        update(project, "hunter2", "hunter3")
        environ = {"SOPS_AGE_KEY": "", "SOPS_AGE_KEY_CMD": f"touch {project.path('asked')}"}
        project.run("diff", "--keyless", environ=environ, code=1)
        assert not project.path("asked").exists()
        project.run("diff", environ=environ, code=1)
        assert project.path("asked").exists()

    def test_a_plaintext_file_is_compared_with_an_encrypted_one(self, project: Project) -> None:
        project.write("plain.yaml", PLAIN)
        assert project.run("diff", "plain.yaml", "s.yaml").out == ""
        assert project.run("diff", "-", "s.yaml", input=PLAIN).out == ""
        project.write("plain.yaml", PLAIN.replace("hunter2", "hunter3"))
        assert lines(project.run("diff", "plain.yaml", "s.yaml", code=1))[1:] == ["  ~ db.password: changed"]
        done = project.run("diff", "--keyless", "plain.yaml", "s.yaml", code=2)
        assert lines(done)[1:] == ["  ? 9 values: cannot be compared without a key"]
        assert "without a key, encconf cannot tell whether they are the same" in done.err
        data = json.loads(project.run("diff", "--keyless", "--json", "plain.yaml", "s.yaml", code=2).out)
        assert data["files"][0]["differs"] is None

    def test_values_are_shown_only_on_demand(self, project: Project) -> None:
        update(project, "hunter2-canary", "two\\nlines\\x1b[31m")
        done = project.run("diff", "--show-values", code=1)
        assert lines(done)[1:] == ['  ~ db.password: changed: "hunter2-canary" → "two\\\\nlines\\\\x1b[31m"']
        data = json.loads(project.run("diff", "--show-values", "--json", code=1).out)
        (change,) = data["files"][0]["changes"]
        assert (change["old_value"], change["new_value"]) == ("hunter2-canary", "two\\nlines\\x1b[31m")
        assert "exclude each other" in project.run("diff", "--show-values", "--keyless", code=2).err

    def test_no_value_is_printed(
        self, project: Project, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """Every kind of change, in every kind of report, with and without a key, not even guessable ones."""
        monkeypatch.chdir(project.folder)
        monkeypatch.setenv("SOPS_AGE_KEY", ALICE.identity)
        before = project.read("s.yaml")
        texts = [PLAIN.replace(old, new) for old, new, _ in CASES]
        texts.append(PLAIN.replace("tls: true", "tls: false"))
        texts.append(PLAIN.replace("# the database", "# canary"))
        project.write("plain.yaml", PLAIN)
        words = ([], ["plain.yaml", "s.yaml"], ["other.yaml", "plain.yaml"], ["HEAD:s.yaml", "other.yaml"])
        for text in texts:
            project.write("s.yaml", again(before, text))
            project.write("other.yaml", text)
            for options in ([], ["--json"], ["--keyless"], ["--keyless", "--json"], ["-q"]):
                for two in words:
                    with pytest.raises(SystemExit) as ended:
                        main(["diff", *options, *two])
                    assert ended.value.code in (1, 2)
                    out, err = capfd.readouterr()
                    said = out + err
                    if "--json" in options:  # it has words of its own
                        said = "".join(_texts(json.loads(out))) + err
                    assert bool(said) == (options != ["-q"])
                    for value in VALUES:
                        assert value not in said, (options, two)

    def test_quiet(self, project: Project) -> None:
        assert project.run("diff", "-q").out == ""
        update(project, "hunter2", "hunter3")
        done = project.run("diff", "--quiet", code=1)
        assert (done.out, done.err) == ("", "")
        done = project.run("diff", "--quiet", environ={"SOPS_AGE_KEY": CAROL.identity}, code=1)
        assert (done.out, done.err) == ("", "")

    def test_json(self, project: Project) -> None:
        update(project, "hunter2", "hunter3")
        data = json.loads(project.run("diff", "--json", code=1).out)
        assert data["differs"] is True
        (file,) = data["files"]
        assert (file["old"], file["new"], file["compared"]) == ("HEAD:s.yaml", "s.yaml", "values")
        (change,) = file["changes"]
        assert (change["kind"], change["path"], change["certain"]) == ("changed", "db.password", True)
        assert "old_value" not in change
        assert (file["data_key"], file["threshold"]) == ("same", {"old": 1, "new": 1})
        assert json.loads(project.run("diff", "--json", "HEAD", "HEAD").out) == {
            "differs": False,
            "files": [],
            "problems": [],
        }

    @pytest.mark.parametrize(
        "words",
        [
            ["nothing-like-that"],
            ["s.yaml", "missing.yaml"],
            ["HEAD:missing.yaml"],
            ["HEAD", "--", "missing.yaml"],
            ["a", "b", "c"],
            [".", "s.yaml"],
            ["--nope"],
            ["--json", "--quiet"],
            ["HEAD~7"],
            ["-"],
        ],
        ids=" ".join,
    )
    def test_the_exit_code_of_failures_is_2(self, words: list[str], project: Project) -> None:
        done = project.run("diff", *words, code=2)
        assert done.out == ""
        assert "error[" in done.err

    def test_other_files_are_compared_if_one_cannot_be_parsed(self, project: Project) -> None:
        broken = project.read("s.yaml").replace("db:\n", "db: [\n")
        update(project, "hunter2", "hunter3")
        project.write("a.yaml", broken)
        project.git("add", "a.yaml")
        done = project.run("diff", code=2)
        assert "  ~ db.password: changed" in lines(done)
        assert "error[parse]: a.yaml" in done.err

    def test_other_files_are_compared_if_one_is_not_text_or_not_readable(self, project: Project) -> None:
        update(project, "hunter2", "hunter3")
        project.path("b.yaml").write_bytes(project.read("s.yaml").encode() + b"\xff")
        project.git("add", "b.yaml")
        done = project.run("diff", "--", "b.yaml", "s.yaml", code=2)
        assert "  ~ db.password: changed" in lines(done)
        assert "error[parse]: b.yaml: line " in done.err
        project.git("commit", "-qm", "b", "b.yaml")
        blob = project.git("rev-parse", "HEAD:b.yaml").strip()
        os.unlink(project.path(f".git/objects/{blob[:2]}/{blob[2:]}"))
        project.write("b.yaml", "b: b\n")
        done = project.run("diff", "--", "b.yaml", "s.yaml", code=2)
        assert "  ~ db.password: changed" in lines(done)
        assert "error[unreadable]: HEAD:b.yaml: git cannot read its content" in done.err
        assert "error[unreadable]: HEAD:b.yaml" in project.run("diff", "b.yaml", code=2).err

    def test_files_without_a_conflict_are_still_compared(self, project: Project) -> None:
        """What has none is compared all the same."""
        project.git("branch", "side")
        for branch, value in (("side", "hunter3"), ("main", "hunter4")):
            project.git("checkout", "-q", branch)
            update(project, "hunter2", value)
            project.write("note", f"{value}\n")
            project.git("add", "-A")
            project.git("commit", "-qm", branch)
        project.git("merge", "-q", "side", code=1)
        project.write("t.yaml", seal("a: value\n"))
        project.git("add", "t.yaml")
        done = project.run("diff", "--staged", code=2)
        assert "error[unreadable]: s.yaml: it has a merge conflict" in done.err
        assert "note" not in done.err
        assert lines(done)[0] == "HEAD:t.yaml → staged:t.yaml"
        done = project.run("diff", code=2)
        assert "error[parse]: s.yaml" in done.err
        assert lines(done)[0] == "HEAD:t.yaml → t.yaml"

    def test_control_characters_of_names_are_escaped(self, project: Project) -> None:
        name = "a\x1b]0;owned\x07\u202e\n  - secret: removed\udcff.yaml"
        project.write(name, seal('"k\\u202e\\e[31m\\n  - x: removed": value\n'))
        project.git("add", "-A")
        done = project.run("diff", code=1)
        assert [line[:4] for line in lines(done)] == ["HEAD", "  + ", "  + ", "  + "]
        assert (done.out + done.err).replace("\n", "").isprintable()
        (file,) = json.loads(project.run("diff", "--json", code=1).out)["files"]
        assert file["new"] == name

    def test_programs_in_the_settings_of_a_repository_are_not_run(
        self, project: Project, tmp_path: Path
    ) -> None:
        ran = tmp_path / "ran"
        update(project, "hunter2", "hunter3")
        for setting in (
            "core.fsmonitor",
            "diff.external",
            "diff.x.textconv",
            "filter.x.smudge",
        ):
            project.git("config", setting, f"touch {ran};")
        project.write(".gitattributes", "* diff=x filter=x\n")
        ran.unlink(missing_ok=True)
        project.run("diff", code=1)
        assert not ran.exists()


def test_hundreds_of_files_in_seconds(project: Project) -> None:
    text = project.read("s.yaml")
    for number in range(300):
        project.write(f"{number}.yaml", text)
    project.git("add", "-A")
    project.git("commit", "-qm", "many")
    changed = again(text, PLAIN.replace("hunter2", "hunter3"))
    for number in range(300):
        project.write(f"{number}.yaml", changed)
    start = time.monotonic()
    done = project.run("diff", code=1)
    assert done.out.count("  ~ db.password: changed") == 300
    assert done.err == "encconf: 300 files differ; values: 300 changed\n"
    assert time.monotonic() - start < 30
