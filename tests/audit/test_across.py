"""What only several files together show."""

from __future__ import annotations

import re

from audit.checked import sound
from audit.repo import DATABASE, Repo, seal


def test_a_nonce_of_another_file(repo: Repo) -> None:
    sound(repo)
    repo.write("b.enc.yaml", seal(DATABASE))
    (iv,) = re.findall(r"host: .*iv:([^,]*),", repo.read("a.enc.yaml"))
    repo.edit("b.enc.yaml", r"(password: .*iv:)[^,]*", rf"\g<1>{iv}")
    (found,) = repo.check().findings
    assert (found.slug, found.file, found.path) == ("equal-iv", "b.enc.yaml", "db.password")
    assert "a.enc.yaml: db.host" in found.message
