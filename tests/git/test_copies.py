"""Which files have the data key of another one."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from engine import rule
from oracle import AgeKey

from encconf import api, formats, keys
from encconf.engine.metadata import Metadata
from encconf.envelope import WrappedKey
from encconf.errors import ConfigError
from encconf.git.copies import Copies
from encconf.text.document import splice

ALICE, BOB, CAROL = (AgeKey.generate() for _ in range(3))
KEYS = {key: keys.master_key("age", key.recipient) for key in (ALICE, BOB, CAROL)}
TEXT = api.encrypt("a: 1\n", rule(ALICE), format="yaml")


def metadata_of(text: str, format: str = "yaml") -> Metadata:
    return Metadata.of(formats.get(format).scan(text))


def with_encs(*encs: str) -> str:
    """The file with these wrapped data keys, each in a group."""
    yaml = formats.get("yaml")
    document = yaml.scan(TEXT)
    groups = [[WrappedKey(KEYS[ALICE], enc, None, {})] for enc in encs]
    block = Metadata.of(document).replace(groups=groups).to_block()
    return splice(TEXT, yaml.attach(document, yaml.render_block(block)))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    monkeypatch.chdir(tmp_path)
    for name in ("prod", "dev"):
        (tmp_path / name).mkdir()
    (tmp_path / "prod/s.yaml").write_text(TEXT)
    return tmp_path


def test_the_other_files_of_the_repository(folder: Path) -> None:
    (folder / "dev/x.yaml").write_text(TEXT)
    (folder / "dev/other.yaml").write_text(api.encrypt("a: 1\n", rule(ALICE), format="yaml"))
    (folder / "dev/plain.yaml").write_text("a: 1\n")
    (folder / "dev/broken.yaml").write_text(TEXT.replace("a:", "- a"))
    (folder / "link").symlink_to("dev")
    for path in ("dev/x.yaml", str(folder / "dev/x.yaml")):
        found = Copies([]).others(path, metadata_of(TEXT))
        assert list(found) == [str(folder / "prod/s.yaml")]
        assert found[str(folder / "prod/s.yaml")].groups[0][0].key == KEYS[ALICE]
    # A link in the repository makes another file of the one that it leads to.
    found = Copies([]).others("link/x.yaml", metadata_of(TEXT))
    assert list(found) == [str(folder / "dev/x.yaml"), str(folder / "prod/s.yaml")]
    copies = Copies([])
    assert set(copies.others("new.yaml", metadata_of(TEXT))) == {
        str(folder / "prod/s.yaml"),
        str(folder / "dev/x.yaml"),
    }
    (folder / "dev/x.yaml").unlink()  # they are listed once
    assert len(copies.others("new.yaml", metadata_of(TEXT))) == 2


def test_files_outside_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.yaml", "b.yaml", "c.yaml"):
        Path(name).write_text(TEXT)
    Path("b.bin").write_text(api.encrypt("x", twin=None, rule=rule(ALICE), format="binary"))
    Path("no.yaml").write_text("a: 1\n")
    copies = Copies(["none.yaml", "no.yaml", "b.bin", "a.yaml", "b.yaml"])
    assert list(copies.others("c.yaml", metadata_of(TEXT))) == ["a.yaml", "b.yaml"]
    assert list(copies.others("b.yaml", metadata_of(TEXT))) == ["a.yaml"]
    binary = metadata_of(Path("b.bin").read_text(), "binary")
    assert list(copies.others("x.bin", binary)) == ["b.bin"]


ARMORED = "-----BEGIN PGP MESSAGE-----\n{}\n{}\n-----END PGP MESSAGE-----\n"


@pytest.mark.parametrize(
    ("enc", "other", "same"),
    [
        ("AAAABBBBCCCC==", "AAAABBBBCCCC", True),
        ("AAAABBBBCCCD", "AAAABBBBCCCC", True),  # the end of base64 can be written in several ways
        ("AAAABBBXCCCC", "AAAABBBBCCCC", False),
        ("AAAABBBBCCCCD", "AAAABBBBCCCC", False),
        (ARMORED.format("Version: 1\n\nAAAA\nBBBBCCCC", "=abcd"), "AAAABBBBCCCC", True),
        (
            ARMORED.format("\nAAAABBBBCCCC", "=wxyz"),
            ARMORED.format("Comment: c\n\n AAAABBBB\r\nCCCC", "=a"),
            True,
        ),
    ],
)
def test_what_is_the_same_wrapped_key(folder: Path, enc: str, other: str, same: bool) -> None:
    (folder / "prod/s.yaml").write_text(with_encs("another one for a group", enc))
    found = Copies([]).others("x.yaml", metadata_of(with_encs(other, "and another one")))
    assert list(found) == [str(folder / "prod/s.yaml")] * same


def test_who_may_not_open_the_original(folder: Path) -> None:
    copy = metadata_of(TEXT)
    asked = []

    def by(*groups: list[AgeKey]) -> Any:
        def rule_of(path: str) -> Any:
            asked.append(path)
            return SimpleNamespace(groups=[[KEYS[key] for key in group] for group in groups], name="rule 1")

        return rule_of

    def refused(added: list[AgeKey], of: Any) -> Any:
        return Copies([]).objection("dev/x.yaml", copy, [KEYS[key] for key in added], of)

    assert refused([ALICE], by([ALICE])) is None
    assert refused([ALICE, BOB], by([ALICE], [BOB])) is None
    assert refused([], by([ALICE])) is None
    error = refused([CAROL, ALICE, BOB], by([ALICE], [CAROL]))
    assert error.strangers == [KEYS[BOB]]
    assert str(error) == (
        "it has the data key of prod/s.yaml, so it may be a copy of that file, and rule 1 of .sops.yaml does "
        f"not name age {BOB.recipient}"
    )
    assert set(asked) == {str(folder / "prod/s.yaml")}

    def broken(path: str) -> Any:
        raise ConfigError("broken")

    assert refused([ALICE], broken) is None
    assert f"and that file does not name age {BOB.recipient}" in str(refused([BOB], broken))
    os.unlink("prod/s.yaml")
    assert refused([BOB], by([ALICE])) is None
