"""Accept proposals: put the values that people without a key propose into the file that they are for.

Whatever is accepted was shown before, by `Shown`: the path, who proposed the value and since when, and the
value itself, masked unless the user asks for it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress

from encconf import api, formats
from encconf.audit import proposals
from encconf.audit.proposals import Origin, Proposal
from encconf.engine import opening
from encconf.errors import (
    EncconfError,
    OutputError,
    PathBlockedError,
    PathNotFoundError,
    ProposalError,
    UsageError,
    about,
)
from encconf.io import fileio, trust
from encconf.record import Options as Base
from encconf.record import Record
from encconf.rules.config import Rule, find_rule, proposed_file
from encconf.text.document import Value
from encconf.text.path import Path, parse, spell
from encconf.text.printable import counted, one_line, quoted
from encconf.verbs import changes, checks, files
from encconf.verbs.propose import refuse_collection
from encconf.verbs.set import scan_to_change, write_changed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from encconf.identities.credentials import Credentials
    from encconf.verbs.front import Front


class Options(Base):
    """Which proposals to accept: those for a file, or ``only`` those for some paths, or of some names."""

    file: str
    only: Sequence[str] = ()
    yes: bool = False
    dry_run: bool = False
    config: str | None = None


class Shown(Record):
    """One proposal, as it is shown to the user.

    ``state`` is ``new``, ``replaces``, ``same`` or ``refused``; ``refusal`` says why.
    """

    name: str
    path: str
    origin: Origin
    state: str
    value: Any = None
    refusal: EncconfError | None = None
    proposal: Proposal | None = None

    def edit(self) -> tuple[Path, Any]:
        """Return the edit that puts the value into the file.  A text becomes a number as with `set`."""
        assert self.proposal is not None
        value = changes.AsBefore(self.value) if isinstance(self.value, str) else self.value
        return self.proposal.where, value


def run(options: Options, front: Front, show: Callable[[Sequence[Shown]], None]) -> None:
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
    for each in found:
        same_path = [other.name for other in found if other is not each and other.path == each.path]
        if each.refusal is None and same_path:
            each.state = "refused"
            each.refusal = ProposalError(
                f"{', '.join(map(one_line, same_path))} is for the same value",
                hint=f"accept one of them by its name: encconf accept {quoted(file)} {quoted(each.name)}",
            ).about(each.name)
    show(found)
    if options.dry_run:
        return
    fitting = [each for each in found if each.refusal is None]
    accepted = fitting
    if not options.yes:
        accepted = [each for each in fitting if front.confirm(f"accept {each.path}?")]
    if accepted:
        _put(options, front, rule, accepted)
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


def _named(options: Options, names: list[str]) -> list[str]:
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
        format = files.format_of(text, file, None)
        return changes.tree(opening.open_text(text, format=format, credentials=credentials))


def _shown(name: str, rule: Rule, tree: Any, credentials: Credentials) -> Shown:
    shown = Shown(name, "", Origin(), "refused")
    try:
        shown.proposal = proposal = proposals.read(name)
        shown.path = spell(proposal.where)
        shown.origin = proposals.origin(proposal)
        shown.value = proposals.value_of(proposal, rule, credentials)
        shown.state = _state(tree, proposal.where, shown.value)
    except EncconfError as error:
        shown.refusal = error.about(name)
    return shown


def _state(tree: Any, where: Path, value: Any) -> str:
    from encconf.formats import emit

    try:
        there = changes.find(tree, where)
    except PathBlockedError:
        raise
    except PathNotFoundError:
        return "new"
    refuse_collection(there, where)
    assert isinstance(there, Value)
    old = emit.plain_value(there)
    same = old == value or (isinstance(value, str) and not isinstance(old, str) and emit.text(there) == value)
    return "same" if same else "replaces"


def _put(options: Options, front: Front, rule: Rule, accepted: Sequence[Shown]) -> None:
    """Put the values into the file."""
    file = options.file
    target = fileio.resolve(file)

    def change() -> None:
        with about(file, instead=target):
            old = fileio.read_existing(target)
            format = files.format_of(old, file, None)
            if old is None:
                plain = formats.get(format).empty
                for each in accepted:
                    where, _ = each.edit()
                    plain = changes.put(plain, where, each.value, format=format)
                enc = api.encrypt(
                    plain, rule, format=format, credentials=front.credentials(), notify=front.warn
                )
            else:
                document, admission = scan_to_change(front, file, old, format, options.config)
                edits = [each.edit() for each in accepted]
                enc = changes.change(
                    document,
                    format,
                    *((changes.place(document, where), value) for where, value in edits),
                    credentials=front.credentials(),
                    admission=admission,
                    check=checks.of_edits(file, options.config, saves=True),
                    notify=front.warn,
                )
        write_changed(front, file, target, old, enc)

    files.in_turn(target, change)


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
