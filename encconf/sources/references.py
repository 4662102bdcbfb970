"""Resolve references: when a file is loaded, secrets that are kept elsewhere replace them.

::

    password: ref+vault://secret/data/app#/password
    url: postgres://app:ref+awssm://app/db#/password+@db.example.com/app

The syntax is that of helmfile's vals (its README, and pkg/expansion/expand_match.go): ``ref+`` or
``secretref+`` and the address of a source, up to a blank, a line break or a plus sign.  A plus sign right
after it is part of the reference.  A value that is just a reference may also have encconf's own form,
without ``//``.  A resolved value is text, and is not searched for references again.  A reference inside a
reference is refused.

The text of a file decides what is fetched.  So only references that `Resolve` allows are resolved, and only
in values that the file's MAC covers.  Keys that open files are refused: those that ENCCONF_IDENTITY and
similar settings name, and any age identity.  Each secret is fetched once, at the same time as the others.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from encconf import sources
from encconf.errors import MasterKeyError, SourceError, UnresolvedError, UsageError, is_temporary
from encconf.identities.credentials import KEY_VARIABLES, SETTINGS, UNIT_IDENTITY, Credentials, expanded
from encconf.io import threads
from encconf.providers.https import origin, origin_and_path, permitted
from encconf.record import Record
from encconf.sources import ASKED, Uri
from encconf.text.document import Document, Leaf, Value
from encconf.text.path import Path, spell
from encconf.text.printable import printable
from encconf.text.words import did_you_mean

# --- references in a text -------------------------------------------------------------------------

_REFERENCE = re.compile(r'(?:secret)?ref\+([A-Za-z][A-Za-z0-9.-]*://[^+\n ]*[^+\n ",])\+?', re.ASCII)
_NESTED = re.compile(r"[A-Za-z][A-Za-z0-9.-]*://", re.ASCII)
# A value that is a reference in encconf's own form.  A command line may have blanks.
_ALONE = re.compile(r"(?:secret)?ref\+(cmd:[^\n]+|([A-Za-z]+):(?!//)[^+\n ]+)\+?", re.ASCII)


def _below(path: Sequence[str | int], under: Path) -> bool:
    """Whether a path begins with the path ``under``, whose indexes may count from the end."""
    steps = zip(path, under, strict=False)
    return len(path) >= len(under) and all(
        step == other or (isinstance(step, int) and isinstance(other, int) and other < 0)
        for step, other in steps
    )


def pieces_of(leaf: Leaf, value: Value, under: Path) -> list[tuple[str, str | None]]:
    """Return the `pieces` of a leaf's value if it has references ``under`` a path, and none otherwise."""
    if value.type != "str" or not value.data or b"ref+" not in value.data or not _below(leaf.path, under):
        return []
    try:
        found = pieces(value.data.decode())
    except UnicodeDecodeError:
        return []
    return found if any(address is not None for _, address in found) else []


def _is_source(scheme: str) -> bool:
    try:
        return scheme in sources.ALIASES or sources.is_known(scheme)
    except SourceError:
        return True  # the error comes when the reference is fetched


def pieces(text: str) -> list[tuple[str, str | None]]:
    """Split a text into literals (text, None) and references (as written, the address)."""
    alone = _ALONE.fullmatch(text)
    if alone and (alone[2] is None or _is_source(alone[2].lower())):
        return [(text, alone[1])]
    found: list[tuple[str, str | None]] = []
    at = 0
    for match in _REFERENCE.finditer(text):
        if match.start() > at:
            found.append((text[at : match.start()], None))
        inner = match[1].endswith("ref") and match[0].endswith("+") and _NESTED.match(text, match.end())
        found.append((match[0], "" if inner else match[1]))
        at = match.end()
    if at < len(text) or not found:
        found.append((text[at:], None))
    return found


# --- which references may be resolved, and with which login ---------------------------------------
# An address may not choose whose secrets are read, the login or the server, unless the environment or
# `Resolve` makes the same choice.


