"""What encconf writes as YAML means the same to every reader of YAML."""

from __future__ import annotations

import json
import re
import time

import engine
import pytest
from engine import credentials, rotated, rule
from hypothesis import example, given
from hypothesis import strategies as st
from oracle import AgeKey, Sops
from readers import WORDS, readings, strings

from encconf import api, formats
from encconf.engine import changes, cipher, opening
from encconf.engine.mac import digest
from encconf.formats.yaml_words import double

yaml = formats.get("yaml")

KEY = AgeKey.generate()


def agree(text: str, meant: object) -> None:
    """Every reader reads the text, and as what was meant."""
    for reader, found in readings(text).items():
        assert found == meant, (reader, text)


def as_sops(text: str) -> str:
    """An encrypted text with each ciphertext on its line, without quotes, as sops writes it."""
    text = re.sub(r"\n *encconf_layout: .*", "", text)
    return re.sub(r""": (["'])(ENC\[[^"']*\])\1""", r": \2", text)


def document(values: list[str]) -> str:
    """Values as sops is given them, with all of them in quotes."""
    return "".join(f"k{at}: {double(value)}\n" for at, value in enumerate(values))


@given(st.lists(strings(), min_size=1, max_size=8), st.sampled_from(["", "\n", "# c\n", "        # c\n"]))
@example(["a\n\n", "b\n\n"], "\n")
def test_decrypted_strings_mean_the_same_to_every_reader(values: list[str], between: str) -> None:
    """In a file that has no layout record, as sops writes it, with something between its lines."""
    sealed = as_sops(api.encrypt(document(values), rule(KEY), credentials=credentials(KEY)))
    assert sealed.count(": ENC[") > sum(map(bool, values))
    sealed = re.sub(r"(?m)^(?=k\d+:|sops:)", between, sealed) + between
    agree(
        api.decrypt(sealed, credentials=credentials(KEY)), {f"k{n}": value for n, value in enumerate(values)}
    )


@given(st.lists(strings(), min_size=1, max_size=3))
def test_set_strings_mean_the_same_to_every_reader(values: list[str]) -> None:
    text = "base: x\nflow: {a: x}\n"
    for at, value in enumerate(values):
        text = changes.put(text, (f"k{at}",), value, format="yaml")
        text = changes.put(text, ("flow", f"k{at}"), [value], format="yaml")
    block = {f"k{at}": value for at, value in enumerate(values)}
    flow = {key: [value] for key, value in block.items()}
    agree(text, {"base": "x", "flow": {"a": "x", **flow}, **block})


@given(
    st.dictionaries(strings().filter(lambda key: key != "sops" and len(key) < 100), st.just("v"), min_size=1)
)
def test_keys_mean_the_same_to_every_reader(mapping: dict[str, str]) -> None:
    text = changes.put("a: {b: x}\n", ("a",), mapping, format="yaml")
    agree(text, {"a": mapping})


def test_strings_that_sops_wrote(sops: Sops, age_key: AgeKey) -> None:
    """Each word goes through the real sops: its decrypted text and ours are read as the same strings."""
    theirs = sops.encrypt(document(WORDS), "yaml", age=age_key.recipient)
    meant = {f"k{at}": value for at, value in enumerate(WORDS)}
    agree(api.decrypt(theirs, credentials=credentials(age_key)), meant)
    for at, value in enumerate(WORDS[:10]):
        changed = engine.change(theirs, "yaml", ((f"k{at}",), value + "0"), credentials=credentials(age_key))
        plain = api.decrypt(changed, credentials=credentials(age_key))
        agree(plain, {**meant, f"k{at}": value + "0"})


@pytest.mark.parametrize("word", ["22:22", "1:30:45.5", "2001-99-99", "1,000", "0x_", "yes", "tRue", ":x"])
def test_as_it_was_written(word: str) -> None:
    """What somebody wrote without quotes comes back so, though sops reads it as a string."""
    text = f"a: {word}\nb: '{word}'\nc: \"{word}\"\n"
    assert yaml.scan(text).leaves[0].type == "str"
    sealed = api.encrypt(text, rule(KEY), credentials=credentials(KEY))
    assert api.decrypt(sealed, credentials=credentials(KEY)) == text


BLOCKS = [
    "k: |\n    a\n    b\n",
    "k: |+\n    a\n\n\nz: x\n",
    "k: |+\n    a\nz: x\n",
    "k: |-\n    a\n    b\n",
    "k: >\n    a\n    b\n\n    c\n",
    "k: >+\n    a\n\n",
    "k: |2\n    lead\n  x\n",
    "k: |+2\n    lead\n  x\n\n",
    "k: | # what\n    a\nz: x\n",
    "l:\n  - |\n    a\n  - - >-\n      b\n",
    "k: !x |\n    a\n",
    "k: &a |\n    a\nz: *a\n",
    "k: |+\n\n\nz: 1\n",
    "k: |\n    a",
    "k: |\r\n    a\r\n    b\r\n",
]


