"""Where single secrets are kept outside encconf: one file per kind of place, one row in `TABLE`.

    fetch("vault:secret/app#password", Credentials.from_env())

An address is ``SCHEME:BODY?NAME=VALUE#FIELD``, or with ``//`` before the body as vals (helmfile's) writes
it, ``ref+`` in front or not.  ``FIELD`` picks a member of a secret that is JSON or YAML, ``a/b`` one
inside another.  Everything but the command line of ``cmd:`` may be percent-encoded.

For every scheme: ``trim_nl=true`` takes one line break off the end, ``decode=base64`` and
``encode=base64`` do what they say with the value, ``optional=true`` and ``fallback=TEXT`` stand in for a
secret that is missing.  Each scheme's module says what else it takes, what must be set, who must be
allowed what, and how long it waits; no call takes longer than ``Credentials.call_limit``.

A secret is fetched once in the life of its `Credentials`, whichever of its fields are asked for, and by
one thread while others wait.  No value is logged, or appears in an error or in a repr.
"""

from __future__ import annotations

import re
from _thread import allocate_lock

from encconf.errors import EncconfError, MasterKeyError, SourceError, SourceExtraError
from encconf.sources.address import GENERAL, command_of, query_of
from encconf.sources.address import Uri as Uri
from encconf.sources.address import unquote as unquote
from encconf.text.printable import printable
from encconf.text.words import did_you_mean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import NoReturn, Protocol

    from encconf.identities.credentials import Credentials

    class Source(Protocol):
        """What the module of a scheme must have.

        If its secrets can be written, also ``store(uri, value, credentials, *, replace)``, which writes the
        whole secret and raises SourceError if it is there already, unless ``replace``; with a true OWN_FIELDS
        it is the one to put a field into it.  If addresses have several spellings, or a field that goes
        without saying, also ``canonical(uri) -> Uri``.
        """

        QUERY: tuple[str, ...]
        """The names that its addresses may have after the ``?``, beside those for every scheme."""

        def fetch(self, uri: Uri, credentials: Credentials) -> bytes:
            """The whole secret, whatever its field; raises SourceError or MasterKeyError."""

        def probe(self, credentials: Credentials) -> Probe:
            """Whether it can be used here; raises SourceError or MasterKeyError."""


TABLE: dict[str, str] = {
    "env": "encconf.sources.env",
    "file": "encconf.sources.file",
    "cmd": "encconf.sources.cmd",
    "systemd": "encconf.sources.systemd",
    "keyring": "encconf.sources.keyring",
    "vault": "encconf.sources.vault",
    "cyberark": "encconf.sources.cyberark",
    "conjur": "encconf.sources.conjur",
    "awssm": "encconf.sources.awssm",
    "awsssm": "encconf.sources.awsssm",
    "gcpsm": "encconf.sources.gcpsm",
    "azkv": "encconf.sources.azkv",
}
"""The module of each scheme."""

ALIASES = {
    "awssecrets": "awssm",
    "azurekeyvault": "azkv",
    "envsubst": "env",
    "gcpsecrets": "gcpsm",
    "openbao": "vault",
}
"""What vals calls some of them."""

LIMIT = 1 << 24
"""The largest secret that is read, in bytes (16 MiB)."""

PROBE_LIMIT = 2.0
"""Seconds that one probe may take."""

_SCHEME = re.compile(r"(?:(?:secret)?ref\+)?([A-Za-z][A-Za-z0-9.-]*):", re.ASCII)


class Probe:
    """Whether a kind of source can be used here: with which login, or what is ``missing`` for it."""

    __slots__ = ("missing", "note", "usable", "who")

    def __init__(
        self, usable: bool, who: str | None = None, missing: Sequence[str] = (), note: str = ""
    ) -> None:
        self.usable = usable
        self.who = who
        self.missing = missing
        self.note = note

    def __repr__(self) -> str:
        return f"Probe({self.usable}, {self.who!r}, {self.missing!r}, {self.note!r})"


