"""Reading and writing files so that nothing hangs, nothing is lost and no plaintext is left behind.

Reading takes regular files and pipes only, up to a limit, and keeps every byte's meaning (UTF-8,
no newline translation).  Writing replaces a file at once or not at all; a file that cannot be
replaced is overwritten (`encconf.io.inplace`).  What is not finished has no name where the file system
allows that, so a process that is killed leaves nothing.  `PrivateFolder` is the only place where
encconf puts a plaintext that you did not ask for.  sops 3.13.3 truncates before it writes; encconf
does not.
"""

from __future__ import annotations

import errno
import os
import stat

from encconf.errors import (
    ChangedError,
    EncconfError,
    InputDeniedError,
    InputError,
    LimitError,
    MissingFileError,
    OutputDeniedError,
    OutputError,
    ParseError,
    UnwrittenError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import FrameType
    from typing import Final

LIMIT = 64 << 20
"""The largest file that is read, in bytes (64 MiB)."""

PIPE_PATIENCE = 2.0
"""How long a program has to open a pipe that is read, in seconds; once it has, it may take its time."""

LOCK_PATIENCE = 10.0
"""How long a write waits for another one in the same folder, in seconds."""

TURN_PATIENCE = 60.0
"""How long a change of one value waits for other changes of the same file, in seconds."""


class Anything:
    """The type of `ANYTHING`."""


ANYTHING: Final = Anything()
"""For `write_atomic`: replace whatever is there."""

_CHUNK = 1 << 20
_UNFINISHED = ".encconf-"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")  # how such a text begins


# --- standard streams ----------------------------------------------------------------------


def open_standard_streams() -> None:
    """Put /dev/null on 0, 1 and 2 where they are closed, so that no file ever gets those numbers.

    The wrong way round for 0 and 1: reading from a closed stdin and writing to a closed stdout
    stay errors.
    """
    for descriptor, access in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, access)  # gets the lowest free number, which is this one


def read_stdin(*, binary: bool = False) -> str:
    """All of stdin as text; errors as for `read_text`."""
    try:
        return decode(stdin_bytes(), binary=binary)
    except InputError as error:
        raise error.about("stdin") from None


def stdin_bytes() -> bytes:
    """All of stdin; errors as for `read_bytes`."""
    try:
        return _read_all(0)
    except InputError as error:
        raise error.about("stdin") from None
    except OSError as error:
        raise InputError(f"cannot be read: {_reason(error)}").about("stdin") from None


def write_stdout(data: str | bytes) -> None:
    """Write to stdout (text as UTF-8) and make sure that it got there.

    Raises UnwrittenError; BrokenPipeError where the reader has gone.
    """
    try:
        write_all(1, encode(data) if isinstance(data, str) else data)
        os.close(os.dup(1))  # some file systems tell of a full disk only at a close
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UnwrittenError(f"cannot be written: {_reason(error)}").about("stdout") from None


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte to a descriptor, also to one that doesn't block.  Raises OSError."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            import select

            select.select([], [descriptor], [])


# --- reading -------------------------------------------------------------------------------


def resolve(path: str) -> str:
    """The file that a path names, every link followed.

    Call it once, and read and write what it says: a link that is changed in between cannot make you
    overwrite another file.  The path of an open descriptor (`descriptor_of`) stays as it is: what it
    leads to may have no name at all.
    """
    return path if descriptor_of(path) is not None else os.path.realpath(path)


def descriptor_of(path: str) -> int | None:
    """The number of the open descriptor that a path names: /dev/stderr, /dev/fd/3, a shell's ``>(…)``."""
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
"""Is told the path and the text of each file that `read_text` reads; for `encconf.auditlog` alone."""


def read_text(path: str, *, binary: bool = False, own: bool = False) -> str:
    """The text of a file, every byte of it: UTF-8, a byte order mark and ``\\r\\n`` kept; or UTF-16.

    With ``binary``, bytes that are not UTF-8 become lone surrogates (``surrogateescape``); ``own`` as for
    `read_bytes`.

    Raises MissingFileError, LimitError (more than `LIMIT`), ParseError (not UTF-8), InputError
    (unreadable, or neither a regular file nor a pipe: a link in a repository may lead to /dev/zero).
    """
    return text_of(path, read_bytes(path, regular=own, own=own), binary=binary)


