"""dotenv: sops's dialect and quotes, what is kept and what is reported, and both ways with the real sops."""

from __future__ import annotations

import json
import re

import engine
import pytest
from engine import changed_lines, credentials, rule, sealed_leaves
from formats.of_sops import SopsFormatContract
from generate import dotenv_text
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import AgeKey, Sops
from pace import at_most

from encconf import api, formats
from encconf.engine import opening, plaintext
from encconf.errors import AlreadyEncryptedError, EmitError, EncconfError, ParseError
from encconf.io import fileio
from encconf.rules.selection import Selection
from encconf.testing.contracts.format import SECRET
from encconf.text.document import Leaf, Value, splice

format = formats.get("dotenv")

KEY = AgeKey.generate()
CREDENTIALS = credentials(KEY)

# A line, what sops stores for it, and what is loaded.
LINES = [
    ("A=x", "x", "x"),
    ("A=", "", ""),
    ("A=two words", "two words", "two words"),
    ("A= x ", " x ", " x "),
    ("A = x ", " x ", "x "),
    ("A=x=y==", "x=y==", "x=y=="),
    ("A=a#b", "a#b", "a#b"),
    ("A=a # b", "a # b", "a # b"),
    ("A=#fff", "#fff", "#fff"),
    ("A=l1\\nl2", "l1\nl2", "l1\nl2"),
    ("A=C:\\new", "C:\new", "C:\new"),
    ("A='C:\\new'", "'C:\new'", "C:\\new"),
    ("A='C:\\dir\\'", "'C:\\dir\\'", "C:\\dir\\"),
    ('A="C:\\\\new"', '"C:\\\new"', "C:\\new"),
    ('A="l1\\nl2"', '"l1\nl2"', "l1\nl2"),
    ('A="x y" # c', '"x y" # c', "x y"),
    ('A="x"#c', '"x"#c', "x"),
    ("A='x' ", "'x' ", "x"),
    ("A='it\\'s'", "'it\\'s'", "it's"),
    ('A="say \\"x\\""', '"say \\"x\\""', 'say "x"'),
    ('A=""', '""', ""),
    ("A=''", "''", ""),
    ('A="a"b', '"a"b', '"a"b'),
    ('A="a', '"a', '"a'),
    ("A=it's", "it's", "it's"),
    ("A='a'b'", "'a'b'", "'a'b'"),
    ("A=$HOME/${X}", "$HOME/${X}", "$HOME/${X}"),
    ('A="$HOME"', '"$HOME"', "$HOME"),
    ("A=`x`", "`x`", "`x`"),
    ("A=ü日😀", "ü日😀", "ü日😀"),
    ("A=a\rb", "a\rb", "a\rb"),
]


@pytest.mark.parametrize(("line", "stored", "loaded"), LINES, ids=[line for line, _, _ in LINES])
def test_lines(line: str, stored: str, loaded: str, sops: Sops, age_key: AgeKey) -> None:
    (leaf,) = format.scan(line).leaves
    assert leaf.data == stored.encode()
    assert format.load_plain(line) == [{"A": loaded}]
    # What is stored is what sops would store, and what it prints is the line.
    theirs = sops.encrypt(line, "dotenv", age=age_key.recipient)
    assert list(json.loads(sops.decrypt(theirs, "dotenv", "--output-type", "json")).values()) == [stored]
    ours = api.encrypt(line, rule(age_key), format="dotenv", credentials=credentials(age_key))
    assert sops.decrypt(ours, "dotenv") == f"{line}\n"
    assert list(json.loads(sops.decrypt(ours, "dotenv", "--output-type", "json")).values()) == [stored]
    assert list(api.loads(theirs, format="dotenv", credentials=credentials(age_key)).values()) == [loaded]


@pytest.mark.parametrize("name", ["export A", " A", "A ", "export \t A ", "  export A\t"])
def test_names(name: str) -> None:
    (leaf,) = format.scan(f"{name}=x").leaves
    assert leaf.step == name
    assert format.load_plain(f"{name}=x") == [{"A": "x"}]


