"""sops's commands for the text of a file: decrypt, encrypt, edit, set, unset, exec-env, exec-file …

They have sops's flags, checks and exit codes.  They share what they can with encconf's verbs: parts of
`encconf.verbs`, and for encrypt, set and unset what those call in `encconf.engine`.
"""

from __future__ import annotations

from encconf import formats
from encconf.cli.console import word_as_text
from encconf.cli.sops_run import STDIN, Run, envelope, exists, exits, fail, must_exist
from encconf.errors import (
    ConfigError,
    EmitError,
    EmptyDocumentError,
    EncconfError,
    InputError,
    PathBlockedError,
    PathNotFoundError,
    PathSyntaxError,
    WrapError,
    about,
)
from encconf.io import fileio
from encconf.text.path import Path, parse_sops
from encconf.verbs import printing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from encconf.engine.opening import Opened


def decrypt(run: Run) -> None:
    """``sops decrypt [FILE]``."""
    file = _file_or_stdin(run)
    _decrypt(run, file, "" if file == STDIN else file)


def _file_or_stdin(run: Run) -> str:
    """Return the file of a command, or `STDIN` if the line names none."""
    stdin = not run.line.args
    if stdin and run.flags.in_place:
        fail(8, "Error: cannot use --in-place when reading from stdin")
    if stdin and run.line.command == "encrypt" and not run.flags.filename_override:
        fail(8, "Error: must specify --filename-override when reading from stdin")
    run.warn_of_more()
    run.not_both()
    if stdin:
        return STDIN
    must_exist(run.line.args[0])
    return run.line.args[0]


def _decrypt(run: Run, file: str, name: str) -> None:
    source, target = run.formats(run.flags.filename_override or name)
    run.check_order()
    path: Path
    try:
        path = parse_sops(run.flags.extract)
    except PathSyntaxError as error:
        fail(91, f"error parsing --extract path: {error.message}")
    if run.flags.in_place or run.flags.output:
        printing.refuse(run.console, "no plaintext is written to files")
    read = run.read(file, source)
    opened = printing.shown(run.console, run.open(read))
    try:
        indent = run.indent(target) if path or run.rewrite or run.config or source != target else None
        # sops rejects a negative indentation, so rewrite the text, which also rejects it.
        plain = _converted(run, opened, target, indent, rewrite=run.rewrite or (indent or 0) < 0, path=path)
    except PathNotFoundError as error:
        raise PathNotFoundError(f"error truncating tree: {error.message}", hint=error.hint) from None
    run.put(plain, read)


def _converted(
    run: Run, opened: Opened, target: str, indent: int | None, *, rewrite: bool, path: Path = ()
) -> str:
    from encconf.verbs.files import converted

    requested = bool(run.flags.output_type)
    try:
        return converted(
            opened,
            target,
            path=path,
            layout=False,
            indent=indent,
            rewrite=rewrite,
            requested=requested,
            whole=False,
        )
    except EmitError as error:
        error.message = f"Error dumping file: {error.message}"
        raise


def encrypt(run: Run) -> None:
    """``sops encrypt [FILE]``."""
    _encrypt(run, _file_or_stdin(run))


def _encrypt(run: Run, file: str) -> None:
    from encconf.engine import sealing
    from encconf.engine.sealing import plain_as, refuse_encrypted

    name = run.flags.filename_override or file
    source, target = run.formats(name)
    target = envelope(source, target)
    rule = run.rule(name, source)
    read = run.read(file, source)
    indent = run.indent(target)
    # sops does not treat a text of blanks and comments as empty.
    with about(file), exits(2, *([EmptyDocumentError] if read.text else [])):
        if run.flags.input_type != formats.ANY:
            refuse_encrypted(read.text, name, source)
        plain = plain_as(read.text, source, target, indent=indent, rewrite=run.rewrite)
        enc = sealing.encrypt(
            plain, rule, format=target, credentials=run.credentials(), notify=run.console.warn
        )
    run.put(enc, read)


def edit(run: Run) -> None:
    """``sops edit FILE``."""
    _edit(run, run.first())


