"""The table of commands and options: both parsers, the help and the completion read it.

A command is a row in `COMMANDS` and a function ``target`` ("module:function"), which is called as
``function(console, **values)`` with one keyword per argument and option.  Names are those of sops 3.13.3
where it has them.  Only the table of key types is imported here, since every start reads this file.
"""

from __future__ import annotations

from encconf.keys import in_config_order
from encconf.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

Value = bool | str | list[str] | None
Values = dict[str, Value]


def flag(values: Mapping[str, Value], name: str) -> bool:
    """Whether a flag was given."""
    return values.get(name) is True


def text(values: Mapping[str, Value], name: str) -> str | None:
    """The value that was given for an option, None if it was not given."""
    value = values.get(name)
    return value if isinstance(value, str) else None


def texts(values: Mapping[str, Value], name: str) -> list[str]:
    """Everything that was given for an option that can be repeated."""
    value = values.get(name)
    return value if isinstance(value, list) else []


class Option:
    """One option: its names, the keyword for its value (``dest``), and its help.

    With a ``metavar``, it takes a value (str or None; the last one counts), or with ``many`` a list of all
    values; ``kind`` is ``text`` or ``list`` then, otherwise ``flag`` (bool).  ``env`` is the variable that is
    read if the option is not given.
    """

    def __init__(
        self,
        names: str,
        help: str,
        metavar: str = "",
        *,
        many: bool = False,
        env: str | None = None,
        choices: tuple[str, ...] = (),
        dest: str | None = None,
    ) -> None:
        self.names = tuple(names.split())
        self.dest = dest or self.names[0].lstrip("-").replace("-", "_")
        self.help = help
        self.kind = "list" if many else "text" if metavar else "flag"
        self.metavar = metavar
        self.env = env
        self.choices = choices

    def default(self) -> Value:
        """The value if the option is not given."""
        return False if self.kind == "flag" else [] if self.kind == "list" else None


class Argument(Record):
    """A positional argument; with ``many``, it takes all remaining words (list of str)."""

    dest: str
    required: bool = True
    many: bool = False


COLOR = Option(
    "--color",
    "When to color messages (auto: on a terminal).",
    "WHEN",
    env="ENCCONF_COLOR",
    choices=("auto", "always", "never"),
)
QUIET = Option("--quiet", "Do not report what was done; show only warnings and errors.", dest="without_notes")
"""Every command has these two; `diff` has its own --quiet instead."""


class Command:
    """One command: ``name`` is the words that call it; help/commands.txt has the rest of its help.

    ``rest`` names the keyword for the words after ``--`` (list of str); "" if the command takes none.
    ``failure`` is the exit code for every failure; None: the error's own.
    """

    def __init__(
        self,
        name: str,
        target: str,
        help: str,
        *,
        arguments: tuple[Argument, ...] = (),
        options: tuple[Option, ...] = (),
        rest: str = "",
        failure: int | None = None,
    ) -> None:
        self.name = name
        self.rest = rest
        self.failure = failure
        self.target = target
        self.help = help
        self.arguments = arguments
        own = any("--quiet" in option.names for option in options)
        self.options = (*options, COLOR) if own else (*options, COLOR, QUIET)

    def defaults(self) -> Values:
        """Every keyword of ``target``, with its default."""
        values: Values = {option.dest: option.default() for option in self.options}
        for argument in self.arguments:
            values[argument.dest] = [] if argument.many else None
        if self.rest:
            values[self.rest] = []
        return values

    @property
    def details(self) -> str:
        """What its help says below the first line."""
        return _help_of(self.name)[0]

    @property
    def examples(self) -> list[str]:
        """Lines that call it, for its help."""
        return _help_of(self.name)[1]


_HELP: dict[str, tuple[str, list[str]]] = {}


