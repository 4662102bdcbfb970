"""The grammar of the tables of commands, help/commands.txt and help/sops.txt.

Each entry is a command, a group of commands, or the program itself, whose entry is the first::

    [NAME] MODULE:FUNCTION ARGUMENT… --REST !CODE
    A line about it.

    More details: paragraphs, and lists with lines ``- TERM: text``.

    --OPTION: its text
    --OPTION --OPTION
      an example

A function of encconf is called as ``function(console, **values)`` with one keyword for each argument and
option.  `encconf.cli.options` has the notation of options.  An option without a text is the one that the
first entry has under this name, if it has one.  A line or word with ``{option}`` is made for each type of
key.  Every start imports this module, so it imports little else.
"""

from __future__ import annotations

import sys

from encconf.cli.options import Option, Values
from encconf.io.packaged import packaged
from encconf.keys import in_config_order

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Argument:
    """A positional argument, made from its word in the table.

    ``file`` is required, ``file?`` is optional.  ``file+`` takes one or more words, and ``file*`` any number.
    A ``!`` at the end means that it cannot be stdin.
    """

    def __init__(self, word: str) -> None:
        self.named = word[-1] == "!"
        word = word.removesuffix("!")
        self.dest = word.rstrip("?+*")
        self.required = word[-1] not in "?*"
        self.many = word[-1] in "+*"


class Command:
    """One entry of a table.

    ``name`` has the words that call it, and ``target`` is its function, or "" for a group and for encconf
    itself.  ``rest`` is the keyword for the list of words after ``--``, or "" if the command accepts none.
    ``failure`` is the exit code for every error, or None if each error has its own.
    """

    def __init__(self, entry: str, shared: dict[str, Option], always: tuple[str, ...]) -> None:
        head, self.summary, *_ = entry.split("\n", 2)
        self.name, _, calls = head.partition("]")
        self._entry = entry
        self._shared = shared
        self._always = always
        self._options: tuple[Option, ...] = ()
        self.target = self.rest = ""
        self.failure: int | None = None
        self.arguments: list[Argument] = []
        for word in calls.split():
            if ":" in word:
                self.target = f"encconf.cli.{word}"
            elif word[:2] == "--":
                self.rest = word[2:]
            elif word[0] == "!":
                self.failure = int(word[1:])
            else:
                self.arguments.append(Argument(word))

    @property
    def options(self) -> tuple[Option, ...]:
        """The options, in the order of the help.  They are made when they are first needed."""
        if not self._options:
            found = {option.words[0]: option for option in self._own_options()}
            for name in self._always if self.target else ():
                found.setdefault(name, self._shared[name])
            self._options = tuple(found.values())
        return self._options

    def _own_options(self) -> Iterator[Option]:
        said = "\n".join(line for line in self._blocks()[1] if line[0] != " ").removeprefix("--")
        for line in [line.replace("\n", " ") for line in said.split("\n--")] if said else ():
            # Each option with a text starts a line.  Several options without a text can share one.
            for word in [line] if ": " in line else line.split(" --"):
                for each in map(word.format_map, _KEYS) if "{option}" in word else [word]:
                    spec, colon, help = each.partition(": ")
                    shared = None if colon else self._shared.get(spec)
                    yield shared or Option(spec, help)

    def _blocks(self) -> tuple[list[str], list[str]]:
        """Return the blocks of the details, and the lines with the options and examples."""
        blocks = self._entry.split("\n\n")[1:]
        last = blocks.pop().split("\n") if blocks and blocks[-1][:2] in ("--", "  ") else []
        return blocks, last

    def function(self) -> Callable[..., None]:
        """Import the module of the target ``module:function``, and return the function."""
        module, _, name = self.target.partition(":")
        __import__(module)
        function: Callable[..., None] = getattr(sys.modules[module], name)
        return function

    def defaults(self) -> Values:
        """Return every keyword of ``target`` with its default."""
        values: Values = {option.dest: option.default() for option in self.options}
        for argument in self.arguments:
            values[argument.dest] = [] if argument.many else None
        if self.rest:
            values[self.rest] = []
        return values

    @property
    def details(self) -> list[str | list[tuple[str, str]]]:
        """The details of the help.  Each is a paragraph, or a list of terms with their meanings."""
        found: list[str | list[tuple[str, str]]] = []
        for block in self._blocks()[0]:
            rows = block.removeprefix("- ").split("\n- ")
            said = [row.replace("\n", " ").partition(": ") for row in rows]
            is_list = block.startswith("- ")
            found.append([(term, text) for term, _, text in said] if is_list else block.replace("\n", " "))
        return found

    @property
    def examples(self) -> list[str]:
        """The examples of the help."""
        return [line.strip() for line in self._blocks()[1] if line[0] == " "]


_KEYS = [{**vars(row), "short": row.short.replace("-", ",")} for _, row in in_config_order()]


def read(name: str, always: tuple[str, ...] = ()) -> dict[str, Command]:
    """Return the entries of a table by name.  Every command has the options ``always``."""
    text = packaged("encconf.cli", f"help/{name}.txt").rstrip("\n").removeprefix("[")
    shared: dict[str, Option] = {}
    found = [Command(entry, shared, always) for entry in text.split("\n\n[")]
    shared.update((option.words[0], option) for option in found[0].options)
    return {entry.name: entry for entry in found}
