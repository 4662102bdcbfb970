"""INI: what go-ini and configparser make of it, what is kept and reported, and both ways with sops."""

from __future__ import annotations

import json
import os
import re
from typing import Any

import engine
import pytest
from engine import changed_lines, credentials, rule, sealed_leaves
from formats.of_sops import SopsFormatContract
from generate import ini_text
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import AgeKey, Sops

from encconf import api, formats
from encconf.engine import opening, plaintext
from encconf.errors import EmitError, EncconfError, ParseError
from encconf.io import fileio
from encconf.rules.selection import Selection
from encconf.testing.contracts.format import SECRET

format = formats.get("ini")

KEY = AgeKey.generate()
CREDENTIALS = credentials(KEY)
NONE = Selection("encrypted_suffix", "___")


def loaded(text: str) -> dict[str, Any]:
    return {name: section for name, section in format.load_plain(text)[0].items() if section}


# --- configparser --------------------------------------------------------------------------------


# --- what is kept --------------------------------------------------------------------------------

KEPT = {
    "blank lines": "\n\n[a]\n\nx = 1\n\n\n[b]\n\n",
    "blanks everywhere": " \n\t[a]  \n  x\t=  1  \n\n  ; c  \n",
    "no last line break": "[a]\nx=1",
    "last line with blanks": "[a]\nx=1\n  ",
    "comment without line break": "[a]\nx=1\n; c",
    "crlf": "; a\r\n; b\r\n[a]\r\nx = 1 ; c\r\n\r\ny = `l\r\nm`\r\n",
    "crlf in places": "[a]\r\nx=1\ny=2\r\n",
    "byte order mark": "\ufeff; c\n[a]\nx=1\n",
    "quotes": '[a]\nw="1"\nx=\'2\'\ny=`3`\nz="""4"""\nl="""\n5\n""" ; c\n`k`=6\n',
    "continued": "[a]\nx = a \\\n    b \\\n  c\ny=\\\n  z\n",
    "banner": ";;;;;;;;\n;; title\n;;;;;;;;\n\n#\n# text\n#\n[a]\n####\n# key\nx=1 ; c\n;\n",
    "comments apart": "; one\n\n; two\n\n\n; three\n[a]\n# four\n\n# five\nx=1\n",
    "comments behind sections": "[a] ; one\nx=1\n; two\n[b]# three\n[c]  x ; four\n",
    "comments only": "; a\n\n# b\n",
    "nothing": "",
    "a line break": "\n",
    "dropped comment": '[a]\nx = `1` ; c\ny = """2""" # `d` ""\n',
    "respelled": '[a]\nx_plain = a#b\ny_plain = C:\\\nz_plain = "a;b" ; `c`\nw = a#b\n',
    "indented": "[a]\nx =\n  1\n  2 # y\nx_plain =\n  'a\n  b' # c\n\n; d\ny = \"q\"\n",
    "sections twice": "[a]\nx=1\n[b]\nx=2\n[a]\ny=3\n",
    "colons": "[a]\nx: 1\ny : 2\nz :3\n",
}


@pytest.mark.parametrize("name", KEPT)
@pytest.mark.parametrize("kind", ["unencrypted_suffix", "encrypted_suffix"])
def test_kept(name: str, kind: str, sops: Sops) -> None:
    text = KEPT[name]
    selection = Selection(kind, "_plain" if kind == "unencrypted_suffix" else "x")
    ours = api.encrypt(text, rule(KEY, selection=selection), format="ini", credentials=CREDENTIALS)
    assert api.decrypt(ours, format="ini", credentials=CREDENTIALS) == text
    assert api.loads_all(ours, format="ini", credentials=CREDENTIALS) == format.load_plain(text)
    by_sops = sops.with_environ(KEY.environ()).decrypt(ours, "ini", "--output-type", "json")
    if by_sops.count('"a": {') == 1:
        as_json = json.loads(by_sops)
        assert {name: section for name, section in as_json.items() if section} == loaded(text)


def test_no_record_where_none_is_needed() -> None:
    text = "; c\n[a]\nx = 1 ; d\ny = 'z'\n\n[b]\nq = `r`\n# e\n"
    ours = api.encrypt(text, rule(KEY), format="ini", credentials=CREDENTIALS)
    assert "encconf" not in ours
    assert ours.count("ENC[") == 7
    assert "\n\n[sops]\n" in ours
    assert re.search(r"(?m)^version = \d+\.\d+\.\d+$", ours)


