"""The tokenizer of TOML: what is read and refused, limits, and time."""

from __future__ import annotations

import contextlib
import re
import time
import tomllib

import pytest
from engine import credentials, rule
from formats.toml_files import TOKENS, broken, encrypt, round_trip, same_as_tomllib, statements
from generate import toml_text
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import AgeKey
from pace import at_most

from encconf import api, formats
from encconf.errors import LimitError, ParseError
from encconf.formats import toml

format = formats.get("toml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a", "line 1, column 2: the text ends where an equals sign was expected"),
        ("a = 1\nb: 2", "line 2, column 2: expected an equals sign"),
        ("a =", "line 1, column 4: the text ends where a value was expected"),
        ("a = \nb = 1", "line 1, column 5: the line ends where a value was expected"),
        ("a = secret", "line 1, column 5: this is not a TOML value"),
        ("a = True", "line 1, column 5: this is not a TOML value"),
        ("a = 01", "line 1, column 5: this is not a TOML value"),
        ("a = 'secret", "line 1, column 5: a string does not end"),
        ("a = 'sec\x01ret'", "line 1, column 5: a string does not end"),
        ('a = """secret', "line 1, column 5: a string does not end"),
        (r'a = "sec\xret"', "line 1, column 5: TOML has no such escape"),
        (r'a = "sec\ud800ret"', "line 1, column 5: a string has an escape that is not a character"),
        ('a = "secret" "secret"', "line 1, column 14: expected the end of the line"),
        ("a = [1 2]", "line 1, column 8: expected a comma or the closing bracket"),
        ("a = [1", "line 1, column 7: the text ends where a comma or the closing bracket was expected"),
        ("a = {b = 1", "the text ends where a comma or the closing brace was expected"),
        ("a = {\nb = 1}", "line 1, column 6: the line ends where a key was expected"),
        ("[a", "line 1, column 3: the text ends where the closing bracket was expected"),
        ("[[a]", "line 1, column 5: the text ends where the closing bracket was expected"),
        ("[]", "line 1, column 2: expected a key"),
        ("= 1", "line 1, column 1: expected a key"),
        ("a = 1\na = 2", "line 2, column 1: the table has the same key twice"),
        ("a = 1\n[a]", "line 2, column 1: the table has the same key twice"),
        ("a = 1\na.b = 2", "line 2, column 1: the table has the same key twice"),
        ("a = {b = 1, b = 2}", "the table has the same key twice"),
        ("[[a]]\n[a]", "line 2, column 1: the table has the same key twice"),
        ("[a]\n[a]", "line 2, column 1: the table has the same key twice"),
        ("a.b = 1\n[a]", "line 2, column 1: the table has the same key twice"),
        ("[a.b]\n[a]\nb.c = 1", "line 3, column 1: the table has the same key twice"),
        ("[[a.b]]\n[a]\nb.c = 1", "line 3, column 1: the table has the same key twice"),
        ("a = [1]\n[a.b]", "line 2, column 1: a value in brackets cannot be extended"),
        ("a = [{}]\n[[a]]", "line 2, column 1: a value in brackets cannot be extended"),
        ("a = {}\n[a]", "line 2, column 1: a value in brackets cannot be extended"),
        ("a = {}\na.b = 1", "line 2, column 1: a value in brackets cannot be extended"),
        ("a = {b = 1,}", "line 1, column 12: a comma before the closing brace"),
        ("a = 9223372036854775808", "line 1, column 5: an integer does not fit into 64 bits"),
        ("a = 1e400", "line 1, column 5: a number is too large for a float"),
        ("a = [-1e999]", "line 1, column 6: a number is too large for a float"),
        ("\ufeffa = 1", "line 1, column 1: a byte order mark"),
        ("a = '\ud800'", "line 1, column 6: a lone surrogate"),
        ("a = 1 # x\x01y", "line 1, column 10: TOML allows no control character here"),
        ("a = [1, # x\x7f\n]", "line 1, column 12: TOML allows no control character here"),
        ("a = {b = 1 # x\r\n}", "line 1, column 12: expected a comma or the closing brace"),
        # What tomllib says:
        ("a = 0_0", "line 1, column 6: "),
        ("a = 1979-13-27", "line 1, column 9: "),
        ("a = 1\rb = 2", "line 1, column 6: expected the end of the line"),
    ],
)
def test_refused_texts(text: str, message: str) -> None:
    with pytest.raises(ParseError, match=re.escape(message)) as caught:
        format.scan(text)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "hint"),
    [('a = "x', 'write a string of several lines in """'), ("a = '''x'", "it ends with '''")],
)
def test_where_a_string_ends(text: str, hint: str) -> None:
    with pytest.raises(ParseError) as caught:
        format.scan(text)
    assert caught.value.hint == hint


