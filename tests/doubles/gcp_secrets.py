"""Google Secret Manager on this machine, over gRPC on Google's own message types.

    store = SecretStore()
    store.add("projects/p/secrets/db", b"s3cret")
    with serve(store, ca) as port, ConnectProxy({"secretmanager.googleapis.com": port}) as proxy:
        environ = {**proxy.environ, "GOOGLE_OAUTH_ACCESS_TOKEN": store.token}

``latest`` is the version that was made last, disabled or not, as Google documents it.  Status codes and
message types are Google's, the texts of errors are an approximation.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import google_crc32c
from doubles import google_grpc
from doubles.testca import TestCA
from google.api_core import exceptions
from google.cloud.secretmanager_v1.types import resources, service


class Version:
    """One version's bytes, and whether they may be had."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.state = "ENABLED"


class SecretStore:
    """What there is, by resource name, and who may have it: the bearer of ``token``.

    ``calls`` are the operations asked for, with the token that came.  ``denied`` are names that
    are denied; each of ``faults`` is raised by one call instead of an answer; every answer takes
    ``delay`` seconds longer; with ``damaging`` its checksum is wrong.
    """

    def __init__(self) -> None:
        self.token = f"ya29.{secrets.token_urlsafe(24)}"
        self.secrets: dict[str, list[Version]] = {}
        self.denied: set[str] = set()
        self.calls: list[tuple[str, str]] = []
        self.faults: list[exceptions.GoogleAPICallError] = []
        self.delay = 0.0
        self.damaging = False
        self._lock = threading.Lock()

    def add(self, name: str, data: bytes) -> Version:
        """A new version of the secret of this name."""
        version = Version(data)
        self.secrets.setdefault(name, []).append(version)
        return version

    def call(self, operation: str, request: Any, authorization: str) -> Any:
        """Answer a request; raises what Google would answer."""
        with self._lock:
            self.calls.append((operation, authorization.removeprefix("Bearer ")))
            fault = self.faults.pop(0) if self.faults else None
        time.sleep(self.delay)
        if fault is not None:
            raise fault
        if authorization != f"Bearer {self.token}":
            raise exceptions.Unauthenticated("Request had invalid authentication credentials.")
        answers: dict[str, Callable[[Any], Any]] = {
            "AccessSecretVersion": self._access,
            "CreateSecret": self._create,
            "AddSecretVersion": self._add,
        }
        return answers[operation](request)

    def _may(self, permission: str, name: str) -> None:
        if name in self.denied:
            raise exceptions.PermissionDenied(
                f"Permission '{permission}' denied for resource '{name}' (or it may not exist)."
            )

    def _access(self, request: service.AccessSecretVersionRequest) -> service.AccessSecretVersionResponse:
        name, _, number = request.name.rpartition("/versions/")
        self._may("secretmanager.versions.access", name)
        versions = self.secrets.get(name)
        if not versions:
            raise exceptions.NotFound(f"Secret [{name}] not found or has no versions.")
        index = len(versions) if number == "latest" else int(number)
        if not 0 < index <= len(versions):
            raise exceptions.NotFound(f"Secret Version [{request.name}] not found.")
        version = versions[index - 1]
        if version.state != "ENABLED":
            raise exceptions.FailedPrecondition(
                f"Secret Version [{name}/versions/{index}] is in {version.state} state."
            )
        checksum = google_crc32c.value(version.data) ^ self.damaging
        payload = resources.SecretPayload(data=version.data, data_crc32c=checksum)
        return service.AccessSecretVersionResponse(name=f"{name}/versions/{index}", payload=payload)

    def _create(self, request: service.CreateSecretRequest) -> resources.Secret:
        name = f"{request.parent}/secrets/{request.secret_id}"
        self._may("secretmanager.secrets.create", name)
        if name in self.secrets:
            raise exceptions.AlreadyExists(f"Secret [{name}] already exists.")
        regional = "/locations/" in request.parent
        if regional == ("automatic" in request.secret.replication):
            raise exceptions.InvalidArgument("The replication of a secret is set, unless it is regional.")
        self.secrets[name] = []
        return resources.Secret(name=name)

    def _add(self, request: service.AddSecretVersionRequest) -> resources.SecretVersion:
        self._may("secretmanager.versions.add", request.parent)
        if request.parent not in self.secrets:
            raise exceptions.NotFound(f"Secret [{request.parent}] not found.")
        self.add(request.parent, request.payload.data)
        number = len(self.secrets[request.parent])
        return resources.SecretVersion(name=f"{request.parent}/versions/{number}")


_MESSAGES = {
    "AccessSecretVersion": (service.AccessSecretVersionRequest, service.AccessSecretVersionResponse),
    "CreateSecret": (service.CreateSecretRequest, resources.Secret),
    "AddSecretVersion": (service.AddSecretVersionRequest, resources.SecretVersion),
}


def serve(store: SecretStore, ca: TestCA) -> AbstractContextManager[int]:
    """Serve gRPC over TLS on 127.0.0.1; gives the port."""
    name = "google.cloud.secretmanager.v1.SecretManagerService"
    return google_grpc.serve(name, _MESSAGES, store.call, ca)
