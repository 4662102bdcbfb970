"""Open an encrypted text: get its data key, decrypt its leaves and comments, and check its MAC.

`encconf.engine.plaintext` makes a plaintext of the result, and `encconf.engine.loading` Python values.
"""

from __future__ import annotations

import re

from encconf import formats
from encconf.engine import cipher, mac
from encconf.engine.cipher import aes_gcm, is_ciphertext, split, unlock
from encconf.engine.metadata import Metadata
from encconf.errors import (
    DecryptError,
    EmitError,
    MacMismatchError,
    ParseError,
    ProposalError,
    UnmergedError,
    WrongTypeError,
    bounded,
)
from encconf.formats import goyaml
from encconf.identities.credentials import Credentials
from encconf.record import Record
from encconf.text.document import ENC_BYTES, Leaf, Scope, UnsealedComment, Value, position
from encconf.text.path import spell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from typing import Any, ParamSpec, TypeVar

    from encconf.envelope.unwrap import DataKeyCache
    from encconf.rules.config import Notify
    from encconf.rules.selection import Chosen
    from encconf.text.document import Comment, Document, Edit
    from encconf.text.path import Path

    P = ParamSpec("P")
    T = TypeVar("T")


def as_text(given: object, *, binary: bool = False) -> str:
    """Return a text, decoded if it was given as bytes.

    Raises WrongTypeError, InputError for bytes that are not UTF-8, ParseError for half of a surrogate pair.
    """
    if isinstance(given, str):
        try:
            if not given.isascii():
                given.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError as error:
            raise ParseError(f"not a character at position {error.start}: half of a surrogate pair") from None
        return given
    if isinstance(given, (bytes, bytearray)):
        from encconf.io import fileio

        return fileio.decode(bytes(given), binary=binary)
    hint = None
    if isinstance(given, (dict, list)):
        hint = "serialize it first, for example with json.dumps"
    raise WrongTypeError(f"expected str or bytes, not {type(given).__name__}", hint=hint)


class Opened(Record):
    """An encrypted document, its metadata and data key, and beside it what its ciphertexts hold.

    ``values`` has the value of each leaf, and ``comments`` the document's comments, those that are encrypted
    with their plaintexts, if they were requested; ``comment_edits`` decrypt them.  If the document's block
    does not say what ``metadata`` does, it is not ``current``, and must be written again.  ``strict`` says
    that encconf's strict check covers it, and not only the MAC of sops.
    """

    document: Document
    metadata: Metadata
    chosen: Chosen
    data_key: bytes
    values: list[Value]
    comments: Sequence[Comment] = ()
    comment_edits: Sequence[Edit] = ()
    current: bool = True
    strict: bool = False

    def with_texts(self, texts: Mapping[int, str]) -> Opened:
        """Return this with secrets from elsewhere in place of some values, by the number of their leaf."""
        values = list(self.values)
        for index, text in texts.items():
            values[index] = values[index].replaced("str", text.encode())
        return self.replace(values=values)

    def trees(self) -> list[Any]:
        """Return the values as trees with their comments.  See `encconf.formats.emit.trees_of`."""
        from encconf.formats.emit import trees_of

        return trees_of(self.document, self.values, self.comments)

    @property
    def covered(self) -> bytearray | None:
        """Which leaves the MAC covers (1), or None for all."""
        return self.chosen.leaves if self.metadata.selection.mac_only_encrypted else None

    def check_mac(self, purpose: bytes = mac.ORDINARY) -> bool:
        """Do what `mac.check_mac` does."""
        return mac.check_mac(
            self.document,
            self.values,
            self.chosen.leaves,
            self.metadata.selection.to_entries(),
            self.data_key,
            self.metadata.lastmodified,
            self.metadata.mac,
            purpose,
        )


