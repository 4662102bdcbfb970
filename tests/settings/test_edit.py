"""Changing a file from Python."""

from __future__ import annotations

import copy
import enum
import json
import os
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pace import at_most

import encconf
from encconf import decrypt, edit, load_config
from encconf.engine.changes import REMOVED
from encconf.errors import (
    ChangedError,
    EmitError,
    EncconfError,
    InputError,
    LimitError,
    PlaintextError,
    WrongTypeError,
)
from encconf.identities.credentials import Credentials
from encconf.settings.edit import differences
from encconf.testing import TestKey

TEXT = """\
# the database
db:
    host: localhost   # the name
    port: 5432

    password: "hunter2"
users: [alice, bob]
servers:
    - name: a
      size: 1
    - name: b   # the second
      size: 2
"""


@pytest.fixture
def path(write: Callable[..., Path]) -> Path:
    return write("s.enc.yaml", TEXT)


def test_only_what_changed_changes(path: Path) -> None:
    path.chmod(0o640)
    before = path.read_text().splitlines()
    with edit(path) as doc:
        doc["db"]["port"] = 5433
        doc["servers"][1]["size"] = 3
    text = path.read_text()
    assert decrypt(text) == TEXT.replace("5432", "5433").replace("size: 2", "size: 3")
    changed = [line for line in text.splitlines() if line not in before]
    keys = [re.split(r"[:=]", line.strip())[0] for line in changed]
    assert [key for key in keys if key != "lastmodified"] == ["port", "size", "mac"]
    assert path.stat().st_mode & 0o777 == (0o640 if os.name == "posix" else 0o666)  # Windows has no others


def test_the_file_is_opened_once(path: Path) -> None:
    actions: list[str] = []

    class Counting(Credentials):
        def audit(self, action: str, text: str) -> None:
            actions.append(action)

    credentials = Counting.from_env()
    with edit(path, credentials=credentials) as doc:
        doc["db"]["port"] = 5432
    assert actions == ["decrypt"]
    with edit(path, credentials=credentials) as doc:
        doc["users"].append("carol")
    assert actions == ["decrypt", "decrypt", "encrypt"]


def test_new_removed_and_nested_values(path: Path) -> None:
    with edit(path) as doc:
        del doc["db"]["password"]
        doc["users"].append("carol")
        doc["servers"].pop(0)
        doc["new"] = {"list": [1, 2.5, True, None], "text": "5"}
    assert load_config(path) == {
        "db": {"host": "localhost", "port": 5432},
        "users": ["alice", "bob", "carol"],
        "servers": [{"name": "b", "size": 2}],
        "new": {"list": [1, 2.5, True, None], "text": "5"},
    }
    assert "# the second" in decrypt(path.read_text())


def test_nothing_is_written_without_a_change_or_after_an_error(path: Path) -> None:
    before = path.stat()
    with edit(path) as doc:
        doc["db"] = dict(doc["db"])

    def fail() -> None:
        with edit(path) as doc:
            doc["db"]["port"] = 1
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("s.enc.json", '{\n  "a": 1,\n  "b": {"c": "x"}\n}\n'),
        ("s.enc.toml", "a = 1 # one\n\n[b]\nc = 'x'\n"),
        ("s.enc.env", "# note\na=1\nb=x\n"),
        ("s.enc.ini", "; note\n[b]\nc = x\n"),
    ],
)
def test_every_format(write: Callable[..., Path], name: str, text: str) -> None:
    path = write(name, text)
    with edit(path) as doc:
        if isinstance(doc["b"], dict):
            doc["b"]["c"] = "changed"
        else:
            doc["b"] = "changed"
    format = {"env": "dotenv"}.get(name.rpartition(".")[2], name.rpartition(".")[2])
    assert decrypt(path.read_text(), format=format) == text.replace("x", "changed")


