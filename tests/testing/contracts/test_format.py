"""The contract of formats notices what is wrong with a format; what passes it is in tests/formats."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from encconf import formats
from encconf.errors import ParseError
from encconf.testing import TestKey
from encconf.testing.contracts.format import SECRET, FormatContract, changed_lines
from encconf.text.document import Document

from .flawed import holds, names_in

TEXT = f"# a comment\nA=1\nB={SECRET}\n"
BROKEN = f"A=1\n{SECRET}\n"
DOTENV: Any = formats.get("dotenv")


class Contract(FormatContract):
    name = "dotenv"
    texts = (TEXT,)
    path = ("B",)
    broken = (BROKEN,)
    suffixes = (".env",)


class Relative:
    """The dotenv format, of which a relative has one function that is wrong."""

    def __getattr__(self, name: str) -> Any:
        return getattr(DOTENV, name)


class QuotesTheText(Relative):
    def scan(self, text: str, *, comments: bool = False) -> Document:
        try:
            found: Document = DOTENV.scan(text, comments=comments)
        except ParseError:
            raise ParseError(f"cannot be read: {text}", line=1) from None
        return found


class SaysNotWhere(Relative):
    def scan(self, text: str, *, comments: bool = False) -> Document:
        try:
            found: Document = DOTENV.scan(text, comments=comments)
        except ParseError:
            raise ParseError("cannot be read") from None
        return found


class ReadsAnything(Relative):
    def scan(self, text: str, *, comments: bool = False) -> Document:
        found: Document = DOTENV.scan(text.replace(f"\n{SECRET}\n", "\n"), comments=comments)
        return found


class OtherValuesWithComments(Relative):
    def scan(self, text: str, *, comments: bool = False) -> Document:
        found: Document = DOTENV.scan(text, comments=comments)
        if comments:
            found.leaves.pop()
        return found


class LeavesTheBlock(Relative):
    def detach(self, document: Document) -> list[Any]:
        return []


class LosesAMember(Relative):
    def render_block(self, block: Mapping[str, object]) -> str:
        text: str = DOTENV.render_block({name: value for name, value in block.items() if name != "age"})
        return text


class KeepsTheCiphertext(Relative):
    def literal(self, document: Document, leaf: Any, type: str, data: bytes) -> Any:
        return DOTENV.literal(document, leaf, type, b"x" + data)


FLAWS: dict[type[Relative], set[str]] = {
    QuotesTheText: {"test_the_broken_is_refused_and_not_shown"},
    SaysNotWhere: {"test_the_broken_is_refused_and_not_shown"},
    ReadsAnything: {"test_the_broken_is_refused_and_not_shown"},
    OtherValuesWithComments: {"test_comments_change_nothing_else", "test_spans"},
    LeavesTheBlock: {"test_attach_and_detach"},
    LosesAMember: {"test_attach_and_detach"},
    KeepsTheCiphertext: {"test_a_value_can_be_sealed_and_put_back"},
}


def failed_with(format: object) -> set[str]:
    """The tests that fail with a format."""
    given = {"format": format, "text": TEXT, "own_key": TestKey.generate(), "tail": "\n"}
    return {name for name in names_in(Contract) if not holds(Contract, name, given)}


def test_a_format_without_a_flaw() -> None:
    assert failed_with(DOTENV) == set()


@pytest.mark.parametrize("kind", FLAWS)
def test_each_flaw_is_noticed(kind: type[Relative]) -> None:
    assert failed_with(kind()) >= FLAWS[kind]


def test_what_a_diff_shows() -> None:
    assert changed_lines("a\nb\nc\n", "a\nB\nc\nd\n") == (["b"], ["B", "d"])