def test_only_what_changed(sops: Sops) -> None:
    text = KEPT["banner"] + KEPT["quotes"]
    ours = api.encrypt(text, rule(KEY), format="ini", credentials=CREDENTIALS)
    changed = text.replace("x='2'", "x='3'")
    new = api.encrypt(changed, twin=ours, format="ini", credentials=CREDENTIALS)
    removed, added = changed_lines(ours, new)
    names = {line.split("=")[0].strip() for line in removed} - {"lastmodified"}
    assert names == {"x", "mac"}
    assert len(added) == len(removed)
    assert api.decrypt(new, format="ini", credentials=CREDENTIALS) == changed
    sops.with_environ(KEY.environ()).decrypt(new, "ini")


# --- comments ------------------------------------------------------------------------------------


def test_comments_reach_sops(sops: Sops) -> None:
    text = "; one\n; two\n[a]\nx = 1 ; three\n#four\n#five\ny = 2\n"
    ours = api.encrypt(text, rule(KEY), format="ini", credentials=CREDENTIALS)
    assert not re.search("one|two|three|four|five", ours)
    by_sops = sops.with_environ(KEY.environ()).decrypt(ours, "ini")
    # Go's package puts a blank after the sign of each line, if lines end as those of its system do.
    five = "#five" if os.name == "nt" else "# five"
    assert by_sops == f"; one\n; two\n[a]\n; three\nx = 1\n; four\n{five}\ny = 2\n"


def test_a_comment_behind_a_value_whose_last_line_looks_like_a_comment(sops: Sops) -> None:
    for quote in ("`", '"""'):
        text = f"[a]\nx = {quote}1\n# 2{quote}#word\ny = 3\n"
        ours = api.encrypt(text, rule(KEY), format="ini", credentials=CREDENTIALS)
        assert "; word\n" in sops.with_environ(KEY.environ()).decrypt(ours, "ini")
        assert api.decrypt(ours, format="ini", credentials=CREDENTIALS) == text


def test_comments_of_sops(sops: Sops) -> None:
    mine = sops.with_environ(KEY.environ())
    theirs = mine.encrypt("; a\n#b\n[s]\n; c\n\n# d\nx = 1 ; e\n", "ini", age=KEY.recipient)
    plain = api.decrypt(theirs, format="ini", credentials=CREDENTIALS)
    assert plain == "; a\n#b\n[s]\n; c\n# d\n; e\nx = 1\n"
    assert api.encrypt(plain, twin=theirs, format="ini", credentials=CREDENTIALS) == theirs
    mine.decrypt(theirs, "ini")


@pytest.mark.parametrize("lines", ["#\n# x", ";;;\n; x", "#\n#\n# x", ";\n\n; x", "# \n#x ; y"])
def test_sops_does_not_crash_on_ours(lines: str, sops: Sops) -> None:
    """It does on its own (getsops/sops #766)."""
    for text in (f"[a]\n{lines}\nx = 1\n", f"{lines}\n[a]\nx = 1\n"):
        for selection in (None, NONE):
            ours = api.encrypt(text, rule(KEY, selection=selection), format="ini", credentials=CREDENTIALS)
            assert "x = 1" in sops.with_environ(KEY.environ()).decrypt(ours, "ini")
            assert api.decrypt(ours, format="ini", credentials=CREDENTIALS) == text


@pytest.mark.parametrize("kind", ["encrypted_comment_regex", "unencrypted_comment_regex"])
def test_comment_rules(kind: str, sops: Sops) -> None:
    """sops puts a key's comment behind the key, so it is the next one that is meant."""
    mine = sops.with_environ(KEY.environ())
    text = "; secret\n[a]\nx = 1\n; secret\ny = 2\nz = 3 ; secret\nw = 4\n[b]\nv = 5\n"
    selection = Selection(kind, "^secret$")
    ours = api.encrypt(text, rule(KEY, selection=selection), format="ini", credentials=CREDENTIALS)
    config = f"creation_rules: [{{age: {KEY.recipient}, {kind}: ^secret$}}]\n"
    theirs = mine.encrypt(text, "ini", config=config)
    named = [leaf.path for leaf in sealed_leaves(ours, "ini")]
    assert named == [leaf.path for leaf in sealed_leaves(theirs, "ini")]
    assert mine.decrypt(ours, "ini") == mine.decrypt(theirs, "ini")
    apart = "[a]\n; one\n\n; secret\nx = 1\ny = 2\n"
    with pytest.raises(EmitError, match="comments"):
        api.encrypt(apart, rule(KEY, selection=selection), format="ini", credentials=CREDENTIALS)