def text_of(path: str, data: bytes, *, binary: bool = False) -> str:
    """The text of a file that has been read; as `read_text`."""
    try:
        text = decode(data, binary=binary)
    except InputError as error:
        raise error.about(path) from None
    if watching is not None:
        watching(path, text)
    return text


def read_bytes(path: str, *, regular: bool = False, own: bool = False, limit: int | None = None) -> bytes:
    """The bytes of a file, at most ``limit`` (by default `LIMIT`); errors as for `read_text`.

    ``regular`` refuses pipes, too, so that nobody is waited for; ``own`` refuses what others than this
    user and root can have written.
    """
    if path == os.devnull:
        return b""  # by its own name it is meant: --config /dev/null
    try:
        # O_NONBLOCK: opening a pipe or a device must not hang.
        descriptor = os.open(path, os.O_RDONLY | _NONBLOCK | _NOCTTY | _CLOEXEC | _BINARY)
    except (FileNotFoundError, NotADirectoryError):
        raise MissingFileError("no such file").about(path) from None
    except OSError as error:
        raise _cannot_read(error).about(path) from None
    except ValueError:
        raise InputError("cannot be read: not a path").about(path.replace("\0", "\\0")) from None
    try:
        state = os.fstat(descriptor)
        kind = state.st_mode
        head = b""
        if stat.S_ISFIFO(kind) and not regular:
            head = _await_writer(descriptor)
        elif not stat.S_ISREG(kind):
            other = "no regular file" if regular else "neither a regular file nor a pipe"
            what = "a folder" if stat.S_ISDIR(kind) else other
            raise InputError(f"cannot be read: it is {what}")
        if own and hasattr(os, "geteuid"):
            _refuse_foreign(state)
        return head + _read_all(descriptor, limit)
    except InputError as error:
        raise error.about(path) from None
    except OSError as error:
        raise _cannot_read(error).about(path) from None
    finally:
        os.close(descriptor)


def _refuse_foreign(state: os.stat_result) -> None:
    if state.st_uid not in (os.geteuid(), 0):
        raise InputError("it belongs to somebody else, and is not used", hint="chown it, or move it away")
    if state.st_mode & 0o022:
        raise InputError("others may write it, and it is not used", hint="chmod go-w takes that away")


def encode(text: str) -> bytes:
    """Text as bytes: UTF-8, and as they were the bytes that `decode` took for a binary file."""
    return text.encode("utf-8", "surrogateescape")


_OF_SOPS = (b"sops_mac=", b"[sops]")
"""How a line of an encrypted dotenv file and one of an INI file begin."""


def decode(data: bytes, *, binary: bool = False) -> str:
    """Bytes as text: UTF-8, or UTF-16 with its byte order mark; ``binary`` as for `read_text`.

    A dotenv or INI file that sops encrypted may hold any bytes, and is read as if ``binary``.  Raises
    ParseError, which says where and not what, for what isn't UTF-8 otherwise.
    """
    if not binary and data[:2] in _UTF16:
        try:
            return data.decode("utf-16")
        except UnicodeDecodeError as error:
            raise ParseError(f"not UTF-16 at byte {error.start}, though it begins so") from None
    try:
        return data.decode("utf-8", "surrogateescape" if binary else "strict")
    except UnicodeDecodeError as error:
        if any(b"\n" + mark in b"\n" + data for mark in _OF_SOPS):
            return data.decode("utf-8", "surrogateescape")
        line = data.count(b"\n", 0, error.start) + 1
        raise ParseError(f"not UTF-8 at byte {error.start}", line=line) from None


def _read_all(descriptor: int, limit: int | None = None) -> bytes:
    limit = LIMIT if limit is None else limit
    chunks = []
    size = 0
    while chunk := os.read(descriptor, _CHUNK):
        chunks.append(chunk)
        size += len(chunk)
        if size > limit:
            raise LimitError(
                f"larger than {limit >> 20} MiB" if limit >> 20 else f"larger than {limit >> 10} KiB"
            )
    return b"".join(chunks)


