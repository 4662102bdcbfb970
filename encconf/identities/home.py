"""The folders of a user: the home folder as ``~``, and the folder for configuration files."""

from __future__ import annotations

import os
from collections.abc import Mapping


def tilde(path: str, home: str | None) -> str:
    """Return the path with ``~`` for the home folder."""
    if home and path.startswith(home.rstrip(os.sep) + os.sep):
        return "~" + path[len(home.rstrip(os.sep)) :]
    return path


def expanded(path: str, home: str | None) -> str:
    """Replace a leading ``~`` by the home folder."""
    return home + path[1:] if home and path.startswith("~/") else path


def config_home(environ: Mapping[str, str], home: str | None, platform: str) -> str | None:
    """Return the folder for configuration files, as sops finds it, or None."""
    if platform == "win32":
        return environ.get("APPDATA") or None
    configured = environ.get("XDG_CONFIG_HOME")
    if configured:  # on macOS, sops also accepts a relative path
        return configured if platform == "darwin" or os.path.isabs(configured) else None
    if home is None:
        return None
    return os.path.join(home, *(("Library", "Application Support") if platform == "darwin" else (".config",)))
