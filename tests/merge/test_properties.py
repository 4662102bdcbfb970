"""Random trees and random edits: a merge is a conflict, or says what a merge of the values says."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from oracle import AgeKey

from encconf import api, formats
from encconf.errors import EmptyDocumentError, EncconfError, UndecidedError
from encconf.git.conflict import open_conflict
from encconf.git.merge import Repository, reseal
from encconf.git.merge import merge as merge_files
from encconf.identities.credentials import Credentials
from encconf.keys.age import AgeKey as Recipient
from encconf.merge import Merged, mark, marked, merge
from encconf.rules.config import Rule
from encconf.rules.selection import Selection

_KEYS = st.sampled_from("abcdef")
_SCALARS = st.sampled_from([0, 1, -2, 1.5, True, None, "", "x", "y z", "# no comment", "line\nline", "ENC"])


def _trees(depth: int = 3) -> st.SearchStrategy[Any]:
    if depth == 0:
        return _SCALARS
    below = _trees(depth - 1)
    return _SCALARS | st.lists(below, max_size=4) | st.dictionaries(_KEYS, below, max_size=4)


TREES = st.dictionaries(_KEYS, _trees(), min_size=1, max_size=5)


def _edit(draw: st.DrawFn, tree: Any, depth: int = 3) -> Any:
    """A tree with something changed in it, perhaps."""
    if isinstance(tree, dict):
        out = {}
        for key, value in tree.items():
            what = draw(st.sampled_from(["keep", "keep", "keep", "edit", "delete"]))
            if what != "delete":
                out[key] = _edit(draw, value, depth - 1) if what == "edit" else value
        if draw(st.booleans()):
            out[draw(_KEYS)] = draw(_trees(max(depth - 1, 0)))
        return out
    if isinstance(tree, list):
        items = [_edit(draw, item, depth - 1) for item in tree if draw(st.integers(0, 4))]
        if draw(st.booleans()):
            items.insert(draw(st.integers(0, len(items))), draw(_SCALARS))
        return items
    return draw(_SCALARS) if draw(st.integers(0, 2)) == 0 else tree


@st.composite
def _versions(draw: st.DrawFn) -> tuple[Any, Any, Any]:
    base = draw(TREES)
    return base, _edit(draw, base), _edit(draw, base)


def as_yaml(tree: Any, indent: str = "") -> str:
    """A tree in block style."""
    if isinstance(tree, (dict, list)) and tree:
        lines = []
        pairs = tree.items() if isinstance(tree, dict) else [(None, item) for item in tree]
        for key, item in pairs:
            head = f"{indent}{key}:" if key is not None else f"{indent}-"
            deeper = isinstance(item, (dict, list)) and item
            lines.append(
                f"{head}\n{as_yaml(item, indent + '  ')}" if deeper else f"{head} {json.dumps(item)}\n"
            )
        return "".join(lines)
    return f"{indent}{json.dumps(tree)}\n"


def as_json(tree: Any) -> str:
    return json.dumps(tree, indent=2) + "\n"


SPELLED = {"yaml": as_yaml, "json": as_json}
ANY = object()
NOTHING = object()


def expected(base: Any, ours: Any, theirs: Any, prefer: Any) -> tuple[Any, bool]:
    """What a merge of values gives, ANY where lists were changed on both sides, and whether it is at odds."""
    if _same(ours, theirs) or _same(theirs, base):
        return ours, False
    if _same(ours, base):
        return theirs, False
    if isinstance(ours, list) and isinstance(theirs, list):
        return ANY, False
    empty = base is NOTHING or base is None or base in ({}, [])
    if isinstance(ours, dict) and isinstance(theirs, dict) and (isinstance(base, dict) or empty):
        was = base if isinstance(base, dict) else {}
        out, odds = {}, False
        for key in {**was, **ours, **theirs}:
            value, clash = expected(*(side.get(key, NOTHING) for side in (was, ours, theirs)), prefer)
            odds = odds or clash
            if value is not NOTHING:
                out[key] = value
        return out, odds
    return {"ours": ours, "theirs": theirs}[prefer], True


def _same(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)


def fits(found: Any, wanted: Any) -> bool:
    if wanted is ANY:
        return isinstance(found, list)
    if isinstance(wanted, dict):
        same = isinstance(found, dict) and found.keys() == wanted.keys()
        return same and all(fits(found[key], wanted[key]) for key in wanted)
    return _same(found, wanted)


def has_any(tree: Any) -> bool:
    return tree is ANY or (isinstance(tree, dict) and any(map(has_any, tree.values())))


def values(text: str, format: str) -> Any:
    trees = formats.get(format).load_plain(text) if text.strip() else [{}]
    return json.loads(json.dumps(trees[0]))


def picked(text: str, size: int, side: int) -> str:
    """A text with markers, resolved in favour of ours (0), base (1) or theirs (2)."""
    one, bar, line, end = (f"{sign * size}" for sign in "<|=>")
    pattern = re.compile(
        rf"^{one} [^\n]*\n(.*?)^{re.escape(bar)} [^\n]*\n(.*?)^{line}\n(.*?)^{end} [^\n]*\n", re.M | re.S
    )
    return pattern.sub(lambda found: found[side + 1], text)


@pytest.mark.parametrize("format", SPELLED)
@given(versions=_versions())
@example(({"a": 1}, {"a": 2}, {"a": 3}))
@example(({"a": [1, 2]}, {"a": [1, 3, 2]}, {"a": [1, 4, 2]}))
def test_a_merge_is_one_of_values(format: str, versions: tuple[Any, Any, Any]) -> None:
    base, ours, theirs = versions
    texts = [SPELLED[format](tree) for tree in versions]
    merged = merge(*texts, format=format)
    swapped = merge(texts[0], texts[2], texts[1], format=format)
    assert bool(merged.conflicts) is bool(swapped.conflicts)
    wanted, odds = expected(base, ours, theirs, "ours")
    if odds:
        assert merged.conflicts
    elif not has_any(wanted):
        assert not merged.conflicts, (texts, merged.conflicts)
    if not merged.conflicts:
        assert fits(values(merged.text, format), wanted)
        assert fits(values(swapped.text, format), values(merged.text, format)), texts
        return
    if not merged.whole:
        assert fits(values(merged.text, format), wanted)
        assert fits(values(merged.theirs, format), expected(base, ours, theirs, "theirs")[0])
    _check_markers(merged)


def _check_markers(merged: Merged) -> None:
    """Whoever takes one side of everything that is marked gets the text of that side."""
    text, size = mark(merged)
    assert marked(text, size)
    for side, whole in enumerate((merged.text, merged.base, merged.theirs)):
        assert picked(text, size, side).rstrip("\n") == whole.rstrip("\n")


@given(*[st.text("ab<=>|\n #:", max_size=40)] * 3)
def test_any_text_can_be_marked(ours: str, base: str, theirs: str) -> None:
    merged = Merged(ours, base, theirs, ["."], whole=True)
    text, size = mark(merged)
    if ours != theirs:
        assert marked(text, size)
    for side, whole in enumerate((ours, base, theirs)):
        if ours != theirs or side != 1:  # what both have changed alike is not shown
            assert picked(text, size, side).rstrip("\n") == whole.rstrip("\n")


@pytest.mark.parametrize("format", ["yaml", "json", "dotenv", "ini", "toml", "binary"])
@given(st.lists(st.text("ab:=-#[]{}\",'&*>|\n \t\\1.", max_size=30), min_size=3, max_size=3))
def test_nothing_is_raised(format: str, texts: list[str]) -> None:
    merged = merge(*texts, format=format)
    if not merged.conflicts and len({*texts}) == 3:
        assert all(_reads(text, format) for text in (*texts, merged.text))


def _reads(text: str, format: str) -> bool:
    try:
        formats.get(format).scan(text)
    except EmptyDocumentError:
        pass
    except EncconfError:
        return not text.strip()
    return True


ALICE = AgeKey.generate()
MINE, STRANGER = Credentials(ALICE.environ()), Credentials(AgeKey.generate().environ())
RULE = Rule([[Recipient.from_config(ALICE.recipient)]], selection=Selection("unencrypted_regex", "^[ab]$"))


@pytest.mark.parametrize("format", SPELLED)
@given(versions=_versions())
def test_it_is_the_merge_of_the_plain_texts_encrypted(format: str, versions: tuple[Any, Any, Any]) -> None:
    texts = [SPELLED[format](tree) for tree in versions]
    if "{}\n" in texts:
        return  # nothing that could be encrypted
    base = api.encrypt(texts[0], RULE, format=format, credentials=MINE)
    sides = [api.encrypt(text, format=format, twin=base, credentials=MINE) for text in texts[1:]]
    wanted = merge(*texts, format=format)
    ids = dict(zip("012", (base, *sides), strict=True))
    asked = Repository(
        rule=lambda: RULE, version=lambda id: ids[id[0]], parents=lambda: " ".join(id * 40 for id in ids)
    )
    try:
        outcome = merge_files(base, *sides, format=format, credentials=MINE, repository=asked)
    except EmptyDocumentError:
        assert not formats.get(format).scan(wanted.text).leaves
        return
    assert outcome.conflicts == wanted.conflicts
    if outcome.conflicts:
        assert open_conflict(outcome.text, format=format, credentials=MINE).merged.text == wanted.text
        return
    assert api.decrypt(outcome.text, format=format, credentials=MINE) == wanted.text
    # And without a key the same comes out, or nothing.
    try:
        keyless = merge_files(base, *sides, format=format, credentials=STRANGER, repository=asked)
    except UndecidedError:
        return
    text = keyless.text
    if not keyless.sealed:
        text = reseal(text, format=format, repository=asked, credentials=MINE)
    assert api.decrypt(text, format=format, credentials=MINE) == wanted.text
