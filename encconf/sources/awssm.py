"""``awssm:NAME``: a secret of AWS Secrets Manager, by its name or ARN (vals: ``ref+awssecrets://…``).

``version`` is a version's id, or a stage such as AWSPREVIOUS (vals: ``version_id``, ``version_stage``).
By default, it is the current version.  Text is returned as UTF-8, and binary secrets as they are.

The region is ``region``, else the one in the ARN, else AWS_REGION or AWS_DEFAULT_REGION, else the profile's.
``profile`` and ``role_arn`` are hints, which the environment overrides.  `encconf.providers.aws` says whose
credentials are used.  On a machine of AWS, they are the machine's own.

Permissions: secretsmanager:GetSecretValue on the secret, and kms:Decrypt if it has a key of its own; to
write, secretsmanager:CreateSecret and PutSecretValue.  Limits: ``Credentials.call_limit`` for each of at most
four requests, ``Credentials.key_limit`` in all.  Errors: missing (also: marked for deletion), denied, expired
(the session's credentials), unreachable (also: throttled), slow, wrong, unusable (no credentials, no
region, no boto3).
"""

from __future__ import annotations

import re

from encconf.errors import MasterKeyError, SourceError
from encconf.identities.credentials import Credentials
from encconf.providers import aws
from encconf.sources import Probe, Uri, exists_error, machine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

QUERY = ("version", "version_id", "version_stage", "region", "profile", "role_arn")
_ARN = re.compile(r"arn:aws[A-Za-z0-9_-]*:secretsmanager:[a-z0-9-]+:[0-9]+:secret:.+", re.DOTALL)
_ID = re.compile(r"[0-9A-Fa-f]{8}-[0-9A-Fa-f-]{23,55}")
_REGION = re.compile(r"[a-z0-9-]{1,40}")
# Texts for errors that have none.
_MEANINGS = {"ResourceNotFoundException": "the secret or version does not exist"}


def fetch(uri: Uri, credentials: Credentials) -> bytes:
    """Return the secret's text or bytes."""
    question: dict[str, object] = {"SecretId": _name(uri)}
    version = uri.query.get("version_id") or uri.query.get("version")
    stage = uri.query.get("version_stage")
    if version and not _ID.fullmatch(version):
        version, stage = None, version
    if version:
        question["VersionId"] = version
    if stage:
        question["VersionStage"] = stage
    needs = "secretsmanager:GetSecretValue on the secret"
    answer = ask("secretsmanager", "get_secret_value", question, uri, credentials, needs)
    text, data = answer.get("SecretString"), answer.get("SecretBinary")
    if isinstance(text, str):
        return text.encode(errors="surrogatepass")
    if isinstance(data, bytes):
        return data
    raise SourceError("the answer is not from Secrets Manager", reason="unreachable", hint="try again")


def store(uri: Uri, value: bytes, credentials: Credentials, *, replace: bool) -> None:
    """Create the secret, or add a version."""
    name = _name(uri)
    content: dict[str, object]
    try:
        content = {"SecretString": value.decode()}
    except UnicodeDecodeError:
        content = {"SecretBinary": value}
    if replace:
        try:
            needs = "secretsmanager:PutSecretValue on the secret"
            question: dict[str, object] = {"SecretId": name, **content}
            ask("secretsmanager", "put_secret_value", question, uri, credentials, needs)
            return
        except MasterKeyError as error:
            if error.reason != "missing" or _ARN.fullmatch(name):
                raise
    try:
        needs = "secretsmanager:CreateSecret"
        ask("secretsmanager", "create_secret", {"Name": name, **content}, uri, credentials, needs)
    except MasterKeyError as error:
        if error.code == "ResourceExistsException":
            raise exists_error() from None
        raise


def _name(uri: Uri) -> str:
    # In vals's examples, ARNs have a slash at their end.
    name = uri.path.rstrip("/") if uri.path.startswith("arn:") else uri.path
    if name.startswith("arn:") and not _ARN.fullmatch(name):
        raise SourceError(
            "this is not the ARN of a secret", hint="arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME-RANDOM"
        )
    return name


def ask(
    service: str, operation: str, question: dict[str, object], uri: Uri, credentials: Credentials, needs: str
) -> dict[str, Any]:
    """Ask an AWS service, in the region and with the login of an address.  Raises MasterKeyError."""
    profile = uri.query.get("profile", "")
    arn = re.match("arn:[^:]*:[^:]*:([^:]+):", uri.path)
    region = uri.query.get("region") or (arn and arn[1]) or aws.home_region(credentials, profile)
    if not region:
        hint = "set AWS_REGION, or add the region to the address"
        raise SourceError(f"no AWS region is set for {service}", reason="unusable", hint=hint)
    if not _REGION.fullmatch(region):  # the name becomes part of a host name
        raise SourceError("this is not the name of a region", hint="?region=eu-central-1")
    tried = aws.ways(profile, uri.query.get("role_arn", ""), region, credentials)
    return aws.ask(service, operation, question, tried, credentials, needs=needs, meanings=_MEANINGS)


def probe(credentials: Credentials) -> Probe:
    """Ask AWS whose credentials they are."""
    environ = dict(credentials.environ)
    if machine() != "aws":
        environ["AWS_EC2_METADATA_DISABLED"] = "true"
    hasty = credentials.moved(environ, timeout=credentials.timeout)
    region = aws.home_region(hasty)
    ways = aws.ways("", "", region or "us-east-1", hasty)
    answer = aws.ask("sts", "get_caller_identity", {}, ways, hasty, needs="sts:GetCallerIdentity")
    missing = [] if region else ["a region (AWS_REGION), unless addresses name it"]
    return Probe(True, str(answer.get("Arn", "")), missing, note=f"region {region}" if region else "")
