"""Find the files that need git's drivers: the encrypted ones, and those that ``.sops.yaml`` will encrypt.

A ``path_regex`` becomes a pattern of .gitattributes if it is a simple path: folders, any names (``.*``,
``[^/]+``) and endings, as in ``^secrets/.*\\.(yaml|json)$``.  Other regexes give no pattern.
The files that they match get patterns once they are encrypted.  git itself decides what its patterns match.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from contextlib import suppress
from itertools import product

from encconf import formats
from encconf.errors import EncconfError
from encconf.git import AT_ONCE, listed, said
from encconf.io import fileio, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Final

ATTRIBUTES = ("diff=encconf", "merge=encconf")
END_OF_LINE = "eol=lf"
"""An attribute for dotenv files: sops cannot open one to which git has given Windows's line breaks."""
_MANY: Final = 3  # from this number on, files with the same ending or name share a pattern
_AT_ONCE: Final = 900  # names for one compiled pattern, whose total work is limited
_LONG: Final = 40  # how many patterns a path_regex may become
# At the end of a name, it begins with the ending before the mark: .env.sops
_MARKED = r"(?i)(?:\.[^.]*)?\.(?:enc|sops|encrypted)\Z|\.(?:enc|sops|encrypted)(?=\.)"
_MARKED_FIRST = r"(?i)(?:enc|sops|encrypted)[-_.]"
_PIECE = (
    r"(?P<deep>\.[*+])|(?P<any>\[\^/\]\+?\*?)"
    r"|\((?:\?:)?(?P<words>\w[\w|?-]*)\)|(?P<maybe>\w)\?|(?:\\(?!\w))?(?P<one>[\w./-])|(?P<odd>[\s\S])"
)


def encrypted(root: str) -> dict[str, bytes]:
    """Return the content of the SOPS files that git does not ignore, by their paths from the top.

    Proposals are not among them: each has a name of its own, and nobody merges them.
    """
    from encconf.rules.config import proposed_file

    names = (name for name in listed(root) or () if not proposed_file(name))
    return {os.path.relpath(name, root): data for name, data in encrypted_of(names)}


