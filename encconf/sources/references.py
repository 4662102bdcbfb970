"""References: values that stand for secrets kept elsewhere, and are replaced by them when a file is loaded.

::

    password: ref+vault://secret/data/app#/password
    url: postgres://app:ref+awssm://app/db#/password+@db.example.com/app

The syntax is that of helmfile's vals (its README, and pkg/expansion/expand_match.go): ``ref+`` or
``secretref+`` and the address of a source, up to a blank, a line break or a plus sign; a plus sign right
behind it is part of the reference.  A value that is nothing but a reference may also have encconf's own
form, without ``//``.  What comes in is text, and is not looked through for references again; a reference
inside a reference is refused.

The text of a file decides what is asked for, so that only what `Resolve` allows is asked, and only for
values that the file's MAC covers.  What opens files is no value: neither what ENCCONF_IDENTITY and its
like name, nor any other age identity.  Each secret is asked for once, side by side with the others.
"""

from __future__ import annotations

import os
import re
import time

from encconf import sources
from encconf.errors import MasterKeyError, SourceError, UnresolvedError, UsageError, is_temporary
from encconf.identities.credentials import (
    KEY_VARIABLES,
    SETTINGS,
    UNIT_IDENTITY,
    Credentials,
    expanded,
    printable,
)
from encconf.providers.https import origin, permitted
from encconf.text.path import spell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Final, TypeVar

    from encconf.sources import Uri
    from encconf.text.document import Document, Leaf
    from encconf.text.path import Path

    S = TypeVar("S")
    T = TypeVar("T")
    Place = tuple[str, Document, bytearray | None]
    """The file's name ("" without one), its document, and which leaves its MAC covers (None: all)."""

ASKED: Final = ("vault", "conjur", "cyberark", "awssm", "awsssm", "gcpsm", "azkv", "systemd")
"""Schemes that are allowed unless somebody says otherwise.

They decide by themselves who gets what, or were filled for this program on purpose.  All others give
whatever this user has: programs to run, files, variables, the keyring.
"""

LIMIT: Final = 1000
"""How many references one call resolves."""

VALUE_LIMIT: Final = 1 << 20
"""The largest value that takes the place of a reference, in bytes (1 MiB)."""

TOTAL_LIMIT: Final = 64 << 20
"""The most that comes in by one call, in bytes (64 MiB, as much as a file may have)."""

_WIDTH = 16  # calls at a time
_REFERENCE = re.compile(r'(?:secret)?ref\+([A-Za-z][A-Za-z0-9.-]*://[^+\n ]*[^+\n ",])\+?', re.ASCII)
_NESTED = re.compile(r"[A-Za-z][A-Za-z0-9.-]*://", re.ASCII)
_IDENTITY = re.compile(r"AGE-SECRET-KEY-[A-Z]*-?1|AGE-PLUGIN-[A-Z0-9-]+1", re.ASCII | re.IGNORECASE)
# A value that is a reference in encconf's own form; a command line has blanks.
_ALONE = re.compile(r"(?:secret)?ref\+(cmd:[^\n]+|([A-Za-z]+):(?!//)[^+\n ]+)\+?", re.ASCII)


