"""One change to an encrypted text: set or unset a value, replace all of it, other keys, other groups.

Text in, text out, on top of `encconf.api`; what each verb means is as in sops 3.13.3 (sops.go: Set,
Unset; rotate.go, updatekeys.go, groups) unless it says otherwise.  A change keeps every byte it is
not about, and every ciphertext; the result of `set_value` and `unset` is read again and compared with
what was meant.
"""

from __future__ import annotations

from encconf import api, formats
from encconf.engine.admission import in_full, rule_of
from encconf.engine.cipher import PREFIX
from encconf.engine.metadata import Metadata
from encconf.engine.plan import Plan
from encconf.envelope.data_key import open_data_key, wrap_again
from encconf.errors import (
    AlreadyEncryptedError,
    ClearTextError,
    ConfigError,
    EmitError,
    EmptyDocumentError,
    EncconfError,
    MacError,
    MacMismatchError,
    PathBlockedError,
    PathNotFoundError,
    UnmergedError,
)
from encconf.formats import goyaml
from encconf.formats.plain import drop_plain, missing, put_plain, settled
from encconf.identities.credentials import Credentials
from encconf.rules.config import Rule
from encconf.rules.selection import Chosen
from encconf.text import tree as tree_of_text
from encconf.text.document import Document, Leaf, says, splice
from encconf.text.path import spell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from encconf.api import Opened
    from encconf.formats import Writing
    from encconf.keys import MasterKey
    from encconf.rules.selection import Selection
    from encconf.text.path import Path
    from encconf.text.tree import Plain

    Notify = Callable[[str], None]
    Check = Callable[[str, str], None]  # is given the plain text before and after, and raises

_NAMED = 20  # paths in one message


REMOVED: Any = object()
"""In a list of changes: the value is removed."""


# --- values --------------------------------------------------------------------------------------


def tree(document: Document) -> Any:
    """The first document's values as dicts and lists, with a `Leaf` for each single value."""
    from encconf.formats.emit import trees_of

    return trees_of(document)[0][0]


def find(node: Any, path: Path) -> Any:
    """What stands at a path of a `tree`.

    Raises PathNotFoundError, which names the keys that are there: they are not secret.
    """
    for at, step in enumerate(path):
        here = spell(path[: at + 1])
        if isinstance(node, dict):
            if step not in node:
                raise _no_key(node, step, here)
            node = node[step]
        elif isinstance(node, list) and isinstance(step, int):
            if not -len(node) <= step < len(node):
                raise PathNotFoundError(f"there is nothing at {here}: the list has {len(node)} items")
            node = node[step]
        else:
            what = "a list" if isinstance(node, list) else "a single value"
            raise PathBlockedError(f"there is nothing at {here}: {spell(path[:at])} is {what}")
    return node


def _no_key(node: dict[str, object], step: str | int, here: str) -> PathNotFoundError:
    from difflib import get_close_matches

    if isinstance(step, int):
        return PathNotFoundError(f"there is nothing at {here}: a mapping has keys, no indexes")
    close = get_close_matches(step, node, 1)
    keys = ", ".join(spell([key]) for key in list(node)[:8]) + (", …" if len(node) > 8 else "")
    hint = f"did you mean: {spell([close[0]])}" if close else f"the keys there are: {keys}" if keys else None
    return PathNotFoundError(f"there is nothing at {here}", hint=hint)


@api.bounded
def set_value(
    text: str,
    path: Path,
    value: Plain,
    *,
    format: str,
    keep_type: bool = False,
    credentials: Credentials | None = None,
    ignore_mac: bool = False,
    check: Check | None = None,
    notify: Notify | None = None,
) -> str:
    """An encrypted text with a value at a path, in the place of what is there or as a new last entry.

    With ``keep_type`` a string that spells a number or a boolean becomes one where one stands.
    ``check`` is given the plain text before and after, and may raise.  The same text comes back
    when the value is there already.  With ``ignore_mac`` the file gets a new data key.

    Raises PathNotFoundError for a path that cannot be, EmitError for a value that the format cannot
    hold there, and whatever opening and encrypting raise.
    """
    opened = api.open_text(text, format=format, credentials=credentials, ignore_mac=ignore_mac, notify=notify)
    before = api.text_to_change(opened)
    if keep_type and isinstance(value, str):
        value = _as_before(opened, path, value)
    after = put(before, path, value, format=format)
    return _again(opened, before, after, credentials, ignore_mac, check, notify)


