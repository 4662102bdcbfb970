"""A format is a row in `encconf.formats.ROWS`: a toy one works with no other change."""

from __future__ import annotations

import os
import re
from pathlib import Path
from uuid import uuid4

import engine
import pytest
from engine import credentials, rule
from oracle import AgeKey
from pace import at_most

from encconf import api, formats
from encconf.engine import changes
from encconf.errors import EmitError, ParseError, UsageError
from encconf.merge import merge
from encconf.testing.contracts.format import SECRET, FormatContract

TOY = formats.Row("formats.toy_format.Toy", (".toy",), "encconf.formats.dotenv_tree.DotenvWriting")


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(formats.ROWS, "toy", TOY)
    monkeypatch.setattr(formats, "NAMES", (*formats.NAMES, "toy"))


class TestToy(FormatContract):
    name = "toy"
    suffixes = (".toy", ".toy.enc")
    path = ("PASSWORD",)
    texts = (f"# top\nHOST=h\n\nPASSWORD={SECRET}\nEMPTY=\n",)
    broken = (f"{SECRET}\n", f'A="{SECRET}\nb"\n')


def test_verbs(age_key: AgeKey) -> None:
    text = api.encrypt("a=1\n# c\nb=2\n", rule(age_key), format="toy", credentials=credentials(age_key))
    text = engine.change(text, "toy", (("b",), "3"), credentials=credentials(age_key))
    text = engine.change(text, "toy", (("a",), changes.REMOVED), credentials=credentials(age_key))
    assert api.decrypt(text, format="toy", credentials=credentials(age_key)) == "# c\nb=3\n"
    assert merge("a=1\nb=2\n", "a=2\nb=2\n", "a=1\nb=3\n", format="toy").text == "a=2\nb=3\n"


# What check prints has a shape, and readers of .env have dialects: both are no formats of files.
COMPARED = re.compile(
    r"""(?<!\bshape )[!=]= "(?:yaml|json|dotenv|ini|toml)"|"""
    r"""(?<!\bdialect )in \("(?:yaml|json|dotenv|ini|toml)"[^)]*\)"""
)
MOST = 6
"""How often code outside formats/ asks for a format by its name.  Take one away, and lower it."""


def test_few_ask_for_a_format_by_its_name() -> None:
    package = Path(formats.__file__).resolve().parents[1]
    found = [
        f"{path.relative_to(package)}: {line.strip()}"
        for path in sorted(package.rglob("*.py"))
        if path.parent.name != "formats"
        for line in path.read_text(encoding="utf-8").splitlines()
        if COMPARED.search(line)
    ]
    assert len(found) <= MOST, "\n".join(found)


def test_a_plaintext_that_has_a_sops_entry() -> None:
    """In dotenv, the block is not an entry: its lines have names of their own, which are not loaded."""
    for name, text, loaded in (
        ("yaml", "a: x\nsops: {b: y}\n", {"a": "x", "sops": {"b": "y"}}),
        ("json", '{"sops": {"b": "y"}, "a": "x"}', {"a": "x", "sops": {"b": "y"}}),
        ("toml", "a = 'x'\n[sops]\nb = 'y'\n", {"a": "x", "sops": {"b": "y"}}),
        ("ini", "[a]\nc = x\n[sops]\nb = y\n", {"a": {"c": "x"}, "sops": {"b": "y"}}),
        ("dotenv", "a=x\nsops_b=y\n", {"a": "x"}),
        ("yaml", "sops: b\n", {"sops": "b"}),
        ("yaml", "a: x\nsops: 'b'  # c\n", {"a": "x", "sops": "b"}),
        ("yaml", "a: x\nsops: [b, {c: d}]\n", {"a": "x", "sops": ["b", {"c": "d"}]}),
        ("yaml", "a: x\nsops:\n- b\n", {"a": "x", "sops": ["b"]}),
        ("yaml", "a: x\nsops:\n", {"a": "x", "sops": None}),
        ("yaml", "a: &b x\nsops: *b\n", {"a": "x", "sops": "x"}),
        ("json", '{"sops": "b", "a": "x"}', {"a": "x", "sops": "b"}),
        ("json", '{"sops": ["b", 1], "a": "x"}', {"a": "x", "sops": ["b", 1]}),
        ("json", '{"sops": null}', {"sops": None}),
        ("toml", "a = 'x'\nsops = 'b'\n", {"a": "x", "sops": "b"}),
    ):
        assert formats.get(name).load_plain(text) == [loaded], name


