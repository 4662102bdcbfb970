"""Run encconf's command line in a process of its own, but without the time that its imports take.

The first command starts a server, which only imports encconf and the packages that it usually needs.  Each
command is a fork of that server, with its own folder, environment, standard streams and umask, and ends like
any process.  Tests of the start itself, of signals and of terminals start Python instead.  So do the
transcripts and the pages of the documentation.

Windows has no forks.  There, a second process runs one command after another, and imports encconf for each.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import locale
import os
import queue
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

_LOADED = [
    *("click", "cryptography.hazmat.primitives.ciphers.aead", "difflib", "pyrage", "re2", "ruamel.yaml"),
    *("secrets", "shlex", "subprocess", "tempfile", "textwrap", "urllib.parse"),
]
"""Modules of other packages that commands import when they need them."""

_LOCALE = ("LC_ALL", "LC_CTYPE", "LANG")


def run(
    program: str,
    args: Sequence[str],
    *,
    cwd: Path,
    environ: Mapping[str, str],
    input: bytes = b"",
    timeout: float = 60 if os.name == "posix" else 300,  # under Wine, a start takes seconds
) -> subprocess.CompletedProcess[bytes]:
    """Run encconf as ``program``, which is ``encconf`` or ``sops``, perhaps with a folder.

    Raises TimeoutExpired.
    """
    if _can_start_the_same(environ) and os.name == "nt" and not set(args[:1]) & _START_PROGRAMS:
        return _worker().run([program, *args], str(cwd), environ, input, timeout)
    if not _can_start_the_same(environ) or os.name != "posix":
        code = f"import sys; from encconf.cli import run; sys.argv[0] = {program!r}; run()"
        return subprocess.run(
            [sys.executable, "-c", code, *args],
            **{"cwd": cwd, "env": environ, "input": input, "timeout": timeout},  # type: ignore[call-overload]
            capture_output=True,
            check=False,
        )
    mask = os.umask(0o077)
    os.umask(mask)
    request = {"argv": [program, *args], "cwd": str(cwd), "environ": dict(environ), "umask": mask}
    channel, theirs = socket.socketpair()
    (stdin, write), (out, stdout), (err, stderr) = os.pipe(), os.pipe(), os.pipe()
    with channel:
        try:
            socket.send_fds(_server(), [b"."], [theirs.fileno(), stdin, stdout, stderr])
        finally:
            theirs.close()
            for each in (stdin, stdout, stderr):
                os.close(each)
        channel.sendall(json.dumps(request).encode("utf-8", "surrogatepass"))
        channel.shutdown(socket.SHUT_WR)
        pid = int.from_bytes(_exactly(channel, 4), "little")
        try:
            texts = _communicate(write, input, [out, err], timeout)
        except subprocess.TimeoutExpired:
            os.kill(pid, signal.SIGKILL)
            raise
        ended = int.from_bytes(_exactly(channel, 4), "little", signed=True)
    return subprocess.CompletedProcess([program, *args], ended, *texts)


_START_PROGRAMS = {"edit", "exec", "exec-env", "exec-file", "keyservice"}
"""Commands whose programs inherit the standard streams, or that go on until they are killed."""


def _can_start_the_same(environ: Mapping[str, str]) -> bool:
    """Whether Python would start with these variables in the same way as the server did."""
    python = {name for name in environ if name.startswith("PYTHON")}
    python -= {"PYTHONPATH", "PYTHONPYCACHEPREFIX"}
    path = environ.get("PYTHONPATH", str(ROOT))
    utf8 = all(environ.get(name) in (None, "C.UTF-8") for name in _LOCALE)
    return not python and path == str(ROOT) and utf8


def _communicate(write: int, input: bytes, reads: list[int], timeout: float) -> list[bytes]:
    """Write ``input``, read all of ``reads`` to their ends, and close them all."""
    deadline = time.monotonic() + timeout
    found: dict[int, list[bytes]] = {each: [] for each in reads}
    left = memoryview(input)
    waiting = selectors.DefaultSelector()
    os.set_blocking(write, False)
    waiting.register(write, selectors.EVENT_WRITE)
    for each in reads:
        waiting.register(each, selectors.EVENT_READ)

    def done(descriptor: int) -> None:
        waiting.unregister(descriptor)
        os.close(descriptor)

    with waiting:
        try:
            while waiting.get_map():
                ready = waiting.select(deadline - time.monotonic())
                if not ready and time.monotonic() >= deadline:
                    raise subprocess.TimeoutExpired("encconf", timeout)
                for key, _ in ready:
                    if key.fd == write:
                        with contextlib.suppress(BlockingIOError):
                            try:
                                left = left[os.write(write, left[:65536]) :] if left else left
                            except BrokenPipeError:
                                left = left[:0]
                        if not left:
                            done(write)
                    elif data := os.read(key.fd, 65536):
                        found[key.fd].append(data)
                    else:
                        done(key.fd)
        finally:
            for descriptor in list(waiting.get_map() or ()):
                done(descriptor)
    return [b"".join(found[each]) for each in reads]


def _exactly(channel: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = channel.recv(size - len(data))
        assert more, "the server of tests/forks.py has gone"
        data += more
    return data


@functools.cache
def _server() -> socket.socket:
    """Start the server, which ends with this process, and return its socket."""
    ours, theirs = socket.socketpair()
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": "/nonexistent"}
    with theirs:
        process = subprocess.Popen(
            [sys.executable, __file__, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env=environ,
            cwd="/",
            stdin=subprocess.DEVNULL,
        )
    atexit.register(process.wait, 10)
    atexit.register(ours.close)  # runs first: atexit goes backwards
    return ours


# --- in the server -------------------------------------------------------------------------------


def _serve(control: socket.socket) -> None:
    """Fork for each message on ``control``.  This returns in the forks, and never in the server."""
    load()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no process waits for these forks
    while True:
        data, descriptors, _, _ = socket.recv_fds(control, 1, 4)
        if not data:
            os._exit(0)
        if os.fork() == 0:
            control.detach()
            wait_for_command(*descriptors)
            return
        for each in descriptors:
            os.close(each)


def load() -> None:
    """Import what a command may need, so that its fork does not have to."""
    import gc
    import importlib

    files = (path.relative_to(ROOT).with_suffix("").as_posix() for path in ROOT.glob("encconf/**/*.py"))
    names = (name.removesuffix("/__init__").replace("/", ".") for name in files)
    others = ("encconf.__main__", "encconf.integrations", "encconf.testing")  # these import pytest
    for name in [*_LOADED, *(name for name in names if not name.startswith(others))]:
        importlib.import_module(name)
    assert threading.active_count() == 1, "a process with threads must not fork"
    gc.disable()
    gc.freeze()  # so that forks share the memory of the server


def wait_for_command(channel: int, *streams: int) -> None:
    """Fork again, and return in the new fork, to run the command.

    This fork waits for it, reports its exit code, and ends.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    connection = socket.socket(fileno=channel)
    with connection.makefile("rb") as file:
        request = json.loads(file.read().decode("utf-8", "surrogatepass"))
    pid = os.fork()
    if pid:
        for each in streams:
            os.close(each)
        try:
            connection.sendall(pid.to_bytes(4, "little"))
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            connection.sendall(status.to_bytes(4, "little", signed=True))
        finally:
            os._exit(0)
    connection.close()
    become(request, *streams)


