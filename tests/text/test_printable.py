"""Texts from foreign files made fit for a message."""

from __future__ import annotations

from encconf.text.printable import counted, escaped, listed, printable


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


def test_a_number_of_things() -> None:
    assert [counted(number, "file") for number in (0, 1, 2)] == ["0 files", "1 file", "2 files"]
    assert [counted(number, "file has", "files have") for number in (1, 2)] == ["1 file has", "2 files have"]


def test_what_is_not_printable_is_made_visible() -> None:
    assert escaped("plain é") == "plain é"
    assert escaped("a\tb\x1b\u202e\n") == "a\\tb\\x1b\\u202e\\n"
    assert escaped("a\tb\n", "\n") == "a\\tb\n"
