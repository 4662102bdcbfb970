"""Comments: where go-yaml puts them, shown by examples, and by what the real sops does with random texts.

sops authenticates a comment with its container's keys, so its own ciphertexts tell the
container; and the comment regexes of its command line tell which item a comment precedes.
"""

from __future__ import annotations

import base64
import json
import random
import re
from collections import Counter
from pathlib import Path

import pyrage
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from oracle import SopsError
from ruamel.yaml import YAML

from encconf.formats.yaml_comments import place


def parse(text, *, pure=False):
    return list(YAML(typ="safe", pure=pure).parse(text))


class Tree:
    """What the events of a text are in its tree."""

    def __init__(self, events):
        self.steps = {}  # an item's first event: its key or index
        self.paths = {}  # a collection's first event: its path
        self.leaves = []  # (value, [(container, item's first event), ...])
        stack = []
        for i, event in enumerate(events):
            kind = type(event).__name__
            if kind in ("MappingEndEvent", "SequenceEndEvent"):
                stack.pop()
            if kind not in ("ScalarEvent", "AliasEvent", "MappingStartEvent", "SequenceStartEvent"):
                continue
            path = ()
            if stack:
                frame = stack[-1]
                if frame["mapping"] and not frame["is_value"]:
                    frame["item"], frame["is_value"] = i, True
                    self.steps[i] = event.value
                    continue
                if not frame["mapping"]:
                    frame["item"] = i
                    self.steps[i] = frame["count"]
                frame["is_value"] = False
                frame["count"] += 1
                path = (*frame["path"], self.steps[frame["item"]])
            if kind.endswith("StartEvent"):
                self.paths[i] = path
                mapping = kind == "MappingStartEvent"
                stack.append({"start": i, "mapping": mapping, "is_value": False, "count": 0, "path": path})
            elif kind == "ScalarEvent":
                self.leaves.append((event.value, [(frame["start"], frame["item"]) for frame in stack]))


def placements(text, *, pure=False):
    """Each comment, the path of its container, and the item that it precedes there."""
    events = parse(text, pure=pure)
    tree = Tree(events)
    return [
        (text[placed.start : placed.end], tree.paths.get(placed.container), tree.steps.get(placed.before))
        for placed in place(text, events)
    ]


