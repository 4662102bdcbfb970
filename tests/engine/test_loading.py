"""Many files at once, and the cache that a caller owns."""

from __future__ import annotations

import datetime
import os
import traceback
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypedDict

import pytest
from engine import credentials, rule
from oracle import AgeKey, Sops

import encconf
from encconf import api
from encconf.errors import EncconfError, InputError, KeyAccessError, MissingFileError, UnresolvedError
from encconf.sources import references


def _files(folder: Path, key: AgeKey, count: int) -> list[Path]:
    paths = []
    for number in range(count):
        path = folder / f"f{number}.yaml"
        path.write_bytes(api.encrypt(f"n: {number}\n", rule(key), credentials=credentials(key)).encode())
        paths.append(path)
    return paths


def test_in_order(tmp_path: Path, age_key: AgeKey) -> None:
    paths = _files(tmp_path, age_key, 40)
    assert encconf.load_configs(paths, credentials=credentials(age_key)) == [{"n": n} for n in range(40)]
    assert encconf.load_configs([], credentials=credentials(age_key)) == []


def test_a_reference_is_a_text_unless_it_is_to_be_resolved(tmp_path: Path, age_key: AgeKey) -> None:
    path, who = tmp_path / "f.yaml", credentials(age_key)
    path.write_text(api.encrypt("a: ref+env://NOWHERE\n", rule(age_key), credentials=who))
    tree = {"a": "ref+env://NOWHERE"}
    assert encconf.load_configs([path], credentials=who) == [tree]
    assert encconf.load_config(path, credentials=who) == tree
    for load in (encconf.load_config, lambda path, **how: encconf.load_configs([path], **how)):
        with pytest.raises(UnresolvedError):
            load(path, credentials=who, resolve=True)


def test_the_first_error_is_raised_with_its_file(tmp_path: Path, age_key: AgeKey) -> None:
    paths = _files(tmp_path, age_key, 3)
    other = _files(tmp_path, age_key, 1)[0].rename(tmp_path / "other.yaml")
    other.write_text(api.encrypt("a: 1\n", rule(AgeKey.generate()), credentials=credentials(age_key)))
    with pytest.raises(KeyAccessError, match=r"other\.yaml"):
        encconf.load_configs([*paths[1:], other, tmp_path / "missing.yaml"], credentials=credentials(age_key))
    with pytest.raises(MissingFileError, match=r"missing\.yaml"):
        encconf.load_configs([tmp_path / "missing.yaml", other], credentials=credentials(age_key))


def test_an_error_keeps_no_values_of_other_files(tmp_path: Path, age_key: AgeKey) -> None:
    """Error trackers print local variables."""
    path = _files(tmp_path, age_key, 1)[0]
    with pytest.raises(MissingFileError) as caught:
        encconf.load_configs([path, tmp_path / "missing.yaml"], credentials=credentials(age_key))
    names = {frame.f_code.co_name for frame, _ in traceback.walk_tb(caught.value.__traceback__)}
    assert names == {"test_an_error_keeps_no_values_of_other_files"}


