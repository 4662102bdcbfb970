"""Malicious files: each gives a specific error, quickly, and without a traceback or a value."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import weakref
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from textwrap import indent

import engine
import pytest
from engine import credentials, rule
from memory import grows_at_most
from oracle import AgeKey
from pace import at_most
from project import Project

from encconf import api, cli, formats, sources
from encconf.audit.sealed import is_bare
from encconf.cli import table
from encconf.cli.console import Console
from encconf.engine import changes
from encconf.engine.metadata import MAX_KEYS
from encconf.errors import (
    EncconfError,
    KeyAccessError,
    LimitError,
    MetadataError,
    NotEncryptedError,
    NotMyKeyError,
    ParseError,
)
from encconf.formats.dotenv import bindings, expanded
from encconf.formats.yaml_words import content_end, line_start
from encconf.identities.credentials import Credentials
from encconf.keys.age import LINE_LIMIT, LINES_LIMIT, STANZA_LIMIT
from encconf.keys.age import AgeKey as AgeRecipient
from encconf.merge.trees import with_empty
from encconf.rules.selection import Selection

yaml = formats.get("yaml")

_LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "format", "error"),
    [
        (_LAUGHS, "yaml", LimitError),
        ("a: " + "[" * 100_000, "yaml", LimitError),
        ("\n".join(" " * n + "a:" for n in range(1000)), "yaml", LimitError),
        ('{"a":' * 100_000, "json", LimitError),
        ('{"a": ' + "9" * 1_000_000 + "}", "json", EncconfError),
        ("a: &a [*a]\n", "yaml", ParseError),
        ("? [a]\n: b\n", "yaml", ParseError),
        ("a: 1\na: 2\n", "yaml", ParseError),
        ('{"a": 1, "a": 2}', "json", ParseError),
        ("- a\n", "yaml", ParseError),
        ("[1]", "json", ParseError),
        ("", "yaml", EncconfError),
        ("", "json", ParseError),
        ("a: \x00", "yaml", ParseError),
        ("%YAML 9.9\n---\na: 1\n", "yaml", ParseError),
    ],
)
def test_plain(text: str, format: str, error: type[Exception], age_key: AgeKey) -> None:
    with at_most(20), pytest.raises(error):  # a generous limit: a real bomb would take hours
        api.encrypt(text, rule(age_key), format=format, credentials=credentials(age_key))


@pytest.mark.parametrize(
    ("block", "error"),
    [
        (None, NotEncryptedError),
        ("sops: 1\n", MetadataError),
        ("sops: []\n", MetadataError),
        ("sops: {}\n", EncconfError),
        ("sops:\n  age: 1\n", MetadataError),
        ("sops:\n  age: [1]\n", MetadataError),
        ("sops:\n  age: [{recipient: [1], enc: 2}]\n", EncconfError),
        ("sops:\n  age: [{recipient: age1x, enc: garbage}]\n", EncconfError),
        ("sops:\n  key_groups: 7\n", MetadataError),
        ("sops:\n  key_groups: [[]]\n", MetadataError),
        ("sops:\n  shamir_threshold: -1\n", EncconfError),
        ("sops:\n  shamir_threshold: " + "9" * 400 + "\n", EncconfError),
        ("sops:\n  unencrypted_suffix: a\n  encrypted_suffix: b\n", EncconfError),
        ("sops:\n  encrypted_regex: '('\n  age: []\n", EncconfError),
        ("sops:\n  pgp: [{fp: '--help', enc: x}]\n", EncconfError),
        ("sops:\n  nonsense: [{enc: x}]\n", EncconfError),
    ],
)
def test_blocks(block: str | None, error: type[Exception], age_key: AgeKey) -> None:
    text = "a: ENC[AES256_GCM,data:AAAA,iv:AAAA,tag:AAAA,type:str]\n" + (block or "")
    with pytest.raises(error) as caught:
        api.loads(text, credentials=credentials(age_key))
    assert isinstance(caught.value, EncconfError)
    with pytest.raises(EncconfError):
        api.decrypt(text, credentials=credentials(age_key))


def test_work_grows_linearly_with_aliases(age_key: AgeKey) -> None:
    text = "a: &a {x: 1}\nl:\n" + "- *a\n" * 20_000
    out = api.encrypt(text, rule(age_key), credentials=credentials(age_key))
    assert api.decrypt(out, credentials=credentials(age_key)) == text


def test_the_wrong_key(age_key: AgeKey) -> None:
    out = api.encrypt("a: topsecret\n", rule(age_key), credentials=credentials(age_key))
    other = AgeKey.generate()
    with pytest.raises(EncconfError) as caught:
        api.loads(out, credentials=credentials(other))
    assert caught.value.exit_code == 128
    assert "none of your keys opens" in str(caught.value)
    assert "topsecret" not in str(caught.value)
    assert other.identity not in str(caught.value)


def test_work_grows_linearly_with_merged_aliases() -> None:
    text = "a: &a {x: 1}\n" + "".join(f"k{n}:\n  <<: *a\n" for n in range(20_000))
    with at_most(20):
        assert yaml.load_plain(text)[0]["k19999"] == {"x": 1}


def test_work_grows_linearly_with_multi_line_values() -> None:
    """Finding the indentation of a text takes long if no line is indented and one line is long."""
    text = "# " + "c" * 1_000_000 + "\n" + "".join(f"k{n}: ENC[x]\n" for n in range(3000))
    document = yaml.scan(text)
    with at_most(2):
        edits = [yaml.literal(document, leaf, "str", b"x\ny") for leaf in document.leaves]
    assert edits[0][2] == "|-\n  x\n  y"


@pytest.mark.parametrize("newline", ["\n", "\r"])
def test_line_start_looks_no_further_than_the_line(newline: str) -> None:
    text = f"kk: 1{newline}" * 400_000
    with at_most(2):
        assert all(line_start(text, at + 4) == at for at in range(1_800_000, 1_860_000, 6))


@pytest.mark.parametrize("blank", ["\n", " \n"])
def test_work_grows_linearly_with_blank_lines(blank: str) -> None:
    text = "a: |\n  x\n" + blank * 80_000 + "b: 1\n"
    document = yaml.scan(text)
    with at_most(5):
        assert content_end(text, document.leaves[0]) == text.index("x\n") + 2


def test_work_grows_linearly_with_what_patterns_find_in_vain(age_key: AgeKey) -> None:
    size = 50_000
    named = api.encrypt("a" + " " * size + "b=1\n", rule(age_key), format="dotenv")
    nothing = Selection("encrypted_regex", "^none$")
    bare = api.encrypt(
        f"a: {'x' * size}\n", rule(age_key, selection=nothing), credentials=credentials(age_key)
    )
    with at_most(2):
        assert len(api.loads(named, format="dotenv", credentials=credentials(age_key))) == 1
        assert expanded("${" * size, lambda name, default: "") == "${" * size
        assert next(bindings("A=x" + " " * size + "y\n")).name == "A"
        document = yaml.scan(bare, comments=True)
        assert is_bare(document, nothing.choose(document))
        assert with_empty("#" + "\t" * size + "x\nm:\n", "map").endswith("m: {}\n")


def test_long_paths_of_aliases_are_limited() -> None:
    path = "\n".join(" " * depth + "k" * 900 + ":" for depth in range(100))
    with pytest.raises(LimitError):
        yaml.scan(f"a: &a {{b: {{c: 1}}}}\n{path}\n{' ' * 100}[{', '.join(['*a'] * 1000)}]\n")


def nested_aliases(depth: int) -> str:
    return "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, depth))


def test_depth_through_aliases_is_limited(age_key: AgeKey) -> None:
    for depth in (200, 430):
        with pytest.raises(LimitError):
            api.encrypt(nested_aliases(depth), rule(age_key), credentials=credentials(age_key))
    with pytest.raises(LimitError):
        yaml.scan(nested_aliases(150) + "b: " + "[" * 60 + "*a149" + "]" * 60 + "\n")
    text = nested_aliases(199)  # with the mapping around them, 200 levels
    out = api.encrypt(text, rule(age_key), credentials=credentials(age_key))
    assert api.decrypt(out, credentials=credentials(age_key)) == text


# --- wrapped keys --------------------------------------------------------------------------------


def armored(stanzas: bytes) -> str:
    """Return an age file with these stanzas.  No key opens it."""
    file = b"age-encryption.org/v1\n" + stanzas + b"--- " + b"A" * 43 + b"\n" + bytes(64)
    lines = b64encode(file).decode()
    body = "\n".join(lines[at : at + 64] for at in range(0, len(lines), 64))
    return f"-----BEGIN AGE ENCRYPTED FILE-----\n{body}\n-----END AGE ENCRYPTED FILE-----\n"


STANZA = b"-> X25519 " + b"YWFh" * 10 + b"YWE" + b"\n" + b"A" * 43 + b"\n"


def with_wrapped(text: str, enc: str, times: int = 1) -> str:
    """Insert another age entry in front of those of an encrypted YAML file."""
    entry = "        - enc: |\n" + indent(enc, " " * 12) + "          recipient: age1x\n"
    return text.replace("    age:\n", "    age:\n" + entry * times)


@pytest.mark.parametrize(
    "stanzas",
    [
        STANZA * 2000,
        STANZA * (STANZA_LIMIT + 1),
        b"-> x " + b"y" * 100_000 + b"\n\n",
        b"-> x " + b"y" * LINE_LIMIT + b"\n\n",
        b"-> x\n" + (b"B" * 64 + b"\n") * LINES_LIMIT + b"\n",
        b"-> x y\n\n" * LINES_LIMIT,
        b"-> " + b"x " * 50_000 + b"x\n\n",
        b"x\n" * 50_000,
    ],
)
def test_a_long_age_header_is_not_read(stanzas: bytes, age_key: AgeKey) -> None:
    creds = credentials(age_key)
    plain = api.encrypt("a: 1\n", rule(age_key), credentials=creds)
    text = with_wrapped(plain, armored(stanzas))
    with at_most(1):
        assert api.loads(text, credentials=creds) == {"a": 1}  # the original entry still opens it
        alone = re.sub(r"(?s)(          recipient: age1x\n).*(    lastmodified)", r"\1\2", text)
        with pytest.raises(EncconfError, match=r"larger header than a data key needs|longer than 16 KiB"):
            api.loads(alone, credentials=creds)


def test_what_rops_and_large_rsa_keys_write_is_read(age_key: AgeKey) -> None:
    """The file has a stanza of noise, one of an RSA key of 16384 bits, and one for our key."""
    creds = credentials(age_key)
    noise = b"-> x-grease abc " + b"q" * 265 + b"\n" + b"B" * 64 + b"\n" + b"A" * 40 + b"\n"
    rsa = b"-> ssh-rsa AAAAAA\n" + (b"B" * 64 + b"\n") * 42 + b"A" * 43 + b"\n"
    plain = api.encrypt("a: 1\n", rule(age_key), credentials=creds)
    for stanzas in (STANZA + noise, rsa, STANZA * STANZA_LIMIT):
        assert api.loads(with_wrapped(plain, armored(stanzas)), credentials=creds) == {"a": 1}
        with pytest.raises(NotMyKeyError):
            AgeRecipient("age1x").unwrap(armored(stanzas), creds)


@pytest.mark.parametrize("type", ["age", "pgp", "kms", "gcp_kms", "azure_kv", "hc_vault", "hckms"])
def test_no_key_type_gets_a_long_wrapped_key(type: str, age_key: AgeKey) -> None:
    """No program and no service gets more than 16 KiB."""
    creds = credentials(age_key)
    plain = api.encrypt("a: 1\n", rule(age_key), credentials=creds)
    block = re.sub(r"(?s)    age:\n.*(    lastmodified)", rf"    {type}: [{{enc: {'x' * 16385}}}]\n\1", plain)
    with pytest.raises(KeyAccessError, match="its enc is longer than 16 KiB"):
        api.loads(block, credentials=creds)


def test_the_wrapped_keys_of_a_file_are_limited_together(age_key: AgeKey) -> None:
    creds = credentials(age_key)
    plain = api.encrypt("a: 1\n", rule(age_key), credentials=creds)
    assert api.loads(with_wrapped(plain, armored(STANZA), MAX_KEYS - 1), credentials=creds) == {"a": 1}
    assert api.loads(with_wrapped(plain, "x" * 16000, 32), credentials=creds) == {"a": 1}
    for enc, times in (("x", MAX_KEYS), ("x" * 16000, 33)):
        with pytest.raises(MetadataError):
            api.loads(with_wrapped(plain, enc, times), credentials=creds)
        with pytest.raises(MetadataError):
            api.inspect(with_wrapped(plain, enc, times))


# --- aliases and paths ---------------------------------------------------------------------------

KEPT = re.compile(r"(?ms)^sops:.*")


def with_block(text: str, key: AgeKey) -> str:
    """Return a YAML text with the block of another file.  Anyone can make such a file without a key."""
    found = KEPT.search(api.encrypt("z: 1\n", rule(key), credentials=credentials(key)))
    assert found is not None
    return text + found[0]


def aliased(size: int, count: int, value: str = "'{}'") -> str:
    return f"a_unencrypted: &a {value.format('x' * size)}\nb_unencrypted:\n" + "  - *a\n" * count


ALIAS_BOMBS = {
    "issue": aliased(20_000, 90_000),
    "one value": aliased(600_000, 10_000),
    "a list": aliased(20_000, 40_000, "[{}]"),
    "a key": aliased(1000, 40_000, "{{{}: 1}}"),
    "nested": "a_unencrypted: &a0 ['{}']\n".format("x" * 1000)
    + "".join(f"b{n}_unencrypted: &a{n} [{', '.join([f'*a{n - 1}'] * 8)}]\n" for n in range(1, 6)),
    "in the block": "sops:\n  unencrypted_suffix: _unencrypted\n  x: &a '{}'\nb_unencrypted:\n".format(
        "x" * 20_000
    )
    + "  - *a\n" * 90_000,
}


@pytest.mark.parametrize("name", ALIAS_BOMBS)
@pytest.mark.parametrize("verb", ["loads", "decrypt", "inspect"])
def test_aliases_are_limited_in_bytes(name: str, verb: str, age_key: AgeKey) -> None:
    text = ALIAS_BOMBS[name]
    text = text if "sops:" in text else with_block(text, age_key)
    arguments = {} if verb == "inspect" else {"credentials": credentials(age_key)}
    with at_most(2), pytest.raises(LimitError, match="aliases expand to more than 16 MiB"):
        getattr(api, verb)(text, **arguments)


def test_many_aliases_of_long_values_are_opened(age_key: AgeKey) -> None:
    text = aliased(16_000, 1000)
    out = api.encrypt(text, rule(age_key), credentials=credentials(age_key))
    with at_most(3), grows_at_most(150 << 10):  # the dict itself takes 16 MB
        assert api.decrypt(out, credentials=credentials(age_key)) == text
        assert api.loads(out, credentials=credentials(age_key))["b_unencrypted"] == ["x" * 16_000] * 1000


@pytest.mark.parametrize("format", ["yaml", "json", "ini", "toml"])
def test_long_paths_are_limited(format: str) -> None:
    """One long key has many values below it.  Code that makes a path for each would take minutes."""
    key, count = "k" * 60_000, 25_000
    if format == "yaml":
        text = f"? {key}\n:\n" + "".join(f"  b{n}: 1\n" for n in range(count))
    elif format == "json":
        text = f'{{"{key}": {{' + ", ".join(f'"b{n}": 1' for n in range(count)) + "}}"
    else:
        text = f"[{key}]\n" + "".join(f"b{n} = 1\n" for n in range(count))
    with at_most(3), pytest.raises(LimitError, match="too long altogether"):
        formats.get(format).scan(text)
    formats.get(format).scan(text.replace(key, "k" * 1000))


@pytest.mark.parametrize("error", [MemoryError, RecursionError])
def test_too_little_memory_is_an_error_of_its_own(
    error: type[Exception], age_key: AgeKey, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    out = api.encrypt("a: 1\n", rule(age_key), credentials=credentials(age_key))
    file = tmp_path / "f.yaml"
    file.write_text(out)

    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(yaml, "scan", fails)
    for call in (api.loads, api.loads_all, api.decrypt, api.inspect):
        with pytest.raises(LimitError, match="than there is"):
            call(out)  # type: ignore[operator]
    with pytest.raises(LimitError, match="than there is"):
        api.encrypt("a: 1\n", rule(age_key))
    with pytest.raises(LimitError, match="than there is"):
        api.load_config(file)
    for argv in (
        ["decrypt", str(file)],
        ["check", str(file)],
        ["get", str(file), "a"],
        ["git", "textconv", str(file)],
    ):
        cli.main(argv)
        assert "internal" not in capfd.readouterr().err


class Held:
    """Something that takes memory."""


def test_what_a_command_held_is_freed_before_a_lack_of_memory_is_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Otherwise the report could fail, too: git takes Python's own exit code for a conflict."""
    held: list[weakref.ref[Held]] = []
    reported: list[bool] = []

    def fails(*_: object, **__: object) -> None:
        large = Held()
        held.append(weakref.ref(large))
        try:
            raise MemoryError
        except MemoryError:
            raise MemoryError from None

    monkeypatch.setattr(table.command("git merge"), "function", fails)
    monkeypatch.setattr(Console, "error", lambda *_: reported.append(held[0]() is None))
    assert cli.main(["git", "merge", "base", "ours", "theirs", "f.yaml"]) == 129
    assert reported == [True]