EXAMPLES = [
    ("head of a key", "#1\nk: v\n", [("1", (), "k")]),
    ("head after an empty line", "a: b\n\n#1\nk: v\n", [("1", (), "k")]),
    ("foot of the item before", "a: b\n#1\n\nk: v\n", [("1", (), "k")]),
    ("directly between two items: head", "a: b\n#1\nk: v\n", [("1", (), "k")]),
    ("line of a scalar", "a: b #1\nk: v\n", [("1", (), "a")]),
    ("line of a key", "a: #1\n  b: c\n", [("1", (), "a")]),
    ("line of a list's key", "a: #1\n  - b\n", [("1", (), "a")]),
    ("line of an item", "a:\n  - b #1\n  - c\n", [("1", ("a",), 0)]),
    ("line of a block scalar", "a: | #1\n  text # not\nk: v\n", [("1", (), "a")]),
    ("after a block scalar", "a: |\n  text\n#1\nk: v\n", [("1", (), "k")]),
    ("empty value", "a: #1\nk: v\n", [("1", (), "a")]),
    ("between key and value", "a:\n  #1\n  b\n", [("1", (), "a")]),
    ("end of an inner mapping", "a:\n  b: c\n  #1\nk: v\n", [("1", ("a",), None)]),
    ("end of an outer mapping", "a:\n  b: c\n#1\nk: v\n", [("1", (), "k")]),
    (
        "both",
        "a:\n  b:\n    c: d\n    #1\n  #2\n#3\nk: v\n",
        [("1", ("a", "b"), None), ("2", ("a",), None), ("3", (), "k")],
    ),
    ("end of a list", "a:\n  - b\n  #1\nk: v\n", [("1", ("a",), None)]),
    ("end of a list at its key's column", "a:\n- b\n#1\nk: v\n", [("1", (), "k")]),
    ("foot of a list item", "a:\n  - b\n  #1\n\n  - c\n", [("1", ("a",), 1)]),
    ("last", "a:\n  b: c\n#1\n", [("1", (), None)]),
    ("last, indented", "a:\n  b: c\n  #1\n", [("1", ("a",), None)]),
    ("last, without a line break", "a:\n  b: c\n  #1", [("1", ("a",), None)]),
    ("mapping in a list", "a:\n  #1\n  - b: c\n    #2\n    d: e\n", [("1", ("a",), 0), ("2", ("a", 0), "d")]),
    ("in a dash", "a:\n  - #1\n    b: c\n", [("1", ("a", 0), "b")]),
    ("list in a list", "a:\n  #1\n  - - b\n    #2\n    - c\n", [("1", ("a",), 0), ("2", ("a", 0), 1)]),
    ("after an anchor", "a: &x #1\n  b: c\n", [("1", ("a",), "b")]),
    ("after a tag", "a: !x #1\n  v\n", [("1", (), "a")]),
    ("tag before a list's mapping", "a:\n  #1\n  - !x\n    b: c\n", [("1", ("a", 0), "b")]),
    ("alias", "a: &x b\nc: *x #1\n#2\n\nd: e\n", [("1", (), "c"), ("2", (), "d")]),
    (
        "flow list",
        "a: [ #1\n  b, #2\n  #3\n  c #4\n  #5\n] #6\n",
        [
            ("1", None, None),
            ("2", ("a",), 0),
            ("3", ("a",), 1),
            ("4", ("a",), 1),
            ("5", ("a",), None),
            ("6", ("a",), 0),
        ],
    ),
    (
        "flow mapping",
        "a: { #1\n  b: c, #2\n  #3\n  d: e #4\n  #5\n} #6\n",
        [
            ("1", None, None),
            ("2", ("a",), "b"),
            ("3", ("a",), "d"),
            ("4", ("a",), "d"),
            ("5", ("a",), None),
            ("6", ("a",), "b"),
        ],
    ),
    (
        "empty brackets",
        "a: [ #1\n  #2\n] #3\nb: {} #4\n",
        [("1", None, None), ("2", None, None), ("3", ("a",), None), ("4", ("b",), None)],
    ),
    ("pair in a flow list", "a: [b: c, #1\n  d]\n", [("1", ("a", 0), "b")]),
    (
        "flow root",
        "#1\n{a: b, #2\n c: d} #3\n#4\n",
        [("1", (), "a"), ("2", (), "a"), ("3", (), "a"), ("4", (), None)],
    ),
    (
        "explicit key",
        "? a #1\n#2\n: b #3\n#4\n? c\n",
        [("1", (), "a"), ("2", (), "a"), ("3", (), "a"), ("4", (), "c")],
    ),
    ("document start", "#1\n---\n#2\na: b\n", [("1", (), "a"), ("2", (), "a")]),
    ("foot of the document start", "---\n#1\n\na: b\nc: d\n", [("1", (), "a")]),
    ("two documents", "a: b\n#1\n---\n#2\nc: d\n#3\n", [("1", (), None), ("2", (), "c"), ("3", (), None)]),
    ("foot of the second document's start", "a: b\n---\n#1\n\nc: d\n", [("1", (), None)]),
    ("document end", "a: b\n...\n#1\n", [("1", (), None)]),
    ("directive", "%YAML 1.1 #1\n#2\n\n---\na: b\nc: d\n", [("1", None, None), ("2", (), "c")]),
    ("document without a tree", "a: b\n---\n#1\n---\nc: d\n", [("1", None, None)]),
    ("CRLF: below is not a foot", "a:\r\n  b: c\r\n  #1\r\nk: v\r\n", [("1", ("a",), None)]),
    ("CRLF", "a: b\r\n#1\r\n#2\r\nk: v\r\n", [("1", (), "k"), ("2", (), "k")]),
    ("byte order mark", "\ufeff#1\na: b #2\n", [("1", (), "a"), ("2", (), "a")]),
    ("replaced", "a: [b]\n#1\n\n#2\nk: v\n", [("1", (), "k"), ("2", (), "k")]),
    ("dedented", "a:\n    b: c\n  #1\n    d: e\n", [("1", ("a",), "d")]),
    ("hash", "a: b#1\nc: '#2' #3\nd: \"x #4\"\n", [("3", (), "c")]),
]


@pytest.mark.parametrize("pure", [False, True], ids=["c", "pure"])
@pytest.mark.parametrize(
    ("text", "expected"), [row[1:] for row in EXAMPLES], ids=[row[0] for row in EXAMPLES]
)
def test_example(text, expected, pure):
    assert placements(text, pure=pure) == expected


def test_far():
    """go-yaml looks 511 characters beyond a comment line, and loses the comment if the bracket is farther."""
    near, far = (f"a: [b\n  #1\n{' ' * n}]\n" for n in (510, 511))
    assert placements(near) == [("1", ("a",), None)]
    assert placements(far) == [("1", None, None)]


def test_documents():
    text = "a: b\n#0\n---\n#1\nc: d\n#1\n...\n#1\n"
    assert [(text[p.start : p.end], str(p.document)) for p in place(text, parse(text))] == [
        (number, number) for number in "0111"
    ]


