"""Any bytes as one value, in the envelope that sops makes for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from engine import credentials, rule
from formats.of_sops import SopsFormatContract
from oracle import AgeKey, Sops

from encconf import api
from encconf.errors import EmitError, UsageError
from encconf.rules.selection import Selection
from encconf.testing.contracts.format import ENC, SECRET
from encconf.text.document import Document, splice

if TYPE_CHECKING:
    from encconf.text.document import Format


class TestBinary(SopsFormatContract):
    name = "binary"
    suffixes = (
        "",
        ".bin",
        ".txt",
        ".env.prod",
        ".yaml.bak",
        ".enc",
    )
    path = ("data",)
    loads = False
    texts = (SECRET,)

    def test_half_a_character_is_refused(self, format: Format) -> None:
        """Not here: it is the byte that it stands for."""
        (leaf,) = format.scan("\udcff").leaves
        assert leaf.data == b"\xff"

    def attached(self, format: Format, document: Document, block_text: str) -> str:
        """In an envelope there is always something sealed."""
        edits = [format.sealed(document, document.leaves[0], ENC), *format.attach(document, block_text)]
        return splice(document.text, edits)

    def left(self, document: Document) -> str:
        return f'"{ENC}"'

    @pytest.mark.parametrize(
        "data",
        [b"", b"\0", b"\xff\xfe", bytes(range(256)) * 40, b'{"a": 1}', b'{"sops": {}, "data": ""}', b"{"],
    )
    def test_any_bytes(self, data: bytes, age_key: AgeKey, sops: Sops) -> None:
        creds = credentials(age_key)
        text = data.decode("utf-8", "surrogateescape")
        types = ["--input-type", "binary", "--output-type", "binary", "--filename-override", "x"]
        ours = api.encrypt(text, rule(age_key), format="binary", credentials=creds)
        assert ours.isascii()
        assert api.decrypt(ours, format="binary", credentials=creds) == text
        assert sops.run("decrypt", *types, input=ours).stdout == data
        theirs = sops.run("encrypt", "--age", age_key.recipient, *types, input=data).stdout.decode()
        assert api.decrypt(theirs, format="binary", credentials=creds) == text
        assert api.encrypt(text, format="binary", twin=theirs, credentials=creds) == theirs

    def test_it_is_always_encrypted(self, age_key: AgeKey, sops: Sops) -> None:
        notices: list[str] = []
        ours = api.encrypt(
            SECRET,
            rule(age_key, selection=Selection("encrypted_suffix", "_x", True)),
            format="binary",
            credentials=credentials(age_key),
            notify=notices.append,
        )
        assert SECRET not in ours
        assert '"data": "ENC[' in ours  # what clients look for
        assert "encrypted_suffix" in notices[0]
        assert sops.decrypt(ours, "binary") == SECRET

    @pytest.mark.parametrize("deep", ["[" * 300 + "]" * 300, "[" + "0," * 200_000 + "0]", "1" * 5000])
    def test_json_beyond_the_limits_of_the_format(self, deep: str, format: Format) -> None:
        text = f'{{"sops": {{"mac": "x"}}, "a": {deep}}}'
        (leaf,) = format.scan(text).leaves
        assert leaf.data == text.encode()

    def test_nothing_to_load(self, age_key: AgeKey) -> None:
        with pytest.raises(UsageError, match="bytes"):
            api.loads("{}", format="binary", credentials=credentials(age_key))

    def test_an_envelope_with_more_in_it(self, age_key: AgeKey, sops: Sops) -> None:
        """As sops, which takes any JSON file with a string called data."""
        creds = credentials(age_key)
        theirs = sops.encrypt(
            '{"x": 1, "data": "a", "y": ["z"], "w_unencrypted": "v"}', "json", age=age_key.recipient
        )
        assert api.decrypt(theirs, format="binary", credentials=creds) == "a"
        for text in ('{"x": 1}', '{"data": 1}', '{"data": {"a": "b"}}'):
            theirs = sops.encrypt(text, "json", age=age_key.recipient)
            with pytest.raises(EmitError, match="no binary data found in tree"):
                api.decrypt(theirs, format="binary", credentials=creds)

    def test_one_that_an_old_sops_left_plaintext(self, age_key: AgeKey, sops: Sops) -> None:
        creds = credentials(age_key)
        theirs = sops.encrypt('{"data": "a\\n"}', "json", "--encrypted-suffix", "_x", age=age_key.recipient)
        assert api.decrypt(theirs, format="binary", credentials=creds) == "a\n"
        again = api.encrypt("a\n", format="binary", twin=theirs, credentials=creds)
        assert '"data": "ENC[' in again
