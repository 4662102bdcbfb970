"""Parse the command line of sops 3.13.3, with a table of its commands and flags.

sops parses it with urfave/cli 1.22 and Go's flag package.  A flag has one dash or two and may be
``-x=value``.  The last one of repeated flags counts.  A command accepts flags anywhere.  Without a command,
flags come before the file.  Nothing here imports click.
"""

from __future__ import annotations

import os

from encconf.cli.options import Option, options_of
from encconf.errors import EncconfError
from encconf.keys import TABLE
from encconf.text.words import FALSE, TRUE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    FlagValue = str | bool | int | list[str]

# --- the table -----------------------------------------------------------------------------------

# Rows of flags, in the notation of `encconf.cli.options`.
_KS = "enable-local-keyservice!$SOPS_ENABLE_LOCAL_KEYSERVICE keyservice*$SOPS_KEYSERVICE"
_DO = "decryption-order$SOPS_DECRYPTION_ORDER"
_AWS = "aws-profile"  # sops has it only for commands that encrypt
_ROWS = TABLE.values()
_NAMED = " ".join(f"{row.option}{row.short.replace('-', ',')}${row.variable}" for row in _ROWS)
_KEYS = f"{_NAMED} {_AWS} encryption-context shamir-secret-sharing-threshold#"
_SEL = "unencrypted-suffix encrypted-suffix unencrypted-regex encrypted-regex"
_TYPES = "input-type output-type"
_CHANGES = " ".join(f"add-{row.option} rm-{row.option}" for row in _ROWS)
_GROUP = " ".join([*(f"{row.option}*" for row in _ROWS), _AWS, "encryption-context"])

FLAGS = {
    "completion bash": "",
    "completion zsh": "",
    "completion fish": "",
    "completion powershell": "",
    "exec-env": f"background? pristine? user same-process? {_AWS} {_DO} {_KS}",
    "exec-file": f"background? no-fifo? user {_TYPES} filename {_AWS} {_DO} {_KS}",
    "publish": f"yes,y? omit-extensions? recursive? verbose? {_DO} {_KS}",
    "keyservice": "network,net address,addr prompt? verbose?",
    "filestatus": "input-type",
    "groups add": f"file,f {_GROUP} in-place,i? shamir-secret-sharing-threshold# {_KS}",
    "groups delete": f"file,f in-place,i? shamir-secret-sharing-threshold# {_KS}",
    "updatekeys": f"yes,y? input-type {_AWS} {_KS}",
    "decrypt": f"in-place,i? extract output {_TYPES} ignore-mac? filename-override {_AWS} {_DO} {_KS}",
    "encrypt": f"in-place,i? output {_KEYS} {_TYPES} {_SEL} filename-override {_KS}",
    "rotate": f"in-place,i? output {_TYPES} encryption-context {_CHANGES} filename-override {_AWS} {_DO} "
    f"{_KS}",
    "edit": f"{_KEYS} {_TYPES} {_SEL} show-master-keys,s? ignore-mac? {_DO} {_KS}",
    "set": f"{_TYPES} value-file? value-stdin? shamir-secret-sharing-threshold# ignore-mac? {_DO} "
    f"idempotent? {_AWS} {_KS}",
    "unset": f"{_TYPES} shamir-secret-sharing-threshold# ignore-mac? {_DO} idempotent? {_AWS} {_KS}",
}
ROOT_FLAGS = (
    "decrypt,d? encrypt,e? rotate,r? disable-version-check?$SOPS_DISABLE_VERSION_CHECK check-for-updates? "
    f"{_KEYS} in-place,i? extract {_TYPES} show-master-keys,s? {_CHANGES} ignore-mac? mac-only-encrypted? "
    f"{_SEL} unencrypted-comment-regex encrypted-comment-regex config$SOPS_CONFIG set indent# verbose? "
    f"output filename-override {_DO} {_KS} version,v?"
)
GROUPED = ("completion", "groups")
COMMANDS = tuple(dict.fromkeys(name.partition(" ")[0] for name in FLAGS))

ABOUT = {
    "completion": "Generate shell completion scripts",
    "exec-env": "run a command with the values of a file in its environment",
    "exec-file": "run a command on a decrypted file",
    "publish": "publish a file to a configured destination",
    "keyservice": "serve master keys to other processes",
    "filestatus": "say whether a file is encrypted",
    "groups": "add and delete key groups of a file",
    "updatekeys": "give files the keys of the config file",
    "decrypt": "decrypt a file or stdin",
    "encrypt": "encrypt a file or stdin",
    "rotate": "give a file a new data key",
    "edit": "edit an encrypted file",
    "set": "set one value of a file: file index [value]",
    "unset": "take one value out of a file: file index",
}


def flags_of(row: str) -> dict[str, Option]:
    """Return the flags of a row by name.  A flag with several names is there several times."""
    return {name: flag for flag in options_of(row) for name in flag.words}


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


def read(argv: list[str], environ: Mapping[str, str]) -> Line:
    """Parse a command line.  Raises WrongLineError."""
    root = _read("", ROOT_FLAGS, argv, environ, anywhere=False)
    if root.on("help") or not root.args or root.args[0] not in COMMANDS:
        return root
    name, words = root.args[0], root.args[1:]
    if name in GROUPED:
        group = _read(name, "", words, environ, anywhere=False)
        words = group.args
        if group.on("help") or not words or words[0] in ("help", "h"):
            return _within(root, Line(f"{name} help", {}, set(), words))
        name, words = f"{name} {words[0]}", words[1:]
        if name not in FLAGS:
            raise no_topic(name.partition(" ")[2])
    return _within(root, _read(name, FLAGS[name], words, environ, anywhere=True))


def _within(root: Line, line: Line) -> Line:
    line.root = root
    return line


def _read(command: str, row: str, words: list[str], environ: Mapping[str, str], *, anywhere: bool) -> Line:
    known = flags_of(f"{row} help,h?")
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
    return Line(command, values, given, words)


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
    from encconf.cli.table import ENTRIES, ROOT_OPTIONS, VERSION_FLAGS

    own = {name for option in ROOT_OPTIONS for name in option.names} | {*VERSION_FLAGS, "-h", "--help"}
    known = flags_of(ROOT_FLAGS)
    words = iter(argv)
    for word in words:
        if word[:1] != "-" or word == "-":
            if word not in ENTRIES:
                return "." in word and os.path.isfile(word)
            row = FLAGS.get(word)
            rest = list(words)
            if row is None or any(each in ("-h", "--help", "--") for each in rest):
                return False
            mine = {name for option in ENTRIES[word].options for name in option.names}
            theirs = flags_of(row)
            flags = [each.partition("=")[0] for each in rest if each[:1] == "-" and each != "-"]
            alien = [each for each in flags if each not in mine or _switched(each, rest)]
            return bool(alien) and all(_bare(each) in theirs for each in flags)
        name = word.partition("=")[0]
        if name in own:
            if word == name and name not in (*VERSION_FLAGS, "-h", "--help"):
                next(words, None)
            continue
        return _bare(word) in known
    return False


def _switched(name: str, words: list[str]) -> bool:
    """Whether a switch is given as ``--switch=true``, which only sops accepts."""
    return any(word in (f"{name}={said}" for said in TRUE + FALSE) for word in words)