class Resolve:
    """Which references may be resolved, and how long that may take.

    ``schemes`` are words (``vault``: every address of that kind) and beginnings of addresses
    (``env:APP_``, ``file:/run/secrets/``, ``azkv:my-vault/``); by default those of `ASKED`.  Whose secrets
    are read, and as whom, the environment says alone; what an address may choose there is named behind a
    question mark (``vault:secret/app/?namespace=team``, ``awssm?role_arn=arn:…``).  ``hosts`` are
    servers that addresses may name, and that get this program's credentials then, beside those that
    VAULT_ADDR and its like name, and the domains of Azure Key Vault: ``vault2.example.com:8200``, with
    ``http://`` if there is no TLS.  ``timeout`` is how long all may take together, and ``call_timeout``
    each secret, in seconds.

    Raises UsageError for a scheme that does not exist, and for what is no server.
    """

    __slots__ = ("call_timeout", "hosts", "schemes", "timeout")

    def __init__(
        self,
        *,
        schemes: Iterable[str] | None = None,
        hosts: Iterable[str] = (),
        timeout: float = 30,
        call_timeout: float = 20,
    ) -> None:
        for name, given in (("schemes", schemes), ("hosts", hosts)):
            if isinstance(given, str):  # its letters, one after the other
                raise UsageError(f"{name} is a list", hint=f"{name}=[{printable(given)[:40]!r}]")
        self.schemes = tuple(ASKED if schemes is None else schemes)
        self.hosts = frozenset(map(_origin, hosts))
        self.timeout = timeout
        self.call_timeout = call_timeout
        for entry in self.schemes:
            scheme = _beginning(entry)[0].partition(":")[0]
            if scheme not in sources.TABLE and scheme not in ASKED:
                from difflib import get_close_matches

                near = get_close_matches(scheme, sources.TABLE, 1)
                known = f"the schemes are {', '.join(sources.TABLE)}"
                raise UsageError(
                    f"no reference has the scheme {printable(scheme)[:40]!r}",
                    hint=f"did you mean {near[0]}?" if near else known,
                )

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Resolve:
        """The default, and what ENCCONF_REF_ALLOW allows beside it: schemes, beginnings and hosts.

        They stand there with white space or commas between; hosts have a dot, or a colon and a number.
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
        """Whether an address is of an allowed kind; ``home`` is the folder that ``~`` stands for."""
        return any(_matches(uri, _beginning(entry)[0], home) for entry in self.schemes)

    def lets_choose(self, uri: Uri, name: str) -> bool:
        """Whether an address may have the setting ``name`` that it has."""
        wanted = (name, uri.query[name])
        for entry in self.schemes:
            beginning, settings = _beginning(entry)
            if wanted in settings and _matches(uri, beginning, None):
                return True
        return False

    def __repr__(self) -> str:
        return (
            f"Resolve(schemes={self.schemes!r}, hosts={sorted(self.hosts)!r}, "
            f"timeout={self.timeout:g}, call_timeout={self.call_timeout:g})"
        )


def _beginning(entry: str) -> tuple[str, list[tuple[str, str]]]:
    """The word or beginning of an entry of ``schemes``, and the settings that it allows."""
    beginning, mark, settings = entry.partition("?")
    if not mark or beginning.partition(":")[0] not in ASKED:  # part of a path, or of a command
        return entry, []
    pairs = (each.partition("=") for each in settings.split("&"))
    return beginning, [(name, value) for name, _, value in pairs]


def _matches(uri: Uri, beginning: str, home: str | None) -> bool:
    """Whether an address is of a kind, or begins so: for a file wherever its links lead."""
    if beginning == uri.scheme:
        return True
    # A beginning says nothing about what a path leaves by its back door.
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
        raise UsageError(f"{printable(host)[:80]!r} is no server", hint="HOST, HOST:PORT, or with http://")
    return found


class _Found:
    """One reference: where it stands, what it asks for, and why it may not or could not be answered."""

    __slots__ = ("file", "path", "problem", "uri")

    def __init__(self, file: str, path: Sequence[str | int]) -> None:
        self.file = file
        self.path = path
        self.uri: Uri | None = None
        self.problem: SourceError | None = None


def resolve(
    places: Sequence[Place], rules: Resolve | bool, credentials: Credentials, under: Path = ()
) -> list[dict[int, str]]:
    """What the leaves with references become, by their numbers, for each of some opened documents.

    ``rules`` True are those of the environment; only leaves ``under`` a path are looked at.  Raises
    UnresolvedError, which lists every path that could not be resolved, and never a value.
    """
    rules = rules if isinstance(rules, Resolve) else Resolve.from_env(credentials.environ)
    keys: set[tuple[str, str]] = set()
    found: list[_Found] = []
    texts: list[tuple[int, int, list[str | _Found]]] = []  # place, leaf, and what it is made of
    for number, (file, document, covered) in enumerate(places):
        for index, leaf in enumerate(document.leaves):
            made: list[str | _Found] = []
            for literal, address in _pieces_of(leaf, under):
                if address is None:
                    made.append(literal)
                    continue
                reference = _Found(file, leaf.path)
                made.append(reference)
                found.append(reference)
                if len(found) > LIMIT:
                    raise UnresolvedError(
                        f"there are more than {LIMIT} references", hint="load fewer files at once"
                    )
                keys = keys or _keys(credentials)
                try:
                    if covered is not None and not covered[index]:
                        raise _uncovered()
                    reference.uri = _checked(address, rules, credentials, keys)
                except SourceError as error:
                    reference.problem = error
            if made:
                texts.append((number, index, made))
    _check(found)  # before anything is asked for
    values = _values(found, rules, credentials)
    _check(found)
    results: list[dict[int, str]] = [{} for _ in places]
    for number, index, made in texts:
        results[number][index] = "".join(
            piece if isinstance(piece, str) else values[piece.uri] for piece in made
        )
    return results


def _check(found: Sequence[_Found]) -> None:
    problems = [reference for reference in found if reference.problem is not None]
    if problems:
        raise _unresolved(problems, len(found))


def _below(path: Sequence[str | int], under: Path) -> bool:
    """Whether a path begins as another does, of which an index may count from the end."""
    steps = zip(path, under, strict=False)
    return len(path) >= len(under) and all(
        step == other or (isinstance(step, int) and isinstance(other, int) and other < 0)
        for step, other in steps
    )


def _pieces_of(leaf: Leaf, under: Path) -> list[tuple[str, str | None]]:
    """The `_pieces` of a value with references in it; none of any other."""
    if leaf.type != "str" or not leaf.data or b"ref+" not in leaf.data or not _below(leaf.path, under):
        return []
    try:
        pieces = _pieces(leaf.data.decode())
    except UnicodeDecodeError:
        return []
    return pieces if any(address is not None for _, address in pieces) else []


def _pieces(text: str) -> list[tuple[str, str | None]]:
    """A text as literals (text, None) and references (as written, the address)."""
    alone = _ALONE.fullmatch(text)
    if alone and (alone[2] is None or alone[2].lower() in (*sources.TABLE, *sources.ALIASES)):
        return [(text, alone[1])]
    pieces: list[tuple[str, str | None]] = []
    at = 0
    for match in _REFERENCE.finditer(text):
        if match.start() > at:
            pieces.append((text[at : match.start()], None))
        inner = match[1].endswith("ref") and match[0].endswith("+") and _NESTED.match(text, match.end())
        pieces.append((match[0], "" if inner else match[1]))
        at = match.end()
    if at < len(text) or not pieces:
        pieces.append((text[at:], None))
    return pieces


def _checked(address: str, rules: Resolve, credentials: Credentials, keys: set[tuple[str, str]]) -> Uri:
    """The address, if it may be asked for; raises SourceError."""
    if not address:
        raise SourceError("a reference inside a reference is not resolved", hint="write the address out")
    uri = sources.parse(address)
    if not rules.allows(uri, credentials.home):
        raise SourceError(
            f"references to {uri.scheme}: are not allowed here",
            reason="denied",
            hint=f"whoever loads the file can allow them: ENCCONF_REF_ALLOW={uri.scheme}, or resolve="
            f"Resolve(schemes=[…])",
        )
    spelled = _spelled(uri, credentials)
    # What a process has in its environment is there as a file, too.
    if (uri.scheme, spelled) in keys or (uri.scheme == "file" and spelled.startswith("/proc/")):
        raise _key_error()
    _check_query(uri, rules, credentials)
    return uri


def _uncovered() -> SourceError:
    return SourceError(
        "anybody can have put it there: the MAC leaves out what is not encrypted",
        reason="denied",
        hint="encrypt the value, or the file without mac_only_encrypted",
    )


def _key_error() -> SourceError:
    return SourceError(
        "it is a key that opens files, and no value", reason="denied", hint="keep keys and values apart"
    )


def _keys(credentials: Credentials) -> set[tuple[str, str]]:
    """Scheme and spelled name of what opens files; raises MasterKeyError."""
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
    """The name, in the same spelling for all that name the same."""
    name = _name(uri)
    if uri.scheme == "file":
        return os.path.realpath(expanded(name, credentials.home))
    if uri.scheme == "vault":
        parts = [part for part in name.split("/") if part and part != "data"]
        return "/".join(parts[:-1] if uri.vals and uri.field is None else parts)
    return name


def _name(uri: Uri) -> str:
    """What is behind the scheme, in one spelling."""
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
"""By scheme, what an address may say of whose secrets are read and as whom, and the variables that say it."""


def _check_query(uri: Uri, rules: Resolve, credentials: Credentials) -> None:
    """What vals lets an address say of the server and of the login; raises SourceError.

    The server must be one that the environment or the rules name.  Variables and files with tokens and
    passwords are as open to references as those that are values.
    """
    for name, value in uri.query.items():
        scheme = {"env": "env", "file": "file"}.get(name.rpartition("_")[2])
        if scheme and not rules.allows(sources.Uri(scheme, value, {}, None), credentials.home):
            raise SourceError(
                f"references may not say {name}",
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
            hint=f"leave it out: {variables[0]} says it; or allow it: "
            f"ENCCONF_REF_ALLOW={uri.scheme}?{name}={shown}",
        )
    address = uri.query.get("address")
    own = [environ.get(name, "").strip() for name in ("VAULT_ADDR", "BAO_ADDR", "CONJUR_APPLIANCE_URL")]
    if address is None or (address and address in own):
        return
    server = origin(address)
    # (A source looks once more, at its own variables.)
    variable = "ENCCONF_CONJUR_ALLOWLIST" if uri.scheme == "conjur" else "SOPS_HC_VAULT_ALLOWLIST"
    try:
        listed = permitted(environ, variable)
    except MasterKeyError as error:
        raise SourceError(error.message, hint=error.hint) from None
    if server is None or not (listed is None or server in {*rules.hosts, *map(origin, own), *listed}):
        named = server or printable(address)[:80]
        raise SourceError(
            f"references may not name the server {named}",
            reason="denied",
            hint=f"leave address out, or allow it: ENCCONF_REF_ALLOW={named}",
        )


def _widened(credentials: Credentials, rules: Resolve) -> Credentials:
    """Credentials that may be shown to the rules' hosts, too."""
    if not rules.hosts:
        return credentials
    environ = dict(credentials.environ)
    for name in ("SOPS_HC_VAULT_ALLOWLIST", "ENCCONF_AZURE_ALLOWLIST", "ENCCONF_CONJUR_ALLOWLIST"):
        now = environ.get(name, "").strip()
        if now not in ("all", "none"):
            environ[name] = ",".join(filter(None, (now, *sorted(rules.hosts))))
    return Credentials(
        environ,
        home=credentials.home,
        config_home=credentials.config_home,
        platform=credentials.platform,
        prompt=credentials.prompt,
        timeout=credentials.timeout,
        notify=credentials.say,
    )


