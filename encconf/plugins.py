"""Key types and sources of other packages, which name them as entry points (docs/plugins.md).

Only packages that are installed for this Python are searched: never the current folder, PYTHONPATH or a work
tree, where Python would also find a ``*.dist-info``.  A plug-in is code that you installed, so it may do
anything that encconf may do.  A file or a repository can name a plug-in, but never bring one.
"""

from __future__ import annotations

import os
from functools import cache

from encconf.errors import PluginError
from encconf.text.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.metadata import Distribution, EntryPoint

KEYS = "encconf.keys"
"""The group of key types.  An entry's name is the type's list in the ``sops`` block, and its object a
`encconf.keys.KeyType`."""

SOURCES = "encconf.sources"
"""The group of sources.  An entry's name is the scheme, and its object a `encconf.sources.Source`."""


def load(group: str, name: str) -> object | None:
    """Return the object of an entry point, or None if no installed package has it.

    Raises PluginError if it cannot be imported, or if it would be imported from another place than its
    package's.
    """
    found = _entries(group).get(name)
    if found is None:
        return None
    entry, distribution = found
    who = f"the plug-in {printable(name)} of the package {printable(distribution.metadata['Name'])}"
    try:
        _check_origin(entry, distribution)
        plugin: object = entry.load()
        return plugin
    except Exception as error:
        raise PluginError(
            f"{who} cannot be loaded: {printable(str(error))[:300] or type(error).__name__}",
            hint="install it again, or remove the package",
        ) from None


@cache
def _entries(group: str) -> dict[str, tuple[EntryPoint, Distribution]]:
    """Return the entry points of a group by name, with their packages.  The first one of a name counts."""
    import site
    from importlib.metadata import distributions

    folders = [*site.getsitepackages(), *([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])]
    found: dict[str, tuple[EntryPoint, Distribution]] = {}
    for distribution in distributions(path=folders):
        for entry in distribution.entry_points:
            if entry.group == group:
                found.setdefault(entry.name, (entry, distribution))
    return found


def _check_origin(entry: EntryPoint, distribution: Distribution) -> None:
    """Raise ImportError if another module with the plug-in's name comes before it on Python's path."""
    import json
    from importlib.util import find_spec
    from urllib.parse import unquote, urlsplit

    top = find_spec(entry.module.partition(".")[0])
    if top is None or top.origin is None:
        raise ImportError(f"it has no module {entry.module}")
    origin = os.path.realpath(top.origin)
    if any(os.path.realpath(str(file.locate())) == origin for file in distribution.files or ()):
        return
    installed = json.loads(distribution.read_text("direct_url.json") or "{}")
    if installed.get("dir_info", {}).get("editable"):
        folder = os.path.realpath(unquote(urlsplit(installed["url"]).path))
        if os.path.commonpath([folder, origin]) == folder:
            return
    raise ImportError(f"its module would be imported from {origin}, which does not belong to it")
