"""Values written out in another format than their own, or a part of a document in its own.

This is what ``--output-type`` and ``--extract`` print, spelled as sops 3.13.3 spells it
(stores/*/store.go: EmitPlainFile, EmitValue) with go-yaml 3, encoding/json and go-ini below it.  A
document that stays whole in its format is never written anew: see `encconf.api.decrypt`.

Values are those of `encconf.verbs.changes.tree`: dicts, lists, and a `Leaf` for each single value.
"""

from __future__ import annotations

import re

from encconf.errors import EmitError
from encconf.formats import goyaml
from encconf.text.document import Leaf, copies
from encconf.text.words import bool_word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from encconf.text.document import Document

    Notes = dict[int, dict[str | int | None, list[tuple[str, bool]]]]
    """By the id of a dict or list, the comments before each of its items: text, whether inline."""

FORMATS = ("yaml", "json", "dotenv", "ini", "toml", "binary")
"""What can be written."""


def render(
    trees: Sequence[Any], format: str, notes: Notes | None = None, *, indent: int | None = None
) -> str:
    """Documents as a text of a format; all but YAML and INI write the first one.

    ``indent`` is in characters, None for sops's own (YAML 4, JSON a tab).  Raises EmitError for what
    the format cannot hold.
    """
    _check_indent(format, indent)
    if format == "yaml":
        step = indent or 4
        return "---\n".join(_yaml_document(tree, notes or {}, step) for tree in trees)
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
    raise EmitError(f"values cannot be written as {format}", hint=f"possible formats: {', '.join(FORMATS)}")


def _check_indent(format: str, indent: int | None) -> None:
    if indent is None or indent >= 0:
        return
    if format == "yaml":
        raise EmitError("YAML Negative indentation not accepted")
    if format == "json" and indent < -1:
        raise EmitError(
            "Error marshaling to json: JSON Indentation parameter smaller than -1 is not accepted"
        )


def value(node: Any, format: str, notes: Notes | None = None, *, indent: int | None = None) -> str:
    """What ``--extract`` prints: a string as it is, a mapping as a document, else as the format has it."""
    if isinstance(node, dict):
        return render([node], format, notes, indent=indent)
    if isinstance(node, Leaf) and node.type == "str":
        return text(node)
    _check_indent(format, indent)
    if format == "yaml":
        if isinstance(node, Leaf):
            return _scalar(node) + "\n"
        return "\n".join(_yaml(node, notes or {}, 0, indent or 4)) + "\n" if node else "[]\n"
    if format in ("json", "ini"):
        return _json(node, indent if format == "json" else None)
    if format == "toml":
        return _toml_word(node) + "\n"
    kind = "a list" if isinstance(node, list) else f"a value of type {node.type}"
    raise EmitError(
        f"{format} files hold strings, not {kind}", hint="choose a format: --output-type json or yaml"
    )


def trees_of(document: Document) -> tuple[list[Any], Notes]:
    """An opened document's values, with a `Leaf` for each single one, and its comments.

    Comments that sops stores as items of a list are no items here.
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
        kept: list[Any] = []
        places = moved[name] = {}
        waiting: list[tuple[str, bool]] = []
        for at, item in enumerate(items):
            if isinstance(item, Leaf) and item.type == "comment":
                waiting.append(((item.data or b"").decode("utf-8", "replace"), False))
                continue
            if waiting:
                notes.setdefault(name, {})[len(kept)] = waiting
                waiting = []
            places[at] = len(kept)
            kept.append(item)
        if waiting:
            notes.setdefault(name, {})[None] = waiting
        items[:] = kept
    for comment in document.comments:
        node, before = nodes[id(comment.scope.node)], comment.before
        if isinstance(before, int):
            before = moved.get(id(node), {}).get(before, before)
        try:
            item = node[before] if before is not None else None
        except (KeyError, IndexError):
            item = before = None  # the sops block follows
        inline = isinstance(item, Leaf) and comment.start > item.start
        notes.setdefault(id(node), {}).setdefault(before, []).append((comment.text, inline))
    return trees or [{}], notes


def text(leaf: Leaf) -> str:
    """A single value as text, as sops writes it into dotenv and INI files and environments.

    Raises EmitError for bytes that are no text.
    """
    data = leaf.data
    if data is None:
        return "<nil>"
    if leaf.type == "bool":
        return bool_word(data)
    if leaf.type == "float":
        return _short_float(float(data), "E")
    if leaf.type == "time":
        return re.sub(rb"\.[0-9]+", b"", data).decode()
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise EmitError("a value is not UTF-8 text") from None


# --- JSON, binary, dotenv, INI ---------------------------------------------------------------


def _json(node: Any, indent: int | None) -> str:
    unit = "\t" if indent is None or indent < 0 else " " * indent

    def lay(node: Any, pad: str) -> str:
        if isinstance(node, dict):
            inner = [f"{pad}{unit}{_json_string(key)}: {lay(item, pad + unit)}" for key, item in node.items()]
            return "{\n" + ",\n".join(inner) + f"\n{pad}}}" if inner else "{}"
        if isinstance(node, list):
            inner = [f"{pad}{unit}{lay(item, pad + unit)}" for item in node]
            return "[\n" + ",\n".join(inner) + f"\n{pad}]" if inner else "[]"
        return json_word(node)

    return lay(node, "")


def json_word(leaf: Leaf) -> str:
    """A single value in JSON, as Go's encoding/json writes it.  Raises EmitError for NaN and infinity."""
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
            return _exponent(number, "e").replace("e-0", "e-")
        return goyaml.format_float(number).decode()
    return _json_string(data.decode("utf-8", "replace"))


