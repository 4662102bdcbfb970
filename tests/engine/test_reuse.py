"""Only what changed changes: the twin's data key, ciphertexts, comments and block stay."""

from __future__ import annotations

import re

import pytest
from engine import changed_lines, credentials, opened_for, rule, sealed_leaves
from generate import yaml_text
from oracle import FIXTURES, AgeKey, Sops

from encconf import api, formats
from encconf.engine import opening, reuse, sealing
from encconf.engine.opening import Opened
from encconf.errors import EncconfError
from encconf.identities.credentials import Credentials

yaml = formats.get("yaml")

TEXT = """\
# who we are
name: shop   # the public name
db:
  # the main one
  host: db.example.com
  password: 's3cret'
  api_key: 'kW8vQz2LrT'
users:
  # first
  - name: ada
    token: same
  # second
  - name: bob
    token: same
hosts: [a, "b", 0x1F]
cert: |
  -----BEGIN-----
  abc
  -----END-----
"""


def _names(lines: list[str]) -> list[str]:
    """What the lines are about; lastmodified only changes when a second has passed."""
    names = (line.split(":")[0].strip() for line in lines)
    return sorted(name for name in names if name != "lastmodified")


@pytest.mark.parametrize("by_rule", [True, False])
def test_one_value(age_key: AgeKey, sops: Sops, by_rule: bool) -> None:
    creds = credentials(age_key)
    old = api.encrypt(TEXT, rule(age_key), credentials=creds)
    changed = TEXT.replace("'s3cret'", "'changed'")
    new = api.encrypt(changed, rule(age_key) if by_rule else None, twin=old, credentials=creds)
    removed, added = changed_lines(old, new)
    assert _names(removed) == _names(added) == ["mac", "password"]
    assert api.decrypt(new, credentials=creds) == changed
    sops.decrypt(new, "yaml")


def test_nothing(age_key: AgeKey) -> None:
    creds = credentials(age_key)
    old = api.encrypt(TEXT, rule(age_key), credentials=creds)
    assert api.encrypt(TEXT, twin=old, credentials=creds) == old
    assert api.encrypt(TEXT, rule(age_key), twin=old, credentials=creds) == old


def test_an_item_in_front_of_a_list(age_key: AgeKey) -> None:
    creds = credentials(age_key)
    old = api.encrypt(TEXT, rule(age_key), credentials=creds)
    changed = TEXT.replace("  # first\n", "  # first\n  - name: eve\n    token: same\n  # next\n", 1)
    new = api.encrypt(changed, twin=old, credentials=creds)
    removed, added = changed_lines(old, new)
    assert _names(removed) == ["encconf_layout", "mac"]
    assert _names(added) == ["#ENC[AES256_GCM,data", "- name", "encconf_layout", "mac", "token"]
    assert api.decrypt(new, credentials=creds) == changed


def test_equal_items_keep_different_ciphertexts(age_key: AgeKey) -> None:
    creds = credentials(age_key)
    old = api.encrypt("l:\n- same\n- same\n", rule(age_key), credentials=creds)
    new = api.encrypt("l:\n- same\n- same\n- same\n- x\n", twin=old, credentials=creds)
    for text in (old, new):
        found = [leaf.data for leaf in sealed_leaves(text, "yaml")]
        assert len(set(found)) == len(found)
    kept = {leaf.data for leaf in sealed_leaves(old, "yaml")}
    assert kept <= {leaf.data for leaf in sealed_leaves(new, "yaml")}


def test_comments_keep_their_ciphertext(age_key: AgeKey) -> None:
    creds = credentials(age_key)
    old = api.encrypt(TEXT, rule(age_key), credentials=creds)
    new = api.encrypt(TEXT.replace("# first", "# 1st"), twin=old, credentials=creds)
    removed, added = changed_lines(old, new)
    # (Within one second, the time is the same, and so may be the line of the MAC.)
    assert [name for name in _names(removed) if name != "mac"] == ["#ENC[AES256_GCM,data"]
    assert sum("type:comment" in line for line in added) == 1


