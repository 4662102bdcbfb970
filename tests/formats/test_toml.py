"""TOML: spans against tomllib, what is stored, the block, and whether rops (inside mise) agrees."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import engine
import installed
import pytest
from engine import changed_lines, credentials, rule, sealed_leaves, with_members
from formats.toml_files import (
    BLOCK,
    CREDENTIALS,
    ENC,
    KEY,
    attach,
    decrypt,
    encrypt,
    round_trip,
    same_as_tomllib,
)
from generate import toml_text
from oracle import AgeKey, clean_environ

from encconf import SOPS_VERSION, api, formats
from encconf.engine import cipher, loading
from encconf.engine.opening import open_text
from encconf.errors import EmitError, EncconfError
from encconf.formats import toml
from encconf.identities.credentials import Credentials
from encconf.rules.selection import DEFAULT, Selection
from encconf.testing.contracts.format import SECRET, FormatContract
from encconf.text.document import Leaf, splice

format = formats.get("toml")


def one(value: str) -> Leaf:
    """The leaf that a value's text makes."""
    (leaf,) = format.scan(f"k = {value}\n").leaves
    return leaf


def comments(text: str) -> list[tuple[str, tuple[str | int, ...], str | int | None]]:
    found = format.scan(text, comments=True).comments
    return [(comment.text, comment.scope.path, comment.before) for comment in found]


# --- values --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "type", "data"),
    [
        ('"a b"', "str", b"a b"),
        ("'a\\b'", "str", b"a\\b"),
        (r'"\b\t\n\f\r\"\\\u00e9\U0001F600"', "str", '\b\t\n\f\r"\\é😀'.encode()),
        ('""', "str", b""),
        ('"""\na\n b"""', "str", b"a\n b"),
        ('"""a\r\nb"""', "str", b"a\nb"),
        ('"""a\\\n   b"""', "str", b"ab"),
        ('"""a \\  \n\n\t b"""', "str", b"a b"),
        ('"""a"" "\\"""b"""', "str", b'a"" """"b'),
        ('"""""x"""""', "str", b'""x""'),
        ('"""""""', "str", b'"'),
        ("'''\n'a' ''\\\n'''", "str", b"'a' ''\\\n"),
        ("''''''''", "str", b"''"),
        ('"null"', "str", b"null"),
        ("'''\nnull'''", "str", b"null"),
        ('"Null"', "str", b"Null"),
        ("true", "bool", b"True"),
        ("false", "bool", b"False"),
        ("0", "int", b"0"),
        ("-0", "int", b"0"),
        ("+99", "int", b"99"),
        ("1_000", "int", b"1000"),
        ("0xDEAD_beef", "int", b"3735928559"),
        ("0xe1", "int", b"225"),
        ("0o755", "int", b"493"),
        ("0b1101", "int", b"13"),
        ("9223372036854775807", "int", b"9223372036854775807"),
        ("-9223372036854775808", "int", b"-9223372036854775808"),
        ("1.0", "float", b"1"),
        ("-0.0", "float", b"-0"),
        ("6.626e-34", "float", b"0." + b"0" * 33 + b"6626"),
        ("1e22", "float", b"1" + b"0" * 22),
        ("1_0.0_1E+2", "float", b"1001"),
        ("inf", "float", b"inf"),
        ("+inf", "float", b"inf"),
        ("-inf", "float", b"-inf"),
        ("nan", "float", b"NaN"),
        ("-nan", "float", b"NaN"),
        ("1979-05-27", "str", b"1979-05-27"),
        ("07:32:00", "str", b"07:32:00"),
        ("00:32:00.999999", "str", b"00:32:00.999999"),
        ("1979-05-27T07:32:00Z", "str", b"1979-05-27T07:32:00Z"),
        ("1979-05-27 07:32:00z", "str", b"1979-05-27T07:32:00Z"),
        ("1979-05-27t00:32:00-07:00", "str", b"1979-05-27T00:32:00-07:00"),
        ("1979-05-27T00:32:00-00:00", "str", b"1979-05-27T00:32:00+00:00"),
        ("1979-05-27T00:32:00.120", "str", b"1979-05-27T00:32:00.12"),
        ("1979-05-27T00:32:00.000", "str", b"1979-05-27T00:32:00"),
        ("1979-05-27T00:32:00.12345678912", "str", b"1979-05-27T00:32:00.123456789"),
    ],
)
def test_a_value_is_what_rops_stores(text: str, type: str, data: bytes | None) -> None:
    leaf = one(text)
    assert (leaf.type, leaf.data) == (type, data)
    assert (leaf.start, leaf.end) == (4, 4 + len(text))
    round_trip(f"k = {text}\n")


