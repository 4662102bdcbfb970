"""`Settings()` of pydantic-settings: encconf's source beside pydantic-settings-sops, which runs sops.

    .venv/bin/python bench/settings.py [ROUNDS]

Both read the same file of 20 values with an age key, in turn, after the usual sources (arguments,
environment, dotenv file, secrets directory).

- *first*: the import of the source and the first `Settings()`; pydantic-settings itself is there already.
- *again*: each further `Settings()`, as in a request.  encconf reads the file, and since neither its bytes
  nor the environment have changed, it does not decrypt it again; pydantic-settings-sops runs sops.
- *changed*: `Settings()` after the file has changed, so that encconf decrypts it.
- *no file*: pydantic-settings alone, which is part of each of the others.

The target is for *again*: a hundredth of the time.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from oracle import clean_environ, sops_binary
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings_sops import SOPSConfigSettingsSource

from encconf.integrations.pydantic import encrypted
from encconf.testing import TestKey

TARGET = 100
FIRST = """
import sys, time, pydantic_settings
start = time.perf_counter()
{imports}
class Settings(pydantic_settings.BaseSettings):
    model_config = {{"extra": "ignore"}}
    v0: str
    {sources}
Settings()
print(time.perf_counter() - start)
"""
OURS = FIRST.format(
    imports="from encconf.integrations.pydantic import encrypted",
    sources="settings_customise_sources = encrypted(sys.argv[1])",
)
THEIRS = FIRST.format(
    imports="from pydantic_settings_sops import SOPSConfigSettingsSource",
    sources="""
    @classmethod
    def settings_customise_sources(cls, settings_cls, **others):
        return (*others.values(), SOPSConfigSettingsSource(settings_cls, yaml_file=sys.argv[1]))
    """,
)


class Nothing(BaseSettings):
    """No file."""

    v0: str = "value 0"


def main(rounds: int = 15) -> int:
    """Print minimum and median of each, and the ratio; 1 when the target is missed."""
    with tempfile.TemporaryDirectory() as folder:
        key = TestKey.generate()
        clean = clean_environ({"SOPS_AGE_KEY": key.identity})
        os.environ.clear()
        os.environ.update(clean)
        programs = Path(folder) / "bin"
        programs.mkdir()
        (programs / "sops").symlink_to(sops_binary())
        os.environ["PATH"] = f"{programs}{os.pathsep}{os.environ['PATH']}"
        path = key.write(Path(folder) / "s.enc.yaml", {f"v{n}": f"value {n}" for n in range(20)})
        versions = [path.read_bytes(), path.read_bytes() + b"# changed\n"]

        class Ours(BaseSettings):
            model_config = SettingsConfigDict(extra="ignore")
            settings_customise_sources = encrypted(path)
            v0: str

        class Theirs(BaseSettings):
            model_config = SettingsConfigDict(extra="ignore")
            v0: str

            @classmethod
            def settings_customise_sources(
                cls, settings_cls: type[BaseSettings], *_: Any, **others: PydanticBaseSettingsSource
            ) -> tuple[PydanticBaseSettingsSource, ...]:
                return (*others.values(), SOPSConfigSettingsSource(settings_cls, yaml_file=path))

        times: dict[str, list[float]] = {}
        for number in range(rounds):
            for name, program in (("encconf first", OURS), ("pydantic-settings-sops first", THEIRS)):
                run = [sys.executable, "-c", program, str(path)]
                times.setdefault(name, []).append(float(subprocess.check_output(run)))
            path.write_bytes(versions[number % 2])
            makers: tuple[tuple[str, Any], ...] = (
                ("encconf changed", Ours),
                ("encconf again", Ours),
                ("pydantic-settings-sops again", Theirs),
                ("no file", Nothing),
            )
            for name, settings in makers:
                start = time.perf_counter()
                assert settings().v0 == "value 0"
                times.setdefault(name, []).append(time.perf_counter() - start)
    print(f"{'ms':30}{'minimum':>10}{'median':>10}")
    for name, found in times.items():
        print(f"{name:30}{min(found) * 1000:10.2f}{statistics.median(found) * 1000:10.2f}")
    ours, theirs = times["encconf again"], times["pydantic-settings-sops again"]
    ratio = statistics.median(theirs) / statistics.median(ours)
    print(f"{'ratio':30}{min(theirs) / min(ours):10.0f}{ratio:10.0f}   (target {TARGET})")
    return 0 if ratio >= TARGET else 1


if __name__ == "__main__":
    raise SystemExit(main(*map(int, sys.argv[1:])))