class Resolve:
    """Which references may be resolved, and how long that may take.

    ``schemes`` are scheme names (``vault``: every address of that scheme) and beginnings of addresses
    (``env:APP_``, ``file:/run/secrets/``, ``azkv:my-vault/``); by default, the stores that control access
    themselves.  The environment decides which login is used and whose secrets are read.  To let addresses
    choose that as well, write what they may choose after a question mark
    (``vault:secret/app/?namespace=team``, ``awssm?role_arn=arn:…``).  ``hosts`` are additional servers that
    addresses may name, such as ``vault2.example.com:8200`` (with ``http://`` if it has no TLS); they receive
    this program's credentials.  The servers in VAULT_ADDR and similar variables, and the domains of Azure
    Key Vault, are always allowed.
    ``timeout`` limits all lookups together, and ``call_timeout`` each one, in seconds.

    Raises UsageError for a scheme that does not exist, and for what is not a server.

    >>> rules = Resolve(schemes=["vault", "env:APP_"], timeout=10)
    >>> config = load_config("secrets.enc.yaml", resolve=rules)  # doctest: +SKIP
    """

    def __init__(
        self,
        *,
        schemes: Iterable[str] | None = None,
        hosts: Iterable[str] = (),
        timeout: float = 30,
        call_timeout: float = 20,
    ) -> None:
        for name, given in (("schemes", schemes), ("hosts", hosts)):
            if isinstance(given, str):  # otherwise its letters are the entries
                raise UsageError(f"{name} is a list", hint=f"{name}=[{printable(given)[:40]!r}]")
        self.schemes = tuple(ASKED if schemes is None else schemes)
        self.hosts = frozenset(map(_origin, hosts))
        self.timeout = timeout
        self.call_timeout = call_timeout
        self._entries = [_beginning(entry) for entry in self.schemes]
        for beginning, _ in self._entries:
            scheme = beginning.partition(":")[0]
            if not sources.is_known(scheme):
                known = f"the schemes are {', '.join(sources.TABLE)}"
                raise UsageError(
                    f"{printable(scheme)[:40]!r} is not a reference scheme",
                    hint=did_you_mean(scheme, sources.TABLE) or known,
                )

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Resolve:
        """Return the default rules with what ENCCONF_REF_ALLOW adds: schemes, beginnings and hosts.

        Separate the entries with white space or commas.  A host has a dot, or a colon and a number.
        Raises UsageError.
        """
        entries = environ.get("ENCCONF_REF_ALLOW", "").replace(",", " ").split()
        hosts = [entry for entry in entries if _HOST.fullmatch(entry)]
        schemes = [entry for entry in entries if entry not in hosts]
        try:
            return cls(schemes=(*ASKED, *schemes), hosts=hosts)
        except UsageError as error:
            raise UsageError(f"ENCCONF_REF_ALLOW: {error.message}", hint=error.hint) from None

    def allows(self, uri: Uri, home: str | None = None) -> bool:
        """Whether an address is allowed.  ``home`` is the folder for ``~``."""
        return any(_matches(uri, beginning, home) for beginning, _ in self._entries)

    def lets_choose(self, uri: Uri, name: str) -> bool:
        """Whether an address may choose its setting ``name``."""
        wanted = (name, uri.query[name])
        return any(
            wanted in settings and _matches(uri, beginning, None) for beginning, settings in self._entries
        )

    def __repr__(self) -> str:
        return (
            f"Resolve(schemes={self.schemes!r}, hosts={sorted(self.hosts)!r}, "
            f"timeout={self.timeout:g}, call_timeout={self.call_timeout:g})"
        )


def _beginning(entry: str) -> tuple[str, list[tuple[str, str]]]:
    """Return the scheme or beginning in an entry of ``schemes``, and the settings that it allows."""
    beginning, mark, settings = entry.partition("?")
    if not mark or beginning.partition(":")[0] not in ASKED:  # the ? is part of a path or of a command
        return entry, []
    pairs = (each.partition("=") for each in settings.split("&"))
    return beginning, [(name, value) for name, _, value in pairs]


def _matches(uri: Uri, beginning: str, home: str | None) -> bool:
    """Whether an address has a scheme or beginning.  A file must have it after links are followed, too."""
    if beginning == uri.scheme:
        return True
    # With .. a path can leave the folder that it begins with.
    if ":" not in beginning or ".." in uri.path.split("/"):
        return False
    if not f"{uri.scheme}:{_name(uri)}".startswith(beginning):
        return False
    if beginning == "file:" or uri.scheme != "file":
        return True
    folder, slash, base = expanded(beginning.removeprefix("file:"), home).rpartition("/")
    inside = os.path.join(os.path.realpath(folder or slash or "."), base)
    return os.path.realpath(expanded(uri.path, home)).startswith(inside)


