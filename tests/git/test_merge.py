"""Merging with a real git: the driver under every command that merges, and what is left to people."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from git.team import (
    _WORDS,
    FILE,
    MERGED,
    RESOLVE,
    TEXT,
    branches,
    commit,
    conflict,
    driver,
    leaks,
    plain,
    sops_says,
    without_key,
)
from merge.corpus import CASES, Case
from oracle import AgeKey, Sops, SopsError
from project import Project, Result

import encconf
from encconf import cli
from encconf.errors import UnmergedError

GIT = tuple(map(int, re.findall(r"\d+", subprocess.check_output(["git", "--version"]).decode())[:2]))
AS_CONFLICT = GIT < (2, 42)  # what is more than 128 was a conflict to git, too
FAILS = 1 if AS_CONFLICT else 2


def sops_refuses(project: Project, file: str = FILE) -> None:
    with pytest.raises(SopsError, match=r"MAC|mac"):
        sops_says(project, file)


def both(project: Project) -> str:
    """What is in the file where no driver could merge: both versions, between markers."""
    ours, theirs = (project.git("show", f"{name}:{FILE}") for name in ("main", "other"))
    return f"<<<<<<< HEAD\n{ours}=======\n{theirs}>>>>>>> other\n"


# --- every command that merges -------------------------------------------------------------------

COMMANDS = ["merge", "rebase", "cherry-pick", "stash pop"]
_ARGUMENTS = {"merge": ["merge", "-q", "--no-edit"]}
_ENDING = {"dotenv": "env"}
SUBSET = [
    next(case for case in CASES if case.format == format and case.names == names)
    for format, names in [
        ("yaml", ("add", "comment-change")),
        ("yaml", ("list-add", "list-delete")),
        ("json", ("change", "section")),
        ("dotenv", ("comment-change", "end")),
        ("ini", ("add", "delete")),
        ("toml", ("item-add", "restyle")),
    ]
]


@pytest.mark.parametrize(
    ("case", "command"),
    [*((case, "merge") for case in SUBSET), *((SUBSET[0], command) for command in COMMANDS[1:])],
    ids=lambda each: each if isinstance(each, str) else each.id,
)
def test_under_every_command(repository: Project, case: Case, command: str) -> None:
    file = f"x.enc.{_ENDING.get(case.format, case.format)}"
    if command == "stash pop":
        commit(repository, case.base, file)
        (repository.home / "new").write_text(case.theirs)
        repository.run("edit", file, environ=repository.editor(f'cat "{repository.home}/new" > "$1"'))
        repository.git("stash", "-q")
        commit(repository, case.ours, file)
        repository.git("stash", "pop", "-q")
    else:
        branches(repository, case.base, case.ours, case.theirs, file)
        repository.git(*_ARGUMENTS.get(command, [command]), "other")
    assert plain(repository, file) == case.merged
    assert sorted(repository.names()) == sorted([".git", ".gitattributes", ".sops.yaml", FILE, file])
    if case.format != "toml":
        sops_says(repository, file)
    assert "<<<<" not in repository.git("diff", "HEAD~1")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_conflict(team: Project, command: str) -> None:
    conflict(team, command)
    assert f"UU {FILE}" in team.git("status", "--short")
    sops_refuses(team)
    for args in (
        ["decrypt", FILE],
        ["set", FILE, '["a"]', "1"],
        ["unset", FILE, '["mail"]'],
        ["rotate", "-i", FILE],
        ["export", "--format", "json", FILE],
        ["exec-env", FILE, "true"],
    ):
        done = team.run(*args, code=51)
        assert "a merge left a conflict in the file" in done.err
        assert "encconf edit" in done.err
    with pytest.raises(UnmergedError):
        encconf.load_config(team.path(FILE), credentials=encconf.Credentials(team.environ))
    before = team.read(FILE)
    # Markers that are left are noticed, also when nothing was changed.
    done = team.run("edit", FILE, environ=team.editor('cat "$1"; sleep 0.1'), code=51)
    assert [line[:7] for line in done.out.splitlines() if line[:1] in "<|=>"] == [
        "<<<<<<<", "|||||||", "=======", ">>>>>>>",
    ]  # fmt: skip
    assert "    # the first one\n<<<<<<<" in done.out
    first, second = "0urs-pa55", "the1rs-pa55"
    if command == "rebase":  # what is put on top is theirs
        first, second = second, first
    assert first in done.out.partition("=======")[0]
    assert second in done.out.partition("=======")[2]
    assert "line 3 is a conflict marker" in done.err
    assert f"hint: {FILE} was not changed\n" in done.err
    assert not list(team.folder.glob("*.unsaved-*"))
    assert "saved again" not in team.run("diff", FILE, code=1).out
    assert team.read(FILE) == before
    assert leaks(team, *_WORDS) == []
    team.run("edit", FILE, environ=team.editor(RESOLVE))
    assert plain(team) == TEXT.replace("pa55-w0rd", second).replace("t0ken", "t1ken")
    assert second in sops_says(team)
    assert "encconf_" not in team.read(FILE)
    team.git("add", FILE)
    if command in ("rebase", "cherry-pick"):
        team.git("-c", "core.editor=true", command, "--continue")
    assert leaks(team, *_WORDS) == []


def test_a_conflict_that_is_given_up(team: Project) -> None:
    conflict(team, "merge")
    team.git("checkout", "--theirs", FILE)
    assert "the1rs-pa55" in plain(team)
    team.git("checkout", "--merge", FILE)
    assert "encconf_conflict" in team.read(FILE)
    team.git("merge", "--abort")
    assert "0urs-pa55" in plain(team)


def test_a_conflict_that_was_committed(team: Project) -> None:
    """By mistake: whoever has the file still can resolve it; programs cannot use it."""
    conflict(team, "merge")
    team.git("commit", "-qam", "oops")
    team.run("decrypt", FILE, code=51)
    team.run("edit", FILE, environ=team.editor(RESOLVE))
    assert "the1rs-pa55" in plain(team)


def test_a_revert(team: Project) -> None:
    commit(team, TEXT.replace("5432", "5433"))
    commit(team, TEXT.replace("5432", "5433").replace("t0ken", "t1ken"))
    team.git("revert", "--no-edit", "HEAD~1")
    assert plain(team) == TEXT.replace("t0ken", "t1ken")


def test_a_patch_by_mail(team: Project) -> None:
    """It is merged with the versions that it names, if git's configuration says so."""
    branches(team, TEXT, TEXT.replace("5432", "5433"), TEXT.replace("t0ken", "t1ken"))
    (team.home / "patch").write_text(team.git("format-patch", "-1", "--stdout", "--full-index", "other"))
    team.git("am", "-q", "--3way", str(team.home / "patch"))
    assert plain(team) == MERGED


