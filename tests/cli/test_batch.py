"""Commands over many files: side by side, each key asked once; and however they end, no file is lost."""

from __future__ import annotations

import errno
import json
import os
import random
import re
import shlex
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from cli.many import fill, opened, plain, report, rule_for, rules
from doubles.moto_server import MotoServer
from doubles.recording_keyservice import RecordingKeyservice
from keys.passphrase import locked
from memory import PEAK_OF
from oracle import AgeKey
from project import Project, signal_another_thread, small_files

import encconf
from encconf import api, formats
from encconf.engine.metadata import Metadata
from encconf.identities.credentials import Credentials
from encconf.io import descriptors, fileio, replace
from encconf.keys import master_key
from encconf.rules.config import Rule
from encconf.rules.selection import DEFAULT
from encconf.verbs import rekey

from .terminal import Terminal

COUNT = 24


def enc(text: str) -> str:
    """The wrapped data key of the first recipient."""
    return Metadata.of(formats.get("yaml").scan(text)).groups[0][0].enc


# --- side by side --------------------------------------------------------------------------------


@pytest.mark.services
@pytest.mark.parametrize("command", [["rotate"], ["updatekeys", "-y"]])
def test_key_services_are_asked_side_by_side(project: Project, command: list[str]) -> None:
    with MotoServer() as aws:
        arn = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
        project.environ.update(aws.environ)
        names = [f"f{number}.yaml" for number in range(COUNT)]
        rule = Rule([[master_key("kms", arn)]], None, DEFAULT, "")
        credentials = Credentials(project.environ)
        for number, name in enumerate(names):
            project.write(name, api.encrypt(f"n: {number}\n", rule, credentials=credentials))
        project.write(".sops.yaml", f"creation_rules:\n  - kms: {arn}\n    age: {project.key.recipient}\n")
        aws.calls.clear()
        aws.together = {"Decrypt": 8} | ({"Encrypt": 4} if command == ["rotate"] else {})
        project.run(*command, *names)
        aws.together = {}
        assert aws.calls.count("Decrypt") == COUNT
        assert aws.peaks["Decrypt"] >= 8
        if command == ["rotate"]:
            assert aws.calls.count("Encrypt") == COUNT
            assert aws.peaks["Encrypt"] >= 4, "encrypting goes on side by side, too"
        held = encconf.load_configs([project.path(name) for name in names], credentials=credentials)
        assert held == [{"n": number} for number in range(COUNT)]


@pytest.mark.parametrize("command", [["rotate"], ["updatekeys", "-y"]])
def test_a_data_key_that_files_share_is_unwrapped_once(project: Project, command: list[str]) -> None:
    """Copies of a file have the same wrapped key."""
    names = fill(project, 12)
    for name in names[1:9]:
        project.write(name, project.read(names[0]))
    other = AgeKey.generate()
    rules(project, project.key, other)

    def answer(method: str, request: Any) -> bytes:
        key = master_key("age", request.key.age_key.recipient)
        credentials = Credentials(project.key.environ())
        if method == "Encrypt":
            return key.wrap(request.plaintext, credentials).encode()
        time.sleep(0.05)
        return key.unwrap(request.ciphertext.decode(), credentials)

    with RecordingKeyservice(answer) as service:
        environ = {"SOPS_KEYSERVICE": service.uri, "SOPS_ENABLE_LOCAL_KEYSERVICE": "false"}
        project.environ.pop("SOPS_AGE_KEY")
        project.run(*command, *names, environ=environ)
    methods = [method for method, _ in service.requests]
    assert methods.count("Decrypt") == 4
    assert methods.count("Encrypt") == 12
    assert [opened(project, name) for name in names[:2]] == [plain(names[0])] * 2


def test_a_passphrase_is_asked_for_once(project: Project) -> None:
    names = fill(project, 8)
    (project.home / "keys.txt").write_bytes(locked(project.key.identity.encode(), "open sesame"))
    project.environ.pop("SOPS_AGE_KEY")
    terminal = Terminal(
        project, "rotate", *names, environ={"SOPS_AGE_KEY_FILE": str(project.home / "keys.txt")}
    )
    terminal.wait_for("Enter passphrase")
    time.sleep(0.3)
    terminal.type("open sesame\n")
    assert terminal.end() == 0
    assert "Enter passphrase" not in terminal.seen
    assert terminal.seen.count("with a new data key") == 8