def _await_writer(descriptor: int) -> bytes:
    """What a program has written first to a pipe, if anything.

    Without this, a pipe that no program has opened for writing yet would look empty, and if none ever does,
    it would be waited for.  Raises InputError.
    """
    import select

    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    head = b""
    if not waiting.poll(PIPE_PATIENCE * 1000):
        try:
            head = os.read(descriptor, _CHUNK)
        except BlockingIOError:  # some program has opened it
            pass
        else:
            if not head:
                raise InputError("cannot be read: it is a pipe, and no program writes to it")
    os.set_blocking(descriptor, True)
    return head


# --- writing -------------------------------------------------------------------------------


PRIVATE = 0o600
"""The mode of a file with plaintext or keys: only its owner can read it."""


def write_atomic(
    path: str, data: str | bytes, *, mode: int | None = None, replacing: str | Anything | None = ANYTHING
) -> None:
    """Replace a file's content (text as UTF-8) in one step, or leave it as it was.

    ``path`` comes from `resolve`: a link in its last place is not followed.  An existing file keeps
    its mode, owner and access list; where a replacement could not have them, where the folder cannot
    take one, and where the file has hard links, its content is overwritten instead.  A new file gets
    ``mode``, by default what the umask leaves of 0666.  With mode `PRIVATE`, an existing file that
    everyone may read or write gets it, too.  ``replacing`` is the text that the file must still have,
    None for a file that must not exist yet.  Writers in one folder wait for each other.  What is not
    a regular file (a pipe, a device, an open descriptor) is written to directly.

    Raises OutputError: ChangedError when the file isn't as ``replacing`` says, UnwrittenError when the
    disk is full.
    """
    if isinstance(data, str):
        data = encode(data)
    try:
        if is_special(path):
            _write_through(path, data)
        else:
            with SignalGuard() as guard:
                _replace(path, data, mode, replacing, guard)
    except OutputError as error:
        raise error.about(path) from None
    except OSError as error:
        raise _cannot_write(error).about(path) from None


_FULL = (errno.ENOSPC, errno.EFBIG, errno.EIO, getattr(errno, "EDQUOT", errno.ENOSPC))


def check_writable(path: str) -> None:
    """Raise OutputError if `write_atomic` could not put a file there, before work is put into it."""
    if os.path.exists(path):
        if not os.access(path, os.W_OK):
            raise OutputDeniedError("cannot be written: permission denied").about(path)
        return
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        raise OutputError("cannot be written: its folder does not exist").about(path)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputDeniedError("cannot be written: permission denied for its folder").about(path)


def _replace(
    path: str, data: bytes, mode: int | None, replacing: str | Anything | None, guard: SignalGuard
) -> None:
    folder, name = os.path.split(path)
    with _LockedFolder(folder or ".") as at:
        old = _replaceable(at, name)
        if not isinstance(replacing, Anything) and not _is_still(_current(at, name), replacing):
            raise ChangedError(
                "it appeared meanwhile; nothing was written"
                if replacing is None
                else "it was changed meanwhile by somebody else; nothing was written",
                hint="run the command again",
            )
        if old is None:
            with _Unfinished(at, 0o666 if mode is None else mode) as new:
                new.write(data)
                new.become(name, new=True)
        elif not _exchange(at, name, data, old, _mode(old, mode)):
            from encconf.io.inplace import overwrite

            guard.hold()
            overwrite(at.open(name, os.O_RDWR), data, _mode(old, mode), folder or ".")
        at.sync()


def _replaceable(at: _LockedFolder, name: str) -> os.stat_result | None:
    """The state of the file to replace, None if there is none.  Raises OutputError if it can't be."""
    try:
        old = os.stat(at.name(name), dir_fd=at.descriptor, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(old.st_mode):
        what = "a folder" if stat.S_ISDIR(old.st_mode) else "not the regular file that it was"
        raise OutputError(f"cannot be written: it is {what}")
    if not os.access(at.name(name), os.W_OK, dir_fd=at.descriptor):
        os.close(at.open(name, os.O_WRONLY))  # raises, and says why
        raise OutputError("cannot be written: permission denied")
    return old


def _mode(old: os.stat_result, mode: int | None) -> int:
    """The mode of a file after it was written: its own, but nothing private is left to everyone."""
    kept = stat.S_IMODE(old.st_mode) & 0o777
    return kept & 0o700 if mode == PRIVATE and kept & 0o007 else kept


def _exchange(at: _LockedFolder, name: str, data: bytes, old: os.stat_result, mode: int) -> bool:
    """Put a new file in place of the old one; False, with nothing changed, if that would lose something."""
    if old.st_nlink > 1:
        return False  # the other names would keep the old content
    try:
        new = _Unfinished(at, PRIVATE)
    except OSError as error:
        if error.errno in _NO_EXCHANGE:
            return False
        raise
    with new:
        if not _keep_attributes(new.descriptor, old, at, name):
            return False
        new.write(data, mode)
        try:
            new.become(name)
        except OSError as error:
            if error.errno in _NO_EXCHANGE:
                return False
            raise
    return True


_NO_EXCHANGE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY, errno.EXDEV)
"""A folder that takes no new files or keeps others' files (sticky), a file that is mounted."""


