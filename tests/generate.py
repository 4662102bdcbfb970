"""Generate random texts of each format, as varied as those of people.  A seed always gives the same text."""

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
    """Makes one YAML text, which libyaml accepts in nearly all cases."""

    def __init__(self, seed: int, *, comments: bool = True, aliases: bool = True) -> None:
        self.random = random.Random(seed)
        self.comments = comments
        self.aliases = aliases
        self.step = self.random.choice([2, 2, 4, 3])
        self.indentless = self.random.random() < 0.4
        self.anchors: list[str] = []
        self.names = 0

    def text(self) -> str:
        """Return the whole stream, with its line breaks and document markers."""
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
        # No alias may refer to a collection that contains it, so only the anchors of scalars are listed.
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
    """Return a YAML stream of one to three documents."""
    return YamlMaker(seed, comments=comments, aliases=aliases).text()


def json_value(source: random.Random, depth: int = 0) -> object:
    """Return a random value for a JSON document."""
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
    """Return a JSON object in one of the usual layouts."""
    source = random.Random(seed)
    value = {f"k{n}": json_value(source) for n in range(source.randint(0, 7))}
    indent = source.choice([None, 2, 4, "\t", 1])
    text = json.dumps(value, indent=indent, ensure_ascii=source.random() < 0.3)
    if source.random() < 0.2 and indent is not None:
        text = text.replace("\n", "\r\n")
    return text + source.choice(["", "\n", "\n", "\n\n"])


_TOML_TEXTS = [text for text in _TEXTS if "\x07" not in text]
_TOML_BARE = [
    *("0", "1", "-7", "+5", "-0", "1_000", "0x1F", "0xdead_beef", "0o755", "0b1101", "9223372036854775807"),
    *("-9223372036854775808", "3.14", "1.0", "-0.0", "1e3", "6.626e-34", "1_0.0_1e+2", "5e-324", "1e22"),
    *("inf", "-inf", "+inf", "nan", "-nan", "true", "false", "1979-05-27", "07:32:00", "00:32:00.999999"),
    *("1979-05-27T07:32:00Z", "1979-05-27 07:32:00z", "1979-05-27t00:32:00-07:00", "0001-01-01"),
    *("1979-05-27T00:32:00.5", "1979-05-27T00:32:00.000", "9999-12-31T23:59:59.123456789+23:59"),
    *("12:00:00.100", "1979-05-27T00:32:00.1234567890-00:00"),
]  # fmt: skip


