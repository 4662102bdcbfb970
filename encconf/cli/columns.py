"""Reports for people on stdout: colored lines, and tables of text wrapped to the width of the terminal."""

from __future__ import annotations

from encconf.cli.console import Console, wants_color, width_of


def in_columns(console: Console, text: str) -> str:
    """Wrap the rows of a text to the width of the terminal.  The second column stays a column."""
    width = width_of(1, console.environ)
    if not width or max(map(len, text.split("\n"))) <= width:
        return text
    import re
    from textwrap import fill

    continued = " " * 34  # the start of the second and later lines of a row
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
    """The lines of a printed report, with colors if stdout is to be colored."""

    def __init__(self, console: Console) -> None:
        self._colored = wants_color(console.color, 1, console.environ)
        self.lines: list[str] = []

    def say(self, line: str = "") -> None:
        """Add a line."""
        self.lines.append(line)

    def paint(self, color: str, text: str) -> str:
        """Return the text in a color, which is an ANSI code such as ``1;31``, if the report is colored."""
        return f"\033[{color}m{text}\033[0m" if self._colored and text.strip() else text
