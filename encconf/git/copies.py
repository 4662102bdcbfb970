"""Find out whether an encrypted file may be a copy of another one in the repository.

Anyone can copy a file to a name whose rule gives it to more people, and wait until somebody with a key wraps
its data key for them.  Such a copy has the same wrapped data key, or the same shares of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import chain

from encconf import formats
from encconf.engine.admission import in_full, rule_of
from encconf.engine.metadata import Metadata, metadata_of
from encconf.errors import EncconfError, StrangerError
from encconf.git import repository
from encconf.git.attributes import encrypted
from encconf.io import fileio
from encconf.keys import MasterKey
from encconf.text.printable import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from encconf.rules.config import Rule


class Copies:
    """The encrypted files of the repositories that some files are in, by the data keys that they wrap.

    Outside a repository, and if git cannot list the files of one, only the ``paths`` themselves are known.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self._paths = paths
        self._known: dict[str, dict[str, dict[str, Metadata]]] = {}  # by repository, wrapped key and path

    def objection(
        self, path: str, metadata: Metadata, added: Sequence[MasterKey], rule: Callable[[str], Rule]
    ) -> StrangerError | None:
        """Return the error for a file with the data key of another one, which some recipients may not open.

        ``added`` are the recipients that would get the data key.  ``rule`` returns the rule of a file.  If it
        raises an error, the recipients of that file itself may open it.
        """
        for other, own in self.others(path, metadata).items():
            try:
                found = rule(other)
                allowed, who = found.groups, f"{found.name} of .sops.yaml"
            except EncconfError:
                allowed, who = rule_of(own).groups, "that file"
            strangers = [key for key in added if not any(key in group for group in allowed)]
            if strangers:
                name = one_line(os.path.relpath(other))
                return StrangerError(
                    f"it has the data key of {name}, so it may be a copy of that file, and {who} does "
                    f"not name {', '.join(map(in_full, strangers))}",
                    strangers,
                )
        return None

    def others(self, path: str, metadata: Metadata) -> dict[str, Metadata]:
        """Return the other files that have a data key or a share of this one, by path."""
        root = repository(os.path.dirname(os.path.abspath(path))) or ""
        if root not in self._known:
            self._known[root] = self._wrapped_in(root)
        found = (self._known[root].get(_comparable(enc), {}).items() for enc in _wrapped(metadata))
        own = os.path.realpath(path)
        return {other: each for other, each in chain.from_iterable(found) if os.path.realpath(other) != own}

    def _wrapped_in(self, root: str) -> dict[str, dict[str, Metadata]]:
        known: dict[str, dict[str, Metadata]] = {}
        texts = {os.path.join(root, name): data for name, data in encrypted(root).items()} if root else {}
        for path in texts or self._paths:
            with suppress(EncconfError):
                data = texts[path] if path in texts else fileio.read_bytes(path)
                format = formats.format_of(data, path)
                metadata = metadata_of(fileio.decode(data, binary=formats.get(format).single_value), format)
                for enc in _wrapped(metadata):
                    known.setdefault(_comparable(enc), {})[path] = metadata
        return known


def _wrapped(metadata: Metadata) -> Iterator[str]:
    return (held.enc for group in metadata.groups for held in group)


def _comparable(enc: str) -> str:
    """Return a wrapped key without what can be written in several ways: the armor, and the end in base64."""
    lines = (line.strip() for line in enc.splitlines())
    return "".join(line for line in lines if line[:1] not in ("-", "=") and ": " not in line).rstrip("=")[:-4]
