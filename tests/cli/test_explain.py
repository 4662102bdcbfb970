"""An explanation as text: `encconf.audit.explain` has what it says."""

from __future__ import annotations

import os

import pytest
from oracle import AgeKey
from project import Project

from encconf.audit.explain import Explanation, Fate
from encconf.cli.commands.explain import text
from encconf.errors import ParseError
from encconf.keys import master_key
from encconf.rules.config import Rule
from encconf.rules.selection import DEFAULT, Selection

ALICE, BOB = (master_key("age", AgeKey.generate().recipient) for _ in range(2))
HERE = "/work/app/deploy/web"


def by(selection: Selection = DEFAULT) -> Rule:
    return Rule([[ALICE]], None, selection, "creation_rules[0]")


def lines(**members: object) -> list[str]:
    members = {"state": "encrypted", **members}
    said = text(Explanation("x.yaml", "yaml", **members), HERE)  # type: ignore[arg-type]
    return said.replace(os.sep, "/").splitlines()


class TestPlaces:
    @pytest.mark.parametrize(
        ("path", "shown"),
        [
            (f"{HERE}/.sops.yaml", ".sops.yaml"),
            ("/work/app/.sops.yaml", "../../.sops.yaml"),
            ("/work/.sops.yaml", "/work/.sops.yaml"),
            ("/elsewhere/rules.yaml", "/elsewhere/rules.yaml"),
        ],
    )
    def test_near_ones_are_relative(self, path: str, shown: str) -> None:
        assert f"configuration: {shown}" in lines(config=path, looked=[path])

    def test_where_nothing_was_found(self) -> None:
        places = [f"{HERE}/.sops.yaml", "/work/app/deploy/.sops.yaml"]
        found = lines(looked=places)
        assert found[2:] == ["  not there: .sops.yaml", "  not there: ../.sops.yaml"]
        assert lines(looked=places, config=places[1])[2:] == [
            "configuration: ../.sops.yaml",
            "  not there: .sops.yaml",
        ]


class TestRules:
    def test_a_file_that_its_rule_fits(self) -> None:
        found = lines(rule=by(), own=by())
        assert found.count("  age " + Explanation("", "").who(ALICE).removeprefix("age ")) == 1, "once"
        assert found[-1] == "the file and the rule agree"

    def test_a_file_that_differs_from_its_rule(self) -> None:
        own = Rule([[ALICE], [BOB]], 2, Selection("encrypted_regex", "^a$"), "the file itself")
        found = lines(rule=by(), own=own, differences=["one", "two"])
        assert found[-3:] == ["the file and the rule differ:", "  one", "  two"]
        assert any(line.startswith("keys of the rule: ") for line in found)
        at = next(at for at, line in enumerate(found) if line.startswith("keys of the file: "))
        assert [found[at + 1], found[at + 3]] == ["  group 1", "  group 2"]

    def test_a_file_that_has_no_rule(self) -> None:
        found = lines(own=by())
        assert any(line.startswith("keys of the file: ") for line in found)
        assert not any("agree" in line or "by the rule" in line for line in found)

    def test_a_binary_file_is_one_value(self) -> None:
        found = text(Explanation("x", "binary", state="plain", rule=by()), HERE)
        assert found.endswith("values: the file is one value, which is encrypted\n")

    @pytest.mark.parametrize(
        ("selection", "said"),
        [
            (Selection("encrypted_regex", "^a$"), "those below a key that matches ^a$ are encrypted"),
            (Selection("unencrypted_suffix", "_x"), "all but those below a key that ends in _x are"),
            (
                Selection("encrypted_comment_regex", "s"),
                "those with a comment before them that matches s",
            ),
            (Selection("encrypted_regex", "a", True), "(encrypted_regex); the MAC covers those only"),
        ],
    )
    def test_which_values_in_words(self, selection: Selection, said: str) -> None:
        assert said in lines(rule=by(selection))[-1]

    def test_notices_follow_the_rules(self) -> None:
        found = lines(rule=by(), names=["x.yaml", "x.enc.yaml"], notices=["a\nb"])
        assert found[2:4] == ["rules, looked up for x.yaml or x.enc.yaml:", "  note: a?b"]


class TestValues:
    def test_what_each_becomes_and_is(self) -> None:
        fates = [
            Fate("a", 1, 1, True, "because"),
            Fate("b.c", 2, 1, False, "why not", now=True),
            Fate("d", 3, 1, True, "so", now=False),
            Fate("e", 4, 1, True, "same", now=True),
        ]
        assert lines(fates=fates, comments=False)[-5:] == [
            "  encrypted  a    because",
            "  plaintext  b.c  why not; it is encrypted now",
            "  encrypted  d    so; it is plaintext now",
            "  encrypted  e    same",
            "  plaintext  all comments",
        ]

    def test_a_long_path_makes_no_wide_table(self) -> None:
        fates = [Fate("k" * 90, 1, 1, True, "x"), Fate("a", 2, 1, True, "y")]
        assert lines(fates=fates)[-2:] == [f"  encrypted  {'k' * 90}  x", f"  encrypted  {'a':48}  y"]

    def test_names_cannot_move_the_cursor(self) -> None:
        found = lines(fates=[Fate("a\x1b[2J", 1, 1, True, "x")], names=["\x1b.yaml"])
        assert all(line.isprintable() for line in found)


def test_why_it_cannot_be_read() -> None:
    found = lines(state="unreadable", problem=ParseError("bad"))
    assert found[:2] == ["x.yaml: cannot be read (yaml)", "  bad"]


def test_stdin_has_no_rule(project: Project) -> None:
    for name in ("-", "/dev/stdin"):
        assert "explain needs a file, not stdin" in project.run("explain", name, code=1).err


def test_the_error_names_the_file_after_the_report(project: Project) -> None:
    done = project.run("explain", "x.yaml", code=1)
    assert done.out.startswith("x.yaml: does not exist (yaml)\n")
    assert done.err.startswith("encconf: error[no-config]: x.yaml: ")