def test_paths_and_what_is_authenticated_with_a_value() -> None:
    text = (
        "a.\"b.c\".'d' = 1\nlist = [ 2, { x = 3, y.z = 4 }, [ 5 ] ]\n"
        "[t.u]\nk = 6\n[[s]]\nk = 7\n[s.v]\nk = 8\n[[s.w]]\nk = 9\n[[s]]\nk = 10\n"
    )
    leaves = format.scan(text).leaves
    assert [(leaf.path, leaf.aad.decode()) for leaf in leaves] == [
        (("a", "b.c", "d"), "a:b.c:d:"),
        (("list", 0), "list:"),
        (("list", 1, "x"), "list:x:"),
        (("list", 1, "y", "z"), "list:y:z:"),
        (("list", 2, 0), "list:"),
        (("t", "u", "k"), "t:u:k:"),
        (("s", 0, "k"), "s:k:"),
        (("s", 0, "v", "k"), "s:v:k:"),
        (("s", 0, "w", 0, "k"), "s:w:k:"),
        (("s", 1, "k"), "s:k:"),
    ]
    assert [leaf.data for leaf in leaves] == [b"%d" % number for number in range(1, 11)]
    round_trip(text)


def test_leaves_stand_in_the_order_of_the_tree() -> None:
    """The MAC is made in this order; a table whose header comes late moves, as toml-rs moves it."""
    text = "[a.b]\nx = 1\n[c]\nx = 3\n[a]\nx = 2\n[d]\nx = 4\n[a.e]\nx = 5\n[c.f]\nx = 6\n"
    paths = [".".join(map(str, leaf.path)) for leaf in format.scan(text).leaves]
    assert paths == ["c.x", "c.f.x", "a.b.x", "a.x", "a.e.x", "d.x"]
    round_trip(text)


def test_shape_says_all_but_the_values() -> None:
    text = "a = 1\nb = [ 2, [], { c = 3 } ]\n[d]\n[[e]]\nf = 4\n"
    shape = ["%", ".a", "[b", "-", "[", "}", "{", ".c", "}", "}", "{d", "}", "[e", "{", ".f", "}", "}"]
    assert format.scan(text).outline == shape


def test_dates_are_strings_for_rops_and_dates_for_us() -> None:
    text = "a = 1979-05-27T07:32:00.50Z\nb = [ 1979-05-27, 07:32:00 ]\nc_unencrypted = 1979-05-27 07:32:00\n"
    encrypted = round_trip(text)
    assert encrypted.count(",type:str]") == 4  # and the MAC
    assert "encconf_layout" in encrypted
    # As rops leaves it, without the record:
    assert decrypt(with_members(encrypted, "toml", {"encconf_layout": None})) == (
        'a = "1979-05-27T07:32:00.5Z"\nb = [ "1979-05-27", "07:32:00" ]\n'
        "c_unencrypted = 1979-05-27 07:32:00\n"
    )


def test_ordinary_texts_need_no_layout_record() -> None:
    text = (
        '# c\na = "x"\nb = \'y"\'\nc = 12\nd = 1.5\ne = true\n'
        'f = """\nx\n"y"\n"""\n[g]\nh = [ 1,\n  "é", # d\n]\n'
    )
    assert "encconf_layout" not in round_trip(text)
    assert "encconf_layout" not in round_trip(text.replace("\n", "\r\n"))
    assert "encconf_layout" not in round_trip(text.rstrip("\n"))


def test_a_string_that_says_null_is_a_string() -> None:
    text = 'a = "null"\nb = [ \'null\', "x" ]\nc_unencrypted = "null"\n'
    encrypted = round_trip(text)
    assert encrypted.count("null") == 1
    assert api.loads(encrypted, format="toml", credentials=CREDENTIALS) == tomllib.loads(text)
    assert api.decrypt(encrypted, format="toml", credentials=CREDENTIALS) == text


def test_a_null_of_rops_loads_and_stays() -> None:
    """rops takes a plaintext "null" for a null, which is neither encrypted nor in the MAC."""
    opener = rops_credentials()
    assert 'null_key = "null"' in ROPS_FILE
    opened = open_text(ROPS_FILE, format="toml", credentials=opener)
    assert [(value.type, value.data) for value in opened.values][1] == ("str", b"null")
    changed = engine.change(ROPS_FILE, "toml", (("hello",), "x"), credentials=opener)
    assert 'null_key = "null"' in changed
    changed = engine.change(changed, "toml", (("nested_map", "null_key"), "nil"), credentials=opener)
    assert "null" not in changed.partition("[sops]")[0].replace("null_key", "")
    api.decrypt(changed, format="toml", credentials=opener)


@pytest.mark.parametrize("value", [None, [None], {"a": {"b": None}}])
def test_toml_has_no_null(value: object) -> None:
    encrypted = encrypt('a = "x"\n')
    for path in (("a",), ("new",)):
        with pytest.raises(EmitError, match="TOML has no null"):
            engine.change(encrypted, "toml", (path, value), credentials=CREDENTIALS)


