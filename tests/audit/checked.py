"""A repository to check, and what is found in it."""

from __future__ import annotations

from collections.abc import Callable

from audit.repo import ALICE, BOB, DATABASE, Repo, groups, opener, rule, seal
from engine import update
from oracle import AgeKey

from encconf.git.merge import Repository, merge
from encconf.rules.selection import Selection

# Each makes a repository in which its kind is found; the second of a pair makes the harmless sibling.
Make = Callable[[Repo], None]

ONLY_PASSWORD = Selection("encrypted_regex", "^password$")

A = f"age: {ALICE.recipient}\n"


def sound(repo: Repo) -> None:
    repo.write("a.enc.yaml", seal(DATABASE))


def other_keys(repo: Repo) -> None:
    repo.write("a.enc.yaml", seal(DATABASE, rule(ALICE, BOB)))


def group_texts(threshold: str) -> str:
    lines = "".join(f"      - age: [{key.recipient}]\n" for key in (ALICE, BOB, CAROL))
    return f"  - path_regex: enc\n    key_groups:\n{lines}{threshold}"


CAROL = AgeKey.generate()


def same_threshold(repo: Repo) -> None:
    repo.config(group_texts("    shamir_threshold: 2\n"))
    repo.write("a.enc.yaml", seal(DATABASE, groups(ALICE, BOB, CAROL, threshold=2)))


OTHER_SIDES = (DATABASE.replace("0123456789", "9876543210"), DATABASE.replace("administrator", "superuser"))


def three_sides(*plain: str) -> list[str]:
    """Versions of a file with one data key."""
    first, *others = plain
    enc = seal(first)
    return [
        enc,
        *(update(enc, "yaml", other, credentials=opener(ALICE)) for other in others),
    ]


def merged_without_a_key(repo: Repo) -> None:
    sides = three_sides(DATABASE, *OTHER_SIDES)
    asked = Repository(parents=lambda: "a b c")
    done = merge(*sides, format="yaml", credentials=opener(BOB), repository=asked)
    repo.write("a.enc.yaml", done.text)


def kms_entries(profile: str) -> str:
    arn = "arn:aws:kms:eu-west-1:111122223333:key/aaaa"
    entry = f"        - arn: {arn}\n          created_at: '2026-01-01T00:00:00Z'\n          enc: AQICAHg=\n"
    return f"    kms:\n{entry}          aws_profile: {profile}\n"


def profile(repo: Repo) -> None:
    sound(repo)
    repo.edit("a.enc.yaml", r"^    age:", kms_entries("dev") + "    age:")


def two_rules(repo: Repo) -> None:
    sound(repo)
    repo.config(f"  - path_regex: enc\n    {A}  - path_regex: ^prod/\n    {A}")
