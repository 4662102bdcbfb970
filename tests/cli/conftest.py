"""A project with the values of an application."""

from __future__ import annotations

import pytest
from cli.many import fill, rule_for, rules
from oracle import AgeKey
from project import Project

from encconf import api

from .application import TREE


@pytest.fixture
def app(project: Project) -> Project:
    project.rules()
    project.write("app.yaml", TREE)
    project.run("encrypt", "app.yaml")
    return project


@pytest.fixture
def team(project: Project) -> tuple[Project, AgeKey]:
    bob = AgeKey.generate()
    fill(project, 2, bob)
    project.write("other.enc.env", api.encrypt("A=1\n", rule_for(project.key), format="dotenv"))
    rules(project, project.key)
    project.write(".sops.recipients", f"bob {bob.recipient}\n")
    return project, bob
