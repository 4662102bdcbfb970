"""Key services: other processes that wrap and unwrap data keys with their master keys.

The protocol is that of sops 3.13.3 (keyservice/keyservice.proto, sops.go): gRPC with a service ``KeyService``
without a package, which has ``Encrypt`` and ``Decrypt``.  It is neither encrypted nor authenticated.  Each
key is tried in this process first, then with one service after another.  The server is
`encconf.keyservice`.  To use a service, you need the extra ``keyservice`` (grpcio).  The messages are
few and flat, so this module reads and writes them itself, without protobuf or a generated file.

Addresses are ``tcp://HOST:PORT`` and ``unix:///PATH``.  Since a new data key is *sent* to be wrapped, a
TCP service on another machine, and a socket of another user (except root), need
``credentials.insecure_remote``.  On the loopback device, any process that holds the port is trusted.
"""

from __future__ import annotations

from encconf.errors import MasterKeyError, MetadataError, NotMyKeyError
from encconf.keys import CONTEXT, TABLE, MasterKey, from_entry, member
from encconf.providers import needing, one_line
from encconf.text.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from typing import Any, TypeVar

    from encconf.identities.credentials import Credentials

    T = TypeVar("T")

LIMIT = 1 << 16
"""The largest message, in bytes.  The largest in use, a post-quantum age file, has 2600."""

DATA_KEY_SIZES = (32, 33)
"""The sizes of a data key and of a share of one, in bytes."""

_HINT = "check that it is running; to start one: encconf keyservice, or sops keyservice"
_TRUST = (
    "if you trust that network, use --insecure-remote or ENCCONF_INSECURE_REMOTE=true; or use a tunnel "
    "(ssh -L)"
)


def wrap(key: MasterKey, data_key: bytes, credentials: Credentials) -> str:
    """Return what ``key.wrap`` returns in this process, or in the first key service that can wrap.

    Raises MasterKeyError.
    """

    def there(uri: str) -> str:
        enc = _call(uri, "Encrypt", key, data_key, credentials)
        if not enc or not enc.isascii():
            raise MasterKeyError("its answer has no wrapped data key")
        return enc.decode()

    return _first_success(credentials, lambda: key.wrap(data_key, credentials), there)


def unwrap(key: MasterKey, enc: str, credentials: Credentials) -> bytes:
    """Return what ``key.unwrap`` returns in this process, or in the first key service that can unwrap.

    Raises NotMyKeyError if neither this process nor any service can use the key, and MasterKeyError if one of
    them failed.
    """

    def there(uri: str) -> bytes:
        data_key = _call(uri, "Decrypt", key, enc.encode(), credentials)
        if len(data_key) not in DATA_KEY_SIZES:
            raise MasterKeyError("its answer has no data key")
        return data_key

    return _first_success(credentials, lambda: key.unwrap(enc, credentials), there)


def _first_success(credentials: Credentials, here: Callable[[], T], there: Callable[[str], T]) -> T:
    failures: list[tuple[str, MasterKeyError]] = []
    if credentials.local_key_service:
        try:
            return here()
        except MasterKeyError as error:
            if not credentials.key_services:
                raise
            failures.append(("here", error))
    for uri in credentials.key_services:
        try:
            return there(uri)
        except MasterKeyError as error:
            failures.append((f"key service {_name(uri)}", error))
    if not failures:
        raise MasterKeyError(
            "the local key service is switched off, and no other key service is set",
            hint="set SOPS_KEYSERVICE, or unset SOPS_ENABLE_LOCAL_KEYSERVICE",
        )
    raise _combined(failures)


def _combined(failures: list[tuple[str, MasterKeyError]]) -> MasterKeyError:
    """Return one error for several.  It has the hint of the first key that should have worked."""
    failures.sort(key=lambda failure: isinstance(failure[1], NotMyKeyError))
    lines = [line for where, error in failures for line in f"{where}: {error.message}".split("\n")]
    serious = failures[0][1]
    kind = NotMyKeyError if isinstance(serious, NotMyKeyError) else MasterKeyError
    return kind("\n".join(lines).removeprefix("here: "), hint=serious.hint)


# --- the call ------------------------------------------------------------------------------


