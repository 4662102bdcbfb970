"""Keys of Huawei Cloud KMS (its Data Encryption Workshop), with huaweicloudsdkkms.

It behaves like sops 3.13.3 (hckms/keysource.go).  The API's JSON has the data key as base64.  You must set
the project: it is not looked up by the region.  Federated identities (``idp_id``, OIDC) and the metadata
service of a cloud server are not supported.
"""

from __future__ import annotations

import os
import re
from binascii import b2a_base64

from encconf.errors import BadKeyError, MasterKeyError, NotMyKeyError
from encconf.keys import MasterKey, as_given, base64_bytes
from encconf.providers import ODD_ANSWER, late, needing, one_line, quiet, text_in, timeouts
from encconf.providers.https import RETRIES, as_it_is, cause, reason_of
from encconf.text.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from encconf.identities.credentials import Credentials

_FORM = "REGION:KEY-UUID, as eu-west-101:0d0466b0-e727-4d9c-b35d-f84bb474a37f"
_KEY_ID = re.compile(r"([0-9A-Za-z-]{1,64})\s*:\s*([!-~]{1,255})")
_BASE64 = re.compile(r"[0-9A-Za-z+/]+={0,2}")
_ALGORITHM = "SYMMETRIC_DEFAULT"
_LATER = (429, 500, 502, 503, 504)


class HuaweiKey(MasterKey):
    """A symmetric key, by region and id.

    URI: ``REGION:KEY-UUID``, or the mapping ``key_id``.

    Environment: The credentials are HUAWEICLOUD_SDK_AK, HUAWEICLOUD_SDK_SK, HUAWEICLOUD_SDK_PROJECT_ID and,
    for temporary ones, HUAWEICLOUD_SDK_SECURITY_TOKEN, or else the section ``basic`` (``ak``, ``sk``,
    ``project_id``, ``security_token``) of HUAWEICLOUD_SDK_CREDENTIALS_FILE or
    ``~/.huaweicloud/credentials``.  HUAWEICLOUD_SDK_REGION_KMS_REGION (where REGION is written as in
    ``TR_WEST_1``) sets another endpoint for a region.  SSL_CERT_FILE has the authorities of certificates.
    Proxies are those of requests (HTTPS_PROXY, NO_PROXY of the process).  The SDK reads
    ``~/.huaweicloud/regions.yaml``.

    Permissions: ``kms:cmk:encryptData`` to encrypt, and ``kms:cmk:decryptData`` to decrypt.
    """

    TYPE = "hckms"
    key_id: str

    def wrap(self, data_key: bytes, credentials: Credentials) -> str:
        """Return base64, as the service returns it.

        Raises BadKeyError, NotMyKeyError if there is no credential, and MasterKeyError.
        """
        plain_text = b2a_base64(data_key, newline=False).decode()
        return self._ask({"plain_text": plain_text}, credentials)

    def unwrap(self, enc: str, credentials: Credentials) -> bytes:
        """Let the service decrypt.  Raises NotMyKeyError if there is no credential, and MasterKeyError."""
        if not _BASE64.fullmatch(enc):
            raise MasterKeyError("its enc is not base64")
        plain_text = self._ask({"cipher_text": enc}, credentials)
        return base64_bytes(plain_text, "the service returned something that is not base64")

    @classmethod
    def from_config(cls, value: str) -> HuaweiKey:
        """Read ``REGION:KEY-UUID``.  Raises BadKeyError."""
        return cls(":".join(_parts(value)))

    def _ask(self, question: dict[str, str], credentials: Credentials) -> str:
        """Return the ``cipher_text`` that the API makes of a ``plain_text``, or the other way round."""
        region, key_id = _parts(self.key_id)
        identity = _identity(credentials)
        from types import SimpleNamespace

        with needing("Huawei Cloud", "huawei"):
            import requests
            from huaweicloudsdkcore.exceptions import exceptions
            from huaweicloudsdkkms.v2 import model

        client = credentials.client(
            ("hckms", region, identity), lambda: _client(region, identity, credentials)
        )
        question = {"key_id": key_id, "encryption_algorithm": _ALGORITHM, **question}
        encrypts = "plain_text" in question
        if encrypts:
            body = model.EncryptDataRequestBody(**question)
            call = client.encrypt_data_invoker(model.EncryptDataRequest(body=body))
        else:
            body = model.DecryptDataRequestBody(**question)
            call = client.decrypt_data_invoker(model.DecryptDataRequest(body=body))
        # The waits are 0.5 s and 1 s.
        backoff = SimpleNamespace(calculate_retry_delay_millis=lambda retries: 250 << retries)

        def again(_: object, error: Any) -> bool:
            return getattr(error, "status_code", None) in _LATER

        try:
            answer = call.with_retry(again, RETRIES, backoff).invoke()
        except exceptions.ServiceResponseException as error:
            raise _refused(error) from None
        except (exceptions.SdkException, requests.RequestException) as error:
            server = f"Huawei Cloud in {region}"
            for each in (error, error.__context__):
                if isinstance(each, requests.Timeout):
                    connect, wait = timeouts(credentials)
                    waited = connect if isinstance(each, requests.ConnectTimeout) else wait
                    raise late(server, waited) from None
            detail = cause(error) or type(error).__name__
            raise MasterKeyError(f"{server} cannot be reached: {detail}", reason="unreachable") from None
        except (*ODD_ANSWER, ValueError):
            answer = None  # the SDK expects the API's JSON
        text = getattr(answer, "cipher_text" if encrypts else "plain_text", None)
        if not isinstance(text, str) or not _BASE64.fullmatch(text):
            raise MasterKeyError("the answer is not from Huawei Cloud")
        return text


