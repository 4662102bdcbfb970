"""Every command with its options, once."""

from __future__ import annotations

import re

from encconf.cli.table import COMMANDS, GROUPS, help_of
from encconf.io.packaged import packaged
from encconf.keys import TABLE


def test_the_table_is_sound() -> None:
    names = [command.name for command in COMMANDS]
    assert len(set(names)) == len(names)
    assert {"git", "groups", "keys", "systemd"} == GROUPS
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
    assert {*entries} == {"", *GROUPS, *(command.name for command in COMMANDS)}
    assert [entry for entry in entries if entry not in GROUPS][1:] == [command.name for command in COMMANDS]
    assert all(command.help.examples for command in COMMANDS if command.name != "version")
    for command in COMMANDS:
        said = command.help
        assert said.summary.endswith(".")
        texts = [*said.options.values()]
        for block in said.details:
            texts += [block] if isinstance(block, str) else [word for row in block for word in row]
        assert all(texts)
        assert not any("\n" in text or "  " in text for text in texts)


def test_every_option_is_explained_and_every_explanation_is_of_an_option() -> None:
    words = {option.words[0] for command in COMMANDS for option in command.options}
    shared = help_of("").options
    keys = {row.option for row in TABLE.values()}
    assert set(shared) <= {*words, *(f"{sign}-{key}" for sign in ("add", "rm") for key in keys)}
    for command in COMMANDS:
        own = {option.words[0] for option in command.options}
        assert set(command.help.options) <= own, command.name
        for option in command.options:
            said = command.help.of(option)
            assert said.endswith((".", "…")), (command.name, option.words)
            assert "{}" not in said
    add = next(command for command in COMMANDS if command.name == "keys add")
    assert add.help.options["pgp"] == "Add these PGP fingerprints to the group (comma-separated)."
    assert help_of("").options["rm-pgp"] == "Remove these PGP fingerprints (comma-separated)."
