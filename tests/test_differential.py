"""encconf and the real sops encrypt generated documents and decrypt those of each other: some of each kind.

`make fuzz` does the same with documents that no run has seen.
"""

from __future__ import annotations

import json
import random
import tomllib
from collections import Counter
from pathlib import Path

import engine
import pytest
from engine import credentials, rule, values
from generate import dotenv_text, ini_text, json_text, toml_text, yaml_text
from oracle import AgeKey, Sops, SopsError
from readers import random_strings, readings, yaml_of

from encconf import api, formats
from encconf.errors import EmitError, EncconfError, MacMismatchError
from encconf.formats import emit
from encconf.rules.selection import Selection
from encconf.text.document import Document

# Errors of encconf for texts that sops accepts: sops checks only the keys of the first document.
_STRICTER = ("the table has the same key twice", "the section has the same key twice")


def both_ways(text: str, format: str, age_key: AgeKey, sops: Sops) -> str:
    """Check one document in both directions.  Returns what happened, so that the outcomes can be counted."""
    creds = credentials(age_key)
    notices: list[str] = []
    try:
        ours = api.encrypt(text, rule(age_key), format=format, credentials=creds, notify=notices.append)
    except EncconfError as error:
        if not any(words in str(error) for words in _STRICTER):
            with pytest.raises(SopsError):
                sops.encrypt(text, format, age=age_key.recipient)
        return "refused"

    notices = [line for line in notices if "nothing in the file is encrypted" not in line]
    if notices:
        assert all("before 3.13.2" in line for line in notices)
        assert api.decrypt(ours, format=format, credentials=creds) == text
        return "a number that this sops reads as another"
    assert api.decrypt(ours, format=format, credentials=creds, notify=notices.append) == text
    assert notices == []
    plain = values(formats.get(format).load_plain(text))
    assert values(api.loads_all(ours, format=format, credentials=creds)) == plain
    assert values(formats.get(format).load_plain(sops.decrypt(ours, format))) == plain

    theirs = sops.encrypt(text, format, age=age_key.recipient)
    try:
        by_sops = sops.decrypt(theirs, format)
    except SopsError:
        return "sops cannot read its own"  # for example, an unencrypted -0.0
    if values(formats.get(format).load_plain(by_sops)) != plain:
        return "sops changes the data"  # a bare `#` in a list becomes an item
    assert values(api.loads_all(theirs, format=format, credentials=creds)) == plain
    decrypted = api.decrypt(theirs, format=format, credentials=creds)
    assert values(formats.get(format).load_plain(decrypted)) == plain
    again = api.encrypt(decrypted, format=format, twin=theirs, credentials=creds)
    assert api.decrypt(again, format=format, credentials=creds) == decrypted
    sops.decrypt(again, format)
    return "ok"


def strings_both_ways(seed: int, age_key: AgeKey, sops: Sops) -> str:
    """Check that every reader of YAML reads the same strings after a document went through sops and back.

    sops itself does not guarantee that: PyYAML reads some strings that sops writes without quotes as dates.
    """
    creds = credentials(age_key)
    one, two, *others = random_strings(seed, 10)
    keys = {key: "v" for key in random_strings(-1 - seed, 4) if len(key) < 100 and key not in ("", "sops")}
    meant = {**{f"k{at}": value for at, value in enumerate(others)}, "l": [one, {"m": two}]}
    with_keys = {**meant, "keys": keys}  # in a file of sops, the keys keep the spelling of sops
    text = yaml_of(with_keys)
    theirs = sops.encrypt(yaml_of(meant), "yaml", age=age_key.recipient)
    ours = api.encrypt(text, rule(age_key), credentials=creds)
    assert api.decrypt(ours, credentials=creds) == text
    changed = engine.change(theirs, "yaml", (("k0",), two), credentials=creds)
    written = emit.render(emit.trees_of(formats.get("yaml").scan(text)), "yaml")
    assert formats.get("yaml").load_plain(written) == [with_keys]
    for sealed, expected in ((theirs, meant), (ours, with_keys), (changed, {**meant, "k0": two})):
        for reader, found in readings(api.decrypt(sealed, credentials=creds)).items():
            assert found == expected, (reader, sealed)
        assert json.loads(sops.decrypt(sealed, "yaml", "--output-type", "json")) == expected
    return "ok"


