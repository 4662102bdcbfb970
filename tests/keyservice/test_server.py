"""The key service that encconf runs: what it answers, to which callers, and where it listens."""

from __future__ import annotations

import os
import signal
import socket
import stat
import sys
import threading
import time
from pathlib import Path
from typing import Any

import grpc
import pytest
from doubles.recording_keyservice import RecordingKeyservice
from keys.served import alice as alice
from keys.served import answered, running, serving
from keys.served import empty_gnupg as empty_gnupg
from keys.served import holder as holder
from keys.served import others as others
from keys.served import path as path
from oracle import PGP_FINGERPRINT, AgeKey, gpg, gpg_home
from project import signal_another_thread

from encconf import keyservice
from encconf.errors import MasterKeyError, UsageError
from encconf.identities.credentials import Credentials
from encconf.keys import service
from encconf.keys.age import AgeKey as AgeRecipient
from encconf.keys.pgp import PgpKey

ROOT = Path(__file__).resolve().parents[2]
DATA_KEY = bytes(range(32))


# --- the server ----------------------------------------------------------------------------


def call(uri: str, method: str, request: bytes, timeout: float = 20) -> bytes:
    """One call past all of our own client; raises grpc.RpcError."""
    target = uri.replace("tcp://", "ipv4:").replace("unix://", "unix:")
    with grpc.insecure_channel(target) as channel:
        answer: bytes = channel.unary_unary(f"/KeyService/{method}")(request, timeout=timeout)
        return answer


