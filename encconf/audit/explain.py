"""Explain what applies to one file: its configuration, the rules tried, the keys, and each value's fate.

This needs no key.  The file may be plaintext or encrypted, or not exist yet.  `encconf.rules.config` chooses
the rule and `encconf.rules.selection` the values to encrypt; this module says why.  An explanation never
contains a value.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from encconf import formats
from encconf.audit.findings import Lines, printable, quoted
from encconf.audit.names import Names, origins
from encconf.audit.sealed import Sealed, compare_with_rule, is_bare
from encconf.engine.admission import rule_of
from encconf.engine.metadata import Metadata
from encconf.envelope import quorum
from encconf.errors import (
    BadKeyError,
    ConfigError,
    EmptyDocumentError,
    EncconfError,
    MetadataError,
    MissingFileError,
    NoConfigError,
    NoMatchingRuleError,
    NotEncryptedError,
    PatternError,
    as_data,
)
from encconf.io import fileio
from encconf.keys import MasterKey
from encconf.rules import config as configs
from encconf.rules.config import Rule, Tried, encrypted_name
from encconf.rules.selection import Selection
from encconf.text.document import ENC_BYTES, Document, Leaf, Scope
from encconf.text.path import spell


@dataclass(slots=True, eq=False)
class Fate:
    """What happens to one value: whether the rule encrypts it, and why.

    ``now`` says whether it is encrypted now; it is None in a plaintext file.
    """

    path: str
    line: int
    column: int
    encrypted: bool
    reason: str
    now: bool | None = None


@dataclass(slots=True, eq=False, repr=False)
class Explanation:
    """Everything that applies to a file.

    ``state`` is ``missing``, ``plain``, ``encrypted`` or ``unreadable``.  ``looked`` are the paths at which
    encconf looked for a configuration; if it found one (``config``), that is the last of them.  ``names`` are
    the names of the file that rules were matched against, ``tried`` are all rules, and ``rule`` is the chosen
    one, with the number ``number``.
    ``own`` is the rule that an encrypted file itself records.  ``fates`` follow the chosen rule, or else
    ``own``.  ``comments`` says whether comments are encrypted (None: only some).
    ``is_bare`` says that the file has a ``sops`` block, but no encrypted value.
    ``error`` says why there is no rule, ``problem`` why the file cannot be read.  ``given_names`` are the
    names of keys.
    """

    file: str
    format: str
    state: str = "missing"
    looked: list[str] = field(default_factory=list)
    config: str | None = None
    names: list[str] = field(default_factory=list)
    tried: list[Tried] = field(default_factory=list)
    number: int | None = None
    rule: Rule | None = None
    own: Rule | None = None
    fates: list[Fate] = field(default_factory=list)
    comments: bool | None = None
    is_bare: bool = False
    differences: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    error: EncconfError | None = None
    problem: EncconfError | None = None
    given_names: Names = field(default_factory=Names)

    def who(self, key: MasterKey) -> str:
        """Return the type of a key, and the name that people gave it."""
        return f"{key.TYPE} {self.given_names.full(key)}"


def explain(file: str, *, cwd: str, config: str | None = None, input_type: str | None = None) -> Explanation:
    """Explain a file.  Errors in the file or in its rules are not raised, but are part of the `Explanation`.

    Raises UsageError for an unknown ``input_type``.
    """
    found = Explanation(file, input_type or formats.of_path(file))
    document, metadata = _read(found, os.path.join(cwd, file), input_type)
    _rules(found, cwd, config)
    if metadata is not None:
        found.own = rule_of(metadata)
    if document is not None:
        try:
            _judge(found, document, metadata)
        except PatternError as error:
            found.problem = found.problem or error
    return found


def _read(found: Explanation, path: str, input_type: str | None) -> tuple[Document | None, Metadata | None]:
    """Return the document of a file, and its metadata if it has a ``sops`` block that can be read."""
    document: Document | None = None
    try:
        data = fileio.read_bytes(path)
        if input_type is None:
            found.format = formats.find(data, path) or found.format
        text = fileio.decode(data, binary=formats.get(found.format).single_value)
        found.state = "plain"
        document = formats.get(found.format).scan(text, comments=True)
        metadata = Metadata.of(document)
    except (MissingFileError, NotEncryptedError, EmptyDocumentError):
        return document, None
    except EncconfError as error:
        is_encrypted = isinstance(error, MetadataError)
        if is_encrypted or found.state == "missing" or not formats.get(found.format).single_value:
            error.file = None
            found.state, found.problem = "encrypted" if is_encrypted else "unreadable", error
        return document, None
    found.state = "encrypted"
    if metadata.unmerged is not None:
        found.notices.append(f"{metadata.unmerged}; encconf edit finishes it")
    return document, metadata


def _judge(found: Explanation, document: Document, metadata: Metadata | None) -> None:
    """Add the fate of each value, and how the file differs from its rule.  Raises PatternError."""
    rule = found.rule or found.own
    if rule is not None:
        selection = rule.selection if metadata is None else rule.selection_for(metadata.selection)
        chosen = selection.choose(document)
        found.fates = list(_fates(document, selection, chosen.leaves, is_encrypted=metadata is not None))
        if len(set(chosen.comments)) == 1:
            found.comments = bool(chosen.comments[0])
    if metadata is not None and found.rule is not None:
        sealed = Sealed(found.file, document, metadata, metadata.selection.choose(document), [])
        compare_with_rule(sealed, found.rule, found.rule.name, found.who)
        found.differences = [each.message for each in sealed.findings]
    if metadata is not None and is_bare(document, metadata.selection.choose(document)):
        found.is_bare = True
        found.differences.append("the file has a sops block, but none of its values is encrypted")


def _rules(found: Explanation, cwd: str, config: str | None) -> None:
    """Find the configuration and the rule, as `encconf.rules.config.find_rule` and `encconf encrypt` do."""
    target = os.path.join(cwd, found.file)
    if config is not None:
        found.looked = [os.path.join(cwd, config)]
        found.config = found.looked[0]
    else:
        places = configs.places(target, cwd)
        found.config = configs.find_config(target, cwd, notify=found.notices.append, foreign=True)
        found.looked = places[: places.index(found.config) + 1] if found.config else places
    if found.config is None:
        hint = "encconf init creates one"
        for folder in map(os.path.dirname, found.looked):
            if os.path.isfile(other := os.path.join(folder, configs.IGNORED)):
                rename = f"git mv {quoted(other)} {quoted(os.path.join(folder, configs.NAME))}"
                hint = f"sops and encconf ignore {configs.IGNORED}: {rename}"
                break
        found.error = NoConfigError("no .sops.yaml was found, so no rule applies to this file", hint=hint)
        return
    try:
        if config is None:
            configs.refuse_foreign(found.config)
        loaded = configs.load(found.config)
    except EncconfError as error:
        found.error = error
        return
    found.given_names = Names.of_config(found.config)
    found.given_names.origins = origins(cwd)
    also: list[str] = []
    if found.state == "plain" and (name := encrypted_name(target)):
        target, also = name, [target]  # encconf encrypt FILE writes there
    found.names = loaded.names(target, also)
    found.tried = loaded.tried(target, also=also)
    try:
        found.number = loaded.first(found.names)
        found.rule = loaded.rule_for(target, also=also)
    except NoMatchingRuleError:
        found.error = NoMatchingRuleError(
            "no creation rule covers this file" if found.tried else "creation_rules of .sops.yaml is empty",
            hint=configs.rules_hint("the folder of .sops.yaml"),
        )
    except (ConfigError, BadKeyError) as error:
        found.error = error
    found.notices += loaded.notices


# --- why -------------------------------------------------------------------------------------------


def _fates(
    document: Document, selection: Selection, chosen: Sequence[int], *, is_encrypted: bool
) -> Iterator[Fate]:
    """Yield the fate of every value of a document, in order.  Raises PatternError."""
    lines = Lines(document.text)
    why = _by_comment(document, selection) if selection.needs_comments else _by_key(selection)
    for leaf, is_chosen in zip(document.leaves, chosen, strict=True):
        if document.format.single_value:
            encrypted, reason = True, "a binary file is encrypted as a whole"
        elif leaf.data is None:
            encrypted, reason = False, "null is never encrypted"
        elif not leaf.data:
            encrypted, reason = False, "it is empty"
        else:
            encrypted, reason = bool(is_chosen), why(leaf, bool(is_chosen))
        now = leaf.type == "str" and (leaf.data or b"").startswith(ENC_BYTES)
        place = lines(leaf.start)
        yield Fate(spell(leaf.path), *place, encrypted, reason, now if is_encrypted else None)


def _by_key(selection: Selection) -> Callable[[Leaf, bool], str]:
    """Return a function that says which key on a value's path decides."""
    match, said = selection.matcher(), matches(selection)

    def why(leaf: Leaf, encrypted: bool) -> str:
        above = next((key for key in leaf.scope.keys if match(key)), None)
        if above is not None:
            return f"it is below {printable(above, 60)}, which {said}"
        own = isinstance(leaf.step, str) and match(leaf.step)
        return f"its key {said}" if own else f"no key on its path {said}"

    return why


