"""Proposals: values that people without a key add for a file, for someone with a key to accept.

A proposal is a small SOPS file beside the file that it is for, in JSON::

    {"proposal_for": "deploy/db.enc.yaml", "path": "db.password", "value": "ENC[…]", "sops": {…}}

It is encrypted for the recipients in the file's rule, whatever its own name.  Each has its own name
(`encconf.rules.config.proposal_name`), so that those of several people never conflict in git.  The MAC covers
the file's name and the path, so that you need a key to turn a proposal to another place.  But anybody
can write a new one: only a person can decide whether its value is right.
"""

from __future__ import annotations

import os

from encconf import formats, git
from encconf.engine import opening
from encconf.engine.admission import Objections, rule_of
from encconf.engine.metadata import Metadata
from encconf.engine.opening import PROPOSAL
from encconf.errors import ProposalError, about
from encconf.formats import emit
from encconf.io import fileio, trust
from encconf.record import Record
from encconf.rules.config import proposed_file
from encconf.rules.selection import PROPOSED
from encconf.text.document import content_of
from encconf.text.path import Path, parse
from encconf.text.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from encconf.identities.credentials import Credentials
    from encconf.rules.config import Rule
    from encconf.text.document import Document

FORMAT = "json"
_MEMBERS = {PROPOSAL, "path", "value"}
_AGAIN = "its value may be that of another file; remove it, and propose the value again"


class Origin(Record):
    """Where git has a proposal from: its ``author`` and ``date``, or neither before it is committed.

    Git does not check who an author is.
    """

    author: str = ""
    date: str = ""
    commit: str = ""

    def __str__(self) -> str:
        return f"by {self.author} since {self.date[:10]}" if self.commit else "not committed"


class Proposal(Record):
    """What a proposal says without a key.  ``name`` is its file, and ``where`` the path of the value."""

    name: str
    text: str
    document: Document
    where: Path


def name_inside(file: str) -> str:
    """Return the name of a file that is written into proposals for it: the one that git has for it."""
    known = git.place(file)
    return known[1] if known is not None else os.path.basename(file)


def names(file: str) -> list[str]:
    """Return the names of the proposals for a file, sorted."""
    folder, base = os.path.split(file)
    try:
        there = os.listdir(folder or ".")
    except OSError:
        return []
    return [os.path.join(folder, name) for name in sorted(there) if proposed_file(name) == base]


def read(name: str) -> Proposal:
    """Read a proposal.  Raises ProposalError if it is not a proposal for the file that its name says."""
    folder, base = os.path.split(name)
    path = trust.fixed(folder, base)
    with about(name, instead=path):
        text = fileio.read_text(path)
        document = formats.scan_encrypted(text, formats.get(FORMAT))
        return Proposal(name, text, document, place_in(document, name))


def place_in(document: Document, name: str) -> Path:
    """Return the path that a proposal is for.  Raises ProposalError as `read` does."""
    tree = content_of(document)[0]
    if not opening.is_proposal(document) or tree.keys() != _MEMBERS:
        raise ProposalError("it has the name of a proposal, but not the content of one")
    if Metadata.of(document).selection != PROPOSED:  # the MAC may not cover file and path
        raise ProposalError("its sops block is not that of a proposal", hint=_AGAIN)
    said = [tree[member] for member in (PROPOSAL, "path")]
    if any(not isinstance(value, tuple) or value[0] != "str" for value in said):
        raise ProposalError("it does not say which value of which file it is for")
    file, path = ((data or b"").decode(errors="replace") for _, data in said)
    if file != name_inside(proposed_file(name)):
        raise ProposalError(
            f"it was made for another file: {printable(file, 200)}",
            hint="if the file was moved, propose the value again",
        )
    if not (where := parse(path)):
        raise ProposalError("it does not say which value it is for")
    return where


def value_of(proposal: Proposal, rule: Rule, credentials: Credentials) -> Any:
    """Open a proposal, and return its value.

    Raises ProposalError if a recipient that the rule does not name could read the value, or if encconf did
    not write it as a proposal, and what opening it raises.
    """
    with about(proposal.name):
        wanted = rule_of(Metadata.of(proposal.document))
        objections = Objections(wanted.groups, wanted, [rule])
        if objections:
            raise ProposalError(
                f"it is encrypted for others than {rule.name} says, who know the value: {objections}",
                hint="remove its file, and propose another value",
            )
        opened = opening.open_text(proposal.text, format=FORMAT, credentials=credentials)
        if not opened.check_mac():  # sops's MAC does not say where the file ends and the path begins
            raise ProposalError("another program than encconf wrote it", hint=_AGAIN)
        opening.refuse_ciphertexts(opened)
        return emit.plain_of(opened.trees()[0]["value"])


def origin(proposal: Proposal) -> Origin:
    """Ask git who wrote a proposal as it is now, and when."""
    folder, base = os.path.split(os.path.abspath(proposal.name))
    committed = git.version(f"HEAD:./{base}", folder)
    if committed is None or committed.replace("\r\n", "\n") != proposal.text.replace("\r\n", "\n"):
        return Origin()
    said = git.said(folder, "log", "-1", "--format=%an <%ae>%x00%aI%x00%h", "HEAD", "--", base)
    author, _, rest = said.strip().partition("\0")
    date, _, commit = rest.partition("\0")
    return Origin(printable(author, 100), printable(date, 30), commit) if commit else Origin()