@pytest.mark.parametrize("name", ["exported", "export", "A B", "a.b-c", "é", "", "ä=b"[:1]])
def test_odd_names(name: str) -> None:
    assert format.load_plain(f"{name}=x") == [{name: "x"}]


def test_the_last_of_a_name_counts() -> None:
    assert format.load_plain("A=1\nexport A=2\nB=0\nA=3\n") == [{"A": "3", "B": "0"}]


def test_where_a_name_is_that_readers_see() -> None:
    document = format.scan("A=1\nexport A=2\nB =3\nC=4\n")
    assert format.located(document, ("A",)) == [("A",), ("export A",)]
    assert format.located(document, ("B",)) == [("B ",)]
    for other in (("export A",), ("C",), ("D",), ()):
        assert format.located(document, other) == [other]


VALUES = ["x", "", '"x"', "'x'", '"it\'s"', "'a' # b", '"a\nb"', "a\nb", '"', " x", "\\", "'\\'", '"\\x\t"']


@pytest.mark.parametrize("name", ["A", "A ", "export A"])
@pytest.mark.parametrize("value", VALUES)
def test_what_to_store_so_that_readers_see_a_value(name: str, value: str) -> None:
    stored = format.unsettled((name,), ("A",), value)
    assert isinstance(stored, str)
    line = stored.replace("\n", "\\n")
    assert format.load_plain(f"{name}={line}\n") == [{"A": value}]


def test_what_readers_see_as_it_is_gets_no_quotes() -> None:
    for value in ("x", "", "a # b", "it's", "\\", 5, True, None):
        assert format.unsettled(("A",), ("A",), value) == value
    for name, value, stored in (("A", '"x"', '"\\"x\\""'), ("A ", " x", '" x"'), ("A", "'x' y", "'x' y")):
        assert format.unsettled((name,), ("A",), value) == stored


def test_a_new_name_that_readers_would_not_see() -> None:
    with pytest.raises(EmitError, match=r"another name: A$"):
        format.unsettled(("export A",), ("export A",), "x")


MANY_LINES = [
    ('A="l1\nl2"', '"l1\nl2"', "l1\nl2"),
    ('A="l1\r\nl2"\r\n', '"l1\nl2"', "l1\nl2"),
    ('A="l1\\nl2\nl3"', '"l1\nl2\nl3"', "l1\nl2\nl3"),
    ("A='l1\nl2' # c", '"l1\nl2" # c', "l1\nl2"),
    ('A="a\\tb\nc"', '"a\\tb\nc"', "a\tb\nc"),
    ("A=  'a\nb'\t#c", '  "a\nb"\t#c', "a\nb"),
    ("A='a\\nb\nc'", '"a\\\nb\nc"', "a\\nb\nc"),
    ("A='\"\n\\\\'", '"\\"\n\\\\"', '"\n\\'),
    ('A="x\\\ny"', '"x\\\\\ny"', "x\\\ny"),
    ('A="\n\n# no comment\nB=no name\n"', '"\n\n# no comment\nB=no name\n"', "\n\n# no comment\nB=no name\n"),
]


@pytest.mark.parametrize(("text", "stored", "loaded"), MANY_LINES)
def test_many_lines(text: str, stored: str, loaded: str, sops: Sops) -> None:
    (leaf,) = format.scan(text).leaves
    if "\\\n" not in stored:
        assert leaf.data == stored.encode()
    assert format.load_plain(text) == [{"A": loaded}]
    for suffix in ("", "_unencrypted"):
        named = text.replace("A=", f"A{suffix}=")
        ours = api.encrypt(named, rule(KEY), format="dotenv", credentials=CREDENTIALS)
        assert api.decrypt(ours, format="dotenv", credentials=CREDENTIALS) == named
        assert api.loads(ours, format="dotenv", credentials=CREDENTIALS) == {f"A{suffix}": loaded}
        by_sops = sops.with_environ(KEY.environ()).decrypt(ours, "dotenv")
        assert by_sops.count("\n") == 1
        assert format.load_plain(by_sops) == [{f"A{suffix}": loaded}]


