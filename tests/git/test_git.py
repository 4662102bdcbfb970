"""``encconf git …`` with a real git."""

from __future__ import annotations

from project import Project

from encconf.git import exposure


class TestExposure:
    def test_of_a_file(self, project: Project) -> None:
        path = str(project.write("a b/[x]*.yaml", "a: 1\n"))
        assert exposure(path) is None
        project.git("init", "-q")
        assert exposure(path) == "untracked"
        project.write(".gitignore", "a b/\n")
        assert exposure(path) is None
        project.git("add", "-f", "a b")
        assert exposure(path) == "tracked"
        project.write("a b/x.yaml", "")
        assert exposure(str(project.path("a b/x.yaml"))) is None