class _Unfinished:
    """A new file in a folder that has no name before it is complete, where the system can do that.

    Elsewhere it has a name of its own (`is_leftover`), which it loses again on every way out but SIGKILL.
    """

    def __init__(self, at: _LockedFolder, mode: int) -> None:
        self._at = at
        self._name = ""
        # A name is given by linkat, which Python calls only relative to an open folder.
        self._unnamed = (
            hasattr(os, "O_TMPFILE") and at.descriptor is not None and os.path.isdir("/proc/self/fd")
        )
        if self._unnamed:
            try:
                self.descriptor = at.open(".", os.O_WRONLY | os.O_TMPFILE, mode)
                return
            except OSError as error:
                if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL):
                    raise
                self._unnamed = False
        while not self._name:
            self._name = unfinished_name()
            try:
                self.descriptor = at.open(self._name, _CREATE, mode)
            except FileExistsError:
                self._name = ""

    def __enter__(self) -> _Unfinished:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)
        if self._name:
            self._at.unlink(self._name)

    def write(self, data: bytes, mode: int | None = None) -> None:
        """Write all of the file, and then give it its mode."""
        write_all(self.descriptor, data)
        if mode is not None and hasattr(os, "fchmod"):
            os.fchmod(self.descriptor, mode)
        os.fsync(self.descriptor)

    def become(self, name: str, *, new: bool = False) -> None:
        """Take the place of a file, or be a ``new`` one."""
        folder = self._at.descriptor
        if new and self._unnamed and self._link(name):
            return
        while not self._name:
            self._name = unfinished_name()
            if not self._link(self._name):
                self._name = ""
        if os.name == "nt":
            os.close(self.descriptor)  # an open file cannot be renamed there
            self.descriptor = os.open(os.devnull, os.O_RDONLY)
        os.replace(self._at.name(self._name), self._at.name(name), src_dir_fd=folder, dst_dir_fd=folder)
        self._name = ""

    def _link(self, name: str) -> bool:
        # With dir_fd this is linkat with AT_SYMLINK_FOLLOW.
        try:
            os.link(
                f"/proc/self/fd/{self.descriptor}",
                self._at.name(name),
                dst_dir_fd=self._at.descriptor,
                follow_symlinks=True,
            )
        except FileExistsError:
            return False
        return True


def sweep(folder: str) -> list[str]:
    """Remove what writes that were killed have left in a folder; the names of what was removed.

    Half of a new content, or all of it, in a file of the owner's, beside the file that it was for.
    Nothing is done where the folder cannot be locked: somebody may be writing there.
    """
    gone: list[str] = []
    try:
        if not _leftovers(folder):
            return []
        with _LockedFolder(folder) as at:
            # Look again: what was there may have been a write that has finished by now.
            for name in _leftovers(folder) if at.locked else ():
                if at.unlink(name):
                    gone.append(name)
    except (OSError, OutputError):
        pass
    return gone


def _leftovers(folder: str) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries if is_leftover(entry.name)]


def is_leftover(name: str) -> bool:
    """Whether a file is called as `write_atomic` calls one that is not finished."""
    return name.startswith(_UNFINISHED) and len(name) == len(_UNFINISHED) + 8


def unfinished_name() -> str:
    """A name for `is_leftover`: short, so that there is room for it beside a name of 255 bytes."""
    return f"{_UNFINISHED}{os.urandom(4).hex()}"


def _is_still(now: str | None, text: str | None) -> bool:
    """Whether what `_current` gives is the text that `read_text` gave; a UTF-16 file is not its bytes."""
    if now == text:
        return True
    data = b"" if now is None else encode(now[:2])
    if now is None or data not in _UTF16:
        return False
    try:
        return decode(encode(now)) == text
    except ParseError:
        return False