KEPT = {
    "blank lines": "\n\nA=1\n\n\nB=2\n\n",
    "blank lines that are not empty": "A=1\n \n\t\nB=2\n  ",
    "indented comments": "A=1\n  # c\n\t#d\n#\n  #\nB=2\n   # end",
    "comment that sops takes for a name": "A=1\n  # B=2\n",
    "no last line break": "A=1",
    "comment without line break": "A=1\n# c",
    "crlf": "A=1\r\n\r\n# c\r\n  # d\r\nB=2\r\n",
    "crlf without the last": "A=1\r\nB=2",
    "crlf in places": "A=1\r\nB=2\n\r\nC=3\n",
    "byte order mark": "\ufeffA=1\nB=2\n",
    "byte order mark and comment": "\ufeff# c\nA=1\n",
    "byte order mark and blanks": "\ufeff  # c\r\n \r\nA='x\r\ny'\r\n",
    "only comments": "# a\n#b\n",
    "only blanks": "\n \n",
    "nothing": "",
    "a name twice": "A=1\nA=2\nA=1\n",
    "quotes of all kinds": 'A=\'1\' # c\nB="2"\nexport C=`3`\nD = "4\n5"\n',
    "quote that never ends": "A=\"1\nB='2\nC=3\n",
}


@pytest.mark.parametrize("name", KEPT)
@pytest.mark.parametrize("kind", ["unencrypted_suffix", "encrypted_suffix"])
def test_kept(name: str, kind: str, sops: Sops) -> None:
    text = KEPT[name]
    selection = Selection(kind, "B")
    ours = api.encrypt(text, rule(KEY, selection=selection), format="dotenv", credentials=CREDENTIALS)
    assert api.decrypt(ours, format="dotenv", credentials=CREDENTIALS) == text
    plain = format.load_plain(text)
    assert api.loads_all(ours, format="dotenv", credentials=CREDENTIALS) == plain
    by_sops = sops.with_environ(KEY.environ()).decrypt(ours, "dotenv")
    loaded = [{key: str(value).rstrip("\r") for key, value in tree.items()} for tree in plain]
    again = [
        {key: str(value).rstrip("\r") for key, value in tree.items()} for tree in format.load_plain(by_sops)
    ]
    assert again == loaded


def test_clients_find_the_block() -> None:
    ours = api.encrypt("A=1\n", rule(KEY), format="dotenv", credentials=CREDENTIALS)
    assert re.search(r"(?m)^sops_version=\d+\.\d+\.\d+$", ours)
    assert re.search(r"(?m)^sops_mac=ENC\[.*,type:str\]$", ours)
    assert "encconf" not in ours


@pytest.mark.parametrize("text", ["A", "export A", "A=1\nB\n", "A: 1", " x", '"A', "A='\nB\n"])
def test_no_name(text: str) -> None:
    with pytest.raises(ParseError, match="no ="):
        format.scan(text)


@pytest.mark.parametrize("text", ["sops_x=1\n", "A=1\nsops_version=x\n"])
def test_the_prefix_is_taken(text: str) -> None:
    with pytest.raises(AlreadyEncryptedError):
        api.encrypt(text, rule(KEY), format="dotenv", credentials=CREDENTIALS)
    assert format.scan("sops=1\nxsops_=2\n# sops_\n").block is None


def test_a_block_in_between(sops: Sops) -> None:
    """sops takes the block's lines from wherever they stand; so do we, and put them at the end."""
    ours = api.encrypt("A=1\n# c\nB=2\n", rule(KEY), format="dotenv", credentials=CREDENTIALS)
    lines = ours.splitlines(keepends=True)
    mixed = "".join([lines[5], lines[0], lines[3], *lines[1:3], lines[4], *lines[6:]])
    assert mixed.startswith("sops_")
    assert sops.with_environ(KEY.environ()).decrypt(mixed, "dotenv") == "A=1\n# c\nB=2\n"
    assert api.decrypt(mixed, format="dotenv", credentials=CREDENTIALS) == "A=1\n# c\nB=2\n"
    new = api.encrypt("A=1\n# c\nB=3\n", twin=mixed, format="dotenv", credentials=CREDENTIALS)
    assert new.index("sops_") > new.index("B=")


