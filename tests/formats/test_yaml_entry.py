"""Where the ``sops`` entry of a YAML document ends, and what it says."""

from __future__ import annotations

import pytest
import yaml as pyyaml
from formats.yaml_texts import TEXTS

from encconf import formats
from encconf.formats import yaml_fast
from encconf.formats.yaml_events import read

yaml = formats.get("yaml")

BLOCK = "sops:\n    mac: x\n    age: []\n"


@pytest.mark.parametrize(
    ("text", "block"),
    [
        (f"a: 1\n{BLOCK}", BLOCK),
        (f"{BLOCK}a: 1\n", BLOCK),
        (f"a: 1\n{BLOCK}\n\n", BLOCK),
        (f"a: 1\n{BLOCK}    # its own\n# of the file\n", f"{BLOCK}    # its own\n"),
        (f"a: 1\n{BLOCK}    # its own\nz: 1\n", f"{BLOCK}    # its own\n"),
        (
            "a: 1\nsops:\n  mac: |-\n    x\n  v: |\n    y\n\nz: 1\n",
            "sops:\n  mac: |-\n    x\n  v: |\n    y\n",
        ),
        ("a: 1\nsops:\n  mac: x\n  none:\n", "sops:\n  mac: x\n  none:\n"),
        ("a: 1\nsops: {mac: x}\n", "sops: {mac: x}"),
        ("{a: 1, sops: {mac: x}}\n", "sops: {mac: x}"),
        ('{"a": 1,\n "sops": {\n  "mac": "x"\n }\n}\n', '"sops": {\n "mac": "x"\n}'),
        ("\ufeffsops:\n  mac: x\na: 1\n", "sops:\n  mac: x\n"),
        ("  a: 1\n  sops:\n    mac: x\n", "sops:\n  mac: x\n"),
        ("\ufeffa: 1\nsops:\n  mac: x\n# c\nz: 1\n", "sops:\n  mac: x\n"),
        ("\ufeff a: 1\n sops:\n   mac: x\n  # c\n # d\n z: 1\n", "sops:\n  mac: x\n # c\n"),
        ("a: 1\r\nsops:\r\n  mac: x\r\n", "sops:\n  mac: x\n"),
        ("a: 1\nsops:\n  mac: x", "sops:\n  mac: x\n"),
    ],
)
def test_the_text_of_a_block(text: str, block: str) -> None:
    by_lines = yaml_fast.scan(text, False)
    for document in (yaml.scan(text), read(text, False, pure=False), read(text, False, pure=True), by_lines):
        if document is None:
            continue  # it takes libyaml
        assert document.block_text == block
        assert document.block is not None
        assert document.block["mac"] == "x"
        assert [leaf.path for leaf in document.leaves] in ([("a",)], [("a",), ("z",)])


@pytest.mark.parametrize("text", ["a: 1\n? sops\n: mac: x\n", "a: 1\n&s sops: {mac: x}\n"])
def test_a_key_that_is_not_spelled_plainly(text: str) -> None:
    document = yaml.scan(text)
    assert document.block == {"mac": "x"}
    assert document.block_text is None


def test_values_of_a_block() -> None:
    text = "a: 1\nsops:\n  i: 0x10\n  t: 2024-01-02\n  f: 1.50\n  b: true\n  n: ~\n  s: '5'\n"
    block = {"i": 16, "t": "2024-01-02", "f": "1.50", "b": True, "n": None, "s": "5"}
    assert yaml.scan(text).block == block
    assert read(text, False, pure=True).block == block


def test_only_the_first_block_is_read() -> None:
    document = yaml.scan(f"a: 1\n{BLOCK}---\nb: 2\nsops: {{mac: y}}\n")
    assert document.block == {"mac": "x", "age": []}
    assert document.block_text == BLOCK
    assert [part.block is not None for part in document.parts] == [True, True]
    assert document.outline == ["%", ".a", "%", ".b"]


@pytest.mark.parametrize("text", ["a: 1\nsops: text\n", "a: 1\nsops: [x]\n", "a: 1\nsops:\n"])
def test_an_entry_that_is_no_mapping(text: str) -> None:
    document = yaml.scan(text)
    assert document.block is None
    assert document.parts[0].block is not None
    assert [leaf.path for leaf in document.leaves] == [("a",)]


@pytest.mark.parametrize(
    "text",
    [
        "sops: 1\n",
        "a: 1\nsops: 1\n",
        "'sops': 1\n",
        'a: 1\n"sops" : 1\n',
        "  a: 1\n  sops: 1\n",
        "a:\n  sops: 1\n",
        "a:\n  sops: 1\nb: 1\n",
        "  a:\n    sops: 1\n",
        "{a: 1, sops: {}}\n",
        "{a: 1, 'sops' : {}}\n",
        '{"a": 1,\n"sops": {}}\n',
        "# c\n{sops: 1}\n",
        "--- {sops: 1}\n",
        "---\n{sops: 1}\n",
        "--- # c\n{sops: 1}\n",
        "%YAML 1.1\n--- \n{sops: 1}\n",
        "--- &x {sops: 1}\n",
        "--- !!map\n{sops: 1}\n",
        "  {a: 1}\n",
        " {sops: 1}\n",
        "{a: xsops}\n",
        "{a: 1, sopsy: 1}\n",
        "a: {sops: 1}\n",
        "a: '{'\nsops: 1\n",
        "a: |\n  x\n  sops: 1\n",
        "a: b\n# sops: 1\n",
        "a: |\n sops: 1\nb: 1\n",
        "# c\n  a: 1\n  sops: 1\n",
        "--- # c\n  a: 1\n  sops: 1\n",
        "%YAML 1.1\n---\n  a: 1\n  sops: 2\n...\n",
        "sopsy: 1\n",
        "\n\nsops: 1",
        "# {\n#sops: 1\na: 1\n",
        "a: sops\n",
        " # c\n  sops: 1\n",
        "  sops: 1\n   \n  a: 1\n",
        "  a: 1\n  sops: 1\n ",
        "- sops: 1\n",
        "{a: [sops]}\n",
        "\n  {sops: x}\n",
        "1{: sops\n",
        "'a': {}\nb:\n  sops: 1\n",
        "a:\n sops: 1\n",
        " a:\n  sops: 1\n",
        *TEXTS.values(),
    ],
)
def test_which_texts_have_an_entry(text: str) -> None:
    """As PyYAML says, without a parser."""
    first = next(iter(pyyaml.load_all(text, pyyaml.CSafeLoader)), None)
    assert yaml.has_entry(text.encode()) == (isinstance(first, dict) and "sops" in first)
