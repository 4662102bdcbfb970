"""Merges by hand: what each mechanism decides, one small case each."""

from __future__ import annotations

import pytest

from encconf.merge import Merged, mark, marked, merge, size_for


@pytest.mark.parametrize(
    ("ours", "base", "theirs", "marked_text"),
    [
        ("a\n", "a\n", "a\n", "a\n"),
        ("a\nx\n", "a\n", "a\nx\n", "a\nx\n"),  # both have added the same
        ("x\ny\n", "", "x\ny\n", "x\ny\n"),
        ("x\n", "b\n", "x\n", "<<x\n||b\n==x\n>>"),  # so that all three can be taken whole
        ("a\nx\n", "a\n", "a\ny\n", "a\n<<x\n||==y\n>>"),
        ("a\nb\nx\n", "a\nb\n", "a\n", "a\n<<b\nx\n||b\n==>>"),
        ("a\nx\n", "a\nb\n", "a\ny\n", "a\n<<x\n||b\n==y\n>>"),
        # Each place is that of its own text, whatever came before it.
        (
            "a\n1\n2\n3\nc\nX\ne\n",
            "a\nb\nc\nd\ne\n",
            "a\nc\nY\nZ\ne\n",
            "a\n<<1\n2\n3\n||b\n==>>c\n<<X\n||d\n==Y\nZ\n>>e\n",
        ),
        ("0\na\nx\n", "a\nb\n", "a\ny\n", "<<0\n||==>>a\n<<x\n||b\n==y\n>>"),
        ("a\nx\n", "b\nx\n", "c\nx\n", "<<a\n||b\n==c\n>>x\n"),
        ("a\n", "a\nb\n", "a\nb\ny\n", "a\n<<||b\n==b\ny\n>>"),
        ("a\nx\ny", "a\nb\n", "a\nz\n", "a\n<<x\ny\n||b\n==z\n>>"),
        ("a\nx", "a\nb", "a\ny", "a\n<<x\n||b\n==y\n>>"),  # without a line break at the end
    ],
)
def test_what_is_at_odds_is_between_markers(ours: str, base: str, theirs: str, marked_text: str) -> None:
    text, size = mark(Merged(ours, base, theirs, []))
    assert size == 7
    for sign, label in (("<", "ours"), ("|", "base"), (">", "theirs")):
        text = text.replace(f"{sign * 7} {label}\n", sign * 2)
    assert text.replace("=======\n", "==") == marked_text


@pytest.mark.parametrize("size", [7, 8, 9])
@pytest.mark.parametrize("sign", "<|=>")
def test_markers_of_the_text_itself(sign: str, size: int) -> None:
    line = sign * size
    for end in ("\n", " x\n", "\r\n", ""):
        text = f"a\n{line}{end}"
        assert marked(text, size) == 2
        assert marked(text, size + 1) == marked(f"a\n-{text[2:]}", size) == 0
        assert marked(f"a\n{line}x\n", size) == 0
        for texts in ((text, "", ""), ("", text, ""), ("", "", text)):
            assert size_for(*texts) == (8 if size == 7 else 7)
    both = f"a\n{sign * 7}\n{sign * 8} x\n"
    assert size_for(both) == 9
    assert mark(Merged("x\n", both, "y\n", []))[1] == 9


def test_markers_end_as_the_lines_do() -> None:
    text, _ = mark(Merged("a\r\nx\r\n", "a\r\n", "a\r\ny", []))
    assert text == "a\r\n<<<<<<< ours\r\nx\r\n||||||| base\r\n=======\r\ny\r\n>>>>>>> theirs\r\n"
    text, _ = mark(Merged("x\n", "", "y\n", []), ("mine", "old", "yours"))
    assert text == "<<<<<<< mine\nx\n||||||| old\n=======\ny\n>>>>>>> yours\n"


def test_what_needs_no_merge() -> None:
    for texts, wanted in (
        (("1", "2", "2"), "2"),
        (("1", "1", "2"), "2"),
        (("1", "2", "1"), "2"),
        (("", "x", "x"), "x"),
    ):
        for format in ("yaml", "binary"):
            found = merge(*texts, format=format)
            assert (found.text, found.base, found.theirs) == (wanted, wanted, wanted)
            assert (found.conflicts, found.whole) == ([], False)
    found = merge("1", "2", "3", format="binary")
    assert (found.text, found.base, found.theirs) == ("2", "1", "3")
    assert (found.conflicts, found.whole) == (["."], True)


