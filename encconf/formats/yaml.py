"""YAML: the functions of a format, from the modules that have them.

`yaml_scan` reads texts, `yaml_text` and `yaml_words` spell values, `yaml_block` spells the ``sops`` entry,
and `yaml_alias` replaces aliases with their values.  Values are never dumped: only the replaced spans of a
text change.
"""

from __future__ import annotations

from encconf.formats import goyaml
from encconf.formats.defaults import (
    EMPTY,
    LOADS_TEXT,
    SEALS_EMPTY,
    caveat,
    fragile,
    tells_integers,
    token,
    unclosed,
)
from encconf.formats.yaml_block import amend, attach, detach, render_block
from encconf.formats.yaml_scan import scan
from encconf.formats.yaml_text import comment, literal, region, sealed
from encconf.formats.yaml_words import double, plain, scalar
from encconf.text.document import hash_comment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.formats import Prepared
    from encconf.text.document import Document, Edit

EXAMPLE = """\
# This file is encrypted when you leave the editor.
# Keys stay readable; values and comments do not. Change what you like.
database:
  host: db.example.com
  port: 5432
  password: change me
features:
  - one
  - two
debug: false
"""

__all__ = [
    "EMPTY", "EXAMPLE", "LOADS_TEXT", "SEALS_EMPTY", "amend", "attach", "caveat", "comment", "comment_text",
    "detach", "double", "fragile", "literal", "load_plain", "merge", "plain", "prepare", "region",
    "render_block", "scalar", "scan", "sealed", "settle", "tells_integers", "token", "unclosed",
]  # fmt: skip


def prepare(document: Document, chosen: bytearray, *, comments: bool = False) -> Prepared | None:
    """Respell what sops could not read back; see `yaml_alias.prepare` and `yaml_lost`."""
    text = document.text
    moved: list[Edit] = []
    if "#" in text and not comments:  # a rule that looks at comments takes them where they are
        from encconf.formats import yaml_lost

        if yaml_lost.may_lose(text):
            moved = yaml_lost.moves(document if document.comments else scan(text, comments=True))
    plain = text.endswith(("\n", "\r")) and not document.merges and "*" not in text and "\\/" not in text
    if plain and not moved:
        return None  # nothing of what it looks for, and it takes time to import
    from encconf.formats import yaml_alias

    return yaml_alias.prepare(document, chosen, moved)


def settle(document: Document) -> None:
    """Apply merge keys."""
    if document.merges:
        merge(document)


def comment_text(plain: str) -> str | None:
    """Every line becomes a comment; None if there is another line break, which would end the comment."""
    return hash_comment(plain)


def load_plain(text: str) -> list[dict[str, object]]:
    """The values of a plain YAML text, one dict per document, merge keys applied."""
    document = scan(text)
    if document.block is not None:
        document.trees[0]["sops"] = document.block
    for leaf in document.leaves:
        leaf.scope.node[leaf.step] = goyaml.parse(leaf.type, leaf.data)
    merge(document)
    return document.trees


def merge(document: Document) -> None:
    """Apply YAML merge keys (``<<``) to the filled trees; a mapping's own keys win."""
    for scope in reversed(document.merges):
        node = scope.node
        assert isinstance(node, dict)
        if "<<" not in node:
            continue
        value = node["<<"]
        sources = value if isinstance(value, list) else [value]
        if not all(isinstance(source, dict) for source in sources):
            continue  # an ordinary key that happens to be called so
        merged = {}
        for source in reversed(sources):
            merged.update(source)
        at_merge = {key: item for key, item in merged.items() if key not in node}
        # The merged keys take the place of `<<`.
        entries = list(node.items())
        node.clear()
        for key, item in entries:
            if key == "<<":
                node.update(at_merge)
            else:
                node[key] = item