def test_an_error_keeps_no_values_of_its_own_file(tmp_path: Path, age_key: AgeKey) -> None:
    """However loading fails, the traceback shows no frame that has some."""
    who, other = credentials(age_key), credentials(AgeKey.generate())
    texts = {
        "good": "a: {b: secret}\nc: 1\nr: ref+env://NOWHERE\n",
        "two": "a: secret\n---\nb: secret\n",
        "list": "- secret\n",
    }
    paths = {}
    for name, text in texts.items():
        if name != "list":
            text = api.encrypt(text, rule(age_key), credentials=who)
        paths[name] = tmp_path / f"{name}.yaml"
        paths[name].write_text(text)
    paths["bad"] = tmp_path / "bad.yaml"
    paths["bad"].write_text(paths["good"].read_text().replace("type:int", "type:bool"))

    class Typed(TypedDict):
        a: int

    fails: list[tuple[str, dict[str, Any]]] = [
        ("good", {"section": "missing"}), ("good", {"section": "c"}), ("good", {"schema": Typed}),
        ("good", {"section": ("a", "x")}), ("good", {"resolve": True}), ("good", {"credentials": other}),
        ("two", {}), ("list", {}), ("bad", {}), ("bad", {"mask": True}),
    ]  # fmt: skip
    for name, options in fails:
        options = {"credentials": who, **options}
        path, text = paths[name], paths[name].read_text()
        calls: list[Callable[[], object]] = [partial(encconf.load_config, path, **options)]
        if not {"section", "schema"} & options.keys():
            calls.append(partial(encconf.load_configs, [path], **options))
            calls.append(partial(encconf.loads, text, **options))
        for call in calls:
            with pytest.raises(EncconfError) as caught:
                call()
            frames = [frame.f_code.co_name for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
            # The last two have the arguments only.
            known = {"test_an_error_keeps_no_values_of_its_own_file", "loads", "call"}
            assert set(frames) <= known, (name, options, call)
            assert "secret" not in str(caught.value)


def test_a_cache_opens_without_the_key(tmp_path: Path, age_key: AgeKey) -> None:
    path = _files(tmp_path, age_key, 1)[0]
    cache = encconf.DataKeyCache()
    assert encconf.load_config(path, credentials=credentials(age_key), cache=cache) == {"n": 0}
    nobody = credentials()
    assert encconf.load_config(path, credentials=nobody, cache=cache) == {"n": 0}
    cache.clear()
    with pytest.raises(KeyAccessError):
        encconf.load_config(path, credentials=nobody, cache=cache)


def test_documents_without_values_do_not_count(age_key: AgeKey) -> None:
    """As for exec, export and conversions."""
    who = credentials(age_key)
    for text, others in (("a: 1\n---\n", 1), ("a: 1\n---\n{}\n--- # c\n", 2)):
        ours = api.encrypt(text, rule(age_key), credentials=who)
        assert encconf.loads(ours, credentials=who) == {"a": 1}
        assert encconf.loads_all(ours, credentials=who) == [{"a": 1}, *[{}] * others]
    for text in ("a: 1\n---\nb: 2\n", "{}\n---\na: 1\n"):
        ours = api.encrypt(text, rule(age_key), credentials=who)
        with pytest.raises(InputError, match="the file has 2 documents, not one"):
            encconf.loads(ours, credentials=who)


def test_comments_in_lists_of_sops_are_no_values(age_key: AgeKey, sops: Sops) -> None:
    text = "l:\n    # one\n    - a\n    # two\n    - b: 1\n# three\nm: c\n"
    theirs = sops.encrypt(text, "yaml", age=age_key.recipient)
    assert theirs.count("type:comment") == 3
    for mask in (False, True):
        found = encconf.loads(theirs, credentials=credentials(age_key), mask=mask)
        assert found == {"l": ["a", {"b": 1}], "m": "c"}


def test_floats_that_older_releases_of_sops_made_of_integers(age_key: AgeKey) -> None:
    """They wrote integers of up to 15 digits so, and larger ones in another spelling."""
    who = credentials(age_key)
    floats = '"a": 5.0, "b": 123456789012345.0, "c": 1234567890123456.0, "d": -12345678901234.0'
    text = f'{{{floats}, "e": 1.5, "f": 7}}'
    new = api.encrypt(text, rule(age_key), format="json", credentials=who)
    old = new.replace('"version": "3.13', '"version": "3.12')
    kinds = [
        {key: type(value) for key, value in encconf.loads(each, format="json", credentials=who).items()}
        for each in (old, new)
    ]
    others = {"e": float, "f": int}
    assert kinds == [
        {"a": int, "b": int, "c": float, "d": int, **others},
        {**dict.fromkeys("abcd", float), **others},
    ]


def test_references_are_resolved_with_the_given_rules(
    tmp_path: Path, age_key: AgeKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = credentials(age_key)
    monkeypatch.setattr(references, "resolve", lambda *args: seen.append(args[1:]) or [{0: "there"}])  # type: ignore[func-returns-value]
    seen: list[tuple[object, ...]] = []
    path = tmp_path / "a.yaml"
    path.write_text(api.encrypt("a: ref+x://y\n", rule(age_key), credentials=who))
    by = references.Resolve()
    assert encconf.load_config(path, credentials=who, resolve=by) == {"a": "there"}
    assert seen == [(by, who, ())]
    assert encconf.load_configs([path], credentials=who, resolve=by) == [{"a": "there"}]
    assert seen[1] == seen[0]
    path = tmp_path / "a.toml"
    text = 'a_unencrypted = "ref+x://y"\nd = 2026-01-01\n'
    path.write_text(api.encrypt(text, rule(age_key), format="toml", credentials=who))
    assert encconf.load_config(path, credentials=who)["d"] == datetime.date(2026, 1, 1)
    assert "there" not in repr(encconf.load_config(path, credentials=who, resolve=by, mask=True))


class TestPython:
    """What json and tomllib take and raise."""

    def test_bytes_open_files_and_resources(self, tmp_path: Path, age_key: AgeKey) -> None:
        who = credentials(age_key)
        path = _files(tmp_path, age_key, 1)[0]
        data = path.read_bytes()
        assert encconf.loads(data, credentials=who) == {"n": 0}
        assert encconf.loads(bytearray(data), credentials=who) == {"n": 0}
        assert encconf.loads_all(data, credentials=who) == [{"n": 0}]
        assert encconf.decrypt(data, credentials=who) == "n: 0\n"
        assert encconf.inspect(data).encrypted == 1
        assert encconf.inspect(encconf.encrypt(b"a: 1\n", rule(age_key))).encrypted == 1
        for mode in ("r", "rb"):
            with path.open(mode) as file:
                assert encconf.load_config(file, credentials=who) == {"n": 0}
        with open(os.open(path, os.O_RDONLY)) as file:  # its name is a number
            assert encconf.load_config(file, credentials=who) == {"n": 0}
        with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
            archive.write(path, "app/f0.yaml")
        with zipfile.ZipFile(tmp_path / "x.zip") as archive:
            inside = zipfile.Path(archive) / "app" / "f0.yaml"
            assert encconf.load_config(inside, credentials=who) == {"n": 0}
            assert encconf.load_configs([inside, path], credentials=who) == [{"n": 0}] * 2

    @pytest.mark.parametrize(
        "call",
        [
            lambda: encconf.loads({"a": 1}),  # type: ignore[arg-type]
            lambda: encconf.encrypt({"a": 1}),  # type: ignore[arg-type]
            lambda: encconf.decrypt(None),  # type: ignore[arg-type]
            lambda: encconf.inspect(3),  # type: ignore[arg-type]
            lambda: encconf.load_config(3),  # type: ignore[arg-type]
            lambda: encconf.load_configs([None]),  # type: ignore[list-item]
        ],
    )
    def test_another_type_is_a_type_error(self, call: Callable[[], object]) -> None:
        with pytest.raises(TypeError, match=r"expected .*, not "):
            call()

    def test_errors_are_those_of_python_too(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError) as missing:
            encconf.load_config(tmp_path / "x.yaml")
        assert (missing.value.errno, missing.value.filename) == (2, str(tmp_path / "x.yaml"))
        assert str(missing.value) == f"{tmp_path / 'x.yaml'}: no such file"
        for text, format in (
            ("a: [", "yaml"),
            ("{", "json"),
            ("a: 1", "yaml"),
            ("", "toml"),
            ("sops: 1", "yaml"),
        ):
            with pytest.raises(ValueError, match=r".") as wrong:
                encconf.loads(text, format=format)
            assert isinstance(wrong.value, EncconfError)
        with pytest.raises(ValueError, match="xml"):
            encconf.loads("a", format="xml")

    def test_a_file_that_may_not_be_read(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object) -> int:
            raise PermissionError(13, "Permission denied")

        (tmp_path / "x.yaml").write_text("a: 1\n")
        monkeypatch.setattr("encconf.io.fileio.os.open", refuse)
        with pytest.raises(PermissionError, match="cannot be read: permission denied") as denied:
            encconf.load_config(tmp_path / "x.yaml")
        assert isinstance(denied.value, EncconfError)
        assert (denied.value.errno, denied.value.filename) == (13, str(tmp_path / "x.yaml"))

    def test_a_traceback_shows_the_hint(self) -> None:
        with pytest.raises(EncconfError) as caught:
            encconf.loads("a: 1\n")
        assert "hint: encrypt it first: encconf encrypt FILE" in traceback.format_exception(caught.value)[-1]
        caught.value.hint = "another"
        caught.value.add_note("and more")
        assert caught.value.__notes__ == ["hint: another", "and more"]
        caught.value.hint = None
        assert caught.value.__notes__ == ["and more"]
