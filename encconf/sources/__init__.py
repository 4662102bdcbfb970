"""Fetch and store secrets that are kept outside encconf.  Each scheme has its own file, and a row in `TABLE`.

    fetch("vault:secret/app#password", Credentials.from_env())

An address is ``SCHEME:BODY?NAME=VALUE#FIELD``, or has ``//`` before the body, as in helmfile's vals.  It may
begin with ``ref+``.  ``FIELD`` picks a member of a secret in JSON or YAML, and ``a/b`` a nested one.  Every
part except the command line of ``cmd:`` may be percent-encoded.

These parameters work for every scheme: ``trim_nl=true`` removes one line break from the end.
``decode=base64`` and ``encode=base64`` decode and encode the value.  ``optional=true`` and ``fallback=TEXT``
replace a missing or empty secret, which is an error otherwise.  Each scheme's module describes its own
parameters, which variables and permissions it needs, and how long it waits.  No call takes longer than
``Credentials.call_limit``.

The same `Credentials` fetch a secret once for all of its fields.  One thread fetches it while others wait.
No value is logged, or appears in an error or in a repr.
"""

from __future__ import annotations

import re

from encconf.errors import (
    EncconfError,
    ExistsError,
    MissingExtraError,
    PluginError,
    SourceError,
    SourceExtraError,
    UnavailableError,
)
from encconf.io.threads import Once
from encconf.record import Record
from encconf.text.printable import printable
from encconf.text.words import did_you_mean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import NoReturn, Protocol

    from encconf.identities.credentials import Credentials

    class Source(Protocol):
        """What the module of a scheme must have.

        If its secrets can be written, it also has ``store(uri, value, credentials, *, replace)``, which
        writes the whole secret, and raises ExistsError if it exists, unless ``replace``.  If OWN_FIELDS is
        true, it can write single fields, too.  If addresses have several spellings or a default field, the
        module also has ``canonical(uri) -> Uri``.
        """

        QUERY: tuple[str, ...]
        """The parameters of its addresses after the ``?``, besides those for every scheme."""

        def fetch(self, uri: Uri, credentials: Credentials) -> bytes:
            """Return the whole secret, for all fields.  Raises UnavailableError."""

        def probe(self, credentials: Credentials) -> Probe:
            """Return whether it can be used here.  Raises UnavailableError."""


class Row(Record):
    """Where a scheme's module is, and what is known of the scheme without importing it.

    References may use an ``asked`` scheme by default: its server decides who gets which secret, or it has
    only secrets for this program.  The other schemes return anything that this user has: the output of
    programs, files, variables, the keyring.  ``runs_program`` says that fetching a secret may start a
    program.  ``aliases`` are the names that vals has for the scheme.
    """

    module: str
    asked: bool = False
    runs_program: bool = False
    aliases: tuple[str, ...] = ()


TABLE = {
    "env": Row("encconf.sources.env", aliases=("envsubst",)),
    "file": Row("encconf.sources.file"),
    "cmd": Row("encconf.sources.cmd", runs_program=True),
    "systemd": Row("encconf.sources.systemd", asked=True),
    "keyring": Row("encconf.sources.keyring"),
    "vault": Row("encconf.sources.vault", asked=True, aliases=("openbao",)),
    "cyberark": Row("encconf.sources.cyberark", asked=True),
    "conjur": Row("encconf.sources.conjur", asked=True),
    "awssm": Row("encconf.sources.awssm", asked=True, aliases=("awssecrets",)),
    "awsssm": Row("encconf.sources.awsssm", asked=True),
    "gcpsm": Row("encconf.sources.gcpsm", asked=True, aliases=("gcpsecrets",)),
    "azkv": Row("encconf.sources.azkv", asked=True, aliases=("azurekeyvault",)),
}
"""The schemes.  To add one, write its module and add a row."""
ASKED = tuple(scheme for scheme, row in TABLE.items() if row.asked)
ALIASES = {alias: scheme for scheme, row in TABLE.items() for alias in row.aliases}


def may_run_program(address: str) -> bool:
    """Whether fetching a secret may start a program: ``cmd:`` does, and an unknown scheme may."""
    from encconf.identities.credentials import scheme_of

    scheme = scheme_of(address)
    row = TABLE.get(ALIASES.get(scheme, scheme))
    return row is None or row.runs_program


LIMIT = 1 << 24
"""The largest secret that is read, in bytes (16 MiB)."""

PROBE_LIMIT = 2.0
"""How many seconds one probe may take."""

_SCHEME = re.compile(r"(?:(?:secret)?ref\+)?([A-Za-z][A-Za-z0-9.-]*):", re.ASCII)