@api.bounded
def unset(
    text: str,
    path: Path,
    *,
    format: str,
    credentials: Credentials | None = None,
    ignore_mac: bool = False,
    notify: Notify | None = None,
) -> str:
    """An encrypted text without what stands at a path; raises PathNotFoundError, and as `set_value`."""
    opened = api.open_text(text, format=format, credentials=credentials, ignore_mac=ignore_mac, notify=notify)
    before = api.text_to_change(opened)
    after = drop(before, path, format=format)
    return _again(opened, before, after, credentials, ignore_mac, None, notify)


@api.bounded
def change(
    text: str,
    operations: Sequence[tuple[Path, Any]],
    *,
    format: str,
    credentials: Credentials | None = None,
    check: Callable[[str, str, Selection], None] | None = None,
    notify: Notify | None = None,
) -> str:
    """An encrypted text with several values set or removed: (path, value), or (path, `REMOVED`).

    ``check`` gets the plaintext before and after and the file's selection.  Raises as `set_value`.
    """
    opened = api.open_text(text, format=format, credentials=credentials, notify=notify)
    before = after = api.text_to_change(opened)
    for path, value in operations:
        if value is REMOVED:
            after = drop(after, path, format=format)
        else:
            after = put(after, path, value, format=format)
    if check is not None:
        check(before, after, opened.metadata.selection)
    return _again(opened, before, after, credentials, False, None, notify)


@api.bounded
def update(
    text: str,
    plain: str,
    *,
    format: str,
    credentials: Credentials | None = None,
    check: Check | None = None,
    notify: Notify | None = None,
) -> str:
    """An encrypted text with another plain text in it; what did not change keeps its ciphertext."""
    opened = api.open_text(text, format=format, credentials=credentials, notify=notify)
    return _again(opened, api.plain_text(opened), plain, credentials, False, check, notify)


def put(text: str, path: Path, value: Plain, *, format: str) -> str:
    """A plain text with a value at a path; raises as `set_value`."""
    if path[:1] == ("sops",):
        raise AlreadyEncryptedError(
            'the name "sops" is taken: the keys of the file stand under it', hint="choose another name"
        )
    writing = formats.writing(format)
    writing.check(path, value)
    document = _scanned(text, format)
    before = _said(document)
    path = settled(before, path)
    meant = put_plain(before, path, _stored(value, writing))
    whole = writing.tree(document)
    tree_of_text.put(writing.root(whole), path, value, writing)
    return _checked(whole.text, meant, format)


def drop(text: str, path: Path, *, format: str) -> str:
    """A plain text without the value at a path; raises as `unset`."""
    document = _scanned(text, format)
    if not path:
        raise missing(())
    before = _said(document)
    find(before, path)
    path = settled(before, path)
    meant = drop_plain(before, path)
    writing = formats.writing(format)
    whole = writing.tree(document)
    tree_of_text.drop(writing.root(whole), path, writing)
    return _checked(whole.text, meant, format)


def _checked(after: str, meant: object, format: str) -> str:
    """The text if it says what was meant, and nothing else."""
    try:
        said = _said(_scanned(after, format))
    except EncconfError:
        said = None
    if said != meant:
        raise EmitError(
            "the change cannot be made without changing something else",
            hint="an anchor and its aliases are in the way, perhaps; change it with: encconf edit FILE",
        )
    return after


def _scanned(text: str, format: str) -> Document:
    """The text's document; one without trees for no text at all."""
    try:
        return formats.module(format).scan(text)
    except EmptyDocumentError:
        return Document(text, format)


def _said(document: Document) -> Any:
    """What the first document says."""
    trees = says(document)
    return trees[0] if trees else {}


