"""`load_dotenv`, `dotenv_values` and `find_dotenv`: python-dotenv's functions, for encrypted files.

They have the parameters, return values and rules of python-dotenv 1.2 (main.py), so only the import line of a
program changes.  Lines are read as python-dotenv reads them (`encconf.formats.dotenv.bindings`), not as sops
does.  They also read other formats, whose values are named as by ``encconf exec``: ``db.password`` is
``DB_PASSWORD``.  Unlike python-dotenv, they raise an error for a file that cannot be opened, and for a
plaintext file that a creation rule says to encrypt.
"""

from __future__ import annotations

import logging
import os
import stat
import sys
from collections import ChainMap

from encconf import formats
from encconf.engine.opening import as_text, open_text, refuse_unloadable, refuse_unprotected
from encconf.engine.plaintext import plain_text
from encconf.errors import EmitError, InputError, LimitError, about, bounded
from encconf.formats.dotenv import bindings, expanded, with_line_feeds
from encconf.formats.emit import Naming, trees_of
from encconf.formats.writing import text_of
from encconf.settings.layers import refuse_plaintext
from encconf.text.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import IO

    from encconf.engine.opening import Opened
    from encconf.identities.credentials import Credentials
    from encconf.text.document import Value
    from encconf.text.path import Path

    StrPath = str | os.PathLike[str]

logger = logging.getLogger(__name__)

ENCRYPTED = ("{}.enc", "{}.sops", ".enc{}")
"""The names of an encrypted ``.env``, which come before it in a folder."""

_LIMIT = 1 << 24  # characters


def load_dotenv(
    dotenv_path: StrPath | None = None,
    stream: IO[str] | None = None,
    verbose: bool = False,
    override: bool = False,
    interpolate: bool = True,
    encoding: str | None = "utf-8",
    *,
    credentials: Credentials | None = None,
) -> bool:
    """Set variables of this process from an encrypted file, as `dotenv.load_dotenv` does from a ``.env``.

    Without ``dotenv_path`` and ``stream``, `find_dotenv` finds the file.  Variables that are set already stay
    as they are, unless ``override``.  ``interpolate`` expands ``${NAME}`` and ``${NAME:-DEFAULT}``.
    ``verbose`` logs that there is no file.  ``encoding`` is that of a plaintext file; encrypted ones are
    UTF-8.  If PYTHON_DOTENV_DISABLED is true, nothing happens.

    Returns whether the file has a variable.  Raises PlaintextError for a plaintext file that a rule of
    ``.sops.yaml`` says to encrypt, and what `load_config` raises.

    >>> from encconf import load_dotenv
    >>> load_dotenv()  # doctest: +SKIP
    True
    """
    if os.environ.get("PYTHON_DOTENV_DISABLED", "").casefold() in ("1", "true", "t", "yes", "y"):
        logger.debug("encconf: .env loading disabled by PYTHON_DOTENV_DISABLED environment variable")
        return False
    if dotenv_path is None and stream is None:
        dotenv_path = find_dotenv()
    values = _values(dotenv_path, stream, verbose, interpolate, override, encoding, credentials)
    for name, value in values.items():
        if value is not None and (override or name not in os.environ):
            if "\0" in value:
                raise EmitError(f"{printable(name)} contains a NUL, which an environment cannot hold")
            os.environ[name] = value
    return bool(values)


def dotenv_values(
    dotenv_path: StrPath | None = None,
    stream: IO[str] | None = None,
    verbose: bool = False,
    interpolate: bool = True,
    encoding: str | None = "utf-8",
    *,
    credentials: Credentials | None = None,
) -> dict[str, str | None]:
    """Return the variables that `load_dotenv` would set with ``override``, as a dict of texts.

    A name without a value, which only plaintext files can have, is None.  Raises what `load_dotenv` raises.

    >>> config = {**dotenv_values(".env.enc"), **os.environ}  # doctest: +SKIP
    """
    if dotenv_path is None and stream is None:
        dotenv_path = find_dotenv()
    return _values(dotenv_path, stream, verbose, interpolate, True, encoding, credentials)


def find_dotenv(filename: str = ".env", raise_error_if_not_found: bool = False, usecwd: bool = False) -> str:
    """Return the path of a file in the folder of the calling module or above it, or "".

    In each folder, an encrypted file comes first: for ``.env``, these are ``.env.enc``, ``.env.sops`` and
    ``.enc.env``.  The search begins in the current folder with ``usecwd``, in a debugger, and without a
    module's file.  No file is used that another user has put into a folder for everyone, such as ``/tmp``.
    Raises OSError if no file is found and ``raise_error_if_not_found``.

    >>> find_dotenv()  # doctest: +SKIP
    '/srv/shop/.env.enc'
    """
    names = [filename]
    if os.path.basename(filename) == filename:
        names = [name.format(filename) for name in ENCRYPTED] + names
    from encconf.io.fileio import upwards

    for folder in upwards(os.getcwd() if usecwd or _without_file() else _caller()):
        for name in names:
            path = os.path.join(folder, name)
            if _is_readable(path) and not _is_planted(path) and (name == filename or _is_encrypted(path)):
                return path
    if raise_error_if_not_found:
        raise OSError("File not found")
    return ""


