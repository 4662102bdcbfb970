"""What aliases stand for: copies under their own paths, and the limits on them."""

from __future__ import annotations

import pytest

from encconf import formats
from encconf.errors import LimitError
from encconf.formats.yaml_events import MAX_ALIASED_SIZE, Aliases, Anchor, Unfolded
from encconf.text.document import MAX_DENSE, MAX_DEPTH, Document, Leaf, Scope

yaml = formats.get("yaml")


def leaf(data: bytes) -> Leaf:
    return Leaf(Scope(), "k", 0, 0, "", "str", data)


def test_what_an_anchor_holds() -> None:
    scope = Scope(listed=True)
    items: list[Scope | Leaf] = [leaf(b"before")]
    anchor = Anchor(None, scope, items, [])
    assert anchor.open
    inside = [leaf(b"abc"), scope.inside(0), scope.inside(1, listed=True), leaf(b"d")]
    items += inside
    anchor.close()
    items.append(leaf(b"behind"))
    assert not anchor.open
    assert anchor.height == 2
    assert anchor.inside[0] == inside
    assert anchor.size == 4 + 2 * len(".k") + 2
    assert Anchor(leaf(b"abc")).size == 3


def test_the_size_of_all_aliases() -> None:
    aliases = Aliases()
    half = Anchor(leaf(b"x" * (MAX_ALIASED_SIZE // 2)))
    aliases.add(half)
    aliases.add(half)
    with pytest.raises(LimitError, match="16 MiB"):
        aliases.add(Anchor(leaf(b"x")))


def collection(count: int, height: int = 1) -> Anchor:
    """An anchored list of words."""
    scope = inner = Scope(listed=True)
    items: list[Scope | Leaf] = []
    anchor = Anchor(None, scope, items, [])
    for _ in range(height - 1):
        inner = inner.inside(0, listed=True)
        items.append(inner)
    items += [Leaf(inner, at, 0, 0, "", "str", b"v") for at in range(count)]
    anchor.close()
    return anchor


def unfold(anchor: Anchor, depth: int, aliases: Aliases | None = None) -> tuple[Document, Scope]:
    document, root = Document("*a", formats.get("yaml")), Scope()
    alias = Leaf(root, "copy", 0, 2, "*", "", None)
    (aliases or Aliases()).unfold(document, anchor, alias, document.items, depth)
    return document, root


def test_a_copy_has_its_own_path() -> None:
    anchor = collection(2)
    document, _ = unfold(anchor, 1)
    assert [copy.path for copy in document.leaves] == [("copy", 0), ("copy", 1)]
    assert document.outline == ["[copy", "-", "-", "}"]
    note = document.leaves[1].note
    assert isinstance(note, Unfolded)
    assert note.source is anchor.inside[0][1]
    assert note.root.path == ("copy",)


def test_limits_are_known_before_anything_is_added() -> None:
    aliases = Aliases()
    unfold(collection(MAX_DENSE - 1), 1, aliases)
    with pytest.raises(LimitError, match="values"):
        unfold(collection(1), 1, aliases)
    unfold(collection(1, height=5), MAX_DEPTH - 5)
    with pytest.raises(LimitError, match="deeper"):
        unfold(collection(1, height=6), MAX_DEPTH - 5)


def test_merge_keys_and_collections_inside() -> None:
    text = "a: &a\n  b: &b {c: 1}\n  d:\n    <<: *b\n    e: [x]\nf: *a\n"
    document = yaml.scan(text)
    assert [found.path for found in document.leaves] == [
        ("a", "b", "c"), ("a", "d", "<<", "c"), ("a", "d", "e", 0),
        ("f", "b", "c"), ("f", "d", "<<", "c"), ("f", "d", "e", 0),
    ]  # fmt: skip
    assert [scope.path for scope in document.merges] == [("a", "d"), ("f", "d")]
    assert formats.get("yaml").load_plain(text)[0]["f"] == {"b": {"c": 1}, "d": {"c": 1, "e": ["x"]}}
