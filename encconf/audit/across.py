"""Findings about several files: decrypted copies, and a nonce or a data key that is used twice."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from encconf import formats
from encconf.audit import meant
from encconf.audit.findings import Finding, printable
from encconf.audit.sealed import Sealed, ciphertext
from encconf.engine.cipher import PREFIX
from encconf.errors import EncconfError, InputError
from encconf.formats import sniff
from encconf.git import attributes, repository
from encconf.io import fileio
from encconf.text.path import Path, spell

_LONG = 8  # bytes of a value that hardly has the length of another by chance
_PLAIN_WORDS = ("dec", "decrypted", "plain", "clear")


class Across:
    """Compares each encrypted file with those before it.  ``is_tracked``: whether git tracks a file.

    Of a file, it keeps only the wrapped data keys, and of each value its nonce, path and hash.
    """

    def __init__(self, cwd: str, is_tracked: Callable[[str], bool]) -> None:
        self._cwd = cwd
        self._is_tracked = is_tracked
        self._values: dict[bytes, tuple[str, Path, int]] = {}
        self._keys: dict[tuple[str, str, str], Sealed] = {}
        self._twins: set[str] = set()
        self._folder: str | None = None
        self._beside: dict[str, list[tuple[str, int]]] = {}

    def add(self, sealed: Sealed) -> None:
        """Add the findings about a file and those before it."""
        for finder in (_twins(sealed, self._cwd, self._is_tracked), self._other_twins(sealed)):
            for found in finder:
                if found.file not in self._twins:
                    self._twins.add(found.file)
                    sealed.findings.append(found)
        _shared(sealed, self._keys)
        for iv, leaf in sealed.ivs.items():
            mine = (sealed.file, leaf.path, hash(ciphertext(leaf)))
            file, path, other = self._values.setdefault(iv, mine)
            if other != mine[2]:  # else the file is a copy
                sealed.find_nonce(leaf, f"{file}: {spell(path)}")


    def _other_twins(self, sealed: Sealed) -> Iterator[Finding]:
        """Yield findings about plaintext with the same keys under any name, such as an imported ``.env``."""
        folder = os.path.dirname(sealed.file)
        if folder != self._folder:
            self._folder, self._beside = folder, self._values_in(folder)
        sizes = {name: size for path, size in sealed.lengths.items() for name in _spellings(path)}
        for name, values in self._beside.items():
            shared = [(size, sizes[key]) for key, size in values if key in sizes]
            same = [size for size, other in shared if size == other]
            # One short value is no evidence.
            if name in self._twins or (len(shared) < 2 and not any(size >= _LONG for size in same)):
                continue
            if 2 * len(shared) >= min(len(values), len(sealed.lengths)):
                yield _twin(name, sealed, is_copy=2 * len(same) >= len(shared))

    def _values_in(self, folder: str) -> dict[str, list[tuple[str, int]]]:
        """Return the keys and the lengths of values of each tracked file that may hold plaintext secrets."""
        try:
            bases = sorted(os.listdir(os.path.join(self._cwd, folder)))
        except OSError:
            return {}
        named = (base for base in bases if set(_PLAIN_WORDS).isdisjoint(base.split(".")))  # see `plain_names`
        likely = (base for base in named if _holds_variables(base) or meant.is_secrets(base))
        names = (os.path.join(folder, base) for base in likely if not meant.is_public(base))
        return {name: _sizes(os.path.join(self._cwd, name)) for name in filter(self._is_tracked, names)}


def without_drivers(encrypted: Sequence[Sealed], cwd: str) -> Iterator[Finding]:
    """Yield a finding for each encrypted file without git's drivers, if the repository uses the drivers."""
    root = repository(cwd)
    if root is None or not encrypted or not attributes.are_used(root):
        return
    inside = {os.path.relpath(os.path.join(cwd, each.file), root): each for each in encrypted}
    names = [name for name in inside if not name.startswith(os.pardir + os.sep)]
    for name in attributes.without_drivers(root, names):
        said = ".gitattributes does not set the encconf driver for this file"
        yield Finding("no-driver", inside[name].file, said)


