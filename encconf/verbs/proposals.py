"""Proposals: a value proposed without a key, in a file of its own, and accepted by somebody with a key."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from encconf import api, formats
from encconf.audit import proposals
from encconf.audit.proposals import Origin, Proposal
from encconf.engine import changes, checks, opening
from encconf.engine.metadata import Metadata
from encconf.engine.opening import PROPOSAL
from encconf.errors import (
    EncconfError,
    InputError,
    NotEncryptedError,
    OutputError,
    PathBlockedError,
    PathNotFoundError,
    PathSyntaxError,
    ProposalError,
    UsageError,
    about,
)
from encconf.formats.writing import settled, value_at
from encconf.io import fileio, trust
from encconf.record import Record, VerbOptions
from encconf.rules.config import Rule, find_rule, proposal_name, proposed_file
from encconf.rules.selection import Selection
from encconf.text.document import Value, content_of, reached
from encconf.text.path import END, Path, parse, spell
from encconf.text.printable import counted, one_line, quoted
from encconf.verbs import files
from encconf.verbs.set import Edits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from encconf.identities.credentials import Credentials
    from encconf.text.document import Plain
    from encconf.verbs.front import Front


class Proposing(VerbOptions):
    """What to propose.  The value is never an option: whoever can see the command line would see it."""

    file: str
    path: str
    json: bool = False
    config: str | None = None


def propose(options: Proposing, front: Front, ask_hidden: Callable[[str], str]) -> str:
    """Write a proposal, and return its name.  ``ask_hidden`` returns the value for a path."""
    file, where = options.file, parse(options.path)
    if not where:
        raise PathSyntaxError("a proposal is for one value", hint="name its path: a.b[0]")
    changes.refuse_reserved(where)
    rule = find_rule(file, config=options.config, notify=front.warn)
    format, replaces, own = _look(front, file, where)
    selection = own or rule.selection
    given = ask_hidden(options.path)
    value: Plain = changes.from_json(given) if options.json else given
    formats.writing_of(formats.get(format)).check(where, value)
    if not _has_secret(value):
        raise InputError("there is nothing to encrypt in this value", hint="leave it to someone with a key")
    if not selection.needs_comments and (left := [*_left_out(value, where, selection)]):
        raise checks.exposing(left, selection).about(file)
    said = {PROPOSAL: proposals.name_inside(file), "path": options.path, "value": value}
    text = json.dumps(said, indent=2, ensure_ascii=False) + "\n"
    own_rule = rule.for_proposal()
    enc = api.encrypt(
        text, own_rule, format=proposals.FORMAT, credentials=front.credentials(), notify=front.warn
    )
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


def _left_out(value: Plain, where: Path, selection: Selection) -> Iterator[Path]:
    """Return the paths of values that a selection leaves in plaintext."""
    if isinstance(value, (dict, list)):
        for step, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _left_out(item, (*where, step), selection)
    elif _has_secret(value) and not selection.encrypts(where):
        yield where


def _look(front: Front, file: str, where: Path) -> tuple[str, bool, Selection | None]:
    """Look, without a key, at what a file has at a path.

    Returns its format, whether there is a value, and the selection of a file that exists.

    Raises an error if a value could not be put there.
    """
    path = fileio.resolve(file)
    with about(file, instead=path):
        text = fileio.read_existing(path)
        if text is not None and formats.find(text, file) is None:
            raise NotEncryptedError
        format = formats.get(files.input_format(text, file, None))
        if format.single_value:
            raise InputError("the file is a single value, to which nothing can be added")
        formats.writing_of(format).check(where, "x")
        waiting = [name for name in proposals.names(file) if _is_meant_for(name, where)]
        if waiting and END not in where:  # several values can be added to a list
            front.warn(f"{spell(where)} is proposed already: {', '.join(map(one_line, waiting))}")
        if text is None:
            front.note(f"{one_line(file)} does not exist yet; accepting the proposal creates it")
            return format.name, False, None
        document = formats.scan_encrypted(text, format)
        own = Metadata.of(document).selection
        tree = (content_of(document) or [{}])[0]
        where = changes.place(document, where)
        settled(tree, where)
        try:
            there = value_at(tree, where)
        except PathNotFoundError as error:
            if isinstance(error, PathBlockedError) or _is_beyond(tree, where):
                raise
            if error.hint and error.hint.startswith("did you mean"):
                front.warn(f"{spell(where)} does not exist yet: {error.hint}")
            return format.name, False, own
        refuse_collection(there, where)
        return format.name, True, own


def refuse_collection(there: object, where: Path) -> None:
    """Raise ProposalError for a mapping or list at the path of a proposal: its values would be lost."""
    if isinstance(there, (dict, list)):
        what = "a mapping" if isinstance(there, dict) else "a list"
        raise ProposalError(
            f"{spell(where)} is {what}, which no proposal replaces", hint="propose its values one by one"
        )


def _is_beyond(tree: Any, path: Path) -> bool:
    """Whether a path has an index that its list does not have, and that is not ``[]``."""
    at, there = reached(tree, path)
    return at < len(path) and isinstance(there, list) and isinstance(path[at], int) and path[at] != END


def _is_meant_for(name: str, where: Path) -> bool:
    try:
        return proposals.read(name).where == where
    except (OSError, InputError):
        return False


# --- accepting ------------------------------------------------------------------------------------
# Whatever is accepted was shown before, by `Shown`: the path, who proposed the value and since when, and
# the value itself, masked unless the user asks for it.


class Accepting(VerbOptions):
    """Which proposals to accept: those for a file, or ``only`` those for some paths, or of some names."""

    file: str
    only: Sequence[str] = ()
    yes: bool = False
    dry_run: bool = False
    config: str | None = None


class Shown(Record):
    """One proposal, as it is shown to the user.

    ``state`` is ``new``, ``replaces``, ``same`` or ``refused``; ``refusal`` says why.  ``place`` is the path
    with indexes that count from the start.
    """

    name: str
    path: str
    origin: Origin
    state: str
    place: Path = ()
    value: Any = None
    refusal: EncconfError | None = None
    proposal: Proposal | None = None

    def edit(self) -> tuple[Path, Any]:
        """Return the edit that puts the value into the file.  A text becomes a number as with `set`."""
        assert self.proposal is not None
        value = changes.AsBefore(self.value) if isinstance(self.value, str) else self.value
        return self.proposal.where, value


def accept(options: Accepting, front: Front, show: Callable[[Sequence[Shown]], None]) -> None:
    """Show the proposals for a file, ask, and put the accepted ones into the file.

    Raises ProposalError, after the others were accepted, if one of them cannot be.
    """
    file = options.file
    if of := proposed_file(file):
        raise UsageError("this is a proposal", hint=f"encconf accept {quoted(of)}").about(file)
    names = _named(options, proposals.names(file))
    if not names:
        show([])
        front.note(f"nothing is proposed for {one_line(file)}")
        return
    credentials = front.credentials()
    rule = find_rule(file, config=options.config, notify=front.warn)
    tree = _tree(file, credentials)
    found = [_shown(name, rule, tree, credentials) for name in names]
    _refuse_rivals(file, found)
    show(found)
    if options.dry_run:
        return
    fitting = [each for each in found if each.refusal is None]
    accepted = fitting
    if not options.yes:
        accepted = [each for each in fitting if front.confirm(f"accept {each.path}?")]
        left = [each.name for each in fitting if all(each is not other for other in accepted)]
        if left:
            front.hint(f"to refuse a proposal, remove its file: rm {' '.join(map(quoted, left))}")
    if accepted:
        edits = [each.edit() for each in accepted]
        Edits(file, fileio.resolve(file), edits, config=options.config, secret=True, rule=lambda: rule).run(
            front
        )
        for each in accepted:
            _remove(front, each)
    refused = [each for each in found if each.refusal is not None]
    if len(found) == len(refused) == 1 and refused[0].refusal is not None:
        raise refused[0].refusal
    if refused:
        raise ProposalError(
            f"{counted(len(refused), 'proposal')} of {len(found)} cannot be accepted",
            hint="the list says why; to refuse a proposal, remove its file",
        ).about(file)


def _refuse_rivals(file: str, found: Sequence[Shown]) -> None:
    """Refuse each proposal for whose value there is another one."""
    for each in found:
        others = [other.name for other in found if other is not each and _excludes(each.place, other.place)]
        if each.refusal is None and others:
            each.state = "refused"
            each.refusal = ProposalError(
                f"{', '.join(map(one_line, others))} is for the same value, or a part of it",
                hint=f"accept one of them by its name: encconf accept {quoted(file)} {quoted(each.name)}",
            ).about(each.name)


def _excludes(one: Path, other: Path) -> bool:
    """Whether only one of two values can be accepted: they have one place, or one is inside the other."""
    steps = list(zip(one, other, strict=False))
    return bool(steps) and all(a == b for a, b in steps) and (END, END) not in steps


def _named(options: Accepting, names: list[str]) -> list[str]:
    """Return the proposals that the user names, by path or by file.  Raises UsageError for another word."""
    if not options.only:
        return names
    wanted = []
    for word in options.only:
        found = [name for name in names if os.path.basename(name) == os.path.basename(word)]
        found = found or [name for name in names if _is_for(name, word)]
        if not found:
            raise UsageError(
                f"nothing is proposed for {one_line(word)}",
                hint=f"to see what is: encconf accept -n {quoted(options.file)}",
            )
        wanted += found
    return list(dict.fromkeys(wanted))


def _is_for(name: str, word: str) -> bool:
    with suppress(EncconfError):
        return proposals.read(name).where == parse(word)
    return False


def _tree(file: str, credentials: Credentials) -> Any:
    """Open the file, and return its values, or an empty mapping if it does not exist yet."""
    path = fileio.resolve(file)
    with about(file, instead=path):
        text = fileio.read_existing(path)
        if text is None:
            return {}
        format = files.input_format(text, file, None)
        return opening.open_text(text, format=format, credentials=credentials).trees()[0]


def _shown(name: str, rule: Rule, tree: Any, credentials: Credentials) -> Shown:
    shown = Shown(name, "", Origin(), "refused")
    try:
        shown.proposal = proposal = proposals.read(name)
        shown.path = spell(proposal.where)
        shown.origin = proposals.origin(proposal)
        shown.value = proposals.value_of(proposal, rule, credentials)
        shown.state = _state(tree, proposal.where, shown.value)
        places = zip(proposal.where, settled(tree, proposal.where), strict=True)
        shown.place = tuple(END if step == END else at for step, at in places)
    except EncconfError as error:
        shown.refusal = error.about(name)
    return shown


def _state(tree: Any, where: Path, value: Any) -> str:
    from encconf.formats import emit

    try:
        there = value_at(tree, where)
    except PathBlockedError:
        raise
    except PathNotFoundError:
        return "new"
    refuse_collection(there, where)
    assert isinstance(there, Value)
    old = emit.plain_value(there)
    same = old == value or (isinstance(value, str) and not isinstance(old, str) and emit.text(there) == value)
    return "same" if same else "replaces"


def _remove(front: Front, each: Shown) -> None:
    """Remove an accepted proposal, unless it is not the one that was shown any more."""
    folder, base = os.path.split(each.name)
    path = trust.fixed(folder, base)
    assert each.proposal is not None
    with about(each.name, instead=path):
        if fileio.read_existing(path) not in (None, each.proposal.text):
            front.warn(f"{one_line(each.name)} changed in the meantime and stays", "accept or remove it")
            return
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise OutputError(f"cannot be removed: {(error.strerror or '').lower()}") from None
    front.note(f"removed {one_line(each.name)}")
