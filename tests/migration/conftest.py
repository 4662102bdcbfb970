"""A project folder with a rule for every file."""

from __future__ import annotations

import pytest
from project import Project


@pytest.fixture
def project(project: Project) -> Project:
    project.rules()
    return project
