"""Programs that read SOPS files with code of their own: what each reads, and how it is asked.

sops-age (YAML, JSON and dotenv, with age keys) and sops-decoder (JSON, with AWS KMS) come from npm.  rops
(YAML, JSON and TOML, with age keys) is inside mise, which reads variables with it; ROPS_ORACLE=/path/to/rops
names the program itself, which reads any value, and then the same tests ask it too.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import installed
import yaml
from doubles.moto_server import MotoServer

from .conftest import Desk

ROPS = os.environ.get("ROPS_ORACLE")

_SOPS_AGE = """\
import { decryptSops } from "sops-age";
console.log(JSON.stringify(await decryptSops({ path: process.argv[2] })));
"""
_SOPS_DECODER = """\
const { decodeFile } = require("sops-decoder");
decodeFile(process.argv[2]).then((data) => console.log(JSON.stringify(data)));
"""


class Reader:
    """One of them."""

    name: ClassVar[str]
    formats: ClassVar[tuple[str, ...]]
    flags: tuple[str, ...] = ()
    """What `encrypt` needs beside the rule of the desk."""

    def read(self, desk: Desk, name: str) -> Any:
        """The values of a file."""
        raise NotImplementedError


class SopsAge(Reader):
    name = "sops-age"
    formats = ("yaml", "json", "env")

    def read(self, desk: Desk, name: str) -> Any:
        _npm(desk, "sops-age", "4.0.2")
        desk.write("read.mjs", _SOPS_AGE)
        return json.loads(desk.run("node", "read.mjs", name))


class SopsDecoder(Reader):
    name = "sops-decoder"
    formats = ("json",)

    def __init__(self, aws: MotoServer) -> None:
        self.environ: Mapping[str, str] = aws.environ
        self.flags = ("--kms", aws.client("kms").create_key()["KeyMetadata"]["Arn"])

    def read(self, desk: Desk, name: str) -> Any:
        _npm(desk, "sops-decoder", "0.10.3")
        desk.write("read.cjs", _SOPS_DECODER)
        return json.loads(desk.run("node", "read.cjs", name, environ=self.environ))


class Mise(Reader):
    """Variables only, so that every value is a text."""

    name = "mise"
    formats = ("yaml", "json", "toml")

    def read(self, desk: Desk, name: str) -> Any:
        desk.write("mise.toml", f'[env]\n_.file = {{ path = "{name}" }}\n')
        environ = {
            "MISE_SOPS_AGE_KEY": desk.key.identity,
            "MISE_SOPS_ROPS": "1",
            "MISE_SOPS_STRICT": "1",
            "MISE_TRUSTED_CONFIG_PATHS": str(desk.folder),
            "MISE_OFFLINE": "1",
        }
        return json.loads(desk.run(str(installed.mise()), "env", "--json", environ=environ))


class Rops(Reader):
    """The values of YAML are texts here."""

    name = "rops"
    formats = ("yaml", "json", "toml")

    def read(self, desk: Desk, name: str) -> Any:
        assert ROPS is not None
        format = name.rpartition(".")[2]
        out = desk.run(
            ROPS, "decrypt", "-f", format, input=desk.read(name), environ={"ROPS_AGE": desk.key.identity}
        )
        loads: dict[str, Callable[[str], Any]] = {"yaml": _texts, "json": json.loads, "toml": tomllib.loads}
        return loads[format](out)


def _texts(text: str) -> Any:
    """YAML as texts: rops writes YAML 1.2, in which strings need fewer quotes than PyYAML wants."""
    return yaml.load(text, Loader=yaml.CBaseLoader)


def _npm(desk: Desk, package: str, version: str) -> None:
    modules = desk.folder / "node_modules"
    if not modules.exists():
        modules.symlink_to(installed.npm(package, version) / "node_modules")
