"""Reading and writing files so that nothing hangs, nothing is lost and nothing plain lies about.

Reading takes regular files and pipes only, up to a limit, and keeps every byte's meaning (UTF-8,
no newline translation).  Writing replaces a file at once or not at all.  `PrivateFolder` is the one
place where a plaintext stands on disk without having been asked for.  sops 3.13.2 truncates before
it writes; that is not copied.  Hard links to a replaced file keep the old content.
"""

from __future__ import annotations

import os
import stat

from encconf.errors import ChangedError, InputError, LimitError, MissingFileError, OutputError, ParseError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import FrameType
    from typing import Final

LIMIT = 64 << 20
"""The largest file that is read, in bytes (64 MiB)."""

LOCK_PATIENCE = 10.0
"""How long a write waits for another one in the same folder, in seconds."""


class Anything:
    """The type of `ANYTHING`."""


ANYTHING: Final = Anything()
"""For `write_atomic`: replace whatever is there."""

_CHUNK = 1 << 20
_UNFINISHED = ".encconf-"


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
        return decode(_read_all(0), binary=binary)
    except InputError as error:
        raise error.about("stdin") from None
    except OSError as error:
        raise InputError(f"cannot be read: {_reason(error)}").about("stdin") from None


def write_stdout(data: str | bytes) -> None:
    """Write to stdout (text as UTF-8) and make sure that it got there.

    Raises OutputError; BrokenPipeError where the reader has gone.
    """
    try:
        write_all(1, encode(data) if isinstance(data, str) else data)
        os.close(os.dup(1))  # some file systems tell of a full disk only at a close
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"cannot be written: {_reason(error)}").about("stdout") from None


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

    Call it once, and read and write what it says: a link that is changed in between can then not
    make a foreign file be overwritten.
    """
    return os.path.realpath(path)


watching: Callable[[str, str], None] | None = None
"""Is told the path and the text of each file that `read_text` reads; for `encconf.auditlog` alone."""


def read_text(path: str, *, binary: bool = False, own: bool = False) -> str:
    """The text of a file, every byte of it: UTF-8, a byte order mark and ``\\r\\n`` kept.

    With ``binary``, bytes that are not UTF-8 become lone surrogates (``surrogateescape``); ``own`` as for
    `read_bytes`.

    Raises MissingFileError, LimitError (more than `LIMIT`), ParseError (not UTF-8), InputError
    (unreadable, or neither a regular file nor a pipe: a link in a repository may lead to /dev/zero).
    """
    data = read_bytes(path, regular=own, own=own)
    try:
        text = decode(data, binary=binary)
    except InputError as error:
        raise error.about(path) from None
    if watching is not None:
        watching(path, text)
    return text


def read_bytes(path: str, *, regular: bool = False, own: bool = False) -> bytes:
    """The bytes of a file; errors as for `read_text`.

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
        raise InputError(f"cannot be read: {_reason(error)}").about(path) from None
    except ValueError:
        raise InputError("cannot be read: not a path").about(path.replace("\0", "\\0")) from None
    try:
        state = os.fstat(descriptor)
        kind = state.st_mode
        if stat.S_ISFIFO(kind) and not regular:
            _await_writer(descriptor)
        elif not stat.S_ISREG(kind):
            other = "no regular file" if regular else "neither a regular file nor a pipe"
            what = "a folder" if stat.S_ISDIR(kind) else other
            raise InputError(f"cannot be read: it is {what}")
        if own and hasattr(os, "geteuid"):
            _refuse_foreign(state)
        return _read_all(descriptor)
    except InputError as error:
        raise error.about(path) from None
    except OSError as error:
        raise InputError(f"cannot be read: {_reason(error)}").about(path) from None
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
    """Bytes as text; ``binary`` as for `read_text`.

    A dotenv or INI file that sops encrypted may hold any bytes, and is read as if ``binary``.  Raises
    ParseError, which says where and not what, for what isn't UTF-8 otherwise.
    """
    try:
        return data.decode("utf-8", "surrogateescape" if binary else "strict")
    except UnicodeDecodeError as error:
        if any(b"\n" + mark in b"\n" + data for mark in _OF_SOPS):
            return data.decode("utf-8", "surrogateescape")
        utf16 = data[:2] in (b"\xff\xfe", b"\xfe\xff")
        raise ParseError(
            f"not UTF-8 at byte {error.start}",
            line=data.count(b"\n", 0, error.start) + 1,
            hint="it looks like UTF-16: save it as UTF-8" if utf16 else None,
        ) from None


def _read_all(descriptor: int) -> bytes:
    chunks = []
    size = 0
    while chunk := os.read(descriptor, _CHUNK):
        chunks.append(chunk)
        size += len(chunk)
        if size > LIMIT:
            raise LimitError(f"larger than {LIMIT >> 20} MiB")
    return b"".join(chunks)


def _await_writer(descriptor: int) -> None:
    """Without this, a pipe that nobody has opened for writing yet would look empty."""
    import select

    os.set_blocking(descriptor, True)
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    waiting.poll()


