"""AWS KMS keys, by botocore (what boto3 is made of).

Behaviour of sops 3.13.2 (kms/keysource.go), with these differences: the profile and the role of
an entry are hints, which the environment outranks and which may be missing; and a role or a
profile that is refused does not hide the other ways to the key.  Nothing here reads ``os.environ``
but botocore, for proxies and for its own retry, FIPS and endpoint settings.
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
    from collections.abc import Iterator, Mapping
    from typing import Any

    from encconf.credentials import Credentials

# The region becomes part of a host name, so that it is held to what regions are made of.
_ARN = r"arn:aws[A-Za-z0-9_-]*:kms:([a-z0-9-]+):[0-9]+:(key|alias)/[\x21-\x7e]+"
_FORM = "arn:aws:kms:REGION:ACCOUNT:key/ID, or …:alias/NAME"
_MEMBERS = ("arn", "role", "context", "aws_profile")
_PARALLEL = 32  # calls at a time over one client

# Any of these means that the environment says whose credentials are used.
_CHOOSING = (
    *("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE"),
    *("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
)
_LONGEST_REASON = 400  # characters

# What AWS may not say, or says in its own words.
_MEANINGS = {
    "InvalidCiphertextException": "its enc was made by another key, or for another encryption context",
    "DisabledException": "the key is disabled",
    "IncorrectKeyException": "its enc was made by another key",
    "KMSInvalidStateException": "the key is disabled, or waits to be deleted",
    "NotFoundException": "there is no such key",
}


class AwsKmsKey:
    """One key of AWS KMS: its ARN, and how to get at it.

    In the configuration ``arn:aws:kms:REGION:ACCOUNT:key/ID`` (or ``:alias/NAME``), with
    ``+arn:aws:iam::ACCOUNT:role/NAME`` for a role to assume, ``|NAME:VALUE,…`` for the encryption
    context and ``|PROFILE``, or a mapping of ``arn``, ``role``, ``context`` and ``aws_profile``.
    A multi-Region key (``key/mrk-…``) is asked for in the region that its ARN names.

    Whose credentials: if ENCCONF_AWS_PROFILE is set, those of that profile and no others.  Else those
    of the environment if it names some (AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY and
    AWS_SESSION_TOKEN, AWS_PROFILE, AWS_WEB_IDENTITY_TOKEN_FILE with AWS_ROLE_ARN,
    AWS_CONTAINER_CREDENTIALS_…), then the entry's ``aws_profile`` if there is one of that name here,
    then the SDK's default chain (the default profile, SSO, the container, the instance).
    AWS_ROLE_ARN replaces the entry's ``role``.  The next in this order is tried when one is refused.

    Also read: AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE, AWS_CA_BUNDLE, AWS_ENDPOINT_URL_KMS,
    AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL, AWS_EC2_METADATA_DISABLED; and by the SDK itself, from
    the process: HTTPS_PROXY, NO_PROXY and what else it knows.

    Permissions: kms:Decrypt to open, kms:Encrypt to encrypt, on the key (for an alias, on the key that
    it names); sts:AssumeRole on the role.
    """

    TYPE = "kms"
    DATED = True
    __slots__ = ("arn", "context", "profile", "role")

    def __init__(
        self, arn: str, role: str = "", context: Mapping[str, str] | None = None, profile: str = ""
    ) -> None:
        self.arn = arn
        self.role = role
        self.context: dict[str, str] | None = dict(context or {})  # None: the entry's is not one
        self.profile = profile

    @property
    def name(self) -> str:
        """``ARN+ROLE|CONTEXT|PROFILE``, without what there is none of."""
        name = f"{self.arn}+{self.role}" if self.role else self.arn
        context = ",".join(f"{key}:{value}" for key, value in sorted((self.context or {}).items()))
        if self.profile:
            return f"{name}|{context}|{self.profile}"
        return f"{name}|{context}" if context else name

    @property
    def label(self) -> str:
        """The same: each part may be what is wrong."""
        return printable(self.name)

    def wrap(self, data_key: bytes, credentials: Credentials) -> str:
        """The ciphertext of KMS in base64 (standard alphabet, padded), as sops writes it.

        Raises BadKeyError for a malformed ARN, NotMyKeyError where there are no credentials, and
        MasterKeyError with the reason of AWS.
        """
        blob = self._ask("encrypt", "CiphertextBlob", credentials, Plaintext=data_key)
        return b2a_base64(blob, newline=False).decode("ascii")

    def unwrap(self, enc: str, credentials: Credentials) -> bytes:
        """Let KMS decrypt it, for exactly this key and encryption context.

        Raises NotMyKeyError where there are no credentials, and MasterKeyError for all else.
        """
        try:
            blob = a2b_base64(enc, strict_mode=True)
        except (Base64Error, ValueError):
            blob = b""
        if not blob:
            raise MasterKeyError("its enc is not base64")
        return self._ask("decrypt", "Plaintext", credentials, CiphertextBlob=blob)

    def _ask(self, operation: str, member: str, credentials: Credentials, **parameters: bytes) -> bytes:
        from time import monotonic

        failures = _botocore()
        region = _region(self.arn)
        if self.context is None:
            raise BadKeyError("the context of the key is not a mapping of texts")
        deadline = monotonic() + credentials.key_limit
        refused: list[tuple[_Way, MasterKeyError]] = []
        for way in self._ways(credentials, region):
            if refused and monotonic() > deadline:
                break
            try:
                answer = getattr(way.client(credentials), operation)(
                    KeyId=self.arn, EncryptionContext=self.context, **parameters
                )
            except failures as error:
                failure, final = _failure(error, way, credentials)
                refused.append((way, failure))
                if final:
                    break
            else:
                data: bytes = answer[member]
                return data
        raise _verdict(refused, credentials)

    def _ways(self, credentials: Credentials, region: str) -> Iterator[_Way]:
        """Whose credentials to use, and as which role, in the order of preference."""
        environ = credentials.environ
        profiles: list[str] = [environ.get("ENCCONF_AWS_PROFILE", "")]
        if self.profile and not profiles[0]:
            if not _exists(self.profile, credentials):
                credentials.say(
                    f"the AWS profile {printable(self.profile)[:80]} that the file names is not there: "
                    "the credentials of the environment, or the default ones, are used"
                )
            else:
                chosen = any(environ.get(name) for name in _CHOOSING)
                profiles = ["", self.profile] if chosen else [self.profile, ""]
        roles = [""]
        if self.role:
            other = environ.get("AWS_ROLE_ARN", "")
            if environ.get("AWS_WEB_IDENTITY_TOKEN_FILE"):
                # The credentials are those of AWS_ROLE_ARN already.
                roles = ["", self.role]
            else:
                roles = [*dict.fromkeys([other or self.role, self.role]), ""]
        for profile in profiles:
            for role in roles:
                yield _Way(profile, role, region)

    def to_entry(self) -> dict[str, object]:
        """``arn``, ``role`` and ``context`` if there are, and ``aws_profile``."""
        entry: dict[str, object] = {"arn": self.arn}
        if self.role:
            entry["role"] = self.role
        if self.context:
            entry["context"] = dict(sorted(self.context.items()))
        entry["aws_profile"] = self.profile
        return entry

    @classmethod
    def from_entry(cls, entry: Mapping[str, object]) -> AwsKmsKey:
        """Read an entry; the ARN is not checked before it is used."""
        key = cls(member(entry, "arn"), member(entry, "role"), None, member(entry, "aws_profile"))
        context = next((value for name, value in entry.items() if name.lower() == "context"), None)
        if isinstance(context, dict):
            key.context = {str(name): member(context, name) for name in context}
        elif context is not None:
            key.context = None
        return key

    @classmethod
    def from_config(cls, value: object) -> AwsKmsKey:
        """An ARN with what follows it, or a mapping; raises BadKeyError."""
        if isinstance(value, str):
            arn, _, rest = value.strip().partition("|")
            context, _, profile = rest.rpartition("|") if "|" in rest else (rest, "", "")
            value = {"arn": arn, "context": context, "aws_profile": profile}
        if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
            raise BadKeyError("an AWS KMS key is the text of its ARN", hint=_FORM)
        if foreign := [name for name in value if name not in _MEMBERS]:
            raise BadKeyError(
                f"an AWS KMS key has no {printable(foreign[0])[:80]}", hint=f"it has {', '.join(_MEMBERS)}"
            )
        texts = {name: _text(name, value.get(name)) for name in _MEMBERS if name != "context"}
        arn, role = "".join(texts["arn"].split()), "".join(texts["role"].split())
        if not role and (at := arn.find("+arn:")) > 0:
            arn, role = arn[:at], arn[at + 1 :]
        _region(arn)
        return cls(arn, role, _context(value.get("context")), texts["aws_profile"].strip())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AwsKmsKey) and self.name == other.name

    def __hash__(self) -> int:
        return hash((self.TYPE, self.name))

    def __repr__(self) -> str:
        return f"AwsKmsKey({self.name!r})"


def _region(arn: str) -> str:
    found = re.fullmatch(_ARN, arn)
    if found is None:
        raise BadKeyError(
            f"{printable(arn)[:120] or 'an empty text'} is not the ARN of an AWS KMS key",
            hint=_FORM,
        )
    return found[1]


def _text(name: str, value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadKeyError(f"the {name} of an AWS KMS key is not a text")
    return value


def _context(value: object) -> dict[str, str]:
    """An encryption context: a mapping of texts, or ``NAME:VALUE,NAME:VALUE``."""
    if not value:
        return {}
    if isinstance(value, str):
        pairs = [pair.split(":") for pair in value.split(",")]
        if not all(len(pair) == 2 and pair[0] for pair in pairs):
            raise BadKeyError(
                f"{printable(value)[:120]} is not an encryption context",
                hint="NAME:VALUE,NAME:VALUE; names and values with a colon or a comma go into a mapping",
            )
        return {pair[0]: pair[1] for pair in pairs}
    if isinstance(value, dict) and all(isinstance(text, str) for pair in value.items() for text in pair):
        return dict(value)
    raise BadKeyError("an encryption context is a mapping of texts")


# --- credentials -----------------------------------------------------------------------------


class _Way:
    """Whose credentials: a profile ("" for what the environment says), and a role ("" for none)."""

    __slots__ = ("profile", "region", "role")

    def __init__(self, profile: str, role: str, region: str) -> None:
        self.profile = profile
        self.role = role
        self.region = region

    def client(self, credentials: Credentials) -> Any:
        """The client of KMS, made when it is needed for the first time."""

        def make() -> Any:
            session = _session(credentials, self.profile, self.region)
            if self.role:
                session = _assumed(session, self.role, self.region, credentials)
            return _client(session, "kms", self.region, credentials)

        return credentials.client(("kms", self.profile, self.role, self.region), make)

    def __str__(self) -> str:
        named = f"the profile {printable(self.profile)[:80]}" if self.profile else "the default credentials"
        return f"{named} as {printable(self.role)[:200]}" if self.role else named


def _session(credentials: Credentials, profile: str, region: str) -> Any:
    """A session whose settings come from these credentials: ``profile``, or what their environment says."""
    from botocore.configprovider import ConstantProvider
    from botocore.credentials import CredentialResolver
    from botocore.session import Session

    session = Session()
    environ = credentials.environ
    store = session.get_component("config_store")
    settings = {
        "config_file": _file("AWS_CONFIG_FILE", "config", credentials),
        "credentials_file": _file("AWS_SHARED_CREDENTIALS_FILE", "credentials", credentials),
        "profile": profile or environ.get("AWS_PROFILE") or environ.get("AWS_DEFAULT_PROFILE") or None,
    }
    if bundle := environ.get("AWS_CA_BUNDLE"):
        settings["ca_bundle"] = bundle
    for name, value in settings.items():
        store.set_config_provider(name, ConstantProvider(value))
    # The models of the services are read once, and one-time codes asked for once.
    loader = credentials.client("botocore models", lambda: session.get_component("data_loader"))
    session.register_component("data_loader", loader)
    cache: dict[str, Any] = credentials.client("botocore roles", dict)
    sources = _sources(session, credentials, settings["profile"] or "default", not profile, region, cache)
    session.register_component("credential_provider", CredentialResolver(sources))
    return session


def _file(variable: str, name: str, credentials: Credentials) -> str:
    """A file of the SDKs; a path where nothing can be when there is no home."""
    return credentials.environ.get(variable) or os.path.join(credentials.home or os.devnull, ".aws", name)


def _sources(
    session: Any,
    credentials: Credentials,
    profile: str,
    environment: bool,
    region: str,
    cache: dict[str, Any],
) -> list[Any]:
    """The SDK's own chain of sources in its order, reading this environment and not the process's.

    As in the SDK, a profile that was asked for goes before the environment's own credentials.
    """
    from botocore import credentials as sdk
    from botocore.utils import InstanceMetadataFetcher, resolve_imds_endpoint_mode

    environ = credentials.environ

    def client(service: str, **options: Any) -> Any:
        options.setdefault("region_name", region)
        return _client(session, service, options.pop("region_name"), credentials, **options)

    def ask(question: str) -> str:
        if credentials.prompt is None:
            raise MasterKeyError("the AWS profile needs a one-time code, and there is no terminal to ask on")
        return credentials.prompt(question)

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
    profiles = sdk.ProfileProviderBuilder(session, cache=cache, region_name=region)
    chain = [
        sdk.AssumeRoleProvider(
            load_config=lambda: session.full_config,
            client_creator=client,
            cache=cache,
            profile_name=profile,
            prompter=ask,
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


def _assumed(session: Any, role: str, region: str, credentials: Credentials) -> Any:
    """A session with the credentials of a role, which are asked for when they are needed."""
    import socket

    from botocore import credentials as sdk
    from botocore.session import Session

    def client(service: str, **options: Any) -> Any:
        return _client(session, service, region, credentials, **options)

    class Role(sdk.CredentialProvider):  # type: ignore[misc]  # botocore has no types
        METHOD = "assume-role"

        def load(self) -> Any:
            source = session.get_credentials()
            if source is None:
                return None
            options = {"RoleSessionName": _session_name(socket.gethostname())}
            fetcher = sdk.AssumeRoleCredentialFetcher(client, source, role, extra_args=options)
            return sdk.DeferredRefreshableCredentials(fetcher.fetch_credentials, self.METHOD)

    assumed = Session()
    assumed.register_component("config_store", session.get_component("config_store"))
    assumed.register_component("data_loader", session.get_component("data_loader"))
    assumed.register_component("credential_provider", sdk.CredentialResolver([Role()]))
    return assumed


def _session_name(host: str) -> str:
    """``sops@HOST``, as sops has it; policies may name it.  Its character class has a range, ``@-_``."""
    return ("sops@" + re.sub(r"[^a-zA-Z0-9=,.@-_]+", "", host))[:64]


def _client(session: Any, service: str, region: str, credentials: Credentials, **options: Any) -> Any:
    from botocore.config import Config

    limit = credentials.call_limit
    config = Config(
        connect_timeout=limit / 4,
        read_timeout=limit * 3 / 4,
        retries={"mode": "standard", "total_max_attempts": 4},
        max_pool_connections=_PARALLEL,
    )
    environ = credentials.environ
    if environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() != "true":
        variable = f"AWS_ENDPOINT_URL_{service.upper().replace('-', '_')}"
        endpoint = environ.get(variable) or environ.get("AWS_ENDPOINT_URL")
        options["endpoint_url"] = endpoint or None
    given = options.pop("config", None)
    config = config if given is None else config.merge(given)
    return session.create_client(service, region_name=region, config=config, **options)


def _botocore() -> tuple[type[Exception], ...]:
    """What the SDK, which is there, may raise; else raises MissingExtraError."""
    try:
        import botocore.session  # noqa: F401  # all of it
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError
    except ImportError:
        raise MissingExtraError(
            "AWS KMS keys need the package boto3", hint="pip install 'encconf[aws]'"
        ) from None
    return BotoCoreError, ClientError, ResponseParserError, MasterKeyError, OSError, ValueError


def _exists(profile: str, credentials: Credentials) -> bool:
    """Whether ~/.aws has a profile; a damaged file is for the session to complain of."""

    def look() -> bool:
        try:
            return profile in _session(credentials, "", "us-east-1").available_profiles
        except _botocore():
            return True

    return credentials.client(("aws profile", profile), look)


# --- failures --------------------------------------------------------------------------------


def _failure(error: Exception, way: _Way, credentials: Credentials) -> tuple[MasterKeyError, bool]:
    """What to tell of an error, and whether other credentials would not help."""
    from botocore import exceptions as sdk
    from botocore.parsers import ResponseParserError

    if isinstance(error, MasterKeyError):
        return error, False
    if isinstance(error, ResponseParserError):  # its text is the answer
        return MasterKeyError(f"AWS in {way.region} gave an answer that cannot be read"), False
    if isinstance(error, sdk.NoCredentialsError):
        return NotMyKeyError("no AWS credentials"), False
    if isinstance(error, sdk.ClientError):
        return _refusal(error, way)
    if isinstance(error, (sdk.ConnectTimeoutError, sdk.ReadTimeoutError)):
        late = f"AWS in {way.region} did not answer within {credentials.call_limit:g} s"
        return MasterKeyError(late, hint="is the region up, and may this machine talk to it?"), True
    if isinstance(error, (sdk.ConnectionError, sdk.HTTPClientError)):
        return MasterKeyError(f"AWS in {way.region} cannot be reached: {_short(str(error))}"), True
    return MasterKeyError(f"{type(error).__name__}: {_short(str(error))}"), False


def _refusal(error: Any, way: _Way) -> tuple[MasterKeyError, bool]:
    said = error.response.get("Error", {})
    code = printable(str(said.get("Code") or "an error without a name"))[:100]
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    text = _short(str(said.get("Message") or ""))
    if code.isdigit():  # a page of something on the way, or an answer in another format
        inner = re.search(r"<Code>(\w+)</Code>", text)
        code, text = inner[1] if inner else f"HTTP {code}", ""
    if "Signature" in code:
        text = ""  # it repeats the request, signature included
    reason = f"{code}: {text or _MEANINGS.get(code, 'AWS gives no reason')}"
    if error.operation_name == "AssumeRole":
        return MasterKeyError(f"cannot assume the role {printable(way.role)[:200]}: {reason}"), False
    if "Expired" in code:
        return MasterKeyError(reason, hint="renew the credentials, by aws sso login for example"), False
    if "AccessDenied" in code or "NotAuthorized" in code:
        needs = f"it takes kms:{error.operation_name} on the key, in the policy of the key or of the identity"
        return MasterKeyError(reason, hint=needs), False
    unknown = status in (401, 403) or code.startswith(("UnrecognizedClient", "InvalidClientToken"))
    return MasterKeyError(reason), not unknown


def _verdict(refused: list[tuple[_Way, MasterKeyError]], credentials: Credentials) -> MasterKeyError:
    """One error for all ways that were tried."""
    failed = [(way, error) for way, error in refused if not isinstance(error, NotMyKeyError)]
    if not failed:
        return NotMyKeyError(f"no AWS credentials\nlooked in: {_places(credentials)}")
    first = failed[0][1]
    if len(failed) == 1:
        return first
    reasons = [f"{error.message} (with {way})" for way, error in failed]
    return MasterKeyError("\n".join(reasons), hint=first.hint)


def _places(credentials: Credentials) -> str:
    environ = credentials.environ
    notes = []
    for name in ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_PROFILE"):
        notes.append(f"{name} ({'set' if environ.get(name) else 'unset'})")
    for variable, name in (("AWS_SHARED_CREDENTIALS_FILE", "credentials"), ("AWS_CONFIG_FILE", "config")):
        path = _file(variable, name, credentials)
        shown = f"{variable}={path}" if environ.get(variable) else f"~/.aws/{name}"
        notes.append(f"{printable(shown)} ({'nothing fitting' if os.path.exists(path) else 'not there'})")
    off = environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true"
    notes.append(f"the instance's metadata ({'switched off' if off else 'no answer'})")
    return ", ".join(notes)


def _short(text: str) -> str:
    text = printable(" ".join(text.split()))
    return text if len(text) <= _LONGEST_REASON else text[: _LONGEST_REASON - 1] + "…"
