"""``encconf access``: who can read what, alone and together, as a table, a list, JSON."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest
from oracle import AgeKey, Sops
from pace import at_most
from project import Project

from encconf import api
from encconf.audit import access
from encconf.audit.names import Names
from encconf.errors import UsageError

from .team import Team

NOW = 1_800_000_000


@pytest.fixture
def team(tmp_path: Path, home: Path) -> Team:
    team = Team(tmp_path / "team", home)
    team.config("alice", "bob", "carol", "dave")
    return team


def report(team: Team, *paths: str, history: bool = False) -> access.Report:
    names = Names.of_config(str(team.folder / ".sops.yaml"))
    return access.report([str(team.folder / path) for path in paths], names, history=history, now=NOW)


def people(found: access.Report, *labels: str) -> list[access.Person]:
    return [person for label in labels for person in found.called(label)]


class TestTogether:
    def test_one_group_opens_for_each(self, team: Team) -> None:
        team.seal("s.yaml", ["alice", "bob"])
        team.seal("t.yaml", ["carol"])
        found = report(team, "s.yaml", "t.yaml")
        file = found.files[0]
        alice, bob, carol = people(found, "alice", "bob", "carol")
        assert file.quorum == 1
        assert file.opens_for([alice])
        assert file.opens_for([carol, bob])
        assert not file.opens_for([carol])
        assert not file.opens_for([])

    @pytest.mark.parametrize("threshold", [None, 2, 3])
    def test_smallest_sets_of_people_open_the_file(self, team: Team, threshold: int | None) -> None:
        """Every set of four people with keys in three groups: what is reported, and what opens."""
        groups = (["alice", "bob"], ["bob", "carol"], ["dave"])
        text = team.seal("s.yaml", *groups, threshold=threshold).read_text()
        found = report(team, "s.yaml")
        (file,) = found.files
        assert file.quorum == (threshold or 3)
        names = ("alice", "bob", "carol", "dave")
        opening = []
        for size in range(len(names) + 1):
            for chosen in combinations(names, size):
                reported = file.opens_for(people(found, *chosen))
                keys = " ".join(team.key(name).identity for name in chosen)
                assert reported == opens(text, keys), chosen
                if reported:
                    opening.append(frozenset(chosen))
        sets, complete = file.quorums()
        assert complete
        least = {each for each in opening if not any(other < each for other in opening)}
        assert {frozenset(person.label for person in each) for each in sets} == least

    def test_keys_with_the_same_name_in_several_groups(self, team: Team) -> None:
        """Each opens the file only with the other: somebody may have stolen just one of them."""
        recipients = "".join(f"alice {team.key(name).recipient}\n" for name in ("laptop", "yubikey"))
        team.write(".sops.recipients", recipients)
        team.seal("s.yaml", ["laptop", "bob"], ["yubikey"], ["carol"], threshold=2)
        found = report(team, "s.yaml")
        (file,) = found.files
        both = found.called("alice")
        assert {person.key.name for person in both} == {team.key(n).recipient for n in ("laptop", "yubikey")}
        assert {reader.state for reader in file.readers} == {"part"}
        assert file.opens_for(both)
        assert not file.opens_for(both[:1])

    def test_the_number_of_sets_is_limited(self, team: Team) -> None:
        names = [[f"{group}{number}" for number in range(12)] for group in "abc"]
        team.seal("s.yaml", *names, threshold=3)
        (file,) = report(team, "s.yaml").files
        with at_most(5):
            sets, complete = file.quorums()
            assert not complete
            assert len(sets) == access.MAX_SETS

    def test_of_a_file_that_the_real_sops_made(self, team: Team, sops: Sops) -> None:
        alice, bob = team.key("alice").recipient, team.key("bob").recipient
        config = (
            "creation_rules:\n  - shamir_threshold: 2\n    key_groups:\n"
            f"      - age: [{alice}]\n      - age: [{bob}]\n"
        )
        team.write("s.yaml", sops.encrypt("a: value\n", "yaml", config=config))
        found = report(team, "s.yaml")
        (file,) = found.files
        assert not file.opens_for(people(found, "alice"))
        assert file.opens_for(people(found, "alice", "bob"))


def opens(text: str, keys: str) -> bool:
    from encconf.errors import KeyAccessError
    from encconf.identities.credentials import Credentials

    try:
        api.decrypt(text, credentials=Credentials({"SOPS_AGE_KEY": keys}, home="/nonexistent"))
    except KeyAccessError:
        return False
    return True


class TestWho:
    def test_words_that_name_a_person(self, team: Team) -> None:
        team.seal("s.yaml", ["alice", "bob", "unnamed"])
        found = report(team, "s.yaml")
        unnamed = team.key("unnamed").recipient
        for word in ("alice", "ALICE", "ali", team.key("alice").recipient):
            assert [person.label for person in found.called(word)] == ["alice"]
        assert found.called(unnamed)[0].label.startswith(unnamed[:8])
        with pytest.raises(UsageError, match="reader is called 'alcie'") as caught:
            found.called("alcie")
        assert caught.value.hint == "did you mean alice?"
        team.config("mary", "maria")
        team.seal("s.yaml", ["mary", "maria"])
        with pytest.raises(UsageError, match="'mar' may be any of: maria, mary"):
            report(team, "s.yaml").called("mar")
        with pytest.raises(UsageError):
            found.called("")

    def test_two_keys_without_a_name_are_two(self, team: Team) -> None:
        team.seal("s.yaml", ["x", "y"])
        assert len(report(team, "s.yaml").people) == 2

    def test_services_come_last_and_are_not_people(self, team: Team) -> None:
        text = team.seal("s.yaml", ["alice"]).read_text()
        arn = "arn:aws:kms:eu-west-1:111122223333:key/11111111-2222-3333-4444-555555555555"
        entry = f"    kms:\n        - arn: {arn}\n          created_at: '2025-03-01T00:00:00Z'\n"
        entry += "          enc: AA==\n"
        team.write("s.yaml", text.replace("sops:\n", f"sops:\n{entry}"))
        found = report(team, "s.yaml")
        assert [(person.label, person.service) for person in found.people] == [("alice", False), (arn, True)]
        reader = found.files[0].of(found.people[1])
        assert reader is not None
        assert access.when(found, found.files[0], reader) == "added 2025-03-01"


def test_hundreds_of_files_and_people_in_a_second(tmp_path: Path, home: Path) -> None:
    key = AgeKey.generate()
    project = Project(tmp_path, home, key)
    recipients = ",".join([key.recipient, *(AgeKey.generate().recipient for _ in range(29))])
    project.write("0.yaml", "a: value\nb: other\n")
    project.run("encrypt", "-i", "--age", recipients, "0.yaml")
    text = project.read("0.yaml")
    for number in range(1, 300):
        project.write(f"{number}.yaml", text)
    with at_most(8):
        paths = [str(path) for path in tmp_path.glob("*.yaml")]
        found = access.report(paths, Names(), history=False, now=NOW)
        assert len(found.files) == 300
        assert len(found.people) == 30
