"""The pytest plugin, as another project's suite uses it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from encconf.testing import TestKey

ROOT = Path(__file__).resolve().parents[2]


class Suite:
    """Another project's tests, run by pytest in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, **texts: str) -> None:
        for name, text in texts.items():
            (self.folder / f"{name}.py").write_text(textwrap.dedent(text))

    def run(self, *args: str, passed: int, failed: int = 0) -> str:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *args]
        environ = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            command, cwd=self.folder, env=environ, capture_output=True, text=True, check=False
        )
        counts = {
            word: int(number) for number, word in re.findall(r"([0-9]+) (passed|failed|error)", done.stdout)
        }
        assert counts == {"passed": passed, **({"failed": failed} if failed else {})}, (
            done.stdout + done.stderr
        )
        return done.stdout


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    """A folder for another project's tests."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return Suite(tmp_path)


APP = """
    import encconf

    def create_app(path):
        return encconf.load_config(path)
"""


@pytest.fixture
def real(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, home: Path) -> Path:
    """A real key in the home folder, and a file that only it opens."""
    key = TestKey.generate()
    keys = home / ".config" / "sops" / "age" / "keys.txt"
    keys.parent.mkdir(parents=True)
    keys.write_text(key.identity + "\n")
    return key.write(tmp_path_factory.mktemp("real") / "prod.enc.yaml", {"db": {"password": "hunter2"}})


def test_a_file_and_a_throwaway_key(suite: Suite) -> None:
    suite.write(
        app=APP,
        test_app="""
        import os, subprocess, sys
        from app import create_app

        def test_app(encconf_file, encconf_key):
            path = encconf_file("s.enc.yaml", {"db": {"password": "x", "ports": [1, 2]}})
            assert create_app(path) == {"db": {"password": "x", "ports": [1, 2]}}
            assert "ENC[" in path.read_text()
            assert encconf_key.recipient in path.read_text()
            # A child process opens it, too.
            done = subprocess.run(
                [sys.executable, "-m", "encconf", "decrypt", str(path)], capture_output=True, check=True
            )
            assert b"password: x" in done.stdout

        def test_your_own_text(encconf_file):
            assert create_app(encconf_file("s.enc.env", "A=1\\n")) == {"A": "1"}

        def test_afterwards():
            assert "SOPS_AGE_KEY" not in os.environ
        """,
    )
    suite.run(passed=3)


def test_a_real_key_is_out_of_reach(suite: Suite, real: Path) -> None:
    suite.write(
        test_app=f"""
        import encconf, pytest

        def test_app(encconf_key):
            encconf.load_config({str(real)!r})

        def test_unguarded():
            assert encconf.load_config({str(real)!r})
        """
    )
    text = suite.run(passed=1, failed=1)
    assert "keys.txt (not read: test_app.py::test_app must not use real keys)" in text
    assert "hunter2" not in text


def test_the_guard_for_every_test(suite: Suite, real: Path) -> None:
    (suite.folder / "pytest.ini").write_text("[pytest]\nencconf_guard = true\naddopts = --strict-markers\n")
    suite.write(
        test_app=f"""
        import encconf, pytest

        def test_app():
            with pytest.raises(encconf.EncconfError, match="must not use real keys"):
                encconf.load_config({str(real)!r})

        @pytest.mark.encconf_real_keys
        def test_real(encconf_file):
            assert encconf.load_config({str(real)!r})
        """
    )
    suite.run(passed=2)


def test_key_services_and_gpg_are_out_of_reach(suite: Suite, home: Path) -> None:
    """The file names an AWS key and a PGP key; neither AWS nor gpg is asked."""
    (home / ".vault-token").write_text("hvs.real")
    suite.write(
        test_app="""
        import encconf, pytest
        from encconf.rules.config import Rule
        from encconf.identities.credentials import Credentials
        from encconf.keys import master_key
        from encconf.envelope import WrappedKey
        from encconf.errors import MasterKeyError

        @pytest.mark.parametrize(("type", "value"), [
            ("pgp", "FBC7B9E2A4F9289AC0C1D4843D16CEE4A27381B4"),
            ("kms", "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"),
            ("hc_vault", "http://127.0.0.1:9/v1/transit/keys/k"),
        ])
        def test_app(encconf_key, type, value):
            with pytest.raises(MasterKeyError, match="must not use (gpg|a key service)|no Vault token"):
                master_key(type, value).unwrap("AAAA", Credentials.from_env())
        """
    )
    suite.run(passed=3)


def test_in_parallel(suite: Suite) -> None:
    suite.write(
        test_app="""
        import encconf, pytest

        @pytest.mark.parametrize("n", range(6))
        def test_app(encconf_file, n):
            assert encconf.load_config(encconf_file("s.enc.yaml", {"n": n})) == {"n": n}
        """
    )
    suite.run("-n", "2", passed=6)


def test_the_plugin_costs_nothing_until_it_is_used(suite: Suite) -> None:
    """Nothing of encconf but the plugin itself is loaded."""
    suite.write(
        test_app="""
        import sys

        def test_app():
            ours = {name for name in sys.modules if name.startswith("encconf")}
            assert ours == {"encconf", "encconf.integrations", "encconf.integrations.pytest"}
        """
    )
    suite.run(passed=1)


def test_a_failed_comparison_shows_no_masked_value(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIDDEN", "c0rrect-h0rse")
    suite.write(
        conftest="""
        import os, pytest, encconf

        @pytest.fixture
        def cfg(encconf_file):
            path = encconf_file("s.enc.yaml", {"db": {"password": os.environ["HIDDEN"], "port": 5432}})
            return encconf.load_config(path, mask=True)
        """,
        test_app="""
        import dataclasses, unittest

        @dataclasses.dataclass
        class Db:
            password: str
            port: int

        def test_text(cfg):
            assert cfg["db"]["password"] == "x"

        def test_several_lines(cfg):
            assert cfg["db"]["password"] == "x\\ny"

        def test_in(cfg):
            assert "x" in cfg["db"]["password"]

        def test_not_in(cfg):
            assert cfg["db"]["password"][:4] not in cfg["db"]["password"]

        def test_unlike(cfg):
            assert cfg["db"]["password"] != cfg["db"]["password"]

        def test_tree(cfg):
            assert cfg == {"db": {"password": "x", "port": 5433}}

        def test_list(cfg):
            assert [cfg["db"]["password"]] == ["x"]

        def test_object(cfg):
            assert Db(**cfg["db"]) == Db("x", 5432)

        def test_the_other_side_has_it(cfg):
            assert cfg == {"db": {"password": str(cfg["db"]["password"]), "port": 1}}

        def test_keys(cfg):
            assert cfg["db"] == {"port": 5432, "user": "u"}

        class TestUnit(unittest.TestCase):
            def test_equal(self):
                from encconf.shape.mask import MaskedStr
                import os
                self.assertEqual(MaskedStr(os.environ["HIDDEN"]), "x")
                # the rest is not reached

            def test_dicts(self):
                from encconf.shape.mask import MaskedStr
                import os
                self.assertEqual({"a": MaskedStr(os.environ["HIDDEN"])}, {"a": "x"})

        def test_ordinary(cfg):
            assert "one" == "two"

        def test_that_passes(cfg):
            assert cfg["db"]["password"] == cfg["db"]["password"]
        """,
    )
    for options in ((), ("-vv",), ("-l",)):
        said = suite.run(*options, passed=1, failed=13)
        for part in ("c0rr", "h0rse"):
            assert part not in said, said
        assert "'**********' == 'x'" in said
        assert "['db']['port']: 5432 != 5433" in said
        assert "['user']: only on the right" in said
        assert "- two" in said
