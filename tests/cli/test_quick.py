"""The quick parser and the full one are one: what the quick one takes, click takes alike."""

from __future__ import annotations

import inspect
import sys

import pytest
from cli.argv import ARGV
from hypothesis import example, given, settings

from encconf.cli import full, quick
from encconf.cli.options import options_of
from encconf.cli.table import COLOR, COMMANDS, QUIET, WHOSE_KEYS, Command


@settings(max_examples=1500)
@given(ARGV)
@example(["encrypt", "-i", "--age", "a", "f", "--age=b", "-a", "c"])
@example(["--config", "x", "decrypt", "--config", "y", "f"])
@example(["--config", "x", "keygen"])
@example(["--color", "always", "--color", "never", "version"])
@example(["decrypt", "f", "-o", "-"])
@example(["exec", "f", "g", "--prefix", "P", "--", "a", "--", "-b"])
@example(["--color", "never", "exec", "f", "--", "a"])
@example(["exec", "f", "--"])
@example(["help"])
@example(["help", "git", "install"])
def test_what_the_quick_parser_takes_the_full_one_takes_alike(argv: list[str]) -> None:
    called = quick.parse(list(argv))
    if called is not None:
        assert full.parse(list(argv)) == called


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_plain_calls_need_no_click(command: Command) -> None:
    argv = command.name.split()
    argv += [argument.dest for argument in command.arguments]
    for option in command.options:
        argv.append(option.names[-1])
        if not option.is_switch:
            argv.append(option.choices[0] if option.choices else "value")
    if command.rest:
        argv += ["--", "program", "--", "-x", "--help"]
    called = quick.parse(argv)
    assert called is not None
    row, values = called
    assert row is command
    for option in command.options:
        assert values[option.dest] != option.default()
    if command.rest:
        assert values[command.rest] == ["program", "--", "-x", "--help"]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_a_target_takes_what_the_table_gives(command: Command) -> None:
    module, _, name = command.target.partition(":")
    __import__(module)
    function = getattr(sys.modules[module], name)
    values = command.defaults()
    for option in (COLOR, QUIET, *options_of(WHOSE_KEYS)):  # which main takes out
        values.pop(option.dest, None)
    inspect.signature(function).bind(None, **values)
    explicit = {
        parameter.name
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty
    }
    assert explicit <= set(values)
