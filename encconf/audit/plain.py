"""Plaintext files that may have been meant to be encrypted, for `encconf.audit.check`.

The severity depends on how many files of the same rule are encrypted, so it is known after all were read.
"""

from __future__ import annotations

import re
from binascii import a2b_base64
from collections.abc import Callable
from contextlib import suppress

from encconf.audit import guesses
from encconf.audit.findings import Finding, Lines, printable
from encconf.audit.rulebook import Named
from encconf.errors import EncconfError, PatternError
from encconf.rules.config import Rule
from encconf.rules.selection import DEFAULT
from encconf.text.document import Document, Format, Leaf
from encconf.text.path import called_a_secret, spell
from encconf.text.printable import listed

_IDENTITY = rb"(?<![0-9A-Za-z-])((AGE-SECRET-KEY-(?:PQ-)?1)[0-9A-Z]{58})(?![0-9A-Za-z])"
_BREAK = rb"(?:\r?\n[ \t]*|\\r\\n|\\n)"
_PEM = (
    rb"-----BEGIN ((?:RSA |EC |DSA |OPENSSH )?PRIVATE KEY)-----" + _BREAK
    + rb"((?:[A-Za-z0-9+/=]{16,}" + _BREAK + rb"){2,}[A-Za-z0-9+/=]*" + _BREAK + rb"?)-----END \1-----"
)  # fmt: skip
"""A key in PEM, also in an indented block or with line breaks that are escaped, as in JSON."""
_PGP = (
    rb"-----BEGIN (PGP PRIVATE KEY BLOCK)-----" + _BREAK + rb"(?:[A-Za-z]+: [^\r\n\\]*" + _BREAK + rb")*"
    + rb"(?:" + _BREAK + rb")?((?:[A-Za-z0-9+/=]{16,}" + _BREAK + rb"){2})"
)  # fmt: skip
_RANDOM = rb"[A-Za-z0-9+/=_-]{16}"
_COMMITTED = "If it has been committed or sent, change its secrets as well."


class PrivateKey:
    """A private key in a plaintext file: what ``sort`` it is, and ``at`` which offset.

    ``recipients`` are those whose files it opens, as far as that is known.
    """

    __slots__ = ("at", "recipients", "sort")

    def __init__(self, sort: str, at: int, recipients: set[str]) -> None:
        self.sort = sort
        self.at = at
        self.recipients = recipients


def private_key(data: bytes, *, whole: bool = False) -> PrivateKey | None:
    """Return the first private key in a file, or None.  A key with a passphrase is ignored.

    With ``whole``, a key in PEM or of PGP counts only if it is all that the file contains, because source
    code and documentation quote them.
    """
    if b"AGE-SECRET-KEY-" in data and (found := _identities(data)) is not None:
        return found
    match = re.match if whole else re.search
    if b"PRIVATE KEY" not in data:
        return None
    if (pem := match(rb"\s*" * whole + _PEM, data)) is not None and not _is_locked(pem[2]):
        openssh = b"OPENSSH" in pem[1]
        recipients = _of_ssh(data[pem.start() : pem.end()].strip()) if openssh else set()
        return PrivateKey("an SSH private key" if openssh else "a private key", pem.start(1), recipients)
    if (pgp := match(rb"\s*" * whole + _PGP, data)) is not None:
        return PrivateKey("a PGP private key", pgp.start(1), set())
    return None


def _identities(data: bytes) -> PrivateKey | None:
    """Return the age identities in a file, as one key."""
    from encconf.keys import bech32

    found: PrivateKey | None = None
    for match in re.finditer(_IDENTITY, data):
        try:
            bech32.decode(match[1].decode(), match[2].decode(), 32)
        except ValueError:
            continue  # it is not valid, so it is an invented example
        found = found or PrivateKey("an age identity", match.start(1), set())
        from encconf.keys.age import recipient_in

        with suppress(EncconfError):
            found.recipients.add(recipient_in(match[1]) or "")
    return found


def _of_ssh(pem: bytes) -> set[str]:
    """Return the recipients of an SSH private key: its public key, and its age recipient."""
    from encconf.keys import ssh
    from encconf.keys.age import recipient_in

    found: set[str] = set()
    with suppress(EncconfError, ValueError):
        if public := recipient_in(pem):
            found.add(" ".join(public.split()[:2]))
            found.add(ssh.recipient(public))
    return found


def _is_locked(text: bytes) -> bool:
    """Whether the base64 text of a private key begins as that of an OpenSSH key with a passphrase."""
    with suppress(ValueError):
        return b"bcrypt" in a2b_base64(b"".join(text.replace(b"\\n", b"").split())[:88])
    return False