def test_an_empty_string_is_encrypted_too() -> None:
    """sops would leave it, but rops up to 0.1.7 wants every string to be encrypted."""
    text = 'a = ""\nb = \'\'\nc_unencrypted = ""\n'
    encrypted = round_trip(text)
    assert encrypted.count("data:,iv:") == 2
    assert encrypt(text, twin=encrypted) == encrypted
    # Newer ones leave it alone, and that is read as well.
    plain = re.sub(r'"ENC\[AES256_GCM,data:,[^"]*"', '""', encrypted)
    assert api.decrypt(plain, format="toml", credentials=CREDENTIALS).startswith('a = ""\n')
    # It cannot be moved.
    first, second = sealed_leaves(encrypted, "toml")[:2]
    swapped = splice(
        encrypted,
        [
            (first.start + 1, first.end - 1, encrypted[second.start + 1 : second.end - 1]),
            (second.start + 1, second.end - 1, encrypted[first.start + 1 : first.end - 1]),
        ],
    )
    with pytest.raises(EncconfError, match="changed or moved"):
        decrypt(swapped)


def test_values_that_releases_of_rops_read_differently_are_respelled() -> None:
    """toml-rs 1.1 keeps ``\\r\\n`` in a string, and ``.000`` in a time; 0.8 does not."""
    text = (
        "[x_unencrypted]\r\na = \"\"\"\r\none\r\ntwo\"\"\"\r\nb = '''\r\none'''\r\n"
        "c = 07:32:00.000\r\nd = [ 1979-05-27 07:32:00.0 ]\r\ne = '''1\r\n2'''\r\nf = 07:32:00.500\r\n"
    )
    encrypted = round_trip(text)
    assert encrypted.startswith(
        "[x_unencrypted]\r\na = \"one\\ntwo\"\r\nb = '''\r\none'''\r\n"
        'c = 07:32:00\r\nd = [ 1979-05-27T07:32:00 ]\r\ne = "1\\n2"\r\nf = 07:32:00.500\r\n'
    )
    assert encrypt(text, twin=encrypted) == encrypted


def test_only_what_they_read_differently_is_respelled() -> None:
    """Whatever else is in the text, and whatever is encrypted before it."""
    text = 'a = """x\r\ny"""\r\nb_unencrypted = """x\r\ny"""\r\n'
    assert round_trip(text).splitlines()[1] == 'b_unencrypted = "x\\ny"'
    times = 'a_unencrypted = 1979-05-27 07:32:00Z\nb_unencrypted = 07:32:00\nc = "x.y"\nd = 1.5\n'
    assert round_trip(times).startswith(times[: times.index("c =")])


def without_rule(text: str) -> str:
    """A text as rops encrypts it when no option says which values to leave alone."""
    encrypted = encrypt(text, selection=Selection("unencrypted_suffix", "\n"))
    return with_members(encrypted, "toml", {"unencrypted_suffix": None, "version": None})


def test_a_file_without_a_rule_is_encrypted_as_a_whole() -> None:
    text = 'a_unencrypted = "x"\n'
    encrypted = without_rule(text)
    assert "_suffix" not in encrypted
    assert decrypt(encrypted) == text
    changed = api.encrypt(
        text + "b_unencrypted = 2\n", format="toml", twin=encrypted, credentials=CREDENTIALS
    )
    assert changed.count("ENC[") == 3
    assert decrypt(changed) == text + "b_unencrypted = 2\n"


# --- what is TOML --------------------------------------------------------------------------------


# --- comments ------------------------------------------------------------------------------------


def test_comments_belong_to_the_next_item_or_to_that_of_their_line() -> None:
    text = (
        "# 1\n\n# 2\na.b = 1 # 3\n# 4\nlist = [ # 5\n  1, # 6\n  # 7\n  { x = [ 2 # 8\n] }, # 9\n  # 10\n"
        "] # 11\n"
        "# 12\n[t.u] # 13\nk = 1\n# 14\n[[s]] # 15\n# 16\n[s.v] # 17\n# 18\n"
    )
    places = [
        ((), "a"), ((), "a"), ((), "a"), ((), "list"), (("list",), 0), (("list",), 0), (("list",), 1),
        (("list", 1, "x"), 0), (("list",), 1), (("list",), None), ((), "list"), (("t",), "u"), (("t",), "u"),
        (("s",), 0), (("s",), 0), (("s", 0), "v"), (("s", 0), "v"), (("s", 0, "v"), None),
    ]  # fmt: skip
    # A dotted key's comment belongs to its last part alone.
    places[0] = places[1] = places[2] = (("a",), "b")
    expected = [(f" {number}", path, before) for number, (path, before) in enumerate(places, 1)]
    assert comments(text) == expected
    # The block changes nothing, and has none.
    block = format.render_block(BLOCK).replace("[sops]", "[sops] # x\n# y")
    assert comments(attach(text, block)) == expected
    round_trip(text)