class TomlMaker:
    """Makes one TOML text with every kind of string, key, table and comment."""

    def __init__(self, seed: int, *, comments: bool = True) -> None:
        self.random = random.Random(seed)
        self.comments = comments
        self.newline = "\r\n" if self.random.random() < 0.15 else "\n"
        self.blank = self.random.choice(["", " ", " ", "  ", "\t"])
        self.names: set[str] = set()  # the names in the last table
        self.headers: set[tuple[str, ...]] = set()
        self.closed: set[tuple[str, ...]] = set()  # tables that no further header may name

    def text(self) -> str:
        """Return the whole text."""
        chance = self.random.random
        lines = self.pairs(set(), "")
        self.closed.update((name,) for name in self.names)
        for _ in range(self.random.randint(0, 6)):
            lines += self.table()
        lines += self.extra("")
        text = self.newline.join(lines)
        if text and chance() < 0.9:
            text += self.newline
        if chance() < 0.1:
            text += self.random.choice([" ", "\t", self.newline, self.newline * 2])
        return text

    def key(self) -> str:
        word = self.random.choice(_WORDS)
        if self.random.random() < 0.6:
            word += self.random.choice(["", "-", "_"]) + str(self.random.randint(0, 30))
        if self.random.random() < 0.12:
            word += "_unencrypted"
        return word

    def spell(self, key: str) -> str:
        kind = self.random.random()
        if key.isascii() and kind < 0.85:
            return key
        if kind < 0.9:
            return f"'{key}'"
        return json.dumps(key, ensure_ascii=kind < 0.93)

    def dots(self, keys: list[str]) -> str:
        dot = self.random.choice([".", ".", " . ", ". "])
        return dot.join(self.spell(key) for key in keys)

    def comment(self) -> str:
        return "#" + self.random.choice(
            ["", " note", " a = b", "# banner ##", " ünï", " x  ", "!", " ", "\t", "[x]"]
        )

    def inline(self) -> str:
        if self.comments and self.random.random() < 0.12:
            return self.random.choice(["", " ", "  "]) + self.comment()
        return self.random.choice(["", "", "", "", " "])

    def extra(self, indent: str) -> list[str]:
        lines: list[str] = []
        while self.random.random() < 0.15:
            lines.append(self.random.choice(["", "", "  "]))
        while self.comments and self.random.random() < 0.15:
            lines.append(indent + self.comment())
        return lines

    def pairs(self, taken: set[str], indent: str) -> list[str]:
        """Return lines for a table, without the keys ``taken``, which it has already."""
        lines: list[str] = []
        tables: dict[str, set[str]] = {}
        for _ in range(self.random.randint(0, 5)):
            lines += self.extra(indent)
            key = self.key()
            keys = [key]
            if self.random.random() < 0.15:
                keys = [key, self.key()]
                if key in taken or keys[1] in tables.setdefault(key, set()):
                    continue
                tables[key].add(keys[1])
            elif key in taken or key in tables:
                continue
            else:
                taken.add(key)
            lines.append(f"{indent}{self.dots(keys)}{self.blank}={self.blank}{self.value(0)}{self.inline()}")
        self.names = taken | set(tables)
        return lines

    def table(self) -> list[str]:
        """Return the lines of a table or of an array of tables."""
        if self.random.random() < 0.3:
            return self.deep()
        path: tuple[str, ...] = ()
        for _ in range(self.random.choice([1, 1, 2])):
            path = (*path, self.key())
        if any(path[:end] in self.closed for end in range(1, len(path) + 1)) or path in self.headers:
            return []
        self.headers.add(path)
        array = self.random.random() < 0.3
        indent = self.random.choice(["", "", "  "])
        lines = self.extra("")
        for _ in range(self.random.randint(1, 3) if array else 1):
            head = self.dots(list(path))
            opening, closing = ("[[", "]]") if array else ("[", "]")
            gap = self.random.choice(["", "", " "])
            lines.append(f"{indent}{opening}{gap}{head}{closing}{self.inline()}")
            inner = {other[len(path)] for other in self.headers if other[: len(path)] == path != other}
            lines += self.pairs(inner, indent)
        self.closed.update((*path, name) for name in self.names)
        if array:
            self.closed.add(path)
        return lines

    def deep(self) -> list[str]:
        """Return nested tables with the outer header after an inner one, and other tables between them."""
        name = f"t{self.random.randint(0, 10**6)}"
        other = f"o{self.random.randint(0, 10**6)}"
        return [
            f"[{name}.inner]", f"a = {self.value(1)}", f"[{other}]", f"b = {self.value(1)}",
            f"[{name}]", f"c = {self.value(1)}", f"[{name}.last]", f"d = {self.value(1)}",
        ]  # fmt: skip

    def value(self, depth: int, *, flat: bool = False) -> str:
        kind = self.random.random()
        if depth < 3 and kind < 0.1:
            return self.array(depth + 1, flat=flat)
        if depth < 3 and kind < 0.17:
            keys = dict.fromkeys(self.key() for _ in range(self.random.randint(0, 3)))
            equals = f"{self.blank}={self.blank}"
            members = [f"{self.spell(key)}{equals}{self.value(depth + 1, flat=True)}" for key in keys]
            blank = self.random.choice(["", " "])
            return f"{{{blank}{', '.join(members)}{blank}}}"
        if kind < 0.5:
            return self.random.choice(_TOML_BARE)
        if flat and kind < 0.9:
            return self.double(self.random.choice(_TOML_TEXTS))
        return self.string(self.random.choice(_TOML_TEXTS))

    def array(self, depth: int, *, flat: bool) -> str:
        items = [self.value(depth, flat=flat) for _ in range(self.random.randint(0, 3))]
        if flat or self.random.random() < 0.5:
            return f"[{', '.join(items)}{',' if items and self.random.random() < 0.2 else ''}]"
        lines = ["["]
        if self.random.random() < 0.2:
            lines[0] += self.inline()
        for number, item in enumerate(items):
            lines += self.extra("  ")
            comma = "," if number + 1 < len(items) or self.random.random() < 0.6 else ""
            lines.append(f"  {item}{self.random.choice(['', ' ']) if comma else ''}{comma}{self.inline()}")
        return self.newline.join([*lines, *self.extra("  "), "]"])

    def string(self, text: str) -> str:
        kind = self.random.random()
        if kind < 0.25 and text.isprintable() and "'" not in text:
            return f"'{text}'"
        if kind < 0.4 and "'''" not in text:
            lead = self.random.choice(["", self.newline]) if not text.startswith("\n") else self.newline
            return f"'''{lead}{text.replace(chr(10), self.newline)}'''"
        if kind < 0.6:
            return self.long(text)
        return self.double(text)

    def double(self, text: str) -> str:
        if any(ord(char) > 0xFFFF for char in text):
            return json.dumps(text, ensure_ascii=False)
        return json.dumps(text, ensure_ascii=self.random.random() < 0.4).replace("\x7f", "\\u007f")

    def long(self, text: str) -> str:
        body = text.replace("\\", "\\\\").replace('"""', '""\\"').replace("\n", self.newline)
        body = body.replace(" ", self.random.choice([" ", " ", " \\" + self.newline + "   "]))
        if text.startswith("\n") or self.random.random() < 0.5:
            body = self.newline + body
        return f'"""{body}{self.random.choice(["", "", "", chr(34), chr(34) * 2])}"""'


