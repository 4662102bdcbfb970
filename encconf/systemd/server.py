"""A server for ``LoadCredential=NAME:SOCKET``: a unit's manager connects and gets one value.

The name of the peer's socket contains the names of the credential and the unit (`encconf.systemd.rules`).
Any process can use such a name, so the server answers only peers that run as root or as its own user,
according to the kernel.  If possible, values are in memory that is neither swapped nor dumped.  Nothing is
written.  The log contains only names.

The protocol cannot express a refusal: systemd reads the end of the stream as the end of the value, so the
unit would start with an empty secret.  Therefore the server refuses a request with more null bytes than
systemd accepts, and the unit fails to start (status 243/CREDENTIALS).  One risk remains: if this process is
killed between the connection and the end of the answer, the value is empty or incomplete.
"""

from __future__ import annotations

import os
import select
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from encconf import formats
from encconf.engine import opening, plaintext
from encconf.errors import (
    EmitError,
    EncconfError,
    LimitError,
    OutputError,
    PathNotFoundError,
    UsageError,
    about,
)
from encconf.formats import emit
from encconf.formats.writing import text_of, value_at
from encconf.identities.credentials import Credentials
from encconf.io import fileio
from encconf.io.sockets import OwnSocket, peer_of
from encconf.record import Record
from encconf.systemd.rules import INSTANCE, SIZE_LIMIT, Request, Rule, find
from encconf.text.document import Value
from encconf.text.path import Path, spell

Log = Callable[[str], None]

DEADLINE = 10.0
"""How long one answer may take, in seconds.  Up to 200 KB are sent at once, even to a slow peer."""

AT_ONCE = 64
"""How many peers get answers at a time.  Others wait."""

_STRANGERS = 4  # how many peers of other users are refused at a time; more are disconnected
_GRACE = 5.0  # seconds for answers to finish when the server stops
_FIRST_DESCRIPTOR = 3  # the first descriptor that systemd passes
_REFUSAL = bytes(SIZE_LIMIT + 4096)


