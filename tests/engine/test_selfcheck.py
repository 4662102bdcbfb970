"""A finished text is opened as a reader would before it is returned, comments included, in every format."""

from __future__ import annotations

import re
from typing import Any

import engine
import pytest
from engine import credentials, rule
from generate import dotenv_text, ini_text, toml_text, yaml_text
from oracle import AgeKey

from encconf import api, formats
from encconf.engine import changes, opening, plaintext, sealing
from encconf.engine.metadata import Metadata
from encconf.errors import (
    DecryptError,
    EmitError,
    EmptyDocumentError,
    LimitError,
    MacMismatchError,
    ParseError,
)
from encconf.io import fileio
from encconf.rules.selection import Selection
from encconf.text.document import Document

TEXTS = {
    "yaml": "# note\na: 1\nb: two # inline\n",
    "toml": "# note\na = 1\nb = 'two' # inline\n",
    "dotenv": "# note\nA=1\nB=two\n",
    "ini": "; note\n[s]\na = 1 ; inline\nb = two\n",
    "json": '{"a": 1.0, "b": "two"}\n',
    "binary": "any text\n",
}
COMMENTED = ["yaml", "toml", "dotenv", "ini"]
CHANGED = {"yaml": ("b",), "toml": ("b",), "dotenv": ("B",), "ini": ("s", "b"), "json": ("b",)}


