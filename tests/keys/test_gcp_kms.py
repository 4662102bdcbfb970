from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from binascii import a2b_base64, b2a_base64
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from doubles.connect_proxy import ConnectProxy
from doubles.gcp_kms import GcpKms, grpc_server, rest_server, token_server
from doubles.testca import TestCA, session_ca
from google.api_core import exceptions
from oracle import Sops, SopsError, clean_environ

from encconf import api, keys
from encconf.engine.metadata import Metadata
from encconf.envelope.open import open_data_key
from encconf.envelope.wrap import wrap_for
from encconf.envelope.wrapped import WrappedKey
from encconf.errors import BadKeyError, KeyAccessError, MasterKeyError, NotMyKeyError
from encconf.formats import module
from encconf.identities.credentials import Credentials
from encconf.keys.gcp_kms import GcpKmsKey
from encconf.rules.config import Rule
from encconf.testing.contracts.master_key import MasterKeyContract

PROJECT = Path(__file__).resolve().parents[2]
DATA_KEY = bytes(range(32))
NOW = "2026-01-02T03:04:05Z"
RING = "projects/p/locations/global/keyRings/r/cryptoKeys"
PLAIN = "a: 1\nb: secret\n"
BOTH = pytest.mark.parametrize("transport", ["grpc", "rest"])

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
        {"resource_id": 5},
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


@pytest.fixture(scope="module")
def ca() -> TestCA:
    made = session_ca()
    os.environ["GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"] = str(made.bundle)
    return made


@pytest.fixture(scope="module")
def google(ca: TestCA) -> Iterator[Google]:
    kms = GcpKms()
    with grpc_server(kms, ca) as grpc, rest_server(kms) as rest, rest_server(kms, ca) as tls:
        yield Google(kms, grpc, rest, tls)


class Google:
    """The double behind its ports, and the variables that lead there."""

    def __init__(self, kms: GcpKms, grpc: int, rest: int, tls: int) -> None:
        self.kms = kms
        self.ports = {"grpc": grpc, "rest": tls}
        self.rest = rest
        self.name = kms.create(f"{RING}/k")

    def environ(self, transport: str = "grpc") -> dict[str, str]:
        """An address, and no credentials."""
        fence = {"NO_GCE_CHECK": "true"}
        if transport == "grpc":
            return {**fence, "SOPS_GCP_KMS_ENDPOINT": f"127.0.0.1:{self.ports['grpc']}"}
        address = f"http://127.0.0.1:{self.rest}"
        return {**fence, "SOPS_GCP_KMS_CLIENT_TYPE": "rest", "SOPS_GCP_KMS_ENDPOINT": address}

    def credentials(
        self, transport: str = "grpc", extra: Mapping[str, str] | None = None, **settings: Any
    ) -> Credentials:
        token = {"GOOGLE_OAUTH_ACCESS_TOKEN": self.kms.token}
        environ = {**clean_environ(), **self.environ(transport), **(token if extra is None else extra)}
        return Credentials(environ, home=environ["HOME"], **settings)

    def sops(self, transport: str, proxy: ConnectProxy, ca: TestCA) -> Sops:
        proxy.routes["cloudkms.googleapis.com"] = self.ports[transport]
        environ = {"SSL_CERT_FILE": str(ca.bundle), "GOOGLE_OAUTH_ACCESS_TOKEN": self.kms.token}
        return Sops({**proxy.environ, **environ, "SOPS_GCP_KMS_CLIENT_TYPE": transport})


