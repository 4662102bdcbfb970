"""The line scanner against libyaml: the same document, or none at all."""

from __future__ import annotations

import itertools
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from encconf.errors import EncconfError, LimitError
from encconf.formats import yaml_events, yaml_fast
from encconf.formats.yaml_events import TooNewError
from encconf.text.document import Comment, Document, Leaf, Scope

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "fixtures"


def facts(document: Document) -> dict[str, Any]:
    """Everything a document says, in values that can be compared; scopes by identity."""
    numbers: dict[int, int] = {}

    def of(scope: Scope | None) -> Any:
        if scope is None:
            return None
        number = numbers.setdefault(id(scope), len(numbers))
        return number, scope.step, scope.keys, scope.aad, scope.listed, scope.places, of(scope.parent)

    def facts_of(item: Scope | Leaf) -> Any:
        if isinstance(item, Scope):
            return of(item)
        return [of(item.scope), *(getattr(item, name) for name in sorted({*Leaf.__slots__} - {"scope"}))]

    return {
        "text": document.text,
        "format": document.format,
        "items": list(map(facts_of, document.items)),
        "comments": [
            [
                of(comment.scope),
                comment.scope in document.items,
                *(getattr(comment, name) for name in sorted({*Comment.__slots__} - {"scope"})),
            ]
            for comment in document.comments
        ],
        "outline": document.outline,
        "block": repr(document.block),
        "block_text": document.block_text,
        "parts": [(p.start, p.end, p.indent, p.close, p.block) for p in document.parts],
        "merges": [of(scope) for scope in document.merges],
    }


def slow(text: str, comments: bool) -> Document | None:
    """What libyaml makes of a text, None when it is refused."""
    try:
        return yaml_events.read(text, comments, pure=False)
    except (EncconfError, TooNewError):
        return None


def check(text: str, comments: bool) -> bool:
    """Assert that the line scanner gives nothing, or what libyaml gives; returns which."""
    got = yaml_fast.scan(text, comments)
    if got is None:
        return False
    expected = slow(text, comments)
    assert expected is not None, f"accepted, but wrong: {text!r}"
    assert facts(got) == facts(expected), text
    return True


# --- texts --------------------------------------------------------------------------------------

ENC = "ENC[AES256_GCM,data:AbC=,iv:xyz=,tag:t==,type:str]"

ODD_KEYS = [
    "q", '"q k"', "'s'", "sops", "true", "null", "y", "Null", '"sops"', "a b", "a b ", "a #b", "a  b", "1",
    "k#x", 'k"q', "é", '"é: x"', "a:b", "-x", "~", "<<", "k,", "k]", "[k", "k'", '""', "''", '"true"',
    "? a", "no", ".x", "²", 'a "b"', "a b c d e f g h i j k",
]  # fmt: skip

ODD_VALUES = [
    "", "true", "True", "null", "~", "~x", "no", "0x1F", "010", "1.5", "- 1", "-", "--", "-x", ".5", ".inf",
    "1e3", "2001-01-01", "2001-12-14 01:02:03", "a:b", "a: b", "a #c", "a#c", "a # c", "a:", "a :b", "a :",
    "#c", '"q" ', '"q" # c', '"q"#c', "'it''s'", "'s' # c", "'s", '"q', '"a\\nb"', '"a\\x41"', '"a\\"b"',
    '"a" b', "[] # c", "{}  ", "[]x", "[a]", "{a: b}", '["a", b c]', "[ a ]", "[a,b]", "[a, ]", "[,a]",
    "[a b, \"c,d\" , 'x']", "[1, null, ~]", '["a": b]', "[a: b]", "[a:b]", "[-x, -1]", "[- x]", "[-]",
    '["a" b]', "['it''s']", "[a] # c", "[a]#c", "[[a]]", "[a, # c", "[a #c]", "[a]]", "[a?]",
    "[18446744073709551615]", f'["{ENC}"]', f'"{ENC}"', "|2", "| # c", ">2", "&a x", "*a", "!t x",
    "!!str 1", "@x", "`x", "%x", "=", "<<", "x  ", "x   # c", "18446744073709551615",
    "2001-01-01T00:00:00+24:00", "true # c", "null # c", "12 # c", "12  ", "é ü", "\xa0x", "x\xa0#y",
    "\u200bx", "😀", "x\x7fy", "x\ty", "\tx", "?", "? x", ":x", ": x", ",x", "(x)", "$x", "\\x", '"', "'",
    "nulls", "!", '"\\u263a"', "0", "00", "0o17", "1_000", "9" * 30, "x" * 1100, '"' + "x" * 1100 + '"',
]  # fmt: skip

