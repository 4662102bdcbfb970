"""Scan a YAML stream: `lines` reads ordinary texts, `yaml_events` all others."""

from __future__ import annotations

from encconf.errors import LimitError
from encconf.formats import lines
from encconf.text.document import limit_paths, most_items

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.text.document import Document


def scan(text: str, *, comments: bool = False, any_keys: bool = False) -> Document:
    """Parse a YAML stream into leaves with spans; with ``any_keys``, a null or number may be a key.

    Raises ParseError for text that is not YAML or that sops cannot store, LimitError for text that is
    deeper or more repetitive than any real file, and EmptyDocumentError if there is no document.
    """
    if comments and text.count("\n#") + text.count(" #") + text.count("\t#") > (most := most_items(text)):
        raise LimitError(f"the document has more than {most} comments for its size")
    document = lines.scan(text, comments) or _read(text, comments, any_keys)
    limit_paths(document)
    return document


def _read(text: str, comments: bool, any_keys: bool) -> Document:
    from encconf.formats.yaml_events import read
    from encconf.formats.yaml_parser import TooNewError

    try:
        return read(text, comments, pure=False, any_keys=any_keys)
    except TooNewError:
        return read(text, comments, pure=True, any_keys=any_keys)
