"""What the MAC covers, what the strict check adds, and that no nonce serves two values."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from engine import KEY, by_hand, credentials, opened, rule
from oracle import FIXTURES, AgeKey, Sops

from encconf import api, formats
from encconf.engine.cipher import Encryptor, aes_gcm, split
from encconf.engine.mac import ORDINARY, check_mac, digest, seal_mac
from encconf.engine.metadata import Metadata
from encconf.errors import EncconfError, MacError, MacMissingError
from encconf.rules.selection import Selection

yaml = formats.get("yaml")

TEXT = """\
a: secret
b: other
n:
e: ""
l:
  - one
  - two
open_unencrypted: ab
next_unencrypted: cd
nested_unencrypted:
  x: 1
  y: "1"
"""


@pytest.fixture(scope="module")
def encrypted(age_key: AgeKey) -> str:
    return api.encrypt(TEXT, rule(age_key), credentials=credentials(age_key))


@pytest.mark.parametrize(
    ("change", "by"),
    [
        (r"(?m)^(a: .*\n)(b: .*\n)", r"\2\1"),  # order
        (r"(?m)^b: .*\n", ""),  # a value gone
        (r"(?m)^n:\n", ""),  # a null gone
        (r"(?m)^n:\n", "n:\nm:\n"),  # a null more
        (r'(?m)^e: ""\n', ""),  # an empty value gone
        (r'(?m)^e: ""\n', 'e: ""\nf: ""\n'),  # an empty value more
        (r"(?m)^l:\n", "l:\n  -\n"),  # a null in a list
        (r"(?m)^l:\n", 'l:\n  - ""\n'),
        (r"(?m)^l:\n", "l2: {}\nl:\n"),  # an empty collection more
        (r"(?m)^l:\n", "---\nl:\n"),  # another document
        (
            "open_unencrypted: ab\nnext_unencrypted: cd",
            "open_unencrypted: a\nnext_unencrypted: bcd",
        ),  # a boundary
        ("open_unencrypted: ab", "closed_unencrypted: ab"),  # a key
        ("  x: 1", '  x: "1"'),  # a type
        ('  y: "1"', "  y: 1"),
        ("nested_unencrypted:\n  x", "nested_unencrypted:\n  z"),
        ("next_unencrypted: cd\n", "next_unencrypted: [cd]\n"),  # a shape
        ("next_unencrypted: cd\n", "next_unencrypted: {k: cd}\n"),
        ("next_unencrypted: cd\n", "next_unencrypted: ce\n"),
        ("open_unencrypted: ab\n", "open_unencrypted: ab\nnull_unencrypted: ~\n"),
        ("type:str", "type:bytes"),
        (r"(?m)^a: ENC\[(.*),type:str\]", r"a: ENC[\1,type:comment]"),
    ],
)
def test_no_change_goes_unnoticed(encrypted: str, age_key: AgeKey, change: str, by: str) -> None:
    changed = re.sub(change, by, encrypted, count=1)
    assert changed != encrypted
    with pytest.raises(EncconfError) as caught:
        api.loads_all(changed, credentials=credentials(age_key))
    assert "secret" not in str(caught.value)


def test_a_flipped_bit_anywhere_in_a_ciphertext(encrypted: str, age_key: AgeKey) -> None:
    for match in re.finditer(r"(data|iv|tag):([A-Za-z0-9+/=]+)", encrypted):
        at = match.start(2) + 1
        flipped = encrypted[:at] + ("A" if encrypted[at] != "A" else "B") + encrypted[at + 1 :]
        with pytest.raises(EncconfError):
            api.loads(flipped, credentials=credentials(age_key))


def test_the_strict_check_cannot_be_taken_off(encrypted: str, age_key: AgeKey) -> None:
    """Another nonce does not decrypt; only who has the data key can put one there."""
    mac = re.search(r"mac: (ENC\[\S+\])", encrypted)
    assert mac is not None
    other = re.sub(r"iv:[^,]+", "iv:" + "A" * 43 + "=", mac.group(1))
    with pytest.raises(MacError):
        api.loads(encrypted.replace(mac.group(1), other), credentials=credentials(age_key))


def test_lastmodified_is_part_of_it(encrypted: str, age_key: AgeKey) -> None:
    changed = re.sub(r'lastmodified: "20', 'lastmodified: "21', encrypted)
    with pytest.raises(MacError):
        api.loads(changed, credentials=credentials(age_key))


def test_no_mac(encrypted: str, age_key: AgeKey) -> None:
    without = re.sub(r"    mac: .*\n", "", encrypted)
    with pytest.raises(MacMissingError) as caught:
        api.loads(without, credentials=credentials(age_key))
    assert caught.value.exit_code == 51
    assert api.decrypt(without, credentials=credentials(age_key), ignore_mac=True) == TEXT


@pytest.mark.parametrize("member", ["mac", "unencrypted_suffix", "lastmodified"])
def test_a_block_that_is_not_utf_8(age_key: AgeKey, member: str) -> None:
    """A dotenv file may have any bytes; they are lone surrogates in its text."""
    text = api.encrypt("A=1\n", rule(age_key), format="dotenv")
    changed = text.replace(f"sops_{member}=", f"sops_{member}=\udcff")
    assert changed != text
    with pytest.raises(MacError):
        api.loads(changed, format="dotenv", credentials=credentials(age_key))


def test_errors_do_not_show_the_mac(encrypted: str, age_key: AgeKey) -> None:
    changed = encrypted.replace("open_unencrypted: ab", "open_unencrypted: xy")
    with pytest.raises(MacError) as caught:
        api.loads(changed, credentials=credentials(age_key))
    assert not re.search("[0-9A-Fa-f]{32}", f"{caught.value} {caught.value.hint}")


def test_sops_reads_and_rewrites_it(encrypted: str, age_key: AgeKey, sops: Sops) -> None:
    rewritten = sops.edit(encrypted, "yaml", "text = text.replace('other', 'another')")
    values = api.loads(rewritten, credentials=credentials(age_key))
    assert values["b"] == "another"
    mac = re.search(r"mac: (ENC\[\S+\])", rewritten)
    assert mac is not None
    parts = split(mac.group(1).encode())
    assert parts is not None
    assert not parts[1].startswith(b"ENCCONF")


def test_what_sops_rewrites_at_once_is_read(age_key: AgeKey, sops: Sops, tmp_path: Path) -> None:
    """sops keeps a MAC's nonce for the same values in the same second: ours must not be kept."""
    for _ in range(5):
        text = api.encrypt(TEXT, rule(age_key), credentials=credentials(age_key))
        file = tmp_path / "f.yaml"
        file.write_text(text)
        sops.run("rotate", "-i", str(file))
        assert api.loads(file.read_text(), credentials=credentials(age_key))["a"] == "secret"


