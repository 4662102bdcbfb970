"""The `sops` entry of a YAML document: added, changed and removed."""

from __future__ import annotations

import json

import pytest
import yaml as pyyaml
from formats.yaml_texts import TEXTS, trees_of
from oracle import AgeKey, Sops

from encconf import formats
from encconf.errors import ParseError
from encconf.formats.yaml_events import read
from encconf.text.document import LAYOUT, splice

yaml = formats.get("yaml")

BLOCK = {
    "age": [{"enc": "-----BEGIN AGE-----\nabc\n-----END AGE-----\n", "recipient": "age1x"}],
    "lastmodified": "2026-01-01T00:00:00Z",
    "mac": "ENC[AES256_GCM,data:AA==,iv:AA==,tag:AA==,type:str]",
    "shamir_threshold": 2,
    "unencrypted_suffix": "_unencrypted",
    "version": "3.13.3",
}
BLOCK_TEXT = "sops:\n  mac: x\n"


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\n",
        "a: 1\n# c\n",
        "a:\n  b: |\n    x\n\n\n",
        "  a: 1\n  b: 2\n",
        "---\na: 1\n...\n",
        "a: 1\n---\nb: 2\n---\n",
        "{a: 1}\n",
        "{}\n",
        '{"a": [1, 2],}\n',
        "{ }",
        "{a: s3cret,\n# c\n}\n",
        "{a: 1 # c\n}\n",
        "{a: 1, # c\n}\n",
        "{ # c\n}\n",
        "{a: [], # c\n  b: {} # d\n  # e\n}\n",
        "{a: &x {}, b: *x # c\n}\n",
        "{a: 1\n# x\n}\n---\nb: 2\n",
        "a: 1\r\nb: 2\r\n",
        "\ufeffa: 1\n",
        "---\n",
    ],
)
def test_attach_and_detach(text: str) -> None:
    block_text = yaml.render_block(BLOCK)
    attached = splice(text, yaml.attach(yaml.scan(text), block_text))
    document = yaml.scan(attached)
    assert document.block == BLOCK
    # A later document of only the block becomes {}, as in sops; the layout record has what was there.
    without = "{}\n" if text.endswith("---\n") and text != "---\n" else ""
    assert splice(attached, yaml.detach(document)) == text + without
    again = splice(attached, yaml.attach(document, block_text))
    assert again == attached


ROOTS = {name: text for name, text in TEXTS.items() if ":" in text or "{" in text}


@pytest.mark.parametrize("name", ROOTS)
@pytest.mark.parametrize("in_braces", [False, True])
def test_every_text_with_a_block(name: str, in_braces: bool) -> None:
    """PyYAML finds the block in each document, and all else as it was."""
    text = ROOTS[name]
    if name == "blocks":
        text = text.replace("h: |\n", "h: |-\n")  # as it is before a block is added
    block_text = yaml.render_block({**BLOCK, LAYOUT: "x"})
    if in_braces:
        block_text = f'"sops": {json.dumps({**BLOCK, LAYOUT: "x"})}'
    before = yaml.scan(text)
    attached = splice(text, yaml.attach(before, block_text))
    trees, wanted = trees_of(attached), trees_of(text)
    date = {"lastmodified": trees[0]["sops"]["lastmodified"]}  # which PyYAML reads as a date
    wanted = [{**tree, "sops": {**BLOCK, **date}} for tree in wanted]
    wanted[0]["sops"][LAYOUT] = "x"  # only the first one needs it
    assert trees == wanted
    document = yaml.scan(attached)
    assert document.block == {**BLOCK, LAYOUT: "x"}
    assert len([part for part in document.parts if part.block]) == len(trees)
    again = splice(attached, yaml.attach(document, block_text.replace("3.13.3", "3.13.4")))
    assert again == attached.replace("3.13.3", "3.13.4")
    ended = text if text.endswith("\n") or text.startswith("{") else text + "\n"
    assert splice(attached, yaml.detach(document)) == ended


