"""A CONNECT proxy that leads the real host names of clouds to servers on this machine.

An unmodified client (the sops binary, an SDK) reaches a double under the name it always uses:

    with ConnectProxy({"*.vault.azure.net": port}) as proxy:
        environ = {"HTTPS_PROXY": proxy.url, "HTTP_PROXY": proxy.url, "NO_PROXY": "127.0.0.1",
                   "SSL_CERT_FILE": str(ca.bundle)}

Whatever no route names is answered 403, plain HTTP included, so nothing leaves the machine: no
metadata service is probed, and no cloud is called by a test that forgot something.
"""

from __future__ import annotations

import contextlib
import fnmatch
import socket
import threading
from collections.abc import Mapping

from doubles.serving import Closing

_REFUSED = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_CONNECTED = b"HTTP/1.1 200 Connection established\r\n\r\n"


class ConnectProxy(Closing):
    """Listens on 127.0.0.1 until `close`.

    ``routes`` maps patterns of host names (fnmatch, without the port) to ports of this machine and may
    be changed at any time; ``log`` holds the request lines seen, each with the port it was led to
    or None where it was refused.
    """

    def __init__(self, routes: Mapping[str, int] | None = None) -> None:
        self.routes = dict(routes or {})
        self.log: list[tuple[str, int | None]] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        """What goes into HTTPS_PROXY."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environ(self) -> dict[str, str]:
        """The variables that send every client here (Go, Python, curl, gRPC), in both spellings."""
        names = {"HTTPS_PROXY": self.url, "HTTP_PROXY": self.url, "NO_PROXY": "127.0.0.1,localhost"}
        return {**names, **{name.lower(): value for name, value in names.items()}}

    @property
    def refused(self) -> list[str]:
        """The request lines that were answered 403."""
        return [line for line, port in self.log if port is None]

    def close(self) -> None:
        """Stop listening; connections that are open go on."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes the accept of Linux
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                if not (more := client.recv(4096)) or len(head) > 1 << 16:
                    return
                head += more
            line = head.split(b"\r\n", 1)[0].decode("latin-1")
            method, _, target = line.partition(" ")
            host = target.split(" ")[0].rpartition(":")[0]
            port = self._port(host) if method == "CONNECT" else None
            self.log.append((line, port))
            if port is None:
                client.sendall(_REFUSED)
                return
            with socket.create_connection(("127.0.0.1", port)) as server:
                client.sendall(_CONNECTED)
                back = threading.Thread(target=_pump, args=(server, client), daemon=True)
                back.start()
                _pump(client, server)
                back.join()

    def _port(self, host: str) -> int | None:
        return next((port for pattern, port in self.routes.items() if fnmatch.fnmatch(host, pattern)), None)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
