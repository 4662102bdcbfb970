"""docs/sops-differences.md: every row has a test here, and every test a row.

A test is called after its row.  It shows what the real sops does where that can be shown, and what
encconf does under both names.
"""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import grpc
import pyrage
import pytest
from doubles.openbao import ROOT_TOKEN, OpenBao
from doubles.recording_keyservice import RecordingKeyservice, RefusalError, by_itself
from doubles.script import Script
from engine import opened
from oracle import AgeKey

from .conftest import ROOT, Box, Ended, boxes

ELSEWHERE = {
    "publish-dots": "test_a_prefix_that_leaves_its_place",
    "audit": "test_what_is_not",
    "publish-refused": "test_who_may_not_write",
    "publish-lists": "test_lists_of_mappings_in_vault",
    "publish-suffix": "test_re_encrypted",
    "publish-regex": "test_the_whole_recreation_rule_counts",
    "publish-address": "test_where_values_may_go",
    "publish-engine": "test_no_rule_writes_to_what_is_not_a_kv_engine",
    "publish-many": "test_a_folder_of_which_some_is_encrypted",
    "pgp-passphrase": "test_nobody_is_asked_for_the_passphrase_of_a_stranger",
    "windows-rule": "test_a_path_regex_matches_with_either_slash",
    "edit-new": "test_on_a_terminal_it_asks_first",
    "windows-words": "test_command_lines_stay_as_they_are",
}
"""Rows whose test needs servers, Windows, a terminal or a pinentry, and is in the file that has these."""

REFUSED = {
    "key-bytes": ("x.yaml", '!!binary "/w==": x\n', "!!binary /w==: x\n"),
    "anchor-colon": ("x.yaml", "k: &an:chor v\n", "k: :chor v\n"),
    "ini-twice": ("x.ini", "[s]\na = 1\na = 2\n", "[s]\na = 2\n"),
    "json-more": ("x.json", '{"a": 1} x', '{\n\t"a": 1\n}\n'),
}
"""Rows about a text that encconf refuses to encrypt: a file, its text, and what sops decrypts afterwards."""

PAGE = ROOT / "docs" / "sops-differences.md"
YAML = "a:\n    b: hello\nl:\n    - 1\n"


class Sides:
    """The real sops, encconf called sops, and encconf, each with a rule for the same key."""

    def __init__(self, folder: Path) -> None:
        self.key = AgeKey.generate()
        rules = f"creation_rules:\n  - age: {self.key.recipient}\n"
        self.real, self.ours = boxes(folder, self.key, {".sops.yaml": rules, "e.yaml": YAML})
        own = folder / "bin" / "encconf"
        own.write_text(f"#!{sys.executable}\nfrom encconf.cli import run\n\nrun()\n")
        own.chmod(0o755)
        self.own = Box(folder / "own" / "box", str(own), self.key, {"PYTHONPATH": str(ROOT)})
        self.all = (self.real, self.ours, self.own)
        self.write(".sops.yaml", rules)
        self.encrypt("e.yaml", YAML)

    def write(self, name: str, text: str) -> None:
        for box in self.all:
            box.write(name, text)

    def encrypt(self, name: str, text: str, *flags: str) -> None:
        """The same file for all, as the real sops makes it."""
        self.real.write(name, text)
        self.real.run("encrypt", "-i", *flags, name, code=0)
        self.write(name, self.real.read(name))

    def mine(self, name: str, text: str, *flags: str) -> None:
        """The same file for all, as encconf makes it."""
        self.ours.write(name, text)
        self.ours.run("encrypt", "-i", *flags, name, code=0)
        self.write(name, self.ours.read(name))

    def run(self, *args: str, input: str = "") -> tuple[Ended, Ended, Ended]:
        real, ours, own = (box.run(*args, input=input) for box in self.all)
        return real, ours, own

    def rules(self, more: str, *keys: AgeKey) -> None:
        named = ",".join(key.recipient for key in keys or (self.key,))
        self.write(".sops.yaml", f"creation_rules:\n  - age: {named}\n{more}")


@pytest.fixture
def sides(tmp_path: Path) -> Sides:
    return Sides(tmp_path)


def rows() -> list[str]:
    return re.findall(r"(?m)^\| `([a-z-]+)` \|", PAGE.read_text(encoding="utf-8"))


def test_the_page_and_the_tests_are_one() -> None:
    tested = {name.removeprefix("test_").replace("_", "-") for name in globals() if name.startswith("test_")}
    tested -= {"the-page-and-the-tests-are-one", "what-is-refused"}
    assert tested | set(ELSEWHERE) | set(REFUSED) == set(rows())
    folders = (ROOT / "tests" / "publish", ROOT / "tests" / "windows")
    files = [file for folder in folders for file in folder.glob("test_*.py")]
    files += [ROOT / "tests" / "test_auditlog.py", ROOT / "tests" / "cli" / "test_edit.py"]
    files.append(ROOT / "tests" / "keys" / "test_pgp.py")
    text = "".join(file.read_text() for file in files)
    assert all(f"def {name}(" in text for name in ELSEWHERE.values())
    assert len(rows()) == len(set(rows()))


@pytest.mark.parametrize("row", REFUSED)
def test_what_is_refused(sides: Sides, row: str) -> None:
    name, text, plain = REFUSED[row]
    sides.write(name, text)
    assert [each.code for each in sides.run("encrypt", "-i", name)] == [0, 2, 2]
    assert sides.real.run("decrypt", name, code=0).out == plain
    assert sides.ours.read(name) == sides.own.read(name) == text


def test_layout(sides: Sides) -> None:
    text = "a:\n  b: 1\n\nl: [1, 2]\n"
    sides.mine("x.yaml", text)
    real, ours, own = sides.run("decrypt", "x.yaml")
    assert real.out == "a:\n    b: 1\nl:\n    - 1\n    - 2\n"
    assert ours.out == own.out == text


def test_indent(sides: Sides) -> None:
    sides.rules("stores: {json: {indent: 2}, yaml: {indent: 2}}\n")
    sides.write("p.yaml", "a:\n    b: 1\n")
    real, ours = (box.run("encrypt", "p.yaml", code=0) for box in (sides.real, sides.ours))
    own = sides.own.run("encrypt", "-o", "-", "p.yaml", code=0)
    assert real.out.startswith("a:\n  b: ENC[")
    assert ours.out.startswith("a:\n    b: ENC[")
    assert own.out.startswith("a:\n    b: ENC[")
    for box in sides.all:
        assert box.run("decrypt", "--output-type", "json", "e.yaml").out.startswith('{\n  "a": {\n    "b"')
    for box in (sides.real, sides.ours):
        assert box.run("--indent", "3", "-d", "e.yaml").out.startswith("a:\n   b: hello\n")
    sides.rules("stores: {json: {indent: 101}, yaml: {indent: 2000000000}}\n")
    real, *others = sides.run("decrypt", "--output-type", "json", "e.yaml")
    assert real.out.startswith("{\n" + " " * 101 + '"a": {\n')
    for done in others:
        assert (done.out, done.code > 0) == ("", True)
        assert "an indentation of more than 100 characters" in done.err


def test_spelling(sides: Sides) -> None:
    sides.mine("x.yaml", "a: 0x1F\nb: 2024-01-02\n")
    real, ours, own = sides.run("decrypt", "x.yaml")
    assert real.out == ours.out == "a: 31\nb: 2024-01-02T00:00:00Z\n"
    assert own.out == "a: 0x1F\nb: 2024-01-02\n"


def test_quotes(sides: Sides) -> None:
    sides.mine("x.yaml", "a: \"x\"\nb: 'y'\n")
    real, ours, own = sides.run("decrypt", "x.yaml")
    assert real.out == 'a: x\nb: "y"\n'.replace('"y"', '"y"')
    assert ours.out == own.out == "a: \"x\"\nb: 'y'\n"


def test_float(sides: Sides) -> None:
    sides.encrypt("x.yaml", "a: 1234567.0\nb: 1e30\n")
    real, ours, own = sides.run("decrypt", "x.yaml")
    assert real.out == "a: 1.234567e+06\nb: 1e+30\n"
    assert ours.out == own.out == "a: 1234567.0\nb: 1000000000000000000000000000000.0\n"
    sides.mine("y.yaml", "a: 3.0\n")
    real, ours, own = sides.run("decrypt", "y.yaml")
    assert real.out == "a: 3\n"
    assert ours.out == own.out == "a: 3.0\n"


def test_strings(sides: Sides) -> None:
    words = ["22:22", "yes", "2001-99-99", "1,000", "tRue", "="]
    sides.encrypt("x.yaml", "l:\n" + "".join(f"    - '{word}'\n" for word in words))
    real, ours, own = sides.run("decrypt", "x.yaml")
    quoted = [f'    - "{word}"' for word in words]
    assert real.out.splitlines()[1:] == quoted[:2] + [f"    - {word}" for word in words[2:]]
    assert ours.out.splitlines()[1:] == own.out.splitlines()[1:] == quoted
    sides.own.write("y.yaml", "a: 22:22\n")
    sides.own.run("encrypt", "-i", "y.yaml", code=0)
    assert sides.own.run("decrypt", "y.yaml").out == "a: 22:22\n"


def test_block_scalar(sides: Sides) -> None:
    for box in sides.all:
        box.write("x.yaml", "k: |\n    a\n    b\n")
        box.run("encrypt", "-i", "x.yaml", code=0)
    assert sides.real.read("x.yaml").startswith("k: ENC[")
    for box in (sides.ours, sides.own):
        assert box.read("x.yaml").startswith("k: |-\n    ENC[")
        sides.real.write("x.yaml", box.read("x.yaml"))
        assert sides.real.run("decrypt", "x.yaml").out == "k: |\n    a\n    b\n"


def test_yaml_escape(sides: Sides) -> None:
    text = 'a: "x \\\' y"\n'
    sides.write("x.yaml", text)
    assert [each.code for each in sides.run("encrypt", "-i", "x.yaml")] == [0, 2, 2]
    assert sides.real.run("decrypt", "x.yaml").out == "a: x ' y\n"
    assert sides.ours.read("x.yaml") == sides.own.read("x.yaml") == text


def test_yaml_cr(sides: Sides) -> None:
    text = "a: 1\r\nb: 2\r\n"
    sides.write("x.yaml", text)
    sides.run("encrypt", "-i", "x.yaml")
    said = [box.run("decrypt", "x.yaml", code=0).out for box in sides.all]
    assert said == [text.replace("\r", ""), text, text]
    assert ["\r\n" in box.read("x.yaml") for box in sides.all] == [False, True, True]