def test_tag_directives_are_limited() -> None:
    """libyaml compares each with all others: 1 MB of them took 2 s to read and 11 s to edit."""
    for line_break in ("\n", "\r", "\u2028"):
        text = "".join(f"%TAG !t{number}! tag:x,{number}:{line_break}" for number in range(1001))
        with pytest.raises(LimitError, match="more than 1,000 %TAG directives"):
            yaml.scan(f"{text}---\na: b\n")
    text = "".join(f"%TAG !t{number}! tag:x,{number}:\n" for number in range(1000))
    assert len(yaml.scan(f"{text}---\na: b # %TAG\n").leaves) == 1


def test_documents_are_limited(age_key: AgeKey) -> None:
    text = "---\na: 1\n"
    assert len(yaml.scan(text * 10_000).roots) == 10_000
    for format in (api.loads_all, api.decrypt):
        with pytest.raises(LimitError, match="more than 10000 documents"):
            format(text * 10_001, credentials=credentials(age_key))  # type: ignore[operator]


def test_a_pattern_of_a_file_takes_no_longer_than_a_second_or_two(age_key: AgeKey) -> None:
    creds = credentials(age_key)
    keys = "".join(f"{'ab' * 450}{number}: 1\n" for number in range(1000))
    for pattern in ("[ab]*a[ab]{1000}c", "(a|b|ab|ba){500}$", "([ab]{0,50}a){0,18}c", "[ab]*a[ab]{50}c"):
        text = with_block(keys, age_key).replace(
            "unencrypted_suffix: _unencrypted", f"encrypted_regex: '{pattern}'"
        )
        with at_most(5), pytest.raises(EncconfError):  # without a limit, it would take eight
            api.loads(text, credentials=creds)


