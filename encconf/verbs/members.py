"""Add a key to the rules of a ``.sops.yaml``, and remove it, in the style of the file.

Text in, text out: only the intended lines change.  A key is written like the ones beside it: as an item of a
list, with an anchor and an alias, between commas, or in a key group.  Its name becomes its anchor, or the
comment after it.  The result is read again, and exactly the intended recipients of exactly the intended rules
must have changed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from encconf.audit.names import identity
from encconf.engine import changes
from encconf.errors import (
    BadKeyError,
    ConfigError,
    ConflictError,
    EmitError,
    EncconfError,
    ParseError,
    UsageError,
)
from encconf.formats.yaml import Yaml
from encconf.keys import CONTEXT, TABLE, MasterKey, master_key
from encconf.record import Record
from encconf.rules import config
from encconf.text.document import Leaf
from encconf.text.path import Path, spell
from encconf.text.printable import printable

RULES = "creation_rules"
_EDIT = "change .sops.yaml in an editor, then run: encconf updatekeys -r ."
_ANCHOR = re.compile(r"&([^\s,\[\]{}&]+)[ \t]+\Z")
_DASHES = re.compile(r"[ \t]*(?:-[ \t]+)+\Z")
_BLOCK = re.compile(r"[|>][-+0-9]*[ \t]*(?:#[^\n]*)?\n")


class Splice(Record):
    """A change of a text: where what it replaces begins and ends, and what takes its place."""

    start: int
    end: int
    new: str


def key_of(word: str) -> MasterKey:
    """Return the master key that a word names, by its form.  Raises BadKeyError.

    >>> key_of("age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p").TYPE
    'age'
    """
    word = word.strip()
    for type, row in TABLE.items():
        if row.form and re.match(row.form, word):
            return master_key(type, word)
    raise BadKeyError(
        f"{printable(word)[:60]} is not a key of a known form",
        hint="an age recipient begins with age1, an SSH key with ssh-; a PGP key is its fingerprint",
    )


def name_of(given: str) -> str:
    """Return a person's name as it can be in a comment.  Raises UsageError."""
    name = " ".join(given.split())
    if not name or any(sign in name for sign in "#:"):
        raise UsageError("a name is one line without # and :", hint="--name bob")
    return name


def groups_of(text: str) -> list[list[list[MasterKey]]]:
    """Return the key groups of each creation rule."""
    loaded = config.load(config.NAME, text)
    return [loaded.rule(number).groups for number in range(len(loaded.patterns))]


# --- adding --------------------------------------------------------------------------------------


def add(text: str, key: MasterKey, name: str, rules: Collection[int], *, group: int | None = None) -> str:
    """Return the configuration with a key in some of its creation rules.

    ``group`` is the number of the key group, counted from 0, for rules with several.  Rules that have the key
    already stay as they are.  Raises ConflictError if a rule has several groups and ``group`` is None, and
    ConfigError if the key cannot be added to these rules only.
    """
    before = groups_of(text)
    wanted = [[list(each) for each in groups] for groups in before]
    places: dict[int, int] = {}  # the rules that need the key, with the number of the key group
    for number in sorted(rules):
        if any(same(key, other) for each in wanted[number] for other in each):
            continue
        if not wanted[number]:
            raise ConfigError(
                f"{spelled(number)} names no recipient, so its files get theirs in another way",
                hint="choose the files of other rules with --for, or write the first recipient into the rule",
            )
        at = group
        if at is None:
            if len(wanted[number]) > 1:
                raise ConflictError(
                    f"{RULES}[{number}] has {len(wanted[number])} key groups", hint="choose one: --group 1"
                )
            at = 0
        if not 0 <= at < len(wanted[number]):
            raise ConfigError(f"{RULES}[{number}] has no key group {at + 1}")
        wanted[number][at].append(key)
        places[number] = at
    result = text
    while places:
        result, made = _added(result, key, name, places)
        now = groups_of(result)  # a shared list may have the key by now
        places = {
            number: at
            for number, at in places.items()
            if number not in made and not any(key in each for each in now[number])
        }
    return _checked(text, result, wanted, f"{name}'s key cannot be added to these rules only")


