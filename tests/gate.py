"""The checks that keep strangers out, as a table: the stranger game must notice if one of them is removed.

    .venv/bin/python tests/game.py --checks             # remove each of them, and play until it is noticed
    .venv/bin/python tests/game.py --without renews     # only this one

A check is removed by a small change of the source, in a copy of the package.  The text to change is looked
for in all modules, so that it may move; tests/test_game.py says if it has changed.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Check:
    """One check, and the part of the game that notices soon if it is gone."""

    what: str
    changes: dict[str, str]
    """Texts, each of which must be in the package once, and what they become."""
    tricks: str
    moves: str
    kinds: str = ""
    """The kinds of openings to play, by default all."""
    games: int = 100
    """How many games are enough, with a margin."""


CHECKS: dict[str, Check] = {}


def sources(package: Path) -> list[Path]:
    return sorted((package / "encconf").rglob("*.py"))


def places(package: Path, text: str) -> list[Path]:
    """The modules that contain a text, once for each time."""
    return [path for path in sources(package) for _ in range(path.read_text().count(text))]


def without(check: Check, package: Path, copy: Path) -> None:
    """Copy a package, and remove a check from the copy."""
    shutil.copytree(package / "encconf", copy / "encconf")  # with its bytecode, which is faster
    for text, new in check.changes.items():
        (path,) = places(copy, text)
        path.write_text(path.read_text().replace(text, new))


CHECKS["strangers"] = Check(
    "a data key is wrapped only for recipients that the command line or our .sops.yaml names",
    {
        "if objections:\n            error =": "if False:\n            error =",
        "_admitted(*keys[key]) for key": "_admitted(*keys.get(key, (key, ''))) for key",
    },
    "entries spoiled",
    "keys_add merge update rotate",
)
CHECKS["own key"] = Check(
    "without a rule, only your own key is admitted",
    {"for key in unnamed if key.is_own(credentials)}": "for key in unnamed}"},
    "entries spoiled",
    "keys_add update rotate",
)
CHECKS["number of groups"] = Check(
    "a file may not have fewer key groups than its rule, nor be opened by fewer",
    {
        "if len(rule.groups) not in (1, len(groups)):": "if False:",
        "if needed < least:": "if False:",
    },
    "replaced",
    "update rotate",
    "groups three",
)
CHECKS["group by group"] = Check(
    "a recipient is admitted to the key group in which the rule names it",
    {"rule.groups[at] if len(rule.groups) == count else": ""},
    "replaced",
    "update rotate",
    "groups three",
)
CHECKS["author"] = Check(
    "a data key is reused only if the file's author knew our secrets",
    {"return len(list(found)) == needed": "return True"},
    "replaced",
    "encrypt update",
)
CHECKS["guesses"] = Check(
    "values that anyone could guess prove nothing about the author",
    {
        "sum(map(is_hard_to_guess, new))": "sum(bool(leaf.data) for leaf in new)",
        "filter(is_hard_to_guess, same)": "(leaf for leaf in same if leaf.data)",
    },
    "replaced",
    "encrypt update",
)
CHECKS["data keys of a merge"] = Check(
    "sides with different data keys get a new one, since a stranger may know that of ours in a rebase",
    {"return removes or differ": "return removes"},
    "replaced",
    "rebase set_value",
)
CHECKS["plaintext in a merge"] = Check(
    "values of a side that is not encrypted are a conflict",
    {'in ((ours, theirs, "our"), (theirs, ours, "their"))': "in ()"},
    "replaced_by_plaintext",
    "install merge cherry_pick",
)
CHECKS["current folder"] = Check(
    "programs are not looked for in relative folders of PATH",
    {"isabs(folder):\n        return False": "isabs(folder):\n        return True"},
    "programs plugin",
    "set_value rotate keys_add encrypt",
)
CHECKS["work tree"] = Check(
    "programs are not looked for in the work tree",
    {"return not inside or real ==": "return True or real =="},
    "programs plugin",
    "set_value rotate keys_add encrypt",
)
CHECKS["modules"] = Check(
    "git starts a Python that imports nothing from the work tree",
    {'[sys.executable, "-P", "-m", "encconf"]': '[sys.executable, "-m", "encconf"]'},
    "package",
    "install git_shows",
)
CHECKS["keys of a new .sops.yaml"] = Check(
    "init without a terminal takes no keys from the blocks of files",
    {"return yes or (front.can_ask() and": "return True or (front.can_ask() and"},
    "entries regrouped",
    "init",
)
CHECKS["links at fixed names"] = Check(
    "a file that is written by a name which no user typed is not a link",
    {
        "if stat.S_ISLNK(kind):\n            hint": "if False:\n            hint",
        "    return path\n\n\ndef is_foreign": "    return os.path.realpath(path)\n\n\ndef is_foreign",
    },
    "fixed",
    "install init",
)
CHECKS["links that lead nowhere"] = Check(
    "no file is created through a link to a file that does not exist",
    {"        os.stat(path)\n    except FileNotFoundError:": "        pass\n    except FileNotFoundError:"},
    "link",
    "set_value set_new edit edit_new encrypt import_env",
)
CHECKS["rules of others"] = Check(
    "a .sops.yaml of another user is not used",
    {"if is_foreign(path):\n        hint = (": "if False:\n        hint = ("},
    "parent",
    "encrypt set_new updatekeys",
    "none",
)
CHECKS["completion"] = Check(
    "what a shell completes is quoted",
    {r"""plain = re.sub(r"[^\w./:@%+,=^-]", r"\\\g<0>", item.value)""": "plain = item.value"},
    "keys",
    "completes",
)
CHECKS["proposals wait"] = Check(
    "nothing loads a proposal",
    {
        'raise ProposalError(\n            "the file is a proposal, whose value': (
            'ProposalError(\n            "the file is a proposal, whose value'
        )
    },
    "proposal",
    "load propose",
)
CHECKS["proposals are shown"] = Check(
    "what is accepted was shown before",
    {"show(found)\n    if options.dry_run": "show([])\n    if options.dry_run"},
    "proposal",
    "accept",
)