def _edit(run: Run, file: str) -> None:
    from encconf.engine.checks import plaintext_check
    from encconf.engine.opening import refuse_to_change
    from encconf.verbs.edit import Draft, Session

    source, target = run.formats(run.flags.filename_override or file)
    path = fileio.resolve(file)
    run.console.environ = run.environ
    if exists(file):
        read = run.read(file, source)
        text: str | None = read.text
        opened = run.open(read)
        refuse_to_change(opened.document)
        draft = Draft.of(opened, unchecked=run.flags.ignore_mac)
        draft.admission = run.admission(file)
        if run.flags.show_master_keys:
            draft.show_block()
        draft.check = plaintext_check(file, run.config, allowed=True, warn=run.console.warn)
    else:
        text = None
        draft = Draft(formats.get(source).example, source, rule=run.rule(file, source))
    draft.target = envelope(source, target)
    try:
        Session(run.console, file, path, draft, text).run()
    except (ConfigError, WrapError) as error:
        if draft.opened is None:  # for a new file, sops creates the data key first
            error.exit_code = 128
        raise
    run.console.note("File written successfully")


def set_value(run: Run) -> None:
    """``sops set FILE INDEX VALUE``."""
    args = run.line.args
    from_file, from_stdin = run.flags.value_file, run.flags.value_stdin
    if from_file and from_stdin:
        fail(1, "Error: cannot use both --value-file and --value-stdin")
    needed, since = (2, " since --value-stdin is used") if from_stdin else (3, "")
    if len(args) != needed:
        no_file = "file specified" if from_stdin else "no file specified"
        fail(
            100,
            f"Error: {no_file}, or index and value are missing. "
            f"Need precisely {needed} positional arguments{since}.",
        )
    run.check_config()
    path = _index(word_as_text(args[1]), "Invalid set index format")
    if from_stdin:
        said = fileio.read_stdin()
    elif from_file:
        with exits(1, InputError):
            said = fileio.read_text(args[2])
    else:
        said = word_as_text(args[2])
    _set(run, args[0], path, said)


def _index(word: str, wrong: str) -> Path:
    try:
        return parse_sops(word)
    except PathSyntaxError:
        fail(7, wrong)


def _set(run: Run, file: str, path: Path, said: str) -> None:
    _change(run, file, run.flags.filename_override or file, path, _json_value(said))


def unset(run: Run) -> None:
    """``sops unset FILE INDEX``."""
    from encconf.engine.changes import REMOVED

    args = run.line.args
    if len(args) != 2:
        fail(100, "Error: no file specified, or index is missing")
    run.formats(args[0])
    _change(run, args[0], args[0], _index(args[1], "Invalid unset index format"), REMOVED)


def _change(run: Run, file: str, name: str, path: Path, value: Any) -> None:
    """Set or remove a value, with a lock against other changes of the file by encconf."""
    from encconf.engine import changes
    from encconf.engine.checks import edits_check
    from encconf.engine.opening import refuse_to_change
    from encconf.verbs import files

    idempotent = run.flags.idempotent

    def change() -> None:
        source, target = run.formats(name)
        read = run.read(file, source)
        opened = run.open(read)
        refuse_to_change(opened.document)
        saves = value is not changes.REMOVED
        check = edits_check(file, run.config, saves=saves, allowed=True, warn=run.console.warn)
        try:
            with about(file):
                enc = changes.change(
                    opened,
                    (path, value),
                    target=envelope(source, target),
                    idempotent=idempotent,
                    credentials=run.credentials(),
                    ignore_mac=run.flags.ignore_mac,
                    admission=run.admission(file),
                    check=check,
                    notify=run.console.warn,
                )
        except PathNotFoundError as error:
            if saves or not idempotent or isinstance(error, PathBlockedError):
                raise
            return
        if enc == read.text and idempotent:
            run.console.note("File not written due to no change")
            return
        run.put(enc, read, in_place=True)

    files.in_turn(fileio.resolve(file), change)


def filestatus(run: Run) -> None:
    """``sops filestatus FILE``."""
    from encconf.verbs.files import is_encrypted

    args = run.line.args
    if not args:
        fail(100, "Error: no file specified")
    source, _ = run.formats(args[0])
    try:
        encrypted = is_encrypted(run.read(args[0], source).text, source)
    except EncconfError as error:
        error.message = f"cannot check file status: cannot load encrypted file: {error.message}"
        error.exit_code = 1
        raise
    run.console.data(f'{{"encrypted":{str(encrypted).lower()}}}\n')


