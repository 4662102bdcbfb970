"""``encconf doctor``: whether this project can be used here, and which stores of secrets work.

See `encconf.migration`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress

from encconf.audit import survey
from encconf.cli.command import Argument, Command
from encconf.cli.console import Console
from encconf.cli.shared import CREDENTIALS, JSON
from encconf.errors import EncconfError, UsageError
from encconf.git import repository, said
from encconf.git.install import is_installed
from encconf.io import fileio
from encconf.keys.own import Own
from encconf.migration import ways
from encconf.migration.callers import Caller, search
from encconf.migration.ways import Found
from encconf.providers import within
from encconf.record import VerbOptions
from encconf.sources import PROBE_LIMIT, Probe
from encconf.text.printable import counted, printable, visible
from encconf.verbs import batch
from encconf.verbs.people import readable_files, with_names


class UnusableError(EncconfError):
    """A way that the user asked about does not work here."""

    slug = "unusable"


class Options(VerbOptions):
    way: Sequence[str] = ()
    json: bool = False


def doctor(options: Options, console: Console) -> None:
    """Print which of the seven ways work here.  Raises UnusableError if one of those in ``way`` does not.

    If ``way`` has paths of source code instead, list the places that run sops.
    """
    way, json = list(options.way), options.json
    known = {each.name: each for each in ways.WAYS}
    if paths := [name for name in way if name not in known and os.path.exists(name)]:
        if paths != way:
            raise UsageError("doctor takes secret stores or paths of source code, not both")
        _print_callers(console, paths, json)
        return
    for name in way:
        if name not in known:
            raise UsageError(
                f"{printable(name)[:200]} is neither a secret store nor a path",
                hint=f"the secret stores are: {', '.join(known)}",
            )
    if not json and not way:
        _show_project(console)
    found = ways.look([known[name] for name in way or known], console.credentials(), os.getcwd())
    if json:
        console.json({"user": ways.user(), "ways": list(map(_way_report, found))})
    else:
        console.lines(_way_text(found, ways.user()))
    unusable = [each.way.name for each in found if not each.usable]
    if way and unusable:
        raise UnusableError(f"not usable here: {', '.join(unusable)}")


DOCTOR = Command(
    "doctor",
    """Show whether you can open this project's files, and which secret stores work on this machine.

    First, shows how many of the project's encrypted files your keys open, and whether git is set up for
    them. Then, for each of the seven kinds of stores, the login it would use, and what is missing. WAY is
    environment, systemd, keyring, cyberark, vault, cloud or sops; by default, all of them. Each check takes
    two seconds at most. The only secrets fetched are the identities you configured for opening files; none is
    printed.

    With the path of a file or a folder instead, lists what runs sops, in Python programs and in every other
    file but documents, with the line that replaces each, if that is certain.

    Exit code 1: a way that you named does not work.
    """,
    Options,
    doctor,
    arguments=[Argument("way")],
    options=[JSON, *CREDENTIALS],
    examples=[
        "encconf doctor",
        "encconf doctor vault cloud",
        "encconf doctor src/",
    ],
)


def _show_project(console: Console) -> None:
    """Print whether the user can open the project's files, and whether git is set up."""
    credentials = console.credentials()
    try:
        own = within("it", PROBE_LIMIT, lambda: Own.of(credentials, commands=False))
    except EncconfError:  # a server with the user's key does not answer; the part about sops says so
        own = Own()
    paths, opened = readable_files(console, own)
    mine = {path for files in opened.values() for path in files}
    root = repository(os.getcwd())
    files = counted(len(paths), "encrypted file")
    lines = [f"files: your keys open {len(mine)} of {files} here"]
    if not paths:
        lines = [f"files: none is encrypted here; you have {counted(len(own.places), 'key')} on this machine"]
    names = [os.path.relpath(path, root) for path in paths] if root is not None else []
    if root is None:
        lines.append("git: this is not a git repository")
    elif names:
        done = is_installed(root, names)
        lines.append(f"git: {'shows and merges them by value' if done else 'is not set up for them'}")
    console.lines("".join(f"{line}\n" for line in lines))
    if (paths and not mine) or own.broken:
        console.hint(with_names(own.advice()))
    elif not own.places:
        console.hint("encconf init creates a key and sets up this project")
    if root is not None and names and not done:
        console.hint("git merges them line by line; encconf git install lets it show and merge them by value")
    console.lines("\n")


def _print_callers(console: Console, paths: list[str], json: bool) -> None:
    found = [caller for path in paths for caller in _callers(path)]
    if json:
        console.json({"callers": [caller.to_json() for caller in found]})
        return
    for caller in found:
        place = printable(caller.file)
        console.data(f"{place}:{caller.line}: {printable(caller.what, 1000)}\n")
        if caller.replacement is not None:
            console.data(f"    {printable(caller.replacement, 1000)}\n")
    if not found:
        console.note("nothing here runs sops")


def _callers(path: str) -> Iterator[Caller]:
    """Yield the calls of sops in a file, or below a folder in Python programs and then in other files.

    In a repository, git finds the files.
    """
    if os.path.isdir(path) and repository(os.path.abspath(path)) is not None:
        names = said(path, "grep", "-lzIF", "--untracked", "-e", "sops").split("\0")
        for name in names:
            if name.endswith(".py"):
                yield from search(_inside(path, name))
        for name, line, shown, instead in survey.calls_in(path):
            yield Caller(_inside(path, name), line, f"runs {shown}", instead)
        return
    files = batch.below(path) if os.path.isdir(path) else [path]
    for file in files:
        if file.endswith(".py"):
            yield from search(file)
    for file in files:
        if survey.is_prose(file):
            continue
        with suppress(EncconfError):
            for line, shown, instead in survey.calls(fileio.read_text(file)):
                yield Caller(file, line, f"runs {shown}", instead)


def _inside(folder: str, name: str) -> str:
    return os.path.normpath(os.path.join(folder, name))


def _way_report(found: Found) -> dict[str, object]:
    return {
        "name": found.way.name,
        "title": found.way.title,
        "usable": found.usable,
        "parts": [
            {
                "name": label,
                "usable": part.usable,
                "login": part.who,
                "missing": part.missing,
                "note": part.note,
            }
            for label, part in found.parts.items()
        ],
    }


def _way_text(found: list[Found], user: str) -> str:
    count = sum(each.usable for each in found)
    stores = f"{count} of {counted(len(found), 'secret store')}"
    lines = [f"{stores} {'is' if count == 1 else 'are'} usable on this machine, as {user}"]
    for each in found:
        lines += ["", f"{each.way.name}: {'usable' if each.usable else 'not usable'} ({each.way.title})"]
        lines += [f"  {label:<14} {_part_text(part)}" for label, part in each.parts.items()]
    return visible("\n".join([*lines, ""]))


def _part_text(part: Probe) -> str:
    said = [f"yes, as {part.who}" if part.who else "yes"] if part.usable else ["no"]
    said += [f"missing: {', '.join(part.missing)}"] if part.missing else []
    return "; ".join(filter(None, [*said, *part.note.split("\n")])).replace("\n", "; ")
