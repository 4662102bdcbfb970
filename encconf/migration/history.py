"""Find plaintext versions of a file in git: in any commit, stash or reflog of its repository.

Versions are found by the file's name, in any folder.  Values that were committed in a file with another name
are not found.  Nothing is fetched, and no program in the repository's settings is run.  git never gets a
value, since versions are read and compared here.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from contextlib import closing

from encconf.errors import LimitError
from encconf.git import question, repository, run
from encconf.git.log import COMMIT, LOG, contents, entries
from encconf.migration import dialects
from encconf.record import Record
from encconf.text.document import ENC_PREFIX

LIMIT = 2000
"""The most versions of a file that are read."""
LARGEST = 1 << 22
"""The largest version that is read, in bytes (4 MiB)."""
PATIENCE = 10.0
"""For how many seconds versions are read.  A branch can have thousands of large ones in a few kilobytes."""

_TELLING = 8  # a shorter value may occur under another name by chance
_EVERY_COMMIT = (*LOG, COMMIT, "--topo-order", "--full-history", "--all", "--reflog", "-m", "--no-renames")


class Past(Record):
    """Plaintext versions of a file in a repository, and which current values are in them.

    ``commits`` contain plaintext versions, the newest first.  ``rotate`` are the names whose current value is
    in one of them; ``earlier`` are names that have only other values there.  ``pushed`` says that a remote's
    branch has a version, as of the last fetch.  ``complete`` is False if some versions could not be read: in
    a shallow or partial clone, or if there are more than `LIMIT`, or they are too large.
    """

    commits: list[str]
    rotate: list[str]
    earlier: list[str]
    pushed: bool
    complete: bool


def past(path: str, values: Mapping[str, str], dialect: str, environ: Mapping[str, str]) -> Past | None:
    """Return the past of a file with these values, or None if git does not know, as outside a repository."""
    root = repository(os.path.dirname(os.path.abspath(path)))
    if root is None:
        return None

    def git(*words: str) -> tuple[int, str]:
        return run(*question(root, "--no-literal-pathspecs", *words, environ=environ))

    literal = re.sub(r"([\\*?\[])", r"\\\1", os.path.basename(path))
    spec = ["--", f":(top,glob)**/{literal}"]
    code, text = git(*_EVERY_COMMIT, *spec)
    if code != 0:
        return None
    changes = list(entries(text))
    versions: dict[str, set[str]] = {}  # each blob with the commits that added it
    for change in changes:
        if change.new:
            versions.setdefault(change.new, set()).add(change.moment.commit)
    commits: set[str] = set()
    pairs: set[tuple[str, str]] = set()
    read = list(versions)[:LIMIT]
    complete = len(read) == len(versions)
    end = time.monotonic() + PATIENCE
    with closing(contents(root, read, environ)) as texts:
        for blob, data in zip(read, texts, strict=False):
            if time.monotonic() > end:
                complete = False
                break
            if data is None or len(data) > LARGEST:  # a partial clone does not have it
                complete = False
                continue
            try:
                plain = _plain_values(data.decode(errors="surrogateescape"), dialect)
            except LimitError:
                complete = False
                continue
            if plain:
                commits |= versions[blob]
                pairs |= set(plain)
    known = {value for _, value in pairs if len(value) >= _TELLING}
    in_order = dict.fromkeys(change.moment.commit for change in changes)  # a merge has a change per parent
    rotate = [name for name, value in values.items() if (name, value) in pairs or value in known]
    return Past(
        [commit for commit in in_order if commit in commits],
        rotate,
        earlier=sorted({name for name, _ in pairs} - set(rotate)),
        pushed=bool(commits) and git("rev-list", "-n", "1", "--full-history", "--remotes", *spec)[1] != "",
        complete=complete and git("rev-parse", "--is-shallow-repository")[1].strip() != "true",
    )


def _plain_values(data: str, dialect: str) -> list[tuple[str, str]]:
    """Return the names and values of one version, without empty and encrypted values."""
    reading = dialects.read(data, dialect)
    block = "sops_" if "sops_mac" in reading.variables else "\0"
    both = [*reading.values.items(), *reading.written.items()]
    plain = [(name, value) for name, value in both if not name.startswith(block)]
    return [(name, value) for name, value in plain if value and not value.startswith(ENC_PREFIX)]
