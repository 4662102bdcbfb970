"""What the key types that are reached over HTTPS share: where a token may go, and why a call failed.

Addresses come from files, which are not trusted.  They are compared by origin (scheme, host, port)
and never by prefix, as sops 3.13.2 does (``https://good`` is one of ``https://good@evil``).
"""

from __future__ import annotations

import re

from encconf.credentials import printable
from encconf.errors import MasterKeyError, MissingExtraError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from encconf.credentials import Credentials

# No user, no path, nothing that two parsers could read in two ways.  ASCII: else "K" (Kelvin) is a "k".
_ORIGIN = re.compile(
    r"(https?)://(\[[0-9a-f:.]+\]|[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?)(?::([0-9]{1,5}))?/?",
    re.IGNORECASE | re.ASCII,
)
_DEFAULT_PORTS = {"http": 80, "https": 443}


def origin(address: str) -> str | None:
    """``https://host[:port]``, lower case and without a default port; None for all but a plain address."""
    match = _ORIGIN.fullmatch(address)
    if match is None:
        return None
    scheme, host = match[1].lower(), match[2].lower()
    port = int(match[3] or _DEFAULT_PORTS[scheme])
    if not 0 < port < 65536:
        return None
    return f"{scheme}://{host}" if port == _DEFAULT_PORTS[scheme] else f"{scheme}://{host}:{port}"


def permitted(environ: Mapping[str, str], variable: str) -> frozenset[str] | None:
    """The origins that an allow-list names: ``all`` (None), ``none``, or addresses with commas between.

    Raises MasterKeyError when one of them is no address; a list that is only half understood
    would be worse than none.
    """
    setting = environ.get(variable, "").strip()
    if setting == "all":
        return None
    if setting in ("", "none"):
        return frozenset()
    origins = [origin(entry.strip()) for entry in setting.split(",")]
    for number, found in enumerate(origins, 1):
        if found is None:
            raise MasterKeyError(
                f"entry {number} of {variable} is not an address",
                hint=f"{variable} is all, none, or a list such as https://vault.example.com:8200",
            )
    return frozenset(found for found in origins if found)


def timeouts(credentials: Credentials) -> tuple[float, float]:
    """Seconds to connect and seconds to wait for an answer; together the limit of one call."""
    return credentials.call_limit / 4, credentials.call_limit * 3 / 4


def cause(error: BaseException) -> str:
    """Why the network failed, in the system's words: "Connection refused"; "" when it is not known."""
    found = ""
    seen: BaseException | None = error
    for _ in range(20):  # a chain can be a circle
        if seen is None:
            break
        text = getattr(seen, "verify_message", None) or getattr(seen, "strerror", None)
        told = isinstance(seen, OSError) or type(seen).__name__ == "CertificateError"  # urllib3's
        if text is None and told and len(seen.args) == 1:
            text = seen.args[0]  # "Tunnel connection failed: 403 Forbidden"
        if isinstance(text, str) and text:
            found = text
        seen = _within(seen)
    return one_line(found)


def _within(error: BaseException) -> BaseException | None:
    """The error that this one wraps: Python's way, azure-core's, urllib3's and requests'."""
    ways = (
        *(error.__cause__, error.__context__),
        *(getattr(error, "inner_exception", None), getattr(error, "reason", None), *error.args[:1]),
    )
    return next((inner for inner in ways if isinstance(inner, BaseException)), None)


def one_line(text: object) -> str:
    """What a server said, fit for a report: its first 300 characters, on one line, printable."""
    return printable(" ".join(str(text).split()))[:300]


def missing(service: str, error: ImportError, extra: str) -> MissingExtraError:
    """The error for a package that is not there, or only in part."""
    package = (error.name or extra).partition(".")[0]
    return MissingExtraError(
        f"{service} keys need the package {package}", hint=f"pip install 'encconf[{extra}]'"
    )
