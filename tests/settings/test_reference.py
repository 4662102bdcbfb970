"""Every public name says what it does, shows it, and says what it raises; the reference is made of that."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

import encconf
import encconf.testing
from encconf.integrations import pydantic

ROOT = Path(__file__).resolve().parents[2]
MAKER = ROOT / "docs" / "make" / "python_reference.py"
NAMES = {name: getattr(encconf, name) for name in encconf.__all__ if name != "__version__"}
NAMES |= {name: getattr(encconf.testing, name) for name in encconf.testing.__all__}
NAMES |= {name: getattr(pydantic, name) for name in ("EncconfSettingsSource", "encrypted")}
SHOWN_BY_OTHERS = {"DataKeyCache", "Inspection", "Resolve"}  # in docs/python/README.md, docs/references.md


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_public_name_is_documented(name: str) -> None:
    text = inspect.getdoc(NAMES[name]) or ""
    assert text.partition("\n")[0].endswith((".", "`.", "``.")) or "\n\n" in text
    assert ">>>" in text or name in SHOWN_BY_OTHERS
    if inspect.isfunction(NAMES[name]):
        assert "aises" in text or "`load_config`" in text


def test_what_is_a_number_of_seconds_says_so() -> None:
    for name, thing in NAMES.items():
        function = thing.__init__ if inspect.isclass(thing) else inspect.unwrap(thing)
        try:
            parameters = inspect.signature(function).parameters
        except ValueError:
            continue
        if {"timeout", "interval", "lifetime"} & set(parameters):
            assert "seconds" in (inspect.getdoc(thing) or ""), name


@pytest.mark.parametrize("home", ["/home/somebody", "/root"])
def test_the_reference_is_the_same_for_whoever_makes_it(home: str) -> None:
    """make reference"""
    environ = {**os.environ, "HOME": home, "MINE": "s3cret-of-mine", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, str(MAKER), "--check"], env=environ, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "s3cret-of-mine" not in (ROOT / "docs" / "python" / "reference.md").read_text()


def test_a_reference_that_is_not_up_to_date(tmp_path: Path) -> None:
    (tmp_path / "docs" / "python").mkdir(parents=True)
    maker = tmp_path / "docs" / "make" / MAKER.name
    maker.parent.mkdir()
    maker.write_text(MAKER.read_text())
    (tmp_path / "docs" / "python" / "reference.md").write_text("old\n")
    command = [sys.executable, str(maker), "--check"]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "run make reference" in done.stderr
