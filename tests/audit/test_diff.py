"""``encconf diff``: what it tells of two versions, with and without a key, and that it tells no values."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from oracle import FIXTURES, AgeKey, Sops
from project import Project, Result

from encconf import api, formats
from encconf.audit import diff
from encconf.audit.diff import Difference
from encconf.audit.sides import Side
from encconf.cli import main
from encconf.engine import rekey
from encconf.errors import EncconfError
from encconf.identities.credentials import Credentials
from encconf.keys import master_key
from encconf.rules.config import Rule
from encconf.rules.selection import Selection
from encconf.text.path import spell
from encconf.verbs import changes

ALICE, BOB, CAROL = (AgeKey.load(FIXTURES / "keys" / f"{name}.txt") for name in ("alice", "bob", "carol"))
EVERYBODY = Credentials(
    {"SOPS_AGE_KEY": " ".join(key.identity for key in (ALICE, BOB, CAROL))}, home="/nonexistent"
)

PLAIN = """\
# the database
db:
    host: db.internal.example
    password: hunter2-canary
    port: 15432
    tls: true
users:
    - name: alice-canary
      pin: 7391
    - name: bob-canary
      pin: 7391
token: t0ken-canary
"""
VALUES = (
    "db.internal.example",
    "hunter2",
    "canary",
    "15432",
    "7391",
    "t0ken",
    "true",
    "True",
    "false",
    "False",
)
NOW = "changed-canary"


def rule(*groups: Sequence[AgeKey], selection: Selection | None = None, threshold: int | None = None) -> Rule:
    keys = [[master_key("age", key.recipient) for key in group] for group in groups or [[ALICE]]]
    return Rule(keys, threshold, selection or Selection("unencrypted_suffix", "_unencrypted"))


def seal(plain: str = PLAIN, by: Rule | None = None, format: str = "yaml") -> str:
    return api.encrypt(plain, by or rule(), format=format)


def again(sealed: str, plain: str, format: str = "yaml") -> str:
    """The same file with another plain text."""
    return changes.update(sealed, plain, format=format, credentials=EVERYBODY)


def compare(
    old: str | None,
    new: str | None,
    *,
    key: bool = True,
    one_file: bool = True,
    name: str = "s.yaml",
    other: str = "",
) -> Difference:
    sides = Side("old", name, old), Side("new", other or name, new)
    return diff.compare(*sides, one_file=one_file, credentials=EVERYBODY if key else None)


def told(found: Difference) -> list[str]:
    """Each change in a few words: its kind (with ? where it is uncertain) and its paths."""
    lines = []
    for change in found.changes:
        where = spell(change.path)
        if change.kind == "moved" and change.old is not None:
            where = f"{spell(change.old)} > {where}"
        lines.append(f"{change.kind}{'' if change.certain else '?'} {where}")
    return lines


CASES = [
    ("hunter2", "hunter3", ["changed db.password"]),
    ("port: 15432", "port: 15433", ["changed db.port"]),
    ("port: 15432", 'port: "15432"', ["changed db.port"]),
    ("token: t0ken-canary\n", "", ["removed token"]),
    ("token:", "secret:", ["moved token > secret"]),
    (
        "db:\n",
        "database:\n",
        [f"moved db.{key} > database.{key}" for key in ("host", "password", "port", "tls")],
    ),
    ("token:", f"new: {NOW}\ntoken:", ["added new"]),
    ("users:\n", f"users:\n    - name: {NOW}\n", ["added users[0].name"]),
    ("    - name: bob-canary\n      pin: 7391\n", "", ["removed users[1].name", "removed users[1].pin"]),
    ("    - name: alice-canary\n      pin: 7391\n", "", ["removed users[0].name", "removed users[0].pin"]),
]
CASE_IDS = [
    "changed", "number", "type", "removed", "key renamed", "mapping renamed", "added",
    "first of a list added", "last of a list removed", "first of a list removed",
]  # fmt: skip


class TestValues:
    @pytest.mark.parametrize(("old", "new", "wanted"), CASES, ids=CASE_IDS)
    def test_with_a_key(self, old: str, new: str, wanted: list[str]) -> None:
        assert PLAIN.count(old) == 1
        plain = PLAIN.replace(old, new)
        sealed = seal()
        for before, after in (
            (sealed, again(sealed, plain)),  # one data key
            (sealed, seal(plain)),  # two of them
            (PLAIN, plain),  # in clear
            (PLAIN, seal(plain)),  # one of both
            (sealed, plain),
        ):
            found = compare(before, after)
            assert told(found) == wanted
            assert found.keyed
            assert found.differs

    def test_without_a_key(self) -> None:
        sealed = seal()
        plain = (
            PLAIN.replace("hunter2", "hunter3")
            .replace("15432", "115432")
            .replace("db.internal", "dc.internal")
        )
        new = again(sealed, plain.replace("token: t0ken-canary\n", "extra: value\n"))
        found = compare(sealed, new, key=False)
        # Another length, or type, is another value for sure; the same length may be the same value.
        assert told(found) == [
            "changed? db.host",
            "changed? db.password",
            "changed db.port",
            "added extra",
            "removed token",
        ]
        assert not found.keyed
        assert found.data_key == "same"

    def test_the_same_values_under_another_data_key(self) -> None:
        sealed = seal()
        rotated = rekey.rotate(sealed, format="yaml", credentials=EVERYBODY)
        found = compare(sealed, rotated)
        assert told(found) == []
        assert found.data_key == "new"
        assert found.differs
        found = compare(sealed, rotated, key=False)
        assert {change.certain for change in found.changes} == {False}
        assert found.data_key == "new"

    def test_without_a_key_a_moved_ciphertext_is_known(self) -> None:
        """In a list it stays good; under another key nobody can decrypt it."""
        sealed = seal("a:\n  - one-value\n  - another-value\n")
        lines = sealed.splitlines(keepends=True)
        swapped = "".join([lines[0], lines[2], lines[1], *lines[3:]])
        (change,) = compare(sealed, swapped, key=False).changes
        assert (change.kind, change.certain, change.lost) == ("moved", True, False)
        (change,) = compare(sealed, swapped).changes
        assert (change.kind, change.lost) == ("moved", False)
        sealed = seal("a: one-value\nb: another-value\n")
        (change,) = compare(sealed, sealed.replace("a: ENC", "c: ENC"), key=False).changes
        assert (change.kind, change.lost) == ("moved", True)

    def test_a_value_that_lost_its_ciphertext(self) -> None:
        everything, some = rule(), rule(selection=Selection("encrypted_regex", "password|token"))
        found = compare(seal(), seal(by=some))
        assert [change.kind for change in found.changes] == ["cleared"] * 7
        assert all(change.same for change in found.changes)
        found = compare(seal(by=some), seal(by=everything))
        assert [change.kind for change in found.changes] == ["sealed"] * 7
        plain = PLAIN.replace("db.internal", "dbx.internal")
        (changed,) = [
            change for change in compare(seal(by=everything), seal(plain, some)).changes if not change.same
        ]
        assert (changed.kind, spell(changed.path)) == ("cleared", "db.host")

    def test_numbers_of_documents(self) -> None:
        plain = "a: one\n---\nb: two\n"
        found = compare(seal(plain), seal(plain.replace("two", "three")))
        (change,) = found.changes
        assert (change.document, spell(change.path)) == (1, "b")

    @pytest.mark.parametrize(
        ("name", "plain", "old", "new", "path"),
        [
            ("s.json", '{"a": "value", "b": [1, 2]}\n', "2", "3", "b[1]"),
            ("s.env", "A=value\nB=other\n", "other", "another", "B"),
            ("s.ini", "[a]\nb = value\n", "value", "other", "a.b"),
            ("s.toml", 'a = "value"\n[t]\nb = 2\n', "2", "3", "t.b"),
            ("s.bin", "any bytes\n", "any", "other", "data"),
        ],
        ids=["json", "dotenv", "ini", "toml", "binary"],
    )
    def test_every_format(self, name: str, plain: str, old: str, new: str, path: str) -> None:
        format = formats.of_path(name)
        other = plain.replace(old, new)
        sealed = seal(plain, format=format)
        for after in (again(sealed, other, format), seal(other, format=format)):
            assert told(compare(sealed, after, name=name)) == [f"changed {path}"]
        for after in (sealed, seal(plain, format=format)):
            assert told(compare(sealed, after, name=name)) == []

    def test_two_formats(self) -> None:
        sealed = seal('{"a": "value", "b": 2, "c": true}\n', format="json")
        same = compare("a: value\nb: 2\nc: true\n", sealed, one_file=False, other="s.json")
        assert not same.differs
        other = compare("a: value\nb: 3\nc: true\n", sealed, one_file=False, other="s.json")
        assert told(other) == ["changed b"]
        env = seal("B=2\n", format="dotenv")
        assert not compare("B: 2\n", env, one_file=False, other="s.env").differs

    def test_a_file_that_sops_wrote(self, sops: Sops, age_key: AgeKey) -> None:
        old = sops.encrypt(PLAIN, "yaml", age=age_key.recipient)
        new = sops.encrypt(PLAIN.replace("hunter2", "hunter3"), "yaml", age=age_key.recipient)
        by = Credentials({"SOPS_AGE_KEY": age_key.identity}, home="/nonexistent")
        found = diff.compare(
            Side("a", "s.yaml", old), Side("b", "s.yaml", new), one_file=False, credentials=by
        )
        assert told(found) == ["changed db.password"]


class TestTheRest:
    def test_recipients(self) -> None:
        old, new = seal(by=rule([ALICE, BOB])), seal(by=rule([BOB, CAROL]))
        for key in (True, False):
            found = compare(old, new, key=key)
            assert [each.name for each in found.added_keys] == [CAROL.recipient]
            assert [each.name for each in found.removed_keys] == [ALICE.recipient]
            assert not found.regrouped

    def test_groups_and_threshold(self) -> None:
        old = seal(by=rule([ALICE], [BOB], [CAROL], threshold=3))
        new = seal(by=rule([ALICE], [BOB, CAROL], threshold=2))
        found = compare(old, new, key=False)
        assert found.quorum == ((3, 3), (2, 2))
        assert [each.name for each in found.regrouped] == [CAROL.recipient]

    def test_selection(self) -> None:
        found = compare(seal(), seal(by=rule(selection=Selection("encrypted_regex", ".*"))), key=False)
        assert found.selection == ("unencrypted_suffix _unencrypted", "encrypted_regex .*")

    def test_comments(self) -> None:
        sealed = seal()
        for plain, counts in (
            (PLAIN.replace("the database", "the data base"), (1, 0, 0)),
            (PLAIN.replace("token:", "# new\ntoken:"), (0, 1, 0)),
            (PLAIN.removeprefix("# the database\n"), (0, 0, 1)),
        ):
            for after in (again(sealed, plain), plain, seal(plain)):
                assert compare(sealed, after).comments == counts
            assert compare(sealed, again(sealed, plain), key=False).comments == counts

    def test_layout_and_shape(self) -> None:
        sealed = seal()
        found = compare(sealed, again(sealed, PLAIN.replace("token:", "\n\ntoken:")))
        assert (found.layout, found.structure, found.differs, told(found)) == (True, False, True, [])
        found = compare("a: {}\n", "a: []\n")
        assert (found.structure, found.differs, told(found)) == (True, True, [])

    def test_sealed_again(self) -> None:
        sealed = seal()
        mac = next(line for line in sealed.splitlines() if line.lstrip().startswith("lastmodified"))
        found = compare(sealed, sealed.replace(mac, mac.replace("20", "19", 1)), key=False)
        assert (found.resealed, found.differs, told(found)) == (True, True, [])

    def test_the_same_bytes(self) -> None:
        sealed = seal()
        for text in (sealed, PLAIN):
            assert not compare(text, text, key=False).differs

    def test_a_file_that_came_or_went(self) -> None:
        sealed = seal("a: value\nb: other\n", rule([ALICE, BOB]))
        found = compare(None, sealed)
        assert told(found) == ["added a", "added b"]
        assert [key.name for key in found.added_keys] == [ALICE.recipient, BOB.recipient]
        found = compare(sealed, None, key=False)
        assert told(found) == ["removed a", "removed b"]
        assert [key.name for key in found.removed_keys] == [ALICE.recipient, BOB.recipient]

    def test_one_version_in_plain_text(self) -> None:
        found = compare(seal(), PLAIN)
        assert (found.encrypted, told(found), found.differs) == ((True, False), [], True)
        # A plain file beside its encrypted one is another file: that one is encrypted is no difference.
        assert not compare(PLAIN, seal(), one_file=False).differs

    def test_two_files_of_different_data_keys(self) -> None:
        assert not compare(seal(), seal(), one_file=False).differs
        assert compare(seal(), seal(by=rule([ALICE, BOB])), one_file=False).differs

    def test_what_nobody_can_say_without_a_key(self) -> None:
        for old, new in ((PLAIN, seal()), (seal(), seal())):
            found = compare(old, new, one_file=False, key=False)
            assert found.differs
            assert not found.decided
        for old, new in (
            (PLAIN.replace("hunter2", "hunter22"), seal()),  # a length
            (PLAIN, seal(PLAIN + "more: value\n")),  # a key
            (seal(), seal(by=rule([BOB]))),
        ):
            assert compare(old, new, one_file=False, key=False).decided

    def test_a_mac_that_does_not_fit_is_told(self) -> None:
        sealed = seal("a: one\nb: two\n")
        changed = "".join(line for line in sealed.splitlines(keepends=True) if not line.startswith("b:"))
        found = compare(sealed, changed)
        assert told(found) == ["removed b"]
        assert [note.partition(":")[0] for note in found.notes] == ["new"]

    def test_one_that_cannot_be_read(self) -> None:
        with pytest.raises(EncconfError) as caught:
            compare(seal(), "a: [hunter2\n")
        assert caught.value.file == "new"
        assert "hunter2" not in str(caught.value)


def test_a_diff_is_what_was_done() -> None:
    """Random changes of random trees: each is told, and nothing else, with one data key and with two."""
    choice = random.Random(1)
    for _ in range(60):
        tree = {f"k{number}": f"value-{choice.random()}" for number in range(choice.randrange(1, 12))}
        other = dict(tree)
        wanted = set()
        for key in list(tree):
            act = choice.randrange(4)
            if act == 0:
                del other[key]
                wanted.add(f"removed {key}")
            elif act == 1:
                other[key] = f"value-{choice.random()}"
                wanted.add(f"changed {key}")
        if choice.randrange(2):
            other["new"] = f"value-{choice.random()}"
            wanted.add("added new")
        old, new = (json.dumps(each, indent=1) + "\n" for each in (tree, other))
        sealed = seal(old, format="json")
        for after in (again(sealed, new, "json"), seal(new, format="json"), new):
            assert set(told(compare(sealed, after, name="s.json"))) == wanted


def test_linear_in_the_number_of_values() -> None:
    def measure(count: int) -> float:
        old = "".join(f"- name: name-{number}\n  value: value-{number}\n" for number in range(count))
        new = "".join(
            f"- name: name-{number}\n  value: other-{number}\n" for number in range(count - 1, -1, -1)
        )
        start = time.process_time()
        found = compare(f"a:\n{old}", f"a:\n{new}")
        assert len(found.changes) >= count
        return time.process_time() - start

    measure(10)
    small, large = measure(500) + 0.05, measure(5000)
    assert large < 30 * small


def _texts(data: object) -> Iterator[str]:
    """All texts and numbers in some JSON."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield f"{key}\n"
            yield from _texts(value)
    elif isinstance(data, list):
        for value in data:
            yield from _texts(value)
    elif data is not None and not isinstance(data, bool):
        yield f"{data}\n"