class Probe(Record):
    """Whether a scheme can be used here: ``who`` is the login, or ``missing`` says what is missing for it."""

    usable: bool
    who: str | None = None
    missing: Sequence[str] = ()
    note: str = ""


def parse(text: str) -> Uri:
    """Read an address.  Raises SourceError, which does not quote it, since it may be a secret by mistake."""
    text = text.strip()
    match = _SCHEME.match(text)
    if match is None:
        raise SourceError(
            "this is not the address of a secret",
            hint=f"it begins with one of {', '.join(f'{name}:' for name in TABLE)}",
        )
    scheme = match[1].lower()
    scheme = ALIASES.get(scheme, scheme)
    if not is_known(scheme):
        _unknown(scheme)
    rest = text[match.end() :]
    if match.start(1):  # the address begins with ref+
        rest = rest.removesuffix("+")  # the plus sign ends a reference inside a longer text
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
            f"the name after {scheme}: {'contains a NUL' if body else 'is missing'}",
            hint=f"an address is {scheme}:NAME, perhaps with ?SETTING=VALUE and #FIELD",
        )
    uri = Uri(scheme, body, query, field, vals=vals)
    _check_query(uri)
    return uri


def is_known(scheme: str) -> bool:
    """Whether there is a source with this scheme, perhaps in a plug-in.  Raises SourceError if that fails.

    Only a scheme without a row makes encconf look for a plug-in.
    """
    if scheme not in TABLE:
        from encconf import plugins

        try:
            found = plugins.load(plugins.SOURCES, scheme)
        except PluginError as error:
            raise SourceError(error.message, reason="unusable", hint=error.hint) from None
        if found is None:
            return False
        if not all(hasattr(found, name) for name in ("__name__", "QUERY", "fetch", "probe")):
            raise SourceError(
                f"the plug-in {printable(scheme)} is not a module with QUERY, fetch and probe",
                reason="unusable",
                hint="docs/plugins.md has an example",
            )
        TABLE[scheme] = Row(str(getattr(found, "__name__", "")), runs_program=True)
    return True


