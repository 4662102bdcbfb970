"""encconf filestatus."""

from __future__ import annotations

from project import Project

FILE = "secrets.enc.yaml"


class TestFilestatus:
    def test_both(self, sealed: Project) -> None:
        assert sealed.run("filestatus", FILE).out == '{"encrypted":true}\n'
        assert sealed.run("filestatus", "secrets.yaml").out == '{"encrypted":false}\n'
        sealed.write("empty.yaml", "")
        assert sealed.run("filestatus", "empty.yaml").out == '{"encrypted":false}\n'
        sealed.write("bad.yaml", "a: [")
        sealed.run("filestatus", "bad.yaml", code=2)