STRUCTURE = (
    "a = {b = 1,}", "a = {}\na.b = 1", "a = {}\n[a]", "a = [{}]\n[[a]]", "a = [{b = 1}]\n[a.c]",
    "a.b = 1\n[a]", "[a]\nb.c = 1\n[a.b]", "[a.b]\n[a]\nb.c = 1", "[[a.b]]\n[a]\nb.c = 1",
)  # fmt: skip


@pytest.mark.parametrize("text", STRUCTURE)
def test_refused_texts_beside_a_sops_table(text: str) -> None:
    """tomllib does not read these, since their values are ciphertexts."""
    with pytest.raises(ParseError):
        format.scan(f"{text}\n[sops]\nversion = '3.9.0'\n")


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 100_000,
        "a = " + "{a = " * 100_000,
        "a" + ".a" * 100_000 + " = 1",
        "[a" + ".a" * 100_000 + "]",
        "[a" + ".a" * 70 + "]\nb = " + "[" * 20,
        "a = " + "9" * 1_000_000,
        "".join(f'[["{"x" * 100_000}".a{number}]]\n' for number in range(1_000)),
    ],
    ids=["arrays", "inline tables", "dotted key", "header", "both", "number", "paths"],
)
def test_limits(text: str) -> None:
    with at_most(10), pytest.raises(LimitError):
        format.scan(text)


def test_nesting_within_the_limit() -> None:
    depth = toml.MAX_DEPTH
    round_trip("a = " + "[" * depth + "1" + "]" * depth + "\n")
    round_trip(".".join("a" * (depth + 1)) + " = 1\n")


@pytest.mark.parametrize(
    "text",
    [
        'a = """' + '""x' * 300_000,
        "a = '''" + "''x" * 300_000,
        'a = "' + '\\"' * 500_000,
        "a = [" + "," * 500_000,
        " " * 1_000_000,
        "# x\n" * 100_000,
        "a = 1\n" * 100_000,
    ],
)
def test_reading_takes_linear_time(text: str) -> None:
    with at_most(10), contextlib.suppress(ParseError):
        format.scan(text, comments=True)


@pytest.mark.parametrize("block", range(8))
def test_generated_texts(block: int) -> None:
    taken = 0
    for seed in range(block * 40, block * 40 + 40):
        text = toml_text(seed)
        if same_as_tomllib(text) is not None:
            taken += 1
            encrypted = round_trip(text)
            assert encrypt(text, twin=encrypted) == encrypted
    assert taken >= 38


@pytest.mark.parametrize("block", range(4))
def test_broken_texts(block: int) -> None:
    for seed in range(block * 250, block * 250 + 250):
        same_as_tomllib(broken(seed))


@pytest.mark.parametrize("block", range(8))
def test_statements(block: int) -> None:
    """What the scanner calls regular, tomllib reads alike; see `same_as_tomllib`."""
    kinds = {True: 0, False: 0, None: 0}
    for seed in range(block * 1000, block * 1000 + 1000):
        document = same_as_tomllib(text := statements(seed))
        kinds[document.regular if document else None] += 1
        if document is not None and document.leaves and seed % 4 == 0:
            round_trip(text)
    assert min(kinds.values()) > 40


@given(st.lists(st.sampled_from(TOKENS), max_size=14).map("".join))
@settings(max_examples=1000)
def test_any_tokens(text: str) -> None:
    document = same_as_tomllib(text)
    if document is not None and not document.parts[0].block:
        round_trip(text)


def test_a_reading_that_differs_from_tomllibs_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The net under the tokenizer: it is not believed if it reads something else."""
    real = tomllib.loads
    for change in (
        lambda text: real(text) | {"more": 1},
        lambda text: {**real(text), "a": 2},
        lambda text: {**real(text), "a": "1"},
        lambda text: {**real(text), "a": True},
        lambda text: {**real(text), "b": [1.5, {}]},
        lambda text: {**real(text), "b": {"0": 1}},
        lambda text: {**real(text), "c": "1979-05-27"},
    ):
        monkeypatch.setattr(tomllib, "loads", change)
        with pytest.raises(ParseError, match="read the text differently"):
            format.scan("a = 1\nb = [1.5]\nc = 1979-05-27\n")


def _array(word: str, count: int) -> str:
    return "a = [" + f"{word}, " * count + "]\n"


@pytest.mark.parametrize("word", ['"v"', "'''v'''", '"""v"""'])
def test_time_grows_with_the_size(word: str, age_key: AgeKey) -> None:
    """A long first line made the time quadratic."""
    creds = credentials(age_key)

    def seconds(text: str) -> float:
        ours = api.encrypt(text, rule(age_key), format="toml", credentials=creds)
        began = time.process_time()
        assert api.decrypt(ours, format="toml", credentials=creds) == text
        return time.process_time() - began

    small, large = (min(seconds(_array(word, count)) for _ in range(3)) for count in (1_500, 15_000))
    assert large < 30 * small
