"""What the commands of sops share: files, formats, keys, rules and output, as in sops 3.13.3.

The exit codes and the order of checks are those of cmd/sops/*.go.
"""

from __future__ import annotations

import os

from encconf import formats
from encconf.errors import (
    EmptyGroupError,
    EncconfError,
    InputError,
    MissingFileError,
    NotEncryptedError,
    about,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

    from encconf.cli.console import Console
    from encconf.cli.sops_line import Line
    from encconf.engine.admission import Admission
    from encconf.engine.opening import Opened
    from encconf.identities.credentials import Credentials
    from encconf.keys import MasterKey
    from encconf.rules.config import Rule
    from encconf.verbs.files import Input
    from encconf.verbs.rule import Keys, Selecting


STDIN = "/dev/stdin"


def fail(code: int, message: str) -> NoReturn:
    """Raise an error with a message and an exit code of sops."""
    error = EncconfError(message)
    error.exit_code = code
    raise error


class exits:  # noqa: N801 - it reads as a verb
    """``with exits(1, InputError):`` gives errors of these kinds an exit code of sops."""

    def __init__(self, code: int, *kinds: type[EncconfError]) -> None:
        self._code = code
        self._kinds = kinds

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, self._kinds):
            error.exit_code = self._code


class Run:
    """One run of a command of sops."""

    def __init__(self, console: Console, line: Line) -> None:
        self.console = console
        self.line = line
        self.flags = line.flags
        self.root = line.root.flags
        self.environ = dict(console.environ)
        # The variable is the default of the flag.  A command without the flag ignores the variable.
        self.environ["SOPS_DECRYPTION_ORDER"] = line.flags.decryption_order
        if line.accepts("keyservice"):
            self.environ["SOPS_KEYSERVICE"] = ",".join(line.flags.keyservice)
            self.environ["SOPS_ENABLE_LOCAL_KEYSERVICE"] = str(line.flags.enable_local_keyservice).lower()
        if line.flags.aws_profile:
            self.environ["AWS_PROFILE"] = line.flags.aws_profile
        self.config = line.root.flags.config or None
        self.rewrite = "indent" in line.root.given

    def check_config(self) -> None:
        """Check the config file that --config names, even if the command does not need it."""
        if self.config is not None:
            from encconf.rules.config import load

            try:
                load(self.config)
            except InputError as error:
                fail(1, f"could not read config file: {error}")

    def check_order(self) -> None:
        """Check the order of key types first, as sops does.  Raises DuplicateKeyTypeError."""
        if self.environ["SOPS_DECRYPTION_ORDER"]:
            self.credentials().key_order()

    # --- what commands share

    def credentials(self) -> Credentials:
        """Return the credentials to open files with, according to the flags."""
        from encconf.identities.credentials import Credentials

        return Credentials.from_env(self.environ, notify=self.console.warn)

    def first(self) -> str:
        """Return the first argument, which is the file.  Warns that others are ignored."""
        args = self.line.args
        if not args:
            fail(100, "Error: no file specified")
        self.warn_of_more()
        return args[0]

    def warn_of_more(self) -> None:
        """Warn if there are more arguments, which are ignored."""
        args = self.line.args
        if len(args) > 1:
            self.console.warn("More than one positional argument provided. Only the first one will be used!")
            flags = [word for word in args[1:] if word[:1] == "-"]
            if flags:
                self.console.warn(
                    f'Note that one of the ignored positional argument is "{flags[-1]}", which looks like a '
                    "flag. Flags must always be provided before the first positional argument!"
                )

    def not_both(self) -> None:
        """Raise an error for --output together with --in-place."""
        if self.flags.in_place and self.flags.output:
            fail(8, "Error: cannot operate on both --output and --in-place")

    def no_other_keys(self, file: str, instead: str) -> None:
        """Raise an error for flags that add or remove keys, because the file does not exist."""
        if any((*self.flags.add.values(), *self.flags.remove.values())):
            fail(
                49,
                f'Error: cannot add or remove keys on non-existent file "{os.path.abspath(file)}", '
                f"use {instead} instead.",
            )

    def formats(self, name: str) -> tuple[str, str]:
        """Return the formats of input and output.  Checks the config file, because sops reads it for them."""
        self.check_config()
        return format_as_sops(name, self.flags.input_type), format_as_sops(name, self.flags.output_type)

    def indent(self, format: str) -> int | None:
        """Return the indentation for rewritten text: --indent, or else ``stores`` of the config file."""
        if self.rewrite:
            return self.root.indent
        from encconf.verbs.files import stores_indent

        return stores_indent(format, config=self.config)

    def read(self, file: str, format: str) -> Input:
        """Read a file or stdin in a format.  Raises an error with exit code 2 if the file does not exist."""
        from encconf.io import fileio
        from encconf.verbs.files import Input

        self.check_order()
        binary = formats.get(format).single_value
        try:
            with about(file):
                stdin = file == STDIN
                text = fileio.read_stdin(binary=binary) if stdin else fileio.read_text(file, binary=binary)
        except MissingFileError:
            fail(2, f"Error reading file: open {file}: no such file or directory")
        # --input-type is in ``format``: words that sops does not know mean binary there.
        return Input(file, file, fileio.resolve(file), text, format)

    def open(self, source: Input) -> Opened:
        """Open an encrypted file.  A syntax error has exit code 1, as in sops."""
        if not source.text.strip() and not formats.get(source.format).single_value:
            raise NotEncryptedError
        with exits(1, InputError):
            opened = source.open(self.credentials(), self.console.warn, ignore_mac=self.flags.ignore_mac)
        self.console.note("Data key recovered successfully")
        return opened

    def put(self, text: str, source: Input, *, in_place: bool = False) -> None:
        """Write a result to its source (with --in-place or ``in_place``), to --output, or to stdout."""
        from encconf.verbs.files import write

        in_place = in_place or self.flags.in_place
        write(self.console, text, source if in_place else None, self.flags.output or None)
        if in_place:
            self.console.note("File written successfully")

    def keys(self, named: Keys) -> list[MasterKey]:
        """Return the master keys that flags name."""
        from encconf.verbs.rule import named_keys

        context = _context(self.flags.encryption_context)
        profile = self.flags.aws_profile
        return named_keys(named, context=context, aws_profile=profile)

    def _selecting(self) -> Selecting:
        from encconf.verbs.rule import Selecting

        flags = self.flags
        return Selecting(
            encrypted_regex=flags.encrypted_regex,
            unencrypted_regex=flags.unencrypted_regex,
            encrypted_suffix=flags.encrypted_suffix,
            unencrypted_suffix=flags.unencrypted_suffix,
            encrypted_comment_regex=flags.encrypted_comment_regex,
            unencrypted_comment_regex=flags.unencrypted_comment_regex,
        )

    def admission(self, file: str, *, named: Sequence[MasterKey] = ()) -> Admission:
        """Return who may get the data key of a file: unlike in sops, no one whom only the file names."""
        from encconf.verbs.rule import admission_to

        return admission_to(file, self.config, named=named)

    def rule(self, name: str, format: str) -> Rule:
        """Return the rule to encrypt a file by, from the flags and from .sops.yaml."""
        from encconf.errors import NoConfigError
        from encconf.rules import config as configs
        from encconf.rules.selection import DEFAULT, Selection

        keys = self.keys(self.flags.keys)
        rule, missing = configs.Rule([], None, DEFAULT, "the command line"), None
        notices: list[str] = []
        try:
            rule = configs.find_rule(name, config=self.config, notify=notices.append)
        except NoConfigError as error:
            missing = error
        except EmptyGroupError:
            notices.clear()  # some programs compare the whole output, and sops prints no warning here
            raise
        finally:
            for notice in notices:
                self.console.warn(notice)
        selection = rule.selection
        given = self._selecting().selections
        kinds = list(given)
        from_rule = (selection.kind, selection.pattern) != (DEFAULT.kind, DEFAULT.pattern)
        if formats.get(format).single_value:
            for kind in dict.fromkeys([*kinds, *([selection.kind] if from_rule else [])]):
                what = kind.replace("_", " ")
                self.console.warn(
                    f"Using an {what} does not make sense with the input store (the binary store "
                    "produces one key that should always be encrypted) and will be ignored."
                )
            selection = DEFAULT
        elif len(kinds) > 1 or (kinds and from_rule and kinds[0] != selection.kind):
            fail(
                8,
                "Error: cannot use more than one of encrypted_suffix, unencrypted_suffix, encrypted_regex, "
                "unencrypted_regex, encrypted_comment_regex, or unencrypted_comment_regex in the same file",
            )
        elif kinds:
            selection = Selection(kinds[0], given[kinds[0]], selection.mac_only_encrypted)
        if missing is not None and not keys:
            raise missing
        if self.root.mac_only_encrypted and not formats.get(format).single_value:
            selection = Selection(selection.kind, selection.pattern, True)
        groups = [keys] if keys else rule.groups
        threshold = self.flags.shamir_secret_sharing_threshold or rule.threshold
        return rule.replace(
            groups=groups,
            threshold=threshold if len(groups) > 1 else None,
            selection=selection,
            name="the command line",
        )


def format_as_sops(path: str, type: str) -> str:
    """Return the format as sops finds it: ``type`` if it is a format of sops, or else by the file name."""
    return type if type in formats.ROWS and formats.get(type).sops else formats.of_path_as_sops(path)


def envelope(source: str, target: str) -> str:
    """Return the format of the encrypted file: ``target``, or JSON if only the target is binary."""
    return target if formats.get(source).single_value else formats.get(target).envelope or target


def exists(file: str) -> bool:
    """Whether a file exists according to sops, for which "" is the current folder."""
    return os.path.exists(os.path.abspath(file))  # reading "" fails later


def must_exist(file: str) -> None:
    """Raise an error with sops's exit code if the file does not exist."""
    if not exists(file):
        fail(100, f'Error: cannot operate on non-existent file "{os.path.abspath(file)}"')


def _context(text: str) -> dict[str, str] | None:
    """Parse an AWS encryption context, ``k:v,k:v``.  Returns None for an empty text."""
    parsed = {}
    for pair in text.split(",") if text else ():
        name, colon, value = pair.partition(":")
        if not colon or ":" in value:
            fail(6, "Invalid KMS encryption context format")
        parsed[name] = value
    return parsed or None
