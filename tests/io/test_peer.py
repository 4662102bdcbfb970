"""Who is at the other end of a Unix socket."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from encconf.io.sockets import peer_of


def test_the_process_that_connected(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.listen()
        child = os.fork()
        if child == 0:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(str(tmp_path / "socket"))
                connection.recv(1)
            os._exit(0)
        with listener.accept()[0] as connection:
            assert peer_of(connection) == (child, os.geteuid())
        assert os.waitpid(child, 0)[1] == 0
