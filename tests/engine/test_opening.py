"""From an encrypted text to its values: what counts as a text, what is checked, and what is asked for."""

from __future__ import annotations

import re

import pytest
from engine import credentials, rule
from oracle import AgeKey

from encconf import api, formats
from encconf.engine import cipher, loading, opening
from encconf.engine.mac import digest
from encconf.engine.opening import Opened, as_text, open_encrypted, open_text
from encconf.envelope.unwrap import DataKeyCache
from encconf.errors import (
    DecryptError,
    EncconfError,
    InputError,
    KeyAccessError,
    LimitError,
    MacError,
    MacMismatchError,
    NotEncryptedError,
    ParseError,
    PlainValueError,
    ProposalError,
    UnmergedError,
    UsageError,
    WrongTypeError,
    bounded,
)
from encconf.identities import credentials as identities
from encconf.rules.selection import DEFAULT, Selection
from encconf.text.document import Value

YAML = formats.get("yaml")
PLAIN = "a: 1\nb_unencrypted: 2\n"


def encrypt(key: AgeKey, text: str = PLAIN, format: str = "yaml", **options: Selection) -> str:
    return api.encrypt(text, rule(key, **options), format=format, credentials=credentials(key))


def opened(key: AgeKey, text: str, format: str = "yaml", **options: bool) -> Opened:
    return open_text(text, format=format, credentials=credentials(key), **options)


# --- what counts as a text -----------------------------------------------------------------------


@pytest.mark.parametrize("given", ["é", "é".encode(), bytearray("é".encode())])
def test_text_or_its_bytes(given: object) -> None:
    assert as_text(given) == "é"


def test_bytes_that_are_no_text_are_for_a_binary_file() -> None:
    with pytest.raises(InputError):
        as_text(b"a\xff")
    text = as_text(b"a\xff", binary=True)
    assert as_text(text) == text, "as it was read"
    assert text.encode("utf-8", "surrogateescape") == b"a\xff"


def test_half_a_character_is_no_text() -> None:
    with pytest.raises(ParseError, match="position 2: half of a surrogate pair"):
        as_text("ab\ud83d")


@pytest.mark.parametrize(("given", "hinted"), [({}, True), ([1], True), (None, False), (3, False)])
def test_what_is_no_text_at_all(given: object, hinted: bool) -> None:
    with pytest.raises(WrongTypeError, match=f"expected str or bytes, not {type(given).__name__}") as caught:
        as_text(given)
    assert ("json.dumps" in (caught.value.hint or "")) is hinted


@pytest.mark.parametrize(("error", "what"), [(MemoryError, "memory"), (RecursionError, "stack")])
def test_a_file_that_is_too_much_for_the_machine(error: type[Exception], what: str) -> None:
    @bounded
    def read(size: int, *, fails: bool) -> int:
        if fails:
            raise error
        return size

    assert read(5, fails=False) == 5
    with pytest.raises(LimitError, match=f"the file needs more {what} than there is"):
        read(5, fails=True)


def test_any_other_error_stays_what_it_is() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        bounded(int)("x")


