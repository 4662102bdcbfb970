"""Values that would be saved as plaintext although the rule encrypts them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from engine import credentials, opened_for, rule
from oracle import AgeKey

from encconf import api, formats
from encconf.engine import checks
from encconf.engine.opening import open_text
from encconf.errors import EncconfError, PlaintextError
from encconf.rules.selection import DEFAULT, Selection
from encconf.text.document import Document
from encconf.text.path import spell


def scan(text: str, format: str = "yaml") -> Document:
    return formats.scan_any(text, format, comments=True)


def test_new_and_changed_values_that_stay_plaintext() -> None:
    file, now = (
        Selection("encrypted_regex", "^password$"),
        Selection("encrypted_regex", "^(password|token)$"),
    )
    before = "password: a\ntoken: old\n"
    for after, paths in (
        ("password: b\ntoken: old\n", []),
        ("password: a\ntoken: new\n", [("token",)]),
        ("password: a\ntoken: old\nx:\n  token: t\n", [("x", "token")]),
        ("password: a\ntoken: ''\n", []),
    ):
        assert checks.left_plaintext(before, scan(after), file=file, rule=now) == paths
    assert checks.left_plaintext(before, scan("token: new\n"), file=now, rule=now) == []
    assert checks.left_plaintext("", scan("token: new\nport: 1\n"), file=file, rule=now) == [("token",)]
    only, all_but = (Selection(f"{kind}encrypted_regex", "^a$") for kind in ("", "un"))
    for own, wanted, path in ((only, all_but, ("b",)), (all_but, only, ("a",))):
        assert checks.left_plaintext("", scan("a: 1\nb: 2\n"), file=own, rule=wanted) == [path]


@pytest.mark.parametrize("comments_by", ["rule", "file"])
def test_a_value_left_in_plaintext_under_a_comment_rule_is_refused(comments_by: str) -> None:
    by_comment = Selection("encrypted_comment_regex", "^ encrypt")
    by_key = Selection("encrypted_regex", "^b$" if comments_by == "rule" else "^(a|b)$")
    if comments_by == "rule":
        file, wanted, after, path = by_key, by_comment, "# encrypt\na: new\nb: 1\n", ("a",)
    else:
        file, wanted, after, path = by_comment, by_key, "# encrypt\na: new\nb: 1\n", ("b",)
    found = checks.left_plaintext("c: 1\n", scan(after), file=file, rule=wanted)
    assert found == [path]
    nothing = checks.left_plaintext(after, scan(after), file=file, rule=wanted)
    assert nothing == []


PUBLIC = Selection("unencrypted_comment_regex", "public")


@pytest.mark.parametrize(
    ("format", "before", "after", "paths"),
    [
        ("yaml", "# public\na: x\nb: y\n", "# public\nb: y\n", [("b",)]),
        ("yaml", "# public\na: x\nb: y\n", "b: y\n", []),
        ("yaml", "# public\na: x\nb: y\n", "# public\na: new\nb: y\n", []),
        ("yaml", "l:\n- a\n# public\n- b\n- c\n", "l:\n# public\n- b\n- c\n", []),
        ("yaml", "l:\n- a\n# public\n- b\n- c\n", "l:\n- a\n# public\n- c\n", [("l", 1)]),
        ("yaml", "a:\n  b: x\n  # public\nc: y\n", "a: v\n  # public\nc: y\n", [("c",)]),
        ("yaml", "l:\n- a\n# public\n- a\n- c\n", "l:\n# public\n- a\n- c\n", []),  # it was plaintext, too
        ("yaml", "# public\na: x\n", "", []),
        ("yaml", "", "# public\na: x\n", []),
        ("dotenv", "#public\nA=x\nB=y\n", "#public\nB=y\n", [("B",)]),
        ("toml", "# public\na = 1\nb = 2\n", "# public\nb = 2\n", [("b",)]),
    ],
)
def test_values_that_a_comment_comes_to_apply_to(
    format: str, before: str, after: str, paths: list[tuple[str | int, ...]]
) -> None:
    assert checks.revealed(before, scan(after, format), PUBLIC) == paths
    assert checks.revealed(before, scan(after, format), Selection("encrypted_regex", "x")) == []


class TestReplacing:
    """A file that is encrypted again, perhaps with a rule that encrypts less."""

    ONLY_A = Selection("encrypted_regex", "^a$")

    def exposed(
        self,
        key: AgeKey,
        there: str,
        plain: str,
        now: Selection,
        *,
        format: str = "yaml",
        opened: bool = False,
    ) -> str:
        """Return what is refused, or "": the file with ``there`` is replaced, with the selection ``now``."""
        document = opened_for(key, text=there, format=format).document
        found = []
        for text in (plain, scan(plain, format)):  # read, and scanned already
            try:
                checks.refuse_exposed(document if opened else document.text, text, format, now)
                found.append("")
            except PlaintextError as error:
                own = "rule: unencrypted_suffix: _unencrypted;" in (error.hint or "")
                found.append(error.message.partition(": ")[2] if own else "without the selection to add")
        assert found[0] == found[1]
        return found[0]

    @pytest.mark.parametrize("opened", [False, True])
    def test_what_is_encrypted_now_stays_encrypted(self, age_key: AgeKey, opened: bool) -> None:
        there = "a: 1\nb: secret\nempty: ''\nc_unencrypted: 3\nl: [x, y]\nnothing: null\n"
        for plain, refused in (
            ("a: 1\n", ""),
            ("a: 1\nb: secret\n", "b"),
            ("b: other\nl: [x, y]\n", "b, l[0], l[1]"),
            ("b: ''\nempty: ''\nempty2: x\n", ""),  # an empty value is never encrypted
            ("c_unencrypted: 4\nnew: x\nc: 3\n", ""),  # these were not encrypted
            ("nothing: x\n", ""),
        ):
            assert self.exposed(age_key, there, plain, self.ONLY_A, opened=opened) == refused, plain
            assert self.exposed(age_key, there, plain, DEFAULT, opened=opened) == ""

    def test_the_selection_that_it_has_is_no_change(self, age_key: AgeKey) -> None:
        there, who = "# public\na: 1\nb: 2\n", credentials(age_key)
        enc = api.encrypt(there, rule(age_key, selection=PUBLIC), format="yaml", credentials=who)
        checks.refuse_exposed(enc, "# public\nb: 2\n", "yaml", PUBLIC)

    def test_what_has_no_selection_to_compare(self, age_key: AgeKey) -> None:
        assert self.exposed(age_key, "any text\n", "text\n", self.ONLY_A, format="binary") == ""
        for damaged in ("a: 1\n", "a: [\n", "a: ENC[x]\nsops: {mac: 1}\n"):
            checks.refuse_exposed(damaged, "a: 1\n", "yaml", self.ONLY_A)


@pytest.mark.parametrize(
    ("warns", "allowed", "outcome"),
    [
        (False, False, "refused"),
        (False, True, "refused"),
        (True, False, "refused, and how to save it anyway"),
        (True, True, "a warning"),
    ],
)
class TestWhetherItIsAnError:
    """A command refuses plaintext, unless ``--allow-plaintext`` is given; a library always does."""

    def told(
        self, folder: Path, key: AgeKey, *, warns: bool, allowed: bool, broken: bool
    ) -> tuple[str, str, str]:
        """Save a new value as plaintext.  Returns the outcome, and the message and hint."""
        (folder / ".sops.yaml").write_text(
            "creation_rules: ["
            if broken
            else f"creation_rules: [{{age: {key.recipient}, encrypted_regex: '^(a|b)$'}}]\n"
        )
        file, said = str(folder / "x.yaml"), []
        options = {"allowed": True} if allowed else {}  # by default, it is not
        check = checks.plaintext_check(
            file, None, **options, warn=(lambda *words: said.append(words)) if warns else None
        )
        only_a = rule(key, selection=Selection("encrypted_regex", "^a$"))
        who = credentials(key)
        opened = open_text(
            api.encrypt("a: 1\n", only_a, format="yaml", credentials=who), format="yaml", credentials=who
        )
        try:
            check(opened, "a: 1\n", scan("a: 1\nb: 2\n"))
        except EncconfError as error:
            assert not said
            hint = error.hint or ""
            more = ", and how to save it anyway" if "--allow-plaintext" in hint else ""
            return f"refused{more}", error.message, hint
        ((message, hint),) = said
        return "a warning", message, hint

    def test_a_value_that_stays_plaintext(
        self, tmp_path: Path, age_key: AgeKey, warns: bool, allowed: bool, outcome: str
    ) -> None:
        found, message, hint = self.told(tmp_path, age_key, warns=warns, allowed=allowed, broken=False)
        assert (found, message.partition(" ")[0]) == (outcome, "b")
        assert "updatekeys --selection" in hint

    def test_a_rule_that_cannot_be_read(
        self, tmp_path: Path, age_key: AgeKey, warns: bool, allowed: bool, outcome: str
    ) -> None:
        found, message, hint = self.told(tmp_path, age_key, warns=warns, allowed=allowed, broken=True)
        assert found == outcome
        assert ("is not compared with its rule" in message) is (outcome == "a warning")
        assert "correct" in hint

    @pytest.mark.parametrize("saves", [False, True])
    def test_a_value_that_a_comment_comes_to_apply_to(
        self, age_key: AgeKey, warns: bool, allowed: bool, outcome: str, saves: bool
    ) -> None:
        before, said = "# public\na: x\nb: y\n", []
        who = credentials(age_key)
        enc = api.encrypt(before, rule(age_key, selection=PUBLIC), format="yaml", credentials=who)
        opened = open_text(enc, format="yaml", credentials=who)
        warn = (lambda *words: said.append(words)) if warns else None
        options = {"allowed": True} if allowed else {}
        check = checks.edits_check("x.yaml", os.devnull, saves=saves, **options, warn=warn)
        check(opened, before, scan("# public\na: z\nb: y\n"))
        assert not said
        if outcome == "a warning":
            check(opened, before, scan("# public\nb: y\n"))
            ((message, hint),) = said
        else:
            with pytest.raises(PlaintextError) as caught:
                check(opened, before, scan("# public\nb: y\n"))
            message, hint = caught.value.message, caught.value.hint or ""
            assert not said
        # `unset` has no option to save it anyway.
        assert ("--allow-plaintext" in hint) is (warns and saves and not allowed)
        assert message.startswith("b would be saved as plaintext")
        assert "encconf edit x.yaml" in hint


def test_new_values_that_a_selection_leaves_out() -> None:
    only_a = Selection("encrypted_regex", "^a$")
    for after, left in (("a: 1\nb: 2\n", []), ("a: 9\nb: 2\n", []), ("a: 1\nb: 3\nc: 4\n", ["b", "c"])):
        found = checks.new_plaintext("a: 1\nb: 2\n", scan(after), only_a)
        assert [spell(path) for path in found] == left
        if not left:
            checks.refuse_new_plaintext("a: 1\nb: 2\n", scan(after), only_a)
            continue
        with pytest.raises(PlaintextError, match="b, c would be saved as plaintext"):
            checks.refuse_new_plaintext("a: 1\nb: 2\n", scan(after), only_a)


def test_the_rule_of_a_file_if_there_is_a_usable_one(
    tmp_path: Path, age_key: AgeKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = tmp_path / ".sops.yaml"
    file = str(tmp_path / "x.yaml")
    assert checks.known_rule(file, None) is None
    config.write_text(f"creation_rules: [{{path_regex: x, age: {age_key.recipient}}}]\n")
    found = checks.known_rule(file, None)
    assert found is not None
    assert [key.name for group in found.groups for key in group] == [age_key.recipient]
    assert checks.known_rule(str(tmp_path / "y"), None) is None
    for text, hint in (("creation_rules: [", "correct .sops.yaml"), ("creation_rules: [{age: x}]", "age1…")):
        config.write_text(text)
        assert checks.known_rule(file, None) is None
        with pytest.raises(EncconfError) as caught:
            checks.rule_to_follow(file, None)
        assert hint in (caught.value.hint or "")
        with pytest.raises(EncconfError):
            checks.rule_to_follow(file, None, warn=print)


class TestFileOfAStranger:
    """A file whose selection or recipients are not those of its rule: its author may have no key of ours."""

    def said(
        self, folder: Path, keys: Sequence[AgeKey], named: Sequence[AgeKey], rest: str = "", *, plain: str
    ) -> list[str]:
        """Return the warnings about a file for ``keys`` whose rule names others."""
        recipients = ", ".join(key.recipient for key in named)
        (folder / ".sops.yaml").write_text(f"creation_rules: [{{age: [{recipients}]{rest}}}]\n")
        only_a = rule(*keys, selection=Selection("encrypted_regex", "^a$"))
        who = credentials(keys[0])
        enc = api.encrypt("a: 1\n", only_a, format="yaml", credentials=who)
        opened = open_text(enc, format="yaml", credentials=who)
        found: list[str] = []
        check = checks.plaintext_check(
            str(folder / "x.yaml"), None, allowed=True, warn=lambda *words: found.append(" / ".join(words))
        )
        check(opened, "a: 1\n", scan(plain))
        quiet = checks.plaintext_check(str(folder / "x.yaml"), None)
        if any("plaintext" in each for each in found):
            with pytest.raises(PlaintextError):
                quiet(opened, "a: 1\n", scan(plain))
        else:  # without a front end, there is no warning about recipients
            quiet(opened, "a: 1\n", scan(plain))
        return found

    def test_what_is_called_a_secret_where_no_rule_selects(self, tmp_path: Path, age_key: AgeKey) -> None:
        for plain, refused in (
            ("a: 2\n", False),
            ("a: 1\nport: 2\n", False),
            ("a: 1\nport_unencrypted: 2\n", False),
            ("a: 1\npassword: x\n", True),
            ("a: 1\ntoken_unencrypted: x\n", False),  # the default rule leaves it out, too
        ):
            found = self.said(tmp_path, [age_key], [age_key], plain=plain)
            assert bool(found) is refused, plain
            if found:
                assert found[0].startswith("password would be saved as plaintext: encrypted_regex: ^a$")
                assert found[0].endswith("restore what the file had before")

    def test_recipients_that_the_rule_does_not_name(self, tmp_path: Path, age_key: AgeKey) -> None:
        others = [AgeKey.generate() for _ in range(4)]
        plain = "a: 2\n"
        assert self.said(tmp_path, [age_key, *others], [age_key, *others], plain=plain) == []
        assert self.said(tmp_path, [age_key], [age_key, *others], plain=plain) == []
        (found,) = self.said(tmp_path, [age_key, *others], [age_key, *others[:1]], plain=plain)
        assert all(key.recipient in found for key in others[1:])
        assert not any(key.recipient in found for key in (age_key, *others[:1]))
        assert "encconf updatekeys" in found
        (found,) = self.said(tmp_path, [age_key, *others], [age_key], plain=plain)
        assert "and 1 more" in found

    def test_both_at_once(self, tmp_path: Path, age_key: AgeKey) -> None:
        other = AgeKey.generate()
        rest = ", encrypted_regex: '^(a|b)$'"
        readers, left = self.said(tmp_path, [age_key, other], [age_key], rest, plain="a: 1\nb: 2\nc: 3\n")
        assert "can be read by" in readers
        assert left.startswith("b would be saved as plaintext: creation_rules[0] of .sops.yaml encrypts")

    @pytest.mark.parametrize("saves", [False, True])
    def test_only_edits_that_save_values_are_compared_with_the_rule(
        self, tmp_path: Path, age_key: AgeKey, saves: bool
    ) -> None:
        config = tmp_path / ".sops.yaml"
        config.write_text(f"creation_rules: [{{age: {age_key.recipient}, encrypted_regex: '^(a|b)$'}}]\n")
        opened = opened_for(age_key, text="a: 1\n")
        opened = opened.replace(
            metadata=opened.metadata.replace(selection=Selection("encrypted_regex", "^a$"))
        )
        found: list[str] = []
        check = checks.edits_check(
            str(tmp_path / "x.yaml"),
            None,
            saves=saves,
            allowed=True,
            warn=lambda *words: found.append(words[0]),
        )
        check(opened, "a: 1\n", scan("a: 1\nb: 2\n"))
        assert bool(found) is saves