def _stored(value: Plain, writing: Writing) -> Any:
    """What sops stores for a value."""
    if isinstance(value, dict):
        return {key: _stored(item, writing) for key, item in value.items()}
    if isinstance(value, list):
        return [_stored(item, writing) for item in value]
    return writing.stored(value)


def _as_before(opened: Opened, path: Path, value: str) -> Plain:
    """The value as a number or boolean if one stands there and it spells one."""
    try:
        old = find(tree(opened.document), path)
    except PathNotFoundError:
        return value
    if not isinstance(old, Leaf) or old.type not in ("int", "float", "bool"):
        return value
    try:
        type, data = goyaml.resolve(value, None, True)
        new = goyaml.parse(type, data) if data is not None else None
    except EncconfError:
        return value
    if type == old.type or (type == "int" and old.type == "float"):
        return new if isinstance(new, (bool, int, float)) and new - new == 0 else value
    return value


def _again(
    opened: Opened,
    before: str,
    after: str,
    credentials: Credentials | None,
    ignore_mac: bool,
    check: Check | None,
    notify: Notify | None,
) -> str:
    document = opened.document
    if after == before and not ignore_mac:
        return document.text
    if check is not None:
        check(before, after)
    rule = rule_of(opened.metadata) if ignore_mac else None
    return api.encrypt(
        after,
        rule,
        format=document.format,
        twin=opened,
        new_data_key=ignore_mac,
        credentials=credentials,
        notify=notify,
    )


def left_in_clear(
    before: str, after: str, *, format: str, file: Selection, rule: Selection
) -> list[tuple[str | int, ...]]:
    """The paths of new or changed values that a file leaves in clear, and its rule wants encrypted.

    ``file`` is the selection that the encrypted file was made with, ``rule`` what .sops.yaml says now.
    """
    if file.kind == rule.kind and file.pattern == rule.pattern:
        return []
    module = formats.module(format)
    document = module.scan(after, comments=file.needs_comments or rule.needs_comments)
    known = {(leaf.path, leaf.data) for leaf in module.scan(before).leaves} if before.strip() else set()
    chosen = zip(document.leaves, file.choose(document).leaves, rule.choose(document).leaves, strict=True)
    return [
        leaf.path
        for leaf, by_file, by_rule in chosen
        if by_rule and not by_file and leaf.data and (leaf.path, leaf.data) not in known
    ]


# --- plaintext in an encrypted file --------------------------------------------------------------


def open_with_plain_values(
    text: str,
    *,
    format: str,
    credentials: Credentials | None = None,
    ignore_mac: bool = False,
    notify: Notify | None = None,
) -> tuple[Opened, list[Path]]:
    """Open a file into which somebody wrote values in plaintext, and where they are.

    The MAC must fit the file without them: then nothing else was changed.  That holds for values that
    were added; one that replaced an encrypted value needs ``ignore_mac``.  Raises MacMismatchError
    otherwise, and what `encconf.api.open_text` raises.
    """
    document = formats.module(format).scan(text, comments=True)
    chosen = Metadata.of(document).selection.choose(document).leaves
    paths = [
        leaf.path
        for leaf, is_chosen in zip(document.leaves, chosen, strict=True)
        if is_chosen and leaf.data and not leaf.data.startswith(PREFIX.encode())
    ]
    credentials = credentials or Credentials.from_env()
    if not ignore_mac:
        try:
            rest = text
            for path in _tops(document, set(paths)):
                rest = drop(rest, path, format=format)
            api.open_text(rest, format=format, credentials=credentials)
        except (MacError, EmitError, PathNotFoundError):
            named = ", ".join(map(spell, paths[:_NAMED]))
            raise MacMismatchError(
                f"plaintext at {named}, and the MAC does not fit the rest: values were replaced or changed",
                hint="compare it with an older version; encconf edit --ignore-mac FILE takes it as it is",
            ) from None
    opened = api.open_text(
        text, format=format, credentials=credentials, ignore_mac=True, accept_plain=True, notify=notify
    )
    return opened, paths


