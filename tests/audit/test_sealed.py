"""What one file shows without its key."""

from __future__ import annotations

import json
import re

import pytest
from audit.checked import A, same_threshold
from audit.repo import ALICE, DATABASE, SECRET, Repo, rule, seal

from encconf import formats
from encconf.cli.commands import check as reports
from encconf.rules.selection import Selection


@pytest.mark.parametrize(
    ("format", "name", "plain"),
    [
        ("yaml", "a.enc.yaml", DATABASE),
        ("json", "a.enc.json", json.dumps({"db": {"password": SECRET}, "users": ["alice12", "bobby12"]})),
        ("dotenv", "a.enc.env", f"# note\nPASSWORD={SECRET}\nHOSTNAME=localhost\n"),
        ("ini", "a.enc.ini", f"[db]\npassword = {SECRET}\nhostname = localhost\n"),
        ("toml", "a.enc.toml", f'[db]\npassword = "{SECRET}"\nhostname = "localhost"\n'),
        ("binary", "a.enc.pem", f"-----BEGIN {SECRET}\n"),
    ],
)
class TestFormat:
    def test_sound(self, repo: Repo, format: str, name: str, plain: str) -> None:
        repo.write(name, seal(plain, format=format))
        assert repo.check(verify=ALICE).findings == []

    def test_plain(self, repo: Repo, format: str, name: str, plain: str) -> None:
        repo.write(name, plain)
        assert [(found.slug, found.line) for found in repo.check().findings] == [
            ("not-encrypted", _first_line(plain, format))
        ]

    def test_plain_twin(self, repo: Repo, format: str, name: str, plain: str) -> None:
        repo.write(name, seal(plain, format=format))
        repo.write(name.replace(".enc", ""), plain)
        (found,) = repo.check().findings
        assert (found.slug, found.file, found.severity) == ("plain-twin", name.replace(".enc", ""), "error")

    def test_conflict(self, repo: Repo, format: str, name: str, plain: str) -> None:
        text = seal(plain, format=format)
        repo.write(name, f"<<<<<<< ours\n{text}=======\n{text}>>>>>>> theirs\n")
        assert [found.slug for found in repo.check().findings] == ["merge-conflict"]


def _first_line(plain: str, format: str) -> int:
    """The line of the first value."""
    if format == "binary":
        return 1
    leaf = formats.get(format).scan(plain).leaves[0]
    return plain.count("\n", 0, leaf.start) + 1


@pytest.mark.parametrize("sign", ["#", ";"])
def test_comments_of_ini_choose_values(repo: Repo, sign: str) -> None:
    """sops writes all comments of INI with a semicolon, and applies them to the key after the next one."""
    selection = Selection("encrypted_comment_regex", "^ ?secret$")
    repo.config(f"  - {A}    encrypted_comment_regex: ^ ?secret$\n")
    plain = f"[db]\n{sign} secret\nhostname = localhost\npassword = {SECRET}\n"
    text = seal(plain, rule(selection=selection), format="ini")
    repo.write("a.enc.ini", text)
    assert repo.check(verify=ALICE).findings == []
    repo.write("a.enc.ini", re.sub(r"(?m)^password = .*", f"password = {SECRET}", text))
    assert repo.slugs() == {"plain-value"}
    repo.write("a.enc.ini", plain)
    assert repo.slugs() == {"not-encrypted"}


def test_a_block_that_was_lost_is_missed_everywhere(repo: Repo) -> None:
    repo.config(f"  - {A}")
    text = seal(DATABASE)
    for name, severity in (("values.yaml", "warning"), ("values.enc.yaml", "error")):
        repo.write(name, text[: text.index("sops:")])
        found = [(each.slug, each.severity) for each in repo.check().findings if each.file == name]
        assert found == [("bad-block", severity)]
    repo.write("values.yaml", f"<<<<<<< a\n{text}=======\n{text}>>>>>>> b\n")
    assert "merge-conflict" in repo.slugs()


@pytest.mark.parametrize(
    ("plain", "slug"),
    [
        ("how: |\n  sops:\n  a: ENC[AES256_GCM,data:x]\n", None),
        ("a: {{ .x }}\nb: ENC[AES256_GCM,data:x]\n", None),
        ("note: in ENC[ and sops\n", None),
        # These may well be damaged encrypted files.
        ("a: {{ .x }}\nsops:\n  a: ENC[AES256_GCM,data:x]\n", "unreadable"),
        ("a: ENC[AES256_GCM,data:x]\nsops: [x]\n", "bad-block"),
    ],
)
def test_what_only_speaks_of_encrypted_files(repo: Repo, plain: str, slug: str | None) -> None:
    repo.config(f"  - {A}")
    repo.write("how-to.yaml", plain)
    assert [each.slug for each in repo.check().findings] == ([slug] if slug else [])


