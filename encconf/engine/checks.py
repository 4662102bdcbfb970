"""What a verb checks before it changes a file: whether values would stay plaintext.

The selection in a file is not authenticated, and its rule in .sops.yaml may have changed since it was
encrypted.  Who gets the data key, `encconf.engine.admission` decides.
"""

from __future__ import annotations

from encconf import formats
from encconf.engine.admission import in_full
from encconf.engine.metadata import Metadata
from encconf.engine.sealing import scan_plain
from encconf.errors import (
    EmptyGroupError,
    EncconfError,
    NoConfigError,
    NoMatchingRuleError,
    PlaintextError,
)
from encconf.rules.config import Rule, find_rule
from encconf.rules.selection import DEFAULT, EVERYTHING, Selection
from encconf.text.document import ENC_BYTES
from encconf.text.path import Path, called_a_secret, spell
from encconf.text.printable import listed, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from encconf.engine.changes import Check
    from encconf.engine.opening import Opened
    from encconf.text.document import Document

    Warn = Callable[[str, str], None]


_ANYWAY = "; --allow-plaintext saves the file anyway"


def known_rule(file: str, config: str | None) -> Rule | None:
    """Return the creation rule for a file in .sops.yaml, or None if there is no usable one."""
    try:
        return find_rule(file, config=config)
    except EncconfError:
        return None


def refuse_exposed(
    replaced: str | Document, plain: str | Document, format: str, selection: Selection
) -> None:
    """Raise PlaintextError if a selection leaves values in plaintext that the replaced file encrypts.

    This needs no key: ``replaced`` is a text that could not be opened, or an opened document.
    """
    try:
        if isinstance(replaced, str):
            replaced = formats.scan_encrypted(replaced, formats.get(format))
        own_selection = Metadata.of(replaced).selection
    except EncconfError:
        return  # a damaged file: nothing of it is kept
    if formats.get(format).single_value or own_selection == selection:
        return
    document = scan_plain(plain, format)
    sealed = {leaf.path for leaf in replaced.leaves if (leaf.data or b"").startswith(ENC_BYTES)}
    leaves = zip(document.leaves, selection.choose(document).leaves, strict=True)
    exposed = dict.fromkeys(
        spell(leaf.path) for leaf, will in leaves if leaf.data and not will and leaf.path in sealed
    )
    if exposed:
        own = " and ".join(own_selection.as_written())
        raise PlaintextError(
            f"the rule would leave values in plaintext that are encrypted now: {listed(exposed, 20)}",
            hint=f"to keep them encrypted, add the file's own selection to the rule: {own}; to save them "
            "as plaintext, use --force",
        )


def rule_to_follow(
    file: str, config: str | None, *, allowed: bool = False, warn: Warn | None = None
) -> Rule | None:
    """Return the rule that says which values of a file must be encrypted, or None if there is none.

    Raises an error if the rule cannot be read.  ``allowed`` and ``warn`` are as for `plaintext_check`.
    """
    try:
        return find_rule(file, config=config)
    except (NoConfigError, NoMatchingRuleError, EmptyGroupError):
        return None
    except EncconfError as error:
        if warn is not None and allowed:
            warn(f"{file} is not compared with its rule: {error}", "correct the configuration file")
            return None
        hint = error.hint or "correct .sops.yaml, which says what to encrypt"
        error.hint = f"{hint}; --allow-plaintext saves without comparing" if warn is not None else hint
        raise


def plaintext_check(
    file: str, config: str | None, *, allowed: bool = False, warn: Warn | None = None
) -> Check:
    """Return a check for `encconf.engine.changes` that refuses plaintext which the rule would encrypt.

    An encrypted file keeps its own selection, even if its rule in .sops.yaml has another one by now.  So a
    new value may stay plaintext although the rule encrypts it.  If no rule says what is encrypted, the file's
    selection may be that of somebody without a key: then no value that is called a secret stays plaintext.

    With ``allowed``, ``warn`` gets a message and a hint instead.  Without ``warn``, it is always an error.  A
    rule that cannot be read is handled in the same way; a rule without keys is ignored.
    """

    def check(opened: Opened, before: str, after: Document) -> None:
        rule = rule_to_follow(file, config, allowed=allowed, warn=warn)
        own = opened.metadata.selection
        if rule is None or not rule.selects:
            left = left_plaintext(before, after, file=own, rule=DEFAULT)
            if paths := [spell(path) for path in left if called_a_secret(path)]:
                _object(
                    f"{listed(paths)} would be saved as plaintext: {' and '.join(own.as_written())} in the "
                    "file leaves it out, and anyone could have written that",
                    "if it is right, add it to the creation rule; otherwise restore what the file had before",
                    file, allowed, warn,
                )  # fmt: skip
        if rule is None:
            return
        if warn is not None:
            warn_of_readers(file, opened.metadata, rule, warn)
        left = left_plaintext(before, after, file=own, rule=rule.selection_for(own))
        paths = [spell(path) for path in left]
        if not paths:
            return
        _object(
            f"{listed(paths)} would be saved as plaintext: {rule.name} of .sops.yaml encrypts such values, "
            "but the file's own selection does not",
            f"encconf updatekeys --selection {quoted(file)} updates the file to match the rule",
            file, allowed, warn,
        )  # fmt: skip

    return check