_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}


def _json_string(value: str) -> str:
    escaped = re.sub(
        '["\\\\\\x00-\\x1f<>&\u2028\u2029]', lambda at: _ESCAPES.get(at[0]) or f"\\u{ord(at[0]):04x}", value
    )
    return f'"{escaped}"'


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
    for key, item, comments in _items(tree, notes):
        out += [f"{line}\n" for comment, _ in comments for line in _comment_lines(comment)]
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
    sections = []
    for tree in trees:
        for name, section in tree.items():
            if not isinstance(section, dict) or not all(isinstance(item, Leaf) for item in section.values()):
                raise EmitError("Error encoding section: section values should always be TreeBranches")
            width = max((len(_ini_key(key)) for key in section), default=0)
            title, lines = f"[{name}]\n", list[str]()
            for key, item, comments in _items(section, notes):
                # sops gives a section its first comment, and others to the key before them
                for at, (comment, _) in enumerate(comments):
                    if not lines and not at:
                        title = f"; {comment}\n{title}"
                    elif lines:
                        lines[-1] = f"; {comment.strip()}\n{lines[-1]}"
                if key is not None:
                    lines.append(f"{_ini_key(key):{width}} = {_ini_value(text(item))}\n")
            sections.append(title + "".join(lines))
    return "\n".join(sections)


def _ini_key(key: str) -> str:
    if '"' in key or "=" in key or ":" in key:
        return f"`{key}`"
    return f'"""{key}"""' if "`" in key else key


def _ini_value(value: str) -> str:
    if "\n" in value or "`" in value:
        return f'"""{value}"""'
    if "#" in value or ";" in value:
        return f"`{value}`"
    return f'"{value}"' if value.strip() != value else value


def _items(node: Any, notes: Notes) -> list[tuple[Any, Any, list[tuple[str, bool]]]]:
    """Key or index, item and the comments before it; last, with None, the comments at the end."""
    about = notes.get(id(node), {})
    pairs = node.items() if isinstance(node, dict) else enumerate(node)
    items = [(key, item, about.get(key, [])) for key, item in pairs]
    return [*items, (None, None, about[None])] if None in about else items


def _above(comments: list[tuple[str, bool]], key: Any) -> list[str]:
    """The lines of the comments before an item; behind the last item all stand alone."""
    return [line for text, inline in comments if not inline or key is None for line in _comment_lines(text)]


def _behind(comments: list[tuple[str, bool]]) -> str:
    return "".join(f" {line}" for text, inline in comments if inline for line in _comment_lines(text))


def _comment_lines(comment: str) -> list[str]:
    """A comment as go-yaml writes it: INI has some of several lines, each behind its own mark."""
    first, *others = re.split("\r\n|[\n\r\x85\u2028\u2029]", comment)
    return [f"#{first}", *(line if line[0] == "#" else f"# {line}" for line in others if line)]


# --- TOML ------------------------------------------------------------------------------------


def _toml(tree: Any, notes: Notes) -> str:
    """Tables in the order of the tree; what is no table goes before the tables, as TOML wants it."""
    out: list[str] = []
    _toml_table("", tree, notes, out)
    return "\n".join(out).lstrip("\n") + "\n"


def _toml_table(path: str, node: Any, notes: Notes, out: list[str]) -> None:
    from encconf.formats.toml_text import spell_key

    tables: list[tuple[str, str, Any, list[str]]] = []
    for key, item, comments in _items(node, notes):
        above = _above(comments, key)
        if key is None:
            out += above
            continue
        name = spell_key(key)
        inner = f"{path}.{name}" if path else name
        if isinstance(item, dict):
            tables.append((f"[{inner}]", inner, item, above))
        elif isinstance(item, list) and item and all(isinstance(each, dict) for each in item):
            tables.append((f"[[{inner}]]", inner, item[0], above))
            tables += [(f"[[{inner}]]", inner, each, []) for each in item[1:]]
        else:
            out += [*above, f"{name} = {_toml_word(item)}{_behind(comments)}"]
    for header, inner, table, above in tables:
        out += ["", *above, header]
        _toml_table(inner, table, notes, out)