def test_no_comment():
    assert place("a: b\n", parse("a: b\n")) == []
    assert place("a: '#'\n", parse("a: '#'\n")) == []


@pytest.mark.parametrize(
    "text",
    [
        "k: " + "[\n#c\n" * 900 + "]\n" * 900,
        "k:\n  " + "- " * 900 + "x\n" + " # c\n  # c\n" * 20_000,
        "k: v\n" + "# c\n\n" * 50_000,
        "k:\n" + "- # c\n" * 20_000,
        "k: ['#'" + ", '#'" * 20_000 + "] # c\n",
    ],
    ids=["brackets", "dashes", "gap", "empty", "quoted"],
)
def test_many(text):
    """Nothing here takes longer than the parser by more than a constant factor."""
    assert len(place(text, parse(text))) == text.count("# c") + text.count("#c")


# --- against sops ----------------------------------------------------------------------------


class Author:
    """Writes random YAML texts, with comments wherever they may stand, and values all different."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.density = self.random.choice([0.15, 0.3, 0.5])
        self.values = self.names = self.comments = 0

    def text(self):
        text = "".join(
            self.gap(0) + self.random.choice(["---\n", f"---{self.line()}\n"]) + self.gap(0) + self.mapping(0)
            for _ in range(self.random.choice([1, 1, 2]))
        )
        text = text.partition("---")[2].partition("\n")[2] if self.random.random() < 0.5 else text
        text += self.gap(0)
        if self.random.random() < 0.2:
            text = text.rstrip("\n")
        return text.replace("\n", "\r\n") if self.random.random() < 0.2 else text

    def maybe(self, chance):
        return self.random.random() < chance

    def comment(self):
        self.comments += 1
        return f"# {'~mark ' if self.maybe(0.15) else ''}c{self.comments}"

    def line(self):
        return self.random.choice([" ", "   ", "\t"]) + self.comment() if self.maybe(self.density / 2) else ""

    def gap(self, column):
        """Comment lines, most of them at a column, and empty lines."""
        lines = []
        while self.maybe(self.density):
            at = self.random.choice([column] * 8 + [0, max(column - 2, 0), column + 2, column + 3])
            lines.append(" " * at + self.comment() + "\n" + "\n" * self.random.choice([0, 0, 0, 1, 2]))
        return "".join(lines)

    def name(self):
        self.names += 1
        return self.random.choice(["k{}", "k{}", "'k{}'", '"k{}"', "&a{} k{}"]).replace("{}", str(self.names))

    def value(self):
        self.values += 1
        return f"v{self.values}"

    def scalar(self, column):
        value, line = self.value(), self.line()
        return self.random.choice(
            [
                f" {value}{line}\n",
                f" {value}{line}\n",
                f" '{value}'{line}\n",
                f' "{value}"{line}\n',
                f" !!str {value}{line}\n",
                f" &x{self.values} {value}{line}\n",
                f" &y{self.values}{line}\n{self.gap(column + 2)}{' ' * (column + 2)}{value}\n",
                f"{line}\n{self.gap(column + 2)}{' ' * (column + 2)}{value}{self.line()}\n",
                f" |-{line}\n{' ' * (column + 2)}{value}\n" + "\n" * self.random.choice([0, 1]),
                f" >-{line}\n{' ' * (column + 1)}{value}\n",
            ]
        )

    def mapping(self, column, *, started=False):
        lines = []
        for i in range(self.random.randint(1, 4)):
            indent = "" if started and not i else self.gap(column) + " " * column
            lines.append(f"{indent}{self.name()}:{self.node(column)}")
        return "".join(lines)

    def node(self, column):
        if column > 8 or self.maybe(0.5):
            return self.scalar(column)
        kind = self.random.choice(["mapping", "list", "list", "flow"])
        if kind == "flow":
            return f" {self.flow(column + 2)}{self.line()}\n"
        head = self.random.choice(["", "", f" &m{self.names}"]) + self.line() + "\n"
        if kind == "mapping":
            inner = column + self.random.choice([1, 2, 4])
            return head + self.mapping(inner)
        return head + self.list(column + self.random.choice([0, 2]))

    def list(self, column, *, started=False):
        lines = []
        for i in range(self.random.randint(1, 3)):
            indent = "" if started and not i else self.gap(column) + " " * column
            kind = self.random.choice(["scalar", "scalar", "mapping", "list", "flow"])
            if kind == "scalar" or column > 8:
                item = self.scalar(column)
            elif kind == "flow":
                item = f" {self.flow(column + 2)}{self.line()}\n"
            elif self.maybe(0.3):
                item = self.line() + "\n" + getattr(self, kind)(column + 2)
            else:
                item = " " + getattr(self, kind)(column + 2, started=True)
            lines.append(f"{indent}-{item}")
        return "".join(lines)

    def flow(self, column):
        def space():
            return self.random.choice(
                [
                    "",
                    " ",
                    f"{self.line()}\n{self.gap(column)}{' ' * self.random.choice([column, column + 1])}",
                ]
            )

        pairs = self.maybe(0.5)
        out = []
        for _ in range(self.random.randint(0, 3)):
            item = self.flow(column) if self.maybe(0.2) else self.value()
            out.append(
                f"{space()}{self.name()}: {space()}{item}{space()}" if pairs else space() + item + space()
            )
        return ("{%s}" if pairs else "[%s]") % ",".join(out)


def data_key(sealed, age_key):
    """The data key of a file that sops encrypted for an age key."""
    block = next(doc["sops"] for doc in YAML(typ="safe", pure=False).load_all(sealed))
    identity = pyrage.x25519.Identity.from_str(age_key.identity)
    return AESGCM(pyrage.decrypt(block["age"][0]["enc"].encode(), [identity]))


ENC = re.compile(r"ENC\[AES256_GCM,data:([^,]*),iv:([^,]*),tag:([^,]*),type:comment\]")


def sealed_comments(sealed, cipher, containers):
    """Each comment of sops's output and the container, of these paths of keys, whose path opens it."""
    for match in ENC.finditer(sealed):
        data, iv, tag = (base64.b64decode(part) for part in match.groups())
        for keys in containers:
            try:
                text = cipher.decrypt(iv, data + tag, "".join(f"{key}:" for key in keys).encode() or b":")
            except InvalidTag:
                continue
            yield text.decode(), keys
            break
        else:
            yield None, None


