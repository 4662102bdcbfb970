"""Plaintext to encrypted text: by a rule or with the keys of a file, in its own or another format."""

from __future__ import annotations

import json
from typing import Any

import pytest
from engine import credentials, opened_for, rule
from oracle import AgeKey

from encconf import api
from encconf.engine import sealing
from encconf.engine.opening import open_text
from encconf.engine.sealing import encrypt_again, plain_as, refuse_encrypted
from encconf.errors import AlreadyEncryptedError, EmitError, EmptyDocumentError, EncconfError, KeyAccessError
from encconf.rules.selection import Selection

TEXT = "# the database\nhost: localhost\npassword: 'hunter2'\nports: [1, 2]\n"


def encrypted(key: AgeKey, text: str, format: str = "yaml", target: str | None = None, **how: Any) -> str:
    plain = plain_as(text, format, target or format, **how)
    return sealing.encrypt(plain, rule(key), format=target or format, credentials=credentials(key))


class TestByARule:
    def test_in_its_own_format(self, age_key: AgeKey) -> None:
        enc = encrypted(age_key, TEXT)
        assert api.decrypt(enc, credentials=credentials(age_key)) == TEXT

    def test_in_another_format(self, age_key: AgeKey) -> None:
        enc = encrypted(age_key, TEXT, target="json")
        assert set(json.loads(enc)) == {"host", "password", "ports", "sops"}
        loaded = api.loads(enc, format="json", credentials=credentials(age_key))
        assert loaded == {"host": "localhost", "password": "hunter2", "ports": [1, 2]}

    def test_what_another_format_cannot_hold(self, age_key: AgeKey) -> None:
        with pytest.raises(EmitError):
            encrypted(age_key, TEXT, target="dotenv")

    def test_rewritten_with_an_indentation(self, age_key: AgeKey) -> None:
        text = '{"a": {"b": "x"}}'
        assert encrypted(age_key, text, "json").startswith('{"a": {"b": "ENC['), "as it is"
        rewritten = encrypted(age_key, text, "json", rewrite=True, indent=3)
        assert rewritten.startswith('{\n   "a": {\n      "b": "ENC[')

    @pytest.mark.parametrize("text", ["", "\n", "# only a comment\n"])
    def test_a_text_without_a_document(self, age_key: AgeKey, text: str) -> None:
        with pytest.raises(EmptyDocumentError):
            encrypted(age_key, text)


class TestEncryptedAlready:
    @pytest.mark.parametrize(("format", "name"), [("binary", "x.txt"), ("dotenv", "x.env")])
    def test_read_as_another_format(self, age_key: AgeKey, format: str, name: str) -> None:
        """The content counts: a SOPS file with a wrong name is not encrypted a second time by mistake."""
        enc = encrypted(age_key, '{"a": "x"}', "json")
        with pytest.raises(AlreadyEncryptedError, match="already a SOPS file, in json format") as caught:
            refuse_encrypted(enc, name, format)
        assert "--input-type binary" in (caught.value.hint or "")

    def test_read_as_its_own_format(self, age_key: AgeKey) -> None:
        enc = encrypted(age_key, TEXT)
        refuse_encrypted(enc, "x", "yaml")  # which is refused when it is encrypted
        with pytest.raises(AlreadyEncryptedError):
            encrypted(age_key, enc)

    def test_plaintext(self) -> None:
        refuse_encrypted(TEXT, "x.enc.yaml", "yaml")


class TestAgain:
    def test_nothing_changed(self, age_key: AgeKey) -> None:
        before = opened_for(age_key, text=TEXT)
        assert encrypt_again(before, TEXT, credentials=credentials(age_key)) == before.document.text

    def test_the_recipients_and_the_selection_stay(self, age_key: AgeKey) -> None:
        other = AgeKey.generate()
        by = rule(age_key, other, selection=Selection("encrypted_regex", "^password$"))
        enc = api.encrypt(TEXT, by, credentials=credentials(age_key))
        before = open_text(enc, format="yaml", credentials=credentials(other))
        after = encrypt_again(before, TEXT + "new: 1\n", credentials=credentials(other))
        assert "\nnew: 1\n" in after
        for key in (age_key, other):
            assert api.decrypt(after, credentials=credentials(key)) == TEXT + "new: 1\n"

    def test_with_a_new_data_key_nothing_stays(self, age_key: AgeKey) -> None:
        before = opened_for(age_key, text=TEXT)
        after = encrypt_again(before, TEXT, new_data_key=True, credentials=credentials(age_key))
        same = {*before.document.text.splitlines()} & {*after.splitlines()}
        assert not any("ENC[" in line for line in same)
        assert api.decrypt(after, credentials=credentials(age_key)) == TEXT

    def test_another_format_means_a_new_data_key(self, age_key: AgeKey) -> None:
        before = opened_for(age_key, text="a: hunter2\n")
        after = encrypt_again(before, "a: hunter2\n", target="json", credentials=credentials(age_key))
        sealed = json.loads(after)["a"]
        assert sealed.startswith("ENC[")
        assert sealed not in before.document.text
        assert api.loads(after, format="json", credentials=credentials(age_key)) == {"a": "hunter2"}

    def test_by_another_rule(self, age_key: AgeKey) -> None:
        other = AgeKey.generate()
        after = encrypt_again(
            opened_for(age_key, other, text=TEXT), TEXT, rule(age_key), credentials=credentials(age_key)
        )
        with pytest.raises(KeyAccessError):
            api.decrypt(after, credentials=credentials(other))


class TestPlainAs:
    @pytest.mark.parametrize(
        ("text", "format", "target", "after"),
        [
            ("a:   1 # x\n", "yaml", "yaml", "a:   1 # x\n"),
            ('{"a":1}', "json", "yaml", "a: 1\n"),
            ("A=b\n", "dotenv", "yaml", "A: b\n"),
            ("# c\na: 1\n", "yaml", "dotenv", "# c\na=1\n"),
        ],
    )
    def test_formats(self, text: str, format: str, target: str, after: str) -> None:
        assert plain_as(text, format, target) == after

    def test_rewritten(self) -> None:
        assert plain_as('{"a":[1]}', "json", "json", rewrite=True, indent=1) == '{\n "a": [\n  1\n ]\n}\n'
        assert plain_as("A=b\n\n", "dotenv", "dotenv", rewrite=True) == "A=b\n\n", "there is no indentation"

    @pytest.mark.parametrize("text", ["a: 1\nsops: 1\n", "a: ENC[x]\nsops:\n    mac: x\n"])
    def test_an_entry_of_that_name(self, text: str) -> None:
        with pytest.raises(AlreadyEncryptedError, match='top-level entry named "sops"'):
            plain_as(text, "yaml", "json")

    def test_what_cannot_be_read(self) -> None:
        with pytest.raises(EncconfError):
            plain_as("a: [", "yaml", "json")
