"""The command line of sops 3.13.3: its commands and flags, how a line is read, the help and the completion.

sops parses it with urfave/cli 1.22 and Go's flag package.  A flag has one dash or two and may be
``-x=value``.  The last one of repeated flags counts.  A command accepts flags anywhere.  Without a command,
flags come before the file.  Nothing here imports click.
"""

from __future__ import annotations

import os

from encconf.errors import EncconfError
from encconf.io.fileio import packaged
from encconf.keys import in_config_order
from encconf.record import VerbOptions
from encconf.text.words import FALSE, TRUE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from encconf.verbs.rule import Keys

    FlagValue = str | bool | int | list[str]


# --- commands and flags ---------------------------------------------------------------------------
# `Flags` has a field for each flag, whose annotation decides what the flag takes.  A flag means the same
# for every command that has it.

_NO_KEYS: Keys = {}


class Flags(VerbOptions):
    """The flags of a command line.  If one is not given, or the command does not have it, it has its default.

    ``group`` has the keys of ``groups add``.
    """

    add: Keys = _NO_KEYS
    address: str = ""
    aws_profile: str = ""
    background: bool = False
    check_for_updates: bool = False
    config: str = ""
    decrypt: bool = False
    decryption_order: str = ""
    disable_version_check: bool = False
    enable_local_keyservice: bool = True
    encrypt: bool = False
    encrypted_comment_regex: str = ""
    encrypted_regex: str = ""
    encrypted_suffix: str = ""
    encryption_context: str = ""
    extract: str = ""
    file: str = ""
    filename: str = ""
    filename_override: str = ""
    group: Keys = _NO_KEYS
    help: bool = False
    idempotent: bool = False
    ignore_mac: bool = False
    in_place: bool = False
    indent: int = 0
    input_type: str = ""
    keys: Keys = _NO_KEYS
    keyservice: Sequence[str] = ()
    mac_only_encrypted: bool = False
    network: str = ""
    no_fifo: bool = False
    omit_extensions: bool = False
    output: str = ""
    output_type: str = ""
    pristine: bool = False
    prompt: bool = False
    recursive: bool = False
    remove: Keys = _NO_KEYS
    rotate: bool = False
    same_process: bool = False
    set: str = ""
    shamir_secret_sharing_threshold: int = 0
    show_master_keys: bool = False
    unencrypted_comment_regex: str = ""
    unencrypted_regex: str = ""
    unencrypted_suffix: str = ""
    user: str = ""
    value_file: bool = False
    value_stdin: bool = False
    verbose: bool = False
    version: bool = False
    yes: bool = False


class Flag:
    """A flag: its ``names`` without dashes, the field that it sets, and the variable that is its default.

    ``type`` is the annotation of the field.  A flag for master keys has the type of ``key``.  If it can be
    given several times, it ``repeats``.
    """

    def __init__(
        self, *names: str, field: str = "", env: str = "", key: str = "", repeats: bool = False
    ) -> None:
        self.names = names
        self.field = field or names[0].replace("-", "_")
        self.env = env
        self.key = key
        self.type = "str" if key else Flags.fields()[self.field]
        self.is_switch = self.type == "bool"
        self.repeats = repeats or self.type == "Sequence[str]"


_ROWS = [(type, row) for type, row in in_config_order() if row.sops]
_KEYS = [
    Flag(row.option, *([row.short[1:]] if row.short else ()), field="keys", env=row.variable, key=type)
    for type, row in _ROWS
]
_GROUP_KEYS = [Flag(row.option, field="group", key=type, repeats=True) for type, row in _ROWS]
_CHANGED_KEYS = [
    *(Flag(f"add-{row.option}", field="add", key=type) for type, row in _ROWS),
    *(Flag(f"rm-{row.option}", field="remove", key=type) for type, row in _ROWS),
]
_SHORT = {"decrypt": "d", "encrypt": "e", "rotate": "r", "in-place": "i", "show-master-keys": "s"}
_SHORT |= {"version": "v", "yes": "y", "file": "f", "help": "h", "network": "net", "address": "addr"}
_VARIABLES = {
    "config": "SOPS_CONFIG",
    "decryption-order": "SOPS_DECRYPTION_ORDER",
    "disable-version-check": "SOPS_DISABLE_VERSION_CHECK",
    "enable-local-keyservice": "SOPS_ENABLE_LOCAL_KEYSERVICE",
    "keyservice": "SOPS_KEYSERVICE",
}
_known: dict[str, Flag] = {}


