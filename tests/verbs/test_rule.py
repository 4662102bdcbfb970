"""Which rule a verb follows: that of .sops.yaml, the options, or both; and who may get a data key."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from engine import credentials, rule
from oracle import AgeKey

from encconf import api, formats
from encconf.engine.metadata import Metadata
from encconf.errors import (
    ConfigError,
    ConflictError,
    EncconfError,
    NoConfigError,
    NoMatchingRuleError,
    StrangerError,
)
from encconf.rules.config import Config, Rule
from encconf.rules.selection import Selection
from encconf.verbs.rule import Selecting, admission_to, is_named, refuse_link, rule_for, warn_of_other

ALICE, BOB, CAROL = (AgeKey.generate() for _ in range(3))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def configure(*rules: str) -> None:
    Path(".sops.yaml").write_text("creation_rules:\n" + "".join(f"  - {{{each}}}\n" for each in rules))


def options(*keys: AgeKey, **more: Any) -> Selecting:
    return Selecting(keys={"age": [key.recipient for key in keys]} if keys else {}, **more)


def recipients(found: Rule) -> list[list[str]]:
    return [[key.name for key in group] for group in found.groups]


class TestRule:
    def found(self, given: Selecting, name: str = "x.yaml") -> Rule:
        return rule_for(name, given, notify=lambda message: None)

    def test_what_the_options_name_replaces_that_of_the_rule(self, folder: Path) -> None:
        regex, suffix = ("encrypted_regex", "^a$"), ("unencrypted_suffix", "_unencrypted")
        shares = (
            f"shamir_threshold: 2, key_groups: [{{age: [{ALICE.recipient}]}}, {{age: [{BOB.recipient}]}}]"
        )
        configure(f"path_regex: x, {shares}, encrypted_regex: ^a$, mac_only_encrypted: true")
        groups = [[ALICE.recipient], [BOB.recipient]]
        own, named = "creation_rules[0]", "the command line"
        for keys, kinds, expected in (
            ((), {}, (groups, 2, Selection(*regex, True), own)),
            ((CAROL,), {}, ([[CAROL.recipient]], None, Selection(*regex, True), named)),
            ((), {"encrypted_suffix": "x"}, (groups, 2, Selection("encrypted_suffix", "x", True), own)),
            (
                (CAROL, BOB),
                {"unencrypted_regex": "u"},
                ([[CAROL.recipient, BOB.recipient]], None, Selection("unencrypted_regex", "u", True), named),
            ),
        ):
            found = self.found(options(*keys, **kinds))
            assert (recipients(found), found.threshold, found.selection, found.name) == expected
        other = self.found(options(CAROL, mac_only_encrypted=True), name="other.yaml")  # no rule matches it
        assert (recipients(other), other.selection) == ([[CAROL.recipient]], Selection(*suffix, True))
        with pytest.raises(ConflictError):
            self.found(options(CAROL, encrypted_regex="a", unencrypted_regex="b"))

    def test_a_rule_is_needed_unless_recipients_are_named(self, folder: Path) -> None:
        for text, error in (
            (None, NoConfigError),
            (f"path_regex: ^y, age: {ALICE.recipient}", NoMatchingRuleError),
        ):
            if text is not None:
                configure(text)
            with pytest.raises(error) as caught:
                self.found(options(encrypted_regex="a"))
            assert (caught.value.hint or "").endswith("or name recipients with --age, --pgp or similar")
            assert recipients(self.found(options(ALICE))) == [[ALICE.recipient]]

    @pytest.mark.parametrize("broken", ["age: x", "path_regex: '('", "age: []", "mistyped: 1"])
    def test_a_broken_rule_counts_unless_nothing_of_it_is_used(self, folder: Path, broken: str) -> None:
        configure(broken)
        for given in (options(), options(CAROL), options(encrypted_regex="a")):
            try:
                found = self.found(given)
            except EncconfError:
                continue
            assert given.keys, "nothing of it can be used"
            assert recipients(found) == [[CAROL.recipient]]
        found = self.found(options(CAROL, encrypted_regex="a"))
        assert (recipients(found), found.selection) == (
            [[CAROL.recipient]],
            Selection("encrypted_regex", "a"),
        )

    def test_a_rule_that_cannot_be_read_is_an_error_also_with_recipients(self, folder: Path) -> None:
        configure("age: x, encrypted_regex: ^password$")
        with pytest.raises(EncconfError):  # it may say to encrypt less, or more
            self.found(options(CAROL))


def test_which_files_a_pattern_is_meant_for(folder: Path) -> None:
    read: dict[str, Config] = {}

    def named(target: str, source: str = "none", config: str | None = None) -> bool:
        return is_named(target, source, config=config, read=read)

    assert named("a.enc.yaml") is False, "without .sops.yaml"
    configure(f"path_regex: \\.enc\\.yaml$, age: {ALICE.recipient}", f"age: {ALICE.recipient}")
    assert named("a.enc.yaml") is True
    assert named("a.yaml", "a.enc.yaml") is True, "by the name of the source"
    assert named("a.yaml") is False, "the rule for every file does not count"
    Path("other.yaml").write_text(f"creation_rules: [{{path_regex: '^a[.]yaml$', age: {ALICE.recipient}}}]\n")
    assert named("a.yaml", config="other.yaml") is True
    assert named("b.yaml", config="other.yaml") is False, "no rule matches"
    Path(".sops.yaml").unlink()
    Path("other.yaml").write_text("creation_rules: [")
    assert named("a.yaml", config="other.yaml") is True, "each file is read once"
    with pytest.raises(ConfigError):
        is_named("a.yaml", "none", config="other.yaml", read={})


class Front:
    """A front end that notes the warnings."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def warn(self, message: str, hint: str = "") -> None:
        self.said.append(f"{message} / {hint}")


