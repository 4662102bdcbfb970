"""What every type of master key must do.  Subclass the contract, define the fixtures, and add tests.

``key`` is a key that works with ``credentials``, but not with the credentials ``stranger``.  ``other`` is
another key of the type.  ``secrets`` are texts that must never be shown, in addition to the data key.
"""

from __future__ import annotations

import logging
import os
from binascii import b2a_base64
from typing import TYPE_CHECKING

import pytest

from encconf import keys
from encconf.errors import BadKeyError, EncconfError, MasterKeyError, NotMyKeyError
from encconf.identities.credentials import Credentials

if TYPE_CHECKING:
    from encconf.keys import MasterKey


class MasterKeyContract:
    """The tests of one type of master key."""

    @pytest.fixture
    def secrets(self) -> list[str]:
        return []

    @pytest.mark.parametrize("size", [32, 33])
    def test_what_it_wraps_it_unwraps(self, key: MasterKey, credentials: Credentials, size: int) -> None:
        data_key = os.urandom(size)
        assert key.unwrap(key.wrap(data_key, credentials), credentials) == data_key

    def test_wrapping_is_not_deterministic(self, key: MasterKey, credentials: Credentials) -> None:
        assert key.wrap(bytes(32), credentials) != key.wrap(bytes(32), credentials)

    def test_a_stranger_cannot_unwrap(
        self, key: MasterKey, credentials: Credentials, stranger: Credentials
    ) -> None:
        with pytest.raises(NotMyKeyError):
            key.unwrap(key.wrap(bytes(32), credentials), stranger)

    @pytest.mark.parametrize("where", [0.1, 0.5, 0.8])
    def test_a_damaged_ciphertext_is_an_error_of_ours(
        self, key: MasterKey, credentials: Credentials, where: float
    ) -> None:
        enc = key.wrap(bytes(32), credentials)
        at = int(len(enc) * where)
        while not enc[at].isalnum():
            at += 1
        damaged = enc[:at] + ("A" if enc[at] != "A" else "B") + enc[at + 1 :]
        with pytest.raises(MasterKeyError):
            key.unwrap(damaged, credentials)

    @pytest.mark.parametrize("enc", ["", "x", "ENC[AES256_GCM,data:x]", "é\n\x00", "-----BEGIN X-----\n"])
    def test_no_ciphertext_at_all_is_an_error_of_ours(
        self, key: MasterKey, credentials: Credentials, enc: str
    ) -> None:
        with pytest.raises(MasterKeyError):
            key.unwrap(enc, credentials)

    def test_its_entry_gives_it_back(self, key: MasterKey) -> None:
        entry = key.to_entry()
        assert not {"enc", "created_at"} & set(entry)
        again = keys.from_entry(key.TYPE, entry)
        assert type(again) is type(key)
        assert again == key
        assert again.to_entry() == entry

    def test_its_entry_is_read_as_leniently_as_by_sops(self, key: MasterKey) -> None:
        entry = {name.upper(): value for name, value in key.to_entry().items()}
        assert keys.from_entry(key.TYPE, {**entry, "enc": "x", "from_the_future": [1]}) == key

    def test_an_empty_entry_is_found_out_when_it_is_used(
        self, key: MasterKey, credentials: Credentials
    ) -> None:
        empty = keys.from_entry(key.TYPE, {})
        with pytest.raises(MasterKeyError):
            empty.wrap(bytes(32), credentials)

    def test_equality_goes_by_type_and_name(self, key: MasterKey, other: MasterKey) -> None:
        again = keys.from_entry(key.TYPE, key.to_entry())
        assert key == again
        assert hash(key) == hash(again)
        assert key != other
        assert key.name != other.name
        assert key != object()
        assert len({key, again, other}) == 2

    def test_the_table_knows_it(self, key: MasterKey) -> None:
        assert keys.key_class(key.TYPE) is type(key)

    def test_its_configuration_is_its_name(self, key: MasterKey) -> None:
        assert keys.master_key(key.TYPE, key.name) == key
        assert keys.master_key(key.TYPE, f" {key.name} ") == key

    @pytest.mark.parametrize("value", [None, 1, [], {}, "", "nonsense", "\x1b[2J", "a" * 5000])
    def test_nonsense_in_the_configuration_is_refused(self, key: MasterKey, value: object) -> None:
        with pytest.raises(BadKeyError) as caught:
            keys.master_key(key.TYPE, value)
        assert len(caught.value.message) < 300
        assert "\x1b" not in caught.value.message

    def test_a_label_is_one_printable_line(self, key: MasterKey) -> None:
        assert key.label.isprintable()
        hostile = {name: f"{value}\x1b]0;x\x07\r\n2" for name, value in key.to_entry().items()}
        assert keys.from_entry(key.TYPE, hostile).label.isprintable()

    def test_the_data_key_is_not_logged(
        self, key: MasterKey, credentials: Credentials, caplog: pytest.LogCaptureFixture
    ) -> None:
        """This includes what SDKs log at the level DEBUG."""
        caplog.set_level(logging.DEBUG)
        data_key = b"data-key " + os.urandom(12).hex()[:23].encode()
        key.unwrap(key.wrap(data_key, credentials), credentials)
        logged = "\n".join([caplog.text, *(repr(vars(record)) for record in caplog.records)])
        for form in (data_key.decode(), data_key.hex(), b2a_base64(data_key, newline=False).decode()):
            assert form not in logged

    def test_nothing_secret_is_shown(
        self, key: MasterKey, credentials: Credentials, stranger: Credentials, secrets: list[str]
    ) -> None:
        data_key = b"0123456789abcdef0123456789abcdef"
        enc = key.wrap(data_key, credentials)
        shown = [repr(key), str(key), repr(credentials), str(credentials)]
        for damaged, who in ((enc, stranger), (enc[:-70], credentials), ("", credentials)):
            with pytest.raises(EncconfError) as caught:
                key.unwrap(damaged, who)
            shown += [str(caught.value), repr(caught.value), str(caught.value.hint)]
        for secret in [*secrets, data_key.decode(), enc]:
            assert not any(secret in text for text in shown)
