"""The contract of a format that sops has, too: encconf and sops read each other's files."""

from __future__ import annotations

from collections.abc import Callable

from oracle import Sops

from encconf import api
from encconf.testing import TestKey
from encconf.testing.contracts.format import SECRET, FormatContract, rule_for
from encconf.text.document import Format

SopsFor = Callable[[TestKey], Sops]


class SopsFormatContract(FormatContract):
    """More tests for a format that sops has, too.  The fixture ``sops_for`` returns sops with a key."""

    def test_sops_reads_ours(self, text: str, own_key: TestKey, sops_for: SopsFor, format: Format) -> None:
        encrypted = api.encrypt(text, rule_for(own_key), format=self.name, credentials=own_key.credentials())
        by_sops = sops_for(own_key).decrypt(encrypted, self.name)
        assert SECRET in by_sops
        assert self.comparable(format.load_plain(by_sops)) == self.comparable(format.load_plain(text))

    def test_we_read_what_sops_makes_of_ours(self, text: str, own_key: TestKey, sops_for: SopsFor) -> None:
        creds = own_key.credentials()
        encrypted = api.encrypt(text, rule_for(own_key), format=self.name, credentials=creds)
        again = sops_for(own_key).edit(
            encrypted, self.suffixes[0][1:], f"text = text.replace('{SECRET}', 'changed')"
        )
        assert "encconf" not in again
        plain = api.decrypt(again, format=self.name, credentials=creds)
        assert "changed" in plain
        assert SECRET not in plain