@pytest.mark.parametrize(
    ("given", "warnings"),
    [
        (options(), []),
        (options(ALICE, BOB), []),
        (options(BOB, ALICE), []),
        (options(ALICE), ["keeps its recipients"]),
        (options(ALICE, BOB, CAROL), ["keeps its recipients"]),
        (options(encrypted_regex="^a$"), []),
        (options(encrypted_regex="^b$"), ["keeps its selection (encrypted_regex ^a$)"]),
        (options(unencrypted_regex="^a$"), ["keeps its selection"]),
        (options(CAROL, encrypted_suffix="x"), ["keeps its recipients", "keeps its selection"]),
    ],
)
def test_options_for_a_file_that_exists(given: Selecting, warnings: list[str]) -> None:
    wanted = rule(ALICE, BOB, selection=Selection("encrypted_regex", "^a$"))
    enc = api.encrypt("a: 1\n", wanted, format="yaml", credentials=credentials(ALICE))
    front: Any = Front()
    warn_of_other(front, "x.yaml", given, Metadata.of(formats.get("yaml").scan(enc)))
    assert len(front.said) == len(warnings)
    for said, expected in zip(front.said, warnings, strict=True):
        assert said.startswith("x.yaml exists and ")
        assert expected in said


# --- links, and copies ----------------------------------------------------------------------------


@pytest.fixture
def repository(folder: Path) -> Path:
    """Two folders: alice reads prod, alice and bob read dev."""
    subprocess.run(["git", "init", "-q"], check=True)
    for name in ("prod", "dev"):
        Path(name).mkdir()
    configure(
        f"path_regex: ^prod/, age: {ALICE.recipient}",
        f"path_regex: ^dev/, age: '{ALICE.recipient},{BOB.recipient}'",
    )
    Path("prod/p.yaml").write_text("a: 1\n")
    Path("prod/p.enc.yaml").write_text(api.encrypt("a: 1\n", rule(ALICE), format="yaml"))
    Path("dev/own.yaml").write_text("a: 1\n")
    return folder


