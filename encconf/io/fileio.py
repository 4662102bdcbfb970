"""Read and write files so that nothing hangs, nothing is lost and no plaintext is left behind.

Only regular files and pipes are read, up to a limit, and every byte is kept (UTF-8, no newline translation).
A file is replaced in one step or not at all (`encconf.io.replace`), while sops 3.13.3 truncates it first.
Plaintext that you did not ask for is written only to the folders of `encconf.io.private`.
"""

from __future__ import annotations

import os
import stat
import sys

from encconf.errors import (
    ChangedError,
    InputDeniedError,
    InputError,
    LimitError,
    MissingFileError,
    OutputDeniedError,
    OutputError,
    ParseError,
    UnwrittenError,
    about,
)
from encconf.io.descriptors import (
    BINARY,
    CHUNK,
    NOCTTY,
    NOFOLLOW,
    NONBLOCK,
    PLANTED,
    cannot_read,
    cannot_write,
    is_planted,
    is_terminal,
    patiently,
    read_all,
    reason,
    refuse_planted,
    write_all,
)
from encconf.io.descriptors import PRIVATE as PRIVATE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Final


LIMIT = 64 << 20
"""The largest file that is read, in bytes (64 MiB)."""

PIPE_PATIENCE = 2.0
"""How many seconds a reader waits for a program to open a pipe.  It waits for the content without limit."""


class Anything:
    """The type of `ANYTHING`."""


ANYTHING: Final = Anything()
"""A value for `write_atomic`: replace the file whatever its content is."""

STDIN = ("-", "/dev/stdin")
STDOUT = ("-", "/dev/stdout")
"""The words of a command line that name a stream."""

_FOLDER_ENDS = tuple(sign + end for sign in (os.sep, os.altsep or os.sep) for end in ("", "."))

_UTF16 = (b"\xff\xfe", b"\xfe\xff")  # byte order marks


def open_standard_streams() -> None:
    """Open /dev/null as those of 0, 1 and 2 that are closed, so that no file ever gets these numbers.

    0 is opened for writing and 1 for reading.  So it is still an error to read from a closed stdin or to
    write to a closed stdout.
    """
    for descriptor, access in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, access)  # gets the lowest free number, which is ``descriptor``


def read_stdin(*, binary: bool = False) -> str:
    """Read all of stdin as text.  The errors are those of `read_text`."""
    with about("stdin"):
        return decode(stdin_bytes(), binary=binary)


def stdin_bytes() -> bytes:
    """Read all of stdin.  The errors are those of `read_bytes`."""
    with about("stdin"):
        try:
            if sys.platform == "win32" and is_terminal(0):  # its bytes have the encoding of an old code page
                with open(0, "rb", buffering=0, closefd=False) as console:
                    return b"".join(iter(lambda: console.read(1 << 12), b""))  # line by line
            return read_all(0, LIMIT)
        except OSError as error:
            raise InputError(f"cannot be read: {reason(error)}") from None


def write_stdout(data: str | bytes) -> None:
    """Write to stdout (text as UTF-8) and make sure that it is written.

    Raises UnwrittenError, or BrokenPipeError if the reader has ended.
    """
    try:
        if isinstance(data, str):
            data = encode(data)
        if sys.platform == "win32" and is_terminal(1):  # Python writes Unicode to it; os.write, bytes
            with open(1, "wb", closefd=False) as console:
                console.write(data)
            return
        write_all(1, data)
        os.close(os.dup(1))  # some file systems report a full disk only then
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UnwrittenError(f"cannot be written: {reason(error)}").about("stdout") from None


def resolve(path: str) -> str:
    """Return the file that a path names, with all links followed.

    Call it once, and use the result for reading and writing.  Then a link that changes in between cannot make
    you overwrite another file.  The path of an open descriptor (`descriptor_of`) is returned as it is, since
    its file may have no name.  For a name that no user has typed, use `trust.fixed`.

    Raises InputDeniedError for a link that is planted (`descriptors.is_planted`), and MissingFileError if it
    leads to no file: to write through it would create a file wherever its author wanted one.
    """
    if descriptor_of(path) is not None:
        return path
    if os.name == "nt":
        _refuse_name_of_windows(path)
    if path.endswith(_FOLDER_ENDS) and not os.path.isdir(path):
        # realpath would drop the end, and `x.yaml/` has no format: it would be written as a binary file.
        if os.path.lexists(os.path.normpath(path)):
            raise InputError("cannot be used: its name ends with /, but it is not a folder").about(path)
        raise OutputError("cannot be written: no such folder").about(path)
    if os.path.islink(path):
        _refuse_link(path)
    try:
        return os.path.realpath(path)
    except OSError as error:
        if os.name != "nt":  # the current folder no longer exists
            raise
        # Such as a named pipe without a server.
        raise InputError(f"cannot be used: {reason(error)}").about(path) from None


