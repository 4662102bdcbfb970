"""The pieces of a tree are the text, whatever the text."""

from __future__ import annotations

from pathlib import Path

import generate
import pytest

from encconf import formats
from encconf.engine import changes
from encconf.errors import EncconfError

FIXTURES = sorted((Path(__file__).resolve().parents[2] / "fixtures").rglob("*.*"))
FORMATS = {
    "dotenv": generate.dotenv_text,
    "ini": generate.ini_text,
    "json": generate.json_text,
    "toml": generate.toml_text,
    "yaml": generate.yaml_text,
}


def check(text: str, format: str) -> bool:
    try:
        document = formats.get(format).scan(text)
    except EncconfError:
        return False
    assert formats.writing_of(formats.get(format)).tree(document).text == document.text
    return True


@pytest.mark.parametrize("format", FORMATS)
def test_fixtures(format: str) -> None:
    paths = [path for path in FIXTURES if path.is_file() and formats.of_path(path.name) == format]
    assert sum(check(path.read_bytes().decode("utf-8", "replace"), format) for path in paths) > 5


@pytest.mark.parametrize("format", FORMATS)
def test_generated(format: str) -> None:
    done = 0
    for seed in range(300):
        text = FORMATS[format](seed)
        for variant in (text, text.replace("\n", "\r\n"), text.rstrip("\n"), "\ufeff" + text):
            done += check(variant, format)
    assert done > 500


LIST = "l = [\n  # a\n  1,  # one\n  # b\n  2, # two\n  # c\n  3 # three\n  # d\n]\n"
SHORT = "l = [1, # one\n  2, 3]\n"
ENDS = "l = [1, # one\n  2]\n"
ALONE = "l = [\n  # a\n  1, # one\n  # b\n]\n"


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("text", "at", "gone", "new"),
    [
        (LIST, 0, "  1,  # one\n", ""),
        (LIST, 1, "  2, # two\n", ""),
        (LIST, 2, "  2, # two\n  # c\n  3 # three\n", "  2 # two\n  # c\n"),
        (LIST.replace("3 #", "3, #"), 2, "  3, # three\n", ""),
        (SHORT, 0, "1, # one\n  ", ""),
        (SHORT, 1, "2, ", ""),
        (SHORT, 2, ", 3", ""),
        (ENDS, 1, "1, # one\n  2]", "1 # one\n  ]"),
        (ALONE, 0, "  1, # one\n", ""),
        ("l = [1] # one\n", 0, "1", ""),
        ("l = [ 1 , 2 ]\n", 1, " , 2", ""),
        ("l = [\n  1,\n  # b\n  2,\n]\n", 0, "  1,\n", ""),
    ],
)
def test_taking_an_item_takes_its_comment_only(text: str, at: int, gone: str, new: str, newline: str) -> None:
    after = changes.drop(text.replace("\n", newline), ("l", at), format="toml")
    assert after == text.replace(gone, new, 1).replace("\n", newline)
    flow = text.replace(" =", ":").replace("\n]", "\n  ]")
    after = changes.drop(flow.replace("\n", newline), ("l", at), format="yaml")
    assert after == flow.replace(gone, new, 1).replace("\n", newline)


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        (LIST, "  3 # three\n", "  3, # three\n  9\n"),
        (LIST.replace("3 #", "3, #"), "  3, # three\n", "  3, # three\n  9,\n"),
        (SHORT, "3]", "3, 9]"),
        (ENDS, "2]", "2,\n  9]"),
        (ALONE, "# one\n", "# one\n  9,\n"),
        ("l = [1, # one\n]\n", "1, #", "1, 9, #"),
    ],
)
def test_an_appended_item_leaves_comments_where_they_are(text: str, old: str, new: str) -> None:
    for newline in ("\n", "\r\n"):
        after = changes.put(text.replace("\n", newline), ("l", 9), 9, format="toml")
        assert after == text.replace(old, new, 1).replace("\n", newline)


def test_an_appended_item_below_a_comment_with_another_line_break() -> None:
    """YAML also ends lines with only a carriage return, and with U+0085."""
    text = "l: [\r  1,\r  # b\r  2 # c\r  ]\r"
    assert changes.put(text, ("l", 9), 9, format="yaml") == text.replace("2 # c", "2, # c\r  9")
    text = "l: [\n  1,\n  # b\x85  2\n  ]\n"
    assert changes.put(text, ("l", 9), 9, format="yaml") == text.replace("2", "2, 9")