@pytest.mark.parametrize(
    ("format", "text"),
    [
        (
            "yaml",
            "a: x\nb_unencrypted: [1.0, 1e3, 08, 1., 0.0, {c: 1E5}, 2024-01-02, 0x1F, 1_000, -2.0, 0.5]\n",
        ),
        ("json", '{"a": "x", "b_unencrypted": [1.0, 1e3, {"c": 1E5}, -2.0, 0.5, 1e21]}\n'),
    ],
)
def test_what_sops_rewrites_without_a_new_mac_is_read(
    age_key: AgeKey, sops: Sops, tmp_path: Path, format: str, text: str
) -> None:
    """sops writes ``1.0`` as ``1``, and `sops updatekeys` keeps the MAC, its nonce and its date."""
    creds = credentials(age_key)
    file = tmp_path / f"f.{format}"
    file.write_text(api.encrypt(text, rule(age_key), format=format, credentials=creds))
    both = f"{age_key.recipient},{AgeKey.generate().recipient}"
    (tmp_path / ".sops.yaml").write_text(f"creation_rules: [{{age: '{both}'}}]\n")
    sops.run("updatekeys", "-y", str(file), cwd=tmp_path)
    rewritten = file.read_text()
    assert re.search(r"\b1000\b", rewritten)
    assert api.loads(rewritten, format=format, credentials=creds) == formats.get(format).load_plain(text)[0]
    with pytest.raises(MacError, match="a key, a type or the structure"):
        api.loads(re.sub(r"\b1000\b", '"1000"', rewritten), format=format, credentials=creds)


