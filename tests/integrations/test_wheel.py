"""What `pip install encconf` brings: the wheel and the sdist are built, and the wheel is used alone.

The small extras are installed, each alone.  Of the clouds' extras, only the metadata is looked at.
"""

from __future__ import annotations

import configparser
import os
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from encconf.testing import TestKey

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

LOAD = "import encconf; config = encconf.load_config('s.enc.yaml', mask=True); print(config)"
MASKED = "{'db': {'host': '**********', 'port': 5432}}"
SCHEMA = """
import dataclasses, encconf

@dataclasses.dataclass
class DB:
    host: str
    port: int

print(encconf.load_config("s.enc.yaml", section="db", schema=DB))
"""
SETTINGS = """
from pydantic import BaseModel
from pydantic_settings import BaseSettings
from encconf.integrations.pydantic import encrypted

class DB(BaseModel):
    host: str
    port: int

class Settings(BaseSettings):
    settings_customise_sources = encrypted("s.enc.yaml")
    db: DB

print(Settings().db.port)
"""
TEST = """
import encconf

def test_app(encconf_file):
    assert encconf.load_config(encconf_file("t.enc.yaml", {"a": 1})) == {"a": 1}
"""
EXTRAS = {
    "": (LOAD, MASKED),
    "ssh": ("import bcrypt\n" + LOAD, MASKED),
    "msgspec": (SCHEMA, "DB(host='**********', port=5432)"),
    "pydantic": (SETTINGS, "5432"),
}


@pytest.fixture
def wheel(built: Path) -> Path:
    (found,) = built.glob("*.whl")
    return found


def test_the_wheel_has_what_the_plugin_needs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (info,) = {name.partition("/")[0] for name in names if ".dist-info/" in name}
        points = configparser.ConfigParser()
        points.read_string(archive.read(f"{info}/entry_points.txt").decode())
    assert points["pytest11"]["encconf"] == "encconf.integrations.pytest"
    ours = {path.relative_to(ROOT).as_posix() for path in (ROOT / "encconf").rglob("*.py")}
    assert {"encconf/integrations/pytest.py", "encconf/testing/__init__.py"} <= ours
    assert {*ours, "encconf/py.typed"} <= names
    data = info.replace(".dist-info", ".data/data/share/")  # man pages and completions
    assert not [name for name in names if not name.startswith(("encconf/", info, data))]


def test_the_sdist_has_what_the_tests_need(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    here = Path(__file__).relative_to(ROOT).as_posix()
    assert {"encconf/py.typed", "encconf/integrations/pytest.py", here, "docs/python/pytest.md"} <= names
    assert {"pyproject.toml", "Makefile", "LICENSE", "README.md"} <= names


def test_the_metadata_names_every_extra(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = Parser().parsestr(archive.read(name).decode())
    extras = PROJECT["optional-dependencies"]
    assert set(metadata.get_all("Provides-Extra", [])) == set(extras)
    required = metadata.get_all("Requires-Dist", [])
    for extra, requirements in extras.items():
        own = [each for each in required if f"extra == '{extra}'" in each]
        assert len(own) >= len(requirements) > 0, extra
    # `all` names every other one.
    (together,) = extras["all"]
    assert set(together.partition("[")[2].rstrip("]").split(",")) | {"all"} == set(extras)


@pytest.mark.parametrize("extra", EXTRAS, ids=[extra or "none" for extra in EXTRAS])
def test_it_works_with_one_extra_alone(wheel: Path, tmp_path: Path, extra: str) -> None:
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    _install(python, f"{wheel}[{extra}]" if extra else str(wheel))
    key = TestKey.generate()
    key.write(tmp_path / "s.enc.yaml", {"db": {"host": "h", "port": 5432}})
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    code, printed = EXTRAS[extra]
    ran = subprocess.run(
        [str(python), "-c", code],
        cwd=tmp_path,
        env={**environ, "SOPS_AGE_KEY": key.identity},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.stdout, ran.stderr) == (printed + "\n", "")
    if extra == "":
        _install(python, "pytest")
        (tmp_path / "test_app.py").write_text(TEST)
        command = [str(python), "-m", "pytest", "-q", "test_app.py"]
        tested = subprocess.run(
            command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
        )
        assert "1 passed" in tested.stdout, tested.stdout + tested.stderr


def _install(python: Path, what: str) -> None:
    pip = [sys.executable, "-m", "pip", "--python", str(python)]
    command = [*pip, "install", "--quiet", "--no-compile", what]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
