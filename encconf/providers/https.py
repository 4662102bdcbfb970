"""Calls over HTTPS: where a token may go, connections, and why a call failed.

Addresses come from files, which are not trusted.  They are compared by origin (scheme, host, port), not by
prefix as in sops 3.13.3 (``https://good`` is a prefix of ``https://good@evil``).
"""

from __future__ import annotations

import re

from encconf.errors import MasterKeyError
from encconf.providers import late, one_line, timeouts, within
from encconf.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from encconf.identities.credentials import Credentials

# An address without user and path, and without anything that two parsers could read differently.
# Without re.ASCII, "K" (Kelvin) would match "k".
_ORIGIN = re.compile(
    r"(https?)://(\[[0-9a-f:.]+\]|[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?)(?::([0-9]{1,5}))?/?",
    re.IGNORECASE | re.ASCII,
)
ANSWER_LIMIT = 1 << 21
"""The longest answer that is read, in bytes (2 MiB).  A secret may have 1 MiB."""
RETRIES = 2
"""How often a call is repeated if the server asks to try later.  Three calls of 20 s stay below 75 s."""
_SLOW = "check that the server is up and not overloaded"
_LATER = (412, 429, 500, 502, 503, 504)
_DEFAULT_PORTS = {"http": 80, "https": 443}


def origin(address: str) -> str | None:
    """Return ``https://host[:port]`` in lower case, without a default port, or None if it is not plain."""
    match = _ORIGIN.fullmatch(address)
    if match is None:
        return None
    scheme, host = match[1].lower(), match[2].lower()
    port = int(match[3] or _DEFAULT_PORTS[scheme])
    if not 0 < port < 65536:
        return None
    return f"{scheme}://{host}" if port == _DEFAULT_PORTS[scheme] else f"{scheme}://{host}:{port}"


def origin_and_path(address: str) -> tuple[str, str] | None:
    """Return the origin of an address and its path ("" or ``/…``), or None if it is not plain."""
    scheme, _, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    server = origin(f"{scheme}://{host}")
    if server is None or not path.isprintable() or any(sign in path for sign in "?#%\\"):
        return None
    return server, slash + path


def is_path(steps: Iterable[str]) -> bool:
    """Whether these can be the steps of a path: each is printable, not empty and does not lead upwards."""
    return all(step not in ("", ".", "..") and step.isprintable() for step in steps)


