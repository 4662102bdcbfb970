"""Propose a value for a file, without a key: in a file of its own, which somebody with a key accepts."""

from __future__ import annotations

import json
import os
from collections.abc import Callable

from encconf import api, formats
from encconf.audit import proposals
from encconf.engine.opening import PROPOSAL
from encconf.errors import (
    InputError,
    NotEncryptedError,
    PathBlockedError,
    PathNotFoundError,
    PathSyntaxError,
    ProposalError,
    about,
)
from encconf.formats import sniff
from encconf.formats.writing import settled
from encconf.io import fileio, trust
from encconf.record import Options as Base
from encconf.rules.config import find_rule, proposal_name
from encconf.text.document import content_of
from encconf.text.path import END, Path, parse, spell
from encconf.text.printable import one_line, quoted
from encconf.verbs import changes, files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from encconf.text.tree import Plain
    from encconf.verbs.front import Front


class Options(Base):
    """What to propose.  The value is never an option: whoever can see the command line would see it."""

    file: str
    path: str
    json: bool = False
    config: str | None = None


def run(options: Options, front: Front, ask: Callable[[str], str]) -> str:
    """Write a proposal, and return its name.  ``ask`` returns the value for a path."""
    file, where = options.file, parse(options.path)
    if not where:
        raise PathSyntaxError("a proposal is for one value", hint="name its path: a.b[0]")
    changes.refuse_reserved(where)
    rule = find_rule(file, config=options.config, notify=front.warn).for_proposal()
    format, replaces = _look(front, file, where)
    given = ask(options.path)
    value: Plain = changes.from_json(given) if options.json else given
    formats.writing_of(format).check(where, value)
    if not _has_secret(value):
        raise InputError("there is nothing to encrypt in this value", hint="leave it to someone with a key")
    said = {PROPOSAL: proposals.name_inside(file), "path": options.path, "value": value}
    text = json.dumps(said, indent=2, ensure_ascii=False) + "\n"
    enc = api.encrypt(text, rule, format=proposals.FORMAT, credentials=front.credentials(), notify=front.warn)
    name = proposal_name(file, os.urandom(4).hex())
    folder, base = os.path.split(name)
    path = trust.fixed(folder, base)
    with about(name, instead=path):
        fileio.write_atomic(path, enc, replacing=None)
    front.note(f"wrote {one_line(name)}")
    if replaces:
        front.note(f"{one_line(options.path)} has a value already, which the proposed one would replace")
    front.hint(
        f"commit it: git add {quoted(name)}; whoever can open {one_line(file)} accepts it with: "
        f"encconf accept {quoted(file)}"
    )
    return name


def _has_secret(value: Plain) -> bool:
    """Whether sops encrypts anything in a value: not nulls, empty texts and empty collections."""
    if isinstance(value, (dict, list)):
        return any(map(_has_secret, value.values() if isinstance(value, dict) else value))
    return value is not None and value != ""


def _look(front: Front, file: str, where: Path) -> tuple[str, bool]:
    """Look, without a key, at what a file has at a path.  Returns its format, and whether there is a value.

    Raises an error if a value could not be put there.
    """
    path = fileio.resolve(file)
    with about(file, instead=path):
        text = fileio.read_existing(path)
        if text is not None and sniff.find(text, file) is None:
            raise NotEncryptedError
        format = formats.get(files.format_of(text, file, None))
        if format.single_value:
            raise InputError("the file is a single value, to which nothing can be added")
        formats.writing_of(format.name).check(where, "x")
        if waiting := [name for name in proposals.names(file) if _is_for(name, where)]:
            front.warn(f"{spell(where)} is proposed already: {', '.join(map(one_line, waiting))}")
        if text is None:
            front.note(f"{one_line(file)} does not exist yet; accepting the proposal creates it")
            return format.name, False
        document = formats.scan_encrypted(text, format)
        tree = (content_of(document) or [{}])[0]
        where = changes.place(document, where)
        settled(tree, where)
        try:
            there = changes.find(tree, where)
        except PathNotFoundError as error:
            if isinstance(error, PathBlockedError) or _is_beyond(tree, where):
                raise
            if error.hint and error.hint.startswith("did you mean"):
                front.warn(f"{spell(where)} does not exist yet: {error.hint}")
            return format.name, False
        refuse_collection(there, where)
        return format.name, True


def refuse_collection(there: object, where: Path) -> None:
    """Raise ProposalError for a mapping or list at the path of a proposal: its values would be lost."""
    if isinstance(there, (dict, list)):
        what = "a mapping" if isinstance(there, dict) else "a list"
        raise ProposalError(
            f"{spell(where)} is {what}, which no proposal replaces", hint="propose its values one by one"
        )


def _is_beyond(tree: Any, path: Path) -> bool:
    """Whether a path has an index that its list does not have, and that is not ``[]``."""
    for step in path:
        if isinstance(tree, list) and step != END:
            if not -len(tree) <= step < len(tree):  # type: ignore[operator]
                return True
        elif not isinstance(tree, dict) or step not in tree:
            return False
        tree = tree[step]
    return False


def _is_for(name: str, where: Path) -> bool:
    try:
        return proposals.read(name).where == where
    except (OSError, InputError):
        return False
