"""``encconf completion``: a script for a shell, which asks encconf itself for each word."""

from __future__ import annotations

from encconf.cli.console import Console
from encconf.cli.full import completion_script
from encconf.errors import UsageError


def completion(console: Console, *, shell: str) -> None:
    """Print the script for a shell."""
    script = completion_script(shell)
    if script is None:
        raise UsageError(f"there is no completion for {shell}", hint="for bash, zsh, fish and powershell")
    console.data(script.strip("\n") + "\n")
