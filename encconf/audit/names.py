"""The names that people give to keys.  All reports get names from here.

A name comes from a recipients file, or it is beside a key in ``.sops.yaml``: its anchor (``&alice age1…``), a
comment after it (``age1… # alice``), or a comment above it, if every item of the list has one.  A recipients
file has one of these forms:

- lines ``NAME KEY``, like SSH's ``allowed_signers``
- an age recipients file with ``# NAME`` above the keys
- SSH public keys (``ssh-ed25519 AAAA… NAME``)
- the content of ``https://github.com/USER.keys``, saved as ``USER.keys``
- JSON from GitHub's API, or ``{"NAME": ["KEY"]}``

``.sops.recipients`` beside the configuration is always read.

A name in an older version of these files is a *former* name.  The key may have been replaced because it was
stolen, so a former name is never shown without the key.

Names are only for display: two keys with the same name are still two keys.  Names are never read from an
encrypted file, since anyone who can write to it could use any name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress

from encconf.audit import DIRECTIVE
from encconf.errors import ConfigError, EncconfError
from encconf.io import fileio
from encconf.keys import TABLE, MasterKey, ssh
from encconf.rules.config import MAX_SIZE, NAME, find_config
from encconf.text.document import Leaf, Scope
from encconf.text.printable import printable

RECIPIENTS = ".sops.recipients"
"""The recipients file beside the configuration, which is always read."""
_SHORT = 28
MAX_NAME = 64
"""The longest name, in characters.  A longer one is cut off."""


class Names:
    """The names of keys, by the identities of the keys.

    If a key has several names, the first one counts; `every` has the names in other files, too.

    ``files`` are the files that the names were read from.  ``origins`` says from which SSH keys age
    recipients were made (`encconf.audit.names`).
    """

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._former: dict[str, str] = {}
        self._every: dict[str, dict[str, None]] = {}
        self._configs: list[str] = []
        self.files: list[str] = []
        self.origins: dict[str, str] = {}

    @classmethod
    def of_config(cls, path: str) -> Names:
        """Return the names in a configuration: not all if the recipients file beside it cannot be used."""
        names = cls()
        with suppress(EncconfError):
            names.add_config(path)
        return names

    @classmethod
    def for_files(cls, paths: Iterable[str], config: str | None, recipients: Sequence[str]) -> Names:
        """Return the names in recipients files (or folders of them) and in the configuration of each file.

        ``config`` is the configuration for all files.  Without it, each file has the ``.sops.yaml`` that
        `find_config` finds for it.  A configuration that cannot be read has no names; the code that needs
        its rules reports the error.  Raises ConfigError if a line of a recipients file names no key, and
        InputError if the file cannot be read.
        """
        names = cls()
        for path in recipients:
            names.add_recipients(path)
        folders = sorted({os.path.dirname(path) for path in paths})
        here = os.getcwd()
        found = {config or find_config(os.path.join(each, "x"), here, foreign=True) for each in folders}
        for each in sorted(filter(None, found), key=lambda each: (len(each), each)):
            names.add_config(each)
        return names

    def add_recipients(self, path: str) -> None:
        """Add the names of a recipients file, or of every file in a folder."""
        if os.path.isdir(path):
            for entry in sorted(os.listdir(path)):
                file = os.path.join(path, entry)
                if not entry.startswith(".") and os.path.isfile(file):
                    self.add_recipients(file)
            return
        text = fileio.read_text(path)
        self.files.append(path)
        try:
            self._add(_of_recipients(text, os.path.basename(path)))
        except ConfigError as error:
            raise error.about(path) from None

    def add_config(self, path: str) -> None:
        """Add the names of a ``.sops.yaml``, and of the recipients file beside it."""
        beside = os.path.join(os.path.dirname(path), RECIPIENTS)
        if os.path.isfile(beside):
            self.add_recipients(beside)
        self.files.append(path)
        with suppress(EncconfError):
            self.add_text(fileio.read_text(path))

    def add_old(self, path: str, text: str) -> None:
        """Add the former names in an older version of one of ``files``, as far as it can be read."""
        with suppress(EncconfError):
            if os.path.basename(path) == NAME:
                _take(self._former, _named_in(text))
            else:
                _take(self._former, _of_recipients(text, os.path.basename(path)))

    def add_text(self, text: str) -> None:
        """Add the names in the text of a ``.sops.yaml``."""
        with suppress(EncconfError):
            self._take_config(text)

    def _take_config(self, text: str) -> None:
        self._configs.append(text)
        self._add(_named_in(text))

    def _add(self, found: Iterable[tuple[str, str]]) -> None:
        """Add the names in one file."""
        own: dict[str, str] = {}
        _take(own, found)
        for form, name in own.items():
            self._names.setdefault(form, name)
            self._every.setdefault(form, {})[name] = None

    def is_dropped(self, key: MasterKey) -> bool:
        """Whether a key had a name in an older configuration, and no configuration contains it now."""
        return bool(self._configs) and self.former(key) is not None and not self.contain(key)

    def contain(self, key: MasterKey) -> bool:
        """Whether a configuration contains a key."""
        return any(form in text for form in _forms(key) for text in self._configs)

    def given(self, key: MasterKey) -> str | None:
        """Return the name that someone gives to a key, or else its SSH key of origin, or None."""
        for form in _forms(key):
            if (name := self._names.get(form)) is not None:
                return name
        return self.origin(key)

    def every(self, key: MasterKey) -> list[str]:
        """Return the names that different files give to a key, the one of `given` first."""
        found = {name: None for form in _forms(key) for name in self._every.get(form, ())}
        given = self.given(key)
        return list({given: None, **found}) if given is not None else list(found)

    def former(self, key: MasterKey) -> str | None:
        """Return the former name of a key that has no name now, or None."""
        if self.given(key) is not None:
            return None
        return next((self._former[form] for form in _forms(key) if form in self._former), None)

    def origin(self, key: MasterKey) -> str | None:
        """Return the SSH key that an age recipient was made from, or None if that is not known."""
        found = self.origins.get(key.name)
        return _clean(f"SSH key {found}") if found else None

    def to_json(self, key: MasterKey) -> dict[str, str | None]:
        """Return a key and its name as JSON data."""
        return {"type": key.TYPE, "key": key.name, "name": self.given(key) or self.former(key)}

    def of(self, key: MasterKey) -> str:
        """Return the name of a key, or ``alice (former, age1ql3z…ac8p)``, or its label."""
        former = self.former(key)
        return f"{former} (former, {short(key)})" if former else self.given(key) or key.label

    def full(self, key: MasterKey) -> str:
        """Return ``alice (age1ql3z…ac8p)``, or the label alone, for messages in which the key matters."""
        name, origin, former = self.given(key), self.origin(key), self.former(key)
        of_key = f", {origin}" if origin and origin != name else ""
        if former:
            return f"{former} (former, {key.label})"
        return f"{name} ({key.label}{of_key})" if name else key.label

    def whole(self, key: MasterKey) -> str:
        """Return the name with the whole key, for decisions about who is added or removed."""
        name, former, whole = self.given(key), self.former(key), printable(key.name) or key.label
        if former:
            return f"{former} (former, {whole})"
        return f"{name} ({whole})" if name else whole

    def written(self, text: str) -> str | None:
        """Return the same as `whole` for a text in a configuration: a key, or several with commas.

        Returns None if one of them is not a key, or is an address, which may contain more than a key's name.
        """
        from encconf.keys import parse_list

        found = []
        for key in parse_list(text):
            if key.startswith("http") or not (_KEY.fullmatch(key) or _SSH.match(key)):
                return None
            form, whole = _identity(key), printable(_identity(key).rpartition(" ")[2])
            name, former = self._names.get(form), self._former.get(form)
            once = f"{former} (former, {whole})" if former else whole
            found.append(f"{name} ({whole})" if name else once)
        return ", ".join(found) or None


def _take(names: dict[str, str], found: Iterable[tuple[str, str]]) -> None:
    """Add names to those that are known.  The first name of a key counts."""
    for key, name in found:
        if name := _clean(name):
            names.setdefault(_identity(key), name)
            if key.startswith("ssh-ed25519 "):
                from encconf.keys import ssh

                with suppress(EncconfError):
                    names.setdefault(ssh.recipient(key), name)


def _named_in(text: str) -> Iterable[tuple[str, str]]:
    return _of_config(text) if len(text) <= MAX_SIZE else ()


def kind(key: MasterKey) -> str:
    """Return the kind of a key, in words."""
    if key.TYPE != "age":
        return TABLE[key.TYPE].title if key.TYPE in TABLE else printable(key.TYPE)
    if key.name.startswith("ssh-"):
        return "SSH"
    if key.name.startswith("age1pq1"):
        return "age, post-quantum"
    if key.name.count("1") > 1:
        return f"age, {printable(key.name[4:].rpartition('1')[0])[:24]}"
    return "age"


def short(key: MasterKey) -> str:
    """Return a key's label.  For a long one, this is its kind and its id, since all keys begin alike."""
    return key.label if len(key.label) <= _SHORT else f"{kind(key)} {key_id(key)}"