@pytest.mark.parametrize("block", range(4))
def test_random_strings_both_ways(block: int, age_key: AgeKey, sops: Sops) -> None:
    outcomes = Counter(strings_both_ways(seed, age_key, sops) for seed in range(block * 8, block * 8 + 8))
    assert outcomes["ok"] > 5, outcomes


@pytest.mark.parametrize("block", range(4))
def test_yaml(block: int, age_key: AgeKey, sops: Sops) -> None:
    seeds = range(block * 15, block * 15 + 15)
    outcomes = [both_ways(yaml_text(seed), "yaml", age_key, sops) for seed in seeds]
    assert outcomes.count("ok") >= 8


@pytest.mark.parametrize("block", range(2))
def test_json(block: int, age_key: AgeKey, sops: Sops) -> None:
    seeds = range(block * 15, block * 15 + 15)
    outcomes = [both_ways(json_text(seed), "json", age_key, sops) for seed in seeds]
    assert outcomes.count("ok") >= 8


EMPTY = [
    *("{}\n", "# c\n{}\n", "---\n---\na: 1\n", "--- # c\n---\na: 1\n"),
    *("a: 1\n---\n---\nb: 2\n", "a: 1\n---\n{}\n"),
]


@pytest.mark.parametrize("text", EMPTY)
def test_documents_with_nothing_but_the_block(text: str, age_key: AgeKey, sops: Sops) -> None:
    """Seeds 7000210 and 7000232 of tests/fuzz.py."""
    assert both_ways(text, "yaml", age_key, sops) == "ok"
    theirs = sops.encrypt(text, "yaml", age=age_key.recipient)
    decrypted = api.decrypt(theirs, credentials=credentials(age_key))
    assert values(formats.get("yaml").load_plain(decrypted)) == values(formats.get("yaml").load_plain(text))


def test_comments_reach_sops(age_key: AgeKey, sops: Sops, tmp_path: Path) -> None:
    """sops decrypts nearly every comment of encconf.  For another one, it only prints a warning."""
    comments = warnings = 0
    for seed in range(1000, 1060):
        text = yaml_text(seed)
        try:
            ours = api.encrypt(text, rule(age_key), credentials=credentials(age_key))
        except EncconfError:
            continue
        comments += ours.count("type:comment]")
        file = tmp_path / "f.yaml"
        file.write_bytes(ours.encode())
        warnings += sops.run("decrypt", str(file)).stderr.count(b"possibly unencrypted comment")
    assert comments > 200
    assert warnings <= comments // 200


def lines_both_ways(text: str, format: str, age_key: AgeKey, sops: Sops) -> str:
    """Check one dotenv or INI text in both directions.  Returns what happened."""
    creds = credentials(age_key)
    load = formats.get(format).load_plain
    notices: list[str] = []
    try:
        ours = api.encrypt(text, rule(age_key), format=format, credentials=creds, notify=notices.append)
    except EncconfError as error:
        if not any(words in str(error) for words in (*_STRICTER, "no closing quote")):
            with pytest.raises(SopsError):
                sops.encrypt(text, format, age=age_key.recipient)
        return "refused"

    assert api.decrypt(ours, format=format, credentials=creds) == text
    plain = load(text)
    assert api.loads_all(ours, format=format, credentials=creds) == plain
    by_sops = sops.decrypt(ours, format)
    if not any("sops -d prints" in line for line in notices):
        assert with_values(load(by_sops)) == with_values(plain)

    try:
        theirs = sops.encrypt(text, format, age=age_key.recipient)
        by_sops = sops.decrypt(theirs, format)
    except SopsError:
        return "sops cannot"  # such as some common layouts, and banners as comments
    try:
        decrypted = api.decrypt(theirs, format=format, credentials=creds)
    except MacMismatchError:
        with pytest.raises(MacMismatchError, match="the last one hides what the first one encrypts"):
            api.decrypt(theirs, format=format, credentials=creds)
        return "an empty value below an encrypted one of the same name"
    try:
        again = api.encrypt(decrypted, format=format, twin=theirs, credentials=creds)
    except EmitError:
        with pytest.raises(EmitError, match="begins with a quote that ends several lines later"):
            api.encrypt(decrypted, format=format, twin=theirs, credentials=creds)
        return "lines in quotes, which are values to sops"
    assert api.decrypt(again, format=format, credentials=creds) == decrypted
    sops.decrypt(again, format)
    loaded = api.loads_all(theirs, format=format, credentials=creds)
    try:
        if not with_values(load(by_sops)) == with_values(loaded) == with_values(plain):
            return "sops changes the data"
    except EncconfError:
        return "sops changes the data"  # so that even sops cannot read it
    return "ok"