def test_dotenv_as_it_is_loaded(write: Callable[..., Path]) -> None:
    path = write("s.enc.env", "export A=x\nB = y\nC='z'\nD=d\n")
    with edit(path) as doc:
        assert doc == {"A": "x", "B": "y", "C": "z", "D": "d"}
        doc |= {"A": '"quoted"', "B": " b", "D": "d d"}
        del doc["C"]
    meant = {"A": '"quoted"', "B": " b", "D": "d d"}
    assert load_config(path) == meant
    assert decrypt(path.read_text(), format="dotenv").split("\n")[0] == 'export A="\\"quoted\\""'


def test_a_name_on_two_lines_of_dotenv(write: Callable[..., Path]) -> None:
    path = write("s.enc.env", "A=x\nexport A=y\n")
    for change in (lambda doc: doc.update(A="z"), lambda doc: doc.pop("A")):
        with pytest.raises(EmitError, match="A on 2 lines"), edit(path) as doc:
            change(doc)
    assert load_config(path) == {"A": "y"}


def test_a_file_that_changed_meanwhile_is_not_overwritten(path: Path, key: TestKey) -> None:
    def race() -> None:
        with edit(path) as doc:
            doc["db"]["port"] = 1
            key.write(path, {"other": 1})

    with pytest.raises(ChangedError):
        race()
    assert load_config(path) == {"other": 1}


def test_a_value_that_would_stay_in_plaintext(key: TestKey, path: Path) -> None:
    from encconf.rules.selection import Selection

    path.write_text(key.encrypt("pw: x\nname: y\n", selection=Selection("encrypted_regex", "^pw$")))
    Path(".sops.yaml").write_text(
        f"creation_rules: [{{age: {key.recipient}, encrypted_regex: ^(pw|token)$}}]"
    )
    with edit(path) as doc:
        doc["pw"] = "z"
    with pytest.raises(PlaintextError, match="token would be saved as plaintext"), edit(path) as doc:
        doc["token"] = "hunter2"

    def renames() -> None:
        with edit(path) as doc:
            doc["token"] = doc.pop("name")

    with pytest.raises(PlaintextError, match="token would be saved as plaintext"):
        renames()
    assert load_config(path) == {"pw": "z", "name": "y"}


def test_a_comment_that_stays_reveals_no_other_value(key: TestKey, path: Path) -> None:
    rule = f"creation_rules:\n  - age: {key.recipient}\n    unencrypted_comment_regex: public\n"
    (path.parent / ".sops.yaml").write_text(rule)
    text = "# public\na: x\nb: y\n"
    path.write_text(encconf.encrypt(text, encconf.find_rule(path)))
    with pytest.raises(PlaintextError, match="b would be saved as plaintext"), edit(path) as doc:
        del doc["a"]
    assert decrypt(path.read_text()) == text
    with edit(path) as doc:
        doc["a"] = "new"
        del doc["b"]
    assert "a: new\n" in path.read_text()


def test_a_rule_without_a_selection_accepts_the_file_s_own(key: TestKey, path: Path) -> None:
    """As it does for ``encconf set``."""
    from encconf.rules.selection import Selection

    path.write_text(key.encrypt("pw: x\nname: y\n", selection=Selection("encrypted_regex", "^pw$")))
    Path(".sops.yaml").write_text(f"creation_rules: [{{age: {key.recipient}}}]")
    with edit(path) as doc:
        doc["name"] = "z"
    assert load_config(path) == {"pw": "x", "name": "z"}


def test_a_warning_about_who_can_read_the_new_value(path: Path) -> None:
    """A branch may have replaced the file by one of theirs.  What is only removed, nobody can read."""
    Path(".sops.yaml").write_text(f"creation_rules: [{{age: {TestKey.generate().recipient}}}]")
    said: list[str] = []
    with edit(path, notify=said.append) as doc:
        del doc["users"]
    assert said == []
    with edit(path, notify=said.append) as doc:
        doc["db"]["password"] = "new"
    [warning] = said
    assert "creation_rules[0] of .sops.yaml does not name them; if they should not" in warning
    assert "encconf updatekeys" in warning


def test_no_warning_about_a_line_break_that_is_one(write: Callable[..., Path]) -> None:
    path = write("s.enc.env", "A=1\n")
    said: list[str] = []
    with edit(path, notify=said.append) as doc:
        doc["A"] = "two\nlines"
    assert load_config(path) == {"A": "two\nlines"}
    assert said == []