# --- addresses -------------------------------------------------------------------------------


def parse(text: str) -> Uri:
    """Read an address; raises SourceError, which does not repeat what may be a secret by mistake."""
    text = text.strip()
    match = _SCHEME.match(text)
    if match is None:
        raise SourceError(
            "this is not the address of a secret",
            hint=f"it begins with one of {', '.join(f'{name}:' for name in TABLE)}",
        )
    scheme = match[1].lower()
    scheme = ALIASES.get(scheme, scheme)
    if scheme not in TABLE:
        _unknown(scheme)
    rest = text[match.end() :]
    if match.start(1):  # with ref+
        rest = rest.removesuffix("+")  # which ends a reference inside a longer text
    vals = rest.startswith("//")
    if vals:
        rest = rest[2:]
    query: dict[str, str] = {}
    if scheme == "cmd":
        body, field = command_of(rest)
    else:
        rest, _, fragment = rest.partition("#")
        field = unquote(fragment).removeprefix("/") or None
        body, _, parameters = rest.partition("?")
        query = query_of(parameters)
    if not body or "\0" in unquote(body):
        raise SourceError(
            f"there is no name after {scheme}:" if not body else f"the name after {scheme}: holds a NUL",
            hint="docs/sources.md lists the forms",
        )
    uri = Uri(scheme, body, query, field, vals=vals)
    _check_query(uri)
    return uri


def _unknown(scheme: str) -> NoReturn:
    meant = did_you_mean(scheme, [*TABLE, *ALIASES])
    raise SourceError(
        f"there is no source called {printable(scheme, 40)}",
        hint=f"{meant} known sources are {', '.join(TABLE)}".lstrip(),
    )


def _check_query(uri: Uri) -> None:
    known = (*module(uri.scheme).QUERY, *GENERAL) if uri.query else ()
    for name in uri.query:
        if name not in known:
            raise SourceError(
                f"{uri.scheme}: has no setting {printable(name)[:40]}",
                hint=did_you_mean(name, known) or f"its settings are {', '.join(known)}",
            )


def _uri(uri: str | Uri) -> Uri:
    return parse(uri) if isinstance(uri, str) else uri


def number_in(uri: Uri, name: str, what: str) -> str:
    """A number among the parameters, "" if it is not there; raises SourceError for what is none."""
    given = uri.query.get(name, "")
    if given and not (given.isascii() and given.isdigit()):
        raise SourceError(f"a version of a {what} is a number", hint=f"?{name}=3")
    return given


def module(scheme: str) -> Source:
    """What reads the secrets of a scheme, imported now; raises SourceError for an unknown scheme."""
    if scheme not in TABLE:
        _unknown(scheme)
    found: Source = __import__(TABLE[scheme], fromlist=["fetch"])
    return found


def _resolved(uri: Uri) -> tuple[Source, Uri]:
    """The module for an address, and the address as that has it."""
    source = module(uri.scheme)
    canonical: Callable[[Uri], Uri] | None = getattr(source, "canonical", None)
    return source, canonical(uri) if canonical else uri


# --- reading ---------------------------------------------------------------------------------


def fetch(uri: str | Uri, credentials: Credentials) -> bytes:
    """The value at an address, its field picked; raises SourceError, which names the address.

    Bytes as they are kept there, but that ``cmd:`` loses the line break at the end of what is printed.
    """
    uri = _uri(uri)
    try:
        source, exact = _resolved(uri)
        value = _flight(exact, credentials).get(lambda: source.fetch(exact, credentials))
        if exact.field is not None:
            from encconf.sources.fields import pick

            value = pick(value, exact.field)
        if uri.query.get("trim_nl") == "true":
            value = without_line_break(value)
        return _decoded(uri, value)
    except SourceError as error:
        if error.reason == "missing":
            for name in ("fallback", "fallback_value"):
                if name in uri.query:
                    return uri.query[name].encode(errors="surrogateescape")
            if uri.query.get("optional") == "true":
                return b""
        raise error.about(uri.label) from None


