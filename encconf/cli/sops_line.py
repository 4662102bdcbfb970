"""Parse the command line of sops 3.13.3, by the table of its commands and flags, `encconf.cli.sops_table`.

sops parses it with urfave/cli 1.22 and Go's flag package.  A flag has one dash or two and may be
``-x=value``.  The last one of repeated flags counts.  A command accepts flags anywhere.  Without a command,
flags come before the file.  Nothing here imports click.
"""

from __future__ import annotations

import os

from encconf.cli.sops_table import COMMANDS, ENTRIES, Entry, Flag, Flags
from encconf.errors import EncconfError
from encconf.text.words import FALSE, TRUE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    FlagValue = str | bool | int | list[str]


class Line:
    """A parsed command line: the command, its flags, and its arguments.

    ``given`` has the names of the flags that the line has.  ``root`` is the part before the command.
    """

    def __init__(self, command: str, flags: Flags, given: set[str], args: list[str]) -> None:
        self.command = command
        self.flags = flags
        self.given = given
        self.args = args
        self.root: Line = self

    def accepts(self, name: str) -> bool:
        """Whether the command has a flag."""
        return name in ENTRIES[self.command].known


# --- reading the line ----------------------------------------------------------------------------


class WrongLineError(EncconfError):
    """sops would not accept the command line."""

    slug = "usage"


def no_topic(word: str) -> WrongLineError:
    """Return the error for help about an unknown command."""
    error = WrongLineError(f"No help topic for '{word}'")
    error.exit_code = 3
    return error


def parse(argv: list[str], environ: Mapping[str, str]) -> Line:
    """Parse a command line.  Raises WrongLineError."""
    root = _read(ENTRIES[""], argv, environ, anywhere=False)
    if root.flags.help or not root.args or root.args[0] not in COMMANDS:
        return root
    name, words = root.args[0], root.args[1:]
    if ENTRIES[name].is_group:
        group = _read(ENTRIES[name], words, environ, anywhere=False)
        words = group.args
        if group.flags.help or not words or words[0] in ("help", "h"):
            return _within(root, Line(f"{name} help", Flags(), set(), words))
        name, words = f"{name} {words[0]}", words[1:]
        if name not in ENTRIES:
            raise no_topic(name.partition(" ")[2])
    return _within(root, _read(ENTRIES[name], words, environ, anywhere=True))


def _within(root: Line, line: Line) -> Line:
    line.root = root
    return line


def _read(entry: Entry, words: list[str], environ: Mapping[str, str], *, anywhere: bool) -> Line:
    known = entry.known
    words = _flags_first(known, words) if anywhere else list(words)
    values = {flag: _default(flag, environ) for flag in known.values()}
    given: set[str] = set()
    while words and words[0][:1] == "-" and words[0] != "-":
        word = words.pop(0)
        if word == "--":
            break
        name = word[2:] if word[1] == "-" else word[1:]
        if name[:1] in ("", "-", "="):
            raise WrongLineError(f"bad flag syntax: {word}")
        name, equals, value = name.partition("=")
        found = known.get(name)
        if found is None:
            raise WrongLineError(f"flag provided but not defined: -{name}")
        if found.is_switch:
            values[found] = _switch(name, value if equals else "true")
        else:
            if not equals:
                if not words:
                    raise WrongLineError(f"flag needs an argument: -{name}")
                value = words.pop(0)
            held = values[found] if name in given else []
            values[found] = _value(found, name, value, held if isinstance(held, list) else [])
        given.add(name)
    _refuse_two_forms(known, given)
    return Line(entry.name, _flags(values), given, words)


def _flags(values: Mapping[Flag, FlagValue]) -> Flags:
    named: dict[str, Any] = {}
    for flag, value in values.items():
        if flag.key:
            words = value if isinstance(value, list) else [value] if value else []
            named.setdefault(flag.field, {})[flag.key] = words
        else:
            named[flag.field] = value
    return Flags(**named)


