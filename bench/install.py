"""What `pip install encconf` costs: its size, and the time until the first value is decrypted.

    .venv/bin/python bench/install.py [WHEEL]

Builds the wheel, or takes the one that is named, installs it into a new virtual environment (with packages
from PyPI), and runs `encconf decrypt` on a file of twenty values: right after `pip install`, then without any
compiled bytecode (as after `uv tool install`), then again.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def run(*words: str | Path, folder: Path = ROOT, environ: dict[str, str] | None = None) -> float:
    """Run a program; the seconds it takes."""
    start = time.perf_counter()
    subprocess.run([str(word) for word in words], cwd=folder, env=environ, check=True, capture_output=True)
    return time.perf_counter() - start


def size(folder: Path) -> dict[str, int]:
    """The bytes of each top-level name in a folder."""
    sizes: dict[str, int] = {}
    for path in folder.rglob("*"):
        if path.is_file():
            name = path.relative_to(folder).parts[0]
            sizes[name] = sizes.get(name, 0) + path.stat().st_size
    return sizes


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if len(sys.argv) > 1:
            wheel = Path(sys.argv[1]).resolve()
        else:
            run(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", folder / "dist")
            (wheel,) = (folder / "dist").glob("*.whl")
        venv = folder / "venv"
        run(sys.executable, "-m", "venv", venv)
        (packages,) = venv.glob("lib/python*/site-packages")
        before = size(packages)
        installing = run(venv / "bin" / "pip", "install", wheel)
        sizes = {each: count for each, count in size(packages).items() if each not in before}
        print(f"pip install: {installing:.1f} s, {sum(sizes.values()) / 1e6:.1f} MB")
        for each, count in sorted(sizes.items(), key=lambda item: -item[1])[:6]:
            print(f"  {count / 1e6:5.1f} MB  {each}")
        environ = {"HOME": name, "PATH": os.environ["PATH"]}
        program = venv / "bin" / "encconf"
        mine = (sys.executable, "-m", "encconf")
        own = {**environ, "PYTHONPATH": str(ROOT)}
        run(*mine, "init", folder=folder, environ=own)
        text = "".join(f"key{number}: value {number}\n" for number in range(20))
        (folder / "secrets.yaml").write_text(text, encoding="utf-8")
        run(*mine, "encrypt", "secrets.yaml", folder=folder, environ=own)
        words = (program, "decrypt", "secrets.enc.yaml")
        print(f"first decrypt: {run(*words, folder=folder, environ=environ) * 1000:.0f} ms")
        for cached in list(venv.rglob("__pycache__")):
            shutil.rmtree(cached)
        print(f"without bytecode: {run(*words, folder=folder, environ=environ) * 1000:.0f} ms")
        later = min(run(*words, folder=folder, environ=environ) for _ in range(10))
        print(f"later: {later * 1000:.0f} ms")


if __name__ == "__main__":
    main()
