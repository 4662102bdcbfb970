"""TOML texts encrypted and decrypted by a key of the tests, and compared with tomllib."""

from __future__ import annotations

import random
import tomllib

import pytest
from engine import credentials, rule
from generate import toml_text
from oracle import AgeKey

from encconf import api, formats
from encconf.engine import sealing
from encconf.errors import EncconfError, ParseError
from encconf.rules.selection import Selection
from encconf.text.document import Document, filled, splice

format = formats.get("toml")

KEY = AgeKey.generate()

CREDENTIALS = credentials(KEY)

ENC = "ENC[AES256_GCM,data:bWFj,iv:aXY=,tag:dGFn,type:str]"

BLOCK: dict[str, object] = {
    "mac": ENC,
    "lastmodified": "2026-01-02T03:04:05Z",
    "age": [{"recipient": "age1x", "enc": "-----BEGIN-----\nYQ==\n"}, {"recipient": "age1y", "enc": "x"}],
    "version": "3.13.3",
    "kms": [{"arn": "a", "context": {"Role": "b c", "d.e": "f"}}],
    "mac_only_encrypted": True,
    "shamir_threshold": 2,
    "other": [1, 2.5, "x"],
    "unencrypted_suffix": "_unencrypted",
}


def attach(text: str, block_text: str) -> str:
    return splice(text, format.attach(format.scan(text), block_text))


def encrypt(text: str, *, selection: Selection | None = None, twin: str | None = None) -> str:
    return sealing.encrypt(
        text,
        rule(KEY, selection=selection),
        format="toml",
        twin=twin,
        edits_twin=True,
        credentials=CREDENTIALS,
    )


def decrypt(text: str) -> str:
    return api.decrypt(text, format="toml", credentials=CREDENTIALS)


def round_trip(text: str, selection: Selection | None = None) -> str:
    """Encrypt, check that the text and its values come back, and return the encrypted text."""
    encrypted = encrypt(text, selection=selection)
    assert decrypt(encrypted) == text
    loaded = api.loads(encrypted, format="toml", credentials=CREDENTIALS)
    assert repr(loaded) == repr(tomllib.loads(text))
    return encrypted


# What encconf refuses though tomllib takes it.
STRICTER = ("does not fit into 64 bits", "too large for a float")


def same_as_tomllib(text: str) -> Document | None:
    """What encconf takes is what tomllib takes, and every span spells its value."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        with pytest.raises(EncconfError):
            format.scan(text)
        return None
    try:
        document = format.scan(text, comments=True)
    except ParseError as error:
        if any(words in str(error) for words in STRICTER):
            return None
        raise
    for leaf in document.leaves:
        value: object = values
        for step in leaf.path:
            value = value[step]  # type: ignore[index]
        again = tomllib.loads(f"k = {text[leaf.start : leaf.end]}")
        assert repr(again) == repr({"k": value})
    for comment in document.comments:
        assert text[comment.start - 1 : comment.end] == f"#{comment.text}"
    (plain,) = format.load_plain(text)
    assert repr(plain) == repr(values)
    if document.regular and "sops" not in values:
        assert repr(_values(document)) == repr(values)
    return document


TOKENS = [
    *('"', "'", '"""', "'''", "\\", "\n", "\r\n", "\r", "[", "]", "[[", "]]", "{", "}", ",", "=", ".", "#"),
    *(" ", "\t", "a", "b", "1", "_", "0x", "-", "+", "e", "inf", "true", "1979-05-27", "07:32:00", "T", "Z"),
    *("\\u00e9", "\\n", "\x7f", "\x00", "é", '"null"', "[a]\n", "[[a]]\n", "[a.b]\n", "a = 1\n", "a.b = 1\n"),
    *("a = [\n# c\n]\n", "\\ \n", "b = {c = 1, d.e = 2}\n", "sops", "[sops]\n", "[[sops.age]]\n"),
]


