"""Find out whether an encrypted file may be a copy of another one in the repository.

Anyone can copy a file to a name whose rule gives it to more people, and wait until somebody with a key wraps
its data key for them.  Such a copy has the same wrapped data key, or the same shares of it.  Anyone can pack
a PGP message in another way, but then the data key of the copy still opens the MAC of the other file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain

from encconf import formats, git
from encconf.engine import cipher
from encconf.engine.admission import LINK, in_full, rule_of
from encconf.engine.metadata import Metadata, metadata_of
from encconf.errors import EncconfError, StrangerError
from encconf.git import listed, repository, tracked
from encconf.git.attributes import encrypted_of
from encconf.io import fileio
from encconf.keys import MasterKey
from encconf.text.printable import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.rules.config import Rule


class Copies:
    """The encrypted files of the repositories that some files are in, by the data keys that they wrap.

    A submodule may have copies of files of the repository around it, and the other way round.
    Outside a repository, and if git cannot list the files of one, only the ``paths`` themselves are known.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self._paths = paths
        self._known: dict[str, _Known] = {}  # by repository

    def objection(
        self,
        path: str,
        metadata: Metadata,
        gaining: Sequence[MasterKey],
        rule: Callable[[str], Rule],
        data_key: bytes | None = None,
    ) -> StrangerError | None:
        """Return the error for a file with the data key of another one, which some recipients may not open.

        ``gaining`` are the recipients that would get the data key or the values.  ``rule`` returns the rule
        of a file.  If it raises an error, the recipients of that file itself may open it.  ``data_key`` is as
        for `others`.
        """
        for other, own in self.others(path, metadata, data_key).items():
            try:
                found = rule(other)
                allowed, who = found.groups, f"{found.name} of .sops.yaml"
            except EncconfError:
                allowed, who = rule_of(own).groups, "that file"
            strangers = [key for key in dict.fromkeys(gaining) if not any(key in group for group in allowed)]
            if strangers:
                name, who_else = one_line(os.path.relpath(other)), ", ".join(map(in_full, strangers))
                is_link = other == linked(path)
                what = f"it has the data key of {name}, so it may be a copy of that file"
                what = f"it is a link to {name}" if is_link else what
                said = f"{what}, and {who} does not name {who_else}"
                return StrangerError(said, strangers, hint=LINK if is_link else None)
        return None

    def objection_to(
        self, path: str, gaining: Sequence[MasterKey], rule: Callable[[str], Rule]
    ) -> StrangerError | None:
        """Return the same for a file as it is on the disk, or None if it is not encrypted."""
        for _, data in encrypted_of([os.path.realpath(path)]):
            with suppress(EncconfError):
                return self.objection(path, _metadata(path, data), gaining, rule)
        return None

    def others(self, path: str, metadata: Metadata, data_key: bytes | None = None) -> dict[str, Metadata]:
        """Return the other files that have a data key or a share of this one, by path.

        With the ``data_key`` of a file with PGP keys, also those that have it, but packed in another way.
        If the path is a link inside a repository, the file that it leads to is another one.
        """
        own = os.path.realpath(path)
        folder = os.path.dirname(own)
        around = [place for place in fileio.upwards(folder) if os.path.exists(os.path.join(place, ".git"))]
        root = around[0] if around else ""
        if root not in self._known:
            self._known[root] = _Known(dict.fromkeys(_files(around)) or self._paths)
        known = self._known[root]
        found = dict(chain.from_iterable(known.wrapping(enc) for enc in _wrapped(metadata)))
        if data_key is not None and _has_pgp(metadata):
            files = ((other, each) for other, each in known.files.items() if _has_pgp(each))
            found |= {other: each for other, each in files if _opens(data_key, each)}
        others = {other: each for other, each in found.items() if os.path.realpath(other) != own}
        return {own: metadata, **others} if linked(path) is not None else others


def linked(path: str) -> str | None:
    """Return the file that a path leads to by a link inside its repository, or None if it has none.

    Anyone can put a link to a file where a rule names more people, and wait until somebody names it, perhaps
    with others: ``dev/*.yaml``.
    """
    path = os.path.abspath(path)
    root = repository(os.path.dirname(path))
    if root is None:
        return None
    real = os.path.realpath(path)
    return real if real != os.path.join(os.path.realpath(root), os.path.relpath(path, root)) else None


def is_tracked_link(path: str) -> bool:
    """Whether git tracks one of the links inside its repository that a path has."""
    path = os.path.abspath(path)
    root = repository(os.path.dirname(path))
    links = [place for place in fileio.upwards(path) if root and place != root and os.path.islink(place)]
    inside = [os.path.relpath(place, root) for place in links if place.startswith(f"{root}{os.sep}")]
    return bool(inside and root and git.said(root, "ls-files", "--", *inside))


class _Known:
    """Encrypted files, by path and by wrapped key."""

    def __init__(self, paths: Iterable[str]) -> None:
        self.files: dict[str, Metadata] = {}
        self._by_key: dict[str, list[str]] = {}
        for path, data in encrypted_of(paths):
            with suppress(EncconfError):
                self.files[path] = metadata = _metadata(path, data)
                for enc in _wrapped(metadata):
                    self._by_key.setdefault(_comparable(enc), []).append(path)

    def wrapping(self, enc: str) -> Iterator[tuple[str, Metadata]]:
        """Yield the files that have a wrapped key."""
        return ((path, self.files[path]) for path in self._by_key.get(_comparable(enc), ()))


def _metadata(path: str, data: bytes) -> Metadata:
    format = formats.format_of(data, path)
    return metadata_of(fileio.decode(data, binary=formats.get(format).single_value), format)


def _files(around: Sequence[str]) -> Iterator[str]:
    """Yield the files of repositories, of which each is inside the next one, and of their submodules.

    New files count only in the first: there may be very many in the others, such as a home folder.
    """
    for number, root in enumerate(around):
        yield from _files_of(root, listed if number == 0 else tracked)


def _files_of(root: str, listing: Callable[[str], list[str] | None]) -> Iterator[str]:
    for name in listing(root) or ():
        if os.path.isdir(name) and not os.path.islink(name):  # a submodule
            if os.path.exists(os.path.join(name, ".git")):
                yield from _files_of(name, tracked)
        else:
            yield name


def _has_pgp(metadata: Metadata) -> bool:
    return any(held.key.TYPE == "pgp" for group in metadata.groups for held in group)


def _opens(data_key: bytes, metadata: Metadata) -> bool:
    """Whether a data key opens the MAC of a file."""
    parts = cipher.split(metadata.mac or "")
    return (
        parts is not None
        and cipher.unlock(data_key, parts[0], parts[1], metadata.lastmodified.encode()) is not None
    )


def _wrapped(metadata: Metadata) -> Iterator[str]:
    return (held.enc for group in metadata.groups for held in group)


def _comparable(enc: str) -> str:
    """Return a wrapped key without what can be written in several ways: the armor, and the end in base64."""
    lines = (line.strip() for line in enc.splitlines())
    return "".join(line for line in lines if line[:1] not in ("-", "=") and ": " not in line).rstrip("=")[:-4]
