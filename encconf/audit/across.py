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

    def add(self, sealed: Sealed) -> None:
        """Add the findings about a file and those before it."""
        sealed.findings += _twins(sealed, self._cwd, self._is_tracked)
        _shared(sealed, self._keys)
        for iv, leaf in sealed.ivs.items():
            mine = (sealed.file, leaf.path, hash(ciphertext(leaf)))
            file, path, other = self._values.setdefault(iv, mine)
            if other != mine[2]:  # else the file is a copy
                sealed.find_nonce(leaf, f"{file}: {spell(path)}")


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
        file, severity = printable(sealed.file), None
        said = f"decrypted copy of {file}: it has the same keys, and values of the same length"
        if 2 * same < shared:
            said = f"plaintext with the same keys as {file}, perhaps an earlier version"
            severity = "warning"
        yield Finding("plain-twin", name, said, severity=severity)


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
    if format == "binary":
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
