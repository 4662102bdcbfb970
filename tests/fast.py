"""`make test-fast`: run the tests that need only git, Python and its packages (sops is one).

    python tests/fast.py [pytest's arguments]

The packages are those of the group ``formats`` in pyproject.toml.  It takes about a minute.  The other
programs that tests use are hidden, so a test here that calls one fails.
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
    *("audit/across", "audit/explain", "audit/findings", "audit/first_run", "audit/folders", "audit/glance"),
    *("audit/pairing", "audit/readers", "audit/rulebook", "audit/rulecheck", "audit/sealed", "audit/sides"),
    *("audit/sops_version", "audit/survey", "audit/verified"),
    *("cli/check_report", "cli/checklist", "cli/command", "cli/console", "cli/decrypt", "cli/encrypt"),
    *("cli/encryption", "cli/error_help", "cli/explain", "cli/files", "cli/flat", "cli/formats"),
    *("cli/parser", "cli/plan_text", "cli/process", "cli/quiet", "cli/redact", "cli/rekeying", "cli/rule"),
    *("cli/batch_files", "cli/shim", "cli/status", "cli/strangers", "cli/table", "cli/usage", "cli/version"),
    *("engine/layout", "engine/loading", "engine/mac", "engine/reuse", "engine/seal", "envelope/shamir"),
    *("formats/binary", "formats/dotenv", "formats/flat", "formats/goyaml", "formats/ini", "formats/json"),
    *("formats/ini_tree", "formats/toml", "formats/toml_tree", "formats/yaml"),
    *("git/git", "git/worktree", "identities/credentials", "io/fileio", "io/inplace"),
    *("io/private", "io/replace", "io/side_by_side", "text/path"),
    *("keys/age::TestX25519", "keys/age::TestMissingPackages", "keys/bech32", "keys/keys"),
    *("git/conflict", "merge/three", "merge/values", "merge/weave"),
    *("rules/pattern", "rules/selection", "sources/references", "text/align", "engine/changes"),
]
"""The test files to run, without ``test_`` and ``.py``, and for some the class."""

LEFT_OUT = [
    "grows",
    "any_text",
    "any_file",
    "reads_any",
    "byte_parity",
    "most_parts",
    "a_line_is_a_command",
]
"""What the names of tests contain that take more than a second each."""

HIDDEN = [
    *("age", "age-keygen", "gpg", "gpg-agent", "gpgconf", "gpg-connect-agent", "ssh-keygen", "ssh-agent"),
    *("openssl", "systemctl", "systemd-creds", "systemd-run", "unshare", "nsenter", "dbus-daemon"),
    *("dbus-run-session", "gnome-keyring-daemon", "secret-tool", "fish", "zsh", "direnv", "mandoc"),
    *("node", "npm", "npx", "chromium"),
    *("initdb", "postgres", "go", "cargo", "rops", "sops", "docker", "ansible", "mise"),
]


def paths() -> list[str]:
    """Return the paths of the test files, as pytest takes them."""
    found = []
    for each in MODULES:
        file, colons, name = each.partition("::")
        folder, _, module = file.rpartition("/")
        found.append(f"{HERE / folder / f'test_{module}.py'}{colons}{name}")
    return found


def main(arguments: list[str]) -> int:
    """Run the tests, and return pytest's exit code."""
    with tempfile.TemporaryDirectory(prefix="fast-") as folder:
        for name in HIDDEN:
            program = Path(folder, name)
            program.write_text(f"#!/bin/sh\necho '{name} is hidden: see tests/fast.py' >&2\nexit 127\n")
            program.chmod(0o755)
        environ = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
        chosen = ["-m", "not services", "-k", " and ".join(f"not {each}" for each in LEFT_OUT)]
        command = [sys.executable, "-m", "pytest", "-q", *chosen, *arguments, *paths()]
        return subprocess.run(command, cwd=HERE.parent, env=environ, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["-n", "auto", "--dist", "worksteal"]))
