"""Three versions of an encrypted file, for tests of merges without git."""

from __future__ import annotations

from typing import Any

from engine import credentials
from oracle import AgeKey

from encconf import api
from encconf.engine import sealing
from encconf.git import merge as merging
from encconf.git.merge import Outcome, Repository
from encconf.identities.credentials import Credentials
from encconf.keys.age import AgeKey as Recipient
from encconf.rules.config import Rule

ALICE, BOB, CAROL, DAVE = (AgeKey.generate() for _ in range(4))

ALL = credentials(ALICE, BOB, CAROL, DAVE)

STRANGER = Credentials(AgeKey.generate().environ())


def rule(*groups: list[AgeKey], threshold: int | None = None) -> Rule:
    return Rule([[Recipient.from_config(key.recipient) for key in group] for group in groups], threshold)


def repository(options: dict[str, Any], by: Rule | None = None) -> Repository:
    """One whose .sops.yaml has a rule; the rest of what it says is taken out of options."""
    names = [name for name in ("version", "parents", "follows") if name in options]
    return Repository(rule=lambda: by, **{name: options.pop(name) for name in names})


def merged(base: str, ours: str, theirs: str, by: Rule | None = None, **options: Any) -> str:
    credentials = options.pop("credentials", ALL)
    asked = repository(options, by)
    return merging.merge(
        base, ours, theirs, format="yaml", credentials=credentials, repository=asked, **options
    ).text


A, AB, ABC = rule([ALICE]), rule([ALICE, BOB]), rule([ALICE, BOB, CAROL])


MINE = credentials(ALICE)


def merge(*texts: str, by: Rule | None = None, **options: Any) -> Outcome:
    """A merge where our .sops.yaml names Alice, Bob and Carol, unless it says something else."""
    return merging.merge(*texts, repository=repository(options, by or ABC), **options)


def reseal(text: str, **options: Any) -> str:
    return merging.reseal(text, repository=repository(options, ABC), **options)


def seal(text: str, format: str, twin: str | None = None) -> str:
    return api.encrypt(text, None if twin else rule([ALICE]), format=format, twin=twin, credentials=MINE)


def changed(twin: str, text: str, by: Rule | None = None, *, credentials: Credentials = ALL) -> str:
    """Return the file with another text, and perhaps other recipients, under the same data key."""
    return sealing.encrypt(text, by, format="yaml", twin=twin, edits_twin=True, credentials=credentials)


def versions(base: str, ours: str, theirs: str, format: str) -> tuple[str, str, str]:
    first = seal(base, format)
    return first, seal(ours, format, first), seal(theirs, format, first)
