"""``--output-type`` of encconf's own verbs: from each format to each, and the indentation of ``stores``."""

from __future__ import annotations

import json
import tomllib

import pytest
import yaml
from project import Project

TREE = {
    "title": 'a "quoted" text\nof two lines\\',
    "number": 5,
    "float": 1.5,
    "on": True,
    "list": [1, "two", [3, {"four": 4}]],
    "key with spaces": {"deep": {"x": "y"}, "empty": {}},
    "tables": [{"a": 1}, {"b": {"c": "d"}}],
}


@pytest.fixture
def files(project: Project) -> Project:
    project.rules()
    project.write("t.yaml", yaml.safe_dump(TREE, sort_keys=False))
    project.write("t.json", json.dumps(TREE))
    project.run("encrypt", "-i", "t.yaml")
    project.run("encrypt", "-i", "t.json")
    return project


@pytest.mark.parametrize("source", ["t.yaml", "t.json"])
def test_to_toml_and_back(files: Project, source: str) -> None:
    text = files.run("decrypt", "--output-type", "toml", source).out
    assert tomllib.loads(text) == TREE
    files.write("t.toml", text)
    files.run("encrypt", "-i", "t.toml")
    assert files.run("decrypt", "t.toml").out == text
    for format, read in (("json", json.loads), ("yaml", yaml.safe_load)):
        assert read(files.run("decrypt", "--output-type", format, "t.toml").out) == TREE


def test_comments_and_dates_in_toml(project: Project) -> None:
    project.rules()
    project.write("c.yaml", "# above\na: 1 # beside\nt: 2024-01-02\nd:\n    # inside\n    b: x\n")
    project.run("encrypt", "-i", "c.yaml")
    text = project.run("decrypt", "--output-type", "toml", "c.yaml").out
    for comment in ("# above\n", "# beside\n", "# inside\n"):
        assert comment in text
    assert "t" in tomllib.loads(text)


def test_comments_of_ini_of_several_lines(project: Project) -> None:
    """Their marks are other ones, and a line without one would be no comment any more."""
    project.rules()
    project.write("c.ini", "[s]\n; one\n; x = 1\n# two\na = 1\n")
    project.run("encrypt", "-i", "c.ini")
    text = project.run("decrypt", "--output-type", "toml", "c.ini").out
    assert text == '[s]\na = "1"\n#one\n# ; x = 1\n# two\n'
    assert tomllib.loads(text) == {"s": {"a": "1"}}
    text = project.run("decrypt", "--output-type", "yaml", "c.ini").out
    assert text == 's:\n    a: "1"\n    #one\n    # ; x = 1\n    # two\n'


@pytest.mark.parametrize(
    ("plain", "said"), [("a: null\n", "TOML has no null"), ("a: [1, null]\n", "TOML has no null")]
)
def test_what_toml_cannot_hold(project: Project, plain: str, said: str) -> None:
    project.rules()
    project.write("n.yaml", plain)
    project.run("encrypt", "-i", "n.yaml")
    done = project.run("decrypt", "--output-type", "toml", "n.yaml", code=4)
    assert done.out == ""
    assert said in done.err


def test_a_part_of_it(files: Project) -> None:
    part = ["decrypt", "--output-type", "toml", "t.yaml", "--extract"]
    assert files.run(*part, "list").out == '[1, "two", [3, {four = 4}]]\n'
    assert tomllib.loads(files.run(*part, "tables[1]").out) == {"b": {"c": "d"}}


@pytest.mark.parametrize(("indent", "unit"), [(2, "  "), (0, ""), (-1, "\t")])
def test_the_indentation_of_stores(files: Project, indent: int, unit: str) -> None:
    files.rules(f"stores: {{json: {{indent: {indent}}}, yaml: {{indent: 3}}}}\n")
    assert f'{{\n{unit}"title"' in files.run("decrypt", "--output-type", "json", "t.yaml").out
    assert '\n   deep:\n      x: "y"\n' in files.run("decrypt", "--output-type", "yaml", "t.json").out
    # What stays in its format keeps its own.
    assert files.run("decrypt", "t.json").out == json.dumps(TREE)


def test_what_is_encrypted_is_not_encrypted_again(files: Project) -> None:
    files.run("encrypt", "-o", "x.json", "t.yaml", code=203)
    files.run("encrypt", "-o", "x.yaml", "t.json", code=203)
    assert not files.path("x.json").exists()
