"""Somebody with an identity, and a file for it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from engine import rule
from oracle import AgeKey

from encconf import api
from encconf.errors import KeyAccessError
from encconf.identities.credentials import Credentials

TEXT = "password: hunter2\n"

PASSPHRASE = "correct horse"


def write(path: Path, data: bytes | str, mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    path.chmod(mode)
    return path


class Owner:
    """Somebody with a home, and a file that is encrypted for the age key."""

    def __init__(self, home: Path, key: AgeKey) -> None:
        self.home = home
        self.key = key
        self.notices: list[str] = []
        self.environ = {"HOME": str(home), "PATH": os.environ["PATH"]}
        self.sealed = api.encrypt(TEXT, rule(key), credentials=self.credentials())
        self.keys = write(home / "mine.txt", f"# me\n{key.identity}\n")
        self.marker = home / "probed"

    def credentials(self, **environ: str) -> Credentials:
        return Credentials.from_env({**self.environ, **environ}, platform="linux", notify=self.notices.append)

    def opens(self, sealed: str | None = None, **environ: str) -> None:
        made = self.credentials(**environ)
        made.prompt = None
        assert api.loads(sealed or self.sealed, credentials=made) == {"password": "hunter2"}

    def fails(self, sealed: str | None = None, **environ: str) -> str:
        """The report, which shows no secret."""
        made = self.credentials(**environ)
        made.prompt = None
        with pytest.raises(KeyAccessError) as caught:
            api.loads(sealed or self.sealed, credentials=made)
        report = f"{caught.value.message}\n{caught.value.hint}"
        assert self.key.identity not in report
        assert PASSPHRASE not in report
        return report

    def config(self, text: str, mode: int = 0o600) -> Path:
        return write(self.home / ".config" / "encconf" / "config.toml", text, mode)

    def probe(self) -> dict[str, str]:
        """Two of sops's places, which leave a mark when they are looked at."""
        command = f"sh -c 'touch {self.marker}'"
        return {"SOPS_AGE_KEY_CMD": command, "SOPS_AGE_SSH_PRIVATE_KEY_CMD": command}