WHOLE = [
    'a = 1\nb = \'x\'\n[t]\nc = [1, 2, # c\n 3]\n[t.u]\nx.y = {p = 1, q = [2]}\n[[s]]\nn = """\na"""\n'
    "[[s]]\nm = 2001-01-01T00:00:00Z\n",
    "x = {a = 1, b.c = 2}\ny = [\n]\nz = '''\nq'''\n",
    "'a b'.c = 1.5\n\"d\" = inf\n[a]\n[a.b]\n[c]\nd = [[1],[{e=1}]]\n",
]
PARTS = [
    *("a", "b", " = ", "=", "[", "]", "[[", "]]", "{", "}", ",", ".", "\n", "1", "'x'", '"y"', "# c\n", " "),
    *("true", "0x1", "1e5", "nan", "2001-01-01", '"""', "'''", "\\", "\r\n", "\t", "-", "_", "a = 1\n"),
    *("[t]\n", "k = [1, 2]\n", "{a = 1}", "[[s]]\n", "x.y = 2\n", "\r", "\x0b", "0", "07:00:00", "é", "sops"),
]


def test_texts_with_small_faults_are_what_they_are_to_tomllib() -> None:
    """They are refused or not, and hold the same values."""
    dice = random.Random(1)
    read = 0
    for _ in range(6_000):
        text = dice.choice(WHOLE)
        for _ in range(dice.randint(1, 2)):
            at, to = dice.randrange(len(text) + 1), dice.randrange(len(text) + 1)
            size = dice.randint(1, 5)
            text = dice.choice(
                [
                    text[:at] + dice.choice(PARTS) + text[at:],
                    text[:at] + text[at + size :],
                    text[:at] + text[to : to + size] + text[at:],
                ]
            )
        if text.strip():
            read += same_as_tomllib(text) is not None
    assert read > 500


def test_an_empty_string_is_read_the_same_by_all() -> None:
    document = format.scan('a = """\\\r\n"""\n')
    assert document.leaves[0].data == b""
    assert format.prepare(document, bytearray(1)) is None


