"""Every command with its options, once: both parsers, the help and the completion read this table.

A command is a row in `COMMANDS` and a function ``target`` ("module:function"), which is called as
``function(console, **values)`` with one keyword per argument and option.  Words are those of sops
3.13.2 where it has them.  Nothing here imports anything: the table is read at every start.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    Value = bool | str | list[str] | None
    Values = dict[str, Value]


class Option:
    """One option: its names, where its value goes, and what its help says.

    ``kind`` is ``flag`` (bool), ``text`` (str or None; the last one wins) or ``list`` (list of
    str; every one counts).  ``env`` is the variable that stands in for it when it isn't given.
    """

    __slots__ = ("choices", "dest", "env", "help", "kind", "metavar", "names")

    def __init__(
        self,
        names: str,
        help: str,
        *,
        kind: str = "text",
        metavar: str = "",
        env: str | None = None,
        choices: tuple[str, ...] = (),
        dest: str | None = None,
    ) -> None:
        self.names = tuple(names.split())
        self.dest = dest or self.names[0].lstrip("-").replace("-", "_")
        self.help = help
        self.kind = kind
        self.metavar = metavar
        self.env = env
        self.choices = choices

    def default(self) -> Value:
        """The value of an option that isn't given."""
        return False if self.kind == "flag" else [] if self.kind == "list" else None


class Argument:
    """A positional argument; ``many`` takes all the words that are left (list of str)."""

    __slots__ = ("dest", "many", "required")

    def __init__(self, dest: str, *, required: bool = True, many: bool = False) -> None:
        self.dest = dest
        self.required = required
        self.many = many