# --- pipes instead of files -----------------------------------------------------------------


def outcome(project: Project, *argv: str, environ: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Return the exit code and the messages of a command.  Asserts that they report no bug."""
    done = subprocess.run(
        [sys.executable, "-m", "encconf", *argv],
        cwd=project.folder,
        env={**project.environ, **(environ or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert "internal" not in done.stderr
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    "argv",
    [
        ["decrypt", "p.yaml"],
        ["encrypt", "p.yaml"],
        ["set", "p.yaml", "a", "1"],
        ["get", "p.yaml", "a"],
        ["edit", "p.yaml"],
        ["check", "p.yaml"],
        ["access", "p.yaml"],
        ["explain", "p.yaml"],
        ["updatekeys", "-y", "p.yaml"],
        ["rotate", "p.yaml"],
        ["exec", "p.yaml", "--", "true"],
        ["git", "textconv", "p.yaml"],
    ],
    ids=lambda argv: " ".join(argv[:2]),
)
def test_no_command_waits_for_a_file_that_is_a_pipe(sealed: Project, argv: list[str]) -> None:
    os.mkfifo(sealed.path("p.yaml"))
    with at_most(20):
        _, said = outcome(sealed, *argv)
    if argv[0] not in ("check", "access", "explain", "git"):
        assert "no program writes to it" in said


def test_nor_for_a_configuration_or_a_key_that_is_one(sealed: Project) -> None:
    encrypted = next(path for path in sealed.folder.iterdir() if ".enc." in path.name)
    os.mkfifo(sealed.path("key.pipe"))
    with at_most(60):
        environ = {"SOPS_AGE_KEY_FILE": str(sealed.path("key.pipe"))}
        (sealed.folder / ".sops.yaml").rename(sealed.path("rules"))
        code, said = outcome(sealed, "decrypt", str(encrypted), environ={**environ, "SOPS_AGE_KEY": ""})
        assert code == 128
        assert "no program writes to it" in said
        os.mkfifo(sealed.path(".sops.yaml"))
        for line in ("encrypt secrets.yaml", "check", "access", "explain x.yaml", f"updatekeys {encrypted}"):
            outcome(sealed, *line.split())


def test_nor_for_a_link_to_its_own_input(sealed: Project) -> None:
    """A branch can have this link, and in CI stdin may be a pipe that never ends."""
    sealed.path(".sops.yaml").unlink(missing_ok=True)
    sealed.path(".sops.yaml").symlink_to("/dev/stdin")
    reading, writing = os.pipe()
    try:
        for line in ("check .", "encrypt secrets.yaml"):
            done = subprocess.run(
                [sys.executable, "-m", "encconf", *line.split()],
                cwd=sealed.folder, stdin=reading, env=sealed.environ, capture_output=True, timeout=60,
            )  # fmt: skip
            assert done.returncode in (0, 1, 2)
    finally:
        os.close(reading)
        os.close(writing)


@pytest.mark.parametrize("variable", ["VAULT_TOKEN_FILE", "VAULT_SECRET_ID_FILE", "HOME"])
def test_nor_for_a_token(variable: str, tmp_path: Path) -> None:
    pipe = tmp_path / (".vault-token" if variable == "HOME" else "pipe")
    os.mkfifo(pipe)
    environ = {"VAULT_ADDR": "https://127.0.0.1:9", "HOME": str(tmp_path), variable: str(pipe)}
    if variable == "HOME":
        environ["HOME"] = str(tmp_path)
    if variable == "VAULT_SECRET_ID_FILE":
        environ |= {"VAULT_AUTH_METHOD": "approle", "VAULT_ROLE_ID": "r"}
    with pytest.raises(EncconfError, match="no program writes to it"):
        sources.fetch("vault:secret/app#x", Credentials(environ, home=str(tmp_path)))


# --- paths, values and the command line ----------------------------------------------------------


@pytest.mark.parametrize("step", [".a", "[0]", '["a"]'])
@pytest.mark.parametrize("verb", ["set", "unset", "get"])
def test_a_path_has_as_many_steps_as_a_document(sealed: Project, verb: str, step: str) -> None:
    encrypted = next(path.name for path in sealed.folder.iterdir() if ".enc." in path.name)
    value = ["1"] if verb == "set" else []
    code, said = outcome(sealed, verb, encrypted, step * 2000, *value)
    assert code == 91
    assert "the path has more than 200 steps" in said
    code, said = outcome(sealed, verb, encrypted, step * 200, *value)
    assert "more than 200 steps" not in said


@pytest.mark.parametrize("depth", [150, 400, 900, 5000])
def test_a_value_that_nests_deep(sealed: Project, depth: int) -> None:
    encrypted = next(path.name for path in sealed.folder.iterdir() if ".enc." in path.name)
    code, _ = outcome(sealed, "set", encrypted, "k", "--json", "[" * depth + "]" * depth)
    assert (code == 0) is (depth < 200)


def test_the_library_says_it_too(age_key: AgeKey) -> None:
    out = api.encrypt("a: 1\n", rule(age_key), credentials=credentials(age_key))
    with pytest.raises(EncconfError):
        engine.change(out, "yaml", (("a",) * 2000, "x"), credentials=credentials(age_key))
    with pytest.raises(EncconfError):
        engine.change(out, "yaml", (("a",) * 2000, changes.REMOVED), credentials=credentials(age_key))


@pytest.mark.parametrize("format", ["yaml", "json", "dotenv", "ini", "toml", "binary"])
def test_half_a_character_is_an_error_of_its_own(format: str, age_key: AgeKey) -> None:
    for text in (
        "\ud800",
        "a=\ud800\n",
        "a: \ud800\n",
        '{"a": "\ud800"}',
        'a = "\ud800"\n',
        "[s]\na = \udfff\n",
        "a=\ud800\nsops_mac=x\n",
        "[s]\na = \ud800\n[sops]\nmac = x\n",
        "\ud800=1\nsops_mac=x\n",
        "# \ud800\na: 1\n",
    ):
        for call in (api.loads, api.decrypt):
            with pytest.raises(EncconfError):
                call(text, format=format, credentials=credentials(age_key))  # type: ignore[operator]
        with pytest.raises(EncconfError):
            api.inspect(text, format=format)
        with pytest.raises(EncconfError):
            api.encrypt(text, rule(age_key), format=format, credentials=credentials(age_key))


@pytest.mark.parametrize(
    ("format", "text"),
    [
        ("yaml", f"a: [{'[],' * 300_000}]\n"),
        ("yaml", f"a: [{'{a},' * 240_000}]\n"),
        ("yaml", f"a: [{'1,' * 490_000}]\n"),
        ("yaml", "a:\n" + "#\n" * 490_000 + " - b\n"),
        ("yaml", "a: 1\n" + "#\n" * 490_000),
        ("yaml", f"a: [{'x, ' * 300_000}x]\n"),
        ("json", f'{{"a": [{"1," * 490_000}1]}}'),
        ("json", f'{{"a": [{"[]," * 300_000}1]}}'),
        ("dotenv", "a=\n" * 250_000),
        ("dotenv", "#\n" * 490_000 + "a=b\n"),
        ("ini", "[a]\n" + "".join(f"k{number:x}=\n" for number in range(250_000))),
        ("toml", f"a = [{'[],' * 300_000}]\n"),
        ("toml", f"a = [{'1,' * 490_000}]\n"),
        ("toml", "a = 1\n" + "#\n" * 490_000),
        ("toml", "".join(f"k{number}{'.a' * 60} = 1\n" for number in range(7_000))),
    ],
    ids=[
        *("brackets", "braces", "items", "comments", "only comments", "words", "JSON numbers", "JSON arrays"),
        *("same name", "dotenv comments", "many keys", "arrays", "numbers", "comments of TOML"),
        "dotted keys",
    ],
)
def test_what_is_slow_to_read_is_limited_by_the_size_of_the_text(format: str, text: str) -> None:
    with at_most(2), pytest.raises(LimitError):
        formats.get(format).scan(text, comments=True)
    # A tenth of it is read.
    whole = formats.get(format).scan(_tenth_of(text), comments=True)
    assert len(whole.items) + len(whole.comments) > 10_000


@pytest.mark.parametrize("line", ["\n", " \n", "\r", "\x85", "\u2028"])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a: 1\n", ""),
        ("a: |\n x\n", "b: 1\n"),
        ("a: &x\n", " b\n"),
        ("a: !!str\n", " b\n"),
        ("", "---\na: 1\n"),
    ],
    ids=["end", "block", "anchor", "tag", "start"],
)
def test_empty_lines_of_yaml_are_limited(before: str, after: str, line: str) -> None:
    """A pattern that matches them one by one would take some 280 bytes for each."""
    with pytest.raises(LimitError, match=r"more than 1[0-9]{5} lines for its size"):
        yaml.scan(before + line * 900_000 + after)
    assert len(yaml.scan(before + "\n" * 60_000 + after).leaves) >= 1


def _tenth_of(text: str) -> str:
    if "," not in text:
        lines = text.splitlines(keepends=True)
        return "".join([*lines[: len(lines) // 10], *lines[-1:]])
    head, _, items = text.rstrip("]\n").partition("[")
    unit = items[: items.index(",") + 1]
    end = "1]}" if head.startswith("{") else "]\n"
    return f"{head}[{unit * (len(items) // len(unit) // 10)}{end}"


@pytest.mark.parametrize(
    ("format", "plain"), [("dotenv", "A=1\n# c\nB=two\n"), ("ini", "[s]\nA = 1\n; c\nB = two\n")]
)
def test_a_byte_that_is_not_utf_8_anywhere_in_a_file(format: str, plain: str, age_key: AgeKey) -> None:
    """sops puts any bytes into these files, so encconf reads them."""
    creds = credentials(age_key)
    selected = rule(age_key, selection=Selection("encrypted_regex", "^A"))
    data = api.encrypt(plain, selected, format=format, credentials=creds).encode()
    for at in range(len(data)):
        damaged = data[:at] + b"\xff" + data[at:]
        for ignore_mac in (False, True):
            with suppress(EncconfError):
                api.decrypt(damaged, format=format, credentials=creds, ignore_mac=ignore_mac)