def _help_of(name: str) -> tuple[str, list[str]]:
    """What help/commands.txt says about a command, and its examples there, which are indented."""
    if not _HELP:
        from encconf.io.packaged import packaged

        for entry in packaged("encconf.cli", "help/commands.txt").split("\n\n"):
            head, *lines = entry.splitlines()
            details = " ".join(line for line in lines if line[0] != " ")
            _HELP[head.strip("[]")] = details, [line.strip() for line in lines if line[0] == " "]
    return _HELP.get(name, ("", []))


CONFIG = Option("--config", "Use this file instead of looking for .sops.yaml.", "FILE", env="SOPS_CONFIG")
ROOT = (COLOR, CONFIG, QUIET)
"""Options that may also come before the command."""

INPUT_TYPE = Option(
    "--input-type", "The file's format (by default, detected from its content and name).", "FORMAT"
)
FILENAME = Option("--filename-override", "Use this name to choose the format and the creation rule.", "NAME")
IN_PLACE = Option("--in-place -i", "Write the result back to FILE.")
WHOSE_KEYS = (
    Option(
        "--keyservice",
        "Also use this key service: unix:///PATH or tcp://HOST:PORT. Repeatable.",
        "URI",
        many=True,
    ),
    Option("--aws-profile", "Use this AWS profile instead of the one a file names.", "NAME"),
)
"""Options of every command that opens files; `main` makes the `Credentials` from them."""
OPENING = (INPUT_TYPE, *WHOSE_KEYS, CONFIG)
"""Options of every command that opens encrypted files."""

IGNORE_MAC = Option(
    "--ignore-mac", "Decrypt even if the file was changed without its key. For recovery only."
)
JSON = Option("--json", "Print JSON.")
RECIPIENTS = Option(
    "--recipients", "Read names of keys from this file, or from the files in this folder.", "FILE", many=True
)
RECURSIVE = Option(
    "--recursive -r", "Include the files in folders: every encrypted file that git does not ignore."
)
CHANGED = Option("--changed", "Only files that are new or changed since the last git commit.")
FAIL_FAST = Option("--fail-fast", "Stop at the first file that fails.")
DRY_RUN = Option("--dry-run -n", "Show what would be done, without doing it.")
CHECKLIST = Option(
    "--checklist",
    "Before changing anything, add what removed recipients could read to this Markdown list.",
    "FILE",
)
ALLOW_PLAINTEXT = Option(
    "--allow-plaintext",
    "Allow plaintext for values that the rule would encrypt but the file's own selection does not, and "
    "a .sops.yaml that cannot be read.",
)
OUTPUT = Option("--output -o", "Write the result to this file (-: stdout).", "FILE")
THRESHOLD = Option(
    "--shamir-secret-sharing-threshold --threshold",
    "How many key groups are needed to open the file (by default, all).",
    "NUMBER",
    dest="threshold",
)
FILE = Option("--file -f", "The file to change.", "FILE", dest="file")
FLAT = (
    Option("--prefix", "Prefix every name with this.", "TEXT"),
    Option(
        "--nested-separator --separator",
        "Join the keys of nested values with this (by default, _).",
        "TEXT",
        dest="nested_separator",
    ),
    Option("--section", "Use only the values below this path.", "PATH"),
    Option("--keep-case", "Do not convert names to upper case."),
)
RESOLVE = Option(
    "--resolve",
    "Fetch the values of references (ref+vault://…). ENCCONF_REF_ALLOW permits more sources.",
)
FORCE = Option("--force -f", "Overwrite the output file even if it is not encrypted.")


def _keys(prefix: str, verb: str, *, env: bool = False) -> tuple[Option, ...]:
    """An option for each kind of master key."""
    return tuple(
        Option(
            f"--{prefix}{row.option} {row.short if env else ''}",
            verb.format(row.plural),
            row.metavar,
            many=True,
            env=row.variable if env else None,
        )
        for _, row in in_config_order()
    )