def _flags(names: str) -> list[Flag]:
    """Return the flags with these names, which blanks separate."""
    for name in names.split():
        if name not in _known:
            short = [_SHORT[name]] if name in _SHORT else []
            _known[name] = Flag(name, *short, env=_VARIABLES.get(name, ""))
    return [_known[name] for name in names.split()]


HELP = _flags("help")[0]
_SERVICES = _flags("enable-local-keyservice keyservice")
_ALL_SERVICES = _flags("decryption-order enable-local-keyservice keyservice")
_SELECTION = _flags("unencrypted-suffix encrypted-suffix unencrypted-regex encrypted-regex")
_FOR_KEYS = _flags("aws-profile encryption-context shamir-secret-sharing-threshold")


class Entry:
    """A command, a group of commands, or sops itself: its name, its summary and its flags."""

    def __init__(self, name: str, summary: str, *flags: Flag, is_group: bool = False) -> None:
        self.name = name
        self.summary = summary
        self.flags = flags
        self.is_group = is_group
        self.known = {word: flag for flag in (*flags, HELP) for word in flag.names}


_COMPLETION = "Generate shell completion scripts"
_GROUPS = "add and delete key groups of a file"
ENTRIES = {
    entry.name: entry
    for entry in (
        Entry(
            "",
            "editor of encrypted files, by encconf",
            *_flags("decrypt encrypt rotate disable-version-check check-for-updates"),
            *_KEYS,
            *_FOR_KEYS,
            *_flags("in-place extract input-type output-type show-master-keys"),
            *_CHANGED_KEYS,
            *_flags("ignore-mac mac-only-encrypted"),
            *_SELECTION,
            *_flags("unencrypted-comment-regex encrypted-comment-regex config set indent verbose output"),
            *_flags("filename-override"),
            *_ALL_SERVICES,
            *_flags("version"),
        ),
        Entry("completion", _COMPLETION, is_group=True),
        *(Entry(f"completion {shell}", _COMPLETION) for shell in ("bash", "zsh", "fish", "powershell")),
        Entry(
            "exec-env",
            "run a command with the values of a file in its environment",
            *_flags("background pristine user same-process aws-profile"),
            *_ALL_SERVICES,
        ),
        Entry(
            "exec-file",
            "run a command on a decrypted file",
            *_flags("background no-fifo user input-type output-type filename aws-profile"),
            *_ALL_SERVICES,
        ),
        Entry(
            "publish",
            "publish a file to a configured destination",
            *_flags("yes omit-extensions recursive verbose"),
            *_ALL_SERVICES,
        ),
        Entry(
            "keyservice", "serve master keys to other processes", *_flags("network address prompt verbose")
        ),
        Entry("filestatus", "say whether a file is encrypted", *_flags("input-type")),
        Entry("groups", _GROUPS, is_group=True),
        Entry(
            "groups add",
            _GROUPS,
            *_flags("file"),
            *_GROUP_KEYS,
            *_flags("aws-profile encryption-context in-place shamir-secret-sharing-threshold"),
            *_SERVICES,
        ),
        Entry("groups delete", _GROUPS, *_flags("file in-place shamir-secret-sharing-threshold"), *_SERVICES),
        Entry(
            "updatekeys",
            "give files the keys of the config file",
            *_flags("yes input-type aws-profile"),
            *_SERVICES,
        ),
        Entry(
            "decrypt",
            "decrypt a file or stdin",
            *_flags("in-place extract output input-type output-type ignore-mac filename-override"),
            *_flags("aws-profile"),
            *_ALL_SERVICES,
        ),
        Entry(
            "encrypt",
            "encrypt a file or stdin",
            *_flags("in-place output"),
            *_KEYS,
            *_FOR_KEYS,
            *_flags("input-type output-type"),
            *_SELECTION,
            *_flags("filename-override"),
            *_SERVICES,
        ),
        Entry(
            "rotate",
            "give a file a new data key",
            *_flags("in-place output input-type output-type encryption-context"),
            *_CHANGED_KEYS,
            *_flags("filename-override aws-profile"),
            *_ALL_SERVICES,
        ),
        Entry(
            "edit",
            "edit an encrypted file",
            *_KEYS,
            *_FOR_KEYS,
            *_flags("input-type output-type"),
            *_SELECTION,
            *_flags("show-master-keys ignore-mac"),
            *_ALL_SERVICES,
        ),
        Entry(
            "set",
            "set one value of a file: file index [value]",
            *_flags("input-type output-type value-file value-stdin shamir-secret-sharing-threshold"),
            *_flags("ignore-mac decryption-order idempotent aws-profile"),
            *_SERVICES,
        ),
        Entry(
            "unset",
            "take one value out of a file: file index",
            *_flags("input-type output-type shamir-secret-sharing-threshold ignore-mac decryption-order"),
            *_flags("idempotent aws-profile"),
            *_SERVICES,
        ),
    )
}
"""The commands of sops by name.  "" is sops itself, with its flags before the command."""
COMMANDS = [name for name in ENTRIES if name and " " not in name]


