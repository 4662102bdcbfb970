"""``awsssm:/PATH/NAME``: a parameter of AWS Systems Manager's Parameter Store (vals: ``ref+awsssm://…``).

``version`` is a version's number or a label.  SecureStrings are decrypted.  A parameter of another account
is named by its ARN.  In vals' form, the path has no leading slash, and ``#/FIELD`` is another parameter
below the path, unless ``mode=singleparam`` makes it a field of a parameter in JSON or YAML.  vals's
``recursive=true`` for deeper parameters is not needed here.  In encconf's own form, ``#FIELD`` is a field.

Region, profile, role and credentials are as for ``awssm:`` (see `encconf.sources.awssm`).

Permissions: ssm:GetParameter on the parameter, and kms:Decrypt if its key is not AWS's own; to write,
ssm:PutParameter.  It writes SecureStrings.  Limits and errors: as for ``awssm:``.
"""

from __future__ import annotations

import re

from encconf.errors import MasterKeyError, SourceError
from encconf.identities.credentials import Credentials
from encconf.sources import Uri, as_text, awssm, exists_error
from encconf.sources.awssm import probe as probe

QUERY = ("version", "region", "profile", "role_arn", "mode", "recursive")
_ARN = re.compile(r"arn:aws[A-Za-z0-9_-]*:ssm:[a-z0-9-]+:[0-9]+:parameter/.+", re.DOTALL)
_NAME = re.compile(r"[A-Za-z0-9_.\-/]{1,2048}")


def canonical(uri: Uri) -> Uri:
    """Return the address with the path's leading slash.  A field that is another parameter joins the path."""
    body, field = uri.body, uri.field
    if uri.vals and not body.startswith(("/", "arn:")):
        body = f"/{body}"
    mode = uri.query.get("mode")
    if mode not in (None, "singleparam"):
        raise SourceError("mode is singleparam, or is left out", hint="mode=singleparam")
    if uri.vals and field is not None and mode is None:
        # vals reads all parameters below the path and picks one.  It is enough to read this one.
        body, field = f"{body.rstrip('/')}/{field}", None
    query = {name: value for name, value in uri.query.items() if name not in ("mode", "recursive")}
    return Uri(uri.scheme, body, query, field)


def fetch(uri: Uri, credentials: Credentials) -> bytes:
    """Return the parameter's value.  The items of a StringList are separated by commas."""
    name = _name(uri)
    if version := uri.query.get("version"):
        name = f"{name}:{version}"
    question: dict[str, object] = {"Name": name, "WithDecryption": True}
    answer = awssm.ask("ssm", "get_parameter", question, uri, credentials, "ssm:GetParameter on it")
    try:
        value = answer["Parameter"]["Value"]
    except (LookupError, TypeError):
        value = None
    if not isinstance(value, str):
        raise SourceError("the answer is not from Parameter Store", reason="unreachable", hint="try again")
    return value.encode(errors="surrogatepass")


def store(uri: Uri, value: bytes, credentials: Credentials, *, replace: bool) -> None:
    """Write a SecureString."""
    text = as_text(value, "Parameter Store")
    name = _name(uri)
    question: dict[str, object] = {"Name": name, "Value": text, "Type": "SecureString", "Overwrite": replace}
    try:
        awssm.ask("ssm", "put_parameter", question, uri, credentials, "ssm:PutParameter on it")
    except MasterKeyError as error:
        if error.code == "ParameterAlreadyExists":
            raise exists_error() from None
        raise


def _name(uri: Uri) -> str:
    name = uri.path
    if not _ARN.fullmatch(name) and not _NAME.fullmatch(name):
        raise SourceError("this is not the name of a parameter", hint="awsssm:/app/db/password")
    return name
