from __future__ import annotations

import time
from binascii import a2b_base64, b2a_base64
from typing import Any

import pytest
from doubles.connect_proxy import ConnectProxy
from doubles.testca import TestCA
from keys.cloud_kms import BOTH, DATA_KEY, NOW, PLAIN, RING, Google, refusal
from keys.cloud_kms import ca as ca
from keys.cloud_kms import google as google
from keys.cloud_kms import healthy as healthy
from oracle import SopsError
from wrapping import wrap_for

from encconf import api, formats, keys
from encconf.engine.metadata import Metadata
from encconf.envelope.unwrap import open_data_key
from encconf.errors import BadKeyError, MasterKeyError, NotMyKeyError
from encconf.identities.credentials import Credentials
from encconf.keys.gcp_kms import GcpKmsKey
from encconf.rules.config import Rule
from encconf.testing.contracts.master_key import MasterKeyContract

# --- names, entries, configuration -----------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        f"{RING}/k",
        "projects/example.com:my-project/locations/europe-west3/keyRings/my_ring/cryptoKeys/my-Key_1",
    ],
)
@pytest.mark.parametrize("mapping", [False, True])
def test_the_forms_of_the_configuration(name: str, mapping: bool) -> None:
    for text in (name, f" {name}\n", name.replace("/keyRings", " /keyRings")):
        key = keys.master_key("gcp_kms", {"resource_id": text} if mapping else text)
        assert key == GcpKmsKey(name)
        assert key.name == key.label == name
        assert key.to_entry() == {"resource_id": name}


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"resource_id": f"{RING}/k", "x": "y"},
        f"{RING}/k/cryptoKeyVersions/1",
        f"{RING}/",
        "projects/../locations/global/keyRings/r/cryptoKeys/k",
        f"{RING}/k:setIamPolicy?x=",
        f"{RING}/k%2f..",
        f"{RING}/k#",
        f"{RING}/\u00e9",
        f"x/{RING}/k",
    ],
)
def test_what_is_no_key(value: object) -> None:
    with pytest.raises(BadKeyError):
        keys.master_key("gcp_kms", value)


def test_a_hostile_name_in_a_file_is_never_sent() -> None:
    for name in (f"{RING}/k:destroy?x=", "projects/p/locations/../keyRings/r/cryptoKeys/k"):
        with pytest.raises(BadKeyError):
            keys.from_entry("gcp_kms", {"resource_id": name}).unwrap("AAAA", Credentials({}))


# --- the service -----------------------------------------------------------------------------


class Contract(MasterKeyContract):
    transport = ""

    @pytest.fixture
    def key(self, google: Google) -> GcpKmsKey:
        return GcpKmsKey(google.name)

    @pytest.fixture
    def other(self, google: Google) -> GcpKmsKey:
        return GcpKmsKey(google.kms.create(f"{RING}/other"))

    @pytest.fixture
    def credentials(self, google: Google) -> Credentials:
        return google.credentials(self.transport)

    @pytest.fixture
    def stranger(self, google: Google) -> Credentials:
        return google.credentials(self.transport, {})

    @pytest.fixture
    def secrets(self, google: Google) -> list[str]:
        return [google.kms.token]


@pytest.mark.services
class TestContractOverGrpc(Contract):
    transport = "grpc"


@pytest.mark.services
class TestContractOverRest(Contract):
    transport = "rest"


# --- with sops, and with the SDK -------------------------------------------------------------


@pytest.mark.services
@BOTH
def test_sops_and_encconf_open_each_other(google: Google, ca: TestCA, transport: str) -> None:
    who = google.credentials(transport)
    with ConnectProxy() as proxy:
        sops = google.sops(transport, proxy, ca)
        theirs = sops.encrypt(PLAIN, "yaml", "--gcp-kms", google.name)
        assert api.decrypt(theirs, format="yaml", credentials=who) == PLAIN
        ours = api.encrypt(PLAIN, Rule([[GcpKmsKey(google.name)]]), format="yaml", credentials=who)
        assert sops.decrypt(ours, "yaml") == PLAIN
        assert [port for _, port in proxy.log] == [google.ports[transport]] * len(proxy.log)
    for text in (theirs, ours):
        ((wrapped,),) = Metadata.of(formats.get("yaml").scan(text)).groups
        entry = wrapped.to_entry()
        assert set(entry) == {"resource_id", "created_at", "enc"}
        answer = sdk(google).decrypt(
            request={"name": entry["resource_id"], "ciphertext": a2b_base64(wrapped.enc)}
        )
        assert answer.plaintext == open_data_key([[wrapped]], 0, who)


