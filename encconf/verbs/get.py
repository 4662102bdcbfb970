"""Read one value of a file, or all of it."""

from __future__ import annotations

from encconf import formats
from encconf.engine import changes, loading, opening, plaintext
from encconf.errors import about, exclude
from encconf.formats.writing import text_of
from encconf.record import Options as Base
from encconf.text.document import Value
from encconf.text.path import parse
from encconf.verbs import files, printing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.verbs.front import Front


class Options(Base):
    """What to read.  Without a ``path``, the whole file."""

    file: str
    path: str | None = None
    json: bool = False
    resolve: bool = False
    ignore_mac: bool = False
    input_type: str | None = None
    config: str | None = None


def run(options: Options, front: Front) -> str:
    """Return one value of a file without quotes, or a mapping or list in the file's format."""
    from encconf.formats import emit
    from encconf.formats.json import word_of_leaf

    resolve, json = options.resolve, options.json
    source = files.read(options.file, input_type=options.input_type)
    where = parse(options.path or "")
    why = "a file whose MAC is not checked must not decide what is fetched"
    exclude(resolve=resolve, ignore_mac=options.ignore_mac, hint=why)
    credentials = front.credentials()
    opened = source.open(credentials, ignore_mac=options.ignore_mac)
    format = opened.document.format
    where = formats.get(format).located(opened.document, where)[-1]
    with about(source.label):
        if where or json or resolve:
            opening.refuse_ciphertexts(opened)
        if resolve:
            (texts,) = loading.resolved([("", opened)], True, credentials, where)
            opened = opened.with_texts(texts)
        opened = printing.shown(front, opened)
        trees = opened.trees()
        node = changes.find(trees[0], where)
        if json and not where:
            emit.refuse_several(trees, "json")
        if json:
            said = emit.value(node, "json") if not isinstance(node, Value) else word_of_leaf(node)
        elif isinstance(node, Value):
            said = text_of(node.type, node.data)
        elif not where and not resolve:
            said = plaintext.plain_text(opened)
        else:
            said = emit.value(node, formats.get(format).envelope or format)
    return said
