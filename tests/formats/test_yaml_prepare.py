"""Aliases and comments that sops could not read back."""

from __future__ import annotations

import re

import pytest
from engine import credentials, rule
from oracle import AgeKey, Sops
from pace import at_most

from encconf import api, formats
from encconf.errors import ParseError
from encconf.formats import yaml_prepare
from encconf.rules.selection import Selection
from encconf.text.document import splice

yaml = formats.get("yaml")


@pytest.mark.parametrize(
    ("text", "chosen", "prepared", "originals"),
    [
        ("a: &x 1\nb: *x\n", [1, 0], "a: &x 1\nb: 1\n", ["*x"]),
        ("a: &x 1\nb: *x\n", [1, 1], None, []),
        ("a: &x 1\nb: *x\n", [0, 1], None, []),
        ("a: &x ~\nb: *x\n", [1, 0], None, []),
        ("a: &x 's'\nb: *x\n", [1, 0], "a: &x 's'\nb: \"s\"\n", ["*x"]),
        ("a: &x {k: v}\nb: *x\n", [1, 1], 'a: &x {k: v}\nb: {"k": "v"}\n', ["*x"]),
        ("a: &x {k: v}\nb: *x\n", [0, 0], None, []),
        ("a: &x [1, {b: ~}]\nb: *x\n", [1, 0, 0, 0], 'a: &x [1, {b: ~}]\nb: [1, {"b": null}]\n', ["*x"]),
        ("a: &x {k: v}\nb:\n  <<: *x\n", [1, 0], 'a: &x {k: v}\nb:\n  <<: {"k": "v"}\n', ["*x"]),
        ("a: &x v\n*x : 1\n", [1, 1], 'a: &x v\n"v" : 1\n', ["*x"]),
        ("a: 1", [1], "a: 1\n", []),
        ("a: {}", [], "a: {}\n", []),
        ("a: |\n  x", [1], "a: |-\n  x\n", ["|\n  x"]),
        ("a: |\n\n   ", [0], "a: |\n\n", ["   "]),
        ("a: |\n  x\n  ", [1], "a: |\n  x\n", ["  "]),
        ("{a: 1}", [1], None, []),
        ("a: |", [0], 'a: ""\n', ["|"]),
        ("a: !!null |-\n  ~", [0], "a: !!null null\n", ["!!null |-\n  ~"]),
        ("a: &x >+  ", [0], 'a: &x ""\n', ["&x >+  "]),
        ("b: 1\na: &x |\n  y", [0, 0], "b: 1\na: &x |-\n  y\n", ["&x |\n  y"]),
        ("a: |2\n   x\nb: |+2 # c\n   y", [0, 0], "a: |2\n   x\nb: |2- # c\n   y\n", ["|+2 # c\n   y"]),
        ("a: &x v\nb: &y *x\n".replace("&y ", ""), [0, 0], None, []),
        ("a: &x v\nb: [*x]\nc: *x\n", [1, 0, 1], 'a: &x v\nb: ["v"]\nc: *x\n', ["*x"]),
        ("a: &x [1, 2]\nb: *x\nc: *x\n", [0, 0, 0, 1, 0, 0], "a: &x [1, 2]\nb: [1, 2]\nc: *x\n", ["*x"]),
        ("a: &x v\n*x : 1\n", [0, 1], None, []),
        (
            "a: &a {x: 1}\nb: &b {<<: *a}\nc: *b\n",
            [0, 0, 1],
            'a: &a {x: 1}\nb: &b {<<: *a}\nc: {<<: {"x": 1}}\n',
            ["*b"],
        ),
        ("a: &x v\nb: &y {*x : 1}\n", [1, 0], 'a: &x v\nb: &y {"v" : 1}\n', ["*x"]),
        ("a: 1\n---\nb: 2", [0, 0], "a: 1\n---\nb: 2\n", []),
        ("a: 1\r\nb: 2", [0, 0], "a: 1\r\nb: 2\r\n", []),
    ],
)  # fmt: skip
def test_prepare(text: str, chosen: list[int], prepared: str | None, originals: list[str]) -> None:
    found = yaml.prepare(yaml.scan(text), bytearray(chosen))
    if prepared is None:
        assert found is None
        return
    assert found is not None
    assert found.text == prepared
    assert list(found.originals.values()) == originals
    assert yaml.load_plain(found.text) == yaml.load_plain(text)