@pytest.fixture(autouse=True)
def _healthy(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "google" in request.fixturenames:
        kms = request.getfixturevalue("google").kms
        kms.delay, kms.damaging, kms.forgetful = 0, False, False
        kms.faults.clear()
        kms.denied.clear()
        kms.disabled.clear()


def refusal(key: GcpKmsKey, enc: str, who: Credentials) -> MasterKeyError:
    with pytest.raises(MasterKeyError) as caught:
        key.unwrap(enc, who)
    return caught.value


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
        ((wrapped,),) = Metadata.of(module("yaml").scan(text)).groups
        entry = wrapped.to_entry()
        assert set(entry) == {"resource_id", "created_at", "enc"}
        answer = sdk(google).decrypt(
            request={"name": entry["resource_id"], "ciphertext": a2b_base64(wrapped.enc)}
        )
        assert answer.plaintext == open_data_key([[wrapped]], 0, who)


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


# --- addresses -------------------------------------------------------------------------------


def through(proxy: ConnectProxy, ca: TestCA, patch: pytest.MonkeyPatch) -> None:
    """Lead this process's SDKs through the proxy, which they look up by themselves."""
    for name, value in {**proxy.environ, "REQUESTS_CA_BUNDLE": str(ca.bundle)}.items():
        patch.setenv(name, value)


@pytest.mark.services
@BOTH
@pytest.mark.parametrize(
    ("setting", "host"),
    [
        ({}, "cloudkms.googleapis.com"),
        ({"SOPS_GCP_KMS_UNIVERSE_DOMAIN": "universe.test"}, "cloudkms.universe.test"),
        ({"SOPS_GCP_KMS_ENDPOINT": "kms.example.test"}, "kms.example.test"),
        ({"SOPS_GCP_KMS_ENDPOINT": "https://kms.example.test:443/"}, "kms.example.test"),
        (
            {"SOPS_GCP_KMS_ENDPOINT": "kms.example.test", "SOPS_GCP_KMS_UNIVERSE_DOMAIN": "universe.test"},
            "kms.example.test",
        ),
    ],
)
def test_the_address_of_the_service(
    google: Google,
    ca: TestCA,
    transport: str,
    setting: dict[str, str],
    host: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environ = {"GOOGLE_OAUTH_ACCESS_TOKEN": google.kms.token, "SOPS_GCP_KMS_CLIENT_TYPE": transport.upper()}
    who = Credentials({**environ, **setting})
    key = GcpKmsKey(google.name)
    with ConnectProxy({host: google.ports[transport]}) as proxy:
        through(proxy, ca, monkeypatch)
        assert key.unwrap(key.wrap(DATA_KEY, who), who) == DATA_KEY
        assert {line.split()[1] for line, _ in proxy.log} == {f"{host}:443"}


# --- credentials -----------------------------------------------------------------------------


@pytest.mark.services
@BOTH
@pytest.mark.parametrize(
    "variable", ["GOOGLE_CREDENTIALS", "GOOGLE_APPLICATION_CREDENTIALS", "inline", "gcloud"]
)
def test_a_service_account(google: Google, transport: str, variable: str, tmp_path: Path, home: Path) -> None:
    path = tmp_path / "account.json"
    path.write_text(google.kms.service_account())
    extra = {variable: str(path)}
    if variable == "inline":
        extra = {"GOOGLE_CREDENTIALS": google.kms.service_account()}
    elif variable == "gcloud":
        folder = home / ".config" / "gcloud"
        folder.mkdir(parents=True)
        path.rename(folder / "application_default_credentials.json")
        extra = {}
    who = google.credentials(transport, extra)
    who.home = str(home)
    key = GcpKmsKey(google.name)
    google.kms.calls.clear()
    assert key.unwrap(key.wrap(DATA_KEY, who), who) == DATA_KEY
    tokens = {authorization for _, authorization in google.kms.calls}
    assert all(token.count(".") == 2 for token in tokens)  # signed here, nobody was asked for one
    if variable == "inline" and transport == "grpc":  # sops does the same
        with ConnectProxy() as proxy:
            sops = google.sops(transport, proxy, session_ca()).with_environ(extra)
            assert sops.decrypt(sops.encrypt(PLAIN, "yaml", "--gcp-kms", google.name), "yaml") == PLAIN


@pytest.mark.services
def test_the_order_of_the_credentials(google: Google, tmp_path: Path, home: Path) -> None:
    key = GcpKmsKey(google.name)
    enc = key.wrap(DATA_KEY, google.credentials())
    account, token = google.kms.service_account(), google.kms.token
    path = tmp_path / "account.json"
    path.write_text(account)
    broken = str(tmp_path / "nowhere")
    first = {"GOOGLE_CREDENTIALS": account, "GOOGLE_OAUTH_ACCESS_TOKEN": "bad"}
    second = {"GOOGLE_OAUTH_ACCESS_TOKEN": token, "GOOGLE_APPLICATION_CREDENTIALS": broken}
    third = {"GOOGLE_APPLICATION_CREDENTIALS": str(path), "CLOUDSDK_CONFIG": broken}
    for extra in (first, second, third):
        assert key.unwrap(enc, google.credentials(extra=extra)) == DATA_KEY
    error = refusal(key, enc, google.credentials(extra={"GOOGLE_APPLICATION_CREDENTIALS": broken}))
    assert error.message == "GOOGLE_APPLICATION_CREDENTIALS: no such file"
    folder = tmp_path / "sdk"
    folder.mkdir()
    path.rename(folder / "application_default_credentials.json")
    assert key.unwrap(enc, google.credentials(extra={"CLOUDSDK_CONFIG": str(folder)})) == DATA_KEY


@pytest.mark.services
@BOTH
@pytest.mark.parametrize("kind", ["authorized_user", "external_account", "impersonated_service_account"])
def test_other_types_of_credentials(
    google: Google,
    ca: TestCA,
    transport: str,
    kind: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    user = {"type": "authorized_user", "client_id": "i", "client_secret": "s", "refresh_token": "r"}
    subject = tmp_path / "subject"
    subject.write_text("token of a pod")
    pool = "projects/1/locations/global/workloadIdentityPools/p"
    impersonate = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/x@p.iam.gserviceaccount.com:generateAccessToken"
    account = {
        "authorized_user": user,
        "external_account": {
            "type": kind,
            "audience": f"//iam.googleapis.com/{pool}/providers/q",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": "https://sts.googleapis.com/v1/token",
            "credential_source": {"file": str(subject)},
        },
        "impersonated_service_account": {
            "type": kind,
            "service_account_impersonation_url": impersonate,
            "source_credentials": user,
            "delegates": [],
        },
    }[kind]
    who = google.credentials(transport, {"GOOGLE_CREDENTIALS": json.dumps(account)})
    key = GcpKmsKey(google.name)
    with token_server(google.kms, ca) as (port, paths), ConnectProxy({"*.googleapis.com": port}) as proxy:
        through(proxy, ca, monkeypatch)
        assert key.unwrap(key.wrap(DATA_KEY, who), who) == DATA_KEY
        assert paths
        assert proxy.refused == []


MACHINE = """
import sys
sys.path.insert(0, sys.argv[1])
from encconf.identities.credentials import Credentials
from encconf.keys.gcp_kms import GcpKmsKey
key, who = GcpKmsKey(sys.argv[2]), Credentials.from_env()
assert key.unwrap(key.wrap(bytes(32), who), who) == bytes(32)
"""


@pytest.mark.services
def test_the_credentials_of_the_machine(google: Google, ca: TestCA) -> None:
    """In another process: where its metadata server is, the SDK takes from the process."""
    command = [sys.executable, "-c", MACHINE, str(PROJECT), google.name]
    with token_server(google.kms) as (port, paths):
        environ = {**clean_environ(google.environ()), "GCE_METADATA_HOST": f"127.0.0.1:{port}"}
        del environ["NO_GCE_CHECK"], environ["HTTP_PROXY"], environ["HTTPS_PROXY"]
        environ["GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"] = str(ca.bundle)
        subprocess.run(command, env=environ, check=True, timeout=60)
        assert "/computeMetadata/v1/instance/service-accounts/default/token" in paths
        paths.clear()
        environ["NO_GCE_CHECK"] = "true"
        assert subprocess.run(command, env=environ, capture_output=True, timeout=60).returncode
        assert paths == []


@pytest.mark.services
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("{", "is neither the path nor the JSON of a credentials file"),
        ("/nowhere/secret", "is neither the path nor the JSON of a credentials file"),
        ("[]", "is neither the path nor the JSON of a credentials file"),
        ('{"type": "x"}', "holds credentials of the type x, which is not known"),
        (
            '{"type": "service_account", "private_key": "secret", "client_email": "e", "token_uri": "u"}',
            "has credentials that cannot be read",
        ),
        ('{"type": "authorized_user"}', "has credentials that cannot be read"),
        ('{"type": "external_account"}', "has credentials that cannot be read"),
    ],
)
def test_credentials_that_are_none(google: Google, given: str, words: str) -> None:
    error = refusal(GcpKmsKey(google.name), "AAAA", google.credentials(extra={"GOOGLE_CREDENTIALS": given}))
    assert error.message == f"GOOGLE_CREDENTIALS {words}"
    assert not isinstance(error, NotMyKeyError)


@pytest.mark.services
@BOTH
def test_a_token_that_is_refused(google: Google, transport: str) -> None:
    who = google.credentials(transport, {"GOOGLE_OAUTH_ACCESS_TOKEN": "secret-token"})
    error = refusal(GcpKmsKey(google.name), "AAAA", who)
    assert "UNAUTHENTICATED" in error.message or "GOOGLE_OAUTH_ACCESS_TOKEN was rejected" in error.message
    assert "renew" in str(error.hint)
    assert "secret-token" not in f"{error.message}{error.hint}"


@pytest.mark.services
def test_without_credentials_the_places_are_told(google: Google, home: Path) -> None:
    who = google.credentials(extra={})
    who.home = "/h"
    error = refusal(GcpKmsKey(google.name), "AAAA", who)
    assert isinstance(error, NotMyKeyError)
    assert error.message == (
        "no Google credentials\n"
        "looked in: GOOGLE_CREDENTIALS (unset), GOOGLE_OAUTH_ACCESS_TOKEN (unset), "
        "GOOGLE_APPLICATION_CREDENTIALS (unset), "
        "/h/.config/gcloud/application_default_credentials.json (not there), "
        "the metadata server (not asked)"
    )


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
@pytest.mark.parametrize("fault", ["ResourceExhausted", "ServiceUnavailable", "InternalServerError"])
def test_what_passes_is_tried_again(google: Google, transport: str, fault: str) -> None:
    key, who = GcpKmsKey(google.name), google.credentials(transport)
    enc = key.wrap(DATA_KEY, who)
    kind = getattr(exceptions, fault)
    google.kms.faults[:] = [kind("too many")] * 2
    google.kms.calls.clear()
    assert key.unwrap(enc, who) == DATA_KEY
    assert [operation for operation, _ in google.kms.calls] == ["Decrypt"] * 3
    google.kms.faults[:] = [kind("too many")] * 100
    error = refusal(key, enc, google.credentials(transport, timeout=1))
    assert "too many" in error.message
    assert len(google.kms.faults) < 99


@pytest.mark.services
@BOTH
def test_a_service_that_is_late(google: Google, transport: str) -> None:
    key, who = GcpKmsKey(google.name), google.credentials(transport, timeout=0.4)
    enc = key.wrap(DATA_KEY, google.credentials(transport))
    google.kms.delay = 2
    began = time.monotonic()
    error = refusal(key, enc, who)
    assert error.message == "Google Cloud KMS did not answer within 0.4 s"
    assert time.monotonic() - began < 1.5
    with pytest.raises(KeyAccessError, match=r"(no answer|did not answer) within 0\.4 s"):
        open_data_key([[WrappedKey(key, enc, NOW)]], 0, who)


@pytest.mark.services
@BOTH
def test_a_service_that_is_not_there(google: Google, transport: str) -> None:
    gone = {"SOPS_GCP_KMS_ENDPOINT": "http://127.0.0.1:9", "GOOGLE_OAUTH_ACCESS_TOKEN": google.kms.token}
    who = google.credentials(transport, gone, timeout=1)
    error = refusal(GcpKmsKey(google.name), "AAAA", who)
    assert error.message.startswith("Google Cloud KMS cannot be reached: ")
    assert google.kms.token not in error.message


@pytest.mark.services
@BOTH
def test_a_server_that_nobody_vouches_for(
    google: Google, transport: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = TestCA(tmp_path / "other")
    start = grpc_server if transport == "grpc" else rest_server
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(session_ca().bundle))
    google.kms.calls.clear()
    with start(google.kms, foreign) as port:
        setting = {"SOPS_GCP_KMS_ENDPOINT": f"https://127.0.0.1:{port}", "GOOGLE_OAUTH_ACCESS_TOKEN": "x"}
        error = refusal(GcpKmsKey(google.name), "AAAA", google.credentials(transport, setting, timeout=1))
    assert "cannot be reached" in error.message
    assert google.kms.calls == []


@pytest.mark.services
@BOTH
def test_what_was_damaged_on_the_way_is_noticed(google: Google, transport: str) -> None:
    key, who = GcpKmsKey(google.name), google.credentials(transport)
    enc = key.wrap(DATA_KEY, who)
    google.kms.damaging = True
    assert refusal(key, enc, who).message == "the answer was damaged on its way from Google: try again"
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
    assert time.monotonic() - began < 2.5
    assert [key.key.name for key in wrapped] == names
    assert open_data_key([wrapped], 0, who) == DATA_KEY


# --- the SDK ---------------------------------------------------------------------------------

BLOCKED = """
import sys
class Blocking:
    def find_spec(self, name, path=None, target=None):
        if f"{name}.".startswith(sys.argv[2] + "."):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocking())
sys.path.insert(0, sys.argv[1])
from encconf.identities.credentials import Credentials
from encconf.errors import MissingExtraError
from encconf import keys
key = keys.from_entry("gcp_kms", {"resource_id": sys.argv[3]})
for use in (lambda: key.wrap(bytes(32), Credentials({})), lambda: key.unwrap("AAAA", Credentials({}))):
    try:
        use()
    except MissingExtraError as error:
        print(error, "/", error.hint)
"""


@pytest.mark.parametrize(
    "package",
    ["google.cloud.kms_v1", "google.api_core", "google.auth", "google_crc32c", "grpc", "proto", "requests"],
)
def test_a_missing_or_half_installed_sdk(package: str) -> None:
    command = [sys.executable, "-c", BLOCKED, str(PROJECT), package, f"{RING}/k"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    said = "Google Cloud KMS needs the packages google-cloud-kms and google-crc32c"
    assert done.stdout.splitlines() == [f"{said} / pip install 'encconf[gcp]'"] * 2