def toml_text(seed: int, *, comments: bool = True) -> str:
    """Return a TOML text, which tomllib accepts in nearly all cases."""
    return TomlMaker(seed, comments=comments).text()


_LINE_WORDS = [
    *("value", "two words", "http://host:80/p?q=1", "a#b", "a # b", "a;b", "a ; b", "#fff", "C:\\new"),
    *("it's", 'say "x"', "50%", "$HOME", "${X}", "`tick`", "back\\slash", "trail\\", "x = y", "a: b"),
    *("true", "1", "3.0", "-", "[x]", "\\", "\\n", "l1\\nl2\\nl3", "tab\there", "a\\\\nb", "%(x)s", "'", '"'),
    *('""', "''", '"""', "ENC[x]", "nbsp\u00a0", "=", ":", "key=val==", "{'a': 1}", "\x1f", "\u2028", "ü😀"),
]  # fmt: skip
_COMMENT_WORDS = ["", " note", "x", " a = b", " ünï", "# banner ##", "-----", " it's `q`", ";", " 'x\""]


def dotenv_text(seed: int, *, like_sops: bool = False) -> str:
    """Return lines of a ``.env`` file.  With ``like_sops``, sops can read all of them."""
    source = random.Random(seed)
    chance = source.random
    lines: list[str] = []
    for _ in range(source.randint(0, 9)):
        kind = chance()
        if kind < 0.1:
            lines.append("" if like_sops else source.choice(["", "", " ", "\t"]))
            continue
        if kind < 0.25:
            indent = "" if like_sops or chance() < 0.8 else source.choice([" ", "\t"])
            lines.append(f"{indent}#{source.choice(_COMMENT_WORDS)}")
            continue
        name = source.choice(["A", "DB_URL", "TOKEN", "x.y", "né", "P-1"]) + source.choice(
            ["", "2", "_unencrypted"]
        )
        head = source.choice(["", "", "", "", "export ", " "]) + name
        equals = source.choice(["=", "=", "=", "=", " = ", "= "])
        word = source.choice(_LINE_WORDS)
        kind = chance()
        if kind < 0.25:
            word = '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
        elif kind < 0.4:
            word = "'" + word.replace("'", "\\'") + "'"
        elif kind < 0.5 and not like_sops:
            quote = source.choice(['"', "'"])
            word = (
                quote
                + "\n".join(
                    source.choice(["-----BEGIN", "abc==", "", "# x", "\\", "$a", "\\n"]) for _ in range(3)
                )
                + quote
            )
        elif kind < 0.55:
            word = ""
        lines.append(head + equals + word + source.choice(["", "", "", " ", " # c", " #c"]))
    text = "\n".join(lines) + source.choice(["\n", "\n", "\n", "", "\n\n"])
    if not like_sops:
        if chance() < 0.15:
            text = text.replace("\n", "\r\n")
        if chance() < 0.05:
            text = "\ufeff" + text
    return text


