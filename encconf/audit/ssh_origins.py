"""Find the SSH public key from which ssh-to-age made an age recipient.

The keys that are tried are ``~/.ssh/*.pub`` and the ``.pub`` files that git tracks in the repository.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress

from encconf.errors import EncconfError
from encconf.io import fileio
from encconf.keys import ssh_to_age

_MANY = 500  # files


def origins(cwd: str, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return for each age recipient of a known SSH public key the key's file and comment."""
    found: dict[str, str] = {}
    for shown, path in _files(environ.get("HOME") or os.path.expanduser("~"), cwd):
        with suppress(EncconfError):
            for line in fileio.read_text(path).splitlines():
                words = line.split()
                if len(words) > 1 and words[0] == ssh_to_age.KIND:
                    with suppress(EncconfError):
                        comment = f" ({' '.join(words[2:])})" if words[2:] else ""
                        found.setdefault(ssh_to_age.recipient(line.strip()), f"{shown}{comment}")
    return found


def _files(home: str, cwd: str) -> Iterator[tuple[str, str]]:
    """Yield each file's name in messages, and its path."""
    from encconf.git.worktree import tracked

    folder = os.path.join(home, ".ssh")
    if os.path.isdir(folder):
        for name in sorted(os.listdir(folder))[:_MANY]:
            if name.endswith(".pub"):
                yield f"~/.ssh/{name}", os.path.join(folder, name)
    for path in [each for each in tracked(cwd) or () if each.endswith(".pub")][:_MANY]:
        yield os.path.relpath(path, cwd), path
