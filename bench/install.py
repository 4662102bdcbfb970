"""What `pip install encconf` costs: its size, and the time until the first value is decrypted.

    .venv/bin/python bench/install.py

Builds the wheel, installs it into a new virtual environment (from PyPI's packages), and runs `encconf decrypt` on
a file of twenty values: first without any compiled bytecode, as after `pip install --no-compile`, then with it.
"""

from __future__ import annotations

import os
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
    """The bytes of each top-level name in a folder, without bytecode."""
    sizes: dict[str, int] = {}
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix != ".pyc":
            name = path.relative_to(folder).parts[0]
            sizes[name] = sizes.get(name, 0) + path.stat().st_size
    return sizes


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", folder / "dist")
        (wheel,) = (folder / "dist").glob("*.whl")
        venv = folder / "venv"
        run(sys.executable, "-m", "venv", venv)
        (packages,) = venv.glob("lib/python*/site-packages")
        before = size(packages)
        installing = run(venv / "bin" / "pip", "install", "--no-compile", wheel)
        sizes = {each: count for each, count in size(packages).items() if each not in before}
        print(f"pip install: {installing:.1f} s, {sum(sizes.values()) / 1e6:.1f} MB without bytecode")
        for each, count in sorted(sizes.items(), key=lambda item: -item[1])[:6]:
            print(f"  {count / 1e6:5.1f} MB  {each}")
        environ = {"HOME": name, "PATH": os.environ["PATH"]}
        program = venv / "bin" / "encconf"
        run(program, "init", folder=folder, environ=environ)
        text = "".join(f"key{number}: value {number}\n" for number in range(20))
        (folder / "secrets.yaml").write_text(text, encoding="utf-8")
        run(program, "encrypt", "secrets.yaml", folder=folder, environ=environ)
        for cached in venv.rglob("__pycache__"):
            subprocess.run(["rm", "-r", cached], check=True)
        words = (program, "decrypt", "secrets.enc.yaml")
        print(f"first decrypt: {run(*words, folder=folder, environ=environ) * 1000:.0f} ms")
        later = min(run(*words, folder=folder, environ=environ) for _ in range(10))
        print(f"later: {later * 1000:.0f} ms")


if __name__ == "__main__":
    main()
