"""``encconf git textconv``: decrypt a file so that ``git diff`` can compare the plaintext.

A failure would stop the whole diff, so textconv never fails.  It shows a file that it cannot decrypt as it
is.  It never asks for a passphrase, since git runs it beside a pager.

git starts it once for each version of a file.  If no key opens a version, the *note* of this git process
gets the recipients of the version: a file in the repository's ``.git`` with git's start time in the first
line, and then a pattern for one recipient in each.  For other versions with such recipients only, the shell
of `driver` answers without Python.  It takes the note only as text, and only from this user: all that a false
note can do is to show a file encrypted.  A key that you get meanwhile counts for the next git process.
"""

from __future__ import annotations

import _socket
import os
import stat
import time

from encconf import __version__
from encconf.errors import EncconfError, KeyAccessError
from encconf.io import fileio
from encconf.io.descriptors import CREATE, NOFOLLOW, PRIVATE
from encconf.io.process import process_of
from encconf.io.sockets import peer_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from socket import socket
    from typing import NoReturn

    from encconf.envelope import WrappedKey
    from encconf.identities.credentials import Credentials


_NOTE = "encconf-no-key-"  # and the number of the git process
_MOST = 100  # the most recipients that a note gets from one file
_SIZE = 1 << 14  # the size from which on a note gets no more

# Prints a file (stdin) as it is and exits with 0 if each wrapped data key in it is for a recipient in the
# note: if the file has as many members "enc" as such recipients.  If git's number is another process's now,
# the start time differs.  The file is one record, unless it contains the character 1.  Some programs (those
# of busybox and the BSDs) end a text at the first NUL: then the exit code is 3, and cat prints the file.
_KNOWN = r"""
BEGIN { note = ENVIRON["n"]; getline started <note; getline s <("/proc/" git "/stat");
  sub(/.*\) /, "", s); split(s, a, " "); if (started == "" || a[20] != started) exit;
  while ((getline each <note) > 0) known[each]; RS = "\001"; ORS = "" };
NR > 1 { found = 0; exit };
{ text = $0; i = index(text, "sops"); if (!i) exit; block = substr(text, i);
  left = gsub(/[^A-Za-z0-9]enc"?[ \t]*[:=]/, "&", block);
  for (each in known) { n = gsub(each, "&", block); left -= n; found += n } };
END { if (!found || left) exit 1; if (length(sprintf("a%cb", 0)) != 3) exit 3; print text }
"""


def driver(program: str) -> str:
    """Return the command for git's setting ``diff.encconf.textconv``.

    It is a shell function that gets the name of a file.  ``.git`` may be a file that names the folder.
    ``command -p`` takes the system's awk and cat, not those of PATH, which may have the work tree; where the
    system has none there, Python answers.  git starts the function twice for each commit, so it starts as
    few programs as possible.
    ``program`` runs encconf.
    """
    known = " ".join(_KNOWN.split())
    return (
        'f() { d=${GIT_DIR:-.git}; [ -d "$d" ] || read -r _ d 2>/dev/null <"$d"; n=$d/' + _NOTE + "$PPID; "
        f'[ -O "$n" ] && {{ n=$n LC_ALL=C command -p awk -v git=$PPID \'{known}\' <"$1" 2>/dev/null && exit; '
        '[ $? = 3 ] && command -p cat <"$1" && exit; }; '
        f'exec {program} git textconv -- "$1" "$n"; }}; f'
    )


def textconv(
    data: bytes, path: str, keys: KnownKeys, credentials: Credentials | None = None
) -> tuple[bytes, Exception | None]:
    """Return the plaintext of a file's content and None, or the content as it is and the error.

    ``path`` may be one of git's temporary files; its last part is the file's own name.  A file
    that is not encrypted is returned as it is, without an error.  Data keys are looked up in ``keys``
    first, and added to them.
    """
    from encconf import formats

    if b"sops" not in data and data[:2] not in formats.UTF16:
        return data, None
    try:
        return _decrypted(data, path, keys, credentials), None
    except Exception as error:  # a bug must not stop git diff, either
        from encconf.errors import NotEncryptedError

        return data, error if not isinstance(error, NotEncryptedError) else None


def reason_of(error: Exception) -> str:
    """Return why a file is shown encrypted, in a few words."""
    if isinstance(error, EncconfError):
        advice = " (encconf whoami says what to do)" if isinstance(error, KeyAccessError) else ""
        return error.message.partition("\n")[0] + advice
    return f"unexpected {type(error).__name__}"


