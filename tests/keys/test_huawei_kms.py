"""Huawei Cloud KMS: against a double that checks the SDKs' signatures, with sops and the SDK beside it."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from doubles.huawei import ACCESS_KEY, PROJECT, REGION, SECRET_KEY, Huawei
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkkms.v2 import KmsClient, model
from keys.interop import open_both_ways
from oracle import Sops

from encconf import keys
from encconf.errors import BadKeyError, MasterKeyError, NotMyKeyError
from encconf.identities.credentials import Credentials
from encconf.keys.huawei_kms import HuaweiKey
from encconf.testing.contracts.master_key import MasterKeyContract

ID = "0d0466b0-e727-4d9c-b35d-f84bb474a37f"
OTHER_ID = "11111111-e727-4d9c-b35d-f84bb474a37f"
KEY = HuaweiKey(f"{REGION}:{ID}")
DATA_KEY = bytes(range(32))


@pytest.fixture
def huawei() -> Iterator[Huawei]:
    with Huawei() as server:
        server.add_key(ID)
        server.add_key(OTHER_ID)
        yield server


@pytest.fixture
def credentials(huawei: Huawei) -> Credentials:
    return Credentials(huawei.environ)


def failure(key: HuaweiKey, enc: str, credentials: Credentials) -> MasterKeyError:
    with pytest.raises(MasterKeyError) as caught:
        key.unwrap(enc, credentials)
    assert SECRET_KEY not in f"{caught.value!r} {caught.value.hint}"
    return caught.value


class TestHuawei(MasterKeyContract):
    @pytest.fixture
    def key(self) -> HuaweiKey:
        return KEY

    @pytest.fixture
    def other(self) -> HuaweiKey:
        return HuaweiKey(f"{REGION}:{OTHER_ID}")

    @pytest.fixture
    def credentials(self, huawei: Huawei) -> Credentials:
        return Credentials(huawei.environ)

    @pytest.fixture
    def stranger(self, huawei: Huawei) -> Credentials:
        return Credentials(huawei.endpoint)

    @pytest.fixture
    def secrets(self) -> list[str]:
        return [SECRET_KEY]


def test_sops_reads_and_writes_the_same(huawei: Huawei, credentials: Credentials) -> None:
    for config in (f"hckms: ['{KEY.name}']", f"key_groups: [{{hckms: [{{key_id: '{KEY.name}'}}]}}]"):
        theirs, ours = open_both_ways(
            Sops(huawei.environ),
            "hckms",
            ["--hckms", KEY.name],
            f"creation_rules: [{{{config}}}]",
            credentials,
        )
        assert theirs["key_id"] == ours["key_id"] == KEY.name


def test_the_sdk_reads_and_writes_the_same(huawei: Huawei, credentials: Credentials) -> None:
    client = (
        KmsClient.new_builder()
        .with_credentials(BasicCredentials(ACCESS_KEY, SECRET_KEY, PROJECT))
        .with_endpoint(huawei.address)
        .build()
    )
    body = model.DecryptDataRequestBody(cipher_text=KEY.wrap(DATA_KEY, credentials), key_id=ID)
    body.encryption_algorithm = "SYMMETRIC_DEFAULT"
    answer = client.decrypt_data(model.DecryptDataRequest(body=body))
    assert base64.b64decode(answer.plain_text) == DATA_KEY

    plain = base64.b64encode(DATA_KEY).decode()
    body = model.EncryptDataRequestBody(key_id=ID, plain_text=plain, encryption_algorithm="SYMMETRIC_DEFAULT")
    answer = client.encrypt_data(model.EncryptDataRequest(body=body))
    assert KEY.unwrap(answer.cipher_text, credentials) == DATA_KEY


def test_a_call_is_one_request(huawei: Huawei, credentials: Credentials) -> None:
    enc = KEY.wrap(DATA_KEY, credentials)
    KEY.unwrap(enc, credentials)
    assert huawei.calls == [f"/v1.0/{PROJECT}/kms/{verb}-data" for verb in ("encrypt", "decrypt")]


# --- names -----------------------------------------------------------------------------------


def test_spaces_in_a_name_are_dropped() -> None:
    assert HuaweiKey.from_config(f"  {REGION} : {ID}\n") == KEY
    assert keys.master_key("hckms", {"key_id": KEY.name}) == KEY


@pytest.mark.parametrize("name", [f":{ID}", f"{REGION}:", ID, f"{REGION}:a b", f"../{REGION}:{ID}"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(BadKeyError) as caught:
        HuaweiKey.from_config(name)
    assert "REGION:KEY-UUID" in str(caught.value.hint)


def test_a_region_is_never_an_address(huawei: Huawei, credentials: Credentials) -> None:
    enc = KEY.wrap(DATA_KEY, credentials)
    for name in (f"evil.example/x:{ID}", f"evil.example:{ID}"):
        with pytest.raises(BadKeyError):
            HuaweiKey(name).unwrap(enc, credentials)
    error = failure(HuaweiKey(f"mars-1:{ID}"), enc, credentials)
    assert error.message == "mars-1 is not a region of Huawei Cloud that its SDK knows"


# --- credentials -----------------------------------------------------------------------------


def test_without_a_credential_it_is_not_mine(huawei: Huawei, tmp_path: Path) -> None:
    enc = KEY.wrap(DATA_KEY, Credentials(huawei.environ))
    calls = len(huawei.calls)
    error = failure(KEY, enc, Credentials(huawei.endpoint, home=str(tmp_path)))
    assert isinstance(error, NotMyKeyError)
    assert error.message.split("\n") == [
        "no Huawei Cloud credential",
        "looked in: HUAWEICLOUD_SDK_AK (unset), ~/.huaweicloud/credentials (not there)",
    ]
    half = {**huawei.environ, "HUAWEICLOUD_SDK_SK": ""}
    assert "HUAWEICLOUD_SDK_SK (unset)" in failure(KEY, enc, Credentials(half)).message
    assert len(huawei.calls) == calls


def test_without_a_project_the_error_names_the_variable(huawei: Huawei) -> None:
    environ = {name: value for name, value in huawei.environ.items() if not name.endswith("PROJECT_ID")}
    with pytest.raises(MasterKeyError) as caught:
        KEY.wrap(DATA_KEY, Credentials(environ))
    assert not isinstance(caught.value, NotMyKeyError)
    assert caught.value.message == "HUAWEICLOUD_SDK_PROJECT_ID is unset"
    assert "project" in str(caught.value.hint)
    assert huawei.calls == []


PROFILE = f"[basic]\nak = {ACCESS_KEY}\nsk = {SECRET_KEY}\nproject_id = {PROJECT}\n"


def write_profile(home: Path, text: str) -> Credentials:
    (home / ".huaweicloud").mkdir(exist_ok=True)
    (home / ".huaweicloud" / "credentials").write_text(text)
    return Credentials({}, home=str(home))


def test_the_credentials_file_is_as_good(huawei: Huawei, tmp_path: Path) -> None:
    write_profile(tmp_path, PROFILE)
    credentials = Credentials(huawei.endpoint, home=str(tmp_path))
    enc = KEY.wrap(DATA_KEY, credentials)
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / ".huaweicloud" / "credentials").rename(elsewhere)
    named = Credentials({**huawei.endpoint, "HUAWEICLOUD_SDK_CREDENTIALS_FILE": str(elsewhere)})
    assert KEY.unwrap(enc, named) == DATA_KEY

    sops = Sops({**huawei.endpoint, "HOME": str(tmp_path)})
    write_profile(tmp_path, PROFILE)
    open_both_ways(
        sops,
        "hckms",
        ["--hckms", KEY.name],
        f"creation_rules: [{{hckms: ['{KEY.name}']}}]",
        Credentials(huawei.endpoint, home=str(tmp_path)),
    )


def test_the_environment_goes_before_the_file(huawei: Huawei, tmp_path: Path) -> None:
    write_profile(tmp_path, PROFILE.replace(SECRET_KEY, "an%other"))
    assert KEY.wrap(DATA_KEY, Credentials(huawei.environ, home=str(tmp_path)))
    with pytest.raises(MasterKeyError, match=r"APIGW\.0301"):
        KEY.wrap(DATA_KEY, Credentials(huawei.endpoint, home=str(tmp_path)))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[basic]\nak = a\n", "has no ak and sk in a section [basic]"),
        ("[global]\nak = a\nsk = b\n", "has no ak and sk in a section [basic]"),
        (f"{SECRET_KEY}\n", "is not a file of credentials"),
        ("[basic\nsk=x", "is not a file of credentials"),
    ],
)
def test_an_unusable_file_is_named_and_not_quoted(text: str, says: str, tmp_path: Path) -> None:
    error = failure(KEY, "AAAA", write_profile(tmp_path, text))
    assert not isinstance(error, NotMyKeyError)
    assert error.message == f"~/.huaweicloud/credentials {says}"


def test_a_temporary_credential_brings_its_token(huawei: Huawei) -> None:
    huawei.session_token = "a-session-token"
    with pytest.raises(MasterKeyError, match=r"APIGW\.0301"):
        KEY.wrap(DATA_KEY, Credentials(huawei.environ))
    environ = {**huawei.environ, "HUAWEICLOUD_SDK_SECURITY_TOKEN": "a-session-token"}
    credentials = Credentials(environ)
    assert KEY.unwrap(KEY.wrap(DATA_KEY, credentials), credentials) == DATA_KEY


# --- failures --------------------------------------------------------------------------------


def test_the_wrong_key_does_not_open(huawei: Huawei, credentials: Credentials) -> None:
    enc = KEY.wrap(DATA_KEY, credentials)
    assert "KMS.0209" in failure(HuaweiKey(f"{REGION}:{OTHER_ID}"), enc, credentials).message
    nobody = HuaweiKey(f"{REGION}:{ID[::-1]}")
    assert "KMS.0205: The key_id is invalid." in failure(nobody, enc, credentials).message


def test_a_refusal_is_reported_in_the_service_s_words(huawei: Huawei, credentials: Credentials) -> None:
    enc = KEY.wrap(DATA_KEY, credentials)
    huawei.disabled = {ID}
    assert failure(KEY, enc, credentials).message == "Huawei Cloud: KMS.1201: The key is disabled."
    with pytest.raises(MasterKeyError, match="The key is disabled"):
        KEY.wrap(DATA_KEY, credentials)
    huawei.disabled, huawei.denied = set(), {"decrypt"}
    assert "KMS.0306: No permission" in failure(KEY, enc, credentials).message
    wrong = Credentials({**huawei.environ, "HUAWEICLOUD_SDK_SK": "wrong"})
    assert "APIGW.0301" in failure(KEY, enc, wrong).message


@pytest.mark.usefixtures("netrc")
def test_a_login_in_netrc_does_not_replace_the_signature(huawei: Huawei, credentials: Credentials) -> None:
    assert KEY.unwrap(KEY.wrap(DATA_KEY, credentials), credentials) == DATA_KEY


def test_throttling_is_waited_out(huawei: Huawei, credentials: Credentials) -> None:
    huawei.later = [429, 503]
    enc = KEY.wrap(DATA_KEY, credentials)
    assert len(huawei.calls) == 3
    huawei.later = [429] * 9
    error = failure(KEY, enc, credentials)
    assert error.message.startswith("Huawei Cloud: the service throttles: APIGW.0308")
    assert len(huawei.calls) == 6


def test_a_refusal_is_not_asked_again(huawei: Huawei, credentials: Credentials) -> None:
    huawei.later = [403]
    assert "APIGW.0308" in failure(KEY, "AAAA", credentials).message
    assert len(huawei.calls) == 1


def test_a_slow_service_is_given_up(huawei: Huawei) -> None:
    huawei.delay = 20
    start = time.monotonic()
    error = failure(KEY, "AAAA", Credentials(huawei.environ, timeout=0.4))
    assert error.message == f"Huawei Cloud in {REGION} did not answer within 0.3 s"
    assert time.monotonic() - start < 20


@pytest.mark.parametrize(
    ("address", "says"),
    [("http://127.0.0.1:9", "Connection refused"), ("https://127.0.0.1:{port}", "SSL")],
)
def test_an_unreachable_service_is_reported_as_such(
    address: str, says: str, huawei: Huawei, capfd: pytest.CaptureFixture[str]
) -> None:
    (name,) = huawei.endpoint
    address = address.format(port=huawei.address.rpartition(":")[2])
    error = failure(KEY, "AAAA", Credentials({**huawei.environ, name: address}))
    assert error.message.startswith(f"Huawei Cloud in {REGION} cannot be reached: ")
    assert says in error.message
    assert capfd.readouterr().err == ""  # the SDK logs it as well


def test_redirects_are_not_followed(huawei: Huawei, credentials: Credentials) -> None:
    huawei.later = [307]
    assert failure(KEY, "AAAA", credentials).message == "the answer is not from Huawei Cloud"
    assert len(huawei.calls) == 1
