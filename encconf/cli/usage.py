"""The help, and the completion of shells: click, built from the declarations of the commands.

click parses no command line (see `encconf.cli.parser`), except to complete a word of it.
"""

from __future__ import annotations

import os
import re
from typing import Any

import click
from click import shell_completion

from encconf.cli import table
from encconf.cli.command import HELP, MORE, VERSION, Argument, Command, Option
from encconf.cli.table import ROOT, ROOT_OPTIONS
from encconf.errors import EncconfError, UsageError

_PROGRAM = "encconf"
_SHELLS = ("bash", "zsh", "fish", "powershell")


def text_of(entry: Command) -> str:
    """Return the help of a command, a group or encconf itself."""
    found: click.Command = _root()
    context = click.Context(found, info_name=_PROGRAM, **found.context_settings)
    for word in entry.name.split():
        assert isinstance(found, click.Group)
        below = found.get_command(context, word)
        assert below is not None
        found, context = below, click.Context(below, parent=context, info_name=word)
    return found.get_help(context) + "\n"


def text_of_all() -> str:
    """Return a line for each command, by the sections of the help."""
    formatter = _Formatter(width=click.Context(_root(), max_content_width=100).make_formatter().width)
    longest = max(map(len, table.NAMES))
    for title, names in table.SECTIONS.items():
        with formatter.section(title):
            formatter.write_dl([(f"{name:{longest}}", line) for name, line in names.items()])
    return formatter.getvalue().removeprefix("\n")


def complete() -> None:
    """Print the completions of the command line in the variables of the scripts.  Raises SystemExit."""
    _add_shells()
    _root().main([], prog_name=_PROGRAM)


def script(shell: str) -> str:
    """Return the completion script for a shell.  The script runs encconf to complete a word."""
    _add_shells()
    find = shell_completion.get_completion_class
    kind = find(shell)
    if kind is None:
        known = [name for name in _SHELLS if find(name) is not None]
        hint = "update click to 8.5" if shell in _SHELLS else f"supported: {', '.join(known)}"
        raise UsageError(f"completion for {shell} is not supported", hint=hint)
    made = kind(_root(), {}, _PROGRAM, f"_{_PROGRAM.upper()}_COMPLETE")
    script = shell_completion.ShellComplete.source(made)
    # click's script for fish would cut a description at its first comma.
    script = script.replace('string split ","', 'string split --max 1 ","')
    return script.strip("\n") + "\n"


# A key of a file can be any text, such as `$(touch x)`.  zsh and fish quote what they insert; bash and
# PowerShell insert it as it is.

_PLAIN = r"[\w./:@%+,=^-]*"
"""A text that no shell changes."""


class _Bash(shell_completion.BashComplete):
    """Completion for bash.  Unlike click's, it quotes words, and its script splits and expands none."""

    source_template = """\
%(complete_func)s() {
    local response completion type value
    response=$(IFS=$'\\n'; env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD="$COMP_CWORD" \
%(complete_var)s=bash_complete "$1")
    while IFS= read -r completion; do
        type=${completion%%%%,*}
        value=${completion#*,}
        if [[ $type == dir ]]; then
            COMPREPLY=()
            compopt -o dirnames
        elif [[ $type == file ]]; then
            COMPREPLY=()
            compopt -o default
        elif [[ $type == plain ]]; then
            COMPREPLY+=("$value")
        fi
    done <<< "$response"
}
complete -o nosort -F %(complete_func)s %(prog_name)s 2> /dev/null ||
    complete -F %(complete_func)s %(prog_name)s
"""

    def get_completions(self, args: list[str], incomplete: str) -> list[shell_completion.CompletionItem[str]]:
        """Return the completions, quoted.  After an open quote, only words that need no quotes count."""
        found = super().get_completions(args, incomplete)
        words = os.environ["COMP_WORDS"].split("\n")
        typed = words[min(int(os.environ["COMP_CWORD"]), len(words) - 1)]
        for item in found:
            plain = re.sub(r"[^\w./:@%+,=^-]", r"\\\g<0>", item.value)
            item.type = item.type if plain == item.value or not re.search("[\"']", typed) else "none"
            item.value = plain
        return found


class _Fish(shell_completion.FishComplete):
    """Completion for fish.  click before 8.2 does not remove the quotes of the word that you type."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the one that you type, and that one."""
        split = shell_completion.split_arg_string
        words, typed = split(os.environ["COMP_WORDS"])[1:], split(os.environ["COMP_CWORD"])[:1]
        return (words[:-1] if typed and words[-1:] == typed else words), "".join(typed)


def _add_shells() -> None:
    shell_completion.add_completion_class(_Bash)
    shell_completion.add_completion_class(_Fish)
    if usual := shell_completion.get_completion_class("powershell"):

        class PowerShell(usual):  # type: ignore[valid-type,misc]  # click has it from 8.5 on
            """Completion for PowerShell, which quotes words."""

            def format_completion(self, item: shell_completion.CompletionItem[str]) -> str:
                if not re.fullmatch(_PLAIN, item.value, re.ASCII):
                    # To PowerShell, some other characters are quotes, too.
                    if not re.fullmatch("[ !#-&(-~]*", item.value):
                        return "none\n_\n_"
                    item.value = f"'{item.value}'"
                return str(super().format_completion(item))

        shell_completion.add_completion_class(PowerShell)