def test_from_a_folder_of_the_repository(team: Project) -> None:
    """The hint is for whoever reads it there."""
    branches(team, TEXT, TEXT.replace("5432", "5433"), TEXT.replace("5432", "5434"))
    team.path("deep").mkdir()
    team.folder = team.path("deep")
    who = ["-c", "user.name=x", "-c", "user.email=x@example.com"]
    done = subprocess.run(
        ["git", *who, "merge", "other"], cwd=team.folder, env=team.environ, capture_output=True, check=False
    )
    assert f"hint: encconf edit ../{FILE} && git add ../{FILE}\n" in done.stderr.decode()
    done = team.run("edit", f"../{FILE}", environ=team.editor(RESOLVE))
    assert f"hint: to finish the merge: git add ../{FILE}\n" in done.err
    assert "5434" in plain(team, f"../{FILE}")


def test_the_names_of_the_sides(team: Project) -> None:
    conflict(team, "merge")
    out = team.run("edit", FILE, environ=team.editor('cat "$1"'), code=51).out
    assert "<<<<<<< HEAD\n" in out
    assert ">>>>>>> other\n" in out


def test_someone_alters_the_conflict(team: Project) -> None:
    conflict(team, "merge")
    enc = team.read(FILE)
    member = "encconf_conflict: ENC[AES256_GCM,data:"
    for text in (
        enc.replace(member, f"{member}AAAA"),
        re.sub(r" *encconf_conflict: .*\n", "", enc),
        "note_unencrypted: trust me\n" + enc,
    ):
        assert text != enc
        team.write(FILE, text)
        team.run("edit", FILE, environ=team.editor(RESOLVE), code=51)
        assert team.read(FILE) == text


def test_recorded_resolutions_hold_nothing(team: Project) -> None:
    team.git("config", "rerere.enabled", "true")
    conflict(team, "merge")
    team.run("edit", FILE, environ=team.editor(RESOLVE))
    team.git("commit", "-qam", "resolved")
    assert leaks(team, *_WORDS) == []