def test_a_text_that_is_too_much_for_the_machine(age_key: AgeKey, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    text = encrypt(age_key)
    monkeypatch.setattr(opening.cipher, "unseal", fail)
    with pytest.raises(LimitError):
        opened(age_key, text)


# --- the MAC -------------------------------------------------------------------------------------


def test_a_changed_value_is_opened_only_if_the_mac_is_ignored(age_key: AgeKey) -> None:
    changed = encrypt(age_key).replace("b_unencrypted: 2", "b_unencrypted: 3")
    with pytest.raises(MacMismatchError):
        opened(age_key, changed)
    with pytest.raises(MacMismatchError):
        open_encrypted(changed, "yaml", credentials(age_key), comments=False)
    found = opened(age_key, changed, ignore_mac=True)
    assert [value.data for value in found.values] == [b"1", b"3"]


def test_which_values_the_mac_covers(age_key: AgeKey) -> None:
    assert opened(age_key, encrypt(age_key)).covered is None
    text = encrypt(age_key, selection=Selection("unencrypted_suffix", "_unencrypted", True))
    found = opened(age_key, text.replace("b_unencrypted: 2", "b_unencrypted: 3"))
    assert found.covered == found.chosen.leaves == bytearray([1, 0])


def test_a_mac_that_was_made_for_something_else(age_key: AgeKey) -> None:
    found = opened(age_key, encrypt(age_key))
    found.check_mac()
    with pytest.raises(MacError):
        found.check_mac(b"conflict %b")


@pytest.mark.parametrize("mark", ["encconf_merge", "encconf_conflict"])
def test_a_merge_that_is_not_finished(age_key: AgeKey, mark: str) -> None:
    """It has no MAC that fits: the error says why, and how to go on.  A mark alone says nothing."""
    marked = re.sub("(?m)^( +)mac: ", rf"\1{mark}: x\n\g<0>", encrypt(age_key))
    assert mark in opened(age_key, marked).metadata.unknown
    changed = marked.replace("b_unencrypted: 2", "b_unencrypted: 3")
    with pytest.raises(UnmergedError) as caught:
        opened(age_key, changed)
    assert "encconf edit" in str(caught.value.hint)
    assert opened(age_key, changed, ignore_mac=True)


OLDER = (
    '{"a": 9007199254740993, "b_unencrypted": -0, "c_unencrypted": 9007199254740993, "d_unencrypted": 1}\n'
)


def by_an_older_sops(key: AgeKey, **plain: bytes) -> str:
    """The file with a MAC over these bytes in the place of the numbers that are not encrypted."""
    text = encrypt(key, OLDER, "json")
    found = opened(key, text, "json")
    mac = found.metadata.mac
    values = [
        Value(value.type, plain.get(str(leaf.step)[0], value.data))
        for leaf, value in zip(found.document.leaves, found.values, strict=True)
    ]
    hashed = digest(values, found.chosen.leaves, False).encode()
    date = found.metadata.lastmodified.encode()
    assert mac is not None
    return text.replace(mac, cipher.Encryptor(found.data_key)("str", hashed, date))


def test_plain_numbers_that_an_older_sops_took_for_floats(age_key: AgeKey) -> None:
    """sops before 3.13.3 did so, and its MAC covers what they were to it."""
    text = by_an_older_sops(age_key, b=b"-0", c=b"9007199254740992")
    found = opened(age_key, text, "json")
    assert [(value.type, value.data) for value in found.values] == [
        ("int", b"9007199254740993"),
        ("float", b"-0"),
        ("float", b"9007199254740992"),
        ("int", b"1"),
    ]
    assert api.decrypt(text, format="json", credentials=credentials(age_key)) == OLDER


def test_other_numbers_than_an_older_sops_took_for_floats(age_key: AgeKey) -> None:
    with pytest.raises(MacMismatchError):
        opened(age_key, by_an_older_sops(age_key, b=b"-0", c=b"9007199254740990"), "json")


# --- what is asked for ---------------------------------------------------------------------------


def test_a_text_that_is_not_encrypted(age_key: AgeKey) -> None:
    with pytest.raises(NotEncryptedError):
        opened(age_key, PLAIN)


def test_a_value_that_somebody_wrote_in_plaintext(age_key: AgeKey) -> None:
    text = re.sub("(?m)^a: .*$", "a: 5", encrypt(age_key))
    with pytest.raises(PlainValueError, match="the value at a is plaintext"):
        opened(age_key, text, ignore_mac=True)
    with pytest.raises(PlainValueError, match="the value at a is plaintext"):
        open_encrypted(text, "yaml", credentials(age_key), comments=False, ignore_mac=True)
    found = opened(age_key, text, ignore_mac=True, accept_plain=True)
    assert found.values[0].data == b"5"


def test_comments_are_decrypted_where_they_are_wanted(age_key: AgeKey) -> None:
    text = encrypt(age_key, "# note\na: 1\n")
    with_them = opened(age_key, text)
    assert [edit[2] for edit in with_them.comment_edits] == [" note"]
    without = open_encrypted(text, "yaml", credentials(age_key), comments=False)
    assert not without.comment_edits
    assert without.document.comments == []


def test_comments_that_decide_what_is_encrypted_are_always_read(age_key: AgeKey) -> None:
    text = encrypt(age_key, "# enc\na: 1\nb: 2\n", selection=Selection("encrypted_comment_regex", "enc"))
    found = open_encrypted(text, "yaml", credentials(age_key), comments=False)
    assert [value.data for value in found.values] == [b"1", b"2"]
    assert found.chosen.leaves == bytearray([1, 0])


def test_a_comment_that_cannot_be_decrypted_is_reported(age_key: AgeKey) -> None:
    one, other = (encrypt(age_key, "# note\na: 1\n") for _ in range(2))
    mixed = other.partition("\n")[0] + "\n" + one.partition("\n")[2]
    said: list[str] = []
    found = open_text(mixed, format="yaml", credentials=credentials(age_key), notify=said.append)
    assert said == ["could not decrypt 1 encrypted comment: left unchanged"]
    assert found.comment_edits == []


@pytest.mark.parametrize("kind", ["unencrypted_suffix", "encrypted_comment_regex"])
def test_a_text_that_was_read_already_is_not_read_again(
    age_key: AgeKey, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = encrypt(age_key, "# note\na: 1\n", selection=Selection(kind, "note"))
    document = YAML.scan(text, comments=True)
    monkeypatch.setattr(opening.formats, "scan_encrypted", None)
    found = open_text(document, format="yaml", credentials=credentials(age_key))
    assert found.document is document
    assert [value.data for value in found.values] == [b"1"]


def test_a_cache_takes_the_place_of_the_keys(age_key: AgeKey) -> None:
    text, cache = encrypt(age_key), DataKeyCache()
    first = open_encrypted(text, "yaml", credentials(age_key), comments=False, cache=cache)
    again = open_encrypted(text, "yaml", credentials(), comments=False, cache=cache)
    assert again.data_key == first.data_key
    with pytest.raises(KeyAccessError):
        open_encrypted(text, "yaml", credentials(), comments=False)


def test_the_keys_of_this_machine_are_asked_where_none_are_given(
    age_key: AgeKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = encrypt(age_key)
    with pytest.raises(KeyAccessError):
        open_text(text, format="yaml")
    monkeypatch.setenv("SOPS_AGE_KEY", age_key.identity)
    assert open_text(text, format="yaml").values[0].data == b"1"


def test_who_gets_the_data_key_is_in_the_audit_log(age_key: AgeKey, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a value is decrypted, and even if the file turns out to be changed; not without a key."""
    seen: list[tuple[str, str]] = []
    monkeypatch.setattr(identities, "auditing", lambda action, text: seen.append((action, text)))
    text = encrypt(age_key)
    seen.clear()
    opened(age_key, text)
    assert seen == [("decrypt", text)]
    changed = text.replace("b_unencrypted: 2", "b_unencrypted: 3")
    with pytest.raises(MacMismatchError):
        opened(age_key, changed)
    assert seen.pop() == ("decrypt", changed)
    with pytest.raises(EncconfError):
        open_text(text, format="yaml", credentials=credentials())
    assert seen == [("decrypt", text)]


# --- spellings of other programs -----------------------------------------------------------------


def remade(key: AgeKey, text: str, **encs: tuple[str, bytes]) -> str:
    """A text with other ciphertexts, and the MAC of a program that spells values as sops does."""
    found = opened(key, text)
    encryptor = cipher.Encryptor(found.data_key)
    values = list(found.values)
    for at, (leaf, value) in enumerate(zip(found.document.leaves, found.values, strict=True)):
        if (wanted := encs.get(str(leaf.step))) is not None:
            type, spelled = wanted
            values[at] = Value(type, {b"1e3": b"1000", b"true": b"True"}.get(spelled, spelled))
            assert value.sealed is not None
            text = text.replace(value.sealed, encryptor(type, spelled, leaf.aad))
    only = found.metadata.selection.mac_only_encrypted
    hashed = digest(values, found.chosen.leaves, only).encode()
    assert found.metadata.mac is not None
    date = found.metadata.lastmodified.encode()
    return text.replace(found.metadata.mac, encryptor("str", hashed, date))


def test_numbers_and_booleans_that_rops_spells_as_they_were(age_key: AgeKey) -> None:
    text = remade(age_key, encrypt(age_key, "a: 1\nb: 2\nc: x\n"), a=("float", b"1e3"), b=("bool", b"true"))
    found = opened(age_key, text)
    assert [(value.type, value.data) for value in found.values] == [
        ("float", b"1000"),
        ("bool", b"True"),
        ("str", b"x"),
    ]
    assert all(value.sealed for value in found.values)
    text = remade(age_key, encrypt(age_key, "a: 1\nb: 2\n"), a=("float", b"1e3"))
    other = cipher.Encryptor(opened(age_key, text).data_key)("float", b"1e4", b"a:")
    with pytest.raises(MacMismatchError):
        opened(age_key, re.sub(r"(?<=^a: )ENC\[[^]]*\]", other, text))


def test_only_our_own_mac_has_the_strict_check(age_key: AgeKey) -> None:
    text = encrypt(age_key)
    assert opened(age_key, text).check_mac()
    assert not opened(age_key, remade(age_key, text)).check_mac()


def test_the_type_of_an_encrypted_value_counts_where_only_those_are_covered(age_key: AgeKey) -> None:
    """With and without a plaintext value before it."""
    only = Selection("unencrypted_suffix", "_unencrypted", True)
    for before in ("", "p_unencrypted: x\n"):
        text = encrypt(age_key, f"{before}a: 1e3\n", selection=only)
        assert "type:float]" in text
        with pytest.raises(MacMismatchError, match="a key, a type or the structure was changed"):
            opened(age_key, text.replace("type:float]", "type:int]"))


# --- for programs --------------------------------------------------------------------------------


def values_of(key: AgeKey, text: str, format: str | None = None, name: str = "") -> object:
    found = loading.open_values(text, format, credentials(key), None, name)
    return [
        (leaf.path, value.type, value.data)
        for leaf, value in zip(found.document.leaves, found.values, strict=True)
    ]


def test_values_of_a_text_whose_content_decides_the_format(age_key: AgeKey) -> None:
    json = encrypt(age_key, '{"a": "x"}\n', "json")
    assert values_of(age_key, json) == values_of(age_key, json, "json") == values_of(age_key, json, "yaml")


def test_a_text_that_sops_stored_as_a_binary_file(age_key: AgeKey) -> None:
    stored = encrypt(age_key, 'a = "x"\n', "binary")
    wanted = values_of(age_key, encrypt(age_key, "a: x\n"))
    assert values_of(age_key, stored, name="app.toml") == wanted
    found = loading.open_values(stored, None, credentials(age_key), None, "app.toml")
    assert found.metadata.selection == DEFAULT
    assert [value.sealed for value in found.values] == [""]
    for format, name in ((None, "app"), ("binary", "app.toml"), ("binary", "")):
        with pytest.raises(UsageError, match="a binary file has bytes, not values"):
            values_of(age_key, stored, format, name)
    twice = encrypt(age_key, encrypt(age_key, 'a = "x"\n', "toml"), "binary")
    with pytest.raises(InputError, match="it was encrypted twice"):
        values_of(age_key, twice, name="app.toml")


@pytest.mark.parametrize(
    ("text", "proposal"),
    [
        ("{}\n", False),
        ("proposal_for: x\nvalue: y\n", True),
        ("value: y\nproposal_for: x\n", False),
        ("a:\n  proposal_for: x\n", False),
        ("a: x\n", False),
    ],
)
def test_a_proposal_gives_no_values(age_key: AgeKey, text: str, proposal: bool) -> None:
    assert opening.is_proposal(YAML.scan(text)) is proposal
    found = opened(age_key, encrypt(age_key, text.replace("{}\n", "") + "b: 1\n"))
    if proposal:
        with pytest.raises(ProposalError):
            opening.refuse_unloadable(found)
        opening.refuse_ciphertexts(found)
    else:
        opening.refuse_unloadable(found)


def test_a_value_that_is_still_a_ciphertext_is_no_value(age_key: AgeKey) -> None:
    found = opened(age_key, encrypt(age_key, "a: x\nb_unencrypted: y\n"))
    inner = (found.values[0].sealed or "").encode()
    twice = found.replace(values=[cipher.Unsealed("str", inner, inner), found.values[1]])
    left_out = found.replace(values=[found.values[0], Value("str", inner)])
    for damaged, what in (
        (twice, "the value at a was encrypted twice"),
        (left_out, "the value at b_unencrypted is encrypted, but the file's selection leaves it out"),
    ):
        for refuse in (opening.refuse_unloadable, opening.refuse_ciphertexts):
            with pytest.raises(DecryptError, match=what):
                refuse(damaged)
    fine = found.replace(values=[found.values[0], Value("str", b"ENC[AES256_GCM,oops]")])
    for each in (found, fine):
        opening.refuse_unloadable(each)
        opening.refuse_ciphertexts(each)


def test_a_null_of_another_program_is_a_text_where_the_format_has_none(age_key: AgeKey) -> None:
    values = [Value("null", None), Value("str", b"x")]
    toml = opened(age_key, encrypt(age_key, 'a = "null"\nb = "x"\n', "toml"), "toml").replace(values=values)
    found = opening.without_nulls(toml).values
    assert [(value.type, value.data) for value in found] == [("str", b"null"), ("str", b"x")]
    yaml = opened(age_key, encrypt(age_key, "a: null\nb: x\n")).replace(values=values)
    assert opening.without_nulls(yaml).values is values


def test_a_null_of_rops_is_opened_as_a_text(age_key: AgeKey) -> None:
    """It leaves a "null" as plaintext, and out of the MAC."""
    text = encrypt(age_key, 'a = "null"\nb = "x"\n', "toml")
    found = opened(age_key, text, "toml")
    encryptor = cipher.Encryptor(found.data_key)
    hashed = digest([Value("null", None), found.values[1]], found.chosen.leaves, False).encode()
    date = found.metadata.lastmodified.encode()
    text = text.replace(found.values[0].sealed or "", "null")
    text = text.replace(found.metadata.mac or "", encryptor("str", hashed, date))
    values = opened(age_key, text, "toml").values
    assert [(value.type, value.data) for value in values] == [("str", b"null"), ("str", b"x")]


def test_a_proposal_is_not_changed(age_key: AgeKey) -> None:
    with pytest.raises(ProposalError, match="the file is a proposal, which cannot be changed"):
        opening.refuse_to_change(YAML.scan("proposal_for: x\nvalue: y\n"))
    opening.refuse_to_change(YAML.scan("a: x\n"))


# --- comments, which no MAC covers ----------------------------------------------------------------


@pytest.mark.parametrize(("format", "plain"), [("dotenv", "#c\nA=1\n"), ("ini", "[s]\n#c\nA = 1\n")])
def test_a_plaintext_comment_that_other_readers_end_early(age_key: AgeKey, format: str, plain: str) -> None:
    enc = encrypt(age_key, plain.replace("#c", "#c\r"), format)
    assert "A" in opened(age_key, enc, format).document.text
    changed = re.sub("(?m)^([#;] ?)ENC.*$", "\\1x\rB=2", enc)
    assert changed != enc
    with pytest.raises(DecryptError, match="carriage return"):
        opened(age_key, changed, format)


@pytest.mark.parametrize("line", ["$(program)=x\n", "export A=x\n", "export A=\n"])
def test_plaintext_that_no_mac_covers_hides_nothing_and_is_no_command(age_key: AgeKey, line: str) -> None:
    only = Selection("encrypted_regex", "^A$", mac_only_encrypted=True)
    enc = encrypt(age_key, "A=1\nB=2\n", "dotenv", selection=only)
    at = enc.index("sops_")
    assert opened(age_key, f"{enc[:at]}C=x\n{enc[at:]}", "dotenv")
    with pytest.raises(MacMismatchError):
        opened(age_key, enc[:at] + line + enc[at:], "dotenv")
