"""What git says of files in the past: commits and old versions."""

from __future__ import annotations

import pytest
from audit.committed import FILE, states, times, told

from .team import PLAIN, Team


class TestVersions:
    def test_a_time_in_plain_text(self, team: Team) -> None:
        team.write(FILE, PLAIN)
        first = team.commit()
        team.seal(FILE, ["alice"])
        second = team.commit()
        (span,) = told(team).plain
        assert span.start is not None
        assert span.end is not None
        assert (span.start.commit, span.end.commit) == (first, second)

    def test_an_empty_file_was_no_plain_text(self, team: Team) -> None:
        team.write(FILE, "\n")
        team.commit()
        team.seal(FILE, ["alice"])
        team.commit()
        assert told(team).plain == []

    def test_a_rename_goes_on(self, team: Team) -> None:
        team.seal("old.yaml", ["alice"])
        first = team.commit()
        team.git("mv", "old.yaml", FILE)
        team.commit()
        team.share(FILE, ["alice", "bob"], rotate=False)
        third = team.commit()
        assert times(team, "alice") == [(first, None, None, False)]
        assert times(team, "bob") == [(third, None, None, False)]

    def test_a_file_that_was_away(self, team: Team) -> None:
        team.seal(FILE, ["alice"])
        first = team.commit()
        (team.folder / FILE).unlink()
        second = team.commit()
        team.seal(FILE, ["alice"])
        third = team.commit()
        # How the old one was sealed is nobody's business now: nothing of it is in the file.
        assert [span[:2] for span in times(team, "alice")] == [(first, second), (third, None)]

    def test_a_conflict_that_was_committed_says_nothing(self, team: Team) -> None:
        sealed = team.seal(FILE, ["alice", "bob"]).read_text()
        first = team.commit()
        team.write(FILE, f"<<<<<<< ours\n{sealed}=======\n{sealed}>>>>>>> theirs\n")
        team.commit()
        team.write(FILE, sealed)
        team.commit()
        assert times(team, "bob") == [(first, None, None, False)]
        assert told(team).plain == []

    def test_a_merge_of_two_sides(self, team: Team) -> None:
        team.seal(FILE, ["alice"])
        team.seal("other.enc.yaml", ["alice"])
        team.commit()
        team.git("checkout", "-q", "-b", "side")
        team.share(FILE, ["alice", "bob"], rotate=False)
        side = team.commit()
        team.git("checkout", "-q", "main")
        team.share("other.enc.yaml", ["alice", "carol"], rotate=False)
        team.commit()
        team.git("merge", "-q", "--no-edit", "side")
        assert times(team, "bob") == [(side, None, None, False)]
        assert times(team, "bob", "other.enc.yaml") == []

    def test_a_merge_that_takes_one_side(self, team: Team) -> None:
        team.config("alice", "bob", "carol")
        team.seal(FILE, ["alice"])
        team.commit()
        team.git("checkout", "-q", "-b", "side")
        team.share(FILE, ["alice", "bob"], rotate=False)
        team.commit()
        team.git("checkout", "-q", "main")
        team.share(FILE, ["alice", "carol"], rotate=False)
        team.commit()
        team.git("merge", "-q", "--no-edit", "-X", "ours", "-s", "ours", "side")
        assert states(team) == {"alice": "reads", "carol": "reads", "bob": "exposed"}

    @pytest.mark.parametrize(
        "name", ['a b/ü\n\t"x".yaml', "-n.yaml", ":(top)x.yaml", "x\u202e.json", "*.env"]
    )
    def test_any_name(self, name: str, team: Team) -> None:
        plain = {"json": '{"a": "value"}\n', "env": "A=value\n"}.get(name.rpartition(".")[2], PLAIN)
        team.seal(name, ["alice", "bob"], plain=plain)
        first = team.commit()
        team.share(name, ["alice"], rotate=True)
        second = team.commit()
        assert times(team, "bob", name) == [(first, second, second, True)]

    @pytest.mark.parametrize(
        ("name", "plain"),
        [
            ("s.yaml", PLAIN),
            ("s.json", '{"a": "value", "b": [1, 2]}\n'),
            ("s.env", "A=value\nB=other\n"),
            ("s.ini", "[a]\nb = value\n"),
            ("s.toml", 'a = "value"\n'),
            ("s.bin", "any bytes\n"),
        ],
        ids=["yaml", "json", "dotenv", "ini", "toml", "binary"],
    )
    def test_any_format(self, name: str, plain: str, team: Team) -> None:
        team.seal(name, ["alice", "bob"], plain=plain)
        first = team.commit()
        team.share(name, ["alice"], rotate=False)
        second = team.commit()
        team.rotate(name)
        third = team.commit()
        assert times(team, "bob", name) == [(first, second, third, True)]