@pytest.mark.parametrize("seed", range(40))
def test_a_file_that_sops_wrote(seed: int, age_key: AgeKey, sops: Sops) -> None:
    """Decrypting and encrypting again changes nothing but the MAC, whatever sops's spelling."""
    creds = credentials(age_key)
    try:
        # (A bare `#` in a list is what sops turns into an item; encconf encrypts it.)
        text = re.sub(r"(?m)#$", "#x", yaml_text(seed))
        theirs = sops.encrypt(text, "yaml", age=age_key.recipient)
        plain = api.decrypt(theirs, credentials=creds)
    except Exception:  # what sops refuses is another test's matter
        theirs = sops.encrypt("a: |\n  x\n  y\n", "yaml", age=age_key.recipient)
        plain = api.decrypt(theirs, credentials=creds)
    again = api.encrypt(plain, twin=theirs, credentials=creds)
    # The one spelling that changes: a comment in a list, which sops makes an item (3.13.2 cannot read that).
    spelling = re.compile(r"(?:- |\[\] #)(ENC\S+,type:comment\])")
    removed, added = changed_lines(spelling.sub(r"#\1", theirs), spelling.sub(r"#\1", again))
    assert set(_names(removed)) <= {"mac"}
    assert set(_names(added)) <= {"mac", "encconf_layout"}


@pytest.mark.parametrize("seed", range(60))
def test_generated(seed: int, age_key: AgeKey) -> None:
    """Change one number in a generated text: at most its line, and those that stand for it, differ."""
    creds = credentials(age_key)
    text = "marker: 4711\n" + re.sub(r"(?m)^marker.*\n", "", yaml_text(seed, aliases=False).lstrip("\ufeff"))
    text = text.replace("marker: 4711\n---", "marker: 4711\nx: y\n---", 1)
    try:
        old = api.encrypt(text, rule(age_key), credentials=creds)
    except EncconfError:
        return  # not a text that sops takes: test_differential says so
    new = api.encrypt(text.replace("4711", "4712", 1), twin=old, credentials=creds)
    removed, added = changed_lines(old, new)
    documents = len(re.findall(r"(?m)^\s*(?:\"sops\"|sops):|\"sops\":", old)) or 1
    names = _names(added)
    assert [name for name in names if name != "mac"] == ["marker"]
    assert names == _names(removed)
    assert len(names) <= 1 + documents


def test_a_twin_that_cannot_be_opened(age_key: AgeKey) -> None:
    other = AgeKey.generate()
    old = api.encrypt(TEXT, rule(other), credentials=credentials(other))
    notices: list[str] = []
    new = api.encrypt(TEXT, rule(age_key), twin=old, credentials=credentials(age_key), notify=notices.append)
    assert len(notices) == 1
    assert "the existing encrypted file cannot be opened, so it is not reused" in notices[0]
    assert not {leaf.data for leaf in sealed_leaves(old, "yaml")} & {
        leaf.data for leaf in sealed_leaves(new, "yaml")
    }
    with pytest.raises(EncconfError):
        api.encrypt(TEXT, twin=old, credentials=credentials(age_key))


def test_someone_added_and_someone_removed(age_key: AgeKey, sops: Sops) -> None:
    creds = credentials(age_key)
    other = AgeKey.generate()
    one = api.encrypt(TEXT, rule(age_key), credentials=creds)
    two = api.encrypt(TEXT, rule(age_key, other), twin=one, credentials=creds)
    first = {leaf.data for leaf in sealed_leaves(one, "yaml")}
    second = {leaf.data for leaf in sealed_leaves(two, "yaml")}
    assert not first & second, "the twin may be a copy of a file that they may not open"
    assert api.decrypt(two, credentials=credentials(other)) == TEXT
    notices: list[str] = []
    three = api.encrypt(TEXT, rule(age_key), twin=two, credentials=creds, notify=notices.append)
    assert not second & {leaf.data for leaf in sealed_leaves(three, "yaml")}
    assert "new data key" in notices[0]
    sops.decrypt(three, "yaml")


