"""Find lines in files of other tools that run sops, and write the same lines with encconf.

These are the files at the top of a repository in which people write commands: for pre-commit, direnv,
make, just, Task, mise, Nix flakes and similar tools.  A line counts if sops is a command that is followed by
an option or a verb.  A comment, or the name of a package such as sops-nix, does not count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

NAMES = (
    ".pre-commit-config.yaml", "lefthook.yml", ".envrc", "Makefile", "GNUmakefile", "justfile", ".justfile",
    "Justfile", "Taskfile.yml", "Taskfile.yaml", "flake.nix", "package.json", "pyproject.toml", "Dockerfile",
    ".gitlab-ci.yml", ".mise.toml", "mise.toml", "helmfile.yaml",
)  # fmt: skip
"""The names of the files."""
_COMMENT = re.compile(r"[ \t]*(?:#|//)")
_CALL = re.compile(
    r"(?<![\w./@:-])sops(?=[ \t]+(?:--?[a-z]|(?:encrypt|decrypt|edit|rotate|set|unset|updatekeys|publish"
    r"|groups|exec-env|exec-file|filestatus|keyservice)\b))"
)


def calls(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield the number of each line that runs sops, the line, and the line that runs encconf instead."""
    for number, line in enumerate(text.splitlines(), 1):
        if not _COMMENT.match(line) and _CALL.search(line):
            yield number, line.strip(), _CALL.sub("encconf", line).strip()
