"""What a command of the command line declares: `Command`, with its `Option` and `Argument` objects.

Each file in encconf/cli/commands declares the commands of a family.  The options class of a command (see
`encconf.record.VerbOptions`) has a field for each option and argument.  The annotation of the field decides
what the option takes:

- ``bool``: nothing; it is a switch
- ``str | None``: a text; if it is given twice, the last one counts
- ``Sequence[str]``: a text each time that it is given
- ``Literal["a", "b"] | None``: one of these texts

Every start imports this module, so it imports little else.
"""

from __future__ import annotations

from encconf.cli.console import word_as_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, TypeVar

    from encconf.cli.console import Console
    from encconf.record import VerbOptions

    T = TypeVar("T", bound=VerbOptions)

    Value = bool | str | list[str] | None
    Values = dict[str, Value]


def as_text(value: Value) -> Value:
    """Decode words of the command line as UTF-8, whatever the locale.  Raises UsageError."""
    if isinstance(value, list):
        return [word_as_text(word) for word in value]
    return word_as_text(value) if isinstance(value, str) else value


class Option:
    """An option: its names, and its text in the help.

    ``metavar`` is the name of its value in the help.  ``env`` is a variable that is read if the option is not
    given.  ``field`` is the field of the options class, by default the first name.  It is "" for an option
    that the command line itself reads.  ``key`` is a type of key, for a field that has the keys of each type.

    The value of an option may be ``empty`` only if that means something.  Of others, an empty value would be
    ignored: ``rotate --rm-age ""``.  A value is ``utf8`` if it is text.  The name of a file may be any bytes.
    The help has the option below the heading ``section``, or with the first options.
    """

    type = ""
    is_switch = many = False
    choices: tuple[str, ...] = ()

    def __init__(
        self,
        *names: str,
        help: str = "",
        metavar: str = "",
        env: str = "",
        type: str = "",
        field: str | None = None,
        key: str = "",
        empty: bool = False,
        utf8: bool = False,
        section: str = "",
    ) -> None:
        self.section = section
        self.names = names
        self.help = help
        self.metavar = metavar
        self.env = env
        self.key = key
        self.empty = empty
        self.utf8 = utf8
        self.dest = names[0].lstrip("-").replace("-", "_")
        self.field = self.dest if field is None else field
        if type:
            self.take(type)

    def take(self, type: str) -> None:
        """Set what the option takes, from the annotation of its field."""
        if self.type:
            assert self.type == type, f"{self.names[0]} is both {self.type} and {type}"
            return
        self.type = type
        self.is_switch = type == "bool"
        self.many = type.startswith(("Sequence[", "Keys"))
        if "Literal[" in type:
            words = type.partition("Literal[")[2].partition("]")[0].split(",")
            self.choices = tuple(word.strip(" \"'") for word in words)


class Argument:
    """A positional argument, which sets the field ``dest``.

    An argument whose field is ``str`` is required, and one whose field is ``str | None`` is not.  A field
    that is ``Sequence[str]`` takes any number of words, or at least one if it is ``required``.  A ``named``
    argument cannot be stdin.  A ``secret`` one may have words that no message should quote.
    """

    many = False

    def __init__(
        self,
        dest: str,
        *,
        required: bool = False,
        named: bool = False,
        utf8: bool = False,
        secret: bool = False,
    ) -> None:
        self.dest = dest
        self.required = required
        self.named = named
        self.utf8 = utf8
        self.secret = secret

    def take(self, type: str) -> None:
        """Set what the argument takes, from the annotation of its field."""
        self.many = type.startswith("Sequence[")
        self.required = self.required or type == "str"