def _refuse_link(path: str) -> None:
    """Raise InputDeniedError for a link that is planted, MissingFileError for one that leads to no file."""
    link = path
    for _ in range(40):
        try:
            target = os.readlink(link)
            planted = is_planted(os.lstat(link), os.stat(os.path.dirname(link) or "."))
        except (OSError, ValueError):
            break  # the end of the links
        if planted:
            hint = "use the path that it leads to, if you trust it"
            raise InputDeniedError(f"cannot be used: a link {PLANTED}", hint=hint).about(path)
        link = os.path.join(os.path.dirname(link), target)
    try:
        os.stat(path)
    except FileNotFoundError:
        raise MissingFileError(
            "no such file: this is a link to a file that does not exist",
            hint="create that file first, or remove the link",
        ).about(path) from None
    except (OSError, ValueError):
        pass  # the code that opens the file reports this


_DEVICES = {"aux", "con", "conin$", "conout$", "nul", "prn"}
_DEVICES |= {kind + number for kind in ("com", "lpt") for number in "0123456789¹²³"}


def _refuse_name_of_windows(path: str) -> None:
    """Refuse names that Windows uses for something else than a file of this name.

    What is written to ``aux.yaml`` goes to a device.  ``a.yaml.`` is ``a.yaml``, but would be encrypted as a
    binary file, for its ending.  ``a.yaml:b`` is a part of ``a.yaml`` that no program shows.
    """
    if path.startswith("\\\\?\\"):  # what follows is taken literally
        return
    name = os.path.basename(os.path.splitdrive(path)[1].rstrip("\\/"))
    short = name.rstrip(". ")
    what = hint = ""
    if ":" in name:
        what, hint = "its name contains a colon", "on Windows, that is a hidden part of another file"
    elif name.partition(".")[0].rstrip(" ").lower() in _DEVICES and name.lower() != os.devnull:
        what, hint = "Windows has a device of this name", "use another name (for stdin and stdout: -)"
    elif short != name and short:
        what, hint = "Windows drops the dots and spaces at the end of its name", f"did you mean {short}?"
    if what:
        raise InputError(f"cannot be used: {what}", hint=hint).about(path)


def _refuse_planted(path: str) -> None:
    try:
        state, folder = os.lstat(path), os.stat(os.path.dirname(path) or ".")
    except (OSError, ValueError):
        return
    refuse_planted(state, folder)


def upwards(path: str) -> Iterator[str]:
    """Yield the absolute path, and the folders above it, up to the root."""
    path = os.path.abspath(path)
    yield path
    while (above := os.path.dirname(path)) != path:
        path = above
        yield path


def descriptor_of(path: str) -> int | None:
    """Return the open descriptor that a path names, such as /dev/stderr, /dev/fd/3 or a shell's ``>(…)``."""
    if not path.startswith(("/dev/", "/proc/")):
        return None
    for _ in range(8):  # /dev/stderr leads to /proc/self/fd/2
        folder, name = os.path.split(path)
        if name.isdecimal() and len(name) < 10:
            here = os.path.realpath(folder)
            return int(name) if here in ("/dev/fd", f"/proc/{os.getpid()}/fd") else None
        try:
            path = os.path.join(folder, os.readlink(path))
        except (OSError, ValueError):
            return None
    return None


watching: Callable[[str, str], None] | None = None
"""A function for the path and text of each file that `read_text` reads.  Only `encconf.auditlog` sets it."""