def become(request: dict[str, Any], *streams: int) -> None:
    """Make this process, a fork, one that is about to run a command line of encconf."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.closerange(3, 1024)
    sys.stdin = _stream(0, "r", "surrogateescape")
    sys.stdout = _stream(1, "w", "surrogateescape")
    sys.stderr = _stream(2, "w", "backslashreplace")
    sys.stderr.reconfigure(line_buffering=True)
    os.umask(request["umask"])
    os.chdir(request["cwd"])
    coerced = os.environ.get("LC_CTYPE")  # Python sets it if no locale is set
    os.environ.clear()
    os.environ.update(request["environ"])
    if coerced and not any(name in os.environ for name in _LOCALE):
        os.environ["LC_CTYPE"] = coerced
    time.tzset()
    sys.argv = request["argv"]


def _stream(number: int, mode: str, errors: str) -> TextIOWrapper:
    """Open a standard stream as Python does at its start."""
    binary: Any = open(number, f"{mode}b", closefd=False)  # noqa: SIM115
    return TextIOWrapper(binary, "utf-8", errors, None if mode == "r" else "\n")


# --- on Windows ----------------------------------------------------------------------------------


class _Worker:
    """A process that runs commands one after another (`_work`)."""

    def __init__(self) -> None:
        self._answers: queue.Queue[bytes] = queue.Queue()
        self._process: subprocess.Popen[bytes] | None = None

    def run(
        self, argv: list[str], cwd: str, environ: Mapping[str, str], input: bytes, timeout: float
    ) -> subprocess.CompletedProcess[bytes]:
        request = {"argv": argv, "cwd": cwd, "environ": dict(environ), "input": input.hex()}
        process = self._process or self._start()
        assert process.stdin is not None
        process.stdin.write(json.dumps(request).encode() + b"\n")
        process.stdin.flush()
        try:
            answer = json.loads(self._answers.get(timeout=timeout))
        except queue.Empty:
            self._stop()
            raise subprocess.TimeoutExpired(argv, timeout) from None
        out, err = bytes.fromhex(answer["out"]), bytes.fromhex(answer["err"])
        return subprocess.CompletedProcess(argv, answer["code"], out, err)

    def _start(self) -> subprocess.Popen[bytes]:
        self._answers = answers = queue.Queue()
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        pipe = subprocess.PIPE
        process = subprocess.Popen([sys.executable, __file__], env=environ, stdin=pipe, stdout=pipe)
        self._process, said = process, process.stdout
        assert said is not None

        def read() -> None:
            for line in said:
                answers.put(line)
            answers.put(b'{"code": -1, "out": "", "err": ""}')  # it has ended

        threading.Thread(target=read, daemon=True).start()
        atexit.register(self._stop)
        return process

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@functools.cache
def _worker() -> _Worker:
    return _Worker()


def _work() -> None:
    """Run the commands that come by stdin, one in each line, and answer on stdout."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb", 0)
    while line := requests.readline():
        request = json.loads(line)
        with (
            tempfile.TemporaryFile() as stdin,
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
        ):
            stdin.write(bytes.fromhex(request["input"]))
            stdin.seek(0)
            for number, stream in enumerate((stdin, out, err)):
                os.dup2(stream.fileno(), number)
            code = _run_here(request)
            with open(os.devnull, "r+b") as nothing:
                for number in range(3):
                    os.dup2(nothing.fileno(), number)
            answer = {"code": code}
            for name, stream in (("out", out), ("err", err)):
                stream.seek(0)
                answer[name] = stream.read().hex()
        answers.write(json.dumps(answer).encode() + b"\n")


def _run_here(request: dict[str, Any]) -> int:
    """Run a command in this process, with new modules of encconf, as its program would."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "encconf"]:
        del sys.modules[name]
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environ"])
    tempfile.tempdir = None
    sys.argv = request["argv"]
    encoding = locale.getencoding()
    sys.stdin = open(0, encoding=encoding, errors="strict", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding=encoding, errors="strict", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding=encoding, errors="backslashreplace", closefd=False)  # noqa: SIM115
    from encconf.cli import main

    try:
        code = main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os.chdir(ROOT)  # Windows removes no folder that a process is in
    return code & 0xFFFFFFFF


if __name__ == "__main__":
    if os.name == "nt":
        _work()
        os._exit(0)
    _serve(socket.socket(fileno=int(sys.argv[1])))
    from encconf.cli import run as command

    command()