def test_record(sides: Sides) -> None:
    sides.mine("x.yaml", "a: 0x1F\nb: 1\n")
    assert "encconf_layout: ENC[" in sides.ours.read("x.yaml")
    for box, stays in ((sides.real, False), (sides.ours, True)):
        box.run("set", "x.yaml", '["b"]', "2", code=0)
        assert ("encconf_layout" in box.read("x.yaml")) is stays
    assert sides.real.run("decrypt", "x.yaml").out == "a: 31\nb: 2\n"
    assert sides.own.run("decrypt", "x.yaml").out == "a: 0x1F\nb: 1\n"


def test_flow_root(sides: Sides) -> None:
    sides.encrypt("x.json", '{"a": {"b": "c"}}')
    sides.write("x.yaml", sides.real.read("x.json"))
    real, ours, own = sides.run("decrypt", "--output-type", "yaml", "x.yaml")
    assert real.out == ours.out == own.out == "a:\n    b: c\n"
    real, ours, own = sides.run("decrypt", "x.yaml")
    assert real.out == "a:\n    b: c\n"
    assert ours.out == own.out == '{\n\t"a": {\n\t\t"b": "c"\n\t}\n}\n'


def test_list_head(sides: Sides) -> None:
    for box in sides.all:
        box.write("x.yaml", "l:\n  # above\n  - a: b # behind\n")
        box.run("encrypt", "-i", "x.yaml", code=0)
        done = box.run("decrypt", "x.yaml")
        assert done.out.count("#") in ((1, 2) if box is sides.real else (2,))  # 2 before sops 3.13
    sides.real.write("x.yaml", sides.own.read("x.yaml"))
    assert sides.real.run("decrypt", "x.yaml").out.count("#") == 2


def test_list_items(sides: Sides) -> None:
    sides.encrypt("x.yaml", "l:\n    # c\n    - a\nz: x\n")
    assert "    - ENC[" in sides.real.read("x.yaml").splitlines()[1]
    for box in (sides.real, sides.ours):
        box.run("set", "x.yaml", '["z"]', '"new"', code=0)
    sides.own.run("set", "x.yaml", "z", "new", code=0)
    assert sides.real.read("x.yaml").splitlines()[1].startswith("    - ENC[")
    for box in (sides.ours, sides.own):
        assert box.read("x.yaml").splitlines()[1].startswith("    #ENC[")
        assert box.run("decrypt", "x.yaml").out == "l:\n    # c\n    - a\nz: new\n"
        before = box.read("x.yaml").splitlines()[:3]
        box.run("set", "x.yaml", *(['["z"]', '"v"'] if box is sides.ours else ["z", "v"]), code=0)
        assert box.read("x.yaml").splitlines()[:3] == before


def test_list_bare(sides: Sides) -> None:
    for box in sides.all:
        box.write("x.yaml", "l:\n    - a\n    #\nz: x\n")
        box.run("encrypt", "-i", "x.yaml", code=0)
        third = '- ""' if box is sides.real else "#"
        assert box.run("decrypt", "x.yaml").out == f"l:\n    - a\n    {third}\nz: x\n"


def test_merge_name(sides: Sides) -> None:
    sides.encrypt("x.yaml", '"<<": baz\n')
    real, ours, own = sides.run("decrypt", "x.yaml")
    assert real.code in (1, 2)
    assert ours.code == own.code == 0
    assert ours.out == own.out
    assert own.out.endswith("<<: baz\n")


def test_depth(sides: Sides) -> None:
    for levels, code in ((190, 0), (250, 2)):
        sides.write("x.yaml", "a: " + "[" * levels + "x" + "]" * levels + "\n")
        real, ours, own = sides.run("encrypt", "-i", "x.yaml")
        assert (real.code, ours.code, own.code) == (0, code, code)
    assert "200 levels" in ours.err


def test_aliases(sides: Sides) -> None:
    text = f"a_unencrypted: &a [{'x, ' * 5000}]\nb_unencrypted: [{'*a, ' * 40}]\n"
    sides.write("x.yaml", text)
    real, ours, own = sides.run("encrypt", "-i", "x.yaml")
    assert (real.code, ours.code, own.code) == (0, 2, 2)
    assert "aliases expand to more than" in ours.err


def test_json_signs(sides: Sides) -> None:
    sides.mine("x.json", '{"a": "<&>"}')
    real, ours, own = sides.run("decrypt", "x.json")
    assert "\\u003c\\u0026\\u003e" in real.out
    assert ours.out == own.out == '{"a": "<&>"}'
    sides.mine("x.yaml", 'a: "<&>"\n')
    real, ours, own = sides.run("decrypt", "--output-type", "json", "x.yaml")
    assert real.out == ours.out == own.out


def test_encrypt_target(sides: Sides) -> None:
    sides.write("p.yaml", "a: 1\n")
    real, ours, own = sides.run("encrypt", "p.yaml")
    assert "sops:" in real.out
    assert "sops:" in ours.out
    assert own.out == ""
    assert "sops:" in sides.own.read("p.enc.yaml")


def test_encrypt_again(sides: Sides) -> None:
    sides.write("p.yaml", "a: 1\nb: 2\n")
    for box in (sides.real, sides.ours):
        first, second = (box.run("encrypt", "p.yaml", code=0).out for _ in range(2))
        assert first.splitlines()[0] != second.splitlines()[0]
    sides.own.write("p.yaml", "a: 1\nb: 2\nsecret: kW8vQz2LrT\n")
    sides.own.run("encrypt", "p.yaml", code=0)
    before = sides.own.read("p.enc.yaml")
    sides.own.write("p.yaml", "a: 1\nb: 3\nsecret: kW8vQz2LrT\n")
    sides.own.run("encrypt", "p.yaml", code=0)
    assert before.splitlines()[0] == sides.own.read("p.enc.yaml").splitlines()[0]


def test_encrypt_twice(sides: Sides) -> None:
    sides.encrypt("notes.txt", "some words\n")
    real, ours, own = sides.run("encrypt", "notes.txt")
    assert (real.code, ours.code, own.code) == (0, 203, 203)
    for box in sides.all:
        assert box.run("encrypt", "e.yaml").code == 203
    sides.write(".env.sops", sides.real.read("e.yaml"))
    real, ours, own = sides.run("encrypt", "-i", ".env.sops")
    assert (real.code, ours.code, own.code) == (0, 203, 203)
    for box in (sides.ours, sides.own):
        box.run("encrypt", "-i", "--input-type", "binary", ".env.sops", code=0)


def test_lost_block(sides: Sides) -> None:
    lost = sides.real.read("e.yaml").split("sops:\n")[0]
    sides.write("x.yaml", lost)
    real, ours, own = sides.run("encrypt", "-i", "x.yaml")
    assert (real.code, ours.code, own.code) == (0, 1, 1)
    assert "sops metadata not found" in ours.err
    assert sides.ours.read("x.yaml") == sides.own.read("x.yaml") == lost
    sides.write("x.yaml", sides.real.read("x.yaml"))
    for box in sides.all:
        assert box.run("decrypt", "x.yaml", code=0).out == lost
    assert sides.own.run("get", "x.yaml", "a.b").code == 25


def test_encrypt_convert(sides: Sides) -> None:
    sides.rules("    unencrypted_regex: ^a$\n")
    sides.write("x.json", '{"a": true, "b": "x"}\n')
    for box in sides.all:
        box.run("encrypt", "--output-type", "dotenv", "--output", "x.env", "x.json", code=0)
    assert sides.real.run("decrypt", "x.env").code == 51
    for maker in (sides.ours, sides.own):
        sides.real.write("x.env", maker.read("x.env"))
        for box in (sides.real, maker):
            assert box.run("decrypt", "x.env").out == "a=true\nb=x\n"


def test_ini_lines(sides: Sides) -> None:
    text = "[s]\nk =\n  --one\n  two\n"
    sides.write("x.ini", text)
    real, ours, own = sides.run("encrypt", "-i", "x.ini")
    assert (real.code, ours.code, own.code) == (2, 0, 0)
    assert sides.own.run("decrypt", "x.ini").out == text
    assert sides.ours.run("decrypt", "x.ini").code == 0
    sides.write("y.ini", "[s]\nk =\n  x = 1\n")
    assert sides.real.run("encrypt", "-i", "y.ini").code == 0
    assert sides.real.run("decrypt", "--extract", '["s"]["x"]', "y.ini").out == "1"


def test_ini_cut(sides: Sides) -> None:
    sides.write("x.ini", "[s]\na = x#y\nb = x ; y\n")
    for box in sides.all:
        box.run("encrypt", "-i", "x.ini", code=0)
    values = [box.run("decrypt", "--extract", '["s"]["a"]', "x.ini").out for box in sides.all]
    assert values == ["x", "x#y", "x#y"]
    for box in sides.all:
        assert box.run("decrypt", "--extract", '["s"]["b"]', "x.ini").out == "x"


def test_empty_document(sides: Sides) -> None:
    sides.encrypt("x.yaml", "pw: x\n")
    enc = sides.real.read("x.yaml")
    block = enc[enc.index("sops:") :]
    sides.write("x.yaml", f"pw: ''\n{block}---\n{enc.removesuffix(block)}")
    real, ours, own = sides.run("exec-env", "x.yaml", 'echo "[$pw]"')
    assert (real.code, real.out) == (0, "[]\n")
    assert (ours.code, ours.out, own.code, own.out) == (51, "", 51, "")


def test_dotenv_command(sides: Sides) -> None:
    text = "A=1\n2FA=\nB.c-d=\nexport E=\n  # F=\n"
    sides.encrypt("x.env", text)
    assert sides.ours.run("decrypt", "x.env").out == text
    for name in ("$(program)", "'x", "program #", "A; program"):
        sides.write("y.env", f"{name}=\n{sides.real.read('x.env')}")
        real, ours, own = sides.run("decrypt", "y.env")
        assert real.out.startswith(f"{name}=\n")
        assert (ours.code, ours.out, own.code, own.out) == (51, "", 51, ""), name


