"""``encconf completion``."""

from __future__ import annotations

from encconf.cli.command import Argument, Command
from encconf.record import Options as Base

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.cli.console import Console


class Options(Base):
    """The shell."""

    shell: str


def completion(options: Options, console: Console) -> None:
    """Print the script for a shell."""
    from encconf.cli.usage import script

    console.data(script(options.shell))


COMMAND = Command(
    "completion",
    """Print a shell completion script.

    SHELL is bash, zsh, fish or, with click 8.5, powershell. Completes commands, options, files, and paths
    inside files.
    """,
    Options,
    completion,
    arguments=[Argument("shell")],
    examples=[
        "source <(encconf completion bash)",
        "encconf completion fish > ~/.config/fish/completions/encconf.fish",
    ],
)
