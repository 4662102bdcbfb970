"""Text for people on stdout: the lines of a report, in color on a terminal, and rows in columns that fit."""

from __future__ import annotations

from encconf.cli.console import Console, wants_color, width_of


def in_columns(console: Console, text: str) -> str:
    """A text for the width of the terminal: what a row says stays in its column."""
    width = width_of(1, console.environ)
    if not width or max(map(len, text.split("\n"))) <= width:
        return text
    import re
    from textwrap import fill

    continued = " " * 34  # where a row of several lines goes on
    name_of = re.compile(r" *\S+(?: \S+)*  +").match

    def filled(row: str) -> str:
        name = name_of(row)
        column = name.end() if name and name.end() <= len(continued) else 4
        return fill(row, width, subsequent_indent=" " * column, break_on_hyphens=False)

    lines: list[str] = []
    for line in text.removesuffix("\n").split("\n"):
        if line.startswith(continued):
            gap = " " if name_of(lines[-1]) else "  "
            lines[-1] += gap + line.strip()
        else:
            lines.append(line)
    return "\n".join(map(filled, lines))


class Paper:
    """The lines of a printed report; they are colored if stdout may be."""

    def __init__(self, console: Console) -> None:
        self._colored = wants_color(console.color, 1, console.environ)
        self.lines: list[str] = []

    def say(self, line: str = "") -> None:
        """Add a line."""
        self.lines.append(line)

    def paint(self, color: str, text: str) -> str:
        """A text in a color, given as the numbers of ANSI."""
        return f"\033[{color}m{text}\033[0m" if self._colored and text.strip() else text
