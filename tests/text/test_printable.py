"""Texts from foreign files made fit for a message."""

from __future__ import annotations

import subprocess

import pytest

from encconf.text.printable import counted, escaped, listed, no_command, one_line, printable, quoted, visible


def test_text_from_a_foreign_file_cannot_move_the_cursor() -> None:
    assert printable("plain é") == "plain é"
    assert printable("a\x1b[2J\r\n\u202eb") == "a?[2J???b"


def test_a_long_text_is_cut() -> None:
    assert printable("abcdef", 6) == "abcdef"
    assert printable("abcdefg", 6) == "abcde…"
    assert printable("ab\ncdefg", 6) == "ab?cd…"


def test_many_names_are_counted() -> None:
    assert listed([]) == ""
    assert listed("abc", 3) == "a, b, c"
    assert listed(iter("abcd"), 3) == "a, b, c and 1 more"
    assert listed("abcdefghi") == "a, b, c, d, e, f, g, h and 1 more"


def test_a_number_of_things() -> None:
    assert [counted(number, "file") for number in (0, 1, 2)] == ["0 files", "1 file", "2 files"]
    assert [counted(number, "file has", "files have") for number in (1, 2)] == ["1 file has", "2 files have"]


def test_what_is_not_printable_is_made_visible() -> None:
    assert escaped("plain é") == "plain é"
    assert escaped("a\tb\x1b\u202e\n") == "a\\tb\\x1b\\u202e\\n"
    assert escaped("a\tb\n", "\n") == "a\\tb\n"


def test_a_name_is_no_command_of_a_ci_system() -> None:
    """GitHub's and Azure's runners obey lines that begin so, also after blanks."""
    for line, safe in (
        ("::error::x", "\\x3a:error::x"),
        ("  ##[group]x", "  \\x23#[group]x"),
        ("a ::error::x", "a ::error::x"),
        (":x", ":x"),
        ("#x", "#x"),
        ("", ""),
    ):
        assert no_command(line) == safe
    assert one_line("a\nb\t\x1b\n::x") == "a\\nb\\t\\x1b\\n::x"
    assert one_line("::x") == "\\x3a:x"
    assert visible("é\n\t\r") == "é\n\t\\r"
    assert quoted("a b") == "'a b'"


@pytest.mark.parametrize("shell", ["bash", "zsh"])
@pytest.mark.parametrize(
    "word", ["x\nencconf: ok", "é\x1b[2J 'a' \\n \u202e7", "\udcff1", "it's", "\t\r$(id)`id`"]
)
def test_a_word_for_a_shell_is_on_one_line(word: str, shell: str) -> None:
    line = quoted(word)
    assert line.isprintable()
    done = subprocess.run([shell, "-c", f"printf %s {line}"], capture_output=True, check=True)
    assert done.stdout == word.encode("utf-8", "surrogateescape")