_HOST = re.compile(
    r"https?://\S+|[\w-]+(?:\.[\w-]+)+(?::[0-9]+)?|[\w-]+:[0-9]+|\[[0-9a-f:]+\](?::[0-9]+)?", re.A | re.I
)


def _origin(host: str) -> str:
    found = origin(host if "://" in host else f"https://{host}")
    if found is None:
        raise UsageError(f"{printable(host)[:80]!r} is not a server", hint="HOST, HOST:PORT, or with http://")
    return found


def checked(address: str, rules: Resolve, credentials: Credentials, keys: set[tuple[str, str]]) -> Uri:
    """Read an address, and return it if it may be resolved.  Raises SourceError."""
    if not address:
        raise SourceError("a reference inside a reference is not resolved", hint="write the address out")
    uri = sources.parse(address)
    if not rules.allows(uri, credentials.home):
        raise SourceError(
            f"references to {uri.scheme}: are not allowed here",
            reason="denied",
            hint=f"to allow them: ENCCONF_REF_ALLOW={uri.scheme}, or resolve=Resolve(schemes=[…])",
        )
    spelled = _spelled(uri, credentials)
    # In /proc, a process's environment is a file.
    if (uri.scheme, spelled) in keys or (uri.scheme == "file" and spelled.startswith("/proc/")):
        raise key_error()
    _check_query(uri, rules, credentials)
    return uri


def uncovered_error() -> SourceError:
    """Return the error for a reference that the MAC does not cover."""
    return SourceError(
        "anyone could have written it: the MAC does not cover unencrypted values",
        reason="denied",
        hint="encrypt the value, or the file without mac_only_encrypted",
    )


def key_error() -> SourceError:
    """Return the error for a reference to a key that opens files."""
    return SourceError(
        "it is a key that opens files, not a value", reason="denied", hint="keep keys and values apart"
    )


def key_addresses(credentials: Credentials) -> set[tuple[str, str]]:
    """Return scheme and normalized name of the keys that open files.  Raises MasterKeyError."""
    found = {("env", name) for name in KEY_VARIABLES}
    named = [UNIT_IDENTITY, *(address for setting in SETTINGS for address in credentials.named(setting)[1])]
    files = [source.where for source in credentials.age_sources() if source.how == "file" and source.where]
    files.append(f"{credentials.home or ''}/.vault-token")
    files += [credentials.environ.get(name, "") for name in ("VAULT_TOKEN_FILE", "BAO_TOKEN_FILE")]
    for address in [*named, *(f"file:{path.replace('%', '%25')}" for path in files)]:
        try:
            key = sources.parse(address)
        except SourceError:
            continue
        found.add((key.scheme, _spelled(key, credentials)))
    return found


def _spelled(uri: Uri, credentials: Credentials) -> str:
    """Return the name, normalized so that two names of the same secret are equal."""
    name = _name(uri)
    if uri.scheme == "file":
        return os.path.realpath(expanded(name, credentials.home))
    if uri.scheme == "vault":
        parts = [part for part in name.split("/") if part and part != "data"]
        return "/".join(parts[:-1] if uri.vals and uri.field is None else parts)
    return name


def _name(uri: Uri) -> str:
    """Return the part after the scheme, in one spelling."""
    if uri.scheme != "env":
        return uri.path
    from encconf.sources.env import name_in

    return name_in(uri)


_VAULT: Final = {
    name: tuple(f"{prefix}_{variable}" for prefix in ("VAULT", "BAO") for variable in variables)
    for name, variables in {
        "namespace": ("NAMESPACE",),
        "auth_method": ("AUTH_METHOD",),
        "role_id": ("ROLE_ID", "ROLE"),
        "secret_id": ("SECRET_ID",),
        "username": ("USERNAME",),
    }.items()
}
_AWS: Final = {"profile": ("ENCCONF_AWS_PROFILE", "AWS_PROFILE"), "role_arn": ("AWS_ROLE_ARN",)}
_CHOICES: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "vault": _VAULT,
    "awssm": _AWS,
    "awsssm": _AWS,
    "conjur": {
        "account": ("CONJUR_ACCOUNT",),
        "login": ("CONJUR_AUTHN_LOGIN",),
        "apikey": ("CONJUR_AUTHN_API_KEY",),
    },
    "cyberark": {"app_id": ("CYBERARK_APP_ID",)},
}
"""For each scheme, settings that choose the login or whose secrets are read, and variables for the same."""


