"""The full parser of the command line, for help, mistakes and completion: click, built from the table.

For a line that `encconf.cli.quick` understands, `parse` returns the same result.  A mistake becomes a
UsageError with exit code 1 as in sops; click itself would use 2.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable

import click

from encconf.cli.console import Console
from encconf.cli.options import Option, Values
from encconf.cli.table import COMMANDS, ROOT_OPTIONS, VERSION_FLAGS, Argument, Command, Help, help_of
from encconf.errors import EncconfError, MissingFileError, OutputError, UsageError
from encconf.text.words import did_you_mean

_PROGRAM = "encconf"
_SHELLS = ("bash", "zsh", "fish", "powershell")


def parse(argv: list[str]) -> tuple[Command, Values] | None:
    """Return the command of the arguments and its values, or None if help was printed.

    Raises UsageError, MissingFileError if no file is named where one is needed, and SystemExit after
    completion.
    """
    rest: list[str] | None = None
    meant = _meant(argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # some code pages have no "…"
    if "--" in argv and meant is not None and meant.rest:
        at = argv.index("--")
        argv, rest = argv[:at], argv[at + 1 :]
    try:
        result = _root().main(argv, prog_name=_PROGRAM, standalone_mode=False)
    except BrokenPipeError:
        raise
    except OSError as error:  # the help could not be written to stdout
        reason = (error.strerror or "no stdout").lower()
        raise OutputError(f"cannot be written: {reason}").about("stdout") from None
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        raise SystemExit(1) from None
    except click.ClickException as error:
        raise _explained(error, meant) from None
    except click.Abort:
        raise KeyboardInterrupt from None
    if not isinstance(result, tuple):
        return None
    row: Command = result[0]
    values: Values = result[1]
    if row.rest:
        values[row.rest] = rest or []
    return row, values


def _meant(argv: list[str]) -> Command | None:
    """Return the command that the first words after the root's options name, or None."""
    at = 0
    while at < len(argv) and argv[at].startswith("-"):
        at += 2 if any(argv[at] in option.names for option in ROOT_OPTIONS) else 1
    words = argv[at:]
    return next((row for row in COMMANDS if words[: row.name.count(" ") + 1] == row.name.split()), None)


def completion(console: Console, *, shell: str) -> None:
    """``encconf completion``: print the script for a shell.  The script runs encconf to complete a word."""
    from click.shell_completion import ShellComplete, get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        known = [name for name in _SHELLS if get_completion_class(name) is not None]
        hint = "update click to 8.5" if shell in _SHELLS else f"supported: {', '.join(known)}"
        raise UsageError(f"completion for {shell} is not supported", hint=hint)
    script = ShellComplete.source(kind(_root(), {}, _PROGRAM, f"_{_PROGRAM.upper()}_COMPLETE"))
    # click's script for fish would cut a description at its first comma.
    script = script.replace('string split ","', 'string split --max 1 ","')
    console.data(script.strip("\n") + "\n")


def _root() -> click.Group:
    said = help_of("")
    root = _Group(
        _PROGRAM,
        params=[
            *(_option(option, said) for option in ROOT_OPTIONS),
            click.Option(VERSION_FLAGS, is_flag=True, is_eager=True, expose_value=False, callback=_version,
                         help="Print the version."),
        ],
        help=said.summary,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )  # fmt: skip
    groups: dict[str, click.Group] = {"": root}
    for command in COMMANDS:
        group, _, name = command.name.rpartition(" ")
        if group not in groups:
            groups[group] = _Group(group, help=help_of(group).summary)
            root.add_command(groups[group])
        groups[group].add_command(_command(name, command))
    return root


