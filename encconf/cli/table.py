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
    """One command: ``name`` has the words that call it, ``examples`` are lines for its help.

    ``rest`` is where the words behind ``--`` go (list of str), "" if there are none.
    """

    __slots__ = ("arguments", "details", "examples", "help", "name", "options", "rest", "target")

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
    ) -> None:
        self.name = name
        self.rest = rest
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
        if self.rest:
            values[self.rest] = []
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

INPUT_TYPE: Final = Option("--input-type", "The file's format; by default its name tells.", metavar="FORMAT")
FILENAME: Final = Option(
    "--filename-override", "Look up the format and the creation rule for this name.", metavar="NAME"
)
IN_PLACE: Final = Option("--in-place -i", "Write the result over FILE.", kind="flag")
IGNORE_MAC: Final = Option(
    "--ignore-mac", "Decrypt although the file was changed without its key. For recovery only.", kind="flag"
)
JSON: Final = Option("--json", "Print JSON.", kind="flag")
DRY_RUN: Final = Option("--dry-run -n", "Say what would be done, and do nothing.", kind="flag")
IN_CLEAR: Final = Option(
    "--in-clear",
    "Save values that the rule wants encrypted although the file leaves them in clear.",
    kind="flag",
)
OUTPUT: Final = Option("--output -o", "Write the result here (-: stdout).", metavar="FILE")
THRESHOLD: Final = Option(
    "--shamir-secret-sharing-threshold --threshold",
    "How many key groups it takes to open the file (by default all).",
    metavar="NUMBER",
    dest="threshold",
)
FILE: Final = Option("--file -f", "The file.", metavar="FILE", dest="file")
FLAT: Final = (
    Option("--prefix", "Put this in front of every name.", metavar="TEXT"),
    Option(
        "--nested-separator --separator",
        "What joins the keys of a nested value (by default _).",
        metavar="TEXT",
        dest="nested_separator",
    ),
    Option("--section", "Take only what is below this path.", metavar="PATH"),
    Option("--keep-case", "Do not write names in capitals.", kind="flag"),
)
FORCE: Final = Option("--force -f", "Overwrite a file that is not an encrypted one.", kind="flag")


def _keys(prefix: str, verb: str, *, env: bool = False) -> tuple[Option, ...]:
    """An option for each kind of master key."""
    kinds = (
        ("age", "-a", "age recipients", "RECIPIENTS", "SOPS_AGE_RECIPIENTS"),
        ("pgp", "-p", "PGP fingerprints", "FINGERPRINTS", "SOPS_PGP_FP"),
        ("kms", "-k", "AWS KMS keys", "ARNS", "SOPS_KMS_ARN"),
        ("gcp-kms", "", "Google Cloud KMS keys", "IDS", "SOPS_GCP_KMS_IDS"),
        ("hckms", "", "Huawei Cloud KMS keys", "IDS", "SOPS_HUAWEICLOUD_KMS_IDS"),
        ("azure-kv", "", "Azure Key Vault keys", "URLS", "SOPS_AZURE_KEYVAULT_URLS"),
        ("hc-vault-transit", "", "Vault or OpenBao transit keys", "URIS", "SOPS_VAULT_URIS"),
    )
    return tuple(
        Option(
            f"--{prefix}{kind} {short if env else ''}",
            verb.format(names),
            kind="list",
            metavar=metavar,
            env=variable if env else None,
        )
        for kind, short, names, metavar, variable in kinds
    )