def test_empty_twice(sides: Sides) -> None:
    for name, text, at, more in (
        ("x.env", "PW=x\n", "sops_age", "export PW=\nsops_age"),
        ("x.json", '{"db": {"pw": "x"}}', '\t"sops": {', '\t"db": {},\n\t"sops": {'),
        ("x.json", '{"db": {"pw": "x", "user": "y"}}', '"user"', '"z": ""}, "db": {"user"'),
        ("x.ini", "[s]\npw = x\n", "[sops]", "[s]\npw =\n[sops]"),
        ("x.yaml", "a: b\n---\npw: x\n", "sops:", "pw: ''\nsops:"),
    ):
        sides.encrypt(name, text)
        enc = sides.real.read(name)
        before, _, after = enc.rpartition(at) if name != "x.env" else enc.partition(at)
        sides.write(name, f"{before}{more}{after}")
        real, ours, own = sides.run("decrypt", name)
        assert real.code == 0, name
        assert (ours.code, ours.out, own.code, own.out) == (51, "", 51, ""), name


def test_dotenv_twice(sides: Sides) -> None:
    sides.encrypt("x.env", "A=1\nA=2\n")
    real, ours, own = sides.run("decrypt", "--output-type", "json", "x.env")
    assert real.out == '{\n\t"A": "1",\n\t"A": "2"\n}\n'
    assert ours.out == own.out == '{\n\t"A": "2"\n}\n'


def test_dotenv_indent(sides: Sides) -> None:
    sides.encrypt("x.env", "  # a = b\nA=1\n")
    real, ours, own = sides.run("decrypt", "--output-type", "json", "x.env")
    assert list(json.loads(real.out)) == ["  # a ", "A"]
    assert list(json.loads(ours.out)) == list(json.loads(own.out)) == ["  # a ", "A"]
    for box in (sides.real, sides.ours):
        box.run("set", "x.env", '["A"]', '"2"', code=0)
    assert sides.real.run("decrypt", "x.env").out == "  # a = b\nA=2\n"
    assert json.loads(sides.ours.run("decrypt", "--output-type", "json", "x.env").out) == {"A": "2"}
    assert sides.ours.run("decrypt", "x.env").out == "  # a = b\nA=2\n"


def test_dotenv_bom(sides: Sides) -> None:
    sides.encrypt("x.env", "\ufeffA=1\n")
    real, ours, own = sides.run("decrypt", "--output-type", "json", "x.env")
    assert real.out == ours.out == own.out == '{\n\t"\ufeffA": "1"\n}\n'
    sides.mine("y.env", "\ufeffA=1\n")
    assert sides.ours.read("y.env").startswith("A=ENC[")
    real, ours, own = sides.run("decrypt", "y.env")
    assert (real.out, own.out) == ("A=1\n", "\ufeffA=1\n")


def test_dotenv_cr(sides: Sides) -> None:
    sides.encrypt("x.env", "A=1\r\nB=2\r\n")
    real, ours, own = sides.run("decrypt", "--output-type", "json", "x.env")
    assert real.out == ours.out == own.out == '{\n\t"A": "1\\r",\n\t"B": "2\\r"\n}\n'
    sides.mine("y.env", "A=1\r\nB=2\r\n")
    real, ours, own = sides.run("decrypt", "y.env")
    assert real.out == "A=1\nB=2\n"
    assert ours.out == own.out == "A=1\r\nB=2\r\n"
    sides.ours.run("decrypt", "-i", "y.env", code=0)
    assert sides.ours.read("y.env") == "A=1\r\nB=2\r\n"


def test_comment_cr(sides: Sides) -> None:
    sides.encrypt("x.env", "A=1\n")
    sides.write("x.env", f"#\rB=2\n{sides.real.read('x.env')}")
    real, ours, own = sides.run("decrypt", "x.env")
    assert (real.code, real.out) == (0, "#\rB=2\nA=1\n")
    assert (ours.code, ours.out, own.code, own.out) == (25, "", 25, "")


def test_ini_end(sides: Sides) -> None:
    text = "[s]\n; first\na = 1\nb = `x` ; last\n\n; last\n"
    sides.encrypt("x.ini", text)
    assert "last" not in sides.real.run("decrypt", "x.ini").out
    sides.mine("y.ini", text)
    real, ours, own = sides.run("decrypt", "y.ini")
    assert "last" not in real.out
    assert "first" in real.out
    assert ours.out == own.out == text


def test_ini_nested(sides: Sides) -> None:
    text = '{"s": {"b": {"c": "d"}}}'
    sides.write("n.json", text)
    flags = ("--output-type", "ini")
    real = sides.real.run("encrypt", *flags, "n.json", code=0)
    assert "b = [{c ENC[" in real.out
    sides.write("n.ini", real.out)
    assert sides.real.run("decrypt", "n.ini").code
    for box in (sides.ours, sides.own):
        more = () if box is sides.ours else ("-o", "-")
        ended = box.run("encrypt", *flags, *more, "n.json")
        assert (ended.code, ended.out) == (4, "")
        assert box.run("decrypt", "n.ini").code


def test_json_cut(sides: Sides) -> None:
    for text in ('{"a": 1, "b"', '{"a": 1, "b":', '{"a": 1, "b": [1'):
        sides.write("x.json", text)
        assert [each.code for each in sides.run("encrypt", "-i", "x.json")] == [0, 2, 2], text
        assert json.loads(sides.real.run("decrypt", "x.json").out) == {"a": 1}
        assert sides.ours.read("x.json") == sides.own.read("x.json") == text


def test_json_twice(sides: Sides) -> None:
    text = '{"a": "1", "a": "2"}'
    sides.write("p.json", text)
    real, ours, own = sides.run("encrypt", "-i", "p.json")
    assert (real.code, ours.code, own.code) == (0, 2, 2)
    sides.encrypt("x.json", text)
    real, ours, own = sides.run("decrypt", "x.json")
    assert real.out.count('"a"') == 2
    assert real.out == ours.out == own.out
    real, ours, own = sides.run("decrypt", "--extract", '["a"]', "x.json")
    assert (real.out, ours.out, own.out) == ("1", "2", "2")
    assert sides.ours.run("set", "x.json", '["a"]', '"3"').code == 2


def test_yaml_twice(sides: Sides) -> None:
    text = "a: 1\n---\nb: 1\nb: 2\n"
    sides.write("p.yaml", text)
    real, ours, own = sides.run("encrypt", "-i", "p.yaml")
    assert (real.code, ours.code, own.code) == (0, 2, 2)
    sides.encrypt("x.yaml", text)
    real, ours, own = sides.run("decrypt", "x.yaml")
    assert real.out == ours.out == own.out == text
    sides.write("first.yaml", "b: 1\nb: 2\n")
    assert sides.real.run("encrypt", "-i", "first.yaml").code != 0


def test_json_float(sides: Sides) -> None:
    sides.mine("x.json", '{\n\t"a": 1.0,\n\t"b": 1e3\n}\n')
    real, ours, own = sides.run("decrypt", "x.json")
    assert real.out == '{\n\t"a": 1,\n\t"b": 1000\n}\n'
    assert ours.out == '{\n\t"a": 1.0,\n\t"b": 1000.0\n}\n'
    assert own.out == '{\n\t"a": 1.0,\n\t"b": 1e3\n}\n'


def test_json_int(sides: Sides) -> None:
    text = '{\n\t"a": 3\n}\n'
    sides.encrypt("x.json", text)
    old = sides.real.run("--version").out.split()[1] in ("3.11.0",)
    assert ("type:float" in sides.real.read("x.json")) == old
    sides.mine("y.json", text)
    assert "type:int" in sides.ours.read("y.json")
    for name in ("x.json", "y.json"):
        real, ours, own = sides.run("decrypt", name)
        assert real.out == ours.out == own.out == text


def test_not_utf(sides: Sides) -> None:
    for name, text in (("x.env", b"A=caf\xe9\nB=x\n"), ("x.ini", b"[s]\nA = caf\xe9\nB = x\n")):
        for box in sides.all:
            (box.folder / name).write_bytes(text)
        assert sides.ours.run("encrypt", name).code == sides.own.run("encrypt", name).code == 2
        sides.real.run("encrypt", "-i", name, code=0)
        for box in sides.all:
            (box.folder / name).write_bytes((sides.real.folder / name).read_bytes())
            box.run("decrypt", "--output", f"out-{name}", name, code=0)
            assert (box.folder / f"out-{name}").read_bytes() == text
        path = '["B"]' if name == "x.env" else '["s"]["B"]'
        assert sides.ours.run("set", name, path, '"y"').code == 2


def test_size(sides: Sides) -> None:
    for box in sides.all:
        (box.folder / "x.bin").write_bytes(b"x" * (52 << 20))
    real, ours, own = (box.run("encrypt", "--output", "y.bin", "x.bin") for box in sides.all)
    assert (real.code, ours.code, own.code) == (0, 2, 2)
    assert "larger than 64 MiB" in ours.err
    for box in (sides.ours, sides.own):
        assert not (box.folder / "y.bin").exists()
        (box.folder / "z.bin").write_bytes((sides.real.folder / "y.bin").read_bytes())
        assert box.run("decrypt", "z.bin").code == 2


def test_binary_suffix(sides: Sides) -> None:
    sides.rules("    unencrypted_suffix: data\n")
    for box in sides.all:
        box.write("x.bin", "text")
    said = [box.run("encrypt", "--output", "y.bin", "x.bin", code=0).err for box in sides.all]
    texts = [box.read("y.bin") for box in sides.all]
    assert all('"data": "ENC[' in text for text in texts)
    assert '"unencrypted_suffix"' not in texts[0]
    assert all('"unencrypted_suffix": "_unencrypted"' in text for text in texts[1:])
    assert all(re.search("unencrypted.suffix", words) for words in said)


def test_edit_s(sides: Sides) -> None:
    for box in sides.all:
        ended = box.run("edit", "-s", "e.yaml", environ=box.editor('sed -i s/hello/bye/ "$1"'))
        assert ended.code == 0, ended
    assert "hello" in sides.real.run("decrypt", "e.yaml").out
    assert "bye" in sides.ours.run("decrypt", "e.yaml").out
    assert "bye" in sides.own.run("decrypt", "e.yaml").out


def test_dotenv_name(sides: Sides) -> None:
    sides.encrypt("x.yaml", '"A=1\\nB": x\n')
    real, ours, own = sides.run("decrypt", "--output-type", "dotenv", "x.yaml")
    assert real.out == "A=1\nB=x\n"
    assert (ours.code, ours.out, own.code, own.out) == (4, "", 4, "")