def key_id(key: MasterKey) -> str:
    """Return the part of a long key that tells it apart from others of its type."""
    name = _forms(key)[0]
    if key.TYPE == "pgp":
        return printable(name[-16:])  # gpg's long key id
    if name.startswith("arn:") and name.count(":") >= 5:
        _, _, _, region, account, resource = name.split(":", 5)
        place = region if resource.startswith("key/") else f"{region}, {account}"
        return f"{_abridged(resource.removeprefix('key/'))} ({printable(place)[:40]})"
    steps = name.rstrip("/").split("/")
    if len(steps) >= 5 and steps[0] == "https:" and steps[3] == "keys":
        vault = printable(steps[2].partition(".")[0])[:24]  # no vault has a longer name
        return f"{vault}/{_abridged(steps[4])}"
    if len(steps) >= 8 and steps[0] == "projects":
        return _abridged(f"{steps[5]}/{steps[7]}")
    return _abridged(steps[-1])


def _abridged(text: str) -> str:
    text = printable(text)
    return text if len(text) <= _SHORT else f"{text[:12]}…{text[-6:]}"


def identity(key: MasterKey) -> str:
    """Return ``TYPE:NAME``, without what does not identify the key: an SSH comment, a role, a profile.

    An SSH key has the identity of its age recipient, since both open the same files.
    """
    if key.name.startswith("ssh-ed25519 "):
        from encconf.keys.ssh import as_age

        with suppress(EncconfError):
            key = as_age(key)
    return f"{key.TYPE}:{_forms(key)[0]}"