def _toml_word(node: Any) -> str:
    """A value behind ``=``.  Raises EmitError for a null, which TOML has not."""
    from encconf.formats.toml_text import spell, spell_key

    if isinstance(node, list):
        return "[" + ", ".join(map(_toml_word, node)) + "]"
    if isinstance(node, dict):
        return "{" + ", ".join(f"{spell_key(key)} = {_toml_word(item)}" for key, item in node.items()) + "}"
    data = node.data
    if data is None:
        raise EmitError("TOML has no null", hint="remove the value or replace it")
    if node.type == "int":
        return str(data.decode())
    if node.type == "bool":
        return bool_word(data)
    if node.type == "float":
        number = float(data)
        return "nan" if number != number else repr(number)
    return str(data.decode()) if node.type == "time" else spell(text(node))


# --- YAML ------------------------------------------------------------------------------------


def _yaml_document(tree: Any, notes: Notes, step: int) -> str:
    if not tree:
        comments = _above(notes.get(id(tree), {}).get(None, []), None)
        return "\n".join([*comments, "{}"]) + "\n"
    return "\n".join(_yaml(tree, notes, 0, step)) + "\n"


def _yaml(node: Any, notes: Notes, column: int, step: int) -> list[str]:
    """The lines of a collection that has items, from a column on."""
    pad = " " * column
    lines: list[str] = []
    for key, item, comments in _items(node, notes):
        lines += [f"{pad}{line}" for line in _above(comments, key)]
        if key is None:
            continue
        after = _behind(comments)
        head = "-" if isinstance(node, list) else f"{_string(key, simple=True)}:"
        if isinstance(item, Leaf):
            inner = column + 2 if isinstance(node, list) else _deeper(column, step)
            first, *more = _scalar(item, inner, inner - column).split("\n")
            lines.append(f"{pad}{head} {first}{after}")
            lines += more
        elif not item:
            lines.append(f"{pad}{head} {'{}' if isinstance(item, dict) else '[]'}")
        elif isinstance(node, list):
            below = _yaml(item, notes, column + 2, step)
            at = next(index for index, line in enumerate(below) if not line.lstrip().startswith("#"))
            lines += [line[2:] for line in below[:at]]
            lines.append(f"{pad}- {below[at][column + 2 :]}")
            lines += below[at + 1 :]
        else:
            lines += [pad + head, *_yaml(item, notes, _deeper(column, step), step)]
    return lines


