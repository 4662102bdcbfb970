"""What the ciphertext cannot show comes back through the layout record, if it still fits."""

from __future__ import annotations

import json
import re
import zlib
from hashlib import sha256

import engine
import pytest
from engine import credentials, opened, rule, values
from oracle import AgeKey, Sops

from encconf import api, formats
from encconf.engine import opening, plaintext
from encconf.engine.cipher import Encryptor
from encconf.engine.layout import Layout
from encconf.engine.metadata import LAYOUT_AAD
from encconf.errors import EmitError
from encconf.rules.selection import Selection

NEEDS_RECORD = {
    "number spelling": "a: 0x1F\nb: 010\nc: 1_000\nd: 1e3\ne: 1.0\nf: +5\n",
    "dates": "a: 2001-12-14\nb: 2001-12-14t21:59:43.10-05:00\n",
    "booleans": "a: True\nb: FALSE\n",
    "plain in flow": "a: [x, y z, {k: v}]\nb: {c: d, e: 1}\n",
    "flow on several lines": "a: [\n  x, # one\n  y,\n  # two\n  z\n]\n",
    "folded": "a: >\n  one\n  two\n\n  three\nb: >-\n  x\n    y\n  z\n",
    "several lines plain": "a: one\n  two\n  three\nb: 1\n",
    "several lines quoted": "a: \"one\n  two\\\n  three\"\nb: 'x\n\n  y'\n",
    "escapes": 'a: "\\x41\\u00e9\\/"\n',
    "type tags": 'a: !!int "3"\nb: !!float 3\nc: &x !!binary aGVsbG8=\n',
    "alias to a scalar": "a: &x secret\nb: *x\nc: [*x, *x]\n",
    "alias to a mapping": "a: &x\n  k: v\n  l: [1, 2]\nb: *x\nc: [*x]\n",
    "alias in an alias": "a: &x {k: v}\nb: &y {m: *x, n: *x}\nc: *y\n",
    "merge key": "base: &b\n  s: 1\n  t: 2\nuse:\n  <<: *b\n  t: 3\nmore:\n  <<: [*b, {u: 4}]\n",
    "no last line break": "a: 0x1F\nb: x",
    "block scalar without line break": "a: |\n  x",
    "kept blank lines only": "a: |+\n\n\nb: 1\n",
    "everything with CRLF": "a: 0x1F\r\nb: [x, y]\r\nc: >\r\n  one\r\n  two\r\nd: &x v\r\ne: *x",
}


@pytest.mark.parametrize("name", NEEDS_RECORD)
def test_comes_back(name: str, age_key: AgeKey, sops: Sops) -> None:
    text = NEEDS_RECORD[name]
    creds = credentials(age_key)
    encrypted = api.encrypt(text, rule(age_key), credentials=creds)
    assert "encconf_layout" in encrypted
    assert api.decrypt(encrypted, credentials=creds) == text
    plain = formats.get("yaml").load_plain(text)
    assert api.loads(encrypted, credentials=creds) == plain[0]
    assert values(formats.get("yaml").load_plain(sops.decrypt(encrypted, "yaml"))) == values(plain)


def test_not_written_where_it_isnt_needed(age_key: AgeKey) -> None:
    text = (
        "x: &x {}\ny: *x\na: x\nb: 'y''z'\nc: \"z\"\nd: 12\ne: 1.5\nf: true\n"
        "g: |\n  a\n\n  b\nh: ~\ni: []\n# c\nj: ['q', \"r\"]\nk_unencrypted: 0x1F\n"
    )
    assert "encconf_layout" not in api.encrypt(text, rule(age_key), credentials=credentials(age_key))


def test_stays_while_other_values_change(age_key: AgeKey) -> None:
    creds = credentials(age_key)
    text = "a: 0x1F\nb: [x, y]\nc: other\n"
    old = api.encrypt(text, rule(age_key), credentials=creds)
    new = api.encrypt(text.replace("other", "another"), twin=old, credentials=creds)
    record = re.compile("encconf_layout: .*")
    assert record.findall(old) == record.findall(new)


def test_goes_when_it_is_not_needed_any_more(age_key: AgeKey) -> None:
    creds = credentials(age_key)
    old = api.encrypt("a: 0x1F\nb: c\n", rule(age_key), credentials=creds)
    new = api.encrypt("a: 31\nb: c\n", twin=old, credentials=creds)
    assert "encconf_layout" not in new
    assert api.decrypt(new, credentials=creds) == "a: 31\nb: c\n"


