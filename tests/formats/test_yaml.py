"""YAML through events: the same document from both parsers, and spellings that mean what they should."""

from __future__ import annotations

from typing import Any

import pytest
from engine import values
from formats.of_sops import SopsFormatContract

from encconf import formats
from encconf.errors import EmptyDocumentError
from encconf.testing.contracts.format import SECRET

yaml = formats.get("yaml")


def test_no_document() -> None:
    for text in ("", "# c\n", "\n\n"):
        with pytest.raises(EmptyDocumentError):
            yaml.scan(text)


def test_merges_of_aliases_stand_in_order() -> None:
    text = "a: &a {x: 1}\nb: &b\n  <<: *a\n  c: &c {<<: *a, y: 2}\nd: *b\ne: {<<: *c, z: 3}\n"
    tree = formats.get("yaml").load_plain(text)[0]
    assert tree["d"] == tree["b"] == {"x": 1, "c": {"x": 1, "y": 2}}
    assert tree["e"] == {"x": 1, "y": 2, "z": 3}
    paths = [scope.path for scope in yaml.scan(text).merges]
    assert paths == [("b",), ("b", "c"), ("d",), ("d", "c"), ("e",), ("e", "<<")]


class TestYaml(SopsFormatContract):
    name = "yaml"
    suffixes = (
        ".yaml",
        ".yml",
    )
    path = ("db", "password")
    texts = (
        f"# top\ndb:\n  host: h # inline\n  password: {SECRET}\nlist: [1, 'x', {{a: ~}}]\n\nempty: ''\n",
        f"---\ndb: {{host: h, password: '{SECRET}'}}\n...\n",
        f"db:\n    password: {SECRET}\nother:\n- &x 0x1F\n- |\n  a\n   b\nagain: *x\n",
    )
    broken = (
        f"a: {SECRET}\n b: [\n",
        f"- {SECRET}\n",
        f"a: {SECRET}\na: 1\n",
        f"'{SECRET}: 1\n",
    )

    def comparable(self, trees: list[dict[str, Any]]) -> Any:
        return values(trees)


def test_a_plaintext_may_have_a_sops_entry_in_any_document() -> None:
    text = "a: 1\n---\nb: 2\nsops: {x: [y]}\n"
    assert formats.get("yaml").load_plain(text) == [{"a": 1}, {"b": 2, "sops": {"x": ["y"]}}]