def _current(at: _LockedFolder, name: str) -> str | None:
    """The file's text now; what isn't UTF-8 stays different from every text."""
    try:
        descriptor = at.open(name, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        return _read_all(descriptor).decode(errors="surrogateescape")
    except LimitError:
        return ""
    finally:
        os.close(descriptor)


def _keep_attributes(descriptor: int, old: os.stat_result, at: _LockedFolder, name: str) -> bool:
    """Give the new file the old one's owner, group and access list; whether it has all of them now."""
    if not hasattr(os, "fchown"):
        return True
    new = os.fstat(descriptor)
    if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
        try:
            os.fchown(descriptor, old.st_uid, old.st_gid)
        except OSError:
            return False
    return not hasattr(os, "listxattr") or _copy_access_list(descriptor, at, name)


def _copy_access_list(descriptor: int, at: _LockedFolder, name: str) -> bool:
    """Copy the extended attributes as far as possible; whether there is now no less access control."""
    try:
        source = at.open(name, os.O_RDONLY)
    except OSError:
        return False
    complete = True
    try:
        for attribute in os.listxattr(source):
            try:
                os.setxattr(descriptor, attribute, os.getxattr(source, attribute))
            except OSError:
                complete = complete and attribute != "system.posix_acl_access"
    except OSError:
        return True  # a file system without such attributes
    finally:
        os.close(source)
    return complete


def is_special(path: str) -> bool:
    """Whether a path leads to something that can only be written to: a pipe, a device, a descriptor."""
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
        # Not opened again: that would start at the beginning of its file, and fails on a socket.
        descriptor = os.dup(number)
    else:
        descriptor = os.open(path, os.O_WRONLY | _NOCTTY | _CLOEXEC | _BINARY)
    try:
        write_all(descriptor, data)
    finally:
        os.close(descriptor)


class _LockedFolder:
    """An open folder that no other encconf writes to meanwhile.

    The folder itself is locked: there is no lock file that could be planted or left behind.  All
    names are taken relative to the open folder, so that it cannot be exchanged.  On Windows, and for
    a folder that may not be listed, ``descriptor`` is None and names are whole paths.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.descriptor: int | None = None
        self.locked = False

    def __enter__(self) -> _LockedFolder:
        if os.open in os.supports_dir_fd:
            try:
                self.descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | _NOFOLLOW | _CLOEXEC)
            except PermissionError:
                return self
            try:
                self.locked = _lock(self.descriptor, LOCK_PATIENCE)
            except BaseException:
                os.close(self.descriptor)
                raise
        return self

    def __exit__(self, *_: object) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)  # unlocks

    def name(self, name: str) -> str:
        return name if self.descriptor is not None else os.path.join(self.folder, name)

    def open(self, name: str, flags: int, mode: int = 0o600) -> int:
        """Open a file of the folder, never through a link."""
        flags |= _NOFOLLOW | _NONBLOCK | _CLOEXEC | _BINARY
        return os.open(self.name(name), flags, mode, dir_fd=self.descriptor)

    def unlink(self, name: str) -> bool:
        try:
            os.unlink(self.name(name), dir_fd=self.descriptor)
        except FileNotFoundError:
            return False
        return True

    def sync(self) -> None:
        if self.descriptor is not None:
            try:
                os.fsync(self.descriptor)
            except OSError:
                return  # some file systems cannot sync a folder; the file itself is safe


def _lock(descriptor: int, patience: float) -> bool:
    """Lock an open file or folder; False where there are no locks (some NFS).

    Raises OutputError after ``patience`` seconds.
    """
    import fcntl
    import time

    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise OutputError(
                    f"cannot be written: somebody else has locked its folder for {patience:g} s"
                ) from None
            time.sleep(0.01)
        except OSError:
            return False


class Turn:
    """``with Turn(path):`` — wait until no other `Turn` holds the file, at most `TURN_PATIENCE` seconds.

    For a change that reads, computes and writes, so that many of them at once are made one after the
    other.  Nothing depends on it: whoever does not wait, or has waited too long, still writes only
    over what it has read (``replacing``).
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor: int | None = None

    def __enter__(self) -> None:
        import time

        deadline = time.monotonic() + TURN_PATIENCE
        while os.name == "posix" and time.monotonic() < deadline:
            try:
                self._descriptor = os.open(self._path, os.O_RDONLY | _NOFOLLOW | _NONBLOCK | _CLOEXEC)
                _lock(self._descriptor, deadline - time.monotonic())
                if os.path.samestat(os.fstat(self._descriptor), os.stat(self._path)):
                    return
            except (OSError, OutputError):
                return  # there is no such file yet, or it is not to be waited for any longer
            self.__exit__()  # another file has taken its place meanwhile

    def __exit__(self, *_: object) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)  # unlocks
            self._descriptor = None