def test_sops_drops_it_when_it_rewrites_the_file(age_key: AgeKey, sops: Sops) -> None:
    creds = credentials(age_key)
    encrypted = api.encrypt("a: 0x1F\nb: c\n", rule(age_key), credentials=creds)
    rewritten = sops.edit(encrypted, "yaml", "text = text.replace('b: c', 'b: d')")
    assert "encconf_layout" not in rewritten
    assert api.decrypt(rewritten, credentials=creds) == "a: 31\nb: d\n"


@pytest.mark.parametrize("swapped", ["a: 32\nb: c\n", "z: q\na: 31\nb: c\n", "a: 31\n", "a: 31\nb: [c, d]\n"])
def test_a_stale_record_is_ignored(swapped: str, age_key: AgeKey) -> None:
    """A record of another version of the file, put where it does not belong."""
    creds = credentials(age_key)
    old = api.encrypt("a: 0x1F\nb: c\n", rule(age_key), credentials=creds)
    record = re.search("    encconf_layout: .*\n", old)
    assert record is not None
    new = api.encrypt(swapped, twin=old, credentials=creds)
    without = re.sub("    encconf_layout: .*\n", "", new)
    stale = without.replace("    lastmodified", record.group() + "    lastmodified", 1)
    decrypted = api.decrypt(stale, credentials=creds)
    assert values(formats.get("yaml").load_plain(decrypted)) == values(
        formats.get("yaml").load_plain(swapped)
    )
    assert values(api.loads(stale, credentials=creds)) == values(formats.get("yaml").load_plain(swapped)[0])


def test_a_forged_record_is_ignored(age_key: AgeKey) -> None:
    creds = credentials(age_key)
    text = "layout:\n  x: other\na: 1\n"
    encrypted = api.encrypt(text, rule(age_key), credentials=creds)
    enc = re.search(r"ENC\[\S+\]", encrypted)
    assert enc is not None
    for forged in (enc.group(), "ENC[AES256_GCM,data:AAAA,iv:AAAA,tag:AAAA,type:str]", "nonsense", "[1]"):
        changed = encrypted.replace("    lastmodified", f"    encconf_layout: {forged}\n    lastmodified", 1)
        if forged == "[1]":
            with pytest.raises(Exception, match="encconf_layout"):
                api.decrypt(changed, credentials=creds)
        else:
            assert api.decrypt(changed, credentials=creds) == text


@pytest.mark.parametrize("record", ['{"trim": Infinity}', '{"whole":["x",Infinity,1,""]}', "[]", "{", "0"])
def test_a_record_that_makes_no_sense_is_none(record: str) -> None:
    assert Layout.unpack(zlib.compress(record.encode())) is None


def test_a_small_record_that_unpacks_to_far_more_is_none() -> None:
    bomb = zlib.compress(b'{"newline":"' + b" " * (64 << 20) + b'"}')
    assert len(bomb) < 1 << 17
    assert Layout.unpack(bomb) is None


def test_json_spellings(age_key: AgeKey) -> None:
    creds = credentials(age_key)
    text = '{"a": 1.0, "b": 1E+2, "c": "\\u00e9\\/", "d": [1e3]}'
    encrypted = api.encrypt(text, rule(age_key), format="json", credentials=creds)
    assert "encconf_layout" in encrypted
    assert api.decrypt(encrypted, format="json", credentials=creds) == text


def test_unencrypted_aliases_stay(age_key: AgeKey, sops: Sops) -> None:
    creds = credentials(age_key)
    text = "a_unencrypted: &x {k: v}\nb_unencrypted: *x\nc: secret\n"
    encrypted = api.encrypt(text, rule(age_key), credentials=creds)
    assert "b_unencrypted: *x" in encrypted
    assert api.decrypt(encrypted, credentials=creds) == text
    assert "secret" in sops.decrypt(encrypted, "yaml")


def test_an_alias_never_uncovers_what_a_comment_encrypts(age_key: AgeKey) -> None:
    selection = Selection("encrypted_comment_regex", "^ enc")
    text = "a: &x\n  # enc\n  k: SECRET\nb: *x\n"
    with pytest.raises(EmitError):
        api.encrypt(text, rule(age_key, selection=selection), credentials=credentials(age_key))


def test_the_record_of_a_stream_is_written_once(age_key: AgeKey, sops: Sops) -> None:
    """sops and encconf read the block of the first document; a record in each would be most of the file."""
    creds = credentials(age_key)
    text = "a: 0x1F\n---\nb: 0x1F\n---\n{c: 010}\n---\nd: x\n"
    sealed = api.encrypt(text, rule(age_key), credentials=creds)
    assert sealed.count("encconf_layout") == 1
    assert sealed.index("encconf_layout") < sealed.index("b: ")
    assert api.decrypt(sealed, credentials=creds) == text
    assert sops.decrypt(sealed, "yaml")
    changed = engine.change(sealed, "yaml", (("a",), 1), credentials=creds)
    assert changed.count("encconf_layout") == 1
    assert api.decrypt(changed, credentials=creds) == text.replace("0x1F", "1", 1)