class CredentialServer:
    """Answers on a listening socket until `stop` is called, for example by a signal handler.

    With ``watch``, the files are checked before each answer, and reopened if they have changed.  `run` ends
    after ``idle`` seconds without a peer.  ``log`` gets a line for each request.  It is also called in other
    threads.
    """

    def __init__(
        self,
        listener: socket.socket,
        values: Values,
        rules: Sequence[Rule],
        *,
        log: Log,
        watch: bool = False,
        idle: float | None = None,
    ) -> None:
        self._listener = listener
        self._values = values
        self._rules = rules
        self._log = log
        self._watch = watch
        self._idle = idle
        self._users = {0, os.geteuid()}
        self._turn = threading.BoundedSemaphore(AT_ONCE)
        self._strangers = threading.BoundedSemaphore(_STRANGERS)
        self._opening = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._woken, self.waker = os.pipe()
        """``waker`` is for `signal.set_wakeup_fd`.  Without it, a signal just before `run` waits, or in
        another thread, would have no effect until the next peer connects."""
        os.set_blocking(self.waker, False)
        os.set_blocking(self._woken, False)
        self._stopped = False
        self._reload: Callable[[], None] | None = None

    def stop(self) -> None:
        """Let `run` end after the current requests are answered."""
        self._stopped = True
        self._wake()

    def reload(self, done: Callable[[], None]) -> None:
        """Reopen the files, then call ``done``.  After an error, the old values stay in use."""
        self._reload = done
        self._wake()

    def _wake(self) -> None:
        try:
            os.write(self.waker, b"\0")
        except BlockingIOError:
            return  # the pipe is full, so `run` wakes up anyway

    def run(self) -> None:
        """Accept peers and answer them.  Closes only the connections that it has accepted."""
        self._listener.setblocking(False)
        poll = select.poll()
        poll.register(self._listener, select.POLLIN)
        poll.register(self._woken, select.POLLIN)
        last = time.monotonic()
        while not self._stopped:
            ready = {descriptor for descriptor, _ in poll.poll(self._patience(last))}
            if self._woken in ready:
                os.read(self._woken, 4096)
            if self._reload is not None:
                done, self._reload = self._reload, None
                self._load(self._values.load, "reopened the files")
                done()
            if self._listener.fileno() in ready:
                self._accept()
                last = time.monotonic()
            elif not ready and self._idle is not None and not self._threads:
                break
        deadline = time.monotonic() + _GRACE
        for thread in list(self._threads):
            thread.join(max(0.0, deadline - time.monotonic()))

    def _patience(self, last: float) -> float | None:
        if self._idle is None:
            return None
        return 1000 * max(0.05, last + self._idle - time.monotonic())

    def _accept(self) -> None:
        try:
            peer, address = self._listener.accept()
        except OSError:
            time.sleep(0.05)  # the peer has disconnected, or there are too many open files: try again
            return
        _, user = peer_of(peer)
        known = user in self._users
        turn = self._turn if known else self._strangers
        if not turn.acquire(blocking=known):
            peer.close()
            return
        given = (peer, address, user if not known else None, turn)
        thread = threading.Thread(target=self._answer, args=given, daemon=True)
        self._threads.add(thread)
        try:
            thread.start()
        except RuntimeError:  # no more threads can start; closing the connection would send an empty value
            self._threads.discard(thread)
            self._answer(*given)

    def _answer(
        self, peer: socket.socket, address: object, stranger: int | None, turn: threading.BoundedSemaphore
    ) -> None:
        try:
            with peer:
                peer.settimeout(DEADLINE)
                value = _REFUSAL
                try:
                    value = self._value(address, stranger)
                finally:
                    peer.sendall(value)  # after an error, the refusal
                    peer.shutdown(socket.SHUT_WR)
        except OSError as error:
            if stranger is None:
                why = "too slow" if isinstance(error, TimeoutError) else "gone"
                self._log(f"a peer was {why} and did not get all of its answer")
        except Exception as error:  # its text may contain anything
            self._log(f"unexpected {type(error).__name__}; the request was refused")
        finally:
            turn.release()
            self._threads.discard(threading.current_thread())

    def _value(self, address: object, stranger: int | None) -> bytes:
        """Return the value to send, or a refusal."""
        request = Request.of_address(address)
        if stranger is not None:
            found: bytes | str = f"a process of user {stranger} asked, and that is neither root nor this user"
        elif request is None:
            found = "the peer's socket has no name of systemd's"
        else:
            found = self._value_for(request)
        what = f"{request.unit}: {request.credential}: " if request is not None and stranger is None else ""
        self._log(f"{what}given" if isinstance(found, bytes) else f"{what}refused: {found}")
        return found if isinstance(found, bytes) else _REFUSAL

    def _value_for(self, request: Request) -> bytes | str:
        """Return the value for a request of systemd, or why it is refused."""
        rule = find(self._rules, request)
        if rule is None:
            return "no rule allows it"
        if self._watch:
            with self._opening:
                if not self._load(self._values.load_if_changed):
                    return "the files have changed and cannot be opened"
        value = self._values.get(rule, request.instance)
        return value if value is not None else "this instance has no value"

    def _load(self, load: Callable[[], object], said: str = "") -> bool:
        try:
            load()
        except EncconfError as error:
            self._log(f"{error.slug}: {error}")
            return False
        if said:
            self._log(said)
        return True


