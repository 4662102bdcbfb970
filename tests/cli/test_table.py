"""Every command with its options, once."""

from __future__ import annotations

from encconf.cli.table import COMMANDS, ENTRIES, ROOT, SHARED


def test_the_table_is_sound() -> None:
    names = [command.name for command in COMMANDS]
    assert len(set(names)) == len(names)
    assert {*ENTRIES} == {"", "git", "groups", "keys", "systemd", *names}
    for command in COMMANDS:
        options = [name for option in command.options for name in option.names]
        assert len(set(options)) == len(options), command.name
        assert all(name.startswith("--") for option in command.options for name in option.names[:1])
        # Only the last argument may be left out, or take several words.
        for argument in command.arguments[:-1]:
            assert argument.required
            assert not argument.many


def test_every_command_has_an_example() -> None:
    assert all(command.examples for command in COMMANDS if command.name != "version")
    for entry in ENTRIES.values():
        assert entry.summary.endswith(".")
        texts = [option.help for option in entry.options]
        for block in entry.details:
            texts += [block] if isinstance(block, str) else [word for row in block for word in row]
        assert all(texts)
        assert not any("\n" in text or "  " in text or "{plural}" in text for text in texts)


def test_every_option_is_explained_and_every_explanation_is_of_an_option() -> None:
    used = {option for command in COMMANDS for option in command.options}
    assert {*SHARED.values()} <= used
    for option in used:
        assert option.help.endswith((".", "…")), option.words
    texts = {option.words[0]: option.help for option in ENTRIES["keys add"].options}
    assert texts["pgp"] == "Add these PGP fingerprints to the group (comma-separated)."
    assert SHARED["rm-pgp"].help == "Remove these PGP fingerprints (comma-separated)."
    assert SHARED["pgp"].env == "SOPS_PGP_FP"
    assert ROOT.summary
