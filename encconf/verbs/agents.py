"""``encconf init --agents``: rules that keep coding agents from reading plaintext and keys.

The rules go into the settings that a repository already has.  An agent obeys them as far as its own tools go:
a program that the agent runs can still read the files.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable

from encconf.audit.survey import survey
from encconf.errors import EncconfError, about
from encconf.git import repository
from encconf.io import fileio, trust
from encconf.rules.config import plain_name
from encconf.text.printable import counted, one_line
from encconf.verbs.printing import VARIABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from encconf.verbs.front import Front

IGNORE_FILES = {
    "Cursor": (".cursorignore", (".cursor", ".cursorrules")),
    "Gemini": (".geminiignore", (".gemini", "GEMINI.md")),
    "Aider": (".aiderignore", (".aider.conf.yml",)),
    "Cline": (".clineignore", (".clinerules",)),
    "Roo Code": (".rooignore", (".roo",)),
    "JetBrains AI": (".aiignore", ()),
}
"""The file of an agent in the syntax of .gitignore, and what else shows that a repository uses the agent."""
CLAUDE = ".claude/settings.json"
_BY_HAND = {
    ".github/copilot-instructions.md": (
        "Copilot reads no file with such rules: its content exclusion is in the settings of the repository "
        "on GitHub, and does not cover agent mode in VS Code"
    ),
    ".codex": (
        "Codex has such rules in permission profiles, which replace sandbox_mode: see "
        "https://developers.openai.com/codex/permissions"
    ),
}
_PLAINTEXT = (".env", ".env.*", "!.env.enc", "!.env.sops", "!.env.example", "!.env.sample", "!.env.template")
_KEYS = ("keys.txt", "*.agekey", "*.age-key", "*.pem", "*.key", "id_rsa", "id_ecdsa", "id_ed25519")
_HOME = ("~/.config/sops/age/**", "~/.config/encconf/**", "~/.ssh/**", "~/.gnupg/**")
_TITLE = "# encconf: plaintext and keys"


def run(front: Front) -> None:
    """Add the rules, and say to which files."""
    root = repository(os.getcwd()) or os.getcwd()
    names = _plaintexts(root)
    found = False
    for agent, (name, signs) in IGNORE_FILES.items():
        if any(os.path.lexists(os.path.join(root, sign)) for sign in (name, *signs)):
            found = True
            _ignore(front, root, agent, name, [*_PLAINTEXT, *_KEYS, *names])
    if os.path.isdir(os.path.join(root, os.path.dirname(CLAUDE))):
        found = True
        _claude(front, root, names)
    for sign, said in _BY_HAND.items():
        if os.path.lexists(os.path.join(root, sign)):
            found = True
            front.hint(said)
    if not found:
        front.note("no settings of a coding agent are in this repository")
        known = ", ".join([CLAUDE, *(name for name, _ in IGNORE_FILES.values())])
        front.hint(f"create the file of yours, and run this again: {known}")
    front.hint(f"start agents with {VARIABLE}=never: then encconf masks values (encconf help environment)")


def _plaintexts(root: str) -> list[str]:
    """The names of the plaintext files that would be beside the encrypted files of a repository."""
    try:
        known = survey(root).metadata
    except EncconfError:
        return []
    plain = {name: plain_name(name) for name in known}
    found = (there.replace(os.sep, "/") for name, there in plain.items() if there != name)
    return sorted(f"/{_literal(name)}" for name in found)


def _ignore(front: Front, root: str, agent: str, name: str, rules: Iterable[str]) -> None:
    """Add lines to a file in the syntax of .gitignore."""
    path = trust.fixed(root, name)
    with about(name, instead=path):
        old = fileio.read_existing(path)
        there = set((old or "").splitlines())
        new = [rule for rule in rules if rule not in there]
        if not new:
            front.note(f"{name} ({agent}) has these rules already")
            return
        head = old if not old or old.endswith("\n") else f"{old}\n"
        title = "" if _TITLE in there else f"{_TITLE}\n"
        fileio.write_atomic(path, (head or "") + title + "".join(f"{rule}\n" for rule in new), replacing=old)
    front.note(f"added {counted(len(new), 'rule')} to {name} ({agent}): {', '.join(map(one_line, new))}")


def _literal(name: str) -> str:
    """Return a pattern for a name: its special characters are escaped, and a line break becomes ``?``."""
    escaped = re.sub(r"[\r\n]", "?", re.sub(r"([\\*?\[])", r"\\\1", name))
    return escaped[:-1] + "\\ " if escaped.endswith(" ") else escaped


def _claude(front: Front, root: str, names: Iterable[str]) -> None:
    """Add rules to the settings of Claude Code, and the variable that masks values in its shell."""
    path = trust.fixed(root, CLAUDE)
    with about(CLAUDE, instead=path):
        old = fileio.read_existing(path)
        try:
            settings: Any = json.loads(old) if old else {}
        except (ValueError, RecursionError):
            settings = None
        lists = settings.get("permissions", {}) if isinstance(settings, dict) else None
        deny = lists.get("deny", []) if isinstance(lists, dict) else None
        variables = settings.get("env", {}) if isinstance(settings, dict) else None
        if not isinstance(deny, list) or not isinstance(variables, dict):
            front.warn(f"{CLAUDE} was not changed: it is not as expected", "correct it, and run this again")
            return
        plain = [rule for rule in (*_PLAINTEXT, *_KEYS) if rule[:1] != "!"]
        wanted = [*(f"Read(./**/{rule})" for rule in plain), *(f"Read(.{name})" for name in names)]
        wanted += [f"Read({place})" for place in _HOME]
        new = [rule for rule in wanted if rule not in deny]
        is_set = VARIABLE in variables
        if is_set and variables[VARIABLE] != "never":
            front.warn(f"{CLAUDE} sets {VARIABLE}, but not to never: values are not masked", "correct it")
        if not new and is_set:
            front.note(f"{CLAUDE} (Claude Code) has these rules already")
            return
        settings.setdefault("permissions", {})["deny"] = [*deny, *new]
        settings.setdefault("env", {}).setdefault(VARIABLE, "never")
        indent = re.search(r"(?m)^([ \t]+)\S", old or "")
        text = json.dumps(settings, indent=indent[1] if indent else 2, ensure_ascii=False) + "\n"
        fileio.write_atomic(path, text, replacing=old)
    front.note(
        f"added {counted(len(new), 'rule')} to {CLAUDE} (Claude Code): {', '.join(map(one_line, new))}"
    )
    if not is_set:
        front.note(f"set {VARIABLE}=never in {CLAUDE}")