def _shared(sealed: Sealed, keys: dict[tuple[str, str, str], Sealed]) -> None:
    mine = sealed.data_keys
    for key in mine:
        other = keys.setdefault(key, sealed)
        if other is sealed:
            continue
        people, others = ({key[:2] for key in each.data_keys} for each in (sealed, other))
        if people != others:
            sealed.find(
                "shared-data-key",
                f"{printable(other.file)} has the same data key but other recipients",
            )
        return


def _twins(sealed: Sealed, cwd: str, is_tracked: Callable[[str], bool]) -> Iterator[Finding]:
    if not sealed.lengths:
        return
    for name in filter(is_tracked, plain_names(sealed.file)):
        try:
            data = fileio.read_bytes(os.path.join(cwd, name), regular=True)
        except InputError:
            continue
        shared, same = _compare(sealed, data)
        if 2 * shared < len(sealed.lengths):
            continue
        yield _twin(name, sealed, is_copy=2 * same >= shared)


def _twin(name: str, sealed: Sealed, *, is_copy: bool) -> Finding:
    file = printable(sealed.file)
    if is_copy:
        said = f"decrypted copy of {file}: it has the same keys, and values of the same length"
        return Finding("plain-twin", name, said)
    said = f"plaintext with the same keys as {file}, perhaps an earlier version"
    return Finding("plain-twin", name, said, severity="warning")


def _holds_variables(base: str) -> bool:
    """Whether a name is that of a dotenv file: ``.env``, ``.env.production``, ``secrets.env``."""
    return base == ".env" or base.startswith(".env.") or formats.of_path(base) == "dotenv"


def _sizes(path: str) -> list[tuple[str, int]]:
    """Return the keys of a plaintext file, and the lengths of its values that are no placeholders."""
    format = "dotenv" if _holds_variables(os.path.basename(path)) else formats.of_path(path)
    try:
        data = fileio.read_bytes(path, regular=True)
        if format == "binary" or sniff.find(data, path) is not None:
            return []
        document = formats.get(format).scan(fileio.decode(data))
    except EncconfError:
        return []
    leaves = meant.hidden(document, document.leaves)
    return [(_spellings(leaf.path)[0], len(leaf.data or b"")) for leaf in leaves]


def _spellings(path: Path) -> list[str]:
    """Return a path as names of variables: of all its keys, and of the last one."""
    keys = [step for step in path if isinstance(step, str)]
    names = ["_".join(keys), *keys[-1:]]
    return [name.upper().replace("-", "_").replace("__", "_") for name in names]


def plain_names(name: str) -> list[str]:
    """Return likely names for the plaintext of an encrypted file, such as ``x.yaml`` for ``x.enc.yaml``."""
    folder, base = os.path.split(name)
    found = [meant.plain_name(base)]
    stem, _, suffix = base.rpartition(".")
    for word in _PLAIN_WORDS:
        found.append(f"{base}.{word}")
        found += [f"{each}.{word}.{suffix}" for each in (stem, meant.plain_name(stem)) if each]
    return [os.path.join(folder, each) for each in dict.fromkeys(found) if each]


def _compare(sealed: Sealed, data: bytes) -> tuple[int, int]:
    """Return how many encrypted values ``data`` has in plaintext, and how many of the same length."""
    format = sealed.format
    if sniff.find(data) is not None:
        return 0, 0  # it is encrypted, too
    if formats.get(format).single_value:
        size = next(iter(sealed.lengths.values()))
        return int(bool(data)), int(len(data) == size)
    shared = same = 0
    with suppress(EncconfError):
        document = formats.get(format).scan(fileio.decode(data))
        for leaf in document.leaves if document.block is None else ():
            size = sealed.lengths.get(leaf.path, -1)
            if size >= 0 and leaf.data and not leaf.data.startswith(PREFIX.encode()):
                shared += 1
                same += len(leaf.data) == size
    return shared, same
