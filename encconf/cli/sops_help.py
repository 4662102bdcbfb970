"""The help and the shell completion of encconf as ``sops``."""

from __future__ import annotations

from encconf.cli.sops_line import Line, no_topic
from encconf.cli.sops_table import COMMANDS, ENTRIES, Entry
from encconf.io.fileio import packaged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.cli.sops_run import Run


def help_text(line: Line) -> str:
    """Return the help of sops, a group or a command.  Raises WrongLineError for an unknown command."""
    name = line.command.removesuffix(" help").removesuffix("help").strip()
    if line.command.endswith(" help"):
        return _of_group(name, line.args[1:2])
    if not name and line.args[:1] in (["help"], ["h"]):
        name = " ".join(line.args[1:2])
    if name and name in ENTRIES:
        return _of_group(name, []) if ENTRIES[name].is_group else _of_command(name)
    if name not in ("", "help", "h"):
        raise no_topic(name)
    commands = "".join(f"   {each:12} {ENTRIES[each].summary}\n" for each in COMMANDS)
    return (
        "sops - editor of encrypted files, by encconf\n\nUSAGE: sops [flags] command [flags] "
        "[arguments], or "
        f"sops [flags] file\n\nCOMMANDS:\n{commands}\nFLAGS:\n{_flag_lines(ENTRIES[''])}"
    )


def _of_group(name: str, topic: list[str]) -> str:
    """Return the help of a group, or of one of its commands: ``groups help add``."""
    if topic and f"{name} {topic[0]}" in ENTRIES:
        return _of_command(f"{name} {topic[0]}")
    if topic and topic[0] not in ("help", "h"):
        raise no_topic(topic[0])
    below = [each for each in ENTRIES if each.startswith(f"{name} ")]
    return f"sops {name} - {ENTRIES[name].summary}\n\n" + "".join(f"   sops {each}\n" for each in below)


def _of_command(name: str) -> str:
    return f"sops {name} - {ENTRIES[name].summary}\n\nFLAGS:\n{_flag_lines(ENTRIES[name])}"


def _flag_lines(entry: Entry) -> str:
    lines = []
    for flag in entry.flags:
        value = "" if flag.is_switch else " number" if flag.type == "int" else " value"
        variable = f" [${flag.env}]" if flag.env else ""
        lines.append(f"   {', '.join(map(_dashed, flag.names))}{value}{variable}\n")
    return "".join(lines)


def _dashed(name: str) -> str:
    return f"--{name}" if len(name) > 1 else f"-{name}"


def words(before: list[str]) -> str:
    """Return the words that can follow, one on each line: commands, or flags after a dash."""
    command = next((word for word in before if word in COMMANDS), "")
    if before and before[-1][:1] == "-":
        found = [_dashed(name) for flag in ENTRIES[command].flags for name in flag.names]
        return "".join(f"{name}\n" for name in found if name.startswith(before[-1]))
    below = [name.partition(" ")[2] for name in ENTRIES if name.startswith(f"{command} ")]
    return "".join(f"{name}\n" for name in (below if command else (*COMMANDS, "help")))


def completion(run: Run) -> None:
    """``sops completion SHELL``: print the completion script for a shell."""
    shell = run.line.command.partition(" ")[2]
    run.console.data(packaged("encconf.cli", f"help/sops.{shell}"))