def permitted(environ: Mapping[str, str], variable: str) -> frozenset[str] | None:
    """Return the origins of an allow-list: addresses separated by commas, ``none``, or ``all`` (None).

    Raises MasterKeyError if an entry is not an address: to ignore it could be worse than to have no list.
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


def check_permitted(server: str, environ: Mapping[str, str], variable: str, what: str, own: str) -> None:
    """Raise MasterKeyError unless an allow-list has a server.  ``what`` is only for ``own`` and these."""
    places = permitted(environ, variable)
    if places is not None and server not in places:
        raise MasterKeyError(
            f"encconf sends {what} only to {own} and the servers in {variable}, not to {server}",
            reason="denied",
            hint=f"if you trust this server: export {variable}={server}",
        )


class Trust(Record):
    """The certificates for connections to a server.

    ``verify`` names the authorities of the server's certificate, or ``pem`` is the text of some.
    ``certificate`` has the files with the client's certificate and its key.  ``variable`` names the setting
    of the authorities, and ``own`` that of the client's certificate.
    """

    verify: str | bool
    variable: str
    pem: str = ""
    server_name: str | None = None
    certificate: tuple[str, str] | None = None
    own: str = ""


class Server:
    """Connections to the server at one address, with requests.

    After an answer with a status in ``later``, a call is repeated within 2 s.  An answer longer than
    `ANSWER_LIMIT` is replaced by an empty one.  Redirects are refused, with the hint ``moved``.
    """

    def __init__(
        self,
        name: str,
        credentials: Credentials,
        trust: Trust,
        *,
        moved: str,
        later: tuple[int, ...] = _LATER,
    ) -> None:
        self.name = name
        self.timeouts = timeouts(credentials)
        self._limit = credentials.key_limit
        self._trust = trust
        self._moved = moved
        self.session = _session(trust, later)
        self.session.hooks["response"].append(self._bound)

    def ask(self, method: str, path: str, **options: Any) -> Any:
        """Return the answer to a request.  Raises MasterKeyError if there is none."""
        try:
            # If verify is set only for the session, REQUESTS_CA_BUNDLE overrides it.
            options = {"timeout": self.timeouts, "verify": self._trust.verify, **options}
            # requests limits each wait, and `_bound` the body, but headers may come slowly without end.
            return within(
                self.name,
                self._limit,
                lambda: self.session.request(method, self.name + path, **options),
                _SLOW,
            )
        except OSError as error:  # requests' own errors are OSErrors, too
            raise self.failure(error) from None

    def failure(self, error: OSError) -> MasterKeyError:
        """Return the error that says why there was no answer."""
        from requests import exceptions

        if not isinstance(error, exceptions.RequestException):
            message = f"the settings for TLS cannot be used: {one_line(error)}"
            named = " and ".join(filter(None, (self._trust.variable, self._trust.own)))
            return MasterKeyError(message, reason="unusable", hint=f"check {named}")
        detail = cause(error)
        if isinstance(error, exceptions.Timeout):
            connect, answer = self.timeouts
            waited = connect if isinstance(error, exceptions.ConnectTimeout) else answer
            return late(self.name, waited, _SLOW)
        reason, hint = "unreachable", None
        if "alert" in detail and "certificate" in detail:
            reason = "expired" if "expired" in detail else "denied"
            said = f"{self.name} rejects the client's certificate: {detail}"
            hint = f"{self._trust.own} are the client's certificate and its key" if self._trust.own else None
        elif isinstance(error, exceptions.SSLError):
            said = f"no trusted connection to {self.name}: {detail or 'TLS failed'}"
            hint = f"{self._trust.variable} sets the authority of its certificate"
        elif isinstance(error, exceptions.ProxyError):
            said = f"the proxy does not connect to {self.name}: {detail or 'it refused'}"
        else:
            said = f"{self.name} cannot be reached: {detail or type(error).__name__}"
            hint = "check the address, and that the server is up and this machine can reach it"
        return MasterKeyError(said, reason=reason, hint=hint)

    def _bound(self, response: Any, **sent: Any) -> None:
        """Read the answer within its limits.  This is a hook of requests."""
        import io

        with response:
            if 300 <= response.status_code < 400:
                raise redirect_error(self.name, self._moved)
            body = _body(response.raw, sent["timeout"][1])
        response.raw = io.BytesIO(body if len(body) <= ANSWER_LIMIT else b"")


def _session(trust: Trust, later: tuple[int, ...]) -> Any:
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry

    names: dict[str, Any] = {}
    if trust.server_name:
        names = {"server_hostname": trust.server_name, "assert_hostname": trust.server_name}
    if trust.pem:
        # Only comments have other characters.  OpenSSL accepts them in a file, but Python not in a text.
        names["ca_cert_data"] = trust.pem.encode("ascii", "ignore").decode()

    class Connections(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **options: Any) -> None:
            super().init_poolmanager(*args, **{**options, **names})

        def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
            return super().proxy_manager_for(proxy, **{**options, **names})

        def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
            super().cert_verify(conn, url, True if trust.pem else verify, cert)
            if trust.pem:
                conn.ca_certs = conn.ca_cert_dir = None  # not those of requests, too

    # With read=False, a call that took too long is not repeated.  The last answer is returned as it is.
    retry = Retry(
        total=RETRIES,
        connect=0,
        read=False,
        other=0,
        status_forcelist=later,
        allowed_methods=None,
        backoff_factor=0.5,
        raise_on_status=False,
        respect_retry_after_header=False,  # the header may ask for hours
    )
    made = requests.Session()
    made.mount("https://", Connections(max_retries=retry))
    made.mount("http://", HTTPAdapter(max_retries=retry))
    made.headers["Accept-Encoding"] = "identity"
    made.auth = as_it_is
    made.cert = trust.certificate
    return made


def as_it_is(request: Any) -> Any:
    """Return a request.  As the ``auth`` of a session, it keeps requests from sending a login of ~/.netrc."""
    return request


def _body(raw: Any, limit: float) -> bytes:
    """Return the answer, or so much that it is too long.  Raises RequestException if a part is missing."""
    from time import monotonic

    from requests import exceptions
    from urllib3.exceptions import HTTPError, ReadTimeoutError

    read = getattr(raw, "read1", raw.read)  # read1 returns what has arrived; read waits for more
    end = monotonic() + limit
    body = bytearray()
    try:
        # Read up to the end: only there urllib3 reports that a part is missing.
        while len(body) <= ANSWER_LIMIT and (part := read(1 << 16, decode_content=False)):
            body += part
            if monotonic() > end:
                raise exceptions.ReadTimeout
    except ReadTimeoutError as error:
        raise exceptions.ReadTimeout(error) from None
    except HTTPError:
        pass
    else:
        return bytes(body)
    raise exceptions.ConnectionError(OSError("its answer was cut off"))


def cause(error: BaseException) -> str:
    """Return why the network failed, as the system says it ("Connection refused"), or "" if unknown."""
    found = ""
    seen: BaseException | None = error
    for _ in range(20):  # the chain may be circular
        if seen is None:
            break
        text = getattr(seen, "verify_message", None) or getattr(seen, "strerror", None)
        detail = isinstance(seen, OSError) or type(seen).__name__ == "CertificateError"  # an error of urllib3
        if text is None and detail and len(seen.args) == 1:
            text = seen.args[0]  # "Tunnel connection failed: 403 Forbidden"
        if isinstance(text, str) and text:
            found = text
        seen = _within(seen)
    return one_line(found)


def _within(error: BaseException) -> BaseException | None:
    """Return the error that this one wraps in the way of Python, azure-core, urllib3 or requests."""
    ways = (
        *(error.__cause__, error.__context__),
        *(getattr(error, "inner_exception", None), getattr(error, "reason", None), *error.args[:1]),
    )
    return next((inner for inner in ways if isinstance(inner, BaseException)), None)


def reason_of(status: int, known: Mapping[int, str]) -> str:
    """Return the reason of `encconf.errors.UnavailableError` for a status.  ``known`` has some of them."""
    return known.get(status) or ("unreachable" if status == 429 or status >= 500 else "wrong")


def redirect_error(server: str, hint: str | None = None) -> MasterKeyError:
    """Return the error for a redirect, which secrets do not follow."""
    said = f"{server} redirects to another server, and encconf does not follow redirects"
    return MasterKeyError(said, reason="wrong", hint=hint)
