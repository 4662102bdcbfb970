"""The kinds of findings of `encconf.audit.check`, their severities, and a finding with its place.

`KINDS` is the complete list, which reports, documentation and tests use.  A finding names files, keys,
lines and public identifiers; it never holds a value.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from fnmatch import fnmatchcase

from encconf.errors import UsageError
from encconf.text.printable import printable as made_printable
from encconf.text.printable import quoted as made_quoted
from encconf.text.words import did_you_mean

SEVERITIES = ("note", "warning", "error")
"""In ascending order."""


class Kind:
    """One kind of finding: its default severity, what it means, and what to do about it.

    ``unchecked`` says that something could not be looked at, rather than that it is wrong.
    """

    __slots__ = ("help", "severity", "title", "unchecked")

    def __init__(self, severity: str, title: str, help: str, *, unchecked: bool = False) -> None:
        self.severity = severity
        self.title = title
        self.help = help
        self.unchecked = unchecked


KINDS = {
    "not-encrypted": Kind(
        "error",
        "A file that a creation rule covers is not encrypted",
        "Encrypt it (encconf encrypt -i FILE). If it has been committed or sent, change its secrets as well.",
    ),
    "plain-value": Kind(
        "error",
        "A value is plaintext, but the file's selection encrypts it",
        "sops and encconf refuse to decrypt such a file. encconf edit FILE encrypts the value when you save.",
    ),
    "plain-by-rule": Kind(
        "error",
        "A value is plaintext, but the creation rule encrypts it now",
        "Update the file to match the rule: encconf updatekeys --selection FILE",
    ),
    "plain-comment": Kind(
        "warning",
        "A comment is plaintext in a file whose comments are encrypted",
        "Add comments with encconf edit FILE, which encrypts them.",
    ),
    "never-decrypted": Kind(
        "error",
        "A value is encrypted, but the file's selection leaves it out, so nothing decrypts it",
        "Programs get the ciphertext as the value. Restore the file's selection, or an older version.",
    ),
    "bad-value": Kind(
        "error",
        "A ciphertext is damaged",
        "Restore the value from an older version of the file.",
    ),
    "bad-block": Kind(
        "error",
        "The sops block is malformed, or missing although there are encrypted values",
        "Restore the block from an older version of the file.",
    ),
    "no-mac": Kind(
        "error",
        "The file has no MAC, so nobody can verify that it was not changed",
        "Compare it with an older version; encconf rotate --ignore-mac FILE writes a new MAC.",
    ),
    "keys-differ": Kind(
        "error",
        "The file's recipients are not those of its creation rule",
        "Update the file to match the rule: encconf updatekeys FILE",
    ),
    "threshold-differs": Kind(
        "error",
        "The file's threshold is not that of its creation rule",
        "Update the file to match the rule: encconf updatekeys FILE",
    ),
    "selection-differs": Kind(
        "error",
        "The file's selection is not that of its creation rule",
        "Update the file to match the rule: encconf updatekeys --selection FILE",
    ),
    "rule-without-selection": Kind(
        "warning",
        "A creation rule has no selection, but files that it covers have one",
        "The rule encrypts every value of new files. If they should match the existing ones, add the "
        "files' selection to the rule.",
    ),
    "no-rule": Kind(
        "warning",
        "No creation rule covers an encrypted file",
        "Add a rule for it to .sops.yaml that names its recipients.",
    ),
    "no-driver": Kind(
        "warning",
        "git merges this encrypted file line by line, but others by value",
        "Add it to .gitattributes: encconf git install",
    ),
    "plain-twin": Kind(
        "error",
        "git tracks the plaintext of an encrypted file",
        "Run git rm --cached FILE, add the file to .gitignore, and change the secrets: they are in the "
        "history.",
    ),
    "private-key": Kind(
        "error",
        "A private key, or an age identity, is in the repository in plaintext",
        "Anyone with the repository has the key. Create a new key, and store it elsewhere.",
    ),
    "leftover": Kind(
        "error",
        "A killed command left plaintext next to the file that it was writing",
        "Remove it. If it has been committed or sent, change its secrets as well.",
    ),
    "merge-conflict": Kind(
        "error",
        "An encrypted file has unresolved merge conflicts",
        "Keep one side, and add the other's values. encconf git install lets git merge encrypted files.",
    ),
    "unmerged": Kind(
        "error",
        "A merge of the file is not finished, and the file cannot be opened until it is",
        "With a key, encconf edit FILE shows what is left to decide and finishes the merge.",
    ),
    "equal-iv": Kind(
        "error",
        "Two values are encrypted with the same nonce and key, which can reveal both",
        "Re-encrypt every value with encconf rotate FILE, and change the secrets as well.",
    ),
    "equal-value": Kind(
        "warning",
        "Two ciphertexts are identical, so anyone can see that the values are equal",
        "Re-encrypt every value: encconf rotate FILE",
    ),
    "shared-data-key": Kind(
        "warning",
        "Files for different people have the same data key",
        "Anyone who can open one can open the other. Give this file its own: encconf rotate FILE",
    ),
    "short-value": Kind(
        "note",
        "A value is so short that its length or type reveals it",
        "A ciphertext is as long as its value: move the value out of the file, or treat it as public.",
    ),
    "plain-secret": Kind(
        "warning",
        "A plaintext value has a name like a secret, or looks like one",
        "Widen the selection in the creation rule, then run: encconf updatekeys --selection FILE",
    ),
    "aws-profile": Kind(
        "warning",
        "The file names an AWS profile, which other people and machines may not have",
        "Remove aws_profile from .sops.yaml, set AWS_PROFILE instead, then run: encconf updatekeys FILE",
    ),
    "accidental-quorum": Kind(
        "warning",
        "A file or rule has several key groups and no threshold, so one key of each is needed",
        "If any one key should be enough, put all keys in one group. Otherwise, set shamir_threshold.",
    ),
    "config-notice": Kind(
        "warning",
        "Something in .sops.yaml has no effect",
        "sops ignores it as well. Check how the setting is spelled and where it belongs.",
    ),
    "sops-too-old": Kind(
        "warning",
        "A setting needs a newer sops than the version that the repository names",
        "That version ignores the setting or fails. Name a newer version, or remove the setting.",
    ),
    "bad-config": Kind(
        "error",
        ".sops.yaml, or one of its rules, cannot be used",
        "encconf and sops cannot encrypt files with it until you fix it.",
    ),
    "unused-rule": Kind(
        "note",
        "A creation rule applies to no file",
        "Its path_regex may be wrong, or an earlier rule matches all its files.",
    ),
    "mac-mismatch": Kind(
        "error",
        "The file was changed without its key (--verify)",
        "Compare it with an older version.",
    ),
    "damaged-value": Kind(
        "error",
        "A value does not decrypt (--verify)",
        "It was changed or moved. Restore it from an older version of the file.",
    ),
    "damaged-comment": Kind(
        "warning",
        "Comments do not decrypt (--verify)",
        "The MAC does not cover comments. Restore them from an older version of the file.",
    ),
    "not-verified": Kind(
        "warning",
        "None of your keys opens the file, so its values and MAC were not checked (--verify)",
        "encconf decrypt FILE says why each key failed.",
        unchecked=True,
    ),
    "unreadable": Kind(
        "error",
        "A file cannot be read or parsed, so nothing in it was checked",
        "The message gives the reason.",
        unchecked=True,
    ),
}


_SAID_BY_CAUSE = frozenset(
    ("keys-differ", "threshold-differs", "selection-differs", "no-rule", "config-notice", "bad-config",
     "bad-block", "rule-without-selection", "private-key", "accidental-quorum", "merge-conflict", "no-mac",
     "no-driver", "sops-too-old")
)  # fmt: skip
"""Kinds whose messages are the same where the cause is; those of others name a value or a file."""


class Finding:
    """One thing found.  ``file`` is as the caller names it; ``line`` and ``column`` count from 1, 0: none.

    ``path`` is where in the file, spelled like ``a.b[0]``, "" for the file as a whole.  A report for people
    has one line for all findings of a kind with the same ``cause``.
    """

    __slots__ = ("cause", "column", "file", "hint", "line", "message", "path", "severity", "slug")

    def __init__(
        self,
        slug: str,
        file: str,
        message: str,
        *,
        hint: str | None = None,
        place: tuple[int, int] = (0, 0),
        path: str = "",
        severity: str | None = None,
        cause: str | None = None,
    ) -> None:
        kind = KINDS[slug]
        self.cause = cause or (message if slug in _SAID_BY_CAUSE else kind.title)
        self.slug = slug
        self.file = file
        self.message = message
        self.hint = _about(kind.help if hint is None else hint, file, path)
        self.line, self.column = place
        self.path = path
        self.severity = severity or kind.severity

    @property
    def rank(self) -> int:
        """The severity as a number: 0 for a note, 2 for an error."""
        return SEVERITIES.index(self.severity)

    def __repr__(self) -> str:
        return f"Finding({self.slug!r}, {self.file!r}, {self.line}, {self.message!r})"


def _about(help: str, file: str, path: str) -> str:
    """A kind's help with its FILE and PATH filled in, as words that a shell takes."""
    if path:
        help = help.replace(" PATH", f" {quoted(path)}")
    return help.replace(" FILE", f" {quoted(file)}")


