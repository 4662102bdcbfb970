"""While a guard is up, only the test's own key opens files; `tests/integrations/test_pytest.py` raises it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from encconf import api
from encconf.errors import KeyAccessError, MasterKeyError
from encconf.identities.credentials import Credentials
from encconf.testing import TestKey
from encconf.testing.guard import guarded


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