def _unknown(scheme: str) -> NoReturn:
    meant = did_you_mean(scheme, [*TABLE, *ALIASES])
    raise SourceError(
        f"{printable(scheme, 40)} is not a source",
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


def version_in(uri: Uri, what: str) -> str:
    """Return the number of a version, or "" without one.  Raises SourceError for anything else."""
    given = uri.query.get("version", "")
    if given and not (given.isascii() and given.isdigit()):
        raise SourceError(f"a version of a {what} is a number", hint="?version=3")
    return given


def module(scheme: str) -> Source:
    """Import and return the module of a scheme.  Raises SourceError for an unknown scheme."""
    if not is_known(scheme):
        _unknown(scheme)
    found: Source = __import__(TABLE[scheme].module, fromlist=["fetch"])
    return found


def _resolved(uri: Uri) -> tuple[Source, Uri]:
    """Return the module for an address, and the address in its canonical form."""
    source = module(uri.scheme)
    canonical: Callable[[Uri], Uri] | None = getattr(source, "canonical", None)
    return source, canonical(uri) if canonical else uri


def fetch(uri: str | Uri, credentials: Credentials) -> bytes:
    """Return the value at an address, or its field.  Raises SourceError, which names the address.

    The bytes are those that the source has.  Only ``cmd:`` removes a line break at the end of the output.
    """
    uri = _uri(uri)
    try:
        source, exact = _resolved(uri)
        value = _secret(exact, credentials).get(lambda: _asked(source, exact, credentials))
        if exact.field is not None:
            from encconf.sources.fields import pick

            value = pick(value, exact.field)
        if uri.query.get("trim_nl") == "true":
            value = without_line_break(value)
        value = _decoded(uri, value)
        if not value:
            hint = "store a value there, or add ?optional=true if it may be empty"
            if uri.scheme == "cmd":
                hint = "run the command by itself to see what it prints"
            raise SourceError("the value is empty", reason="missing", hint=hint)
        return value
    except UnavailableError as kept:
        error = _as_source_error(kept)
        if error.reason == "missing":
            for name in ("fallback", "fallback_value"):
                if name in uri.query:
                    return uri.query[name].encode(errors="surrogateescape")
            if uri.query.get("optional") == "true":
                return b""
        raise error.about(uri.label) from None


def _asked(source: Source, uri: Uri, credentials: Credentials) -> bytes:
    """Return a whole secret.  If its server takes long, a terminal shows that encconf waits for it."""
    done = credentials.watch(uri.label) if credentials.watch and uri.scheme in ASKED else None
    try:
        return source.fetch(uri, credentials)
    finally:
        if done is not None:
            done()


def without_line_break(value: bytes) -> bytes:
    """Return the value without one line break at its end."""
    return value.removesuffix(b"\n").removesuffix(b"\r") if value.endswith(b"\n") else value


def fetch_text(uri: str | Uri, credentials: Credentials) -> str:
    """Return the value at an address as text.  Raises SourceError, also if it is not UTF-8."""
    uri = _uri(uri)
    try:
        return fetch(uri, credentials).decode()
    except UnicodeDecodeError:
        error = SourceError("the value is not UTF-8 text", hint="?encode=base64 makes text of any bytes")
        raise error.about(uri.label) from None


def _as_source_error(error: UnavailableError) -> SourceError:
    """Return a provider's error as a new SourceError, since each reader may name another field in it."""
    kind = SourceExtraError if isinstance(error, MissingExtraError) else SourceError
    reason = error.reason or "wrong"
    return kind(error.message, reason=reason, hint=error.hint or HINTS[reason])


# Hints for errors that have no hint.
HINTS = {
    "missing": "correct the name, or store the secret there",
    "denied": "ask the administrator of that server for permission",
    "expired": "log in again",
    "unreachable": "check that the server is up and that this machine can reach it",
    "slow": "check that the server is up and not overloaded",
    "wrong": "correct the address, or the setting that this is about",
    "unusable": "encconf doctor shows what is missing, and encconf help environment what can be set",
}


def _secret(uri: Uri, credentials: Credentials) -> Once:
    """Return the `Once` of a whole secret, which one thread fetches for all of its fields."""
    return credentials.client(("source", uri.secret), Once)


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


def store(uri: str | Uri, value: bytes, credentials: Credentials, *, replace: bool = False) -> None:
    """Store a value at an address.  If that has a field, store it as a member of a JSON object.

    Existing values are overwritten only with ``replace``, and other fields are always kept.  It is not an
    error if the same value exists already: an SDK that repeats a call may find what the first call stored.
    With ``decode=base64``, the value is stored as base64.  Raises SourceError.
    """
    uri = _uri(uri)
    try:
        if not value:
            raise SourceError("an empty value is not stored", hint="give it a value")
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

                whole = _existing(lambda: source.fetch(exact, credentials))
                changed = put(whole, exact.field, value, replace=replace)
                write(exact, changed, credentials, replace=whole is not None)
            else:
                write(exact, value, credentials, replace=replace)
        except ExistsError:
            if not _holds(source, exact, value, credentials):
                raise
        finally:
            _secret(exact, credentials).forget()
    except UnavailableError as error:
        raise _as_source_error(error).about(uri.label) from None


def _existing(read: Callable[[], bytes]) -> bytes | None:
    """Return what ``read`` returns: a whole secret as it is now.  None if there is none."""
    try:
        return read()
    except UnavailableError as error:
        if error.reason != "missing":
            raise
        return None


def _holds(source: Source, uri: Uri, value: bytes, credentials: Credentials) -> bool:
    """Whether an address has exactly this value."""
    try:
        found = source.fetch(uri, credentials)
        if uri.field is not None:
            from encconf.sources.fields import pick

            found = pick(found, uri.field)
    except UnavailableError:
        return False
    return found == value


def writable() -> list[str]:
    """Return the schemes that `store` can write to."""
    return [name for name in TABLE if hasattr(module(name), "store")]


def variable(environ: Mapping[str, str], name: str, hint: str) -> str:
    """Return the value of a variable that must be set.  Raises SourceError."""
    value = environ.get(name, "").strip()
    if not value:
        raise SourceError(f"{name} is unset", reason="unusable", hint=hint)
    return value


def as_text(value: bytes, place: str) -> str:
    """Return the value as text, for a place that keeps only text.  Raises SourceError."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise SourceError(f"{place} keeps text, and this is not UTF-8", hint="add ?decode=base64") from None


def refuse_existing(read: Callable[[], bytes]) -> None:
    """Raise the error of `exists_error` unless ``read`` raises one that says that a secret is missing."""
    if _existing(read) is not None:
        raise exists_error()


def exists_error(hint: str = "choose another name") -> ExistsError:
    """Return the error for a secret that would be overwritten."""
    return ExistsError("a secret of this name exists and was not changed", hint=hint)


def probe(scheme: str, credentials: Credentials) -> Probe:
    """Return whether a scheme can be used here, with which login, and what is missing, within 2 s.

    A provider's metadata service is asked only on a machine of that provider.  The only error is SourceError,
    for an unknown scheme.
    """
    source = module(scheme)
    hasty = credentials.moved(credentials.environ, timeout=min(credentials.timeout, PROBE_LIMIT * 0.8))
    return in_time(lambda: source.probe(hasty))


def in_time(look: Callable[[], Probe]) -> Probe:
    """Return what a probe finds within `PROBE_LIMIT`, or why it found nothing."""
    from encconf.providers import within

    try:
        return within("it", PROBE_LIMIT, look)
    except EncconfError as error:
        return failed_probe(error)
    except Exception as error:  # for example of an SDK that two threads load; its text may contain anything
        return Probe(False, missing=[f"an answer: its library failed ({type(error).__name__})"])


def failed_probe(error: EncconfError) -> Probe:
    """Return the probe for an error.  For "no credentials", the missing thing is "credentials"."""
    return Probe(False, missing=[error.message.removeprefix("no ")], note=error.hint or "")


def machine(folder: str = "/sys/class/dmi/id") -> str:
    """Return the provider of this machine according to its firmware: ``aws``, ``gcp``, ``azure`` or ""."""
    texts = []
    for name in ("sys_vendor", "product_name", "chassis_asset_tag"):
        try:
            with open(f"{folder}/{name}", encoding="utf-8", errors="replace") as file:
                texts.append(file.read().strip())
        except OSError:
            texts.append("")
    if texts[0] == "Amazon EC2":
        return "aws"
    if texts[1] == "Google Compute Engine":
        return "gcp"
    return "azure" if texts[2] == "7783-7084-3265-9085-8269-3286-77" else ""


# --- the address of a secret, and its parts -------------------------------------------------------

GENERAL = ("decode", "encode", "fallback", "fallback_value", "optional", "trim_nl")
"""The parameters that every scheme has after the ``?``."""
_KEY = re.compile(r"AGE-SECRET-KEY-|AGE-PLUGIN-|-----BEGIN", re.IGNORECASE)


class Uri(Record):
    """The address of a secret.

    ``scheme`` is a key of `encconf.sources.TABLE`.  ``body`` is what follows it, as written and without a
    leading ``//``.  ``query`` has the decoded parameters.  ``field`` is the member to pick ("a/b"), or None.
    ``vals`` is whether the address has vals' form, with ``//``.
    """

    scheme: str
    body: str
    query: Mapping[str, str] = {}
    field: str | None = None
    vals: bool = False

    @property
    def path(self) -> str:
        """The body, decoded."""
        return self.body if self.scheme == "cmd" else unquote(self.body)

    @property
    def label(self) -> str:
        """The address in a form to show, without the parts that may be secret: parameters and arguments."""
        body = "".join(self.path.split(None, 1)[:1]) if self.scheme == "cmd" else self.path
        body = "…" if _KEY.search(body) else printable(body)
        text = f"{self.scheme}:{body if len(body) <= 120 else body[:119] + '…'}"
        return f"{text}#{printable(self.field)[:60]}" if self.field is not None else text

    @property
    def secret(self) -> tuple[object, ...]:
        """What identifies the secret.  It is the same for all of its fields."""
        own = tuple(sorted(item for item in self.query.items() if item[0] not in GENERAL))
        return self.scheme, self.body, own

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Uri) and self._parts == other._parts

    def __hash__(self) -> int:
        return hash(self._parts)

    def __repr__(self) -> str:
        return f"Uri({self.label!r})"

    @property
    def _parts(self) -> tuple[object, ...]:
        return self.scheme, self.body, tuple(sorted(self.query.items())), self.field, self.vals


def command_of(rest: str) -> tuple[str, str | None]:
    """Split a command line from the field: a last word that a shell would read as a comment."""
    match = re.fullmatch(r"(.*\S)\s+#/?(\S+)", rest, re.DOTALL)
    return (match[1], match[2]) if match else (rest.strip(), None)


def query_of(text: str) -> dict[str, str]:
    """Return the decoded parameters of an address."""
    query = {}
    for part in filter(None, text.split("&")):
        name, _, value = part.partition("=")
        query[unquote(name)] = unquote(value)
    return query


def unquote(text: str) -> str:
    """Undo percent-encoding.  Bytes that are not UTF-8 become lone surrogates, as in file names."""
    if "%" not in text:
        return text
    data = text.encode(errors="surrogateescape")
    data = re.sub(rb"%([0-9A-Fa-f]{2})", lambda match: bytes([int(match[1], 16)]), data)
    return data.decode(errors="surrogateescape")