def test_several_common_versions(team: Project) -> None:
    """A criss-cross: git merges the common versions first, and then with a conflict in them."""
    branches(team, TEXT, TEXT.replace("pa55-w0rd", "one"), TEXT.replace("pa55-w0rd", "two"))
    team.git("checkout", "-qb", "left", "main")
    team.git("merge", "other", code=1)
    team.run("edit", FILE, environ=team.editor(RESOLVE))
    team.git("commit", "-qam", "left")
    team.git("checkout", "-qb", "right", "other")
    team.git("merge", "main", code=1)
    team.run("edit", FILE, environ=team.editor(RESOLVE))
    team.git("commit", "-qam", "right")
    commit(team, plain(team).replace("t0ken", "t1ken"))
    team.git("checkout", "-q", "left")
    commit(team, plain(team).replace("5432", "5433"))
    team.git("merge", "right", code=1)
    shown = team.run("edit", FILE, environ=team.editor('cat "$1"'), code=51).out
    assert "t1ken" in shown
    assert "5433" in shown
    assert shown.count("<<<<<<<") == 1


# --- what git decides by itself ------------------------------------------------------------------


def test_both_sides_made_the_file(team: Project) -> None:
    team.git("checkout", "-qb", "other")
    commit(team, "a: 1\nb: 2\n", "new.enc.yaml")
    team.git("checkout", "-q", "main")
    commit(team, "a: 1\nc: 3\n", "new.enc.yaml")
    team.git("merge", "-q", "--no-edit", "other")
    assert plain(team, "new.enc.yaml") == "a: 1\nc: 3\nb: 2\n"
    sops_says(team, "new.enc.yaml")


def test_one_side_took_the_file_out(team: Project) -> None:
    team.git("checkout", "-qb", "other")
    team.git("rm", "-q", FILE)
    team.git("commit", "-qm", "gone")
    team.git("checkout", "-q", "main")
    commit(team, TEXT.replace("5432", "5433"))
    assert "modify/delete" in team.git("merge", "other", code=1)
    assert plain(team) == TEXT.replace("5432", "5433")


def test_a_renamed_file(team: Project) -> None:
    team.git("checkout", "-qb", "other")
    team.path("deep").mkdir()
    team.git("mv", FILE, "deep/-it's new.enc.yaml")
    team.git("commit", "-qam", "moved")
    commit(team, TEXT.replace("t0ken", "t1ken"), "deep/-it's new.enc.yaml")
    team.git("checkout", "-q", "main")
    commit(team, TEXT.replace("5432", "5433"))
    team.git("merge", "-q", "--no-edit", "other")
    merged = TEXT.replace("t0ken", "t1ken").replace("5432", "5433")
    assert team.run("decrypt", "./deep/-it's new.enc.yaml").out == merged


@pytest.mark.parametrize("side", ["main", "other"])
def test_one_side_is_not_encrypted(team: Project, side: str) -> None:
    branches(team, TEXT, TEXT.replace("5432", "5433"), TEXT.replace("t0ken", "t1ken"))
    team.git("checkout", "-q", side)
    team.run("decrypt", "-i", FILE)
    team.git("commit", "-qam", "plain")
    team.git("checkout", "-q", "main")
    said = team.git("merge", "--no-edit", "other", code=1)
    assert "ENC[" in team.read(FILE)
    assert "t1ken" not in team.read(FILE)
    assert "CONFLICT" in said
    # It opens only after a person has seen what the plaintext changes.
    assert "encconf edit" in team.run("decrypt", FILE, code=51).err
    shown = team.home / "shown"
    editor = team.editor(f'cp "$1" {shown}; sed -i "/^[<|=>]\\{{7\\}}/d" "$1"')
    team.run("edit", FILE, environ=editor, code=2)  # it leaves both values
    assert "<<<<<<<" in shown.read_text()
    both_values = {"5432", "5433"} if side == "main" else {"t0ken", "t1ken"}
    assert both_values <= set(re.findall("t[01]ken|543[23]", shown.read_text()))
    team.git("reset", "-q", "--hard", "HEAD")
    without_key(team)
    assert "CONFLICT" in team.git("merge", "other", code=1)
    assert team.read(FILE) == both(team)


