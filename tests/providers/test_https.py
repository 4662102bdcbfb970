"""Answers that come slowly, in part or not as HTTP has it, at all sources that are asked by requests."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from doubles.script import Script
from requests.exceptions import ConnectionError, ProxyError, SSLError

from encconf import sources
from encconf.errors import MasterKeyError
from encconf.identities.credentials import Credentials
from encconf.providers import https
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
@pytest.mark.parametrize(
    ("pieces", "waited"),
    [([HEAD, b"abc"], "0.75|1"), ([HEAD, *[b"x"] * 80], "0.75"), ([HEAD[:-2], *[b"x"] * 80], "1")],
    ids=["stalls", "dribbles", "dribbles-headers"],
)
def test_an_answer_that_is_not_finished_in_time(
    pieces: list[bytes],
    waited: str,
    address: str,
    variable: str,
    environ: dict[str, str],
    answering: Answers,
) -> None:
    """The message has the seconds that it waited: a part of the answer has three quarters of the limit."""
    url = answering(*pieces, hang_up=False)
    begun = time.monotonic()
    error = failure(address, Credentials({**environ, variable: url}, timeout=1))
    assert error.reason == "slow"
    assert re.fullmatch(rf"{re.escape(url)} did not answer within ({waited}) s", error.message)
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


# --- addresses -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("https://A.example", "https://a.example"),
        ("HTTPS://a.example:443/", "https://a.example"),
        ("http://a.example:80", "http://a.example"),
        ("http://[::1]:8200", "http://[::1]:8200"),
        ("https://a_b.example:8200", "https://a_b.example:8200"),
        *((f"https://{text}", None) for text in ("", "a@b", "a/b", "a?b", "a#b", "a\\b", "a b", "-", "a:0")),
        *((text, None) for text in ("a.example", "ftp://a", "https:a", "https://a:65536", "https://\u212aa")),
        *((text, None) for text in ("https://a\n", "https://a:x", "https://a:1:2")),
    ],
)
def test_an_origin_can_be_read_in_one_way_only(address: str, found: str | None) -> None:
    assert https.origin(address) == found


def test_an_address_with_a_path() -> None:
    assert https.origin_and_path("https://A.example/x/y") == ("https://a.example", "/x/y")
    assert https.origin_and_path("https://a.example") == ("https://a.example", "")
    for address in (
        "https://a/x?y",
        "https://a/x#y",
        "https://a/%2e",
        "https://a/x\\y",
        "https://a@b/x",
        "a/x",
    ):
        assert https.origin_and_path(address) is None


def test_a_list_of_servers() -> None:
    def listed(setting: str) -> frozenset[str] | None:
        return https.permitted({"LIST": setting}, "LIST")

    assert listed("all") is None
    assert https.permitted({}, "LIST") == listed("none") == listed(" ") == frozenset()
    assert listed("https://A:443, http://b/ ") == {"https://a", "http://b"}
    for setting in ("a", "https://a,", "all,none", "https://a/x"):
        with pytest.raises(MasterKeyError, match="of LIST is not an address"):
            listed(setting)
    https.check_permitted("https://a", {"LIST": "https://a"}, "LIST", "a token", "its own server")
    with pytest.raises(MasterKeyError) as caught:
        https.check_permitted("https://b", {"LIST": "https://a"}, "LIST", "a token", "its own server")
    assert (caught.value.reason, caught.value.hint) == (
        *("denied", "if you trust this server: export LIST=https://b"),
    )


def test_steps_of_a_path() -> None:
    assert https.is_path(["a", "b c", "..."])
    for step in ("", ".", "..", "a\n", "\x1b"):
        assert not https.is_path(["a", step])


# --- one server ------------------------------------------------------------------------------


@SOURCES
@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(code: int, address: str, variable: str, environ: dict[str, str]) -> None:
    with Script((200, '{"Content": "x"}'), reads=True) as elsewhere:
        with Script((code, "", {"Location": elsewhere.address}), reads=True) as server:
            error = failure(address, Credentials({**environ, variable: server.address}))
        assert (error.reason, error.message) == (
            "wrong",
            f"{server.address} redirects to another server, and encconf does not follow redirects",
        )
    assert elsewhere.seen == []


@pytest.mark.parametrize(
    ("code", "asked"), [(429, 3), (502, 3), (503, 3), (504, 3), (500, 3), (403, 1), (404, 1), (418, 1)]
)
def test_how_often_it_asks(code: int, asked: int) -> None:
    with Script((code, "", {"Retry-After": "3600"}), reads=True) as server:
        begun = time.monotonic()
        answer = server_at(server.address).ask("GET", "/x")
        assert time.monotonic() - begun < 20
    assert (answer.status_code, len(server.seen)) == (code, asked)


def test_a_server_that_is_late_is_asked_once() -> None:
    with Script((200, "x"), reads=True, delay=3) as server:
        with pytest.raises(MasterKeyError) as caught:
            server_at(server.address, timeout=0.4).ask("GET", "/")
        assert caught.value.message == f"{server.address} did not answer within 0.3 s"
    assert len(server.seen) == 1


def test_an_answer_is_not_unpacked_and_not_read_beyond_the_limit() -> None:
    bomb = {"Content-Encoding": "gzip"}
    with Script((200, "not gzip", bomb), (200, "x" * (https.ANSWER_LIMIT + 1)), reads=True) as server:
        there = server_at(server.address)
        assert there.ask("GET", "/").content == b"not gzip"
        assert there.ask("GET", "/").content == b""
        assert [seen.headers["Accept-Encoding"] for seen in server.seen] == ["identity"] * 2


def test_no_server_gets_another_login_from_netrc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password hunter2\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with Script((200, "{}"), (200, "{}"), reads=True) as server:
        there = server_at(server.address)
        there.ask("GET", "/")
        there.ask("GET", "/", headers={"Authorization": "own"})
        assert [seen.headers.get("Authorization") for seen in server.seen] == [None, "own"]


@pytest.mark.parametrize(
    ("error", "message", "reason", "hint"),
    [
        (
            SSLError(OSError(1, "tlsv13 alert certificate required")),
            "https://v rejects the client's certificate: tlsv13 alert certificate required",
            *("denied", "CERT and KEY are the client's certificate and its key"),
        ),
        (
            SSLError(OSError(1, "sslv3 alert certificate expired")),
            "https://v rejects the client's certificate: sslv3 alert certificate expired",
            *("expired", "CERT and KEY are the client's certificate and its key"),
        ),
        (
            SSLError(OSError(1, "self-signed certificate")),
            "no trusted connection to https://v: self-signed certificate",
            *("unreachable", "CA sets the authority of its certificate"),
        ),
        (ProxyError(), "the proxy does not connect to https://v: it refused", "unreachable", None),
        (
            ConnectionError(OSError(111, "Connection refused")),
            "https://v cannot be reached: Connection refused",
            *("unreachable", "check the address, and that the server is up and this machine can reach it"),
        ),
        (
            OSError("no such file: /ca"),
            "the settings for TLS cannot be used: no such file: /ca",
            *("unusable", "check CA and CERT and KEY"),
        ),
    ],
)
def test_why_there_is_no_answer(error: OSError, message: str, reason: str, hint: str | None) -> None:
    trust = https.Trust(True, "CA", own="CERT and KEY")
    found = https.Server("https://v", Credentials({}), trust, moved="").failure(error)
    assert (found.message, found.reason, found.hint) == (message, reason, hint)


def test_a_proxy_gets_no_login(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxies are those of the process; what goes to a server by HTTPS goes through a tunnel."""
    with Script((403, ""), reads=True) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.address)
        with pytest.raises(MasterKeyError) as caught:
            server_at("https://v.example").ask("GET", "/", headers={"X-Token": "s3cret"})
        assert caught.value.message.startswith("the proxy does not connect to https://v.example: ")
        assert "s3cret" not in f"{caught.value!r} {caught.value.hint}"
    assert all("X-Token" not in seen.headers for seen in proxy.seen)


def server_at(address: str, *, timeout: float = 300) -> https.Server:
    return https.Server(address, Credentials({}, timeout=timeout), https.Trust(True, "CA"), moved="")
