"""The options of a command line as rows of words, and the values that a line gives for them.

Both command lines have their options written so: `encconf.cli.table` and `encconf.cli.sops_line`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

Value = bool | str | list[str] | None
Values = dict[str, Value]


class Option:
    """One option, from its word in a row: names, a mark, and what its value is called.

    ``output,o=FILE`` takes a text, as does a word without a mark (the last one counts); ``allow*RULE`` takes
    several texts, ``indent#`` a number.  ``force,f?`` is a switch, ``cache!`` one that is on by default.  A
    colon is followed by the only values, ``color=WHEN:always|never``, and ``$`` by the variable that is read
    if the option is not given.

    ``words`` are the names without dashes, ``names`` those with dashes, and ``dest`` is the first one as a
    keyword of Python.
    """

    def __init__(self, row: str, dest: str = "") -> None:
        row, _, self.env = row.partition("$")
        at = next((at for at, sign in enumerate(row) if sign in "=?!#*"), len(row))
        self.words = tuple(row[:at].split(","))
        self.names = tuple(f"--{word}" if len(word) > 1 else f"-{word}" for word in self.words)
        self.dest = dest or self.words[0].replace("-", "_")
        self.kind = row[at : at + 1] or "="
        self.metavar, _, choices = row[at + 1 :].partition(":")
        self.choices = tuple(choices.split("|")) if choices else ()

    @property
    def is_switch(self) -> bool:
        """Whether it takes no value."""
        return self.kind in ("?", "!")

    def default(self) -> Value:
        """The value if the option is not given."""
        return self.kind == "!" if self.is_switch else [] if self.kind == "*" else None


def options_of(row: str) -> tuple[Option, ...]:
    """The options of a row."""
    return tuple(map(Option, row.split()))


def flag(values: Mapping[str, Value], name: str) -> bool:
    """Whether a switch was given."""
    return values.get(name) is True


def text(values: Mapping[str, Value], name: str) -> str | None:
    """The value that was given for an option, None if it was not given."""
    value = values.get(name)
    return value if isinstance(value, str) else None


def texts(values: Mapping[str, Value], name: str) -> list[str]:
    """Everything that was given for an option that can be repeated."""
    value = values.get(name)
    return value if isinstance(value, list) else []