def _call(uri: str, method: str, key: MasterKey, payload: bytes, credentials: Credentials) -> bytes:
    """Let a service wrap or unwrap a payload.  Returns its answer, or b"" if the answer is malformed.

    Raises MasterKeyError, whose message does not name the service.
    """
    try:
        request = pack_request(key, payload)
    except (MetadataError, ValueError) as error:
        raise MasterKeyError(str(error)) from None
    with needs_grpc():
        import grpc
    if len(request) > LIMIT:
        raise MasterKeyError(f"its limit is a message of {LIMIT >> 10} KiB")
    target = _target(uri, credentials)  # check each time: a socket's owner may change
    channel = credentials.client(("keyservice", target), lambda: _channel(target, credentials))
    try:
        # The limit includes a person's answer, since the service may ask a person.
        answer: bytes = channel.unary_unary(f"/KeyService/{method}")(request, timeout=credentials.timeout)
    except grpc.RpcError as error:
        raise _explained(error.code(), error.details(), credentials) from None
    try:
        return unpack_response(answer)
    except ValueError:
        return b""


def needs_grpc() -> AbstractContextManager[None]:
    """Return the context manager for the import of grpc."""
    return needing("a key service", "keyservice", "grpcio")


def _channel(target: str, credentials: Credentials) -> Any:
    import grpc

    return grpc.insecure_channel(
        target,
        options=[
            ("grpc.max_receive_message_length", LIMIT),
            ("grpc.enable_http_proxy", 0),  # a proxy must not see a data key
            ("grpc.enable_retries", 0),
            ("grpc.service_config_disable_resolution", 1),
            # These set how long a connection may take, and how soon it is tried again.
            ("grpc.min_reconnect_backoff_ms", int(credentials.call_limit * 1000)),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 1000),
        ],
    )


def _explained(code: Any, details: str | None, credentials: Credentials) -> MasterKeyError:
    import grpc

    said = one_line(details or code.name)
    if code is grpc.StatusCode.NOT_FOUND:
        return NotMyKeyError(said)
    if code is grpc.StatusCode.UNAVAILABLE:
        reason = said.rpartition(": ")[2] or said
        return MasterKeyError(
            f"cannot be reached: {reason[:1].lower()}{reason[1:]}", reason="unreachable", hint=_HINT
        )
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return MasterKeyError(f"did not answer within {credentials.timeout:g} s", reason="slow")
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return MasterKeyError("this is another kind of gRPC server, not a key service")
    return MasterKeyError(said)


def _target(uri: str, credentials: Credentials) -> str:
    """Return the address in grpc's form.  Raises MasterKeyError if it is malformed or not trusted."""
    import os
    from urllib.parse import quote, unquote, urlsplit

    try:
        parts = urlsplit(uri)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _malformed() from None
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise _malformed()
    if parts.scheme == "unix" and not parts.netloc and parts.path.startswith("/"):
        from encconf.io.sockets import PATH_LIMIT

        path = unquote(parts.path)
        if len(os.fsencode(path)) > PATH_LIMIT:
            raise MasterKeyError(f"its path is longer than {PATH_LIMIT} bytes, the limit for sockets")
        if not credentials.insecure_remote:
            _check_owner(path)
        return f"unix:{quote(path)}"
    if parts.scheme == "tcp" and host and port and parts.path in ("", "/"):
        address, local = resolve(host, port)
        if not local and not credentials.insecure_remote:
            raise MasterKeyError(
                "it is not on this machine, and the protocol is neither encrypted nor authenticated",
                hint=_TRUST,
            )
        return f"{'ipv6' if address[0] == '[' else 'ipv4'}:{address}"
    raise _malformed()


def _malformed() -> MasterKeyError:
    return MasterKeyError("not an address of a key service", hint="tcp://HOST:PORT or unix:///PATH")


def _name(uri: str) -> str:
    """Return the address in a form to show, without a password that it may have."""
    scheme, separator, rest = printable(uri)[:200].partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"


def _check_owner(path: str) -> None:
    """Raise MasterKeyError for a socket of another user, who would get the data keys."""
    import os

    try:
        owner = os.stat(path).st_uid
    except (OSError, ValueError):
        raise MasterKeyError(
            "cannot be reached: its socket does not exist", reason="unreachable", hint=_HINT
        ) from None
    if hasattr(os, "geteuid") and owner not in (0, os.geteuid()):
        raise MasterKeyError("the socket belongs to another user", hint=_TRUST)


