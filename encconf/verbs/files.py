"""Handle the FILE of a verb: read, convert and write it, find its format, and warn about plaintext in git."""

from __future__ import annotations

import os

from encconf.errors import (
    ChangedError,
    ConflictError,
    EncconfError,
    InputError,
    LimitError,
    MissingFileError,
    NotEncryptedError,
    OutputError,
    ParseError,
    UsageError,
    about,
)
from encconf.io import fileio
from encconf.io.descriptors import is_terminal
from encconf.record import Record
from encconf.text.printable import listed, one_line, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import TypeVar

    T = TypeVar("T")

    from encconf.engine.opening import Opened
    from encconf.identities.credentials import Credentials
    from encconf.rules.config import Notify
    from encconf.text.path import Path
    from encconf.verbs.front import Front

STDIN_NAME = "stdin"


class Input(Record):
    """The text that a command works on.

    ``path`` is its file with links followed, or None for stdin.  ``label`` is its name in messages, and
    ``name`` is the name that decides its rule.  ``found`` is the format of a SOPS file, or None for any other
    text (`encconf.formats.find`).  ``input_type`` is the format that the user named.
    """

    label: str
    name: str
    path: str | None
    text: str
    found: str | None
    input_type: str | None = None

    @property
    def format(self) -> str:
        """The format: --input-type, or else the one of the content, or else the one of the name.

        Raises UsageError for an unknown format, and for stdin without a name, which could be a binary file.
        """
        if not self.input_type and self.found is not None:
            return self.found
        return format_by_name(self.name, self.input_type)

    def open(
        self, credentials: Credentials, notify: Notify | None = None, *, ignore_mac: bool = False
    ) -> Opened:
        """Open the encrypted text.  Raises as `format` and `encconf.engine.opening.open_text`."""
        from encconf.engine import opening

        format = self.format
        try:
            with about(self.label):
                return opening.open_text(
                    self.text, format=format, credentials=credentials, ignore_mac=ignore_mac, notify=notify
                )
        except (InputError, NotEncryptedError) as error:
            if self.input_type and self.found not in (None, format):
                error.hint = f"its content is {self.found}: leave out --input-type {self.input_type}"
            raise

    def decrypted(
        self,
        credentials: Credentials,
        notify: Notify,
        *,
        shown: Callable[[Opened], Opened] = lambda opened: opened,
        ignore_mac: bool = False,
        extract: str | None = None,
        output_type: str | None = None,
        config: str | None = None,
    ) -> str:
        """Return the plaintext, or the part at the path ``extract``, in the format ``output_type``.

        ``shown`` returns what may be shown of the opened file.
        """
        from encconf.engine import plaintext
        from encconf.text.path import parse

        target = format_by_name(self.name, output_type) if output_type else None
        path = parse(extract or "")
        opened = self.open(credentials, notify, ignore_mac=ignore_mac)
        from encconf.engine.opening import still_sealed

        if (error := still_sealed(opened)) is not None:
            notify(f"{self.label}: {error.message}")
        opened = shown(opened)
        with about(self.label):
            if path or output_type:
                target = target or opened.document.format.name
                name = None if self.path is None else self.name
                indent = stores_indent(target, config=config, target=name)
                return converted(opened, target, path=path, indent=indent, requested=output_type is not None)
            return plaintext.plain_text(opened)


