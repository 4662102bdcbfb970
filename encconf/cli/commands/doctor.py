"""``encconf doctor``: test which of the seven ways to keep secrets work here (see `encconf.migration`)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress

from encconf.audit import survey
from encconf.cli.command import Argument, Command
from encconf.cli.console import Console
from encconf.cli.shared import CREDENTIALS, JSON
from encconf.errors import EncconfError, UsageError
from encconf.git import attributes, repository, said
from encconf.io import fileio
from encconf.migration import ways
from encconf.migration.callers import Caller, search
from encconf.migration.ways import Found
from encconf.record import Options as Base
from encconf.sources import Probe
from encconf.text.printable import listed, printable, visible
from encconf.verbs import targets


class UnusableError(EncconfError):
    """A way that the user asked about does not work here."""

    slug = "unusable"


class Options(Base):
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
            raise UsageError("doctor takes names of ways or paths of source code, not both")
        _print_callers(console, paths, json)
        return
    for name in way:
        if name not in known:
            raise UsageError(f"unknown way: {name}", hint=f"the ways are: {', '.join(known)}")
    found = ways.look([known[name] for name in way or known], console.credentials(), os.getcwd())
    if json:
        console.json({"user": ways.user(), "ways": list(map(_way_report, found))})
    else:
        console.lines(_way_text(found, ways.user()))
    _warn_of_drivers(console)
    unusable = [each.way.name for each in found if not each.usable]
    if way and unusable:
        raise UnusableError(f"not usable here: {', '.join(unusable)}")


COMMAND = Command(
    "doctor",
    """Show which ways to keep secrets work on this machine.

    For each of the seven ways, shows the login it would use, and what is missing. WAY is environment,
    systemd, keyring, cyberark, vault, cloud or sops; by default, all of them. Each check takes two seconds
    at most. The only secrets fetched are the identities you configured for opening files; none is printed.

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


def _warn_of_drivers(console: Console) -> None:
    """Warn about encrypted files that git merges line by line."""
    root = repository(os.getcwd())
    left = attributes.without_drivers(root, attributes.encrypted(root)) if root is not None else []
    if left:
        console.warn(
            f"git merges {listed(left)} line by line", hint="encconf git install sets up merging by value"
        )


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
    files = targets.below(path) if os.path.isdir(path) else [path]
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
    lines = [f"{count} of {len(found)} ways work here, as {user}" if len(found) > 1 else f"as {user}"]
    for each in found:
        lines += ["", f"{each.way.name}: {'usable' if each.usable else 'not usable'} ({each.way.title})"]
        lines += [f"  {label:<14} {_part_text(part)}" for label, part in each.parts.items()]
    return visible("\n".join([*lines, ""]))


def _part_text(part: Probe) -> str:
    said = [f"yes, as {part.who}" if part.who else "yes"] if part.usable else ["no"]
    said += [f"missing: {', '.join(part.missing)}"] if part.missing else []
    return "; ".join(filter(None, [*said, *part.note.split("\n")])).replace("\n", "; ")
