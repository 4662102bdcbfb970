"""Google Cloud KMS keys, by google-cloud-kms.

Behaviour of sops 3.13.2 (gcpkms/keysource.go).  Beyond it: Google's checksums of what was sent and
received are compared, names are held to what Google allows in them, and a universe that the
credentials name need not be named again.  Not read from the given environment but from the
process's, by the SDK: proxies, GRPC_…, the switches for mTLS and the address of the metadata server.
"""

from __future__ import annotations

import os
import re
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64

from encconf.credentials import printable
from encconf.errors import BadKeyError, MasterKeyError, MissingExtraError, NotMyKeyError
from encconf.keys import member

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from encconf.credentials import Credentials

# It becomes part of a URL.  A project may be one of a domain: example.com:name.
_RESOURCE = (
    r"projects/(?!\.)[A-Za-z0-9.:_-]{1,100}/locations/[A-Za-z0-9-]{1,63}"
    r"/keyRings/[A-Za-z0-9_-]{1,63}/cryptoKeys/[A-Za-z0-9_-]{1,63}"
)
_FORM = "projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY"
_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
_UNIVERSE = "googleapis.com"
_PATIENCE = 10  # seconds in which what may pass (throttling, 5xx) is tried again
_LONGEST_REASON = 400  # characters
_RENEW = "renew the credentials, by gcloud auth application-default login for example"
_CREDENTIALS_LIMIT = 1 << 20  # bytes

# The class that reads each type of credentials file, and how it is called there.
_FILES = {
    "service_account": ("google.oauth2.service_account", "Credentials", "from_service_account_info"),
    "authorized_user": ("google.oauth2.credentials", "Credentials", "from_authorized_user_info"),
    "external_account_authorized_user": (
        *("google.auth.external_account_authorized_user", "Credentials", "from_info"),
    ),
    "impersonated_service_account": (
        *("google.auth.impersonated_credentials", "Credentials", "from_impersonated_service_account_info"),
    ),
    "gdch_service_account": (
        *("google.oauth2.gdch_credentials", "ServiceAccountCredentials", "from_service_account_info"),
    ),
}


