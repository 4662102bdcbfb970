"""Plaintext copies of encrypted files."""

from __future__ import annotations

from audit.checked import sound
from audit.repo import Repo

from encconf.audit.twins import plain_names


def test_names_of_plain_twins() -> None:
    wanted = {
        "a/secrets.enc.yaml": "a/secrets.yaml",
        "secrets.sops.json": "secrets.json",
        ".enc.env": ".env",
        "key.pem.enc": "key.pem",
        "enc.secrets.yaml": "secrets.yaml",
        "secrets.yaml": "secrets.dec.yaml",
        "values-enc.yaml": "values.yaml",
        "x.enc.yml": "x.decrypted.yml",
        "s.yaml": "s.yaml.dec",
    }
    for name, plain in wanted.items():
        names = plain_names(name)
        assert plain in names
        assert name not in names


def test_an_old_twin_is_a_warning(repo: Repo) -> None:
    sound(repo)
    repo.write("a.yaml", "db: {host: h, password: p, user: u}\ntoken: t\n")
    (found,) = repo.check().findings
    assert (found.slug, found.severity) == ("plain-twin", "warning")