def _without_file() -> bool:
    """Whether the program has no file to begin at: a prompt, a notebook, a debugger, a frozen program."""
    main = sys.modules.get("__main__")
    prompt = hasattr(sys, "ps1") or hasattr(sys, "ps2") or not hasattr(main, "__file__")
    return prompt or sys.gettrace() is not None or getattr(sys, "frozen", False)


def _caller() -> str:
    """Return the folder of the nearest module outside this one that is a file."""
    frame = sys._getframe(1)
    while frame.f_code.co_filename == __file__ or not os.path.exists(frame.f_code.co_filename):
        if frame.f_back is None:
            return os.getcwd()
        frame = frame.f_back
    return os.path.dirname(os.path.abspath(frame.f_code.co_filename))


def _is_readable(path: StrPath) -> bool:
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) or stat.S_ISFIFO(mode)


def _is_planted(path: str) -> bool:
    """Whether another user has put a file or link into a folder for everyone: it could set any variable."""
    from encconf.io.descriptors import is_planted

    folder = os.stat(os.path.dirname(path))
    planted = any(is_planted(look(path), folder, sticky=False) for look in (os.lstat, os.stat))
    if planted:
        logger.warning("encconf does not use %s: it belongs to another user", path)
    return planted


def _is_encrypted(path: str) -> bool:
    """Whether a file has a ``sops`` block.  Other programs also write files called ``.env.enc``."""
    if not os.path.isfile(path):
        return False
    from encconf.io import fileio

    return formats.find(fileio.read_text(path), path) is not None


def _values(
    path: StrPath | None,
    stream: IO[str] | None,
    verbose: bool,
    interpolate: bool,
    override: bool,
    encoding: str | None,
    credentials: Credentials | None,
) -> dict[str, str | None]:
    if path and _is_readable(path):
        from encconf.io import fileio

        name = os.fspath(path)
        with about(name, frames=False):
            data = fileio.read_bytes(name)
            text = data.decode(encoding, "surrogateescape") if encoding else as_text(data)
            found = _parsed(text, name, credentials, interpolate)
    elif stream is not None:
        found = _parsed(stream.read(), "", credentials, interpolate)
    else:
        if verbose:
            logger.info("encconf could not find configuration file %s.", path or ".env")
        return {}
    return _expanded(found, override) if interpolate else dict(found)


@bounded
def _parsed(
    text: str, name: str, credentials: Credentials | None, interpolate: bool
) -> list[tuple[str, str | None]]:
    """Return the names and values of a text, in order.  A name may be there several times."""
    if formats.find(text, name) is None:
        if name:
            try:
                document = formats.get("dotenv").scan(text, comments=True)
            except InputError:  # such as a name without a value, which python-dotenv reads
                refuse_plaintext(name, None)
            else:
                refuse_plaintext(name, document)
        return _lines(text)
    format = formats.format_of(text, name)
    opened = open_text(text, format=format, credentials=credentials)
    refuse_unloadable(opened)
    if formats.get(format).single_value:
        inner = formats.get(formats.of_inner(name))
        plain = plain_text(opened)
        if inner.single_value or inner.environment:
            return _lines(plain)
        return _texts(Naming().values(trees_of(inner.scan(plain))))
    if not formats.get(format).environment:
        return _named(opened, interpolate)
    leaves = zip(opened.document.leaves, opened.values, strict=True)
    refuse_unprotected(
        opened,
        (
            (name, value)
            for leaf, value in leaves
            for name, _ in _lines(f"{leaf.step}={(value.data or b'').decode(errors='replace')}")
        ),
        expands=interpolate,
    )
    # No MAC covers comments, and one could close the quotes of a value above it.
    without = [(comment.start, comment.end, "") for comment in opened.document.comments]
    return _lines(plain_text(opened.replace(comment_edits=without)))


def _lines(text: str) -> list[tuple[str, str | None]]:
    return [
        (binding.name, binding.value)
        for binding in bindings(with_line_feeds(text))
        if binding.name is not None
    ]


def _named(opened: Opened, interpolate: bool) -> list[tuple[str, str | None]]:
    found = Naming().values(opened.trees())
    refuse_unprotected(opened, ((name, value) for name, (_, value) in found.items()), expands=interpolate)
    return _texts(found)


def _texts(found: Mapping[str, tuple[Path, Value]]) -> list[tuple[str, str | None]]:
    return [(name, text_of(value.type, value.data)) for name, (_, value) in found.items()]


def _expanded(found: list[tuple[str, str | None]], override: bool) -> dict[str, str | None]:
    """Return the last value of each name, with variables expanded as python-dotenv does.

    With ``override``, names of the file come before variables of the environment; otherwise after them.
    """
    values: dict[str, str | None] = {}
    known = ChainMap[str, str | None](*((values, os.environ) if override else (os.environ, values)))
    size = 0
    for name, value in found:
        if value is not None and "${" in value:
            value = expanded(value, lambda name, default: known.get(name, default) or "")
            size += len(value)
            if size > _LIMIT:  # each line could double what the line before it holds
                raise LimitError(f"the expanded values are longer than {_LIMIT >> 20} MiB")
        values[name] = value
    return values