def test_the_places_of_originals() -> None:
    found = yaml.prepare(yaml.scan("a: &x 1\nb: *x\nc: *x\n"), bytearray([1, 0, 0]))
    assert found is not None
    assert {found.text[at] for at in found.originals} == {"1"}


@pytest.mark.parametrize("text", ['a: &x 1\nb: *x\nc: "\\/s3cret"\n', 'a: "\\/s3cret"\n'])
def test_a_slash_that_sops_cannot_read_stays_in_no_plaintext(text: str) -> None:
    document = yaml.scan(text)
    chosen = bytearray(len(document.leaves))
    with pytest.raises(ParseError, match="escape") as caught:
        yaml.prepare(document, chosen)
    assert "s3cret" not in str(caught.value)
    chosen[-1] = 1
    yaml.prepare(document, chosen)


def test_a_slash_elsewhere_is_no_escape() -> None:
    document = yaml.scan("a: 'x\\/y'\nb: x\\/y\nc: |\n  \\/\nd: \"\\\\/\"\n")
    assert yaml.prepare(document, bytearray(4)) is None


@pytest.mark.parametrize(
    "value", ["{a: 1}", "[{a: 1}, {b: 2}]", "*x", "[*x]", "[*x, {c: 1}, *x]", "&y {a: 1}", "[]"]
)
def test_merge_keys_that_sops_takes(value: str) -> None:
    for text in (f"z: &x {{a: 1}}\nb:\n  <<: {value}\n", f"z: &x {{a: 1}}\nb: {{<<: {value}, c: 1}}\n"):
        document = yaml.scan(text)
        assert yaml.prepare(document, bytearray(len(document.leaves))) is None


@pytest.mark.parametrize("value", ["*x", "[*y]"])
def test_merge_keys_of_aliased_lists(value: str) -> None:
    """sops refuses a list that is an alias, but only in the first document."""
    text = f"z: &x [{{a: 1}}]\ny: &y 5\nb:\n  <<: {value}\n"
    document = yaml.scan(text)
    with pytest.raises(ParseError, match="merge key") as caught:
        yaml.prepare(document, bytearray(len(document.leaves)))
    assert caught.value.line == 4
    later = yaml.scan(f"a: 1\n---\n{text}")
    assert yaml.prepare(later, bytearray(len(later.leaves))) is None


@pytest.mark.parametrize("value", ["x", "[1]", "[{a: 1}, 2]"])
def test_merge_keys_that_sops_refuses(value: str) -> None:
    document = yaml.scan(f"a: 1\nb:\n  <<: {value}\n")
    with pytest.raises(ParseError, match="merge key") as caught:
        yaml.prepare(document, bytearray(len(document.leaves)))
    assert caught.value.line == 3


