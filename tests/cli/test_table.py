"""Every command with its options, once."""

from __future__ import annotations

from pathlib import Path

from encconf.cli import commands, shared, table
from encconf.cli.command import Option


def test_the_table_is_sound() -> None:
    names = [command.name for command in table.commands()]
    assert names == list(table.NAMES)
    assert len(set(names)) == len(names)
    assert set(table.ALL) == {"git", "groups", "keys", "systemd", *names}
    for command in table.commands():
        options = [name for option in command.options for name in option.names]
        assert len(set(options)) == len(options), command.name
        assert all(name.startswith("--") for option in command.options for name in option.names[:1])
        # Only the last argument may be left out, or take several words.
        for argument in command.arguments[:-1]:
            assert argument.required
            assert not argument.many


def test_each_command_has_a_file_and_each_file_a_command() -> None:
    files = {path.stem for path in Path(commands.__path__[0]).glob("*.py")} - {"__init__"}
    assert files == {table.place(name)[0] for name in table.NAMES}


def test_every_command_has_an_example() -> None:
    assert all(command.examples for command in table.commands() if command.name != "version")
    for name in ("", *table.ALL):
        entry = table.command(name)
        assert entry.summary.endswith(".")
        assert not name or entry.summary == table.summary(name)
        texts = [option.help for option in entry.options]
        for block in entry.details:
            texts += [block] if isinstance(block, str) else [word for row in block for word in row]
        assert all(texts)
        assert not any("\n" in text or "  " in text or "{plural}" in text for text in texts)


def test_every_example_fits_a_terminal_of_80_columns() -> None:
    examples = [example for name in table.ALL for example in table.command(name).examples]
    assert [example for example in examples if len(example) > 78] == []  # the help indents them


def test_every_option_is_explained_and_every_shared_option_is_used() -> None:
    used = {option for command in table.commands() for option in command.options}
    for value in vars(shared).values():
        for option in value if isinstance(value, list) else [value]:
            assert not isinstance(option, Option) or option in used, option.names
    for option in used:
        assert option.help.endswith((".", "…")), option.names
    texts = {option.names[0]: option for option in table.command("keys add").options}
    assert texts["--pgp"].help == "Add these PGP fingerprints to the group (comma-separated)."
    texts = {option.names[0]: option for option in table.command("rotate").options}
    assert texts["--rm-pgp"].help == "Remove these PGP fingerprints (comma-separated)."
    texts = {option.names[0]: option for option in table.command("encrypt").options}
    assert texts["--pgp"].env == "SOPS_PGP_FP"
    assert texts["--pgp"].names == ("--pgp", "-p")


def test_the_same_name_takes_the_same_words() -> None:
    """An option may have several helps, but it is a switch everywhere or nowhere."""
    found: dict[str, set[bool]] = {}
    for command in table.commands():
        for option in command.options:
            found.setdefault(option.names[0], set()).add(option.is_switch)
    unlike = {name for name, kinds in found.items() if len(kinds) > 1}
    assert unlike == {"--ssh-to-age", "--user"}