def read_text(path: str, *, binary: bool = False, own: bool = False) -> str:
    """Read a text: UTF-8, whose byte order mark and ``\\r\\n`` are kept, or UTF-16.

    With ``binary``, bytes that are not UTF-8 become lone surrogates (``surrogateescape``).  ``own`` is as for
    `read_bytes`.

    Raises MissingFileError, LimitError (more than `LIMIT`), ParseError (not UTF-8), and InputError
    (unreadable, a link to a pipe, or neither a regular file nor a pipe: a link in a repository may lead to
    /dev/zero).
    """
    return text_of(path, read_bytes(path, regular=own, own=own), binary=binary)


def read_existing(path: str) -> str | None:
    """Like `read_text`, but return None if there is no such file."""
    try:
        return read_text(path)
    except MissingFileError:
        return None


def text_of(path: str, data: bytes, *, binary: bool = False) -> str:
    """Return the text of a file that was read as bytes, as `read_text` does."""
    with about(path):
        text = decode(data, binary=binary)
    if watching is not None:
        watching(path, text)
    return text


def read_bytes(path: str, *, regular: bool = False, own: bool = False, limit: int | None = None) -> bytes:
    """Read at most ``limit`` bytes of a file (by default `LIMIT`).  The errors are those of `read_text`.

    With ``regular``, pipes are refused, too, so that reading never waits.  With ``own``, files are refused
    that users other than this one and root may have written.
    """
    if os.devnull in (path, os.path.basename(path).lower()):  # on Windows, it is in every folder
        return b""  # a user may name it on purpose, as in --config /dev/null
    with about(path):
        # With O_NONBLOCK, opening a pipe or a device does not hang.
        flags = os.O_RDONLY | NONBLOCK | NOCTTY | BINARY
        try:
            descriptor = patiently(path, lambda: os.open(path, flags), to_read=True)
        except (FileNotFoundError, NotADirectoryError):
            raise MissingFileError("no such file") from None
        except OSError as error:
            if os.name == "nt" and os.path.isdir(path):  # it opens no folders
                raise InputError("cannot be read: it is a folder") from None
            raise cannot_read(error) from None
        except ValueError:
            raise InputError("cannot be read: not a path").about(path.replace("\0", "\\0")) from None
        try:
            state = os.fstat(descriptor)
            head = b""
            if stat.S_ISFIFO(state.st_mode) and not regular:
                head = _await_writer(path, descriptor)
            elif not stat.S_ISREG(state.st_mode):
                other = "not a regular file" if regular else "neither a regular file nor a pipe"
                what = "a folder" if stat.S_ISDIR(state.st_mode) else other
                raise InputError(f"cannot be read: it is {what}")
            if own and hasattr(os, "geteuid"):
                _refuse_foreign(state)
            # A regular file that must be waited for is one of the kernel, such as /proc/kmsg.
            wait = not stat.S_ISREG(state.st_mode)
            return head + read_all(descriptor, LIMIT if limit is None else limit, wait=wait)
        except OSError as error:
            raise cannot_read(error) from None
        finally:
            os.close(descriptor)


def near(path: str) -> str:
    """Return what to say about a file that does not exist: a similar one, or the folder that was searched."""
    folder, name = os.path.split(path)
    try:
        names = os.listdir(folder or ".")
    except OSError:
        return f"the folder {folder} does not exist"
    if found := similar(name, names):
        return f"did you mean {os.path.join(folder, found)}?"
    return "" if os.path.isabs(path) else f"looked in {os.path.abspath(folder or '.')}"


def similar(name: str, names: Iterable[str]) -> str:
    """Return the name that may be meant, or "": ``a.enc.yaml`` for ``a.enc.yml``, ``secret`` for ``secrte``.

    Names that differ only in a number, or that are short, are often meant to be different.
    """
    from difflib import SequenceMatcher

    stem, _, rest = name[:200].partition(".")
    digits = str.maketrans("", "", "0123456789")
    best, found = 0.0, ""
    for other in list(names)[:_COMPARED]:
        if other.translate(digits) == name.translate(digits):
            continue
        one, _, ending = other[:200].partition(".")
        score = 0.0
        if ending == rest and len(stem) > 3:
            score = SequenceMatcher(None, stem, one).ratio()
        elif other == f"{stem}.enc.{rest}":
            score = 1.0
        elif os.path.splitext(name)[0] == os.path.splitext(other)[0]:
            score = SequenceMatcher(None, rest, ending).ratio()
        if score >= 0.75 and score > best:
            best, found = score, other
    return found