@pytest.mark.parametrize(
    ("text", "moved"),
    [
        ("l:\n# h\n- a: 1 # i\n", "l:\n# h\n# i\n- a: 1\n"),
        ("l:\n# h\n- # i\n  a: 1\n", "l:\n# h\n# i\n-\n  a: 1\n"),
        ("l:\r\n  # h\r\n  - a: 1 # i\r\n", "l:\r\n  # h\r\n  # i\r\n  - a: 1\r\n"),
        ("l:\n# h\n- - - a # i\n", "l:\n# h\n# i\n- - - a\n"),
        ("l:\n# h\n-\n  # i\n  a: 1\n", "l:\n# h\n# i\n-\n  a: 1\n"),
        ("l:\n- a: 1 # i\n", None),
        ("l:\n# h\n- a: 1\n  b: 2 # i\n", None),
        ("l:\n# h\n- a: 1\n- b: 2 # i\n", None),
        ("# h\nl:\n  a: 1 # i\n", None),
        ("l:\n-\n  # g\n  - a: 1 # i\n", "l:\n-\n  # g\n  # i\n  - a: 1\n"),
        ("l:\n# h\n-\n  # g\n  - a: 1 # i\n", "l:\n# h\n# g\n# i\n-\n  - a: 1\n"),
        ("l:\n- # g\n  - - a # i\n", None),
        ("l:\n# h\n- - a # i\n  # j\n  - b\n", "l:\n# h\n# i\n- - a\n  # j\n  - b\n"),
        ("l:\n  # h\n  # g\n  - - a: 1 # i\n", "l:\n  # h\n  # g\n  # i\n  - - a: 1\n"),
        ("l:\n# h\n- a # i\n", None),
    ],
)  # fmt: skip
def test_comments_that_move(text: str, moved: str | None) -> None:
    document = yaml.scan(text, comments=True)
    edits = yaml_prepare.moves(document)
    assert (splice(text, edits) if edits else None) == moved
    found = yaml.prepare(yaml.scan(text), bytearray(len(document.leaves)))
    assert (found and found.text) == moved
    assert yaml.prepare(document, bytearray(len(document.leaves)), comments=True) is None


@pytest.mark.parametrize(
    "text",
    [
        "l:\n  # zone\n  - cron: a # weekdays\n",
        "l:\n  # zone\n  - # x\n    cron: a\n",
        "l:\n  # zone\n  -\n    # x\n    cron: a\n    b: c # y\n",
        "l:\n# zone\n# two\n- cron: a # weekdays\n  b: c\n",
        "l:\r\n  # zone\r\n  - cron: a # weekdays\r\n",
        "l:\n  # zone\n  - - a # x\n",
        "l:\n  # zone\n  - - - a # x\n      # y\n      - b\n",
        "l:\n  # zone\n  - cron: | # x\n      a\n",
        "l:\n  # zone\n  - a: [x, y] # z\n    b: &x 0x1F\n    c: *x\n",
        "l:\n  - x: y # c\n  # zone\n  - - a: b # c\n",
        "l:\n  -\n    # zone\n    - # y\n      - a: b # c\n",
        "# h\nl:\n  # zone\n\n  - a: b # c\n# end\n",
        "a: b\n---\nl:\n  # zone\n  - cron: a # weekdays\n",
    ],
)
def test_sops_keeps_both_comments(text: str, sops: Sops, age_key: AgeKey) -> None:
    """One above a list, and one at the first entry of its first item; sops loses one of its own files'."""
    creds = credentials(age_key)
    sealed = api.encrypt(text, rule(age_key), credentials=creds)
    assert api.decrypt(sealed, credentials=creds) == text
    assert sorted(re.findall("#.*", sops.decrypt(sealed, "yaml"))) == sorted(
        found.rstrip("\r") for found in re.findall("#.*", text)
    )
    edited = sops.edit(sealed, "yaml", "text += 'new: x\\n'")
    assert sorted(re.findall("#.*", api.decrypt(edited, credentials=creds))) == sorted(
        found.rstrip("\r") for found in re.findall("#.*", text)
    )
    again = api.encrypt(text + "new: x\n", twin=sealed, credentials=creds)
    assert api.decrypt(again, credentials=creds) == text + "new: x\n"
    assert len({*sealed.splitlines()} - {*again.splitlines()}) <= 4, "the MAC, its date and the record"


def test_a_rule_by_comments_takes_them_where_they_are(age_key: AgeKey) -> None:
    text = "l:\n  # zone\n  - cron: a # secret\n    b: c\n"
    by = Selection("encrypted_comment_regex", "secret")
    creds = credentials(age_key)
    sealed = api.encrypt(text, rule(age_key, selection=by), credentials=creds)
    assert sealed.startswith("l:\n  # zone\n  - cron: ENC[")
    assert api.decrypt(sealed, credentials=creds) == text


def test_comments_above_many_dashes_are_sought_once() -> None:
    document = yaml.scan("a: |\n  # c\n  " + "-" * 100_000 + "x\nb: 1\n")
    with at_most(2):
        assert yaml.prepare(document, bytearray(2)) is None
