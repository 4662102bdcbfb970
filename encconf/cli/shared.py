"""The options that several commands have.  See `encconf.cli.command`."""

from __future__ import annotations

from encconf.cli.command import MORE, Option, key_options

OUTPUT = Option("--output", "-o", metavar="FILE", help="Write the result to this file (-: stdout).")
IN_PLACE = Option("--in-place", "-i", help="Write the result back to FILE.")
RECURSIVE = Option(
    "--recursive",
    "-r",
    help="Include the files in folders: every encrypted file that git does not ignore.",
)
DRY_RUN = Option("--dry-run", "-n", help="Show what would be done, without doing it.")
FAIL_FAST = Option("--fail-fast", help="Stop at the first file that fails.")
INPUT_TYPE = Option(
    "--input-type",
    metavar="FORMAT",
    help="The file's format (by default, detected from its content and name).",
    section=MORE,
)
FILENAME_OVERRIDE = Option(
    "--filename-override",
    metavar="NAME",
    help="Use this name to choose the format and the creation rule.",
    section=MORE,
)
IGNORE_MAC = Option(
    "--ignore-mac",
    help="Decrypt even if the file was changed without its key. For recovery only.",
    section=MORE,
)
ALLOW_PLAINTEXT = Option(
    "--allow-plaintext",
    help=(
        "Save values as plaintext if the file's own selection leaves them out, although the rule would "
        "encrypt them. Also ignore a .sops.yaml that cannot be read."
    ),
    section=MORE,
)
JSON = Option("--json", help="Print JSON.")
RESOLVE = Option(
    "--resolve",
    help="Fetch the values of references (ref+vault://…). ENCCONF_REF_ALLOW permits more sources.",
)
CHANGED = Option("--changed", help="Only files that are new or changed since the last git commit.")
CHECKLIST = Option(
    "--checklist",
    metavar="FILE",
    help=(
        "Before changing anything, add the values that removed recipients could read to this Markdown "
        "file (-: stdout)."
    ),
)
VERBOSE = Option("--verbose", help="Name every file, however many there are.")
YES = Option("--yes", "-y", help="Do not ask for confirmation.")
RECIPIENTS = Option(
    "--recipients",
    metavar="FILE",
    help="Read names of keys from this file, or from the files in this folder.",
    section=MORE,
)

VALUES = "Which values are encrypted"

SELECTION = [
    Option(
        "--encrypted-regex",
        metavar="REGEX",
        empty=True,
        utf8=True,
        section=VALUES,
        help="Encrypt only values whose key matches REGEX.",
    ),
    Option(
        "--unencrypted-regex",
        metavar="REGEX",
        empty=True,
        utf8=True,
        section=VALUES,
        help="Encrypt all values except those whose key matches REGEX.",
    ),
    Option(
        "--encrypted-suffix",
        metavar="SUFFIX",
        empty=True,
        utf8=True,
        section=VALUES,
        help="Encrypt only values whose key ends with SUFFIX.",
    ),
    Option(
        "--unencrypted-suffix",
        metavar="SUFFIX",
        empty=True,
        utf8=True,
        section=VALUES,
        help="Encrypt all values except those whose key ends with SUFFIX.",
    ),
    Option(
        "--encrypted-comment-regex",
        metavar="REGEX",
        empty=True,
        utf8=True,
        section=VALUES,
        help="Encrypt only values whose comment matches REGEX.",
    ),
    Option(
        "--unencrypted-comment-regex",
        metavar="REGEX",
        empty=True,
        utf8=True,
        section=VALUES,
        help="Encrypt all values except those whose comment matches REGEX.",
    ),
    Option("--mac-only-encrypted", help="Compute the MAC over encrypted values only.", section=VALUES),
]
"""The fields of `encconf.verbs.rule.Selecting`."""

CREDENTIALS = [
    Option(
        "--keyservice",
        metavar="URI",
        type="Sequence[str]",
        field="",
        section=MORE,
        help="Also use this key service: unix:///PATH or tcp://HOST:PORT. Repeatable.",
    ),
    Option(
        "--aws-profile",
        metavar="NAME",
        type="str | None",
        field="",
        section=MORE,
        help="Use this AWS profile instead of the one a file names.",
    ),
]
"""Options that choose the keys to open files with.  The command line gives them to the credentials."""

NAMING = [
    Option("--prefix", metavar="TEXT", empty=True, utf8=True, help="Prefix every name with this."),
    Option(
        "--nested-separator",
        "--separator",
        metavar="TEXT",
        empty=True,
        utf8=True,
        help="Join the keys of nested values with this (by default, _).",
    ),
    Option("--section", metavar="PATH", empty=True, utf8=True, help="Use only the values below this path."),
    Option("--keep-case", help="Do not convert names to upper case."),
]
"""The fields of `encconf.formats.emit.Naming`."""

KEYS = key_options(
    "", "Encrypt for these {plural} instead of those in .sops.yaml (comma-separated).", variables=True
)
GROUP_KEYS = key_options("", "Add these {plural} to the group (comma-separated).")
"""The master keys that a command line names, by type: fields that are `encconf.verbs.rule.Keys`."""
