"""`Settings()` of pydantic-settings: encconf's source beside pydantic-settings-sops, which runs sops.

    .venv/bin/python bench/settings.py [ROUNDS]

Both read the same file with an age key, in turn.  The target is a hundredth of the time.
"""

from __future__ import annotations

import os
import statistics
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


def main(rounds: int = 15) -> int:
    """Print both medians and the ratio; 1 when the target is missed."""
    with tempfile.TemporaryDirectory() as folder:
        key = TestKey.generate()
        os.environ.update(clean_environ({"SOPS_AGE_KEY": key.identity}))
        programs = Path(folder) / "bin"
        programs.mkdir()
        (programs / "sops").symlink_to(sops_binary())
        os.environ["PATH"] = f"{programs}{os.pathsep}{os.environ['PATH']}"
        path = key.write(Path(folder) / "s.enc.yaml", {f"v{n}": f"value {n}" for n in range(20)})

        class Ours(BaseSettings):
            model_config = SettingsConfigDict(extra="ignore")
            settings_customise_sources = encrypted(path)
            v0: str

        class Theirs(BaseSettings):
            model_config = SettingsConfigDict(extra="ignore")
            v0: str

            @classmethod
            def settings_customise_sources(
                cls, settings_cls: type[BaseSettings], *_: Any, **__: Any
            ) -> tuple[PydanticBaseSettingsSource, ...]:
                return (SOPSConfigSettingsSource(settings_cls, yaml_file=path),)

        times: dict[str, list[float]] = {"encconf": [], "pydantic-settings-sops": []}
        for _ in range(rounds):
            makers: tuple[tuple[str, Any], ...] = (("encconf", Ours), ("pydantic-settings-sops", Theirs))
            for name, settings in makers:
                start = time.perf_counter()
                assert settings().v0 == "value 0"
                times[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(found) for name, found in times.items()}
    for name, median in medians.items():
        print(f"{name:24} {median * 1000:8.2f} ms")
    ratio = medians["pydantic-settings-sops"] / medians["encconf"]
    print(f"{'ratio':24} {ratio:8.0f}   (target {TARGET})")
    return 0 if ratio >= TARGET else 1


if __name__ == "__main__":
    raise SystemExit(main(*map(int, sys.argv[1:])))