def test_neither_side_is_encrypted(team: Project) -> None:
    """What git does with any other text."""
    file = "template.enc.yaml"
    team.write(file, "a: 1\nb: 2\nc: 3\nd: 4\n")
    team.git("add", ".")
    team.git("commit", "-qm", "plain")
    team.git("checkout", "-qb", "other")
    team.write(file, "a: 1\nb: 2\nc: 3\nd: 5\n")
    team.git("commit", "-qam", "plain")
    team.git("checkout", "-q", "main")
    team.write(file, "a: 2\nb: 2\nc: 3\nd: 4\n")
    team.git("commit", "-qam", "plain")
    team.git("merge", "-q", "--no-edit", "other")
    assert team.read(file) == "a: 2\nb: 2\nc: 3\nd: 5\n"
    team.git("checkout", "-qb", "third", "HEAD~2")
    team.write(file, "a: 3\nb: 2\nc: 3\nd: 4\n")
    team.git("commit", "-qam", "plain")
    team.git("merge", "main", code=1)
    assert "<<<<<<< HEAD\na: 3\n" in team.read(file)


# --- without a key -------------------------------------------------------------------------------


def keyless(team: Project, command: str = "merge") -> AgeKey:
    """Somebody without a key merges sides that touched different values; returns the key."""
    branches(team, TEXT, TEXT.replace("5432", "5433"), TEXT.replace("t0ken", "t1ken"))
    key = without_key(team)
    team.git(*_ARGUMENTS.get(command, [command]), "other")
    return key


@pytest.mark.parametrize("command", ["merge", "rebase", "cherry-pick"])
def test_without_a_key(team: Project, command: str) -> None:
    key = keyless(team, command)
    assert team.git("status", "--short") == ""
    assert "encconf_merge: " in team.read(FILE)
    assert "none of your keys opens this file" in team.run("edit", FILE, code=128).err
    team.environ.update(key.environ())
    sops_refuses(team)
    done = team.run("decrypt", FILE, code=51)
    assert "merged without a key" in done.err
    done = team.run("edit", FILE, environ=team.editor("exit 1"))  # no editor is needed
    assert "merged again" in done.err
    assert "warning" not in done.err
    assert plain(team) == MERGED
    assert "t1ken" in sops_says(team)
    assert "encconf_" not in team.read(FILE)
    assert "nothing was changed" in team.run("edit", FILE, environ=team.editor("true"), code=200).err


def test_without_a_key_one_line_says_so(team: Project, tmp_path: Path) -> None:
    branches(team, TEXT, TEXT.replace("5432", "5433"), TEXT.replace("t0ken", "t1ken"))
    names = [str(tmp_path / name) for name in "abc"]
    for name, revision in zip(names, ("main~1", "main", "other"), strict=True):
        Path(name).write_text(team.git("show", f"{revision}:{FILE}"))
    stranger = AgeKey.generate().environ()
    done = team.run("git", "merge", *names, f"./{FILE}", environ=stranger)
    assert done.err.startswith(f"encconf: warning: {FILE} was merged without a key")
    assert done.err.count("\n") == 2
    # What one side alone has changed keeps its MAC.
    done = team.run("git", "merge", names[0], names[2], names[0], f"./{FILE}", environ=stranger)
    assert done.err == ""
    assert Path(names[2]).read_text() == team.git("show", f"other:{FILE}")


def test_a_key_that_should_have_opened_it(team: Project) -> None:
    """Whoever has a key, and cannot use it now, hears why the file has no MAC."""
    branches(team, TEXT, TEXT.replace("5432", "5433"), TEXT.replace("t0ken", "t1ken"))
    environ = {"SOPS_AGE_KEY": "", "SOPS_AGE_KEY_CMD": "false"}
    for name, revision in (("base", "main~1"), ("ours", "main"), ("theirs", "other")):
        team.write(name, team.git("show", f"{revision}:{FILE}"))
    done = team.run("git", "merge", "base", "ours", "theirs", f"./{FILE}", environ=environ)
    assert "not usable: SOPS_AGE_KEY_CMD (false failed" in done.err
    assert "merged without a key" in done.err


def test_without_a_key_and_at_odds(team: Project) -> None:
    branches(team, TEXT, TEXT.replace("5432", "5433"), TEXT.replace("5432", "5434"))
    key = without_key(team)
    assert "CONFLICT" in team.git("merge", "other", code=1)
    assert team.read(FILE) == both(team)
    team.git("checkout", "-q", "--ours", FILE)
    team.environ.update(key.environ())
    assert "5433" in plain(team)


