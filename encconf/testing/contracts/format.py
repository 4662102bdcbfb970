"""What every format must do.  Subclass the contract, set the format's name and texts, and add tests.

Each of ``texts`` contains the value ``SECRET`` at ``path``, and can be encrypted as it is.  Each of
``broken`` contains it, too, and must be refused with an error that does not quote it.
"""

from __future__ import annotations

import re
from difflib import ndiff
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from encconf import api, formats
from encconf.errors import AlreadyEncryptedError, EncconfError, NotEncryptedError, ParseError
from encconf.keys.age import AgeKey
from encconf.rules.config import Rule
from encconf.testing import TestKey
from encconf.text.document import Document, splice

if TYPE_CHECKING:
    from encconf.text.document import Format


SECRET = "s3cr3t-v4lue"
ENC = "ENC[AES256_GCM,data:YQ==,iv:aXY=,tag:dGFn,type:str]"
BLOCK: dict[str, object] = {
    "age": [
        {
            "enc": "-----BEGIN AGE ENCRYPTED FILE-----\nYQ==\n-----END AGE ENCRYPTED FILE-----\n",
            "recipient": "age1x",
        },
        {"enc": "x # y ; z", "recipient": "age1y"},
    ],
    "encrypted_regex": "^(a|b: #c)$",
    "lastmodified": "2026-01-02T03:04:05Z",
    "mac": "ENC[AES256_GCM,data:bWFj,iv:aXY=,tag:dGFn,type:str]",
    "version": "3.13.3",
}


def rule_for(key: TestKey) -> Rule:
    """Return a rule with one key."""
    return Rule([[AgeKey.from_config(key.recipient)]])


def changed_lines(before: str, after: str) -> tuple[list[str], list[str]]:
    """Return the lines that a diff would show as removed and as added."""
    lines = list(ndiff(before.splitlines(), after.splitlines()))
    removed, added = ([line[2:] for line in lines if line.startswith(mark)] for mark in ("- ", "+ "))
    return removed, added