# --- the command ---------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path, home: Path) -> Iterator[Project]:
    """A repository with s.yaml for Alice and Bob, committed."""
    project = Project(tmp_path / "p", home, ALICE)
    project.folder.mkdir()
    people = f"      - {ALICE.recipient} # alice\n      - {BOB.recipient} # bob\n"
    project.write(".sops.yaml", f"creation_rules:\n  - age:\n{people}")
    project.write("s.yaml", PLAIN)
    project.run("encrypt", "-i", "s.yaml")
    project.git("init", "-q", "-b", "main")
    project.git("add", "-A")
    project.git("commit", "-qm", "one")
    return project


def update(project: Project, old: str, new: str, name: str = "s.yaml") -> None:
    plain = project.run("decrypt", name).out
    assert old in plain
    project.run("update", name, input=plain.replace(old, new))


def lines(done: Result) -> list[str]:
    return done.out.splitlines()


_ALL = "password|token|name|pin|host|port|tls"


class TestCommand:
    def test_since_the_last_commit(self, project: Project) -> None:
        assert project.run("diff", "s.yaml").out == ""
        assert project.run("diff").out == ""
        update(project, "hunter2", "hunter3")
        wanted = ["HEAD:s.yaml → s.yaml", "  ~ db.password: changed"]
        for words in ([], ["s.yaml"], ["HEAD"], ["HEAD", "s.yaml"], ["--", "s.yaml"], ["HEAD:s.yaml"], ["."]):
            assert lines(project.run("diff", *words, code=1)) == wanted, words

    def test_revisions(self, project: Project) -> None:
        update(project, "hunter2", "hunter3")
        project.git("commit", "-qam", "two")
        update(project, "token:", "secret:")
        project.git("commit", "-qam", "three")
        for words in (["HEAD~2", "HEAD~1"], ["HEAD~2..HEAD~1"], ["HEAD~2:s.yaml", "HEAD~1:s.yaml"]):
            done = project.run("diff", *words, code=1)
            assert lines(done) == ["HEAD~2:s.yaml → HEAD~1:s.yaml", "  ~ db.password: changed"]
        assert lines(project.run("diff", "HEAD~1..", code=1))[1:] == ["  > token: moved to secret"]
        assert lines(project.run("diff", "HEAD~1", "s.yaml", code=1))[1:] == ["  > token: moved to secret"]
        assert lines(project.run("diff", "s.yaml", "HEAD~1", code=1))[1:] == ["  > secret: moved to token"]

    def test_since_a_branch_was_left(self, project: Project) -> None:
        project.git("checkout", "-q", "-b", "side")
        update(project, "hunter2", "hunter3")
        project.git("commit", "-qam", "side")
        project.git("checkout", "-q", "main")
        update(project, "t0ken", "t1ken")
        project.git("commit", "-qam", "main")
        project.git("checkout", "-q", "side")
        assert lines(project.run("diff", "main...", code=1))[1:] == ["  ~ db.password: changed"]
        both = ["  ~ db.password: changed", "  ~ token: changed"]
        assert lines(project.run("diff", "main..", code=1))[1:] == both

    def test_what_is_staged(self, project: Project) -> None:
        update(project, "hunter2", "hunter3")
        assert project.run("diff", "--staged").out == ""
        project.git("add", "s.yaml")
        update(project, "t0ken", "t1ken")
        for words in (["--staged"], ["--cached", "s.yaml"]):
            assert lines(project.run("diff", *words, code=1))[1:] == ["  ~ db.password: changed"]
        assert lines(project.run("diff", ":s.yaml", code=1))[1:] == ["  ~ token: changed"]

    def test_in_a_folder_of_the_repository(self, project: Project) -> None:
        update(project, "hunter2", "hunter3")
        inner = project.path("inner")
        inner.mkdir()
        below = Project(inner, project.home, ALICE)
        for words in (["HEAD", "../s.yaml"], ["HEAD:s.yaml"], ["HEAD:../s.yaml"], ["../s.yaml"]):
            done = below.run("diff", *words, code=1)
            assert lines(done)[1:] == ["  ~ db.password: changed"], words
            assert lines(done)[0].endswith(" → ../s.yaml"), words

    def test_a_rename_a_new_file_and_one_that_is_gone(self, project: Project) -> None:
        project.write("gone.yaml", "a: value\n")
        project.run("encrypt", "-i", "gone.yaml")
        project.git("add", "-A")
        project.git("commit", "-qm", "two")
        project.git("mv", "s.yaml", "t.yaml")
        project.git("rm", "-q", "gone.yaml")
        project.write("new.yaml", "a: value\n")
        project.run("encrypt", "-i", "new.yaml")
        project.git("add", "-A")
        done = project.run("diff", code=1)
        assert lines(done)[lines(done).index("HEAD:s.yaml → t.yaml") + 1] == "  > the file: renamed"
        assert "  + the file: new, encrypted" in lines(done)
        assert "  - the file: gone, encrypted" in lines(done)
        assert sum(line.startswith("  + recipient: alice (age1") for line in lines(done)) == 1

    def test_recipients_by_their_names_and_rules(self, project: Project) -> None:
        people = f"      - {ALICE.recipient} # alice\n      - {CAROL.recipient} # carol\n"
        project.write(
            ".sops.yaml",
            f"creation_rules:\n  - age:\n{people}    encrypted_regex: {_ALL}\n",
        )
        project.run("updatekeys", "-y", "--selection", "--allow-plaintext", "s.yaml")
        done = project.run("diff", code=1)
        alice, bob, carol = (key.recipient for key in (ALICE, BOB, CAROL))
        assert alice not in done.out
        assert lines(done) == [
            "HEAD:.sops.yaml → .sops.yaml",
            f"  ~ creation_rules[0].age[1]: changed: bob ({bob}) → carol ({carol})",
            "  + creation_rules[0].encrypted_regex: added",
            "  ~ comments: 1 changed",
            "HEAD:s.yaml → s.yaml",
            f"  + recipient: carol ({carol})",
            f"  - recipient: bob ({bob})",
            f"  ~ encrypted are: unencrypted_suffix _unencrypted → encrypted_regex {_ALL}",
            "  ~ data key: a new one",
        ]
        assert done.err == "encconf: 2 files differ; of values: 1 changed, 1 added\n"

    def test_without_a_key(self, project: Project) -> None:
        update(project, "hunter2", "hunter3")
        other = {"SOPS_AGE_KEY": CAROL.identity}
        wanted = [
            "HEAD:s.yaml → s.yaml",
            "  ? db.password: a different ciphertext, perhaps of the same value",
        ]
        done = project.run("diff", environ=other, code=1)
        assert lines(done) == wanted
        assert "compared without a key: HEAD:s.yaml: cannot get the data key" in done.err
        done = project.run("diff", "--keyless", code=1)
        assert lines(done) == wanted
        assert done.err == ""

    def test_no_key_is_asked_for_when_none_is_wanted(self, project: Project) -> None:
        update(project, "hunter2", "hunter3")
        environ = {"SOPS_AGE_KEY": "", "SOPS_AGE_KEY_CMD": f"touch {project.path('asked')}"}
        project.run("diff", "--keyless", environ=environ, code=1)
        assert not project.path("asked").exists()
        project.run("diff", environ=environ, code=1)
        assert project.path("asked").exists()

    def test_a_plain_twin(self, project: Project) -> None:
        project.write("plain.yaml", PLAIN)
        assert project.run("diff", "plain.yaml", "s.yaml").out == ""
        assert project.run("diff", "-", "s.yaml", input=PLAIN).out == ""
        project.write("plain.yaml", PLAIN.replace("hunter2", "hunter3"))
        assert lines(project.run("diff", "plain.yaml", "s.yaml", code=1))[1:] == ["  ~ db.password: changed"]
        done = project.run("diff", "--keyless", "plain.yaml", "s.yaml", code=2)
        assert lines(done)[1:] == ["  ? 9 values: cannot be compared without a key"]
        assert "without a key, encconf cannot tell whether they are the same" in done.err
        data = json.loads(project.run("diff", "--keyless", "--json", "plain.yaml", "s.yaml", code=2).out)
        assert data["files"][0]["differs"] is None

    def test_values_are_shown_on_demand_alone(self, project: Project) -> None:
        update(project, "hunter2-canary", "two\\nlines\\x1b[31m")
        done = project.run("diff", "--show-values", code=1)
        assert lines(done)[1:] == ['  ~ db.password: changed: "hunter2-canary" → "two\\\\nlines\\\\x1b[31m"']
        data = json.loads(project.run("diff", "--show-values", "--json", code=1).out)
        (change,) = data["files"][0]["changes"]
        assert (change["old_value"], change["new_value"]) == ("hunter2-canary", "two\\nlines\\x1b[31m")
        assert "exclude each other" in project.run("diff", "--show-values", "--keyless", code=2).err

    def test_never_a_value(
        self, project: Project, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """Of every kind of change, told in every way, with and without a key, not even guessable ones."""
        monkeypatch.chdir(project.folder)
        monkeypatch.setenv("SOPS_AGE_KEY", ALICE.identity)
        before = project.read("s.yaml")
        texts = [PLAIN.replace(old, new) for old, new, _ in CASES]
        texts.append(PLAIN.replace("tls: true", "tls: false"))
        texts.append(PLAIN.replace("# the database", "# canary"))
        project.write("plain.yaml", PLAIN)
        words = ([], ["plain.yaml", "s.yaml"], ["other.yaml", "plain.yaml"], ["HEAD:s.yaml", "other.yaml"])
        for text in texts:
            project.write("s.yaml", again(before, text))
            project.write("other.yaml", text)
            for options in ([], ["--json"], ["--keyless"], ["--keyless", "--json"], ["-q"]):
                for two in words:
                    with pytest.raises(SystemExit) as ended:
                        main(["diff", *options, *two])
                    assert ended.value.code in (1, 2)
                    out, err = capfd.readouterr()
                    said = out + err
                    if "--json" in options:  # it has words of its own
                        said = "".join(_texts(json.loads(out))) + err
                    assert bool(said) == (options != ["-q"])
                    for value in VALUES:
                        assert value not in said, (options, two)

    def test_quiet(self, project: Project) -> None:
        assert project.run("diff", "-q").out == ""
        update(project, "hunter2", "hunter3")
        done = project.run("diff", "--quiet", code=1)
        assert (done.out, done.err) == ("", "")

    def test_json(self, project: Project) -> None:
        update(project, "hunter2", "hunter3")
        data = json.loads(project.run("diff", "--json", code=1).out)
        assert data["differs"] is True
        (file,) = data["files"]
        assert (file["old"], file["new"], file["compared"]) == ("HEAD:s.yaml", "s.yaml", "values")
        (change,) = file["changes"]
        assert (change["kind"], change["path"], change["certain"]) == ("changed", "db.password", True)
        assert "old_value" not in change
        assert (file["data_key"], file["quorum"]) == ("same", ["1 of 1", "1 of 1"])
        assert json.loads(project.run("diff", "--json", "HEAD", "HEAD").out) == {
            "differs": False,
            "files": [],
            "problems": [],
        }

    @pytest.mark.parametrize(
        "words",
        [
            ["nothing-like-that"],
            ["s.yaml", "missing.yaml"],
            ["HEAD:missing.yaml"],
            ["HEAD", "--", "missing.yaml"],
            ["a", "b", "c"],
            [".", "s.yaml"],
            ["--nope"],
            ["--json", "--quiet"],
            ["HEAD~7"],
            ["-"],
        ],
        ids=" ".join,
    )
    def test_trouble_is_2(self, words: list[str], project: Project) -> None:
        done = project.run("diff", *words, code=2)
        assert done.out == ""
        assert "error[" in done.err

    def test_one_that_cannot_be_read_stops_no_other(self, project: Project) -> None:
        broken = project.read("s.yaml").replace("db:\n", "db: [\n")
        update(project, "hunter2", "hunter3")
        project.write("a.yaml", broken)
        project.git("add", "a.yaml")
        done = project.run("diff", code=2)
        assert "  ~ db.password: changed" in lines(done)
        assert "error[parse]: a.yaml" in done.err

    def test_nor_one_that_is_no_text_or_may_not_be_read(self, project: Project) -> None:
        update(project, "hunter2", "hunter3")
        project.path("b.yaml").write_bytes(project.read("s.yaml").encode() + b"\xff")
        project.git("add", "b.yaml")
        done = project.run("diff", "--", "b.yaml", "s.yaml", code=2)
        assert "  ~ db.password: changed" in lines(done)
        assert "error[parse]: b.yaml: line " in done.err
        project.git("commit", "-qm", "b", "b.yaml")
        blob = project.git("rev-parse", "HEAD:b.yaml").strip()
        os.unlink(project.path(f".git/objects/{blob[:2]}/{blob[2:]}"))
        project.write("b.yaml", "b: b\n")
        done = project.run("diff", "--", "b.yaml", "s.yaml", code=2)
        assert "  ~ db.password: changed" in lines(done)
        assert "error[unreadable]: HEAD:b.yaml: git cannot read its content" in done.err
        assert "error[unreadable]: HEAD:b.yaml" in project.run("diff", "b.yaml", code=2).err

    def test_a_conflict(self, project: Project) -> None:
        """What has none is compared all the same."""
        project.git("branch", "side")
        for branch, value in (("side", "hunter3"), ("main", "hunter4")):
            project.git("checkout", "-q", branch)
            update(project, "hunter2", value)
            project.write("note", f"{value}\n")
            project.git("add", "-A")
            project.git("commit", "-qm", branch)
        project.git("merge", "-q", "side", code=1)
        project.write("t.yaml", seal("a: value\n"))
        project.git("add", "t.yaml")
        done = project.run("diff", "--staged", code=2)
        assert "error[unreadable]: s.yaml: it has a merge conflict" in done.err
        assert "note" not in done.err
        assert lines(done)[0] == "HEAD:t.yaml → staged:t.yaml"
        done = project.run("diff", code=2)
        assert "error[parse]: s.yaml" in done.err
        assert lines(done)[0] == "HEAD:t.yaml → t.yaml"

    def test_outside_of_a_repository(self, tmp_path: Path, home: Path) -> None:
        alone = Project(tmp_path / "alone", home, ALICE)
        alone.folder.mkdir()
        alone.write("a.yaml", seal("a: value\n"))
        alone.write("b.yaml", seal("a: other\n"))
        assert lines(alone.run("diff", "a.yaml", "b.yaml", code=1)) == ["a.yaml → b.yaml", "  ~ a: changed"]
        assert "this is not a git repository" in alone.run("diff", code=2).err
        assert "give two files" in alone.run("diff", "a.yaml", code=2).err

    def test_names_do_nothing_to_a_terminal(self, project: Project) -> None:
        name = "a\x1b]0;owned\x07\u202e\n  - secret: removed\udcff.yaml"
        project.write(name, seal('"k\\u202e\\e[31m\\n  - x: removed": value\n'))
        project.git("add", "-A")
        done = project.run("diff", code=1)
        assert [line[:4] for line in lines(done)] == ["HEAD", "  + ", "  + ", "  + "]
        assert (done.out + done.err).replace("\n", "").isprintable()
        (file,) = json.loads(project.run("diff", "--json", code=1).out)["files"]
        assert file["new"] == name

    def test_a_repository_runs_no_program_of_its_own(self, project: Project, tmp_path: Path) -> None:
        ran = tmp_path / "ran"
        update(project, "hunter2", "hunter3")
        for setting in (
            "core.fsmonitor",
            "diff.external",
            "diff.x.textconv",
            "filter.x.smudge",
        ):
            project.git("config", setting, f"touch {ran};")
        project.write(".gitattributes", "* diff=x filter=x\n")
        ran.unlink(missing_ok=True)
        project.run("diff", code=1)
        assert not ran.exists()


def test_hundreds_of_files_in_seconds(project: Project) -> None:
    text = project.read("s.yaml")
    for number in range(300):
        project.write(f"{number}.yaml", text)
    project.git("add", "-A")
    project.git("commit", "-qm", "many")
    changed = again(text, PLAIN.replace("hunter2", "hunter3"))
    for number in range(300):
        project.write(f"{number}.yaml", changed)
    start = time.monotonic()
    done = project.run("diff", code=1)
    assert done.out.count("  ~ db.password: changed") == 300
    assert done.err == "encconf: 300 files differ; of values: 300 changed\n"
    assert time.monotonic() - start < 30