def texts(first, count):
    return [Author(seed).text() for seed in range(first, first + count)]


def test_parsers_agree():
    """The pure parser gives the same as the C one (it refuses a tab before a comment)."""
    for text in (text.replace("\t", " ") for text in texts(1, 150)):
        assert placements(text) == placements(text, pure=True), text


def containers(text):
    """The keys above each comment, as the tree of a text has them and as `place` says."""
    wanted = Counter(
        (comment, tuple(step for step in path if isinstance(step, str)))
        for comment, path, _ in placements(text)
        if path is not None
    )
    known = {
        tuple(step for step in path if isinstance(step, str)) for path in Tree(parse(text)).paths.values()
    }
    return known, wanted


def test_containers(sops, age_key):
    compared = 0
    for text in texts(1000, 90):
        try:
            sealed = sops.encrypt(text, "yaml", age=age_key.recipient)
        except SopsError:
            continue
        known, expected = containers(text)
        found = Counter(sealed_comments(sealed, data_key(sealed, age_key), known))
        assert found == expected, text
        compared += expected.total()
    assert compared > 800


# Short texts, each of which is read in another way if some detail is: of 17000 random texts, those that
# show the faults of `make mutants`.  With each comment are its container, what is after it, and its
# document, as events.
RECORDED = json.loads(Path(__file__).with_name("comments.json").read_text(encoding="utf-8"))


def test_recorded():
    for text, wanted in RECORDED:
        found = [
            [text[placed.start : placed.end], placed.container, placed.before, placed.document]
            for placed in place(text, parse(text))
        ]
        assert found == wanted, text


def test_sops_confirms_what_is_recorded(sops, age_key):
    for text, _ in RECORDED:
        sealed = sops.encrypt(text, "yaml", age=age_key.recipient)
        known, expected = containers(text)
        assert Counter(sealed_comments(sealed, data_key(sealed, age_key), known)) == expected, text


def test_items(sops, age_key):
    """What a comment regex leaves unencrypted is what stands in an item after a marked comment."""
    config = (
        f"creation_rules:\n  - age: {age_key.recipient}\n    unencrypted_comment_regex: '~mark'\n"
        "stores: {yaml: {indent: 4}}\n"
    )
    compared = 0
    for text in texts(2000, 90):
        if "~mark" not in text:
            continue
        try:
            sealed = sops.encrypt(text, "yaml", config=config)
        except SopsError:
            continue
        events = parse(text)
        marked = {
            (placed.container, placed.before)
            for placed in place(text, events)
            if "~mark" in text[placed.start : placed.end] and placed.before >= 0
        }
        expected = {value.split()[0] for value, items in Tree(events).leaves if marked.intersection(items)}
        left = {value.split()[0] for value, _ in Tree(parse(sealed)).leaves if re.match(r"v[0-9]", value)}
        assert left == expected, text
        compared += len(expected)
    assert compared > 100