def test_comments_of_one_key_need_no_rule(age_key: AgeKey) -> None:
    """A comment above a key and one behind its value are encrypted under any rule but one about comments."""
    creds = credentials(age_key)
    text = "# a\n\n; b\n[s]\n; above\nk = v ; behind\nj = w\n"
    for selection in (None, Selection("encrypted_regex", "^k$"), Selection("unencrypted_suffix", "_u")):
        ours = api.encrypt(text, rule(age_key, selection=selection), format="ini", credentials=creds)
        assert api.decrypt(ours, format="ini", credentials=creds) == text
        again = api.encrypt(text.replace("w", "x"), format="ini", twin=ours, credentials=creds)
        assert api.decrypt(again, format="ini", credentials=creds) == text.replace("w", "x")


# --- what is reported, what is refused -----------------------------------------------------------

CAVEATS = [
    ("[a]\nx = 1\ny = a#b\n; c\nz = C:\\new\n", []),
    ("[a]\nx = '1'\ny = `2`\n", ["a.x, a.y: Python's configparser takes the quotes"]),
    ("[a]\nx = 1 ; 2\n", ["a.x: Python's configparser takes the text after"]),
    ("[a]\nx = C:\\\ny = 1\n", ["a.x: sops -d prints"]),
    ('[a]\nx = `"q"`\n', ["a.x: sops -d prints"]),
    ("[a]\nx =\n  'a'\ny = 'b'\n", ["a.y: sops -d prints"]),
]


@pytest.mark.parametrize(("text", "words"), CAVEATS)
def test_what_is_reported(text: str, words: list[str]) -> None:
    notices: list[str] = []
    ours = api.encrypt(text, rule(KEY), format="ini", credentials=CREDENTIALS, notify=notices.append)
    assert len(notices) == len(words)
    assert all(line.startswith(start) for line, start in zip(notices, words, strict=True))
    notices.clear()
    api.encrypt(text + "new = 1\n", twin=ours, format="ini", credentials=CREDENTIALS, notify=notices.append)
    assert notices == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[a]\nx\n", "neither = nor :"),
        ("[a]\n  x\n", "neither = nor :"),
        ('[a]\nx="""', "closing quote"),
        ("[a\nx=1", "closing bracket"),
        ("[]\nx=1", "no name"),
        ("[a]\n=1", "no key"),
        ("[a]\n``=1", "no key"),
        ("[a]\n`x=1", "closing quote"),
        ("[a]\n-=1", "called -"),
        ("[a]\nx=1\ny=2\nx=3", "twice"),
        ("[a]\nx = one\n  two\ny = 1\ny = 2", "twice"),
    ],
)  # fmt: skip
def test_refused(text: str, words: str) -> None:
    with pytest.raises(ParseError, match=words) as caught:
        format.scan(text)
    assert caught.value.line


@given(st.integers(0, 2**40), st.booleans())
@settings(max_examples=150)
def test_any_file(seed: int, indented: bool) -> None:
    _there_and_back(ini_text(seed, indented=indented))


PARTS = [*"ax= \t\n\r#;'\"`\\:[]", "\r\n", "[a]\n", "x = ", "\n; c\n", "\ufeff", '"""', "\\\n", "\n  "]


@given(st.lists(st.sampled_from(PARTS), max_size=25))
@settings(max_examples=400)
def test_any_text(parts: list[str]) -> None:
    _there_and_back("".join(parts))


def _there_and_back(text: str) -> None:
    try:
        ours = api.encrypt(text, rule(KEY), format="ini", credentials=CREDENTIALS)
    except EncconfError:
        return
    assert api.decrypt(ours, format="ini", credentials=CREDENTIALS) == text
    assert api.loads_all(ours, format="ini", credentials=CREDENTIALS) == format.load_plain(text)


