"""The table of commands and options, for the parsers, the help and the completion.

A command is a row in `COMMANDS` and a function ``target`` ("module:function"), which is called as
``function(console, **values)`` with one keyword for each argument and option.  If sops 3.13.3 has a command
or option, it has the same name here.  The texts of the help are in help/commands.txt.  Every start imports
this module, so it imports little else.
"""

from __future__ import annotations

from encconf.cli.options import Option, Values, options_of
from encconf.keys import TABLE, in_config_order
from encconf.record import Record

QUIET = Option("quiet?", dest="without_notes")
"""Every command has this option, except those with their own ``quiet``: `diff`."""
COLOR = Option("color=WHEN:auto|always|never$ENCCONF_COLOR")
"""Every command has this option."""


class Argument:
    """A positional argument, made from its word in a row.

    ``file`` is required, ``file?`` is optional.  ``file+`` takes one or more words, and ``file*`` any number.
    """

    def __init__(self, row: str) -> None:
        self.dest = row.rstrip("?+*")
        self.required = row[-1] not in "?*"
        self.many = row[-1] in "+*"


class Command:
    """One command.

    ``name`` has the words that call it, and ``options`` is a row (see `encconf.cli.options`).  ``rest`` is
    the keyword for the list of words after ``--``, or "" if the command accepts none.  ``failure`` is the
    exit code for every error, or None if each error has its own.
    """

    def __init__(
        self,
        name: str,
        target: str,
        arguments: str = "",
        options: str = "",
        *,
        rest: str = "",
        failure: int | None = None,
    ) -> None:
        self.name = name
        self.target = target
        self.rest = rest
        self.failure = failure
        self.arguments = tuple(map(Argument, arguments.split()))
        self._row = options
        self._options: tuple[Option, ...] = ()

    @property
    def options(self) -> tuple[Option, ...]:
        """The options, in the order of the help.  They are made when they are first needed."""
        if not self._options:
            own = options_of(self._row)
            quiet = any("quiet" in option.words for option in own)
            self._options = (*own, COLOR) if quiet else (*own, COLOR, QUIET)
        return self._options

    def defaults(self) -> Values:
        """Return every keyword of ``target`` with its default."""
        values: Values = {option.dest: option.default() for option in self.options}
        for argument in self.arguments:
            values[argument.dest] = [] if argument.many else None
        if self.rest:
            values[self.rest] = []
        return values

    @property
    def help(self) -> Help:
        """The texts of its help."""
        return help_of(self.name)


class Help(Record):
    """The texts of a command in help/commands.txt.

    They are a line about it, more details, a text for each option by its name, and examples.  Each of the
    ``details`` is a paragraph, or a list of terms with their meanings.
    """

    summary: str
    details: list[str | list[tuple[str, str]]]
    options: dict[str, str]
    examples: list[str]

    def of(self, option: Option) -> str:
        """Return the text of an option, or else the text that all commands have for it."""
        name = option.words[0]
        return self.options.get(name) or help_of("").options[name]


_HELP: dict[str, Help] = {}


def help_of(name: str) -> Help:
    """Return the help of a command or a group.  "" is encconf itself, with options of several commands."""
    if not _HELP:
        from encconf.io.packaged import packaged

        for entry in packaged("encconf.cli", "help/commands.txt").split("\n\n["):
            head, *blocks = entry.rstrip("\n").split("\n\n")
            called, _, summary = head.lstrip("[").partition("]\n")
            _HELP[called] = _read(summary, blocks)
    return _HELP[name]


def _read(summary: str, blocks: list[str]) -> Help:
    """Parse the blocks of an entry: paragraphs, lists (``- TERM: text``), and last its options and examples.

    The options have the form ``--name: …``, and the examples are indented.
    """
    options: dict[str, str] = {}
    examples: list[str] = []
    name = ""
    for line in blocks.pop().split("\n") if blocks and blocks[-1].startswith(("--", "  ")) else ():
        word, colon, said = line.partition(": ")
        if line[0] == " ":
            examples.append(line.strip())
        elif colon and word[:2] == "--" and " " not in word:
            name, options[word[2:]] = word[2:], said
        else:
            options[name] += f" {line}"
    for name in [name for name in options if name.endswith("KEYS")]:  # make an option for each type of key
        said = options.pop(name)
        options |= {name.replace("KEYS", row.option): said.format(row.plural) for row in TABLE.values()}
    details: list[str | list[tuple[str, str]]] = []
    for block in blocks:
        rows = [" ".join(row.split("\n")).partition(": ") for row in block.removeprefix("- ").split("\n- ")]
        is_list = block.startswith("- ")
        details.append([(term, said) for term, _, said in rows] if is_list else " ".join(block.split("\n")))
    return Help(summary, details, options, examples)


