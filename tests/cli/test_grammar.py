"""The tables of commands: what an entry means."""

from __future__ import annotations

from encconf.cli.grammar import Command
from encconf.cli.options import Option

ENTRY = """\
a b] check:check path*! other? --rest !7
Do it.

A paragraph
of two lines.

- one: first
- two: second
line

--own,o=FILE: Its text
continues.
--shared --unknown?
--add-{option}*{metavar}: Add {plural}.
  encconf a b"""


def test_an_entry() -> None:
    shared = {"shared": Option("shared,s?", "Of all."), "color": Option("color=WHEN", "Colors.")}
    entry = Command(ENTRY, shared, ("color",))
    assert (entry.name, entry.summary, entry.rest, entry.failure) == ("a b", "Do it.", "rest", 7)
    assert [(each.dest, each.many, each.required, each.named) for each in entry.arguments] == [
        ("path", True, False, True),
        ("other", False, False, False),
    ]
    assert entry.details == ["A paragraph of two lines.", [("one", "first"), ("two", "second line")]]
    assert entry.examples == ["encconf a b"]
    own, same, unknown, *keys, color = entry.options
    assert (own.names, own.help) == (("--own", "-o"), "Its text continues.")
    assert (same, color) == (shared["shared"], shared["color"])
    assert (unknown.is_switch, unknown.help) == (True, "")
    assert ("--add-age", "RECIPIENTS", "Add age recipients.") in [
        (key.names[0], key.metavar, key.help) for key in keys
    ]
    assert entry.defaults()["rest"] == entry.defaults()["path"] == []
    assert entry.function().__name__ == "check"


def test_a_group() -> None:
    entry = Command("git]\nAll of git.", {}, ("color",))
    assert (entry.target, entry.options, entry.details, entry.examples) == ("", (), [], [])
