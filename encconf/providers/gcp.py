"""Google Cloud, with its own SDK: credentials, clients, and why a call failed.

The first of these credentials is used: GOOGLE_CREDENTIALS (the path of a credentials file, or its JSON),
GOOGLE_OAUTH_ACCESS_TOKEN, GOOGLE_APPLICATION_CREDENTIALS (a path), the file of
``gcloud auth application-default login`` (in CLOUDSDK_CONFIG if set), and the metadata server (unless
NO_GCE_CHECK is ``true``).  Every type of file is read: service account, user, workload and workforce
identity, impersonation.  GOOGLE_CLOUD_QUOTA_PROJECT is read, too.

The SDK reads some settings from the process's environment: proxies, GRPC_…, the switches for mTLS and the
address of the metadata server.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from operator import attrgetter

from encconf.errors import MasterKeyError, NotMyKeyError
from encconf.identities.credentials import Credentials
from encconf.io import programs
from encconf.io.threads import Once
from encconf.providers import ODD_ANSWER, late, one_line, text_in, unheard
from encconf.providers.https import as_it_is, redirect_error
from encconf.text.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
_UNIVERSE = "googleapis.com"
_PATIENCE = 10  # for how many seconds a call is repeated after temporary errors (throttling, 5xx)
_LOGIN = "log in with gcloud auth application-default login, or set GOOGLE_APPLICATION_CREDENTIALS"
_RENEW = "renew the credentials, for example with gcloud auth application-default login"

# For each type of credentials file, the module below ``google`` and the function that read it.
_FILES = {
    "service_account": "oauth2.service_account:Credentials.from_service_account_info",
    "authorized_user": "oauth2.credentials:Credentials.from_authorized_user_info",
    "external_account": "auth.identity_pool:Credentials.from_info",
    "external_account_authorized_user": "auth.external_account_authorized_user:Credentials.from_info",
    "impersonated_service_account": (
        "auth.impersonated_credentials:Credentials.from_impersonated_service_account_info"
    ),
    "gdch_service_account": "oauth2.gdch_credentials:ServiceAccountCredentials.from_service_account_info",
}
_AWS = "urn:ietf:params:aws:token-type:aws4_request"

# The reasons of `encconf.errors.UnavailableError` for Google's statuses.
_REASONS = {
    "UNAUTHENTICATED": "expired",
    "PERMISSION_DENIED": "denied",
    "NOT_FOUND": "missing",
    "FAILED_PRECONDITION": "missing",  # disabled, destroyed
    "RESOURCE_EXHAUSTED": "unreachable",
}


def client(
    kind: Callable[..., Any],
    credentials: Credentials,
    *,
    endpoint: str = "",
    universe: str = "",
    rest: bool = False,
) -> Any:
    """Return one of Google's clients of this ``kind``, for Google's own endpoint or another one."""
    found = identity(credentials, universe)
    options: dict[str, object] = {}
    if endpoint:
        options["api_endpoint"] = endpoint if rest else re.sub(r"^https?://", "", endpoint)
    own = getattr(found, "universe_domain", _UNIVERSE)
    if universe or own != _UNIVERSE:
        options["universe_domain"] = universe or own
    if project := credentials.environ.get("GOOGLE_CLOUD_QUOTA_PROJECT"):
        options["quota_project_id"] = project
    made = kind(credentials=found, transport="rest" if rest else "grpc", client_options=options)
    if rest:
        session = vars(made.transport)["_session"]
        session.max_redirects = 0  # else a data key is sent there
        session.auth = as_it_is
    return made


def identity(credentials: Credentials, universe: str = "") -> Any:
    """Return the first credentials found, in the order of sops.  Raises NotMyKeyError if there are none."""
    environ = credentials.environ
    if given := environ.get("GOOGLE_CREDENTIALS"):
        text = text_in(given, "GOOGLE_CREDENTIALS") if os.path.exists(given) else given
        return _identity(text, "GOOGLE_CREDENTIALS")
    if token := environ.get("GOOGLE_OAUTH_ACCESS_TOKEN"):
        from google.oauth2.credentials import Credentials as Token

        return Token(token, universe_domain=universe or _UNIVERSE)
    if path := environ.get("GOOGLE_APPLICATION_CREDENTIALS"):
        name = "GOOGLE_APPLICATION_CREDENTIALS"
        return _identity(text_in(path, name), name)
    path = _gcloud(credentials)
    if path and os.path.isfile(path):
        return _identity(text_in(path, "the login of gcloud"), path)
    if machine := _machine(environ):
        return machine
    notes = [
        f"{name} (unset)"
        for name in ("GOOGLE_CREDENTIALS", "GOOGLE_OAUTH_ACCESS_TOKEN", "GOOGLE_APPLICATION_CREDENTIALS")
    ]
    notes.append(f"{printable(path or 'the folder of gcloud')} (not there)")
    off = environ.get("NO_GCE_CHECK", "").lower() == "true"
    notes.append(f"the metadata server ({'not asked' if off else 'no answer'})")
    raise NotMyKeyError(f"no Google credentials\nlooked in: {', '.join(notes)}", hint=_LOGIN)


def _gcloud(credentials: Credentials) -> str | None:
    """Return the path of the file that ``gcloud auth application-default login`` writes, or None."""
    environ = credentials.environ
    folder = environ.get("CLOUDSDK_CONFIG")
    if not folder and credentials.platform == "win32":
        folder = os.path.join(environ["APPDATA"], "gcloud") if environ.get("APPDATA") else None
    elif not folder and credentials.home:
        folder = os.path.join(credentials.home, ".config", "gcloud")
    return os.path.join(folder, "application_default_credentials.json") if folder else None


def _identity(text: str, place: str) -> Any:
    """Return the credentials in a file.  Its addresses are trusted, since the file is the user's own."""
    import json

    place = printable(place)
    try:
        info = json.loads(text)
        if not isinstance(info, dict):
            raise ValueError
    except ValueError:
        raise MasterKeyError(f"{place} is neither the path nor the JSON of a credentials file") from None
    kind = str(info.get("type"))
    target = _FILES.get(kind)
    if target is None:
        raise MasterKeyError(
            f"{place} has credentials of the type {printable(kind)[:80]}, which is not known"
        )
    source = info.get("credential_source")
    if kind == "external_account" and info.get("subject_token_type") == _AWS:
        target = "auth.aws:Credentials.from_info"
    elif kind == "external_account" and isinstance(source, dict) and "executable" in source:
        target = "auth.pluggable:Credentials.from_info"
        _refuse_program(source["executable"], place)
    if target.startswith("auth.pluggable:"):
        read = _with_program().from_info
    else:
        module, _, name = target.partition(":")
        read = attrgetter(name)(__import__(f"google.{module}", fromlist=[name]))
    scoped = kind not in ("external_account_authorized_user", "gdch_service_account")
    try:
        return read(info, **({"scopes": _SCOPES} if scoped else {}))
    except (*ODD_ANSWER, ValueError):  # some of these quote what they read
        raise MasterKeyError(f"{place} has credentials that cannot be read") from None