# --- writing -------------------------------------------------------------------------------


def write_atomic(
    path: str, data: str | bytes, *, mode: int | None = None, replacing: str | Anything | None = ANYTHING
) -> None:
    """Replace a file's content (text as UTF-8) in one step, or leave it as it was.

    ``path`` comes from `resolve`: a link in its last place is not followed.  A file that is there
    keeps its mode, its owner and its access list as far as that is allowed; a new one gets ``mode``,
    by default what the umask leaves of 0666.  ``replacing`` is the text that the file must still
    have, None for a file that must not be there yet.  Writers in one folder wait for each other.
    What is no regular file (a pipe, a device) is written to directly.

    Raises OutputError, ChangedError when the file isn't as ``replacing`` says.
    """
    if isinstance(data, str):
        data = encode(data)
    try:
        if is_special(path):
            _write_through(path, data)
        else:
            with SignalGuard():
                _replace(path, data, mode, replacing)
    except OutputError as error:
        raise error.about(path) from None
    except OSError as error:
        raise OutputError(f"cannot be written: {_reason(error)}").about(path) from None


def check_writable(path: str) -> None:
    """Raise OutputError if `write_atomic` could not put a file there, before work is put into it."""
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        raise OutputError("cannot be written: its folder does not exist").about(path)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError("cannot be written: permission denied for its folder").about(path)
    if os.path.exists(path) and not os.access(path, os.W_OK):
        raise OutputError("cannot be written: permission denied").about(path)


def _replace(path: str, data: bytes, mode: int | None, replacing: str | Anything | None) -> None:
    folder, name = os.path.split(path)
    with _LockedFolder(folder or ".") as at:
        try:
            old = os.stat(at.name(name), dir_fd=at.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            old = None
        if old is not None and not stat.S_ISREG(old.st_mode):
            what = "a folder" if stat.S_ISDIR(old.st_mode) else "not the regular file that it was"
            raise OutputError(f"cannot be written: it is {what}")
        if old is not None and not os.access(at.name(name), os.W_OK, dir_fd=at.descriptor):
            flags = os.O_WRONLY | _NOFOLLOW | _NONBLOCK | _CLOEXEC | _BINARY
            os.close(os.open(at.name(name), flags, dir_fd=at.descriptor))  # raises, and says why
            raise OutputError("cannot be written: permission denied")
        if not isinstance(replacing, Anything) and _current(at, name) != replacing:
            raise ChangedError(
                "it appeared meanwhile; nothing was written"
                if replacing is None
                else "it was changed meanwhile by somebody else; nothing was written",
                hint="run the command again",
            )
        temporary = ""
        try:
            while True:
                # Short, so that there is room for it beside a name of 255 bytes.
                temporary = at.name(f"{_UNFINISHED}{os.urandom(4).hex()}")
                try:
                    descriptor = os.open(
                        temporary,
                        _CREATE,
                        (0o666 if mode is None else mode) if old is None else 0o600,
                        dir_fd=at.descriptor,
                    )
                    break
                except FileExistsError:
                    temporary = ""
            try:
                write_all(descriptor, data)
                if old is not None:
                    _keep_attributes(descriptor, old, at, name)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.replace(temporary, at.name(name), src_dir_fd=at.descriptor, dst_dir_fd=at.descriptor)
            temporary = ""
        finally:
            if temporary:
                at.unlink(temporary)
        at.sync()


def sweep(folder: str) -> list[str]:
    """Remove what writes that were killed have left in a folder; the names of what is gone.

    Half of a new content, or all of it, in a file of the owner's, beside the file that it was for.
    Nothing is done where the folder cannot be locked: somebody may be writing there.
    """
    gone: list[str] = []
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if is_leftover(entry.name)]
        if not names:
            return []
        with _LockedFolder(folder) as at:
            for name in names if at.locked else ():
                at.unlink(name)
                gone.append(name)
    except (OSError, OutputError):
        pass
    return gone


def is_leftover(name: str) -> bool:
    """Whether a file is called as `write_atomic` calls one that is not finished."""
    return name.startswith(_UNFINISHED) and len(name) == len(_UNFINISHED) + 8


def _current(at: _LockedFolder, name: str) -> str | None:
    """The file's text now; what isn't UTF-8 stays different from every text."""
    try:
        descriptor = os.open(
            at.name(name), os.O_RDONLY | _NOFOLLOW | _NONBLOCK | _CLOEXEC | _BINARY, dir_fd=at.descriptor
        )
    except FileNotFoundError:
        return None
    try:
        return _read_all(descriptor).decode(errors="surrogateescape")
    except LimitError:
        return ""
    finally:
        os.close(descriptor)