def without_line_break(value: bytes) -> bytes:
    """The value less the one line break at its end, if there is one."""
    return value.removesuffix(b"\n").removesuffix(b"\r") if value.endswith(b"\n") else value


def fetch_text(uri: str | Uri, credentials: Credentials) -> str:
    """The value at an address as text; raises SourceError also when it is not UTF-8."""
    uri = _uri(uri)
    try:
        return fetch(uri, credentials).decode()
    except UnicodeDecodeError:
        error = SourceError("the value is not UTF-8 text", hint="?encode=base64 makes text of any bytes")
        raise error.about(uri.label) from None


class _Flight:
    """One secret, asked for by one thread while the others that want it wait."""

    __slots__ = ("_failure", "_lock", "_value")

    def __init__(self) -> None:
        self._lock = allocate_lock()
        self._value: bytes | None = None
        self._failure: SourceError | None = None

    def get(self, ask: Callable[[], bytes]) -> bytes:
        """The value; who waited for a failure gets the same one, and who comes later asks again."""
        waited = not self._lock.acquire(blocking=False)
        if waited:
            self._lock.acquire()
        try:
            if self._value is not None:
                return self._value
            if not waited or self._failure is None:
                self._failure = None
                try:
                    self._value = ask()
                except (SourceError, MasterKeyError) as error:
                    self._failure = _as_source_error(error)
                else:
                    return self._value
            # One for each reader, who may name another field in it.
            kept = self._failure
            raise type(kept)(kept.message, reason=kept.reason, hint=kept.hint)
        finally:
            self._lock.release()

    def forget(self) -> None:
        self._value = None


def _as_source_error(error: SourceError | MasterKeyError) -> SourceError:
    """What the code that is shared with the key services raises, as an error of a source."""
    from encconf.errors import MissingExtraError

    if isinstance(error, SourceError):
        return error
    kind = SourceExtraError if isinstance(error, MissingExtraError) else SourceError
    reason = error.reason or "wrong"
    return kind(error.message, reason=reason, hint=error.hint or HINTS[reason])


# What to do where nobody knows better.
HINTS = {
    "missing": "correct the name, or store the secret there",
    "denied": "ask the administrator of that server for permission",
    "expired": "log in again",
    "unreachable": "check that the server is up and that this machine can reach it",
    "slow": "check that the server is up and not overloaded",
    "wrong": "docs/sources.md lists the forms",
    "unusable": "docs/sources.md says what must be set",
}


def _flight(uri: Uri, credentials: Credentials) -> _Flight:
    return credentials.client(("source", uri.secret), _Flight)


def _decoded(uri: Uri, value: bytes) -> bytes:
    from binascii import Error, a2b_base64, b2a_base64

    ways = {name: uri.query.get(name, "raw") for name in ("decode", "encode")}
    for name, way in ways.items():
        if way not in ("raw", "base64"):
            raise SourceError(f"{name} is neither raw nor base64", hint=f"{name}=base64")
    if ways["decode"] == "base64":
        try:
            value = a2b_base64(b"".join(value.split()), strict_mode=True)
        except (Error, ValueError):
            raise SourceError("the value is not base64", hint="leave decode=base64 out") from None
    return b2a_base64(value, newline=False) if ways["encode"] == "base64" else value


# --- writing ---------------------------------------------------------------------------------


