"""A file without its ``sops`` block, in the hands of each command."""

from __future__ import annotations

import re

import pytest
from project import Project


@pytest.fixture
def damaged(sealed: Project) -> Project:
    """A project with ``d.yaml``, an encrypted file whose last lines (the block) are lost."""
    sealed.write("d.yaml", sealed.read("secrets.enc.yaml").split("sops:\n")[0])
    return sealed


@pytest.mark.parametrize(
    "words",
    [
        "encrypt -i d.yaml",
        "encrypt d.yaml",
        "encrypt -i d.yaml d.yaml secrets.yaml",
        "decrypt d.yaml",
        "get d.yaml db.password",
        "set d.yaml db.password x",
        "unset d.yaml db.password",
        "edit d.yaml",
        "update d.yaml",
        "rotate d.yaml",
        "updatekeys -y d.yaml",
        "exec d.yaml -- true",
        "export --format json d.yaml",
    ],
)
def test_it_is_damaged_for_every_command(damaged: Project, words: str) -> None:
    before = {name: damaged.read(name) for name in damaged.names()}
    done = damaged.run(*words.split(), input="x: 1\n", code=1)
    assert "sops block is missing" in done.err
    assert "git log -p" in done.err
    assert "encrypt it first" not in done.err
    assert damaged.read("d.yaml") == before["d.yaml"]


@pytest.mark.parametrize("name", ["d.txt", "d", "d.enc"])
def test_its_name_does_not_matter(damaged: Project, name: str) -> None:
    damaged.write(name, damaged.read("d.yaml"))
    for words in (["encrypt", "-i"], ["decrypt"]):
        assert "sops block is missing" in damaged.run(*words, name, code=1).err
    damaged.run("encrypt", "-i", "--input-type", "binary", name)
    assert damaged.run("decrypt", name).out == damaged.read("d.yaml")


def test_import_takes_no_ciphertext(damaged: Project) -> None:
    enc = re.findall(r"ENC\[.*?\]", damaged.read("d.yaml"))[1]
    damaged.write(".env", f"A={enc}\n")
    assert "the value of A is encrypted" in damaged.run("import", ".env", "-o", "new.enc.env", code=1).err


def test_check_names_it(damaged: Project) -> None:
    damaged.write("e.enc", '{"data": "' + damaged.read("d.yaml").split("host: ")[1].splitlines()[0] + '"}\n')
    said = damaged.run("check", "d.yaml", "e.enc").out
    assert "2 files: the file has encrypted values but no sops block" in said


def test_a_file_that_was_encrypted_twice(damaged: Project) -> None:
    """As sops makes it: only decrypt gives what is inside, with a warning."""
    from oracle import Sops

    inner = damaged.read("d.yaml")
    damaged.write("t.yaml", Sops(damaged.key.environ()).encrypt(inner, "yaml", age=damaged.key.recipient))
    for words in ("get t.yaml db.password", "exec t.yaml -- true", "export --format json t.yaml"):
        assert "encrypted twice" in damaged.run(*words.split(), code=25).err
    done = damaged.run("decrypt", "t.yaml")
    assert "encrypted twice" in done.err
    assert "ENC[" in done.out