_COMPARED = 2_000  # names


def _refuse_foreign(state: os.stat_result) -> None:
    if state.st_uid not in (os.geteuid(), 0):
        raise InputError("it belongs to another user and is not used", hint="chown it, or move it away")
    if state.st_mode & 0o022:
        raise InputError("others can write to it, so it is not used", hint="fix the permissions: chmod go-w")


def encode(text: str) -> bytes:
    """Encode a text as UTF-8.  The lone surrogates of a text that `decode` read become the original bytes."""
    return text.encode("utf-8", "surrogateescape")


def as_utf8(data: bytes) -> bytes:
    """Return a text in UTF-8 that may be UTF-16 with a byte order mark, as PowerShell's ``>`` writes it."""
    try:
        return data.decode("utf-16").encode() if data[:2] in _UTF16 else data
    except UnicodeError:
        return data


_OF_SOPS = (b"sops_mac=", b"[sops]")
"""How lines of encrypted dotenv and INI files begin."""


def decode(data: bytes, *, binary: bool = False) -> str:
    """Decode UTF-8, or UTF-16 that has a byte order mark.  ``binary`` is as for `read_text`.

    A dotenv or INI file that sops encrypted may contain any bytes, and is read as if ``binary``.  Raises
    ParseError for other bytes that are not UTF-8.  The error names the place, and quotes nothing.
    """
    if not binary and data[:2] in _UTF16:
        try:
            return data.decode("utf-16")
        except UnicodeDecodeError as error:
            raise ParseError(f"not valid UTF-16 at byte {error.start}") from None
    try:
        return data.decode("utf-8", "surrogateescape" if binary else "strict")
    except UnicodeDecodeError as error:
        if any(b"\n" + mark in b"\n" + data for mark in _OF_SOPS):
            return data.decode("utf-8", "surrogateescape")
        line = data.count(b"\n", 0, error.start) + 1
        said = f"not UTF-8 at byte {error.start}"
        raise ParseError(said, line=line, hint="save the file as UTF-8") from None


def _await_writer(path: str, descriptor: int) -> bytes:
    """Wait until a program opens a pipe for writing, and return what was read from the pipe to find out.

    Otherwise a pipe that no program has opened yet would look empty, or reading it would wait forever.
    Raises InputError if no program opens it, and for a link to it.
    """
    if os.name == "nt":  # to open it has connected it to its server
        return b""
    import select

    if os.path.islink(path) and not os.path.abspath(path).startswith(("/dev/", "/proc/")):
        # A branch may have a link to /dev/stdin: reading it would never end, or take your input.
        raise InputError("cannot be read: it is a link to a pipe", hint="name the pipe, if you trust it")

    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    head = b""
    if not waiting.poll(PIPE_PATIENCE * 1000):
        try:
            head = os.read(descriptor, CHUNK)
        except BlockingIOError:  # a program has opened it
            pass
        else:
            if not head:
                raise InputError("cannot be read: it is a pipe, and no program writes to it")
    os.set_blocking(descriptor, True)
    return head


def write_atomic(
    path: str, data: str | bytes, *, mode: int | None = None, replacing: str | Anything | None = ANYTHING
) -> None:
    """Replace a file's content (text as UTF-8) in one step, or leave it as it was.

    ``path`` comes from `resolve`: a link is not followed.  An existing file keeps its mode, owner and access
    list.  Its content is overwritten in place if a new file could not have them, if no file can be created in
    the folder, or if the file has hard links.  A new file gets ``mode``, by default 0666 less the umask.
    With mode `PRIVATE`, an existing file that everyone may read or write becomes private, too.
    ``replacing`` is the text that the file must still have, or None if it must not exist.  Writers in one
    folder wait for each other.  If ``path`` is a pipe, a device or an open descriptor, the content is
    written to it directly, unless it was put where a file with the text ``replacing`` was.

    Raises OutputError (also for a file that is planted, see `descriptors.is_planted`), ChangedError if the
    file is not as ``replacing`` says, and UnwrittenError if the disk is full.
    """
    if isinstance(data, str):
        data = encode(data)
    with about(path):
        try:
            if is_special(path) and (not isinstance(replacing, str) or descriptor_of(path) is not None):
                _write_through(path, data)
            else:
                from encconf.io.replace import replace

                if isinstance(replacing, Anything):
                    replace(path, data, mode)
                else:
                    replace(path, data, mode, lambda descriptor: _refuse_other(replacing, descriptor))
        except OutputError:
            raise
        except OSError as error:
            raise cannot_write(error) from None