def test_extract_in_place(sides: Sides) -> None:
    before = sides.own.read("e.yaml")
    real, ours, own = sides.run("decrypt", "-i", "--extract", '["a"]["b"]', "e.yaml")
    assert (real.code, ours.code, own.code) == (0, 0, 8)
    assert (sides.real.read("e.yaml"), sides.ours.read("e.yaml")) == ("hello", "hello")
    assert sides.own.read("e.yaml") == before


def test_empty_option(sides: Sides) -> None:
    before = sides.own.read("e.yaml")
    for box in (sides.real, sides.ours):
        box.run("rotate", "-i", "--rm-age", "", "e.yaml", code=0)
        assert sides.key.recipient in box.read("e.yaml")
    sides.own.run("rotate", "--rm-age", "", "e.yaml", code=1)
    assert sides.own.read("e.yaml") == before


def test_documents(sides: Sides) -> None:
    sides.encrypt("x.yaml", "a: 1\n---\nb: 2\n")
    for format, first in (("json", '{\n\t"a": 1\n}\n'), ("dotenv", "a=1\n")):
        real, ours, own = sides.run("decrypt", "--output-type", format, "x.yaml")
        assert (real.out, ours.out) == (first, first)
        assert (own.code, own.out) == (4, "")
    before = sides.own.read("x.yaml")
    sides.own.run("decrypt", "-i", "--output-type", "json", "x.yaml", code=4)
    assert sides.own.read("x.yaml") == before
    sides.own.run("get", "--json", "x.yaml", code=4)
    assert sides.own.run("get", "--json", "x.yaml", "a", code=0).out == "1\n"
    sides.own.run("exec-file", "--output-type", "json", "x.yaml", "cat {}", code=4)
    sides.own.write("plain.yaml", "a: 1\n---\nb: 2\n")
    sides.own.run("encrypt", "-i", "--output-type", "json", "plain.yaml", code=4)


def test_not_stored(sides: Sides) -> None:
    for text in ("a: 9223372036854775808\n", "1: x\n", "null: x\n"):
        sides.write("x.yaml", text)
        real, ours, own = sides.run("encrypt", "-i", "x.yaml")
        assert (real.code, ours.code, own.code) == (23, 2, 2)


def test_regex(sides: Sides) -> None:
    sides.rules("    encrypted_regex: '('\n")
    sides.write("x.yaml", "a: hello\n")
    real, ours, own = sides.run("encrypt", "-i", "x.yaml")
    assert (real.code, ours.code, own.code) == (0, 1, 1)
    assert sides.real.read("x.yaml").startswith("a: hello\n")
    assert "regular expression" in ours.err


def test_ini_default(sides: Sides) -> None:
    sides.encrypt("x.ini", "[s]\na = 1\n")
    real, ours, own = sides.run("decrypt", "--output-type", "yaml", "x.ini")
    assert real.out == 'DEFAULT: {}\ns:\n    a: "1"\n'
    assert ours.out == own.out == 's:\n    a: "1"\n'
    sides.encrypt("y.ini", "a = 1\n")
    real, ours, own = sides.run("decrypt", "--output-type", "yaml", "y.ini")
    assert real.out == ours.out == own.out == 'DEFAULT:\n    a: "1"\n'


def test_usage(sides: Sides) -> None:
    real, ours, own = sides.run("decrypt", "--inptu-type", "x", "e.yaml")
    assert real.code == ours.code == own.code == 1
    assert "USAGE" in real.out
    assert ours.out == own.out == ""
    assert "-inptu-type" in ours.err
    assert "--input-type" in own.err


def test_hints(sides: Sides) -> None:
    real, ours, own = (box.run("decrypt", "e.yaml", environ={"SOPS_AGE_KEY": "-"}) for box in sides.all)
    assert real.code == ours.code == own.code == 128
    assert "\nsops: hint: " in ours.err
    assert "\nencconf: hint: " in own.err


def test_version(sides: Sides) -> None:
    """The real one is run with its check switched off: nothing here may ask a network."""
    assert sides.ours.run("--version", environ={"SOPS_DISABLE_VERSION_CHECK": "-"}).out == "sops 3.13.3\n"
    assert "sops 3.13.3" in sides.own.run("--version", environ={"SOPS_DISABLE_VERSION_CHECK": "-"}).out


def test_mac_secret(sides: Sides) -> None:
    sides.encrypt("x.yaml", "a: 1\nb_unencrypted: free\n")
    sides.write("x.yaml", sides.real.read("x.yaml").replace("free", "bent"))
    real, ours, own = sides.run("decrypt", "x.yaml")
    assert real.code == ours.code == own.code == 51
    assert re.search("[0-9A-F]{128}", real.err)
    for done in (ours, own):
        assert "MAC mismatch" in done.err
        assert not re.search("[0-9A-Fa-f]{32}", done.err)


def test_value_secret(sides: Sides) -> None:
    sides.write("e.yaml", re.sub(r"b: ENC\[.*\]", "b: hunter2", sides.real.read("e.yaml")))
    real, ours, own = sides.run("decrypt", "e.yaml")
    assert real.code == ours.code == own.code == 25
    assert "hunter2" in real.err
    for done in (ours, own):
        assert "hunter2" not in done.err
        assert "at a.b is plaintext" in done.err


def test_strict_mac(sides: Sides) -> None:
    sides.mine("x.yaml", "a: 1\nb_unencrypted: ab\nc_unencrypted: c\n")
    text = sides.ours.read("x.yaml")
    for bent in (
        text.replace("b_unenc", "z_unenc"),
        text.replace(": ab\n", ": a\n").replace(": c\n", ": bc\n"),
    ):
        sides.write("x.yaml", bent)
        real, ours, own = sides.run("decrypt", "x.yaml")
        assert real.code == 0
        assert ours.code == own.code == 51


def test_atomic(sides: Sides) -> None:
    for box, same in ((sides.real, True), (sides.ours, False), (sides.own, False)):
        path = box.folder / "e.yaml"
        path.chmod(0o640)
        before = path.stat()
        value = '"x"' if box is not sides.own else "x"
        box.run("set", "e.yaml", '["a"]["b"]', value, code=0)
        assert (path.stat().st_ino == before.st_ino) is same
        assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_exec_keys(sides: Sides) -> None:
    sides.encrypt("flat.yaml", "NAME: x\n")
    for line in ("exec-env flat.yaml", "exec-file e.yaml"):
        for done in sides.run(*line.split(), "echo $SOPS_AGE_KEY"):
            assert done.out == f"{sides.key.identity}\n"
    own = sides.own.run("exec", "flat.yaml", "--", "sh", "-c", "echo $NAME${SOPS_AGE_KEY-none}", code=0)
    assert own.out == "xnone\n"


def test_exec_filename(sides: Sides) -> None:
    for box, run in ((sides.real, True), (sides.ours, False), (sides.own, False)):
        done = box.run("exec-file", "--no-fifo", "--filename", "$(touch made)", "e.yaml", "true {}")
        assert (box.folder / "made").exists() is run
        assert (done.code == 0) is run
    for done in sides.run("exec-file", "--no-fifo", "e.yaml", "basename {}"):
        assert re.fullmatch(r"tmp-file\d*\n", done.out)


def test_decrypt_mode(sides: Sides) -> None:
    for box, mode in ((sides.real, 0o644), (sides.ours, 0o644), (sides.own, 0o600)):
        (box.folder / "e.yaml").chmod(0o644)
        box.run("decrypt", "-i", "e.yaml", code=0)
        assert stat.S_IMODE((box.folder / "e.yaml").stat().st_mode) == mode


def test_edit_saved(sides: Sides) -> None:
    for box in (sides.ours, sides.own):
        done = box.run("edit", "e.yaml", environ=box.editor("echo 'more: [' >> \"$1\""))
        assert done.code != 0
        (saved,) = box.folder.glob("e.yaml.unsaved-*")
        assert str(saved.name) in done.err
        assert "more: [" in box.run("decrypt", "--input-type", "binary", saved.name, code=0).out
    before = sides.real.folder / "e.yaml"
    script = f"echo 'more: 1' >> \"$1\"; mv {before} {before}.old; mkdir {before}"
    done = sides.real.run("edit", "e.yaml", environ=sides.real.editor(script))
    assert done.code != 0
    assert not [each for each in sides.real.folder.iterdir() if "unsaved" in each.name]


def test_config_place(sides: Sides) -> None:
    for box in sides.all:
        box.write("sub/.sops.yaml", box.read(".sops.yaml"))
        box.write("sub/p.yaml", "a: 1\n")
        os.unlink(box.folder / ".sops.yaml")
    real, ours, own = sides.run("encrypt", "sub/p.yaml")
    assert (real.code, ours.code, own.code) == (1, 0, 0)


def test_dangling_link(sides: Sides) -> None:
    sides.write("p.yaml", "a: 1\n")
    for box in sides.all:
        (box.folder / "link.yaml").symlink_to(box.folder / "new.yaml")
    real, ours, own = sides.run("encrypt", "--output", "link.yaml", "p.yaml")
    assert (real.code, ours.code, own.code) == (0, 100, 100)
    assert [(box.folder / "new.yaml").exists() for box in (sides.real, sides.ours, sides.own)] == [
        True,
        False,
        False,
    ]


@pytest.mark.services  # as root: gives files to another user
def test_config_foreign(sides: Sides) -> None:
    sides.write("p.yaml", "a: 1\n")
    for box in sides.all:
        os.chown(box.folder / ".sops.yaml", 65534, -1)
    real, ours, own = sides.run("encrypt", "p.yaml")
    assert (real.code, ours.code, own.code) == (0, 1, 1)


def test_config_broken(sides: Sides) -> None:
    sides.write(".sops.yaml", "creation_rules: [")
    sides.write("p.yaml", "a: 1\n")
    for words, ours_is, own_is in (
        (("decrypt", "e.yaml"), 0, 0),
        (("filestatus", "e.yaml"), 0, 0),
        (("rotate", "-i", "e.yaml"), 0, 0),
        (("set", "e.yaml", '["n"]', "2"), 0, 1),
        (("encrypt", "p.yaml"), 1, 1),
        (("updatekeys", "-y", "e.yaml"), 1, 1),
    ):
        real, ours, own = sides.run(*words)
        assert (real.code, ours.code, own.code) == (1, ours_is, own_is), words
        warned = "is not compared with its rule" in ours.err
        assert warned == (words[0] == "set"), words
    assert sides.ours.run("--config", ".sops.yaml", "decrypt", "e.yaml").code == 1
    assert sides.ours.run("--config", ".sops.yaml", "filestatus", "e.yaml").code == 1