# --- however it ends -----------------------------------------------------------------------------

FILES = 160
SEEDS = range(int(os.environ.get("ENCCONF_KILLS", "1")))
"""How often the tests with random points are repeated; more for a long night."""


class Rotation:
    """Many files, and the state of each: the old text, or one with a new data key with the same values."""

    def __init__(self, project: Project) -> None:
        rules(project, project.key)
        self.project = project
        self.names = fill(project, FILES, folder="deploy/")
        self.old = {name: project.read(name) for name in self.names}

    def state(self) -> str:
        """A letter for each file: o for old, n for new; anything else fails."""
        letters = []
        for name in self.names:
            text = self.project.read(name)
            if text == self.old[name]:
                letters.append("o")
                continue
            assert opened(self.project, name) == plain(name)
            assert enc(text) != enc(self.old[name])
            letters.append("n")
        return "".join(letters)

    def leftovers(self) -> list[str]:
        return [name for name in os.listdir(self.project.path("deploy")) if replace.is_leftover(name)]

    def start(self, *more: str, **options: object) -> subprocess.Popen[bytes]:
        words = ["rotate", "--verbose", "-r", "deploy", *more]
        return self.project.popen(*words, stdout=-3, stderr=-1, **options)


@pytest.fixture
def rotation(project: Project) -> Rotation:
    return Rotation(project)


def read_until(process: subprocess.Popen[bytes], count: int) -> str:
    """What the process says until it has written so many files; the name of the last."""
    assert process.stderr is not None
    last = ""
    for _ in range(count):
        line = process.stderr.readline().decode()
        found = re.match(r"encconf: wrote (\S+), with a new data key", line)
        assert found or "left" in line, line
        last = found[1] if found else last
    return last


def test_a_killed_rotation_leaves_each_file_old_or_new(rotation: Rotation) -> None:
    """kill -9: each file is old or new, and the next rotation does only what is left."""
    for seed in SEEDS:
        draw = random.Random(seed)
        for name, text in rotation.old.items():
            rotation.project.write(name, text)
        written = 0
        resume: list[str] = []
        while written < FILES - 50:
            with rotation.start(*resume) as process:
                last = read_until(process, draw.randrange(10, 50))
                time.sleep(draw.choice((0, draw.random() * 0.03)))
                process.kill()
                assert process.stderr is not None
                after = re.findall(r"wrote (\S+), with a new data key", process.stderr.read().decode())
            last = after[-1] if after else last
            before, written = written, rotation.names.index(last) + 1
            assert before < written
            # What was written but not reported: one file at most.
            state = rotation.state()
            assert re.fullmatch(f"n{{{written}}}n?o*", state), state
            resume = ["--resume-at", last]
        done = {name: rotation.project.read(name) for name in rotation.names[: written - 1]}
        process = rotation.start(*resume)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert rotation.state() == "n" * FILES
        assert all(rotation.project.read(name) == text for name, text in done.items()), "not rotated twice"
        assert rotation.leftovers() == []