def _keep_attributes(descriptor: int, old: os.stat_result, at: _LockedFolder, name: str) -> None:
    """Give the new file the old one's owner, access list and mode, never more access than it had."""
    if not hasattr(os, "fchown"):
        return
    mode = stat.S_IMODE(old.st_mode) & 0o777
    new = os.fstat(descriptor)
    if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
        try:
            os.fchown(descriptor, old.st_uid, old.st_gid)
        except PermissionError:
            try:
                os.fchown(descriptor, -1, old.st_gid)
            except PermissionError:
                mode &= 0o707  # the group's rights were meant for another group
    if hasattr(os, "listxattr") and not _copy_access_list(descriptor, at, name):
        mode &= 0o707  # with an access list the group bits are its mask; alone they would say more
    os.fchmod(descriptor, mode)


def _copy_access_list(descriptor: int, at: _LockedFolder, name: str) -> bool:
    """Copy the extended attributes as far as possible; whether there is now no less access control."""
    try:
        source = os.open(at.name(name), os.O_RDONLY | _NOFOLLOW | _NONBLOCK | _CLOEXEC, dir_fd=at.descriptor)
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
    """Whether a path leads to something that can only be written to: a pipe, a device."""
    try:
        kind = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(kind) or stat.S_ISDIR(kind))


def _write_through(path: str, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | _NOCTTY | _CLOEXEC | _BINARY)
    try:
        write_all(descriptor, data)
    finally:
        os.close(descriptor)


class _LockedFolder:
    """An open folder that no other encconf writes to meanwhile.

    The folder itself is locked: there is no lock file that could be planted or left behind.  All
    names are taken relative to the open folder, so that it cannot be exchanged.  Windows has
    neither; there ``descriptor`` is None and names are whole paths.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.descriptor: int | None = None
        self.locked = False

    def __enter__(self) -> _LockedFolder:
        if os.open in os.supports_dir_fd:
            self.descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | _NOFOLLOW | _CLOEXEC)
            try:
                self.locked = self._lock(self.descriptor)
            except BaseException:
                os.close(self.descriptor)
                raise
        return self

    def __exit__(self, *_: object) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)  # unlocks

    def name(self, name: str) -> str:
        return name if self.descriptor is not None else os.path.join(self.folder, name)

    def unlink(self, name: str) -> None:
        try:
            os.unlink(name, dir_fd=self.descriptor)
        except FileNotFoundError:
            return

    def sync(self) -> None:
        if self.descriptor is not None:
            try:
                os.fsync(self.descriptor)
            except OSError:
                return  # some file systems cannot sync a folder; the file itself is safe

    @staticmethod
    def _lock(descriptor: int) -> bool:
        import fcntl
        import time

        deadline = time.monotonic() + LOCK_PATIENCE
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise OutputError(
                        f"cannot be written: somebody else has locked its folder for {LOCK_PATIENCE:g} s"
                    ) from None
                time.sleep(0.01)
            except OSError:
                return False  # no locks on this file system (some NFS): the write is atomic all the same


# --- private folders and signals -----------------------------------------------------------


class PrivateFolder:
    """``with PrivateFolder() as path:`` — a new folder of mode 0700, gone afterwards.

    It stands in memory (tmpfs) where there is such a place: $TMPDIR, $XDG_RUNTIME_DIR or /dev/shm;
    otherwise in $TMPDIR or /tmp.  It is removed with all that is in it on every way out, SIGINT,
    SIGTERM, SIGHUP and SIGQUIT included; only SIGKILL leaves it.  Raises OutputError.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._environ = environ
        self._guard = SignalGuard()
        self.path = ""

    def __enter__(self) -> str:
        self._guard.__enter__()
        try:
            failed = OutputError("there is no place for a temporary folder", hint="set TMPDIR to a folder")
            for place in _temporary_places(self._environ):
                self.path = os.path.join(place, f"encconf-{os.urandom(8).hex()}")
                try:
                    os.mkdir(self.path, 0o700)
                except OSError as error:
                    self.path = ""
                    failed = OutputError(f"cannot make a temporary folder in {place}: {_reason(error)}")
                else:
                    return self.path
            raise failed
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        try:
            self._guard.hold()
            if self.path:
                _remove(self.path)
        finally:
            self._guard.__exit__()


def write_private(path: str, data: str) -> None:
    """Write a new file that only its owner can read (0600).  Raises OutputError."""
    try:
        descriptor = os.open(path, _CREATE, 0o600)
        try:
            write_all(descriptor, encode(data))
        finally:
            os.close(descriptor)
    except OSError as error:
        raise OutputError(f"cannot be written: {_reason(error)}").about(path) from None


class SignalGuard:
    """Inside it, the signals that would end the process at once raise instead, so that cleanups run.

    SIGINT raises KeyboardInterrupt, SIGTERM, SIGHUP and SIGQUIT raise SystemExit(128 + number).
    Once one has come, further ones are ignored until the guard is left.  Handlers that a program
    has set are left alone, and in other threads than the main one nothing is done.
    """

    def __init__(self) -> None:
        self._before: dict[int, object] = {}
        self._held: set[int] = set()

    def __enter__(self) -> None:
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
                    return  # not the main thread
                self._before[number] = handler

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

        if hasattr(signal, "pthread_sigmask"):
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
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    _remove(entry.path)
                else:
                    os.unlink(entry.path)
        os.rmdir(path)
    except OSError:
        pass


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