KEYS = _keys("", "Encrypt for these {} instead of those in .sops.yaml (comma-separated).", env=True)
GROUP_KEYS = _keys("", "Add these {} to the group (comma-separated).")
ADD_KEYS = _keys("add-", "Add these {} (comma-separated).")
RM_KEYS = _keys("rm-", "Remove these {} (comma-separated).")
SELECTION = (
    Option("--encrypted-regex", "Encrypt only values whose key matches REGEX.", "REGEX"),
    Option("--unencrypted-regex", "Encrypt all values except those whose key matches REGEX.", "REGEX"),
    Option("--encrypted-suffix", "Encrypt only values whose key ends with SUFFIX.", "SUFFIX"),
    Option("--unencrypted-suffix", "Encrypt all values except those whose key ends with SUFFIX.", "SUFFIX"),
    Option("--encrypted-comment-regex", "Encrypt only values whose comment matches REGEX.", "REGEX"),
    Option(
        "--unencrypted-comment-regex", "Encrypt all values except those whose comment matches REGEX.", "REGEX"
    ),
    Option("--mac-only-encrypted", "Compute the MAC over encrypted values only."),
)
CREATING = (*KEYS, *SELECTION, *WHOSE_KEYS, CONFIG)
"""Options of every command that creates encrypted files."""
GLOBAL = Option("--global", "For all your repositories.", dest="everywhere")
USER = Option("--user", "Run the command as this user.", "NAME")
YES = Option("--yes -y", "Do not ask for confirmation.")


