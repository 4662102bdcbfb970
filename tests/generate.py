"""Random YAML and JSON documents, as varied as people write them; the same seed gives the same text."""

from __future__ import annotations

import json
import random

_WORDS = [
    "alpha",
    "beta",
    "db",
    "host",
    "user",
    "token",
    "port",
    "name",
    "list",
    "né",
    "ключ",
    "url",
    "x",
    "cfg",
]
_PLAIN = [
    "value",
    "two words",
    "http://host:80/p?q=1",
    "a:b",
    "C:\\new",
    "x#y",
    "pass-word",
    "50%",
    "a, b",
    "yes",
    "no",
    "on",
    "~",
    "null",
    "true",
    "False",
    "12",
    "-7",
    "+5",
    "0x1F",
    "010",
    "08",
    "1_000",
    "0o17",
    "3.14",
    "1.0",
    "1e3",
    ".5",
    ".inf",
    "-.Inf",
    ".NaN",
    "2001-12-14",
    "2001-12-14t21:59:43.10-05:00",
    "2001-12-14 21:59:43.1",
    "1:30",
    "=",
    "1e400",
    "18446744073709551616",
    "-9223372036854775808",
    "9223372036854775807",
    "ünïcode",
    "日本語",
    "😀",
    "it's",
    'say "x"',
    "trailing",
    "-dash",
    "?q",
    ":c",
    "a - b",
    "[not",
    "0",
    "-0",
    "-0.0",
    "1.",
    "1e-7",
    "1e21",
    "0b101",
    "key=val",
    "$VAR",
]
_TEXTS = [
    "",
    " ",
    "plain",
    "a b",
    "with: colon",
    "# hash",
    "tab\there",
    "new\nline",
    'quote"s',
    "it's",
    "back\\slash",
    "uni\u00e9",
    "\u2028sep",
    "nbsp\u00a0x",
    "\x07bell",
    "\U0001f600",
    " lead",
    "trail ",
    "a\n\nb\n",
    "123",
    "true",
    "ENC[x]",
    "{}",
    "%d",
    "@at",
    "`tick`",
    "null",
    "long " * 30,
]


