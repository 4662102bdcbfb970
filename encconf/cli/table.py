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
    """One command: ``name`` is the words that call it, ``examples`` are lines for its help.

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
        details: str = "",
        examples: tuple[str, ...] = (),
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
        self.details = details
        self.examples = examples

    def defaults(self) -> Values:
        """Every keyword of ``target``, with its default."""
        values: Values = {option.dest: option.default() for option in self.options}
        for argument in self.arguments:
            values[argument.dest] = [] if argument.many else None
        if self.rest:
            values[self.rest] = []
        return values


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


COMMANDS = (
    Command(
        "init",
        "encconf.cli.init:init",
        "Set up a key, a .sops.yaml and git for this project.",
        details="Creates what is missing and changes nothing that exists: an age key in your key file, a "
        ".sops.yaml that names it as a recipient, and the git drivers for diffs and merges.",
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
        examples=(
            "encconf init",
            "encconf init --keyring",
            "encconf init --ssh-to-age ~/.ssh/id_ed25519.pub --ssh-to-age hosts/web.pub",
        ),
    ),
    Command(
        "encrypt",
        "encconf.cli.encrypt:encrypt",
        "Encrypt files.",
        details="Writes secrets.yaml, encrypted, to secrets.enc.yaml next to it. If that file already "
        "exists and you can decrypt it, only the lines that changed are re-encrypted. The first rule in "
        ".sops.yaml that matches the file sets its recipients and which values are encrypted. FILE is a "
        "file, a quoted pattern ('deploy/**/*.yaml') or, with -r, a folder, whose plaintext files are "
        "encrypted if a path_regex in .sops.yaml matches them. If one of several files fails, the others "
        "are still done. Without FILE, or with -, encrypts stdin to stdout.",
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
            *KEYS,
            *SELECTION,
            *WHOSE_KEYS,
            CONFIG,
        ),
        examples=(
            "encconf encrypt secrets.yaml",
            "encconf encrypt -i config/prod.yaml --encrypted-regex '^(password|token)$'",
            "encconf encrypt --age age1… -o - secrets.json",
            "encconf encrypt -r -n deploy",
        ),
    ),
    Command(
        "decrypt",
        "encconf.cli.decrypt:decrypt",
        "Decrypt a file to stdout, or several in place or to a folder.",
        details="Prints the original text, byte for byte. Without FILE, or with -, reads stdin. FILE is a "
        "file, a quoted pattern ('deploy/**/*.yaml') or, with -r, a folder. Several files are decrypted "
        "with -i in place, or with -o to a folder: deploy/db.enc.yaml is written to FOLDER/deploy/db.yaml. "
        "If one of them fails, the others are still done.",
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
        examples=(
            "encconf decrypt secrets.enc.yaml",
            "encconf decrypt -o secrets.yaml secrets.enc.yaml",
            "encconf decrypt -r -o /run/app deploy",
        ),
    ),
    Command(
        "edit",
        "encconf.cli.edit:edit",
        "Edit an encrypted file in your editor.",
        details="Opens the plaintext in $SOPS_EDITOR, $EDITOR, vim, nano or vi. When you save and close "
        "it, only the lines you changed are re-encrypted. If FILE does not exist, it starts from an "
        "example, encrypted for the keys in .sops.yaml or in the options. With -, edits stdin and prints "
        "the result. Exit code 200: you changed nothing.",
        arguments=(Argument("file"),),
        options=(IGNORE_MAC, ALLOW_PLAINTEXT, INPUT_TYPE, *KEYS, *SELECTION, *WHOSE_KEYS, CONFIG),
        examples=("encconf edit secrets.enc.yaml", "EDITOR='code --wait' encconf edit secrets.enc.yaml"),
    ),
    Command(
        "get",
        "encconf.cli.values:get",
        "Print one value of a file.",
        details="Prints a string as it is, and a mapping or list in the file's format. PATH is a.b[0], or "
        """sops's ["a"]["b"][0]. Without PATH, or with ., prints the whole file.""",
        arguments=(Argument("file"), Argument("path", required=False)),
        options=(JSON, RESOLVE, IGNORE_MAC, *OPENING),
        examples=(
            "encconf get secrets.enc.yaml database.password",
            "encconf get secrets.enc.yaml users[0] --json",
        ),
    ),
    Command(
        "set",
        "encconf.cli.values:set_value",
        "Set one value of a file.",
        details="Without VALUE, encconf prompts for it (hidden) or reads it from stdin, so it stays out of "
        "your shell history. Empty input is an error; for an empty value, pass ''. If the present value is "
        "a number or a boolean and VALUE looks like one, it stays one; otherwise VALUE is a string. If "
        "FILE does not exist, it is created for the keys in .sops.yaml or in the options. The path users[] "
        "appends an item to a list.",
        arguments=(Argument("file"), Argument("path"), Argument("value", required=False)),
        options=(
            Option("--json", "Parse VALUE as JSON: a number, a list, a mapping …"),
            Option("--string", "Treat VALUE as a string, whatever it looks like."),
            ALLOW_PLAINTEXT,
            IGNORE_MAC,
            INPUT_TYPE,
            *KEYS,
            *SELECTION,
            *WHOSE_KEYS,
            CONFIG,
        ),
        examples=(
            "encconf set secrets.enc.yaml database.password",
            "encconf set secrets.enc.yaml database.port 5433",
            "pwgen 30 1 | encconf set secrets.enc.yaml api.token",
            """encconf set --json secrets.enc.yaml users[] '{"name": "carol"}'""",
        ),
    ),
    Command(
        "unset",
        "encconf.cli.values:unset",
        "Remove one value from a file.",
        arguments=(Argument("file"), Argument("path")),
        options=(
            Option("--idempotent", "Succeed even if there is no such value."),
            IGNORE_MAC,
            *OPENING,
        ),
        examples=("encconf unset secrets.enc.yaml database.old_password",),
    ),
    Command(
        "update",
        "encconf.cli.values:update",
        "Replace the plaintext of an encrypted file.",
        details="Reads the new plaintext from stdin or --from. Only the lines that changed are "
        "re-encrypted; the file keeps its recipients and its selection of encrypted values.",
        arguments=(Argument("file"),),
        options=(
            Option("--from", "Read the plaintext from this file.", "FILE", dest="given"),
            DRY_RUN,
            ALLOW_PLAINTEXT,
            *OPENING,
        ),
        examples=(
            "encconf update secrets.enc.yaml < secrets.yaml",
            "encconf update -n secrets.enc.yaml --from new.yaml",
        ),
    ),
    Command(
        "rotate",
        "encconf.cli.keys:rotate",
        "Re-encrypt files with a new data key.",
        details="Re-encrypts every value, for the file's keys plus those you add, minus those you remove. "
        "If you remove any, a report lists the values they could read. FILE is a file, a quoted pattern "
        "('deploy/**/*.yaml') or, with -r, a folder. If one file fails, the others are still done. If "
        "interrupted, encconf prints how to resume. Exit code: 0, all done; if files failed, their code if "
        "it is the same for all, otherwise 1; 130, interrupted.",
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
        examples=(
            "encconf rotate secrets.enc.yaml",
            "encconf rotate -r .",
            "encconf rotate -r --rm-age age1… deploy",
            "encconf rotate -r --resume-at deploy/web.enc.yaml deploy",
        ),
    ),
    Command(
        "updatekeys",
        "encconf.cli.keys:updatekeys",
        "Update the recipients of files to those in .sops.yaml.",
        details="New recipients get the existing data key. If a recipient was removed, the file is "
        "re-encrypted with a new data key, because they may have kept the old one, and a report lists the "
        "values they could read. FILE is a file, a quoted pattern ('deploy/**/*.yaml') or, with -r, a "
        "folder. If one file fails, the others are still done. Run it again to do only the files that are "
        "left. Exit code: 0, all done; if files failed, their code if it is the same for all, otherwise 1; "
        "130, interrupted.",
        arguments=(Argument("file", required=False, many=True),),
        options=(
            RECURSIVE,
            CHANGED,
            Option("--yes -y", "Do not ask for confirmation."),
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
        examples=(
            "encconf updatekeys secrets.enc.yaml",
            "encconf updatekeys -r -n .",
            "encconf updatekeys -r -y .",
            "encconf updatekeys -y 'deploy/**/*.enc.yaml'",
            "encconf updatekeys -r -y --checklist leaving.md .",
        ),
    ),
    Command(
        "check",
        "encconf.cli.check:check",
        "Check that files are encrypted as .sops.yaml says; needs no key.",
        details="Without PATH, checks every file that git tracks: whether files are encrypted value by "
        "value, with the keys and the selection of their rule; whether git tracks a plaintext copy; and "
        "whether anything in them reveals values. PATH may be a file, a folder or a pattern. Exit code 1: "
        "there are errors (with --strict, also for warnings); 2: something could not be checked, and "
        "nothing else is wrong. To accept a kind of finding permanently, write # encconf: ignore SLUG=GLOB "
        "in .sops.yaml.",
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
        examples=(
            "encconf check",
            "encconf check --strict --min-severity note deploy/",
            "encconf check --verify --changed",
            "encconf check --format github --ignore plain-twin='examples/*'",
        ),
    ),
    Command(
        "explain",
        "encconf.cli.explain:explain",
        "Explain which rule applies to a file, who can decrypt it, and why each value is encrypted or not.",
        details="FILE may be plain or encrypted, or may not exist yet; you need no key. Shows where "
        "encconf looked for .sops.yaml, every rule and why it matches or not, and where an encrypted file "
        "differs from its rule. Exit code 1: no rule applies; 2: the file cannot be read.",
        arguments=(Argument("file"),),
        options=(INPUT_TYPE, JSON, CONFIG),
        examples=("encconf explain secrets.enc.yaml", "encconf explain --json deploy/new.enc.yaml"),
    ),
    Command(
        "access",
        "encconf.cli.access:report",
        "List who can read which files, alone or together, and since when; needs no key.",
        details="Without FILE, or for a folder, lists every encrypted file there; for one FILE, shows "
        "every detail. Names of keys come from comments in .sops.yaml (age1… # alice, or &alice age1…), "
        "from .sops.recipients next to it, and from the files you give with --recipients: lines of NAME "
        "KEY, age recipients below a line # NAME, SSH public keys, or the output of github.com/USER.keys "
        "saved as USER.keys. The dates come from git's history. Exit code 1: a file could not be read.",
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
        examples=(
            "encconf access",
            "encconf access deploy/prod/db.enc.yaml",
            "encconf access --people alice,bob deploy/",
            "encconf access --recipients team/ --html access.html",
        ),
    ),
    Command(
        "diff",
        "encconf.cli.diff:compare",
        "Show what changed between versions of files, without showing values.",
        details="FILE compares with the last commit. REV FILE, REV:FILE and FILE FILE compare those two. "
        "No argument, REV, REV REV, REV..REV and REV...REV compare every encrypted file and .sops.yaml "
        "that differs, below the paths after -- if you give any. A plaintext file is compared with an "
        "encrypted one by its values. Without a key, structure and ciphertexts are compared. Exit code: 0, "
        "no differences; 1, differences; 2, could not compare.",
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
        examples=(
            "encconf diff secrets.enc.yaml",
            "encconf diff HEAD~1 -- deploy/",
            "encconf diff main...",
            "encconf diff --show-values v1.0:db.enc.yaml db.enc.yaml",
            "encconf diff staging.enc.yaml prod.enc.yaml",
        ),
    ),
    Command(
        "keys add",
        "encconf.cli.keys:add_keys",
        "Add recipients to files.",
        details="Adds them to the first key group of each file and gives them its data key. No value is "
        "re-encrypted, and .sops.yaml does not change. To re-encrypt every value as well, use rotate "
        "--add-age.",
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
        examples=("encconf keys add --age age1… secrets.enc.yaml",),
    ),
    Command(
        "groups add",
        "encconf.cli.keys:regroup",
        "Add a key group to a file.",
        details="To open a file with several groups, you need one key from each of several groups; "
        "--threshold says how many.",
        options=(FILE, IN_PLACE, DRY_RUN, JSON, THRESHOLD, *GROUP_KEYS, INPUT_TYPE, *WHOSE_KEYS),
        examples=("encconf groups add -i -f secrets.enc.yaml --age age1… --threshold 2",),
    ),
    Command(
        "groups delete",
        "encconf.cli.keys:regroup",
        "Remove a key group from a file.",
        details="INDEX counts from 0. The file is re-encrypted with a new data key.",
        arguments=(Argument("index"),),
        options=(FILE, IN_PLACE, DRY_RUN, JSON, THRESHOLD, INPUT_TYPE, *WHOSE_KEYS),
        examples=("encconf groups delete -i -f secrets.enc.yaml 1",),
    ),
    Command(
        "exec",
        "encconf.cli.execute:execute",
        "Run a program with the values of files in its environment.",
        details="db.password becomes DB_PASSWORD. Variables that are already set take precedence, and "
        "later files override earlier ones. The program replaces encconf: there is no shell in between, "
        "and signals and the exit code are the program's own. It does not get the variables that open "
        "files: SOPS_AGE_KEY, VAULT_TOKEN, CONJUR_AUTHN_API_KEY and similar.",
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
        examples=(
            "encconf exec secrets.enc.yaml -- ./manage.py runserver",
            "encconf exec common.enc.env prod.enc.yaml --prefix APP_ -- env",
        ),
    ),
    Command(
        "exec-env",
        "encconf.cli.execute:exec_env",
        "Run a shell command with the values of a file in its environment, as sops does.",
        details="The file's values override existing variables, names are used unchanged, and nested "
        "values are not allowed.",
        arguments=(Argument("file"), Argument("command")),
        options=(
            Option("--pristine", "Start the command with only the values in its environment."),
            Option("--user", "Run the command as this user.", "NAME"),
            INPUT_TYPE,
            *WHOSE_KEYS,
        ),
        examples=("encconf exec-env secrets.enc.env 'echo $PASSWORD'",),
    ),
    Command(
        "exec-file",
        "encconf.cli.execute:exec_file",
        "Run a shell command on a decrypted file, as sops does.",
        details="{} in the command becomes the path of the plaintext: a named pipe in a private folder, "
        "which can be read once.",
        arguments=(Argument("file"), Argument("command")),
        options=(
            Option("--no-fifo", "Use a regular file instead of a named pipe."),
            Option("--filename", "The file's name (by default, tmp-file).", "NAME"),
            Option("--user", "Run the command as this user.", "NAME"),
            INPUT_TYPE,
            Option("--output-type", "The format to write (by default, the file's).", "FORMAT"),
            *WHOSE_KEYS,
        ),
        examples=("encconf exec-file secrets.enc.json 'jq .password {}'",),
    ),
    Command(
        "export",
        "encconf.cli.export:export",
        "Print the values of files for other programs.",
        details="Formats: dotenv can be sourced by a shell, and python-dotenv, uv, node and systemd read "
        "it the same way; shell and fish print commands for eval; json is a flat object; github sets "
        "variables for the next steps of a workflow and masks the encrypted ones in its log; k8s is a "
        "Secret; env-file is for EnvironmentFile= of systemd, and refuses values that systemd would "
        "refuse; systemd-creds prints lines for a unit, each value encrypted for this machine, or with -o "
        "FOLDER writes them to files. Files are written with mode 0600.",
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
        examples=(
            'eval "$(encconf export --format shell secrets.enc.yaml)"',
            "uv run --env-file <(encconf export --format dotenv secrets.enc.yaml) app.py",
            "encconf export --format k8s secrets.enc.yaml | kubectl apply -f -",
            "encconf export --format env-file -o /etc/app.env secrets.enc.yaml",
            "encconf export --format systemd-creds -o /etc/credstore.encrypted secrets.enc.yaml",
        ),
    ),
    Command(
        "publish",
        "encconf.cli.publish:publish",
        "Send files to the destinations in .sops.yaml: S3, Google Cloud Storage, Vault.",
        details="A bucket gets the encrypted file, re-encrypted if the destination rule has a "
        "recreation_rule; a KV engine of Vault or OpenBao gets the decrypted values. encconf prints each "
        "file's destination before it sends anything. With -r, it sends the encrypted files of a folder, "
        "by their path within it. Exit code 1: a destination did not accept a file; 128: a file could not "
        "be decrypted.",
        arguments=(Argument("file", many=True),),
        options=(
            Option("--yes -y", "Do not ask for confirmation."),
            DRY_RUN,
            Option("--recursive -r", "Publish the encrypted files in folders."),
            Option("--omit-extensions", "Remove the file extension from the name at the destination."),
            JSON,
            *OPENING,
        ),
        examples=(
            "encconf publish -n secrets.enc.yaml",
            "encconf publish -y -r deploy/",
            "encconf publish --json -y secrets.enc.yaml",
        ),
    ),
    Command(
        "filestatus",
        "encconf.cli.status:filestatus",
        "Print whether a file is encrypted, as JSON.",
        arguments=(Argument("file"),),
        options=(INPUT_TYPE, CONFIG),
        examples=("encconf filestatus secrets.enc.yaml",),
    ),
    Command(
        "completion",
        "encconf.cli.full:completion",
        "Print a shell completion script.",
        details="SHELL is bash, zsh, fish or powershell. Completes commands, options, files, and paths "
        "inside files.",
        arguments=(Argument("shell"),),
        examples=(
            "source <(encconf completion bash)",
            "encconf completion fish > ~/.config/fish/completions/encconf.fish",
        ),
    ),
    Command(
        "keygen",
        "encconf.cli.init:keygen",
        "Create an age key and print its recipient.",
        details="Adds the key to your key file, where encconf and sops find it. With --to, stores it in a "
        "secret store instead; ENCCONF_IDENTITY (or --use) then tells encconf where to look. An existing "
        "secret is never overwritten.",
        options=(
            Option("--output -o", "Write the key to this new file instead (-: stdout).", "FILE"),
            Option("--to", "Store the key here instead: keyring:…, vault:…, awssm:… …", "ADDRESS"),
            Option("--use", "Save the address given with --to in your configuration file."),
            Option("--pq", "Create a post-quantum key."),
        ),
        examples=(
            "encconf keygen",
            "encconf keygen -o ci-key.txt",
            "encconf keygen --to keyring:encconf/work --use",
            "encconf keygen --to 'vault:secret/ci/encconf#identity'",
        ),
    ),
    Command(
        "git install",
        "encconf.cli.git:install",
        "Let git diff and merge encrypted files by their values.",
        details="Sets up the diff driver, the merge driver and the merge tool in this clone's "
        "configuration, and adds lines to .gitattributes for *.enc.yaml and similar names, for the files "
        "that are encrypted here or that .sops.yaml covers, and for each PATTERN. People without a key "
        "see the encrypted text.",
        arguments=(Argument("pattern", required=False, many=True),),
        options=(Option("--global", "For all your repositories.", dest="everywhere"),),
        examples=("encconf git install", "encconf git install 'secrets/*.yaml'"),
    ),
    Command(
        "git uninstall",
        "encconf.cli.git:uninstall",
        "Undo git install.",
        options=(Option("--global", "For all your repositories.", dest="everywhere"),),
        examples=("encconf git uninstall",),
    ),
    Command(
        "git textconv",
        "encconf.cli.git:textconv",
        "Print a file as plaintext, for git diff.",
        details="A file that cannot be decrypted is printed as it is, so git diff never fails.",
        arguments=(Argument("file"),),
        examples=('git config diff.encconf.textconv "encconf git textconv"',),
    ),
    Command(
        "git merge",
        "encconf.cli.git:merge",
        "Merge two versions of an encrypted file, as git's merge driver.",
        details="Writes the result to OURS; PATH is the file's path in the repository. With a key, merges "
        "values; both sides of a conflict stay encrypted until encconf edit shows them. Without a key, "
        "merges ciphertexts; encconf edit then adds the MAC. Exit code 1: there is a conflict; 129: the "
        "merge failed and OURS is unchanged.",
        arguments=(Argument("base"), Argument("ours"), Argument("theirs"), Argument("path")),
        options=(
            Option("--marker-size", "The length of conflict markers in a plaintext file.", "NUMBER"),
            Option("--base-label", "The label of the common ancestor.", "TEXT"),
            Option("--ours-label", "The label of OURS.", "TEXT"),
            Option("--theirs-label", "The label of THEIRS.", "TEXT"),
        ),
        examples=('git config merge.encconf.driver "encconf git merge %O %A %B ./%P"',),
        failure=129,
    ),
    Command(
        "git mergetool",
        "encconf.cli.git:mergetool",
        "Merge two versions of an encrypted file in your editor.",
        details="Writes MERGED. Changes that do not conflict are merged automatically; the editor shows "
        "the rest.",
        arguments=(Argument("base"), Argument("ours"), Argument("theirs"), Argument("merged")),
        examples=("git mergetool --tool=encconf secrets.enc.yaml",),
    ),
    Command(
        "keyservice",
        "encconf.cli.keyservice:keyservice",
        "Let other processes use your master keys.",
        details="Speaks sops's key service protocol, for encconf and sops with --keyservice or "
        "SOPS_KEYSERVICE. Stop it with SIGTERM or Ctrl-C. Anyone who can connect can use the keys: a unix "
        "socket admits only you, a TCP port every user of this machine.",
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
        examples=(
            "encconf keyservice --network unix --address $XDG_RUNTIME_DIR/encconf.sock --prompt",
            "SOPS_KEYSERVICE=unix://$XDG_RUNTIME_DIR/encconf.sock encconf decrypt secrets.enc.yaml",
        ),
    ),
    Command(
        "import",
        "encconf.cli.migrate:import_",
        "Create an encrypted file from a .env or another file of variables.",
        details="Values are parsed the way the program that used FILE parsed them: python-dotenv, systemd "
        "(EnvironmentFile=), a shell, or docker (--env-file). .env becomes secrets.enc.yaml next to it, "
        "using the rule in .sops.yaml for that name; the extension sets the format. encconf then checks "
        "that git ignores FILE and that it was never committed, and prints the next steps for each of "
        "seven ways to keep secrets. FILE is kept unless you use --delete.",
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
            *KEYS,
            *SELECTION,
            *WHOSE_KEYS,
            CONFIG,
        ),
        examples=(
            "encconf import .env",
            "encconf import --delete -o prod.enc.yaml .env.production",
            "encconf import --dialect systemd -o app.enc.yaml /etc/default/app",
        ),
    ),
    Command(
        "doctor",
        "encconf.cli.doctor:doctor",
        "Show which ways to keep secrets work on this machine.",
        details="For each of the seven ways (environment, systemd, keyring, cyberark, vault, cloud, sops): "
        "the login it would use, and what is missing. Each check takes two seconds at most. The only "
        "secrets fetched are the identities you configured for opening files; none is printed. Exit code "
        "1: a way that you named does not work. With the path of a file or a folder instead: lists what runs "
        "sops, in Python and in files for make, direnv, mise and the like, with the line that replaces each.",
        arguments=(Argument("way", required=False, many=True),),
        options=(JSON, *WHOSE_KEYS),
        examples=("encconf doctor", "encconf doctor vault cloud", "encconf doctor src/"),
    ),
    Command(
        "systemd serve",
        "encconf.cli.systemd:serve",
        "Serve single values to systemd units.",
        details="A unit with LoadCredential=NAME:SOCKET gets the value that a rule UNIT:NAME=PATH allows; "
        "without a rule it fails to start. UNIT may contain *, and %i in PATH is the unit's instance. "
        "SIGHUP reloads the files. Values stay in memory; only names are logged. Run it as the user of the "
        "service manager, or with a socket passed by systemd: encconf systemd unit writes both units. Stop "
        "it with SIGTERM or Ctrl-C.",
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
        examples=(
            "encconf systemd serve secrets.enc.yaml --allow app.service:db_password=db.password",
            "encconf systemd serve secrets.enc.yaml --allow 'app@*.service:token=tenants.%i.token'",
        ),
    ),
    Command(
        "systemd unit",
        "encconf.cli.systemd:unit",
        "Print unit files that give a unit its values.",
        details="Prints a drop-in for the unit with LoadCredential= for each value, and a socket and a "
        "service that serve them: systemd starts the service when the unit starts, and the service reads "
        "only FILE. The unit finds each value in $CREDENTIALS_DIRECTORY/NAME. You need no key to print "
        "them.",
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
        examples=(
            "encconf systemd unit --unit app.service secrets.enc.yaml",
            "encconf systemd unit -u app -a db_password=db.password -o /etc/systemd/system secrets.enc.yaml",
            "encconf systemd unit --user -u app -o ~/.config/systemd/user secrets.enc.yaml",
        ),
    ),
    Command(
        "shim",
        "encconf.cli.shim:shim",
        "Install encconf under the name sops.",
        details="Writes a launcher named sops to FOLDER, for programs that call sops: a drop-in "
        "replacement with the same arguments and exit codes.",
        arguments=(Argument("folder"),),
        examples=("encconf shim ~/bin",),
    ),
    Command(
        "help",
        "encconf.cli.about:show_help",
        "Explain a command or a topic.",
        details="Topics: environment, exit-codes, error SLUG.",
        arguments=(Argument("words", required=False, many=True),),
        examples=("encconf help edit", "encconf help environment", "encconf help error no-rule"),
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
