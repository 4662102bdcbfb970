"""Two versions of a file, compared."""

from __future__ import annotations

from oracle import FIXTURES, AgeKey

from encconf.audit import diff
from encconf.audit.diff import Difference, Side
from encconf.identities.credentials import Credentials
from encconf.text.path import spell

ALICE, BOB, CAROL = (AgeKey.load(FIXTURES / "keys" / f"{name}.txt") for name in ("alice", "bob", "carol"))

EVERYBODY = Credentials(
    {"SOPS_AGE_KEY": " ".join(key.identity for key in (ALICE, BOB, CAROL))}, home="/nonexistent"
)


def compare(
    old: str | None,
    new: str | None,
    *,
    key: bool = True,
    one_file: bool = True,
    name: str = "s.yaml",
    other: str = "",
) -> Difference:
    sides = Side("old", name, old), Side("new", other or name, new)
    return diff.compare(*sides, one_file=one_file, credentials=EVERYBODY if key else None)


def changes_in(found: Difference) -> list[str]:
    """Each change in a few words: its kind (with ? where it is uncertain) and its paths."""
    lines = []
    for change in found.changes:
        where = spell(change.path)
        if change.kind == "moved" and change.old is not None:
            where = f"{spell(change.old)} > {where}"
        lines.append(f"{change.kind}{'' if change.certain else '?'} {where}")
    return lines