def read(
    file: str | None,
    *,
    input_type: str | None = None,
    filename_override: str | None = None,
    in_place: bool = False,
    plain: bool = False,
) -> Input:
    """Read FILE, or stdin if no file is named and stdin is not a terminal.

    If ``plain`` is set, a file whose format is binary may contain any bytes.  All others must be UTF-8.

    Raises ConflictError for stdin if the result is to be written ``in_place``.  Raises MissingFileError if no
    file is named and stdin is a terminal.
    """
    from encconf import formats

    stdin = file is None or file in fileio.STDIN
    if in_place and stdin:
        raise ConflictError("--in-place needs a file, not stdin")
    if file is None and is_terminal(0):
        raise MissingFileError("no file was given", hint="give a file, or - for stdin")
    label, path = (STDIN_NAME, None) if file is None or stdin else (file, fileio.resolve(file))
    name = filename_override or label
    with about(label, instead=path):
        data = fileio.stdin_bytes() if path is None else fileio.read_bytes(path)
        found = formats.find(data, name)
        format = input_type or found
        format = format or ("" if name == STDIN_NAME else formats.of_path(name))
        single = format != "" and formats.get(format).single_value
        binary = plain and single
        try:
            said = fileio.text_of(path, data, binary=binary) if path else fileio.decode(data, binary=binary)
        except ParseError:
            if single and found is None:  # an encrypted file is text, whatever is in it
                raise NotEncryptedError from None
            raise
    return Input(label, name, path, said, found, input_type)


def are_many(words: Sequence[str], *, recursive: bool) -> bool:
    """Whether the words mean several files: more than one word, a pattern, or a folder."""
    return (
        recursive
        or len(words) > 1
        or any(os.path.isdir(word) for word in words)
        or any(map(is_pattern, words))
    )


def is_pattern(word: str) -> bool:
    """Whether a word of the command line is a pattern and not the name of a file."""
    return any(sign in word for sign in "*?[") and not os.path.lexists(word)


def refuse_for_many(paths: Sequence[str], **given: str | None) -> None:
    """Raise UsageError for stdin among several files, and for ``given`` options that need one file."""
    for name, value in given.items():
        if value is not None:
            raise UsageError(f"--{name.replace('_', '-')} is for one file")
    if any(path in fileio.STDIN for path in paths):
        raise UsageError("stdin cannot be one of several files, or part of a dry run")


def format_by_name(name: str, type: str | None) -> str:
    """Return ``type`` if it is a format, or else the format of the name.  Raises UsageError."""
    from encconf import formats

    if type is None:
        if name == STDIN_NAME:
            raise UsageError(
                "the format of stdin is not known",
                hint=f"use --input-type {'|'.join(formats.NAMES)}",
            )
        return formats.of_path(name)
    formats.get(type)
    return type


def input_format(text: str | None, name: str, input_type: str | None) -> str:
    """Return ``input_type``, or else the format of the text, or else the format of the name.

    ``text`` is None for a new file.
    """
    from encconf import formats

    found = formats.find(text, name) if text is not None and input_type is None else None
    return found or format_by_name(name, input_type)


def refuse_swapped(file: str, words: Iterable[str | None], usage: str) -> None:
    """Raise MissingFileError if FILE does not exist, and one of the words after it is a file.

    The error quotes none of them, because one may be a secret.
    """
    if not os.path.lexists(file) and any(word and os.path.isfile(word) for word in words):
        raise MissingFileError("no such file", hint=f"the file comes first: {usage}").about(file)


def confirmed_new(front: Front, file: str, *, always: bool = False) -> str:
    """Ask whether a file with a name like that of another one is to be created; ``always``: for any name.

    Without a terminal to ask on, returns a hint about the other file, or "".
    Raises MissingFileError if the user does not want the file.
    """
    near = fileio.near(file)
    like = near if near.startswith("did") else ""
    if not like and not always:
        return ""
    if not front.can_ask():
        return like
    question = f"{file} does not exist; {like} Create {file}?" if like else f"{file} is new; create it?"
    if not front.confirm(question):
        raise MissingFileError("no such file", hint=like or None).about(file)
    return ""


def is_encrypted(text: str, format: str) -> bool:
    """Whether a text has sops metadata with a version and a MAC.  Raises ParseError."""
    from encconf.engine.metadata import metadata_of

    if not text.strip():
        return False
    try:
        metadata = metadata_of(text, format)
    except NotEncryptedError:
        return False
    return bool(metadata.version and metadata.mac)