def comment_words(document: Document) -> Counter[str]:
    """Count the words of the comments in a plaintext."""
    lines = (line for comment in document.comments for line in comment.text.split("\n"))
    words = (line.strip(" \t\r#;") for line in lines)
    return Counter(word for word in words if word and not word.startswith("ENC["))  # not decrypted by sops


def comments_both_ways(text: str, format: str, age_key: AgeKey, sops: Sops) -> str:
    """Check that sops decrypts the comments of our file that it decrypts in its own.  Returns the outcome."""
    creds = credentials(age_key)
    scan = formats.get(format).scan
    try:
        ours = api.encrypt(text, rule(age_key), format=format, credentials=creds)
    except EncconfError:
        return "refused"
    notices: list[str] = []
    assert api.decrypt(ours, format=format, credentials=creds, notify=notices.append) == text
    assert not notices
    by_sops = sops.decrypt(ours, format)
    try:
        theirs = sops.decrypt(sops.encrypt(text, format, age=age_key.recipient), format)
        wanted, found = scan(theirs, comments=True), scan(by_sops, comments=True)
    except (SopsError, EncconfError):
        return "sops cannot"
    if [(leaf.path, leaf.data) for leaf in wanted.leaves] != [
        (leaf.path, leaf.data) for leaf in found.leaves
    ]:
        return "sops changes the data"
    lost = comment_words(wanted) - comment_words(found)
    assert not lost, (lost, theirs, by_sops)
    return "ok"


def toml_again(text: str, age_key: AgeKey) -> str:
    """Check one TOML text against tomllib, because sops does not support TOML."""
    creds = credentials(age_key)
    try:
        plain = tomllib.loads(text)
        ours = api.encrypt(text, rule(age_key), format="toml", credentials=creds)
    except (tomllib.TOMLDecodeError, EncconfError):
        return "refused"
    notices: list[str] = []
    assert api.decrypt(ours, format="toml", credentials=creds, notify=notices.append) == text
    assert not notices
    assert repr(api.loads(ours, format="toml", credentials=creds)) == repr(plain)
    again = api.encrypt(text, format="toml", twin=ours, credentials=creds)
    assert again == ours
    renewed = api.encrypt(text, rule(age_key), format="toml", twin=ours, new_data_key=True, credentials=creds)
    assert api.decrypt(renewed, format="toml", credentials=creds) == text
    return "ok"


def bytes_both_ways(data: bytes, age_key: AgeKey, sops: Sops) -> str:
    """Check bytes as a binary file in both directions."""
    creds = credentials(age_key)
    text = data.decode("utf-8", "surrogateescape")
    flags = ("--input-type", "binary", "--output-type", "binary")
    try:
        ours = api.encrypt(text, rule(age_key), format="binary", credentials=creds)
    except EncconfError:
        return "refused"
    assert api.decrypt(ours, format="binary", credentials=creds) == text
    assert sops.run("decrypt", *flags, "/dev/stdin", input=ours).stdout == data
    theirs = sops.run("encrypt", *flags, "--age", age_key.recipient, "/dev/stdin", input=data).stdout.decode()
    assert api.decrypt(theirs, format="binary", credentials=creds) == text
    return "ok"