# --- asking ----------------------------------------------------------------------------------


def _values(found: Sequence[_Found], rules: Resolve, credentials: Credentials) -> dict[Uri | None, str]:
    """The text for each address; where there is none, the references get their ``problem``."""
    by_secret: dict[object, dict[Uri, None]] = {}
    for reference in found:
        if reference.uri is not None:
            by_secret.setdefault(reference.uri.secret, {})[reference.uri] = None
    jobs = [list(uris) for uris in by_secret.values()]
    credentials = _widened(credentials, rules)

    def ask(uris: list[Uri]) -> dict[Uri, str | SourceError]:
        return {uri: _answer(uri, credentials) for uri in uris}

    answers: dict[Uri | None, str | SourceError] = {}
    for uris, given in zip(jobs, _side_by_side(ask, jobs, rules.call_timeout, rules.timeout), strict=True):
        for uri in uris:
            slow = SourceError(given, reason="slow") if isinstance(given, str) else None
            answers[uri] = slow or given[uri]  # type: ignore[index]
    values: dict[Uri | None, str] = {}
    total = 0
    for reference in found:
        if reference.uri is None:
            continue
        answer = answers[reference.uri]
        if isinstance(answer, SourceError):
            reference.problem = answer
            continue
        values[reference.uri] = answer
        total += len(answer)
        if total > TOTAL_LIMIT:
            raise UnresolvedError(f"what the references stand for is larger than {TOTAL_LIMIT >> 20} MiB")
    return values


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

        shown = a2b_base64(text).decode("latin-1")
    return _key_error() if _IDENTITY.search(shown) else text