@pytest.mark.parametrize(
    ("selection", "text", "change", "by"),
    [
        (("encrypted_regex", "^(password|token)$"), "password: x\nopen: y\n", "password|token", "password"),
        (
            ("unencrypted_suffix", "_open"),
            "a: x\nb_open: y\n",
            "unencrypted_suffix: _open",
            "unencrypted_suffix: open",
        ),
        (("unencrypted_comment_regex", "public"), "a: ~\nb: x\n", "a: ~", "# public\na: ~"),
    ],
)
def test_the_rule_is_part_of_it(
    age_key: AgeKey, selection: tuple[str, str], text: str, change: str, by: str
) -> None:
    """Another rule would have the next edit write a secret in clear."""
    out = api.encrypt(text, rule(age_key, selection=Selection(*selection)), credentials=credentials(age_key))
    assert change in out
    with pytest.raises(EncconfError):
        api.decrypt(out.replace(change, by), credentials=credentials(age_key))


def test_a_moved_ciphertext_is_no_comment_in_a_plain_place(age_key: AgeKey) -> None:
    text = "meta:\n  name: x\nsecrets:\n- hunter2\nother: 1\n"
    chosen = rule(age_key, selection=Selection("encrypted_regex", "^secrets$"))
    out = api.encrypt(text, chosen, credentials=credentials(age_key))
    stolen = re.search(r"ENC\[\S+type:str\]", out)
    assert stolen is not None
    bent = out.replace("  name: x\n", f"  #{stolen.group().replace('type:str', 'type:comment')}\n  name: x\n")
    plain = api.decrypt(bent, credentials=credentials(age_key))
    assert plain.count("hunter2") == 1
    again = api.encrypt(plain.replace("other: 1", "other: 2"), twin=bent, credentials=credentials(age_key))
    assert "hunter2" not in again


def test_a_comment_does_not_break_out(age_key: AgeKey) -> None:
    out = api.encrypt('s:\n- "x\\revil: true"\n', rule(age_key), credentials=credentials(age_key))
    enc = re.search(r"ENC\[\S+type:str\]", out)
    assert enc is not None
    bent = f"#{enc.group().replace('type:str', 'type:comment')}\n" + out
    assert "evil: true\ns:" not in api.decrypt(bent, credentials=credentials(age_key)).replace("\r", "\n")


def test_only_encrypted_values_cannot_be_regrouped(age_key: AgeKey) -> None:
    selection = Selection("unencrypted_suffix", "_unencrypted", True)
    text = "l:\n- x: a\n  y: b\n- x: c\n  y: d\n"
    out = api.encrypt(text, rule(age_key, selection=selection), credentials=credentials(age_key))
    with pytest.raises(MacError):
        api.loads(out.replace("\n  y", "\n- y"), credentials=credentials(age_key))


@pytest.mark.parametrize("value", ["", ' ""', " ~", " null"])
def test_the_key_of_a_selected_value_that_is_not_encrypted(age_key: AgeKey, value: str) -> None:
    """A null or empty value has no ciphertext: with mac_only_encrypted, the strict check sees its key."""
    selection = Selection("unencrypted_suffix", "_unencrypted", True)
    text = f"a: secret\nx:\n  k:{value}\n"
    out = api.encrypt(text, rule(age_key, selection=selection), credentials=credentials(age_key))
    for changed in (out.replace("  k:", "  j:"), out.replace("x:\n  k:", "y:\n  k:")):
        assert changed != out
        with pytest.raises(MacError):
            api.loads(changed, credentials=credentials(age_key))


