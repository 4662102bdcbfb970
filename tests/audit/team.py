"""A team's repository: people with age keys, encrypted files, and commits on chosen days."""

from __future__ import annotations

import datetime
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from engine import rotated, update
from oracle import AgeKey
from project import Project

from encconf import api, formats
from encconf.identities.credentials import Credentials
from encconf.keys.age import AgeKey as Recipient
from encconf.rules.config import Rule
from encconf.rules.selection import DEFAULT
from encconf.verbs import rekey

PLAIN = "db:\n  host: localhost\n  password: hunter2\ntoken: s3cr3t-t0ken\nuser_unencrypted: admin\n"


class Team:
    """Files in ``folder``, which is a git repository; every key is known by a name."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        self.home = home
        self.keys: dict[str, AgeKey] = {}
        self.day = datetime.datetime(2025, 1, 1, 12, tzinfo=datetime.UTC)
        folder.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q", "-b", "main")

    def key(self, name: str) -> AgeKey:
        """Somebody's key, made when it is first asked for."""
        if name not in self.keys:
            self.keys[name] = AgeKey.generate()
        return self.keys[name]

    def credentials(self) -> Credentials:
        """What opens every file of the team."""
        return Credentials({"SOPS_AGE_KEY": "\n".join(key.identity for key in self.keys.values())}, home="/")

    def rule(self, *groups: Sequence[str], threshold: int | None = None) -> Rule:
        """A rule for groups of people."""
        keys = [[Recipient(self.key(name).recipient) for name in group] for group in groups]
        return Rule(keys, threshold, DEFAULT, "")

    def config(self, *names: str) -> None:
        """A .sops.yaml in which these people have their names."""
        lines = "".join(f"      - {self.key(name).recipient} # {name}\n" for name in names)
        self.write(".sops.yaml", f"creation_rules:\n  - age:\n{lines}")

    def write(self, path: str, text: str) -> Path:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def read(self, path: str) -> str:
        return (self.folder / path).read_text()

    def seal(
        self, path: str, *groups: Sequence[str], threshold: int | None = None, plain: str = PLAIN
    ) -> Path:
        """An encrypted file for groups of people."""
        for group in groups:
            for name in group:
                self.key(name)
        rule = self.rule(*groups, threshold=threshold)
        text = api.encrypt(plain, rule, format=formats.of_path(path), credentials=self.credentials())
        return self.write(path, text)

    def edit(self, path: str, old: str, new: str) -> None:
        """Change a file's plain text."""
        text, format = self.read(path), formats.of_path(path)
        plain = api.decrypt(text, format=format, credentials=self.credentials())
        assert old in plain
        changed = update(text, format, plain.replace(old, new), credentials=self.credentials())
        self.write(path, changed)

    def share(self, path: str, *groups: Sequence[str], threshold: int | None = None, rotate: bool) -> None:
        """Give a file other readers."""
        rule = self.rule(*groups, threshold=threshold)
        wanted = rekey.plan(self.read(path), rule, format=formats.of_path(path))
        self.write(path, rekey.carry_out(wanted, rotate=rotate, credentials=self.credentials()))

    def rotate(self, path: str) -> None:
        """Give a file a new data key."""
        new = rotated(self.read(path), format=formats.of_path(path), credentials=self.credentials())
        self.write(path, new)

    def commit(self, message: str = "a change", *, days: int = 1) -> str:
        """Commit everything, some days after the last commit; returns the hash."""
        self.day += datetime.timedelta(days=days)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD").strip()

    def git(self, *arguments: str, code: int | None = 0) -> str:
        who = [f"GIT_{who}_{what}" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")]
        dates = dict.fromkeys(("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"), self.day.isoformat())
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.home),
                "GIT_CONFIG_NOSYSTEM": "1",
                **dict.fromkeys(who, "x@example.com"),
                **dates,
            },
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert code is None or done.returncode == code, done
        return done.stdout.decode()

    def project(self, name: str = "") -> Project:
        """The same folder to run encconf in, with the key of a person, or without any."""
        project = Project(self.folder, self.home, self.key(name))
        if not name:
            del project.environ["SOPS_AGE_KEY"]
        return project
