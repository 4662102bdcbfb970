"""What several commands do with the FILE they get: read it, tell its format, watch over plain texts."""

from __future__ import annotations

import os

from encconf.errors import (
    ChangedError,
    ConflictError,
    InputError,
    MissingFileError,
    OutputError,
    UsageError,
    about,
)
from encconf.io import fileio, locks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import TypeVar

    T = TypeVar("T")

    from encconf.cli.console import Console
    from encconf.cli.table import Value
    from encconf.engine.metadata import Metadata
    from encconf.engine.opening import Opened
    from encconf.identities.credentials import Credentials

STDIN = ("-", "/dev/stdin")
STDIN_NAME = "stdin"
STDOUT = ("-", "/dev/stdout")


class Source:
    """The text to work on: ``path`` is the file with links followed, None for stdin.

    ``label`` is what to call it in messages; ``name`` tells its rule.  ``found`` is the format of a SOPS
    file, None for a text that is none (`encconf.formats.sniff`).
    """

    __slots__ = ("found", "label", "name", "path", "text")

    def __init__(self, label: str, name: str, path: str | None, text: str, found: str | None) -> None:
        self.label = label
        self.name = name
        self.path = path
        self.text = text
        self.found = found

    def format(self, input_type: str | None) -> str:
        """The format: ``input_type``, else what the content says, else the name.

        Raises UsageError, also for stdin without a name: nothing says that it is not binary.
        """
        if input_type is None and self.found is not None:
            return self.found
        return format_by_name(self.name, input_type)


def read(
    file: str | None,
    *,
    in_place: bool = False,
    output: str | None = None,
    override: str | None = None,
    plain: bool = False,
    input_type: str | None = None,
) -> Source:
    """Read FILE, or stdin where none is named and somebody feeds it.

    A ``plain`` one of format binary (by ``input_type``, else by content and name) may hold any bytes.

    Raises ConflictError for ``in_place`` with an output or stdin; MissingFileError when nothing
    is there to read.
    """
    if in_place and output is not None:
        raise ConflictError("--in-place and --output exclude each other")
    if file is None or file in STDIN:
        if in_place:
            raise ConflictError("--in-place needs a file, not stdin")
        if file is None:
            from encconf.cli.console import is_terminal

            if is_terminal(0):
                raise MissingFileError("no file was given", hint="give a file, or - for stdin")
        data = fileio.stdin_bytes()
        found, binary = _kind(data, override or STDIN_NAME, plain, input_type)
        try:
            return Source("stdin", override or STDIN_NAME, None, fileio.decode(data, binary=binary), found)
        except InputError as error:
            raise error.about("stdin") from None
    path = fileio.resolve(file)
    try:
        data = fileio.read_bytes(path)
        found, binary = _kind(data, override or file, plain, input_type)
        return Source(file, override or file, path, fileio.text_of(path, data, binary=binary), found)
    except InputError as error:
        error.file = file
        raise


def are_many(words: Sequence[str], options: Mapping[str, Value]) -> bool:
    """Whether a command that usually takes one file is called for several, by a pattern or a folder too."""
    return (
        options.get("recursive") is True
        or len(words) > 1
        or any(os.path.isdir(word) for word in words)
        or any(any(sign in word for sign in "*?[") and not os.path.lexists(word) for word in words)
    )


def refuse_for_many(paths: Sequence[str], options: Mapping[str, Value], names: Sequence[str]) -> None:
    """Raise UsageError for stdin among several files, and for options that are for one file."""
    for name in names:
        if options.get(name) is not None:
            raise UsageError(f"--{name.replace('_', '-')} is for one file")
    if any(path in STDIN for path in paths):
        raise UsageError("stdin cannot be one of several files, or part of a dry run")


def read_all(names: Iterable[str]) -> list[Source]:
    """Read encrypted files, each as `read`."""
    return list(map(read, names))


def open_file(console: Console, file: str, input_type: str | None) -> tuple[Source, Opened]:
    """Read an encrypted file and open it; raises as `read` and `encconf.engine.opening.open_text`."""
    from encconf.engine import opening

    source = read(file)
    format = source.format(input_type)
    with about(source.label):
        return source, opening.open_text(
            source.text, format=format, credentials=credentials(console), notify=console.warn
        )


def _kind(data: bytes, name: str, plain: bool, input_type: str | None) -> tuple[str | None, bool]:
    """The format of a SOPS file, and whether the bytes are a plain text that may be any bytes."""
    from encconf import formats
    from encconf.formats import sniff

    found = sniff.find(data, name)
    format = input_type or found or ("" if name == STDIN_NAME else formats.of_path(name))
    return found, plain and format == "binary"


def format_by_name(name: str, type: str | None) -> str:
    """The format of what is to be written: ``type``, else what the name says.  Raises UsageError."""
    from encconf import formats

    if type is None:
        if name == STDIN_NAME:
            raise UsageError(
                "the format of stdin is not known",
                hint=f"use --input-type {'|'.join(formats.NAMES)}, or --filename-override NAME",
            )
        return formats.of_path(name)
    formats.module(type)
    return type


