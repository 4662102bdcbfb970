"""The commands and flags of sops 3.13.3.

`Flags` has a field for each flag, whose annotation decides what the flag takes.  A flag means the same for
every command that has it.
"""

from __future__ import annotations

from encconf.keys import in_config_order
from encconf.record import Options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from encconf.verbs.rule import Keys

_NO_KEYS: Keys = {}


class Flags(Options):
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


_ROWS = in_config_order()
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