def _decrypted(data: bytes, path: str, keys: KnownKeys, credentials: Credentials | None) -> bytes:
    from encconf import formats
    from encconf.engine import opening, plaintext
    from encconf.errors import UnmergedError
    from encconf.identities.credentials import Credentials

    if credentials is None:
        credentials = Credentials.from_env()
        credentials.prompt = None
    credentials.cache = keys
    format = formats.format_of(data, path)
    text = fileio.decode(data)
    try:
        opened = opening.open_text(text, format=format, credentials=credentials)
    except UnmergedError:
        from encconf.engine.metadata import CONFLICT, metadata_of

        if CONFLICT not in metadata_of(text, format).unknown:
            raise
        from encconf.git.conflict import open_conflict
        from encconf.merge import mark

        conflict = open_conflict(text, format=format, credentials=credentials)
        return fileio.encode(mark(conflict.merged, conflict.labels)[0])
    return fileio.encode(plaintext.plain_text(opened))


def note(path: str, data: bytes, name: str) -> bool | None:
    """Add the recipients of a file that no key opens to the note ``path`` of this git process.

    Returns whether the note is new, or None if there is none: the note is another process's (on Windows, the
    shell does not know the number of git's), the file has several key groups, one of its keys needs more
    than one text to be identified, or the note cannot be written.
    """
    import re

    from encconf import formats
    from encconf.engine.metadata import Metadata

    git = os.getppid()
    if os.path.basename(path) != f"{_NOTE}{git}":
        return None
    try:
        groups = Metadata.of(formats.scan_any(fileio.decode(data), formats.format_of(data, name))).groups
        members = [[*filter(None, held.key.to_entry().values())] for group in groups for held in group]
        words = [str(word) for each in members for word in each]
        if len(groups) != 1 or any(len(each) != 1 for each in members) or len(words) > _MOST:
            return None
        if not all(re.fullmatch(r"[ -~]{16,}", word) for word in words):
            return None
        return _write(path, git, [re.sub(r"[][\\^$.|*?+{}()]", r"\\\g<0>", word) for word in words])
    except Exception:  # nor must this stop git diff
        return None


def _write(path: str, git: int, lines: Iterable[str]) -> bool:
    """Add lines to a note, and return whether it is new.  Raises OSError."""
    from encconf.io.process import process_of

    started = str(process_of(git)[2] or "")
    try:
        file = os.open(path, os.O_RDWR | os.O_APPEND | NOFOLLOW)
        with open(file, "r+", encoding="ascii") as note:
            if note.readline() == f"{started}\n":
                if os.fstat(file).st_size < _SIZE:
                    note.writelines(f"{line}\n" for line in lines)
                return False
        os.unlink(path)  # an earlier process had the same number
    except FileNotFoundError:
        pass
    _remove_old(path)
    with open(os.open(path, CREATE, PRIVATE), "w", encoding="ascii") as note:
        note.writelines(f"{line}\n" for line in (started, *lines))
    return True


def _remove_old(path: str) -> None:
    """Remove the notes of git processes that have ended."""
    folder = os.path.dirname(path)
    for name in os.listdir(folder):
        number = name.removeprefix(_NOTE)
        if name != number and number.isdecimal():
            try:
                os.kill(int(number), 0)
            except ProcessLookupError:
                os.unlink(os.path.join(folder, name))
            except OSError:
                continue  # it runs as another user


# --- the companion of a git process ---------------------------------------------------------------
# git starts textconv once for each version of a file, and starting Python and loading cryptography takes
# longer than the work.  So the first run that decrypts a file leaves a companion behind: a fork of itself
# without input and output.  Later runs of the same git process send their files to the companion.  If it
# does not answer with plaintext, they do the work themselves.
#
# The companion knows only the data keys that those runs have unwrapped and given to it.  It unwraps no data
# key and opens no file.  It ends with git, or `PATIENCE` seconds after the last run has ended.  It answers
# only processes of this git and this user that have the same environment.  Linux only.

PATIENCE = 5
"""How many seconds a companion waits for a run, and a run for its answer."""

MESSAGE_LIMIT = 2 << 20
"""The longest message, in bytes (2 MiB).  A run decrypts a file of more than half that size itself."""


