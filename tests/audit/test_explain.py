"""``encconf explain``: which rule, which keys, and what every value becomes, as encrypting does it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from oracle import AgeKey
from project import PLAIN, ROOT, Project

from encconf import api, formats
from encconf.audit import explain as explaining
from encconf.audit.explain import Explanation, explain
from encconf.cli.commands import explain as printing
from encconf.rules.config import find_rule
from encconf.rules.selection import Selection

ALICE, BOB, CAROL = AgeKey.generate(), AgeKey.generate(), AgeKey.generate()
PAGE = ROOT / "docs" / "reference" / "json.md"
SECRET = "hunter2-canary-3f9a"
RULES = f"""\
creation_rules:
  - path_regex: ^prod/.*\\.yaml$
    key_groups:
      - age: [{ALICE.recipient}] # alice
      - age: [{BOB.recipient}]
      - age: [{CAROL.recipient}]
    shamir_threshold: 2
    encrypted_regex: ^(password|token)$
  - path_regex: ^(?!x)
    age: {ALICE.recipient}
"""
ONE = f"creation_rules:\n  - path_regex: \\.enc\\.\n    age: {ALICE.recipient}\n"


@pytest.fixture
def project(tmp_path: Path, home: Path) -> Project:
    folder = tmp_path / "project"
    folder.mkdir()
    project = Project(folder, home, ALICE)
    project.write(".sops.yaml", ONE)
    return project


def explained(project: Project, file: str, *arguments: str, code: int = 0) -> dict[str, object]:
    said = json.loads(project.run("explain", "--json", file, *arguments, code=code).out)
    assert isinstance(said, dict)
    return said


def fates(found: Explanation) -> dict[str, bool]:
    return {fate.path: fate.encrypted for fate in found.fates}


# --- the rule --------------------------------------------------------------------------------------


def test_a_file_that_does_not_exist_yet(project: Project) -> None:
    project.write(".sops.yaml", RULES)
    project.write(".sops.recipients", f"bob {BOB.recipient}\n")
    out = project.run("explain", "prod/new.yaml").out
    assert out.splitlines() == [
        "prod/new.yaml: does not exist (yaml)",
        "",
        "configuration: .sops.yaml",
        "  not there: prod/.sops.yaml",
        "rules, looked up for prod/new.yaml:",
        '> creation_rules[0]  path_regex "^prod/.*\\.yaml$" matches',
        '  creation_rules[1]  path_regex "^(?!x)" is not reached',
        "",
        "keys of the rule: this needs one key of any 2 of the 3 groups, each",
        "  group 1",
        f"    age alice ({ALICE.recipient[:8]}…{ALICE.recipient[-4:]})",
        "  group 2",
        f"    age bob ({BOB.recipient[:8]}…{BOB.recipient[-4:]})",
        "  group 3",
        f"    age {CAROL.recipient[:8]}…{CAROL.recipient[-4:]}",
        "values: those below a key that matches ^(password|token)$ are encrypted (encrypted_regex)",
    ]
    assert not project.path("prod").exists()


def test_a_file_in_which_nothing_is_encrypted(project: Project) -> None:
    """It has the keys and the selection of its rule, but that does not make it encrypted."""
    project.write(".sops.yaml", ONE + "    encrypted_regex: ^(data|stringData)$\n")
    project.write("a.enc.yaml", api.encrypt("host: x\n", find_rule("a.enc.yaml", cwd=str(project.folder))))
    out = project.run("explain", "a.enc.yaml").out
    assert out.startswith("a.enc.yaml: has a sops block, but no encrypted value (yaml)\n")
    assert "the file and the rule differ:\n  the file has a sops block, but none of its values is" in out
    assert "agree" not in out
    assert len(explained(project, "a.enc.yaml")["differences"]) == 1  # type: ignore[arg-type]


def test_why_a_rule_cannot_be_used(project: Project) -> None:
    project.write(".sops.yaml", RULES)
    said = explained(project, "dev/new.yaml", code=1)
    first, second = said["rules"]  # type: ignore[misc]
    assert first["reason"] == "does not match"  # type: ignore[has-type]
    assert second["reason"].startswith("cannot be used: ")  # type: ignore[has-type]
    assert said["rule"] is None
    assert said["error"]


@pytest.mark.parametrize(
    ("config", "slug"),
    [
        ("creation_rules: [", "config"),
        ("creation_rules: 5\n", "config"),
        ("- 1\n", "config"),
        ("creation_rules:\n  - path_regex: enc\n    age: age1nope\n", "bad-key"),
        ("creation_rules:\n  - path_regex: enc\n", "config"),
        ("creation_rules:\n  - path_regex: nowhere\n", "no-rule"),
        ("", "no-rule"),
        ("\x00\x1b[2J", "parse"),
        ("creation_rules:\n" + "  - path_regex: '(((('\n" * 3, "pattern"),
        ("creation_rules:\n  - path_regex: '" + "(a*)*" * 900 + "'\n", "pattern"),
        ("a: &a [x]\n" + "".join(f"b{n}: &b{n} [*a,*a]\n" for n in range(50)), "no-rule"),
    ],
)
def test_a_configuration_that_cannot_be_read(project: Project, config: str, slug: str) -> None:
    project.write(".sops.yaml", config)
    project.write("a.enc.yaml", f"password: {SECRET}\n")
    done = project.run("explain", "a.enc.yaml", code=1)
    assert "a.enc.yaml: plaintext (yaml)" in done.out
    assert "encconf: error[" in done.err
    assert SECRET not in done.out + done.err
    assert all(line.isprintable() for line in done.out.splitlines())
    explained(project, "a.enc.yaml", code=1)


def test_no_configuration(project: Project) -> None:
    project.path(".sops.yaml").unlink()
    done = project.run("explain", "a.enc.yaml", code=1)
    assert "  not there: .sops.yaml\n" in done.out
    assert "error[no-config]" in done.err


def test_a_configuration_that_is_named(project: Project) -> None:
    project.write("other/rules.yaml", f"creation_rules:\n  - age: {BOB.recipient}\n")
    said = explained(project, "x.yaml", "--config", "other/rules.yaml")
    assert said["config"] == str(project.path("other/rules.yaml"))
    assert explained(project, "x.yaml", code=1)["config"] == str(project.path(".sops.yaml"))


def test_from_another_folder(project: Project) -> None:
    (project.folder / "sub" / "deep").mkdir(parents=True)
    project.folder = project.path("sub/deep")
    done = project.run("explain", "../a.enc.yaml")
    assert "configuration: ../../.sops.yaml\n" in done.out
    assert "rules, looked up for sub/a.enc.yaml:\n" in done.out


NAMES = ("prod/a.yaml", "a.enc.json", "x.yaml", "secret.env", "prod/b.toml", "c")


@pytest.mark.parametrize("name", NAMES)
def test_the_rule_is_that_of_encrypting(project: Project, name: str) -> None:
    groups = (ALICE, BOB, CAROL)
    patterns = (r"^prod/.*\.yaml$", r"\.enc\.", "")
    project.write(
        ".sops.yaml",
        "creation_rules:\n"
        + "".join(
            f"  - path_regex: '{regex}'\n    age: {key.recipient}\n"
            for regex, key in zip(patterns, groups, strict=True)
        ),
    )
    found = explain(name, cwd=str(project.folder))
    assert found.rule is not None
    wanted = find_rule(name, cwd=str(project.folder))
    assert (found.rule.name, found.rule.groups) == (wanted.name, wanted.groups)
    assert [rule.matches for rule in found.tried].index(True) == found.number


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("secrets.yaml", "secrets.enc.yaml"),
        (".env", ".enc.env"),
        ("Makefile", "Makefile.enc"),
        ("x.sops.yaml", "x.sops.enc.yaml"),
    ],
)
def test_a_plaintext_file_is_looked_up_by_the_name_of_its_encrypted_file(
    project: Project, name: str, written: str
) -> None:
    rule = f"  - path_regex: '^{re.escape(written)}$'\n    age: {project.key.recipient}\n"
    project.write(".sops.yaml", f"creation_rules:\n{rule}")
    project.write(name, "A=1\n" if name == ".env" else PLAIN)
    said = explained(project, name)
    assert said["names"] == [written, name]
    project.run("encrypt", name)
    assert project.path(written).exists()


# --- every value -----------------------------------------------------------------------------------

YAML = """\
# secret: all of these
db:
    host: localhost
    # note
    password: correct horse
    port_unencrypted: 5432
    empty: ""
    nothing: null
    # secret
    list: [a, {token: b}]