class Arrays:
    """Writes random arrays with comments, and notes where each comment belongs."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.text = ""
        self.line: tuple[tuple[str | int, ...], str | int] | None = None  # the item on whose line this is
        self.waiting: list[int] = []
        self.places: dict[int, tuple[tuple[str | int, ...], str | int | None]] = {}

    def gap(self) -> None:
        while self.random.random() < 0.5:
            space = self.random.choice(["", " ", "\t", "\r\n", "\n", "\n  \n"])
            self.text += space
            self.line = None if "\n" in space else self.line
            if self.random.random() < 0.5:
                number = len(self.places) + len(self.waiting)
                self.text += f"#{number}\n"
                if self.line is None:
                    self.waiting.append(number)
                else:
                    self.places[number] = self.line
                self.line = None

    def place(self, path: tuple[str | int, ...], before: str | int | None) -> None:
        self.places |= dict.fromkeys(self.waiting, (path, before))
        self.waiting.clear()

    def array(self, path: tuple[str | int, ...]) -> None:
        self.text += "["
        self.line = None
        self.gap()
        count = self.random.randrange(4)
        for at in range(count):
            self.place(path, at)
            if self.random.random() < 0.2 and len(path) < 4:
                self.array((*path, at))
            else:
                self.text += self.random.choice(["1", "true", "'#'", '"a"', "2001-01-01", "'''\n#'''"])
            self.line = path, at
            self.gap()
            if at < count - 1 or self.random.random() < 0.5:
                self.text += ","
                self.line = path, at  # the comma may be on another line, and is the item's, too
                self.gap()
        self.place(path, None)
        self.text += "]"

    def whole(self) -> None:
        for name in "abc":
            self.place((), name)
            self.text += f"{name} = "
            self.array((name,))
            if self.random.random() < 0.5:
                number = len(self.places)
                self.text += f" #{number}"
                self.places[number] = ((), name)
            self.text += "\n"


def test_comments_in_random_arrays() -> None:
    total = 0
    for seed in range(300):
        author = Arrays(seed)
        author.whole()
        tomllib.loads(author.text)
        found = {int(text): (path, before) for text, path, before in comments(author.text)}
        assert found == author.places, author.text
        total += len(found)
    assert total > 1_000


def test_a_block_of_dotted_keys() -> None:
    """And of inline tables: all of its lines are found, and no others."""
    block = ['sops.mac = "x"', "sops.a.b = 1", "sops.a.c.d = [", "  1,", "]", 'sops."e" = {f = 1}']
    rest = ["a = 1", "b.sops = 2", "[t]", "sops = 3", "[u.sops]", "a = 1"]
    lines = [*block, *rest]
    text = "".join(f"{line}\n" for line in lines)
    kept = "".join(f"{line}\n" for line in rest)
    found = splice(text, format.detach(format.scan(text)))
    assert tomllib.loads(found) == tomllib.loads(kept)
    assert found.strip() == kept.strip()


def test_a_block_at_the_start_of_a_text() -> None:
    """Without it, what is before and behind it stays."""
    for before in ("", "\n", "# x\n"):
        for after in ("", "[t]\na = 1\n", "\n# y\n[t]\na = 1\n"):
            text = f'{before}[sops]\nmac = "x"\n{after}'
            assert splice(text, format.detach(format.scan(text))) == f"{before}{after}"


def test_comments_are_encrypted() -> None:
    text = "# secret one\na = 1 # secret two\nb = [\n#\n# secret three\n]\n#secret four"
    encrypted = round_trip(text)
    assert "secret" not in encrypted
    assert encrypted.count("type:comment]") == 5  # even the bare one, in an array
    changed = text.replace("one", "1")
    removed, added = changed_lines(encrypted, encrypt(changed, twin=encrypted))
    names = [line.partition(" =")[0].partition("[")[0] for line in removed + added]
    assert set(names) <= {"#ENC", "mac", "lastmodified"}
    assert names.count("#ENC") == 2


def test_comment_rules_choose_by_table_and_item() -> None:
    text = (
        "a = 1\nb = 2 # seal\n# seal\nc.d = 3\nc.e = 4\nf = [\n  5,\n  6, # seal\n]\n"
        "# seal\n[g]\nh = 7\n[[i]]\nj = 8\n[[i]] # seal\nj = 9\n"
    )
    encrypted = round_trip(text, Selection("encrypted_comment_regex", "seal"))
    sealed = [leaf.path for leaf in sealed_leaves(encrypted, "toml")]
    assert sealed == [("b",), ("c", "d"), ("f", 1), ("g", "h"), ("i", 1, "j")]
    plain = round_trip(text, Selection("unencrypted_comment_regex", "seal"))
    others = [("a",), ("c", "e"), ("f", 0), ("i", 0, "j")]
    assert [leaf.path for leaf in sealed_leaves(plain, "toml")] == others


def test_an_array_item_that_is_a_comment_to_sops_is_taken_out() -> None:
    document = format.scan(f'a = [ "{ENC}", 1 , "{ENC}" ]\n')
    edits = [format.comment(document, document.leaves[at], b"", alone=False) for at in (0, 2)]
    assert tomllib.loads(splice(document.text, edits)) == {"a": [1]}


# --- the block -----------------------------------------------------------------------------------


def test_edits_change_only_their_lines() -> None:
    text = "a = \"one\"\nb = [ 1, 0x2, 3 ] # c\n[t]\nd = 1979-05-27\ne = 'x'\n"
    encrypted = encrypt(text)
    changed = text.replace('"one"', '"two"')
    again = api.encrypt(changed, format="toml", twin=encrypted, credentials=CREDENTIALS)
    removed, added = changed_lines(encrypted, again)
    names = {line.partition(" ")[0] for line in removed + added}
    assert {"a", "mac"} <= names <= {"a", "mac", "lastmodified"}
    assert decrypt(again) == changed


def test_a_changed_file_is_noticed() -> None:
    encrypted = encrypt("[a]\nx = 1\ny_unencrypted = 2\n[b]\nz_unencrypted = 1979-05-27\n")
    for old, new in (("= 2", "= 3"), ("[b]", "[c]"), ("05-27", "05-28"), ("= 2", '= "2"'), ("[b]", "[[b]]")):
        assert encrypted.count(old) == 1
        with pytest.raises(EncconfError, match="MAC mismatch"):
            decrypt(encrypted.replace(old, new))


def test_the_name_decides_the_format(tmp_path: Path) -> None:
    assert formats.of_path("a/b.toml") == "toml"
    assert formats.get("toml") is format
    file = tmp_path / "secrets.toml"
    file.write_bytes(encrypt("[a]\r\nb = 07:32:00\r\n").encode())
    loaded = api.load_config(file, credentials=CREDENTIALS)
    assert loaded == tomllib.loads("[a]\nb = 07:32:00\n")


def test_importing_the_module_does_not_import_tomllib() -> None:
    code = (
        "import sys, re; before = set(sys.modules); import encconf.formats.toml; "
        "print(*sorted(name for name in set(sys.modules) - before if not name.startswith('encconf')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert {name.partition(".")[0] for name in done.stdout.split()} <= {
        *("__future__", "_virtualenv", "binascii", "collections", "math")
    }


# --- rops ----------------------------------------------------------------------------------------

# The ciphertexts, the MAC and the key of rops's own tests (its "mock" values, which are public),
# in the order in which its MAC has them.
ROPS_KEY = "AGE-SECRET-KEY-1EQUCGFZH8UZKSZ0Z5N5T234YRNDT4U9H7QNYXWRRNJYDDVXE6FWSCPGNJ7"
ROPS_FILE = """\
hello = "ENC[AES256_GCM,data:3S1E9am/,iv:WUQoQTrRXw/tUgwpmSG69xWtd5dVMfe8qUly1VB8ucM=,tag:nQUDkuh0OR1cjR5hGC5jOw==,type:str]"
nested_map = { null_key = "null", array = [
    "ENC[AES256_GCM,data:ANbeNrGp,iv:PRWGCPdOttPr5dlzT9te7WWCZ90J7+CvfY1vp60aADM=,tag:PvSLx4pLT5zRKOU0df8Xlg==,type:str]",
    { nested_map_in_array = { integer = "ENC[AES256_GCM,data:qTW5qw==,iv:ugMxvR8YPwDgn2MbBpDX0lpCqzJY3GerhbA5jEKUbwE=,tag:d8utfA76C4XPzJyDfgE4Pw==,type:int]" } },
    { float = "ENC[AES256_GCM,data:/MTg0fCennyN8g==,iv:+/8+Ljm+cls7BbDYZnlg6NVFkrkw4GkEfWU2aGW57qE=,tag:26uMp2JmVAckySIaL2BLCg==,type:float]" },
] }
booleans = [
    "ENC[AES256_GCM,data:bCdz2A==,iv:8kD+h1jClyVHBj9o2WZuAkjk+uD6A2lgNpcGljpQEhk=,tag:u3/fktl5HfFrVLERVvLRGw==,type:bool]",
    "ENC[AES256_GCM,data:SgBh7wY=,iv:0s9Q9pQWbsZm2yHsmFalCzX0IqNb6ZqeY6QQYCWc+qU=,tag:OZb76BWCKbDLbcil4c8fYA==,type:bool]",
]
escape_unencrypted = "plaintext"

