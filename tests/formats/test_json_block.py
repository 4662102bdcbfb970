"""The `sops` member of a JSON text: spelled as sops spells it, laid out as its document is, and removed."""

from __future__ import annotations

import json

import pytest
from formats.json_texts import KEYS, detach, documents
from hypothesis import given
from hypothesis import strategies as st

from encconf.formats import module
from encconf.text.document import splice

format = module("json")

BLOCK: dict[str, object] = {
    "mac": "ENC[AES256_GCM,data:bWFj,iv:aXY=,tag:dGFn,type:str]",
    "lastmodified": "2026-01-02T03:04:05Z",
    "age": [{"recipient": "age1x", "enc": "-----BEGIN-----\nYQ==\n"}],
    "version": "3.13.3",
    "shamir_threshold": 2,
    "kms": [],
}


def attach(text: str, block_text: str) -> str:
    return splice(text, format.attach(format.scan(text), block_text))


def test_render_as_sops_does() -> None:
    assert format.render_block(BLOCK) == (
        '"sops": {\n'
        '\t"age": [\n'
        "\t\t{\n"
        '\t\t\t"enc": "-----BEGIN-----\\nYQ==\\n",\n'
        '\t\t\t"recipient": "age1x"\n'
        "\t\t}\n"
        "\t],\n"
        '\t"kms": [],\n'
        '\t"lastmodified": "2026-01-02T03:04:05Z",\n'
        '\t"mac": "ENC[AES256_GCM,data:bWFj,iv:aXY=,tag:dGFn,type:str]",\n'
        '\t"shamir_threshold": 2,\n'
        '\t"version": "3.13.3"\n'
        "}"
    )


_BLOCKS = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(1 << 63), (1 << 63) - 1), st.floats(allow_nan=False,
    allow_infinity=False),
              st.text(st.characters(codec="utf-8"))),
    lambda inner: st.one_of(st.lists(inner, max_size=3),
    st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)),
    max_leaves=10,
)  # fmt: skip


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), _BLOCKS, max_size=5), documents())
def test_blocks_come_back(block: dict[str, object], text: str) -> None:
    assert format.scan(attach(text, format.render_block(block))).block == block


@given(documents())
def test_attach_and_detach(text: str) -> None:
    whole = attach(text, format.render_block(BLOCK))
    assert json.loads(whole) == {**json.loads(text), "sops": BLOCK}
    assert list(json.loads(whole)) == [*json.loads(text), "sops"]
    assert '"mac": "ENC[' in whole
    assert detach(whole) == text
    document = format.scan(whole)
    assert document.block_text is not None
    assert attach(text, document.block_text) == whole  # a block keeps its layout where it was
    assert attach(whole, document.block_text) == whole
    changed = attach(whole, format.amend(document.block_text, {"mac": "other"}))
    assert format.scan(changed).block == {**BLOCK, "mac": "other"}
    assert detach(changed) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", '{"sops": {"mac": "ENC[", "version": "3"}}'),
        ("{ }\n", '{"sops": {"mac": "ENC[", "version": "3"} }\n'),
        ('{"a": 1}\n', '{"a": 1, "sops": {"mac": "ENC[", "version": "3"}}\n'),
        ('{"a":1}', '{"a":1,"sops": {"mac": "ENC[","version": "3"}}'),
        ('{\n  "a": 1\n}', '{\n  "a": 1,\n  "sops": {\n    "mac": "ENC[",\n    "version": "3"\n  }\n}'),
        ('{\n\t"a": {}\n}\n', '{\n\t"a": {},\n\t"sops": {\n\t\t"mac": "ENC[",\n\t\t"version": "3"\n\t}\n}\n'),
        (
            '{\r\n "a": [\r\n ]\r\n}',
            '{\r\n "a": [\r\n ],\r\n "sops": {\r\n  "mac": "ENC[",\r\n  "version": "3"\r\n }\r\n}',
        ),
        (
            '  {\n    "a": 1\n  }',
            '  {\n    "a": 1,\n    "sops": {\n      "mac": "ENC[",\n      "version": "3"\n    }\n  }',
        ),
        ("{\n}", '{\n\t"sops": {\n\t\t"mac": "ENC[",\n\t\t"version": "3"\n\t}\n}'),
        ('{\n"a": 1\n}', '{\n"a": 1,\n"sops": {\n"mac": "ENC[",\n"version": "3"\n}\n}'),
        ('{"a": 1,\n "b": 2\n}', '{"a": 1,\n "b": 2, "sops": {"mac": "ENC[", "version": "3"}\n}'),
    ],
)
def test_the_block_looks_like_its_document(text: str, expected: str) -> None:
    whole = attach(text, format.render_block({"version": "3", "mac": "ENC["}))
    assert whole == expected
    assert detach(whole) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"sops": {"a": 1}, "b": 2}', '{"b": 2}'),
        ('{\n  "sops": {},\n  "b": 2\n}\n', '{\n  "b": 2\n}\n'),
        ('{"a": 1, "sops": {}, "b": 2}', '{"a": 1, "b": 2}'),
        ('{\n\t"a": [],\n\t"sops": {},\n\t"b": 2\n}', '{\n\t"a": [],\n\t"b": 2\n}'),
        ('{"a":1 , "sops":{} , "b":2}', '{"a":1 , "b":2}'),
        ('{"sops":{}}', "{}"),
        ('{\n\t"sops": {\n\t}\n}\n', "{\n}\n"),
        ('{ "sops":{} , "b":2 }', '{ "b":2 }'),
        ('{"a": 1}', '{"a": 1}'),
    ],
)
def test_a_block_anywhere_goes(text: str, expected: str) -> None:
    assert detach(text) == expected


