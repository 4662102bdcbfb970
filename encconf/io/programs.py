"""Find and run programs, and make their environment.

Like Go, and therefore sops, encconf runs no program from the current folder, even if PATH contains it.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from subprocess import CompletedProcess

_NOWHERE = "/nonexistent"


def environment(environ: Mapping[str, str], *, without: Collection[str] = ()) -> dict[str, str]:
    """Return the environment for a program: without some variables, and PATH without relative folders."""
    kept = {name: value for name, value in environ.items() if name not in without}
    if "PATH" in kept:
        folders = [folder for folder in kept["PATH"].split(os.pathsep) if os.path.isabs(folder)]
        kept["PATH"] = os.pathsep.join(folders) or _NOWHERE  # an empty PATH is the current folder
    return kept


def run(
    words: Sequence[str],
    environ: Mapping[str, str],
    *,
    without: Collection[str] = (),
    data: bytes = b"",
    timeout: float | None = None,
) -> CompletedProcess[bytes]:
    """Run a program with ``data`` as its input, and return its result.  See `environment` for ``without``.

    Raises OSError, and TimeoutExpired after ``timeout`` seconds.
    """
    import subprocess

    env = environment(environ, without=without)
    return subprocess.run(words, input=data, capture_output=True, env=env, check=False, timeout=timeout)


def which(name: str, environ: Mapping[str, str]) -> str | None:
    """Return the path of a program, or None if it was not found."""
    if os.path.dirname(name):
        return name if os.access(name, os.X_OK) and not os.path.isdir(name) else None
    if os.name == "nt":
        import shutil

        return shutil.which(name)
    for folder in environ.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(folder, name)
        if os.path.isabs(folder) and os.access(path, os.X_OK) and not os.path.isdir(path):
            return path
    return None