def _added(text: str, key: MasterKey, name: str, places: Mapping[int, int]) -> tuple[str, set[int]]:
    """Add a key to as many of these rules as can be changed at once, so that many rules take linear time.

    Returns the text, and the numbers of these rules.
    """
    splices: list[Splice] = []
    puts: list[tuple[Path, object]] = []
    spliced: set[int] = set()
    put: set[int] = set()
    taken: set[int] = set()
    for number, group in places.items():
        found = _addition(text, key, name, number, group)
        if isinstance(found, tuple):
            puts.append(found)
            put.add(number)
        elif len(found) > 1:  # it defines an anchor, which the next rules then use
            if not splices:
                return _spliced(text, found), {number}
        elif found[0].start not in taken:  # else it is that of another rule, too
            splices += found
            spliced.add(number)
            taken.add(found[0].start)
    if splices:
        return _spliced(text, splices), spliced
    return changes.put_all(text, puts, format="yaml", any_keys=True), put  # type: ignore[arg-type]


def _addition(
    text: str, key: MasterKey, name: str, number: int, group: int
) -> list[Splice] | tuple[Path, object]:
    """Return the splices that add a key to a rule, or a path and the value to put there."""
    row = TABLE[key.TYPE]
    leaves = [*_below(text, (RULES, number))]
    grouped = any(leaf.path[:3] == (RULES, number, "key_groups") for leaf in leaves)
    place: Path = (RULES, number, row.member)
    if grouped:
        place = (RULES, number, "key_groups", group, row.name_in_group)
    inside = [leaf for leaf in leaves if leaf.path[: len(place)] == place]
    written = _written(key)
    if not inside:
        value: object = [_as_item(key)] if grouped or row.only_list else written
        return place, value
    last = inside[-1]
    if last.path == place:
        return [_with_part(text, last, written)]
    if text[last.start] == "*" and len({leaf.start for leaf in inside}) == 1 and not _is_item(text, last):
        # An alias of the whole list: its definition changes, and with it all that share it.
        source = _definition(text, text[last.start + 1 : last.end])
        items = [each for each in _below(text, source or ()) if each.path[:-1] == source]
        if source is None or not items or not isinstance(items[-1].path[-1], int):
            raise ConfigError(
                f"the list {text[last.start : last.end]} has a form that cannot be changed here"
            )
        return _with_item(text, items[-1], written, name)
    if grouped and row.settings and len(last.path) > len(place) + 1:
        place = (*place, _size(inside, place))
        return place, _as_item(key)
    return _with_item(text, last, written, name)


def _with_part(text: str, leaf: Leaf, written: str) -> Splice:
    """Add a key to a text of keys between commas."""
    raw = text[leaf.start : leaf.end]
    if raw.startswith("*"):
        source = _anchored(text, raw[1:])
        if source is None:
            raise ConfigError(f"{raw} has a form that cannot be changed here")
        return _with_part(text, source, written)
    head = _BLOCK.match(raw)
    body = raw[head.end() :] if head else raw
    end = leaf.start + (head.end() if head else 0) + len(body.rstrip())
    if raw[:1] in "\"'":
        end -= 1
    gaps = re.findall(r",(\s*)", body)
    gap = gaps[-1] if gaps else ""
    if head and not gaps:
        indent = re.match(r"[ \t]*", body)
        gap = "\n" + (indent[0] if indent else "")
    comma = "" if text[end - 1 : end] == "," else ","
    return Splice(end, end, f"{comma}{gap}{written}")


def _with_item(text: str, last: Leaf, written: str, name: str) -> list[Splice]:
    """Add a key after the last item of a list: with an anchor and an alias if that item has an alias."""
    if text[last.start] == "*":
        source = _anchored(text, text[last.start + 1 : last.end])
        if existing := _anchor_of(text, written):
            return [_item_after(text, last, f"*{existing}", "")]
        anchor = _anchor_name(text, name)
        defined = _defined(text, source, anchor, written) if source is not None else None
        if defined is not None:
            return [defined, _item_after(text, last, f"*{anchor}", "")]
    comment = _comment(name)
    if all(_comment_above(text, each) is not None for each in _siblings(text, last)):
        return [_item_after(text, last, written, "", above=f"# {comment}")]
    beside = re.compile(r"([ \t]+)#").match(text, last.end)
    gap = beside[1] if beside is not None else " "
    return [_item_after(text, last, written, f"{gap}# {comment}" if comment else "")]