@pytest.mark.parametrize(
    ("before", "after"), [("{a: {}, b: 1}", "{a: [], b: 1}"), ("{a: [], b: 1}", "{a: {}, b: 1}")]
)
def test_an_empty_collection_of_another_kind(age_key: AgeKey, before: str, after: str) -> None:
    text = f"s: secret\no_unencrypted: {before}\n"
    out = api.encrypt(text, rule(age_key), credentials=credentials(age_key))
    with pytest.raises(MacError):
        api.loads(out.replace(before, after), credentials=credentials(age_key))


def test_only_encrypted_values_count(age_key: AgeKey, sops: Sops) -> None:
    selection = Selection("unencrypted_suffix", "_unencrypted", True)
    text = api.encrypt(TEXT, rule(age_key, selection=selection), credentials=credentials(age_key))
    open_changed = text.replace("open_unencrypted: ab", "open_unencrypted: xy\nnew_unencrypted: 1")
    assert api.loads(open_changed, credentials=credentials(age_key))["open_unencrypted"] == "xy"
    sops.decrypt(open_changed, "yaml")
    with pytest.raises(EncconfError):
        api.loads(re.sub(r"(?m)^b: .*\n", "", text), credentials=credentials(age_key))


STRICT1: list[tuple[str, *tuple[list[str], ...]]] = [
    (
        "whole.yaml",
        ["open_", "z_"],
        ["ab\nnext_unencrypted: cd", "a\nnext_unencrypted: bcd"],
        [": 1", ': "1"'],
    ),
    ("only-encrypted.yaml", [r"\n  - password: ~", ""]),
    ("table.toml", [r"\[t\]", "[z]"]),
]


@pytest.mark.parametrize("case", STRICT1, ids=[case[0] for case in STRICT1])
def test_files_with_the_first_strict_check_open(case: tuple[str, *tuple[list[str], ...]]) -> None:
    name, *changes = case
    text = (FIXTURES / "strict1" / name).read_text()
    format = name.rpartition(".")[2]
    creds = credentials(AgeKey.load(FIXTURES / "keys" / "alice.txt"))
    mac = re.search(r"mac ?[:=] ?\"?(ENC\[[^\]]+\])", text)
    parts = split(mac[1].encode()) if mac else None
    assert parts is not None
    assert parts[1].startswith(b"ENCCONF1")
    assert api.loads(text, format=format, credentials=creds)
    for change, by in changes:
        bent = re.sub(change, by, text, count=1)
        assert bent != text
        with pytest.raises(EncconfError):
            api.loads(bent, format=format, credentials=creds)


def sealed_by_another(text: str, data_key: bytes, *, date: str) -> str:
    """What rops makes of a file: the MAC under the nonce that it has, with another date."""
    document = yaml.scan(text)
    metadata = Metadata.of(document)
    parts = split((metadata.mac or "").encode())
    assert parts is not None
    mac = aes_gcm(data_key).decrypt(parts[1], parts[0], metadata.lastmodified.encode())
    again = Encryptor(data_key)("str", mac, date.encode(), parts[1])
    return text.replace(metadata.mac or "", again).replace(metadata.lastmodified, date)


def test_another_date_is_another_writer(age_key: AgeKey) -> None:
    """rops keeps the nonce of a MAC that does not change, and updates the file's date."""
    text = "a_unencrypted: x\nb_unencrypted: y\nc: 1\n"
    out = api.encrypt(text, rule(age_key), credentials=credentials(age_key))
    _, data_key, _ = opened(out, "yaml", age_key)
    theirs = sealed_by_another(out, data_key, date="2031-02-03T04:05:06Z")
    for change, by in (("a_unencrypted: x", "z_unencrypted: x"), ("x\nb_unencrypted: y", "xy")):
        changed = theirs.replace(change, by)
        assert changed != theirs
        assert api.loads(changed, credentials=credentials(age_key))
        with pytest.raises(MacError):  # ours is bound to its date
            api.loads(out.replace(change, by), credentials=credentials(age_key))
    for bent in (out.replace("x", "q", 1), theirs.replace(": x", ": q", 1)):
        with pytest.raises(MacError):
            api.loads(bent, credentials=credentials(age_key))


