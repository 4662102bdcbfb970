"""The examples of README.md and the pages of docs/ run as shown, and their links work."""

from __future__ import annotations

import os
import re
from pathlib import Path
from unittest.mock import patch

import pages
import pytest
from oracle import FIXTURES

import encconf
from docs.make import python_reference
from encconf.rules import config

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
ALL = sorted(path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
RUN = {"console", "python"}
# tests/plugins/test_installed.py runs docs/plugins.md in another environment, since it installs a package.
SHOWN = [
    name for name in ALL
    if RUN & {language for language, _ in pages.blocks(ROOT / name)} and name != "docs/plugins.md"
]  # fmt: skip


@pytest.fixture
def project(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty git repository with the demo's secrets.yaml, and encconf on PATH."""
    folder = tmp_path / "project"
    for name, value in pages.enter(folder, FIXTURES / "demo" / "secrets.yaml").items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("name", SHOWN)
def test_what_it_shows_is_so(name: str, project: Path) -> None:
    with patch.dict(os.environ):  # the variables of a page must not affect the next one
        pages.run(ROOT / name, project)


def test_the_readme_comes_back_to_the_byte(project: Path) -> None:
    pages.run(README, project)
    plain = (FIXTURES / "demo" / "secrets.yaml").read_text()
    assert (project / "secrets.yaml").read_text() == plain.replace("pa55-w0rd", "n3w-pa55")


def test_the_example_configuration_is_the_one_in_this_repository() -> None:
    (quoted,) = [block for language, block in pages.blocks(README) if language == "yaml"]
    assert quoted == (ROOT / ".sops.yaml").read_text(encoding="utf-8")
    rules = config.load(str(ROOT / ".sops.yaml"), quoted)
    production = rules.rule_for(str(ROOT / "deploy" / "prod" / "web.yaml"))
    assert [len(group) for group in production.groups] == [2]
    assert [len(group) for group in rules.rule_for(str(ROOT / "web.yaml")).groups] == [1]


@pytest.mark.parametrize("name", ALL)
def test_its_links_lead_somewhere(name: str) -> None:
    page = ROOT / name
    for target in re.findall(r"\]\(([^):#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_every_page_is_in_the_table_of_contents() -> None:
    contents = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    for page in ROOT.glob("docs/*.md"):
        assert page.name == "README.md" or f"({page.name})" in contents, page.name


def test_the_python_reference_is_made_from_the_docstrings() -> None:
    """make reference"""
    assert python_reference.PAGE.read_text(encoding="utf-8") == python_reference.page()
    shown = {name for names in python_reference.GROUPS.values() for name in names}
    assert shown == set(encconf.__all__) - {"__version__"}
