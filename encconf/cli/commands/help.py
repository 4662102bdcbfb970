"""encconf about itself: ``encconf`` without a command, ``help``, ``version`` and ``completion``."""

from __future__ import annotations

from encconf import SOPS_VERSION, __version__
from encconf.cli.command import Argument, Command
from encconf.cli.console import Console
from encconf.record import VerbOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn


class Options(VerbOptions):
    """A command or a topic."""

    words: Sequence[str] = ()


def show_overview(console: Console) -> None:
    """Describe a repository and its SOPS files, and say what to do next.

    Outside of a repository, print the help instead, as `show_usage` does.
    """
    import os

    from encconf.audit.findings import printable
    from encconf.audit.survey import describe, survey
    from encconf.errors import InputError
    from encconf.git import GIT_SAYS_WHY, repository, tracked
    from encconf.git.install import is_installed
    from encconf.keys.own import Own

    root = repository(os.getcwd())
    if root is None:
        from encconf.cli.table import ROOT

        show_usage(console, ROOT)
    found = survey(root)
    if not found.metadata:
        if tracked(root) is None:
            raise InputError(f"git cannot list the files in {printable(root)}", hint=GIT_SAYS_WHY)
        console.lines(f"this repository has no SOPS files yet\n{_first_step(root)} (help: encconf --help)\n")
        return
    steps = ["encconf check", "encconf access"]
    own, keys = Own.of(console.credentials(), commands=False, stores=False), found.keys
    mine = own.unread or any(key.name in own.places for key in keys)
    if not mine and all(key.TYPE == "age" for key in keys):
        has_none = not (own.places or own.locked or own.broken)
        steps.insert(
            0,
            "encconf keygen (you have no key)"
            if has_none
            else "encconf whoami (none of your keys opens these files)",
        )
    if not is_installed(found.root, list(found.metadata)):
        steps.append("encconf git install")
    console.lines("".join(f"{printable(line, 400)}\n" for line in describe(found, steps)))


def _first_step(root: str) -> str:
    """Return what to do first in a repository without SOPS files."""
    import os

    plain = next((name for name in (".env", "secrets.yaml") if os.path.isfile(os.path.join(root, name))), "")
    then = {".env": "encconf import .env", "": "encconf edit secrets.enc.yaml"}
    steps = [] if os.path.exists(os.path.join(root, ".sops.yaml")) else ["encconf init"]
    steps.append(then.get(plain, f"encconf encrypt {plain}"))
    return f"next: {', then '.join(steps)}"


def show_usage(console: Console, entry: Command) -> NoReturn:
    """Print the help to stderr, since no command was given, and raise SystemExit(1)."""
    from encconf.cli.usage import text_of

    console.write(text_of(entry))
    raise SystemExit(1)


def topic(name: str) -> str:
    """Return the text of a topic.  ``environment`` lists a variable for each type of key."""
    from encconf.io.fileio import packaged
    from encconf.keys import in_config_order

    rows = (f"  {row.variable:31} {row.plural}, comma-separated" for _, row in in_config_order())
    return packaged("encconf.cli", f"help/{name}.txt").replace("{keys}", "\n".join(rows))


def show_help(options: Options, console: Console) -> None:
    """Print the help of a command, or a topic."""
    words = list(options.words)
    if words == ["all"]:
        from encconf.cli.usage import text_of_all

        console.data(text_of_all())
        return
    if words in (["environment"], ["exit-codes"]):
        console.lines(topic(words[0]))
        return
    if words[:1] == ["error"]:
        from encconf.cli.error_help import show

        show(console, words[1:])
        return
    from encconf.cli.parser import find
    from encconf.cli.usage import text_of

    console.data(text_of(find(words)))


HELP = Command(
    "help",
    """Explain a command or a topic.

    The topics are:

    - all: every command, with one line about each
    - environment: the variables that encconf reads
    - exit-codes: what the exit codes mean
    - error SLUG: what an error or a finding means, and what to do
    """,
    Options,
    show_help,
    arguments=[Argument("words")],
    examples=[
        "encconf help all",
        "encconf help edit",
        "encconf help environment",
        "encconf help error no-rule",
    ],
)


def version() -> str:
    """Return the line ``encconf X (sops Y)``."""
    return f"encconf {__version__} (sops {SOPS_VERSION})\n"


def show_version(_: VerbOptions, console: Console) -> None:
    """Print the versions."""
    console.data(version())


VERSION = Command("version", "Print the version.", VerbOptions, show_version)


class CompletionOptions(VerbOptions):
    """The shell."""

    shell: str


def completion(options: CompletionOptions, console: Console) -> None:
    """Print the script for a shell."""
    from encconf.cli.usage import script

    console.data(script(options.shell))


COMPLETION = Command(
    "completion",
    """Print a shell completion script.

    SHELL is bash, zsh, fish or, with click 8.5, powershell. Completes commands, options, files, and paths
    inside files.
    """,
    CompletionOptions,
    completion,
    arguments=[Argument("shell")],
    examples=[
        "source <(encconf completion bash)",
        "encconf completion fish > ~/.config/fish/completions/encconf.fish",
    ],
)
