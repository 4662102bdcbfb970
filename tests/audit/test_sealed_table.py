"""All that is found in one encrypted file: where, how serious, and what is said; and nothing else.

The judge of damaged ciphertexts is Python's own base64, and what cannot be decrypted with the key.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable

import pytest
from audit.checked import CAROL, kms_entries
from audit.repo import ALICE, BOB, Repo, opener, rule, seal

from encconf import api
from encconf.errors import EncconfError
from encconf.keys import master_key
from encconf.rules.config import Rule
from encconf.rules.selection import Selection

NAME = "a.enc.yaml"
PLAIN = """\
# the note
db:
    host: localhost.example
    open: false
    port: 15432
    debug_password: true
    shown_unencrypted: some words
users:
    - alice-1234
    - bobby-1234
"""
BLOCK = f"{PLAIN.count(chr(10)) + 1}:1"
"""The place of the block in it."""


def found(repo: Repo) -> list[str]:
    """The findings about the file, in one line each."""
    return [
        f"{each.severity} {each.slug} {each.line}:{each.column} {each.path}: {each.message}"
        for each in repo.check().findings
        if each.file == NAME
    ]


def entry(text: str, key: str) -> str:
    (enc,) = re.findall(rf"\b{key}: (ENC\[.*\])", text)
    return str(enc)


WEAK = (
    "note short-value 6:21 db.debug_password: "
    "db.debug_password is true or false: the length of its ciphertext says which"
)
"""What is found in this text in any case."""


def of(repo: Repo, plain: str = PLAIN, by: Rule | None = None) -> list[str]:
    """What is found in a plain text that is encrypted."""
    repo.write(NAME, seal(plain, by))
    return found(repo)


def with_edit(repo: Repo, pattern: str, new: str, plain: str = PLAIN, by: Rule | None = None) -> list[str]:
    """What is found in an encrypted text in which one thing was changed."""
    repo.write(NAME, seal(plain, by))
    repo.edit(NAME, pattern, new)
    return [line for line in found(repo) if line != WEAK]


def test_a_sound_file(repo: Repo) -> None:
    assert of(repo) == [WEAK]


# --- values ----------------------------------------------------------------------------------------


def parts_of(enc: str) -> tuple[str, str, str, str]:
    match = re.fullmatch(r"ENC\[AES256_GCM,data:(.*),iv:(.*),tag:(.*),type:(.*)\]", enc)
    assert match is not None
    data, iv, tag, kind = match.groups()
    return data, iv, tag, kind


def is_possible(data: str, iv: str, tag: str, kind: str) -> bool:
    """Whether these can be the parts of a value."""
    try:
        sizes = [len(binascii.a2b_base64(each, strict_mode=True)) for each in (data, iv, tag)]
    except binascii.Error:
        return False
    if any(len(each) % 4 for each in (data, iv, tag)):
        return False  # a2b_base64 ignores a padding that is too long
    return sizes[1:] == [32, 16] and kind in ("str", "int", "float", "bool", "time", "comment")


def damaged() -> list[tuple[int, Callable[[str], str]]]:
    """Changes of one of the four parts."""
    cuts: list[tuple[int, Callable[[str], str]]] = []
    for part in range(3):
        for size in range(1, 9):
            cuts.append((part, lambda text, size=size: text[size:]))  # type: ignore[misc]
            cuts.append((part, lambda text, size=size: "A" * size + text))  # type: ignore[misc]
            cuts.append((part, lambda text, size=size: text.rstrip("=")[:-size]))  # type: ignore[misc]
    for kind in ("str", "int", "float", "bool", "time", "comment", "bytes", "string", "st", "null"):
        cuts.append((3, lambda _, kind=kind: kind))  # type: ignore[misc]
    return cuts


def test_ciphertexts_that_cannot_be_values(repo: Repo) -> None:
    """What no value looks like is found, and what may be one is not.  Neither is opened with the key."""
    text = seal("db:\n    host: localhost.example\n    other: 'another value'\n")
    enc = entry(text, "host")
    for part, change in damaged():
        parts = list(parts_of(enc))
        parts[part] = change(parts[part])
        new = "ENC[AES256_GCM,data:{},iv:{},tag:{},type:{}]".format(*parts)
        repo.write(NAME, text.replace(enc, new))
        possible = is_possible(*parts)
        said = [line for line in found(repo) if "short-value" not in line]
        form = re.fullmatch(r"ENC\[AES256_GCM,data:[\w+/]*={0,2},iv:[\w+/]+={0,2},tag:[\w+/]+={0,2},.*", new)
        words = "damaged ciphertext" if form else "ciphertext that is cut off or damaged"
        wanted = [] if possible else [f"error bad-value 2:11 db.host: db.host has a {words}"]
        assert (new, said) == (new, wanted)
        if new != enc:
            with pytest.raises(EncconfError):
                api.decrypt(text.replace(enc, new), credentials=opener(ALICE))


PLAINTEXT = "error plain-value 3:11 db.host: db.host is plaintext, but the file's selection encrypts it"
CUT_OFF = "error bad-value 3:11 db.host: db.host has a ciphertext that is cut off or damaged"


@pytest.mark.parametrize(
    ("new", "wanted"),
    [
        (
            "ENC[AES256_GCM,",
            [CUT_OFF],
        ),
        (
            "ENC[",
            [PLAINTEXT],
        ),
        (
            "words",
            [PLAINTEXT],
        ),
        (
            "12",
            [PLAINTEXT],
        ),
        (
            "true",
            [PLAINTEXT],
        ),
        ("null", []),
        ("''", ["note short-value 3:11 db.host: db.host is empty, which everyone can see"]),
    ],
)
def test_what_is_in_the_place_of_a_ciphertext(repo: Repo, new: str, wanted: list[str]) -> None:
    """It is found, and so is what comes after it."""
    assert with_edit(repo, r"(host: )ENC.*", rf"\g<1>{new}") == wanted
    repo.edit(NAME, r"^    - ENC.*", "    - words")
    assert [line for line in found(repo) if line != WEAK] == [
        *wanted,
        "error plain-value 9:7 users[0]: users[0] is plaintext, but the file's selection encrypts it",
    ]


def test_a_ciphertext_in_the_place_of_plaintext(repo: Repo) -> None:
    repo.write(NAME, seal(PLAIN))
    enc = entry(seal("a: another value\n"), "a")
    repo.edit(NAME, "some words", enc)
    left = "db.shown_unencrypted is a ciphertext, but the file's selection leaves it unencrypted"
    assert found(repo) == [WEAK, f"error never-decrypted 7:24 db.shown_unencrypted: {left}"]
    repo.edit(NAME, re.escape(enc), enc[:-9] + "]")
    left = "db.shown_unencrypted has a ciphertext that is cut off or damaged"
    assert found(repo) == [WEAK, f"error bad-value 7:24 db.shown_unencrypted: {left}"]
    # It is short, and everyone sees how long it is; but nobody decrypts it.
    repo.edit(NAME, r"shown_unencrypted: ENC.*", "shown_unencrypted: " + entry(seal("a: abc\n"), "a"))
    assert [line.split()[1] for line in found(repo)] == ["short-value", "never-decrypted"]


@pytest.mark.parametrize("size", range(1, 9))
@pytest.mark.parametrize("key", ["word", "password"])
def test_how_long_a_value_is(repo: Repo, size: int, key: str) -> None:
    """A text of four bytes can be guessed; a number only counts if its name says that it is a secret."""
    text, number = "abcdefghi"[:size], "123456789"[:size]
    bytes = f"{size} byte{'s' if size > 1 else ''}"
    said = [f"note short-value 1:{len(key) + 3} {key}: {key} has {bytes}, which can be guessed"]
    assert of(repo, f"{key}: {text}\nother: another value\n") == (said if size <= 4 else [])
    secret = size <= 4 and key == "password"
    assert of(repo, f"{key}: {number}\nother: another value\n") == (said if secret else [])


@pytest.mark.parametrize("value", ["true", "false"])
def test_a_boolean_that_is_a_secret(repo: Repo, value: str) -> None:
    said = "is true or false: the length of its ciphertext says which"
    assert of(repo, f"on: {value}\nother: another value\n") == []
    assert of(repo, f"token: {value}\nother: another value\n") == [
        f"note short-value 1:8 token: token {said}"
    ]


def test_two_values_with_one_nonce(repo: Repo) -> None:
    repo.write(NAME, seal(PLAIN))
    text = repo.read(NAME)
    (_, host, _, _), (_, port, _, _) = (parts_of(entry(text, key)) for key in ("host", "port"))
    repo.edit(NAME, re.escape(port), host)
    same = "error equal-iv 5:11 db.port: db.port is encrypted with the same nonce as db.host"
    assert [line for line in found(repo) if line != WEAK] == [same]


@pytest.mark.parametrize(
    ("plain", "key", "found_there"),
    [
        ("a: value-1\nb: value-2\n", "b", True),
        ("a: 123456\nb: 654321\n", "b", False),
        ("a: true\nb: false\n", "b", False),
        ("a: value-1\n---\na: value-2\n", "a", False),
        ("a: value-1\n---\nb: value-2\n", "b", True),
    ],
)
def test_two_values_with_one_ciphertext(repo: Repo, plain: str, key: str, found_there: bool) -> None:
    """Numbers may be the same, and so may the documents of a stream be."""
    text = seal(plain)
    first, second = re.findall(r"^[ab]: (.*)", text, flags=re.M)
    repo.write(NAME, text.replace(second, first))
    line = 2 if "---" not in plain else text[: text.index(second)].count("\n") + 1
    said = f"warning equal-value {line}:4 {key}: {key} has the same ciphertext as a"
    assert found(repo) == ([said] if found_there else [])


def test_a_ciphertext_in_a_block_scalar_is_the_same(repo: Repo) -> None:
    text = seal("a: value-1\nb: value-2\n")
    repo.write(NAME, re.sub(r"b: ENC.*", lambda _: f"b: |\n    {entry(text, 'a')}", text, count=1))
    assert found(repo) == ["warning equal-value 2:4 b: b has the same ciphertext as a"]


@pytest.mark.parametrize("count", [49, 50, 51, 52])
def test_how_many_findings_of_a_kind_are_shown(repo: Repo, count: int) -> None:
    said = of(repo, "".join(f"k{number}: ab\n" for number in range(count)) + "other: another value\n")
    assert len(said) == min(count, 50)
    more = f" (and {count - 50} more such places in this file)" if count > 50 else ""
    last = min(count, 50) - 1
    assert said[-1].endswith(f"k{last} has 2 bytes, which can be guessed{more}")
    assert not any("more such" in line for line in said[:-1])


# --- comments --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("comment", "is_found"),
    [
        ("# a secret", True),
        ("#a secret", True),
        ("#", False),
        ("#   ", False),
        ("# yamllint disable", False),
        ("# vim: ts=2", False),
        ("# see vim: it is said", True),
        ("#ENC[AES256_GCM,data:AAAA,iv:AAAA,tag:AAAA,type:comment]", False),
        ("# ENC[AES256_GCM,", False),
    ],
)
def test_comments_beside_encrypted_values(repo: Repo, comment: str, is_found: bool) -> None:
    said = "this comment is plaintext, but the file's comments are encrypted"
    wanted = [f"warning plain-comment 1:2 : {said}"] if is_found else []
    assert with_edit(repo, r"^db:", f"{comment}\ndb:", "db: some words\n") == wanted
    # A selection by keys encrypts no comment.
    own = rule(selection=Selection("encrypted_regex", "^(host|users)$"))
    repo.rules("encrypted_regex: ^(host|users)$")
    assert with_edit(repo, r"^db:", f"{comment}\ndb:", "db:\n    host: localhost\n", own) == []


# --- what nothing is encrypted in ------------------------------------------------------------------

NOTHING = "no value is encrypted, because its selection chooses none: encrypted_regex ^(data|more)$"


@pytest.mark.parametrize(
    ("plain", "is_bare"),
    [
        ("kind: Secret\n", True),
        ("kind: Secret\nother: {}\n", True),
        ("kind: Secret\nother: {}\nmetadata: []\n", True),
        ("kind: null\nother: ''\n", False),  # there is nothing
        ("kind: Secret\nother: ''\n", True),
        ("kind: Secret\ndata: {}\n", False),  # there is nothing to encrypt yet
        ("kind: Secret\ndata: []\n", False),
        ("kind: Secret\nother: []\nmore: [  ]\n", False),
        ("kind: Secret\nmore: []\nother: []\n", False),
        ("kind: Secret\n'data': {\n}\n", False),
        ("kind: Secret\ndata: null\n", False),
        ("kind: Secret\ndata: ''\n", False),
        ("kind: Secret\ndata: {a: value-1}\n", False),
        ("kind: Secret\ndata: {a: value-1}\nother: value-2\n", False),
        ("kind: Secret\nmydata: {}\n", True),
    ],
)
def test_a_file_in_which_nothing_is_encrypted(repo: Repo, plain: str, is_bare: bool) -> None:
    repo.rules("encrypted_regex: ^(data|more)$")
    own = rule(selection=Selection("encrypted_regex", "^(data|more)$"))
    text = seal(plain, own)
    repo.write(NAME, text)
    block = text[: text.index("sops:")].count("\n") + 1
    wanted = [f"error nothing-encrypted {block}:1 : {NOTHING}"]
    assert [line for line in found(repo) if "short-value" not in line] == (wanted if is_bare else [])


@pytest.mark.parametrize(
    ("kind", "pattern"),
    [
        ("unencrypted_regex", "."),
        ("encrypted_suffix", "_secret"),
        ("encrypted_comment_regex", "secret"),
        ("unencrypted_comment_regex", "all"),
    ],
)
def test_a_file_in_which_no_selection_encrypts_anything(repo: Repo, kind: str, pattern: str) -> None:
    selection = Selection(kind, pattern)
    repo.rules(f"{kind}: {pattern}")
    comment = "# all\n" if kind == "unencrypted_comment_regex" else ""
    repo.write(NAME, seal(f"{comment}kind:\n    a: some words\n    b: {{}}\n", rule(selection=selection)))
    assert [line.split()[1] for line in found(repo)] == ["nothing-encrypted"]


def test_ciphertexts_that_no_selection_chooses(repo: Repo) -> None:
    repo.rules("encrypted_regex: ^nothing$")
    repo.write(NAME, seal("a: value-1\nb: value-2\n"))
    repo.edit(NAME, "unencrypted_suffix: .*", "encrypted_regex: ^nothing$")
    left = "is a ciphertext, but the file's selection leaves it unencrypted"
    assert found(repo) == [
        f"error never-decrypted {n}:4 {key}: {key} {left}" for n, key in ((1, "a"), (2, "b"))
    ]
    repo.edit(NAME, "^b: .*", "b: some words")
    assert [line.split()[1] for line in found(repo)] == ["never-decrypted"]


# --- the block -------------------------------------------------------------------------------------


def bad(what: str) -> list[str]:
    return [f"error bad-block {BLOCK} : {what}"]


@pytest.mark.parametrize(
    ("date", "is_one"),
    [
        ("2026-01-02T03:04:05Z", True),
        ("2026-01-02T03:04:05.5Z", True),
        ("2026-01-02T03:04:05,123456789Z", True),
        ("2026-01-02T03:04:05+02:00", True),
        ("2026-01-02T03:04:05.25-11:30", True),
        ("2026-01-02T03:04:05.Z", False),
        ("2026-01-02T03:04:05.1234567890Z", False),
        ("2026-01-02T03:04:05", False),
        ("2026-01-02 03:04:05Z", False),
        ("2026-01-02", False),
        ("x2026-01-02T03:04:05Z", False),
        ("2026-01-02T03:04:05Zx", False),
        ("2026-01-02T03:04:05+0200", False),
        ("yesterday", False),
        ("", False),
    ],
)
def test_the_date(repo: Repo, date: str, is_one: bool) -> None:
    """It is one for the check if it is one where the file is opened."""
    wanted = [] if is_one else bad("lastmodified in the sops block is not a date")
    assert with_edit(repo, r"(lastmodified: ).*", rf'\g<1>"{date}"') == wanted
    with pytest.raises(EncconfError) as caught:
        api.decrypt(repo.read(NAME), credentials=opener(ALICE))
    assert ("lastmodified is not a date" in caught.value.message) == (not is_one)


MAC = r"    mac: (.*)\n"
KEYS = r"    age:\n(.*\n)*?    lastm"
NO_CIPHERTEXT = "in the sops block is not a ciphertext"
NO_KEY = "the sops block names no key, so nobody can open the file"


@pytest.mark.parametrize(
    ("pattern", "new", "wanted"),
    [
        (MAC, r"    mac: \1\n    encconf_layout: \1\n", []),
        (MAC, r"    mac: \1\n    encconf_layout: words\n", bad(f"encconf_layout {NO_CIPHERTEXT}")),
        (MAC, r"    mac: words\n", bad(f"mac {NO_CIPHERTEXT}")),
        (MAC, r"    mac: ENC[AES256_GCM,data:x\n", bad(f"mac {NO_CIPHERTEXT}")),
        (MAC, r"    mac: ''\n", [f"error no-mac {BLOCK} : the sops block has no mac"]),
        (MAC, "", [f"error no-mac {BLOCK} : the sops block has no mac"]),
        (KEYS, "    lastm", bad(NO_KEY)),
        (KEYS, "    age: []\n    lastm", bad(NO_KEY)),
    ],
)  # fmt: skip
def test_the_block(repo: Repo, pattern: str, new: str, wanted: list[str]) -> None:
    own = [line for line in with_edit(repo, pattern, new) if " keys-differ " not in line]
    assert own == wanted


def test_the_block_of_a_stream(repo: Repo) -> None:
    """Both documents have one; the first one counts."""
    repo.write(NAME, seal("a: value-1\n---\nb: value-2\n"))
    repo.edit(NAME, MAC, "    mac: words\n")
    assert found(repo) == ["error bad-block 2:1 : mac in the sops block is not a ciphertext"]


def test_a_merge_that_is_not_finished_needs_no_mac(repo: Repo) -> None:
    from audit.checked import merged_without_a_key

    merged_without_a_key(repo)
    (said,) = found(repo)
    assert said.startswith("error unmerged 7:1 : ")
    repo.edit(NAME, MAC, "    mac: words\n")
    assert found(repo) == [said]


@pytest.mark.parametrize("threshold", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_how_many_groups_are_needed(repo: Repo, threshold: int, count: int) -> None:
    keys = [ALICE, BOB, CAROL][:count]
    groups = [[master_key("age", key.recipient)] for key in keys]
    repo.write(NAME, seal("a: value-1\n", Rule(groups, 2 if count > 1 else None)))
    if count > 1:
        repo.edit(NAME, "shamir_threshold: 2", f"shamir_threshold: {threshold}")
    else:
        repo.edit(NAME, "^sops:", f"sops:\n    shamir_threshold: {threshold}")
    missing = f"it needs {threshold} of {count} key groups, so nobody can open the file"
    wanted = [f"error bad-block 2:1 : {missing}"] if threshold > count > 1 else []
    assert [line for line in found(repo) if "bad-block" in line] == wanted


def test_a_group_without_keys(repo: Repo) -> None:
    groups = [[master_key("age", key.recipient)] for key in (ALICE, BOB)]
    repo.write(NAME, seal("a: value-1\n", Rule(groups, 2)))
    repo.edit(NAME, r"^    key_groups:", "    key_groups:\n        - age: []")
    said = "error bad-block 2:1 : the sops block has an empty key group"
    assert said in found(repo)


@pytest.mark.parametrize(
    ("kind", "enc", "said"),
    [
        ("age", "words", "has something that is not a data key"),
        ("age", "-----BEGIN PGP MESSAGE-----", "has something that is not a data key"),
        ("age", "-----BEGIN AGE ENCRYPTED FILE-----", ""),
        ("age", "' -----BEGIN AGE ENCRYPTED FILE----- '", ""),
        ("age", "''", "has no data key"),
        ("age", "'  '", "has no data key"),
        ("pgp", "words", "has something that is not a data key"),
        ("pgp", "-----BEGIN PGP MESSAGE-----", ""),
        ("hc_vault", "vault:v1:words", ""),
        ("hc_vault", "''", "has no data key"),
    ],
)
def test_the_entry_of_a_recipient(repo: Repo, kind: str, enc: str, said: str) -> None:
    named = {
        "age": f"recipient: {BOB.recipient}",
        "pgp": "fp: 85D77543B3D624B63CEA9E6DBC17301B491B3F21",
        "hc_vault": "vault_address: https://vault\n          engine_path: transit\n          key_name: web",
    }[kind]
    repo.write(NAME, seal("a: value-1\n"))
    list_ = "    age:" if kind == "age" else f"    {kind}:"
    added = f"{list_}\n        - {named}\n          created_at: '2026-01-01T00:00:00Z'\n          enc: {enc}"
    repo.edit(NAME, r"^    age:", added if kind == "age" else f"{added}\n    age:")
    lines = [line for line in found(repo) if "bad-block" in line]
    if not said:
        assert lines == []
    else:
        (line,) = lines
        assert re.fullmatch(rf"error bad-block 2:1 : the entry of {kind} \S+ in the sops block {said}", line)


def test_two_files_whose_entries_have_no_data_key(repo: Repo) -> None:
    """Only equal data keys are shared."""
    entry = "    pgp:\n        - fp: 85D77543B3D624B63CEA9E6DBC17301B491B3F21\n          enc: {}\n    age:"
    for enc, shared in (("''", False), ("-----BEGIN PGP MESSAGE-----", True)):
        for name, key in (("a.enc.yaml", ALICE), ("b.enc.yaml", BOB)):
            repo.write(name, seal("a: value-1\n", rule(key)))
            repo.edit(name, r"^    age:", entry.format(enc))
        assert ("shared-data-key" in repo.slugs()) == shared


def arn(profile: str = "", number: int = 1) -> str:
    name = f"arn:aws:kms:eu-west-1:111122223333:key/{'aaaa' if number == 1 else 'bbbb'}"
    return f"{{arn: '{name}'{profile and f', aws_profile: {profile}'}}}"


@pytest.mark.parametrize(
    ("rules", "advises"),
    [
        ("", False),  # no rule
        (f"  - path_regex: enc\n    key_groups: [{{kms: [{arn()}]}}]\n", True),
        (f"  - path_regex: enc\n    key_groups: [{{kms: [{arn('dev')}]}}]\n", False),
        (f"  - path_regex: enc\n    key_groups: [{{kms: [{arn()}, {arn('dev', 2)}]}}]\n", False),
        (f"  - path_regex: enc\n    key_groups: [{{kms: [{arn()}]}}, {{kms: [{arn('dev', 2)}]}}]\n", False),
    ],
)
def test_the_hint_about_a_profile_of_aws(repo: Repo, rules: str, advises: bool) -> None:
    """An update removes it if the rule names none."""
    repo.write(NAME, seal("a: value-1\n"))
    repo.edit(NAME, r"^    age:", kms_entries("dev") + "    age:")
    repo.config(rules or "  - path_regex: other\n")
    (found,) = repo.only("aws-profile")
    assert found.message.startswith("the key kms arn:aws:kms:")
    assert found.message.endswith(" has an aws_profile")
    assert ("encconf updatekeys a.enc.yaml removes it" in (found.hint or "")) == advises


# --- the rule --------------------------------------------------------------------------------------


def shortened(*keys: str) -> str:
    return ", ".join(f"age {key[:8]}…{key[-4:]}" for key in keys)


A, B, C = ALICE.recipient, BOB.recipient, CAROL.recipient
RULE = "creation_rules[0] of .sops.yaml"
HERE = f"({RULE})"
EXTRA = "encconf updatekeys a.enc.yaml updates the file to match the rule, which removes the others."
USUAL = "Update the file to match the rule: encconf updatekeys a.enc.yaml"
TWO = "needs 2 of 2 key groups to open"


def needs(count: int) -> str:
    return f"needs {count} of 3 key groups to open"


def more(*keys: str) -> str:
    return f"encrypted for {shortened(*keys)} as well, which the rule does not name {HERE}"


def less(*keys: str) -> str:
    return f"not encrypted for {shortened(*keys)}, which the rule names {HERE}"


@pytest.mark.parametrize(
    ("groups", "rules", "wanted", "hint"),
    [
        ([[A]], f"age: {A}", [], ""),
        ([[A, B]], f"age: {B},{A}", [], ""),
        ([[A, B]], "unencrypted_suffix: _unencrypted", [], ""),  # it names no keys
        ([[A], [B]], "unencrypted_suffix: _unencrypted", [], ""),
        ([[A, B]], f"age: {A}", [more(B)], EXTRA),
        ([[A]], f"age: {A},{B}", [less(B)], USUAL),
        ([[A]], f"age: {A},{B},{C}", [less(B, C)], USUAL),
        (
            [[A]],
            f"age: {B}",
            [
                f"encrypted for {shortened(A)} as well, which the rule does not name, "
                f"and not encrypted for {shortened(B)}, which the rule names {HERE}"
            ],
            EXTRA,
        ),
        (
            [[A, B]],
            f"key_groups: [{{age: [{A}]}}, {{age: [{B}]}}]",
            [
                f"the keys are in other groups than in the rule (1 here, 2 there) {HERE}",
                f"the file has one key group; {RULE} says that it {TWO}",
            ],
            USUAL,
        ),
        (
            [[A], [B]],
            f"age: {A},{B}",
            [
                f"the keys are in other groups than in the rule (2 here, 1 there) {HERE}",
                f"the file {TWO}; {RULE} says that it has one key group",
            ],
            USUAL,
        ),
        ([[A], [B]], f"shamir_threshold: 2\n    key_groups: [{{age: [{A}]}}, {{age: [{B}]}}]", [], ""),
        (
            [[A], [B], [C]],
            f"shamir_threshold: 3\n    key_groups: [{{age: [{A}]}}, {{age: [{B}]}}, {{age: [{C}]}}]",
            [f"the file {needs(2)}; {RULE} says that it {needs(3)}"],
            USUAL,
        ),
    ],
    ids=[
        "the same", "the same in another order", "no keys in the rule", "no groups in the rule", "more keys",
        "fewer keys", "two fewer", "others", "groups in the rule", "groups in the file", "the same groups",
        "another threshold",
    ],
)  # fmt: skip
def test_who_can_open_it(
    repo: Repo, groups: list[list[str]], rules: str, wanted: list[str], hint: str
) -> None:
    keys = [[master_key("age", key) for key in group] for group in groups]
    repo.write(NAME, seal("a: value-1\n", Rule(keys, 2 if len(groups) > 1 else None)))
    repo.config(f"  - path_regex: enc\n    {rules}\n")
    said = [found for found in repo.check().findings if found.file == NAME]
    assert [found.message for found in said] == wanted
    assert {(found.slug, found.severity, found.line, found.column) for found in said} <= {
        ("keys-differ", "error", 2, 1),
        ("threshold-differs", "error", 2, 1),
    }
    assert all((found.hint or "").startswith(hint) for found in said)


def test_a_proposal_for_others(repo: Repo) -> None:
    from audit.test_findings import proposed

    repo.rules(keys=(ALICE, BOB))
    proposed(repo)
    for keys in ((BOB,), (ALICE, BOB)):
        repo.rules(keys=keys)
        (name,) = [name for name in repo.names() if "proposal" in name]
        (found,) = [each for each in repo.only("keys-differ") if each.file == name]
        others = "The others know the value. Remove the file, and propose another value."
        assert (found.hint == others) == (ALICE not in keys)


def test_an_ssh_key_and_its_age_recipient_are_the_same(repo: Repo) -> None:
    from encconf.keys import ssh

    line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDuDK4+AyDmhDnaWKG2rtV/kJVuL2yTQ2cB2RsjC1TXW"
    repo.write(NAME, seal("a: value-1\n", Rule([[master_key("age", line)]], None)))
    repo.config(f"  - path_regex: enc\n    age: {ssh.recipient(line)}\n")
    assert found(repo) == []


OWN = "encrypted_regex: ^(host|name)$"
BOTH = f"the file has encrypted_regex ^(host|name)$; {RULE} has encrypted_regex"
NONE = ", but it would encrypt none of the plaintext values"
PORT = f"error plain-by-rule 4:11 db.port: db.port is plaintext, though {RULE} encrypts such values"
RIGHT = f"If the file's selection is right, add it to the rule: {OWN}."
UNSAFE = (
    "The rule would also decrypt {}: give it a selection that includes them. "
    f"The file's own selection is {OWN}."
)


@pytest.mark.parametrize(
    ("file", "rules", "wanted", "hint"),
    [
        (OWN, OWN, [], ""),
        # The rule would encrypt less, and nothing that is plaintext.
        (
            OWN,
            "encrypted_regex: ^host$",
            [f"note selection-differs 5:1 : {BOTH} ^host${NONE}"],
            RIGHT,
        ),
        # The same outcome.
        (
            OWN,
            "encrypted_regex: ^(name|host)$",
            [f"note selection-differs 5:1 : {BOTH} ^(name|host)${NONE}"],
            RIGHT,
        ),
        # The rule would encrypt more.
        (
            OWN,
            "encrypted_regex: ^(host|name|port)$",
            [
                PORT,
                f"error selection-differs 5:1 : {BOTH} ^(host|name|port)$",
            ],
            "",
        ),
        # It would encrypt other values.
        (
            OWN,
            "encrypted_regex: ^(host|port)$",
            [
                PORT,
                f"error selection-differs 5:1 : {BOTH} ^(host|port)$",
            ],
            UNSAFE.format("1 encrypted value"),
        ),
        (
            OWN,
            "encrypted_regex: ^port$",
            [
                PORT,
                f"error selection-differs 5:1 : {BOTH} ^port$",
            ],
            UNSAFE.format("2 encrypted values"),
        ),
        (OWN, "encrypted_regex: '('", [], ""),  # that is said of the rule, which counts as none
    ],
)  # fmt: skip
def test_which_values_it_encrypts(repo: Repo, file: str, rules: str, wanted: list[str], hint: str) -> None:
    own = rule(selection=Selection(*file.split(": ")))
    repo.write(NAME, seal("db:\n    host: some words\n    name: other words\n    port: 15432\n", own))
    repo.rules(rules)
    assert found(repo) == wanted
    for each in repo.check().findings:
        if each.file == NAME:
            assert each.hint == hint if hint else "would also decrypt" not in (each.hint or "")


@pytest.mark.parametrize(
    ("comments", "values", "what"),
    [
        ("# one\n", "", "1 encrypted comment"),
        ("# one\n# two\n", "", "2 encrypted comments"),
        ("# one\n", "port: 15432\n", "1 encrypted value and 1 encrypted comment"),
        ("", "port: 15432\n", "1 encrypted value"),
        ("", "", ""),
    ],
)
def test_comments_that_the_rule_does_not_encrypt(repo: Repo, comments: str, values: str, what: str) -> None:
    repo.rules("encrypted_regex: ^host$")
    repo.write(NAME, seal(f"{comments}host: some words\n{values}"))
    (found,) = [each for each in repo.check().findings if each.file == NAME]
    suffix = "unencrypted_suffix: _unencrypted"
    safe = f"If the file's selection is right, add it to the rule: {suffix}."
    unsafe = f"The rule would also decrypt {what}: give it a selection that includes them. "
    assert (found.slug, found.severity) == ("selection-differs", "note")
    assert found.hint == safe
    # It would encrypt something, too.
    repo.write(NAME, seal(f"{comments}host_unencrypted: some words\n{values}other: some words\n"))
    repo.rules("encrypted_regex: ^(host_unencrypted|other)$")
    (_, found) = [each for each in repo.check().findings if each.file == NAME]
    assert (found.slug, found.severity) == ("selection-differs", "error")
    if what:
        assert found.hint == f"{unsafe}The file's own selection is {suffix}."
    else:
        assert "would also decrypt" not in found.hint


def test_a_pattern_of_the_rule_that_takes_too_long(repo: Repo) -> None:
    """Whether the rule fits is not known then, and nothing is said of the values."""
    repo.rules(f"encrypted_regex: ^{'x{1000}' * 20}y$")
    own = rule(selection=Selection("encrypted_regex", "^x+[0-9]+$"))
    repo.write(NAME, seal("".join(f"{'x' * 1000}{number}: value-1\n" for number in range(40)), own))
    (said,) = found(repo)
    assert said.startswith("error selection-differs 41:1 : creation_rules[0] of .sops.yaml: the pattern ")
    assert said.endswith(" takes too long")
