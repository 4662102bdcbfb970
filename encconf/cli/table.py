"""The commands of encconf, for the parser, the help and the completion.

They are in help/commands.txt.  If sops 3.13.3 has a command or option, it has the same name here.
"""

from __future__ import annotations

from encconf.cli.grammar import read
from encconf.cli.options import Option

ENTRIES = read("commands", ("color", "quiet"))
"""The entries by name.  "" is encconf itself, with the options that several commands have."""
COMMANDS = tuple(entry for entry in ENTRIES.values() if entry.target)
ROOT = ENTRIES[""]
SHARED = {option.words[0]: option for option in ROOT.options}
ROOT_OPTIONS = (SHARED["color"], SHARED["config"], SHARED["quiet"])
"""Options that may also come before the command."""

HELP = Option("help,h?")
VERSION = Option("version,v?", "Print the version.")
"""An option instead of a command.  As in sops, ``-v`` is not ``--verbose``."""
