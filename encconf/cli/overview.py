"""``encconf`` without a command: describe a repository with SOPS files, and say what to do next."""

from __future__ import annotations

import os

from encconf.audit.findings import printable
from encconf.audit.survey import describe, survey
from encconf.cli.console import Console
from encconf.git import repository


def overview(console: Console) -> bool:
    """Print the overview.  Returns False, without printing, if the repository has no SOPS files."""
    root = repository(os.getcwd())
    found = survey(root) if root is not None else None
    if found is None or not found.metadata:
        return False
    console.lines("".join(f"{printable(line, 400)}\n" for line in describe(found)))
    return True
