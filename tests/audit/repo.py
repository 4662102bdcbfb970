"""A folder with a .sops.yaml and encrypted files, as the tests of `encconf.audit.check` need it."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import pytest
from oracle import AgeKey
from project import PLAIN, Project

from encconf import api
from encconf.audit.check import ALL, Report, check
from encconf.audit.findings import Finding
from encconf.identities.credentials import Credentials
from encconf.keys import master_key
from encconf.rules.config import Rule
from encconf.rules.selection import Selection

ALICE, BOB = AgeKey.generate(), AgeKey.generate()
SECRET = "hunter2-canary-3f9a"

DATABASE = f"""\
# the database
db:
    host: localhost.example
    password: {SECRET}
    user: administrator
token: 0123456789abcdef
"""


def rule(*keys: AgeKey, selection: Selection | None = None) -> Rule:
    group = [master_key("age", key.recipient) for key in keys or (ALICE,)]
    return Rule([group], None, selection or Selection("unencrypted_suffix", "_unencrypted"))


def groups(*keys: AgeKey, threshold: int) -> Rule:
    return Rule([[master_key("age", key.recipient)] for key in keys], threshold)


def seal(plain: str, by: Rule | None = None, *, format: str = "yaml") -> str:
    return api.encrypt(plain, by or rule(), format=format)


def opener(key: AgeKey) -> Credentials:
    return Credentials.from_env(
        {"SOPS_AGE_KEY": key.identity, "HOME": "/nonexistent", "PATH": os.environ["PATH"]}
    )


class Tracked:
    """A git that has some files, and ignores none."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = frozenset(names)

    def tracked(self, name: str) -> bool:
        return name in self._names

    def exposed(self, name: str) -> bool:
        return True


class Repo:
    """Some files, and a .sops.yaml whose one rule covers ``*.enc.*`` for Alice."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rules()

    @classmethod
    def without_rules(cls, project: Project) -> Self:
        """An empty repository in the folder of a project."""
        for path in project.folder.iterdir():
            if path.is_file():
                path.unlink()
        project.git("init", "-q")
        found = cls(project.folder)
        (project.folder / ".sops.yaml").unlink()
        return found

    def rules(self, *lines: str, path: str = r"\.enc\.", keys: Sequence[AgeKey] = (ALICE,)) -> None:
        """The only rule, with more lines in it."""
        named = ",".join(key.recipient for key in keys)
        body = "".join(f"    {line}\n" for line in lines)
        self.config(f"  - path_regex: {path}\n    age: {named}\n{body}")

    def config(self, rules: str) -> None:
        self.write(".sops.yaml", f"creation_rules:\n{rules}")

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())

    def read(self, name: str) -> str:
        return (self.folder / name).read_text()

    def edit(self, name: str, pattern: str, new: str) -> None:
        """Replace the first match of a pattern, which must be there."""
        text, count = re.subn(pattern, new, self.read(name), count=1, flags=re.M)
        assert count == 1, pattern
        self.write(name, text)

    def names(self) -> list[str]:
        files = (path for path in self.folder.rglob("*") if path.is_file() or path.is_symlink())
        return sorted(path.relative_to(self.folder).as_posix() for path in files)

    def check(
        self,
        *,
        verify: AgeKey | None = None,
        ignored: Sequence[str] = (),
        scope: str = ALL,
        **options: object,
    ) -> Report:
        names = self.names()
        return check(
            names,
            cwd=str(self.folder),
            scope=scope,
            known=Tracked(names),
            verify=opener(verify) if verify is not None else None,
            ignored=ignored,
            **options,  # type: ignore[arg-type]
        )

    def said(self, least: str = "note") -> dict[str, tuple[str, str]]:
        """The slug and the severity of the finding about each file."""
        report = self.check()
        report.show(least)
        return {
            found.file: (found.slug, found.severity)
            for found in report.findings
            if found.slug != "unused-rule"
        }

    def slugs(self, *, verify: AgeKey | None = None) -> set[str]:
        return {found.slug for found in self.check(verify=verify).findings}

    def only(self, slug: str, *, verify: AgeKey | None = None) -> list[Finding]:
        """The findings of a kind."""
        return [found for found in self.check(verify=verify).findings if found.slug == slug]


@pytest.fixture
def project(project: Project) -> Project:
    """A git repository with an encrypted file, whose plain copy git ignores."""
    project.write(".sops.yaml", f"creation_rules:\n  - path_regex: enc\n    age: {project.key.recipient}\n")
    project.write("secrets.yaml", PLAIN)
    project.write(".gitignore", "/secrets.yaml\n")
    project.run("encrypt", "secrets.yaml")
    project.git("init", "-q")
    project.git("add", "-A")
    return project