def converted(
    opened: Opened,
    format: str,
    *,
    path: Path = (),
    layout: bool = True,
    indent: int | None = None,
    rewrite: bool = False,
    requested: bool = False,
    whole: bool = True,
) -> str:
    """Return the plaintext in a format.

    In the file's own format, it is the text that was encrypted, with ``layout`` byte for byte.
    A ``path`` selects a part of the first document: a string is returned as it is, a mapping as a document.
    ``indent`` is the indentation of rewritten text, in characters.  With ``rewrite``, a text is rewritten
    even in its own format.  With ``requested``, the user asked for the format: a YAML document in braces
    (such as JSON) then becomes block YAML, as in sops.
    Unless it is to be ``whole``, a format that holds one document gets the first one, as in sops.
    Raises PathNotFoundError, or EmitError for values that the format cannot hold.
    """
    from encconf.engine import plaintext

    document = opened.document
    if requested and format == "yaml":
        rewrite = rewrite or any(part.close is not None for part in document.parts)
    if not path and format == document.format.name and not (rewrite and document.format.indent is not None):
        return plaintext.plain_text(opened, layout=layout)
    from encconf.formats import emit, writing

    trees = opened.trees()
    if not path:
        if whole:
            emit.refuse_several(trees, format)
        return emit.render(trees, format, indent=indent)
    return emit.value(writing.value_at(trees[0], path), format, indent=indent)


def stores_indent(format: str, *, config: str | None, target: str | None = None) -> int | None:
    """Return the indentation that ``stores`` of .sops.yaml sets for a format, or None.

    The .sops.yaml is that of the file ``target``, or else that of the current folder.  If it cannot be read,
    it is ignored, since the caller needs nothing else from it.
    """
    from encconf import formats

    default = formats.get(format).indent
    if default is None:
        return None
    from encconf.rules import config as configs

    try:
        path = config or configs.find_config(target, os.getcwd())
        indents = configs.load(path).indents if path else {}
    except EncconfError:
        return None
    indent = indents.get(format, default)
    return None if indent == default else indent


def write(
    front: Front, text: str, source: Input | None, output: str | None, *, mode: int | None = None
) -> str | None:
    """Write a result to its source, or without it to a file or to stdout.

    Returns the name of the file, or None.  ``mode`` is as for `fileio.write_atomic`.  It is
    `fileio.PRIVATE` for plaintext.
    """
    if source is not None and source.path is not None:
        with about(source.label, instead=source.path):
            fileio.write_atomic(source.path, text, mode=mode, replacing=source.text)
        return source.label
    if output is None or output in fileio.STDOUT:
        front.content(text)
        return None
    path = fileio.resolve(output)
    with about(output, instead=path):
        fileio.write_atomic(path, text, mode=mode)
    return output


def in_turn(path: str, change: Callable[[], T]) -> T:
    """Lock a file against other runs of encconf, and call a function that reads and writes it.

    The function is called again if another program wrote the file between its read and its write.
    """
    from encconf.io import locks

    with locks.Turn(path):
        for _ in range(ATTEMPTS):
            try:
                return change()
            except ChangedError:
                continue
        return change()


ATTEMPTS = 20


def warn_if_exposed(front: Front, paths: Sequence[str]) -> None:
    """Warn about plaintext files that git tracks, and about those that git does not ignore."""
    from encconf.git import exposures

    states = exposures(paths)
    for state, what, then in (
        ("untracked", "that git does not ignore", ""),
        (
            "tracked",
            "that git tracks, so the next commit has it, if no earlier one has",
            "; if it was committed, change the secrets, since earlier versions stay in the history",
        ),
    ):
        names = [path for path in paths if states[path] == state]
        if names:
            hint = ignoring(names, tracked=state == "tracked")
            front.warn(f"{listed(names, 3)}: plaintext {what}", hint=hint + then)