class _Group(click.Group):
    """A group that keeps the order of the table, and suggests a name for an unknown command."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for topics in help_of("").details if ctx.parent is None else ():
            with formatter.section("Topics"):
                formatter.write_dl(row for row in topics if isinstance(row, tuple))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in self.commands and not name.startswith("-"):
            hint = did_you_mean(name, self.commands) or f"see: {ctx.command_path} --help"
            raise UsageError(f"unknown command {name!r}", hint=hint)
        return super().resolve_command(ctx, args)


class _Command(click.Command):
    """A command whose help has the paragraphs, lists and examples of its row."""

    row: Command

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        rest = {"argv": ["-- PROGRAM", "[ARGUMENTS]..."], "paths": ["[-- PATH...]"]}
        return [*super().collect_usage_pieces(ctx), *rest.get(self.row.rest, ())]

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.indentation():
            for block in (self.row.help.summary, *self.row.help.details):
                formatter.write_paragraph()
                if isinstance(block, str):
                    formatter.write_text(block)
                else:
                    formatter.write_dl(block)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.row.help.examples:
            with formatter.section("Examples"):
                formatter.write("".join(f"  {line}\n" for line in self.row.help.examples))


def _command(name: str, row: Command) -> click.Command:
    said = row.help
    command = _Command(
        name,
        params=[*map(_argument, row.arguments), *(_option(option, said) for option in row.options)],
        short_help=said.summary,
        callback=_returning(row),
    )
    command.row = row
    return command


def _returning(row: Command) -> Callable[..., tuple[Command, Values]]:
    """Return a callback that returns the command and its values.  The caller runs the command."""

    def callback(**values: object) -> tuple[Command, Values]:
        context = click.get_current_context()
        while context.parent is not None:
            context = context.parent
        given = {dest: value for dest, value in context.params.items() if value is not None}
        result: Values = {}
        for dest, value in values.items():
            if value is None or value is False:
                value = given.get(dest, value)
            result[dest] = list(value) if isinstance(value, tuple) else value  # type: ignore[assignment]
        return row, result

    return callback


def _option(option: Option, said: Help) -> click.Option:
    help = said.of(option)
    if option.choices:
        help += f" [possible values: {', '.join(option.choices)}]"
    if option.env:
        help += f" [env: {option.env}]"
    if option.is_switch:
        return click.Option([*option.names, option.dest], is_flag=True, help=help)
    return click.Option(
        [*option.names, option.dest],
        metavar=option.metavar,
        help=help,
        multiple=option.kind == "*",
        type=_type(option),
    )


def _type(option: Option) -> click.ParamType[object]:
    if option.choices:
        return click.Choice(option.choices)
    return click.Path(allow_dash=True) if option.metavar == "FILE" else click.STRING


def _argument(argument: Argument) -> click.Argument:
    return click.Argument(
        [argument.dest],
        required=argument.required,
        nargs=-1 if argument.many else 1,
        type=click.Path(allow_dash=True) if argument.dest == "file" else click.STRING,
        shell_complete=_COMPLETE.get(argument.dest),
    )


def _paths_inside(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Return completions of a path, from the named file.  Its paths are readable without a key."""
    from encconf import formats
    from encconf.formats import sniff
    from encconf.io import fileio
    from encconf.text.path import spell

    try:
        file = str(context.params["file"])
        text = fileio.read_text(file)
        document = formats.module(context.params.get("input_type") or sniff.format_of(text, file)).scan(text)
    except (EncconfError, KeyError, OSError):
        return []
    paths: dict[str, None] = {}
    for leaf in document.leaves:
        if leaf.type != "comment":
            for end in range(1, len(leaf.path) + 1):
                paths[spell(leaf.path[:end])] = None
    return [path for path in paths if path.startswith(incomplete)]


def _shells(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in _SHELLS if name.startswith(incomplete)]


_COMPLETE = {"path": _paths_inside, "shell": _shells}


def _version(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        from encconf.cli.version import version_line

        click.echo(version_line())
        context.exit()


def _explained(error: click.ClickException, meant: Command | None) -> EncconfError:
    """Return the error for a mistake in the command line, for the command that it is meant for."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = f"{_PROGRAM} {meant.name}" if meant else context.command_path if context else _PROGRAM
    hint = f"see: {path} --help"
    found: EncconfError
    if isinstance(error, click.MissingParameter) and error.param is not None and error.param.name == "file":
        found = MissingFileError("no file was given", hint=hint)
    elif isinstance(error, click.NoSuchOption):
        name = error.option_name
        known = [each for option in meant.options for each in option.names] if meant else []
        if name in known:  # click found it before the command, where only those of the root may be
            found = UsageError(f"{name} is an option of the command", hint=f"write it after {path}")
        else:
            found = UsageError(f"unknown option {name}", hint=did_you_mean(name, known, 0.75) or hint)
    else:
        message = " ".join(error.format_message().split()).rstrip(".")
        found = UsageError(message[:1].lower() + message[1:], hint=hint)
    found.exit_code = meant.failure if meant and meant.failure else found.exit_code
    return found
