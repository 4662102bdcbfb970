"""A key service: it lets other processes use the master keys that this process can use.

This is the server of the gRPC protocol of sops 3.13.3 (keyservice/server.go).  The client and the messages
are in `encconf.keys.service`.  It differs from sops:

- It asks for approval before it uses a key, not afterwards.
- It wraps and returns only data keys (32 bytes) and shares (33 bytes), so that nobody can use it to decrypt
  other things that a key has encrypted.
- It refuses a request without a key, and does not crash.
- TCP beyond the loopback device needs an option.
- Only its owner can connect to its unix socket, which is removed in the end.

Anyone who can connect can use the keys.  The question shows the key that the request names, but age and gpg
use any identity that opens the ciphertext.  Nothing is kept between requests: identity files are read, and
passphrases asked for, each time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from threading import Lock
from typing import Any

from encconf.errors import BadKeyError, EncconfError, MasterKeyError, NotMyKeyError, UsageError
from encconf.identities.credentials import Credentials
from encconf.io.descriptors import reason
from encconf.io.sockets import OwnSocket
from encconf.keys import MasterKey, check_enc, service
from encconf.record import Record
from encconf.text.printable import printable

DEFAULT_ADDRESS = "127.0.0.1:5000"

_THREADS = 16
_WAITING = 64  # the most requests at a time; more are refused
_GRACE = 2.0  # seconds for requests to finish when the server stops


@contextmanager
def serving(
    network: str,
    address: str,
    *,
    credentials: Callable[[], Credentials] = Credentials.from_env,
    approve: Callable[[str], bool] | None = None,
    log: Callable[[str], None] | None = None,
    insecure_remote: bool = False,
) -> Iterator[str]:
    """Run a key service inside the block.  Yields its address, ``tcp://…`` or ``unix:///…``.

    ``network`` is tcp (``address`` is HOST:PORT; port 0 is any free port) or unix (``address`` is the path
    of a socket, which must not exist, or was left behind by a dead server).  ``credentials`` are made for
    each request, and used only for local keys.  ``approve`` gets a question before a key is used, for one
    request at a time, and ``log`` gets what was done.  Both are called in other threads, like the ``prompt``
    of the credentials.

    Raises UsageError for an address that it cannot listen on, or that other machines can reach, unless
    ``insecure_remote`` is set.  Raises MissingExtraError without grpcio.
    """
    with service.needs_grpc():
        import grpc
    from concurrent.futures import ThreadPoolExecutor

    desk = _Desk(credentials, approve, log, Lock())
    # `with` would wait for all requests, but one that waits for a person must not keep the process running.
    pool = ThreadPoolExecutor(_THREADS, "keyservice")
    server = grpc.server(
        pool,
        maximum_concurrent_rpcs=_WAITING,
        options=[
            ("grpc.max_receive_message_length", service.LIMIT),
            ("grpc.max_send_message_length", service.LIMIT),
            ("grpc.so_reuseport", 0),  # otherwise a second server would silently share the port
        ],
    )
    methods = {
        verb.title(): grpc.unary_unary_rpc_method_handler(partial(desk.answer, verb))
        for verb in ("encrypt", "decrypt")
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("KeyService", methods),))
    socket: OwnSocket | None = None
    try:
        if network == "unix":
            uri, socket = _open_socket(server, address)
        elif network == "tcp":
            uri = _open_port(server, address, insecure_remote)
        else:
            raise UsageError(f"a key service listens on tcp or unix, not on {network}")
        yield uri
    finally:
        if socket is not None:
            socket.remove()
        server.stop(_GRACE).wait(_GRACE + 1)
        pool.shutdown(wait=False, cancel_futures=True)


class _Desk(Record):
    """Answers requests.  ``person`` is a lock, since one person with one terminal answers all questions."""

    credentials: Callable[[], Credentials]
    approve: Callable[[str], bool] | None
    log: Callable[[str], None] | None
    person: Lock

    def answer(self, verb: str, request: bytes, context: Any) -> bytes:
        """Answer a request to ``encrypt`` or ``decrypt`` a data key."""
        import grpc

        # ipv4:127.0.0.1:4711; or unix:, since clients of unix sockets have no name
        peer = printable(str(context.peer())).rstrip(":")
        what, code, reason = f"{peer}: {verb}", grpc.StatusCode.OK, "done"
        answer = b""
        try:
            key, payload = service.unpack_request(request)
            what = f"{what} a data key with {key.TYPE} {_shown(key)}"
            if verb == "encrypt" and len(payload) not in service.DATA_KEY_SIZES:
                raise ValueError("a data key has 32 bytes, and a share has 33")
            if self._allowed(f"{what}?", context):
                answer = service.pack_response(self._used(verb, key, payload))
            else:
                code, reason = grpc.StatusCode.PERMISSION_DENIED, "the request was rejected"
        except (ValueError, BadKeyError) as error:
            code, reason = grpc.StatusCode.INVALID_ARGUMENT, str(error)
        except NotMyKeyError as error:
            code, reason = grpc.StatusCode.NOT_FOUND, error.message
        except EncconfError as error:
            code, reason = grpc.StatusCode.UNKNOWN, error.message
        except Exception as error:  # its text may contain anything, and grpc would print it
            code, reason = grpc.StatusCode.INTERNAL, f"unexpected {type(error).__name__}"
        if self.log is not None:
            self.log(f"{what}: {reason}")
        if code is not grpc.StatusCode.OK:
            # Only the first line is sent, since the others name places on this machine.
            context.abort(code, reason.split("\n")[0])
        return answer

    def _used(self, verb: str, key: MasterKey, payload: bytes) -> bytes:
        credentials = self._prepared()
        if verb == "encrypt":
            return key.wrap(payload, credentials).encode()
        check_enc(text := payload.decode())
        data_key = key.unwrap(text, credentials)
        if len(data_key) not in service.DATA_KEY_SIZES:
            raise MasterKeyError("the content is not a data key")
        return data_key

    def _allowed(self, question: str, context: Any) -> bool:
        if self.approve is None:
            return True
        with self.person:
            # Do not ask, or use a key, for a request that the client no longer waits for.
            return bool(context.is_active() and self.approve(question) and context.is_active())

    def _prepared(self) -> Credentials:
        credentials = self.credentials()
        prompt = credentials.prompt
        if prompt is not None:

            def alone(question: str) -> str:
                with self.person:
                    return prompt(question)

            credentials.prompt = alone
        return credentials


def _shown(key: MasterKey) -> str:
    """Return a key's name, as long as fits on two lines, since a short form would be easy to imitate."""
    name = printable(key.name)
    return name if len(name) <= 200 else f"{name[:120]}…{name[-60:]}"