def test_comments_that_were_encrypted_for_another_place(age_key: AgeKey) -> None:
    """sops reads some from another place than the one that it wrote them for: they stay as they are."""
    creds = credentials(age_key)
    old = api.encrypt(
        "a:\n  # note\n  # note\n  # other\n  b: 1\n# note\nc: 2\nd: 3\n", rule(age_key), credentials=creds
    )
    found = re.findall(r"(?m)^ *(#ENC.*)$", old)
    assert len(found) == 4
    moved = re.sub(r"(?m)^ +#ENC.*\n", "", old).replace("\nd: ", "\n" + "\n".join(found[:3]) + "\nd: ")
    plain = api.decrypt(moved, credentials=creds)
    assert plain == "a:\n  b: 1\n# note\nc: 2\n# note\n# note\n# other\nd: 3\n"
    kept = [found[3], *found[:3]]
    new = api.encrypt(plain.replace("d: 3", "d: 4"), twin=moved, credentials=creds)
    assert re.findall("(?m)^#ENC.*$", new) == kept
    # One more of the same gets a ciphertext of its own.
    new = api.encrypt(plain + "# note\ne: 5\n", twin=moved, credentials=creds)
    now = re.findall("(?m)^#ENC.*$", new)
    assert now[:4] == kept
    assert now[4] not in kept
    assert api.decrypt(new, credentials=creds) == plain + "# note\ne: 5\n"


def test_comments_of_two_versions(age_key: AgeKey) -> None:
    """Those of the first count, then those of the others; each is given out once."""
    creds = credentials(age_key)
    base = api.encrypt("# one\na: 1\n", rule(age_key), credentials=creds)
    ours, theirs = (
        api.encrypt(text, twin=base, credentials=creds)
        for text in ("# one\na: 1\n# two\nb: 2\n", "# one\na: 1\n# two\nb: 2\n# three\nc: 3\n")
    )
    known = [opening.open_text(text, format="yaml", credentials=creds) for text in (ours, theirs)]
    final = api.decrypt(theirs, credentials=creds)
    new = sealing.encrypt(final, None, format="yaml", twin=known[0], donors=known[1:], credentials=creds)
    comments = [re.findall("(?m)^#ENC.*$", text) for text in (ours, theirs, new)]
    assert comments[2] == [*comments[0], comments[1][2]]


def test_where_values_were(age_key: AgeKey) -> None:
    creds = credentials(age_key)
    old = opening.open_text(
        api.encrypt("a: 1\nb: 2\n", rule(age_key), credentials=creds), format="yaml", credentials=creds
    )
    plain = yaml.scan("new: 0\nb: 2\na: 1\nb2: 2\n")
    first, second = zip(old.document.leaves, old.values, strict=True)
    assert reuse.reused_leaves([old], plain, yaml) == [None, second, first, None]
    assert reuse.reused_leaves([old], yaml.scan("a: 1\nb: 3\n"), yaml) == [first, None]


def test_a_comment_that_sops_encrypted_for_another_place_keeps_its_ciphertext() -> None:
    """go-yaml stores the last comment of this file elsewhere than sops reads it from."""
    creds = credentials(AgeKey.load(FIXTURES / "keys" / "alice.txt"))
    before = (FIXTURES / "sops" / "comments.enc.yaml").read_text()
    after = api.encrypt(api.decrypt(before, credentials=creds), None, twin=before, credentials=creds)

    def comments(text: str) -> list[str]:
        return re.findall(r"ENC\[.*,type:comment\]", text)

    assert comments(after) == comments(before)
    assert len(comments(before)) > 5


def test_a_comment_that_moves_gets_a_new_ciphertext(age_key: AgeKey, sops: Sops) -> None:
    """Its old one is for the old place: sops could not decrypt it in the new one."""
    creds = credentials(age_key)
    old = api.encrypt("# note\na: 1\nb:\n  c: 2\n", rule(age_key), credentials=creds)
    new = api.encrypt("a: 1\nb:\n  # note\n  c: 2\n", twin=old, credentials=creds)
    assert "# note" in sops.decrypt(new, "yaml")


