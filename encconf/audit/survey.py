"""Survey the SOPS files of a repository, for ``encconf init`` and for ``encconf`` without a command.

This needs no key.  The proposed rules follow from the files: their folders, endings, keys and selections.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from encconf import formats, git
from encconf.engine.metadata import Metadata, metadata_of
from encconf.envelope import quorum
from encconf.errors import EncconfError
from encconf.formats import SUFFIXES
from encconf.git import attributes, question, said
from encconf.io import fileio
from encconf.keys import TABLE, MasterKey
from encconf.rules.config import IGNORED, NAME, find_config
from encconf.rules.selection import DEFAULT
from encconf.text.document import Value, mapped
from encconf.text.printable import counted, listed, printable

_COMMENT = re.compile(r"[ \t]*(?:#|//|<!--|--[ \t]|\*|rem[ \t])", re.IGNORECASE)
_VERB = (
    r"--?[a-z]|(?:encrypt|decrypt|edit|rotate|set|unset|updatekeys|publish|groups|exec-env|exec-file|filestatus"
    r"|keyservice)\b"
)
_START = r"(?<![\w./:-])(?<![\w/]@)"  # ``@sops`` is a quiet command of make
_CALL = re.compile(rf"{_START}sops(?=[ \t]+(?:{_VERB}))")
# ``sops FILE`` opens the editor.  The argument must look like a file, since "sops" is also an ordinary word.
_NAME = r"[\w./${}~@%*+-]"
_SUFFIX = rf"\.(?:{'|'.join(suffix[1:] for suffix in SUFFIXES)}|enc|sops|txt|pem|key|tfvars)\b"
_FILE = rf"(?={_NAME}*(?:[$/]|{_SUFFIX})){_NAME}+"
_EDIT = re.compile(rf"{_START}sops(?=[ \t]+[\"']?(?:{{{{|{_FILE}[\"']?(?:[;|&)`\"']|\s|\Z)))")
# What is before a command: the beginning of the line, of a list item, of a setting, or of a shell's command.
_BEFORE = re.compile(
    r"(?:^|[;&|{!]|(?:[$<>]|^[ \t]*|[;&|][ \t]*)\(|[=\"'(]`|[=:]|\\[nt]"
    r"|\b(?:if|elif|while|until|then|do|else|exec|execdir|sudo|time|env|xargs|eval|nohup)(?:[ \t]+-\S+)*"
    r"|\b[A-Za-z_]\w*=\S*|(?<!\S)(?:-c|--run|--command))[ \t]*(?:[-@+^][ \t]*)*[\"']*\Z"
)
# These programs provide sops to the command that they run, and would not provide encconf.
_PROVIDES = re.compile(r"\bnix-shell\b|\bnix (?:run|shell|develop)\b|\b(?:docker|podman|nerdctl) run\b")
# Words after which sops is the name of a package or of a program, which is not run there, or prose.
_NAMED = re.compile(
    r"(?:^|[\s\"'`(])(?:install|add|-p|--packages|which|type|-v|pin|use|upgrade|remove|hash|pkgs?|packages?|need"
    r"|requires?|using|with|the|a|by|of|for|and|or|to|is|via|grep|rg|echo)[ \t]+(?:[\w@./-]+[ \t]+)*[\"']?\Z"
    r"|\w[ \t,:]*[(`]+\Z",
    re.IGNORECASE,
)
_PROSE = (
    *(".md", ".markdown", ".mdx", ".rst", ".adoc", ".org", ".txt", ".html", ".htm", ".svg", ".po", ".csv"),
    ".lock",
)
_MOST = 1 << 20
_SECONDS = 1.0
_LONGEST = 2000  # a longer line is not one that a person has written

_ABOUT = ("role", "context", "aws_profile")  # how an AWS key is used
_HEAD = "# Which files are encrypted, how, and who can open them: the first rule that matches counts.\n"


class Survey:
    """The encrypted files of a repository, by their paths relative to its top, and related files.

    ``metadata`` has the metadata of each file that can be read.  ``configs`` has the ``.sops.yaml`` for each
    of their folders, or None.  ``callers`` are the files of other tools that call sops.  ``ignored`` says
    that the top folder has a ``.sops.yml`` but no ``.sops.yaml``.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self.metadata: dict[str, Metadata] = {}
        self.configs: dict[str, str | None] = {}
        self.formats: Counter[str] = Counter()
        self.has_config = os.path.exists(os.path.join(root, NAME))
        self.ignored = not self.has_config and os.path.exists(os.path.join(root, IGNORED))
        self.callers = list(dict.fromkeys(name for name, *_ in calls_in(root, bounded=True)))

    @property
    def keys(self) -> list[MasterKey]:
        """The keys of all files, without repetitions."""
        found = (each.key for one in self.metadata.values() for group in one.groups for each in group)
        return list(dict.fromkeys(found))

    @property
    def folders(self) -> list[str]:
        """The top-level folders that contain the files, sorted by number of files; "." is the top itself."""
        count = Counter(name.partition("/")[0] if "/" in name else "." for name in self.metadata)
        return [name for name, _ in count.most_common()]


