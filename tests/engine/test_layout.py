"""What the ciphertext cannot show comes back through the layout record, if it still fits."""

from __future__ import annotations

import re

import pytest
from engine import credentials, rule, values
from oracle import AgeKey, Sops

from encconf import api
from encconf.engine import layout as layouts
from encconf.errors import EmitError
from encconf.formats import module
from encconf.rules.selection import Selection
from encconf.verbs import changes

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
    plain = module("yaml").load_plain(text)
    assert api.loads(encrypted, credentials=creds) == plain[0]
    assert values(module("yaml").load_plain(sops.decrypt(encrypted, "yaml"))) == values(plain)


def test_not_written_where_it_isnt_needed(age_key: AgeKey) -> None:
    text = (
        "x: &x {}\ny: *x\na: x\nb: 'y''z'\nc: \"z\"\nd: 12\ne: 1.5\nf: true\n"
        "g: |\n  a\n\n  b\nh: ~\ni: []\n# c\nj: ['q', \"r\"]\n"
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
    rewritten = sops.edit(encrypted, "yaml", "sed -i 's/b: c/b: d/' \"$1\"")
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
    assert values(module("yaml").load_plain(decrypted)) == values(module("yaml").load_plain(swapped))
    assert values(api.loads(stale, credentials=creds)) == values(module("yaml").load_plain(swapped)[0])


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
    import zlib

    from encconf.engine.layout import Layout

    assert Layout.unpack(zlib.compress(record.encode())) is None


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


def test_c6_the_record_of_a_stream_is_written_once(age_key: AgeKey, sops: Sops) -> None:
    """sops and encconf read the block of the first document; a record in each would be most of the file."""
    creds = credentials(age_key)
    text = "a: 0x1F\n---\nb: 0x1F\n---\n{c: 010}\n---\nd: x\n"
    sealed = api.encrypt(text, rule(age_key), credentials=creds)
    assert sealed.count("encconf_layout") == 1
    assert sealed.index("encconf_layout") < sealed.index("b: ")
    assert api.decrypt(sealed, credentials=creds) == text
    assert sops.decrypt(sealed, "yaml")
    changed = changes.run(changes.Request(sealed, "yaml", (("a",), 1), credentials=creds))
    assert changed.count("encconf_layout") == 1
    assert api.decrypt(changed, credentials=creds) == text.replace("0x1F", "1", 1)


@pytest.mark.parametrize("index", [-1, 1, 99])
def test_g_a_record_of_a_collection_that_is_not_there(index: int) -> None:
    format = module("yaml")
    document = format.scan("a: [x, y]\n")
    record = layouts.Layout()
    record.flows = {index: "[ x ]"}
    assert layouts.apply(record, format, document, [None] * len(document.leaves)) is None
    record.flows = {0: "[ x,  y ]"}
    assert layouts.apply(record, format, document, [None] * len(document.leaves)) == [(3, 9, "[ x,  y ]")]
