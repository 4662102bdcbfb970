"""The address of a secret, and its parts."""

from __future__ import annotations

import re
from collections.abc import Mapping

from encconf.record import Record
from encconf.text.printable import printable

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