list_secret:
    - x
    - y: z
"""
TEXTS = {
    "yaml": YAML,
    "json": json.dumps(
        {"db": {"host": "h", "password": "p", "n": None}, "list_secret": ["a", {"token": 1}], "x": True}
    ),
    "dotenv": "# secret\nHOST=h\nPASSWORD=p\nX_unencrypted=1\nY_secret=\n",
    "ini": "[db]\nhost = h\n; secret\npassword = p\nx_secret = 1\n",
    "toml": '# secret\nhost = "h"\n[db]\npassword = "p"\nx_unencrypted = 1\nlist_secret = [1, 2]\n',
    "binary": "anything at all",
}
SELECTIONS = [
    Selection("unencrypted_suffix", "_unencrypted"),
    Selection("encrypted_suffix", "_secret"),
    Selection("encrypted_regex", "(?i)^(password|token)$"),
    Selection("unencrypted_regex", "^(host|db)$"),
    Selection("encrypted_comment_regex", "secret"),
    Selection("unencrypted_comment_regex", "secret"),
]


@pytest.mark.parametrize("format", TEXTS)
@pytest.mark.parametrize("selection", SELECTIONS, ids=lambda selection: selection.kind)
def test_the_explanation_matches_what_encrypting_does(
    project: Project, format: str, selection: Selection
) -> None:
    name = {"dotenv": "a.enc.env", "binary": "a.enc.bin"}.get(format, f"a.enc.{format}")
    project.write(".sops.yaml", f"{ONE}    {selection.kind}: '{selection.pattern}'\n")
    project.write(name, TEXTS[format])
    before = explain(name, cwd=str(project.folder))
    assert before.state == "plain"
    assert before.rule is not None
    enc = api.encrypt(TEXTS[format], before.rule, format=format)
    project.write(name, enc)
    after = explain(name, cwd=str(project.folder))
    assert after.state == "encrypted"
    bare = "the file has a sops block, but none of its values is encrypted"
    nothing = ("encrypted_comment_regex", "json"), ("unencrypted_regex", "ini")
    assert after.differences == ([bare] if (selection.kind, format) in nothing else [])
    leaves = formats.get(format).scan(enc).leaves
    really = [bool(leaf.data and leaf.data.startswith(b"ENC[AES256_GCM,")) for leaf in leaves]
    assert [fate.encrypted for fate in before.fates] == really
    assert [fate.now for fate in after.fates] == really
    assert [(fate.path, fate.encrypted) for fate in after.fates] == list(fates(before).items())
    assert any(really) or not any(fates(before).values())


def test_why(project: Project) -> None:
    project.write("a.enc.yaml", YAML)

    def reasons(kind: str, pattern: str) -> dict[str, str]:
        project.write(".sops.yaml", f"{ONE}    {kind}: '{pattern}'\n")
        return {fate.path: fate.reason for fate in explain("a.enc.yaml", cwd=str(project.folder)).fates}

    said = reasons("encrypted_regex", "^(db|token)$")
    assert said["db.host"] == "it is below db, which matches ^(db|token)$"
    assert said["db.empty"] == "it is empty"
    assert said["db.nothing"] == "null is never encrypted"
    assert said["list_secret[0]"] == "no key on its path matches ^(db|token)$"
    said = reasons("unencrypted_suffix", "_unencrypted")
    assert said["db.port_unencrypted"] == "its key ends in _unencrypted"
    said = reasons("encrypted_comment_regex", "secret$")
    assert said["db.list[1].token"] == "the comment in line 9 matches secret$"
    assert said["db.password"] == "no comment before it matches secret$"


def test_the_place_of_a_value(project: Project) -> None:
    project.write("a.enc.yaml", YAML)
    found = explain("a.enc.yaml", cwd=str(project.folder))
    (fate,) = (fate for fate in found.fates if fate.path == "db.password")
    assert (fate.line, fate.column) == (5, 15)


# --- an encrypted file -----------------------------------------------------------------------------


def test_a_file_that_differs_from_its_rule(project: Project) -> None:
    project.write("a.enc.yaml", "password: correct horse\nhost: example.com\n")
    project.run("encrypt", "-i", "a.enc.yaml")
    assert "the file and the rule agree" in project.run("explain", "a.enc.yaml").out
    rules = f"  - path_regex: enc\n    age: {BOB.recipient} # bob\n    encrypted_regex: ^password$\n"
    project.write(".sops.yaml", f"creation_rules:\n{rules}")
    said = explained(project, "a.enc.yaml")
    alice, bob = (f"{key.recipient[:8]}…{key.recipient[-4:]}" for key in (ALICE, BOB))
    assert [
        f"encrypted for age {alice} as well, which the rule does not name, and not encrypted for age bob "
        f"({bob}), which the rule names (creation_rules[0])",
        "the file has unencrypted_suffix _unencrypted; creation_rules[0] has encrypted_regex ^password$, "
        "but it would encrypt none of the plaintext values",
    ] == said["differences"]
    assert [(each["path"], each["encrypted"], each["now"]) for each in said["values"]] == [  # type: ignore[attr-defined]
        ("password", True, True),
        ("host", False, True),
    ]
    out = project.run("explain", "a.enc.yaml").out
    assert re.search(r"^  plaintext +host +no key .*; it is encrypted now$", out, flags=re.M)
    project.run(
        "updatekeys",
        "-y",
        "--selection",
        "--allow-plaintext",
        "a.enc.yaml",
        environ={"SOPS_AGE_KEY": ALICE.identity},
    )
    assert explained(project, "a.enc.yaml")["differences"] == []


def test_a_file_without_a_rule_is_explained_by_its_own_metadata(project: Project) -> None:
    project.write("a.enc.yaml", f"password: {SECRET}\n")
    project.run("encrypt", "-i", "a.enc.yaml")
    project.path("a.enc.yaml").rename(project.path("a.yaml"))
    done = project.run("explain", "a.yaml", code=1)
    assert "keys of the file: this one opens the file" in done.out
    assert "encrypted  password" in done.out


def test_an_unfinished_merge_is_reported(project: Project) -> None:
    project.write("a.enc.yaml", "password: correct horse\n")
    project.run("encrypt", "-i", "a.enc.yaml")
    text = project.read("a.enc.yaml")
    project.write("a.enc.yaml", text.replace("    mac:", "    encconf_merge: a b c\n    mac:"))
    out = project.run("explain", "a.enc.yaml").out
    assert "merged without a key, so it has no MAC yet; encconf edit finishes it" in out


# --- anything ----------------------------------------------------------------------------------------

HOSTILE: dict[str, bytes] = {
    "binary.enc.yaml": b"\x00\xff\xfeENC[AES256_GCM,data:\x80]" * 100,
    "deep.enc.json": b"[" * 100_000,
    "deep.enc.yaml": b"{a: " * 20_000,
    "keys.enc.yaml": b"sops: [1, 2]\na: ENC[AES256_GCM,data:]\n",
    "scalar.enc.yaml": b"just text\n",
    "entries.enc.yaml": b"a: ENC[x]\nsops: {age: [{enc: 1, recipient: [2]}], mac: {a: 1}}\n",
    "regex.enc.yaml": b"a: ENC[x]\nsops: {age: [{enc: x, recipient: y}], encrypted_regex: '(((('}\n",
    "names.enc.yaml": b'"k\\e[2J\\u202e\\n": plain\nsops: {age: [{enc: x, recipient: "\\e[2J"}], mac: x}\n',
    "empty.enc.yaml": b"",
    "escape\x1b[2J.enc.yaml": b"a: 1\n",
    "new\nline.enc.yaml": b"a: 1\n",
    "not-utf8-\udcff.enc.yaml": b"a: plain\n",
}


@pytest.mark.parametrize("name", sorted(HOSTILE), ids=ascii)
def test_hostile_files(tmp_path: Path, name: str) -> None:
    (tmp_path / ".sops.yaml").write_text(ONE)
    (tmp_path / name).write_bytes(HOSTILE[name])
    found = explain(name, cwd=str(tmp_path))
    for out in (printing.text(found, str(tmp_path)), json.dumps(explaining.to_json(found))):
        assert all(line.isprintable() for line in out.split("\n"))


def test_no_value_is_printed(project: Project) -> None:
    plain = f"a: {SECRET}\nb: [{SECRET}]\n# {SECRET}\nc: {{d_unencrypted: {SECRET}}}\n"
    for text in (plain, f"{plain} e: [", f"{plain}sops: {SECRET}\n", f"{plain}sops: {{mac: {SECRET}}}\n"):
        project.write("a.enc.yaml", text)
        for arguments in ([], ["--json"]):
            command = ["explain", "a.enc.yaml", *arguments]
            done = project.popen(*command, stdout=-1, stderr=-1)
            out, err = done.communicate(timeout=60)
            assert done.returncode in (0, 1, 2)
            assert SECRET.encode() not in out + err
            assert b"Traceback" not in err


def test_what_cannot_be_read(project: Project) -> None:
    project.path("a.enc.yaml").mkdir()
    assert "error[" in project.run("explain", "a.enc.yaml", code=2).err
    project.write("b.enc.yaml", "a: [\n")
    done = project.run("explain", "b.enc.yaml", code=2)
    assert "b.enc.yaml: cannot be read (yaml)" in done.out
    assert "> creation_rules[0]" in done.out
    project.run("explain", "-", code=1)


def test_every_member_is_documented(project: Project) -> None:
    page = PAGE.read_text(encoding="utf-8")
    project.write("a.enc.yaml", "password: correct horse\n")
    project.run("encrypt", "-i", "a.enc.yaml")
    said = explained(project, "a.enc.yaml")

    def members(value: object) -> set[str]:
        if isinstance(value, dict):
            return set(value).union(*map(members, value.values()))
        return set().union(*map(members, value)) if isinstance(value, list) else set()

    missing = {name for name in members(said) - {"unencrypted_suffix"} if f"{name}`" not in page}
    assert not missing