def _parts(key_id: str) -> tuple[str, str]:
    match = _KEY_ID.fullmatch(key_id.strip())
    if match is None:
        raise BadKeyError(
            f"{as_given(key_id.strip())} is not a key of Huawei Cloud", hint=f"it looks like {_FORM}"
        )
    return match[1], match[2]


def _identity(credentials: Credentials) -> tuple[str, str, str, str]:
    """Return access key, secret key, security token and project, from the environment or else the file.

    Raises NotMyKeyError and MasterKeyError.
    """
    names = ("AK", "SK", "SECURITY_TOKEN", "PROJECT_ID")
    ak, sk, token, project = (
        credentials.environ.get(f"HUAWEICLOUD_SDK_{name}", "").strip() for name in names
    )
    if not (ak and sk):
        profile = _profile(credentials, f"HUAWEICLOUD_SDK_{'SK' if ak else 'AK'} (unset)")
        ak, sk, token = (profile.get(name, "") for name in ("ak", "sk", "security_token"))
        project = profile.get("project_id") or project
    if not project:
        raise MasterKeyError(
            "HUAWEICLOUD_SDK_PROJECT_ID is unset",
            hint="it is the id of the region's project, in the console under My Credentials",
        )
    return ak, sk, token, project


def _profile(credentials: Credentials, looked: str) -> Mapping[str, str]:
    """Return the section ``basic`` of the credentials file.  It has an access key and a secret key."""
    from configparser import ConfigParser
    from configparser import Error as SyntaxProblem

    shown = path = credentials.environ.get("HUAWEICLOUD_SDK_CREDENTIALS_FILE", "")
    if not path:
        shown = "~/.huaweicloud/credentials"
        if not credentials.home:
            raise NotMyKeyError(f"no Huawei Cloud credential\nlooked in: {looked}, {shown} (no home)")
        path = os.path.join(credentials.home, ".huaweicloud", "credentials")
    shown = printable(shown)
    parser = ConfigParser(interpolation=None)  # a secret may contain a %
    if not os.path.lexists(path):
        raise NotMyKeyError(f"no Huawei Cloud credential\nlooked in: {looked}, {shown} (not there)")
    try:
        parser.read_string(text_in(path, "the login of Huawei Cloud"))
    except (SyntaxProblem, ValueError):  # the parser's own message quotes the line
        raise MasterKeyError(f"{shown} is not a file of credentials") from None
    profile = dict(parser["basic"]) if parser.has_section("basic") else {}
    if not (profile.get("ak") and profile.get("sk")):
        raise MasterKeyError(f"{shown} has no ak and sk in a section [basic]")
    return profile


def _client(region: str, identity: tuple[str, str, str, str], credentials: Credentials) -> Any:
    """Return a client for one region.  Raises MasterKeyError for a region without a known endpoint."""
    from huaweicloudsdkcore.auth.credentials import BasicCredentials
    from huaweicloudsdkcore.http.http_config import HttpConfig
    from huaweicloudsdkcore.region.region import Region
    from huaweicloudsdkkms.v2 import KmsClient
    from huaweicloudsdkkms.v2.region.kms_region import KmsRegion

    own = credentials.environ.get(f"HUAWEICLOUD_SDK_REGION_KMS_{region.replace('-', '_').upper()}")
    try:
        place = Region(region, *own.split(",")) if own else KmsRegion.value_of(region)
    except (KeyError, ValueError):
        raise MasterKeyError(
            f"{region} is not a region of Huawei Cloud that its SDK knows",
            hint="a newer huaweicloudsdkkms may know it",
        ) from None
    ak, sk, token, project = identity
    login = BasicCredentials(ak, sk, project)
    if token:
        login = login.with_security_token(token)
    config = HttpConfig(timeout=timeouts(credentials), ssl_ca_cert=credentials.environ.get("SSL_CERT_FILE"))
    client = (
        KmsClient.new_builder().with_http_config(config).with_credentials(login).with_region(place).build()
    )
    vars(client.get_http_client())["_session"].auth = as_it_is
    quiet("HuaweiCloud-SDK-KmsClient")
    return client


def _refused(error: Any) -> MasterKeyError:
    """Return an error with the service's own reason."""
    detail = one_line(f"{error.error_code}: {error.error_msg}")
    if error.status_code == 429:
        detail = f"the service throttles: {detail}"
    return MasterKeyError(f"Huawei Cloud: {detail}", reason=reason_of(error.status_code or 0, {}))
