"""Read a YAML text as other programs do: PyYAML, ruamel.yaml with YAML 1.1 and 1.2, and go-yaml's rules.

This module also makes strings that some of them read as numbers, dates or booleans.
"""

from __future__ import annotations

import random
from typing import Any

import yaml as pyyaml
from hypothesis import strategies as st
from ruamel.yaml import YAML

from encconf import formats
from encconf.formats.yaml_words import double

_SIGNS = "0123456789____::::....,,--++eExXoObBTtZz aAfFnNyYiIlLrRuUsS~=<"
_ODD = "#[]{}?!&*|>'\"%@`\\/\n\t\r\u00e9\u2028\x85\ufeff\u65e5"
WORDS = [
    "22:22", "1:30", "-1:2", "+1:30:45", "190:20:30.15", "1_0:5", "08:30", "0:0", "1:2.3", "1:2._", "1.5:3",
    "9:99", "0x_", "0b_", "0b", "0o_", "0o17", "+_", "-_", "._", "+._", "1__0", "0_", "1,000", "1,0.5",
    "_1", "1e3", "1E+3", "1.e5", ".5_0", "1e", "0x", "08", "09.5", "1_000.5", "0b12", "y", "Y", "n", "N",
    "yes", "Yes", "YES", "yEs", "no", "on", "On", "off", "OFF", "oFF", "true", "tRue", "TRUE", "~", "null",
    "nUll", "NULL", "=", "<<", ".inf", "-.INF", "+.inf", ".iNf", ".nan", ".NaN", "+.nan", "nan",
    "2001-12-14", "2001-1-1", "2001-99-99", "2001-12-14t21:59:43.10-05:00", "2001-12-14 21:59:43.10 -5",
    "2001-12-14 1:2:3Z", "2001-12-14 25:61:61", "2001-12-14 1:2:3 +5:30", "2001-12-32", "-2001-12-14",
    "12e03", "-2E+05", "0x1F", "0X1f", "0o7", "0O7", "0b11", "18446744073709551616", ":symbol", ":", "?",
    "-", "- a", "? a", ": a", "a: b", "a #b", "a:", "---", "...", "--- a", "!", "!t", "&a", "*a", "%a",
    "@a", "`a", "[a]", "{a}", "a,b", "a]b", " a", "a ", "\ta", "a\tb", "a\nb", "a\n", "a\n\n", "\na", "\n",
    "\n\n", " a\nb", "a\n b\n", "a \nb", "# a\nb", "a\n# b", "---\na", "a\n---\nb\n", "a\n\n\nb\n\n",
    "a\r\nb", "\u2028", "a\x85b", "10.0.0.1", "1.2.3", "v1.0", "12-34", "1-2", "a1", "0xZZ", "1 2",
    "http://a:80/b", "a:b", "x=y", "\U0001f511",
]  # fmt: skip
"""All kinds of strings that at least one reader reads as something else."""


def strings() -> st.SearchStrategy[str]:
    """Return a strategy for strings: those that look like something else, and any others."""
    return st.one_of(
        st.sampled_from(WORDS),
        st.text(_SIGNS, min_size=1, max_size=12),
        st.text(_SIGNS + _ODD, max_size=16),
        st.lists(st.sampled_from([*WORDS, " ", "  x"]), max_size=4).map("\n".join),
        st.text(max_size=20),
    ).filter(_is_text)


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def random_strings(seed: int, count: int) -> list[str]:
    """Return strings like those of `strings`, made from a seed."""
    draw = random.Random(seed)

    def one() -> str:
        kind = draw.random()
        if kind < 0.3:
            return draw.choice(WORDS)
        if kind < 0.5:
            return "\n".join(draw.choices([*WORDS, "", " ", "text"], k=draw.randint(1, 4)))
        signs = _SIGNS if kind < 0.85 else _SIGNS + _ODD
        return "".join(draw.choices(signs, k=draw.randint(1, 12)))

    return [one() for _ in range(count)]


def yaml_of(meant: Any, pad: str = "") -> str:
    """Return nested values as YAML that all readers read alike: every string is in double quotes."""
    if isinstance(meant, str):
        return f" {double(meant)}\n"
    pairs = meant.items() if isinstance(meant, dict) else (("-", item) for item in meant)
    if not meant:
        return " {}\n" if isinstance(meant, dict) else " []\n"
    lines = []
    for key, item in pairs:
        head = "-" if isinstance(meant, list) else f"{double(key)}:"
        lines.append(f"{pad}{head}{yaml_of(item, pad + '    ')}")
    return ("\n" if pad else "") + "".join(lines)


def readings(text: str) -> dict[str, Any]:
    """Return what each reader reads from a text, by the reader's name.  It is an exception if it fails."""
    found: dict[str, Any] = {}
    for name, read in (
        ("PyYAML", pyyaml.safe_load),
        ("PyYAML with libyaml", lambda text: pyyaml.load(text, pyyaml.CSafeLoader)),
        ("ruamel.yaml 1.2", YAML(typ="safe", pure=True).load),
        ("ruamel.yaml 1.1", _ruamel_1_1().load),
        ("ruamel.yaml with libyaml", YAML(typ="safe").load),
        ("go-yaml", lambda text: formats.get("yaml").load_plain(text)[0]),
    ):
        try:
            found[name] = read(text)
        except Exception as error:
            found[name] = error
    return found


def _ruamel_1_1() -> YAML:
    reader = YAML(typ="safe", pure=True)
    reader.version = (1, 1)
    return reader
