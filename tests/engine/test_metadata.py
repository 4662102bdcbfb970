"""The ``sops`` block as data: what is read of it, what is refused, and that it is written as it was read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from encconf import formats
from encconf.engine import metadata
from encconf.engine.metadata import Metadata, rewritten
from encconf.errors import MetadataError, NotEncryptedError
from encconf.rules.selection import DEFAULT, EVERYTHING
from encconf.text.document import Document

yaml = formats.get("yaml")

AGE = {"recipient": "age1x", "enc": "wrapped"}
BLOCK: dict[str, object] = {
    "age": [AGE],
    "lastmodified": "2026-01-02T03:04:05Z",
    "mac": "ENC[x]",
    "unencrypted_suffix": "_unencrypted",
    "version": "3.13.3",
}


def read(**members: object) -> Metadata:
    """A block with these members, and without those that are None."""
    document = Document("", formats.get("yaml"))
    block = {**BLOCK, **members}
    document.block = {name: value for name, value in block.items() if value is not None}
    return Metadata.of(document)


@pytest.mark.parametrize("threshold", ["abc", 300, -1, 256, "256", "1000", 1.5, True, [2]])
def test_a_threshold_that_is_none(threshold: object) -> None:
    with pytest.raises(MetadataError, match="shamir_threshold is not a number of key groups"):
        read(shamir_threshold=threshold)


@pytest.mark.parametrize(
    ("threshold", "number"), [(None, 0), (0, 0), ("", 0), (2, 2), ("2", 2), (255, 255), ("255", 255)]
)
def test_a_threshold(threshold: object, number: int) -> None:
    assert read(shamir_threshold=threshold).threshold == number


def test_as_many_groups_as_there_are_parts() -> None:
    assert len(read(age=None, key_groups=[{"age": [AGE]}] * 255).groups) == 255
    with pytest.raises(MetadataError, match="at most 255 groups"):
        read(age=None, key_groups=[{"age": [AGE]}] * 256)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"key_groups": {"age": [AGE]}, "age": None}, "key_groups in the sops block is not a list"),
        ({"key_groups": ["x"], "age": None}, r"key_groups\[0\] in the sops block is not a mapping"),
        ({"key_groups": [{"age": "x"}], "age": None}, r"age in key_groups\[0\] is not a list of keys"),
        ({"age": "x"}, "age in sops is not a list of keys"),
        ({"age": ["x"]}, r"sops.age\[0\] is not a mapping"),
        ({"mac": ["x"]}, "mac in the sops block is not a string"),
        ({"version": {}}, "version in the sops block is not a string"),
        ({"lastmodified": []}, "lastmodified in the sops block is not a string"),
    ],
)
def test_what_is_refused(members: dict[str, object], said: str) -> None:
    with pytest.raises(MetadataError, match=said):
        read(**members)


def test_no_block() -> None:
    with pytest.raises(NotEncryptedError):
        Metadata.of(Document("", formats.get("yaml")))


@pytest.mark.parametrize("text", ["sops: x\na: 1\n", "a: 1\nsops: [1]\n"])
def test_a_block_that_is_no_mapping(text: str) -> None:
    with pytest.raises(MetadataError, match="the sops entry is not a mapping"):
        Metadata.of(yaml.scan(text))


def test_lists_that_are_no_keys_are_kept_as_they_are() -> None:
    lists: dict[str, object] = {"a": [], "b": [{"id": "x"}], "c": ["x"], "d": [AGE, {"id": 1}]}
    found = read(**lists)
    assert [key.key.TYPE for key in found.groups[0]] == ["age"]
    assert found.unknown == lists


@pytest.mark.parametrize("nothing", [None, "", []])
def test_a_kind_of_key_of_which_there_is_none(nothing: object) -> None:
    """Older releases of sops wrote such members."""
    document = Document("", formats.get("yaml"))
    document.block = {**BLOCK, "pgp": nothing, "key_groups": None}
    assert [key.key.TYPE for key in Metadata.of(document).groups[0]] == ["age"]


def test_key_groups_are_no_kind_of_key() -> None:
    with pytest.raises(MetadataError, match=r"enc in key_groups\[0\] is not a list of keys"):
        read(age=None, key_groups=[{"enc": "x"}])


def test_what_is_not_known_is_kept() -> None:
    stranger = [{"enc": "e", "id": "i"}]
    found = read(future=stranger, setting={"a": 1}, kms=[], pgp=None, hc_vault="")
    assert [key.key.TYPE for key in found.groups[0]] == ["age", "future"]
    assert found.unknown == {"setting": {"a": 1}}
    block = found.to_block()
    assert list(block) == sorted(block)
    assert block == {**BLOCK, "future": stranger, "setting": {"a": 1}}


def test_groups_and_threshold_are_written() -> None:
    groups = [{"age": [AGE]}, {"age": [AGE], "pgp": [{"fp": "F", "enc": "e", "created_at": "t"}]}]
    found = read(age=None, key_groups=groups, shamir_threshold=2, encconf_layout="ENC[l]")
    assert found.to_block() == {
        **{name: value for name, value in BLOCK.items() if name != "age"},
        "key_groups": groups,
        "shamir_threshold": 2,
        "encconf_layout": "ENC[l]",
    }


def test_what_is_missing() -> None:
    found = read(mac=None, lastmodified=None, version=None, age=None)
    assert (found.mac, found.lastmodified, found.version) == (None, "", "")
    assert (found.groups, found.threshold) == ([], 0)
    assert found.to_block()["mac"] == ""
    assert read(version=None).to_block()["version"] == metadata.SOPS_VERSION


@pytest.mark.parametrize(
    ("version", "context", "spoiled"),
    [
        ("3.2.0", {"a": "1", "b": "2"}, True),
        ("2.9", {"a": "1", "b": "2"}, True),
        ("3.3.0", {"a": "1", "b": "2"}, False),
        ("3.13.3", {"a": "1", "b": "2"}, False),
        ("4.0.0", {"a": "1", "b": "2"}, False),
        ("3.2.0", {"a": "1"}, False),
        ("3.2.0", {"a": "1", "b": "1"}, False),
        ("3.2.0", None, False),
        ("x.2.0", {"a": "1", "b": "2"}, False),
        ("3.x", {"a": "1", "b": "2"}, False),
        ("", {"a": "1", "b": "2"}, False),
        ("1.00000000000000000", {"a": "1", "b": "2"}, True),  # 19 characters, and 20
        ("1.000000000000000000", {"a": "1", "b": "2"}, False),
    ],
)
def test_contexts_that_an_old_sops_mixed_up(version: str, context: object, spoiled: bool) -> None:
    entry = {"arn": "arn:aws:kms:eu-central-1:111122223333:key/x", "enc": "e", "created_at": "t"}
    if context is not None:
        entry["context"] = context  # type: ignore[assignment]
    ((key,),) = read(age=None, kms=[entry], version=version).groups
    assert key.spoiled is spoiled


def test_why_a_merge_is_not_finished() -> None:
    assert read().unmerged is None
    conflict = "a merge left a conflict in the file, which is not resolved yet"
    assert read(encconf_conflict="x").unmerged == conflict
    assert read(encconf_conflict="x", encconf_merge="x").unmerged == conflict
    assert "without a key" in str(read(encconf_merge="x").unmerged)


def test_a_known_field_takes_one_file() -> None:
    """No other file makes a block field by field, so that none can forget one."""
    package = Path(metadata.__file__).parents[1]
    made = {
        path.relative_to(package).as_posix(): re.findall(r"\bMetadata\((.*)", path.read_text())
        for path in package.rglob("*.py")
        if path.name != "metadata.py"
    }
    # One begins an empty block, for a file that was not encrypted.
    assert {name: calls for name, calls in made.items() if calls} == {
        "engine/sealing.py": ['[], 0, selection, "")']
    }


def test_replace_keeps_every_other_field() -> None:
    block = read(encconf_layout="ENC[l]", shamir_threshold=2, more={"a": 1}, encconf_merge="x y")
    assert vars(block.replace()) == vars(block)
    changed = block.replace(threshold=3)
    assert (changed.threshold, block.threshold) == (3, 2)
    assert changed.replace(threshold=2).to_block() == block.to_block()


def test_a_renewed_block_says_nothing_of_the_old_values() -> None:
    block = read(encconf_layout="ENC[l]", more={"a": 1}, encconf_merge="x y", version="3.8.0").renewed()
    assert (block.mac, block.layout, block.lastmodified, block.version) == (None, None, "", "3.13.3")
    assert block.unknown == {"more": {"a": 1}}
    assert [wrapped.key.name for wrapped in block.groups[0]] == ["age1x"]


def test_as_many_keys_as_anyone_has() -> None:
    assert len(read(age=[AGE] * 1000).groups[0]) == 1000
    with pytest.raises(MetadataError, match="more than 1000 master keys"):
        read(age=[AGE] * 1001)
    groups = [{"age": [AGE] * 500}, {"age": [AGE] * 500}]
    assert len(read(age=None, key_groups=groups).groups) == 2
    with pytest.raises(MetadataError, match="more than 1000 master keys"):
        read(age=None, key_groups=[*groups, {"age": [AGE]}])


def test_how_long_wrapped_keys_may_be() -> None:
    half = {"recipient": "age1x", "enc": "x" * (256 * 1024)}
    assert len(read(age=[half, half]).groups[0]) == 2
    with pytest.raises(MetadataError, match="longer than 512 KiB"):
        read(age=[half, half, {"recipient": "age1x", "enc": "x"}])


def test_a_block_that_names_no_rule() -> None:
    """sops leaves out its own rule at times; rops, which writes no version either, has none."""
    assert read(unencrypted_suffix=None).selection == DEFAULT
    assert read(unencrypted_suffix=None, version=None).selection == EVERYTHING
    assert read(version=None).selection == DEFAULT


OLD = read(encconf_layout="ENC[l]")
NEW = OLD.replace(mac="ENC[new]", lastmodified="2026-01-02T03:04:06Z", layout="ENC[m]")


@pytest.mark.parametrize("format", formats.ROWS)
def test_a_rewritten_block_changes_in_three_places(format: str) -> None:
    handler = formats.get(format)
    before, after = (handler.render_block(each.to_block()) for each in (OLD, NEW))
    assert rewritten(before, OLD, NEW) == after
    crlf = before.replace("\n", "\r\n")
    assert rewritten(crlf, OLD, NEW) == after.replace("\n", "\r\n")


@pytest.mark.parametrize(
    ("block_text", "expected"),
    [
        ("sops:\n  mac: ENC[x]\n  # c\n  lastmodified: D\n", "sops:\n  mac: N\n  # c\n  lastmodified: E\n"),
        ("'sops' : {'lastmodified': \"D\",mac:  ENC[x] }", "'sops' : {'lastmodified': \"E\",mac:  N }"),
        ("mac: |-\n  ENC[x]\nlastmodified: >-\n  D\n", "mac: |-\n  N\nlastmodified: >-\n  E\n"),
        (
            "pgp:\n- created_at: D\nmac: ENC[x]\nlastmodified: D",
            "pgp:\n- created_at: D\nmac: N\nlastmodified: E",
        ),
        ("mac: ENC[x] # ENC[x]\nlastmodified: D", "mac: N # ENC[x]\nlastmodified: E"),
        ("mac: ENC[x]\nx: {mac: ENC[x]}\nlastmodified: D", None),
        ("mac: ENC\\x5bx]\nlastmodified: D", None),
        ("mac: ENC[x]", None),
        ("", None),
    ],
)
def test_a_rewritten_block_keeps_every_other_byte(block_text: str, expected: str | None) -> None:
    old = read(lastmodified="D")
    assert rewritten(block_text, old, old.replace(mac="N", lastmodified="E")) == expected


def test_a_member_that_comes_or_goes_is_not_rewritten() -> None:
    bare = OLD.replace(layout=None)
    text = yaml.render_block(OLD.to_block())
    assert rewritten(text, OLD, bare) is None
    assert rewritten(yaml.render_block(bare.to_block()), bare, OLD) is None
    assert rewritten(text, OLD.replace(lastmodified=""), NEW) is None
