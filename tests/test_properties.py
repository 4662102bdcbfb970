"""What holds for every text: spans are exact, decryption restores the text, tampering is detected."""

from __future__ import annotations

import re

import pytest
from engine import credentials, rule
from generate import json_text, yaml_text
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import AgeKey

from encconf import api, formats
from encconf.errors import EncconfError
from encconf.text.document import splice

KEY = AgeKey.generate()
CREDENTIALS = credentials(KEY)

SEEDS = st.integers(0, 2**40)
# Lines that YAML can misread: keys, dashes, quotes, indicators and blanks, in any order.
RAW_YAML = st.lists(
    st.tuples(
        st.sampled_from(["", "  ", "    ", "- ", "  - ", "- - ", "? ", "    - "]),
        st.sampled_from(["a: ", "b:", "c: ", '"d": ', "", "e :", "<<: ", "f_unencrypted: "]),
        st.sampled_from(
            [
                *["", "x", "1", "|", ">-", "|2+", "'q'", '"w"', "[", "]", "[a, b]", "{a: b}", "&x y", "*x"],
                *["!!int 3", "#c", "~", "---", "...", "a: b", "x # c", "'", '"', "\t", "\\", "%", "@", "{"],
                "}",
                *["x:", ": x", "-", "?"],
            ]
        ),
        st.sampled_from(["\n", "\n", "\n", "\r\n", "\n\n", " \n", " # c\n", ""]),
    ).map("".join),
    max_size=9,
).map("".join)  # fmt: skip
QUIET = settings(max_examples=150)


def there_and_back(text: str, format: str) -> str | None:
    try:
        encrypted = api.encrypt(text, rule(KEY), format=format, credentials=CREDENTIALS)
    except EncconfError:
        return None
    assert api.decrypt(encrypted, format=format, credentials=CREDENTIALS) == text
    plain = formats.get(format).load_plain(text)
    assert repr(api.loads_all(encrypted, format=format, credentials=CREDENTIALS)) == repr(plain)  # types, too
    return encrypted


@given(SEEDS)
@QUIET
def test_yaml(seed: int) -> None:
    there_and_back(yaml_text(seed), "yaml")


@given(RAW_YAML)
@settings(max_examples=600)
def test_any_yaml_like_text(text: str) -> None:
    there_and_back(text, "yaml")


@given(SEEDS)
@QUIET
def test_json(seed: int) -> None:
    there_and_back(json_text(seed), "json")


@given(st.text(max_size=200))
@QUIET
def test_any_string_as_a_value(value: str) -> None:
    import json

    try:
        value.encode()
    except UnicodeEncodeError:
        return
    there_and_back(json.dumps({"a": value, "l": [value]}, ensure_ascii=False), "json")
    text = (
        formats.get("yaml")
        .render_block({"a": value, "l": [value], "m": {"n": value}})
        .removeprefix("sops:\n")
    )
    there_and_back("top:\n" + text, "yaml")


@given(SEEDS, st.booleans())
@QUIET
def test_spans_are_exact(seed: int, as_json: bool) -> None:
    """Replacing every leaf with its own text changes nothing."""
    text = json_text(seed) if as_json else yaml_text(seed)
    try:
        document = formats.get("json" if as_json else "yaml").scan(text, comments=True)
    except EncconfError:
        return
    unfolded = {(leaf.start, leaf.end): leaf for leaf in document.leaves}
    edits = [(start, end, text[start:end]) for start, end in unfolded]
    edits += [(comment.start, comment.end, comment.text) for comment in document.comments]
    inside = [edit for edit in edits if not any(o != edit and o[0] <= edit[0] < o[1] for o in edits)]
    assert splice(text, inside) == text
    for comment in document.comments:
        assert text[comment.start - 1] == "#"


@given(SEEDS, st.integers(0, 2**32))
@QUIET
def test_tampering_is_seen(seed: int, at: int) -> None:
    """A changed character in a ciphertext or in a plaintext value is always detected."""
    encrypted = there_and_back(yaml_text(seed, comments=False, aliases=False), "yaml")
    if encrypted is None or encrypted.count("lastmodified") > 1:
        return  # only the block of the first document is checked
    places = [match.start(1) for match in re.finditer(r"(?:data|iv|tag):([A-Za-z0-9+/])", encrypted)]
    layout = encrypted.find("encconf_layout")
    end = encrypted.find("\n", layout)
    places = [place for place in places if not (layout >= 0 and layout < place < end)]
    place = places[at % len(places)]
    other = "A" if encrypted[place] != "A" else "B"
    with pytest.raises(EncconfError):
        api.loads_all(encrypted[:place] + other + encrypted[place + 1 :], credentials=CREDENTIALS)


@given(SEEDS)
@settings(max_examples=40)
def test_no_nonce_serves_two_values(seed: int) -> None:
    """In a series of edits with one data key, each nonce is used for only one plaintext."""
    seen: dict[str, str] = {}
    text = yaml_text(seed)
    twin = there_and_back(text, "yaml")
    for step in range(3):
        if twin is None:
            return
        for match in re.finditer(r"ENC\[AES256_GCM,(data:[^,]+),(iv:[^,]+),", twin):
            assert seen.setdefault(match.group(2), match.group(1)) == match.group(1)
        changed = text.replace("value", f"value{step}").replace("12", f"{step}")
        try:
            twin = api.encrypt(changed, twin=twin, credentials=CREDENTIALS)
        except EncconfError:
            return
