"""AWS, with botocore (which boto3 is built on): credentials, clients, and why a call failed.

If ENCCONF_AWS_PROFILE is set, only the credentials of that profile are used.  Otherwise these are tried in
order, until one is not refused: those of the environment if it names any (AWS_ACCESS_KEY_ID with
AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, AWS_PROFILE, AWS_WEB_IDENTITY_TOKEN_FILE with AWS_ROLE_ARN,
AWS_CONTAINER_CREDENTIALS_…), the profile that the caller names if this machine has it, and the SDK's default
chain (the default profile, SSO, the container, the instance).  AWS_ROLE_ARN is tried before the role that the
caller names.

These variables are read, too: AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE, AWS_CA_BUNDLE,
AWS_ENDPOINT_URL_… of a service, AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL, AWS_EC2_METADATA_DISABLED.  The SDK
itself reads HTTPS_PROXY, NO_PROXY and others from the process's environment.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial

from encconf.errors import MasterKeyError, NotMyKeyError
from encconf.identities.credentials import Credentials
from encconf.io import programs
from encconf.providers import ODD_ANSWER, late, needing, one_line, timeouts, unheard, within
from encconf.providers.https import reason_of
from encconf.record import Record
from encconf.text.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


# The SDK's loggers that log bodies of requests and answers, and session tokens.
_TALKATIVE = tuple(f"botocore.{name}" for name in ("auth", "endpoint", "parsers"))

# Each of these means that the environment chooses the credentials.
_CHOOSING = (
    *("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE"),
    *("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
)
_LOGIN = "log in with aws sso login, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
_RENEW = "renew the credentials, for example with aws sso login"
_SLOW = "check that the region is available and that this machine can reach it"
# The reasons of `encconf.errors.UnavailableError` for AWS's errors.  The first that matches is used.
_REASONS = (
    ("Expired", "expired"),
    ("NotFound", "missing"),
    ("InvalidRequestException", "missing"),  # Secrets Manager: the secret is marked for deletion
    ("AccessDenied", "denied"),
    ("NotAuthorized", "denied"),
    ("UnrecognizedClient", "denied"),
    ("InvalidClientToken", "denied"),
    ("InvalidSignature", "denied"),
    ("SignatureDoesNotMatch", "denied"),
    ("DecryptionFailure", "denied"),
    ("Throttl", "unreachable"),
    ("InternalS", "unreachable"),
    ("ServiceUnavailable", "unreachable"),
)


class Way(Record):
    """One choice of credentials: a profile ("" for the environment's), and a role ("" for none)."""

    profile: str
    role: str
    region: str

    def client(self, service: str, credentials: Credentials) -> Any:
        """Return the client of a service.  It is made when it is first needed."""

        def make() -> Any:
            session = new_session(credentials, self.profile, self.region)
            if self.role:
                session = assumed_session(session, self.role, self.region, credentials)
            return new_client(session, service, self.region, credentials)

        return credentials.client((service, self.profile, self.role, self.region), make)

    def __str__(self) -> str:
        named = f"the profile {printable(self.profile)[:80]}" if self.profile else "the default credentials"
        return f"{named} as {printable(self.role)[:200]}" if self.role else named


def ways(profile: str, role: str, region: str, credentials: Credentials) -> Iterator[Way]:
    """Yield the choices of credentials, in the order of preference."""
    environ = credentials.environ
    profiles: list[str] = [environ.get("ENCCONF_AWS_PROFILE", "")]
    if profile and not profiles[0]:
        if not _exists(profile, credentials):
            credentials.say(
                f"the AWS profile {printable(profile)[:80]} that the file names does not exist: "
                "using the credentials of the environment, or the default ones"
            )
        else:
            chosen = any(environ.get(name) for name in _CHOOSING)
            profiles = ["", profile] if chosen else [profile, ""]
    roles = [""]
    if role:
        other = environ.get("AWS_ROLE_ARN", "")
        if environ.get("AWS_WEB_IDENTITY_TOKEN_FILE"):
            # The credentials are already those of AWS_ROLE_ARN.
            roles = ["", role]
        else:
            roles = [*dict.fromkeys([other or role, role]), ""]
    for name in profiles:
        for arn in roles:
            yield Way(name, arn, region)


def ask(
    service: str,
    operation: str,
    parameters: Mapping[str, object],
    tried: Iterable[Way],
    credentials: Credentials,
    *,
    needs: str,
    meanings: Mapping[str, str] = {},
) -> dict[str, Any]:
    """Return the answer to an operation (a method of botocore), with the first way that is not refused.

    ``needs`` is the permission that the hint of a refusal names.  ``meanings`` are texts for errors to which
    AWS gives no text, by name.  Raises NotMyKeyError if there are no credentials, MasterKeyError with AWS's
    reason, and MissingExtraError.
    """
    excepted: tuple[type[Exception], ...] = (*failures(), *ODD_ANSWER)
    chosen = list(tried)

    def first() -> dict[str, Any]:
        refused: list[tuple[Way, MasterKeyError]] = []
        for way in chosen:
            try:
                with unheard(*_TALKATIVE):
                    call = getattr(way.client(service, credentials), operation)
                    answer: dict[str, Any] = call(**parameters)
            except excepted as error:
                failure = _failure(error, way, credentials, needs, meanings)
                refused.append((way, failure))
                refusal = failure.reason in ("denied", "expired")
                if failure.reason in ("slow", "unreachable") or (failure.code and not refusal):
                    break  # other credentials would not help
            else:
                return answer
        raise _combined(refused, credentials)

    # The SDK limits each wait, but not the whole call with its retries, roles and slow answers.
    return within(f"AWS in {chosen[0].region}", credentials.key_limit, first, _SLOW)


def home_region(credentials: Credentials, profile: str = "") -> str | None:
    """Return the region that AWS_REGION, AWS_DEFAULT_REGION or the profile names, or None."""
    failures()
    environ = credentials.environ
    named = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    if named:
        return named
    profile = environ.get("ENCCONF_AWS_PROFILE") or profile

    def look() -> str | None:
        try:
            found: str | None = new_session(credentials, profile, "us-east-1").get_config_variable("region")
        except failures():
            return None
        return found

    return credentials.client(("aws region", profile), look)


def failures() -> tuple[type[Exception], ...]:
    """Return the errors that the SDK may raise.  Raises MissingExtraError if the SDK is not installed."""
    with needing("AWS", "aws", "boto3"):
        import botocore.session  # noqa: F401  # other functions import it later
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError
    return BotoCoreError, ClientError, ResponseParserError, MasterKeyError, OSError, ValueError


def _exists(profile: str, credentials: Credentials) -> bool:
    """Whether ~/.aws has a profile.  True for a damaged file: the session reports it later."""

    def look() -> bool:
        try:
            return profile in new_session(credentials, "", "us-east-1").available_profiles
        except failures():
            return True

    return credentials.client(("aws profile", profile), look)


def _failure(
    error: Exception, way: Way, credentials: Credentials, needs: str, meanings: Mapping[str, str]
) -> MasterKeyError:
    """Return the error to raise.  If AWS gave it for another reason than the credentials, it has a code."""
    from botocore import exceptions as sdk
    from botocore.parsers import ResponseParserError

    if isinstance(error, MasterKeyError):
        return error
    server, said = f"AWS in {way.region}", one_line(error)
    if isinstance(error, (ResponseParserError, *ODD_ANSWER)):  # its text may quote the answer
        return MasterKeyError(f"{server} returned an answer that cannot be read")
    if isinstance(error, sdk.NoCredentialsError):
        return NotMyKeyError("no AWS credentials", hint=_LOGIN)
    if isinstance(error, sdk.ClientError):
        return _refusal(error, way, needs, meanings)
    connect, answer = timeouts(credentials)
    if isinstance(error, (sdk.ConnectTimeoutError, sdk.ReadTimeoutError)):
        waited = connect if isinstance(error, sdk.ConnectTimeoutError) else answer
        return late(server, waited, _SLOW)
    if isinstance(error, (sdk.ConnectionError, sdk.HTTPClientError)):
        return MasterKeyError(f"{server} cannot be reached: {said}", reason="unreachable")
    if isinstance(error, (sdk.TokenRetrievalError, sdk.SSOTokenLoadError)):
        return MasterKeyError(f"{type(error).__name__}: {said}", reason="expired", hint=_RENEW)
    hint = "correct the name of the profile; aws configure list-profiles shows them"
    is_profile = isinstance(error, sdk.ProfileNotFound)
    return MasterKeyError(
        f"{type(error).__name__}: {said}", reason="wrong", hint=hint if is_profile else None
    )


def _refusal(error: Any, way: Way, needs: str, meanings: Mapping[str, str]) -> MasterKeyError:
    said = error.response.get("Error", {})
    code = printable(str(said.get("Code") or "an unnamed error"))[:100]
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    text = one_line(said.get("Message") or "")
    if code.isdigit():  # a proxy's page, or an answer in another format
        inner = re.search(r"<Code>(\w+)</Code>", text)
        code, text = inner[1] if inner else f"HTTP {code}", ""
    if "Signature" in code:
        text = ""  # the text quotes the request with its signature
    reason = next((word for part, word in _REASONS if part in code), "")
    if not reason and isinstance(status, int):
        reason = reason_of(status, {401: "denied", 403: "denied"})
    detail = f"{code}: {text or meanings.get(code, 'AWS gives no reason')}"
    if error.operation_name == "AssumeRole":
        message = f"cannot assume the role {printable(way.role)[:200]}: {detail}"
        return MasterKeyError(message, reason="denied")
    hint = _RENEW if reason == "expired" else None
    if any(part in code for part in ("UnrecognizedClient", "InvalidClientToken", "Signature")):
        hint = _LOGIN
    if "AccessDenied" in code or "NotAuthorized" in code:
        hint = f"you need {needs}"
    return MasterKeyError(detail, reason=reason, hint=hint, code=code)


def _combined(refused: list[tuple[Way, MasterKeyError]], credentials: Credentials) -> MasterKeyError:
    """Return one error for all ways that were tried."""
    serious = [(way, error) for way, error in refused if not isinstance(error, NotMyKeyError)]
    if not serious:
        return NotMyKeyError(f"no AWS credentials\nlooked in: {_places(credentials)}", hint=_LOGIN)
    first = serious[0][1]
    if len(serious) == 1:
        return first
    reasons = [f"{error.message} (with {way})" for way, error in serious]
    return MasterKeyError("\n".join(reasons), reason=first.reason, hint=first.hint, code=first.code)


def _places(credentials: Credentials) -> str:
    environ = credentials.environ
    notes = []
    for name in ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_PROFILE"):
        notes.append(f"{name} ({'set' if environ.get(name) else 'unset'})")
    for variable, name in (("AWS_SHARED_CREDENTIALS_FILE", "credentials"), ("AWS_CONFIG_FILE", "config")):
        path = file_of(variable, name, credentials)
        shown = f"{variable}={path}" if environ.get(variable) else f"~/.aws/{name}"
        notes.append(f"{printable(shown)} ({'nothing fitting' if os.path.exists(path) else 'not there'})")
    off = environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true"
    notes.append(f"the instance's metadata ({'switched off' if off else 'no answer'})")
    return ", ".join(notes)


# --- sessions and clients with the settings of Credentials, not those of the process --------------

_PARALLEL = 32  # how many calls one client makes at a time
_loaders: dict[str | None, Any] = {}  # by the process's AWS_DATA_PATH
_NAMES = {"secretsmanager": "secrets_manager"}  # services that have another name in variables


def new_session(credentials: Credentials, profile: str, region: str) -> Any:
    """Return a session with the settings of these credentials: of ``profile``, or of their environment."""
    from botocore.configprovider import ConstantProvider
    from botocore.credentials import CredentialResolver
    from botocore.session import Session

    session = Session()
    environ = credentials.environ
    store = session.get_component("config_store")
    settings = {
        "config_file": file_of("AWS_CONFIG_FILE", "config", credentials),
        "credentials_file": file_of("AWS_SHARED_CREDENTIALS_FILE", "credentials", credentials),
        "profile": profile or environ.get("AWS_PROFILE") or environ.get("AWS_DEFAULT_PROFILE") or None,
    }
    if bundle := environ.get("AWS_CA_BUNDLE"):
        settings["ca_bundle"] = bundle
    for name, value in settings.items():
        store.set_config_provider(name, ConstantProvider(value))
    # The services' models are large, so read them once.  The cache is shared to ask once for one-time codes.
    loader = _loaders.setdefault(
        session.get_config_variable("data_path"), session.get_component("data_loader")
    )
    session.register_component("data_loader", loader)
    cache: dict[str, Any] = credentials.client("botocore roles", dict)
    sources = _sources(session, credentials, settings["profile"] or "default", not profile, region, cache)
    session.register_component("credential_provider", CredentialResolver(sources))
    return session


def file_of(variable: str, name: str, credentials: Credentials) -> str:
    """Return the path of a file of the SDKs.  Without a home folder, it is one that cannot exist."""
    return credentials.environ.get(variable) or os.path.join(credentials.home or os.devnull, ".aws", name)


def _sources(
    session: Any,
    credentials: Credentials,
    profile: str,
    environment: bool,
    region: str,
    cache: dict[str, Any],
) -> list[Any]:
    """Return the SDK's own sources of credentials in its order, but with this environment.

    As in the SDK, a profile that the caller names comes before the environment's own credentials.
    """
    from botocore import credentials as sdk
    from botocore.utils import InstanceMetadataFetcher, resolve_imds_endpoint_mode

    environ = credentials.environ

    client = partial(new_client, session, region=region, credentials=credentials)

    variables = sdk.EnvProvider(environ)
    container = sdk.ContainerProvider(environ)
    settings = {
        name: session.get_config_variable(name)
        for name in ("ec2_metadata_service_endpoint", "ec2_metadata_v1_disabled")
    }
    machine = sdk.InstanceMetadataProvider(
        InstanceMetadataFetcher(
            timeout=session.get_config_variable("metadata_service_timeout"),
            num_attempts=session.get_config_variable("metadata_service_num_attempts"),
            user_agent=session.user_agent(),
            env=dict(environ),
            config={**settings, "ec2_metadata_service_endpoint_mode": resolve_imds_endpoint_mode(session)},
        )
    )

    class Profiles(sdk.ProfileProviderBuilder):  # type: ignore[misc]  # botocore has no types
        def _create_process_provider(self, profile_name: str) -> Any:
            popen = partial(_start, environ=environ)
            return sdk.ProcessProvider(profile_name, lambda: session.full_config, popen=popen)

    profiles = Profiles(session, cache=cache, region_name=region)
    chain = [
        sdk.AssumeRoleProvider(
            load_config=lambda: session.full_config,
            client_creator=client,
            cache=cache,
            profile_name=profile,
            prompter=partial(credentials.ask, needs="the AWS profile needs a one-time code"),
            credential_sourcer=sdk.CanonicalNameCredentialSourcer([variables, container, machine]),
            profile_provider_builder=profiles,
        ),
        *profiles.providers(profile_name=profile, disable_env_vars=True),
        container,
        machine,
    ]
    if not environment:
        return chain
    if environ.get("AWS_WEB_IDENTITY_TOKEN_FILE"):
        names = ("web_identity_token_file", "role_arn", "role_session_name")
        identity = {name: text for name in names if (text := environ.get(f"AWS_{name.upper()}"))}
        chain.insert(
            1,
            sdk.AssumeRoleWithWebIdentityProvider(
                load_config=lambda: {"profiles": {profile: identity}},
                client_creator=client,
                profile_name=profile,
                cache=cache,
                disable_env_vars=True,
            ),
        )
    return [variables, *chain]


def _start(words: Sequence[str], *, environ: Mapping[str, str], **options: Any) -> Any:
    """Start the ``credential_process`` of a profile, as encconf starts programs.  Raises MasterKeyError."""
    try:
        return programs.start(words, environ, **options)
    except FileNotFoundError:
        message, hint = programs.missing(words[0], environ)
        raise MasterKeyError(printable(message), reason="unusable", hint=printable(hint)) from None


def assumed_session(session: Any, role: str, region: str, credentials: Credentials) -> Any:
    """Return a session with the credentials of a role.  They are fetched when they are needed."""
    import socket

    from botocore import credentials as sdk
    from botocore.session import Session

    client = partial(new_client, session, region=region, credentials=credentials)

    class Role(sdk.CredentialProvider):  # type: ignore[misc]  # botocore has no types
        METHOD = "assume-role"

        def load(self) -> Any:
            source = session.get_credentials()
            if source is None:
                return None
            options = {"RoleSessionName": session_name(socket.gethostname())}
            fetcher = sdk.AssumeRoleCredentialFetcher(client, source, role, extra_args=options)
            return sdk.DeferredRefreshableCredentials(fetcher.fetch_credentials, self.METHOD)

    assumed = Session()
    assumed.register_component("config_store", session.get_component("config_store"))
    assumed.register_component("data_loader", session.get_component("data_loader"))
    assumed.register_component("credential_provider", sdk.CredentialResolver([Role()]))
    return assumed


def session_name(host: str) -> str:
    """Return ``sops@HOST``, as sops does, since policies may name it.  Like sops, keep the range ``@-_``."""
    return ("sops@" + re.sub(r"[^a-zA-Z0-9=,.@-_]+", "", host))[:64]


def new_client(session: Any, service: str, region: str, credentials: Credentials, **options: Any) -> Any:
    """Return a client of a service, with our time limits and the environment's endpoints."""
    from botocore.config import Config

    connect, answer = timeouts(credentials)
    config = Config(
        connect_timeout=connect,
        read_timeout=answer,
        retries={"mode": "standard", "total_max_attempts": 4},
        max_pool_connections=_PARALLEL,
    )
    environ = credentials.environ
    if environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() != "true":
        variable = f"AWS_ENDPOINT_URL_{_NAMES.get(service, service).upper()}"
        endpoint = environ.get(variable) or environ.get("AWS_ENDPOINT_URL")
        options["endpoint_url"] = endpoint or None
    given = options.pop("config", None)
    config = config if given is None else config.merge(given)
    return session.create_client(service, config=config, **{"region_name": region, **options})
