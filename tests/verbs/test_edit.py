"""What an editor shows of a file, and what becomes of what it saved."""

from __future__ import annotations

import pytest
from engine import changed_lines, credentials, opened_for, rule
from oracle import AgeKey

from encconf import api
from encconf.engine.opening import Opened
from encconf.errors import (
    AlreadyEncryptedError,
    EncconfError,
    KeyAccessError,
    ParseError,
    PlaintextError,
)
from encconf.rules.selection import Selection
from encconf.text.document import Document
from encconf.verbs.edit import Draft

TEXT = "# the database\nhost: localhost  # a comment\npassword: 'hunter2'\nfree_unencrypted: 1\n"


def ignore(_: str) -> None:
    """Notes do not matter here."""


class TestAFileThatExists:
    def test_it_is_shown_to_the_byte(self, age_key: AgeKey) -> None:
        draft = Draft.of(opened_for(age_key, text=TEXT))
        assert (draft.text, draft.format) == (TEXT, "yaml")

    def test_only_what_changed_is_encrypted_again(self, age_key: AgeKey) -> None:
        before = opened_for(age_key, text=TEXT)
        draft = Draft.of(before)
        after = draft.encrypted(TEXT.replace("hunter2", "hunter3"), credentials(age_key), ignore)
        removed, _ = changed_lines(before.document.text, after)
        assert {line.split(":")[0].strip() for line in removed} <= {"password", "mac", "lastmodified"}
        assert draft.encrypted(TEXT, credentials(age_key), ignore) == before.document.text

    def test_another_rule_means_a_new_data_key(self, age_key: AgeKey) -> None:
        other = AgeKey.generate()
        before = opened_for(age_key, text=TEXT)
        draft = Draft.of(before)
        draft.rule = rule(other)
        after = draft.encrypted(TEXT, credentials(age_key), ignore)
        assert api.decrypt(after, credentials=credentials(other)) == TEXT
        with pytest.raises(KeyAccessError):
            api.decrypt(after, credentials=credentials(age_key))
        same = {line for line in after.splitlines() if "ENC[" in line} & {*before.document.text.splitlines()}
        assert same == set()

    def test_in_another_format(self, age_key: AgeKey) -> None:
        draft = Draft.of(opened_for(age_key, text="a: 1\n"))
        draft.target = "json"
        after = draft.encrypted("a: 2\n", credentials(age_key), ignore)
        assert api.loads(after, format="json", credentials=credentials(age_key)) == {"a": 2}

    def test_the_check_sees_both_texts_and_may_refuse(self, age_key: AgeKey) -> None:
        seen: list[tuple[str, str]] = []

        def check(_: Opened, before: str, after: Document) -> None:
            seen.append((before, after.text))
            raise PlaintextError("no")

        draft = Draft.of(opened_for(age_key, text=TEXT))
        draft.check = check
        with pytest.raises(PlaintextError):
            draft.encrypted("a: 1\n", credentials(age_key), ignore)
        assert seen == [(TEXT, "a: 1\n")]

    @pytest.mark.parametrize(
        ("edited", "error"),
        [("a: [\n", ParseError), ("sops: 1\n", AlreadyEncryptedError), ("", EncconfError)],
    )
    def test_what_cannot_be_saved(self, age_key: AgeKey, edited: str, error: type[EncconfError]) -> None:
        draft = Draft.of(opened_for(age_key, text=TEXT))
        with pytest.raises(error):
            draft.encrypted(edited, credentials(age_key), ignore)


@pytest.mark.parametrize(("format", "text"), [("yaml", "a: x\n"), ("json", '{"a": "x"}\n')])
class TestTheBlock:
    def test_a_recipient_who_is_written_there_can_open_it(
        self, age_key: AgeKey, format: str, text: str
    ) -> None:
        other = AgeKey.generate()
        draft = Draft.of(opened_for(age_key, text=text, format=format))
        draft.show_block()
        assert draft.text.count(age_key.recipient) == 1
        edited = draft.text.replace(age_key.recipient, other.recipient)
        after = draft.encrypted(edited, credentials(age_key), ignore)
        assert api.decrypt(after, format=format, credentials=credentials(other)) == text
        with pytest.raises(KeyAccessError):
            api.decrypt(after, format=format, credentials=credentials(age_key))

    def test_a_block_that_stays_changes_no_ciphertext(self, age_key: AgeKey, format: str, text: str) -> None:
        before = opened_for(age_key, text=text, format=format)
        draft = Draft.of(before)
        draft.show_block()
        after = draft.encrypted(draft.text, credentials(age_key), ignore)
        assert after == before.document.text

    def test_a_block_that_is_gone(self, age_key: AgeKey, format: str, text: str) -> None:
        draft = Draft.of(opened_for(age_key, text=text, format=format))
        draft.show_block()
        with pytest.raises(EncconfError, match="no sops block"):
            draft.encrypted(text, credentials(age_key), ignore)


class TestANewFile:
    def test_it_is_encrypted_by_its_rule(self, age_key: AgeKey) -> None:
        by = rule(age_key, selection=Selection("encrypted_regex", "^a$"))
        enc = Draft("x: 1\n", "yaml", rule=by).encrypted("a: hunter2\nb: 1\n", credentials(age_key), ignore)
        assert "hunter2" not in enc
        assert "\nb: 1\n" in enc
        assert api.decrypt(enc, credentials=credentials(age_key)) == "a: hunter2\nb: 1\n"

    def test_in_another_format(self, age_key: AgeKey) -> None:
        draft = Draft("x: 1\n", "yaml", rule=rule(age_key))
        draft.target = "dotenv"
        enc = draft.encrypted("A: b\n", credentials(age_key), ignore)
        assert api.decrypt(enc, format="dotenv", credentials=credentials(age_key)) == "A=b\n"


class TestWhatCannotBeSaved:
    """It is encrypted as a whole, so that it is not lost."""

    BROKEN = "a: [hunter2\n\udcff"

    def rescued(self, draft: Draft, key: AgeKey) -> str:
        enc = draft.rescued(self.BROKEN, credentials(key))
        assert enc is not None
        assert "hunter2" not in enc
        return api.decrypt(enc, format="binary", credentials=credentials(key))

    def test_for_the_recipients_of_the_file(self, age_key: AgeKey) -> None:
        other = AgeKey.generate()
        draft = Draft.of(opened_for(age_key, other, text=TEXT))
        assert self.rescued(draft, age_key) == self.rescued(draft, other) == self.BROKEN

    def test_for_those_of_the_rule_of_a_new_file(self, age_key: AgeKey) -> None:
        by = rule(age_key, selection=Selection("encrypted_regex", "^nothing$"))
        assert self.rescued(Draft("x: 1\n", "yaml", rule=by), age_key) == self.BROKEN

    def test_without_recipients(self, age_key: AgeKey) -> None:
        assert Draft("x: 1\n", "yaml").rescued(self.BROKEN, credentials(age_key)) is None