def test_a_killed_removal_of_a_recipient_can_be_repeated(project: Project) -> None:
    """kill -9 without a look at how far it is; the next run changes only what is left."""
    bob = AgeKey.generate()
    names = fill(project, FILES, bob, folder="deploy/")
    rules(project, project.key)
    old = {name: project.read(name) for name in names}
    items = sorted(f"`{path}` in `{name}`" for name in names for path in ("name", "password"))
    command = ["updatekeys", "--verbose", "-r", "-y", "--checklist", "list.md", "deploy"]

    def attempt(draw: random.Random) -> int | None:
        """Kill it soon after it has said some lines, or none; its exit code if it ended before."""
        with project.popen(*command, stdout=-3, stderr=-1, pipesize=4096) as process:
            assert process.stderr is not None
            for _ in range(draw.randrange(FILES // 3)):
                process.stderr.readline()
            time.sleep(draw.random() * 0.03)
            process.kill()
        return process.returncode if process.returncode >= 0 else None

    def whole(draw: random.Random) -> set[int]:
        """From the beginning to the end; how many files were changed at each kill."""
        for name in names:
            project.write(name, old[name])
        project.path("list.md").unlink(missing_ok=True)
        done: dict[str, str] = {}
        kills = set()
        for _ in range(100):
            code = attempt(draw)
            for name in names:
                text = project.read(name)
                if text == old[name]:
                    assert name not in done
                else:
                    assert text == done.setdefault(name, text), "changed twice"
            if done:
                listed = re.findall(r"^- \[ \] (.*): .* could read it$", project.read("list.md"), re.M)
                assert sorted(listed) == items, "all of it, before the first is changed"
            if code is not None:
                break
            kills.add(len(done))
        assert code == 0
        assert list(done) == names
        assert all(opened(project, name) == plain(name) for name in names)
        assert not any(bob.recipient in text for text in done.values())
        assert not any(replace.is_leftover(name) for name in os.listdir(project.path("deploy")))
        return kills

    for seed in SEEDS:
        draw = random.Random(f"out {seed}")
        # On a machine that is faster at times, it may never have been in the middle of it.
        assert any(whole(draw) - {0, FILES} for _ in range(5))


def test_git_shows_how_far_a_killed_rotation_got(rotation: Rotation) -> None:
    project = rotation.project
    project.git("init", "-q")
    project.git("add", "-A")
    project.git("commit", "-qm", "x")
    with rotation.start() as process:
        read_until(process, 30)
        process.kill()
    last = project.git("diff", "--name-only").splitlines()[-1]
    done = {name: project.read(name) for name in rotation.names[: rotation.names.index(last)]}
    assert len(done) >= 29
    project.run("rotate", "-r", "deploy", "--resume-at", last)
    assert rotation.state() == "n" * FILES
    assert all(project.read(name) == text for name, text in done.items())
    assert rotation.leftovers() == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_interrupts_and_says_how_to_continue(
    rotation: Rotation, number: signal.Signals, code: int
) -> None:
    with rotation.start(pipesize=4096) as process:  # which holds about 60 lines: it waits for who reads them
        read_until(process, 40)
        process.send_signal(number)
        assert process.stderr is not None
        rest = process.stderr.read().decode()
    assert process.returncode == code
    state = rotation.state()
    written = state.count("n")
    assert state == "n" * written + "o" * (FILES - written)
    assert rotation.leftovers() == []
    assert "Traceback" not in rest
    reported = re.search(rf"interrupted: (\d+) of {FILES} files are done", rest)
    assert reported
    assert written - 1 <= int(reported[1]) <= written
    hint = re.search(r"to continue, repeat the command, with (.*)\n", rest)
    assert hint
    done = {name: rotation.project.read(name) for name in rotation.names[: written - 1]}
    rotation.project.run("rotate", "-r", "deploy", *shlex.split(hint[1]))
    assert rotation.state() == "n" * FILES
    assert all(rotation.project.read(name) == text for name, text in done.items())


def test_a_signal_does_not_wait_for_a_slow_service(project: Project) -> None:
    """It does not wait for answers that are on their way."""
    names = fill(project, 8)
    going = threading.Event()

    def answer(method: str, request: Any) -> bytes:
        going.set()
        time.sleep(30)
        return b""

    with RecordingKeyservice(answer) as service:
        environ = {"SOPS_KEYSERVICE": service.uri, "SOPS_ENABLE_LOCAL_KEYSERVICE": "false"}
        process = project.popen("rotate", *names, environ=environ, stderr=-1)
        assert going.wait(20)
        start = time.monotonic()
        signal_another_thread(process.pid, signal.SIGTERM)  # as one just before the wait, it does not end it
        _, err = process.communicate(timeout=30)
        assert time.monotonic() - start < 30  # what the service takes
        assert process.returncode == 143
        assert b"interrupted: 0 of 8 files are done" in err


def test_updatekeys_run_again_does_the_rest(project: Project) -> None:
    names = fill(project, 40)
    other = AgeKey.generate()
    rules(project, project.key, other)
    with project.popen("updatekeys", "--verbose", "-y", "-r", ".", stderr=-1) as process:
        assert process.stderr is not None
        for _ in range(10):
            assert b"wrote" in process.stderr.readline()
        process.kill()
        written = 10 + process.stderr.read().count(b"wrote")
    before = {name: project.read(name) for name in names}
    done = project.run("updatekeys", "-y", "-r", ".")
    said = re.search(r"(\d+) files are up to date", done.err)
    assert said is not None
    assert written <= int(said[1]) <= written + 1
    changed = [name for name in names if project.read(name) != before[name]]
    assert len(changed) == 40 - int(said[1])
    assert all(other.recipient in project.read(name) for name in names)


@pytest.mark.parametrize("command", [["rotate"], ["updatekeys", "-y"]])
def test_files_that_do_not_fit_on_the_disk_fail_and_others_are_done(
    project: Project, command: list[str]
) -> None:
    """Files larger than may be written stay as they are; the others are done."""
    names = fill(project, 6)
    large = api.encrypt("a: " + "x" * 20_000 + "\n", rule_for(project.key), format="yaml")
    project.write("f2x.yaml", large)
    rules(project, project.key, AgeKey.generate())
    old = project.read(names[0])
    process = project.popen(*command, "-r", ".", stderr=-1, **small_files(16_384))
    _, err = process.communicate(timeout=60)
    assert process.returncode == 3
    assert b"error[unwritable]: f2x.yaml: cannot be written: file too large" in err
    assert b"1 of 7 files failed: f2x.yaml" in err
    assert project.read("f2x.yaml") == large
    assert project.read(names[0]) != old
    assert [opened(project, name) for name in names] == [plain(name) for name in names]
    assert [name for name in project.names() if replace.is_leftover(name)] == []


def test_a_disk_that_fills_up_stops_the_command(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from encconf.cli import main

    names = fill(project, 9)
    before = {name: project.read(name) for name in names}
    room = 3
    write_all = descriptors.write_all

    def write(descriptor: int, data: bytes) -> None:
        nonlocal room
        if descriptor > 2:
            room -= 1
        write_all(descriptor, data if room >= 0 else data[:100])
        if room < 0 and descriptor > 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(replace, "write_all", write)
    monkeypatch.chdir(project.folder)
    for name, value in project.environ.items():
        monkeypatch.setenv(name, value)
    assert main(["rotate", "-r", "--json", "."]) == 3
    said = capsys.readouterr().err
    assert "error[unwritable]: f3.yaml: cannot be written: no space left on device" in said
    assert "6 of 9 files failed: f3.yaml, f4.yaml, f5.yaml, f6.yaml, f7.yaml, f8.yaml" in said
    assert [name for name in names if project.read(name) == before[name]] == names[3:]
    assert [opened(project, name) for name in names[:3]] == [plain(name) for name in names[:3]]
    assert [name for name in project.names() if replace.is_leftover(name)] == []


def test_after_a_bug_encconf_says_how_to_continue(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from encconf.cli import main

    fill(project, 4)
    monkeypatch.chdir(project.folder)
    for name, value in project.environ.items():
        monkeypatch.setenv(name, value)
    write = fileio.write_atomic

    def broken(path: str, *args: Any, **options: Any) -> None:
        if path.endswith("f2.yaml"):
            raise ValueError("s3cret")
        write(path, *args, **options)

    monkeypatch.setattr(fileio, "write_atomic", broken)
    monkeypatch.setattr("sys.argv", ["encconf", "rotate", "-r", "."])
    assert main(["rotate", "-r", "."]) == 1
    said = capsys.readouterr().err
    assert "interrupted: 2 of 4 files are done" in said
    assert "to continue, repeat the command, with --resume-at f2.yaml\n" in said
    assert "unexpected ValueError" in said
    assert "s3cret" not in said


def test_files_without_permission_fail_and_others_are_done(project: Project) -> None:
    """The others are done, and nothing is lost; also as root, who here may do no more than others."""
    names = fill(project, 4)
    locked = fill(project, 1, folder="locked/")[0]
    fill(project, 1, folder="shut/")
    before = {name: project.read(name) for name in [*names, locked]}
    project.path(names[1]).chmod(0o444)
    project.path(names[2]).chmod(0o000)
    project.path("locked").chmod(0o555)
    project.path("shut").chmod(0o000)
    process = project.popen("rotate", "-r", "--json", ".", stdout=-1, stderr=-1, before=_AS_ANYBODY)
    out, err = process.communicate(timeout=60)
    project.path("locked").chmod(0o755)
    project.path("shut").chmod(0o755)
    project.path(names[2]).chmod(0o644)
    assert process.returncode == 1, err
    assert b"error[unwritable]: f1.yaml: cannot be written: permission denied" in err
    assert b"error[unreadable]: f2.yaml: cannot be read: permission denied" in err
    assert b"wrote locked/f0.yaml" in err  # the file itself may be written
    assert b"f2.yaml: the same for 1 other file: shut" in err  # and not like f1.yaml
    assert b"3 of 6 files failed: f1.yaml, f2.yaml, shut" in err
    assert [row["status"] for row in report(out.decode())["files"]] == [
        "changed", "failed", "failed", "changed", "changed", "failed",
    ]  # fmt: skip
    changed = [name for name, text in before.items() if project.read(name) != text]
    assert changed == ["f0.yaml", "f3.yaml", "locked/f0.yaml"]
    assert project.path(names[1]).stat().st_mode & 0o777 == 0o444


_AS_ANYBODY = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
"""Words before a program's, for one without the right of root to pass over the modes of files."""


def test_a_file_that_another_program_changes_meanwhile_is_kept(project: Project, tmp_path: Path) -> None:
    """What somebody else does to a file while its key is asked for stays as it is."""
    names = fill(project, 6)
    theirs = api.encrypt("mine: 1\n", rule_for(project.key), format="yaml")
    project.write("f0.yaml", theirs)
    other = tmp_path / "other.yaml"
    other.write_text("untouched: 1\n")
    before = project.read("f5.yaml")

    def meanwhile() -> None:
        project.write("f1.yaml", theirs)
        os.unlink(project.path("f2.yaml"))
        for name in ("f3.yaml", "f4.yaml"):
            os.unlink(project.path(name))
        os.symlink(other, project.path("f3.yaml"))
        os.mkdir(project.path("f4.yaml"))

    all_read = threading.Barrier(len(names), meanwhile, timeout=20)

    def answer(method: str, request: Any) -> bytes:
        key = master_key("age", project.key.recipient)
        credentials = Credentials(project.key.environ())
        if method == "Encrypt":
            return key.wrap(request.plaintext, credentials).encode()
        all_read.wait()
        return key.unwrap(request.ciphertext.decode(), credentials)

    with RecordingKeyservice(answer) as service:
        environ = {"SOPS_KEYSERVICE": service.uri, "SOPS_ENABLE_LOCAL_KEYSERVICE": "false"}
        done = project.run("rotate", "-r", ".", environ=environ, code=3)
    assert "error[changed]: f1.yaml: another program changed it in the meantime" in done.err
    assert "f1.yaml: the same for 1 other file: f2.yaml" in done.err
    assert "error[unwritable]: f3.yaml: cannot be written: it is no longer a regular file" in done.err
    assert "error[unwritable]: f4.yaml: cannot be written: it is a folder" in done.err
    assert "4 of 6 files failed" in done.err
    assert project.read("f1.yaml") == theirs
    assert not project.path("f2.yaml").exists()
    assert other.read_text() == "untouched: 1\n"
    assert os.listdir(project.path("f4.yaml")) == []
    assert encconf.loads(project.read("f0.yaml"), credentials=Credentials(project.environ)) == {"mine": 1}
    assert project.read("f5.yaml") != before
    assert opened(project, "f5.yaml") == plain("f5.yaml")
    assert set(project.names()) == {".sops.yaml", *names} - {"f2.yaml"}


def test_links_and_several_names_of_a_file(project: Project) -> None:
    """A link that is named leads to its file and stays; a file with several names is written once."""
    fill(project, 2, folder="a/")
    os.symlink("a/f0.yaml", project.path("link.yaml"))
    os.link(project.path("a/f1.yaml"), project.path("a/hard.yaml"))
    os.link(project.path("a/f1.yaml"), project.path("outside.yaml"))
    before = {name: project.read(name) for name in ("a/f0.yaml", "a/f1.yaml")}
    project.path("a/f0.yaml").chmod(0o640)
    done = project.run("rotate", "-r", "link.yaml", "a/f0.yaml", "a")
    assert done.err.count("wrote") == 2, done.err
    assert os.readlink(project.path("link.yaml")) == "a/f0.yaml"
    assert project.path("a/f0.yaml").stat().st_mode & 0o777 == 0o640
    for name, plain_of in (
        ("a/f0.yaml", "a/f0.yaml"),
        ("a/f1.yaml", "a/f1.yaml"),
        ("a/hard.yaml", "a/f1.yaml"),
        ("outside.yaml", "a/f1.yaml"),
    ):
        assert project.read(name) != before[plain_of]
        assert opened(project, name) == plain(plain_of)


def test_temporary_files_of_killed_commands_are_removed(project: Project) -> None:
    names = fill(project, 2, folder="a/")
    kept = [".encconf-0123456789", ".encconf-saved-01234567", ".encconfig"]
    for name in (".encconf-01234567", *kept):
        project.write(f"a/{name}", project.read(names[0]))
    assert "removed" not in project.run("rotate", "-r", "-n", "a").err
    done = project.run("rotate", "-r", "a")
    assert "removed a/.encconf-01234567" in done.err.replace(str(project.folder) + "/", "")
    assert done.err.count("wrote") == 4  # an encrypted file is one by its content
    left = sorted(os.listdir(project.path("a")))
    assert left == [*kept, "f0.yaml", "f1.yaml"]


# --- failures ------------------------------------------------------------------------------------


def test_a_failure_does_not_stop_the_others(project: Project) -> None:
    names = fill(project, 5)
    project.write(
        "f1.yaml",
        project.read("f1.yaml").replace("password: ENC[AES256_GCM,data:", "password: ENC[AES256_GCM,data:A"),
    )
    other = AgeKey.generate()
    project.write("f3.yaml", encconf.encrypt(plain("x"), rule_for(other)))
    rules(project, project.key, other)
    before = {name: project.read(name) for name in names}
    done = project.run("rotate", "-r", ".", code=1)
    assert "error[decrypt]: f1.yaml: " in done.err
    assert "error[no-key]: f3.yaml: " in done.err
    assert "2 of 5 files failed: f1.yaml, f3.yaml" in done.err
    assert [name for name in names if project.read(name) == before[name]] == ["f1.yaml", "f3.yaml"]


def test_the_exit_code_is_that_of_the_only_kind_of_failure(project: Project) -> None:
    fill(project, 3)
    project.run("rotate", "-r", ".", environ=AgeKey.generate().environ(), code=128)


def test_a_mistake_in_the_rules_is_printed_once(project: Project) -> None:
    fill(project, 5, folder="a/")
    project.write(".sops.yaml", "creation_rules: [\n")
    done = project.run("updatekeys", "-y", "-r", ".", code=1)
    assert done.err.count("error[") == 1
    assert done.err.count("/.sops.yaml: ") == 1
    assert "5 of 5 files failed: a/f0.yaml, a/f1.yaml, a/f2.yaml, a/f3.yaml, a/f4.yaml" in done.err
    project.write(
        ".sops.yaml", f"creation_rules:\n  - path_regex: f[0-2]\n    age: {project.key.recipient}\n"
    )
    done = project.run("updatekeys", "-y", "-r", ".", code=1)
    assert done.err.count("no matching creation rules found") == 1
    assert "a/f3.yaml: the same for 1 other file: a/f4.yaml" in done.err
    assert "2 of 5 files failed: a/f3.yaml, a/f4.yaml" in done.err


def test_fail_fast(project: Project) -> None:
    names = fill(project, 5)
    project.write("f1.yaml", project.read("f1.yaml").replace("sops:", "sops: ["))
    before = {name: project.read(name) for name in names}
    done = project.run("rotate", "-r", "--fail-fast", "--json", ".", code=2)
    assert "stopped: 1 of 5 files are done, 1 failed; the others were not changed" in done.err
    assert "to continue, repeat the command, with --resume-at f1.yaml\n" in done.err
    assert [name for name in names if project.read(name) != before[name]] == ["f0.yaml"]
    report = json.loads(done.out)
    assert report["not_reached"] == ["f2.yaml", "f3.yaml", "f4.yaml"]
    assert [row["status"] for row in report["files"]] == ["changed", "failed"]


def test_files_that_were_only_planned_are_not_skipped(project: Project) -> None:
    names = fill(project, 3)
    project.write("f1.yaml", project.read("f1.yaml").replace("sops:", "sops: ["))
    before = {name: project.read(name) for name in names}
    done = project.run("rotate", "-r", "--fail-fast", "--checklist", "list.md", ".", code=2)
    assert {name: project.read(name) for name in names} == before
    assert "to continue, repeat the command, with --resume-at f0.yaml\n" in done.err


def test_resume_at_needs_a_file_of_the_list(project: Project) -> None:
    fill(project, 2)
    assert (
        "x is not one of the files that you gave"
        in project.run("rotate", "-r", ".", "--resume-at", "x", code=1).err
    )


# --- plans and reports ---------------------------------------------------------------------------


def test_failures_in_the_report(project: Project) -> None:
    fill(project, 1)
    project.write("plain.yaml", "a: 1\n")
    done = project.run("rotate", "--json", "f0.yaml", "plain.yaml", code=1)
    found = report(done.out)
    assert found["failed"] == 1
    assert found["files"][1]["error"]["slug"] == "not-encrypted"
    done = project.run("rotate", "--json", "plain.yaml", code=1)
    assert report(done.out)["files"][0]["status"] == "failed"
    assert "the file is not encrypted" in done.err


def test_the_configuration_is_read_once(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from encconf.cli import main
    from encconf.rules import config

    fill(project, 20, folder="a/")
    rules(project, project.key)
    calls: list[str] = []
    load = config.load
    monkeypatch.setattr(config, "load", lambda path, *more: calls.append(path) or load(path, *more))
    monkeypatch.chdir(project.folder)
    for name, value in project.environ.items():
        monkeypatch.setenv(name, value)
    assert main(["updatekeys", "-r", "-n", "a"]) == 0
    assert len(calls) <= 2, "threads may begin at the same time"


# --- git -----------------------------------------------------------------------------------------


def test_changed(project: Project) -> None:
    names = fill(project, 4, folder="deploy/")
    rules(project, project.key)
    project.git("init", "-q")
    project.git("add", "-A")
    project.git("commit", "-qm", "x")
    assert project.run("rotate", "--changed").err == "encconf: no encrypted file has changed\n"
    assert report(project.run("rotate", "--changed", "--json").out)["files"] == []
    project.run("set", names[2], "password", "new")
    done = project.run("rotate", "--changed", "--json")
    assert [row["file"] for row in report(done.out)["files"]] == [names[2]]
    project.git("rm", "-q", "--cached", names[0])
    done = project.run("updatekeys", "-n", "--json", "--changed", "deploy")
    assert [row["file"] for row in report(done.out)["files"]] == [names[0], names[2]]


# --- what a terminal shows -----------------------------------------------------------------------


class TestOnATerminal:
    def test_one_confirmation_for_all_files(self, project: Project) -> None:
        names = fill(project, 3)
        other = AgeKey.generate()
        rules(project, project.key, other)
        terminal = Terminal(project, "updatekeys", "-r", ".", environ={})
        terminal.wait_for("f0.yaml, f1.yaml, f2.yaml change:")
        terminal.wait_for("go on with 3 files? [y/N]")
        terminal.type("y\n")
        assert terminal.end() == 0
        assert terminal.seen.count("wrote") == 3
        assert all(other.recipient in project.read(name) for name in names)

    def test_only_confirmed_plans_are_carried_out(self, project: Project) -> None:
        fill(project, 2)
        other, third = AgeKey.generate(), AgeKey.generate()
        rules(project, project.key, other)
        terminal = Terminal(project, "updatekeys", "-r", ".", environ={})
        terminal.wait_for("go on with 2 files? [y/N]")
        meanwhile = api.encrypt("a: 1\n", rule_for(project.key, third), format="yaml")
        project.write("f1.yaml", meanwhile)
        terminal.type("y\n")
        assert terminal.end() == 3
        assert "f1.yaml: it was changed in the meantime" in terminal.seen
        assert project.read("f1.yaml") == meanwhile
        assert other.recipient in project.read("f0.yaml")

    def test_files_stay_unchanged_without_confirmation(self, project: Project) -> None:
        names = fill(project, 2)
        before = [project.read(name) for name in names]
        rules(project, project.key, AgeKey.generate())
        terminal = Terminal(project, "updatekeys", "-r", ".", environ={})
        terminal.wait_for("[y/N]")
        terminal.type("\n")
        assert terminal.end() == 0
        assert terminal.seen.count("was not changed") == 2
        assert [project.read(name) for name in names] == before

    def test_a_progress_bar_is_shown(self, project: Project) -> None:
        names = fill(project, 6)
        for environ, drawn in (({"TERM": "xterm"}, True), ({"TERM": "dumb"}, False)):
            terminal = Terminal(project, "rotate", *names, environ=environ)
            assert terminal.end() == 0
            assert ("rotating" in terminal.seen) is drawn
            assert ("6/6" in terminal.seen) is drawn
            assert terminal.seen.count("with a new data key\r\n") == 6
            assert "\r\n\r\nencconf" not in terminal.seen
        few = Terminal(project, "rotate", *names[:3], environ={"TERM": "xterm"})
        assert few.end() == 0
        assert "rotating" not in few.seen
        assert "rotating" not in project.run("rotate", *names).err

    def test_ctrl_c_interrupts(self, project: Project) -> None:
        fill(project, 300)  # more than the terminal holds: it waits for who reads them
        terminal = Terminal(project, "rotate", "--verbose", "-r", ".", environ={"TERM": "xterm"})
        terminal.wait_for("wrote f19.yaml")
        terminal.type("\x03")
        assert terminal.end() == 130
        assert "to continue" in terminal.seen
        assert "Traceback" not in terminal.seen

    @pytest.mark.parametrize("command", ["decrypt", "rotate"])
    def test_the_slow_service_is_named(self, project: Project, command: str) -> None:
        names = fill(project, 1 if command == "decrypt" else 6)
        credentials = Credentials(project.key.environ())
        shown = threading.Event()

        def answer(method: str, request: Any) -> bytes:
            key = master_key("age", project.key.recipient)
            if method == "Encrypt":
                return key.wrap(request.plaintext, credentials).encode()
            if shown.is_set():
                time.sleep(2.3)
            shown.wait(20)
            return key.unwrap(request.ciphertext.decode(), credentials)

        with RecordingKeyservice(answer) as service:
            environ = {"SOPS_KEYSERVICE": service.uri, "SOPS_ENABLE_LOCAL_KEYSERVICE": "false"}
            terminal = Terminal(project, command, *names[:4], environ={**environ, "TERM": "xterm"})
            label = master_key("age", project.key.recipient).label
            terminal.wait_for(f"waiting for {label} (1 s)")
            terminal.wait_for("(2 s)")
            shown.set()
            assert terminal.end() == 0
            assert re.match(r"\r +\r", terminal.seen), "the line goes away"
            if command == "decrypt":
                assert terminal.seen.endswith(plain(names[0]).replace("\n", "\r\n"))
                quiet = project.run("decrypt", names[0], environ=environ)
                assert quiet.err == ""


def test_a_plan_names_removed_keys(age_key: AgeKey) -> None:
    """The plan, without the command line."""
    bob = AgeKey.generate()
    text = api.encrypt("a: [1, {b: x}]\nplain_unencrypted: 1\nempty: ''\n", rule_for(age_key, bob))
    wanted = rekey.plan(text, rule_for(age_key), format="yaml")
    assert [key.name for key in wanted.removed] == [bob.recipient]
    assert wanted.added == []
    seen = wanted.seen()
    assert seen is not None
    assert seen.paths == [("a", 0), ("a", 1, "b")]
    assert seen.alone
    assert rekey.plan(text, rule_for(age_key, bob), format="yaml").seen() is None


def test_reports_contain_paths_but_no_values(project: Project, tmp_path: Path) -> None:
    """No value of a file gets into any report, message or argument list."""
    fill(project, 2)
    rules(project, AgeKey.generate())
    for args in (["-n"], ["-n", "--json"], ["-y", "--json"]):
        done = project.run("updatekeys", "-r", ".", *args)
        assert "hunter2" not in done.out + done.err


@pytest.mark.parametrize("words", [["updatekeys", "-r", "-y"], ["check"], ["check", "--verify"]])
def test_memory_does_not_grow_with_the_number_of_files(project: Project, words: list[str]) -> None:
    """Files that the fast reader leaves to libyaml, whose buffers take 150 kB for each text."""
    text = "a: {b: value-x, c: [value-y, value-z]}\n" + "".join(f"k{at}: value-{at}\n" for at in range(40))
    sealed = api.encrypt(text, rule_for(project.key, AgeKey.generate()))
    rules(project, project.key)
    used = []
    for count in (100, 300):
        for number in range(count):
            project.write(f"n{count}/f{number}.yaml", sealed)
        process = project.popen(*words, f"n{count}", before=PEAK_OF, stdout=subprocess.PIPE)
        used.append(int(process.communicate()[0]))
        assert process.returncode == int(words[0] == "check")  # it reports the other recipient
    assert used[1] - used[0] < 6_500, used  # KiB; the documents alone take 40 each