def _check_query(uri: Uri, rules: Resolve, credentials: Credentials) -> None:
    """Check the server and the login that an address in vals' form chooses.  Raises SourceError.

    The environment or the rules must name the server.  An address may name variables and files with tokens
    and passwords only if references to them are allowed.
    """
    for name, value in uri.query.items():
        scheme = {"env": "env", "file": "file"}.get(name.rpartition("_")[2])
        # The value is decoded already: a % in it is one.
        if scheme and not rules.allows(Uri(scheme, value.replace("%", "%25")), credentials.home):
            raise SourceError(
                f"references may not set {name}",
                reason="denied",
                hint=f"ENCCONF_REF_ALLOW={scheme} allows it",
            )
    environ = credentials.environ
    for name, variables in _CHOICES.get(uri.scheme, {}).items():
        choice = uri.query.get(name)
        if not choice or choice in map(environ.get, variables) or rules.lets_choose(uri, name):
            continue
        shown = "…" if name in ("secret_id", "apikey") else printable(choice)[:80]
        raise SourceError(
            f"references may not choose {name}",
            reason="denied",
            hint=f"leave it out: use {variables[0]} instead, or allow it: "
            f"ENCCONF_REF_ALLOW={uri.scheme}?{name}={shown}",
        )
    address = uri.query.get("address") if uri.scheme != "cyberark" else None  # there, it is an account's
    own = [environ.get(name, "").strip() for name in ("VAULT_ADDR", "BAO_ADDR", "CONJUR_APPLIANCE_URL")]
    if address is None or (address and address in own):
        return
    server = origin(address)
    # The source itself checks its own variables again.
    variable = "ENCCONF_CONJUR_ALLOWLIST" if uri.scheme == "conjur" else "SOPS_HC_VAULT_ALLOWLIST"
    try:
        listed = permitted(environ, variable)
    except MasterKeyError as error:
        raise SourceError(error.message, hint=error.hint) from None
    if server is None or not (listed is None or server in {*rules.hosts, *map(origin, own), *listed}):
        named, _ = origin_and_path(address) or ("…", "")  # any other address may contain a password
        raise SourceError(
            f"references may not name the server {named}",
            reason="denied",
            hint=f"leave address out, or allow it: ENCCONF_REF_ALLOW={named}",
        )


def widened(credentials: Credentials, rules: Resolve) -> Credentials:
    """Return credentials that may also be sent to the hosts in the rules."""
    if not rules.hosts:
        return credentials
    environ = dict(credentials.environ)
    for name in ("SOPS_HC_VAULT_ALLOWLIST", "ENCCONF_AZURE_ALLOWLIST", "ENCCONF_CONJUR_ALLOWLIST"):
        now = environ.get(name, "").strip()
        if now not in ("all", "none"):
            environ[name] = ",".join(filter(None, (now, *sorted(rules.hosts))))
    moved = credentials.moved(
        environ, prompt=credentials.prompt, timeout=credentials.timeout, notify=credentials.say
    )
    moved.watch = credentials.watch
    return moved


# --- resolving ------------------------------------------------------------------------------------

Place = tuple[str, Document, Sequence[Value], bytearray | None]
"""A file's name (or ""), its document, its values, and which of them its MAC covers (None means all)."""

LIMIT: Final = 1000
"""How many references one call resolves."""

VALUE_LIMIT: Final = 1 << 20
"""The largest value that replaces a reference, in bytes (1 MiB)."""

TOTAL_LIMIT: Final = 64 << 20
"""How many bytes all values together may have that replace references (64 MiB, like a file)."""

_WIDTH = 16  # how many calls run at a time
_IDENTITY = re.compile(r"AGE-SECRET-KEY-[A-Z]*-?1|AGE-PLUGIN-[A-Z0-9-]+1", re.ASCII | re.IGNORECASE)


class _Found(Record):
    """One reference: its place, its address, and its value, or why it has none."""

    file: str
    path: Sequence[str | int]
    uri: Uri | None = None
    answer: str | SourceError = ""