class GcpKmsKey:
    """One key of Google Cloud KMS, by its resource name.

    In the configuration ``projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY``, or a
    mapping with that as ``resource_id``.  KMS encrypts with the primary version and decrypts with
    whichever it was.

    Whose credentials: GOOGLE_CREDENTIALS (the path of a credentials file, or its JSON itself), else
    GOOGLE_OAUTH_ACCESS_TOKEN, else Google's default ones: GOOGLE_APPLICATION_CREDENTIALS (a path),
    what ``gcloud auth application-default login`` left (in CLOUDSDK_CONFIG if set), the metadata server (not
    asked when NO_GCE_CHECK is ``true``).  Every type of file is read: service account, user,
    workload and workforce identity, impersonation.

    Also read: SOPS_GCP_KMS_CLIENT_TYPE (``grpc``, the default, or ``rest``), SOPS_GCP_KMS_ENDPOINT (a
    host with or without a port; a URL for REST), else SOPS_GCP_KMS_UNIVERSE_DOMAIN, and
    GOOGLE_CLOUD_QUOTA_PROJECT.

    Permissions: cloudkms.cryptoKeyVersions.useToDecrypt to open and …useToEncrypt to encrypt, on the
    key (roles/cloudkms.cryptoKeyEncrypterDecrypter has both).
    """

    TYPE = "gcp_kms"
    DATED = True
    __slots__ = ("resource_id",)

    def __init__(self, resource_id: str) -> None:
        self.resource_id = resource_id

    @property
    def name(self) -> str:
        """The resource name."""
        return self.resource_id

    @property
    def label(self) -> str:
        """The whole resource name."""
        return printable(self.resource_id)

    def wrap(self, data_key: bytes, credentials: Credentials) -> str:
        """The ciphertext of KMS in base64 (standard alphabet, padded), as sops writes it.

        Raises BadKeyError for a malformed name, NotMyKeyError where there are no credentials, and
        MasterKeyError with the reason of Google.
        """
        answer = self._ask("encrypt", credentials, plaintext=data_key)
        ciphertext: bytes = answer.ciphertext
        if answer.ciphertext_crc32c is not None:
            # Who can compute the one can compare the other.
            if not answer.verified_plaintext_crc32c:
                raise MasterKeyError("the data key was damaged on its way to Google: try again")
            _compare(ciphertext, answer.ciphertext_crc32c)
        return b2a_base64(ciphertext, newline=False).decode("ascii")

    def unwrap(self, enc: str, credentials: Credentials) -> bytes:
        """Let KMS decrypt it.

        Raises NotMyKeyError where there are no credentials, and MasterKeyError for all else.
        """
        try:
            ciphertext = a2b_base64(enc, strict_mode=True)
        except (Base64Error, ValueError):
            ciphertext = b""
        if not ciphertext:
            raise MasterKeyError("its enc is not base64")
        answer = self._ask("decrypt", credentials, ciphertext=ciphertext)
        data_key: bytes = answer.plaintext
        if answer.plaintext_crc32c is not None:
            _compare(data_key, answer.plaintext_crc32c)
        return data_key

    def _ask(self, operation: str, credentials: Credentials, **text: bytes) -> Any:
        """One call, tried again while what is wrong may pass."""
        if not re.fullmatch(_RESOURCE, self.resource_id):
            raise _malformed(self.resource_id)
        try:
            import google_crc32c
            from google.api_core import exceptions, retry, timeout
            from google.auth.exceptions import GoogleAuthError
            from google.cloud.kms_v1.services.key_management_service import KeyManagementServiceClient
            from requests import RequestException
        except ImportError:
            raise MissingExtraError(
                "Google Cloud KMS keys need the packages google-cloud-kms and google-crc32c",
                hint="pip install 'encconf[gcp]'",
            ) from None

        def passing(error: Exception) -> bool:
            return retry.if_transient_error(error) and not _is_about_credentials(error)

        (name, value), *_ = text.items()
        request = {"name": self.resource_id, name: value, f"{name}_crc32c": google_crc32c.value(value)}
        again = retry.Retry(
            passing, initial=0.2, multiplier=2, maximum=5, timeout=min(_PATIENCE, credentials.key_limit)
        )
        try:
            client = credentials.client("gcp_kms", lambda: _client(KeyManagementServiceClient, credentials))
            return getattr(client, operation)(
                request=request, retry=again, timeout=timeout.ConstantTimeout(credentials.call_limit)
            )
        except exceptions.RetryError as error:
            raise _failure(error.cause or error, credentials) from None
        except (
            exceptions.GoogleAPICallError,
            GoogleAuthError,
            RequestException,
            OSError,
            ValueError,
        ) as error:
            raise _failure(error, credentials) from None

    def to_entry(self) -> dict[str, object]:
        """``resource_id``."""
        return {"resource_id": self.resource_id}

    @classmethod
    def from_entry(cls, entry: Mapping[str, object]) -> GcpKmsKey:
        """Read an entry; the name is not checked before it is used."""
        return cls(member(entry, "resource_id"))

    @classmethod
    def from_config(cls, value: object) -> GcpKmsKey:
        """A resource name, or a mapping with one as ``resource_id``; raises BadKeyError."""
        if isinstance(value, dict) and list(value) == ["resource_id"]:
            value = value["resource_id"]
        if not isinstance(value, str):
            raise BadKeyError("a Google Cloud KMS key is the text of its resource name", hint=_FORM)
        resource_id = "".join(value.split())
        if not re.fullmatch(_RESOURCE, resource_id):
            raise _malformed(resource_id)
        return cls(resource_id)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GcpKmsKey) and self.resource_id == other.resource_id

    def __hash__(self) -> int:
        return hash((self.TYPE, self.resource_id))

    def __repr__(self) -> str:
        return f"GcpKmsKey({self.resource_id!r})"


def _malformed(resource_id: str) -> BadKeyError:
    shown = printable(resource_id)[:120] or "an empty text"
    return BadKeyError(f"{shown} is not the resource name of a Google Cloud KMS key", hint=_FORM)


def _compare(data: bytes, checksum: int) -> None:
    import google_crc32c

    if google_crc32c.value(data) != checksum:
        raise MasterKeyError("the answer was damaged on its way from Google: try again")


