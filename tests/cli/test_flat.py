"""The values of files as names and texts."""

from __future__ import annotations

import pytest
from project import Project

FILE = "app.enc.yaml"


def test_names_that_clash(app: Project) -> None:
    app.write("clash.yaml", "a:\n    b: 1\na_b: 2\n")
    app.run("encrypt", "-i", "clash.yaml")
    done = app.run("exec", "clash.yaml", "--", "true", code=4)
    assert "a.b and a_b would both be named A_B" in done.err
    app.run("exec", "clash.yaml", "--nested-separator", "__", "--", "true")


def test_no_value_of_a_later_document_is_left_out(app: Project) -> None:
    app.write("two.yaml", "a: 1\n---\nb: 2\n")
    app.run("encrypt", "-i", "two.yaml")
    for words in (["exec", "two.yaml", "--", "true"], ["export", "--format", "json", "two.yaml"],
                  ["systemd", "unit", "--unit", "app", "two.yaml"]):  # fmt: skip
        done = app.run(*words, code=4)
        assert (done.out, "two.yaml: the file has 2 documents, not one" in done.err) == ("", True)


def test_a_later_document_without_values_is_no_obstacle(app: Project) -> None:
    app.write("one.yaml", "a: 1\n---\n")
    app.run("encrypt", "-i", "one.yaml")
    assert app.run("export", "--format", "json", "one.yaml").out == '{\n  "A": "1"\n}\n'
    assert app.run("decrypt", "--output-type", "json", "one.yaml").out == '{\n\t"a": 1\n}\n'


@pytest.mark.parametrize(
    ("args", "name", "value"),
    [
        (["--prefix", "APP_"], "APP_DB_HOST", "db.example.com"),
        (["--nested-separator", "__"], "DB__HOST", "db.example.com"),
        (["--section", "db"], "HOST", "db.example.com"),
        (["--keep-case"], "db_host", "db.example.com"),
        (["--pristine"], "HOME", None),
        (["--keep-keys"], "SOPS_AGE_KEY", "AGE-SECRET-KEY"),
        ([], "DB_PORT", "5432"),
    ],
)
def test_names(app: Project, args: list[str], name: str, value: str | None) -> None:
    done = app.run("exec", FILE, *args, "--", "/usr/bin/env")
    given = dict(line.split("=", 1) for line in done.out.splitlines() if "=" in line)
    assert (given.get(name) or "").startswith(value or "") if value else name not in given