def test_git_may_change_the_line_breaks() -> None:
    """core.autocrlf: sops cannot read such a file."""
    text = "A=1\n\n# c\nB_unencrypted=2\nC='x\ny'\n"
    ours = api.encrypt(text, rule(KEY), format="dotenv", credentials=CREDENTIALS).replace("\n", "\r\n")
    assert api.loads(ours, format="dotenv", credentials=CREDENTIALS) == {
        "A": "1",
        "B_unencrypted": "2",
        "C": "x\ny",
    }
    assert api.decrypt(ours, format="dotenv", credentials=CREDENTIALS) == text
    again = api.encrypt(text.replace("1", "7"), twin=ours, format="dotenv", credentials=CREDENTIALS)
    assert api.decrypt(again, format="dotenv", credentials=CREDENTIALS) == text.replace("1", "7")


CAVEATS = [
    ("A=x\nB=a#b\nC=-----BEGIN X-----\\nabc\\n", []),
    ("A='x'\nB=\"y\"\nC='z'\nD=\"u\nv\"\nE=plain", ["A, B, C and 1 more: sops takes the quotes"]),
    ("A=C:\\new", ["A: \\n is a line break to sops"]),
    ("A=x # y", ["A: sops and encconf take the # as part of the value"]),
]


@pytest.mark.parametrize(("text", "words"), CAVEATS)
def test_what_is_reported(text: str, words: list[str]) -> None:
    notices: list[str] = []
    ours = api.encrypt(text, rule(KEY), format="dotenv", credentials=CREDENTIALS, notify=notices.append)
    assert len(notices) == len(words)
    assert all(line.startswith(start) for line, start in zip(notices, words, strict=True))
    notices.clear()
    api.encrypt(text + "\nNEW=1", twin=ours, format="dotenv", credentials=CREDENTIALS, notify=notices.append)
    assert notices == []


def test_what_sops_set_is_never_bent(sops: Sops) -> None:
    """A ``\\n`` of two characters, which no text can say, stays as long as its line does."""
    mine = sops.with_environ(KEY.environ())
    theirs = mine.encrypt("A=1\nB=2\n", "dotenv", age=KEY.recipient)
    theirs = _set(mine, theirs, "A", "C:\\new")
    assert api.loads(theirs, format="dotenv", credentials=CREDENTIALS) == {"A": "C:\\new", "B": "2"}
    plain = api.decrypt(theirs, format="dotenv", credentials=CREDENTIALS)
    assert plain == "A=C:\\new\nB=2\n"
    again = api.encrypt(plain.replace("2", "3"), twin=theirs, format="dotenv", credentials=CREDENTIALS)
    assert json.loads(mine.decrypt(again, "dotenv", "--output-type", "json")) == {"A": "C:\\new", "B": "3"}
    assert [line[:2] for line in changed_lines(theirs, again)[1]][:1] == ["B="]


def _set(sops: Sops, text: str, name: str, value: str) -> str:
    from oracle import scratch

    file = scratch() / "set.env"
    file.write_bytes(text.encode())
    sops.run("set", str(file), f'["{name}"]', json.dumps(value))
    return file.read_bytes().decode()