def test_config_typo(sides: Sides) -> None:
    sides.rules("    encrypted_regx: ^x$\n")
    sides.write("p.yaml", "a: 1\n")
    real, ours, own = sides.run("encrypt", "p.yaml")
    assert real.err == ""
    for done in (ours, own):
        assert "did you mean encrypted_regex?" in done.err


def test_rule_needed(sides: Sides) -> None:
    sides.rules("    path_regex: nothing\n")
    sides.write("p.yaml", "a: 1\n")
    real, ours, own = sides.run("encrypt", "--age", "{R}", "p.yaml")
    assert (real.code, ours.code, own.code) == (1, 1, 0)


def test_plaintext(sides: Sides) -> None:
    sides.rules("    encrypted_regex: ^b$\n")
    sides.encrypt("x.yaml", YAML)
    sides.rules("    encrypted_regex: ^(b|token)$\n")
    real, ours, own = sides.run("set", "x.yaml", '["token"]', '"secret"')
    assert (real.code, ours.code, own.code) == (0, 0, 1)
    assert real.err == ""
    assert "would be saved as plaintext" in ours.err
    assert "would be saved as plaintext" in own.err
    assert "token: secret" in sides.real.read("x.yaml")
    assert "token" not in sides.own.read("x.yaml").partition("sops:")[0]


def test_comment_stays(sides: Sides) -> None:
    sides.rules("    unencrypted_comment_regex: public\n")
    sides.encrypt("x.yaml", "# public\na: x\nb: secret\n")
    real, ours, own = sides.run("unset", "x.yaml", '["a"]')
    assert (real.code, ours.code, own.code) == (0, 0, 1)
    assert "b: secret" in sides.real.read("x.yaml")
    assert "b: secret" in sides.ours.read("x.yaml")
    assert "b: ENC[" in sides.own.read("x.yaml")
    for done in (ours, own):
        assert "b would be saved as plaintext: a comment that stays" in done.err


def test_set_int(sides: Sides) -> None:
    for box, type in ((sides.real, "float"), (sides.ours, "int")):
        box.run("set", "e.yaml", '["n"]', "5", code=0)
        assert re.search(rf"(?m)^\"?n\"?: ENC\[.*type:{type}\]", box.read("e.yaml"))
    sides.own.run("set", "--json", "e.yaml", "n", "5", code=0)
    assert "type:int]" in sides.own.read("e.yaml").partition("sops:")[0].splitlines()[-1]


def test_set_replaces(sides: Sides) -> None:
    real, ours, own = sides.run("set", "e.yaml", '["a"]', '"x"')
    assert (real.code, ours.code, own.code) == (0, 0, 1)
    assert "error[replaces]" in own.err
    sides.own.run("set", "--force", "e.yaml", "a", "x", code=0)
    assert sides.own.run("get", "e.yaml", "a").out == "x"


def test_set_same(sides: Sides) -> None:
    before = sides.real.read("e.yaml")
    time.sleep(1.1)  # lastmodified has seconds
    for box in sides.all:
        value = '"hello"' if box is not sides.own else "hello"
        box.run("set", "e.yaml", '["a"]["b"]', value, code=0)
        assert (box.read("e.yaml") == before) is (box is not sides.real)


def test_set_value(sides: Sides) -> None:
    real, ours, own = sides.run("set", "e.yaml", '["a"]["b"]', "plain")
    assert (real.code, ours.code, own.code) == (7, 7, 0)
    assert sides.own.run("set", "e.yaml", "a.b", input="from stdin\n").code == 0
    assert sides.own.run("get", "e.yaml", "a.b").out == "from stdin"


def test_dotenv_n(sides: Sides) -> None:
    sides.encrypt("x.env", "A=1\n")
    real, ours = (box.run("set", "x.env", '["A"]', '"C:\\\\new"') for box in (sides.real, sides.ours))
    own = sides.own.run("set", "x.env", "A", "C:\\new")
    assert (real.code, ours.code, own.code) == (0, 4, 4)
    extract = ["decrypt", "--extract", '["A"]', "x.env"]
    assert sides.real.run(*extract).out == "C:\\new"
    sides.real.run("edit", "x.env", environ=sides.real.editor('echo B=2 >> "$1"'), code=0)
    assert sides.real.run(*extract).out == "C:\new"
    assert sides.ours.run(*extract).out == "1"


def test_dotenv_null(sides: Sides) -> None:
    sides.encrypt("x.env", "A=1\nB=2\n")
    for box in sides.all:
        json = ["--json"] if box is sides.own else []
        box.run("set", *json, "x.env", '["A"]', "null", code=0)
    assert sides.real.run("decrypt", "x.env").code == 25
    for box in (sides.ours, sides.own):
        sides.real.write("mine.env", box.read("x.env"))
        assert sides.real.run("decrypt", "mine.env", code=0).out == "A=\nB=2\n"


def test_set_half(sides: Sides) -> None:
    args = ["set", "e.yaml", '["a"]["b"]', '"\\ud800"']
    real, ours = (box.run(*args) for box in (sides.real, sides.ours))
    own = sides.own.run("set", "--json", *args[1:])
    assert (real.code, ours.code, own.code) == (0, 7, 2)
    assert sides.real.run("decrypt", "--extract", '["a"]["b"]', "e.yaml").out == "\ufffd"


def test_dotenv_autocrlf(sides: Sides) -> None:
    sides.encrypt("s.env", "A=one\nB=two\n")
    sides.write("s.env", sides.real.read("s.env").replace("\n", "\r\n"))
    real, *both = sides.run("decrypt", "s.env")
    assert real.code != 0
    assert [(each.code, each.out) for each in both] == [(0, "A=one\nB=two\n")] * 2


def test_set_missing(sides: Sides) -> None:
    real, ours, own = sides.run("set", "new.yaml", '["a"]', '"x"')
    assert (real.code, ours.code, own.code) == (2, 2, 0)
    assert "sops:" in sides.own.read("new.yaml")


def test_set_panic(sides: Sides) -> None:
    for words in (["unset", "e.yaml", '["l"]["x"]'], ["unset", "--idempotent", "e.yaml", '["l"]["x"]']):
        real, ours, own = sides.run(*words)
        assert (real.code, ours.code, own.code) == (2, 1, 1)
    real, ours, own = sides.run("set", "e.yaml", '["l"]["x"]', "1")
    assert (real.code, ours.code, own.code) == (2, 1, 1)
    assert "panic" in real.err
    for words, codes in (
        (["set", "e.yaml", "", "1"], (2, 4, 4)),
        (["set", "e.yaml", "[]", "1"], (2, 7, 1)),
        (["unset", "e.yaml", ""], (2, 1, 1)),
        (["unset", "e.yaml", "[]"], (2, 7, 1)),
    ):
        assert tuple(each.code for each in sides.run(*words)) == codes, words


def test_unset_index(sides: Sides) -> None:
    real, ours, own = sides.run("unset", "e.yaml", '["l"][-1]')
    assert (real.code, ours.code, own.code) == (2, 0, 0)
    assert "panic" in real.err
    for box in (sides.ours, sides.own):
        assert box.run("decrypt", "e.yaml").out == "a:\n    b: hello\nl: []\n"


def test_set_index(sides: Sides) -> None:
    sides.encrypt("x.env", "A=1\n")
    for name, path, code in (("e.yaml", '["a"][0]', 1), ("x.env", "[0]", 4)):
        before = sides.real.run("decrypt", name).out
        real, ours, own = sides.run("set", name, path, '"x"')
        assert (real.code, ours.code, own.code) == (0, code, code)
        assert sides.real.run("decrypt", name).out == before


def test_list_comments(sides: Sides) -> None:
    sides.encrypt("x.yaml", "l:\n    # note\n    - 1\n    - 2\n")
    real, ours, own = sides.run("decrypt", "--extract", '["l"][1]', "x.yaml")
    assert [each.out.strip() for each in (real, ours, own)] == ["1", "2", "2"]
    assert [each.code for each in sides.run("set", "x.yaml", '["l"][0]', "5")] == [0, 0, 0]
    assert sides.real.run("decrypt", "x.yaml").out == "l:\n    - 5\n    - 1\n    - 2\n"
    for box in (sides.ours, sides.own):
        assert box.run("decrypt", "x.yaml").out == "l:\n    # note\n    - 5\n    - 2\n"


def test_comment_mac(sides: Sides) -> None:
    """The real sops opens what we write; what it wrote itself, all but 3.13.2."""
    text = "b:\n    # c\n    - one\n"
    sides.encrypt("x.yaml", text)
    locked = sides.real.run("--version", code=0).out.split()[1] == "3.13.2"
    real, ours, own = sides.run("decrypt", "x.yaml")
    assert real.code == (51 if locked else 0)
    assert ours.out == own.out == text
    sides.mine("y.yaml", text)
    real, ours, own = sides.run("decrypt", "y.yaml")
    assert real.out == ours.out == own.out == text


def test_comment_lock(sides: Sides) -> None:
    """See getsops/sops#2281."""
    text = "l:\n    # encrypt this\n    # and that\n    - one\n    # not this\n    - a: two\nk: 1\n"
    sides.real.write("p.yaml", text)
    flags = ["--age", sides.key.recipient, "--encrypted-comment-regex", "^ encrypt"]
    sides.write("x.yaml", sides.real.run(*flags, "-e", "p.yaml", code=0).out)
    assert "- one" not in sides.real.read("x.yaml")
    real, ours, own = sides.run("decrypt", "x.yaml")
    assert real.code == 51
    assert ours.out == own.out == text
    sides.own.run("rotate", "x.yaml", code=0)
    sides.real.write("x.yaml", sides.own.read("x.yaml"))
    assert sides.real.run("decrypt", "x.yaml", code=0).out == text


def test_ini_sections(sides: Sides) -> None:
    sides.encrypt("x.ini", "[s]\na = 1\n\n[t]\nb = 1\n\n[s]\nc = 1\n")
    assert [each.code for each in sides.run("unset", "x.ini", '["s"]')] == [0, 0, 0]
    real, ours, own = sides.run("decrypt", "--output-type", "json", "x.ini")
    assert '"s"' in real.out
    assert '"s"' not in ours.out + own.out
    sides.encrypt("y.ini", "[DEFAULT]\nk = 1\n")
    before = sides.real.run("decrypt", "y.ini").out
    assert [each.code for each in sides.run("set", "y.ini", '["DEFAULT"]["k"]', "2")] == [0, 0, 0]
    real, ours, own = sides.run("decrypt", "y.ini")
    assert real.out.endswith(before)  # beside which it has made another one
    assert "k = 2" in ours.out
    assert "k = 2" in own.out