# --- rows ----------------------------------------------------------------------------------------

CONFIG = "config=FILE$SOPS_CONFIG"
INPUT_TYPE = "input-type=FORMAT"
WHOSE_KEYS = "keyservice*URI aws-profile=NAME"
"""Options of every command that opens files.  The `Credentials` are made from them."""
OPENING = f"{INPUT_TYPE} {WHOSE_KEYS} {CONFIG}"
"""Options of every command that opens encrypted files."""
FLAT = "prefix=TEXT nested-separator,separator=TEXT section=PATH keep-case?"
"""Options of every command that turns the paths of values into names (`encconf.cli.flat`)."""
ROOT_OPTIONS = (COLOR, Option(CONFIG), QUIET)
"""Options that may also come before the command."""

_ROWS = [row for _, row in in_config_order()]
GROUP_KEYS = " ".join(f"{row.option}*{row.metavar}" for row in _ROWS)
CHANGED_KEYS = " ".join(f"{sign}-{row.option}*{row.metavar}" for sign in ("add", "rm") for row in _ROWS)
CREATING = " ".join(
    [
        *(f"{row.option}{row.short.replace('-', ',')}*{row.metavar}${row.variable}" for row in _ROWS),
        "encrypted-regex=REGEX unencrypted-regex=REGEX encrypted-suffix=SUFFIX unencrypted-suffix=SUFFIX",
        "encrypted-comment-regex=REGEX unencrypted-comment-regex=REGEX mac-only-encrypted?",
        f"{WHOSE_KEYS} {CONFIG}",
    ]
)
"""Options of every command that creates encrypted files."""
_GROUP = "file,f=FILE in-place,i? dry-run,n? json? threshold,shamir-secret-sharing-threshold=NUMBER"