def _refuse_program(executable: object, place: str) -> None:
    """Raise MasterKeyError for a program that the SDK would find in the current folder or the work tree."""
    import shlex

    command = executable.get("command") if isinstance(executable, dict) else None
    try:
        words = shlex.split(command) if isinstance(command, str) else []
    except ValueError:
        words = []
    if words and not os.path.dirname(words[0]) and not programs.is_first(words[0]):
        message, hint = programs.missing(words[0], os.environ)
        raise MasterKeyError(f"{place}: {printable(message)}", reason="unusable", hint=printable(hint))


def _with_program() -> Any:
    """Return the SDK's class for a login by a program, which gets a PATH with trusted folders only."""
    from google.auth import pluggable

    class Credentials(pluggable.Credentials):
        def retrieve_subject_token(self, request: object) -> Any:
            with programs.for_children():
                return super().retrieve_subject_token(request)

    return Credentials


def _machine(environ: Mapping[str, str]) -> Any:
    """Ask the metadata server, and return the machine's own credentials, or None outside Google Cloud."""
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


def ask(
    service: str,
    client: Callable[[], Any],
    operation: str,
    request: object,
    credentials: Credentials,
    *,
    needs: str,
) -> Any:
    """Return the answer to an operation of a service's client.  Temporary errors repeat the call.

    The client is made once for each ``service``, which is also the name to show.  ``needs`` is the hint for
    a refusal.  Raises NotMyKeyError if there are no credentials, and MasterKeyError for other failures.
    """
    from google.api_core import exceptions, retry, timeout
    from google.auth.exceptions import GoogleAuthError
    from google.protobuf.json_format import Error as JsonError
    from requests import RequestException

    def passing(error: Exception) -> bool:
        return retry.if_transient_error(error) and not _is_about_credentials(error)

    again = retry.Retry(
        passing, initial=0.2, multiplier=2, maximum=5, timeout=min(_PATIENCE, credentials.key_limit)
    )
    try:
        # Other clients must not wait while this one asks the metadata server.
        made = credentials.client(("google", service), Once).get(client)
        limit = timeout.ConstantTimeout(credentials.call_limit)
        with unheard(type(made.transport).__module__):
            return getattr(made, operation)(request=request, retry=again, timeout=limit)
    except (exceptions.GoogleAPIError, GoogleAuthError, RequestException, OSError, ValueError) as error:
        raise failure(error, service, credentials, needs) from None
    except (JsonError, *ODD_ANSWER):  # their texts may quote the answer
        raise MasterKeyError(f"{service} returned an answer that cannot be read") from None


