"""Other systems, as far as Linux can simulate them: Windows without POSIX, its consoles and line endings.

docs/platforms.md says what this proves and what it does not prove.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from project import ROOT, Project

WINDOWS = ROOT / "tests" / "windows"


@pytest.fixture
def windows(sealed: Project) -> Project:
    """A project in which encconf runs as on Windows.

    It has no locks, so its private folder is in a place where no other test removes unlocked folders.
    """
    sealed.environ["PYTHONPATH"] = f"{WINDOWS}{os.pathsep}{ROOT}"
    sealed.environ["TEMP"] = str(sealed.home)
    return sealed


def test_the_main_job_without_posix(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "smoke.py")],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{WINDOWS}{os.pathsep}{ROOT}",
            "TEMP": str(tmp_path),  # see `windows`
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_simulation_is_one() -> None:
    code = (
        "import os, sys; from encconf.io.private import memory_mounts; "
        "print(os.name, hasattr(os, 'fork'), os.path.isdir('.'), memory_mounts())"
    )
    words = [sys.executable, "-c", code, "encconf"]
    environ = {"PYTHONPATH": f"{WINDOWS}{os.pathsep}{ROOT}"}
    done = subprocess.run(words, env=environ, capture_output=True, text=True, check=True)
    assert done.stdout == "nt False True {}\n"


def test_many_commands_without_posix(windows: Project) -> None:
    windows.git("init", "-q")
    windows.run("encrypt", "-i", "-f", "secrets.yaml")
    windows.run("decrypt", "-i", "secrets.yaml")
    windows.run("update", "secrets.enc.yaml", "--from", "secrets.yaml")
    windows.run("rotate", "-r", ".")
    windows.run("updatekeys", "-r", "-y", ".")
    windows.run("git", "install")
    windows.run("git", "textconv", "secrets.enc.yaml")
    windows.git("add", ".")
    windows.run("check", code=1)
    windows.run("access", "--no-history")
    windows.run("explain", "secrets.enc.yaml")
    windows.run("diff", "secrets.enc.yaml", "secrets.yaml")
    windows.run("export", "--format", "dotenv", "-o", "out.env", "secrets.enc.yaml", "--section", "db")
    windows.run("import", "out.env", "-o", "imported.enc.yaml")
    windows.run("doctor", "environment")
    windows.run("unset", "secrets.enc.yaml", "db.port")
    code = "import os; print(os.environ['DB_PASSWORD'], flush=True); os.write(2, b'x' * 300000)"
    done = windows.run("exec", "--redact", "secrets.enc.yaml", "--", sys.executable, "-c", code)
    assert done.out == "**********\n"
    assert done.err.endswith("x" * 300000)
    assert (
        "has no systemd"
        in windows.run("systemd", "serve", "secrets.enc.yaml", "--allow", "a.service:x=db.host", code=1).err
    )
    windows.run("keyservice", "--network", "unix", "--address", "socket", code=1)


def test_programs_without_posix(windows: Project) -> None:
    """On Windows, a folder says that everyone may write to it."""
    windows.write("plain.env", "NAME=found\n")
    windows.run("encrypt", "-o", ".env.enc", "plain.env")
    windows.folder.chmod(0o777)
    code = """
import encconf, os
encconf.load_dotenv()
with encconf.edit("secrets.enc.yaml") as values:
    values["db"]["port"] = 5433
print(os.environ["NAME"], os.path.basename(encconf.find_dotenv()))
print(encconf.load_configs(["secrets.enc.yaml"])[0]["db"]["port"])
"""
    words = [sys.executable, "-c", code, "encconf"]
    done = subprocess.run(
        words, cwd=windows.folder, env=windows.environ, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("found .env.enc\n5433\n", "")


def test_the_shim_is_a_program_of_the_system(windows: Project) -> None:
    windows.path("programs").mkdir()
    windows.run("shim", "programs")
    assert [path.name for path in windows.path("programs").iterdir()] == ["sops.cmd"]
    first, second, last = windows.read("programs/sops.cmd").split("\r\n")
    assert (first, last) == ("@echo off", "")
    called = second.removesuffix(" %*").replace("%%", "%")
    done = subprocess.run(["sh", "-c", f"{called} --version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("sops 3.13.3")


@pytest.mark.parametrize("encoding", ["cp437", "cp1252", "ascii", "utf-8"])
def test_any_console(sealed: Project, encoding: str) -> None:
    environ = {"PYTHONIOENCODING": f"{encoding}:strict", "PYTHONUTF8": "0", "LC_ALL": "C"}
    sealed.run("set", "secrets.enc.yaml", "db.host", "höst-日本")
    assert sealed.run("get", "secrets.enc.yaml", "db.host", environ=environ).out == "höst-日本"
    missing = sealed.run("get", "secrets.enc.yaml", "ж", environ=environ, code=1)
    assert "path-not-found" in missing.err
    assert sealed.run("help", "error", "no-rule", environ=environ).out
    words = [sys.executable, "-m", "encconf", "help", "encrypt"]
    done = subprocess.run(words, env={**sealed.environ, **environ}, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"--encrypted-regex" in done.stdout


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_line_endings_stay(sealed: Project, end: str) -> None:
    plain = end.join(("# comment", "a: 1", "b:", "  - x", "  - 'y'", ""))
    sealed.write("ends.yaml", plain)
    sealed.run("encrypt", "ends.yaml")
    assert sealed.run("decrypt", "ends.enc.yaml").out == plain
    sealed.run("set", "ends.enc.yaml", "a", "2")
    assert sealed.run("decrypt", "ends.enc.yaml").out == plain.replace("1", "2")
    text = sealed.path("ends.enc.yaml").read_bytes()
    assert text.count(b"\r\n") == (text.count(b"\n") if end == "\r\n" else 0)
