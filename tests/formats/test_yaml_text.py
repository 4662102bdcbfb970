"""How YAML spells ciphertexts behind odd tags."""

from __future__ import annotations

from encconf.formats import module
from encconf.text.document import splice

yaml = module("yaml")


def test_sealing_behind_an_odd_tag() -> None:
    for text in ("d: !x,y |\n  q\n", "d: !!s]x q\n", "d: [!x, q]\n"):
        document = yaml.scan(text)
        enc = splice(text, [yaml.sealed(document, document.leaves[0], "ENC[x]")])
        sealed = yaml.scan(enc)
        assert sealed.leaves[0].data in (b"ENC[x]", b"ENC[x]\n")
        assert document.leaves[0].data is not None
        back = yaml.literal(sealed, sealed.leaves[0], "str", document.leaves[0].data)
        assert yaml.scan(splice(enc, [back])).leaves[0].data == document.leaves[0].data