def open_encrypted(
    text: str | Document,
    format: str,
    credentials: Credentials | None,
    *,
    comments: bool,
    ignore_mac: bool = False,
    accept_plain: bool = False,
    cache: DataKeyCache | None = None,
) -> Opened:
    """Get a text's data key, decrypt its values and check its MAC.  `open_text` decrypts comments, too.

    A caller that has scanned the text already, with its comments, passes the document.
    """
    if isinstance(text, str):
        document = formats.scan_encrypted(text, formats.get(format), comments=comments)
    else:
        document = text
    metadata = Metadata.of(document)
    if metadata.selection.needs_comments and not comments:
        document = document.format.scan(document.text, comments=True)
    chosen = metadata.selection.choose(document)
    credentials = credentials or Credentials.from_env()
    from encconf.envelope.unwrap import open_data_key  # encrypting needs none of what opens

    data_key = open_data_key(metadata.groups, metadata.threshold, credentials, cache)
    credentials.audit("decrypt", document.text)
    values = cipher.unseal(document, chosen.leaves, data_key, accept_plain=accept_plain)
    opened = Opened(document, metadata, chosen, data_key, values)
    if not ignore_mac:
        try:
            strict = opened.check_mac()
        except MacMismatchError:
            if metadata.unmerged is not None:
                hint = "resolve it with: encconf edit FILE"
                raise UnmergedError(metadata.unmerged, hint=hint) from None
            opened = _as_spelled_by_sops(opened)
            try:
                strict = opened.check_mac()
            except MacMismatchError:
                opened = _as_older_sops(opened)
                strict = opened.check_mac()
        refuse_additions(opened, strict=strict)
        if strict:
            opened = opened.replace(strict=True)
    return without_nulls(opened)


def refuse_additions(opened: Opened, *, strict: bool) -> None:
    """Raise MacMismatchError for what only somebody without a key would add to a file of sops.

    sops's MAC covers neither empty values nor the keys of plaintext ones, nor where a mapping or a document
    ends.  The ``strict`` check does, but with ``mac_only_encrypted``, it does not cover plaintext values.
    """
    if strict and not opened.metadata.selection.mac_only_encrypted:
        return
    document = opened.document
    if document.format.environment:
        _refuse_commands(opened)
    if document.parts[1:]:
        _refuse_empty_documents(opened)
    if document.parts[1:] or document.format.repeats:
        _refuse_hidden(opened)


def _refuse_hidden(opened: Opened) -> None:
    """Raise MacMismatchError for a key that occurs twice, if the last one is plaintext and hides ciphertexts.

    The last one counts, so it would replace a secret by an empty value, or by another value of the file.
    """
    document, read = opened.document, opened.document.format.name_read
    secret: set[tuple[int, str | int | None]] = set()  # the keys so far, with their mapping
    values = iter(opened.values)
    for item in document.items:
        if type(item) is Leaf:
            around: Scope | None = item.scope
            sealed = next(values).sealed is not None
        else:
            assert type(item) is Scope
            around, sealed = item.parent if item.again is None else None, False
        step = item.step
        while around is not None:
            name = id(around.again or around), read(step) if type(step) is str else step
            if name in secret:
                if sealed:
                    break
                raise MacMismatchError(
                    f"{spell(item.path)} occurs twice, and the last one hides what the first one encrypts",
                    hint="remove the last one: no MAC covers it, so anyone can have added it",
                )
            if not sealed:
                break
            secret.add(name)
            step, around = around.step, around.parent


def _refuse_commands(opened: Opened) -> None:
    """Raise MacMismatchError for a plaintext value under a name that no variable has, such as ``$(program)``.

    sops's MAC does not cover the name, and a shell that reads the decrypted file would run it.
    """
    for leaf, value in zip(opened.document.leaves, opened.values, strict=True):
        name = str(leaf.step).removeprefix("\ufeff").strip()
        if value.sealed is not None or (name.startswith("#") and "\r" not in name):  # an indented comment
            continue
        if name.startswith(("export ", "export\t")):
            name = name[7:].lstrip()
        if not f"_{name}".replace(".", "_").replace("-", "_").isidentifier():  # docker takes 2FA=1, too
            raise MacMismatchError(
                f"{spell(leaf.path)} is not the name of a variable, and its value is not encrypted",
                hint="remove the line: no MAC covers its name, so anyone can have written it",
            )


