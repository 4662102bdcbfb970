"""Options that say with what a file is opened: refused if they are of a wrong type."""

from __future__ import annotations

from encconf.shape.arguments import check_one

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def check_keys(*, credentials: Any = None, cache: Any = None, resolve: Any = False) -> None:
    """Refuse what `load_config` cannot use.  Raises WrongTypeError."""
    if credentials is not None:
        from encconf.identities.credentials import Credentials

        check_one("credentials", credentials, isinstance(credentials, Credentials), "Credentials")
    if cache is not None:
        from encconf.envelope.data_key import DataKeyCache

        check_one("cache", cache, isinstance(cache, DataKeyCache), "a DataKeyCache")
    if not isinstance(resolve, bool):
        from encconf.sources.references import Resolve

        check_one("resolve", resolve, isinstance(resolve, Resolve), "True, False or a Resolve")
