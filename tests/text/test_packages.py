"""The command that installs a package beside encconf."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from encconf.text.packages import how_to_install


@pytest.mark.parametrize(
    ("file", "extra", "package"),
    [
        ("pyvenv.cfg", "pip install", "pip install"),
        ("pipx_metadata.json", "pipx inject encconf", "pipx inject encconf"),
        ("uv-receipt.toml", "uv tool install", "uv tool install encconf --with"),
    ],
)
def test_who_installed_encconf_installs_the_package(
    tmp_path: Path, file: str, extra: str, package: str
) -> None:
    (tmp_path / file).touch()
    prefix = str(tmp_path)
    assert shlex.split(how_to_install("encconf[aws]", prefix)) == [*extra.split(), "encconf[aws]"]
    assert shlex.split(how_to_install("x>=48", prefix)) == [*package.split(), "x>=48"]