def _refuse_two_forms(known: Mapping[str, Flag], given: set[str]) -> None:
    for flag in known.values():
        forms = [name for name in flag.names if name in given]
        if len(forms) > 1:
            raise WrongLineError(f"Cannot use two forms of the same flag: {forms[1]} {forms[0]}")


def _switch(name: str, value: str) -> bool:
    if value not in TRUE + FALSE:
        raise WrongLineError(f'invalid boolean value "{value}" for -{name}: parse error')
    return value in TRUE


def _value(flag: Flag, name: str, value: str, held: list[str]) -> FlagValue:
    if flag.repeats:
        return [*held, value]
    return _number(name, value) if flag.type == "int" else value


def _flags_first(known: Mapping[str, Flag], words: list[str]) -> list[str]:
    """Move the flags of a command to the front, as urfave/cli does.

    The word after a flag moves with it, even if the flag is a switch.  Words after ``--`` are not flags.
    """
    flags: list[str] = []
    others: list[str] = []
    waiting = False
    for at, word in enumerate(words):
        is_flag = word[:1] == "-" and word not in ("-", "--") and _bare(word) in known
        if waiting and not is_flag:
            waiting = False
            flags.append(word)
        elif word == "--":
            return [*flags, "--", *others, *words[at + 1 :]]
        elif is_flag:
            flags.append(word)
            waiting = "=" not in word
        else:
            others.append(word)
    return [*flags, *others]


def _bare(word: str) -> str:
    return (word[2:] if word[:2] == "--" else word[1:]).partition("=")[0]


def _default(flag: Flag, environ: Mapping[str, str]) -> FlagValue:
    said = environ.get(flag.env) if flag.env else None
    if flag.is_switch:
        if said is None:
            return Flags.defaults()[flag.field] is True
        if said and said not in TRUE + FALSE:
            raise WrongLineError(
                f"could not parse {said} as bool value for flag {flag.names[0]}: invalid syntax"
            )
        return said in TRUE
    if flag.repeats:
        return [each.strip() for each in said.split(",")] if said else []
    return 0 if flag.type == "int" else said or ""


def _number(name: str, value: str) -> int:
    """Parse a whole number as Go does.  A leading zero makes it octal."""
    digits = value.lstrip("+-")
    octal = digits[:1] == "0" and digits[1:2].lower() not in ("", "b", "o", "x")
    wrong = "parse error"
    try:
        if value.isascii() and value == value.strip():
            number = int(value, 8 if octal else 0)
            if -(2**63) <= number < 2**63:
                return number
            wrong = "value out of range"
    except ValueError:
        pass
    raise WrongLineError(f'invalid value "{value}" for flag -{name}: {wrong}')


def is_for_sops(argv: list[str]) -> bool:
    """Whether ``encconf`` runs this command line as sops.

    It does so if a flag of sops comes before the command or file, if the first word is an existing file and
    no command, or if a command that both have has a flag that only sops has.
    """
    from encconf.cli import table
    from encconf.cli.command import HELP, VERSION
    from encconf.cli.table import ROOT_OPTIONS

    own = {name: option for option in (*ROOT_OPTIONS, VERSION, HELP) for name in option.names}
    known = ENTRIES[""].known
    words = iter(argv)
    for word in words:
        if word[:1] != "-" or word == "-":
            if word not in table.ALL:
                return "." in word and os.path.isfile(word)
            rest = list(words)
            if word not in ENTRIES or any(each in ("-h", "--help", "--") for each in rest):
                return False
            mine = {name: option for option in table.command(word).options for name in option.names}
            theirs = ENTRIES[word].known
            flags = [each.partition("=") for each in rest if each[:1] == "-" and each != "-"]
            alien = any(name not in mine or (equals and mine[name].is_switch) for name, equals, _ in flags)
            return alien and all(_bare(name) in theirs for name, _, _ in flags)
        name = word.partition("=")[0]
        if name not in own:
            return _bare(word) in known
        if word == name and not own[name].is_switch:
            next(words, None)
    return False