VALUES = [
    "v", "word two", "true", "123", "1.5", '"q"', "'s'", ENC, ENC, "", "[]", "{}", "http://x/y:z", "null",
    "~", "nothing", "2001-01-01", "-5", ".5", "no", '"a: b # c"', '["sh", "-c", a b]', "[a, 1]",
]  # fmt: skip

LINES = [
    "", "---", "...", "%YAML 1.1", "# c", "  # c", "- x", "  - x", "x", "  x", "a: b", "  a: b", "?", "-",
    ": x",
]  # fmt: skip

CHARACTERS = [*" \n-:#\"'|>[]{},&*!%@`\t?\\a0~\r\x85\u2028\ufeff\0é\xa0\x07", "- ", ": ", " #", "\ud800"]

BLOCK = [
    f"mac: {ENC}", 'lastmodified: "2024-01-01T00:00:00Z"', "lastmodified: 2024-01-01T00:00:00Z",
    "version: 3.9.0", "version: 3.9", "kms: []", "pgp: []", "unencrypted_suffix: _u",
    "mac_only_encrypted: true", "shamir_threshold: 2", "x: null", "y:",
    "age:\n    - recipient: age1x\n      enc: |\n        -----BEGIN-----\n        abc\n",
    "age:\n- recipient: age1x\n  enc: |-\n    -----BEGIN-----\n    abc", "# in the block", "z: [a]",
]  # fmt: skip


