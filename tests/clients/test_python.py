"""sopsy, pydantic-settings-sops and SecretSpec (PyPI)."""

from __future__ import annotations

import sys
from pathlib import Path

import installed
import pytest

from .conftest import Desk

pytestmark = pytest.mark.services
YAML = "db:\n    host: localhost\n    port: 5432\nname: shop\n"


@pytest.fixture(scope="module")
def packages() -> Path:
    return installed.pip(
        "python-clients", "sopsy==1.3.0", "pydantic-settings-sops==0.1.2", "secretspec==0.21.1"
    )


def test_sopsy(desk: Desk, packages: Path) -> None:
    desk.encrypted("e.yaml", YAML)
    desk.encrypted("e.json", '{"a": {"b": [1, true, null]}}\n')
    desk.write("p.yaml", YAML)
    found = desk.python(
        packages,
        "import json, sopsy\n"
        "from sopsy import Sops, SopsyInOutType, SopsyInputSource\n"
        "out = {'yaml': Sops('e.yaml').decrypt(), 'json': Sops('e.json').decrypt(),\n"
        "       'get': Sops('e.yaml').get('name'),\n"
        "       'none': Sops('e.yaml').get('nothing', default='x'),\n"
        "       'as json': Sops('e.yaml', output_type=SopsyInOutType.JSON).decrypt(),\n"
        "       'text': Sops('e.yaml', output_type='json').decrypt(to_dict=False).decode(),\n"
        "       'part': Sops('e.yaml', extract='[\"db\"][\"host\"]').decrypt(to_dict=False).decode()}\n"
        "text = open('e.yaml').read()\n"
        "stdin = Sops(text, input_source=SopsyInputSource.STDIN, input_type='yaml')\n"
        "out['stdin'] = stdin.decrypt()\n"
        "sealed = Sops('p.yaml').encrypt()\n"
        "out['sealed'] = sorted(sealed), sealed['name'][:4], sealed['sops']['mac'][:4]\n"
        "Sops('p.yaml', in_place=True).encrypt()\n"
        "out['again'] = Sops('p.yaml').decrypt()\n"
        "before = open('p.yaml').read()\n"
        "Sops('p.yaml', in_place=True).rotate()\n"
        "out['rotated'] = before != open('p.yaml').read(), Sops('p.yaml').decrypt()\n"
        "try: Sops('p.txt').decrypt()\n"
        "except sopsy.SopsyCommandFailedError as error: out['error'] = 'non-existent file' in str(error)\n"
        "print(json.dumps(out))",
    )
    tree = {"db": {"host": "localhost", "port": 5432}, "name": "shop"}
    text = found.pop("text")
    assert text.startswith('{\n\t"db": {\n\t\t"host": "localhost"')
    assert found == {
        "yaml": tree,
        "json": {"a": {"b": [1, True, None]}},
        "get": "shop",
        "none": "x",
        "as json": tree,
        "part": "localhost",
        "stdin": tree,
        "sealed": [["db", "name", "sops"], "ENC[", "ENC["],
        "again": tree,
        "rotated": [True, tree],
        "error": True,
    }


def test_pydantic_settings_sops(desk: Desk, packages: Path) -> None:
    desk.encrypted("settings.yaml", YAML)
    desk.encrypted("settings.json", '{"name": "from JSON", "token": "t-1"}\n')
    found = desk.python(
        packages,
        "from pydantic import BaseModel\n"
        "from pydantic_settings import BaseSettings, SettingsConfigDict\n"
        "from pydantic_settings_sops import SOPSConfigSettingsSource\n"
        "class Db(BaseModel):\n    host: str\n    port: int\n"
        "class Settings(BaseSettings):\n"
        "    model_config = SettingsConfigDict(yaml_file='settings.yaml', json_file='settings.json')\n"
        "    db: Db\n    name: str\n    token: str\n"
        "    @classmethod\n"
        "    def settings_customise_sources(cls, settings_cls, **others):\n"
        "        return (SOPSConfigSettingsSource(settings_cls),)\n"
        "print(Settings().model_dump_json())",
    )
    assert found == {"db": {"host": "localhost", "port": 5432}, "name": "shop", "token": "t-1"}


SECRETSPEC = """\
[project]
name = "shop"
revision = "1.0"
[profiles.default]
TOKEN = { description = "made by secretspec", type = "password", generate = true }
URL = { description = "there already", required = false }
"""
_RESOLVE = (
    "import json, sys\n"
    "from secretspec import SecretSpec\n"
    "found = SecretSpec.builder().with_provider('sops://{}').with_reason('a test').load().secrets\n"
    "print(json.dumps({{name: [each.get, each.source] for name, each in found.items()}}))"
)


@pytest.mark.parametrize("name", ["s.yaml", "s.json"])
def test_secretspec(desk: Desk, packages: Path, name: str) -> None:
    """It makes a value, has sops encrypt a file for it and write it there, and reads it back."""
    desk.write("secretspec.toml", SECRETSPEC)
    token, source = desk.python(packages, _RESOLVE.format(name))["TOKEN"]
    assert source == "generated"
    assert token not in desk.read(name)
    assert "ENC[" in desk.read(name)
    desk.sops("set", name, '["shop"]["default"]["URL"]', '"https://x"')
    found = desk.python(packages, _RESOLVE.format(name))
    assert found == {"TOKEN": [token, "provider"], "URL": ["https://x", "provider"]}
    assert desk.sops("decrypt", "--extract", '["shop"]["default"]["TOKEN"]', name) == token


def test_secretspec_knows_sops_s_words(desk: Desk, packages: Path) -> None:
    desk.write("secretspec.toml", SECRETSPEC)
    desk.write("s.yaml", "shop:\n    default:\n        URL: https://x\n")
    said = desk.run(
        *(sys.executable, "-c", _RESOLVE.format("s.yaml")), environ={"PYTHONPATH": str(packages)}, code=1
    )
    assert "sops metadata not found" in said