def test_values_of_other_types(sops: Sops) -> None:
    """sops makes a dotenv file of a YAML one, types included."""
    mine = sops.with_environ(KEY.environ())
    values = 'i: 5\nf: 3.5\ng: 1e21\nb: true\ns: "x\\ny"\ne: ""\n'
    theirs = mine.encrypt(values, "yaml", "--output-type", "dotenv", age=KEY.recipient)
    assert "type:bool" in theirs
    plain = api.decrypt(theirs, format="dotenv", credentials=CREDENTIALS)
    assert plain == mine.decrypt(theirs, "dotenv")
    loaded = api.loads(theirs, format="dotenv", credentials=CREDENTIALS)
    assert loaded == {"i": "5", "f": "3.5", "g": "1E+21", "b": "true", "s": "x\ny", "e": ""}
    assert api.encrypt(plain, twin=theirs, format="dotenv", credentials=CREDENTIALS) == theirs
    changed = api.encrypt(plain.replace("i=5", "i=6"), twin=theirs, format="dotenv", credentials=CREDENTIALS)
    assert "type:bool" in changed
    assert mine.decrypt(changed, "dotenv") == plain.replace("i=5", "i=6")


def test_comments(sops: Sops) -> None:
    text = "#\n# one of two\nA=1\n#two of two\n"
    ours = api.encrypt(text, rule(KEY), format="dotenv", credentials=CREDENTIALS)
    assert "of two" not in ours
    assert ours.startswith("#\n#ENC[")
    assert sops.with_environ(KEY.environ()).decrypt(ours, "dotenv") == text
    selection = Selection("encrypted_comment_regex", "secret")
    text = "# secret\nA=1\nB=2\n# secret\n# why\nC=3\nA=4\n"
    ours = api.encrypt(text, rule(KEY, selection=selection), format="dotenv", credentials=CREDENTIALS)
    assert [leaf.step for leaf in sealed_leaves(ours, "dotenv")] == ["A", "C"]
    assert "\nA=4\n" in ours
    assert sops.with_environ(KEY.environ()).decrypt(ours, "dotenv") == text


def test_a_key_with_dots_and_a_path() -> None:
    (leaf,) = format.scan("a.b[0]=x").leaves
    assert leaf.path == ("a.b[0]",)
    assert leaf.aad == b"a.b[0]:"


@given(st.integers(0, 2**40), st.booleans())
@settings(max_examples=120)
def test_any_file(seed: int, like_sops: bool) -> None:
    _there_and_back(dotenv_text(seed, like_sops=like_sops))


@given(
    st.lists(
        st.sampled_from([*"A= \t\n\r#'\"\\nx", "\r\n", "export ", "A=", "\ufeff", "='", '"\n']), max_size=25
    )
)
@settings(max_examples=300)
def test_any_text(parts: list[str]) -> None:
    _there_and_back("".join(parts))


def _there_and_back(text: str) -> None:
    try:
        ours = api.encrypt(text, rule(KEY), format="dotenv", credentials=CREDENTIALS)
    except EncconfError:
        return
    assert api.decrypt(ours, format="dotenv", credentials=CREDENTIALS) == text
    assert api.loads_all(ours, format="dotenv", credentials=CREDENTIALS) == format.load_plain(text)


@pytest.mark.parametrize(
    "text",
    [
        'A="\n' * 25_000,
        "A='x\n" * 25_000,
        'A="\\"\n' * 25_000,
        "A=" + "'" * 250_000,
        'A="' + "\\" * 250_001,
        " " * 250_000 + "A=1",
        "A=1\r" * 50_000 + "\n",
        "A=ENC[\n" * 33_000,
    ],
    ids=lambda text: repr(text[:6]),
)
def test_work_grows_with_the_text(text: str) -> None:
    with at_most(5):  # not a benchmark: squared, it would take many minutes
        document = format.scan(text, comments=True)
        format.prepare(document, bytearray(len(document.leaves)))


def test_a_stale_record_brings_nothing_back() -> None:
    """What stands between values comes back only where it still stands."""
    old = api.encrypt("  # old\nA=1\n  # b\nB=2\n", rule(KEY), format="dotenv", credentials=CREDENTIALS)
    record = re.search("(?m)^sops_encconf_layout=.*\n", old)
    assert record is not None
    new = api.encrypt("# new\nA=1\n# b\nB=2\n", twin=old, format="dotenv", credentials=CREDENTIALS)
    assert "encconf" not in new
    stale = new.replace("sops_lastmodified", record.group() + "sops_lastmodified")
    assert api.decrypt(stale, format="dotenv", credentials=CREDENTIALS) == "# new\nA=1\n  # b\nB=2\n"