def format_of(text: str | None, name: str, input_type: str | None) -> str:
    """The format of a file that is there, or of one to be made (None); ``input_type`` decides first."""
    from encconf.formats import sniff

    found = sniff.find(text, name) if text is not None and input_type is None else None
    return found or format_by_name(name, input_type)


def metadata(text: str, format: str) -> Metadata:
    """What an encrypted text says of itself.  Raises NotEncryptedError, ParseError, MetadataError."""
    from encconf import formats
    from encconf.engine.metadata import Metadata

    return Metadata.of(formats.scan_encrypted(text, formats.module(format)))


def credentials(console: Console, environ: Mapping[str, str] | None = None) -> Credentials:
    """What may be used to unlock; what is done in another way than asked for becomes a warning."""
    from encconf.identities.credentials import Credentials

    environ = console.environ if environ is None else environ
    if console.keys:
        environ = {**environ, **console.keys}
    found = Credentials.from_env(environ, notify=console.warn)
    status = console.status()
    if status is not None:
        found.watch = status.watch
        if found.prompt is not None:
            found.prompt = status.quietly(found.prompt)
    return found


def write(
    console: Console,
    text: str | bytes,
    source: Source,
    *,
    in_place: bool,
    output: str | None,
    mode: int | None = None,
) -> str | None:
    """Write a result over its source, to a file or to stdout; returns the name of the file, if any.

    ``mode`` is as for `fileio.write_atomic`: `fileio.PRIVATE` for a plain text.
    """
    if in_place and source.path is not None:
        try:
            fileio.write_atomic(source.path, text, mode=mode, replacing=source.text)
        except OutputError as error:
            error.file = source.label
            raise
        return source.label
    if output is None or output in STDOUT:
        console.data(text)
        return None
    fileio.write_atomic(fileio.resolve(output), text, mode=mode)
    return output


def in_turn(path: str, change: Callable[[], T]) -> T:
    """Make a change that reads a file and writes it, while no other such change of the file is made.

    It is made again if somebody who does not wait has written the file in between.
    """
    with locks.Turn(path):
        for _ in range(ATTEMPTS):
            try:
                return change()
            except ChangedError:
                continue
        return change()


ATTEMPTS = 20


def encrypted_name(path: str) -> str:
    """``secrets.enc.yaml`` for ``secrets.yaml``; "" for a name that is of that kind already."""
    folder, name = os.path.split(path)
    if name == ".env":  # the extension is all there is
        return os.path.join(folder, ".enc.env")
    if name == ".enc.env":
        return ""
    stem, extension = os.path.splitext(path)
    return "" if stem.endswith(".enc") else f"{stem}.enc{extension}"


def plain_name(path: str) -> str:
    """The opposite of `encrypted_name`; a name that is not of that kind stays."""
    folder, name = os.path.split(path)
    if name == ".enc.env":
        return os.path.join(folder, ".env")
    stem, extension = os.path.splitext(path)
    return stem.removesuffix(".enc") + extension


def warn_if_exposed(console: Console, path: str) -> None:
    """Say so when git has a plain file, or would take it, and how to change that."""
    from encconf.git import exposure, repository

    state = exposure(path)
    if state is None:
        return
    root = repository(os.path.dirname(os.path.abspath(path))) or "."
    pattern = "/" + os.path.relpath(os.path.abspath(path), root).replace(os.sep, "/")
    ignore = f"echo {quoted(pattern)} >> {quoted(os.path.relpath(os.path.join(root, '.gitignore')))}"
    if state == "untracked":
        console.warn(f"{path} is plaintext, and git does not ignore it", hint=ignore)
    else:
        console.warn(
            f"{path} is plaintext, and git tracks it: anyone with the repository has its secrets",
            hint=f"git rm --cached {quoted(path)} && {ignore}; then change the secrets, "
            "since earlier versions stay in the history",
        )


def warn_if_any_exposed(console: Console, paths: Sequence[str]) -> None:
    """The same for several plain files, with one message for all that git has."""
    from encconf.cli.console import some
    from encconf.git import exposures

    if len(paths) == 1:
        warn_if_exposed(console, paths[0])
        return
    states = exposures(paths)
    for state, what, hint in (
        ("untracked", "git does not ignore them", "name them in .gitignore"),
        (
            "tracked",
            "git tracks them: anyone with the repository has their secrets",
            "git rm --cached them, and name them in .gitignore; then change the secrets, "
            "since earlier versions stay in the history",
        ),
    ):
        names = [path for path in paths if states[path] == state]
        if names:
            console.warn(f"{some(names, 3)}: plaintext, and {what}", hint=hint)


def quoted(word: str) -> str:
    """A word as a shell reads it back."""
    import shlex

    return shlex.quote(word)
