"""The commands of encconf, for the parser, the help and the completion.

Each is declared in a file in encconf/cli/commands, which is imported only when the command is needed.  The
commands of a family share one file.  `place` says where each is: ``set`` is ``SET`` in ``set.py``, ``unset``
is ``UNSET`` there, and ``git install`` is ``GIT_INSTALL`` in ``git.py``.  If sops 3.13.3 has a command or
option, it has the same name here.
"""

from __future__ import annotations

import sys

from encconf.cli.command import COLOR, CONFIG, QUIET, Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

SECTIONS: dict[str, dict[str, str]] = {
    "Every day": {
        "init": "Set up a key, a .sops.yaml and git for this project.",
        "import": "Create an encrypted file from a .env or another file of variables.",
        "encrypt": "Encrypt files.",
        "decrypt": "Decrypt files to stdout, in place or to a folder.",
        "edit": "Edit an encrypted file in your editor.",
        "get": "Print one value of a file.",
        "set": "Set one value of a file.",
        "unset": "Remove one value from a file.",
        "update": "Replace the plaintext of an encrypted file.",
        "diff": "Show what changed between versions of files, without showing values.",
        "exec": "Run a program with the values of files in its environment.",
        "export": "Print the values of files for other programs.",
    },
    "Keys and people": {
        "whoami": "Print your recipients, and which files of this repository they open.",
        "keygen": "Create an age key and print its recipient.",
        "keys add": "Add a person to .sops.yaml and to the files.",
        "keys remove": "Remove a person from .sops.yaml and from the files.",
        "keys list": "List who is in which rule of .sops.yaml.",
        "access": "List who can read which files, alone or together, and since when; needs no key.",
        "updatekeys": "Update the recipients of files to those in .sops.yaml.",
        "rotate": "Re-encrypt files with a new data key.",
        "propose": "Propose a value for a file that you cannot open; needs no key.",
        "accept": "Accept values that others propose for a file (encconf propose).",
    },
    "Checks": {
        "check": "Check that files are encrypted as .sops.yaml says; needs no key.",
        "explain": "Explain which rule applies to a file, who can decrypt it, and why each value is "
        "encrypted or not.",
        "doctor": "Show whether you can open this project's files, and which secret stores work on "
        "this machine.",
    },
    "Programs and servers": {
        "git install": "Let git diff and merge encrypted files by their values.",
        "git uninstall": "Undo git install.",
        "git textconv": "Print a file as plaintext, for git diff.",
        "git merge": "Merge two versions of an encrypted file, as git's merge driver.",
        "git mergetool": "Merge two versions of an encrypted file in your editor.",
        "systemd serve": "Serve single values to systemd units.",
        "systemd unit": "Print unit files that give a unit its values.",
        "publish": "Send files to the destinations in .sops.yaml: S3, Google Cloud Storage, Vault.",
        "shim": "Install encconf under the name sops.",
        "completion": "Print a shell completion script.",
        "help": "Explain a command or a topic.",
        "version": "Print the version.",
    },
    "Other commands of sops": {
        "exec-env": "Run a shell command with the values of a file in its environment, as sops does.",
        "exec-file": "Run a shell command on a decrypted file, as sops does.",
        "filestatus": "Print whether a file is encrypted, as JSON.",
        "groups add": "Add a key group to a file.",
        "groups delete": "Remove a key group from a file.",
        "keyservice": "Let other processes use your master keys.",
    },
}
"""The commands by the sections of the help, each with the first line of its declaration: the help that lists
commands imports none of them.  A test compares the lines."""

_SUMMARIES = {name: line for lines in SECTIONS.values() for name, line in lines.items()}
NAMES = tuple(_SUMMARIES)
"""The commands, in the order of the help."""

ROOT = Command(
    "",
    """Encrypted configuration files, compatible with SOPS.

    - encconf help all: every command, with one line about each
    - encconf help environment: the variables that encconf reads
    - encconf help exit-codes: what the exit codes mean
    - encconf help error SLUG: what an error or a finding means, and what to do
    """,
)
"""encconf itself, without a command."""

TOPICS = ("all", "environment", "exit-codes", "error")
"""What ``encconf help`` explains besides commands."""

ROOT_OPTIONS = (COLOR, CONFIG, QUIET)
"""Options that may also come before the command."""

_GROUPS = {
    "keys": "Add people, remove them, and list them.",
    "groups": "Require several people to open a file (key groups).",
    "git": "Let git diff and merge encrypted files by their values.",
    "systemd": "Serve values to systemd units.",
}
ALL = (*NAMES, *_GROUPS)
"""The names of all commands and groups."""

_FILES = {
    "import": "import_",  # a word of Python
    **dict.fromkeys(("unset", "update"), "set"),
    **dict.fromkeys(("get", "filestatus"), "decrypt"),
    **dict.fromkeys(("exec-env", "exec-file"), "exec"),
    **dict.fromkeys(("updatekeys", "rotate", "groups"), "rekey"),
    **dict.fromkeys(("version", "completion"), "help"),
    "keygen": "init",
    "whoami": "keys",
    "accept": "propose",
}
"""The file of each command or group that does not have its first word as its name."""

_known: dict[str, Command] = {"": ROOT}


def place(name: str) -> tuple[str, str]:
    """Return the file of a command, without ``.py``, and its name there."""
    first = name.partition(" ")[0]
    return _FILES.get(first, first), name.replace(" ", "_").replace("-", "_").upper()


def entry(name: str) -> Command | None:
    """Return a command or a group, or encconf itself for "".  Returns None for an unknown name."""
    if name not in _known:
        if name in _GROUPS:
            _known[name] = Command(name, _GROUPS[name])
        elif name in NAMES:
            file, own = place(name)
            module = f"encconf.cli.commands.{file}"
            __import__(module)
            command: Command = getattr(sys.modules[module], own)
            _known[name] = command
    return _known.get(name)


def summary(name: str) -> str:
    """Return the line about a command or a group in lists of commands, without importing it."""
    return _GROUPS.get(name) or _SUMMARIES[name]


def within(group: str) -> list[str]:
    """Return the names in a group, or in encconf itself for "", in the order of the help."""
    start = f"{group} " if group else ""
    return first_words(name.removeprefix(start) for name in NAMES if name.startswith(start))


def first_words(names: Iterable[str]) -> list[str]:
    """Return the first word of each name, once: the commands and groups of encconf itself."""
    return list(dict.fromkeys(name.partition(" ")[0] for name in names))


def command(name: str) -> Command:
    """Return a command or a group that is known."""
    found = entry(name)
    assert found is not None
    return found


def commands() -> list[Command]:
    """Return all commands, in the order of the help."""
    return list(map(command, NAMES))