def _refuse_empty_documents(opened: Opened) -> None:
    """Raise MacMismatchError for a document of a stream that has keys, but no value that sops's MAC counts.

    Anyone can put it before or after the others, and some commands take the values of one document only.
    """
    values = iter(opened.values)
    found: list[tuple[bool, bool]] = []  # for each document, whether it has keys, and values that count
    for item in opened.document.items:
        if type(item) is Leaf:
            value = next(values)
            if value.type != "comment":
                found[-1] = (True, found[-1][1] or bool(value.data))
            continue
        assert type(item) is Scope
        if item.parent is None:
            found.append((False, False))
        else:
            found[-1] = (True, found[-1][1])
    if (True, False) in found and (True, True) in found:
        raise MacMismatchError(
            f"document {found.index((True, False)) + 1} has only empty values",
            hint="remove it: anyone can have added it, since sops's MAC does not count empty values",
        )


def without_nulls(opened: Opened) -> Opened:
    """Return the opened document with strings for what another program takes for a null (`Format.null`).

    The MAC must be checked before, since it leaves out nulls.
    """
    if (null := opened.document.format.null) is None:
        return opened
    values = [Value("str", null) if value.data is None else value for value in opened.values]
    return opened.replace(values=values)


def _as_spelled_by_sops(opened: Opened) -> Opened:
    """Return the opened document with encrypted booleans and floats in sops's spelling.

    sops also reads others, such as ``true`` and ``1e3``.  rops counts floats as they are spelled.
    """
    values = list(opened.values)
    for index, value in enumerate(values):
        if value.sealed is None or value.type not in ("bool", "float"):
            continue
        number = goyaml.parse(value.type, value.data)
        if isinstance(number, (bool, float)):
            values[index] = value.replaced(value.type, goyaml.stored(number)[1])
    return opened.replace(values=values)


def _as_older_sops(opened: Opened) -> Opened:
    """Return the opened document with plaintext numbers as floats, as sops before 3.13.2 reads them."""
    values = list(opened.values)
    format = opened.document.format
    for index, leaf in enumerate(opened.document.leaves):
        if not opened.chosen.leaves[index] and format.fragile(leaf):
            assert leaf.data is not None
            number = float(leaf.data) or -0.0  # a zero is fragile when it is spelled -0
            values[index] = Value("float", goyaml.format_float(number))
    return opened.replace(values=values)


@bounded
def open_text(
    text: str | Document,
    *,
    format: str,
    credentials: Credentials | None = None,
    ignore_mac: bool = False,
    accept_plain: bool = False,
    notify: Notify | None = None,
) -> Opened:
    """Open an encrypted text with its comments, to get its plaintext or as the twin of `encconf.encrypt`.

    The data key is unwrapped once, even if the file is written again.  With ``accept_plain``, values that
    are plaintext but should be encrypted stay as they are.  Raises what `encconf.decrypt` raises.
    """
    opened = open_encrypted(
        text,
        format,
        credentials,
        comments=True,
        ignore_mac=ignore_mac,
        accept_plain=accept_plain,
    )
    return open_comments(opened, notify)


def still_sealed(opened: Opened) -> DecryptError | None:
    """Return the error for a value that is still a ciphertext after decryption, or None."""
    for index, value in enumerate(opened.values):
        if value.data and value.data.startswith(ENC_BYTES) and is_ciphertext(value.data):
            if value.sealed is None:
                what = "is encrypted, but the file's selection leaves it out, so it is not decrypted"
                hint = "restore the file's selection, or an older version of the file"
            else:
                what = "was encrypted twice: the file had lost its sops block before"
                hint = "decrypt the file once (encconf decrypt), then put back the block that it had before"
            path = spell(opened.document.leaves[index].path)
            return DecryptError(f"the value at {path} {what}", hint=hint)
    return None


PROPOSAL = "proposal_for"
"""The first member of a proposal (`encconf.audit.proposals`)."""


