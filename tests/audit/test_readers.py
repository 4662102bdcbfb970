"""People, the files that they can read, and since when."""

from __future__ import annotations

import pytest
from audit.committed import FILE, report, states, times

from encconf.audit.access import Person, Reader
from encconf.audit.history import Span
from encconf.git.log import UNCOMMITTED, Moment
from encconf.keys import ssh
from encconf.keys.age import AgeKey

from .team import PLAIN, Team


def test_the_time_that_ended_last() -> None:
    """A span that is not committed ended last."""
    alice = Person(AgeKey("age1alice"), "alice")
    spans = [
        Span(Moment(start, f"from {start}"), Moment(end, f"to {end}")) for start, end in ((1, 3), (5, 9))
    ]
    reader = Reader(alice, times=spans)
    assert reader.last is not None
    assert reader.last.end is not None
    assert reader.last.end.commit == "to 9"
    reader.times.append(Span(Moment(10, "from 10"), UNCOMMITTED))
    assert reader.last is reader.times[-1]
    assert Reader(alice).last is None


def shortened(team: Team, key: str) -> str:
    recipient = team.key(key).recipient
    return f"{recipient[:8]}…{recipient[-4:]}"


def former(team: Team, name: str, key: str = "") -> str:
    """The label of a key that no configuration names any more."""
    return f"{name} (former, {shortened(team, key or name)})"