@pytest.mark.parametrize("config", ["creation_rules: [", "creation_rules: [{path_regex: '(', age: x}]"])
def test_a_configuration_that_cannot_be_used_stops_it(key: TestKey, path: Path, config: str) -> None:
    """It says which values must not be saved as plaintext."""
    Path(".sops.yaml").write_text(config)
    before = path.read_text()
    with pytest.raises(EncconfError, match=r"\.sops\.yaml"), edit(path) as doc:
        doc["new"] = "z"
    assert path.read_text() == before
    with edit(path) as doc:  # as `encconf unset`
        first = next(iter(doc))
        del doc[first]
    assert first not in load_config(path)


def test_removing_an_item_saves_no_value(key: TestKey, path: Path) -> None:
    """The others move, and they were plaintext before."""
    from encconf.rules.selection import Selection

    path.write_text(key.encrypt("pw: x\nhosts: [a, b]\n", selection=Selection("encrypted_regex", "^pw$")))
    Path(".sops.yaml").write_text(
        f"creation_rules: [{{age: {key.recipient}, encrypted_regex: ^(pw|hosts)$}}]"
    )
    with edit(path) as doc:
        del doc["hosts"][0]
    assert load_config(path) == {"pw": "x", "hosts": ["b"]}


@pytest.mark.parametrize("value", [{1, 2}, object(), {1: "x"}, [b"\xff"]])
def test_a_value_of_another_type(path: Path, value: object) -> None:
    with pytest.raises(WrongTypeError, match=r"new"), edit(path) as doc:
        doc["new"] = value


def test_several_documents_are_no_dict(path: Path, key: TestKey) -> None:
    path.write_text(key.encrypt("a: 1\n---\nb: 2\n"))
    with pytest.raises(InputError, match="2 documents"), edit(path):
        pass


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["a", "b", "1"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from("abcd"), VALUES), st.dictionaries(st.sampled_from("abcd"), VALUES))
def test_the_differences_make_the_new_value(old: dict[str, Any], new: dict[str, Any]) -> None:
    from encconf.formats.writing import drop_plain, put_plain

    tree: Any = copy.deepcopy(old)
    operations = list(differences(old, new))
    for path, value in operations:
        if value is REMOVED:
            drop_plain(tree, path)
        else:
            tree = put_plain(tree, path, value)
    assert repr(_sorted(tree)) == repr(_sorted(new))
    assert bool(operations) == (repr(_sorted(old)) != repr(_sorted(new)))


def _sorted(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _sorted(tree[key]) for key in sorted(tree)}
    return [_sorted(item) for item in tree] if isinstance(tree, list) else tree


def test_edits_at_the_same_time_wait_for_each_other(write: Callable[..., Path]) -> None:
    """The lock is held during the block: no increment is lost, and none is refused."""
    path = write("n.enc.yaml", {"n": 0})
    errors: list[BaseException] = []

    def count() -> None:
        try:
            for _ in range(10):
                with edit(path) as doc:
                    doc["n"] += 1
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert load_config(path) == {"n": 40}


class Color(str, enum.Enum):  # noqa: UP042 - it prints as Color.RED, not as its text
    RED = "red"
    SIZE = "size"


def test_an_enum_of_texts_is_saved_as_its_text(path: Path) -> None:
    with edit(path) as doc:
        doc["users"][0] = Color.RED
        doc["servers"] = {Color.SIZE: Color.RED}
        doc[Color.RED] = 1
    assert "Color" not in decrypt(path.read_text())
    loaded = load_config(path)
    assert (loaded["users"][0], loaded["servers"], loaded["red"]) == ("red", {"size": "red"}, 1)


def _in_itself() -> list[object]:
    value: list[object] = ["hunter3"]
    value.append(value)
    return value


