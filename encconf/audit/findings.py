"""What `encconf.audit.check` can find, how grave each is, and one finding with its place.

`KINDS` is the whole list: reports, documentation and tests go by it.  A finding names files, keys,
lines and public identifiers; it never holds a value.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from fnmatch import fnmatchcase

from encconf.errors import UsageError
from encconf.text.printable import printable as made_printable
from encconf.text.words import did_you_mean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Final

_PLAIN_WORD: Final = re.compile(r"[\w./@%+=:,][\w./@%+=:,-]*", re.ASCII)

SEVERITIES: Final = ("note", "warning", "error")
"""From the mildest on."""


class Kind:
    """One kind of finding: how grave it is by default, what it means, and what to do about it.

    ``unchecked`` says that something could not be looked at, rather than that it is wrong.
    """

    __slots__ = ("help", "severity", "title", "unchecked")

    def __init__(self, severity: str, title: str, help: str, *, unchecked: bool = False) -> None:
        self.severity = severity
        self.title = title
        self.help = help
        self.unchecked = unchecked


KINDS: Final = {
    "not-encrypted": Kind(
        "error",
        "A file that a creation rule covers is plain text",
        "Encrypt it (encconf encrypt -i FILE). If it has been committed or sent, change its secrets, too.",
    ),
    "plain-value": Kind(
        "error",
        "A value is plaintext where the file says that it is encrypted",
        "Neither sops nor encconf opens such a file. encconf edit FILE encrypts the value when you save.",
    ),
    "plain-by-rule": Kind(
        "error",
        "A value is plaintext that the creation rule encrypts now",
        "encconf updatekeys --selection FILE makes the file follow the rule.",
    ),
    "plain-comment": Kind(
        "warning",
        "A comment stands in clear where the file's comments are encrypted",
        "Write comments with: encconf edit FILE.",
    ),
    "never-decrypted": Kind(
        "error",
        "A value is encrypted where the file says that it is not, so nothing decrypts it",
        "Readers get the ciphertext as the value. Restore the file's own selection, or an older version.",
    ),
    "bad-value": Kind(
        "error",
        "A ciphertext is damaged",
        "Take the value from an older version of the file.",
    ),
    "bad-block": Kind(
        "error",
        "The sops block is malformed, or is missing beside encrypted values",
        "Take the block from an older version of the file.",
    ),
    "no-mac": Kind(
        "error",
        "The file has no MAC, so nothing shows that it is as it was written",
        "Compare it with an older version; encconf rotate --ignore-mac FILE writes a new MAC.",
    ),
    "keys-differ": Kind(
        "error",
        "The file is encrypted for other keys than its creation rule names",
        "encconf updatekeys FILE makes it follow the rule.",
    ),
    "threshold-differs": Kind(
        "error",
        "It takes another number of key groups to open the file than its creation rule says",
        "encconf updatekeys FILE makes it follow the rule.",
    ),
    "selection-differs": Kind(
        "error",
        "The file selects what is encrypted in another way than its creation rule",
        "encconf updatekeys --selection FILE makes it follow the rule.",
    ),
    "rule-without-selection": Kind(
        "warning",
        "A creation rule does not say which values are encrypted, and files of it do",
        "New files are encrypted whole. Put the files' selection into the rule if they should be alike.",
    ),
    "no-rule": Kind(
        "warning",
        "An encrypted file that no creation rule covers",
        "Add a rule for it to .sops.yaml, so that it is known who should be able to open it.",
    ),
    "no-driver": Kind(
        "warning",
        "An encrypted file that git merges line by line, though others are merged by values",
        "encconf git install adds it to .gitattributes.",
    ),
    "plain-twin": Kind(
        "error",
        "git tracks the plain text of an encrypted file",
        "git rm --cached FILE, name it in .gitignore, and change the secrets: the history has them.",
    ),
    "private-key": Kind(
        "error",
        "A private key, or an age identity, is in the repository in plaintext",
        "Whoever has the repository has the key: make a new one, and put it elsewhere.",
    ),
    "leftover": Kind(
        "error",
        "A command that was killed has left plaintext beside the file that it was writing",
        "Remove it. If it has been committed or sent, change its secrets, too.",
    ),
    "merge-conflict": Kind(
        "error",
        "An encrypted file has unresolved merge conflicts",
        "encconf git install lets git merge encrypted files; take one side, and put the other's values in.",
    ),
    "unmerged": Kind(
        "error",
        "A merge of the file is not finished, and nothing opens it before it is",
        "encconf edit FILE shows what is open, and finishes it; that takes a key.",
    ),
    "equal-iv": Kind(
        "error",
        "Two values are encrypted with the same nonce under one key, which gives both away",
        "encconf rotate FILE encrypts everything anew; change the secrets, too.",
    ),
    "equal-value": Kind(
        "warning",
        "Two ciphertexts are the same, so everyone sees that the values are equal",
        "encconf rotate FILE encrypts everything anew.",
    ),
    "shared-data-key": Kind(
        "warning",
        "Files for different people have the same data key",
        "Whoever can open one can open the other: encconf rotate FILE.",
    ),
    "short-value": Kind(
        "note",
        "A value is so short that its length, or its type, gives it away",
        "A ciphertext is as long as its value. Keep such a setting elsewhere, or know that it is open.",
    ),
    "secret-in-clear": Kind(
        "warning",
        "A value in clear is called like a secret, or looks like one",
        "Widen the creation rule's selection, and: encconf updatekeys --selection FILE.",
    ),
    "aws-profile": Kind(
        "warning",
        "The file names an AWS profile, which other people and machines may not have",
        "Take aws_profile out of .sops.yaml, use AWS_PROFILE, and: encconf updatekeys FILE.",
    ),
    "accidental-quorum": Kind(
        "warning",
        "Several key groups without a threshold: one key of each of them is needed",
        "Put the keys under one dash of key_groups if any one should do, otherwise write shamir_threshold.",
    ),
    "config-notice": Kind(
        "warning",
        "Something in .sops.yaml means nothing",
        "sops ignores it, too; the setting that was meant is perhaps missing.",
    ),
    "sops-too-old": Kind(
        "warning",
        "A setting that the sops named in the repository is too old for",
        "That sops ignores the setting, or stops at it: name a newer one there, or leave the setting out.",
    ),
    "bad-config": Kind(
        "error",
        ".sops.yaml, or one of its rules, cannot be used",
        "Until then no file can be encrypted by it.",
    ),
    "unused-rule": Kind(
        "note",
        "A creation rule is the rule of no file",
        "Its path_regex may be wrong, or a rule above it takes all its files.",
    ),
    "mac-mismatch": Kind(
        "error",
        "The file was changed without its key (--verify)",
        "Compare it with an older version.",
    ),
    "damaged-value": Kind(
        "error",
        "A value does not decrypt (--verify)",
        "It was changed or moved. Take it from an older version of the file.",
    ),
    "damaged-comment": Kind(
        "warning",
        "Comments do not decrypt (--verify)",
        "No MAC covers comments; take them from an older version of the file.",
    ),
    "not-verified": Kind(
        "warning",
        "No key here opens the file, so its values and its MAC were not checked (--verify)",
        "encconf decrypt FILE says for each key why it cannot be used.",
        unchecked=True,
    ),
    "unreadable": Kind(
        "error",
        "A file cannot be read or parsed, so nothing in it was checked",
        "The message says why.",
        unchecked=True,
    ),
}


_SAID_BY_CAUSE: Final = frozenset(
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
        """How grave it is: 0 for a note, 2 for an error."""
        return SEVERITIES.index(self.severity)

    def __repr__(self) -> str:
        return f"Finding({self.slug!r}, {self.file!r}, {self.line}, {self.message!r})"


def _about(help: str, file: str, path: str) -> str:
    """A kind's help with its FILE and PATH filled in, as words that a shell takes."""
    if path:
        help = help.replace(" PATH", f" {quoted(path)}")
    return help.replace(" FILE", f" {quoted(file)}")


def quoted(word: str) -> str:
    """A word of a command as a shell takes it."""
    if _PLAIN_WORD.fullmatch(word):
        return word
    import shlex

    return shlex.quote(printable(word, 4096))


class Ignored:
    """Kinds that somebody has accepted: ``SLUG`` everywhere, or ``SLUG=GLOB`` for files of such names.

    A glob is for the whole name relative to the folder that it was written for (``*`` takes ``/``, too),
    or for the name without its folders.  Raises UsageError for a kind that there is not.
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
    """A foreign text for a message: on one line, not too long, and nothing that moves a cursor."""
    return made_printable(text, limit)


def leading(name: str) -> str:
    """A file's name for the start of a line, where CI systems would take ``::error…`` for a command."""
    shown = printable(name, 4096)
    return f"./{shown}" if shown.lstrip().startswith(("::", "##")) else shown


def listed(words: Sequence[str], limit: int = 5) -> str:
    """``a, b and 3 more``."""
    shown = ", ".join(words[:limit])
    return shown if len(words) <= limit else f"{shown} and {len(words) - limit} more"
