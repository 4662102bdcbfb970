"""``file:``: files of this machine."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from encconf import sources
from encconf.errors import SourceError
from encconf.testing.contracts.source import WHOLE, Failing, Place, WritableSourceContract, failure, shown

from .machine import who

VALUE = b"s3cret-of-this-machine"


class TestFile(WritableSourceContract):
    SCHEME = "file"
    REASONS = frozenset({"missing", "denied", "wrong"})

    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        path = tmp_path / "secret"
        path.write_bytes(VALUE)
        path.chmod(0o600)
        return Place(f"file:{path}", VALUE, lambda: who(home=str(tmp_path)))

    @pytest.fixture
    def structured(self, tmp_path: Path) -> str:
        (tmp_path / "tree.json").write_text(WHOLE)
        return f"file:{tmp_path}/tree.json"

    @pytest.fixture
    def vals(self, place: Place) -> str:
        return f"ref+file://{place.address.removeprefix('file:')}"

    @pytest.fixture
    def fresh(self, tmp_path: Path) -> str:
        return f"file:{tmp_path}/new"

    @pytest.fixture
    def failing(self, tmp_path: Path, closed: Callable[[], Path]) -> Failing:
        return lambda reason: {
            "missing": lambda: (f"file:{tmp_path}/nothing", who()),
            "denied": lambda: (f"file:{closed()}/secret", who()),
            "wrong": lambda: ("file:/", who()),
        }[reason]()

    def test_where_a_path_starts(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "a #?%").write_bytes(b"x")
        monkeypatch.chdir(tmp_path)
        for address in ("file:a%20%23%3F%25", "file:~/a %23%3f%25", "ref+file://a%20%23%3F%25+"):
            assert sources.fetch(address, who(home=str(tmp_path))) == b"x"
        error = failure("file:~/a", who())
        assert (error.reason, error.message) == ("unusable", "HOME is unset, so ~ names no folder")
        (tmp_path / os.fsdecode(b"\xff")).write_bytes(b"y")
        assert sources.fetch("file:%FF", who()) == b"y"

    def test_what_is_no_file(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")  # no process writes to it, and encconf does not wait for it
        (tmp_path / "large").write_bytes(b"")
        os.truncate(tmp_path / "large", sources.LIMIT + 1)
        for name, message in (
            ("pipe", "cannot be read: it is not a regular file"),
            ("", "cannot be read: it is a folder"),
            ("large", "larger than 16 MiB"),
        ):
            assert failure(f"file:{tmp_path}/{name}", who()).message == message
        assert failure("file:/dev/zero", who()).message == "cannot be read: it is not a regular file"
        assert failure(f"file:{tmp_path}/large/x", who()).reason == "missing"
        assert failure(f"file:/{'x' * 5000}", who()).message.startswith("cannot be read")

    def test_a_misspelled_name_has_a_suggestion(self, tmp_path: Path) -> None:
        (tmp_path / "db-password").write_bytes(VALUE)
        meant = f"did you mean {tmp_path / 'db-password'}?"
        assert failure(f"file:{tmp_path}/db-pasword", who()).hint == meant
        assert failure(f"file:{tmp_path}/other", who()).hint == "create it, or correct the path"

    def test_a_file_that_everybody_can_read_gives_a_warning(self, tmp_path: Path) -> None:
        said: list[str] = []
        path = tmp_path / "open"
        path.write_bytes(VALUE)
        for mode, count in ((0o640, 0), (0o644, 1)):
            path.chmod(mode)
            assert sources.fetch(f"file:{path}", who(notify=said.append)) == VALUE
            assert len(said) == count
        assert said == [f"{path}: everyone on this machine can read this secret: chmod 600 it"]

    def test_what_is_written_is_private_and_whole(self, tmp_path: Path) -> None:
        old = os.umask(0)
        try:
            sources.store(f"file:{tmp_path}/new", b"1", who())
            (tmp_path / "link").symlink_to("new")
            sources.store(f"file:{tmp_path}/link", b"2", who(), replace=True)
        finally:
            os.umask(old)
        assert (tmp_path / "new").read_bytes() == b"2"
        assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600
        assert (tmp_path / "link").is_symlink()
        with pytest.raises(SourceError) as caught:
            sources.store(f"file:{tmp_path}/no/new", b"1", who())
        assert caught.value.reason == "denied"
        assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "new"]

    @pytest.mark.services  # chown, as root
    def test_a_link_of_another_user_is_not_written_to(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o1777)
        (tmp_path / "link").symlink_to("new")
        os.chown(tmp_path / "link", 65534, -1, follow_symlinks=False)
        with pytest.raises(SourceError, match="cannot be used: a link that another user has put"):
            sources.store(f"file:{tmp_path}/link", b"1", who())

    def test_yaml_has_fields_too(self, tmp_path: Path) -> None:
        (tmp_path / "s.yaml").write_text("a:\n  b: [1.50, true, x, null, 2001-01-01]\n'a/b': c\n")
        address = f"file:{tmp_path}/s.yaml"
        for field, value in {"a/b/0": b"1.5", "a/b/1": b"true", "a/b/2": b"x", "a%2Fb": b"c"}.items():
            assert sources.fetch(f"{address}#{field}", who()) == value
        assert failure(f"{address}#a/b/3", who()).message == "its field a/b/3 is null"
        assert failure(f"{address}#a/b/9", who()).reason == "missing"
        (tmp_path / "text").write_text("{ s3cret")
        error = failure(f"file:{tmp_path}/text#a", who())
        assert error.message == "a field is asked for, and the secret is neither JSON nor YAML"
        assert "s3cret" not in shown(error)
