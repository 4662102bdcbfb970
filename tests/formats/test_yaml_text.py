"""How YAML spells: words that mean what they should, and ciphertexts behind odd tags."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from encconf.formats import goyaml, module, yaml_words
from encconf.text.document import splice

yaml = module("yaml")


@given(st.text(max_size=60))
@settings(max_examples=400, deadline=None)
def test_spelled_strings_mean_themselves(value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        return
    for word in (yaml_words.plain(value), yaml_words.plain(value, flow=True), yaml_words.double(value)):
        in_flow = word if word != yaml_words.plain(value) or word[:1] in "'\"" else None
        for text in [f"a: {word}\n", *([f"a: [{in_flow}]\n"] if in_flow else [])]:
            leaf = yaml.scan(text).leaves[0]
            assert (leaf.type, leaf.data) == ("str", value.encode())


@given(st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats(), st.booleans()))
@settings(max_examples=400, deadline=None)
def test_spelled_numbers_keep_their_type(value: float) -> None:
    if isinstance(value, bool):
        type, data = "bool", b"True" if value else b"False"
    elif isinstance(value, int):
        type, data = "int", b"%d" % value
    else:
        type, data = "float", goyaml.format_float(value)
    leaf = yaml.scan(f"a: {yaml_words.scalar(type, data)}\n").leaves[0]
    assert (leaf.type, leaf.data) == (type, data)


def test_sealing_behind_an_odd_tag() -> None:
    for text in ("d: !x,y |\n  q\n", "d: !!s]x q\n", "d: [!x, q]\n"):
        document = yaml.scan(text)
        enc = splice(text, [yaml.sealed(document, document.leaves[0], "ENC[x]")])
        sealed = yaml.scan(enc)
        assert sealed.leaves[0].data in (b"ENC[x]", b"ENC[x]\n")
        assert document.leaves[0].data is not None
        back = yaml.literal(sealed, sealed.leaves[0], "str", document.leaves[0].data)
        assert yaml.scan(splice(enc, [back])).leaves[0].data == document.leaves[0].data
