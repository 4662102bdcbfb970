"""Make botocore's sessions and clients with the settings of `Credentials`, not those of the process."""

from __future__ import annotations

import os
import re
from functools import partial

from encconf.identities.credentials import Credentials

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

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
    profiles = sdk.ProfileProviderBuilder(session, cache=cache, region_name=region)
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

    limit = credentials.call_limit
    config = Config(
        connect_timeout=limit / 4,
        read_timeout=limit * 3 / 4,
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