COMMENTS = [
    "# one\n\n# two\n\n[a]\nx = 1\n",
    "; one\n\n; two\n# three\n\nx = 1 ; tail\ny=2 # only\n\n[s] ; sect\n# k\n\n\n; k2\nz = 'a' ; q\n",
    "# a\n\n[s] # b\n\n# c\n  # d\n\n; e\nk = v\n# f\n\n# g\nj = 2\n",
    "# a\r\n\r\n# b\r\nk = v # c\r\n\r\n[t]\r\nj = 1\r\n",
    "##\n  ##\n  # a\n\n####\n# b\n[s]\nk = v\n",
    "[s]\n# a\n\n# b\nk = v\n  more\n# c\n\n# d\nj = 2\n",
]


@pytest.mark.parametrize("text", COMMENTS)
def test_sops_keeps_every_comment(text: str, age_key: AgeKey, sops: Sops) -> None:
    """All comments of a section or key are one ciphertext, of which sops prints every line."""
    creds = credentials(age_key)
    ours = api.encrypt(text, rule(age_key), format="ini", credentials=creds)
    assert api.decrypt(ours, format="ini", credentials=creds) == text
    assert _comments(sops.decrypt(ours, "ini")) == _comments(text)
    # sops rewrites the file, and encconf reads all comments still.
    edited = sops.edit(ours, "ini", "text += '[new]\\nn = 1\\n'")
    assert "ENC[" not in (now := api.decrypt(edited, format="ini", credentials=creds))
    assert _comments(now) == _comments(text)


def _comments(text: str) -> list[str]:
    """All words of comments, in order."""
    found = re.findall(r"(?m)(?:^|[ \t])[#;]+([^\r\n]*)", text)
    return [words for comment in found if (words := comment.strip(" #"))]


def test_one_changed_comment_changes_one_ciphertext(age_key: AgeKey) -> None:
    creds = credentials(age_key)
    text = COMMENTS[2]
    ours = api.encrypt(text, rule(age_key), format="ini", credentials=creds)
    again = api.encrypt(text.replace("# g", "# h"), format="ini", twin=ours, credentials=creds)
    was, now = (re.findall(r"ENC\[\S*type:comment\]", each) for each in (ours, again))
    assert len(was) == len(now) == 3
    assert was[:2] == now[:2]
    assert was[2] != now[2]


@pytest.mark.parametrize("value", ["a;b", " padded ", "it's", '"quoted"', "a # b", "two\nlines", "a`b"])
def test_values_of_sops_gain_no_quotes(value: str, age_key: AgeKey, sops: Sops) -> None:
    """The first change to a file that sops wrote changes one line, its MAC and its date."""
    creds = credentials(age_key)
    tree = {"s": {"k": value, "other": "x"}}
    theirs = sops.encrypt(json.dumps(tree), "json", "--output-type", "ini", age=age_key.recipient)
    ours = engine.change(theirs, "ini", (("s", "other"), "y"), credentials=creds)
    removed, added = changed_lines(theirs, ours)
    names = [line.partition("=")[0].strip() for line in removed]
    assert {"mac", "other"} <= set(names) <= {"lastmodified", "mac", "other"}  # both in one second, perhaps
    assert [line.partition("=")[0].strip() for line in added] == names
    assert api.loads(ours, format="ini", credentials=creds) == {"s": {"k": value, "other": "y"}}


def test_any_bytes_in_a_file_of_sops_come_out(age_key: AgeKey, sops: Sops) -> None:
    text = b"[s\xe9]\n; c\xe9\nA = caf\xe9 x\nB_unencrypted = \xff\n"
    flags = ["--input-type", "ini", "--output-type", "ini"]
    theirs = sops.run(
        "encrypt", *flags, "--age", age_key.recipient, "--filename-override", "x.ini", input=text
    ).stdout
    by_sops = sops.run("decrypt", *flags, "--filename-override", "x.ini", input=theirs).stdout
    creds = credentials(age_key)
    read = fileio.decode(theirs)
    assert fileio.encode(api.decrypt(read, format="ini", credentials=creds)) == by_sops
    with pytest.raises(ParseError, match="not UTF-8"):
        engine.change(read, "ini", (("s", "A"), "y"), credentials=creds)