@pytest.mark.parametrize(
    ("name", "format", "plain"), [("a.enc.env", "dotenv", "A=1\n"), ("a.enc.ini", "ini", "[db]\na = 1\n")]
)
def test_a_block_that_the_format_itself_cannot_read(repo: Repo, name: str, format: str, plain: str) -> None:
    repo.config(f"  - {A}")
    repo.write(name, seal(plain, format=format).replace("__list_0__", "__list_x__", 1))
    assert [(found.slug, found.line) for found in repo.check().findings] == [("bad-block", 1)]


def test_a_binary_file_is_one_value_whatever_its_rule_selects(repo: Repo) -> None:
    repo.rules("encrypted_regex: ^password$")
    repo.write("a.enc.pem", seal("-----BEGIN KEY", rule(), format="binary"))
    assert repo.check(verify=ALICE).findings == []


JUNK = b"\x00\xff\xfeENC[AES256_GCM,data:\x80]"

HOSTILE: dict[str, bytes] = {
    "binary.enc.yaml": JUNK * 100,
    "bomb.enc.yaml": b"a: &a [x,x,x,x,x,x,x,x,x]\n"
    + b"".join(
        b"k%d: &b%d [%s]\n" % (i, i, b",".join([b"*a" if i == 0 else b"*b%d" % (i - 1)] * 9))
        for i in range(9)
    ),
    "deep.enc.json": b"[" * 100_000,
    "deep.enc.yaml": b"{a: " * 20_000,
    "keys.enc.yaml": b"sops: [1, 2]\na: ENC[AES256_GCM,data:]\n",
    "list.enc.yaml": b"- 1\n- 2\n",
    "number.enc.json": b"12",
    "nothing.enc.env": b"====\n",
    "entries.enc.yaml": b"a: ENC[x]\nsops: {age: [{enc: 1, recipient: [2]}], mac: {a: 1}}\n",
    "regex.enc.yaml": b"a: ENC[x]\nsops: {age: [{enc: x, recipient: y}], encrypted_regex: '(((('}\n",
    "long.enc.yaml": b"a: ENC[AES256_GCM,data:" + b"A" * 3_000_000 + b"\n",
    "escape\x1b[2J.enc.yaml": b'"k\\e[2J\\u202e": plain\n',
    "new\nline.enc.yaml": b'"a\\nb": plain\n',
    "not-utf8-\xff.enc.yaml".encode("latin-1").decode("utf-8", "surrogateescape"): b"a: plain\n",
}


@pytest.mark.parametrize("name", sorted(HOSTILE), ids=ascii)
def test_a_hostile_file_is_a_finding(repo: Repo, name: str) -> None:
    (repo.folder / name).write_bytes(HOSTILE[name])
    report = repo.check()
    assert [found for found in report.findings if found.file == name]
    data = json.dumps([reports.to_json(report), reports.sarif(report, str)], indent=2)
    for out in (data, reports.text(report), reports.github(report, str)):
        assert all(line.isprintable() for line in out.split("\n"))


def test_more_key_groups_are_needed_than_there_are(repo: Repo) -> None:
    same_threshold(repo)
    repo.edit("a.enc.yaml", r"shamir_threshold: 2$", "shamir_threshold: 4")
    [found] = repo.only("bad-block")
    assert found.message == "it needs 4 of 3 key groups, so nobody can open the file"


def test_one_key_group_has_no_threshold(repo: Repo) -> None:
    """sops writes such a file, and opens it."""
    repo.write("a.enc.yaml", seal(DATABASE))
    repo.edit("a.enc.yaml", r"^sops:$", "sops:\n    shamir_threshold: 2")
    assert repo.check(verify=ALICE).findings == []


def test_a_file_that_is_too_large(repo: Repo) -> None:
    from encconf.io.fileio import LIMIT

    with (repo.folder / "huge.enc.yaml").open("wb") as file:
        file.truncate(LIMIT + 1)
    assert [(found.slug, found.message) for found in repo.check().findings] == [
        ("unreadable", "larger than 64 MiB")
    ]


def test_short_values_are_secrets_only(repo: Repo) -> None:
    repo.write("a.enc.yaml", seal("replicas: 3\nregion: eu\ndebug: true\npin: '12'\napi_token: 7\n"))
    found = [each.path for each in repo.check().findings if each.slug == "short-value"]
    assert found == ["region", "pin", "api_token"]


def test_a_block_that_names_no_key(repo: Repo) -> None:
    text = seal(DATABASE)
    start, end = text.index("    age:"), text.index("    lastmodified:")
    repo.write("a.enc.yaml", text[:start] + "    age: []\n" + text[end:])
    (found,) = repo.only("bad-block")
    assert "names no key" in found.message


def test_null_and_plain_empty_values_are_not_short(repo: Repo) -> None:
    repo.write("a.enc.yaml", seal("empty: ''\nnothing: null\nshown_unencrypted: ''\n"))
    assert [found.path for found in repo.only("short-value")] == ["empty"]