def survey(root: str) -> Survey:
    """Survey all files of a repository that git tracks or would add."""
    found = Survey(root)
    for name, data in attributes.encrypted(root).items():
        with suppress(EncconfError):
            format = formats.format_of(data, name)
            found.metadata[name] = metadata_of(fileio.decode(data), format)
            found.formats[format] += 1
    for folder in dict.fromkeys(map(os.path.dirname, found.metadata)):
        found.configs[folder] = find_config(os.path.join(root, folder, NAME), root)
    return found


def calls(text: str) -> Iterator[tuple[int, str, str | None]]:
    """Yield the number of each line that runs sops, the line, and the same line with encconf.

    A line counts if sops is followed by an option, a verb or a file, and may be a command.  A comment, or the
    name of a package such as sops-nix, does not count.  The new line is None if sops is an argument of
    another program (``mise exec -- sops …``), which may have to find it first.
    """
    for number, line in enumerate(text.splitlines(), 1):
        if "sops" in line and len(line) <= _LONGEST and (found := _call(line)) is not None:
            yield number, line.strip(), found or None


def calls_in(folder: str, *, bounded: bool = False) -> Iterator[tuple[str, int, str, str | None]]:
    """Yield the name of each file below a folder that runs sops, and what `calls` yields.

    These are files that git tracks or would add; git finds their lines.  Documents, comments and Python
    programs, which `encconf.migration.callers` reads, do not count.  If ``bounded``, these are only the
    files that git finds in a second.
    """
    words = ("grep", "-nzIE", "--untracked", "-e", "(^|[^A-Za-z0-9_./:-])sops[[:blank:]]")
    if bounded:
        _, found = git.start(*question(folder, *words), limit=_MOST, seconds=_SECONDS)()
    else:
        found = said(folder, *words)
    for entry in found.split("\n"):
        name, _, rest = entry.partition("\0")
        number, _, line = rest.partition("\0")
        if number.isdecimal() and not is_prose(name):
            for _, shown, instead in calls(line):
                yield name, int(number), shown, instead


def is_prose(name: str) -> bool:
    """Whether a file is a document, which runs nothing, or a Python program."""
    return name.lower().endswith((*_PROSE, ".py"))


def _call(line: str) -> str | None:
    """Return a line with encconf in place of sops, "" if that may not work, or None if sops is not run."""
    if _COMMENT.match(line):
        return None
    new, at, runs, certain = "", 0, False, _PROVIDES.search(line) is None
    found = sorted(match.start() for pattern in (_CALL, _EDIT) for match in pattern.finditer(line))
    for start in dict.fromkeys(found):
        before = line[:start]
        is_command = _BEFORE.search(before) is not None
        if not is_command and (_NAMED.search(before) or not _CALL.match(line, start)):
            continue
        runs, certain = True, certain and is_command
        new, at = f"{new}{line[at:start]}encconf", start + len("sops")
    if not runs:
        return None
    return f"{new}{line[at:]}".strip() if certain else ""


# --- a configuration for the existing files ------------------------------------------------------
#
# Nothing authenticates the keys and settings of a file: whoever can write to it can add some.  So a person
# has to confirm what `taken` lists, before `rules` makes them the rules for everyone.


def taken(found: Survey) -> list[str]:
    """Return what `rules` would take from the files, and from which: every key in full, and every setting."""
    keys: dict[str, list[str]] = {}
    settings: dict[str, list[str]] = {}
    for name, metadata in found.metadata.items():
        for key in dict.fromkeys(wrapped.key for group in metadata.groups for wrapped in group):
            keys.setdefault(f"{key.TYPE} {printable(key.name)}", []).append(name)
        said = list(metadata.selection.as_written()) if metadata.selection != DEFAULT else []
        if len(metadata.groups) > 1:
            said.append(f"{quorum(metadata.threshold, metadata.groups)} of {len(metadata.groups)} key groups")
        for each in said:
            settings.setdefault(printable(each), []).append(name)
    return [
        f"{what}, from {listed(map(printable, names), 3)}"
        for each in (keys, settings)
        for what, names in each.items()
    ]


def is_own(found: Survey, recipient: str | None) -> bool:
    """Whether the files have no key but this age recipient, and no setting."""
    return all(
        metadata.selection == DEFAULT
        and [[each.key.name for each in group] for group in metadata.groups] == [[recipient]]
        for metadata in found.metadata.values()
    )


