"""A project with the values of an application."""

from __future__ import annotations

import pytest
from project import Project

from .application import TREE


@pytest.fixture
def app(project: Project) -> Project:
    project.rules()
    project.write("app.yaml", TREE)
    project.run("encrypt", "app.yaml")
    return project