class YamlMaker:
    """Makes one document; only what libyaml accepts in nearly all cases."""

    def __init__(self, seed: int, *, comments: bool = True, aliases: bool = True) -> None:
        self.random = random.Random(seed)
        self.comments = comments
        self.aliases = aliases
        self.step = self.random.choice([2, 2, 4, 3])
        self.indentless = self.random.random() < 0.4
        self.anchors: list[str] = []
        self.names = 0

    def text(self) -> str:
        """The whole stream, with its line breaks and marks."""
        chance = self.random.random
        documents = [self.document() for _ in range(1 if chance() < 0.85 else self.random.randint(2, 3))]
        text = "".join(
            (f"---{self.inline()}\n" if index or chance() < 0.15 else "")
            + body
            + ("...\n" if chance() < 0.04 else "")
            for index, body in enumerate(documents)
        )
        if chance() < 0.1 and text.endswith("\n"):
            text = text[:-1]
        if chance() < 0.15:
            text = text.replace("\n", "\r\n")
        if chance() < 0.05:
            text = "\ufeff" + text
        return text

    def document(self) -> str:
        self.anchors = []
        if self.random.random() < 0.03:
            return ""
        lines = self.mapping(0, 0)
        return "".join(line + "\n" for line in lines)

    def key(self, used: set[str]) -> str:
        while True:
            word = self.random.choice(_WORDS)
            if self.random.random() < 0.5:
                word += str(self.random.randint(0, 30))
            if self.random.random() < 0.15:
                word += "_unencrypted"
            if word not in used:
                used.add(word)
                return f'"{word}"' if self.random.random() < 0.1 else word

    def comment(self) -> str:
        return "#" + self.random.choice(
            ["", " note", " a: b", "# banner ##", " ünï", " x  ", "!", " TODO: 'y'", " "]
        )

    def inline(self) -> str:
        return " " + self.comment() if self.comments and self.random.random() < 0.12 else ""

    def extra(self, indent: int) -> list[str]:
        out = []
        chance = self.random.random
        if chance() < 0.08:
            out.append(" " * self.random.choice([0, 0, indent]))
        if self.comments:
            while chance() < 0.14:
                column = indent if chance() < 0.9 else self.random.randint(0, 8)
                out.append(" " * column + self.comment())
                if chance() < 0.15:
                    out.append("")
        return out

    def mapping(self, indent: int, depth: int) -> list[str]:
        lines: list[str] = []
        used: set[str] = set()
        for _ in range(self.random.randint(1, 5 if depth else 8)):
            lines += self.extra(indent)
            lines += self.entry(" " * indent + self.key(used) + ":", indent, depth, in_map=True)
        if self.random.random() < 0.5:
            lines += self.extra(indent)
        return lines

    def sequence(self, indent: int, depth: int) -> list[str]:
        lines: list[str] = []
        for _ in range(self.random.randint(1, 4)):
            lines += self.extra(indent)
            kind = self.random.random()
            if kind < 0.3 and depth < 3:
                body = self.mapping(indent + 2, depth + 1)
                while body and (not body[0].strip() or body[0].lstrip().startswith("#")):
                    lines.append(body.pop(0))
                if body:
                    lines.append(" " * indent + "- " + body[0][indent + 2 :])
                    lines += body[1:]
            else:
                lines += self.entry(" " * indent + "-", indent, depth, in_map=False)
        return lines

    def entry(self, head: str, indent: int, depth: int, *, in_map: bool) -> list[str]:
        kind = self.random.random()
        if kind < 0.17 and depth < 3:
            anchor = self.anchor()
            return [head + anchor + self.inline(), *self.mapping(indent + self.step, depth + 1)]
        if kind < 0.3 and depth < 3:
            deeper = indent if self.indentless and in_map else indent + self.step
            return [head + self.inline(), *self.sequence(deeper, depth + 1)]
        if kind < 0.38:
            return self.block(head, indent)
        if kind < 0.45:
            return [head + " " + self.flow(0) + self.inline()]
        if kind < 0.49:
            return [head + self.inline()]
        if kind < 0.52 and self.aliases and self.anchors:
            return [head + " *" + self.random.choice(self.anchors) + self.inline()]
        return [head + " " + self.scalar() + self.inline()]

    def anchor(self) -> str:
        if not self.aliases or self.random.random() > 0.08:
            return ""
        self.names += 1
        name = f"a{self.names}"
        # An alias to what is still open would be recursive: only scalars are offered as targets here.
        return f" &{name}"

    def scalar(self) -> str:
        kind = self.random.random()
        prefix = ""
        if self.aliases and self.random.random() < 0.04:
            self.names += 1
            prefix = f"&s{self.names} "
            self.anchors.append(f"s{self.names}")
        elif self.random.random() < 0.03:
            prefix = self.random.choice(["!!str ", "!custom ", "! "])
        if kind < 0.55:
            word = self.random.choice(_PLAIN)
            if word[0] in "-?:[" and word not in ("-dash", "-7", "-0", "-0.0"):
                word = "p" + word
            if prefix.startswith("! ") and not word.isalpha():
                word = "word"
            return prefix + word
        if kind < 0.8:
            return prefix + self.double(self.random.choice(_TEXTS))
        text = self.random.choice([t for t in _TEXTS if t.isprintable()])
        return prefix + "'" + text.replace("'", "''") + "'"

    def double(self, text: str) -> str:
        if self.random.random() < 0.5:
            return (
                json.dumps(text)
                if all(ord(c) < 0x10000 for c in text)
                else json.dumps(text, ensure_ascii=False)
            )
        return json.dumps(text, ensure_ascii=False).replace("\u2028", "\\L").replace("\u00a0", "\\_")

    def flow(self, depth: int) -> str:
        count = self.random.randint(0, 3)
        if self.random.random() < 0.5:
            items = [self.flow_item(depth) for _ in range(count)]
            return "[" + ", ".join(items) + ("," if items and self.random.random() < 0.1 else "") + "]"
        used: set[str] = set()
        members = [f"{self.key(used)}: {self.flow_item(depth)}" for _ in range(count)]
        return "{" + ", ".join(members) + "}"

    def flow_item(self, depth: int) -> str:
        kind = self.random.random()
        if kind < 0.15 and depth < 2:
            return self.flow(depth + 1)
        if kind < 0.5:
            return self.random.choice(
                ["word", "two words", "1", "-7", "true", "~", "1.5", "2001-01-01", "0x1F", "ab:c"[:2]]
            )
        return self.double(self.random.choice(_TEXTS))

    def block(self, head: str, indent: int) -> list[str]:
        style = self.random.choice("||||>")
        chomp = self.random.choice(["", "-", "", "+"])
        pad = " " * (indent + self.step)
        lines = [
            self.random.choice(
                ["text", "more text", "key: v", "# no comment", "ENC", "-----BEGIN-----", "a\tb"]
            )
        ]
        for _ in range(self.random.randint(0, 4)):
            lines.append(self.random.choice(["", "line", "  deeper", "x: y", "last", "trail  "]))
        if chomp != "+":
            while lines and not lines[-1].strip():
                lines.pop()
        body = [pad + line if line else "" for line in lines]
        return [f"{head} {style}{chomp}{self.inline()}", *body, *([""] if self.random.random() < 0.1 else [])]


def yaml_text(seed: int, *, comments: bool = True, aliases: bool = True) -> str:
    """A YAML stream of one to three documents."""
    return YamlMaker(seed, comments=comments, aliases=aliases).text()


def json_value(source: random.Random, depth: int = 0) -> object:
    """A random value of a JSON document."""
    kind = source.random()
    if kind < 0.2 and depth < 4:
        return {
            f"{source.choice(_WORDS)}{n}{'_unencrypted' if source.random() < 0.1 else ''}": json_value(
                source, depth + 1
            )
            for n in range(source.randint(0, 4))
        }
    if kind < 0.35 and depth < 4:
        return [json_value(source, depth + 1) for _ in range(source.randint(0, 4))]
    if kind < 0.7:
        return source.choice(_TEXTS)
    return source.choice(
        [0, 1, -7, 3.5, 1e21, 1e-7, True, False, None, 9007199254740993, -(2**63), 2**63 - 1, 0.1]
    )


def json_text(seed: int) -> str:
    """A JSON object in one of the usual layouts."""
    source = random.Random(seed)
    value = {f"k{n}": json_value(source) for n in range(source.randint(0, 7))}
    indent = source.choice([None, 2, 4, "\t", 1])
    text = json.dumps(value, indent=indent, ensure_ascii=source.random() < 0.3)
    if source.random() < 0.2 and indent is not None:
        text = text.replace("\n", "\r\n")
    return text + source.choice(["", "\n", "\n", "\n\n"])