def test_no_two_macs_share_a_nonce(age_key: AgeKey, monkeypatch: pytest.MonkeyPatch) -> None:
    """The nonce follows from what the MAC says: the same file at the same date has the same MAC."""
    first = api.encrypt("a: 1\nb_unencrypted: x\n", rule(age_key), credentials=credentials(age_key))
    _, data_key, _ = opened(first, "yaml", age_key)
    nonces: dict[bytes, str] = {}
    for text in ("a: 1\nb: 2\n", "a: 12\n", 'a: "12"\n', "a: 1\n", "a: 1\n"):
        for date in ("2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"):
            document = yaml.scan(text)
            for purpose in (ORDINARY, b"\xff %b"):
                none = bytearray(len(document.leaves))
                mac = seal_mac(document, document.leaves, none, {}, data_key, date, purpose)
                parts = split(mac.encode())
                assert parts is not None
                assert nonces.setdefault(parts[1], mac) == mac
    assert len(nonces) == 16


@pytest.mark.parametrize(
    "date", ["", "yesterday", "2026-01-01T00:00:00Z encconf conflict 1", "2026-01-01", "1"]
)
def test_a_mac_counts_with_a_date_only(age_key: AgeKey, date: str) -> None:
    """Additional data that is not a date belongs to something else: see `encconf.git.merge`."""
    out = api.encrypt("a: 1\n", rule(age_key), credentials=credentials(age_key))
    _, data_key, _ = opened(out, "yaml", age_key)
    bent = sealed_by_another(out, data_key, date=date)
    with pytest.raises(MacError, match="lastmodified"):
        api.loads(bent, credentials=credentials(age_key))
    assert api.decrypt(bent, credentials=credentials(age_key), ignore_mac=True) == "a: 1\n"


@pytest.mark.parametrize("date", ["2026-01-01T00:00:00Z", "2016-03-16T23:34:46.5+01:00"])
def test_dates_of_sops_count(age_key: AgeKey, date: str) -> None:
    out = api.encrypt("a: 1\n", rule(age_key), credentials=credentials(age_key))
    _, data_key, _ = opened(out, "yaml", age_key)
    assert api.loads(sealed_by_another(out, data_key, date=date), credentials=credentials(age_key)) == {
        "a": 1
    }


SETTINGS: dict[str, str | bool] = {"unencrypted_suffix": "_unencrypted"}


def test_a_comment_of_a_list_is_in_no_digest() -> None:
    with_comment = by_hand(("str", b"a"), ("comment", b" c"), ("str", b"b"))
    without = by_hand(("str", b"a"), ("null", None), ("str", b"b"))
    everything = bytearray(b"\1\1\1")
    expected = hashlib.sha512(b"ab").hexdigest().upper()
    for document in (with_comment, without):
        assert digest(document.leaves, everything, False) == expected
    only = hashlib.sha512(hashlib.sha256(b"sops").digest() + b"b").hexdigest().upper()
    assert digest(with_comment.leaves, bytearray(b"\0\1\1"), True) == only


def test_many_values_have_nonces_of_their_own() -> None:
    """sops refuses nonces of another length; two values with one nonce could be read by anyone."""
    document = by_hand(*[("str", b"x")] * 600)
    nonces = [(split(enc.encode()) or (b"", b"", ""))[1] for enc in Encryptor(KEY).leaves(document.leaves)]
    assert len(set(nonces)) == 600
    assert {len(nonce) for nonce in nonces} == {32}


@pytest.mark.parametrize("count", [1, 63, 64, 65, 128, 200])
def test_the_mac_is_of_all_values(count: int) -> None:
    document = by_hand(*(("str", b"%d" % number) for number in range(count)))
    expected = hashlib.sha512(b"".join(b"%d" % number for number in range(count))).hexdigest().upper()
    assert digest(document.leaves, bytearray(b"\1" * count), False) == expected