def test_dotenv_quote(sides: Sides) -> None:
    text = "A='x\nB=1\nC=y'\n"
    sides.encrypt("x.env", text)
    assert [each.out for each in sides.run("decrypt", "x.env")] == [text] * 3
    real, ours, own = sides.run("set", "x.env", '["B"]', '"2"')
    assert (real.code, ours.code, own.code) == (0, 4, 4)
    assert "the value at A begins" in ours.err


def test_set_nested(sides: Sides) -> None:
    sides.encrypt("x.ini", "[s]\na = 1\n")
    real, ours, own = sides.run("set", "x.ini", '["t"]', '{"b": {"c": "x"}}')
    assert (real.code, ours.code, own.code) == (0, 4, 4)
    assert sides.own.run("set", "--json", "x.ini", "t", '{"b": {"c": "x"}}').code == 4
    assert sides.real.run("decrypt", "x.ini").code == 25
    assert sides.ours.run("decrypt", "x.ini").code == 0


def test_set_binary(sides: Sides) -> None:
    sides.encrypt("notes.txt", "some words\n")
    real, ours, own = sides.run("set", "notes.txt", '["data"]', '"other"')
    assert (real.code, ours.code, own.code) == (0, 4, 4)
    assert sides.real.run("decrypt", "notes.txt").out == "other"
    assert sides.real.run("set", "notes.txt", '["x"]', '"y"').code == 0
    assert sides.real.run("decrypt", "notes.txt").out == "other"
    assert sides.own.run("update", "notes.txt", input="other").code == 0
    assert sides.own.run("decrypt", "notes.txt").out == "other"


def test_set_sops(sides: Sides) -> None:
    before = sides.ours.read("e.yaml")
    real, ours, own = sides.run("set", "e.yaml", '["sops"]', '"x"')
    assert (ours.code, own.code) == (203, 203)
    # sops refuses it since 3.13; before, it spoiled the file.
    assert real.code == 203 or (real.code == 0 and sides.real.run("decrypt", "e.yaml").code != 0)
    assert sides.ours.read("e.yaml") == before


def test_extract_panic(sides: Sides) -> None:
    real, ours, own = sides.run("decrypt", "--extract", '["l"]["x"]', "e.yaml")
    assert (real.code, ours.code, own.code) == (2, 1, 1)
    real, ours, own = sides.run("decrypt", "--extract", '["a"]["b"]["c"]', "e.yaml")
    assert (real.code, ours.code, own.code) == (2, 1, 1)
    real, ours, own = sides.run("decrypt", "--extract", '["a"][0]', "e.yaml")
    assert real.out == "key: b\nvalue: hello\n"
    assert (ours.code, own.code) == (1, 1)


def test_updatekeys(sides: Sides) -> None:
    other = AgeKey.generate()
    sides.encrypt("x.yaml", YAML, "--age", f"{sides.key.recipient},{other.recipient}")
    before = sides.real.read("x.yaml").partition("sops:")[0]
    real, ours, own = sides.run("updatekeys", "-y", "x.yaml")
    assert real.code == ours.code == own.code == 0
    assert sides.real.read("x.yaml").startswith(before)
    assert sides.ours.read("x.yaml").startswith(before)
    assert "the data key is unchanged" in ours.err
    assert not sides.own.read("x.yaml").startswith(before.splitlines()[1])
    assert sides.own.read("x.yaml").partition("sops:")[0] != before
    assert "new data key" in own.err


def test_updatekeys_answer(sides: Sides) -> None:
    other = AgeKey.generate()
    sides.rules("", sides.key, other)
    real, ours, own = sides.run("updatekeys", "e.yaml", input="y\n")
    assert (real.code, ours.code, own.code) == (0, 0, 1)
    assert real.out == ours.out
    assert "--yes" in own.err


def test_updatekeys_copy(sides: Sides) -> None:
    other, mine = AgeKey.generate(), sides.key.recipient
    rules = f"  - path_regex: ^a\n    age: {mine}\n  - age: {mine},{other.recipient}\n"
    for name in ("a.yaml", "b.yaml"):
        sides.encrypt(name, YAML, "--age", mine)
    for box in (sides.real, sides.ours, sides.own):
        box.write(".sops.yaml", f"creation_rules:\n{rules}")
        box.write("b.yaml", box.read("a.yaml"))
    real, ours, own = sides.run("updatekeys", "-y", "a.yaml", "b.yaml")
    assert (real.code, ours.code, own.code) == (0, 0, 1)
    assert other.recipient in sides.real.read("b.yaml")
    assert other.recipient in sides.ours.read("b.yaml")
    assert "warning: it has the data key of a.yaml" in ours.err
    assert "b.yaml: it has the data key of a.yaml" in own.err
    assert other.recipient not in sides.own.read("b.yaml")


def test_rotate_copy(sides: Sides) -> None:
    other, mine = AgeKey.generate(), sides.key.recipient
    rules = f"  - path_regex: ^a\n    age: {mine}\n  - age: {mine},{other.recipient}\n"
    sides.encrypt("a.yaml", YAML, "--age", mine)
    for box in (sides.real, sides.ours, sides.own):
        box.write(".sops.yaml", f"creation_rules:\n{rules}")
        box.write("b.yaml", box.read("a.yaml"))
        box.write("c.yaml", box.read("a.yaml"))
        subprocess.run(["git", "init", "-q", box.folder], check=True)
    real, ours, _ = sides.run("rotate", "-i", "b.yaml")
    own = sides.own.run("rotate", "c.yaml")
    assert (real.code, ours.code, own.code) == (0, 0, 1)
    assert "warning: it has the data key of a.yaml" in ours.err
    assert "c.yaml: it has the data key of a.yaml" in own.err


def test_context_bug(sides: Sides) -> None:
    def answer(method: str, request: Any) -> bytes:
        if method == "Decrypt" and set(request.key.kms_key.context.values()) != {"last"}:
            raise RefusalError(grpc.StatusCode.PERMISSION_DENIED)
        return by_itself(method, request)

    arn = "arn:aws:kms:eu-central-1:111122223333:key/11111111-1111-1111-1111-111111111111"
    with RecordingKeyservice(answer) as service:
        environ = {"SOPS_KEYSERVICE": service.uri, "SOPS_ENABLE_LOCAL_KEYSERVICE": "false"}
        args = ["encrypt", "--kms", arn, "--encryption-context", "a:first,b:last", "e.txt"]
        sides.real.write("e.txt", "secret")
        enc = sides.real.run(*args, environ=environ, code=0).out
        enc = re.sub('"version": "[^"]*"', '"version": "3.2.0"', enc)
        sides.write("old", enc)
        real, ours, own = (box.run("decrypt", "old", environ=environ, code=0) for box in sides.all)
    assert re.fullmatch("Up until version(.*\n)*secret", real.out)
    for done in (ours, own):
        assert done.out == "secret"
        assert "before 3.3.0" in done.err


@pytest.mark.services
def test_age_command(sides: Sides) -> None:
    others = [AgeKey.generate() for _ in range(6)]
    rules = f"creation_rules:\n  - age: {','.join(key.recipient for key in (*others, sides.key))}\n"
    sides.real.write(".sops.yaml", rules)
    sides.encrypt("x.yaml", YAML)
    print_it = f"echo run >> runs; echo {sides.key.identity}"
    depends = (
        f'echo run >> runs; [ "$SOPS_AGE_RECIPIENT" = {sides.key.recipient} ] && echo {sides.key.identity}'
    )
    stranger = AgeKey.generate()
    # A command with a default, which is another identity.
    fallback = f"{depends} || echo {stranger.identity}"
    for script, runs in ((print_it, (7, 1, 1)), (depends, (7, 7, 7)), (fallback, (7, 7, 7))):
        for box, wanted in zip(sides.all, runs, strict=True):
            box.write("keys.sh", script + "\n")
            box.write("runs", "")
            environ = {"SOPS_AGE_KEY": "-", "SOPS_AGE_KEY_CMD": "sh keys.sh"}
            assert box.run("decrypt", "x.yaml", environ=environ, code=0).out == YAML
            assert box.read("runs").count("run") == wanted, (script, box.program)


def test_unreached(sides: Sides) -> None:
    with OpenBao() as bao:
        bao.root.sys.enable_secrets_engine("transit")
        bao.root.secrets.transit.create_key("k")
        token = {"VAULT_TOKEN": ROOT_TOKEN, "VAULT_ADDR": bao.address, "VAULT_MAX_RETRIES": "0"}
        key = f"{bao.address}/v1/transit/keys/k"
        sides.real.write("e.txt", "secret")
        done = sides.real.run("encrypt", "--hc-vault-transit", key, "e.txt", environ=token, code=0)
        file = json.loads(done.out)
        [entry] = file["sops"]["hc_vault"]
        gone = [entry | {"vault_address": "http://127.0.0.1:1"}] * 400
        sides.write("far", json.dumps(file | {"sops": file["sops"] | {"hc_vault": [*gone, entry]}}))
        environ = {**token, "SOPS_HC_VAULT_ALLOWLIST": "all"}
        real, ours, own = (box.run("decrypt", "far", environ=environ) for box in sides.all)
    assert (real.code, real.out, ours.code, own.code) == (0, "secret", 128, 75)
    for done in (ours, own):
        assert "not asked, since no other service can be reached" in done.err


def test_context_form(sides: Sides) -> None:
    bad = ["--encryption-context", "bad", "--age", AgeKey.generate().recipient]
    for words in (["rotate", "-i", *bad[:2], "e.yaml"], ["groups", "add", "-f", "e.yaml", *bad]):
        real, ours = (box.run(*words) for box in (sides.real, sides.ours))
        assert (real.code, ours.code) == (0, 6)


def test_threshold(sides: Sides) -> None:
    keys = [AgeKey.generate() for _ in range(2)]
    recipients = [sides.key.recipient, *(key.recipient for key in keys)]
    groups = "".join(f"      - age: [{recipient}]\n" for recipient in recipients)
    rule = f"creation_rules:\n  - shamir_threshold: {{}}\n    key_groups:\n{groups}"
    sides.write(".sops.yaml", rule.format(3))
    sides.encrypt("x.yaml", YAML)
    sides.write(".sops.yaml", rule.format(2))
    everyone = {"SOPS_AGE_KEY": "\n".join([sides.key.identity, *(key.identity for key in keys)])}
    for box, threshold in ((sides.real, 3), (sides.ours, 3), (sides.own, 2)):
        box.run("updatekeys", "-y", "x.yaml", environ=everyone, code=0)
        assert f"shamir_threshold: {threshold}" in box.read("x.yaml")


