"""Publishing to S3 (moto), Google Cloud Storage (a double) and Vault's KV engines (a real OpenBao).

``sops publish`` of the real sops and of encconf put the same things in the same places, ask the same
questions and end alike; ``encconf publish`` has its own tests below.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from doubles.recording_keyservice import RecordingKeyservice, by_itself
from oracle import AgeKey
from project import Project
from publish.clouds import YAML, Cloud, Sides

from encconf import publish
from encconf.errors import ConfigError
from encconf.identities.credentials import Credentials
from encconf.rules.config import load

pytestmark = pytest.mark.services


@pytest.mark.parametrize(
    "args",
    [
        ["s3.yaml"],
        ["gcs.yaml"],
        ["kv1.yaml"],
        ["kv2.yaml"],
        ["--omit-extensions", "s3.yaml"],
        ["--omit-extensions", "kv2.yaml"],
        ["./s3.yaml"],
        ["--recursive", "s3.yaml"],
        ["--recursive", "s3-folder"],
        ["--verbose", "s3.yaml"],
        ["s3.yaml", "gcs.yaml"],
    ],
    ids=" ".join,
)
def test_as_sops(tmp_path: Path, cloud: Cloud, args: list[str]) -> None:
    """The same bytes or values in the same place, with the same type."""
    names = [name for name in args if name[0] not in "-."] or ["s3.yaml"]
    if "s3-folder" in names:
        names = ["s3-folder/b/c.yaml", "s3-folder/a.yaml", "s3-folder/b.json.yaml"]
    sides = Sides(tmp_path, cloud, *names)
    _, _, theirs, mine = sides.both("publish", "--yes", *args)
    assert theirs == mine
    assert len(mine) == (3 if "s3-folder" in args else 1)


@pytest.mark.parametrize("name", ["s3-again.yaml", "s3-regex.yaml"])
def test_re_encrypted(tmp_path: Path, cloud: Cloud, name: str) -> None:
    """For the other key only; of the rule's selection sops keeps a suffix, and so does encconf as sops."""
    sides = Sides(tmp_path, cloud, name)
    _, mine, there, here = sides.both("publish", "--yes", name)
    assert "+++ " + sides.other.recipient in mine.out
    assert there.keys() == here.keys()
    ((_, theirs),), ((_, ours),) = there.values(), here.values()
    assert b"text: ENC[" in theirs
    assert b"a: ENC[" in theirs
    assert b"a: ENC[" in ours
    sides.real.write("back.yaml", ours.decode())
    opened = sides.real.run("decrypt", "back.yaml", environ={"SOPS_AGE_KEY": sides.other.identity}, code=0)
    assert "name_unencrypted: free" in opened.out
    assert sides.real.run("decrypt", "back.yaml").code == 128
    # sops forgets that a suffix is the default: what it wrote cannot be read by anyone.
    assert b"name_unencrypted: ENC[" in theirs
    sides.real.write("back.yaml", theirs.decode())
    broken = sides.real.run("decrypt", "back.yaml", environ={"SOPS_AGE_KEY": sides.other.identity})
    assert broken.code == 51


def test_who_cannot_decrypt(tmp_path: Path, cloud: Cloud) -> None:
    """What goes as it is needs no key; what is decrypted does."""
    sides = Sides(tmp_path, cloud, "s3.yaml", "kv2.yaml", "s3-again.yaml")
    for box in (sides.real, sides.ours):
        box.environ["SOPS_AGE_KEY"] = AgeKey.generate().identity
    sides.both("publish", "-y", "s3.yaml")
    assert list(cloud.what()) == ["s3 s3.yaml"]
    cloud.clear()
    for name in ("kv2.yaml", "s3-again.yaml"):
        _, mine, *_ = sides.both("publish", "-y", name)
        assert mine.code == 128
        assert "opens this file" in mine.err
    assert cloud.what() == {}


def test_who_unwraps(tmp_path: Path, cloud: Cloud) -> None:
    """A key service does, where a flag names it; the machine itself, unless a flag forbids it."""
    arn = "arn:aws:kms:eu-central-1:111122223333:key/11111111-1111-1111-1111-111111111111"
    sides = Sides(tmp_path, cloud, "kv2-age.yaml")
    with RecordingKeyservice(by_itself) as service:
        flags = ["--enable-local-keyservice=false", "--keyservice", service.uri]
        sides.real.write("kv2.yaml", YAML)
        sides.real.run("encrypt", "-i", *flags, "--kms", arn, "kv2.yaml", code=0)
        sides.ours.write("kv2.yaml", sides.real.read("kv2.yaml"))
        _, mine, theirs, here = sides.both("publish", "-y", *flags, "kv2.yaml")
        assert mine.code == 0
        assert theirs == here != {}
    _, mine, *_ = sides.both("publish", "-y", "--enable-local-keyservice=false", "kv2-age.yaml")
    assert mine.code == 128


