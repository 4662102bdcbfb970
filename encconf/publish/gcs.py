"""Publish to a bucket of Google Cloud Storage, with google-cloud-storage.

Settings: ``gcs_bucket``, ``gcs_prefix``.  Credentials are those for Google's KMS (see
`encconf.providers.gcp`).  STORAGE_EMULATOR_HOST names a server to use instead of Google's; it needs no
credentials.

Permissions: storage.objects.create, and storage.objects.delete to overwrite an object.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from typing import Any

from encconf.identities.credentials import Credentials
from encconf.providers import gcp, needing, within
from encconf.providers.https import as_it_is
from encconf.publish import in_bucket

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
        attrgetter("_http")(client).auth = as_it_is
        blob = client.bucket(bucket).blob(key)
        # The SDK limits only each wait, and would try again for two minutes.
        within(
            "it",
            credentials.call_limit,
            lambda: blob.upload_from_string(content, content_type=_TYPE, timeout=credentials.call_limit),
        )
    except (GoogleAPIError, GoogleAuthError, RequestException, OSError, ValueError) as error:
        needs = "you need storage.objects.create and, to replace an existing object, storage.objects.delete"
        raise gcp.failure(error, "it", credentials, needs) from None
    return True


def _client(kind: Any, credentials: Credentials) -> Any:
    emulator = credentials.environ.get("STORAGE_EMULATOR_HOST")
    if emulator:
        from google.auth.credentials import AnonymousCredentials

        endpoint = emulator if "://" in emulator else f"http://{emulator}"
        return kind(
            project="-", credentials=AnonymousCredentials(), client_options={"api_endpoint": endpoint}
        )
    return kind(project="-", credentials=gcp.identity(credentials))