class Plain:
    """One plaintext file, and what a finding about it would say.

    ``rule`` is its rule (None if none is usable), ``where`` the rule's name in messages.  ``telling`` says
    that only values that look like secrets count.  The document is not kept.
    """

    __slots__ = ("_found", "_is_object", "_telling", "file")

    def __init__(
        self, file: Named, data: bytes, document: Document, rule: Rule | None, where: str, *, telling: bool
    ) -> None:
        self.file = file
        self._is_object = guesses.holds_object_secret(data)
        self._telling = telling
        self._found: Finding | None = None
        if guesses.is_public(file.name) or guesses.is_encrypted_otherwise(data):
            return
        leaves = _hidden(file, document, rule, telling=telling)
        if not (document.text.strip() if document.format.single_value else leaves):
            return
        paths = [printable(spell(leaf.path)) for leaf in leaves]
        what = f"{listed(paths, 3)} {'is' if len(paths) == 1 else 'are'} plaintext" if paths else "plaintext"
        why = f"but {where} says to encrypt {'it' if len(paths) < 2 else 'them'}"
        if not where:
            why = f"but {'nothing here' if telling else 'its name says that it'} is encrypted"
        cause = f"plaintext, but {where} says to encrypt it" if where else f"plaintext, {why}"
        said = f"{what}, {why}"
        if not file.meant:
            said = cause = "a Kubernetes Secret in plaintext that no creation rule covers"
        at = Lines(document.text)(leaves[0].start if leaves else 0)
        hint = self._hint(rule, where)
        if not leaves or self._is_object or guesses.is_secrets(file.base) or any(map(_may_be_secret, leaves)):
            hint = f"{hint} {_COMMITTED}"
        else:
            hint = f"{hint} If nothing in it is secret, make the rule's path_regex leave it out."
        self._found = Finding("not-encrypted", file.name, said, place=at, hint=hint, cause=cause)

    def finding(self, exposed: Callable[[str], bool], *, uses_sops: bool) -> Finding | None:
        """Return the finding about this file, or None.

        ``exposed`` says whether git would commit a file, and ``uses_sops`` whether sops is used at all.
        """
        file, found = self.file, self._found
        if found is None or not (file.meant or uses_sops) or not exposed(file.name):
            return None
        if not file.meant:
            found.severity = "warning"
        elif file.chosen is None:
            found.severity = "error" if uses_sops and not self._telling else "warning"
        elif file.meant != "error" or guesses.says_secret(file.name) or file.chosen.is_narrow:
            found.severity = file.meant
        else:
            found.severity = "warning" if self._is_object else "note"
        return found

    def _hint(self, rule: Rule | None, where: str) -> str:
        if rule is None and where:
            return "Correct that rule, then encrypt the file (encconf encrypt -i FILE)."
        if rule is None and self._telling:
            return "Make an encrypted file from it (encconf import FILE)."
        if rule is None:
            return "Add a creation rule for it, then encrypt it."
        if not rule.groups:
            return "The rule names no key, so name one: encconf encrypt -i --age RECIPIENT FILE."
        if not rule.selects and self._is_object:
            return (
                "Its rule also encrypts kind and metadata: to encrypt only the data, add encrypted_regex: "
                "^(data|stringData)$ to the rule. Then encrypt it (encconf encrypt -i FILE)."
            )
        return "Encrypt it (encconf encrypt -i FILE)."


def _hidden(file: Named, document: Document, rule: Rule | None, *, telling: bool) -> list[Leaf]:
    """Return the values that a file's rule would encrypt and that are worth hiding."""
    if document.format.single_value:
        return []
    if not file.meant:
        return guesses.object_secrets(document)
    try:
        chosen = (rule.selection if rule is not None else DEFAULT).choose(document).leaves
    except PatternError:
        return []  # `encconf.audit.check` reports it
    leaves = [leaf for leaf, is_chosen in zip(document.leaves, chosen, strict=True) if is_chosen]
    leaves = guesses.hidden(document, leaves)
    return [leaf for leaf in leaves if _tells(leaf, document.format)] if telling else leaves


def _may_be_secret(leaf: Leaf) -> bool:
    if guesses.looks_like_a_secret(leaf) or called_a_secret(leaf.path):
        return True
    return leaf.type == "str" and re.search(_RANDOM, leaf.data or b"") is not None


def _tells(leaf: Leaf, format: Format) -> bool:
    """Whether a value looks like a secret, or its key says that it is one and it is not just words."""
    if guesses.looks_like_a_secret(leaf):
        return True
    value = (leaf.data or b"").decode(errors="replace").strip()
    is_words = " " in value or all(sign.isalpha() or not sign.isascii() for sign in value)
    return guesses.is_named_like_a_secret(leaf) and (format.environment or not is_words)