def _side_by_side(call: Callable[[S], T], items: Sequence[S], each: float, limit: float) -> list[T | str]:
    """What ``call`` gives for each item, or a text that says that it took too long.

    Nobody waits for what is late: its thread is left to itself.
    """
    from queue import Empty, SimpleQueue
    from threading import Thread

    answers: list[T | str] = [f"no answer within {limit:g} s for all"] * len(items)
    done: SimpleQueue[tuple[int, T | BaseException]] = SimpleQueue()
    running: dict[int, float] = {}  # and until when
    end = time.monotonic() + limit
    begun = 0

    def run(at: int) -> None:
        try:
            done.put((at, call(items[at])))
        except BaseException as error:  # the thread that waits has to know
            done.put((at, error))

    while (now := time.monotonic()) < end:
        for at in [at for at, until in running.items() if until <= now]:
            del running[at]
            answers[at] = f"no answer within {each:g} s"
        while begun < len(items) and len(running) < _WIDTH:
            running[begun] = now + each
            Thread(target=run, args=(begun,), daemon=True).start()
            begun += 1
        if not running:
            break
        try:
            at, answer = done.get(timeout=max(min(*running.values(), end) - now, 0))
        except Empty:
            continue
        if isinstance(answer, BaseException):
            raise answer
        if running.pop(at, None) is not None:
            answers[at] = answer
    return answers


# --- the report ------------------------------------------------------------------------------


def _unresolved(problems: Sequence[_Found], total: int) -> UnresolvedError:
    """One error for all; those of one file carry its name as all errors do."""
    files = {reference.file for reference in problems}
    which = "its only reference" if total == 1 else f"{len(problems)} of {total} references"
    lines = [f"{which} could not be resolved"]
    hints: dict[str, None] = {}
    for reference in problems:
        error = reference.problem
        assert error is not None
        where = spell(reference.path)
        if len(files) > 1:
            where = f"{reference.file}: {where}"
        what = f"  {reference.uri.label}" if reference.uri is not None else ""
        lines.append(f"  {where}{what}  {error.message}".replace("\n", "\n    "))
        if error.hint:
            hints[error.hint] = None
    unresolved = UnresolvedError("\n".join(lines), hint="; ".join(hints) if len(hints) < 3 else None)
    unresolved.temporary = all(
        reference.problem and is_temporary(reference.problem) for reference in problems
    )
    unresolved.file = files.pop() or None if len(files) == 1 else None
    return unresolved