REMEMBERED = {
    "CRLF": ("dotenv", "O=other\r\nA=1\r\n"),
    "CRLF and nothing else": ("dotenv", "\r\n"),
    "CRLF in a value, too": ("dotenv", "O=other\r\nA='x\r\ny'\r\n"),
    "CRLF except in a value": ("dotenv", "O=other\r\nA='x\ny'\r\n"),
    "CRLF in a value only": ("dotenv", "O=other\nA='x\r\ny'\n"),
    "CRLF except at the start": ("dotenv", "\nO=other\r\nA='x\ny'\r\nB=' z'\r\n"),
    "CRLF and an old line break": ("dotenv", "O=other\rA=1\r\n"),
    "CRLF and what is between values": ("dotenv", "O=other\r\n\t\r\nA=x\r\n \r\n"),
    "CRLF but for the end": ("dotenv", "O=other\r\n\t\r\nA=x"),
    "what is between values": ("dotenv", "  # a\nO=other\n\t\n A=x\n \n"),
    "spaces only": ("dotenv", " "),
    "no last line break": ("dotenv", "O=other\nA=x"),
    "no last CRLF": ("ini", "o = other\r\n[a]\r\nb = c"),
    "headings and their comments": ("ini", "[s] ; c\no = other\n[t] x\na = 1\n"),
    "nothing of a plaintext": ("yaml", 'o_unencrypted: "other\\x21"\na: 0x1F\n'),
    "no line break at all": ("json", '{"o": "other", "a": 1e3, "b": [1.0]}'),
    "several aliases": ("yaml", "o: other\na: &x {k: v}\nb: *x\nc: *x\ne: [*x, *x]\nd: 010\n"),
}


@pytest.mark.parametrize(
    ("format", "text"),
    [
        *(
            ("yaml", f"o: other\n{text}")
            for name, text in NEEDS_RECORD.items()
            if name != "kept blank lines only"
        ),
        *REMEMBERED.values(),
    ],
    ids=[*(name for name in NEEDS_RECORD if name != "kept blank lines only"), *REMEMBERED],
)
def test_a_record_says_no_more_than_it_must(format: str, text: str, age_key: AgeKey) -> None:
    """It stays as it is while another value changes: no diff shows a change."""
    creds = credentials(age_key)
    old = api.encrypt(text, rule(age_key), format=format, credentials=creds)
    assert api.decrypt(old, format=format, credentials=creds) == text
    changed = text.replace("other", "another")
    new = api.encrypt(changed, twin=old, format=format, credentials=creds)
    assert api.decrypt(new, format=format, credentials=creds) == changed
    records = [re.findall(r"encconf_layout\W+ENC[^]]+", each) for each in (old, new)]
    assert records[0] == records[1] != []


@pytest.mark.parametrize("at", ["start", "middle", "end"])
def test_a_record_of_a_whole_text_holds_what_differs(at: str, age_key: AgeKey) -> None:
    creds = credentials(age_key)
    lines = [f"k{n}: {sha256(b'%d' % n).hexdigest()}\n" for n in range(100)]
    usual = api.encrypt("".join(lines), rule(age_key), credentials=creds)
    lines.insert({"start": 0, "middle": 50, "end": 100}[at], "a: |+\n\n\n")
    text = "".join(lines)
    encrypted = api.encrypt(text, rule(age_key), credentials=creds)
    assert "encconf_layout" in encrypted
    assert api.decrypt(encrypted, credentials=creds) == text
    assert len(encrypted) - len(usual) < 700


def test_line_breaks_that_git_changes(age_key: AgeKey) -> None:
    """With core.autocrlf a work tree has other line breaks than the file that was encrypted."""
    creds = credentials(age_key)

    def checked_out(format: str, text: str) -> str:
        sealed = api.encrypt(text, rule(age_key), format=format, credentials=creds)
        assert "encconf_layout" in sealed
        lines = sealed.replace("\r\n", "\n")
        other = lines if "\r\n" in sealed else lines.replace("\n", "\r\n")
        return api.decrypt(other, format=format, credentials=creds)

    assert checked_out("yaml", "a: 0x1F\nb: x") == "a: 0x1F\r\nb: x"
    assert checked_out("yaml", "a: 0x1F\r\nb: x") == "a: 0x1F\nb: x"
    assert checked_out("ini", "a = 1\r\n[s] x\r\nb = 2") == "a = 1\n[s] x\nb = 2"
    assert "\r" not in checked_out("ini", "[s] ; c\r\na = 1\r\n")
    text = "A=1\r\n\t\r\nB=x"
    assert checked_out("dotenv", text) == text


