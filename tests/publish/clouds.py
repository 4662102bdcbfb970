"""Two clouds and a Vault, for encconf and for sops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from doubles.gcs import Gcs
from doubles.moto_server import REGION, MotoServer
from doubles.openbao import ROOT_TOKEN, OpenBao
from oracle import AgeKey
from sops.conftest import Ended, boxes

YAML = """\
a: 1
f: 1.5
t: true
nothing: null
text: hello
when: 2024-01-02T03:04:05Z
deep:
    list: [1, two]
    name_unencrypted: free
"""

RULES = """\
creation_rules:
    - age: {R}
destination_rules:
    - s3_bucket: the-bucket
      s3_prefix: pre/
      path_regex: s3-again
      recreation_rule:
          age: {OTHER}
    - s3_bucket: the-bucket
      s3_prefix: regex/
      path_regex: s3-regex
      recreation_rule:
          age: {OTHER}
          encrypted_regex: ^text$
    - s3_bucket: the-bucket
      path_regex: s3
    - gcs_bucket: the-bucket
      gcs_prefix: pre/
      path_regex: gcs
      omit_extensions: true
    - vault_path: team/one
      path_regex: kv1
      vault_kv_mount_name: kv
      vault_kv_version: 1
    - vault_path: team/two/
      path_regex: kv2
    - s3_bucket: the-bucket
      vault_path: x
      path_regex: two-places
    - path_regex: no-place
"""


class Cloud:
    """The three services, emptied before each test."""

    def __init__(self, aws: MotoServer, gcs: Gcs, bao: OpenBao) -> None:
        self.aws, self.gcs, self.bao = aws, gcs, bao
        self.s3: Any = aws.client("s3")
        self.environ = {
            **aws.environ,
            "AWS_REGION": REGION,
            **gcs.environ,
            "VAULT_ADDR": bao.address,
            "VAULT_TOKEN": ROOT_TOKEN,
        }

    def clear(self) -> None:
        for found in self.s3.list_objects_v2(Bucket="the-bucket").get("Contents", []):
            self.s3.delete_object(Bucket="the-bucket", Key=found["Key"])
        self.gcs.buckets = {"the-bucket": {}}
        self.gcs.denied.clear()
        for mount, version in (("kv", "1"), ("secret", "2")):
            self.bao.root.sys.disable_secrets_engine(mount)
            self.bao.root.sys.enable_secrets_engine("kv", path=mount, options={"version": version})

    def what(self) -> dict[str, tuple[str, bytes | object]]:
        """Everything that was published: the place, the content's type, and the content."""
        found: dict[str, tuple[str, bytes | object]] = {}
        for each in self.s3.list_objects_v2(Bucket="the-bucket").get("Contents", []):
            body = self.s3.get_object(Bucket="the-bucket", Key=each["Key"])
            found[f"s3 {each['Key']}"] = (body["ContentType"], body["Body"].read())
        for name, item in self.gcs.buckets["the-bucket"].items():
            found[f"gcs {name}"] = (item.type, item.data)
        for path in ("kv/team/one/", "secret/metadata/team/two/"):
            listed = self.bao.root.list(path)
            for name in listed["data"]["keys"] if listed else []:
                place = path.replace("metadata", "data") + name
                data = self.bao.root.read(place)["data"]
                found[f"vault {place}"] = ("", data["data"] if "data/" in place else data)
        return found


class Sides:
    """The real sops and the drop-in, each with the same encrypted files."""

    def __init__(self, folder: Path, cloud: Cloud, *names: str) -> None:
        self.key, self.other = AgeKey.generate(), AgeKey.generate()
        rules = RULES.replace("{R}", self.key.recipient).replace("{OTHER}", self.other.recipient)
        files = {f"{name}!": YAML for name in names}
        self.real, self.ours = boxes(folder, self.key, {".sops.yaml": rules, **files})
        self.cloud = cloud
        for box in (self.real, self.ours):
            box.environ.update(cloud.environ)

    def both(self, *args: str, input: str = "") -> tuple[Ended, Ended, dict[str, Any], dict[str, Any]]:
        """Run it on both sides: how they ended, and what each of them published."""
        theirs = self.real.run(*args, input=input)
        there = self.cloud.what()
        self.cloud.clear()
        mine = self.ours.run(*args, input=input)
        out = mine.out.replace(str(self.ours.folder), str(self.real.folder))
        assert (mine.code, out) == (theirs.code, theirs.out), (mine, theirs)
        return theirs, mine, there, self.cloud.what()
