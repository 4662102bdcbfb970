"""Values in the formats of other programs.  In `tests/cli/test_export.py`, these programs read them."""

from __future__ import annotations

import base64
import json
import shlex

import pytest
import yaml

from encconf import formats
from encconf.errors import EmitError
from encconf.verbs import export

TEXTS = {"A": "plain", "B": "it's $HOME # `x`", "C": "two\nlines", "D": "back\\", "E": ""}


def test_shell_words_are_quoted() -> None:
    lines = export.shell(TEXTS)
    assert shlex.split(lines) == [word for name in TEXTS for word in ("export", f"{name}={TEXTS[name]}")]


def test_fish_quotes_two_signs() -> None:
    assert export.fish({"A": "it's \\ $x"}) == "set -gx A 'it\\'s \\\\ $x'\n"


def test_dotenv_prefers_single_quotes() -> None:
    assert export.dotenv({"A": "x y"}) == "A='x y'\n"
    assert export.dotenv({"A": "x\\"}) == 'A="x\\\\"\n'  # python-dotenv reads \' as a quote


def test_json_is_one_flat_object() -> None:
    assert json.loads(export.json(TEXTS)) == TEXTS
    assert "ä" in export.json({"A": "ä"})


@pytest.mark.parametrize(
    ("text", "masked"),
    [("abcd", True), ("abc", False), (" abc ", False), ("true", False), ("NULL", False), ("False", False)],
)
def test_short_words_are_not_masked(text: str, masked: bool) -> None:
    assert export.is_masked(text) is masked


def test_github_masks_each_line_of_what_is_secret_before_it_is_set() -> None:
    texts = {"A": "100% secret\r\nsecond line", "B": "public value", "C": "100% secret\r\nsecond line"}
    masks, lines = export.github(texts, dict.fromkeys(texts, "END"), ["A", "C"])
    assert masks.splitlines() == [
        "::add-mask::100%25 secret%0D%0Asecond line",
        "::add-mask::100%25 secret",
        "::add-mask::second line",
    ]
    assert "B<<END\npublic value\nEND\n" in lines


def test_kubernetes_secrets() -> None:
    texts = TEXTS | {
        "NO": "a",
        "ON": "b",
        "Y": "c",
        "NULL": "d",
    }  # to YAML 1.1, and so to kubectl, no strings
    secret = export.kubernetes(texts, "app.db")
    (tree,) = formats.get("yaml").load_plain(secret)
    assert tree["stringData"] == yaml.safe_load(secret)["stringData"] == texts
    assert '"Y": "c"' in secret
    assert (tree["kind"], tree["metadata"], tree["type"]) == ("Secret", {"name": "app.db"}, "Opaque")
    assert export.kubernetes({}, "x").endswith("stringData: {}\n")
    (tree,) = formats.get("yaml").load_plain(export.kubernetes_binary(b"\xff\0", "key.bin", "x"))
    assert tree["data"] == {"key.bin": base64.b64encode(b"\xff\0").decode()}


@pytest.mark.parametrize("name", ["", "Upper", "-x", "x-", "x_y", "x\ny", 'x"', "x" * 254])
def test_names_that_kubernetes_does_not_have(name: str) -> None:
    with pytest.raises(EmitError, match="Kubernetes name"):
        export.kubernetes(TEXTS, name)
    with pytest.raises(EmitError, match="Kubernetes name"):
        export.kubernetes_binary(b"", "k", name)