def test_blank_lines_stay_without_the_other_spellings(age_key: AgeKey) -> None:
    text = COMMENTS[1]
    creds = credentials(age_key)
    ours = api.encrypt(text, rule(age_key), format="ini", credentials=creds)
    opened = opening.open_text(ours, format="ini", credentials=creds)
    assert plaintext.plain_text(opened, layout=False) == text


_COMMENT_LINES = ["# word", "; word", "#", "# ", "  # in", "", " ", "{} = v", "[s]", "{} = v # x"]


@given(st.lists(st.sampled_from(_COMMENT_LINES)))
def test_what_is_respelled_is_so_whether_comments_were_asked_for_or_not(lines: list[str]) -> None:
    text = "".join(line.format(f"k{number}") + "\n" for number, line in enumerate(lines))
    respelled = []
    for comments in (True, False):
        document = format.scan(text, comments=comments)
        prepared = format.prepare(document, bytearray(b"\1") * len(document.leaves))
        respelled.append(prepared and (prepared.text, prepared.originals))
    assert respelled[0] == respelled[1]


class TestIni(SopsFormatContract):
    name = "ini"
    suffixes = (".ini",)
    path = ("db", "password")
    texts = (
        f"; top\n; second\n\n[db]\nhost = h ; inline\n\n# before\npassword = {SECRET}\nempty =\n[x]\n",
        f"root=1\n[DEFAULT]\nd : 2\n[db]\npassword=\"{SECRET}\"\nl = `a\nb`\nc = x \\\n  y\n[db]\nq = 'z'\n",
        f";;;;\n; x\n[db] ; tail\npassword = {SECRET}\np_unencrypted = a#b\nw_unencrypted = C:\\\nv = #fff\n",
        f"[db]\nhosts =\n    a\n    b # no comment\n    # comment\n\n    c\npassword = {SECRET}\n",
    )
    broken = (
        f"[a]\n{SECRET}\n",
        f"[{SECRET}\n",
        f"[a]\nb = `{SECRET}\n",
        f"[a]\nb = {SECRET}\nb = 2\n",
        f"[a]\n- = {SECRET}\n",
        f"[a]\n= {SECRET}\n",
    )


@pytest.mark.parametrize("above", ["", "# above\n"])
def test_a_backslash_before_a_comment(above: str, sops: Sops, age_key: AgeKey) -> None:
    """The comment moves above the key where there is another; the line must not go on in the next one."""
    text = (
        f"[s]\n{above}a_unencrypted = \\ # c\n{above}b = \\ ; d\n{above}c_unencrypted = C:\\ # e\nd = x\n"
        f"{above}e = E:\\ # f\n  g = y\n"
    )
    values = {
        "s": {"a_unencrypted": "\\", "b": "\\", "c_unencrypted": "C:\\", "d": "x", "e": "E:\\", "g": "y"}
    }
    creds = credentials(age_key)
    sealed = api.encrypt(text, rule(age_key), format="ini", credentials=creds)
    assert api.decrypt(sealed, format="ini", credentials=creds) == text
    assert api.loads_all(sealed, format="ini", credentials=creds) == [values]
    found = json.loads(sops.decrypt(sealed, "ini", "--output-type", "json"))
    assert {name: members for name, members in found.items() if members} == values


def test_a_comment_that_ends_with_a_backslash(sops: Sops, age_key: AgeKey) -> None:
    """The library would continue the line, unless the value is in quotes."""
    lines = ("k = ; x\\", "k_enc = v ; C:\\dir\\", "k_enc = `v` # y\\", "k = \\ ; C:\\", "k = v #\\")
    text = "".join(
        f"[{number}{kind}]\n{line}\n{following}"
        for number, line in enumerate(lines)
        for kind, following in (("a", "z = 1\n"), ("b", "\n"), ("c", ""))
    )
    to = rule(age_key, selection=Selection("encrypted_suffix", "_enc"))
    sealed = api.encrypt(text, to, format="ini", credentials=credentials(age_key))
    assert api.decrypt(sealed, format="ini", credentials=credentials(age_key)) == text
    found = json.loads(sops.decrypt(sealed, "ini", "--output-type", "json"))
    assert [{name: members for name, members in found.items() if members}] == format.load_plain(text)