@pytest.mark.parametrize("head", ["sops: # c", '"sops":', "'sops' : ", "sops: &x", "sops: !!map # c"])
def test_the_line_of_the_key_stays(head: str) -> None:
    block_text = yaml.render_block(BLOCK).replace("sops:", head, 1)
    document = yaml.scan(f"a: 1\n{block_text}")
    assert document.block == BLOCK
    changed = block_text.replace(str(BLOCK["mac"]), "new")
    assert splice(document.text, yaml.attach(document, changed)) == f"a: 1\n{changed}"
    flow = splice("{a: 1}\n", yaml.attach(yaml.scan("{a: 1}\n"), block_text))
    assert yaml.scan(flow).block == BLOCK


@pytest.mark.parametrize("suffix", ["_plain", "@x", "a: b", " x", "it's: x", "12", "y", 'say "x"', "x #y"])
def test_a_member_has_the_quotes_of_sops(suffix: str, sops: Sops, age_key: AgeKey) -> None:
    theirs = sops.encrypt("a: 1\n", "yaml", "--unencrypted-suffix", suffix, age=age_key.recipient)
    line = next(line for line in theirs.splitlines() if "unencrypted_suffix" in line)
    assert line in yaml.render_block({**BLOCK, "unencrypted_suffix": suffix})


@pytest.mark.parametrize(
    "block",
    [
        "sops:\n    mac: x\n    pgp: []\n",
        "sops:\n    pgp: []\n    mac: x\n    # tail\n",
        "sops:\n    age:\n        - enc: |\n            a\n            b\n    # tail\n    # more\n",
        "sops: {mac: x, pgp: []}\n",
        "sops:\n    mac: [x]\n",
        "sops:\n  version: 3.7.1 # why\n  # tail",
        "sops:\n",
    ],
)
@pytest.mark.parametrize("rest", ["", "# of the file\n", "z: 1\n"])
def test_a_block_goes_whole(block: str, rest: str) -> None:
    if rest and not block.endswith("\n"):
        block += "\n"
    text = "a: 1\n" + block + rest
    for document in (yaml.scan(text), read(text, False, pure=False), read(text, False, pure=True)):
        assert splice(text, yaml.detach(document)) == "a: 1\n" + rest


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (BLOCK_TEXT, "{}\n"),
        (f"# c\n{BLOCK_TEXT}# d\n", "# c\n{}\n# d\n"),
        (f"---\n{BLOCK_TEXT}", "---\n"),
        (f"a: 1\n---\n{BLOCK_TEXT}", "a: 1\n---\n{}\n"),
        (f"a: 1\n---\nb: 2\n{BLOCK_TEXT}---\nc: 3\n", "a: 1\n---\nb: 2\n---\nc: 3\n"),
        (f"a: 1\n{BLOCK_TEXT}---\nb: 2\n---\nc: 3\n{BLOCK_TEXT}", "a: 1\n---\nb: 2\n---\nc: 3\n"),
        (BLOCK_TEXT.replace("\n", "\r\n"), "{}\r\n"),
        (f"\ufeff{BLOCK_TEXT}", "\ufeff{}\n"),
        (f"\ufeff{BLOCK_TEXT}a: 1\n", "\ufeffa: 1\n"),
        (f"a: 1\n{BLOCK_TEXT}b: 2\n", "a: 1\nb: 2\n"),
        ("? sops\n: mac: x\na: 1\n", "a: 1\n"),
        ("  a: 1\n  sops:\n    mac: x\n", "  a: 1\n"),
        ("a: 1\n? sops # c\n: mac: x\n", "a: 1\n"),
    ],
)
def test_what_is_left_of_each_document(text: str, left: str) -> None:
    assert splice(text, yaml.detach(yaml.scan(text))) == left


