"""Answers that come slowly, in part or not as HTTP has it, at all sources that are asked by requests."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from encconf import sources
from encconf.identities.credentials import Credentials
from encconf.testing.contracts.source import failure

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
Answers = Callable[..., str]


@pytest.fixture
def answering() -> Iterator[Answers]:
    """Gives the address of a server that answers with these pieces, 0.3 s apart, and hangs up or waits."""
    with contextlib.ExitStack() as stack:
        done = threading.Event()
        stack.callback(done.set)

        def serve(*pieces: bytes, hang_up: bool) -> str:
            server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            stack.callback(server.shutdown, socket.SHUT_RDWR)  # wakes its accept

            def answer(client: socket.socket) -> None:
                with client, contextlib.suppress(OSError):
                    client.recv(1 << 16)
                    for piece in pieces:
                        client.sendall(piece)
                        if done.wait(0.3):
                            return
                    if not hang_up:
                        done.wait(60)

            def accept() -> None:
                with contextlib.suppress(OSError):
                    while True:
                        client, _ = server.accept()
                        threading.Thread(target=answer, args=(client,), daemon=True).start()

            threading.Thread(target=accept, daemon=True).start()
            return f"http://127.0.0.1:{server.getsockname()[1]}"

        yield serve


SOURCES = pytest.mark.parametrize(
    ("address", "variable", "environ"),
    [
        ("cyberark:a/b", "CYBERARK_CCP_URL", {"CYBERARK_APP_ID": "a"}),
        (
            *("conjur:a", "CONJUR_APPLIANCE_URL"),
            {"CONJUR_ACCOUNT": "a", "CONJUR_AUTHN_LOGIN": "l", "CONJUR_AUTHN_API_KEY": "k"},
        ),
        ("vault:a/b#c", "VAULT_ADDR", {"VAULT_TOKEN": "t"}),
    ],
    ids=["cyberark", "conjur", "vault"],
)


@SOURCES
@pytest.mark.parametrize("pieces", [[HEAD, b"abc"], [HEAD, *[b"x"] * 80]], ids=["stalls", "dribbles"])
def test_an_answer_that_is_not_finished_in_time(
    pieces: list[bytes], address: str, variable: str, environ: dict[str, str], answering: Answers
) -> None:
    url = answering(*pieces, hang_up=False)
    begun = time.monotonic()
    error = failure(address, Credentials({**environ, variable: url}, timeout=1))
    assert (error.reason, error.message) == ("slow", f"{url} did not answer within 1 s")
    assert time.monotonic() - begun < 10


@SOURCES
@pytest.mark.parametrize(
    "pieces",
    [[HEAD + b"abc"], [CHUNKED + b"5\r\nabc"], [CHUNKED + b"zz\r\n"]],
    ids=["length", "chunk", "no-chunk"],
)
def test_part_of_an_answer_is_no_answer(
    pieces: list[bytes], address: str, variable: str, environ: dict[str, str], answering: Answers
) -> None:
    """A value that lacks its end must not pass for the value."""
    url = answering(*pieces, hang_up=True)
    error = failure(address, Credentials({**environ, variable: url}))
    assert (error.reason, error.message) == (
        "unreachable",
        f"{url} cannot be reached: its answer was cut off",
    )


@SOURCES
@pytest.mark.parametrize("pieces", [[b"\xff\xfe\r\n\r\n"], []], ids=["garbage", "nothing"])
def test_what_is_no_answer(
    pieces: list[bytes], address: str, variable: str, environ: dict[str, str], answering: Answers
) -> None:
    url = answering(*pieces, hang_up=True)
    error = failure(address, Credentials({**environ, variable: url}))
    assert error.reason == "unreachable"
    assert error.message.startswith(f"{url} cannot be reached: ")


def test_an_answer_without_end_is_not_read_to_it(answering: Answers) -> None:
    piece = b"%x\r\n%s\r\n" % (1 << 20, b"x" * (1 << 20))
    url = answering(CHUNKED, *[piece] * 50, hang_up=False)
    credentials = Credentials({"CYBERARK_CCP_URL": url, "CYBERARK_APP_ID": "a"})
    begun = time.monotonic()
    error = failure("cyberark:a/b", credentials)
    assert error.message == "the answer is not from a Central Credential Provider"
    assert time.monotonic() - begun < 10


def test_connections_are_used_again() -> None:
    """However an answer says where it ends."""
    body = b'{"Content": "x"}'
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (
        len(body),
        body,
    )
    plain = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    for answer in (plain, chunked):
        with socket.create_server(("127.0.0.1", 0)) as server:
            accepted = []

            def serve(
                server: socket.socket = server, answer: bytes = answer, accepted: list[int] = accepted
            ) -> None:
                with contextlib.suppress(OSError):
                    while True:
                        client, _ = server.accept()
                        accepted.append(1)
                        with client:
                            while client.recv(1 << 16):
                                client.sendall(answer)

            threading.Thread(target=serve, daemon=True).start()
            url = f"http://127.0.0.1:{server.getsockname()[1]}"
            credentials = Credentials({"CYBERARK_CCP_URL": url, "CYBERARK_APP_ID": "a"})
            for name in "abc":
                assert sources.fetch(f"cyberark:s/{name}", credentials) == b"x"
            assert accepted == [1]
            credentials.client(("cyberark", url), lambda: None).session.close()
            server.shutdown(socket.SHUT_RDWR)
