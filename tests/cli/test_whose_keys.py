"""``--keyservice`` and ``--aws-profile`` of encconf's own verbs."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from doubles.moto_server import MotoServer
from project import Project

pytestmark = pytest.mark.services


@pytest.fixture
def service(sealed: Project, tmp_path: Path) -> Iterator[str]:
    """A key service that has the project's key, which the project itself has no longer."""
    socket = tmp_path / "socket"
    command = [sys.executable, "-m", "encconf", "keyservice", "--network", "unix", "--address", str(socket)]
    with subprocess.Popen(command, env=sealed.environ, stderr=subprocess.DEVNULL) as process:
        for _ in range(200):
            if socket.exists():
                break
            time.sleep(0.05)
        del sealed.environ["SOPS_AGE_KEY"]
        yield f"unix://{socket}"
        process.terminate()


def test_a_key_service(sealed: Project, service: str) -> None:
    file = "secrets.enc.yaml"
    plain = sealed.read("secrets.yaml")
    assert "error[no-key]" in sealed.run("decrypt", file, code=128).err
    flag = ["--keyservice", service]
    assert sealed.run("decrypt", *flag, file).out == plain
    assert sealed.run("get", file, "db.port", f"--keyservice={service}").out == "5432"
    sealed.run("set", *flag, file, "db.port", "5433")
    sealed.run("update", *flag, file, input=plain)
    sealed.run("rotate", *flag, file)
    assert sealed.run("exec", *flag, file, "--", "printenv", "DB_HOST").out == "localhost\n"
    # The program that is run does not see it.
    assert "SOPS_KEYSERVICE" not in sealed.run("exec", *flag, file, "--", "env").out
    assert "DB_HOST='localhost'" in sealed.run("export", *flag, "--format", "dotenv", file).out
    # One that does not answer is in the report.
    done = sealed.run("decrypt", "--keyservice", "unix:///nowhere", file, code=128)
    assert "/nowhere" in done.err


def test_an_aws_profile(project: Project) -> None:
    with MotoServer() as aws:
        arn = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
        project.environ.update(aws.environ)
        project.write("x.yaml", "a: 1\n")
        project.run("encrypt", "-i", "--kms", arn, "x.yaml")
        aws.users.clear()
        config = project.write(
            "config", "[profile ci]\naws_access_key_id = of-ci\naws_secret_access_key = x\n"
        )
        environ = {"AWS_CONFIG_FILE": str(config)}
        project.run("decrypt", "--aws-profile", "ci", "x.yaml", environ=environ)
        assert set(aws.users) == {"of-ci"}
        aws.users.clear()
        project.run("decrypt", "x.yaml", environ=environ)
        assert "of-ci" not in aws.users
        done = project.run("decrypt", "--aws-profile", "nosuch", "x.yaml", environ=environ, code=128)
        assert "nosuch" in done.err