def test_any_bytes_in_a_file_of_sops_come_out(age_key: AgeKey, sops: Sops) -> None:
    text = b"A=caf\xe9\n#c\xe9\nB\xff=x\nC_unencrypted=\xe9\n"
    flags = ["--input-type", "dotenv", "--output-type", "dotenv"]
    theirs = sops.run(
        "encrypt", *flags, "--age", age_key.recipient, "--filename-override", "x.env", input=text
    ).stdout
    creds = credentials(age_key)
    read = fileio.decode(theirs)
    assert fileio.encode(api.decrypt(read, format="dotenv", credentials=creds)) == text
    assert api.loads(read, format="dotenv", credentials=creds)["A"] == b"caf\xe9"
    with pytest.raises(ParseError, match="not UTF-8"):
        engine.change(read, "dotenv", (("A",), "y"), credentials=creds)
    with pytest.raises(ParseError, match="not UTF-8"):
        fileio.decode(text)


def test_line_breaks_stay_without_the_other_spellings(age_key: AgeKey) -> None:
    """As sops, encconf spells values as sops does; the layout of the file is the file's own."""
    creds = credentials(age_key)
    for text in ("A=1\r\nB=2\r\n", "# c\r\n\r\nA=1\r\n  # d\r\nB=2\r\n"):
        ours = api.encrypt(text, rule(age_key), format="dotenv", credentials=creds)
        opened = opening.open_text(ours, format="dotenv", credentials=creds)
        assert plaintext.plain_text(opened, layout=False) == text


class TestDotenv(SopsFormatContract):
    name = "dotenv"
    suffixes = (".env",)
    path = ("PASSWORD",)
    texts = (
        f"# top\nHOST=h\n\nPASSWORD={SECRET}\n#\nEMPTY=\nHOST=again\nPLAIN_unencrypted=x # y\n",
        f"export A=\"x\\ny\" # c\nPASSWORD={SECRET}\nB='it is'\n  # indented\n \t\nC = d\n",
        f'KEY="-----BEGIN\nabc==\n-----END"\nPASSWORD={SECRET}\nK_unencrypted=\'a\n\\b"\'\n',
    )
    broken = (
        f"A=1\n{SECRET}\n",
        f'A="x\n{SECRET}\n',
        f"A=\n \\{SECRET}",
    )


def read_by_sops(text: str) -> list[tuple[str, str]]:
    """The names and values of a text, and its comments under "#", as sops reads it."""
    pairs = []
    for line in text.split("\n"):
        name, _, value = line.partition("=")
        if line.startswith("#"):
            pairs.append(("#", line[1:]))
        elif line:
            pairs.append((name, value.replace("\\n", "\n")))
    return pairs


def read_here(text: str) -> list[tuple[str, str]]:
    """The same of a scan, whose spans are checked."""
    document = format.scan(text, comments=True)
    at = 0
    pairs = []
    for each in sorted([*document.leaves, *document.comments], key=lambda each: each.start):
        before = document.text[at : each.start]
        if isinstance(each, Leaf):
            name = before.rpartition("\n")[2].removesuffix("=").removeprefix("\ufeff" if not at else "")
            assert name == each.step
            pairs.append((name, (each.data or b"").decode()))
        else:
            assert before.endswith("#")
            pairs.append(("#", each.text))
            assert document.text[each.start : each.end] == each.text
        at = each.end
        assert document.text[at : at + 1] in ("", "\n", "\r")
    return pairs


