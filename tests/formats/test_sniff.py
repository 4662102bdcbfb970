"""Content decides what a file is: whatever its name, in every verb."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import FIXTURES, AgeKey

import encconf
from encconf import api, formats
from encconf.config import Rule
from encconf.formats import sniff
from encconf.keys.age import AgeKey as Recipient

ALICE = AgeKey.load(FIXTURES / "keys" / "alice.txt")
RULE = Rule([[Recipient.from_config(ALICE.recipient)]])
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


def opens(name: str, format: str) -> bool:
    """Whether sops itself, going by the name, reads such a text as another format."""
    return not (format in ("json", "binary") and formats.of_path(name) == "yaml" and name[-4:] != ".enc")


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
def test_i1_h10_the_inner_name_decides_the_format_to_write(name: str, format: str) -> None:
    assert formats.of_path(name) == format


@pytest.mark.parametrize("name", ["H.YAML", "x.toml", ".env.sops", "a.yaml.enc"])
def test_by_the_name_as_sops(name: str) -> None:
    assert formats.of_path_as_sops(name) == "binary"


# --- the function --------------------------------------------------------------------------------


@pytest.mark.parametrize("format", SEALED)
@pytest.mark.parametrize("name", NAMES)
def test_d1_i1_any_name(name: str, format: str) -> None:
    text = SEALED[format]
    found = sniff.find(text, name)
    if format in ("json", "binary") and name.lower().endswith((".yaml", ".yml", ".yaml.enc", ".yaml.sops")):
        assert found in ("yaml", format)  # JSON is YAML, too
    elif format == "binary" and formats.of_path_as_sops(name) == "json":
        assert found == "json"
    else:
        assert found == format
    assert found == sniff.find(text.encode(), name) == sniff.find("\ufeff" + text, name)
    assert sniff.find(PLAIN[format], name) is None


@pytest.mark.parametrize("name", NAMES)
def test_what_only_shows_a_sops_file_is_none(name: str) -> None:
    named = formats.of_path(name)
    for format, text in SEALED.items():
        shown = f"# How to\n\nThe file looks so:\n\n```\n{text}```\n"
        if format != named:
            assert sniff.find(shown, name) in (None, named)
    assert sniff.find(f'import x\nTEXT = """\n{SEALED["yaml"]}"""\n', "a.py") is None
    assert sniff.find("app:\n  sops:\n    mac: ENC[\n    lastmodified: x\n", name) is None


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
    assert sniff.find(text, "a.yaml") == "yaml"


def test_i9_utf16() -> None:
    for encoding in ("utf-16", "utf-16-be"):
        mark = b"" if encoding == "utf-16" else b"\xfe\xff"
        assert sniff.find(mark + SEALED["yaml"].encode(encoding), "secrets") == "yaml"
        assert sniff.find(mark + PLAIN["yaml"].encode(encoding), "a.yaml") is None
    assert sniff.find(b"\xff\xfe", "a.yaml") is None


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=12), st.sampled_from(["", ".enc", ".yaml", ".env", ".toml", ".JSON"]), st.data())
def test_property_names_do_not_hide_a_file(stem: str, ending: str, data: st.DataObject) -> None:
    name = stem + ending
    format = data.draw(st.sampled_from(sorted(SEALED)))
    found = sniff.find(SEALED[format], name)
    assert found is not None
    text = api.decrypt(SEALED[format], format=found, credentials=credentials())
    if found == format:
        assert text == PLAIN[format]
    else:
        assert {found, format} <= {"yaml", "json", "binary"}


def credentials() -> encconf.Credentials:
    return encconf.Credentials.from_env({"SOPS_AGE_KEY": ALICE.identity})


def test_a_text_that_is_searched_for_long() -> None:
    """Each search is linear: nothing in a file makes detection slow."""
    import time

    for piece in ("sops ENC[ mac: \n", " sops: ENC[ mac:\n", '{"data": "ENC[', "sops= \t", "# sops ENC[mac=\n"):
        text = piece * 20_000
        started = time.perf_counter()
        for name in ("a", "a.yaml", "a.env", "a.toml", "a.ini"):
            sniff.find(text, name)
        assert time.perf_counter() - started < 5


# --- the verbs -----------------------------------------------------------------------------------


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOPS_AGE_KEY", ALICE.identity)
    (tmp_path / ".sops.yaml").write_text(f"creation_rules:\n  - age: {ALICE.recipient}\n")
    return tmp_path


def called(*words: str) -> tuple[int, str]:
    """Exit code and stdout of a command, in this process."""
    import contextlib
    import io

    out, err = io.BytesIO(), io.StringIO()
    code = 0
    with contextlib.redirect_stderr(err):
        done = subprocess.run(
            [os.path.join(os.path.dirname(os.sys.executable), "encconf"), *words],  # type: ignore[attr-defined]
            capture_output=True,
            check=False,
        )
        code = done.returncode
        out.write(done.stdout)
    return code, out.getvalue().decode() + done.stderr.decode()
