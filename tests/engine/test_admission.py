"""Who may join a file: a key that only the encrypted file names gets no data key."""

from __future__ import annotations

import re
from pathlib import Path

import engine
import pytest
from engine import credentials, rule
from oracle import AgeKey

import encconf
from encconf import api
from encconf.git import merge as git

EVIL = "arn:aws:kms:eu-west-1:123456789012:key/evil"


@pytest.fixture
def sealed(age_key: AgeKey) -> str:
    return api.encrypt("a: 1\nb: x\n", rule(age_key), credentials=credentials(age_key))


def with_stranger(sealed: str) -> str:
    """A file to which somebody without its key added a KMS key, as a sops before 3.3.0 wrote them.

    Its data key is to be wrapped again when recipients change.
    """
    entry = (
        f"    version: 3.2.0\n    kms:\n        - arn: {EVIL}\n"
        '          context:\n              a: "1"\n              b: "2"\n'
        '          created_at: "2020-01-01T00:00:00Z"\n          enc: AAAA\n          aws_profile: ""\n'
    )
    found = re.sub(r"(?m)^ +version: .*\n", lambda _: entry, sealed)
    assert found != sealed
    return found


def test_a_twin_lets_no_recipient_join(sealed: str, age_key: AgeKey) -> None:
    kept = api.encrypt("a: 2\n", twin=with_stranger(sealed), credentials=credentials(age_key))
    assert kept.count("enc: AAAA") == 1, "nothing was wrapped"
    assert kept.count("version: 3.2.0") == 1


def test_a_rule_without_the_stranger_takes_its_place(sealed: str, age_key: AgeKey) -> None:
    done = api.encrypt("a: 2\n", rule(age_key), twin=with_stranger(sealed), credentials=credentials(age_key))
    assert EVIL not in done


def test_a_file_that_is_edited_lets_no_recipient_join(
    sealed: str, age_key: AgeKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.enc.yaml"
    path.write_text(with_stranger(sealed))
    monkeypatch.chdir(tmp_path)
    edited = encconf.edit(path, credentials=credentials(age_key))
    with edited as doc:
        doc["a"] = 2
    assert path.read_text().count("enc: AAAA") == 1


def test_a_merge_lets_no_recipient_join(sealed: str, age_key: AgeKey) -> None:
    creds = credentials(age_key)
    one = engine.change(sealed, "yaml", (("a",), 2), credentials=creds)
    two = engine.change(sealed, "yaml", (("b",), "y"), credentials=creds)
    sides = [with_stranger(text) for text in (sealed, one, two)]
    merged = git.merge(*sides, format="yaml", credentials=creds).text
    assert merged.count("enc: AAAA") == 1
