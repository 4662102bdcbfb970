"""Texts that are installed with encconf."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest

import encconf.audit
import encconf.cli  # noqa: F401 - both packages must be loaded
from encconf.io.fileio import packaged


def test_a_file_beside_a_module_and_one_in_a_folder_below_it() -> None:
    assert packaged("encconf.audit", "findings.txt").startswith("not-encrypted error\n")
    assert packaged("encconf.cli", "help/exit-codes.txt").startswith("Exit codes are those of sops")


def test_a_package_in_an_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "app.zip", "w") as archive:
        archive.writestr("zipped_texts/__init__.py", "")
        archive.writestr("zipped_texts/below/text.txt", "a €\r\n\n")
    monkeypatch.syspath_prepend(tmp_path / "app.zip")
    __import__("zipped_texts")
    try:
        assert packaged("zipped_texts", "below/text.txt") == "a €\n\n"
    finally:
        del sys.modules["zipped_texts"]