def _deeper(column: int, step: int) -> int:
    """The next multiple of the indentation: below a dash it is less than a whole step away."""
    return step * ((column + step) // step)


def _scalar(leaf: Leaf, column: int = 4, deeper: int = 4) -> str:
    """A single value; a block scalar's lines go to ``column``, ``deeper`` than what holds it."""
    data = leaf.data
    if data is None:
        return "null"
    if leaf.type == "bool":
        return bool_word(data)
    if leaf.type == "float":
        number = float(data)
        if number - number != 0:
            return ".nan" if number != number else ".inf" if number > 0 else "-.inf"
        return _short_float(number, "e", plain=True)
    if leaf.type != "str":
        return data.decode()
    try:
        return _string(data.decode(), column=column, deeper=deeper)
    except UnicodeDecodeError:
        import base64

        return "!!binary " + base64.b64encode(data).decode()


_SIXTY = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")
_OLD_BOOLS = frozenset(
    ["y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "n", "N", "no", "No", "NO", "off", "Off", "OFF"]
)


def _string(value: str, *, simple: bool = False, column: int = 0, deeper: int = 4) -> str:
    """A string as go-yaml writes it; ``simple`` for keys, which have one line.

    A block scalar's lines are indented to ``column``, ``deeper`` than what holds it.
    """
    from encconf.formats import yaml, yaml_text

    breaks = any(char in value for char in "\r\x85\u2028\u2029")
    odd = any(not _printable(char) and char != "\t" for char in value)
    spaced = bool(re.search(r" [\n\r\x85\u2028\u2029]", value))
    if "\n" in value:
        trailing = value.endswith(" ") or value.lstrip("\n")[:1] == "\t" or deeper > 9
        # sops writes other line breaks as they are, and not all readers take them for some.
        if simple or odd or spaced or trailing or breaks:
            return yaml.double(value)
        hint = str(deeper) if value[0] in " \n\r\x85\u2028\u2029" else ""
        chomp = "" if value.endswith("\n") and not value.endswith("\n\n") and value != "\n" else "-"
        if value.endswith("\n\n") or value == "\n":
            chomp = "+"
        body = value[:-1] if value.endswith("\n") else value
        lines = [" " * column + line if line else "" for line in body.split("\n")]
        return "\n".join([f"|{hint}{chomp}", *lines])
    if _means_other(value):
        return yaml.double(value)
    if breaks or odd or "\t" in value:
        return yaml.double(value)
    return value if _plain(value) else yaml_text.single(value)


def _means_other(value: str) -> bool:
    """Whether the plain spelling would be, or once was, something else than a string."""
    if not value or value in _OLD_BOOLS or value == "<<" or _SIXTY.fullmatch(value):
        return True
    try:
        return goyaml.resolve(value, None, True)[0] != "str"
    except ValueError:
        return True
    except Exception as error:
        from encconf.errors import EncconfError

        if isinstance(error, EncconfError):
            return True
        raise


def _plain(value: str) -> bool:
    """Whether a string on one line may stand plain in block style."""
    if value != value.strip(" ") or value.startswith(("---", "...")):
        return False
    first, second = value[0], value[1:2]
    if first in "#,[]{}&*!|>'\"%@`" or (first in "?:-" and second in ("", " ")):
        return False
    return re.search(r":(?: |\Z)| #", value) is None


def _printable(char: str) -> bool:
    code = ord(char)
    return (
        code == 0x0A
        or 0x20 <= code <= 0x7E
        or code == 0x85
        or (0xA0 <= code <= 0xD7FF)
        or (0xE000 <= code <= 0xFFFD and code != 0xFEFF)
        or code >= 0x10000
    )


# --- numbers ---------------------------------------------------------------------------------


def _short_float(number: float, sign: str, *, plain: bool = False) -> str:
    """Go's FormatFloat(f, 'g' or 'G', -1, 64), with a decimal unless ``plain`` (stores.ValToString)."""
    if number - number != 0:
        return "NaN" if number != number else "+Inf" if number > 0 else "-Inf"
    if number and not -4 <= int(_scientific(number).partition("e")[2]) < 6:
        return _exponent(number, sign)
    word = goyaml.format_float(number).decode()
    return word if plain or "." in word else f"{word}.0"


def _exponent(number: float, sign: str) -> str:
    """Go's FormatFloat with 'e' or 'E' and the shortest digits: 1e+30, 1.5e-07."""
    mantissa, _, exponent = _scientific(number).partition("e")
    return f"{mantissa}{sign}{exponent[0]}{exponent[1:].zfill(2)}"


def _scientific(number: float) -> str:
    for precision in range(17):
        word = f"{number:.{precision}e}"
        if float(word) == number:
            mantissa, _, exponent = word.partition("e")
            return f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}e{exponent}"
    return f"{number:.16e}"


def plain_of(node: Any, leaf: Callable[[Leaf], object]) -> Any:
    """The values with a function's result for each `Leaf`."""
    if isinstance(node, dict):
        return {key: plain_of(item, leaf) for key, item in node.items()}
    if isinstance(node, list):
        return [plain_of(item, leaf) for item in node]
    return leaf(node)


def plain_value(leaf: Leaf) -> object:
    """A single value as JSON has it: a date is its text.  Raises EmitError for bytes that are no text."""
    data = leaf.data
    if data is None:
        return None
    if leaf.type == "bool":
        return data[:1] in b"Tt1"
    if leaf.type == "int":
        return int(data)
    if leaf.type == "float":
        number = float(data)
        if number - number != 0:
            raise EmitError("a number is infinite or NaN: JSON cannot hold it")
        return number
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise EmitError("a value is not UTF-8 text") from None


def leaf_of(type: str, data: bytes | None) -> Leaf:
    """A single value that stands in no document."""
    from encconf.text.document import Scope

    return Leaf(Scope(None, None, (), "", {}), "", 0, 0, "", type, data)


def flat(tree: Mapping[str, Any]) -> list[tuple[tuple[str | int, ...], Leaf]]:
    """Every single value with its path."""
    found: list[tuple[tuple[str | int, ...], Leaf]] = []
    pending: list[tuple[tuple[str | int, ...], Any]] = [((), tree)]
    while pending:
        path, node = pending.pop()
        if isinstance(node, Leaf):
            found.append((path, node))
        else:
            pairs = list(node.items() if isinstance(node, dict) else enumerate(node))
            pending.extend(((*path, step), item) for step, item in reversed(pairs))
    return found