def encrypted_of(names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Yield the SOPS files among some files, with their content."""
    for name in names:
        try:
            if os.path.islink(name) or replace.is_leftover(os.path.basename(name)):
                continue
            if formats.glance(name) and formats.find(data := fileio.read_bytes(name, regular=True), name):
                yield name, data
        except (OSError, EncconfError):
            continue  # a folder, or a file that cannot be read


def without_drivers(root: str, names: Iterable[str]) -> list[str]:
    """Return those files for which ``git check-attr`` reports no driver for diffs or for merges.

    A file with a driver other than encconf's is not among them.
    """
    values = _values(root, names, "diff", "merge")
    return list(dict.fromkeys(name for name, value in values if value == "unspecified"))


def with_other_diffs(root: str, names: Iterable[str]) -> list[str]:
    """Return those files for which git's attributes name another way to show diffs than encconf."""
    return [name for name, value in _values(root, names, "diff") if value not in ("unspecified", "encconf")]


def _values(root: str, names: Iterable[str], *which: str) -> Iterator[tuple[str, str]]:
    """Yield each name with the value of each attribute."""
    wanted = list(names)
    for at in range(0, len(wanted), AT_ONCE):
        words = said(root, "check-attr", "-z", *which, "--", *wanted[at : at + AT_ONCE]).split("\0")
        yield from zip(words[::3], words[2::3], strict=False)


def are_used(root: str) -> bool:
    """Whether a repository's ``.gitattributes`` names encconf's drivers."""
    with suppress(EncconfError):
        text = fileio.read_text(os.path.join(root, ".gitattributes"))
        return any(each in text for each in ATTRIBUTES)
    return False


def wanted(pattern: str) -> tuple[str, ...]:
    """Return the attributes for the files of a pattern."""
    is_dotenv = re.search(r"\.env(?:\.|\Z)", pattern.rpartition("/")[2])
    return (*ATTRIBUTES, END_OF_LINE) if is_dotenv else ATTRIBUTES


def patterns_for(names: Sequence[str], root: str) -> list[str]:
    """Return patterns for files: by name if the name says that the file is encrypted, else by path."""
    found: dict[str, None] = {}
    left: list[str] = []
    for name in names:
        base = os.path.basename(name)
        if marker := re.search(_MARKED, base):
            found["*" + _escaped(base[marker.start() :])] = None
        elif marker := re.match(_MARKED_FIRST, base):
            found[f"{_escaped(marker[0])}*{_escaped(os.path.splitext(base)[1])}"] = None
        else:
            left.append(name)
    for place, base in _same_names(left, root):
        found[f"/{_escaped(place)}/**/{_escaped(base)}"] = None
        left = [name for name in left if _top_and_name(name) != (place, base)]
    for folder, ending, some in by_ending(left, root):
        if ending:
            found[f"/{_escaped(folder)}/*{_escaped(ending)}".replace("//", "/")] = None
        else:
            found.update((f"/{_escaped(name)}", None) for name in some)
    return list(found)


def by_ending(names: Iterable[str], root: str) -> Iterator[tuple[str, str, list[str]]]:
    """Group files by folder and ending.  Yields the folder, the ending, and the names.

    The ending is "" unless there are many of them and no other file in the folder has it.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for name in names:
        folder, base = os.path.split(name.replace(os.sep, "/"))
        found.setdefault((folder, os.path.splitext(base)[1]), []).append(name)
    for (folder, ending), some in found.items():
        there = [name for name in _entries(os.path.join(root, folder)) if name.endswith(ending)]
        are_all = len(some) >= _MANY and len(there) == len(some)
        yield folder, ending if are_all else "", some


def _top_and_name(name: str) -> tuple[str, str]:
    """Return ``hosts`` and ``secrets.yaml`` for ``hosts/web/secrets.yaml``."""
    top, _, inside = name.replace(os.sep, "/").partition("/")
    return top, inside.rpartition("/")[2]


def _same_names(names: Iterable[str], root: str) -> list[tuple[str, str]]:
    """Return top folders and a name that many of the files below have, if no other file there has it."""
    count = Counter(_top_and_name(name) for name in names if os.path.dirname(name))
    many = {place: number for place, number in count.items() if number >= _MANY}
    there = [os.path.relpath(name, root) for name in listed(root) or ()] if many else []
    others = Counter(_top_and_name(name) for name in there)
    return [place for place, number in many.items() if others[place] == number]


def patterns_of_rules(root: str, there: Iterable[str]) -> list[str]:
    """Return patterns for the files that the creation rules of a repository's ``.sops.yaml`` are for.

    ``there`` are the encrypted files.  If a rule matches mostly other files, it gives no patterns: it only
    says how to encrypt, not which files.
    """
    from encconf.rules.config import NAME, load

    path = os.path.join(root, NAME)
    try:
        regexes = load(path).patterns
    except EncconfError:
        return []
    names = [os.path.relpath(name, root).replace(os.sep, "/") for name in listed(root) or ()]
    narrow = [regex for regex in regexes if not _is_broad(regex, names, frozenset(there))]
    return list(dict.fromkeys(pattern for regex in narrow for pattern in globs(regex)))


def _is_broad(regex: str, names: Sequence[str], encrypted: frozenset[str]) -> bool:
    from encconf.rules.pattern import compile

    covered: list[str] = []
    try:
        for at in range(0, len(names), _AT_ONCE):
            pattern = compile(regex)
            covered += [name for name in names[at : at + _AT_ONCE] if pattern.search(name)]
    except EncconfError:
        return True
    return len(covered) >= _MANY and 2 * len(encrypted.intersection(covered)) <= len(covered)


def globs(regex: str) -> list[str]:
    """Return patterns for a path_regex, or none if it is complex or matches everything.

    They match all of its files, and may match a few more: ``+`` becomes ``*``.  Each dot means a dot.
    """
    anchored, body = regex.startswith("^"), regex.removeprefix("^")
    if body.endswith("$"):
        body = body[:-1]
    elif body.endswith("/"):
        body += ".*"
    elif not body.endswith((".*", ".+")):
        return []
    choices: list[list[str]] = []
    for piece in re.finditer(_PIECE, body):
        kind = piece.lastgroup or ""
        text = piece[kind]
        if kind == "odd":
            return []
        if kind == "words":
            choices.append([each for word in text.split("|") for each in _optional(word)])
        else:
            choices.append({"deep": ["**/*"], "any": ["*"], "maybe": [text, ""], "one": [text]}[kind])
    if len(choices) > 200 or sum(len(each) > 1 for each in choices) > 4:
        return []
    found = ["".join(words) for words in product(*choices)]
    odd = re.compile(r"[^/]\*\*/|\A\W*\Z")  # `**/` after a part of a name, or a pattern for everything
    if len(found) > _LONG or any(map(odd.search, found)):
        return []
    return [_as_path(glob, anchored) for glob in found]


def _optional(word: str) -> list[str]:
    """Return ``yaml`` and ``yml`` for ``ya?ml``, and a word without an optional character as it is."""
    start, mark, rest = word.partition("?")
    if not mark:
        return [word]
    return [each + end for each in (start, start[:-1]) for end in _optional(rest)]


def _as_path(glob: str, anchored: bool) -> str:
    """Turn a glob into a pattern that matches anywhere, or (``anchored``) from the top of the repository."""
    glob = glob if anchored or glob.startswith("*") else f"*{glob}"
    while glob.startswith("**/"):
        glob, anchored = glob[3:], False
    if "/" not in glob:
        return f"/{glob}" if anchored else glob
    return f"/{glob}" if anchored else f"**/{glob}"


def _escaped(text: str) -> str:
    """Escape a path for use as a pattern.  A blank or a quote would end it, so ``?`` replaces each."""
    return re.sub(r"[\s\"]", "?", re.sub(r"([*?\[\]\\])", r"\\\1", text))


def _entries(folder: str) -> list[str]:
    with suppress(OSError):
        return os.listdir(folder)
    return []