def _deep(levels: int) -> object:
    value: object = "hunter3"
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("hunter3\ud800", EmitError),
        ([10**5000], EmitError),
        (_in_itself(), LimitError),
        (_deep(300), LimitError),
        (_deep(500), LimitError),
        (_deep(5000), LimitError),
    ],
)
def test_a_value_that_no_file_can_hold(path: Path, value: object, kind: type[EncconfError]) -> None:
    before = path.read_text()
    with pytest.raises(kind, match=r"s\.enc\.yaml: db") as caught, edit(path) as doc:
        doc["db"]["new"] = value
    assert "hunter3" not in repr((caught.value, caught.value.__context__, caught.value.__cause__))
    assert path.read_text() == before


def test_a_key_of_another_type(path: Path) -> None:
    with pytest.raises(WrongTypeError, match=r"db: a key is a str, not int"), edit(path) as doc:
        doc["db"][1] = "x"


def test_a_date_that_python_does_not_have(write: Callable[..., Path]) -> None:
    path = write("s.enc.yaml", "z: 0000-01-01\nn: 1\n")
    assert load_config(path)["z"] == "0000-01-01T00:00:00Z"
    with edit(path) as doc:
        doc["n"] = 2
    assert decrypt(path.read_text()) == "z: 0000-01-01\nn: 2\n"


@pytest.mark.parametrize(("old", "new"), [(1.0, 1), (1, 1.0)])
def test_a_number_of_another_type_in_json(write: Callable[..., Path], old: float, new: float) -> None:
    path = write("s.enc.json", {"n": old, "other": 2.0})
    kept = json.loads(path.read_text())["other"]
    with edit(path) as doc:
        doc["n"] = new
    assert repr(load_config(path)) == repr({"n": new, "other": 2.0})
    assert json.loads(path.read_text())["other"] == kept


@pytest.mark.parametrize("format", ["yaml", "json", "toml", "ini"])
def test_many_changes_take_linear_time(format: str, tmp_path: Path) -> None:
    """Each change looked for its place, and for the layout around it, in the whole text."""
    count = 2000
    texts = {
        "yaml": "l:\n" + "".join(f"  - a: {n}\n    b:\n      c: x\n" for n in range(count)),
        "json": json.dumps({"l": [{"a": n, "b": {"c": "x"}} for n in range(count)]}, indent=1),
        "toml": "".join(f"[[l]]\na = {n}\n[l.b]\nc = 'x'\n" for n in range(count)),
        "ini": "".join(f"[s{n}]\na = {n}\n" for n in range(count)),
    }
    path = tmp_path / f"x.{format}"
    key = TestKey.generate()
    key.write(path, texts[format])
    with at_most(6), edit(path, credentials=key.credentials()) as doc:
        items = list(doc.values()) if format == "ini" else doc["l"]
        for item in items[::2]:
            item["new"] = "x" if format == "ini" else {"x": 1}
    after = load_config(path, credentials=key.credentials())
    items = list(after.values()) if format == "ini" else after["l"]
    assert sum("new" in item for item in items) == count // 2


@pytest.mark.parametrize(
    "text",
    [
        "base: &b {pw: default, host: h}\nprod:\n  <<: *b\n  pw: own\n",
        "one: &a {pw: default}\ntwo: &b {<<: *a}\nprod:\n  <<: [*b]\n  pw: own\n",
    ],
)
def test_a_key_over_a_merge_key_is_not_removed(text: str, tmp_path: Path) -> None:
    """The value that is merged would take its place."""
    key = TestKey.generate()
    path = tmp_path / "x.yaml"
    key.write(path, text)
    who = key.credentials()
    before = path.read_text()
    refused = pytest.raises(EmitError, match=r"prod\.pw cannot be removed: the merge key <<")
    with refused, edit(path, credentials=who) as doc:
        del doc["prod"]["pw"]
    assert path.read_text() == before
    with edit(path, credentials=who) as doc:
        doc["prod"]["pw"] = None
    assert load_config(path, credentials=who)["prod"]["pw"] is None


def test_a_list_that_becomes_empty_is_one_edit() -> None:
    assert list(differences({"a": [1, 2]}, {"a": []})) == [(("a",), [])]
    assert list(differences({"a": [1, 2, 3]}, {"a": [2]})) == [(("a", 2), REMOVED), (("a", 0), REMOVED)]
    assert list(differences({"a": [1, 2, 3]}, {"a": [4]})) == [(("a",), [4])]
