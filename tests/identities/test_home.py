"""Folders of a user: the home folder as ``~``, and where configuration files are."""

from __future__ import annotations

import pytest

from encconf.identities.credentials import config_home, expanded, tilde


@pytest.mark.parametrize(
    ("path", "home", "shown"),
    [
        ("/home/me/x", "/home/me", "~/x"),
        ("/home/me/x", "/home/me/", "~/x"),
        ("/home/me", "/home/me", "/home/me"),
        ("/home/mex", "/home/me", "/home/mex"),
        ("/etc/x", "/home/me", "/etc/x"),
        ("/home/me/x", None, "/home/me/x"),
        ("/x", "", "/x"),
    ],
)
def test_the_home_folder_is_shown_as_a_tilde(path: str, home: str | None, shown: str) -> None:
    assert tilde(path, home) == shown


@pytest.mark.parametrize(
    ("path", "home", "found"),
    [
        ("~/x", "/home/me", "/home/me/x"),
        ("~other/x", "/home/me", "~other/x"),
        ("x/~/y", "/home/me", "x/~/y"),
        ("~/x", None, "~/x"),
    ],
)
def test_a_tilde_in_front_is_the_home_folder(path: str, home: str | None, found: str) -> None:
    assert expanded(path, home) == found


@pytest.mark.parametrize(
    ("environ", "home", "platform", "found"),
    [
        ({}, "/home/me", "linux", "/home/me/.config"),
        ({}, "/Users/me", "darwin", "/Users/me/Library/Application Support"),
        ({"XDG_CONFIG_HOME": "/c"}, "/home/me", "linux", "/c"),
        ({"XDG_CONFIG_HOME": "/c"}, None, "linux", "/c"),
        ({"XDG_CONFIG_HOME": "c"}, "/home/me", "linux", None),  # as in sops: relative is an error there
        ({"XDG_CONFIG_HOME": "c"}, "/Users/me", "darwin", "c"),
        ({"XDG_CONFIG_HOME": ""}, "/home/me", "linux", "/home/me/.config"),
        ({"APPDATA": "C:\\A"}, "C:\\Users\\me", "win32", "C:\\A"),
        ({}, "C:\\Users\\me", "win32", None),
        ({"APPDATA": ""}, "C:\\Users\\me", "win32", None),
        ({}, None, "linux", None),
    ],
)
def test_where_configuration_files_are(
    environ: dict[str, str], home: str | None, platform: str, found: str | None
) -> None:
    assert config_home(environ, home, platform) == found
