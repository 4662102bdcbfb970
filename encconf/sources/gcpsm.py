"""``gcpsm:PROJECT/NAME``: a secret of Google Secret Manager (vals: ``ref+gcpsecrets://PROJECT/NAME``).

``version`` is a number, by default ``latest``.  ``location`` is the location of a regional secret.  You may
leave the project out if GCP_PROJECT, GOOGLE_CLOUD_PROJECT or CLOUDSDK_CORE_PROJECT names it.  The resource
name ``projects/P/secrets/N`` works, too.  Google's checksums are compared.

`encconf.providers.gcp` says whose credentials are used.  On a machine of Google, they are the machine's own.

Permissions: secretmanager.versions.access on the secret (roles/secretmanager.secretAccessor); to write,
secretmanager.secrets.create and secretmanager.versions.add.  Limits: ``Credentials.call_limit`` for each
request, which is repeated for 10 s after temporary errors (throttling, 5xx).  Errors: missing (also: the
version is disabled or destroyed), denied, expired (the token), unreachable, slow, wrong, unusable (no
credentials, no google-cloud-secret-manager).
"""

from __future__ import annotations

import re
from functools import partial

from encconf.errors import MasterKeyError, SourceError
from encconf.identities.credentials import Credentials
from encconf.providers import gcp, needing
from encconf.sources import Probe, Uri, exists_error, machine
from encconf.text.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

QUERY = ("version", "location")
_FORM = "gcpsm:PROJECT/NAME"
_PROJECT = re.compile(r"(?!\.)[A-Za-z0-9.:_-]{1,100}")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
_VERSION = re.compile(r"[A-Za-z0-9_-]{1,63}")
_LOCATION = re.compile(r"[a-z0-9-]{1,40}")
_PROJECTS = ("GCP_PROJECT", "GOOGLE_CLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT")


def fetch(uri: Uri, credentials: Credentials) -> bytes:
    """Return the version's payload."""
    parent, name = _parts(uri, credentials)
    version = uri.query.get("version") or "latest"
    if not _VERSION.fullmatch(version):
        raise SourceError("a version of a secret is a number", hint="?version=3")
    question = {"name": f"{parent}/secrets/{name}/versions/{version}"}
    needs = "you need the role Secret Manager Secret Accessor on the secret"
    answer = _ask("access_secret_version", question, uri, credentials, needs)
    data: bytes = answer.payload.data
    gcp.check_sum(data, answer.payload.data_crc32c or None)
    return data


def store(uri: Uri, value: bytes, credentials: Credentials, *, replace: bool) -> None:
    """Create the secret if it does not exist, and add a version."""
    parent, name = _parts(uri, credentials)
    needs = "you need the role Secret Manager Admin on the project"
    policy: dict[str, object] = {} if uri.query.get("location") else {"replication": {"automatic": {}}}
    try:
        question: dict[str, object] = {"parent": parent, "secret_id": name, "secret": policy}
        _ask("create_secret", question, uri, credentials, needs)
    except MasterKeyError as error:
        if error.code != "ALREADY_EXISTS":
            raise
        if not replace and _has_version(uri, credentials):
            raise exists_error() from None
    needs = "you need the role Secret Manager Secret Version Adder on the secret"
    version: dict[str, object] = {"parent": f"{parent}/secrets/{name}", "payload": {"data": value}}
    _ask("add_secret_version", version, uri, credentials, needs)


def _has_version(uri: Uri, credentials: Credentials) -> bool:
    try:
        fetch(uri, credentials)
    except MasterKeyError as error:
        return error.code != "NOT_FOUND"
    return True


def _parts(uri: Uri, credentials: Credentials) -> tuple[str, str]:
    """Return the resource that contains a secret, and the secret's name."""
    parts = uri.path.split("/")
    if len(parts) == 4 and parts[0] == "projects" and parts[2] == "secrets":
        parts = [parts[1], parts[3]]
    if len(parts) == 1:
        project = next(filter(None, (credentials.environ.get(name) for name in _PROJECTS)), "")
        if not project:
            raise SourceError(
                "it names no project, and none is set in the environment",
                reason="unusable",
                hint=f"set GCP_PROJECT, or write {_FORM}",
            )
        parts = [project, *parts]
    if len(parts) != 2 or not _PROJECT.fullmatch(parts[0]) or not _NAME.fullmatch(parts[1]):
        raise SourceError("expected a project and the name of a secret", hint=_FORM)
    location = uri.query.get("location")
    if location and not _LOCATION.fullmatch(location):  # the name becomes part of a host name
        raise SourceError("this is not the name of a location", hint="?location=europe-west3")
    return f"projects/{parts[0]}" + (f"/locations/{location}" if location else ""), parts[1]


def _ask(
    operation: str,
    question: dict[str, object] | dict[str, str],
    uri: Uri,
    credentials: Credentials,
    needs: str,
) -> Any:
    location = uri.query.get("location")
    endpoint = f"secretmanager.{location}.rep.googleapis.com" if location else ""
    service = "Google Secret Manager" + (f" in {location}" if location else "")
    client = partial(gcp.client, _kind(), credentials, endpoint=endpoint)
    return gcp.ask(service, client, operation, question, credentials, needs=needs)


def _kind() -> Any:
    """Return Google's client class.  Raises MissingExtraError."""
    with needing("Google Secret Manager", "gcp", "google-cloud-secret-manager", "google-crc32c"):
        import google_crc32c  # noqa: F401
        from google.cloud.secretmanager_v1 import SecretManagerServiceClient
    return SecretManagerServiceClient


def probe(credentials: Credentials) -> Probe:
    """Look for credentials, without using them."""
    _kind()
    environ = dict(credentials.environ)
    if machine() != "gcp":
        environ["NO_GCE_CHECK"] = "true"
    found = gcp.identity(credentials.moved(environ))
    who = getattr(found, "service_account_email", None) or getattr(found, "account", None)
    return Probe(True, printable(str(who)) if who else None, note="these credentials were not tried")
