"""Many lines of INI texts, read as the real sops reads them all at once, and respelled for it and back."""

from __future__ import annotations

import configparser
import json
import re
from itertools import product

import pytest
from generate import ini_text
from oracle import AgeKey, Sops

from encconf import formats
from encconf.errors import EmitError, EncconfError, LimitError
from encconf.formats.emit import trees_of
from encconf.text import document as model
from encconf.text.document import Document, splice

format = formats.get("ini")

BLOCK = "\n[sops]\nx = 1\n"
ENC = "ENC[AES256_GCM,data:eA==,iv:aXY=,tag:dGFn,type:str]"

BODIES = [
    "", "x", "a b", "a#b", "a;b", "a # b", " x ", "x\\", "it's", 'say "x"', "a`b", "[x]", "a=b:c", "é\u3000",
    "\\", '"', "''", "#fff", "; x", '"q"', "`",
]  # fmt: skip
LINES = [
    f"{head.replace('k', f'k{number}')}{quote}{body}{quote}{tail}"
    for number, (head, quote, body, tail) in enumerate(
        [
            *product(
                ["k = "], ["", '"', "'", "`", '"""'], BODIES, ["", " ; c", "#c", " x", "\\", " \\", "\t"]
            ),
            *product(
                [
                    "k=",
                    "k:",
                    "k : ",
                    "  k\t=\t",
                    '"k" = ',
                    "`k`: ",
                    '"""k"""=',
                    "k x =",
                    "'k' = ",
                    'k"=',
                    "[k = ",
                ],
                ["", '"', "`"],
                ["", "x", "a#b"],
                ["", "; c"],
            ),
        ]
    )
]


def values(document: Document) -> list[tuple[str, bytes | None]]:
    return [(str(leaf.step), leaf.data) for leaf in document.leaves]


def can_be_read(text: str) -> bool:
    try:
        format.scan(text)
    except EncconfError:
        return False
    return True