def warn_of_key(front: Front, path: str) -> None:
    """Warn about a file with a private key that ``git add .`` would add."""
    from encconf.git import exposures

    if exposures([path])[path] is not None:
        front.warn(
            f"{one_line(path)}: a private key that git does not ignore", hint=ignoring([path], tracked=False)
        )


def warn_of_decrypted(front: Front, paths: Sequence[str]) -> None:
    """Warn about files that were decrypted in place, and that the next commit may have as plaintext."""
    from encconf.git import exposures

    states = exposures(paths)
    if names := [path for path in paths if states[path] is not None]:
        what = "is plaintext now" if len(names) == 1 else "are plaintext now"
        words = " ".join(quoted(name) for name in names) if len(names) <= _MOST_NAMED else "FILE…"
        front.warn(f"{listed(names, 3)} {what}", hint=f"before you commit: encconf encrypt -i {words}")


def warn_of_committed(front: Front, paths: Sequence[str]) -> None:
    """Warn about files that were encrypted in place, and that the last commit has as plaintext."""
    from encconf import formats
    from encconf.git import exposures, place, version

    names = []
    for path, state in exposures(paths).items():
        known = place(path) if state == "tracked" else None
        old = version(f"HEAD:{known[1]}", known[0]) if known is not None else None
        if old is not None and old.strip() and formats.find(old, path) is None:
            names.append(path)
    if names:
        front.warn(
            f"{listed(names, 3)}: git has plaintext of {'it' if len(names) == 1 else 'them'}",
            hint="change the secrets, since earlier versions stay in the history",
        )


_MOST_NAMED = 3
"""The most files that a command in a hint names."""


def ignoring(names: Sequence[str], *, tracked: bool) -> str:
    """Say how to make git ignore files and stop tracking them; for one file, as a shell command."""
    from encconf.git import place

    known = place(names[0]) if len(names) == 1 else None
    if known is None:
        return f"{'git rm --cached them, and ' if tracked else ''}name them in .gitignore"
    root, name = known
    remove = f"git rm --cached {quoted(os.path.relpath(os.path.join(root, name)))} && " if tracked else ""
    for sign in "\\*?[":
        name = name.replace(sign, f"\\{sign}")
    config = os.path.relpath(os.path.join(root, ".gitignore"))
    return f"{remove}echo {quoted(f'/{name}')} >> {quoted(config)}"


def warn_if_readable(front: Front, path: str) -> None:
    """Warn about a file with secrets that other users of this machine can read."""
    if is_readable_to_others(path):
        front.warn(f"others on this machine can read {path}", hint=f"chmod 600 {quoted(path)}")


def is_readable_to_others(path: str) -> bool:
    """Whether other users of this machine can read a file."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return os.name == "posix" and bool(mode & 0o077)


def target_path(name: str, *, named: bool) -> str:
    """Return the path of a file to write.  If the user has not ``named`` it, it may not be a link."""
    if named:
        return fileio.resolve(name)
    from encconf.io import trust

    return trust.fixed(os.path.dirname(name), os.path.basename(name))


def write_own(path: str, text: str, mark: str, *, mode: int | None = None) -> None:
    """Write a file that only encconf writes.  ``path`` comes from `trust.fixed` or `fileio.resolve`.

    Raises OutputError if another one without ``mark`` is there.
    """
    with about(path):
        old: str | fileio.Anything | None = fileio.ANYTHING
        if not fileio.is_special(path):
            try:
                old = fileio.read_existing(path)
            except (LimitError, ParseError):  # such as a program, which is not text
                old = ""
            if isinstance(old, str) and mark not in old[:_HEAD]:
                raise OutputError(
                    "this file exists and was not written by encconf",
                    hint="remove it, or choose another place",
                )
        fileio.write_atomic(path, text, mode=mode, replacing=old)


_HEAD = 10_000
"""Where a file has its mark, in characters.  A shim has the path of Python before it."""
