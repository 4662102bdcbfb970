"""A source of somebody else's: files of one folder, TOY_FOLDER."""

from __future__ import annotations

from pathlib import Path

from encconf.errors import SourceError
from encconf.identities.credentials import Credentials
from encconf.sources import Probe, Uri

QUERY = ()


def fetch(uri: Uri, credentials: Credentials) -> bytes:
    try:
        return (_folder(credentials) / uri.path).read_bytes()
    except FileNotFoundError:
        raise SourceError("there is no such toy", reason="missing", hint="look into TOY_FOLDER") from None


def probe(credentials: Credentials) -> Probe:
    return Probe(True, str(_folder(credentials)))


def _folder(credentials: Credentials) -> Path:
    folder = credentials.environ.get("TOY_FOLDER")
    if folder is None:
        raise SourceError("TOY_FOLDER is unset", reason="unusable", hint="set it")
    return Path(folder)