KEYS: Final = _keys("", "Encrypt for these {} (comma list), not for those of .sops.yaml.", env=True)
GROUP_KEYS: Final = _keys("", "{} of the group (comma list).")
ADD_KEYS: Final = _keys("add-", "Let these {} open the file, too (comma list).")
RM_KEYS: Final = _keys("rm-", "Take these {} out (comma list).")
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
            OUTPUT,
            IN_PLACE,
            FORCE,
            INPUT_TYPE,
            Option("--output-type", "Write the encrypted file in this format.", metavar="FORMAT"),
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
            Option(
                "--extract", """Print only what is at this path: a.b[0], or ["a"]["b"][0].""", metavar="PATH"
            ),
            IGNORE_MAC,
            INPUT_TYPE,
            Option(
                "--output-type", "Write it in this format: yaml, json, dotenv, ini, binary.", metavar="FORMAT"
            ),
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
        options=(IGNORE_MAC, IN_CLEAR, INPUT_TYPE, *KEYS, *SELECTION, CONFIG, COLOR),
        examples=("encconf edit secrets.enc.yaml", "EDITOR='code --wait' encconf edit secrets.enc.yaml"),
    ),
    Command(
        "get",
        "encconf.cli.values:get",
        "Print one value of a file.",
        details="A string is printed as it is, a mapping or list as the file's format has it. PATH is "
        """a.b[0], or sops's ["a"]["b"][0]; without it, or with ., the whole file is printed.""",
        arguments=(Argument("file"), Argument("path", required=False)),
        options=(JSON, IGNORE_MAC, INPUT_TYPE, CONFIG, COLOR),
        examples=(
            "encconf get secrets.enc.yaml database.password",
            "encconf get secrets.enc.yaml users[0] --json",
        ),
    ),
    Command(
        "set",
        "encconf.cli.values:set_value",
        "Set one value of a file.",
        details="Without VALUE it is asked for unseen, or read from stdin; so it stays out of the shell's "
        "history. "
        "Where a number or boolean stands, a VALUE that spells one becomes one; all else is a string. A "
        "FILE that "
        "does not exist is made, for the keys that .sops.yaml or the options name. users[] is a new last "
        "item.",
        arguments=(Argument("file"), Argument("path"), Argument("value", required=False)),
        options=(
            Option("--json", "VALUE is JSON: a number, a list, a mapping …", kind="flag"),
            Option("--string", "VALUE is a string, whatever it looks like.", kind="flag"),
            IN_CLEAR,
            IGNORE_MAC,
            INPUT_TYPE,
            *KEYS,
            *SELECTION,
            CONFIG,
            COLOR,
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
        "Take one value out of a file.",
        arguments=(Argument("file"), Argument("path")),
        options=(
            Option("--idempotent", "It is no error if there is no such value.", kind="flag"),
            IGNORE_MAC,
            INPUT_TYPE,
            CONFIG,
            COLOR,
        ),
        examples=("encconf unset secrets.enc.yaml database.old_password",),
    ),
    Command(
        "update",
        "encconf.cli.values:update",
        "Put a new plain text into an encrypted file.",
        details="The text is read from stdin or --from. Only the lines that changed are written anew; "
        "keys and "
        "selection stay the file's own.",
        arguments=(Argument("file"),),
        options=(
            Option("--from", "Read the plain text from this file.", metavar="FILE", dest="given"),
            DRY_RUN,
            IN_CLEAR,
            INPUT_TYPE,
            CONFIG,
            COLOR,
        ),
        examples=(
            "encconf update secrets.enc.yaml < secrets.yaml",
            "encconf update -n secrets.enc.yaml --from new.yaml",
        ),
    ),
    Command(
        "rotate",
        "encconf.cli.keys:rotate",
        "Give files a new data key.",
        details="Every value is encrypted anew, for the keys of the file and those that are added, "
        "without those "
        "that are removed.",
        arguments=(Argument("file", many=True),),
        options=(OUTPUT, DRY_RUN, *ADD_KEYS, *RM_KEYS, IGNORE_MAC, INPUT_TYPE, CONFIG, COLOR),
        examples=(
            "encconf rotate secrets.enc.yaml",
            "encconf rotate --rm-age age1… secrets.enc.yaml",
            "git ls-files -z '*.enc.yaml' | xargs -0 encconf rotate",
        ),
    ),
    Command(
        "updatekeys",
        "encconf.cli.keys:updatekeys",
        "Give files the keys that .sops.yaml names now.",
        details="Who comes gets the data key that is there. If somebody goes, every value gets a new one: "
        "the old "
        "one may have been kept.",
        arguments=(Argument("file", many=True),),
        options=(
            Option("--yes -y", "Do it without asking.", kind="flag"),
            DRY_RUN,
            Option("--selection", "Encrypt the values that the rule selects now, too.", kind="flag"),
            Option("--keep-data-key", "Keep the data key although somebody goes, as sops does.", kind="flag"),
            INPUT_TYPE,
            CONFIG,
            COLOR,
        ),
        examples=(
            "encconf updatekeys secrets.enc.yaml",
            "encconf updatekeys -n *.enc.yaml",
            "encconf updatekeys -y *.enc.yaml",
        ),
    ),
    Command(
        "groups add",
        "encconf.cli.keys:add_group",
        "Add a key group to a file.",
        details="Of a file with several groups, one key each of as many groups as the threshold says is "
        "needed.",
        options=(FILE, IN_PLACE, THRESHOLD, *GROUP_KEYS, INPUT_TYPE, COLOR),
        examples=("encconf groups add -i -f secrets.enc.yaml --age age1… --threshold 2",),
    ),
    Command(
        "groups delete",
        "encconf.cli.keys:delete_group",
        "Take a key group away from a file.",
        details="INDEX counts from 0. The file gets a new data key.",
        arguments=(Argument("index"),),
        options=(FILE, IN_PLACE, THRESHOLD, INPUT_TYPE, COLOR),
        examples=("encconf groups delete -i -f secrets.enc.yaml 1",),
    ),
    Command(
        "exec",
        "encconf.cli.execute:execute",
        "Run a program with the values of files in its environment.",
        details="db.password is DB_PASSWORD there. Variables that are set already win, and later files over "
        "earlier ones. The program takes encconf's place: no shell, and signals and the exit code are its "
        "own. "
        "It does not get SOPS_AGE_KEY and VAULT_TOKEN.",
        arguments=(Argument("file", many=True),),
        rest="argv",
        options=(
            Option("--override", "Values of the files win over variables that are set.", kind="flag"),
            Option("--pristine", "Give the program the values and nothing else.", kind="flag"),
            Option("--keep-keys", "Let the program have SOPS_AGE_KEY and VAULT_TOKEN.", kind="flag"),
            Option("--print-sources", "Say where each name is from.", kind="flag"),
            *FLAT,
            INPUT_TYPE,
            CONFIG,
            COLOR,
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
        details="The file's values win, its names are taken as they are, and it has no nested values.",
        arguments=(Argument("file"), Argument("command")),
        options=(
            Option("--pristine", "Give the command the values and nothing else.", kind="flag"),
            Option("--user", "Run it as this user.", metavar="NAME"),
            INPUT_TYPE,
            COLOR,
        ),
        examples=("encconf exec-env secrets.enc.env 'echo $PASSWORD'",),
    ),
    Command(
        "exec-file",
        "encconf.cli.execute:exec_file",
        "Run a shell command on a decrypted file, as sops does.",
        details="{} in the command is the path of the plain text: a pipe, which can be read once, in a "
        "private "
        "folder.",
        arguments=(Argument("file"), Argument("command")),
        options=(
            Option("--no-fifo", "Use a file instead of a pipe.", kind="flag"),
            Option("--filename", "What to call it (by default tmp-file).", metavar="NAME"),
            Option("--user", "Run the command as this user.", metavar="NAME"),
            INPUT_TYPE,
            Option("--output-type", "The format to write; by default the file's.", metavar="FORMAT"),
            COLOR,
        ),
        examples=("encconf exec-file secrets.enc.json 'jq .password {}'",),
    ),
    Command(
        "export",
        "encconf.cli.export:export",
        "Print the values of files for other programs.",
        details="dotenv can be sourced by a shell and is read alike by python-dotenv, uv, node and "
        "systemd; shell and "
        "fish are commands for eval; json is a flat object; github sets variables for the next steps of a "
        "workflow and masks them in its log; k8s is a Secret.",
        arguments=(Argument("file", many=True),),
        options=(
            Option(
                "--format",
                "What to print.",
                metavar="FORMAT",
                choices=("dotenv", "shell", "fish", "json", "github", "k8s"),
            ),
            *FLAT,
            Option("--name", "The name of the Secret (k8s).", metavar="NAME"),
            Option("--plaintext", "Print to a terminal, too.", kind="flag"),
            INPUT_TYPE,
            CONFIG,
            COLOR,
        ),
        examples=(
            'eval "$(encconf export --format shell secrets.enc.yaml)"',
            "uv run --env-file <(encconf export --format dotenv secrets.enc.yaml) app.py",
            "encconf export --format k8s secrets.enc.yaml | kubectl apply -f -",
        ),
    ),
    Command(
        "filestatus",
        "encconf.cli.status:filestatus",
        "Say whether a file is encrypted, in JSON.",
        arguments=(Argument("file"),),
        options=(INPUT_TYPE, CONFIG, COLOR),
        examples=("encconf filestatus secrets.enc.yaml",),
    ),
    Command(
        "completion",
        "encconf.cli.completion:completion",
        "Print what makes a shell complete encconf's words, files and paths into files.",
        details="SHELL is bash, zsh, fish or powershell.",
        arguments=(Argument("shell"),),
        options=(COLOR,),
        examples=(
            "source <(encconf completion bash)",
            "encconf completion fish > ~/.config/fish/completions/encconf.fish",
        ),
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
        "keyservice",
        "encconf.cli.keyservice:keyservice",
        "Let other processes use your master keys.",
        details="Speaks the key service protocol of sops, for encconf and sops with --keyservice or "
        "SOPS_KEYSERVICE; ends with SIGTERM or Ctrl-C. Whoever can connect can use the keys: a unix socket "
        "lets in only you, a TCP port every user of the machine.",
        options=(
            Option(
                "--network --net",
                "Where to listen (by default tcp).",
                metavar="NETWORK",
                choices=("tcp", "unix"),
            ),
            Option(
                "--address --addr",
                "HOST:PORT (by default 127.0.0.1:5000), or the path of the socket.",
                metavar="ADDRESS",
            ),
            Option("--prompt", "Ask on the terminal before a key is used.", kind="flag"),
            Option("--verbose", "Print every request.", kind="flag"),
            Option(
                "--insecure-remote",
                "Listen to other machines too, unencrypted and without any password.",
                kind="flag",
            ),
            COLOR,
        ),
        examples=(
            "encconf keyservice --network unix --address $XDG_RUNTIME_DIR/encconf.sock --prompt",
            "SOPS_KEYSERVICE=unix://$XDG_RUNTIME_DIR/encconf.sock encconf decrypt secrets.enc.yaml",
        ),
    ),
    Command(
        "shim",
        "encconf.cli.shim:shim",
        "Write a program called sops that is encconf.",
        details="For programs that call sops. It takes sops's argument line and gives its exit codes.",
        arguments=(Argument("folder"),),
        options=(COLOR,),
        examples=("encconf shim ~/bin",),
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

GROUPS: Final = {
    "git": "Show encrypted files as plain text in git.",
    "groups": "Let it take several people to open a file.",
}
"""First words that several commands share, and what they are about."""

VERSION_FLAGS: Final = ("--version", "-v")
"""Instead of a command.  As in sops, ``-v`` is not ``--verbose``."""
