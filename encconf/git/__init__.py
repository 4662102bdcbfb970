"""encconf inside git: plain diffs (`encconf.git.textconv`), setting them up (`encconf.git.install`).

Here: running git, and asking it whether a file with secrets may get into a commit.  git is looked
for only when there is a repository; without the program, nothing is known and nothing said.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def repository(path: str) -> str | None:
    """The working tree that a path is in: the nearest folder upwards that has a ``.git``."""
    folder = os.path.abspath(path)
    for _ in range(100):
        if os.path.exists(os.path.join(folder, ".git")):
            return folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent
    return None


def exposure(path: str) -> str | None:
    """Whether git has a file (``tracked``) or would take it with the next ``git add .`` (``untracked``).

    None for a file that is ignored or in no repository, and where git cannot be asked.
    """
    root = repository(os.path.dirname(os.path.abspath(path)))
    if root is None:
        return None
    name = os.path.relpath(os.path.abspath(path), root)
    # A repository's own settings must not make it run a program.
    options = ["--literal-pathspecs", "-c", "core.fsmonitor=false", "-C", root]
    listing = ["ls-files", "-t", "-z", "--cached", "--others", "--exclude-standard", "--", name]
    code, output = run([*options, *listing])
    if code != 0 or not output:
        return None
    return "untracked" if output.startswith("? ") else "tracked"


def run(arguments: list[str], environ: Mapping[str, str] = os.environ) -> tuple[int, str]:
    """Run git with /dev/null as stdin and stderr: its exit code and what it printed.

    127 when there is no git.
    """
    if not hasattr(os, "posix_spawnp"):
        return _run_portably(arguments, environ)
    # subprocess would do, but importing it takes longer than git.
    reading, writing = os.pipe()
    try:
        process = os.posix_spawnp(
            "git",
            ["git", *arguments],
            environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, writing, 1),
                (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
            ],
        )
    except OSError:
        os.close(reading)
        return 127, ""
    finally:
        os.close(writing)
    with open(reading, "rb") as pipe:
        output = pipe.read()
    _, status = os.waitpid(process, 0)
    return os.waitstatus_to_exitcode(status), output.decode(errors="surrogateescape")


def _run_portably(arguments: list[str], environ: Mapping[str, str]) -> tuple[int, str]:
    import subprocess

    try:
        result = subprocess.run(
            ["git", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(environ),
            check=False,
        )
    except OSError:
        return 127, ""
    return result.returncode, result.stdout.decode(errors="surrogateescape")