def test_an_alias_and_its_anchor_on_both_sides_of_the_block() -> None:
    text = "x: 1\nsops:\n  age: &a [{enc: y}]\n  pgp: *b\nz: *a\n".replace("x: 1", "x: &b [w, v]")
    document = yaml.scan(text)
    assert document.block == {"age": [{"enc": "y"}], "pgp": ["w", "v"]}
    assert [(leaf.path, leaf.data) for leaf in document.leaves] == [
        (("x", 0), b"w"),
        (("x", 1), b"v"),
        (("z", 0, "enc"), b"y"),
    ]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ('{\n\t"a": 1,\n\t"sops": {"mac": "x"}\n}\n', '{\n\t"a": 1\n}\n'),
        ('{\n\t"sops": {"mac": "x"},\n\t"a": 1\n}\n', '{\n\t"a": 1\n}\n'),
        ('{\n\t"a": {},\n\t"sops": {\n\t\t"mac": "x"\n\t},\n}\n', '{\n\t"a": {},\n}\n'),
        ("{a: 1, sops: {mac: x}, b: 2}\n", "{a: 1, b: 2}\n"),
        ('{"a": "x, #y",\n  "sops": {"mac": "x"}\n}', '{"a": "x, #y"\n}'),
        ("{a: 1, # c,\n  sops: {mac: x}\n}\n", "{a: 1, # c,\n  \n}\n"),
        ('{\n\t"sops": {"mac": "x"}\n}\n', "{\n\t\n}\n"),
    ],
)
def test_a_block_in_braces_goes_with_its_comma_and_line(text: str, left: str) -> None:
    document = yaml.scan(text)
    assert splice(text, yaml.detach(document)) == left
    assert yaml.scan(left).outline == document.outline


@pytest.mark.parametrize(
    ("text", "attached"),
    [
        ("{ a: 1 }\n", '{ a: 1, "sops": {"m": 1} }\n'),
        ('{\n "a": 1\n}\n', '{\n "a": 1, "sops": {"m": 1}\n}\n'),
        ("{a: 1, }\n", '{a: 1, "sops": {"m": 1}, }\n'),
        ("{}\n", '{"sops": {"m": 1}}\n'),
        ("{ }\n", '{"sops": {"m": 1} }\n'),
        ("{a: 1 # c\n}\n", '{a: 1 # c\n, "sops": {"m": 1}}\n'),
        ("{a: 1, # c\n}\n", '{a: 1, # c\n "sops": {"m": 1},}\n'),
        ("{a: '#'}\n", '{a: \'#\', "sops": {"m": 1}}\n'),
        ("{a: [#\n], b: *c}\n".replace("b: *c", "b: &c x, d: *c"), None),
    ],
)
def test_where_a_block_is_added_in_braces(text: str, attached: str | None) -> None:
    found = splice(text, yaml.attach(yaml.scan(text), "sops: {m: 'x'}"))
    assert found == (attached or "}").replace('"sops": {"m": 1}', "sops: {m: 'x'}") or attached is None
    found = splice(text, yaml.attach(yaml.scan(text), '"sops": {"m": 1}'))
    assert found == (attached or text.replace("}\n", ', "sops": {"m": 1}}\n'))


