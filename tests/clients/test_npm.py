"""mise, set to call sops, and sops-age, which reads the files itself (npm)."""

from __future__ import annotations

import json
from pathlib import Path

import installed
import pytest

from .conftest import Desk

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def mise() -> Path:
    return installed.mise()


@pytest.mark.parametrize(
    ("name", "text"),
    [("s.yaml", "A: x y\nB: 2\n"), ("s.json", '{"A": "x y", "B": 2}\n')],
)
def test_mise(desk: Desk, mise: Path, name: str, text: str) -> None:
    """Without rops it sends the file to ``sops decrypt`` on stdin."""
    desk.encrypted(name, text)
    desk.write("mise.toml", f'[env]\n_.file = {{ path = "{name}" }}\n')
    environ = {
        "MISE_SOPS_AGE_KEY": desk.key.identity,
        "MISE_SOPS_ROPS": "0",
        "MISE_SOPS_STRICT": "1",
        "MISE_TRUSTED_CONFIG_PATHS": str(desk.folder),
        "MISE_OFFLINE": "1",
    }
    found = json.loads(desk.run(str(mise), "env", "--json", environ=environ))
    assert {name: found[name] for name in ("A", "B")} == {"A": "x y", "B": "2"}


SCRIPT = """\
import { decryptSops } from "sops-age";
const out = {};
for (const path of process.argv.slice(2)) out[path] = await decryptSops({ path });
console.log(JSON.stringify(out));
"""


def test_sops_age(desk: Desk) -> None:
    folder = installed.npm("sops-age", "4.0.2")
    desk.encrypted("e.yaml", "# a comment\na:\n    b: [1, true, two]\nc_unencrypted: d\n")
    desk.encrypted("e.json", '{"a": {"b": [1, true, "two"]}, "c_unencrypted": "d"}\n')
    desk.encrypted("e.env", "A=x y\nB_unencrypted=2\n")
    desk.write("read.mjs", SCRIPT)
    (desk.folder / "node_modules").symlink_to(folder / "node_modules")
    found = json.loads(desk.run("node", "read.mjs", "e.yaml", "e.json", "e.env"))
    tree = {"a": {"b": [1, True, "two"]}, "c_unencrypted": "d"}
    assert found == {"e.yaml": tree, "e.json": tree, "e.env": {"A": "x y", "B_unencrypted": "2"}}