COMPACT = '"sops": {"age":[{"mac":"inner"}], "mac" : "old","version": 3}'

TABBED = '"sops": {\n\t\t"lastmodified": "l",\n\t\t"mac": "old",\n\t\t"version": "3"\n\t}'


@pytest.mark.parametrize(
    ("block_text", "changes", "expected"),
    [
        (COMPACT, {"mac": 'n"w'}, '"sops": {"age":[{"mac":"inner"}], "mac" : "n\\"w","version": 3}'),
        (COMPACT, {"version": "x"}, '"sops": {"age":[{"mac":"inner"}], "mac" : "old","version": "x"}'),
        (COMPACT, {"mac": None}, '"sops": {"age":[{"mac":"inner"}],"version": 3}'),
        (COMPACT, {"age": None, "version": None}, '"sops": {"mac" : "old"}'),
        (COMPACT, {"nothing": None}, COMPACT),
        (COMPACT, {"b": "1"}, '"sops": {"age":[{"mac":"inner"}], "b": "1", "mac" : "old","version": 3}'),
        (TABBED, {"mac": "new", "lastmodified": "m"}, TABBED.replace("old", "new").replace('"l"', '"m"')),
        (TABBED, {"a": "1"}, TABBED.replace("{\n", '{\n\t\t"a": "1",\n')),
        (TABBED, {"m": "1"}, TABBED.replace('\t\t"mac"', '\t\t"m": "1",\n\t\t"mac"')),
        (TABBED, {"z": "1"}, TABBED.replace('"3"', '"3",\n\t\t"z": "1"')),
        (TABBED, {"lastmodified": None}, TABBED.replace('"lastmodified": "l",\n\t\t', "")),
        (TABBED, {"version": None}, TABBED.replace(',\n\t\t"version": "3"', "")),
        ('"sops": {}', {"a": "1", "b": "2"}, '"sops": {"a": "1","b": "2"}'),
        ('"sops": {"a": {"b": "c"}}', {"b": "d", "a": None}, '"sops": {"b": "d"}'),
    ],
)  # fmt: skip
def test_amend(block_text: str, changes: dict[str, str | None], expected: str) -> None:
    assert format.amend(block_text, changes) == expected


@given(
    documents(),
    st.dictionaries(
        KEYS | st.sampled_from(sorted(BLOCK)), st.none() | st.text(st.characters(codec="utf-8")), max_size=4
    ),
)
def test_amend_in_any_layout(text: str, changes: dict[str, str | None]) -> None:
    document = format.scan(attach(text, format.render_block(BLOCK)))
    assert document.block_text is not None
    after = {**BLOCK, **changes}
    amended = format.amend(document.block_text, changes)
    assert format.scan("{" + amended + "}").block == {
        name: value for name, value in after.items() if value is not None
    }
    back = format.amend(amended, {name: None for name in changes if name not in BLOCK})
    assert set(format.scan("{" + back + "}").block or {}) <= set(BLOCK)