def own_rule(found: Survey, recipient: str | None) -> str | None:
    """Return the text of a ``.sops.yaml`` with one age recipient for the files that it opens, or None."""
    names = [
        name
        for name, metadata in found.metadata.items()
        if any(wrapped.key.name == recipient for group in metadata.groups for wrapped in group)
    ]
    return _config([{"path_regex": _regex(found, names), "age": recipient}]) if names else None


def rules(found: Survey) -> str | None:
    """Return the text of a ``.sops.yaml`` that fits each file, or None if it cannot name the keys."""
    alike: dict[object, list[str]] = {}
    for name, metadata in found.metadata.items():
        groups = tuple(frozenset(wrapped.key for wrapped in group) for group in metadata.groups)
        alike.setdefault((groups, metadata.threshold, metadata.selection), []).append(name)
    made: list[dict[str, object]] = []
    for names in sorted(alike.values(), key=lambda names: (len(names), names)):
        metadata = found.metadata[names[0]]
        wraps = [wrapped for group in metadata.groups for wrapped in group]
        if any(wrapped.entry.get(name) for wrapped in wraps for name in _ABOUT):
            return None
        rule: dict[str, object] = {"path_regex": _regex(found, names)}
        if metadata.selection != DEFAULT:
            rule |= metadata.selection.to_entries()
        if metadata.threshold and len(metadata.groups) > 1:
            rule["shamir_threshold"] = metadata.threshold
        key_groups = [_group(group) for group in metadata.keys]
        if None in key_groups:
            return None
        made.append({**rule, "key_groups": key_groups})
    return _config(made)


def _config(rules: list[dict[str, object]]) -> str:
    from encconf.formats import emit

    tree = mapped({"creation_rules": rules}, lambda value: Value(type(value).__name__, str(value).encode()))
    return f"{_HEAD}{emit.render([tree], 'yaml', indent=2)}"


def _regex(found: Survey, names: Sequence[str]) -> str:
    """Return a path_regex for files: by folder and ending if they are many, and no other file has both."""
    pieces: dict[str, None] = {}
    for folder, ending, inside in attributes.by_ending(names, found.root):
        if ending and folder:
            pieces[f"{_literal(folder)}/[^/]+{_literal(ending)}"] = None
        else:
            pieces.update((_literal(name), None) for name in inside)
    return f"^{next(iter(pieces))}$" if len(pieces) == 1 else f"^({'|'.join(pieces)})$"


def _literal(text: str) -> str:
    return re.sub(r"[\\.+*?()|\[\]{}^$]", r"\\\g<0>", text)


def _group(keys: Iterable[MasterKey]) -> dict[str, list[object]] | None:
    """Return a key group as in a configuration, or None if it must be written by hand."""
    by_type: dict[str, list[object]] = {}
    for key in keys:
        row = TABLE.get(key.TYPE)
        if row is None:
            return None
        entry = key.to_entry()
        pairs = [(name, entry.get(field)) for name, field in zip(row.settings, row.fields, strict=False)]
        members = {name: value for name, value in pairs if value}
        if not all(isinstance(value, str) for value in members.values()):
            return None  # it has an encryption context
        by_type.setdefault(row.name_in_group, []).append(members if row.settings else key.name)
    return by_type


# --- words ---------------------------------------------------------------------------------------


def describe(found: Survey, steps: Sequence[str]) -> list[str]:
    """Return at most five lines that describe the repository and say what to do next: the ``steps``."""
    from encconf.audit.names import Names, short

    count = len(found.metadata)
    sorts = ", ".join(f"{name} {number}" for name, number in found.formats.most_common())
    places = listed((f"{name}/" if name != "." else "the top folder" for name in found.folders), 4)
    lines = [f"{counted(count, 'SOPS file')} ({sorts}) in {places}"]
    names = Names()
    for config in dict.fromkeys(filter(None, found.configs.values())):
        names.add_config(config)
    keys = found.keys
    named = [names.given(key) or short(key) for key in keys]
    lines.append(f"encrypted for {counted(len(keys), 'key')}: {listed(named, 5)}")
    if found.ignored:
        lines.append(f"{IGNORED} is ignored, by sops too: git mv {IGNORED} {NAME}")
    elif lacking := sum(found.configs[os.path.dirname(name)] is None for name in found.metadata):
        where = "no" if lacking == count else f"{lacking} of these files have no"
        lines.append(f"{where} {NAME}: encconf init writes one, with the keys that you confirm")
    if found.callers:
        lines.append(f"sops is called in: {listed(found.callers, 5)} (encconf doctor . shows replacements)")
    lines.append(f"next: {', '.join(steps)} (help: encconf --help)")
    return lines