@pytest.mark.services
@BOTH
@pytest.mark.usefixtures("netrc")
def test_a_login_in_netrc_does_not_replace_the_token(google: Google, transport: str) -> None:
    key, who = GcpKmsKey(google.name), google.credentials(transport)
    assert key.unwrap(key.wrap(bytes(32), who), who) == bytes(32)


def sdk(google: Google) -> Any:
    """Google's client, used as its own documentation has it."""
    from google.cloud import kms_v1
    from google.oauth2.credentials import Credentials as Token

    return kms_v1.KeyManagementServiceClient(
        credentials=Token(google.kms.token),  # type: ignore[no-untyped-call,unused-ignore]
        client_options={"api_endpoint": f"127.0.0.1:{google.ports['grpc']}"},
    )


@pytest.mark.services
def test_encconf_opens_what_the_sdk_wrapped(google: Google) -> None:
    answer = sdk(google).encrypt(request={"name": google.name, "plaintext": DATA_KEY})
    enc = b2a_base64(answer.ciphertext, newline=False).decode()
    assert GcpKmsKey(google.name).unwrap(enc, google.credentials()) == DATA_KEY


@pytest.mark.services
def test_a_new_version_opens_what_the_old_one_wrapped(google: Google) -> None:
    key, who = GcpKmsKey(google.kms.create(f"{RING}/rotated")), google.credentials()
    enc = key.wrap(DATA_KEY, who)
    google.kms.create(key.name)
    assert key.unwrap(enc, who) == DATA_KEY
    assert key.unwrap(key.wrap(DATA_KEY, who), who) == DATA_KEY


# --- credentials -----------------------------------------------------------------------------


# --- failures --------------------------------------------------------------------------------


@pytest.mark.services
@BOTH
def test_what_google_refuses(google: Google, ca: TestCA, transport: str) -> None:
    key, who = GcpKmsKey(google.name), google.credentials(transport)
    enc = key.wrap(DATA_KEY, who)
    other = GcpKmsKey(google.kms.create(f"{RING}/another"))
    assert refusal(other, enc, who).message == (
        "INVALID_ARGUMENT: Decryption failed: the ciphertext is invalid."
    )
    missing = refusal(GcpKmsKey(f"{RING}/missing"), enc, who)
    assert missing.message == f"NOT_FOUND: CryptoKey {RING}/missing not found."
    google.kms.denied.add(key.name)
    denied = refusal(key, enc, who)
    assert denied.message.startswith("PERMISSION_DENIED: Permission 'cloudkms.cryptoKeyVersions.useTo")
    assert "Encrypter/Decrypter" in str(denied.hint)
    google.kms.denied.clear()
    google.kms.disabled.add(key.name)
    disabled = refusal(key, enc, who)
    assert disabled.message == (
        f"FAILED_PRECONDITION: {key.name}/cryptoKeyVersions/1 is not enabled, current state is: DISABLED."
    )
    with pytest.raises(MasterKeyError, match="FAILED_PRECONDITION"):
        key.wrap(DATA_KEY, who)
    with ConnectProxy() as proxy, pytest.raises(SopsError, match="is not enabled"):
        google.sops(transport, proxy, ca).encrypt(PLAIN, "yaml", "--gcp-kms", key.name)
    for error in (missing, denied, disabled):
        assert not isinstance(error, NotMyKeyError)


@pytest.mark.services
@BOTH
def test_what_was_damaged_on_the_way_is_noticed(google: Google, transport: str) -> None:
    key, who = GcpKmsKey(google.name), google.credentials(transport)
    enc = key.wrap(DATA_KEY, who)
    google.kms.damaging = True
    assert refusal(key, enc, who).message == "the answer was damaged on its way from Google"
    with pytest.raises(MasterKeyError, match="damaged"):
        key.wrap(DATA_KEY, who)
    google.kms.damaging, google.kms.forgetful = False, True  # who computes no checksum is no worse for it
    assert key.unwrap(key.wrap(DATA_KEY, who), who) == DATA_KEY


@pytest.mark.services
def test_several_keys_in_parallel_over_one_connection(google: Google) -> None:
    who = google.credentials()
    names = [google.kms.create(f"{RING}/n{at}") for at in range(20)]
    google.kms.delay = 0.25
    began = time.monotonic()
    ((*wrapped,),) = wrap_for(DATA_KEY, [[GcpKmsKey(name) for name in names]], None, who, NOW)
    assert time.monotonic() - began < 5  # what they take one after the other
    assert [key.key.name for key in wrapped] == names
    assert open_data_key([wrapped], 0, who) == DATA_KEY