# --- client and credentials ------------------------------------------------------------------


def _client(kind: Callable[..., Any], credentials: Credentials) -> Any:
    environ = credentials.environ
    rest = environ.get("SOPS_GCP_KMS_CLIENT_TYPE", "").lower() == "rest"
    endpoint = environ.get("SOPS_GCP_KMS_ENDPOINT", "").rstrip("/")
    universe = "" if endpoint else environ.get("SOPS_GCP_KMS_UNIVERSE_DOMAIN", "")
    identity = _credentials(credentials, universe)
    options: dict[str, object] = {}
    if endpoint:
        options["api_endpoint"] = endpoint if rest else re.sub(r"^https?://", "", endpoint)
    own = getattr(identity, "universe_domain", _UNIVERSE)
    if universe or own != _UNIVERSE:
        options["universe_domain"] = universe or own
    if project := environ.get("GOOGLE_CLOUD_QUOTA_PROJECT"):
        options["quota_project_id"] = project
    return kind(credentials=identity, transport="rest" if rest else "grpc", client_options=options)


def _credentials(credentials: Credentials, universe: str) -> Any:
    """The first credentials there are, in the order of sops; raises NotMyKeyError where there are none."""
    environ = credentials.environ
    if given := environ.get("GOOGLE_CREDENTIALS"):
        text = _read(given, "GOOGLE_CREDENTIALS") if os.path.exists(given) else given.encode()
        return _identity(text, "GOOGLE_CREDENTIALS")
    if token := environ.get("GOOGLE_OAUTH_ACCESS_TOKEN"):
        from google.oauth2.credentials import Credentials as Token

        return Token(token, universe_domain=universe or _UNIVERSE)
    if path := environ.get("GOOGLE_APPLICATION_CREDENTIALS"):
        return _identity(_read(path, "GOOGLE_APPLICATION_CREDENTIALS"), "GOOGLE_APPLICATION_CREDENTIALS")
    path = _gcloud(credentials)
    if path and os.path.isfile(path):
        return _identity(_read(path, path), path)
    if machine := _machine(environ):
        return machine
    notes = [
        f"{name} (unset)"
        for name in ("GOOGLE_CREDENTIALS", "GOOGLE_OAUTH_ACCESS_TOKEN", "GOOGLE_APPLICATION_CREDENTIALS")
    ]
    notes.append(f"{printable(path or 'the folder of gcloud')} (not there)")
    off = environ.get("NO_GCE_CHECK", "").lower() == "true"
    notes.append(f"the metadata server ({'not asked' if off else 'no answer'})")
    raise NotMyKeyError(f"no Google credentials\nlooked in: {', '.join(notes)}")


def _gcloud(credentials: Credentials) -> str | None:
    """The file that ``gcloud auth application-default login`` writes."""
    environ = credentials.environ
    folder = environ.get("CLOUDSDK_CONFIG")
    if not folder and credentials.platform == "win32":
        folder = os.path.join(environ["APPDATA"], "gcloud") if environ.get("APPDATA") else None
    elif not folder and credentials.home:
        folder = os.path.join(credentials.home, ".config", "gcloud")
    return os.path.join(folder, "application_default_credentials.json") if folder else None