@pytest.mark.parametrize("what", ["value", "plain value", "parents", "more"])
def test_what_is_not_only_a_merge_is_refused(team: Project, what: str) -> None:
    key = keyless(team)
    team.environ.update(key.environ())
    enc = team.read(FILE)
    if what == "value":
        older = re.findall(r"(?m)^ +port: (ENC\[.*)$", team.git("show", f"HEAD~1~1:{FILE}"))[0]
        changed = re.sub(r"(?m)^( +port: )ENC\[.*$", lambda found: found[1] + older, enc)
    elif what == "plain value":
        changed = "note_unencrypted: trust me\n" + enc
    elif what == "parents":
        changed = re.sub(r"(?m)(encconf_merge: \w+ )\w+", lambda found: found[1] + "1" * 40, enc)
    else:
        changed = re.sub(r"(?m)^ +# ENC.*\n|^ +#ENC.*\n", "", enc)
    assert changed != enc
    team.write(FILE, changed)
    done = team.run("edit", FILE, environ=team.editor("true"), code=51)
    assert "--ignore-mac" in done.err
    assert team.read(FILE) == changed
    team.run("decrypt", FILE, code=51)
    # Who has looked at it says so by saving it.
    team.run("edit", "--ignore-mac", FILE, environ=team.editor("true"))
    assert "encconf_" not in team.read(FILE)
    sops_says(team)


@pytest.mark.parametrize("committed", [True, False])
def test_a_merge_of_older_versions_is_reported(team: Project, committed: bool) -> None:
    """Whoever merges without a key names the parents, and could name some that are long gone."""
    key = keyless(team)
    old = team.read(FILE)
    team.environ.update(key.environ())
    team.run("edit", FILE)
    team.git("commit", "-qam", "MAC")
    commit(team, MERGED.replace("t1ken", "t2ken"))
    team.write(FILE, old)
    if committed:
        team.git("commit", "-qam", "back again")
    done = team.run("edit", FILE)
    assert f"{FILE} was not merged into the version that git had before it" in done.err
    assert "values may be older" in done.err


def test_the_next_merge_with_a_key_finishes_it(team: Project) -> None:
    key = keyless(team)
    team.git("checkout", "-qb", "third", "main~1")
    team.environ.update(key.environ())
    commit(team, plain(team) + "new: 1\n")
    for name, revision in (("base", "main~1"), ("ours", "third"), ("theirs", "main")):
        team.write(name, team.git("show", f"{revision}:{FILE}"))
    done = team.run("git", "merge", "base", "ours", "theirs", f"./{FILE}")
    assert "their side was merged without a key; its MAC is added now" in done.err
    team.git("merge", "-q", "--no-edit", "main")
    assert plain(team) == MERGED + "new: 1\n"
    sops_says(team)


def test_two_merges_without_a_key(team: Project) -> None:
    branches(team, TEXT, TEXT.replace("5432", "5433"), TEXT.replace("t0ken", "t1ken"))
    team.git("checkout", "-qb", "third", "main~1")
    commit(team, TEXT + "new: 1\n")
    team.git("checkout", "-q", "main")
    key = without_key(team)
    for branch in ("other", "third"):
        team.git("merge", "-q", "--no-edit", branch)
    team.environ.update(key.environ())
    team.run("edit", FILE)
    assert plain(team) == MERGED + "new: 1\n"


def test_somebody_new_merges_what_was_made_before(team: Project) -> None:
    """Who got the data key by one side needs no key for the other."""
    branches(team, TEXT, TEXT.replace("5432", "5433"), TEXT.replace("t0ken", "t1ken"))
    new = AgeKey.generate()
    team.run("rotate", "--add-age", new.recipient, "-i", FILE)
    team.git("reset", "-q", "--hard")
    team.write(".sops.yaml", f"creation_rules:\n  - age: {team.key.recipient},{new.recipient}\n")
    team.run("updatekeys", "-y", FILE)
    team.git("commit", "-qam", "somebody new")
    team.environ.update(new.environ())
    team.git("merge", "-q", "--no-edit", "other")
    assert plain(team) == MERGED
    sops = Sops(new.environ())
    assert b"t1ken" in sops.run("decrypt", str(team.path(FILE))).stdout


# --- the merge tool ------------------------------------------------------------------------------


# --- when it fails -------------------------------------------------------------------------------


