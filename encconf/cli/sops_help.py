"""The help and the shell completion of encconf as ``sops``."""

from __future__ import annotations

from encconf.cli.options import options_of
from encconf.cli.sops_line import ABOUT, COMMANDS, FLAGS, GROUPED, ROOT_FLAGS, Line, no_topic
from encconf.io.packaged import packaged


def help_text(line: Line) -> str:
    """Return the help of sops, a group or a command.  Raises WrongLineError for an unknown command."""
    name = line.command.removesuffix(" help").removesuffix("help").strip()
    if name in GROUPED and line.command.endswith(" help"):
        return _of_group(name, line.args[1:2])
    if not name and line.args[:1] in (["help"], ["h"]):
        name = " ".join(line.args[1:2])
    if name in GROUPED:
        return _of_group(name, [])
    if name in FLAGS:
        return _of_command(name)
    if name not in ("", "help", "h"):
        raise no_topic(name)
    commands = "".join(f"   {each:12} {ABOUT[each]}\n" for each in COMMANDS)
    return (
        "sops - editor of encrypted files, by encconf\n\nUSAGE: sops [flags] command [flags] "
        "[arguments], or "
        f"sops [flags] file\n\nCOMMANDS:\n{commands}\nFLAGS:\n{_flag_lines(ROOT_FLAGS)}"
    )


def _of_group(name: str, topic: list[str]) -> str:
    """Return the help of a group, or of one of its commands: ``groups help add``."""
    if topic and f"{name} {topic[0]}" in FLAGS:
        return _of_command(f"{name} {topic[0]}")
    if topic and topic[0] not in ("help", "h"):
        raise no_topic(topic[0])
    below = [each for each in FLAGS if each.startswith(f"{name} ")]
    return f"sops {name} - {ABOUT[name]}\n\n" + "".join(f"   sops {each}\n" for each in below)


def _of_command(name: str) -> str:
    return f"sops {name} - {ABOUT.get(name.partition(' ')[0], '')}\n\nFLAGS:\n{_flag_lines(FLAGS[name])}"


def _flag_lines(row: str) -> str:
    lines = []
    for flag in options_of(row):
        value = "" if flag.is_switch else " number" if flag.kind == "#" else " value"
        lines.append(f"   {', '.join(flag.names)}{value}{f' [${flag.env}]' if flag.env else ''}\n")
    return "".join(lines)


def words(before: list[str]) -> str:
    """Return the words that can follow, one on each line: commands, or flags after a dash."""
    command = next((word for word in before if word in COMMANDS), None)
    if before and before[-1][:1] == "-":
        row = FLAGS.get(command, "") if command else ROOT_FLAGS
        found = [name for flag in options_of(row) for name in flag.names]
        return "".join(f"{name}\n" for name in found if name.startswith(before[-1]))
    if command in GROUPED:
        return "".join(f"{name.partition(' ')[2]}\n" for name in FLAGS if name.startswith(f"{command} "))
    return "" if command else "".join(f"{name}\n" for name in (*COMMANDS, "help"))


def script(shell: str) -> str:
    """Return the completion script for a shell."""
    return packaged("encconf.cli", f"help/sops.{shell}")