def _comment_above(text: str, leaf: Leaf) -> int | None:
    """Return the start of the comment line above an item's line, or None without one."""
    start = text.rfind("\n", 0, leaf.start) + 1
    above = text.rfind("\n", 0, max(start - 1, 0)) + 1
    return above if above < start and re.match(r"[ \t]*#", text[above:start]) else None


def _anchor_of(text: str, written: str) -> str | None:
    """Return an anchor of a key."""
    return next((anchor for anchor, leaf in _anchors(text).items() if leaf.data == written.encode()), None)


def _item_after(text: str, last: Leaf, item: str, comment: str, *, above: str = "") -> Splice:
    line = text.rfind("\n", 0, last.start) + 1
    before = text[line : last.start]
    anchor = _ANCHOR.search(before)
    dash = _DASHES.match(before[: anchor.start()] if anchor else before)
    if dash is None and not re.search(r"-[ \t]+\Z", before):  # in brackets
        if "[" not in text[: last.start]:
            raise ConfigError("the list has a form that cannot be changed here")
        return Splice(last.end, last.end, f", {item}")
    column = before.rindex("-", 0, anchor.start() if anchor else None)
    end = text.find("\n", last.end)
    end = len(text) if end < 0 else end
    newline = "\r\n" if text[end - 1 : end] == "\r" else "\n"
    end -= len(newline) - 1
    lead = f"{newline}{' ' * column}"
    return Splice(end, end, f"{lead + above if above else ''}{lead}- {item}{comment}")


def _defined(text: str, source: Leaf, anchor: str, written: str) -> Splice | None:
    """Return the splice that defines a new anchor after the line of another one.  None if unclear."""
    start = text.rfind("\n", 0, source.start) + 1
    end = text.find("\n", source.end)
    end = len(text) if end < 0 else end
    before = re.fullmatch(
        r"([ \t]*(?:-[ \t]+|[^\s:#&-][^\n:#&]*:[ \t]+))&\S+[ \t]+", text[start : source.start]
    )
    if before is None or not re.fullmatch(r"[ \t]*(?:#[^\n]*|\r)?", text[source.end : end]):
        return None
    lead = before[1]
    if ":" in lead:
        lead = re.match(r"[ \t]*", lead)[0] + f"{anchor}: "  # type: ignore[index]
    newline = "\r\n" if text[end - 1 : end] == "\r" else "\n"
    end -= len(newline) - 1
    return Splice(end, end, f"{newline}{lead}&{anchor} {written}")


def _spliced(text: str, splices: Iterable[Splice]) -> str:
    """Make changes, which do not overlap."""
    parts: list[str] = []
    at = 0
    for each in sorted(splices, key=lambda each: each.start):
        parts += text[at : each.start], each.new
        at = each.end
    return "".join([*parts, text[at:]])


def _anchor_name(text: str, name: str) -> str:
    base = re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_") or "key"
    anchor, number = base, 2
    while re.search(rf"[&*]{re.escape(anchor)}(?![\w-])", text):
        anchor, number = f"{base}{number}", number + 1
    return anchor


def _comment(name: str) -> str:
    return " ".join(printable(name).split())


# --- removing ------------------------------------------------------------------------------------


def remove(text: str, key: MasterKey) -> str:
    """Return the configuration without a key: without its items, aliases, anchor and comment.

    Raises ConfigError if a rule or a key group would have no key left.
    """
    before = groups_of(text)
    wanted = [[[each for each in group if not same(each, key)] for group in groups] for groups in before]
    for number, groups in enumerate(wanted):
        if before[number] != groups and not all(groups):
            without = "a key group without" if len(groups) > 1 else "no"
            raise ConfigError(
                f"{spelled(number)} would have {without} recipient",
                hint="add another recipient first, or remove the rule",
            )
    result = text
    for _ in range(10_000):  # each round removes at least one place
        places = [leaf for leaf in _leaves(result) if leaf.type == "str" and _has(result, leaf, key)]
        if not places:
            break
        # Aliases come before what they stand for, and later places before earlier ones.
        aliases = [leaf for leaf in places if result[leaf.start] == "*"]
        try:
            result = _without(result, (aliases or places)[::-1], key)
        except (EmitError, ParseError) as error:
            raise ConfigError(f"the key cannot be removed: {error.message}", hint=_EDIT) from None
    else:
        raise ConfigError("the key is in too many places")
    if not text.endswith("\n"):
        result = re.sub(r"\r?\n\Z", "", result)
    return _checked(text, result, wanted, "the key cannot be removed without changing something else")