class Command:
    """One command: ``name`` has the words that call it, ``examples`` are lines for its help."""

    __slots__ = ("arguments", "details", "examples", "help", "name", "options", "target")

    def __init__(
        self,
        name: str,
        target: str,
        help: str,
        *,
        arguments: tuple[Argument, ...] = (),
        options: tuple[Option, ...] = (),
        details: str = "",
        examples: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.target = target
        self.help = help
        self.arguments = arguments
        self.options = options
        self.details = details
        self.examples = examples

    def defaults(self) -> Values:
        """Every keyword of ``target``, as it is when nothing is given."""
        values: Values = {option.dest: option.default() for option in self.options}
        for argument in self.arguments:
            values[argument.dest] = [] if argument.many else None
        return values


COLOR: Final = Option(
    "--color",
    "When to colour messages (auto: on a terminal).",
    metavar="WHEN",
    env="ENCCONF_COLOR",
    choices=("auto", "always", "never"),
)
CONFIG: Final = Option(
    "--config", "Use this file instead of looking for .sops.yaml.", metavar="FILE", env="SOPS_CONFIG"
)
ROOT: Final = (COLOR, CONFIG)
"""Options that are taken before the command, too."""

INPUT_TYPE: Final = Option(
    "--input-type", "The file's format; by default its name tells.", metavar="FORMAT"
)
FILENAME: Final = Option(
    "--filename-override", "Look up the format and the creation rule for this name.", metavar="NAME"
)
IN_PLACE: Final = Option("--in-place -i", "Write the result over FILE.", kind="flag")
IGNORE_MAC: Final = Option(
    "--ignore-mac", "Decrypt although the file was changed without its key. For recovery only.", kind="flag"
)
FORCE: Final = Option("--force -f", "Overwrite a file that is not an encrypted one.", kind="flag")

KEYS: Final = (
    Option(
        "--age -a",
        "Encrypt for these age recipients (comma list), not for those of .sops.yaml.",
        kind="list",
        metavar="RECIPIENTS",
        env="SOPS_AGE_RECIPIENTS",
    ),
    Option(
        "--pgp -p",
        "Encrypt for these PGP fingerprints (comma list), not for those of .sops.yaml.",
        kind="list",
        metavar="FINGERPRINTS",
        env="SOPS_PGP_FP",
    ),
)
SELECTION: Final = (
    Option("--encrypted-regex", "Encrypt only values whose key matches.", metavar="REGEX"),
    Option("--unencrypted-regex", "Encrypt all but values whose key matches.", metavar="REGEX"),
    Option("--encrypted-suffix", "Encrypt only values whose key ends so.", metavar="SUFFIX"),
    Option("--unencrypted-suffix", "Encrypt all but values whose key ends so.", metavar="SUFFIX"),
    Option("--encrypted-comment-regex", "Encrypt only values whose comment matches.", metavar="REGEX"),
    Option("--unencrypted-comment-regex", "Encrypt all but values whose comment matches.", metavar="REGEX"),
    Option("--mac-only-encrypted", "Let the MAC cover encrypted values only.", kind="flag"),
)


COMMANDS: Final = (
    Command(
        "init",
        "encconf.cli.init:init",
        "Set up a key, a .sops.yaml and git for this project.",
        details="Makes what is missing and changes nothing that is there: an age key in your own key file, "
        "a .sops.yaml that names it, and the git diff driver.",
        options=(COLOR,),
        examples=("encconf init",),
    ),
    Command(
        "encrypt",
        "encconf.cli.encrypt:encrypt",
        "Encrypt a file.",
        details="secrets.yaml becomes secrets.enc.yaml beside it. When that exists and can be opened, only "
        "the lines that changed are written anew. Who can open it, and which values are encrypted, says "
        "the first rule of .sops.yaml that matches. Without FILE, or with -, stdin is encrypted to stdout.",
        arguments=(Argument("file", required=False),),
        options=(
            Option("--output -o", "Write the result here (-: stdout).", metavar="FILE"),
            IN_PLACE,
            FORCE,
            INPUT_TYPE,
            FILENAME,
            *KEYS,
            *SELECTION,
            CONFIG,
            COLOR,
        ),
        examples=(
            "encconf encrypt secrets.yaml",
            "encconf encrypt -i config/prod.yaml --encrypted-regex '^(password|token)$'",
            "encconf encrypt --age age1… -o - secrets.json",
        ),
    ),
    Command(
        "decrypt",
        "encconf.cli.decrypt:decrypt",
        "Decrypt a file to stdout.",
        details="Gives back what was encrypted, to the byte. Without FILE, or with -, stdin is read.",
        arguments=(Argument("file", required=False),),
        options=(
            Option("--output -o", "Write the result here, readable only by you (-: stdout).", metavar="FILE"),
            IN_PLACE,
            IGNORE_MAC,
            INPUT_TYPE,
            FILENAME,
            CONFIG,
            COLOR,
        ),
        examples=("encconf decrypt secrets.enc.yaml", "encconf decrypt -o secrets.yaml secrets.enc.yaml"),
    ),
    Command(
        "edit",
        "encconf.cli.edit:edit",
        "Edit a file decrypted.",
        details="Opens the plain text in $SOPS_EDITOR, $EDITOR, vim, nano or vi; afterwards only changed "
        "lines differ. A FILE that does not exist is made from an example, for the keys that .sops.yaml or "
        "the options name. Exit code 200: nothing was changed.",
        arguments=(Argument("file"),),
        options=(IGNORE_MAC, INPUT_TYPE, *KEYS, *SELECTION, CONFIG, COLOR),
        examples=("encconf edit secrets.enc.yaml", "EDITOR='code --wait' encconf edit secrets.enc.yaml"),
    ),
    Command(
        "keygen",
        "encconf.cli.init:keygen",
        "Make an age key and print its recipient.",
        details="The key is added to your own key file, where it is found by itself.",
        options=(
            Option("--output -o", "Write the key to this new file instead (-: stdout).", metavar="FILE"),
            COLOR,
        ),
        examples=("encconf keygen", "encconf keygen -o ci-key.txt"),
    ),
    Command(
        "git install",
        "encconf.cli.git:install",
        "Let git diff show encrypted files as plain text.",
        details="Sets the diff driver in this clone's configuration and names the files in .gitattributes. "
        "Whoever lacks the key sees the encrypted text.",
        options=(
            Option("--global", "For all your repositories.", kind="flag", dest="everywhere"),
            COLOR,
        ),
        examples=("encconf git install",),
    ),
    Command(
        "git textconv",
        "encconf.cli.git:textconv",
        "Print a file as plain text, for git diff.",
        details="What cannot be decrypted is printed as it is, so that git diff never fails.",
        arguments=(Argument("file"),),
        options=(COLOR,),
        examples=('git config diff.encconf.textconv "encconf git textconv"',),
    ),
    Command(
        "help",
        "encconf.cli.about:show_help",
        "Explain a command or a topic.",
        details="Topics: environment, exit-codes.",
        arguments=(Argument("words", required=False, many=True),),
        options=(COLOR,),
        examples=("encconf help edit", "encconf help environment"),
    ),
    Command(
        "version",
        "encconf.cli.about:show_version",
        "Print the version.",
        options=(COLOR,),
    ),
)

GROUPS: Final = {"git": "Show encrypted files as plain text in git."}
"""First words that several commands share, and what they are about."""

VERSION_FLAGS: Final = ("--version", "-v")
"""Instead of a command.  As in sops, ``-v`` is not ``--verbose``."""