@contextmanager
def listening(path: str) -> Iterator[socket.socket]:
    """``with listening(path) as listener:`` listens on a socket that only its owner can connect to (0600).

    A missing folder is created with mode 0700.  A folder in which others may write is refused.  The socket
    accepts connections as soon as it exists, and is removed in the end.  Raises UsageError and OutputError.
    """
    place = OwnSocket(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        try:
            try:
                _prepare(os.path.dirname(place.path))
                with place.making() as temporary:
                    listener.bind(temporary)
                    listener.listen(socket.SOMAXCONN)
            except OSError as error:
                raise OutputError(f"cannot listen there: {error.strerror}").about(place.path) from None
            yield listener
        finally:
            place.remove()


def _prepare(folder: str) -> None:
    if not os.path.isdir(folder):
        os.mkdir(folder, 0o700)
    state = os.stat(folder)
    if stat.S_IMODE(state.st_mode) & 0o022 or state.st_uid not in (0, os.geteuid()):
        raise UsageError(
            f"others may write to {folder}, and could replace this socket",
            hint="name a folder that does not exist yet, or one of mode 0700",
        )


def activated(environ: Mapping[str, str]) -> socket.socket | None:
    """Return the listening socket that systemd passed (sd_listen_fds(3)), or None if it passed none.

    Raises UsageError for several sockets, or for one that is not a listening stream socket of AF_UNIX.
    """
    if environ.get("LISTEN_PID") != str(os.getpid()):
        return None
    if environ.get("LISTEN_FDS") != "1":
        raise UsageError("systemd passed several sockets, but exactly one is needed")
    try:
        listener = socket.socket(fileno=_FIRST_DESCRIPTOR)
        fits = (
            listener.family == socket.AF_UNIX
            and listener.type == socket.SOCK_STREAM
            and listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
        )
    except OSError:
        fits = False
    if not fits:
        raise UsageError(
            "systemd did not pass a listening unix socket",
            hint="the socket unit needs ListenStream=/path and Accept=no",
        )
    os.set_inheritable(_FIRST_DESCRIPTOR, False)
    return listener


def notify(environ: Mapping[str, str], text: str) -> None:
    """Send a state to systemd (sd_notify(3)), if it expects one."""
    address = environ.get("NOTIFY_SOCKET", "")
    if address[:1] not in ("/", "@"):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        try:
            sender.connect("\0" + address[1:] if address[0] == "@" else address)
            sender.sendall(text.encode())
        except OSError:
            return


# --- the values that rules name, as the bytes that a unit gets ------------------------------------
# A string stays as it is.  A number or a boolean is written as in `encconf exec`, a mapping or a list as
# JSON. The path ``.`` is a whole file, as `encconf decrypt` prints it.  Values that no rule names are not
# kept.


class Values(Record):
    """The values of files by rule and instance ("" if a rule has no ``%i``).

    Later files override earlier ones.  ``credentials`` are made each time the files are opened.
    """

    files: Sequence[str]
    rules: Sequence[Rule]
    credentials: Callable[[], Credentials]
    input_type: str | None = None
    _stamps: Sequence[object] = ()
    _found: Mapping[tuple[Rule, str], bytes] = {}

    def load(self) -> None:
        """Open the files and read the values that the rules name.  After an error, the old values stay.

        Raises what opening raises, PathNotFoundError, LimitError, or EmitError for a null.
        """
        stamps = self._stamped()
        opened = [self._open(file) for file in self.files]
        found: dict[tuple[Rule, str], bytes] = {}
        for rule in self.rules:
            for instance, path in _paths(rule, opened):
                try:
                    found[rule, instance] = _value(rule, path, opened)
                except PathNotFoundError:
                    if not instance:
                        raise  # an instance without the value does not affect the others
        self._found = found
        self._stamps = stamps

    def load_if_changed(self) -> None:
        """Call `load` if a file has changed."""
        if self._stamped() != self._stamps:
            self.load()

    def get(self, rule: Rule, instance: str) -> bytes | None:
        """Return the value for an instance, or None if it has none."""
        return self._found.get((rule, instance if INSTANCE in rule.path else ""))

    def _stamped(self) -> list[object]:
        return [fileio.stamp(file) for file in self.files]

    def _open(self, file: str) -> _Open:
        with about(file):
            text = fileio.read_text(file)
            format = self.input_type or formats.format_of(text, file)
            opened = opening.open_text(text, format=format, credentials=self.credentials())
            opening.refuse_unloadable(opened)
            whole = any(not rule.path for rule in self.rules)
            single = all(not rule.path for rule in self.rules)
            tree = {} if single else emit.only_tree(opened.trees())
            return _Open(tree, plaintext.plain_text(opened) if whole else "")


class _Open(Record):
    tree: Any
    text: str


def _paths(rule: Rule, opened: Sequence[_Open]) -> list[tuple[str, Path]]:
    """Return the instances of a rule, and the path for each."""
    if INSTANCE not in rule.path:
        return [("", rule.path)]
    at = rule.path.index(INSTANCE)
    node = _find(rule, rule.path[:at], opened)[0]
    if not isinstance(node, dict):
        raise EmitError(f"the rule {rule} needs a mapping at {spell(rule.path[:at])}")
    return [(key, (*rule.path[:at], key, *rule.path[at + 1 :])) for key in node]


def _find(rule: Rule, path: Path, opened: Sequence[_Open]) -> tuple[Any, _Open]:
    failed: PathNotFoundError | None = None
    for file in reversed(opened):
        try:
            return value_at(file.tree, path), file
        except PathNotFoundError as error:
            failed = error
    assert failed is not None
    raise PathNotFoundError(f"the rule {rule}: {failed.message}", hint=failed.hint) from None


def _value(rule: Rule, path: Path, opened: Sequence[_Open]) -> bytes:
    node, file = _find(rule, path, opened)
    if not path:
        value = file.text.encode("utf-8", "surrogateescape")
    elif not isinstance(node, Value):
        import json

        value = json.dumps(emit.plain_of(node), ensure_ascii=False).encode()
    elif node.data is None:
        raise EmitError(f"the rule {rule}: {spell(path)} is null, so the unit would get an empty value")
    else:
        value = node.data if node.type == "str" else text_of(node.type, node.data).encode()
    if len(value) + len(rule.credential) > SIZE_LIMIT:
        raise LimitError(f"the rule {rule}: the value has {len(value)} bytes, and systemd takes 1 MiB in all")
    return value
