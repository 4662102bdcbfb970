"""A bucket of Google Cloud Storage as a destination."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress

import pytest
from doubles.script import Script

from encconf.errors import EncconfError
from encconf.identities.credentials import Credentials
from encconf.publish import put_gcs

pytestmark = pytest.mark.services


@pytest.mark.parametrize("answers", [False, True])
def test_a_bucket_that_does_not_respond(answers: bool) -> None:
    """One that is silent, and one that is always busy: the SDK would try for two minutes."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, port = server.getsockname()

        def answer() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    connections.append(connection)
                    if answers:
                        connection.recv(65536)
                        connection.sendall(
                            b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                        )
                        connection.close()

        connections: list[socket.socket] = []
        threading.Thread(target=answer, daemon=True).start()
        credentials = Credentials({"STORAGE_EMULATOR_HOST": f"http://{host}:{port}"}, timeout=1.5)
        started = time.monotonic()
        with pytest.raises(EncconfError, match=r"it did not answer within 1\.5 s"):
            put_gcs({"gcs_bucket": "b"}, "f.yaml", b"x", credentials)
        assert time.monotonic() - started < 10
        server.shutdown(socket.SHUT_RDWR)
        for connection in connections:
            connection.close()


def test_a_server_that_is_not_there() -> None:
    with socket.socket() as taken:  # keeps the port, and does not listen
        taken.bind(("127.0.0.1", 0))
        host, port = taken.getsockname()
        credentials = Credentials({"STORAGE_EMULATOR_HOST": f"{host}:{port}"}, timeout=1.5)
        with pytest.raises(EncconfError, match=r"cannot be reached|it did not answer") as caught:
            put_gcs({"gcs_bucket": "b"}, "f.yaml", b"s3cret", credentials)
    assert "s3cret" not in str(caught.value)


@pytest.mark.usefixtures("netrc")
def test_a_login_in_netrc_is_not_sent() -> None:
    with Script((200, "{}"), reads=True) as server:
        put_gcs({"gcs_bucket": "b"}, "f.yaml", b"x", Credentials({"STORAGE_EMULATOR_HOST": server.address}))
        assert {seen.headers.get("Authorization") for seen in server.seen} == {None}