def status(uri: str, method: str, request: bytes, timeout: float = 20) -> tuple[str, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call(uri, method, request, timeout)
    return caught.value.code().name, caught.value.details()


def age_request(alice: AgeKey, payload: bytes) -> bytes:
    return service.pack_request(AgeRecipient(alice.recipient), payload)


def test_requests_that_cannot_be_answered(alice: AgeKey, holder: dict[str, str]) -> None:
    with serving(holder) as (uri, log):
        for method in ("Encrypt", "Decrypt"):
            assert status(uri, method, b"") == ("INVALID_ARGUMENT", "the request names no key")
            assert status(uri, method, b"\xff") == ("INVALID_ARGUMENT", "a malformed message")
            assert status(uri, method, b"\x0a\x00") == ("INVALID_ARGUMENT", "the request names no key")
            assert status(uri, method, bytes(1 << 17))[0] == "RESOURCE_EXHAUSTED"
        assert status(uri, "Encrypt", age_request(alice, b"secret"))[0] == "INVALID_ARGUMENT"
        assert status(uri, "Encrypt", age_request(alice, b""))[0] == "INVALID_ARGUMENT"
        assert status(uri, "Decrypt", age_request(alice, b"x"))[0] == "UNKNOWN"
        assert status(uri, "Decrypt", age_request(alice, b"\xff"))[0] == "INVALID_ARGUMENT"
        bad = service.pack_request(AgeRecipient("age1x"), DATA_KEY)
        assert status(uri, "Encrypt", bad)[0] == "INVALID_ARGUMENT"
        assert status(uri, "Rotate", b"")[0] == "UNIMPLEMENTED"
        # and it still works
        enc = service.unpack_response(call(uri, "Encrypt", age_request(alice, DATA_KEY)))
        assert service.unpack_response(call(uri, "Decrypt", age_request(alice, enc))) == DATA_KEY
    assert not any("secret" in line for line in log)
    assert log[-1].startswith("ipv4:127.0.0.1:")
    assert log[-1].endswith(f": decrypt a data key with age {alice.recipient}: done")


def test_it_opens_data_keys_and_nothing_else(
    alice: AgeKey, holder: dict[str, str], empty_gnupg: Path
) -> None:
    """Whoever may connect shall not read the other things that were encrypted for the same keys."""
    import pyrage

    mail = gpg(gpg_home(), "-a", "--trust-model", "always", "-r", PGP_FINGERPRINT, "-e", input=b"dear Bob")
    for_pgp = service.pack_request(PgpKey(PGP_FINGERPRINT), mail.stdout)
    recipient = pyrage.x25519.Recipient.from_str(alice.recipient)
    for_age = age_request(alice, pyrage.encrypt(b"dear Bob", [recipient], armored=True))
    with serving(holder) as (uri, log):
        for request in (for_pgp, for_age):
            assert status(uri, "Decrypt", request) == ("UNKNOWN", "the content is not a data key")
    assert "Bob" not in str(log)


def test_a_bug_tells_nothing(alice: AgeKey, capfd: pytest.CaptureFixture[str]) -> None:
    def broken() -> Credentials:
        raise LookupError("hunter2")

    log: list[str] = []
    with keyservice.serving("tcp", "127.0.0.1:0", credentials=broken, log=log.append) as uri:
        found = status(uri, "Decrypt", age_request(alice, b"x"))
    assert found == ("INTERNAL", "unexpected LookupError")
    assert "hunter2" not in str(log)
    assert capfd.readouterr() == ("", "")


def test_it_asks_no_other_service(alice: AgeKey, others: Any) -> None:
    """Else two of them could ask each other for ever."""
    with (
        RecordingKeyservice(lambda name, request: DATA_KEY) as recorder,
        keyservice.serving("tcp", "127.0.0.1:0", credentials=lambda: others(recorder.uri, local=True)) as uri,
    ):
        enc = AgeRecipient(alice.recipient).wrap(DATA_KEY, Credentials({}))
        assert status(uri, "Decrypt", age_request(alice, enc.encode())) == (
            "NOT_FOUND",
            "no matching identity",
        )
        assert recorder.requests == []


def test_many_at_once(alice: AgeKey, holder: dict[str, str], others: Any) -> None:
    from concurrent.futures import ThreadPoolExecutor

    key = AgeRecipient(alice.recipient)
    enc = key.wrap(DATA_KEY, Credentials({}))
    with serving(holder) as (uri, log), ThreadPoolExecutor(30) as pool:
        lacks = others(uri)
        found = list(pool.map(lambda _: service.unwrap(key, enc, lacks), range(60)))
    assert found == [DATA_KEY] * 60
    assert len(log) == 60


# --- asking before -------------------------------------------------------------------------


@pytest.mark.parametrize("says", [True, False])
def test_it_asks_before_it_uses_a_key(
    says: bool, alice: AgeKey, holder: dict[str, str], others: Any, tmp_path: Path
) -> None:
    used = tmp_path / "used"
    questions: list[tuple[str, bool]] = []

    def approve(question: str) -> bool:
        questions.append((question, used.exists()))
        return says

    key = AgeRecipient(alice.recipient)
    enc = key.wrap(DATA_KEY, Credentials({}))
    command = f"sh -c 'touch {used}; echo {alice.identity}'"
    with serving(holder, approve=approve, SOPS_AGE_KEY="", SOPS_AGE_KEY_CMD=command) as (uri, log):
        if says:
            assert service.unwrap(key, enc, others(uri)) == DATA_KEY
        else:
            with pytest.raises(MasterKeyError, match=f"^key service {uri}: the request was rejected$"):
                service.unwrap(key, enc, others(uri))
            with pytest.raises(MasterKeyError, match=r"rejected$"):
                service.wrap(key, DATA_KEY, others(uri))
    assert used.exists() is says
    question, too_late = questions[0]
    assert question.endswith(f": decrypt a data key with age {alice.recipient}?")
    assert not too_late
    assert log[-1].endswith("done" if says else "the request was rejected")


def test_a_name_cannot_rewrite_the_question(alice: AgeKey, holder: dict[str, str]) -> None:
    questions: list[str] = []
    with serving(holder, approve=lambda question: bool(questions.append(question))) as (uri, _):
        name = "age1x\r\x1b[2Kdecrypt with age1harmless" + "x" * 500
        request = service.pack_request(AgeRecipient(name), DATA_KEY)
        assert status(uri, "Encrypt", request)[0] == "PERMISSION_DENIED"
    (question,) = questions
    assert question.isprintable()
    assert len(question) < 300


def test_a_request_whose_client_left_uses_no_key(
    alice: AgeKey, holder: dict[str, str], tmp_path: Path
) -> None:
    asked, answer, used = threading.Event(), threading.Event(), tmp_path / "used"
    questions: list[str] = []

    def approve(question: str) -> bool:
        questions.append(question)
        asked.set()
        return answer.wait(20)

    key = AgeRecipient(alice.recipient)
    request = age_request(alice, key.wrap(DATA_KEY, Credentials({})).encode())
    with serving(holder, approve=approve, SOPS_AGE_KEY="", SOPS_AGE_KEY_CMD=f"touch {used}") as (uri, log):
        second = threading.Thread(target=lambda: asked.wait(20) and status(uri, "Decrypt", request, 1))
        second.start()  # waits behind the first, and in vain
        assert status(uri, "Decrypt", request, 1)[0] == "DEADLINE_EXCEEDED"
        second.join()
        time.sleep(1)  # until the server has noticed that the client left, on a busy machine too
        answer.set()
        deadline = time.monotonic() + 20
        while len(log) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert len(questions) == 1
    assert not used.exists()


def test_passphrases_are_asked_for_one_at_a_time(alice: AgeKey, others: Any) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from keys.passphrase import armored, locked

    key = AgeRecipient(alice.recipient)
    enc = key.wrap(DATA_KEY, Credentials({}))
    environ = {"SOPS_AGE_KEY": armored(locked(alice.identity.encode(), "correct horse")).decode()}
    at_once: list[int] = []
    talking = 0

    def prompt(question: str) -> str:
        nonlocal talking
        talking += 1
        time.sleep(0.05)
        at_once.append(talking)
        talking -= 1
        return "correct horse"

    with (
        keyservice.serving(
            "tcp", "127.0.0.1:0", credentials=lambda: Credentials(environ, prompt=prompt)
        ) as uri,
        ThreadPoolExecutor(3) as pool,
    ):
        found = list(pool.map(lambda _: service.unwrap(key, enc, others(uri)), range(3)))
    assert found == [DATA_KEY] * 3
    assert at_once == [1, 1, 1]


# --- listening -----------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0"])
def test_listening_to_other_machines_takes_a_word(address: str) -> None:
    with (
        pytest.raises(UsageError, match="can be reached from other machines") as caught,
        keyservice.serving("tcp", address),
    ):
        pass
    assert "--insecure-remote" in str(caught.value.hint)


def test_listening_to_other_machines(alice: AgeKey, holder: dict[str, str], others: Any) -> None:
    key = AgeRecipient(alice.recipient)
    with keyservice.serving(
        "tcp", "0.0.0.0:0", credentials=lambda: Credentials(holder), insecure_remote=True
    ) as uri:
        assert uri.startswith("tcp://0.0.0.0:")
        here = uri.replace("0.0.0.0", "127.0.0.1")
        assert service.unwrap(key, service.wrap(key, DATA_KEY, others(here)), others(here)) == DATA_KEY


@pytest.mark.parametrize(
    "address",
    [
        *("", "x", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:-1"),
        *("127.0.0.1:\u0663", "::1:5000", "no.such.host.invalid:1"),
    ],
)
def test_an_address_that_is_none(address: str) -> None:
    with (
        pytest.raises(UsageError, match=r"is not HOST:PORT|was not found"),
        keyservice.serving("tcp", address),
    ):
        pass


def test_a_port_is_not_shared(holder: dict[str, str]) -> None:
    with serving(holder) as (uri, _):
        taken = pytest.raises(UsageError, match=r"cannot listen on .*: address already in use")
        with taken, keyservice.serving("tcp", uri.removeprefix("tcp://")):
            pass


def test_ipv6(alice: AgeKey, holder: dict[str, str], others: Any) -> None:
    key = AgeRecipient(alice.recipient)
    with keyservice.serving("tcp", "[::1]:0", credentials=lambda: Credentials(holder)) as uri:
        assert uri.startswith("tcp://[::1]:")
        assert key.unwrap(service.wrap(key, DATA_KEY, others(uri)), Credentials(holder)) == DATA_KEY


def test_another_network() -> None:
    with (
        pytest.raises(UsageError, match="listens on tcp or unix, not on udp"),
        keyservice.serving("udp", "x"),
    ):
        pass


def test_the_socket_is_private_from_the_first_moment(
    holder: dict[str, str], path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes: list[int] = []
    add = keyservice.add_port

    def watched(server: Any, endpoint: str) -> int:
        try:
            return add(server, endpoint)
        finally:
            modes.extend(os.stat(Path(path).parent / name).st_mode for name in os.listdir(Path(path).parent))

    monkeypatch.setattr(keyservice, "add_port", watched)
    before = os.umask(0)
    try:
        with serving(holder, path):
            assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
            assert os.listdir(Path(path).parent) == ["ks"]
            assert os.umask(0) == 0
    finally:
        os.umask(before)
    assert [stat.S_IMODE(mode) for mode in modes] == [0o600]
    assert not os.path.lexists(path)


def test_a_socket_with_an_odd_name(alice: AgeKey, holder: dict[str, str], path: str, others: Any) -> None:
    key = AgeRecipient(alice.recipient)
    with serving(holder, f"{path} é%20#?x") as (uri, _):
        assert uri.startswith("unix:///")
        assert key.unwrap(service.wrap(key, DATA_KEY, others(uri)), Credentials(holder)) == DATA_KEY


def test_a_relative_path(holder: dict[str, str], path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(path).parent)
    with serving(holder, "ks") as (uri, _):
        assert uri == f"unix://{path}"


def test_a_stale_socket_is_replaced(holder: dict[str, str], path: str) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    with serving(holder, path) as (uri, _):
        assert answered(uri)


def test_a_living_socket_is_left_alone(alice: AgeKey, holder: dict[str, str], path: str, others: Any) -> None:
    with serving(holder, path) as (uri, _):
        with (
            pytest.raises(UsageError, match=r"cannot listen on .*: another process does"),
            serving(holder, path),
        ):
            pass
        assert service.wrap(AgeRecipient(alice.recipient), DATA_KEY, others(uri))


def test_what_is_no_socket_is_left_alone(holder: dict[str, str], path: str) -> None:
    file = Path(path)
    file.write_text("precious")
    with pytest.raises(UsageError, match="exists and is not a socket"), serving(holder, path):
        pass
    assert file.read_text() == "precious"
    file.unlink()
    file.symlink_to("/nowhere")
    with pytest.raises(UsageError, match="exists and is not a socket"), serving(holder, path):
        pass
    file.unlink()


def test_the_socket_of_a_successor_is_left_alone(holder: dict[str, str], path: str) -> None:
    with serving(holder, path):
        os.unlink(path)
        with socket.socket(socket.AF_UNIX) as successor:
            successor.bind(path)
    assert os.path.lexists(path)
    os.unlink(path)


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("/nowhere/ks", "cannot listen on /nowhere/ks: its folder does not exist"),
        ("/", "the path of the socket is missing"),
        ("/tmp/" + "x" * 110, "the path of a socket has at most 107 bytes"),
    ],
)
def test_a_path_that_cannot_be_listened_on(address: str, says: str, holder: dict[str, str]) -> None:
    with pytest.raises(UsageError) as caught, serving(holder, address):
        pass
    assert caught.value.message == says


# --- the command ---------------------------------------------------------------------------


@pytest.mark.services
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_is_a_good_end(how: signal.Signals, holder: dict[str, str], path: str) -> None:
    command = [sys.executable, "-m", "encconf", "keyservice", "--net=unix", "--addr", path, "--verbose"]
    with running(command, {**holder, "PYTHONPATH": str(ROOT)}, f"unix://{path}") as process:
        assert status(f"unix://{path}", "Decrypt", b"")[0] == "INVALID_ARGUMENT"
        process.send_signal(how)
        _, said = process.communicate(timeout=20)
        assert process.returncode == 0
        assert said.decode().splitlines() == [
            f"encconf: listening on unix://{path}",
            "encconf: unix: decrypt: the request names no key",
            "encconf: stopped",
        ]
    assert not os.path.lexists(path)


@pytest.mark.services
def test_a_signal_is_never_missed(holder: dict[str, str], path: str) -> None:
    command = [sys.executable, "-m", "encconf", "keyservice", "--net=unix", "--addr", path]
    with running(command, {**holder, "PYTHONPATH": str(ROOT)}, f"unix://{path}") as process:
        signal_another_thread(process.pid, signal.SIGTERM)
        assert process.wait(20) == 0


@pytest.mark.services
def test_a_signal_ends_it_with_a_request_still_waiting(
    alice: AgeKey, holder: dict[str, str], path: str
) -> None:
    command = [sys.executable, "-m", "encconf", "keyservice", "--network", "unix", "--address", path]
    # Without our stderr, which it would hold open for as long as it sleeps.
    slow = {"SOPS_AGE_KEY": "", "SOPS_AGE_KEY_CMD": "sh -c 'exec sleep 15 2>&-'", "PYTHONPATH": str(ROOT)}
    enc = AgeRecipient(alice.recipient).wrap(DATA_KEY, Credentials({})).encode()
    with running(command, {**holder, **slow}, f"unix://{path}") as process:
        waiting = threading.Thread(
            target=lambda: status(f"unix://{path}", "Decrypt", age_request(alice, enc), 30)
        )
        waiting.start()
        time.sleep(0.3)
        begun = time.monotonic()
        process.terminate()
        assert process.wait(20) == 0
        assert time.monotonic() - begun < 10
        waiting.join(20)
    assert not os.path.lexists(path)
