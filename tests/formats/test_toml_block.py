"""The `sops` table of a TOML text: spelled, changed, added and removed."""

from __future__ import annotations

import tomllib

import pytest
from formats.toml_files import BLOCK, ENC, attach, decrypt, encrypt

from encconf import formats
from encconf.errors import EmitError, EncconfError, MetadataError
from encconf.text.document import splice

format = formats.get("toml")


def detach(text: str) -> str:
    return splice(text, format.detach(format.scan(text)))


def test_the_block_is_spelled_as_rops_spells_it() -> None:
    assert format.render_block(BLOCK) == (
        f'[sops]\nlastmodified = "2026-01-02T03:04:05Z"\nmac = "{ENC}"\nmac_only_encrypted = true\n'
        'other = [1, 2.5, "x"]\nshamir_threshold = 2\n'
        'unencrypted_suffix = "_unencrypted"\nversion = "3.13.3"\n\n'
        '[[sops.age]]\nenc = """\n-----BEGIN-----\nYQ==\n"""\nrecipient = "age1x"\n\n'
        '[[sops.age]]\nenc = "x"\nrecipient = "age1y"\n\n'
        '[[sops.kms]]\narn = "a"\n\n[sops.kms.context]\nRole = "b c"\n"d.e" = "f"\n'
    )
    groups: dict[str, object] = {
        "key_groups": [{"age": [{"enc": "a"}], "pgp": [{"enc": "b"}]}, {"age": [{"enc": "c"}]}],
        "x": None,
        "list": [{"a": 1}, 2],
        "none": [],
    }
    read = tomllib.loads(format.render_block(groups))["sops"]
    assert read == {name: value for name, value in groups.items() if value is not None}
    with pytest.raises(EmitError):
        format.render_block({"x": [None]})


ENDS = [
    "",
    "\n",
    "\n\n",
    " ",
    "  \n",
    "# c",
    "a = 1",
    "a = 1\n",
    "a = 1\n\n\n",
    "[t]\n",
    "a = 1 # c\n  ",
    "\t",
]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("start", ["", "b = 2\n", "\n", "\r\n", "b = 2\r\n", "# x\n\n"])
def test_detach_gives_back_what_attach_was_given(start: str, end: str) -> None:
    text = start + end
    block = format.render_block(BLOCK)
    attached = attach(text, block)
    document = format.scan(attached)
    assert document.block == BLOCK
    assert detach(attached) == text
    assert [leaf.path for leaf in document.leaves] == [leaf.path for leaf in format.scan(text).leaves]
    # Again and again, the same; with another block, replaced where it stands.
    assert document.block_text is not None
    assert attach(attached, document.block_text) == attached
    other = attach(attached, format.render_block({"encrypted_regex": "x"}))
    assert format.scan(other).block == {"encrypted_regex": "x"}
    assert detach(other) == text
    if "\r\n" in text and text.count("\n") == text.count("\r\n"):
        assert attached.count("\n") == attached.count("\r\n")


def test_a_block_that_stands_elsewhere_is_found_and_replaced() -> None:
    text = 'a = 1\n\n[sops]\nmac = "x"\n[[sops.age]]\nenc = "e"\n\n# c\n[t]\nb = 2\n'
    assert detach(text) == "a = 1\n\n# c\n[t]\nb = 2\n"
    new = attach(text, str(format.scan(text).block_text).replace('"x"', '"y"'))
    assert new == text.replace('"x"', '"y"')


@pytest.mark.parametrize(
    "text",
    [
        'a = 1\nsops = { encrypted_regex = "x", age = [ { enc = "e", recipient = "r" } ] }\n[t]\nb = 2',
        'sops.encrypted_regex = "x"\na = 1\nsops.age = [ { enc = "e", recipient = "r" } ]\n[t]\nb = 2\n',
        '[sops]\nencrypted_regex = "x"\n[t]\nb = 2\n[[sops.age]]\nenc = "e"\nrecipient = "r"\n',
        '[[sops.age]]\nenc = "e"\nrecipient = "r"\n[t]\nb = 2\n[sops]\nencrypted_regex = "x"',
    ],
)
def test_a_block_in_any_other_form_becomes_tables_at_the_end(text: str) -> None:
    document = format.scan(text)
    block: dict[str, object] = {"encrypted_regex": "x", "age": [{"enc": "e", "recipient": "r"}]}
    assert document.block == block
    assert "sops" not in detach(text)
    assert document.block_text is not None
    new = attach(text, document.block_text.replace('"x"', '"y"'))
    found = format.scan(new)
    assert found.block == {**block, "encrypted_regex": "y"}
    assert [leaf.path for leaf in found.leaves] == [leaf.path for leaf in document.leaves]
    assert new.rstrip().endswith(('recipient = "r"', 'encrypted_regex = "y"'))


@pytest.mark.parametrize("text", ["sops = 1\n", "[[sops]]\nmac = 'x'\n", "sops = [ 1 ]\n"])
def test_a_sops_entry_that_is_no_table(text: str) -> None:
    assert format.scan(text).block is None
    with pytest.raises(MetadataError):
        decrypt(text)
    with pytest.raises(EncconfError, match='top-level entry named "sops"'):
        encrypt(text)


def test_a_date_in_the_block_is_text() -> None:
    """rops writes it as a string."""
    document = format.scan("[sops]\nlastmodified = 2026-01-02T03:04:05Z\nshamir_threshold = 2\n")
    assert document.block == {"lastmodified": "2026-01-02T03:04:05+00:00", "shamir_threshold": 2}
    assert tomllib.loads(str(document.block_text))["sops"]["shamir_threshold"] == 2