[sops]
lastmodified = "2023-12-27T20:37:05Z"
mac = "ENC[AES256_GCM,data:tPxLRxcw3/FFDqza8H5Cie3MTFVI8qBXte8qB0lAO/OQMRjVPPj5UJLC1jMUAlHW1KInxqSRhGkSLL8sJjg4wKeY8/yxaDbYqLKkw7bxk7yoFUktNn+D9Tv44AoroB/2715GhtDSwM80mDb4pnD4aj1k3/mC7E/XH7aArCVsl2s=,iv:1FrAknhJizYRQ588m6Mgn5lRlMxgWBOY3Ka6RvS2vCI=,tag:GiQkczeDmBKIjswzwfeKvA==,type:str]"
unencrypted_suffix = "_unencrypted"

[[sops.age]]
recipient = "age1se5ghfycr4n8kcwc3qwf234ymvmr2lex2a99wh8gpfx97glwt9hqch4569"
enc = \"\"\"
-----BEGIN AGE ENCRYPTED FILE-----
YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSBKeE9VRHJpNmc4Z1NFeDd6
L3cybjRHblYvaFUxbk9JZDZ4RFdENGpiNmhZCnZCRXRNSlRZeno0SDlJWXdhT0xl
Y1BlMzcyYUdVWFJ6WEVMTlRRaDRGbFUKLS0tIGc0V3gzU043MzBUd01BVTVKTEwr
azRyUldHUXo0cTV2YlZWa2pwcWFweGcKQdFW597WOM0bYfycoA2A0JxjKlrka+lc
MLuTri7QMM+g8yXcjneEGxjobGIqnvARlzDwcnFMxBoZ5/KRjMipXA==
-----END AGE ENCRYPTED FILE-----
\"\"\"
"""  # noqa: E501
ROPS_PLAIN = """\
hello = "world!"
nested_map = { null_key = "null", array = [
    "string",
    { nested_map_in_array = { integer = 1234 } },
    { float = 1234.56789 },
] }
booleans = [
    true,
    false,
]
escape_unencrypted = "plaintext"
"""


def rops_credentials() -> Credentials:
    environ = {"SOPS_AGE_KEY": ROPS_KEY, "HOME": "/nonexistent", "PATH": os.environ["PATH"]}
    return Credentials.from_env(environ)


def test_what_rops_encrypted_is_read_and_kept() -> None:
    opener = rops_credentials()
    plain = api.decrypt(ROPS_FILE, format="toml", credentials=opener)
    assert plain == ROPS_PLAIN
    assert api.loads(ROPS_FILE, format="toml", credentials=opener) == tomllib.loads(ROPS_PLAIN)
    assert api.encrypt(plain, format="toml", twin=ROPS_FILE, credentials=opener) == ROPS_FILE
    changed = api.encrypt(plain.replace("1234 ", "5 "), format="toml", twin=ROPS_FILE, credentials=opener)
    removed, added = changed_lines(*(text.partition("[sops]")[0] for text in (ROPS_FILE, changed)))
    assert len(removed) == len(added) == 1
    before, after = (format.scan(text).block or {} for text in (ROPS_FILE, changed))
    fresh = {name: after.pop(name) for name in ("mac", "lastmodified", "version")}
    assert fresh["version"] == SOPS_VERSION
    assert after == {name: value for name, value in before.items() if name not in fresh}


@pytest.fixture(scope="module")
def mise() -> str:
    return str(installed.mise())


class Mise:
    """mise in an empty home with one encrypted file of environment variables."""

    def __init__(self, program: str, home: Path) -> None:
        self.program = program
        self.home = home

    def __call__(self, encrypted: str, identity: str) -> dict[str, str] | None:
        """The variables it finds; None if rops opened the file, but holds what is no variable.

        Raises AssertionError if rops cannot open the file.
        """
        project = self.home / "project"
        project.mkdir(exist_ok=True)
        (project / "secrets.toml").write_bytes(encrypted.encode())
        (project / "mise.toml").write_text('[env]\n_.file = { path = "secrets.toml" }\n')
        environ = {
            **clean_environ(),
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home / ".config"),
            "MISE_SOPS_AGE_KEY": identity,
            "MISE_SOPS_ROPS": "1",
            "MISE_SOPS_STRICT": "1",
            "MISE_TRUSTED_CONFIG_PATHS": str(project),
            "MISE_OFFLINE": "1",
        }
        done = subprocess.run(
            [self.program, "env", "--json"],
            cwd=project,
            env=environ,
            capture_output=True,
            text=True,
            timeout=60,
        )
        if done.returncode:
            assert "unsupported toml value" in done.stderr, done.stderr
            return None
        found: dict[str, str] = json.loads(done.stdout)
        return {name: value for name, value in found.items() if name != "PATH"}


@pytest.fixture
def opened_by_mise(mise: str, tmp_path: Path) -> Mise:
    return Mise(mise, tmp_path)


@pytest.mark.services
def test_mise_reads_what_we_write(opened_by_mise: Mise) -> None:
    text = (
        '# c\nA = "x" # d\nB = 0x1F\nC = true\nD = """\n\n  two\\\n   lines\n"""\nE = 1979-05-27\n'
        'F_unencrypted = 1979-05-27 07:32:00.500z\nG = \'C:\\new\'\nH = "null"\nI = ""\nJ_unencrypted = ""\n'
        'K_unencrypted = "null"\n'
    )
    wanted = {
        "A": "x", "B": "31", "C": "true", "D": "\n  twolines\n", "E": "1979-05-27",
        "F_unencrypted": "1979-05-27T07:32:00.5Z", "G": "C:\\new", "H": "null", "I": "", "J_unencrypted": "",
        "K_unencrypted": "null",
    }  # fmt: skip
    for plain in (text, text.replace("\n", "\r\n"), text.rstrip("\n")):
        assert opened_by_mise(round_trip(plain), KEY.identity) == wanted
    assert opened_by_mise(without_rule('A_unencrypted = "x"\n'), KEY.identity) == {"A_unencrypted": "x"}
    assert opened_by_mise(ROPS_FILE, ROPS_KEY) is None
    changed = ROPS_PLAIN.replace("world!", "")
    ours = api.encrypt(changed, format="toml", twin=ROPS_FILE, credentials=rops_credentials())
    assert opened_by_mise(ours, ROPS_KEY) is None
    with pytest.raises(AssertionError, match="invalid MAC"):
        opened_by_mise(ours.replace('"plaintext"', '"plain text"'), ROPS_KEY)


@pytest.mark.services
@pytest.mark.parametrize(
    "selection",
    [
        DEFAULT,
        Selection("unencrypted_suffix", "_unencrypted", mac_only_encrypted=True),
        Selection("encrypted_suffix", "1"),
        Selection("encrypted_regex", "^(db|user|t[0-9])"),
        Selection("unencrypted_regex", "^(db|user|t[0-9])", mac_only_encrypted=True),
    ],
    ids=lambda selection: f"{selection.kind}{'-only' * selection.mac_only_encrypted}",
)
def test_mise_reads_generated_texts(opened_by_mise: Mise, selection: Selection) -> None:
    """rops checks the place of every value and the MAC over all of them, in its order."""
    for seed in range(5000, 5030):
        text = toml_text(seed)
        if same_as_tomllib(text) is not None:
            opened_by_mise(round_trip(text, selection), KEY.identity)


@pytest.mark.services
def test_mise_minds_the_order_that_we_mind(opened_by_mise: Mise) -> None:
    """With the leaves in the order of the text, rops would not open these."""
    text = "[a.b]\nx = 1\n[c]\nx = 3\n[a]\nx = 2\n[d]\nx = 4\n[a.e]\nx = 5\n[c.f]\nx = 6\n"
    opened_by_mise(round_trip(text), KEY.identity)
    opened_by_mise(round_trip("x.y = 1\nz = 2\nx.w = 3\n[[s.t]]\na = 1\n[u]\n[[s.t]]\na = 2\n"), KEY.identity)
    depth = toml.MAX_DEPTH
    opened_by_mise(round_trip(f"a = {'[' * depth}1{']' * depth}\n"), KEY.identity)
    opened_by_mise(round_trip(".".join("a" * (depth + 1)) + " = 1\n"), KEY.identity)


@pytest.mark.parametrize("sign", ["\u2028", "\u2029", "\x85", "\xa0", "\ufeff"])
def test_other_separators_in_comments(sign: str, age_key: AgeKey) -> None:
    """They end no line in TOML."""
    text = f"# a{sign}b\nx = 1 # {sign}\n"
    creds = credentials(age_key)
    ours = api.encrypt(text, rule(age_key), format="toml", credentials=creds)
    notices: list[str] = []
    assert api.decrypt(ours, format="toml", credentials=creds, notify=notices.append) == text
    assert not notices


def test_each_text_is_read_once(age_key: AgeKey, monkeypatch: pytest.MonkeyPatch) -> None:
    """tomllib reads of what is encrypted the ``sops`` table alone, and what is plain only if need be."""
    creds = credentials(age_key)
    text = "# c\nx = '1'\n[t]\ny = 'a'\n"
    ours = api.encrypt(text, rule(age_key), format="toml", credentials=creds)
    parsed: list[str] = []
    scanned: list[str] = []
    loads, run = tomllib.loads, toml.Scanner.run

    def counted_loads(given: str) -> dict[str, object]:
        parsed.append(given)
        return loads(given)

    def counted_run(scanner: toml.Scanner) -> None:
        scanned.append(scanner.text)
        run(scanner)

    monkeypatch.setattr(tomllib, "loads", counted_loads)
    monkeypatch.setattr(toml.Scanner, "run", counted_run)
    assert api.decrypt(ours, format="toml", credentials=creds) == text
    assert scanned.count(ours) == 1
    assert [given[:6] for given in parsed] == ["[sops]"]
    scanned.clear()
    parsed.clear()
    assert api.loads(ours, format="toml", credentials=creds) == {"x": "1", "t": {"y": "a"}}
    assert scanned == [ours]
    assert [given[:6] for given in parsed] == ["[sops]"]
    parsed.clear()
    dotted = api.encrypt("t.y = 'a'\n", rule(age_key), format="toml", credentials=creds)
    assert api.loads(dotted, format="toml", credentials=creds) == {"t": {"y": "a"}}
    assert ["t.y = 'a'" in given for given in parsed].count(True) > 1


def test_only_a_table_called_sops_is_a_block() -> None:
    for text in ("sops = [1,]\nc . a = 1.e2\n", "sops = 'x'\na = 1.\n", "[[sops]]\n[a]\nb = 1_000.\n"):
        assert same_as_tomllib(text) is None
    document = same_as_tomllib("sops = [1,]\nc . a = 1e2\n")
    assert document is not None
    assert [leaf.path for leaf in document.leaves] == [("c", "a")]
    assert document.block is None


def test_values_that_are_not_in_the_text_of_a_regular_one() -> None:
    """Dates, and bytes that are not UTF-8: only other programs encrypt them."""
    encrypted = encrypt("a = 'x'\n[t]\nb = 'null'\nc = [1, 2.0, true]\n")
    data_key = api.open_text(encrypted, format="toml", credentials=CREDENTIALS).data_key

    def with_a(type: str, data: bytes) -> str:
        document = format.scan(encrypted)
        sealed = cipher.Encryptor(data_key)(type, data, b"a:")
        return splice(encrypted, [format.sealed(document, document.leaves[0], sealed)])

    def loaded(text: str) -> object:
        document = format.scan(text)
        opened = api.open_text(text, format="toml", credentials=CREDENTIALS, ignore_mac=True)
        assert document.regular
        return loading.values_of(opened, {}, None)

    assert loaded(with_a("str", b"y")) == [{"a": "y", "t": {"b": "null", "c": [1, 2.0, True]}}]
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert loaded(with_a("time", b"2026-01-02T03:04:05Z")) == [
        {"a": moment, "t": {"b": "null", "c": [1, 2.0, True]}}
    ]
    with pytest.raises(EncconfError, match="not UTF-8"):
        loaded(with_a("str", b"\xff"))


class TestToml(FormatContract):
    name = "toml"
    suffixes = (".toml",)
    path = ("db", "password")
    texts = (
        f'# top\ntitle = "x"\n\n[db]\nhost = "h" # inline\npassword = "{SECRET}"\nports = [ 1, 2 ]\n',
        f"db.password = '{SECRET}'\nn = 0x1F\nd = 1979-05-27\n",
    )
    broken = (
        f'a = "{SECRET}',
        f'a = "{SECRET}"\na = 1\n',
        f"{SECRET}\n",
    )


def test_only_a_string_in_three_single_quotes_gets_three_double_ones() -> None:
    three = "a'''b"
    assert toml.string(toml.BASIC, "", "\n", three) == f'"{three}"'
    assert toml.string(toml.LONG_LITERAL, "", "\n", "ab") == "'''ab'''"
    assert toml.string(toml.LONG_LITERAL, "", "\n", three).startswith('"""')