@pytest.mark.parametrize("place", [0, 1, 2, 3])
@pytest.mark.parametrize("comma", ["", ","])
@pytest.mark.parametrize(
    ("begin", "between", "end"),
    [
        ("{", ", ", "}\n"),
        ("{", ",", "}"),
        ("{ ", " , ", " }\n"),
        ("{\n  ", ",\n  ", "\n}\n"),
        ("{\n\n  ", ",\n\n  ", "\n\n  }\n"),
        ("{ # a,\n  ", ", # b,\n  ", " # c,\n}\n"),
        ("{\r\n\t", ",\r\n\t", "\r\n}\r\n"),
        ("{x: 1}\n---\n{", ", ", "}\n---\n{y: 2, z: [3]}\n"),
        ("# a\n--- {", ", ", "} # b\n...\n"),
        ("{\n# a\n", "\n# b\n,\n", "\n# c\n}\n"),
    ],
)
def test_a_block_at_any_place_in_braces(place: int, comma: str, begin: str, between: str, end: str) -> None:
    """PyYAML reads what is left, and all comments are still there."""
    members = ["a: '#, '", "b: {c: [x], d: &y {}}", 'e: "}"']
    members.insert(place, 'sops: {mac: "x, #", l: [1]}')
    text = begin + between.join(members) + comma + end
    document = yaml.scan(text)
    number = int(begin.startswith("{x"))
    assert [part.block is not None for part in document.parts][number]
    left = splice(text, yaml.detach(document))
    wanted = trees_of(text)
    assert wanted[number].pop("sops") == {"mac": "x, #", "l": [1]}
    assert trees_of(left) == wanted
    assert left.count("# ") == text.count("# ")
    del members[place]
    if "#" not in begin + between + end and "\n\n" not in between and place < 3 and not comma:
        assert left == begin + between.join(members) + end
    again = yaml.scan(left)
    block_text = '"sops": {"mac": "y"}'
    attached = trees_of(splice(left, yaml.attach(again, block_text)))
    assert attached == [{**tree, "sops": {"mac": "y"}} for tree in wanted]


def test_a_block_at_the_start_of_a_text_with_a_byte_order_mark() -> None:
    document = yaml.scan("\ufeff? sops\n: mac: x\na: 1\n")
    assert splice(document.text, yaml.detach(document)) == "\ufeffa: 1\n"


@pytest.mark.parametrize("text", ["a: &x {b: *x}\n", "a: &x\n  b: *x\n", "a: &x [1, *x]\n"])
def test_an_alias_inside_its_own_anchor(text: str) -> None:
    with pytest.raises(ParseError, match="an alias is inside its own anchor"):
        yaml.scan(text)


@pytest.mark.parametrize(("newline", "mark"), [("\n", ""), ("\r\n", ""), ("\r", "\ufeff")])
@pytest.mark.parametrize("indent", range(4))
@pytest.mark.parametrize("key", ["sops:", '"sops":  ', "'sops' : # c"])
def test_the_text_of_a_block_at_any_place(newline: str, mark: str, indent: int, key: str) -> None:
    """It is the block's lines, without their indentation, and the comments in it."""
    members = (
        "    mac: x", "    # c", "    age:", "    -   enc: |", "            y", "        recipient: z",
        "    # d", "    w: v # e", "      # f", "", "    kms: []",
    )  # fmt: skip
    block = [key, *members]
    for last in (
        ("    q: |+", "        r", ""),
        ("    q:",),
        ("    q: ''",),
        ("    # g",),
        ("    l:", "    - 1"),
    ):
        for above, below in (
            ([], []), (["a: b"], []), ([], ["a: b"]), (["# h", "a:", "  b: c"], ["# i", "j: k"]),
            (["---"], []), (["a: |", "  b"], ["...", "# l"]),
        ):  # fmt: skip
            lines = [*above, *block, *last, *below]
            text = mark + "".join(
                " " * indent * (line not in ("---", "...")) + line + newline for line in lines
            )
            document = yaml.scan(text, comments=True)
            assert document.block_text == "".join(f"{line}\n" for line in (*block, *last))
            assert document.block == pyyaml.load(document.block_text, pyyaml.CSafeLoader)["sops"]


@pytest.mark.parametrize("value", ["x", "'x'", "[a, b]", "[]", "{}", "[{a: b}]", "~", "{mac: x}"])
@pytest.mark.parametrize("above", ["", "a: {b: c}\n", "a: [b]\n", "a:\n  b: {}\n"])
def test_where_an_entry_in_brackets_or_without_members_is(above: str, value: str) -> None:
    for below in ("", "z: 1\n", "z: {y: x}\n"):
        for pure in (False, True):
            document = read(f"{above}sops: {value}\n{below}", False, pure=pure)
            assert document.parts[0].block == (len(above), len(f"{above}sops: {value}"))