def same(one: MasterKey, other: MasterKey) -> bool:
    """Whether two keys are the same, whatever their comments."""
    return one == other or identity(one) == identity(other)


def _without(text: str, places: Iterable[Leaf], key: MasterKey) -> str:
    """Remove a key from at most one place of each rule and each other member, at once."""
    splices: dict[int, Splice] = {}
    drops: list[Path] = []
    changed: set[Path] = set()
    for leaf in places:
        scope = _scope(leaf.path)
        if scope not in changed:
            changed.add(scope)
            found = _removal(text, leaf, key)
            if isinstance(found, Splice):
                splices[found.start] = found
            else:
                drops.append(found)
    if splices:
        return _spliced(text, splices.values())
    return changes.drop(text, *drops, format="yaml", any_keys=True)


def _removal(text: str, leaf: Leaf, key: MasterKey) -> Splice | Path:
    raw = text[leaf.start : leaf.end]
    parts = _parts(leaf)
    if len(parts) > 1:
        if raw.startswith("*"):
            source = _anchored(text, raw[1:])
            if source is None:
                raise ConfigError(f"{raw} has a form that cannot be changed here")
            leaf, raw = source, text[source.start : source.end]
        left = _part_removed(raw, next(each for each in parts if _is(each, key)))
        return Splice(leaf.start, leaf.end, left)
    step = leaf.path[-1]
    if isinstance(step, int):
        return _item_removed(text, leaf)
    path = leaf.path
    if len(path) > 1 and isinstance(path[-2], int) and path[-3:-2] != (RULES,):  # ``- arn: …``
        path = path[:-1]
    return _dropped(text, path)


def _dropped(text: str, path: Path) -> Path:
    """Return the path to remove, which has no other lists and mappings that would be empty without it."""
    while len(path) > 1 and all(leaf.path[: len(path)] == path for leaf in _below(text, path[:-1])):
        path = path[:-1]
    return path


def _part_removed(raw: str, part: str) -> str:
    found = re.search(rf",\s*{re.escape(part)}(?=\s*(?:,|[\"']?\Z))", raw) or re.search(
        rf"{re.escape(part)}\s*,\s*", raw
    )
    if found is None:
        raise ConfigError("the key cannot be removed from its list")
    return raw[: found.start()] + raw[found.end() :]


def _item_removed(text: str, leaf: Leaf) -> Splice | Path:
    """Remove the line of an item with its comment, also one above that is only for it; or from brackets."""
    start = text.rfind("\n", 0, leaf.start) + 1
    end = text.find("\n", leaf.end) + 1 or len(text)
    before = text[start : leaf.start]
    if not re.fullmatch(r"[ \t]*-[ \t]+(?:&\S+[ \t]+)?", before) or not re.fullmatch(
        r"[ \t]*(?:#[^\n]*)?\r?\n?", text[leaf.end : end]
    ):
        return leaf.path
    siblings = _siblings(text, leaf)
    if len(siblings) == 1:
        return _dropped(text, leaf.path)
    above = _comment_above(text, leaf)
    if above is not None and all(_comment_above(text, each) is not None for each in siblings):
        start = above
    if end == len(text) and not text.endswith("\n"):  # the line break before it goes, too
        start -= 1 + text.endswith("\r\n", 0, start)
    return Splice(start, end, "")


# --- reading -------------------------------------------------------------------------------------


def _checked(text: str, result: str, wanted: list[list[list[MasterKey]]], complaint: str) -> str:
    """Return the result if its rules have exactly the wanted recipients.  Raises ConfigError."""
    try:
        found = groups_of(result)
    except EncconfError as error:
        raise ConfigError(f"{complaint}: {error.message}", hint=error.hint or _EDIT) from None
    if [[set(group) for group in groups] for groups in found] != [
        [set(group) for group in groups] for groups in wanted
    ]:
        raise ConfigError(
            f"{complaint}: rules share a list, or it has an unusual form",
            hint=_EDIT,
        )
    return result