def resolve(
    places: Sequence[Place], rules: Resolve | bool, credentials: Credentials, under: Path = ()
) -> list[dict[int, str]]:
    """Return the texts for the leaves with references, by their numbers, for each of some opened documents.

    If ``rules`` is True, those of the environment are used.  Only leaves ``under`` a path are resolved.
    Raises UnresolvedError, which lists every path that could not be resolved, and no value.
    """
    rules = rules if isinstance(rules, Resolve) else Resolve.from_env(credentials.environ)
    keys: set[tuple[str, str]] = set()
    found: list[_Found] = []
    texts: list[tuple[int, int, list[str | _Found]]] = []  # the place, the leaf, and the leaf's pieces
    for number, (file, document, values, covered) in enumerate(places):
        for index, leaf in enumerate(document.leaves):
            made: list[str | _Found] = []
            for literal, address in pieces_of(leaf, values[index], under):
                if address is None:
                    made.append(literal)
                    continue
                reference = _Found(file, leaf.path)
                made.append(reference)
                found.append(reference)
                if len(found) > LIMIT:
                    raise UnresolvedError(
                        f"the files have more than {LIMIT} references", hint="load fewer files at once"
                    )
                keys = keys or key_addresses(credentials)
                try:
                    if covered is not None and not covered[index]:
                        raise uncovered_error()
                    reference.uri = checked(address, rules, credentials, keys)
                except SourceError as error:
                    reference.answer = error
            if made:
                texts.append((number, index, made))
    _check(found)  # before anything is fetched
    _fetch(found, rules, widened(credentials, rules))
    _check(found)
    results: list[dict[int, str]] = [{} for _ in places]
    for number, index, made in texts:
        results[number][index] = "".join(
            str(piece.answer) if isinstance(piece, _Found) else piece for piece in made
        )
    return results


def _check(found: Sequence[_Found]) -> None:
    """Raise one error for all problems.  If they are in one file, it names the file as other errors do.

    Advice for one of several problems is below it.
    """
    problems = [(each, each.answer) for each in found if isinstance(each.answer, SourceError)]
    if not problems:
        return
    files = {reference.file for reference, _ in problems}
    which = "its only reference" if len(found) == 1 else f"{len(problems)} of {len(found)} references"
    lines = [f"{which} could not be resolved"]
    hints = Counter(error.hint for _, error in problems if error.hint)
    own = {hint for hint, count in hints.items() if count == 1 and len(problems) > 1}
    for reference, error in problems:
        where = spell(reference.path)
        if len(files) > 1:
            where = f"{reference.file}: {where}"
        what = f"  {reference.uri.label}" if reference.uri is not None else ""
        advice = f"\n{error.hint}" if error.hint in own else ""
        lines.append(f"  {where}{what}  {error.message}{advice}".replace("\n", "\n    "))
    shared = [hint for hint in hints if hint not in own]
    unresolved = UnresolvedError("\n".join(lines), hint="; ".join(shared) or None)
    unresolved.temporary = all(is_temporary(error) for _, error in problems)
    unresolved.file = files.pop() or None if len(files) == 1 else None
    raise unresolved


def _fetch(found: Sequence[_Found], rules: Resolve, credentials: Credentials) -> None:
    """Fetch the value of each address once, and give it to its references."""
    by_secret: dict[object, dict[Uri, list[_Found]]] = {}
    for reference in found:
        if reference.uri is not None:
            by_secret.setdefault(reference.uri.secret, {}).setdefault(reference.uri, []).append(reference)

    def ask(uris: Iterable[Uri]) -> dict[Uri, str | SourceError]:
        return {uri: _answer(uri, credentials) for uri in uris}

    jobs = [[uris] for uris in by_secret.values()]
    given = threads.race(ask, jobs, rules.call_timeout, rules.timeout, _WIDTH)
    total = 0
    for (uris,), (answers,) in zip(jobs, given, strict=True):
        if not isinstance(answers, dict):
            late = answers.message if answers is not None else f"no answer within {rules.timeout:g} s for all"
            answers = dict.fromkeys(uris, SourceError(late, reason="slow"))
        for uri, references in uris.items():
            for reference in references:
                reference.answer = answer = answers[uri]
                total += len(answer) if isinstance(answer, str) else 0
    if total > TOTAL_LIMIT:
        raise UnresolvedError(f"the values of the references are larger than {TOTAL_LIMIT >> 20} MiB")


def _answer(uri: Uri, credentials: Credentials) -> str | SourceError:
    try:
        text = sources.fetch_text(uri, credentials)
    except SourceError as error:
        return error
    if len(text.encode()) > VALUE_LIMIT:
        return SourceError(f"the value is larger than {VALUE_LIMIT >> 10} KiB", reason="wrong")
    shown = text
    if "encode" in uri.query:
        from binascii import a2b_base64

        with suppress(ValueError):  # a fallback
            shown = a2b_base64(text).decode("latin-1")
    return key_error() if _IDENTITY.search(shown) else text
