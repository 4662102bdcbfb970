"""``check --verify``: what only opening the files shows."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from audit.repo import ALICE, DATABASE, Repo, seal
from oracle import AgeKey


def spoiled(text: str) -> str:
    """With another first character in the ciphertext of the password."""
    return re.sub(
        r"(password: ENC\[AES256_GCM,data:)(.)", lambda at: at[1] + ("A" if at[2] != "A" else "B"), text
    )


@pytest.mark.parametrize(
    ("damage", "slugs"),
    [
        (lambda text: text, set()),
        (spoiled, {"damaged-value"}),
        (
            lambda text: re.sub(r"(?m)^( +lastmodified: ).*", r'\1"2020-01-01T00:00:00Z"', text),
            {"mac-mismatch"},
        ),
    ],
)
def test_what_the_key_shows(repo: Repo, damage: Callable[[str], str], slugs: set[str]) -> None:
    repo.rules()
    repo.write("a.enc.yaml", damage(seal(DATABASE)))
    shown = {"damaged-value", "mac-mismatch", "not-verified"}
    assert shown.isdisjoint(repo.slugs())
    assert shown & repo.slugs(verify=ALICE) == slugs


def test_a_file_that_none_of_the_keys_opens(repo: Repo) -> None:
    repo.rules()
    repo.write("a.enc.yaml", seal(DATABASE))
    report = repo.check(verify=AgeKey.generate())
    (note,) = [each for each in report.findings if each.slug == "not-verified"]
    assert "\n" not in note.message
    assert report.verified == 0


def test_how_many_were_opened(repo: Repo) -> None:
    repo.rules()
    repo.write("a.enc.yaml", seal(DATABASE))
    repo.write("b.enc.yaml", spoiled(seal(DATABASE)))
    assert repo.check(verify=ALICE).verified == 1
    assert repo.check().verified == 0
