"""Rows of a name and a text, for the width of a terminal."""

from __future__ import annotations

from encconf.cli.console import Console, width_of


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