@pytest.mark.parametrize("at", range(3))
def test_marks_of_the_file_are_merged_too(at: int) -> None:
    """A byte order mark, and the kind of line break: who has changed it counts."""
    plain = ["a: 1\nb: 2\n", "a: 3\nb: 2\n", "a: 1\nb: 4\n"]
    wanted = "a: 3\nb: 4\n"
    texts = list(plain)
    texts[at] = "\ufeff" + texts[at]
    assert merge(*texts, format="yaml").text == ("" if at == 0 else "\ufeff") + wanted
    texts = list(plain)
    texts[at] = texts[at].replace("\n", "\r\n")
    assert merge(*texts, format="yaml").text == (wanted if at == 0 else wanted.replace("\n", "\r\n"))


@pytest.mark.parametrize(("ours", "theirs"), [("z: 2\n", "m:\n  a: 1\n  # c\nz: 3\n")])
def test_a_comment_of_one_side_has_no_place_and_something_else_is_at_odds(ours: str, theirs: str) -> None:
    """The other side took out what the comment is in: a file without it would lose it for good."""
    base = "m:\n  a: 1\nz: 1\n"
    for one, other in ((ours, theirs), (theirs, ours)):
        found = merge(base, one, other, format="yaml")
        assert (found.text, found.theirs, found.whole) == (one, other, True)


def test_a_comment_that_both_sides_have_added_is_there_once() -> None:
    found = merge("a: 1\nb: 1\n", "# c\na: 2\nb: 1\n", "# c\na: 1\nb: 2\n", format="yaml")
    assert (found.text, found.conflicts) == ("# c\na: 2\nb: 2\n", [])


def test_a_comment_that_one_side_has_added_again_and_the_other_removed_is_there_once() -> None:
    base, ours, theirs = "# c\na: 1\nb: 1\n", "# c\na: 1\nb: 1\n# c\nd: 1\n", "a: 1\nb: 1\n"
    for one, other in ((ours, theirs), (theirs, ours)):
        found = merge(base, one, other, format="yaml")
        assert (found.text, found.conflicts) == ("a: 1\nb: 1\n# c\nd: 1\n", [])


def test_the_merged_text_is_there_as_it_was_read_with_its_comments() -> None:
    """So that it can be encrypted without being read once more, and no comment stays in plaintext."""
    texts = "# c\na: 1\nb: 1\n", "# c\na: 2\nb: 1\n", "# c\na: 1\nb: 2\n"
    for other in (texts[2], "# c\na: 3\nb: 2\n"):
        found = merge(texts[0], texts[1], other, format="yaml")
        assert found.document is not None
        assert found.document.text == found.text
        assert [comment.text for comment in found.document.comments] == [" c"]


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "merged"),
    [
        ("a: 1\n", "a: 2\n---\nb: 1\n", "a: 1\n---\nb: 1\n", "a: 2\n---\nb: 1\n"),
        ("a: 1\n", "a: 1\n---\nb: 1\n", "a: 2\n---\nb: 1\n", "a: 2\n---\nb: 1\n"),
        ("a: 1\n---\nb: 1\n", "a: 2\n---\nb: 1\n", "a: 1\n---\nb: 2\n", "a: 2\n---\nb: 2\n"),
    ],
)
def test_a_document_that_one_side_changed(base: str, ours: str, theirs: str, merged: str) -> None:
    found = merge(base, ours, theirs, format="yaml")
    assert (found.text, found.conflicts) == (merged, [])


def test_documents_that_both_sides_changed() -> None:
    for ours, theirs in (
        ("a: 2\n---\nb: 1\n", "a: 3\n---\nb: 1\n"),
        ("a: 1\n---\nb: 1\n", "a: 1\n---\nb: 2\n"),
        ("x: 1\n---\na: 1\n", "y: 1\n---\na: 1\n"),
    ):
        assert merge("a: 1\n", ours, theirs, format="yaml").conflicts