def quoted(word: str) -> str:
    """A foreign word of a command, as a shell takes it."""
    return made_quoted(printable(word, 4096))


class Ignored:
    """Kinds of findings to leave out: ``SLUG`` everywhere, or ``SLUG=GLOB`` for files with such names.

    A glob matches the whole name, relative to the folder that it was written for (``*`` matches ``/`` as
    well), or the name without its folders.  Raises UsageError for an unknown kind.
    """

    __slots__ = ("_globs",)

    def __init__(self, words: Iterable[str]) -> None:
        self._globs: dict[str, list[str]] = {}
        for word in words:
            slug, equals, glob = word.partition("=")
            if slug not in KINDS:
                raise UsageError(
                    f"there is no kind of finding called {printable(slug)}",
                    hint=did_you_mean(slug, KINDS) or f"there are: {', '.join(KINDS)}",
                )
            self._globs.setdefault(slug, []).append(glob if equals else "*")

    def __contains__(self, item: tuple[str, str]) -> bool:
        slug, name = item
        base = name.rpartition("/")[2]
        return any(fnmatchcase(name, glob) or fnmatchcase(base, glob) for glob in self._globs.get(slug, ()))


class Lines:
    """Lines and columns of offsets into a text, both from 1, columns in characters."""

    __slots__ = ("_starts", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts: list[int] | None = None

    def __call__(self, offset: int) -> tuple[int, int]:
        """Line and column."""
        if self._starts is None:
            starts, at = [0], self._text.find("\n")
            while at >= 0:
                starts.append(at + 1)
                at = self._text.find("\n", at + 1)
            self._starts = starts
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1


def printable(text: str, limit: int = 200) -> str:
    """A foreign text for a message: on one line, not too long, and without control characters."""
    return made_printable(text, limit)


def leading(name: str) -> str:
    """A file's name for the start of a line, where CI systems take ``::error…`` for a command."""
    shown = printable(name, 4096)
    return f"./{shown}" if shown.lstrip().startswith(("::", "##")) else shown