def test_what_sops_stores_is_what_it_reads() -> None:
    """For any text, once `prepare` has respelled it; and for texts that sops wrote, also without that."""
    done = 0
    for seed in range(150):
        for text in (dotenv_text(seed), dotenv_text(seed, like_sops=True)):
            text = text.replace("\r\n", "\n").removeprefix("\ufeff")
            for variant in (text, text.replace("\n", "\r\n"), "\ufeff" + text):
                try:
                    found = read_here(variant)
                except ParseError:
                    continue
                document = format.scan(variant)
                prepared = format.prepare(document, bytearray(len(document.leaves)))
                assert read_by_sops(variant if prepared is None else prepared.text) == found
                if prepared is not None:
                    spelled = {leaf.start: leaf for leaf in format.scan(prepared.text).leaves}
                    originals = {spelled[at].path: old for at, old in prepared.originals.items()}
                    changed = [leaf for leaf in document.leaves if isinstance(leaf.note, str)]
                    old = {
                        leaf.path: variant[leaf.start : leaf.end].replace("\r\n", "\n") for leaf in changed
                    }
                    assert originals == old
                done += 1
            exact = f"{text}\nsops_version=1\n"
            if all("=" in line or line.startswith("#") or not line for line in exact.split("\n")):
                exact = re.sub(r"(?m)^[ \t]+(?=\n|\Z)", "", exact)
                assert read_here(exact) == [pair for pair in read_by_sops(exact) if pair[0] != "sops_version"]
                done += 1
    assert done > 800


@pytest.mark.parametrize("text", ["", "A=1\n", "# c\n\n", "A=1\nB=2\nsops=3\n"])
@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize("end", ["\n", ""])
def test_a_new_block_takes_the_place_of_the_old_one(text: str, at: int, end: str) -> None:
    lines = text.splitlines(keepends=True)
    olds = ["sops_a=1\n", "sops_b=x=y\n"]
    for old in ([], olds[:1], olds):
        mixed = [*lines[:at], *old[:1], *lines[at:], *old[1:]]
        before = "".join(line if line.endswith("\n") else f"{line}\n" for line in mixed[:-1])
        before += mixed[-1].removesuffix("\n") + end if mixed else ""
        kept = "".join(line for line in before.splitlines(keepends=True) if not line.startswith("sops_"))
        document = format.scan(before)
        assert document.block == ({"a": "1", "b": "x=y"} if len(old) > 1 else {"a": "1"} if old else None)
        assert document.block_text == ("".join(old) or None)
        spans = list(re.finditer(r"(?m)^sops_.*(?:\n|\Z)", before)) if old else []
        assert document.parts[0].pieces == [span.span() for span in spans]
        assert document.parts[0].block == ((spans[0].start(), spans[-1].end()) if spans else None)
        new = splice(before, format.attach(document, "sops_c=2\n"))
        assert new == kept + ("\n" if kept and not kept.endswith("\n") else "") + "sops_c=2\n"
        assert splice(before, format.detach(document)) == kept


def test_each_line_of_a_name_that_is_there_again_has_comments_of_its_own() -> None:
    document = format.scan("# 1\nA=1\n# 2\nB=2\n# 3\nA=3\nC=4\nA=5\n# 6\nB=6", comments=True)
    root, second, third = document.scopes
    assert [(leaf.step, leaf.scope) for leaf in document.leaves] == [
        ("A", root), ("B", root), ("A", second), ("C", second), ("A", third), ("B", third),
    ]  # fmt: skip
    assert second.again is third.again is root
    assert [(comment.scope, comment.before) for comment in document.comments] == [
        (root, "A"), (root, "B"), (second, "A"), (third, "B"),
    ]  # fmt: skip


def test_values_have_no_types_and_may_have_quotes() -> None:
    for type, data, spelled in (("int", b"1", b"1"), ("bool", b"True", b"true"), ("str", b"a\nb", b"a\\nb")):
        assert format.token(Value(type, data)) == ("str", spelled)
    leaves = format.scan("A=\"x\"\nB= 'y' # c\nC=z\nD='a' b\nE=\"1\n2\"\n").leaves
    assert [leaf.style for leaf in leaves] == ['"', "'", "", "", '"']
    assert [format.unclosed(format.scan('E="1\r\n2"\n'), leaf) for leaf in leaves[3:4]] == [None]
    document = format.scan('E="1\\n2\r\n3"\r\n')
    assert format.unclosed(document, document.leaves[0]) == b'"1\n2'