def _root() -> click.Group:
    root = _Group(ROOT, _PROGRAM, params=list(map(_option, (*ROOT_OPTIONS, VERSION))))
    root.context_settings = {"help_option_names": HELP.names[::-1], "max_content_width": 100}
    return root


_UNBROKEN = "\u2011"


class _Formatter(click.HelpFormatter):
    """A formatter that breaks no line at a hyphen: click would break ``--in-place``."""

    def write_text(self, text: str) -> None:
        super().write_text(text.replace("-", _UNBROKEN))

    def write_dl(self, rows: Any, *args: int, **named: int) -> None:
        super().write_dl([(term, text.replace("-", _UNBROKEN)) for term, text in rows], *args, **named)

    def getvalue(self) -> str:
        return super().getvalue().replace(_UNBROKEN, "-")


click.Context.formatter_class = _Formatter


class _Command(click.Command):
    """A command or a group whose help has the paragraphs, lists and examples of its entry."""

    def __init__(self, entry: Command, name: str, **settings: Any) -> None:
        super().__init__(name, short_help=entry.summary, **settings)
        self.entry = entry

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [*super().collect_usage_pieces(ctx), *self.entry.rest_usage]

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.indentation():
            for block in (self.entry.summary, *(() if self.entry is ROOT else self.entry.details)):
                formatter.write_paragraph()
                if isinstance(block, str):
                    formatter.write_text(block)
                else:
                    formatter.write_dl(block)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {"": []}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None and not isinstance(param, click.Argument):
                option = next((each for each in self.entry.options if each.names == tuple(param.opts)), None)
                sections.setdefault(option.section if option else "", []).append(record)
        more = sections.pop(MORE, [])
        for title, rows in [*sections.items(), (MORE, more)]:
            if rows:
                with formatter.section(title or "Options"):
                    formatter.write_dl(rows)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.entry.examples:
            with formatter.section("Examples"):
                formatter.write("".join(f"  {line}\n" for line in self.entry.examples))


class _Group(_Command, click.Group):
    """A group that has the commands of the table in their order.  It imports one when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return table.within(self.entry.name)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = table.entry(f"{self.entry.name} {cmd_name}".strip())
        if entry is None or not cmd_name:
            return None
        if entry.is_group:
            return _Group(entry, cmd_name)
        params = [*map(_argument, entry.arguments), *map(_option, entry.options)]
        return _Command(entry, cmd_name, params=params)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.entry is ROOT:
            self.format_commands(ctx, formatter)
        _Command.format_options(self, ctx, formatter)
        if self.entry is not ROOT:
            self.format_commands(ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.entry is not ROOT:
            super().format_commands(ctx, formatter)
            return
        longest = max(map(len, self.list_commands(ctx)))
        for title, names in table.SECTIONS.items():
            with formatter.section(title):
                heads = table.first_words(names)
                formatter.write_dl([(f"{head:{longest}}", table.summary(head)) for head in heads])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for topics in ROOT.details if self.entry is ROOT else ():
            with formatter.section("Topics"):
                formatter.write_dl(row for row in topics if isinstance(row, tuple))


def _option(option: Option) -> click.Option:
    help = option.help
    if option.choices:
        help += f" [possible values: {', '.join(option.choices)}]"
    if option.env:
        help += f" [env: {option.env}]"
    if option.is_switch:
        return click.Option(option.names, is_flag=True, help=help)
    return click.Option(
        option.names, metavar=option.metavar, help=help, multiple=option.many, type=_type(option)
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
    """Return completions of a path, from the named file.  Its paths are readable without a key.

    Paths with line breaks and other invisible characters are left out: no shell could show them.
    """
    from encconf import formats
    from encconf.io import fileio
    from encconf.text.path import spell

    try:
        file = str(context.params["file"])
        text = fileio.read_text(file)
        document = formats.get(context.params.get("input_type") or formats.format_of(text, file)).scan(text)
    except (EncconfError, KeyError, OSError):
        return []
    paths: dict[str, None] = {}
    for leaf in document.leaves:
        if leaf.type != "comment":
            for end in range(1, len(leaf.path) + 1):
                paths[spell(leaf.path[:end])] = None
    return [path for path in paths if path.startswith(incomplete) and path.isprintable()]


def _people(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    """Return completions of a person's name, from ``.sops.yaml``."""
    from encconf.verbs.people import named_in_rules

    return [name for name in named_in_rules() if name.startswith(incomplete) and name.isprintable()]


def _shells(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in _SHELLS if name.startswith(incomplete)]


def _topics(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Return the completions of ``encconf help``: commands and topics, and after ``error`` the slugs."""
    before = context.params.get("words") or ()
    if tuple(before[:1]) == ("error",):
        from encconf.cli.error_help import slugs

        known = slugs()
    elif before:
        known = table.within(" ".join(before))
    else:
        known = [*table.TOPICS, *table.within("")]
    return [name for name in known if name.startswith(incomplete)]


_COMPLETE = {"who": _people, "path": _paths_inside, "shell": _shells, "words": _topics}
