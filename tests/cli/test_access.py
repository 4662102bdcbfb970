"""``encconf access`` as a program, with and without a terminal."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from audit.team import Team

from encconf import api
from encconf.audit import access
from encconf.rules.selection import Selection

from ..cli.terminal import Terminal

HOSTILE = "a\x1b]0;owned\x07<b>\u202e\nsecrets.yaml: nobody\udcff.yaml"


@pytest.fixture
def team(tmp_path: Path, home: Path) -> Team:
    team = Team(tmp_path / "team", home)
    team.config("alice", "bob", "carol", "dave")
    return team


def people(found: access.Report, *labels: str) -> list[access.Person]:
    return [person for label in labels for person in found.called(label)]


class TestCommand:
    def test_files_are_listed_with_their_readers(self, team: Team) -> None:
        team.seal("prod/s.yaml", ["alice"], ["bob"], ["carol", "dave"], threshold=2)
        team.seal("dev/s.env", ["alice", "bob"], plain="A=value\n")
        team.write("plain.yaml", "a: value\n")
        team.commit()
        team.share("dev/s.env", ["alice"], rotate=True)
        team.commit()
        done = team.project().run("access")
        assert done.out == (
            "dev/s.env: alice (once: bob)\nprod/s.yaml: 2 of 3 groups: alice | bob | carol, dave\n"
        )
        assert done.err == ""

    def test_one_file_is_shown_with_every_detail(self, team: Team) -> None:
        team.seal("s.yaml", ["alice"], ["bob"], ["carol", "dave"], threshold=2)
        first = team.commit()[:7]
        done = team.project().run("access", "s.yaml")
        label = r"age1\w{4}…\w{4}"
        assert re.fullmatch(
            rf"s\.yaml, changed [\d-]+, needs 2 of its 3 key groups\n"
            rf"  group 1\n    ◐ alice  age  {label}  since 2025-01-02 \({first}\)\n"
            rf"  group 2\n    ◐ bob  age  {label}  since 2025-01-02 \({first}\)\n"
            rf"  group 3\n    ◐ carol  age  {label}  since 2025-01-02 \({first}\)\n"
            rf"    ◐ dave   age  {label}  since 2025-01-02 \({first}\)\n"
            "  open it together\n    alice \\+ bob\n    alice \\+ carol\n    alice \\+ dave\n"
            "    bob \\+ carol\n    bob \\+ dave\n",
            done.out,
        )

    def test_removed_readers_and_committed_plaintext_are_shown(self, team: Team) -> None:
        team.write("s.yaml", "a: value\n")
        team.commit()
        team.seal("s.yaml", ["alice", "bob"])
        sealed = team.commit()[:7]
        team.share("s.yaml", ["alice"], rotate=False)
        out = team.commit()[:7]
        done = team.project().run("access", "s.yaml")
        assert f"! bob  age  age1{team.key('bob').recipient[4:8]}" in done.out
        assert f"2025-01-03 to 2025-01-04 ({out}); the data key is still the same" in done.out
        assert (
            f"as plaintext in git until 2025-01-03 ({sealed}): anyone with the repository has it" in done.out
        )
        assert (
            "warning: s.yaml: removed, but can still decrypt because the data key is the same: bob"
            in done.err
        )
        assert "hint: encconf rotate s.yaml; then change the secrets" in done.err

    def test_a_replaced_key_stays_apart_from_the_key_with_its_name(self, team: Team) -> None:
        """The key of a stolen laptop was replaced without a new data key."""
        team.seal("a.yaml", ["alice", "bob"])
        team.seal("b.yaml", ["bob"])
        team.commit()
        stolen = team.keys.pop("alice").recipient
        team.config("alice", "bob", "carol", "dave")
        team.share("a.yaml", ["alice", "bob"], rotate=False)
        team.share("b.yaml", ["alice", "bob"], rotate=False)
        team.commit()
        run = team.project().run
        label = f"alice (former, {stolen[:8]}…{stolen[-4:]})"
        listed = run("access")
        assert listed.out == (
            f"a.yaml: alice, bob (removed, but still knows the data key: {label})\nb.yaml: alice, bob\n"
        )
        warning = "a.yaml: removed, but can still decrypt because the data key is the same"
        assert f"{warning}: {label}" in listed.err
        one = run("access", "a.yaml").out
        current, gone = one.split("  not any more\n")
        assert f"{stolen[:8]}…{stolen[-4:]}" not in current
        assert f"! {label}" in gone
        assert run("access", "--people", stolen).out.startswith(f"{label}: 0 of 2 files\n  ! a.yaml  ")
        assert run("access", "--people", "alice").out.startswith("alice: 2 of 2 files\n")
        data = json.loads(run("access", "--json").out)
        people = {person["name"]: person for person in data["people"]}
        assert people[label]["knows_data_key"] == ["a.yaml"]
        assert people[label]["former"] is True
        assert people["alice"]["keys"][0]["key"] == team.key("alice").recipient
        assert (people["alice"]["former"], people["alice"]["reads"]) == (False, ["a.yaml", "b.yaml"])
        page = run("access", "--html", "-").out
        assert f"{label} was removed" in page

    def test_a_file_in_which_nothing_is_encrypted(self, team: Team) -> None:
        rule = team.rule(["alice"]).replace(selection=Selection("encrypted_regex", "^data$"))
        team.write("s.yaml", api.encrypt("a: value\n", rule, credentials=team.credentials()))
        team.seal("t.yaml", ["alice"])
        run = team.project().run
        done = run("access")
        assert done.out == "s.yaml: nothing encrypted\nt.yaml: alice\n"
        assert "s.yaml: nothing encrypted, so anyone with the file can read it" in done.err
        assert "nothing encrypted: anyone with the file can read it\n" in run("access", "s.yaml").out
        files = json.loads(run("access", "--json").out)["files"]
        assert [file["nothing_encrypted"] for file in files] == [True, False]
        assert "None of its values is encrypted, so anyone can read it." in run("access", "--html", "-").out

    def test_a_file_that_still_has_a_replaced_key(self, team: Team) -> None:
        team.seal("s.yaml", ["alice", "bob"])
        team.commit()
        old = team.keys.pop("alice").recipient
        team.config("alice", "bob")
        team.commit()
        done = team.project().run("access", "s.yaml")
        label = f"alice (former, {old[:8]}…{old[-4:]})"
        assert f"  ● {label}  age" in done.out
        assert f"s.yaml: still encrypted for keys that .sops.yaml no longer contains: {label}" in done.err
        assert "hint: encconf updatekeys s.yaml; then change the secrets" in done.err

    def test_dates_without_history_come_from_the_file(self, team: Team) -> None:
        team.seal("s.yaml", ["alice"])
        team.commit()
        assert "since" not in team.project().run("access", "--no-history", "s.yaml").out

    def test_what_people_can_open_together(self, team: Team) -> None:
        team.seal("a.yaml", ["alice"], ["bob"], ["carol"], threshold=2)
        team.seal("b.yaml", ["bob"])
        team.seal("c.yaml", ["dave"])
        team.seal("d.yaml", ["alice", "bob"])
        commit = team.commit()[:7]
        since = f"since 2025-01-02 ({commit})"
        run = team.project().run
        assert run("access", "-p", "alice").out == (
            f"alice: 1 of 4 files\n  ◐ a.yaml  only with one of: bob, carol\n  ● d.yaml  {since}\n"
        )
        assert run("access", "-p", "alice,bob").out == (
            "alice and bob: 3 of 4 files\n"
            f"  ● a.yaml  together: alice {since}, bob {since}\n"
            f"  ● b.yaml  bob {since}\n"
            f"  ● d.yaml  alice {since}, bob {since}\n"
        )
        together = json.loads(run("access", "--json", "-p", "alice", "--people", "bob").out)["together"]
        assert together == {"people": ["alice", "bob"], "files": ["a.yaml", "b.yaml", "d.yaml"]}

    def test_json(self, team: Team) -> None:
        team.seal("s.yaml", ["alice"], ["bob"], threshold=2)
        first = team.commit()
        team.share("s.yaml", ["alice"], ["carol"], threshold=2, rotate=True)
        second = team.commit()
        data = json.loads(team.project().run("access", "--json").out)
        (file,) = data["files"]
        assert (file["file"], file["format"], file["threshold"]) == ("s.yaml", "yaml", 2)
        assert file["groups"] == [["alice"], ["carol"]]
        assert file["smallest_sets"] == [["alice", "carol"]]
        assert file["smallest_sets_complete"] is True
        readers = {reader["name"]: reader for reader in file["readers"]}
        assert {name: reader["state"] for name, reader in readers.items()} == {
            "alice": "part",
            "carol": "part",
            "bob": "former",
        }
        assert readers["carol"]["since"] == {"date": "2025-01-03T12:00:00Z", "commit": second}
        (gone,) = readers["bob"]["times"]
        assert (gone["from"]["commit"], gone["to"]["commit"], gone["over"]) == (first, second, True)
        assert readers["bob"]["keys"] == [{"type": "age", "key": team.key("bob").recipient}]
        persons = {person["name"]: person for person in data["people"]}
        assert persons["alice"]["needs_others"] == ["s.yaml"]
        assert persons["bob"]["could_read"] == ["s.yaml"]
        assert (data["problems"], data["shallow"], data["history"]) == ([], False, True)

    def test_names_come_from_github_keys_and_from_a_folder(self, team: Team) -> None:
        key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJt76aeIPGIf5lYxptFTdezh6ET9bxiFd0OHCEr634i4"
        project = team.project("alice")
        team.write("s.yaml", "a: value\n")
        project.run("encrypt", "-i", "--age", f"{key},{team.key('zoe').recipient}", "s.yaml")
        team.write("team/octocat.keys", f"{key}\n")
        team.write("team/others", f"Zoe {team.key('zoe').recipient}\n")
        assert project.run("access", "--recipients", "team").out == "s.yaml: octocat, Zoe\n"
        assert project.run("access", "--recipients", "team/octocat.keys").out.startswith(
            "s.yaml: octocat, age1"
        )

    def test_a_file_that_cannot_be_read(self, team: Team) -> None:
        team.seal("s.yaml", ["alice"])
        team.write("broken.yaml", "sops:\n  age: 3\na: ENC[AES256_GCM,data:\n")
        done = team.project().run("access", "s.yaml", "broken.yaml", code=1)
        assert done.out == "s.yaml: alice\n"
        assert "error[" in done.err
        assert "broken.yaml" in done.err
        data = json.loads(team.project().run("access", "--json", code=1).out)
        assert [problem["file"] for problem in data["problems"]] == ["broken.yaml"]

    def test_a_conflict_that_git_left(self, team: Team) -> None:
        team.seal("s.yaml", ["alice"])
        team.write("s.yaml", "<<<<<<< ours\na: 1\n=======\na: 2\n>>>>>>> theirs\n" + team.read("s.yaml"))
        done = team.project().run("access", "s.yaml", code=1)
        assert "it contains git's conflict markers" in done.err

    def test_no_files_and_unknown_people(self, team: Team) -> None:
        done = team.project().run("access")
        assert (done.out, done.err) == ("", "encconf: no encrypted files found here\n")
        assert "no encrypted file in this folder" in team.project().run("access", ".", code=100).err
        team.write("p.yaml", "a: value\n")
        assert "not encrypted" in team.project().run("access", "p.yaml", code=1).err
        team.seal("s.yaml", ["alice"])
        done = team.project().run("access", "-p", "zed", code=1)
        assert "reader is called 'zed'" in done.err
        assert "the readers are: alice" in done.err

    def test_what_a_leaver_reads_in_many_repositories(self, team: Team, tmp_path: Path, home: Path) -> None:
        """One report: in each repository, the files, the values to change and the command."""
        others = {name: Team(tmp_path / name, home) for name in ("nameless", "removed", "foreign")}
        for other in others.values():
            other.keys |= team.keys
        team.seal("dev/s.env", ["alice", "bob"], plain="A=value\nPASSWORD=value\n")
        team.seal("prod/s.yaml", ["alice"], ["bob"], threshold=2)
        others["nameless"].write(".sops.yaml", f"creation_rules:\n  - age: {team.key('bob').recipient}\n")
        others["nameless"].seal("s.yaml", ["bob"])
        for path in ("kept.yaml", "rotated.yaml"):
            others["removed"].seal(path, ["alice", "bob"])
        others["removed"].config("alice")
        others["removed"].commit()
        others["removed"].share("kept.yaml", ["alice"], rotate=False)
        others["removed"].share("rotated.yaml", ["alice"], rotate=True)
        others["foreign"].config("alice")
        others["foreign"].seal("s.yaml", ["alice"])
        for each in (team, *others.values()):
            each.commit()
        project = team.project()
        project.folder = tmp_path
        folders = ("team", *others)
        done = project.run("access", "--person", "bob", "--no-history", *folders)
        assert "● can read: 2 files in 2 repositories\n" in done.out
        done = project.run("access", "--person", "bob", *folders)
        key, since = r"age1\w{4}…\w{4}", r"since 2025-01-02 \(\w{7}\)"
        assert re.fullmatch(
            rf"bob \({key}\)\n"
            "  ! was removed, but knows the data key: 1 file\n"
            "  ● can read: 2 files in 2 repositories\n"
            "  ◐ can read with others: 1 file\n"
            "  ○ could read in the past: 1 file\n"
            rf"\nteam\n  ● dev/s.env    {since}\n  ◐ prod/s.yaml  {since}\n"
            r"  change: PASSWORD, A, db.password, token, db.host\n"
            "  run: cd team && encconf keys remove bob\n"
            rf"\nnameless\n  ● s.yaml  {since}\n"
            r"  change: db.password, token, db.host\n"
            rf"  run: cd nameless && encconf keys remove {team.key('bob').recipient}\n"
            rf"\nremoved\n  ! kept.yaml     .*; the data key is still the same\n"
            rf"  ○ rotated.yaml  2025-01-02 to 2025-01-03 \(\w{{7}}\)\n"
            r"  change: db.password, token, db.host\n"
            r"  run: cd removed && encconf updatekeys -r \.\n",
            done.out,
        ), done.out
        done = project.run("access", "--person", "bob", "--html", "bob.html", *folders)
        assert done.err == "encconf: wrote bob.html: 5 files in 3 repositories\n"
        text = project.read("bob.html")
        assert text.count("<section") == 3
        assert "cd removed &amp;&amp; encconf updatekeys -r ." in text
        assert text.count("<pre>db.password\ntoken\ndb.host</pre>") == 3
        assert "<script" not in text
        report = json.loads(project.run("access", "--person", "bob", "--json", *folders).out)["person"]
        assert [each["folder"] for each in report["repositories"]] == ["team", "nameless", "removed"]
        assert report["keys"] == [team.key("bob").recipient]

    def test_many_files_of_a_person_take_one_line(self, team: Team) -> None:
        for number in range(13):
            team.seal(f"{number:02}.yaml", ["alice", "bob"])
        team.commit()
        lines = team.project().run("access", "--person", "bob").out.splitlines()
        assert [line.split("  since")[0] for line in lines if ".yaml" in line] == [
            "  ● 00.yaml, 01.yaml, 02.yaml and 10 more"
        ]
        assert "  run: encconf " in lines[-1]
        assert team.project().run("access", "--person", "bob", "--verbose").out.count(".yaml") == 13

    def test_the_most_urgent_state_and_file_come_first(self, team: Team, tmp_path: Path) -> None:
        """Of two keys of a person, and of the files of a repository, whatever their names are."""
        team.seal("a.bin", ["bob"])
        team.seal("b.yaml", ["alice"], ["bob"], threshold=2)
        team.seal("b2.bin", ["bob"], ["bob2"], threshold=2)
        for path in ("c.yaml", "d.yaml"):
            team.seal(path, ["alice", "bob"])
        team.seal("e.yaml", ["alice", "bob2", "bob"])
        team.write(".sops.yaml", f"creation_rules:\n  - age: {team.key('alice').recipient}\n")
        team.commit()
        team.share("c.yaml", ["alice"], rotate=True)
        team.share("d.yaml", ["alice"], rotate=False)
        team.share("e.yaml", ["alice", "bob2"], rotate=True)  # one of the keys is gone, with the old data key
        team.commit()
        team.share("e.yaml", ["alice"], rotate=False)
        team.commit()
        bobs = [team.key(name).recipient for name in ("bob", "bob2")]
        team.write(".sops.recipients", "".join(f"{key} bob\n" for key in bobs))
        done = team.project().run("access", "--person", "bob", "--json")
        (found,) = json.loads(done.out)["person"]["repositories"]
        assert [(each["file"], each["state"], each["values"]) for each in found["files"]] == [
            ("d.yaml", "exposed", ["db.password", "token", "db.host"]),
            ("e.yaml", "exposed", ["db.password", "token", "db.host"]),
            ("a.bin", "reads", ["the whole file"]),
            ("b2.bin", "reads", ["the whole file"]),
            ("b.yaml", "part", ["db.password", "token", "db.host"]),
            ("c.yaml", "former", []),
        ]
        page = team.project().run("access", "--person", "bob", "--html", "-").out
        assert page.count("<summary>") == 5
        assert "None" not in page

    @pytest.mark.parametrize("above", [False, True])
    def test_the_command_for_a_repository_is_by_its_own_rules(
        self, team: Team, tmp_path: Path, above: bool
    ) -> None:
        """Not by those of a folder around it; without any, it names the keys."""
        team.seal("s.yaml", ["alice", "bob"])
        team.commit()
        bob = team.key("bob").recipient
        if above:
            (tmp_path / ".sops.yaml").write_text("creation_rules: []\n")
            command = "encconf keys remove bob"
        else:
            (team.folder / ".sops.yaml").unlink()
            command = f"encconf rotate -r --rm-age {bob} ."
        done = team.project().run("access", "--person", bob, "--json")
        (found,) = json.loads(done.out)["person"]["repositories"]
        assert found["command"] == command

    def test_a_page_says_if_history_is_missing(self, team: Team, tmp_path: Path, home: Path) -> None:
        team.seal("s.yaml", ["alice", "bob"])
        team.commit()
        team.commit()
        team.git("clone", "-q", "--depth=1", f"file://{team.folder}", str(tmp_path / "clone"))
        clone = Team(tmp_path / "clone", home)
        clone.keys |= team.keys
        caveat = "some clones have only a part of the history"
        for where, more, said in ((team, [], False), (clone, [], True), (clone, ["--no-history"], False)):
            page = where.project().run("access", "--person", "bob", "--html", "-", *more).out
            assert (caveat in page) is said, more

    def test_a_person_who_only_could_read_and_a_folder_without_git(self, team: Team, tmp_path: Path) -> None:
        team.seal("s.yaml", ["alice", "bob"])
        team.commit()
        plain = tmp_path / "plain"
        plain.mkdir()
        (plain / "s.yaml").write_text((team.folder / "s.yaml").read_text())
        (plain / ".sops.yaml").write_text("creation_rules: []\n")
        if os.geteuid() == 0:  # a report uses the configuration of another user, since it encrypts nothing
            os.chown(plain / ".sops.yaml", 65534, -1)
        team.share("s.yaml", ["alice"], rotate=True)
        project = team.project()
        project.folder = tmp_path
        key = team.key("bob").recipient
        done = project.run("access", "--person", key, "--json", "team", "plain")
        found = {each["folder"]: each for each in json.loads(done.out)["person"]["repositories"]}
        assert [each["state"] for each in found["team"]["files"]] == ["former"]
        assert found["team"]["command"] is None
        assert [each["state"] for each in found["plain"]["files"]] == ["reads"]
        assert found["plain"]["command"].startswith("cd plain && encconf ")
        page = project.run("access", "--person", key, "--html", "-", "team").out
        assert "Could read in the past</dt><dd>1<" in page
        assert "Can read</dt>" not in page

    def test_a_person_with_several_keys_and_a_key_with_several_names(
        self, team: Team, tmp_path: Path, home: Path
    ) -> None:
        """Repositories give names, and may differ: all keys of the name count, and it says so."""
        other = Team(tmp_path / "other", home)
        other.keys |= team.keys
        bob, carol = (team.key(name).recipient for name in ("bob", "carol"))
        team.seal("s.yaml", ["bob"])
        other.seal("s.yaml", ["bob", "carol"])
        rule = f"creation_rules:\n  - age:\n      - {bob} # robert\n      - {carol} # bob\n"
        other.write(".sops.yaml", rule)
        for each in (team, other):
            each.commit()
        project = team.project()
        project.folder = tmp_path
        done = project.run("access", "--person", "bob", "team", "other")
        assert "bob is the name of 2 keys, maybe of different people" in done.err
        assert "has several names: bob, robert" in done.err
        assert "can read: 2 files in 2 repositories" in done.out
        done = project.run("access", "--person", "robert", "team", "other")
        assert "can read: 2 files in 2 repositories" in done.out
        done = project.run("access", "--person", carol, "team", "other")
        assert ("is the name of" in done.err, "can read: 1 file\n" in done.out) == (False, True)

    def test_the_page_about_a_person_escapes_names(self, team: Team) -> None:
        team.seal("<b>.yaml", ["alice"], plain="'<script>x</script>': value\n")
        text = team.project().run("access", "--html", "-", "--person", "alice").out
        assert "&lt;b&gt;.yaml" in text
        assert "&lt;script&gt;x&lt;/script&gt;" in text
        assert "<script" not in text

    def test_json_and_html_cannot_both_go_to_stdout(self, team: Team) -> None:
        team.seal("s.yaml", ["alice"])
        assert "both write to stdout" in team.project().run("access", "--json", "--html", "-", code=8).err

    def test_a_page_is_about_everybody(self, team: Team) -> None:
        done = team.project().run("access", "--html", "-", "--people", "alice", code=8)
        assert (done.out, "exclude each other" in done.err) == ("", True)

    def test_no_other_file_is_overwritten(self, team: Team) -> None:
        team.seal("s.yaml", ["alice"])
        project = team.project()
        project.write("notes.html", "<!doctype html>\n<p>mine\n")
        assert "not written by encconf" in project.run("access", "--html", "notes.html", code=3).err
        assert project.read("notes.html") == "<!doctype html>\n<p>mine\n"
        assert project.run("access", "--html", "s.yaml", code=3)
        for _ in range(2):
            project.run("access", "--html", "page.html")
        assert "who can read what" in project.read("page.html")
        assert project.run("access", "--html", "/dev/stderr").err.startswith("<!doctype html>")

    def test_no_key_is_used(self, team: Team) -> None:
        team.seal("s.yaml", ["alice"])
        team.commit()
        project = team.project()
        project.environ["SOPS_AGE_KEY_CMD"] = f"touch {team.folder / 'asked'}"
        project.run("access", "s.yaml")
        assert not (team.folder / "asked").exists()

    def test_hostile_names_do_nothing_to_a_terminal(self, team: Team) -> None:
        team.write(".sops.recipients", f"evil\x1b[31m\u202ename {team.key('alice').recipient}\n")
        team.seal(HOSTILE, ["alice"])
        team.commit()
        for arguments, count in ((["access"], 1), (["access", HOSTILE], 2), (["access", "-p", "evil"], 2)):
            done = team.project().run(*arguments)
            assert len(done.out.splitlines()) == count, arguments
            said = (done.out + done.err).replace("\n", "")
            assert said.isprintable(), arguments
            assert "evil" in said
        (file,) = json.loads(team.project().run("access", "--json").out)["files"]
        assert file["file"] == HOSTILE


class TestTerminal:
    def seen(self, team: Team, *arguments: str, columns: int = 100) -> str:
        environ = {"COLUMNS": str(columns), "TERM": "xterm", "NO_COLOR": "1"}
        terminal = Terminal(team.project(), "access", *arguments, environ=environ)
        assert terminal.end() == 0
        return terminal.seen.replace("\r\n", "\n")

    def test_a_table(self, team: Team) -> None:
        team.seal("dev/s.yaml", ["alice", "bob"])
        team.seal("prod/s.yaml", ["alice"], ["carol"], threshold=2)
        team.commit()
        team.share("dev/s.yaml", ["alice"], rotate=True)
        team.commit()
        assert self.seen(team) == (
            "2 files, 3 people\n"
            "\n"
            "            alice  bob  carol\n"
            "dev/s.yaml    ●     ○     ·\n"
            "prod/s.yaml   ◐     ·     ◐     2 of 2 groups\n"
            "\n"
            "● can read it   ◐ can read it only together with others   ○ could read it in the past\n"
        )

    def test_many_files_with_the_same_readers_share_a_row(self, team: Team) -> None:
        texts = {who: team.seal("x.yaml", list(who)).read_text() for who in (("alice",), ("alice", "bob"))}
        team.write("x.yaml", "a: 1\n")
        for number in range(30):
            team.write(f"dev/{number}.yaml", texts["alice", "bob"])
            team.write(f"prod/a/{number}.yaml", texts["alice",])
        seen = self.seen(team, "--no-history")
        assert "60 files, 2 people" in seen
        assert "dev/ (30 files)" in seen
        assert "prod/a/ (30 files)" in seen
        assert seen.count(".yaml") == 0
        assert team.project().run("access", "--no-history").out == (
            "dev/ (0.yaml, 1.yaml, 10.yaml and 27 more): alice, bob\n"
            "prod/a/ (0.yaml, 1.yaml, 10.yaml and 27 more): alice\n"
        )

    def test_columns_of_many_people_have_numbers(self, team: Team) -> None:
        names = [f"somebody-{number}" for number in range(12)]
        team.config(*names)
        team.seal("s.yaml", names)
        seen = self.seen(team, columns=80)
        assert all(name in seen for name in names)
        assert max(map(len, seen.splitlines())) <= 80

    def test_a_narrow_terminal_gets_the_list(self, team: Team) -> None:
        names = [f"n{number}" for number in range(40)]
        team.config(*names)
        team.seal("s.yaml", names)
        assert self.seen(team, columns=60).startswith("s.yaml: n0, n1, n2")

    def test_wide_characters_take_two_columns(self, team: Team) -> None:
        team.config("alice", "山田太郎")
        team.seal("文書/秘密.yaml", ["alice", "山田太郎"])
        lines = self.seen(team).splitlines()
        assert "山田太郎" in lines[2]
        assert lines[3].startswith("文書/秘密.yaml")