# --- private folders and signals -----------------------------------------------------------


class PrivateFolder:
    """``with PrivateFolder() as path:`` — a new folder of mode 0700, gone afterwards.

    It is in memory (tmpfs) where there is such a place: $TMPDIR, $XDG_RUNTIME_DIR or /dev/shm;
    otherwise in $TMPDIR or /tmp.  It is removed with all that is in it on every way out, SIGINT,
    SIGTERM, SIGHUP and SIGQUIT included; only SIGKILL leaves it, and then the next one removes it.
    A process holds a lock on its folder, so that nobody takes it for such a leftover.

    Raises OutputError, also when the folder could not be removed.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._environ = environ
        self._guard = SignalGuard()
        self._descriptor: int | None = None
        self.path = ""

    def __enter__(self) -> str:
        self._guard.__enter__()
        try:
            failed = OutputError("there is no place for a temporary folder", hint="set TMPDIR to a folder")
            for place in _temporary_places(self._environ):
                _sweep_private(place)
                try:
                    while not self._make(place):
                        pass
                except OSError as error:
                    failed = OutputError(f"cannot make a temporary folder in {place}: {_reason(error)}")
                else:
                    return self.path
            raise failed
        except BaseException:
            self.__exit__()
            raise

    def _make(self, place: str) -> bool:
        """Make the folder and lock it; False if somebody swept it in between."""
        path = os.path.join(place, f"{_PRIVATE_FOLDER}{os.urandom(8).hex()}")
        os.mkdir(path, 0o700)
        self.path = path
        try:
            self._descriptor = _locked_private(path)
        except FileNotFoundError:
            self.path = ""
        return bool(self.path)

    def __exit__(self, _: object = None, error: object = None, __: object = None) -> None:
        try:
            self._guard.hold()
            if self.path:
                _remove(self.path)
            if self.path and os.path.lexists(self.path):
                hint = f"the temporary folder with the plaintext could not be removed; remove {self.path}"
                if not isinstance(error, EncconfError):
                    raise OutputError("a plaintext is left", hint=hint)
                error.hint = f"{error.hint}; {hint}" if error.hint else hint
        finally:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None
            self._guard.__exit__()


_PRIVATE_FOLDER = "encconf-"


def _locked_private(path: str) -> int | None:
    """An open descriptor that holds the lock on a private folder; None where there are no locks.

    Raises FileNotFoundError when somebody else has it: they are removing it.
    """
    try:
        import fcntl
    except ImportError:
        return None
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | _NOFOLLOW | _CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.stat(path)
    except (BlockingIOError, FileNotFoundError):
        os.close(descriptor)
        raise FileNotFoundError(path) from None
    except OSError:
        pass
    return descriptor


def _sweep_private(place: str) -> None:
    """Remove this user's private folders that no running process holds: it was killed."""
    try:
        with os.scandir(place) as entries:
            names = [entry.name for entry in entries if entry.name.startswith(_PRIVATE_FOLDER)]
    except OSError:
        return
    for name in names:
        path = os.path.join(place, name)
        try:
            state = os.lstat(path)
            mine = stat.S_ISDIR(state.st_mode) and state.st_uid == os.geteuid()
            if not mine or len(name) != len(_PRIVATE_FOLDER) + 16:
                continue
            os.chmod(path, 0o700)
            descriptor = _locked_private(path)
        except (OSError, AttributeError):
            continue
        if descriptor is not None:
            _remove(path)
            os.close(descriptor)


def write_private(path: str, data: str) -> None:
    """Write a new file that only its owner can read (0600).  Raises OutputError."""
    try:
        descriptor = os.open(path, _CREATE, 0o600)
        try:
            write_all(descriptor, encode(data))
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _cannot_write(error).about(path) from None


