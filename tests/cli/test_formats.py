"""Files of every kind through the command line, bytes that are no text included."""

from __future__ import annotations

import pytest
from oracle import Sops
from project import Project

BYTES = bytes(range(256)) * 3


@pytest.mark.parametrize("data", [BYTES, b"", b"\xff", b"plain\n", "ü\r\n".encode()])
def test_binary(project: Project, data: bytes) -> None:
    project.rules()
    path = project.folder / "key.der"
    path.write_bytes(data)
    project.run("encrypt", "key.der")
    project.run("decrypt", "key.enc.der", "-o", "back.der")
    assert (project.folder / "back.der").read_bytes() == data
    if data:
        sops = Sops(project.key.environ())
        assert sops.run("decrypt", str(project.folder / "key.enc.der")).stdout == data
    project.run("encrypt", "-i", "key.der")
    project.run("decrypt", "-i", "key.der")
    assert path.read_bytes() == data


def test_text_formats_still_want_utf8(project: Project) -> None:
    project.rules()
    (project.folder / "a.yaml").write_bytes(b"a: \xff\n")
    done = project.run("encrypt", "a.yaml", code=2)
    assert "not UTF-8 at byte 3" in done.err
    assert "hint: save the file as UTF-8" in done.err


def test_bytes_that_are_not_encrypted_are_said_to_be_that(project: Project) -> None:
    (project.folder / "key.der").write_bytes(b"\xff\0key")
    done = project.run("decrypt", "key.der", code=1)
    assert "error[not-encrypted]: key.der: the file is not encrypted (no sops block)" in done.err


def test_a_tab_that_indents_yaml_is_named(project: Project) -> None:
    project.rules()
    project.write("a.yaml", "a:\n\tb: 1\n")
    done = project.run("encrypt", "a.yaml", code=2)
    assert "a.yaml: line 2, column 1: not valid YAML: a tab at the start of a line\n" in done.err
    assert "hint: indent with spaces" in done.err


@pytest.mark.parametrize(
    ("name", "encrypted", "text"),
    [
        (".env", ".enc.env", "A=1\n# c\nB=two words\n"),
        ("app.env", "app.enc.env", 'export A="x"\n'),
        ("app.ini", "app.enc.ini", "[a]\nx = 1 ; c\n"),
        ("app.toml", "app.enc.toml", "a = 0x1F\n[t]\nd = 2001-01-01 # c\n"),
        ("app.json", "app.enc.json", '{"a": 1.0}\n'),
    ],
)
def test_there_and_back(project: Project, name: str, encrypted: str, text: str) -> None:
    project.rules()
    project.write(name, text)
    project.run("encrypt", name)
    assert "ENC[" in project.read(encrypted)
    assert project.run("decrypt", encrypted).out == text


def test_dotenv_names_as_readers_see_them(project: Project) -> None:
    """sops calls these names ``export A`` and ``B ``.  A line ``A=`` would leave the old value."""
    project.rules()
    project.write("f.env", "export A=x\nB = y\nC=z\n")
    project.run("encrypt", "f.env")
    project.run("set", "f.enc.env", "A", "new")
    assert project.run("get", "f.enc.env", "A").out == "new"
    project.run("unset", "f.enc.env", "B")
    assert project.run("decrypt", "f.enc.env").out == "export A=new\nC=z\n"
    project.run("set", "f.enc.env", '["export A"]', "newer")
    assert project.run("decrypt", "f.enc.env").out == "export A=newer\nC=z\n"
    project.run("set", "f.enc.env", "A", "ref+env://F")
    environ = {"F": "fetched", "ENCCONF_REF_ALLOW": "env"}
    assert project.run("get", "--resolve", "f.enc.env", "A", environ=environ).out == "fetched"
