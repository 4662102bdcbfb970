"""Findings that take several files: plaintext twins, and a nonce or a data key that is used twice."""

from __future__ import annotations

import os

from encconf.audit import sealed as looking
from encconf.audit import twins
from encconf.audit.findings import Finding, printable
from encconf.errors import InputError
from encconf.git import attributes, repository
from encconf.io import fileio
from encconf.text.path import spell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from encconf.audit.sealed import Sealed


def across(encrypted: Sequence[Sealed], cwd: str, is_tracked: Callable[[str], bool]) -> Iterator[Finding]:
    """The findings about all encrypted files together; ``is_tracked`` says whether git has a file."""
    ivs: dict[bytes, Sealed] = {}
    keys: dict[tuple[str, str, str], Sealed] = {}
    for sealed in encrypted:
        before = len(sealed.findings)
        yield from _twins(sealed, cwd, is_tracked)
        _shared(sealed, keys)
        for iv, leaf in sealed.ivs.items():
            other = ivs.setdefault(iv, sealed)
            if other is not sealed:
                earlier = other.ivs[iv]
                assert leaf.data is not None
                assert earlier.data is not None
                if leaf.data.rstrip() != earlier.data.rstrip():  # else it is a copy of the file
                    where = f"{other.file}: {spell(earlier.path)}"
                    looking.twice(sealed.find, earlier.data, leaf.data, leaf, where)
        yield from sealed.findings[before:]


def without_drivers(encrypted: Sequence[Sealed], cwd: str) -> Iterator[Finding]:
    """Encrypted files without git's drivers, in a repository that uses the drivers."""
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
    for name in filter(is_tracked, twins.plain_names(sealed.file)):
        try:
            data = fileio.read_bytes(os.path.join(cwd, name), regular=True)
        except InputError:
            continue
        shared, same = twins.compare(sealed, data)
        if 2 * shared < len(sealed.lengths):
            continue
        if 2 * same >= shared:
            said = (
                f"decrypted copy of {printable(sealed.file)}: it has the same keys, and values of the same "
                "length"
            )
            yield Finding("plain-twin", name, said)
        else:
            said = f"plaintext with the same keys as {printable(sealed.file)}, perhaps an earlier version"
            yield Finding("plain-twin", name, said, severity="warning")
