"""Write the man pages and the completion scripts below build/share: `make man`.  Packages contain them, too.

encconf(1) lists the commands and the exit codes, and each command has a page, encconf-COMMAND(1).
encconf-environment(7) has the variables, encconf-errors(7) the errors.  All of it comes from the tables that
the command line reads; see reference.py.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from reference import ROOT, names, topic

from encconf import __version__
from encconf.cli.command import Command, Option
from encconf.cli.error_help import ENTRIES
from encconf.cli.table import ROOT_OPTIONS, commands

COMPLETIONS = {
    "bash": "bash-completion/completions/encconf",
    "zsh": "zsh/site-functions/_encconf",
    "fish": "fish/vendor_completions.d/encconf.fish",
}
"""Where shells look for the scripts of programs, below share/."""
SUMMARY = "encrypted configuration files, compatible with SOPS"


def plain(text: str) -> str:
    """Text as roff has it."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    text = re.sub(r"[^\x00-\x7f]", lambda match: f"\\[u{ord(match[0]):04X}]", text)
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.M)


def head(title: str, section: int, about: str) -> list[str]:
    """The first lines of a page."""
    return [
        f'.TH "{title.upper()}" "{section}" "{date()}" "encconf {__version__}" "encconf manual"',
        *(".nh", ".ad l", ".SH NAME", f"{plain(title)} \\- {plain(about)}"),
    ]


def date() -> str:
    """When the newest release was made; today before the first one."""
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    released = re.search(r"^## .*(\d{4}-\d\d-\d\d)$", changes, flags=re.M)
    return released[1] if released else datetime.now(tz=UTC).date().isoformat()


def command_page(command: Command) -> str:
    """The page of one command."""
    about = command.summary[:1].lower() + command.summary[1:].rstrip(".")
    lines = [*head(title(command), 1, about), ".SH SYNOPSIS", *synopsis(command)]
    lines += [".SH DESCRIPTION", plain(command.summary)]
    for block in command.details:
        if isinstance(block, str):
            lines += [".PP", plain(block)]
        else:
            for term, meaning in block:
                lines += [".TP", f"\\fB{plain(term)}\\fR", plain(meaning)]
    lines += [".SH OPTIONS", *options(command.options)]
    if command.examples:
        lines += [".SH EXAMPLES", ".EX", *map(plain, command.examples), ".EE"]
    return text([*lines, *see_also()])


def title(command: Command) -> str:
    """The name of a command's page."""
    return "encconf-" + command.name.replace(" ", "-")


def synopsis(command: Command) -> list[str]:
    """The line that calls a command."""
    words = [f"\\fB{plain(f'encconf {command.name}')}\\fR"]
    words += ["[\\fIOPTIONS\\fR]"] * bool(command.options)
    for argument in command.arguments:
        word = f"\\fI{argument.dest.upper()}\\fR" + "..." * argument.many
        words.append(word if argument.required else f"[{word}]")
    words += [f"\\-\\- \\fI{command.rest.upper()}\\fR..."] * bool(command.rest)
    return [" ".join(words)]


def options(given: Sequence[Option]) -> list[str]:
    """A list of options."""
    lines = []
    for option in given:
        variable = f" Variable: {option.env}." if option.env else ""
        lines += [".TP", f"\\fB{plain(names(option))}\\fR", plain(option.help + variable)]
    return lines


def see_also() -> list[str]:
    """The last section of every page."""
    pages = ["encconf(1)", "encconf-environment(7)", "encconf-errors(7)"]
    marked = [re.sub(r"(.+)\((\d)\)", r"\\fB\1\\fR(\2)", plain(each)) for each in pages]
    return [".SH SEE ALSO", ", ".join(marked)]


def main_page() -> str:
    """encconf(1)."""
    lines = [*head("encconf", 1, SUMMARY), ".SH SYNOPSIS"]
    lines += ["\\fBencconf\\fR [\\fIOPTIONS\\fR] \\fICOMMAND\\fR [\\fIARGUMENTS\\fR]", ".SH DESCRIPTION"]
    lines += ["encconf encrypts configuration files in the format of SOPS.", ".SH COMMANDS"]
    for command in commands():
        lines += [".TP", f"\\fB{plain(command.name)}\\fR", plain(command.summary)]
    lines += [".SH OPTIONS", *options(ROOT_OPTIONS)]
    lines += [".SH EXIT STATUS", *listed(topic("exit-codes"))]
    return text([*lines, *see_also()])


def environment_page() -> str:
    """encconf-environment(7)."""
    lines = [*head("encconf-environment", 7, "variables that encconf reads"), ".SH DESCRIPTION"]
    return text([*lines, *listed(topic("environment")), *see_also()])


def errors_page() -> str:
    """encconf-errors(7)."""
    lines = [*head("encconf-errors", 7, "what the errors of encconf mean"), ".SH DESCRIPTION"]
    for slug, entry in ENTRIES.items():
        lines += [".TP", f"\\fB{plain(slug)}\\fR (exit code {entry.code})"]
        lines.append(plain(f"{entry.meaning} {entry.do}"))
    return text([*lines, *see_also()])


def listed(topic: str) -> list[str]:
    """A topic of ``encconf help``: its headings, and its rows of a name and a text."""
    lines: list[str] = []
    for line in topic.splitlines():
        row = re.match(r" +(\S.*?)  +(\S.*)$", line)
        if row is not None:
            lines += [".TP", f"\\fB{plain(row[1])}\\fR", plain(row[2])]
        elif line:
            lines += [".PP", plain(line)] if lines else [plain(line)]
    return lines


def text(lines: list[str]) -> str:
    """A whole page."""
    return "\n".join(lines) + "\n"


def pages() -> dict[str, str]:
    """Every page by its file name."""
    made = {f"man1/{title(command)}.1": command_page(command) for command in commands()}
    return {
        "man1/encconf.1": main_page(),
        **made,
        "man7/encconf-environment.7": environment_page(),
        "man7/encconf-errors.7": errors_page(),
    }


def shared() -> dict[str, str]:
    """Every page and script by its path below share/."""
    from encconf.cli.usage import script

    made = {f"man/{name}": page for name, page in pages().items()}
    return made | {path: script(shell) for shell, path in COMPLETIONS.items()}


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "share"
    for name, made in shared().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(made, encoding="utf-8", newline="\n")
