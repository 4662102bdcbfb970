"""A key type takes its class and its row: everything that knows key types then knows this one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from oracle import AgeKey
from plugins.toy_key import ROW, ToyKey

from encconf import keys
from encconf.audit import names
from encconf.identities.credentials import Credentials
from encconf.keys import service
from encconf.rules import config
from encconf.testing.contracts.master_key import MasterKeyContract


@pytest.fixture(autouse=True)
def _row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(keys.TABLE, "toy", ROW)


class TestToyKey(MasterKeyContract):
    @pytest.fixture
    def key(self) -> ToyKey:
        return ToyKey("toy-bear")

    @pytest.fixture
    def other(self) -> ToyKey:
        return ToyKey("toy-train")

    @pytest.fixture
    def credentials(self) -> Credentials:
        return Credentials({"TOY_SECRETS": "toy-bear=s3cr3t-of-a-bear toy-train=choo"})

    @pytest.fixture
    def stranger(self) -> Credentials:
        return Credentials({})

    @pytest.fixture
    def secrets(self) -> list[str]:
        return ["s3cr3t-of-a-bear"]


@pytest.mark.parametrize(
    "rule",
    ["toy: toy-bear", "toy: [toy-bear]", "key_groups: [{toy: [{toy_name: toy-bear}]}]"],
)
def test_sops_yaml_names_it(rule: str) -> None:
    found = config.load(".sops.yaml", f"creation_rules: [{{{rule}}}]")
    assert found.rule_for("x.yaml").groups == [[ToyKey("toy-bear")]]
    assert found.notices == []


def test_a_key_service_is_asked_for_it() -> None:
    request = service.pack_request(ToyKey("toy-bear"), bytes(32))
    assert service.unpack_request(request) == (ToyKey("toy-bear"), bytes(32))


def test_reports_call_it_by_its_title() -> None:
    assert names.kind(ToyKey("toy-bear")) == "Toy"
    assert not keys.is_personal(ToyKey("toy-bear"))


PROGRAM = """
import sys
from encconf import keys
from plugins.toy_key import ROW
keys.TABLE["toy"] = ROW
from encconf.cli import main
if sys.argv[1] == "sops":
    del sys.argv[0]  # the name of the program decides
sys.exit(main())
"""


def run(*args: str, cwd: Path, **environ: str) -> str:
    """What a process prints that has the row from its start."""
    tests = Path(__file__).resolve().parents[1]
    path = os.pathsep.join([str(tests), str(tests.parent)])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *args],
        env={"PATH": os.environ["PATH"], "HOME": str(cwd), "PYTHONPATH": path, **environ},
        cwd=cwd, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


SECRET = {"TOY_SECRETS": "toy-bear=x toy-train=y"}


def test_the_command_line_has_its_options(tmp_path: Path, age_key: AgeKey) -> None:
    (tmp_path / "a.yaml").write_text("a: plain\n")
    encrypt = ("encrypt", "-o", "-", "a.yaml")
    encrypted = run(*encrypt, "--toy", "toy-bear", cwd=tmp_path, **SECRET)
    assert "toy_name: toy-bear" in encrypted
    assert "toy-train" in run(*encrypt, cwd=tmp_path, TOY_KEYS="toy-train", **SECRET)
    (tmp_path / "e.yaml").write_text(encrypted)
    run("rotate", "--add-age", age_key.recipient, "--rm-toy", "toy-bear", "e.yaml", cwd=tmp_path, **SECRET)
    assert not re.search("toy[-_:]", (tmp_path / "e.yaml").read_text())
    assert run("decrypt", "e.yaml", cwd=tmp_path, **age_key.environ()) == "a: plain\n"
    assert "toy keys, comma-separated" in run("help", "environment", cwd=tmp_path)
    assert "--toy NAMES" in run("encrypt", "--help", cwd=tmp_path)


def test_an_editor_does_not_get_its_secret(tmp_path: Path) -> None:
    (tmp_path / "e.yaml").write_text("a: plain\n")
    run("encrypt", "-i", "--toy", "toy-bear", "e.yaml", cwd=tmp_path, **SECRET)
    editor = "sh -c 'test -z \"$TOY_SECRETS\" && sed -i s/plain/changed/ $0'"
    run("edit", "e.yaml", cwd=tmp_path, EDITOR=editor, **SECRET)
    assert run("decrypt", "e.yaml", cwd=tmp_path, **SECRET) == "a: changed\n"


def test_sops_has_its_flags(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: plain\n")
    encrypted = run("sops", "encrypt", "--toy", "toy-bear", "a.yaml", cwd=tmp_path, **SECRET)
    assert "toy_name: toy-bear" in encrypted
