"""The rules that say which unit gets which value, and the name by which systemd identifies the unit.

A rule is ``UNIT:CREDENTIAL=PATH``: a unit that matches UNIT gets the value at PATH if it asks for CREDENTIAL.
Every other request is refused.  UNIT may contain ``*`` and ``?`` (``app@*.service``).  A step ``%i`` of PATH
is the unit's instance, so that one rule can give each instance its own value.

Before it connects, systemd (src/core/exec-credential.c) binds its end to the abstract name
``\\0RANDOM/unit/UNIT/CREDENTIAL``.  Any process can bind an abstract name, so it is valid only from a peer
that may speak for systemd: see `encconf.systemd.server`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

from encconf.errors import LimitError, UsageError, about
from encconf.io import fileio
from encconf.record import Record
from encconf.text.path import Path, parse, spell

INSTANCE = "%i"
"""The step of a path that is replaced by the unit's instance."""

SIZE_LIMIT = 1 << 20
"""The most that systemd accepts for all credentials of a unit with their names, in bytes (1 MiB)."""

NAMES_LIMIT = 83
"""How long the names of a unit and of a credential may be together, in bytes.

A socket's name has 107 bytes, which also contain ``@``, 16 digits, ``/unit/`` and ``/``.  A unit with longer
names fails.
"""

_TYPES = "service|socket|mount|swap"  # the types of units that run programs
_OTHER_TYPES = re.compile(r"\.(?:automount|device|path|scope|slice|target|timer)\Z")
_LETTERS = r"A-Za-z0-9:_.\\@\-"
_UNIT = re.compile(rf"[{_LETTERS}]{{1,250}}\.(?:{_TYPES})")
_PATTERN = re.compile(rf"[{_LETTERS}*?]{{1,250}}\.(?:{_TYPES})")
# A file name of visible ASCII characters.  A colon or a backslash would be lost by systemd.
_CREDENTIAL = re.compile(r"(?!\.\.?\Z)[!-.0-9;-\[\]-~]{1,255}")
_ADDRESS = re.compile(
    rf"\0[0-9a-f]{{1,16}}/unit/(?P<unit>{_UNIT.pattern})/(?P<credential>[^/]+)".encode("ascii")
)
_HINT = "a rule looks like app.service:db_password=database.password"


class Request(Record):
    """A peer's request: a ``credential`` for a ``unit``."""

    unit: str
    credential: str

    @classmethod
    def of_address(cls, address: object) -> Request | None:
        """Return the request in the name of a peer's socket, or None if systemd did not make the name."""
        found = _ADDRESS.fullmatch(address) if isinstance(address, bytes) else None
        if found is None:
            return None
        credential = found["credential"].decode("ascii", "replace")
        if not _CREDENTIAL.fullmatch(credential):
            return None
        return cls(found["unit"].decode("ascii"), credential)

    @property
    def instance(self) -> str:
        """The ``x`` of ``app@x.service``, or "" for a unit without an instance."""
        return self.unit.rpartition(".")[0].partition("@")[2]


class Rule:
    """One rule: units that match ``unit`` may have ``credential``, which is the value at ``path``."""

    def __init__(self, unit: str, credential: str, path: Path) -> None:
        if not re.search(rf"\.(?:{_TYPES})\Z", unit) and not _OTHER_TYPES.search(unit):
            unit += ".service"  # as systemctl does
        if not _PATTERN.fullmatch(unit):
            raise UsageError(f"{unit} is not the name of a unit that runs a program", hint=_HINT)
        if not _CREDENTIAL.fullmatch(credential):
            raise UsageError(
                f"{credential!r} is not a name for a credential",
                hint="use letters, digits and characters like _ . -, but no colons, slashes or blanks",
            )
        long = len(unit) + len(credential)
        if long > NAMES_LIMIT and "*" not in unit:
            raise LimitError(
                f"the names {unit} and {credential} are too long: {long} bytes together, and systemd allows"
                f" {NAMES_LIMIT}"
            )
        if path.count(INSTANCE) > 1 or (INSTANCE in path and "@" not in unit):
            raise UsageError(
                f"a path may contain {INSTANCE} once, and only for a unit that has instances",
                hint="a rule looks like app@*.service:password=customers.%i.password",
            )
        self.unit = unit
        self.credential = credential
        self.path = path

    def __str__(self) -> str:
        return f"{self.unit}:{self.credential}={spell(self.path)}"

    def allows(self, request: Request) -> bool:
        """Whether the rule allows a request."""
        return request.credential == self.credential and fnmatchcase(request.unit, self.unit)


def read(text: str) -> Rule:
    """Read a rule.  Without ``=PATH``, the path is a key with the credential's name.

    Raises UsageError, PathSyntaxError or LimitError.
    """
    names, equals, path = text.partition("=")
    unit, colon, credential = names.rpartition(":")
    if not colon or not unit:
        raise UsageError(f"{text!r} is not a rule", hint=_HINT)
    return Rule(unit, credential, parse(path) if equals else (credential,))


def read_file(path: str) -> list[Rule]:
    """Read the rules of a file, one per line.  Blank lines and lines that begin with ``#`` are ignored.

    Raises InputError if other users may have written the file, and what `read` raises, with the line's
    number.
    """
    found = []
    with about(path):
        for number, line in enumerate(fileio.read_text(path, own=True).splitlines(), 1):
            line = line.strip()
            if line and not line.startswith("#"):
                try:
                    found.append(read(line))
                except (UsageError, LimitError) as error:
                    error.message = f"line {number}: {error.message}"
                    raise
    return found


def find(rules: Iterable[Rule], request: Request) -> Rule | None:
    """Return the first rule that allows a request, or None."""
    return next((rule for rule in rules if rule.allows(request)), None)