@pytest.mark.parametrize("format", COMMENTED)
def test_a_comment_that_does_not_come_back_is_noticed(
    format: str, age_key: AgeKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever wrote the text: encrypting, setting, updating, or taking a new data key."""
    creds = credentials(age_key)
    text = TEXTS[format]
    good = api.encrypt(text, rule(age_key), format=format, credentials=creds)
    opened = opening.open_text(good, format=format, credentials=creds)
    monkeypatch.setattr(formats.get(format), "comment_text", lambda plain: None)
    with pytest.raises(EmitError, match="exactly the same"):
        api.encrypt(text, rule(age_key), format=format, credentials=creds)
    with pytest.raises(EmitError, match="exactly the same"):
        sealing.encrypt(text, rule(age_key), format=format, twin=opened, new_data_key=True, credentials=creds)
    longer = text.replace("two", "three")
    with pytest.raises(EmitError, match="exactly the same"):
        sealing.encrypt(longer, None, format=format, twin=opened, credentials=creds)


@pytest.mark.parametrize("format", TEXTS)
def test_a_value_that_does_not_come_back_is_noticed(
    format: str, age_key: AgeKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain_text = plaintext.plain_text
    monkeypatch.setattr(sealing, "plain_text", lambda opened: plain_text(opened) + " ")
    with pytest.raises(EmitError, match="exactly the same"):
        api.encrypt(TEXTS[format], rule(age_key), format=format, credentials=credentials(age_key))


@pytest.mark.parametrize("format", CHANGED)
def test_changes_are_read_again(format: str, age_key: AgeKey, monkeypatch: pytest.MonkeyPatch) -> None:
    creds = credentials(age_key)
    text = TEXTS[format]
    good = api.encrypt(text, rule(age_key), format=format, credentials=creds)
    read: list[str] = []
    comes_back = sealing.comes_back

    def counted(document: Document, *args: Any) -> bool:
        read.append(document.text)
        return comes_back(document, *args)

    monkeypatch.setattr(sealing, "comes_back", counted)
    assert engine.change(good, format, (CHANGED[format], "x"), credentials=creds) == read[-1]
    now = engine.change(good, format, (CHANGED[format], changes.REMOVED), credentials=creds)
    assert now == read[-1]
    now = engine.update(good, format, text.replace("two", "2"), credentials=creds)
    assert now == read[-1]


@pytest.mark.parametrize("format", COMMENTED)
def test_signs_of_every_kind_in_comments(format: str, age_key: AgeKey) -> None:
    """Each character either exactly the same or is refused by name; it is never lost."""
    creds = credentials(age_key)
    codes = [code for code in range(1, 0x100) if not chr(code).isalnum() or chr(code) in "a1ä"]
    for code in [*codes, 0x1680, *range(0x2000, 0x2030), 0x205F, 0x3000, 0xFEFF, 0xFFFD, 0x1F600]:
        sign = chr(code)
        for comment in (f"# a{sign}b", f"#{sign}", f"# c{sign}"):
            text = f"{comment}\n{TEXTS[format]}"
            try:
                ours = api.encrypt(text, rule(age_key), format=format, credentials=creds)
            except (ParseError, EmptyDocumentError):
                continue
            assert api.decrypt(ours, format=format, credentials=creds) == text


@pytest.mark.parametrize("seed", range(20))
def test_generated_texts_and_their_comments(seed: int, age_key: AgeKey) -> None:
    """No comment of ours is reported as lost, and all text returns."""
    creds = credentials(age_key)
    texts = {
        "yaml": yaml_text(seed), "toml": toml_text(seed), "dotenv": dotenv_text(seed), "ini": ini_text(seed),
    }  # fmt: skip
    for format, text in texts.items():
        try:
            ours = api.encrypt(text, rule(age_key), format=format, credentials=creds)
        except (ParseError, EmptyDocumentError):
            continue
        notices: list[str] = []
        assert api.decrypt(ours, format=format, credentials=creds, notify=notices.append) == text
        assert not notices


@pytest.mark.parametrize("format", TEXTS)
def test_no_file_is_written_that_is_too_large_to_read(
    format: str, age_key: AgeKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    creds = credentials(age_key)
    ours = api.encrypt(TEXTS[format], rule(age_key), format=format, credentials=creds)
    size = len(ours.encode())  # about: age adds a stanza of random length to some headers
    monkeypatch.setattr(fileio, "LIMIT", 2 * size)
    assert api.encrypt(TEXTS[format], rule(age_key), format=format, credentials=creds)
    monkeypatch.setattr(fileio, "LIMIT", size // 3)
    with pytest.raises(LimitError, match="larger than"):
        api.encrypt(TEXTS[format], rule(age_key), format=format, credentials=creds)


PLAIN = "a: one\nb_unencrypted: 2\n"


def refused(key: AgeKey, change: str, by: str, *, chosen: bytes = b"\1\0") -> str:
    """What `check_finished` says of an encrypted text that was changed, "" if nothing."""
    yaml = formats.get("yaml")
    sealed = api.encrypt(PLAIN, rule(key), credentials=credentials(key))
    meant = yaml.scan(sealed)
    encs = [str(leaf.data, "ascii") if leaf.type == "str" else None for leaf in meant.leaves if leaf.data]
    changed = re.sub(change, by, sealed, count=1)
    assert changed != sealed or change == "$"
    plain, final = yaml.scan(PLAIN), yaml.scan(changed)
    try:
        sealing.check_finished(
            plain, bytearray(b"\1\0"), final, bytearray(chosen), encs, plain.leaves, Metadata.of(meant)
        )
    except EmitError as error:
        return error.message
    return ""


@pytest.mark.parametrize(
    ("change", "by"),
    [("$", ""), (r"a: (ENC.*)", r"a: '\1'"), (": 2\n", ": 2 # two\n"), (r"version: .*", "version: 1")],
)
def test_what_says_the_same_is_written(change: str, by: str, age_key: AgeKey) -> None:
    assert not refused(age_key, change, by)


@pytest.mark.parametrize(
    ("change", "by"),
    [
        pytest.param(r"(?s)sops:\n.*", "", id="no block"),
        pytest.param(r"(?s)sops:\n.*", r"\g<0>---\nc: 3\n", id="no block in a second document"),
        pytest.param(" mac: ENC", " mac: CNE", id="another MAC"),
        pytest.param(" +mac: .*\n", "", id="no MAC"),
        pytest.param("\n( +)[A-Za-z0-9+/](.*\n +-----END)", r"\n\1*\2", id="another wrapped data key"),
        pytest.param("unencrypted_suffix: .*", "unencrypted_suffix: _un", id="another selection"),
        pytest.param("b_un", "c_un", id="another key"),
        pytest.param("b_un.*\n", "", id="a value less"),
        pytest.param("b_un", "c: \nb_un", id="a value more"),
    ],
)
def test_what_would_be_another_file_is_not_written(change: str, by: str, age_key: AgeKey) -> None:
    """A file without a data key could not be opened, and one without a MAC could not be trusted."""
    assert "changing its structure" in refused(age_key, change, by)


@pytest.mark.parametrize("chosen", [b"\0\0", b"\1\1"])
def test_what_readers_would_choose_differently_is_not_written(chosen: bytes, age_key: AgeKey) -> None:
    assert "changing its structure" in refused(age_key, "$", "", chosen=chosen)


@pytest.mark.parametrize(
    ("change", "by", "at"),
    [
        ("a: ENC", "a: CNE", "a"),
        ("a: ENC.*", "a: one", "a"),
        (": 2\n", ": 3\n", "b_unencrypted"),
        (": 2\n", ': "2"\n', "b_unencrypted"),
    ],
)
def test_a_value_that_would_be_another_is_not_written(change: str, by: str, at: str, age_key: AgeKey) -> None:
    assert refused(age_key, change, by) == f"the value at {at} cannot be encrypted in its place"


def test_every_document_of_a_stream_has_the_block(age_key: AgeKey) -> None:
    """sops reads the block of one of them, and which one is its choice."""
    yaml = formats.get("yaml")
    stream = "a: one\n---\nb: two\n"
    sealed = api.encrypt(stream, rule(age_key), credentials=credentials(age_key))
    assert sealed.count("sops:") == 2
    meant, plain = yaml.scan(sealed), yaml.scan(stream)
    encs: list[str | None] = [str(leaf.data, "ascii") for leaf in meant.leaves if leaf.data]
    chosen = bytearray(b"\1\1")
    sealing.check_finished(plain, chosen, meant, chosen, encs, plain.leaves, Metadata.of(meant))
    less = yaml.scan(sealed[: sealed.rindex("sops:")])
    with pytest.raises(EmitError, match="changing its structure"):
        sealing.check_finished(plain, chosen, less, chosen, encs, plain.leaves, Metadata.of(meant))


@pytest.mark.parametrize("step", [None, "b_unencrypted"])
def test_a_ciphertext_at_another_path_is_decrypted_as_a_reader_does(
    step: str | None, age_key: AgeKey
) -> None:
    """This run encrypted it for its own path only, so a scan that finds another path is an error."""
    yaml = formats.get("yaml")
    sealed = api.encrypt(PLAIN, rule(age_key), credentials=credentials(age_key))
    data_key = opening.open_text(sealed, format="yaml", credentials=credentials(age_key)).data_key
    final = yaml.scan(sealed)
    encs = [str(leaf.data, "ascii") if leaf.type == "str" else None for leaf in final.leaves]
    chosen = bytearray(b"\1\0")
    if step is not None:
        final.leaves[0].scope.aad = f"{step}:"
    plain = yaml.scan(PLAIN)
    known = sealing.check_finished(plain, chosen, final, chosen, encs, plain.leaves, Metadata.of(final))
    if step is None:
        assert sealing.comes_back(final, PLAIN, data_key, known=known)
    else:
        with pytest.raises(DecryptError, match="it was changed or moved"):
            sealing.comes_back(final, PLAIN, data_key, known=known)


def test_a_text_whose_mac_does_not_fit_is_not_written(age_key: AgeKey) -> None:
    """The values are the right ones, but every reader would refuse the file."""
    sealed = api.encrypt(PLAIN, rule(age_key), credentials=credentials(age_key))
    data_key = opening.open_text(sealed, format="yaml", credentials=credentials(age_key)).data_key
    yaml = formats.get("yaml")
    assert sealing.comes_back(yaml.scan(sealed), PLAIN, data_key)
    with pytest.raises(MacMismatchError):
        sealing.comes_back(yaml.scan(sealed + "    mac_only_encrypted: true\n"), PLAIN, data_key)


def test_a_text_may_be_just_as_large_as_encconf_reads(
    age_key: AgeKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    face = "\U0001f600" * 200  # four bytes for each character
    plain = "".join(f"{face}{number}_unencrypted: x\n" for number in range(30))
    sealed = api.encrypt(plain, rule(age_key), credentials=credentials(age_key))
    data_key = opening.open_text(sealed, format="yaml", credentials=credentials(age_key)).data_key
    yaml = formats.get("yaml")
    monkeypatch.setattr(fileio, "LIMIT", len(sealed.encode()))
    assert sealing.comes_back(yaml.scan(sealed), plain, data_key)
    monkeypatch.setattr(fileio, "LIMIT", len(sealed.encode()) - 1)
    with pytest.raises(LimitError, match="larger than"):
        sealing.comes_back(yaml.scan(sealed), plain, data_key)


@pytest.mark.parametrize(
    ("format", "text"),
    [
        ("dotenv", "A_PASS=x\n$(id)=y\n"),
        ("dotenv", "A_PASS=x\nA_PASS=\n"),
        ("dotenv", "B=y\nA_PASS=x\nexport 2FA=1\n"),  # a name that docker takes
        ("yaml", "A_PASS: x\n---\nb: ''\n"),
        ("yaml", "A_PASS: x\n---\nb: y\n"),
        ("ini", "[s]\nA_PASS = x\n[t]\n$(id) = y\n"),
    ],
)
def test_whatever_is_encrypted_opens_again(age_key: AgeKey, format: str, text: str) -> None:
    """With mac_only_encrypted, what no MAC covers is refused when it is encrypted, not when it is opened."""
    for mac_only in (False, True):
        wanted = rule(age_key, selection=Selection("encrypted_regex", "PASS", mac_only))
        who = credentials(age_key)
        try:
            enc = api.encrypt(text, wanted, format=format, credentials=who)
        except EmitError as error:
            refused = "leave mac_only_encrypted out of the rule" in (error.hint or "")
        else:
            assert api.decrypt(enc, format=format, credentials=who) == text
            refused = False
        assert refused is (mac_only and ("$(id)=" in text or "''" in text or text.endswith("A_PASS=\n")))
