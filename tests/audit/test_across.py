"""What only several files together show."""

from __future__ import annotations

import re

from audit.checked import sound
from audit.repo import DATABASE, Repo, seal

from encconf.audit.check import plain_names


def test_a_nonce_of_another_file(repo: Repo) -> None:
    sound(repo)
    repo.write("b.enc.yaml", seal(DATABASE))
    (iv,) = re.findall(r"host: .*iv:([^,]*),", repo.read("a.enc.yaml"))
    repo.edit("b.enc.yaml", r"(password: .*iv:)[^,]*", rf"\g<1>{iv}")
    (found,) = repo.check().findings
    assert (found.slug, found.file, found.path) == ("equal-iv", "b.enc.yaml", "db.password")
    assert "a.enc.yaml: db.host" in found.message


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