def test_a_misplaced_ciphertext_is_for_the_comment_that_moved(age_key: AgeKey) -> None:
    creds = credentials(age_key)
    old = api.encrypt(
        "# note\na: 1\n# last\nb:\n  # note\n  c: 2\nd:\n  e: 3\n", rule(age_key), credentials=creds
    )
    first, last, inner = re.findall("(?m)^ *(#ENC.*)$", old)
    astray = re.sub("(?m)^  #ENC.*\n", "", old).replace(last, inner)
    assert api.decrypt(astray, credentials=creds).count("# note") == 2
    text = "# note\na: 1\nb:\n  c: 2\nd:\n  # note\n  e: 3\n# new\nf: 4\n"
    new = api.encrypt(text, twin=astray, credentials=creds)
    assert re.findall("(?m)^ *(#ENC.*)$", new)[:2] == [first, inner]
    assert api.decrypt(new, credentials=creds) == text


def branches(base: str, *texts: str, creds: Credentials) -> list[Opened]:
    """Versions of an encrypted text, each encrypted with it as the twin, and opened."""
    encrypted = [api.encrypt(text, twin=base, credentials=creds) for text in texts]
    return [opening.open_text(text, format="yaml", credentials=creds) for text in encrypted]


def test_no_ciphertext_is_in_a_file_twice(age_key: AgeKey) -> None:
    """Versions that are merged may share one: everybody would see that two values are the same."""
    creds = credentials(age_key)
    base = api.encrypt("l:\n- same\n", rule(age_key), credentials=creds)
    ours, theirs = branches(base, "l:\n- same\n- y\n", "l:\n- x\n- same\n", creds=creds)
    merged = "l:\n- same\n- y\n- x\n- same\n"
    new = sealing.encrypt(merged, None, format="yaml", twin=ours, donors=[theirs], credentials=creds)
    found = [leaf.data for leaf in sealed_leaves(new, "yaml")]
    assert len(set(found)) == 4
    known = {value.sealed for each in (ours, theirs) for value in each.values}
    assert sum(str(data, "ascii") in known for data in found if data) == 3


def test_no_ciphertext_of_a_comment_is_in_a_file_twice(age_key: AgeKey) -> None:
    creds = credentials(age_key)
    base = api.encrypt("# same\na: 1\n", rule(age_key), credentials=creds)
    ours, theirs = branches(base, "# same\na: 1\nb: 2\n", "c: 3\n# x\n# same\na: 1\n", creds=creds)
    merged = "# same\na: 1\nb: 2\nc: 3\n# x\n# same\nd: 4\n"
    new = sealing.encrypt(merged, None, format="yaml", twin=ours, donors=[theirs], credentials=creds)
    first, other, second = re.findall("(?m)^#(ENC.*)$", new)
    known = [comment.sealed for each in (ours, theirs) for comment in each.comments]
    assert known.count(first) == 2
    assert known.count(other) == 1
    assert second not in known


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_comments_that_are_alike_keep_their_lines(gone: int, age_key: AgeKey) -> None:
    creds = credentials(age_key)
    entries = [f"# note\n{key}: 1\n" for key in "abc"]
    old = api.encrypt("".join(entries), rule(age_key), credentials=creds)
    del entries[gone]
    removed, added = changed_lines(old, api.encrypt("".join(entries), twin=old, credentials=creds))
    assert [name for name in _names(removed) if name != "mac"] == ["#ENC[AES256_GCM,data", "abc"[gone]]
    assert [name for name in _names(added) if name != "mac"] == []


def test_of_two_versions_the_first_gives_the_ciphertext(age_key: AgeKey) -> None:
    """The versions have ciphertexts of their own for the same values."""
    first, second = (opened_for(age_key, text="a: x\nb: y\n# c\n") for _ in range(2))
    yaml = formats.get("yaml")
    plain = yaml.scan("a: x\nb: y\n# c\n", comments=True)
    for one, other in ((first, second), (second, first)):
        kept = reuse.reused_leaves([one, other], plain, yaml)
        assert [found and found[1].sealed for found in kept] == [value.sealed for value in one.values]
        assert reuse.reused_comments([one, other], plain, plain, yaml) == {0: one.comments[0].sealed}
