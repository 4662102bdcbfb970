"""A server on this machine that follows a script: it gives its answers, whatever it is asked."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from encconf.identities.credentials import Credentials

Answer = tuple[int, str] | tuple[int, str, Mapping[str, str]]


class Seen:
    """A request: its path as sent, its headers, and the client's port."""

    def __init__(self, path: str, headers: Any, port: int) -> None:
        self.path = path
        self.headers = headers
        self.port = port


class Script:
    """A server that gives these answers, the last one for ever, and remembers what it saw.

    It answers POST and PUT, and GET if it ``reads``.
    """

    def __init__(
        self,
        *answers: Answer,
        delay: float = 0,
        context: ssl.SSLContext | None = None,
        reads: bool = False,
    ) -> None:
        self.answers = list(answers) or [(500, "")]
        self.delay = delay
        self.seen: list[Seen] = []
        script = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30
            wbufsize = -1

            def log_message(self, *args: object) -> None:
                pass

            def do_GET(self) -> None:
                if reads:
                    self.do_POST()
                else:
                    self.send_error(501)

            def do_PUT(self) -> None:
                self.do_POST()

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                script.seen.append(Seen(self.path, self.headers, self.client_address[1]))
                time.sleep(script.delay)
                code, body, *headers = script.answers.pop(0) if len(script.answers) > 1 else script.answers[0]
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                for name, value in (headers[0] if headers else {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body.encode())))
                self.end_headers()
                self.wfile.write(body.encode())

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        if context is not None:
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.address = f"{'https' if context else 'http'}://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def credentials(self, token: str = "t", timeout: float = 300, **environ: str) -> Credentials:
        """Credentials whose token may go here."""
        return Credentials({"VAULT_ADDR": self.address, "VAULT_TOKEN": token, **environ}, timeout=timeout)

    def __enter__(self) -> Script:
        return self

    def __exit__(self, *args: object) -> None:
        self._server.shutdown()
        self._server.server_close()
