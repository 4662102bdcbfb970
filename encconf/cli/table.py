"""Every command with its options, once: both parsers, the help and the completion read this table.

A command is a row in `COMMANDS` and a function ``target`` ("module:function"), which is called as
``function(console, **values)`` with one keyword per argument and option.  Words are those of sops
3.13.3 where it has them.  Nothing here imports anything: the table is read at every start.
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

    ``rest`` is where the words behind ``--`` go (list of str), "" if there are none.  ``failure`` is the
    exit code when it fails, whatever fails; None: that of the error.
    """

    __slots__ = ("arguments", "details", "examples", "failure", "help", "name", "options", "rest", "target")

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
WHOSE_KEYS: Final = (
    Option(
        "--keyservice",
        "Ask this key service, too: unix:///PATH, tcp://HOST:PORT. Can be given several times.",
        kind="list",
        metavar="URI",
    ),
    Option("--aws-profile", "Use this AWS profile, whatever a file says.", metavar="NAME"),
)
"""On every command that opens files; for what makes `encconf.credentials.Credentials`, see `main`."""

IGNORE_MAC: Final = Option(
    "--ignore-mac", "Decrypt although the file was changed without its key. For recovery only.", kind="flag"
)
JSON: Final = Option("--json", "Print JSON.", kind="flag")
RECIPIENTS: Final = Option(
    "--recipients", "Names of keys: from this file, or the files in this folder.", kind="list", metavar="FILE"
)
RECURSIVE: Final = Option(
    "--recursive -r", "Go through folders: every encrypted file that git does not ignore.", kind="flag"
)
CHANGED: Final = Option(
    "--changed", "Only files that are new, or differ from the last commit of git.", kind="flag"
)
FAIL_FAST: Final = Option("--fail-fast", "Stop at the first file that fails.", kind="flag")
DRY_RUN: Final = Option("--dry-run -n", "Say what would be done, and do nothing.", kind="flag")
CHECKLIST: Final = Option(
    "--checklist",
    "Add what those who go could read to this list (Markdown), before anything is changed.",
    metavar="FILE",
)
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
RESOLVE: Final = Option(
    "--resolve",
    "Fetch what references (ref+vault://…) stand for; ENCCONF_REF_ALLOW widens which may be.",
    kind="flag",
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
        "a .sops.yaml that names it, and the git drivers for diffs and merges.",
        options=(
            Option("--keyring", "Keep the key in the system's keyring instead, and use it.", kind="flag"),
            Option(
                "--ssh-to-age",
                "Encrypt for the age recipient of this ssh-ed25519 key (a .pub file, or its line); can be "
                "given several times, and no key is made then.",
                kind="list",
                metavar="PUB",
            ),
            COLOR,
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
            *WHOSE_KEYS,
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
            Option(
                "--output -o", "Write the result here, not readable by others (-: stdout).", metavar="FILE"
            ),
            IN_PLACE,
            Option(
                "--extract", """Print only what is at this path: a.b[0], or ["a"]["b"][0].""", metavar="PATH"
            ),
            IGNORE_MAC,
            INPUT_TYPE,
            Option(
                "--output-type",
                "Write it in this format: yaml, json, dotenv, ini, toml, binary.",
                metavar="FORMAT",
            ),
            FILENAME,
            *WHOSE_KEYS,
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
        "the options name. With -, stdin is edited and the result printed. Exit code 200: nothing was "
        "changed.",
        arguments=(Argument("file"),),
        options=(IGNORE_MAC, IN_CLEAR, INPUT_TYPE, *KEYS, *SELECTION, *WHOSE_KEYS, CONFIG, COLOR),
        examples=("encconf edit secrets.enc.yaml", "EDITOR='code --wait' encconf edit secrets.enc.yaml"),
    ),
    Command(
        "get",
        "encconf.cli.values:get",
        "Print one value of a file.",
        details="A string is printed as it is, a mapping or list as the file's format has it. PATH is "
        """a.b[0], or sops's ["a"]["b"][0]; without it, or with ., the whole file is printed.""",
        arguments=(Argument("file"), Argument("path", required=False)),
        options=(JSON, RESOLVE, IGNORE_MAC, INPUT_TYPE, *WHOSE_KEYS, CONFIG, COLOR),
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
        "history. Nothing at all is no value: '' means an empty one. "
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
            *WHOSE_KEYS,
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
            *WHOSE_KEYS,
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
            *WHOSE_KEYS,
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
        "without those that are removed; a report then says what they could read. FILE is a file, a "
        "pattern in quotes ('deploy/**/*.yaml') or, with -r, a folder. What fails does not stop the others. "
        "Interrupted, it says how to go on. Exit code: 0, all is done; that of the files that failed, if it "
        "is one, else 1; 130, interrupted.",
        arguments=(Argument("file", required=False, many=True),),
        options=(
            RECURSIVE,
            CHANGED,
            DRY_RUN,
            JSON,
            *ADD_KEYS,
            *RM_KEYS,
            Option(
                "--resume-at",
                "Begin with this file: those before it are done.",
                metavar="FILE",
            ),
            CHECKLIST,
            FAIL_FAST,
            OUTPUT,
            IGNORE_MAC,
            INPUT_TYPE,
            *WHOSE_KEYS,
            CONFIG,
            COLOR,
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
        "Give files the keys that .sops.yaml names now.",
        details="Who comes gets the data key that is there. If somebody goes, every value gets a new one, "
        "since the old one may have been kept, and a report says which values they could read. FILE is a "
        "file, a pattern in quotes ('deploy/**/*.yaml') or, with -r, a folder. What fails does not stop the "
        "others; run again, it does only what is left. Exit code: 0, all is done; that of the files that "
        "failed, if it is one, else 1; 130, interrupted.",
        arguments=(Argument("file", required=False, many=True),),
        options=(
            RECURSIVE,
            CHANGED,
            Option("--yes -y", "Do it without asking.", kind="flag"),
            DRY_RUN,
            JSON,
            CHECKLIST,
            FAIL_FAST,
            Option("--selection", "Encrypt the values that the rule selects now, too.", kind="flag"),
            Option(
                "--allow-plaintext",
                "With --selection: write values in plaintext that the rule does not select, and that are "
                "encrypted now.",
                kind="flag",
            ),
            Option("--keep-data-key", "Keep the data key although somebody goes, as sops does.", kind="flag"),
            Option(
                "--ssh-to-age",
                "Write the age recipients that belong to the rule's ssh-ed25519 keys, for sops-nix.",
                kind="flag",
            ),
            INPUT_TYPE,
            *WHOSE_KEYS,
            CONFIG,
            COLOR,
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
        "Find what is not encrypted as the rules of .sops.yaml say; no key is needed.",
        details="Without PATH, all that git tracks is checked: that files are encrypted value by value, for "
        "the keys and by the selection of their rules, that no plain text of them is tracked, and that "
        "nothing in them gives values away. Folders and patterns are taken, too. Exit code 1: there are "
        "errors (with --strict: or warnings); 2: something could not be checked, and nothing else is wrong. "
        "# encconf: ignore SLUG=GLOB in .sops.yaml accepts a kind of findings for good.",
        arguments=(Argument("path", required=False, many=True),),
        options=(
            Option("--verify", "Also open the files that can be opened, and check their MAC.", kind="flag"),
            Option(
                "--changed",
                "Only what differs from the last commit, is new, or is below a .sops.yaml that differs.",
                kind="flag",
            ),
            Option("--recursive -r", "Go into folders; check does so in any case.", kind="flag"),
            Option("--strict", "Fail for warnings, too.", kind="flag"),
            Option("--verbose", "List each finding, also those that have one cause.", kind="flag"),
            Option(
                "--min-severity",
                "Leave out what is milder (by default notes).",
                metavar="SEVERITY",
                choices=("note", "warning", "error"),
            ),
            Option(
                "--ignore",
                "Leave out findings of this kind (SLUG, or SLUG=GLOB: in files of such names).",
                kind="list",
                metavar="SLUG",
            ),
            Option(
                "--format",
                "How to say it (by default text); github makes annotations, sarif is for code scanning.",
                metavar="FORMAT",
                choices=("text", "json", "sarif", "github"),
            ),
            JSON,
            CONFIG,
            COLOR,
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
        "encconf.cli.check:explain",
        "Say which rule is a file's, who can open it, and why each value is encrypted or not.",
        details="FILE may be plain or encrypted, or not exist yet; no key is needed. Shows where .sops.yaml "
        "was looked for, every rule and why it matches or not, and in what an encrypted file differs from "
        "its rule. Exit code 1: no rule can be used; 2: the file cannot be read.",
        arguments=(Argument("file"),),
        options=(INPUT_TYPE, JSON, CONFIG, COLOR),
        examples=("encconf explain secrets.enc.yaml", "encconf explain --json deploy/new.enc.yaml"),
    ),
    Command(
        "access",
        "encconf.cli.access:report",
        "Say who can read which files, alone or together, and since when; no key is needed.",
        details="Without FILE, and for folders: every encrypted file there. One FILE is told in full. Names "
        "are those beside the keys in .sops.yaml (age1… # alice, or &alice age1…), in .sops.recipients "
        "beside it, and in files of --recipients: NAME KEY on a line, age recipients with # NAME above them, "
        "SSH public keys, and what github.com/USER.keys says, saved as USER.keys. Since when, says the "
        "history of git. Exit code 1: a file could not be read.",
        arguments=(Argument("file", required=False, many=True),),
        options=(
            Option(
                "--people -p",
                "What these can open together: names or keys (comma list).",
                kind="list",
                metavar="NAMES",
            ),
            RECIPIENTS,
            Option("--html", "Write one page to look at in a browser (-: stdout).", metavar="FILE"),
            Option("--no-history", "Do not ask git since when.", kind="flag"),
            Option("--verbose", "List all sets of readers, however many there are.", kind="flag"),
            JSON,
            CONFIG,
            COLOR,
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
        "Say what differs between versions of files, without telling values.",
        details="FILE: since the last commit. REV FILE, REV:FILE, FILE FILE: those two. Nothing, REV, REV "
        "REV, REV..REV and REV...REV: all encrypted files and .sops.yaml that differ, below the paths behind "
        "--, if there are any. A plain text is compared with an encrypted one by its values. Without a key, "
        "structure and ciphertexts are compared. Exit code: 0, nothing differs; 1, something does; 2, it "
        "could not be told.",
        arguments=(Argument("file", required=False, many=True),),
        rest="paths",
        failure=2,
        options=(
            Option("--show-values", "Tell the values, too.", kind="flag"),
            Option("--staged --cached", "Compare what is staged, not the files here.", kind="flag"),
            Option("--keyless", "Use no key: compare structure and ciphertexts.", kind="flag"),
            Option("--quiet -q", "Print nothing: the exit code tells.", kind="flag"),
            RECIPIENTS,
            JSON,
            INPUT_TYPE,
            *WHOSE_KEYS,
            CONFIG,
            COLOR,
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
        "Let more recipients open files.",
        details="They are added to the first key group of each file, and get its data key: no value is "
        "encrypted again, and .sops.yaml is not changed. rotate --add-age also renews every value.",
        arguments=(Argument("file", required=False, many=True),),
        options=(
            RECURSIVE,
            CHANGED,
            DRY_RUN,
            JSON,
            FAIL_FAST,
            *GROUP_KEYS,
            INPUT_TYPE,
            *WHOSE_KEYS,
            CONFIG,
            COLOR,
        ),
        examples=("encconf keys add --age age1… secrets.enc.yaml",),
    ),
    Command(
        "groups add",
        "encconf.cli.keys:regroup",
        "Add a key group to a file.",
        details="Of a file with several groups, one key each of as many groups as the threshold says is "
        "needed.",
        options=(FILE, IN_PLACE, DRY_RUN, JSON, THRESHOLD, *GROUP_KEYS, INPUT_TYPE, *WHOSE_KEYS, COLOR),
        examples=("encconf groups add -i -f secrets.enc.yaml --age age1… --threshold 2",),
    ),
    Command(
        "groups delete",
        "encconf.cli.keys:regroup",
        "Take a key group away from a file.",
        details="INDEX counts from 0. The file gets a new data key.",
        arguments=(Argument("index"),),
        options=(FILE, IN_PLACE, DRY_RUN, JSON, THRESHOLD, INPUT_TYPE, *WHOSE_KEYS, COLOR),
        examples=("encconf groups delete -i -f secrets.enc.yaml 1",),
    ),
    Command(
        "exec",
        "encconf.cli.execute:execute",
        "Run a program with the values of files in its environment.",
        details="db.password is DB_PASSWORD there. Variables that are set already win, and later files over "
        "earlier ones. The program takes encconf's place: no shell, and signals and the exit code are its "
        "own. "
        "It does not get what opens files: SOPS_AGE_KEY, VAULT_TOKEN, CONJUR_AUTHN_API_KEY and their like.",
        arguments=(Argument("file", many=True),),
        rest="argv",
        options=(
            Option("--override", "Values of the files win over variables that are set.", kind="flag"),
            Option("--pristine", "Give the program the values and nothing else.", kind="flag"),
            Option("--keep-keys", "Let the program have what opens files, too.", kind="flag"),
            Option("--print-sources", "Say where each name is from.", kind="flag"),
            RESOLVE,
            *FLAT,
            INPUT_TYPE,
            *WHOSE_KEYS,
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
            *WHOSE_KEYS,
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
            *WHOSE_KEYS,
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
        "workflow and masks the encrypted ones in its log; k8s is a Secret; env-file is for "
        "EnvironmentFile= of systemd, "
        "and refuses what systemd would; systemd-creds prints the lines of a unit with each value encrypted "
        "for this machine, or with -o FOLDER puts them into files there. A file that is written has mode "
        "0600.",
        arguments=(Argument("file", many=True),),
        options=(
            Option(
                "--format",
                "What to print.",
                metavar="FORMAT",
                choices=("dotenv", "shell", "fish", "json", "github", "k8s", "env-file", "systemd-creds"),
            ),
            Option("--output -o", "Write to this file (systemd-creds: into this folder).", metavar="FILE"),
            *FLAT,
            Option("--name", "The name of the Secret (k8s).", metavar="NAME"),
            Option(
                "--with-key",
                "What encrypts (systemd-creds): by default what this machine has.",
                metavar="KEY",
                choices=("auto", "host", "tpm2", "host+tpm2"),
            ),
            Option("--plaintext", "Print to a terminal, too.", kind="flag"),
            RESOLVE,
            INPUT_TYPE,
            *WHOSE_KEYS,
            COLOR,
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
        "Put files where .sops.yaml says: S3, Google Cloud Storage, Vault.",
        details="A bucket gets the encrypted file, encrypted anew where the destination rule has a "
        "recreation_rule; a KV engine of Vault or OpenBao gets the decrypted values. Where each file goes is "
        "said before anything is sent. Of a folder, with -r, the encrypted files go, by their place in it. "
        "Exit code 1: a destination did not take a file; 128: it could not be decrypted.",
        arguments=(Argument("file", many=True),),
        options=(
            Option("--yes -y", "Do it without asking.", kind="flag"),
            DRY_RUN,
            Option("--recursive -r", "Publish the encrypted files of folders.", kind="flag"),
            Option("--omit-extensions", "Leave the extension out of the name there.", kind="flag"),
            JSON,
            INPUT_TYPE,
            *WHOSE_KEYS,
            CONFIG,
            COLOR,
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
        details="The key is added to your own key file, where it is found by itself. With --to it goes "
        "straight to where secrets are kept, and ENCCONF_IDENTITY (or --use) says where that is; what is "
        "there already is never overwritten.",
        options=(
            Option("--output -o", "Write the key to this new file instead (-: stdout).", metavar="FILE"),
            Option("--to", "Put the key here instead: keyring:…, vault:…, awssm:… …", metavar="ADDRESS"),
            Option("--use", "Name the place of --to in your configuration file.", kind="flag"),
            Option("--pq", "Make a post-quantum key.", kind="flag"),
            COLOR,
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
        details="Sets the diff driver, the merge driver and the merge tool in this clone's configuration, "
        "and names the files in .gitattributes: *.enc.yaml, *.enc.json and so on, and those of each PATTERN."
        " Whoever lacks the key sees the encrypted text.",
        arguments=(Argument("pattern", required=False, many=True),),
        options=(
            Option("--global", "For all your repositories.", kind="flag", dest="everywhere"),
            COLOR,
        ),
        examples=("encconf git install", "encconf git install 'secrets/*.yaml'"),
    ),
    Command(
        "git uninstall",
        "encconf.cli.git:uninstall",
        "Take out what git install has set.",
        options=(
            Option("--global", "For all your repositories.", kind="flag", dest="everywhere"),
            COLOR,
        ),
        examples=("encconf git uninstall",),
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
        "git merge",
        "encconf.cli.git:merge",
        "Merge two versions of an encrypted file, as git's driver.",
        details="Writes the result over OURS; PATH is the file's own name. With a key, values are merged, "
        "and both sides of a conflict stay encrypted until encconf edit shows them. Keyless, ciphertexts "
        "are, and encconf edit adds the MAC. Exit code 1: a conflict; 129: it failed, OURS is as it was.",
        arguments=(Argument("base"), Argument("ours"), Argument("theirs"), Argument("path")),
        options=(
            Option("--marker-size", "How long conflict markers are in a plain file.", metavar="NUMBER"),
            Option("--base-label", "What to call the common version.", metavar="TEXT"),
            Option("--ours-label", "What to call OURS.", metavar="TEXT"),
            Option("--theirs-label", "What to call THEIRS.", metavar="TEXT"),
            COLOR,
        ),
        examples=('git config merge.encconf.driver "encconf git merge %O %A %B ./%P"',),
        failure=129,
    ),
    Command(
        "git mergetool",
        "encconf.cli.git:mergetool",
        "Merge two versions of an encrypted file in the editor.",
        details="Writes MERGED. What is not at odds is merged without asking; the editor shows the rest.",
        arguments=(Argument("base"), Argument("ours"), Argument("theirs"), Argument("merged")),
        options=(COLOR,),
        examples=("git mergetool --tool=encconf secrets.enc.yaml",),
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
        "import",
        "encconf.cli.migrate:import_",
        "Make an encrypted file of a .env or another file of variables.",
        details="Values are those that the program saw which read FILE: python-dotenv, systemd "
        "(EnvironmentFile=), a shell, or docker (--env-file). .env becomes secrets.enc.yaml beside it, by "
        "the rule of .sops.yaml for that name; the name says the format. Then git is asked whether FILE is "
        "ignored and was never committed, and what comes next is printed for each of seven ways. FILE "
        "stays, unless --delete says otherwise.",
        arguments=(Argument("file"),),
        options=(
            Option("--output -o", "The file to make: .yaml, .json, .toml or .env.", metavar="FILE"),
            Option(
                "--dialect",
                "Who reads FILE so far (by default dotenv; systemd in /etc/default and the like).",
                metavar="DIALECT",
                choices=("dotenv", "systemd", "shell", "docker"),
            ),
            Option("--literal", "Keep ${NAME} and the like as they are written.", kind="flag"),
            Option("--cast", "Make booleans and whole numbers of true, False, 5432.", kind="flag"),
            Option("--delete", "Delete FILE once the new one has been read back.", kind="flag"),
            Option("--force -f", "Replace a file that has other values.", kind="flag"),
            DRY_RUN,
            JSON,
            *KEYS,
            *SELECTION,
            *WHOSE_KEYS,
            CONFIG,
            COLOR,
        ),
        examples=(
            "encconf import .env",
            "encconf import --delete -o prod.enc.yaml .env.production",
            "encconf import --dialect systemd -o app.enc.yaml /etc/default/app",
        ),
    ),
    Command(
        "doctor",
        "encconf.cli.migrate:doctor",
        "Say which ways to keep secrets can be used on this machine.",
        details="For each of the seven ways (environment, systemd, keyring, cyberark, vault, cloud, sops): "
        "as whom it would be used, and what is missing. Each part is asked for two seconds at most; no "
        "secret is fetched but the identities that are named for opening files, and none is printed. Exit "
        "code 1: one of the ways that are named cannot be used. With the path of a Python file or a folder "
        "instead: list the places that run sops, each with the line that replaces it.",
        arguments=(Argument("way", required=False, many=True),),
        options=(JSON, *WHOSE_KEYS, COLOR),
        examples=("encconf doctor", "encconf doctor vault cloud", "encconf doctor src/"),
    ),
    Command(
        "systemd serve",
        "encconf.cli.systemd:serve",
        "Hand single values to systemd units.",
        details="A unit with LoadCredential=NAME:SOCKET gets the value that a rule UNIT:NAME=PATH allows it, "
        "and fails to start where none does. UNIT may have * in it, and %i in PATH is the unit's instance. "
        "SIGHUP opens the files anew. Values stay in memory; only names are logged. Run it as the user of "
        "the manager, or with a socket that systemd hands over: encconf systemd unit writes both units. "
        "Ends with SIGTERM or Ctrl-C.",
        arguments=(Argument("file", many=True),),
        options=(
            Option(
                "--socket -s",
                "Listen here (by default /run/encconf/credentials.sock, or that in $XDG_RUNTIME_DIR).",
                metavar="PATH",
            ),
            Option(
                "--allow -a",
                "UNIT:CREDENTIAL=PATH: what a unit may have. Can be given several times.",
                kind="list",
                metavar="RULE",
            ),
            Option("--allow-from", "Read such rules from a file, one a line.", metavar="FILE"),
            Option("--reload", "Open a file anew as soon as it has changed.", kind="flag"),
            Option("--idle", "End after so many seconds without a request.", metavar="SECONDS"),
            INPUT_TYPE,
            COLOR,
        ),
        examples=(
            "encconf systemd serve secrets.enc.yaml --allow app.service:db_password=db.password",
            "encconf systemd serve secrets.enc.yaml --allow 'app@*.service:token=tenants.%i.token'",
        ),
    ),
    Command(
        "systemd unit",
        "encconf.cli.systemd:unit",
        "Print unit files that let a unit have values.",
        details="A drop-in for the unit with LoadCredential= for each value, and a socket and a service that "
        "hand them out: systemd starts the service when the unit starts, and the service reads nothing but "
        "FILE. The unit finds each value in $CREDENTIALS_DIRECTORY/NAME. No key is needed to print them.",
        arguments=(Argument("file", many=True),),
        options=(
            Option(
                "--unit -u", "The unit that gets the values; app@.service for all instances.", metavar="UNIT"
            ),
            Option(
                "--allow -a",
                "CREDENTIAL=PATH: only these values, by these names. Can be given several times.",
                kind="list",
                metavar="RULE",
            ),
            Option(
                "--identity",
                "The key that opens FILE, for the service (NAME.cred: encrypted).",
                metavar="FILE",
            ),
            Option("--env", "Also set NAME_FILE=… to where each value is.", kind="flag", dest="variables"),
            Option("--user", "For the user's own systemd, not the system's.", kind="flag"),
            Option("--socket -s", "Listen here (by default /run/UNIT-credentials/…).", metavar="PATH"),
            Option("--output -o", "Write the files into this folder of units.", metavar="FOLDER"),
            *FLAT,
            INPUT_TYPE,
            COLOR,
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
    "git": "Let git diff and merge encrypted files.",
    "groups": "Require several people to open a file (key groups).",
    "keys": "Let more recipients open files.",
    "systemd": "Hand values to systemd units.",
}
"""First words that several commands share, and what they are about."""

VERSION_FLAGS: Final = ("--version", "-v")
"""Instead of a command.  As in sops, ``-v`` is not ``--verbose``."""
