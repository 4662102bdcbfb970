"""What users of .env libraries meet: values that Python misreads, and how each way of loading casts them."""

from __future__ import annotations

import dataclasses

import pytest
from project import Project

from encconf import load_config, load_layers


@dataclasses.dataclass
class Settings:
    DEBUG: bool
    ZERO: bool
    PORT: int
    EMPTY: str


TEXT = "DEBUG=False\nZERO=0\nPORT=8000\nEMPTY=\n"


def test_import_names_what_python_would_misread(project: Project) -> None:
    project.rules()
    project.write(".env", TEXT).chmod(0o600)
    done = project.run("import", ".env")
    assert "warning: DEBUG: kept as text, and the text 'False' is true in Python" in done.err
    assert "encconf: ZERO: kept as text, which is true in Python" in done.err
    assert "encconf: EMPTY is set but empty" in done.err
    cast = project.run("import", "--cast", "-o", "cast.enc.yaml", ".env").err
    assert "kept as text" not in cast
    many = "".join(f"N{number}=0\n" for number in range(10))
    project.write("many.env", many).chmod(0o600)
    assert "N0, N1, N2, N3, N4, N5, N6, N7 and 2 more: kept as text" in project.run("import", "many.env").err


def test_encrypt_points_to_import(project: Project) -> None:
    project.rules()
    project.write(".env", TEXT).chmod(0o600)
    assert "encconf import .env creates YAML" in project.run("encrypt", ".env").err
    project.write("a.yaml", "a: 1\n")
    assert "import" not in project.run("encrypt", "a.yaml").err


def test_a_schema_and_layers_cast_them(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.rules()
    project.write(".env", TEXT).chmod(0o600)
    monkeypatch.setenv("SOPS_AGE_KEY", project.key.identity)
    project.run("encrypt", "-o", "s.enc.env", ".env")
    settings = load_config(project.path("s.enc.env"), schema=Settings)
    assert settings == Settings(DEBUG=False, ZERO=False, PORT=8000, EMPTY="")
    layered = load_layers(
        {"DEBUG": True, "PORT": 1}, env="APP_", environ={"APP_DEBUG": "False", "APP_PORT": "8000"}
    )
    assert layered == {"DEBUG": False, "PORT": 8000}
