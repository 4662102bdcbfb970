"""``encconf git install``: the diff driver in git's configuration, its files in .gitattributes.

The driver's output is never cached by git (``cachetextconv``), which would keep plain texts in the
repository as notes.
"""

from __future__ import annotations

import os
import sys

from encconf import fileio
from encconf.errors import EncconfError, MissingFileError, UsageError
from encconf.git import repository, run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

DRIVER = "diff.encconf.textconv"
"""git's name for the setting that holds the command."""

ATTRIBUTE = "diff=encconf"
PATTERNS = ("*.enc.yaml", "*.enc.yml", "*.enc.json")
"""The files that the driver is for, as .gitattributes names them."""


def install(
    folder: str, *, everywhere: bool = False, environ: Mapping[str, str] = os.environ
) -> list[str]:
    """Set up plain diffs for the repository that a folder is in, or ``everywhere`` for the user.

    Returns what was done, a sentence each; nothing when all was there.  Raises UsageError outside
    a repository, EncconfError when git refuses.
    """
    root = repository(folder)
    if everywhere:
        scope, attributes = ["--global"], _user_attributes(environ)
    elif root is not None:
        scope, attributes = ["-C", root], os.path.join(root, ".gitattributes")
    else:
        raise UsageError("this is no git repository", hint="git init makes one; --global is for all of yours")
    done = []
    get = ["config", "--global"] if everywhere else [*scope, "config"]
    wanted = command(environ)
    if run([*get, "--get", DRIVER], environ)[1].rstrip("\n") != wanted:
        code, _ = run([*get, DRIVER, wanted], environ)
        if code == 127:
            raise EncconfError("git was not found", hint="install it, or see that it is on PATH")
        if code != 0:
            raise EncconfError(f"git does not set {DRIVER} (exit code {code})")
        done.append(f"git diff shows encrypted files as plain text: {DRIVER} is {wanted}")
    added = _add_attributes(attributes)
    if added:
        done.append(f"{', '.join(added)} use it: {attributes}")
    return done


def command(environ: Mapping[str, str] = os.environ) -> str:
    """The command that git is to run: by name if that is found outside a virtual environment too.

    An encconf that only this virtual environment has is named by its path; otherwise git diff
    would fail wherever the environment is not active.
    """
    scripts = os.path.dirname(os.path.abspath(sys.executable))
    in_environment = sys.prefix != sys.base_prefix
    for place in environ.get("PATH", os.defpath).split(os.pathsep):
        outside = not in_environment or os.path.abspath(place) != scripts
        if place and outside and os.access(os.path.join(place, "encconf"), os.X_OK):
            return "encconf git textconv"
    script = os.path.join(scripts, "encconf")
    program = [script] if os.access(script, os.X_OK) else [sys.executable, "-m", "encconf"]
    return " ".join(map(_quoted, [*program, "git", "textconv"]))


def _quoted(word: str) -> str:
    import shlex

    return shlex.quote(word.replace("\\", "/") if os.name == "nt" else word)


def _user_attributes(environ: Mapping[str, str]) -> str:
    code, configured = run(["config", "--global", "--type=path", "--get", "core.attributesFile"], environ)
    if code == 0 and configured.strip():
        return configured.rstrip("\n")
    home = environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return os.path.join(home, "git", "attributes")


def _add_attributes(path: str) -> list[str]:
    """Add the lines that are missing; returns their patterns."""
    path = fileio.resolve(path)
    try:
        old = fileio.read_text(path)
    except MissingFileError:
        old = None
    lines = [line.split() for line in (old or "").splitlines()]
    there = {line[0] for line in lines if ATTRIBUTE in line}
    missing = [pattern for pattern in PATTERNS if pattern not in there]
    if missing:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        new = old or ""
        if new and not new.endswith("\n"):
            new += "\n"
        new += "".join(f"{pattern} {ATTRIBUTE}\n" for pattern in missing)
        fileio.write_atomic(path, new, replacing=old)
    return missing