class TestReaders:
    def test_former_readers_are_in_the_order_of_the_file(self, team: Team) -> None:
        """So that two reports of the same files are the same."""
        names = ["alice", *(f"former {number}" for number in range(12))]
        team.config(*names)
        team.seal(FILE, names)
        team.commit()
        team.share(FILE, ["alice"], rotate=True)
        team.commit()
        assert list(states(team)) == names

    def test_since_their_first_commit(self, team: Team) -> None:
        team.seal(FILE, ["alice"])
        first = team.commit()
        team.share(FILE, ["alice", "bob"], rotate=False)
        second = team.commit()
        team.edit(FILE, "hunter2", "hunter3")
        team.commit()
        assert times(team, "alice") == [(first, None, None, False)]
        assert times(team, "bob") == [(second, None, None, False)]

    def test_somebody_gone_who_knows_the_data_key(self, team: Team) -> None:
        team.config("alice", "bob")
        team.seal(FILE, ["alice", "bob"])
        first = team.commit()
        team.share(FILE, ["alice"], rotate=False)
        second = team.commit()
        assert times(team, "bob") == [(first, second, None, True)]
        assert states(team) == {"alice": "reads", "bob": "exposed"}
        team.rotate(FILE)
        third = team.commit()
        assert times(team, "bob") == [(first, second, third, True)]
        assert states(team) == {"alice": "reads", "bob": "former"}

    def test_somebody_gone_with_the_data_key(self, team: Team) -> None:
        team.config("alice", "bob")
        team.seal(FILE, ["alice", "bob"])
        first = team.commit()
        team.share(FILE, ["alice"], rotate=True)
        second = team.commit()
        assert times(team, "bob") == [(first, second, second, True)]
        assert states(team) == {"alice": "reads", "bob": "former"}

    @pytest.mark.parametrize("between", [None, PLAIN])
    def test_somebody_gone_with_a_deleted_file(self, team: Team, between: str | None) -> None:
        """Its name is used again for a file with another data key; or it was plaintext in between."""
        team.config("alice", "bob")
        team.seal(FILE, ["alice", "bob"])
        first = team.commit()
        if between is None:
            team.git("rm", "-q", FILE)
        else:
            team.write(FILE, between)
        second = team.commit()
        team.seal(FILE, ["alice"])
        assert states(team) == {"alice": "reads", "bob": "former"}
        third = team.commit()
        assert times(team, "bob") == [(first, second, third, True)]
        assert states(team) == {"alice": "reads", "bob": "former"}

    def test_a_new_data_key_that_a_merge_did_not_keep(self, team: Team) -> None:
        team.config("alice", "bob")
        team.seal(FILE, ["alice", "bob"])
        team.commit()
        team.share(FILE, ["alice"], rotate=False)
        team.commit()
        team.git("checkout", "-q", "-b", "side")
        team.rotate(FILE)
        team.commit()
        team.git("checkout", "-q", "main")
        team.edit(FILE, "hunter2", "hunter3")
        team.commit()
        team.git("merge", "-q", "-s", "ours", "--no-edit", "side")
        assert states(team) == {"alice": "reads", "bob": "exposed"}

    def test_what_somebody_could_read_on_a_branch(self, team: Team) -> None:
        """Bob was removed on both branches, but on one only after the data key that was kept was made."""
        team.config("alice", "bob")
        team.seal(FILE, ["alice", "bob"])
        team.commit()
        team.git("checkout", "-q", "-b", "side")
        team.rotate(FILE)
        team.commit()
        team.share(FILE, ["alice"], rotate=False)
        team.commit()
        team.git("checkout", "-q", "main")
        team.share(FILE, ["alice"], rotate=True)
        team.commit()
        team.git("merge", "-q", "-s", "ours", "--no-commit", "side")
        team.git("checkout", "side", "--", FILE)
        team.commit()
        assert states(team) == {"alice": "reads", "bob": "exposed"}

    def test_somebody_who_came_back(self, team: Team) -> None:
        team.seal(FILE, ["alice", "bob"])
        commits = [team.commit()]
        for group in (["alice"], ["alice", "bob"]):
            team.share(FILE, group, rotate=True)
            commits.append(team.commit())
        assert times(team, "bob") == [
            (commits[0], commits[1], commits[1], True),
            (commits[2], None, None, False),
        ]
        (file,) = report(team).files
        (reader,) = [reader for reader in file.readers if team.key("bob").recipient == reader.keys[0].name]
        assert reader.since is not None
        assert reader.since.commit == commits[2]

    def test_a_replaced_key_is_not_the_key_that_has_its_name_now(self, team: Team) -> None:
        """A laptop was stolen, and its owner has a new key: the old one is apart, whatever it is called."""
        team.config("alice", "carol")
        team.seal(FILE, ["alice", "carol"])
        team.commit()
        old = team.keys.pop("alice")
        team.config("alice", "carol")
        team.share(FILE, ["alice", "carol"], rotate=False)
        team.commit()
        stolen = f"alice (former, {old.recipient[:8]}…{old.recipient[-4:]})"
        assert states(team) == {"alice": "reads", "carol": "reads", stolen: "exposed"}
        team.rotate(FILE)
        assert states(team) == {"alice": "reads", "carol": "reads", stolen: "former"}

    def test_keys_with_the_same_name_are_apart(self, team: Team) -> None:
        recipients = "".join(f"alice {team.key(name).recipient}\n" for name in ("old", "new"))
        team.write(".sops.recipients", recipients)
        team.config("carol")
        team.seal(FILE, ["old", "carol"])
        team.commit()
        team.share(FILE, ["new", "carol"], rotate=False)
        team.commit()
        labels = {name: f"alice ({shortened(team, name)})" for name in ("old", "new")}
        assert states(team) == {labels["new"]: "reads", "carol": "reads", labels["old"]: "exposed"}
        found = report(team)
        assert {person.label for person in found.called("alice")} == set(labels.values())
        assert [person.label for person in found.called(team.key("old").recipient)] == [labels["old"]]

    def test_an_ssh_key_and_its_age_recipient_are_one(self, team: Team) -> None:
        line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDuDK4+AyDmhDnaWKG2rtV/kJVuL2yTQ2cB2RsjC1TXW"
        age = ssh.recipient(line)
        team.config("alice")
        for name, recipient in (("a.yaml", age), ("b.yaml", f"{line} bob@laptop")):
            text = team.seal(name, ["alice", "bob"]).read_text()
            team.write(name, text.replace(team.key("bob").recipient, recipient))
        assert len(report(team, "a.yaml", "b.yaml").people) == 2

    def test_what_is_not_committed(self, team: Team) -> None:
        team.config("alice", "bob", "carol")
        team.seal(FILE, ["alice", "bob"])
        first = team.commit()
        team.share(FILE, ["alice", "carol"], rotate=False)
        assert times(team, "bob") == [(first, None, None, True)]
        assert times(team, "carol") == [(None, None, None, False)]
        assert states(team) == {"alice": "reads", "carol": "reads", "bob": "exposed"}
        team.rotate(FILE)
        assert states(team) == {"alice": "reads", "carol": "reads", "bob": "former"}

    def test_a_key_that_only_an_old_configuration_names(self, team: Team) -> None:
        team.config("alice", "bob")
        team.seal(FILE, ["alice", "bob"])
        team.commit()
        team.config("alice")
        team.share(FILE, ["alice"], rotate=True)
        team.commit()
        assert states(team) == {"alice": "reads", former(team, "bob"): "former"}

    def test_a_name_that_only_a_merge_has(self, team: Team) -> None:
        """Also the last one, where the configuration was changed since and that is not committed."""
        team.git("config", "log.showRoot", "false")
        team.config("alice")
        team.seal(FILE, ["alice", "bob"])
        team.commit()
        team.git("checkout", "-qb", "side")
        team.config("alice", "carol")
        team.commit()
        team.git("checkout", "-q", "main")
        team.config("alice", "dave")
        team.commit()
        team.git("merge", "-q", "side", code=1)
        team.config("alice", "bob")
        team.commit("merged")
        team.config("alice")
        assert states(team) == {"alice": "reads", former(team, "bob"): "reads"}

    def test_a_name_of_the_first_commit(self, team: Team) -> None:
        team.git("config", "log.showRoot", "false")
        team.config("alice", "bob")
        first = team.seal(FILE, ["alice", "bob"]) and team.commit()
        team.config("alice")
        assert states(team) == {"alice": "reads", former(team, "bob"): "reads"}
        assert times(team, "bob") == [(first, None, None, False)]

    def test_a_name_of_an_old_recipients_file(self, team: Team) -> None:
        team.config("alice")
        team.write(".sops.recipients", f"Robert {team.key('bob').recipient}\n")
        team.seal(FILE, ["alice", "bob"])
        team.commit()
        team.write(".sops.recipients", "")
        team.share(FILE, ["alice"], rotate=True)
        team.commit()
        assert states(team) == {"alice": "reads", former(team, "Robert", "bob"): "former"}