def test_spellings_can_be_left_out(age_key: AgeKey) -> None:
    """sops's command line spells values as sops does, and keeps line breaks and what is between values."""
    creds = credentials(age_key)
    for text, without in (
        ("A='x\r\ny'\r\n\t\r\nB=z", 'A="x\\ny"\r\n\t\r\nB=z\r\n'),
        ("\t# c\nA='x'", "\t# c\nA='x'\n"),
        (" # c", "# c\n"),
        ("A=x\r\n", "A=x\r\n"),
        ("A='x\ny'\n", 'A="x\\ny"\n'),
    ):
        sealed = api.encrypt(text, rule(age_key), format="dotenv", credentials=creds)
        found = opening.open_text(sealed, format="dotenv", credentials=creds)
        assert plaintext.plain_text(found, layout=False) == without
        assert plaintext.plain_text(found) == text


PLAIN = 'a: one\nb: ["p", "q"]\nl: [["x"], {k: "y"}]\nz: 2\n# c\n'
HASH = sha256(PLAIN.encode()).hexdigest()
BEFORE_A = sha256(b"a: ").hexdigest()[:16]


def with_record(record: object, key: AgeKey) -> str:
    """A file with a record that somebody made who has the data key."""
    sealed = api.encrypt(PLAIN, rule(key), credentials=credentials(key))
    assert "encconf_layout" not in sealed
    data_key = opened(sealed, "yaml", key)[1]
    packed = zlib.compress(json.dumps(record).encode())
    enc = Encryptor(data_key)("bytes", packed, LAYOUT_AAD)
    return sealed.replace("    lastmodified", f"    encconf_layout: {enc}\n    lastmodified")


@pytest.mark.parametrize(
    "record",
    [
        *({"leaves": {index: "0x2"}} for index in (-1, 6, 99)),
        *({"flows": {index: "{k: y}"}} for index in (-1, 4, 99)),
        [],
        {"leaves": {0: "three"}},
        {"leaves": {0: "["}},
        {"leaves": {0: "["}, "gaps": {0: (BEFORE_A, "b: ")}},
        {"leaves": {0: "one # \ud800"}},
        {"flows": {0: "[p]"}},
        {"flows": {1: "[[x], {k: y}]", 2: "[ x ]"}},
        {"flows": {0: "[p, q]", 1: "[[x], {k: y}]", 2: "[ x ]"}},
        {"flows": {2: "[ x ]", 1: "[[x], {k: y}]"}},
        {"flows": {1: "[[x], {k: y}]", 0: "[p, q]"}},
        {"gaps": {0: (BEFORE_A, "b: ")}},
        {"gaps": {0: (HASH[:16], "# d\na: ")}},
        {"newline": "\n\n"},
        {"whole": (HASH, 0, 0, "evil: true\n")},
        {"whole": (HASH, 3, 4, "three")},
        {"whole": (HASH, -1, 10**30, "")},
        {"whole": (BEFORE_A, 0, 0, PLAIN + "# d\n")},
    ],
    ids=str,
)
def test_no_record_makes_a_file_say_something_else(record: object, age_key: AgeKey) -> None:
    """What is decrypted for people must be what programs load, and what sops decrypts."""
    assert api.decrypt(with_record(record, age_key), credentials=credentials(age_key)) == PLAIN


@pytest.mark.parametrize(
    ("record", "text"),
    [
        ({"leaves": {5: "0x2"}}, PLAIN.replace("2", "0x2")),
        ({"flows": {0: "[p, q]", 1: "[[x], {k: y}]"}}, PLAIN.replace('"', "")),
        ({"flows": {0: "[p, 'q']"}, "leaves": {2: "zzz"}}, PLAIN.replace('"p", "q"', "p, 'q'")),
        ({"gaps": {0: (BEFORE_A, "# d\na: ")}}, f"# d\n{PLAIN}"),
        ({"newline": "\r\n"}, PLAIN.replace("\n", "\r\n")),
        *(({"trim": length}, PLAIN[:-1]) for length in (1, 2, 3)),
        ({"whole": (HASH, 3, len(PLAIN) - 6, "'one'")}, PLAIN.replace("one", "'one'")),
    ],
    ids=str,
)
def test_what_a_record_can_do(record: object, text: str, age_key: AgeKey) -> None:
    assert api.decrypt(with_record(record, age_key), credentials=credentials(age_key)) == text