def ini_text(seed: int, *, indented: bool = False) -> str:
    """Return sections, keys and comments.

    With ``indented``, values may have several lines, as configparser accepts them.
    """
    source = random.Random(seed)
    chance = source.random
    lines: list[str] = []
    used: set[str] = set()

    def comments() -> None:
        while chance() < 0.25:
            if chance() < 0.3:
                lines.append(source.choice(["", "", "  "]))
            sign = source.choice("#;")
            lines.append(source.choice(["", "", "  "]) + sign + source.choice(_COMMENT_WORDS))

    for number in range(source.randint(1, 4)):
        comments()
        if number or chance() < 0.7:
            name = source.choice(["a", "a.b", "DEFAULT", "section one", "né", "x:y", "[q]", "s_unencrypted"])
            lines.append(f"[{name}]" + source.choice(["", "", "", " ; c", "# c", " x"]))
            used.clear()
        for _ in range(source.randint(0, 4)):
            comments()
            name = source.choice(
                ["k", "user", "pass word", "a.b", "né", "u_unencrypted", "K"]
            ) + source.choice(["", "1"])
            if name in used:
                continue
            used.add(name)
            if chance() < 0.08 and not indented:
                name = f"`{name}`" if chance() < 0.5 else f'"{name}"'
            indent = source.choice(["", "", "", "  "]) if not indented else ""
            head = indent + name + source.choice([" = ", " = ", "=", ": ", " : ", "   =   "])
            word = source.choice(_LINE_WORDS)
            kind = chance()
            if indented and kind < 0.4:
                more = [
                    source.choice(["  x", "    y = z", "  a # b", "", "  # c", "\tq", "  'q'"])
                    for _ in range(3)
                ]
                lines += [head + source.choice(["", word]), *more]
                continue
            if kind < 0.2:
                word = f'"{word}"'
            elif kind < 0.3:
                word = f"'{word}'"
            elif kind < 0.4:
                word = f"`{word}`"
            elif kind < 0.5:
                word = f'"""{word}"""'
            elif kind < 0.6 and not indented:
                quote = source.choice(["`", '"""'])
                word = (
                    quote
                    + "\n".join(source.choice(["x", "", "y = z", "[no]", "# x", " '"]) for _ in range(3))
                    + quote
                )
            elif kind < 0.67 and not indented:
                word = source.choice(
                    ["a \\\n  b", "a\\\nb\\\nc", "a \\\n  b = c \\\n  d", "a\\\n\nz = 1"[:4]]
                )
            elif kind < 0.72:
                word = ""
            lines.append(head + word + source.choice(["", "", "", " ", " # c", "#c", " ;c", " ; x `y`"]))
    comments()
    text = "\n".join(lines) + source.choice(["\n", "\n", "\n", "", "\n\n", "\n   "])
    if chance() < 0.12:
        text = text.replace("\n", "\r\n")
    if chance() < 0.05:
        text = "\ufeff" + text
    return text
