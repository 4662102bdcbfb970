"""Commands over many files: their data keys are unwrapped side by side, each one once."""

from __future__ import annotations

import pytest
from doubles.moto_server import MotoServer
from project import Project

COUNT = 24


@pytest.mark.services
@pytest.mark.parametrize("command", [["rotate"], ["updatekeys", "-y"]])
def test_key_services_are_asked_side_by_side(project: Project, command: list[str]) -> None:
    with MotoServer() as aws:
        arn = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
        project.environ.update(aws.environ)
        project.write(".sops.yaml", f"creation_rules:\n  - kms: {arn}\n")
        names = []
        for number in range(COUNT):
            project.write(f"f{number}.yaml", f"n: {number}\n")
            project.run("encrypt", "-i", f"f{number}.yaml")
            names.append(f"f{number}.yaml")
        project.write(".sops.yaml", f"creation_rules:\n  - kms: {arn}\n    age: {project.key.recipient}\n")
        aws.calls.clear()
        aws.peak = 0
        aws.delay = 0.2
        project.run(*command, *names)
        aws.delay = 0
        assert aws.calls.count("Decrypt") == COUNT
        assert aws.peak >= 8
        for number in range(COUNT):
            assert project.run("decrypt", f"f{number}.yaml").out == f"n: {number}\n"