def test_one_group(sides: Sides) -> None:
    for box, words in (
        (sides.real, ["--shamir-secret-sharing-threshold", "2", "new.json"]),
        (sides.ours, ["--shamir-secret-sharing-threshold", "2", "new.json"]),
    ):
        box.write("text", '{"a": 1}\n')
        box.run(*words, environ=box.editor('cp text "$1"'), code=0)
        assert ("shamir_threshold" in box.read("new.json")) is (box is sides.real)
        assert json.loads(box.run("decrypt", "new.json", code=0).out) == {"a": 1}
    other = AgeKey.generate()
    groups = "".join(f"      - age: [{key.recipient}]\n" for key in (sides.key, other))
    sides.write(".sops.yaml", f"creation_rules:\n  - key_groups:\n{groups}")
    sides.encrypt("x.yaml", YAML)
    sides.write(".sops.yaml", f"creation_rules:\n  - age: {sides.key.recipient}\n")
    both = {"SOPS_AGE_KEY": f"{sides.key.identity}\n{other.identity}"}
    for box in sides.all:
        box.run("updatekeys", "-y", "x.yaml", environ=both, code=0)
        assert ("shamir_threshold: 1" in box.read("x.yaml")) is (box is sides.real)
        assert box.run("decrypt", "x.yaml", code=0).out == YAML


def test_stranger(sides: Sides) -> None:
    other = AgeKey.generate()
    sides.encrypt("x.yaml", YAML, "--age", f"{sides.key.recipient},{other.recipient}")
    assert "does not name" not in sides.real.run("rotate", "-i", "x.yaml", code=0).err
    assert other.recipient in sides.real.read("x.yaml")
    for box, words in ((sides.ours, ["rotate", "-i", "x.yaml"]), (sides.own, ["rotate", "x.yaml"])):
        before = box.read("x.yaml")
        assert f"age {other.recipient}\n" in box.run(*words, code=1).err
        assert box.read("x.yaml") == before
    sides.ours.run("rotate", "-i", "--add-age", other.recipient, "x.yaml", code=0)
    os.unlink(sides.ours.folder / ".sops.yaml")
    sides.ours.run("rotate", "-i", "--rm-age", other.recipient, "x.yaml", code=0)


def test_group_number(sides: Sides) -> None:
    real, ours, own = sides.run("groups", "delete", "-f", "e.yaml", "5")
    assert (real.code, ours.code, own.code) == (2, 1, 1)


def test_last_group(sides: Sides) -> None:
    real, ours, own = sides.run("groups", "delete", "-f", "e.yaml", "0")
    assert (real.code, ours.code, own.code) == (0, 1, 1)


def test_empty_group(sides: Sides) -> None:
    for words in ([], ["--age", "bogus"]):
        real, ours, own = sides.run("groups", "add", "-f", "e.yaml", *words)
        assert (real.code, ours.code, own.code) == (0, 1, 1)


def test_threshold_one(sides: Sides) -> None:
    other = AgeKey.generate()
    args = ["groups", "add", "-f", "e.yaml", "--age", other.recipient]
    for threshold, identities in (("1", other.identity), ("3", f"{other.identity}\n{sides.key.identity}")):
        real, ours, own = sides.run(*args, "--shamir-secret-sharing-threshold", threshold)
        assert (real.code, ours.code, own.code) == (0, 1, 1)
        sides.real.write("x.yaml", real.out)
        assert sides.real.run("decrypt", "x.yaml", environ={"SOPS_AGE_KEY": identities}).code == 128
        assert "threshold" in ours.err


def test_rule_threshold(sides: Sides) -> None:
    other = AgeKey.generate().recipient
    groups = f"[{{age: [{sides.key.recipient}]}}, {{age: [{other}]}}]"
    sides.write(".sops.yaml", f"creation_rules:\n  - shamir_threshold: 1\n    key_groups: {groups}\n")
    sides.write("x.yaml", YAML)
    assert [each.code for each in sides.run("encrypt", "x.yaml")] == [1, 1, 1]
    real, ours, own = sides.run("encrypt", "--age", other, "x.yaml")
    assert (real.code, ours.code, own.code) == (0, 1, 1)
    assert "from 2 to all" in ours.err


def test_group_hckms(sides: Sides) -> None:
    key = "eu-west-101:11111111-1111-1111-1111-111111111111"
    other = AgeKey.generate()
    with RecordingKeyservice(by_itself) as service:
        for box, words in ((sides.real, []), (sides.ours, [key]), (sides.own, [key])):
            asked = {"SOPS_KEYSERVICE": service.uri}
            add = ["groups", "add", "-f", "e.yaml", "-i"]
            box.run(*add, "--age", other.recipient, "--hckms", key, environ=asked)
            assert re.findall(r"key_id: (.*)", box.read("e.yaml")) == words


def test_date(sides: Sides) -> None:
    sound = sides.real.read("e.yaml")
    sides.encrypt("x.env", "A=1\n")
    for date in ('"yesterday"', '""', None):
        line = f"    lastmodified: {date}\n" if date else ""
        sides.write("x.yaml", re.sub(r"    lastmodified: .*\n", line, sound))
        assert [each.code for each in sides.run("decrypt", "x.yaml")] == [1, 51, 51]
        real, ours, own = sides.run("decrypt", "--ignore-mac", "x.yaml")
        assert real.code == 1
        assert ours.out == own.out == YAML
    sides.write("x.env", "sops_x=1\n")
    assert [each.code for each in sides.run("decrypt", "x.env")] == [1, 128, 128]


def test_filestatus(sides: Sides) -> None:
    sides.write("notes.txt", "some words\n")
    real, ours, own = sides.run("filestatus", "notes.txt")
    assert (real.code, real.out) == (1, "")
    assert ours.out == own.out == '{"encrypted":false}\n'


def test_exec_signal(sides: Sides) -> None:
    sides.encrypt("flat.yaml", "a: x\n")
    real, ours, own = sides.run("exec-env", "flat.yaml", "kill -9 $$")
    assert (real.code, ours.code, own.code) == (255, -9, -9)
    real, ours, own = sides.run("exec-file", "--no-fifo", "flat.yaml", "kill -9 $$")
    assert (real.code, ours.code, own.code) == (255, 137, 137)


def test_exec_mac(sides: Sides) -> None:
    sides.rules("    encrypted_regex: ^a$\n    mac_only_encrypted: true\n")
    sides.encrypt("m.yaml", "a: b\n")
    sides.write("m.yaml", f"BASH_ENV: evil\n{sides.real.read('m.yaml')}")
    real, ours, own = sides.run("exec-env", "m.yaml", "echo $BASH_ENV")
    assert real.out == "evil\n"
    assert (ours.code, ours.out, own.code, own.out) == (4, "", 4, "")
    # Without mac_only_encrypted, sops's MAC covers the bytes of plaintext values, but no name, and no end.
    sides.rules("    encrypted_regex: ^a$\n")
    sides.encrypt("v.yaml", "a: b\nversion: 1.2.3\nenv: test\n")
    split = 'major: "1."\nPYTHONPATH: "2"\npatch: ".3"\n'
    sides.write("v.yaml", sides.real.read("v.yaml").replace("version: 1.2.3\n", split))
    real, ours, own = sides.run("exec-env", "v.yaml", "echo $PYTHONPATH")
    assert real.out == "2\n"
    for done in (ours, own, sides.own.run("exec", "v.yaml", "--", "true")):
        assert (done.code, done.out) == (4, "")
        assert "PYTHONPATH decides which code programs run" in done.err
    # encconf's check covers names, but changes of other values do not vouch for this one.
    for change in (["set", "v.yaml", "a", "c"], ["rotate", "v.yaml"]):
        sides.own.run(*change, code=0)
        assert "PYTHONPATH decides" in sides.own.run("exec", "v.yaml", "--", "true", code=4).err
    sides.own.run("set", "v.yaml", "PYTHONPATH", "2", code=0)
    assert (
        sides.own.run("exec", "--override", "v.yaml", "--", "printenv", "PYTHONPATH", "ENV", code=0).out
        == "2\ntest\n"
    )


def test_exec_nested(sides: Sides) -> None:
    real, ours, own = sides.run("exec-env", "e.yaml", "true")
    assert (real.code, ours.code, own.code) == (1, 1, 1)
    assert sides.own.run("exec", "e.yaml", "--", "printenv", "A_B", code=0).out == "hello\n"


def test_exec_priority(sides: Sides) -> None:
    sides.encrypt("flat.yaml", "NAME: file\n")
    for box in sides.all:
        done = box.run("exec-env", "flat.yaml", "echo $NAME", environ={"NAME": "mine"}, code=0)
        assert done.out == "file\n"
    done = sides.own.run("exec", "flat.yaml", "--", "printenv", "NAME", environ={"NAME": "mine"}, code=0)
    assert done.out == "mine\n"


def test_editor_keys(sides: Sides) -> None:
    for box, given in ((sides.real, True), (sides.ours, False), (sides.own, False)):
        done = box.run("edit", "e.yaml", environ=box.editor("printenv SOPS_AGE_KEY"))
        assert bool(done.out) is given


def test_edit_syntax(sides: Sides) -> None:
    """The real one gets Enters, opens the editor again each time, and is left alone by the fourth."""
    real = sides.real
    script = 'echo x >> "$0.n"; [ $(wc -l < "$0.n") -ge 4 ] && exit 1; echo "a: [" > "$1"'
    assert real.run("edit", "e.yaml", input="\n\n\n\n", environ=real.editor(script)).code == 201
    for box in (sides.ours, sides.own):
        done = box.run("edit", "e.yaml", environ=box.editor('echo "a: [" > "$1"'))
        assert done.code == 2
        assert "e.yaml was not changed" in done.err


def test_edit_removed(sides: Sides) -> None:
    codes = [box.run("edit", "e.yaml", environ=box.editor('rm "$1"')).code for box in sides.all]
    assert codes == [2, 201, 201]


