"""The pieces of a tree are the text, whatever the text."""

from __future__ import annotations

from pathlib import Path

import generate
import pytest

from encconf import formats
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
        document = formats.module(format).scan(text)
    except EncconfError:
        return False
    assert formats.writing(format).tree(document).text == document.text
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