def _read(path: str, place: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(_CREDENTIALS_LIMIT)
    except OSError as error:
        reason = (error.strerror or "not a file").lower()
        raise MasterKeyError(f"{printable(place)}: the file cannot be read: {reason}") from None


def _identity(text: bytes, place: str) -> Any:
    """What a credentials file says; the file is the user's own, so that its addresses are trusted."""
    import json

    place = printable(place)
    try:
        info = json.loads(text)
        if not isinstance(info, dict):
            raise ValueError
    except ValueError:
        raise MasterKeyError(
            f"{place} is neither the path of a credentials file nor the JSON of one"
        ) from None
    kind = str(info.get("type"))
    if kind == "external_account":
        source = info.get("credential_source") or {}
        module = "google.auth.identity_pool"
        if info.get("subject_token_type") == "urn:ietf:params:aws:token-type:aws4_request":
            module = "google.auth.aws"
        elif isinstance(source, dict) and "executable" in source:
            module = "google.auth.pluggable"
        target = (module, "Credentials", "from_info")
    elif kind in _FILES:
        target = _FILES[kind]
    else:
        raise MasterKeyError(
            f"{place} holds credentials of the type {printable(kind)[:80]}, which nobody knows"
        )
    module, name, read = target
    reader = getattr(getattr(__import__(module, fromlist=[name]), name), read)
    options = (
        {} if kind in ("external_account_authorized_user", "gdch_service_account") else {"scopes": _SCOPES}
    )
    try:
        return reader(info, **options)
    except (ValueError, KeyError, TypeError):  # the text of some of these repeats what it read
        raise MasterKeyError(f"{place} holds credentials that cannot be read") from None


def _machine(environ: Mapping[str, str]) -> Any:
    """The credentials of the machine, if it is one of Google's; asks its metadata server."""
    if environ.get("NO_GCE_CHECK", "").lower() == "true":
        return None
    from google.auth.compute_engine import Credentials as Machine
    from google.auth.exceptions import TransportError
    from google.auth.transport.requests import Request

    host = environ.get("GCE_METADATA_HOST") or environ.get("GCE_METADATA_IP") or "169.254.169.254"
    flavor = {"Metadata-Flavor": "Google"}
    try:
        answer = Request()(f"http://{host}/computeMetadata/v1/", headers=flavor, timeout=2)
    except TransportError:
        return None
    ours = answer.headers.get("Metadata-Flavor", answer.headers.get("metadata-flavor")) == "Google"
    return Machine(scopes=_SCOPES) if ours else None


# --- failures --------------------------------------------------------------------------------


def _is_about_credentials(error: object) -> bool:
    """Whether gRPC passes on what failed while it fetched a token; it calls that unavailable."""
    return "metadata from plugin failed" in str(error)


def _failure(error: BaseException, credentials: Credentials) -> MasterKeyError:
    from google.api_core import exceptions
    from google.auth.exceptions import GoogleAuthError
    from requests import RequestException, Timeout

    if isinstance(error, (exceptions.DeadlineExceeded, exceptions.GatewayTimeout, Timeout)):
        late = f"Google Cloud KMS did not answer within {credentials.call_limit:g} s"
        return MasterKeyError(late, hint="is the location up, and may this machine talk to it?")
    if isinstance(error, GoogleAuthError) or _is_about_credentials(error):
        environ = credentials.environ
        if environ.get("GOOGLE_OAUTH_ACCESS_TOKEN") and not environ.get("GOOGLE_CREDENTIALS"):
            return MasterKeyError("the token in GOOGLE_OAUTH_ACCESS_TOKEN is refused", hint=_RENEW)
        text = _short(str(error).replace("Getting metadata from plugin failed with error: ", ""))
        return MasterKeyError(f"the Google credentials do not work: {text}", hint=_RENEW)
    if isinstance(error, (RequestException, exceptions.ServiceUnavailable)):
        return MasterKeyError(f"Google Cloud KMS cannot be reached: {_short(str(error))}")
    if isinstance(error, exceptions.GoogleAPICallError):
        name, text = _said(error)
        hint = None
        if isinstance(error, exceptions.Unauthorized):
            hint = _RENEW
        elif isinstance(error, exceptions.Forbidden):
            hint = "it takes the role Cloud KMS CryptoKey Encrypter/Decrypter on the key"
        return MasterKeyError(f"{printable(name)[:80]}: {_short(text)}", hint=hint)
    return MasterKeyError(f"{type(error).__name__}: {_short(str(error))}")


def _said(error: Any) -> tuple[str, str]:
    """The status and the text; over REST the error itself has only their surroundings."""
    try:
        answer = error.response.json()["error"]
        return str(answer["status"]), str(answer["message"])
    except (AttributeError, KeyError, TypeError, ValueError):
        code = error.grpc_status_code
        return (code.name if code is not None else type(error).__name__), error.message


def _short(text: str) -> str:
    text = printable(" ".join(text.split()))
    return text if len(text) <= _LONGEST_REASON else text[: _LONGEST_REASON - 1] + "…"