class Writer:
    """Random texts that are in the subset more often than not."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def text(self) -> str:
        """A document; a third have a ``sops`` block."""
        chance = self.random.random
        self.lines: list[str] = []
        self.odd = self.random.choice([0, 0.05, 0.3])
        self.comments = self.random.choice([0, 0.1, 0.3])
        if chance() < 0.1:
            self.lines.append("---")
        column = 0 if chance() < 0.93 else self.random.choice([1, 2, 4])
        self.mapping(column, 0)
        if chance() < 0.35:
            self.comment(column)
            self.block(column)
            if chance() < 0.3:
                self.mapping(column, 2)
        self.comment(column)
        return "\n".join(self.lines) + self.random.choice(["\n", "\n", "\n", "", "\n\n"])

    def mapping(self, column: int, depth: int, first: str = "") -> None:
        chance = self.random.random
        for count in range(self.random.randint(1, 4)):
            before = first if first and not count else " " * column
            if before != first:
                self.comment(column)
            before += self.key() + ":"
            kind = chance()
            if depth < 4 and kind < 0.2:
                self.lines.append(before + self.rarely(["", " ", " # c", " &a"]))
                deeper = self.random.choice([1, 2, 2, 2, 4]) if chance() < 0.97 else 0
                self.mapping(column + deeper, depth + 1)
            elif depth < 4 and kind < 0.4:
                self.lines.append(before + self.rarely(["", " ", " # c"]))
                self.sequence(column + self.random.choice([0, 2, 2, 1]), depth + 1)
            else:
                value = self.value(column)
                self.lines.append(before + (self.rarely([" ", "  ", "", "\t"]) + value if value else ""))
            if chance() < 0.04:
                self.lines.append(" " * self.random.choice([0, 0, 2, 5]))
        if chance() < self.comments:
            self.comment(column)

    def sequence(self, column: int, depth: int) -> None:
        chance = self.random.random
        for _ in range(self.random.randint(1, 3)):
            self.comment(column)
            dash = " " * column + "-"
            space = " " * self.random.choice([1, 1, 1, 1, 2, 3])
            inner = column + 1 + len(space)
            kind = chance()
            if depth < 4 and kind < 0.3:
                self.mapping(inner, depth + 1, dash + space)
            elif depth < 4 and kind < 0.38:
                self.lines.append(dash)
                write = self.random.choice([self.mapping, self.sequence])
                write(column + self.random.choice([1, 2, 4]), depth + 1)
            elif depth < 4 and kind < 0.45:
                self.lines.append(f"{dash}{space}- {self.value(inner)}")
                self.lines.append(f"{' ' * inner}- {self.value(inner)}")
            else:
                self.lines.append((dash + space + self.value(column)).rstrip(" "))
        if chance() < self.comments:
            self.comment(column)

    def block(self, column: int) -> None:
        pad = " " * column
        self.lines.append(pad + "sops:" + self.rarely(["", " "]))
        pad += " " * self.random.choice([2, 4])
        for member in self.random.sample(BLOCK, self.random.randint(1, 6)):
            self.lines.extend(pad + line for line in member.split("\n"))

    def comment(self, column: int) -> None:
        chance = self.random.random
        if chance() >= self.comments:
            return
        self.lines.extend([""] if chance() < 0.3 else [])
        for _ in range(self.random.choice([1, 1, 2])):
            at = column if chance() < 0.85 else self.random.choice([0, 1, 2, 3, 4, 6])
            self.lines.append(" " * at + self.random.choice(["# c", "#c", "#", "# a: b", "# c  ", f"#{ENC}"]))
            self.lines.extend([""] if chance() < 0.1 else [])
        self.lines.extend([" " * self.random.choice([0, 0, 0, 4])] if chance() < 0.3 else [])

    def key(self) -> str:
        if self.random.random() < self.odd:
            return self.random.choice(ODD_KEYS)
        key = self.random.choice(["a", "key", "x-y", "foo.bar/baz", "_u", "ключ"]) + str(len(self.lines))
        return self.random.choice([key, key, key, key, f'"{key}"', f"'{key}'"])

    def value(self, column: int) -> str:
        chance = self.random.random
        if chance() < 0.12:
            return self.block_scalar(column)
        if chance() < self.odd:
            return self.random.choice(ODD_VALUES)
        value = self.random.choice(VALUES)
        return value + self.random.choice([" # c", "  # c", "  "]) if chance() < self.comments / 3 else value

    def block_scalar(self, column: int) -> str:
        chance, number = self.random.random, self.random.randint
        indent = column + self.random.choice([1, 2, 2, 4]) if chance() < 0.93 else number(0, column + 1)
        header = self.random.choice(["|", "|-", "|+", ">", ">-", ">+"])
        out = [header + self.rarely(["", "  ", "2", " # c", "x"])]
        words = ["text", "# no comment", "a: b", "- x", '"', "---", "x  "]
        for _ in range(number(0, 4)):
            kind = chance()
            if kind < 0.2:
                out.append(self.rarely(["", " " * number(0, indent + 2)]))
            elif kind < 0.95:
                out.append(" " * (indent + self.random.choice([0, 0, 0, 1, 2])) + self.random.choice(words))
            else:
                out.append(" " * number(0, indent) + self.random.choice(words))
        for _ in range(self.random.choice([0, 0, 1, 2])):
            out.append(self.rarely(["", " " * number(0, indent + 1)]))
        return "\n".join(out)

    def rarely(self, choices: list[str]) -> str:
        """The first, or now and then one of the others."""
        return choices[0] if self.random.random() < 0.98 else self.random.choice(choices[1:])

    def damaged(self, text: str) -> str:
        """The text with a few lines or characters changed."""
        for _ in range(self.random.choice([1, 1, 2, 3])):
            kind = self.random.random()
            if kind < 0.3 and text:
                at = self.random.randrange(len(text))
                new = self.random.choice(["", *CHARACTERS])
                text = text[:at] + new + text[at + self.random.randint(0, 1) :]
                continue
            out = text.split("\n")
            at = self.random.randrange(len(out))
            if kind < 0.4:
                del out[at]
            elif kind < 0.5:
                out.insert(at, self.random.choice([*out, *LINES]))
            elif kind < 0.6:
                other = self.random.randrange(len(out))
                out[at], out[other] = out[other], out[at]
            elif kind < 0.75:
                out[at] = " " * self.random.randint(1, 3) + out[at]
            elif kind < 0.9:
                out[at] = out[at][self.random.randint(1, 3) :]
            else:
                out[at] += self.random.choice(["  ", " # c", ":", " x", ": y", "#", " -", '"', "'"])
            text = "\n".join(out)
        return text


# --- the same, or nothing -------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_random_texts(seed: int) -> None:
    writer = Writer(seed)
    counts: Counter[bool] = Counter()
    for _ in range(1500):
        text = writer.text()
        counts.update(check(text, comments) for comments in (False, True))
        text = writer.damaged(text)
        counts.update(check(text, comments) for comments in (False, True))
    assert counts[True] > 1200


@pytest.mark.parametrize("seed", range(6))
def test_random_streams(seed: int) -> None:
    """Several documents in a text."""
    writer = Writer(seed)
    counts: Counter[bool] = Counter()
    for _ in range(700):
        parts = [writer.text() for _ in range(writer.random.choice([2, 2, 3]))]
        between = writer.random.choice(["---\n", "---\n", "---\n", "---\n", "--- # c\n", "---", "...\n", ""])
        text = between.join(part if part.endswith("\n") else part + "\n" for part in parts[:-1])
        text += between + parts[-1]
        counts.update(check(text, comments) for comments in (False, True))
        text = writer.damaged(text)
        counts.update(check(text, comments) for comments in (False, True))
    assert counts[True] > 40


@pytest.mark.parametrize("comments", [False, True])
def test_streams_are_read_by_lines(comments: bool) -> None:
    one = "# of the first\n---\na: |+\n  x\n\nl:\n  - b # c\n" if not comments else "---\n# c\na: b # d\n"
    for text in (one + "---\nb: c\n---\n# c\nd:\n", one + "sops:\n  a: b\n---\nb: c\nsops:\n  a: b\n"):
        assert check(text, comments)


SMALL = [
    "k%d:", "k%d: v", "  k%d: v", "  k%d:", "    k%d: v", "- x", "  - y", "  - k%d: v", "    - z", "# c",
    "  # c", "    # c", "", "  - y # i", "  k%d: # i", "- k%d: v", "  k%d: []", "  k%d: |", "      t",
]  # fmt: skip


@pytest.mark.parametrize("comments", [*itertools.product(["", "# c", "  # c", "    # c"], repeat=3)])
@pytest.mark.parametrize(
    "before", ["a:\n  b: 1\n", "- b: 1\n", "  - b: 1\n", "a:\n  - b\n", "a:\n  b:\n    - c: 1\n"]
)
def test_comments_in_any_column(before: str, comments: tuple[str, ...]) -> None:
    for after in ("", "z: 1\n", "  z: 1\n", "- z\n", "  - z\n", "    - z\n"):
        check(
            "k:\n" * (before.lstrip()[0] == "-") + before + "".join(f"{line}\n" for line in comments) + after,
            True,
        )


def test_all_small_texts() -> None:
    """Every way to put four of these lines below a key: indentation and comments, all of it."""
    accepted = 0
    for chosen in itertools.product(SMALL, repeat=3):
        text = "".join(f"{line}\n".replace("%d", str(i)) for i, line in enumerate(("k%d:", *chosen)))
        accepted += check(text, True)
        accepted += check(text[:-1], False)
    assert accepted > 1000


PIECES = [
    "k%d: |\n    x\n", "k%d: >-\n    x\n\n    y\n", "k%d: |+\n    x\n\n", "  k%d: 'it''s' # c\n",
    '  k%d: "a\\n"\n', 'k%d: [a, "b"] # c\n', "k%d: {} # c\n", "- []\n", "- - k%d: v\n", "-\n", "- # c\n",
    "  - - x\n", "---\n", "\n", "# c\n", "  # c\n", "      # c\n", "k%d: &a x\n", "'q%d': v\n", '"q%d":\n',
    "sops:\n    mac: x\n", "sops:\n    age: []\n    y:\n",
    "sops:\n    enc: |\n        x\n    l:\n    - a: b\n", "k%d: # c\n", "k%d: 1 # c\n",
    "k%d:\n    - a\n    - b:\n    # c\n", "...\n",
]  # fmt: skip


def put_together(pieces: list[str], count: int) -> Iterator[str]:
    for chosen in itertools.product(pieces, repeat=count):
        yield "".join(piece.replace("%d", str(at)) for at, piece in enumerate(chosen))


def test_pieces_in_any_order() -> None:
    """How many of these texts are read without libyaml is known exactly, too: that no fewer are."""
    counts: Counter[tuple[bool, bool]] = Counter()
    for text in put_together(PIECES, 2):
        for given in (text, f"k:\n{text}", f"z: 1\n{text}"):
            for comments in (False, True):
                for end in (len(given), -1):
                    counts[comments, end == -1] += check(given[:end], comments)
    assert counts == {
        (False, False): 1103,
        (False, True): 975,
        (True, False): 743,
        (True, True): 635,
    }
    assert sum(check(f"k:\n{text}", True) for text in put_together(PIECES[::2], 3)) == 728


@pytest.mark.parametrize("value", [*ODD_VALUES, *VALUES])
def test_values_and_what_may_follow_them(value: str) -> None:
    followers = ["", "\n", "  x\n", "  y: 1\n", "  - x\n", "# c\n", "  # c\nz: 1\n", "\n  x\n", "z: 1\n"]
    for follower in followers:
        for head in ("k: ", "k:\n- ", "- k: ", "k:\n  - - ", "k:\n  "):
            for comments in (False, True):
                check(f"{head}{value}\n{follower}", comments)
                check(f"a: 1\n{head}{value}{follower}", comments)


@pytest.mark.parametrize("key", ODD_KEYS)
def test_keys(key: str) -> None:
    for value in (" v", "", "v", "  v", "\n  a: 1", "\n- a", " [a]"):
        check(f"{key}:{value}\n", True)
        check(f"a:\n  - {key}:{value}\n  - b\n", True)
        check(f"a: 1\n{key}:{value}\n{key}:{value}\n", True)


LEFT_KEYS = [
    "sops", "true", "null", "Null", '"sops"', "a b ", "a #b", "a  b", "1", "a:b", "-x", "~", "<<", "[k",
    '""', "''", "? a", ".x", "a b c d e f g h i j k",
]  # fmt: skip
LEFT_VALUES = [
    "a :", '"q"#c', "'s", '"q', '"a\\x41"', '"a" b', "[]x", "{a: b}", "[a, ]", "[,a]", "[1, null, ~]",
    '["a": b]', "[a: b]", "[a:b]", "[- x]", "[-]", '["a" b]', "['it''s']", "[a]#c", "[[a]]", "[a, # c",
    "[a #c]", "[a]]", "[a?]", "[18446744073709551615]", "|2", "| # c", ">2", "&a x", "*a", "!t x",
    "!!str 1", "@x", "`x", "%x", "18446744073709551615", "2001-01-01T00:00:00+24:00", "\xa0x", "x\xa0#y",
    "\u200bx", "x\x7fy", "x\ty", "\tx", "?", "? x", ":x", ": x", ",x", '"', "'", "!", '"\\u263a"',
]  # fmt: skip


def test_all_other_values_and_keys_are_in_the_subset() -> None:
    """The tests above say nothing of what the scanner leaves to libyaml."""
    assert [value for value in VALUES if not check(f"k: {value}\n", True)] == []
    heads = ("k: ", "k:\n- ")
    left = [value for value in ODD_VALUES if not any(check(f"{head}{value}\n", True) for head in heads)]
    assert left == LEFT_VALUES
    assert [key for key in ODD_KEYS if not check(f"{key}: v\n", True)] == LEFT_KEYS
    heads = ("k: ", "k:\n- ", "- k: ", "k:\n  - - ", "k:\n  ", "sops:\n  a: b\n  k: ")
    texts = itertools.product(heads, [*ODD_VALUES, *VALUES], ["\n", " # c\n", "\nz: 1\n"])
    assert sum(check("".join(text), comments) for text in texts for comments in (False, True)) == 1916


def test_the_depth() -> None:
    """Deeper texts are left to libyaml, which says how deep they may be."""
    for depth, fast in ((99, True), (100, True), (101, False)):
        assert (
            check("".join(f"{' ' * at}k:\n" for at in range(depth)) + " " * depth + "k: v\n", False) is fast
        )
        assert (
            check("".join(f"{' ' * at}k:\n" for at in range(depth)) + " " * (depth - 1) + "- v\n", False)
            is fast
        )


NOT_UTF8 = {"not-utf8.yaml", "utf-16.yaml"}


def texts() -> list[Path]:
    return sorted(path for path in FIXTURES.rglob("*.yaml") if path.name not in NOT_UTF8)


@pytest.mark.parametrize("path", texts(), ids=lambda path: str(path.relative_to(FIXTURES)))
def test_fixtures(path: Path) -> None:
    text = path.read_bytes().decode()
    for comments in (False, True):
        check(text, comments)
        check(text.rstrip("\n"), comments)


def test_enough_fixtures_are_in_the_subset() -> None:
    assert sum(check(path.read_bytes().decode(), True) for path in texts()) >= 84


# --- what has to be in the subset -------------------------------------------------------------------


@pytest.mark.parametrize("name", ["helm-values", "compose", "types", "shamir", "pgp", "old-1.13", "unicode"])
def test_what_sops_writes_is_in_the_subset(name: str) -> None:
    text = (FIXTURES / "sops" / f"{name}.enc.yaml").read_text()
    assert check(text, False)
    assert yaml_fast.scan(text, False).block is not None  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\n",
        "---\na: 1",
        "# top\n\na: # b\n  - c # d\n  # e\n  - f: |\n      g\n\n  - h\n\n# i\nj: k\n# l\n",
        f'a:\n    b: {ENC}\n    #{ENC}\n    c: ["{ENC}", x]\n',
        "a:\n- b: >-\n    folded\n    text\n\n    of two paragraphs\n  c:\n  - d\ne:\n",
        'a: "it\'s\\n"\nb: \'say "it\'\'s"\'\n"c d": http://e:80/#f\n',
        "ключ: значение\n",
        "a:\n  b: 1\n  # the last of a\n# the first of c\nc: 1\n",
        "a:\n- b:\n    c: 1\n\n# of the next item\n- e: 1\n",
    ],
)
def test_ordinary_texts_are_in_the_subset(text: str) -> None:
    assert check(text, False)
    assert check(text, True)


@pytest.mark.parametrize(
    "text",
    [
        "", "# c\n", "---\n", "- a\n", "a\n", "a: 1\n--- \nb: 1\n", "a: 1\n...\n", "a: 1\na: 2\n",
        "a: &b c\n", "a: *b\n", "a: !b c\n", "<<: {}\n", "? a\n", "true: 1\n", "1: 2\n", "a: b: c\n",
        "a: b\n  c\n", "a: b\n  c: d\n", "a:\n  - b\n c: d\n", "a:\n  b: 1\n   c: 2\n", "a: 'b\n  c'\n",
        "a:\tb\n", "a: b\r\n", "\ufeffa: b\n", "a: \x07\n", "a: b\x1f\n", "a: b\x7f\n", "a: \ud800\n",
        "sops: 1\n", "sops:\n",
        "sops:\n- a\n", "sops: {}\n", "%YAML 1.1\n---\na: 1\n", "a: | # b\n  c\n", "a: |2\n   b\n",
        "a: [b: c]\n", "a: 18446744073709551615\n", "a: [18446744073709551615]\n", "k" * 1025 + ": 1\n",
        "".join(" " * i + "a:\n" for i in range(300)), "a:\n  " + "- " * 300 + "b\n",
    ],
)  # fmt: skip
def test_all_else_is_left_to_libyaml(text: str) -> None:
    assert yaml_fast.scan(text, False) is None
    assert yaml_fast.scan(text, True) is None


def test_hostile_texts_take_no_long_time() -> None:
    many = 200_000
    for text in (
        "a: " + " " * many + "b :\n",
        "a: '" + "''" * many + "\n",
        'a: "' + "\\n" * many + "\n",
        "a: [" + "a, " * many + "\n",
        "a: [" + "a " * many + "\n",
        "a: |\n" + "\n" * many + "b\n",
        "a:\n" + "- " * many + "\n",
        "- " * many + "\n",
        " " * many + "\n",
        ("a" * 900 + "\n") * 500,
        ("  - " + '"' * 3 + "\n") * many,
    ):
        assert yaml_fast.scan(text, True) is None


def test_no_yaml_library_is_loaded() -> None:
    code = (
        "import sys; from encconf import formats; yaml = formats.get('yaml')\n"
        "text = open(sys.argv[1]).read()\n"
        "assert yaml.scan(text).block['mac']; assert 'ruamel.yaml' not in sys.modules"
    )
    path = FIXTURES / "sops" / "helm-values.enc.yaml"
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code, str(path)], check=True, env=environ, timeout=60)


def test_the_most_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_fast, "MAX_DOCUMENTS", 3)
    found = yaml_fast.scan("---\na: 1\n" * 3, False)
    assert found is not None
    assert len(found.parts) == 3
    with pytest.raises(LimitError, match="more than 3 documents"):
        yaml_fast.scan("---\na: 1\n" * 4, False)