def test_a_side_that_cannot_be_used_is_a_conflict(team: Project) -> None:
    enc = team.read(FILE)
    tampered = enc.replace("password: ENC[AES256_GCM,data:", "password: ENC[AES256_GCM,data:AAAA")
    other = enc.replace("port", "tort")
    assert f"{FILE}: their side: " in driver(team, enc, enc + "\n", tampered, 1).err
    assert f"{FILE}: our side: " in driver(team, enc, other, enc + "\n", 1).err
    assert "common version" in driver(team, tampered, enc + "\n", enc, 1).err
    markers = f"<<<<<<< HEAD\n{enc}=======\n{enc}>>>>>>> other\n"
    assert "error[parse]" in driver(team, enc, enc, markers, 1).err


def test_a_version_that_is_not_there_is_a_failure(team: Project) -> None:
    done = team.run("git", "merge", "none", FILE, FILE, f"./{FILE}", code=129)
    assert "error[no-such-file]" in done.err


def test_git_gives_up_where_it_fails(team: Project) -> None:
    """Everything is as it was: 129 is no conflict."""
    branches(team, TEXT, TEXT.replace("5432", "5433"), TEXT.replace("t0ken", "t1ken"))
    setting = team.git("config", "merge.encconf.driver").strip().replace("%O", "none")
    team.git("config", "merge.encconf.driver", setting)
    before = team.read(FILE)
    team.git("merge", "other", code=FAILS)
    if AS_CONFLICT:
        assert team.read(FILE) == both(team)
        team.git("merge", "--abort")
    assert team.git("status", "--short") == ""
    assert team.read(FILE) == before


def test_where_the_driver_fails_git_add_does_not_lose_their_side(team: Project) -> None:
    """git before 2.42 takes every failure for a conflict, and leaves in the file what the driver left."""
    branches(team, TEXT, TEXT.replace("5432", "5433"), TEXT.replace("t0ken", "t1ken"))
    before = team.read(FILE)
    done = team.run("git", "merge", "none", FILE, FILE, f"./{FILE}", environ={"GITHEAD_12": "x"}, code=129)
    assert "error[no-such-file]" in done.err
    assert team.read(FILE) == f"<<<<<<< HEAD\n{before}=======\n{before}>>>>>>> x\n"


def test_the_disk_is_full(team: Project) -> None:
    branches(team, TEXT, TEXT.replace("5432", "5433"), TEXT.replace("t0ken", "t1ken"))
    shutil.copy(team.path(FILE), team.path("ours"))
    team.write("base", team.git("show", f"main~1:{FILE}"))
    team.write("theirs", team.git("show", f"other:{FILE}"))
    before = team.read("ours")
    # Nor can Python write its .pyc files, which it would leave cut off.
    merge = f"encconf git merge base ours theirs ./{FILE}"
    limited = f"ulimit -f 0; PYTHONDONTWRITEBYTECODE=1 exec {merge}"
    for theirs in (team.read("theirs"), "sops: ["):  # not even markers can be written beside it
        team.write("theirs", theirs)
        done = subprocess.run(
            ["bash", "-c", limited], cwd=team.folder, env=team.environ, capture_output=True, check=False
        )
        assert done.returncode == 129, done
        assert team.read("ours") == before


@pytest.mark.parametrize(
    ("given", "size"),
    [("7", 7), ("12", 12), ("0", 7), ("x", 7), ("1000", 7), ("2147483647", 7), ("9" * 5000, 7)],
)
def test_the_length_of_the_markers(project: Project, given: str, size: int) -> None:
    """Whoever writes .gitattributes sets it, and a huge number would take all memory."""
    project.write("base", "x: 1\n")
    for theirs, code in (("x: 3\n", "undecided"), ("sops: [", "parse")):
        project.write("ours", "x: 2\n")
        project.write("theirs", theirs)
        done = project.run(
            "git", "merge", "base", "ours", "theirs", "./x.yaml", "--marker-size", given, code=1
        )
        assert f"error[{code}]" in done.err
        assert project.read("ours").startswith(f"{'<' * size} ours\nx: 2\n")


