"""The last line of a terminal: a bar, and what is waited for."""

from __future__ import annotations

import io
import os
import time
from types import SimpleNamespace

import pytest

from encconf.cli import console
from encconf.cli.console import Status, display_width

from .terminal import screen


class Screen(io.StringIO):
    """A terminal that is stderr of the console, and its clock, which nothing but a test moves."""

    now = 100.0
    width = 80

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        clock = SimpleNamespace(monotonic=lambda: self.now, sleep=lambda seconds: time.sleep(3600))
        size = SimpleNamespace(get_terminal_size=lambda descriptor: os.terminal_size((self.width, 24)))
        monkeypatch.setattr(console, "sys", SimpleNamespace(stderr=self))
        monkeypatch.setattr(console, "time", clock)
        monkeypatch.setattr(console, "os", size)
        monkeypatch.setattr(console, "is_terminal", lambda descriptor: True)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Screen:
    return Screen(monkeypatch)


def test_a_bar_grows_below_messages_and_is_erased(written: Screen) -> None:
    status = Status()
    with status.begin(2, "reading") as step:
        assert not status.print("nothing is drawn yet\n")
        step()
        assert screen(written.getvalue()) == ["reading [############------------] 1/2"]
        assert status.print("a.yaml: read\n")
        step()
        assert screen(written.getvalue()) == ["a.yaml: read", "reading [########################] 2/2"]
    assert screen(written.getvalue()) == ["a.yaml: read", ""]
    assert "\033" not in written.getvalue()


def test_a_slow_answer_is_named_and_a_question_hides_the_line(written: Screen) -> None:
    status = Status()
    answered = status.watch("KMS\x1b[2J")
    also = status.watch("Vault")
    with status.begin(9, "opening") as step:
        written.now += 2.5
        step()
        line = "opening [##----------------------] 1/9 waiting for KMS\\x1b[2J and 1 more (2 s)"
        assert screen(written.getvalue()) == [line]
        assert status.quietly(lambda question: str(screen(written.getvalue())))("?") == "['']"
        also()
        answered()
    assert screen(written.getvalue()) == [""]


@pytest.mark.parametrize("width", [1, 20, 40, 79])
def test_the_line_does_not_wrap(written: Screen, width: int) -> None:
    written.width = width
    status = Status()
    status.watch("\u9375" * 50)
    status.begin(5, "reading")
    written.now += 2
    status.step()
    (line,) = screen(written.getvalue())
    assert width - 2 <= display_width(line) < width


@pytest.mark.parametrize("width", [40, 57, 80])
def test_a_command_at_the_end_of_a_line_stays_whole(width: int) -> None:
    command = f"encconf keys add --name Bob age1{'x' * 58}"
    lines = console.wrapped(f"encconf: hint: send this line to {'Olga or ' * 7}Max: {command}", width)
    assert lines[-1] == f"  {command}"
    assert all(len(part) <= width for part in lines[:-1])
    fitting = "encconf: hint: " + "some words and then " * 2 + ": encconf whoami"
    assert console.wrapped(fitting, width)[-1].endswith("encconf whoami")
    assert console.wrapped(f"run: {command}, then check it", 40)[-1] == "  then check it"


@pytest.mark.parametrize("width", [40, 57, 80])
def test_long_lines_are_wrapped_between_words(width: int) -> None:
    line = "encconf: hint: " + "some words and then " * 9 + "/a/path/" + "x" * 90 + " and more words after it"
    lines = console.wrapped(line, width)
    assert " ".join(part.strip() for part in lines).split() == line.split()
    assert all(len(part) <= width or " " not in part.strip() for part in lines)
    assert all(part.startswith("  ") for part in lines[1:])
    assert console.wrapped(line, 0) == [line]
    deep = " " * width + line
    assert console.wrapped(deep, width) == [deep]
    assert console.wrapped("  indented " + "word " * 20, width)[1].startswith("    word")