COMMANDS = (
    Command(
        "init",
        "encconf.cli.init:init",
        "Set up a key, a .sops.yaml and git for this project.",
        options=(
            Option("--keyring", "Store the key in the system keyring, and use it from there."),
            Option(
                "--ssh-to-age",
                "Encrypt for the age recipient of this ssh-ed25519 key (a .pub file, or its line). "
                "Repeatable. With this option, no key is created.",
                "PUB",
                many=True,
            ),
        ),
    ),
    Command(
        "encrypt",
        "encconf.cli.encrypt:encrypt",
        "Encrypt files.",
        arguments=(Argument("file", required=False, many=True),),
        options=(
            OUTPUT,
            IN_PLACE,
            FORCE,
            Option("--recursive -r", "Include the files in folders that a path_regex in .sops.yaml matches."),
            DRY_RUN,
            FAIL_FAST,
            INPUT_TYPE,
            Option("--output-type", "Write the encrypted file in this format.", "FORMAT"),
            FILENAME,
            *CREATING,
        ),
    ),
    Command(
        "decrypt",
        "encconf.cli.decrypt:decrypt",
        "Decrypt a file to stdout, or several in place or to a folder.",
        arguments=(Argument("file", required=False, many=True),),
        options=(
            Option(
                "--output -o",
                "Write the result to this file, or those of several files to this folder, readable only by "
                "you (-: stdout).",
                "FILE",
            ),
            IN_PLACE,
            Option("--force -f", "Overwrite other files in the folder that --output names."),
            RECURSIVE,
            DRY_RUN,
            FAIL_FAST,
            Option("--extract", 'Print only the value at this path: a.b[0], or ["a"]["b"][0].', "PATH"),
            IGNORE_MAC,
            INPUT_TYPE,
            Option("--output-type", "Write this format: yaml, json, dotenv, ini, toml, binary.", "FORMAT"),
            FILENAME,
            *WHOSE_KEYS,
            CONFIG,
        ),
    ),
    Command(
        "edit",
        "encconf.cli.edit:edit",
        "Edit an encrypted file in your editor.",
        arguments=(Argument("file"),),
        options=(IGNORE_MAC, ALLOW_PLAINTEXT, INPUT_TYPE, *CREATING),
    ),
    Command(
        "get",
        "encconf.cli.values:get",
        "Print one value of a file.",
        arguments=(Argument("file"), Argument("path", required=False)),
        options=(JSON, RESOLVE, IGNORE_MAC, *OPENING),
    ),
    Command(
        "set",
        "encconf.cli.values:set_value",
        "Set one value of a file.",
        arguments=(Argument("file"), Argument("path"), Argument("value", required=False)),
        options=(
            Option("--json", "Parse VALUE as JSON: a number, a list, a mapping …"),
            Option("--string", "Treat VALUE as a string, whatever it looks like."),
            ALLOW_PLAINTEXT,
            IGNORE_MAC,
            INPUT_TYPE,
            *CREATING,
        ),
    ),
    Command(
        "unset",
        "encconf.cli.values:unset",
        "Remove one value from a file.",
        arguments=(Argument("file"), Argument("path")),
        options=(
            Option("--idempotent", "Succeed even if the value does not exist."),
            IGNORE_MAC,
            *OPENING,
        ),
    ),
    Command(
        "update",
        "encconf.cli.values:update",
        "Replace the plaintext of an encrypted file.",
        arguments=(Argument("file"),),
        options=(
            Option("--from", "Read the plaintext from this file.", "FILE", dest="given"),
            DRY_RUN,
            ALLOW_PLAINTEXT,
            *OPENING,
        ),
    ),
    Command(
        "rotate",
        "encconf.cli.keys:rotate",
        "Re-encrypt files with a new data key.",
        arguments=(Argument("file", required=False, many=True),),
        options=(
            RECURSIVE,
            CHANGED,
            DRY_RUN,
            JSON,
            *ADD_KEYS,
            *RM_KEYS,
            Option("--resume-at", "Start with this file; skip those before it.", "FILE"),
            CHECKLIST,
            FAIL_FAST,
            OUTPUT,
            IGNORE_MAC,
            *OPENING,
        ),
    ),
    Command(
        "updatekeys",
        "encconf.cli.keys:updatekeys",
        "Update the recipients of files to those in .sops.yaml.",
        arguments=(Argument("file", required=False, many=True),),
        options=(
            RECURSIVE,
            CHANGED,
            YES,
            DRY_RUN,
            JSON,
            CHECKLIST,
            FAIL_FAST,
            Option("--selection", "Also update which values are encrypted, as the rule says."),
            Option(
                "--allow-plaintext",
                "With --selection: decrypt values in the file that the rule no longer selects.",
            ),
            Option("--keep-data-key", "Keep the data key when a recipient is removed, as sops does."),
            Option(
                "--ssh-to-age",
                "Write the age recipients that correspond to the rule's ssh-ed25519 keys, for sops-nix.",
            ),
            *OPENING,
        ),
    ),
    Command(
        "check",
        "encconf.cli.check:check",
        "Check that files are encrypted as .sops.yaml says; needs no key.",
        arguments=(Argument("path", required=False, many=True),),
        options=(
            Option("--verify", "Also decrypt the files you have keys for, and check their MAC."),
            Option(
                "--changed",
                "Only files that are new, changed since the last commit, or below a .sops.yaml that changed.",
            ),
            Option("--recursive -r", "Accepted for consistency: check always includes the files in folders."),
            Option("--strict", "Fail on warnings as well."),
            Option("--verbose", "List every finding, including those with the same cause."),
            Option(
                "--min-severity",
                "Hide findings below this severity (by default, notes are hidden).",
                "SEVERITY",
                choices=("note", "warning", "error"),
            ),
            Option(
                "--ignore",
                "Ignore findings of this kind (SLUG=GLOB: only in files that match).",
                "SLUG",
                many=True,
            ),
            Option(
                "--format",
                "Output format (by default, text). github prints annotations; sarif is for code scanning.",
                "FORMAT",
                choices=("text", "json", "sarif", "github"),
            ),
            JSON,
            CONFIG,
        ),
    ),
    Command(
        "explain",
        "encconf.cli.explain:explain",
        "Explain which rule applies to a file, who can decrypt it, and why each value is encrypted or not.",
        arguments=(Argument("file"),),
        options=(INPUT_TYPE, JSON, CONFIG),
    ),
    Command(
        "access",
        "encconf.cli.access:report",
        "List who can read which files, alone or together, and since when; needs no key.",
        arguments=(Argument("file", required=False, many=True),),
        options=(
            Option(
                "--people -p",
                "List what these names or keys can open together (comma-separated).",
                "NAMES",
                many=True,
            ),
            RECIPIENTS,
            Option("--html", "Write an HTML report to this file (-: stdout).", "FILE"),
            Option("--no-history", "Do not read dates from git's history."),
            Option("--verbose", "List every set of readers."),
            JSON,
            CONFIG,
        ),
    ),
    Command(
        "diff",
        "encconf.cli.diff:compare",
        "Show what changed between versions of files, without showing values.",
        arguments=(Argument("file", required=False, many=True),),
        rest="paths",
        failure=2,
        options=(
            Option("--show-values", "Show the values as well."),
            Option("--staged --cached", "Compare the staged files instead of those in the work tree."),
            Option("--keyless", "Compare structure and ciphertexts, without using a key."),
            Option("--quiet -q", "Print nothing; use the exit code."),
            RECIPIENTS,
            JSON,
            *OPENING,
        ),
    ),
    Command(
        "keys add",
        "encconf.cli.keys:add_keys",
        "Add recipients to files.",
        arguments=(Argument("file", required=False, many=True),),
        options=(
            RECURSIVE,
            CHANGED,
            DRY_RUN,
            JSON,
            FAIL_FAST,
            *GROUP_KEYS,
            *OPENING,
        ),
    ),
    Command(
        "groups add",
        "encconf.cli.keys:regroup",
        "Add a key group to a file.",
        options=(FILE, IN_PLACE, DRY_RUN, JSON, THRESHOLD, *GROUP_KEYS, INPUT_TYPE, *WHOSE_KEYS),
    ),
    Command(
        "groups delete",
        "encconf.cli.keys:regroup",
        "Remove a key group from a file.",
        arguments=(Argument("index"),),
        options=(FILE, IN_PLACE, DRY_RUN, JSON, THRESHOLD, INPUT_TYPE, *WHOSE_KEYS),
    ),
    Command(
        "exec",
        "encconf.cli.execute:execute",
        "Run a program with the values of files in its environment.",
        arguments=(Argument("file", many=True),),
        rest="argv",
        options=(
            Option("--override", "Let values from the files override variables that are set."),
            Option("--pristine", "Start the program with only the values in its environment."),
            Option("--keep-keys", "Keep the variables that open files in the program's environment."),
            Option("--print-sources", "Show which file each variable comes from."),
            RESOLVE,
            *FLAT,
            INPUT_TYPE,
            *WHOSE_KEYS,
        ),
    ),
    Command(
        "exec-env",
        "encconf.cli.execute:exec_env",
        "Run a shell command with the values of a file in its environment, as sops does.",
        arguments=(Argument("file"), Argument("command")),
        options=(
            Option("--pristine", "Start the command with only the values in its environment."),
            USER,
            INPUT_TYPE,
            *WHOSE_KEYS,
        ),
    ),
    Command(
        "exec-file",
        "encconf.cli.execute:exec_file",
        "Run a shell command on a decrypted file, as sops does.",
        arguments=(Argument("file"), Argument("command")),
        options=(
            Option("--no-fifo", "Use a regular file instead of a named pipe."),
            Option("--filename", "The file's name (by default, tmp-file).", "NAME"),
            USER,
            INPUT_TYPE,
            Option("--output-type", "The format to write (by default, the file's).", "FORMAT"),
            *WHOSE_KEYS,
        ),
    ),
    Command(
        "export",
        "encconf.cli.export:export",
        "Print the values of files for other programs.",
        arguments=(Argument("file", many=True),),
        options=(
            Option(
                "--format",
                "The output format.",
                "FORMAT",
                choices=("dotenv", "shell", "fish", "json", "github", "k8s", "env-file", "systemd-creds"),
            ),
            Option("--output -o", "Write to this file (systemd-creds: into this folder).", "FILE"),
            *FLAT,
            Option("--name", "The name of the Secret (k8s).", "NAME"),
            Option(
                "--with-key",
                "The key that encrypts (systemd-creds; by default, what this machine has).",
                "KEY",
                choices=("auto", "host", "tpm2", "host+tpm2"),
            ),
            Option("--plaintext", "Allow printing values to a terminal."),
            RESOLVE,
            INPUT_TYPE,
            *WHOSE_KEYS,
        ),
    ),
    Command(
        "publish",
        "encconf.cli.publish:publish",
        "Send files to the destinations in .sops.yaml: S3, Google Cloud Storage, Vault.",
        arguments=(Argument("file", many=True),),
        options=(
            YES,
            DRY_RUN,
            Option("--recursive -r", "Publish the encrypted files in folders."),
            Option("--omit-extensions", "Remove the file extension from the name at the destination."),
            JSON,
            *OPENING,
        ),
    ),
    Command(
        "filestatus",
        "encconf.cli.status:filestatus",
        "Print whether a file is encrypted, as JSON.",
        arguments=(Argument("file"),),
        options=(INPUT_TYPE, CONFIG),
    ),
    Command(
        "completion",
        "encconf.cli.full:completion",
        "Print a shell completion script.",
        arguments=(Argument("shell"),),
    ),
    Command(
        "keygen",
        "encconf.cli.init:keygen",
        "Create an age key and print its recipient.",
        options=(
            Option("--output -o", "Write the key to this new file instead (-: stdout).", "FILE"),
            Option("--to", "Store the key here instead: keyring:…, vault:…, awssm:… …", "ADDRESS"),
            Option("--use", "Save the address given with --to in your configuration file."),
            Option("--pq", "Create a post-quantum key."),
        ),
    ),
    Command(
        "git install",
        "encconf.cli.git:install",
        "Let git diff and merge encrypted files by their values.",
        arguments=(Argument("pattern", required=False, many=True),),
        options=(GLOBAL,),
    ),
    Command(
        "git uninstall",
        "encconf.cli.git:uninstall",
        "Undo git install.",
        options=(GLOBAL,),
    ),
    Command(
        "git textconv",
        "encconf.cli.git:textconv",
        "Print a file as plaintext, for git diff.",
        arguments=(Argument("file"),),
    ),
    Command(
        "git merge",
        "encconf.cli.git:merge",
        "Merge two versions of an encrypted file, as git's merge driver.",
        arguments=(Argument("base"), Argument("ours"), Argument("theirs"), Argument("path")),
        options=(
            Option("--marker-size", "The length of conflict markers in a plaintext file.", "NUMBER"),
            Option("--base-label", "The label of the common ancestor.", "TEXT"),
            Option("--ours-label", "The label of OURS.", "TEXT"),
            Option("--theirs-label", "The label of THEIRS.", "TEXT"),
        ),
        failure=129,
    ),
    Command(
        "git mergetool",
        "encconf.cli.git:mergetool",
        "Merge two versions of an encrypted file in your editor.",
        arguments=(Argument("base"), Argument("ours"), Argument("theirs"), Argument("merged")),
    ),
    Command(
        "keyservice",
        "encconf.cli.keyservice:keyservice",
        "Let other processes use your master keys.",
        options=(
            Option(
                "--network --net", "The kind of socket (by default, tcp).", "NETWORK", choices=("tcp", "unix")
            ),
            Option(
                "--address --addr",
                "HOST:PORT (by default, 127.0.0.1:5000), or the path of the unix socket.",
                "ADDRESS",
            ),
            Option("--prompt", "Ask on the terminal before using a key."),
            Option("--verbose", "Log every request."),
            Option(
                "--insecure-remote",
                "Accept connections from other machines, unencrypted and without a password.",
            ),
        ),
    ),
    Command(
        "import",
        "encconf.cli.migrate:import_",
        "Create an encrypted file from a .env or another file of variables.",
        arguments=(Argument("file"),),
        options=(
            Option("--output -o", "The file to create: .yaml, .json, .toml or .env.", "FILE"),
            Option(
                "--dialect",
                "The program that reads FILE today (by default, dotenv; systemd for /etc/default and "
                "similar).",
                "DIALECT",
                choices=("dotenv", "systemd", "shell", "docker"),
            ),
            Option("--literal", "Do not expand ${NAME} and similar."),
            Option("--cast", "Convert values like true, False and 5432 to booleans and integers."),
            Option("--delete", "Delete FILE after verifying the new one."),
            Option("--force -f", "Replace an existing output file whose values differ."),
            DRY_RUN,
            JSON,
            *CREATING,
        ),
    ),
    Command(
        "doctor",
        "encconf.cli.doctor:doctor",
        "Show which ways to keep secrets work on this machine.",
        arguments=(Argument("way", required=False, many=True),),
        options=(JSON, *WHOSE_KEYS),
    ),
    Command(
        "systemd serve",
        "encconf.cli.systemd:serve",
        "Serve single values to systemd units.",
        arguments=(Argument("file", many=True),),
        options=(
            Option(
                "--socket -s",
                "The socket's path (by default, encconf/credentials.sock in /run or $XDG_RUNTIME_DIR).",
                "PATH",
            ),
            Option(
                "--allow -a", "Allow a unit a value: UNIT:CREDENTIAL=PATH. Repeatable.", "RULE", many=True
            ),
            Option("--allow-from", "Read rules like those of --allow from a file, one per line.", "FILE"),
            Option("--reload", "Reload a file when it changes."),
            Option("--idle", "Exit after this many seconds without a request.", "SECONDS"),
            INPUT_TYPE,
        ),
    ),
    Command(
        "systemd unit",
        "encconf.cli.systemd:unit",
        "Print unit files that give a unit its values.",
        arguments=(Argument("file", many=True),),
        options=(
            Option("--unit -u", "The unit that gets the values; app@.service for all instances.", "UNIT"),
            Option(
                "--allow -a",
                "Include only this value, under this name: CREDENTIAL=PATH. Repeatable.",
                "RULE",
                many=True,
            ),
            Option(
                "--identity",
                "The age identity the service opens FILE with (NAME.cred: an encrypted credential).",
                "FILE",
            ),
            Option("--env", "Also set NAME_FILE=… to the path of each value.", dest="variables"),
            Option("--user", "Write units for the user's service manager, not the system's."),
            Option("--socket -s", "The socket's path (by default, /run/UNIT-credentials/…).", "PATH"),
            Option("--output -o", "Write the unit files into this folder.", "FOLDER"),
            *FLAT,
            INPUT_TYPE,
        ),
    ),
    Command(
        "shim",
        "encconf.cli.shim:shim",
        "Install encconf under the name sops.",
        arguments=(Argument("folder"),),
    ),
    Command(
        "help",
        "encconf.cli.about:show_help",
        "Explain a command or a topic.",
        arguments=(Argument("words", required=False, many=True),),
    ),
    Command(
        "version",
        "encconf.cli.version:show_version",
        "Print the version.",
    ),
)

GROUPS = {
    "git": "Let git diff and merge encrypted files by their values.",
    "groups": "Require several people to open a file (key groups).",
    "keys": "Add recipients to files.",
    "systemd": "Serve values to systemd units.",
}
"""First words that several commands share, with the help for each."""

VERSION_FLAGS = ("--version", "-v")
"""Instead of a command.  As in sops, ``-v`` is not ``--verbose``."""