# --- keys as text --------------------------------------------------------------------------------

_FINGERPRINT = re.compile(r"(?:0x)?((?:[0-9A-Fa-f]{16}|[0-9A-Fa-f]{32}|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64}))!?")
_SSH = re.compile(r"(?:ssh|ecdsa|sk-ssh|sk-ecdsa)-[A-Za-z0-9@.-]+")
_KEY = re.compile(
    rf"age1[0-9a-z]{{10,}}|{_SSH.pattern}|arn:\S+|projects/\S+|https?://\S+|{_FINGERPRINT.pattern}"
    r"|[a-z0-9-]+:[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}"
)
# A key in a line of words: an SSH key is two of them, and gpg prints a fingerprint in blocks of four digits.
_WHOLE = (
    rf"(?<!\S)(?:{_SSH.pattern}(?:\s+\S+)?|(?:[0-9A-Fa-f]{{4}}\s+){{9}}[0-9A-Fa-f]{{4}}|{_KEY.pattern})(?!\S)"
)


def _identity(key: str) -> str:
    """Return the normalized form of a key, by which names are looked up."""
    key = key.strip()
    if _SSH.match(key):
        return " ".join(key.split()[:2])
    if found := _FINGERPRINT.fullmatch("".join(key.split())):
        return found[1].upper()
    if key.startswith("arn:"):
        return re.split(r"\+arn:|\|", "".join(key.split()))[0]
    return key.rstrip("/")


def _forms(key: MasterKey) -> list[str]:
    """Return the forms in which a key may have a name, the most exact one first."""
    name = _identity(key.name)
    if key.TYPE == "pgp" and len(name) > 16:
        return [name, name[-16:]]
    base, found, rest = name.partition("/keys/")
    if found and name.startswith("http"):
        return [name, f"{base}/keys/{rest.partition('/')[0]}"]
    return [name]


def _clean(name: str) -> str:
    """Return a name on one line, cut off if it is too long."""
    name = " ".join(printable(name).split())
    return name if len(name) <= MAX_NAME else name[: MAX_NAME - 1] + "…"


# --- recipients files ----------------------------------------------------------------------------


def _of_recipients(text: str, file: str) -> Iterator[tuple[str, str]]:
    """Yield the keys and names of a recipients file.  Raises ConfigError."""
    stem = os.path.splitext(file)[0]
    if "PRIVATE KEY-----" in text or "AGE-SECRET-KEY-" in text:
        raise ConfigError("it contains a private key", hint="a recipients file must contain only public keys")
    if text.lstrip().startswith(("[", "{")):
        yield from _of_json(text, stem)
        return
    own = stem if file.endswith(".keys") else ""
    heading = ""
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        words = line.split()
        if not words:
            heading = ""
        elif words[0].startswith("#"):
            heading = line.strip().lstrip("#").strip()
        else:
            key, name = _of_line(line, number)
            yield key, name or heading or own


