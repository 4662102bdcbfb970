"""Buckets and a Vault, and a project that publishes to them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from doubles.gcs import Gcs
from doubles.moto_server import REGION, MotoServer
from doubles.openbao import OpenBao
from oracle import AgeKey
from project import Project
from publish.clouds import RULES, YAML, Cloud


@pytest.fixture(scope="session")
def services() -> Iterator[Cloud]:
    with MotoServer() as aws, Gcs() as gcs, OpenBao() as bao:
        cloud = Cloud(aws, gcs, bao)
        where = {"LocationConstraint": REGION}
        cloud.s3.create_bucket(Bucket="the-bucket", CreateBucketConfiguration=where)
        yield cloud


@pytest.fixture
def cloud(services: Cloud) -> Cloud:
    services.clear()
    return services


@pytest.fixture
def project(tmp_path: Path, home: Path, cloud: Cloud) -> Project:
    folder = tmp_path / "project"
    folder.mkdir()
    made = Project(folder, home, AgeKey.generate())
    other = AgeKey.generate().recipient
    made.write(".sops.yaml", RULES.replace("{R}", made.key.recipient).replace("{OTHER}", other))
    made.environ.update(cloud.environ)
    for name in ("s3.yaml", "kv2.yaml", "s3-regex.yaml", "s3-folder/a.yaml", "s3-folder/b/c.yaml"):
        made.write(name, YAML)
        made.run("encrypt", "-i", name)
    made.write("s3-folder/readme.md", "not encrypted\n")
    return made
