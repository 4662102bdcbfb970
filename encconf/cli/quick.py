"""The quick parser, for simple command lines without mistakes.  It imports no library, so it takes no time.

`parse` returns what `encconf.cli.full` would return, or None.  It leaves help, mistakes, completion and
unusual forms (``-io FILE``, ``--output=``, values that begin with a dash) to the full parser, so that the two
cannot disagree.
"""

from __future__ import annotations

from encconf.cli.options import Option, Values
from encconf.cli.table import COMMANDS, GROUPS, ROOT_OPTIONS, Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def parse(argv: list[str]) -> tuple[Command, Values] | None:
    """Return the command of the arguments and its values, or None if the full parser must read them."""
    given: Values = {}
    words = iter(argv)
    name = [_options(words, ROOT_OPTIONS, given, None)]
    if name[0] in GROUPS:
        name.append(next(words, ""))
    command = next((each for each in COMMANDS if each.name.split() == name), None)
    if command is None:
        return None
    values = command.defaults()
    values.update((dest, value) for dest, value in given.items() if dest in values)
    if command.rest:
        words = iter(_cut(words, command, values))
        if not values[command.rest]:
            return None
    positional: list[str] = []
    if _options(words, command.options, values, positional) is None:
        return None
    for argument in command.arguments:
        if argument.many:
            if argument.required and not positional:
                return None
            values[argument.dest] = positional
            positional = []
        elif positional:
            values[argument.dest] = positional.pop(0)
        elif argument.required:
            return None
    return None if positional else (command, values)


def _cut(words: Iterable[str], command: Command, values: Values) -> list[str]:
    """Return the words before ``--``.  Those after it become the value ``command.rest``."""
    before = list(words)
    if "--" in before:
        at = before.index("--")
        values[command.rest] = before[at + 1 :]
        del before[at:]
    return before


def _options(
    words: Iterable[str], options: Iterable[Option], values: Values, positional: list[str] | None
) -> str | None:
    """Read options into ``values`` and other words into ``positional``.

    Returns None if the full parser must read the line.  Otherwise returns "", or without ``positional`` the
    first other word.
    """
    words = iter(words)
    for word in words:
        if word[:1] != "-" or word == "-":
            if positional is None:
                return word
            positional.append(word)
            continue
        name, equals, value = word.partition("=")
        option = next((each for each in options if name in each.names), None)
        if option is None or (equals and not value) or (equals and name[:2] != "--"):
            return None
        if option.is_switch:
            if equals:
                return None
            values[option.dest] = True
            continue
        if not equals:
            value = next(words, "")
            if not value or (value[0] == "-" and value != "-"):
                return None
        if option.choices and value not in option.choices:
            return None
        if option.kind == "*":
            held = values.get(option.dest)
            values[option.dest] = [*(held if isinstance(held, list) else ()), value]
        else:
            values[option.dest] = value
    return None if positional is None else ""