def store(uri: str | Uri, value: bytes, credentials: Credentials, *, replace: bool = False) -> None:
    """Put a value where the address says; with a field, into the JSON that is or will be there.

    Nothing that is there is overwritten unless ``replace``; other fields are kept in any case.  With
    ``decode=base64``, it is written as base64.  Raises SourceError.
    """
    uri = _uri(uri)
    try:
        source, exact = _resolved(uri)
        write = getattr(source, "store", None)
        if write is None:
            raise SourceError(
                f"{uri.scheme}: can only be read",
                hint=f"what can be written: {', '.join(f'{name}:' for name in writable())}",
            )
        if uri.query.get("decode") == "base64":
            from binascii import b2a_base64

            value = b2a_base64(value, newline=False)
        try:
            if exact.field is not None and not getattr(source, "OWN_FIELDS", False):
                from encconf.sources.fields import put

                whole = _if_there(source, exact, credentials)
                value = put(whole, exact.field, value, replace=replace)
                replace = whole is not None
            write(exact, value, credentials, replace=replace)
        finally:
            _flight(exact, credentials).forget()
    except (SourceError, MasterKeyError) as error:
        raise _as_source_error(error).about(uri.label) from None


def _if_there(source: Source, uri: Uri, credentials: Credentials) -> bytes | None:
    """A whole secret, as it is now; None where there is none."""
    try:
        return source.fetch(uri, credentials)
    except (SourceError, MasterKeyError) as error:
        if error.reason != "missing":
            raise
        return None


def writable() -> list[str]:
    """The schemes that `store` can write to."""
    return [name for name in TABLE if hasattr(module(name), "store")]


def as_text(value: bytes, place: str) -> str:
    """The value as a text, for a place that keeps nothing else; raises SourceError."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise SourceError(f"{place} keeps text, and this is not UTF-8", hint="add ?decode=base64") from None


def refuse_existing(read: Callable[[], object]) -> None:
    """Raise the error `there_already` unless ``read`` finds that a secret is missing."""
    try:
        read()
    except (SourceError, MasterKeyError) as error:
        if error.reason != "missing":
            raise
    else:
        raise there_already()


def there_already() -> SourceError:
    """The error for a secret that would be overwritten."""
    return SourceError(
        "a secret of this name exists and was not changed",
        hint="choose another name",
    )


# --- this machine ----------------------------------------------------------------------------


def probe(scheme: str, credentials: Credentials) -> Probe:
    """Whether a kind of source can be used here, with which login, and what is missing; takes 2 s at most.

    No metadata service is asked unless this is evidently a machine of that provider's.  Raises SourceError
    for a scheme that does not exist, and nothing else.
    """
    source = module(scheme)
    hasty = credentials.moved(credentials.environ, timeout=min(credentials.timeout, PROBE_LIMIT * 0.8))
    return in_time(lambda: source.probe(hasty))


def in_time(look: Callable[[], Probe]) -> Probe:
    """What a probe finds within `PROBE_LIMIT`, or what was in its way."""
    from encconf.providers import LateError, within

    try:
        return within(PROBE_LIMIT, look)
    except LateError:
        return Probe(False, missing=[f"an answer within {PROBE_LIMIT:g} s"])
    except EncconfError as error:
        return kept(error)
    except Exception as error:  # of an SDK that is loaded by two threads, say; its text could hold anything
        return Probe(False, missing=[f"an answer: its library failed ({type(error).__name__})"])


def kept(error: EncconfError) -> Probe:
    """A probe that an error kept from its answer."""
    return Probe(False, missing=[error.message], note=error.hint or "")


def machine(folder: str = "/sys/class/dmi/id") -> str:
    """Whose machine this is, by what its firmware says: ``aws``, ``gcp``, ``azure`` or ""."""
    texts = []
    for name in ("sys_vendor", "product_name", "chassis_asset_tag"):
        try:
            with open(f"{folder}/{name}", encoding="utf-8", errors="replace") as file:
                texts.append(file.read(200).strip())
        except OSError:
            texts.append("")
    if texts[0] == "Amazon EC2":
        return "aws"
    if texts[1] == "Google Compute Engine":
        return "gcp"
    return "azure" if texts[2] == "7783-7084-3265-9085-8269-3286-77" else ""