def _by_comment(document: Document, selection: Selection) -> Callable[[Leaf, bool], str]:
    """Return a function that says which comment decides, before a value or a collection that contains it."""
    match, said, place = selection.matcher(), matches(selection), Lines(document.text)
    lines: dict[tuple[int, str | int | None], int] = {}
    for comment in document.comments:
        if match(comment.text):
            lines.setdefault((id(comment.scope), comment.before), place(comment.start)[0])

    def why(leaf: Leaf, encrypted: bool) -> str:
        if encrypted is not selection.by_match:
            return f"no comment before it {said}"
        scope: Scope | None = leaf.scope
        step: str | int | None = leaf.step
        while scope is not None:
            if (line := lines.get((id(scope), step))) is not None:
                return f"the comment in line {line} {said}"
            step, scope = scope.step, scope.parent
        return f"a comment before it {said}"

    return why


def matches(selection: Selection, limit: int = 60) -> str:
    """Return, in words, what a selection tests on a key or comment: ``ends in _secret``."""
    verb = "ends in" if selection.kind.endswith("_suffix") else "matches"
    return f"{verb} {printable(selection.pattern, limit)}"


# --- as data -------------------------------------------------------------------------------------


def to_json(found: Explanation) -> dict[str, object]:
    """Return an explanation as JSON data; docs/reference/schemas/explain.json describes its members."""
    return {
        "file": found.file,
        "state": found.state,
        "format": found.format,
        "problem": as_data(found.problem) if found.problem else None,
        "config": found.config,
        "searched": found.looked,
        "names": found.names,
        "rules": [
            {
                "rule": rule.place,
                "path_regex": rule.path_regex or None,
                "matches": rule.matches,
                "reason": rule.reason,
                "chosen": number == found.number,
            }
            for number, rule in enumerate(found.tried)
        ],
        "error": as_data(found.error) if found.error else None,
        "notices": found.notices,
        "rule": _rule(found, found.rule),
        "own": _rule(found, found.own),
        "differences": found.differences,
        "values": [
            {name: getattr(fate, name) for name in ("path", "line", "column", "encrypted", "now", "reason")}
            for fate in found.fates
        ],
        "comments": found.comments,
    }


def _rule(found: Explanation, rule: Rule | None) -> dict[str, object] | None:
    if rule is None:
        return None
    return {
        "groups": [list(map(found.given_names.to_json, group)) for group in rule.groups],
        "threshold": quorum(rule.threshold, rule.groups),
        "opens": opens(rule),
        "selection": rule.selection.to_entries(),
    }


def opens(rule: Rule) -> str:
    """Return, in words, how many keys are needed to open a file."""
    count = len(rule.groups)
    if count == 0:
        return "none"
    if count == 1:
        keys = len(rule.groups[0])
        return "this one opens the file" if keys == 1 else f"any one of these {keys} opens the file"
    need = rule.threshold or count
    which = f"every one of the {count} groups" if need == count else f"any {need} of the {count} groups, each"
    return f"this needs one key of {which}"