def test_many_first_halves_of_conflicts_take_linear_time() -> None:
    yaml = formats.get("yaml")
    with at_most(2), pytest.raises(ParseError, match="top level"):
        formats.scan_encrypted("<<<<<<< x\n" * 40_000, yaml)
    with pytest.raises(ParseError, match=r"conflict markers") as caught:
        formats.scan_encrypted("a: 1\n<<<<<<< x\na: 2\n=======\na: 3\n>>>>>>>\r\n", yaml)
    assert caught.value.line == 2


CIPHERTEXT = "ENC[AES256_GCM,data:a,iv:b,tag:c,type:str]"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"a: {CIPHERTEXT}\n", True),
        (f"a={CIPHERTEXT}", True),
        (f'{{"a": ["x", "{CIPHERTEXT}"]}}\n', True),
        (f"[s]\na = {CIPHERTEXT}\n", True),
        (f"#{CIPHERTEXT}\n", True),
        (f"<p>{CIPHERTEXT}\n", False),
        (f"It is a: {CIPHERTEXT} there\n", False),
        (f"What sops writes\n\n    a: {CIPHERTEXT}\n", False),
        ("a: ENC[AES256_GCM,data:a,iv:b]\n", False),
        ("a: x\n", False),
        ("", False),
    ],
)
def test_a_text_with_ciphertexts(text: str, found: bool) -> None:
    assert formats.has_ciphertext(text) is found
    assert formats.has_ciphertext(text.encode()) is found


def test_a_broken_file_without_conflict_markers() -> None:
    yaml = formats.get("yaml")
    for text in ("- a\n", "- a\n<<<<<<< x\n", "- a\n>>>>>>> x\n<<<<<<< y\n", "- a\n<<<<<<< x\n>>>>>>>> y\n"):
        with pytest.raises(ParseError, match="the top level"):
            formats.scan_encrypted(text, yaml)
    assert formats.scan_encrypted("a: |\n <<<<<<< x\nb: 1\n", yaml, comments=True).comments == []
    assert len(formats.scan_encrypted("# c\nb: 1\n", yaml, comments=True).comments) == 1
    assert formats.scan_encrypted("# c\nb: 1\n", yaml).comments == []


@pytest.mark.parametrize("format", ["yaml", "json", "dotenv", "ini", "toml"])
def test_a_text_without_values(format: str) -> None:
    for text in ("", "\n", " \r\n\n"):
        document = formats.scan_any(text, format)
        assert (document.text, document.format, document.leaves) == (text, formats.get(format), [])
    if format in ("dotenv", "toml"):
        assert [each.text for each in formats.scan_any("# c\n", format, comments=True).comments] == [" c"]
    if format != "dotenv":
        with pytest.raises(ParseError):
            formats.scan_any("x", format)


def test_a_format_that_does_not_exist() -> None:
    with pytest.raises(UsageError, match="unknown format 'xml'") as caught:
        formats.get("xml")
    assert caught.value.hint == "formats are: yaml, json, dotenv, ini, toml, binary, toy"
    with pytest.raises(EmitError, match="single values of binary files cannot be changed"):
        formats.writing_of(formats.get("binary"))
    assert formats.get("ini") is formats.get("ini")


def test_the_format_of_the_text_in_a_binary_file() -> None:
    for path, format in (
        (".env.prod", "dotenv"), ("a.b/x.INI.old", "ini"), ("a.json\\x", "binary"), ("a.json/x", "binary"),
        ("x.yaml.json.txt", "json"), ("json", "binary"), ("x.", "binary"), ("", "binary"), (".json", "json"),
    ):  # fmt: skip
        assert formats.of_inner(path) == format, path


def test_a_class_is_imported_from_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = f"format_{uuid4().hex}"  # which nothing has imported
    (tmp_path / f"{module}.py").write_text("class Here:\n    name = 'here'\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(formats.ROWS, "here", formats.Row(f"{module}.Here", writing=f"{module}.Here"))
    assert formats.get("here").name == "here"
    assert formats.writing_of(formats.get("here")) is formats.get("here")


@pytest.mark.posix
def test_the_head_of_a_pipe_stays_in_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    pipe = os.open(tmp_path / "pipe", os.O_RDWR | os.O_NONBLOCK)
    os.write(pipe, b"ENC[")
    assert formats.head_of(str(tmp_path / "pipe")) == b""
    assert os.read(pipe, 9) == b"ENC["
    os.close(pipe)
