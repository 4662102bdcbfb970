"""Fields of secrets in JSON or YAML: ``password``, or ``db/password`` for a nested one.

A member whose name is the whole field comes before a nested one.  A list's items are numbered from 0.
Strings are returned as they are, other scalars as JSON writes them or as YAML reads them, and objects and
lists as JSON.
"""

from __future__ import annotations

import json
import re

from encconf.errors import EncconfError, ExistsError, SourceError
from encconf.text.printable import printable
from encconf.text.words import bool_word, did_you_mean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_INDEX = re.compile("[0-9]{1,9}")


class _Written(str):
    """A JSON number as it is written.  1.10 may be a version, so it must not become 1.1."""


def pick(data: bytes, field: str) -> bytes:
    """Return the field of a secret.  Raises SourceError, with the reason ``missing`` if there is none."""
    tree, is_json = _tree(data)
    found = _find(tree, field, suggest=is_json)
    if isinstance(found, str):
        return found.encode(errors="surrogatepass")
    if isinstance(found, bytes):
        return found
    if isinstance(found, bool):
        return bool_word(found).encode()
    if found is None:
        raise SourceError(
            f"its field {_shown(field)} is null", reason="missing", hint="give it a value there"
        )
    if isinstance(found, (dict, list)):
        return _json(found)
    if isinstance(found, float):
        from encconf.formats.goyaml import format_float

        return format_float(found)
    return str(found).encode()


def put(data: bytes | None, field: str, value: bytes, *, replace: bool) -> bytes:
    """Return a JSON object with one more member.  Raises SourceError, and ExistsError like `insert`."""
    return _json(insert({} if data is None else members(data), field, value, replace=replace))


def insert(tree: dict[str, Any], field: str, value: bytes, *, replace: bool) -> dict[str, Any]:
    """Return the members with one more.  Raises ExistsError if it exists, unless ``replace``."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        raise SourceError("a field must be text, and this is not UTF-8", hint="add ?decode=base64") from None
    if field in tree and not replace:
        raise ExistsError(
            f"the secret has a field {_shown(field)} already, and it was not changed",
            hint="choose another name",
        )
    return {**tree, field: text}


def members(data: bytes) -> dict[str, Any]:
    """Return the members of a JSON object.  Raises SourceError for anything else."""
    try:
        tree = json.loads(data, parse_float=_Written, parse_int=_Written)
    except (ValueError, RecursionError):
        tree = None
    if not isinstance(tree, dict):
        raise SourceError("the secret is not a JSON object", hint="name one of its fields: #FIELD")
    return tree


def _json(tree: Any) -> bytes:
    return _text(tree).encode(errors="surrogatepass")


def _text(tree: Any) -> str:
    if isinstance(tree, dict):
        members = (
            f"{json.dumps(str(name), ensure_ascii=False)}:{_text(node)}" for name, node in tree.items()
        )
        return "{" + ",".join(members) + "}"
    if isinstance(tree, list):
        return "[" + ",".join(map(_text, tree)) + "]"
    if isinstance(tree, _Written):
        return str(tree)
    return json.dumps(tree, ensure_ascii=False, default=str)


def _tree(data: bytes) -> tuple[Any, bool]:
    """Return what a secret contains, and whether it is JSON.  Most texts are YAML by accident, too."""
    try:
        return json.loads(data, parse_float=_Written, parse_int=_Written), True
    except (ValueError, RecursionError):
        pass
    from encconf import formats

    try:
        trees = formats.get("yaml").load_plain(data.decode())
    except (EncconfError, UnicodeDecodeError, RecursionError):  # their texts may quote the secret
        trees = []
    if len(trees) != 1:
        raise SourceError(
            "a field is asked for, and the secret is neither JSON nor YAML", hint="leave #FIELD out"
        )
    return trees[0], False


def _find(tree: Any, field: str, *, suggest: bool) -> Any:
    """Return a member.  Raises SourceError, which has a similar name only if names may be shown."""
    if isinstance(tree, dict) and field in tree:
        return tree[field]
    for step in field.split("/"):
        if isinstance(tree, dict) and step in tree:
            tree = tree[step]
        elif isinstance(tree, list) and _INDEX.fullmatch(step) and int(step) < len(tree):
            tree = tree[int(step)]
        else:
            names = map(str, tree) if suggest and isinstance(tree, dict) else ()
            raise SourceError(
                f"the secret has no field {_shown(field)}",
                reason="missing",
                hint=printable(did_you_mean(step, names), 80) or "#FIELD names one of its members",
            )
    return tree


def _shown(field: str) -> str:
    return printable(field, 60)