def edits_check(
    file: str, config: str | None, *, saves: bool, allowed: bool = False, warn: Warn | None = None
) -> Check:
    """Return a check for edits that set or remove values.

    Their comments stay, and a rule about comments may apply them to the next value: the check refuses to
    decrypt that.  If the edits save values, it also does what `plaintext_check` does, with its parameters.
    """
    plaintext = plaintext_check(file, config, allowed=allowed, warn=warn)

    def check(opened: Opened, before: str, after: Document) -> None:
        if found := revealed(before, after, opened.metadata.selection):
            paths = listed(map(spell, found))
            _object(
                f"{paths} would be saved as plaintext: a comment that stays would apply to it",
                f"change the comment as well, with: encconf edit {quoted(file)}",
                file, allowed, warn if saves or allowed else None,
            )  # fmt: skip
        if saves:
            plaintext(opened, before, after)

    return check


def warn_of_readers(file: str, metadata: Metadata, rule: Rule, warn: Warn) -> None:
    """Warn about recipients of a file that its rule does not name: they can read new values.

    A branch may have replaced the file by one of theirs.
    """
    named = [key for group in rule.groups for key in group]
    others = [held.key for group in metadata.groups for held in group if held.key not in named]
    if others:
        who = listed(map(in_full, others), 3)
        warn(
            f"{file} can be read by {who}, and {rule.name} of .sops.yaml does not name them",
            f"if they should not, remove them before you commit the file: encconf updatekeys {quoted(file)}",
        )


def _object(message: str, hint: str, file: str, allowed: bool, warn: Warn | None) -> None:
    if warn is not None and allowed:
        warn(message, hint)
        return
    raise PlaintextError(message, hint=hint + _ANYWAY if warn is not None else hint).about(file)


def exposing(paths: Iterable[Path], selection: Selection) -> PlaintextError:
    """Return the error for values from elsewhere, encrypted there, that a file's selection leaves out."""
    return PlaintextError(
        f"{listed(map(spell, paths))} would be saved as plaintext, because of "
        f"{' and '.join(selection.as_written())}",
        hint="widen the selection in the creation rule, then run: encconf updatekeys --selection FILE",
    )


def refuse_new_plaintext(before: str, after: Document, selection: Selection) -> None:
    """Raise the error of `exposing` if a selection leaves new or changed values in plaintext."""
    if left := new_plaintext(before, after, selection):
        raise exposing(left, selection)


def new_plaintext(before: str, after: Document, selection: Selection) -> list[Path]:
    """Return the paths of new or changed values that a selection leaves in plaintext."""
    return left_plaintext(before, after, file=selection, rule=EVERYTHING)


def left_plaintext(before: str, after: Document, *, file: Selection, rule: Selection) -> list[Path]:
    """Return the paths of new or changed values that stay plaintext although the rule encrypts them.

    ``after`` is the new plaintext, scanned with its comments.  ``file`` is the selection in the encrypted
    file, ``rule`` the one in .sops.yaml now.
    """
    if file.kind == rule.kind and file.pattern == rule.pattern:
        return []
    leaves = after.format.scan(before).leaves if before.strip() else []
    known = {(leaf.path, leaf.data) for leaf in leaves}
    chosen = zip(after.leaves, file.choose(after).leaves, rule.choose(after).leaves, strict=True)
    return [
        leaf.path
        for leaf, by_file, by_rule in chosen
        if by_rule and not by_file and leaf.data and (leaf.path, leaf.data) not in known
    ]


def revealed(before: str, after: Document, selection: Selection) -> list[Path]:
    """Return the paths of values that are encrypted before a change of others, and plaintext after it."""
    if not selection.needs_comments or not before.strip():
        return []
    was = _by_fate(after.format.scan(before, comments=True), selection)
    now = _by_fate(after, selection)
    return [path for value, path in now[False].items() if value in was[True] and value not in was[False]]


def _by_fate(document: Document, selection: Selection) -> dict[bool, dict[object, Path]]:
    """Return values with their keys, and the path of each, by whether they are encrypted."""
    found: dict[bool, dict[object, Path]] = {True: {}, False: {}}
    for leaf, is_chosen in zip(document.leaves, selection.choose(document).leaves, strict=True):
        if leaf.data:  # an item's index may change
            keys = tuple(step for step in leaf.path if isinstance(step, str))
            found[bool(is_chosen)][keys, leaf.data] = leaf.path
    return found
