"""Content decides what a file is: whatever its name, in every verb."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import forks
import pytest
from engine import credentials, rule
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import FIXTURES, AgeKey, Sops
from pace import at_most

import encconf
from encconf import api, formats

ALICE = AgeKey.load(FIXTURES / "keys" / "alice.txt")
RULE = rule(ALICE)
PLAIN = {
    "yaml": "a: b\n",
    "json": '{"a": "b"}\n',
    "dotenv": "a=b\n",
    "ini": "[s]\na = b\n",
    "toml": 'a = "b"\n',
    "binary": "a=b\n",
}
SEALED = {format: api.encrypt(text, RULE, format=format) for format, text in PLAIN.items()}
NAMES = (
    "secrets", "secrets.enc", ".env.enc", ".env.sops", "prod.env.sops", ".env.production", ".env.encrypted",
    "values.yaml.enc", "values.YAML.sops", "H.YAML", "a.Json", "x.ini.enc", "x.toml", "x.toml.enc", "x.txt",
    "config.py", "a.md", "x.yaml", "x.yml", "x.json", "x.env", "x.ini", "no ending", "ä.conf", ".enc", "x.",
)  # fmt: skip


# --- the names -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "format"),
    [
        (".env.sops", "dotenv"),
        (".env.enc", "dotenv"),
        ("prod.env.encrypted", "dotenv"),
        ("values.yaml.enc", "yaml"),
        ("VALUES.YML.ENC", "yaml"),
        ("a/b.Json", "json"),
        ("x.toml.sops.enc", "toml"),
        (".env.production", "binary"),
        ("values.yaml.bak", "binary"),
        ("secrets.enc", "binary"),
        ("dir.yaml/secrets", "binary"),
        (".enc", "binary"),
        ("", "binary"),
    ],
)
def test_the_inner_name_decides_the_format_to_write(name: str, format: str) -> None:
    assert formats.of_path(name) == format


@pytest.mark.parametrize("name", ["H.YAML", "x.toml", ".env.sops", "a.yaml.enc"])
def test_by_the_name_as_sops(name: str) -> None:
    assert formats.of_path_as_sops(name) == "binary"


# --- the function --------------------------------------------------------------------------------


@pytest.mark.parametrize("format", SEALED)
@pytest.mark.parametrize("name", NAMES)
def test_any_name(name: str, format: str) -> None:
    text = SEALED[format]
    found = formats.find(text, name)
    if format in ("json", "binary") and name.lower().endswith((".yaml", ".yml", ".yaml.enc", ".yaml.sops")):
        assert found in ("yaml", format)  # JSON is YAML, too
    elif format == "binary" and formats.of_path_as_sops(name) == "json":
        assert found == "json"
    else:
        assert found == format
    assert found == formats.find(text.encode(), name) == formats.find("\ufeff" + text, name)
    assert formats.find(PLAIN[format], name) is None


@pytest.mark.parametrize("name", NAMES)
def test_what_only_shows_a_sops_file_is_none(name: str) -> None:
    named = formats.of_path(name)
    for format, text in SEALED.items():
        shown = f"# How to\n\nThe file looks so:\n\n```\n{text}```\n"
        if format != named:
            assert formats.find(shown, name) in (None, named)
    assert formats.find(f'import x\nTEXT = """\n{SEALED["yaml"]}"""\n', "a.py") is None
    assert formats.find("app:\n  sops:\n    mac: ENC[\n    lastmodified: x\n", name) is None


@pytest.mark.parametrize(
    "text",
    [
        "  a: ENC[\n  sops:\n    mac: ENC[\n",
        "---\n# x\n  a: ENC[\n  sops:\n    mac: ENC[\n",
        "--- {a: ENC[x], sops: {mac: x}}\n",
        "# x\n{a: ENC[x],\n sops: {mac: x}}\n",
    ],
)
def test_yaml_that_is_not_at_the_margin(text: str) -> None:
    assert formats.find(text, "a.yaml") == "yaml"


@pytest.mark.parametrize(
    ("text", "name", "format"),
    [
        ("sops:\n  mac: ENC[\na: 1\n", "a.yaml", "yaml"),  # in the first line
        ("# made by sops\na: 1\nsops:\n  mac: ENC[\n", "a.yaml", "yaml"),  # behind another "sops"
        ("a: ENC[\nsops: {mac: x}", "a.yaml", "yaml"),  # in a last line without an end
        ("  a: ENC[\n  x:\n    sops: 1\n  sops:\n    mac: x\n", "a.yaml", "yaml"),
        ("app:\n sops:\n  mac: ENC[\n", "a.yaml", None),  # somebody's own key, not at the root
        ("# x\napp:\n  sops:\n    mac: ENC[\n", "a.yaml", None),
        ("# {x}\napp:\n  sops:\n    mac: ENC[\n", "a.yaml", None),  # no brace that begins a root
        ("a: 1\nsops:\n  mac: x\n", "a.yaml", None),  # nothing is encrypted
        ("a: ENC[\nsops:\n  x: 1\n", "a.yaml", "yaml"),  # damaged: the MAC is gone
        ("a: ENC[\nsops:\n  x: 1\n", "a", None),
        ('{"a": "ENC[", "sops": {}}', "a.json", "json"),
        ('{"a": "ENC[", "sops": {}}', "a.json.enc", "json"),
        ('{"a": "ENC[", "sops": {}}', "a", None),
        ('{"a": "ENC[", "sops": {}}', ".env", None),
        ('{"a": "ENC[", "sops": {"mac": "x"}}', "a", "json"),
        ('{"a": "ENC[", "sops": {"mac": "x"}}', ".env", "json"),
        ('{"a": "ENC[", "sops": {"mac": "x"}}', "a.yaml.enc", "yaml"),
        ("{a: ENC[, sops: {mac: x}}", "a.yaml", "yaml"),
        ("{a: ENC[, sops: {mac: x}}", "a", None),
        ("{a: ENC[, tops: {mac: x}} # sops", "a.yaml", None),
        ('{"data": "ENC[x", "sops": {"mac": "x"}}', "a", "binary"),
        ('{"data": "ENC[x", "sops": {"mac": "x"}, "b": 1}', "a", "json"),
    ],
)
def test_where_the_entry_is(text: str, name: str, format: str | None) -> None:
    assert formats.find(text, name) == format


@pytest.mark.parametrize("format", ["yaml", "dotenv", "ini", "toml"])
@pytest.mark.parametrize("member", ["mac", "lastmodified"])
def test_one_member_that_only_sops_writes_is_enough(format: str, member: str) -> None:
    """A file that somebody has repaired by hand, or that a merge has damaged, is not overlooked."""
    lines = SEALED[format].splitlines(keepends=True)
    text = "".join(line for line in lines if member not in line)
    assert text != SEALED[format]
    assert formats.find(text, "secrets") == format


@pytest.mark.parametrize("format", ["yaml", "dotenv", "ini", "toml"])
def test_conflict_markers_hide_no_file(format: str) -> None:
    text = SEALED[format]
    merged = f"<<<<<<< HEAD\n{text}||||||| base\n=======\n{text}>>>>>>> other"
    assert formats.find(merged, "secrets") == format


def test_the_format_by_the_content_or_else_by_the_name() -> None:
    assert formats.format_of(SEALED["toml"], "a.yaml") == "toml"
    assert formats.format_of(PLAIN["toml"], "a.yaml") == "yaml"
    assert formats.format_of(PLAIN["toml"]) == "binary"


@pytest.mark.parametrize("format", [format for format in SEALED if format != "binary"])
def test_the_block_alone_says_the_same(format: str) -> None:
    text = SEALED[format]
    found = formats.get(format).from_entry(text.encode())
    assert found is not None
    assert len(found) < len(text)
    scan = formats.get(format).scan
    assert scan(found.decode()).block == scan(text).block


def test_a_block_whose_place_is_not_plain() -> None:
    for format, text in {
        "yaml": "a: 1\n",
        "json": '{"a": 1}',
        "dotenv": "a=1\n",
        "ini": "[s]\n[sops]\na = 1\n[sops]\n",
        "toml": "[[sops]]\n",
        "binary": "sops",
    }.items():
        assert formats.get(format).from_entry(text.encode()) is None
    assert formats.get("yaml").from_entry(b"sops:\n  a: 1\nsops:\n  b: 1\n") is None


def test_a_text_in_utf16_is_recognized() -> None:
    for encoding in ("utf-16", "utf-16-be"):
        mark = b"" if encoding == "utf-16" else b"\xfe\xff"
        assert formats.find(mark + SEALED["yaml"].encode(encoding), "secrets") == "yaml"
        assert formats.find(mark + PLAIN["yaml"].encode(encoding), "a.yaml") is None
    assert formats.find(b"\xff\xfe", "a.yaml") is None


@settings(max_examples=200)
@given(st.text(max_size=12), st.sampled_from(["", ".enc", ".yaml", ".env", ".toml", ".JSON"]), st.data())
def test_property_names_do_not_hide_a_file(stem: str, ending: str, data: st.DataObject) -> None:
    name = stem + ending
    format = data.draw(st.sampled_from(sorted(SEALED)))
    found = formats.find(SEALED[format], name)
    assert found is not None
    text = api.decrypt(SEALED[format], format=found, credentials=credentials(ALICE))
    if found == format:
        assert text == PLAIN[format]
    else:
        assert {found, format} <= {"yaml", "json", "binary"}


def test_a_text_that_is_searched_for_long() -> None:
    """Each search is linear: nothing in a file makes detection slow."""

    for piece in (
        "sops ENC[ mac: \n",
        " sops: ENC[ mac:\n",
        '{"data": "ENC[',
        "sops= \t",
        "# sops ENC[mac=\n",
    ):
        text = piece * 20_000
        with at_most(5):
            for name in ("a", "a.yaml", "a.env", "a.toml", "a.ini"):
                formats.find(text, name)


def test_a_glance_at_the_first_bytes(tmp_path: Path) -> None:
    contents = {"a": SEALED["yaml"].encode(), "b": b"x", "c": b"x\0ENC[", "d": b"\xff\xfe", "e": b"x" * 9000}
    for name, data in {**contents, "f": b"\0" * 9000, "g": b""}.items():
        (tmp_path / name).write_bytes(data)
    assert [name for name in "abcdefg" if formats.glance(str(tmp_path / name))] == ["a", "c", "d", "e"]
    with pytest.raises(FileNotFoundError):
        formats.glance(str(tmp_path / "missing"))


def test_a_glance_sees_8_kib(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\0".ljust(8188, b"x") + b"ENC[")
    (tmp_path / "b").write_bytes(b"\0".ljust(8189, b"x") + b"ENC[")
    assert formats.glance(str(tmp_path / "a"))
    assert not formats.glance(str(tmp_path / "b"))


@pytest.mark.posix  # Windows opens no folders
def test_a_glance_leaves_nothing_open(tmp_path: Path) -> None:
    def next_number() -> int:
        number = os.open(tmp_path, os.O_RDONLY)
        os.close(number)
        return number

    (tmp_path / "a").write_bytes(b"x")
    before = next_number()
    formats.glance(str(tmp_path / "a"))
    assert next_number() == before


@pytest.mark.posix
def test_a_glance_at_a_pipe_does_not_wait(tmp_path: Path) -> None:
    pipe = str(tmp_path / "pipe")
    os.mkfifo(pipe)
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(formats.glance(pipe)), daemon=True)
    thread.start()
    thread.join(30)
    assert found == [False]


# --- the verbs -----------------------------------------------------------------------------------


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOPS_AGE_KEY", ALICE.identity)
    (tmp_path / ".sops.yaml").write_text(f"creation_rules:\n  - age: {ALICE.recipient}\n")
    return tmp_path


def called(*words: str, program: str = "encconf", code: int = 0) -> str:
    """What a command prints, which must end with ``code``, with line ends of Unix."""
    done = forks.run(program, words, cwd=Path.cwd(), environ=os.environ)
    assert done.returncode == code, done
    return (done.stdout + done.stderr).decode(errors="replace").replace("\r\n", "\n")


VERBS = ((".env.sops", "dotenv"), ("values.yaml.enc", "yaml"), ("prod.ini.enc", "ini"), ("secrets", "toml"))


@pytest.mark.parametrize(("name", "format"), VERBS)
def test_every_verb(here: Path, name: str, format: str) -> None:
    value = "s.a" if format == "ini" else "a"
    (here / name).write_text(SEALED[format])
    assert called("decrypt", name) == PLAIN[format]
    assert called("get", name, value) == "b"
    called("set", name, value, "new")
    assert called("get", name, value) == "new"
    assert "1 of them encrypted" in called("check")
    assert name in called("access")
    assert "state: encrypted" in called("explain", name) or "encrypted" in called("explain", name)
    assert '{"encrypted":true}' in called("filestatus", name)
    show = "import os; print(os.environ.get('A') or os.environ.get('S_A') or os.environ['a'])"
    assert called("exec", name, "--", sys.executable, "-c", show) == "new\n"
    assert "new" in called("git", "textconv", name)
    assert "already" in called("encrypt", "-i", name, code=203)
    other = AgeKey.generate()
    rules = here / ".sops.yaml"
    rules.write_text(f"creation_rules:\n  - age: {ALICE.recipient},{other.recipient}\n")
    assert "keys-differ" in called("check", code=1)
    called("updatekeys", "-y", "-r", ".")
    assert other.recipient in (here / name).read_text()
    called("rotate", "-r", ".")
    loaded = encconf.load_config(here / name)
    assert loaded == ({"s": {"a": "new"}} if format == "ini" else {"a": "new"})


def test_what_was_written_is_read_again(here: Path) -> None:
    (here / ".env").write_text("A=1\nB=x y\n")
    called("encrypt", "-o", ".env.sops", ".env")
    assert "sops_mac=" in (here / ".env.sops").read_text()
    assert called("decrypt", ".env.sops") == "A=1\nB=x y\n"
    assert encconf.load_config(".env.sops") == {"A": "1", "B": "x y"}


@pytest.mark.parametrize(
    ("name", "text"), [("a.toml", 'a = "b"\n'), (".env.sops", "a=b\n"), (".env.prod", "a=b\n")]
)
def test_binary_json_of_sops_by_another_name(here: Path, sops: Sops, name: str, text: str) -> None:
    enc = sops.encrypt(text, "binary", age=ALICE.recipient)
    (here / name).write_text(enc)
    assert called("decrypt", name) == text
    assert called("git", "textconv", name) == text
    assert "1 of them encrypted" in called("check")
    assert name in called("access")
    assert encconf.load_config(name) == {"a": "b"}
    assert encconf.load_configs([name], resolve=True) == [{"a": "b"}]


def test_load_config_of_what_is_no_text_of_a_format(here: Path) -> None:
    Path("x.bin").write_text(SEALED["binary"])
    with pytest.raises(encconf.EncconfError, match="bytes, not values"):
        encconf.load_config("x.bin")
    Path("a.toml").write_text(api.encrypt(SEALED["toml"], RULE, format="binary"))
    with pytest.raises(encconf.EncconfError, match="encrypted twice"):
        encconf.load_config("a.toml")


@pytest.mark.parametrize("program", ["encconf", "sops"])
@pytest.mark.parametrize("format", SEALED)
@pytest.mark.parametrize("name", ["secrets", ".env.sops", "a.toml", "x.YAML"])
def test_nothing_is_encrypted_twice(here: Path, program: str, format: str, name: str) -> None:
    (here / name).write_text(SEALED[format])
    called("encrypt", "-i", name, program=program, code=203)
    assert (here / name).read_text() == SEALED[format]


def test_encrypted_twice_where_that_is_asked_for(here: Path) -> None:
    (here / "secrets").write_text(SEALED["dotenv"])
    called("encrypt", "-i", "--input-type", "binary", "secrets")
    assert called("decrypt", "secrets") == SEALED["dotenv"]


def test_a_name_by_which_a_file_is_read_otherwise(here: Path) -> None:
    (here / "a.txt").write_text("x")
    said = called("encrypt", "-o", "b.json", "a.txt")
    assert "the name b.json means json, but the content is binary" in said
    assert called("decrypt", "--input-type", "binary", "b.json") == "x"


def test_utf16_yaml(here: Path, sops: Sops) -> None:
    enc = sops.encrypt("a: ü\n", "yaml", age=ALICE.recipient)
    for name in ("x.enc.yaml", "secrets"):
        (here / name).write_bytes(enc.encode("utf-16"))
        assert called("decrypt", name) == "a: ü\n"
        assert name in called("access")
        assert encconf.load_config(name) == {"a": "ü"}
        called("set", name, "b", "1")
        assert (here / name).read_bytes().startswith(b"a: ENC[")
    (here / "plain.yaml").write_bytes("a: ü\n".encode("utf-16"))
    called("encrypt", "-i", "plain.yaml")
    assert Sops(ALICE.environ()).decrypt((here / "plain.yaml").read_text(), "yaml") == "a: ü\n"


@pytest.mark.parametrize("name", ["a.yaml", "a.json", ".env", "a.ini", "a.toml", "b.enc"])
@pytest.mark.parametrize(
    "command", [("edit",), ("decrypt",), ("set", "a", "b"), ("rotate",), ("updatekeys", "-y")]
)
def test_conflict_markers_are_named(here: Path, name: str, command: tuple[str, ...]) -> None:
    format = formats.of_path(name)
    text = SEALED["yaml" if format == "binary" else format]
    (here / name).write_text(f"<<<<<<< HEAD\n{text}=======\n{text}>>>>>>> other\n")
    verb, *rest = command
    said = called(verb, name, *rest, code=2)
    assert "it contains git's conflict markers" in said
    assert f"git checkout --merge {name}" in said
    assert "merge-conflict" in called("check", code=1)
    with pytest.raises(encconf.EncconfError, match="conflict markers"):
        encconf.load_config(name)


@pytest.mark.parametrize("filler", [b"\t", b" ", b"\n", b"\n ", b"[ ", b"a", b"a ", b"'", b"= ", b"- "])
@pytest.mark.parametrize("name", ["x.yaml", "x.env", "x.toml"])
def test_time_is_linear_in_whatever_is_repeated(name: str, filler: bytes) -> None:
    data = b"# lastmodified: ENC[ sops\n" + filler * (300_000 // len(filler)) + b"!"
    with at_most(2):
        formats.find(data, name)