def test_an_error_in_encconf_does_not_lose_their_side(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("encconf.git.run", fails)
    for name, text in (("base", "x: 1\n"), ("ours", "x: 2\n"), ("theirs", "x: 3\n")):
        project.write(name, text)
    names = [str(project.path(name)) for name in ("base", "ours", "theirs")]
    assert cli.main(["git", "merge", *names, "./x.yaml"]) == 129
    assert project.read("ours") == "<<<<<<< ours\nx: 2\n=======\nx: 3\n>>>>>>> theirs\n"


# --- who may join --------------------------------------------------------------------------------


def names(project: Project, *keys: AgeKey) -> None:
    """Commit a .sops.yaml that names these."""
    recipients = ",".join(key.recipient for key in keys)
    project.write(".sops.yaml", f"creation_rules:\n  - age: {recipients}\n")
    project.git("add", ".sops.yaml")
    project.git("commit", "-qm", "who may read")


def stranger_branch(project: Project, old: AgeKey, new: AgeKey, *, rule: bool = False) -> None:
    """``other``, made without a key: one recipient's entry is another's now; ``main`` changes a value."""
    project.git("checkout", "-qb", "other")
    project.write(FILE, project.read(FILE).replace(old.recipient, new.recipient))
    if rule:
        project.write(".sops.yaml", project.read(".sops.yaml").replace(old.recipient, new.recipient))
    project.git("commit", "-qam", "innocent")
    project.git("checkout", "-q", "main")
    commit(project, TEXT.replace("5432", "5433"))


def driver_says(project: Project, code: int, **environ: str) -> Result:
    """The driver on main and other, as git calls it."""
    for name, revision in (("base", project.git("merge-base", "main", "other").strip()), ("ours", "main"),
                           ("theirs", "other")):  # fmt: skip
        project.write(name, project.git("show", f"{revision}:{FILE}"))
    return project.run("git", "merge", "base", "ours", "theirs", f"./{FILE}", environ=environ, code=code)


@pytest.mark.parametrize("rule", [False, True], ids=["the file", "their .sops.yaml too"])
def test_a_branch_lets_no_stranger_in(team: Project, rule: bool) -> None:
    """Removing an entry makes a new data key, which recipients that the branch added must not get."""
    carol, evil = AgeKey.generate(), AgeKey.generate()
    names(team, team.key, carol)
    team.run("updatekeys", "-y", FILE)
    team.git("commit", "-qam", "carol")
    stranger_branch(team, carol, evil, rule=rule)
    before = team.read(FILE)
    done = driver_says(team, 129)
    assert "error[stranger]" in done.err
    assert f"age {evil.recipient}" in done.err, "the whole name"
    assert "commit that, and try again" in done.err
    assert team.read("ours") != team.read("theirs")
    assert evil.recipient not in team.read("ours").partition("=======")[0]
    assert team.git("merge", "other", code=FAILS) is not None
    if AS_CONFLICT:
        assert team.read(FILE) == both(team)
        team.git("merge", "--abort")
    assert team.read(FILE) == before
    team.run("decrypt", FILE, environ=carol.environ())
    # The same, and then a decision of ours.
    names(team, team.key, carol, evil)
    team.git("merge", "-q", "--no-edit", *(["-X", "ours"] if rule else []), "other")
    assert "5433" in team.run("decrypt", FILE, environ=evil.environ()).out
    team.run("decrypt", FILE, environ=carol.environ(), code=128)


def test_a_recipient_that_our_rule_names_joins_and_is_named_in_full(team: Project) -> None:
    bob = AgeKey.generate()
    branches(team, TEXT, TEXT.replace("5432", "5433"), TEXT.replace("t0ken", "t1ken"))
    team.git("checkout", "-q", "other")
    names(team, team.key, bob)
    team.run("updatekeys", "-y", FILE)
    team.git("commit", "-qam", "bob")
    team.git("checkout", "-q", "main")
    assert bob.recipient in driver_says(team, 129).err
    names(team, team.key, bob)
    assert f"their side adds age {bob.recipient}\n" in driver_says(team, 0).err
    team.git("merge", "-q", "--no-edit", "other")
    assert team.run("decrypt", FILE, environ=bob.environ()).out == MERGED


def test_without_a_rule_it_is_said_how_to_go_on(team: Project) -> None:
    carol, evil = AgeKey.generate(), AgeKey.generate()
    names(team, team.key, carol)
    team.run("updatekeys", "-y", FILE)
    team.git("rm", "-q", ".sops.yaml")
    team.git("commit", "-qam", "no rules")
    stranger_branch(team, carol, evil)
    done = driver_says(team, 129)
    assert f"no .sops.yaml of ours names: age {evil.recipient}\n" in done.err
    assert "add them to .sops.yaml, commit that, and try again" in done.err


def test_without_a_key_no_stranger_is_merged_in(team: Project) -> None:
    carol, evil = AgeKey.generate(), AgeKey.generate()
    names(team, team.key, carol)
    team.run("updatekeys", "-y", FILE)
    team.git("commit", "-qam", "carol")
    stranger_branch(team, carol, evil)
    assert evil.recipient in driver_says(team, 129, **AgeKey.generate().environ()).err


def test_a_data_key_of_their_making_is_not_used(team: Project) -> None:
    """Anybody can encrypt for our recipients: what our side adds must not be under a key that they know."""
    evil = AgeKey.generate()
    team.git("checkout", "-qb", "other")
    theirs = Project(team.home / "evil", team.home, evil)
    theirs.folder.mkdir()
    theirs.write(".sops.yaml", f"creation_rules:\n  - age: {team.key.recipient},{evil.recipient}\n")
    theirs.write(FILE, TEXT)
    theirs.run("encrypt", "-i", FILE)
    full = theirs.read(FILE)
    entry = re.search(rf"(?m)^ +- enc: \|\n(?:(?! +- enc).*\n)*? +recipient: {evil.recipient}\n", full)
    assert entry is not None
    team.write(FILE, full.replace(entry[0], ""))
    team.git("commit", "-qam", "innocent")
    team.git("checkout", "-q", "main")
    commit(team, TEXT + "new: s3cret\n")
    team.git("merge", "-q", "--no-edit", "other")
    assert plain(team) == TEXT + "new: s3cret\n"
    theirs.write("got.yaml", re.sub(r"(?m)^( +age:\n)", lambda found: found[1] + entry[0], team.read(FILE)))
    done = theirs.run("decrypt", "--ignore-mac", "got.yaml", code=25)
    assert "s3cret" not in done.out + done.err


def test_a_branch_does_not_choose_what_is_encrypted(team: Project) -> None:
    """In a file of sops's, no MAC covers the selection."""
    sops = Sops(team.key.environ())
    team.write("p.yaml", "password: pa55\nport: 1\n")
    done = sops.run(
        "encrypt",
        "--age",
        team.key.recipient,
        "--encrypted-regex",
        "^(pass|api_|por)",
        str(team.path("p.yaml")),
    )
    team.write(FILE, done.stdout.decode())
    team.git("add", FILE)
    team.git("commit", "-qm", "of sops's")
    team.git("checkout", "-qb", "other")
    team.write(FILE, team.read(FILE).replace("^(pass|api_|por)", "^(pass|por)"))
    team.git("commit", "-qam", "innocent")
    team.git("checkout", "-q", "main")
    team.run("set", FILE, "api_key", "s3cret")
    team.git("commit", "-qam", "a secret")
    assert "which values are encrypted" in driver_says(team, 129).err
    assert "s3cret" not in team.read("ours")


def test_a_merge_without_a_key_is_finished_for_the_same_recipients(team: Project) -> None:
    """Its parents are those that somebody without a key has picked: an old one, with a stranger in it."""
    key = keyless(team)
    team.environ.update(key.environ())
    team.write(".sops.yaml", f"creation_rules:\n  - age: {AgeKey.generate().recipient}\n")
    done = team.run("edit", FILE, environ=team.editor("exit 1"), code=1)
    assert f"error[stranger]: {FILE}" in done.err
    assert f"age {team.key.recipient}" in done.err


def test_the_driver_reports_a_merge_of_other_parents_too(team: Project) -> None:
    """A branch goes back to a file that was merged without a key long ago, and still has no MAC."""
    key = keyless(team)
    old = team.read(FILE)
    team.environ.update(key.environ())
    team.run("edit", FILE)
    team.git("commit", "-qam", "MAC")
    commit(team, MERGED.replace("t1ken", "t2ken"))
    team.git("checkout", "-q", "-B", "other")
    team.write(FILE, old)
    team.git("commit", "-qam", "back again")
    team.git("checkout", "-q", "main")
    commit(team, MERGED.replace("t1ken", "t2ken") + "new: 1\n")
    done = driver_says(team, 0)
    assert "their side was not merged into the version that git had before it" in done.err
    assert "values may be older" in done.err


def test_the_parents_that_git_had_are_no_cause_for_a_warning(team: Project) -> None:
    key = keyless(team)
    team.environ.update(key.environ())
    team.git("checkout", "-q", "-B", "other")
    team.git("checkout", "-q", "-B", "main", "main~1")
    commit(team, plain(team) + "new: 1\n")
    done = driver_says(team, 0)
    assert "its MAC is added now" in done.err
    assert "values may be older" not in done.err
