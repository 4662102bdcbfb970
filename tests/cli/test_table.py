"""Every command with its options, once."""

from __future__ import annotations

import re

from encconf.cli.table import COMMANDS, GROUPS
from encconf.io.packaged import packaged


def test_the_table_is_sound() -> None:
    names = [command.name for command in COMMANDS]
    assert len(set(names)) == len(names)
    assert {name.partition(" ")[0] for name in names if " " in name} == set(GROUPS)
    for command in COMMANDS:
        options = [name for option in command.options for name in option.names]
        assert len(set(options)) == len(options), command.name
        assert all(name.startswith("--") for option in command.options for name in option.names[:1])
        # Only the last argument may be left out, or take several words.
        for argument in command.arguments[:-1]:
            assert argument.required
            assert not argument.many


def test_every_command_has_an_example_and_every_entry_of_the_help_a_command() -> None:
    entries = re.findall(r"^\[(.*)\]$", packaged("encconf.cli", "help/commands.txt"), re.M)
    assert entries == [command.name for command in COMMANDS if command.name != "version"]
    assert all(command.examples for command in COMMANDS if command.name != "version")
    assert not any("\n" in command.details or "  " in command.details for command in COMMANDS)
