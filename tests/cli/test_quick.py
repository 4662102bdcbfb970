"""The quick parser and the full one are one: what the quick one takes, click takes alike."""

from __future__ import annotations

import inspect
import os
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from encconf.cli import full, quick
from encconf.cli.table import COLOR, COMMANDS, GROUPS, QUIET, ROOT, WHOSE_KEYS, Command, Option
from encconf.errors import EncconfError

WORDS = st.sampled_from(
    ["secrets.yaml", "-", "a b", "ä.json", "--", "", "-x", "--nope", "x=y", "=", "git", "help"]
)
VALUES = st.sampled_from(["x", "always", "never", "out.yaml", "-", "", "-i", "--force", "a=b", "age1a,age1b"])
NAMES = [*GROUPS, *(command.name for command in COMMANDS)]


def option_words(option: Option) -> st.SearchStrategy[list[str]]:
    name = st.sampled_from(option.names)
    if option.kind == "flag":
        return st.one_of(name.map(lambda n: [n]), name.map(lambda n: [n + "=true"]))
    value = st.one_of(VALUES, st.sampled_from(option.choices)) if option.choices else VALUES
    return st.one_of(
        st.tuples(name, value).map(list),
        st.tuples(name, value).map(lambda pair: ["=".join(pair)]),
        st.tuples(name, value).map(lambda pair: ["".join(pair)]),
        name.map(lambda n: [n]),
        name.map(lambda n: [n[:-1]]),
        name.map(lambda n: [n, "--help"]),
    )


def lines(command: Command) -> st.SearchStrategy[list[str]]:
    after = st.lists(
        st.one_of(*map(option_words, command.options), WORDS.map(lambda word: [word])), max_size=5
    )
    before = st.lists(st.one_of(*map(option_words, ROOT)), max_size=2)
    return st.tuples(before, after).map(
        lambda parts: [word for words in (*parts[0], command.name.split(), *parts[1]) for word in words]
    )


ARGV = st.one_of(
    *map(lines, COMMANDS),
    st.lists(st.one_of(WORDS, st.sampled_from(NAMES)), max_size=4),
)


@settings(max_examples=1500, deadline=None)
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


@settings(max_examples=300, deadline=None)
@given(ARGV)
@example(["git", "merge", "--nope"])
@example(["git merge"])
def test_a_mistake_is_an_error_of_ours(argv: list[str]) -> None:
    failed: EncconfError | None = None
    try:
        full.parse(list(argv))
    except EncconfError as error:
        failed = error
    except SystemExit as error:
        code = error.code
        assert code == 1, "no command: the help, on stderr"
    if failed is not None:
        named = [row for row in COMMANDS if f" {row.name} " in f" {' '.join(argv)} "]
        assert failed.exit_code in {row.failure for row in named} | {1, 2, 100}
        assert failed.hint


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_plain_calls_need_no_click(command: Command) -> None:
    argv = command.name.split()
    argv += [argument.dest for argument in command.arguments]
    for option in command.options:
        argv.append(option.names[-1])
        if option.kind != "flag":
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
    for option in (COLOR, QUIET, *WHOSE_KEYS):  # which main takes out
        values.pop(option.dest, None)
    inspect.signature(function).bind(None, **values)
    explicit = {
        parameter.name
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty
    }
    assert explicit <= set(values)


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


def test_the_quick_parser_is_not_used_for_completion(monkeypatch: pytest.MonkeyPatch) -> None:
    from encconf.cli import main

    monkeypatch.setitem(os.environ, "_ENCCONF_COMPLETE", "bash_source")
    with pytest.raises(SystemExit) as caught:
        main(["decrypt", "f"])
    assert caught.value.code == 0