@lru_cache(maxsize=2)
def _leaves(text: str) -> Sequence[Leaf]:
    return Yaml().scan(text, any_keys=True).leaves


@lru_cache(maxsize=2)
def _by_place(text: str) -> Mapping[Path, Sequence[Leaf]]:
    """Return the values below each rule, and below each other member."""
    found: dict[Path, list[Leaf]] = {}
    for leaf in _leaves(text):
        found.setdefault(_scope(leaf.path), []).append(leaf)
    return found


def _scope(path: Path) -> Path:
    return path[: 2 if path[:1] == (RULES,) else 1]


def _below(text: str, path: Path) -> Iterator[Leaf]:
    """Yield the values at and below a path."""
    whole = path in ((), (RULES,))
    leaves = _leaves(text) if whole else _by_place(text).get(_scope(path), ())
    return (leaf for leaf in leaves if leaf.path[: len(path)] == path)


def _siblings(text: str, leaf: Leaf) -> list[Leaf]:
    return [each for each in _below(text, leaf.path[:-1]) if len(each.path) == len(leaf.path)]


def _parts(leaf: Leaf) -> list[str]:
    said = leaf.data.decode("utf-8", "replace") if leaf.data else ""
    return [part for part in (part.strip() for part in said.split(",")) if part]


def _has(text: str, leaf: Leaf, key: MasterKey) -> bool:
    if text[leaf.start] == "*" and _anchored(text, text[leaf.start + 1 : leaf.end]) is None:
        return False  # an alias of a collection, whose own items count
    settings = TABLE[key.TYPE].settings
    if key.TYPE != "kms" and len(settings) > 1 and leaf.path[-1] == settings[0]:  # a mapping of several
        beside = {each.path[-1]: each for each in _siblings(text, leaf)}
        given = {name: beside[name].data or b"" for name in settings if name in beside}
        try:
            return same(master_key(key.TYPE, {name: data.decode() for name, data in given.items()}), key)
        except (EncconfError, UnicodeDecodeError):
            return False
    return any(_is(part, key) for part in _parts(leaf))


def _is(part: str, key: MasterKey) -> bool:
    return part == key.name or _identity(part) == identity(key)


@lru_cache(maxsize=10_000)
def _identity(part: str) -> str | None:
    try:
        return identity(key_of(part))
    except EncconfError:
        return None


def _written(key: MasterKey) -> str:
    """Return a key as the text of a rule's member."""
    return key.name


def _as_item(key: MasterKey) -> object:
    """Return a key as an item of a key group: a text, or a mapping of settings."""
    row = TABLE[key.TYPE]
    if not row.settings:
        return key.name
    entry = key.to_entry()
    pairs = zip(row.settings, row.fields, strict=False)
    return {setting: entry[field] for setting, field in pairs if field != CONTEXT and entry.get(field)}


def _anchored(text: str, anchor: str) -> Leaf | None:
    """Return the value with an anchor."""
    return _anchors(text).get(anchor)


@lru_cache(maxsize=2)
def _anchors(text: str) -> dict[str, Leaf]:
    """Return the values that have anchors."""
    found: dict[str, Leaf] = {}
    for leaf in _leaves(text):
        if anchor := _ANCHOR.search(text, max(leaf.start - 300, 0), leaf.start):
            found.setdefault(anchor[1], leaf)
    return found


def _definition(text: str, anchor: str) -> Path | None:
    """Return the path of the collection with an anchor."""
    found = re.search(rf"&{re.escape(anchor)}(?=\s)", text)
    if found is None:
        return None
    after = next((leaf for leaf in _leaves(text) if leaf.start > found.end()), None)
    return after.path[:-1] if after is not None else None


def _is_item(text: str, leaf: Leaf) -> bool:
    """Whether an alias is an item of a block list, and not the whole member."""
    line = text.rfind("\n", 0, leaf.start) + 1
    return _DASHES.match(text[line : leaf.start]) is not None or "[" in text[line : leaf.start]


def _size(inside: Sequence[Leaf], place: Path) -> int:
    return 1 + max(step for leaf in inside if isinstance(step := leaf.path[len(place)], int))


def spelled(number: int) -> str:
    """Return the name of a rule in messages."""
    return spell((RULES, number))
