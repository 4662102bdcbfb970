"""YAML texts: `lines` reads ordinary ones, and `yaml_events` reads all others.

`yaml_text` and `yaml_words` spell values, `yaml_block` spells the ``sops`` entry, and `yaml_prepare` respells
what sops could not read back.  Values are never dumped: only the replaced spans of a text change.
"""

from __future__ import annotations

import re

from encconf.formats import Prepared, lines
from encconf.formats.yaml_words import BREAK
from encconf.text.document import Document, limit_lines, limit_paths, too_many

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


def scan(text: str, *, comments: bool = False, any_keys: bool = False) -> Document:
    """Parse a YAML stream into leaves with spans.  With ``any_keys``, keys need not be strings.

    Raises ParseError for text that is not YAML or that sops cannot store, LimitError for text that is
    deeper or more repetitive than any real file, and EmptyDocumentError if the text has no document.
    """
    limit_lines(text, BREAK, signs="#")
    document = lines.scan(text, comments) or _read(text, comments, any_keys)
    if len(document.shape) > document.most:
        raise too_many(document.most)
    limit_paths(document)
    return document


def _read(text: str, comments: bool, any_keys: bool) -> Document:
    from encconf.formats.yaml_events import read
    from encconf.formats.yaml_parser import TooNewError

    try:
        return read(text, comments, pure=False, any_keys=any_keys)
    except TooNewError:
        return read(text, comments, pure=True, any_keys=any_keys)


# A comment line above a dash, and a comment after the dash, or a dash with nothing after it, which may have
# a comment below: sops may lose one of the two comments.
_PERHAPS_LOST = re.compile(r"^ *#.*\n(?: *\r?\n)* *-(?:[ -]*+\r?\n|[^\n]*#)", re.M)


def prepare(document: Document, chosen: bytearray, *, comments: bool = False) -> Prepared | None:
    """Respell what sops could not read back (see `yaml_prepare`)."""
    text = document.text
    # If the rule depends on comments, they must stay where they are.
    lost = "#" in text and not comments and _PERHAPS_LOST.search(text) is not None
    plain = text.endswith(("\n", "\r")) and not document.merges and "*" not in text and "\\/" not in text
    if plain and not lost:
        return None  # the text has nothing that `yaml_prepare` respells, and importing it takes time
    from encconf.formats import yaml_prepare

    moved = yaml_prepare.moves(document if document.comments else scan(text, comments=True)) if lost else []
    if plain and not moved:
        return None
    return yaml_prepare.prepare(document, chosen, moved)


def comment_text(plain: str) -> str | None:
    """Return a decrypted comment with ``#`` before each further line.

    Returns None if it contains a character other than a line feed that ends a line, or a control character:
    the rest would be read as values.
    """
    if not plain.isprintable() and re.search("[\r\x85\u2028\u2029\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", plain):
        return None
    return re.sub(r"\n(?!#)", "\n# ", plain) if "\n" in plain else plain


def settle(document: Document) -> None:
    """Apply YAML merge keys (``<<``) to the filled trees.  A mapping's own keys win."""
    for scope in reversed(document.merges):
        node = scope.node
        assert isinstance(node, dict)
        if "<<" not in node:
            continue
        value = node["<<"]
        sources = value if isinstance(value, list) else [value]
        if not all(isinstance(source, dict) for source in sources):
            continue  # it is an ordinary key with that name
        merged = {}
        for source in reversed(sources):
            merged.update(source)
        # The merged keys replace `<<` at its place.
        own = dict(node)
        node.clear()
        for key, item in own.items():
            if key == "<<":
                node.update({name: found for name, found in merged.items() if name not in own})
            else:
                node[key] = item
