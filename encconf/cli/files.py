"""What several commands do with the FILE they get: read it, tell its format, watch over plain texts."""

from __future__ import annotations

import os

from encconf import fileio
from encconf.errors import ConflictError, InputError, MissingFileError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.cli.console import Console

STDIN = ("-", "/dev/stdin")
STDOUT = ("-", "/dev/stdout")


class Source:
    """The text to work on: ``path`` is the file with links followed, None for stdin.

    ``label`` is what to call it in messages; by ``name`` go its format and its rule.
    """

    __slots__ = ("label", "name", "path", "text")

    def __init__(self, label: str, name: str, path: str | None, text: str) -> None:
        self.label = label
        self.name = name
        self.path = path
        self.text = text


def read(file: str | None, *, in_place: bool, output: str | None, override: str | None) -> Source:
    """Read FILE, or stdin where none is named and somebody feeds it.

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
                raise MissingFileError("no file was named", hint="name one, or - for stdin")
        return Source("stdin", override or "stdin", None, fileio.read_stdin())
    path = fileio.resolve(file)
    try:
        text = fileio.read_text(path)
    except InputError as error:
        error.file = file
        raise
    return Source(file, override or file, path, text)


def format_of(name: str, input_type: str | None) -> str:
    """The format: ``input_type``, else what the name says.  Raises UsageError."""
    from encconf import formats

    if input_type is None:
        return formats.of_path(name)
    formats.module(input_type)
    return input_type


def encrypted_name(path: str) -> str:
    """``secrets.enc.yaml`` for ``secrets.yaml``; "" for a name that is of that kind already."""
    stem, extension = os.path.splitext(path)
    return "" if stem.endswith(".enc") else f"{stem}.enc{extension}"


def warn_if_exposed(console: Console, path: str) -> None:
    """Say so when git has a plain file, or would take it, and how to change that."""
    from encconf.git import exposure, repository

    state = exposure(path)
    if state is None:
        return
    root = repository(os.path.dirname(os.path.abspath(path))) or "."
    pattern = "/" + os.path.relpath(os.path.abspath(path), root).replace(os.sep, "/")
    ignore = f"echo {_quoted(pattern)} >> {_quoted(os.path.relpath(os.path.join(root, '.gitignore')))}"
    if state == "untracked":
        console.warn(f"{path} is plain text, and git does not ignore it", hint=ignore)
    else:
        console.warn(
            f"{path} is plain text, and git tracks it: whoever has the repository has its secrets",
            hint=f"git rm --cached {_quoted(path)} && {ignore}; then change the secrets, "
            "since earlier versions stay in the history",
        )


def _quoted(word: str) -> str:
    import shlex

    return shlex.quote(word)