def _of_line(line: str, number: int) -> tuple[str, str]:
    """Return the key and the name (or "") of a line ``NAME KEY``, ``KEY NAME`` or ``KEY # NAME``."""
    key = re.search(_WHOLE, line)
    if key is None:
        raise ConfigError(
            f"line {number} names no key", hint="a line is NAME KEY, KEY NAME, or a comment: # NAME"
        )
    before = [word for word in line[: key.start()].split() if "=" not in word]  # allowed_signers has options
    name = " ".join(before).rstrip(" :=") if before else " ".join(line[key.end() :].split()).lstrip("# ")
    return " ".join(key[0].split()), name


def _of_json(text: str, stem: str) -> Iterator[tuple[str, str]]:
    import json

    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise ConfigError("it is not valid JSON") from None
    people = content.items() if isinstance(content, dict) else [(stem, content)]
    for name, keys in people:
        for key in keys if isinstance(keys, list) else [keys]:
            if isinstance(key, dict):
                key = key.get("key")
            if not isinstance(key, str) or not _KEY.match(key.strip()):
                raise ConfigError(
                    "it contains no keys in a known form",
                    hint='known forms are {"NAME": ["KEY"]}, or GitHub\'s [{"key": "ssh-ed25519 …"}]',
                )
            yield key, name


def _ssh_comment(key: str) -> str:
    """Return ``alice@laptop`` for ``ssh-ed25519 AAAA… alice@laptop``."""
    return " ".join(key.split()[2:]) if _SSH.match(key) else ""


# --- .sops.yaml ----------------------------------------------------------------------------------

# A hostile configuration must not take long, so each pattern is matched only at one place.
_COMMENT = re.compile(r"(?:[ \t]*([,\]}]+))?[ \t]+#(.*)")
_ANCHOR = re.compile(r"&([^\s,\[\]{}&]+)[ \t]*\Z")
_RULES = (("creation_rules",), ("destination_rules",))
_NEAR = 4 * MAX_NAME  # how far an anchor may be from its key, and how long a line with a name may be
_LONG = 64 * MAX_NAME  # how much of a comment is read; it may be a list of names
_ITEM = re.compile(r"[ \t]*-[ \t]")
_PROSE = re.compile(rf"[-!]|{DIRECTIVE}|.*:\Z")


def _of_config(text: str) -> Iterator[tuple[str, str]]:
    """Yield the keys and names in any members of a configuration, the best names first."""
    from encconf.formats.yaml import Yaml

    document = Yaml().scan(text, any_keys=True)
    leaves = [leaf for leaf in document.leaves if leaf.data and text[leaf.start] != "*"]  # no aliases
    members: dict[int, list[Leaf]] = {}
    for leaf in leaves:
        members.setdefault(id(leaf.scope), []).append(leaf)
    beside: dict[int, str] = {}
    above: dict[int, str] = {}
    for leaf in leaves:
        if anchor := _ANCHOR.search(text, max(leaf.start - _NEAR, 0), leaf.start):
            yield from _each(leaf, anchor[1])
        beside.update(_beside(text, leaf, members[id(leaf.scope)]))
        if name := _comment_above(text, leaf):
            above[id(leaf)] = name
    for leaf in leaves:
        if said := beside.get(id(leaf)):
            yield from _each(leaf, said)
    for names in (beside, above):
        yield from _of_items(leaves, names, above=names is above)
    for leaf in leaves:
        for key in _parts(leaf):
            yield key, _ssh_comment(key)


def _beside(text: str, leaf: Leaf, members: list[Leaf]) -> dict[int, str]:
    """Return the name in the comment after a leaf, by the leaf's id; after a list, names for ``members``."""
    # A block scalar ends with its line, so what follows it is on another line.
    comment = None if text[leaf.end - 1] == "\n" else _COMMENT.match(text, leaf.end)
    name = comment[2][:_LONG].strip() if comment else ""
    if not comment or not name or re.match(DIRECTIVE, name):
        return {}
    if "]" not in (comment[1] or ""):
        return {id(leaf): name}
    parts = [part.strip() for part in name.split(",")]
    return dict(zip(map(id, members), parts, strict=True)) if len(parts) == len(members) else {}


