"""The commands of encconf, for the parser, the help and the completion.

Each is declared in a file in encconf/cli/commands, which is imported only when the command is needed: ``set``
as ``COMMAND`` in ``set.py``, and the commands of a family in one file, such as ``git install`` as ``INSTALL``
in ``git.py`` and ``exec-env`` as ``ENV`` in ``exec.py``.  If sops 3.13.3 has a command or option, it has the
same name here.
"""

from __future__ import annotations

import sys

from encconf.cli.command import COLOR, CONFIG, QUIET, Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

SECTIONS = {
    "Every day": (
        *("init", "import", "encrypt", "decrypt", "edit", "get", "set", "unset", "update", "diff", "exec"),
        "export",
    ),
    "Keys and people": (
        *("whoami", "keygen", "keys add", "keys remove", "keys list", "access", "updatekeys", "rotate"),
        *("propose", "accept"),
    ),
    "Checks": ("check", "explain", "doctor"),
    "Programs and servers": (
        *("git install", "git uninstall", "git textconv", "git merge", "git mergetool", "systemd serve"),
        *("systemd unit", "publish", "shim", "completion", "help", "version"),
    ),
    "Other commands of sops": (
        *("exec-env", "exec-file", "filestatus", "groups add", "groups delete", "keyservice"),
    ),
}
"""The commands by the sections of the help.  ``git merge`` is in encconf/cli/commands/git.py."""

NAMES = tuple(name for names in SECTIONS.values() for name in names)
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

_known: dict[str, Command] = {"": ROOT}


def place(name: str) -> tuple[str, str]:
    """Return the file of a command, without ``.py``, and its name there."""
    family, *rest = name.replace("-", " ").split()
    if family == "keys":
        return "_".join((family, *rest)), "COMMAND"
    return "import_" if name == "import" else family, rest[0].upper() if rest else "COMMAND"


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
