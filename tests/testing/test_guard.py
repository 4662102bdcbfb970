"""While a guard is up, only the test's own key opens files; `tests/integrations/test_pytest.py` raises it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from encconf import api
from encconf.errors import KeyAccessError, MasterKeyError
from encconf.identities.credentials import Credentials
from encconf.testing import TestKey, guarded


def test_only_the_key_of_the_test_opens_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, own = TestKey.generate(), TestKey.generate()
    theirs, mine = (key.write(tmp_path / f"{at}.enc.yaml", {"a": 1}) for at, key in enumerate((real, own)))
    monkeypatch.setenv("SOPS_AGE_KEY", real.identity)
    monkeypatch.setenv("SOPS_AGE_KEY_CMD", "false")
    with guarded(own, "my test"):
        assert api.load_config(mine) == {"a": 1}
        assert os.environ["SOPS_AGE_KEY"] == own.identity
        assert "SOPS_AGE_KEY_CMD" not in os.environ
        with pytest.raises(KeyAccessError, match="my test must not use real keys") as caught:
            api.load_config(theirs)
        assert real.identity not in str(caught.value)
        assert "@pytest.mark.encconf_real_keys" in str(caught.value.hint)
    assert (os.environ["SOPS_AGE_KEY"], os.environ["SOPS_AGE_KEY_CMD"]) == (real.identity, "false")
    assert api.load_config(theirs) == {"a": 1}


def test_no_gpg_and_no_service() -> None:
    with guarded(TestKey.generate(), "my test"):
        made = Credentials.from_env()
        with pytest.raises(MasterKeyError, match="my test must not use gpg"):
            _ = made.gpg
        with pytest.raises(MasterKeyError, match=r"must not use a key service \(kms\)") as caught:
            made.client(("kms", "eu"), object)
        assert "encconf_real_keys" in str(caught.value.hint)


def test_it_is_down_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOPS_AGE_KEY", "AGE-SECRET-KEY-of-before")
    with pytest.raises(KeyError), guarded(TestKey.generate(), "my test"):
        del os.environ["SOPS_AGE_KEY"], os.environ["SOPS_AGE_KEY"]
    assert os.environ["SOPS_AGE_KEY"] == "AGE-SECRET-KEY-of-before"
    assert Credentials.from_env().client(("kms", "eu"), lambda: "made") == "made"


def test_programs_that_a_test_starts_are_guarded(tmp_path: Path, home: Path) -> None:
    real, own = TestKey.generate(), TestKey.generate()
    theirs, mine = (key.write(tmp_path / f"{at}.enc.yaml", {"a": 1}) for at, key in enumerate((real, own)))
    keys = home / ".config" / "sops" / "age" / "keys.txt"
    keys.parent.mkdir(parents=True)
    keys.write_text(real.identity)
    program = "import encconf, sys; encconf.load_config(sys.argv[1])"

    def run(path: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", program, str(path)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    with guarded(own, "my test"):
        assert run(mine).returncode == 0
        done = run(theirs)
        assert done.returncode == 1
        assert "keys.txt (not read: my test must not use real keys)" in done.stderr
        assert real.identity not in done.stderr
    assert "ENCCONF_GUARD" not in os.environ
    assert run(theirs).returncode == 0