class Command:
    """A command, a group of commands, or encconf itself, which have no ``function``.

    ``name`` has the words that call it.  ``about`` is its help: the first line is its summary.  Then follow
    paragraphs, and lists whose lines begin with ``- TERM: text``.  ``rest`` is the field for the words after
    ``--``, or "" if the command accepts none, and ``rest_usage`` is their place in the help.  ``failure`` is
    the exit code for every error, or None if each error has its own.
    """

    def __init__(
        self,
        name: str,
        about: str,
        type: type[T] | None = None,
        function: Callable[[T, Console], None] | None = None,
        *,
        arguments: Sequence[Argument] = (),
        options: Sequence[Option] = (),
        rest: str = "",
        rest_usage: Sequence[str] = (),
        examples: Sequence[str] = (),
        failure: int | None = None,
    ) -> None:
        self.name = name
        self.summary, _, self._more = about.partition("\n")
        self.arguments = arguments
        self.rest = rest
        self.rest_usage = rest_usage
        self.examples = examples
        self.failure = failure
        self._type = type
        self.is_group = function is None
        """Whether this is a group of commands, or encconf itself."""
        self.function: Callable[[Any, Console], None] | None = function
        found = {option.dest: option for option in options}
        if function is not None:
            for option in (COLOR, QUIET):
                found.setdefault(option.dest, option)
        self.options = tuple(found.values())
        if type is not None:
            fields = type.fields()
            for argument in arguments:
                argument.take(fields[argument.dest])
            for option in self.options:
                if option.field:
                    option.take(fields[option.field])

    def defaults(self) -> Values:
        """Return the value of each option and argument that is not given."""
        values: Values = {
            option.dest: False if option.is_switch else [] if option.many else None for option in self.options
        }
        for argument in self.arguments:
            values[argument.dest] = [] if argument.many else None
        if self.rest:
            values[self.rest] = []
        return values

    def options_of(self, values: Mapping[str, Value]) -> VerbOptions:
        """Return the options object with the values of a command line.

        Raises UsageError for a text that is not UTF-8.
        """
        named: dict[str, Any] = {}
        for argument in self.arguments:
            value = values[argument.dest]
            named[argument.dest] = as_text(value) if value and argument.utf8 else value
        for option in self.options:
            value = values[option.dest]
            if value and option.utf8:
                value = as_text(value)
            if option.key:
                named.setdefault(option.field, {})[option.key] = value
            elif option.field:
                named[option.field] = value
        if self.rest:
            named[self.rest] = values[self.rest]
        assert self._type is not None
        return self._type(**named)

    @property
    def details(self) -> list[str | list[tuple[str, str]]]:
        """The help below the summary.  Each item is a paragraph, or a list of terms with their meanings."""
        found: list[str | list[tuple[str, str]]] = []
        text = "\n".join(line.strip() for line in self._more.split("\n")).strip("\n")
        for block in text.split("\n\n") if text else ():
            if block.startswith("- "):
                rows = [row.replace("\n", " ").partition(": ") for row in block[2:].split("\n- ")]
                found.append([(term, meaning) for term, _, meaning in rows])
            else:
                found.append(block.replace("\n", " "))
        return found


HELP = Option("--help", "-h", type="bool")
VERSION = Option("--version", "-v", help="Print the version.", type="bool")
"""An option instead of a command.  As in sops, ``-v`` is not ``--verbose``."""
MORE = "More options"
"""The last section of the help, with the options that most commands have."""
COLOR = Option(
    "--color",
    metavar="WHEN",
    env="ENCCONF_COLOR",
    help="When to color messages (auto: on a terminal).",
    type="Literal['auto', 'always', 'never'] | None",
    section=MORE,
    field="",
)
QUIET = Option(
    "--quiet",
    help="Do not report what was done; show only warnings and errors.",
    type="bool",
    field="",
    section=MORE,
)

CONFIG = Option(
    "--config",
    metavar="FILE",
    env="SOPS_CONFIG",
    type="str | None",
    help="Use this file instead of looking for .sops.yaml.",
    section=MORE,
)


def key_options(prefix: str, help: str, *, field: str = "keys", variables: bool = False) -> list[Option]:
    """Return one option for each type of key: ``--age``, ``--add-age`` …

    ``{plural}`` in the help is what such keys are called.
    With ``variables``, the options have short names, and they are read from variables if they are not given.
    """
    from encconf.keys import in_config_order

    return [
        Option(
            f"--{prefix}{row.option}",
            *([row.short] if variables and row.short else ()),
            metavar=row.metavar,
            help=help.format(plural=row.plural),
            env=row.variable if variables else "",
            type="Keys",
            field=field,
            key=kind,
            utf8=row.option == "age",
            section="Keys",
        )
        for kind, row in in_config_order()
    ]
