"""The notation for the options of commands, and the values that a command line gives for them.

Both tables of commands (`encconf.cli.grammar`) write options in this way.
"""

from __future__ import annotations

from encconf.errors import ConflictError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

Value = bool | str | list[str] | None
Values = dict[str, Value]


class Option:
    """One option, made from its word in a table: its names, a mark, and the name of its value in the help.

    - ``output,o=FILE`` takes a text.  If it is given twice, the last one counts.  The mark may be left out.
    - ``allow*RULE`` can be given several times, with a text each time.
    - ``indent#`` takes a number.
    - ``force,f?`` is a switch.  ``cache!`` is a switch that is on by default.
    - ``color=WHEN:always|never`` accepts only the values after the colon.
    - ``config=FILE$SOPS_CONFIG`` is read from the variable after ``$`` if it is not given.

    ``words`` are the names without dashes, and ``names`` those with dashes.  ``dest`` is the first name as a
    Python keyword argument.  ``help`` is its text in the help.
    """

    def __init__(self, row: str, help: str = "") -> None:
        self.help = help
        row, _, self.env = row.partition("$")
        self.kind = next((sign for sign in "=?!#*" if sign in row), "=")
        words, _, value = row.partition(self.kind)
        self.words = tuple(words.split(","))
        self.names = tuple(f"--{word}" if len(word) > 1 else f"-{word}" for word in self.words)
        self.dest = self.words[0].replace("-", "_")
        self.metavar, _, choices = value.partition(":")
        self.choices = tuple(choices.split("|")) if choices else ()

    @property
    def is_switch(self) -> bool:
        """Whether the option takes no value."""
        return self.kind in ("?", "!")

    def default(self) -> Value:
        """Return the value if the option is not given."""
        return self.kind == "!" if self.is_switch else [] if self.kind == "*" else None


def flag(values: Mapping[str, Value], name: str) -> bool:
    """Whether a switch was given."""
    return values.get(name) is True


def text(values: Mapping[str, Value], name: str) -> str | None:
    """Return the value of an option, or None if it was not given."""
    value = values.get(name)
    return value if isinstance(value, str) else None


def texts(values: Mapping[str, Value], name: str) -> list[str]:
    """Return all values of an option that can be repeated."""
    value = values.get(name)
    return value if isinstance(value, list) else []


def exclude(values: Mapping[str, Value], *names: str, hint: str | None = None) -> None:
    """Raise ConflictError if more than one of these options is given."""
    given = [f"--{name.replace('_', '-')}" for name in names if values.get(name)]
    if len(given) > 1:
        raise ConflictError(f"{' and '.join(given)} exclude each other", hint=hint)