def _open_port(server: Any, address: str, insecure_remote: bool) -> str:
    import socket

    host, _, digits = address.rpartition(":")
    port = int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 6 else -1
    bare = host[1:-1] if host[:1] == "[" and host[-1:] == "]" else host
    if not 0 <= port <= 65535 or (":" in host and bare == host):
        raise UsageError(f"{printable(address)} is not HOST:PORT")
    try:
        endpoint, local = service.resolve(bare, port)
    except MasterKeyError as error:
        raise UsageError(error.message) from None
    if not local and not insecure_remote:
        raise UsageError(
            f"{address} can be reached from other machines, but the protocol has no encryption or"
            " authentication",
            hint=(
                "listen on 127.0.0.1 and use a tunnel (ssh -L); to listen there anyway, use --insecure-remote"
            ),
        )
    number = endpoint.rpartition(":")[0].strip("[]")
    try:  # grpc would only print the reason
        with socket.socket(socket.AF_INET6 if ":" in number else socket.AF_INET) as probe:
            if os.name == "posix":  # on Windows, this option would share the port
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((number, port))
    except OSError as error:
        raise UsageError(f"cannot listen on {endpoint}: {reason(error)}") from None
    bound = add_port(server, endpoint)
    server.start()
    return f"tcp://{endpoint.rpartition(':')[0]}:{bound}"


def _open_socket(server: Any, path: str) -> tuple[str, OwnSocket]:
    """Listen on a socket to which only its owner can connect, at any time."""
    import socket
    from urllib.parse import quote

    if not hasattr(socket, "AF_UNIX"):
        raise UsageError("this system has no unix sockets", hint="--network tcp")
    place = OwnSocket(path)
    folder = os.path.dirname(place.path)
    if not os.access(folder, os.W_OK | os.X_OK):
        what = "permission denied for its folder" if os.path.isdir(folder) else "its folder does not exist"
        raise UsageError(f"cannot listen on {place.path}: {what}")
    try:
        with place.making() as temporary:
            add_port(server, f"unix:{quote(temporary)}")
            server.start()
    except OSError as error:
        raise UsageError(f"cannot listen on {place.path}: {reason(error)}") from None
    return f"unix://{quote(place.path)}", place


def add_port(server: Any, endpoint: str) -> int:
    """Listen on an endpoint, and return its port.  Raises UsageError."""
    try:
        bound: int = server.add_insecure_port(endpoint)
    except RuntimeError:
        raise UsageError(f"cannot listen on {endpoint}") from None
    return bound
