"""`make test-fast`: run the tests that need only git, Python and its packages (sops is one).

    .venv/bin/python tests/fast.py [pytest's arguments]

It takes about a minute.  The other programs that tests use are hidden, so a test here that calls one fails.
`make test` runs all tests, and needs the programs that `.ci/install` installs.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent

MODULES = [
    *("architecture", "forks", "golden", "imports", "interpreters"),
    *("engine/layout", "engine/loading", "engine/mac", "engine/reuse", "engine/seal", "envelope/shamir"),
    *("formats/binary", "formats/dotenv", "formats/flat", "formats/goyaml", "formats/ini", "formats/json"),
    *("formats/ini_tree", "formats/toml", "formats/toml_tree", "formats/yaml"),
    *("git/git", "git/worktree", "identities/credentials", "io/fileio", "io/inplace"),
    *("io/private", "io/replace", "io/side_by_side", "text/path"),
    *("git/conflict", "merge/corpus", "rules/pattern", "rules/selection", "sources/references"),
    *("text/align", "verbs/changes"),
]
"""The test files to run, without ``test_`` and ``.py``."""

HIDDEN = [
    *("age", "age-keygen", "gpg", "gpg-agent", "gpgconf", "gpg-connect-agent", "ssh-keygen", "ssh-agent"),
    *("openssl", "systemctl", "systemd-creds", "systemd-run", "unshare", "nsenter", "dbus-daemon"),
    *("dbus-run-session", "gnome-keyring-daemon", "secret-tool", "fish", "zsh", "direnv", "mandoc"),
    *("node", "npm", "npx", "chromium"),
    *("initdb", "postgres", "go", "cargo", "rops", "sops", "docker", "ansible", "mise"),
]


def paths() -> list[Path]:
    """Return the paths of the test files."""
    split = (each.rpartition("/") for each in MODULES)
    return [HERE / folder / f"test_{name}.py" for folder, _, name in split]


def main(arguments: list[str]) -> int:
    """Run the tests, and return pytest's exit code."""
    with tempfile.TemporaryDirectory(prefix="fast-") as folder:
        for name in HIDDEN:
            program = Path(folder, name)
            program.write_text(f"#!/bin/sh\necho '{name} is hidden: see tests/fast.py' >&2\nexit 127\n")
            program.chmod(0o755)
        environ = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
        command = [sys.executable, "-m", "pytest", "-q", "-m", "not services", *arguments, *map(str, paths())]
        return subprocess.run(command, cwd=HERE.parent, env=environ, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["-n", "auto", "--dist", "worksteal"]))
