"""encconf on the files of fixtures/: those made by sops, and the hard layouts."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import yaml
from oracle import FIXTURES, AgeKey, Sops, gpg_home

import encconf
from encconf.errors import EncconfError
from encconf.rules import config
from fixtures import make

CASES = {case["name"]: case for case in make.cases()}
KEPT = sorted((FIXTURES / "hard" / "kept").iterdir())
REFUSED = sorted((FIXTURES / "hard" / "refused").iterdir())
ALICE = AgeKey.load(FIXTURES / "keys" / "alice.txt")


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put every key of fixtures/keys into the environment."""
    identities = [make.key(name).identity for name in ("alice", "bob", "carol")]
    monkeypatch.setenv("SOPS_AGE_KEY", "\n".join(identities))
    monkeypatch.setenv("GNUPGHOME", str(gpg_home()))


@pytest.fixture(scope="module")
def alices_sops() -> Sops:
    return Sops({**ALICE.environ(), "GNUPGHOME": str(gpg_home())})


def stored(name: str, kind: str) -> str:
    return (FIXTURES / "sops" / f"{name}.{kind}.{make.format_of(CASES[name])}").read_bytes().decode()


def trees(text: str, format: str) -> list[Any]:
    """Read a text without encconf, as trees in which every scalar is its text."""
    if format == "json":
        return [json.loads(text, parse_float=str, parse_int=str, parse_constant=str)]
    return [tree or {} for tree in yaml.load_all(text, Loader=yaml.CBaseLoader)]


def same(a: Any, b: Any) -> bool:
    """Whether two trees are equal, ignoring the spelling of numbers and nulls."""
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if a == b or {a, b} <= {"", "~", "null", None}:
        return True
    try:
        return float(a) == float(b)
    except (TypeError, ValueError):
        return False


def comments(text: str) -> list[str]:
    """Return the comments of a text, sorted.  Its values must not contain ``#``."""
    return sorted(found for found in re.findall(r"(?:^|(?<=\s))#(.*)$", text, flags=re.M) if found.strip())


def sealed(tree: Any, path: tuple[Any, ...] = ()) -> set[tuple[Any, ...]]:
    """Return the paths of the ``ENC[…]`` values of an encrypted tree."""
    if isinstance(tree, dict):
        return {found for key in tree for found in sealed(tree[key], (*path, key))}
    if isinstance(tree, list):
        # A comment of sops in a list is not a value, nor is the "" that sops makes of a bare ``#`` there.
        items = [item for item in tree if item != "" and not str(item).endswith("type:comment]")]
        return {found for index, item in enumerate(items) for found in sealed(item, (*path, index))}
    return {path} if isinstance(tree, str) and tree.startswith("ENC[AES256_GCM,") else set()


# --- what sops made --------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_decrypt_gives_what_sops_gives(name: str) -> None:
    format = make.format_of(CASES[name])
    text = encconf.decrypt(stored(name, "enc"), format=format)
    assert "ENC[AES" not in text
    ours, theirs = trees(text, format), trees(stored(name, "out"), format)
    assert len(ours) == len(theirs)
    assert all(map(same, ours, theirs))


@pytest.mark.parametrize("name", [name for name in CASES if make.format_of(CASES[name]) == "yaml"])
def test_no_comment_is_lost_or_left_sealed(name: str) -> None:
    """This includes comments that sops encrypted but cannot decrypt, because their place has changed."""
    assert comments(encconf.decrypt(stored(name, "enc"), format="yaml")) == comments(make.plain(CASES[name]))


@pytest.mark.parametrize("name", CASES)
def test_loads_all_gives_the_keys_of_decrypt(name: str) -> None:
    format = make.format_of(CASES[name])
    loaded = encconf.loads_all(stored(name, "enc"), format=format)
    written = trees(encconf.decrypt(stored(name, "enc"), format=format), format)
    assert [list(tree) for tree in loaded] == [list(tree) for tree in written]


def test_yaml_types() -> None:
    assert encconf.loads(stored("types", "enc"), format="yaml") == {
        "strings": {
            "plain": "just words",
            "single": "it's quoted",
            "double": "tab\there, snowman ☃",
            "digits": "0123",
            "yes_is_a_word": "yes",
            "block": "first line\nsecond line\n",
            "folded": "one long paragraph",
            "unicode": "Grüße, 世界 🔑",
            "empty": "",
            "looks_sealed": "ENC[not really",
        },
        "integers": [0, 1, -1, 42, 2**63 - 1, -(2**63)],
        "floats": [0.5, -12.75, 1e-7, 6.02e23, float("inf"), float("-inf")],
        "booleans": [True, False, True, False],
        "times": [
            datetime(2001, 12, 14, tzinfo=UTC),
            datetime(2001, 12, 14, 21, 59, 43, 100_000, tzinfo=timezone(timedelta(hours=-5))),
        ],
        "nothing": {"tilde": None, "word": None, "blank": None},
        "collections": {"list": [], "map": {}, "nested": [[1, [2]], {"a": {"b": "c"}}]},
    }