class FormatContract:
    """The tests of one format."""

    name: ClassVar[str]
    texts: ClassVar[tuple[str, ...]]
    path: ClassVar[tuple[str | int, ...]]
    broken: ClassVar[tuple[str, ...]] = ()
    suffixes: ClassVar[tuple[str, ...]]
    loads = True

    @pytest.fixture
    def format(self) -> Format:
        return formats.get(self.name)

    @pytest.fixture
    def own_key(self) -> TestKey:
        """A new key to encrypt for."""
        return TestKey.generate()

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if "text" in metafunc.fixturenames:
            metafunc.parametrize("text", self.texts, ids=map(str, range(len(self.texts))))

    def comparable(self, trees: list[dict[str, Any]]) -> Any:
        """Return values in a form that is equal if the format cannot distinguish them."""
        return repr(trees)

    def attached(self, format: Format, document: Document, block_text: str) -> str:
        """Return the text with a ``sops`` block."""
        return splice(document.text, format.attach(document, block_text))

    # --- spans ---------------------------------------------------------------------------------

    def test_names(self, format: Format) -> None:
        assert self.name in formats.NAMES
        assert {formats.of_path(f"dir.x/file{suffix}") for suffix in self.suffixes} == {self.name}

    def test_spans(self, format: Format, text: str) -> None:
        document = format.scan(text, comments=True)
        assert document.format.name == self.name
        assert document.text == text
        assert document.block is None
        assert document.outline[0] == "%"
        spans = [format.region(document, leaf) for leaf in document.leaves]
        spans += [(comment.start, comment.end) for comment in document.comments]
        spans.sort()
        at = 0
        for start, end in spans:
            assert at <= start <= end <= len(text)
            at = end
        assert any(leaf.path == self.path and leaf.data == SECRET.encode() for leaf in document.leaves)
        for leaf in document.leaves:
            assert leaf.aad == "".join(f"{step}:" for step in leaf.path if isinstance(step, str)).encode()
            assert leaf.scope in document.items
            assert isinstance(leaf.step, int if leaf.scope.listed else str)

    def test_comments_change_nothing_else(self, format: Format, text: str) -> None:
        one, other = format.scan(text), format.scan(text, comments=True)
        assert one.comments == []
        assert one.outline == other.outline
        assert [leaf.data for leaf in one.leaves] == [leaf.data for leaf in other.leaves]

    def test_a_value_can_be_sealed_and_put_back(self, format: Format, text: str) -> None:
        document = self.prepared(format, text)
        for index, leaf in enumerate(document.leaves):
            if leaf.type != "str" or not leaf.data:
                continue
            block_text = format.render_block(BLOCK)
            edits = [format.sealed(document, leaf, ENC), *format.attach(document, block_text)]
            sealed = format.scan(splice(document.text, edits))
            assert sealed.outline == document.outline
            found = sealed.leaves[index]
            assert found.data is not None
            assert found.data.strip() == ENC.encode()
            back = [format.literal(sealed, found, "str", leaf.data), *format.detach(sealed)]
            again = format.scan(splice(sealed.text, back))
            assert again.leaves[index].data == leaf.data
            assert again.outline == document.outline

    def prepared(self, format: Format, text: str) -> Document:
        """Return the document of a text as sops can read it, if no value is to be encrypted."""
        document = format.scan(text)
        prepared = format.prepare(document, bytearray(len(document.leaves)))
        return document if prepared is None else format.scan(prepared.text)

    # --- the block -----------------------------------------------------------------------------

    def test_attach_and_detach(self, format: Format, text: str) -> None:
        document = self.prepared(format, text)
        with_block = format.scan(self.attached(format, document, format.render_block(BLOCK)))
        assert with_block.block == BLOCK
        assert with_block.block_text
        assert with_block.outline == document.outline
        without = splice(with_block.text, format.detach(with_block))
        assert without.removesuffix("" if text.endswith("\n") else "\n") == self.left(document)

    def left(self, document: Document) -> str:
        """Return the text of a document after a block was attached and detached."""
        return document.text

    def test_a_block_changes_no_value(self, format: Format, text: str) -> None:
        document = self.prepared(format, text)
        with_block = format.scan(self.attached(format, document, format.render_block(BLOCK)))
        pairs = zip(with_block.leaves, document.leaves, strict=True)
        assert all(one.data in (other.data, ENC.encode()) for one, other in pairs)

    def test_attach_replaces(self, format: Format, text: str) -> None:
        document = self.prepared(format, text)
        block = {**BLOCK, "mac": "other", "pgp": [{"fp": "x"}]}
        one = format.scan(self.attached(format, document, format.render_block(block)))
        other = splice(one.text, format.attach(one, format.render_block(BLOCK)))
        assert format.scan(other).block == BLOCK
        assert other == self.attached(format, document, format.render_block(BLOCK))

    # --- there and back ------------------------------------------------------------------------

    def test_byte_for_byte(self, text: str, own_key: TestKey, format: Format) -> None:
        creds = own_key.credentials()
        encrypted = api.encrypt(text, rule_for(own_key), format=self.name, credentials=creds)
        assert SECRET not in encrypted
        assert api.decrypt(encrypted, format=self.name, credentials=creds) == text
        if self.loads:
            loaded = api.loads_all(encrypted, format=self.name, credentials=creds)
            assert self.comparable(loaded) == self.comparable(format.load_plain(text))
        assert api.encrypt(text, twin=encrypted, format=self.name, credentials=creds) == encrypted
        with pytest.raises(AlreadyEncryptedError):
            api.encrypt(encrypted, rule_for(own_key), format=self.name, credentials=creds)
        with pytest.raises(NotEncryptedError):
            api.decrypt(text, format=self.name, credentials=creds)

    @pytest.mark.parametrize("tail", ["", "\n", "\r\n"])
    def test_line_breaks(self, text: str, tail: str, own_key: TestKey) -> None:
        creds = own_key.credentials()
        body = text.rstrip("\n")
        text = (body.replace("\n", "\r\n") if tail == "\r\n" else body) + tail
        encrypted = api.encrypt(text, rule_for(own_key), format=self.name, credentials=creds)
        assert api.decrypt(encrypted, format=self.name, credentials=creds) == text

    def test_one_value_changes_its_line(self, text: str, own_key: TestKey) -> None:
        creds = own_key.credentials()
        old = api.encrypt(text, rule_for(own_key), format=self.name, credentials=creds)
        changed = text.replace(SECRET, "another")
        new = api.encrypt(changed, twin=old, format=self.name, credentials=creds)
        removed, added = changed_lines(old, new)
        assert len(removed) <= 4  # the value's, the MAC, its date, the layout record
        assert len(added) <= 4
        assert api.decrypt(new, format=self.name, credentials=creds) == changed

    def test_tampering_is_seen(self, own_key: TestKey) -> None:
        creds = own_key.credentials()
        encrypted = api.encrypt(self.texts[0], rule_for(own_key), format=self.name, credentials=creds)
        for found in re.finditer(r"ENC\[AES256_GCM,data:(.)[^]]*type:str", encrypted):
            other = "A" if found[1] != "A" else "B"
            changed = encrypted[: found.start(1)] + other + encrypted[found.end(1) :]
            with pytest.raises(EncconfError) as caught:
                api.decrypt(changed, format=self.name, credentials=creds)
            assert caught.value.exit_code in (25, 51)
            assert SECRET not in str(caught.value)

    def test_every_prefix_is_taken_or_refused(self, format: Format, text: str) -> None:
        for size in range(len(text)):
            said = ""
            try:
                document = format.scan(text[:size], comments=True)
            except EncconfError as error:
                said = f"{error} {error.hint}"
            else:
                assert document.text == text[:size]
            assert SECRET not in said

    def test_the_broken_is_refused_and_not_shown(self, format: Format) -> None:
        for text in self.broken:
            with pytest.raises(ParseError) as caught:
                format.scan(text)
            assert SECRET not in f"{caught.value} {caught.value.hint}"
            assert caught.value.line

    def test_half_a_character_is_refused(self, format: Format) -> None:
        with pytest.raises(ParseError):
            format.scan(self.texts[0].replace(SECRET, "\udcff"))
