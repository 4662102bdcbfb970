"""Find settings that need a newer sops than the version that a repository names.

The version is the lowest one that a file at the top names exactly: the one that mise or asdf installs, or
that a Dockerfile or workflow downloads.  A sops that does not know a setting ignores it or fails.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress

from encconf.audit.findings import Finding, printable
from encconf.audit.rulebook import Rules
from encconf.audit.sealed import Sealed
from encconf.errors import EncconfError
from encconf.io import fileio
from encconf.keys import TABLE
from encconf.text.path import Path, spell

Version = tuple[int, ...]

# From CHANGELOG.md of getsops/sops.  The quoted words are those of the version's section.
_RULE = {
    "encrypted_regex": (3, 4, 0),  # "`encrypted_regex` option to the sops config file"
    "unencrypted_regex": (3, 6, 1),  # "Add support for --unencrypted-regex"
    "mac_only_encrypted": (3, 9, 0),  # "Add `--mac-only-encrypted`"
    "encrypted_comment_regex": (3, 9, 0),  # "Support using comments to select parts to encrypt"
    "unencrypted_comment_regex": (3, 9, 0),
    **{row.member: row.since for row in TABLE.values() if row.since},
}
_GROUP = {
    "merge": (3, 9, 0),
    **{row.name_in_group: row.since for row in TABLE.values() if row.since},
}
"""The same for key_groups.  For merge: "Merge key for key groups and make keys unique"."""
_STORES = (3, 9, 0)  # "Allow configuration of indentation for YAML and JSON stores"
_LIST = (3, 11, 0)  # "Allow to provide keys as YAML lists instead of comma-separated strings"
_SSH = (3, 10, 0)  # "Add SSH support for Age"
_PLUGIN = (3, 10, 0)  # "Add Age plugin support"
_POST_QUANTUM = (3, 12, 0)  # "Age: support hybrid post-quantum identities"
_FILE = ("mac_only_encrypted", "encrypted_comment_regex", "unencrypted_comment_regex")
"""The settings of a rule that are also in a file's block, and decide what its MAC covers."""

_PLACES = (
    ".tool-versions", ".mise.toml", "mise.toml", ".mise/config.toml", ".config/mise.toml",
    ".config/mise/config.toml", "Dockerfile", ".devcontainer/Dockerfile", ".gitlab-ci.yml", "Makefile",
)  # fmt: skip
_WORKFLOWS = ".github/workflows"
_NUMBER = r"v?(\d+\.\d+\.\d+)(?![\w.-])"
_NAMED = (
    rf"(?m)^sops[ \t]+{_NUMBER}",  # asdf
    rf"""(?m)^[ \t]*["']?(?:[\w-]+:)?(?:(?:getsops|mozilla)/)?sops["']?[ \t]*=[ \t]*["']{_NUMBER}""",  # mise
    rf"""(?m)^[^#\n]*\bSOPS_VERSION["']?[ \t]*[:?]?[:=][ \t]*["']?{_NUMBER}""",
    r"(?m)^[^#\n]*\bsops/releases/download/v(\d+\.\d+\.\d+)/",
    rf"(?m)^[^#\n]*\b(?:getsops|mozilla)/sops:{_NUMBER}",
    rf"""(?m)^[^#\n]*\buses:[^\n]*sops[^\n]*\n(?:[^\n]*\n){{0,3}}?[ \t]+version:[ \t]*["']?{_NUMBER}""",
)


def too_old(read: Sequence[Rules], encrypted: Sequence[Sealed], root: str, cwd: str) -> Iterator[Finding]:
    """Yield a finding for each setting that the version of sops that the repository names does not know."""
    found = named(root) if read or encrypted else None
    if found is None:
        return
    version, place = found
    said: set[tuple[str, str]] = set()
    for file, what, least, at in _settings(read, encrypted, cwd):
        if version < least and (file, what) not in said:
            said.add((file, what))
            needs = f"{what} needs sops {_dotted(least)}, and {printable(place)} names {_dotted(version)}"
            yield Finding("sops-too-old", file, needs, place=at)


def named(root: str) -> tuple[Version, str] | None:
    """Return the lowest version of sops that a repository names, and the file that names it, or None."""
    places = [*_PLACES]
    with suppress(OSError):
        workflows = sorted(os.listdir(os.path.join(root, _WORKFLOWS)))
        places += [f"{_WORKFLOWS}/{name}" for name in workflows if name.endswith((".yml", ".yaml"))]
    found: list[tuple[Version, str]] = []
    for place in places:
        with suppress(EncconfError):
            text = fileio.read_text(os.path.join(root, place))
            if "sops" in text.lower():
                numbers = (number for pattern in _NAMED for number in re.findall(pattern, text))
                found += [(tuple(map(int, number.split("."))), place) for number in numbers]
    return min(found, default=None)


def _dotted(version: Version) -> str:
    return ".".join(map(str, version))


def _settings(
    read: Sequence[Rules], encrypted: Sequence[Sealed], cwd: str
) -> Iterator[tuple[str, str, Version, tuple[int, int]]]:
    """Yield the settings that need a certain version: file, setting, version, line and column."""
    for rules in read:
        name = os.path.relpath(rules.path, cwd)
        for leaf in rules.config.leaves if rules.config is not None else ():
            text = leaf.data.decode("utf-8", "replace") if leaf.data else ""
            for what, least in _of_leaf(leaf.path, text):
                yield name, what, least, rules.place(spell(leaf.path))
    for sealed in encrypted:
        for what in sealed.metadata.selection.to_entries():
            if what in _FILE:
                yield sealed.file, what, _RULE[what], (0, 0)


def _of_leaf(path: Path, text: str) -> Iterator[tuple[str, Version]]:
    if path[0] == "stores":
        yield "stores", _STORES
    if path[0] != "creation_rules" or len(path) < 3:
        return
    setting, rest = str(path[2]), path[3:]
    table = _RULE
    if setting == "key_groups":
        if len(rest) < 2:
            return
        setting, rest, table = str(rest[1]), (), _GROUP
    if setting in table:
        yield setting, table[setting]
    if rest and isinstance(rest[0], int):
        yield f"a list of keys ({setting})", _LIST
    if setting == "age":
        for recipient in map(str.strip, text.split(",")):
            if recipient.startswith("ssh-"):
                yield "an SSH key as an age recipient", _SSH
            elif recipient.startswith("age1pq1"):
                yield "a post-quantum age recipient", _POST_QUANTUM
            elif recipient.startswith("age1") and recipient.count("1") > 1:
                yield "an age recipient of a plugin", _PLUGIN