def test_json_types() -> None:
    loaded = encconf.loads(stored("types-json", "enc"), format="json")
    assert loaded == {
        "string": "just words",
        "escaped": 'tab\there, quote " and slash / and snowman ☃',
        "unicode": "Grüße, 世界 🔑",
        "empty": "",
        "integer": 42,
        "negative": -7,
        "float": 12.75,
        "small": 1e-7,
        "yes": True,
        "no": False,
        "nothing": None,
        "list": ["a", 1, True, None, ["b"], {"c": "d"}],
        "none": [],
        "blank": {},
    }


@pytest.mark.parametrize("name", CASES)
def test_a_rewrite_changes_mac_and_date_only(name: str, alices_sops: Sops) -> None:
    """An edit without changes keeps every ciphertext, key and unknown entry, and sops can read the result."""
    format = make.format_of(CASES[name])
    before = stored(name, "enc")
    after = encconf.encrypt(encconf.decrypt(before, format=format), None, format=format, twin=before)
    # A comment that sops 3.11 wrote as a list item becomes a comment again, with the same ciphertext.
    before = re.sub(r"^( *)- (ENC\[.*,type:comment\])$", r"\1#\2", before, flags=re.M)
    changed = [
        (old, new)
        for old, new in zip(before.splitlines(), after.splitlines(), strict=True)
        if old != new and not re.match(r'\s*"?(mac|lastmodified)"?: ', new)
    ]
    assert changed == []
    if not name.startswith("shamir"):
        alices_sops.decrypt(after, format)


# --- what sops makes of ours -----------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in CASES if "changes" not in CASES[name]])
def test_sops_reads_ours(name: str) -> None:
    """The same values are encrypted.  sops accepts the MAC, and reads the same values and comments."""
    case = CASES[name]
    format = make.format_of(case)
    plain = make.plain(case)
    rule = config.load(os.path.abspath(".sops.yaml"), make.config(case)).rule_for(f"input.{format}")
    ours = encconf.encrypt(plain, rule, format=format)

    theirs = trees(stored(name, "enc"), format)
    for mine, sops_made in zip(trees(ours, format), theirs, strict=True):
        del mine["sops"], sops_made["sops"]
        assert sealed(mine) == sealed(sops_made)

    identities = "\n".join(make.key(who).identity for who in ("alice", "bob", "carol"))
    sops = Sops({"SOPS_AGE_KEY": identities, "GNUPGHOME": str(gpg_home())})
    opened = sops.decrypt(ours, format)
    wanted = plain if case["source"] == "comments.yaml" else stored(name, "out")
    assert all(map(same, trees(opened, format), trees(wanted, format)))
    if format == "yaml":
        assert comments(opened) == comments(plain)
    assert encconf.decrypt(ours, format=format) == plain


# --- hard layouts ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def for_alice() -> config.Rule:
    text = f"creation_rules:\n- age: {ALICE.recipient}\n"
    return config.load(os.path.abspath(".sops.yaml"), text).rule_for("input.yaml")


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.name)
def test_hard_layouts_come_back_to_the_byte(path: Any, for_alice: config.Rule, alices_sops: Sops) -> None:
    text = path.read_bytes().decode()
    format = path.suffix[1:]
    ours = encconf.encrypt(text, for_alice, format=format)
    assert encconf.decrypt(ours, format=format) == text

    # sops would make an item of a bare ``#`` in a list, so remove these.
    given = re.sub(r"^ *#\n", "", text, flags=re.M)
    theirs = alices_sops.decrypt(alices_sops.encrypt(given, format, age=ALICE.recipient), format)
    assert all(map(same, trees(alices_sops.decrypt(ours, format), format), trees(theirs, format)))


@pytest.mark.parametrize("path", REFUSED, ids=lambda path: path.name)
def test_hard_texts_are_refused(path: Any, for_alice: config.Rule) -> None:
    raw = path.read_bytes()
    with pytest.raises((EncconfError, UnicodeDecodeError)) as caught:
        encconf.encrypt(raw.decode(), for_alice, format=path.suffix[1:])
    if isinstance(caught.value, EncconfError):
        assert caught.value.message