def resolve(host: str, port: int) -> tuple[str, bool]:
    """Return ``127.0.0.1:5000`` or ``[::1]:5000``, and whether it is on the loopback device.

    The first IPv4 address is used, as in Go.  "" is every address.  A name is looked up once, so that the
    checked address is the one that is used.  Raises MasterKeyError.
    """
    import socket
    from ipaddress import ip_address

    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise MasterKeyError(f"the host {printable(host)[:100]} was not found", hint=_HINT) from None
    family, _, _, _, address = min(found, key=lambda each: each[0] != socket.AF_INET)
    number = str(address[0])
    local = ip_address(number.partition("%")[0]).is_loopback
    return (f"{number}:{port}" if family == socket.AF_INET else f"[{number}]:{port}"), local


# --- the messages --------------------------------------------------------------------------


def pack_request(key: MasterKey, payload: bytes) -> bytes:
    """Encode an EncryptRequest or a DecryptRequest: the key, and the data key or its ciphertext.

    Raises ValueError for a key type that the protocol does not have.
    """
    row = TABLE.get(key.TYPE)
    if row is None or not row.number:
        raise ValueError(f"the protocol does not support keys of type {printable(key.TYPE)}")
    entry = key.to_entry()
    body = b""
    for at, name in enumerate(row.fields, 1):
        if name == CONTEXT:
            context = entry.get(CONTEXT)
            for pair, text in sorted(context.items()) if isinstance(context, dict) else ():
                body += _field(at, _text(1, pair) + _text(2, text))
        else:
            body += _text(at, member(entry, name))
    return _field(1, _field(row.number, body)) + _bytes(2, payload)


def unpack_request(data: bytes) -> tuple[MasterKey, bytes]:
    """Return the key of a request, and its data key or ciphertext.  Raises ValueError."""
    # A message in several pieces is merged by joining the pieces.
    message = b"".join(content for number, content in _fields(data) if number == 1)
    payload = _last(data, 2)
    types = {row.number: type for type, row in TABLE.items() if row.number}
    chosen, body = 0, b""
    for number, content in _fields(message):
        if number in types:  # the last field of a oneof counts
            chosen, body = number, (body if chosen == number else b"") + content
    if not chosen:
        raise ValueError("the request names no key")
    type = types[chosen]
    entry: dict[str, object] = {}
    for at, name in enumerate(TABLE[type].fields, 1):
        if name == CONTEXT:
            pairs = [content for number, content in _fields(body) if number == at]
            entry[name] = {_last(pair, 1).decode(): _last(pair, 2).decode() for pair in pairs}
        else:
            entry[name] = _last(body, at).decode()
    return from_entry(type, entry), payload


def pack_response(payload: bytes) -> bytes:
    """Encode an EncryptResponse or a DecryptResponse."""
    return _bytes(1, payload)


def unpack_response(data: bytes) -> bytes:
    """Return the ciphertext or the data key of a response.  Raises ValueError."""
    return _last(data, 1)


# The functions below encode Protocol Buffers.  In these messages, every field has a length.


def _field(number: int, content: bytes) -> bytes:
    return _as_varint(number << 3 | 2) + _as_varint(len(content)) + content


def _as_varint(number: int) -> bytes:
    more = b""
    while number > 0x7F:
        more += bytes([number & 0x7F | 0x80])
        number >>= 7
    return more + bytes([number])


def _bytes(number: int, content: bytes) -> bytes:
    return _field(number, content) if content else b""  # empty fields are left out


def _text(number: int, text: str) -> bytes:
    return _bytes(number, text.encode())


def _last(data: bytes, wanted: int) -> bytes:
    """Return the last field with a number, which is the one that counts, or b""."""
    found = b""
    for number, content in _fields(data):
        if number == wanted:
            found = content
    return found


def _fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the number and content of each field with a length.  Other fields are skipped."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind, size = tag & 7, 0
        if kind == 0:
            _, at = _varint(data, at)
        elif kind == 2:
            size, at = _varint(data, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        if kind in (3, 4, 6, 7) or not 0 < tag >> 3 < 1 << 29 or at + size > len(data):
            raise ValueError("a malformed message")
        if kind == 2:
            yield tag >> 3, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift, byte in enumerate(data[at : at + 10]):
        value |= (byte & 0x7F) << 7 * shift
        if byte < 0x80:
            return value, at + shift + 1
    raise ValueError("a malformed message")
