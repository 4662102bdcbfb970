"""The plain text of an opened one, and its document without a scan of it."""

from __future__ import annotations

import engine
import generate
import pytest
from engine import credentials, rule
from oracle import FIXTURES, AgeKey

from encconf import api, formats
from encconf.engine import changes, opening, plaintext
from encconf.errors import EncconfError
from encconf.text.document import content_of

GENERATED = {
    "yaml": generate.yaml_text,
    "json": generate.json_text,
    "toml": generate.toml_text,
    "dotenv": generate.dotenv_text,
    "ini": generate.ini_text,
}


@pytest.mark.parametrize("format", GENERATED)
def test_the_moved_document_is_what_a_scan_finds(format: str, age_key: AgeKey) -> None:
    creds = credentials(age_key)
    count = 0
    for seed in range(60):
        text = GENERATED[format](seed)
        try:
            sealed = api.encrypt(text, rule(age_key), format=format, credentials=creds)
        except EncconfError:
            continue
        opened = opening.open_text(sealed, format=format, credentials=creds)
        moved = plaintext.moved_document(opened)
        if moved is None:
            continue
        found = formats.get(format).scan(text)
        assert moved.text == text
        assert [(leaf.start, leaf.end) for leaf in moved.leaves] == [
            (leaf.start, leaf.end) for leaf in found.leaves
        ]
        assert [scope.places for scope in moved.scopes] == [scope.places for scope in found.scopes]
        assert content_of(moved) == content_of(found)
        count += 1
    assert count >= 2


CHANGED = {
    "yaml": ('a: x # c\nb: "q"\nc: |-\n  one\n  two\nd:\n  - 1\n  - true\n', ("c",)),
    "json": ('{"a": "x", "b": {"c": [1, true, null, "é"]}}\n', ("b", "c", 1)),
    "toml": ("a = \"x\"\n[b] # c\nc = 'q'\nd = 5\n", ("b", "c")),
    "dotenv": ("# one\nA=x\nB=a b # c\nC=\n", ("B",)),
    "ini": ("a = x\n[b]\n; c\nc = q\ne = f\n", ("b", "c")),
    "ini again": ("[b]\nc = x\n[d]\ne = f\n[b]\ng = y\n", ("b", "c")),
}


@pytest.mark.parametrize("case", CHANGED)
def test_a_change_is_the_same_in_the_moved_document(case: str, age_key: AgeKey) -> None:
    text, path = CHANGED[case]
    format = case.partition(" ")[0]
    creds = credentials(age_key)
    sealed = api.encrypt(text, rule(age_key), format=format, credentials=creds)
    assert plaintext.moved_document(opening.open_text(sealed, format=format, credentials=creds)) is not None
    done = engine.change(sealed, format, (path, "new"), credentials=creds)
    plain = api.decrypt(done, format=format, credentials=creds)
    assert plain == changes.put(text, path, "new", format=format) != text
    done = engine.change(sealed, format, (path, changes.REMOVED), credentials=creds)
    assert api.decrypt(done, format=format, credentials=creds) == changes.drop(text, path, format=format)


@pytest.mark.parametrize(
    ("format", "text"),
    [
        *(
            ("yaml", text)
            for text in (
                "{}\n",
                "--- {}\n",
                "# c\n{}\n# d\n",
                "a: x\n---\n{}\n---\nb: z\n",
                "---\n---\na: 1\n",
            )
        ),
        *(("json", text) for text in ("{}", "{\n}\n")),
        *((format, text) for format in ("toml", "dotenv") for text in ("", "# c\n")),
    ],
)
def test_the_first_value_of_an_empty_document(format: str, text: str, age_key: AgeKey) -> None:
    creds = credentials(age_key)
    sealed = api.encrypt(text, rule(age_key), format=format, credentials=creds)
    assert plaintext.moved_document(opening.open_text(sealed, format=format, credentials=creds)) is not None
    done = engine.change(sealed, format, (("k",), "v"), credentials=creds)
    assert api.decrypt(done, format=format, credentials=creds) == changes.put(
        text, ("k",), "v", format=format
    )


def test_a_file_with_comments_among_the_items_of_a_list_is_scanned() -> None:
    """So does sops store them."""
    creds = credentials(AgeKey.load(FIXTURES / "keys" / "alice.txt"))
    sealed = (FIXTURES / "sops" / "comments.enc.yaml").read_text()
    plain = api.decrypt(sealed, credentials=creds)
    path = next(leaf.path for leaf in formats.get("yaml").scan(plain).leaves if leaf.type == "str")
    assert plaintext.moved_document(opening.open_text(sealed, format="yaml", credentials=creds)) is None
    done = engine.change(sealed, "yaml", (path, "new"), credentials=creds)
    assert api.decrypt(done, credentials=creds) == changes.put(plain, path, "new", format="yaml")


def test_where_sops_stores_integers_as_floats_the_text_is_scanned(age_key: AgeKey) -> None:
    creds = credentials(age_key)
    sealed = api.encrypt('{"a": 5.0, "b": "x"}\n', rule(age_key), format="json", credentials=creds)
    older = sealed.replace('"version": "3.13', '"version": "3.12')
    assert older != sealed
    text = api.decrypt(older, format="json", credentials=creds)
    assert text == '{"a": 5, "b": "x"}\n'
    done = engine.change(older, "json", (("b",), "y"), credentials=creds)
    assert '"a": 5' in api.decrypt(done, format="json", credentials=creds)
    assert '"b": "y"' in api.decrypt(done, format="json", credentials=creds)


@pytest.mark.parametrize("before", [" '", "\t'", '\t"'])
def test_a_value_that_begins_with_a_quote_behind_a_blank_is_scanned(before: str, age_key: AgeKey) -> None:
    creds = credentials(age_key)
    sealed = api.encrypt(f"A={before}x{before[-1]}\nB=y\n", rule(age_key), format="dotenv", credentials=creds)
    opened = opening.open_text(sealed, format="dotenv", credentials=creds)
    assert plaintext.moved_document(opened) is None


def test_a_masked_file_has_its_layout_and_none_of_its_values(age_key: AgeKey) -> None:
    creds = credentials(age_key)
    text = "# who: x\na:   secret\nb_unencrypted:\n  # plain\n  c: 1\nd: [2, null, '']\n"
    sealed = api.encrypt(text, rule(age_key), format="yaml", credentials=creds)
    masked = plaintext.masked(opening.open_text(sealed, format="yaml", credentials=creds), "***")
    assert plaintext.plain_text(masked) == (
        "# ***\na:   '***'\nb_unencrypted:\n  # plain\n  c: 1\nd: [\"***\", null, '']\n"
    )
    creds = credentials(AgeKey.load(FIXTURES / "keys" / "alice.txt"))
    sealed = (FIXTURES / "sops" / "comments.enc.yaml").read_text()
    masked = plaintext.masked(opening.open_text(sealed, format="yaml", credentials=creds), "***")
    shown = plaintext.plain_text(masked)
    assert shown.count("type:comment]") == 4, "comments that sops stores as items of a list"
    assert shown.count("'***'") == 7
    assert not [secret for secret in ("app", "hunter2", "licence") if secret in shown]
