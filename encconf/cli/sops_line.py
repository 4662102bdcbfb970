"""Parse the command line of sops 3.13.3, by the table of its commands and flags, help/sops.txt.

sops parses it with urfave/cli 1.22 and Go's flag package.  A flag has one dash or two and may be
``-x=value``.  The last one of repeated flags counts.  A command accepts flags anywhere.  Without a command,
flags come before the file.  Nothing here imports click.
"""

from __future__ import annotations

import os

from encconf.cli.grammar import Command, read
from encconf.cli.options import Option
from encconf.errors import EncconfError
from encconf.text.words import FALSE, TRUE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    FlagValue = str | bool | int | list[str]

ENTRIES = read("sops")
"""The commands of sops by name.  "" is sops itself, with its flags before the command."""
COMMANDS = [name for name in ENTRIES if name and " " not in name]

_HELP = Option("help,h?")


def flags_of(entry: Command) -> dict[str, Option]:
    """Return the flags of a command by name.  A flag with several names is there several times."""
    return {name: flag for flag in (*entry.options, _HELP) for name in flag.words}


class Line:
    """A parsed command line: the command, its flags by their first names, and its arguments.

    ``given`` has the names of the flags that the line has.  ``root`` is the part before the command.
    """

    def __init__(self, command: str, flags: dict[str, FlagValue], given: set[str], args: list[str]) -> None:
        self.command = command
        self.flags = flags
        self.given = given
        self.args = args
        self.root: Line = self

    def text(self, name: str) -> str:
        """Return the text of a flag, or "" if it is not given or the command has no such flag."""
        value = self.flags.get(name, "")
        return value if isinstance(value, str) else ""

    def texts(self, name: str) -> list[str]:
        """Return the texts of a flag.  They are not split at commas."""
        value = self.flags.get(name, [])
        return value if isinstance(value, list) else [value] if isinstance(value, str) and value else []

    def on(self, name: str) -> bool:
        """Whether a switch is on."""
        return self.flags.get(name) is True

    def number(self, name: str) -> int:
        """Return the number of a flag, or 0 if it is not given."""
        value = self.flags.get(name, 0)
        return value if isinstance(value, int) else 0


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
    if root.on("help") or not root.args or root.args[0] not in COMMANDS:
        return root
    name, words = root.args[0], root.args[1:]
    if not ENTRIES[name].target:
        group = _read(ENTRIES[name], words, environ, anywhere=False)
        words = group.args
        if group.on("help") or not words or words[0] in ("help", "h"):
            return _within(root, Line(f"{name} help", {}, set(), words))
        name, words = f"{name} {words[0]}", words[1:]
        if name not in ENTRIES:
            raise no_topic(name.partition(" ")[2])
    return _within(root, _read(ENTRIES[name], words, environ, anywhere=True))


def _within(root: Line, line: Line) -> Line:
    line.root = root
    return line


def _read(entry: Command, words: list[str], environ: Mapping[str, str], *, anywhere: bool) -> Line:
    known = flags_of(entry)
    words = _flags_first(known, words) if anywhere else list(words)
    values = {flag.words[0]: _default(flag, environ) for flag in known.values()}
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
        first = found.words[0]
        if found.is_switch:
            values[first] = _switch(name, value if equals else "true")
        else:
            if not equals:
                if not words:
                    raise WrongLineError(f"flag needs an argument: -{name}")
                value = words.pop(0)
            held = values[first] if name in given else []
            values[first] = _value(found, name, value, held if isinstance(held, list) else [])
        given.add(name)
    _refuse_two_forms(known, given)
    return Line(entry.name, values, given, words)


def _refuse_two_forms(known: Mapping[str, Option], given: set[str]) -> None:
    for flag in known.values():
        forms = [name for name in flag.words if name in given]
        if len(forms) > 1:
            raise WrongLineError(f"Cannot use two forms of the same flag: {forms[1]} {forms[0]}")


def _switch(name: str, value: str) -> bool:
    if value not in TRUE + FALSE:
        raise WrongLineError(f'invalid boolean value "{value}" for -{name}: parse error')
    return value in TRUE


def _value(flag: Option, name: str, value: str, held: list[str]) -> FlagValue:
    if flag.kind == "*":
        return [*held, value]
    return _number(name, value) if flag.kind == "#" else value


def _flags_first(known: Mapping[str, Option], words: list[str]) -> list[str]:
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


def _default(flag: Option, environ: Mapping[str, str]) -> FlagValue:
    said = environ.get(flag.env) if flag.env else None
    if flag.is_switch:
        if said is None:
            return flag.kind == "!"
        if said and said not in TRUE + FALSE:
            raise WrongLineError(
                f"could not parse {said} as bool value for flag {flag.words[0]}: invalid syntax"
            )
        return said in TRUE
    if flag.kind == "*":
        return [each.strip() for each in said.split(",")] if said else []
    return 0 if flag.kind == "#" else said or ""


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
    from encconf.cli.table import ENTRIES as OWN
    from encconf.cli.table import HELP, ROOT_OPTIONS, VERSION

    own = {name: option for option in (*ROOT_OPTIONS, VERSION, HELP) for name in option.names}
    known = flags_of(ENTRIES[""])
    words = iter(argv)
    for word in words:
        if word[:1] != "-" or word == "-":
            if word not in OWN:
                return "." in word and os.path.isfile(word)
            rest = list(words)
            if word not in ENTRIES or any(each in ("-h", "--help", "--") for each in rest):
                return False
            mine = {name: option for option in OWN[word].options for name in option.names}
            theirs = flags_of(ENTRIES[word])
            flags = [each.partition("=") for each in rest if each[:1] == "-" and each != "-"]
            alien = any(name not in mine or (equals and mine[name].is_switch) for name, equals, _ in flags)
            return alien and all(_bare(name) in theirs for name, _, _ in flags)
        name = word.partition("=")[0]
        if name not in own:
            return _bare(word) in known
        if word == name and not own[name].is_switch:
            next(words, None)
    return False