def test_stdin_type(sides: Sides) -> None:
    real, ours, own = sides.run("decrypt", input=sides.real.read("e.yaml"))
    assert real.code == ours.code == 1
    assert own.code == 0
    plain = sides.own.run("encrypt", "-", input="a: b\n")
    assert plain.code == 1
    assert "--input-type" in plain.err


def test_file_type(sides: Sides) -> None:
    text = sides.real.read("e.yaml")
    for name in ("H.YAML", "values.yaml.enc", "secrets"):
        sides.write(name, text)
        real, ours, own = sides.run("decrypt", name)
        assert real.code == ours.code == 1
        assert own.code == 0
    sides.write("P.ENV.sops", "A=1\n")
    for box in sides.all:
        box.run("encrypt", "-i", "P.ENV.sops", code=0)
    assert sides.real.read("P.ENV.sops")[0] == sides.ours.read("P.ENV.sops")[0] == "{"
    assert sides.own.read("P.ENV.sops").startswith("A=ENC[")


def test_wide_text(sides: Sides) -> None:
    for name, text in (("x.yaml", "a: b\n"), ("x.env", "a=b\n")):
        for box in sides.all:
            (box.folder / name).write_bytes(text.encode("utf-16"))
    for box in sides.all:
        box.run("encrypt", "-i", "x.yaml", code=0)
        assert box.read("x.yaml").startswith("a: ENC[")
    real, ours, own = sides.run("encrypt", "-i", "x.env")
    assert real.code != 0
    assert ours.code == own.code == 0
    for box in (sides.ours, sides.own):
        assert box.run("decrypt", "x.env").out == "a=b\n"


def test_no_version(sides: Sides) -> None:
    sides.encrypt("r.yaml", "a_unencrypted: b\n", "--unencrypted-suffix", "_never")
    lines = sides.real.read("r.yaml").splitlines(keepends=True)
    kept = [line for line in lines if "_suffix:" not in line and "version:" not in line]
    sides.write("r.yaml", "".join(kept))
    assert sides.real.run("decrypt", "r.yaml").code != 0
    for box in (sides.ours, sides.own):
        assert box.run("decrypt", "r.yaml", code=0).out == "a_unencrypted: b\n"


def test_aws_profile(sides: Sides) -> None:
    real, ours, own = sides.run("decrypt", "--aws-profile", "ci", "e.yaml")
    assert (real.code, ours.code, own.code) == (1, 0, 0)


def test_fish(sides: Sides) -> None:
    assert sides.real.run("completion", "fish").code == 3
    for box in (sides.ours, sides.own):
        assert box.run("completion", "fish", code=0).out
        assert box.run("completion", "powershell", code=0).out


def test_own_words(sides: Sides) -> None:
    for words in (["--help"], ["completion", "bash"]):
        real, ours, own = (done.out for done in sides.run(*words))
        assert real
        assert ours
        assert own
        assert real != ours != own


def test_new_file(sides: Sides) -> None:
    seen = []
    for box in sides.all:
        box.run("edit", "new.yaml", environ=box.editor('cp "$1" ../seen; echo "z: 1" > "$1"'), code=0)
        seen.append((box.folder.parent / "seen").read_text())
        assert "z: ENC[" in box.read("new.yaml")
    assert "Welcome to SOPS" in seen[0]
    assert seen[1] == seen[2] != seen[0]


def test_key_twice(sides: Sides) -> None:
    name = f"recipient: {sides.key.recipient}"
    counts = []
    for box in sides.all:
        box.run("rotate", "-i", "--add-age", "{R}", "e.yaml", code=0)
        first = box.read("e.yaml").count(name)
        box.run("groups", "add", "-i", "-f", "e.yaml", "--age", "{R}", "--age", "{R}", code=0)
        counts.append((first, box.read("e.yaml").count(name)))
    assert counts == [(2, 4), (1, 2), (1, 2)]


def test_key_comma(sides: Sides) -> None:
    sides.write("p.yaml", "a: 1\n")
    real, ours, own = sides.run("encrypt", "--age", "{R},", "--output", "out.yaml", "p.yaml")
    assert (real.code, ours.code, own.code) == (1, 0, 0)
    assert sides.ours.read("out.yaml").count("recipient:") == 1


def test_terminal(sides: Sides) -> None:
    import pty

    sides.encrypt("x.yaml", 'a: "\\e]0;title\\a\\e[2Jx\\ty"\n')
    for box, wanted in zip(
        sides.all, ("\x1b]0;title\x07\x1b[2Jx\ty", *[r"\x1b]0;title\x07\x1b[2Jx" + "\ty"] * 2), strict=True
    ):
        command = ["decrypt", "--extract", '["a"]', "x.yaml"]
        master, slave = pty.openpty()
        process = subprocess.Popen(
            [box.program, *command], cwd=box.folder, env=box.environ, stdin=subprocess.DEVNULL, stdout=slave
        )
        assert process.wait(60) == 0
        os.close(slave)
        assert wanted.expandtabs() in os.read(master, 4096).decode().expandtabs()
        os.close(master)
        assert box.run(*command).out == "\x1b]0;title\x07\x1b[2Jx\ty"


def test_closed_stdout(sides: Sides) -> None:
    codes = []
    for box in sides.all:
        line = f'"{box.program}" decrypt e.yaml >&-'
        command = ["sh", "-c", line]
        done = subprocess.run(command, cwd=box.folder, env=box.environ, capture_output=True, check=False)
        codes.append(done.returncode)
    assert codes == [0, 1, 3]


def _write_for_vault(sides: Sides, address: str, engine: str) -> None:
    """Write ``v.yaml``, which only a key of Vault opens."""
    entry = (
        f"    hc_vault:\n        - vault_address: {address}\n          engine_path: {engine}\n"
        '          key_name: k\n          created_at: "2026-01-01T00:00:00Z"\n          enc: vault:v1:QUJD\n'
    )
    text = sides.real.read("e.yaml")
    start, end = text.index("    age:"), text.index("    lastmodified:")
    sides.write("v.yaml", text[:start] + entry + text[end:])


@pytest.mark.parametrize("engine", ["sys/policies/acl", "team/sys/policies/acl", "identity/x", "other"])
def test_vault_token(engine: str, sides: Sides) -> None:
    with Script((400, "{}")) as server:
        _write_for_vault(sides, server.address, engine)
        own = "http://127.0.0.1:1" if engine == "other" else server.address
        environ = {"VAULT_ADDR": own, "VAULT_TOKEN": "t0ken", "VAULT_MAX_RETRIES": "0"}
        sides.real.run("decrypt", "v.yaml", environ=environ, code=128)
        (seen,) = server.seen
        assert (seen.path, seen.headers["X-Vault-Token"]) == (f"/v1/{engine}/decrypt/k", "t0ken")
        for box in (sides.ours, sides.own):
            done = box.run("decrypt", "v.yaml", environ=environ, code=128)
            assert "a transit engine: Vault keeps" in done.err or engine == "other"
    assert len(server.seen) == 1
    with Script((200, '{"data": {"type": "kv", "path": "secret/"}}'), reads=True) as server:
        _write_for_vault(sides, server.address, "secret")
        environ |= {"VAULT_ADDR": server.address}
        for box in sides.all:
            box.run("decrypt", "v.yaml", environ=environ, code=128)
    assert [seen.path for seen in server.seen] == [
        "/v1/secret/decrypt/k",
        *["/v1/sys/internal/ui/mounts/secret"] * 2,
    ]


def test_try_again(sides: Sides) -> None:
    _write_for_vault(sides, "http://127.0.0.1:1", "transit")
    environ = {"VAULT_ADDR": "http://127.0.0.1:1", "VAULT_TOKEN": "x"}
    codes = [box.run("decrypt", "v.yaml", environ=environ) for box in sides.all]
    assert [done.code for done in codes] == [128, 128, 75]
    first, *_, last = codes[2].err.splitlines()
    assert "http://127.0.0.1:1 cannot be reached: Connection refused" in first
    assert "try again" in last
    assert "add your recipient" not in codes[2].err


def test_toml(sides: Sides) -> None:
    sides.write("x.toml", 'a = "secret"\n')
    for box in sides.all:
        box.run("encrypt", "-i", "x.toml", code=0)
    assert sides.real.read("x.toml").startswith("{")
    assert sides.ours.read("x.toml").startswith("{")
    assert sides.own.read("x.toml").startswith('a = "ENC[')


def test_background(sides: Sides) -> None:
    real, ours, own = sides.run("exec-file", "--background", "--no-fifo", "e.yaml", "true")
    assert real.code == ours.code == 0
    assert real.out == ours.out == ""
    # encconf has no such option of its own, so that the line is read as sops's.
    assert own.code == 0
    assert "deprecated" in own.err


def test_bounds(sides: Sides) -> None:
    long = "x" * 1_000_000
    aliases = f"a_unencrypted: &a {long}\n" + "".join(f"b{n}_unencrypted: *a\n" for n in range(18))
    sides.rules("    mac_only_encrypted: true\n")
    sides.encrypt("aliases.yaml", YAML)
    sides.write("aliases.yaml", aliases + sides.real.read("aliases.yaml"))
    recipients = [AgeKey.generate().recipient for _ in range(11)]
    _, data_key, _ = opened(sides.real.read("e.yaml"), "yaml", sides.key)
    keys = [pyrage.x25519.Recipient.from_str(each) for each in (*recipients, sides.key.recipient)]
    enc = pyrage.encrypt(data_key, keys, armored=True).decode()
    armored = "".join(f"            {line}\n" for line in enc.splitlines())
    text = re.sub(
        r"(?s)( +)-----BEGIN AGE.*END AGE ENCRYPTED FILE-----\n", armored, sides.real.read("e.yaml")
    )
    sides.write("header.yaml", re.sub(r"enc: \|(?:\n *|\n)?\n", "enc: |\n", text))
    for name, codes in (("aliases.yaml", (0, 1, 2)), ("header.yaml", (0, 128, 128))):
        real, ours, own = sides.run("decrypt", name)
        assert (real.code, ours.code, own.code) == codes


def test_pipe(sides: Sides) -> None:
    for box in sides.all:
        os.mkfifo(box.folder / "p.yaml")
    for box in (sides.ours, sides.own):
        assert "no program writes to it" in box.run("decrypt", "p.yaml", code=2).err
    with pytest.raises(subprocess.TimeoutExpired):
        subprocess.run(
            [sides.real.program, "decrypt", "p.yaml"], cwd=sides.real.folder, env=sides.real.environ,
            capture_output=True, timeout=4, check=False,
        )  # fmt: skip