def is_proposal(document: Document) -> bool:
    """Whether a document is a value that somebody without a key proposes for a file."""
    first = next(iter(document.leaves), None)
    return first is not None and first.step == PROPOSAL and first.scope.step is None


def refuse_proposal(document: Document) -> None:
    """Raise ProposalError for a proposal.  Whatever gives values to programs calls this."""
    if is_proposal(document):
        raise ProposalError(
            "the file is a proposal, whose value does not count before somebody accepts it",
            hint="encconf accept FILE shows what is proposed for FILE",
        )


def refuse_to_change(document: Document) -> None:
    """Raise ProposalError for a proposal: only its ``value`` is encrypted, so others would be plaintext."""
    if is_proposal(document):
        raise ProposalError(
            "the file is a proposal, which cannot be changed",
            hint="remove it, and propose another value: encconf propose",
        )


def refuse_unloadable(opened: Opened) -> None:
    """Raise what `refuse_proposal` and `refuse_ciphertexts` raise: values for programs are neither."""
    refuse_proposal(opened.document)
    refuse_ciphertexts(opened)


def refuse_unprotected(
    opened: Opened, variables: Iterable[tuple[str, Value]], *, expands: bool = False
) -> None:
    """Raise EmitError for a plaintext value that somebody without a key could use to make programs run code.

    Its variable may decide that.  sops's MAC covers no names, and does not say where one value ends and the
    next begins: of ``version: 1.2.3``, anyone can make ``PYTHONPATH: "2"`` between two other values.  With
    ``mac_only_encrypted``, no MAC covers plaintext values; if variables are expanded, such a value could also
    send others elsewhere.
    """
    bare = opened.metadata.selection.mac_only_encrypted
    if opened.strict and not bare:
        return
    for name, value in variables:
        if value.sealed is not None:
            continue
        if _decides(name, bare=bare):
            what = f"{name} decides which code programs run"
        elif bare and expands and b"${" in (value.data or b""):
            what = f"{name} uses the value of another variable"
        else:
            continue
        if bare:
            why = "the file's MAC does not cover its plaintext value"
            hint = "encrypt this value, or encrypt the file without mac_only_encrypted"
        else:
            why = "the MAC of sops does not cover the names of plaintext values"
            hint = "encrypt this value; or, if it is right, set it yourself: encconf set FILE KEY VALUE"
        raise EmitError(f"{what}, and {why}, so anyone can have written it", hint=hint)


def _decides(name: str, *, bare: bool) -> bool:
    """Whether a variable decides which code runs.  ``bare`` says that no MAC covers its value."""
    from encconf.io.programs import runs_code

    # ENV is often the name of an environment, and only interactive shells read it.
    return runs_code(name) and (bare or name.upper() != "ENV")


def unvouched(opened: Opened, given: Collection[Path] = ()) -> set[Path]:
    """Return the paths of plaintext values that `refuse_unprotected` refuses under some name.

    Their names or values may be a stranger's, so what is made from this text must not vouch for them.  Values
    at or below the paths in ``given`` are the user's own.
    """
    bare = opened.metadata.selection.mac_only_encrypted
    if opened.strict and not bare:
        return set()
    read = opened.document.format.name_read
    found = set()
    for leaf, value in zip(opened.document.leaves, opened.values, strict=True):
        if value.sealed is not None:
            continue
        steps = [read(step) if isinstance(step, str) else str(step) for step in leaf.path]
        names = ("_".join(steps[at:]) for at in range(len(steps)))  # a section may be chosen
        if any(_decides(re.sub(r"\W", "_", name, flags=re.ASCII), bare=bare) for name in names):
            found.add(leaf.path)
    return {path for path in found if not any(path[: len(each)] == each for each in given)}


def refuse_ciphertexts(opened: Opened) -> None:
    """Raise `still_sealed`: a program would take the ciphertext for the secret."""
    if (error := still_sealed(opened)) is not None:
        raise error


# --- comments -----------------------------------------------------------------------------------