def enc_of(name: str) -> str:
    return name.replace(".yaml", ".enc.yaml")


def refused(file: str, *wanted: AgeKey, given: Selecting | None = None) -> Sequence[str]:
    """Return the strangers that a plaintext would be encrypted for."""
    try:
        refuse_link(file, rule(*wanted), given or options(), encrypted=enc_of)
    except StrangerError as error:
        return [key.recipient for key in wanted if key.recipient in error.message]
    return []


@pytest.mark.posix
def test_a_plaintext_behind_a_link_stays_with_those_who_may_read_it(repository: Path) -> None:
    Path("dev/link.yaml").symlink_to("../prod/p.yaml")
    assert refused("dev/own.yaml", ALICE, BOB) == []
    assert refused("dev/link.yaml", ALICE, BOB) == [BOB.recipient]
    assert refused("dev/link.yaml", ALICE) == []
    assert refused("dev/link.yaml", CAROL, BOB) == [CAROL.recipient, BOB.recipient]
    assert refused("dev/link.yaml", ALICE, BOB, given=options(BOB)) == [], "you named them"


@pytest.mark.posix
def test_a_link_to_a_plaintext_without_a_rule(repository: Path) -> None:
    Path("free.yaml").write_text("a: 1\n")
    Path("dev/link.yaml").symlink_to("../free.yaml")
    assert refused("dev/link.yaml", ALICE, BOB) == [], "you made the link"
    subprocess.run(["git", "add", "dev/link.yaml"], check=True)
    assert refused("dev/link.yaml", ALICE, BOB) == [ALICE.recipient, BOB.recipient], "a branch may have it"


@pytest.mark.posix
def test_who_may_get_the_data_key_of_a_copy(repository: Path) -> None:
    def wrap(file: str, *wanted: AgeKey) -> None:
        metadata = Metadata.of(formats.get("yaml").scan(Path(file).read_text()))
        admission_to(file, None).check(metadata, rule(*wanted), credentials(ALICE))

    with pytest.raises(StrangerError, match=r"recipients that \.sops\.yaml does not name"):
        wrap("prod/p.enc.yaml", ALICE, BOB)
    Path("dev/new.enc.yaml").write_text(api.encrypt("a: 1\n", rule(ALICE), format="yaml"))
    wrap("dev/new.enc.yaml", ALICE, BOB)
    Path("dev/copy.yaml").write_bytes(Path("prod/p.enc.yaml").read_bytes())
    wrap("dev/copy.yaml", ALICE)
    with pytest.raises(StrangerError, match=r"may be a copy of that file, and .* does not name") as caught:
        wrap("dev/copy.yaml", ALICE, BOB)
    assert BOB.recipient in caught.value.message
    assert ALICE.recipient not in caught.value.message
    assert "encconf decrypt dev/copy.yaml" in (caught.value.hint or "")
    Path("dev/link.yaml").symlink_to("../prod/p.enc.yaml")
    with pytest.raises(StrangerError, match=r"it is a link to prod/p\.enc\.yaml") as caught:
        wrap("dev/link.yaml", ALICE, BOB)
    assert (caught.value.hint or "").startswith("look at that file"), "the hint for links stays"


@pytest.mark.posix
def test_recipients_that_you_name_may_get_the_data_key_of_a_copy(repository: Path) -> None:
    Path("dev/copy.yaml").write_bytes(Path("prod/p.enc.yaml").read_bytes())
    metadata = Metadata.of(formats.get("yaml").scan(Path("dev/copy.yaml").read_text()))
    keys = rule(ALICE, CAROL).groups[0]
    admission_to("dev/copy.yaml", None, named=keys).check(metadata, rule(ALICE, CAROL), credentials(ALICE))
    with pytest.raises(StrangerError):
        admission_to("dev/copy.yaml", None).check(metadata, rule(ALICE, CAROL), credentials(ALICE))
