"""Values written in another format than their own, or a part of a document in its own format.

This is what ``--output-type`` and ``--extract`` print.  The spelling is that of sops 3.13.3
(stores/*/store.go: EmitPlainFile, EmitValue), which uses go-yaml 3, encoding/json and go-ini.  A whole
document in its own format is never rewritten: see `encconf.api.decrypt`.

Values are those of `encconf.verbs.changes.tree`: dicts, lists, and a `Leaf` for each single value.
"""

from __future__ import annotations

import re

from encconf.errors import EmitError
from encconf.formats import NAMES, emit_yaml, goyaml
from encconf.formats.emit_parts import comment_lines, items_of
from encconf.formats.plain import text_of
from encconf.text.document import Document, Leaf, copies, mapped
from encconf.text.words import bool_word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from encconf.formats.emit_parts import Notes
    from encconf.text.path import Path


def render(
    trees: Sequence[Any], format: str, notes: Notes | None = None, *, indent: int | None = None
) -> str:
    """Return documents as a text of a format.  Formats other than YAML and INI write only the first one.

    ``indent`` is in characters, or None for sops's default (YAML 4, JSON a tab).  Raises EmitError for what
    the format cannot hold.
    """
    _check_indent(format, indent)
    if format == "yaml":
        step = indent or 4
        return "---\n".join(emit_yaml.document(tree, notes or {}, step) for tree in trees)
    if format == "json":
        return _json(trees[0], indent) + "\n"
    if format == "dotenv":
        return _dotenv(trees[0], notes or {})
    if format == "ini":
        return _ini(trees, notes or {})
    if format == "toml":
        return _toml(trees[0], notes or {})
    if format == "binary":
        return _binary(trees)
    raise EmitError(f"values cannot be written as {format}", hint=f"possible formats: {', '.join(NAMES)}")


def refuse_several(trees: Sequence[Any], format: str) -> None:
    """Raise EmitError if `render` would leave out documents with values: this format has only one."""
    if any(trees[1:]) and format in ("json", "dotenv", "toml"):
        raise EmitError(
            f"{format} holds one document, but this file has {len(trees)}",
            hint="yaml can hold several documents",
        )


MAX_INDENT = 100
"""How many characters a text may be indented by: the .sops.yaml of a branch may request any number."""


def _check_indent(format: str, indent: int | None) -> None:
    if indent is None or 0 <= indent <= MAX_INDENT:
        return
    if indent > MAX_INDENT:
        raise EmitError(f"an indentation of more than {MAX_INDENT} characters")
    if format == "yaml":
        raise EmitError("YAML Negative indentation not accepted")
    if format == "json" and indent < -1:
        raise EmitError(
            "Error marshaling to json: JSON Indentation parameter smaller than -1 is not accepted"
        )


def value(node: Any, format: str, notes: Notes | None = None, *, indent: int | None = None) -> str:
    """Return what ``--extract`` prints: strings as they are, mappings as documents, others in the format."""
    if isinstance(node, dict):
        return render([node], format, notes, indent=indent)
    if isinstance(node, Leaf) and node.type == "str":
        return text(node)
    _check_indent(format, indent)
    if format == "yaml":
        if isinstance(node, Leaf):
            return emit_yaml.scalar(node) + "\n"
        style = emit_yaml.GoYaml(notes or {}, indent or 4)
        return "\n".join(style.entries(node, 0)) + "\n" if node else "[]\n"
    if format in ("json", "ini"):
        return _json(node, indent if format == "json" else None)
    if format == "toml":
        return _toml_word(node) + "\n"
    kind = "a list" if isinstance(node, list) else f"a value of type {node.type}"
    raise EmitError(
        f"{format} files hold strings, not {kind}", hint="choose a format: --output-type json or yaml"
    )


def trees_of(document: Document) -> tuple[list[Any], Notes]:
    """Return an opened document's values, with a `Leaf` for each single value, and its comments.

    Comments that sops stores as items of a sequence are comments here, not items.
    """
    notes: Notes = {}
    trees, nodes = copies(document)
    lists: dict[int, list[Any]] = {}
    for leaf in document.leaves:
        node = nodes[id(leaf.scope.node)]
        node[leaf.step] = leaf
        if leaf.type == "comment" and isinstance(node, list):
            lists[id(node)] = node
    moved: dict[int, dict[int, int]] = {}
    for name, items in lists.items():
        about = notes.setdefault(name, {})
        places = moved[name] = {}
        kept: list[Any] = []
        for at, item in enumerate(items):
            if isinstance(item, Leaf) and item.type == "comment":
                said = (item.data or b"").decode("utf-8", "replace")
                about.setdefault(len(kept), []).append((said, False))
            else:
                places[at] = len(kept)
                kept.append(item)
        if len(kept) in about:
            about[None] = about.pop(len(kept))
        items[:] = kept
    for comment in document.comments:
        node, before = nodes[id(comment.scope.node)], comment.before
        if isinstance(before, int):
            before = moved.get(id(node), {}).get(before, before)
        try:
            item = node[before] if before is not None else None
        except (KeyError, IndexError):
            item = before = None  # the item is the sops block
        inline = isinstance(item, Leaf) and comment.start > item.start
        notes.setdefault(id(node), {}).setdefault(before, []).append((comment.text, inline))
    return trees or [{}], notes


def text(leaf: Leaf) -> str:
    """Return a single value as text, as sops writes it into dotenv and INI files and environments.

    Raises EmitError for bytes that are not UTF-8.
    """
    data = leaf.data
    if data is None:
        return "<nil>"
    if leaf.type == "float":
        return goyaml.short_float(float(data), "E")
    if leaf.type == "time":
        data = re.sub(rb"\.[0-9]+", b"", data)
    return text_of(leaf.type, data)