def open_comments(opened: Opened, notify: Callable[[str], None] | None = None) -> Opened:
    """Return the opened document with its comments decrypted, too.

    Only comments that the file's selection encrypts are decrypted.  No MAC covers comments: if somebody moved
    a ciphertext to a place that is not encrypted, the next edit would write it as plaintext.
    """
    document, format = opened.document, opened.document.format
    # sops puts any bytes into dotenv and INI files, as lone surrogates here.
    errors = "surrogateescape" if format.flat else "replace"
    edits: list[Edit] = []
    comments: list[Comment] = []
    lost = 0
    key = aes_gcm(opened.data_key)
    places: list[bytes] = []
    for comment, is_chosen in zip(document.comments, opened.chosen.comments, strict=True):
        parts = split(comment.text) if is_chosen else None
        if parts is None or parts[2] != "comment":
            if format.flat:
                _refuse_hidden_line(document, comment)
            comments.append(comment)
            continue
        data = unlock(key, *parts[:2], comment_aad(comment.scope.aad))
        misplaced = data is None
        if data is None:
            # go-yaml puts a few comments in unexpected places.  GCM's tag shows which guess is right.
            places = places or _all_places(document)
            guesses = (unlock(key, *parts[:2], place) for place in places)
            data = next((guess for guess in guesses if guess is not None), None)
        plain = None if data is None else format.comment_text(data.decode("utf-8", errors))
        if plain is None:
            lost += 1
            comments.append(comment)
            continue
        if comment.scope.listed and plain.strip(" ") == "":
            plain = plain[1:]
        comments.append(UnsealedComment(comment, plain, misplaced=misplaced))
        edits.append((comment.start, comment.end, plain))
    if lost and notify:
        from encconf.text.printable import counted

        notify(f"could not decrypt {counted(lost, 'encrypted comment')}: left unchanged")
    return opened.replace(comments=comments, comment_edits=edits + _of_items(document, opened.values))


def _refuse_hidden_line(document: Document, comment: Comment) -> None:
    """Raise DecryptError for a plaintext comment of dotenv or INI with a carriage return inside a line.

    sops and encconf end lines at line feeds only.  Others, such as python-dotenv, node, systemd and
    configparser, also end them at a carriage return, and would take the rest of the comment for a value.
    """
    if "\r" in comment.text and "\r" in comment.text.replace("\r\n", "\n").rstrip("\r\n"):
        raise DecryptError(
            f"the comment in line {position(document.text, comment.start)[0]} has a carriage return, which "
            "most programs read as the start of a new line",
            hint="remove that character: anyone can write a comment that is not encrypted, without a key",
        )


def _of_items(document: Document, values: Sequence[Value]) -> list[Edit]:
    """Return the edits that turn list items that sops stored for comments back into comments."""
    items = [
        (leaf, value.data)
        for leaf, value in zip(document.leaves, values, strict=True)
        if value.type == "comment" and value.data is not None
    ]
    if not items:
        return []
    places = {id(leaf) for leaf, _ in items}
    full = {  # the sequences that have other items, too
        id(item.parent if isinstance(item, Scope) else item.scope)
        for item in document.items
        if id(item) not in places
    }
    comment = document.format.comment
    return [comment(document, leaf, data, alone=id(leaf.scope) not in full) for leaf, data in items]


def comment_bytes(comment: Comment) -> bytes:
    """The bytes that are encrypted for a comment.

    sops would turn a bare ``#`` inside a list into an item.  So an empty comment is stored as one blank, one
    blank as two, and so on.
    """
    data = comment.text.encode("utf-8", "surrogateescape")
    return data + b" " if comment.scope.listed and not data.strip(b" ") else data


def comment_aad(aad: str) -> bytes:
    """The additional data with which sops authenticates a comment in a scope."""
    return aad.encode("utf-8", "surrogateescape") or b":"  # sops joins no keys and adds its colon


def _all_places(document: Document) -> list[bytes]:
    """The additional data of every place where sops may have put a comment."""
    return sorted({b":", *(comment_aad(scope.aad) for scope in document.scopes)})
