"""Three versions of an encrypted file, for tests of merges without git."""

from __future__ import annotations

from typing import Any

from oracle import AgeKey

from encconf import api
from encconf.git import merge as merging
from encconf.git.outcome import Outcome
from encconf.identities.credentials import Credentials
from encconf.keys.age import AgeKey as Recipient
from encconf.rules.config import Rule

ALICE, BOB, CAROL, DAVE = (AgeKey.generate() for _ in range(4))

ALL = Credentials({"SOPS_AGE_KEY": "\n".join(key.identity for key in (ALICE, BOB, CAROL, DAVE))})

STRANGER = Credentials(AgeKey.generate().environ())


def rule(*groups: list[AgeKey], threshold: int | None = None) -> Rule:
    return Rule([[Recipient.from_config(key.recipient) for key in group] for group in groups], threshold)


def merged(base: str, ours: str, theirs: str, by: Rule | None = None, **options: Any) -> str:
    credentials = options.pop("credentials", ALL)
    return merging.merge(
        base, ours, theirs, format="yaml", credentials=credentials, rule=lambda: by, **options
    ).text


A, AB, ABC = rule([ALICE]), rule([ALICE, BOB]), rule([ALICE, BOB, CAROL])


def credentials(key: AgeKey) -> Credentials:
    return Credentials({"SOPS_AGE_KEY": key.identity})


MINE = credentials(ALICE)


def merge(*texts: str, by: Rule | None = None, **options: Any) -> Outcome:
    """A merge where our .sops.yaml names Alice, Bob and Carol, unless it says something else."""
    return merging.merge(*texts, rule=lambda: by or rule([ALICE, BOB, CAROL]), **options)


def reseal(text: str, **options: Any) -> str:
    return merging.reseal(text, rule=lambda: rule([ALICE, BOB, CAROL]), **options)


def seal(text: str, format: str, twin: str | None = None) -> str:
    return api.encrypt(text, None if twin else rule([ALICE]), format=format, twin=twin, credentials=MINE)


def versions(base: str, ours: str, theirs: str, format: str) -> tuple[str, str, str]:
    first = seal(base, format)
    return first, seal(ours, format, first), seal(theirs, format, first)