def stamp(path: str) -> tuple[int, ...] | None:
    """Return a value that changes when a file is written or replaced, or None if there is no file."""
    try:
        state = os.stat(path)
    except OSError:
        return None
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns


def check_writable(path: str) -> None:
    """Raise OutputError if `write_atomic` could not write there.  Call it before you prepare the content."""
    if os.path.exists(path):
        with about(path):
            _refuse_planted(path)
            if not os.access(path, os.R_OK | os.W_OK):  # what is overwritten is read before
                raise OutputDeniedError("cannot be written: permission denied")
        return
    folder = os.path.dirname(path) or "."
    try:
        os.stat(os.path.join(folder, ""))
    except OSError as error:
        raise cannot_write(error).about(path) from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputDeniedError("cannot be written: permission denied for its folder").about(path)


def make_folders(path: str, mode: int = 0o777) -> None:
    """Make a folder and the missing folders above it, each with this mode.  Raises OutputError."""
    missing: list[str] = []
    for place in upwards(path):
        if os.path.islink(place) and not os.path.exists(place):
            raise OutputError("cannot be used: it is a link to a folder that does not exist").about(place)
    path = os.path.realpath(path)
    while not os.path.isdir(path) and path not in missing:  # a drive that is missing has no folder above
        missing.append(path)
        path = os.path.dirname(path)
    for folder in reversed(missing):
        try:
            os.mkdir(folder, mode)
        except OSError as error:
            if not os.path.isdir(folder):  # no other process made it in between
                raise OutputError(f"cannot create the folder: {reason(error)}").about(folder) from None


def _refuse_other(expected: str | None, descriptor: int | None) -> None:
    """Raise ChangedError unless an open file has the text ``expected``.  None is for a missing file."""
    same = expected is None if descriptor is None else _reads_as(descriptor, expected)
    if not same:
        raise ChangedError(
            "it was created in the meantime; nothing was written"
            if expected is None
            else "another program changed it in the meantime; nothing was written",
            hint="run the command again",
        )


def _reads_as(descriptor: int, text: str | None) -> bool:
    """Whether an open file has this text, in UTF-8 or UTF-16."""
    try:
        data = read_all(descriptor, LIMIT)
    except LimitError:
        return False
    if data.decode(errors="surrogateescape") == text:
        return True
    try:
        return decode(data) == text
    except ParseError:
        return False


def is_special(path: str) -> bool:
    """Whether a path leads to a pipe, a device or a descriptor, which cannot be replaced."""
    if descriptor_of(path) is not None:
        return True
    try:
        kind = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(kind) or stat.S_ISDIR(kind))


def _write_through(path: str, data: bytes) -> None:
    number = descriptor_of(path)
    if number is not None:
        # To open it again would start at the beginning of its file, and would fail for a socket.
        descriptor = os.dup(number)
    else:
        _refuse_planted(path)  # to open a pipe would wait for its reader
        descriptor = os.open(path, os.O_WRONLY | NOFOLLOW | NOCTTY | BINARY)
    try:
        if number is None:  # another file may be there since the path was looked at
            refuse_planted(os.fstat(descriptor), os.stat(os.path.dirname(path) or "."))
        write_all(descriptor, data)
    finally:
        os.close(descriptor)


# --- texts that are installed with encconf, in files beside its modules ---------------------------


def packaged(package: str, name: str) -> str:
    """Return the text of a file in the folder of a loaded package, or in a folder below it.

    `importlib.resources` does the same, but to load it takes longer than most commands do.
    """
    module = sys.modules[package]
    path = os.path.join(os.path.dirname(module.__file__ or ""), *name.split("/"))
    data: bytes = module.__loader__.get_data(path)  # type: ignore[union-attr]
    return data.decode().replace("\r\n", "\n")  # git for Windows may have written \r\n
