"""Google Cloud KMS keys, with google-cloud-kms.

It behaves like sops 3.13.3 (gcpkms/keysource.go).  In addition, it compares Google's checksums of what was
sent and received, names may have only the characters that Google allows, and a universe that the credentials
name need not be named again.
"""

from __future__ import annotations

import re
from binascii import b2a_base64

from encconf.errors import BadKeyError, MasterKeyError
from encconf.keys import MasterKey, as_given, base64_bytes
from encconf.providers import needing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from encconf.identities.credentials import Credentials

# The name becomes part of a URL.  A project may belong to a domain: example.com:name.
_RESOURCE = (
    r"projects/(?!\.)[A-Za-z0-9.:_-]{1,100}/locations/[A-Za-z0-9-]{1,63}"
    r"/keyRings/[A-Za-z0-9_-]{1,63}/cryptoKeys/[A-Za-z0-9_-]{1,63}"
)
_FORM = "projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY"
_NEEDS = "you need the role Cloud KMS CryptoKey Encrypter/Decrypter on the key"


class GcpKmsKey(MasterKey):
    """One key of Google Cloud KMS, by its resource name.

    In the configuration, a key is ``projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY``, or a
    mapping with that as ``resource_id``.  KMS encrypts with the primary version, and finds the version to
    decrypt with itself.

    Environment: `encconf.providers.gcp` lists the variables, and says whose credentials are used.  These are
    read, too: SOPS_GCP_KMS_CLIENT_TYPE (``grpc``, the default, or ``rest``), and SOPS_GCP_KMS_ENDPOINT (a
    host with or without a port, or a URL for REST) or else SOPS_GCP_KMS_UNIVERSE_DOMAIN.

    Permissions: cloudkms.cryptoKeyVersions.useToDecrypt to open and …useToEncrypt to encrypt, on the
    key (roles/cloudkms.cryptoKeyEncrypterDecrypter has both).
    """

    TYPE = "gcp_kms"
    resource_id: str

    def wrap(self, data_key: bytes, credentials: Credentials) -> str:
        """Return the ciphertext of KMS in base64 (standard alphabet, padded), as sops writes it.

        Raises BadKeyError for a malformed name, NotMyKeyError if there are no credentials, and
        MasterKeyError with Google's reason.
        """
        answer = self._ask("encrypt", credentials, plaintext=data_key)
        ciphertext: bytes = answer.ciphertext
        # A service that returns checksums must also have compared ours.
        if answer.ciphertext_crc32c is not None and not answer.verified_plaintext_crc32c:
            raise MasterKeyError("the data key was damaged on its way to Google: try again")
        return b2a_base64(ciphertext, newline=False).decode("ascii")

    def unwrap(self, enc: str, credentials: Credentials) -> bytes:
        """Let KMS decrypt ``enc``.

        Raises NotMyKeyError if there are no credentials, and MasterKeyError otherwise.
        """
        ciphertext = base64_bytes(enc, "its enc is not base64")
        data_key: bytes = self._ask("decrypt", credentials, ciphertext=ciphertext).plaintext
        return data_key

    def _ask(self, operation: str, credentials: Credentials, **text: bytes) -> Any:
        """Return the answer to one call, which is repeated after temporary errors."""
        _check(self.resource_id)
        from functools import partial

        from encconf.providers import gcp

        with needing("Google Cloud KMS", "gcp", "google-cloud-kms", "google-crc32c"):
            import google_crc32c
            from google.cloud.kms_v1.services.key_management_service import KeyManagementServiceClient

        environ = credentials.environ
        rest = environ.get("SOPS_GCP_KMS_CLIENT_TYPE", "").lower() == "rest"
        endpoint = environ.get("SOPS_GCP_KMS_ENDPOINT", "").rstrip("/")
        universe = "" if endpoint else environ.get("SOPS_GCP_KMS_UNIVERSE_DOMAIN", "")
        (name, value), *_ = text.items()
        request = {"name": self.resource_id, name: value, f"{name}_crc32c": google_crc32c.value(value)}
        kind = KeyManagementServiceClient
        client = partial(gcp.client, kind, credentials, endpoint=endpoint, universe=universe, rest=rest)
        answer = gcp.ask("Google Cloud KMS", client, operation, request, credentials, needs=_NEEDS)
        if operation == "encrypt":
            content, checksum = answer.ciphertext, answer.ciphertext_crc32c
        else:
            content, checksum = answer.plaintext, answer.plaintext_crc32c
        if not content:
            raise MasterKeyError("the answer is not from Google Cloud KMS")
        gcp.check_sum(content, checksum)
        return answer

    @classmethod
    def from_config(cls, value: str) -> GcpKmsKey:
        """Read a resource name.  Raises BadKeyError."""
        resource_id = "".join(value.split())
        _check(resource_id)
        return cls(resource_id)


def _check(resource_id: str) -> None:
    if not re.fullmatch(_RESOURCE, resource_id):
        message = f"{as_given(resource_id)} is not the resource name of a Google Cloud KMS key"
        raise BadKeyError(message, hint=_FORM)