def _tops(document: Document, plain: set[Path]) -> list[Path]:
    """The outermost paths that hold nothing but such plain values, the last one first."""
    kept: set[Path] = set()
    for leaf in document.leaves:
        if leaf.path not in plain:
            kept |= {leaf.path[:end] for end in range(len(leaf.path))}
    tops = [
        next(path[:end] for end in range(1, len(path) + 1) if path[:end] not in kept)
        for path in (leaf.path for leaf in document.leaves)
        if path in plain
    ]
    return list(dict.fromkeys(tops))[::-1]


# --- keys ----------------------------------------------------------------------------------------


def plan(
    text: str,
    groups: list[list[MasterKey]],
    threshold: int | None,
    *,
    format: str,
    selection: Selection | None = None,
    allow_plaintext: bool = False,
) -> Plan:
    """What it means to give a file other groups of keys; with ``selection``, other values to encrypt.

    Raises NotEncryptedError, MetadataError, ParseError, ConfigError for an empty group; ClearTextError,
    unless ``allow_plaintext`` is set, for a selection that puts encrypted values into plaintext.
    """
    document = formats.scan_encrypted(text, formats.module(format), comments=selection is not None)
    metadata = Metadata.of(document)
    for group in groups:
        if not group:
            raise ConfigError("empty key group provided", hint="name at least one key for it")
    rule = Rule(groups, threshold or None, selection or metadata.selection, "")
    wanted = Plan(document, metadata, rule, selection is not None)
    if wanted.reselects and not allow_plaintext:
        _refuse_exposed(wanted)
    return wanted


def _refuse_exposed(wanted: Plan) -> None:
    """Raise ClearTextError where the plan would put encrypted values or comments into plaintext."""
    found = wanted.outcome
    if not found.exposed and not found.comments:
        return
    named = [spell(leaf.path) for leaf in found.exposed[:_NAMED]]
    if len(found.exposed) > _NAMED:
        named.append(f"{len(found.exposed) - _NAMED} more values")
    if found.comments:
        named.append(f"{found.comments} comment{'s' if found.comments > 1 else ''}")
    own = " and ".join(f"{name}: {value}" for name, value in wanted.metadata.selection.to_entries().items())
    raise ClearTextError(
        f"the rule's selection would put encrypted values into plaintext: {', '.join(named)}",
        hint=f"to keep them encrypted, put the file's own selection into the rule: {own}",
    )


def plan_rotation(
    text: str,
    *,
    format: str,
    add: Sequence[MasterKey] = (),
    remove: Sequence[MasterKey] = (),
    notify: Notify | None = None,
) -> Plan:
    """What it means to give a file a new data key, and keys added to its first group, or gone.

    Raises as `with_keys`, NotEncryptedError, MetadataError, ParseError.
    """
    document = formats.scan_encrypted(text, formats.module(format))
    metadata = Metadata.of(document)
    return Plan(document, metadata, with_keys(rule_of(metadata), add, remove, notify=notify), anew=True)


def plan_addition(text: str, add: Sequence[MasterKey], *, format: str) -> Plan:
    """What it means to give a file more keys, in its first group."""
    metadata = Metadata.of(formats.module(format).scan(text))
    rule = with_keys(rule_of(metadata), add, ())
    return plan(text, rule.groups, rule.threshold, format=format)