def _is_about_credentials(error: object) -> bool:
    """Whether no token could be fetched, which gRPC reports as unavailable."""
    return "metadata from plugin failed" in str(error)


def failure(error: BaseException, service: str, credentials: Credentials, needs: str) -> MasterKeyError:
    """Return the error for an exception of Google's SDKs.  ``needs`` is the hint for a refusal."""
    from google.api_core import exceptions
    from google.auth.exceptions import GoogleAuthError, TransportError
    from requests import RequestException, Timeout, TooManyRedirects

    if isinstance(error, exceptions.RetryError) and error.cause is not None:
        error = error.cause
    if isinstance(error, TooManyRedirects):
        return redirect_error(service)
    if isinstance(error, (exceptions.DeadlineExceeded, exceptions.GatewayTimeout, Timeout)):
        slow = "check that the location is available and that this machine can reach it"
        return late(service, credentials.call_limit, slow)
    if isinstance(error, GoogleAuthError) or _is_about_credentials(error):
        environ = credentials.environ
        if environ.get("GOOGLE_OAUTH_ACCESS_TOKEN") and not environ.get("GOOGLE_CREDENTIALS"):
            return MasterKeyError(
                "the token in GOOGLE_OAUTH_ACCESS_TOKEN was rejected", reason="expired", hint=_RENEW
            )
        text = one_line(str(error).replace("Getting metadata from plugin failed with error: ", ""))
        reason = "unreachable" if isinstance(error, TransportError) else "expired"
        return MasterKeyError(f"the Google credentials do not work: {text}", reason=reason, hint=_RENEW)
    if isinstance(error, (RequestException, exceptions.ServiceUnavailable)):
        return MasterKeyError(f"{service} cannot be reached: {one_line(error)}", reason="unreachable")
    if isinstance(error, exceptions.GoogleAPICallError):
        name, text = _status_of(error)
        hint = None
        if isinstance(error, exceptions.Unauthorized):
            hint = _RENEW
        elif isinstance(error, exceptions.Forbidden):
            hint = needs
        reason = _REASONS.get(name) or ("unreachable" if (error.code or 0) >= 500 else "wrong")
        return MasterKeyError(
            f"{printable(name)[:80]}: {one_line(text)}", reason=reason, hint=hint, code=name
        )
    return MasterKeyError(f"{type(error).__name__}: {one_line(error)}", reason="wrong")


def _status_of(error: Any) -> tuple[str, str]:
    """Return the status and the text of an error.  Over REST, they are inside the answer."""
    code = error.grpc_status_code
    name = code.name if code is not None else type(error).__name__
    try:
        answer = error.response.json()["error"]
        return str(answer.get("status", name)), str(answer["message"])
    except (AttributeError, KeyError, TypeError, ValueError):
        return name, error.message


def check_sum(data: bytes, checksum: int | None) -> None:
    """Raise MasterKeyError if data does not have Google's checksum, unless there is none."""
    import google_crc32c

    if checksum is not None and google_crc32c.value(data) != checksum:
        raise MasterKeyError(
            "the answer was damaged on its way from Google", reason="unreachable", hint="try again"
        )
