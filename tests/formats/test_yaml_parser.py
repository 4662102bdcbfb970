"""The events of both parsers of ruamel.yaml, and what becomes of their errors."""

from __future__ import annotations

import pytest
from oracle import AgeKey, Sops, SopsError

from encconf import formats
from encconf.errors import ParseError
from encconf.formats.yaml_events import TooNewError, events_of, parse


def kinds(text: str, pure: bool) -> list[str]:
    return [type(event).__name__.removesuffix("Event") for event in parse(text, pure)]


@pytest.mark.parametrize("pure", [False, True])
def test_events(pure: bool) -> None:
    assert kinds("a: [b, *c]\n", pure) == [
        "StreamStart",
        "DocumentStart",
        "MappingStart",
        "Scalar",
        "SequenceStart",
        "Scalar",
        "Alias",
        "SequenceEnd",
        "MappingEnd",
        "DocumentEnd",
        "StreamEnd",
    ]


@pytest.mark.parametrize("pure", [False, True])
@pytest.mark.parametrize(
    "text",
    [
        "a: s3cret\n b: c\n",
        "a: [s3cret\n",
        'a: "s3cret\n',
        "a: s3cret\n\tb: s3cret: x\n",
        "a: !s3cret!x\n",
    ],
)
def test_errors_say_where_and_quote_nothing(text: str, pure: bool) -> None:
    with pytest.raises(ParseError) as caught:
        list(parse(text, pure))
    assert caught.value.line
    assert caught.value.column
    assert "s3cret" not in f"{caught.value}{caught.value.hint}"


@pytest.mark.parametrize("pure", [False, True])
def test_a_tab_is_named_only_where_a_line_is_indented(pure: bool) -> None:
    for text, line in (("\ta: 1\n", 1), ("a:\n\tb: 1\n", 2), ("a:\n  \tb: 1\nc: 2\n", 2)):
        with pytest.raises(ParseError, match="a tab at the start of a line") as caught:
            list(parse(text, pure))
        assert (caught.value.line, caught.value.hint) == (line, "indent with spaces"), text
    for text in ("a: @x\n", "a:\n  b: %x\n", "a: `\t`\n", "@\n\ta: 1\n"):
        with pytest.raises(ParseError, match="cannot start any token") as caught:
            list(parse(text, pure))
        assert caught.value.hint is None


def test_two_anchors() -> None:
    """The slower reader takes them in ruamel.yaml 0.17, and refuses them in newer versions."""
    with pytest.raises(ParseError) as caught:
        list(parse("&a &b s3cret\n", False))
    assert (caught.value.line, caught.value.column) == (1, 4)
    assert "s3cret" not in f"{caught.value}{caught.value.hint}"


@pytest.mark.parametrize("text", ["a: \x01s3cret\n", "a: \ud800s3cret\n", "a: s3cret\x00\n"])
def test_characters_that_yaml_does_not_have(text: str) -> None:
    for pure in (False, True):
        with pytest.raises(ParseError, match="not valid YAML") as caught:
            list(parse(text, pure))
        assert "s3cret" not in str(caught.value)


def test_what_only_the_newer_parser_reads() -> None:
    text = "a: [http://host]\n"
    with pytest.raises(TooNewError):
        list(parse(text, pure=False))
    assert "Scalar" in kinds(text, pure=True)


@pytest.mark.parametrize("pure", [False, True])
def test_a_byte_order_mark_is_a_character(pure: bool) -> None:
    text = "a: |\n  x\n\ufeffb: '\ufeff'\n"
    events = [event for event in events_of(text, pure) if type(event).__name__ == "ScalarEvent"]
    assert [event.value for event in events] == ["a", "x\n", "\ufeffb", "\ufeff"]
    assert text[events[2].start_mark.index :].startswith("\ufeffb")


@pytest.mark.parametrize("text", ["a: 1\nb: 2\n", "a: |\n  x\nb: 2\n", "a: [http://x]\nb: 2\n"])
def test_two_byte_order_marks_are_refused(text: str, age_key: AgeKey, sops: Sops) -> None:
    """To go-yaml, the second one indents the first key.  The parsers drop it, and only one counts it."""
    assert formats.get("yaml").scan("\ufeff" + text).leaves
    with pytest.raises(ParseError, match="begins with two byte order marks"):
        formats.get("yaml").scan("\ufeff\ufeff" + text)
    with pytest.raises(SopsError):
        sops.encrypt("\ufeff\ufeff" + text, "yaml", age=age_key.recipient)
