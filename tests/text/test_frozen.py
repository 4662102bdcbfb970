"""A scan is read-only: nothing that takes a document changes it, so its hash stays the same."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path as File
from typing import Any

import pytest
from engine import credentials, rule
from oracle import AgeKey

from encconf import api, formats
from encconf.engine import changes, layout, loading, opening, plaintext, reuse, sealing
from encconf.engine.metadata import Metadata
from encconf.errors import EmitError
from encconf.formats import emit
from encconf.git.merge import differences
from encconf.merge import merge
from encconf.rules.selection import Selection
from encconf.text.document import Document, Scope, content_of
from encconf.text.path import Path
from encconf.verbs import files, rekey

# What remembers a result, and says nothing else about the text.
MEMOS = {"habits", "_leaves", "_outline"}

TEXTS = {
    "yaml": (
        "# top\na: &x one\nb: *x\nm: &m\n  k: 0x10\n  t: !!str 5\n<<: *m\nl:\n- # c\n  - 1.50\n"
        "- {f: [1, 'x']}\n"
        "block: |4+\n      odd\n\nlast: >\n  folded\n  text\n---\nz: 1\n"
    ),
    "json": '{"a": 1.50, "b": [true, null, -0, {"c": "\\u00e9"}], "d": {}}\n',
    "toml": 'a = "x"\nn = 0x10 # c\nd = 2024-01-01\n[t]\nl = [1, "null", """\nx"""]\n[[s]]\nk.i = {z = 1}\n',
    "ini": "top = 1\n; c\n[s]\nk = v # i\nq = 'a b'\n[s2]\nm = a\\\n b\n",
    "dotenv": "# c\nA=1\nexport B='x y'\nC=\"two\nlines\"\nA=2\n",
    "binary": "any\ttext\n",
}

PATHS: dict[str, Path] = {
    "yaml": ("block",),
    "json": ("a",),
    "toml": ("a",),
    "ini": ("s", "k"),
    "dotenv": ("C",),
}


def hash_of(document: Document) -> str:
    """A hash of all that a scan has."""
    out = hashlib.sha256()
    seen: dict[int, int] = {}

    def put(value: Any) -> None:
        if value is None or isinstance(value, (str, bytes, int, bool)):
            out.update(repr(value).encode("utf-8", "surrogateescape") + b";")
            return
        if id(value) in seen:
            out.update(b"@%d;" % seen[id(value)])
            return
        seen[id(value)] = len(seen)
        out.update(type(value).__name__.encode() + b"(")
        if isinstance(value, dict):
            for key, item in value.items():
                put(key)
                put(item)
        elif isinstance(value, (list, tuple)):
            for item in value:
                put(item)
        else:
            slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
            for name in slots:
                if name not in MEMOS:
                    put(getattr(value, name))
        out.update(b")")

    put(document)
    return out.hexdigest()


@pytest.fixture(autouse=True)
def scans(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[Document, str]]]:
    """Every document that is scanned during a test, with its hash.  None may be another one afterwards."""
    found: list[tuple[Document, str]] = []

    def watched(scan: Callable[..., Document]) -> Callable[..., Document]:
        def call(*args: Any, **options: Any) -> Document:
            document = scan(*args, **options)
            found.append((document, hash_of(document)))
            return document

        return call

    for name in formats.NAMES:
        format = type(formats.get(name))
        monkeypatch.setattr(format, "scan", watched(format.scan))
    yield found
    assert found
    for document, before in found:
        assert hash_of(document) == before, f"{document.format}: {document.text[:60]!r}"


def test_the_hash_sees_every_change() -> None:
    for format, text in TEXTS.items():
        document = formats.get(format).scan(text, comments=True)
        before = hash_of(document)
        for leaf in document.leaves:
            for name in ("type", "data", "start", "end", "style", "step"):
                was = getattr(leaf, name)
                setattr(leaf, name, b"changed")
                assert hash_of(document) != before
                setattr(leaf, name, was)
            scope = leaf.scope
            leaf.scope = Scope()
            assert hash_of(document) != before
            leaf.scope = scope
        for comment in document.comments:
            was, comment.text = comment.text, "changed"
            assert hash_of(document) != before
            comment.text = was
            scope, comment.scope = comment.scope, Scope()
            assert hash_of(document) != before
            comment.scope = scope
        assert hash_of(document) == before


@pytest.mark.parametrize("format", TEXTS)
def test_public_functions(format: str, age_key: AgeKey, tmp_path: File) -> None:
    creds = credentials(age_key)
    text = TEXTS[format]
    sealed = api.encrypt(text, rule(age_key), format=format, credentials=creds)
    assert api.decrypt(sealed, format=format, credentials=creds) == text
    api.inspect(sealed, format=format)
    again = text.replace("one", "two").replace("1.50", "2.50").replace('"x"', '"y"')
    api.encrypt(again, format=format, twin=sealed, credentials=creds)
    if format != "binary":
        api.loads_all(sealed, format=format, credentials=creds)
        api.loads_all(sealed, format=format, credentials=creds, mask=True)
        file = tmp_path / f"x.{format}"
        file.write_text(sealed)
        if format != "yaml":  # the YAML text has two documents
            api.load_config(file, format=format, credentials=creds, mask=True)


@pytest.mark.parametrize("format", TEXTS)
def test_the_engine_and_the_verbs(format: str, age_key: AgeKey) -> None:
    creds, text = credentials(age_key), TEXTS[format]
    sealed = api.encrypt(text, rule(age_key), format=format, credentials=creds)
    opened = opening.open_text(sealed, format=format, credentials=creds)
    assert plaintext.plain_text(opened) == text
    plaintext.plain_text(opened, layout=False)
    plaintext.moved_document(opened)
    opened.trees()
    opened.with_texts({0: "from elsewhere"}).trees()
    for target in formats.NAMES:
        try:
            files.converted(opened, target)
        except EmitError:  # this format cannot hold the values
            continue
    document = formats.get(format).scan(text, comments=True)
    content_of(document)
    emit.trees_of(document)
    sealing.encrypt(document, rule(age_key), format=format, twin=opened, credentials=creds)
    reuse.reused_leaves([opened], document, formats.get(format))
    final = formats.get(format).scan(sealed, comments=True)
    assert sealing.comes_back(final, text, opened.data_key)
    record = plaintext.open_layout(opened)
    assert record is None or layout.Layout.unpack(record) is not None
    plan = rekey.plan(sealed, rule(age_key), format=format)
    assert not plan.changes
    assert plan.reselection.exposed == []
    if format == "binary":
        return
    loading.open_values(sealed, format, creds, None)
    if format != "yaml":  # the YAML text has two documents
        loading.open_to_edit(sealed, format, None, creds)
    loading.values_of(opened, {0: "from elsewhere"}, lambda value: value)
    path = PATHS[format]
    changes.change(opened, (path, "new"), credentials=creds)
    changes.change(opened, (path, changes.REMOVED), credentials=creds)
    assert merge(text, text.replace("1", "3"), text, format=format).text
    assert differences(opened, opened) == []


def test_a_selection_that_depends_on_comments(age_key: AgeKey) -> None:
    creds = credentials(age_key)
    text = "# enc\na: 1\nb: 2\n"
    by_comments = rule(age_key, selection=Selection("encrypted_comment_regex", "enc"))
    sealed = api.encrypt(text, by_comments, credentials=creds)
    document = formats.get("yaml").scan(sealed, comments=True)
    Metadata.of(document).selection.choose(document)
    assert api.decrypt(sealed, credentials=creds) == text


def test_plaintext_numbers_of_an_older_sops_and_values_added_by_hand(age_key: AgeKey) -> None:
    creds = credentials(age_key)
    sealed = api.encrypt("a: one\n", rule(age_key), credentials=creds)
    text = sealed.replace("sops:\n", "added: by hand\nsops:\n")
    changes.open_with_plain_values(text, format="yaml", credentials=creds)
