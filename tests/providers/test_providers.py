"""What the clients of all providers share: packages, files with tokens, logins, time limits, silence."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

import pytest
from keys.interop import said_without

from encconf import keys, providers
from encconf.errors import MasterKeyError, MissingExtraError, SourceError
from encconf.providers import Login, late, needing, one_line, text_in, unheard, within

# --- packages --------------------------------------------------------------------------------

KEYS = {
    "aws": "arn:aws:kms:eu-central-1:123456789012:key/1",
    "gcp": "projects/p/locations/global/keyRings/r/cryptoKeys/k",
    "azure": "https://v.vault.azure.net/keys/k/0",
    "vault": "https://v.example/v1/transit/keys/k",
    "huawei": "eu-west-101:0d0466b0-e727-4d9c-b35d-f84bb474a37f",
}
TYPES = {"aws": "kms", "gcp": "gcp_kms", "azure": "azure_kv", "vault": "hc_vault", "huawei": "hckms"}
LOGINS = {
    "VAULT_ADDR": "https://v.example",
    "VAULT_TOKEN": "t",
    **{f"HUAWEICLOUD_SDK_{name}": "x" for name in ("AK", "SK", "PROJECT_ID")},
}


@pytest.mark.parametrize(
    ("extra", "package", "said"),
    [
        *(("aws", name, "AWS needs the package boto3") for name in ("botocore", "jmespath", "urllib3")),
        ("aws", "dateutil", "AWS needs the package boto3"),
        *(
            ("gcp", name, "Google Cloud KMS needs the packages google-cloud-kms and google-crc32c")
            for name in ("google.cloud.kms_v1", "google.api_core", "google.auth", "google_crc32c", "grpc")
        ),
        *(("azure", name, f"Azure needs the package {name}") for name in ("azure", "msal", "requests")),
        *(("vault", name, f"Vault needs the package {name}") for name in ("requests", "urllib3")),
        *(
            ("huawei", name, f"Huawei Cloud needs the package {name}")
            for name in ("huaweicloudsdkkms", "huaweicloudsdkcore", "requests")
        ),
    ],
)
def test_a_missing_or_half_installed_sdk(extra: str, package: str, said: str) -> None:
    """Reading a key takes no SDK; using it says what to install."""
    key = keys.master_key(TYPES[extra], KEYS[extra])
    assert said_without(package, key, LOGINS) == [said, f"pip install 'encconf[{extra}]'"] * 2


def test_only_a_missing_package_is_one() -> None:
    with pytest.raises(MissingExtraError, match="X needs the package nowhere"), needing("X", "x"):
        import nowhere.at_all  # type: ignore[import-not-found]  # noqa: F401
    with pytest.raises(ZeroDivisionError), needing("X", "x"):
        raise ZeroDivisionError
    with needing("X", "x", "a", "b"):
        pass


# --- texts -----------------------------------------------------------------------------------


def test_what_a_server_says_is_one_short_line() -> None:
    assert one_line("a\n b\x1b[2J\t") == "a b?[2J"
    assert len(one_line("x" * 5000)) <= 400
    assert one_line("no such file: '-----BEGIN PRIVATE KEY-----\nsecret'") == "no such file: '…"


def test_a_file_with_a_token(tmp_path: Path) -> None:
    path = tmp_path / "token"
    hint = "give the path of a file that this user can read, with only the login in it"
    path.write_text(" t0ken\n")
    assert text_in(str(path), "the token") == "t0ken"
    for content, said in (
        (b"\xff t0ken", "not a text file"),
        (b"t0ken" * providers.LOGIN_LIMIT, "larger than 64 KiB"),
        (None, "no such file"),
    ):
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(MasterKeyError) as caught:
            text_in(str(path), "the token")
        assert caught.value.message == f"the token: {path}: {said}"
        assert (caught.value.reason, caught.value.hint) == ("unusable", hint)
    for login in ("hvs.t0ken", '{"private_key": "-----BEGIN PRIVATE KEY-----\\nt0ken'):
        with pytest.raises(MasterKeyError) as caught:
            text_in(login, "VAULT_TOKEN_FILE")
        assert caught.value.message == "VAULT_TOKEN_FILE: no such file"


def test_too_late() -> None:
    error = late("the server", 0.5, "wait")
    assert (error.message, error.reason, error.hint) == (
        *("the server did not answer within 0.5 s", "slow", "wait"),
    )


# --- logins ----------------------------------------------------------------------------------


class Door:
    """Gives tokens 1, 2 …; ``refused`` are those that it does not accept, for ``reason``."""

    def __init__(self, lifetime: float = 60) -> None:
        self.lifetime = lifetime
        self.logins = 0
        self.calls: list[str] = []
        self.refused: set[str] = set()
        self.reason = "denied"

    def log_in(self) -> tuple[str, float]:
        self.logins += 1
        return str(self.logins), self.lifetime

    def call(self, token: str) -> str:
        self.calls.append(token)
        if token in self.refused:
            raise SourceError("no", reason=self.reason)
        return f"by {token}"


def test_a_token_is_used_while_it_is_valid() -> None:
    door, login = Door(), Login()
    assert [login.call(door.log_in, door.call, "denied") for _ in range(3)] == ["by 1"] * 3
    assert door.logins == 1
    short, login = Door(lifetime=0), Login()
    assert [login.call(short.log_in, short.call, "denied") for _ in range(2)] == ["by 1", "by 2"]


def test_an_older_token_that_is_refused_is_replaced_once() -> None:
    door, login = Door(), Login()
    login.call(door.log_in, door.call, "denied")
    door.refused = {"1"}
    assert login.call(door.log_in, door.call, "denied") == "by 2"
    door.refused = {"2", "3"}
    with pytest.raises(SourceError, match="no"):
        login.call(door.log_in, door.call, "denied")
    assert door.calls == ["1", "1", "2", "2", "3"]


def test_a_new_token_that_is_refused_is_not_replaced() -> None:
    door, login = Door(), Login()
    door.refused = {"1"}
    with pytest.raises(SourceError, match="no"):
        login.call(door.log_in, door.call, "denied")
    assert door.logins == 1


def test_another_refusal_is_not_about_the_token() -> None:
    door, login = Door(), Login()
    login.call(door.log_in, door.call, "denied")
    door.refused, door.reason = {"1"}, "missing"
    with pytest.raises(SourceError, match="no"):
        login.call(door.log_in, door.call, "denied")
    assert door.logins == 1


def test_many_at_once_log_in_once() -> None:
    door, login = Door(), Login()
    door_log_in = door.log_in

    def slowly() -> tuple[str, float]:
        time.sleep(0.1)
        return door_log_in()

    def use() -> None:
        login.call(slowly, door.call, "denied")

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (door.logins, door.calls) == (1, ["1"] * 8)


# --- time limits and silence -----------------------------------------------------------------


def test_what_a_call_returns_or_raises() -> None:
    assert within("x", 20, lambda: 7) == 7
    assert within("x", 20, lambda: None) is None

    def fail() -> int:
        raise KeyError("x")

    def refuse() -> int:
        raise MasterKeyError("no")

    with pytest.raises(KeyError):
        within("x", 20, fail)
    with pytest.raises(MasterKeyError, match=r"^no$"):
        within("x", 20, refuse)


def test_a_call_that_takes_too_long() -> None:
    done = threading.Event()
    begun = time.monotonic()
    with pytest.raises(MasterKeyError, match=r"^the bus did not answer within 0\.1 s\b") as caught:
        within("the bus", 0.1, done.wait, "wait")
    assert (caught.value.reason, caught.value.hint) == ("slow", "wait")
    assert time.monotonic() - begun < 10
    done.set()


def test_a_logger_is_silent_in_this_thread_only(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    logger = logging.getLogger("an.sdk")
    with unheard("an.sdk"):
        with unheard("an.sdk"):
            logger.debug("s3cret")
        logger.debug("s3cret")
        other = threading.Thread(target=logger.debug, args=("heard elsewhere",))
        other.start()
        other.join()
    logger.debug("heard again")
    assert caplog.messages == ["heard elsewhere", "heard again"]