def carry_out(
    wanted: Plan,
    *,
    rotate: bool = True,
    credentials: Credentials | None = None,
    ignore_mac: bool = False,
    notify: Notify | None = None,
) -> str:
    """The encrypted text with the planned keys.

    Where a key goes, or other values are to be encrypted, all is encrypted anew under a new data key:
    whoever is gone knows the old one.  Without ``rotate``, as in sops, and where keys only come, the data
    key stays, the values are not even decrypted, and the MAC is what it was.
    """
    credentials = credentials or Credentials.from_env()
    document, metadata = wanted.document, wanted.metadata
    renews = wanted.renews(rotate=rotate)
    if renews or wanted.reselects:
        if wanted.anew:
            credentials.audit("rotate", document.text)
        opened = api.open_text(
            document.text,
            format=document.format,
            credentials=credentials,
            ignore_mac=ignore_mac,
            notify=notify,
        )
        return api.encrypt(
            api.plain_text(opened),
            wanted.rule,
            format=document.format,
            twin=opened,
            new_data_key=renews,
            credentials=credentials,
            notify=notify,
        )
    if metadata.unmerged is not None:  # what a merge has left is bound to who could open it then
        raise UnmergedError(metadata.unmerged, hint="see to it with: encconf edit FILE")
    data_key = open_data_key(metadata.groups, metadata.threshold, credentials)
    opened = api.Opened(document, metadata, Chosen(bytearray(), bytearray()), data_key)
    module = formats.module(document.format)
    groups, threshold = wrap_again(
        data_key,
        metadata.groups,
        metadata.threshold,
        wanted.rule.groups,
        wanted.rule.threshold,
        credentials,
        api.lastmodified(),
    )
    renewed = Metadata(
        groups,
        threshold,
        metadata.selection,
        metadata.lastmodified,
        metadata.mac,
        metadata.layout,
        metadata.version,
        metadata.unknown,
    )
    result = splice(document.text, module.attach(document, module.render_block(renewed.to_block())))
    again = module.scan(result)
    if splice(result, module.detach(again)) != splice(document.text, module.detach(document)):
        raise EmitError("the keys cannot be changed without changing the text; nothing was written")
    return result


def rotate(
    text: str,
    *,
    format: str,
    add: Sequence[MasterKey] = (),
    remove: Sequence[MasterKey] = (),
    credentials: Credentials | None = None,
    ignore_mac: bool = False,
    notify: Notify | None = None,
) -> str:
    """An encrypted text with a new data key: `plan_rotation` and `carry_out` in one."""
    return carry_out(
        plan_rotation(text, format=format, add=add, remove=remove, notify=notify),
        credentials=credentials,
        ignore_mac=ignore_mac,
        notify=notify,
    )


def with_keys(
    rule: Rule, add: Sequence[MasterKey], remove: Sequence[MasterKey], *, notify: Notify | None = None
) -> Rule:
    """A rule with keys added to its first group and others taken out of all groups.

    Raises ConfigError when a group's last key would go; ``notify`` hears of keys that are not there.
    """
    groups = [list(group) for group in rule.groups] or [[]]
    groups[0] += [key for key in dict.fromkeys(add) if key not in groups[0]]
    gone = {(key.TYPE, key.name) for key in remove}
    left = [[key for key in group if (key.TYPE, key.name) not in gone] for group in groups]
    there = {(key.TYPE, key.name) for group in groups for key in group}
    for key in remove:
        if notify and (key.TYPE, key.name) not in there:
            notify(f"the file has no key {in_full(key)} that could be removed")
    if not all(left):
        raise ConfigError(
            "empty key group provided", hint="the last key of a group cannot go; delete the group"
        )
    return Rule(left, rule.threshold, rule.selection, rule.name)


def plan_group(text: str, group: list[MasterKey], threshold: int | None, *, format: str) -> Plan:
    """One more key group for a file; ``threshold`` None keeps the file's own, or needs all groups."""
    metadata = Metadata.of(formats.module(format).scan(text))
    groups = [*([wrapped.key for wrapped in each] for each in metadata.groups), list(dict.fromkeys(group))]
    return plan(text, groups, threshold or metadata.threshold or None, format=format)


def plan_without_group(text: str, index: int, threshold: int | None, *, format: str) -> Plan:
    """A file without one of its key groups, numbered from 0.

    Raises ConfigError where it would have none left, or fewer than the threshold says.
    """
    metadata = Metadata.of(formats.module(format).scan(text))
    groups = [[wrapped.key for wrapped in each] for each in metadata.groups]
    if not 0 <= index < len(groups):
        raise ConfigError(f"there is no key group {index}: the file has {len(groups)}, numbered from 0")
    del groups[index]
    if not groups:
        raise ConfigError("the only key group of a file cannot go", hint="add another one first")
    threshold = threshold or metadata.threshold
    if len(groups) < threshold:
        raise ConfigError(
            "removing this key group will make the Shamir threshold impossible to satisfy: "
            f"it is {threshold}, and {len(groups)} key groups are left",
            hint="set another: --shamir-secret-sharing-threshold NUMBER",
        )
    return plan(text, groups, threshold if len(groups) > 1 else None, format=format)