def _of_items(leaves: list[Leaf], names: dict[int, str], *, above: bool) -> Iterator[tuple[str, str]]:
    """Yield keys and names of list items, which are keys or mappings that describe one (``- arn: …``).

    A comment next to a rule, or next to a member that is not a key, does not name a key.
    """
    for items in _lists(leaves):
        named = {
            step: next((names[id(leaf)] for leaf in members if id(leaf) in names and _parts(leaf)), "")
            for step, members in items.items()
        }
        # If only some items have a comment above, it may be about the list.
        if above and not all(named.values()):
            continue
        for step, members in items.items():
            if not named[step]:
                continue
            parts = {leaf.step: leaf.data.decode() for leaf in members if leaf.data}
            for leaf in members:
                yield from _each(leaf, named[step])
            if parts.get("vaultUrl") and parts.get("key"):
                address = f"{parts['vaultUrl'].rstrip('/')}/keys/{parts['key']}"
                yield f"{address}/{parts.get('version', '')}", named[step]


def _lists(leaves: list[Leaf]) -> Iterable[dict[object, list[Leaf]]]:
    """Return the lists that leaves are in, with the leaves of each item, but not the list of rules."""
    lists: dict[int, dict[object, list[Leaf]]] = {}
    for leaf in leaves:
        place: tuple[Scope | None, object] = (leaf.scope, leaf.step)
        if isinstance(leaf.step, str):
            if leaf.scope.parent is None or leaf.scope.parent.path in _RULES:
                continue
            place = (leaf.scope.parent, leaf.scope.step)
        scope, step = place
        if scope is not None and scope.listed:
            lists.setdefault(id(scope), {}).setdefault(step, []).append(leaf)
    return lists.values()


def _each(leaf: Leaf, name: str) -> Iterator[tuple[str, str]]:
    """Yield a leaf's key with its name; or several keys with one name each, if there are as many names."""
    keys = _parts(leaf)
    names = [part.strip() for part in name.split(",")] if len(keys) > 1 else [name]
    if len(names) == len(keys):
        yield from zip(keys, names, strict=True)


def _parts(leaf: Leaf) -> list[str]:
    text = leaf.data.decode("utf-8", "replace") if leaf.data else ""
    return [part for part in (part.strip() for part in text.split(",")) if _KEY.match(part)]


def _comment_above(text: str, leaf: Leaf) -> str:
    """Return the comment in the line above a list's item, if it looks like a name, or ""."""
    start = _line_start(text, leaf.start)
    above = _line_start(text, start - 1) if start > 0 and _ITEM.match(text, start, leaf.start) else -1
    line = text[above:start].strip() if above >= 0 else ""
    name = line.strip("# \t") if line.startswith("#") else ""
    return "" if _PROSE.match(name) or _KEY.search(name) else name


def _line_start(text: str, at: int) -> int:
    """Return the start of the line that contains an offset, or -1 if it is too far away."""
    near = max(at - _NEAR, 0)
    return -1 if (found := text.rfind("\n", near, at)) < 0 < near else found + 1


# --- the SSH public key from which ssh-to-age made an age recipient ---------------------------------
# The keys that are tried are ``~/.ssh/*.pub`` and the ``.pub`` files that git tracks in the repository.

_MANY = 500  # files


def origins(cwd: str, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return for each age recipient of a known SSH public key the key's file and comment."""
    found: dict[str, str] = {}
    for shown, path in _files(environ.get("HOME") or os.path.expanduser("~"), cwd):
        with suppress(EncconfError):
            for line in fileio.read_text(path).splitlines():
                words = line.split()
                if len(words) > 1 and words[0] == ssh.KIND:
                    with suppress(EncconfError):
                        comment = f" ({' '.join(words[2:])})" if words[2:] else ""
                        found.setdefault(ssh.recipient(line.strip()), f"{shown}{comment}")
    return found


def _files(home: str, cwd: str) -> Iterator[tuple[str, str]]:
    """Yield each file's name in messages, and its path."""
    from encconf.git import tracked

    folder = os.path.join(home, ".ssh")
    if os.path.isdir(folder):
        for name in sorted(os.listdir(folder))[:_MANY]:
            if name.endswith(".pub"):
                yield f"~/.ssh/{name}", os.path.join(folder, name)
    for path in [each for each in tracked(cwd) or () if each.endswith(".pub")][:_MANY]:
        yield os.path.relpath(path, cwd), path