COMMANDS = (
    Command("init", "encconf.cli.init:init", "", "keyring? ssh-to-age*PUB"),
    Command(
        "encrypt",
        "encconf.cli.encrypt:encrypt",
        "file*",
        "output,o=FILE in-place,i? force,f? recursive,r? dry-run,n? fail-fast? "
        f"{INPUT_TYPE} output-type=FORMAT filename-override=NAME {CREATING}",
    ),
    Command(
        "decrypt",
        "encconf.cli.decrypt:decrypt",
        "file*",
        "output,o=FILE in-place,i? force,f? recursive,r? dry-run,n? fail-fast? extract=PATH ignore-mac? "
        f"{INPUT_TYPE} output-type=FORMAT filename-override=NAME {WHOSE_KEYS} {CONFIG}",
    ),
    Command("edit", "encconf.cli.edit:edit", "file", f"ignore-mac? allow-plaintext? {INPUT_TYPE} {CREATING}"),
    Command("get", "encconf.cli.values:get", "file path?", f"json? resolve? ignore-mac? {OPENING}"),
    Command(
        "set",
        "encconf.cli.values:set_value",
        "file path value?",
        f"json? string? allow-plaintext? ignore-mac? {INPUT_TYPE} {CREATING}",
    ),
    Command("unset", "encconf.cli.values:unset", "file path", f"idempotent? ignore-mac? {OPENING}"),
    Command(
        "update", "encconf.cli.values:update", "file", f"from=FILE dry-run,n? allow-plaintext? {OPENING}"
    ),
    Command(
        "rotate",
        "encconf.cli.keys:rotate",
        "file*",
        f"recursive,r? changed? dry-run,n? json? {CHANGED_KEYS} resume-at=FILE checklist=FILE fail-fast? "
        f"output,o=FILE ignore-mac? {OPENING}",
    ),
    Command(
        "updatekeys",
        "encconf.cli.keys:updatekeys",
        "file*",
        "recursive,r? changed? yes,y? dry-run,n? json? checklist=FILE fail-fast? selection? allow-plaintext? "
        f"keep-data-key? ssh-to-age? {OPENING}",
    ),
    Command(
        "check",
        "encconf.cli.check:check",
        "path*",
        "verify? changed? recursive,r? strict? verbose? min-severity=SEVERITY:note|warning|error ignore*SLUG "
        f"format=FORMAT:text|json|sarif|github json? {CONFIG}",
    ),
    Command("explain", "encconf.cli.explain:explain", "file", f"{INPUT_TYPE} json? {CONFIG}"),
    Command(
        "access",
        "encconf.cli.access:report",
        "file*",
        f"people,p*NAMES recipients*FILE html=FILE no-history? verbose? json? {CONFIG}",
    ),
    Command(
        "diff",
        "encconf.cli.diff:compare",
        "file*",
        f"show-values? staged,cached? keyless? quiet,q? recipients*FILE json? {OPENING}",
        rest="paths",
        failure=2,
    ),
    Command(
        "keys add",
        "encconf.cli.keys:add_keys",
        "file*",
        f"recursive,r? changed? dry-run,n? json? fail-fast? {GROUP_KEYS} {OPENING}",
    ),
    Command("groups add", "encconf.cli.keys:regroup", "", f"{_GROUP} {GROUP_KEYS} {INPUT_TYPE} {WHOSE_KEYS}"),
    Command("groups delete", "encconf.cli.keys:regroup", "index", f"{_GROUP} {INPUT_TYPE} {WHOSE_KEYS}"),
    Command(
        "exec",
        "encconf.cli.execute:execute",
        "file+",
        f"override? pristine? keep-keys? print-sources? resolve? {FLAT} {INPUT_TYPE} {WHOSE_KEYS}",
        rest="argv",
    ),
    Command(
        "exec-env",
        "encconf.cli.execute:exec_env",
        "file command",
        f"pristine? user=NAME {INPUT_TYPE} {WHOSE_KEYS}",
    ),
    Command(
        "exec-file",
        "encconf.cli.execute:exec_file",
        "file command",
        f"no-fifo? filename=NAME user=NAME {INPUT_TYPE} output-type=FORMAT {WHOSE_KEYS}",
    ),
    Command(
        "export",
        "encconf.cli.export:export",
        "file+",
        "format=FORMAT:dotenv|shell|fish|json|github|k8s|env-file|systemd-creds output,o=FILE "
        f"{FLAT} name=NAME with-key=KEY:auto|host|tpm2|host+tpm2 plaintext? resolve? "
        f"{INPUT_TYPE} {WHOSE_KEYS}",
    ),
    Command(
        "publish",
        "encconf.cli.publish:publish",
        "file+",
        f"yes,y? dry-run,n? recursive,r? omit-extensions? json? {OPENING}",
    ),
    Command("filestatus", "encconf.cli.status:filestatus", "file", f"{INPUT_TYPE} {CONFIG}"),
    Command("completion", "encconf.cli.full:completion", "shell"),
    Command("keygen", "encconf.cli.init:keygen", "", "output,o=FILE to=ADDRESS use? pq?"),
    Command("git install", "encconf.cli.git:install", "pattern*", "global?"),
    Command("git uninstall", "encconf.cli.git:uninstall", "", "global?"),
    Command("git textconv", "encconf.cli.git:textconv", "file"),
    Command(
        "git merge",
        "encconf.cli.git:merge",
        "base ours theirs path",
        "marker-size=NUMBER base-label=TEXT ours-label=TEXT theirs-label=TEXT",
        failure=129,
    ),
    Command("git mergetool", "encconf.cli.git:mergetool", "base ours theirs merged"),
    Command(
        "keyservice",
        "encconf.cli.keyservice:keyservice",
        "",
        "network,net=NETWORK:tcp|unix address,addr=ADDRESS prompt? verbose? insecure-remote?",
    ),
    Command(
        "import",
        "encconf.cli.migrate:import_",
        "file",
        "output,o=FILE dialect=DIALECT:dotenv|systemd|shell|docker literal? cast? delete? force,f? "
        f"dry-run,n? json? {CREATING}",
    ),
    Command("doctor", "encconf.cli.doctor:doctor", "way*", f"json? {WHOSE_KEYS}"),
    Command(
        "systemd serve",
        "encconf.cli.systemd:serve",
        "file+",
        f"socket,s=PATH allow,a*RULE allow-from=FILE reload? idle=SECONDS {INPUT_TYPE}",
    ),
    Command(
        "systemd unit",
        "encconf.cli.systemd:unit",
        "file+",
        "unit,u=UNIT allow,a*RULE identity=FILE env? user? socket,s=PATH output,o=FOLDER "
        f"{FLAT} {INPUT_TYPE}",
    ),
    Command("shim", "encconf.cli.shim:shim", "folder"),
    Command("help", "encconf.cli.about:show_help", "words*"),
    Command("version", "encconf.cli.version:show_version"),
)

GROUPS = frozenset(row.name.split()[0] for row in COMMANDS if " " in row.name)
"""The first words of the commands with two words."""

VERSION_FLAGS = ("--version", "-v")
"""Words that can be given instead of a command.  As in sops, ``-v`` is not ``--verbose``."""