def texts() -> list[str]:
    """Small texts of the lines above, which do not touch each other, and generated ones."""
    lines = [f"[s]\n{line}\n[t]\nz = 1\n" for line in LINES]
    lines += [f"[s]\r\n{line}\r\n; c\r\n" for line in LINES[::7]]
    lines += [f"{line}\n\nz = 1" for line in LINES[::5]]
    lines += ["[s]\nk = v\n\nl = a\n b\n\nm = w\n\n\n[t]\nn =\n\n  c\n"]
    lines += [ini_text(seed // 2, indented=bool(seed % 2)) for seed in range(160)]
    return [text for text in lines if can_be_read(text)]


def test_the_lines_are_read_as_sops_reads_them(sops: Sops) -> None:
    lines = [line for line in LINES if can_be_read(f"[s]\n{line}{BLOCK}")]
    text = "[s]\n" + "\n".join(lines) + "\n"
    told = json.loads(
        sops.encrypt(
            text, "ini", "--encrypted-suffix", "___", "--output-type", "json", age=AgeKey.generate().recipient
        )
    )
    assert len(lines) > 800
    document = format.scan(text + BLOCK)
    assert document.not_block is not document.block
    assert dict(values(document)) == {name: value.encode() for name, value in told["s"].items()}


def test_an_unencrypted_value_is_respelled_so_that_sops_reads_it() -> None:
    for text in texts():
        document = format.scan(text)
        prepared = format.prepare(document, bytearray(len(document.leaves)))
        spelled = text if prepared is None else prepared.text
        found = format.scan(spelled + BLOCK)
        assert values(found) == values(document), text
        if prepared is None:
            continue
        starts = [leaf.start for leaf in found.leaves]
        assert {*prepared.originals} <= {*starts}
        for at, old in prepared.originals.items():
            leaf = document.leaves[starts.index(at)]
            assert old == text[leaf.start : leaf.end]
            assert old != spelled[at : found.leaves[starts.index(at)].end]
        # Nothing else has changed: with the original spellings, it is the original text.
        ends = {leaf.start: leaf.end for leaf in format.scan(spelled + BLOCK).leaves}
        edits = [(at, ends[at], old) for at, old in prepared.originals.items()]
        if ";" not in text and "#" not in text:
            assert splice(spelled, edits) == text


def test_a_ciphertext_is_the_whole_value_to_sops_and_its_plaintext_comes_back() -> None:
    for text in texts():
        document = format.scan(text)
        prepared = format.prepare(document, bytearray(b"\1" * len(document.leaves)))
        if prepared is not None:
            document = format.scan(prepared.text) if document.parts[0].indent == 0 else document
            if document.text != prepared.text:
                continue
        sealed = splice(
            document.text, [format.sealed(document, leaf, ENC) for leaf in document.leaves if leaf.data]
        )
        encrypted = format.scan(sealed + BLOCK)
        wanted = [(name, ENC.encode() if value else value) for name, value in values(document)]
        assert values(encrypted) == wanted, text
        edits = [
            format.literal(encrypted, leaf, "str", old.data or b"")
            for leaf, old in zip(encrypted.leaves, document.leaves, strict=True)
            if old.data
        ]
        assert values(format.scan(splice(encrypted.text, edits).removesuffix(BLOCK))) == values(document), (
            text
        )


def test_an_unencrypted_value_of_a_file_from_sops_stays_the_same() -> None:
    """Without the block, the text would hold another value: the end of ``a#b`` is not a comment there."""
    for text in texts():
        if not can_be_read(text + BLOCK):
            continue
        document = format.scan(text + BLOCK)
        edits = [edit for leaf in document.leaves if (edit := format.respelled(document, leaf)) is not None]
        plain = splice(document.text, edits).removesuffix(BLOCK)
        assert values(format.scan(plain)) == values(document), text
        spans = {(leaf.start, leaf.end) for leaf in document.leaves}
        assert spans.issuperset((start, end) for start, end, _ in edits)


def test_the_rules_of_configparser() -> None:
    done = 0
    for seed in range(300):
        text = ini_text(seed, indented=True).replace("\x1f", "")
        try:
            document = format.scan(text)
        except EncconfError:
            continue
        parser = configparser.RawConfigParser(default_section="no default")
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        try:
            parser.read_string(text.removeprefix("\ufeff"))
        except configparser.Error:
            continue
        if document.parts[0].indent == 0:
            continue
        done += 1
        theirs = {name: dict(parser.items(name)) for name in parser.sections() if parser.items(name)}
        assert {name: section for name, section in format.load_plain(text)[0].items() if section} == theirs
        for leaf in document.leaves:
            first, *others = text[leaf.start : leaf.end].split("\n")
            lines = [first, *(line for line in others if line.strip()[:1] not in ("#", ";"))]
            assert "\n".join(line.strip() for line in lines) == (leaf.data or b"").decode()
            line = text[: leaf.start].rpartition("\n")[2]
            assert re.fullmatch(rf"\ufeff?\s*{re.escape(str(leaf.step))}\s*[=:]\s*", line)
    assert done > 20


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_spans_of_all_lines(newline: str) -> None:
    for line in LINES:
        text = f"; c{newline}[s]{newline}{line}{newline}# d{newline}"
        if not can_be_read(text):
            continue
        document = format.scan(text, comments=True)
        leaf = document.leaves[0]
        raw, value = text[leaf.start : leaf.end], (leaf.data or b"").decode()
        if leaf.style == "\\":
            assert re.sub(r"\\\r?\n[ \t]*", "", raw) == value
        else:
            assert raw == f"{leaf.style}{value}{leaf.style}"
        head = text[: leaf.start].rpartition("\n")[2]
        assert re.fullmatch(r"\s*(\"\"\"|[\"`]|)(.*?)\1\s*[=:]\s*", head)
        assert str(leaf.step) in head
        for comment in document.comments:
            assert text[comment.start : comment.end] == comment.text
            assert text[: comment.start].rstrip("#; ") != text[: comment.start]
        inside = [comment for comment in document.comments if leaf.start <= comment.start < leaf.end]
        assert not inside or leaf.style == "\\"


def test_an_encrypted_value_needs_no_quotes() -> None:
    for text in ("[s]\na = x#y\nb = C:\\dir\n", "[s]\na = 'x#y'\nb = `\\` ; c\n", "[s]\na = x ; \\ c\n"):
        document = format.scan(text)
        assert format.prepare(document, bytearray(b"\1" * len(document.leaves))) is None


def test_a_value_that_continues_is_left_alone() -> None:
    for text in ("a = x\\\n  y\\\n  z\nb = 1\n", "a = long\\\n b\\\n c\\\n d\n", "a = x\\\n longer\\\n y"):
        document = format.scan(f"[s]\n{text}")
        assert format.prepare(document, bytearray(len(document.leaves))) is None


def test_the_comments_of_a_key_are_before_the_next_one_to_sops() -> None:
    text = "; 0\n[a]\n; 1\nx = 1 ; 2\n; 3\n[b] ; 4\n; 5\n\ny = 2\n; 6\nz = ; 7\n; 8"
    found = format.scan(text, comments=True).comments
    said = [(each.text, each.scope.step, each.before) for each in found]
    assert said == [
        ("0", "a", "x"), ("1", "a", None), ("2", "a", None), ("3", "b", "y"), ("4", "b", "y"),
        ("5", "b", "z"), ("6", "b", None), ("7", "b", None), ("8", "b", None),
    ]  # fmt: skip
    assert [each.scope.step for each in format.scan("; 0\n", comments=True).comments] == [None]
    assert format.scan(text).comments == []


def test_the_number_of_values_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "MAX_DENSE", 5)
    monkeypatch.setattr(model, "DENSITY", 1000)
    format.scan("[s]\na=1\nb=1\n[t]\n")
    for text in ("[s]\na=1\nb=1\nc=1\n[t]\nd=1\n", "[s]\n" * 7, "".join(f"{n}=\n" for n in range(7))):
        with pytest.raises(LimitError, match="values and collections"):
            format.scan(text)


def test_a_block_that_ini_cannot_hold() -> None:
    for name in ("a=`b", "-", 'x"`=', " a"):
        with pytest.raises(EmitError, match="INI cannot hold"):
            format.render_block({"context": {"x": "y"}, name: "z"})


def test_a_comment_after_a_header_moves_above_it() -> None:
    for sign in "#;":
        text = f"[a]\nx = 1\n[s] {sign} c\na = 1 {sign} d\n"
        prepared = format.prepare(format.scan(text), bytearray(2))
        assert prepared is not None
        assert prepared.text == f"[a]\nx = 1\n{sign} c\n[s] \na = 1 {sign} d\n"


def test_comments_of_one_key_become_lines_one_after_the_other() -> None:
    """The first ones without words are removed."""
    for text, wanted in (
        ("[s]\n  ;\n  ; a\n\n  ; b\nk = 1\n", "[s]\n; a\n; b\nk = 1\n"),
        ("[s]\n  ;\n\n #\n  ; a\nk = 1\n", "[s]\n; a\nk = 1\n"),
        ("[s]\n; a\n\n  ;\nk = 1\n", "[s]\n; a\n;\nk = 1\n"),
        ("[s]\n;\n\n; b\n\n", "[s]\n\n; b\n\n"),
    ):
        prepared = format.prepare(format.scan(text), bytearray(1 if "k" in text else 0))
        assert (text if prepared is None else prepared.text) == wanted


def test_three_quotes_at_the_end_of_a_text_from_sops() -> None:
    for line, value in (('k = """x"""', b"x"), ('k = """', b'"""'), ('k = """"""', b"")):
        (leaf,) = format.scan(f"[sops]\nx = 1\n[s]\n{line}").leaves
        assert leaf.data == value


def test_values_are_written_as_sops_writes_them(sops: Sops, age_key: AgeKey) -> None:
    bodies = [*BODIES, "two\nlines", "a\n;b", "`;`", "`\n`", "\u2028x", "x\u3000", " #", "\tx", "=", "a:b"]
    section = {f"{name}{at}": body for at, body in enumerate(bodies) for name in ("k", "k=", "k`", 'k"')}
    text = json.dumps({"s": section, "t": {"long key": "x", "k": ""}})
    sealed = sops.encrypt(text, "json", age=age_key.recipient)
    wanted = sops.with_environ(age_key.environ()).decrypt(sealed, "json", "--output-type", "ini")
    wanted = wanted.replace("\r\n", "\n")  # go-ini writes these on Windows
    assert format.render(trees_of(formats.get("json").scan(text)), None) == wanted


def test_what_is_said_of_values_that_configparser_reads_otherwise() -> None:
    said = 0
    for line in LINES:
        text = f"[s]\n{line}\n"
        parser = configparser.RawConfigParser(delimiters=("=", ":"))
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        try:
            (leaf,) = format.scan(text).leaves
            parser.read_string(text)
        except (EncconfError, configparser.Error):
            continue
        ((name, theirs),) = parser.items("s")
        if name != leaf.step:
            continue  # it has quotes
        about = format.caveat(leaf)
        if theirs != (leaf.data or b"").decode():
            assert about is not None, line
        if about is not None and "configparser" in about:
            said += 1
            assert theirs != (leaf.data or b"").decode(), line
    assert said > 100