DATE = "2026-01-02T03:04:05Z"


@pytest.mark.parametrize("settings", [{}, {"mac_only_encrypted": True}])
def test_the_strict_check_is_the_same_forever(settings: dict[str, str | bool]) -> None:
    """Files that were written with it would not open otherwise."""
    types = ("str", "int", "float", "bool", "time", "null", "comment")
    document = by_hand(*((type, None if type == "null" else b"1") for type in types))
    nonces = (
        "454e43434f4e463296934fa7497454b185a865dc508b719334789127066a7bee",
        "454e43434f4e463296934fa7497454b126647dd140f05c96e395d1865b019b32",
    )
    mac = seal_mac(document, document.leaves, bytearray(b"\1" * 7), settings, KEY, DATE)
    parts = split(mac.encode())
    assert parts is not None
    assert parts[1].hex() == nonces[bool(settings)]


def test_a_mac_that_distinguishes_plain_floats_from_integers() -> None:
    """As it was written before: the document has a plain ``1.0`` and an encrypted ``x``."""
    mac = (
        "ENC[AES256_GCM,data:MFnWpR5KeOhj96sUB+WBU3h+ec3kmDeiFlDZ0N5vGQAKVuWHTON/Unb3hU5/jRwIoeG0Ep6fUnfvn7QoMLgF"
        "biuK4zzssmFIVHlg6CnN99y5AqSDzK9AAIv2vZp2xt1/hGfLDJlT/I7s9UVU7oMS/6C+axrx/go3MicWJgE2pKM=,"
        "iv:RU5DQ09ORjKWk0+nSXRUsWDoyGmNn6jezqv0OAwJS0w=,tag:As7TOxlBb3NWLqbqUeMN3w==,type:str]"
    )
    document = by_hand(("float", b"1"), ("str", b"x"))
    chosen = bytearray(b"\0\1")
    check_mac(document, document.leaves, chosen, {}, KEY, DATE, mac)
    assert seal_mac(document, document.leaves, chosen, {}, KEY, DATE) != mac
    document.leaves[0].type = "int"
    with pytest.raises(MacError, match="a key, a type or the structure"):
        check_mac(document, document.leaves, chosen, {}, KEY, DATE, mac)
    check_mac(
        document,
        document.leaves,
        chosen,
        {},
        KEY,
        DATE,
        seal_mac(document, document.leaves, chosen, {}, KEY, DATE),
    )


def test_the_mac_by_hand() -> None:
    document = by_hand(("str", b"a"), ("int", b"5"), ("bool", b"True"), ("null", None))
    chosen = bytearray(b"\1\1\0\0")
    mac = seal_mac(document, document.leaves, chosen, SETTINGS, KEY, DATE)
    check_mac(document, document.leaves, chosen, SETTINGS, KEY, DATE, mac)
    check_mac(document, document.leaves, chosen, SETTINGS, KEY, DATE, mac + "\n")

    def refused(said: str, *, mac: str | None = mac, date: str = DATE, chosen: bytearray = chosen) -> None:
        with pytest.raises((MacError, MacMissingError), match=said):
            check_mac(document, document.leaves, chosen, SETTINGS, KEY, date, mac)

    refused("has no MAC", mac=None)
    refused("has no MAC", mac="")
    refused("cannot be decrypted", mac="x")
    refused("cannot be decrypted", date="2026-01-02T03:04:06Z")
    refused("a key, a type or the structure", chosen=bytearray(b"\1\1\1\0"))
    document.leaves[1].type = "float"
    refused("a key, a type or the structure")
    document.leaves[1].type = "int"
    document.leaves[1].data = b"6"
    refused("a value was changed")
    # The MAC of a sops: a nonce without the mark is read by sops's rules.
    theirs = Encryptor(KEY)("str", digest(document.leaves, chosen, False).encode(), DATE.encode())
    document.leaves[1].type = "float"
    check_mac(document, document.leaves, chosen, SETTINGS, KEY, DATE, theirs)
