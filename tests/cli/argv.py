"""Argument lines made from the table."""

from __future__ import annotations

from hypothesis import strategies as st

from encconf.cli.command import Command, Option
from encconf.cli.table import ALL, ROOT_OPTIONS, commands

WORDS = st.sampled_from(
    ["secrets.yaml", "-", "a b", "ä.json", "--", "", "-x", "--nope", "x=y", "=", "git", "help"]
)

VALUES = st.sampled_from(["x", "always", "never", "out.yaml", "-", "", "-i", "--force", "a=b", "age1a,age1b"])

NAMES = ["", *ALL]


def option_words(option: Option) -> st.SearchStrategy[list[str]]:
    name = st.sampled_from(option.names)
    if option.is_switch:
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
    before = st.lists(st.one_of(*map(option_words, ROOT_OPTIONS)), max_size=2)
    return st.tuples(before, after).map(
        lambda parts: [word for words in (*parts[0], command.name.split(), *parts[1]) for word in words]
    )


ARGV = st.one_of(
    *map(lines, commands()),
    st.lists(st.one_of(WORDS, st.sampled_from(NAMES)), max_size=4),
)
