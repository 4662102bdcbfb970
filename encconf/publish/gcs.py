"""Publish to a bucket of Google Cloud Storage, with google-cloud-storage.

Settings: ``gcs_bucket``, ``gcs_prefix``.  Credentials are those for Google's KMS (see
`encconf.providers.gcp`).  STORAGE_EMULATOR_HOST names a server to use instead of Google's; it needs no
credentials.

Permissions: storage.objects.create, and storage.objects.delete to overwrite an object.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from encconf.errors import EncconfError
from encconf.identities.credentials import Credentials
from encconf.providers import late, needing, one_line, within
from encconf.publish import failed, in_bucket
from encconf.text.printable import printable

_TYPE = "text/plain; charset=utf-8"  # the type that Go's client sets


def put(
    settings: Mapping[str, str | int], name: str, content: bytes | dict[str, object], credentials: Credentials
) -> bool:
    """Write the object.  An existing one is overwritten."""
    with needing("publishing to Google Cloud Storage", "gcs", "google-cloud-storage"):
        from google.api_core.exceptions import GoogleAPIError
        from google.auth.exceptions import GoogleAuthError
        from google.cloud.storage import Client
        from requests import RequestException

    bucket, key = in_bucket("gcs", settings, name)
    try:
        client = _client(Client, credentials)
        blob = client.bucket(bucket).blob(key)
        # The SDK limits only each wait, and would try again for two minutes.
        within(
            "it",
            credentials.call_limit,
            lambda: blob.upload_from_string(content, content_type=_TYPE, timeout=credentials.call_limit),
        )
    except (GoogleAPIError, GoogleAuthError, RequestException, OSError, ValueError) as error:
        raise _failure(error, bucket, credentials) from None
    return True


def _client(kind: Any, credentials: Credentials) -> Any:
    emulator = credentials.environ.get("STORAGE_EMULATOR_HOST")
    if emulator:
        from google.auth.credentials import AnonymousCredentials

        endpoint = emulator if "://" in emulator else f"http://{emulator}"
        return kind(
            project="-", credentials=AnonymousCredentials(), client_options={"api_endpoint": endpoint}
        )
    from encconf.providers.gcp import identity

    return kind(project="-", credentials=identity(credentials))


def _failure(error: Exception, bucket: str, credentials: Credentials) -> EncconfError:
    from google.api_core import exceptions
    from google.auth.exceptions import GoogleAuthError
    from requests import RequestException, Timeout

    if isinstance(error, (Timeout, exceptions.RetryError)):
        return failed("gcs", late("it", credentials.call_limit).message)
    text = one_line(_said(error))
    if isinstance(error, GoogleAuthError):
        return failed("gcs", f"the Google credentials do not work: {text}")
    if isinstance(error, exceptions.NotFound):
        return failed("gcs", f"the bucket {printable(bucket)[:100]} does not exist")
    if isinstance(error, (exceptions.Forbidden, exceptions.Unauthorized)):
        hint = "you need storage.objects.create and, to replace an existing object, storage.objects.delete"
        return failed("gcs", text, hint)
    if isinstance(error, RequestException):
        return failed("gcs", "it cannot be reached")
    return failed("gcs", f"{type(error).__name__}: {text}")


def _said(error: Any) -> str:
    """Return the server's own message from an error of the SDK."""
    try:
        return str(error.response.json()["error"]["message"])
    except (AttributeError, KeyError, TypeError, ValueError):
        return str(error)