# --- a line --------------------------------------------------------------------------------------


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
    return Line(entry.name, _flags_of(values), given, words)


def _flags_of(values: Mapping[Flag, FlagValue]) -> Flags:
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


# --- help and completion --------------------------------------------------------------------------


def help_text(line: Line) -> str:
    """Return the help of sops, a group or a command.  Raises WrongLineError for an unknown command."""
    name = line.command.removesuffix(" help").removesuffix("help").strip()
    if line.command.endswith(" help"):
        return _of_group(name, line.args[1:2])
    if not name and line.args[:1] in (["help"], ["h"]):
        name = " ".join(line.args[1:2])
    if name and name in ENTRIES:
        return _of_group(name, []) if ENTRIES[name].is_group else _of_command(name)
    if name not in ("", "help", "h"):
        raise no_topic(name)
    commands = "".join(f"   {each:12} {ENTRIES[each].summary}\n" for each in COMMANDS)
    return (
        "sops - editor of encrypted files, by encconf\n\nUSAGE: sops [flags] command [flags] "
        "[arguments], or "
        f"sops [flags] file\n\nCOMMANDS:\n{commands}\nFLAGS:\n{_flag_lines(ENTRIES[''])}"
    )


def _of_group(name: str, topic: list[str]) -> str:
    """Return the help of a group, or of one of its commands: ``groups help add``."""
    if topic and f"{name} {topic[0]}" in ENTRIES:
        return _of_command(f"{name} {topic[0]}")
    if topic and topic[0] not in ("help", "h"):
        raise no_topic(topic[0])
    below = [each for each in ENTRIES if each.startswith(f"{name} ")]
    return f"sops {name} - {ENTRIES[name].summary}\n\n" + "".join(f"   sops {each}\n" for each in below)


def _of_command(name: str) -> str:
    return f"sops {name} - {ENTRIES[name].summary}\n\nFLAGS:\n{_flag_lines(ENTRIES[name])}"


def _flag_lines(entry: Entry) -> str:
    lines = []
    for flag in entry.flags:
        value = "" if flag.is_switch else " number" if flag.type == "int" else " value"
        variable = f" [${flag.env}]" if flag.env else ""
        lines.append(f"   {', '.join(map(_dashed, flag.names))}{value}{variable}\n")
    return "".join(lines)


def _dashed(name: str) -> str:
    return f"--{name}" if len(name) > 1 else f"-{name}"


def words(before: list[str]) -> str:
    """Return the words that can follow, one on each line: commands, or flags after a dash."""
    command = next((word for word in before if word in COMMANDS), "")
    if before and before[-1][:1] == "-":
        found = [_dashed(name) for flag in ENTRIES[command].flags for name in flag.names]
        return "".join(f"{name}\n" for name in found if name.startswith(before[-1]))
    below = [name.partition(" ")[2] for name in ENTRIES if name.startswith(f"{command} ")]
    return "".join(f"{name}\n" for name in (below if command else (*COMMANDS, "help")))


def completion(line: Line) -> str:
    """Return the completion script for a shell, for ``sops completion SHELL``."""
    return packaged("encconf.cli", f"help/sops.{line.command.partition(' ')[2]}")