@pytest.mark.parametrize("text", BLOCKS)
def test_block_scalar_value_has_no_newline(text: str, sops: Sops, age_key: AgeKey) -> None:
    """The value of an encrypted block scalar is the ciphertext and nothing else, to every reader."""
    creds = credentials(age_key)
    sealed = api.encrypt(text, rule(age_key), credentials=creds)
    whole = re.compile(r"ENC\[AES256_GCM,data:[^\]]*\]\Z")
    for reader, found in readings(sealed.replace("!x", "")).items():
        pending = [item for key, item in found.items() if key != "sops"]
        while pending:
            item = pending.pop()
            if isinstance(item, list):
                pending += item
            else:
                assert whole.match(item) or not isinstance(item, str), (reader, item)
    assert api.decrypt(sealed, credentials=creds) == text
    assert sops.decrypt(sealed, "yaml")


def test_rotate_and_a_first_change_write_it_so(age_key: AgeKey) -> None:
    """Values that end with a line break, as earlier versions wrote them, open; the first write takes it."""
    creds = credentials(age_key)
    text = "k: |\n    a\n    b\nz: x\n"
    earlier = api.encrypt(text, rule(age_key), credentials=creds).replace("k: |-\n", "k: |\n")
    assert api.decrypt(earlier, credentials=creds) == text
    for sealed in (
        engine.change(earlier, "yaml", (("z",), "y"), credentials=creds),
        rotated(earlier, format="yaml", credentials=creds),
    ):
        assert sealed.startswith("k: |-\n    ENC[")


@pytest.mark.parametrize("value", ["a\n\n", "a\n\n\n", "a\nb", "a\n", "\n", "\n\n"])
@pytest.mark.parametrize("tail", ["\n", "\n\n", "  \n", "            \n", "# c\n", "            # c\n"])
def test_a_blank_line_after_a_block_scalar(value: str, tail: str, sops: Sops, age_key: AgeKey) -> None:
    """Blank lines and comments below an encrypted value, or below the block, stay out of the value."""
    creds = credentials(age_key)
    sealed = sops.encrypt(json.dumps({"a": value}), "yaml", age=age_key.recipient)
    below = sops.encrypt(json.dumps({"a": value, "b": "x"}), "yaml", age=age_key.recipient)
    for text in (
        sealed + tail,
        sealed.replace("sops:", tail + "sops:"),
        below.replace("b: ENC", tail + "b: ENC"),
    ):
        plain = api.decrypt(text, credentials=creds)
        for reader, found in readings(plain).items():
            assert found["a"] == value, (reader, plain)


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"inf", ".inf"), (b"-inf", "-.inf"), (b"+Inf", ".inf"), (b"-Inf", "-.inf"), (b"NaN", ".nan"),
        (b"Inf", ".inf"), (b"nan", ".nan"), (b"3", "3.0"), (b"-0", "-0.0"), (b"1.50", "1.5"),
        (b"1e3", "1000.0"), (b"1E-7", "0.0000001"), (b"0.1", "0.1"), (b"1.", "1.0"),
        (b"5", "5.0"), (b"007.5", "7.5"),
    ],
)  # fmt: skip
def test_floats_of_any_writer(data: bytes, word: str) -> None:
    """Infinity as rops writes it, and whatever else Go's ParseFloat reads."""
    text = 'a: "x"\n'
    sealed = api.encrypt(text, rule(KEY), credentials=credentials(KEY))
    opened = opening.open_encrypted(sealed, "yaml", credentials(KEY), comments=False)
    theirs = cipher.Encryptor(opened.data_key)("float", data, b"a:")
    document = yaml.scan("a: 0.5\n")
    document.leaves[0].data = data
    hashed = digest(document.leaves, bytearray(1), False).encode()
    mac = cipher.Encryptor(opened.data_key)("str", hashed, opened.metadata.lastmodified.encode())
    changed = sealed.replace(str(opened.metadata.mac), mac).replace(f'"{opened.values[0].sealed}"', theirs)
    assert api.decrypt(changed, credentials=credentials(KEY)) == f"a: {word}\n"
    value = api.loads(changed, credentials=credentials(KEY))["a"]
    assert isinstance(value, float)
    assert repr(value) == repr(formats.get("yaml").load_plain(f"a: {word}\n")[0]["a"])


def test_a_folded_scalar_takes_time_that_grows_with_it() -> None:
    def seconds(paragraphs: int) -> float:
        text = "a: >\n" + "".join(f"  paragraph {number}\n\n" for number in range(paragraphs)) + "b: x\n"
        sealed = api.encrypt(text, rule(KEY), credentials=credentials(KEY))
        start = time.process_time()
        assert api.decrypt(sealed, credentials=credentials(KEY)) == text
        return time.process_time() - start

    small = max(min(seconds(5_000) for _ in range(3)), 0.005)
    large = min(seconds(40_000) for _ in range(3))
    assert large < 32 * small  # it is 64 times as much where each line looks at all that follow