def test_who_may_not_write(tmp_path: Path, cloud: Cloud) -> None:
    """The real one does not notice that Google refused."""
    sides = Sides(tmp_path, cloud, "gcs.yaml", "kv2.yaml", "s3.yaml")
    cloud.gcs.denied.add("the-bucket")
    assert sides.real.run("publish", "-y", "gcs.yaml").code == 0
    done = sides.ours.run("publish", "-y", "gcs.yaml", code=1)
    assert "storage.objects.create" in done.err
    cloud.gcs.buckets.clear()
    said = " ".join(sides.ours.run("publish", "-y", "gcs.yaml", code=1).err.split())
    assert "Google Cloud Storage: bucket the-bucket: " in said
    assert "The specified bucket does not exist" in said
    token = cloud.bao.token(("secret/data/team/*", "read"))
    _, mine = (
        box.run("publish", "-y", "kv2.yaml", environ={"VAULT_TOKEN": token}, code=1)
        for box in (sides.real, sides.ours)
    )
    assert "create and update on secret/data/team/two/kv2.yaml" in mine.err
    assert token not in mine.err
    token = cloud.bao.token(("secret/data/team/*", "create"))
    done = sides.ours.run("publish", "-y", "kv2.yaml", environ={"VAULT_TOKEN": token}, code=0)
    assert "cannot be read" in done.err
    made = cloud.aws.client("iam")
    name = f"nobody-{tmp_path.parent.name}-{os.getpid()}"  # a server of many test processes
    made.create_user(UserName=name)
    key = made.create_access_key(UserName=name)["AccessKey"]
    cloud.aws.enforce()
    try:
        who = {
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        }
        for box in (sides.real, sides.ours):
            done = box.run("publish", "-y", "s3.yaml", environ=who, code=1)
            assert "AccessDenied" in done.err
            assert key["SecretAccessKey"] not in done.err
        assert "you need s3:PutObject on arn:aws:s3:::the-bucket/s3.yaml" in done.err
    finally:
        cloud.aws.enforce(False)


def test_where_values_may_go(tmp_path: Path, cloud: Cloud) -> None:
    """An address of .sops.yaml gets token and values only when it is one that the user named."""
    sides = Sides(tmp_path, cloud, "kv2.yaml")
    ours = sides.ours
    rules = ours.read(".sops.yaml").replace(
        "path_regex: kv2", f"path_regex: kv2\n      vault_address: {cloud.bao.address}"
    )
    ours.write(".sops.yaml", rules)
    elsewhere = {"VAULT_ADDR": "https://vault.example.com"}
    done = ours.run("publish", "-y", "kv2.yaml", environ=elsewhere, code=1)
    assert "SOPS_HC_VAULT_ALLOWLIST" in done.err
    assert cloud.what() == {}
    allowed = {**elsewhere, "SOPS_HC_VAULT_ALLOWLIST": cloud.bao.address}
    ours.run("publish", "-y", "kv2.yaml", environ=allowed, code=0)
    assert len(cloud.what()) == 1


def test_without_a_recipient(tmp_path: Path, cloud: Cloud) -> None:
    sides = Sides(tmp_path, cloud, "s3.yaml", "gcs.yaml", "kv2.yaml")
    nowhere = "http://127.0.0.1:9"
    gone = {"AWS_ENDPOINT_URL": nowhere, "STORAGE_EMULATOR_HOST": nowhere, "VAULT_ADDR": nowhere}
    for name in ("s3.yaml", "kv2.yaml"):
        done = sides.ours.run("publish", "-y", name, environ=gone, code=1)
        assert len(done.err.splitlines()) <= 2, done
    done = sides.ours.run("publish", "-y", "s3.yaml", environ={"AWS_REGION": "-"}, code=1)
    assert "set AWS_REGION" in done.err


