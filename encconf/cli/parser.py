"""The parser of the command line.  It imports no library, so it takes no time.

An option may come anywhere after its command, and some before it (`ROOT_OPTIONS`).  ``-io FILE`` means
``-i -o FILE``, and ``-oFILE`` means ``-o FILE``.  Words after ``--`` are not options.
"""

from __future__ import annotations

from encconf.cli import table
from encconf.cli.command import HELP, VERSION, Command
from encconf.cli.table import ROOT, ROOT_OPTIONS
from encconf.errors import MissingFileError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from encconf.cli.command import Option, Values


def parse(argv: list[str]) -> tuple[Command, Values]:
    """Return the command of the arguments and its values.  ``--help`` means the command ``help``.

    Without a command, returns the group that was given, or encconf itself.
    Raises UsageError, and MissingFileError if no file is named where one is needed.
    """
    words = argv[::-1]  # the next word is the last one
    entry = ROOT
    values: Values = {}
    while entry.is_group:
        first = _read(words, entry, values)
        if not first or "version" in values:  # which needs no command, so it may be an unknown one
            break
        entry = find([*entry.name.split(), *first])
    defaults = entry.defaults()
    values = {**defaults, **values}
    if entry.rest and "--" in words:
        at = words[::-1].index("--")
        values[entry.rest], words = words[::-1][at + 1 :], words[len(words) - at :]
    positional = _read(words, entry, values)
    if "help" in values:
        help = table.command("help")
        return help, {**help.defaults(), "words": entry.name.split()}
    if "version" in values:
        version = table.command("version")
        return version, version.defaults()
    _place(entry, values, positional)
    return entry, {dest: values[dest] for dest in defaults}


def find(words: list[str]) -> Command:
    """Return the entry of a command or a group, or of encconf itself without words.  Raises UsageError."""
    if not words:
        return ROOT
    *group, last = words
    within = table.entry(" ".join(group)) or ROOT
    found = table.entry(" ".join(words))
    if found is None or not last or " " in last:
        from encconf.text.words import did_you_mean

        names = [name.split() for name in table.ALL]
        known = [name[-1] for name in names if name[:-1] == group]
        meant = _OF_OTHERS.get(last) if not group else None
        hint = f"did you mean {meant}?" if meant else did_you_mean(last, known)
        if words == ["sops"]:
            hint = "leave the word out (encconf -d FILE); encconf shim DIR installs encconf under this name"
        raise _mistake(within, f"unknown command {last!r}", hint)
    return found


_OF_OTHERS = {
    "add": "set, or keys add",
    "cat": "decrypt",
    "create": "edit",
    "delete": "unset",
    "install": "git install",
    "list": "access",
    "lock": "encrypt",
    "ls": "access",
    "new": "edit",
    "recipients": "keys list",
    "rekey": "rotate",
    "remove": "unset, or keys remove",
    "rm": "unset",
    "run": "exec",
    "show": "decrypt",
    "status": "check",
    "unlock": "decrypt",
    "verify": "check",
    "view": "decrypt",
}
"""What git-crypt, ansible-vault, pass, agenix and dotenvx call commands whose names here are not similar."""


def _read(words: list[str], entry: Command, values: Values) -> list[str]:
    """Read options into ``values``, and return the other words.  Before a command, stop after one of them."""
    options = (*ROOT_OPTIONS, VERSION) if entry is ROOT else entry.options
    known = {name: option for option in (*options, HELP) for name in option.names}
    others: list[str] = []
    while words and (not entry.is_group or not others):
        word = words.pop()
        if word == "--":
            if entry.is_group:
                continue  # the command follows
            return [*others, *words[::-1]]
        if word[:1] != "-" or word == "-":
            others.append(word)
            continue
        name, equals, value = word.partition("=")
        if name not in known and word[:2] in known and not _is_of_sops(entry, name[1:]):
            name, equals, value = _letter(word, known, words)
        option = known.get(name)
        if option is None:
            raise _unknown_option(entry, name, words, list(known))
        if option.is_switch:
            if equals:
                raise _mistake(entry, f"{name} takes no value")
            values[option.dest] = True
        elif not equals and not words:
            raise _mistake(entry, f"{name} needs a value")
        else:
            _take(entry, option, name, value if equals else words.pop(), values)
    return others


def _letter(word: str, known: Mapping[str, Option], words: list[str]) -> tuple[str, str, str]:
    """Split ``-oFILE`` into an option and its value.  After a switch, the others are options: ``-io``."""
    name, value = word[:2], word[2:]
    if known[name].is_switch and value[0] != "-":
        words.append(f"-{value}")
        return name, "", ""
    return name, "=", value


def _take(entry: Command, option: Option, name: str, value: str, values: Values) -> None:
    """Put the value of an option into ``values``."""
    if option.choices and value not in option.choices:
        raise _mistake(entry, f"{name} must be one of: {', '.join(option.choices)}")
    held = values.get(option.dest)
    values[option.dest] = [*held, value] if isinstance(held, list) else value


def _is_of_sops(entry: Command, name: str) -> bool:
    """Whether sops has this flag, with one dash or two.  ``-output`` is not ``-o utput`` then."""
    from encconf.cli.sops_line import ENTRIES

    return entry.name in ENTRIES and name in ENTRIES[entry.name].known


def _place(entry: Command, values: Values, positional: list[str]) -> None:
    """Give the arguments of a command their values."""
    for argument in entry.arguments:
        if argument.required and not positional:
            if argument.dest == "file":
                raise MissingFileError("no file was given", hint=_see(entry))
            raise _mistake(entry, f"{argument.dest.upper()} is missing")
        if argument.many:
            values[argument.dest], positional = positional, []
        elif positional:
            values[argument.dest] = positional.pop(0)
    if positional:
        if _takes_secret(entry):
            last = entry.arguments[-1].dest
            hint = "quote a VALUE that has spaces"
            if last != "value":
                hint = "the value is not an argument: encconf asks for it, or reads it from stdin"
            raise _mistake(entry, f"there is a word after {last.upper()}", hint)
        raise _mistake(entry, f"unexpected argument {positional[0]!r}")


def _takes_secret(entry: Command) -> bool:
    """Whether a word may be part of a secret, so that no message quotes it: ``set FILE PATH $PASSWORD``."""
    return any(argument.secret for argument in entry.arguments)


def _unknown_option(entry: Command, name: str, words: list[str], known: list[str]) -> UsageError:
    from encconf.text.words import did_you_mean

    next_words = " ".join(words[:-3:-1]), *words[-1:]
    meant = next((table.command(each) for each in next_words if entry is ROOT and each in table.ALL), entry)
    if meant is not entry:
        known = [each for option in (*meant.options, HELP) for each in option.names]
    if name in known:
        return _mistake(meant, f"{name} is an option of the command", f"write it after encconf {meant.name}")
    similar = did_you_mean(name, known, 0.75)
    if not similar and _takes_secret(meant):
        return _mistake(meant, "unknown option", "write -- before a VALUE that begins with a dash")
    return _mistake(meant, f"unknown option {name}", similar)


def _mistake(entry: Command, message: str, hint: str = "") -> UsageError:
    error = UsageError(message, hint=hint or _see(entry))
    error.exit_code = entry.failure or error.exit_code
    return error


def _see(entry: Command) -> str:
    return " ".join(["see: encconf", *entry.name.split(), "--help"])