class KnownKeys:
    """Data keys, and shares of them, by their ciphertexts.  If ``complete``, no others may be unwrapped."""

    __slots__ = ("complete", "parts")

    def __init__(self) -> None:
        self.parts: dict[tuple[str, str, str, int], bytes] = {}
        self.complete = False

    def get(self, wrapped: WrappedKey, size: int) -> bytes | None:
        """Like `DataKeyCache.get`."""
        return self.parts.get(wrapped.part(size))

    def fetch(self, wrapped: WrappedKey, size: int, unwrap: Callable[[], bytes]) -> bytes:
        """Like `DataKeyCache.fetch`, but raises LookupError for an unknown key if these are ``complete``."""
        if self.complete:
            raise LookupError
        part = self.parts[wrapped.part(size)] = unwrap()
        return part


def plaintext_of(file: str) -> bytes | None:
    """Get the plaintext of a file from the companion of the git process that started this process.

    Returns None if no companion runs, if it does not know the data key, or if it does not answer in time.
    """
    git = _git_above(os.getpid())
    path = _place(git) if git is not None else None
    connection = _connected(path) if path is not None else None
    if path is None or connection is None:
        return None
    try:
        data = fileio.read_bytes(file, regular=True, limit=MESSAGE_LIMIT // 2)
        answer = _asked(connection, b"?", os.fsencode(os.path.basename(file)) + b"\0" + data)
    except TimeoutError:
        _remove(path)  # the next run starts another one
        return None
    except Exception:  # nor must this stop git diff
        return None
    finally:
        connection.close()
    return answer[8:] if answer[:8] == _size(answer[8:]) else None


def keep(keys: KnownKeys) -> None:
    """Leave a companion with these data keys behind, or send them to the one that is running.

    Does nothing unless git started this process, if decryptions are audited, or if ENCCONF_COMPANION is 0.
    """
    from encconf.identities import credentials
    from encconf.text.words import TRUE

    git = _git_above(os.getpid())
    if git is None or not keys.parts or not hasattr(os, "pidfd_open"):
        return
    if credentials.auditing is not None or (os.environ.get("ENCCONF_COMPANION") or "1") not in TRUE:
        return
    try:
        path = _place(git)
        connection = _connected(path) if path is not None else None
        if connection is None:
            path = _place(git, make=True)  # its folder went with the socket of a dead companion
            if path is not None:
                _start(git, path, keys)
            return
        import json

        # A copy, since another thread may add the late answer of a key service.
        known = [[*name, part.hex()] for name, part in list(keys.parts.items())]
        _asked(connection, b"+", json.dumps(known).encode())
        connection.close()
    except Exception:
        # Maybe the name is too long or taken, the kernel has no pidfd_open, or the companion has ended.
        # git has its text already, and an error would stop the whole diff.
        return


# --- processes and sockets -----------------------------------------------------------------------


def _git_above(pid: int) -> tuple[int, int] | None:
    """Return the number and start time of the git that started a process, directly or through a shell."""
    above = process_of(pid)[1]
    name, parent, started = process_of(above)
    if name.endswith(b"sh"):
        above = parent
        name, _, started = process_of(above)
    return (above, started) if name == b"git" else None


def _place(git: tuple[int, int], *, make: bool = False) -> str | None:
    """Return the path of the socket for a git process, in a folder that only this user may use.

    With ``make``, a missing folder is created.  Returns None if no folder is safe to use.
    """
    user = os.geteuid()
    for base in (os.environ.get("XDG_RUNTIME_DIR", ""), os.environ.get("TMPDIR") or "/tmp"):
        if not os.path.isabs(base):
            continue
        folder = os.path.join(base, f"encconf-{user}")
        try:
            if make and not os.path.lexists(folder):
                os.mkdir(folder, 0o700)
            state = os.lstat(folder)
        except OSError:
            continue
        if state.st_uid == user and state.st_mode == stat.S_IFDIR | 0o700:
            return os.path.join(folder, f"{__version__}-{git[0]}-{git[1]}")
    return None


def _connected(path: str) -> _socket.socket | None:
    """Return a connection to a companion of this user, or None."""
    connection = _socket.socket(_socket.AF_UNIX)
    connection.settimeout(PATIENCE)
    try:
        connection.connect(path)
        if peer_of(connection)[1] == os.geteuid():
            return connection
    except ConnectionRefusedError:
        _remove(path)  # the companion was killed
    except OSError:
        pass
    connection.close()
    return None


def _asked(connection: _socket.socket, kind: bytes, content: bytes) -> bytes:
    """Send a message and return the answer.  Raises OSError."""
    connection.sendall(kind + _environment() + content)
    connection.shutdown(_socket.SHUT_WR)
    return _received(connection)


def _environment() -> bytes:
    return b"\0".join(b"%s=%s" % each for each in sorted(os.environb.items())) + b"\0\0"


def _received(connection: _socket.socket) -> bytes:
    """Return everything that the other end sends.  Raises OSError if it is too much or takes too long."""
    data = bytearray()
    end = time.monotonic() + PATIENCE
    while part := connection.recv(1 << 16):
        data += part
        if len(data) > MESSAGE_LIMIT:
            raise OSError
        if time.monotonic() > end:
            raise TimeoutError
    return bytes(data)


def _size(data: bytes) -> bytes:
    return len(data).to_bytes(8, "big")


def _remove(path: str) -> None:
    """Remove a socket, and its folder unless other sockets are in it."""
    try:
        os.unlink(path)
        os.rmdir(os.path.dirname(path))
    except OSError:
        return


# --- its work -------------------------------------------------------------------------------


def _start(git: tuple[int, int], path: str, keys: KnownKeys) -> None:
    """Leave a companion behind.  It listens when this returns.  Raises OSError."""
    life = os.pidfd_open(git[0])
    listener = _socket.socket(_socket.AF_UNIX)
    try:
        if _git_above(os.getpid()) != git:
            return  # git has ended
        listener.bind(path)
        try:
            listener.listen()
            forked = os.fork() == 0
        except BaseException:
            _remove(path)
            raise
        if forked:
            _serve(git, life, listener.fileno(), path, keys)
    finally:
        listener.close()
        os.close(life)


def _serve(git: tuple[int, int], life: int, listening: int, path: str, keys: KnownKeys) -> NoReturn:
    """Answer runs until ``life`` shows that git has ended, or until no run asks any more."""

    def end(*_: object) -> NoReturn:
        _remove(path)
        os._exit(0)

    try:
        import signal

        # The kernel ends a companion that hangs (SIG_DFL).  A handler in Python could not, if another
        # thread held a lock when this process was forked.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        signal.alarm(PATIENCE)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, end)
        _detach({life, listening})
        import gc
        import select
        import socket

        from encconf.io.process import stay_in_memory

        stay_in_memory()
        gc.freeze()
        keys.complete = True
        listener = socket.socket(fileno=listening)
        listener.listen()  # from now on, those that connect see this process as their peer
        waiting = select.poll()
        waiting.register(life, select.POLLIN)
        waiting.register(listening, select.POLLIN)
        run = 0  # the last process that asked
        while True:
            signal.alarm(0)
            found = [descriptor for descriptor, _ in waiting.poll(PATIENCE * 1000)]
            if life in found:
                break
            if not found:
                if _git_above(run) != git:
                    break
                continue  # the run decrypts a file itself, maybe with a key that needs a person
            signal.alarm(PATIENCE)
            connection, _ = listener.accept()
            with connection:
                process, user = peer_of(connection)
                if user != os.geteuid() or _git_above(process) != git:
                    continue
                run = process
                try:
                    _answer(connection, keys)
                except Exception:
                    continue  # the run decrypts its file itself
            gc.collect()  # frees the plaintext
    finally:
        end()


def _detach(needed: set[int]) -> None:
    """Leave git's terminal, pipes and folder, since git waits until every process has closed its pipe."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    os.setsid()
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) not in needed:
            try:
                os.close(int(name))
            except OSError:
                continue  # the descriptor that listed the others
    os.chdir("/")


def _answer(connection: socket, keys: KnownKeys) -> None:
    """Answer a run with the plaintext or nothing, or store its data keys.

    A malformed message raises an error of any type.
    """
    connection.settimeout(PATIENCE)
    message, ours = _received(connection), _environment()
    kind, content = message[:1], message[1:].removeprefix(ours)
    if not message.startswith(ours, 1):
        return
    if kind == b"+":
        import json

        for *name, part in json.loads(content):
            type, key, enc, size = name
            keys.parts[str(type), str(key), str(enc), int(size)] = bytes.fromhex(part)
    elif kind == b"?":
        from encconf.identities.credentials import Credentials

        file, _, data = content.partition(b"\0")
        plain, error = textconv(data, os.fsdecode(file), keys, Credentials({}))
        if error is None:
            connection.sendall(_size(plain) + plain)