def broken(seed: int) -> str:
    """A text with a few tokens put in, taken out, or copied elsewhere."""
    source = random.Random(seed)
    text = toml_text(seed)
    for _ in range(source.randint(1, 4)):
        at, other = source.randint(0, len(text)), source.randint(0, len(text))
        kind = source.random()
        if kind < 0.4:
            text = text[:at] + source.choice(TOKENS) + text[at:]
        elif kind < 0.7:
            text = text[:at] + text[at + source.choice([1, 1, 2, 5, 20]) :]
        else:
            text = text[:at] + text[other : other + source.randint(1, 30)] + text[at:]
    return text


KEYS = ["a", "b", "c", "1", "-", '"a"', "'b'", '"c d"', "'é'", '""', '"\\u0061"', "a.b", "c . a", "é", "x y"]
VALUES = [
    *(
        '"x"',
        "'y'",
        '"null"',
        '""',
        "'\\n'",
        '"\\n"',
        '"\\u00e9"',
        '"\\x"',
        '"tab\there"',
        "'\x01'",
        '"\x7f"',
        '"é"',
    ),
    *(
        '"""m"""',
        "'''\nm'''",
        '"""a\r\nb"""',
        '"""a\\\n  b"""',
        "'''''q'''''",
        '"""a\rb"""',
        "'open",
        '"\ufeff"',
    ),
    *("0", "-1", "+2", "007", "-0", "1_0", "1__0", "_1", "0x1F", "0xg", "0X1", "0b1", "9223372036854775807"),
    *(
        "1.5",
        "-0.0",
        "1.",
        ".5",
        "1.e2",
        "1e5",
        "1E+05",
        "1e",
        "1_0.5",
        "inf",
        "+nan",
        "Infinity",
        "iNf",
        "1e22",
    ),
    *("true", "false", "True", "t", "yes", "1979-05-27", "07:32:00", "1979-02-30", "١"),
    *(
        "[]",
        "[1, 2]",
        "[1,]",
        "[,]",
        "[1,,2]",
        "[\n1, # c\n[2]]",
        "[1\r]",
        '["x", {a = 1}]',
        "[[], [[]]]",
        "[1 2]",
    ),
    *("{}", "{a = 1}", "{a = 1,}", "{a = 1, a = 2}", "{a.b = 1}", "{\n}", "", "# c", "'x' 'y'"),
]
ENDS = ["\n"] * 30 + ["\r\n"] * 4 + [" # c\n", "\t\n", "\n\n", "\r", "", " x\n", "#\x00\n", "\n \n", "\x0c\n"]


def statements(seed: int) -> str:
    """Statements that contradict each other often; about every third text is TOML."""
    draw = random.Random(seed)
    lines: list[str] = []
    for _ in range(draw.randint(1, 7)):
        key = draw.choice(KEYS if draw.random() < 0.5 else KEYS[:3])
        kind = draw.random()
        if kind < 0.3:
            path = draw.choice([key, key, f"{key}.{draw.choice(KEYS[:8])}", f" {key} . a . b"])
            line = f"[{path}]" if draw.random() < 0.85 else f"[[{path}]]"
        elif kind < 0.35:
            line = draw.choice(["# é", "", " ", "# \x7f", "=", "[]", "[a", "a"])
        else:
            value = draw.choice(VALUES if draw.random() < 0.6 else VALUES[:2])
            line = draw.choice(["", "", "", " ", "\t"]) + key + draw.choice([" = ", "=", " =\t"]) + value
        lines.append(line + draw.choice(ENDS))
    return ("\ufeff" if draw.random() < 0.01 else "") + "".join(lines)


def _values(document: Document) -> object:
    """The values of a scanned text without tomllib."""
    read = {"str": bytes.decode, "int": int, "float": float, "bool": b"True".__eq__}
    values = ["null" if leaf.data is None else read[leaf.type](leaf.data) for leaf in document.leaves]
    return filled(document.items, values)[0][0]