def exec_env(run: Run) -> None:
    """``sops exec-env FILE COMMAND``."""
    from encconf.verbs import execute

    file, command = _file_and_command(run)
    source, _ = run.formats(file)
    _warn_of_background(run)
    if run.flags.background and run.flags.same_process:
        fail(8, "Error: The --same-process flag cannot be used with --background")
    flags = run.flags
    options = execute.Shell(pristine=flags.pristine, user=flags.user, background=flags.background)
    execute.with_variables(options, run.console, run.open(run.read(file, source)), command)


def exec_file(run: Run) -> None:
    """``sops exec-file FILE COMMAND``."""
    from encconf.verbs import execute

    file, command = _file_and_command(run)
    source, target = run.formats(file)
    opened = run.open(run.read(file, source))
    plain = _converted(run, opened, target, run.indent(target), rewrite=run.rewrite)
    _warn_of_background(run)
    flags = run.flags
    options = execute.ShellOnFile(
        pristine=flags.pristine,
        user=flags.user,
        background=flags.background,
        no_fifo=flags.no_fifo,
        filename=flags.filename,
    )
    execute.on_file(options, run.console, plain, command)


def _file_and_command(run: Run) -> list[str]:
    if len(run.line.args) != 2:
        fail(1, "error: missing file to decrypt")
    return run.line.args


def _warn_of_background(run: Run) -> None:
    if run.flags.background:
        option = f"{run.line.command}'s --background option"
        run.console.warn(f"{option} is deprecated and will be removed in a future version of sops")


def without_command(run: Run) -> None:
    """``sops FILE``, which edits the file, or does what a flag such as ``-d`` says."""
    file = run.first()
    run.not_both()
    modes = _modes(run, file)
    mode = modes[-1] if modes else "edit"
    if modes != ["decrypt"]:
        run.check_config()
        _check_rule(run, run.flags.filename_override or file)
    run.check_order()
    if "encrypt" in modes and mode != "encrypt":
        name = run.flags.filename_override or file
        run.rule(name, run.formats(name)[0])
    if mode == "set":
        path, value = _set_words(run)
        _set(run, file, path, value)
    elif mode == "decrypt":
        _decrypt(run, file, file)
    elif mode == "encrypt":
        _encrypt(run, file)
    elif mode == "rotate":
        from encconf.cli.sops_keys import rotate_file

        rotate_file(run, file)
    else:
        _edit(run, file)


def _modes(run: Run, file: str) -> list[str]:
    """Return what the flags say to do with a file.  A file that does not exist can only be edited or set."""
    flags = run.flags
    given = {"encrypt": flags.encrypt, "decrypt": flags.decrypt, "rotate": flags.rotate, "set": flags.set}
    modes = [name for name, is_given in given.items() if is_given]
    if not exists(file):
        run.no_other_keys(file, "`--kms` and `--pgp`")
        if modes and modes != ["set"]:
            must_exist(file)
    if len(modes) > 1:
        run.console.warn(
            "More than one command (--encrypt, --decrypt, --rotate, --set) has been specified. Only the "
            "changes made by the last one will be visible. Note that this behavior is deprecated and will "
            "cause an error eventually."
        )
    return modes


def _check_rule(run: Run, name: str) -> None:
    """Raise an error if a config file exists and has no rule for the file, even if no rule is needed."""
    from contextlib import suppress

    from encconf.errors import NoConfigError
    from encconf.rules.config import find_rule

    with suppress(NoConfigError):
        find_rule(name, config=run.config)


def _set_words(run: Run) -> tuple[Path, str]:
    index, bracket, value = run.flags.set.partition("] ")
    if not bracket:
        fail(7, "Invalid --set format")
    return _index(f"{index}]", "Invalid --set format"), value


def _json_value(said: str) -> Any:
    from encconf.engine import changes

    try:
        value = changes.from_json(said, as_int=_number)
    except InputError:
        fail(7, "Value for --set is not valid JSON")
    if isinstance(value, list):
        fail(7, "Invalid --set value format")
    return value


def _number(word: str) -> int | float:
    """Parse a whole number.  If it does not fit Go's int64, it is a float, as in sops."""
    return int(word) if len(word) < 19 or -(2**63) <= float(word) < 2**63 else float(word)


COMMANDS = {
    "": without_command,
    "decrypt": decrypt,
    "encrypt": encrypt,
    "edit": edit,
    "set": set_value,
    "unset": unset,
    "filestatus": filestatus,
    "exec-env": exec_env,
    "exec-file": exec_file,
}
