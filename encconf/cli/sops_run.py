"""What each command of sops does, on encconf's own functions; see `encconf.cli.sops`.

Exit codes and the order of checks are those of sops 3.13.3 (cmd/sops/main.go and the files beside it).
"""

from __future__ import annotations

import os
import sys

from encconf.cli.sops import as_sops, is_empty_group
from encconf.errors import (
    ConfigError,
    EmptyDocumentError,
    EncconfError,
    InputError,
    KeyAccessError,
    MissingFileError,
    NotEncryptedError,
    WrapError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from encconf.cli.console import Console
    from encconf.cli.sops import Line, SopsConsole
    from encconf.engine.opening import Opened
    from encconf.engine.plan import Plan
    from encconf.errors import EmitError
    from encconf.identities.credentials import Credentials
    from encconf.keys import MasterKey
    from encconf.rules.config import Rule
    from encconf.text.path import Path
    from encconf.text.tree import Plain


def _fail(code: int, message: str) -> NoReturn:
    error = EncconfError(message)
    error.exit_code = code
    raise error


class Run:
    """One command line being carried out."""

    def __init__(self, console: SopsConsole, line: Line) -> None:
        self.console = console
        self.line = line
        self.environ = dict(console.environ)
        # The flag has the variable's value; a command without the flag does not look at the variable.
        self.environ["SOPS_DECRYPTION_ORDER"] = line.text("decryption-order")
        if "keyservice" in line.flags:
            self.environ["SOPS_KEYSERVICE"] = ",".join(line.texts("keyservice"))
            self.environ["SOPS_ENABLE_LOCAL_KEYSERVICE"] = str(line.on("enable-local-keyservice")).lower()
        if line.text("aws-profile"):
            self.environ["AWS_PROFILE"] = line.text("aws-profile")
        self.config = line.root.text("config") or None
        self._config_read = False
        self.anew = "indent" in line.root.given

    def run(self) -> None:
        """Do it.  Raises EncconfError, and SystemExit with a command's code."""
        name = self.line.command
        if name.startswith("completion "):
            from encconf.cli.sops_help import script

            self.console.data(script(name.partition(" ")[2]))
        elif name:
            getattr(self, "_cmd_" + name.replace(" ", "_").replace("-", "_"))()
        else:
            self.legacy()

    def check_config(self) -> None:
        """A config file that is named must be one, also where nothing of it is needed."""
        from encconf.io import fileio
        from encconf.rules import config as configs

        if self.config is None or self._config_read:
            return
        try:
            text = fileio.read_text(self.config)
        except InputError as error:
            _fail(1, f"could not read config file: {error}")
        configs.load(self.config, text)
        self._config_read = True

    def check_order(self) -> None:
        """The order of keys must make sense before anything else.  Raises DuplicateKeyTypeError."""
        if self.environ["SOPS_DECRYPTION_ORDER"]:
            self.credentials().key_order()

    # --- what commands share

    def credentials(self) -> Credentials:
        """What may be used to unlock, with what the flags say of it."""
        from encconf.identities.credentials import Credentials

        return Credentials.from_env(self.environ, notify=self.console.warn)

    def first(self) -> str:
        """The file that the line names; others are ignored with a warning."""
        args = self.line.args
        if not args:
            _fail(100, "Error: no file specified")
        self.warn_of_more()
        return args[0]

    def warn_of_more(self) -> None:
        """Say that arguments are ignored."""
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
        """Refuse two places for the output."""
        if self.line.on("in-place") and self.line.text("output"):
            _fail(8, "Error: cannot operate on both --output and --in-place")

    def formats(self, name: str) -> tuple[str, str]:
        """The formats of input and output; sops looks at the config file for them."""
        self.check_config()
        return (
            format_of(name, self.line.text("input-type")),
            format_of(name, self.line.text("output-type")),
        )

    def indent(self, format: str) -> int | None:
        """How far what is written anew is indented: --indent, else what ``stores`` says of the format."""
        if self.anew:
            return self.line.root.number("indent")
        from encconf.cli.convert import stores_indent

        return stores_indent(format, config=self.config)

    def read(self, file: str) -> str:
        """The text of a file; exit code 2 if it cannot be read."""
        from encconf.io import fileio

        self.check_order()
        try:
            binary = self.formats(self.line.text("filename-override") or file)[0] == "binary"
            if file in ("/dev/stdin", "-"):
                return fileio.read_stdin(binary=binary)
            return fileio.read_text(file, binary=binary)
        except MissingFileError:
            _fail(2, f"Error reading file: open {file}: no such file or directory")
        except InputError as error:
            raise error.about(file) from None

    def open(self, text: str, format: str, file: str) -> Opened:
        """An encrypted text opened; what is wrong with its syntax is exit code 1, as in sops."""
        from encconf.engine import opening

        if not text.strip() and format != "binary":
            raise NotEncryptedError
        try:
            opened = opening.open_text(
                text,
                format=format,
                credentials=self.credentials(),
                ignore_mac=self.line.on("ignore-mac"),
                notify=self.console.warn,
            )
        except InputError as error:
            error.exit_code = 1
            raise error.about(file) from None
        except EncconfError as error:
            raise error.about(file) from None
        self.console.note("Data key recovered successfully")
        return opened

    def put(self, text: str, file: str | None, source: str | None) -> None:
        """Write a result: over the file, to --output, or to stdout."""
        from encconf.io import fileio

        output = self.line.text("output")
        if file is not None and self.line.on("in-place"):
            path = fileio.resolve(file)
            fileio.write_atomic(path, text, replacing=source if source is not None else fileio.ANYTHING)
            self.console.note("File written successfully")
        elif output and output not in ("-", "/dev/stdout"):
            fileio.write_atomic(fileio.resolve(output), text)
        else:
            self.console.data(text)

    def over(self, text: str, file: str, source: str) -> None:
        """Write a result over its source."""
        from encconf.io import fileio

        fileio.write_atomic(fileio.resolve(file), text, replacing=source)
        self.console.note("File written successfully")

    def keys(self, prefix: str = "") -> list[MasterKey]:
        """The master keys that the flags name."""
        from encconf.cli.rule import KEY_OPTIONS, named_keys

        context = self.line.text("encryption-context")
        parsed = _context(context)
        if context and parsed is None:
            _fail(6, "Invalid KMS encryption context format")
        options: dict[str, bool | str | list[str] | None] = {
            prefix + name: self.line.texts((prefix + name).replace("_", "-")) for name in KEY_OPTIONS
        }
        return named_keys(options, prefix, context=parsed, aws_profile=self.line.text("aws-profile"))

    def rule(self, name: str, format: str) -> Rule:
        """The rule to encrypt a file by: of the flags and of .sops.yaml."""
        from encconf.errors import NoConfigError
        from encconf.rules import config as configs
        from encconf.rules.selection import DEFAULT, KINDS, Selection

        keys = self.keys()
        rule: Rule | None = None
        missing: NoConfigError | None = None
        notices: list[str] = []
        try:
            rule = configs.find_rule(name, config=self.config, notify=notices.append)
        except NoConfigError as error:
            missing = error
        except EncconfError as error:
            if is_empty_group(error):
                notices.clear()  # clients compare what sops says then, and it says nothing else
            raise
        finally:
            for notice in notices:
                self.console.warn(notice)
        selection = rule.selection if rule is not None else DEFAULT
        given = {kind: self.line.text(kind.replace("_", "-")) for kind in KINDS}
        kinds = [kind for kind in KINDS if given[kind]]
        from_rule = rule is not None and (selection.kind, selection.pattern) != (
            DEFAULT.kind,
            DEFAULT.pattern,
        )
        if format == "binary":
            for kind in dict.fromkeys([*kinds, *([selection.kind] if from_rule else [])]):
                what = kind.replace("_", " ")
                self.console.warn(
                    f"Using an {what} does not make sense with the input store (the binary store "
                    "produces one key "
                    "that should always be encrypted) and will be ignored."
                )
            selection = DEFAULT
        elif len(kinds) > 1 or (kinds and from_rule and kinds[0] != selection.kind):
            _fail(
                8,
                "Error: cannot use more than one of encrypted_suffix, unencrypted_suffix, encrypted_regex, "
                "unencrypted_regex, encrypted_comment_regex, or unencrypted_comment_regex in the same file",
            )
        elif kinds:
            selection = Selection(kinds[0], given[kinds[0]], selection.mac_only_encrypted)
        if missing is not None and not keys:
            raise missing
        if self.line.root.on("mac-only-encrypted") and format != "binary":
            selection = Selection(selection.kind, selection.pattern, True)
        groups = [keys] if keys else rule.groups if rule is not None else []
        threshold = self.line.number("shamir-secret-sharing-threshold") or (
            rule.threshold if rule is not None else None
        )
        return configs.Rule(groups, threshold if len(groups) > 1 else None, selection, "the command line")

    # --- commands

    def _cmd_decrypt(self) -> None:
        stdin = not self.line.args
        if stdin and self.line.on("in-place"):
            _fail(8, "Error: cannot use --in-place when reading from stdin")
        self.warn_of_more()
        self.not_both()
        file = "/dev/stdin" if stdin else self.line.args[0]
        if not stdin:
            _must_exist(file)
        self._decrypt(file, "" if stdin else file)

    def _decrypt(self, file: str, name: str) -> None:
        from encconf.cli.convert import converted
        from encconf.errors import EmitError, PathNotFoundError, PathSyntaxError
        from encconf.text.path import parse_sops

        source, target = self.formats(self.line.text("filename-override") or name)
        self.check_order()
        path: Path
        try:
            path = parse_sops(self.line.text("extract"))
        except PathSyntaxError as error:
            _fail(91, f"error parsing --extract path: {error.message}")
        text = self.read(file)
        opened = self.open(text, source, file)
        try:
            indent = self.indent(target) if path or self.anew or self.config or source != target else None
            plain = converted(
                opened,
                target,
                path=path,
                layout=False,
                indent=indent,
                anew=self.anew or _impossible(indent),
                requested=bool(self.line.text("output-type")),
            )
        except EmitError as error:
            raise _dumping(error) from None
        except PathNotFoundError as error:
            raise PathNotFoundError(f"error truncating tree: {error.message}", hint=error.hint) from None
        self.put(plain, file, text)

    def _cmd_encrypt(self) -> None:
        stdin = not self.line.args
        if stdin:
            if self.line.on("in-place"):
                _fail(8, "Error: cannot use --in-place when reading from stdin")
            if not self.line.text("filename-override"):
                _fail(8, "Error: must specify --filename-override when reading from stdin")
        self.warn_of_more()
        self.not_both()
        file = "/dev/stdin" if stdin else self.line.args[0]
        if not stdin:
            _must_exist(file)
        self._encrypt(file)

    def _encrypt(self, file: str) -> None:
        from encconf import api
        from encconf.cli.convert import plain_as
        from encconf.cli.files import refuse_twice

        name = self.line.text("filename-override") or file
        source, target = self.formats(name)
        target = _envelope(source, target)
        rule = self.rule(name, source)
        text = self.read(file)
        try:
            if self.line.text("input-type") != "binary":
                refuse_twice(text, name, source)
            plain = plain_as(text, source, target, indent=self.indent(target), anew=self.anew)
            enc = api.encrypt(
                plain, rule, format=target, credentials=self.credentials(), notify=self.console.warn
            )
        except EncconfError as error:
            if isinstance(error, EmptyDocumentError) and text:
                error.exit_code = 2  # a text of blanks and comments is not empty to sops's reader
            raise error.about(file) from None
        self.put(enc, file, text)

    def _cmd_rotate(self) -> None:
        file = self.first()
        self.not_both()
        if not _exists(file):
            self._no_keys_without_a_file(file, "the `edit` subcommand")
        self._rotate(file)

    def _no_keys_without_a_file(self, file: str, instead: str) -> None:
        if any(value for name, value in self.line.flags.items() if name.startswith(("add-", "rm-"))):
            _fail(
                49,
                f'Error: cannot add or remove keys on non-existent file "{os.path.abspath(file)}", '
                f"use {instead} instead.",
            )

    def _rotate(self, file: str) -> None:
        from encconf.cli.convert import converted
        from encconf.engine import rekey
        from encconf.engine.admission import rule_of

        source, target = self.formats(self.line.text("filename-override") or file)
        target = _envelope(source, target)
        add, remove = self.keys("add_"), self.keys("rm_")
        text = self.read(file)
        credentials = self.credentials()
        credentials.audit("rotate", text)
        opened = self.open(text, source, file)
        try:
            rule = rekey.with_keys(rule_of(opened.metadata), add, remove, notify=self.console.warn)
            self._warn_of_strangers(file, rule, add)
            enc = self._again(opened, converted(opened, target), rule, target, new=True)
        except EncconfError as error:
            raise error.about(file) from None
        self.put(enc, file, text)

    def _warn_of_strangers(self, file: str, wanted: Rule, named: list[MasterKey]) -> None:
        """Say who gets the new data key because the file alone names them: sops wraps it for anyone."""
        from encconf.cli.files import known_rule
        from encconf.engine.admission import Objections, in_full

        rule = known_rule(self.console, file, self.config)
        strangers = Objections(wanted, [rule]).strangers if rule is not None else []
        names = [in_full(key) for key in strangers if key not in named]
        if names:
            self.console.warn(
                f"{file} is encrypted for keys that .sops.yaml does not name: {', '.join(names)}"
            )

    def _again(self, opened: Opened, plain: str, rule: Rule | None, format: str, *, new: bool = False) -> str:
        """The opened file's encrypted text with another plain text, data key or format."""
        from encconf import api
        from encconf.engine.admission import rule_to_wrap

        same = format == opened.document.format
        new = new or not same or self.line.on("ignore-mac")
        return api.encrypt(
            plain,
            rule or rule_to_wrap(opened.metadata, new_data_key=new),
            format=format,
            twin=opened if same else None,
            new_data_key=new and same,
            credentials=self.credentials(),
            notify=self.console.warn,
        )

    def _cmd_edit(self) -> None:
        self._edit(self.first())

    def _edit(self, file: str) -> None:
        from encconf.cli import edit as editing
        from encconf.io import fileio

        source, target = self.formats(self.line.text("filename-override") or file)
        path = fileio.resolve(file)
        self.console.environ = self.environ
        if _exists(file):
            text = self.read(file)
            opened = self.open(text, source, file)
            session = editing.Session.of(self.console, file, path, opened)
            if self.line.on("ignore-mac"):
                from encconf.engine.admission import rule_of

                session.rule = rule_of(opened.metadata)
            if self.line.on("show-master-keys"):
                session.show_block()
            session.check = _warn_of_clear(self.console, file, opened, self.config)
        else:
            rule = self.rule(file, source)
            session = editing.Session(self.console, file, path, source, editing.example(source), rule=rule)
        session.written = _envelope(source, target)
        try:
            session.run()
        except (ConfigError, WrapError) as error:
            if session.old is None:  # of a new file sops makes the data key before anything else
                error.exit_code = 128
            raise
        self.console.note("File written successfully")

    def _cmd_set(self) -> None:
        from encconf.cli import as_text
        from encconf.errors import PathSyntaxError
        from encconf.io import fileio
        from encconf.text.path import parse_sops

        args = self.line.args
        if self.line.on("value-file") and self.line.on("value-stdin"):
            _fail(1, "Error: cannot use both --value-file and --value-stdin")
        if self.line.on("value-stdin"):
            if len(args) != 2:
                _fail(
                    100,
                    "Error: file specified, or index and value are missing. Need precisely 2 positional "
                    "arguments "
                    "since --value-stdin is used.",
                )
        elif len(args) != 3:
            _fail(
                100,
                "Error: no file specified, or index and value are missing. Need precisely 3 positional "
                "arguments.",
            )
        self.check_config()
        try:
            path = parse_sops(as_text(args[1]))
        except PathSyntaxError:
            _fail(7, "Invalid set index format")
        if self.line.on("value-stdin"):
            said = fileio.read_stdin()
        elif self.line.on("value-file"):
            try:
                said = fileio.read_text(args[2])
            except InputError as error:
                error.exit_code = 1
                raise
        else:
            said = as_text(args[2])
        self._set(args[0], path, said)

    def _set(self, file: str, path: Path, said: str) -> None:
        from encconf.cli.files import in_turn
        from encconf.io import fileio

        value = _json_value(said)
        in_turn(fileio.resolve(file), lambda: self._set_once(file, path, value))

    def _set_once(self, file: str, path: Path, value: Plain) -> None:
        from encconf.cli.convert import plain_as
        from encconf.verbs import changes

        source, target = self.formats(self.line.text("filename-override") or file)
        target = _envelope(source, target)
        text = self.read(file)
        opened = self.open(text, source, file)
        before = _plain(opened)
        try:
            after = changes.put(before, path, value, format=source)
            if after == before and self.line.on("idempotent"):
                self.console.note("File not written due to no change")
                return
            _warn_of_clear(self.console, file, opened, self.config)(before, after)
            enc = self._again(opened, plain_as(after, source, target), None, target)
        except EncconfError as error:
            raise error.about(file) from None
        self.over(enc, file, text)

    def _cmd_unset(self) -> None:
        from encconf.cli.files import in_turn
        from encconf.errors import PathSyntaxError
        from encconf.io import fileio
        from encconf.text.path import parse_sops

        args = self.line.args
        if len(args) != 2:
            _fail(100, "Error: no file specified, or index is missing")
        file = args[0]
        self.formats(file)
        try:
            path = parse_sops(args[1])
        except PathSyntaxError:
            _fail(7, "Invalid unset index format")
        in_turn(fileio.resolve(file), lambda: self._unset_once(file, path))

    def _unset_once(self, file: str, path: Path) -> None:
        from encconf.cli.convert import plain_as
        from encconf.errors import PathBlockedError, PathNotFoundError
        from encconf.verbs import changes

        source, target = self.formats(file)
        target = _envelope(source, target)
        text = self.read(file)
        opened = self.open(text, source, file)
        try:
            after = changes.drop(_plain(opened), path, format=source)
            enc = self._again(opened, plain_as(after, source, target), None, target)
        except PathNotFoundError as error:
            if self.line.on("idempotent") and not isinstance(error, PathBlockedError):
                return
            raise error.about(file) from None
        except EncconfError as error:
            raise error.about(file) from None
        self.over(enc, file, text)

    def _cmd_updatekeys(self) -> None:
        from encconf.rules.config import find_config

        config = self.config or find_config(None, os.getcwd(), notify=self.console.warn)
        if config is None:
            _fail(1, "config file not found")
        if not self.line.args:
            _fail(100, "Error: no file specified")
        failed = 0
        for file in self.line.args:
            try:
                self._update(file, config)
            except EncconfError as error:
                if len(self.line.args) == 1:
                    raise error.about(file) from None
                failed += 1
                self.console.error(as_sops(error.about(file)))
        if failed:
            _fail(1, f"failed updating {failed} key(s)")

    def _update(self, file: str, config: str) -> None:
        from encconf.cli import plan_text
        from encconf.engine import rekey
        from encconf.io import fileio
        from encconf.rules.config import find_rule

        path = os.path.abspath(file)
        if not os.path.exists(path):
            _fail(1, f"stat {path}: no such file or directory")
        if os.path.isdir(path):
            _fail(1, "can't operate on a directory")
        source, _ = self.formats(path)
        self.tell(f"Syncing keys for file {path}")
        text = fileio.read_text(path)
        if not text.strip():
            raise NotEncryptedError
        rule = find_rule(path, config=config, notify=self.console.warn)
        try:
            from encconf.cli import files

            held = files.metadata(text, source).threshold or 0
            threshold = min(held, len(rule.groups)) or None
            wanted = rekey.plan(text, rule.groups, threshold, format=source)
        except InputError as error:
            error.exit_code = 1
            raise
        if not wanted.changes:
            self.tell(f"File {path} already up to date")
            return
        self.console.data("The following changes will be made to the file's groups:\n")
        # of a threshold that is filled in when the file is written, sops says nothing
        lines = plan_text.of_threshold(held, threshold or 0)
        lines += plan_text.of_groups(wanted)
        self.console.data("".join(f"{line}\n" for line in lines))
        while not self.line.on("yes"):
            self.console.data("Is this okay? (y/n):")
            answer = sys.stdin.readline()
            if not answer:
                _fail(1, "unexpected newline" if answer else "EOF")
            if answer.strip() == "n":
                self.tell(f"File {path} left unchanged")
                return
            if answer.strip() == "y":
                break
        enc = rekey.carry_out(wanted, rotate=False, credentials=self.credentials(), notify=self.console.warn)
        fileio.write_atomic(fileio.resolve(path), enc, replacing=text)
        self.tell(f"File {path} synced with new keys")
        if wanted.removes:
            self.console.warn(
                "a key was taken out, and the data key is still the one that it could open",
                hint=f"sops rotate -i {file}",
            )

    def tell(self, text: str) -> None:
        """Say on stderr what sops's log says there."""
        self.console._write(text + "\n")

    def _cmd_groups_add(self) -> None:
        from encconf.engine import rekey

        if self.line.args:
            _fail(1, "error: no positional arguments allowed")
        file = self.line.text("file")
        source, _ = self.formats(file)
        text = self.read(file)
        threshold = self.line.number("shamir-secret-sharing-threshold") or None
        self._regroup(file, text, lambda: rekey.plan_group(text, self.keys(), threshold, format=source))

    def _cmd_groups_delete(self) -> None:
        from encconf.engine import rekey

        args = self.line.args
        if len(args) != 1:
            _fail(1, "error: exactly one positional argument (index) required")
        if not args[0].isdecimal() or len(args[0]) > 9:
            _fail(1, "failed to parse [index] argument: it is no number")
        file = self.line.text("file")
        source, _ = self.formats(file)
        text = self.read(file)
        threshold = self.line.number("shamir-secret-sharing-threshold") or None
        self._regroup(
            file, text, lambda: rekey.plan_without_group(text, int(args[0]), threshold, format=source)
        )

    def _regroup(self, file: str, text: str, plan: Callable[[], Plan]) -> None:
        from encconf.engine import rekey

        try:
            enc = rekey.carry_out(
                plan(), rotate=False, credentials=self.credentials(), notify=self.console.warn
            )
        except EncconfError as error:
            if isinstance(error, (InputError, KeyAccessError)):
                error.exit_code = 1
            raise error.about(file) from None
        self.put(enc, file, text)

    def _cmd_filestatus(self) -> None:
        from encconf.cli.status import is_encrypted

        args = self.line.args
        if not args:
            _fail(100, "Error: no file specified")
        source, _ = self.formats(args[0])
        try:
            encrypted = is_encrypted(self.read(args[0]), source)
        except EncconfError as error:
            error.message = f"cannot check file status: cannot load encrypted file: {error.message}"
            error.exit_code = 1
            raise
        self.console.data(f'{{"encrypted":{str(encrypted).lower()}}}\n')

    def _cmd_exec_env(self) -> None:
        from encconf.cli import execute

        if len(self.line.args) != 2:
            _fail(1, "error: missing file to decrypt")
        if self.line.on("background"):
            self.console.warn(
                "exec-env's --background option is deprecated and will be removed in a future version of sops"
            )
            if self.line.on("same-process"):
                _fail(8, "Error: The --same-process flag cannot be used with --background")
        file, command = self.line.args
        source, _ = self.formats(file)
        opened = self.open(self.read(file), source, file)
        execute.shell_with(
            self.console,
            opened,
            command,
            pristine=self.line.on("pristine"),
            user=self.line.text("user") or None,
            background=self.line.on("background"),
        )

    def _cmd_exec_file(self) -> None:
        from encconf.cli import execute
        from encconf.cli.convert import converted
        from encconf.errors import EmitError

        if len(self.line.args) != 2:
            _fail(1, "error: missing file to decrypt")
        file, command = self.line.args
        source, target = self.formats(file)
        opened = self.open(self.read(file), source, file)
        if self.line.on("background"):
            self.console.warn(
                "exec-file's --background option is deprecated and will be removed in a future version "
                "of sops"
            )
        try:
            plain = converted(
                opened,
                target,
                layout=False,
                indent=self.indent(target),
                anew=self.anew,
                requested=bool(self.line.text("output-type")),
            )
        except EmitError as error:
            raise _dumping(error) from None
        execute.run_on(
            self.console,
            plain,
            command,
            fifo=not self.line.on("no-fifo"),
            filename=self.line.text("filename") or None,
            user=self.line.text("user") or None,
            background=self.line.on("background"),
        )

    def _cmd_keyservice(self) -> None:
        from encconf.cli.keyservice import keyservice

        keyservice(
            self.console,
            network=self.line.text("network") or None,
            address=self.line.text("address") or None,
            prompt=self.line.on("prompt"),
            verbose=self.console.verbose,
            insecure_remote=False,
        )

    def _cmd_publish(self) -> None:
        from encconf.cli.publish import publish_as_sops

        publish_as_sops(self)

    # --- the root

    def legacy(self) -> None:
        """``sops -d file`` and the like; without such a flag, edit."""
        line = self.line
        modes = [name for name in ("encrypt", "decrypt", "rotate") if line.on(name)]
        if line.text("set"):
            modes.append("set")
        file = self.first()
        self.not_both()
        if not _exists(file):
            self._no_keys_without_a_file(file, "`--kms` and `--pgp`")
            if modes and modes != ["set"]:
                _must_exist(file)
        if len(modes) > 1:
            self.console.warn(
                "More than one command (--encrypt, --decrypt, --rotate, --set) has been specified. Only "
                "the changes "
                "made by the last one will be visible. Note that this behavior is deprecated and will "
                "cause an error "
                "eventually."
            )
        mode = modes[-1] if modes else "edit"
        if modes != ["decrypt"]:
            self.check_config()
            self._check_rule(self.line.text("filename-override") or file)
        self.check_order()
        if "encrypt" in modes and mode != "encrypt":
            name = self.line.text("filename-override") or file
            self.rule(name, self.formats(name)[0])
        if mode == "set":
            path, value = self._set_words()
            self._set(file, path, value)
        elif mode == "decrypt":
            self._decrypt(file, file)
        else:
            getattr(self, f"_{mode}")(file)

    def _check_rule(self, name: str) -> None:
        """A config file that is there must have a rule for the file, though it is not needed."""
        from encconf.errors import NoConfigError
        from encconf.rules.config import find_rule

        try:
            find_rule(name, config=self.config)
        except NoConfigError:
            return

    def _set_words(self) -> tuple[Path, str]:
        from encconf.errors import PathSyntaxError
        from encconf.text.path import parse_sops

        index, bracket, value = self.line.text("set").partition("] ")
        try:
            if not bracket:
                raise PathSyntaxError("no value")
            path = parse_sops(f"{index}]")
        except PathSyntaxError:
            _fail(7, "Invalid --set format")
        return path, value


def format_of(path: str, type: str) -> str:
    """The format as sops tells it: what ``type`` says if it is one, else what the name's end says."""
    from encconf import formats

    row = formats.ROWS.get(type)
    return type if row is not None and row.sops else formats.of_path_as_sops(path)


def _envelope(source: str, target: str) -> str:
    """The format of an encrypted file: sops's binary one is JSON, whatever the values are."""
    return "json" if target == "binary" and source != "binary" else target


def _impossible(indent: int | None) -> bool:
    """Whether sops refuses it, also where encconf would not write anything anew."""
    return indent is not None and indent < 0


def _exists(file: str) -> bool:
    return os.path.exists(os.path.abspath(file))  # "" is the current folder, and is no file to read later


def _must_exist(file: str) -> None:
    if not _exists(file):
        _fail(100, f'Error: cannot operate on non-existent file "{os.path.abspath(file)}"')


def _plain(opened: Opened) -> str:
    from encconf.engine import plaintext

    return plaintext.text_to_change(opened)


def _dumping(error: EmitError) -> EmitError:
    error.message = f"Error dumping file: {error.message}"
    return error


def _json_value(said: str) -> Plain:
    from json import loads

    def refuse(word: str) -> NoReturn:
        raise ValueError(word)

    try:
        value: Plain = loads(said, parse_constant=refuse, parse_float=_finite, parse_int=_number)
    except (ValueError, RecursionError):
        _fail(7, "Value for --set is not valid JSON")
    if isinstance(value, list):
        _fail(7, "Invalid --set value format")
    return value


def _number(word: str) -> int | float:
    """A whole number; one that Go's int64 does not hold is a float, as in sops."""
    return int(word) if len(word) < 19 or -(2**63) <= _finite(word) < 2**63 else _finite(word)


def _finite(word: str) -> float:
    number = float(word)
    if number - number != 0:
        raise ValueError(word)
    return number


def _context(text: str) -> dict[str, str] | None:
    """An AWS encryption context, ``k:v,k:v``; None for another text."""
    parsed = {}
    for pair in text.split(","):
        name, colon, value = pair.partition(":")
        if not colon or ":" in value:
            return None
        parsed[name] = value
    return parsed


def _warn_of_clear(
    console: Console, file: str, opened: Opened, config: str | None
) -> Callable[[str, str], None]:
    from encconf.cli import files

    return files.refuse_clear(
        console, file, opened.document.format, opened.metadata.selection, config, allowed=True
    )