def random_bytes(seed: int) -> bytes:
    """Return bytes from a seed: text with a few wrong bytes, noise, or JSON that is not encrypted."""
    draw = random.Random(seed)
    kind = draw.randrange(4)
    if kind == 0:
        return draw.randbytes(draw.randrange(2000))
    text = draw.choice([yaml_text, json_text, toml_text, ini_text])(seed).encode("utf-8", "surrogatepass")
    if kind == 1:
        return text
    broken = bytearray(text)
    for _ in range(draw.randrange(1, 20)):
        broken.insert(draw.randrange(len(broken) + 1), draw.randrange(256))
    return bytes(broken) if kind == 2 else b'{"sops": ' + bytes(broken) + b"}"


@pytest.mark.parametrize("block", range(2))
@pytest.mark.parametrize("format", ["dotenv", "ini"])
def test_comments_of_dotenv_and_ini_reach_sops(format: str, block: int, age_key: AgeKey, sops: Sops) -> None:
    make = dotenv_text if format == "dotenv" else ini_text
    seeds = range(block * 15, block * 15 + 15)
    outcomes = [comments_both_ways(make(seed), format, age_key, sops) for seed in seeds]
    assert outcomes.count("refused") < 10


def test_random_toml_comes_back(age_key: AgeKey) -> None:
    outcomes = [toml_again(toml_text(seed), age_key) for seed in range(60)]
    assert outcomes.count("ok") > 50


def test_random_bytes_both_ways(age_key: AgeKey, sops: Sops) -> None:
    outcomes = [bytes_both_ways(random_bytes(seed), age_key, sops) for seed in range(30)]
    assert outcomes.count("ok") > 25


def with_values(trees: list[dict[str, object]]) -> list[dict[str, object]]:
    """Return the trees without empty sections, which go-ini sometimes adds and sometimes removes."""
    return [{name: value for name, value in tree.items() if value != {}} for tree in trees]


@pytest.mark.parametrize("block", range(2))
def test_dotenv(block: int, age_key: AgeKey, sops: Sops) -> None:
    seeds = range(block * 15, block * 15 + 15)
    outcomes = [lines_both_ways(dotenv_text(seed), "dotenv", age_key, sops) for seed in seeds]
    outcomes += [
        lines_both_ways(dotenv_text(seed, like_sops=True), "dotenv", age_key, sops) for seed in seeds
    ]
    assert outcomes.count("ok") >= 15


@pytest.mark.parametrize("block", range(2))
def test_ini(block: int, age_key: AgeKey, sops: Sops) -> None:
    seeds = range(block * 15, block * 15 + 15)
    texts = [ini_text(seed, indented=indented) for seed in seeds for indented in (False, True)]
    outcomes = [lines_both_ways(text, "ini", age_key, sops) for text in texts]
    assert outcomes.count("ok") >= 5
    assert outcomes.count("refused") <= 10


@pytest.mark.parametrize("format", ["dotenv", "ini"])
@pytest.mark.parametrize(
    "selection",
    [
        Selection("unencrypted_suffix", "_unencrypted", True),
        Selection("encrypted_suffix", "_unencrypted"),
        Selection("encrypted_regex", "^(k|A|TOKEN)"),
        Selection("unencrypted_regex", "^(k|A|TOKEN)"),
        Selection("encrypted_comment_regex", "note|x"),
        Selection("unencrypted_comment_regex", "^ ?note"),
    ],
    ids=repr,
)
def test_selections_of_lines(format: str, selection: Selection, age_key: AgeKey, sops: Sops) -> None:
    """sops reads the plaintext values, too, and computes the same MAC."""
    creds = credentials(age_key)
    read = 0
    for seed in range(2000, 2012):
        text = dotenv_text(seed) if format == "dotenv" else ini_text(seed)
        try:
            ours = api.encrypt(text, rule(age_key, selection=selection), format=format, credentials=creds)
        except EncconfError:
            continue
        assert api.decrypt(ours, format=format, credentials=creds) == text
        sops.decrypt(ours, format)
        read += 1
    assert read > 4