# --- JSON, binary, dotenv, INI ---------------------------------------------------------------


def _json(node: Any, indent: int | None) -> str:
    from encconf.formats.json_text import compact, laid_out

    def word(item: Any) -> str:
        return _json_string(item) if isinstance(item, str) else json_word(item)

    unit = "\t" if indent is None or indent < 0 else " " * indent
    return laid_out(compact(node, word), "\n", unit, "")


def json_word(leaf: Leaf) -> str:
    """Return a single value as Go's encoding/json writes it.  Raises EmitError for NaN and infinity."""
    data = leaf.data
    if data is None:
        return "null"
    if leaf.type == "bool":
        return bool_word(data)
    if leaf.type == "int":
        return data.decode()
    if leaf.type == "float":
        number = float(data)
        if number - number != 0:
            raise EmitError("a number is infinite or NaN: JSON cannot hold it")
        if number and not 1e-6 <= abs(number) < 1e21:
            return goyaml.exponent_form(number, "e").replace("e-0", "e-")
        return goyaml.format_float(number).decode()
    return _json_string(data.decode("utf-8", "surrogateescape"))


def _json_string(value: str) -> str:
    """Return a string as Go writes it: Go also escapes ``<``, ``>`` and ``&``, for HTML."""
    from encconf.formats.json_text import quote

    return re.sub("[<>&]", lambda at: f"\\u{ord(at[0]):04x}", quote(value))


def _binary(trees: Sequence[Any]) -> str:
    data = trees[0].get("data") if len(trees) == 1 else None
    if isinstance(data, Leaf) and data.type == "str":
        return text(data)
    raise EmitError(
        'error emitting binary store: no binary data found in tree: there is no string called "data"',
        hint="this is likely not an encrypted binary file: give the format with --output-type",
    )


def _dotenv(tree: Any, notes: Notes) -> str:
    out = []
    for key, item, comments in items_of(tree, notes):
        out += [f"{line}\n" for comment, _ in comments for line in comment_lines(comment)]
        if key is None:
            continue
        if not isinstance(item, Leaf):
            raise EmitError(f"cannot use complex value in dotenv file; offending key {key}")
        if "\n" in key or "\r" in key:
            raise EmitError("a key contains a line break, which a dotenv file cannot hold")
        said = text(item)
        out.append(f"{key}={said.replace(chr(10), chr(92) + 'n') if item.type == 'str' else said}\n")
    return "".join(out)


def _ini(trees: Sequence[Any], notes: Notes) -> str:
    from encconf.formats.ini_text import as_sops, spell_key

    sections = []
    for tree in trees:
        for name, section in tree.items():
            if not isinstance(section, dict) or not all(isinstance(item, Leaf) for item in section.values()):
                raise EmitError("Error encoding section: section values should always be TreeBranches")
            width = max((len(spell_key(key)) for key in section), default=0)
            title, lines = f"[{name}]\n", list[str]()
            for key, item, comments in items_of(section, notes):
                # sops puts the first comment above the section, and others above the key before them
                for at, (comment, _) in enumerate(comments):
                    if not lines and not at:
                        title = f"; {comment}\n{title}"
                    elif lines:
                        lines[-1] = f"; {comment.strip()}\n{lines[-1]}"
                if key is not None:
                    lines.append(f"{spell_key(key):{width}} = {as_sops(text(item))}\n")
            sections.append(title + "".join(lines))
    return "\n".join(sections)


# --- TOML ------------------------------------------------------------------------------------


def _toml_word(node: Any) -> str:
    """Return a value as it is written after ``=``.  Raises EmitError for null, which TOML does not have."""
    from encconf.formats.toml_text import spell

    def word(leaf: Leaf) -> str:
        data = leaf.data
        if data is None:
            return spell(None)  # raises
        if leaf.type in ("int", "time"):
            return data.decode()
        if leaf.type == "bool":
            return bool_word(data)
        return repr(float(data)) if leaf.type == "float" else spell(text(leaf))

    return spell(node, word)


def _toml(tree: Any, notes: Notes) -> str:
    """Return a tree in TOML: first what is not a table, then the tables in the order of the tree."""
    from encconf.formats.toml_text import lay_out

    return "\n".join(lay_out("", tree, _toml_word, notes)).lstrip("\n") + "\n"


def plain_of(node: Any) -> Any:
    """Return the values with the `plain_value` of each `Leaf`."""
    return mapped(node, plain_value)


def plain_value(leaf: Leaf) -> object:
    """Return the Python value for JSON: a date is text.  Raises EmitError for what JSON cannot hold."""
    data = leaf.data
    if data is None:
        return None
    if leaf.type == "bool":
        return bool_word(data) == "true"
    if leaf.type == "int":
        return int(data)
    if leaf.type == "float":
        number = float(data)
        if number - number != 0:
            raise EmitError("a number is infinite or NaN: JSON cannot hold it")
        return number
    return text_of(leaf.type, data)


def leaf_of(type: str, data: bytes | None) -> Leaf:
    """Return a single value that belongs to no document."""
    from encconf.text.document import Scope

    return Leaf(Scope(None, None, (), "", {}), "", 0, 0, "", type, data)


def flat(node: Any, path: Path = ()) -> Iterator[tuple[Path, Leaf]]:
    """Yield every single value with its path."""
    if isinstance(node, Leaf):
        yield path, node
        return
    for step, item in node.items() if isinstance(node, dict) else enumerate(node):
        yield from flat(item, (*path, step))