class SignalGuard:
    """Inside it, the signals that would end the process at once raise instead, so that cleanups run.

    SIGINT raises KeyboardInterrupt, SIGTERM, SIGHUP and SIGQUIT raise SystemExit(128 + number).
    Once one has come, further ones are ignored until the guard is left.  Handlers that a program
    has set are left alone, and in other threads than the main one nothing is done.
    """

    def __init__(self) -> None:
        self._before: dict[int, object] = {}
        self._held: set[int] = set()

    def __enter__(self) -> SignalGuard:
        import signal

        for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"):
            number = getattr(signal, name, None)
            if number is None:
                continue
            handler = signal.getsignal(number)
            if handler in (signal.SIG_DFL, signal.default_int_handler):
                try:
                    signal.signal(number, self._leave)
                except ValueError:
                    break  # not the main thread
                self._before[number] = handler
        return self

    def __exit__(self, *_: object) -> None:
        import signal

        while self._before:
            number, handler = self._before.popitem()
            signal.signal(number, handler)  # type: ignore[arg-type]
        if self._held:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, self._held)

    def hold(self) -> None:
        """Let signals wait from now on until the guard is left: for a cleanup that nothing may stop."""
        import signal

        if hasattr(signal, "pthread_sigmask") and not self._held:
            self._held = set(self._before) - signal.pthread_sigmask(signal.SIG_BLOCK, self._before)

    def _leave(self, number: int, _: FrameType | None) -> None:
        import signal

        for each in self._before:
            signal.signal(each, signal.SIG_IGN)
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + number)


def _temporary_places(environ: Mapping[str, str]) -> Iterator[str]:
    configured = environ.get("TMPDIR") or ""
    mounts = _memory_mounts()
    for place in (configured, environ.get("XDG_RUNTIME_DIR") or "", "/dev/shm"):
        if os.path.isabs(place) and _in_memory(place, mounts) and os.access(place, os.W_OK | os.X_OK):
            yield place
    for place in (configured, environ.get("TEMP") or "", "/tmp", "."):
        if place and os.path.isdir(place):
            yield os.path.abspath(place)


def _memory_mounts() -> dict[str, bool]:
    """Every mount point, and whether what is there is in memory only.  Empty where /proc isn't."""
    try:
        with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as mounts:
            return {fields[1]: fields[2] in ("tmpfs", "ramfs") for fields in map(str.split, mounts)}
    except OSError:
        return {}


def _in_memory(place: str, mounts: Mapping[str, bool]) -> bool:
    place = os.path.realpath(place)
    while place not in mounts:
        parent = os.path.dirname(place)
        if parent == place:
            return False
        place = parent
    return mounts[place]


def _remove(path: str) -> None:
    """Remove a folder and what is in it; what cannot be removed stays, and nothing is raised."""
    try:
        os.chmod(path, 0o700)  # an editor may have taken our rights away
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    _remove(entry.path)
                else:
                    os.unlink(entry.path)
        os.rmdir(path)
    except OSError:
        pass


def _cannot_read(error: OSError) -> InputError:
    said = f"cannot be read: {_reason(error)}"
    if not isinstance(error, PermissionError):
        return InputError(said)
    denied = InputDeniedError(said)
    denied.errno, denied.strerror = error.errno, error.strerror
    return denied


def _cannot_write(error: OSError) -> OutputError:
    said = f"cannot be written: {_reason(error)}"
    if not isinstance(error, PermissionError):
        return UnwrittenError(said) if error.errno in _FULL else OutputError(said)
    denied = OutputDeniedError(said)
    denied.errno, denied.strerror = error.errno, error.strerror
    return denied


def _reason(error: OSError) -> str:
    """Why, in the system's words, which name neither a file nor its content."""
    reason = error.strerror or type(error).__name__
    return reason[:1].lower() + reason[1:]


_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_NONBLOCK = getattr(os, "O_NONBLOCK", 0)
_NOCTTY = getattr(os, "O_NOCTTY", 0)
_CLOEXEC = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOINHERIT", 0)
_BINARY = getattr(os, "O_BINARY", 0)
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOFOLLOW | _CLOEXEC | _BINARY
