"""The user's own configuration file."""

from __future__ import annotations

import os
import stat
import tomllib
from pathlib import Path

import pytest
from engine import rule
from identities.owner import TEXT, Owner, write
from oracle import AgeKey

import encconf
from encconf import api
from encconf.identities import userconfig
from encconf.identities.credentials import Credentials
from encconf.keys import master_key
from encconf.rules.config import Rule
from encconf.rules.selection import DEFAULT


class TestConfiguration:
    def test_it_names_sources(self, me: Owner) -> None:
        me.config('identity = "file:~/mine.txt"\n')
        me.opens(**me.probe())
        assert not me.marker.exists()
        me.config('# mine\nidentity = ["env:NOWHERE", "file:~/mine.txt"]\npgp_passphrase = "env:X"\n')
        me.opens()
        assert me.notices == [
            "~/.config/encconf/config.toml env:NOWHERE: this variable is not set; another key opened the file"
        ]

    def test_a_variable_beats_it(self, me: Owner) -> None:
        me.config("this is no TOML")
        me.opens(ENCCONF_IDENTITY=f"file:{me.keys}")
        me.config('identity = "file:~/mine.txt"\n')
        me.opens(ENCCONF_IDENTITY="")
        assert "config.toml" not in me.fails(ENCCONF_IDENTITY="env:NOWHERE")

    def test_it_is_where_the_platform_has_such_files(self, me: Owner) -> None:
        for environ, platform, folder in (
            ({"HOME": "/h"}, "linux", "/h/.config"),
            ({"HOME": "/h", "XDG_CONFIG_HOME": "/x"}, "linux", "/x"),
            ({"HOME": "/h"}, "darwin", "/h/Library/Application Support"),
            ({"APPDATA": "/a"}, "win32", "/a"),
        ):
            made = Credentials.from_env(environ, platform=platform)
            assert made.config_file == f"{folder}/encconf/config.toml"
        assert Credentials.from_env({}).config_file is None

    @pytest.mark.parametrize(
        ("text", "said", "hint"),
        [
            ("idenity = 'env:X'", "'idenity' is not a setting", "did you mean identity?"),
            ("colour = 'red'", "'colour' is not a setting", "the settings are identity, age_passphrase"),
            ("identity = 3", "identity is not the address of a source", "or a list"),
            ("identity = ['env:X', '']", "identity is not the address of a source", "or a list"),
            ("identity = [", "it is not TOML", ""),
            ("identity = 'caf\xe9'".encode("latin-1"), "line 1: not UTF-8 at byte 15", ""),
        ],
    )
    def test_mistakes_in_it(self, me: Owner, text: str | bytes, said: str, hint: str) -> None:
        write(me.home / ".config" / "encconf" / "config.toml", text)
        report = me.fails()
        assert f"file: ~/.config/encconf/config.toml: {said}" in report
        assert hint in report

    @pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
    def test_others_may_not_write_it(self, me: Owner, mode: int) -> None:
        path = me.config('identity = "file:~/mine.txt"\n', mode)
        report = me.fails()
        assert "~/.config/encconf/config.toml: others can write to it, so it is not used" in report
        assert "chmod go-w" in report
        path.chmod(0o644)
        me.opens()

    def test_it_must_be_one_s_own(self, me: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
        path = me.config('identity = "file:~/mine.txt"\n')
        # As for another user; root's own files are always trusted.
        user = os.geteuid()
        if user == 0:
            os.chown(path, 65534, -1)
        else:
            monkeypatch.setattr(os, "geteuid", lambda: user + 1)
        assert "it belongs to another user and is not used" in me.fails()
        monkeypatch.undo()
        path.unlink()
        path.mkdir()
        assert "it is a folder" in me.fails()
        path.rmdir()
        os.mkfifo(path, 0o600)
        assert "it is not a regular file" in me.fails()

    def test_a_broken_one_is_said_once(self, me: Owner) -> None:
        me.config("not TOML")
        groups = [[master_key("age", me.key.recipient), master_key("age", AgeKey.generate().recipient)]]
        sealed = api.encrypt(TEXT, Rule(groups, None, DEFAULT), credentials=me.credentials())
        assert me.fails(sealed).count("it is not TOML") == 1

    def test_it_is_not_looked_for_before_it_is_needed(self, me: Owner) -> None:
        me.config("not TOML")
        Credentials.from_env(me.environ)
        api.encrypt(TEXT, rule(me.key), credentials=me.credentials())
        cache = encconf.DataKeyCache()
        api.loads(me.sealed, credentials=me.credentials(ENCCONF_IDENTITY=f"file:{me.keys}"), cache=cache)
        assert api.loads(me.sealed, credentials=me.credentials(), cache=cache) == {"password": "hunter2"}


def test_an_address_is_added_to_a_file_that_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    address = 'file:~/\x7f\U0001f511 "mine".txt'
    assert userconfig.add_identity(str(path), address, ["identity", "x"]) is None
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("# mine\nx = 'env:X'\n")
    path.chmod(0o640)
    assert userconfig.add_identity(str(path), address, ["identity", "x"]) is None
    assert path.stat().st_mode & 0o777 == 0o640
    assert path.read_text().endswith("\n# mine\nx = 'env:X'\n")
    assert tomllib.loads(path.read_text()) == {"identity": address, "x": "env:X"}
    assert userconfig.add_identity(str(path), "env:OTHER", ["identity", "x"]) == [address]
    assert tomllib.loads(path.read_text())["identity"] == address


@pytest.mark.posix
def test_the_mode_of_a_file_stays_and_a_new_one_is_private(tmp_path: Path) -> None:
    old, new = tmp_path / "old.toml", tmp_path / "new.toml"
    old.write_text("age_passphrase = 'env:X'\n")
    old.chmod(0o640)
    for path, mode in ((old, 0o640), (new, 0o600)):
        assert userconfig.add_identity(str(path), "env:Y", ["identity", "age_passphrase"]) is None
        assert stat.S_IMODE(path.stat().st_mode) == mode
        assert userconfig.add_identity(str(path), "env:Z", ["identity", "age_passphrase"]) == ["env:Y"]
        assert tomllib.loads(path.read_text())["identity"] == "env:Y"