@pytest.mark.parametrize("name", ["boto3", "google.cloud.storage", "requests"])
def test_a_package_that_is_not_there(tmp_path: Path, cloud: Cloud, name: str) -> None:
    file = {"boto3": "s3.yaml", "google.cloud.storage": "gcs.yaml", "requests": "kv2.yaml"}[name]
    sides = Sides(tmp_path, cloud, file)
    blocked = "botocore" if name == "boto3" else name
    code = (
        "import sys\n"
        "class Block:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if (name + '.').startswith({blocked + '.'!r}): raise ImportError(name)\n"
        "sys.meta_path.insert(0, Block())\n"
        f"sys.argv = ['sops', 'publish', '-y', {file!r}]\n"
        "from encconf.cli import main; sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=sides.ours.folder,
        env=sides.ours.environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1, done
    assert "pip install 'encconf[" in done.stderr


# --- encconf's own verb ----------------------------------------------------------------------------


def test_the_whole_recreation_rule_counts(project: Project, cloud: Cloud) -> None:
    project.run("publish", "-y", "s3-regex.yaml")
    ((_, text),) = cloud.what().values()
    assert isinstance(text, bytes)
    assert b"\na: 1\n" in b"\n" + text
    assert b"text: ENC[" in text
    assert b"encrypted_regex: ^text$" in text


def test_twice(project: Project, cloud: Cloud) -> None:
    project.run("publish", "-y", "kv2.yaml")
    done = project.run("publish", "-y", "--json", "kv2.yaml")
    assert "is up to date" in done.err
    assert [row["status"] for row in json.loads(done.out)["files"]] == ["unchanged"]


@pytest.mark.parametrize("member", ["encconf_merge", "encconf_conflict"])
def test_a_merge_that_is_not_finished(project: Project, cloud: Cloud, member: str) -> None:
    text = project.read("s3.yaml")
    assert text.count("\nsops:\n") == 1
    project.write("s3.yaml", text.replace("\nsops:\n", f"\nsops:\n    {member}: x\n"))
    for option in ("-y", "--dry-run"):
        assert "error[unmerged]" in project.run("publish", option, "s3.yaml", code=51).err
    assert cloud.what() == {}


# --- names and addresses ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["s3", "gcs"])
@pytest.mark.parametrize("prefix", ["p/", ""])
def test_the_address_in_a_bucket(kind: str, prefix: str) -> None:
    more = f", {kind}_prefix: {prefix}" if prefix else ""
    config = load("/x/.sops.yaml", f"destination_rules:\n  - {{{kind}_bucket: b{more}}}\n")
    destination = publish.find_destination(config, "f.yaml")
    assert publish.address(destination, "f.yaml", {}) == f"{kind}://b/{prefix}f.yaml"


def test_no_destination_for_it(project: Project) -> None:
    project.write("x.yaml", YAML)
    project.run("encrypt", "-i", "x.yaml")
    assert "no matching destination found in config" in project.run("publish", "-y", "x.yaml", code=1).err
    project.path(".sops.yaml").unlink()
    done = project.run("publish", "-y", "x.yaml", code=1)
    assert "destination_rules: [{path_regex: " in done.err


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a.yaml", "a"),
        ("a.enc.yaml", "a.enc"),
        ("x.y/a", "x.y/a"),
        ("x.y/a.json", "x.y/a"),
        (".env", ""),
        ("plain", "plain"),
    ],
)
def test_names_without_extensions(path: str, name: str) -> None:
    assert publish.name_there(f"folder/{path}", "folder", omit_extensions=True) == name
    assert publish.name_there(f"folder/{path}", "folder", omit_extensions=False) == path
    base = path.rpartition("/")[2]
    assert publish.name_there(f"folder/{path}", omit_extensions=False) == base


@pytest.mark.parametrize(
    ("rule", "environ", "address"),
    [
        ("s3_bucket: b", {}, "s3://b/x.yaml"),
        ("{s3_bucket: b, s3_prefix: p/}", {}, "s3://b/p/x.yaml"),
        ("{gcs_bucket: b, gcs_prefix: p}", {}, "gcs://b/px.yaml"),
        ("vault_path: a/b", {}, "https://127.0.0.1:8200/v1/secret/data/a/b/x.yaml"),
        ("vault_path: a/b", {"VAULT_ADDR": "https://v"}, "https://v/v1/secret/data/a/b/x.yaml"),
        (
            "{vault_path: a/, vault_address: 'https://w', vault_kv_mount_name: m, vault_kv_version: 1}",
            {"VAULT_ADDR": "https://v"},
            "https://w/v1/m/a/x.yaml",
        ),
    ],
)
def test_addresses(rule: str, environ: dict[str, str], address: str) -> None:
    config = load("/x/.sops.yaml", f"destination_rules:\n  - {rule}\n")
    assert publish.address(publish.find_destination(config, "x.yaml"), "x.yaml", environ) == address


@pytest.mark.parametrize("name", ["../x", "a/../b", "a//b", "a\nb", "."])
def test_names_that_leave_the_place(name: str) -> None:
    config = load("/x/.sops.yaml", "destination_rules:\n  - vault_path: a\n")
    destination = publish.find_destination(config, "x.yaml")
    environ = {"VAULT_ADDR": "http://127.0.0.1:9", "VAULT_TOKEN": "t"}
    with pytest.raises(publish.PublishError, match="is not the path of a secret"):
        publish.put(destination, name, {}, Credentials.from_env(environ))


def test_no_rule_no_destination() -> None:
    with pytest.raises(ConfigError, match="no matching destination"):
        publish.find_destination(load("/x/.sops.yaml", "creation_rules: []\n"), "x.yaml")


@pytest.mark.parametrize("setting", ["s3_bucket: b, s3_prefix: ../p/", "gcs_bucket: b, gcs_prefix: p/../..",
                                     "vault_path: a/../b"])  # fmt: skip
def test_a_prefix_that_leaves_its_place(project: Project, setting: str) -> None:
    project.rules(f"destination_rules:\n  - {{{setting}}}\n")
    project.write("x.yaml", "a: 1\n")
    project.run("encrypt", "-i", "x.yaml")
    done = project.run("publish", "--yes", "x.yaml", code=1)
    assert "which would leave its place" in done.err
    project.rules(f"destination_rules:\n  - {{{setting.replace('../', '..p/').replace('/..', '/p..')}}}\n")
    assert "leave its place" not in project.run("publish", "--dry-run", "--yes", "x.yaml").err
